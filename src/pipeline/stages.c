/* The workers: preprocess fills a slot's input, postprocess reads its scores and makes the outputs.
 */
#include <stdio.h>
#include <string.h>

#include "pipeline/internal.h"

void vrs_ticket_fail(vrs_ticket *ticket, vrs_status status, const char *detail)
{
    vrs_mutex_lock(&ticket->pipeline->lock);
    if (ticket->result.status == VRS_OK) {
        ticket->result.status = status;
        (void)snprintf(ticket->result.detail, sizeof(ticket->result.detail), "%s",
                       detail[0] != 0 ? detail : vrs_status_text(status));
    }
    vrs_mutex_unlock(&ticket->pipeline->lock);
}

/* Runs on a thread of the engine: stamps, takes its place behind the encoder, hands on. */
void vrs_slot_done(void *opaque, vrs_request *request, vrs_status status)
{
    (void)request;
    vrs_slot *slot = opaque;
    vrs_pipeline *pipeline = slot->pipeline;
    slot->end_ns = vrs_now_ns();
    slot->status = status;
    vrs_thread_step_back(VRS_STEPS_INFER);
    vrs_queue_push(pipeline->to_postprocess, slot);
}

static void load_states(vrs_view_work *work)
{
    vrs_pipeline *pipeline = work->slot->pipeline;
    vrs_view_state *state = &work->ticket->stream->state[work->view];
    if (work->ticket->restart)
        state->states_valid = false;
    for (int32_t s = 0; s < pipeline->io->state_count; s++) {
        size_t bytes = pipeline->io->states[s].elements * sizeof(float);
        float *to = vrs_request_state_in(work->slot->request, s, work->position);
        if (state->states_valid)
            memcpy(to, state->states[s], bytes);
        else
            memset(to, 0, bytes);
    }
}

static void preprocess_view(vrs_view_work *work, int32_t worker)
{
    vrs_ticket *ticket = work->ticket;
    vrs_stream *stream = ticket->stream;
    vrs_slot *slot = work->slot;
    vrs_pipeline *pipeline = slot->pipeline;
    pipeline->kernels->preprocess(stream->plans[work->view], &ticket->frame.image,
                                  vrs_request_input(slot->request, work->position),
                                  ticket->guide[work->view], stream->scratch[worker].preprocess);
    load_states(work);
    if (atomic_fetch_sub(&slot->to_fill, 1) > 1)
        return;
    slot->begin_ns = vrs_now_ns();
    atomic_store(&slot->running, true);
    vrs_status status = vrs_request_start(slot->request, slot->count, vrs_slot_done, slot);
    if (status != VRS_OK) {
        atomic_store(&slot->running, false);
        for (int32_t i = 0; i < slot->count; i++)
            vrs_ticket_fail(slot->views[i].ticket, status, vrs_last_error());
        vrs_slot_done(slot, slot->request, status);
    }
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
        int64_t frame = work->ticket->frame.id;
        int64_t begin_ns = vrs_now_ns();
        preprocess_view(work, worker);
        vrs_track_record(track, VRS_STAGE_PREPROCESS, frame, begin_ns, vrs_now_ns());
    }
}

void vrs_read_scores(vrs_ticket *ticket, uint32_t view, const float *data, vrs_scratch *scratch)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    const vrs_engine_io *io = pipeline->io;
    const vrs_model_spec *spec = pipeline->spec;
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
    int16_t *mask = ticket->mask[view];
    if (scratch->scores == NULL) {
        pipeline->kernels->person(&scores, mask, spec->width);
    } else {
        pipeline->kernels->person(&scores, scratch->scores, io->scores_width);
        pipeline->kernels->upsample(&pipeline->from_scores, scratch->scores, io->scores_width, 0,
                                    spec->height, mask, spec->width, scratch->upsample_scores);
    }
    if (pipeline->want_classes)
        vrs_render_classes(ticket, view, &scores, scratch);
}

static void commit_states(vrs_view_work *work, bool good)
{
    vrs_pipeline *pipeline = work->slot->pipeline;
    if (pipeline->io->state_count == 0)
        return;
    vrs_view_state *state = &work->ticket->stream->state[work->view];
    for (int32_t s = 0; s < pipeline->io->state_count && good; s++)
        memcpy(state->states[s], vrs_request_state_out(work->slot->request, s, work->position),
               pipeline->io->states[s].elements * sizeof(float));
    vrs_mutex_lock(&pipeline->lock);
    state->states_valid = state->states_valid || good;
    state->busy = false;
    vrs_mutex_unlock(&pipeline->lock);
    vrs_batcher_wake(pipeline);
}

static void smooth_ticket(vrs_ticket *ticket)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    size_t pixels = (size_t)pipeline->spec->width * (size_t)pipeline->spec->height;
    for (uint32_t v = 0; v < ticket->stream->view_count; v++) {
        vrs_view_state *state = &ticket->stream->state[v];
        if (ticket->restart)
            state->smooth_valid = false;
        if (ticket->result.status != VRS_OK)
            continue;
        if (state->smooth_valid)
            pipeline->kernels->smooth(state->smooth, ticket->mask[v], pixels,
                                      pipeline->settings.smooth_weight);
        else
            memcpy(state->smooth, ticket->mask[v], pixels * sizeof(int16_t));
        state->smooth_valid = true;
    }
}

/* A ticket's masks are complete: smoothing sees the frames in order, rendering need not. */
static void masks_done(vrs_ticket *ticket)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    if (!pipeline->settings.smooth) {
        vrs_queue_push(pipeline->to_postprocess, ticket);
        return;
    }
    vrs_mutex_lock(&pipeline->order_lock);
    vrs_reorder_put(pipeline->order, ticket->sequence, ticket);
    vrs_ticket *next;
    while ((next = vrs_reorder_next(pipeline->order)) != NULL) {
        smooth_ticket(next);
        vrs_queue_push(pipeline->to_postprocess, next);
    }
    vrs_mutex_unlock(&pipeline->order_lock);
}

static void read_view(vrs_view_work *work, vrs_track *track, int32_t worker)
{
    vrs_slot *slot = work->slot;
    vrs_pipeline *pipeline = slot->pipeline;
    vrs_ticket *ticket = work->ticket;
    bool good = slot->status == VRS_OK;
    if (good)
        vrs_read_scores(ticket, work->view, vrs_request_scores(slot->request, work->position),
                        &ticket->stream->scratch[worker]);
    else
        vrs_ticket_fail(ticket, slot->status, vrs_request_error(slot->request));
    commit_states(work, good);
    if (atomic_fetch_sub(&slot->to_read, 1) == 1) {
        vrs_track_record(track, VRS_STAGE_INFER, ticket->frame.id, slot->begin_ns, slot->end_ns);
        vrs_queue_push(pipeline->free_slots, slot);
    }
    bool last_view = atomic_fetch_sub(&pipeline->views_in_slots, 1) == 1;
    if (last_view && atomic_load(&pipeline->waiting_readers) > 0)
        vrs_batcher_wake(pipeline);
    if (atomic_fetch_sub(&ticket->views_to_read, 1) == 1)
        masks_done(ticket);
}

/* A run has ended: the engine's last word on it comes before any of its views is read. The first
 * view is read here, the others by whoever is free. */
static void read_slot(vrs_slot *slot, vrs_track *track, int32_t worker)
{
    if (atomic_exchange(&slot->running, false)) {
        vrs_status status = vrs_request_wait(slot->request); /* returns at once */
        if (slot->status == VRS_OK)
            slot->status = status;
    }
    for (int32_t i = 1; i < slot->count; i++)
        vrs_queue_push(slot->pipeline->to_postprocess, &slot->views[i]);
    read_view(&slot->views[0], track, worker);
}

static void finish_ticket(vrs_ticket *ticket)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    vrs_result *result = &ticket->result;
    bool good = result->status == VRS_OK;
    result->output_count = pipeline->output_count;
    for (uint32_t i = 0; i < result->output_count; i++) {
        result->outputs[i] = ticket->outputs[i];
        result->outputs[i].release = NULL; /* the ticket's memory */
    }
    result->done_ns = vrs_now_ns();
    vrs_mutex_lock(&pipeline->lock);
    ticket->finished = true;
    pipeline->finished++;
    pipeline->failed += good ? 0 : 1;
    if (pipeline->first_result_ns == 0)
        pipeline->first_result_ns = result->done_ns;
    pipeline->last_result_ns = result->done_ns;
    vrs_reorder_put(pipeline->results, ticket->sequence, ticket);
    vrs_cond_broadcast(&pipeline->changed);
    vrs_mutex_unlock(&pipeline->lock);
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
            vrs_view_work *work = kind == VRS_WORK_SLOT ? ((vrs_slot *)item)->views : item;
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
        vrs_render_outputs(ticket, &ticket->stream->scratch[worker]);
        /* Recorded before the result is out: whoever has a result finds its work in the totals. */
        vrs_track_record(track, VRS_STAGE_POSTPROCESS, frame, begin_ns, vrs_now_ns());
        finish_ticket(ticket);
    }
}
