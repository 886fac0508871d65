#include "device/device.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "device/backend.h"
#include "vrseg/system.h"

/* Bytes of parameters that every driver takes. */
#define MAX_PARAMS 4096

static void count(vrs_device *device, vrs_device_counter counter, uint64_t by)
{
    atomic_fetch_add_explicit(&device->counts[counter], by, memory_order_relaxed);
}

static vrs_status fail_lost(vrs_device *device)
{
    return vrs_fail(VRS_DEVICE_LOST, "%s was lost: %s", device->properties.id, device->cause);
}

vrs_status vrs_device_check(vrs_device *device)
{
    return atomic_load_explicit(&device->lost, memory_order_acquire) ? fail_lost(device) : VRS_OK;
}

void vrs_device_set_lost(vrs_device *device, const char *cause)
{
    vrs_mutex_lock(&device->mutex);
    if (!atomic_load_explicit(&device->lost, memory_order_relaxed)) {
        (void)snprintf(device->cause, sizeof device->cause, "%s", cause);
        atomic_store_explicit(&device->lost, true, memory_order_release);
    }
    vrs_mutex_unlock(&device->mutex);
}

void vrs_device_set_hung(vrs_device *device, const char *cause)
{
    atomic_store(&device->hung, true);
    vrs_device_set_lost(device, cause);
}

/* "cuda" is the first GPU, "cuda:N" the one of that number; false: neither. */
static bool parse_number(const char *name, int32_t *number)
{
    *number = 0;
    if (strcmp(name, "cuda") == 0)
        return true;
    if (strncmp(name, "cuda:", 5) != 0)
        return false;
    const char *digits = name + 5;
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 4 || digits[length])
        return false;
    for (size_t i = 0; i < length; i++)
        *number = *number * 10 + (digits[i] - '0');
    return true;
}

static vrs_status open_number(int32_t number, vrs_device **device)
{
    int32_t gpus;
    *device = NULL;
    vrs_status status = vrs_device_cuda_count(&gpus);
    if (status != VRS_OK)
        return status;
    if (number >= 0 && number < gpus)
        return vrs_device_cuda_open(number, device);
    if (gpus == 1) {
        return vrs_fail(VRS_INVALID, "there is no GPU cuda:%d: the driver shows cuda:0 alone",
                        number);
    }
    return vrs_fail(VRS_INVALID, "there is no GPU cuda:%d: the driver shows cuda:0 to cuda:%d",
                    number, gpus - 1);
}

/* A reason without the loader's words and the advice, which `vrseg doctor` has: one clause for a
 * line that says other things, too. */
static int clause_length(const char *reason)
{
    const char *loader = strstr(reason, "cannot be opened ("),
               *advice = strstr(reason, ": install ");
    size_t length = advice ? (size_t)(advice - reason) : strlen(reason);
    if (loader)
        length = (size_t)(strchr(loader, '(') - 1 - reason);
    return (int)length;
}

/* The first GPU that can be used, else the CPU with the first GPU's reason. */
static vrs_status open_auto(vrs_device **device)
{
    char reason[VRS_DETAIL_SIZE] = "";
    int32_t gpus = 0;
    vrs_status status = vrs_device_cuda_count(&gpus);
    if (status != VRS_OK)
        (void)snprintf(reason, sizeof reason, "%s", vrs_last_error());
    for (int32_t i = 0; status == VRS_OK && i < gpus; i++) {
        if (vrs_device_cuda_open(i, device) == VRS_OK)
            return VRS_OK;
        if (i == 0)
            (void)snprintf(reason, sizeof reason, "%s", vrs_last_error());
    }
    status = vrs_device_cpu_open(device);
    if (status == VRS_OK) {
        (void)snprintf((*device)->choice, sizeof(*device)->choice, "cpu (%.*s)",
                       clause_length(reason), reason);
    }
    return status;
}

vrs_status vrs_device_open(const char *name, vrs_device **device)
{
    *device = NULL;
    int32_t number;
    vrs_status status;
    if (strcmp(name, "auto") == 0) {
        status = open_auto(device);
    } else if (strcmp(name, "cpu") == 0) {
        status = vrs_device_cpu_open(device);
    } else if (parse_number(name, &number)) {
        status = open_number(number, device);
    } else {
        return vrs_fail(VRS_INVALID,
                        "there is no device \"%.100s\": it is auto, cpu, or cuda:N for a GPU's "
                        "number",
                        name);
    }
    if (status == VRS_OK && !(*device)->choice[0]) {
        const vrs_device_properties *p = &(*device)->properties;
        bool named = p->kind == VRS_DEVICE_CUDA;
        (void)snprintf((*device)->choice, sizeof(*device)->choice, "%s%s%s%s", p->id,
                       named ? " (" : "", named ? p->name : "", named ? ")" : "");
    }
    return status;
}

void vrs_device_close(vrs_device *device)
{
    if (device)
        vrs_device_release(device);
}

void vrs_device_hold(vrs_device *device)
{
    atomic_fetch_add(&device->held, 1);
}

void vrs_device_release(vrs_device *device)
{
    if (atomic_fetch_sub(&device->held, 1) > 0)
        return;
    assert(atomic_load(&device->live) == 0);
    while (device->kernels) {
        vrs_kernel *kernel = device->kernels;
        device->kernels = kernel->next;
        device->ops->kernel_destroy(kernel);
    }
    vrs_mutex_destroy(&device->mutex);
    device->ops->close(device);
}

const vrs_device_properties *vrs_device_get_properties(const vrs_device *device)
{
    return &device->properties;
}

const char *vrs_device_choice(const vrs_device *device)
{
    return device->choice;
}

vrs_status vrs_device_enter(vrs_device *device)
{
    vrs_status status = vrs_device_check(device);
    return status == VRS_OK ? device->ops->enter(device) : status;
}

void vrs_device_leave(vrs_device *device)
{
    device->ops->leave(device);
}

vrs_status vrs_device_stream_create(vrs_device *device, vrs_device_priority priority,
                                    vrs_device_stream **stream)
{
    *stream = NULL;
    vrs_status status = vrs_device_check(device);
    if (status == VRS_OK)
        status = device->ops->stream_create(device, priority, stream);
    if (status == VRS_OK) {
        (*stream)->device = device;
        atomic_fetch_add(&device->live, 1);
        count(device, VRS_COUNT_STREAMS, 1);
    }
    return status;
}

void vrs_device_stream_destroy(vrs_device_stream *stream)
{
    if (stream) {
        atomic_fetch_sub(&stream->device->live, 1);
        stream->device->ops->stream_destroy(stream);
    }
}

vrs_device *vrs_device_stream_device(const vrs_device_stream *stream)
{
    return stream->device;
}

void *vrs_device_stream_handle(const vrs_device_stream *stream)
{
    return stream->device->ops->stream_handle(stream);
}

vrs_status vrs_device_stream_wait(vrs_device_stream *stream, vrs_device_event *event)
{
    assert(stream->device == event->device);
    vrs_status status = vrs_device_check(stream->device);
    if (status != VRS_OK || !atomic_load(&event->recorded))
        return status;
    count(stream->device, VRS_COUNT_STREAM_WAITS, 1);
    return stream->device->ops->stream_wait(stream, event);
}

vrs_status vrs_device_event_create(vrs_device *device, bool timed, vrs_device_event **event)
{
    *event = NULL;
    vrs_status status = vrs_device_check(device);
    if (status == VRS_OK)
        status = device->ops->event_create(device, timed, event);
    if (status == VRS_OK) {
        (*event)->device = device;
        (*event)->timed = timed;
        atomic_fetch_add(&device->live, 1);
        count(device, VRS_COUNT_EVENTS, 1);
    }
    return status;
}

void vrs_device_event_destroy(vrs_device_event *event)
{
    if (event) {
        atomic_fetch_sub(&event->device->live, 1);
        event->device->ops->event_destroy(event);
    }
}

void *vrs_device_event_handle(const vrs_device_event *event)
{
    return event->device->ops->event_handle(event);
}

vrs_status vrs_device_event_record(vrs_device_event *event, vrs_device_stream *stream)
{
    assert(stream->device == event->device);
    vrs_status status = vrs_device_check(event->device);
    if (status != VRS_OK)
        return status;
    count(event->device, VRS_COUNT_EVENT_RECORDS, 1);
    status = event->device->ops->event_record(event, stream);
    if (status == VRS_OK)
        atomic_store(&event->recorded, true);
    return status;
}

vrs_status vrs_device_event_wait(vrs_device_event *event)
{
    vrs_status status = vrs_device_check(event->device);
    if (status != VRS_OK || !atomic_load(&event->recorded))
        return status;
    count(event->device, VRS_COUNT_HOST_WAITS, 1);
    return event->device->ops->event_wait(event);
}

vrs_status vrs_device_event_query(vrs_device_event *event, bool *done)
{
    *done = false;
    vrs_status status = vrs_device_check(event->device);
    if (status == VRS_OK && !atomic_load(&event->recorded)) {
        *done = true;
        return status;
    }
    return status == VRS_OK ? event->device->ops->event_query(event, done) : status;
}

vrs_status vrs_device_event_elapsed(vrs_device_event *start, vrs_device_event *end,
                                    double *milliseconds)
{
    *milliseconds = 0;
    assert(start->device == end->device);
    vrs_status status = vrs_device_check(start->device);
    if (status != VRS_OK)
        return status;
    if (!start->timed || !end->timed || !atomic_load(&start->recorded) ||
        !atomic_load(&end->recorded)) {
        return vrs_fail(VRS_INVALID,
                        "the time between two events: both must be timed and recorded");
    }
    return start->device->ops->event_elapsed(start, end, milliseconds);
}

static vrs_status copy_rows(vrs_device_stream *stream, const vrs_copy *copy)
{
    vrs_device *device = stream->device;
    vrs_status status = vrs_device_check(device);
    if (status != VRS_OK || copy->row_bytes == 0 || copy->rows == 0)
        return status;
    if (!copy->to || !copy->from ||
        (copy->rows > 1 &&
         (copy->to_pitch < copy->row_bytes || copy->from_pitch < copy->row_bytes))) {
        return vrs_fail(VRS_INVALID,
                        "a copy of %zu rows of %zu bytes: an address is 0, or a pitch (%zu to, "
                        "%zu from) is less than a row",
                        copy->rows, copy->row_bytes, copy->to_pitch, copy->from_pitch);
    }
    count(device, VRS_COUNT_UPLOADS + copy->kind, 1);
    count(device, VRS_COUNT_UPLOADED_BYTES + copy->kind, copy->row_bytes * copy->rows);
    return device->ops->copy(stream, copy);
}

vrs_status vrs_device_upload(vrs_device_stream *stream, vrs_device_ptr to, const void *from,
                             size_t bytes)
{
    return vrs_device_upload_2d(stream, to, bytes, from, bytes, bytes, 1);
}

vrs_status vrs_device_download(vrs_device_stream *stream, void *to, vrs_device_ptr from,
                               size_t bytes)
{
    return vrs_device_download_2d(stream, to, bytes, from, bytes, bytes, 1);
}

vrs_status vrs_device_copy(vrs_device_stream *stream, vrs_device_ptr to, vrs_device_ptr from,
                           size_t bytes)
{
    return vrs_device_copy_2d(stream, to, bytes, from, bytes, bytes, 1);
}

vrs_status vrs_device_upload_2d(vrs_device_stream *stream, vrs_device_ptr to, size_t to_pitch,
                                const void *from, size_t from_pitch, size_t row_bytes, size_t rows)
{
    return copy_rows(stream, &(vrs_copy){VRS_COPY_UPLOAD, to, (uintptr_t)from, to_pitch, from_pitch,
                                         row_bytes, rows});
}

vrs_status vrs_device_download_2d(vrs_device_stream *stream, void *to, size_t to_pitch,
                                  vrs_device_ptr from, size_t from_pitch, size_t row_bytes,
                                  size_t rows)
{
    return copy_rows(stream, &(vrs_copy){VRS_COPY_DOWNLOAD, (uintptr_t)to, from, to_pitch,
                                         from_pitch, row_bytes, rows});
}

vrs_status vrs_device_copy_2d(vrs_device_stream *stream, vrs_device_ptr to, size_t to_pitch,
                              vrs_device_ptr from, size_t from_pitch, size_t row_bytes, size_t rows)
{
    return copy_rows(stream,
                     &(vrs_copy){VRS_COPY_DEVICE, to, from, to_pitch, from_pitch, row_bytes, rows});
}

vrs_status vrs_device_fill(vrs_device_stream *stream, vrs_device_ptr to, uint8_t value,
                           size_t bytes)
{
    vrs_status status = vrs_device_check(stream->device);
    if (status != VRS_OK || bytes == 0)
        return status;
    if (!to)
        return vrs_fail(VRS_INVALID, "filling %zu bytes: the address is 0", bytes);
    count(stream->device, VRS_COUNT_FILLS, 1);
    return stream->device->ops->fill(stream, to, value, bytes);
}

static vrs_kernel *find_kernel(vrs_device *device, const char *name)
{
    vrs_kernel *kernel = device->kernels;
    while (kernel && strcmp(kernel->name, name) != 0)
        kernel = kernel->next;
    return kernel;
}

vrs_status vrs_device_kernel(vrs_device *device, const char *name, vrs_kernel **kernel)
{
    assert(strlen(name) < sizeof(*kernel)->name);
    *kernel = NULL;
    vrs_status status = vrs_device_check(device);
    if (status != VRS_OK)
        return status;
    vrs_mutex_lock(&device->mutex);
    *kernel = find_kernel(device, name);
    vrs_mutex_unlock(&device->mutex);
    if (*kernel)
        return VRS_OK;
    /* Without the mutex, which booking a loss takes. Two threads may load the same one; the list
     * then holds both, which does no harm. */
    status = device->ops->kernel(device, name, kernel);
    if (status != VRS_OK)
        return status;
    (*kernel)->device = device;
    (void)snprintf((*kernel)->name, sizeof(*kernel)->name, "%s", name);
    count(device, VRS_COUNT_KERNELS, 1);
    vrs_mutex_lock(&device->mutex);
    (*kernel)->next = device->kernels;
    device->kernels = *kernel;
    vrs_mutex_unlock(&device->mutex);
    return VRS_OK;
}

const vrs_kernel_properties *vrs_kernel_get_properties(const vrs_kernel *kernel)
{
    return &kernel->properties;
}

vrs_status vrs_kernel_occupancy(vrs_kernel *kernel, int32_t block_threads, size_t shared_bytes,
                                int32_t *blocks)
{
    *blocks = 0;
    vrs_status status = vrs_device_check(kernel->device);
    if (status != VRS_OK)
        return status;
    if (block_threads < 1 || block_threads > kernel->properties.block_threads) {
        return vrs_fail(VRS_INVALID, "kernel %s: a block of %d threads (1 to %d)", kernel->name,
                        block_threads, kernel->properties.block_threads);
    }
    return kernel->device->ops->occupancy(kernel, block_threads, shared_bytes, blocks);
}

static bool launch_fits(const vrs_kernel *kernel, const vrs_launch *launch)
{
    const uint32_t *g = launch->grid, *b = launch->block;
    uint64_t threads = (uint64_t)b[0] * b[1] * b[2];
    return g[0] >= 1 && g[0] <= INT32_MAX && g[1] >= 1 && g[1] <= 65535 && g[2] >= 1 &&
           g[2] <= 65535 && b[0] <= 1024 && b[1] <= 1024 && b[2] <= 64 && threads >= 1 &&
           threads <= (uint64_t)kernel->properties.block_threads &&
           launch->shared_bytes + kernel->properties.shared_bytes <=
               kernel->device->properties.block_shared_bytes &&
           launch->params_bytes <= MAX_PARAMS;
}

static vrs_status launch_kernel(vrs_device_stream *stream, vrs_kernel *kernel,
                                const vrs_launch *launch)
{
    vrs_device *device = stream->device;
    assert(kernel->device == device && launch->params && launch->params_bytes > 0);
    vrs_status status = vrs_device_check(device);
    if (status != VRS_OK)
        return status;
    if (!launch_fits(kernel, launch)) {
        const uint32_t *g = launch->grid, *b = launch->block;
        return vrs_fail(VRS_INVALID,
                        "kernel %s: %u x %u x %u blocks of %u x %u x %u threads with %u bytes of "
                        "shared memory and %zu of parameters cannot be launched on %s",
                        kernel->name, g[0], g[1], g[2], b[0], b[1], b[2], launch->shared_bytes,
                        launch->params_bytes, device->properties.id);
    }
    count(device, VRS_COUNT_LAUNCHES, 1);
    return device->ops->launch(stream, kernel, launch);
}

vrs_status vrs_device_launch(vrs_device_stream *stream, vrs_kernel *kernel, const uint32_t grid[3],
                             const uint32_t block[3], uint32_t shared_bytes, const void *params,
                             size_t params_bytes)
{
    const vrs_launch launch = {grid, block, shared_bytes, params, params_bytes, false};
    return launch_kernel(stream, kernel, &launch);
}

vrs_status vrs_device_launch_waiting(vrs_device_stream *stream, vrs_kernel *kernel,
                                     const uint32_t grid[3], const uint32_t block[3],
                                     uint32_t shared_bytes, const void *params, size_t params_bytes)
{
    const vrs_launch launch = {grid, block, shared_bytes, params, params_bytes, true};
    return launch_kernel(stream, kernel, &launch);
}

void vrs_device_get_calls(const vrs_device *device, vrs_device_calls *calls)
{
    const _Atomic uint64_t *n = device->counts;
    *calls = (vrs_device_calls){
        .allocations = n[VRS_COUNT_ALLOCATIONS],
        .frees = n[VRS_COUNT_FREES],
        .uploads = n[VRS_COUNT_UPLOADS],
        .downloads = n[VRS_COUNT_DOWNLOADS],
        .copies = n[VRS_COUNT_COPIES],
        .fills = n[VRS_COUNT_FILLS],
        .uploaded_bytes = n[VRS_COUNT_UPLOADED_BYTES],
        .downloaded_bytes = n[VRS_COUNT_DOWNLOADED_BYTES],
        .copied_bytes = n[VRS_COUNT_COPIED_BYTES],
        .launches = n[VRS_COUNT_LAUNCHES],
        .event_records = n[VRS_COUNT_EVENT_RECORDS],
        .stream_waits = n[VRS_COUNT_STREAM_WAITS],
        .host_waits = n[VRS_COUNT_HOST_WAITS],
        .streams_made = n[VRS_COUNT_STREAMS],
        .events_made = n[VRS_COUNT_EVENTS],
        .kernels_loaded = n[VRS_COUNT_KERNELS],
    };
}

vrs_status vrs_gpu_count(int32_t *count)
{
    return vrs_device_cuda_count(count);
}

vrs_status vrs_gpu_describe(int32_t number, char *text, size_t size)
{
    vrs_device *device;
    text[0] = 0;
    vrs_status status = open_number(number, &device);
    if (status != VRS_OK)
        return status;
    const vrs_device_properties *p = &device->properties;
    (void)snprintf(text, size,
                   "%s, compute capability %d.%d, %d multiprocessors, %zu MB, CUDA %d.%d", p->name,
                   p->major, p->minor, p->multiprocessors, p->memory_bytes >> 20,
                   p->driver_version / 1000, p->driver_version % 1000 / 10);
    vrs_device_close(device);
    return VRS_OK;
}
