/* The tables of the CUDA preprocess kernels for whole pictures: pairs of columns, and which rows of
 * the source a row of the network's picture needs. */
#include <math.h>
#include <string.h>

#include "kernels/cuda/preprocess_tables.h"

#define PAD_WORDS 4    /* before each row in shared memory */
#define MOST_WORDS 5   /* of a window */
#define STEPS_ROW 4096 /* of `step` */

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

void vrs_preprocess_put_weights(const vrs_preprocess_plan *plan, int kind, int32_t output,
                                int64_t denominator, int32_t base, int32_t words, uint32_t *low)
{
    const vrs_axis *axis = &plan->x[kind];
    const int32_t pitch = vrs_preprocess_pitch(plan, kind);
    for (int32_t tap = 0; tap < axis->taps[output]; tap++) {
        const double weight = vrs_preprocess_weights(axis, output)[tap];
        const uint32_t integer = (uint32_t)llrint(weight * (double)denominator);
        const int32_t place = (axis->first[output] + tap) * pitch - 4 * base;
        const int32_t word = place / 4, byte = place % 4;
        if (plan->info->sample_bytes == 1) {
            low[word] |= (integer & 255) << (8 * byte);
            if (integer >> 8 != 0)
                low[words + word] |= integer >> 8 << (8 * byte);
        } else {
            low[word] |= (integer & 255) << (4 * byte);
            low[word] |= integer >> 8 << (16 + 4 * byte);
        }
    }
}

/* First and last word of the row that an output's window covers. */
static int32_t first_word(const vrs_preprocess_plan *plan, int kind, int32_t output)
{
    return plan->x[kind].first[output] * vrs_preprocess_pitch(plan, kind) / 4;
}

static int32_t last_word(const vrs_preprocess_plan *plan, int kind, int32_t output)
{
    const vrs_axis *axis = &plan->x[kind];
    return ((axis->first[output] + axis->taps[output]) * vrs_preprocess_pitch(plan, kind) - 1) / 4;
}

/* The word where the windows of a pair begin: the first of `words` words from there on, the second
 * of as many from words - 1 further on. Whether there is one. */
static bool pair_base(const vrs_preprocess_plan *plan, int kind, int32_t words, int32_t pair,
                      int32_t *base)
{
    const int32_t one = 2 * pair, two = one + 1;
    const int32_t least =
        larger(last_word(plan, kind, one) - words + 1, last_word(plan, kind, two) - 2 * words + 2);
    const int32_t most =
        smaller(first_word(plan, kind, one), first_word(plan, kind, two) - words + 1);
    /* Rather within the row, where both ends are free. */
    *base = smaller(most, larger(least, vrs_preprocess_source_words(plan, kind) - 2 * words + 1));
    return least <= most;
}

/* The part of a row that is fetched; whether it holds every window. */
static bool set_columns(const vrs_preprocess_plan *plan, int kind, int32_t words,
                        vrs_preprocess_view *view)
{
    const int32_t count = plan->content.width;
    int32_t begin = first_word(plan, kind, 0), end = 0;
    for (int32_t output = 0; output < count; output++) {
        begin = smaller(begin, first_word(plan, kind, output));
        end = larger(end, last_word(plan, kind, output) + 1);
    }
    begin = begin / 4 * 4;
    end = (end + 3) / 4 * 4;
    if (end > vrs_preprocess_source_words(plan, kind))
        return false;
    for (int32_t pair = 0; pair < count / 2; pair++) {
        int32_t base;
        if (!pair_base(plan, kind, words, pair, &base) || base < begin - PAD_WORDS ||
            base + 2 * words - 1 > end + PAD_WORDS)
            return false;
    }
    view->left[kind] = (uint16_t)(begin / 4);
    view->units[kind] = (uint16_t)((end - begin) / 4);
    return true;
}

/* Lines along which the rows of the source are needed; whether they lie close enough. */
static bool set_rows(const vrs_preprocess_plan *plan, int kind, vrs_preprocess_view *view)
{
    const vrs_axis *axis = &plan->y[kind];
    const int32_t count = axis->count, origin = axis->first[0];
    const int32_t lines = axis->first[count - 1] + axis->taps[count - 1];
    const int64_t step = (int64_t)STEPS_ROW * (lines - origin) / count;
    int64_t above = 0, below = 0;
    for (int32_t y = 0; y < count; y++) {
        const int64_t here = origin + step * y / STEPS_ROW;
        const int64_t next = origin + step * (y + 1) / STEPS_ROW;
        above = here - axis->first[y] > above ? here - axis->first[y] : above;
        const int64_t end = axis->first[y] + axis->taps[y];
        below = end - next > below ? end - next : below;
    }
    view->origin[kind] = (uint16_t)origin;
    view->lines[kind] = (uint16_t)lines;
    view->step[kind] = (uint16_t)step;
    view->reach[kind] = (uint8_t)(above | below << 4);
    return step <= UINT16_MAX && above < 16 && below < 16;
}

bool vrs_preprocess_whole(const vrs_preprocess_plan *plan, int kinds, int32_t words,
                          vrs_preprocess_view *view)
{
    const vrs_rect *content = &plan->content;
    bool fits = words <= MOST_WORDS && content->width == plan->desc.width &&
                content->height == plan->desc.height && !plan->tone && content->width % 4 == 0 &&
                content->width <= 2 * VRS_PREPROCESS_WHOLE_THREADS;
    for (int kind = 0; kind < kinds && fits; kind++)
        fits = set_columns(plan, kind, words, view) && set_rows(plan, kind, view);
    return fits;
}

size_t vrs_preprocess_pairs_words(const vrs_preprocess_plan *plan, int kinds, int32_t words)
{
    return (size_t)kinds * (1 + 2 * (size_t)words) * ((size_t)plan->content.width / 2);
}

void vrs_preprocess_pairs_fill(const vrs_preprocess_plan *plan, int kinds, int32_t words,
                               const int64_t denominators[VRS_AXIS_KINDS], uint32_t *table)
{
    const size_t pairs = (size_t)plan->content.width / 2;
    for (int kind = 0; kind < kinds; kind++) {
        for (size_t pair = 0; pair < pairs; pair++) {
            int32_t base;
            uint32_t weights[2 * MOST_WORDS] = {0};
            (void)pair_base(plan, kind, words, (int32_t)pair, &base);
            for (int32_t i = 0; i < 2; i++) {
                vrs_preprocess_put_weights(plan, kind, (int32_t)(2 * pair) + i, denominators[kind],
                                           base + i * (words - 1), words, weights + i * words);
            }
            table[pair] = (uint32_t)base;
            for (size_t i = 0; i < 2 * (size_t)words; i++)
                table[(1 + i) * pairs + pair] = weights[i];
        }
        table += (1 + 2 * (size_t)words) * pairs;
    }
}
