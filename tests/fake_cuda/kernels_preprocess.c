/* The preprocess kernels of src/kernels/cuda/ in C: from the parameters and the tables alone a plan
 * is put together again, and the reference is called with it. The fast kernels' integer weights
 * stand in for the float ones there, so that they are tested too. */
#include "fake_cuda/kernels_preprocess.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_cuda/kernels_memory.h"
#include "kernels/preprocess_plan.h"

static const int32_t *words(const vrs_preprocess_view *view, uint32_t place)
{
    return (const int32_t *)at(view->tables) + place;
}

static vrs_axis make_axis(const vrs_preprocess_view *view, const vrs_preprocess_taps *taps,
                          int32_t count, bool turned)
{
    const size_t outputs = (size_t)count, stride = (size_t)taps->stride;
    vrs_axis axis = {.count = count,
                     .stride = taps->stride,
                     .first = take(outputs * sizeof(int32_t)),
                     .taps = take(outputs * sizeof(int32_t)),
                     .weight = take(outputs * stride * sizeof(float))};
    const int32_t *table = words(view, taps->place);
    memcpy(axis.first, table, outputs * sizeof(int32_t));
    memcpy(axis.taps, table + outputs, outputs * sizeof(int32_t));
    for (size_t i = 0; i < outputs * stride; i++) {
        const size_t from = turned ? i % stride * outputs + i / stride : i;
        memcpy(&axis.weight[i], table + 2 * outputs + from, sizeof(float));
    }
    return axis;
}

static void free_axis(vrs_axis *axis)
{
    free(axis->first);
    free(axis->taps);
    free(axis->weight);
}

/* Words of a window. */
static int32_t window_words(const vrs_preprocess_view *view)
{
    const bool wide = view->shape >= VRS_PREPROCESS_WIDE;
    if (view->component_step[0] > 1)
        return wide ? 9 : 5;
    return view->sample_bytes == 1 ? (wide ? 3 : 2) : (wide ? 5 : 3);
}

/* The integer weight of an output's sample; layout: params_preprocess.h. */
static uint32_t integer_of(const vrs_preprocess_view *view, int kind, int32_t output,
                           int32_t sample)
{
    const bool bytes = view->sample_bytes == 1;
    const bool fine = view->shape == VRS_PREPROCESS_FINE;
    const int32_t count = window_words(view);
    const uint32_t *table = (const uint32_t *)words(view, view->integer[kind]) + output;
    const int32_t step = view->component_step[kind] * view->sample_bytes;
    const int32_t place = sample * step - 4 * (int32_t)table[0];
    if (place < 0 || place / 4 >= count) {
        fprintf(stderr, "fake_cuda: a tap lies outside of its window\n");
        abort();
    }
    const uint32_t low = table[(1 + place / 4) * view->width];
    if (!bytes) {
        const uint32_t high = fine ? low >> (16 + place % 4 * 4) & 255 : 0;
        return (low >> (place % 4 * 4) & 255) | high << 8;
    }
    const uint32_t high = fine ? table[(1 + count + place / 4) * view->width] : 0;
    return (low >> (place % 4 * 8) & 255) | (high >> (place % 4 * 8) & 255) << 8;
}

/* The same of the kernels for whole pictures. */
static uint32_t pair_integer_of(const vrs_preprocess_view *view, int kind, int32_t output,
                                int32_t sample)
{
    const int32_t count = window_words(view), pairs = view->width / 2, second = output % 2;
    const uint32_t *table =
        (const uint32_t *)words(view, view->pairs) + kind * pairs * (1 + 2 * count) + output / 2;
    const int32_t step = view->component_step[kind] * view->sample_bytes, base = (int32_t)table[0];
    const int32_t place = sample * step - 4 * (base + second * (count - 1));
    const int32_t last = base + 2 * count - 1, units = view->left[kind] + view->units[kind];
    if (place < 0 || place / 4 >= count || base < 4 * view->left[kind] - 4 ||
        last > 4 * units + 4 || sample * step < 16 * view->left[kind] ||
        sample * step >= 16 * units) {
        fprintf(stderr, "fake_cuda: a tap lies outside of its pair's window\n");
        abort();
    }
    const uint32_t word = table[(1 + second * count + place / 4) * pairs];
    return word >> (place % 4 * (view->sample_bytes == 1 ? 8 : 4)) & 255;
}

/* Whether a block of a whole picture asks for the rows of the source that it needs. */
static void check_rows(const vrs_preprocess_params *p, const vrs_preprocess_view *view, int kind,
                       const vrs_axis *axis)
{
    for (int32_t y = 0; y < p->height; y++) {
        const int32_t begin = y / p->rows * p->rows;
        const int32_t end = y / 2 * 2 + 2 < p->height ? y / 2 * 2 + 2 : p->height;
        const int32_t last = begin + p->rows < p->height ? begin + p->rows : p->height;
        const int32_t from = view->origin[kind] + begin * view->step[kind] / 4096;
        const int32_t top =
            from - (view->reach[kind] & 15) < 0 ? 0 : from - (view->reach[kind] & 15);
        const int32_t here = view->origin[kind] + end * view->step[kind] / 4096;
        const int32_t whole = view->origin[kind] + last * view->step[kind] / 4096;
        if (axis->first[y] < top || axis->first[y] + axis->taps[y] > view->lines[kind] ||
            axis->first[y] + axis->taps[y] > here + (view->reach[kind] >> 4) ||
            whole + (view->reach[kind] >> 4) - top > p->slots[kind]) {
            fprintf(stderr, "fake_cuda: a block does not ask for the rows that it needs\n");
            abort();
        }
    }
}

/* The fast kernels' y taps, in the place of the axis. */
static void use_rows(const vrs_preprocess_view *view, int kind, vrs_axis *axis)
{
    for (int32_t output = 0; output < axis->count; output++) {
        const int32_t *row = words(view, view->rows) + output * view->row_words +
                             (kind == VRS_AXIS_CHROMA ? view->luma_words : 0);
        float *weight = axis->weight + output * axis->stride;
        const int32_t above = row[2] != 0 ? 1 : 0;
        axis->first[output] = row[0] - above;
        axis->taps[output] = row[1] + above;
        memcpy(weight, row + 3 - above, (size_t)axis->taps[output] * sizeof(float));
    }
}

/* Puts what the fast kernels look up in the place of what it was made from. */
static void use_fast_tables(const vrs_preprocess_params *p, const vrs_preprocess_view *view,
                            bool whole, vrs_preprocess_plan *plan)
{
    const float steps = (float)(1 << view->shift);
    for (int kind = 0; kind < VRS_AXIS_KINDS; kind++) {
        vrs_axis *axis = &plan->x[kind];
        for (int32_t output = 0; output < axis->count; output++) {
            for (int32_t tap = 0; tap < axis->taps[output]; tap++) {
                const int32_t sample = axis->first[output] + tap;
                const uint32_t integer = whole ? pair_integer_of(view, kind, output, sample)
                                               : integer_of(view, kind, output, sample);
                axis->weight[output * axis->stride + tap] = (float)integer * steps;
            }
        }
        if (whole && axis->count > 0)
            check_rows(p, view, kind, &plan->y[kind]);
        use_rows(view, kind, &plan->y[kind]);
    }
}

static void set_network(const vrs_preprocess_params *p, vrs_preprocess_plan *plan)
{
    plan->desc.width = p->width;
    plan->desc.height = p->height;
    plan->desc.quantum = 1.0F;
    plan->type = (vrs_tensor_type)p->type;
    plan->layout = (vrs_tensor_layout)p->layout;
    plan->channels = p->channels;
    plan->pad_code = (uint8_t)p->pad_code;
    for (int c = 0; c < 3; c++) {
        plan->desc.scale[c] = p->scale[c] / 255.0F;
        plan->desc.mean[c] = p->scale[c] == 0.0F ? 0.0F : -p->bias[c] / plan->desc.scale[c];
        plan->pad[c] = p->pad[c];
    }
}

typedef enum kernel_kind { KERNEL_ANY, KERNEL_FAST, KERNEL_WHOLE } kernel_kind;

static void run_view(const vrs_preprocess_params *p, const vrs_preprocess_view *view,
                     kernel_kind kind_of_kernel)
{
    vrs_preprocess_plan *plan = take(sizeof(*plan));
    /* What the reference reads of a format: how its samples are stored. */
    const vrs_format_info info = {.sample_bytes = view->sample_bytes, .sample_shift = view->shift};
    vrs_image image = {.format = VRS_FORMAT_NONE};
    plan->info = &info;
    plan->peak = view->peak;
    plan->content = (vrs_rect){view->x, view->y, view->width, view->height};
    plan->components = view->components;
    for (int i = 0; i < view->components; i++) {
        plan->component[i] = (vrs_component){view->component_plane[i], view->component_step[i],
                                             view->component_offset[i], view->component_axis[i]};
        const int plane = view->component_plane[i], kind = view->component_axis[i];
        image.planes[plane] = (uint8_t *)(uintptr_t)view->plane[plane];
        image.strides[plane] = view->stride[plane];
        if (plan->x[kind].count == 0) {
            plan->x[kind] = make_axis(view, &view->across[kind], view->width, true);
            plan->y[kind] = make_axis(view, &view->down[kind], view->height, false);
        }
    }
    memcpy(plan->matrix, view->matrix, sizeof(plan->matrix));
    memcpy(plan->luma, view->guide, sizeof(plan->luma));
    plan->tone = view->tone != 0;
    if (plan->tone)
        memcpy(plan->tone_table, words(view, view->tone), sizeof(plan->tone_table));
    set_network(p, plan);
    if (kind_of_kernel != KERNEL_ANY)
        use_fast_tables(p, view, kind_of_kernel == KERNEL_WHOLE, plan);
    vrs_preprocess_reference(plan, &image, (void *)(uintptr_t)view->tensor,
                             (uint8_t *)(uintptr_t)view->luma, NULL);
    for (int kind = 0; kind < VRS_AXIS_KINDS; kind++) {
        free_axis(&plan->x[kind]);
        free_axis(&plan->y[kind]);
    }
    free(plan);
}

static void run(const void *params, const uint32_t grid[3], const uint32_t block[3],
                kernel_kind kind)
{
    const vrs_preprocess_params *p = params;
    const uint32_t columns = kind == KERNEL_ANY ? 1 : 2;
    const int32_t strips = kind == KERNEL_WHOLE ? 1 : p->strips;
    const bool threads = kind == KERNEL_WHOLE
                             ? block[0] % 32 == 0 && block[0] <= VRS_PREPROCESS_WHOLE_THREADS + 32
                             : block[0] == VRS_PREPROCESS_THREADS;
    const uint32_t makers = kind == KERNEL_WHOLE ? block[0] - 32 : block[0];
    if (grid[0] * makers * columns < (uint32_t)p->width ||
        grid[1] * (uint32_t)(p->rows * strips) < (uint32_t)p->height || !threads) {
        fprintf(stderr, "fake_cuda: the preprocess grid does not cover the picture\n");
        abort();
    }
    for (uint32_t view = 0; view < grid[2]; view++)
        run_view(p, &p->view[view], kind);
}

void fake_vrs_preprocess(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    run(params, grid, block, KERNEL_ANY);
}

void fake_vrs_preprocess_fast(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    run(params, grid, block, KERNEL_FAST);
}

void fake_vrs_preprocess_whole(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    run(params, grid, block, KERNEL_WHOLE);
}
