/* Composition over a constant background with AVX2. */
#include <immintrin.h>

#include "kernels/x86/postprocess_x86.h"

static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

static inline void store(void *p, __m256i v)
{
    _mm256_storeu_si256(p, v);
}

static inline int32_t blend_one(int32_t sample, int32_t background, int16_t alpha)
{
    return background + vrs_mul_q15(sample - background, alpha);
}

static inline __m256i blend(__m256i sample, __m256i background, __m256i alpha)
{
    return _mm256_add_epi16(background,
                            _mm256_mulhrs_epi16(_mm256_sub_epi16(sample, background), alpha));
}

static inline __m256i widen(const uint8_t *p)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)p));
}

/* 32 bytes in order out of two vectors of 16 words. */
static inline __m256i pack_bytes(__m256i a, __m256i b)
{
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
}

void vrs_avx2_blend8(const uint8_t *src, const int16_t *alpha, uint8_t *dst, size_t n,
                     uint8_t background)
{
    const __m256i bg = _mm256_set1_epi16(background);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m256i a = blend(widen(src + i), bg, load(alpha + i));
        const __m256i b = blend(widen(src + i + 16), bg, load(alpha + i + 16));
        store(dst + i, pack_bytes(a, b));
    }
    for (; i < n; i++)
        dst[i] = (uint8_t)blend_one(src[i], background, alpha[i]);
}

void vrs_avx2_blend10(const uint16_t *src, const int16_t *alpha, uint16_t *dst, size_t n,
                      uint16_t background, int32_t src_shift)
{
    const __m256i bg = _mm256_set1_epi16((int16_t)background);
    const __m128i shift = _mm_cvtsi32_si128(src_shift);
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        store(dst + i, blend(_mm256_srl_epi16(load(src + i), shift), bg, load(alpha + i)));
    for (; i < n; i++)
        dst[i] = (uint16_t)blend_one(src[i] >> src_shift, background, alpha[i]);
}

/* Sums of the neighbours of 16 columns, in 8 doublewords. */
static inline __m256i pair_sums(const int16_t *row0, const int16_t *row1)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i sum =
        _mm256_add_epi32(_mm256_madd_epi16(load(row0), ones), _mm256_madd_epi16(load(row1), ones));
    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(2)), 2);
}

void vrs_avx2_chroma_alpha(const int16_t *row0, const int16_t *row1, int16_t *dst, int32_t width)
{
    int32_t x = 0;
    for (; x + 32 <= width; x += 32) {
        const __m256i a = pair_sums(row0 + x, row1 + x);
        const __m256i b = pair_sums(row0 + x + 16, row1 + x + 16);
        store(dst + x / 2, _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8));
    }
    for (; x < width; x += 2) {
        const int32_t right = x + 1 < width ? x + 1 : x;
        dst[x / 2] = (int16_t)((row0[x] + row0[right] + row1[x] + row1[right] + 2) >> 2);
    }
}

void vrs_avx2_blend_uv8(const uint8_t *uv, const int16_t *alpha, uint8_t *u, uint8_t *v, size_t n,
                        uint8_t background_u, uint8_t background_v)
{
    const __m256i bg_u = _mm256_set1_epi16(background_u), bg_v = _mm256_set1_epi16(background_v);
    const __m256i low = _mm256_set1_epi16(0xff);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m256i uv0 = load(uv + 2 * i), uv1 = load(uv + 2 * i + 32);
        const __m256i alpha0 = load(alpha + i), alpha1 = load(alpha + i + 16);
        store(u + i, pack_bytes(blend(_mm256_and_si256(uv0, low), bg_u, alpha0),
                                blend(_mm256_and_si256(uv1, low), bg_u, alpha1)));
        store(v + i, pack_bytes(blend(_mm256_srli_epi16(uv0, 8), bg_v, alpha0),
                                blend(_mm256_srli_epi16(uv1, 8), bg_v, alpha1)));
    }
    for (; i < n; i++) {
        u[i] = (uint8_t)blend_one(uv[2 * i], background_u, alpha[i]);
        v[i] = (uint8_t)blend_one(uv[2 * i + 1], background_v, alpha[i]);
    }
}

/* 16 words in order out of two vectors of 8 doublewords below 2^16. */
static inline __m256i pack_words(__m256i a, __m256i b)
{
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xd8);
}

void vrs_avx2_blend_uv10(const uint16_t *uv, const int16_t *alpha, uint16_t *u, uint16_t *v,
                         size_t n, uint16_t background_u, uint16_t background_v, int32_t src_shift)
{
    const __m256i bg_u = _mm256_set1_epi16((int16_t)background_u);
    const __m256i bg_v = _mm256_set1_epi16((int16_t)background_v);
    const __m256i low = _mm256_set1_epi32(0xffff);
    const __m128i shift = _mm_cvtsi32_si128(src_shift);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m256i uv0 = _mm256_srl_epi16(load(uv + 2 * i), shift);
        const __m256i uv1 = _mm256_srl_epi16(load(uv + 2 * i + 16), shift);
        const __m256i a = load(alpha + i);
        store(u + i,
              blend(pack_words(_mm256_and_si256(uv0, low), _mm256_and_si256(uv1, low)), bg_u, a));
        store(v + i,
              blend(pack_words(_mm256_srli_epi32(uv0, 16), _mm256_srli_epi32(uv1, 16)), bg_v, a));
    }
    for (; i < n; i++) {
        u[i] = (uint16_t)blend_one(uv[2 * i] >> src_shift, background_u, alpha[i]);
        v[i] = (uint16_t)blend_one(uv[2 * i + 1] >> src_shift, background_v, alpha[i]);
    }
}
