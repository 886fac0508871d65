/* Fused preprocessing on the GPU; the definition is kernels/reference/preprocess.c.
 *
 * A thread makes one column of `rows` rows of the network's picture, straight from global memory.
 * Across, the weights of an area or bilinear resize are fractions of one small denominator (15ths
 * from 1920 to 512), so a row's window is summed exactly in integers: the four bytes of a word
 * times four weights in one instruction (dp4a; dp2a for 16-bit samples), with no conversion of each
 * sample and no shared memory. Down, row sums are weighted as floats; the row that two outputs
 * share is read once. Windows of neighbours overlap in words, which the first-level cache gives
 * twice. All rows of an output are asked for before the first is used. */
#include "preprocess.cuh"

#define LUMA_ROWS 3 /* asked for at once */
#define CHROMA_ROWS 2

/* How a source's rows look. */
template <int BYTES, bool PAIRED, bool HIGH> struct vrs_source {
    static constexpr int bytes = BYTES;    /* of a sample */
    static constexpr bool paired = PAIRED; /* U and V in turn */
    static constexpr bool high = HIGH;     /* 10 bits in the upper ones of 16 */
};

/* One lane's window of a row: where it begins and what its samples weigh. */
template <int BYTES, int WORDS, bool FINE> struct vrs_window {
    uint32_t base; /* word of the row */
    uint32_t low[WORDS], high[BYTES == 1 && FINE ? WORDS : 1];

    __device__ __forceinline__ void load(const vrs_preprocess_view &view, int kind, int column)
    {
        const uint32_t *table = vrs_table<uint32_t>(view, view.integer[kind]) + column;
        base = __ldg(table);
#pragma unroll
        for (int w = 0; w < WORDS; w++)
            low[w] = __ldg(table + (1 + w) * view.width);
        if (BYTES == 1 && FINE) {
#pragma unroll
            for (int w = 0; w < WORDS; w++)
                high[BYTES == 1 && FINE ? w : 0] = __ldg(table + (1 + WORDS + w) * view.width);
        }
    }

    /* Weighted sum of a row's window; `shift` 8 takes V's samples instead of U's. */
    __device__ __forceinline__ float sum(const uint32_t words[WORDS], int shift) const
    {
        uint32_t total = 0, upper = 0;
#pragma unroll
        for (int w = 0; w < WORDS; w++) {
            if (BYTES == 1) {
                total = __dp4a(words[w], low[w] << shift, total);
                if (FINE)
                    upper = __dp4a(words[w], high[BYTES == 1 && FINE ? w : 0] << shift, upper);
            } else {
                total = __dp2a_lo(words[w], low[w] << shift, total);
                if (FINE)
                    upper = __dp2a_hi(words[w], low[w] << shift, upper);
            }
        }
        return (float)(int)(FINE ? total + (upper << 8) : total);
    }
};

template <class SOURCE, int WORDS>
__device__ __forceinline__ void vrs_load_row(const vrs_preprocess_view &view, int plane, int row,
                                             uint32_t base, uint32_t words[WORDS])
{
    const uint32_t *from =
        reinterpret_cast<const uint32_t *>(view.plane[plane] + (int64_t)row * view.stride[plane]) +
        base;
#pragma unroll
    for (int w = 0; w < WORDS; w++)
        words[w] = __ldg(from + w);
}

template <class SOURCE> __device__ __forceinline__ uint32_t vrs_clean(uint32_t word)
{
    if (SOURCE::bytes == 1)
        return word;
    return SOURCE::high ? word & 0xffc0ffc0u : __vminu2(word, 0x03ff03ffu);
}

/* Rows of one output: which, and how much of each. */
struct vrs_span {
    int first, count;
    const float *weight;
};

__device__ __forceinline__ vrs_span vrs_span_of(const vrs_preprocess_view &view, int kind, int row)
{
    const vrs_preprocess_taps &down = view.down[kind];
    vrs_span span;
    span.first = __ldg(vrs_table<int>(view, down.first) + row);
    span.count = __ldg(vrs_table<int>(view, down.taps) + row);
    span.weight = vrs_table<float>(view, down.weight) + (size_t)row * down.stride;
    return span;
}

/* Sums of the row that the next output may begin with. */
struct vrs_kept {
    int row;
    float sum[2];
};

template <class SOURCE, int WORDS, bool FINE>
__device__ __forceinline__ void
vrs_resize_rows(const vrs_preprocess_view &view, const vrs_window<SOURCE::bytes, WORDS, FINE> &wide,
                const vrs_window<SOURCE::bytes, WORDS, FINE> &half, int row, vrs_kept &kept_luma,
                vrs_kept &kept_chroma, float component[3])
{
    const vrs_span luma = vrs_span_of(view, 0, row), chroma = vrs_span_of(view, 1, row);
    float sum = 0.0f, sum_u = 0.0f, sum_v = 0.0f;
    int l = 0, c = 0;
    if (luma.first == kept_luma.row) {
        sum = __ldg(luma.weight) * kept_luma.sum[0];
        l = 1;
    }
    if (chroma.first == kept_chroma.row) {
        sum_u = __ldg(chroma.weight) * kept_chroma.sum[0];
        sum_v = __ldg(chroma.weight) * kept_chroma.sum[1];
        c = 1;
    }
    while (l < luma.count || c < chroma.count) {
        uint32_t y[LUMA_ROWS][WORDS], u[CHROMA_ROWS][WORDS];
        uint32_t v[SOURCE::paired ? 1 : CHROMA_ROWS][WORDS];
#pragma unroll
        for (int i = 0; i < LUMA_ROWS; i++) {
            if (l + i < luma.count)
                vrs_load_row<SOURCE, WORDS>(view, 0, luma.first + l + i, wide.base, y[i]);
        }
#pragma unroll
        for (int i = 0; i < CHROMA_ROWS; i++) {
            if (c + i < chroma.count) {
                vrs_load_row<SOURCE, WORDS>(view, 1, chroma.first + c + i, half.base, u[i]);
                if (!SOURCE::paired)
                    vrs_load_row<SOURCE, WORDS>(view, 2, chroma.first + c + i, half.base,
                                                v[SOURCE::paired ? 0 : i]);
            }
        }
#pragma unroll
        for (int i = 0; i < LUMA_ROWS; i++) {
            if (l + i < luma.count) {
#pragma unroll
                for (int w = 0; w < WORDS; w++)
                    y[i][w] = vrs_clean<SOURCE>(y[i][w]);
                kept_luma.sum[0] = wide.sum(y[i], 0);
                sum = fmaf(__ldg(luma.weight + l + i), kept_luma.sum[0], sum);
            }
        }
#pragma unroll
        for (int i = 0; i < CHROMA_ROWS; i++) {
            if (c + i < chroma.count) {
#pragma unroll
                for (int w = 0; w < WORDS; w++) {
                    u[i][w] = vrs_clean<SOURCE>(u[i][w]);
                    if (!SOURCE::paired)
                        v[SOURCE::paired ? 0 : i][w] =
                            vrs_clean<SOURCE>(v[SOURCE::paired ? 0 : i][w]);
                }
                kept_chroma.sum[0] = half.sum(u[i], 0);
                kept_chroma.sum[1] =
                    SOURCE::paired ? half.sum(u[i], 8) : half.sum(v[SOURCE::paired ? 0 : i], 0);
                const float weight = __ldg(chroma.weight + c + i);
                sum_u = fmaf(weight, kept_chroma.sum[0], sum_u);
                sum_v = fmaf(weight, kept_chroma.sum[1], sum_v);
            }
        }
        l += LUMA_ROWS;
        c += CHROMA_ROWS;
    }
    kept_luma.row = luma.first + luma.count - 1;
    kept_chroma.row = chroma.first + chroma.count - 1;
    component[0] = sum * view.unit[0];
    component[1] = sum_u * view.unit[1];
    component[2] = sum_v * view.unit[1];
}

template <class SOURCE, int WORDS, bool FINE>
__device__ __forceinline__ void vrs_strip(const vrs_preprocess_params &p,
                                          const vrs_preprocess_view &view)
{
    const int x = blockIdx.x * VRS_PREPROCESS_THREADS + threadIdx.x;
    const int begin = blockIdx.y * p.rows, end = min(begin + p.rows, p.height);
    const int column = min(max(x - view.x, 0), view.width - 1);
    const bool shared = p.layout == VRS_PRE_S2D && p.type == VRS_PRE_F16 && p.channels == 16;
    vrs_window<SOURCE::bytes, WORDS, FINE> wide, half;
    wide.load(view, 0, column);
    half.load(view, 1, column);
    vrs_kept luma = {-1, {0.0f, 0.0f}}, chroma = {-1, {0.0f, 0.0f}};
    uint2 upper = make_uint2(0, 0);
    for (int y = begin; y < end; y++) {
        const int row = min(max(y - view.y, 0), view.height - 1);
        const bool inside = (unsigned)(x - view.x) < (unsigned)view.width && row == y - view.y;
        float component[3], value[3];
        vrs_resize_rows<SOURCE, WORDS, FINE>(view, wide, half, row, luma, chroma, component);
        vrs_color(p, view, inside, component, value);
        if (view.luma != 0 && x < p.width)
            vrs_store_guide(p, view, inside, component, x, y);
        if (shared) {
            const uint2 pixel =
                make_uint2(vrs_half2(value[0], value[1]), vrs_half2(value[2], 0.0f));
            if ((y & 1) != 0)
                vrs_store_s2d(p, view.tensor, x, y, upper, pixel);
            upper = pixel;
        } else if (x < p.width) {
            vrs_store_pixel(p, view.tensor, x, y, value);
        }
    }
}

template <class SOURCE> __device__ __forceinline__ void vrs_strips(const vrs_preprocess_params &p)
{
    constexpr int narrow = SOURCE::bytes == 1 ? 2 : 3, wide = SOURCE::bytes == 1 ? 3 : 5;
    const vrs_preprocess_view &view = p.view[blockIdx.z];
    if (view.shape == VRS_PREPROCESS_NARROW)
        vrs_strip<SOURCE, narrow, false>(p, view);
    else if (view.shape == VRS_PREPROCESS_NARROW_FINE)
        vrs_strip<SOURCE, narrow, true>(p, view);
    else if (view.shape == VRS_PREPROCESS_WIDE)
        vrs_strip<SOURCE, wide, false>(p, view);
    else
        vrs_strip<SOURCE, wide, true>(p, view);
}

/* Ten blocks a multiprocessor: measured faster than the 64 to 96 registers of a free choice. */
#define VRS_PREPROCESS_KERNEL(name, bytes, paired, high)                     \
    extern "C" __global__ void __launch_bounds__(VRS_PREPROCESS_THREADS, 10) \
        name(const __grid_constant__ vrs_preprocess_params p)                \
    {                                                                        \
        vrs_strips<vrs_source<bytes, paired, high>>(p);                      \
    }

VRS_PREPROCESS_KERNEL(vrs_preprocess_yuv420p, 1, false, false)
VRS_PREPROCESS_KERNEL(vrs_preprocess_nv12, 1, true, false)
VRS_PREPROCESS_KERNEL(vrs_preprocess_yuv420p10, 2, false, false)
VRS_PREPROCESS_KERNEL(vrs_preprocess_p010, 2, true, true)
