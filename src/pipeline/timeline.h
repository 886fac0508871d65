/* The figures of a run over its time, in a fixed number of stretches: when they are full, two at a
 * time become one. */
#ifndef VRS_PIPELINE_TIMELINE_H
#define VRS_PIPELINE_TIMELINE_H

#include "vrseg/pipeline.h"

/* Stretches at first last as long; each merging doubles it. */
#define VRS_TIMELINE_SECONDS 0.25

/* Zeroed: nothing yet. */
typedef struct vrs_timeline {
    vrs_load_sample samples[VRS_LOAD_SAMPLES];
    int32_t count;
    int32_t merged; /* so often */
    double seconds; /* up to where it reaches */
    uint64_t frames;
    double cpu_seconds;
    vrs_stage_stats stages[VRS_STAGE_COUNT]; /* as they were then */
} vrs_timeline;

/* Adds what has happened since the last call that added something: `stats` after `seconds` of the
 * run, with the CPU time and the cores of the process. `last`: the run has ended, so what there is
 * becomes a stretch however short. Nothing is added while a stretch has not lasted long enough. */
VRS_API void vrs_timeline_add(vrs_timeline *timeline, const vrs_pipeline_stats *stats,
                              double seconds, double cpu_seconds, int32_t cores, bool last);

#endif
