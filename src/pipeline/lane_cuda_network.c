/* The network of a batch on an engine of the GPU, and its states over time: gathered before it,
 * kept after it, all on the lane's stream. A view's frames may run on several lanes, one after the
 * other: their order is that of an event. */
#include "pipeline/lane_cuda.h"

static size_t state_bytes(const vrs_engine_io *io, int32_t state)
{
    return io->states[state].elements * sizeof(float);
}

static vrs_status gather(vrs_cuda_slot *slot, vrs_view_work *work)
{
    vrs_device_stream *stream = slot->lane->stream;
    const vrs_engine_io *io = slot->lane->cuda->pipeline->io;
    const vrs_cuda_stream *s = work->ticket->stream->lane;
    bool valid = vrs_has_states(work);
    vrs_status status = vrs_cuda_wait(stream, s->net_ready[work->view]);
    for (int32_t i = 0; i < io->state_count && status == VRS_OK; i++) {
        vrs_device_ptr to = (vrs_device_ptr)(uintptr_t)vrs_request_state_in(slot->batch->request, i,
                                                                            work->position);
        status = valid
                     ? vrs_device_copy(stream, to, s->net_states[work->view][i], state_bytes(io, i))
                     : vrs_device_fill(stream, to, 0, state_bytes(io, i));
    }
    return status;
}

static vrs_status keep(vrs_cuda_slot *slot, const vrs_view_work *work)
{
    vrs_device_stream *stream = slot->lane->stream;
    const vrs_engine_io *io = slot->lane->cuda->pipeline->io;
    const vrs_cuda_stream *s = work->ticket->stream->lane;
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < io->state_count && status == VRS_OK; i++)
        status = vrs_device_copy(stream, s->net_states[work->view][i],
                                 (vrs_device_ptr)(uintptr_t)vrs_request_state_out(
                                     slot->batch->request, i, work->position),
                                 state_bytes(io, i));
    return status == VRS_OK ? vrs_cuda_record(s->net_ready[work->view], stream) : status;
}

vrs_status vrs_cuda_queue_network(vrs_cuda_slot *slot)
{
    vrs_batch *batch = slot->batch;
    bool recurrent = slot->lane->cuda->pipeline->io->state_count > 0;
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < batch->count && status == VRS_OK && recurrent; i++)
        status = gather(slot, &batch->views[i]);
    if (status == VRS_OK)
        status = vrs_request_enqueue(batch->request, batch->count, slot->lane->stream);
    for (int32_t i = 0; i < batch->count && status == VRS_OK && recurrent; i++)
        status = keep(slot, &batch->views[i]);
    return status;
}
