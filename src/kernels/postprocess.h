/* What the implementations of the postprocess kernels share with each other and with nobody else.
 */
#ifndef VRS_KERNELS_POSTPROCESS_H
#define VRS_KERNELS_POSTPROCESS_H

#include <stddef.h>
#include <stdint.h>

/* Entries behind the end of each table of vrs_upsample, so that a last vector may run over: they
 * repeat the last index with weight 0. */
#define VRS_UPSAMPLE_PAD 64

/* The part of a block of memory that starts `bytes` in, rounded up to a whole cache line. */
static inline void *vrs_scratch_after(void *scratch, size_t bytes)
{
    return (char *)scratch + (bytes + 63) / 64 * 64;
}

static inline int32_t vrs_min_i32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t vrs_max_i32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

#endif
