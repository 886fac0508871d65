/* Masks of views laid back with AVX2: a row of a cell is a vector. */
#include <immintrin.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/x86/postprocess_x86.h"

#define LANES VRS_PATCH_CELL
_Static_assert(VRS_PATCH_CELL == 8, "a row of a cell is a vector");

/* A row of a patch: cells from upper[0], lower[0] on. */
typedef struct patch_row {
    const vrs_patch *patch;
    const int32_t *upper, *lower;
    int32_t below; /* weight of the lower corners, of 16 */
} patch_row;

/* Luma of the row, from the row's first pixel on. */
typedef struct luma_row {
    const uint8_t *data;
    const vrs_luma *luma; /* NULL: none */
    int32_t width;
} luma_row;

/* Positions of eight centres on an axis. */
static inline __m256i positions(const patch_row *row, int axis)
{
    const __m256i steps = _mm256_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15);
    const int32_t b = row->below;
    const int32_t left = row->upper[axis] * (16 - b) + row->lower[axis] * b;
    const int32_t right = row->upper[2 + axis] * (16 - b) + row->lower[2 + axis] * b;
    const __m256i sum = _mm256_add_epi32(
        _mm256_set1_epi32(16 * left), _mm256_mullo_epi32(_mm256_set1_epi32(right - left), steps));
    return _mm256_srai_epi32(sum, 8);
}

static inline __m256 ramp(__m256i position, int32_t size, int32_t length)
{
    const __m256i rest = _mm256_sub_epi32(_mm256_set1_epi32(size << VRS_PATCH_BITS), position);
    __m256i nearest = _mm256_min_epi32(position, rest);
    nearest = _mm256_max_epi32(nearest, _mm256_setzero_si256());
    nearest = _mm256_min_epi32(nearest, _mm256_set1_epi32(length));
    return _mm256_mul_ps(_mm256_cvtepi32_ps(nearest), _mm256_set1_ps(1.0F / (float)length));
}

static inline __m256i neighbour(__m256i position, int32_t size, __m256 *weight)
{
    const __m256i last = _mm256_set1_epi32((size - 1) << VRS_PATCH_BITS);
    __m256i place = _mm256_sub_epi32(position, _mm256_set1_epi32(1 << (VRS_PATCH_BITS - 1)));
    place = _mm256_min_epi32(_mm256_max_epi32(place, _mm256_setzero_si256()), last);
    const __m256i index =
        _mm256_min_epi32(_mm256_srai_epi32(place, VRS_PATCH_BITS), _mm256_set1_epi32(size - 2));
    const __m256i part = _mm256_sub_epi32(place, _mm256_slli_epi32(index, VRS_PATCH_BITS));
    *weight = _mm256_mul_ps(_mm256_cvtepi32_ps(part), _mm256_set1_ps(1.0F / 1024.0F));
    return index;
}

static inline __m256 mix(__m256 a, __m256 b, __m256 weight)
{
    return _mm256_fmadd_ps(weight, _mm256_sub_ps(b, a), a);
}

static inline __m256 mixed_floats(const float *from, ptrdiff_t stride, __m256i at, __m256 x,
                                  __m256 y)
{
    const float *under = from + stride;
    const __m256 upper =
        mix(_mm256_i32gather_ps(from, at, 4), _mm256_i32gather_ps(from + 1, at, 4), x);
    const __m256 lower =
        mix(_mm256_i32gather_ps(under, at, 4), _mm256_i32gather_ps(under + 1, at, 4), x);
    return mix(upper, lower, y);
}

/* Two neighbours of a row of a mask, mixed: they are one word of 32 bits. */
static inline __m256 mixed_row(const int16_t *from, __m256i at, __m256 x)
{
    const __m256i two = _mm256_i32gather_epi32((const int *)(const void *)from, at, 2);
    const __m256i left = _mm256_srai_epi32(_mm256_slli_epi32(two, 16), 16);
    return mix(_mm256_cvtepi32_ps(left), _mm256_cvtepi32_ps(_mm256_srai_epi32(two, 16)), x);
}

static inline __m256 luma_of(const luma_row *row, int32_t x)
{
    const int32_t bytes = row->luma->sample_bytes;
    uint8_t copy[16] = {0};
    const uint8_t *from = row->data + (ptrdiff_t)x * bytes;
    if (x + LANES > row->width) {
        memcpy(copy, from, (size_t)((row->width - x) * bytes));
        from = copy;
    }
    __m256i code;
    if (bytes == 1) {
        code = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
    } else {
        code = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
        code = _mm256_srl_epi32(code, _mm_cvtsi32_si128(row->luma->sample_shift));
    }
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(code), _mm256_set1_ps(row->luma->scale),
                           _mm256_set1_ps(row->luma->offset));
}

static inline __m256 values(const vrs_patch *patch, __m256i px, __m256i py, const luma_row *luma,
                            int32_t x)
{
    __m256 wx, wy;
    const __m256i column = neighbour(px, patch->width, &wx);
    const __m256i row = neighbour(py, patch->height, &wy);
    const __m256i at = _mm256_add_epi32(
        _mm256_mullo_epi32(row, _mm256_set1_epi32((int32_t)patch->stride)), column);
    if (patch->slope == NULL) {
        return mix(mixed_row(patch->mask, at, wx), mixed_row(patch->mask + patch->stride, at, wx),
                   wy);
    }
    const __m256 slope = mixed_floats(patch->slope, patch->stride, at, wx, wy);
    const __m256 offset = mixed_floats(patch->offset, patch->stride, at, wx, wy);
    /* What is no number becomes the second operand, 0. */
    const __m256 p =
        _mm256_max_ps(_mm256_fmadd_ps(slope, luma_of(luma, x), offset), _mm256_setzero_ps());
    return _mm256_mul_ps(_mm256_min_ps(p, _mm256_set1_ps(1.0F)), _mm256_set1_ps(VRS_Q15_ONE));
}

static inline bool has_four(const patch_row *row)
{
    return row->upper[0] != VRS_PATCH_NONE && row->upper[2] != VRS_PATCH_NONE &&
           row->lower[0] != VRS_PATCH_NONE && row->lower[2] != VRS_PATCH_NONE;
}

/* Adds a row of a patch to the sums, from its first pixel on; returns whether it weighs at all. */
static bool add_row(patch_row *row, const luma_row *luma, float *sums, float *weights)
{
    const vrs_patch *patch = row->patch;
    const __m256i order = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    bool any = false;
    for (int32_t x = 0; x < patch->rect.width; x += LANES, row->upper += 2, row->lower += 2) {
        if (!has_four(row))
            continue;
        const __m256i px = positions(row, 0), py = positions(row, 1);
        const __m256i inside = _mm256_cmpgt_epi32(_mm256_set1_epi32(patch->rect.width - x), order);
        __m256 weight = _mm256_mul_ps(ramp(px, patch->width, patch->ramp_x),
                                      ramp(py, patch->height, patch->ramp_y));
        weight = _mm256_and_ps(weight, _mm256_castsi256_ps(inside));
        if (_mm256_movemask_ps(_mm256_cmp_ps(weight, _mm256_setzero_ps(), _CMP_GT_OQ)) == 0)
            continue;
        const __m256 value = values(patch, px, py, luma, patch->rect.x + x);
        any = true;
        _mm256_storeu_ps(sums + x, _mm256_fmadd_ps(weight, value, _mm256_loadu_ps(sums + x)));
        _mm256_storeu_ps(weights + x, _mm256_add_ps(weight, _mm256_loadu_ps(weights + x)));
    }
    return any;
}

static inline void blend_8(const float *sums, const float *weights, int16_t *dst)
{
    const __m256 one = _mm256_set1_ps(1.0F), zero = _mm256_setzero_ps();
    const __m256 weight = _mm256_loadu_ps(weights);
    const __m128i was = _mm_loadu_si128((const __m128i *)(const void *)dst);
    const __m256 base = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(was));
    const __m256 rest = _mm256_max_ps(_mm256_sub_ps(one, weight), zero);
    const __m256 sum = _mm256_fmadd_ps(rest, base, _mm256_loadu_ps(sums));
    const __m256 mean = _mm256_div_ps(sum, _mm256_max_ps(weight, one));
    const __m256i code = _mm256_cvttps_epi32(_mm256_add_ps(mean, _mm256_set1_ps(0.5F)));
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(code), _mm256_extracti128_si256(code, 1));
    _mm_storeu_si128((__m128i *)(void *)dst, words);
}

/* Columns begin..end-1. Without weights the mean is what was there. */
static void blend_row(const float *sums, const float *weights, int32_t begin, int32_t end,
                      int16_t *dst)
{
    int32_t x = begin;
    for (; x + LANES <= end; x += LANES)
        blend_8(sums + x, weights + x, dst + x);
    if (x < end) {
        int16_t rest[LANES] = {0};
        memcpy(rest, dst + x, (size_t)(end - x) * sizeof(*dst));
        blend_8(sums + x, weights + x, rest);
        memcpy(dst + x, rest, (size_t)(end - x) * sizeof(*dst));
    }
}

void vrs_avx2_patches(const vrs_patch *patches, int32_t count, const vrs_luma *luma,
                      int32_t row_begin, int32_t row_end, int32_t width, int16_t *dst,
                      ptrdiff_t dst_stride, float *scratch)
{
    float *sums = scratch, *weights = scratch + width + 16;
    for (int32_t y = row_begin; y < row_end; y++, dst += dst_stride) {
        const luma_row codes = {luma == NULL ? NULL : luma->data + luma->stride * y, luma, width};
        int32_t begin = width, end = 0;
        memset(scratch, 0, 2 * ((size_t)width + 16) * sizeof(float));
        for (int32_t i = 0; i < count; i++) {
            const vrs_patch *p = &patches[i];
            const int32_t line = y - p->rect.y;
            if (line < 0 || line >= p->rect.height)
                continue;
            const size_t pairs = (size_t)((p->rect.width + LANES - 1) / LANES) + 1;
            const int32_t *upper = p->positions + 2 * ((size_t)(line / LANES) * pairs);
            patch_row row = {p, upper, upper + 2 * pairs, 2 * (line % LANES) + 1};
            if (add_row(&row, &codes, sums + p->rect.x, weights + p->rect.x)) {
                const int32_t last = p->rect.x + p->rect.width;
                begin = p->rect.x < begin ? p->rect.x : begin;
                end = last > end ? last : end;
            }
        }
        blend_row(sums, weights, begin, end, dst);
    }
}
