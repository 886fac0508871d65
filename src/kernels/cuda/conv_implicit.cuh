/* A convolution as an implicit matrix product: what the kernels share that take any convolution. A
 * block of 256 threads makes `TILE` pixels of the result by as many channels; taps that fall
 * outside of the picture for all of its pixels are left out. */
#ifndef VRS_KERNELS_CUDA_CONV_IMPLICIT_CUH
#define VRS_KERNELS_CUDA_CONV_IMPLICIT_CUH

#include <stdint.h>

#include "params_conv.h"

#define VRS_IMPLICIT_THREADS 256
#define VRS_IMPLICIT_TAPS 1024

/* Where a row of a tile's pixels lies; n < 0: behind the last. */
struct vrs_pixel {
    int n, y, x; /* of the first tap in the input */
};

template <int TILE> __device__ __forceinline__ int vrs_first_pixel(const vrs_conv_params &p)
{
    return blockIdx.x / ((p.k + TILE - 1) / TILE) * TILE;
}

template <int TILE> __device__ __forceinline__ int vrs_first_channel(const vrs_conv_params &p)
{
    return blockIdx.x % ((p.k + TILE - 1) / TILE) * TILE;
}

template <int TILE>
__device__ __forceinline__ vrs_pixel vrs_pixel_at(const vrs_conv_params &p, int row)
{
    const int at = vrs_first_pixel<TILE>(p) + row, area = p.out_h * p.out_w;
    const int n = at / area, rest = at - n * area;
    return {n < p.n ? n : -1, rest / p.out_w * p.stride[0] - p.pad[0],
            rest % p.out_w * p.stride[1] - p.pad[1]};
}

__device__ __forceinline__ bool vrs_is_inside(const vrs_conv_params &p, const vrs_pixel &at, int dy,
                                              int dx)
{
    return at.n >= 0 && (unsigned)(at.y + dy) < (unsigned)p.h &&
           (unsigned)(at.x + dx) < (unsigned)p.w;
}

/* Which part of the sum is loaded next. */
struct vrs_position {
    int tap, channel;
};

__device__ __forceinline__ int vrs_next_tap(const uint32_t *alive, int tap, int taps)
{
    do
        tap++;
    while (tap < taps && (alive[tap >> 5] >> (tap & 31) & 1) == 0);
    return tap;
}

/* Finds the taps that meet the picture; returns how many. */
template <int TILE>
__device__ __forceinline__ int vrs_find_taps(const vrs_conv_params &p, uint32_t *alive)
{
    const int taps = p.r * p.s;
    for (int i = threadIdx.x; i < VRS_IMPLICIT_TAPS / 32; i += VRS_IMPLICIT_THREADS)
        alive[i] = 0;
    __syncthreads();
    if (threadIdx.x < TILE) {
        const vrs_pixel at = vrs_pixel_at<TILE>(p, threadIdx.x);
        for (int tap = 0; tap < taps; tap++) {
            const bool inside =
                vrs_is_inside(p, at, tap / p.s * p.dilation[0], tap % p.s * p.dilation[1]);
            if (__any_sync(~0U, inside) && threadIdx.x % 32 == 0)
                atomicOr(&alive[tap >> 5], 1U << (tap & 31));
        }
    }
    __syncthreads();
    int count = 0;
    for (int i = 0; i < (taps + 31) / 32; i++)
        count += __popc(alive[i]);
    return count;
}

#endif
