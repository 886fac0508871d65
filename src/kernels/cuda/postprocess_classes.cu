/* Class maps: the largest of up to 32 scores at each pixel of the result.
 *
 * Bytes: scores once, 1 a pixel out; 512x512x21 in FP16 to 1080p, 8 views: 105 MB, 24.4 us at
 * 4.3 TB/s. Interpolating 21 scores at each of 16.6 M pixels as the reference rounds them takes
 * about 9 instructions a class, 3.1e9 in all, 110 us at full rate: so arithmetic is avoided, not
 * made faster. A value between four scores is never above their largest nor below their smallest
 * (the reference's rounding keeps that: a weight is below 1 by 2^-15, an error is 2^-24). So in a
 * region of the source a class whose largest score is below another one's smallest is nowhere the
 * result, and where one class is left, that is it: nothing is interpolated. What networks give is
 * so nearly everywhere; noise is so nowhere, and takes the long way everywhere.
 *
 * A block takes the results that lie in BAND_COLUMNS x BAND_ROWS of the source. First each thread
 * bounds a class in a region at a time, then eight threads a region find the classes that are left,
 * then warps take 32 columns of results each. */
#include <cuda_fp16.h>

#include "postprocess.cuh"

#define THREADS 256
#define REGION_COLUMNS 8
#define REGION_ROWS 4
#define ACROSS 16 /* regions of a block */
#define DOWN 2
#define REGIONS (ACROSS * DOWN)
#define BAND_COLUMNS (REGION_COLUMNS * ACROSS)
#define BAND_ROWS (REGION_ROWS * DOWN)
#define ROWS 9     /* of results that are interpolated together */
#define TOGETHER 2 /* classes */
#define MOST 1e37f /* greater scores may overflow in between */
#define ALL 0xffffffffu

__device__ __forceinline__ float load_score(const float *p)
{
    return __ldg(p);
}

__device__ __forceinline__ float load_score(const __half *p)
{
    return __half2float(__ldg(p));
}

/* The range of the scores seen so far; `odd` becomes NaN where one of them is not finite. */
template <typename T> struct bounds;

template <> struct bounds<float> {
    float low, high, odd;

    __device__ __forceinline__ bounds() : low(INFINITY), high(-INFINITY), odd(0)
    {
    }

    __device__ __forceinline__ void add(float value)
    {
        low = fminf(low, value);
        high = fmaxf(high, value);
        odd = __fmaf_rn(value, 0, odd);
    }

    __device__ __forceinline__ void add_region_row(const float *p)
    {
        const float4 a = __ldg(reinterpret_cast<const float4 *>(p));
        const float4 b = __ldg(reinterpret_cast<const float4 *>(p) + 1);
        add(a.x);
        add(a.y);
        add(a.z);
        add(a.w);
        add(b.x);
        add(b.y);
        add(b.z);
        add(b.w);
    }

    __device__ __forceinline__ float2 get() const
    {
        const bool bounded = odd == 0 && low >= -MOST && high <= MOST;
        return bounded ? make_float2(low, high) : make_float2(-INFINITY, INFINITY);
    }
};

/* Two at a time: even columns and odd ones. */
template <> struct bounds<__half> {
    __half2 low, high, odd;

    __device__ __forceinline__ bounds()
        : low(__floats2half2_rn(65504, 65504)), high(__floats2half2_rn(-65504, -65504)),
          odd(__floats2half2_rn(0, 0))
    {
    }

    __device__ __forceinline__ void add(__half2 value)
    {
        low = __hmin2(low, value);
        high = __hmax2(high, value);
        odd = __hfma2(value, __floats2half2_rn(0, 0), odd);
    }

    __device__ __forceinline__ void add(__half value)
    {
        add(__half2half2(value));
    }

    __device__ __forceinline__ void add_region_row(const __half *p)
    {
        const uint4 v = __ldg(reinterpret_cast<const uint4 *>(p));
        add(*reinterpret_cast<const __half2 *>(&v.x));
        add(*reinterpret_cast<const __half2 *>(&v.y));
        add(*reinterpret_cast<const __half2 *>(&v.z));
        add(*reinterpret_cast<const __half2 *>(&v.w));
    }

    __device__ __forceinline__ float2 get() const
    {
        const float2 a = __half22float2(low), b = __half22float2(high), c = __half22float2(odd);
        const bool bounded = c.x == 0 && c.y == 0;
        return bounded ? make_float2(fminf(a.x, a.y), fmaxf(b.x, b.y))
                       : make_float2(-INFINITY, INFINITY);
    }
};

/* Bounds of class c over the scores that results in a region are made of: its columns and rows, and
 * one more of each; what lies outside repeats the last. */
template <typename T>
__device__ __forceinline__ float2 bound(const vrs_classes_view &v, int c, int x, int y, bool vector)
{
    const int right = min(x + REGION_COLUMNS, v.region_width - 1);
    const T *plane = vrs_at<const T>(v.scores) + c * v.class_stride;
    bounds<T> b;
    if (vector && x + REGION_COLUMNS <= v.region_width) {
#pragma unroll
        for (int r = 0; r <= REGION_ROWS; r++) {
            const T *row = plane + min(y + r, v.region_height - 1) * v.row_stride;
            b.add_region_row(row + x);
            b.add(__ldg(row + right));
        }
        return b.get();
    }
#pragma unroll 1
    for (int r = 0; r <= REGION_ROWS; r++) {
        const T *row = plane + min(y + r, v.region_height - 1) * v.row_stride;
#pragma unroll
        for (int i = 0; i <= REGION_COLUMNS; i++)
            b.add(__ldg(row + min(x + i, right) * v.column_stride));
    }
    return b.get();
}

struct band {
    float2 range[VRS_POST_CLASSES][REGIONS];
    uint32_t left[REGIONS]; /* bits of the classes that are left */
    int first_column, end_column, first_row[DOWN + 1];
};

__device__ __forceinline__ vrs_tap column_tap(const vrs_classes_view &v, int x)
{
    return vrs_tap_by(x, v.region_width, v.width, v.division.column_factor,
                      v.division.column_shift);
}

__device__ __forceinline__ vrs_tap row_tap(const vrs_classes_view &v, int y)
{
    return vrs_tap_by(y, v.region_height, v.height, v.division.row_factor, v.division.row_shift);
}

/* First of `count` results whose left (upper) neighbour is `index` or beyond, or `count`: by the
 * formula of vrs_tap_at, whose rounding may shift it by one. */
__device__ __forceinline__ int first_result(int index, int source, int count)
{
    if (index <= 0 || index >= source)
        return index <= 0 ? 0 : count;
    int x = max(((2 * index + 1) * count - source) / (2 * source) - 1, 0); /* sides: 2^15 */
    while (x < count && vrs_tap_at(x, source, count).index < index)
        x++;
    return x;
}

/* The results that lie in the block's band, found by the block's last threads. */
__device__ __forceinline__ void find_results(const vrs_classes_view &v, band &b)
{
    const int thread = THREADS - 1 - (int)threadIdx.x;
    if (thread > DOWN + 2)
        return;
    if (thread <= DOWN) {
        const int row = blockIdx.y * BAND_ROWS + thread * REGION_ROWS;
        b.first_row[thread] = first_result(row, v.region_height, v.height);
        return;
    }
    const int column = (blockIdx.x + thread - DOWN - 1) * BAND_COLUMNS;
    (thread == DOWN + 1 ? b.first_column : b.end_column) =
        first_result(column, v.region_width, v.width);
}

/* Which classes are left in each region. */
template <typename T>
__device__ __forceinline__ void find_classes(const vrs_classes_params &p, const vrs_classes_view &v,
                                             band &b)
{
    const bool last = v.class_stride == 1; /* classes lie together: so do threads that read them */
    const bool vector = v.column_stride == 1 &&
                        ((v.scores | (v.row_stride | v.class_stride) * sizeof(T)) & 15) == 0;
    for (int i = threadIdx.x; i < p.classes * REGIONS; i += THREADS) {
        const int region = last ? i / p.classes : i % REGIONS;
        const int c = last ? i % p.classes : i / REGIONS;
        const int x = blockIdx.x * BAND_COLUMNS + region % ACROSS * REGION_COLUMNS;
        const int y = blockIdx.y * BAND_ROWS + region / ACROSS * REGION_ROWS;
        if (x < v.region_width && y < v.region_height)
            b.range[c][region] = bound<T>(v, c, x, y, vector);
        else
            b.range[c][region] = make_float2(-INFINITY, INFINITY);
    }
    __syncthreads();
    constexpr int lanes = THREADS / REGIONS;
    const int region = threadIdx.x / lanes, lane = threadIdx.x % lanes;
    float surely = -INFINITY;
    for (int c = lane; c < p.classes; c += lanes)
        surely = fmaxf(surely, b.range[c][region].x);
#pragma unroll
    for (int step = lanes / 2; step > 0; step /= 2)
        surely = fmaxf(surely, __shfl_xor_sync(ALL, surely, step));
    uint32_t left = 0;
    for (int c = lane; c < p.classes; c += lanes)
        left |= (b.range[c][region].y >= surely ? 1u : 0u) << c;
#pragma unroll
    for (int step = lanes / 2; step > 0; step /= 2)
        left |= __shfl_xor_sync(ALL, left, step);
    if (lane == 0)
        b.left[region] = left;
    __syncthreads();
}

/* As the reference rounds: no fused multiply-add. */
__device__ __forceinline__ float lerp(float a, float b, float weight)
{
    return __fadd_rn(a, __fmul_rn(__fsub_rn(b, a), weight));
}

/* Places of ROWS results below each other in the source. */
struct place {
    int64_t left, right;
    float weight;
    int index[ROWS]; /* the upper source row of each row */
    float part[ROWS];
};

/* One source row of TOGETHER classes. */
template <typename T>
__device__ __forceinline__ void load_classes(const vrs_classes_view &v, const place &at,
                                             const T *const *plane, int row, float *value)
{
    const int64_t left = row * v.row_stride + at.left, right = row * v.row_stride + at.right;
#pragma unroll
    for (int k = 0; k < TOGETHER; k++)
        value[k] = lerp(load_score(plane[k] + left), load_score(plane[k] + right), at.weight);
}

/* TOGETHER classes, in rising order, against the best so far: their loads wait for the memory
 * together. */
template <typename T>
__device__ __forceinline__ void take_classes(const vrs_classes_view &v, const place &at,
                                             const int *c, float *best, int *which)
{
    const int last = v.region_height - 1;
    const T *plane[TOGETHER];
#pragma unroll
    for (int k = 0; k < TOGETHER; k++)
        plane[k] = vrs_at<const T>(v.scores) + c[k] * v.class_stride;
    int current = at.index[0], below = min(current + 1, last);
    float upper[TOGETHER], lower[TOGETHER];
    load_classes<T>(v, at, plane, current, upper);
    load_classes<T>(v, at, plane, below, lower);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (at.index[r] != current) {
            const bool next = at.index[r] == below;
            current = at.index[r];
#pragma unroll
            for (int k = 0; k < TOGETHER; k++)
                upper[k] = lower[k];
            if (!next)
                load_classes<T>(v, at, plane, current, upper);
            below = min(current + 1, last);
            load_classes<T>(v, at, plane, below, lower);
        }
#pragma unroll
        for (int k = 0; k < TOGETHER; k++) {
            const float value = lerp(upper[k], lower[k], at.part[r]);
            which[r] = value > best[r] ? c[k] : which[r];
            best[r] = fmaxf(best[r], value);
        }
    }
}

/* Results x, rows y to end - 1 (ROWS at most), of the classes whose bits are in `left`. */
template <typename T>
__device__ __forceinline__ void interpolate(const vrs_classes_view &v, int x, int y, int end,
                                            uint32_t left)
{
    const vrs_tap column = column_tap(v, x);
    place at;
    at.weight = (float)column.weight * (1.0f / 32768.0f);
    at.left = column.index * v.column_stride;
    at.right = min(column.index + 1, v.region_width - 1) * v.column_stride;
    float best[ROWS];
    int which[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const vrs_tap tap = row_tap(v, min(y + r, end - 1));
        at.index[r] = tap.index;
        at.part[r] = (float)tap.weight * (1.0f / 32768.0f);
        best[r] = -INFINITY;
        which[r] = 0;
    }
#pragma unroll 1
    while (left != 0) {
        int c[TOGETHER];
#pragma unroll
        for (int k = 0; k < TOGETHER; k++) { /* behind the last it comes again: no change */
            c[k] = left != 0 ? __ffs((int)left) - 1 : c[max(k - 1, 0)];
            left &= left - 1;
        }
        take_classes<T>(v, at, c, best, which);
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        if (y + r < end)
            vrs_at<uint8_t>(v.dst)[(int64_t)(y + r) * v.dst_stride + x] = (uint8_t)which[r];
}

/* A warp's columns in one row of regions; `left` are the classes of the lane's region. */
template <typename T>
__device__ __forceinline__ void take_rows(const vrs_classes_view &v, int x, bool inside, int y,
                                          int end, uint32_t left)
{
    if (__any_sync(ALL, (left & (left - 1)) != 0)) {
#pragma unroll
        for (int step = 16; step > 0; step /= 2)
            left |= __shfl_xor_sync(ALL, left, step);
        for (; y < end; y += ROWS)
            if (inside)
                interpolate<T>(v, x, y, min(y + ROWS, end), left);
        return;
    }
    const uint8_t which = (uint8_t)(__ffs((int)left) - 1);
    uint8_t *dst = vrs_at<uint8_t>(v.dst) + (int64_t)y * v.dst_stride + x;
    for (; y < end; y++, dst += v.dst_stride)
        if (inside)
            *dst = which;
}

/* A warp's columns from `first` on. */
template <typename T>
__device__ __forceinline__ void take_columns(const vrs_classes_view &v, const band &b, int first)
{
    const int mine = first + (int)threadIdx.x % 32, x = min(mine, b.end_column - 1);
    const int column = column_tap(v, x).index % BAND_COLUMNS;
#pragma unroll 1
    for (int down = 0; down < DOWN; down++)
        take_rows<T>(v, x, mine < b.end_column, b.first_row[down], b.first_row[down + 1],
                     b.left[down * ACROSS + column / REGION_COLUMNS]);
}

template <typename T> __device__ __forceinline__ void classes(const vrs_classes_params &p, band &b)
{
    const vrs_classes_view &v = p.view[blockIdx.z];
    if ((int)blockIdx.x * BAND_COLUMNS >= v.region_width ||
        (int)blockIdx.y * BAND_ROWS >= v.region_height)
        return;
    find_results(v, b);
    find_classes<T>(p, v, b);
    for (int x = b.first_column + threadIdx.x / 32 * 32; x < b.end_column; x += THREADS)
        take_columns<T>(v, b, x);
}

/* Grid: x: bands of 128 columns of the source, y: of 8 rows, z: views. */
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    vrs_classes(const __grid_constant__ vrs_classes_params p)
{
    __shared__ band b;
    if (p.half)
        classes<__half>(p, b);
    else
        classes<float>(p, b);
}
