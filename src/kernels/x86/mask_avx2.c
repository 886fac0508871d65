/* Masks in Q15 with AVX2: smoothing, up-sampling, threshold, storing. pmulhrsw is mul_q15. */
#include "kernels/x86/expand_avx2.h"
#include "kernels/x86/postprocess_x86.h"

static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

static inline void store(void *p, __m256i v)
{
    _mm256_storeu_si256(p, v);
}

static inline __m256i lerp(__m256i a, __m256i b, __m256i weight)
{
    return _mm256_add_epi16(a, _mm256_mulhrs_epi16(_mm256_sub_epi16(b, a), weight));
}

static inline int16_t lerp_one(int16_t a, int16_t b, int16_t weight)
{
    return (int16_t)(a + vrs_mul_q15(b - a, weight));
}

void vrs_avx2_smooth(int16_t *state, int16_t *mask, size_t n, int16_t weight)
{
    const __m256i w = _mm256_set1_epi16(weight);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m256i v = lerp(load(state + i), load(mask + i), w);
        store(state + i, v);
        store(mask + i, v);
    }
    for (; i < n; i++) {
        state[i] = lerp_one(state[i], mask[i], weight);
        mask[i] = state[i];
    }
}

void vrs_avx2_threshold(int16_t *q15, size_t n, int16_t threshold)
{
    const __m256i t = _mm256_set1_epi16(threshold);
    const __m256i one = _mm256_set1_epi16(VRS_Q15_ONE);
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        store(q15 + i, _mm256_andnot_si256(_mm256_cmpgt_epi16(t, load(q15 + i)), one));
    for (; i < n; i++)
        q15[i] = q15[i] < threshold ? 0 : VRS_Q15_ONE;
}

/* 16 outputs from two vectors of 8 source samples, one in each half. `end`: the last sample's word
 * in a vector at the row's end. */
static inline __m256i expand_16(const int16_t *src, const int32_t *index, const int16_t *weight,
                                int32_t base0, int32_t base1, int32_t end)
{
    const __m256i v = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const void *)(src + base0))),
        _mm_loadu_si128((const void *)(src + base1)), 1);
    const __m256i left0 = _mm256_sub_epi32(load(index), _mm256_set1_epi32(base0));
    const __m256i left1 = _mm256_sub_epi32(load(index + 8), _mm256_set1_epi32(base1));
    const __m256i left = _mm256_permute4x64_epi64(_mm256_packs_epi32(left0, left1), 0xd8);
    /* word i lies in bytes 2i and 2i + 1 */
    const __m256i step = _mm256_set1_epi16(0x0202), first = _mm256_set1_epi16(0x0100);
    const __m256i left_bytes = _mm256_add_epi16(_mm256_mullo_epi16(left, step), first);
    const __m256i right_bytes = _mm256_min_epi16(_mm256_add_epi16(left_bytes, step),
                                                 _mm256_set1_epi16((int16_t)(end * 0x202 + 0x100)));
    return lerp(_mm256_shuffle_epi8(v, left_bytes), _mm256_shuffle_epi8(v, right_bytes),
                load(weight));
}

static void expand(const vrs_upsample *up, const int16_t *src, int16_t *dst)
{
    const int32_t last = up->source_width - 1;
    int16_t small[8] = {0};
    if (last < 7) {
        memcpy(small, src, (size_t)up->source_width * sizeof(*src));
        src = small;
    }
    const int32_t reach = vrs_max_i32(last - 7, 0);
    for (int32_t x = 0; x < up->width; x += 16) {
        const int32_t *index = up->column_index + x;
        const int16_t *weight = up->column_weight + x;
        int32_t base0, base1;
        const bool fits0 = vrs_group_base(index, reach, last, &base0);
        const bool fits1 = vrs_group_base(index + 8, reach, last, &base1);
        if (fits0 && fits1) {
            store(dst + x, expand_16(src, index, weight, base0, base1, vrs_min_i32(last, 7)));
            continue;
        }
        for (int32_t i = 0; i < 16; i++)
            dst[x + i] = lerp_one(src[index[i]], src[vrs_min_i32(index[i] + 1, last)], weight[i]);
    }
}

static void mix_rows(const int16_t *upper, const int16_t *lower, int16_t weight, int16_t *dst,
                     int32_t width)
{
    const __m256i w = _mm256_set1_epi16(weight);
    int32_t x = 0;
    for (; x + 16 <= width; x += 16)
        store(dst + x, lerp(load(upper + x), load(lower + x), w));
    for (; x < width; x++)
        dst[x] = lerp_one(upper[x], lower[x], weight);
}

void vrs_avx2_upsample(const vrs_upsample *upsample, const int16_t *src, ptrdiff_t src_stride,
                       int32_t row_begin, int32_t row_end, int16_t *dst, ptrdiff_t dst_stride,
                       int16_t *scratch)
{
    int16_t *const rows[2] = {scratch, scratch + (upsample->width + 63) / 64 * 64};
    vrs_row_pair pair = {{-1, -1}};
    for (int32_t y = row_begin; y < row_end; y++, dst += dst_stride) {
        const int32_t top = upsample->row_index[y];
        const int16_t weight = upsample->row_weight[y];
        bool fill;
        const int16_t *upper = rows[vrs_row_slot(&pair, top, &fill)];
        if (fill)
            expand(upsample, src + top * src_stride, rows[upper == rows[1]]);
        if (weight == 0) {
            memcpy(dst, upper, (size_t)upsample->width * sizeof(*dst));
            continue;
        }
        const int16_t *lower = rows[vrs_row_slot(&pair, top + 1, &fill)];
        if (fill)
            expand(upsample, src + (top + 1) * src_stride, rows[lower == rows[1]]);
        mix_rows(upper, lower, weight, dst, upsample->width);
    }
}

void vrs_avx2_store8(const int16_t *q15, uint8_t *dst, size_t n)
{
    const __m256i peak = _mm256_set1_epi16(255);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m256i a = _mm256_mulhrs_epi16(load(q15 + i), peak);
        const __m256i b = _mm256_mulhrs_epi16(load(q15 + i + 16), peak);
        store(dst + i, _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8));
    }
    for (; i < n; i++)
        dst[i] = (uint8_t)vrs_mul_q15(q15[i], 255);
}

void vrs_avx2_store10(const int16_t *q15, uint16_t *dst, size_t n)
{
    const __m256i peak = _mm256_set1_epi16(1023);
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        store(dst + i, _mm256_mulhrs_epi16(load(q15 + i), peak));
    for (; i < n; i++)
        dst[i] = (uint16_t)vrs_mul_q15(q15[i], 1023);
}
