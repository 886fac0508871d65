/* What the implementations of the postprocess kernels share with each other and with nobody else.
 */
#ifndef VRS_KERNELS_POSTPROCESS_H
#define VRS_KERNELS_POSTPROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* Entries behind the end of each table of vrs_upsample, so that a last vector may run over: they
 * repeat the last index with weight 0. */
#define VRS_UPSAMPLE_PAD 64

/* Entries of a row of sums in the scratch memory of the box filters: the row, the widest window's
 * reach on both sides, and room for a last vector; a multiple of a cache line. */
static inline size_t vrs_box_row(int32_t width)
{
    return ((size_t)width + 2 * VRS_BOX_MAX_RADIUS + 64 + 15) / 16 * 16;
}

/* Bytes of the two planes of coefficients at the start of vrs_guided_fn's scratch memory. */
static inline size_t vrs_guided_planes(size_t pixels)
{
    return (2 * (pixels + 16) * sizeof(double) + 63) / 64 * 64;
}

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
