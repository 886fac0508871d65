/* Sums over windows of any radius, as a block marches down: each thread keeps running sums down
 * its columns; along the row, differences of a running total over the block's columns, which lies
 * in shared memory. Integers only, so that nothing drifts.
 *
 * A block has blockDim.x threads of VRS_BOX_COLUMNS neighbouring columns. Its first column lies
 * `radius` left of its first result. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_BOX_CUH
#define VRS_KERNELS_CUDA_POSTPROCESS_BOX_CUH

#include "postprocess.cuh"

#define VRS_BOX_COLUMNS 4
#define VRS_BOX_THREADS 256

/* Totals up to each column: column i of the block at i % 4 * VRS_BOX_THREADS + i / 4, so that lanes
 * that read every fourth column meet no bank conflict. */
template <typename T> struct vrs_box_totals {
    T total[VRS_BOX_COLUMNS * VRS_BOX_THREADS];
    T warp[VRS_BOX_THREADS / 32];
};

__device__ __forceinline__ int vrs_box_place(int column)
{
    return column % VRS_BOX_COLUMNS * VRS_BOX_THREADS + column / VRS_BOX_COLUMNS;
}

/* First half of a row: totals inside of each warp. `value` becomes the thread's own totals. */
template <typename T> __device__ __forceinline__ T vrs_box_scan(vrs_box_totals<T> &b, T *value)
{
#pragma unroll
    for (int i = 1; i < VRS_BOX_COLUMNS; i++)
        value[i] += value[i - 1];
    const int lane = threadIdx.x % 32;
    T sum = value[VRS_BOX_COLUMNS - 1];
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
        const T other = __shfl_up_sync(0xffffffffu, sum, step);
        sum += lane >= step ? other : T(0);
    }
    if (lane == 31)
        b.warp[threadIdx.x / 32] = sum;
    return sum - value[VRS_BOX_COLUMNS - 1];
}

/* Second half, after a barrier; another one follows before totals are read. */
template <typename T>
__device__ __forceinline__ void vrs_box_store(vrs_box_totals<T> &b, const T *value, T before)
{
    for (int w = 0; w < (int)threadIdx.x / 32; w++)
        before += b.warp[w];
#pragma unroll
    for (int i = 0; i < VRS_BOX_COLUMNS; i++)
        b.total[i * VRS_BOX_THREADS + threadIdx.x] = value[i] + before;
}

/* Sum over the block's columns column - radius .. column + radius (inside of the block). */
template <typename T>
__device__ __forceinline__ T vrs_box_window(const vrs_box_totals<T> &b, int column, int radius)
{
    const T upto = b.total[vrs_box_place(column + radius)];
    const int first = column - radius - 1;
    return first < 0 ? upto : upto - b.total[vrs_box_place(first)];
}

#endif
