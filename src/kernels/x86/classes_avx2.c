/* The class with the largest score with AVX2. Multiplication and addition stay apart, so that the
 * bits are the reference's. */
#include "kernels/reference/postprocess.h"
#include "kernels/x86/expand_avx2.h"
#include "kernels/x86/postprocess_x86.h"

#define MAX_STEP (INT32_MAX / VRS_MAX_SIDE)

/* One row of floats `step` apart, as vrs_expand_floats. */
static void expand_spaced(const vrs_upsample *up, const float *src, int32_t step, float *dst)
{
    const __m256i last = _mm256_set1_epi32(up->source_width - 1);
    const __m256i steps = _mm256_set1_epi32(step);
    for (int32_t x = 0; x < up->width; x += 8) {
        const __m128i weight = _mm_loadu_si128((const void *)(up->column_weight + x));
        const __m256i left = _mm256_loadu_si256((const void *)(up->column_index + x));
        const __m256i right = _mm256_min_epi32(_mm256_add_epi32(left, _mm256_set1_epi32(1)), last);
        const __m256 a = _mm256_i32gather_ps(src, _mm256_mullo_epi32(left, steps), 4);
        const __m256 b = _mm256_i32gather_ps(src, _mm256_mullo_epi32(right, steps), 4);
        _mm256_storeu_ps(dst + x, vrs_lerp_floats(a, b, weight));
    }
}

/* All classes of one source row, a row of `pitch` each. */
static void expand_classes(const vrs_upsample *up, const vrs_scores *scores, int32_t row,
                           float *dst, ptrdiff_t pitch)
{
    const float *src = scores->data + row * scores->row_stride;
    for (int32_t c = 0; c < scores->classes; c++) {
        const float *plane = src + c * scores->class_stride;
        if (scores->column_stride == 1)
            vrs_expand_floats(up, plane, dst + c * pitch);
        else
            expand_spaced(up, plane, (int32_t)scores->column_stride, dst + c * pitch);
    }
}

static inline __m256 mix_rows(const float *upper, const float *lower, __m256 weight)
{
    const __m256 a = _mm256_loadu_ps(upper);
    return _mm256_add_ps(a, _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(lower), a), weight));
}

static inline void keep_larger(__m256 value, __m256 class, __m256 *best, __m256 *winner)
{
    const __m256 larger = _mm256_cmp_ps(value, *best, _CMP_GT_OQ);
    *best = _mm256_blendv_ps(*best, value, larger);
    *winner = _mm256_blendv_ps(*winner, class, larger);
}

/* Classes of 16 columns; the winner's number travels as the bits of a float. */
static inline __m128i classes_16(const float *upper, const float *lower, ptrdiff_t pitch,
                                 int32_t classes, __m256 weight)
{
    __m256 best0 = _mm256_set1_ps(-__builtin_inff()), best1 = best0;
    __m256 winner0 = _mm256_setzero_ps(), winner1 = winner0;
    for (int32_t c = 0; c < classes; c++, upper += pitch, lower += pitch) {
        const __m256 class = _mm256_castsi256_ps(_mm256_set1_epi32(c));
        keep_larger(mix_rows(upper, lower, weight), class, &best0, &winner0);
        keep_larger(mix_rows(upper + 8, lower + 8, weight), class, &best1, &winner1);
    }
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(_mm256_castps_si256(winner0), _mm256_castps_si256(winner1)), 0xd8);
    return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

void vrs_avx2_classes(const vrs_upsample *upsample, const vrs_scores *scores, int32_t row_begin,
                      int32_t row_end, uint8_t *dst, ptrdiff_t dst_stride, float *scratch)
{
    if (scores->column_stride > MAX_STEP || scores->column_stride < -MAX_STEP) {
        vrs_reference_classes(upsample, scores, row_begin, row_end, dst, dst_stride, scratch);
        return;
    }
    const int32_t width = upsample->width, last = upsample->source_height - 1;
    const ptrdiff_t pitch = (width + 15) / 16 * 16;
    float *const rows[2] = {scratch, scratch + scores->classes * pitch};
    vrs_row_pair pair = {{-1, -1}};
    for (int32_t y = row_begin; y < row_end; y++, dst += dst_stride) {
        int slots[2];
        for (int i = 0; i < 2; i++) {
            const int32_t row = vrs_min_i32(upsample->row_index[y] + i, last);
            bool fill;
            slots[i] = vrs_row_slot(&pair, row, &fill);
            if (fill)
                expand_classes(upsample, scores, row, rows[slots[i]], pitch);
        }
        const float *upper = rows[slots[0]], *lower = rows[slots[1]];
        const __m256 weight = _mm256_set1_ps((float)upsample->row_weight[y] * (1.0f / 32768.0f));
        for (int32_t x = 0; x < width; x += 16) {
            const __m128i found = classes_16(upper + x, lower + x, pitch, scores->classes, weight);
            if (x + 16 <= width) {
                _mm_storeu_si128((void *)(dst + x), found);
            } else {
                uint8_t rest[16];
                _mm_storeu_si128((void *)rest, found);
                memcpy(dst + x, rest, (size_t)(width - x));
            }
        }
    }
}
