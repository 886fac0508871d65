/* The driver's library and its errors. */
#include <stdio.h>

#include "base/thread.h"
#include "device/cuda/cuda_device.h"
#include "device/library.h"

#define ADVICE "install NVIDIA's driver, version " VRS_CUDA_DRIVER_MIN " or newer"

static const vrs_library_symbol symbols[] = {
#define SYMBOL(member, symbol, arguments) VRS_LIBRARY_SYMBOL(vrs_cu_api, member, symbol)
    VRS_CUDA_FUNCTIONS(SYMBOL)
#undef SYMBOL
};

static const vrs_library_spec spec = {.file = VRS_CUDA_LIBRARY,
                                      .variable = "VRSEG_CUDA_LIBRARY",
                                      .advice = ADVICE,
                                      .symbols = symbols,
                                      .symbol_count = sizeof symbols / sizeof symbols[0]};

static struct {
    vrs_mutex mutex;
    bool open;
    vrs_cu_api api;
} shared = {.mutex = {PTHREAD_MUTEX_INITIALIZER}};

const char *vrs_cuda_words(const vrs_cu_api *api, vrs_cu_result result, char text[256])
{
    if (result == VRS_CU_INJECTED)
        return "refused by failure injection";
    const char *name = NULL, *words = NULL;
    if (api->error_name(result, &name) != VRS_CU_SUCCESS || !name) {
        (void)snprintf(text, 256, "error %d, which this driver does not know", result);
        return text;
    }
    if (api->error_text(result, &words) != VRS_CU_SUCCESS || !words)
        return name;
    (void)snprintf(text, 256, "%s, %s", name, words);
    return text;
}

/* What of the driver is wrong, if anything, in a sentence. */
static vrs_status start(const vrs_cu_api *api, int *version)
{
    char text[256];
    /* Answers before cuInit() too, so that a driver that is too old is called that. */
    vrs_cu_result result = VRS_CU_TRY(api->driver_version(version));
    if (result == VRS_CU_SUCCESS && *version < VRS_CUDA_VERSION_MIN) {
        return vrs_fail(
            VRS_UNSUPPORTED,
            "the NVIDIA driver is too old: it has CUDA %d.%d, and vrseg needs %d.%d: " ADVICE,
            *version / 1000, *version % 1000 / 10, VRS_CUDA_VERSION_MIN / 1000,
            VRS_CUDA_VERSION_MIN % 1000 / 10);
    }
    if (result == VRS_CU_SUCCESS)
        result = VRS_CU_TRY(api->init(0));
    if (result == VRS_CU_NO_DEVICE)
        return vrs_fail(VRS_MISSING, "the NVIDIA driver shows no GPU that this process may use");
    if (result != VRS_CU_SUCCESS) {
        return vrs_fail(VRS_DEVICE, "the NVIDIA driver does not start: %s",
                        vrs_cuda_words(api, result, text));
    }
    return VRS_OK;
}

vrs_status vrs_cuda_driver(const vrs_cu_api **api, int *version)
{
    vrs_status status = VRS_OK;
    void *handle;
    *api = NULL;
    *version = 0;
    vrs_mutex_lock(&shared.mutex);
    if (!shared.open) {
        status = vrs_library_open(&spec, &shared.api, &handle);
        shared.open = status == VRS_OK;
    }
    vrs_mutex_unlock(&shared.mutex);
    if (status == VRS_OK) {
        /* Every time: starting it again costs nothing, and one that did not may start later. */
        status = start(&shared.api, version);
    }
    if (status == VRS_OK)
        *api = &shared.api;
    return status;
}

vrs_status vrs_device_cuda_count(int32_t *count)
{
    const vrs_cu_api *api;
    int version, number = 0;
    *count = 0;
    vrs_status status = vrs_cuda_driver(&api, &version);
    if (status != VRS_OK)
        return status;
    char text[256];
    vrs_cu_result result = VRS_CU_TRY(api->device_count(&number));
    if (result != VRS_CU_SUCCESS) {
        return vrs_fail(VRS_DEVICE, "the NVIDIA driver does not count its GPUs: %s",
                        vrs_cuda_words(api, result, text));
    }
    if (number < 1)
        return vrs_fail(VRS_MISSING, "the NVIDIA driver shows no GPU that this process may use");
    *count = number;
    return VRS_OK;
}

/* After these the context is of no more use; the driver's documentation says so of each. */
static bool is_fatal(vrs_cu_result result)
{
    switch (result) {
    case VRS_CU_DEINITIALIZED:
    case VRS_CU_ECC_UNCORRECTABLE:
    case VRS_CU_NVLINK_UNCORRECTABLE:
    case VRS_CU_CONTAINED:
    case VRS_CU_ILLEGAL_ADDRESS:
    case VRS_CU_LAUNCH_TIMEOUT:
    case VRS_CU_CONTEXT_IS_DESTROYED:
    case VRS_CU_ASSERT:
    case VRS_CU_HARDWARE_STACK_ERROR:
    case VRS_CU_ILLEGAL_INSTRUCTION:
    case VRS_CU_MISALIGNED_ADDRESS:
    case VRS_CU_INVALID_ADDRESS_SPACE:
    case VRS_CU_INVALID_PC:
    case VRS_CU_LAUNCH_FAILED:
    case VRS_CU_TENSOR_MEMORY_LEAK:
    case VRS_CU_EXTERNAL_DEVICE:
    case VRS_CU_UNKNOWN:
        return true;
    default:
        return false;
    }
}

vrs_status vrs_cuda_check(vrs_device *device, vrs_cu_result result, const char *what)
{
    if (result == VRS_CU_SUCCESS)
        return VRS_OK;
    char text[256];
    const char *words = vrs_cuda_words(vrs_cuda(device)->api, result, text);
    if (result == VRS_CU_OUT_OF_MEMORY) {
        return vrs_fail(VRS_NO_MEMORY, "%s: %s: the GPU's memory is used up", device->properties.id,
                        what);
    }
    if (!is_fatal(result))
        return vrs_fail(VRS_DEVICE, "%s: %s: %s", device->properties.id, what, words);
    char cause[VRS_DETAIL_SIZE];
    (void)snprintf(cause, sizeof cause, "%s: %s", what, words);
    vrs_device_set_lost(device, cause);
    return vrs_device_check(device);
}
