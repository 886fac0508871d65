/* Host side of the CUDA kernels that make frames for players. As postprocess_launch.h says of its
 * functions: they queue and return. */
#ifndef VRS_KERNELS_CUDA_PACK_LAUNCH_H
#define VRS_KERNELS_CUDA_PACK_LAUNCH_H

#include <stdint.h>

#include "device/device.h"
#include "kernels/cuda/params_pack.h"

typedef struct vrs_cuda_packing {
    vrs_kernel *pack, *unroll;
} vrs_cuda_packing;

/* Finds the kernels. `kernels` borrows them from the device. What vrs_device_kernel() returns. */
vrs_status vrs_cuda_packing_open(vrs_device *device, vrs_cuda_packing *kernels) VRS_MUST_USE;

/* `count` views are used, 1..VRS_POST_VIEWS. VRS_INVALID: that, or sides outside 1..VRS_MAX_SIDE,
 * of packed frames also odd ones; else what vrs_device_launch() returns. */
vrs_status vrs_cuda_pack(const vrs_cuda_packing *kernels, vrs_device_stream *stream,
                         const vrs_pack_params *params, int32_t count) VRS_MUST_USE;
vrs_status vrs_cuda_unroll(const vrs_cuda_packing *kernels, vrs_device_stream *stream,
                           const vrs_unroll_params *params, int32_t count) VRS_MUST_USE;

#endif
