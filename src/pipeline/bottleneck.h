/* What limits a run: a resource first, then a stage, in one sentence with its evidence. */
#ifndef VRS_PIPELINE_BOTTLENECK_H
#define VRS_PIPELINE_BOTTLENECK_H

#include "vrseg/pipeline.h"

typedef struct vrs_bottleneck {
    double seconds;                            /* of the run */
    int32_t cores;                             /* that may be used */
    double cpu_share;                          /* of them, 0..1 */
    double stage_busy[VRS_STAGE_COUNT];        /* busy time / (threads x run), 0..1 */
    double stage_cpu_seconds[VRS_STAGE_COUNT]; /* of the stage's threads */
    bool gpu_decodes, gpu_infers;
} vrs_bottleneck;

/* Writes the sentence: what limits, how that is known, what to try next. */
VRS_API void vrs_bottleneck_text(const vrs_bottleneck *b, char *text, size_t size);

#endif
