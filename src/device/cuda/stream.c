/* Streams, events and copies of a GPU. */
#include "device/cuda/cuda_device.h"

static vrs_cu_stream stream_of(const vrs_device_stream *stream)
{
    return ((const vrs_cuda_stream *)stream)->handle;
}

static vrs_cu_event event_of(const vrs_device_event *event)
{
    return ((const vrs_cuda_event *)event)->handle;
}

vrs_status vrs_cuda_stream_create(vrs_device *device, vrs_device_priority priority,
                                  vrs_device_stream **stream)
{
    vrs_cuda_device *cuda = vrs_cuda(device);
    vrs_cuda_stream *made = vrs_alloc(sizeof *made);
    if (!made)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_cuda_enter(device);
    if (status == VRS_OK) {
        int number = priority == VRS_PRIORITY_HIGH ? cuda->priority_high : 0;
        status = vrs_cuda_check(
            device,
            VRS_CU_TRY(cuda->api->stream_create(&made->handle, VRS_CU_STREAM_NON_BLOCKING, number)),
            "cannot make a stream");
        vrs_cuda_leave(device);
    }
    if (status != VRS_OK) {
        vrs_free(made);
        return status;
    }
    *stream = &made->base;
    return VRS_OK;
}

void vrs_cuda_stream_destroy(vrs_device_stream *stream)
{
    vrs_cuda_device *cuda = vrs_cuda(stream->device);
    if (vrs_cuda_enter_quietly(cuda)) {
        (void)cuda->api->stream_destroy(stream_of(stream));
        vrs_cuda_leave(stream->device);
    }
    vrs_free(stream);
}

void *vrs_cuda_stream_handle(const vrs_device_stream *stream)
{
    return stream_of(stream);
}

vrs_status vrs_cuda_stream_wait(vrs_device_stream *stream, vrs_device_event *event)
{
    vrs_status status = vrs_cuda_enter(stream->device);
    if (status != VRS_OK)
        return status;
    status = vrs_cuda_check(
        stream->device,
        VRS_CU_TRY(
            vrs_cuda(stream->device)->api->stream_wait(stream_of(stream), event_of(event), 0)),
        "cannot make a stream wait");
    vrs_cuda_leave(stream->device);
    return status;
}

vrs_status vrs_cuda_event_create(vrs_device *device, bool timed, vrs_device_event **event)
{
    vrs_cuda_event *made = vrs_alloc(sizeof *made);
    if (!made)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_cuda_enter(device);
    if (status == VRS_OK) {
        unsigned flags =
            VRS_CU_EVENT_BLOCKING_SYNC | (timed ? 0U : (unsigned)VRS_CU_EVENT_DISABLE_TIMING);
        status = vrs_cuda_check(
            device, VRS_CU_TRY(vrs_cuda(device)->api->event_create(&made->handle, flags)),
            "cannot make an event");
        vrs_cuda_leave(device);
    }
    if (status != VRS_OK) {
        vrs_free(made);
        return status;
    }
    *event = &made->base;
    return VRS_OK;
}

void vrs_cuda_event_destroy(vrs_device_event *event)
{
    vrs_cuda_device *cuda = vrs_cuda(event->device);
    if (vrs_cuda_enter_quietly(cuda)) {
        (void)cuda->api->event_destroy(event_of(event));
        vrs_cuda_leave(event->device);
    }
    vrs_free(event);
}

void *vrs_cuda_event_handle(const vrs_device_event *event)
{
    return event_of(event);
}

vrs_status vrs_cuda_event_record(vrs_device_event *event, vrs_device_stream *stream)
{
    vrs_device *device = event->device;
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    status = vrs_cuda_check(
        device, VRS_CU_TRY(vrs_cuda(device)->api->event_record(event_of(event), stream_of(stream))),
        "cannot record an event");
    vrs_cuda_leave(device);
    return status;
}

vrs_status vrs_cuda_event_wait(vrs_device_event *event)
{
    vrs_device *device = event->device;
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    status = vrs_cuda_check(device, VRS_CU_TRY(vrs_cuda(device)->api->event_wait(event_of(event))),
                            "waiting for its work");
    vrs_cuda_leave(device);
    return status;
}

vrs_status vrs_cuda_event_query(vrs_device_event *event, bool *done)
{
    vrs_device *device = event->device;
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    vrs_cu_result result = VRS_CU_TRY(vrs_cuda(device)->api->event_query(event_of(event)));
    *done = result == VRS_CU_SUCCESS;
    if (result != VRS_CU_NOT_READY)
        status = vrs_cuda_check(device, result, "asking for its work");
    vrs_cuda_leave(device);
    return status;
}

vrs_status vrs_cuda_event_elapsed(vrs_device_event *start, vrs_device_event *end, double *ms)
{
    vrs_device *device = start->device;
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    float value = 0;
    status = vrs_cuda_check(
        device,
        VRS_CU_TRY(vrs_cuda(device)->api->event_elapsed(&value, event_of(start), event_of(end))),
        "the time between two events");
    *ms = (double)value;
    vrs_cuda_leave(device);
    return status;
}

static vrs_cu_result copy_rows(const vrs_cu_api *api, const vrs_copy *copy, vrs_cu_stream stream)
{
    vrs_cu_copy_2d rows = {.src_pitch = copy->from_pitch,
                           .dst_pitch = copy->to_pitch,
                           .width_bytes = copy->row_bytes,
                           .height = copy->rows,
                           .src_type = VRS_CU_MEMORY_DEVICE,
                           .dst_type = VRS_CU_MEMORY_DEVICE,
                           .src_device = copy->from,
                           .dst_device = copy->to};
    if (copy->kind == VRS_COPY_UPLOAD) {
        rows.src_type = VRS_CU_MEMORY_HOST;
        rows.src_host = (const void *)(uintptr_t)copy->from;
    } else if (copy->kind == VRS_COPY_DOWNLOAD) {
        rows.dst_type = VRS_CU_MEMORY_HOST;
        rows.dst_host = (void *)(uintptr_t)copy->to;
    }
    return VRS_CU_TRY(api->copy_2d(&rows, stream));
}

static vrs_cu_result copy_bytes(const vrs_cu_api *api, const vrs_copy *copy, vrs_cu_stream stream)
{
    size_t bytes = copy->row_bytes * copy->rows;
    switch (copy->kind) {
    case VRS_COPY_UPLOAD:
        return VRS_CU_TRY(
            api->upload(copy->to, (const void *)(uintptr_t)copy->from, bytes, stream));
    case VRS_COPY_DOWNLOAD:
        return VRS_CU_TRY(api->download((void *)(uintptr_t)copy->to, copy->from, bytes, stream));
    default:
        return VRS_CU_TRY(api->copy(copy->to, copy->from, bytes, stream));
    }
}

vrs_status vrs_cuda_copy(vrs_device_stream *stream, const vrs_copy *copy)
{
    vrs_device *device = stream->device;
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    bool whole = copy->rows == 1 ||
                 (copy->to_pitch == copy->row_bytes && copy->from_pitch == copy->row_bytes);
    const vrs_cu_api *api = vrs_cuda(device)->api;
    vrs_cu_result result =
        whole ? copy_bytes(api, copy, stream_of(stream)) : copy_rows(api, copy, stream_of(stream));
    status = vrs_cuda_check(device, result, "cannot queue a copy");
    vrs_cuda_leave(device);
    return status;
}

vrs_status vrs_cuda_fill(vrs_device_stream *stream, vrs_device_ptr to, uint8_t value, size_t bytes)
{
    vrs_device *device = stream->device;
    vrs_status status = vrs_cuda_enter(device);
    if (status != VRS_OK)
        return status;
    status = vrs_cuda_check(
        device, VRS_CU_TRY(vrs_cuda(device)->api->fill_8(to, value, bytes, stream_of(stream))),
        "cannot queue a fill");
    vrs_cuda_leave(device);
    return status;
}
