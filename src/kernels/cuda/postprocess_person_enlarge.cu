/* Scores to masks of a larger size: the last enlarging of a network, its activation, smoothing and
 * sums in one launch for a batch of views. The enlarged scores, 4 bytes a class and pixel, are
 * never written; the small ones come from the caches, where four neighbouring rows of threads share
 * them.
 */
#include "postprocess_scores.cuh"
#include "postprocess_smooth.cuh"

#define COLUMNS 4
#define CHUNK 2 /* classes that are loaded together */

__device__ __forceinline__ float load_score(const float *p)
{
    return __ldg(p);
}

__device__ __forceinline__ float load_score(const __half *p)
{
    return __half2float(__ldg(p));
}

__device__ __forceinline__ float lerp(float a, float b, float weight)
{
    return __fadd_rn(a, __fmul_rn(__fsub_rn(b, a), weight));
}

/* Where the pixels of a thread lie in the scores: elements from a class's first. */
struct enlarging {
    int64_t upper, lower, left[COLUMNS], right[COLUMNS];
    float down, across[COLUMNS];

    /* `p` has the strides and the size of the result. */
    template <typename P>
    __device__ __forceinline__ enlarging(const P &p, int source_width, int source_height, int x,
                                         int y)
    {
        const vrs_tap row = vrs_tap_at(y, source_height, p.height);
        upper = row.index * p.row_stride;
        lower = min(row.index + 1, source_height - 1) * p.row_stride;
        down = (float)row.weight * (1.0f / 32768.0f);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const int column = min(x + i, p.width - 1); /* beyond the row: its last */
            const vrs_tap tap = vrs_tap_at(column, source_width, p.width);
            left[i] = tap.index * p.column_stride;
            right[i] = min(tap.index + 1, source_width - 1) * p.column_stride;
            across[i] = (float)tap.weight * (1.0f / 32768.0f);
        }
    }

    template <typename T> __device__ __forceinline__ float at(const T *plane, int i) const
    {
        const float above = lerp(load_score(plane + upper + left[i]),
                                 load_score(plane + upper + right[i]), across[i]);
        const float below = lerp(load_score(plane + lower + left[i]),
                                 load_score(plane + lower + right[i]), across[i]);
        return lerp(above, below, down);
    }
};

/* COUNT classes of COLUMNS pixels. */
template <int ACTIVATION, int COUNT, typename T>
__device__ __forceinline__ void take(const vrs_person_params &p, const enlarging &from,
                                     const T *scores, int first, vrs_score<ACTIVATION> *s)
{
    float value[COUNT][COLUMNS];
#pragma unroll
    for (int k = 0; k < COUNT; k++)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            value[k][i] = from.at(scores + (first + k) * p.class_stride, i);
    vrs_add_scores<ACTIVATION, COLUMNS, COUNT>(s, value, first, p.person_classes);
}

template <int ACTIVATION, typename T>
__device__ __forceinline__ void read(const vrs_person_params &p, const enlarging &from,
                                     const T *scores, int *q15)
{
    vrs_score<ACTIVATION> s[COLUMNS];
    int c = 0;
    if (vrs_takes_all<ACTIVATION>())
#pragma unroll 1
        for (; c + CHUNK <= p.classes; c += CHUNK)
            take<ACTIVATION, CHUNK>(p, from, scores, c, s);
#pragma unroll 1
    for (; c < p.classes; c++)
        if (vrs_takes_all<ACTIVATION>() || (p.person_classes >> c & 1) != 0)
            take<ACTIVATION, 1>(p, from, scores, c, s);
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        q15[i] = s[i].q15();
}

template <int ACTIVATION, typename T>
__device__ __forceinline__ void person(const vrs_person_enlarge_params &params)
{
    const vrs_person_params &p = params.person;
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * COLUMNS, y = blockIdx.y;
    const vrs_pixels<COLUMNS> at(x, y, p.width, p.width % COLUMNS == 0);
    const enlarging from(p, params.source_width, params.source_height, x, y);
    int v = p.chain[blockIdx.z];
    vrs_past<COLUMNS> past(p.view[v].smooth, at);
    for (; v >= 0; v = p.view[v].smooth.next) {
        int q15[COLUMNS];
        read<ACTIVATION>(p, from, vrs_at<const T>(p.view[v].scores), q15);
        past.finish(p.view[v].smooth, p.view[v].mask, p.weight, at, q15);
    }
}

template <typename T>
__device__ __forceinline__ void person_any(const vrs_person_enlarge_params &params)
{
    const int activation = params.person.activation;
    if (activation == ACTIVATION_SOFTMAX)
        person<ACTIVATION_SOFTMAX, T>(params);
    else if (activation == ACTIVATION_ARGMAX)
        person<ACTIVATION_ARGMAX, T>(params);
    else if (activation == ACTIVATION_SIGMOID)
        person<ACTIVATION_SIGMOID, T>(params);
    else
        person<ACTIVATION_NONE, T>(params);
}

/* Grid: x: groups of 128 * COLUMNS columns, y: rows, z: chains. */
extern "C" __global__ void __launch_bounds__(128)
    vrs_person_enlarge(const __grid_constant__ vrs_person_enlarge_params p)
{
    if (p.person.half)
        person_any<__half>(p);
    else
        person_any<float>(p);
}

template <typename T>
__device__ __forceinline__ void enlarge(const vrs_enlarge_params &p, const vrs_enlarge_view &view)
{
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * COLUMNS, y = blockIdx.y;
    const enlarging from(p, p.source_width, p.source_height, x, y);
    float *dst = vrs_at<float>(view.dst) + (int64_t)y * p.width;
#pragma unroll 1
    for (int c = 0; c < p.classes; c++, dst += (int64_t)p.width * p.height)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            if (x + i < p.width)
                dst[x + i] = from.at(vrs_at<const T>(view.scores) + c * p.class_stride, i);
}

/* Grid: x: groups of 128 * COLUMNS columns, y: rows, z: views. */
extern "C" __global__ void __launch_bounds__(128)
    vrs_enlarge(const __grid_constant__ vrs_enlarge_params p)
{
    if (p.half)
        enlarge<__half>(p, p.view[blockIdx.z]);
    else
        enlarge<float>(p, p.view[blockIdx.z]);
}
