/* How a session runs: threads, and the provider of its kernels. */
#ifndef VRS_ENGINE_ONNXRUNTIME_PROVIDER_H
#define VRS_ENGINE_ONNXRUNTIME_PROVIDER_H

#include "engine/engine.h"
#include "engine/onnxruntime/network.h"

typedef enum vrs_ort_kind {
    VRS_ORT_CPU,
    VRS_ORT_CUDA,
    VRS_ORT_TENSORRT,
    VRS_ORT_TENSORRT_RTX, /* a plug-in: a library of its own */
} vrs_ort_kind;

/* What a session on a device is made for. */
typedef struct vrs_ort_session_desc {
    vrs_ort_kind kind;
    const vrs_engine_params *params;
    void *stream;                   /* CUstream of ours on which it queues all */
    uint64_t memory_limit;          /* device bytes that it may take */
    const vrs_ort_network *network; /* TensorRT: its inputs and whether batches are free */
    bool fused;                     /* CUDA: biases as parts of convolutions; faster, and not there
                                     * for every convolution */
} vrs_ort_session_desc;

/* The kind of a provider's name (NULL: cpu), and the name. VRS_INVALID names those that there are.
 */
vrs_status vrs_ort_kind_parse(const char *name, vrs_ort_kind *kind) VRS_MUST_USE;
const char *vrs_ort_kind_name(vrs_ort_kind kind);

/* VRS_UNSUPPORTED: a precision that the provider cannot be told to compute in. */
vrs_status vrs_ort_check_precision(vrs_ort_kind kind, vrs_precision precision) VRS_MUST_USE;

/* Runs that go at once on the CPU: a thread each, as many as there are requests and threads for. */
int32_t vrs_ort_workers(const vrs_engine_params *params);

/* Options of a session on the CPU: f32 whatever the file unless INT8 is asked for, no spinning
 * threads, as many threads a run as the workers leave. Returns owned. VRS_ENGINE, VRS_NO_MEMORY. */
vrs_status vrs_ort_cpu_options(const vrs_ort_library *library, const vrs_engine_params *params,
                               OrtSessionOptions **options) VRS_MUST_USE;

/* Options of a session on a device: every node on the provider or none, CUDA graphs, our stream,
 * our limit. Returns owned. VRS_MISSING: a provider that this library has not or that lacks a
 * library of its own; VRS_INVALID: the further options; VRS_ENGINE: what else the provider refuses.
 * All with its own words. */
vrs_status vrs_ort_device_options(const vrs_ort_library *library, const vrs_ort_session_desc *desc,
                                  OrtSessionOptions **options) VRS_MUST_USE;

#endif
