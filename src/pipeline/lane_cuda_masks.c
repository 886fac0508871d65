/* Masks of a batch on a GPU: the scores of an engine of the CPU up, masks with smoothing,
 * coefficients of the refinement, class maps. */
#include <string.h>

#include "pipeline/lane_cuda.h"

/* Whether masks of a batch are smoothed along the motion, after they are made. */
static bool is_steady(const vrs_cuda_slot *slot)
{
    return slot->lane->cuda->pipeline->settings.steady && vrs_cuda_network_of(slot) == 0;
}

static vrs_post_smooth plain(const vrs_cuda_slot *slot, const vrs_view_work *work)
{
    if (is_steady(slot))
        return (vrs_post_smooth){.next = -1};
    const vrs_cuda_ticket *t = work->ticket->lane;
    vrs_rect c = vrs_preprocess_content(work->ticket->stream->plans[work->view]);
    return (vrs_post_smooth){
        .sum = t->sums + work->view * sizeof(uint64_t),
        .x = c.x,
        .y = c.y,
        .width = c.width,
        .height = c.height,
        .next = -1,
    };
}

/* Joins the frames of a view into a chain that goes on where the last batch ended. */
static void link_states(const vrs_cuda_slot *slot, const int32_t *live, int32_t count,
                        vrs_post_smooth *smooth[VRS_MAX_BATCH])
{
    for (int32_t i = 0; i < count; i++) {
        const vrs_view_work *work = &slot->batch->views[live[i]];
        const vrs_cuda_stream *s = work->ticket->stream->lane;
        int32_t before = i - 1;
        for (; before >= 0; before--) {
            const vrs_view_work *other = &slot->batch->views[live[before]];
            if (other->ticket->stream == work->ticket->stream && other->view == work->view)
                break;
        }
        /* A crop that is not where it was has no past. */
        const uint8_t tile = work->ticket->tile[work->view];
        const uint8_t last = before >= 0 ? slot->batch->views[live[before]].ticket->tile[work->view]
                                         : s->state_tile[work->view];
        bool restart = work->ticket->restart || tile != last;
        smooth[i]->restart = restart ? 1 : 0;
        smooth[i]->state_out = s->states[work->view];
        if (before >= 0)
            smooth[before]->next = i;
        else if (!restart && s->state_valid[work->view])
            smooth[i]->state_in = s->states[work->view];
    }
}

/* The states of a batch's streams: ready for this lane, or after what it has queued. */
static vrs_status order_states(const vrs_cuda_slot *slot, bool after)
{
    const vrs_batch *batch = slot->batch;
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < batch->count && status == VRS_OK; i++) {
        const vrs_stream *stream = batch->views[i].ticket->stream;
        vrs_cuda_stream *s = stream->lane;
        bool seen = false;
        for (int32_t j = 0; j < i; j++)
            seen = seen || batch->views[j].ticket->stream == stream;
        if (!seen && after)
            status = vrs_cuda_record(s->state_ready, slot->lane->stream);
        else if (!seen)
            status = vrs_cuda_wait(slot->lane->stream, s->state_ready);
    }
    return status;
}

/* Scores to masks: as they are, or enlarged on the way. */
static vrs_status queue_first_masks(const vrs_cuda_slot *slot, vrs_person_params *p, int32_t count)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_engine_io *io = vrs_batch_io(slot->batch);
    if (io->enlarge == 1)
        return vrs_cuda_person(&cuda->postprocess, slot->lane->stream, p, count);
    vrs_person_enlarge_params large = {
        .person = *p, .source_width = io->scores_width, .source_height = io->scores_height};
    return vrs_cuda_person_enlarge(&cuda->postprocess, slot->lane->stream, &large, count);
}

/* Masks `from` of the scores' size to the network's. */
static vrs_status queue_resize(const vrs_cuda_slot *slot, const vrs_person_params *from,
                               const int32_t *live, int32_t count, bool smooth)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_pipeline *pipeline = cuda->pipeline;
    const vrs_cuda_mask *mask = &cuda->mask[vrs_cuda_network_of(slot)];
    vrs_post_smooth *chain[VRS_MAX_BATCH];
    vrs_mask_resize_params r = {
        .source_stride = mask->width,
        .source_width = mask->width,
        .source_height = mask->height,
        .width = pipeline->spec->width,
        .height = pipeline->spec->height,
        .weight = pipeline->settings.smooth_weight,
    };
    for (int32_t i = 0; i < count; i++) {
        const vrs_view_work *work = &slot->batch->views[live[i]];
        r.view[i].source = from->view[i].mask;
        r.view[i].mask = ((const vrs_cuda_ticket *)work->ticket->lane)->masks[work->view];
        r.view[i].smooth = plain(slot, work);
        chain[i] = &r.view[i].smooth;
    }
    if (smooth)
        link_states(slot, live, count, chain);
    return vrs_cuda_mask_resize(&cuda->postprocess, slot->lane->stream, &r, count);
}

static vrs_status queue_person(vrs_cuda_slot *slot, const int32_t *live, int32_t count, bool smooth)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_pipeline *pipeline = cuda->pipeline;
    const vrs_engine_io *io = vrs_batch_io(slot->batch);
    int network = vrs_cuda_network_of(slot);
    const vrs_cuda_mask *mask = &cuda->mask[network];
    const vrs_model_spec *spec = network == 0 ? pipeline->spec : pipeline->smaller.spec;
    vrs_person_params p = {
        .class_stride = io->class_stride,
        .row_stride = io->row_stride,
        .column_stride = io->column_stride,
        .classes = io->classes,
        .width = mask->width,
        .height = mask->height,
        .person_classes = spec->person_classes,
        .activation = (int32_t)spec->activation,
        .half = io->scores_type == VRS_TENSOR_F16 ? 1 : 0,
        .weight = pipeline->settings.smooth_weight,
    };
    bool resize = mask->width != pipeline->spec->width || mask->height != pipeline->spec->height;
    vrs_post_smooth *chain[VRS_MAX_BATCH];
    for (int32_t i = 0; i < count; i++) {
        const vrs_view_work *work = &slot->batch->views[live[i]];
        const vrs_cuda_ticket *t = work->ticket->lane;
        uint64_t place = (uint64_t)live[i];
        p.view[i].scores = slot->scores[network][place];
        p.view[i].mask = resize ? slot->small + place * cuda->small_stride : t->masks[work->view];
        p.view[i].smooth = plain(slot, work);
        if (resize)
            p.view[i].smooth = (vrs_post_smooth){.next = -1};
        chain[i] = &p.view[i].smooth;
    }
    if (smooth && !resize)
        link_states(slot, live, count, chain);
    vrs_status status = queue_first_masks(slot, &p, count);
    return status == VRS_OK && resize ? queue_resize(slot, &p, live, count, smooth) : status;
}

/* Masks of the live views. The past of a stream ends with a restart, also where that frame failed,
 * as on the CPU. */
static vrs_status queue_masks(vrs_cuda_slot *slot, const int32_t *live, int32_t count)
{
    const vrs_batch *batch = slot->batch;
    const vrs_pipeline_settings *set = &slot->lane->cuda->pipeline->settings;
    bool smooth = set->smooth, follows = is_steady(slot);
    vrs_status status = smooth ? order_states(slot, false) : VRS_OK;
    if (status == VRS_OK && count > 0)
        status = queue_person(slot, live, count, smooth && !set->steady);
    if (status == VRS_OK && count > 0 && follows)
        status = vrs_cuda_queue_steady(slot, live, count);
    for (int32_t i = 0; i < batch->count && smooth; i++) {
        vrs_cuda_stream *s = batch->views[i].ticket->stream->lane;
        bool alive = false;
        for (int32_t j = 0; j < count; j++)
            alive = alive || live[j] == i;
        if (alive)
            ((vrs_cuda_ticket *)batch->views[i].ticket->lane)->seen[batch->views[i].view] = follows;
        if (alive && status == VRS_OK) {
            /* A smaller network's frames have no picture to follow. */
            s->state_valid[batch->views[i].view] = follows || !set->steady;
            s->state_tile[batch->views[i].view] =
                batch->views[i].ticket->tile[batch->views[i].view];
        } else if (batch->views[i].ticket->restart)
            s->state_valid[batch->views[i].view] = false;
    }
    if (status == VRS_OK && smooth)
        status = order_states(slot, true);
    return status;
}

bool vrs_cuda_is_wanted(const vrs_pipeline *pipeline, const vrs_stream *stream, int32_t target)
{
    for (uint32_t i = 0; i < pipeline->output_count; i++)
        if (stream->output_target[i] == target && stream->outputs[i].kind != VRS_OUTPUT_CLASSES)
            return true;
    return false;
}

static bool is_refined(const vrs_ticket *ticket)
{
    return ticket->stream->refine && !ticket->plain &&
           vrs_cuda_is_wanted(ticket->pipeline, ticket->stream, 0);
}

static vrs_guided_params guided_params(const vrs_pipeline *pipeline)
{
    return (vrs_guided_params){
        .width = pipeline->spec->width,
        .height = pipeline->spec->height,
        .radius = pipeline->settings.refine_radius,
        .epsilon = pipeline->settings.refine_epsilon,
    };
}

static vrs_status queue_guided(vrs_cuda_slot *slot, const int32_t *live, int32_t count)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_pipeline *pipeline = cuda->pipeline;
    vrs_guided_params p = guided_params(pipeline);
    int32_t wanted = 0;
    for (int32_t i = 0; i < count; i++) {
        const vrs_view_work *work = &slot->batch->views[live[i]];
        const vrs_cuda_ticket *t = work->ticket->lane;
        if (!is_refined(work->ticket) || vrs_cuda_agrees(work->ticket, work->view))
            continue;
        p.view[wanted++] = (vrs_guided_view){
            .mask = t->masks[work->view],
            .guide = t->guides[work->view],
            .once = slot->once == 0 ? 0 : slot->once + (uint64_t)live[i] * cuda->once_stride,
            .coefficients = t->coefficients[work->view],
        };
    }
    return wanted == 0 ? VRS_OK
                       : vrs_cuda_guided(&cuda->postprocess, slot->lane->stream, &p, wanted);
}

/* Brings the eyes of a ticket together; their coefficients are made of that. One eye after the
 * other, as a slot may have scratch memory for one alone. */
static vrs_status queue_eyes(const vrs_cuda_slot *slot, const vrs_ticket *ticket)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_cuda_ticket *t = ticket->lane;
    vrs_status status = vrs_cuda_queue_agreement(slot, ticket);
    for (uint32_t eye = 0; eye < 2 && status == VRS_OK && is_refined(ticket); eye++) {
        vrs_guided_params p = guided_params(cuda->pipeline);
        p.view[0] = (vrs_guided_view){
            .mask = t->agreed[eye],
            .guide = t->guides[eye],
            .once = slot->once,
            .coefficients = t->coefficients[eye],
        };
        status = vrs_cuda_guided(&cuda->postprocess, slot->lane->stream, &p, 1);
    }
    return status;
}

/* Scores as class maps read them: the engine's, or those that were enlarged. */
typedef struct class_scores {
    vrs_device_ptr first[VRS_MAX_BATCH]; /* by place */
    int64_t class_stride, row_stride, column_stride;
    int32_t width, height;
    bool half;
} class_scores;

static class_scores scores_for_classes(const vrs_cuda_slot *slot)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_engine_io *io = cuda->pipeline->io;
    class_scores s = {.class_stride = io->class_stride,
                      .row_stride = io->row_stride,
                      .column_stride = io->column_stride,
                      .width = cuda->mask[0].width,
                      .height = cuda->mask[0].height,
                      .half = io->scores_type == VRS_TENSOR_F16};
    memcpy(s.first, slot->scores[0], sizeof(s.first));
    if (slot->large == NULL)
        return s;
    s.class_stride = (int64_t)s.width * s.height;
    s.row_stride = s.width;
    s.column_stride = 1;
    s.half = false;
    for (int32_t i = 0; i < slot->batch->count; i++) {
        const vrs_view_work *work = &slot->batch->views[i];
        const vrs_cuda_ticket *t = work->ticket->lane;
        s.first[i] = vrs_views_keep_scores(work->ticket->stream)
                         ? t->scores[work->view]
                         : slot->large->address + (size_t)i * cuda->large_stride;
    }
    return s;
}

static vrs_status enlarge_scores(const vrs_cuda_slot *slot, const class_scores *to,
                                 const int32_t *live, int32_t count)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_engine_io *io = cuda->pipeline->io;
    if (slot->large == NULL || count == 0)
        return VRS_OK;
    vrs_enlarge_params p = {.class_stride = io->class_stride,
                            .row_stride = io->row_stride,
                            .column_stride = io->column_stride,
                            .classes = io->classes,
                            .source_width = io->scores_width,
                            .source_height = io->scores_height,
                            .width = to->width,
                            .height = to->height,
                            .half = io->scores_type == VRS_TENSOR_F16 ? 1 : 0};
    for (int32_t i = 0; i < count; i++)
        p.view[i] = (vrs_enlarge_view){slot->scores[0][live[i]], to->first[live[i]]};
    return vrs_cuda_enlarge(&cuda->postprocess, slot->lane->stream, &p, count);
}

static vrs_classes_view classes_view(const vrs_cuda_slot *slot, const class_scores *scores,
                                     int32_t place, uint32_t output)
{
    const vrs_pipeline *pipeline = slot->lane->cuda->pipeline;
    const vrs_view_work *work = &slot->batch->views[place];
    const vrs_stream *stream = work->ticket->stream;
    const vrs_image *out = &((const vrs_cuda_ticket *)work->ticket->lane)->outputs[output];
    vrs_rect from =
        vrs_content_in(stream->plans[work->view], pipeline->spec, scores->width, scores->height);
    vrs_rect to = stream->targets[stream->output_target[output]].rects[work->view];
    int64_t origin = from.y * scores->row_stride + from.x * scores->column_stride;
    return (vrs_classes_view){
        .scores = scores->first[place] + (uint64_t)origin * (scores->half ? 2 : sizeof(float)),
        .dst = (uint64_t)(uintptr_t)out->planes[0] +
               (uint64_t)(to.y * (int64_t)out->strides[0] + to.x),
        .class_stride = scores->class_stride,
        .row_stride = scores->row_stride,
        .column_stride = scores->column_stride,
        .region_width = from.width,
        .region_height = from.height,
        .width = to.width,
        .height = to.height,
        .dst_stride = (int32_t)out->strides[0],
    };
}

static vrs_status queue_classes(vrs_cuda_slot *slot, const int32_t *live, int32_t count)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_pipeline *pipeline = cuda->pipeline;
    const class_scores scores = scores_for_classes(slot);
    vrs_status status = enlarge_scores(slot, &scores, live, count);
    for (uint32_t o = 0; o < pipeline->output_count && status == VRS_OK; o++) {
        if (pipeline->outputs[o].kind != VRS_OUTPUT_CLASSES)
            continue;
        vrs_classes_params p = {.classes = pipeline->io->classes, .half = scores.half ? 1 : 0};
        int32_t views = 0;
        for (int32_t i = 0; i < count; i++) {
            vrs_classes_view view = classes_view(slot, &scores, live[i], o);
            if (view.width > 0 && view.height > 0)
                p.view[views++] = view;
        }
        if (views > 0)
            status = vrs_cuda_classes(&cuda->postprocess, slot->lane->stream, &p, views);
    }
    return status;
}

/* Scores of an engine of the CPU. */
static vrs_status bring_scores(vrs_cuda_slot *slot, const int32_t *live, int32_t count)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_batch *batch = slot->batch;
    size_t bytes = vrs_batch_io(batch)->scores_elements * sizeof(float);
    for (int32_t i = 0; i < count; i++)
        memcpy(slot->scores_host + (size_t)live[i] * cuda->scores_stride,
               vrs_request_scores(batch->request, live[i]), bytes);
    return vrs_device_upload(slot->lane->stream, slot->scores[0][0], slot->scores_host,
                             (size_t)batch->count * cuda->scores_stride);
}

vrs_status vrs_cuda_queue_scores(vrs_cuda_slot *slot, const int32_t *live, int32_t count)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_batch *batch = slot->batch;
    vrs_status status = VRS_OK;
    if (count > 0 && !cuda->pipeline->io->on_device)
        status = bring_scores(slot, live, count);
    if (status == VRS_OK)
        status = queue_masks(slot, live, count);
    if (status == VRS_OK && cuda->pipeline->settings.refine)
        status = queue_guided(slot, live, count);
    if (status == VRS_OK)
        status = queue_classes(slot, live, count);
    for (int32_t i = 0; i < batch->count && status == VRS_OK; i++) {
        vrs_cuda_ticket *t = batch->views[i].ticket->lane;
        if (batch->views[i].ticket->stream->view_count > 1)
            status = vrs_cuda_record(t->mask_ready[batch->views[i].view], slot->lane->stream);
    }
    return status;
}

vrs_status vrs_cuda_complete_masks(const vrs_cuda_slot *slot, vrs_ticket *ticket)
{
    const vrs_stream *stream = ticket->stream;
    vrs_cuda_ticket *t = ticket->lane;
    vrs_status status = VRS_OK;
    if (ticket->result.repeated || t->agreed_upon)
        return VRS_OK;
    for (uint32_t v = 0; v < stream->view_count && stream->view_count > 1; v++)
        if (status == VRS_OK)
            status = vrs_cuda_wait(slot->lane->stream, t->mask_ready[v]);
    if (status == VRS_OK && vrs_cuda_agrees(ticket, 0))
        status = queue_eyes(slot, ticket);
    t->agreed_upon = status == VRS_OK;
    return status;
}
