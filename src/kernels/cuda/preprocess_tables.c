/* A preprocessing plan as the tables that the CUDA kernels look things up in. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/preprocess_launch.h"
#include "kernels/preprocess_plan.h"

#define MOST_WORDS 5
/* Sums of integers times 10-bit codes stay below 2^31. */
#define MOST_DENOMINATOR (1 << 20)

/* x weights of a component as integers: weight = integer / denominator, exactly. */
typedef struct integer_axis {
    int64_t denominator; /* 0: there are none */
    int32_t largest;     /* integer */
} integer_axis;

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static const float *weights_of(const vrs_axis *axis, int32_t output)
{
    return axis->weight + (size_t)output * (size_t)axis->stride;
}

/* The integers over `denominator`, reduced; none where a weight is not a multiple of its part. */
static integer_axis reduce(const vrs_axis *axis, int64_t denominator)
{
    int64_t divisor = denominator, largest = 0;
    for (int32_t output = 0; output < axis->count; output++) {
        const float *weights = weights_of(axis, output);
        int64_t sum = 0;
        for (int32_t tap = 0; tap < axis->taps[output]; tap++) {
            const double exact = (double)weights[tap] * (double)denominator;
            const int64_t integer = llrint(exact);
            if (fabs(exact - (double)integer) > 0.05) {
                return (integer_axis){0};
            }
            sum += integer;
            largest = integer > largest ? integer : largest;
            divisor = common_divisor(divisor, integer);
        }
        if (sum != denominator) {
            return (integer_axis){0};
        }
    }
    if (divisor <= 0 || denominator / divisor > MOST_DENOMINATOR) {
        return (integer_axis){0};
    }
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

/* Bytes from one sample of a component to the next. */
static int32_t pitch_of(const vrs_preprocess_plan *plan, int kind)
{
    return plan->info->sample_bytes * plan->component[kind].step;
}

/* Whole words of a row of the component's plane; 0 where it ends within one. */
static int32_t row_words(const vrs_preprocess_plan *plan, int kind)
{
    const int32_t width = plan->desc.image_width;
    const int32_t bytes =
        (kind == VRS_AXIS_CHROMA ? (width + 1) / 2 : width) * pitch_of(plan, kind);
    return bytes % 4 == 0 ? bytes / 4 : 0;
}

/* Words that the widest window covers. */
static int32_t window_words(const vrs_preprocess_plan *plan, int kind)
{
    const vrs_axis *axis = &plan->x[kind];
    const int32_t pitch = pitch_of(plan, kind);
    int32_t most = 0;
    for (int32_t output = 0; output < axis->count; output++) {
        const int32_t begin = axis->first[output] * pitch / 4;
        const int32_t last = ((axis->first[output] + axis->taps[output]) * pitch - 1) / 4;
        most = last - begin + 1 > most ? last - begin + 1 : most;
    }
    return most;
}

static int32_t shape_words(const vrs_preprocess_plan *plan, int32_t shape)
{
    const bool wide = shape >= VRS_PREPROCESS_WIDE;
    return plan->info->sample_bytes == 1 ? (wide ? 3 : 2) : (wide ? 5 : 3);
}

static bool shape_is_fine(int32_t shape)
{
    return shape == VRS_PREPROCESS_NARROW_FINE || shape == VRS_PREPROCESS_WIDE_FINE;
}

/* The smallest shape that holds both axes. */
static int32_t choose_shape(const vrs_preprocess_plan *plan, integer_axis integers[2])
{
    if (!plan->info->chroma_420) {
        return VRS_PREPROCESS_ANY;
    }
    for (int kind = 0; kind < VRS_AXIS_KINDS; kind++) {
        integers[kind] = integers_of(plan, kind);
    }
    for (int32_t shape = VRS_PREPROCESS_NARROW; shape <= VRS_PREPROCESS_WIDE_FINE; shape++) {
        const int32_t words = shape_words(plan, shape), most = shape_is_fine(shape) ? 65535 : 255;
        bool fits = true;
        for (int kind = 0; kind < VRS_AXIS_KINDS; kind++) {
            fits = fits && integers[kind].denominator != 0 && integers[kind].largest <= most &&
                   window_words(plan, kind) <= words && row_words(plan, kind) >= words;
        }
        if (fits) {
            return shape;
        }
    }
    return VRS_PREPROCESS_ANY;
}

/* Words of the integer table of an output. */
static size_t integer_words(const vrs_preprocess_plan *plan, int32_t shape)
{
    const int32_t words = shape_words(plan, shape);
    return 1 + (size_t)(plan->info->sample_bytes == 1 && shape_is_fine(shape) ? 2 * words : words);
}

/* Writes one output's integers, each `step` words from the next. */
static void put_window(const vrs_preprocess_plan *plan, int kind, int32_t shape, int32_t output,
                       int64_t denominator, uint32_t *to, size_t step)
{
    const vrs_axis *axis = &plan->x[kind];
    const int32_t words = shape_words(plan, shape), pitch = pitch_of(plan, kind);
    const int32_t last = row_words(plan, kind) - words;
    const int32_t begin = axis->first[output] * pitch / 4;
    const int32_t base = begin > last ? last : begin;
    uint32_t low[2 * MOST_WORDS] = {0};
    const bool bytes = plan->info->sample_bytes == 1;
    for (int32_t tap = 0; tap < axis->taps[output]; tap++) {
        const double weight = weights_of(axis, output)[tap];
        const uint32_t integer = (uint32_t)llrint(weight * (double)denominator);
        const int32_t place = (axis->first[output] + tap) * pitch - 4 * base;
        const int32_t word = place / 4, byte = place % 4;
        if (bytes) {
            low[word] |= (integer & 255) << (8 * byte);
            low[words + word] |= integer >> 8 << (8 * byte);
        } else {
            low[word] |= (integer & 255) << (4 * byte);
            low[word] |= integer >> 8 << (16 + 4 * byte);
        }
    }
    to[0] = (uint32_t)base;
    for (size_t i = 1; i < integer_words(plan, shape); i++) {
        to[i * step] = low[i - 1];
    }
}

/* Takes `count` words of the tables; NULL of `tables` only counts. */
static uint32_t *take(uint32_t *tables, size_t *used, size_t count, uint32_t *place)
{
    uint32_t *taken = tables == NULL ? NULL : tables + *used;
    if (place != NULL) {
        *place = (uint32_t)*used;
    }
    *used += count;
    return taken;
}

static void put_axis(const vrs_axis *axis, bool turned, uint32_t *tables, size_t *used,
                     vrs_preprocess_taps *taps)
{
    const size_t count = (size_t)axis->count, stride = (size_t)axis->stride;
    uint32_t *first = take(tables, used, count, &taps->first);
    uint32_t *number = take(tables, used, count, &taps->taps);
    uint32_t *weight = take(tables, used, count * stride, &taps->weight);
    taps->stride = axis->stride;
    if (tables == NULL || count == 0) {
        return;
    }
    memcpy(first, axis->first, count * sizeof(*first));
    memcpy(number, axis->taps, count * sizeof(*number));
    for (size_t i = 0; i < count * stride; i++) {
        const size_t to = turned ? i % stride * count + i / stride : i;
        memcpy(&weight[to], &axis->weight[i], sizeof(*weight));
    }
}

/* Lays the tables out in `tables` (NULL: only counts) and notes their places. Words in all. */
static size_t lay_out(const vrs_preprocess_plan *plan, uint32_t *tables, vrs_preprocess_view *view)
{
    size_t used = 0;
    integer_axis integers[VRS_AXIS_KINDS] = {{0}, {0}};
    view->shape = choose_shape(plan, integers);
    for (int kind = 0; kind < VRS_AXIS_KINDS; kind++) {
        put_axis(&plan->x[kind], true, tables, &used, &view->across[kind]);
        put_axis(&plan->y[kind], false, tables, &used, &view->down[kind]);
        if (view->shape == VRS_PREPROCESS_ANY) {
            continue;
        }
        const size_t count = (size_t)plan->x[kind].count;
        uint32_t *table =
            take(tables, &used, count * integer_words(plan, view->shape), &view->integer[kind]);
        const double steps = ldexp(1.0, plan->info->sample_shift);
        view->unit[kind] = (float)(1.0 / ((double)integers[kind].denominator * steps));
        for (size_t i = 0; i < count && table != NULL; i++) {
            put_window(plan, kind, view->shape, (int32_t)i, integers[kind].denominator, table + i,
                       count);
        }
    }
    if (plan->tone) {
        uint32_t *table = take(tables, &used, VRS_TONE_STEPS + 1, &view->tone);
        if (table != NULL) {
            memcpy(table, plan->tone_table, sizeof(plan->tone_table));
        }
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
    *view = (vrs_preprocess_view){.x = plan->content.x,
                                  .y = plan->content.y,
                                  .width = plan->content.width,
                                  .height = plan->content.height,
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
