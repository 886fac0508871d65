/* cuDNN, opened at run time: its library, a handle for a device, errors. Private to cuda/. */
#ifndef VRS_ENGINE_CUDA_CUDNN_H
#define VRS_ENGINE_CUDA_CUDNN_H

#include <stdbool.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "device/device.h"
#include "engine/cuda/cudnn_api.h"

/* The result of a call that a test's failure injection refused. */
#define VRS_DNN_INJECTED (-1)
#define VRS_DNN_TRY(call) (vrs_inject("cudnn") ? (call) : VRS_DNN_INJECTED)

typedef struct vrs_dnn {
    const vrs_dnn_api *api;
    vrs_device *device;
    vrs_dnn_handle handle;
    vrs_mutex mutex; /* of the handle and its stream */
} vrs_dnn;

/* Opens the library at the first call and keeps it for the life of the process:
 * $VRSEG_CUDNN_LIBRARY alone where that is set, else where the loader finds it, the private folder,
 * the CUDA toolkit. `version` is 90140 for 9.14.0. Any thread. VRS_MISSING: not there, or without a
 * function, with how to get it. VRS_UNSUPPORTED: too old. */
vrs_status vrs_dnn_library(const vrs_dnn_api **api, int64_t *version) VRS_MUST_USE;

/* A handle in the device's context. VRS_DEVICE, VRS_NO_MEMORY and the above. */
vrs_status vrs_dnn_open(vrs_device *device, vrs_dnn *dnn) VRS_MUST_USE;
void vrs_dnn_close(vrs_dnn *dnn);

/* VRS_OK for 0. VRS_UNSUPPORTED: cuDNN cannot do that; VRS_NO_MEMORY; VRS_DEVICE: it failed. With
 * cuDNN's own words. */
vrs_status vrs_dnn_check(const vrs_dnn_api *api, vrs_dnn_status status,
                         const char *what) VRS_MUST_USE;

#endif
