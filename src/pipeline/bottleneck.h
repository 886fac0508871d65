/* What limits a run: a resource first, then a stage, in one sentence with its evidence and the next
 * thing to try. A function of the figures alone, so that it is the same in a test and in a run. */
#ifndef VRS_PIPELINE_BOTTLENECK_H
#define VRS_PIPELINE_BOTTLENECK_H

#include "vrseg/pipeline.h"

/* What a stage's threads did with their time, as shares of it (0..1, together 1 at most). */
typedef struct vrs_stage_load {
    double busy;
    double starved; /* waited for work */
    double blocked; /* had work done, or at hand, and waited for room */
    double cpu_seconds;
} vrs_stage_load;

typedef struct vrs_bottleneck {
    double seconds; /* of the run */
    int32_t cores;  /* that may be used */
    /* How much of its time each resource was in use, 0..1; negative: there is none, or it is not
     * known. VRS_RESOURCE_CONSUMER, _SOURCE and _MEMORY: how long it was waited for. */
    double resources[VRS_RESOURCE_COUNT];
    vrs_stage_load stages[VRS_STAGE_COUNT];
    bool gpu_decodes, gpu_infers, gpu_encodes;
    bool live;                        /* the source is paced by its own times */
    uint32_t tickets, tickets_wanted; /* of all streams */
} vrs_bottleneck;

typedef struct vrs_bottleneck_finding {
    vrs_resource resource; /* VRS_RESOURCE_COUNT: no resource, but the stage, if it is that busy */
    vrs_stage stage;       /* where most of that resource goes, or the busiest */
    bool found;            /* false: nothing limits for long */
    char text[VRS_DETAIL_SIZE];
} vrs_bottleneck_finding;

/* In this order: a resource of the machine that is in use nearly all the time (cores, the GPU's
 * decoder, multiprocessors or copy engine), the fullest first; then what is waited for most of the
 * time (encoder, disk, consumer, source, memory); then a stage that is busy most of the time. */
VRS_API void vrs_bottleneck_find(const vrs_bottleneck *b, vrs_bottleneck_finding *finding);

/* The figures of a pipeline alone, over `seconds`: its stages, multiprocessors, copy engine,
 * consumer and memory; the rest is unknown. */
VRS_API void vrs_bottleneck_of_stats(const vrs_pipeline_stats *stats, double seconds,
                                     vrs_bottleneck *b);

#endif
