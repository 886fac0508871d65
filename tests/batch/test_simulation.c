/* The batching queue with simulated streams and an engine, for simulated minutes: whatever comes,
 * each frame leaves once, in its stream's order, nothing starves, and deadlines are met. */
#include <stdlib.h>
#include <string.h>

#include "batch/queue.h"
#include "support/inject.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define MOST_SLOTS 4

/* A frame of the simulation and what became of it. */
typedef struct sim_frame {
    vrs_batch_frame base; /* first */
    uint32_t index;       /* in its stream */
    int64_t came_ns, sent_ns;
    uint32_t views_to_do;
    int left; /* how often it has left the queue without going, and with its last view done */
    struct sim_frame *next_free;
} sim_frame;

typedef struct sim_stream {
    int64_t period_ns, jitter_ns, next_ns; /* next_ns INT64_MAX: it sends nothing (more) */
    int64_t latency_ns;                    /* deadline after a frame's coming; 0: none */
    int32_t priority;
    uint32_t views, in_flight, most_in_flight; /* at the most nothing more is submitted */
    uint32_t sent, next_index[VRS_MAX_VIEWS];  /* of the frame whose view may go next */
    uint32_t busy;
} sim_stream;

typedef struct sim_slot {
    int64_t end_ns; /* INT64_MAX: free */
    int64_t begin_ns;
    vrs_batch_view views[VRS_BATCH_MOST];
    int32_t count;
} sim_slot;

typedef struct sim {
    vrs_batch_settings settings;
    vrs_batch_queue *queue;
    sim_stream streams[VRS_MAX_STREAMS];
    uint32_t stream_count;
    sim_slot slots[MOST_SLOTS];
    int32_t slot_count;
    int64_t base_ns, view_ns; /* a batch of n takes base + n * view */
    uint64_t seed;
    int64_t now;
    sim_frame *memory, *free_list;
    /* What came out. */
    uint64_t came, done, late, dropped, refused, cancelled, missed, batches, views;
    int64_t longest_wait_ns[VRS_BATCH_LEVELS]; /* from coming to its first view's going */
} sim;

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

#define SIM_FRAMES 4096

static void open_sim(sim *s)
{
    assert_int_equal(vrs_batch_queue_create(&s->settings, &s->queue), VRS_OK);
    s->memory = calloc(SIM_FRAMES, sizeof(*s->memory));
    assert_non_null(s->memory);
    for (int i = 0; i < SIM_FRAMES; i++) {
        s->memory[i].next_free = s->free_list;
        s->free_list = &s->memory[i];
    }
    for (int i = 0; i < MOST_SLOTS; i++)
        s->slots[i].end_ns = INT64_MAX;
}

/* Frames still under way are counted as such: each that came is there once. */
static void close_sim(sim *s)
{
    uint64_t free_frames = 0, under_way = 0;
    for (sim_frame *f = s->free_list; f != NULL; f = f->next_free)
        free_frames++;
    for (uint32_t i = 0; i < s->stream_count; i++)
        under_way += s->streams[i].in_flight;
    assert_int_equal(free_frames + under_way, SIM_FRAMES);
    assert_int_equal(s->came, s->done + s->late + s->dropped + s->cancelled + under_way);
    vrs_batch_queue_stats stats;
    vrs_batch_queue_get_stats(s->queue, &stats);
    assert_int_equal(stats.frames, s->came);
    assert_int_equal(stats.late, s->late);
    assert_int_equal(stats.dropped, s->dropped);
    assert_int_equal(stats.cancelled, s->cancelled);
    assert_int_equal(stats.views, s->views);
    vrs_batch_queue_destroy(s->queue);
    free(s->memory);
}

static void give_back(sim *s, sim_frame *f)
{
    assert_int_equal(f->left, 0);
    f->left++;
    s->streams[f->base.stream].in_flight--;
    f->next_free = s->free_list;
    s->free_list = f;
}

/* Left without going: those behind it in its stream are next. */
static void gone_without(sim *s, vrs_batch_frame *frame, uint64_t *counter)
{
    sim_frame *f = (sim_frame *)frame;
    assert_int_equal(f->base.gone, 0);
    (*counter)++;
    give_back(s, f);
}

static void come(sim *s, uint32_t number)
{
    sim_stream *stream = &s->streams[number];
    vrs_batch_frame *dropped = NULL;
    sim_frame *f = s->free_list;
    stream->next_ns +=
        stream->period_ns + (stream->jitter_ns > 0 ? draw(&s->seed) % stream->jitter_ns : 0);
    if (stream->in_flight == stream->most_in_flight)
        return;
    assert_non_null(f);
    s->free_list = f->next_free;
    *f = (sim_frame){
        .base = {.stream = number,
                 .view_count = stream->views,
                 .priority = stream->priority >= 0
                                 ? stream->priority
                                 : (int32_t)draw(&s->seed) % (s->settings.levels + 1),
                 .deadline_ns = stream->latency_ns > 0 ? s->now + stream->latency_ns : 0},
        .index = stream->sent,
        .came_ns = s->now,
        .views_to_do = stream->views,
    };
    bool room = vrs_batch_queue_has_room(s->queue, f->base.priority);
    bool added = vrs_batch_queue_add(s->queue, &f->base, s->now, &dropped);
    assert_int_equal(added, room || s->settings.overflow == VRS_BATCH_DROP_OLDEST);
    assert_int_equal(dropped != NULL, added && !room);
    if (!added) {
        s->refused++;
        f->next_free = s->free_list;
        s->free_list = f;
        return;
    }
    s->came++;
    stream->sent++;
    stream->in_flight++;
    if (dropped != NULL)
        gone_without(s, dropped, &s->dropped);
}

/* A batch was chosen: it keeps the rules. */
static void start(sim *s, sim_slot *slot)
{
    uint32_t seen[VRS_MAX_STREAMS] = {0};
    assert_in_range(slot->count, 1, s->settings.max_batch_size);
    for (int32_t i = 0; i < slot->count; i++) {
        sim_frame *f = (sim_frame *)slot->views[i].frame;
        sim_stream *stream = &s->streams[f->base.stream];
        uint32_t view = slot->views[i].view, bit = 1u << view;
        /* Frames may have left without going, so indices have gaps, but never go back. */
        assert_true(f->index >= stream->next_index[view]);
        stream->next_index[view] = f->index + 1;
        if (s->settings.one_in_flight) {
            assert_false(stream->busy & bit);
            assert_false(seen[f->base.stream] & bit);
            stream->busy |= bit;
        }
        seen[f->base.stream] |= bit;
        if (f->sent_ns == 0) {
            f->sent_ns = s->now;
            int64_t waited = s->now - f->came_ns;
            if (waited > s->longest_wait_ns[f->base.level])
                s->longest_wait_ns[f->base.level] = waited;
        }
    }
    slot->begin_ns = s->now;
    slot->end_ns = s->now + s->base_ns + slot->count * s->view_ns;
    s->batches++;
    s->views += (uint64_t)slot->count;
}

static void end(sim *s, sim_slot *slot)
{
    for (int32_t i = 0; i < slot->count; i++) {
        sim_frame *f = (sim_frame *)slot->views[i].frame;
        sim_stream *stream = &s->streams[f->base.stream];
        if (s->settings.one_in_flight) {
            stream->busy &= ~(1u << slot->views[i].view);
            vrs_batch_queue_view_done(s->queue, f->base.stream, slot->views[i].view);
        }
        if (--f->views_to_do > 0)
            continue;
        s->missed += f->base.deadline_ns != 0 && s->now > f->base.deadline_ns;
        s->done++;
        give_back(s, f);
    }
    vrs_batch_queue_took(s->queue, slot->count, s->now - slot->begin_ns);
    slot->end_ns = INT64_MAX;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* One event: time goes on to whatever is next. */
static void step(sim *s)
{
    int64_t next = vrs_batch_queue_next_expiry_ns(s->queue), ask = INT64_MAX;
    for (int32_t i = 0; i < s->slot_count; i++) {
        sim_slot *slot = &s->slots[i];
        if (slot->end_ns == INT64_MAX) {
            slot->count = vrs_batch_queue_choose(s->queue, s->now, false, slot->views, &ask);
            if (slot->count > 0) {
                start(s, slot);
                ask = INT64_MAX;
            }
        }
        next = smaller(next, slot->end_ns);
    }
    assert_true(ask > s->now);
    next = smaller(next, ask);
    for (uint32_t i = 0; i < s->stream_count; i++)
        next = smaller(next, s->streams[i].next_ns);
    assert_true(next >= s->now && next < INT64_MAX);
    s->now = next;
    for (int32_t i = 0; i < s->slot_count; i++)
        if (s->slots[i].end_ns <= s->now)
            end(s, &s->slots[i]);
    for (uint32_t i = 0; i < s->stream_count; i++)
        if (s->streams[i].next_ns <= s->now)
            come(s, i);
    for (vrs_batch_frame *late; (late = vrs_batch_queue_expire(s->queue, s->now)) != NULL;)
        gone_without(s, late, &s->late);
}

/* ---- anything ---- */

static void fill_at_random(sim *s, uint64_t seed)
{
    uint64_t *r = &s->seed;
    *s = (sim){.seed = seed};
    vrs_batch_settings *q = &s->settings;
    q->max_batch_size = 1 + (int32_t)(draw(r) % VRS_BATCH_MOST);
    for (int32_t size = 1; size <= q->max_batch_size; size++)
        if (draw(r) % 8 == 0)
            q->preferred[q->preferred_count++] = size;
    q->max_queue_delay_ns = draw(r) % 3 == 0 ? 0 : draw(r) % (20 * MS);
    q->levels = 1 + (int32_t)(draw(r) % 5);
    q->default_priority = 1 + (int32_t)draw(r) % q->levels;
    q->age_ns = 1 + draw(r) % (100 * MS);
    for (int32_t l = 0; l < q->levels; l++) {
        q->timeout_ns[l] = draw(r) % 2 ? 0 : 1 + draw(r) % (50 * MS);
        q->max_queue_size[l] = draw(r) % 2 ? 0 : 1 + draw(r) % 12;
    }
    q->keep_late = draw(r) % 2;
    q->overflow = (vrs_batch_overflow)(draw(r) % 3);
    q->one_in_flight = draw(r) % 2;
    s->slot_count = 1 + (int32_t)(draw(r) % MOST_SLOTS);
    s->base_ns = 1 + draw(r) % (8 * MS);
    s->view_ns = draw(r) % (3 * MS);
    s->stream_count = 1 + draw(r) % 20;
    for (uint32_t i = 0; i < s->stream_count; i++)
        s->streams[i] = (sim_stream){
            .period_ns = 1 + draw(r) % (40 * MS),
            .jitter_ns = draw(r) % (20 * MS),
            .next_ns = draw(r) % 5 == 0 ? INT64_MAX : draw(r) % (30 * MS), /* never sends */
            .latency_ns = draw(r) % 2 ? 0 : draw(r) % (60 * MS),
            .priority = draw(r) % 2 ? -1 : (int32_t)draw(r) % (q->levels + 1),
            .views = 1 + draw(r) % 3 * (draw(r) % 2),
            .most_in_flight = 1 + draw(r) % 40,
        };
    s->streams[0].next_ns = 0;
}

static void test_anything(void **state)
{
    (void)state;
    static sim s;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        fill_at_random(&s, seed);
        open_sim(&s);
        for (int i = 0; i < 1500; i++) {
            if (draw(&s.seed) % 100 == 0) /* a stream stops in the middle, or is cancelled */
                s.streams[1 + draw(&s.seed) % VRS_MAX_STREAMS / 8].next_ns = INT64_MAX;
            if (draw(&s.seed) % 64 == 0) {
                uint32_t stream = draw(&s.seed) % s.stream_count;
                for (vrs_batch_frame *f; (f = vrs_batch_queue_cancel(s.queue, stream)) != NULL;)
                    gone_without(&s, f, &s.cancelled);
            }
            if (draw(&s.seed) % 200 == 0)
                vrs_batch_queue_set_limit(s.queue,
                                          1 + (int32_t)draw(&s.seed) % s.settings.max_batch_size);
            step(&s);
        }
        close_sim(&s);
    }
}

/* ---- starvation ---- */

/* Streams of the highest level that always have more than the engine can do, and one frame now and
 * then of each other level. */
static void flood(sim *s, uint64_t seed, int64_t age_ns, int64_t timeout_ns)
{
    *s = (sim){.seed = seed};
    vrs_batch_settings *q = &s->settings;
    q->max_batch_size = 8;
    q->levels = 6;
    q->default_priority = 1;
    q->age_ns = age_ns;
    q->keep_late = timeout_ns > 0;
    for (int l = 0; l < q->levels; l++)
        q->timeout_ns[l] = timeout_ns;
    s->slot_count = 1 + (int32_t)(seed % 2);
    s->base_ns = 2 * MS;
    s->view_ns = 1 * MS;
    s->stream_count = 16;
    for (uint32_t i = 0; i < 16; i++) {
        bool low = i >= 11;
        s->streams[i] = (sim_stream){
            .period_ns = low ? 37 * MS : 1 * MS,
            .jitter_ns = low ? 200 * MS : 1 * MS,
            .next_ns = draw(&s->seed) % MS,
            .latency_ns = low || seed % 3 == 0 ? 0 : 15 * MS,
            .priority = low ? (int32_t)i - 9 : 1,
            .views = 1,
            .most_in_flight = low ? 1 : 12,
        };
    }
}

/* The bound of queue.h: max(L * A, T + A), then those that were queued before the frame's own
 * q + T + A, which are no more than the queue ever held, in full batches, and one that runs. */
static int64_t bound_ns(const sim *s, int32_t level, int64_t most_waiting)
{
    const vrs_batch_settings *q = &s->settings;
    int64_t timeout = q->timeout_ns[level], batch = q->max_batch_size;
    int64_t aged = level * q->age_ns, due = timeout + q->age_ns;
    int64_t batch_ns = s->base_ns + batch * s->view_ns;
    return (aged > due ? aged : due) + ((most_waiting + batch - 1) / batch + 1) * batch_ns;
}

static void test_nothing_starves(void **state)
{
    (void)state;
    static sim s;
    static const int64_t ages[] = {5 * MS, 20 * MS, 100 * MS};
    for (uint64_t seed = 1; seed <= 30; seed++) {
        flood(&s, seed, ages[seed % 3], seed % 2 ? 0 : 7 * MS);
        open_sim(&s);
        while (s.now < 10 * SECOND)
            step(&s);
        vrs_batch_queue_stats stats;
        vrs_batch_queue_get_stats(s.queue, &stats);
        assert_true(s.views > 8 * s.batches * 99 / 100); /* it was a flood */
        for (int32_t l = 0; l < 6; l++) {
            assert_true(s.longest_wait_ns[l] > 0);
            assert_true(s.longest_wait_ns[l] <= bound_ns(&s, l, stats.most_waiting));
        }
        /* The bound says something: levels are levels while nobody is old. */
        if (ages[seed % 3] == 100 * MS)
            assert_true(s.longest_wait_ns[5] > 400 * MS);
        close_sim(&s);
    }
}

/* Without ageing (one that takes a day) the same flood starves all others: the test above can fail.
 */
static void test_the_flood_is_one(void **state)
{
    (void)state;
    static sim s;
    flood(&s, 3, 86400 * SECOND, 0);
    open_sim(&s);
    while (s.now < 10 * SECOND)
        step(&s);
    for (int32_t l = 1; l < 6; l++)
        assert_int_equal(s.longest_wait_ns[l], 0); /* not one went */
    close_sim(&s);
}

/* ---- deadlines ---- */

/* Eight streams at 30 fps; a batch of 16 would take 18 ms and each frame has 16. */
static void live(sim *s, uint64_t seed, bool with_deadlines)
{
    *s = (sim){.seed = seed};
    s->settings = (vrs_batch_settings){
        .max_batch_size = 16,
        .max_queue_delay_ns = 30 * MS,
        .levels = 1,
        .default_priority = 1,
        .age_ns = 100 * MS,
    };
    s->slot_count = 2;
    s->base_ns = 2 * MS;
    s->view_ns = 1 * MS;
    s->stream_count = 8;
    for (uint32_t i = 0; i < 8; i++)
        s->streams[i] = (sim_stream){
            .period_ns = 30 * MS,
            .jitter_ns = 6 * MS,
            .next_ns = draw(&s->seed) % (30 * MS),
            .latency_ns = with_deadlines ? 16 * MS : 0,
            .views = 1,
            .most_in_flight = 8,
        };
}

static void test_deadlines_are_met(void **state)
{
    (void)state;
    static sim s;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        live(&s, seed, true);
        open_sim(&s);
        while (s.now < 20 * SECOND)
            step(&s);
        assert_true(s.done > 4000);
        assert_int_equal(s.missed, 0);
        assert_true(s.views > 2 * s.batches); /* and yet they go together */
        close_sim(&s);
    }
}

/* Without them frames wait for a batch, longer than that. */
static void test_the_deadlines_are_tight(void **state)
{
    (void)state;
    static sim s;
    live(&s, 1, false);
    open_sim(&s);
    while (s.now < 20 * SECOND)
        step(&s);
    assert_true(s.longest_wait_ns[0] >= 30 * MS);
    close_sim(&s);
}

/* The engine becomes three times as slow for a while, and fast again: the queue learns both. */
static void test_the_time_changes(void **state)
{
    (void)state;
    static sim s;
    live(&s, 5, true);
    for (uint32_t i = 0; i < s.stream_count; i++)
        s.streams[i].latency_ns = 30 * MS;
    open_sim(&s);
    uint64_t missed = 0;
    for (int second = 1; second <= 30; second++) {
        bool slow = second > 10 && second <= 20;
        s.base_ns = slow ? 6 * MS : 2 * MS;
        s.view_ns = slow ? 3 * MS / 2 : MS;
        while (s.now < second * SECOND)
            step(&s);
        if (second != 11)
            assert_int_equal(s.missed, missed);
        missed = s.missed;
    }
    assert_in_range(missed, 1, 40); /* until three batches of each size were slow */
    close_sim(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anything),
        cmocka_unit_test(test_nothing_starves),
        cmocka_unit_test(test_the_flood_is_one),
        cmocka_unit_test(test_deadlines_are_met),
        cmocka_unit_test(test_the_deadlines_are_tight),
        cmocka_unit_test(test_the_time_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
