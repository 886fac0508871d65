#include "engine/onnxruntime/provider.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/thread.h"

#define MAX_OPTIONS 32
#define TEXT_SIZE 8192

#define RTX_NAME "NvTensorRTRTXExecutionProvider"
#define RTX_LIBRARY "libonnxruntime_providers_nv_tensorrt_rtx.so"

static const struct {
    const char *name;
    uint32_t precisions;
    const char *needs; /* beside a driver */
} kinds[] = {
    [VRS_ORT_CPU] = {"cpu", 1U << VRS_PRECISION_F32 | 1U << VRS_PRECISION_INT8, ""},
    [VRS_ORT_CUDA] =
        {"cuda", 1U << VRS_PRECISION_F32 | 1U << VRS_PRECISION_TF32,
         "onnxruntime-gpu (`make setup` where there is a driver), CUDA 13 and cuDNN 9"},
    /* It has no switch for TF32, which is on. */
    [VRS_ORT_TENSORRT] = {"tensorrt",
                          1U << VRS_PRECISION_TF32 | 1U << VRS_PRECISION_F16 |
                              1U << VRS_PRECISION_BF16 | 1U << VRS_PRECISION_INT8,
                          "onnxruntime-gpu (`make setup` where there is a driver), CUDA 13, cuDNN "
                          "9 and TensorRT 10"},
    /* It computes in the types of the file. */
    [VRS_ORT_TENSORRT_RTX] = {"tensorrt-rtx", 1U << VRS_PRECISION_TF32,
                              "the whole of onnxruntime-ep-nv-tensorrt-rtx-cu13"},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

vrs_status vrs_ort_kind_parse(const char *name, vrs_ort_kind *kind)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(name ? name : "cpu", kinds[i].name) == 0) {
            *kind = (vrs_ort_kind)i;
            return VRS_OK;
        }
    }
    return vrs_fail(VRS_INVALID,
                    "ONNX Runtime has no provider \"%s\" that vrseg uses; there are cpu, cuda, "
                    "tensorrt and tensorrt-rtx",
                    name);
}

const char *vrs_ort_kind_name(vrs_ort_kind kind)
{
    return kinds[kind].name;
}

vrs_status vrs_ort_check_precision(vrs_ort_kind kind, vrs_precision precision)
{
    if (kinds[kind].precisions >> precision & 1)
        return VRS_OK;
    char text[64] = "";
    size_t used = 0;
    for (int p = VRS_PRECISION_F32; p <= VRS_PRECISION_INT8; p++) {
        if (kinds[kind].precisions >> p & 1) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "",
                                     vrs_precision_name((vrs_precision)p));
        }
    }
    return vrs_fail(VRS_UNSUPPORTED, "ONNX Runtime's provider %s has no precision %s; it has %s",
                    kinds[kind].name, vrs_precision_name(precision), text);
}

int32_t vrs_ort_workers(const vrs_engine_params *params)
{
    return params->requests < params->threads ? params->requests : params->threads;
}

/* --- the session's own options --- */

typedef struct entry {
    const char *key, *value;
} entry;

/* What all sessions have in common. Threads that wait do not spin: they would take the cores from
 * the other stages. */
static vrs_status set_session(const vrs_ort_library *library, OrtSessionOptions *options,
                              int32_t threads, const entry *entries, size_t count)
{
    const OrtApi *api = library->api;
    OrtStatus *result = VRS_ORT_TRY(api->SetIntraOpNumThreads(options, threads));
    if (!result)
        result = VRS_ORT_TRY(api->SetInterOpNumThreads(options, 1));
    if (!result)
        result = VRS_ORT_TRY(api->SetSessionExecutionMode(options, ORT_SEQUENTIAL));
    if (!result)
        result = VRS_ORT_TRY(api->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL));
    for (size_t i = 0; !result && i < count; i++)
        result = VRS_ORT_TRY(api->AddSessionConfigEntry(options, entries[i].key, entries[i].value));
    return vrs_ort_check(library, result, VRS_ENGINE, "cannot set a session's options");
}

static vrs_status make_options(const vrs_ort_library *library, OrtSessionOptions **options)
{
    *options = NULL;
    return vrs_ort_check(library, VRS_ORT_TRY(library->api->CreateSessionOptions(options)),
                         VRS_ENGINE, "cannot make a session's options");
}

static vrs_status keep_or_free(const vrs_ort_library *library, vrs_status status,
                               OrtSessionOptions **options)
{
    if (status != VRS_OK && *options) {
        library->api->ReleaseSessionOptions(*options);
        *options = NULL;
    }
    return status;
}

vrs_status vrs_ort_cpu_options(const vrs_ort_library *library, const vrs_engine_params *params,
                               OrtSessionOptions **options)
{
    const entry entries[] = {
        {"session.intra_op.allow_spinning", "0"},
        {"session.inter_op.allow_spinning", "0"},
        /* F32: a quantised file's layers, too. */
        {"session.disable_quant_qdq", params->precision == VRS_PRECISION_INT8 ? "0" : "1"},
    };
    vrs_status status = make_options(library, options);
    if (status == VRS_OK) {
        status = set_session(library, *options, params->threads / vrs_ort_workers(params), entries,
                             sizeof entries / sizeof *entries);
    }
    return keep_or_free(library, status, options);
}

/* --- the provider's options --- */

/* Keys and values, and the text that they are made of. */
typedef struct option_list {
    const char *keys[MAX_OPTIONS], *values[MAX_OPTIONS];
    size_t count, used;
    bool full;
    char text[TEXT_SIZE];
} option_list;

static void add(option_list *list, const char *key, const char *format, ...) VRS_PRINTF(3, 4);

static void add(option_list *list, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *value = list->text + list->used;
    size_t room = sizeof list->text - list->used;
    bool whole = room > 0 && vrs_text_vformat(value, room, format, args);
    va_end(args);
    if (!whole || list->count == MAX_OPTIONS) {
        list->full = true;
        return;
    }
    list->used += strlen(value) + 1;
    size_t at = 0;
    while (at < list->count && strcmp(list->keys[at], key) != 0)
        at++;
    list->keys[at] = key;
    list->values[at] = value;
    list->count += at == list->count ? 1 : 0;
}

/* "key=value,key=value" of the user's; the later of two wins. */
static vrs_status add_further(option_list *list, const char *text)
{
    while (text && *text) {
        size_t length = strcspn(text, ","), key = strcspn(text, "=");
        if (key == 0 || key >= length) {
            return vrs_fail(VRS_INVALID,
                            "ort_options: \"%.*s\" is not of the form key=value, as in "
                            "cudnn_conv_algo_search=HEURISTIC,prefer_nhwc=0",
                            (int)length, text);
        }
        if (list->used + key + 1 > sizeof list->text) {
            list->full = true;
            break;
        }
        char *name = list->text + list->used;
        memcpy(name, text, key);
        name[key] = 0;
        list->used += key + 1;
        add(list, name, "%.*s", (int)(length - key - 1), text + key + 1);
        text += length + (text[length] == ',');
    }
    return list->full ? vrs_fail(VRS_INVALID, "ort_options: too many or too long") : VRS_OK;
}

static int32_t device_number(const vrs_ort_session_desc *desc)
{
    return vrs_device_get_properties(desc->params->device)->number;
}

static void add_cuda(option_list *list, const vrs_ort_session_desc *desc)
{
    add(list, "device_id", "%d", device_number(desc));
    add(list, "gpu_mem_limit", "%" PRIu64, desc->memory_limit);
    add(list, "arena_extend_strategy", "kSameAsRequested");
    add(list, "do_copy_in_default_stream", "1");
    add(list, "enable_cuda_graph", "1");
    add(list, "use_tf32", "%d", desc->params->precision == VRS_PRECISION_TF32);
    add(list, "prefer_nhwc", "1");
    add(list, "fuse_conv_bias", "%d", desc->fused);
    add(list, "cudnn_conv_algo_search", "EXHAUSTIVE");
    add(list, "cudnn_conv_use_max_workspace", "1");
}

/* "name:4x3x512x512" of every input, for `batch` views. */
static void add_shapes(option_list *list, const vrs_ort_session_desc *desc, const char *key,
                       int32_t batch)
{
    const vrs_ort_network *n = desc->network;
    char text[2048] = "";
    size_t used = 0;
    const char *between = desc->kind == VRS_ORT_TENSORRT_RTX ? ";" : ",";
    for (int32_t i = 0; i <= n->state_count && used < sizeof text; i++) {
        const vrs_ort_tensor *t = i == 0 ? &n->input : &n->state_in[i - 1];
        const int64_t *d = t->shape.dims;
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%s%s:%dx%" PRId64 "x%" PRId64 "x%" PRId64, i ? between : "",
                                 t->name, batch, d[1], d[2], d[3]);
    }
    list->full = list->full || used >= sizeof text;
    add(list, key, "%s", text);
}

static void add_profiles(option_list *list, const vrs_ort_session_desc *desc, const char *min_key,
                         const char *opt_key, const char *max_key)
{
    int32_t batch = desc->network->free_batch ? desc->params->max_batch : 1;
    add_shapes(list, desc, min_key, 1);
    add_shapes(list, desc, opt_key, batch);
    add_shapes(list, desc, max_key, batch);
}

static void add_tensorrt(option_list *list, const vrs_ort_session_desc *desc)
{
    vrs_precision precision = desc->params->precision;
    const char *cache = desc->params->cache_dir;
    add(list, "device_id", "%d", device_number(desc));
    add(list, "trt_max_workspace_size", "%" PRIu64, desc->memory_limit / 2);
    add(list, "trt_fp16_enable", "%d",
        precision == VRS_PRECISION_F16 || precision == VRS_PRECISION_INT8);
    add(list, "trt_bf16_enable", "%d", precision == VRS_PRECISION_BF16);
    add(list, "trt_int8_enable", "%d", precision == VRS_PRECISION_INT8);
    add(list, "trt_cuda_graph_enable", "1");
    add(list, "trt_context_memory_sharing_enable", "1");
    add_profiles(list, desc, "trt_profile_min_shapes", "trt_profile_opt_shapes",
                 "trt_profile_max_shapes");
    if (cache) {
        add(list, "trt_engine_cache_enable", "1");
        add(list, "trt_engine_cache_path", "%s/tensorrt", cache);
        add(list, "trt_timing_cache_enable", "1");
        add(list, "trt_timing_cache_path", "%s/tensorrt", cache);
    }
}

static void add_tensorrt_rtx(option_list *list, const vrs_ort_session_desc *desc)
{
    const char *cache = desc->params->cache_dir;
    add(list, "has_user_compute_stream", "1");
    add(list, "user_compute_stream", "%" PRIuPTR, (uintptr_t)desc->stream);
    add(list, "enable_cuda_graph", "1");
    add(list, "nv_max_workspace_size", "%" PRIu64, desc->memory_limit / 2);
    add_profiles(list, desc, "nv_profile_min_shapes", "nv_profile_opt_shapes",
                 "nv_profile_max_shapes");
    if (cache)
        add(list, "nv_runtime_cache_path", "%s/tensorrt-rtx", cache);
}

/* --- handing them over --- */

/* A provider that is not in this library, or that lacks a library, is missing; anything else that
 * it refuses are the options or the device. */
static vrs_status check_append(const vrs_ort_library *library, vrs_ort_kind kind, OrtStatus *result)
{
    bool missing = false;
    if (result && result != vrs_ort_injected()) {
        const char *words = library->api->GetErrorMessage(result);
        missing = strstr(words, "not enabled in this build") || strstr(words, "ailed to load") ||
                  strstr(words, "cannot open shared object") || strstr(words, "LoadLibrary");
    }
    char what[256];
    snprintf(what, sizeof what, "ONNX Runtime %s cannot use the provider %s%s%s", library->version,
             vrs_ort_kind_name(kind), missing ? ", which needs " : "",
             missing ? kinds[kind].needs : "");
    return vrs_ort_check(library, result, missing ? VRS_MISSING : VRS_ENGINE, what);
}

static vrs_status append_cuda(const vrs_ort_library *library, const vrs_ort_session_desc *desc,
                              const option_list *list, OrtSessionOptions *options)
{
    const OrtApi *api = library->api;
    OrtCUDAProviderOptionsV2 *cuda = NULL;
    OrtStatus *result = VRS_ORT_TRY(api->CreateCUDAProviderOptions(&cuda));
    if (!result) {
        result = VRS_ORT_TRY(
            api->UpdateCUDAProviderOptions(cuda, list->keys, list->values, list->count));
    }
    if (!result) {
        result = VRS_ORT_TRY(
            api->UpdateCUDAProviderOptionsWithValue(cuda, "user_compute_stream", desc->stream));
    }
    if (!result)
        result = VRS_ORT_TRY(api->SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda));
    if (cuda)
        api->ReleaseCUDAProviderOptions(cuda);
    return check_append(library, desc->kind, result);
}

static vrs_status append_tensorrt(const vrs_ort_library *library, const vrs_ort_session_desc *desc,
                                  const option_list *list, OrtSessionOptions *options)
{
    const OrtApi *api = library->api;
    OrtTensorRTProviderOptionsV2 *tensorrt = NULL;
    OrtStatus *result = VRS_ORT_TRY(api->CreateTensorRTProviderOptions(&tensorrt));
    if (!result) {
        result = VRS_ORT_TRY(
            api->UpdateTensorRTProviderOptions(tensorrt, list->keys, list->values, list->count));
    }
    if (!result) {
        result = VRS_ORT_TRY(api->UpdateTensorRTProviderOptionsWithValue(
            tensorrt, "user_compute_stream", desc->stream));
    }
    if (!result) {
        result =
            VRS_ORT_TRY(api->SessionOptionsAppendExecutionProvider_TensorRT_V2(options, tensorrt));
    }
    if (tensorrt)
        api->ReleaseTensorRTProviderOptions(tensorrt);
    return check_append(library, desc->kind, result);
}

/* Once for the process: ONNX Runtime keeps the plug-in, and refuses a second one of the name. */
static vrs_status register_plugin(const vrs_ort_library *library, vrs_ort_kind kind,
                                  const char *path)
{
    static vrs_mutex mutex = {PTHREAD_MUTEX_INITIALIZER};
    static bool registered;
    vrs_status status = VRS_OK;
    vrs_mutex_lock(&mutex);
    if (!registered) {
        status = check_append(
            library, kind,
            VRS_ORT_TRY(library->plugin->register_library(library->env, RTX_NAME, path)));
    }
    registered = status == VRS_OK;
    vrs_mutex_unlock(&mutex);
    return status;
}

/* The plug-in's device for our GPU: the providers list theirs in the order of the driver. */
static vrs_status find_device(const vrs_ort_library *library, const vrs_ort_session_desc *desc,
                              const vrs_ort_device **device)
{
    const vrs_ort_device *const *devices = NULL;
    size_t count = 0;
    int32_t number = device_number(desc), seen = 0;
    OrtStatus *result = VRS_ORT_TRY(library->plugin->get_devices(library->env, &devices, &count));
    vrs_status status = check_append(library, desc->kind, result);
    for (size_t i = 0; status == VRS_OK && i < count; i++) {
        if (strcmp(library->plugin->device_provider(devices[i]), RTX_NAME) == 0 &&
            seen++ == number) {
            *device = devices[i];
            return VRS_OK;
        }
    }
    return status != VRS_OK
               ? status
               : vrs_fail(VRS_UNSUPPORTED,
                          "ONNX Runtime %s cannot use the provider %s: its plug-in offers %d "
                          "devices, and cuda:%d is none of them (it runs on GeForce RTX 30 and "
                          "newer)",
                          library->version, vrs_ort_kind_name(desc->kind), seen, number);
}

static vrs_status append_plugin(const vrs_ort_library *library, const vrs_ort_session_desc *desc,
                                const option_list *list, OrtSessionOptions *options)
{
    if (!library->plugin) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "ONNX Runtime %s is older than plug-in providers; tensorrt-rtx needs 1.%d "
                        "or later",
                        library->version, VRS_ORT_PLUGIN_API);
    }
    char path[VRS_PATH_MAX];
    const char *own = desc->params->plugin;
    vrs_status status =
        own && *own ? vrs_path_format(path, sizeof path, "%s", own)
                    : vrs_path_format(path, sizeof path, "%s/" RTX_LIBRARY, library->folder);
    if (status == VRS_OK && !vrs_file_exists(path)) {
        return vrs_fail(VRS_MISSING,
                        "%s is not there: it is in the Python package "
                        "onnxruntime-ep-nv-tensorrt-rtx-cu13; set ort_plugin to its place",
                        path);
    }
    const vrs_ort_device *device = NULL;
    if (status == VRS_OK)
        status = register_plugin(library, desc->kind, path);
    if (status == VRS_OK)
        status = find_device(library, desc, &device);
    if (status == VRS_OK) {
        status = check_append(
            library, desc->kind,
            VRS_ORT_TRY(library->plugin->append(options, library->env, &device, 1, list->keys,
                                                list->values, list->count)));
    }
    return status;
}

static vrs_status append(const vrs_ort_library *library, const vrs_ort_session_desc *desc,
                         OrtSessionOptions *options)
{
    option_list list = {.count = 0};
    switch (desc->kind) {
    case VRS_ORT_CPU:
        return VRS_OK;
    case VRS_ORT_CUDA:
        add_cuda(&list, desc);
        break;
    case VRS_ORT_TENSORRT:
        add_tensorrt(&list, desc);
        break;
    case VRS_ORT_TENSORRT_RTX:
        add_tensorrt_rtx(&list, desc);
        break;
    }
    vrs_status status = list.full ? vrs_fail(VRS_INVALID, "the provider's options are too long")
                                  : add_further(&list, desc->params->provider_options);
    if (status == VRS_OK && desc->kind == VRS_ORT_CUDA)
        return append_cuda(library, desc, &list, options);
    if (status == VRS_OK && desc->kind == VRS_ORT_TENSORRT)
        return append_tensorrt(library, desc, &list, options);
    return status == VRS_OK ? append_plugin(library, desc, &list, options) : status;
}

vrs_status vrs_ort_device_options(const vrs_ort_library *library, const vrs_ort_session_desc *desc,
                                  OrtSessionOptions **options)
{
    static const entry entries[] = {
        {"session.intra_op.allow_spinning", "0"},
        {"session.inter_op.allow_spinning", "0"},
        /* Never quietly elsewhere; must be the last, for the CPU's own sessions leave it out. */
        {"session.disable_cpu_ep_fallback", "1"},
    };
    size_t count = sizeof entries / sizeof *entries - (desc->kind == VRS_ORT_CPU ? 1 : 0);
    vrs_status status = make_options(library, options);
    if (status == VRS_OK)
        status = set_session(library, *options, 1, entries, count);
    if (status == VRS_OK)
        status = append(library, desc, *options);
    return keep_or_free(library, status, options);
}
