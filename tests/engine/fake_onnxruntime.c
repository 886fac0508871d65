/* A library in ONNX Runtime's place, for what cannot be run without a GPU.
 *
 * It says which version it is ($FAKE_ORT_VERSION) and gives its API to those who ask for the N of
 * 1.N at most. Its providers write every option that they get to $FAKE_ORT_LOG, a line each. Its
 * sessions have the inputs and outputs of tiny.onnx whatever the file, and copy the first floats of
 * each view's input to its scores, by the CUDA driver of the program on the session's stream.
 *
 *     FAKE_ORT_FAIL      append: a provider refuses; fused: runs fail with fuse_conv_bias; run: all
 *     FAKE_ORT_DEVICES   how many the plug-in provider has */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/onnxruntime/api.h"

#define IN_FLOATS 72
#define OUT_FLOATS 48
#define RTX "NvTensorRTRTXExecutionProvider"

typedef int (*copy_fn)(uint64_t, uint64_t, size_t, void *);

struct OrtStatus {
    char message[256];
};
struct OrtSessionOptions {
    void *stream;
    int fused;
};
struct OrtSession {
    struct OrtSessionOptions options;
};
struct OrtValue {
    char *at;
    int64_t views;
};
struct OrtIoBinding {
    struct OrtValue in, out;
};
struct OrtRunOptions {
    char graph[32];
    int unsynchronised;
};
struct OrtMemoryInfo {
    int number;
};
struct OrtTensorTypeAndShapeInfo {
    int64_t dims[4];
};
struct OrtTypeInfo {
    struct OrtTensorTypeAndShapeInfo shape;
};
struct OrtCUDAProviderOptionsV2 {
    struct OrtSessionOptions said;
};
struct OrtTensorRTProviderOptionsV2 {
    struct OrtSessionOptions said;
};

const OrtApiBase *ORT_API_CALL OrtGetApiBase(void) NO_EXCEPTION;

static void note(const char *key, const char *value)
{
    const char *path = getenv("FAKE_ORT_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) {
        fprintf(file, "%s=%s\n", key, value);
        fclose(file);
    }
}

static int told_to_fail(const char *what)
{
    const char *text = getenv("FAKE_ORT_FAIL");
    return text && strcmp(text, what) == 0;
}

static OrtStatus *fail(const char *message)
{
    OrtStatus *status = calloc(1, sizeof *status);
    snprintf(status->message, sizeof status->message, "%s", message);
    return status;
}

static const char *get_message(const OrtStatus *status)
{
    return status->message;
}

static OrtErrorCode get_code(const OrtStatus *status)
{
    (void)status;
    return ORT_FAIL;
}

static void release_status(OrtStatus *status)
{
    free(status);
}

/* --- the library --- */

static const char *version(void)
{
    const char *text = getenv("FAKE_ORT_VERSION");
    return text ? text : "0.0.0";
}

static OrtStatus *create_env(OrtLoggingFunction fn, void *opaque, OrtLoggingLevel level,
                             const char *id, OrtEnv **env)
{
    (void)fn, (void)opaque, (void)level, (void)id;
    *env = NULL;
    return NULL;
}

static OrtStatus *free_name(OrtAllocator *allocator, void *name)
{
    (void)allocator;
    free(name);
    return NULL;
}

static OrtStatus *default_allocator(OrtAllocator **allocator)
{
    *allocator = NULL;
    return NULL;
}

static char names[][32] = {"TensorrtExecutionProvider", "CUDAExecutionProvider",
                           "OtherExecutionProvider", "CPUExecutionProvider"};
static char *name_list[] = {names[0], names[1], names[2], names[3]};

static OrtStatus *get_providers(char ***list, int *count)
{
    *list = name_list;
    *count = 4;
    return NULL;
}

static OrtStatus *release_providers(char **list, int count)
{
    (void)list, (void)count;
    return NULL;
}

/* --- options --- */

static OrtStatus *make_options(OrtSessionOptions **options)
{
    *options = calloc(1, sizeof **options);
    return NULL;
}

static void release_options(OrtSessionOptions *options)
{
    free(options);
}

static OrtStatus *set_number(OrtSessionOptions *options, int number)
{
    (void)options, (void)number;
    return NULL;
}

static OrtStatus *set_mode(OrtSessionOptions *options, ExecutionMode mode)
{
    (void)options, (void)mode;
    return NULL;
}

static OrtStatus *set_level(OrtSessionOptions *options, GraphOptimizationLevel level)
{
    (void)options, (void)level;
    return NULL;
}

static OrtStatus *set_entry(OrtSessionOptions *options, const char *key, const char *value)
{
    (void)options;
    note(key, value);
    return NULL;
}

static void take(struct OrtSessionOptions *said, const char *const *keys, const char *const *values,
                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        note(keys[i], values[i]);
        if (strcmp(keys[i], "fuse_conv_bias") == 0)
            said->fused = strcmp(values[i], "1") == 0;
        if (strcmp(keys[i], "user_compute_stream") == 0)
            said->stream = (void *)(uintptr_t)strtoull(values[i], NULL, 10);
    }
}

#define PROVIDER(type, name)                                                                       \
    static OrtStatus *make_##name(type **options)                                                  \
    {                                                                                              \
        *options = calloc(1, sizeof **options);                                                    \
        return NULL;                                                                               \
    }                                                                                              \
    static OrtStatus *update_##name(type *options, const char *const *keys,                        \
                                    const char *const *values, size_t count)                       \
    {                                                                                              \
        take(&options->said, keys, values, count);                                                 \
        return NULL;                                                                               \
    }                                                                                              \
    static OrtStatus *pass_##name(type *options, const char *key, void *value)                     \
    {                                                                                              \
        note(key, value ? "given" : "null");                                                       \
        options->said.stream = value;                                                              \
        return NULL;                                                                               \
    }                                                                                              \
    static OrtStatus *append_##name(OrtSessionOptions *options, const type *from)                  \
    {                                                                                              \
        *options = from->said;                                                                     \
        return told_to_fail("append") ? fail("[ONNXRuntimeError] : 1 : FAIL : the GPU is tired\n") \
                                      : NULL;                                                      \
    }                                                                                              \
    static void release_##name(type *options)                                                      \
    {                                                                                              \
        free(options);                                                                             \
    }

PROVIDER(OrtCUDAProviderOptionsV2, cuda)
PROVIDER(OrtTensorRTProviderOptionsV2, tensorrt)

/* --- the plug-in provider --- */

static const char device_memory[8];
static const vrs_ort_device *devices[8];

static OrtStatus *register_library(OrtEnv *env, const char *name, const char *path)
{
    (void)env, (void)path;
    note("registered", name);
    return NULL;
}

static OrtStatus *get_devices(const OrtEnv *env, const vrs_ort_device *const **list, size_t *count)
{
    (void)env;
    const char *text = getenv("FAKE_ORT_DEVICES");
    *count = text ? (size_t)strtoul(text, NULL, 10) : 0;
    for (size_t i = 0; i < *count; i++)
        devices[i] = (const vrs_ort_device *)(const void *)&device_memory[i];
    *list = devices;
    return NULL;
}

static const char *device_provider(const vrs_ort_device *device)
{
    (void)device;
    return RTX;
}

static OrtStatus *append_plugin(OrtSessionOptions *options, OrtEnv *env,
                                const vrs_ort_device *const *list, size_t count,
                                const char *const *keys, const char *const *values, size_t pairs)
{
    (void)env, (void)count;
    note("device", list[0] == devices[0] ? "first" : "other");
    take(options, keys, values, pairs);
    return NULL;
}

/* --- sessions --- */

static OrtStatus *make_session(const OrtEnv *env, const char *path,
                               const OrtSessionOptions *options, OrtSession **session)
{
    (void)env, (void)path;
    *session = calloc(1, sizeof **session);
    (*session)->options = *options;
    return NULL;
}

static void release_session(OrtSession *session)
{
    free(session);
}

static OrtStatus *count_one(const OrtSession *session, size_t *count)
{
    (void)session;
    *count = 1;
    return NULL;
}

static char *copy_text(const char *text)
{
    char *copy = calloc(1, strlen(text) + 1);
    memcpy(copy, text, strlen(text));
    return copy;
}

static OrtStatus *input_name(const OrtSession *session, size_t index, OrtAllocator *allocator,
                             char **name)
{
    (void)session, (void)index, (void)allocator;
    *name = copy_text("picture");
    return NULL;
}

static OrtStatus *output_name(const OrtSession *session, size_t index, OrtAllocator *allocator,
                              char **name)
{
    (void)session, (void)index, (void)allocator;
    *name = copy_text("scores");
    return NULL;
}

static OrtStatus *make_type(int64_t channels, OrtTypeInfo **info)
{
    *info = calloc(1, sizeof **info);
    (*info)->shape = (struct OrtTensorTypeAndShapeInfo){{-1, channels, 4, 6}};
    return NULL;
}

static OrtStatus *input_type(const OrtSession *session, size_t index, OrtTypeInfo **info)
{
    (void)session, (void)index;
    return make_type(3, info);
}

static OrtStatus *output_type(const OrtSession *session, size_t index, OrtTypeInfo **info)
{
    (void)session, (void)index;
    return make_type(2, info);
}

static void release_type(OrtTypeInfo *info)
{
    free(info);
}

static OrtStatus *cast_type(const OrtTypeInfo *info, const OrtTensorTypeAndShapeInfo **shape)
{
    *shape = &info->shape;
    return NULL;
}

static OrtStatus *element_type(const OrtTensorTypeAndShapeInfo *info,
                               ONNXTensorElementDataType *type)
{
    (void)info;
    *type = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    return NULL;
}

static OrtStatus *rank(const OrtTensorTypeAndShapeInfo *info, size_t *count)
{
    (void)info;
    *count = 4;
    return NULL;
}

static OrtStatus *dimensions(const OrtTensorTypeAndShapeInfo *info, int64_t *dims, size_t count)
{
    memcpy(dims, info->dims, count * sizeof *dims);
    return NULL;
}

/* --- runs --- */

static OrtStatus *make_memory_info(const char *name, OrtAllocatorType type, int number,
                                   OrtMemType kind, OrtMemoryInfo **info)
{
    (void)type, (void)kind, (void)number;
    *info = calloc(1, sizeof **info);
    note("memory", name);
    return NULL;
}

static void release_memory_info(OrtMemoryInfo *info)
{
    free(info);
}

static OrtStatus *make_value(const OrtMemoryInfo *info, void *at, size_t bytes, const int64_t *dims,
                             size_t count, ONNXTensorElementDataType type, OrtValue **value)
{
    (void)info, (void)type;
    size_t elements = 1;
    for (size_t i = 0; i < count; i++)
        elements *= (size_t)dims[i];
    if (elements * sizeof(float) != bytes)
        return fail("the memory is not of the shape's size");
    *value = calloc(1, sizeof **value);
    **value = (struct OrtValue){at, dims[0]};
    return NULL;
}

static void release_value(OrtValue *value)
{
    free(value);
}

static OrtStatus *make_binding(OrtSession *session, OrtIoBinding **binding)
{
    (void)session;
    *binding = calloc(1, sizeof **binding);
    return NULL;
}

static void release_binding(OrtIoBinding *binding)
{
    free(binding);
}

static OrtStatus *bind_input(OrtIoBinding *binding, const char *name, const OrtValue *value)
{
    binding->in = *value;
    return strcmp(name, "picture") == 0 ? NULL : fail("no such input");
}

static OrtStatus *bind_output(OrtIoBinding *binding, const char *name, const OrtValue *value)
{
    binding->out = *value;
    return strcmp(name, "scores") == 0 ? NULL : fail("no such output");
}

static OrtStatus *make_run_options(OrtRunOptions **options)
{
    *options = calloc(1, sizeof **options);
    return NULL;
}

static void release_run_options(OrtRunOptions *options)
{
    free(options);
}

static OrtStatus *set_run_entry(OrtRunOptions *options, const char *key, const char *value)
{
    if (strcmp(key, "disable_synchronize_execution_providers") == 0)
        options->unsynchronised = strcmp(value, "1") == 0;
    else
        snprintf(options->graph, sizeof options->graph, "%s %s", key, value);
    return NULL;
}

static OrtStatus *run(OrtSession *session, const OrtRunOptions *options,
                      const OrtIoBinding *binding)
{
    char text[64];
    snprintf(text, sizeof text, "%d, %s%s", (int)binding->in.views, options->graph,
             options->unsynchronised ? "" : ", waits");
    note("run", text);
    if (told_to_fail("run") || (told_to_fail("fused") && session->options.fused))
        return fail("Failed to initialize CUDNN Frontend");
    const char *path = getenv("VRSEG_CUDA_LIBRARY");
    void *driver = dlopen(path ? path : "libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *symbol = driver ? dlsym(driver, "cuMemcpyDtoDAsync_v2") : NULL;
    copy_fn copy = NULL;
    if (!symbol)
        return fail("no driver");
    memcpy(&copy, &symbol, sizeof copy);
    for (int64_t i = 0; i < binding->in.views; i++) {
        uint64_t from = (uintptr_t)binding->in.at + (uint64_t)i * IN_FLOATS * sizeof(float);
        uint64_t to = (uintptr_t)binding->out.at + (uint64_t)i * OUT_FLOATS * sizeof(float);
        if (copy(to, from, OUT_FLOATS * sizeof(float), session->options.stream) != 0)
            return fail("the driver refuses");
    }
    (void)dlclose(driver);
    return NULL;
}

/* --- the table --- */

/* With room behind it for the functions of later APIs. */
static union table {
    OrtApi api;
    char room[sizeof(OrtApi) + sizeof(vrs_ort_plugin_api)];
} table;

static void fill_later(void)
{
    vrs_ort_plugin_api *plugin = (vrs_ort_plugin_api *)(uintptr_t)vrs_ort_plugin(&table.api);
    plugin->register_library = register_library;
    plugin->get_devices = get_devices;
    plugin->append = append_plugin;
    plugin->device_provider = device_provider;
}

static void fill_options(OrtApi *api)
{
    api->CreateSessionOptions = make_options;
    api->ReleaseSessionOptions = release_options;
    api->SetIntraOpNumThreads = set_number;
    api->SetInterOpNumThreads = set_number;
    api->SetSessionExecutionMode = set_mode;
    api->SetSessionGraphOptimizationLevel = set_level;
    api->AddSessionConfigEntry = set_entry;
    api->CreateCUDAProviderOptions = make_cuda;
    api->UpdateCUDAProviderOptions = update_cuda;
    api->UpdateCUDAProviderOptionsWithValue = pass_cuda;
    api->SessionOptionsAppendExecutionProvider_CUDA_V2 = append_cuda;
    api->ReleaseCUDAProviderOptions = release_cuda;
    api->CreateTensorRTProviderOptions = make_tensorrt;
    api->UpdateTensorRTProviderOptions = update_tensorrt;
    api->UpdateTensorRTProviderOptionsWithValue = pass_tensorrt;
    api->SessionOptionsAppendExecutionProvider_TensorRT_V2 = append_tensorrt;
    api->ReleaseTensorRTProviderOptions = release_tensorrt;
}

static void fill_sessions(OrtApi *api)
{
    api->CreateSession = make_session;
    api->ReleaseSession = release_session;
    api->SessionGetInputCount = count_one;
    api->SessionGetOutputCount = count_one;
    api->SessionGetInputName = input_name;
    api->SessionGetOutputName = output_name;
    api->SessionGetInputTypeInfo = input_type;
    api->SessionGetOutputTypeInfo = output_type;
    api->ReleaseTypeInfo = release_type;
    api->CastTypeInfoToTensorInfo = cast_type;
    api->GetTensorElementType = element_type;
    api->GetDimensionsCount = rank;
    api->GetDimensions = dimensions;
    api->CreateMemoryInfo = make_memory_info;
    api->ReleaseMemoryInfo = release_memory_info;
    api->CreateTensorWithDataAsOrtValue = make_value;
    api->ReleaseValue = release_value;
    api->CreateIoBinding = make_binding;
    api->ReleaseIoBinding = release_binding;
    api->BindInput = bind_input;
    api->BindOutput = bind_output;
    api->CreateRunOptions = make_run_options;
    api->ReleaseRunOptions = release_run_options;
    api->AddRunConfigEntry = set_run_entry;
    api->RunWithBinding = run;
}

static const OrtApi *get_api(uint32_t number)
{
    OrtApi *api = &table.api;
    api->GetErrorMessage = get_message;
    api->GetErrorCode = get_code;
    api->ReleaseStatus = release_status;
    api->CreateEnvWithCustomLogger = create_env;
    api->GetAllocatorWithDefaultOptions = default_allocator;
    api->AllocatorFree = free_name;
    api->GetAvailableProviders = get_providers;
    api->ReleaseAvailableProviders = release_providers;
    fill_options(api);
    fill_sessions(api);
    if (number >= VRS_ORT_PLUGIN_API)
        fill_later();
    bool has = strtoul(version() + 2, NULL, 10) >= number && strcmp(version(), "1.77.0") != 0;
    return has ? api : NULL;
}

const OrtApiBase *OrtGetApiBase(void)
{
    static OrtApiBase base;
    base.GetApi = get_api;
    base.GetVersionString = version;
    return &base;
}
