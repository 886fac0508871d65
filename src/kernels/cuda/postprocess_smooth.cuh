/* What follows the making of a mask, for N neighbouring pixels a thread: smoothing over time, the
 * mask, the state, the content's sum. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_SMOOTH_CUH
#define VRS_KERNELS_CUDA_POSTPROCESS_SMOOTH_CUH

#include "postprocess.cuh"

/* Where a thread's pixels are: `count` are left from x on to the end of the row (N and more: all
 * are inside; 0 and less: none), `whole`: all are, and aligned for one access. */
template <int N> struct vrs_pixels {
    int x, y, count;
    int64_t at; /* of the first in a dense picture */
    bool whole;

    __device__ __forceinline__ vrs_pixels(int column, int row, int width, bool aligned)
        : x(column), y(row), count(width - column), at((int64_t)row * width + column),
          whole(aligned && column + N <= width)
    {
    }
};

/* N values of 16 bits in one access, as words of two. */
__device__ __forceinline__ void vrs_read_words(const int16_t *p, uint32_t (&word)[2])
{
    const uint2 all = *reinterpret_cast<const uint2 *>(p);
    word[0] = all.x;
    word[1] = all.y;
}

__device__ __forceinline__ void vrs_read_words(const int16_t *p, uint32_t (&word)[4])
{
    const uint4 all = *reinterpret_cast<const uint4 *>(p);
    word[0] = all.x;
    word[1] = all.y;
    word[2] = all.z;
    word[3] = all.w;
}

__device__ __forceinline__ void vrs_read_words(const int16_t *p, uint32_t (&word)[1])
{
    word[0] = (uint16_t)*p;
}

__device__ __forceinline__ void vrs_write_words(int16_t *p, const uint32_t (&word)[2])
{
    *reinterpret_cast<uint2 *>(p) = make_uint2(word[0], word[1]);
}

__device__ __forceinline__ void vrs_write_words(int16_t *p, const uint32_t (&word)[4])
{
    *reinterpret_cast<uint4 *>(p) = make_uint4(word[0], word[1], word[2], word[3]);
}

__device__ __forceinline__ void vrs_write_words(int16_t *p, const uint32_t (&word)[1])
{
    *p = (int16_t)word[0];
}

template <int N>
__device__ __forceinline__ void vrs_load_state(uint64_t mask, const vrs_pixels<N> &at, int *q15)
{
    const int16_t *p = vrs_at<const int16_t>(mask) + at.at;
    if (at.whole) {
        uint32_t word[(N + 1) / 2];
        vrs_read_words(p, word);
#pragma unroll
        for (int i = 0; i < N; i++)
            q15[i] = (int)(word[i / 2] >> (i % 2 * 16) & 0xffffu);
        return;
    }
#pragma unroll
    for (int i = 0; i < N; i++)
        if (i < at.count)
            q15[i] = p[i];
}

template <int N>
__device__ __forceinline__ void vrs_store_state(uint64_t mask, const vrs_pixels<N> &at,
                                                const int *q15)
{
    int16_t *p = vrs_at<int16_t>(mask) + at.at;
    if (at.whole) {
        uint32_t word[(N + 1) / 2];
#pragma unroll
        for (int i = 0; i < N; i += 2)
            word[i / 2] = (uint32_t)q15[i] | (i + 1 < N ? (uint32_t)q15[i + 1] << 16 : 0u);
        vrs_write_words(p, word);
        return;
    }
#pragma unroll
    for (int i = 0; i < N; i++)
        if (i < at.count)
            p[i] = (int16_t)q15[i];
}

/* Adds the content's part to the view's sum, one atomic a warp. All lanes of a warp come. */
template <int N>
__device__ __forceinline__ void vrs_add_sum(const vrs_post_smooth &m, const vrs_pixels<N> &at,
                                            const int *q15)
{
    if (m.sum == 0)
        return;
    unsigned sum = 0;
    const bool inside = at.y >= m.y && at.y < m.y + m.height;
#pragma unroll
    for (int i = 0; i < N; i++)
        sum += inside && i < at.count && at.x + i >= m.x && at.x + i < m.x + m.width
                   ? (unsigned)q15[i]
                   : 0u;
#pragma unroll
    for (int step = 16; step > 0; step /= 2)
        sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (threadIdx.x % 32 == 0 && sum > 0)
        atomicAdd(vrs_at<unsigned long long>(m.sum), (unsigned long long)sum);
}

/* A chain's mask before the view at hand. */
template <int N> struct vrs_past {
    int q15[N];
    bool there;

    __device__ __forceinline__ vrs_past() : q15(), there(false)
    {
    }

    __device__ __forceinline__ vrs_past(const vrs_post_smooth &m, const vrs_pixels<N> &at)
        : q15(), there(m.state_out != 0 && m.state_in != 0)
    {
        if (there)
            vrs_load_state(m.state_in, at, q15);
    }

    /* Ends a view: smooths `value`, stores it where it belongs and keeps it for the next one. */
    __device__ __forceinline__ void finish(const vrs_post_smooth &m, uint64_t mask, int weight,
                                           const vrs_pixels<N> &at, int *value)
    {
        if (m.state_out != 0 && there && !m.restart)
#pragma unroll
            for (int i = 0; i < N; i++)
                value[i] = vrs_lerp_q15(q15[i], value[i], weight);
        vrs_store_state(mask, at, value);
        if (m.state_out != 0 && m.next < 0)
            vrs_store_state(m.state_out, at, value);
        vrs_add_sum(m, at, value);
#pragma unroll
        for (int i = 0; i < N; i++)
            q15[i] = value[i];
        there = true;
    }
};

#endif
