/* Composition over a constant background with AVX-512: the last vector of a row is masked. */
#include <immintrin.h>

#include "kernels/x86/postprocess_x86.h"

static inline __m512i blend(__m512i sample, __m512i background, __m512i alpha)
{
    return _mm512_add_epi16(background,
                            _mm512_mulhrs_epi16(_mm512_sub_epi16(sample, background), alpha));
}

/* The first `count` of 32 words. */
static inline __mmask32 first_words(size_t count)
{
    return count >= 32 ? UINT32_MAX : (1U << count) - 1;
}

void vrs_avx512_blend8(const uint8_t *src, const int16_t *alpha, uint8_t *dst, size_t n,
                       uint8_t background)
{
    const __m512i bg = _mm512_set1_epi16(background);
    for (size_t i = 0; i < n; i += 32) {
        const __mmask32 mask = first_words(n - i);
        const __m512i sample = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(mask, src + i));
        const __m512i a = _mm512_maskz_loadu_epi16(mask, alpha + i);
        _mm256_mask_storeu_epi8(dst + i, mask, _mm512_cvtepi16_epi8(blend(sample, bg, a)));
    }
}

void vrs_avx512_blend10(const uint16_t *src, const int16_t *alpha, uint16_t *dst, size_t n,
                        uint16_t background, int32_t src_shift)
{
    const __m512i bg = _mm512_set1_epi16((int16_t)background);
    const __m128i shift = _mm_cvtsi32_si128(src_shift);
    for (size_t i = 0; i < n; i += 32) {
        const __mmask32 mask = first_words(n - i);
        const __m512i sample = _mm512_srl_epi16(_mm512_maskz_loadu_epi16(mask, src + i), shift);
        const __m512i a = _mm512_maskz_loadu_epi16(mask, alpha + i);
        _mm512_mask_storeu_epi16(dst + i, mask, blend(sample, bg, a));
    }
}

/* Sums of the neighbours of 32 columns, in 16 doublewords. */
static inline __m512i pair_sums(__m512i row0, __m512i row1)
{
    const __m512i ones = _mm512_set1_epi16(1);
    const __m512i sum =
        _mm512_add_epi32(_mm512_madd_epi16(row0, ones), _mm512_madd_epi16(row1, ones));
    return _mm512_srli_epi32(_mm512_add_epi32(sum, _mm512_set1_epi32(2)), 2);
}

void vrs_avx512_chroma_alpha(const int16_t *row0, const int16_t *row1, int16_t *dst, int32_t width)
{
    const int32_t pairs = width / 2;
    for (int32_t i = 0; i < pairs; i += 16) {
        const __mmask32 mask = first_words((size_t)(2 * (pairs - i)));
        const __m512i sum = pair_sums(_mm512_maskz_loadu_epi16(mask, row0 + 2 * (ptrdiff_t)i),
                                      _mm512_maskz_loadu_epi16(mask, row1 + 2 * (ptrdiff_t)i));
        const __mmask16 out = (__mmask16)first_words((size_t)(pairs - i));
        _mm256_mask_storeu_epi16(dst + i, out, _mm512_cvtepi32_epi16(sum));
    }
    if (width % 2 != 0)
        dst[pairs] = (int16_t)((2 * row0[width - 1] + 2 * row1[width - 1] + 2) >> 2);
}
