/* Twins of kernels of net.cu for what networks mostly have: FP16 or FP32 pictures whose channels
 * come in whole vectors of 16 bytes. Launches choose them (net_launch.c). */
#include "net_ops.h"

/* Sixteen bytes of channels as floats: 8 of FP16 or 4 of FP32. */
template <typename T> struct vrs_vector {
    static constexpr int count = 16 / sizeof(T);
    float v[count];
};

__device__ static __forceinline__ float vrs_value(uint16_t bits)
{
    return vrs_net_half_to_float(bits);
}

__device__ static __forceinline__ float vrs_value(float value)
{
    return value;
}

__device__ static __forceinline__ void vrs_put(uint16_t *to, float value)
{
    *to = vrs_net_half_from_float(value);
}

__device__ static __forceinline__ void vrs_put(float *to, float value)
{
    *to = value;
}

template <typename T>
__device__ static __forceinline__ vrs_vector<T> vrs_read(uint64_t data, int64_t at)
{
    union {
        uint4 whole;
        T part[vrs_vector<T>::count];
    } u;
    u.whole = __ldg(reinterpret_cast<const uint4 *>(reinterpret_cast<const T *>(data) + at));
    vrs_vector<T> r;
#pragma unroll
    for (int k = 0; k < vrs_vector<T>::count; k++)
        r.v[k] = vrs_value(u.part[k]);
    return r;
}

template <typename T>
__device__ static __forceinline__ void vrs_write(uint64_t data, int64_t at, const vrs_vector<T> &r)
{
    union {
        uint4 whole;
        T part[vrs_vector<T>::count];
    } u;
#pragma unroll
    for (int k = 0; k < vrs_vector<T>::count; k++)
        vrs_put(&u.part[k], r.v[k]);
    *reinterpret_cast<uint4 *>(reinterpret_cast<T *>(data) + at) = u.whole;
}

/* Place of a thread: vector `c` of channels, pixel `x`, `y` of view n. */
struct vrs_spot {
    int c, x, y, n;
    bool inside;
};

__device__ static __forceinline__ vrs_spot vrs_find(const vrs_net_picture &out, int batch,
                                                    int vectors)
{
    vrs_spot s;
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    s.c = i % vectors;
    i /= vectors;
    s.x = i % out.width;
    i /= out.width;
    s.y = i % out.height;
    s.n = i / out.height;
    s.inside = s.n < batch;
    return s;
}

/* ---- map: all views alike, or of one value a channel, or of one value ---- */

template <typename T> __device__ static __forceinline__ void vrs_map(const vrs_net_map_params &p)
{
    constexpr int N = vrs_vector<T>::count;
    const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const int64_t vectors = p.fill / N, row = i / vectors, c = i % vectors * N;
    if (row >= p.dims[0])
        return;
    float v[3][N];
#pragma unroll
    for (int k = 0; k < 3; k++) {
        if (!p.in[k].data) {
#pragma unroll
            for (int e = 0; e < N; e++)
                v[k][e] = 0.0f;
            continue;
        }
        const int64_t at = row * p.in[k].stride[0];
        if (p.in[k].stride[1] == 0) {
            const float one = vrs_net_load(p.in[k].data, p.in[k].type, at);
            for (int e = 0; e < N; e++)
                v[k][e] = one;
        } else if (p.in[k].type == p.out.type) {
            const vrs_vector<T> r = vrs_read<T>(p.in[k].data, at + c);
            for (int e = 0; e < N; e++)
                v[k][e] = r.v[e];
        } else {
            for (int e = 0; e < N; e++)
                v[k][e] =
                    c + e < p.dims[1] ? vrs_net_load(p.in[k].data, p.in[k].type, at + c + e) : 0.0f;
        }
    }
    vrs_vector<T> r;
#pragma unroll
    for (int e = 0; e < N; e++) {
        const float of[3] = {v[0][e], v[1][e], v[2][e]};
        float s = 0.0f;
        if (p.slope.data && c + e < p.dims[1])
            s = vrs_net_load(p.slope.data, p.slope.type, (c + e) * p.slope.stride[1]);
        const float y = vrs_net_apply(p.act, s, vrs_net_map_value(&p, of));
        r.v[e] = c + e < p.dims[1] ? y : 0.0f;
    }
    vrs_write<T>(p.out.data, row * p.out.stride[0] + c, r);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_map_vector(const __grid_constant__ vrs_net_map_params p)
{
    if (p.out.type == VRS_NET_F16)
        vrs_map<uint16_t>(p);
    else
        vrs_map<float>(p);
}

/* ---- pool ---- */

template <typename T> __device__ static __forceinline__ void vrs_pool(const vrs_net_pool_params &p)
{
    constexpr int N = vrs_vector<T>::count;
    const vrs_spot s = vrs_find(p.out, p.batch, p.fill / N);
    if (!s.inside)
        return;
    vrs_vector<T> sum;
    const bool most = p.kind == VRS_NET_POOL_MAX;
#pragma unroll
    for (int e = 0; e < N; e++)
        sum.v[e] = most ? -INFINITY : 0.0f;
    int count = 0;
    for (int ky = 0; ky < p.kernel[0]; ky++) {
        const int y = s.y * p.stride[0] - p.pad_before[0] + ky * p.dilation[0];
        if (y < 0 || y >= p.in.height)
            continue;
        for (int kx = 0; kx < p.kernel[1]; kx++) {
            const int x = s.x * p.stride[1] - p.pad_before[1] + kx * p.dilation[1];
            if (x < 0 || x >= p.in.width)
                continue;
            const vrs_vector<T> v = vrs_read<T>(p.in.data, vrs_net_at(&p.in, s.n, y, x) + s.c * N);
            count++;
#pragma unroll
            for (int e = 0; e < N; e++)
                sum.v[e] = !most                                   ? sum.v[e] + v.v[e]
                           : v.v[e] > sum.v[e] || v.v[e] != v.v[e] ? v.v[e]
                                                                   : sum.v[e];
        }
    }
    if (p.include_pad)
        count = vrs_net_window(&p, 0, s.y) * vrs_net_window(&p, 1, s.x);
#pragma unroll
    for (int e = 0; e < N; e++) {
        const float y = most ? sum.v[e] : count ? sum.v[e] / (float)count : 0.0f;
        sum.v[e] = s.c * N + e < p.channels ? y : 0.0f;
    }
    vrs_write<T>(p.out.data, vrs_net_at(&p.out, s.n, s.y, s.x) + s.c * N, sum);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_pool_vector(const __grid_constant__ vrs_net_pool_params p)
{
    if (p.out.type == VRS_NET_F16)
        vrs_pool<uint16_t>(p);
    else
        vrs_pool<float>(p);
}

/* ---- resize ---- */

#define VRS_RESIZE_COLUMNS 4 /* of the result, side by side, by one thread */

/* Eight results of a resize from FP16, rounded to I8: four in a word, the first the lowest. */
__device__ static __forceinline__ uint32_t vrs_pack_i8(int a, int b, int c, int d)
{
    uint32_t high, all;
    asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, 0;" : "=r"(high) : "r"(d), "r"(c));
    asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, %3;" : "=r"(all) : "r"(b), "r"(a), "r"(high));
    return all;
}

template <typename T>
__device__ static __forceinline__ void vrs_put_resized(const vrs_net_resize_params &p, int64_t at,
                                                       const vrs_vector<T> &r)
{
    vrs_write<T>(p.out.data, at, r);
}

template <>
__device__ __forceinline__ void vrs_put_resized(const vrs_net_resize_params &p, int64_t at,
                                                const vrs_vector<uint16_t> &r)
{
    if (p.out.type != VRS_NET_I8) {
        vrs_write<uint16_t>(p.out.data, at, r);
        return;
    }
    int v[8];
#pragma unroll
    for (int k = 0; k < 8; k++)
        v[k] = __float2int_rn(r.v[k] * p.steps);
    *reinterpret_cast<uint2 *>(reinterpret_cast<int8_t *>(p.out.data) + at) =
        make_uint2(vrs_pack_i8(v[0], v[1], v[2], v[3]), vrs_pack_i8(v[4], v[5], v[6], v[7]));
}

/* What results between two columns of the source are made of: the first column at the height of the
 * result's row, and what it is to the second. */
template <typename T> struct vrs_between {
    int first, second; /* columns; -1: none yet */
    vrs_vector<T> left, right, across;
};

/* A column of the source between two rows. */
template <typename T>
__device__ static __forceinline__ vrs_vector<T>
vrs_column(const vrs_net_resize_params &p, int64_t top, int64_t bottom, int column, float weight)
{
    vrs_vector<T> r = vrs_read<T>(p.in.data, top + (int64_t)column * p.in.pitch);
    if (bottom == top)
        return r;
    const vrs_vector<T> lower = vrs_read<T>(p.in.data, bottom + (int64_t)column * p.in.pitch);
#pragma unroll
    for (int e = 0; e < vrs_vector<T>::count; e++)
        r.v[e] += (lower.v[e] - r.v[e]) * weight;
    return r;
}

/* Neighbouring results lie between the same columns, or share one. */
template <typename T>
__device__ static __forceinline__ void vrs_move(const vrs_net_resize_params &p, int64_t top,
                                                int64_t bottom, float weight, int first, int second,
                                                vrs_between<T> &c)
{
    if (first == c.first && second == c.second)
        return;
    if (first == c.second)
        c.left = c.right;
    else if (first != c.first)
        c.left = vrs_column<T>(p, top, bottom, first, weight);
    c.right = second == first ? c.left : vrs_column<T>(p, top, bottom, second, weight);
#pragma unroll
    for (int e = 0; e < vrs_vector<T>::count; e++)
        c.across.v[e] = second == first ? 0.0f : c.right.v[e] - c.left.v[e];
    c.first = first;
    c.second = second;
}

template <typename T>
__device__ static __forceinline__ void vrs_resize(const vrs_net_resize_params &p)
{
    constexpr int N = vrs_vector<T>::count;
    vrs_net_picture strips = p.out;
    strips.width = (p.out.width + VRS_RESIZE_COLUMNS - 1) / VRS_RESIZE_COLUMNS;
    const vrs_spot s = vrs_find(strips, p.batch, p.fill / N);
    if (!s.inside)
        return;
    const vrs_net_taps y = vrs_net_resize_taps(&p, 0, s.y);
    const int from = s.c * N < p.channels ? s.c * N : 0; /* the filling may be beyond the input's */
    const int64_t top = vrs_net_at(&p.in, s.n, y.first, 0) + from;
    const int64_t bottom = vrs_net_at(&p.in, s.n, y.second, 0) + from;
    const int begin = s.x * VRS_RESIZE_COLUMNS;
    const bool whole = (s.c + 1) * N <= p.channels;
    int64_t to = vrs_net_at(&p.out, s.n, s.y, begin) + s.c * N;
    vrs_between<T> c;
    c.first = c.second = -1;
#pragma unroll
    for (int k = 0; k < VRS_RESIZE_COLUMNS; k++, to += p.out.pitch) {
        if (begin + k >= p.out.width)
            return;
        const vrs_net_taps x = vrs_net_resize_taps(&p, 1, begin + k);
        vrs_move<T>(p, top, bottom, y.weight, x.first, x.second, c);
        vrs_vector<T> r;
#pragma unroll
        for (int e = 0; e < N; e++)
            r.v[e] = c.left.v[e] + c.across.v[e] * x.weight;
        if (!whole)
#pragma unroll
            for (int e = 0; e < N; e++)
                r.v[e] = s.c * N + e < p.channels ? r.v[e] : 0.0f;
        vrs_put_resized<T>(p, to, r);
    }
}

extern "C" __global__ void __launch_bounds__(256, 4)
    vrs_net_resize_vector(const __grid_constant__ vrs_net_resize_params p)
{
    if (p.in.type == VRS_NET_F16)
        vrs_resize<uint16_t>(p);
    else
        vrs_resize<float>(p);
}

/* ---- resize of taps: 3x3 in FP16 by 4 ---- */

/* Between which rows of the source a row of the result lies that is `place` - 1 behind the first
 * one of a row of the source: up to 2 between the row before and this one, from 3 on between this
 * one and the next. So much of the second, and the rest of the first. */
__device__ static constexpr float vrs_taps_weight[6] = {0.375f, 0.625f, 0.875f,
                                                        0.125f, 0.375f, 0.625f};

/* What the taps of a column of taps make in the four rows of results beside a column of the
 * source. */
struct vrs_taps_column {
    float2 v[4][3]; /* row, column of taps */
};

/* Where a thread reads: rows of the source above, at and below; and whether there are results
 * above and below. */
struct vrs_taps_rows {
    const __half2 *row[3];
    float above, below;
};

__device__ static __forceinline__ void vrs_taps_add(float2 &to, float by, const float2 &v)
{
    to.x = fmaf(by, v.x, to.x);
    to.y = fmaf(by, v.y, to.y);
}

__device__ static __forceinline__ void vrs_taps_read(const vrs_net_resize_params &p,
                                                     const vrs_taps_rows &rows, int column,
                                                     vrs_taps_column &c)
{
    const int at = min(max(column, 0), p.in.width - 1) * (p.in.pitch / 2);
#pragma unroll
    for (int dx = 0; dx < 3; dx++) {
#pragma unroll
        for (int a = 0; a < 4; a++)
            c.v[a][dx] = make_float2(0, 0);
#pragma unroll
        for (int dy = 0; dy < 3; dy++) {
            float2 z[3];
#pragma unroll
            for (int r = 0; r < 3; r++)
                z[r] = __half22float2(__ldg(rows.row[r] + at + (dy * 3 + dx) * (p.channels / 2)));
#pragma unroll
            for (int a = 0; a < 4; a++) {
                const int place = a + dy, first = place < 3 ? 0 : 1;
                const float weight = vrs_taps_weight[place];
                const float there = place == 0 ? rows.above : place == 5 ? rows.below : 1.0f;
                vrs_taps_add(c.v[a][dx], there * (1.0f - weight), z[first]);
                vrs_taps_add(c.v[a][dx], there * weight, z[first + 1]);
            }
        }
    }
}

/* The 4x4 results at a column of the source, from it and its neighbours. */
__device__ static __forceinline__ void vrs_taps_write(const vrs_net_resize_params &p, __half2 *to,
                                                      int column, const vrs_taps_column &left,
                                                      const vrs_taps_column &middle,
                                                      const vrs_taps_column &right)
{
    const float before = column > 0 ? 1.0f : 0.0f;
    const float behind = column + 1 < p.in.width ? 1.0f : 0.0f;
    const int64_t pixel = p.out.pitch / 2, line = pixel * p.out.width;
#pragma unroll
    for (int a = 0; a < 4; a++) {
#pragma unroll
        for (int b = 0; b < 4; b++) {
            float2 sum = make_float2(0, 0);
#pragma unroll
            for (int dx = 0; dx < 3; dx++) {
                const int place = b + dx;
                const float weight = vrs_taps_weight[place];
                const float there = place == 0 ? before : place == 5 ? behind : 1.0f;
                vrs_taps_add(sum, there * (1.0f - weight),
                             place < 3 ? left.v[a][dx] : middle.v[a][dx]);
                vrs_taps_add(sum, there * weight, place < 3 ? middle.v[a][dx] : right.v[a][dx]);
            }
            to[a * line + (4 * column + b) * pixel] = __float22half2_rn(sum);
        }
    }
}

/* A thread has two channels of a row of the source and goes along some of its columns, each of
 * which it reads once. */
extern "C" __global__ void __launch_bounds__(256, 2)
    vrs_net_resize_taps(const __grid_constant__ vrs_net_resize_params p)
{
    const int pairs = p.channels / 2, parts = (p.in.width + p.cells - 1) / p.cells;
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const int pair = (int)(i % pairs);
    i /= pairs;
    const int begin = (int)(i % parts) * p.cells;
    i /= parts;
    const int y = (int)(i % p.in.height), n = (int)(i / p.in.height);
    if (n >= p.batch)
        return;
    vrs_taps_rows rows;
#pragma unroll
    for (int r = 0; r < 3; r++) {
        const int row = min(max(y + r - 1, 0), p.in.height - 1);
        rows.row[r] =
            reinterpret_cast<const __half2 *>(p.in.data) + vrs_net_at(&p.in, n, row, 0) / 2 + pair;
    }
    rows.above = y > 0 ? 1.0f : 0.0f;
    rows.below = y + 1 < p.in.height ? 1.0f : 0.0f;
    __half2 *to =
        reinterpret_cast<__half2 *>(p.out.data) + vrs_net_at(&p.out, n, 4 * y, 0) / 2 + pair;
    vrs_taps_column left, middle, right;
    vrs_taps_read(p, rows, begin - 1, left);
    vrs_taps_read(p, rows, begin, middle);
    const int end = min(begin + p.cells, p.in.width);
    for (int x = begin; x < end; x++) {
        vrs_taps_read(p, rows, x + 1, right);
        vrs_taps_write(p, to, x, left, middle, right);
        left = middle;
        middle = right;
    }
}

/* ---- reduce: a block a group of 32 results, whose addends 8 rows of threads share ---- */

extern "C" __global__ void __launch_bounds__(1024)
    vrs_net_reduce_block(const __grid_constant__ vrs_net_reduce_params p)
{
    __shared__ float parts[32][33];
    const int64_t i = (int64_t)blockIdx.x * 32 + threadIdx.x;
    const int64_t count = vrs_net_reduce_count(&p);
    int64_t all = p.fill, to = 0, from = 0;
    for (int axis = 0; axis < p.rank - 1; axis++)
        all *= p.dims[axis];
    int filling = 1;
    float sum = vrs_net_reduce_begin(p.kind);
    if (i < all)
        filling = vrs_net_reduce_place(&p, i, &to, &from);
    if (!filling)
        sum = vrs_net_reduce_part(&p, from, threadIdx.y, 32, count);
    parts[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || i >= all)
        return;
    for (int k = 1; k < 32; k++)
        sum = vrs_net_reduce_add(p.kind, sum, parts[k][threadIdx.x]);
    vrs_net_store(p.out.data, p.out.type, to, filling ? 0.0f : vrs_net_reduce_end(&p, sum, count));
}

/* ---- sums and means over pixels: four channels a thread, whose pixels 32 rows of threads share
 * ----
 */

template <int TYPE> __device__ static __forceinline__ float4 vrs_four(uint64_t data, int64_t at)
{
    if (TYPE == VRS_NET_F32)
        return __ldg(reinterpret_cast<const float4 *>(reinterpret_cast<const float *>(data) + at));
    if (TYPE == VRS_NET_I8) {
        const char4 v =
            __ldg(reinterpret_cast<const char4 *>(reinterpret_cast<const int8_t *>(data) + at));
        return make_float4(v.x, v.y, v.z, v.w);
    }
    const uint2 v =
        __ldg(reinterpret_cast<const uint2 *>(reinterpret_cast<const uint16_t *>(data) + at));
    const float2 a = __half22float2(*reinterpret_cast<const __half2 *>(&v.x));
    const float2 b = __half22float2(*reinterpret_cast<const __half2 *>(&v.y));
    return make_float4(a.x, a.y, b.x, b.y);
}

template <int TYPE>
__device__ static __forceinline__ float4 vrs_sum_rows(const vrs_net_reduce_params &p, int64_t from)
{
    float4 sum = make_float4(0, 0, 0, 0);
    const int count = (int)p.over_dims[0];
#pragma unroll 8
    for (int k = threadIdx.y; k < count; k += 32) {
        const float4 v = vrs_four<TYPE>(p.in.data, from + k * p.over_stride[0]);
        sum.x += v.x;
        sum.y += v.y;
        sum.z += v.z;
        sum.w += v.w;
    }
    return sum;
}

extern "C" __global__ void __launch_bounds__(1024)
    vrs_net_reduce_rows(const __grid_constant__ vrs_net_reduce_params p)
{
    __shared__ float4 parts[32][32];
    const int64_t i = ((int64_t)blockIdx.x * 32 + threadIdx.x) * 4;
    int64_t all = p.fill, to = 0, from = 0;
    for (int axis = 0; axis < p.rank - 1; axis++)
        all *= p.dims[axis];
    const int filling = i < all ? vrs_net_reduce_place(&p, i, &to, &from) : 1;
    if (!filling)
        parts[threadIdx.y][threadIdx.x] =
            p.in.type == VRS_NET_F32  ? vrs_sum_rows<VRS_NET_F32>(p, from)
            : p.in.type == VRS_NET_I8 ? vrs_sum_rows<VRS_NET_I8>(p, from)
                                      : vrs_sum_rows<VRS_NET_F16>(p, from);
    __syncthreads();
    /* The first four rows finish one channel each. */
    if (threadIdx.y >= 4 || i >= all)
        return;
    float sum = 0.0f;
    for (int k = 0; k < 32 && !filling; k++)
        sum += reinterpret_cast<const float *>(&parts[k][threadIdx.x])[threadIdx.y];
    vrs_net_store(p.out.data, p.out.type, to + threadIdx.y * p.out.stride[p.rank - 1],
                  filling ? 0.0f : vrs_net_reduce_end(&p, sum, p.over_dims[0]));
}

/* ---- depthwise convolution ---- */

template <typename T>
__device__ static __forceinline__ void vrs_depthwise(const vrs_net_conv_params &p)
{
    constexpr int N = vrs_vector<T>::count;
    const vrs_spot s = vrs_find(p.out, p.batch, p.out_channels / N);
    if (!s.inside)
        return;
    float sum[N];
#pragma unroll
    for (int e = 0; e < N; e++)
        sum[e] = 0.0f;
    const int taps = p.kernel[0] * p.kernel[1];
    for (int ky = 0; ky < p.kernel[0]; ky++) {
        const int y = vrs_net_conv_place(&p, 0, s.y, ky);
        if (y < 0)
            continue;
        for (int kx = 0; kx < p.kernel[1]; kx++) {
            const int x = vrs_net_conv_place(&p, 1, s.x, kx);
            if (x < 0)
                continue;
            const vrs_vector<T> v = vrs_read<T>(p.in.data, vrs_net_at(&p.in, s.n, y, x) + s.c * N);
            const T *w = reinterpret_cast<const T *>(p.weights) + ky * p.kernel[1] + kx;
#pragma unroll
            for (int e = 0; e < N; e++)
                sum[e] += v.v[e] * vrs_value(__ldg(w + (int64_t)(s.c * N + e) * taps));
        }
    }
    vrs_vector<T> r;
    const int64_t pixel = ((int64_t)s.n * p.out.height + s.y) * p.out.width + s.x;
#pragma unroll
    for (int e = 0; e < N; e++)
        r.v[e] = vrs_net_conv_finish(&p, sum[e], pixel, s.c * N + e);
    vrs_write<T>(p.out.data, pixel * p.out.pitch + s.c * N, r);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_conv_depthwise(const __grid_constant__ vrs_net_conv_params p)
{
    if (p.out.type == VRS_NET_F16)
        vrs_depthwise<uint16_t>(p);
    else
        vrs_depthwise<float>(p);
}

/* ---- 1x1 convolution to few channels: 8 neighbouring threads share some pixels ---- */

#define VRS_NARROW_CHANNELS 8
#define VRS_NARROW_THREADS 8
#define VRS_NARROW_PIXELS 4

/* Sums of 8-bit products are of integers. */
template <typename T> struct vrs_narrow_sum {
    typedef float type;
};
template <> struct vrs_narrow_sum<int8_t> {
    typedef int type;
};

struct vrs_bytes {
    uint4 v;
};

template <typename T>
__device__ static __forceinline__ auto vrs_narrow_read(uint64_t data, int64_t at)
{
    if constexpr (sizeof(T) == 1)
        return vrs_bytes{
            __ldg(reinterpret_cast<const uint4 *>(reinterpret_cast<const int8_t *>(data) + at))};
    else
        return vrs_read<T>(data, at);
}

template <typename T>
__device__ static __forceinline__ void vrs_narrow_add(float &sum, const vrs_vector<T> &a,
                                                      const vrs_vector<T> &b)
{
#pragma unroll
    for (int e = 0; e < vrs_vector<T>::count; e++)
        sum += a.v[e] * b.v[e];
}

__device__ static __forceinline__ void vrs_narrow_add(int &sum, const vrs_bytes &a,
                                                      const vrs_bytes &b)
{
    sum = __dp4a((int)a.v.x, (int)b.v.x, sum);
    sum = __dp4a((int)a.v.y, (int)b.v.y, sum);
    sum = __dp4a((int)a.v.z, (int)b.v.z, sum);
    sum = __dp4a((int)a.v.w, (int)b.v.w, sum);
}

/* Sums of up to K channels of PIXELS pixels from `pixel` on: loads are many at once, and weights
 * serve all pixels. */
template <typename T, int K, int PIXELS, typename SUM>
__device__ static __forceinline__ void vrs_narrow_sums(const vrs_net_conv_params &p, int64_t pixel,
                                                       int64_t pixels, int part,
                                                       SUM (&sum)[PIXELS * K])
{
    constexpr int N = 16 / sizeof(T);
#pragma unroll
    for (int k = 0; k < PIXELS * K; k++)
        sum[k] = 0;
    for (int c = part * N; c < p.in_channels; c += VRS_NARROW_THREADS * N) {
        decltype(vrs_narrow_read<T>(0, 0)) v[PIXELS];
#pragma unroll
        for (int q = 0; q < PIXELS; q++) {
            const int64_t from = pixel + q < pixels ? pixel + q : pixels - 1;
            v[q] = vrs_narrow_read<T>(p.in.data, from * p.in.pitch + c);
        }
#pragma unroll
        for (int k = 0; k < K; k++) {
            const int row = k < p.out_channels ? k : 0;
            const auto w = vrs_narrow_read<T>(p.weights, (int64_t)row * p.in_channels + c);
#pragma unroll
            for (int q = 0; q < PIXELS; q++)
                vrs_narrow_add(sum[q * K + k], v[q], w);
        }
    }
}

template <typename T, int K>
__device__ static __forceinline__ void vrs_narrow(const vrs_net_conv_params &p)
{
    constexpr int PIXELS = VRS_NARROW_PIXELS, T8 = VRS_NARROW_THREADS;
    const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const int64_t pixel = i / T8 * PIXELS;
    const int64_t pixels = (int64_t)p.batch * p.out.height * p.out.width;
    const int part = (int)(i % T8);
    typename vrs_narrow_sum<T>::type sum[PIXELS * K];
    vrs_narrow_sums<T, K, PIXELS>(p, pixel, pixels, part, sum);
#pragma unroll
    for (int k = 0; k < PIXELS * K; k++)
#pragma unroll
        for (int step = T8 / 2; step > 0; step /= 2)
            sum[k] += __shfl_xor_sync(0xffffffff, sum[k], step);
            /* All eight have all sums: each finishes one of eight. */
#pragma unroll
    for (int first = 0; first < PIXELS * K; first += T8) {
        float mine = 0.0f;
#pragma unroll
        for (int e = 0; e < T8 && first + e < PIXELS * K; e++)
            mine = part == e ? (float)sum[first + e] : mine;
        const int64_t at = pixel + (first + part) / K;
        const int k = (first + part) % K;
        if (first + part < PIXELS * K && at < pixels && k < p.out_channels)
            vrs_net_store(p.out.data, p.out.type, at * p.out.pitch + k,
                          vrs_net_conv_finish(&p, mine, at, k));
    }
}

template <typename T>
__device__ static __forceinline__ void vrs_narrow(const vrs_net_conv_params &p)
{
    if (p.out_channels == 1)
        vrs_narrow<T, 1>(p);
    else if (p.out_channels == 2)
        vrs_narrow<T, 2>(p);
    else if (p.out_channels <= 4)
        vrs_narrow<T, 4>(p);
    else
        vrs_narrow<T, VRS_NARROW_CHANNELS>(p);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_conv_narrow(const __grid_constant__ vrs_net_conv_params p)
{
    if (p.in.type == VRS_NET_F16)
        vrs_narrow<uint16_t>(p);
    else if (p.in.type == VRS_NET_I8)
        vrs_narrow<int8_t>(p);
    else
        vrs_narrow<float>(p);
}
