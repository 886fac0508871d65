/* Which views go next, and when. */
#include <assert.h>
#include <stddef.h>

#include "batch/internal.h"

/* What a result may be later than its batch's usual time says: a part of that time, and what waking
 * a thread takes. */
#define SLACK_PART 8
#define SLACK_NS INT64_C(200000)

/* How far the choice has come in a stream. */
typedef struct cursor {
    const vrs_batch_stream *stream;
    vrs_batch_frame *frame; /* whose `views` may go next; NULL: none */
    uint32_t views;
    uint32_t passed; /* with one_in_flight: views of frames before, gone or not */
    int32_t level;   /* of the frame, by its rank and age */
} cursor;

typedef struct plan {
    vrs_batch_view views[VRS_BATCH_MOST];
    int32_t count;
    int64_t oldest_ns; /* when its oldest frame came */
} plan;

static int32_t level_by_age(const vrs_batch_queue *queue, const vrs_batch_frame *frame,
                            int64_t now_ns)
{
    int64_t up = (now_ns - frame->queued_ns) / queue->settings.age_ns;
    return up < frame->rank ? frame->rank - (int32_t)up : 0;
}

/* Moves on to the first frame, from the cursor's on, that has views that may go. */
static void settle(const vrs_batch_queue *queue, cursor *c, int64_t now_ns)
{
    for (; c->frame != NULL; c->frame = c->frame->next) {
        uint32_t left = vrs_batch_left(c->frame);
        c->views = left;
        if (queue->settings.one_in_flight) {
            uint32_t blocked = c->passed | c->stream->busy;
            c->views = left & ~blocked;
            if ((blocked & ((1u << c->frame->view_count) - 1)) ==
                (1u << c->frame->view_count) - 1) {
                c->frame = NULL;
                return;
            }
        }
        if (c->views != 0) {
            c->level = level_by_age(queue, c->frame, now_ns);
            return;
        }
        c->passed |= left;
    }
}

static bool goes_before(const cursor *a, const cursor *b)
{
    if (a->level != b->level)
        return a->level < b->level;
    if (a->frame->due_ns != b->frame->due_ns)
        return a->frame->due_ns < b->frame->due_ns;
    return a->frame->number < b->frame->number;
}

static cursor *most_urgent(cursor *cursors, uint32_t count)
{
    cursor *best = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (cursors[i].frame != NULL && (best == NULL || goes_before(&cursors[i], best)))
            best = &cursors[i];
    return best;
}

/* The views of the largest batch that there could be now, the most urgent first. */
static void make_plan(const vrs_batch_queue *queue, int64_t now_ns, plan *p)
{
    cursor cursors[VRS_MAX_STREAMS], *c;
    p->count = 0;
    p->oldest_ns = INT64_MAX;
    for (uint32_t i = 0; i < queue->active_count; i++) {
        const vrs_batch_stream *stream = &queue->streams[queue->active[i]];
        cursors[i] = (cursor){.stream = stream, .frame = stream->first};
        settle(queue, &cursors[i], now_ns);
    }
    while (p->count < queue->limit && (c = most_urgent(cursors, queue->active_count)) != NULL) {
        for (uint32_t v = 0; v < c->frame->view_count && p->count < queue->limit; v++)
            if (c->views >> v & 1)
                p->views[p->count++] = (vrs_batch_view){c->frame, v};
        if (c->frame->queued_ns < p->oldest_ns)
            p->oldest_ns = c->frame->queued_ns;
        c->passed |= vrs_batch_left(c->frame);
        c->frame = c->frame->next;
        settle(queue, c, now_ns);
    }
}

/* ---- deadlines ---- */

/* Nanoseconds from now until the results of a batch; 0: not known. */
static int64_t needs(const vrs_batch_queue *queue, int32_t size)
{
    int64_t ns = vrs_batch_estimate_get(&queue->estimate, size);
    ns = ns < INT64_MAX / 4 ? ns : INT64_MAX / 4; /* such that sums fit */
    return ns == 0 ? 0 : ns + ns / SLACK_PART + SLACK_NS;
}

/* Whether a deadline cannot be met even by a batch of one. */
static bool lost(const vrs_batch_queue *queue, int64_t deadline_ns, int64_t now_ns)
{
    return deadline_ns < now_ns || deadline_ns - now_ns < needs(queue, 1);
}

/* When the first `size` views must go at the latest; INT64_MAX: at no certain time. At once where a
 * deadline is lost, and where nothing is known of the time that a batch takes. */
static int64_t latest_ns(const vrs_batch_queue *queue, const plan *p, int32_t size, int64_t now_ns)
{
    int64_t latest = INT64_MAX, ns = needs(queue, size);
    for (int32_t i = 0; i < size; i++) {
        int64_t deadline = p->views[i].frame->deadline_ns;
        if (deadline == 0)
            continue;
        if (ns == 0 || lost(queue, deadline, now_ns))
            return INT64_MIN;
        latest = deadline - ns < latest ? deadline - ns : latest;
    }
    return latest;
}

/* The largest of the first views' batches, up to `size`, that meets each deadline in it that can be
 * met. */
static int32_t in_time(const vrs_batch_queue *queue, const plan *p, int32_t size, int64_t now_ns)
{
    int64_t tightest[VRS_BATCH_MOST], least = INT64_MAX;
    for (int32_t i = 0; i < size; i++) {
        int64_t deadline = p->views[i].frame->deadline_ns;
        if (deadline != 0 && deadline < least && !lost(queue, deadline, now_ns))
            least = deadline;
        tightest[i] = least;
    }
    while (size > 1 && tightest[size - 1] != INT64_MAX &&
           tightest[size - 1] - now_ns < needs(queue, size))
        size--;
    return size;
}

/* ---- the choice ---- */

/* The largest preferred size up to `size`; 0: none. */
static int32_t preferred(const vrs_batch_queue *queue, int32_t size)
{
    int32_t best = 0;
    for (int32_t i = 0; i < queue->settings.preferred_count; i++)
        if (queue->settings.preferred[i] <= size)
            best = queue->settings.preferred[i];
    return best;
}

static int64_t when_due(const vrs_batch_queue *queue, const plan *p, int64_t now_ns)
{
    int64_t delay = queue->settings.max_queue_delay_ns;
    int64_t waited = delay > INT64_MAX - p->oldest_ns ? INT64_MAX : p->oldest_ns + delay;
    waited = queue->busy_until_ns > waited ? queue->busy_until_ns : waited;
    if (p->count <= queue->poor && queue->poor_until_ns > waited)
        waited = queue->poor_until_ns;
    int64_t latest = latest_ns(queue, p, p->count, now_ns);
    return latest < waited ? latest : waited;
}

int32_t vrs_batch_queue_choose(vrs_batch_queue *queue, int64_t now_ns, bool hurry,
                               vrs_batch_view views[VRS_BATCH_MOST], int64_t *next_ns)
{
    plan p = {0};
    make_plan(queue, now_ns, &p);
    *next_ns = INT64_MAX;
    if (p.count == 0)
        return 0;
    int32_t size = p.count;
    if (size <= queue->poor && now_ns < queue->poor_until_ns)
        hurry = false;
    if (size < queue->limit && !hurry) {
        int64_t due = when_due(queue, &p, now_ns);
        if (now_ns < due)
            size = preferred(queue, size);
        if (size == 0) {
            *next_ns = due;
            return 0;
        }
    }
    size = in_time(queue, &p, size, now_ns);
    for (int32_t i = 0; i < size; i++) {
        views[i] = p.views[i];
        vrs_batch_take(queue, views[i].frame, views[i].view);
    }
    queue->stats.batches[size]++;
    return size;
}
