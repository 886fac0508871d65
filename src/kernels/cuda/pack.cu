/* Frames as players want them: alpha in the corners, and pictures of a sphere as a fisheye's. All
 * in integers, from the headers that the reference uses.
 *
 * vrs_pack_alpha: a thread makes a quad of pixels with its chroma, so that nothing is written by
 * two. It reads about 0.4 bytes and writes 0.2 a pixel of the frame: 8192x4096, grey: 20 MB, 5 us
 * at 4.3 TB/s; neighbours' pixels of the mask come from the L1.
 *
 * vrs_unroll_planes: a thread makes four samples of a row, which lie in one cell of the grid: its
 * four nodes are read once and put together for the row once, so that what a sample reads is its
 * own four of the source, and all arithmetic is in 32 bits; four samples are one store. 8192x4096
 * NV12 with its mask: 117 MB in and out, 27 us at 4.3 TB/s. */
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

/* The value at a position. */
__device__ __forceinline__ int sample_at(const vrs_unroll_view &v, const int position[2])
{
    int columns[2], rows[2];
    const int across = vrs_unroll_neighbours(position[0], v.size.width, columns);
    const int down = vrs_unroll_neighbours(position[1], v.size.height, rows);
    const int s[4] = {sample(v, columns[0], rows[0]), sample(v, columns[1], rows[0]),
                      sample(v, columns[0], rows[1]), sample(v, columns[1], rows[1])};
    return vrs_unroll_mix(s, across, down);
}

/* A row of a cell: where its left and its right edge come from, times its side. */
struct cell_row {
    int left[2], right[2];
};

__device__ __forceinline__ cell_row cell_row_at(const vrs_unroll_view &v, int x, int y)
{
    const int cell = v.size.cell, step = 1 << cell, b = y & (step - 1);
    const int2 *node =
        vrs_at<const int2>(v.grid) + (size_t)(y >> cell) * v.size.columns + (x >> cell);
    const int2 n0 = __ldg(node), n1 = __ldg(node + 1);
    const int2 m0 = __ldg(node + v.size.columns), m1 = __ldg(node + v.size.columns + 1);
    cell_row row;
    row.left[0] = n0.x * (step - b) + m0.x * b;
    row.left[1] = n0.y * (step - b) + m0.y * b;
    row.right[0] = n1.x * (step - b) + m1.x * b;
    row.right[1] = n1.y * (step - b) + m1.y * b;
    return row;
}

/* As vrs_unroll_position(). */
__device__ __forceinline__ int unrolled(const vrs_unroll_view &v, const cell_row &row, int x, int y)
{
    const int cell = v.size.cell, step = 1 << cell, a = x & (step - 1);
    int position[2];
    if (!vrs_unroll_inside(&v.size, x, y))
        return v.outside;
#pragma unroll
    for (int i = 0; i < 2; i++)
        position[i] =
            (row.left[i] * (step - a) + row.right[i] * a + ((1 << 2 * cell) >> 1)) >> (2 * cell);
    return sample_at(v, position);
}

/* A sample that has nodes of its own: of small pictures. */
__device__ __forceinline__ int unrolled_alone(const vrs_unroll_view &v, int x, int y)
{
    int position[2];
    if (!vrs_unroll_inside(&v.size, x, y))
        return v.outside;
    vrs_unroll_position(&v.size, vrs_at<const int32_t>(v.grid), x, y, position);
    return sample_at(v, position);
}

__device__ __forceinline__ void put_four(const vrs_unroll_view &v, int x, int y, const int value[4])
{
    const uint64_t place = v.dst + y * v.dst_stride + (uint64_t)x * v.sample_bytes;
    const int count = min(4, v.size.width - x);
    if (count == 4 && v.sample_bytes == 1 && place % 4 == 0) {
        *vrs_at<uint32_t>(place) = (uint32_t)value[0] | (uint32_t)value[1] << 8 |
                                   (uint32_t)value[2] << 16 | (uint32_t)value[3] << 24;
        return;
    }
    if (count == 4 && v.sample_bytes == 2 && place % 8 == 0) {
        *vrs_at<uint2>(place) = make_uint2((uint32_t)value[0] | (uint32_t)value[1] << 16,
                                           (uint32_t)value[2] | (uint32_t)value[3] << 16);
        return;
    }
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if (k >= count)
            return;
        if (v.sample_bytes == 2)
            vrs_at<uint16_t>(place)[k] = (uint16_t)value[k];
        else
            vrs_at<uint8_t>(place)[k] = (uint8_t)value[k];
    }
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_unroll_planes(const __grid_constant__ vrs_unroll_params p)
{
    const vrs_unroll_view &v = p.view[blockIdx.z];
    const int x = VRS_UNROLL_SAMPLES * (blockIdx.x * 32 + threadIdx.x);
    const int y = blockIdx.y * 8 + threadIdx.y;
    if (x >= v.size.width || y >= v.size.height)
        return;
    int value[VRS_UNROLL_SAMPLES];
    const bool cells = v.grid != 0 && v.size.cell >= 2;
    cell_row row = {};
    if (cells)
        row = cell_row_at(v, x, y);
#pragma unroll
    for (int k = 0; k < VRS_UNROLL_SAMPLES; k++) {
        const int at = min(x + k, v.size.width - 1);
        value[k] = cells         ? unrolled(v, row, at, y)
                   : v.grid != 0 ? unrolled_alone(v, at, y)
                                 : sample(v, at, y);
    }
    put_four(v, x, y, value);
}
