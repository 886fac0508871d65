/* What the CUDA kernels are measured beside: a copy, and preprocessing written as everybody writes
 * it first, a kernel for each step. */
#include <cuda_fp16.h>

#include "kernels_cuda_naive.h"

extern "C" __global__ void bench_copy(const __grid_constant__ bench_copy_params p)
{
    const uint4 *from = reinterpret_cast<const uint4 *>(p.from);
    uint4 *to = reinterpret_cast<uint4 *>(p.to);
    const uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < p.words)
        to[i] = from[i];
}

/* NV12 (BT.709, limited range) to R'G'B' 0..255 at full size. */
extern "C" __global__ void bench_to_float(const __grid_constant__ bench_naive_params p)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
    if (x >= p.width)
        return;
    const uint8_t *luma = reinterpret_cast<const uint8_t *>(p.frames + blockIdx.z * p.frame_step);
    const uint8_t *pair = luma + (size_t)p.width * p.height + (y / 2) * p.width + (x & ~1);
    float *to =
        reinterpret_cast<float *>(p.large + blockIdx.z * p.large_step) + (size_t)y * p.width + x;
    const size_t plane = (size_t)p.width * p.height;
    const float l = 1.1643836f * (luma[(size_t)y * p.width + x] - 16.0f);
    const float u = pair[0] - 128.0f, v = pair[1] - 128.0f;
    to[0] = fminf(fmaxf(l + 1.7927411f * v, 0.0f), 255.0f);
    to[plane] = fminf(fmaxf(l - 0.2132486f * u - 0.5329093f * v, 0.0f), 255.0f);
    to[2 * plane] = fminf(fmaxf(l + 2.1124018f * u, 0.0f), 255.0f);
}

/* Mean over each output's box. */
extern "C" __global__ void bench_resize(const __grid_constant__ bench_naive_params p)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
    if (x >= p.to_width)
        return;
    const float step_x = (float)p.width / p.to_width, step_y = (float)p.height / p.to_height;
    const float left = x * step_x, right = left + step_x;
    const float top = y * step_y, bottom = top + step_y;
    for (int c = 0; c < 3; c++) {
        const float *from = reinterpret_cast<const float *>(p.large + blockIdx.z * p.large_step) +
                            (size_t)c * p.width * p.height;
        float sum = 0.0f;
        for (int row = (int)top; row < min((int)ceilf(bottom), p.height); row++) {
            const float weight = fminf(bottom, row + 1.0f) - fmaxf(top, row);
            for (int column = (int)left; column < min((int)ceilf(right), p.width); column++)
                sum += weight * (fminf(right, column + 1.0f) - fmaxf(left, column)) *
                       from[(size_t)row * p.width + column];
        }
        float *to = reinterpret_cast<float *>(p.small + blockIdx.z * p.small_step);
        to[((size_t)c * p.to_height + y) * p.to_width + x] = sum / (step_x * step_y);
    }
}

extern "C" __global__ void bench_normalize(const __grid_constant__ bench_naive_params p)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
    if (x >= p.to_width)
        return;
    float *values = reinterpret_cast<float *>(p.small + blockIdx.z * p.small_step);
    for (int c = 0; c < 3; c++) {
        float *value = values + ((size_t)c * p.to_height + y) * p.to_width + x;
        *value = (*value - p.mean[c]) * p.scale[c];
    }
}

/* Planes of floats to pixels of 8 halves. */
extern "C" __global__ void bench_to_half(const __grid_constant__ bench_naive_params p)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
    if (x >= p.to_width)
        return;
    const size_t plane = (size_t)p.to_width * p.to_height, pixel = (size_t)y * p.to_width + x;
    const float *from =
        reinterpret_cast<const float *>(p.small + blockIdx.z * p.small_step) + pixel;
    __half *to = reinterpret_cast<__half *>(p.tensors + blockIdx.z * p.tensor_step) + pixel * 8;
    for (int c = 0; c < 8; c++)
        to[c] = c < 3 ? __float2half_rn(from[c * plane]) : __half(0.0f);
}
