/* A network's scores to masks where the classes of a pixel lie together and pixels without gaps
 * (NHWC), smoothed over time and summed, for a batch of views in one launch.
 *
 * Bytes as in postprocess_person_planes.cu: 512x512x21 in FP16, 8 views: 92 MB, 21.5 us. A block's
 * part of a view is one piece of memory, which goes through shared memory in whole lines; a thread
 * then takes its two from there, class by class: an access, a conversion and what planes need,
 * about 10 instructions a class, 13 us at full rate. */
#include "postprocess_scores.cuh"
#include "postprocess_smooth.cuh"

#define THREADS 128
#define EACH 2 /* pixels of a thread, THREADS apart */
#define PIXELS (EACH * THREADS)
#define CHUNK 8

/* `bytes` from `from` on, both aligned to 16; the last ones one by one. */
__device__ __forceinline__ void copy(const uint8_t *from, int bytes, uint8_t *to)
{
    for (int i = threadIdx.x * 16; i + 16 <= bytes; i += THREADS * 16)
        vrs_copy_ahead<16>(to + i, from + i);
    for (int i = bytes / 16 * 16 + threadIdx.x * 2; i < bytes; i += THREADS * 2)
        *reinterpret_cast<uint16_t *>(to + i) = *reinterpret_cast<const uint16_t *>(from + i);
    vrs_copy_wait();
}

/* A thread's pixels, which lie in shared memory. */
template <typename T> struct pixels {
    const T *at[EACH];

    template <int COUNT> __device__ __forceinline__ void load(int first, float (*value)[EACH]) const
    {
#pragma unroll
        for (int k = 0; k < COUNT; k++)
#pragma unroll
            for (int i = 0; i < EACH; i++)
                value[k][i] = (float)at[i][first + k];
    }
};

/* Where pixel `pixel` of the view is; nowhere, if it is not inside. */
__device__ __forceinline__ vrs_pixels<1> pixel_at(const vrs_person_params &p, int pixel)
{
    const int y = (int)(__umulhi((unsigned)pixel, p.row_factor) >> p.row_shift);
    const bool inside = y < p.height;
    return vrs_pixels<1>(inside ? pixel - y * p.width : p.width, inside ? y : 0, p.width, true);
}

template <int ACTIVATION, typename T>
__device__ __forceinline__ void person(const vrs_person_params &p, uint8_t *stage)
{
    const int first = blockIdx.x * PIXELS, count = min(PIXELS, p.width * p.height - first);
    const int bytes = p.classes * (int)sizeof(T);
    int v = p.chain[blockIdx.z];
    const vrs_pixels<1> at[EACH] = {pixel_at(p, first + threadIdx.x),
                                    pixel_at(p, first + THREADS + threadIdx.x)};
    vrs_past<1> past[EACH] = {{p.view[v].smooth, at[0]}, {p.view[v].smooth, at[1]}};
    pixels<T> scores;
#pragma unroll
    for (int i = 0; i < EACH; i++) /* beyond the end the last one again, for nothing */
        scores.at[i] = reinterpret_cast<const T *>(stage) +
                       min(i * THREADS + (int)threadIdx.x, count - 1) * p.classes;
    for (; v >= 0; v = p.view[v].smooth.next) {
        int q15[EACH][1];
        __syncthreads(); /* the last view's pixels are read */
        copy(vrs_at<const uint8_t>(p.view[v].scores) + (int64_t)first * bytes, count * bytes,
             stage);
        __syncthreads();
        vrs_read_scores<ACTIVATION, EACH, CHUNK>(scores, p.classes, p.person_classes, q15[0]);
#pragma unroll
        for (int i = 0; i < EACH; i++)
            past[i].finish(p.view[v].smooth, p.view[v].mask, p.weight, at[i], q15[i]);
    }
}

template <typename T>
__device__ __forceinline__ void person_any(const vrs_person_params &p, uint8_t *stage)
{
    if (p.activation == ACTIVATION_SOFTMAX)
        person<ACTIVATION_SOFTMAX, T>(p, stage);
    else if (p.activation == ACTIVATION_ARGMAX)
        person<ACTIVATION_ARGMAX, T>(p, stage);
    else if (p.activation == ACTIVATION_SIGMOID)
        person<ACTIVATION_SIGMOID, T>(p, stage);
    else
        person<ACTIVATION_NONE, T>(p, stage);
}

/* Grid: x: PIXELS pixels, row after row, z: chains. */
extern "C" __global__ void __launch_bounds__(THREADS)
    vrs_person_pixels(const __grid_constant__ vrs_person_params p)
{
    extern __shared__ __align__(16) uint8_t stage[];
    if (p.half)
        person_any<__half>(p, stage);
    else
        person_any<float>(p, stage);
}
