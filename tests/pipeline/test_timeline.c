/* A run's figures over its time: sums are kept however often stretches are merged. */
#include <math.h>

#include "pipeline/timeline.h"

#include "support/inject.h"

static void expect(double value, double expected)
{
    if (fabs(value - expected) > 1e-6)
        fail_msg("%.9f, expected %.9f", value, expected);
}

/* Ten hours in ticks of a quarter of a second: 100 frames a second in the first half, 50 then. */
static void test_long_run(void **state)
{
    (void)state;
    static vrs_timeline t;
    vrs_pipeline_stats stats = {0};
    stats.stages[VRS_STAGE_INFER].threads = 4;
    const int ticks = 10 * 3600 * 4;
    for (int n = 1; n <= ticks; n++) {
        bool first = n <= ticks / 2;
        stats.finished += first ? 25 : 0;
        stats.finished += !first && n % 2 == 0 ? 25 : 0;
        stats.stages[VRS_STAGE_INFER].busy_ns += first ? 1000000000 : 500000000;
        stats.stages[VRS_STAGE_INFER].starved_ns += first ? 0 : 250000000;
        stats.stages[VRS_STAGE_INFER].queue_now = 3;
        vrs_timeline_add(&t, &stats, n * 0.25, n * 0.5, 4, n == ticks);
    }
    assert_in_range(t.count, VRS_LOAD_SAMPLES / 4, VRS_LOAD_SAMPLES);
    double frames = 0, busy = 0, starved = 0, cpu = 0, at = 0;
    for (int32_t i = 0; i < t.count; i++) {
        const vrs_load_sample *s = &t.samples[i];
        double length = s->end_seconds - s->begin_seconds;
        expect(s->begin_seconds, at);
        at = s->end_seconds;
        frames += s->fps * length;
        busy += s->busy[VRS_STAGE_INFER] * length * 4;
        starved += s->starved[VRS_STAGE_INFER] * length * 4;
        cpu += s->cpu_share * length * 4;
        expect(s->queue[VRS_STAGE_INFER], 3);
    }
    expect(at, ticks * 0.25);
    expect(frames, (double)stats.finished);
    expect(busy, (double)stats.stages[VRS_STAGE_INFER].busy_ns / 1e9);
    expect(starved, (double)stats.stages[VRS_STAGE_INFER].starved_ns / 1e9);
    expect(cpu, ticks * 0.5);
    expect(t.samples[0].fps, 100);
    expect(t.samples[0].busy[VRS_STAGE_INFER], 1);
    assert_true(fabs(t.samples[t.count - 1].fps - 50) < 1);
}

/* A tick that comes too early adds nothing, unless it is the last; one without time never does. */
static void test_short_run(void **state)
{
    (void)state;
    static vrs_timeline t;
    vrs_pipeline_stats stats = {.finished = 1};
    vrs_timeline_add(&t, &stats, 0.1, 0, 0, false);
    assert_int_equal(t.count, 0);
    vrs_timeline_add(&t, &stats, 0.1, 0, 0, true);
    assert_int_equal(t.count, 1);
    expect(t.samples[0].fps, 10);
    vrs_timeline_add(&t, &stats, 0.1, 0, 0, true);
    assert_int_equal(t.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_long_run),
                                       cmocka_unit_test(test_short_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
