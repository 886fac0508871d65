/* Bilinear enlarging. W is float (scores, vrs_reference_enlarge()) or int (Q15, vrs_upsample_fn).
 * A thread makes VRS_ENLARGE_COLUMNS neighbouring columns of some rows, one after the other, so
 * that the places of the columns are made once and the code stays small enough for the instruction
 * caches; or of rows that lie between the same two of the source, which are then taken across once
 * for all of them; or of these one column, where there is much to do for each. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_ENLARGE_CUH
#define VRS_KERNELS_CUDA_POSTPROCESS_ENLARGE_CUH

#include <cuda_fp16.h>

#include "postprocess_smooth.cuh"

#define VRS_ENLARGE_COLUMNS 4

__device__ __forceinline__ float vrs_load_value(const float *p)
{
    return __ldg(p);
}

__device__ __forceinline__ float vrs_load_value(const __half *p)
{
    return __half2float(__ldg(p));
}

__device__ __forceinline__ int vrs_load_value(const int16_t *p)
{
    return __ldg(p);
}

/* A weight of the right (lower) neighbour, and what lies between `a` and a + delta: as the
 * reference rounds, without a fused multiply-add. */
__device__ __forceinline__ void vrs_set_weight(int q15, float &weight)
{
    weight = (float)q15 * (1.0f / 32768.0f);
}

__device__ __forceinline__ void vrs_set_weight(int q15, int &weight)
{
    weight = q15;
}

__device__ __forceinline__ float vrs_delta(float a, float b)
{
    return __fsub_rn(b, a);
}

__device__ __forceinline__ int vrs_delta(int a, int b)
{
    return b - a;
}

__device__ __forceinline__ float vrs_between(float a, float delta, float weight)
{
    return __fadd_rn(a, __fmul_rn(delta, weight));
}

__device__ __forceinline__ int vrs_between(int a, int delta, int weight)
{
    return a + ((delta * weight + 16384) >> 15);
}

/* The sizes of an enlarging, and where a thread begins in the result. */
struct vrs_enlarge_place {
    int2 source, result;
    int x, y;

    /* How far apart the first and the last of a thread's columns may lie in the source: 1 from
     * factor 4 on, 2 from factor 2 on; 3: further. */
    __device__ __forceinline__ int span() const
    {
        return result.x >= 4 * source.x ? 1 : result.x >= 2 * source.x ? 2 : 3;
    }
};

/* A row of the result between two of the source: elements from a plane's first. */
template <typename W> struct vrs_enlarge_row {
    int64_t upper, lower;
    W weight;

    __device__ __forceinline__ vrs_enlarge_row(const vrs_enlarge_place &at,
                                               const vrs_enlarge_division &by, int y,
                                               int64_t stride)
    {
        const vrs_tap tap = vrs_tap_by(y, at.source.y, at.result.y, by.row_factor, by.row_shift);
        upper = tap.index * stride;
        lower = min(tap.index + 1, at.source.y - 1) * stride;
        vrs_set_weight(tap.weight, weight);
    }
};

/* A thread's columns, which have SPAN + 2 neighbours in a row of the source. */
template <typename W, int SPAN> struct vrs_enlarging {
    int index[SPAN + 2];           /* elements from a row's first */
    int step[VRS_ENLARGE_COLUMNS]; /* of each one's left neighbour from the first one */
    W weight[VRS_ENLARGE_COLUMNS];

    /* What is beyond the last column repeats it. */
    __device__ __forceinline__ vrs_enlarging(const vrs_enlarge_place &at,
                                             const vrs_enlarge_division &by, int stride)
    {
        int first = 0;
#pragma unroll
        for (int i = 0; i < VRS_ENLARGE_COLUMNS; i++) {
            const vrs_tap tap = vrs_tap_by(min(at.x + i, at.result.x - 1), at.source.x, at.result.x,
                                           by.column_factor, by.column_shift);
            first = i == 0 ? tap.index : first;
            step[i] = tap.index - first;
            vrs_set_weight(tap.weight, weight[i]);
        }
#pragma unroll
        for (int k = 0; k < SPAN + 2; k++)
            index[k] = min(first + k, at.source.x - 1) * stride;
    }

    template <typename T> __device__ __forceinline__ void get_line(const T *line, W *value) const
    {
        W near[SPAN + 2], delta[SPAN + 1];
#pragma unroll
        for (int k = 0; k < SPAN + 2; k++)
            near[k] = vrs_load_value(line + index[k]);
#pragma unroll
        for (int k = 0; k < SPAN + 1; k++)
            delta[k] = vrs_delta(near[k], near[k + 1]);
#pragma unroll
        for (int i = 0; i < VRS_ENLARGE_COLUMNS; i++) {
            W a = near[0], d = delta[0];
#pragma unroll
            for (int k = 1; k <= SPAN; k++) {
                a = step[i] >= k ? near[k] : a;
                d = step[i] >= k ? delta[k] : d;
            }
            value[i] = vrs_between(a, d, weight[i]);
        }
    }
};

/* At any factor, also below 1: each column by itself. */
template <typename W> struct vrs_enlarging<W, 3> {
    int left[VRS_ENLARGE_COLUMNS], right[VRS_ENLARGE_COLUMNS];
    W weight[VRS_ENLARGE_COLUMNS];

    __device__ __forceinline__ vrs_enlarging(const vrs_enlarge_place &at,
                                             const vrs_enlarge_division &by, int stride)
    {
#pragma unroll
        for (int i = 0; i < VRS_ENLARGE_COLUMNS; i++) {
            const vrs_tap tap = vrs_tap_by(min(at.x + i, at.result.x - 1), at.source.x, at.result.x,
                                           by.column_factor, by.column_shift);
            left[i] = tap.index * stride;
            right[i] = min(tap.index + 1, at.source.x - 1) * stride;
            vrs_set_weight(tap.weight, weight[i]);
        }
    }

    template <typename T> __device__ __forceinline__ void get_line(const T *line, W *value) const
    {
#pragma unroll
        for (int i = 0; i < VRS_ENLARGE_COLUMNS; i++) {
            const W a = vrs_load_value(line + left[i]), b = vrs_load_value(line + right[i]);
            value[i] = vrs_between(a, vrs_delta(a, b), weight[i]);
        }
    }
};

/* A row's results from a plane. */
template <typename W, typename COLUMNS, typename T>
__device__ __forceinline__ void
vrs_enlarge_get(const COLUMNS &columns, const vrs_enlarge_row<W> &row, const T *plane, W *value)
{
    W above[VRS_ENLARGE_COLUMNS], below[VRS_ENLARGE_COLUMNS];
    columns.get_line(plane + row.upper, above);
    columns.get_line(plane + row.lower, below);
#pragma unroll
    for (int i = 0; i < VRS_ENLARGE_COLUMNS; i++)
        value[i] = vrs_between(above[i], vrs_delta(above[i], below[i]), row.weight);
}

/* Rows of the result, from `first` to `end` - 1, between the source's row `source` and the next. A
 * warp tries 16 rows for each at once: the formula of vrs_tap_at() turned around, whose roundings
 * shift it by few. All lanes come. */
struct vrs_enlarge_span {
    int first, end;

    __device__ __forceinline__ vrs_enlarge_span(const vrs_enlarge_division &by, int source,
                                                int source_height, int height)
    {
        const int lane = (int)threadIdx.x % 32, index = source + lane / 16;
        const unsigned reach = (2u * (unsigned)index + 1) * (unsigned)height;
        const unsigned over = reach - min(reach, (unsigned)source_height);
        const int guess = max((int)(__umulhi(over, by.source_factor) >> by.source_shift) - 2, 0);
        const int row = guess + lane % 16;
        const bool before =
            row < height &&
            vrs_tap_by(row, source_height, height, by.row_factor, by.row_shift).index < index;
        const unsigned all = __ballot_sync(0xffffffffu, before);
        const int begin = __shfl_sync(0xffffffffu, guess, 0);
        const int stop = __shfl_sync(0xffffffffu, guess, 16);
        first = min(source <= 0 ? 0 : begin + __popc(all & 0xffffu), height);
        end = min(source + 1 >= source_height ? height : stop + __popc(all >> 16), height);
    }
};

/* VRS_ENLARGE_COLUMNS columns, which have their places, of rows `at.y` to `end` - 1, ROWS of them
 * (the last one repeated), all between row `source` of the source and the next. */
template <typename W, int ROWS> struct vrs_enlarge_rows {
    int64_t upper, lower; /* elements from a plane's first */
    W weight[ROWS];

    __device__ __forceinline__ vrs_enlarge_rows(const vrs_enlarge_place &at,
                                                const vrs_enlarge_division &by, int source, int end,
                                                int64_t stride)
        : upper(source * stride), lower(min(source + 1, at.source.y - 1) * stride)
    {
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const vrs_tap tap = vrs_tap_by(min(at.y + r, end - 1), at.source.y, at.result.y,
                                           by.row_factor, by.row_shift);
            vrs_set_weight(tap.weight, weight[r]);
        }
    }

    /* Results from a plane, row by row. */
    template <typename COLUMNS, typename T>
    __device__ __forceinline__ void get(const COLUMNS &columns, const T *plane, W *value) const
    {
        W above[VRS_ENLARGE_COLUMNS], below[VRS_ENLARGE_COLUMNS];
        columns.get_line(plane + upper, above);
        columns.get_line(plane + lower, below);
#pragma unroll
        for (int i = 0; i < VRS_ENLARGE_COLUMNS; i++) {
            const W delta = vrs_delta(above[i], below[i]);
#pragma unroll
            for (int r = 0; r < ROWS; r++)
                value[r * VRS_ENLARGE_COLUMNS + i] = vrs_between(above[i], delta, weight[r]);
        }
    }
};

/* A thread's pixels of the result: ROWS of them below each other in column `x`, rows `y` to
 * `end` - 1 (the last one repeated), all between row `source` of the source and the next. What
 * lies across is then the same for all, and the code is small. */
template <typename W, int ROWS> struct vrs_enlarge_pixels {
    int64_t upper, lower; /* elements from a plane's first */
    int left, right;      /* from a row's first */
    W across, down[ROWS];

    __device__ __forceinline__ vrs_enlarge_pixels(const vrs_enlarge_place &at,
                                                  const vrs_enlarge_division &by, int source,
                                                  int end, int64_t row_stride, int column_stride)
        : upper(source * row_stride), lower(min(source + 1, at.source.y - 1) * row_stride)
    {
        const vrs_tap column = vrs_tap_by(min(at.x, at.result.x - 1), at.source.x, at.result.x,
                                          by.column_factor, by.column_shift);
        left = column.index * column_stride;
        right = min(column.index + 1, at.source.x - 1) * column_stride;
        vrs_set_weight(column.weight, across);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const vrs_tap tap = vrs_tap_by(min(at.y + r, end - 1), at.source.y, at.result.y,
                                           by.row_factor, by.row_shift);
            vrs_set_weight(tap.weight, down[r]);
        }
    }

    template <typename T> __device__ __forceinline__ void get(const T *plane, W *value) const
    {
        const W a = vrs_load_value(plane + upper + left), b = vrs_load_value(plane + upper + right);
        const W c = vrs_load_value(plane + lower + left), d = vrs_load_value(plane + lower + right);
        const W above = vrs_between(a, vrs_delta(a, b), across);
        const W delta = vrs_delta(above, vrs_between(c, vrs_delta(c, d), across));
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            value[r] = vrs_between(above, delta, down[r]);
    }
};

/* COUNT neighbouring columns of ROWS rows, of which `end` - 1 is the last: what follows the making
 * of a thread's pixels, row by row. */
template <int COUNT, int ROWS> struct vrs_enlarge_past {
    vrs_past<COUNT> past[ROWS];
    int x, y, end, width;

    __device__ __forceinline__ vrs_enlarge_past(const vrs_post_smooth &m,
                                                const vrs_enlarge_place &at, int end_row)
        : x(at.x), y(at.y), end(end_row), width(at.result.x)
    {
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            past[r] = vrs_past<COUNT>(m, place(min(y + r, end - 1)));
    }

    __device__ __forceinline__ vrs_pixels<COUNT> place(int row) const
    {
        return vrs_pixels<COUNT>(x, row, width, width % COUNT == 0);
    }

    /* Ends a view, as vrs_past does. All lanes of a warp come, to the same rows. */
    __device__ __forceinline__ void finish(const vrs_post_smooth &m, uint64_t mask, int weight,
                                           int *q15)
    {
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            if (y + r < end)
                past[r].finish(m, mask, weight, place(y + r), q15 + r * COUNT);
    }
};

#endif
