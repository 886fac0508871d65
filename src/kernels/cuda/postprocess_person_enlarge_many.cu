/* Scores to masks of a larger size, as vrs_person_enlarge does, for many classes: what is made
 * across a row of the source serves all rows of the result between it and the next.
 *
 * Bytes: scores once, 2 a pixel out; 128x128x21 in FP16 to 512x512, 8 views: 9.7 MB, 3.2 us at
 * 3.03 TB/s. Instructions are the limit: at a pixel about 9 a class, in softmax 16, and 190
 * besides: 28 and 38 us at full rate. */
#include "postprocess_enlarge.cuh"
#include "postprocess_scores.cuh"
#include "postprocess_smooth.cuh"

#define CHUNK 4 /* classes that are loaded together */
#define ROWS 4  /* of a thread: where it enlarges by 4, all of them */

/* A thread's enlarged pixels. */
template <typename T> struct pixels {
    const vrs_enlarge_pixels<float, ROWS> &place;
    const T *scores;
    int64_t class_stride;

    template <int COUNT> __device__ __forceinline__ void load(int first, float (*value)[ROWS]) const
    {
#pragma unroll
        for (int k = 0; k < COUNT; k++)
            place.get(scores + (first + k) * class_stride, value[k]);
    }
};

template <int ACTIVATION, typename T>
__device__ __forceinline__ void person(const vrs_person_enlarge_params &params,
                                       vrs_enlarge_place at, int end)
{
    const vrs_person_params &p = params.person;
#pragma unroll 1
    for (; at.y < end; at.y += ROWS) {
        const vrs_enlarge_pixels<float, ROWS> place(at, params.division, (int)blockIdx.y, end,
                                                    p.row_stride, (int)p.column_stride);
        int v = p.chain[blockIdx.z];
        vrs_enlarge_past<1, ROWS> past(p.view[v].smooth, at, end);
        for (; v >= 0; v = p.view[v].smooth.next) {
            int q15[ROWS];
            const pixels<T> scores = {place, vrs_at<const T>(p.view[v].scores), p.class_stride};
            vrs_read_scores<ACTIVATION, ROWS, CHUNK>(scores, p.classes, p.person_classes, q15);
            past.finish(p.view[v].smooth, p.view[v].mask, p.weight, q15);
        }
    }
}

template <typename T>
__device__ __forceinline__ void person_any(const vrs_person_enlarge_params &params,
                                           const vrs_enlarge_place &at, int end)
{
    const int activation = params.person.activation;
    if (activation == ACTIVATION_SOFTMAX)
        person<ACTIVATION_SOFTMAX, T>(params, at, end);
    else if (activation == ACTIVATION_ARGMAX)
        person<ACTIVATION_ARGMAX, T>(params, at, end);
    else if (activation == ACTIVATION_SIGMOID)
        person<ACTIVATION_SIGMOID, T>(params, at, end);
    else
        person<ACTIVATION_NONE, T>(params, at, end);
}

/* Grid: x: groups of 128 columns, y: rows of the source, z: chains. A block takes the rows that lie
 * between one of the source and the next. */
extern "C" __global__ void __launch_bounds__(128, 8)
    vrs_person_enlarge_many(const __grid_constant__ vrs_person_enlarge_params p)
{
    const vrs_enlarge_span span(p.division, (int)blockIdx.y, p.source_height, p.person.height);
    const vrs_enlarge_place at = {make_int2(p.source_width, p.source_height),
                                  make_int2(p.person.width, p.person.height),
                                  (int)(blockIdx.x * blockDim.x + threadIdx.x), span.first};
    if (p.person.half)
        person_any<__half>(p, at, span.end);
    else
        person_any<float>(p, at, span.end);
}
