/* The pipeline on a fake engine: order, batches, views, failures, ends. */
#define _XOPEN_SOURCE 700
#include <sched.h>
#include <unistd.h>

#include "pipeline/rig.h"

/* The loop as users write it, in one thread, for every mixture of batch, delay and smoothing. */
static void test_submit_one_get_one(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "max_batch_size=1",
        "max_batch_size=4 max_queue_delay_us=10000000",
        "max_batch_size=16 max_queue_delay_us=0",
        "max_batch_size=3 max_queue_delay_us=10000000 smooth=on smooth_weight=1",
        "max_batch_size=16 tickets=2 requests=1",
        "layout=sbs max_batch_size=3 requests=2",
        "layout=tb max_batch_size=1 requests=1 tickets=2 max_queue_delay_us=10000000"};
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        rig r = make_rig(settings[i]);
        assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
        for (int64_t id = 0; id < 20; id++) {
            submit(&r, id);
            take(&r, id, -1);
        }
        drop_rig(&r);
    }
}

/* Results come in order, whatever the engine does, and fetching polls. */
static void test_order(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "requests=4 preprocess_threads=1 postprocess_threads=1 tickets=12",
        "requests=4 preprocess_threads=5 postprocess_threads=7 tickets=12 max_batch_size=2",
        "requests=1 preprocess_threads=16 postprocess_threads=16 max_batch_size=16 tickets=40",
        ("requests=8 postprocess_threads=3 layout=sbs max_batch_size=5 tickets=9 smooth=on "
         "smooth_weight=1")};
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        rig r = make_rig(settings[i]);
        assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
        int64_t fetched = 0;
        for (int64_t id = 0; id < 200; id++) {
            vrs_frame frame = make_frame(id, frame_value(id), WIDTH, HEIGHT);
            while (vrs_pipeline_submit(r.pipeline, &frame, 0) != VRS_OK)
                take(&r, fetched++, -1);
        }
        vrs_pipeline_finish(r.pipeline);
        while (fetched < 200)
            take(&r, fetched++, -1);
        vrs_result *result;
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_END);
        vrs_pipeline_stats stats = vrs_pipeline_get_stats(r.pipeline);
        assert_int_equal(stats.finished, 200);
        assert_int_equal(stats.stages[VRS_STAGE_POSTPROCESS].frames, 200);
        drop_rig(&r);
    }
}

/* Sizes that batches are to have are compiled, with one view and the largest; else the engine
 * chooses. */
static void test_preferred_sizes_are_compiled(void **state)
{
    (void)state;
    static const struct {
        const char *settings;
        int32_t batches[5];
    } cases[] = {
        {"max_batch_size=16 preferred_batch_sizes=4,8", {1, 4, 8, 0}},
        {"max_batch_size=4 preferred_batch_sizes=1,2", {1, 2, 0}},
        {"max_batch_size=16 preferred_batch_sizes=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
         {1, 2, 3, 4, 5}},
        {"max_batch_size=16", {0}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig r = make_rig(cases[i].settings);
        assert_memory_equal(r.pipeline->engine->params.batches, cases[i].batches,
                            sizeof(cases[i].batches));
        drop_rig(&r);
    }
}

static void test_batches_fill(void **state)
{
    (void)state;
    rig r = make_rig("max_batch_size=8 requests=1 tickets=64 max_queue_delay_us=10000000");
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    fake_engine_hold(true);
    for (int64_t id = 0; id < 32; id++)
        submit(&r, id);
    fake_engine_hold(false);
    for (int64_t id = 0; id < 32; id++)
        take(&r, id, -1);
    assert_int_equal(fake_engine_largest_batch(), 8);
    assert_int_equal(fake_engine_runs(), 4);
    drop_rig(&r);
}

static void read_all(void *arg)
{
    rig *r = arg;
    vrs_result *result;
    while (vrs_pipeline_get_result(r->pipeline, &result, -1) == VRS_OK)
        vrs_result_release(result);
}

/* A reader that waits sends off what would be waited for in vain, not what could become a batch. */
static void test_batches_fill_beside_a_reader(void **state)
{
    (void)state;
    rig r = make_rig("max_batch_size=4 requests=2 tickets=64 max_queue_delay_us=10000000");
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    fake_engine_hold(true);
    vrs_thread reader = {0};
    assert_int_equal(vrs_thread_start(&reader, "reader", read_all, &r), VRS_OK);
    submit(&r, 0);
    while (fake_engine_runs() < 1)
        (void)sched_yield();
    for (int64_t id = 1; id <= 4; id++)
        submit(&r, id);
    while (fake_engine_runs() < 2)
        (void)sched_yield();
    assert_int_equal(fake_engine_largest_batch(), 4);
    fake_engine_hold(false);
    vrs_pipeline_finish(r.pipeline);
    vrs_thread_join(&reader);
    drop_rig(&r);
}

static void test_unread_results_are_reported(void **state)
{
    (void)state;
    rig r = make_rig("tickets=4");
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    for (int64_t id = 0; id < 4; id++)
        submit(&r, id);
    assert_int_equal(vrs_pipeline_drain(r.pipeline, -1), VRS_OK);
    vrs_frame frame = make_frame(4, 0, WIDTH, HEIGHT);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, 0), VRS_TIMEOUT);
    vrs_result *result;
    assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, 0), VRS_OK);
    /* This thread fetches too: waiting could not end. */
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_FULL);
    assert_non_null(strstr(vrs_last_error(), "vrs_pipeline_get_result()"));
    vrs_result_release(result);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_OK);
    drop_rig(&r);
}

static void test_failures_are_results(void **state)
{
    (void)state;
    for (int place = 0; place < 3; place++) {
        fake_plan.fail_every = 3;
        fake_plan.fail_start = place == 1;
        fake_plan.fail_wait = place == 2;
        rig r = make_rig("requests=1 max_batch_size=1 smooth=on smooth_weight=1");
        assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
        for (int64_t id = 0; id < 12; id++) {
            submit(&r, id);
            vrs_result *result;
            assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
            assert_int_equal(result->id, id);
            bool failed = (id + 1) % 3 == 0;
            assert_int_equal(result->status, failed ? VRS_ENGINE : VRS_OK);
            check_mask(result, failed ? 0 : frame_value(id));
            if (failed)
                assert_non_null(strstr(result->detail, "the fake engine was told"));
            vrs_result_release(result);
        }
        assert_int_equal(vrs_pipeline_get_stats(r.pipeline).failed, 4);
        fake_plan.fail_every = 0;
        fake_plan.fail_wait = false;
        drop_rig(&r);
    }
}

/* Each half of the picture goes through the network by itself. */
static void test_views(void **state)
{
    (void)state;
    rig r = make_rig("layout=sbs max_batch_size=2");
    vrs_output_desc desc = {.kind = VRS_OUTPUT_MASK};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &desc), VRS_OK);
    desc = (vrs_output_desc){.kind = VRS_OUTPUT_MASK, .width = -1, .height = -1};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &desc), VRS_OK);
    desc = (vrs_output_desc){.kind = VRS_OUTPUT_COMPOSITE, .background = {0, 0, 0}};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &desc), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    vrs_frame frame = make_frame(0, 0, WIDTH, HEIGHT);
    for (int32_t y = 0; y < HEIGHT; y++)
        memset(frame.image.planes[0] + y * frame.image.strides[0], 255, WIDTH / 2);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_OK);
    vrs_result *result;
    assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
    assert_int_equal(result->outputs[1].width, 2 * NET_WIDTH);
    assert_int_equal(result->outputs[1].height, NET_HEIGHT);
    for (int o = 0; o < 3; o++) {
        const vrs_image *out = &result->outputs[o];
        for (int32_t y = 0; y < out->height; y++)
            for (int32_t x = 0; x < out->width; x++)
                assert_int_equal(out->planes[0][y * out->strides[0] + x],
                                 x < out->width / 2 ? 255 : 0);
    }
    assert_true(result->coverage > 0.49f && result->coverage < 0.51f);
    vrs_result_release(result);
    drop_rig(&r);
}

/* A recurrent model sees each stream's frames one after the other, and forgets at a reset. */
static void test_recurrent(void **state)
{
    (void)state;
    fake_plan.counts_frames = true;
    rig r = make_rig_with("max_batch_size=4 requests=4 tickets=16",
                          "states: [{input: a, output: b, channels: 1, divisor: 16}]\n");
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    for (int64_t id = 0; id < 12; id++) {
        if (id == 6)
            vrs_pipeline_reset_stream(r.pipeline, 0);
        submit(&r, id);
    }
    for (int64_t id = 0; id < 12; id++) {
        vrs_result *result;
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
        check_mask(result, (int)(id < 6 ? id + 1 : id - 5));
        vrs_result_release(result);
    }
    fake_plan.counts_frames = false;
    drop_rig(&r);
}

static void test_smoothing(void **state)
{
    (void)state;
    rig r = make_rig("smooth=on smooth_motion=off smooth_weight=0.5");
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    static const uint8_t values[] = {0, 200, 200, 200, 100};
    static const int smoothed[] = {0, 100, 150, 175, 100};
    for (int64_t id = 0; id < 5; id++) {
        if (id == 4)
            vrs_pipeline_reset_stream(r.pipeline, 0);
        vrs_frame frame = make_frame(id, values[id], WIDTH, HEIGHT);
        assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_OK);
        vrs_result *result;
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
        check_mask(result, smoothed[id]);
        vrs_result_release(result);
    }
    drop_rig(&r);
}

/* Masks follow the picture: small changes are blended, in the stream's order whichever batch or
 * worker was first, a cut or a reset begins anew, a frame that failed leaves no trace. */
static void test_steady(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "requests=1 max_batch_size=1", "requests=4 max_batch_size=3 postprocess_threads=3",
        "requests=2 max_batch_size=8 postprocess_threads=2 kernels=reference",
        "requests=4 layout=sbs max_batch_size=5 postprocess_threads=3 match_eyes=off"};
    static const uint8_t values[] = {100, 104, 104, 200, 204, 100, 104, 108};
    static const int smoothed[] = {100, 102, 103, 200, 202, 100, 104, 106};
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "smooth=on smooth_weight=0.5 tickets=16 %s", settings[i]);
        rig r = make_rig(text);
        assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
        for (int64_t id = 0; id < 8; id++) {
            if (id == 6) /* what comes is like what was: only the reset tells */
                vrs_pipeline_reset_stream(r.pipeline, 0);
            vrs_frame frame = make_frame(id, values[id], WIDTH, HEIGHT);
            assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_OK);
        }
        for (int64_t id = 0; id < 8; id++) {
            vrs_result *result;
            assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
            check_mask(result, smoothed[id]);
            vrs_result_release(result);
        }
        drop_rig(&r);
    }
}

/* A failed frame is no past, and the one after it follows the one before. */
static void test_steady_over_gaps(void **state)
{
    (void)state;
    fake_plan.fail_every = 2;
    rig r = make_rig("requests=1 max_batch_size=1 smooth=on smooth_weight=0.5");
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    static const int smoothed[] = {100, -1, 102, -1, 105};
    for (int64_t id = 0; id < 5; id++) {
        vrs_frame frame = make_frame(id, (uint8_t)(100 + 2 * id), WIDTH, HEIGHT);
        assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_OK);
        vrs_result *result;
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
        assert_int_equal(result->status == VRS_OK, smoothed[id] >= 0);
        check_mask(result, smoothed[id] >= 0 ? smoothed[id] : 0);
        vrs_result_release(result);
    }
    fake_plan.fail_every = 0;
    drop_rig(&r);
}

/* Left and right half of a frame. */
static vrs_frame make_halves(int64_t id, int left, int right)
{
    vrs_frame frame = make_frame(id, (uint8_t)right, WIDTH, HEIGHT);
    for (int32_t y = 0; y < HEIGHT; y++)
        memset(frame.image.planes[0] + y * frame.image.strides[0], left, WIDTH / 2);
    return frame;
}

/* Eyes that see the same agree; where they see something else each keeps its own mask. */
static void test_eyes(void **state)
{
    (void)state;
    static const int eyes[][4] = {{100, 106, 103, 103}, {50, 150, 50, 150}, {80, 80, 80, 80}};
    for (size_t i = 0; i < sizeof(eyes) / sizeof(eyes[0]); i++) {
        rig r = make_rig("layout=sbs max_batch_size=2 smooth=on");
        assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
        vrs_frame frame = make_halves(0, eyes[i][0], eyes[i][1]);
        assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_OK);
        vrs_result *result;
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
        const uint8_t *row = result->outputs[0].planes[0];
        assert_in_range(row[2], eyes[i][2] - 1, eyes[i][2] + 1);
        assert_in_range(row[WIDTH - 3], eyes[i][3] - 1, eyes[i][3] + 1);
        vrs_result_release(result);
        drop_rig(&r);
    }
}

static void test_shape_of_a_stream(void **state)
{
    (void)state;
    rig r = make_rig("tickets=3");
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    submit(&r, 0);
    vrs_frame other = make_frame(1, 9, 7, 5);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &other, -1), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "7x5"));
    take(&r, 0, -1);
    vrs_pipeline_reset_stream(r.pipeline, 0);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &other, -1), VRS_OK);
    vrs_result *result;
    assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
    assert_int_equal(result->outputs[0].width, 7);
    check_mask(result, 9);
    vrs_result_release(result);
    drop_rig(&r);
}

static void test_wrong_frames(void **state)
{
    (void)state;
    rig r = make_rig("tickets=4");
    vrs_result *result;
    vrs_frame frame = make_frame(0, 0, WIDTH, HEIGHT);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, 0), VRS_INVALID);
    assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, 0), VRS_INVALID);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_INVALID);
    frame.stream = VRS_MAX_STREAMS;
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, 0), VRS_INVALID);
    frame.stream = 0;
    frame.view_count = 1;
    frame.views[0] = (vrs_rect){WIDTH - 4, 0, 5, HEIGHT};
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, 0), VRS_INVALID);
    frame.views[0] = (vrs_rect){0, 0, INT32_MAX, HEIGHT};
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, 0), VRS_INVALID);
    frame.view_count = VRS_MAX_VIEWS + 1;
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, 0), VRS_INVALID);
    frame.view_count = 0;
    assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, 0), VRS_TIMEOUT);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, 0), VRS_OK);
    assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
    vrs_result_release(result);
    assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_INVALID);
    vrs_pipeline_finish(r.pipeline);
    frame = make_frame(1, 0, WIDTH, HEIGHT);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_CLOSED);
    assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_END);
    vrs_image_release(&frame.image);
    drop_rig(&r);
}

static void test_destroy_in_flight(void **state)
{
    (void)state;
    for (int64_t count = 0; count < 12; count++) {
        rig r = make_rig("tickets=12 max_batch_size=3 requests=2 max_queue_delay_us=10000000");
        assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
        fake_engine_hold(true);
        for (int64_t id = 0; id < count; id++)
            submit(&r, id);
        if (count % 2 == 1)
            fake_engine_hold(false);
        drop_rig(&r);
    }
}

static void test_wrong_outputs(void **state)
{
    (void)state;
    rig r = make_rig("tickets=4");
    static const vrs_output_desc wrong[] = {
        {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_BGRA},
        {.kind = VRS_OUTPUT_COMPOSITE, .format = VRS_FORMAT_GRAY8},
        {.kind = VRS_OUTPUT_COMPOSITE, .width = 10, .height = 10},
        {.kind = VRS_OUTPUT_MASK, .width = 10},
        {.kind = VRS_OUTPUT_MASK, .width = VRS_MAX_SIDE + 1, .height = 1},
        {.kind = VRS_OUTPUT_MASK, .width = -1, .height = 5}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(vrs_pipeline_add_output(r.pipeline, &wrong[i]), VRS_INVALID);
    vrs_output_desc classes = {.kind = VRS_OUTPUT_CLASSES};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &classes), VRS_UNSUPPORTED);
    vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK, .memory = VRS_MEMORY_CUDA};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &mask), VRS_UNSUPPORTED);
    mask.memory = VRS_MEMORY_HOST;
    for (int i = 0; i < VRS_MAX_OUTPUTS; i++)
        assert_int_equal(vrs_pipeline_add_output(r.pipeline, &mask), VRS_OK);
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &mask), VRS_INVALID);
    drop_rig(&r);
}

/* A whole life with each resource failing in turn: a status, nothing leaked, no hang. */
static vrs_status live_once(void *opaque)
{
    const vrs_model *model = opaque;
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    vrs_frame frame = {0};
    vrs_result *result = NULL;
    vrs_status status = vrs_config_create(&config);
    if (status == VRS_OK)
        status = vrs_config_set(config, "smooth", "on");
    if (status == VRS_OK)
        status = vrs_config_set(config, "tickets", "2");
    if (status == VRS_OK)
        status = vrs_config_set(config, "feather", "2");
    if (status == VRS_OK)
        status = vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline);
    if (status == VRS_OK)
        status = vrs_pipeline_start(pipeline);
    if (status == VRS_OK)
        status = vrs_image_alloc(&frame.image, VRS_FORMAT_NV12, WIDTH, HEIGHT);
    if (status == VRS_OK)
        status = vrs_pipeline_submit(pipeline, &frame, -1);
    if (status == VRS_OK)
        status = vrs_pipeline_get_result(pipeline, &result, -1);
    vrs_result_release(result);
    vrs_image_release(&frame.image);
    vrs_pipeline_destroy(pipeline);
    vrs_config_destroy(config);
    return status;
}

static void test_every_resource_fails(void **state)
{
    (void)state;
    vrs_model *model = load_model("model", "");
    /* How many processors there are is guessed where it cannot be read. */
    const vrs_status also[] = {VRS_OK};
    assert_true(inject_all_allowing(live_once, model, also, 1) > 40);
    vrs_model_destroy(model);
}

int main(void)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit_one_get_one),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_preferred_sizes_are_compiled),
        cmocka_unit_test(test_batches_fill),
        cmocka_unit_test(test_batches_fill_beside_a_reader),
        cmocka_unit_test(test_unread_results_are_reported),
        cmocka_unit_test(test_failures_are_results),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_recurrent),
        cmocka_unit_test(test_smoothing),
        cmocka_unit_test(test_steady),
        cmocka_unit_test(test_steady_over_gaps),
        cmocka_unit_test(test_eyes),
        cmocka_unit_test(test_shape_of_a_stream),
        cmocka_unit_test(test_wrong_frames),
        cmocka_unit_test(test_destroy_in_flight),
        cmocka_unit_test(test_wrong_outputs),
        cmocka_unit_test(test_every_resource_fails),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
