/* Feathering with AVX2: running sums of columns, then differences of a running sum along the row
 * (which may wrap around: only the differences count), then an exact division by multiplying. */
#include <immintrin.h>

#include "kernels/postprocess.h"
#include "kernels/x86/postprocess_x86.h"

/* floor(x / n) = x * factor >> shift for odd n in 9..16641 and x below 2^15 n: with
 * shift = 32 + floor(log2 n) and factor = ceil(2^shift / n) the error x * (factor n - 2^shift)
 * stays below 2^shift (Granlund, Montgomery: Division by Invariant Integers using Multiplication,
 * 1994). */
typedef struct divider {
    uint32_t factor;
    int shift;
} divider;

static divider divider_of(uint32_t n)
{
    int log2 = 0;
    while (n >> (log2 + 1) != 0)
        log2++;
    const uint64_t power = (uint64_t)1 << (32 + log2);
    return (divider){.factor = (uint32_t)(power / n + 1), .shift = 32 + log2};
}

/* sums[x] += added[x] - taken[x] */
static void move_rows(int32_t *sums, const int16_t *added, const int16_t *taken, int32_t width)
{
    int32_t x = 0;
    for (; x + 8 <= width; x += 8) {
        const __m256i a = _mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)(added + x)));
        const __m256i t = _mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)(taken + x)));
        const __m256i s = _mm256_loadu_si256((const void *)(sums + x));
        _mm256_storeu_si256((void *)(sums + x), _mm256_add_epi32(s, _mm256_sub_epi32(a, t)));
    }
    for (; x < width; x++)
        sums[x] += added[x] - taken[x];
}

/* Running sum of the row with both edges repeated `radius` times: width + 2 radius + 1 entries. */
static void integrate(const int32_t *sums, int32_t width, int32_t radius, uint32_t *integral)
{
    uint32_t total = 0;
    *integral++ = 0;
    for (int32_t i = 0; i < radius; i++)
        *integral++ = total += (uint32_t)sums[0];
    for (int32_t x = 0; x < width; x++)
        *integral++ = total += (uint32_t)sums[x];
    for (int32_t i = 0; i < radius; i++)
        *integral++ = total += (uint32_t)sums[width - 1];
}

static inline __m256i divide_8(const uint32_t *begin, const uint32_t *end, __m256i half,
                               __m256i factor, __m128i shift)
{
    const __m256i b = _mm256_loadu_si256((const void *)begin);
    const __m256i e = _mm256_loadu_si256((const void *)end);
    const __m256i x = _mm256_add_epi32(_mm256_sub_epi32(e, b), half);
    const __m256i even = _mm256_srl_epi64(_mm256_mul_epu32(x, factor), shift);
    const __m256i odd = _mm256_srl_epi64(_mm256_mul_epu32(_mm256_srli_epi64(x, 32), factor), shift);
    return _mm256_or_si256(even, _mm256_slli_epi64(odd, 32));
}

/* Means of the windows of one row: entry x + 2 radius + 1 of the integral less entry x. */
static void divide_row(const uint32_t *integral, int32_t width, int32_t radius, int16_t *dst)
{
    const int32_t side = 2 * radius + 1;
    const uint32_t area = (uint32_t)(side * side);
    const divider d = divider_of(area);
    const __m256i half = _mm256_set1_epi32((int32_t)(area / 2));
    const __m256i factor = _mm256_set1_epi64x(d.factor);
    const __m128i shift = _mm_cvtsi32_si128(d.shift);
    int32_t x = 0;
    for (; x + 16 <= width; x += 16) {
        const uint32_t *begin = integral + x, *end = begin + side;
        const __m256i lower = divide_8(begin, end, half, factor, shift);
        const __m256i upper = divide_8(begin + 8, end + 8, half, factor, shift);
        _mm256_storeu_si256((void *)(dst + x),
                            _mm256_permute4x64_epi64(_mm256_packs_epi32(lower, upper), 0xd8));
    }
    for (; x < width; x++)
        dst[x] = (int16_t)((integral[x + side] - integral[x] + area / 2) / area);
}

static void box(const int16_t *src, ptrdiff_t src_stride, int16_t *dst, ptrdiff_t dst_stride,
                int32_t width, int32_t height, int32_t radius, int32_t *sums, uint32_t *integral)
{
    for (int32_t x = 0; x < width; x++)
        sums[x] = (radius + 1) * src[x];
    for (int32_t y = 1; y <= radius; y++) {
        const int16_t *row = src + vrs_min_i32(y, height - 1) * src_stride;
        for (int32_t x = 0; x < width; x++)
            sums[x] += row[x];
    }
    for (int32_t y = 0; y < height; y++) {
        integrate(sums, width, radius, integral);
        divide_row(integral, width, radius, dst + y * dst_stride);
        move_rows(sums, src + vrs_min_i32(y + radius + 1, height - 1) * src_stride,
                  src + vrs_max_i32(y - radius, 0) * src_stride, width);
    }
}

void vrs_avx2_feather(int16_t *q15, ptrdiff_t stride, int32_t width, int32_t height, int32_t radius,
                      void *scratch)
{
    int16_t *once = scratch;
    int32_t *sums = vrs_scratch_after(scratch, (size_t)width * (size_t)height * sizeof(int16_t));
    uint32_t *integral = (uint32_t *)sums + vrs_box_row(width);
    box(q15, stride, once, width, width, height, radius, sums, integral);
    box(once, width, q15, stride, width, height, radius, sums, integral);
}
