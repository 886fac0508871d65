/* How long batches take, by their size, learnt from those that ran. One thread at a time. */
#ifndef VRS_BATCH_ESTIMATE_H
#define VRS_BATCH_ESTIMATE_H

#include <stdint.h>

#include "vrseg/status.h"

/* Views of a batch at most. */
#define VRS_BATCH_MOST 16
/* Of each size so many runs are remembered. */
#define VRS_BATCH_SAMPLES 16
/* A size that ran among so many last batches is known; of others it is only known what it was. */
#define VRS_BATCH_FRESH 64

/* All zero: nothing is known. */
typedef struct vrs_batch_estimate {
    int64_t ns[VRS_BATCH_MOST + 1][VRS_BATCH_SAMPLES]; /* a ring for each size */
    uint32_t count[VRS_BATCH_MOST + 1];                /* ever added */
    int64_t usual[VRS_BATCH_MOST + 1];                 /* of the ring; 0: none yet */
    uint64_t batches, last[VRS_BATCH_MOST + 1];        /* all; at the last one of each size */
} vrs_batch_estimate;

/* A batch of `size` (1..VRS_BATCH_MOST) took `ns`; negative counts as 0. */
VRS_API void vrs_batch_estimate_add(vrs_batch_estimate *estimate, int32_t size, int64_t ns);

/* What a batch of `size` will hardly exceed; 0: no batch was measured yet, else at least 1. Of its
 * last runs the slowest eighth does not count (of three to fifteen runs: the slowest one), so that
 * a hiccup changes nothing, and a change of speed everything within VRS_BATCH_SAMPLES runs (within
 * three if it became slower). A size that did not run for a while, or never, is bounded by those
 * that did: it takes at most what a larger one takes, and what the same views take in smaller
 * batches one after the other, and at least what a smaller one takes. So one bad time of a size
 * that is then avoided does not last. */
VRS_API int64_t vrs_batch_estimate_get(const vrs_batch_estimate *estimate, int32_t size);

#endif
