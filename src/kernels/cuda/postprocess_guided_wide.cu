/* The guided filter at radii over VRS_POST_GUIDED_RADIUS, in two steps: coefficients of each
 * window, their means.
 *
 * Bytes: the first reads 3 and writes 8 a pixel, the second reads 8 and writes 8; 512x512, 8 views:
 * 23 MB, 5.4 us, and 33.6 MB, 7.8 us at 4.28 TB/s. They march as feathering does, with four sums,
 * one of them of 64 bits: arithmetic is their limit (about 150 instructions a pixel, 11 us).
 *
 * Means of the coefficients are running sums too, so these are integers as well: units of 2^-30
 * (nothing exceeds 2^9 in size, and windows have less than 2^15 pixels: 54 bits). */
#include "postprocess_box.cuh"

#define COLUMNS VRS_BOX_COLUMNS
#define UNIT 1073741824.0f /* 2^30 */

/* Running sums down a thread's columns. Wraps are fine in between: differences are right. */
struct column_sums {
    unsigned guide[COLUMNS], square[COLUMNS], mask[COLUMNS];
    unsigned long long product[COLUMNS];
};

/* Adds (sign 1) or takes off (-1) row y; what lies outside counts nothing. */
__device__ __forceinline__ void add_row(const vrs_guided_params &p, const vrs_guided_view &v,
                                        column_sums &s, int x, int y, int sign)
{
    if (y < 0 || y >= p.height)
        return;
    const int64_t row = (int64_t)y * p.width;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        if (x + i < 0 || x + i >= p.width)
            continue;
        const int guide = __ldg(vrs_at<const uint8_t>(v.guide) + row + x + i);
        const int mask = __ldg(vrs_at<const int16_t>(v.mask) + row + x + i);
        s.guide[i] += (unsigned)(sign * guide);
        s.square[i] += (unsigned)(sign * guide * guide);
        s.mask[i] += (unsigned)(sign * mask);
        s.product[i] += (unsigned long long)(long long)(sign * guide * mask);
    }
}

struct solve_totals {
    vrs_box_totals<unsigned> guide, square, mask;
    vrs_box_totals<unsigned long long> product;
};

__device__ __forceinline__ void scan_row(solve_totals &t, const column_sums &sums)
{
    column_sums s = sums;
    const unsigned guide = vrs_box_scan(t.guide, s.guide);
    const unsigned square = vrs_box_scan(t.square, s.square);
    const unsigned mask = vrs_box_scan(t.mask, s.mask);
    const unsigned long long product = vrs_box_scan(t.product, s.product);
    __syncthreads();
    vrs_box_store(t.guide, s.guide, guide);
    vrs_box_store(t.square, s.square, square);
    vrs_box_store(t.mask, s.mask, mask);
    vrs_box_store(t.product, s.product, product);
    __syncthreads();
}

/* As in the reference, with exact differences. */
__device__ __forceinline__ float2 solve_at(const vrs_guided_params &p, const solve_totals &t,
                                           int column, int x, int y)
{
    const long long n =
        (long long)vrs_window_count(x, p.width, p.radius) * vrs_window_count(y, p.height, p.radius);
    const long long guide = vrs_box_window(t.guide, column, p.radius);
    const long long square = vrs_box_window(t.square, column, p.radius);
    const long long mask = vrs_box_window(t.mask, column, p.radius);
    const long long product = (long long)vrs_box_window(t.product, column, p.radius);
    const float var = (float)(square * n - guide * guide);
    const float cov = (float)(product * n - guide * mask);
    const float count = (float)n;
    const float slope = cov * (255.0f / 32767.0f) / (var + p.epsilon * 65025.0f * count * count);
    const float offset =
        ((float)mask * (1.0f / 32767.0f) - slope * ((float)guide * (1.0f / 255.0f))) / count;
    return make_float2(slope, offset);
}

/* Grid: x: groups of columns, y: strips of `rows`, z: views. */
extern "C" __global__ void __launch_bounds__(VRS_BOX_THREADS)
    vrs_guided_solve(const __grid_constant__ vrs_guided_params p)
{
    __shared__ solve_totals totals;
    const vrs_guided_view &v = p.view[blockIdx.z];
    const int outs = blockDim.x * COLUMNS - 2 * p.radius, first = blockIdx.x * outs;
    const int x = first - p.radius + (int)threadIdx.x * COLUMNS;
    const int begin = blockIdx.y * p.rows, end = min(begin + p.rows, p.height);
    column_sums sums = {};
    for (int y = begin - p.radius; y < begin + p.radius; y++)
        add_row(p, v, sums, x, y, 1);
    for (int y = begin; y < end; y++) {
        add_row(p, v, sums, x, y + p.radius, 1);
        scan_row(totals, sums);
        for (int i = threadIdx.x; i < outs && first + i < p.width; i += blockDim.x)
            vrs_at<float2>(v.once)[(int64_t)y * p.width + first + i] =
                solve_at(p, totals, i + p.radius, first + i, y);
        add_row(p, v, sums, x, y - p.radius, -1);
    }
}

struct mean_sums {
    long long slope[COLUMNS], offset[COLUMNS];
};

__device__ __forceinline__ void add_coefficients(const vrs_guided_params &p,
                                                 const vrs_guided_view &v, mean_sums &s, int x,
                                                 int y, int sign)
{
    if (y < 0 || y >= p.height)
        return;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        if (x + i < 0 || x + i >= p.width)
            continue;
        const float2 c = __ldg(vrs_at<const float2>(v.once) + (int64_t)y * p.width + x + i);
        s.slope[i] += sign * __float2ll_rn(c.x * UNIT);
        s.offset[i] += sign * __float2ll_rn(c.y * UNIT);
    }
}

struct mean_totals {
    vrs_box_totals<long long> slope, offset;
};

__device__ __forceinline__ void scan_means(mean_totals &t, const mean_sums &sums)
{
    mean_sums s = sums;
    const long long slope = vrs_box_scan(t.slope, s.slope);
    const long long offset = vrs_box_scan(t.offset, s.offset);
    __syncthreads();
    vrs_box_store(t.slope, s.slope, slope);
    vrs_box_store(t.offset, s.offset, offset);
    __syncthreads();
}

extern "C" __global__ void __launch_bounds__(VRS_BOX_THREADS)
    vrs_guided_mean(const __grid_constant__ vrs_guided_params p)
{
    __shared__ mean_totals totals;
    const vrs_guided_view &v = p.view[blockIdx.z];
    const int outs = blockDim.x * COLUMNS - 2 * p.radius, first = blockIdx.x * outs;
    const int x = first - p.radius + (int)threadIdx.x * COLUMNS;
    const int begin = blockIdx.y * p.rows, end = min(begin + p.rows, p.height);
    mean_sums sums = {};
    for (int y = begin - p.radius; y < begin + p.radius; y++)
        add_coefficients(p, v, sums, x, y, 1);
    for (int y = begin; y < end; y++) {
        add_coefficients(p, v, sums, x, y + p.radius, 1);
        scan_means(totals, sums);
        for (int i = threadIdx.x; i < outs && first + i < p.width; i += blockDim.x) {
            const int n = vrs_window_count(first + i, p.width, p.radius) *
                          vrs_window_count(y, p.height, p.radius);
            const float factor = 1.0f / (UNIT * (float)n);
            const long long slope = vrs_box_window(totals.slope, i + p.radius, p.radius);
            const long long offset = vrs_box_window(totals.offset, i + p.radius, p.radius);
            vrs_at<float2>(v.coefficients)[(int64_t)y * p.width + first + i] =
                make_float2((float)slope * factor, (float)offset * factor);
        }
        add_coefficients(p, v, sums, x, y - p.radius, -1);
    }
}
