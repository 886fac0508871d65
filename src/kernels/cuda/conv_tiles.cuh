/* What the convolutions by wgmma share: a block is a warpgroup that loads and two that multiply, 64
 * rows of a tile each, with a ring of stages between them. Of one stage: 128 pixels and `N` output
 * channels, 64 input channels of both, or 128 of 8-bit integers. */
#ifndef VRS_KERNELS_CUDA_CONV_TILES_CUH
#define VRS_KERNELS_CUDA_CONV_TILES_CUH

#include <cuda_fp16.h>

#include "hopper.cuh"
#include "params_conv.h"

#define VRS_TILE_THREADS 384
#define VRS_TILE_INPUT 16384 /* bytes of a stage's pixels */
#define VRS_TILE_STEP 128    /* bytes of a stage's channels */

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

template <int N, int STAGES> struct vrs_ring {
    static constexpr int WEIGHTS = N * VRS_TILE_STEP;
    static constexpr int STAGE = VRS_TILE_INPUT + WEIGHTS;
    static constexpr int BYTES = STAGES * STAGE;
    uint64_t *full, *empty; /* barriers of each stage */
    uint32_t memory;
    int stage;
    uint32_t parity;

    __device__ __forceinline__ vrs_ring(unsigned char *shared, uint64_t *barriers)
        : full(barriers), empty(barriers + STAGES), memory(vrs_shared(shared)), stage(0), parity(0)
    {
    }
    __device__ __forceinline__ void init(uint32_t consumers)
    {
        for (int i = 0; i < STAGES; i++) {
            vrs_barrier_init(&full[i], 1);
            vrs_barrier_init(&empty[i], consumers);
        }
    }
    __device__ __forceinline__ uint32_t input() const
    {
        return memory + stage * STAGE;
    }
    __device__ __forceinline__ uint32_t weights() const
    {
        return memory + stage * STAGE + VRS_TILE_INPUT;
    }
    __device__ __forceinline__ void next()
    {
        if (++stage == STAGES) {
            stage = 0;
            parity ^= 1;
        }
    }
};

template <typename SUM>
__device__ __forceinline__ void vrs_multiply(SUM (&sum)[128], uint64_t a, uint64_t b, int add)
{
    vrs_wgmma_256(sum, a, b, add);
}

template <typename SUM>
__device__ __forceinline__ void vrs_multiply(SUM (&sum)[64], uint64_t a, uint64_t b, int add)
{
    vrs_wgmma_128(sum, a, b, add);
}

/* The stage before the current one may be filled again, in all blocks of the cluster. */
template <int N, int STAGES, int CLUSTER>
__device__ __forceinline__ void vrs_ring_release(const vrs_ring<N, STAGES> &ring, int stage)
{
    if constexpr (CLUSTER == 1) {
        if (threadIdx.x % 128 == 0)
            vrs_barrier_arrive(&ring.empty[stage]);
    } else {
        if (threadIdx.x % 128 < CLUSTER)
            vrs_barrier_arrive_at(&ring.empty[stage], threadIdx.x % 128);
    }
}

/* Sum over `steps` stages of the 64 rows of warpgroup `group`: float of halves, int of 8-bit
 * integers. */
template <int N, int STAGES, int CLUSTER, typename SUM>
__device__ __forceinline__ void vrs_tile_multiply(vrs_ring<N, STAGES> &ring, int group, int steps,
                                                  SUM (&sum)[N / 2])
{
    int last = 0;
    for (int step = 0; step < steps; step++) {
        vrs_barrier_wait(&ring.full[ring.stage], ring.parity);
        const uint64_t a = vrs_descriptor_128(ring.input() + group * (VRS_TILE_INPUT / 2));
        const uint64_t b = vrs_descriptor_128(ring.weights());
        vrs_wgmma_pin(sum);
        vrs_wgmma_begin();
#pragma unroll
        for (int k = 0; k < 4; k++)
            vrs_multiply(sum, a + 2 * k, b + 2 * k, step != 0 || k != 0);
        vrs_wgmma_commit();
        if (step > 0) {
            vrs_wgmma_wait<1>();
            vrs_ring_release<N, STAGES, CLUSTER>(ring, last);
        }
        last = ring.stage;
        ring.next();
    }
    vrs_wgmma_wait<0>();
    vrs_wgmma_pin(sum);
    vrs_ring_release<N, STAGES, CLUSTER>(ring, last);
}

#endif
#endif
