/* A fleet over the devices of fake_cuda: streams and frames are spread, each stream's results come
 * in its order and are what one device makes, and a lost device leaves its streams to the others.
 */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>

#include "fake_cuda/fake_cuda.h"
#include "pipeline/fleet_internal.h"
#include "pipeline/internal.h"
#include "support/configure.h"
#include "support/fake_device_engine.h"
#include "support/inject.h"
#include "support/temp.h"

#define STREAMS 3
#define FRAMES 24
#define WIDTH 48
#define HEIGHT 30
#define LAUNCH_FAILED 719

static char folder[256];
static vrs_model *model;
static vrs_config *config;

typedef struct stream_log {
    int32_t results, failed;
    uint32_t sums[FRAMES]; /* of each mask */
} stream_log;

typedef struct scene {
    vrs_fleet *fleet;
    vrs_config *config;
    vrs_queue *delivered;
    vrs_thread feeders[STREAMS], consumer;
    stream_log logs[STREAMS];
    vrs_status submitted[STREAMS];
    int32_t accepted[STREAMS];
    vrs_pipeline_stats stats;
    char note[VRS_DETAIL_SIZE];
    uint64_t by[VRS_MAX_PLACES];
} scene;

typedef struct feeder {
    scene *s;
    uint32_t stream;
} feeder;

static uint32_t sum_of(const vrs_image *mask)
{
    uint32_t sum = 1;
    for (int32_t y = 0; y < mask->height; y++)
        for (int32_t x = 0; x < mask->width; x++)
            sum = sum * 31 + mask->planes[0][y * mask->strides[0] + x];
    return sum;
}

static void deliver(void *opaque, vrs_result *result)
{
    scene *s = opaque;
    vrs_queue_push(s->delivered, result);
}

static void consume(void *opaque)
{
    scene *s = opaque;
    void *item;
    while (vrs_queue_pop(s->delivered, &item, INT64_MAX) == VRS_OK) {
        vrs_result *result = item;
        stream_log *log = &s->logs[result->stream];
        assert_int_equal(result->id, log->results);
        log->failed += result->status != VRS_OK ? 1 : 0;
        log->sums[log->results++] = sum_of(&result->outputs[0]);
        vrs_fleet_release(s->fleet, result);
    }
}

static vrs_frame paint(uint32_t stream, int64_t number)
{
    vrs_frame frame = {.id = number, .stream = stream, .pts = 7 * number};
    assert_int_equal(vrs_image_alloc(&frame.image, VRS_FORMAT_YUV420P, WIDTH, HEIGHT), VRS_OK);
    for (int p = 0; p < 3; p++)
        for (int32_t y = 0; y < vrs_plane_height(&frame.image, p); y++)
            for (int32_t x = 0; x < vrs_plane_width(&frame.image, p); x++)
                frame.image.planes[p][y * frame.image.strides[p] + x] =
                    (uint8_t)(40 + (x * 3 + y * 5 + number * 11 + stream * 17 + p * 50) % 150);
    return frame;
}

static void feed(void *opaque)
{
    const feeder *f = opaque;
    vrs_status status = VRS_OK;
    for (int64_t n = 0; n < FRAMES && status == VRS_OK; n++) {
        vrs_frame frame = paint(f->stream, n);
        do {
            status = vrs_fleet_submit(f->s->fleet, &frame, 1000);
        } while (status == VRS_TIMEOUT);
        if (status == VRS_OK)
            f->s->accepted[f->stream]++;
        else
            vrs_image_release(&frame.image);
    }
    f->s->submitted[f->stream] = status;
}

static vrs_status make(scene *s, const char *settings)
{
    *s = (scene){.config = config};
    if (settings != NULL) {
        configure(config, "tickets=4 max_queue_delay_us=300 lanes=2 requests=2 smooth=off");
        configure(config, settings);
    }
    vrs_status status = vrs_queue_create(1024, &s->delivered);
    if (status == VRS_OK)
        status = vrs_fleet_create(s->config, model, &s->fleet);
    if (status == VRS_OK)
        status = vrs_fleet_build(s->fleet, &fake_device_engine_ops);
    vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK};
    if (status == VRS_OK)
        status = vrs_fleet_add_output(s->fleet, &mask);
    return status == VRS_OK ? vrs_fleet_start(s->fleet, deliver, s) : status;
}

static void drop(scene *s)
{
    if (s->consumer.running)
        vrs_queue_close(s->delivered);
    vrs_thread_join(&s->consumer);
    vrs_fleet_destroy(s->fleet);
    vrs_queue_destroy(s->delivered);
}

/* All streams at once, to the end. */
static void run(scene *s, const char *settings)
{
    feeder feeders[STREAMS];
    if (make(s, settings) != VRS_OK)
        fail_msg("%s: %s", settings, vrs_last_error());
    assert_int_equal(vrs_thread_start(&s->consumer, "consume", consume, s), VRS_OK);
    for (uint32_t i = 0; i < STREAMS; i++) {
        int32_t home;
        assert_int_equal(vrs_fleet_open_stream(s->fleet, i, false, &home), VRS_OK);
        feeders[i] = (feeder){s, i};
        assert_int_equal(vrs_thread_start(&s->feeders[i], "feed", feed, &feeders[i]), VRS_OK);
    }
    for (uint32_t i = 0; i < STREAMS; i++)
        vrs_thread_join(&s->feeders[i]);
    vrs_fleet_finish(s->fleet);
    vrs_queue_close(s->delivered);
    vrs_thread_join(&s->consumer);
    for (uint32_t i = 0; i < STREAMS; i++)
        vrs_fleet_close_stream(s->fleet, i);
    s->stats = vrs_fleet_get_stats(s->fleet);
    vrs_fleet_note(s->fleet, s->note, sizeof(s->note));
    for (int32_t i = 0; i < vrs_fleet_count(s->fleet); i++)
        s->by[i] = vrs_fleet_delivered_by(s->fleet, i);
    drop(s);
}

static void begin(uint64_t seed, int devices)
{
    fake_cuda_reset(seed);
    fake_cuda_set_mode(FAKE_CUDA_THREAD);
    fake_cuda_set_devices(devices);
}

static void end(const char *what)
{
    char text[256];
    if (fake_cuda_leaks(text, sizeof(text)) != 0)
        fail_msg("%s: alive: %s", what, text);
}

static void expect_whole(const scene *s, const scene *alone, const char *what)
{
    for (int i = 0; i < STREAMS; i++) {
        assert_int_equal(s->submitted[i], VRS_OK);
        assert_int_equal(s->logs[i].results, FRAMES);
        assert_int_equal(s->logs[i].failed, 0);
        for (int n = 0; n < FRAMES && alone != NULL; n++)
            if (s->logs[i].sums[n] != alone->logs[i].sums[n])
                fail_msg("%s: frame %d of stream %d is another one", what, n, i);
    }
    assert_int_equal(s->stats.submitted, STREAMS * FRAMES);
    assert_int_equal(s->stats.finished, STREAMS * FRAMES);
    assert_int_equal(s->stats.failed, 0);
}

/* ---- spreading ------------------------------------------------------------------------------ */

static void frames_are_spread(void **state)
{
    (void)state;
    scene alone, s;
    begin(1, 1);
    run(&alone, "device=cuda:0");
    expect_whole(&alone, NULL, "alone");
    assert_int_equal(alone.by[0], STREAMS * FRAMES);
    end("alone");
    for (int devices = 2; devices <= 8; devices += 3) {
        begin((uint64_t)devices, devices);
        run(&s, "device=all");
        expect_whole(&s, &alone, "spread");
        uint64_t all = 0;
        for (int i = 0; i < devices; i++) {
            assert_true(s.by[i] > 0);
            all += s.by[i];
        }
        assert_int_equal(all, STREAMS * FRAMES);
        assert_string_equal(s.note, "");
        end("spread");
    }
}

/* What follows from the frame before stays where that was: a stream for each of three devices. */
static void streams_with_a_past_stay(void **state)
{
    (void)state;
    scene alone, s;
    begin(11, 1);
    run(&alone, "device=cuda:0 smooth=on");
    for (uint64_t seed = 12; seed < 15; seed++) {
        begin(seed, STREAMS);
        run(&s, "device=cuda:0,cuda:1,cuda:2 smooth=on");
        expect_whole(&s, &alone, "smoothed");
        for (int i = 0; i < STREAMS; i++)
            assert_int_equal(s.by[i], FRAMES);
        end("smoothed");
    }
}

/* ---- losing --------------------------------------------------------------------------------- */

static void a_lost_device_leaves_its_frames(void **state)
{
    (void)state;
    scene alone, s;
    begin(21, 1);
    run(&alone, "device=cuda:0");
    uint64_t moved = 0;
    for (uint64_t n = 1; n < 60; n += 11) {
        begin(21 + n, 3);
        fake_cuda_lose_at("cuLaunchKernel@1", n, LAUNCH_FAILED);
        run(&s, "device=all");
        assert_true(fake_cuda_failures() > 0);
        expect_whole(&s, &alone, "lost");
        assert_non_null(strstr(s.note, "cuda:1 was lost"));
        moved += STREAMS * FRAMES - s.by[0] - s.by[2];
        end("lost");
    }
    assert_true(moved > 0); /* it had done some before */
}

static void a_stream_with_a_past_begins_anew(void **state)
{
    (void)state;
    scene s;
    bool restarted = false;
    for (uint64_t n = 1; n < 60; n += 11) {
        begin(41 + n, 2);
        fake_cuda_lose_at("cuLaunchKernel@1", n, LAUNCH_FAILED);
        run(&s, "device=cuda:0,cuda:1 smooth=on");
        expect_whole(&s, NULL, "lost");
        assert_non_null(strstr(s.note, "cuda:1 was lost"));
        restarted = restarted || strstr(s.note, " began anew there") != NULL;
        end("lost with a past");
    }
    assert_true(restarted);
}

static void all_are_lost(void **state)
{
    (void)state;
    scene s;
    for (uint64_t n = 1; n < 40; n += 9) {
        begin(61 + n, 2);
        fake_cuda_lose_at("cuLaunchKernel@0", n, LAUNCH_FAILED);
        fake_cuda_lose_at("cuLaunchKernel@1", n + 3, LAUNCH_FAILED);
        run(&s, "device=all");
        int32_t failed = 0;
        for (int i = 0; i < STREAMS; i++) {
            assert_int_equal(s.logs[i].results, s.accepted[i]);
            assert_true(s.submitted[i] == VRS_OK || s.submitted[i] == VRS_DEVICE_LOST);
            failed += s.logs[i].failed + (s.submitted[i] != VRS_OK ? 1 : 0);
        }
        assert_true(failed > 0);
    }
}

/* ---- names ---------------------------------------------------------------------------------- */

static void refuse(const char *device, vrs_status expected, const char *words)
{
    scene s;
    char settings[512];
    (void)snprintf(settings, sizeof(settings), "device=%s", device);
    vrs_status status = make(&s, settings);
    if (status != expected || strstr(vrs_last_error(), words) == NULL)
        fail_msg("%s: %s: %s", device, vrs_status_name(status), vrs_last_error());
    drop(&s);
}

static void names_of_devices(void **state)
{
    (void)state;
    begin(80, 2);
    refuse("cuda:0,cuda:0", VRS_INVALID, "cuda:0 is in it twice");
    refuse("cuda,cuda:0", VRS_INVALID, "cuda:0 is in it twice");
    refuse("cuda:0,cpu", VRS_INVALID, "\"cpu\" is no GPU");
    refuse("cuda:0,", VRS_INVALID, "\"\" is no GPU");
    refuse(",cuda:0", VRS_INVALID, "\"\" is no GPU");
    refuse("cuda:0,cuda:2", VRS_INVALID, "no GPU cuda:2");
    refuse("cuda:0,cuda:1,cuda:0,cuda:0,cuda:0,cuda:0,cuda:0,cuda:0,cuda:0,cuda:0,cuda:0,cuda:0,"
           "cuda:0,cuda:0,cuda:0,cuda:0,cuda:0",
           VRS_INVALID, "at most 16 devices");
    begin(81, 0);
    refuse("all", VRS_MISSING, "device all: ");
    begin(82, 2);
    fake_cuda_set_image_error(209);
    refuse("all", VRS_UNSUPPORTED, "device all: ");
    begin(83, 2);
    vrs_pipeline *pipeline = NULL;
    configure(config, "device=cuda:0,cuda:1");
    assert_int_equal(vrs_pipeline_create(config, model, &pipeline), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "a pipeline works on one device"));
    end("names");
}

static void one_of_all_cannot_be_used(void **state)
{
    (void)state;
    scene s;
    begin(84, 3);
    fake_cuda_fail_at("cuModuleLoadData", 2, 209); /* of the second device that is looked at */
    run(&s, "device=all");
    assert_non_null(strstr(s.note, "not used: "));
    for (int i = 0; i < STREAMS; i++)
        assert_int_equal(s.logs[i].results, FRAMES);
    end("one of all");
}

/* ---- the rest ------------------------------------------------------------------------------- */

/* A stream's number is used again, by frames of another size. */
static void a_number_is_used_again(void **state)
{
    (void)state;
    scene s;
    begin(90, 2);
    assert_int_equal(make(&s, "device=all"), VRS_OK);
    int64_t expected = 0;
    for (int32_t turn = 0; turn < 3; turn++) {
        int32_t home;
        assert_int_equal(vrs_fleet_open_stream(s.fleet, 0, false, &home), VRS_OK);
        for (int64_t n = 0; n < 3; n++) {
            vrs_frame frame = {.id = n};
            assert_int_equal(
                vrs_image_alloc(&frame.image, VRS_FORMAT_NV12, WIDTH + 2 * turn, HEIGHT), VRS_OK);
            assert_int_equal(vrs_fleet_submit(s.fleet, &frame, -1), VRS_OK);
            expected++;
            void *item;
            assert_int_equal(vrs_queue_pop(s.delivered, &item, INT64_MAX), VRS_OK);
            vrs_result *result = item;
            assert_int_equal(result->status, VRS_OK);
            assert_int_equal(result->id, n);
            assert_int_equal(result->outputs[0].width, WIDTH + 2 * turn);
            vrs_fleet_release(s.fleet, result);
        }
        vrs_frame wrong = {.id = 7};
        assert_int_equal(vrs_image_alloc(&wrong.image, VRS_FORMAT_NV12, WIDTH, HEIGHT), VRS_OK);
        assert_int_equal(vrs_fleet_submit(s.fleet, &wrong, -1), VRS_INVALID);
        vrs_image_release(&wrong.image);
        vrs_fleet_close_stream(s.fleet, 0);
    }
    assert_int_equal(vrs_fleet_get_stats(s.fleet).finished, expected);
    vrs_fleet_finish(s.fleet);
    drop(&s);
    end("again");
}

static vrs_status make_and_drop(void *opaque)
{
    (void)opaque;
    scene s;
    fake_cuda_reset(95);
    fake_cuda_set_devices(2);
    vrs_status status = make(&s, NULL);
    if (status == VRS_OK) {
        int32_t home;
        status = vrs_fleet_open_stream(s.fleet, 0, true, &home);
        if (status == VRS_OK)
            vrs_fleet_close_stream(s.fleet, 0);
    }
    drop(&s);
    return status;
}

static void every_resource_fails_once(void **state)
{
    (void)state;
    /* No library; one that does not start; a GPU is passed over. */
    static const vrs_status also[] = {VRS_MISSING, VRS_DEVICE, VRS_OK};
    configure(config, "device=all"); /* that too takes memory */
    assert_true(inject_all_allowing(make_and_drop, NULL, also, 3) > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_spread),
        cmocka_unit_test(streams_with_a_past_stay),
        cmocka_unit_test(a_lost_device_leaves_its_frames),
        cmocka_unit_test(a_stream_with_a_past_begins_anew),
        cmocka_unit_test(all_are_lost),
        cmocka_unit_test(names_of_devices),
        cmocka_unit_test(one_of_all_cannot_be_used),
        cmocka_unit_test(a_number_is_used_again),
        cmocka_unit_test(every_resource_fails_once),
    };
    static const char text[] =
        "title: test\nlicence: Apache-2.0\nsource: none\nbatch: free\n"
        "input: {name: in, width: 32, height: 20, scale: 1/255}\n"
        "output: {name: out, activation: none, classes: [red, green, blue], person: [red]}\n";
    char path[512];
    fake_device_engine_register();
    temp_make(folder, sizeof(folder));
    (void)snprintf(path, sizeof(path), "%s/model.yaml", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 ||
        vrs_model_load(path, &model) != VRS_OK || vrs_config_create(&config) != VRS_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vrs_config_destroy(config);
    vrs_model_destroy(model);
    temp_remove(folder);
    return failed;
}
