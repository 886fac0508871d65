/* How a session runs: threads, and the provider of its kernels. */
#ifndef VRS_ENGINE_ONNXRUNTIME_PROVIDER_H
#define VRS_ENGINE_ONNXRUNTIME_PROVIDER_H

#include "engine/engine.h"
#include "engine/onnxruntime/library.h"

/* Runs that go at once on the CPU: a thread each, as many as there are requests and threads for. */
int32_t vrs_ort_workers(const vrs_engine_params *params);

/* Options of a session on the CPU: f32 whatever the file, no spinning threads, as many threads a
 * run as the workers leave. Returns owned. VRS_ENGINE, VRS_NO_MEMORY. */
vrs_status vrs_ort_cpu_options(const vrs_ort_library *library, const vrs_engine_params *params,
                               OrtSessionOptions **options) VRS_MUST_USE;

#endif
