#include "device/raw.h"

#include "device/backend.h"

static void count(vrs_device *device, vrs_device_counter counter)
{
    atomic_fetch_add_explicit(&device->counts[counter], 1, memory_order_relaxed);
}

/* Every call that takes memory: refused for a lost device and for nothing, counted when done. */
static vrs_status begin(vrs_device *device, size_t bytes)
{
    vrs_status status = vrs_device_check(device);
    if (status == VRS_OK && bytes == 0)
        return vrs_fail(VRS_INVALID, "%s: 0 bytes of memory were asked for", device->properties.id);
    return status;
}

static vrs_status end(vrs_device *device, vrs_status status)
{
    if (status == VRS_OK)
        count(device, VRS_COUNT_ALLOCATIONS);
    return status;
}

vrs_status vrs_device_raw_alloc(vrs_device *device, size_t bytes, vrs_device_ptr *ptr)
{
    *ptr = 0;
    vrs_status status = begin(device, bytes);
    return status == VRS_OK ? end(device, device->ops->alloc(device, bytes, ptr)) : status;
}

void vrs_device_raw_free(vrs_device *device, vrs_device_ptr ptr)
{
    if (ptr) {
        count(device, VRS_COUNT_FREES);
        device->ops->free(device, ptr);
    }
}

vrs_status vrs_device_raw_host_alloc(vrs_device *device, size_t bytes, void **block)
{
    *block = NULL;
    vrs_status status = begin(device, bytes);
    return status == VRS_OK ? end(device, device->ops->host_alloc(device, bytes, block)) : status;
}

void vrs_device_raw_host_free(vrs_device *device, void *block)
{
    if (block) {
        count(device, VRS_COUNT_FREES);
        device->ops->host_free(device, block);
    }
}

vrs_status vrs_device_raw_host_register(vrs_device *device, void *block, size_t bytes)
{
    vrs_status status = begin(device, bytes);
    return status == VRS_OK ? end(device, device->ops->host_register(device, block, bytes))
                            : status;
}

void vrs_device_raw_host_unregister(vrs_device *device, void *block)
{
    count(device, VRS_COUNT_FREES);
    device->ops->host_unregister(device, block);
}

vrs_status vrs_device_raw_info(vrs_device *device, size_t *free_bytes, size_t *total_bytes)
{
    *free_bytes = *total_bytes = 0;
    vrs_status status = vrs_device_check(device);
    return status == VRS_OK ? device->ops->info(device, free_bytes, total_bytes) : status;
}

static vrs_status check_virtual(vrs_device *device)
{
    vrs_status status = vrs_device_check(device);
    if (status == VRS_OK && !device->properties.virtual_memory) {
        return vrs_fail(VRS_UNSUPPORTED, "%s has no virtual memory management",
                        device->properties.id);
    }
    return status;
}

vrs_status vrs_device_raw_granularity(vrs_device *device, size_t *bytes)
{
    *bytes = 0;
    vrs_status status = check_virtual(device);
    return status == VRS_OK ? device->ops->granularity(device, bytes) : status;
}

vrs_status vrs_device_raw_reserve(vrs_device *device, size_t bytes, vrs_device_ptr *range)
{
    *range = 0;
    vrs_status status = check_virtual(device);
    if (status == VRS_OK)
        status = begin(device, bytes);
    return status == VRS_OK ? end(device, device->ops->reserve(device, bytes, range)) : status;
}

void vrs_device_raw_unreserve(vrs_device *device, vrs_device_ptr range, size_t bytes)
{
    if (range) {
        count(device, VRS_COUNT_FREES);
        device->ops->unreserve(device, range, bytes);
    }
}

vrs_status vrs_device_raw_map(vrs_device *device, vrs_device_ptr at, size_t bytes)
{
    vrs_status status = begin(device, bytes);
    return status == VRS_OK ? end(device, device->ops->map(device, at, bytes)) : status;
}

void vrs_device_raw_unmap(vrs_device *device, vrs_device_ptr at, size_t bytes)
{
    count(device, VRS_COUNT_FREES);
    device->ops->unmap(device, at, bytes);
}
