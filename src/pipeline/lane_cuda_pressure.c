/* Short of memory: batches become smaller, then tickets that are free are given up, down to one for
 * each stream; after some quiet both come back. */
#include "pipeline/lane_cuda.h"

/* So long a level that may wait does. */
#define WAIT_NS (2 * VRS_NS_PER_S)
/* So long nothing may have been short before anything grows; so often it is looked. */
#define QUIET_NS (5 * VRS_NS_PER_S)
#define LOOK_NS (VRS_NS_PER_S / 4)

/* Takes a free ticket off the stream that has most; NULL: each stream has one left, or none is
 * free. With `lock` held. */
static vrs_ticket *take_free(vrs_pipeline *pipeline, bool *possible)
{
    vrs_stream *most = NULL;
    *possible = false;
    for (int i = 0; i < VRS_MAX_STREAMS; i++) {
        vrs_stream *stream = pipeline->streams[i];
        if (stream == NULL || stream->ticket_count - stream->retired < 2)
            continue;
        *possible = true;
        if (stream->free_list != NULL && (most == NULL || stream->free_count > most->free_count))
            most = stream;
    }
    if (most == NULL)
        return NULL;
    vrs_ticket *ticket = most->free_list;
    most->free_list = ticket->next_free;
    most->free_count--;
    return ticket;
}

bool vrs_cuda_has_room(vrs_stream *stream)
{
    const vrs_cuda *cuda = vrs_cuda_of(stream->pipeline);
    vrs_cuda_stream *s = stream->lane;
    int64_t now = vrs_now_ns();
    if (now < s->look_ns || now - vrs_memory_last_pressure_ns(cuda->memory) < QUIET_NS)
        return false;
    s->look_ns = now + LOOK_NS;
    /* Twice: what comes back must not be short again at once. */
    return vrs_memory_available(cuda->memory, VRS_MEMORY_PLACE_DEVICE) >= 2 * s->ticket_device &&
           vrs_memory_available(cuda->memory, VRS_MEMORY_PLACE_PINNED) >= 2 * s->ticket_pinned;
}

bool vrs_cuda_pressure(void *opaque, const vrs_pressure *pressure)
{
    const vrs_cuda *cuda = opaque;
    vrs_pipeline *pipeline = cuda->pipeline;
    if (pressure->level == VRS_PRESSURE_BATCH && pressure->place == VRS_MEMORY_PLACE_DEVICE)
        return vrs_batcher_press(pipeline);
    if (pressure->level < VRS_PRESSURE_TICKETS)
        return false; /* nothing is kept only to be quick */
    int64_t deadline_ns = vrs_now_ns() + WAIT_NS;
    bool possible = false;
    vrs_mutex_lock(&pipeline->lock);
    vrs_ticket *ticket = take_free(pipeline, &possible);
    while (ticket == NULL && possible && pressure->level == VRS_PRESSURE_WAIT &&
           !atomic_load(&pipeline->stopping)) {
        if (!vrs_cond_wait_until(&pipeline->changed, &pipeline->lock, deadline_ns))
            break;
        ticket = take_free(pipeline, &possible);
    }
    if (ticket != NULL) { /* within the lock: its stream may be replaced afterwards */
        vrs_cuda_free_ticket(ticket);
        vrs_stream_retire(ticket);
    }
    vrs_mutex_unlock(&pipeline->lock);
    return ticket != NULL;
}
