#include "engine/onnxruntime/library.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/thread.h"
#include "device/library.h"
#include "engine/find_library.h"
#include "vrseg/log.h"
#include "vrseg/system.h"

#define LIBRARY "libonnxruntime.so"
#define ADVICE "run `make setup` to get ONNX Runtime again"

static struct {
    vrs_mutex mutex;
    bool open;
    vrs_ort_library library;
} shared = {.mutex = {PTHREAD_MUTEX_INITIALIZER}};

typedef struct base_table {
    const OrtApiBase *(*get)(void);
} base_table;

/* The library in a folder by the names that it goes by: its own, the linker's, or that of the
 * Python wheels, which ends in the whole version. */
static vrs_status find_library(const char *folder, char path[VRS_PATH_MAX], bool *found)
{
    static const char *const names[] = {LIBRARY ".1", LIBRARY};
    *found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !*found; i++) {
        *found = vrs_path_format(path, VRS_PATH_MAX, "%s/%s", folder, names[i]) == VRS_OK &&
                 vrs_file_exists(path);
    }
    DIR *directory = *found ? NULL : opendir(folder);
    for (struct dirent *entry; directory && !*found && (entry = readdir(directory)) != NULL;) {
        *found = strncmp(entry->d_name, LIBRARY ".1.", sizeof(LIBRARY ".1.") - 1) == 0 &&
                 vrs_path_format(path, VRS_PATH_MAX, "%s/%s", folder, entry->d_name) == VRS_OK;
    }
    if (directory)
        (void)closedir(directory);
    return VRS_OK;
}

static const vrs_find_library looked_for = {.name = "ONNX Runtime",
                                            .file = LIBRARY ".1",
                                            .variable = "VRSEG_ONNXRUNTIME_DIR",
                                            .folders = {"onnxruntime-gpu/lib", "onnxruntime/lib"},
                                            .find = find_library};

/* The N of version 1.N.x, which is the newest API that the library has; 0: no such version. */
static uint32_t newest_api(const char *version)
{
    char *end = NULL;
    if (strncmp(version, "1.", 2) != 0)
        return 0;
    unsigned long minor = strtoul(version + 2, &end, 10);
    return end == version + 2 || minor > 10000 ? 0 : (uint32_t)minor;
}

/* What the library tells beside the results of calls, which come with their own words. */
static void on_message(void *opaque, OrtLoggingLevel level, const char *category, const char *id,
                       const char *place, const char *message)
{
    (void)opaque, (void)level, (void)category, (void)id, (void)place;
    vrs_log(VRS_LOG_DEBUG, "ONNX Runtime: %s", message);
}

static vrs_status start(vrs_ort_library *library, const OrtApiBase *base, const char *path)
{
    snprintf(library->version, sizeof library->version, "%s", base->GetVersionString());
    uint32_t newest = newest_api(library->version);
    if (newest < VRS_ORT_API) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: is ONNX Runtime %s, and vrseg needs 1.%d or later; run `make setup`",
                        path, library->version, VRS_ORT_API);
    }
    bool plugins = newest >= VRS_ORT_PLUGIN_API;
    library->api =
        vrs_inject("onnxruntime") ? base->GetApi(plugins ? VRS_ORT_PLUGIN_API : VRS_ORT_API) : NULL;
    if (!library->api) {
        return vrs_fail(VRS_ENGINE, "%s: ONNX Runtime %s does not give its own API", path,
                        library->version);
    }
    library->plugin = plugins ? vrs_ort_plugin(library->api) : NULL;
    const OrtApi *api = library->api;
    vrs_status status =
        vrs_ort_check(library,
                      VRS_ORT_TRY(api->CreateEnvWithCustomLogger(
                          on_message, NULL, ORT_LOGGING_LEVEL_WARNING, "vrseg", &library->env)),
                      VRS_ENGINE, "cannot start ONNX Runtime");
    if (status == VRS_OK) {
        status = vrs_ort_check(
            library, VRS_ORT_TRY(api->GetAllocatorWithDefaultOptions(&library->allocator)),
            VRS_ENGINE, "cannot start ONNX Runtime");
    }
    if (status != VRS_OK && library->env)
        api->ReleaseEnv(library->env);
    return status;
}

static vrs_status open_path(const char *path, vrs_ort_library *library)
{
    static const vrs_library_symbol symbols[] = {
        VRS_LIBRARY_SYMBOL(base_table, get, OrtGetApiBase)};
    const vrs_library_spec spec = {
        .file = path, .advice = ADVICE, .symbols = symbols, .symbol_count = 1};
    base_table table = {0};
    void *handle = NULL;
    vrs_status status = vrs_library_open(&spec, &table, &handle);
    if (status == VRS_OK)
        status = start(library, table.get(), path);
    if (status != VRS_OK)
        vrs_library_close(handle);
    return status;
}

vrs_status vrs_ort_open(const vrs_ort_library **library)
{
    vrs_status status = VRS_OK;
    vrs_mutex_lock(&shared.mutex);
    if (!shared.open) {
        char path[VRS_PATH_MAX];
        shared.library = (vrs_ort_library){0};
        status = vrs_find_library_in_folders(&looked_for, shared.library.folder, path);
        if (status == VRS_OK)
            status = open_path(path, &shared.library);
    }
    shared.open = status == VRS_OK;
    vrs_mutex_unlock(&shared.mutex);
    *library = status == VRS_OK ? &shared.library : NULL;
    return status;
}

OrtStatus *vrs_ort_injected(void)
{
    static char marker; /* never read: its address is the result */
    return (OrtStatus *)(void *)&marker;
}

/* One line without what only ONNX Runtime's developers need: "[ONNXRuntimeError] : 1 : FAIL : ",
 * "file.cc:84 function ", and stack traces after an empty line. */
static void tidy_message(const char *message, char *line, size_t size)
{
    size_t used = 0;
    const char *place = strstr(message, ".cc:");
    /* "/path/to/file.cc:123 virtual onnxruntime::... What happened" */
    if (message[0] == '/' && place) {
        const char *words = strstr(place, ") ");
        message = words ? words + 2 : message;
    }
    for (int i = 0; i < 3 && strncmp(message, "[ONNXRuntimeError]", 18) == 0; i++) {
        const char *words = strstr(message, "L : "); /* of FAIL, the only one that is nested */
        message = words ? words + 4 : message + 18;
    }
    for (; *message && strncmp(message, "\n\n", 2) != 0 && used + 1 < size; message++) {
        char c = *message == '\n' || *message == '\t' ? ' ' : *message;
        if (c != ' ' || (used > 0 && line[used - 1] != ' '))
            line[used++] = c;
    }
    while (used > 0 && line[used - 1] == ' ')
        used--;
    line[used] = 0;
}

/* What a result means beyond its caller's guess. */
static vrs_status meaning(OrtErrorCode code, const char *message, vrs_status status)
{
    if (strstr(message, "bad_alloc") || strstr(message, "out of memory") ||
        strstr(message, "Failed to allocate memory") || strstr(message, "Available memory of"))
        return VRS_NO_MEMORY;
    bool unreadable = code == ORT_INVALID_PROTOBUF || code == ORT_INVALID_GRAPH ||
                      code == ORT_NO_MODEL || strncmp(message, "Load model from", 15) == 0;
    return unreadable ? VRS_FORMAT : status;
}

vrs_status vrs_ort_check(const vrs_ort_library *library, OrtStatus *result, vrs_status status,
                         const char *what)
{
    if (!result)
        return VRS_OK;
    if (result == vrs_ort_injected())
        return vrs_fail(status, "%s: refused by failure injection", what);
    const char *message = library->api->GetErrorMessage(result);
    char line[VRS_DETAIL_SIZE];
    tidy_message(message, line, sizeof line);
    status = meaning(library->api->GetErrorCode(result), message, status);
    library->api->ReleaseStatus(result);
    return vrs_fail(status, "%s: ONNX Runtime says: %s", what, line);
}

void vrs_ort_ignore(const vrs_ort_library *library, OrtStatus *result)
{
    if (result && result != vrs_ort_injected())
        library->api->ReleaseStatus(result);
}

/* The option's name of a provider that vrseg can use; NULL: another. */
static const char *provider_name(const char *name)
{
    static const char *const known[][2] = {{"CPUExecutionProvider", "cpu"},
                                           {"CUDAExecutionProvider", "cuda"},
                                           {"TensorrtExecutionProvider", "tensorrt"},
                                           {"NvTensorRTRTXExecutionProvider", "tensorrt-rtx"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i][0]) == 0)
            return known[i][1];
    return NULL;
}

/* "1.32.0 (cpu)": the version and the providers that the library was built with. */
static vrs_status describe(const vrs_ort_library *library, char *text, size_t size)
{
    char **names = NULL;
    int count = 0;
    char list[64] = ""; /* enough for all four */
    size_t used = 0;
    vrs_status status =
        vrs_ort_check(library, VRS_ORT_TRY(library->api->GetAvailableProviders(&names, &count)),
                      VRS_ENGINE, "cannot list the providers");
    if (status != VRS_OK)
        return status;
    for (int i = 0; i < count; i++) {
        const char *name = provider_name(names[i]);
        if (name) {
            used +=
                (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", name);
        }
    }
    vrs_ort_ignore(library, library->api->ReleaseAvailableProviders(names, count));
    return vrs_path_format(text, size, "%s (%s)", library->version, list);
}

vrs_status vrs_onnxruntime_info(char *version, size_t version_size, char *folder,
                                size_t folder_size)
{
    const vrs_ort_library *library;
    vrs_status status = vrs_ort_open(&library);
    if (status == VRS_OK)
        status = describe(library, version, version_size);
    if (status == VRS_OK)
        status = vrs_path_format(folder, folder_size, "%s", library->folder);
    return status;
}
