/* Applying the guided filter's coefficients at full size with AVX-512: as refine_avx2.c, with
 * vectors of 16 and masks at the end of a row. */
#include "kernels/x86/expand_avx2.h"
#include "kernels/x86/postprocess_x86.h"

/* Two source rows of both coefficients and how they mix into one row of the result. */
typedef struct mix {
    const float *slope[2], *offset[2];
    __m512 weight, luma_scale, luma_offset;
    __m128i luma_shift;
} mix;

static inline __mmask16 first_16(int32_t count)
{
    return (__mmask16)(count >= 16 ? UINT16_MAX : (1U << count) - 1);
}

/* 16 outputs out of one vector of 16 samples. */
static inline __m512 expand_16(const float *src, const int32_t *index, const int16_t *weight,
                               int32_t base, int32_t last)
{
    const __m512 v = _mm512_loadu_ps(src + base);
    const __m512i left = _mm512_sub_epi32(_mm512_loadu_si512(index), _mm512_set1_epi32(base));
    const __m512i right = _mm512_min_epi32(_mm512_add_epi32(left, _mm512_set1_epi32(1)),
                                           _mm512_set1_epi32(last - base));
    const __m512i codes = _mm512_cvtepi16_epi32(_mm256_loadu_si256((const void *)weight));
    const __m512 w = _mm512_mul_ps(_mm512_cvtepi32_ps(codes), _mm512_set1_ps(1.0f / 32768.0f));
    const __m512 a = _mm512_permutexvar_ps(left, v), b = _mm512_permutexvar_ps(right, v);
    return _mm512_fmadd_ps(_mm512_sub_ps(b, a), w, a);
}

/* One row of coefficients into dst, which has room for `width` rounded up to 16. */
static void expand(const vrs_upsample *up, const float *src, float *dst)
{
    const int32_t last = up->source_width - 1;
    float small[16] = {0};
    if (last < 15) {
        memcpy(small, src, (size_t)up->source_width * sizeof(*src));
        src = small;
    }
    const int32_t reach = vrs_max_i32(last - 15, 0);
    for (int32_t x = 0; x < up->width; x += 16) {
        const int32_t *index = up->column_index + x;
        const int16_t *weight = up->column_weight + x;
        const int32_t base = vrs_min_i32(index[0], reach);
        if (vrs_min_i32(index[15] + 1, last) - base <= 15) {
            _mm512_storeu_ps(dst + x, expand_16(src, index, weight, base, last));
            continue;
        }
        for (int32_t i = 0; i < 16; i++) {
            const float a = src[index[i]], b = src[vrs_min_i32(index[i] + 1, last)];
            dst[x + i] = a + (b - a) * ((float)weight[i] * (1.0f / 32768.0f));
        }
    }
}

static inline __m512 mix_rows(const float *const rows[2], int32_t x, __m512 weight)
{
    const __m512 a = _mm512_loadu_ps(rows[0] + x);
    return _mm512_fmadd_ps(_mm512_sub_ps(_mm512_loadu_ps(rows[1] + x), a), weight, a);
}

static inline __m512i load_luma(const uint8_t *p, int32_t sample_bytes, __m128i shift,
                                __mmask16 mask)
{
    if (sample_bytes == 1)
        return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, p));
    return _mm512_srl_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, p)), shift);
}

static inline void refine_row(const mix *m, const uint8_t *luma, int32_t sample_bytes, int16_t *dst,
                              int32_t width)
{
    for (int32_t x = 0; x < width; x += 16) {
        const __mmask16 mask = first_16(width - x);
        const __m512 slope = mix_rows(m->slope, x, m->weight);
        const __m512 offset = mix_rows(m->offset, x, m->weight);
        const __m512i code =
            load_luma(luma + (ptrdiff_t)x * sample_bytes, sample_bytes, m->luma_shift, mask);
        const __m512 y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(code), m->luma_scale, m->luma_offset);
        /* NaN becomes 0: max gives its second operand then */
        const __m512 p = _mm512_max_ps(_mm512_fmadd_ps(slope, y, offset), _mm512_setzero_ps());
        const __m512 clipped = _mm512_min_ps(p, _mm512_set1_ps(1));
        const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(clipped, _mm512_set1_ps(VRS_Q15_ONE)));
        _mm256_mask_storeu_epi16(dst + x, mask, _mm512_cvtepi32_epi16(q));
    }
}

void vrs_avx512_refine(const vrs_upsample *upsample, const float *slope, const float *offset,
                       ptrdiff_t src_stride, const vrs_luma *luma, int32_t row_begin,
                       int32_t row_end, int16_t *dst, ptrdiff_t dst_stride, float *scratch)
{
    const ptrdiff_t pitch = (upsample->width + 15) / 16 * 16;
    const int32_t last = upsample->source_height - 1;
    mix m = {.luma_scale = _mm512_set1_ps(luma->scale),
             .luma_offset = _mm512_set1_ps(luma->offset),
             .luma_shift = _mm_cvtsi32_si128(luma->sample_shift)};
    vrs_row_pair pair = {{-1, -1}};
    for (int32_t y = row_begin; y < row_end; y++, dst += dst_stride) {
        for (int i = 0; i < 2; i++) {
            const int32_t row = vrs_min_i32(upsample->row_index[y] + i, last);
            bool fill;
            const int slot = vrs_row_slot(&pair, row, &fill);
            float *slope_row = scratch + slot * pitch, *offset_row = slope_row + 2 * pitch;
            if (fill) {
                expand(upsample, slope + row * src_stride, slope_row);
                expand(upsample, offset + row * src_stride, offset_row);
            }
            m.slope[i] = slope_row;
            m.offset[i] = offset_row;
        }
        m.weight = _mm512_set1_ps((float)upsample->row_weight[y] * (1.0f / 32768.0f));
        const uint8_t *codes = luma->data + y * luma->stride;
        if (luma->sample_bytes == 1)
            refine_row(&m, codes, 1, dst, upsample->width);
        else
            refine_row(&m, codes, 2, dst, upsample->width);
    }
}
