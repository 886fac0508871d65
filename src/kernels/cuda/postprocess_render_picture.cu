/* Composites and cut-outs for an encoder, the fast way: where every row comes in whole vectors.
 *
 * Bytes at 1080p, 8 views, masks of 512x512 (2 bytes a pixel; coefficients: 8), at 4.3 TB/s: NV12
 * to NV12 or YUV420P 24.9 + 24.9 + 4.2 MB: 12.6 us; refined 15.5 us; P010 twice the pictures:
 * 24.3 us, refined 27.2 us; cut-out: 1 byte (10 bits: 2) more a pixel; with a full-size mask
 * 19.3 us. Instructions: about 4 a pixel for its alpha (refined 7), 3 for its blend and packing,
 * 4 for its part of the chroma, 5 for the tile, places and copies: 9 to 11 us at full rate.
 *
 * A blend is one multiply-add that rounds down, its sum placed so that the sample's bits lie in
 * whole bytes of the word: for background b and d = sample - b, floor(d * alpha + b + 1/2) =
 * b + ((d * q15 + 2^14) >> 15), the reference's. */
#include "postprocess_samples.cuh"
#include "postprocess_strip.cuh"

#define N VRS_STRIP_COLUMNS

/* Settings of a view that are the same for all of its rows. */
struct look {
    int flags;
    bool cut_out, threshold;
    float peak, base, limit;

    __device__ __forceinline__ look(const vrs_strip &s)
        : flags(vrs_keep((int)s.v.flags)), cut_out(s.v.output == VRS_POST_CUTOUT),
          threshold(s.p.threshold > 0)
    {
        const bool deep = flags & VRS_POST_DST_DEEP;
        peak = deep ? 1023 : 255;
        base = deep ? VRS_BASE_10 : VRS_BASE_8;
        limit = (float)s.p.threshold * (1.0f / 32768.0f);
    }
};

/* Alphas to what is blended with; a cut-out's own go to `to`. */
__device__ __forceinline__ void take_alpha(const look &l, uint8_t *to, float *alpha)
{
    if (l.threshold) {
#pragma unroll
        for (int i = 0; i < N; i++)
            alpha[i] = alpha[i] < l.limit ? 0 : VRS_ALPHA_ONE;
    }
    if (l.cut_out) {
        float result[N];
#pragma unroll
        for (int i = 0; i < N; i++)
            result[i] = __fmaf_rd(l.peak, alpha[i], l.base);
        vrs_store_samples<N, true>(to, 0, N, result, l.flags);
#pragma unroll
        for (int i = 0; i < N; i++)
            alpha[i] = alpha[i] > 0 ? VRS_ALPHA_ONE : 0;
    }
}

/* A row of pairs, U and V in turn; `sum` holds the alphas of each one's four, of which the mean is
 * rounded half up. PAIRED: so they come; else U's plane in the first half and V's in the second. */
template <bool DEEP, bool PAIRED>
__device__ __forceinline__ void blend_chroma(const vrs_strip_samples<DEEP> &stored, float base,
                                             float background_u, float background_v,
                                             const float *sum, float *both)
{
#pragma unroll
    for (int i = 0; i < N / 2; i++) {
        const float mean =
            __fmaf_rd(sum[i] + 2.0f / 32768.0f, 0.25f, VRS_ALPHA_BASE) - VRS_ALPHA_BASE;
        const float u = stored.get(PAIRED ? 2 * i : i, background_u);
        const float v = stored.get(PAIRED ? 2 * i + 1 : N / 2 + i, background_v);
        both[2 * i] = __fmaf_rd(u, mean, base + background_u);
        both[2 * i + 1] = __fmaf_rd(v, mean, base + background_v);
    }
}

/* The planes that are written. */
struct targets {
    vrs_strip_target luma, first, second, alpha;

    __device__ __forceinline__ targets(const vrs_strip &s, int sample)
        : luma(s.v.dst[0], s.v.dst_stride[0], (int64_t)s.x * sample, s.begin),
          first(s.v.dst[1], s.v.dst_stride[1],
                (int64_t)s.x * sample / (s.v.flags & VRS_POST_DST_PAIRED ? 1 : 2), s.begin / 2),
          second(s.v.dst[2], s.v.dst_stride[2], (int64_t)s.x * sample / 2, s.begin / 2),
          alpha(s.v.dst[3], s.v.dst_stride[3], (int64_t)s.x * sample, s.begin)
    {
    }

    __device__ __forceinline__ void write_chroma(const look &l, const float *both)
    {
        if (l.flags & VRS_POST_DST_PAIRED) {
            vrs_store_samples<N, true>(first.row, 0, N, both, l.flags);
        } else {
            float half[2][N / 2];
#pragma unroll
            for (int i = 0; i < N; i++)
                half[i % 2][i / 2] = both[i];
            vrs_store_samples<N / 2, true>(first.row, 0, N / 2, half[0], l.flags);
            vrs_store_samples<N / 2, true>(second.row, 0, N / 2, half[1], l.flags);
        }
        first.next();
        second.next();
    }
};

/* Slots: p.rows of luma, half as many of chroma (U's and V's planes share one). */
template <bool DEEP> __device__ __forceinline__ void copy_source(const vrs_strip &s, int chroma)
{
    constexpr int bytes = vrs_strip_samples<DEEP>::bytes, sample = vrs_strip_samples<DEEP>::sample;
    const vrs_render_view &v = s.v;
    vrs_strip_ahead<bytes>(s, 0, v.src[0], v.src_stride[0], (int64_t)s.x * sample, 1);
    if (v.flags & VRS_POST_SRC_PAIRED) {
        vrs_strip_ahead<bytes>(s, chroma, v.src[1], v.src_stride[1], (int64_t)s.x * sample, 2);
        return;
    }
    const uint8_t *u = vrs_at<const uint8_t>(v.src[1]) + (int64_t)s.x / 2 * sample;
    const uint8_t *w = vrs_at<const uint8_t>(v.src[2]) + (int64_t)s.x / 2 * sample;
    uint8_t *slot = vrs_strip_slot<bytes>(chroma);
    for (int y = s.begin; y < s.end; y += 2, slot += VRS_STRIP_NEXT(bytes)) {
        vrs_copy_ahead<bytes / 2>(slot, u + (int64_t)(y / 2) * v.src_stride[1]);
        vrs_copy_ahead<bytes / 2>(slot + bytes / 2, w + (int64_t)(y / 2) * v.src_stride[2]);
    }
}

template <int KIND, bool DEEP>
__device__ __forceinline__ void render(const vrs_strip &s, vrs_strip_places &places)
{
    typedef vrs_strip_samples<DEEP> samples;
    typedef vrs_alphas<KIND> alphas_type;
    constexpr int next = VRS_STRIP_NEXT(samples::bytes);
    const int chroma = s.p.rows * next, offset = chroma + chroma / 2;
    const float background = s.v.background[0], background_u = s.v.background[1],
                background_v = s.v.background[2];
    copy_source<DEEP>(s, chroma);
    alphas_type alphas;
    alphas.begin(s, places, offset, background);
    vrs_copy_wait();
    __syncthreads();
    alphas.ready(s, places, offset);
    const look l(s);
    const unsigned magic = (unsigned)vrs_keep(0x4b000000);
    targets to(s, samples::sample);
    const uint8_t *slot = vrs_strip_slot<samples::bytes>(0);
    const uint8_t *chroma_slot = vrs_strip_slot<samples::bytes>(chroma);
    const int rows = s.end - s.begin;
    float sum[N / 2] = {}; /* of pairs: of the row above, then of both */
#pragma unroll 1
    for (int r = 0; r < rows; r++, slot += next) {
        samples stored(magic);
        float value[N], result[N];
        stored.read(slot, l.flags & VRS_POST_SRC_HIGH);
        alphas.move(s, places, r);
#pragma unroll
        for (int i = 0; i < N; i++) {
            result[i] = stored.get(i, background);
            value[i] = __fmaf_rn(alphas.get(i, result[i]), alphas_type::scale, alphas_type::bias);
        }
        take_alpha(l, to.alpha.row, value);
#pragma unroll
        for (int i = 0; i < N; i++)
            result[i] = __fmaf_rd(result[i], value[i], l.base + background);
        vrs_store_samples<N, true>(to.luma.row, 0, N, result, l.flags);
        to.luma.next();
        to.alpha.next();
        const float above = r % 2 == 0 ? 0 : 1;
#pragma unroll
        for (int i = 0; i < N / 2; i++)
            sum[i] = __fmaf_rn(sum[i], above, value[2 * i] + value[2 * i + 1]);
        if (r % 2 == 0) {
            if (r + 1 < rows)
                continue;
#pragma unroll
            for (int i = 0; i < N / 2; i++)
                sum[i] *= 2; /* an odd picture's last row is its own lower one */
        }
        stored.read(chroma_slot, l.flags & VRS_POST_SRC_HIGH);
        if (l.flags & VRS_POST_SRC_PAIRED)
            blend_chroma<DEEP, true>(stored, l.base, background_u, background_v, sum, result);
        else
            blend_chroma<DEEP, false>(stored, l.base, background_u, background_v, sum, result);
        to.write_chroma(l, result);
        chroma_slot += next;
    }
}

template <int KIND>
__device__ __forceinline__ void render_depth(const vrs_strip &s, vrs_strip_places &places)
{
    if (s.v.flags & VRS_POST_SRC_DEEP)
        render<KIND, true>(s, places);
    else
        render<KIND, false>(s, places);
}

/* Of small masks and those at full size. Grid: x: 256 columns, y: 4 strips of p.rows rows, z:
 * views. */
extern "C" __global__ void __launch_bounds__(VRS_STRIP_THREADS, 5)
    vrs_render_picture(const __grid_constant__ vrs_render_params p)
{
    __shared__ __align__(16) vrs_strip_places places;
    const vrs_strip s(p);
    if (s.outside())
        return;
    if (s.v.mask_kind == VRS_POST_MASK_SMALL)
        render_depth<VRS_POST_MASK_SMALL>(s, places);
    else
        render_depth<VRS_POST_MASK_FULL>(s, places);
}

/* Of coefficients. */
extern "C" __global__ void __launch_bounds__(VRS_STRIP_THREADS, 4)
    vrs_render_picture_refined(const __grid_constant__ vrs_render_params p)
{
    __shared__ __align__(16) vrs_strip_places places;
    const vrs_strip s(p);
    if (s.outside())
        return;
    render_depth<VRS_POST_MASK_REFINE>(s, places);
}
