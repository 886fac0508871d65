/* Scores to masks of a larger size: the last enlarging of a network, its activation, smoothing and
 * sums in one launch for a batch of views. The enlarged scores, 4 bytes a class and pixel, are
 * never written.
 *
 * Bytes: scores once, 2 a pixel out; 128x128x2 in FP16 to 512x512, 8 views: 4.7 MB, 1.1 us at
 * 4.3 TB/s, less than a launch takes; 21 classes 9.7 MB, 2.3 us. Instructions are the limit: with
 * two classes about 110 a pixel, 7 us at full rate, with 21 in softmax 750. */
#include "postprocess_enlarge.cuh"
#include "postprocess_scores.cuh"
#include "postprocess_smooth.cuh"

#define COLUMNS VRS_ENLARGE_COLUMNS
#define CHUNK 2 /* classes that are loaded together */

/* A thread's enlarged pixels of a row. */
template <typename FROM, typename T> struct pixels {
    const FROM &columns;
    const vrs_enlarge_row<float> &row;
    const T *scores;
    int64_t class_stride;

    template <int COUNT>
    __device__ __forceinline__ void load(int first, float (*value)[COLUMNS]) const
    {
#pragma unroll
        for (int k = 0; k < COUNT; k++)
            vrs_enlarge_get(columns, row, scores + (first + k) * class_stride, value[k]);
    }
};

template <int ACTIVATION, int SPAN, typename T>
__device__ __forceinline__ void person(const vrs_person_enlarge_params &params,
                                       const vrs_enlarge_place &at)
{
    typedef vrs_enlarging<float, SPAN> enlarging;
    const vrs_person_params &p = params.person;
    const enlarging columns(at, params.division, (int)p.column_stride);
    const int end = min(at.y + params.division.rows, p.height);
#pragma unroll 1
    for (int y = at.y; y < end; y++) {
        const vrs_enlarge_row<float> row(at, params.division, y, p.row_stride);
        const vrs_pixels<COLUMNS> place(at.x, y, p.width, p.width % COLUMNS == 0);
        int v = p.chain[blockIdx.z];
        vrs_past<COLUMNS> past(p.view[v].smooth, place);
        for (; v >= 0; v = p.view[v].smooth.next) {
            int q15[COLUMNS];
            const pixels<enlarging, T> scores = {columns, row, vrs_at<const T>(p.view[v].scores),
                                                 p.class_stride};
            vrs_read_scores<ACTIVATION, COLUMNS, CHUNK>(scores, p.classes, p.person_classes, q15);
            past.finish(p.view[v].smooth, p.view[v].mask, p.weight, place, q15);
        }
    }
}

template <int SPAN, typename T>
__device__ __forceinline__ void person_any(const vrs_person_enlarge_params &params,
                                           const vrs_enlarge_place &at)
{
    const int activation = params.person.activation;
    if (activation == ACTIVATION_SOFTMAX)
        person<ACTIVATION_SOFTMAX, SPAN, T>(params, at);
    else if (activation == ACTIVATION_ARGMAX)
        person<ACTIVATION_ARGMAX, SPAN, T>(params, at);
    else if (activation == ACTIVATION_SIGMOID)
        person<ACTIVATION_SIGMOID, SPAN, T>(params, at);
    else
        person<ACTIVATION_NONE, SPAN, T>(params, at);
}

__device__ __forceinline__ vrs_enlarge_place place_of(int source_width, int source_height,
                                                      int width, int height, int rows)
{
    return {make_int2(source_width, source_height), make_int2(width, height),
            (int)(blockIdx.x * blockDim.x + threadIdx.x) * COLUMNS, (int)blockIdx.y * rows};
}

/* Grid: x: groups of 128 * COLUMNS columns, y: groups of division.rows rows, z: chains. */
extern "C" __global__ void __launch_bounds__(128, 8)
    vrs_person_enlarge(const __grid_constant__ vrs_person_enlarge_params p)
{
    const vrs_enlarge_place at =
        place_of(p.source_width, p.source_height, p.person.width, p.person.height, p.division.rows);
    if (p.person.half && at.span() == 1)
        person_any<1, __half>(p, at);
    else if (p.person.half)
        person_any<3, __half>(p, at);
    else if (at.span() == 1)
        person_any<1, float>(p, at);
    else
        person_any<3, float>(p, at);
}

template <int SPAN, typename T>
__device__ __forceinline__ void enlarge(const vrs_enlarge_params &p, const vrs_enlarge_view &view,
                                        const vrs_enlarge_place &at)
{
    const vrs_enlarging<float, SPAN> columns(at, p.division, (int)p.column_stride);
    const bool whole = at.x + COLUMNS <= p.width && p.width % COLUMNS == 0 && view.dst % 16 == 0;
    const int end = min(at.y + p.division.rows, p.height);
    const int64_t plane = (int64_t)p.width * p.height;
#pragma unroll 1
    for (int y = at.y; y < end; y++) {
        const vrs_enlarge_row<float> row(at, p.division, y, p.row_stride);
        float *dst = vrs_at<float>(view.dst) + (int64_t)y * p.width + at.x;
#pragma unroll 1
        for (int c = 0; c < p.classes; c++, dst += plane) {
            float value[COLUMNS];
            vrs_enlarge_get(columns, row, vrs_at<const T>(view.scores) + c * p.class_stride, value);
            if (whole)
                *reinterpret_cast<float4 *>(dst) =
                    make_float4(value[0], value[1], value[2], value[3]);
#pragma unroll
            for (int i = 0; i < COLUMNS; i++)
                if (!whole && at.x + i < p.width)
                    dst[i] = value[i];
        }
    }
}

/* Grid: x: groups of 128 * COLUMNS columns, y: groups of division.rows rows, z: views. */
extern "C" __global__ void __launch_bounds__(128)
    vrs_enlarge(const __grid_constant__ vrs_enlarge_params p)
{
    const vrs_enlarge_view &view = p.view[blockIdx.z];
    const vrs_enlarge_place at =
        place_of(p.source_width, p.source_height, p.width, p.height, p.division.rows);
    if (p.half && at.span() == 1)
        enlarge<1, __half>(p, view, at);
    else if (p.half)
        enlarge<3, __half>(p, view, at);
    else if (at.span() == 1)
        enlarge<1, float>(p, view, at);
    else
        enlarge<3, float>(p, view, at);
}
