/* Any 2-D convolution in true FP32, with bias, residual and ReLU: tensor cores round the factors,
 * and what libraries have without them is made for other layouts.
 *
 * Floor of DeepLabV3+ on ResNet-50 at 512x512, 138 GFLOP: 2.3 ms a picture at the 60 TFLOP/s of an
 * H100 without tensor cores.
 *
 * An implicit matrix product: a block makes a square tile of pixels and channels, eight input
 * channels of one tap at a time, the next of which are on their way meanwhile. Each of its threads
 * has a square of the tile, in parts of four by four. */
#include "conv_implicit.cuh"

#define DEPTH 8  /* input channels of a step */
#define LANES 16 /* threads along a side of the tile */

template <int TILE> struct vrs_f32_stage {
    float pixels[DEPTH][TILE + 4], channels[DEPTH][TILE + 4];
};

/* What a thread loads: four input channels of some of the rows of both operands. */
template <int TILE> struct vrs_f32_loader {
    static constexpr int COUNT = 4 * TILE / VRS_IMPLICIT_THREADS;
    const vrs_conv_params &p;
    vrs_pixel at;
    float4 next[COUNT];

    __device__ __forceinline__ static bool is_pixel(int i)
    {
        return threadIdx.x + i * VRS_IMPLICIT_THREADS < 2 * TILE;
    }
    __device__ __forceinline__ static int row(int i)
    {
        return (threadIdx.x + i * VRS_IMPLICIT_THREADS) % (2 * TILE) / 2;
    }
    __device__ __forceinline__ explicit vrs_f32_loader(const vrs_conv_params &params) : p(params)
    {
        at = vrs_pixel_at<TILE>(p, row(0));
    }
    __device__ __forceinline__ void load(const vrs_position &from)
    {
        const int channel = from.channel + threadIdx.x % 2 * 4, taps = p.r * p.s;
        const int dy = from.tap / p.s * p.dilation[0], dx = from.tap % p.s * p.dilation[1];
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const float *address = nullptr;
            if (is_pixel(i)) {
                const int64_t line = (int64_t)(at.n * p.h + at.y + dy) * p.w + at.x + dx;
                if (channel < p.c && vrs_is_inside(p, at, dy, dx))
                    address =
                        reinterpret_cast<const float *>(p.input) + line * p.input_pitch + channel;
            } else {
                const int k = vrs_first_channel<TILE>(p) + row(i);
                if (channel < p.c && k < p.k)
                    address = reinterpret_cast<const float *>(p.weights) +
                              ((int64_t)k * taps + from.tap) * p.c + channel;
            }
            next[i] = address ? __ldg(reinterpret_cast<const float4 *>(address))
                              : make_float4(0, 0, 0, 0);
        }
    }
    __device__ __forceinline__ void store(vrs_f32_stage<TILE> &stage) const
    {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const int first = threadIdx.x % 2 * 4, to = row(i);
            float(*rows)[TILE + 4] = is_pixel(i) ? stage.pixels : stage.channels;
            rows[first][to] = next[i].x;
            rows[first + 1][to] = next[i].y;
            rows[first + 2][to] = next[i].z;
            rows[first + 3][to] = next[i].w;
        }
    }
};

/* Four neighbours of each part of a side that belong to a thread: `part` of them 64 apart. */
template <int SIDE>
__device__ __forceinline__ void vrs_f32_read(const float *row, int lane, float (&to)[SIDE])
{
#pragma unroll
    for (int part = 0; part < SIDE / 4; part++) {
        const float4 four = *reinterpret_cast<const float4 *>(row + part * 4 * LANES + lane * 4);
        to[4 * part] = four.x;
        to[4 * part + 1] = four.y;
        to[4 * part + 2] = four.z;
        to[4 * part + 3] = four.w;
    }
}

template <int TILE>
__device__ __forceinline__ void vrs_f32_multiply(const vrs_f32_stage<TILE> &stage,
                                                 float (&sum)[TILE / LANES][TILE / LANES])
{
    constexpr int SIDE = TILE / LANES;
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
        float a[SIDE], b[SIDE];
        vrs_f32_read<SIDE>(stage.pixels[k], threadIdx.x / LANES, a);
        vrs_f32_read<SIDE>(stage.channels[k], threadIdx.x % LANES, b);
#pragma unroll
        for (int i = 0; i < SIDE; i++)
#pragma unroll
            for (int j = 0; j < SIDE; j++)
                sum[i][j] = fmaf(a[i], b[j], sum[i][j]);
    }
}

__device__ __forceinline__ void vrs_f32_put(const vrs_conv_params &p, int64_t pixel, int channel,
                                            float4 v)
{
    if (p.bias != 0) {
        const float4 add =
            *reinterpret_cast<const float4 *>(reinterpret_cast<const float *>(p.bias) + channel);
        v = make_float4(v.x + add.x, v.y + add.y, v.z + add.z, v.w + add.w);
    }
    if (p.residual != 0) {
        const float4 add = *reinterpret_cast<const float4 *>(
            reinterpret_cast<const float *>(p.residual) + pixel * p.residual_pitch + channel);
        v = make_float4(v.x + add.x, v.y + add.y, v.z + add.z, v.w + add.w);
    }
    if (p.relu)
        v = make_float4(fmaxf(v.x, 0), fmaxf(v.y, 0), fmaxf(v.z, 0), fmaxf(v.w, 0));
    *reinterpret_cast<float4 *>(reinterpret_cast<float *>(p.output) + pixel * p.output_pitch +
                                channel) = v;
}

template <int TILE>
__device__ __forceinline__ void vrs_f32_put_all(const vrs_conv_params &p,
                                                const float (&sum)[TILE / LANES][TILE / LANES])
{
    constexpr int SIDE = TILE / LANES;
    const int64_t end = (int64_t)p.n * p.out_h * p.out_w;
#pragma unroll
    for (int i = 0; i < SIDE; i++) {
        const int64_t pixel =
            (int64_t)vrs_first_pixel<TILE>(p) + i / 4 * 4 * LANES + threadIdx.x / LANES * 4 + i % 4;
#pragma unroll
        for (int j = 0; j < SIDE; j += 4) {
            const int channel = vrs_first_channel<TILE>(p) + j * LANES + threadIdx.x % LANES * 4;
            if (pixel < end && channel < p.k)
                vrs_f32_put(p, pixel, channel,
                            make_float4(sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]));
        }
    }
}

template <int TILE> __device__ __forceinline__ void vrs_f32(const vrs_conv_params &p)
{
    __shared__ __align__(16) vrs_f32_stage<TILE> stages[2];
    __shared__ uint32_t alive[VRS_IMPLICIT_TAPS / 32];
    const int taps = p.r * p.s;
    const int steps = vrs_find_taps<TILE>(p, alive) * ((p.c + DEPTH - 1) / DEPTH);
    float sum[TILE / LANES][TILE / LANES] = {};
    vrs_f32_loader<TILE> loader(p);
    vrs_position from = {vrs_next_tap(alive, -1, taps), 0};
    const auto load = [&]() {
        loader.load(from);
        from.channel += DEPTH;
        if (from.channel >= p.c)
            from = {vrs_next_tap(alive, from.tap, taps), 0};
    };
    if (steps > 0) {
        load();
        loader.store(stages[0]);
    }
    __syncthreads();
    for (int step = 0; step < steps; step++) {
        const bool more = step + 1 < steps;
        if (more)
            load();
        vrs_f32_multiply<TILE>(stages[step & 1], sum);
        if (more)
            loader.store(stages[(step + 1) & 1]);
        __syncthreads();
    }
    vrs_f32_put_all<TILE>(p, sum);
}

/* Grid: 128 output channels of 128 pixels each, channels first. */
extern "C" __global__ void __launch_bounds__(VRS_IMPLICIT_THREADS, 2)
    vrs_conv_f32(const __grid_constant__ vrs_conv_params p)
{
    vrs_f32<128>(p);
}

/* The same of 64, for few pixels. */
extern "C" __global__ void __launch_bounds__(VRS_IMPLICIT_THREADS, 2)
    vrs_conv_f32_small(const __grid_constant__ vrs_conv_params p)
{
    vrs_f32<64>(p);
}
