/* Spans and their totals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "base/thread.h"
#include "support/inject.h"

typedef struct visited {
    int count;
    int64_t last_frame;
    uint32_t last_track;
    char names[4][32];
} visited;

static void visit(void *opaque, const char *track_name, const vrs_span *span)
{
    visited *seen = opaque;
    if (seen->count > 0 && span->track == seen->last_track)
        assert_true(span->frame == seen->last_frame + 1);
    assert_true(span->end_ns - span->begin_ns == span->frame);
    snprintf(seen->names[span->track], sizeof(seen->names[0]), "%s", track_name);
    seen->last_frame = span->frame;
    seen->last_track = span->track;
    seen->count++;
}

static void test_last_spans_and_all_totals(void **state)
{
    (void)state;
    vrs_recorder *recorder = NULL;
    assert_int_equal(vrs_recorder_create(2, 5, &recorder), VRS_OK); /* 5 becomes 8 */
    vrs_track *first = vrs_recorder_track(recorder, "first");
    vrs_track *second = vrs_recorder_track(recorder, "a name that is longer than thirty-one bytes");
    assert_non_null(first);
    assert_non_null(second);
    assert_null(vrs_recorder_track(recorder, "third"));
    assert_null(vrs_recorder_track(recorder, "fourth"));
    vrs_track_record(NULL, 0, 1, 2, 3);
    for (int64_t i = 0; i < 20; i++)
        vrs_track_record(first, 3, i, 100, 100 + i);
    for (int64_t i = 0; i < 4; i++)
        vrs_track_record(second, i == 3 ? 31 : 3, i, 0, i);
    vrs_span_totals totals = vrs_recorder_totals(recorder, 3);
    assert_int_equal(totals.count, 23);
    assert_int_equal(totals.busy_ns, 190 + 3);
    assert_int_equal(totals.max_ns, 19);
    totals = vrs_recorder_totals(recorder, 31);
    assert_int_equal(totals.count, 1);
    assert_int_equal(totals.max_ns, 3);
    assert_int_equal(vrs_recorder_totals(recorder, 0).count, 0);

    visited seen = {0};
    vrs_recorder_visit(recorder, visit, &seen);
    assert_int_equal(seen.count, 8 + 4);
    assert_string_equal(seen.names[0], "first");
    assert_string_equal(seen.names[1], "a name that is longer than thir");
    vrs_recorder_destroy(recorder);
    vrs_recorder_destroy(NULL);
}

#define SPANS 50000

typedef struct recording {
    vrs_recorder *recorder;
    atomic_uint ended;
} recording;

static void record(void *arg)
{
    recording *all = arg;
    vrs_track *track = vrs_recorder_track(all->recorder, "record");
    for (int64_t i = 0; i < SPANS; i++)
        vrs_track_record(track, 1, i, i, i + 2);
    atomic_fetch_add(&all->ended, 1);
}

static void test_totals_while_recording(void **state)
{
    (void)state;
    recording all = {0};
    vrs_thread threads[2] = {0};
    assert_int_equal(vrs_recorder_create(2, 64, &all.recorder), VRS_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(vrs_thread_start(&threads[i], "record", record, &all), VRS_OK);
    uint64_t last = 0;
    bool more = true;
    while (more) {
        more = atomic_load(&all.ended) < 2;
        vrs_span_totals totals = vrs_recorder_totals(all.recorder, 1);
        assert_true(totals.count >= last);
        assert_true(totals.busy_ns >= (int64_t)totals.count * 2);
        assert_true(totals.max_ns == 2 || totals.count == 0);
        last = totals.count;
    }
    assert_int_equal(last, 2 * SPANS);
    for (int i = 0; i < 2; i++)
        vrs_thread_join(&threads[i]);
    vrs_recorder_destroy(all.recorder);
}

static void test_drain(void **state)
{
    (void)state;
    vrs_recorder *recorder = NULL;
    visited seen = {0};
    assert_int_equal(vrs_recorder_create(2, 8, &recorder), VRS_OK);
    assert_int_equal(vrs_recorder_drain(recorder, visit, &seen), 0);
    vrs_track *track = vrs_recorder_track(recorder, "first");
    for (int64_t i = 0; i < 5; i++)
        vrs_track_record(track, 3, i, 100, 100 + i);
    assert_int_equal(vrs_recorder_drain(recorder, visit, &seen), 0);
    assert_int_equal(seen.count, 5);
    assert_int_equal(vrs_recorder_drain(recorder, visit, &seen), 0);
    assert_int_equal(seen.count, 5);
    /* One place of the ring is always about to be written over: seven of eight can be read. */
    for (int64_t i = 5; i < 25; i++)
        vrs_track_record(track, 3, i, 100, 100 + i);
    seen.last_frame = 17;
    assert_int_equal(vrs_recorder_drain(recorder, visit, &seen), 13);
    assert_int_equal(seen.count, 5 + 7);
    assert_int_equal(seen.last_frame, 24);
    vrs_recorder_destroy(recorder);
}

typedef struct drained {
    uint64_t count[2];
    int64_t next[2];
} drained;

/* Whole spans alone, each later than the one before. */
static void check_span(void *opaque, const char *track_name, const vrs_span *span)
{
    drained *d = opaque;
    assert_string_equal(track_name, "record");
    assert_true(span->begin_ns == span->frame && span->end_ns == span->frame + 2);
    assert_true(span->frame >= d->next[span->track]);
    d->next[span->track] = span->frame + 1;
    d->count[span->track]++;
}

static void test_drain_while_recording(void **state)
{
    (void)state;
    recording all = {0};
    drained d = {0};
    vrs_thread threads[2] = {0};
    uint64_t lost = 0;
    assert_int_equal(vrs_recorder_create(2, 64, &all.recorder), VRS_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(vrs_thread_start(&threads[i], "record", record, &all), VRS_OK);
    bool more = true;
    while (more) {
        more = atomic_load(&all.ended) < 2;
        lost += vrs_recorder_drain(all.recorder, check_span, &d);
    }
    for (int i = 0; i < 2; i++)
        vrs_thread_join(&threads[i]);
    assert_true(d.count[0] + d.count[1] + lost == UINT64_C(2) * SPANS);
    assert_int_equal(d.next[0], SPANS);
    assert_int_equal(d.next[1], SPANS);
    vrs_recorder_destroy(all.recorder);
}

static vrs_status make_recorder(void *opaque)
{
    (void)opaque;
    vrs_recorder *recorder = NULL;
    vrs_status status = vrs_recorder_create(3, 16, &recorder);
    vrs_recorder_destroy(recorder);
    return status;
}

static void test_refused_memory(void **state)
{
    (void)state;
    assert_int_equal(inject_all(make_recorder, NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_spans_and_all_totals),
        cmocka_unit_test(test_totals_while_recording),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_while_recording),
        cmocka_unit_test(test_refused_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
