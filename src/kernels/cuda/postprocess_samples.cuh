/* Samples of pictures as they are stored, eight columns a thread: words in, words out. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_SAMPLES_CUH
#define VRS_KERNELS_CUDA_POSTPROCESS_SAMPLES_CUH

#include "postprocess.cuh"

/* A result is a float whose word has the sample in it: 8-bit in bits 8..15, 10-bit in 6..15. */
#define VRS_BASE_8 32768.5f
#define VRS_BASE_10 131072.5f

template <int BYTES> __device__ __forceinline__ void vrs_store_words(uint8_t *p, const uint32_t *w)
{
    if (BYTES == 2)
        *reinterpret_cast<uint16_t *>(p) = (uint16_t)w[0];
    else if (BYTES == 4)
        *reinterpret_cast<uint32_t *>(p) = w[0];
    else if (BYTES == 8)
        *reinterpret_cast<uint2 *>(p) = make_uint2(w[0], w[1]);
    else
        *reinterpret_cast<uint4 *>(p) = make_uint4(w[0], w[1], w[2], w[3]);
}

/* Words of N results: pairs of 16 bits, or four bytes each. */
template <int N>
__device__ __forceinline__ void vrs_pack_deep(const float *result, int flags, uint32_t *word)
{
#pragma unroll
    for (int i = 0; i < N; i += 2) {
        const int next = i + 1 < N ? i + 1 : i;
        const uint32_t both =
            __byte_perm(__float_as_uint(result[i]), __float_as_uint(result[next]), 0x5410);
        word[i / 2] = (both & 0xffc0ffc0u) >> (flags & VRS_POST_DST_HIGH ? 0 : 6);
    }
}

template <int N> __device__ __forceinline__ void vrs_pack_bytes(const float *result, uint32_t *word)
{
    uint32_t pair[(N + 1) / 2];
#pragma unroll
    for (int i = 0; i < N; i += 2) {
        const int next = i + 1 < N ? i + 1 : i;
        pair[i / 2] =
            __byte_perm(__float_as_uint(result[i]), __float_as_uint(result[next]), 0x5151);
    }
#pragma unroll
    for (int i = 0; i < N; i += 4)
        word[i / 4] =
            N < 4 ? pair[0] : __byte_perm(pair[i / 2], pair[(i + 2) / 2 % ((N + 1) / 2)], 0x5410);
}

/* N results from sample x of a row on; WHOLE: all of them, in one store, else those below `count`.
 */
template <int N, bool WHOLE>
__device__ __forceinline__ void vrs_store_samples(uint8_t *row, int x, int count,
                                                  const float *result, int flags)
{
    if (flags & VRS_POST_DST_DEEP) {
        uint32_t word[(N + 1) / 2];
        vrs_pack_deep<N>(result, flags, word);
        if (WHOLE)
            vrs_store_words<2 * N>(row + (int64_t)x * 2, word);
#pragma unroll
        for (int i = 0; i < (WHOLE ? 0 : N); i++)
            if (x + i < count)
                reinterpret_cast<uint16_t *>(row)[x + i] = (uint16_t)(word[i / 2] >> (i % 2 * 16));
        return;
    }
    uint32_t word[(N + 3) / 4];
    vrs_pack_bytes<N>(result, word);
    if (WHOLE)
        vrs_store_words<N>(row + x, word);
#pragma unroll
    for (int i = 0; i < (WHOLE ? 0 : N); i++)
        if (x + i < count)
            row[x + i] = (uint8_t)(word[i / 4] >> (i % 4 * 8));
}

#endif
