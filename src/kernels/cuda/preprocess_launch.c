/* Batches of the CUDA preprocess kernels: parameters, grid, launch. Tables: preprocess_tables.c. */
#include "kernels/cuda/preprocess_launch.h"

#include <stdbool.h>
#include <string.h>

#include "kernels/cuda/preprocess_batch.h"

#define ROWS_ANY 2 /* of a block of the kernel for any source */
#define FAST_COLUMNS (VRS_PREPROCESS_THREADS * VRS_PREPROCESS_COLUMNS)
#define BLOCKS_EACH 3          /* blocks of the fast kernels a multiprocessor, at least */
#define MOST_SHARED (48 << 10) /* of a block of several strips, for several a multiprocessor */

/* A format and its kernels. */
static const struct {
    vrs_pixel_format format;
    const char *fast, *whole;
} formats[VRS_PREPROCESS_FAST] = {
#define FORMAT(format, fast, whole) {format, #fast, #whole},
    VRS_PREPROCESS_FORMATS(FORMAT)
#undef FORMAT
};

vrs_status vrs_cuda_preprocess_open(vrs_device *device, vrs_cuda_preprocess *kernels)
{
    vrs_status status = vrs_device_kernel(device, "vrs_preprocess", &kernels->any);
    for (size_t i = 0; i < VRS_PREPROCESS_FAST && status == VRS_OK; i++) {
        status = vrs_device_kernel(device, formats[i].fast, &kernels->fast[i]);
        if (status == VRS_OK)
            status = vrs_device_kernel(device, formats[i].whole, &kernels->whole[i]);
    }
    return status;
}

static vrs_status check_item(const vrs_cuda_preprocess_item *items, int32_t index)
{
    const vrs_cuda_preprocess_item *item = &items[index];
    if (item->tensor == 0 || item->tensor % 16 != 0 || item->tables == 0 || item->tables % 4 != 0) {
        return vrs_fail(VRS_INVALID,
                        "preprocess: view %d: the tensor must lie at a multiple of 16 bytes and "
                        "the tables at one of 4",
                        index);
    }
    return vrs_preprocess_batch_view("preprocess", index, items[0].plan, item->plan, item->image);
}

/* Whether every plane and its rows begin at multiples of so many bytes. */
static bool aligned(const vrs_cuda_preprocess_item *item, uint32_t bytes)
{
    for (int32_t plane = 0; plane < item->plan->info->planes; plane++)
        if ((uintptr_t)item->image->planes[plane] % bytes != 0 ||
            item->image->strides[plane] % (int32_t)bytes != 0)
            return false;
    return true;
}

/* Index of the format that all views have and the fast kernels can read word by word; -1: none. */
static int choose(const vrs_cuda_preprocess_item *items, int32_t count)
{
    const vrs_pixel_format format = items[0].plan->desc.format;
    for (int32_t i = 0; i < count; i++)
        if (items[i].plan->desc.format != format || !aligned(&items[i], 4) ||
            items[i].view->shape == VRS_PREPROCESS_ANY)
            return -1;
    for (int i = 0; i < VRS_PREPROCESS_FAST; i++)
        if (formats[i].format == format)
            return i;
    return -1;
}

/* Whether the kernels for whole pictures can make all views. */
static bool are_whole(const vrs_preprocess_params *params, const vrs_cuda_preprocess_item *items,
                      int32_t count)
{
    bool whole = params->store != VRS_PREPROCESS_STORE_ANY;
    for (int32_t i = 0; i < count; i++) {
        whole =
            whole && items[i].view->pairs != 0 && aligned(&items[i], 16) && items[i].luma % 2 == 0;
    }
    return whole;
}

static int32_t store_of(const vrs_preprocess_plan *plan)
{
    static const struct {
        vrs_tensor_format tensor;
        int32_t channels, store;
    } stores[] = {
        {VRS_TENSOR_F16_NHWC, 8, VRS_PREPROCESS_STORE_NHWC8},
        {VRS_TENSOR_F16_S2D, 16, VRS_PREPROCESS_STORE_S2D16},
        {VRS_TENSOR_F16_NCHW, 3, VRS_PREPROCESS_STORE_NCHW},
        {VRS_TENSOR_I8_S2D, 16, VRS_PREPROCESS_STORE_I8},
    };
    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
        if (plan->desc.tensor == stores[i].tensor && plan->channels == stores[i].channels)
            return stores[i].store;
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
    vrs_preprocess_batch_scale(plan, params->scale, params->bias);
    for (int c = 0; c < 3; c++) {
        const float quantum = plan->type == VRS_TENSOR_I8 ? plan->desc.quantum : 1.0F;
        const bool codes = plan->type == VRS_TENSOR_U8;
        params->pad[c] = codes ? (float)plan->pad_code : plan->pad[c] / quantum;
    }
}

static void set_view(vrs_preprocess_view *view, const vrs_cuda_preprocess_item *item)
{
    *view = *item->view;
    vrs_preprocess_batch_planes(item->plan, item->image, view->plane, view->stride);
    view->tables = item->tables;
    view->tensor = item->tensor;
    view->luma = item->luma;
}

/* Units of 16 bytes of a strip of 2 << i rows; 0: too many. */
static uint32_t tile_units(const vrs_preprocess_view *view, int i)
{
    const uint32_t planes = view->component_plane[2] == 2 ? 2 : 1;
    return (uint32_t)view->tile_rows[0][i] * view->pitch[0] +
           planes * view->tile_rows[1][i] * view->pitch[1];
}

/* Bytes of shared memory of a block of `strips` strips of 2 << i rows; 0: too much for a strip. */
static uint32_t block_bytes(const vrs_preprocess_params *params, int32_t count, int i,
                            uint32_t strips)
{
    uint32_t tile = 0, row_words = 0;
    for (int32_t v = 0; v < count; v++) {
        const vrs_preprocess_view *view = &params->view[v];
        const uint32_t units = tile_units(view, i);
        if (units == 0)
            return 0;
        tile = units > tile ? units : tile;
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

/* Rows of the source that `rows` rows of a whole picture take, at most. */
static int32_t most_rows(const vrs_preprocess_view *view, int kind, int32_t rows)
{
    return (rows * view->step[kind] + 4095) / 4096 + (view->reach[kind] >> 4) +
           (view->reach[kind] & 15);
}

/* Sets the room of blocks of `rows` rows. Bytes of shared memory. */
static uint32_t whole_bytes(vrs_preprocess_params *params, int32_t count, int32_t rows)
{
    uint32_t most = 0;
    params->rows = rows;
    params->slots[0] = params->slots[1] = 0;
    for (int32_t v = 0; v < count; v++) {
        for (int kind = 0; kind < 2; kind++) {
            const int32_t slots = most_rows(&params->view[v], kind, rows);
            params->slots[kind] = slots > params->slots[kind] ? slots : params->slots[kind];
        }
    }
    for (int32_t v = 0; v < count; v++) {
        const vrs_preprocess_view *view = &params->view[v];
        const uint32_t planes = view->component_plane[2] == 2 ? 2 : 1;
        const uint32_t units = (uint32_t)params->slots[0] * (view->units[0] + 1U) +
                               planes * (uint32_t)params->slots[1] * (view->units[1] + 1U);
        const uint32_t bytes =
            VRS_PREPROCESS_WHOLE_HEAD + (uint32_t)rows * view->row_words * 4 + units * 16 + 16;
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* Sets the rows of a block of a whole picture: as few as let every multiprocessor have the blocks
 * that it has room for at once. The shared memory that it needs; 0: the device has not so much. */
static uint32_t choose_whole(vrs_preprocess_params *params, int32_t count, uint32_t threads,
                             const vrs_device_properties *device)
{
    const uint32_t each = VRS_PREPROCESS_WHOLE_THREADS / threads;
    const uint32_t blocks = each * (uint32_t)device->multiprocessors;
    /* What is reserved for each block comes off the multiprocessor's, which is 1 KB more than a
     * block may have. */
    const uint32_t room = (uint32_t)((device->block_shared_bytes + 1024) / each) - 1024;
    int32_t rows = VRS_PREPROCESS_WHOLE_ROWS;
    while (rows > 2 && (whole_bytes(params, count, rows) > room ||
                        parts_of(params->height, rows - 2) * (uint32_t)count <= blocks))
        rows -= 2;
    const uint32_t bytes = whole_bytes(params, count, rows);
    return bytes <= device->block_shared_bytes ? bytes : 0;
}

/* A launch of the kernels for whole pictures, where the device has room for a block. */
static vrs_status run_whole(vrs_kernel *kernel, vrs_device_stream *stream,
                            vrs_preprocess_params *params, int32_t count, bool *done)
{
    const uint32_t threads = parts_of(params->width / 2, 32) * 32;
    const uint32_t shared = choose_whole(
        params, count, threads, vrs_device_get_properties(vrs_device_stream_device(stream)));
    *done = shared != 0;
    if (shared == 0)
        return VRS_OK;
    const uint32_t grid[3] = {1, parts_of(params->height, params->rows), (uint32_t)count};
    const uint32_t block[3] = {threads + 32, 1, 1}; /* a warp asks for the source */
    return vrs_device_launch_waiting(stream, kernel, grid, block, shared, params, sizeof(*params));
}

vrs_status vrs_cuda_preprocess_run(const vrs_cuda_preprocess *kernels, vrs_device_stream *stream,
                                   const vrs_cuda_preprocess_item *items, int32_t count)
{
    vrs_preprocess_params params;
    memset(&params, 0, sizeof(params));
    vrs_status status = vrs_preprocess_batch_count("preprocess", count);
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        status = check_item(items, i);
        if (status == VRS_OK)
            set_view(&params.view[i], &items[i]);
    }
    if (status != VRS_OK)
        return status;
    set_network(&params, items[0].plan);
    const int format = choose(items, count);
    if (format >= 0 && are_whole(&params, items, count)) {
        bool done = false;
        status = run_whole(kernels->whole[format], stream, &params, count, &done);
        if (done || status != VRS_OK)
            return status;
    }
    const uint32_t shared = format < 0 ? 0 : choose_rows(&params, count, stream);
    vrs_kernel *kernel = shared == 0 ? kernels->any : kernels->fast[format];
    int32_t columns = FAST_COLUMNS;
    if (shared == 0) {
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
