/* Opening and closing a GPU. */
#include "device/cuda/cuda_device.h"

#include <stdio.h>
#include <string.h>

vrs_status vrs_cuda_enter(vrs_device *device)
{
    vrs_cuda_device *cuda = vrs_cuda(device);
    return vrs_cuda_check(device, VRS_CU_TRY(cuda->api->context_push(cuda->context)),
                          "cannot make its context current");
}

void vrs_cuda_leave(vrs_device *device)
{
    vrs_cu_context context;
    (void)vrs_cuda(device)->api->context_pop(&context);
}

bool vrs_cuda_enter_quietly(vrs_cuda_device *device)
{
    if (atomic_load(&device->base.hung))
        return false;
    /* Any call may report an error of earlier work, and this one is not to lose memory by it. */
    vrs_cu_result result = device->api->context_push(device->context);
    if (result != VRS_CU_SUCCESS)
        result = device->api->context_push(device->context);
    return result == VRS_CU_SUCCESS;
}

static void close_device(vrs_device *device)
{
    vrs_cuda_device *cuda = vrs_cuda(device);
    if (cuda->context && !atomic_load(&device->hung)) {
        vrs_cuda_unload_modules(cuda);
        (void)cuda->api->context_release(cuda->ordinal);
    }
    vrs_free(cuda->file);
    vrs_free(cuda);
}

static const vrs_device_ops ops = {
    .close = close_device,
    .enter = vrs_cuda_enter,
    .leave = vrs_cuda_leave,
    .stream_create = vrs_cuda_stream_create,
    .stream_destroy = vrs_cuda_stream_destroy,
    .stream_handle = vrs_cuda_stream_handle,
    .stream_wait = vrs_cuda_stream_wait,
    .event_create = vrs_cuda_event_create,
    .event_destroy = vrs_cuda_event_destroy,
    .event_handle = vrs_cuda_event_handle,
    .event_record = vrs_cuda_event_record,
    .event_wait = vrs_cuda_event_wait,
    .event_query = vrs_cuda_event_query,
    .event_elapsed = vrs_cuda_event_elapsed,
    .copy = vrs_cuda_copy,
    .fill = vrs_cuda_fill,
    .kernel = vrs_cuda_kernel_find,
    .kernel_destroy = vrs_cuda_kernel_destroy,
    .occupancy = vrs_cuda_occupancy,
    .launch = vrs_cuda_launch,
    .alloc = vrs_cuda_alloc,
    .free = vrs_cuda_free,
    .host_alloc = vrs_cuda_host_alloc,
    .host_free = vrs_cuda_host_free,
    .host_register = vrs_cuda_host_register,
    .host_unregister = vrs_cuda_host_unregister,
    .info = vrs_cuda_info,
    .granularity = vrs_cuda_granularity,
    .reserve = vrs_cuda_reserve,
    .unreserve = vrs_cuda_unreserve,
    .map = vrs_cuda_map,
    .unmap = vrs_cuda_unmap,
};

static vrs_status read_attributes(vrs_cuda_device *cuda)
{
    vrs_device_properties *p = &cuda->base.properties;
    int domain = 0, bus = 0, slot = 0, l2 = 0, shared = 0, integrated = 0, virtual_memory = 0;
    int memory_khz = 0, memory_bits = 0;
    const struct {
        int attribute;
        int *value;
    } wanted[] = {
        {VRS_CU_COMPUTE_CAPABILITY_MAJOR, &p->major},
        {VRS_CU_COMPUTE_CAPABILITY_MINOR, &p->minor},
        {VRS_CU_MULTIPROCESSOR_COUNT, &p->multiprocessors},
        {VRS_CU_ASYNC_ENGINE_COUNT, &p->copy_engines},
        {VRS_CU_CLOCK_RATE, &p->clock_khz},
        {VRS_CU_MEMORY_CLOCK_RATE, &memory_khz},
        {VRS_CU_MEMORY_BUS_WIDTH, &memory_bits},
        {VRS_CU_PCI_DOMAIN_ID, &domain},
        {VRS_CU_PCI_BUS_ID, &bus},
        {VRS_CU_PCI_DEVICE_ID, &slot},
        {VRS_CU_L2_CACHE_SIZE, &l2},
        {VRS_CU_MAX_SHARED_PER_BLOCK_OPTIN, &shared},
        {VRS_CU_INTEGRATED, &integrated},
        {VRS_CU_VIRTUAL_MEMORY_SUPPORTED, &virtual_memory},
    };
    vrs_cu_result result = VRS_CU_SUCCESS;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0] && result == VRS_CU_SUCCESS; i++) {
        result = VRS_CU_TRY(
            cuda->api->device_attribute(wanted[i].value, wanted[i].attribute, cuda->ordinal));
    }
    (void)snprintf(p->pci, sizeof p->pci, "%04x:%02x:%02x.0", (unsigned)domain, (unsigned)bus,
                   (unsigned)slot);
    p->l2_bytes = (size_t)l2;
    p->memory_rate = 2e3 * memory_khz * memory_bits / 8; /* twice a clock */
    p->block_shared_bytes = (size_t)shared;
    p->integrated = integrated != 0;
    p->virtual_memory = virtual_memory != 0;
    return vrs_cuda_check(&cuda->base, result, "cannot read what it is");
}

static vrs_status read_properties(vrs_cuda_device *cuda, int32_t number, int version)
{
    vrs_device_properties *p = &cuda->base.properties;
    p->kind = VRS_DEVICE_CUDA;
    p->number = number;
    p->driver_version = version;
    (void)snprintf(p->id, sizeof p->id, "cuda:%d", number);
    const vrs_cu_api *api = cuda->api;
    vrs_cu_result result = VRS_CU_TRY(api->device_get(&cuda->ordinal, number));
    if (result == VRS_CU_SUCCESS)
        result = VRS_CU_TRY(api->device_name(p->name, sizeof p->name, cuda->ordinal));
    if (result == VRS_CU_SUCCESS)
        result = VRS_CU_TRY(api->device_memory(&p->memory_bytes, cuda->ordinal));
    vrs_status status = vrs_cuda_check(&cuda->base, result, "cannot read what it is");
    return status == VRS_OK ? read_attributes(cuda) : status;
}

/* The primary context, shared with every other user of this GPU in the process. */
static vrs_status retain_context(vrs_cuda_device *cuda)
{
    const vrs_cu_api *api = cuda->api;
    vrs_status status =
        vrs_cuda_check(&cuda->base, VRS_CU_TRY(api->context_retain(&cuda->context, cuda->ordinal)),
                       "cannot get its context");
    if (status != VRS_OK) {
        cuda->context = NULL;
        return status;
    }
    status = vrs_cuda_enter(&cuda->base);
    if (status != VRS_OK)
        return status;
    int least;
    status = vrs_cuda_check(&cuda->base,
                            VRS_CU_TRY(api->stream_priorities(&least, &cuda->priority_high)),
                            "cannot read the priorities of streams");
    if (status == VRS_OK)
        status = vrs_cuda_load_modules(cuda);
    vrs_cuda_leave(&cuda->base);
    return status;
}

vrs_status vrs_device_cuda_open(int32_t number, vrs_device **device)
{
    *device = NULL;
    const vrs_cu_api *api;
    int version;
    vrs_status status = vrs_cuda_driver(&api, &version);
    if (status != VRS_OK)
        return status;
    vrs_cuda_device *cuda = vrs_alloc(sizeof *cuda);
    if (!cuda)
        return VRS_NO_MEMORY;
    cuda->base.ops = &ops;
    cuda->api = api;
    status = vrs_mutex_init(&cuda->base.mutex);
    if (status != VRS_OK) {
        vrs_free(cuda);
        return status;
    }
    status = read_properties(cuda, number, version);
    if (status == VRS_OK)
        status = retain_context(cuda);
    if (status != VRS_OK) {
        vrs_device_close(&cuda->base);
        return status;
    }
    *device = &cuda->base;
    return VRS_OK;
}

const vrs_cu_api *vrs_cuda_api(const vrs_device *device)
{
    return device->ops == &ops ? ((const vrs_cuda_device *)device)->api : NULL;
}

vrs_cu_context vrs_cuda_context(const vrs_device *device)
{
    return device->ops == &ops ? ((const vrs_cuda_device *)device)->context : NULL;
}

vrs_cu_device vrs_cuda_ordinal(const vrs_device *device)
{
    return device->ops == &ops ? ((const vrs_cuda_device *)device)->ordinal : -1;
}
