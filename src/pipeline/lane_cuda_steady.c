/* Smoothing along the motion, and both eyes brought together, on a GPU: what steady.c does on the
 * CPU, for the views of a batch at once. Frames of one view in a batch follow each other, so they
 * are matched in one launch and followed in as many as the longest such chain has frames. */
#include <string.h>

#include "pipeline/lane_cuda.h"

static vrs_steady_params params_of(const vrs_pipeline *pipeline)
{
    return (vrs_steady_params){
        .width = pipeline->spec->width,
        .height = pipeline->spec->height,
        .unlike = VRS_FOLLOW_UNLIKE,
        .disbelief = VRS_FOLLOW_DISBELIEF,
    };
}

/* A view of a ticket without a past, and the slot's memory at a place for the match. */
static vrs_steady_view view_of(const vrs_cuda_slot *slot, const vrs_ticket *ticket, uint32_t view,
                               uint64_t place)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_cuda_ticket *t = ticket->lane;
    const vrs_rect c = vrs_preprocess_content(ticket->stream->plans[view]);
    return (vrs_steady_view){
        .picture = t->kept[view].guide,
        .small = t->kept[view].small,
        .coarse = slot->coarse + place * cuda->coarse_stride,
        .motion = slot->motion + place * cuda->motion_stride,
        .unlike = slot->unlike + place * sizeof(uint64_t),
        .mask = t->kept[view].mask,
        .result = t->kept[view].mask,
        .sum = t->sums + view * sizeof(uint64_t),
        .x = c.x,
        .y = c.y,
        .width = c.width,
        .height = c.height,
    };
}

static void set_past(vrs_steady_view *view, const vrs_cuda_past *past)
{
    view->past_picture = past->guide;
    view->past_small = past->small;
    view->past = past->mask;
    view->past_age = past->age;
}

bool vrs_cuda_agrees(const vrs_ticket *ticket, uint32_t view)
{
    return ticket->pipeline->settings.match_eyes && ticket->stream->eye_count == 2 && view < 2;
}

/* The views of a batch and how they follow from each other. */
typedef struct chains {
    vrs_steady_params params;
    int32_t depth[VRS_MAX_BATCH]; /* frames of the batch that come before it */
    bool last[VRS_MAX_BATCH];
    int32_t longest;
} chains;

static int32_t find_before(const vrs_cuda_slot *slot, const int32_t *live, int32_t i)
{
    const vrs_view_work *work = &slot->batch->views[live[i]];
    int32_t before = i - 1;
    for (; before >= 0; before--) {
        const vrs_view_work *other = &slot->batch->views[live[before]];
        if (other->ticket->stream == work->ticket->stream && other->view == work->view)
            break;
    }
    return before;
}

static void find_chains(const vrs_cuda_slot *slot, const int32_t *live, int32_t count, chains *c)
{
    for (int32_t i = 0; i < count; i++) {
        const vrs_view_work *work = &slot->batch->views[live[i]];
        const vrs_cuda_stream *s = work->ticket->stream->lane;
        const vrs_cuda_ticket *t = work->ticket->lane;
        vrs_steady_view *view = &c->params.view[i];
        *view = view_of(slot, work->ticket, work->view, (uint64_t)i);
        view->age = t->kept[work->view].age;
        if (vrs_cuda_agrees(work->ticket, work->view))
            view->sum = 0; /* of what the eyes agree on */
        int32_t before = find_before(slot, live, i);
        c->last[i] = true;
        c->depth[i] = before >= 0 ? c->depth[before] + 1 : 0;
        c->longest = c->depth[i] > c->longest ? c->depth[i] : c->longest;
        if (before >= 0)
            c->last[before] = false;
        /* A crop that is not where it was has no past. */
        const uint8_t tile = work->ticket->tile[work->view];
        const uint8_t was = before >= 0 ? slot->batch->views[live[before]].ticket->tile[work->view]
                                        : s->state_tile[work->view];
        if (work->ticket->restart || tile != was)
            continue;
        if (before >= 0) {
            const vrs_view_work *other = &slot->batch->views[live[before]];
            set_past(view, &((const vrs_cuda_ticket *)other->ticket->lane)->kept[other->view]);
        } else if (s->state_valid[work->view]) {
            set_past(view, &s->past[work->view]);
        }
    }
}

/* Those views of a batch that have so many frames before them. */
static vrs_status follow(const vrs_cuda_slot *slot, const chains *c, int32_t count, int32_t depth)
{
    vrs_steady_params p = c->params;
    int32_t views = 0;
    for (int32_t i = 0; i < count; i++)
        if (c->depth[i] == depth)
            p.view[views++] = c->params.view[i];
    return vrs_cuda_steady_follow(&slot->lane->cuda->steady, slot->lane->stream, &p, views);
}

static vrs_status forget_unlike(const vrs_cuda_slot *slot, int32_t count)
{
    return vrs_device_fill(slot->lane->stream, slot->unlike, 0, (size_t)count * sizeof(uint64_t));
}

vrs_status vrs_cuda_queue_steady(const vrs_cuda_slot *slot, const int32_t *live, int32_t count)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    vrs_device_stream *stream = slot->lane->stream;
    chains c = {.params = params_of(cuda->pipeline)};
    vrs_follow_shares(cuda->pipeline->settings.smooth_weight, c.params.share);
    find_chains(slot, live, count, &c);
    vrs_status status = forget_unlike(slot, count);
    if (status == VRS_OK)
        status = vrs_cuda_steady_halve(&cuda->steady, stream, &c.params, count);
    if (status == VRS_OK)
        status = vrs_cuda_steady_match(&cuda->steady, stream, &c.params, count);
    for (int32_t depth = 0; depth <= c.longest && status == VRS_OK; depth++)
        status = follow(slot, &c, count, depth);
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        const vrs_view_work *work = &slot->batch->views[live[i]];
        const vrs_cuda_stream *s = work->ticket->stream->lane;
        const vrs_cuda_past *kept = &((vrs_cuda_ticket *)work->ticket->lane)->kept[work->view];
        if (c.last[i])
            status = vrs_device_copy(stream, s->past[work->view].guide, kept->guide, kept->bytes);
    }
    return status;
}

/* An eye whose frame the smaller network saw has no picture: its mask stays as it is. */
static vrs_status copy_unseen(const vrs_cuda_slot *slot, const vrs_ticket *ticket, uint32_t eye)
{
    const vrs_cuda_ticket *t = ticket->lane;
    const vrs_model_spec *spec = ticket->pipeline->spec;
    return vrs_device_copy(slot->lane->stream, t->agreed[eye], t->masks[eye],
                           (size_t)spec->width * (size_t)spec->height * sizeof(int16_t));
}

vrs_status vrs_cuda_queue_agreement(const vrs_cuda_slot *slot, const vrs_ticket *ticket)
{
    const vrs_cuda *cuda = slot->lane->cuda;
    const vrs_cuda_ticket *t = ticket->lane;
    vrs_steady_params p = params_of(cuda->pipeline);
    vrs_status status = VRS_OK;
    int32_t count = 0;
    p.disbelief = 0;
    vrs_follow_halves(p.share);
    for (uint32_t eye = 0; eye < 2 && status == VRS_OK; eye++) {
        if (!t->seen[eye]) {
            status = copy_unseen(slot, ticket, eye);
            continue;
        }
        vrs_steady_view *view = &p.view[count];
        *view = view_of(slot, ticket, eye, (uint64_t)count);
        view->result = t->agreed[eye];
        if (t->seen[1 - eye])
            set_past(view, &t->kept[1 - eye]);
        view->past_age = 0;
        count++;
    }
    if (status != VRS_OK || count == 0)
        return status;
    status = forget_unlike(slot, count);
    if (status == VRS_OK)
        status = vrs_cuda_steady_match(&cuda->steady, slot->lane->stream, &p, count);
    if (status == VRS_OK)
        status = vrs_cuda_steady_follow(&cuda->steady, slot->lane->stream, &p, count);
    return status;
}
