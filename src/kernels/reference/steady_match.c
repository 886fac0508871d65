/* Where each cell of a picture was in another one, from coarse to fine. */
#include <stdlib.h>

#include "kernels/reference/steady.h"

#define SIDE 8 /* of the square that is compared */

/* Of the square at (x, y), and at (x, y) + v in the other picture. */
static int32_t difference(const vrs_match *m, int level, int32_t x, int32_t y, vrs_motion v)
{
    const ptrdiff_t stride = m->now->stride[level];
    const uint8_t *a = m->now->level[level] + y * stride + x;
    const uint8_t *b = m->before->level[level] + (y + v.y) * stride + x + v.x;
    int32_t sum = 0;
    for (int row = 0; row < SIDE; row++, a += stride, b += stride)
        for (int column = 0; column < SIDE; column++)
            sum += abs(a[column] - b[column]);
    return sum;
}

/* The best so far; of equals the first stays. */
typedef struct best {
    int32_t cost;
    vrs_motion v;
} best;

static const best none = {INT32_MAX, {0, 0}};

static void try(best *b, const vrs_match *m, int level, int32_t x, int32_t y, vrs_motion v)
{
    int32_t penalty = level == 2 ? VRS_MATCH_COARSE_PENALTY : VRS_MATCH_PENALTY;
    int32_t cost = difference(m, level, x, y, v) + penalty * (abs(v.x) + abs(v.y));
    if (cost < b->cost)
        *b = (best){cost, v};
}

/* All within some pixels of where the best was. */
static void try_around(best *b, const vrs_match *m, int level, int32_t x, int32_t y, int across,
                       int down)
{
    const vrs_motion middle = b->v;
    for (int dy = -down; dy <= down; dy++)
        for (int dx = -across; dx <= across; dx++)
            try(b, m, level, x, y,
                (vrs_motion){(int16_t)(middle.x + dx), (int16_t)(middle.y + dy)});
}

static const vrs_motion rest = {0, 0};

static vrs_motion twice(vrs_motion v)
{
    return (vrs_motion){(int16_t)(2 * v.x), (int16_t)(2 * v.y)};
}

static best find(const vrs_match *m, int32_t column, int32_t row)
{
    best b = none;
    int32_t x = SIDE / 2 * column - 2, y = SIDE / 2 * row - 2;
    try(&b, m, 2, x, y, rest);
    b.v = rest;
    try_around(&b, m, 2, x, y, VRS_MATCH_ACROSS, VRS_MATCH_DOWN);
    return b;
}

static int32_t held(int32_t v, int32_t count)
{
    return v < 0 ? 0 : v >= count ? count - 1 : v;
}

static vrs_motion coarse_at(const vrs_match *m, int32_t column, int32_t row)
{
    int32_t columns = vrs_coarse_cells(m->now->width[0]);
    int32_t rows = vrs_coarse_cells(m->now->height[0]);
    return m->coarse[held(row, rows) * columns + held(column, columns)];
}

static vrs_motion middle(const vrs_match *m, int32_t column, int32_t row)
{
    static const int8_t around[5][2] = {{0, 0}, {0, -1}, {0, 1}, {-1, 0}, {1, 0}};
    int32_t x = SIDE / 2 * column - 2, y = SIDE / 2 * row - 2;
    best b = none;
    try(&b, m, 1, x, y, rest);
    for (int i = 0; i < 5; i++)
        try(&b, m, 1, x, y, twice(coarse_at(m, column / 2 + around[i][0], row / 2 + around[i][1])));
    try_around(&b, m, 1, x, y, 1, 1);
    return b.v;
}

static vrs_motion fine(const vrs_match *m, int32_t column, int32_t row)
{
    int32_t x = VRS_CELL * column, y = VRS_CELL * row;
    best b = none;
    try(&b, m, 0, x, y, rest);
    if (b.cost <= VRS_MATCH_STILL)
        return rest;
    try(&b, m, 0, x, y, twice(middle(m, column, row)));
    try_around(&b, m, 0, x, y, 1, 1);
    const vrs_motion v = b.v;
    const vrs_motion left = {(int16_t)(v.x - 1), v.y}, right = {(int16_t)(v.x + 1), v.y};
    const vrs_motion above = {v.x, (int16_t)(v.y - 1)}, below = {v.x, (int16_t)(v.y + 1)};
    const int32_t here = difference(m, 0, x, y, v);
    return (vrs_motion){
        (int16_t)(4 * v.x + vrs_match_between(difference(m, 0, x, y, left), here,
                                              difference(m, 0, x, y, right))),
        (int16_t)(4 * v.y + vrs_match_between(difference(m, 0, x, y, above), here,
                                              difference(m, 0, x, y, below))),
    };
}

void vrs_reference_match(const vrs_match *m)
{
    const int32_t columns = vrs_coarse_cells(m->now->width[0]);
    const int32_t rows = vrs_coarse_cells(m->now->height[0]);
    *m->unlike = 0;
    for (int32_t row = 0; row < rows; row++) {
        for (int32_t column = 0; column < columns; column++) {
            const best b = find(m, column, row);
            m->coarse[row * columns + column] = b.v;
            *m->unlike += (uint64_t)b.cost;
        }
    }
    const int32_t width = vrs_cells(m->now->width[0]), height = vrs_cells(m->now->height[0]);
    for (int32_t row = 0; row < height; row++)
        for (int32_t column = 0; column < width; column++)
            m->motion[row * width + column] = fine(m, column, row);
}
