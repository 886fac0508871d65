/* The kernels that run whatever of a network has no faster one: an element a thread, in the words
 * of net_ops.h. */
#include "net_ops.h"

__device__ static __forceinline__ int64_t vrs_net_thread(void)
{
    return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ static __forceinline__ int64_t vrs_net_count(const int64_t *dims, int rank, int64_t last)
{
    int64_t count = last;
    for (int axis = 0; axis < rank - 1; axis++)
        count *= dims[axis];
    return count;
}

__device__ static __forceinline__ int64_t vrs_net_pixels(const vrs_net_picture &picture, int batch)
{
    return (int64_t)batch * picture.height * picture.width;
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_map(const __grid_constant__ vrs_net_map_params p)
{
    const int64_t i = vrs_net_thread();
    if (i < vrs_net_count(p.dims, p.rank, p.fill))
        vrs_net_map_element(&p, i);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_reshape(const __grid_constant__ vrs_net_reshape_params p)
{
    const int64_t i = vrs_net_thread();
    if (i < vrs_net_count(p.dims, p.rank, p.dims[p.rank - 1]))
        vrs_net_reshape_element(&p, i);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_pad(const __grid_constant__ vrs_net_pad_params p)
{
    const int64_t i = vrs_net_thread();
    if (i < vrs_net_count(p.dims, p.rank, p.fill))
        vrs_net_pad_element(&p, i);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_gather(const __grid_constant__ vrs_net_gather_params p)
{
    const int64_t i = vrs_net_thread();
    if (i < vrs_net_count(p.dims, p.rank, p.dims[p.rank - 1]))
        vrs_net_gather_element(&p, i);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_pool(const __grid_constant__ vrs_net_pool_params p)
{
    const int64_t i = vrs_net_thread();
    if (i < vrs_net_pixels(p.out, p.batch) * p.fill)
        vrs_net_pool_element(&p, i);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_resize(const __grid_constant__ vrs_net_resize_params p)
{
    const int64_t i = vrs_net_thread();
    if (i < vrs_net_pixels(p.out, p.batch) * p.fill)
        vrs_net_resize_element(&p, i);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_reduce(const __grid_constant__ vrs_net_reduce_params p)
{
    const int64_t i = vrs_net_thread();
    if (i < vrs_net_count(p.dims, p.rank, p.fill))
        vrs_net_reduce_element(&p, i);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_along(const __grid_constant__ vrs_net_along_params p)
{
    const int64_t i = vrs_net_thread();
    if (i < vrs_net_count(p.dims, p.rank, p.dims[p.rank - 1]))
        vrs_net_along_element(&p, i);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_conv(const __grid_constant__ vrs_net_conv_params p)
{
    const int64_t i = vrs_net_thread();
    if (i < vrs_net_pixels(p.out, p.batch) * p.out_channels)
        vrs_net_conv_element(&p, i);
}

extern "C" __global__ void __launch_bounds__(256)
    vrs_net_matmul(const __grid_constant__ vrs_net_matmul_params p)
{
    const int64_t column = vrs_net_thread(), row = blockIdx.y;
    if (column < p.columns)
        vrs_net_matmul_element(&p, blockIdx.z, row, column);
}

/* A block of 32 columns of threads, a channel each, and 8 rows that share its pixels. */
extern "C" __global__ void __launch_bounds__(256)
    vrs_net_norm(const __grid_constant__ vrs_net_norm_params p)
{
    __shared__ float sums[8][32], squares[8][32];
    const int c = blockIdx.x * 32 + threadIdx.x;
    const int64_t pixels = (int64_t)p.in.height * p.in.width, first = blockIdx.y * pixels;
    float sum = 0.0f, square = 0.0f;
    for (int64_t i = threadIdx.y; i < pixels && c < p.channels; i += 8)
        sum += vrs_net_load(p.in.data, p.in.type, (first + i) * p.in.pitch + c);
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    sum = 0.0f;
    for (int k = 0; k < 8; k++)
        sum += sums[k][threadIdx.x];
    const float mean = sum / (float)pixels;
    for (int64_t i = threadIdx.y; i < pixels && c < p.channels; i += 8) {
        const float d = vrs_net_load(p.in.data, p.in.type, (first + i) * p.in.pitch + c) - mean;
        square += d * d;
    }
    squares[threadIdx.y][threadIdx.x] = square;
    __syncthreads();
    square = 0.0f;
    for (int k = 0; k < 8; k++)
        square += squares[k][threadIdx.x];
    const float factor = rsqrtf(square / (float)pixels + p.epsilon);
    for (int64_t i = threadIdx.y; i < pixels && c < p.fill; i += 8)
        vrs_net_norm_pixel(&p, first + i, c, mean, factor);
}
