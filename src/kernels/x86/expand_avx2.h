/* Expanding a row of a small plane to the width of a large one: shared by the AVX2 kernels that
 * up-sample. A group of outputs takes its neighbours out of one vector that starts at the group's
 * first left neighbour; where the group reaches further (factors near 1 and below) it is done by
 * single samples. */
#ifndef VRS_KERNELS_X86_EXPAND_AVX2_H
#define VRS_KERNELS_X86_EXPAND_AVX2_H

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/postprocess.h"

/* Two expanded rows, named by the source's row; -1: none yet. */
typedef struct vrs_row_pair {
    int32_t row[2];
} vrs_row_pair;

/* The slot for `row`, and whether it must still be filled: rows are asked for in rising order, top
 * before bottom, so the lower one of the two is always the one that is done with. */
static inline int vrs_row_slot(vrs_row_pair *pair, int32_t row, bool *fill)
{
    *fill = pair->row[0] != row && pair->row[1] != row;
    if (*fill)
        pair->row[pair->row[0] <= pair->row[1] ? 0 : 1] = row;
    return pair->row[0] == row ? 0 : 1;
}

/* First element of a group's vector of 8, and whether it holds all neighbours of the group. */
static inline bool vrs_group_base(const int32_t *index, int32_t reach, int32_t last, int32_t *base)
{
    *base = vrs_min_i32(index[0], reach);
    return vrs_min_i32(index[7] + 1, last) - *base <= 7;
}

/* 8 outputs from float samples `stride` apart. */
static inline __m256 vrs_lerp_floats(__m256 a, __m256 b, __m128i weight)
{
    const __m256 w = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(weight)),
                                   _mm256_set1_ps(1.0f / 32768.0f));
    return _mm256_add_ps(a, _mm256_mul_ps(_mm256_sub_ps(b, a), w));
}

/* One row of adjacent floats into dst, which has room for `width` rounded up to 8. */
static inline void vrs_expand_floats(const vrs_upsample *up, const float *src, float *dst)
{
    const int32_t last = up->source_width - 1;
    float small[8] = {0};
    if (last < 7) {
        memcpy(small, src, (size_t)up->source_width * sizeof(*src));
        src = small;
    }
    const int32_t reach = vrs_max_i32(last - 7, 0);
    for (int32_t x = 0; x < up->width; x += 8) {
        const int32_t *index = up->column_index + x;
        const __m128i weight = _mm_loadu_si128((const void *)(up->column_weight + x));
        const __m256i left = _mm256_loadu_si256((const void *)index);
        const __m256i right =
            _mm256_min_epi32(_mm256_add_epi32(left, _mm256_set1_epi32(1)), _mm256_set1_epi32(last));
        int32_t base;
        __m256 a, b;
        if (vrs_group_base(index, reach, last, &base)) {
            const __m256 v = _mm256_loadu_ps(src + base);
            const __m256i origin = _mm256_set1_epi32(base);
            a = _mm256_permutevar8x32_ps(v, _mm256_sub_epi32(left, origin));
            b = _mm256_permutevar8x32_ps(v, _mm256_sub_epi32(right, origin));
        } else {
            a = _mm256_i32gather_ps(src, left, 4);
            b = _mm256_i32gather_ps(src, right, 4);
        }
        _mm256_storeu_ps(dst + x, vrs_lerp_floats(a, b, weight));
    }
}

#endif
