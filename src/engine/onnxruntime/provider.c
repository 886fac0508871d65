#include "engine/onnxruntime/provider.h"

int32_t vrs_ort_workers(const vrs_engine_params *params)
{
    return params->requests < params->threads ? params->requests : params->threads;
}

/* What all sessions have in common. Threads that wait do not spin: they would take the cores from
 * the other stages. */
static vrs_status set_common(const vrs_ort_library *library, OrtSessionOptions *options,
                             int32_t threads)
{
    static const char *const entries[][2] = {
        {"session.intra_op.allow_spinning", "0"},
        {"session.inter_op.allow_spinning", "0"},
        {"session.disable_quant_qdq", "1"}, /* a quantised file's layers, too, in floats */
    };
    const OrtApi *api = library->api;
    OrtStatus *result = VRS_ORT_TRY(api->SetIntraOpNumThreads(options, threads));
    if (!result) {
        result = VRS_ORT_TRY(api->SetInterOpNumThreads(options, 1));
    }
    if (!result) {
        result = VRS_ORT_TRY(api->SetSessionExecutionMode(options, ORT_SEQUENTIAL));
    }
    if (!result) {
        result = VRS_ORT_TRY(api->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL));
    }
    for (size_t i = 0; !result && i < sizeof entries / sizeof *entries; i++) {
        result = VRS_ORT_TRY(api->AddSessionConfigEntry(options, entries[i][0], entries[i][1]));
    }
    return vrs_ort_check(library, result, VRS_ENGINE, "cannot set a session's options");
}

vrs_status vrs_ort_cpu_options(const vrs_ort_library *library, const vrs_engine_params *params,
                               OrtSessionOptions **options)
{
    *options = NULL;
    vrs_status status =
        vrs_ort_check(library, VRS_ORT_TRY(library->api->CreateSessionOptions(options)), VRS_ENGINE,
                      "cannot make a session's options");
    if (status == VRS_OK) {
        status = set_common(library, *options, params->threads / vrs_ort_workers(params));
    }
    if (status != VRS_OK && *options) {
        library->api->ReleaseSessionOptions(*options);
        *options = NULL;
    }
    return status;
}
