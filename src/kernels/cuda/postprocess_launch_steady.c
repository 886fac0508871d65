/* Checks and grids of the CUDA kernels of steady masks. */
#include "kernels/cuda/postprocess_launch_steady.h"

#include "kernels/cuda/postprocess_grid.h"
#include "kernels/steady.h"

#define THREADS 256 /* of a block of pixels */
#define WARPS 4     /* of a block of cells, a cell each */

/* Columns and rows of a block: a pixel a thread, and four. */
static const int32_t singles[2] = {32, 8}, fours[2] = {64, 16};

vrs_status vrs_cuda_steady_open(vrs_device *device, vrs_cuda_steady *kernels)
{
    vrs_status status = vrs_device_kernel(device, "vrs_steady_halve", &kernels->halve);
    if (status == VRS_OK)
        status = vrs_device_kernel(device, "vrs_steady_coarse", &kernels->coarse);
    if (status == VRS_OK)
        status = vrs_device_kernel(device, "vrs_steady_fine", &kernels->fine);
    if (status == VRS_OK)
        status = vrs_device_kernel(device, "vrs_steady_follow", &kernels->follow);
    if (status == VRS_OK)
        status = vrs_device_kernel(device, "vrs_steady_follow_four", &kernels->follow_four);
    return status;
}

/* A block for each part of `part` columns and rows. */
static vrs_status launch_pixels(vrs_kernel *kernel, vrs_device_stream *stream,
                                const vrs_steady_params *params, int32_t count,
                                const int32_t size[2], const int32_t part[2])
{
    const uint32_t grid[3] = {vrs_post_parts(size[0], part[0]), vrs_post_parts(size[1], part[1]),
                              (uint32_t)count};
    const uint32_t block[3] = {THREADS, 1, 1};
    return vrs_device_launch(stream, kernel, grid, block, 0, params, sizeof(*params));
}

static vrs_status launch_cells(vrs_kernel *kernel, vrs_device_stream *stream,
                               const vrs_steady_params *params, int32_t count, int32_t cells)
{
    const uint32_t grid[3] = {vrs_post_parts(cells, WARPS), 1, (uint32_t)count};
    const uint32_t block[3] = {32 * WARPS, 1, 1};
    return vrs_device_launch(stream, kernel, grid, block, 0, params, sizeof(*params));
}

vrs_status vrs_cuda_steady_halve(const vrs_cuda_steady *kernels, vrs_device_stream *stream,
                                 const vrs_steady_params *params, int32_t count)
{
    vrs_status status = vrs_post_check("vrs_steady_halve", count, params->width, params->height);
    const int32_t size[2] = {(params->width + 3) / 4, (params->height + 3) / 4};
    return status == VRS_OK ? launch_pixels(kernels->halve, stream, params, count, size, singles)
                            : status;
}

vrs_status vrs_cuda_steady_match(const vrs_cuda_steady *kernels, vrs_device_stream *stream,
                                 const vrs_steady_params *params, int32_t count)
{
    const int32_t width = params->width, height = params->height;
    vrs_status status = vrs_post_check("vrs_steady_match", count, width, height);
    if (status == VRS_OK)
        status = launch_cells(kernels->coarse, stream, params, count,
                              vrs_coarse_cells(width) * vrs_coarse_cells(height));
    if (status == VRS_OK)
        status = launch_cells(kernels->fine, stream, params, count,
                              vrs_cells(width) * vrs_cells(height));
    return status;
}

/* Whether four pixels at a time can be had in one access everywhere. */
static bool lies_in_fours(const vrs_steady_params *p, int32_t count)
{
    uint64_t masks = 0, bytes = (uint64_t)p->width;
    for (int32_t i = 0; i < count; i++) {
        const vrs_steady_view *v = &p->view[i];
        masks |= v->mask | v->past | v->result;
        bytes |= v->picture | v->past_picture | v->past_age | v->age;
    }
    return masks % 8 == 0 && bytes % 4 == 0;
}

vrs_status vrs_cuda_steady_follow(const vrs_cuda_steady *kernels, vrs_device_stream *stream,
                                  vrs_steady_params *params, int32_t count)
{
    static const char name[] = "vrs_steady_follow";
    vrs_status status = vrs_post_check(name, count, params->width, params->height);
    for (int a = 0; a <= VRS_AGE_MOST && status == VRS_OK; a++)
        if (params->share[a] < 1 || params->share[a] > VRS_SHARE_ONE)
            status = vrs_fail(VRS_INVALID, "%s: a share of %d: 1 to %d are possible", name,
                              params->share[a], VRS_SHARE_ONE);
    if (status != VRS_OK)
        return status;
    params->cut = vrs_match_cut(params->width, params->height);
    const int32_t size[2] = {params->width, params->height};
    return lies_in_fours(params, count)
               ? launch_pixels(kernels->follow_four, stream, params, count, size, fours)
               : launch_pixels(kernels->follow, stream, params, count, size, singles);
}
