#include "engine/openvino/network.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/cpu.h"
#include "engine/openvino/opening.h"
#include "engine/quantised.h"
#include "vrseg/log.h"

vrs_status vrs_ov_opening_check(const vrs_ov_opening *o, vrs_ov_code code, vrs_status status,
                                const char *what)
{
    char text[VRS_DETAIL_SIZE];
    snprintf(text, sizeof text, "%s: %s", o->file.path, what);
    return vrs_ov_check(o->network->library, code, status, text);
}

/* True when the folder is there and can be written; says so where it cannot. */
static bool cache_usable(const char *folder)
{
    if (!folder || !*folder)
        return false;
    if (vrs_make_folders(folder) != VRS_OK) {
        vrs_log(VRS_LOG_WARNING, "compiled networks are not kept: %s", vrs_last_error());
        return false;
    }
    if (access(folder, W_OK | X_OK) != 0) {
        vrs_log(VRS_LOG_WARNING, "compiled networks are not kept: %s cannot be written", folder);
        return false;
    }
    return true;
}

static vrs_ov_code compile(const vrs_ov_opening *o, const char *cache_dir)
{
    const vrs_engine_params *p = o->params;
    char streams[16], threads[16];
    snprintf(streams, sizeof streams, "%d", p->requests < p->threads ? p->requests : p->threads);
    snprintf(threads, sizeof threads, "%d", p->threads);
    bool int8 = p->precision == VRS_PRECISION_INT8;
    vrs_ov_property properties[] = {
        {"INFERENCE_PRECISION_HINT", int8 ? "f32" : vrs_precision_name(p->precision)},
        {"LP_TRANSFORMS_MODE", int8 ? "YES" : "NO"}, /* whether quantised layers run in INT8 */
        {"NUM_STREAMS", streams},
        {"INFERENCE_NUM_THREADS", threads},
        {"ENABLE_CPU_PINNING", "NO"},
        {"CACHE_DIR", cache_dir},
    };
    size_t count = sizeof properties / sizeof *properties - (cache_dir ? 0 : 1);
    return VRS_OV_TRY(o->api->ov_core_compile_model_props(o->network->core, o->model, "CPU", count,
                                                          properties, &o->network->compiled));
}

/* The folder for compiled networks, or NULL. OpenVINO's cache does not tell a network that it
 * compiled in INT8 from the same file in FP32, so those have a folder of their own. */
static const char *choose_cache(const vrs_engine_params *p, char folder[VRS_PATH_MAX])
{
    const char *chosen = p->cache_dir;
    if (chosen && *chosen && p->precision == VRS_PRECISION_INT8) {
        vrs_status status = vrs_path_format(folder, VRS_PATH_MAX, "%s/int8", p->cache_dir);
        chosen = status == VRS_OK ? folder : NULL;
    }
    return cache_usable(chosen) ? chosen : NULL;
}

/* Compiles with the cache; where that fails (a damaged cache), without. */
static vrs_status compile_cached(const vrs_ov_opening *o)
{
    char folder[VRS_PATH_MAX];
    const char *cache_dir = choose_cache(o->params, folder);
    vrs_ov_code code = compile(o, cache_dir);
    if (code != 0 && cache_dir) {
        if (vrs_ov_opening_check(o, code, VRS_ENGINE, "cannot be compiled with the cache") !=
            VRS_OK)
            vrs_log(VRS_LOG_WARNING, "%s", vrs_last_error());
        code = compile(o, NULL);
        cache_dir = NULL;
    }
    vrs_status status = vrs_ov_opening_check(o, code, VRS_ENGINE, "cannot be compiled");
    char *answer = NULL;
    if (status == VRS_OK && cache_dir &&
        VRS_OV_TRY(o->api->ov_compiled_model_get_property(o->network->compiled, "LOADED_FROM_CACHE",
                                                          &answer)) == 0)
        o->network->from_cache = strcmp(answer, "YES") == 0;
    o->api->ov_free(answer);
    return status;
}

static vrs_status open_model(vrs_ov_opening *o)
{
    vrs_status status =
        vrs_ov_opening_check(o, VRS_OV_TRY(o->api->ov_core_create(&o->network->core)), VRS_ENGINE,
                             "cannot start OpenVINO");
    if (status == VRS_OK) {
        status = vrs_ov_opening_check(
            o,
            VRS_OV_TRY(o->api->ov_core_read_model(o->network->core, o->file.path, NULL, &o->model)),
            VRS_FORMAT, "cannot be read as an ONNX network");
    }
    if (status == VRS_OK)
        status = vrs_ov_find_inputs(o);
    if (status == VRS_OK)
        status = vrs_ov_fix_shapes(o);
    if (status == VRS_OK)
        status = vrs_ov_find_outputs(o);
    if (status == VRS_OK && !o->params->float_input)
        status = vrs_ov_take_bytes(o);
    if (status == VRS_OK)
        status = compile_cached(o);
    return status;
}

vrs_status vrs_ov_network_open(vrs_ov_network *network, const vrs_ov_library *library,
                               const vrs_model *model, const vrs_engine_params *params)
{
    vrs_model_info info = vrs_model_get_info(model);
    *network = (vrs_ov_network){.library = library};
    vrs_ov_opening o = {.network = network,
                        .api = &library->api,
                        .spec = vrs_model_get_spec(model),
                        .params = params,
                        .file = {info.weights_path, info.descriptor_path}};
    vrs_status status = vrs_check_int8(model, params->precision);
    if (status != VRS_OK)
        return status;
    if (params->precision == VRS_PRECISION_BF16 && !vrs_cpu_has_bf16()) {
        return vrs_fail(VRS_UNSUPPORTED, "this CPU has no bfloat16 arithmetic (AVX-512 BF16 or "
                                         "AMX); use precision f32");
    }
    vrs_ov_describe_tensors(&o);
    status = open_model(&o);
    if (o.model)
        o.api->ov_model_free(o.model);
    return status;
}

static void free_name(const vrs_ov_api *api, vrs_ov_tensor_desc *desc)
{
    api->ov_free(desc->name);
    desc->name = NULL;
}

void vrs_ov_network_close(vrs_ov_network *network)
{
    if (!network->library)
        return;
    const vrs_ov_api *api = &network->library->api;
    free_name(api, &network->input);
    free_name(api, &network->output);
    for (int32_t i = 0; i < VRS_MAX_STATES; i++) {
        free_name(api, &network->state_in[i]);
        free_name(api, &network->state_out[i]);
    }
    if (network->compiled)
        api->ov_compiled_model_free(network->compiled);
    if (network->core)
        api->ov_core_free(network->core);
    *network = (vrs_ov_network){0};
}
