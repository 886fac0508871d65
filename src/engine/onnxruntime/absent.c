/* The engine of a build without ONNX Runtime's C header: says so. */
#include "engine/backend.h"
#include "vrseg/system.h"

static vrs_status fail_absent(void)
{
    return vrs_fail(VRS_MISSING, "this vrseg is built without the engine onnxruntime, as its C "
                                 "header was not there: run `make setup`, or install Debian 13's "
                                 "libonnxruntime-dev, then `make build`");
}

static vrs_status absent_create(const vrs_model *model, const vrs_engine_params *params,
                                vrs_engine **engine)
{
    (void)model, (void)params, (void)engine;
    return fail_absent();
}

const vrs_engine_ops vrs_engine_onnxruntime = {
    .name = "onnxruntime", .precisions = UINT32_MAX, .create = absent_create};
const vrs_engine_ops vrs_engine_onnxruntime_device = {
    .name = "onnxruntime", .precisions = UINT32_MAX, .create = absent_create};

vrs_status vrs_onnxruntime_info(char *version, size_t version_size, char *folder,
                                size_t folder_size)
{
    (void)version, (void)version_size, (void)folder, (void)folder_size;
    return fail_absent();
}
