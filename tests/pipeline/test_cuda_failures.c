/* The pipeline on fake_cuda when something fails: whatever call it is, or the device, every frame
 * has its result; and an end in the midst of work. */
#define _XOPEN_SOURCE 700
#include "pipeline/cuda_rig.h"

/* Every call of the driver fails once, each of them, by a launch that failed and for lack of
 * memory: a run ends in a sentence or with all its results. Four frames, as every batch after the
 * second makes the same calls again. */
static void failing_calls(void **state)
{
    (void)state;
    enum { LAUNCH_FAILED = 719, OUT_OF_MEMORY = 2 };
    outcome o;
    bool reached = true;
    uint64_t runs = 0;
    frame_count = 4;
    for (uint64_t n = 1; reached; n++)
        for (int error = 0; error < 2; error++) {
            begin(400 + 2 * n);
            fake_cuda_fail_at("*", n, error == 0 ? LAUNCH_FAILED : OUT_OF_MEMORY);
            vrs_status status =
                run(&all_outputs, "device=cuda:0 lanes=2 requests=2 tickets=2 layout=sbs", &o);
            reached = fake_cuda_failures() > 0;
            if (status == VRS_OK && o.submit == VRS_OK)
                assert_int_equal(o.results, frame_count);
            if (status != VRS_OK || o.submit != VRS_OK)
                assert_true(reached);
            if (o.stats.failed > 0)
                assert_true(o.detail[0] != 0);
            end("failing calls");
            drop(&o);
            runs++;
        }
    frame_count = FRAMES;
    assert_true(runs > 400); /* it was about all of them */
}

static void lost_device(void **state)
{
    (void)state;
    outcome o;
    for (uint64_t n = 1; n < 40; n += 4) {
        begin(900 + 2 * n);
        fake_cuda_lose_at("cuLaunchKernel", n, 719);
        assert_int_equal(run(&all_outputs, "device=cuda:0 lanes=3 requests=3", &o), VRS_OK);
        assert_int_equal(o.results, FRAMES);
        assert_int_equal(o.status[FRAMES - 1], VRS_DEVICE_LOST);
        drop(&o);
    }
}

/* Destroyed with frames at every place of their way, and while the clock stands still: so nothing
 * there waits for time to pass. */
static void destroyed_at_work(void **state)
{
    (void)state;
    for (uint64_t seed = 1400; seed < 1412; seed++) {
        vrs_config *config = NULL;
        vrs_pipeline *pipeline = NULL;
        begin(seed);
        assert_int_equal(vrs_config_create(&config), VRS_OK);
        configure(config, "device=cuda:0 tickets=12 max_queue_delay_us=0 smooth=on");
        vrs_model *model = load_model("");
        assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline),
                         VRS_OK);
        assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
        fake_engine_hold(seed % 3 == 0);
        for (int64_t n = 0; n < (int64_t)(seed % 12); n++) {
            vrs_frame frame = paint(&all_outputs, n);
            assert_int_equal(vrs_pipeline_submit(pipeline, &frame, -1), VRS_OK);
        }
        vrs_clock_use_virtual(vrs_now_ns());
        vrs_pipeline_destroy(pipeline);
        vrs_clock_use_real();
        vrs_model_destroy(model);
        vrs_config_destroy(config);
        end("destroyed at work");
    }
}

/* --- an engine of the GPU --- */

static void engine_failing_calls(void **state)
{
    (void)state;
    with_engine(failing_calls, false);
}

static void engine_lost_device(void **state)
{
    (void)state;
    with_engine(lost_device, false);
}

/* A run that cannot be queued fails its frames and no other; of a recurrent network the past stays
 * that of the last good one. */
static void engine_refuses_runs(void **state)
{
    (void)state;
    scene s = all_outputs;
    outcome o;
    on_device = fake_plan.counts_frames = true;
    s.extra = "states: [{input: a, output: b, channels: 1, divisor: 16}]\n";
    fake_plan.fail_every = 3;
    for (uint64_t seed = 1500; seed < 1504; seed++) {
        begin(seed);
        assert_int_equal(run(&s, "device=cuda:0 lanes=3 requests=3", &o), VRS_OK);
        assert_int_equal(o.results, FRAMES);
        for (int n = 0; n < FRAMES; n++)
            assert_int_equal(o.status[n], n % 3 == 2 ? VRS_ENGINE : VRS_OK);
        assert_non_null(strstr(o.detail, "the fake engine was told to fail"));
        /* Two of three have run: the last frame but one is the eighth. */
        float seen = o.coverage[FRAMES - 2] * 255;
        assert_true(fabsf(seen - 8) < 0.6f);
        end("engine refuses runs");
        drop(&o);
    }
    fake_plan.fail_every = 0;
    on_device = fake_plan.counts_frames = false;
}

/* With an argument: with an engine of the GPU. */
int main(int argc, char **argv)
{
    (void)argv;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_device),
        cmocka_unit_test(destroyed_at_work),
        cmocka_unit_test(failing_calls),
    };
    const struct CMUnitTest engine_tests[] = {
        cmocka_unit_test(engine_lost_device),
        cmocka_unit_test(engine_refuses_runs),
        cmocka_unit_test(engine_failing_calls),
    };
    begin_tests();
    int failed = argc > 1 ? cmocka_run_group_tests(engine_tests, NULL, NULL)
                          : cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
