/* The embedded device code, and launches. */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "device/cuda/cuda_device.h"
#include "device/cuda/image.h"

/* Largest file that VRSEG_CUDA_IMAGE may name. */
#define FILE_MAX ((size_t)256 << 20)

/* What every kernel may use without being asked for more. */
#define DYNAMIC_BYTES ((size_t)48 << 10)

/* Of the first architecture whose code may wait for the kernels before it. */
#define WAITS_VERSION 90

/* Parameters of a launch, at most. */
#define PARAMS_MAX ((size_t)4096)

static vrs_status fail_image(vrs_cuda_device *cuda, vrs_cu_result result)
{
    const vrs_device_properties *p = &cuda->base.properties;
    if (result == VRS_CU_NO_BINARY_FOR_GPU || result == VRS_CU_UNSUPPORTED_PTX_VERSION ||
        result == VRS_CU_INVALID_PTX) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s (%s) has compute capability %d.%d, for which this build has no code: "
                        "it was made for %s",
                        p->id, p->name, p->major, p->minor,
                        vrs_cuda_image_archs[0] ? vrs_cuda_image_archs : "other GPUs");
    }
    return vrs_cuda_check(&cuda->base, result, "cannot load the kernels");
}

static vrs_status load_image(vrs_cuda_device *cuda, const void *data)
{
    vrs_cu_module module = NULL;
    vrs_cu_result result = VRS_CU_TRY(cuda->api->module_load(&module, data));
    if (result != VRS_CU_SUCCESS)
        return fail_image(cuda, result);
    cuda->modules[cuda->module_count++] = module;
    return VRS_OK;
}

/* VRSEG_CUDA_IMAGE names a file of device code that is loaded instead: for tests and for kernels
 * that are being written. */
vrs_status vrs_cuda_load_modules(vrs_cuda_device *cuda)
{
    const char *path = getenv("VRSEG_CUDA_IMAGE");
    if (path && *path) {
        size_t size;
        vrs_status status = vrs_file_read(path, FILE_MAX, &cuda->file, &size);
        return status == VRS_OK ? load_image(cuda, cuda->file) : status;
    }
    if (vrs_cuda_image_count == 0) {
        return vrs_fail(VRS_MISSING, "this build of vrseg has no GPU kernels, because it was made "
                                     "without nvcc: run `make cuda`, then `make build`");
    }
    vrs_status status = VRS_OK;
    for (uint64_t i = 0; status == VRS_OK && i < vrs_cuda_image_count; i++) {
        status = i < VRS_CUDA_MODULES
                     ? load_image(cuda, vrs_cuda_images[i].data)
                     : vrs_fail(VRS_UNSUPPORTED, "more than %d device images", VRS_CUDA_MODULES);
    }
    return status;
}

void vrs_cuda_unload_modules(vrs_cuda_device *cuda)
{
    if (vrs_cuda_enter_quietly(cuda)) {
        while (cuda->module_count > 0)
            (void)cuda->api->module_unload(cuda->modules[--cuda->module_count]);
        vrs_cuda_leave(&cuda->base);
    }
}

static bool in_name(char c)
{
    return c == '_' || isalnum((unsigned char)c) != 0;
}

/* Whether a name stands by itself somewhere in an image: in a symbol table or in PTX. */
static bool has_name(const vrs_cuda_image *image, const char *name)
{
    const size_t length = strlen(name);
    const char *begin = image->data, *end = begin + image->size;
    for (const char *at = begin; (size_t)(end - at) >= length; at++) {
        at = memchr(at, name[0], (size_t)(end - at));
        if (at == NULL || (size_t)(end - at) < length)
            return false;
        /* A zero byte follows the image. */
        if (memcmp(at, name, length) == 0 && !in_name(at[length]) &&
            (at == begin || !in_name(at[-1])))
            return true;
    }
    return false;
}

/* The function of the first module that has it. A module is not asked for what its image does not
 * name: such a call fails, and checkers of API errors would report it. */
static vrs_status find_function(vrs_cuda_device *cuda, const char *name, vrs_cu_function *function)
{
    for (int32_t i = 0; i < cuda->module_count; i++) {
        if (cuda->file == NULL && !has_name(&vrs_cuda_images[i], name))
            continue;
        vrs_cu_result result =
            VRS_CU_TRY(cuda->api->module_function(function, cuda->modules[i], name));
        if (result == VRS_CU_SUCCESS)
            return VRS_OK;
        if (result != VRS_CU_NOT_FOUND)
            return vrs_cuda_check(&cuda->base, result, name);
    }
    return vrs_fail(VRS_NOT_FOUND, "%s: the device code has no kernel %s", cuda->base.properties.id,
                    name);
}

static vrs_status read_kernel(vrs_cuda_device *cuda, vrs_cuda_kernel *kernel, const char *name)
{
    vrs_kernel_properties *p = &kernel->base.properties;
    int shared = 0, local = 0;
    const struct {
        int attribute;
        int *value;
    } wanted[] = {
        {VRS_CU_FUNC_MAX_THREADS_PER_BLOCK, &p->block_threads},
        {VRS_CU_FUNC_NUM_REGS, &p->registers},
        {VRS_CU_FUNC_SHARED_BYTES, &shared},
        {VRS_CU_FUNC_LOCAL_BYTES, &local},
        {VRS_CU_FUNC_BINARY_VERSION, &p->binary_version},
        {VRS_CU_FUNC_PTX_VERSION, &p->ptx_version},
    };
    /* At once: the driver would otherwise load it, and take memory, at the first launch. */
    vrs_cu_result result = VRS_CU_TRY_MEMORY(cuda->api->function_load(kernel->function));
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0] && result == VRS_CU_SUCCESS; i++) {
        result = VRS_CU_TRY(
            cuda->api->function_attribute(wanted[i].value, wanted[i].attribute, kernel->function));
    }
    if (result == VRS_CU_SUCCESS)
        result =
            VRS_CU_TRY(cuda->api->param_info(kernel->function, 0, &kernel->params_offset, NULL));
    p->shared_bytes = (size_t)shared;
    p->local_bytes = (size_t)local;
    kernel->dynamic_bytes = DYNAMIC_BYTES > p->shared_bytes ? DYNAMIC_BYTES - p->shared_bytes : 0;
    if (result == VRS_CU_NO_BINARY_FOR_GPU)
        return fail_image(cuda, result);
    return vrs_cuda_check(&cuda->base, result, name);
}

vrs_status vrs_cuda_kernel_find(vrs_device *device, const char *name, vrs_kernel **kernel)
{
    vrs_cuda_kernel *made = vrs_alloc(sizeof *made);
    if (!made)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_cuda_enter(device);
    if (status == VRS_OK) {
        status = find_function(vrs_cuda(device), name, &made->function);
        if (status == VRS_OK)
            status = read_kernel(vrs_cuda(device), made, name);
        vrs_cuda_leave(device);
    }
    if (status != VRS_OK) {
        vrs_free(made);
        return status;
    }
    *kernel = &made->base;
    return VRS_OK;
}

void vrs_cuda_kernel_destroy(vrs_kernel *kernel)
{
    vrs_free(kernel);
}

/* Lets the kernel have more dynamic shared memory than every kernel has: all that there is, so that
 * it does not matter who asks first. */
static vrs_status allow_shared(vrs_cuda_kernel *kernel, size_t bytes)
{
    vrs_device *device = kernel->base.device;
    size_t most = device->properties.block_shared_bytes - kernel->base.properties.shared_bytes;
    if (bytes <= atomic_load(&kernel->dynamic_bytes) || most > INT32_MAX)
        return VRS_OK;
    vrs_cu_result result = VRS_CU_TRY(vrs_cuda(device)->api->function_set(
        kernel->function, VRS_CU_FUNC_MAX_DYNAMIC_SHARED_BYTES, (int)most));
    /* Else the driver may leave room for one block of it alone. */
    if (result == VRS_CU_SUCCESS) {
        result = VRS_CU_TRY(vrs_cuda(device)->api->function_set(kernel->function,
                                                                VRS_CU_FUNC_SHARED_CARVEOUT, 100));
    }
    if (result == VRS_CU_SUCCESS)
        atomic_store(&kernel->dynamic_bytes, most);
    return vrs_cuda_check(device, result, kernel->base.name);
}

vrs_status vrs_cuda_occupancy(vrs_kernel *kernel, int32_t block_threads, size_t shared_bytes,
                              int32_t *blocks)
{
    vrs_device *device = kernel->device;
    vrs_cuda_kernel *cuda_kernel = (vrs_cuda_kernel *)kernel;
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    status = allow_shared(cuda_kernel, shared_bytes);
    if (status == VRS_OK) {
        status = vrs_cuda_check(device,
                                VRS_CU_TRY(vrs_cuda(device)->api->occupancy(
                                    blocks, cuda_kernel->function, block_threads, shared_bytes)),
                                kernel->name);
    }
    vrs_cuda_leave(device);
    return status;
}

/* The parameter where the kernel expects it: `buffer` holds PARAMS_MAX. */
static const void *place_params(const vrs_cuda_kernel *kernel, const vrs_launch *launch,
                                unsigned char *buffer, size_t *bytes)
{
    const size_t offset = kernel->params_offset;
    *bytes = offset + launch->params_bytes;
    if (offset == 0)
        return launch->params;
    memset(buffer, 0, offset);
    memcpy(buffer + offset, launch->params, launch->params_bytes);
    return buffer;
}

/* Code of other architectures does not know how to wait. */
static bool may_overlap(const vrs_kernel *kernel, const vrs_launch *launch)
{
    return launch->waits && kernel->properties.ptx_version >= WAITS_VERSION &&
           kernel->properties.binary_version >= WAITS_VERSION;
}

static vrs_cu_result start(const vrs_cu_api *api, vrs_cu_stream stream, vrs_cuda_kernel *kernel,
                           const vrs_launch *launch, void **extra)
{
    const uint32_t *g = launch->grid, *b = launch->block;
    if (!may_overlap(&kernel->base, launch))
        return VRS_CU_TRY(api->launch(kernel->function, g[0], g[1], g[2], b[0], b[1], b[2],
                                      launch->shared_bytes, stream, NULL, extra));
    vrs_cu_launch_attribute attribute = {.id = VRS_CU_LAUNCH_SERIALIZATION, .allowed = 1};
    const vrs_cu_launch_config config = {.grid = {g[0], g[1], g[2]},
                                         .block = {b[0], b[1], b[2]},
                                         .shared_bytes = launch->shared_bytes,
                                         .stream = stream,
                                         .attributes = &attribute,
                                         .attribute_count = 1};
    return VRS_CU_TRY(api->launch_config(&config, kernel->function, NULL, extra));
}

vrs_status vrs_cuda_launch(vrs_device_stream *stream, vrs_kernel *kernel, const vrs_launch *launch)
{
    vrs_device *device = kernel->device;
    vrs_cuda_kernel *cuda_kernel = (vrs_cuda_kernel *)kernel;
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    status = allow_shared(cuda_kernel, launch->shared_bytes);
    if (status == VRS_OK && cuda_kernel->params_offset + launch->params_bytes > PARAMS_MAX) {
        status =
            vrs_fail(VRS_INVALID, "%s: %zu bytes of parameters: at most %zu are possible",
                     kernel->name, launch->params_bytes, PARAMS_MAX - cuda_kernel->params_offset);
    }
    if (status == VRS_OK) {
        unsigned char buffer[PARAMS_MAX];
        size_t bytes;
        const void *params = place_params(cuda_kernel, launch, buffer, &bytes);
        void *extra[] = {VRS_CU_LAUNCH_PARAM_BUFFER_POINTER, (void *)(uintptr_t)params,
                         VRS_CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, VRS_CU_LAUNCH_PARAM_END};
        status = vrs_cuda_check(device,
                                start(vrs_cuda(device)->api, ((vrs_cuda_stream *)stream)->handle,
                                      cuda_kernel, launch, extra),
                                kernel->name);
    }
    vrs_cuda_leave(device);
    return status;
}
