/* Person probability with AVX-512 for planes of classes: 16 pixels at a time, a vector a class, the
 * end of a row masked. Other layouts go the AVX2 way. */
#include <immintrin.h>

#include "kernels/x86/postprocess_x86.h"

/* e^x for x in -87..87 (further out held there); NaN stays NaN. The polynomial of person_avx2.c. */
static inline __m512 exp_16(__m512 x)
{
    x = _mm512_min_ps(_mm512_set1_ps(87), _mm512_max_ps(_mm512_set1_ps(-87), x));
    const __m512 t = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504f));
    const __m512 n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 f = _mm512_sub_ps(t, n);
    __m512 p = _mm512_set1_ps(0.00966636852f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.0559219758f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.24022349f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.693121045f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1));
    return _mm512_scalef_ps(p, n);
}

static inline __m512 softmax_16(const vrs_scores *s, const float *pixels, __mmask16 mask)
{
    /* max gives its second operand where one is NaN: NaN scores fall out here, not below */
    __m512 max = _mm512_set1_ps(-__builtin_inff());
    for (int32_t c = 0; c < s->classes; c++)
        max = _mm512_max_ps(_mm512_maskz_loadu_ps(mask, pixels + c * s->class_stride), max);
    __m512 person = _mm512_setzero_ps(), all = person;
    for (int32_t c = 0; c < s->classes; c++) {
        const __m512 v = _mm512_maskz_loadu_ps(mask, pixels + c * s->class_stride);
        const __m512 e = exp_16(_mm512_sub_ps(v, max));
        all = _mm512_add_ps(all, e);
        if (s->person_classes >> c & 1)
            person = _mm512_add_ps(person, e);
    }
    return _mm512_div_ps(person, all);
}

static inline __m512 argmax_16(const vrs_scores *s, const float *pixels, __mmask16 mask)
{
    __m512 person = _mm512_set1_ps(-__builtin_inff()), other = person;
    for (int32_t c = 0; c < s->classes; c++) {
        const __m512 v = _mm512_maskz_loadu_ps(mask, pixels + c * s->class_stride);
        if (s->person_classes >> c & 1)
            person = _mm512_max_ps(v, person);
        else
            other = _mm512_max_ps(v, other);
    }
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(person, other, _CMP_GT_OQ), _mm512_set1_ps(1));
}

static inline __m512 sigmoid_16(__m512 v)
{
    const __m512 one = _mm512_set1_ps(1);
    const __m512 e = exp_16(_mm512_sub_ps(_mm512_setzero_ps(), v));
    return _mm512_div_ps(one, _mm512_add_ps(one, e));
}

static inline __m512 person_16(const vrs_scores *s, const float *pixels, __mmask16 mask)
{
    if (s->activation == VRS_ACTIVATION_SOFTMAX)
        return softmax_16(s, pixels, mask);
    if (s->activation == VRS_ACTIVATION_ARGMAX)
        return argmax_16(s, pixels, mask);
    __m512 p = _mm512_setzero_ps();
    for (int32_t c = 0; c < s->classes; c++) {
        if (!(s->person_classes >> c & 1))
            continue;
        const __m512 v = _mm512_maskz_loadu_ps(mask, pixels + c * s->class_stride);
        p = _mm512_add_ps(p, s->activation == VRS_ACTIVATION_SIGMOID ? sigmoid_16(v) : v);
    }
    return p;
}

void vrs_avx512_person(const vrs_scores *scores, int16_t *q15, ptrdiff_t stride)
{
    if (scores->column_stride != 1) {
        vrs_avx2_person(scores, q15, stride);
        return;
    }
    for (int32_t y = 0; y < scores->height; y++) {
        const float *row = scores->data + y * scores->row_stride;
        int16_t *dst = q15 + y * stride;
        for (int32_t x = 0; x < scores->width; x += 16) {
            const int32_t left = scores->width - x;
            const __mmask16 mask = (__mmask16)(left >= 16 ? UINT16_MAX : (1U << left) - 1);
            /* NaN becomes 0: max gives its second operand then */
            const __m512 p = _mm512_max_ps(person_16(scores, row + x, mask), _mm512_setzero_ps());
            const __m512 clipped = _mm512_min_ps(p, _mm512_set1_ps(1));
            const __m512i q =
                _mm512_cvtps_epi32(_mm512_mul_ps(clipped, _mm512_set1_ps(VRS_Q15_ONE)));
            _mm256_mask_storeu_epi16(dst + x, mask, _mm512_cvtepi32_epi16(q));
        }
    }
}
