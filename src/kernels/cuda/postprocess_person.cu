/* Scores to masks for any strides, and masks of one size to another; both smoothed over time and
 * summed, for a batch of views in one launch. Where scores lie without gaps, vrs_person_planes and
 * vrs_person_pixels are faster. */
#include "postprocess_enlarge.cuh"
#include "postprocess_scores.cuh"
#include "postprocess_smooth.cuh"

#define COLUMNS 4
#define CHUNK 4 /* classes that are loaded together */

/* A thread's pixels of a row; those beyond its end repeat its last. */
template <typename T> struct pixels {
    const T *row;
    int64_t class_stride, column_stride;
    int x, width;

    template <int COUNT>
    __device__ __forceinline__ void load(int first, float (*value)[COLUMNS]) const
    {
#pragma unroll
        for (int k = 0; k < COUNT; k++) {
            const T *at = row + (first + k) * class_stride;
#pragma unroll
            for (int i = 0; i < COLUMNS; i++)
                value[k][i] = vrs_load_value(at + min(x + i, width - 1) * column_stride);
        }
    }
};

template <int ACTIVATION, typename T>
__device__ __forceinline__ void person(const vrs_person_params &p)
{
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * COLUMNS, y = blockIdx.y;
    const vrs_pixels<COLUMNS> at(x, y, p.width, p.width % COLUMNS == 0);
    int v = p.chain[blockIdx.z];
    vrs_past<COLUMNS> past(p.view[v].smooth, at);
    for (; v >= 0; v = p.view[v].smooth.next) {
        int q15[COLUMNS];
        const pixels<T> scores = {vrs_at<const T>(p.view[v].scores) + y * p.row_stride,
                                  p.class_stride, p.column_stride, x, p.width};
        vrs_read_scores<ACTIVATION, COLUMNS, CHUNK>(scores, p.classes, p.person_classes, q15);
        past.finish(p.view[v].smooth, p.view[v].mask, p.weight, at, q15);
    }
}

template <typename T> __device__ __forceinline__ void person_any(const vrs_person_params &p)
{
    if (p.activation == ACTIVATION_SOFTMAX)
        person<ACTIVATION_SOFTMAX, T>(p);
    else if (p.activation == ACTIVATION_ARGMAX)
        person<ACTIVATION_ARGMAX, T>(p);
    else if (p.activation == ACTIVATION_SIGMOID)
        person<ACTIVATION_SIGMOID, T>(p);
    else
        person<ACTIVATION_NONE, T>(p);
}

/* Grid: x: groups of 128 * COLUMNS columns, y: rows, z: chains. */
extern "C" __global__ void __launch_bounds__(128)
    vrs_person(const __grid_constant__ vrs_person_params p)
{
    if (p.half)
        person_any<__half>(p);
    else
        person_any<float>(p);
}

/* Rows at.y to end - 1. */
template <int SPAN>
__device__ __forceinline__ void resize(const vrs_mask_resize_params &p, vrs_enlarge_place at,
                                       int end)
{
    constexpr int rows = SPAN == 1 ? 4 : 2; /* where it enlarges by 2 or 4: all of them */
    const vrs_enlarging<int, SPAN> columns(at, p.division, 1);
#pragma unroll 1
    for (; at.y < end; at.y += rows) {
        const vrs_enlarge_rows<int, rows> some(at, p.division, (int)blockIdx.y, end,
                                               p.source_stride);
        int v = p.chain[blockIdx.z];
        vrs_enlarge_past<COLUMNS, rows> past(p.view[v].smooth, at, end);
        for (; v >= 0; v = p.view[v].smooth.next) {
            int q15[rows * COLUMNS];
            some.get(columns, vrs_at<const int16_t>(p.view[v].source), q15);
            past.finish(p.view[v].smooth, p.view[v].mask, p.weight, q15);
        }
    }
}

/* Bytes: the source once and the mask once, from 256x256 to 512x512 and 8 views 5.2 MB, 1.7 us at
 * 3.03 TB/s, less than a launch takes; instructions are 60 a pixel, 4.3 us at full rate. Grid: x:
 * groups of 128 * VRS_ENLARGE_COLUMNS columns, y: rows of the source, z: chains. A block takes the
 * rows that lie between one of the source and the next. */
extern "C" __global__ void __launch_bounds__(128, 6)
    vrs_mask_resize(const __grid_constant__ vrs_mask_resize_params p)
{
    const vrs_enlarge_span rows(p.division, (int)blockIdx.y, p.source_height, p.height);
    const vrs_enlarge_place at = {
        make_int2(p.source_width, p.source_height), make_int2(p.width, p.height),
        (int)(blockIdx.x * blockDim.x + threadIdx.x) * VRS_ENLARGE_COLUMNS, rows.first};
    const int span = at.span();
    if (span == 1)
        resize<1>(p, at, rows.end);
    else if (span == 2)
        resize<2>(p, at, rows.end);
    else
        resize<3>(p, at, rows.end);
}
