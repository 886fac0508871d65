/* Scores to masks for any strides, and masks of one size to another; both smoothed over time and
 * summed, for a batch of views in one launch. Where scores lie without gaps, vrs_person_planes and
 * vrs_person_pixels are faster. */
#include "postprocess_scores.cuh"
#include "postprocess_smooth.cuh"

#define COLUMNS 4
#define CHUNK 4 /* classes that are loaded together */

__device__ __forceinline__ float load_score(const float *p)
{
    return __ldg(p);
}

__device__ __forceinline__ float load_score(const __half *p)
{
    return __half2float(__ldg(p));
}

/* COUNT classes of COLUMNS pixels; those beyond the row repeat its last. */
template <int ACTIVATION, int COUNT, typename T>
__device__ __forceinline__ void take(const vrs_person_params &p, const T *row, int x, int first,
                                     vrs_score<ACTIVATION> *s)
{
    float value[COUNT][COLUMNS];
#pragma unroll
    for (int k = 0; k < COUNT; k++) {
        const T *at = row + (first + k) * p.class_stride;
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            value[k][i] = load_score(at + min(x + i, p.width - 1) * p.column_stride);
    }
    vrs_add_scores<ACTIVATION, COLUMNS, COUNT>(s, value, first, p.person_classes);
}

template <int ACTIVATION, typename T>
__device__ __forceinline__ void read(const vrs_person_params &p, const T *row, int x, int *q15)
{
    vrs_score<ACTIVATION> s[COLUMNS];
    int c = 0;
    if (vrs_takes_all<ACTIVATION>())
#pragma unroll 1
        for (; c + CHUNK <= p.classes; c += CHUNK)
            take<ACTIVATION, CHUNK>(p, row, x, c, s);
#pragma unroll 1
    for (; c < p.classes; c++)
        if (vrs_takes_all<ACTIVATION>() || (p.person_classes >> c & 1) != 0)
            take<ACTIVATION, 1>(p, row, x, c, s);
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        q15[i] = s[i].q15();
}

template <int ACTIVATION, typename T>
__device__ __forceinline__ void person(const vrs_person_params &p)
{
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * COLUMNS, y = blockIdx.y;
    const vrs_pixels<COLUMNS> at(x, y, p.width, p.width % COLUMNS == 0);
    int v = p.chain[blockIdx.z];
    vrs_past<COLUMNS> past(p.view[v].smooth, at);
    for (; v >= 0; v = p.view[v].smooth.next) {
        int q15[COLUMNS];
        read<ACTIVATION>(p, vrs_at<const T>(p.view[v].scores) + y * p.row_stride, x, q15);
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

/* Bytes: the source once and the mask once, from 256x256 to 512x512 and 8 views 5.2 MB, 1.2 us. */
extern "C" __global__ void __launch_bounds__(128)
    vrs_mask_resize(const __grid_constant__ vrs_mask_resize_params p)
{
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * COLUMNS, y = blockIdx.y;
    const vrs_tap row = vrs_tap_at(y, p.source_height, p.height);
    const int below = min(row.index + 1, p.source_height - 1);
    vrs_tap column[COLUMNS];
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        column[i] = vrs_tap_at(min(x + i, p.width - 1), p.source_width, p.width);
    const vrs_pixels<COLUMNS> at(x, y, p.width, p.width % COLUMNS == 0);
    int v = p.chain[blockIdx.z];
    vrs_past<COLUMNS> past(p.view[v].smooth, at);
    for (; v >= 0; v = p.view[v].smooth.next) {
        const int16_t *upper =
            vrs_at<const int16_t>(p.view[v].source) + row.index * p.source_stride;
        const int16_t *lower = vrs_at<const int16_t>(p.view[v].source) + below * p.source_stride;
        int q15[COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const int left = column[i].index, right = min(left + 1, p.source_width - 1);
            const int a = vrs_lerp_q15(upper[left], upper[right], column[i].weight);
            const int b = vrs_lerp_q15(lower[left], lower[right], column[i].weight);
            q15[i] = vrs_lerp_q15(a, b, row.weight);
        }
        past.finish(p.view[v].smooth, p.view[v].mask, p.weight, at, q15);
    }
}
