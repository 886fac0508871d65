/* Frames as players want them: alpha in the corners, and pictures of a sphere as a fisheye's. All
 * in integers, from the headers that the reference uses.
 *
 * vrs_pack_alpha: a thread makes a quad of pixels with its chroma, so that nothing is written by
 * two. It reads about 0.4 bytes and writes 0.2 a pixel of the frame: 8192x4096, grey: 20 MB, 5 us
 * at 4.3 TB/s; neighbours' pixels of the mask come from the L1.
 *
 * vrs_unroll_planes: a thread makes four samples of a column, which lie in one cell of the grid:
 * its four nodes are read once and put together for the column once, so that the way from a sample
 * to the next is an addition; what a sample reads is its own four of the source, beside those of
 * the warp's others. 8192x4096 NV12 with its mask: 235 MB in and out, 55 us at 4.3 TB/s. */
#include "params_pack.h"
#include "postprocess.cuh"

/* Of the pixel whose 5 x 5 half-pixels of an eye's mask begin there; -1: outside of the circle. */
__device__ __forceinline__ int alpha_at(const vrs_pack_view &v, int eye, int across, int down)
{
    if (!vrs_pack_in_circle(v.width, v.height, across, down))
        return -1;
    const int half = v.width / 2, column = vrs_pack_floor_half(across);
    const int row = vrs_pack_floor_half(down);
    const uint64_t mask = v.mask + 2 * eye * half;
    int columns[3], sum = 0;
#pragma unroll
    for (int i = 0; i < 3; i++)
        columns[i] = vrs_pack_held(column + i, half - 1);
#pragma unroll
    for (int j = 0; j < 3; j++) {
        const int16_t *from =
            vrs_at<const int16_t>(mask + vrs_pack_held(row + j, v.height - 1) * v.mask_stride);
        int of_row = 0;
#pragma unroll
        for (int i = 0; i < 3; i++)
            of_row += vrs_pack_weight(across, i) * __ldg(from + columns[i]);
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
    int eye[2], across[2], down[2], rows_there[2], alpha[4], sum = 2, packed = 0;
#pragma unroll
    for (int k = 0; k < 2; k++) {
        eye[k] = vrs_pack_column(v.width, 2 * qx + k, &across[k]);
        rows_there[k] = vrs_pack_row(v.height, 2 * qy + k, &down[k]);
    }
    if ((eye[0] < 0 && eye[1] < 0) || (rows_there[0] == 0 && rows_there[1] == 0))
        return;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        alpha[k] = eye[k % 2] < 0 || rows_there[k / 2] == 0
                       ? -1
                       : alpha_at(v, eye[k % 2], across[k % 2], down[k / 2]);
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

/* The sample of a picture at a position. */
template <class T>
__device__ __forceinline__ int sample_at(const vrs_unroll_view &v, const int position[2])
{
    int columns[2], rows[2];
    const int across = vrs_unroll_neighbours(position[0], v.size.width, columns);
    const int down = vrs_unroll_neighbours(position[1], v.size.height, rows);
    const uint32_t pitch = v.src_step * (uint32_t)sizeof(T), stride = (uint32_t)v.src_stride;
    const uint32_t right = columns[1] != columns[0] ? pitch : 0;
    const uint32_t place = rows[0] * stride + columns[0] * pitch;
    const uint32_t below = rows[1] != rows[0] ? place + stride : place;
    const uint8_t *from = vrs_at<const uint8_t>(v.src);
    const int s[4] = {__ldg(reinterpret_cast<const T *>(from + place)) >> v.src_shift,
                      __ldg(reinterpret_cast<const T *>(from + (place + right))) >> v.src_shift,
                      __ldg(reinterpret_cast<const T *>(from + below)) >> v.src_shift,
                      __ldg(reinterpret_cast<const T *>(from + (below + right))) >> v.src_shift};
    return vrs_unroll_mix(s, across, down);
}

/* Where the samples of a column of a cell come from: that of the first, and the way to the next;
 * both times the square of the cell's side. As vrs_unroll_position(), whose results are within 32
 * bits, so that sums may wrap. */
struct cell_column {
    uint32_t place[2], step[2];
};

__device__ __forceinline__ cell_column cell_column_at(const vrs_unroll_view &v, int x, int y)
{
    const int cell = v.size.cell, side = 1 << cell, a = x & (side - 1), b = y & (side - 1);
    const int2 *node =
        vrs_at<const int2>(v.grid) + (size_t)(y >> cell) * v.size.columns + (x >> cell);
    const int2 n0 = __ldg(node), n1 = __ldg(node + 1);
    const int2 m0 = __ldg(node + v.size.columns), m1 = __ldg(node + v.size.columns + 1);
    const uint32_t top[2] = {(uint32_t)(n0.x * (side - a) + n1.x * a),
                             (uint32_t)(n0.y * (side - a) + n1.y * a)};
    const uint32_t bottom[2] = {(uint32_t)(m0.x * (side - a) + m1.x * a),
                                (uint32_t)(m0.y * (side - a) + m1.y * a)};
    cell_column column;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        column.step[i] = bottom[i] - top[i];
        column.place[i] = top[i] * side + column.step[i] * b + ((1 << 2 * cell) >> 1);
    }
    return column;
}

/* Whether the samples of a column that lie in one cell are all there, in the circle, and made of
 * samples side by side: the first and the last one tell, as both ways between them are straight. */
template <int COUNT>
__device__ __forceinline__ bool all_within(const vrs_unroll_view &v, const cell_column &column,
                                           int x, int y)
{
    const int last = COUNT - 1, bits = 2 * v.size.cell;
    const int most[2] = {(v.size.width - 1) << VRS_UNROLL_BITS, (v.size.height - 1)
                                                                    << VRS_UNROLL_BITS};
    bool within = y + last < v.size.height && vrs_unroll_inside(&v.size, x, y) &&
                  vrs_unroll_inside(&v.size, x, y + last);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const int from = (int)column.place[i] >> bits;
        const int to = (int)(column.place[i] + last * column.step[i]) >> bits;
        within = within && from >= 0 && to >= 0 && from < most[i] && to < most[i];
    }
    return within;
}

/* Such samples: what is known of them leaves half of the instructions. */
template <int COUNT, class T, int STEP, bool SHIFTED>
__device__ __forceinline__ void unroll_within(const vrs_unroll_view &v, cell_column column,
                                              uint64_t to)
{
    constexpr int pitch = STEP * (int)sizeof(T);
    const int scale = 8 - 2 * v.size.cell, shift = v.src_shift;
    const uint32_t stride = (uint32_t)v.src_stride;
    const int64_t dst_stride = v.dst_stride;
    const uint64_t above = v.src, below = v.src + stride;
#pragma unroll
    for (int i = 0; i < 2; i++) { /* the fraction is the second byte, the sample the upper half */
        column.place[i] <<= scale;
        column.step[i] <<= scale;
    }
#pragma unroll
    for (int k = 0; k < COUNT; k++, to += dst_stride) {
        const uint32_t across = column.place[0], down = column.place[1];
        const uint32_t place = (down >> 16) * stride + (across >> 16) * pitch;
        const T *first = vrs_at<const T>(above + place), *second = vrs_at<const T>(below + place);
        int s[4] = {__ldg(first), __ldg(first + STEP), __ldg(second), __ldg(second + STEP)};
#pragma unroll
        for (int i = 0; i < 4; i++)
            s[i] = SHIFTED ? s[i] >> shift : s[i];
        *vrs_at<T>(to) = (T)vrs_unroll_mix(s, (int)__byte_perm(across, 0, 0x4441),
                                           (int)__byte_perm(down, 0, 0x4441));
        column.place[0] += column.step[0];
        column.place[1] += column.step[1];
    }
}

/* Samples below each other, which lie in one cell where pictures have any. */
template <int COUNT, class T, int STEP, bool SHIFTED>
__device__ __forceinline__ void unroll_part(const vrs_unroll_view &v, int x, int y)
{
    const bool cells = v.size.cell >= 2; /* else of small pictures: a sample has nodes of its own */
    const int bits = 2 * v.size.cell;
    cell_column column = {};
    uint64_t to = v.dst + y * v.dst_stride + x * sizeof(T);
    if (cells) {
        column = cell_column_at(v, x, y);
        if (all_within<COUNT>(v, column, x, y)) {
            unroll_within<COUNT, T, STEP, SHIFTED>(v, column, to);
            return;
        }
    }
#pragma unroll 1
    for (int k = 0; k < COUNT; k++, to += v.dst_stride) {
        if (y + k >= v.size.height)
            return;
        int value = v.outside;
        if (vrs_unroll_inside(&v.size, x, y + k)) {
            int position[2] = {(int)column.place[0] >> bits, (int)column.place[1] >> bits};
            if (!cells)
                vrs_unroll_position(&v.size, vrs_at<const int32_t>(v.grid), x, y + k, position);
            value = sample_at<T>(v, position);
        }
        *vrs_at<T>(to) = (T)value;
        column.place[0] += column.step[0];
        column.place[1] += column.step[1];
    }
}

/* The samples of a thread. */
template <class T, int STEP, bool SHIFTED>
__device__ __forceinline__ void unroll_column(const vrs_unroll_view &v, int x, int y)
{
    constexpr int half = VRS_UNROLL_SAMPLES / 2;
    if (v.size.cell == 3) {
        unroll_part<VRS_UNROLL_SAMPLES, T, STEP, SHIFTED>(v, x, y);
        return;
    }
    unroll_part<half, T, STEP, SHIFTED>(v, x, y);
    if (y + half < v.size.height)
        unroll_part<half, T, STEP, SHIFTED>(v, x, y + half);
}

template <class T, bool SHIFTED>
__device__ __forceinline__ void unroll_samples(const vrs_unroll_view &v, int x, int y)
{
    if (v.src_step == 1)
        unroll_column<T, 1, SHIFTED>(v, x, y);
    else
        unroll_column<T, 2, SHIFTED>(v, x, y);
}

template <class T>
__device__ __forceinline__ void copy_column(const vrs_unroll_view &v, int x, int y)
{
    uint64_t from = v.src + y * v.src_stride + (size_t)x * v.src_step * sizeof(T);
    uint64_t to = v.dst + y * v.dst_stride + x * sizeof(T);
#pragma unroll
    for (int k = 0; k < VRS_UNROLL_SAMPLES; k++, from += v.src_stride, to += v.dst_stride)
        if (y + k < v.size.height)
            *vrs_at<T>(to) = (T)(__ldg(vrs_at<const T>(from)) >> v.src_shift);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_unroll_planes(const __grid_constant__ vrs_unroll_params p)
{
    const vrs_unroll_view &v = p.view[blockIdx.z];
    const int x = blockIdx.x * 32 + threadIdx.x;
    const int y = VRS_UNROLL_SAMPLES * (blockIdx.y * 8 + threadIdx.y);
    if (x >= v.size.width || y >= v.size.height)
        return;
    if (v.grid == 0 && v.sample_bytes == 1)
        copy_column<uint8_t>(v, x, y);
    else if (v.grid == 0)
        copy_column<uint16_t>(v, x, y);
    else if (v.sample_bytes == 1)
        unroll_samples<uint8_t, false>(v, x, y);
    else if (v.src_shift == 0)
        unroll_samples<uint16_t, false>(v, x, y);
    else
        unroll_samples<uint16_t, true>(v, x, y);
}
