/* Checks and grids of the CUDA postprocess kernels. */
#include "kernels/cuda/postprocess_launch.h"

#include <stdbool.h>
#include <string.h>

#include "image/format.h"
#include "kernels/kernels.h"

#define COLUMNS 4 /* of a thread, in all kernels */
#define PERSON_THREADS 128
#define STAGE_BYTES 49152 /* shared memory that every device gives a block */
#define GUIDED_WARPS 4
#define GUIDED_COLUMNS 60
#define GUIDED_ROWS 8
#define RENDER_COLUMNS 8
#define RENDER_WARPS 4
#define RENDER_ROWS 8 /* also the most */
#define BOX_THREADS 256
#define BOX_ROWS 8
#define CLASSES_WARPS 4
#define CLASSES_ROWS 8

static uint32_t parts(int32_t count, int32_t size)
{
    return (uint32_t)((count + size - 1) / size);
}

vrs_status vrs_cuda_postprocess_open(vrs_device *device, vrs_cuda_postprocess *kernels)
{
    const struct {
        const char *name;
        vrs_kernel **kernel;
    } wanted[] = {
        {"vrs_person", &kernels->person},
        {"vrs_mask_resize", &kernels->mask_resize},
        {"vrs_guided", &kernels->guided},
        {"vrs_guided_solve", &kernels->guided_solve},
        {"vrs_guided_mean", &kernels->guided_mean},
        {"vrs_render", &kernels->render},
        {"vrs_box", &kernels->box},
        {"vrs_classes", &kernels->classes},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        vrs_status status = vrs_device_kernel(device, wanted[i].name, wanted[i].kernel);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

static bool is_side(int32_t side)
{
    return side >= 1 && side <= VRS_MAX_SIDE;
}

static vrs_status check_batch(const char *kernel, int32_t count, int32_t width, int32_t height)
{
    if (count < 1 || count > VRS_POST_VIEWS)
        return vrs_fail(VRS_INVALID, "%s: %d views in a batch: 1 to %d are possible", kernel, count,
                        VRS_POST_VIEWS);
    if (!is_side(width) || !is_side(height))
        return vrs_fail(VRS_INVALID, "%s: a mask of %dx%d: sides are 1 to %d", kernel, width,
                        height, VRS_MAX_SIDE);
    return VRS_OK;
}

/* Lists the first views of chains; returns how many there are, 0 where `next` makes no chains: a
 * view follows one before it, and no two follow the same. */
static uint32_t find_chains(const vrs_post_smooth *const *smooth, int32_t count, int32_t *chain)
{
    uint32_t followers = 0, chains = 0;
    for (int32_t v = 0; v < count; v++) {
        const int32_t next = smooth[v]->next;
        if (next == -1)
            continue;
        if (next <= v || next >= count || (followers >> next & 1) != 0)
            return 0;
        followers |= 1U << next;
    }
    for (int32_t v = 0; v < count; v++)
        if ((followers >> v & 1) == 0)
            chain[chains++] = v;
    return chains;
}

/* Four columns of a class at a time can be loaded at once from every row of every view. */
static bool is_vector(const vrs_person_params *p, int32_t count)
{
    const uint64_t bytes = p->half != 0 ? 2 : 4;
    uint64_t addresses = 0;
    for (int32_t v = 0; v < count; v++)
        addresses |= p->view[v].scores;
    return p->column_stride == 1 && p->width % COLUMNS == 0 && p->row_stride % COLUMNS == 0 &&
           (p->classes == 1 || p->class_stride % COLUMNS == 0) &&
           addresses % (COLUMNS * bytes) == 0;
}

vrs_status vrs_cuda_person(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                           vrs_person_params *params, int32_t count)
{
    vrs_status status = check_batch("vrs_person", count, params->width, params->height);
    if (status != VRS_OK)
        return status;
    if (params->classes < 1 || params->classes > VRS_POST_CLASSES)
        return vrs_fail(VRS_INVALID, "vrs_person: %d classes: 1 to %d are possible",
                        params->classes, VRS_POST_CLASSES);
    const vrs_post_smooth *smooth[VRS_POST_VIEWS];
    for (int32_t v = 0; v < count; v++)
        smooth[v] = &params->view[v].smooth;
    const uint32_t chains = find_chains(smooth, count, params->chain);
    if (chains == 0)
        return vrs_fail(VRS_INVALID, "vrs_person: the views of a stream do not form chains");
    params->vector = is_vector(params, count) ? 1 : 0;
    params->staged = params->classes > 1 && params->class_stride == 1 &&
                     params->column_stride == params->classes;
    uint32_t threads = PERSON_THREADS, shared = 0;
    const uint32_t pixel = (uint32_t)params->classes * (params->half != 0 ? 2 : 4);
    while (params->staged != 0 && threads * COLUMNS * pixel > STAGE_BYTES)
        threads /= 2;
    if (params->staged != 0)
        shared = threads * COLUMNS * pixel;
    const uint32_t grid[3] = {parts(params->width, (int32_t)threads * COLUMNS),
                              (uint32_t)params->height, chains};
    const uint32_t block[3] = {threads, 1, 1};
    return vrs_device_launch(stream, kernels->person, grid, block, shared, params, sizeof(*params));
}

vrs_status vrs_cuda_mask_resize(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                                vrs_mask_resize_params *params, int32_t count)
{
    vrs_status status = check_batch("vrs_mask_resize", count, params->width, params->height);
    if (status == VRS_OK)
        status = check_batch("vrs_mask_resize", count, params->source_width, params->source_height);
    if (status != VRS_OK)
        return status;
    const vrs_post_smooth *smooth[VRS_POST_VIEWS];
    for (int32_t v = 0; v < count; v++)
        smooth[v] = &params->view[v].smooth;
    const uint32_t chains = find_chains(smooth, count, params->chain);
    if (chains == 0)
        return vrs_fail(VRS_INVALID, "vrs_mask_resize: the views of a stream do not form chains");
    const uint32_t grid[3] = {parts(params->width, PERSON_THREADS * COLUMNS),
                              (uint32_t)params->height, chains};
    const uint32_t block[3] = {PERSON_THREADS, 1, 1};
    return vrs_device_launch(stream, kernels->mask_resize, grid, block, 0, params, sizeof(*params));
}

/* Threads of a block that marches down `width` columns with `radius` more on both sides: one block
 * where that is enough, else blocks of even width. Returns the blocks. */
static uint32_t box_blocks(int32_t width, int32_t radius, uint32_t *threads)
{
    const int32_t most = (BOX_THREADS * COLUMNS - 2 * radius) / COLUMNS * COLUMNS;
    const uint32_t blocks = parts(width, most);
    const int32_t each = (int32_t)parts(width, (int32_t)blocks) + COLUMNS - 1;
    *threads = (parts(each + 2 * radius, COLUMNS) + 31) / 32 * 32;
    const int32_t outs = ((int32_t)*threads * COLUMNS - 2 * radius) / COLUMNS * COLUMNS;
    return parts(width, outs);
}

static vrs_status launch_wide(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                              const vrs_guided_params *params, int32_t count)
{
    uint32_t threads;
    for (int32_t v = 0; v < count; v++)
        if (params->view[v].once == 0)
            return vrs_fail(VRS_INVALID, "vrs_guided: radius %d needs scratch memory",
                            params->radius);
    const uint32_t blocks = box_blocks(params->width, params->radius, &threads);
    const uint32_t grid[3] = {blocks, parts(params->height, params->rows), (uint32_t)count};
    const uint32_t block[3] = {threads, 1, 1};
    vrs_status status =
        vrs_device_launch(stream, kernels->guided_solve, grid, block, 0, params, sizeof(*params));
    if (status != VRS_OK)
        return status;
    return vrs_device_launch(stream, kernels->guided_mean, grid, block, 0, params, sizeof(*params));
}

vrs_status vrs_cuda_guided(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                           vrs_guided_params *params, int32_t count)
{
    vrs_status status = check_batch("vrs_guided", count, params->width, params->height);
    if (status != VRS_OK)
        return status;
    if (params->radius < 0 || params->radius > VRS_BOX_MAX_RADIUS || !(params->epsilon >= 1e-6f))
        return vrs_fail(VRS_INVALID,
                        "vrs_guided: radius %d, epsilon %g: 0 to %d and at least 1e-6 are possible",
                        params->radius, (double)params->epsilon, VRS_BOX_MAX_RADIUS);
    if (params->rows <= 0)
        params->rows = params->radius == 1 ? GUIDED_ROWS : BOX_ROWS;
    if (params->radius != 1)
        return launch_wide(kernels, stream, params, count);
    const uint32_t grid[3] = {parts(params->width, GUIDED_WARPS * GUIDED_COLUMNS),
                              parts(params->height, params->rows), (uint32_t)count};
    const uint32_t block[3] = {32, GUIDED_WARPS, 1};
    return vrs_device_launch(stream, kernels->guided, grid, block, 0, params, sizeof(*params));
}

/* x / by = (x * factor) >> (32 + shift) for all x up to 2^31 and by >= 2: with 2^shift <= by <
 * 2^(shift + 1), factor = ceil(2^(32 + shift) / by) is too large by less than one, which times x is
 * less than 2^(32 + shift) (Granlund and Montgomery, Division by Invariant Integers, 1994). A power
 * of 2 would need 33 bits of a factor and gets half of it. */
static void divide_by(uint32_t by, uint32_t *factor, int32_t *shift)
{
    int32_t bits = 0;
    while (by >> (bits + 1) != 0)
        bits++;
    if (by == UINT32_C(1) << bits)
        bits--;
    *shift = bits;
    *factor = (uint32_t)(((UINT64_C(1) << (32 + bits)) + by - 1) / by);
}

static void set_divisions(vrs_render_view *view)
{
    int32_t shift;
    divide_by(2 * (uint32_t)view->width, &view->column_factor, &shift);
    view->column_shift = (int16_t)shift;
    divide_by(2 * (uint32_t)view->height, &view->row_factor, &shift);
    view->row_shift = (int16_t)shift;
}

vrs_status vrs_cuda_render(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                           vrs_render_params *params, int32_t count)
{
    int32_t width = 1, height = 1;
    vrs_status status = VRS_OK;
    for (int32_t v = 0; v < count && v < VRS_POST_VIEWS && status == VRS_OK; v++) {
        const vrs_render_view *view = &params->view[v];
        status = check_batch("vrs_render", count, view->width, view->height);
        if (status == VRS_OK && view->mask_kind <= VRS_POST_MASK_REFINE)
            status = check_batch("vrs_render", count, view->mask_width, view->mask_height);
        width = view->width > width ? view->width : width;
        height = view->height > height ? view->height : height;
    }
    if (status == VRS_OK)
        status = check_batch("vrs_render", count, width, height);
    if (status != VRS_OK)
        return status;
    for (int32_t v = 0; v < count; v++)
        set_divisions(&params->view[v]);
    if (params->rows <= 0 || params->rows > RENDER_ROWS)
        params->rows = RENDER_ROWS;
    params->rows += params->rows % 2;
    const uint32_t grid[3] = {parts(width, 32 * RENDER_COLUMNS),
                              parts(height, RENDER_WARPS * params->rows), (uint32_t)count};
    const uint32_t block[3] = {32, RENDER_WARPS, 1};
    return vrs_device_launch(stream, kernels->render, grid, block, 0, params, sizeof(*params));
}

vrs_status vrs_cuda_feather(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                            vrs_box_params *params, int32_t count)
{
    int32_t width = 1, height = 1;
    vrs_status status = check_batch("vrs_box", count, width, height);
    for (int32_t v = 0; v < count && status == VRS_OK; v++) {
        status = check_batch("vrs_box", count, params->view[v].width, params->view[v].height);
        width = params->view[v].width > width ? params->view[v].width : width;
        height = params->view[v].height > height ? params->view[v].height : height;
    }
    if (status != VRS_OK)
        return status;
    if (params->radius < 1 || params->radius > VRS_BOX_MAX_RADIUS)
        return vrs_fail(VRS_INVALID, "vrs_box: radius %d: 1 to %d are possible", params->radius,
                        VRS_BOX_MAX_RADIUS);
    if (params->rows <= 0)
        params->rows = BOX_ROWS;
    const uint32_t side = 2 * (uint32_t)params->radius + 1;
    divide_by(side * side, &params->factor, &params->shift);
    uint32_t threads;
    const uint32_t blocks = box_blocks(width, params->radius, &threads);
    const uint32_t grid[3] = {blocks, parts(height, params->rows), (uint32_t)count};
    const uint32_t block[3] = {threads, 1, 1};
    status = vrs_device_launch(stream, kernels->box, grid, block, 0, params, sizeof(*params));
    if (status != VRS_OK)
        return status;
    vrs_box_params back = *params;
    for (int32_t v = 0; v < count; v++) {
        back.view[v].src = params->view[v].dst;
        back.view[v].src_stride = params->view[v].dst_stride;
        back.view[v].dst = params->view[v].src;
        back.view[v].dst_stride = params->view[v].src_stride;
    }
    return vrs_device_launch(stream, kernels->box, grid, block, 0, &back, sizeof(back));
}

vrs_status vrs_cuda_classes(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                            vrs_classes_params *params, int32_t count)
{
    int32_t width = 1, height = 1;
    vrs_status status = check_batch("vrs_classes", count, width, height);
    for (int32_t v = 0; v < count && status == VRS_OK; v++) {
        const vrs_classes_view *view = &params->view[v];
        status = check_batch("vrs_classes", count, view->width, view->height);
        if (status == VRS_OK)
            status = check_batch("vrs_classes", count, view->region_width, view->region_height);
        width = view->width > width ? view->width : width;
        height = view->height > height ? view->height : height;
    }
    if (status != VRS_OK)
        return status;
    if (params->classes < 1 || params->classes > VRS_POST_CLASSES)
        return vrs_fail(VRS_INVALID, "vrs_classes: %d classes: 1 to %d are possible",
                        params->classes, VRS_POST_CLASSES);
    const uint32_t grid[3] = {parts(width, 32), parts(height, CLASSES_WARPS * CLASSES_ROWS),
                              (uint32_t)count};
    const uint32_t block[3] = {32, CLASSES_WARPS, 1};
    return vrs_device_launch(stream, kernels->classes, grid, block, 0, params, sizeof(*params));
}
