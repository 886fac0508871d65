/* One of the two boxes of feathering, for a batch of views in one launch.
 *
 * Bytes: 2 in, 2 out a pixel; 1080p, 8 views: 66 MB, 15.5 us at 4.28 TB/s, each of the two boxes.
 * The row that leaves a window is read again, from a cache while rows * (2 radius + 1) fit one.
 * Expected at radius 4: about 25 instructions a pixel (a quarter of a scan's five shuffles, three
 * accesses to shared memory), 15 to 20 us. */
#include "postprocess_box.cuh"

#define COLUMNS VRS_BOX_COLUMNS
#define AHEAD 4 /* rows that are on their way */

/* The thread's columns of row y, both held inside the picture. */
__device__ __forceinline__ short4 load_row(const vrs_box_view &v, int x, int y)
{
    const int16_t *row =
        vrs_at<const int16_t>(v.src) + (int64_t)max(min(y, v.height - 1), 0) * v.src_stride;
    if (x >= 0 && x + COLUMNS <= v.width && (reinterpret_cast<uint64_t>(row + x) & 7) == 0)
        return __ldg(reinterpret_cast<const short4 *>(row + x));
    const int last = v.width - 1;
    return make_short4(__ldg(row + max(min(x, last), 0)), __ldg(row + max(min(x + 1, last), 0)),
                       __ldg(row + max(min(x + 2, last), 0)),
                       __ldg(row + max(min(x + 3, last), 0)));
}

__device__ __forceinline__ void add_row(int *sum, short4 row, int sign)
{
    sum[0] += sign * row.x;
    sum[1] += sign * row.y;
    sum[2] += sign * row.z;
    sum[3] += sign * row.w;
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
    int sum[COLUMNS] = {};
    short4 enter[AHEAD], leave[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
        enter[i] = load_row(v, x, begin + i + p.radius);
        leave[i] = load_row(v, x, begin + i - p.radius);
    }
#pragma unroll 8
    for (int y = begin - p.radius; y < begin + p.radius; y++)
        add_row(sum, load_row(v, x, y), 1);
#pragma unroll 1
    for (int begun = begin; begun < end; begun += AHEAD) {
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int y = begun + i;
            if (y >= end)
                break;
            unsigned value[COLUMNS];
            add_row(sum, enter[i], 1);
#pragma unroll
            for (int c = 0; c < COLUMNS; c++)
                value[c] = (unsigned)sum[c];
            add_row(sum, leave[i], -1);
            enter[i] = load_row(v, x, y + AHEAD + p.radius);
            leave[i] = load_row(v, x, y + AHEAD - p.radius);
            const unsigned before = vrs_box_scan(box, value);
            __syncthreads();
            vrs_box_store(box, value, before);
            __syncthreads();
            store_row(p, v, box, first, outs, y);
        }
    }
}
