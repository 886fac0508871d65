/* Host side of the CUDA kernels of views through grids: checks, grids, one launch a batch. What a
 * view means, and its grids: kernels/warp.h; the caller keeps the grids on the device. */
#ifndef VRS_KERNELS_CUDA_WARP_LAUNCH_H
#define VRS_KERNELS_CUDA_WARP_LAUNCH_H

#include "device/device.h"
#include "kernels/cuda/params_warp.h"
#include "kernels/warp.h"

typedef struct vrs_cuda_warp {
    vrs_kernel *preprocess, *patches, *class_patches;
} vrs_cuda_warp;

/* Finds the kernels. `kernels` borrows them from the device. What vrs_device_kernel() returns. */
vrs_status vrs_cuda_warp_open(vrs_device *device, vrs_cuda_warp *kernels) VRS_MUST_USE;

/* One view of a batch. */
typedef struct vrs_cuda_warp_item {
    const vrs_preprocess_plan *plan;
    const vrs_warp *warp;     /* its positions are not read */
    const vrs_image *image;   /* of the plan's format and size; planes in the device */
    vrs_device_ptr positions; /* the warp's, 8-byte aligned */
    vrs_device_ptr tone;      /* the plan's table of VRS_TONE_STEPS + 1 floats; 0: none */
    vrs_device_ptr tensor;    /* vrs_preprocess_tensor_bytes(), 16-byte aligned */
    vrs_device_ptr luma;      /* the guide; 0: not wanted */
} vrs_cuda_warp_item;

/* Queues one launch for `count` views, 1..VRS_PREPROCESS_VIEWS, of one network, and returns. Same
 * results as vrs_preprocess_warp_fn within its tolerances. Any thread, each on its own stream.
 * VRS_INVALID; what vrs_device_launch() returns. */
vrs_status vrs_cuda_preprocess_warp(const vrs_cuda_warp *kernels, vrs_device_stream *stream,
                                    const vrs_cuda_warp_item *items, int32_t count) VRS_MUST_USE;

/* Lays `count` patches over a mask of width x height, as vrs_patches_fn but with all rows at once
 * and pairs of coefficients: each patch's `positions` and `mask` are device addresses, of masks or,
 * with `luma_of` (the frame, planes in the device, of the mask's size), of pairs of slope and
 * offset. Afterwards `threshold` is applied to the whole mask; 0: it is not. */
typedef struct vrs_cuda_patches {
    const vrs_patch *patches;
    const vrs_device_ptr *positions, *masks; /* of each patch, in place of its own */
    int32_t count;
    const vrs_image *luma_of; /* NULL: masks */
    vrs_device_ptr dst;
    int32_t dst_stride, width, height; /* stride in elements */
    int32_t threshold;
} vrs_cuda_patches;

vrs_status vrs_cuda_patches_run(const vrs_cuda_warp *kernels, vrs_device_stream *stream,
                                const vrs_cuda_patches *patches) VRS_MUST_USE;

/* Puts the classes of a map of width x height anew where tiles count, as vrs_class_patches_fn with
 * all rows at once: each patch's `positions` and `scores` are device addresses. */
typedef struct vrs_cuda_class_patches {
    const vrs_class_patch *patches;
    const vrs_device_ptr *positions, *scores; /* of each patch, in place of its own */
    int32_t count, classes;
    vrs_device_ptr dst;
    int32_t dst_stride, width, height;
} vrs_cuda_class_patches;

vrs_status vrs_cuda_class_patches_run(const vrs_cuda_warp *kernels, vrs_device_stream *stream,
                                      const vrs_cuda_class_patches *patches) VRS_MUST_USE;

#endif
