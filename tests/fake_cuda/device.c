/* Devices, primary contexts, modules and functions, and calls that must not be made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_cuda/internal.h"

#define STACK 16

static _Thread_local struct {
    cu_context stack[STACK];
    int depth;
} current;

static cu_context current_context(void)
{
    return current.depth > 0 ? current.stack[current.depth - 1] : NULL;
}

int fake_current_device(void)
{
    const struct fake_context *context = current_context();
    return context != NULL && context->retained > 0 ? context->device : -1;
}

static bool is_device(int device)
{
    return device >= 0 && device < fake.devices;
}

static bool is_context(const struct fake_context *context)
{
    for (int i = 0; i < MAX_DEVICES; i++)
        if (context == &fake.contexts[i])
            return context->retained > 0;
    return false;
}

static const struct {
    cu_result value;
    const char *name, *text;
} errors[] = {
    {CU_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CU_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CU_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CU_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CU_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CU_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CU_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CU_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {CU_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CU_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CU_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CU_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {CU_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CU_NOT_PERMITTED, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {CU_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CU_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

/* These two neither fail nor count. */
DRIVER(cuGetErrorName, cu_result error, const char **name)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].value == error) {
            *name = errors[i].name;
            return CU_SUCCESS;
        }
    }
    *name = NULL;
    return CU_INVALID_VALUE;
}

DRIVER(cuGetErrorString, cu_result error, const char **text)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].value == error) {
            *text = errors[i].text;
            return CU_SUCCESS;
        }
    }
    *text = NULL;
    return CU_INVALID_VALUE;
}

DRIVER(cuInit, unsigned flags)
{
    ENTER(NEEDS_NOTHING);
    if (flags != 0)
        return fake_leave(CU_INVALID_VALUE);
    if (fake.devices == 0)
        return fake_leave(CU_NO_DEVICE);
    fake.initialised = true;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuDriverGetVersion, int *version)
{
    ENTER(NEEDS_NOTHING);
    *version = fake.driver;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuDeviceGetCount, int *count)
{
    ENTER(NEEDS_INIT);
    *count = fake.devices;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuDeviceGet, int *device, int ordinal)
{
    ENTER(NEEDS_INIT);
    if (!is_device(ordinal))
        return fake_leave(CU_INVALID_DEVICE);
    *device = ordinal;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuDeviceGetName, char *name, int bytes, int device)
{
    ENTER(NEEDS_INIT);
    if (!is_device(device) || bytes <= 0)
        return fake_leave(CU_INVALID_DEVICE);
    snprintf(name, (size_t)bytes, "%s %d", fake.name, device);
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuDeviceTotalMem_v2, size_t *bytes, int device)
{
    ENTER(NEEDS_INIT);
    if (!is_device(device))
        return fake_leave(CU_INVALID_DEVICE);
    *bytes = fake.memory;
    return fake_leave(CU_SUCCESS);
}

static cu_result uuid_of(uint8_t uuid[16], int device)
{
    if (!is_device(device))
        return CU_INVALID_DEVICE;
    memcpy(uuid, "fake_cuda device", 16);
    uuid[15] = (uint8_t)device;
    return CU_SUCCESS;
}

DRIVER(cuDeviceGetUuid_v2, uint8_t uuid[16], int device)
{
    ENTER(NEEDS_INIT);
    return fake_leave(uuid_of(uuid, device));
}

DRIVER(cuDeviceGetUuid, uint8_t uuid[16], int device)
{
    ENTER(NEEDS_INIT);
    return fake_leave(uuid_of(uuid, device));
}

DRIVER(cuDeviceGetPCIBusId, char *id, int bytes, int device)
{
    ENTER(NEEDS_INIT);
    if (!is_device(device) || bytes <= 0)
        return fake_leave(CU_INVALID_DEVICE);
    snprintf(id, (size_t)bytes, "0000:%02X:00.0", device + 1);
    return fake_leave(CU_SUCCESS);
}

/* Numbers of CU_DEVICE_ATTRIBUTE_... with an H100's values; 0 for what is not listed. */
static int attribute_of(int attribute, int device)
{
    static const int values[][2] = {
        {1, 1024},       /* threads per block */
        {2, 1024},       /* block, x */
        {3, 1024},       /* y */
        {4, 64},         /* z */
        {5, 0x7FFFFFFF}, /* grid, x */
        {6, 65535},      /* y */
        {7, 65535},      /* z */
        {8, 49152},      /* shared memory per block */
        {10, 32},        /* warp */
        {12, 65536},     /* registers per block */
        {13, 1785000},   /* clock, kHz */
        {14, 512},       /* texture alignment */
        {16, 132},       /* multiprocessors */
        {19, 1},         /* can map host memory */
        {31, 1},         /* concurrent kernels */
        {36, 2619000},   /* memory clock, kHz */
        {37, 5120},      /* memory bus, bits */
        {38, 50 << 20},  /* L2 */
        {39, 2048},      /* threads per multiprocessor */
        {40, 3},         /* copy engines */
        {41, 1},         /* unified addressing */
        {78, 1},         /* stream priorities */
        {81, 233472},    /* shared memory per multiprocessor */
        {82, 65536},     /* registers per multiprocessor */
        {83, 1},         /* managed memory */
        {97, 232448},    /* shared memory per block, asked for */
        {102, 1},        /* virtual memory management */
        {115, 1},        /* memory pools */
    };
    if (attribute == 33)
        return device + 1; /* PCI bus */
    if (attribute == 75 || attribute == 76)
        return attribute == 75 ? fake.major : fake.minor;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (values[i][0] == attribute)
            return values[i][1];
    return 0;
}

DRIVER(cuDeviceGetAttribute, int *value, int attribute, int device)
{
    ENTER(NEEDS_INIT);
    if (!is_device(device) || value == NULL || attribute <= 0)
        return fake_leave(is_device(device) ? CU_INVALID_VALUE : CU_INVALID_DEVICE);
    *value = attribute_of(attribute, device);
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuDevicePrimaryCtxRetain, cu_context *context, int device)
{
    ENTER(NEEDS_INIT);
    if (!is_device(device) || context == NULL)
        return fake_leave(is_device(device) ? CU_INVALID_VALUE : CU_INVALID_DEVICE);
    fake.contexts[device].device = device;
    fake.contexts[device].retained++;
    *context = &fake.contexts[device];
    return fake_leave(CU_SUCCESS);
}

/* When all devices are lost, the last context takes with it what could not be given back. */
static void drop_lost(void)
{
    for (int i = 0; i < MAX_DEVICES; i++)
        if (fake.contexts[i].retained > 0)
            return;
    fake_quiet();
    fake_drop_graphs();
    fake_drop_streams();
    fake_drop_devices();
    fake_memory_drop();
}

static cu_result release_context(int device, cu_result error)
{
    if (!is_device(device) || fake.contexts[device].retained == 0)
        return error != CU_SUCCESS ? error : CU_INVALID_CONTEXT;
    fake.contexts[device].retained--;
    if (fake_sticky(-1) != CU_SUCCESS && fake.contexts[device].retained == 0)
        drop_lost();
    return error;
}

DRIVER(cuDevicePrimaryCtxRelease_v2, int device)
{
    return fake_leave(release_context(device, fake_enter_release(__func__)));
}

/* The name that libav's loader knows. */
DRIVER(cuDevicePrimaryCtxRelease, int device)
{
    return fake_leave(release_context(device, fake_enter_release(__func__)));
}

DRIVER(cuDevicePrimaryCtxSetFlags_v2, int device, unsigned flags)
{
    ENTER(NEEDS_INIT);
    if (!is_device(device))
        return fake_leave(CU_INVALID_DEVICE);
    fake.contexts[device].flags = flags;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuDevicePrimaryCtxGetState, int device, unsigned *flags, int *active)
{
    ENTER(NEEDS_INIT);
    if (!is_device(device))
        return fake_leave(CU_INVALID_DEVICE);
    *flags = fake.contexts[device].flags;
    *active = fake.contexts[device].retained > 0;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuCtxSetCurrent, cu_context context)
{
    ENTER(NEEDS_INIT);
    if (context != NULL && !is_context(context))
        return fake_leave(CU_INVALID_CONTEXT);
    current.depth = current.depth > 0 ? current.depth : 1;
    current.stack[current.depth - 1] = context;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuCtxGetCurrent, cu_context *context)
{
    ENTER(NEEDS_INIT);
    *context = current_context();
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuCtxPushCurrent_v2, cu_context context)
{
    ENTER(NEEDS_INIT);
    if (!is_context(context) || current.depth == STACK)
        return fake_leave(CU_INVALID_CONTEXT);
    current.stack[current.depth++] = context;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuCtxPopCurrent_v2, cu_context *context)
{
    const cu_result error = fake_enter_release(__func__);
    if (current.depth == 0)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_CONTEXT);
    if (context != NULL)
        *context = current_context();
    current.depth--;
    return fake_leave(error);
}

DRIVER(cuCtxGetDevice, int *device)
{
    ENTER(NEEDS_CONTEXT);
    *device = fake_current_device();
    return fake_leave(CU_SUCCESS);
}

static cu_result load_module(cu_module *module, const void *image)
{
    if (module == NULL || image == NULL)
        return CU_INVALID_VALUE;
    if (fake.image_error != CU_SUCCESS)
        return fake.image_error;
    struct fake_module *m = fake_take(1, sizeof(*m));
    m->device = fake_current_device();
    m->next = fake.modules;
    fake.modules = m;
    *module = m;
    return CU_SUCCESS;
}

DRIVER(cuModuleLoadData, cu_module *module, const void *image)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(load_module(module, image));
}

DRIVER(cuModuleLoadDataEx, cu_module *module, const void *image, unsigned count, int *options,
       void **values)
{
    (void)count;
    (void)options;
    (void)values;
    ENTER(NEEDS_CONTEXT);
    return fake_leave(load_module(module, image));
}

static struct fake_module **find_module(cu_module module)
{
    struct fake_module **at = &fake.modules;
    while (*at != NULL && *at != module)
        at = &(*at)->next;
    return at;
}

static cu_result unload_module(cu_module module, cu_result error)
{
    struct fake_module **at = find_module(module);
    if (*at == NULL)
        return error != CU_SUCCESS ? error : CU_INVALID_HANDLE;
    struct fake_module *m = *at;
    *at = m->next;
    free(m);
    return error;
}

DRIVER(cuModuleUnload, cu_module module)
{
    return fake_leave(unload_module(module, fake_enter_release(__func__)));
}

static cu_result find_function(cu_function *function, cu_module module, const char *name)
{
    if (*find_module(module) == NULL || function == NULL || name == NULL)
        return CU_INVALID_HANDLE;
    const struct fake_function *found = fake_find_kernel(name);
    if (found == NULL)
        return CU_NOT_FOUND;
    *function = (cu_function)found;
    return CU_SUCCESS;
}

DRIVER(cuModuleGetFunction, cu_function *function, cu_module module, const char *name)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(find_function(function, module, name));
}

/* Libraries are modules, their kernels are functions. */
DRIVER(cuLibraryLoadData, cu_module *library, const void *image, int *jit_options,
       void **jit_values, unsigned jit_count, int *options, void **values, unsigned count)
{
    (void)jit_options;
    (void)jit_values;
    (void)jit_count;
    (void)options;
    (void)values;
    (void)count;
    ENTER(NEEDS_INIT);
    return fake_leave(load_module(library, image));
}

DRIVER(cuLibraryUnload, cu_module library)
{
    return fake_leave(unload_module(library, fake_enter_release(__func__)));
}

DRIVER(cuLibraryGetKernel, cu_function *kernel, cu_module library, const char *name)
{
    ENTER(NEEDS_INIT);
    return fake_leave(find_function(kernel, library, name));
}

DRIVER(cuKernelGetFunction, cu_function *function, cu_function kernel)
{
    ENTER(NEEDS_CONTEXT);
    if (kernel == NULL || function == NULL)
        return fake_leave(CU_INVALID_HANDLE);
    *function = kernel;
    return fake_leave(CU_SUCCESS);
}

/* Attributes of a small kernel: CU_FUNC_ATTRIBUTE_... */
DRIVER(cuFuncGetAttribute, int *value, int attribute, cu_function function)
{
    ENTER(NEEDS_CONTEXT);
    if (function == NULL || value == NULL)
        return fake_leave(function == NULL ? CU_INVALID_HANDLE : CU_INVALID_VALUE);
    const int binary = 10 * fake.major + fake.minor;
    *value = attribute == 0                     ? 1024
             : attribute == 4                   ? 32
             : attribute == 5 || attribute == 6 ? binary
                                                : 0;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuFuncSetAttribute, cu_function function, int attribute, int value)
{
    ENTER(NEEDS_CONTEXT);
    if (function == NULL)
        return fake_leave(CU_INVALID_HANDLE);
    /* 8: dynamic shared memory */
    return fake_leave(attribute == 8 && value > 232448 ? CU_INVALID_VALUE : CU_SUCCESS);
}

DRIVER(cuFuncGetParamInfo, cu_function function, size_t index, size_t *offset, size_t *bytes)
{
    ENTER(NEEDS_CONTEXT);
    if (function == NULL || index != 0)
        return fake_leave(function == NULL ? CU_INVALID_HANDLE : CU_INVALID_VALUE);
    *offset = function->params_offset;
    if (bytes != NULL)
        *bytes = function->params_bytes;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuFuncLoad, cu_function function)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(function == NULL ? CU_INVALID_HANDLE : CU_SUCCESS);
}

DRIVER(cuOccupancyMaxActiveBlocksPerMultiprocessor, int *blocks, cu_function function, int threads,
       size_t shared_bytes)
{
    ENTER(NEEDS_CONTEXT);
    if (function == NULL || threads <= 0 || threads > 1024)
        return fake_leave(CU_INVALID_VALUE);
    const int by_threads = 2048 / threads;
    const int by_shared = shared_bytes > 0 ? (int)(233472 / shared_bytes) : 32;
    *blocks = by_threads < by_shared ? by_threads : by_shared;
    return fake_leave(CU_SUCCESS);
}

void fake_drop_devices(void)
{
    while (fake.modules != NULL) {
        struct fake_module *m = fake.modules;
        fake.modules = m->next;
        free(m);
    }
    memset(fake.contexts, 0, sizeof(fake.contexts));
}

/* What no code of ours may do: all that synchronises a device or a context, or takes the context
 * from under others. */
#define FORBIDDEN(name)                                     \
    FAKE_CUDA_API cu_result name(void);                     \
    cu_result name(void)                                    \
    {                                                       \
        fake_die(#name " is forbidden: wait for an event"); \
    }

FORBIDDEN(cuCtxSynchronize)
FORBIDDEN(cuCtxSynchronize_v2)
FORBIDDEN(cuDevicePrimaryCtxReset)
FORBIDDEN(cuDevicePrimaryCtxReset_v2)
FORBIDDEN(cuCtxDestroy_v2)
