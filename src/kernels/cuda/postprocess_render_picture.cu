/* Composites and cut-outs for an encoder, the fast way: where every row comes in whole vectors.
 *
 * Bytes at 1080p, 8 views, masks of 512x512 (2 bytes a pixel; coefficients: 8), at 4.3 TB/s: NV12
 * to NV12 or YUV420P 24.9 + 24.9 + 4.2 MB: 12.6 us; refined 15.5 us; P010 twice the pictures:
 * 24.3 us, refined 27.2 us; cut-out: 1 byte (10 bits: 2) more a pixel; with a full-size mask
 * 19.3 us. Instructions decide: 39 a pixel, refined 42, of which about 17 (21) make alphas, blend,
 * pack and make the chroma, the others are for the tile, places, copies and moving on: 20 us at
 * full rate.
 *
 * A blend is one multiply-add that rounds down, its sum placed so that the sample's bits lie in
 * whole bytes of the word: for background b and d = sample - b, floor(d * alpha + b + 1/2) =
 * b + ((d * q15 + 2^14) >> 15), the reference's. */
#include "postprocess_samples.cuh"
#include "postprocess_strip.cuh"

#define N VRS_STRIP_COLUMNS

/* Settings of a view that are the same for all of its rows. USUAL: an opaque composite from pairs
 * of chroma into pairs, with a soft mask; the compiler then knows what else is asked for each row.
 */
template <bool DEEP, bool USUAL> struct look {
    int flags;
    bool cut_out, threshold, high, from_pairs, to_pairs;
    float limit;
    static constexpr float peak = DEEP ? 1023 : 255, base = DEEP ? VRS_BASE_10 : VRS_BASE_8;

    __device__ __forceinline__ look(const vrs_strip &s)
        : flags(vrs_keep((int)s.v.flags)), cut_out(!USUAL && s.v.output == VRS_POST_CUTOUT),
          threshold(!USUAL && s.p.threshold > 0), high(DEEP && (flags & VRS_POST_SRC_HIGH)),
          from_pairs(USUAL || (flags & VRS_POST_SRC_PAIRED)),
          to_pairs(USUAL || (flags & VRS_POST_DST_PAIRED))
    {
        flags = DEEP ? flags | VRS_POST_DST_DEEP : flags & ~VRS_POST_DST_DEEP;
        limit = (float)s.p.threshold * (1.0f / 32768.0f);
    }
};

/* Alphas to what is blended with; a cut-out's own go to `to`, where that is a row of it. */
template <bool DEEP, bool USUAL>
__device__ __forceinline__ void take_alpha(const look<DEEP, USUAL> &l, uint8_t *to, bool store,
                                           float *alpha)
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
        if (store)
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

    template <bool DEEP, bool USUAL>
    __device__ __forceinline__ void write_chroma(const look<DEEP, USUAL> &l, const float *both)
    {
        if (l.to_pairs) {
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

/* Half of a slot; two bytes do not go ahead. */
template <int BYTES> __device__ __forceinline__ void copy_half(uint8_t *to, const uint8_t *from)
{
    if (BYTES == 2)
        *reinterpret_cast<uint16_t *>(to) = __ldg(reinterpret_cast<const uint16_t *>(from));
    else
        vrs_copy_ahead<(BYTES < 4 ? 4 : BYTES)>(to, from);
}

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
        copy_half<bytes / 2>(slot, u + (int64_t)(y / 2) * v.src_stride[1]);
        copy_half<bytes / 2>(slot + bytes / 2, w + (int64_t)(y / 2) * v.src_stride[2]);
    }
}

/* Rows of a strip, two at a time, as they share chroma. */
template <int KIND, bool DEEP, bool USUAL> struct rows {
    typedef vrs_strip_samples<DEEP> samples;
    typedef vrs_alphas<KIND> alphas_type;
    static constexpr int next = VRS_STRIP_NEXT(samples::bytes);
    alphas_type alphas;
    look<DEEP, USUAL> l;
    targets to;
    unsigned magic;
    float background, background_u, background_v;

    __device__ __forceinline__ rows(const vrs_strip &s)
        : l(s), to(s, samples::sample), magic((unsigned)vrs_keep(0x4b000000)),
          background(vrs_keep((float)s.v.background[0])),
          background_u(vrs_keep((float)s.v.background[1])),
          background_v(vrs_keep((float)s.v.background[2]))
    {
    }

    /* A row's luma; its alphas into `value`. Below the picture nothing is stored. */
    __device__ __forceinline__ void luma(unsigned at, unsigned odd, const uint8_t *slot, bool store,
                                         float *value)
    {
        samples stored(magic);
        float result[N];
        stored.read(slot, l.high);
        alphas.move(at, odd);
#pragma unroll
        for (int i = 0; i < N; i++) {
            result[i] = stored.get(i, background);
            value[i] = __fmaf_rn(alphas.get(i, result[i]), alphas_type::scale, alphas_type::bias);
        }
        take_alpha(l, to.alpha.row, store, value);
#pragma unroll
        for (int i = 0; i < N; i++)
            result[i] = __fmaf_rd(result[i], value[i], l.base + background);
        if (store)
            vrs_store_samples<N, true>(to.luma.row, 0, N, result, l.flags);
        to.luma.next();
        if (l.cut_out)
            to.alpha.next();
    }

    /* The chroma of two rows. */
    __device__ __forceinline__ void chroma(const uint8_t *slot, const float *upper,
                                           const float *lower)
    {
        samples stored(magic);
        float sum[N / 2], result[N];
#pragma unroll
        for (int i = 0; i < N / 2; i++)
            sum[i] = (upper[2 * i] + upper[2 * i + 1]) + (lower[2 * i] + lower[2 * i + 1]);
        stored.read(slot, l.high);
        if (l.from_pairs)
            blend_chroma<DEEP, true>(stored, l.base, background_u, background_v, sum, result);
        else
            blend_chroma<DEEP, false>(stored, l.base, background_u, background_v, sum, result);
        to.write_chroma(l, result);
    }
};

template <int KIND, bool DEEP, bool USUAL>
__device__ __forceinline__ void render(const vrs_strip &s, vrs_strip_places &places)
{
    typedef vrs_strip_samples<DEEP> samples;
    constexpr int next = VRS_STRIP_NEXT(samples::bytes);
    const int chroma = s.p.rows * next, offset = chroma + chroma / 2;
    copy_source<DEEP>(s, chroma);
    vrs_alphas<KIND>::begin(s, places, offset, (float)s.v.background[0]);
    vrs_copy_wait();
    __syncthreads();
    rows<KIND, DEEP, USUAL> strip(s);
    strip.alphas.ready(s, places, offset);
    const uint8_t *slot = vrs_strip_slot<samples::bytes>(0);
    const uint8_t *chroma_slot = vrs_strip_slot<samples::bytes>(chroma);
    const int count = vrs_keep(s.end - s.begin);
#pragma unroll 1
    for (int r = 0; r < count; r += 2, slot += 2 * next, chroma_slot += next) {
        float upper[N], lower[N];
        uint4 at = strip.alphas.two();
        strip.luma(at.x, at.y, slot, true, upper);
        const bool two = r + 1 < count;
        if (!two) { /* an odd picture's last row is its own lower one */
            at = make_uint4(at.x, at.y, at.x, at.y);
            strip.alphas.again();
        }
        strip.luma(at.z, at.w, two ? slot + next : slot, two, lower);
        strip.chroma(chroma_slot, upper, lower);
    }
}

template <int KIND, bool DEEP>
__device__ __forceinline__ void render_usual(const vrs_strip &s, vrs_strip_places &places)
{
    const int pairs = VRS_POST_SRC_PAIRED | VRS_POST_DST_PAIRED;
    if ((s.v.flags & pairs) == pairs && s.v.output == VRS_POST_COMPOSITE && s.p.threshold <= 0)
        render<KIND, DEEP, true>(s, places);
    else
        render<KIND, DEEP, false>(s, places);
}

template <int KIND>
__device__ __forceinline__ void render_depth(const vrs_strip &s, vrs_strip_places &places)
{
    if (s.v.flags & VRS_POST_SRC_DEEP)
        render_usual<KIND, true>(s, places);
    else
        render_usual<KIND, false>(s, places);
}

/* Of small masks and those at full size. Grid: x: 128 columns, y: 4 strips of p.rows rows, z:
 * views. */
extern "C" __global__ void __launch_bounds__(VRS_STRIP_THREADS, 8)
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
extern "C" __global__ void __launch_bounds__(VRS_STRIP_THREADS, 7)
    vrs_render_picture_refined(const __grid_constant__ vrs_render_params p)
{
    __shared__ __align__(16) vrs_strip_places places;
    const vrs_strip s(p);
    if (s.outside())
        return;
    render_depth<VRS_POST_MASK_REFINE>(s, places);
}
