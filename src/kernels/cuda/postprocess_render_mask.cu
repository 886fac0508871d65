/* Masks at full size, the fast way: mask codes for the host (VRS_POST_GRAY) or Q15 for feathering
 * (VRS_POST_ALPHA), where every row comes in whole vectors.
 *
 * Bytes at 1080p, 8 views, masks of 512x512 (2 bytes a pixel; coefficients: 8), at 4.3 TB/s: GRAY8
 * 16.6 MB + mask 4.2 MB: 4.8 us; refined 16.6 + luma 16.6 + 16.8: 11.6 us; refined Q15 15.5 us.
 * Instructions decide: at a scale of 3.75 x 2.1 a pixel costs 22 in strips of 16 rows (refined 34
 * in strips of 8), about half of them for the block's tile, places and copies: 11 and 17 us at full
 * rate. */
#include "postprocess_samples.cuh"
#include "postprocess_strip.cuh"

#define N VRS_STRIP_COLUMNS

/* What is written of a view; `value` below is what alphas.get() gives. */
template <int KIND> struct look {
    typedef vrs_alphas<KIND> alphas;
    bool is_alpha, threshold;
    int flags;
    float peak, base, limit;

    __device__ __forceinline__ look(const vrs_strip &s)
        : is_alpha(s.v.output == VRS_POST_ALPHA), threshold(s.p.threshold > 0),
          flags(vrs_keep((int)s.v.flags))
    {
        const bool deep = flags & VRS_POST_DST_DEEP;
        const float most = deep ? 1023 : 255;
        peak = most * alphas::scale;
        base = (deep ? VRS_BASE_10 : VRS_BASE_8) + most * alphas::bias;
        limit = ((float)s.p.threshold * (1.0f / 32768.0f) - alphas::bias) / alphas::scale;
    }

    __device__ __forceinline__ void write(uint8_t *to, float *value) const
    {
        if (threshold) {
            const float zero = -alphas::bias / alphas::scale;
            const float one = (VRS_ALPHA_ONE - alphas::bias) / alphas::scale;
#pragma unroll
            for (int i = 0; i < N; i++)
                value[i] = value[i] < limit ? zero : one;
        }
        if (is_alpha) {
            uint32_t word[N / 2];
#pragma unroll
            for (int i = 0; i < N; i += 2)
                word[i / 2] =
                    __byte_perm(__float_as_uint(value[i]), __float_as_uint(value[i + 1]), 0x5410) >>
                        alphas::shift &
                    0x7fff7fffu;
            vrs_store_words<2 * N>(to, word);
            return;
        }
#pragma unroll
        for (int i = 0; i < N; i++)
            value[i] = __fmaf_rd(peak, value[i], base);
        vrs_store_samples<N, true>(to, 0, N, value, flags);
    }
};

template <int KIND, bool DEEP>
__device__ __forceinline__ void render(const vrs_strip &s, vrs_strip_places &places)
{
    typedef vrs_strip_samples<DEEP> samples;
    const vrs_render_view &v = s.v;
    const bool refine = KIND == VRS_POST_MASK_REFINE;
    if (refine)
        vrs_strip_ahead<samples::bytes>(s, 0, v.src[0], v.src_stride[0],
                                        (int64_t)s.x * samples::sample, 1);
    vrs_alphas<KIND> alphas;
    alphas.begin(s, places, 0, 0);
    vrs_copy_wait();
    __syncthreads();
    alphas.ready(s, places, 0);
    const look<KIND> l(s);
    const unsigned magic = (unsigned)vrs_keep(0x4b000000);
    const bool high = v.flags & VRS_POST_SRC_HIGH;
    const int bytes = v.output == VRS_POST_ALPHA || (v.flags & VRS_POST_DST_DEEP) ? 2 : 1;
    vrs_strip_target target(v.dst[0], v.dst_stride[0], (int64_t)s.x * bytes, s.begin);
    const uint8_t *slot = vrs_strip_slot<samples::bytes>(0);
    const int rows = vrs_keep(s.end - s.begin);
#pragma unroll 1
    for (int r = 0; r < rows; r += 2) {
        const uint4 at = alphas.two();
#pragma unroll
        for (int half = 0; half < 2; half++) {
            samples luma(magic);
            float value[N];
            if (refine)
                luma.read(slot, high);
            alphas.move(half == 0 ? at.x : at.z, half == 0 ? at.y : at.w);
#pragma unroll
            for (int i = 0; i < N; i++)
                value[i] = alphas.get(i, refine ? luma.get(i, 0) : 0);
            if (half == 0 || r + 1 < rows)
                l.write(target.row, value);
            target.next();
            slot += VRS_STRIP_NEXT(samples::bytes);
        }
    }
}

/* Of small masks and those at full size. Grid: x: 128 columns, y: 4 strips of p.rows rows, z:
 * views. */
extern "C" __global__ void __launch_bounds__(VRS_STRIP_THREADS, 8)
    vrs_render_mask(const __grid_constant__ vrs_render_params p)
{
    __shared__ __align__(16) vrs_strip_places places;
    const vrs_strip s(p);
    if (s.outside())
        return;
    if (s.v.mask_kind == VRS_POST_MASK_SMALL)
        render<VRS_POST_MASK_SMALL, false>(s, places);
    else
        render<VRS_POST_MASK_FULL, false>(s, places);
}

/* Of coefficients. */
extern "C" __global__ void __launch_bounds__(VRS_STRIP_THREADS, 8)
    vrs_render_mask_refined(const __grid_constant__ vrs_render_params p)
{
    __shared__ __align__(16) vrs_strip_places places;
    const vrs_strip s(p);
    if (s.outside())
        return;
    if (s.v.flags & VRS_POST_SRC_DEEP)
        render<VRS_POST_MASK_REFINE, true>(s, places);
    else
        render<VRS_POST_MASK_REFINE, false>(s, places);
}
