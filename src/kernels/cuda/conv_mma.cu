/* Any 2-D convolution by mma.sync, with bias, residual and ReLU: the twin of the kernels for
 * Hopper on every other GPU.
 *
 * An implicit matrix product: a block makes 128 pixels of the result by 128 channels, from stages
 * of 32 input channels of one tap that are copied ahead. Taps that fall outside of the picture for
 * all of its pixels are left out. */
#include "conv_implicit.cuh"
#include "mma.cuh"

#define TILE 128
#define STAGES 3
#define OPERAND (TILE * 64) /* bytes of an operand's stage: rows of 32 halves */

/* Place of a 16-byte part of a row, so that eight rows meet all banks. */
__device__ __forceinline__ uint32_t part_at(int row, int part)
{
    return row * 64 + ((part ^ (row >> 1)) & 3) * 16;
}

/* One stage: each thread a part of two rows of both operands. */
__device__ __forceinline__ void load_stage(const vrs_conv_params &p, unsigned char *stage,
                                           const vrs_pixel (&at)[2], const vrs_position &from)
{
    const int part = threadIdx.x & 3, channel = from.channel + part * 8;
    const int dy = from.tap / p.s * p.dilation[0];
    const int dx = from.tap % p.s * p.dilation[1];
    const __half *input = reinterpret_cast<const __half *>(p.input);
    const __half *weights = reinterpret_cast<const __half *>(p.weights);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const int row = threadIdx.x / 4 + i * 64;
        const bool inside = channel < p.c && vrs_is_inside(p, at[i], dy, dx);
        const int64_t line = (int64_t)(at[i].n * p.h + at[i].y + dy) * p.w + at[i].x + dx;
        vrs_copy_or_zero(stage + part_at(row, part),
                         input + (inside ? line * p.input_pitch + channel : 0), inside);
        const int k = vrs_first_channel<TILE>(p) + row;
        const bool there = channel < p.c && k < p.k;
        const int64_t filter = (int64_t)k * p.r * p.s + from.tap;
        vrs_copy_or_zero(stage + OPERAND + part_at(row, part),
                         weights + (there ? filter * p.c + channel : 0), there);
    }
}

/* A warp's 64 pixels by 32 channels. */
__device__ __forceinline__ void multiply_stage(uint32_t stage, int pixels, int channels,
                                               float (&sum)[4][4][4])
{
    const int lane = threadIdx.x & 31;
#pragma unroll
    for (int k = 0; k < 2; k++) {
        uint32_t a[4][4], b[2][4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            vrs_matrix_load_4(stage + part_at(pixels + i * 16 + (lane & 15), 2 * k + (lane >> 4)),
                              a[i]);
#pragma unroll
        for (int j = 0; j < 2; j++)
            vrs_matrix_load_4(stage + OPERAND +
                                  part_at(channels + j * 16 + (lane & 7) + (lane >> 4) * 8,
                                          2 * k + (lane >> 3 & 1)),
                              b[j]);
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++)
                vrs_mma(sum[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
    }
}

__device__ __forceinline__ void put(const vrs_conv_params &p, int64_t pixel, int channel, float a,
                                    float b)
{
    const float2 bias =
        vrs_load_or_zero(reinterpret_cast<const float *>(p.bias) + channel, p.bias != 0);
    a += bias.x;
    b += bias.y;
    if (p.residual != 0) {
        const float2 add = __half22float2(reinterpret_cast<const __half2 *>(
            p.residual)[(pixel * p.residual_pitch + channel) / 2]);
        a += add.x;
        b += add.y;
    }
    if (p.relu) {
        a = fmaxf(a, 0);
        b = fmaxf(b, 0);
    }
    __half2 *to = reinterpret_cast<__half2 *>(p.output);
    to[(pixel * p.output_pitch + channel) / 2] = __floats2half2_rn(a, b);
}

__device__ __forceinline__ void put_all(const vrs_conv_params &p, int pixels, int channels,
                                        const float (&sum)[4][4][4])
{
    const int lane = threadIdx.x & 31;
    const int64_t first = (int64_t)vrs_first_pixel<TILE>(p) + pixels + lane / 4;
    const int64_t end = (int64_t)p.n * p.out_h * p.out_w;
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int channel = vrs_first_channel<TILE>(p) + channels + 8 * j + lane % 4 * 2;
            const int64_t pixel = first + 16 * i;
            if (channel < p.k && pixel < end)
                put(p, pixel, channel, sum[i][j][0], sum[i][j][1]);
            if (channel < p.k && pixel + 8 < end)
                put(p, pixel + 8, channel, sum[i][j][2], sum[i][j][3]);
        }
    }
}

/* Grid: 128 output channels of 128 pixels each, channels first. */
extern "C" __global__ void __launch_bounds__(VRS_IMPLICIT_THREADS, 2)
    vrs_conv_mma(const __grid_constant__ vrs_conv_params p)
{
    extern __shared__ __align__(128) unsigned char shared[];
    __shared__ uint32_t alive[VRS_IMPLICIT_TAPS / 32];
    const int warp = threadIdx.x >> 5, pixels = warp % 2 * 64, channels = warp / 2 * 32;
    const int taps = p.r * p.s, steps = vrs_find_taps<TILE>(p, alive) * ((p.c + 31) / 32);
    const vrs_pixel at[2] = {vrs_pixel_at<TILE>(p, threadIdx.x / 4),
                             vrs_pixel_at<TILE>(p, threadIdx.x / 4 + 64)};
    const uint32_t base = (uint32_t)__cvta_generic_to_shared(shared);
    float sum[4][4][4] = {};
    vrs_position from = {vrs_next_tap(alive, -1, taps), 0};
    const auto load = [&](int stage) {
        if (from.tap < taps) {
            load_stage(p, shared + stage * 2 * OPERAND, at, from);
            from.channel += 32;
            if (from.channel >= p.c)
                from = {vrs_next_tap(alive, from.tap, taps), 0};
        }
        vrs_copy_commit();
    };
    for (int i = 0; i < STAGES - 1; i++)
        load(i);
    for (int step = 0; step < steps; step++) {
        vrs_copy_wait_but<STAGES - 2>();
        __syncthreads();
        load((step + STAGES - 1) % STAGES);
        multiply_stage(base + step % STAGES * 2 * OPERAND, pixels, channels, sum);
    }
    put_all(p, pixels, channels, sum);
}
