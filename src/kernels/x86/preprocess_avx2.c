/* Preprocessing with AVX2 and FMA: see preprocess_lanes.h. */
#include <immintrin.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/preprocess_plan.h"

#define LANES 8
#define BLOCK 32

typedef __m256 vec;

static inline vec vec_load(const float *from)
{
    return _mm256_load_ps(from);
}

static inline void vec_store(float *to, vec value)
{
    _mm256_store_ps(to, value);
}

static inline vec vec_set(float value)
{
    return _mm256_set1_ps(value);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* 0 to `most`; 0 for what is not a number. */
static inline vec vec_clip(vec value, float most)
{
    return _mm256_min_ps(_mm256_max_ps(value, _mm256_setzero_ps()), _mm256_set1_ps(most));
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
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)from);
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

static inline vec floats16(__m128i words)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(words));
}

/* out[0..15] = sums * weight. */
static inline void scale_sums(__m256i sums, vec weight, vec out[2])
{
    out[0] = _mm256_mul_ps(floats16(_mm256_castsi256_si128(sums)), weight);
    out[1] = _mm256_mul_ps(floats16(_mm256_extracti128_si256(sums, 1)), weight);
}

static inline __m256i widen8(const uint8_t *from)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)from));
}

static inline void sum_block8(const uint8_t *src, ptrdiff_t stride, const vrs_run *run, float *out)
{
    __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    const ptrdiff_t ahead = stride * run->count;
    const uint8_t *row = src + stride * run->first;
    for (int32_t i = 0; i < run->count; i++) {
        sums[0] = _mm256_add_epi16(sums[0], widen8(row));
        sums[1] = _mm256_add_epi16(sums[1], widen8(row + 16));
        prefetch(row, ahead);
        row += stride;
    }
    const vec weight = _mm256_set1_ps(run->weight);
    vec value[4];
    scale_sums(sums[0], weight, value);
    scale_sums(sums[1], weight, value + 2);
    for (int32_t edge = 0; edge < run->edges; edge++) {
        const vec edge_weight = _mm256_set1_ps(run->edge_weight[edge]);
        row = src + stride * run->edge[edge];
        for (int i = 0; i < 4; i++)
            value[i] = _mm256_fmadd_ps(floats8(row + 8 * i), edge_weight, value[i]);
    }
    for (int i = 0; i < 4; i++)
        _mm256_storeu_ps(out + 8 * i, value[i]);
}

static inline __m256i codes16(const uint8_t *from, __m128i shift, __m256i peak)
{
    const __m256i words = _mm256_loadu_si256((const __m256i *)(const void *)from);
    return _mm256_min_epu16(_mm256_srl_epi16(words, shift), peak);
}

static inline void sum_block16(const uint8_t *src, ptrdiff_t stride, const vrs_run *run,
                               int32_t sample_shift, int32_t peak_code, float *out)
{
    const __m128i shift = _mm_cvtsi32_si128(sample_shift);
    const __m256i peak = _mm256_set1_epi16((int16_t)peak_code);
    __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    const ptrdiff_t ahead = stride * run->count;
    const uint8_t *row = src + stride * run->first;
    for (int32_t i = 0; i < run->count; i++) {
        sums[0] = _mm256_add_epi16(sums[0], codes16(row, shift, peak));
        sums[1] = _mm256_add_epi16(sums[1], codes16(row + 32, shift, peak));
        prefetch(row, ahead);
        row += stride;
    }
    const vec weight = _mm256_set1_ps(run->weight);
    vec value[4];
    scale_sums(sums[0], weight, value);
    scale_sums(sums[1], weight, value + 2);
    for (int32_t edge = 0; edge < run->edges; edge++) {
        const vec edge_weight = _mm256_set1_ps(run->edge_weight[edge]);
        row = src + stride * run->edge[edge];
        for (int i = 0; i < 2; i++) {
            const __m256i codes = codes16(row + 32 * i, shift, peak);
            const vec low = floats16(_mm256_castsi256_si128(codes));
            const vec high = floats16(_mm256_extracti128_si256(codes, 1));
            value[2 * i] = _mm256_fmadd_ps(low, edge_weight, value[2 * i]);
            value[2 * i + 1] = _mm256_fmadd_ps(high, edge_weight, value[2 * i + 1]);
        }
    }
    for (int i = 0; i < 4; i++)
        _mm256_storeu_ps(out + 8 * i, value[i]);
}

/* Four floats of a row and of the fourth row after it in the two halves of a vector: the loads do
 * half of the transposition. */
static inline vec load_halves(const float *from, ptrdiff_t stride)
{
    const vec low = _mm256_castps128_ps256(_mm_loadu_ps(from));
    return _mm256_insertf128_ps(low, _mm_loadu_ps(from + 4 * stride), 1);
}

/* out[column * LANES + row] = in[row * stride + column]. */
static inline void transpose(const float *in, ptrdiff_t stride, float *out)
{
    for (int quad = 0; quad < 2; quad++) {
        const vec row0 = load_halves(in + 4 * quad, stride);
        const vec row1 = load_halves(in + 4 * quad + stride, stride);
        const vec row2 = load_halves(in + 4 * quad + 2 * stride, stride);
        const vec row3 = load_halves(in + 4 * quad + 3 * stride, stride);
        const __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(row0, row1));
        const __m256d high01 = _mm256_castps_pd(_mm256_unpackhi_ps(row0, row1));
        const __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(row2, row3));
        const __m256d high23 = _mm256_castps_pd(_mm256_unpackhi_ps(row2, row3));
        float *to = out + 4 * quad * LANES;
        vec_store(to, _mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23)));
        vec_store(to + LANES, _mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23)));
        vec_store(to + 2 * LANES, _mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23)));
        vec_store(to + 3 * LANES, _mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23)));
    }
}

static inline vec tone_lookup(const float *table, vec code)
{
    const vec place = _mm256_mul_ps(code, _mm256_set1_ps((float)VRS_TONE_STEPS));
    const __m256i index =
        _mm256_min_epi32(_mm256_cvttps_epi32(place), _mm256_set1_epi32(VRS_TONE_STEPS - 1));
    const vec low = _mm256_i32gather_ps(table, index, 4);
    const vec high = _mm256_i32gather_ps(table + 1, index, 4);
    const vec fraction = _mm256_sub_ps(place, _mm256_cvtepi32_ps(index));
    return _mm256_fmadd_ps(fraction, _mm256_sub_ps(high, low), low);
}

static inline void pack(const vec value[3], vec guide, float *words)
{
    const vec full = _mm256_set1_ps(255.0F);
    const vec half = _mm256_set1_ps(0.5F);
    __m256i word = _mm256_slli_epi32(_mm256_cvttps_epi32(_mm256_add_ps(guide, half)), 24);
    for (int channel = 0; channel < 3; channel++) {
        const __m256i code = _mm256_cvttps_epi32(_mm256_fmadd_ps(value[channel], full, half));
        word = _mm256_or_si256(word, _mm256_sll_epi32(code, _mm_cvtsi32_si128(8 * channel)));
    }
    _mm256_store_si256((__m256i *)(void *)words, word);
}

static inline void store_rgb(const float *words, uint8_t *to, int32_t pixels)
{
    const __m256i dense = _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1,
                                           0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    const __m256i places = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7);
    const __m256i word = _mm256_load_si256((const __m256i *)(const void *)words);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(word, dense), places);
    if (pixels == LANES) {
        _mm_storeu_si128((__m128i *)(void *)to, _mm256_castsi256_si128(bytes));
        _mm_storel_epi64((__m128i *)(void *)(to + 16), _mm256_extracti128_si256(bytes, 1));
        return;
    }
    uint8_t all[32];
    _mm256_storeu_si256((__m256i *)(void *)all, bytes);
    memcpy(to, all, 3 * (size_t)pixels);
}

static inline void store_guide(const float *words, uint8_t *to, int32_t pixels)
{
    const __m256i word = _mm256_load_si256((const __m256i *)(const void *)words);
    const __m256i guide = _mm256_srli_epi32(word, 24);
    const __m128i both =
        _mm_packus_epi32(_mm256_castsi256_si128(guide), _mm256_extracti128_si256(guide, 1));
    uint8_t all[16];
    _mm_storeu_si128((__m128i *)(void *)all, _mm_packus_epi16(both, both));
    memcpy(to, all, (size_t)pixels);
}

#include "kernels/x86/preprocess_lanes.h"

void vrs_kernels_fill_avx2_preprocess(vrs_kernels *table)
{
    table->name = "avx2";
    table->preprocess = preprocess;
}
