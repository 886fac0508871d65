/* A histogram of times, to be written by any threads without a lock while others read it.
 *
 * Buckets lie logarithmically: 64 for each doubling, so each is at most 1/64 of its values wide. A
 * percentile is the middle of its bucket, at most 0.8 % from the true value; below 128 ns it is
 * exact, and so is the maximum. Values of 2^42 ns (73 minutes) and more count as the largest. */
#ifndef VRS_BASE_HISTOGRAM_H
#define VRS_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "vrseg/status.h"

#define VRS_HISTOGRAM_SPLIT 6 /* 2^6 buckets for each doubling */
#define VRS_HISTOGRAM_BITS 42
#define VRS_HISTOGRAM_BUCKETS \
    ((VRS_HISTOGRAM_BITS - VRS_HISTOGRAM_SPLIT + 1) << VRS_HISTOGRAM_SPLIT)

/* Zeroed: empty. */
typedef struct vrs_histogram {
    _Atomic uint64_t counts[VRS_HISTOGRAM_BUCKETS];
    _Atomic int64_t sum, max;
} vrs_histogram;

/* Counts a value in nanoseconds; negative ones as 0. Any thread, three atomic operations. */
VRS_API void vrs_histogram_add(vrs_histogram *histogram, int64_t value);

/* What was counted so far. A value that is added meanwhile is in all of it or in a part. */
VRS_API uint64_t vrs_histogram_count(const vrs_histogram *histogram);
VRS_API int64_t vrs_histogram_mean(const vrs_histogram *histogram);
VRS_API int64_t vrs_histogram_max(const vrs_histogram *histogram);

/* The least value that `share` (0..1) of the values do not exceed (nearest rank); 0 when empty. */
VRS_API int64_t vrs_histogram_percentile(const vrs_histogram *histogram, double share);

#endif
