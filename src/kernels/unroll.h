/* Pictures and masks from an equirectangular eye's to a fisheye's, as players of packed alpha want
 * them. Where each pixel comes from stands in a grid that vr/unroll.h makes; all that depends on a
 * projection is in it, so that every device computes the same. */
#ifndef VRS_KERNELS_UNROLL_H
#define VRS_KERNELS_UNROLL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#define VRS_UNROLL_FN static __host__ __device__ __forceinline__
#else
#define VRS_UNROLL_FN static inline
#endif

/* Fractions of a pixel in positions: 2^-8. */
#define VRS_UNROLL_BITS 8

/* An eye's part of a plane, both of the source and of the result. */
typedef struct vrs_unroll_size {
    int32_t width, height;
    int32_t cell;    /* logarithm of the pixels a side of a grid's cell */
    int32_t columns; /* of the grid: (width >> cell) + 2; rows likewise */
} vrs_unroll_size;

/* Whether a pixel's centre lies in the circle with R = min(width, height) / 2; in halves, whose
 * squares are at most 2^30 for sides of 1..VRS_MAX_SIDE. */
VRS_UNROLL_FN int32_t vrs_unroll_inside(const vrs_unroll_size *size, int32_t x, int32_t y)
{
    const int32_t across = 2 * x + 1 - size->width, down = 2 * y + 1 - size->height;
    const int32_t radius = size->width < size->height ? size->width : size->height;
    return (uint32_t)(across * across) + (uint32_t)(down * down) <= (uint32_t)(radius * radius);
}

/* Where a pixel comes from, in 2^-VRS_UNROLL_BITS of the source's pixels with 0 in the middle of
 * the first: between the grid's nodes, which stand at the centres of every 2^cell-th pixel and are
 * within 2^24, so that with cells of at most 8 pixels a side nothing exceeds 2^30. */
VRS_UNROLL_FN void vrs_unroll_position(const vrs_unroll_size *size, const int32_t *grid, int32_t x,
                                       int32_t y, int32_t position[2])
{
    const int32_t step = 1 << size->cell, a = x & (step - 1), b = y & (step - 1);
    const int32_t *node =
        grid + 2 * ((int64_t)(y >> size->cell) * size->columns + (x >> size->cell));
    const int32_t *below = node + 2 * (int64_t)size->columns;
    for (int32_t i = 0; i < 2; i++) {
        const int32_t top = node[i] * (step - a) + node[2 + i] * a;
        const int32_t bottom = below[i] * (step - a) + below[2 + i] * a;
        position[i] =
            (top * (step - b) + bottom * b + ((1 << 2 * size->cell) >> 1)) >> (2 * size->cell);
    }
}

/* The two neighbours along one side of a position, held within 0..count-1, and the weight of the
 * second in 2^-VRS_UNROLL_BITS. */
VRS_UNROLL_FN int32_t vrs_unroll_neighbours(int32_t position, int32_t count, int32_t at[2])
{
    const int32_t most = (count - 1) << VRS_UNROLL_BITS;
    const int32_t held = position < 0 ? 0 : position > most ? most : position;
    at[0] = held >> VRS_UNROLL_BITS;
    at[1] = at[0] + 1 < count ? at[0] + 1 : at[0];
    return held & ((1 << VRS_UNROLL_BITS) - 1);
}

/* Of four samples: above left, above right, below left, below right; 16 bits each, so that the sum
 * is below 2^32. */
VRS_UNROLL_FN int32_t vrs_unroll_mix(const int32_t s[4], int32_t across, int32_t down)
{
    const uint32_t one = 1u << VRS_UNROLL_BITS, x = (uint32_t)across, y = (uint32_t)down;
    const uint32_t above = (uint32_t)s[0] * (one - x) + (uint32_t)s[1] * x;
    const uint32_t below = (uint32_t)s[2] * (one - x) + (uint32_t)s[3] * x;
    return (int32_t)((above * (one - y) + below * y + (1u << (2 * VRS_UNROLL_BITS - 1))) >>
                     (2 * VRS_UNROLL_BITS));
}

/* One eye's part of one plane. Samples are unsigned (masks in Q15 are, too). */
typedef struct vrs_unroll {
    vrs_unroll_size size;
    const int32_t *grid; /* pairs, see vr/unroll.h; NULL: every sample is copied, no circle */
    const void *src;     /* the eye's first sample */
    void *dst;
    ptrdiff_t src_stride, dst_stride; /* in bytes */
    int32_t sample_bytes;             /* 1 or 2, of both */
    int32_t src_step;                 /* samples from one to the next: 2 in planes of UV pairs */
    int32_t src_shift;                /* P010's 6: code = word >> shift; else 0 */
    int32_t outside;                  /* what stands outside of the circle */
} vrs_unroll;

/* Rows row_begin..row_end-1 of the result: bilinear within the circle, the eye's edges repeated,
 * `outside` elsewhere. Exact. */
typedef void (*vrs_unroll_fn)(const vrs_unroll *unroll, int32_t row_begin, int32_t row_end);

#endif
