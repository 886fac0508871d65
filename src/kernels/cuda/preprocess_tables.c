/* A preprocessing plan as the tables that the CUDA kernels look things up in. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/preprocess_launch.h"
#include "kernels/cuda/preprocess_tables.h"
#include "kernels/preprocess_plan.h"

#define MOST_WORDS 9
/* Sums of integers times 10-bit codes stay below 2^31. */
#define MOST_DENOMINATOR (1 << 20)

/* x weights of a component as integers: weight = integer / denominator, exactly. */
typedef struct integer_axis {
    int64_t denominator; /* 0: there are none */
    int32_t largest;     /* integer */
} integer_axis;

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t between(int32_t value, int32_t least, int32_t most)
{
    return value < least ? least : smaller(value, most);
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The integers over `denominator`, reduced; none where a weight is not a multiple of its part. */
static integer_axis reduce(const vrs_axis *axis, int64_t denominator)
{
    int64_t divisor = denominator, largest = 0;
    for (int32_t output = 0; output < axis->count; output++) {
        const float *weights = vrs_preprocess_weights(axis, output);
        int64_t sum = 0;
        for (int32_t tap = 0; tap < axis->taps[output]; tap++) {
            const double exact = (double)weights[tap] * (double)denominator;
            const int64_t integer = llrint(exact);
            if (fabs(exact - (double)integer) > 0.05)
                return (integer_axis){0};
            sum += integer;
            largest = integer > largest ? integer : largest;
            divisor = common_divisor(divisor, integer);
        }
        if (sum != denominator)
            return (integer_axis){0};
    }
    if (divisor <= 0 || denominator / divisor > MOST_DENOMINATOR)
        return (integer_axis){0};
    return (integer_axis){denominator / divisor, (int32_t)(largest / divisor)};
}

/* Places along an axis are multiples of a quarter of 1 / den (begin is one of a quarter), so an
 * area weight (a length over num / den) is one of 1 / (4 num), a bilinear one of 1 / (8 den). */
static integer_axis integers_of(const vrs_preprocess_plan *plan, int kind)
{
    const int64_t part = kind == VRS_AXIS_CHROMA ? 2 : 1;
    const integer_axis area = reduce(&plan->x[kind], (int64_t)4 * plan->desc.view.width);
    return area.denominator != 0 ? area : reduce(&plan->x[kind], 8 * part * plan->content.width);
}

/* Words that the widest window covers. */
static int32_t window_words(const vrs_preprocess_plan *plan, int kind)
{
    const vrs_axis *axis = &plan->x[kind];
    const int32_t pitch = vrs_preprocess_pitch(plan, kind);
    int32_t most = 0;
    for (int32_t output = 0; output < axis->count; output++) {
        const int32_t begin = axis->first[output] * pitch / 4;
        const int32_t last = ((axis->first[output] + axis->taps[output]) * pitch - 1) / 4;
        most = last - begin + 1 > most ? last - begin + 1 : most;
    }
    return most;
}

/* Axes that the fast kernels use: YUV 4:2:0 has two, packed RGB one; other sources have none. */
static int kinds_of(const vrs_preprocess_plan *plan)
{
    const bool packed =
        plan->desc.format == VRS_FORMAT_RGB24 || plan->desc.format == VRS_FORMAT_BGRA;
    return plan->info->chroma_420 ? 2 : (packed ? 1 : 0);
}

/* Of a shape in params_preprocess.h. */
static int32_t shape_words(const vrs_preprocess_plan *plan, int32_t shape)
{
    const bool wide = shape >= VRS_PREPROCESS_WIDE;
    if (!plan->info->chroma_420)
        return wide ? 9 : 5;
    return plan->info->sample_bytes == 1 ? (wide ? 3 : 2) : (wide ? 5 : 3);
}

/* The smallest shape that holds both axes. */
static int32_t choose_shape(const vrs_preprocess_plan *plan, integer_axis integers[2])
{
    const int kinds = kinds_of(plan);
    const int32_t finest = kinds == 1 ? VRS_PREPROCESS_WIDE : VRS_PREPROCESS_FINE;
    for (int kind = 0; kind < kinds; kind++)
        integers[kind] = integers_of(plan, kind);
    for (int32_t shape = VRS_PREPROCESS_NARROW; shape <= finest && kinds > 0; shape++) {
        const int32_t words = shape_words(plan, shape),
                      most = shape == VRS_PREPROCESS_FINE ? 65535 : 255;
        bool fits = true;
        for (int kind = 0; kind < kinds; kind++) {
            fits = fits && integers[kind].denominator != 0 && integers[kind].largest <= most &&
                   window_words(plan, kind) <= words &&
                   vrs_preprocess_source_words(plan, kind) >= words;
        }
        if (fits)
            return shape;
    }
    return VRS_PREPROCESS_ANY;
}

/* Words of an output's y taps: 8 at least, which the kernels read at once. */
static int32_t row_words(const vrs_preprocess_plan *plan, int kind)
{
    const int32_t words = (3 + plan->y[kind].stride + 3) / 4 * 4;
    return words < 8 ? 8 : words;
}

/* Where an output's window begins: it ends within the row. */
static int32_t window_base(const vrs_preprocess_plan *plan, int kind, int32_t shape, int32_t output)
{
    const int32_t begin = plan->x[kind].first[output] * vrs_preprocess_pitch(plan, kind) / 4;
    return smaller(begin, vrs_preprocess_source_words(plan, kind) - shape_words(plan, shape));
}

/* Words of the integer table of an output. */
static size_t integer_words(const vrs_preprocess_plan *plan, int32_t shape)
{
    const int32_t words = shape_words(plan, shape);
    return 1 + (size_t)(plan->info->sample_bytes == 1 && shape == VRS_PREPROCESS_FINE ? 2 * words
                                                                                      : words);
}

/* Writes one output's integers, each `step` words from the next. */
static void put_window(const vrs_preprocess_plan *plan, int kind, int32_t shape, int32_t output,
                       int64_t denominator, uint32_t *to, size_t step)
{
    const int32_t words = shape_words(plan, shape);
    const int32_t base = window_base(plan, kind, shape, output);
    uint32_t low[2 * MOST_WORDS] = {0};
    vrs_preprocess_put_weights(plan, kind, output, denominator, base, words, low);
    to[0] = (uint32_t)base;
    for (size_t i = 1; i < integer_words(plan, shape); i++)
        to[i * step] = low[i - 1];
}

/* Takes `count` words of the tables; NULL of `tables` only counts. */
static uint32_t *take(uint32_t *tables, size_t *used, size_t count, uint32_t *place)
{
    uint32_t *taken = tables == NULL ? NULL : tables + *used;
    if (place != NULL)
        *place = (uint32_t)*used;
    *used += count;
    return taken;
}

static void put_axis(const vrs_axis *axis, bool turned, uint32_t *tables, size_t *used,
                     vrs_preprocess_taps *taps)
{
    const size_t count = (size_t)axis->count, stride = (size_t)axis->stride;
    uint32_t *to = take(tables, used, count * (2 + stride), &taps->place);
    taps->stride = axis->stride;
    if (to == NULL || count == 0)
        return;
    memcpy(to, axis->first, count * sizeof(*to));
    memcpy(to + count, axis->taps, count * sizeof(*to));
    for (size_t i = 0; i < count * stride; i++) {
        const size_t place = turned ? i % stride * count + i / stride : i;
        memcpy(&to[2 * count + place], &axis->weight[i], sizeof(*to));
    }
}

/* Writes an output's y taps: layout in params_preprocess.h. */
static void put_row(const vrs_axis *axis, int32_t row, double unit, uint32_t *to)
{
    const float *weight = vrs_preprocess_weights(axis, row);
    int32_t first = axis->first[row], count = axis->taps[row];
    float scaled = 0.0F;
    if (row > 0 && axis->first[row - 1] + axis->taps[row - 1] - 1 == first) {
        scaled = (float)(*weight++ * unit);
        first++;
        count--;
    }
    to[0] = (uint32_t)first;
    to[1] = (uint32_t)count;
    memcpy(&to[2], &scaled, sizeof(scaled));
    for (int32_t tap = 0; tap < count; tap++) {
        scaled = (float)(weight[tap] * unit);
        memcpy(&to[3 + tap], &scaled, sizeof(scaled));
    }
}

/* ---- tiles of the fast kernels ---- */

/* Words from a tile's first one, a multiple of 4, to the end of its last window; the most of all
 * tiles, in units of 16 bytes. */
static int32_t tile_pitch(const vrs_preprocess_plan *plan, int kind, int32_t shape)
{
    const int32_t last = plan->content.width - 1, words = shape_words(plan, shape);
    int32_t most = 0;
    const int32_t columns = VRS_PREPROCESS_THREADS * VRS_PREPROCESS_COLUMNS;
    for (int32_t left = 0; left < plan->desc.width; left += columns) {
        const int32_t first = between(left - plan->content.x, 0, last);
        const int32_t end = between(left + columns - 1 - plan->content.x, 0, last);
        const int32_t begin = window_base(plan, kind, shape, first) / 4;
        const int32_t units = (window_base(plan, kind, shape, end) + words + 3) / 4 - begin;
        most = units > most ? units : most;
    }
    return most;
}

/* The most rows of the source that `rows` rows of the network's picture are made of. */
static int32_t tile_rows(const vrs_preprocess_plan *plan, int kind, int32_t rows)
{
    const vrs_axis *axis = &plan->y[kind];
    const int32_t last = plan->content.height - 1;
    int32_t most = 0;
    for (int32_t top = 0; top < plan->desc.height; top += rows) {
        const int32_t first = between(top - plan->content.y, 0, last);
        const int32_t end = between(top + rows - 1 - plan->content.y, 0, last);
        const int32_t count = axis->first[end] + axis->taps[end] - axis->first[first];
        most = count > most ? count : most;
    }
    return most;
}

/* Whether the smallest tile has room in shared memory. */
static bool set_tiles(const vrs_preprocess_plan *plan, int32_t shape, vrs_preprocess_view *view)
{
    const int kinds = kinds_of(plan);
    view->luma_words = (uint16_t)row_words(plan, VRS_AXIS_LUMA);
    view->row_words = view->luma_words;
    if (kinds == 2)
        view->row_words = (uint16_t)(view->luma_words + row_words(plan, VRS_AXIS_CHROMA));
    for (int i = 0; i < VRS_PREPROCESS_TILES; i++) {
        int64_t units = 0;
        int32_t most = 0;
        for (int kind = 0; kind < kinds; kind++) {
            const int32_t planes = kind == VRS_AXIS_CHROMA ? plan->info->planes - 1 : 1;
            const int32_t rows = tile_rows(plan, kind, 2 << i);
            view->pitch[kind] = (uint16_t)tile_pitch(plan, kind, shape);
            view->source_words[kind] = (uint16_t)vrs_preprocess_source_words(plan, kind);
            view->tile_rows[kind][i] = (uint8_t)rows;
            units += (int64_t)rows * view->pitch[kind] * planes;
            most = rows > most ? rows : most;
        }
        if (most > UINT8_MAX || units > VRS_PREPROCESS_TILE_BYTES / 16)
            view->tile_rows[0][i] = view->tile_rows[1][i] = 0;
    }
    return view->tile_rows[0][0] != 0;
}

/* What the kernels for whole pictures look up, where they can make the plan. */
static void lay_out_pairs(const vrs_preprocess_plan *plan, int32_t shape,
                          const int64_t denominators[VRS_AXIS_KINDS], uint32_t *tables,
                          size_t *used, vrs_preprocess_view *view)
{
    const int kinds = kinds_of(plan);
    const int32_t words = shape_words(plan, shape);
    view->pairs = 0;
    if (shape != VRS_PREPROCESS_FINE && vrs_preprocess_whole(plan, kinds, words, view)) {
        uint32_t *table =
            take(tables, used, vrs_preprocess_pairs_words(plan, kinds, words), &view->pairs);
        if (table != NULL)
            vrs_preprocess_pairs_fill(plan, kinds, words, denominators, table);
    }
}

/* What the fast kernels look up; nothing where they cannot do it. */
static void lay_out_fast(const vrs_preprocess_plan *plan, uint32_t *tables, size_t *used,
                         vrs_preprocess_view *view)
{
    integer_axis integers[VRS_AXIS_KINDS] = {{0}, {0}};
    double unit[VRS_AXIS_KINDS] = {0.0, 0.0};
    int64_t denominators[VRS_AXIS_KINDS] = {0, 0};
    const int32_t shape = choose_shape(plan, integers);
    view->shape = VRS_PREPROCESS_ANY;
    if (shape == VRS_PREPROCESS_ANY || !set_tiles(plan, shape, view))
        return;
    view->shape = (uint8_t)shape;
    for (int kind = 0; kind < kinds_of(plan); kind++) {
        const size_t count = (size_t)plan->x[kind].count;
        uint32_t *table =
            take(tables, used, count * integer_words(plan, shape), &view->integer[kind]);
        for (size_t i = 0; i < count && table != NULL; i++)
            put_window(plan, kind, shape, (int32_t)i, integers[kind].denominator, table + i, count);
        denominators[kind] = integers[kind].denominator;
        unit[kind] = ldexp(1.0 / (double)integers[kind].denominator, -plan->info->sample_shift);
    }
    lay_out_pairs(plan, shape, denominators, tables, used, view);
    const size_t height = (size_t)plan->content.height;
    uint32_t *rows = take(tables, used, height * view->row_words, &view->rows);
    if (rows == NULL)
        return;
    memset(rows, 0, height * view->row_words * sizeof(*rows));
    for (int32_t row = 0; row < plan->content.height; row++, rows += view->row_words) {
        put_row(&plan->y[0], row, unit[0], rows);
        if (kinds_of(plan) == 2)
            put_row(&plan->y[1], row, unit[1], rows + view->luma_words);
    }
}

/* Lays the tables out in `tables` (NULL: only counts) and notes their places. Words in all. */
static size_t lay_out(const vrs_preprocess_plan *plan, uint32_t *tables, vrs_preprocess_view *view)
{
    size_t used = 0;
    for (int kind = 0; kind < VRS_AXIS_KINDS; kind++) {
        put_axis(&plan->x[kind], true, tables, &used, &view->across[kind]);
        put_axis(&plan->y[kind], false, tables, &used, &view->down[kind]);
    }
    lay_out_fast(plan, tables, &used, view);
    if (plan->tone) {
        uint32_t *table = take(tables, &used, VRS_TONE_STEPS + 1, &view->tone);
        if (table != NULL)
            memcpy(table, plan->tone_table, sizeof(plan->tone_table));
    }
    return used;
}

size_t vrs_cuda_preprocess_bytes(const vrs_preprocess_plan *plan)
{
    vrs_preprocess_view view;
    return lay_out(plan, NULL, &view) * sizeof(uint32_t);
}

void vrs_cuda_preprocess_fill(const vrs_preprocess_plan *plan, void *tables,
                              vrs_preprocess_view *view)
{
    *view = (vrs_preprocess_view){.x = (uint16_t)plan->content.x,
                                  .y = (uint16_t)plan->content.y,
                                  .width = (uint16_t)plan->content.width,
                                  .height = (uint16_t)plan->content.height,
                                  .peak = (uint16_t)plan->peak,
                                  .shift = (uint8_t)plan->info->sample_shift,
                                  .components = (uint8_t)plan->components,
                                  .sample_bytes = (uint8_t)plan->info->sample_bytes};
    memcpy(view->matrix, plan->matrix, sizeof(view->matrix));
    memcpy(view->guide, plan->luma, sizeof(view->guide));
    for (int i = 0; i < plan->components; i++) {
        view->component_plane[i] = (uint8_t)plan->component[i].plane;
        view->component_step[i] = (uint8_t)plan->component[i].step;
        view->component_offset[i] = (uint8_t)plan->component[i].offset;
        view->component_axis[i] = (uint8_t)plan->component[i].axis;
    }
    (void)lay_out(plan, tables, view);
}
