/* The batching queue, rule by rule, on a time that the test sets. */
#include <string.h>

#include "batch/queue.h"
#include "support/inject.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define FRAMES 64

typedef struct rig {
    vrs_batch_queue *queue;
    vrs_batch_frame frames[FRAMES];
    int used;
    vrs_batch_view views[VRS_BATCH_MOST];
    int64_t next_ns;
} rig;

static vrs_batch_settings defaults(int32_t max_batch)
{
    return (vrs_batch_settings){
        .max_batch_size = max_batch,
        .max_queue_delay_ns = 2 * MS,
        .levels = 4,
        .default_priority = 2,
        .age_ns = 100 * MS,
    };
}

static rig make_rig(vrs_batch_settings settings)
{
    rig r = {0};
    assert_int_equal(vrs_batch_queue_create(&settings, &r.queue), VRS_OK);
    return r;
}

static vrs_batch_frame *add_with(rig *r, vrs_batch_frame frame, int64_t now)
{
    assert_true(r->used < FRAMES);
    vrs_batch_frame *f = &r->frames[r->used++], *dropped;
    *f = frame;
    assert_true(vrs_batch_queue_add(r->queue, f, now, &dropped));
    assert_null(dropped);
    return f;
}

static vrs_batch_frame *add(rig *r, uint32_t stream, int32_t priority, int64_t now)
{
    return add_with(r, (vrs_batch_frame){.stream = stream, .view_count = 1, .priority = priority},
                    now);
}

static int32_t choose(rig *r, int64_t now, bool hurry)
{
    return vrs_batch_queue_choose(r->queue, now, hurry, r->views, &r->next_ns);
}

/* The batch that goes now consists of these frames, in this order. */
#define EXPECT(r, now, ...)                                               \
    do {                                                                  \
        vrs_batch_frame *expected[] = {__VA_ARGS__};                      \
        expect(r, now, expected, sizeof(expected) / sizeof(expected[0])); \
    } while (0)

static void expect(rig *r, int64_t now, vrs_batch_frame *const *frames, size_t count)
{
    assert_int_equal(choose(r, now, false), count);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(r->views[i].frame, frames[i]);
}

static void test_full_or_late(void **state)
{
    (void)state;
    rig r = make_rig(defaults(4));
    assert_int_equal(choose(&r, 0, true), 0);
    assert_true(r.next_ns == INT64_MAX);
    for (uint32_t i = 0; i < 3; i++)
        add(&r, i, 0, 10 + i);
    assert_int_equal(choose(&r, 20, false), 0);
    assert_true(r.next_ns == 10 + 2 * MS);
    add(&r, 3, 0, 30);
    EXPECT(&r, 30, &r.frames[0], &r.frames[1], &r.frames[2], &r.frames[3]);
    add(&r, 0, 0, 40);
    add(&r, 0, 0, 50);
    assert_int_equal(choose(&r, 40 + 2 * MS - 1, false), 0);
    EXPECT(&r, 40 + 2 * MS, &r.frames[4], &r.frames[5]);
    add(&r, 0, 0, 3 * MS);
    assert_int_equal(choose(&r, 3 * MS, true), 1);
    vrs_batch_queue_destroy(r.queue);
    vrs_batch_queue_destroy(NULL);
}

/* Where enough is on its way an incomplete batch becomes fuller, however long it waits; what is
 * full, of a preferred size, in a hurry or bound by a deadline goes. */
static void test_busy(void **state)
{
    (void)state;
    vrs_batch_settings settings = defaults(4);
    settings.preferred[0] = 3;
    settings.preferred_count = 1;
    rig r = make_rig(settings);
    vrs_batch_queue_set_busy(r.queue, INT64_MAX);
    add(&r, 0, 0, 10);
    assert_int_equal(choose(&r, 90 * MS, false), 0);
    assert_true(r.next_ns == INT64_MAX);
    assert_int_equal(choose(&r, 90 * MS, true), 1);
    for (uint32_t i = 0; i < 3; i++)
        add(&r, i, 0, 91 * MS);
    assert_int_equal(choose(&r, 91 * MS, false), 3);
    for (uint32_t i = 0; i < 4; i++)
        add(&r, i, 0, 92 * MS);
    assert_int_equal(choose(&r, 92 * MS, false), 4);
    add(&r, 0, 0, 93 * MS);
    vrs_batch_queue_set_busy(r.queue, 0);
    assert_int_equal(choose(&r, 94 * MS, false), 0);
    assert_true(r.next_ns == 95 * MS);
    vrs_batch_queue_set_busy(r.queue, 94 * MS); /* sooner than the delay */
    assert_int_equal(choose(&r, 94 * MS, false), 0);
    assert_true(r.next_ns == 95 * MS);
    vrs_batch_queue_set_busy(r.queue, 97 * MS); /* later */
    assert_int_equal(choose(&r, 95 * MS, false), 0);
    assert_true(r.next_ns == 97 * MS);
    assert_int_equal(choose(&r, 97 * MS, false), 1);
    vrs_batch_queue_set_busy(r.queue, INT64_MAX);
    vrs_batch_queue_took(r.queue, 1, MS);
    add_with(&r, (vrs_batch_frame){.view_count = 1, .deadline_ns = 110 * MS}, 100 * MS);
    assert_int_equal(choose(&r, 101 * MS, false), 0);
    assert_true(r.next_ns > 101 * MS && r.next_ns < 110 * MS);
    assert_int_equal(choose(&r, r.next_ns, false), 1);
    vrs_batch_queue_destroy(r.queue);
}

/* What costs as much as a full batch waits for more, in a hurry too, but not for ever. */
static void test_poor(void **state)
{
    (void)state;
    rig r = make_rig(defaults(8));
    vrs_batch_queue_set_poor(r.queue, 5, INT64_MAX);
    for (uint32_t i = 0; i < 5; i++)
        add(&r, i, 0, 0);
    assert_int_equal(choose(&r, 9 * MS, true), 0);
    assert_true(r.next_ns == INT64_MAX);
    vrs_batch_queue_set_poor(r.queue, 5, 10 * MS);
    assert_int_equal(choose(&r, 9 * MS, true), 0);
    assert_true(r.next_ns == 10 * MS);
    add(&r, 5, 0, 9 * MS); /* six are worth it */
    assert_int_equal(choose(&r, 9 * MS, true), 6);
    add(&r, 0, 0, 9 * MS);
    assert_int_equal(choose(&r, 10 * MS, true), 1);
    add_with(&r, (vrs_batch_frame){.view_count = 1, .deadline_ns = 12 * MS}, 11 * MS);
    vrs_batch_queue_set_poor(r.queue, 5, INT64_MAX);
    assert_int_equal(choose(&r, 11 * MS, false), 1); /* its time is not known */
    vrs_batch_queue_destroy(r.queue);
}

static void test_preferred(void **state)
{
    (void)state;
    vrs_batch_settings settings = defaults(16);
    settings.preferred[0] = 4;
    settings.preferred[1] = 8;
    settings.preferred_count = 2;
    rig r = make_rig(settings);
    for (uint32_t i = 0; i < 3; i++)
        add(&r, i, 0, 0);
    assert_int_equal(choose(&r, 1, false), 0);
    add(&r, 3, 0, 2);
    add(&r, 4, 0, 2);
    assert_int_equal(choose(&r, 2, false), 4);
    assert_int_equal(choose(&r, 2, false), 0);
    for (uint32_t i = 0; i < 10; i++)
        add(&r, i, 0, 3);
    assert_int_equal(choose(&r, 3, false), 8);
    assert_int_equal(choose(&r, 3, false), 0); /* three are left */
    assert_int_equal(choose(&r, 3 + 2 * MS, false), 3);
    for (uint32_t i = 0; i < 17; i++)
        add(&r, i, 0, 3 * MS);
    assert_int_equal(choose(&r, 3 * MS, false), 16);
    vrs_batch_queue_destroy(r.queue);
}

static void test_levels(void **state)
{
    (void)state;
    rig r = make_rig(defaults(2));
    vrs_batch_frame *low = add(&r, 0, 4, 0), *usual = add(&r, 1, 0, 1), *high = add(&r, 2, 1, 2);
    vrs_batch_frame *also = add(&r, 3, 1, 3);
    EXPECT(&r, 3, high, also);
    EXPECT(&r, 3, usual, low);
    vrs_batch_queue_destroy(r.queue);
}

/* Levels are left by waiting: with age 100 ms the lowest of four is the highest after 300. */
static void test_ageing(void **state)
{
    (void)state;
    rig r = make_rig(defaults(1));
    vrs_batch_frame *low = add(&r, 0, 4, 0);
    vrs_batch_frame *early = add(&r, 1, 1, 199 * MS), *late = add(&r, 2, 1, 201 * MS);
    EXPECT(&r, 299 * MS, early);
    EXPECT(&r, 300 * MS, low);
    EXPECT(&r, 300 * MS, late);
    /* Level 2 (of 0..3) at first, level 1 after 100 ms. */
    low = add(&r, 0, 3, 400 * MS);
    early = add(&r, 1, 2, 450 * MS);
    EXPECT(&r, 500 * MS, low);
    EXPECT(&r, 500 * MS, early);
    vrs_batch_queue_destroy(r.queue);
}

/* A stream's frames keep their order, whatever their priorities: what waits behind lends its own.
 */
static void test_lending(void **state)
{
    (void)state;
    rig r = make_rig(defaults(1));
    vrs_batch_frame *first = add(&r, 0, 4, 0), *other = add(&r, 1, 2, 1);
    vrs_batch_frame *second = add(&r, 0, 1, 2);
    EXPECT(&r, 3, first);
    EXPECT(&r, 3, second);
    EXPECT(&r, 3, other);
    /* Its own again where nothing is behind it any more. */
    first = add(&r, 0, 1, 10);
    second = add(&r, 0, 4, 11);
    other = add(&r, 1, 3, 12);
    EXPECT(&r, 12, first);
    EXPECT(&r, 12, other);
    EXPECT(&r, 12, second);
    vrs_batch_queue_destroy(r.queue);
}

static void test_views(void **state)
{
    (void)state;
    rig r = make_rig(defaults(3));
    vrs_batch_frame *a =
        add_with(&r, (vrs_batch_frame){.stream = 0, .view_count = 2, .priority = 2}, 0);
    vrs_batch_frame *b =
        add_with(&r, (vrs_batch_frame){.stream = 0, .view_count = 2, .priority = 2}, 0);
    EXPECT(&r, 0, a, a, b);
    assert_int_equal(r.views[0].view, 0);
    assert_int_equal(r.views[1].view, 1);
    assert_int_equal(r.views[2].view, 0);
    /* Half of it has gone: it can be neither cancelled nor dropped. */
    assert_null(vrs_batch_queue_cancel(r.queue, 0));
    assert_ptr_equal(vrs_batch_queue_first(r.queue, 0), b);
    EXPECT(&r, 2 * MS, b);
    assert_int_equal(r.views[0].view, 1);
    assert_null(vrs_batch_queue_first(r.queue, 0));
    vrs_batch_queue_destroy(r.queue);
}

static void test_recurrent(void **state)
{
    (void)state;
    vrs_batch_settings settings = defaults(4);
    settings.one_in_flight = true;
    rig r = make_rig(settings);
    vrs_batch_frame *a[3], *b[2];
    for (int i = 0; i < 3; i++)
        a[i] = add_with(&r, (vrs_batch_frame){.stream = 0, .view_count = 2}, 0);
    for (int i = 0; i < 2; i++)
        b[i] = add(&r, 1, 0, 0);
    EXPECT(&r, 2 * MS, a[0], a[0], b[0]);
    assert_int_equal(choose(&r, 9 * MS, true), 0);
    assert_true(r.next_ns == INT64_MAX); /* only a view that is done changes anything */
    vrs_batch_queue_view_done(r.queue, 0, 1);
    EXPECT(&r, 9 * MS, a[1]);
    assert_int_equal(r.views[0].view, 1);
    vrs_batch_queue_view_done(r.queue, 0, 1);
    vrs_batch_queue_view_done(r.queue, 1, 0);
    /* View 1 runs ahead of view 0, but each in its order. */
    EXPECT(&r, 9 * MS, a[2], b[1]);
    assert_int_equal(r.views[0].view, 1);
    vrs_batch_queue_view_done(r.queue, 0, 0);
    EXPECT(&r, 9 * MS, a[1]);
    vrs_batch_queue_view_done(r.queue, 0, 0);
    EXPECT(&r, 9 * MS, a[2]);
    assert_null(vrs_batch_queue_first(r.queue, 0));
    vrs_batch_queue_destroy(r.queue);
}

static void test_overflow(void **state)
{
    (void)state;
    vrs_batch_settings settings = defaults(4);
    settings.max_queue_size[1] = 2;
    for (int policy = VRS_BATCH_BLOCK; policy <= VRS_BATCH_DROP_OLDEST; policy++) {
        settings.overflow = (vrs_batch_overflow)policy;
        rig r = make_rig(settings);
        vrs_batch_frame more = {.stream = 7, .view_count = 1}, *dropped = &more;
        vrs_batch_frame *first = add(&r, 0, 2, 0), *second = add(&r, 0, 0, 0);
        for (uint32_t i = 0; i < 2; i++) /* the other levels have no limit */
            add(&r, 1, 1, 0);
        assert_false(vrs_batch_queue_has_room(r.queue, 0));
        assert_true(vrs_batch_queue_has_room(r.queue, 1));
        bool added = vrs_batch_queue_add(r.queue, &more, 1, &dropped);
        assert_int_equal(added, policy == VRS_BATCH_DROP_OLDEST);
        assert_ptr_equal(dropped, added ? first : NULL);
        vrs_batch_queue_stats stats;
        vrs_batch_queue_get_stats(r.queue, &stats);
        assert_int_equal(stats.waiting, 4);
        assert_int_equal(stats.dropped, added);
        if (added)
            EXPECT(&r, 1, &r.frames[2], &r.frames[3], second, &more);
        else
            EXPECT(&r, 1, &r.frames[2], &r.frames[3], first, second);
        assert_true(vrs_batch_queue_has_room(r.queue, 2));
        vrs_batch_queue_destroy(r.queue);
    }
}

static void test_timeouts(void **state)
{
    (void)state;
    vrs_batch_settings settings = defaults(4);
    settings.max_queue_delay_ns = 1000 * MS;
    settings.timeout_ns[1] = 5 * MS;
    settings.timeout_ns[2] = 9 * MS;
    rig r = make_rig(settings);
    add(&r, 0, 1, 0);
    assert_true(vrs_batch_queue_next_expiry_ns(r.queue) == INT64_MAX);
    vrs_batch_frame *c = add(&r, 0, 3, 0), *b = add(&r, 1, 2, 1), *d = add(&r, 1, 2, 2);
    assert_true(vrs_batch_queue_next_expiry_ns(r.queue) == 5 * MS + 1);
    assert_null(vrs_batch_queue_expire(r.queue, 5 * MS));
    assert_ptr_equal(vrs_batch_queue_expire(r.queue, 5 * MS + 1), b);
    assert_null(vrs_batch_queue_expire(r.queue, 5 * MS + 1));
    assert_true(vrs_batch_queue_next_expiry_ns(r.queue) == 5 * MS + 2);
    assert_ptr_equal(vrs_batch_queue_expire(r.queue, 9 * MS), d);
    assert_ptr_equal(vrs_batch_queue_expire(r.queue, 9 * MS), c);
    EXPECT(&r, 1000 * MS, &r.frames[0]);
    vrs_batch_queue_stats stats;
    vrs_batch_queue_get_stats(r.queue, &stats);
    assert_int_equal(stats.late, 3);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.batches[1], 1);
    vrs_batch_queue_destroy(r.queue);
}

/* A late frame that stays goes behind those of its level that came up to `age` after its time-out;
 * it is late once. */
static void test_late_frames_that_stay(void **state)
{
    (void)state;
    vrs_batch_settings settings = defaults(1);
    settings.levels = settings.default_priority = 1;
    settings.timeout_ns[0] = 5 * MS;
    settings.keep_late = true;
    rig r = make_rig(settings);
    vrs_batch_frame *a = add(&r, 0, 0, 0), *b = add(&r, 1, 0, 2 * MS);
    assert_null(vrs_batch_queue_expire(r.queue, 6 * MS));
    assert_true(vrs_batch_queue_next_expiry_ns(r.queue) == 7 * MS);
    vrs_batch_frame *c = add(&r, 2, 0, 6 * MS);
    EXPECT(&r, 6 * MS, b);
    EXPECT(&r, 6 * MS, a); /* due 105, c 106 */
    assert_true(vrs_batch_queue_next_expiry_ns(r.queue) == 11 * MS);
    EXPECT(&r, 6 * MS, c);
    vrs_batch_queue_stats stats;
    vrs_batch_queue_get_stats(r.queue, &stats);
    assert_int_equal(stats.kept_late, 1);
    assert_int_equal(stats.late, 0);
    vrs_batch_queue_destroy(r.queue);
}

static void test_cancel(void **state)
{
    (void)state;
    rig r = make_rig(defaults(4));
    vrs_batch_frame *a = add(&r, 0, 1, 0), *b = add(&r, 1, 0, 0), *c = add(&r, 0, 4, 0);
    assert_ptr_equal(vrs_batch_queue_cancel(r.queue, 0), a);
    assert_ptr_equal(vrs_batch_queue_cancel(r.queue, 0), c);
    assert_null(vrs_batch_queue_cancel(r.queue, 0));
    assert_null(vrs_batch_queue_cancel(r.queue, 63)); /* never sent anything */
    EXPECT(&r, 2 * MS, b);
    vrs_batch_queue_destroy(r.queue);
}

/* ---- deadlines: a batch of n takes 1 + n ms here; 200 us and an eighth are added ---- */

static int64_t needs(int32_t size)
{
    int64_t ns = (1 + size) * MS;
    return ns + ns / 8 + 200 * US;
}

static rig make_timed_rig(int32_t max_batch, int64_t delay)
{
    vrs_batch_settings settings = defaults(max_batch);
    settings.max_queue_delay_ns = delay;
    settings.age_ns = 1000 * MS;
    rig r = make_rig(settings);
    for (int32_t size = 1; size <= max_batch; size++)
        vrs_batch_queue_took(r.queue, size, (1 + size) * MS);
    return r;
}

static vrs_batch_frame *add_due(rig *r, uint32_t stream, int64_t deadline, int64_t now)
{
    return add_with(
        r, (vrs_batch_frame){.stream = stream, .view_count = 1, .deadline_ns = deadline}, now);
}

static void test_a_partial_batch_goes_early(void **state)
{
    (void)state;
    rig r = make_timed_rig(8, 100 * MS);
    vrs_batch_frame *a = add_due(&r, 0, 20 * MS, 0);
    assert_int_equal(choose(&r, 0, false), 0);
    assert_true(r.next_ns == 20 * MS - needs(1));
    vrs_batch_frame *b = add_due(&r, 1, 50 * MS, 1);
    assert_int_equal(choose(&r, 1, false), 0);
    assert_true(r.next_ns == 20 * MS - needs(2));
    assert_int_equal(choose(&r, r.next_ns - 1, false), 0);
    EXPECT(&r, 20 * MS - needs(2), a, b);
    /* Nobody waits longer than the delay for that. */
    a = add_due(&r, 0, 900 * MS, 100 * MS);
    assert_int_equal(choose(&r, 100 * MS, false), 0);
    assert_true(r.next_ns == 200 * MS);
    EXPECT(&r, 200 * MS, a);
    vrs_batch_queue_destroy(r.queue);
}

/* A view that comes when the batch with it would be late does not come with it. */
static void test_a_deadline_beats_a_full_batch(void **state)
{
    (void)state;
    rig r = make_timed_rig(4, 100 * MS);
    vrs_batch_frame *a = add_due(&r, 0, 20 * MS, 0);
    int64_t now = 20 * MS - needs(2) + 1;
    vrs_batch_frame *b = add(&r, 1, 0, now);
    EXPECT(&r, now, a);
    vrs_batch_frame *c = add(&r, 2, 0, now), *d = add(&r, 3, 0, now), *e = add(&r, 4, 0, now);
    EXPECT(&r, now, b, c, d, e);
    /* Four wait, three are in time. */
    vrs_batch_frame *f[4];
    for (uint32_t i = 0; i < 4; i++)
        f[i] = add_due(&r, i, now + needs(3), now);
    EXPECT(&r, now, f[0], f[1], f[2]);
    vrs_batch_queue_destroy(r.queue);
}

/* The nearest deadline of a level goes first; lost ones do not make batches small. */
static void test_deadlines_have_an_order(void **state)
{
    (void)state;
    rig r = make_timed_rig(4, 100 * MS);
    vrs_batch_frame *a = add(&r, 0, 0, 0), *b = add_due(&r, 1, 60 * MS, 0);
    vrs_batch_frame *c = add_due(&r, 2, 40 * MS, 0), *d = add_due(&r, 3, 50 * MS, 0);
    EXPECT(&r, 0, c, d, b, a);
    int64_t now = 100 * MS;
    for (uint32_t i = 0; i < 4; i++)
        add_due(&r, i, now + needs(1) - 1, now);
    assert_int_equal(choose(&r, now, false), 4);
    add_due(&r, 0, 7, now);
    assert_int_equal(choose(&r, now, false), 1); /* too late already: it does not wait for more */
    vrs_batch_queue_destroy(r.queue);
}

static void test_nothing_is_known_yet(void **state)
{
    (void)state;
    vrs_batch_settings settings = defaults(4);
    settings.max_queue_delay_ns = 100 * MS;
    rig r = make_rig(settings);
    vrs_batch_frame *a = add_due(&r, 0, 1000 * MS, 0);
    EXPECT(&r, 0, a);
    vrs_batch_queue_took(r.queue, 1, 3 * MS);
    add_due(&r, 0, 1000 * MS, 0);
    assert_int_equal(choose(&r, 0, false), 0);
    vrs_batch_queue_destroy(r.queue);
}

/* ---- */

static void test_limit(void **state)
{
    (void)state;
    vrs_batch_settings settings = defaults(16);
    settings.preferred[0] = 8;
    settings.preferred_count = 1;
    rig r = make_rig(settings);
    vrs_batch_queue_set_limit(r.queue, 4);
    for (uint32_t i = 0; i < 20; i++)
        add(&r, i, 0, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(choose(&r, 0, false), 4);
    vrs_batch_queue_set_limit(r.queue, 16);
    assert_int_equal(choose(&r, 0, false), 8);
    assert_int_equal(choose(&r, 0, false), 0);
    vrs_batch_queue_destroy(r.queue);
}

/* Times at the ends of their type. */
static void test_far_times(void **state)
{
    (void)state;
    vrs_batch_settings settings = defaults(4);
    settings.max_queue_delay_ns = settings.age_ns = settings.timeout_ns[1] = INT64_MAX;
    rig r = make_rig(settings);
    vrs_batch_queue_took(r.queue, 1, INT64_MAX / 2);
    add_due(&r, 0, INT64_MAX, 5);
    assert_int_equal(choose(&r, 6, false), 0);
    add_due(&r, 1, INT64_MIN, 7);
    assert_null(vrs_batch_queue_expire(r.queue, 8));
    assert_int_equal(choose(&r, 9, false), 2);
    vrs_batch_queue_destroy(r.queue);
}

static vrs_status make_queue(void *opaque)
{
    vrs_batch_queue *queue = NULL;
    vrs_status status = vrs_batch_queue_create(opaque, &queue);
    vrs_batch_queue_destroy(queue);
    return status;
}

static void test_refused_memory(void **state)
{
    (void)state;
    vrs_batch_settings settings = defaults(4);
    assert_int_equal(inject_all(make_queue, &settings), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_or_late),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_poor),
        cmocka_unit_test(test_preferred),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_ageing),
        cmocka_unit_test(test_lending),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_recurrent),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_late_frames_that_stay),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_a_partial_batch_goes_early),
        cmocka_unit_test(test_a_deadline_beats_a_full_batch),
        cmocka_unit_test(test_deadlines_have_an_order),
        cmocka_unit_test(test_nothing_is_known_yet),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_far_times),
        cmocka_unit_test(test_refused_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
