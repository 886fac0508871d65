/* Host side of the CUDA kernels of steady masks; kernels/steady.h has what they compute.
 *
 *   picture ─ halve ─> small ─ match (with the past's) ─> motion, unlike ─ follow ─> result, age
 *
 * As postprocess_launch.h: all queue on `stream` and return. Of the views of one follow() none is
 * the past of another. VRS_INVALID: no or too many views, impossible sides, a share of 0 or above
 * VRS_SHARE_ONE. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_LAUNCH_STEADY_H
#define VRS_KERNELS_CUDA_POSTPROCESS_LAUNCH_STEADY_H

#include "device/device.h"
#include "kernels/cuda/params_steady.h"

typedef struct vrs_cuda_steady {
    vrs_kernel *halve, *coarse, *fine, *follow, *follow_four;
} vrs_cuda_steady;

/* Finds the kernels, which are borrowed from the device. What vrs_device_kernel() returns. */
vrs_status vrs_cuda_steady_open(vrs_device *device, vrs_cuda_steady *kernels) VRS_MUST_USE;

/* Reads picture, writes small. */
vrs_status vrs_cuda_steady_halve(const vrs_cuda_steady *kernels, vrs_device_stream *stream,
                                 const vrs_steady_params *params, int32_t count) VRS_MUST_USE;
/* Writes motion and adds to `unlike`; views without a past are left out. */
vrs_status vrs_cuda_steady_match(const vrs_cuda_steady *kernels, vrs_device_stream *stream,
                                 const vrs_steady_params *params, int32_t count) VRS_MUST_USE;
/* Writes result and age, adds to `sum`. Fills in `cut`. */
vrs_status vrs_cuda_steady_follow(const vrs_cuda_steady *kernels, vrs_device_stream *stream,
                                  vrs_steady_params *params, int32_t count) VRS_MUST_USE;

#endif
