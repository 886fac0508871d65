/* The pipeline on a GPU, which is fake_cuda, gives what the CPU gives, in any order that streams
 * and events allow. */
#define _XOPEN_SOURCE 700
#include <sched.h>

#include "pipeline/cuda_rig.h"

static void formats(void **state)
{
    (void)state;
    static const vrs_pixel_format yuv[] = {VRS_FORMAT_YUV420P, VRS_FORMAT_NV12, VRS_FORMAT_P010,
                                           VRS_FORMAT_YUV420P10};
    scene s = all_outputs;
    for (size_t i = 0; i < sizeof(yuv) / sizeof(yuv[0]); i++) {
        s.format = yuv[i];
        both(&s, "lanes=4 requests=4", 10 + i);
    }
    s.outputs[1] = (vrs_output_desc){.kind = VRS_OUTPUT_MASK, .width = 20, .height = 11};
    s.outputs[2] = (vrs_output_desc){.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_YUV420P};
    s.format = VRS_FORMAT_RGB24;
    both(&s, "lanes=2 requests=3", 20);
    s.format = VRS_FORMAT_BGRA;
    both(&s, "lanes=2 requests=3", 21);
    s.format = VRS_FORMAT_GRAY8;
    both(&s, "refine=on lanes=2 requests=3", 22);
}

/* Pictures with alpha in their corners, as they are and made a fisheye. */
static void packed_outputs(void **state)
{
    (void)state;
    static const vrs_pixel_format formats[] = {VRS_FORMAT_NV12, VRS_FORMAT_YUV420P, VRS_FORMAT_P010,
                                               VRS_FORMAT_YUV420P10};
    for (int i = 0; i < 4; i++) {
        const scene s = {formats[i],
                         120,
                         60,
                         "",
                         {{.kind = VRS_OUTPUT_PACKED},
                          {.kind = VRS_OUTPUT_MASK},
                          {.kind = VRS_OUTPUT_PACKED, .red = true},
                          {.kind = VRS_OUTPUT_COMPOSITE, .background = {0, 255, 0}}},
                         4};
        const uint64_t seed = 800 + 10 * (uint64_t)i;
        both(&s, "layout=sbs projection=half-equirect", seed);
        both(&s, "layout=sbs projection=fisheye:190", seed + 1);
        both(&s, "layout=sbs projection=equirect feather=3", seed + 2);
    }
}

/* Class maps of eyes and tiles together, in two sizes, on the same tickets. */
static void class_maps_of_tiles(void **state)
{
    (void)state;
    const scene s = {VRS_FORMAT_NV12,
                     120,
                     60,
                     "",
                     {{.kind = VRS_OUTPUT_CLASSES},
                      {.kind = VRS_OUTPUT_MASK},
                      {.kind = VRS_OUTPUT_CLASSES, .width = 50, .height = 26}},
                     3};
    both(&s, "layout=sbs projection=half-equirect views=tiles lanes=3 requests=3", 900);
    both(&s, "projection=equirect views=tiles tile_fov=80 max_batch_size=4", 901);
    both(&s, "layout=sbs projection=fisheye:190 views=crops smooth=on max_batch_size=3", 902);
}

static void settings(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "refine=off",
        "smooth=on lanes=4 requests=6",
        "smooth=on lanes=3 requests=3 max_batch_size=4",
        "refine_radius=3 max_batch_size=5",
        "feather=4",
        "threshold=0.4",
        "threshold=0.4 feather=2 refine=off",
        "layout=sbs lanes=4 requests=4",
        "layout=tb smooth=on lanes=4 requests=4 max_batch_size=3",
        "layout=sbs feather=3 refine=off smooth=on",
        ("layout=sbs smooth=on smooth_weight=0.3 refine_radius=3 lanes=4 requests=6 "
         "max_batch_size=5"),
        "layout=tb smooth=on match_eyes=off max_batch_size=1 requests=3 lanes=2",
        "smooth=on smooth_motion=off lanes=3 requests=5 max_batch_size=4",
        "lanes=1 requests=1",
        "lanes=8 requests=16",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        for (uint64_t seed = 30; seed < 31; seed++)
            both(&all_outputs, lines[i], seed + 10 * i);
    scene small = all_outputs; /* hardly larger than the network's mask */
    small.width = 42;
    small.height = 30;
    both(&small, "refine=auto", 180);
    both(&small, "refine=on", 181);
    scene odd = all_outputs;
    odd.width = 61;
    odd.height = 37;
    both(&odd, "layout=sbs", 200);
    both(&odd, "layout=tb", 201);
}

/* Tiles beside the eyes; class maps are not made of them. */
static void tiles(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "layout=sbs projection=half-equirect lanes=2 requests=3",
        "projection=fisheye:200 refine=off max_batch_size=3",
        ("layout=tb projection=equirect tile_fov=50 smooth=on "
         "smooth_motion=off lanes=3 requests=3 max_batch_size=5"),
        "layout=sbs projection=fisheye feather=3 max_batch_size=16",
        "projection=half-equirect threshold=0.4 views=crops crops=2 smooth=on smooth_motion=off",
    };
    static const vrs_pixel_format of[] = {VRS_FORMAT_NV12, VRS_FORMAT_YUV420P, VRS_FORMAT_P010,
                                          VRS_FORMAT_YUV420P10, VRS_FORMAT_RGB24};
    scene s = all_outputs;
    s.output_count = 3;
    for (size_t i = 0; i < 5; i++) {
        char line[256];
        s.format = of[i];
        s.outputs[2] = (vrs_output_desc){.kind = VRS_OUTPUT_MASK, .width = 23, .height = 19};
        if (i == 4)
            s.outputs[1] = s.outputs[2];
        snprintf(line, sizeof(line), "views=tiles %s", lines[i]);
        both(&s, line, 700 + i);
    }
}

static void recurrent(void **state)
{
    (void)state;
    scene s = all_outputs;
    s.extra = "states: [{input: a, output: b, channels: 1, divisor: 16}]\n";
    fake_plan.counts_frames = true;
    both(&s, "lanes=4 requests=4", 300);
    both(&s, "lanes=2 requests=4 layout=sbs", 301);
    fake_plan.counts_frames = false;
}

/* The last step of live mode: another network, whose picture is half as large. Its masks are like
 * the first one's nowhere, so that what was not switched would show. */
static void smaller_input(void **state)
{
    (void)state;
    char path[512], line[768];
    scene s = all_outputs;
    s.output_count = 3;
    snprintf(path, sizeof(path), "%s/smaller.yaml", folder);
    write_model(path, 16, 10, "green", "");
    static const char *const lines[] = {"lanes=4 requests=4 max_batch_size=4", "smooth=on",
                                        "layout=sbs lanes=2 requests=2", "layout=tb feather=2"};
    for (int i = 0; i < 4; i++) {
        snprintf(line, sizeof(line), "live=on latency_target_us=60000000 smaller_model=%s %s", path,
                 lines[i]);
        steps = VRS_LIVE_NO_REFINEMENT | VRS_LIVE_SMALLER_INPUT;
        both(&s, line, 700 + (uint64_t)i);
        steps = 0; /* it is there and not used */
        both(&s, line, 710 + (uint64_t)i);
    }
    outcome o[2];
    for (int i = 0; i < 2; i++) {
        begin(720 + (uint64_t)i);
        steps = i == 0 ? 0 : VRS_LIVE_SMALLER_INPUT;
        snprintf(line, sizeof(line),
                 "device=cuda:0 live=on latency_target_us=60000000 smaller_model=%s", path);
        assert_int_equal(run(&s, line, &o[i]), VRS_OK);
    }
    steps = 0;
    assert_true(fabsf(o[0].coverage[0] - o[1].coverage[0]) > 0.02f);
    drop(&o[0]);
    drop(&o[1]);
}

/* Live mode's second step: every second frame has the masks before it, the same as on the CPU, over
 * its own picture. Frames come faster than they are done, so that some ride behind their batch, and
 * one by one, so that others find all before them done. */
static void every_second(void **state)
{
    (void)state;
    char line[512];
    scene s = all_outputs;
    s.output_count = 3;
    static const char *const lines[] = {
        "lanes=1 requests=1 max_batch_size=1",
        "lanes=4 requests=4 max_batch_size=4",
        "smooth=on smooth_motion=off lanes=3 requests=3",
        "smooth=on lanes=4 requests=4 max_batch_size=4",
        "layout=sbs lanes=2 requests=3 max_batch_size=3",
        "layout=sbs smooth=on lanes=3 requests=3 max_batch_size=1",
        "layout=tb feather=2 refine=off",
        "views=crops smooth=on smooth_motion=off lanes=2 requests=3",
        "tickets=2 lanes=2 requests=2",
    };
    for (int i = 0; i < (int)(sizeof(lines) / sizeof(lines[0])); i++) {
        snprintf(line, sizeof(line), "live=on latency_target_us=60000000 %s", lines[i]);
        steps = VRS_LIVE_EVERY_SECOND;
        both(&s, line, 800 + (uint64_t)i);
        steps |= VRS_LIVE_NO_REFINEMENT;
        both(&s, line, 820 + (uint64_t)i);
    }
    outcome o[2];
    for (int i = 0; i < 2; i++) {
        begin(840);
        steps = i == 0 ? 0 : VRS_LIVE_EVERY_SECOND;
        assert_int_equal(
            run(&s, "device=cuda:0 live=on latency_target_us=60000000 refine=off", &o[i]), VRS_OK);
        assert_int_equal(o[i].stats.repeated, i == 0 ? 0 : FRAMES / 2);
    }
    steps = 0;
    for (int n = 0; n < FRAMES; n++)
        assert_true((o[0].coverage[n / 2 * 2] == o[1].coverage[n]));
    drop(&o[0]);
    drop(&o[1]);
}

/* Frames that leave the queue without going show what they show on the CPU: background. */
static void give_up_some(const char *device, outcome *o)
{
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    *o = (outcome){0};
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "requests=1 max_batch_size=1 max_queue_delay_us=0 max_queue_size=2 "
                      "queue_overflow=drop_oldest smooth=on tickets=64");
    assert_int_equal(vrs_config_set(config, "device", device), VRS_OK);
    vrs_model *model = load_model("");
    assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline), VRS_OK);
    for (uint32_t i = 0; i < all_outputs.output_count; i++)
        assert_int_equal(vrs_pipeline_add_output(pipeline, &all_outputs.outputs[i]), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    fake_engine_hold(true);
    for (int64_t n = 0; n < FRAMES; n++) {
        vrs_frame frame = paint(&all_outputs, n);
        assert_int_equal(vrs_pipeline_submit(pipeline, &frame, -1), VRS_OK);
        while (fake_engine_runs() < 1)
            (void)sched_yield();
    }
    assert_int_equal(vrs_pipeline_cancel_stream(pipeline, 0), 2);
    fake_engine_hold(false);
    vrs_pipeline_finish(pipeline);
    drain(pipeline, o, -1);
    assert_int_equal(o->results, FRAMES);
    for (int n = 0; n < FRAMES; n++)
        assert_int_equal(o->status[n], n == 0           ? VRS_OK
                                       : n < FRAMES - 2 ? VRS_DROPPED
                                                        : VRS_CANCELLED);
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
}

static void given_up(void **state)
{
    (void)state;
    outcome cpu, gpu;
    begin(1380);
    give_up_some("cpu", &cpu);
    give_up_some("cuda:0", &gpu);
    compare(&cpu, &gpu, &all_outputs, "given up");
    end("given up");
    drop(&cpu);
    drop(&gpu);
}

/* --- an engine of the GPU --- */

static void engine_formats(void **state)
{
    (void)state;
    with_engine(formats, false);
    with_engine(formats, true);
}

static void engine_settings(void **state)
{
    (void)state;
    with_engine(settings, false);
}

static void engine_every_second(void **state)
{
    (void)state;
    with_engine(every_second, false);
}

static void engine_smaller_input(void **state)
{
    (void)state;
    with_engine(smaller_input, false);
    with_engine(smaller_input, true);
}

static void engine_recurrent(void **state)
{
    (void)state;
    with_engine(recurrent, false);
}

/* What a batch asks of the driver: as much as there is work, one wait, nothing up but frames,
 * nothing down but outputs. */
static void engine_stays_on_the_gpu(void **state)
{
    (void)state;
    outcome o;
    on_device = true;
    begin(1600);
    assert_int_equal(run(&all_outputs, "device=cuda:0 lanes=2 requests=2 refine=off", &o), VRS_OK);
    assert_int_equal(o.results, FRAMES);
    size_t frame = 0, outputs = 0;
    vrs_frame painted = paint(&all_outputs, 0);
    for (int p = 0; p < 2; p++)
        frame += (size_t)painted.image.strides[p] * (size_t)vrs_plane_height(&painted.image, p);
    vrs_image_release(&painted.image);
    for (uint32_t i = 0; i < all_outputs.output_count; i++)
        for (int p = 0; p < vrs_format_get(o.images[0][i].format)->planes; p++)
            outputs +=
                (size_t)o.images[0][i].strides[p] * (size_t)vrs_plane_height(&o.images[0][i], p);
    fake_cuda_bytes copied = fake_cuda_bytes_copied();
    assert_in_range(copied.to_device, FRAMES * frame, FRAMES * frame + 8192); /* and tables */
    assert_in_range(copied.to_host, FRAMES * outputs, FRAMES * (outputs + 512));
    assert_true(fake_cuda_calls("cuEventSynchronize") <= FRAMES + 40); /* and the stream's start */
    end("stays on the GPU");
    drop(&o);
    on_device = false;
}

/* With an argument: with an engine of the GPU. */
int main(int argc, char **argv)
{
    (void)argv;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(packed_outputs),
        cmocka_unit_test(class_maps_of_tiles),
        cmocka_unit_test(settings),
        cmocka_unit_test(tiles),
        cmocka_unit_test(recurrent),
        cmocka_unit_test(smaller_input),
        cmocka_unit_test(every_second),
        cmocka_unit_test(given_up),
    };
    const struct CMUnitTest engine_tests[] = {
        cmocka_unit_test(engine_formats),          cmocka_unit_test(engine_settings),
        cmocka_unit_test(engine_recurrent),        cmocka_unit_test(engine_smaller_input),
        cmocka_unit_test(engine_stays_on_the_gpu), cmocka_unit_test(engine_every_second),
    };
    begin_tests();
    int failed = argc > 1 ? cmocka_run_group_tests(engine_tests, NULL, NULL)
                          : cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
