/* A network's scores to masks where the rows of a class come in whole vectors (NCHW), smoothed over
 * time and summed, for a batch of views in one launch.
 *
 * Bytes: scores once, the mask once, with smoothing the state twice. 512x512, 8 views: one class in
 * FP16 8.4 MB, 2.0 us at 4.3 TB/s (with smoothing 16.8 MB, 3.9 us); 21 classes in FP16 92 MB,
 * 21.5 us, where the 44 M exponentials need 11 us of the special function units and the other
 * instructions of a class, about 5, 8 us: memory is the limit if enough loads are in flight, so a
 * thread has CHUNK classes of 8 pixels on their way. */
#include "postprocess_scores.cuh"
#include "postprocess_smooth.cuh"

#define N 8
#define THREADS 128
#define CHUNK 4

/* N scores as they are stored. */
template <typename T> struct vector;

template <> struct vector<__half> {
    uint4 word;

    __device__ __forceinline__ void load(const __half *p)
    {
        word = __ldg(reinterpret_cast<const uint4 *>(p));
    }

    __device__ __forceinline__ void get(float *value) const
    {
        const __half2 *pair = reinterpret_cast<const __half2 *>(&word);
#pragma unroll
        for (int i = 0; i < N / 2; i++) {
            const float2 both = __half22float2(pair[i]);
            value[2 * i] = both.x;
            value[2 * i + 1] = both.y;
        }
    }
};

template <> struct vector<float> {
    float4 low, high;

    __device__ __forceinline__ void load(const float *p)
    {
        low = __ldg(reinterpret_cast<const float4 *>(p));
        high = __ldg(reinterpret_cast<const float4 *>(p) + 1);
    }

    __device__ __forceinline__ void get(float *value) const
    {
        const float all[N] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
        for (int i = 0; i < N; i++)
            value[i] = all[i];
    }
};

/* A thread's pixels. */
template <typename T> struct pixels {
    const T *at; /* of the first class */
    int64_t class_stride;

    template <int COUNT> __device__ __forceinline__ void load(int first, float (*value)[N]) const
    {
        vector<T> stored[COUNT];
#pragma unroll
        for (int k = 0; k < COUNT; k++)
            stored[k].load(at + (first + k) * class_stride);
#pragma unroll
        for (int k = 0; k < COUNT; k++)
            stored[k].get(value[k]);
    }
};

template <int ACTIVATION, typename T>
__device__ __forceinline__ void person(const vrs_person_params &p)
{
    const unsigned group = blockIdx.x * THREADS + threadIdx.x;
    const int y = (int)(__umulhi(group, p.row_factor) >> p.row_shift);
    const int x = ((int)group - y * (p.width / N)) * N;
    const bool inside = y < p.height;
    const vrs_pixels<N> at(inside ? x : p.width, inside ? y : 0, p.width, true);
    const int64_t from = inside ? y * p.row_stride + x : 0;
    int v = p.chain[blockIdx.z];
    vrs_past<N> past(p.view[v].smooth, at);
    for (; v >= 0; v = p.view[v].smooth.next) {
        int q15[N];
        const pixels<T> scores = {vrs_at<const T>(p.view[v].scores) + from, p.class_stride};
        vrs_read_scores<ACTIVATION, N, CHUNK>(scores, p.classes, p.person_classes, q15);
        past.finish(p.view[v].smooth, p.view[v].mask, p.weight, at, q15);
    }
}

template <typename T> __device__ __forceinline__ void person_any(const vrs_person_params &p)
{
    if (p.activation == ACTIVATION_ARGMAX)
        person<ACTIVATION_ARGMAX, T>(p);
    else if (p.activation == ACTIVATION_SIGMOID)
        person<ACTIVATION_SIGMOID, T>(p);
    else
        person<ACTIVATION_NONE, T>(p);
}

/* All but softmax. Grid: x: THREADS groups of N pixels, row after row, z: chains. */
extern "C" __global__ void __launch_bounds__(THREADS, 8)
    vrs_person_planes(const __grid_constant__ vrs_person_params p)
{
    if (p.half)
        person_any<__half>(p);
    else
        person_any<float>(p);
}

/* Softmax has more to keep, so that fewer threads fit. */
extern "C" __global__ void __launch_bounds__(THREADS, 5)
    vrs_person_softmax(const __grid_constant__ vrs_person_params p)
{
    if (p.half)
        person<ACTIVATION_SOFTMAX, __half>(p);
    else
        person<ACTIVATION_SOFTMAX, float>(p);
}
