/* The workers: preprocess fills a slot's input, postprocess reads its scores and makes the outputs.
 */
#include <string.h>

#include "pipeline/internal.h"

static void preprocess_view(vrs_view_work *work, int32_t worker)
{
    vrs_ticket *ticket = work->ticket;
    vrs_stream *stream = ticket->stream;
    vrs_batch *slot = work->slot;
    vrs_pipeline *pipeline = slot->pipeline;
    const vrs_preprocess_plan *plan = vrs_batch_plan(work);
    const vrs_view_tile *tile = vrs_views_tile(ticket, work->view);
    void *tensor = vrs_request_input(slot->request, work->position);
    uint8_t *guide =
        slot->smaller ? NULL : ticket->guide[work->view]; /* has the first one's size */
    if (tile != NULL)
        pipeline->kernels->preprocess_warp(plan, &tile->warps[slot->smaller ? 1 : 0],
                                           &ticket->frame.image, tensor, guide);
    else
        pipeline->kernels->preprocess(plan, &ticket->frame.image, tensor, guide,
                                      stream->scratch[worker].preprocess);
    vrs_load_states(work);
}

void vrs_preprocess_main(void *arg)
{
    vrs_pipeline *pipeline = arg;
    int32_t worker = atomic_fetch_add(&pipeline->next_preprocess, 1);
    vrs_thread_step_back(VRS_STEPS_INFER);
    vrs_track *track = vrs_recorder_track(pipeline->recorder, "preprocess");
    void *item;
    while (vrs_queue_pop(pipeline->to_preprocess, &item, INT64_MAX) == VRS_OK) {
        if (atomic_load(&pipeline->stopping))
            continue;
        vrs_view_work *work = item;
        vrs_batch *slot = work->slot;
        int64_t begin_ns = vrs_now_ns();
        preprocess_view(work, worker);
        /* Recorded before it goes on, as below. */
        vrs_track_record(track, VRS_STAGE_PREPROCESS, work->ticket->frame.id, begin_ns,
                         vrs_now_ns());
        if (atomic_fetch_sub(&slot->to_fill, 1) == 1)
            vrs_batch_start(slot);
    }
}

/* Class by class. */
static void keep_scores(const vrs_scores *scores, float *kept)
{
    for (int32_t c = 0; c < scores->classes; c++)
        for (int32_t y = 0; y < scores->height; y++) {
            const float *row = scores->data + c * scores->class_stride + y * scores->row_stride;
            for (int32_t x = 0; x < scores->width; x++)
                *kept++ = row[x * scores->column_stride];
        }
}

void vrs_read_scores(const vrs_view_work *work, const float *data, vrs_scratch *scratch)
{
    vrs_ticket *ticket = work->ticket;
    vrs_pipeline *pipeline = ticket->pipeline;
    bool smaller = work->slot->smaller;
    const vrs_engine_io *io = vrs_batch_io(work->slot);
    const vrs_model_spec *spec = smaller ? pipeline->smaller.spec : pipeline->spec;
    const vrs_upsample *enlarge = smaller ? &pipeline->smaller.from_scores : &pipeline->from_scores;
    int32_t width = pipeline->spec->width, height = pipeline->spec->height;
    vrs_scores scores = {
        .data = data,
        .classes = io->classes,
        .width = io->scores_width,
        .height = io->scores_height,
        .class_stride = io->class_stride,
        .row_stride = io->row_stride,
        .column_stride = io->column_stride,
        .activation = spec->activation,
        .person_classes = spec->person_classes,
    };
    int16_t *mask = ticket->mask[work->view];
    if (io->scores_width == width && io->scores_height == height) {
        pipeline->kernels->person(&scores, mask, width);
    } else {
        pipeline->kernels->person(&scores, scratch->scores, io->scores_width);
        pipeline->kernels->upsample(enlarge, scratch->scores, io->scores_width, 0, height, mask,
                                    width, scratch->upsample_scores);
    }
    if (ticket->scores[work->view] != NULL)
        keep_scores(&scores, ticket->scores[work->view]);
    if (pipeline->want_classes)
        vrs_render_classes(ticket, work->view, &scores, scratch);
}

/* Where the frame before has no mask either there is nothing to repeat. */
static void repeat_mask(vrs_ticket *ticket, uint32_t view, size_t pixels)
{
    const vrs_view_state *state = &ticket->stream->state[view];
    if (state->smooth_valid)
        memcpy(ticket->mask[view], state->smooth, pixels * sizeof(int16_t));
    else
        vrs_ticket_fail(ticket, VRS_DROPPED, VRS_NOTHING_TO_REPEAT_TEXT);
}

static void smooth_ticket(vrs_ticket *ticket)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    size_t pixels = (size_t)pipeline->spec->width * (size_t)pipeline->spec->height;
    for (uint32_t v = 0; v < ticket->stream->view_count; v++) {
        vrs_view_state *state = &ticket->stream->state[v];
        if (ticket->restart || (ticket->moved >> v & 1) != 0)
            state->smooth_valid = false;
        if (ticket->result.status != VRS_OK)
            continue;
        if (ticket->result.repeated) {
            repeat_mask(ticket, v, pixels);
            continue;
        }
        if (state->smooth_valid && pipeline->settings.smooth)
            pipeline->kernels->smooth(state->smooth, ticket->mask[v], pixels,
                                      pipeline->settings.smooth_weight);
        else
            memcpy(state->smooth, ticket->mask[v], pixels * sizeof(int16_t));
        state->smooth_valid = true;
    }
}

/* The next ticket of a stream that a thread takes through the ordered step, or NULL: another thread
 * may begin. */
static vrs_ticket *next_in_order(vrs_stream *stream)
{
    vrs_pipeline *pipeline = stream->pipeline;
    vrs_mutex_lock(&pipeline->order_lock);
    vrs_ticket *next = vrs_reorder_next(stream->order);
    stream->ordering = next != NULL;
    vrs_mutex_unlock(&pipeline->order_lock);
    return next;
}

/* Smoothing and repeating see a stream's frames in order, rendering need not. Who comes while a
 * thread is at it leaves its ticket to that one, so that the lock is held for no mask. */
void vrs_masks_done(vrs_ticket *ticket)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    vrs_stream *stream = ticket->stream;
    if (stream->order == NULL) {
        vrs_queue_push(pipeline->to_postprocess, ticket);
        return;
    }
    vrs_mutex_lock(&pipeline->order_lock);
    vrs_reorder_put(stream->order, ticket->stream_sequence, ticket);
    bool mine = !stream->ordering;
    stream->ordering = true;
    vrs_mutex_unlock(&pipeline->order_lock);
    if (!mine)
        return;
    /* One is kept back until the stream is left: with its last ticket finished it may be gone. */
    vrs_ticket *kept = NULL, *next;
    while ((next = next_in_order(stream)) != NULL) {
        if (kept != NULL)
            vrs_queue_push(pipeline->to_postprocess, kept);
        vrs_views_follow(next);
        if (stream->steady != NULL)
            vrs_steady_ticket(stream->steady, next);
        else
            smooth_ticket(next);
        kept = next;
    }
    if (kept != NULL)
        vrs_queue_push(pipeline->to_postprocess, kept);
}

static void read_view(vrs_view_work *work, vrs_track *track, int32_t worker)
{
    vrs_batch *slot = work->slot;
    vrs_pipeline *pipeline = slot->pipeline;
    vrs_ticket *ticket = work->ticket;
    bool good = slot->status == VRS_OK;
    if (good)
        vrs_read_scores(work, vrs_request_scores(slot->request, work->position),
                        &ticket->stream->scratch[worker]);
    else
        vrs_ticket_fail(ticket, slot->status, vrs_request_error(slot->request));
    vrs_commit_states(work, good);
    if (atomic_fetch_sub(&slot->to_read, 1) == 1) {
        vrs_track_record(track, VRS_STAGE_INFER, ticket->frame.id, slot->begin_ns, slot->end_ns);
        vrs_slot_free(slot);
    }
    vrs_view_read(pipeline);
    if (atomic_fetch_sub(&ticket->views_to_read, 1) == 1)
        vrs_masks_done(ticket);
}

/* A run has ended: the engine's last word on it comes before any of its views is read. The first
 * view is read here, the others by whoever is free. */
static void read_slot(vrs_batch *slot, vrs_track *track, int32_t worker)
{
    atomic_fetch_add(&slot->pipeline->load.read_ns, vrs_now_ns() - slot->end_ns);
    vrs_batch_settle(slot);
    for (int32_t i = 1; i < slot->count; i++)
        vrs_queue_push(slot->pipeline->to_postprocess, &slot->views[i]);
    read_view(&slot->views[0], track, worker);
}

void vrs_postprocess_main(void *arg)
{
    vrs_pipeline *pipeline = arg;
    int32_t worker = atomic_fetch_add(&pipeline->next_postprocess, 1);
    vrs_thread_step_back(VRS_STEPS_POSTPROCESS);
    vrs_track *track = vrs_recorder_track(pipeline->recorder, "postprocess");
    void *item;
    while (vrs_queue_pop(pipeline->to_postprocess, &item, INT64_MAX) == VRS_OK) {
        if (atomic_load(&pipeline->stopping))
            continue;
        int64_t begin_ns = vrs_now_ns();
        vrs_work_kind kind = *(vrs_work_kind *)item;
        if (kind != VRS_WORK_TICKET) {
            vrs_view_work *work = kind == VRS_WORK_SLOT ? ((vrs_batch *)item)->views : item;
            int64_t frame = work->ticket->frame.id;
            if (kind == VRS_WORK_SLOT)
                read_slot(item, track, worker);
            else
                read_view(work, track, worker);
            vrs_track_record(track, VRS_SPAN_SCORES, frame, begin_ns, vrs_now_ns());
            continue;
        }
        vrs_ticket *ticket = item;
        int64_t frame = ticket->frame.id;
        if (ticket->result.status != VRS_OK)
            vrs_clear_masks(ticket);
        if (!vrs_live_left_out(ticket))
            vrs_render_outputs(ticket, &ticket->stream->scratch[worker]);
        /* Recorded before the result is out: whoever has a result finds its work in the totals. */
        vrs_track_record(track, VRS_STAGE_POSTPROCESS, frame, begin_ns, vrs_now_ns());
        vrs_finish_ticket(ticket);
    }
}
