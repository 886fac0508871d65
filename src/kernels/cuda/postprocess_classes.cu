/* Class maps: the largest of up to 32 scores at each pixel of the result.
 *
 * Bytes: scores once, 1 a pixel out; 513x513x21 in FP16 to 1080p, 8 views: 105 MB, 24.6 us at
 * 4.28 TB/s. Interpolating 21 scores at each of 16.6 M pixels as the reference rounds them takes a
 * multiplication, an addition, a comparison and two selections each, and along columns about half
 * as much again: 8 instructions a class, 2.8e9 in all, 95 us at full rate. So arithmetic is the
 * limit. A thread takes a column of ROWS rows class by class, so that values along the source's
 * rows are made once for about two rows of the result. */
#include <cuda_fp16.h>

#include "postprocess.cuh"

#define ROWS 8
#define TOGETHER 4 /* classes */

__device__ __forceinline__ float load_score(const float *p)
{
    return __ldg(p);
}

__device__ __forceinline__ float load_score(const __half *p)
{
    return __half2float(__ldg(p));
}

/* As the reference rounds: no fused multiply-add. */
__device__ __forceinline__ float lerp(float a, float b, float weight)
{
    return __fadd_rn(a, __fmul_rn(__fsub_rn(b, a), weight));
}

struct place {
    int index[ROWS]; /* the upper source row of each row */
    float weight[ROWS];
};

template <typename T>
__device__ __forceinline__ float load_between(const T *plane, const vrs_classes_view &v, int row,
                                              int64_t left, int64_t right, float weight)
{
    const T *p = plane + row * v.row_stride;
    return lerp(load_score(p + left), load_score(p + right), weight);
}

/* One source row of the classes from `plane` on; `step` holds each one's distance. */
template <typename T>
__device__ __forceinline__ void load_classes(const T *plane, const int64_t *step,
                                             const vrs_classes_view &v, int row, int64_t left,
                                             int64_t right, float weight, float *value)
{
#pragma unroll
    for (int k = 0; k < TOGETHER; k++)
        value[k] = load_between(plane + step[k], v, row, left, right, weight);
}

/* TOGETHER classes from `first` on against the best so far, in all rows: their loads wait for the
 * memory together. Behind the last class it is taken again, which changes nothing. */
template <typename T>
__device__ __forceinline__ void take_classes(const vrs_classes_params &p, const vrs_classes_view &v,
                                             const place &rows, int64_t left, int64_t right,
                                             float weight, int first, float *best, int *which)
{
    const T *plane = vrs_at<const T>(v.scores) + first * v.class_stride;
    const int last = v.region_height - 1;
    int64_t step[TOGETHER];
#pragma unroll
    for (int k = 0; k < TOGETHER; k++)
        step[k] = min(k, p.classes - 1 - first) * v.class_stride;
    int current = rows.index[0], below = min(current + 1, last);
    float upper[TOGETHER], lower[TOGETHER];
    load_classes(plane, step, v, current, left, right, weight, upper);
    load_classes(plane, step, v, below, left, right, weight, lower);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (rows.index[r] != current) {
            const bool next = rows.index[r] == below;
            current = rows.index[r];
#pragma unroll
            for (int k = 0; k < TOGETHER; k++)
                upper[k] = lower[k];
            if (!next)
                load_classes(plane, step, v, current, left, right, weight, upper);
            below = min(current + 1, last);
            load_classes(plane, step, v, below, left, right, weight, lower);
        }
#pragma unroll
        for (int k = 0; k < TOGETHER; k++) {
            const float value = lerp(upper[k], lower[k], rows.weight[r]);
            if (value > best[r]) {
                best[r] = value;
                which[r] = first + k;
            }
        }
    }
}

template <typename T> __device__ __forceinline__ void classes(const vrs_classes_params &p)
{
    const vrs_classes_view &v = p.view[blockIdx.z];
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = (blockIdx.y * blockDim.y + threadIdx.y) * ROWS;
    if (x >= v.width || y >= v.height)
        return;
    const vrs_tap column = vrs_tap_at(x, v.region_width, v.width);
    const float weight = (float)column.weight * (1.0f / 32768.0f);
    const int64_t left = column.index * v.column_stride;
    const int64_t right = min(column.index + 1, v.region_width - 1) * v.column_stride;
    place rows;
    float best[ROWS];
    int which[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const vrs_tap tap = vrs_tap_at(min(y + r, v.height - 1), v.region_height, v.height);
        rows.index[r] = tap.index;
        rows.weight[r] = (float)tap.weight * (1.0f / 32768.0f);
        best[r] = -INFINITY;
        which[r] = 0;
    }
#pragma unroll 1
    for (int c = 0; c < p.classes; c += TOGETHER)
        take_classes<T>(p, v, rows, left, right, weight, c, best, which);
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        if (y + r < v.height)
            vrs_at<uint8_t>(v.dst)[(int64_t)(y + r) * v.dst_stride + x] = (uint8_t)which[r];
}

/* Grid: x: 32 columns, y: 4 groups of ROWS rows, z: views. */
extern "C" __global__ void __launch_bounds__(128)
    vrs_classes(const __grid_constant__ vrs_classes_params p)
{
    if (p.half)
        classes<__half>(p);
    else
        classes<float>(p);
}
