/* A picture on the GPU brought into host memory, for who looks at few of them. */
#ifndef VRS_MEDIA_GPU_FETCH_H
#define VRS_MEDIA_GPU_FETCH_H

#include "device/device.h"
#include "vrseg/image.h"
#include "vrseg/status.h"

/* Copies `image`, which lies on `device` (CUDA) and is ready: its event is done. Waits for the
 * copy; makes and ends a stream for it, so never for every frame. `host` is owned. Any thread.
 * VRS_NO_MEMORY, VRS_DEVICE, VRS_DEVICE_LOST. */
vrs_status vrs_gpu_fetch(vrs_device *device, const vrs_image *image, vrs_image *host) VRS_MUST_USE;

#endif
