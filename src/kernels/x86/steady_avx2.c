/* Steady masks with AVX2: matching by sums of absolute differences, following eight pixels of a
 * cell's row at once. */
#include <string.h>

#include <immintrin.h>

#include "kernels/steady_pixel.h"
#include "kernels/x86/steady_x86.h"

#define SIDE 8

static inline __m128i load8(const void *p)
{
    return _mm_loadl_epi64(p);
}

static inline __m128i load16(const void *p)
{
    return _mm_loadu_si128(p);
}

/* ---- pyramid ---- */

static void repeat_edges(const vrs_pyramid *p, int level)
{
    const int32_t width = p->width[level], height = p->height[level], b = VRS_PYRAMID_BORDER;
    const ptrdiff_t stride = p->stride[level];
    uint8_t *first = p->level[level] - b, *last = first + (height - 1) * stride;
    for (int32_t y = 0; y < height; y++) {
        uint8_t *row = p->level[level] + y * stride;
        memset(row - b, row[0], (size_t)b);
        memset(row + width, row[width - 1], (size_t)(stride - width - b));
    }
    for (int32_t y = 1; y <= b; y++) {
        memcpy(first - y * stride, first, (size_t)stride);
        memcpy(last + y * stride, last, (size_t)stride);
    }
}

/* Rows of a level have a border, so that the last vector may run over on both sides of it. */
static void halve(const vrs_pyramid *p, int level)
{
    const __m256i one = _mm256_set1_epi8(1), two = _mm256_set1_epi16(2);
    const ptrdiff_t stride = p->stride[level - 1];
    for (int32_t y = 0; y < p->height[level]; y++) {
        const uint8_t *a = p->level[level - 1] + 2 * y * stride;
        uint8_t *to = p->level[level] + y * p->stride[level];
        for (int32_t x = 0; x < p->width[level]; x += 16) {
            const __m256i upper = _mm256_loadu_si256((const void *)(a + 2 * x));
            const __m256i lower = _mm256_loadu_si256((const void *)(a + stride + 2 * x));
            const __m256i sum = _mm256_add_epi16(_mm256_maddubs_epi16(upper, one),
                                                 _mm256_maddubs_epi16(lower, one));
            const __m256i mean = _mm256_srli_epi16(_mm256_add_epi16(sum, two), 2);
            _mm_storeu_si128((void *)(to + x), _mm_packus_epi16(_mm256_castsi256_si128(mean),
                                                                _mm256_extracti128_si256(mean, 1)));
        }
    }
}

void vrs_avx2_pyramid(const vrs_pyramid *pyramid, const uint8_t *guide, ptrdiff_t stride)
{
    for (int32_t y = 0; y < pyramid->height[0]; y++)
        memcpy(pyramid->level[0] + y * pyramid->stride[0], guide + y * stride,
               (size_t)pyramid->width[0]);
    repeat_edges(pyramid, 0);
    for (int level = 1; level < VRS_PYRAMID_LEVELS; level++) {
        halve(pyramid, level);
        repeat_edges(pyramid, level);
    }
}

/* ---- match ---- */

/* The pixels of a cell's square, two rows a vector, and where it lies in the other picture. */
typedef struct square {
    __m128i rows[SIDE / 2];
    const uint8_t *before;
    ptrdiff_t stride;
} square;

static inline __m128i two_rows(const uint8_t *p, ptrdiff_t stride)
{
    return _mm_unpacklo_epi64(load8(p), load8(p + stride));
}

static inline square square_at(const vrs_match *m, int level, int32_t x, int32_t y)
{
    const ptrdiff_t stride = m->now->stride[level];
    const uint8_t *now = m->now->level[level] + y * stride + x;
    square s = {.before = m->before->level[level] + y * stride + x, .stride = stride};
    for (int i = 0; i < SIDE / 2; i++)
        s.rows[i] = two_rows(now + 2 * i * stride, stride);
    return s;
}

static inline int32_t difference(const square *s, int32_t x, int32_t y)
{
    const uint8_t *b = s->before + y * s->stride + x;
    __m128i sum = _mm_sad_epu8(s->rows[0], two_rows(b, s->stride));
    for (int i = 1; i < SIDE / 2; i++)
        sum = _mm_add_epi32(sum,
                            _mm_sad_epu8(s->rows[i], two_rows(b + 2 * i * s->stride, s->stride)));
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_srli_si128(sum, 8)));
}

static inline int32_t magnitude(int32_t v)
{
    return v < 0 ? -v : v;
}

typedef struct best {
    int32_t cost, x, y;
} best;

static inline void try(best *b, const square *s, int32_t x, int32_t y)
{
    const int32_t cost = difference(s, x, y) + VRS_MATCH_PENALTY * (magnitude(x) + magnitude(y));
    if (cost < b->cost)
        *b = (best){cost, x, y};
}

/* The middle one is the best already, and no less than itself. */
static inline void try_around(best *b, const square *s)
{
    const int32_t x = b->x, y = b->y;
    for (int32_t dy = -1; dy <= 1; dy++)
        for (int32_t dx = -1; dx <= 1; dx++)
            if (dx != 0 || dy != 0)
                try(b, s, x + dx, y + dy);
}

/* Costs of 16 vectors, side by side from VRS_MATCH_ACROSS to the left on; those too far to the
 * right cost everything. mpsadbw compares four pixels with those at eight places. */
static inline __m256i row_of_costs(const square *s, int32_t dy, __m256i penalty)
{
    __m256i sum = penalty;
    const uint8_t *b = s->before + dy * s->stride - VRS_MATCH_ACROSS;
    for (int i = 0; i < SIDE; i++, b += s->stride) {
        const __m128i row = i % 2 == 0 ? s->rows[i / 2] : _mm_srli_si128(s->rows[i / 2], 8);
        const __m256i now = _mm256_broadcastsi128_si256(row);
        const __m256i places =
            _mm256_inserti128_si256(_mm256_castsi128_si256(load16(b)), load16(b + 8), 1);
        sum = _mm256_adds_epu16(sum, _mm256_mpsadbw_epu8(places, now, 0));
        sum = _mm256_adds_epu16(sum, _mm256_mpsadbw_epu8(places, now, 5 | 5 << 3));
    }
    return sum;
}

/* Of 16 costs the least; of equals that of the least place. */
static inline int32_t least_of(__m256i costs, __m256i places, int32_t *place)
{
    const __m128i low = _mm_minpos_epu16(_mm256_castsi256_si128(costs));
    const __m128i high = _mm_minpos_epu16(_mm256_extracti128_si256(costs, 1));
    const int32_t a = _mm_extract_epi16(low, 0), b = _mm_extract_epi16(high, 0);
    const int32_t least = a < b ? a : b;
    const __m256i same = _mm256_cmpeq_epi16(costs, _mm256_set1_epi16((int16_t)least));
    const __m256i there = _mm256_or_si256(places, _mm256_xor_si256(same, _mm256_set1_epi16(-1)));
    const __m128i first = _mm_minpos_epu16(
        _mm_min_epu16(_mm256_castsi256_si128(there), _mm256_extracti128_si256(there, 1)));
    *place = _mm_extract_epi16(first, 0);
    return least;
}

static vrs_motion find(const vrs_match *m, int32_t column, int32_t row, uint64_t *unlike)
{
    const __m256i lane = _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m256i across = _mm256_mullo_epi16(
        _mm256_abs_epi16(_mm256_sub_epi16(lane, _mm256_set1_epi16(VRS_MATCH_ACROSS))),
        _mm256_set1_epi16(VRS_MATCH_COARSE_PENALTY));
    const __m256i outside = _mm256_cmpgt_epi16(lane, _mm256_set1_epi16(2 * VRS_MATCH_ACROSS));
    const square s = square_at(m, 2, SIDE / 2 * column - 2, SIDE / 2 * row - 2);
    __m256i least = _mm256_set1_epi16(-1), places = least;
    for (int32_t dy = -VRS_MATCH_DOWN; dy <= VRS_MATCH_DOWN; dy++) {
        const __m256i penalty = _mm256_or_si256(
            _mm256_add_epi16(
                across, _mm256_set1_epi16((int16_t)(VRS_MATCH_COARSE_PENALTY * magnitude(dy)))),
            outside);
        const __m256i costs = row_of_costs(&s, dy, penalty);
        const __m256i kept = _mm256_cmpeq_epi16(_mm256_min_epu16(least, costs), least);
        const __m256i here =
            _mm256_add_epi16(lane, _mm256_set1_epi16((int16_t)((dy + VRS_MATCH_DOWN) * 16)));
        least = _mm256_min_epu16(least, costs);
        places = _mm256_blendv_epi8(here, places, kept);
    }
    int32_t place;
    const int32_t cost = least_of(least, places, &place);
    *unlike += (uint64_t)cost;
    if (difference(&s, 0, 0) <= cost)
        return (vrs_motion){0, 0};
    return (vrs_motion){(int16_t)(place % 16 - VRS_MATCH_ACROSS),
                        (int16_t)(place / 16 - VRS_MATCH_DOWN)};
}

static inline vrs_motion coarse_at(const vrs_match *m, int32_t column, int32_t row)
{
    const int32_t columns = vrs_coarse_cells(m->now->width[0]);
    const int32_t rows = vrs_coarse_cells(m->now->height[0]);
    return m->coarse[vrs_held(row, 0, rows - 1) * columns + vrs_held(column, 0, columns - 1)];
}

static best middle(const vrs_match *m, int32_t column, int32_t row)
{
    static const int8_t around[5][2] = {{0, 0}, {0, -1}, {0, 1}, {-1, 0}, {1, 0}};
    const square s = square_at(m, 1, SIDE / 2 * column - 2, SIDE / 2 * row - 2);
    best b = {difference(&s, 0, 0), 0, 0};
    for (int i = 0; i < 5; i++) {
        const vrs_motion v = coarse_at(m, column / 2 + around[i][0], row / 2 + around[i][1]);
        try(&b, &s, 2 * v.x, 2 * v.y);
    }
    try_around(&b, &s);
    return b;
}

static vrs_motion fine(const vrs_match *m, int32_t column, int32_t row)
{
    const square s = square_at(m, 0, VRS_CELL * column, VRS_CELL * row);
    best b = {difference(&s, 0, 0), 0, 0};
    if (b.cost <= VRS_MATCH_STILL)
        return (vrs_motion){0, 0};
    const best from = middle(m, column, row);
    try(&b, &s, 2 * from.x, 2 * from.y);
    try_around(&b, &s);
    const int32_t here = b.cost - VRS_MATCH_PENALTY * (magnitude(b.x) + magnitude(b.y));
    const int32_t x =
        vrs_match_between(difference(&s, b.x - 1, b.y), here, difference(&s, b.x + 1, b.y));
    const int32_t y =
        vrs_match_between(difference(&s, b.x, b.y - 1), here, difference(&s, b.x, b.y + 1));
    return (vrs_motion){(int16_t)(4 * b.x + x), (int16_t)(4 * b.y + y)};
}

void vrs_avx2_match(const vrs_match *m)
{
    const int32_t columns = vrs_coarse_cells(m->now->width[0]);
    const int32_t rows = vrs_coarse_cells(m->now->height[0]);
    uint64_t unlike = 0;
    for (int32_t row = 0; row < rows; row++)
        for (int32_t column = 0; column < columns; column++)
            m->coarse[row * columns + column] = find(m, column, row, &unlike);
    *m->unlike = unlike;
    const int32_t width = vrs_cells(m->now->width[0]), height = vrs_cells(m->now->height[0]);
    for (int32_t row = 0; row < height; row++)
        for (int32_t column = 0; column < width; column++)
            m->motion[row * width + column] = fine(m, column, row);
}

/* ---- follow ---- */

#define ROW_START 16 /* of a row of differences in its scratch memory */

/* Eight pixels of a row where they were; codes of 8 bits. */
static inline __m128i codes_at(const uint8_t *b, ptrdiff_t stride, vrs_origin p)
{
    if ((p.right | p.down) == 0)
        return load8(b);
    const __m128i across = _mm_set1_epi16((int16_t)((4 - p.right) | p.right << 8));
    const __m128i upper = _mm_maddubs_epi16(_mm_unpacklo_epi8(load8(b), load8(b + 1)), across);
    b += stride;
    const __m128i lower = _mm_maddubs_epi16(_mm_unpacklo_epi8(load8(b), load8(b + 1)), across);
    const __m128i sum = _mm_add_epi16(_mm_mullo_epi16(upper, _mm_set1_epi16((int16_t)(4 - p.down))),
                                      _mm_mullo_epi16(lower, _mm_set1_epi16((int16_t)p.down)));
    const __m128i mean = _mm_srli_epi16(_mm_add_epi16(sum, _mm_set1_epi16(8)), 4);
    return _mm_packus_epi16(mean, mean);
}

/* Whether this cell and the next one rest. */
static inline bool two_rest(const vrs_motion *motion, int32_t c, int32_t cells)
{
    return c + 1 < cells && (motion[c].x | motion[c].y | motion[c + 1].x | motion[c + 1].y) == 0;
}

static inline __m128i apart(__m128i a, __m128i b)
{
    return _mm_or_si128(_mm_subs_epu8(a, b), _mm_subs_epu8(b, a));
}

/* The pictures' differences in a row, with one more pixel on both sides. */
static void difference_row(const vrs_follow *f, int32_t y, uint8_t *row)
{
    const int32_t width = f->now->width[0], cells = vrs_cells(width);
    const ptrdiff_t stride = f->before->stride[0];
    const uint8_t *now = f->now->level[0] + y * f->now->stride[0];
    const vrs_motion *motion = f->motion + y / VRS_CELL * cells;
    for (int32_t c = 0; c < cells; c++) {
        if (two_rest(motion, c, cells)) {
            const uint8_t *was = f->before->level[0] + y * stride + VRS_CELL * c;
            _mm_storeu_si128((void *)(row + VRS_CELL * c),
                             apart(load16(now + VRS_CELL * c), load16(was)));
            c++;
            continue;
        }
        const vrs_origin p = vrs_origin_of(motion[c], VRS_CELL * c, y);
        const __m128i was = codes_at(f->before->level[0] + p.y * stride + p.x, stride, p);
        const __m128i is = load8(now + VRS_CELL * c);
        _mm_storel_epi64((void *)(row + VRS_CELL * c), apart(is, was));
    }
    row[-1] = row[0];
    row[width] = row[width - 1];
}

static inline __m128i sum_of_three(const uint8_t *row)
{
    return _mm_add_epi16(
        _mm_add_epi16(_mm_cvtepu8_epi16(load8(row - 1)), _mm_cvtepu8_epi16(load8(row))),
        _mm_cvtepu8_epi16(load8(row + 1)));
}

/* Eight values of a mask where they were. */
static inline __m128i masks_at(const int16_t *m, int32_t width, vrs_origin p)
{
    if ((p.right | p.down) == 0)
        return load16(m);
    const __m128i a = load16(m), b = load16(m + 1);
    const __m128i c = load16(m + width), d = load16(m + width + 1);
    const int32_t up = 4 - p.down, left = 4 - p.right;
    const __m128i upper = _mm_set1_epi32(up * left | up * p.right << 16);
    const __m128i lower = _mm_set1_epi32(p.down * left | p.down * p.right << 16);
    const __m128i half = _mm_set1_epi32(8);
    const __m128i first = _mm_add_epi32(_mm_madd_epi16(_mm_unpacklo_epi16(a, b), upper),
                                        _mm_madd_epi16(_mm_unpacklo_epi16(c, d), lower));
    const __m128i second = _mm_add_epi32(_mm_madd_epi16(_mm_unpackhi_epi16(a, b), upper),
                                         _mm_madd_epi16(_mm_unpackhi_epi16(c, d), lower));
    return _mm_packs_epi32(_mm_srli_epi32(_mm_add_epi32(first, half), 4),
                           _mm_srli_epi32(_mm_add_epi32(second, half), 4));
}

/* Eight pixels whose past lies inside with a pixel to spare. */
static inline void follow_eight(const vrs_follow *f, ptrdiff_t at, vrs_origin p, __m128i difference)
{
    const int32_t width = f->now->width[0];
    const __m128i mask = load16(f->mask + at);
    const __m128i past = masks_at(f->past + (ptrdiff_t)p.y * width + p.x, width, p);
    const __m128i change = _mm_sub_epi16(mask, past);
    const __m128i large = _mm_srli_epi16(_mm_abs_epi16(change), 7);
    const __m128i doubt = _mm_add_epi16(
        difference,
        _mm_srli_epi16(_mm_mullo_epi16(large, _mm_set1_epi16((int16_t)f->disbelief)), 8));
    const __m128i trust = _mm_min_epi16(_mm_subs_epu16(_mm_set1_epi16((int16_t)f->unlike), doubt),
                                        _mm_set1_epi16(128));
    __m128i age = _mm_set1_epi16(1);
    if (f->past_age != NULL)
        age = _mm_cvtepu8_epi16(
            load8(f->past_age + (ptrdiff_t)(p.y + p.down / 2) * width + p.x + p.right / 2));
    age = _mm_srli_epi16(_mm_add_epi16(_mm_mullo_epi16(age, trust), _mm_set1_epi16(64)), 7);
    const __m128i ages = _mm_packus_epi16(age, age);
    const __m128i share = _mm_cvtepu8_epi16(_mm_shuffle_epi8(load16(f->share), ages));
    const __m128i all = _mm_cmpeq_epi16(share, _mm_set1_epi16(VRS_SHARE_ONE));
    const __m128i mixed = _mm_add_epi16(past, _mm_mulhrs_epi16(change, _mm_slli_epi16(share, 8)));
    _mm_storeu_si128((void *)(f->result + at), _mm_blendv_epi8(mixed, mask, all));
    if (f->age != NULL)
        _mm_storel_epi64((void *)(f->age + at), _mm_min_epu8(_mm_add_epi8(ages, _mm_set1_epi8(1)),
                                                             _mm_set1_epi8(VRS_AGE_MOST)));
}

static inline __m256i wide(const uint8_t *p)
{
    return _mm256_cvtepu8_epi16(load16(p));
}

/* Sixteen pixels that rest, and the rows of differences around them. */
static inline void follow_sixteen(const vrs_follow *f, ptrdiff_t at, const uint8_t *const rows[3],
                                  int32_t x)
{
    const __m256i mask = _mm256_loadu_si256((const void *)(f->mask + at));
    const __m256i past = _mm256_loadu_si256((const void *)(f->past + at));
    const __m256i change = _mm256_sub_epi16(mask, past);
    const __m256i large = _mm256_srli_epi16(_mm256_abs_epi16(change), 7);
    __m256i doubt =
        _mm256_srli_epi16(_mm256_mullo_epi16(large, _mm256_set1_epi16((int16_t)f->disbelief)), 8);
    for (int i = 0; i < 3; i++) {
        const uint8_t *row = rows[i] + x;
        doubt = _mm256_add_epi16(doubt, _mm256_add_epi16(wide(row - 1), wide(row)));
        doubt = _mm256_add_epi16(doubt, wide(row + 1));
    }
    const __m256i trust = _mm256_min_epi16(
        _mm256_subs_epu16(_mm256_set1_epi16((int16_t)f->unlike), doubt), _mm256_set1_epi16(128));
    __m256i age = f->past_age != NULL ? wide(f->past_age + at) : _mm256_set1_epi16(1);
    age = _mm256_srli_epi16(_mm256_add_epi16(_mm256_mullo_epi16(age, trust), _mm256_set1_epi16(64)),
                            7);
    const __m128i ages =
        _mm_packus_epi16(_mm256_castsi256_si128(age), _mm256_extracti128_si256(age, 1));
    const __m256i share = _mm256_cvtepu8_epi16(_mm_shuffle_epi8(load16(f->share), ages));
    const __m256i all = _mm256_cmpeq_epi16(share, _mm256_set1_epi16(VRS_SHARE_ONE));
    const __m256i mixed =
        _mm256_add_epi16(past, _mm256_mulhrs_epi16(change, _mm256_slli_epi16(share, 8)));
    _mm256_storeu_si256((void *)(f->result + at), _mm256_blendv_epi8(mixed, mask, all));
    if (f->age != NULL)
        _mm_storeu_si128((void *)(f->age + at), _mm_min_epu8(_mm_add_epi8(ages, _mm_set1_epi8(1)),
                                                             _mm_set1_epi8(VRS_AGE_MOST)));
}

static void follow_row(const vrs_follow *f, int32_t y, const uint8_t *const rows[3])
{
    const int32_t width = f->now->width[0], height = f->now->height[0], cells = vrs_cells(width);
    const vrs_motion *motion = f->motion + y / VRS_CELL * cells;
    for (int32_t c = 0; c < cells; c++) {
        const int32_t x = VRS_CELL * c, end = x + VRS_CELL < width ? x + VRS_CELL : width;
        if (two_rest(motion, c, cells) && x + 2 * VRS_CELL <= width) {
            follow_sixteen(f, (ptrdiff_t)y * width + x, rows, x);
            c++;
            continue;
        }
        const vrs_origin p = vrs_origin_of(motion[c], x, y);
        const __m128i difference =
            _mm_add_epi16(_mm_add_epi16(sum_of_three(rows[0] + x), sum_of_three(rows[1] + x)),
                          sum_of_three(rows[2] + x));
        if (p.x >= 0 && p.x + VRS_CELL < width && x + VRS_CELL <= width && p.y >= 0 &&
            p.y + 1 < height) {
            follow_eight(f, (ptrdiff_t)y * width + x, p, difference);
            continue;
        }
        int16_t each[VRS_CELL];
        _mm_storeu_si128((void *)each, difference);
        for (int32_t i = x; i < end; i++)
            vrs_follow_pixel(f, i, y, motion[c], each[i - x]);
    }
}

void vrs_avx2_follow(const vrs_follow *f, void *scratch)
{
    const int32_t width = f->now->width[0], height = f->now->height[0];
    uint8_t *row[3];
    for (int i = 0; i < 3; i++)
        row[i] = (uint8_t *)scratch + (size_t)i * ((size_t)width + 64) + ROW_START;
    difference_row(f, 0, row[0]);
    for (int32_t y = 0; y < height; y++) {
        /* Rows y - 1, y, y + 1 lie in turn; at the edges the row itself stands for the missing. */
        uint8_t *here = row[y % 3], *next = row[(y + 1) % 3];
        const uint8_t *const rows[3] = {y > 0 ? row[(y + 2) % 3] : here, here,
                                        y + 1 < height ? next : here};
        if (y + 1 < height)
            difference_row(f, y + 1, next);
        follow_row(f, y, rows);
    }
}
