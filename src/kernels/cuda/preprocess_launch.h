/* Host side of the CUDA preprocess kernels: a plan's tables, checks, grids, one launch a batch.
 *
 * A plan (kernels/preprocess.h) serves the CPU and CUDA alike. For CUDA its tables are made once
 * (vrs_cuda_preprocess_fill) and copied to the device by the caller, where they stay while launches
 * name them. */
#ifndef VRS_KERNELS_CUDA_PREPROCESS_LAUNCH_H
#define VRS_KERNELS_CUDA_PREPROCESS_LAUNCH_H

#include "device/device.h"
#include "kernels/cuda/params_preprocess.h"
#include "kernels/preprocess.h"

/* The kernels of this folder: one for any source, fast ones of a format, and those of whole
 * pictures and the usual tensors. */
#define VRS_PREPROCESS_FORMATS(X)                                                     \
    X(VRS_FORMAT_YUV420P, vrs_preprocess_yuv420p, vrs_preprocess_yuv420p_whole)       \
    X(VRS_FORMAT_NV12, vrs_preprocess_nv12, vrs_preprocess_nv12_whole)                \
    X(VRS_FORMAT_YUV420P10, vrs_preprocess_yuv420p10, vrs_preprocess_yuv420p10_whole) \
    X(VRS_FORMAT_P010, vrs_preprocess_p010, vrs_preprocess_p010_whole)                \
    X(VRS_FORMAT_RGB24, vrs_preprocess_rgb24, vrs_preprocess_rgb24_whole)             \
    X(VRS_FORMAT_BGRA, vrs_preprocess_bgra, vrs_preprocess_bgra_whole)
#define VRS_PREPROCESS_FAST 6 /* formats of these */

typedef struct vrs_cuda_preprocess {
    vrs_kernel *any;
    vrs_kernel *fast[VRS_PREPROCESS_FAST], *whole[VRS_PREPROCESS_FAST];
} vrs_cuda_preprocess;

/* Finds the kernels. `kernels` borrows them from the device. What vrs_device_kernel() returns. */
vrs_status vrs_cuda_preprocess_open(vrs_device *device, vrs_cuda_preprocess *kernels) VRS_MUST_USE;

/* Bytes of a plan's tables, a multiple of 4. */
size_t vrs_cuda_preprocess_bytes(const vrs_preprocess_plan *plan);

/* Writes a plan's tables (4-byte aligned host memory) and the part of a view's parameters that
 * stays the same for every frame: all but `plane`, `stride`, `tables`, `tensor` and `luma`. */
void vrs_cuda_preprocess_fill(const vrs_preprocess_plan *plan, void *tables,
                              vrs_preprocess_view *view);

/* One view of a batch. */
typedef struct vrs_cuda_preprocess_item {
    const vrs_preprocess_plan *plan;
    const vrs_preprocess_view *view; /* what the fill wrote */
    const vrs_image *image;          /* of the plan's format and size; planes in the device */
    vrs_device_ptr tables;           /* the plan's, 4-byte aligned */
    vrs_device_ptr tensor;           /* vrs_preprocess_tensor_bytes(), 16-byte aligned */
    vrs_device_ptr luma;             /* the guide, width x height bytes; 0: not wanted */
} vrs_cuda_preprocess_item;

/* Queues one launch for `count` views, 1..VRS_PREPROCESS_VIEWS, and returns. The plans' network
 * part (size, tensor, channels, mean, scale, quantum, pad) is the same in all; sources may differ.
 * Same results as vrs_preprocess_fn within its tolerances, whatever else is in the batch. The
 * images' ready events are the caller's to wait for. A batch whose sources have one format of YUV
 * 4:2:0, RGB24 or BGRA, planes and strides at multiples of 4 bytes (of 16 is faster) and reduce by
 * 8 at most takes a fast kernel.
 * Calls after each other on a stream may overlap: a call may read its images while the one right
 * before it still writes, so no image lies in that one's tensors or guides. It writes when all
 * before it has ended.
 * Any thread, each on its own stream. VRS_INVALID; what vrs_device_launch() returns. */
vrs_status vrs_cuda_preprocess_run(const vrs_cuda_preprocess *kernels, vrs_device_stream *stream,
                                   const vrs_cuda_preprocess_item *items,
                                   int32_t count) VRS_MUST_USE;

#endif
