/* The machine and the time, as vrseg sees them. */
#ifndef VRSEG_SYSTEM_H
#define VRSEG_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VRS_VERSION_MAJOR 0
#define VRS_VERSION_MINOR 1
#define VRS_VERSION_PATCH 0
#define VRS_VERSION_TEXT "0.1.0"

/* Version of the library that is running, "0.1.0". */
VRS_API const char *vrs_version(void);

/* Nanoseconds of the clock by which vrseg stamps frames; never goes back. */
VRS_API int64_t vrs_now_ns(void);

/* Processors that this process may use: its affinity mask, cut by the cgroup's CPU quota (rounded
 * up); at least 1. */
VRS_API int32_t vrs_cpu_count(void);

/* CPU model and the instruction sets that vrseg uses on it, e.g. "AVX-512". Static text. */
VRS_API const char *vrs_cpu_name(void);
VRS_API const char *vrs_cpu_isa(void);

/* The OpenVINO that would be opened: version and folder. VRS_MISSING: none (the detail says how to
 * get it). */
VRS_API vrs_status vrs_openvino_info(char *version, size_t version_size, char *folder,
                                     size_t folder_size) VRS_MUST_USE;

/* The same of ONNX Runtime; the version names the providers that it was built with: "1.32.0 (cpu)".
 * VRS_MISSING also where vrseg was built without it, VRS_UNSUPPORTED: it is too old. */
VRS_API vrs_status vrs_onnxruntime_info(char *version, size_t version_size, char *folder,
                                        size_t folder_size) VRS_MUST_USE;

/* cuDNN, for the engine cuda: its version, "9.14.0". VRS_MISSING: how to get it. VRS_UNSUPPORTED:
 * too old. */
VRS_API vrs_status vrs_cudnn_info(char *version, size_t size) VRS_MUST_USE;

/* NVIDIA GPUs that the driver shows; at least 1 on success. VRS_MISSING: no driver, one without a
 * function that is needed, or no GPU; VRS_UNSUPPORTED: the driver is too old; VRS_DEVICE: it does
 * not start. The detail says how to get what is missing. */
VRS_API vrs_status vrs_gpu_count(int32_t *count) VRS_MUST_USE;

/* Tries whether GPU `number` can be used and says what it is: "NVIDIA H200, compute capability 9.0,
 * 132 multiprocessors, 143771 MB, CUDA 13.0". Where it cannot, the errors of opening it, whose
 * detail says why. */
VRS_API vrs_status vrs_gpu_describe(int32_t number, char *text, size_t size) VRS_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
