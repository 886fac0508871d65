/* What the postprocess kernels share: Q15 on the float units, places of up-sampling. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_CUH
#define VRS_KERNELS_CUDA_POSTPROCESS_CUH

#include "params_postprocess.h"

#define VRS_Q15_ONE 32767

/* An alpha is kept as float in units of 1: q15 / 32768, exactly. Adding 256 puts q15 into the low
 * bits of the word. */
#define VRS_ALPHA_BASE 256.0f
#define VRS_ALPHA_ONE (32767.0f / 32768.0f)

template <typename T> __device__ __forceinline__ T *vrs_at(uint64_t address)
{
    return reinterpret_cast<T *>(address);
}

__device__ __forceinline__ float vrs_alpha_of(int q15)
{
    return __int_as_float(0x43800000 | q15) - VRS_ALPHA_BASE;
}

__device__ __forceinline__ int vrs_q15_of(float alpha)
{
    return __float_as_int(alpha + VRS_ALPHA_BASE) & 0x7fff;
}

/* A probability, any float, to alpha: NaN gives 0. */
__device__ __forceinline__ float vrs_alpha_round(float p)
{
    return __fmaf_rn(__saturatef(p), VRS_ALPHA_ONE, VRS_ALPHA_BASE) - VRS_ALPHA_BASE;
}

__device__ __forceinline__ int vrs_lerp_q15(int a, int b, int weight)
{
    return (a * 32768 + (b - a) * weight + 16384) >> 15;
}

/* 2^x, two units in the last place, tiny results as 0. */
#if defined(__CUDA_ARCH__)
__device__ __forceinline__ float vrs_exp2(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
#else
__device__ __forceinline__ float vrs_exp2(float x)
{
    return exp2f(x);
}
#endif

/* 1 / x, one unit in the last place. */
#if defined(__CUDA_ARCH__)
__device__ __forceinline__ float vrs_reciprocal(float x)
{
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
#else
__device__ __forceinline__ float vrs_reciprocal(float x)
{
    return 1 / x;
}
#endif

/* How many of the rows (columns) at most `radius` from one lie inside; 0 and less where that one
 * lies far out. */
__device__ __forceinline__ int vrs_window_count(int at, int size, int radius)
{
    return min(at + radius, size - 1) - max(at - radius, 0) + 1;
}

struct vrs_tap {
    int index, weight;
};

/* Left neighbour and weight of the right one for sample x of `count`, as vrs_upsample_init() makes
 * them. With sides of at most 32768 all of it fits 32 bits. */
__device__ __forceinline__ vrs_tap vrs_tap_at(int x, int source, int count)
{
    const unsigned step = 2u * (unsigned)count;
    const int position = min(max((2 * x + 1) * source - count, 0), (int)step * (source - 1));
    unsigned left = (unsigned)position / step;
    unsigned fraction = (((unsigned)position - left * step) * 32768u + (unsigned)count) / step;
    if (fraction == 32768u) {
        left++;
        fraction = 0;
    }
    return {(int)left, (int)fraction};
}

/* The same with divisions by multiplication: factor and shift are of 2 * count. */
__device__ __forceinline__ vrs_tap vrs_tap_by(int x, int source, int count, unsigned factor,
                                              int shift)
{
    const unsigned step = 2u * (unsigned)count;
    const int position = min(max((2 * x + 1) * source - count, 0), (int)step * (source - 1));
    unsigned left = __umulhi((unsigned)position, factor) >> shift;
    const unsigned rest = (unsigned)position - left * step;
    unsigned fraction = __umulhi(rest * 32768u + (unsigned)count, factor) >> shift;
    if (fraction == 32768u) {
        left++;
        fraction = 0;
    }
    return {(int)left, (int)fraction};
}

/* Copies of 4, 8 or 16 bytes from global to shared memory that are on their way while the thread
 * works on, until it waits for all of them; its own copies are then there for itself. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
template <int BYTES> __device__ __forceinline__ void vrs_copy_ahead(void *to, const void *from)
{
    const unsigned place = (unsigned)__cvta_generic_to_shared(to);
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(place), "l"(from), "n"(BYTES)
                 : "memory");
}

__device__ __forceinline__ void vrs_copy_wait()
{
    asm volatile("cp.async.wait_all;" ::: "memory");
}
#else
template <int BYTES> __device__ __forceinline__ void vrs_copy_ahead(void *to, const void *from)
{
#pragma unroll
    for (int i = 0; i < BYTES / 4; i++)
        static_cast<uint32_t *>(to)[i] = __ldg(static_cast<const uint32_t *>(from) + i);
}

__device__ __forceinline__ void vrs_copy_wait()
{
}
#endif

#endif
