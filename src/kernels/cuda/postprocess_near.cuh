/* Sums over windows along a row where a warp marches down by itself, a lane VRS_NEAR_COLUMNS
 * columns: a running total by a scan over the lanes, of which two shuffles give a window's sum at
 * any radius. No barrier, no shared memory. Totals may wrap: differences are right. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_NEAR_CUH
#define VRS_KERNELS_CUDA_POSTPROCESS_NEAR_CUH

#include "postprocess.cuh"

#define VRS_NEAR_ALL 0xffffffffu
#define VRS_NEAR_COLUMNS 4

/* Sums over the windows of a lane's columns, from the sums down its columns. The radius is
 * VRS_NEAR_COLUMNS * `lanes` + REST; lanes within it of the warp's ends get nothing of use. */
template <int REST>
__device__ __forceinline__ void vrs_near_windows(const unsigned *down, int lane, int lanes,
                                                 unsigned *window)
{
    unsigned upto[VRS_NEAR_COLUMNS] = {down[0]};
#pragma unroll
    for (int i = 1; i < VRS_NEAR_COLUMNS; i++)
        upto[i] = upto[i - 1] + down[i];
    unsigned total = upto[VRS_NEAR_COLUMNS - 1];
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
        const unsigned other = __shfl_up_sync(VRS_NEAR_ALL, total, step);
        total += lane >= step ? other : 0;
    }
    const unsigned before = total - upto[VRS_NEAR_COLUMNS - 1];
#pragma unroll
    for (int i = 0; i < VRS_NEAR_COLUMNS; i++)
        upto[i] += before;
#pragma unroll
    for (int i = 0; i < VRS_NEAR_COLUMNS; i++) {
        const int right = i + REST, left = i - 1 - REST; /* from the lane's first column on */
        const unsigned high = __shfl_down_sync(VRS_NEAR_ALL, upto[right % VRS_NEAR_COLUMNS],
                                               lanes + right / VRS_NEAR_COLUMNS);
        const int back = left < 0 ? 1 : 0;
        unsigned low =
            __shfl_up_sync(VRS_NEAR_ALL, upto[left + back * VRS_NEAR_COLUMNS], lanes + back);
        if (REST == 0 && i == 0) /* before the warp's first column there is nothing */
            low = lane > lanes ? low : 0;
        window[i] = high - low;
    }
}

/* Lanes at each of a warp's ends that are for windows alone. */
__device__ __forceinline__ int vrs_near_edge(int radius)
{
    return (radius + VRS_NEAR_COLUMNS - 1) / VRS_NEAR_COLUMNS;
}

#endif
