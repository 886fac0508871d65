/* Live mode and the figures of time, on a fake engine and a clock that stands still until it is
 * told to go on: so every latency is known to the nanosecond. */
#define _XOPEN_SOURCE 700
#include <sched.h>
#include <stdio.h>

#include "base/clock.h"
#include "pipeline/bottleneck.h"
#include "pipeline/internal.h"
#include "support/configure.h"
#include "support/fake_engine.h"
#include "support/inject.h"
#include "support/temp.h"

#define WIDTH 64
#define HEIGHT 32
#define MS (VRS_NS_PER_S / 1000)

static char folder[256];

typedef struct rig {
    vrs_config *config;
    vrs_model *model;
    vrs_pipeline *pipeline;
} rig;

/* Writes a descriptor and returns its path, which is good until the next call. */
static const char *write_model(const char *name, const char *input, const char *classes,
                               const char *more)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s.yaml", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "title: test\nlicence: Apache-2.0\nsource: none\nbatch: free\n"
            "input: {name: in, %s, scale: 1/255}\n"
            "output: {name: out, activation: none, %s}\n%s",
            input, classes, more);
    fclose(file);
    return path;
}

static rig make_rig(const char *settings)
{
    rig r = {0};
    const char *path = write_model("model", "width: 16, height: 8", "classes: [person]", "");
    assert_int_equal(vrs_model_load(path, &r.model), VRS_OK);
    assert_int_equal(vrs_config_create(&r.config), VRS_OK);
    configure(r.config, settings);
    vrs_clock_use_virtual(VRS_NS_PER_S);
    if (vrs_pipeline_create_on(r.config, r.model, &fake_engine_ops, &r.pipeline) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    return r;
}

static void drop_rig(rig *r)
{
    vrs_pipeline_destroy(r->pipeline);
    vrs_clock_use_real();
    vrs_model_destroy(r->model);
    vrs_config_destroy(r->config);
}

/* A gray picture, captured so long ago. */
static void submit(rig *r, uint32_t stream, int64_t id, int64_t age_ns)
{
    vrs_frame frame = {.id = id, .stream = stream, .capture_ns = vrs_now_ns() - age_ns};
    assert_int_equal(vrs_image_alloc(&frame.image, VRS_FORMAT_RGB24, WIDTH, HEIGHT), VRS_OK);
    for (int32_t y = 0; y < HEIGHT; y++)
        memset(frame.image.planes[0] + y * frame.image.strides[0], (int)(id * 5 % 256), 3 * WIDTH);
    if (vrs_pipeline_submit(r->pipeline, &frame, -1) != VRS_OK)
        fail_msg("%s", vrs_last_error());
}

static vrs_result *take(rig *r, int64_t id)
{
    vrs_result *result = NULL;
    if (vrs_pipeline_get_result(r->pipeline, &result, -1) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_int_equal(result->id, id);
    return result;
}

static int value_of(const vrs_result *result)
{
    return result->outputs[0].planes[0][0];
}

static uint32_t steps_now(const rig *r)
{
    return vrs_pipeline_get_stats(r->pipeline).live_steps;
}

/* Until the batcher has decided on the frame: its run has begun, or it is finished without one. */
static void await_decision(const rig *r, int32_t runs, uint64_t finished)
{
    while (fake_engine_runs() == runs && vrs_pipeline_get_stats(r->pipeline).finished == finished)
        (void)sched_yield();
}

/* One frame that is ready `latency` after its capture, if it goes through the network. */
static vrs_status pass(rig *r, int64_t id, int64_t latency_ns, int *value, bool *repeated)
{
    int32_t runs = fake_engine_runs();
    uint64_t finished = vrs_pipeline_get_stats(r->pipeline).finished;
    fake_engine_hold(true);
    submit(r, 0, id, 0);
    await_decision(r, runs, finished);
    vrs_clock_advance_ns(latency_ns);
    fake_engine_hold(false);
    vrs_result *result = take(r, id);
    vrs_status status = result->status;
    *value = status == VRS_OK ? value_of(result) : -1;
    *repeated = result->repeated;
    vrs_result_release(result);
    return status;
}

static void expect_near(int64_t value, int64_t expected)
{
    if (value < expected - expected / 100 || value > expected + expected / 100)
        fail_msg("%lld ns, expected %lld within 1 %%", (long long)value, (long long)expected);
}

/* Captured 1..100 ms before: every percentile, the mean and the maximum, each stream by itself. */
static void test_latency(void **state)
{
    (void)state;
    rig r = make_rig("latency_target_us=90000 refine=off max_queue_delay_us=0");
    for (int64_t n = 1; n <= 100; n++) {
        submit(&r, 0, n, n * MS);
        vrs_result_release(take(&r, n));
        submit(&r, 5, n, 7 * MS);
        vrs_result_release(take(&r, n));
    }
    vrs_latency one = vrs_pipeline_get_latency(r.pipeline, 0);
    assert_int_equal(one.frames, 100);
    assert_int_equal(one.missed, 10);
    assert_int_equal(one.max_ns, 100 * MS);
    assert_int_equal(one.mean_ns, 50 * MS + MS / 2);
    assert_int_equal(one.jitter_ns, MS);
    expect_near(one.p50_ns, 50 * MS);
    expect_near(one.p95_ns, 95 * MS);
    expect_near(one.p99_ns, 99 * MS);
    vrs_latency other = vrs_pipeline_get_latency(r.pipeline, 5);
    assert_int_equal(other.jitter_ns, 0);
    expect_near(other.p99_ns, 7 * MS);
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(r.pipeline);
    assert_int_equal(stats.latency.frames, 200);
    assert_int_equal(stats.latency.missed, 10);
    assert_int_equal(stats.latency_target_ns, 90 * MS);
    assert_int_equal(stats.dropped + stats.live_changes, 0);
    assert_int_equal(vrs_pipeline_get_latency(r.pipeline, 1).frames, 0);
    assert_int_equal(vrs_pipeline_get_latency(r.pipeline, VRS_MAX_STREAMS).frames, 0);
    drop_rig(&r);
}

/* A frame that was finished long ago could not be fetched before those in front of it, and a reader
 * who comes late does not count. */
static void test_latency_is_in_order(void **state)
{
    (void)state;
    rig r = make_rig("refine=off max_queue_delay_us=0 requests=1 max_batch_size=1");
    fake_engine_hold(true);
    submit(&r, 0, 0, 0);
    submit(&r, 0, 1, 0);
    vrs_clock_advance_ns(20 * MS);
    fake_engine_hold(false);
    assert_int_equal(vrs_pipeline_drain(r.pipeline, -1), VRS_OK);
    vrs_clock_advance_ns(500 * MS);
    vrs_result_release(take(&r, 0));
    vrs_result_release(take(&r, 1));
    assert_int_equal(vrs_pipeline_get_latency(r.pipeline, 0).max_ns, 20 * MS);
    drop_rig(&r);
}

/* What is too late when its turn comes has a result that says so, in its place, without outputs;
 * the first frame of a stream is never left out. */
static void test_late_frames_are_dropped(void **state)
{
    (void)state;
    rig r = make_rig("live=on latency_target_us=30000 refine=off max_queue_delay_us=0");
    submit(&r, 0, 0, 500 * MS);
    submit(&r, 0, 1, 0);
    submit(&r, 0, 2, 31 * MS);
    submit(&r, 0, 3, 30 * MS);
    for (int64_t id = 0; id < 4; id++) {
        vrs_result *result = take(&r, id);
        assert_int_equal(result->status, id == 2 ? VRS_DROPPED : VRS_OK);
        assert_int_equal(result->output_count, id == 2 ? 0 : 1);
        if (id == 2)
            assert_non_null(strstr(result->detail, "latency_target_us"));
        vrs_result_release(result);
    }
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(r.pipeline);
    assert_int_equal(stats.finished, 4);
    assert_int_equal(stats.dropped, 1);
    assert_int_equal(stats.failed, 0);
    assert_int_equal(stats.latency.frames, 3);
    drop_rig(&r);
}

/* All frames are late: one step, then the next; then none is, and they are taken back one by one,
 * with a reason each. */
static void test_steps(void **state)
{
    (void)state;
    rig r = make_rig("live=on latency_target_us=30000 refine=on max_queue_delay_us=0 requests=1");
    int64_t id = 0;
    int value, last = 0;
    bool repeated;
    while (steps_now(&r) != (VRS_LIVE_NO_REFINEMENT | VRS_LIVE_EVERY_SECOND)) {
        assert_true(id < 60);
        assert_int_equal(pass(&r, id++, 40 * MS, &value, &repeated), VRS_OK);
        assert_false(repeated);
        last = value;
    }
    for (int i = 0; i < 10; i++) { /* every second one has the mask before it */
        assert_int_equal(pass(&r, id, 40 * MS, &value, &repeated), VRS_OK);
        assert_int_equal(repeated, i % 2 == 0);
        assert_in_range(value + 1, repeated ? last + 1 : id * 5 % 256,
                        repeated ? last + 1 : id * 5 % 256 + 2);
        last = value;
        id++;
    }
    int64_t quiet = 0;
    while (steps_now(&r) != 0) {
        assert_true(quiet++ < 300);
        assert_int_equal(pass(&r, id++, 20 * MS, &value, &repeated), VRS_OK);
    }
    assert_true(quiet >= 2 * 100); /* of 20 ms: two seconds each */
    vrs_live_change changes[VRS_LIVE_CHANGES];
    assert_int_equal(vrs_pipeline_get_changes(r.pipeline, changes, VRS_LIVE_CHANGES), 4);
    static const uint32_t expected[] = {0, 1, 3, 1, 0};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(changes[i].from, expected[i]);
        assert_int_equal(changes[i].to, expected[i + 1]);
        assert_non_null(
            strstr(changes[i].reason, i < 2 ? "target of 30.0 ms" : "no frame was late"));
        assert_true(i == 0 || changes[i].time_ns > changes[i - 1].time_ns);
    }
    assert_int_equal(vrs_pipeline_get_changes(r.pipeline, changes, 1), 1);
    assert_int_equal(changes[0].to, 0);
    assert_true(vrs_pipeline_get_stats(r.pipeline).repeated >= 5);
    drop_rig(&r);
}

/* A red frame through whichever network: the first one's mask is the red channel, the smaller one's
 * the green one, which is half of it. */
static int pass_red(rig *r, int64_t id, int64_t latency_ns, bool *repeated)
{
    vrs_frame frame = {.id = id, .capture_ns = vrs_now_ns()};
    int32_t runs = fake_engine_runs();
    uint64_t finished = vrs_pipeline_get_stats(r->pipeline).finished;
    assert_int_equal(vrs_image_alloc(&frame.image, VRS_FORMAT_RGB24, WIDTH, HEIGHT), VRS_OK);
    for (int32_t y = 0; y < HEIGHT; y++)
        for (int32_t x = 0; x < WIDTH; x++) {
            frame.image.planes[0][y * frame.image.strides[0] + 3 * x] = 200;
            frame.image.planes[0][y * frame.image.strides[0] + 3 * x + 1] = 100;
        }
    fake_engine_hold(true);
    assert_int_equal(vrs_pipeline_submit(r->pipeline, &frame, -1), VRS_OK);
    await_decision(r, runs, finished);
    vrs_clock_advance_ns(latency_ns);
    fake_engine_hold(false);
    vrs_result *result = take(r, id);
    assert_int_equal(result->status, VRS_OK);
    const vrs_image *mask = &result->outputs[0];
    int value = value_of(result);
    for (int32_t y = 0; y < mask->height; y++) /* the same all over */
        for (int32_t x = 0; x < mask->width; x++)
            assert_in_range(mask->planes[0][y * mask->strides[0] + x], value - 1, value + 1);
    *repeated = result->repeated;
    vrs_result_release(result);
    return value;
}

/* The last step: another network's masks, at the size of the first one's; and back. */
static void test_smaller_input(void **state)
{
    (void)state;
    const uint32_t all = VRS_LIVE_EVERY_SECOND | VRS_LIVE_SMALLER_INPUT;
    char settings[768], text[64];
    snprintf(settings, sizeof(settings),
             "live=on latency_target_us=30000 refine=off max_queue_delay_us=0 requests=1 "
             "smaller_model=%s",
             write_model("smaller", "width: 8, height: 4",
                         "classes: [other, person], person: [person]", ""));
    rig r = make_rig(settings);
    assert_non_null(strstr(vrs_pipeline_get_engine(r.pipeline), "smaller.yaml"));
    int64_t id = 0;
    int32_t small = 0;
    bool repeated;
    while (steps_now(&r) != all) {
        assert_true(id < 80);
        assert_in_range(pass_red(&r, id++, 40 * MS, &repeated), 199, 201);
    }
    vrs_live_steps_text(all, text, sizeof(text));
    assert_string_equal(text, "every second mask, smaller input");
    for (int i = 0; i < 8; i++) {
        int value = pass_red(&r, id++, 20 * MS, &repeated);
        small += repeated ? 0 : 1;
        if (small > 0)
            assert_in_range(value, 99, 101);
    }
    assert_int_equal(small, 4);
    for (int i = 0; steps_now(&r) != 0; i++) {
        assert_true(i < 600);
        (void)pass_red(&r, id++, 20 * MS, &repeated);
    }
    (void)pass_red(&r, id++, 20 * MS, &repeated);
    assert_in_range(pass_red(&r, id++, 20 * MS, &repeated), 199, 201);
    vrs_live_change changes[VRS_LIVE_CHANGES];
    static const uint32_t expected[] = {2, 6, 2, 0};
    assert_int_equal(vrs_pipeline_get_changes(r.pipeline, changes, VRS_LIVE_CHANGES), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(changes[i].to, expected[i]);
    drop_rig(&r);
}

typedef struct smaller_case {
    vrs_config *config;
    vrs_model *model;
} smaller_case;

static vrs_status make_with_smaller(void *opaque)
{
    const smaller_case *c = opaque;
    vrs_pipeline *pipeline = NULL;
    vrs_frame frame = {0};
    vrs_result *result = NULL;
    vrs_status status = vrs_pipeline_create_on(c->config, c->model, &fake_engine_ops, &pipeline);
    if (status == VRS_OK)
        status = vrs_pipeline_start(pipeline);
    if (status == VRS_OK)
        status = vrs_image_alloc(&frame.image, VRS_FORMAT_RGB24, WIDTH, HEIGHT);
    if (status == VRS_OK)
        status = vrs_pipeline_submit(pipeline, &frame, -1);
    if (status == VRS_OK)
        status = vrs_pipeline_get_result(pipeline, &result, -1);
    vrs_result_release(result);
    vrs_image_release(&frame.image);
    vrs_pipeline_destroy(pipeline);
    return status;
}

/* What cannot take over is refused when the pipeline is made, and each failure of that is told. */
static void test_smaller_refused(void **state)
{
    (void)state;
    static const struct {
        const char *input, *more, *says;
    } cases[] = {
        {"width: 8, height: 8", "", "proportions"},
        {"width: 32, height: 16", "", "smaller size"},
        {"width: 16, height: 8", "", "smaller size"},
        {"width: 8, height: 4", "states: [{input: a, output: b, channels: 1, divisor: 4}]\n",
         "each frame by itself"},
    };
    /* How many processors there are is guessed where it cannot be read. */
    static const vrs_status also[] = {VRS_OK, VRS_IO};
    rig r = make_rig("live=on");
    smaller_case c = {.model = r.model};
    assert_int_equal(vrs_config_create(&c.config), VRS_OK);
    configure(c.config, "live=on");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *path =
            write_model("smaller", cases[i].input, "classes: [person]", cases[i].more);
        assert_int_equal(vrs_config_set(c.config, "smaller_model", path), VRS_OK);
        assert_int_equal(make_with_smaller(&c), VRS_INVALID);
        assert_non_null(strstr(vrs_last_error(), cases[i].says));
    }
    assert_int_equal(vrs_config_set(c.config, "smaller_model", "no-such-model"), VRS_OK);
    assert_int_equal(make_with_smaller(&c), VRS_NOT_FOUND);
    configure(c.config, "degrade=off"); /* then it is not looked at */
    assert_int_equal(make_with_smaller(&c), VRS_OK);
    configure(c.config, "degrade=on");
    const char *path = write_model("smaller", "width: 8, height: 4", "classes: [person]", "");
    assert_int_equal(vrs_config_set(c.config, "smaller_model", path), VRS_OK);
    vrs_clock_use_real();
    assert_true(inject_all_allowing(make_with_smaller, &c, also, 2) > 60);
    vrs_config_destroy(c.config);
    drop_rig(&r);
}

/* A repeated frame is refined or smoothed as little as asked for, and where the frame before it has
 * failed there is nothing to repeat. */
static void check_nothing_to_repeat(const char *more)
{
    char settings[256];
    snprintf(settings, sizeof(settings),
             "live=on latency_target_us=30000 refine=off max_queue_delay_us=0 requests=1 %s", more);
    rig r = make_rig(settings);
    int value;
    bool repeated;
    int64_t id = 0;
    while (steps_now(&r) != VRS_LIVE_EVERY_SECOND)
        assert_int_equal(pass(&r, id++, 40 * MS, &value, &repeated), VRS_OK);
    vrs_pipeline_reset_stream(r.pipeline, 0);
    fake_plan.fail_every = 1;
    assert_int_equal(pass(&r, id++, 0, &value, &repeated), VRS_ENGINE);
    assert_int_equal(pass(&r, id++, 0, &value, &repeated), VRS_DROPPED);
    assert_true(repeated);
    fake_plan.fail_every = 0;
    assert_int_equal(pass(&r, id++, 0, &value, &repeated), VRS_OK);
    assert_int_equal(pass(&r, id, 0, &value, &repeated), VRS_OK);
    assert_true(repeated);
    assert_in_range(value + 1, (id - 1) * 5 % 256, (id - 1) * 5 % 256 + 2);
    drop_rig(&r);
}

static void test_nothing_to_repeat(void **state)
{
    (void)state;
    check_nothing_to_repeat("");
    check_nothing_to_repeat("smooth=on smooth_motion=off smooth_weight=1");
    check_nothing_to_repeat("smooth=on smooth_weight=1");
}

/* Not asked for: no step, whatever the latency. */
static void test_no_steps(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "live=on degrade=off latency_target_us=30000 max_queue_delay_us=0",
        "latency_target_us=30000 max_queue_delay_us=0"};
    for (int i = 0; i < 2; i++) {
        rig r = make_rig(settings[i]);
        int value;
        bool repeated;
        for (int64_t id = 0; id < 80; id++)
            assert_int_equal(pass(&r, id, 40 * MS, &value, &repeated), VRS_OK);
        assert_int_equal(vrs_pipeline_get_stats(r.pipeline).live_changes, 0);
        assert_int_equal(vrs_pipeline_get_stats(r.pipeline).latency.missed, 80);
        drop_rig(&r);
    }
}

/* Frames come faster than they are fetched: the queue stays within the tickets, and each frame has
 * one result, in order, dropped or repeated or not. */
static void test_never_a_growing_queue(void **state)
{
    (void)state;
    rig r = make_rig("live=on latency_target_us=30000 refine=off max_queue_delay_us=0 requests=1 "
                     "tickets=8");
    int64_t fetched = 0, frames = 1000;
    for (int64_t id = 0; id < frames; id++) {
        fake_engine_hold(true);
        submit(&r, 0, id, 0);
        vrs_clock_advance_ns(5 * MS);
        fake_engine_hold(false);
        while (fetched + 6 < id)
            vrs_result_release(take(&r, fetched++));
        assert_true(vrs_pipeline_get_stats(r.pipeline).tickets_in_use <= 8);
    }
    while (fetched < frames)
        vrs_result_release(take(&r, fetched++));
    assert_int_equal(vrs_pipeline_get_stats(r.pipeline).finished, frames);
    drop_rig(&r);
}

/* --- where time goes by --- */

static vrs_bottleneck_finding find(const rig *r, double seconds)
{
    vrs_bottleneck b;
    vrs_bottleneck_finding finding;
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(r->pipeline);
    vrs_bottleneck_of_stats(&stats, seconds, &b);
    vrs_bottleneck_find(&b, &finding);
    return finding;
}

static void submit_one(void *arg)
{
    rig *r = arg;
    vrs_frame frame = {.id = 99};
    assert_int_equal(vrs_image_alloc(&frame.image, VRS_FORMAT_RGB24, WIDTH, HEIGHT), VRS_OK);
    assert_int_equal(vrs_pipeline_submit(r->pipeline, &frame, 1000000), VRS_TIMEOUT);
    vrs_image_release(&frame.image);
}

/* Nobody releases results: a second of submitting goes by, and the consumer is named. */
static void test_consumer(void **state)
{
    (void)state;
    rig r = make_rig("refine=off max_queue_delay_us=0 requests=1 tickets=2");
    submit(&r, 0, 0, 0);
    submit(&r, 0, 1, 0);
    assert_int_equal(vrs_pipeline_drain(r.pipeline, -1), VRS_OK);
    vrs_thread thread = {0};
    assert_int_equal(vrs_thread_start(&thread, "submit", submit_one, &r), VRS_OK);
    vrs_clock_await_waiters(1);
    vrs_clock_advance_ns(VRS_NS_PER_S);
    vrs_thread_join(&thread);
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(r.pipeline);
    assert_int_equal(stats.wait_ns, VRS_NS_PER_S);
    assert_int_equal(stats.unread_ns, VRS_NS_PER_S);
    assert_int_equal(stats.short_ns, 0);
    assert_int_equal(stats.stages[VRS_STAGE_POSTPROCESS].blocked_ns,
                     VRS_NS_PER_S * stats.stages[VRS_STAGE_POSTPROCESS].threads);
    vrs_bottleneck_finding finding = find(&r, 1);
    assert_int_equal(finding.resource, VRS_RESOURCE_CONSUMER);
    drop_rig(&r);
}

/* The engine holds its only run for a second while frames wait for it: it was busy, what is before
 * it blocked, what is behind it starved. */
static void test_slow_network(void **state)
{
    (void)state;
    rig r = make_rig("refine=off max_queue_delay_us=0 requests=1 tickets=8 preprocess_threads=2 "
                     "postprocess_threads=1");
    fake_engine_hold(true);
    submit(&r, 0, 0, 0);
    await_decision(&r, 0, 0);
    for (int64_t id = 1; id < 4; id++)
        submit(&r, 0, id, 0);
    vrs_clock_advance_ns(VRS_NS_PER_S);
    fake_engine_hold(false);
    for (int64_t id = 0; id < 4; id++)
        vrs_result_release(take(&r, id));
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(r.pipeline);
    const vrs_stage_stats *stages = stats.stages;
    assert_int_equal(stages[VRS_STAGE_INFER].busy_ns, VRS_NS_PER_S);
    assert_int_equal(stages[VRS_STAGE_INFER].starved_ns, 0);
    assert_int_equal(stages[VRS_STAGE_PREPROCESS].busy_ns, 0);
    assert_int_equal(stages[VRS_STAGE_PREPROCESS].blocked_ns, 2 * VRS_NS_PER_S);
    assert_int_equal(stages[VRS_STAGE_PREPROCESS].starved_ns, 0);
    assert_int_equal(stages[VRS_STAGE_POSTPROCESS].starved_ns, VRS_NS_PER_S);
    assert_true(stages[VRS_STAGE_INFER].queue_most >= 3);
    vrs_bottleneck_finding finding = find(&r, 1);
    assert_true(finding.found);
    assert_int_equal(finding.resource, VRS_RESOURCE_COUNT);
    assert_int_equal(finding.stage, VRS_STAGE_INFER);
    drop_rig(&r);
}

int main(void)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency),
        cmocka_unit_test(test_latency_is_in_order),
        cmocka_unit_test(test_late_frames_are_dropped),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_smaller_input),
        cmocka_unit_test(test_smaller_refused),
        cmocka_unit_test(test_nothing_to_repeat),
        cmocka_unit_test(test_no_steps),
        cmocka_unit_test(test_never_a_growing_queue),
        cmocka_unit_test(test_consumer),
        cmocka_unit_test(test_slow_network),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
