/* Steady masks with AVX2: matching by sums of absolute differences, following two rows of a cell,
 * or of two cells that rest, at once. */
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

static inline int32_t penalty_of(int32_t x, int32_t y)
{
    return VRS_MATCH_PENALTY * (magnitude(x) + magnitude(y));
}

static inline int32_t cost_of(const square *s, int32_t x, int32_t y)
{
    return difference(s, x, y) + penalty_of(x, y);
}

static inline void try(best *b, const square *s, int32_t x, int32_t y)
{
    const int32_t cost = cost_of(s, x, y);
    if (cost < b->cost)
        *b = (best){cost, x, y};
}

/* The middle one is the best already, and no less than itself. `costs`: of the nine, row by row;
 * not of the middle one. */
static inline void try_around(best *b, const square *s, int32_t costs[9])
{
    const best from = *b;
    for (int32_t dy = -1; dy <= 1; dy++) {
        for (int32_t dx = -1; dx <= 1; dx++) {
            if (dx == 0 && dy == 0)
                continue;
            const int32_t cost = cost_of(s, from.x + dx, from.y + dy);
            costs[3 * dy + dx + 4] = cost;
            if (cost < b->cost)
                *b = (best){cost, from.x + dx, from.y + dy};
        }
    }
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

/* Neighbours mostly move alike: what was tried is not tried again. */
static best middle(const vrs_match *m, int32_t column, int32_t row)
{
    static const int8_t around[5][2] = {{0, 0}, {0, -1}, {0, 1}, {-1, 0}, {1, 0}};
    const square s = square_at(m, 1, SIDE / 2 * column - 2, SIDE / 2 * row - 2);
    best b = {difference(&s, 0, 0), 0, 0};
    vrs_motion last = {0, 0};
    for (int i = 0; i < 5; i++) {
        const vrs_motion v = coarse_at(m, column / 2 + around[i][0], row / 2 + around[i][1]);
        if (v.x != last.x || v.y != last.y)
            try(&b, &s, 2 * v.x, 2 * v.y);
        last = v;
    }
    int32_t costs[9];
    try_around(&b, &s, costs);
    return b;
}

/* A difference from where the last nine costs were taken, if they were taken around `b`. */
static inline int32_t beside(const square *s, const best *b, const int32_t costs[9], bool taken,
                             int32_t x, int32_t y)
{
    return taken ? costs[3 * (y + 1) + x + 1] - penalty_of(b->x + x, b->y + y)
                 : difference(s, b->x + x, b->y + y);
}

static vrs_motion fine(const vrs_match *m, int32_t column, int32_t row)
{
    const square s = square_at(m, 0, VRS_CELL * column, VRS_CELL * row);
    best b = {difference(&s, 0, 0), 0, 0};
    if (b.cost <= VRS_MATCH_STILL)
        return (vrs_motion){0, 0};
    const best coarse = middle(m, column, row);
    if (coarse.x != 0 || coarse.y != 0)
        try(&b, &s, 2 * coarse.x, 2 * coarse.y);
    const best from = b;
    int32_t costs[9];
    try_around(&b, &s, costs);
    const bool taken = b.x == from.x && b.y == from.y;
    const int32_t here = b.cost - penalty_of(b.x, b.y);
    const int32_t x = vrs_match_between(beside(&s, &b, costs, taken, -1, 0), here,
                                        beside(&s, &b, costs, taken, 1, 0));
    const int32_t y = vrs_match_between(beside(&s, &b, costs, taken, 0, -1), here,
                                        beside(&s, &b, costs, taken, 0, 1));
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

/* Rows go in pairs: both lie in one cell. In its scratch memory are the differences of one pair, in
 * bytes, and the sums of three of them side by side of the three pairs around the present one. */
#define ROW_START 16 /* of a row of differences, so that there is one to the left */
#define SUM_ROWS 6

typedef struct follow_rows {
    uint8_t *difference[2];
    uint16_t *sums[SUM_ROWS]; /* row y: y % SUM_ROWS */
} follow_rows;

static inline __m256i pair_of(__m128i low, __m128i high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

static inline __m128i across_of(const uint8_t *b, __m128i weights)
{
    return _mm_maddubs_epi16(_mm_unpacklo_epi8(load8(b), load8(b + 1)), weights);
}

/* Eight pixels of each of two rows where they were; codes of 8 bits, a row in each half. */
static inline __m128i codes_at(const uint8_t *b, ptrdiff_t stride, vrs_origin p)
{
    if ((p.right | p.down) == 0)
        return two_rows(b, stride);
    const __m128i weights = _mm_set1_epi16((int16_t)((4 - p.right) | p.right << 8));
    const __m128i middle_row = across_of(b + stride, weights);
    const __m256i upper = pair_of(across_of(b, weights), middle_row);
    const __m256i lower = pair_of(middle_row, across_of(b + 2 * stride, weights));
    const __m256i sum =
        _mm256_add_epi16(_mm256_mullo_epi16(upper, _mm256_set1_epi16((int16_t)(4 - p.down))),
                         _mm256_mullo_epi16(lower, _mm256_set1_epi16((int16_t)p.down)));
    const __m256i mean = _mm256_srli_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(8)), 4);
    return _mm_packus_epi16(_mm256_castsi256_si128(mean), _mm256_extracti128_si256(mean, 1));
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

/* The pictures' differences in rows y and y + 1, with one more pixel on both sides. Where the
 * picture ends between the two, its border makes up the second one. */
static void difference_rows(const vrs_follow *f, int32_t y, uint8_t *const rows[2])
{
    const int32_t width = f->now->width[0], cells = vrs_cells(width);
    const ptrdiff_t stride = f->before->stride[0], step = f->now->stride[0];
    const uint8_t *now = f->now->level[0] + y * step;
    const vrs_motion *motion = f->motion + y / VRS_CELL * cells;
    for (int32_t c = 0; c < cells; c++) {
        const int32_t x = VRS_CELL * c;
        if (two_rest(motion, c, cells)) {
            const uint8_t *was = f->before->level[0] + y * stride + x;
            _mm_storeu_si128((void *)(rows[0] + x), apart(load16(now + x), load16(was)));
            _mm_storeu_si128((void *)(rows[1] + x),
                             apart(load16(now + step + x), load16(was + stride)));
            c++;
            continue;
        }
        const vrs_origin p = vrs_origin_of(motion[c], x, y);
        const __m128i was = codes_at(f->before->level[0] + p.y * stride + p.x, stride, p);
        const __m128i both = apart(two_rows(now + x, step), was);
        _mm_storel_epi64((void *)(rows[0] + x), both);
        _mm_storel_epi64((void *)(rows[1] + x), _mm_unpackhi_epi64(both, both));
    }
    for (int i = 0; i < 2; i++) {
        uint8_t *row = rows[i];
        row[-1] = row[0];
        row[width] = row[width - 1];
    }
}

static inline __m256i wide(const uint8_t *p)
{
    return _mm256_cvtepu8_epi16(load16(p));
}

/* Differences of rows y and y + 1, summed along the row. */
static void sum_rows(const vrs_follow *f, int32_t y, const follow_rows *rows)
{
    difference_rows(f, y, rows->difference);
    for (int i = 0; i < 2; i++) {
        const uint8_t *from = rows->difference[i];
        uint16_t *to = rows->sums[(y + i) % SUM_ROWS];
        for (int32_t x = 0; x < f->now->width[0]; x += 16)
            _mm256_storeu_si256(
                (void *)(to + x),
                _mm256_add_epi16(_mm256_add_epi16(wide(from + x - 1), wide(from + x)),
                                 wide(from + x + 1)));
    }
}

/* Eight values of a mask in each of two rows where they were. */
static inline __m256i masks_at(const int16_t *m, int32_t width, vrs_origin p)
{
    const __m128i second_row = load16(m + width);
    const __m256i a = pair_of(load16(m), second_row);
    if ((p.right | p.down) == 0)
        return a;
    const __m128i second_right = load16(m + width + 1);
    const __m256i b = pair_of(load16(m + 1), second_right);
    const __m256i c = pair_of(second_row, load16(m + 2 * width));
    const __m256i d = pair_of(second_right, load16(m + 2 * width + 1));
    const int32_t up = 4 - p.down, left = 4 - p.right;
    const __m256i upper = _mm256_set1_epi32(up * left | up * p.right << 16);
    const __m256i lower = _mm256_set1_epi32(p.down * left | p.down * p.right << 16);
    const __m256i half = _mm256_set1_epi32(8);
    const __m256i first = _mm256_add_epi32(_mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), upper),
                                           _mm256_madd_epi16(_mm256_unpacklo_epi16(c, d), lower));
    const __m256i second = _mm256_add_epi32(_mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), upper),
                                            _mm256_madd_epi16(_mm256_unpackhi_epi16(c, d), lower));
    return _mm256_packs_epi32(_mm256_srli_epi32(_mm256_add_epi32(first, half), 4),
                              _mm256_srli_epi32(_mm256_add_epi32(second, half), 4));
}

/* What sixteen pixels become. */
typedef struct sixteen {
    __m256i mask;
    __m128i age;
} sixteen;

static inline sixteen follow_sixteen(const vrs_follow *f, __m256i mask, __m256i past,
                                     __m256i past_age, __m256i difference)
{
    const __m256i change = _mm256_sub_epi16(mask, past);
    const __m256i large = _mm256_srli_epi16(_mm256_abs_epi16(change), 7);
    const __m256i doubt = _mm256_add_epi16(
        difference,
        _mm256_srli_epi16(_mm256_mullo_epi16(large, _mm256_set1_epi16((int16_t)f->disbelief)), 8));
    const __m256i trust = _mm256_min_epi16(
        _mm256_subs_epu16(_mm256_set1_epi16((int16_t)f->unlike), doubt), _mm256_set1_epi16(128));
    const __m256i age = _mm256_srli_epi16(
        _mm256_add_epi16(_mm256_mullo_epi16(past_age, trust), _mm256_set1_epi16(64)), 7);
    const __m128i ages =
        _mm_packus_epi16(_mm256_castsi256_si128(age), _mm256_extracti128_si256(age, 1));
    const __m256i share = _mm256_cvtepu8_epi16(_mm_shuffle_epi8(load16(f->share), ages));
    const __m256i all = _mm256_cmpeq_epi16(share, _mm256_set1_epi16(VRS_SHARE_ONE));
    const __m256i mixed =
        _mm256_add_epi16(past, _mm256_mulhrs_epi16(change, _mm256_slli_epi16(share, 8)));
    return (sixteen){
        _mm256_blendv_epi8(mixed, mask, all),
        _mm_min_epu8(_mm_add_epi8(ages, _mm_set1_epi8(1)), _mm_set1_epi8(VRS_AGE_MOST))};
}

/* Sums over 3x3 of the sixteen from x on, or of the eight from x on in two rows. */
static inline __m256i difference_at(const uint16_t *const rows[3], int32_t x)
{
    const __m256i sum = _mm256_add_epi16(_mm256_loadu_si256((const void *)(rows[0] + x)),
                                         _mm256_loadu_si256((const void *)(rows[1] + x)));
    return _mm256_add_epi16(sum, _mm256_loadu_si256((const void *)(rows[2] + x)));
}

static inline __m256i two_differences_at(const uint16_t *const rows[4], int32_t x)
{
    const __m128i inner = _mm_add_epi16(load16(rows[1] + x), load16(rows[2] + x));
    return pair_of(_mm_add_epi16(load16(rows[0] + x), inner),
                   _mm_add_epi16(inner, load16(rows[3] + x)));
}

/* Sixteen pixels of a row that rest. */
static inline void follow_rest(const vrs_follow *f, ptrdiff_t at, __m256i difference)
{
    const sixteen s = follow_sixteen(
        f, _mm256_loadu_si256((const void *)(f->mask + at)),
        _mm256_loadu_si256((const void *)(f->past + at)),
        f->past_age != NULL ? wide(f->past_age + at) : _mm256_set1_epi16(1), difference);
    _mm256_storeu_si256((void *)(f->result + at), s.mask);
    if (f->age != NULL)
        _mm_storeu_si128((void *)(f->age + at), s.age);
}

/* Eight pixels in each of two rows, whose past lies inside with a pixel to spare. */
static inline void follow_moved(const vrs_follow *f, ptrdiff_t at, vrs_origin p, __m256i difference)
{
    const int32_t width = f->now->width[0];
    const __m256i past = masks_at(f->past + (ptrdiff_t)p.y * width + p.x, width, p);
    __m256i past_age = _mm256_set1_epi16(1);
    if (f->past_age != NULL)
        past_age = _mm256_cvtepu8_epi16(two_rows(
            f->past_age + (ptrdiff_t)(p.y + p.down / 2) * width + p.x + p.right / 2, width));
    const sixteen s = follow_sixteen(f, pair_of(load16(f->mask + at), load16(f->mask + at + width)),
                                     past, past_age, difference);
    _mm_storeu_si128((void *)(f->result + at), _mm256_castsi256_si128(s.mask));
    _mm_storeu_si128((void *)(f->result + at + width), _mm256_extracti128_si256(s.mask, 1));
    if (f->age != NULL) {
        _mm_storel_epi64((void *)(f->age + at), s.age);
        _mm_storel_epi64((void *)(f->age + at + width), _mm_unpackhi_epi64(s.age, s.age));
    }
}

/* Pixels from x up to `end` of a row one by one. */
static void follow_each(const vrs_follow *f, int32_t x, int32_t end, int32_t y, vrs_motion v,
                        const uint16_t *const rows[3])
{
    for (; x < end; x++)
        vrs_follow_pixel(f, x, y, v, rows[0][x] + rows[1][x] + rows[2][x]);
}

/* Rows y and, where `count` is 2, y + 1, with the sums above, of both, and below. */
static void follow_pair(const vrs_follow *f, int32_t y, int32_t count,
                        const uint16_t *const rows[4])
{
    const int32_t width = f->now->width[0], height = f->now->height[0], cells = vrs_cells(width);
    const vrs_motion *motion = f->motion + y / VRS_CELL * cells;
    for (int32_t c = 0; c < cells; c++) {
        const int32_t x = VRS_CELL * c, end = x + VRS_CELL < width ? x + VRS_CELL : width;
        const ptrdiff_t at = (ptrdiff_t)y * width + x;
        if (two_rest(motion, c, cells) && x + 2 * VRS_CELL <= width) {
            for (int32_t i = 0; i < count; i++)
                follow_rest(f, at + i * (ptrdiff_t)width, difference_at(rows + i, x));
            c++;
            continue;
        }
        const vrs_origin p = vrs_origin_of(motion[c], x, y);
        if (count == 2 && p.x >= 0 && p.x + VRS_CELL < width && x + VRS_CELL <= width && p.y >= 0 &&
            p.y + 2 < height) {
            follow_moved(f, at, p, two_differences_at(rows, x));
            continue;
        }
        for (int32_t i = 0; i < count; i++)
            follow_each(f, x, end, y + i, motion[c], rows + i);
    }
}

static follow_rows lay_out(int32_t width, void *scratch)
{
    const size_t row = (size_t)width + 64;
    follow_rows rows;
    for (size_t i = 0; i < 2; i++)
        rows.difference[i] = (uint8_t *)scratch + i * row + ROW_START;
    uint16_t *sums = (uint16_t *)((uint8_t *)scratch + 2 * row);
    for (size_t i = 0; i < SUM_ROWS; i++)
        rows.sums[i] = sums + i * row;
    return rows;
}

void vrs_avx2_follow(const vrs_follow *f, void *scratch)
{
    const int32_t height = f->now->height[0];
    const follow_rows rows = lay_out(f->now->width[0], scratch);
    sum_rows(f, 0, &rows);
    for (int32_t y = 0; y < height; y += 2) {
        if (y + 2 < height)
            sum_rows(f, y + 2, &rows);
        /* At the edges the row itself stands for the missing one. */
        const int32_t count = y + 1 < height ? 2 : 1;
        const int32_t above = y > 0 ? y - 1 : 0, second = y + count - 1;
        const int32_t below = y + 2 < height ? y + 2 : second;
        follow_pair(f, y, count,
                    (const uint16_t *const[]){rows.sums[above % SUM_ROWS], rows.sums[y % SUM_ROWS],
                                              rows.sums[second % SUM_ROWS],
                                              rows.sums[below % SUM_ROWS]});
    }
}
