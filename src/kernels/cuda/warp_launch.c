#include "kernels/cuda/warp_launch.h"

#include <string.h>

#include "kernels/cuda/preprocess_batch.h"

vrs_status vrs_cuda_warp_open(vrs_device *device, vrs_cuda_warp *kernels)
{
    vrs_status status = vrs_device_kernel(device, "vrs_preprocess_warp", &kernels->preprocess);
    if (status == VRS_OK)
        status = vrs_device_kernel(device, "vrs_patches", &kernels->patches);
    return status == VRS_OK
               ? vrs_device_kernel(device, "vrs_class_patches", &kernels->class_patches)
               : status;
}

static vrs_status check_item(const vrs_cuda_warp_item *items, int32_t index)
{
    const vrs_cuda_warp_item *item = &items[index];
    if (item->tensor == 0 || item->tensor % 16 != 0 || item->positions == 0 ||
        item->positions % 8 != 0 || (item->plan->tone && item->tone == 0)) {
        return vrs_fail(
            VRS_INVALID,
            "tiles: view %d: the tensor must lie at a multiple of 16 bytes, the grid at "
            "one of 8, and a plan with tones has its table",
            index);
    }
    const vrs_status status =
        vrs_preprocess_batch_view("tiles", index, items[0].plan, item->plan, item->image);
    return status == VRS_OK ? vrs_warp_check(item->warp) : status;
}

static void set_view(vrs_warp_view *view, const vrs_cuda_warp_item *item)
{
    const vrs_preprocess_plan *plan = item->plan;
    const vrs_chroma_site site = plan->desc.color.chroma_site;
    vrs_preprocess_batch_planes(plan, item->image, view->plane, view->stride);
    view->positions = item->positions;
    view->tensor = item->tensor;
    view->luma = item->luma;
    view->tone = plan->tone ? item->tone : 0;
    memcpy(view->matrix, plan->matrix, sizeof(view->matrix));
    memcpy(view->guide, plan->luma, sizeof(view->guide));
    view->x = item->warp->source.x;
    view->y = item->warp->source.y;
    view->width = item->warp->source.width;
    view->height = item->warp->source.height;
    view->around = item->warp->around;
    view->samples = item->warp->samples;
    view->site_x = site != VRS_CHROMA_CENTER ? 1 << (VRS_WARP_BITS - 2) : 0;
    view->site_y = site == VRS_CHROMA_TOP_LEFT ? 1 << (VRS_WARP_BITS - 2) : 0;
    view->peak = (uint16_t)plan->peak;
    view->shift = (uint8_t)plan->info->sample_shift;
    view->components = (uint8_t)plan->components;
    view->sample_bytes = (uint8_t)plan->info->sample_bytes;
    for (int i = 0; i < plan->components; i++) {
        view->component_plane[i] = (uint8_t)plan->component[i].plane;
        view->component_step[i] = (uint8_t)plan->component[i].step;
        view->component_offset[i] = (uint8_t)plan->component[i].offset;
        view->component_axis[i] = (uint8_t)plan->component[i].axis;
    }
}

vrs_status vrs_cuda_preprocess_warp(const vrs_cuda_warp *kernels, vrs_device_stream *stream,
                                    const vrs_cuda_warp_item *items, int32_t count)
{
    vrs_warp_params params;
    memset(&params, 0, sizeof(params));
    vrs_status status = vrs_preprocess_batch_count("tiles", count);
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        status = check_item(items, i);
        if (status == VRS_OK)
            set_view(&params.view[i], &items[i]);
    }
    if (status != VRS_OK)
        return status;
    const vrs_preprocess_plan *plan = items[0].plan;
    params.width = plan->desc.width;
    params.height = plan->desc.height;
    params.type = (int32_t)plan->type;
    params.layout = (int32_t)plan->layout;
    params.channels = plan->channels;
    vrs_preprocess_batch_scale(plan, params.scale, params.bias);
    const uint32_t grid[3] = {parts_of(params.width, VRS_WARP_COLUMNS),
                              parts_of(params.height, VRS_WARP_ROWS), (uint32_t)count};
    const uint32_t block[3] = {VRS_WARP_COLUMNS, VRS_WARP_ROWS, 1};
    return vrs_device_launch(stream, kernels->preprocess, grid, block, 0, &params, sizeof(params));
}

/* ---- and back ---- */

static void set_luma(vrs_patch_luma *luma, const vrs_image *image)
{
    const vrs_format_info *info = vrs_format_get(image->format);
    const float peak = (float)(1 << (info->depth - 8));
    const bool full = !info->is_yuv || vrs_color_resolve(image).range == VRS_RANGE_FULL;
    const bool bgra = image->format == VRS_FORMAT_BGRA;
    luma->data = (uint64_t)(uintptr_t)image->planes[0];
    luma->stride = (int32_t)image->strides[0];
    luma->sample_bytes = info->sample_bytes;
    luma->shift = info->sample_shift;
    luma->step = info->is_yuv || info->plane_samples[0] == 1 ? 0 : info->plane_samples[0];
    luma->red = bgra ? 2 : 0;
    luma->blue = bgra ? 0 : 2;
    luma->scale = full ? 1 / (256 * peak - 1) : 1 / (219 * peak);
    luma->offset = full ? 0 : -16 * peak * luma->scale;
}

/* The smallest rectangle around all patches. */
static void set_box(vrs_patches_params *p, const vrs_cuda_patches *patches)
{
    int32_t right = 0, bottom = 0;
    p->x = patches->width;
    p->y = patches->height;
    for (int32_t i = 0; i < patches->count; i++) {
        const vrs_rect *r = &patches->patches[i].rect;
        p->x = r->x < p->x ? r->x : p->x;
        p->y = r->y < p->y ? r->y : p->y;
        right = r->x + r->width > right ? r->x + r->width : right;
        bottom = r->y + r->height > bottom ? r->y + r->height : bottom;
    }
    if (p->threshold > 0) {
        p->x = p->y = 0;
        right = patches->width;
        bottom = patches->height;
    }
    p->width = right - p->x;
    p->height = bottom - p->y;
}

static vrs_status set_patch(vrs_patch_view *view, const vrs_cuda_patches *patches, int32_t index)
{
    const vrs_patch *p = &patches->patches[index];
    const vrs_rect *r = &p->rect;
    if (r->x < 0 || r->y < 0 || r->width < 1 || r->height < 1 || r->width > patches->width - r->x ||
        r->height > patches->height - r->y || p->width < 2 || p->height < 2 ||
        p->width > VRS_PATCH_MOST || p->height > VRS_PATCH_MOST || p->ramp_x < 1 || p->ramp_y < 1 ||
        p->stride < p->width || p->stride > INT32_MAX || patches->positions[index] % 8 != 0 ||
        patches->positions[index] == 0 || patches->masks[index] == 0) {
        return vrs_fail(VRS_INVALID,
                        "patch %d: %dx%d at (%d, %d) of a mask of %dx%d, from one of %dx%d: sizes "
                        "or addresses are outside of what is possible",
                        index, r->width, r->height, r->x, r->y, patches->width, patches->height,
                        p->width, p->height);
    }
    *view = (vrs_patch_view){
        .positions = patches->positions[index],
        .mask = patches->masks[index],
        .x = r->x,
        .y = r->y,
        .width = r->width,
        .height = r->height,
        .mask_width = p->width,
        .mask_height = p->height,
        .mask_stride = (int32_t)p->stride,
        .ramp_x = p->ramp_x,
        .ramp_y = p->ramp_y,
    };
    return VRS_OK;
}

vrs_status vrs_cuda_patches_run(const vrs_cuda_warp *kernels, vrs_device_stream *stream,
                                const vrs_cuda_patches *patches)
{
    if (patches->count < 1 || patches->count > VRS_PREPROCESS_VIEWS || patches->dst == 0 ||
        patches->width < 1 || patches->height < 1 || patches->dst_stride < patches->width) {
        return vrs_fail(VRS_INVALID, "patches: %d on a mask of %dx%d; 1 to %d are possible",
                        patches->count, patches->width, patches->height, VRS_PREPROCESS_VIEWS);
    }
    vrs_patches_params params;
    memset(&params, 0, sizeof(params));
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < patches->count && status == VRS_OK; i++)
        status = set_patch(&params.view[i], patches, i);
    if (status == VRS_OK && patches->luma_of != NULL && !in_reach(patches->luma_of, 0))
        status = vrs_fail(VRS_INVALID, "patches: the luma has no address or too large a stride");
    if (status != VRS_OK)
        return status;
    params.count = patches->count;
    params.dst = patches->dst;
    params.dst_stride = patches->dst_stride;
    params.threshold = patches->threshold;
    params.refine = patches->luma_of != NULL ? 1 : 0;
    if (patches->luma_of != NULL)
        set_luma(&params.luma, patches->luma_of);
    set_box(&params, patches);
    const uint32_t grid[3] = {parts_of(params.width, VRS_WARP_COLUMNS),
                              parts_of(params.height, VRS_WARP_ROWS), 1};
    const uint32_t block[3] = {VRS_WARP_COLUMNS, VRS_WARP_ROWS, 1};
    return vrs_device_launch(stream, kernels->patches, grid, block, 0, &params, sizeof(params));
}

/* ---- classes ---- */

static vrs_status set_class_patch(vrs_class_patch_view *view, const vrs_cuda_class_patches *patches,
                                  int32_t index)
{
    const vrs_class_patch *p = &patches->patches[index];
    const vrs_rect *r = &p->rect;
    if (r->x < 0 || r->y < 0 || r->width < 1 || r->height < 1 || r->width > patches->width - r->x ||
        r->height > patches->height - r->y || p->width < 1 || p->height < 1 ||
        p->width > VRS_PATCH_MOST || p->height > VRS_PATCH_MOST || p->columns < 2 || p->rows < 2 ||
        p->ramp_x < 0 || (p->ramp_x > 0) != (p->ramp_y > 0) || p->row_stride < p->columns ||
        p->row_stride > INT32_MAX || patches->positions[index] % 8 != 0 ||
        patches->positions[index] == 0 || patches->scores[index] == 0) {
        return vrs_fail(VRS_INVALID,
                        "class patch %d: %dx%d at (%d, %d) of a map of %dx%d, from %dx%d scores: "
                        "sizes or addresses are outside of what is possible",
                        index, r->width, r->height, r->x, r->y, patches->width, patches->height,
                        p->columns, p->rows);
    }
    *view = (vrs_class_patch_view){
        .positions = patches->positions[index],
        .scores = patches->scores[index],
        .class_stride = p->class_stride,
        .row_stride = (int32_t)p->row_stride,
        .x = r->x,
        .y = r->y,
        .width = r->width,
        .height = r->height,
        .picture_width = p->width,
        .picture_height = p->height,
        .columns = p->columns,
        .rows = p->rows,
        .ramp_x = p->ramp_x,
        .ramp_y = p->ramp_y,
    };
    return VRS_OK;
}

vrs_status vrs_cuda_class_patches_run(const vrs_cuda_warp *kernels, vrs_device_stream *stream,
                                      const vrs_cuda_class_patches *patches)
{
    vrs_class_patches_params params;
    memset(&params, 0, sizeof(params));
    if (patches->count < 1 || patches->count > VRS_PREPROCESS_VIEWS || patches->classes < 1 ||
        patches->classes > 32 || patches->width < 1 || patches->height < 1 || patches->dst == 0 ||
        patches->dst_stride < patches->width) {
        return vrs_fail(VRS_INVALID,
                        "class patches: %d of %d classes on a map of %dx%d; 1 to %d of 1 to 32 "
                        "classes are possible",
                        patches->count, patches->classes, patches->width, patches->height,
                        VRS_PREPROCESS_VIEWS);
    }
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < patches->count && status == VRS_OK; i++)
        status = set_class_patch(&params.view[i], patches, i);
    if (status != VRS_OK)
        return status;
    params.dst = patches->dst;
    params.dst_stride = patches->dst_stride;
    params.count = patches->count;
    params.classes = patches->classes;
    params.width = patches->width;
    params.height = patches->height;
    const uint32_t grid[3] = {parts_of(params.width, VRS_WARP_COLUMNS),
                              parts_of(params.height, VRS_WARP_ROWS), 1};
    const uint32_t block[3] = {VRS_WARP_COLUMNS, VRS_WARP_ROWS, 1};
    return vrs_device_launch(stream, kernels->class_patches, grid, block, 0, &params,
                             sizeof(params));
}
