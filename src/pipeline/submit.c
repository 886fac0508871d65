/* Submitting: checks, the stream of a frame, a ticket, a place in the batching queue. */
#include <assert.h>
#include <string.h>

#include "pipeline/internal.h"

/* After so long without a fetch, a full pipeline that nobody reads is reported. */
#define VRS_UNREAD_NS (2 * VRS_NS_PER_S)

static vrs_status check_frame(const vrs_pipeline *pipeline, const vrs_frame *frame)
{
    vrs_status status = pipeline->lanes->check(pipeline, &frame->image);
    if (status != VRS_OK)
        return status;
    if (frame->stream >= VRS_MAX_STREAMS)
        return vrs_fail(VRS_INVALID, "stream %u: expected 0 to %d", frame->stream,
                        VRS_MAX_STREAMS - 1);
    int32_t levels = pipeline->settings.batch.queue.levels;
    if (frame->priority < 0 || frame->priority > levels)
        return vrs_fail(VRS_INVALID,
                        "priority %d: expected 1 (the highest) to %d, or 0 for the default; the "
                        "option priority_levels says how many there are",
                        frame->priority, levels);
    if (frame->deadline_ns < 0 || frame->capture_ns < 0)
        return vrs_fail(VRS_INVALID,
                        "deadline %lld ns, capture %lld ns: expected times of vrs_now_ns(), or 0 "
                        "for none",
                        (long long)frame->deadline_ns, (long long)frame->capture_ns);
    if (frame->view_count > VRS_MAX_VIEWS)
        return vrs_fail(VRS_INVALID, "%u views: a frame has at most %d", frame->view_count,
                        VRS_MAX_VIEWS);
    for (uint32_t v = 0; v < frame->view_count; v++) {
        vrs_rect r = frame->views[v];
        bool inside = r.x >= 0 && r.y >= 0 && r.width > 0 && r.height > 0 &&
                      r.width <= frame->image.width - r.x && r.height <= frame->image.height - r.y;
        if (!inside)
            return vrs_fail(VRS_INVALID, "view %u (%d, %d, %dx%d) is not inside the %dx%d image", v,
                            r.x, r.y, r.width, r.height, frame->image.width, frame->image.height);
    }
    return VRS_OK;
}

static bool same_views(const vrs_stream *stream, const vrs_frame *frame)
{
    if (frame->view_count == 0)
        return true;
    return frame->view_count == stream->view_count &&
           memcmp(frame->views, stream->views, frame->view_count * sizeof(vrs_rect)) == 0;
}

static bool same_shape(const vrs_stream *stream, const vrs_frame *frame)
{
    return stream->shape.format == frame->image.format &&
           stream->shape.width == frame->image.width &&
           stream->shape.height == frame->image.height &&
           stream->shape.memory == frame->image.memory && same_views(stream, frame);
}

static bool all_finished(const vrs_stream *stream)
{
    for (uint32_t i = 0; i < stream->ticket_count; i++)
        if (!stream->tickets[i].finished)
            return false;
    return true;
}

/* Waits, with `lock` held, for tickets of a stream to come back. A wait that cannot end, since the
 * caller itself or nobody fetches the results, is reported instead. */
static vrs_status wait_for_release(vrs_pipeline *pipeline, vrs_stream *stream, int64_t deadline_ns,
                                   int64_t *full_since)
{
    if (atomic_load(&pipeline->finishing))
        return vrs_fail(VRS_CLOSED, "the pipeline was finished and takes no more frames");
    int64_t now = vrs_now_ns(), wait_until = deadline_ns;
    if (now >= deadline_ns)
        return VRS_TIMEOUT;
    bool other_reader = pipeline->has_reader && !pthread_equal(pipeline->reader, pthread_self());
    bool unread = stream->free_list == NULL && all_finished(stream);
    if (unread && !other_reader) {
        *full_since = *full_since == 0 ? now : *full_since;
        if (pipeline->has_reader || now - *full_since >= VRS_UNREAD_NS)
            return vrs_fail(VRS_FULL,
                            "all %u tickets hold finished results: call vrs_pipeline_get_result() "
                            "between submits or in another thread",
                            stream->ticket_count - stream->retired);
        int64_t report = *full_since + VRS_UNREAD_NS;
        wait_until = report < wait_until ? report : wait_until;
    }
    atomic_fetch_add(&pipeline->waiting, 1);
    if (atomic_load(&pipeline->views_in_slots) == 0)
        vrs_batcher_wake(pipeline);
    (void)vrs_cond_wait_until(&pipeline->changed, &pipeline->lock, wait_until);
    atomic_fetch_sub(&pipeline->waiting, 1);
    int64_t waited = vrs_now_ns() - now;
    pipeline->load.ticket_ns += waited;
    pipeline->load.unread_ns += unread ? waited : 0;
    pipeline->load.short_ns += stream->retired > 0 && !unread ? waited : 0;
    return VRS_OK;
}

/* The stream of a frame, with `lock` held: made if this is its first one, made anew if it was reset
 * and this frame has another shape. */
static vrs_status find_stream(vrs_pipeline *pipeline, const vrs_frame *frame, int64_t deadline_ns,
                              vrs_stream **out)
{
    vrs_stream *stream = pipeline->streams[frame->stream];
    vrs_status status = VRS_OK;
    int64_t full_since = 0;
    if (stream != NULL && !same_shape(stream, frame)) {
        if (!stream->restart)
            return vrs_fail(VRS_INVALID,
                            "frame %lld is %s %dx%d or has other views or lies elsewhere, its "
                            "stream is %s %dx%d: "
                            "submit it to another stream or reset this one",
                            (long long)frame->id, vrs_pixel_format_name(frame->image.format),
                            frame->image.width, frame->image.height,
                            vrs_pixel_format_name(stream->shape.format), stream->shape.width,
                            stream->shape.height);
        while (stream->free_count < stream->ticket_count - stream->retired && status == VRS_OK)
            status = wait_for_release(pipeline, stream, deadline_ns, &full_since);
        if (status != VRS_OK)
            return status;
        pipeline->streams[frame->stream] = NULL;
        vrs_stream_destroy(stream);
        stream = NULL;
    }
    if (stream == NULL) {
        /* Where memory is short others give up tickets, which takes the lock. This stream is made
         * and replaced by this thread alone. */
        vrs_mutex_unlock(&pipeline->lock);
        vrs_mutex_lock(&pipeline->setup_lock);
        int64_t begin_ns = vrs_now_ns();
        status = vrs_stream_create(pipeline, frame, &stream);
        status = vrs_memory_blame_budget(pipeline->place.memory, status);
        vrs_mutex_unlock(&pipeline->setup_lock);
        vrs_mutex_lock(&pipeline->lock);
        vrs_track_record(pipeline->submit_track, VRS_SPAN_ALLOCATE, frame->id, begin_ns,
                         vrs_now_ns());
        if (status != VRS_OK)
            return status;
        pipeline->streams[frame->stream] = stream;
    }
    *out = stream;
    return VRS_OK;
}

/* Waits, with `lock` held, until there is a ticket, and room in the queue if the frame may not come
 * in without. */
static vrs_status wait_for_ticket(vrs_pipeline *pipeline, vrs_stream *stream,
                                  const vrs_frame *frame, int64_t deadline_ns)
{
    const vrs_batch_settings *set = &pipeline->settings.batch.queue;
    vrs_status status = VRS_OK;
    int64_t full_since = 0, begin_ns = 0;
    while (status == VRS_OK) {
        bool room = vrs_batch_queue_has_room(pipeline->queue, frame->priority);
        if (!room && set->overflow == VRS_BATCH_REFUSE) {
            pipeline->refused++;
            return vrs_fail(VRS_REFUSED,
                            "frame %lld: as many frames of its level wait for a batch as "
                            "max_queue_size says, and queue_overflow is refuse",
                            (long long)frame->id);
        }
        if (stream->free_list != NULL && (room || set->overflow == VRS_BATCH_DROP_OLDEST))
            break;
        begin_ns = begin_ns == 0 ? vrs_now_ns() : begin_ns;
        status = wait_for_release(pipeline, stream, deadline_ns, &full_since);
    }
    if (begin_ns != 0)
        vrs_track_record(pipeline->submit_track, VRS_SPAN_BRAKE, frame->id, begin_ns, vrs_now_ns());
    return status;
}

/* When the frame's result is wanted; 0: at no certain time. */
static int64_t deadline_of(const vrs_pipeline *pipeline, const vrs_frame *frame, int64_t now_ns)
{
    int64_t target = pipeline->settings.batch.latency_target_ns;
    if (frame->deadline_ns != 0 || target == 0)
        return frame->deadline_ns;
    int64_t captured = frame->capture_ns != 0 ? frame->capture_ns : now_ns;
    return captured > INT64_MAX - target ? INT64_MAX : captured + target;
}

static void fill_ticket(vrs_pipeline *pipeline, vrs_ticket *ticket, vrs_frame *frame)
{
    int64_t now_ns = vrs_now_ns();
    ticket->frame = *frame;
    frame->image.release = NULL; /* taken */
    ticket->sequence = pipeline->submitted++;
    ticket->stream_sequence = ticket->stream->next_sequence++;
    ticket->restart = ticket->stream->restart;
    ticket->stream->restart = false;
    ticket->finished = false;
    ticket->settled = false;
    vrs_views_choose(ticket);
    ticket->queued_ns = now_ns;
    ticket->sent_ns = 0;
    ticket->sent_with = 0;
    ticket->next_ready = NULL;
    ticket->queued = (vrs_batch_frame){
        .stream = frame->stream,
        .view_count = ticket->stream->view_count,
        .priority = frame->priority,
        .deadline_ns = deadline_of(pipeline, frame, now_ns),
        .owner = ticket,
    };
    atomic_store(&ticket->views_to_read, (int)ticket->stream->view_count);
    ticket->result = (vrs_result){
        .id = frame->id,
        .pts = frame->pts,
        .duration = frame->duration,
        .stream = frame->stream,
        .priority = frame->priority,
        .capture_ns = frame->capture_ns,
        .deadline_ns = ticket->queued.deadline_ns,
        .submitted_ns = now_ns,
        .source = &ticket->frame.image,
    };
}

/* Who submits: a thread that does so alone must not wait for results that only its own frames can
 * bring. */
static void note_submitter(vrs_pipeline *pipeline)
{
    if (pipeline->has_submitter && !pthread_equal(pipeline->submitter, pthread_self()))
        pipeline->several_submitters = true;
    pipeline->submitter = pthread_self();
    pipeline->has_submitter = true;
}

vrs_status vrs_pipeline_submit(vrs_pipeline *pipeline, vrs_frame *frame, int64_t timeout_us)
{
    if (!vrs_pipeline_alive(pipeline))
        return vrs_pipeline_gone();
    if (!pipeline->started)
        return vrs_fail(VRS_INVALID, "call vrs_pipeline_start() before submitting");
    if (atomic_load(&pipeline->finishing))
        return vrs_fail(VRS_CLOSED, "the pipeline was finished and takes no more frames");
    int64_t deadline_ns = vrs_deadline_ns(timeout_us);
    vrs_status status = check_frame(pipeline, frame);
    if (status != VRS_OK)
        return status;
    vrs_ticket *dropped = NULL, *passed = NULL;
    vrs_live_verdict verdict = VRS_LIVE_NOTHING;
    vrs_mutex_lock(&pipeline->lock);
    note_submitter(pipeline);
    vrs_stream *stream = NULL;
    status = find_stream(pipeline, frame, deadline_ns, &stream);
    if (status == VRS_OK && stream->free_list == NULL)
        vrs_stream_grow_back(stream);
    if (status == VRS_OK)
        status = wait_for_ticket(pipeline, stream, frame, deadline_ns);
    if (status == VRS_OK) {
        vrs_ticket *ticket = stream->free_list;
        stream->free_list = ticket->next_free;
        stream->free_count--;
        fill_ticket(pipeline, ticket, frame);
        pipeline->last_stream = frame->stream;
        pipeline->submit_waits = timeout_us != 0;
        verdict = vrs_live_look(pipeline, ticket);
        passed = ticket;
    }
    if (verdict == VRS_LIVE_QUEUES) {
        bool added = vrs_batcher_add(passed, &dropped);
        assert(added); /* there was room, or another one had to leave */
        (void)added;
    }
    vrs_mutex_unlock(&pipeline->lock);
    if (verdict == VRS_LIVE_LATE)
        vrs_tickets_give_up(passed, VRS_DROPPED, VRS_LIVE_LATE_TEXT);
    if (verdict == VRS_LIVE_REPEATS)
        pipeline->lanes->give_up(passed);
    vrs_tickets_give_up(dropped, VRS_DROPPED,
                        "newer frames came while max_queue_size of its level waited for a batch");
    return status;
}
