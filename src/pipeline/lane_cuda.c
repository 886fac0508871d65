/* Lanes on a GPU: their threads, and the way of a batch through them. */
#include "pipeline/lane_cuda.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "pipeline/place.h"

/* So often the memory that other programs want is looked at. */
#define POLL_NS (VRS_NS_PER_S / 4)

vrs_status vrs_cuda_record(vrs_device_event *event, vrs_device_stream *stream)
{
    vrs_status status = vrs_device_event_record(event, stream);
    if (status != VRS_OK && status != VRS_DEVICE_LOST)
        status = vrs_device_event_record(event, stream);
    if (status != VRS_OK)
        vrs_device_set_lost(vrs_device_stream_device(stream), vrs_last_error());
    return status;
}

vrs_status vrs_cuda_wait(vrs_device_stream *stream, vrs_device_event *event)
{
    vrs_status status = vrs_device_stream_wait(stream, event);
    if (status != VRS_OK && status != VRS_DEVICE_LOST)
        status = vrs_device_stream_wait(stream, event);
    if (status != VRS_OK)
        vrs_device_set_lost(vrs_device_stream_device(stream), vrs_last_error());
    return status;
}

vrs_status vrs_cuda_await(vrs_device *device, vrs_device_event *event)
{
    vrs_status status = vrs_device_event_wait(event);
    if (status != VRS_OK && status != VRS_DEVICE_LOST)
        status = vrs_device_event_wait(event);
    if (status != VRS_OK)
        vrs_device_set_lost(device, vrs_last_error());
    return status;
}

void vrs_cuda_mark_copies(vrs_cuda_slot *slot, vrs_cuda_phase phase)
{
    vrs_status status = vrs_device_event_record(slot->copied[phase], slot->lane->stream);
    slot->copies[phase] = status == VRS_OK;
}

vrs_status vrs_cuda_settle(vrs_cuda *cuda)
{
    vrs_status status = vrs_cuda_record(cuda->setup_done, cuda->setup);
    return status == VRS_OK ? vrs_cuda_await(cuda->device, cuda->setup_done) : status;
}

/* The first failure of a batch stays. */
static void fail_slot(vrs_cuda_slot *slot, vrs_status status)
{
    if (slot->batch->status != VRS_OK || status == VRS_OK)
        return;
    slot->batch->status = status;
    (void)snprintf(slot->detail, sizeof(slot->detail), "%s", vrs_last_error());
}

/* ---- the turn: where masks follow from those before, batches queue theirs in the order in which
 * they were sent off */

/* Gives the turn to the next batch if that is back from the engine; with order_lock held. */
static void give_turn(vrs_cuda *cuda)
{
    if (cuda->turn_taken)
        return;
    vrs_batch *batch = vrs_reorder_next(cuda->pipeline->order);
    if (batch == NULL)
        return;
    cuda->turn_taken = true;
    vrs_cuda_slot *slot = &cuda->slots[batch->index];
    vrs_queue_push(slot->lane->submit, slot);
}

static void pass_turn(vrs_cuda *cuda)
{
    vrs_mutex_lock(&cuda->pipeline->order_lock);
    cuda->turn_taken = false;
    give_turn(cuda);
    vrs_mutex_unlock(&cuda->pipeline->order_lock);
}

static void inferred(vrs_batch *batch)
{
    vrs_cuda *cuda = vrs_cuda_of(batch->pipeline);
    vrs_cuda_slot *slot = &cuda->slots[batch->index];
    if (!cuda->ordered) {
        vrs_queue_push(slot->lane->submit, slot);
        return;
    }
    vrs_mutex_lock(&batch->pipeline->order_lock);
    vrs_reorder_put(batch->pipeline->order, batch->number, batch);
    give_turn(cuda);
    vrs_mutex_unlock(&batch->pipeline->order_lock);
}

static void dispatch(vrs_batch *batch)
{
    vrs_cuda_slot *slot = &vrs_cuda_of(batch->pipeline)->slots[batch->index];
    slot->phase = VRS_CUDA_IN;
    slot->detail[0] = 0;
    slot->copies[VRS_CUDA_IN] = slot->copies[VRS_CUDA_OUT] = false;
    vrs_queue_push(slot->lane->submit, slot);
}

/* ---- the submitting thread ---- */

static void send_in(vrs_cuda_slot *slot)
{
    vrs_device_stream *stream = slot->lane->stream;
    fail_slot(slot, vrs_device_event_record(slot->begin[VRS_CUDA_IN], stream));
    if (slot->batch->status == VRS_OK)
        fail_slot(slot, vrs_cuda_queue_inputs(slot));
    /* Also behind what failed half way: it says when the memory is free again. */
    fail_slot(slot, vrs_cuda_record(slot->end[VRS_CUDA_IN], stream));
}

/* An engine of the GPU goes on where preprocessing ends. */
static void run_network(vrs_cuda_slot *slot)
{
    if (slot->batch->status == VRS_OK)
        fail_slot(slot, vrs_cuda_queue_network(slot));
    fail_slot(slot, vrs_cuda_record(slot->ran, slot->lane->stream));
}

static vrs_status ticket_status(vrs_ticket *ticket)
{
    vrs_mutex_lock(&ticket->pipeline->lock);
    vrs_status status = ticket->result.status;
    vrs_mutex_unlock(&ticket->pipeline->lock);
    return status;
}

static void fail_tickets(vrs_cuda_slot *slot)
{
    const vrs_batch *batch = slot->batch;
    const char *detail = slot->detail[0] != 0 ? slot->detail : vrs_request_error(batch->request);
    for (int32_t i = 0; i < batch->count; i++)
        vrs_ticket_fail(batch->views[i].ticket, batch->status, detail);
}

static void send_out(vrs_cuda_slot *slot)
{
    vrs_batch *batch = slot->batch;
    vrs_cuda *cuda = slot->lane->cuda;
    int32_t live[VRS_MAX_BATCH], count = 0;
    vrs_batch_settle(batch);
    if (batch->status != VRS_OK)
        fail_tickets(slot);
    for (int32_t i = 0; i < batch->count; i++) {
        if (cuda->pipeline->io->on_device)
            vrs_end_states(&batch->views[i], batch->status == VRS_OK);
        else
            vrs_commit_states(&batch->views[i], batch->status == VRS_OK);
        if (ticket_status(batch->views[i].ticket) == VRS_OK)
            live[count++] = i;
    }
    bool good = batch->status == VRS_OK;
    if (good)
        fail_slot(slot, vrs_device_event_record(slot->begin[VRS_CUDA_OUT], slot->lane->stream));
    if (batch->status != VRS_OK)
        count = 0; /* no masks, but the past of restarted streams ends */
    fail_slot(slot, vrs_cuda_queue_scores(slot, live, count));
    if (good && batch->status != VRS_OK)
        fail_tickets(slot);
    slot->finished_count = 0;
    for (int32_t i = 0; i < batch->count; i++) {
        vrs_ticket *ticket = batch->views[i].ticket;
        if (atomic_fetch_sub(&ticket->views_to_read, 1) == 1)
            slot->finished[slot->finished_count++] = ticket;
    }
    vrs_cuda_settle_masks(slot);
    if (cuda->ordered)
        pass_turn(cuda);
    vrs_cuda_queue_tickets(slot);
    vrs_status status = vrs_cuda_record(slot->end[VRS_CUDA_OUT], slot->lane->stream);
    for (int32_t i = 0; i < slot->finished_count && status != VRS_OK; i++)
        vrs_ticket_fail(slot->finished[i], status, vrs_last_error());
}

/* One step of a batch, of which the second one may wait for its turn; or a frame of no batch. */
static void submit(vrs_cuda_lane *lane, vrs_cuda_slot *slot)
{
    const vrs_pipeline *pipeline = lane->cuda->pipeline;
    if (slot->kind == VRS_WORK_TICKET) {
        vrs_cuda_send_repeat(slot);
        vrs_queue_push(lane->complete, slot);
        return;
    }
    if (slot->phase == VRS_CUDA_IN) {
        send_in(slot);
        if (!pipeline->io->on_device) {
            vrs_queue_push(lane->complete, slot);
            return;
        }
        run_network(slot);
        slot->phase = VRS_CUDA_OUT;
        if (lane->cuda->ordered) {
            inferred(slot->batch);
            return;
        }
    }
    send_out(slot);
    vrs_queue_push(lane->complete, slot);
}

static void submit_main(void *arg)
{
    vrs_cuda_lane *lane = arg;
    vrs_thread_step_back(VRS_STEPS_POSTPROCESS);
    void *item;
    while (vrs_queue_pop(lane->submit, &item, INT64_MAX) == VRS_OK)
        if (!atomic_load(&lane->cuda->pipeline->stopping))
            submit(lane, item);
}

/* ---- the completing thread ---- */

/* Nanoseconds of the GPU's own clock between two events; 0: not known. */
static int64_t between(vrs_device_event *begin, vrs_device_event *end)
{
    double ms = 0;
    return vrs_device_event_elapsed(begin, end, &ms) == VRS_OK ? (int64_t)(ms * 1e6) : 0;
}

/* Books what the GPU worked for a batch, in equal spans that end then, one for each view
 * (preprocessing) or finished ticket. Returns when they began. */
static int64_t record_spans(const vrs_cuda_slot *slot, vrs_track *track, uint32_t kind,
                            int64_t end_ns, int64_t duration_ns)
{
    bool in = kind == VRS_STAGE_PREPROCESS;
    int32_t parts = in ? slot->batch->count : slot->finished_count;
    int64_t part_ns = parts > 0 ? duration_ns / parts : 0;
    for (int32_t i = 0; i < parts; i++) {
        const vrs_ticket *ticket = in ? slot->batch->views[i].ticket : slot->finished[i];
        int64_t begin_ns = end_ns - (parts - i) * part_ns;
        vrs_track_record(track, kind, ticket->frame.id, begin_ns, begin_ns + part_ns);
    }
    return end_ns - duration_ns;
}

/* The copies of a batch, within the stage's own time, which ended then. */
static void record_copies(const vrs_cuda_slot *slot, vrs_track *track, vrs_cuda_phase phase,
                          int64_t end_ns)
{
    if (!slot->copies[phase])
        return;
    int64_t frame = slot->batch->views[0].ticket->frame.id;
    if (phase == VRS_CUDA_OUT) {
        int64_t down_ns = between(slot->copied[phase], slot->end[phase]);
        vrs_track_record(track, VRS_SPAN_DOWNLOAD, frame, end_ns - down_ns, end_ns);
        return;
    }
    int64_t begin_ns = end_ns - between(slot->begin[phase], slot->end[phase]);
    int64_t up_ns = between(slot->begin[phase], slot->copied[phase]);
    vrs_track_record(track, VRS_SPAN_UPLOAD, frame, begin_ns, begin_ns + up_ns);
}

/* Books when kernels and copies of a phase ran that ended then. Frames go up before the kernels of
 * the way in, outputs down after those of the way out; the tensors and scores of an engine of the
 * CPU count with the kernels that they are between. */
static void cover_phase(const vrs_cuda_slot *slot, vrs_cuda_phase phase, int64_t end_ns)
{
    vrs_load *load = &slot->batch->pipeline->load;
    bool in = phase == VRS_CUDA_IN;
    int64_t begin_ns = end_ns - between(slot->begin[phase], slot->end[phase]);
    int64_t border_ns = in ? begin_ns : end_ns; /* without copies */
    if (slot->copies[phase])
        border_ns = end_ns - between(slot->copied[phase], slot->end[phase]);
    vrs_mutex_lock(&slot->batch->pipeline->lock);
    vrs_cover_add(in ? &load->copies : &load->kernels, begin_ns, border_ns);
    vrs_cover_add(in ? &load->kernels : &load->copies, border_ns, end_ns);
    vrs_mutex_unlock(&slot->batch->pipeline->lock);
}

static void cover_network(const vrs_cuda_slot *slot)
{
    const vrs_batch *batch = slot->batch;
    vrs_mutex_lock(&batch->pipeline->lock);
    vrs_cover_add(&batch->pipeline->load.kernels, batch->begin_ns, batch->end_ns);
    vrs_mutex_unlock(&batch->pipeline->lock);
}

/* What a batch took that is done. */
static void record_batch(vrs_cuda_slot *slot, vrs_track *track)
{
    vrs_batch *batch = slot->batch;
    bool on_device = batch->pipeline->io->on_device;
    int64_t now = vrs_now_ns();
    record_copies(slot, track, VRS_CUDA_OUT, now);
    int64_t began_ns = record_spans(slot, track, VRS_STAGE_POSTPROCESS, now,
                                    between(slot->begin[VRS_CUDA_OUT], slot->end[VRS_CUDA_OUT]));
    if (on_device) {
        batch->end_ns = began_ns;
        batch->begin_ns = began_ns - between(slot->end[VRS_CUDA_IN], slot->ran);
        batch->prepare_ns = between(slot->begin[VRS_CUDA_IN], slot->end[VRS_CUDA_IN]);
        (void)record_spans(slot, track, VRS_STAGE_PREPROCESS, batch->begin_ns, batch->prepare_ns);
        record_copies(slot, track, VRS_CUDA_IN, batch->begin_ns);
        cover_phase(slot, VRS_CUDA_IN, batch->begin_ns);
        cover_network(slot);
    }
    cover_phase(slot, VRS_CUDA_OUT, now);
    vrs_track_record(track, VRS_STAGE_INFER, batch->views[0].ticket->frame.id, batch->begin_ns,
                     batch->end_ns);
}

static void came_in(vrs_cuda_slot *slot, vrs_status status, vrs_track *track)
{
    vrs_batch *batch = slot->batch;
    const vrs_cuda *cuda = slot->lane->cuda;
    fail_slot(slot, status);
    if (batch->status == VRS_OK) {
        int64_t now = vrs_now_ns();
        (void)record_spans(slot, track, VRS_STAGE_PREPROCESS, now,
                           between(slot->begin[VRS_CUDA_IN], slot->end[VRS_CUDA_IN]));
        record_copies(slot, track, VRS_CUDA_IN, now);
        cover_phase(slot, VRS_CUDA_IN, now);
    }
    slot->phase = VRS_CUDA_OUT;
    if (batch->status != VRS_OK) {
        inferred(batch);
        return;
    }
    for (int32_t i = 0; i < batch->count; i++) {
        memcpy(vrs_request_input(batch->request, i),
               slot->tensors_host + (size_t)i * cuda->tensor_stride,
               vrs_batch_io(batch)->input_bytes);
        vrs_load_states(&batch->views[i]);
    }
    vrs_batch_start(batch);
}

static void finish(vrs_ticket *ticket, vrs_status status)
{
    vrs_cuda_ticket *t = ticket->lane;
    if (status != VRS_OK)
        vrs_ticket_fail(ticket, status, vrs_last_error());
    if (ticket->result.status == VRS_OK) {
        ticket->result.coverage = vrs_coverage(ticket, t->sums_host);
        vrs_views_look(ticket, t->masks_host);
    } else if (!vrs_live_left_out(ticket))
        vrs_cuda_fill_background(ticket);
    t->uploaded = t->agreed_upon = t->sent = false;
    vrs_finish_ticket(ticket);
}

static void give_up(vrs_ticket *ticket)
{
    if (!vrs_cuda_take_repeat(ticket))
        finish(ticket, VRS_OK); /* it has its status */
}

static void came_back(const vrs_cuda_slot *rider, vrs_status status, vrs_track *track)
{
    vrs_ticket *ticket = rider->finished[0];
    if (status == VRS_OK && ticket->result.status == VRS_OK)
        (void)record_spans(rider, track, VRS_STAGE_POSTPROCESS, vrs_now_ns(),
                           between(rider->begin[VRS_CUDA_OUT], rider->end[VRS_CUDA_OUT]));
    finish(ticket, status);
}

static void came_out(vrs_cuda_slot *slot, vrs_status status, vrs_track *track)
{
    vrs_batch *batch = slot->batch;
    vrs_pipeline *pipeline = batch->pipeline;
    vrs_ticket *finished[VRS_MAX_BATCH];
    int32_t count = slot->finished_count, views = batch->count;
    memcpy(finished, slot->finished, sizeof(finished));
    if (status == VRS_OK && batch->status == VRS_OK)
        record_batch(slot, track);
    vrs_slot_free(batch);
    for (int32_t i = 0; i < count; i++)
        finish(finished[i], status);
    for (int32_t i = 0; i < views; i++)
        vrs_view_read(pipeline);
}

static void complete_main(void *arg)
{
    vrs_cuda_lane *lane = arg;
    vrs_cuda *cuda = lane->cuda;
    vrs_track *track = vrs_recorder_track(cuda->pipeline->recorder, VRS_TRACK_GPU "lane");
    void *item;
    while (vrs_queue_pop(lane->complete, &item, INT64_MAX) == VRS_OK) {
        vrs_cuda_slot *slot = item;
        if (atomic_load(&cuda->pipeline->stopping))
            continue; /* stop() waits */
        vrs_status status = vrs_cuda_await(cuda->device, slot->end[slot->phase]);
        if (slot->kind == VRS_WORK_TICKET)
            came_back(slot, status, track);
        else if (slot->phase == VRS_CUDA_IN)
            came_in(slot, status, track);
        else
            came_out(slot, status, track);
        if (lane != cuda->lanes || vrs_now_ns() - lane->polled_ns < POLL_NS)
            continue;
        (void)vrs_memory_poll(cuda->memory);
        lane->polled_ns = vrs_now_ns();
    }
}

/* ---- making and ending ---- */

static size_t stride_of(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static void grow(size_t *stride, size_t bytes)
{
    *stride = stride_of(bytes) > *stride ? stride_of(bytes) : *stride;
}

static void measure(vrs_cuda *cuda)
{
    const vrs_pipeline *pipeline = cuda->pipeline;
    const vrs_engine_io *io = pipeline->io, *both[2] = {io, pipeline->smaller.io};
    size_t net = (size_t)pipeline->spec->width * (size_t)pipeline->spec->height;
    for (int i = 0; i < 2 && both[i] != NULL; i++) {
        vrs_cuda_mask *mask = &cuda->mask[i];
        mask->width = both[i]->scores_width * both[i]->enlarge;
        mask->height = both[i]->scores_height * both[i]->enlarge;
        grow(&cuda->tensor_stride, both[i]->input_bytes);
        grow(&cuda->scores_stride, both[i]->scores_elements * sizeof(float));
        grow(&cuda->small_stride, (size_t)mask->width * (size_t)mask->height * sizeof(int16_t));
    }
    size_t pixels = (size_t)cuda->mask[0].width * (size_t)cuda->mask[0].height;
    cuda->large_stride = stride_of(pixels * (size_t)io->classes * sizeof(float));
    cuda->once_stride = stride_of(net * 2 * sizeof(float));
    const int32_t width = pipeline->spec->width, height = pipeline->spec->height;
    cuda->coarse_stride = stride_of((size_t)vrs_coarse_cells(width) *
                                    (size_t)vrs_coarse_cells(height) * sizeof(vrs_motion));
    cuda->motion_stride =
        stride_of((size_t)vrs_cells(width) * (size_t)vrs_cells(height) * sizeof(vrs_motion));
}

static vrs_status make_lane(vrs_cuda *cuda, vrs_cuda_lane *lane)
{
    const vrs_pipeline_settings *set = &cuda->pipeline->settings;
    uint32_t slots = (uint32_t)set->requests;
    if (set->live) /* riders too */
        slots += (uint32_t)set->tickets * VRS_MAX_STREAMS;
    lane->cuda = cuda;
    lane->polled_ns = vrs_now_ns();
    vrs_status status = vrs_device_stream_create(cuda->device, VRS_PRIORITY_NORMAL, &lane->stream);
    if (status == VRS_OK)
        status = vrs_queue_create(slots, &lane->submit);
    if (status == VRS_OK)
        status = vrs_queue_create(slots, &lane->complete);
    return status;
}

static vrs_status make_parts(vrs_cuda *cuda)
{
    const vrs_pipeline *pipeline = cuda->pipeline;
    const vrs_pipeline_settings *set = &pipeline->settings;
    vrs_status status = vrs_cuda_preprocess_open(cuda->device, &cuda->preprocess);
    if (status == VRS_OK)
        status = vrs_cuda_postprocess_open(cuda->device, &cuda->postprocess);
    if (status == VRS_OK)
        status = vrs_cuda_warp_open(cuda->device, &cuda->warp);
    if (status == VRS_OK)
        status = vrs_cuda_steady_open(cuda->device, &cuda->steady);
    if (status == VRS_OK)
        status = vrs_cuda_packing_open(cuda->device, &cuda->packing);
    if (status == VRS_OK)
        status = vrs_device_stream_create(cuda->device, VRS_PRIORITY_NORMAL, &cuda->setup);
    if (status == VRS_OK)
        status = vrs_device_event_create(cuda->device, false, &cuda->setup_done);
    for (int32_t i = 0; i < set->lanes && status == VRS_OK; i++)
        status = make_lane(cuda, &cuda->lanes[i]);
    if (status != VRS_OK)
        return status;
    cuda->slots = vrs_alloc_array((size_t)set->requests, sizeof(vrs_cuda_slot));
    if (cuda->slots == NULL)
        return VRS_NO_MEMORY;
    for (int32_t i = 0; i < set->requests && status == VRS_OK; i++) {
        cuda->slots[i].kind = VRS_WORK_SLOT;
        cuda->slots[i].batch = &pipeline->slots[i];
        cuda->slots[i].lane = &cuda->lanes[i % set->lanes];
        status = vrs_cuda_make_slot(cuda, &cuda->slots[i]);
    }
    return status;
}

static vrs_status create(vrs_pipeline *pipeline)
{
    vrs_cuda *cuda = vrs_alloc(sizeof(*cuda));
    if (cuda == NULL)
        return VRS_NO_MEMORY;
    pipeline->lane = cuda;
    cuda->pipeline = pipeline;
    cuda->device = pipeline->place.device;
    cuda->memory = pipeline->place.memory;
    measure(cuda);
    vrs_status status = vrs_mutex_init(&cuda->repeat_lock);
    if (status != VRS_OK)
        return status;
    cuda->has_repeat_lock = true;
    vrs_memory_on_pressure(cuda->memory, vrs_cuda_pressure, cuda);
    return make_parts(cuda);
}

static vrs_status start(vrs_pipeline *pipeline)
{
    vrs_cuda *cuda = vrs_cuda_of(pipeline);
    vrs_status status = VRS_OK;
    cuda->repeats = vrs_cuda_may_repeat(pipeline);
    cuda->ordered = cuda->repeats || pipeline->settings.smooth;
    for (int32_t i = 0; i < pipeline->settings.requests && status == VRS_OK; i++)
        status = vrs_cuda_make_large(cuda, &cuda->slots[i]);
    for (int32_t i = 0; i < pipeline->settings.lanes && status == VRS_OK; i++) {
        vrs_cuda_lane *lane = &cuda->lanes[i];
        status = vrs_thread_start(&lane->submitter, "vrs-pre-lane", submit_main, lane);
        if (status == VRS_OK)
            status = vrs_thread_start(&lane->completer, "vrs-post-lane", complete_main, lane);
    }
    return status;
}

static void stop(vrs_pipeline *pipeline)
{
    vrs_cuda *cuda = vrs_cuda_of(pipeline);
    if (cuda == NULL)
        return;
    vrs_memory_on_pressure(cuda->memory, NULL, NULL);
    for (int32_t i = 0; i < VRS_MAX_LANES; i++) {
        vrs_cuda_lane *lane = &cuda->lanes[i];
        if (lane->submit != NULL)
            vrs_queue_close(lane->submit);
        vrs_thread_join(&lane->submitter);
        if (lane->complete != NULL)
            vrs_queue_close(lane->complete);
        vrs_thread_join(&lane->completer);
    }
    for (int32_t i = 0; i < pipeline->settings.requests && cuda->slots != NULL; i++) {
        const vrs_cuda_slot *slot = &cuda->slots[i];
        vrs_device_event *const last[] = {slot->end[VRS_CUDA_IN], slot->ran,
                                          slot->end[VRS_CUDA_OUT]};
        for (size_t e = 0; e < sizeof(last) / sizeof(last[0]); e++)
            if (last[e] != NULL) {
                vrs_status status = vrs_cuda_await(cuda->device, last[e]);
                (void)status; /* of a lost device nothing is under way */
            }
    }
}

static void destroy(vrs_pipeline *pipeline)
{
    vrs_cuda *cuda = vrs_cuda_of(pipeline);
    if (cuda == NULL)
        return;
    for (int32_t i = 0; i < pipeline->settings.requests && cuda->slots != NULL; i++)
        vrs_cuda_free_slot(cuda, &cuda->slots[i]);
    vrs_free(cuda->slots);
    for (int32_t i = 0; i < VRS_MAX_LANES; i++) {
        vrs_device_stream_destroy(cuda->lanes[i].stream);
        vrs_queue_destroy(cuda->lanes[i].submit);
        vrs_queue_destroy(cuda->lanes[i].complete);
    }
    vrs_device_event_destroy(cuda->setup_done);
    vrs_device_stream_destroy(cuda->setup);
    if (cuda->has_repeat_lock)
        vrs_mutex_destroy(&cuda->repeat_lock);
    vrs_free(cuda);
    pipeline->lane = NULL;
}

static vrs_status check(const vrs_pipeline *pipeline, const vrs_image *image)
{
    if (image->memory == VRS_MEMORY_HOST)
        return vrs_image_check(image);
    return vrs_image_check_in(image, VRS_MEMORY_CUDA,
                              vrs_device_get_properties(vrs_cuda_of(pipeline)->device)->number);
}

const vrs_lane_ops vrs_lanes_cuda = {
    .name = "cuda",
    .fewer_tickets = true,
    .has_room = vrs_cuda_has_room,
    .create = create,
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .dispatch = dispatch,
    .give_up = give_up,
    .repeats = true,
    .inferred = inferred,
    .check = check,
    .make_stream = vrs_cuda_make_stream,
    .free_stream = vrs_cuda_free_stream,
    .make_ticket = vrs_cuda_make_ticket,
    .free_ticket = vrs_cuda_free_ticket,
};
