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

/* Eight results of a resize from FP16, rounded to I8. */
__device__ static __forceinline__ void vrs_write_i8(const vrs_net_resize_params &p, int64_t at,
                                                    const vrs_vector<uint16_t> &r)
{
    union {
        uint2 whole;
        int8_t part[8];
    } u;
#pragma unroll
    for (int k = 0; k < 8; k++)
        u.part[k] = (int8_t)(int)vrs_net_quantize(VRS_NET_I8, r.v[k], p.quantum, 0.0f);
    *reinterpret_cast<uint2 *>(reinterpret_cast<int8_t *>(p.out.data) + at) = u.whole;
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
    if (p.out.type == VRS_NET_I8)
        vrs_write_i8(p, at, r);
    else
        vrs_write<uint16_t>(p.out.data, at, r);
}

template <typename T>
__device__ static __forceinline__ void vrs_resize(const vrs_net_resize_params &p)
{
    constexpr int N = vrs_vector<T>::count;
    const vrs_spot s = vrs_find(p.out, p.batch, p.fill / N);
    if (!s.inside)
        return;
    const vrs_net_taps y = vrs_net_resize_taps(&p, 0, s.y), x = vrs_net_resize_taps(&p, 1, s.x);
    const int64_t to = vrs_net_at(&p.out, s.n, s.y, s.x) + s.c * N;
    vrs_vector<T> a = vrs_read<T>(p.in.data, vrs_net_at(&p.in, s.n, y.first, x.first) + s.c * N);
    if (p.mode == VRS_NET_RESIZE_NEAREST) {
        for (int e = 0; e < N; e++)
            a.v[e] = s.c * N + e < p.channels ? a.v[e] : 0.0f;
        vrs_put_resized<T>(p, to, a);
        return;
    }
    const vrs_vector<T> b =
        vrs_read<T>(p.in.data, vrs_net_at(&p.in, s.n, y.first, x.second) + s.c * N);
    const vrs_vector<T> c =
        vrs_read<T>(p.in.data, vrs_net_at(&p.in, s.n, y.second, x.first) + s.c * N);
    const vrs_vector<T> d =
        vrs_read<T>(p.in.data, vrs_net_at(&p.in, s.n, y.second, x.second) + s.c * N);
#pragma unroll
    for (int e = 0; e < N; e++) {
        const float top = a.v[e] + (b.v[e] - a.v[e]) * x.weight;
        const float bottom = c.v[e] + (d.v[e] - c.v[e]) * x.weight;
        a.v[e] = s.c * N + e < p.channels ? top + (bottom - top) * y.weight : 0.0f;
    }
    vrs_put_resized<T>(p, to, a);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_resize_vector(const __grid_constant__ vrs_net_resize_params p)
{
    if (p.in.type == VRS_NET_F16)
        vrs_resize<uint16_t>(p);
    else
        vrs_resize<float>(p);
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
    vrs_net_store(p.out.data, p.out.type, to,
                  filling ? 0.0f : vrs_net_reduce_end(p.kind, sum, count));
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

/* ---- 1x1 convolution to few channels: 8 neighbouring threads share a pixel ---- */

#define VRS_NARROW_CHANNELS 8
#define VRS_NARROW_THREADS 8

template <typename T>
__device__ static __forceinline__ void vrs_narrow(const vrs_net_conv_params &p)
{
    constexpr int N = vrs_vector<T>::count;
    const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const int64_t pixel = i / VRS_NARROW_THREADS;
    const int part = (int)(i % VRS_NARROW_THREADS);
    const bool inside = pixel < (int64_t)p.batch * p.out.height * p.out.width;
    float sum[VRS_NARROW_CHANNELS];
#pragma unroll
    for (int k = 0; k < VRS_NARROW_CHANNELS; k++)
        sum[k] = 0.0f;
    for (int c = part * N; inside && c < p.in_channels; c += VRS_NARROW_THREADS * N) {
        const vrs_vector<T> v = vrs_read<T>(p.in.data, pixel * p.in.pitch + c);
#pragma unroll
        for (int k = 0; k < VRS_NARROW_CHANNELS; k++) {
            if (k >= p.out_channels)
                continue;
            const vrs_vector<T> w = vrs_read<T>(p.weights, (int64_t)k * p.in_channels + c);
#pragma unroll
            for (int e = 0; e < N; e++)
                sum[k] += v.v[e] * w.v[e];
        }
    }
#pragma unroll
    for (int k = 0; k < VRS_NARROW_CHANNELS; k++) {
        if (k >= p.out_channels)
            continue;
        for (int step = VRS_NARROW_THREADS / 2; step > 0; step /= 2)
            sum[k] += __shfl_xor_sync(0xffffffff, sum[k], step);
        if (inside && part == k % VRS_NARROW_THREADS)
            vrs_net_store(p.out.data, p.out.type, pixel * p.out.pitch + k,
                          vrs_net_conv_finish(&p, sum[k], pixel, k));
    }
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_conv_narrow(const __grid_constant__ vrs_net_conv_params p)
{
    if (p.in.type == VRS_NET_F16)
        vrs_narrow<uint16_t>(p);
    else
        vrs_narrow<float>(p);
}
