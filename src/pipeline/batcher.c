/* The batcher: the thread that asks the batching queue for batches and hands them to free slots.
 *
 * The queue (batch/queue.h) says which views go and when; submitting threads add to it, and all of
 * that is under the pipeline's lock, a microsecond each time. A batch also goes, however small,
 * when no more frames will come, and when somebody waits for a result or for a free ticket and
 * nothing is on its way. */
#include "pipeline/internal.h"

typedef struct vrs_batcher {
    vrs_pipeline *pipeline;
    vrs_batch *slot;  /* free, for the next batch; NULL: none is at hand */
    uint64_t batches; /* sent off so far */
    int64_t sent_ns;  /* when the last one was */
    vrs_track *track;
} vrs_batcher;

void vrs_batcher_wake(vrs_pipeline *pipeline)
{
    vrs_cond_signal(&pipeline->work);
}

void vrs_slot_free(vrs_batch *slot)
{
    vrs_pipeline *pipeline = slot->pipeline;
    vrs_mutex_lock(&pipeline->lock);
    vrs_batch_flight_ended(&pipeline->flight, slot->count, slot->sent_ns, slot->prepare_ns,
                           slot->status == VRS_OK, vrs_now_ns());
    vrs_queue_push(pipeline->free_slots, slot);
    vrs_batcher_wake(pipeline);
    vrs_mutex_unlock(&pipeline->lock);
}

/* ---- coming and leaving, with `lock` held ---- */

/* A ticket has left the queue without going. If it was the first of a new past, that is now the one
 * behind it. */
static vrs_ticket *left_queue(vrs_batch_frame *frame)
{
    vrs_ticket *ticket = frame->owner;
    if (ticket->restart && frame->next != NULL)
        ((vrs_ticket *)frame->next->owner)->restart = true;
    else if (ticket->restart)
        ticket->stream->restart = true;
    ticket->next_ready = NULL;
    return ticket;
}

bool vrs_batcher_add(vrs_ticket *ticket, vrs_ticket **dropped)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    vrs_batch_frame *left = NULL;
    vrs_batch_queue_stats stats;
    *dropped = NULL;
    vrs_batch_queue_get_stats(pipeline->queue, &stats);
    pipeline->load.added++;
    pipeline->load.found += stats.waiting;
    if (!vrs_batch_queue_add(pipeline->queue, &ticket->queued, ticket->queued_ns, &left))
        return false;
    if (left != NULL)
        *dropped = left_queue(left);
    vrs_batcher_wake(pipeline);
    return true;
}

/* Frames have left the queue: others may be waiting to come in. */
static void announce_room(vrs_pipeline *pipeline)
{
    if (pipeline->settings.batch.limited)
        vrs_cond_broadcast(&pipeline->changed);
}

vrs_ticket *vrs_batcher_cancel(vrs_pipeline *pipeline, uint32_t stream)
{
    vrs_ticket *first = NULL, **end = &first;
    vrs_batch_frame *frame;
    while ((frame = vrs_batch_queue_cancel(pipeline->queue, stream)) != NULL) {
        *end = left_queue(frame);
        end = &(*end)->next_ready;
    }
    if (first != NULL)
        announce_room(pipeline);
    return first;
}

static vrs_ticket *take_late(vrs_pipeline *pipeline, int64_t now_ns)
{
    vrs_ticket *first = NULL, **end = &first;
    vrs_batch_frame *frame;
    while ((frame = vrs_batch_queue_expire(pipeline->queue, now_ns)) != NULL) {
        *end = left_queue(frame);
        end = &(*end)->next_ready;
    }
    if (first != NULL)
        announce_room(pipeline);
    return first;
}

/* Live mode: what is later than its target now, when its turn may come, has no use any more. */
static vrs_ticket *take_too_late(vrs_pipeline *pipeline, int64_t now_ns)
{
    vrs_ticket *first = NULL, **end = &first;
    for (uint32_t s = 0; s < VRS_MAX_STREAMS && pipeline->live.on; s++) {
        vrs_batch_frame *frame = vrs_batch_queue_first(pipeline->queue, s);
        while (frame != NULL && frame->gone == 0 && vrs_live_is_late(frame->owner, now_ns)) {
            *end = left_queue(vrs_batch_queue_cancel(pipeline->queue, s));
            end = &(*end)->next_ready;
            frame = vrs_batch_queue_first(pipeline->queue, s);
        }
    }
    if (first != NULL)
        announce_room(pipeline);
    return first;
}

void vrs_tickets_give_up(vrs_ticket *chain, vrs_status status, const char *detail)
{
    while (chain != NULL) {
        vrs_ticket *ticket = chain;
        chain = ticket->next_ready;
        vrs_ticket_fail(ticket, status, detail);
        ticket->pipeline->lanes->give_up(ticket);
    }
}

/* ---- the size of batches under pressure ---- */

/* Tells the engine the limit; `lock` is held and let go meanwhile. Returns what it runs at once
 * now, which is one of the sizes that it was compiled for. */
static int32_t tell_engine(vrs_pipeline *pipeline, int32_t limit)
{
    int32_t now = pipeline->engine_limit;
    pipeline->limiting = true;
    vrs_mutex_unlock(&pipeline->lock);
    vrs_status status = vrs_engine_limit_batch(pipeline->engine, limit, &now);
    vrs_mutex_lock(&pipeline->lock);
    pipeline->limiting = false;
    if (status == VRS_OK)
        pipeline->engine_limit = now;
    vrs_cond_broadcast(&pipeline->changed);
    return pipeline->engine_limit;
}

/* What the engine would run in parts gains nothing. */
static void set_limit(vrs_pipeline *pipeline)
{
    int32_t limit = pipeline->adapt.limit, engine = pipeline->engine_limit;
    vrs_batch_queue_set_limit(pipeline->queue, limit < engine ? limit : engine);
}

/* So long a thread waits for another one that changes the size already. */
#define LIMITING_NS (2 * VRS_NS_PER_S)

bool vrs_batcher_press(vrs_pipeline *pipeline)
{
    vrs_mutex_lock(&pipeline->lock);
    /* Two may find memory short at once. What the first one gives is there for both; else the
     * second would give tickets up while the batch is becoming smaller. */
    int64_t deadline_ns = vrs_now_ns() + LIMITING_NS;
    int32_t found = pipeline->engine_limit;
    while (pipeline->limiting &&
           vrs_cond_wait_until(&pipeline->changed, &pipeline->lock, deadline_ns))
        ;
    bool given = pipeline->engine_limit < found;
    /* An engine whose memory is the same for every batch gains nothing by smaller ones. */
    int32_t limit = pipeline->adapt.limit / 2, before = pipeline->engine_limit;
    if (!given && limit >= 1 && !pipeline->limiting && tell_engine(pipeline, limit) < before) {
        given = vrs_batch_adapt_press(&pipeline->adapt, vrs_now_ns());
        set_limit(pipeline);
    }
    vrs_batcher_wake(pipeline); /* there is a time to grow back now */
    vrs_mutex_unlock(&pipeline->lock);
    return given;
}

/* After quiet; with `lock` held, which may be let go meanwhile. */
static void grow_back(vrs_pipeline *pipeline, int64_t now_ns)
{
    if (pipeline->limiting || !vrs_batch_adapt_grow(&pipeline->adapt, now_ns))
        return;
    int32_t limit = pipeline->adapt.limit, before = pipeline->engine_limit;
    int32_t now = tell_engine(pipeline, limit);
    /* Below the last step a smaller size may be the next one that it was compiled for. */
    bool grown = now >= limit || (now > before && limit < pipeline->adapt.largest);
    if (!grown)
        (void)vrs_batch_adapt_press(&pipeline->adapt, vrs_now_ns());
    set_limit(pipeline);
}

/* ---- sending ---- */

static bool in_a_hurry(const vrs_pipeline *pipeline)
{
    return atomic_load(&pipeline->finishing) ||
           (atomic_load(&pipeline->waiting) > 0 && atomic_load(&pipeline->views_in_slots) == 0);
}

/* The views of a batch go into a slot. The last of them that completes its ticket measures the
 * batch's time, up to that ticket's result: one for each batch, so that one slow batch counts as
 * one. */
static void fill_slot(vrs_batch *slot, const vrs_batch_view *views, int32_t count, vrs_track *track,
                      int64_t now_ns)
{
    vrs_pipeline *pipeline = slot->pipeline;
    vrs_ticket *measures = NULL;
    bool smaller = pipeline->smaller.engine != NULL;
    slot->count = count;
    slot->status = VRS_OK;
    atomic_fetch_add(&pipeline->views_in_slots, count);
    atomic_store(&slot->to_fill, count);
    atomic_store(&slot->to_read, count);
    for (int32_t i = 0; i < count; i++) {
        vrs_ticket *ticket = views[i].frame->owner;
        slot->views[i] = (vrs_view_work){VRS_WORK_VIEW, ticket, views[i].view, slot, i};
        vrs_track_record(track, VRS_SPAN_QUEUE, ticket->frame.id, ticket->queued_ns, now_ns);
        ticket->sent_ns = now_ns;
        ticket->sent_with = 0;
        if (views[i].frame->gone == (1u << views[i].frame->view_count) - 1)
            measures = ticket;
        smaller = smaller && ticket->smaller;
    }
    slot->smaller = smaller;
    slot->request = slot->requests[smaller ? 1 : 0];
    if (measures != NULL)
        measures->sent_with = count;
}

/* There is a slot again: where frames wait, they have done so since the last batch went. */
static void count_slot_wait(const vrs_batcher *batcher, int64_t now_ns)
{
    vrs_batch_queue_stats stats;
    vrs_batch_queue_get_stats(batcher->pipeline->queue, &stats);
    if (stats.waiting > 0 && batcher->batches > 0)
        atomic_fetch_add(&batcher->pipeline->load.slot_ns, now_ns - batcher->sent_ns);
}

/* What frames that come later are worth to those that wait. A GPU runs networks one after the
 * other: what is sent too early only waits there, where it cannot grow. A CPU's requests run side
 * by side. With `lock` held. */
static void look_ahead(vrs_pipeline *pipeline)
{
    const vrs_batch_flight *flight = &pipeline->flight;
    int32_t limit = pipeline->adapt.limit;
    bool more = !atomic_load(&pipeline->finishing);
    vrs_batch_queue_set_busy(pipeline->queue, vrs_batch_flight_until(flight));
    vrs_batch_queue_set_poor(pipeline->queue, more ? vrs_batch_flight_poor(flight, limit) : 0,
                             vrs_batch_flight_poor_until(flight, limit));
}

/* Sends a batch off if there is a slot for it and it should go; else says when to look again. With
 * `lock` held, which is let go while the lanes take it. */
static bool send_batch(vrs_batcher *batcher, int64_t now_ns, int64_t *next_ns)
{
    vrs_pipeline *pipeline = batcher->pipeline;
    vrs_batch_view views[VRS_MAX_BATCH];
    *next_ns = INT64_MAX;
    if (batcher->slot == NULL) {
        batcher->slot = vrs_queue_try_pop(pipeline->free_slots);
        if (batcher->slot != NULL)
            count_slot_wait(batcher, now_ns);
    }
    if (batcher->slot == NULL)
        return false;
    if (pipeline->io->on_device)
        look_ahead(pipeline);
    int32_t count =
        vrs_batch_queue_choose(pipeline->queue, now_ns, in_a_hurry(pipeline), views, next_ns);
    if (count == 0)
        return false;
    batcher->slot->number = batcher->batches++;
    batcher->sent_ns = batcher->slot->sent_ns = now_ns;
    batcher->slot->prepare_ns = 0;
    vrs_batch_flight_sent(&pipeline->flight, count, now_ns);
    fill_slot(batcher->slot, views, count, batcher->track, now_ns);
    announce_room(pipeline);
    vrs_mutex_unlock(&pipeline->lock);
    pipeline->lanes->dispatch(batcher->slot);
    vrs_mutex_lock(&pipeline->lock);
    batcher->slot = NULL;
    return true;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void vrs_batcher_main(void *arg)
{
    vrs_pipeline *pipeline = arg;
    vrs_batcher batcher = {.pipeline = pipeline,
                           .track = vrs_recorder_track(pipeline->recorder, "batcher")};
    vrs_mutex_lock(&pipeline->lock);
    while (!atomic_load(&pipeline->stopping)) {
        int64_t now_ns = vrs_now_ns(), next_ns;
        vrs_ticket *late = take_late(pipeline, now_ns);
        if (late != NULL) {
            vrs_mutex_unlock(&pipeline->lock);
            vrs_tickets_give_up(late, VRS_TIMEOUT,
                                "the frame waited for a batch for longer than its level's "
                                "queue_timeout_us");
            vrs_mutex_lock(&pipeline->lock);
            continue;
        }
        late = take_too_late(pipeline, now_ns);
        if (late != NULL) {
            vrs_mutex_unlock(&pipeline->lock);
            vrs_tickets_give_up(late, VRS_DROPPED, VRS_LIVE_LATE_TEXT);
            vrs_mutex_lock(&pipeline->lock);
            continue;
        }
        grow_back(pipeline, now_ns);
        if (send_batch(&batcher, now_ns, &next_ns))
            continue;
        next_ns = earlier(next_ns, vrs_batch_queue_next_expiry_ns(pipeline->queue));
        if (!pipeline->limiting)
            next_ns = earlier(next_ns, vrs_batch_adapt_next_ns(&pipeline->adapt));
        (void)vrs_cond_wait_until(&pipeline->work, &pipeline->lock, next_ns);
    }
    vrs_mutex_unlock(&pipeline->lock);
}
