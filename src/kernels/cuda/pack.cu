/* Frames as players want them: alpha in the corners, and pictures of a sphere as a fisheye's. All
 * in integers, from the headers that the reference uses.
 *
 * vrs_pack_alpha: a thread makes a quad of pixels with its chroma, so that nothing is written by
 * two. It reads about 0.4 bytes and writes 0.2 a pixel of the frame: 8192x4096, grey: 20 MB, 5 us
 * at 4.3 TB/s; neighbours' pixels of the mask come from the L1.
 *
 * vrs_unroll_planes: a thread makes a sample: four of the source and four nodes of the grid, which
 * a warp shares. 8192x4096 NV12 with its mask: 117 MB in and out, 27 us at 4.3 TB/s. */
#include "params_pack.h"
#include "postprocess.cuh"

__device__ __forceinline__ int alpha_at(const vrs_pack_view &v, int x, int y)
{
    int across, down, sum = 0;
    const int eye = vrs_pack_column(v.width, x, &across);
    if (eye < 0 || !vrs_pack_row(v.height, y, &down) ||
        !vrs_pack_in_circle(v.width, v.height, across, down))
        return -1;
    const int half = v.width / 2, column = vrs_pack_floor_half(across);
    const int row = vrs_pack_floor_half(down);
#pragma unroll
    for (int j = 0; j < 3; j++) {
        const int16_t *from = vrs_at<const int16_t>(
            v.mask + vrs_pack_held(row + j, v.height - 1) * v.mask_stride + 2 * eye * half);
        int of_row = 0;
#pragma unroll
        for (int i = 0; i < 3; i++)
            of_row +=
                vrs_pack_weight(across, i) * __ldg(from + vrs_pack_held(column + i, half - 1));
        sum += vrs_pack_weight(down, j) * of_row;
    }
    return (sum + VRS_PACK_WEIGHT / 2) / VRS_PACK_WEIGHT;
}

__device__ __forceinline__ void put(const vrs_pack_view &v, int plane, int x, int y, int code)
{
    const uint64_t row = v.dst[plane] + y * v.dst_stride[plane];
    if (v.sample_bytes == 2)
        vrs_at<uint16_t>(row)[x] = (uint16_t)code;
    else
        vrs_at<uint8_t>(row)[x] = (uint8_t)code;
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_pack_alpha(const __grid_constant__ vrs_pack_params p)
{
    const vrs_pack_view &v = p.view[blockIdx.z];
    const int rows = v.height / 2, part = min(vrs_pack_quad_rows(v.height), rows);
    const int qx = blockIdx.x * 32 + threadIdx.x;
    const int i = blockIdx.y * 8 + threadIdx.y, lower = max(rows - part, part);
    const int qy = i < part ? i : i - part + lower; /* the top rows, then the bottom ones */
    if (qx >= v.width / 2 || qy >= rows)
        return;
    int alpha[4], sum = 2, packed = 0;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        alpha[k] = alpha_at(v, 2 * qx + k % 2, 2 * qy + k / 2);
        sum += max(alpha[k], 0);
        packed += alpha[k] >= 0;
    }
    if (packed == 0)
        return;
    const int cr = vrs_pack_chroma(&v.codes, sum >> 2, v.codes.cr);
    put(v, 1, qx, qy, vrs_pack_chroma(&v.codes, sum >> 2, v.codes.cb));
    put(v, 2, qx, qy, cr);
#pragma unroll
    for (int k = 0; k < 4; k++)
        if (alpha[k] >= 0)
            put(v, 0, 2 * qx + k % 2, 2 * qy + k / 2, vrs_pack_luma(&v.codes, alpha[k], cr));
}

__device__ __forceinline__ int sample(const vrs_unroll_view &v, int x, int y)
{
    const uint64_t row = v.src + y * v.src_stride;
    const int at = x * v.src_step;
    const int word = v.sample_bytes == 1 ? __ldg(vrs_at<const uint8_t>(row) + at)
                                         : __ldg(vrs_at<const uint16_t>(row) + at);
    return word >> v.src_shift;
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_unroll_planes(const __grid_constant__ vrs_unroll_params p)
{
    const vrs_unroll_view &v = p.view[blockIdx.z];
    const int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    if (x >= v.size.width || y >= v.size.height)
        return;
    int value = v.outside;
    if (v.grid == 0) {
        value = sample(v, x, y);
    } else if (vrs_unroll_inside(&v.size, x, y)) {
        int position[2], columns[2], rows[2];
        vrs_unroll_position(&v.size, vrs_at<const int32_t>(v.grid), x, y, position);
        const int across = vrs_unroll_neighbours(position[0], v.size.width, columns);
        const int down = vrs_unroll_neighbours(position[1], v.size.height, rows);
        const int s[4] = {sample(v, columns[0], rows[0]), sample(v, columns[1], rows[0]),
                          sample(v, columns[0], rows[1]), sample(v, columns[1], rows[1])};
        value = vrs_unroll_mix(s, across, down);
    }
    const uint64_t row = v.dst + y * v.dst_stride;
    if (v.sample_bytes == 2)
        vrs_at<uint16_t>(row)[x] = (uint16_t)value;
    else
        vrs_at<uint8_t>(row)[x] = (uint8_t)value;
}
