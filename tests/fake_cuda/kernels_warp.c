/* src/kernels/cuda/warp.cu in C: from the parameters alone a plan and patches are put together
 * again, and the reference is called with them. */
#include "fake_cuda/kernels_warp.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_cuda/kernels_memory.h"
#include "kernels/kernels.h"
#include "kernels/preprocess_plan.h"

static void check_grid(const uint32_t grid[3], const uint32_t block[3], int32_t width,
                       int32_t height)
{
    if (block[0] != VRS_WARP_COLUMNS || block[1] != VRS_WARP_ROWS ||
        grid[0] * block[0] < (uint32_t)width || grid[1] * block[1] < (uint32_t)height) {
        fprintf(stderr, "fake_cuda: the grid does not cover the picture\n");
        abort();
    }
}

static void set_network(const vrs_warp_params *p, vrs_preprocess_plan *plan)
{
    plan->desc.width = p->width;
    plan->desc.height = p->height;
    plan->desc.quantum = 1.0F;
    plan->type = (vrs_tensor_type)p->type;
    plan->layout = (vrs_tensor_layout)p->layout;
    plan->channels = p->channels;
    for (int c = 0; c < 3; c++) {
        plan->desc.scale[c] = p->scale[c] / 255.0F;
        plan->desc.mean[c] = p->scale[c] == 0.0F ? 0.0F : -p->bias[c] / plan->desc.scale[c];
    }
}

static void run_view(const vrs_warp_params *p, const vrs_warp_view *view)
{
    vrs_preprocess_plan *plan = take(sizeof(*plan));
    const vrs_format_info info = {.sample_bytes = view->sample_bytes, .sample_shift = view->shift};
    vrs_image image = {.format = VRS_FORMAT_NONE};
    plan->info = &info;
    plan->peak = view->peak;
    plan->components = view->components;
    for (int i = 0; i < view->components; i++) {
        plan->component[i] = (vrs_component){view->component_plane[i], view->component_step[i],
                                             view->component_offset[i], view->component_axis[i]};
        const int plane = view->component_plane[i];
        image.planes[plane] = (uint8_t *)(uintptr_t)view->plane[plane];
        image.strides[plane] = view->stride[plane];
    }
    /* The site as the shifts say it. */
    plan->desc.color.chroma_site = view->site_y != 0   ? VRS_CHROMA_TOP_LEFT
                                   : view->site_x != 0 ? VRS_CHROMA_LEFT
                                                       : VRS_CHROMA_CENTER;
    memcpy(plan->matrix, view->matrix, sizeof(plan->matrix));
    memcpy(plan->luma, view->guide, sizeof(plan->luma));
    plan->tone = view->tone != 0;
    if (plan->tone)
        memcpy(plan->tone_table, at(view->tone), sizeof(plan->tone_table));
    set_network(p, plan);
    const vrs_warp warp = {at(view->positions),
                           {view->x, view->y, view->width, view->height},
                           view->around,
                           view->samples};
    for (int32_t y = 0; y < p->height; y++) {
        vrs_preprocess_warp_columns(plan, &warp, &image, (void *)(uintptr_t)view->tensor,
                                    (uint8_t *)(uintptr_t)view->luma, y, 0, p->width);
    }
    free(plan);
}

void fake_vrs_preprocess_warp(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_warp_params *p = params;
    check_grid(grid, block, p->width, p->height);
    for (uint32_t view = 0; view < grid[2]; view++)
        run_view(p, &p->view[view]);
}

/* ---- and back ---- */

/* Pairs of coefficients as two planes. */
static void split(const vrs_patch_view *view, float **slope, float **offset)
{
    const size_t count = (size_t)view->mask_stride * (size_t)view->mask_height;
    const float *pairs = at(view->mask);
    *slope = take(count * sizeof(float));
    *offset = take(count * sizeof(float));
    for (int32_t y = 0; y < view->mask_height; y++) {
        for (int32_t x = 0; x < view->mask_width; x++) {
            const size_t i = (size_t)y * (size_t)view->mask_stride + (size_t)x;
            (*slope)[i] = pairs[2 * i];
            (*offset)[i] = pairs[2 * i + 1];
        }
    }
}

/* Luma of RGB rows, by the weights of the kernel. */
static uint8_t *luma_of_rgb(const vrs_patch_luma *luma, int32_t width, int32_t height)
{
    uint8_t *codes = take((size_t)width * (size_t)height);
    for (int32_t y = 0; y < height; y++) {
        const uint8_t *pixel = (const uint8_t *)at(luma->data) + (ptrdiff_t)y * luma->stride;
        for (int32_t x = 0; x < width; x++, pixel += luma->step) {
            codes[(size_t)y * (size_t)width + (size_t)x] =
                (uint8_t)((13933 * pixel[luma->red] + 46871 * pixel[1] + 4732 * pixel[luma->blue] +
                           32768) >>
                          16);
        }
    }
    return codes;
}

static void apply_threshold(const vrs_patches_params *p)
{
    for (int32_t y = p->y; y < p->y + p->height && p->threshold > 0; y++) {
        int16_t *row = (int16_t *)(uintptr_t)p->dst + (ptrdiff_t)y * p->dst_stride;
        for (int32_t x = p->x; x < p->x + p->width; x++)
            row[x] = row[x] < p->threshold ? 0 : VRS_Q15_ONE;
    }
}

void fake_vrs_patches(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_patches_params *p = params;
    const int32_t right = p->x + p->width, bottom = p->y + p->height;
    vrs_patch patches[VRS_PREPROCESS_VIEWS];
    float *slope[VRS_PREPROCESS_VIEWS] = {0}, *offset[VRS_PREPROCESS_VIEWS] = {0};
    uint8_t *codes = NULL;
    check_grid(grid, block, p->width, p->height);
    vrs_luma luma = {at(p->luma.data), p->luma.stride, p->luma.sample_bytes,
                     p->luma.shift,    p->luma.scale,  p->luma.offset};
    if (p->refine != 0 && p->luma.step != 0) {
        codes = luma_of_rgb(&p->luma, right, bottom);
        luma.data = codes;
        luma.stride = right;
        luma.sample_bytes = 1;
    }
    for (int32_t i = 0; i < p->count; i++) {
        const vrs_patch_view *v = &p->view[i];
        if (p->refine != 0)
            split(v, &slope[i], &offset[i]);
        patches[i] = (vrs_patch){{v->x, v->y, v->width, v->height},
                                 at(v->positions),
                                 v->mask_width,
                                 v->mask_height,
                                 at(v->mask),
                                 slope[i],
                                 offset[i],
                                 v->mask_stride,
                                 v->ramp_x,
                                 v->ramp_y};
    }
    const vrs_kernels *reference = vrs_kernels_get(VRS_ISA_REFERENCE);
    reference->patches(patches, p->count, p->refine != 0 ? &luma : NULL, p->y, bottom, right,
                       (int16_t *)(uintptr_t)p->dst + (ptrdiff_t)p->y * p->dst_stride,
                       p->dst_stride, NULL);
    apply_threshold(p);
    for (int32_t i = 0; i < p->count; i++) {
        free(slope[i]);
        free(offset[i]);
    }
    free(codes);
}

void fake_vrs_class_patches(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    const vrs_class_patches_params *p = params;
    vrs_class_patch patches[VRS_PREPROCESS_VIEWS];
    check_grid(grid, block, p->width, p->height);
    for (int32_t i = 0; i < p->count; i++) {
        const vrs_class_patch_view *v = &p->view[i];
        patches[i] = (vrs_class_patch){
            .rect = {v->x, v->y, v->width, v->height},
            .positions = at(v->positions),
            .width = v->picture_width,
            .height = v->picture_height,
            .scores = at(v->scores),
            .columns = v->columns,
            .rows = v->rows,
            .class_stride = (ptrdiff_t)v->class_stride,
            .row_stride = v->row_stride,
            .ramp_x = v->ramp_x,
            .ramp_y = v->ramp_y,
        };
    }
    vrs_kernels_get(VRS_ISA_REFERENCE)
        ->class_patches(patches, p->count, p->classes, 0, p->height, p->width,
                        (uint8_t *)(uintptr_t)p->dst, p->dst_stride);
}
