/* What is the same wherever the work of a batch is done. */
#include "pipeline/lane.h"

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
static void batch_done(void *opaque, vrs_request *request, vrs_status status)
{
    (void)request;
    vrs_batch *slot = opaque;
    vrs_pipeline *pipeline = slot->pipeline;
    slot->end_ns = vrs_now_ns();
    slot->status = status;
    vrs_thread_step_back(VRS_STEPS_INFER);
    pipeline->lanes->inferred(slot);
}

void vrs_batch_start(vrs_batch *slot)
{
    slot->begin_ns = vrs_now_ns();
    atomic_store(&slot->running, true);
    vrs_status status = vrs_request_start(slot->request, slot->count, batch_done, slot);
    if (status != VRS_OK) {
        atomic_store(&slot->running, false);
        for (int32_t i = 0; i < slot->count; i++)
            vrs_ticket_fail(slot->views[i].ticket, status, vrs_last_error());
        batch_done(slot, slot->request, status);
    }
}

void vrs_batch_settle(vrs_batch *slot)
{
    if (!atomic_exchange(&slot->running, false))
        return;
    vrs_status status = vrs_request_wait(slot->request); /* returns at once */
    if (slot->status == VRS_OK)
        slot->status = status;
}

bool vrs_has_states(vrs_view_work *work)
{
    vrs_view_state *state = &work->ticket->stream->state[work->view];
    if (work->slot->pipeline->io->state_count == 0)
        return false; /* then frames of a view run side by side, and nobody keeps their order */
    const uint8_t tile = work->ticket->tile[work->view];
    if (work->ticket->restart || state->net_tile != tile)
        state->states_valid = false;
    state->net_tile = tile;
    return state->states_valid;
}

void vrs_end_states(vrs_view_work *work, bool good)
{
    vrs_pipeline *pipeline = work->slot->pipeline;
    vrs_view_state *state = &work->ticket->stream->state[work->view];
    if (pipeline->io->state_count == 0)
        return;
    vrs_mutex_lock(&pipeline->lock);
    state->states_valid = state->states_valid || good;
    vrs_batch_queue_view_done(pipeline->queue, work->ticket->stream->number, work->view);
    vrs_batcher_wake(pipeline);
    vrs_mutex_unlock(&pipeline->lock);
}

void vrs_load_states(vrs_view_work *work)
{
    vrs_pipeline *pipeline = work->slot->pipeline;
    const vrs_view_state *state = &work->ticket->stream->state[work->view];
    bool valid = vrs_has_states(work);
    for (int32_t s = 0; s < pipeline->io->state_count; s++) {
        size_t bytes = pipeline->io->states[s].elements * sizeof(float);
        float *to = vrs_request_state_in(work->slot->request, s, work->position);
        if (valid)
            memcpy(to, state->states[s], bytes);
        else
            memset(to, 0, bytes);
    }
}

void vrs_commit_states(vrs_view_work *work, bool good)
{
    vrs_pipeline *pipeline = work->slot->pipeline;
    const vrs_view_state *state = &work->ticket->stream->state[work->view];
    for (int32_t s = 0; s < pipeline->io->state_count && good; s++)
        memcpy(state->states[s], vrs_request_state_out(work->slot->request, s, work->position),
               pipeline->io->states[s].elements * sizeof(float));
    vrs_end_states(work, good);
}

void vrs_view_read(vrs_pipeline *pipeline)
{
    bool last_view = atomic_fetch_sub(&pipeline->views_in_slots, 1) == 1;
    if (!last_view || atomic_load(&pipeline->waiting) == 0)
        return;
    vrs_mutex_lock(&pipeline->lock);
    vrs_batcher_wake(pipeline);
    vrs_mutex_unlock(&pipeline->lock);
}

float vrs_coverage(const vrs_ticket *ticket, const uint64_t sums[VRS_MAX_VIEWS])
{
    const vrs_stream *stream = ticket->stream;
    double covered = 0, all = (double)stream->shape.width * stream->shape.height;
    for (uint32_t v = 0; v < stream->eye_count; v++) {
        vrs_rect c = vrs_preprocess_content(stream->plans[v]);
        double area = (double)stream->views[v].width * stream->views[v].height;
        covered += area * (double)sums[v] / ((double)VRS_Q15_ONE * c.width * c.height);
    }
    return (float)(covered / all);
}

static void count_result(vrs_pipeline *pipeline, vrs_status status)
{
    pipeline->finished++;
    pipeline->timed_out += status == VRS_TIMEOUT;
    pipeline->dropped += status == VRS_DROPPED;
    pipeline->cancelled += status == VRS_CANCELLED;
    pipeline->failed += status != VRS_OK && status != VRS_TIMEOUT && status != VRS_DROPPED &&
                        status != VRS_CANCELLED;
}

/* Puts a result where vrs_pipeline_get_result() finds it at its turn. */
static void hand_out(vrs_pipeline *pipeline, vrs_ticket *ticket)
{
    vrs_reorder *in_stream = ticket->stream->results;
    if (in_stream == NULL) {
        vrs_reorder_put(pipeline->results, ticket->sequence, ticket);
        return;
    }
    vrs_reorder_put(in_stream, ticket->stream_sequence, ticket);
    while ((ticket = vrs_reorder_next(in_stream)) != NULL) {
        ticket->next_ready = NULL;
        if (pipeline->ready_last != NULL)
            pipeline->ready_last->next_ready = ticket;
        else
            pipeline->ready_first = ticket;
        pipeline->ready_last = ticket;
    }
}

void vrs_finish_ticket(vrs_ticket *ticket)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    vrs_result *result = &ticket->result;
    result->output_count = vrs_live_left_out(ticket) ? 0 : pipeline->output_count;
    for (uint32_t i = 0; i < result->output_count; i++) {
        result->outputs[i] = ticket->outputs[i];
        result->outputs[i].release = NULL; /* the ticket's memory */
        if (result->status != VRS_OK && ticket->outputs[i].memory != VRS_MEMORY_HOST)
            memset(result->outputs[i].planes, 0, sizeof(result->outputs[i].planes));
    }
    result->done_ns = vrs_now_ns();
    vrs_mutex_lock(&pipeline->lock);
    ticket->finished = true;
    count_result(pipeline, result->status);
    pipeline->repeated += result->repeated && result->status == VRS_OK;
    vrs_live_finished(pipeline, ticket);
    if (ticket->sent_with > 0 && result->status == VRS_OK)
        vrs_batch_queue_took(pipeline->queue, ticket->sent_with, result->done_ns - ticket->sent_ns);
    if (pipeline->first_result_ns == 0)
        pipeline->first_result_ns = result->done_ns;
    pipeline->last_result_ns = result->done_ns;
    if (ticket->stream->crops != NULL)
        vrs_crops_ended(ticket->stream->crops, ticket->stream_sequence,
                        ticket->looked && result->status == VRS_OK ? ticket->seen : NULL,
                        ticket->restart);
    hand_out(pipeline, ticket);
    vrs_cond_broadcast(&pipeline->changed);
    vrs_mutex_unlock(&pipeline->lock);
}
