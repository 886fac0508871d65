/* Live mode's frames without a run of the network on a GPU: they have the masks of the frame before
 * them in their stream, as on the CPU.
 *
 * Batches queue their masks in the order in which they were sent off, so a stream's frames are
 * settled one after the other: their masks go into the stream's memory, and from there into the
 * frames behind that repeat them, before the next frame's replace them. A frame that finds all
 * before it settled goes on a lane by itself. `repeat_lock` guards all this; it is held while
 * copies are queued, and taken before the pipeline's `lock`. */
#include <string.h>

#include "base/alloc.h"
#include "pipeline/lane_cuda.h"

bool vrs_cuda_may_repeat(const vrs_pipeline *pipeline)
{
    return pipeline->settings.live && pipeline->settings.live_degrade && !pipeline->want_classes;
}

/* ---- memory --------------------------------------------------------------------------------- */

vrs_status vrs_cuda_make_rider(vrs_cuda *cuda, vrs_ticket *ticket)
{
    vrs_cuda_ticket *t = ticket->lane;
    if (!cuda->repeats)
        return VRS_OK;
    vrs_cuda_slot *rider = vrs_alloc(sizeof(*rider));
    if (rider == NULL)
        return VRS_NO_MEMORY;
    t->rider = rider;
    rider->kind = VRS_WORK_TICKET;
    rider->phase = VRS_CUDA_OUT;
    rider->finished[0] = ticket;
    rider->finished_count = 1;
    vrs_device_event **const events[] = {&rider->begin[VRS_CUDA_OUT], &rider->end[VRS_CUDA_OUT],
                                         &rider->copied[VRS_CUDA_OUT]};
    vrs_status status = vrs_device_event_create(cuda->device, false, &t->masked);
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]) && status == VRS_OK; i++)
        status = vrs_device_event_create(cuda->device, true, events[i]);
    return status;
}

void vrs_cuda_free_rider(const vrs_cuda *cuda, vrs_cuda_ticket *t)
{
    vrs_cuda_slot *rider = t->rider;
    if (rider != NULL && rider->end[VRS_CUDA_OUT] != NULL) {
        vrs_status status = vrs_cuda_await(cuda->device, rider->end[VRS_CUDA_OUT]);
        (void)status; /* of a lost device nothing is under way */
    }
    for (int i = 0; i < 2 && rider != NULL; i++) {
        vrs_device_event_destroy(rider->begin[i]);
        vrs_device_event_destroy(rider->end[i]);
        vrs_device_event_destroy(rider->copied[i]);
    }
    vrs_free(rider);
    vrs_device_event_destroy(t->masked);
}

/* ---- masks ---------------------------------------------------------------------------------- */

/* Between a ticket and its stream's memory, with the sums that say how much is covered. */
static vrs_status copy_masks(const vrs_cuda_lane *lane, const vrs_ticket *ticket, bool keep)
{
    const vrs_stream *stream = ticket->stream;
    const vrs_cuda_stream *s = stream->lane;
    const vrs_cuda_ticket *t = ticket->lane;
    const vrs_model_spec *spec = ticket->pipeline->spec;
    const size_t bytes = (size_t)spec->width * (size_t)spec->height * sizeof(int16_t);
    vrs_status status = vrs_cuda_wait(lane->stream, s->last_ready);
    for (uint32_t v = 0; v < stream->view_count && status == VRS_OK; v++) {
        vrs_device_ptr own = vrs_cuda_agrees(ticket, v) ? t->agreed[v] : t->masks[v];
        status =
            vrs_device_copy(lane->stream, keep ? s->last[v] : own, keep ? own : s->last[v], bytes);
    }
    if (status == VRS_OK)
        status =
            vrs_device_copy(lane->stream, keep ? s->last_sums : t->sums,
                            keep ? t->sums : s->last_sums, stream->view_count * sizeof(uint64_t));
    vrs_status ended = vrs_cuda_record(s->last_ready, lane->stream);
    return status == VRS_OK ? ended : status;
}

static void set_settled(vrs_ticket *ticket)
{
    vrs_mutex_lock(&ticket->pipeline->lock);
    ticket->settled = true;
    vrs_mutex_unlock(&ticket->pipeline->lock);
}

/* Gives a ticket the masks before it. */
static void repeat(const vrs_cuda_lane *lane, vrs_ticket *ticket)
{
    const vrs_cuda_stream *s = ticket->stream->lane;
    vrs_cuda_ticket *t = ticket->lane;
    t->waits = false;
    t->agreed_upon = true;
    if (s->last_valid) {
        vrs_status status = copy_masks(lane, ticket, false);
        if (status == VRS_OK)
            status = vrs_cuda_record(t->masked, lane->stream);
        if (status != VRS_OK)
            vrs_ticket_fail(ticket, status, vrs_last_error());
        if (ticket->stream->crops != NULL)
            memcpy(ticket->tile, s->last_tile, sizeof(ticket->tile));
    } else {
        vrs_ticket_fail(ticket, VRS_DROPPED, VRS_NOTHING_TO_REPEAT_TEXT);
    }
    set_settled(ticket);
}

/* ---- whose turn it is ----------------------------------------------------------------------- */

/* Tickets of a stream that wait for masks and can have them now: those before `sequence`, and those
 * that have no unsettled one before them. */
static int32_t find_ready(vrs_stream *stream, uint64_t sequence, vrs_ticket **ready, int32_t room)
{
    uint64_t first = UINT64_MAX;
    int32_t count = 0;
    vrs_mutex_lock(&stream->pipeline->lock);
    for (uint32_t i = 0; i < stream->ticket_count; i++) {
        const vrs_ticket *ticket = &stream->tickets[i];
        if (!ticket->settled && !ticket->result.repeated && ticket->stream_sequence < first)
            first = ticket->stream_sequence;
    }
    first = first > sequence ? first : sequence;
    for (uint32_t i = 0; i < stream->ticket_count && count < room; i++) {
        vrs_ticket *ticket = &stream->tickets[i];
        if (!ticket->settled && ticket->result.repeated && ticket->stream_sequence < first &&
            ((const vrs_cuda_ticket *)ticket->lane)->waits)
            ready[count++] = ticket;
    }
    vrs_mutex_unlock(&stream->pipeline->lock);
    return count;
}

static void send(vrs_cuda_lane *lane, const vrs_ticket *ticket)
{
    vrs_cuda_ticket *t = ticket->lane;
    if (t->sent)
        return;
    t->sent = true;
    t->rider->lane = lane;
    vrs_queue_push(lane->submit, t->rider);
}

#define READY_AT_ONCE 16

/* A lane's thread. */
static void repeat_ready(vrs_cuda_lane *lane, vrs_stream *stream, uint64_t sequence)
{
    vrs_ticket *ready[READY_AT_ONCE];
    int32_t count;
    while ((count = find_ready(stream, sequence, ready, READY_AT_ONCE)) > 0)
        for (int32_t i = 0; i < count; i++) {
            repeat(lane, ready[i]);
            send(lane, ready[i]);
        }
}

static void settle(vrs_cuda_slot *slot, vrs_ticket *ticket)
{
    vrs_stream *stream = ticket->stream;
    vrs_cuda_stream *s = stream->lane;
    repeat_ready(slot->lane, stream, ticket->stream_sequence);
    if (ticket->restart)
        s->last_valid = false;
    if (ticket->result.status == VRS_OK) {
        vrs_status status = vrs_cuda_complete_masks(slot, ticket);
        if (status == VRS_OK)
            status = copy_masks(slot->lane, ticket, true);
        if (status != VRS_OK)
            vrs_ticket_fail(ticket, status, vrs_last_error());
        else
            memcpy(s->last_tile, ticket->tile, sizeof(s->last_tile));
        s->last_valid = status == VRS_OK;
    }
    set_settled(ticket);
    repeat_ready(slot->lane, stream, 0);
}

void vrs_cuda_settle_masks(vrs_cuda_slot *slot)
{
    vrs_cuda *cuda = slot->lane->cuda;
    if (!cuda->repeats)
        return;
    vrs_mutex_lock(&cuda->repeat_lock);
    for (int32_t i = 0; i < slot->finished_count; i++)
        settle(slot, slot->finished[i]);
    vrs_mutex_unlock(&cuda->repeat_lock);
}

bool vrs_cuda_take_repeat(vrs_ticket *ticket)
{
    vrs_cuda *cuda = vrs_cuda_of(ticket->pipeline);
    vrs_stream *stream = ticket->stream;
    if (!cuda->repeats)
        return false;
    vrs_mutex_lock(&cuda->repeat_lock);
    vrs_cuda_ticket *t = ticket->lane;
    bool repeats = ticket->result.repeated && ticket->result.status == VRS_OK;
    t->waits = repeats;
    if (!repeats)
        set_settled(ticket);
    /* They stay ready until their lane comes to them, or the next frame of the stream does. */
    vrs_ticket *ready[READY_AT_ONCE];
    int32_t count = find_ready(stream, 0, ready, READY_AT_ONCE);
    for (int32_t i = 0; i < count; i++)
        send(&cuda->lanes[ready[i]->stream_sequence % (uint64_t)ticket->pipeline->settings.lanes],
             ready[i]);
    vrs_mutex_unlock(&cuda->repeat_lock);
    return repeats;
}

void vrs_cuda_send_repeat(vrs_cuda_slot *rider)
{
    vrs_cuda_lane *lane = rider->lane;
    vrs_ticket *ticket = rider->finished[0];
    vrs_cuda_ticket *t = ticket->lane;
    vrs_mutex_lock(&lane->cuda->repeat_lock);
    if (t->waits)
        repeat(lane, ticket);
    vrs_mutex_unlock(&lane->cuda->repeat_lock);
    if (ticket->result.status == VRS_OK) {
        vrs_status status = vrs_device_event_record(rider->begin[VRS_CUDA_OUT], lane->stream);
        if (status == VRS_OK)
            status = vrs_cuda_bring(lane, ticket);
        if (status == VRS_OK)
            status = vrs_cuda_wait(lane->stream, t->masked);
        if (status != VRS_OK)
            vrs_ticket_fail(ticket, status, vrs_last_error());
    }
    vrs_cuda_queue_tickets(rider);
    vrs_status status = vrs_cuda_record(rider->end[VRS_CUDA_OUT], lane->stream);
    if (status != VRS_OK)
        vrs_ticket_fail(ticket, status, vrs_last_error());
}
