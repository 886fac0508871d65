/* The CPU as a device: everything is done during the call. Kernels of the CPU are the functions of
 * kernels/kernels.h; by name there are none. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "device/backend.h"
#include "vrseg/system.h"

typedef struct cpu_event {
    vrs_device_event base;
    _Atomic int64_t time_ns;
} cpu_event;

static void *pointer(vrs_device_ptr ptr)
{
    return (void *)(uintptr_t)ptr;
}

static void close_device(vrs_device *device)
{
    vrs_free(device);
}

static vrs_status enter(vrs_device *device)
{
    (void)device;
    return VRS_OK;
}

static void leave(vrs_device *device)
{
    (void)device;
}

static vrs_status stream_create(vrs_device *device, vrs_device_priority priority,
                                vrs_device_stream **stream)
{
    (void)device;
    (void)priority;
    *stream = vrs_alloc(sizeof **stream);
    return *stream ? VRS_OK : VRS_NO_MEMORY;
}

static void stream_destroy(vrs_device_stream *stream)
{
    vrs_free(stream);
}

static void *stream_handle(const vrs_device_stream *stream)
{
    (void)stream;
    return NULL;
}

static vrs_status stream_wait(vrs_device_stream *stream, vrs_device_event *event)
{
    (void)stream;
    (void)event;
    return VRS_OK;
}

static vrs_status event_create(vrs_device *device, bool timed, vrs_device_event **event)
{
    (void)device;
    (void)timed;
    cpu_event *made = vrs_alloc(sizeof *made);
    *event = made ? &made->base : NULL;
    return made ? VRS_OK : VRS_NO_MEMORY;
}

static void event_destroy(vrs_device_event *event)
{
    vrs_free(event);
}

static void *event_handle(const vrs_device_event *event)
{
    (void)event;
    return NULL;
}

static vrs_status event_record(vrs_device_event *event, vrs_device_stream *stream)
{
    (void)stream;
    if (event->timed)
        atomic_store(&((cpu_event *)event)->time_ns, vrs_now_ns());
    return VRS_OK;
}

static vrs_status event_wait(vrs_device_event *event)
{
    (void)event;
    return VRS_OK;
}

static vrs_status event_query(vrs_device_event *event, bool *done)
{
    (void)event;
    *done = true;
    return VRS_OK;
}

static vrs_status event_elapsed(vrs_device_event *start, vrs_device_event *end, double *ms)
{
    int64_t from = atomic_load(&((cpu_event *)start)->time_ns);
    int64_t to = atomic_load(&((cpu_event *)end)->time_ns);
    *ms = (double)(to - from) / 1e6;
    return VRS_OK;
}

static vrs_status copy_rows(vrs_device_stream *stream, const vrs_copy *copy)
{
    (void)stream;
    for (size_t row = 0; row < copy->rows; row++) {
        memcpy(pointer(copy->to + row * copy->to_pitch),
               pointer(copy->from + row * copy->from_pitch), copy->row_bytes);
    }
    return VRS_OK;
}

static vrs_status fill(vrs_device_stream *stream, vrs_device_ptr to, uint8_t value, size_t bytes)
{
    (void)stream;
    memset(pointer(to), value, bytes);
    return VRS_OK;
}

static vrs_status find_kernel(vrs_device *device, const char *name, vrs_kernel **kernel)
{
    (void)device;
    *kernel = NULL;
    return vrs_fail(VRS_NOT_FOUND, "the CPU has no kernels by name (%s)", name);
}

static void kernel_destroy(vrs_kernel *kernel)
{
    vrs_free(kernel);
}

static vrs_status occupancy(vrs_kernel *kernel, int32_t block_threads, size_t shared_bytes,
                            int32_t *blocks)
{
    (void)block_threads;
    (void)shared_bytes;
    *blocks = 0;
    return vrs_fail(VRS_UNSUPPORTED, "the CPU runs no kernels by name (%s)", kernel->name);
}

static vrs_status launch_kernel(vrs_device_stream *stream, vrs_kernel *kernel,
                                const vrs_launch *launch)
{
    (void)stream;
    (void)launch;
    return vrs_fail(VRS_UNSUPPORTED, "the CPU runs no kernels by name (%s)", kernel->name);
}

static vrs_status host_alloc(vrs_device *device, size_t bytes, void **block)
{
    (void)device;
    *block = vrs_alloc_aligned(bytes);
    return *block ? VRS_OK : VRS_NO_MEMORY;
}

static void host_free(vrs_device *device, void *block)
{
    (void)device;
    vrs_free(block);
}

static vrs_status alloc_memory(vrs_device *device, size_t bytes, vrs_device_ptr *ptr)
{
    void *block;
    vrs_status status = host_alloc(device, bytes, &block);
    *ptr = (uintptr_t)block;
    return status;
}

static void free_memory(vrs_device *device, vrs_device_ptr ptr)
{
    host_free(device, pointer(ptr));
}

static vrs_status host_register(vrs_device *device, void *block, size_t bytes)
{
    (void)device;
    (void)block;
    (void)bytes;
    return VRS_OK;
}

static void host_unregister(vrs_device *device, void *block)
{
    (void)device;
    (void)block;
}

/* A line "NAME:  12345 kB" of /proc/meminfo, in bytes; 0 where there is none. */
static size_t meminfo(const char *name)
{
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file)
        return 0;
    char line[128];
    unsigned long long kilobytes = 0;
    size_t length = strlen(name);
    while (kilobytes == 0 && fgets(line, sizeof line, file))
        if (strncmp(line, name, length) != 0 || line[length] != ':' ||
            sscanf(line + length + 1, "%llu", &kilobytes) != 1)
            kilobytes = 0;
    (void)fclose(file);
    return (size_t)kilobytes << 10;
}

static vrs_status info(vrs_device *device, size_t *free_bytes, size_t *total_bytes)
{
    *free_bytes = meminfo("MemAvailable");
    *total_bytes = device->properties.memory_bytes;
    return VRS_OK;
}

static vrs_status granularity(vrs_device *device, size_t *bytes)
{
    (void)device;
    *bytes = (size_t)sysconf(_SC_PAGESIZE);
    return VRS_OK;
}

static vrs_status reserve(vrs_device *device, size_t bytes, vrs_device_ptr *range)
{
    (void)device;
    void *made = vrs_inject("memory") ? mmap(NULL, bytes, PROT_NONE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                                      : MAP_FAILED;
    if (made == MAP_FAILED) {
        *range = 0;
        return vrs_fail(VRS_NO_MEMORY, "no range of %zu bytes of addresses", bytes);
    }
    vrs_resource_born();
    *range = (uintptr_t)made;
    return VRS_OK;
}

static void unreserve(vrs_device *device, vrs_device_ptr range, size_t bytes)
{
    (void)device;
    (void)munmap(pointer(range), bytes);
    vrs_resource_died();
}

static vrs_status map(vrs_device *device, vrs_device_ptr at, size_t bytes)
{
    (void)device;
    if (!vrs_inject("memory") || mprotect(pointer(at), bytes, PROT_READ | PROT_WRITE) != 0)
        return vrs_fail(VRS_NO_MEMORY, "no memory of %zu bytes for a reserved range", bytes);
    return VRS_OK;
}

/* A fresh mapping in its place gives the memory back at once. */
static void unmap(vrs_device *device, vrs_device_ptr at, size_t bytes)
{
    (void)device;
    (void)mmap(pointer(at), bytes, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

static const vrs_device_ops ops = {
    .close = close_device,
    .enter = enter,
    .leave = leave,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .stream_handle = stream_handle,
    .stream_wait = stream_wait,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .event_handle = event_handle,
    .event_record = event_record,
    .event_wait = event_wait,
    .event_query = event_query,
    .event_elapsed = event_elapsed,
    .copy = copy_rows,
    .fill = fill,
    .kernel = find_kernel,
    .kernel_destroy = kernel_destroy,
    .occupancy = occupancy,
    .launch = launch_kernel,
    .alloc = alloc_memory,
    .free = free_memory,
    .host_alloc = host_alloc,
    .host_free = host_free,
    .host_register = host_register,
    .host_unregister = host_unregister,
    .info = info,
    .granularity = granularity,
    .reserve = reserve,
    .unreserve = unreserve,
    .map = map,
    .unmap = unmap,
};

vrs_status vrs_device_cpu_open(vrs_device **device)
{
    *device = vrs_alloc(sizeof **device);
    if (!*device)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_mutex_init(&(*device)->mutex);
    if (status != VRS_OK) {
        vrs_free(*device);
        *device = NULL;
        return status;
    }
    (*device)->ops = &ops;
    vrs_device_properties *p = &(*device)->properties;
    p->kind = VRS_DEVICE_CPU;
    p->number = -1;
    (void)snprintf(p->id, sizeof p->id, "cpu");
    (void)snprintf(p->name, sizeof p->name, "%s", vrs_cpu_name());
    p->memory_bytes = meminfo("MemTotal");
    p->virtual_memory = true;
    return VRS_OK;
}
