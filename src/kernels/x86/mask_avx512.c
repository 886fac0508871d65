/* Up-sampling and storing of masks with AVX-512: 32 outputs take their neighbours out of one vector
 * of 32 source samples. */
#include "kernels/x86/expand_avx2.h"
#include "kernels/x86/postprocess_x86.h"

static inline __m512i lerp(__m512i a, __m512i b, __m512i weight)
{
    return _mm512_add_epi16(a, _mm512_mulhrs_epi16(_mm512_sub_epi16(b, a), weight));
}

static inline __m512i load(const void *p)
{
    return _mm512_loadu_si512(p);
}

/* The first `count` of 32 words. */
static inline __mmask32 first_words(int32_t count)
{
    return count >= 32 ? UINT32_MAX : (1U << count) - 1;
}

/* Indices of 32 outputs, counted from `base`, in words. */
static inline __m512i relative(const int32_t *index, int32_t base)
{
    const __m512i origin = _mm512_set1_epi32(base);
    const __m256i low = _mm512_cvtepi32_epi16(_mm512_sub_epi32(load(index), origin));
    const __m256i high = _mm512_cvtepi32_epi16(_mm512_sub_epi32(load(index + 16), origin));
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

static inline __m512i expand_32(const int16_t *src, const int32_t *index, const int16_t *weight,
                                int32_t base, int32_t last)
{
    const __m512i v = load(src + base);
    const __m512i left = relative(index, base);
    const __m512i end = _mm512_set1_epi16((int16_t)vrs_min_i32(last - base, 31));
    const __m512i right = _mm512_min_epi16(_mm512_add_epi16(left, _mm512_set1_epi16(1)), end);
    return lerp(_mm512_permutexvar_epi16(left, v), _mm512_permutexvar_epi16(right, v),
                load(weight));
}

static void expand(const vrs_upsample *up, const int16_t *src, int16_t *dst)
{
    const int32_t last = up->source_width - 1;
    int16_t small[32] = {0};
    if (last < 31) {
        memcpy(small, src, (size_t)up->source_width * sizeof(*src));
        src = small;
    }
    const int32_t reach = vrs_max_i32(last - 31, 0);
    for (int32_t x = 0; x < up->width; x += 32) {
        const int32_t *index = up->column_index + x;
        const int16_t *weight = up->column_weight + x;
        const int32_t base = vrs_min_i32(index[0], reach);
        if (vrs_min_i32(index[31] + 1, last) - base <= 31) {
            _mm512_storeu_si512(dst + x, expand_32(src, index, weight, base, last));
            continue;
        }
        for (int32_t i = 0; i < 32; i++) {
            const int16_t a = src[index[i]], b = src[vrs_min_i32(index[i] + 1, last)];
            dst[x + i] = (int16_t)(a + vrs_mul_q15(b - a, weight[i]));
        }
    }
}

static void mix_rows(const int16_t *upper, const int16_t *lower, int16_t weight, int16_t *dst,
                     int32_t width)
{
    const __m512i w = _mm512_set1_epi16(weight);
    for (int32_t x = 0; x < width; x += 32)
        _mm512_mask_storeu_epi16(dst + x, first_words(width - x),
                                 lerp(load(upper + x), load(lower + x), w));
}

void vrs_avx512_upsample(const vrs_upsample *upsample, const int16_t *src, ptrdiff_t src_stride,
                         int32_t row_begin, int32_t row_end, int16_t *dst, ptrdiff_t dst_stride,
                         int16_t *scratch)
{
    int16_t *const rows[2] = {scratch, scratch + (upsample->width + 63) / 64 * 64};
    const int32_t last = upsample->source_height - 1;
    vrs_row_pair pair = {{-1, -1}};
    for (int32_t y = row_begin; y < row_end; y++, dst += dst_stride) {
        const int16_t *used[2];
        for (int i = 0; i < 2; i++) {
            const int32_t row = vrs_min_i32(upsample->row_index[y] + i, last);
            bool fill;
            const int slot = vrs_row_slot(&pair, row, &fill);
            if (fill)
                expand(upsample, src + row * src_stride, rows[slot]);
            used[i] = rows[slot];
        }
        mix_rows(used[0], used[1], upsample->row_weight[y], dst, upsample->width);
    }
}

void vrs_avx512_store8(const int16_t *q15, uint8_t *dst, size_t n)
{
    const __m512i peak = _mm512_set1_epi16(255);
    for (size_t i = 0; i < n; i += 32) {
        const __mmask32 mask = first_words((int32_t)(n - i < 32 ? n - i : 32));
        const __m512i code = _mm512_mulhrs_epi16(_mm512_maskz_loadu_epi16(mask, q15 + i), peak);
        _mm512_mask_cvtepi16_storeu_epi8(dst + i, mask, code);
    }
}
