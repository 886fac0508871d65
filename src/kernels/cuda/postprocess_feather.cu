/* One of the two boxes of feathering, for a batch of views in one launch.
 *
 * Bytes: 2 in, 2 out a pixel; 1080p, 8 views: 66 MB, 15.5 us at 4.28 TB/s, each of the two boxes.
 * The row that leaves a window is read again, from a cache while rows * (2 radius + 1) fit one.
 * Expected at radius 4: about 25 instructions a pixel (a quarter of a scan's five shuffles, three
 * accesses to shared memory), 15 to 20 us. */
#include "postprocess_box.cuh"

#define COLUMNS VRS_BOX_COLUMNS

/* The block's columns of row y, both held inside the picture. */
__device__ __forceinline__ void load_row(const vrs_box_view &v, int x, int y, int *out)
{
    const int16_t *row =
        vrs_at<const int16_t>(v.src) + (int64_t)max(min(y, v.height - 1), 0) * v.src_stride;
    if (x >= 0 && x + COLUMNS <= v.width && (reinterpret_cast<uint64_t>(row + x) & 7) == 0) {
        const short4 s = __ldg(reinterpret_cast<const short4 *>(row + x));
        out[0] = s.x;
        out[1] = s.y;
        out[2] = s.z;
        out[3] = s.w;
        return;
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        out[i] = __ldg(row + max(min(x + i, v.width - 1), 0));
}

__device__ __forceinline__ void store_row(const vrs_box_params &p, const vrs_box_view &v,
                                          const vrs_box_totals<unsigned> &box, int first, int outs,
                                          int y)
{
    const unsigned half = (unsigned)((2 * p.radius + 1) * (2 * p.radius + 1)) / 2;
    int16_t *row = vrs_at<int16_t>(v.dst) + (int64_t)y * v.dst_stride;
    const int begin = threadIdx.x * COLUMNS;
    int result[COLUMNS];
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        const int column = min(begin + i, outs - 1) + p.radius;
        const unsigned sum = vrs_box_window(box, column, p.radius);
        result[i] = (int)(__umulhi(sum + half, p.factor) >> p.shift);
    }
    const int x = first + begin;
    if (begin + COLUMNS <= outs && x + COLUMNS <= v.width &&
        (reinterpret_cast<uint64_t>(row + x) & 7) == 0) {
        *reinterpret_cast<short4 *>(row + x) =
            make_short4((short)result[0], (short)result[1], (short)result[2], (short)result[3]);
        return;
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        if (begin + i < outs && x + i < v.width)
            row[x + i] = (int16_t)result[i];
}

/* Grid: x: groups of columns, y: strips of `rows`, z: views. */
extern "C" __global__ void __launch_bounds__(VRS_BOX_THREADS)
    vrs_box(const __grid_constant__ vrs_box_params p)
{
    __shared__ vrs_box_totals<unsigned> box;
    const vrs_box_view &v = p.view[blockIdx.z];
    const int outs = (blockDim.x * COLUMNS - 2 * p.radius) / COLUMNS * COLUMNS;
    const int first = blockIdx.x * outs, x = first - p.radius + (int)threadIdx.x * COLUMNS;
    const int begin = blockIdx.y * p.rows, end = min(begin + p.rows, v.height);
    if (first >= v.width || begin >= v.height)
        return;
    int sum[COLUMNS] = {}, enter[COLUMNS], leave[COLUMNS];
    for (int y = begin - p.radius; y < begin + p.radius; y++) {
        load_row(v, x, y, enter);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            sum[i] += enter[i];
    }
    load_row(v, x, begin + p.radius, enter);
    for (int y = begin; y < end; y++) {
        unsigned value[COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            sum[i] += enter[i];
            value[i] = (unsigned)sum[i];
        }
        load_row(v, x, y + 1 + p.radius, enter); /* of the next row, on their way meanwhile */
        load_row(v, x, y - p.radius, leave);
        const unsigned before = vrs_box_scan(box, value);
        __syncthreads();
        vrs_box_store(box, value, before);
        __syncthreads();
        store_row(p, v, box, first, outs, y);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            sum[i] -= leave[i];
    }
}
