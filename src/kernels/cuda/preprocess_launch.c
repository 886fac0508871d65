/* Batches of the CUDA preprocess kernels: parameters, grid, launch. Tables: preprocess_tables.c. */
#include "kernels/cuda/preprocess_launch.h"

#include <stdbool.h>
#include <string.h>

#include "kernels/preprocess_plan.h"

#define ROWS 2 /* of a thread: even, for space-to-depth */

vrs_status vrs_cuda_preprocess_open(vrs_device *device, vrs_cuda_preprocess *kernels)
{
    const struct {
        const char *name;
        vrs_kernel **kernel;
    } wanted[] = {
        {"vrs_preprocess", &kernels->any},       {"vrs_preprocess_yuv420p", &kernels->yuv420p},
        {"vrs_preprocess_nv12", &kernels->nv12}, {"vrs_preprocess_yuv420p10", &kernels->yuv420p10},
        {"vrs_preprocess_p010", &kernels->p010},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const vrs_status status = vrs_device_kernel(device, wanted[i].name, wanted[i].kernel);
        if (status != VRS_OK) {
            return status;
        }
    }
    return VRS_OK;
}

static bool same_network(const vrs_preprocess_plan *a, const vrs_preprocess_plan *b)
{
    bool same = a->desc.width == b->desc.width && a->desc.height == b->desc.height &&
                a->desc.tensor == b->desc.tensor && a->channels == b->channels &&
                a->pad_code == b->pad_code &&
                (a->type != VRS_TENSOR_I8 || a->desc.quantum == b->desc.quantum);
    for (int c = 0; c < 3; c++) {
        same = same && a->scale[c] == b->scale[c] && a->bias[c] == b->bias[c] &&
               a->pad[c] == b->pad[c];
    }
    return same;
}

static vrs_status check_item(const vrs_cuda_preprocess_item *items, int32_t index)
{
    const vrs_cuda_preprocess_item *item = &items[index];
    const vrs_preprocess_desc *desc = &item->plan->desc;
    const vrs_image *image = item->image;
    if (image->format != desc->format || image->width != desc->image_width ||
        image->height != desc->image_height) {
        return vrs_fail(VRS_INVALID,
                        "preprocess: view %d: a %s image of %dx%d, the plan is for %s of %dx%d",
                        index, vrs_pixel_format_name(image->format), image->width, image->height,
                        vrs_pixel_format_name(desc->format), desc->image_width, desc->image_height);
    }
    if (item->tensor == 0 || item->tensor % 16 != 0 || item->tables == 0 || item->tables % 4 != 0) {
        return vrs_fail(VRS_INVALID,
                        "preprocess: view %d: the tensor must lie at a multiple of 16 bytes and "
                        "the tables at one of 4",
                        index);
    }
    if (!same_network(items[0].plan, item->plan)) {
        return vrs_fail(VRS_INVALID,
                        "preprocess: views 0 and %d of a batch are for different networks", index);
    }
    const int32_t planes = item->plan->info->planes;
    for (int32_t plane = 0; plane < planes; plane++) {
        if (image->planes[plane] == NULL || image->strides[plane] > INT32_MAX ||
            image->strides[plane] < -INT32_MAX) {
            return vrs_fail(VRS_INVALID,
                            "preprocess: view %d: plane %d has no address or too "
                            "large a stride",
                            index, plane);
        }
    }
    return VRS_OK;
}

/* Whether the fast kernels can read the image word by word. */
static bool in_words(const vrs_cuda_preprocess_item *item)
{
    for (int32_t plane = 0; plane < item->plan->info->planes; plane++) {
        if ((uintptr_t)item->image->planes[plane] % 4 != 0 ||
            item->image->strides[plane] % 4 != 0) {
            return false;
        }
    }
    return item->view->shape != VRS_PREPROCESS_ANY;
}

static vrs_kernel *choose(const vrs_cuda_preprocess *kernels, const vrs_cuda_preprocess_item *items,
                          int32_t count)
{
    const vrs_pixel_format format = items[0].plan->desc.format;
    for (int32_t i = 0; i < count; i++) {
        if (items[i].plan->desc.format != format || !in_words(&items[i])) {
            return kernels->any;
        }
    }
    switch ((int)format) {
    case VRS_FORMAT_YUV420P:
        return kernels->yuv420p;
    case VRS_FORMAT_NV12:
        return kernels->nv12;
    case VRS_FORMAT_YUV420P10:
        return kernels->yuv420p10;
    case VRS_FORMAT_P010:
        return kernels->p010;
    default:
        return kernels->any;
    }
}

static void set_network(vrs_preprocess_params *params, const vrs_preprocess_plan *plan)
{
    params->width = plan->desc.width;
    params->height = plan->desc.height;
    params->type = (int32_t)plan->type;
    params->layout = (int32_t)plan->layout;
    params->channels = plan->channels;
    params->rows = ROWS;
    params->pad_code = plan->pad_code;
    for (int c = 0; c < 3; c++) {
        const float quantum = plan->type == VRS_TENSOR_I8 ? plan->desc.quantum : 1.0F;
        const bool codes = plan->type == VRS_TENSOR_U8;
        params->scale[c] = codes ? 255.0F : plan->scale[c] / quantum;
        params->bias[c] = codes ? 0.0F : plan->bias[c] / quantum;
        params->pad[c] = codes ? (float)plan->pad_code : plan->pad[c] / quantum;
    }
}

static void set_view(vrs_preprocess_view *view, const vrs_cuda_preprocess_item *item)
{
    *view = *item->view;
    for (int32_t plane = 0; plane < item->plan->info->planes && plane < 3; plane++) {
        view->plane[plane] = (uint64_t)(uintptr_t)item->image->planes[plane];
        view->stride[plane] = (int32_t)item->image->strides[plane];
    }
    view->tables = item->tables;
    view->tensor = item->tensor;
    view->luma = item->luma;
}

vrs_status vrs_cuda_preprocess_run(const vrs_cuda_preprocess *kernels, vrs_device_stream *stream,
                                   const vrs_cuda_preprocess_item *items, int32_t count)
{
    if (count < 1 || count > VRS_PREPROCESS_VIEWS) {
        return vrs_fail(VRS_INVALID, "preprocess: %d views in a batch; 1 to %d are possible", count,
                        VRS_PREPROCESS_VIEWS);
    }
    vrs_preprocess_params params;
    memset(&params, 0, sizeof(params));
    for (int32_t i = 0; i < count; i++) {
        const vrs_status status = check_item(items, i);
        if (status != VRS_OK) {
            return status;
        }
        set_view(&params.view[i], &items[i]);
    }
    set_network(&params, items[0].plan);
    const uint32_t across =
        ((uint32_t)params.width + VRS_PREPROCESS_THREADS - 1) / VRS_PREPROCESS_THREADS;
    const uint32_t down = ((uint32_t)params.height + ROWS - 1) / ROWS;
    const uint32_t grid[3] = {across, down, (uint32_t)count};
    const uint32_t block[3] = {VRS_PREPROCESS_THREADS, 1, 1};
    return vrs_device_launch(stream, choose(kernels, items, count), grid, block, 0, &params,
                             sizeof(params));
}
