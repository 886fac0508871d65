/* Hopper's tensor cores, copy engine and barriers in shared memory, for kernels of sm_90a alone.
 * The instructions are those of the PTX ISA 9.0, sections on wgmma, cp.async.bulk and mbarrier.
 *
 * An operand of wgmma in shared memory is told by a descriptor: its address, and the distances of
 * its core matrices of 8 rows of 16 bytes, all in units of 16 bytes. */
#ifndef VRS_KERNELS_CUDA_HOPPER_CUH
#define VRS_KERNELS_CUDA_HOPPER_CUH

#include <stdint.h>

__device__ __forceinline__ uint32_t vrs_shared(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

/* Rows of 128 bytes, whose 16-byte parts are exchanged by the copy engine: place ^ (row % 8). The
 * operand begins at a multiple of 1024 bytes, or 32, 64 or 96 behind it. */
__device__ __forceinline__ uint64_t vrs_descriptor_128(uint32_t address)
{
    return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)1 << 16 | (uint64_t)64 << 32 |
           (uint64_t)1 << 62;
}

/* Rows of 16 bytes without gaps, each two halves of K `plane` bytes apart. */
__device__ __forceinline__ uint64_t vrs_descriptor_planes(uint32_t address, uint32_t plane)
{
    return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(plane >> 4) << 16 | (uint64_t)8 << 32;
}

__device__ __forceinline__ void vrs_wgmma_begin()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void vrs_wgmma_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/* Until at most PENDING of the committed groups run. */
template <int PENDING> __device__ __forceinline__ void vrs_wgmma_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
}

/* Keeps the compiler from moving accesses of an accumulator over this place. */
template <int N> __device__ __forceinline__ void vrs_wgmma_pin(float (&d)[N])
{
#pragma unroll
    for (int i = 0; i < N; i++)
        asm volatile("" : "+f"(d[i])::"memory");
}

template <int N> __device__ __forceinline__ void vrs_wgmma_pin(int (&d)[N])
{
#pragma unroll
    for (int i = 0; i < N; i++)
        asm volatile("" : "+r"(d[i])::"memory");
}

/* `in`: "+f" of floats, "+r" of integers. */
#define VRS_ACC4(in, i) in(d[i]), in(d[i + 1]), in(d[i + 2]), in(d[i + 3])
#define VRS_ACC8(in, i) VRS_ACC4(in, i), VRS_ACC4(in, i + 4)
#define VRS_ACC64(in, i)                                                              \
    VRS_ACC8(in, i), VRS_ACC8(in, i + 8), VRS_ACC8(in, i + 16), VRS_ACC8(in, i + 24), \
        VRS_ACC8(in, i + 32), VRS_ACC8(in, i + 40), VRS_ACC8(in, i + 48), VRS_ACC8(in, i + 56)
/* Their numbers: the first 64, and the next. */
#define VRS_LIST64                                                                     \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "           \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define VRS_LIST128                                                                                \
    "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "             \
    "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "             \
    "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
    "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, "   \
    "%127"

/* d = a * b, plus d where `add`: 64 rows of a (each warp 16 of them), N rows of b, 16 of K. */
__device__ __forceinline__ void vrs_wgmma_256(float (&d)[128], uint64_t a, uint64_t b, int add)
{
    asm volatile("{\n\t"
                 ".reg .pred p;\n\t"
                 "setp.ne.b32 p, %130, 0;\n\t"
                 "wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16 "
                 "{" VRS_LIST64 ", " VRS_LIST128 "}, "
                 "%128, %129, p, 1, 1, 0, 0;\n\t"
                 "}\n"
                 : VRS_ACC64("+f", 0), VRS_ACC64("+f", 64)
                 : "l"(a), "l"(b), "r"(add));
}

__device__ __forceinline__ void vrs_wgmma_128(float (&d)[64], uint64_t a, uint64_t b, int add)
{
    asm volatile("{\n\t"
                 ".reg .pred p;\n\t"
                 "setp.ne.b32 p, %66, 0;\n\t"
                 "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 "
                 "{" VRS_LIST64 "}, "
                 "%64, %65, p, 1, 1, 0, 0;\n\t"
                 "}\n"
                 : VRS_ACC64("+f", 0)
                 : "l"(a), "l"(b), "r"(add));
}

__device__ __forceinline__ void vrs_wgmma_256_registers(float (&d)[128], const uint32_t (&a)[4],
                                                        uint64_t b, int add)
{
    asm volatile("{\n\t"
                 ".reg .pred p;\n\t"
                 "setp.ne.b32 p, %133, 0;\n\t"
                 "wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16 "
                 "{" VRS_LIST64 ", " VRS_LIST128 "}, "
                 "{%128, %129, %130, %131}, %132, p, 1, 1, 0;\n\t"
                 "}\n"
                 : VRS_ACC64("+f", 0), VRS_ACC64("+f", 64)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}

/* The same of 8-bit integers: 32 of K, sums of 32 bits. */
__device__ __forceinline__ void vrs_wgmma_256(int (&d)[128], uint64_t a, uint64_t b, int add)
{
    asm volatile("{\n\t"
                 ".reg .pred p;\n\t"
                 "setp.ne.b32 p, %130, 0;\n\t"
                 "wgmma.mma_async.sync.aligned.m64n256k32.s32.s8.s8 "
                 "{" VRS_LIST64 ", " VRS_LIST128 "}, "
                 "%128, %129, p;\n\t"
                 "}\n"
                 : VRS_ACC64("+r", 0), VRS_ACC64("+r", 64)
                 : "l"(a), "l"(b), "r"(add));
}

__device__ __forceinline__ void vrs_wgmma_128(int (&d)[64], uint64_t a, uint64_t b, int add)
{
    asm volatile("{\n\t"
                 ".reg .pred p;\n\t"
                 "setp.ne.b32 p, %66, 0;\n\t"
                 "wgmma.mma_async.sync.aligned.m64n128k32.s32.s8.s8 "
                 "{" VRS_LIST64 "}, "
                 "%64, %65, p;\n\t"
                 "}\n"
                 : VRS_ACC64("+r", 0)
                 : "l"(a), "l"(b), "r"(add));
}

#undef VRS_LIST128
#undef VRS_LIST64
#undef VRS_ACC64
#undef VRS_ACC8
#undef VRS_ACC4

/* --- Barriers ---------------------------------------------------------------------------------
 */

__device__ __forceinline__ void vrs_barrier_init(uint64_t *barrier, uint32_t arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(vrs_shared(barrier)), "r"(arrivals)
                 : "memory");
}

/* Makes initialised barriers known to the copy engine and to the cluster. */
__device__ __forceinline__ void vrs_barrier_publish()
{
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void vrs_barrier_arrive(uint64_t *barrier)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(vrs_shared(barrier)) : "memory");
}

/* Arrives at the same barrier of block `rank` of the cluster. */
__device__ __forceinline__ void vrs_barrier_arrive_at(uint64_t *barrier, uint32_t rank)
{
    asm volatile("{\n\t"
                 ".reg .b32 there;\n\t"
                 "mapa.shared::cluster.u32 there, %0, %1;\n\t"
                 "mbarrier.arrive.shared::cluster.b64 _, [there];\n\t"
                 "}\n" ::"r"(vrs_shared(barrier)),
                 "r"(rank)
                 : "memory");
}

/* Arrives, and lets the barrier wait for `bytes` of the copy engine. */
__device__ __forceinline__ void vrs_barrier_expect(uint64_t *barrier, uint32_t bytes)
{
    asm volatile(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(vrs_shared(barrier)),
        "r"(bytes)
        : "memory");
}

/* Until the phase of this parity is over. */
__device__ __forceinline__ void vrs_barrier_wait(uint64_t *barrier, uint32_t parity)
{
    asm volatile("{\n\t"
                 ".reg .pred done;\n\t"
                 "again:\n\t"
                 "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n\t"
                 "@done bra over;\n\t"
                 "bra again;\n\t"
                 "over:\n\t"
                 "}\n" ::"r"(vrs_shared(barrier)),
                 "r"(parity)
                 : "memory");
}

/* Ordinary writes to shared memory before, the copy engine or the tensor cores after. */
__device__ __forceinline__ void vrs_fence_async()
{
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

__device__ __forceinline__ void vrs_cluster_sync()
{
    asm volatile("barrier.cluster.arrive.release;\n\t"
                 "barrier.cluster.wait.acquire;" ::
                     : "memory");
}

__device__ __forceinline__ uint32_t vrs_cluster_rank()
{
    uint32_t rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}

/* --- The copy engine --------------------------------------------------------------------------
 */

__device__ __forceinline__ void vrs_map_prefetch(const uint64_t *map)
{
    asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

__device__ __forceinline__ void vrs_load_2d(uint32_t to, const uint64_t *map, uint64_t *barrier,
                                            int x, int y)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%3, %4}], [%2];" ::"r"(to),
                 "l"(map), "r"(vrs_shared(barrier)), "r"(x), "r"(y)
                 : "memory");
}

/* The same into all blocks of the cluster whose bit in `blocks` is set. */
__device__ __forceinline__ void vrs_load_2d_all(uint32_t to, const uint64_t *map, uint64_t *barrier,
                                                int x, int y, uint16_t blocks)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
                 ".multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(to),
                 "l"(map), "r"(vrs_shared(barrier)), "r"(x), "r"(y), "h"(blocks)
                 : "memory");
}

__device__ __forceinline__ void vrs_load_4d(uint32_t to, const uint64_t *map, uint64_t *barrier,
                                            int x, int y, int z, int w)
{
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(to),
                 "l"(map), "r"(vrs_shared(barrier)), "r"(x), "r"(y), "r"(z), "r"(w)
                 : "memory");
}

__device__ __forceinline__ void vrs_store_2d(const uint64_t *map, uint32_t from, int x, int y)
{
    asm volatile(
        "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(map),
        "r"(from), "r"(x), "r"(y)
        : "memory");
}

__device__ __forceinline__ void vrs_store_commit()
{
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}

/* Until the shared memory of all stores of this thread has been read. */
__device__ __forceinline__ void vrs_store_wait_read()
{
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}

/* Until all stores of this thread are done. */
__device__ __forceinline__ void vrs_store_wait()
{
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}

/* Registers of a thread, from now on, of the whole warpgroup. */
template <int COUNT> __device__ __forceinline__ void vrs_registers_more()
{
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT));
}

template <int COUNT> __device__ __forceinline__ void vrs_registers_less()
{
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT));
}

#endif
#endif
