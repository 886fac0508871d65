/* What of a CUDA device others need who speak to the driver themselves: the decoder, benchmarks. */
#ifndef VRS_DEVICE_CUDA_CUDA_H
#define VRS_DEVICE_CUDA_CUDA_H

#include "device/cuda/api.h"
#include "device/device.h"

/* The driver's functions, its context and its number of a device; NULL and -1 for the CPU. Live as
 * long as the device. */
const vrs_cu_api *vrs_cuda_api(const vrs_device *device);
vrs_cu_context vrs_cuda_context(const vrs_device *device);
vrs_cu_device vrs_cuda_ordinal(const vrs_device *device);

/* VRS_OK for 0, else fails with `what` was tried and the driver's own words: VRS_NO_MEMORY,
 * VRS_DEVICE, or VRS_DEVICE_LOST, which the device then stays. Any thread. */
vrs_status vrs_cuda_check(vrs_device *device, vrs_cu_result result, const char *what) VRS_MUST_USE;

#endif
