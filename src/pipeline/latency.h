/* How long frames take from their capture to their mask. */
#ifndef VRS_PIPELINE_LATENCY_H
#define VRS_PIPELINE_LATENCY_H

#include "base/histogram.h"
#include "vrseg/pipeline.h"

/* Written by the thread that hands results out, read by any. Zeroed: nothing yet. */
typedef struct vrs_latency_meter {
    vrs_histogram times;
    _Atomic uint64_t missed, steps;
    _Atomic int64_t variation; /* summed over `steps` */
    int64_t last;              /* of the writer; 0: none */
} vrs_latency_meter;

/* Counts a frame of one stream in its own meter and in that of all streams. `target_ns` 0: none.
 * One thread at a time. */
VRS_API void vrs_latency_add(vrs_latency_meter *stream, vrs_latency_meter *all, int64_t latency_ns,
                             int64_t target_ns);

VRS_API vrs_latency vrs_latency_read(const vrs_latency_meter *meter);

#endif
