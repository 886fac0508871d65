/* Any view: the renderer where rows do not come in whole vectors, for RGB's luma as a guide, for
 * masks too large for a block's memory and for batches of several kinds. Up-sampling (or the
 * refinement along the picture's edges), threshold, and what is written: alpha for feathering, a
 * mask for the host, a composite or a cut-out for an encoder. Speed is that of vrs_render_mask and
 * vrs_render_picture; this one is there to be right.
 *
 * A thread marches down 8 columns and interpolates a source row along columns once, when it comes
 * to it. Alphas are floats that hold q15 / 32768 exactly; blends are as in vrs_render_picture. */
#include "postprocess_samples.cuh"

#define WARPS 4
#define COLUMNS 8

template <int N> struct columns {
    int left[N], right[N], weight[N];
};

template <int N> __device__ __forceinline__ columns<N> make_columns(const vrs_render_view &v, int x)
{
    columns<N> c;
#pragma unroll
    for (int i = 0; i < N; i++) {
        const vrs_tap tap = vrs_tap_by(min(x + i, v.width - 1), v.mask_width, v.width,
                                       v.column_factor, v.column_shift);
        c.left[i] = tap.index;
        c.right[i] = min(tap.index + 1, v.mask_width - 1);
        c.weight[i] = tap.weight;
    }
    return c;
}

/* Samples of one row as they are stored, and one of them as a number. */
template <int N, bool DEEP> struct samples {
    uint32_t word[DEEP ? N / 2 : (N + 3) / 4];

    __device__ __forceinline__ float get(int i, int shift) const
    {
        if (DEEP)
            return (float)((word[i / 2] >> (i % 2 * 16) & 0xffffu) >> shift);
        return (float)(word[i / 4] >> (i % 4 * 8) & 0xffu);
    }
};

/* N samples from sample x of a row on, `step` apart in groups of `step` (2: U and V in turn, both
 * come); samples beyond `count` repeat the last whole group. */
template <int N, bool DEEP>
__device__ __forceinline__ samples<N, DEEP> load_samples(const uint8_t *row, int x, int count,
                                                         int step)
{
    samples<N, DEEP> s = {};
#pragma unroll
    for (int i = 0; i < N; i++) {
        const int group = min((x + i) / step, count / step - 1);
        const int64_t at = (int64_t)group * step + i % step;
        if (DEEP)
            s.word[i / 2] |= (uint32_t)__ldg(reinterpret_cast<const uint16_t *>(row) + at)
                             << (i % 2 * 16);
        else
            s.word[i / 4] |= (uint32_t)__ldg(row + at) << (i % 4 * 8);
    }
    return s;
}

/* Where alphas come from: two source rows, interpolated along columns, and which ones. */
template <int N, int KIND> struct source_rows;

template <int N> struct source_rows<N, VRS_POST_MASK_SMALL> {
    int upper[N], lower[N], delta[N], current, below;

    __device__ __forceinline__ void load(const vrs_render_view &v, const columns<N> &c, int y,
                                         int *out)
    {
        const int16_t *row = vrs_at<const int16_t>(v.mask) + (int64_t)y * v.mask_stride;
#pragma unroll
        for (int i = 0; i < N; i++)
            out[i] = vrs_lerp_q15(__ldg(row + c.left[i]), __ldg(row + c.right[i]), c.weight[i]);
    }

    __device__ __forceinline__ void meet(int i)
    {
        delta[i] = lower[i] - upper[i];
    }

    __device__ __forceinline__ float alpha(int i, int weight, float, float) const
    {
        return vrs_alpha_of((delta[i] * weight + (upper[i] * 32768 + 16384)) >> 15);
    }
};

/* The luma's scale and offset are put into the coefficients here, once a source row. */
template <int N> struct source_rows<N, VRS_POST_MASK_REFINE> {
    float2 upper[N], lower[N], delta[N];
    int current, below;

    __device__ __forceinline__ void load(const vrs_render_view &v, const columns<N> &c, int y,
                                         float2 *out)
    {
        const float2 *row = vrs_at<const float2>(v.mask) + (int64_t)y * v.mask_stride;
#pragma unroll
        for (int i = 0; i < N; i++) {
            const float2 a = __ldg(row + c.left[i]), b = __ldg(row + c.right[i]);
            const float weight = (float)c.weight[i] * (1.0f / 32768.0f);
            const float slope = __fmaf_rn(b.x - a.x, weight, a.x);
            const float offset = __fmaf_rn(b.y - a.y, weight, a.y);
            out[i] = make_float2(slope * v.luma_scale, __fmaf_rn(slope, v.luma_offset, offset));
        }
    }

    __device__ __forceinline__ void meet(int i)
    {
        delta[i] = make_float2(lower[i].x - upper[i].x, lower[i].y - upper[i].y);
    }

    __device__ __forceinline__ float alpha(int i, int, float weight, float luma) const
    {
        const float slope = __fmaf_rn(delta[i].x, weight, upper[i].x);
        const float offset = __fmaf_rn(delta[i].y, weight, upper[i].y);
        return vrs_alpha_round(__fmaf_rn(slope, luma, offset));
    }
};

/* Brings the two source rows of a row of the result in; returns the weight of the lower one. A
 * warp's lanes are in the same row. */
template <int N, int KIND>
__device__ __forceinline__ int move_rows(source_rows<N, KIND> &rows, const vrs_render_view &v,
                                         const columns<N> &c, vrs_tap tap)
{
    const int below = min(tap.index + 1, v.mask_height - 1);
    if (tap.index == rows.current && below == rows.below)
        return tap.weight;
    if (tap.index != rows.current) {
        if (tap.index == rows.below) {
#pragma unroll
            for (int i = 0; i < N; i++)
                rows.upper[i] = rows.lower[i];
        } else {
            rows.load(v, c, tap.index, rows.upper);
        }
        rows.current = tap.index;
    }
    if (below != rows.below) {
        rows.load(v, c, below, rows.lower);
        rows.below = below;
    }
#pragma unroll
    for (int i = 0; i < N; i++)
        rows.meet(i);
    return tap.weight;
}

/* 8-bit luma of RGB by BT.709 weights in Q16, as render.c makes it: only a guide for edges. */
__device__ __forceinline__ float rgb_luma(const vrs_render_view &v, int x, int y)
{
    const bool bgra = v.flags & VRS_POST_SRC_BGRA;
    const uint8_t *p = vrs_at<const uint8_t>(v.src[0]) + (int64_t)y * v.src_stride[0] +
                       (int64_t)x * (bgra ? 4 : 3);
    const int red = __ldg(p + (bgra ? 2 : 0)), blue = __ldg(p + (bgra ? 0 : 2));
    return (float)((13933 * red + 46871 * __ldg(p + 1) + 4732 * blue + 32768) >> 16);
}

/* What a thread does with a view, all rows of its strip: settings that are the same for all. */
struct job {
    const vrs_render_view &v;
    int x, threshold;
    bool source; /* its luma is read */
    int shift;
    float peak, base;

    __device__ __forceinline__ job(const vrs_render_view &view, int column, int limit)
        : v(view), x(column), threshold(limit)
    {
        const bool deep = v.flags & VRS_POST_DST_DEEP;
        source = v.mask_kind == VRS_POST_MASK_REFINE || v.output >= VRS_POST_COMPOSITE;
        shift = v.flags & VRS_POST_SRC_HIGH ? 6 : 0;
        peak = deep ? 1023 : 255;
        base = deep ? VRS_BASE_10 : VRS_BASE_8;
    }
};

/* The source's samples of two rows as they are stored. */
template <int N, bool DEEP> struct source_pair {
    samples<N, DEEP> luma[2], first; /* first: U and V in turn, or U in the first half */
    samples<N / 2, DEEP> second;     /* V of its own plane */
};

template <int N, bool DEEP>
__device__ __forceinline__ void load_chroma(const job &j, int y, source_pair<N, DEEP> &s)
{
    const vrs_render_view &v = j.v;
    const int count = (v.width + 1) / 2, x = j.x / 2;
    const uint8_t *row = vrs_at<const uint8_t>(v.src[1]) + (int64_t)y * v.src_stride[1];
    if (v.flags & VRS_POST_SRC_PAIRED) {
        s.first = load_samples<N, DEEP>(row, 2 * x, 2 * count, 2);
        return;
    }
    const uint8_t *other = vrs_at<const uint8_t>(v.src[2]) + (int64_t)y * v.src_stride[2];
    const samples<N / 2, DEEP> half = load_samples<N / 2, DEEP>(row, x, count, 1);
#pragma unroll
    for (int i = 0; i < (int)(sizeof(half.word) / sizeof(half.word[0])); i++)
        s.first.word[i] = half.word[i];
    s.second = load_samples<N / 2, DEEP>(other, x, count, 1);
}

/* Rows y and y + 1 (or y again beyond the bottom). */
template <int N, bool DEEP>
__device__ __forceinline__ void load_pair(const job &j, int y, source_pair<N, DEEP> &s)
{
    const vrs_render_view &v = j.v;
    if (!j.source || (v.flags & (VRS_POST_SRC_RGB | VRS_POST_SRC_BGRA)))
        return;
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const uint8_t *row =
            vrs_at<const uint8_t>(v.src[0]) + (int64_t)min(y + r, v.height - 1) * v.src_stride[0];
        s.luma[r] = load_samples<N, DEEP>(row, j.x, v.width, 1);
    }
    if (v.output >= VRS_POST_COMPOSITE)
        load_chroma<N, DEEP>(j, y / 2, s);
}

template <int N, bool DEEP>
__device__ __forceinline__ void get_luma(const job &j, const source_pair<N, DEEP> &s, int y, int r,
                                         float *luma)
{
    if (j.v.flags & (VRS_POST_SRC_RGB | VRS_POST_SRC_BGRA)) {
#pragma unroll
        for (int i = 0; i < N; i++)
            luma[i] = rgb_luma(j.v, min(j.x + i, j.v.width - 1), y);
        return;
    }
#pragma unroll
    for (int i = 0; i < N; i++)
        luma[i] = s.luma[r].get(i, j.shift);
}

/* Alphas of a full-size mask or none. */
template <int N> __device__ __forceinline__ void load_alpha(const job &j, int y, float *alpha)
{
    const vrs_render_view &v = j.v;
    const uint8_t *row = vrs_at<const uint8_t>(v.mask) + (int64_t)y * v.mask_stride * 2;
    if (v.mask_kind == VRS_POST_MASK_NONE) {
#pragma unroll
        for (int i = 0; i < N; i++)
            alpha[i] = 0;
        return;
    }
    const samples<N, true> s = load_samples<N, true>(row, j.x, v.width, 1);
#pragma unroll
    for (int i = 0; i < N; i++)
        alpha[i] = vrs_alpha_of((int)(s.word[i / 2] >> (i % 2 * 16) & 0xffffu));
}

/* One row: `alpha` (after the threshold), and what is written of it. */
template <int N>
__device__ __forceinline__ void write_row(const job &j, int y, const float *luma, float *alpha)
{
    const vrs_render_view &v = j.v;
    uint8_t *dst = vrs_at<uint8_t>(v.dst[0]) + (int64_t)y * v.dst_stride[0];
    const float limit = (float)j.threshold * (1.0f / 32768.0f);
    float result[N];
    if (j.threshold > 0)
#pragma unroll
        for (int i = 0; i < N; i++)
            alpha[i] = alpha[i] < limit ? 0 : VRS_ALPHA_ONE;
    if (v.output == VRS_POST_ALPHA) {
#pragma unroll
        for (int i = 0; i < N; i++)
            if (j.x + i < v.width)
                reinterpret_cast<int16_t *>(dst)[j.x + i] = (int16_t)vrs_q15_of(alpha[i]);
        return;
    }
    if (v.output != VRS_POST_COMPOSITE) {
#pragma unroll
        for (int i = 0; i < N; i++)
            result[i] = __fmaf_rd(j.peak, alpha[i], j.base);
        if (v.output == VRS_POST_GRAY) {
            vrs_store_samples<N, false>(dst, j.x, v.width, result, v.flags);
            return;
        }
        uint8_t *plane = vrs_at<uint8_t>(v.dst[3]) + (int64_t)y * v.dst_stride[3];
        vrs_store_samples<N, false>(plane, j.x, v.width, result, v.flags);
#pragma unroll
        for (int i = 0; i < N; i++)
            alpha[i] = alpha[i] > 0 ? VRS_ALPHA_ONE : 0;
    }
    const float background = v.background[0];
#pragma unroll
    for (int i = 0; i < N; i++)
        result[i] = __fmaf_rd(luma[i] - background, alpha[i], j.base + background);
    vrs_store_samples<N, false>(dst, j.x, v.width, result, v.flags);
}

/* Blends a row of pairs: the alpha of each is the mean of its four, rounded half up. */
template <int N, bool DEEP>
__device__ __forceinline__ void write_chroma(const job &j, int y, const source_pair<N, DEEP> &s,
                                             const float *upper, const float *lower)
{
    const vrs_render_view &view = j.v;
    const int count = (view.width + 1) / 2, x = j.x / 2;
    const float background_u = view.background[1], background_v = view.background[2];
    float a[N / 2], b[N / 2];
#pragma unroll
    for (int i = 0; i < N / 2; i++) {
        const float sum = upper[2 * i] + upper[2 * i + 1] + (lower[2 * i] + lower[2 * i + 1]);
        const float mean = __fmaf_rd(sum + 2.0f / 32768.0f, 0.25f, VRS_ALPHA_BASE) - VRS_ALPHA_BASE;
        const bool paired = view.flags & VRS_POST_SRC_PAIRED;
        const float u = paired ? s.first.get(2 * i, j.shift) : s.first.get(i, j.shift);
        const float v = paired ? s.first.get(2 * i + 1, j.shift) : s.second.get(i, j.shift);
        a[i] = __fmaf_rd(u - background_u, mean, j.base + background_u);
        b[i] = __fmaf_rd(v - background_v, mean, j.base + background_v);
    }
    uint8_t *dst = vrs_at<uint8_t>(view.dst[1]) + (int64_t)y * view.dst_stride[1];
    if (view.flags & VRS_POST_DST_PAIRED) {
        float both[N];
#pragma unroll
        for (int i = 0; i < N; i++)
            both[i] = i % 2 == 0 ? a[i / 2] : b[i / 2];
        vrs_store_samples<N, false>(dst, 2 * x, 2 * count, both, view.flags);
        return;
    }
    uint8_t *other = vrs_at<uint8_t>(view.dst[2]) + (int64_t)y * view.dst_stride[2];
    vrs_store_samples<N / 2, false>(dst, x, count, a, view.flags);
    vrs_store_samples<N / 2, false>(other, x, count, b, view.flags);
}

/* Places of the rows of a strip: one a lane, index and weight in one word. */
struct row_taps {
    int begin;
    uint32_t tap;

    __device__ __forceinline__ row_taps(const vrs_render_view &v, int first) : begin(first)
    {
        const int y = min(first + (int)threadIdx.x, v.height - 1);
        const vrs_tap t = vrs_tap_by(y, v.mask_height, v.height, v.row_factor, v.row_shift);
        tap = (uint32_t)t.index << 15 | (uint32_t)t.weight;
    }

    __device__ __forceinline__ vrs_tap get(int y) const
    {
        const uint32_t t = __shfl_sync(0xffffffffu, tap, y - begin);
        return {(int)(t >> 15), (int)(t & 0x7fffu)};
    }
};

/* Readers of alphas: of a small mask, and of a full-size one or none. */
template <int N, int KIND> struct small_reader {
    source_rows<N, KIND> rows;
    columns<N> places;
    row_taps taps;

    __device__ __forceinline__ small_reader(const job &j, int begin)
        : places(make_columns<N>(j.v, j.x)), taps(j.v, begin)
    {
        rows.current = rows.below = -1;
    }

    __device__ __forceinline__ void read(const job &j, int y, const float *luma, float *alpha)
    {
        const int weight = move_rows(rows, j.v, places, taps.get(y));
        const float part = (float)weight * (1.0f / 32768.0f);
#pragma unroll
        for (int i = 0; i < N; i++)
            alpha[i] = rows.alpha(i, weight, part, luma[i]);
    }
};

template <int N> struct full_reader {
    __device__ __forceinline__ full_reader(const job &, int)
    {
    }

    __device__ __forceinline__ void read(const job &j, int y, const float *, float *alpha)
    {
        load_alpha<N>(j, y, alpha);
    }
};

/* Rows y and y + 1, the second one only if it is inside. */
template <int N, bool DEEP, typename READER>
__device__ __forceinline__ void render_pair(const job &j, READER &reader,
                                            const source_pair<N, DEEP> &s, int y, int count)
{
    float alpha[2][N];
#pragma unroll
    for (int r = 0; r < 2; r++) {
        if (r < count) {
            float luma[N];
            get_luma<N, DEEP>(j, s, y + r, r, luma);
            reader.read(j, y + r, luma, alpha[r]);
            write_row<N>(j, y + r, luma, alpha[r]);
        } else {
#pragma unroll
            for (int i = 0; i < N; i++)
                alpha[r][i] = alpha[0][i];
        }
    }
    if (j.v.output >= VRS_POST_COMPOSITE)
        write_chroma<N, DEEP>(j, y / 2, s, alpha[0], alpha[1]);
}

template <int N, bool DEEP, typename READER>
__device__ __forceinline__ void render_strip(const vrs_render_params &p, const job &j)
{
    const int begin = (blockIdx.y * WARPS + threadIdx.y) * p.rows;
    const int end = min(begin + p.rows, j.v.height);
    if (begin >= end)
        return;
    READER reader(j, begin);
#pragma unroll 1
    for (int y = begin; y < end; y += 2) {
        source_pair<N, DEEP> s = {};
        load_pair<N, DEEP>(j, y, s);
        render_pair<N, DEEP>(j, reader, s, y, min(end - y, 2));
    }
}

template <int N, bool DEEP>
__device__ __forceinline__ void render_depth(const vrs_render_params &p, const job &j)
{
    if (j.v.mask_kind == VRS_POST_MASK_SMALL)
        render_strip<N, DEEP, small_reader<N, VRS_POST_MASK_SMALL>>(p, j);
    else if (j.v.mask_kind == VRS_POST_MASK_REFINE)
        render_strip<N, DEEP, small_reader<N, VRS_POST_MASK_REFINE>>(p, j);
    else
        render_strip<N, DEEP, full_reader<N>>(p, j);
}

/* Columns beyond the right edge do the last one again and write nothing. */
extern "C" __global__ void __launch_bounds__(WARPS * 32, 3)
    vrs_render(const __grid_constant__ vrs_render_params p)
{
    const vrs_render_view &v = p.view[blockIdx.z];
    const int first = blockIdx.x * 32 * COLUMNS;
    if (first >= v.width)
        return;
    const job j(v, first + threadIdx.x * COLUMNS, p.threshold);
    if (v.flags & VRS_POST_SRC_DEEP)
        render_depth<COLUMNS, true>(p, j);
    else
        render_depth<COLUMNS, false>(p, j);
}
