#include "kernels/cuda/pack_launch.h"

#include "kernels/cuda/postprocess_grid.h"

#define WIDTH 32
#define HEIGHT 8

vrs_status vrs_cuda_packing_open(vrs_device *device, vrs_cuda_packing *kernels)
{
    vrs_status status = vrs_device_kernel(device, "vrs_pack_alpha", &kernels->pack);
    return status == VRS_OK ? vrs_device_kernel(device, "vrs_unroll_planes", &kernels->unroll)
                            : status;
}

vrs_status vrs_cuda_pack(const vrs_cuda_packing *kernels, vrs_device_stream *stream,
                         const vrs_pack_params *params, int32_t count)
{
    int32_t columns = 1, rows = 1;
    vrs_status status = vrs_post_check("vrs_pack_alpha", count, 1, 1);
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        const vrs_pack_view *v = &params->view[i];
        status = vrs_post_check("vrs_pack_alpha", count, v->width, v->height);
        if (status == VRS_OK && (v->width % 2 != 0 || v->height % 2 != 0))
            status = vrs_fail(VRS_INVALID, "vrs_pack_alpha: a frame of %dx%d: sides are even",
                              v->width, v->height);
        const int32_t both = 2 * vrs_pack_quad_rows(v->height);
        columns = v->width / 2 > columns ? v->width / 2 : columns;
        rows = both > rows ? both : rows;
    }
    if (status != VRS_OK)
        return status;
    const uint32_t grid[3] = {vrs_post_parts(columns, WIDTH), vrs_post_parts(rows, HEIGHT),
                              (uint32_t)count};
    const uint32_t block[3] = {WIDTH, HEIGHT, 1};
    return vrs_device_launch(stream, kernels->pack, grid, block, 0, params, sizeof(*params));
}

vrs_status vrs_cuda_unroll(const vrs_cuda_packing *kernels, vrs_device_stream *stream,
                           const vrs_unroll_params *params, int32_t count)
{
    int32_t width = 1, height = 1;
    vrs_status status = vrs_post_check("vrs_unroll_planes", count, 1, 1);
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        const vrs_unroll_size *size = &params->view[i].size;
        status = vrs_post_check("vrs_unroll_planes", count, size->width, size->height);
        if (status == VRS_OK && params->view[i].grid % 8 != 0)
            status = vrs_fail(VRS_INVALID,
                              "vrs_unroll_planes: view %d: the grid lies at no multiple of 8", i);
        if (status == VRS_OK && (params->view[i].src_stride < 1 ||
                                 params->view[i].src_stride > (int64_t)UINT32_MAX / size->height))
            status = vrs_fail(VRS_INVALID,
                              "vrs_unroll_planes: view %d: %d rows %lld bytes apart: they lie "
                              "below each other within 4 GiB",
                              i, size->height, (long long)params->view[i].src_stride);
        if (status == VRS_OK && params->view[i].src_step != 1 && params->view[i].src_step != 2)
            status = vrs_fail(VRS_INVALID,
                              "vrs_unroll_planes: view %d: samples %d apart: 1 or 2 are possible",
                              i, params->view[i].src_step);
        width = size->width > width ? size->width : width;
        height = size->height > height ? size->height : height;
    }
    if (status != VRS_OK)
        return status;
    const uint32_t grid[3] = {vrs_post_parts(width, WIDTH),
                              vrs_post_parts(height, HEIGHT * VRS_UNROLL_SAMPLES), (uint32_t)count};
    const uint32_t block[3] = {WIDTH, HEIGHT, 1};
    return vrs_device_launch(stream, kernels->unroll, grid, block, 0, params, sizeof(*params));
}
