/* The steps of live mode by simulation: a machine with a cost for each level that works off frames
 * one after another and drops those that are late when their turn comes, as the pipeline does. */
#include <stdlib.h>

#include "base/clock.h"
#include "pipeline/degrade.h"
#include "support/inject.h"

#define LEVELS 3
#define MS (VRS_NS_PER_S / 1000)

typedef struct machine {
    int64_t cost[LEVELS]; /* of a frame, by level */
    int64_t jitter_ns;
} machine;

typedef struct outcome {
    int32_t downs, ups, last;
    int64_t frames, dropped, late, longest_queue;
    int64_t at_level[LEVELS]; /* frames that came in at it */
    int64_t last_change_ns;
} outcome;

static uint32_t random_state;

static int64_t jitter(int64_t most)
{
    random_state = random_state * 1664525u + 1013904223u;
    return most > 0 ? (int64_t)(random_state >> 8) % most : 0;
}

/* `fps` frames a second for `seconds`; `slow` times the cost between two moments. */
static outcome simulate(const machine *m, int fps, int seconds, double slow, int from_s, int to_s,
                        vrs_degrade *d)
{
    outcome o = {0};
    int64_t interval = VRS_NS_PER_S / fps, free_ns = 0;
    vrs_degrade_init(d, LEVELS, 3 * interval);
    for (int64_t n = 0; n < (int64_t)seconds * fps; n++) {
        int64_t capture = n * interval;
        int64_t begin = capture > free_ns ? capture : free_ns;
        int64_t waiting = (begin - capture) / interval;
        o.longest_queue = waiting > o.longest_queue ? waiting : o.longest_queue;
        bool busy_time = capture >= from_s * VRS_NS_PER_S && capture < to_s * VRS_NS_PER_S;
        int64_t cost =
            (int64_t)((double)(m->cost[d->level] + jitter(m->jitter_ns)) * (busy_time ? slow : 1));
        bool drop = begin - capture > d->target_ns;
        int64_t end = drop ? begin : begin + cost;
        free_ns = end;
        o.frames++;
        o.at_level[d->level]++;
        o.dropped += drop;
        o.late += drop || end - capture > d->target_ns;
        vrs_degrade_change change;
        if (!vrs_degrade_frame(d, end, drop ? INT64_MAX : end - capture, &change))
            continue;
        assert_int_equal(abs(change.to - change.from), 1);
        assert_int_equal(change.to, d->level);
        assert_true(change.time_ns >= o.last_change_ns);
        o.downs += change.to > change.from;
        o.ups += change.to < change.from;
        o.last_change_ns = change.time_ns;
        o.last = change.to;
        if (change.to > change.from)
            assert_true(change.late >= VRS_DEGRADE_LATE && change.of <= VRS_DEGRADE_WINDOW);
        else
            assert_true(change.quiet_ns >= VRS_DEGRADE_QUIET_NS);
    }
    return o;
}

/* A machine that keeps up, with some jitter, never changes. */
static void test_enough(void **state)
{
    (void)state;
    vrs_degrade d;
    machine m = {{8 * MS, 5 * MS, 3 * MS}, 2 * MS};
    outcome o = simulate(&m, 90, 600, 1, 0, 0, &d);
    assert_int_equal(o.downs + o.ups, 0);
    assert_int_equal(o.late, 0);
}

/* Single late frames, one in eight: no step. */
static void test_hiccups(void **state)
{
    (void)state;
    vrs_degrade d;
    vrs_degrade_change change;
    vrs_degrade_init(&d, LEVELS, 30 * MS);
    for (int64_t n = 0; n < 5000; n++)
        assert_false(vrs_degrade_frame(&d, n * 10 * MS, n % 8 == 0 ? 50 * MS : 10 * MS, &change));
}

/* Another program takes the machine for half a minute: down at once, up afterwards, all the way,
 * and the queue stays as short as the target says. */
static void test_load_comes_and_goes(void **state)
{
    (void)state;
    vrs_degrade d;
    machine m = {{9 * MS, 6 * MS, 3 * MS}, MS};
    outcome o = simulate(&m, 90, 240, 2.5, 30, 60, &d);
    assert_int_equal(d.level, 0);
    assert_true(o.downs == o.ups && o.downs >= 2);
    assert_true(o.at_level[2] > 20 * 90);
    assert_true(o.longest_queue <= 3 + 3); /* the target, and what one frame takes */
    assert_true(o.last_change_ns < 190 * VRS_NS_PER_S);
    /* While it lasts a step up is tried rarely: few frames are lost to it. */
    assert_true(o.late < 200);
}

/* A machine that never can: at the last level it stays but for rarer and rarer attempts. */
static void test_no_oscillation(void **state)
{
    (void)state;
    vrs_degrade d;
    machine m = {{20 * MS, 14 * MS, 8 * MS}, MS};
    outcome o = simulate(&m, 90, 3600, 1, 0, 0, &d);
    assert_true(o.at_level[2] > o.frames * 97 / 100);
    assert_true(o.downs <= 45);
    assert_true(o.late < o.frames / 50);
    /* The second level is enough. */
    machine half = {{20 * MS, 9 * MS, 5 * MS}, MS};
    o = simulate(&half, 90, 3600, 1, 0, 0, &d);
    assert_true(o.at_level[1] > o.frames * 97 / 100);
    assert_true(o.downs <= 45);
}

/* Not even the last level is enough: no step is left, frames are dropped, and nothing grows. */
static void test_hopeless(void **state)
{
    (void)state;
    vrs_degrade d;
    machine m = {{50 * MS, 40 * MS, 30 * MS}, MS};
    outcome o = simulate(&m, 90, 120, 1, 0, 0, &d);
    assert_int_equal(o.last, LEVELS - 1);
    assert_int_equal(o.downs, LEVELS - 1);
    assert_int_equal(o.ups, 0);
    assert_true(o.longest_queue <= 3 + 5);
    assert_true(o.dropped > o.frames / 2);
}

/* After trouble that is long past, the first quiet is asked for again. */
static void test_forgets(void **state)
{
    (void)state;
    vrs_degrade d;
    machine m = {{9 * MS, 6 * MS, 3 * MS}, MS};
    (void)simulate(&m, 90, 1800, 2.5, 30, 300, &d);
    assert_int_equal(d.level, 0);
    assert_int_equal(d.quiet_ns, VRS_DEGRADE_QUIET_NS);
}

static void test_one_level(void **state)
{
    (void)state;
    vrs_degrade d;
    vrs_degrade_change change;
    vrs_degrade_init(&d, 1, MS);
    for (int64_t n = 0; n < 1000; n++)
        assert_false(vrs_degrade_frame(&d, n * MS, INT64_MAX, &change));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_enough),
                                       cmocka_unit_test(test_hiccups),
                                       cmocka_unit_test(test_load_comes_and_goes),
                                       cmocka_unit_test(test_no_oscillation),
                                       cmocka_unit_test(test_hopeless),
                                       cmocka_unit_test(test_forgets),
                                       cmocka_unit_test(test_one_level)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
