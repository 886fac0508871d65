/* Raw memory of a GPU. */
#include <stdio.h>

#include "device/cuda/cuda_device.h"

/* What was asked for, where it is refused: with what is free. */
static vrs_status fail_memory(vrs_device *device, vrs_cu_result result, const char *what,
                              size_t bytes)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%s of %zu bytes", what, bytes);
    if (result != VRS_CU_OUT_OF_MEMORY)
        return vrs_cuda_check(device, result, text);
    size_t left = 0, total = 0;
    (void)vrs_cuda(device)->api->memory_info(&left, &total);
    return vrs_fail(VRS_NO_MEMORY, "%s: %s: %zu of its %zu bytes are free", device->properties.id,
                    text, left, total);
}

vrs_status vrs_cuda_alloc(vrs_device *device, size_t bytes, vrs_device_ptr *ptr)
{
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    vrs_cu_result result = VRS_CU_TRY_MEMORY(vrs_cuda(device)->api->memory_alloc(ptr, bytes));
    if (result != VRS_CU_SUCCESS) {
        *ptr = 0;
        status = fail_memory(device, result, "memory", bytes);
    }
    vrs_cuda_leave(device);
    return status;
}

void vrs_cuda_free(vrs_device *device, vrs_device_ptr ptr)
{
    vrs_cuda_device *cuda = vrs_cuda(device);
    if (vrs_cuda_enter_quietly(cuda)) {
        (void)cuda->api->memory_free(ptr);
        vrs_cuda_leave(device);
    }
}

vrs_status vrs_cuda_host_alloc(vrs_device *device, size_t bytes, void **block)
{
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    vrs_cu_result result = VRS_CU_TRY_MEMORY(
        vrs_cuda(device)->api->host_alloc(block, bytes, VRS_CU_HOST_ALLOC_PORTABLE));
    if (result == VRS_CU_OUT_OF_MEMORY) {
        status = vrs_fail(VRS_NO_MEMORY, "%s: no pinned host memory of %zu bytes",
                          device->properties.id, bytes);
    } else {
        status = vrs_cuda_check(device, result, "pinned host memory");
    }
    if (status != VRS_OK)
        *block = NULL;
    vrs_cuda_leave(device);
    return status;
}

void vrs_cuda_host_free(vrs_device *device, void *block)
{
    vrs_cuda_device *cuda = vrs_cuda(device);
    if (vrs_cuda_enter_quietly(cuda)) {
        (void)cuda->api->host_free(block);
        vrs_cuda_leave(device);
    }
}

vrs_status vrs_cuda_host_register(vrs_device *device, void *block, size_t bytes)
{
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    vrs_cu_result result = VRS_CU_TRY_MEMORY(
        vrs_cuda(device)->api->host_register(block, bytes, VRS_CU_HOST_REGISTER_PORTABLE));
    if (result == VRS_CU_HOST_MEMORY_ALREADY_REGISTERED) {
        status =
            vrs_fail(VRS_INVALID, "%s: this host memory is pinned already", device->properties.id);
    } else if (result == VRS_CU_OUT_OF_MEMORY) {
        status = vrs_fail(VRS_NO_MEMORY, "%s: host memory of %zu bytes cannot be pinned",
                          device->properties.id, bytes);
    } else {
        status = vrs_cuda_check(device, result, "pinning host memory");
    }
    vrs_cuda_leave(device);
    return status;
}

void vrs_cuda_host_unregister(vrs_device *device, void *block)
{
    vrs_cuda_device *cuda = vrs_cuda(device);
    if (vrs_cuda_enter_quietly(cuda)) {
        (void)cuda->api->host_unregister(block);
        vrs_cuda_leave(device);
    }
}

vrs_status vrs_cuda_info(vrs_device *device, size_t *free_bytes, size_t *total_bytes)
{
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    status = vrs_cuda_check(device,
                            VRS_CU_TRY(vrs_cuda(device)->api->memory_info(free_bytes, total_bytes)),
                            "cannot ask for its free memory");
    vrs_cuda_leave(device);
    return status;
}

static vrs_cu_mem_prop chunk_kind(const vrs_cuda_device *cuda)
{
    return (vrs_cu_mem_prop){.type = VRS_CU_ALLOCATION_PINNED,
                             .location = {VRS_CU_LOCATION_DEVICE, cuda->ordinal}};
}

vrs_status vrs_cuda_granularity(vrs_device *device, size_t *bytes)
{
    vrs_cuda_device *cuda = vrs_cuda(device);
    vrs_cu_mem_prop prop = chunk_kind(cuda);
    return vrs_cuda_check(device,
                          VRS_CU_TRY(cuda->api->granularity(bytes, &prop, VRS_CU_GRANULARITY_BEST)),
                          "cannot ask for the granularity of its memory");
}

vrs_status vrs_cuda_reserve(vrs_device *device, size_t bytes, vrs_device_ptr *range)
{
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    vrs_cu_result result =
        VRS_CU_TRY_MEMORY(vrs_cuda(device)->api->range_reserve(range, bytes, 0, 0, 0));
    vrs_cuda_leave(device);
    if (result != VRS_CU_SUCCESS)
        *range = 0;
    if (result == VRS_CU_OUT_OF_MEMORY) {
        return vrs_fail(VRS_NO_MEMORY, "%s: no range of %zu bytes of addresses",
                        device->properties.id, bytes);
    }
    return vrs_cuda_check(device, result, "cannot reserve addresses");
}

void vrs_cuda_unreserve(vrs_device *device, vrs_device_ptr range, size_t bytes)
{
    vrs_cuda_device *cuda = vrs_cuda(device);
    if (vrs_cuda_enter_quietly(cuda)) {
        (void)cuda->api->range_free(range, bytes);
        vrs_cuda_leave(device);
    }
}

vrs_status vrs_cuda_map(vrs_device *device, vrs_device_ptr at, size_t bytes)
{
    vrs_cuda_device *cuda = vrs_cuda(device);
    const vrs_cu_api *api = cuda->api;
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    vrs_cu_mem_prop prop = chunk_kind(cuda);
    vrs_cu_access access = {prop.location, VRS_CU_ACCESS_READ_WRITE};
    vrs_cu_mem chunk = 0;
    vrs_cu_result result = VRS_CU_TRY_MEMORY(api->chunk_create(&chunk, bytes, &prop, 0));
    if (result == VRS_CU_SUCCESS) {
        result = VRS_CU_TRY(api->chunk_map(at, bytes, 0, chunk, 0));
        /* The mapping keeps the memory; without one it goes back now. */
        (void)api->chunk_release(chunk);
        if (result == VRS_CU_SUCCESS) {
            result = VRS_CU_TRY(api->chunk_access(at, bytes, &access, 1));
            if (result != VRS_CU_SUCCESS)
                (void)api->chunk_unmap(at, bytes);
        }
    }
    if (result != VRS_CU_SUCCESS)
        status = fail_memory(device, result, "memory for a reserved range", bytes);
    vrs_cuda_leave(device);
    return status;
}

void vrs_cuda_unmap(vrs_device *device, vrs_device_ptr at, size_t bytes)
{
    vrs_cuda_device *cuda = vrs_cuda(device);
    if (vrs_cuda_enter_quietly(cuda)) {
        (void)cuda->api->chunk_unmap(at, bytes);
        vrs_cuda_leave(device);
    }
}
