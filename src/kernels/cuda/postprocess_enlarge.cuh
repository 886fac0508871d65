/* Bilinear enlarging where a thread makes VRS_ENLARGE_COLUMNS neighbouring columns of some rows,
 * one after the other: the places of the columns are made once, and the code stays small enough for
 * the instruction caches. W is float (scores, vrs_reference_enlarge()) or int (Q15,
 * vrs_upsample_fn). */
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

#endif
