/* Batches of the CUDA preprocess kernels: parameters, grid, launch. Tables: preprocess_tables.c. */
#include "kernels/cuda/preprocess_launch.h"

#include <stdbool.h>
#include <string.h>

#include "kernels/preprocess_plan.h"

#define ROWS_ANY 2 /* of a block of the kernel for any source */
#define FAST_COLUMNS (VRS_PREPROCESS_THREADS * VRS_PREPROCESS_COLUMNS)
#define BLOCKS_EACH 3          /* blocks of the fast kernels a multiprocessor, at least */
#define MOST_SHARED (48 << 10) /* of a block of several strips, for several a multiprocessor */

vrs_status vrs_cuda_preprocess_open(vrs_device *device, vrs_cuda_preprocess *kernels)
{
    const struct {
        const char *name;
        vrs_kernel **kernel;
    } wanted[] = {
        {"vrs_preprocess", &kernels->any},       {"vrs_preprocess_yuv420p", &kernels->yuv420p},
        {"vrs_preprocess_nv12", &kernels->nv12}, {"vrs_preprocess_yuv420p10", &kernels->yuv420p10},
        {"vrs_preprocess_p010", &kernels->p010}, {"vrs_preprocess_rgb24", &kernels->rgb24},
        {"vrs_preprocess_bgra", &kernels->bgra},
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
    case VRS_FORMAT_RGB24:
        return kernels->rgb24;
    case VRS_FORMAT_BGRA:
        return kernels->bgra;
    default:
        return kernels->any;
    }
}

static int32_t store_of(const vrs_preprocess_plan *plan)
{
    if (plan->type == VRS_TENSOR_F16 && plan->layout == VRS_TENSOR_NHWC && plan->channels == 8) {
        return VRS_PREPROCESS_STORE_NHWC8;
    }
    if (plan->type == VRS_TENSOR_F16 && plan->layout == VRS_TENSOR_S2D && plan->channels == 16) {
        return VRS_PREPROCESS_STORE_S2D16;
    }
    return VRS_PREPROCESS_STORE_ANY;
}

static void set_network(vrs_preprocess_params *params, const vrs_preprocess_plan *plan)
{
    params->width = plan->desc.width;
    params->height = plan->desc.height;
    params->type = (int32_t)plan->type;
    params->layout = (int32_t)plan->layout;
    params->channels = plan->channels;
    params->store = store_of(plan);
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

static uint32_t parts_of(int32_t whole, int32_t part)
{
    return ((uint32_t)whole + (uint32_t)part - 1) / (uint32_t)part;
}

/* Bytes of shared memory of a block of `strips` strips of 2 << i rows; 0: too much for a strip. */
static uint32_t block_bytes(const vrs_preprocess_params *params, int32_t count, int i,
                            uint32_t strips)
{
    uint32_t tile = 0, row_words = 0;
    for (int32_t v = 0; v < count; v++) {
        const vrs_preprocess_view *view = &params->view[v];
        if (view->tile[i] == 0) {
            return 0;
        }
        tile = view->tile[i] > tile ? view->tile[i] : tile;
        row_words = view->row_words > row_words ? view->row_words : row_words;
    }
    return VRS_PREPROCESS_BLOCK_BYTES + (strips << (i + 1)) * row_words * 4 +
           (strips > 1 ? 2 : 1) * tile * 16;
}

/* Sets the rows of a block. The shared memory that it needs; 0: the device has not so much. */
static uint32_t choose_rows(vrs_preprocess_params *params, int32_t count,
                            const vrs_device_stream *stream)
{
    const vrs_device_properties *device =
        vrs_device_get_properties(vrs_device_stream_device(stream));
    const uint32_t wanted = BLOCKS_EACH * (uint32_t)device->multiprocessors;
    const uint32_t across = parts_of(params->width, FAST_COLUMNS) * (uint32_t)count;
    for (int i = 1; i >= 0; i--) {
        for (uint32_t strips = 4; strips >= 1; strips /= 2) {
            const uint32_t bytes = block_bytes(params, count, i, strips);
            const uint32_t blocks = across * parts_of(params->height, (int32_t)(strips << (i + 1)));
            const bool least = i == 0 && strips == 1;
            if (bytes != 0 && ((blocks >= wanted && bytes <= MOST_SHARED) || least)) {
                params->tile = i;
                params->rows = 2 << i;
                params->strips = (int32_t)strips;
                return bytes <= device->block_shared_bytes ? bytes : 0;
            }
        }
    }
    return 0;
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
    vrs_kernel *kernel = choose(kernels, items, count);
    const uint32_t shared = kernel == kernels->any ? 0 : choose_rows(&params, count, stream);
    int32_t columns = FAST_COLUMNS;
    if (shared == 0) {
        kernel = kernels->any;
        columns = VRS_PREPROCESS_THREADS;
        params.rows = ROWS_ANY;
        params.strips = 1;
    }
    const uint32_t grid[3] = {parts_of(params.width, columns),
                              parts_of(params.height, params.rows * params.strips),
                              (uint32_t)count};
    const uint32_t block[3] = {VRS_PREPROCESS_THREADS, 1, 1};
    return vrs_device_launch(stream, kernel, grid, block, shared, &params, sizeof(params));
}
