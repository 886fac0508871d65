/* Checks and grids of the CUDA renderers: which of them a batch goes to. */
#include <stdbool.h>

#include "kernels/cuda/postprocess_grid.h"
#include "kernels/cuda/postprocess_launch.h"

#define COLUMNS VRS_POST_STRIP_COLUMNS
#define ANY_COLUMNS 8 /* of vrs_render's */
#define WARPS 4
#define WIDTH (32 * COLUMNS)
#define MOST_ROWS 16                                   /* of a strip */
#define PLACES_BYTES (8 * (WIDTH + WARPS * MOST_ROWS)) /* fixed shared memory of a block */
#define MOST_BYTES (VRS_POST_SHARED_BYTES - PLACES_BYTES)
#define USUAL_ROWS 8
#define LEAST_ROWS 4 /* before a GPU has too little to do */

static void set_divisions(vrs_render_view *view)
{
    int32_t shift;
    vrs_post_divide(2 * (uint32_t)view->width, &view->column_factor, &shift);
    view->column_shift = (int16_t)shift;
    vrs_post_divide(2 * (uint32_t)view->height, &view->row_factor, &shift);
    view->row_shift = (int16_t)shift;
}

static bool is_picture(const vrs_render_view *view)
{
    return view->output >= VRS_POST_COMPOSITE;
}

static bool reads_source(const vrs_render_view *view)
{
    return is_picture(view) || view->mask_kind == VRS_POST_MASK_REFINE;
}

/* All that the view reads and writes at full size comes in whole vectors of samples. */
static bool is_whole(const vrs_render_view *view)
{
    const uint64_t alpha = view->dst[0] | (uint64_t)view->dst_stride[0];
    if ((view->flags & VRS_POST_VECTOR) == 0 || view->width % COLUMNS != 0 ||
        view->mask_kind == VRS_POST_MASK_NONE)
        return false;
    if (view->mask_kind == VRS_POST_MASK_FULL && (view->flags & VRS_POST_MASK_ALIGNED) == 0)
        return false;
    if (view->output == VRS_POST_ALPHA && alpha % 16 != 0)
        return false;
    return !reads_source(view) || (view->flags & (VRS_POST_SRC_RGB | VRS_POST_SRC_BGRA)) == 0;
}

/* Most elements of a mask of `source` that `count` neighbours of `size` results need. */
static int64_t span(int32_t count, int32_t source, int32_t size)
{
    return ((int64_t)count - 1) * source / size + 3;
}

/* Shared memory of a block: slots of what is read at full size, and the parts of small masks.
 * Returns the bytes of both. */
static int64_t share_memory(vrs_render_params *params, int32_t count)
{
    int64_t stage = 0, columns = 1, rows = 1, element = 0;
    for (int32_t v = 0; v < count; v++) {
        const vrs_render_view *view = &params->view[v];
        const int64_t sample = (view->flags & VRS_POST_SRC_DEEP) != 0 ? 2 : 1;
        int64_t row = 0; /* bytes of a thread's columns */
        row += reads_source(view) ? COLUMNS * sample : 0;
        row += is_picture(view) ? COLUMNS * sample / 2 : 0;
        row += view->mask_kind == VRS_POST_MASK_FULL ? 2 * COLUMNS : 0;
        const int64_t bytes = row * params->rows * WARPS * 32;
        stage = bytes > stage ? bytes : stage;
        if (view->mask_kind > VRS_POST_MASK_REFINE)
            continue;
        const int64_t across = span(WIDTH, view->mask_width, view->width);
        const int64_t down = span(WARPS * params->rows, view->mask_height, view->height);
        const int64_t size = view->mask_kind == VRS_POST_MASK_REFINE ? 16 : 8;
        columns = across > columns ? across : columns;
        rows = down > rows ? down : rows;
        element = size > element ? size : element;
    }
    params->stage_bytes = (int32_t)stage;
    /* Behind every 128 bytes of a row one element is left out (vrs_tile_place). */
    const int64_t pitch = element > 0 ? columns + columns / (128 / element) : 0;
    const int64_t bytes = stage + pitch * rows * element;
    if (bytes > MOST_BYTES)
        return bytes;
    params->tile_columns = (int32_t)columns;
    params->tile_rows = (int32_t)rows;
    params->tile_factor =
        (uint32_t)(((UINT64_C(1) << 32) + (uint64_t)columns - 1) / (uint64_t)columns);
    return bytes;
}

/* The fast kernel for the batch, or the one for any where a view is not like the others or not for
 * it. */
static vrs_kernel *choose_kernel(const vrs_cuda_postprocess *kernels,
                                 const vrs_render_params *params, int32_t count)
{
    const bool picture = is_picture(&params->view[0]);
    const bool refined = params->view[0].mask_kind == VRS_POST_MASK_REFINE;
    for (int32_t v = 0; v < count; v++) {
        const vrs_render_view *view = &params->view[v];
        if (!is_whole(view) || is_picture(view) != picture ||
            (view->mask_kind == VRS_POST_MASK_REFINE) != refined)
            return kernels->render;
    }
    if (picture)
        return refined ? kernels->render_picture_refined : kernels->render_picture;
    return refined ? kernels->render_mask_refined : kernels->render_mask;
}

/* Rows of a strip: at most `most`, but not so many that there are fewer than two blocks for each
 * multiprocessor. */
static int32_t choose_rows(vrs_device_stream *stream, int32_t width, int32_t height, int32_t count,
                           int32_t most)
{
    const vrs_device *device = vrs_device_stream_device(stream);
    const uint32_t wanted = 2 * (uint32_t)vrs_device_get_properties(device)->multiprocessors;
    int32_t rows = most;
    while (rows > LEAST_ROWS &&
           vrs_post_parts(width, WIDTH) * vrs_post_parts(height, WARPS * rows) * (uint32_t)count <
               wanted)
        rows -= 2;
    return rows;
}

vrs_status vrs_cuda_render(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                           vrs_render_params *params, int32_t count)
{
    int32_t width = 1, height = 1;
    vrs_status status = VRS_OK;
    for (int32_t v = 0; v < count && v < VRS_POST_VIEWS && status == VRS_OK; v++) {
        const vrs_render_view *view = &params->view[v];
        status = vrs_post_check("vrs_render", count, view->width, view->height);
        if (status == VRS_OK && view->mask_kind <= VRS_POST_MASK_REFINE)
            status = vrs_post_check("vrs_render", count, view->mask_width, view->mask_height);
        width = view->width > width ? view->width : width;
        height = view->height > height ? view->height : height;
    }
    if (status == VRS_OK)
        status = vrs_post_check("vrs_render", count, width, height);
    if (status != VRS_OK)
        return status;
    for (int32_t v = 0; v < count; v++)
        set_divisions(&params->view[v]);
    vrs_kernel *kernel = choose_kernel(kernels, params, count);
    /* Strips begin with work of their own, which counts where each row has little; but what they
     * read ahead lies in shared memory, and low ones leave room for more of them. */
    const int32_t most = kernel == kernels->render_mask ? MOST_ROWS : USUAL_ROWS;
    if (params->rows <= 0 || params->rows > MOST_ROWS)
        params->rows = choose_rows(stream, width, height, count, most);
    params->rows += params->rows % 2;
    const int32_t rows = params->rows;
    int64_t shared = kernel == kernels->render ? 0 : share_memory(params, count);
    while (shared > MOST_BYTES && params->rows > 2) {
        params->rows -= 2;
        shared = share_memory(params, count);
    }
    if (shared > MOST_BYTES) {
        params->rows = rows;
        kernel = kernels->render;
        shared = 0;
    }
    const int32_t columns = kernel == kernels->render ? 32 * ANY_COLUMNS : WIDTH;
    const uint32_t grid[3] = {vrs_post_parts(width, columns),
                              vrs_post_parts(height, WARPS * params->rows), (uint32_t)count};
    const uint32_t block[3] = {32, WARPS, 1};
    return vrs_device_launch(stream, kernel, grid, block, (uint32_t)shared, params,
                             sizeof(*params));
}
