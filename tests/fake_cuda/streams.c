/* Streams and events. The stream NULL is the legacy one: it waits for all streams that were not
 * made CU_STREAM_NON_BLOCKING, and they wait for it. */
#include <stdlib.h>

#include "fake_cuda/internal.h"

static unsigned some_weight(void)
{
    static const unsigned weights[] = {1, 1, 8, 64, 1024};
    return weights[fake_random() % 5];
}

struct fake_stream *fake_stream_find(cu_stream handle)
{
    if (handle == NULL || (uintptr_t)handle == 1) {
        struct fake_stream *legacy = &fake.null_stream[fake_current_device()];
        legacy->blocking = true;
        legacy->device = fake_current_device();
        if (legacy->weight == 0)
            legacy->weight = some_weight();
        return legacy;
    }
    struct fake_stream *s = fake.streams;
    while (s != NULL && s != handle)
        s = s->next;
    return s;
}

static bool is_legacy(const struct fake_stream *stream)
{
    return stream == &fake.null_stream[stream->device];
}

void fake_follow(struct fake_stream *stream, fake_op *op)
{
    fake_op_after(op, stream->tail);
    if (is_legacy(stream)) {
        for (const struct fake_stream *s = fake.streams; s != NULL; s = s->next)
            if (s->blocking && s->device == stream->device)
                fake_op_after(op, s->tail);
    } else if (stream->blocking) {
        fake_op_after(op, fake.null_stream[stream->device].tail);
    }
    fake_op_drop(stream->tail);
    stream->tail = fake_op_keep(op);
}

cu_result fake_put(struct fake_stream *stream, fake_op *op, bool wait)
{
    op->weight = stream->weight;
    if (stream->capture != NULL) {
        const bool broken = stream->capture->broken;
        fake_capture(stream, op);
        return broken ? CU_CAPTURE_INVALIDATED : CU_SUCCESS;
    }
    fake_follow(stream, op);
    fake_submit(op);
    const cu_result result = wait ? fake_wait(op) : CU_SUCCESS;
    fake_op_drop(op);
    return result;
}

static cu_result create_stream(cu_stream *stream, unsigned flags, int priority)
{
    if (stream == NULL || flags > CU_STREAM_NON_BLOCKING)
        return CU_INVALID_VALUE;
    struct fake_stream *s = fake_take(1, sizeof(*s));
    s->blocking = flags == 0;
    s->device = fake_current_device();
    s->priority = priority < -5 ? -5 : priority > 0 ? 0 : priority;
    s->weight = some_weight();
    s->next = fake.streams;
    fake.streams = s;
    *stream = s;
    return CU_SUCCESS;
}

DRIVER(cuStreamCreate, cu_stream *stream, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(create_stream(stream, flags, 0));
}

DRIVER(cuStreamCreateWithPriority, cu_stream *stream, unsigned flags, int priority)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(create_stream(stream, flags, priority));
}

DRIVER(cuStreamGetPriority, cu_stream handle, int *priority)
{
    ENTER(NEEDS_CONTEXT);
    const struct fake_stream *s = fake_stream_find(handle);
    if (s == NULL || priority == NULL)
        return fake_leave(s == NULL ? CU_INVALID_HANDLE : CU_INVALID_VALUE);
    *priority = s->priority;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuStreamGetFlags, cu_stream handle, unsigned *flags)
{
    ENTER(NEEDS_CONTEXT);
    const struct fake_stream *s = fake_stream_find(handle);
    if (s == NULL || flags == NULL)
        return fake_leave(s == NULL ? CU_INVALID_HANDLE : CU_INVALID_VALUE);
    *flags = s->blocking ? 0 : CU_STREAM_NON_BLOCKING;
    return fake_leave(CU_SUCCESS);
}

DRIVER(cuCtxGetStreamPriorityRange, int *least, int *greatest)
{
    ENTER(NEEDS_CONTEXT);
    if (least != NULL)
        *least = 0;
    if (greatest != NULL)
        *greatest = -5;
    return fake_leave(CU_SUCCESS);
}

static void drop_stream(struct fake_stream *stream)
{
    struct fake_stream **at = &fake.streams;
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    if (stream->capture != NULL) {
        stream->capture->broken = true;
        if (stream->capture_origin)
            fake_graph_drop(stream->capture);
    }
    fake_heads_set(&stream->heads, &stream->head_count, NULL, 0);
    fake_op_drop(stream->tail);
    free(stream);
}

/* What is on it still runs. */
DRIVER(cuStreamDestroy_v2, cu_stream handle)
{
    const cu_result error = fake_enter_release(__func__);
    struct fake_stream *s = fake.streams;
    while (s != NULL && s != handle)
        s = s->next;
    if (s == NULL)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_HANDLE);
    drop_stream(s);
    return fake_leave(error);
}

/* 0, or why nobody may wait for this stream. */
static cu_result check_wait(struct fake_stream *stream)
{
    if (stream == NULL)
        return CU_INVALID_HANDLE;
    if (stream->capture == NULL)
        return CU_SUCCESS;
    stream->capture->broken = true;
    return CU_CAPTURE_UNSUPPORTED;
}

/* All that is on a stream: for the legacy one a mark gathers the others. */
static fake_op *last_of(struct fake_stream *stream)
{
    if (!is_legacy(stream))
        return fake_op_keep(stream->tail);
    fake_op *op = fake_op_new(OP_MARK);
    fake_follow(stream, op);
    fake_submit(op);
    return op;
}

DRIVER(cuStreamQuery, cu_stream handle)
{
    ENTER(NEEDS_CONTEXT);
    struct fake_stream *stream = fake_stream_find(handle);
    cu_result result = check_wait(stream);
    if (result != CU_SUCCESS)
        return fake_leave(result);
    fake_op *last = last_of(stream);
    if (last != NULL && !last->done) {
        fake_poll();
        result = fake_sticky(stream->device);
        result = result != CU_SUCCESS ? result : CU_NOT_READY;
    }
    fake_op_drop(last);
    return fake_leave(result);
}

DRIVER(cuStreamSynchronize, cu_stream handle)
{
    ENTER(NEEDS_CONTEXT);
    struct fake_stream *stream = fake_stream_find(handle);
    cu_result result = check_wait(stream);
    if (result != CU_SUCCESS)
        return fake_leave(result);
    fake_op *last = last_of(stream);
    result = fake_wait(last);
    fake_op_drop(last);
    return fake_leave(result);
}

static struct fake_event *find_event(cu_event handle)
{
    struct fake_event *e = fake.events;
    while (e != NULL && e != handle)
        e = e->next;
    return e;
}

DRIVER(cuEventCreate, cu_event *event, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    if (event == NULL || flags > 7)
        return fake_leave(CU_INVALID_VALUE);
    struct fake_event *e = fake_take(1, sizeof(*e));
    e->timing = (flags & CU_EVENT_DISABLE_TIMING) == 0;
    e->device = fake_current_device();
    e->next = fake.events;
    fake.events = e;
    *event = e;
    return fake_leave(CU_SUCCESS);
}

static void drop_event(struct fake_event *event)
{
    struct fake_event **at = &fake.events;
    while (*at != event)
        at = &(*at)->next;
    *at = event->next;
    fake_heads_set(&event->heads, &event->head_count, NULL, 0);
    fake_op_drop(event->op);
    free(event);
}

DRIVER(cuEventDestroy_v2, cu_event handle)
{
    const cu_result error = fake_enter_release(__func__);
    struct fake_event *e = find_event(handle);
    if (e == NULL)
        return fake_leave(error != CU_SUCCESS ? error : CU_INVALID_HANDLE);
    drop_event(e);
    return fake_leave(error);
}

static cu_result record(cu_event event, cu_stream handle)
{
    struct fake_event *e = find_event(event);
    struct fake_stream *stream = fake_stream_find(handle);
    if (e == NULL || stream == NULL || e->device != stream->device)
        return CU_INVALID_HANDLE;
    fake_op_drop(e->op);
    e->op = NULL;
    e->capture = stream->capture;
    fake_heads_set(&e->heads, &e->head_count, stream->heads, stream->head_count);
    if (stream->capture != NULL)
        return CU_SUCCESS;
    e->op = fake_op_new(OP_MARK);
    return fake_put(stream, fake_op_keep(e->op), false);
}

DRIVER(cuEventRecord, cu_event event, cu_stream stream)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(record(event, stream));
}

DRIVER(cuEventRecordWithFlags, cu_event event, cu_stream stream, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(flags != 0 ? CU_NOT_SUPPORTED : record(event, stream));
}

DRIVER(cuStreamWaitEvent, cu_stream handle, cu_event event, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    struct fake_event *e = find_event(event);
    struct fake_stream *stream = fake_stream_find(handle);
    if (e == NULL || stream == NULL || flags != 0)
        return fake_leave(flags != 0 ? CU_INVALID_VALUE : CU_INVALID_HANDLE);
    if (e->capture != NULL) {
        if (stream->capture != NULL && stream->capture != e->capture)
            return fake_leave(CU_CAPTURE_ISOLATION);
        fake_capture_wait(stream, e);
        return fake_leave(CU_SUCCESS);
    }
    if (stream->capture != NULL) {
        stream->capture->broken = true;
        return fake_leave(CU_CAPTURE_ISOLATION);
    }
    if (e->op == NULL || e->op->done)
        return fake_leave(CU_SUCCESS);
    fake_op *op = fake_op_new(OP_MARK);
    fake_op_after(op, e->op);
    return fake_leave(fake_put(stream, op, false));
}

DRIVER(cuEventQuery, cu_event event)
{
    ENTER(NEEDS_CONTEXT);
    struct fake_event *e = find_event(event);
    if (e == NULL || e->capture != NULL)
        return fake_leave(e == NULL ? CU_INVALID_HANDLE : CU_CAPTURED_EVENT);
    if (e->op == NULL || e->op->done)
        return fake_leave(CU_SUCCESS);
    fake_poll();
    const cu_result lost = fake_sticky(e->device);
    return fake_leave(lost != CU_SUCCESS ? lost : CU_NOT_READY);
}

DRIVER(cuEventSynchronize, cu_event event)
{
    ENTER(NEEDS_CONTEXT);
    struct fake_event *e = find_event(event);
    if (e == NULL || e->capture != NULL)
        return fake_leave(e == NULL ? CU_INVALID_HANDLE : CU_CAPTURED_EVENT);
    return fake_leave(fake_wait(e->op));
}

/* A microsecond an operation. */
static cu_result elapsed(float *milliseconds, cu_event start, cu_event end)
{
    const struct fake_event *a = find_event(start), *b = find_event(end);
    if (a == NULL || b == NULL || !a->timing || !b->timing || a->op == NULL || b->op == NULL)
        return CU_INVALID_HANDLE;
    if (!a->op->done || !b->op->done)
        return CU_NOT_READY;
    *milliseconds = ((float)b->op->time - (float)a->op->time) / 1000;
    return CU_SUCCESS;
}

DRIVER(cuEventElapsedTime, float *milliseconds, cu_event start, cu_event end)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(elapsed(milliseconds, start, end));
}

DRIVER(cuEventElapsedTime_v2, float *milliseconds, cu_event start, cu_event end)
{
    ENTER(NEEDS_CONTEXT);
    return fake_leave(elapsed(milliseconds, start, end));
}

size_t fake_streams_live(size_t counts[2])
{
    for (const struct fake_stream *s = fake.streams; s != NULL; s = s->next)
        counts[0]++;
    for (const struct fake_event *e = fake.events; e != NULL; e = e->next)
        counts[1]++;
    return counts[0] + counts[1];
}

void fake_drop_streams(void)
{
    while (fake.streams != NULL)
        drop_stream(fake.streams);
    while (fake.events != NULL)
        drop_event(fake.events);
    for (int i = 0; i < MAX_DEVICES; i++) {
        fake_op_drop(fake.null_stream[i].tail);
        fake.null_stream[i].tail = NULL;
        fake.null_stream[i].weight = 0;
    }
}
