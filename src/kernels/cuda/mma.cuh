/* Tensor cores by mma.sync, matrices between registers and shared memory, and copies ahead, for
 * every architecture from 7.5 on. */
#ifndef VRS_KERNELS_CUDA_MMA_CUH
#define VRS_KERNELS_CUDA_MMA_CUH

#include <cuda_fp16.h>
#include <stdint.h>

/* Four matrices of 8x8 halves; a lane gives the address of row lane % 8 of matrix lane / 8. */
__device__ __forceinline__ void vrs_matrix_load_4(uint32_t address, uint32_t (&r)[4])
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

/* Two floats, zeros where `there` is false: then nothing is read, which the compiler may do with an
 * ordinary load. */
__device__ __forceinline__ float2 vrs_load_or_zero(const float *from, bool there)
{
    float2 v;
    asm volatile("{\n\t"
                 ".reg .pred there;\n\t"
                 "setp.ne.b32 there, %3, 0;\n\t"
                 "mov.f32 %0, 0f00000000;\n\t"
                 "mov.f32 %1, 0f00000000;\n\t"
                 "@there ld.global.nc.v2.f32 {%0, %1}, [%2];\n\t"
                 "}\n"
                 : "=&f"(v.x), "=&f"(v.y)
                 : "l"(from), "r"((int)there));
    return v;
}

/* Two floats rounded to 8-bit integers, the first in the lower byte. */
__device__ __forceinline__ uint16_t vrs_pair_of_i8(float a, float b)
{
    uint32_t pair;
    asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, 0;"
        : "=r"(pair)
        : "r"(__float2int_rn(b)), "r"(__float2int_rn(a)));
    return (uint16_t)pair;
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
/* The other way, transposed: a lane's register holds neighbours in a column of the stored matrix.
 */
__device__ __forceinline__ void vrs_matrix_store_4(uint32_t address, __half2 a, __half2 b,
                                                   __half2 c, __half2 d)
{
    asm volatile(
        "stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address),
        "r"(*reinterpret_cast<uint32_t *>(&a)), "r"(*reinterpret_cast<uint32_t *>(&b)),
        "r"(*reinterpret_cast<uint32_t *>(&c)), "r"(*reinterpret_cast<uint32_t *>(&d))
        : "memory");
}
#endif

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800

/* d += a * b: 16 rows, 8 columns, 16 of K. */
__device__ __forceinline__ void vrs_mma(float *d, const uint32_t *a, uint32_t b0, uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, "
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* 16 bytes from global to shared memory, on their way while the thread works on; zeros instead
 * where `there` is false. */
__device__ __forceinline__ void vrs_copy_or_zero(void *to, const void *from, bool there)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                     (uint32_t)__cvta_generic_to_shared(to)),
                 "l"(from), "r"(there ? 16 : 0)
                 : "memory");
}

__device__ __forceinline__ void vrs_copy_commit()
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/* Until at most PENDING of the committed groups are on their way. */
template <int PENDING> __device__ __forceinline__ void vrs_copy_wait_but()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

#else

__device__ __forceinline__ void vrs_mma(float *d, const uint32_t *a, uint32_t b0, uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, "
                 "{%6}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b0));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, "
                 "{%6}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[2]), "r"(a[3]), "r"(b1));
}

__device__ __forceinline__ void vrs_copy_or_zero(void *to, const void *from, bool there)
{
    const uint4 zero = {0, 0, 0, 0};
    *static_cast<uint4 *>(to) = there ? __ldg(static_cast<const uint4 *>(from)) : zero;
}

__device__ __forceinline__ void vrs_copy_commit()
{
}

template <int PENDING> __device__ __forceinline__ void vrs_copy_wait_but()
{
}

#endif
#endif
