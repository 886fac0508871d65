/* ONNX Runtime's C API, and the few functions of its API 22 that plug-in providers need: headers of
 * API 21 do not have them yet. The table of functions only grows at its end, so their places follow
 * from the last function of API 21, whatever header this is compiled with. */
#ifndef VRS_ENGINE_ONNXRUNTIME_API_H
#define VRS_ENGINE_ONNXRUNTIME_API_H

#include <onnxruntime/onnxruntime_c_api.h>

#include <stddef.h>

/* The oldest that will do, of libraries and of headers (which the build checks). ONNX Runtime 1.N
 * has API N. */
#define VRS_ORT_API 21
#define VRS_ORT_PLUGIN_API 22

typedef struct vrs_ort_device vrs_ort_device; /* OrtEpDevice */
typedef void (*vrs_ort_unused)(void);

/* From the first function of API 22 on. */
typedef struct vrs_ort_plugin_api {
    vrs_ort_unused before[16]; /* ReleaseValueInfo ... ReleaseKeyValuePairs */
    OrtStatus *(*register_library)(OrtEnv *, const char *name, const char *path);
    OrtStatus *(*unregister_library)(OrtEnv *, const char *name);
    OrtStatus *(*get_devices)(const OrtEnv *, const vrs_ort_device *const **, size_t *);
    OrtStatus *(*append)(OrtSessionOptions *, OrtEnv *, const vrs_ort_device *const *, size_t,
                         const char *const *keys, const char *const *values, size_t);
    vrs_ort_unused between[7]; /* SessionOptionsSetEpSelectionPolicy ... HardwareDevice_Metadata */
    const char *(*device_provider)(const vrs_ort_device *);
} vrs_ort_plugin_api;

/* Of a table that was asked for as API 22. */
static inline const vrs_ort_plugin_api *vrs_ort_plugin(const OrtApi *api)
{
    const char *end = (const char *)&api->SetEpDynamicOptions + sizeof api->SetEpDynamicOptions;
    return (const vrs_ort_plugin_api *)(const void *)end;
}

#endif
