#include "batch/queue.h"

#include <assert.h>
#include <stddef.h>

#include "base/alloc.h"
#include "batch/internal.h"

static void check_settings(const vrs_batch_settings *s)
{
    assert(s->max_batch_size >= 1 && s->max_batch_size <= VRS_BATCH_MOST);
    assert(s->preferred_count >= 0 && s->preferred_count <= VRS_BATCH_MOST);
    for (int32_t i = 0; i < s->preferred_count; i++)
        assert(s->preferred[i] > (i > 0 ? s->preferred[i - 1] : 0) &&
               s->preferred[i] <= s->max_batch_size);
    assert(s->max_queue_delay_ns >= 0 && s->age_ns >= 1);
    assert(s->levels >= 1 && s->levels <= VRS_BATCH_LEVELS);
    assert(s->default_priority >= 1 && s->default_priority <= s->levels);
    (void)s;
}

vrs_status vrs_batch_queue_create(const vrs_batch_settings *settings, vrs_batch_queue **queue)
{
    check_settings(settings);
    vrs_batch_queue *made = vrs_alloc(sizeof(*made));
    if (made == NULL)
        return VRS_NO_MEMORY;
    made->settings = *settings;
    made->limit = settings->max_batch_size;
    *queue = made;
    return VRS_OK;
}

void vrs_batch_queue_destroy(vrs_batch_queue *queue)
{
    vrs_free(queue);
}

static int32_t level_of(const vrs_batch_queue *queue, int32_t priority)
{
    assert(priority >= 0 && priority <= queue->settings.levels);
    return (priority == 0 ? queue->settings.default_priority : priority) - 1;
}

static bool level_full(const vrs_batch_queue *queue, int32_t level)
{
    uint32_t most = queue->settings.max_queue_size[level];
    return most > 0 && queue->levels[level].count >= most;
}

bool vrs_batch_queue_has_room(const vrs_batch_queue *queue, int32_t priority)
{
    return !level_full(queue, level_of(queue, priority));
}

/* ---- the lists ---- */

static void leave_level(vrs_batch_queue *queue, vrs_batch_frame *frame)
{
    vrs_batch_level *level = &queue->levels[frame->level];
    if (level->fresh == frame)
        level->fresh = frame->level_next;
    if (frame->level_before != NULL)
        frame->level_before->level_next = frame->level_next;
    else
        level->first = frame->level_next;
    if (frame->level_next != NULL)
        frame->level_next->level_before = frame->level_before;
    else
        level->last = frame->level_before;
    level->count--;
    queue->stats.waiting--;
}

static void leave_stream(vrs_batch_queue *queue, vrs_batch_frame *frame)
{
    vrs_batch_stream *stream = &queue->streams[frame->stream];
    if (frame->before != NULL)
        frame->before->next = frame->next;
    else
        stream->first = frame->next;
    if (frame->next != NULL)
        frame->next->before = frame->before;
    else
        stream->last = frame->before;
    if (stream->first != NULL)
        return;
    uint32_t last = queue->active[--queue->active_count];
    queue->active[stream->place] = last;
    queue->streams[last].place = stream->place;
}

static vrs_batch_frame *leave(vrs_batch_queue *queue, vrs_batch_frame *frame)
{
    leave_level(queue, frame);
    leave_stream(queue, frame);
    return frame;
}

static void enter_level(vrs_batch_queue *queue, vrs_batch_frame *frame)
{
    vrs_batch_level *level = &queue->levels[frame->level];
    frame->level_next = NULL;
    frame->level_before = level->last;
    if (level->last != NULL)
        level->last->level_next = frame;
    else
        level->first = frame;
    level->last = frame;
    if (level->fresh == NULL)
        level->fresh = frame;
    level->count++;
    queue->stats.waiting++;
}

static void enter_stream(vrs_batch_queue *queue, vrs_batch_frame *frame)
{
    vrs_batch_stream *stream = &queue->streams[frame->stream];
    frame->next = NULL;
    frame->before = stream->last;
    if (stream->last != NULL) {
        stream->last->next = frame;
    } else {
        stream->first = frame;
        stream->place = queue->active_count;
        queue->active[queue->active_count++] = frame->stream;
    }
    stream->last = frame;
    /* Those before it go first, so they are as urgent. Ranks fall and due times rise along a
     * stream, so the walk ends where they do already. */
    for (vrs_batch_frame *f = frame->before; f != NULL; f = f->before) {
        if (f->rank <= frame->rank && f->due_ns <= frame->due_ns)
            break;
        f->rank = frame->rank < f->rank ? frame->rank : f->rank;
        f->due_ns = frame->due_ns < f->due_ns ? frame->due_ns : f->due_ns;
    }
}

/* ---- coming and leaving ---- */

static int64_t later(int64_t ns, int64_t by_ns)
{
    return by_ns > INT64_MAX - ns ? INT64_MAX : ns + by_ns;
}

bool vrs_batch_queue_add(vrs_batch_queue *queue, vrs_batch_frame *frame, int64_t now_ns,
                         vrs_batch_frame **dropped)
{
    assert(frame->stream < VRS_MAX_STREAMS);
    assert(frame->view_count >= 1 && frame->view_count <= VRS_MAX_VIEWS);
    const vrs_batch_settings *s = &queue->settings;
    *dropped = NULL;
    int32_t level = level_of(queue, frame->priority);
    bool full = level_full(queue, level);
    if (full && s->overflow != VRS_BATCH_DROP_OLDEST)
        return false;
    int64_t horizon = later(now_ns, s->age_ns), due = frame->deadline_ns;
    frame->number = queue->next_number++;
    frame->queued_ns = now_ns;
    frame->due_ns = due == 0 || due > horizon ? horizon : due < now_ns ? now_ns : due;
    frame->expires_ns = s->timeout_ns[level] == 0 ? INT64_MAX : later(now_ns, s->timeout_ns[level]);
    frame->gone = 0;
    frame->level = level;
    frame->rank = level;
    enter_level(queue, frame);
    enter_stream(queue, frame);
    queue->stats.frames++;
    if (full) { /* behind the entering: what leaves then knows what comes after it */
        *dropped = leave(queue, queue->levels[level].first);
        queue->stats.dropped++;
    }
    if (queue->stats.waiting > queue->stats.most_waiting)
        queue->stats.most_waiting = queue->stats.waiting;
    return true;
}

void vrs_batch_take(vrs_batch_queue *queue, vrs_batch_frame *frame, uint32_t view)
{
    if (frame->gone == 0)
        leave_level(queue, frame);
    frame->gone |= 1u << view;
    if (queue->settings.one_in_flight)
        queue->streams[frame->stream].busy |= 1u << view;
    if (vrs_batch_left(frame) == 0)
        leave_stream(queue, frame);
    queue->stats.views++;
}

void vrs_batch_queue_view_done(vrs_batch_queue *queue, uint32_t stream, uint32_t view)
{
    assert(stream < VRS_MAX_STREAMS && view < VRS_MAX_VIEWS);
    queue->streams[stream].busy &= ~(1u << view);
}

void vrs_batch_queue_took(vrs_batch_queue *queue, int32_t size, int64_t ns)
{
    vrs_batch_estimate_add(&queue->estimate, size, ns);
}

vrs_batch_frame *vrs_batch_queue_expire(vrs_batch_queue *queue, int64_t now_ns)
{
    const vrs_batch_settings *s = &queue->settings;
    for (int32_t l = 0; l < s->levels; l++) {
        vrs_batch_level *level = &queue->levels[l];
        while (level->fresh != NULL && level->fresh->expires_ns <= now_ns) {
            vrs_batch_frame *frame = level->fresh;
            if (!s->keep_late) {
                queue->stats.late++;
                return leave(queue, frame);
            }
            level->fresh = frame->level_next;
            frame->due_ns = later(frame->expires_ns, s->age_ns);
            queue->stats.kept_late++;
        }
    }
    return NULL;
}

int64_t vrs_batch_queue_next_expiry_ns(const vrs_batch_queue *queue)
{
    int64_t next = INT64_MAX;
    for (int32_t l = 0; l < queue->settings.levels; l++) {
        const vrs_batch_frame *fresh = queue->levels[l].fresh;
        if (fresh != NULL && fresh->expires_ns < next)
            next = fresh->expires_ns;
    }
    return next;
}

vrs_batch_frame *vrs_batch_queue_cancel(vrs_batch_queue *queue, uint32_t stream)
{
    assert(stream < VRS_MAX_STREAMS);
    vrs_batch_frame *frame = queue->streams[stream].first;
    while (frame != NULL && frame->gone != 0)
        frame = frame->next;
    if (frame == NULL)
        return NULL;
    queue->stats.cancelled++;
    return leave(queue, frame);
}

vrs_batch_frame *vrs_batch_queue_first(const vrs_batch_queue *queue, uint32_t stream)
{
    assert(stream < VRS_MAX_STREAMS);
    return queue->streams[stream].first;
}

void vrs_batch_queue_set_limit(vrs_batch_queue *queue, int32_t views)
{
    assert(views >= 1 && views <= queue->settings.max_batch_size);
    queue->limit = views;
}

void vrs_batch_queue_set_busy(vrs_batch_queue *queue, int64_t until_ns)
{
    queue->busy_until_ns = until_ns;
}

void vrs_batch_queue_set_poor(vrs_batch_queue *queue, int32_t size, int64_t until_ns)
{
    queue->poor = size;
    queue->poor_until_ns = until_ns;
}

void vrs_batch_queue_get_stats(const vrs_batch_queue *queue, vrs_batch_queue_stats *stats)
{
    *stats = queue->stats;
}
