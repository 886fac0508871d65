/* The preprocess kernels of src/kernels/cuda/ in C: from the parameters and the tables alone a plan
 * is put together again, and the reference is called with it. The fast kernels' integer weights
 * stand in for the float ones there, so that they are tested too. */
#include "fake_cuda/kernels_preprocess.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/preprocess_plan.h"

static const void *at(uint64_t address)
{
    return (const void *)(uintptr_t)address;
}

static const int32_t *words(const vrs_preprocess_view *view, uint32_t place)
{
    return (const int32_t *)at(view->tables) + place;
}

/* The process ends where there is no memory. */
static void *take(size_t bytes)
{
    void *block = calloc(1, bytes);
    if (block == NULL) {
        fprintf(stderr, "fake_cuda: no memory for a kernel\n");
        abort();
    }
    return block;
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

/* The integer weight of an output's sample; layout: params_preprocess.h. */
static uint32_t integer_of(const vrs_preprocess_view *view, int kind, int32_t output,
                           int32_t sample)
{
    const bool bytes = view->sample_bytes == 1;
    const bool wide = view->shape >= VRS_PREPROCESS_WIDE;
    const bool fine = view->shape == VRS_PREPROCESS_FINE;
    const bool packed = view->component_step[0] > 1;
    const int32_t count = packed ? (wide ? 9 : 5) : bytes ? (wide ? 3 : 2) : (wide ? 5 : 3);
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
static void use_fast_tables(const vrs_preprocess_view *view, vrs_preprocess_plan *plan)
{
    const float steps = (float)(1 << view->shift);
    for (int kind = 0; kind < VRS_AXIS_KINDS; kind++) {
        vrs_axis *axis = &plan->x[kind];
        for (int32_t output = 0; output < axis->count; output++) {
            for (int32_t tap = 0; tap < axis->taps[output]; tap++) {
                const uint32_t integer = integer_of(view, kind, output, axis->first[output] + tap);
                axis->weight[output * axis->stride + tap] = (float)integer * steps;
            }
        }
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

static void run_view(const vrs_preprocess_params *p, const vrs_preprocess_view *view, bool fast)
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
    if (plan->tone) {
        memcpy(plan->tone_table, words(view, view->tone), sizeof(plan->tone_table));
    }
    set_network(p, plan);
    if (fast) {
        use_fast_tables(view, plan);
    }
    vrs_preprocess_reference(plan, &image, (void *)(uintptr_t)view->tensor,
                             (uint8_t *)(uintptr_t)view->luma, NULL);
    for (int kind = 0; kind < VRS_AXIS_KINDS; kind++) {
        free_axis(&plan->x[kind]);
        free_axis(&plan->y[kind]);
    }
    free(plan);
}

static void run(const void *params, const uint32_t grid[3], const uint32_t block[3], bool fast)
{
    const vrs_preprocess_params *p = params;
    const uint32_t columns = fast ? VRS_PREPROCESS_COLUMNS : 1;
    if (grid[0] * block[0] * columns < (uint32_t)p->width ||
        grid[1] * (uint32_t)(p->rows * p->strips) < (uint32_t)p->height ||
        block[0] != VRS_PREPROCESS_THREADS) {
        fprintf(stderr, "fake_cuda: the preprocess grid does not cover the picture\n");
        abort();
    }
    for (uint32_t view = 0; view < grid[2]; view++) {
        run_view(p, &p->view[view], fast);
    }
}

void fake_vrs_preprocess(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    run(params, grid, block, false);
}

void fake_vrs_preprocess_yuv420p(const void *params, const uint32_t grid[3],
                                 const uint32_t block[3])
{
    run(params, grid, block, true);
}

void fake_vrs_preprocess_nv12(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    run(params, grid, block, true);
}

void fake_vrs_preprocess_yuv420p10(const void *params, const uint32_t grid[3],
                                   const uint32_t block[3])
{
    run(params, grid, block, true);
}

void fake_vrs_preprocess_p010(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    run(params, grid, block, true);
}

void fake_vrs_preprocess_rgb24(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    run(params, grid, block, true);
}

void fake_vrs_preprocess_bgra(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    run(params, grid, block, true);
}
