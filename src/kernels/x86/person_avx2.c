/* Person probability with AVX2: 8 pixels at a time, a vector a class. Pixels whose classes do not
 * lie so (channels last, the end of a row) are first brought into such a block on the stack. */
#include <immintrin.h>
#include <stdbool.h>

#include "kernels/postprocess.h"
#include "kernels/x86/postprocess_x86.h"

#define MAX_CLASSES 32

/* e^x for x in -87..87 (further out held there); NaN stays NaN. 2^f on -0.5..0.5 by a polynomial of
 * degree 4 through the Chebyshev nodes: relative error 3.5e-6, a ninth of a Q15 step at 1. */
static inline __m256 exp_8(__m256 x)
{
    x = _mm256_min_ps(_mm256_set1_ps(87), _mm256_max_ps(_mm256_set1_ps(-87), x));
    const __m256 t = _mm256_mul_ps(x, _mm256_set1_ps(1.44269504f));
    const __m256 n = _mm256_round_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 f = _mm256_sub_ps(t, n);
    __m256 p = _mm256_set1_ps(0.00966636852f);
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(0.0559219758f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(0.24022349f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(0.693121045f));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1.0f));
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

static inline __m256 softmax_8(const vrs_scores *s, const float *block, ptrdiff_t class_stride)
{
    /* max gives its second operand where one is NaN: NaN scores fall out here, not below */
    __m256 max = _mm256_set1_ps(-__builtin_inff());
    for (int32_t c = 0; c < s->classes; c++)
        max = _mm256_max_ps(_mm256_loadu_ps(block + c * class_stride), max);
    __m256 person = _mm256_setzero_ps(), all = person;
    for (int32_t c = 0; c < s->classes; c++) {
        const __m256 e = exp_8(_mm256_sub_ps(_mm256_loadu_ps(block + c * class_stride), max));
        all = _mm256_add_ps(all, e);
        if (s->person_classes >> c & 1)
            person = _mm256_add_ps(person, e);
    }
    return _mm256_div_ps(person, all);
}

static inline __m256 argmax_8(const vrs_scores *s, const float *block, ptrdiff_t class_stride)
{
    __m256 person = _mm256_set1_ps(-__builtin_inff()), other = person;
    for (int32_t c = 0; c < s->classes; c++) {
        const __m256 v = _mm256_loadu_ps(block + c * class_stride);
        if (s->person_classes >> c & 1)
            person = _mm256_max_ps(v, person);
        else
            other = _mm256_max_ps(v, other);
    }
    return _mm256_and_ps(_mm256_cmp_ps(person, other, _CMP_GT_OQ), _mm256_set1_ps(1));
}

static inline __m256 sigmoid_8(__m256 v)
{
    const __m256 one = _mm256_set1_ps(1);
    const __m256 e = exp_8(_mm256_sub_ps(_mm256_setzero_ps(), v));
    return _mm256_div_ps(one, _mm256_add_ps(one, e));
}

/* Q15 of 8 pixels. */
static inline __m128i person_8(const vrs_scores *s, const float *block, ptrdiff_t class_stride)
{
    __m256 p = _mm256_setzero_ps();
    if (s->activation == VRS_ACTIVATION_SOFTMAX) {
        p = softmax_8(s, block, class_stride);
    } else if (s->activation == VRS_ACTIVATION_ARGMAX) {
        p = argmax_8(s, block, class_stride);
    } else {
        for (int32_t c = 0; c < s->classes; c++) {
            if (!(s->person_classes >> c & 1))
                continue;
            const __m256 v = _mm256_loadu_ps(block + c * class_stride);
            p = _mm256_add_ps(p, s->activation == VRS_ACTIVATION_SIGMOID ? sigmoid_8(v) : v);
        }
    }
    p = _mm256_min_ps(_mm256_max_ps(p, _mm256_setzero_ps()), _mm256_set1_ps(1)); /* NaN to 0 */
    const __m256i q = _mm256_cvtps_epi32(_mm256_mul_ps(p, _mm256_set1_ps(VRS_Q15_ONE)));
    return _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
}

/* 8 pixels of 8 adjacent classes (fewer by `mask`), turned into 8 vectors of a class each. */
static inline void transpose_8x8(const float *src, ptrdiff_t stride, __m256i mask, float *block)
{
    __m256 r[8], t[8];
    for (int i = 0; i < 8; i++)
        r[i] = _mm256_maskload_ps(src + i * stride, mask);
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        _mm256_store_ps(block + i * 8, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_store_ps(block + (i + 4) * 8, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

static inline void load_channels_last(const vrs_scores *s, const float *src, float *block)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (int32_t c = 0; c < s->classes; c += 8) {
        const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(s->classes - c), lanes);
        transpose_8x8(src + c, s->column_stride, mask, block + (ptrdiff_t)c * 8);
    }
}

/* Any strides; the columns beyond `count` repeat the last one. */
static void load_any(const vrs_scores *s, const float *src, int32_t count, float *block)
{
    for (int32_t c = 0; c < s->classes; c++)
        for (int32_t x = 0; x < 8; x++)
            block[c * 8 + x] =
                src[c * s->class_stride + vrs_min_i32(x, count - 1) * s->column_stride];
}

static void person_row(const vrs_scores *s, const float *src, int16_t *dst)
{
    _Alignas(32) float block[MAX_CLASSES * 8];
    const bool planar = s->column_stride == 1, last = s->class_stride == 1;
    int32_t x = 0;
    for (; x + 8 <= s->width; x += 8) {
        const float *pixels = src + x * s->column_stride;
        ptrdiff_t class_stride = 8;
        const float *from = block;
        if (planar) {
            from = pixels;
            class_stride = s->class_stride;
        } else if (last) {
            load_channels_last(s, pixels, block);
        } else {
            load_any(s, pixels, 8, block);
        }
        _mm_storeu_si128((void *)(dst + x), person_8(s, from, class_stride));
    }
    if (x < s->width) {
        int16_t rest[8];
        load_any(s, src + x * s->column_stride, s->width - x, block);
        _mm_storeu_si128((void *)rest, person_8(s, block, 8));
        for (int32_t i = 0; x + i < s->width; i++)
            dst[x + i] = rest[i];
    }
}

void vrs_avx2_person(const vrs_scores *scores, int16_t *q15, ptrdiff_t stride)
{
    for (int32_t y = 0; y < scores->height; y++)
        person_row(scores, scores->data + y * scores->row_stride, q15 + y * stride);
}
