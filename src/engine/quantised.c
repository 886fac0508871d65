#include "engine/quantised.h"

#include "engine/cpu.h"
#include "model/onnx_outline.h"

vrs_status vrs_check_int8(const vrs_model *model, vrs_precision precision)
{
    if (precision == VRS_PRECISION_INT8 && !vrs_cpu_has_int8()) {
        return vrs_fail(VRS_UNSUPPORTED, "this CPU has no INT8 arithmetic (AVX-512 VNNI, AVX-VNNI "
                                         "or AMX); use precision f32");
    }
    return vrs_check_quantised(model, precision);
}

vrs_status vrs_check_quantised(const vrs_model *model, vrs_precision precision)
{
    if (precision != VRS_PRECISION_INT8)
        return VRS_OK;
    const char *path = vrs_model_get_info(model).weights_path;
    bool found = false;
    vrs_status status = vrs_onnx_find_quantised(path, &found);
    if (status == VRS_OK && !found) {
        return vrs_fail(VRS_INVALID,
                        "%s: has no quantised layer, so nothing of it can run in INT8; make such a "
                        "file with vrseg-quantize, or use another precision",
                        path);
    }
    return status;
}
