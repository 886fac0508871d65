/* Preprocessing with AVX-512 (F, BW, DQ, VL): see preprocess_lanes.h. */
#include <immintrin.h>

#include "kernels/kernels.h"
#include "kernels/preprocess_plan.h"

#define LANES 16
#define BLOCK 64

typedef __m512 vec;

static inline vec vec_load(const float *from)
{
    return _mm512_load_ps(from);
}

static inline void vec_store(float *to, vec value)
{
    _mm512_store_ps(to, value);
}

static inline vec vec_set(float value)
{
    return _mm512_set1_ps(value);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* 0 to `most`; 0 for what is not a number. */
static inline vec vec_clip(vec value, float most)
{
    return _mm512_min_ps(_mm512_max_ps(value, _mm512_setzero_ps()), _mm512_set1_ps(most));
}

/* Asks for what stands `ahead` bytes further: the same place in the next output's rows. Rows are
 * too short and too many at once for the processor to foresee. An address outside the picture does
 * no harm: it is only a hint. */
static inline void prefetch(const uint8_t *from, ptrdiff_t ahead)
{
    _mm_prefetch((const char *)((uintptr_t)from + (uintptr_t)ahead), _MM_HINT_T0);
}

static inline vec floats8(const uint8_t *from)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)from);
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
}

static inline vec floats16(__m256i words)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(words));
}

/* out[0..31] = sums * weight. */
static inline void scale_sums(__m512i sums, vec weight, vec out[2])
{
    out[0] = _mm512_mul_ps(floats16(_mm512_castsi512_si256(sums)), weight);
    out[1] = _mm512_mul_ps(floats16(_mm512_extracti64x4_epi64(sums, 1)), weight);
}

static inline __m512i widen8(const uint8_t *from)
{
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)from));
}

static inline void sum_block8(const uint8_t *src, ptrdiff_t stride, const vrs_run *run, float *out)
{
    __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    const ptrdiff_t ahead = stride * run->count;
    const uint8_t *row = src + stride * run->first;
    for (int32_t i = 0; i < run->count; i++) {
        sums[0] = _mm512_add_epi16(sums[0], widen8(row));
        sums[1] = _mm512_add_epi16(sums[1], widen8(row + 32));
        prefetch(row, ahead);
        row += stride;
    }
    const vec weight = _mm512_set1_ps(run->weight);
    vec value[4];
    scale_sums(sums[0], weight, value);
    scale_sums(sums[1], weight, value + 2);
    for (int32_t edge = 0; edge < run->edges; edge++) {
        const vec edge_weight = _mm512_set1_ps(run->edge_weight[edge]);
        row = src + stride * run->edge[edge];
        for (int i = 0; i < 4; i++)
            value[i] = _mm512_fmadd_ps(floats8(row + 16 * i), edge_weight, value[i]);
    }
    for (int i = 0; i < 4; i++)
        _mm512_storeu_ps(out + 16 * i, value[i]);
}

static inline __m512i codes16(const uint8_t *from, __m128i shift, __m512i peak)
{
    const __m512i words = _mm512_loadu_si512((const void *)from);
    return _mm512_min_epu16(_mm512_srl_epi16(words, shift), peak);
}

static inline void sum_block16(const uint8_t *src, ptrdiff_t stride, const vrs_run *run,
                               int32_t sample_shift, int32_t peak_code, float *out)
{
    const __m128i shift = _mm_cvtsi32_si128(sample_shift);
    const __m512i peak = _mm512_set1_epi16((int16_t)peak_code);
    __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    const ptrdiff_t ahead = stride * run->count;
    const uint8_t *row = src + stride * run->first;
    for (int32_t i = 0; i < run->count; i++) {
        sums[0] = _mm512_add_epi16(sums[0], codes16(row, shift, peak));
        sums[1] = _mm512_add_epi16(sums[1], codes16(row + 64, shift, peak));
        prefetch(row, ahead);
        prefetch(row + 64, ahead);
        row += stride;
    }
    const vec weight = _mm512_set1_ps(run->weight);
    vec value[4];
    scale_sums(sums[0], weight, value);
    scale_sums(sums[1], weight, value + 2);
    for (int32_t edge = 0; edge < run->edges; edge++) {
        const vec edge_weight = _mm512_set1_ps(run->edge_weight[edge]);
        row = src + stride * run->edge[edge];
        for (int i = 0; i < 2; i++) {
            const __m512i codes = codes16(row + 64 * i, shift, peak);
            const vec low = floats16(_mm512_castsi512_si256(codes));
            const vec high = floats16(_mm512_extracti64x4_epi64(codes, 1));
            value[2 * i] = _mm512_fmadd_ps(low, edge_weight, value[2 * i]);
            value[2 * i + 1] = _mm512_fmadd_ps(high, edge_weight, value[2 * i + 1]);
        }
    }
    for (int i = 0; i < 4; i++)
        _mm512_storeu_ps(out + 16 * i, value[i]);
}

/* Four floats of rows row, row + 4, row + 8, row + 12 in the four quarters of a vector: the loads
 * do half of the transposition. */
static inline vec load_quarters(const float *from, ptrdiff_t stride)
{
    vec value = _mm512_castps128_ps512(_mm_loadu_ps(from));
    value = _mm512_mask_broadcast_f32x4(value, 0x00F0, _mm_loadu_ps(from + 4 * stride));
    value = _mm512_mask_broadcast_f32x4(value, 0x0F00, _mm_loadu_ps(from + 8 * stride));
    return _mm512_mask_broadcast_f32x4(value, 0xF000, _mm_loadu_ps(from + 12 * stride));
}

/* out[column * LANES + row] = in[row * stride + column]. */
static inline void transpose(const float *in, ptrdiff_t stride, float *out)
{
    for (int quad = 0; quad < 4; quad++) {
        const vec row0 = load_quarters(in + 4 * quad, stride);
        const vec row1 = load_quarters(in + 4 * quad + stride, stride);
        const vec row2 = load_quarters(in + 4 * quad + 2 * stride, stride);
        const vec row3 = load_quarters(in + 4 * quad + 3 * stride, stride);
        const __m512d low01 = _mm512_castps_pd(_mm512_unpacklo_ps(row0, row1));
        const __m512d high01 = _mm512_castps_pd(_mm512_unpackhi_ps(row0, row1));
        const __m512d low23 = _mm512_castps_pd(_mm512_unpacklo_ps(row2, row3));
        const __m512d high23 = _mm512_castps_pd(_mm512_unpackhi_ps(row2, row3));
        float *to = out + 4 * quad * LANES;
        vec_store(to, _mm512_castpd_ps(_mm512_unpacklo_pd(low01, low23)));
        vec_store(to + LANES, _mm512_castpd_ps(_mm512_unpackhi_pd(low01, low23)));
        vec_store(to + 2 * LANES, _mm512_castpd_ps(_mm512_unpacklo_pd(high01, high23)));
        vec_store(to + 3 * LANES, _mm512_castpd_ps(_mm512_unpackhi_pd(high01, high23)));
    }
}

static inline vec tone_lookup(const float *table, vec code)
{
    const vec place = _mm512_mul_ps(code, _mm512_set1_ps((float)VRS_TONE_STEPS));
    const __m512i index =
        _mm512_min_epi32(_mm512_cvttps_epi32(place), _mm512_set1_epi32(VRS_TONE_STEPS - 1));
    const vec low = _mm512_i32gather_ps(index, table, 4);
    const vec high = _mm512_i32gather_ps(index, table + 1, 4);
    const vec fraction = _mm512_sub_ps(place, _mm512_cvtepi32_ps(index));
    return _mm512_fmadd_ps(fraction, _mm512_sub_ps(high, low), low);
}

static inline void pack(const vec value[3], vec guide, float *words)
{
    const vec full = _mm512_set1_ps(255.0F);
    const vec half = _mm512_set1_ps(0.5F);
    __m512i word = _mm512_slli_epi32(_mm512_cvttps_epi32(_mm512_add_ps(guide, half)), 24);
    for (int channel = 0; channel < 3; channel++) {
        const __m512i code = _mm512_cvttps_epi32(_mm512_fmadd_ps(value[channel], full, half));
        word = _mm512_or_si512(word, _mm512_sll_epi32(code, _mm_cvtsi32_si128(8 * channel)));
    }
    _mm512_store_si512((void *)words, word);
}

static inline void store_rgb(const float *words, uint8_t *to, int32_t pixels)
{
    const __m512i dense = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    const __m512i places = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
    const __m512i bytes = _mm512_permutexvar_epi32(
        places, _mm512_shuffle_epi8(_mm512_load_si512((const void *)words), dense));
    _mm512_mask_storeu_epi8(to, (UINT64_C(1) << (3 * pixels)) - 1, bytes);
}

static inline void store_guide(const float *words, uint8_t *to, int32_t pixels)
{
    const __m512i guide = _mm512_srli_epi32(_mm512_load_si512((const void *)words), 24);
    _mm_mask_storeu_epi8(to, (__mmask16)((1U << pixels) - 1U), _mm512_cvtepi32_epi8(guide));
}

#include "kernels/x86/preprocess_lanes.h"

void vrs_kernels_fill_avx512_preprocess(vrs_kernels *table)
{
    table->name = "avx512";
    table->preprocess = preprocess;
}
