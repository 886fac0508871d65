#include "engine/cuda/cudnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/library.h"
#include "engine/cuda/conv.h"
#include "vrseg/system.h"

#define ADVICE                                                                                 \
    "install cuDNN 9 for CUDA 13 (`make setup` brings it on a machine with an NVIDIA driver; " \
    "Debian package cudnn9-cuda-13 of NVIDIA's repository; or set VRSEG_CUDNN_LIBRARY to its " \
    "libcudnn.so.9)"

static const vrs_library_symbol symbols[] = {
#define SYMBOL(member, symbol, arguments) VRS_LIBRARY_SYMBOL(vrs_dnn_api, member, symbol)
    VRS_CUDNN_FUNCTIONS(SYMBOL)
#undef SYMBOL
        VRS_LIBRARY_SYMBOL(vrs_dnn_api, version, cudnnGetVersion)
            VRS_LIBRARY_SYMBOL(vrs_dnn_api, error_text, cudnnGetErrorString)
                VRS_LIBRARY_SYMBOL(vrs_dnn_api, last_error, cudnnGetLastErrorString)};

/* Where it is looked for; the first is what the loader finds by itself. */
static const char *const places[] = {
    VRS_CUDNN_LIBRARY,
    (VRS_PRIVATE_FOLDER "/cudnn/cudnn/lib/" VRS_CUDNN_LIBRARY),
    ("/usr/local/cuda/lib64/" VRS_CUDNN_LIBRARY),
};

#define PLACES (sizeof places / sizeof places[0])

static struct {
    vrs_mutex mutex;
    bool open;
    vrs_dnn_api api;
} shared = {.mutex = {PTHREAD_MUTEX_INITIALIZER}};

/* With `shared.mutex` held. What the first place says is what is told: the others are extras. */
static vrs_status open_library(void)
{
    char first[VRS_DETAIL_SIZE] = "";
    const char *named = getenv("VRSEG_CUDNN_LIBRARY");
    size_t count = named && *named ? 1 : PLACES;
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < count; i++) {
        const vrs_library_spec spec = {.file = places[i],
                                       .variable = "VRSEG_CUDNN_LIBRARY",
                                       .advice = ADVICE,
                                       .symbols = symbols,
                                       .symbol_count = sizeof symbols / sizeof symbols[0]};
        void *handle;
        status = vrs_library_open(&spec, &shared.api, &handle);
        if (status == VRS_OK)
            return VRS_OK;
        if (i == 0)
            snprintf(first, sizeof first, "%s", vrs_last_error());
    }
    return vrs_fail(status, "%s", first);
}

vrs_status vrs_dnn_library(const vrs_dnn_api **api, int64_t *version)
{
    *api = NULL;
    *version = 0;
    vrs_mutex_lock(&shared.mutex);
    vrs_status status = shared.open ? VRS_OK : open_library();
    shared.open = status == VRS_OK;
    vrs_mutex_unlock(&shared.mutex);
    if (status != VRS_OK)
        return status;
    *version = (int64_t)shared.api.version();
    if (*version < VRS_CUDNN_VERSION_MIN)
        return vrs_fail(VRS_UNSUPPORTED, "cuDNN %d is too old: " ADVICE, (int)*version);
    *api = &shared.api;
    return VRS_OK;
}

vrs_status vrs_cudnn_info(char *text, size_t size)
{
    const vrs_dnn_api *api;
    int64_t version;
    vrs_status status = vrs_dnn_library(&api, &version);
    if (status == VRS_OK) {
        (void)snprintf(text, size, "%d.%d.%d", (int)(version / 10000), (int)(version % 10000 / 100),
                       (int)(version % 100));
    }
    return status;
}

vrs_status vrs_dnn_check(const vrs_dnn_api *api, vrs_dnn_status status, const char *what)
{
    if (status == VRS_DNN_SUCCESS)
        return VRS_OK;
    if (status == VRS_DNN_INJECTED)
        return vrs_fail(VRS_DEVICE, "cuDNN: %s: refused by failure injection", what);
    char words[512] = "";
    api->last_error(words, sizeof words);
    for (char *c = words; *c; c++)
        *c = *c == '\n' ? ' ' : *c;
    vrs_status kind =
        status / 1000 * 1000 == VRS_DNN_NOT_SUPPORTED ? VRS_UNSUPPORTED
        : status == VRS_DNN_HOST_ALLOCATION_FAILED || status == VRS_DNN_DEVICE_ALLOCATION_FAILED
            ? VRS_NO_MEMORY
            : VRS_DEVICE;
    return vrs_fail(kind, "cuDNN: %s: %s%s%.300s", what, api->error_text(status),
                    *words ? ": " : "", words);
}

vrs_status vrs_dnn_open(vrs_device *device, vrs_dnn *dnn)
{
    *dnn = (vrs_dnn){.device = device};
    int64_t version;
    const vrs_dnn_api *api;
    vrs_status status = vrs_dnn_library(&api, &version);
    if (status == VRS_OK)
        status = vrs_mutex_init(&dnn->mutex);
    if (status != VRS_OK)
        return status;
    dnn->api = api;
    status = vrs_device_enter(device);
    if (status == VRS_OK) {
        status = vrs_dnn_check(api, VRS_DNN_TRY(api->create(&dnn->handle)), "cannot start");
        vrs_device_leave(device);
    }
    if (status != VRS_OK)
        vrs_dnn_close(dnn);
    return status;
}

void vrs_dnn_close(vrs_dnn *dnn)
{
    if (!dnn->api)
        return;
    if (dnn->handle && vrs_conv_enter_again(dnn->device)) {
        (void)dnn->api->destroy(dnn->handle);
        vrs_device_leave(dnn->device);
    }
    vrs_mutex_destroy(&dnn->mutex);
    *dnn = (vrs_dnn){0};
}
