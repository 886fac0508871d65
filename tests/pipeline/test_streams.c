/* Many streams in one pipeline: priorities, deadlines, limits, time-outs, cancelling, threads, and
 * what callers do wrong. One frame in, one result out, in all of it. */
#define _XOPEN_SOURCE 700
#include <sched.h>

#include "pipeline/rig.h"

#define RECURRENT "states: [{input: a, output: b, channels: 1, divisor: 16}]\n"

static rig start_rig(const char *settings)
{
    fake_plan.counts_frames = false; /* also after a test that failed */
    rig r = make_rig(settings);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    return r;
}

static vrs_frame frame_of(int64_t id, uint32_t stream, int32_t priority)
{
    vrs_frame frame = make_frame(id, frame_value(id), WIDTH, HEIGHT);
    frame.stream = stream;
    frame.priority = priority;
    return frame;
}

static void submit_to(rig *r, int64_t id, uint32_t stream, int32_t priority)
{
    vrs_frame frame = frame_of(id, stream, priority);
    if (vrs_pipeline_submit(r->pipeline, &frame, -1) != VRS_OK)
        fail_msg("frame %lld: %s", (long long)id, vrs_last_error());
}

/* The next result is this frame's; where it has no mask of its own it shows background. */
static void expect_result(rig *r, int64_t id, vrs_status status)
{
    vrs_result *result = NULL;
    if (vrs_pipeline_get_result(r->pipeline, &result, -1) != VRS_OK)
        fail_msg("frame %lld: %s", (long long)id, vrs_last_error());
    assert_int_equal(result->id, id);
    if (result->status != status)
        fail_msg("frame %lld: %s", (long long)id, vrs_status_name(result->status));
    check_mask(result, status == VRS_OK ? frame_value(id) : 0);
    assert_int_equal(result->detail[0] != 0, status != VRS_OK);
    vrs_result_release(result);
}

static void expect_end(rig *r)
{
    vrs_result *result;
    vrs_pipeline_finish(r->pipeline);
    assert_int_equal(vrs_pipeline_get_result(r->pipeline, &result, -1), VRS_END);
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(r->pipeline);
    assert_int_equal(stats.finished, stats.submitted);
    assert_int_equal(stats.waiting, 0);
}

static void await_runs(int32_t runs)
{
    while (fake_engine_runs() < runs)
        (void)sched_yield();
}

/* One run is in the engine and stays there: what comes now waits in the queue. */
static void occupy(rig *r, int64_t id, uint32_t stream)
{
    fake_engine_hold(true);
    submit_to(r, id, stream, 0);
    await_runs(1);
}

/* Nothing is so old that it would move up a level while a test runs. */
#define ONE_SLOT                                                  \
    "requests=1 max_batch_size=1 max_queue_delay_us=0 tickets=8 " \
    "priority_age_us=60000000 "

static void test_priorities(void **state)
{
    (void)state;
    for (int ready = 0; ready < 2; ready++) {
        rig r = start_rig(ready ? ONE_SLOT "priority_levels=3 result_order=ready "
                                           "postprocess_threads=1"
                                : ONE_SLOT "priority_levels=3");
        occupy(&r, 0, 0);
        submit_to(&r, 1, 1, 3);
        submit_to(&r, 2, 2, 0);
        submit_to(&r, 3, 3, 1);
        submit_to(&r, 4, 1, 3);
        fake_engine_hold(false);
        static const int64_t orders[2][5] = {{0, 1, 2, 3, 4}, {0, 3, 2, 1, 4}};
        for (int i = 0; i < 5; i++)
            expect_result(&r, orders[ready][i], VRS_OK);
        expect_end(&r);
        drop_rig(&r);
    }
}

static void test_refuse(void **state)
{
    (void)state;
    rig r = start_rig(ONE_SLOT "max_queue_size=2 queue_overflow=refuse");
    occupy(&r, 0, 0);
    submit_to(&r, 1, 0, 0);
    submit_to(&r, 2, 1, 0);
    vrs_frame more = frame_of(3, 2, 0);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &more, -1), VRS_REFUSED);
    assert_non_null(strstr(vrs_last_error(), "max_queue_size"));
    assert_non_null(more.image.release); /* it is still the caller's */
    fake_engine_hold(false);
    for (int64_t id = 0; id < 3; id++)
        expect_result(&r, id, VRS_OK);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &more, -1), VRS_OK);
    expect_result(&r, 3, VRS_OK);
    assert_int_equal(vrs_pipeline_get_stats(r.pipeline).refused, 1);
    expect_end(&r);
    drop_rig(&r);
}

static void test_drop_oldest(void **state)
{
    (void)state;
    static const char *const settings[] = {
        ONE_SLOT "max_queue_size=2 queue_overflow=drop_oldest",
        ONE_SLOT "max_queue_size=2 queue_overflow=drop_oldest smooth=on smooth_weight=1",
        ONE_SLOT "max_queue_size=2 queue_overflow=drop_oldest result_order=ready smooth=on "
                 "smooth_weight=1"};
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        rig r = start_rig(settings[i]);
        occupy(&r, 0, 0);
        for (int64_t id = 1; id < 6; id++)
            submit_to(&r, id, 0, 0);
        fake_engine_hold(false);
        for (int64_t id = 0; id < 6; id++)
            expect_result(&r, id, id >= 1 && id <= 3 ? VRS_DROPPED : VRS_OK);
        vrs_pipeline_stats stats = vrs_pipeline_get_stats(r.pipeline);
        assert_int_equal(stats.dropped, 3);
        assert_int_equal(stats.failed, 0);
        assert_int_equal(stats.most_waiting, 2);
        expect_end(&r);
        drop_rig(&r);
    }
}

static void submit_second(void *arg)
{
    rig *r = arg;
    submit_to(r, 2, 1, 0);
}

/* A frame too many waits outside, and comes in when one has gone. */
static void test_block(void **state)
{
    (void)state;
    rig r = start_rig(ONE_SLOT "max_queue_size=1");
    occupy(&r, 0, 0);
    submit_to(&r, 1, 1, 0);
    vrs_frame more = frame_of(9, 2, 0);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &more, 0), VRS_TIMEOUT);
    vrs_image_release(&more.image);
    vrs_thread thread = {0};
    assert_int_equal(vrs_thread_start(&thread, "submit", submit_second, &r), VRS_OK);
    fake_engine_hold(false);
    vrs_thread_join(&thread);
    for (int64_t id = 0; id < 3; id++)
        expect_result(&r, id, VRS_OK);
    expect_end(&r);
    drop_rig(&r);
    /* A batch that could grow does not wait for more while nobody can come in. */
    r = start_rig("max_queue_size=1 max_batch_size=4 requests=1 max_queue_delay_us=10000000");
    for (int64_t id = 0; id < 3; id++)
        submit_to(&r, id, (uint32_t)id, 0);
    for (int64_t id = 0; id < 3; id++)
        expect_result(&r, id, VRS_OK);
    drop_rig(&r);
}

static void test_timeouts(void **state)
{
    (void)state;
    for (int stays = 0; stays < 2; stays++) {
        vrs_clock_use_virtual(1000000000);
        rig r = start_rig(stays ? ONE_SLOT "priority_levels=2 queue_timeout_us=1000,5000 "
                                           "timeout_action=continue"
                                : ONE_SLOT "priority_levels=2 queue_timeout_us=1000,5000");
        occupy(&r, 0, 0);
        submit_to(&r, 1, 1, 1);
        submit_to(&r, 2, 1, 2);
        submit_to(&r, 3, 2, 2);
        vrs_clock_advance_ns(1000 * VRS_NS_PER_US);
        while (!stays && vrs_pipeline_get_stats(r.pipeline).timed_out < 1)
            (void)sched_yield();
        assert_int_equal(vrs_pipeline_get_stats(r.pipeline).timed_out, stays ? 0 : 1);
        vrs_clock_advance_ns(3999 * VRS_NS_PER_US);
        fake_engine_hold(false);
        expect_result(&r, 0, VRS_OK);
        expect_result(&r, 1, stays ? VRS_OK : VRS_TIMEOUT);
        expect_result(&r, 2, VRS_OK);
        expect_result(&r, 3, VRS_OK);
        expect_end(&r);
        drop_rig(&r);
        vrs_clock_use_real();
    }
}

/* With a deadline nobody has to wait for results to get an incomplete batch going. */
static void test_deadlines(void **state)
{
    (void)state;
    rig r = start_rig("max_batch_size=8 max_queue_delay_us=10000000 latency_target_us=5000");
    vrs_frame frame = frame_of(0, 0, 0);
    frame.capture_ns = 77;
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_OK);
    await_runs(1);
    vrs_result *result;
    assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
    assert_int_equal(result->deadline_ns, 77 + 5000000);
    vrs_result_release(result);
    frame = frame_of(1, 0, 0);
    frame.deadline_ns = 1;
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_OK);
    await_runs(2);
    assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
    assert_int_equal(result->deadline_ns, 1);
    vrs_result_release(result);
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(r.pipeline);
    assert_int_equal(stats.batches[1], 2);
    drop_rig(&r);
}

/* ---- cancelling ---- */

static void test_cancel_in_every_state(void **state)
{
    (void)state;
    rig r = make_rig(ONE_SLOT);
    assert_int_equal(vrs_pipeline_cancel_stream(r.pipeline, 0), 0); /* not started */
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    assert_int_equal(vrs_pipeline_cancel_stream(r.pipeline, 0), 0); /* no such stream yet */
    assert_int_equal(vrs_pipeline_cancel_stream(r.pipeline, VRS_MAX_STREAMS), 0);
    occupy(&r, 0, 0);
    assert_int_equal(vrs_pipeline_cancel_stream(r.pipeline, 0), 0); /* in the engine */
    submit_to(&r, 1, 0, 0);
    submit_to(&r, 2, 1, 0);
    submit_to(&r, 3, 0, 0);
    assert_int_equal(vrs_pipeline_cancel_stream(r.pipeline, 0), 2); /* waiting */
    submit_to(&r, 4, 0, 0);
    fake_engine_hold(false);
    assert_int_equal(vrs_pipeline_drain(r.pipeline, -1), VRS_OK);
    assert_int_equal(vrs_pipeline_cancel_stream(r.pipeline, 0), 0); /* results that wait */
    for (int64_t id = 0; id < 5; id++)
        expect_result(&r, id, id == 1 || id == 3 ? VRS_CANCELLED : VRS_OK);
    vrs_pipeline_finish(r.pipeline);
    assert_int_equal(vrs_pipeline_cancel_stream(r.pipeline, 0), 0); /* finished */
    assert_int_equal(vrs_pipeline_get_stats(r.pipeline).cancelled, 2);
    expect_end(&r);
    drop_rig(&r);
}

/* The fake network counts a stream's frames. What ends a past is not lost with the frame that was
 * to be the first of the new one. */
static void expect_count(rig *r, int64_t id, int count)
{
    vrs_result *result;
    assert_int_equal(vrs_pipeline_get_result(r->pipeline, &result, -1), VRS_OK);
    assert_int_equal(result->id, id);
    if (count > 0)
        assert_int_equal(result->status, VRS_OK);
    check_mask(result, count);
    vrs_result_release(result);
}

static void test_the_past_ends(void **state)
{
    (void)state;
    fake_plan.counts_frames = true;
    for (int later = 0; later < 2; later++) {
        rig r = make_rig_with(ONE_SLOT "max_queue_size=1 queue_overflow=drop_oldest", RECURRENT);
        assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
        submit_to(&r, 0, 0, 0);
        expect_count(&r, 0, 1);
        fake_engine_hold(true);
        submit_to(&r, 1, 0, 0);
        await_runs(2);
        vrs_pipeline_reset_stream(r.pipeline, 0);
        submit_to(&r, 2, 0, 0); /* the first of a new past */
        if (later)
            assert_int_equal(vrs_pipeline_cancel_stream(r.pipeline, 0), 1);
        submit_to(&r, 3, 0, 0); /* drops it, unless it is gone */
        fake_engine_hold(false);
        expect_count(&r, 1, 2);
        expect_count(&r, 2, 0);
        expect_count(&r, 3, 1);
        expect_end(&r);
        drop_rig(&r);
    }
    fake_plan.counts_frames = false;
}

/* ---- threads ---- */

#define THREADS 16
#define FRAMES 60

typedef struct sender {
    rig *r;
    uint32_t stream;
    vrs_thread thread;
    int refused, failed;
} sender;

/* Frame n of stream s has the id 1000 * s + n. */
static void send_frames(void *arg)
{
    sender *self = arg;
    for (int64_t n = 0; n < (self->stream % 5 == 4 ? FRAMES / 2 : FRAMES); n++) {
        vrs_frame frame =
            frame_of(1000 * self->stream + n, self->stream, (int32_t)self->stream % 3);
        vrs_status status = vrs_pipeline_submit(self->r->pipeline, &frame, -1);
        if (status != VRS_OK)
            vrs_image_release(&frame.image);
        self->refused += status == VRS_REFUSED;
        self->failed += status != VRS_OK && status != VRS_REFUSED;
    }
}

/* Sixteen threads send a stream each; some stop half way, four streams never send. */
static void test_many_submitters(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "max_batch_size=8 requests=3 tickets=5 priority_levels=2 result_order=ready",
        "max_batch_size=4 requests=2 tickets=4 priority_levels=2",
        "max_batch_size=8 requests=2 tickets=4 priority_levels=2 smooth=on smooth_weight=1 "
        "max_queue_size=4 queue_overflow=drop_oldest",
        "max_batch_size=8 requests=2 tickets=4 priority_levels=2 max_queue_size=3,9 "
        "result_order=ready",
        "max_batch_size=8 requests=1 tickets=4 priority_levels=2 max_queue_size=9 "
        "queue_overflow=refuse queue_timeout_us=100 latency_target_us=100",
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        rig r = make_rig(settings[i]);
        assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
        sender senders[THREADS];
        int64_t next[THREADS] = {0}, expected = 0, got = 0;
        for (uint32_t s = 0; s < THREADS; s++) {
            senders[s] = (sender){.r = &r, .stream = s};
            expected += s % 5 == 4 ? FRAMES / 2 : FRAMES;
            assert_int_equal(vrs_thread_start(&senders[s].thread, "send", send_frames, &senders[s]),
                             VRS_OK);
        }
        vrs_result *result;
        vrs_status status;
        while ((status = vrs_pipeline_get_result(r.pipeline, &result, 1000)) != VRS_END) {
            if (status == VRS_TIMEOUT) {
                uint64_t sent = vrs_pipeline_get_stats(r.pipeline).submitted +
                                vrs_pipeline_get_stats(r.pipeline).refused;
                if (sent == (uint64_t)expected)
                    vrs_pipeline_finish(r.pipeline);
                continue;
            }
            assert_int_equal(status, VRS_OK);
            assert_true(result->id % 1000 >= next[result->stream]);
            next[result->stream] = result->id % 1000 + 1;
            check_mask(result, result->status == VRS_OK ? frame_value(result->id) : 0);
            vrs_result_release(result);
            got++;
        }
        for (int s = 0; s < THREADS; s++) {
            vrs_thread_join(&senders[s].thread);
            got += senders[s].refused;
            assert_int_equal(senders[s].failed, 0);
        }
        assert_int_equal(got, expected);
        vrs_pipeline_stats stats = vrs_pipeline_get_stats(r.pipeline);
        assert_int_equal(stats.finished + stats.refused, expected);
        assert_int_equal(stats.failed + stats.cancelled, 0);
        drop_rig(&r);
    }
}

/* ---- what callers do wrong ---- */

static void test_bad_frames(void **state)
{
    (void)state;
    rig r = start_rig(ONE_SLOT "priority_levels=3");
    static const struct {
        int32_t priority;
        int64_t deadline_ns, capture_ns;
    } wrong[] = {{-1, 0, 0}, {4, 0, 0},         {INT32_MAX, 0, 0}, {INT32_MIN, 0, 0},
                 {0, -1, 0}, {0, INT64_MIN, 0}, {0, 0, -1}};
    vrs_frame frame = frame_of(0, 0, 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        frame.priority = wrong[i].priority;
        frame.deadline_ns = wrong[i].deadline_ns;
        frame.capture_ns = wrong[i].capture_ns;
        assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_INVALID);
        assert_non_null(frame.image.release);
    }
    assert_non_null(strstr(vrs_last_error(), "vrs_now_ns()"));
    vrs_image_release(&frame.image);
    /* Ids are the caller's own. */
    static const int64_t ids[] = {5, 5, 3, INT64_MAX, INT64_MIN, 5};
    for (int i = 0; i < 6; i++) {
        frame = make_frame(0, 9, WIDTH, HEIGHT);
        frame.id = ids[i];
        assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_OK);
    }
    for (int i = 0; i < 6; i++) {
        vrs_result *result;
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
        assert_true(result->id == ids[i]);
        vrs_result_release(result);
    }
    expect_end(&r);
    drop_rig(&r);
}

static void test_bad_settings(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "max_batch_size=4 preferred_batch_sizes=8", "preferred_batch_sizes=0",
        "priority_levels=2 default_priority_level=3", "max_queue_size=-1",
        "priority_levels=3 queue_timeout_us=1,2"};
    vrs_model *model = load_model("model", "");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        vrs_config *config = NULL;
        vrs_pipeline *pipeline = NULL;
        assert_int_equal(vrs_config_create(&config), VRS_OK);
        configure(config, wrong[i]);
        assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline),
                         VRS_INVALID);
        assert_null(pipeline);
        vrs_config_destroy(config);
    }
    vrs_model_destroy(model);
}

static void test_after_the_end(void **state)
{
    (void)state;
    rig r = start_rig(ONE_SLOT);
    submit_to(&r, 0, 0, 0);
    vrs_pipeline_finish(r.pipeline);
    vrs_frame frame = frame_of(1, 0, 0);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_CLOSED);
    assert_int_equal(vrs_pipeline_cancel_stream(r.pipeline, 1), 0);
    vrs_pipeline *const gone[] = {r.pipeline, NULL};
    vrs_pipeline_destroy(r.pipeline);
    for (int i = 0; i < 2; i++) {
        vrs_result *result;
        vrs_output_desc desc = {.kind = VRS_OUTPUT_MASK};
        assert_int_equal(vrs_pipeline_submit(gone[i], &frame, -1), VRS_INVALID);
        assert_int_equal(vrs_pipeline_get_result(gone[i], &result, -1), VRS_INVALID);
        assert_null(result);
        assert_non_null(strstr(vrs_last_error(), "destroyed"));
        assert_int_equal(vrs_pipeline_drain(gone[i], -1), VRS_INVALID);
        assert_int_equal(vrs_pipeline_start(gone[i]), VRS_INVALID);
        assert_int_equal(vrs_pipeline_add_output(gone[i], &desc), VRS_INVALID);
        assert_int_equal(vrs_pipeline_cancel_stream(gone[i], 0), 0);
        assert_int_equal(vrs_pipeline_get_stats(gone[i]).submitted, 0);
        vrs_pipeline_finish(gone[i]);
        vrs_pipeline_reset_stream(gone[i], 0);
        vrs_pipeline_destroy(gone[i]);
    }
    vrs_image_release(&frame.image);
    r.pipeline = NULL;
    drop_rig(&r);
}

/* A thread that submits one frame without a limit of time; a frame that is refused stays its own.
 */
typedef struct one_more {
    rig *r;
    vrs_frame frame;
    vrs_status status;
    char detail[VRS_DETAIL_SIZE];
    vrs_thread thread;
} one_more;

static void submit_one_more(void *arg)
{
    one_more *self = arg;
    self->status = vrs_pipeline_submit(self->r->pipeline, &self->frame, -1);
    snprintf(self->detail, sizeof(self->detail), "%s", vrs_last_error());
}

static void start_one_more(one_more *self, rig *r, int64_t id)
{
    *self = (one_more){.r = r, .frame = frame_of(id, 0, 0)};
    assert_int_equal(vrs_thread_start(&self->thread, "submit", submit_one_more, self), VRS_OK);
    while (atomic_load(&r->pipeline->waiting) == 0)
        (void)sched_yield();
}

static void expect_refused(one_more *self, vrs_status status, const char *words)
{
    vrs_thread_join(&self->thread);
    assert_int_equal(self->status, status);
    assert_non_null(strstr(self->detail, words));
    assert_non_null(self->frame.image.release);
    vrs_image_release(&self->frame.image);
}

/* Nobody ever reads: submitting says so in time, also where old frames may be dropped, for those
 * have results that nobody reads either. */
static void test_a_reader_that_never_reads(void **state)
{
    (void)state;
    static const char *const settings[] = {ONE_SLOT, ONE_SLOT "result_order=ready",
                                           ONE_SLOT "max_queue_size=1 queue_overflow=drop_oldest"};
    for (int i = 0; i < 3; i++) {
        vrs_clock_use_virtual(VRS_NS_PER_S);
        rig r = start_rig(settings[i]);
        for (int64_t id = 0; id < 8; id++)
            submit_to(&r, id, 0, 0);
        assert_int_equal(vrs_pipeline_drain(r.pipeline, -1), VRS_OK);
        vrs_frame frame = frame_of(8, 0, 0);
        assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, 0), VRS_TIMEOUT);
        vrs_image_release(&frame.image);
        one_more more;
        start_one_more(&more, &r, 9);
        vrs_clock_await_waiters(1);
        vrs_clock_advance_ns(2 * VRS_NS_PER_S);
        expect_refused(&more, VRS_FULL, "all 8 tickets hold finished results");
        assert_int_equal(vrs_pipeline_get_stats(r.pipeline).submitted, 8);
        drop_rig(&r);
        vrs_clock_use_real();
    }
}

/* What waits to come in when nothing more may come is refused, and stays its thread's own. */
static void test_finish_while_submitting(void **state)
{
    (void)state;
    rig r = start_rig(ONE_SLOT);
    occupy(&r, 0, 0);
    for (int64_t id = 1; id < 8; id++)
        submit_to(&r, id, 0, 0);
    one_more more;
    start_one_more(&more, &r, 8);
    vrs_pipeline_finish(r.pipeline);
    expect_refused(&more, VRS_CLOSED, "takes no more frames");
    fake_engine_hold(false);
    for (int64_t id = 0; id < 8; id++)
        expect_result(&r, id, VRS_OK);
    expect_end(&r);
    drop_rig(&r);
}

/* A frame of which one eye is in the network can be given up no more, the one behind it can. */
static void test_cancel_half_way(void **state)
{
    (void)state;
    rig r = start_rig(ONE_SLOT "layout=sbs");
    occupy(&r, 0, 0);
    submit_to(&r, 1, 0, 0);
    submit_to(&r, 2, 1, 0);
    assert_int_equal(vrs_pipeline_cancel_stream(r.pipeline, 0), 1);
    fake_engine_hold(false);
    expect_result(&r, 0, VRS_OK);
    expect_result(&r, 1, VRS_CANCELLED);
    expect_result(&r, 2, VRS_OK);
    expect_end(&r);
    drop_rig(&r);
}

/* One stream stops in the middle of a batch that could grow, another never sends: the third one's
 * frames go on, and the end comes. */
static void test_a_stream_that_stops(void **state)
{
    (void)state;
    static const char *const settings[] = {"", "result_order=ready", "smooth=on smooth_weight=1"};
    for (int i = 0; i < 3; i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "max_batch_size=4 max_queue_delay_us=10000000 tickets=4 requests=1 %s",
                 settings[i]);
        rig r = start_rig(text);
        submit_to(&r, 0, 0, 0);
        submit_to(&r, 1, 0, 0); /* and no more */
        expect_result(&r, 0, VRS_OK);
        expect_result(&r, 1, VRS_OK);
        for (int64_t id = 2; id < 20; id++) {
            submit_to(&r, id, 2, 0);
            expect_result(&r, id, VRS_OK);
        }
        vrs_latency silent = vrs_pipeline_get_latency(r.pipeline, 1);
        assert_int_equal(silent.frames, 0);
        assert_int_equal(vrs_pipeline_get_latency(r.pipeline, 0).frames, 2);
        expect_end(&r);
        drop_rig(&r);
    }
    /* None of them ever sends. */
    rig r = start_rig("");
    expect_end(&r);
    drop_rig(&r);
}

static void test_too_many_pipelines(void **state)
{
    (void)state;
    static rig rigs[VRS_MAX_PIPELINES];
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    for (int i = 0; i < VRS_MAX_PIPELINES; i++)
        rigs[i] = make_rig("tickets=2 requests=1");
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    assert_int_equal(vrs_pipeline_create_on(config, rigs[0].model, &fake_engine_ops, &pipeline),
                     VRS_UNSUPPORTED);
    vrs_config_destroy(config);
    for (int i = 0; i < VRS_MAX_PIPELINES; i++)
        drop_rig(&rigs[i]);
}

/* ---- memory pressure ---- */

static void submit_and_take(rig *r, int64_t *id, int count)
{
    fake_engine_hold(true);
    for (int i = 0; i < count; i++)
        submit_to(r, *id + i, 0, 0);
    fake_engine_hold(false);
    for (int i = 0; i < count; i++)
        expect_result(r, (*id)++, VRS_OK);
}

/* Batches become smaller while memory is short, and larger after quiet, if the engine can. */
static void press_and_recover(const char *settings, int32_t most)
{
    int64_t id = 0;
    vrs_clock_use_virtual(0);
    fake_plan.room = most;
    rig r = start_rig(settings);
    assert_int_equal(vrs_pipeline_get_stats(r.pipeline).batch_limit, most);
    assert_true(vrs_batcher_press(r.pipeline));
    assert_true(vrs_batcher_press(r.pipeline));
    int32_t low = vrs_pipeline_get_stats(r.pipeline).batch_limit;
    assert_int_equal(low, 2); /* a quarter, and then what the engine has up to that */
    submit_and_take(&r, &id, 16);
    assert_in_range(fake_engine_largest_batch(), 1, 2);
    fake_plan.room = 2; /* the first growth has no room */
    vrs_clock_advance_ns(VRS_BATCH_QUIET_NS);
    submit_and_take(&r, &id, 16);
    assert_int_equal(vrs_pipeline_get_stats(r.pipeline).batch_limit, low);
    assert_in_range(fake_engine_largest_batch(), 1, 2);
    fake_plan.room = most;
    for (int i = 0; i < 8 && vrs_pipeline_get_stats(r.pipeline).batch_limit < most; i++) {
        vrs_clock_advance_ns(2 * VRS_BATCH_QUIET_NS);
        submit_and_take(&r, &id, 16);
    }
    assert_int_equal(vrs_pipeline_get_stats(r.pipeline).batch_limit, most);
    while (vrs_batcher_press(r.pipeline)) {
    }
    assert_int_equal(vrs_pipeline_get_stats(r.pipeline).batch_limit, 1);
    drop_rig(&r);
    fake_plan.room = 0;
    vrs_clock_use_real();
}

static void test_pressure(void **state)
{
    (void)state;
    press_and_recover("max_batch_size=8 requests=1 tickets=16 max_queue_delay_us=0", 8);
    press_and_recover("max_batch_size=12 requests=1 tickets=16 max_queue_delay_us=0", 12);
    /* Smaller batches give nothing back here, so they stay. */
    rig r = start_rig("max_batch_size=8 requests=1");
    assert_false(vrs_batcher_press(r.pipeline));
    assert_int_equal(vrs_pipeline_get_stats(r.pipeline).batch_limit, 8);
    drop_rig(&r);
}

int main(void)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_drop_oldest),
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_cancel_in_every_state),
        cmocka_unit_test(test_the_past_ends),
        cmocka_unit_test(test_many_submitters),
        cmocka_unit_test(test_bad_frames),
        cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_after_the_end),
        cmocka_unit_test(test_a_reader_that_never_reads),
        cmocka_unit_test(test_finish_while_submitting),
        cmocka_unit_test(test_cancel_half_way),
        cmocka_unit_test(test_a_stream_that_stops),
        cmocka_unit_test(test_too_many_pipelines),
        cmocka_unit_test(test_pressure),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
