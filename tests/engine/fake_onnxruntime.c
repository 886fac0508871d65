/* A library in ONNX Runtime's place that says which version it is ($FAKE_ORT_VERSION), gives its
 * API to those who ask for the N of 1.N at most, and starts. */
#include <stdlib.h>
#include <string.h>

#include "engine/onnxruntime/api.h"

const OrtApiBase *ORT_API_CALL OrtGetApiBase(void) NO_EXCEPTION;

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

static const OrtApi *get_api(uint32_t number)
{
    static OrtApi api;
    api.CreateEnvWithCustomLogger = create_env;
    api.GetAllocatorWithDefaultOptions = default_allocator;
    api.GetAvailableProviders = get_providers;
    api.ReleaseAvailableProviders = release_providers;
    return strtoul(version() + 2, NULL, 10) >= number && strcmp(version(), "1.77.0") != 0 ? &api
                                                                                          : NULL;
}

const OrtApiBase *OrtGetApiBase(void)
{
    static OrtApiBase base;
    base.GetApi = get_api;
    base.GetVersionString = version;
    return &base;
}
