/* The batcher: gathers views into batches and hands them to free slots.
 *
 * A batch goes when it is full, when its oldest view has waited for max_queue_delay_us, when
 * somebody waits for a result and nothing else is on its way, or when no more frames will come. Of
 * a recurrent model at most one frame of a view is in flight, in order. */
#include "pipeline/internal.h"

typedef struct vrs_batcher {
    vrs_pipeline *pipeline;
    vrs_pending *pending; /* oldest first; room for all tickets' views */
    uint32_t count;
    uint64_t batches; /* sent off so far */
    vrs_track *track;
} vrs_batcher;

void vrs_batcher_wake(vrs_pipeline *pipeline)
{
    if (!atomic_exchange(&pipeline->wake_queued, true))
        vrs_queue_push(pipeline->incoming, &pipeline->wake_item);
}

static void take_in(vrs_batcher *batcher, void *item)
{
    vrs_pipeline *pipeline = batcher->pipeline;
    if (*(vrs_work_kind *)item == VRS_WORK_WAKE) {
        atomic_store(&pipeline->wake_queued, false);
        return;
    }
    vrs_ticket *ticket = item;
    for (uint32_t view = 0; view < ticket->stream->view_count; view++)
        batcher->pending[batcher->count++] = (vrs_pending){ticket, view};
}

/* Chooses the oldest views that may go now; returns how many, their places in `chosen`. */
static int32_t choose(vrs_batcher *batcher, uint32_t chosen[VRS_MAX_BATCH])
{
    vrs_pipeline *pipeline = batcher->pipeline;
    int32_t count = 0;
    bool recurrent = pipeline->spec->state_count > 0;
    if (recurrent)
        vrs_mutex_lock(&pipeline->lock);
    for (uint32_t i = 0; i < batcher->count && count < pipeline->settings.max_batch; i++) {
        const vrs_pending *item = &batcher->pending[i];
        bool blocked = recurrent && item->ticket->stream->state[item->view].busy;
        for (int32_t j = 0; recurrent && j < count && !blocked; j++) {
            const vrs_pending *other = &batcher->pending[chosen[j]];
            blocked = other->ticket->stream == item->ticket->stream && other->view == item->view;
        }
        /* A later frame of the same view must not overtake: it is behind in the list, and `busy`
         * or the check above stops it. */
        if (!blocked)
            chosen[count++] = i;
    }
    if (recurrent)
        vrs_mutex_unlock(&pipeline->lock);
    return count;
}

static void dispatch(vrs_batcher *batcher, vrs_batch *slot, const uint32_t *chosen, int32_t count)
{
    vrs_pipeline *pipeline = batcher->pipeline;
    int64_t now = vrs_now_ns();
    slot->number = batcher->batches++;
    slot->count = count;
    slot->status = VRS_OK;
    atomic_fetch_add(&pipeline->views_in_slots, count);
    atomic_store(&slot->to_fill, count);
    atomic_store(&slot->to_read, count);
    for (int32_t i = 0; i < count; i++) {
        const vrs_pending *item = &batcher->pending[chosen[i]];
        slot->views[i] = (vrs_view_work){VRS_WORK_VIEW, item->ticket, item->view, slot, i};
        vrs_track_record(batcher->track, VRS_SPAN_QUEUE, item->ticket->frame.id,
                         item->ticket->queued_ns, now);
    }
    if (pipeline->spec->state_count > 0) {
        vrs_mutex_lock(&pipeline->lock);
        for (int32_t i = 0; i < count; i++)
            slot->views[i].ticket->stream->state[slot->views[i].view].busy = true;
        vrs_mutex_unlock(&pipeline->lock);
    }
    uint32_t kept = 0;
    int32_t next = 0;
    for (uint32_t i = 0; i < batcher->count; i++) {
        if (next < count && chosen[next] == i)
            next++;
        else
            batcher->pending[kept++] = batcher->pending[i];
    }
    batcher->count = kept;
    pipeline->lanes->dispatch(slot);
}

/* Waits until a batch should go; false when the pipeline stops. */
static bool gather(vrs_batcher *batcher, uint32_t chosen[VRS_MAX_BATCH], int32_t *count)
{
    vrs_pipeline *pipeline = batcher->pipeline;
    for (;;) {
        void *item;
        while ((item = vrs_queue_try_pop(pipeline->incoming)) != NULL)
            take_in(batcher, item);
        *count = choose(batcher, chosen);
        bool hurry =
            atomic_load(&pipeline->finishing) || (atomic_load(&pipeline->waiting_readers) > 0 &&
                                                  atomic_load(&pipeline->views_in_slots) == 0);
        int64_t deadline_ns = INT64_MAX;
        if (*count > 0) {
            deadline_ns = batcher->pending[chosen[0]].ticket->queued_ns +
                          pipeline->settings.max_queue_delay_us * VRS_NS_PER_US;
            if (*count == pipeline->settings.max_batch || hurry || vrs_now_ns() >= deadline_ns)
                return true;
        }
        vrs_status status = vrs_queue_pop(pipeline->incoming, &item, deadline_ns);
        if (status == VRS_CLOSED)
            return false;
        if (status == VRS_OK)
            take_in(batcher, item);
    }
}

void vrs_batcher_main(void *arg)
{
    vrs_pipeline *pipeline = arg;
    vrs_batcher batcher = {.pipeline = pipeline,
                           .pending = pipeline->pending,
                           .track = vrs_recorder_track(pipeline->recorder, "batcher")};
    for (;;) {
        void *slot;
        if (vrs_queue_pop(pipeline->free_slots, &slot, INT64_MAX) != VRS_OK)
            return;
        uint32_t chosen[VRS_MAX_BATCH];
        int32_t count = 0;
        if (!gather(&batcher, chosen, &count))
            return;
        if (atomic_load(&pipeline->stopping))
            return;
        dispatch(&batcher, slot, chosen, count);
    }
}
