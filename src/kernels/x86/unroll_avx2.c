/* Pictures of a sphere as a fisheye's, 8 samples at a time: positions between a cell's nodes, two
 * neighbours by one gather, all in the reference's integers. */
#include <immintrin.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "kernels/reference/postprocess.h"
#include "kernels/x86/postprocess_x86.h"

#define LANES 8

/* What of a part does not change from sample to sample. */
typedef struct part {
    const vrs_unroll *u;
    int32_t last;         /* byte of a row behind which no 4 bytes begin */
    int32_t pixel;        /* bytes from one sample to the next */
    __m256i sample_mask;  /* of a sample in 32 bits */
    __m128i sample_shift; /* P010's */
} part;

/* Samples at bytes `offset` of the rows at `row` (bytes too), of which the last ones are read from
 * before, so that nothing behind a row is touched. */
static inline __m256i gather(const part *p, __m256i row, __m256i offset)
{
    const __m256i from = _mm256_min_epi32(offset, _mm256_set1_epi32(p->last));
    const __m256i shift = _mm256_slli_epi32(_mm256_sub_epi32(offset, from), 3);
    const __m256i words =
        _mm256_i32gather_epi32((const int *)p->u->src, _mm256_add_epi32(row, from), 1);
    return _mm256_srlv_epi32(words, shift);
}

static inline __m256i code(const part *p, __m256i word)
{
    return _mm256_srl_epi32(_mm256_and_si256(word, p->sample_mask), p->sample_shift);
}

/* A row's value between two neighbours, times 256. */
static inline __m256i along(const part *p, __m256i row, __m256i offset, __m256i weight)
{
    const __m256i one = _mm256_set1_epi32(1 << VRS_UNROLL_BITS);
    const __m256i words = gather(p, row, offset);
    const __m256i second = p->pixel == 4
                               ? gather(p, row, _mm256_add_epi32(offset, _mm256_set1_epi32(4)))
                               : _mm256_srl_epi32(words, _mm_cvtsi32_si128(8 * p->pixel));
    return _mm256_add_epi32(_mm256_mullo_epi32(code(p, words), _mm256_sub_epi32(one, weight)),
                            _mm256_mullo_epi32(code(p, second), weight));
}

/* The left neighbour (the last one but one at most) and the weight of the right one, 0..256. */
static inline __m256i neighbour(__m256i position, int32_t count, __m256i *weight)
{
    const __m256i most = _mm256_set1_epi32((count - 1) << VRS_UNROLL_BITS);
    const __m256i held = _mm256_min_epi32(_mm256_max_epi32(position, _mm256_setzero_si256()), most);
    const __m256i left =
        _mm256_min_epi32(_mm256_srli_epi32(held, VRS_UNROLL_BITS), _mm256_set1_epi32(count - 2));
    *weight = _mm256_sub_epi32(held, _mm256_slli_epi32(left, VRS_UNROLL_BITS));
    return left;
}

/* Values of 8 samples at their positions. */
static inline __m256i values(const part *p, __m256i across, __m256i down)
{
    const vrs_unroll *u = p->u;
    const __m256i one = _mm256_set1_epi32(1 << VRS_UNROLL_BITS);
    const __m256i stride = _mm256_set1_epi32((int32_t)u->src_stride);
    __m256i weight_x, weight_y;
    const __m256i x = neighbour(across, u->size.width, &weight_x);
    const __m256i y = neighbour(down, u->size.height, &weight_y);
    const __m256i offset = _mm256_mullo_epi32(x, _mm256_set1_epi32(p->pixel));
    const __m256i row = _mm256_mullo_epi32(y, stride);
    const __m256i above = along(p, row, offset, weight_x);
    const __m256i below = along(p, _mm256_add_epi32(row, stride), offset, weight_x);
    const __m256i sum = _mm256_add_epi32(_mm256_mullo_epi32(above, _mm256_sub_epi32(one, weight_y)),
                                         _mm256_mullo_epi32(below, weight_y));
    const __m256i half = _mm256_set1_epi32(1 << (2 * VRS_UNROLL_BITS - 1));
    return _mm256_srli_epi32(_mm256_add_epi32(sum, half), 2 * VRS_UNROLL_BITS);
}

/* Between the upper and the lower node of a column of the grid. */
static inline int32_t between(const int32_t *node, ptrdiff_t below, int32_t step, int32_t b)
{
    return node[0] * (step - b) + node[below] * b;
}

/* Positions of 8 samples from a multiple of 8 on, on an axis (0 across, 1 down): between the nodes
 * of one cell of 8 samples, of two of 4, or at nodes of their own. */
static inline __m256i positions(const vrs_unroll *u, int32_t x, int32_t y, int32_t axis)
{
    const int32_t cell = u->size.cell, step = 1 << cell, b = y & (step - 1);
    const ptrdiff_t below = 2 * (ptrdiff_t)u->size.columns;
    const int32_t *node = u->grid + (y >> cell) * below + 2 * (ptrdiff_t)(x >> cell) + axis;
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    if (cell == 0)
        return _mm256_i32gather_epi32(node, _mm256_slli_epi32(lane, 1), 4);
    const int32_t first = between(node, below, step, b), second = between(node + 2, below, step, b);
    __m256i left = _mm256_set1_epi32(first), right = _mm256_set1_epi32(second);
    if (cell == 2) {
        const int32_t third = between(node + 4, below, step, b);
        left = _mm256_blend_epi32(left, right, 0xf0);
        right = _mm256_blend_epi32(right, _mm256_set1_epi32(third), 0xf0);
    }
    const __m256i a = _mm256_and_si256(lane, _mm256_set1_epi32(step - 1));
    const __m256i sum =
        _mm256_add_epi32(_mm256_mullo_epi32(left, _mm256_sub_epi32(_mm256_set1_epi32(step), a)),
                         _mm256_mullo_epi32(right, a));
    const __m256i half = _mm256_set1_epi32((1 << 2 * cell) >> 1);
    return _mm256_sra_epi32(_mm256_add_epi32(sum, half), _mm_cvtsi32_si128(2 * cell));
}

static inline void store(const part *p, int32_t x, int32_t y, __m256i value)
{
    char *row = (char *)p->u->dst + y * p->u->dst_stride;
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    if (p->u->sample_bytes == 2)
        _mm_storeu_si128((__m128i *)(void *)((uint16_t *)(void *)row + x), words);
    else
        _mm_storel_epi64((__m128i *)(void *)(row + x), _mm_packus_epi16(words, words));
}

static void fill_outside(const vrs_unroll *u, int32_t y, int32_t begin, int32_t end)
{
    char *row = (char *)u->dst + y * u->dst_stride;
    if (u->sample_bytes == 1)
        memset(row + begin, u->outside, (size_t)(end - begin));
    else
        for (int32_t x = begin; x < end; x++)
            ((uint16_t *)(void *)row)[x] = (uint16_t)u->outside;
}

/* The first sample of a row that lies in the circle; width: none. The last one mirrors it. */
static int32_t first_inside(const vrs_unroll_size *size, int32_t y)
{
    const double radius = size->width < size->height ? size->width : size->height;
    const double down = 2.0 * y + 1 - size->height, square = radius * radius - down * down;
    if (square < 0)
        return size->width;
    int32_t x = (int32_t)((size->width - 1 - sqrt(square)) / 2) - 1;
    x = x < 0 ? 0 : x;
    while (x < size->width && !vrs_unroll_inside(size, x, y))
        x++;
    return x;
}

static void unroll_row(const part *p, int32_t y)
{
    const vrs_unroll *u = p->u;
    const int32_t first = first_inside(&u->size, y), end = u->size.width - first;
    if (first >= end) {
        fill_outside(u, y, 0, u->size.width);
        return;
    }
    fill_outside(u, y, 0, first);
    fill_outside(u, y, end, u->size.width);
    const int32_t begin = (first + LANES - 1) / LANES * LANES, last = end / LANES * LANES;
    if (begin >= last) {
        vrs_reference_unroll_columns(u, y, first, end);
        return;
    }
    vrs_reference_unroll_columns(u, y, first, begin);
    for (int32_t x = begin; x < last; x += LANES)
        store(p, x, y, values(p, positions(u, x, y, 0), positions(u, x, y, 1)));
    vrs_reference_unroll_columns(u, y, last, end);
}

void vrs_avx2_unroll(const vrs_unroll *u, int32_t row_begin, int32_t row_end)
{
    const int32_t pixel = u->src_step * u->sample_bytes;
    const int64_t bytes = (int64_t)pixel * (u->size.width - 1) + u->sample_bytes;
    /* Places are counted in 32 bits. */
    const bool small = u->src_stride > 0 && u->src_stride < INT32_MAX / (u->size.height + 1);
    const int32_t cell = u->size.cell;
    if (u->grid == NULL || (cell != 0 && cell != 2 && cell != 3) || u->size.width < 4 ||
        u->size.height < 2 || bytes < 4 || !small) {
        vrs_reference_unroll(u, row_begin, row_end);
        return;
    }
    const part p = {
        .u = u,
        .last = (int32_t)bytes - 4,
        .pixel = pixel,
        .sample_mask = _mm256_set1_epi32(u->sample_bytes == 1 ? 0xff : 0xffff),
        .sample_shift = _mm_cvtsi32_si128(u->src_shift),
    };
    for (int32_t y = row_begin; y < row_end; y++)
        unroll_row(&p, y);
}
