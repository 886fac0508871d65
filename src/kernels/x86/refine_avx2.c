/* Applying the guided filter's coefficients at full size with AVX2. */
#include "kernels/x86/expand_avx2.h"
#include "kernels/x86/postprocess_x86.h"

/* Expanded rows of slope and offset: two source rows of each, in the slots of a row pair. */
typedef struct coefficient_rows {
    float *slope[2], *offset[2];
} coefficient_rows;

/* Two source rows of both coefficients and how they mix into one row of the result. */
typedef struct mix {
    const float *slope0, *slope1, *offset0, *offset1;
    __m256 weight, luma_scale, luma_offset;
    __m128i luma_shift;
} mix;

static inline __m256 mix_rows(const float *upper, const float *lower, __m256 weight)
{
    const __m256 a = _mm256_loadu_ps(upper);
    return _mm256_fmadd_ps(_mm256_sub_ps(_mm256_loadu_ps(lower), a), weight, a);
}

/* Luma codes of 8 columns. */
static inline __m256i load_luma(const uint8_t *p, int32_t sample_bytes, __m128i shift)
{
    if (sample_bytes == 1)
        return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p));
    return _mm256_srl_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p)), shift);
}

/* 8 columns from x on, in doublewords. NaN becomes 0: max gives its second operand then. */
static inline __m256i refine_8(const mix *m, int32_t x, const uint8_t *luma, int32_t sample_bytes)
{
    const __m256 slope = mix_rows(m->slope0 + x, m->slope1 + x, m->weight);
    const __m256 offset = mix_rows(m->offset0 + x, m->offset1 + x, m->weight);
    const __m256 code = _mm256_cvtepi32_ps(load_luma(luma, sample_bytes, m->luma_shift));
    const __m256 y = _mm256_fmadd_ps(code, m->luma_scale, m->luma_offset);
    const __m256 p = _mm256_max_ps(_mm256_fmadd_ps(slope, y, offset), _mm256_setzero_ps());
    const __m256 clipped = _mm256_min_ps(p, _mm256_set1_ps(1));
    return _mm256_cvtps_epi32(_mm256_mul_ps(clipped, _mm256_set1_ps(VRS_Q15_ONE)));
}

static inline void refine_16(const mix *m, int32_t x, const uint8_t *luma, int32_t sample_bytes,
                             int16_t *dst)
{
    const __m256i a = refine_8(m, x, luma, sample_bytes);
    const __m256i b = refine_8(m, x + 8, luma + 8 * sample_bytes, sample_bytes);
    _mm256_storeu_si256((void *)dst, _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8));
}

static inline void refine_row(const mix *m, const uint8_t *luma, int32_t sample_bytes, int16_t *dst,
                              int32_t width)
{
    int32_t x = 0;
    for (; x + 16 <= width; x += 16)
        refine_16(m, x, luma + (ptrdiff_t)x * sample_bytes, sample_bytes, dst + x);
    if (x < width) {
        uint8_t codes[32] = {0};
        int16_t rest[16];
        memcpy(codes, luma + (ptrdiff_t)x * sample_bytes, (size_t)((width - x) * sample_bytes));
        refine_16(m, x, codes, sample_bytes, rest);
        memcpy(dst + x, rest, (size_t)(width - x) * sizeof(*dst));
    }
}

/* The slot of an expanded source row, filled where it is new. */
static int expanded(const vrs_upsample *up, const float *slope, const float *offset,
                    ptrdiff_t stride, int32_t row, vrs_row_pair *pair, const coefficient_rows *rows)
{
    bool fill;
    const int slot = vrs_row_slot(pair, row, &fill);
    if (fill) {
        vrs_expand_floats(up, slope + row * stride, rows->slope[slot]);
        vrs_expand_floats(up, offset + row * stride, rows->offset[slot]);
    }
    return slot;
}

void vrs_avx2_refine(const vrs_upsample *upsample, const float *slope, const float *offset,
                     ptrdiff_t src_stride, const vrs_luma *luma, int32_t row_begin, int32_t row_end,
                     int16_t *dst, ptrdiff_t dst_stride, float *scratch)
{
    const ptrdiff_t pitch = (upsample->width + 15) / 16 * 16;
    const coefficient_rows rows = {{scratch, scratch + pitch},
                                   {scratch + 2 * pitch, scratch + 3 * pitch}};
    const int32_t last = upsample->source_height - 1;
    vrs_row_pair pair = {{-1, -1}};
    for (int32_t y = row_begin; y < row_end; y++, dst += dst_stride) {
        const int32_t top = upsample->row_index[y];
        const int32_t bottom = vrs_min_i32(top + 1, last);
        const int upper = expanded(upsample, slope, offset, src_stride, top, &pair, &rows);
        const int lower = expanded(upsample, slope, offset, src_stride, bottom, &pair, &rows);
        const mix m = {
            .slope0 = rows.slope[upper],
            .slope1 = rows.slope[lower],
            .offset0 = rows.offset[upper],
            .offset1 = rows.offset[lower],
            .weight = _mm256_set1_ps((float)upsample->row_weight[y] * (1.0f / 32768.0f)),
            .luma_scale = _mm256_set1_ps(luma->scale),
            .luma_offset = _mm256_set1_ps(luma->offset),
            .luma_shift = _mm_cvtsi32_si128(luma->sample_shift),
        };
        const uint8_t *codes = luma->data + y * luma->stride;
        if (luma->sample_bytes == 1)
            refine_row(&m, codes, 1, dst, upsample->width);
        else
            refine_row(&m, codes, 2, dst, upsample->width);
    }
}
