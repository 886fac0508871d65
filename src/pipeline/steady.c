#include "pipeline/steady.h"

#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "pipeline/internal.h"

/* A view's last frame and the one that is being made. */
typedef struct past_view {
    vrs_pyramid pyramid[2];
    void *storage[2];
    int16_t *mask[2];
    uint8_t *age[2];
    int last;   /* index of the last frame */
    bool valid; /* there is one */
    bool seen;  /* and its picture; a smaller network's frames have none */
} past_view;

struct vrs_steady {
    past_view views[VRS_MAX_VIEWS];
    vrs_motion *coarse, *motion;
    void *scratch;
    uint8_t share[VRS_AGE_MOST + 1], halves[VRS_AGE_MOST + 1];
    int32_t width, height;
    size_t pixels;
};

static bool take(void **block, size_t bytes)
{
    *block = vrs_alloc_aligned(bytes);
    return *block != NULL;
}

static bool make_view(const vrs_steady *s, past_view *view)
{
    bool made = true;
    for (int i = 0; i < 2 && made; i++) {
        void *mask = NULL, *age = NULL;
        made = take(&view->storage[i], vrs_pyramid_storage(s->width, s->height)) &&
               take(&mask, s->pixels * sizeof(int16_t)) && take(&age, s->pixels);
        view->mask[i] = mask;
        view->age[i] = age;
        if (made)
            vrs_pyramid_init(&view->pyramid[i], s->width, s->height, view->storage[i]);
    }
    return made;
}

vrs_status vrs_steady_create(const vrs_stream *stream, vrs_steady **steady)
{
    const vrs_pipeline *pipeline = stream->pipeline;
    vrs_steady *s = vrs_alloc(sizeof(*s));
    if (s == NULL)
        return VRS_NO_MEMORY;
    s->width = pipeline->spec->width;
    s->height = pipeline->spec->height;
    s->pixels = (size_t)s->width * (size_t)s->height;
    size_t coarse_cells = (size_t)vrs_coarse_cells(s->width) * (size_t)vrs_coarse_cells(s->height);
    size_t cells = (size_t)vrs_cells(s->width) * (size_t)vrs_cells(s->height);
    void *coarse = NULL, *motion = NULL;
    bool made = take(&coarse, coarse_cells * sizeof(vrs_motion)) &&
                take(&motion, cells * sizeof(vrs_motion)) &&
                take(&s->scratch, vrs_follow_scratch(s->width));
    s->coarse = coarse;
    s->motion = motion;
    for (uint32_t v = 0; v < stream->view_count && made; v++)
        made = make_view(s, &s->views[v]);
    if (!made) {
        vrs_steady_destroy(s);
        return VRS_NO_MEMORY;
    }
    vrs_follow_shares(pipeline->settings.smooth_weight, s->share);
    vrs_follow_halves(s->halves);
    *steady = s;
    return VRS_OK;
}

void vrs_steady_destroy(vrs_steady *steady)
{
    if (steady == NULL)
        return;
    for (int v = 0; v < VRS_MAX_VIEWS; v++) {
        for (int i = 0; i < 2; i++) {
            vrs_free(steady->views[v].storage[i]);
            vrs_free(steady->views[v].mask[i]);
            vrs_free(steady->views[v].age[i]);
        }
    }
    vrs_free(steady->coarse);
    vrs_free(steady->motion);
    vrs_free(steady->scratch);
    vrs_free(steady);
}

/* Fills `motion`; false where the pictures show something else. */
static bool match(const vrs_steady *s, const vrs_kernels *kernels, const vrs_pyramid *now,
                  const vrs_pyramid *before)
{
    uint64_t unlike = 0;
    vrs_match m = {now, before, s->coarse, s->motion, &unlike};
    kernels->match(&m);
    return unlike < vrs_match_cut(s->width, s->height);
}

/* The mask of a view along the motion; at its first frame and after a cut as it is. */
static void follow_past(vrs_steady *s, const vrs_ticket *ticket, uint32_t v)
{
    const vrs_kernels *kernels = ticket->pipeline->kernels;
    past_view *view = &s->views[v];
    int now = 1 - view->last;
    bool seen = !ticket->smaller;
    if (seen)
        kernels->pyramid(&view->pyramid[now], ticket->guide[v], s->width);
    if (seen && view->valid && view->seen &&
        match(s, kernels, &view->pyramid[now], &view->pyramid[view->last])) {
        vrs_follow f = {
            .now = &view->pyramid[now],
            .before = &view->pyramid[view->last],
            .motion = s->motion,
            .mask = ticket->mask[v],
            .past = view->mask[view->last],
            .past_age = view->age[view->last],
            .result = view->mask[now],
            .age = view->age[now],
            .share = s->share,
            .unlike = VRS_FOLLOW_UNLIKE,
            .disbelief = VRS_FOLLOW_DISBELIEF,
        };
        kernels->follow(&f, s->scratch);
    } else {
        memcpy(view->mask[now], ticket->mask[v], s->pixels * sizeof(int16_t));
        memset(view->age[now], 1, s->pixels);
    }
    view->last = now;
    view->valid = true;
    view->seen = seen;
}

/* The mask of an eye, where the other one sees the same halfway to that one's. */
static void agree(const vrs_steady *s, const vrs_ticket *ticket, uint32_t eye)
{
    const vrs_kernels *kernels = ticket->pipeline->kernels;
    const past_view *own = &s->views[eye], *other = &s->views[1 - eye];
    vrs_follow f = {
        .now = &own->pyramid[own->last],
        .before = &other->pyramid[other->last],
        .motion = s->motion,
        .mask = own->mask[own->last],
        .past = other->mask[other->last],
        .result = ticket->mask[eye],
        .share = s->halves,
        .unlike = VRS_FOLLOW_UNLIKE,
    };
    if (own->seen && other->seen && match(s, kernels, f.now, f.before))
        kernels->follow(&f, s->scratch);
    else
        memcpy(f.result, f.mask, s->pixels * sizeof(int16_t));
}

void vrs_steady_ticket(vrs_steady *steady, vrs_ticket *ticket)
{
    uint32_t count = ticket->stream->view_count;
    bool past = true;
    for (uint32_t v = 0; v < count; v++) {
        steady->views[v].valid =
            steady->views[v].valid && !ticket->restart && (ticket->moved >> v & 1) == 0;
        past = past && steady->views[v].valid;
    }
    if (ticket->result.status != VRS_OK)
        return;
    if (ticket->result.repeated && !past) {
        vrs_ticket_fail(ticket, VRS_DROPPED, VRS_NOTHING_TO_REPEAT_TEXT);
        return;
    }
    for (uint32_t v = 0; v < count && !ticket->result.repeated; v++)
        follow_past(steady, ticket, v);
    bool eyes = ticket->pipeline->settings.match_eyes && ticket->stream->eye_count == 2;
    for (uint32_t v = 0; v < count; v++) {
        const past_view *view = &steady->views[v];
        if (eyes && v < 2)
            agree(steady, ticket, v);
        else
            memcpy(ticket->mask[v], view->mask[view->last], steady->pixels * sizeof(int16_t));
    }
}
