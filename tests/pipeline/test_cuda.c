/* The pipeline on a GPU, which is fake_cuda: it gives what the CPU gives, in any order that streams
 * and events allow, and whatever call fails every frame has its result. */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_cuda/fake_cuda.h"
#include "pipeline/bottleneck.h"
#include "pipeline/internal.h"
#include "pipeline/outputs.h"
#include "support/configure.h"
#include "support/fake_device_engine.h"
#include "support/fake_engine.h"
#include "support/inject.h"
#include "support/temp.h"

#define FRAMES 12
#define ONE_PICTURE 2 /* of 255: preprocessing may differ by one, refinement by two of 2^15 */

static char folder[256];

typedef struct outcome {
    vrs_status status[FRAMES];
    char detail[VRS_DETAIL_SIZE]; /* of the first failure */
    float coverage[FRAMES];
    vrs_image images[FRAMES][VRS_MAX_OUTPUTS];
    int32_t results;
    vrs_status submit;
    vrs_pipeline_stats stats;
    /* After the first result and at the end. */
    uint64_t others[2]; /* calls of the driver that are none of those that a frame needs */
    vrs_memory_stats ledger[2];
} outcome;

static int64_t frame_count = FRAMES; /* of a run */
static bool on_device;               /* runs on the GPU have an engine there */
static uint32_t steps;               /* of live mode, in force from the start */

typedef struct scene {
    vrs_pixel_format format;
    int32_t width, height;
    const char *extra; /* of the model */
    vrs_output_desc outputs[VRS_MAX_OUTPUTS];
    uint32_t output_count;
} scene;

static void write_model(const char *path, int width, int height, const char *person,
                        const char *extra)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "title: test\nlicence: Apache-2.0\nsource: none\nbatch: free\n"
            "input: {name: in, width: %d, height: %d, scale: 1/255}\n"
            "output: {name: out, activation: none, classes: [red, green, blue], person: [%s]}\n%s",
            width, height, person, extra);
    fclose(file);
}

static vrs_model *load_model(const char *extra)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/model.yaml", folder);
    write_model(path, 32, 20, "red", extra);
    vrs_model *model = NULL;
    if (vrs_model_load(path, &model) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return model;
}

static vrs_frame paint(const scene *s, int64_t number)
{
    vrs_frame frame = {.id = number};
    assert_int_equal(vrs_image_alloc(&frame.image, s->format, s->width, s->height), VRS_OK);
    const vrs_format_info *info = vrs_format_get(s->format);
    for (int p = 0; p < info->planes; p++)
        for (int32_t y = 0; y < vrs_plane_height(&frame.image, p); y++) {
            uint8_t *row = frame.image.planes[p] + y * frame.image.strides[p];
            int32_t samples = vrs_plane_width(&frame.image, p) * info->plane_samples[p];
            for (int32_t x = 0; x < samples; x++) {
                int32_t code = 40 + (x * 3 + y * 5 + (int32_t)number * 11 + p * 50) % 150;
                if (info->sample_bytes == 1)
                    row[x] = (uint8_t)code;
                else
                    ((uint16_t *)(void *)row)[x] = (uint16_t)(code * 4 << info->sample_shift);
            }
        }
    return frame;
}

static void keep(outcome *o, vrs_result *result)
{
    int32_t n = o->results++;
    assert_int_equal(result->id, n);
    o->status[n] = result->status;
    o->coverage[n] = result->coverage;
    if (result->status != VRS_OK && o->detail[0] == 0)
        snprintf(o->detail, sizeof(o->detail), "%s", result->detail);
    for (uint32_t i = 0; i < result->output_count; i++)
        o->images[n][i] = outputs_copy(&result->outputs[i]);
    vrs_result_release(result);
}

/* What a frame may ask of the driver: nothing is made, nothing waits for a device, a context or a
 * stream. */
static uint64_t other_calls(void)
{
    static const char *const names[] = {
        "cuCtxPushCurrent_v2",  "cuCtxPopCurrent_v2",   "cuMemcpyHtoDAsync_v2",
        "cuMemcpyDtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemsetD8Async",
        "cuLaunchKernel",       "cuEventRecord",        "cuStreamWaitEvent",
        "cuEventSynchronize",   "cuEventQuery",         "cuEventElapsedTime",
        "cuMemGetInfo_v2"};
    uint64_t all, others;
    do { /* until nothing was called meanwhile */
        all = others = fake_cuda_calls("*");
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            others -= fake_cuda_calls(names[i]);
    } while (all != fake_cuda_calls("*"));
    return others;
}

static void look(const vrs_pipeline *pipeline, outcome *o, int when)
{
    if (pipeline->place.memory == NULL)
        return;
    o->others[when] = other_calls();
    vrs_memory_get_stats(pipeline->place.memory, VRS_MEMORY_PLACE_DEVICE, &o->ledger[when]);
}

static void drain(vrs_pipeline *pipeline, outcome *o, int64_t timeout_us)
{
    vrs_result *result;
    while (vrs_pipeline_get_result(pipeline, &result, timeout_us) == VRS_OK) {
        keep(o, result);
        if (o->results == 1)
            look(pipeline, o, 0);
    }
}

/* A whole run; VRS_OK or why there is no pipeline. */
static vrs_status run(const scene *s, const char *settings, outcome *o)
{
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    *o = (outcome){0};
    fake_plan.seed++;
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "tickets=6 max_queue_delay_us=300");
    configure(config, settings);
    vrs_model *model = load_model(s->extra);
    bool gpu = strcmp(vrs_config_get(config, "device"), "cpu") != 0;
    vrs_status status = vrs_pipeline_create_on(
        config, model, gpu && on_device ? &fake_device_engine_ops : &fake_engine_ops, &pipeline);
    if (status != VRS_OK)
        snprintf(o->detail, sizeof(o->detail), "%s", vrs_last_error());
    for (uint32_t i = 0; i < s->output_count && status == VRS_OK; i++)
        assert_int_equal(vrs_pipeline_add_output(pipeline, &s->outputs[i]), VRS_OK);
    if (status == VRS_OK) {
        atomic_store(&pipeline->live.active, steps);
        status = vrs_pipeline_start(pipeline);
    }
    for (int64_t n = 0; n < frame_count && status == VRS_OK && o->submit == VRS_OK; n++) {
        vrs_frame frame = paint(s, n);
        while ((o->submit = vrs_pipeline_submit(pipeline, &frame, 0)) == VRS_TIMEOUT ||
               o->submit == VRS_FULL)
            drain(pipeline, o, 1000);
        if (o->submit != VRS_OK) {
            snprintf(o->detail, sizeof(o->detail), "%s", vrs_last_error());
            vrs_image_release(&frame.image);
        }
    }
    if (status == VRS_OK) {
        vrs_pipeline_finish(pipeline);
        drain(pipeline, o, -1);
        look(pipeline, o, 1);
        o->stats = vrs_pipeline_get_stats(pipeline);
    }
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    return status;
}

static void drop(outcome *o)
{
    outputs_drop(o->images, FRAMES);
}

static void compare(const outcome *a, const outcome *b, const scene *s, const char *what)
{
    for (int n = 0; n < FRAMES; n++)
        for (uint32_t i = 0; i < s->output_count; i++) {
            const vrs_image *x = &a->images[n][i], *y = &b->images[n][i];
            bool classes = s->outputs[i].kind == VRS_OUTPUT_CLASSES;
            bool deep = vrs_format_get(x->format)->depth > 8;
            outputs_difference d = outputs_compare(x, y, deep ? 4 * ONE_PICTURE + 3 : ONE_PICTURE);
            /* Where two classes score the same within rounding either is right; and where a
             * cut-out's alpha is that near to nothing, with scores of half precision. */
            bool cutout = s->outputs[i].kind == VRS_OUTPUT_CUTOUT;
            /* Likewise where smoothing chooses among motions that fit as well. */
            bool motion = strstr(what, "smooth=on") && !strstr(what, "smooth_motion=off");
            bool chooses = classes || (fake_device_half && (cutout || motion));
            if (d.beyond > (chooses ? d.samples / 50 : 0))
                fail_msg("%s: frame %d, output %u: %lld samples differ", what, n, i,
                         (long long)d.beyond);
        }
    for (int n = 0; n < FRAMES; n++)
        if (fabsf(a->coverage[n] - b->coverage[n]) > 0.002f)
            fail_msg("%s: frame %d: coverage %f and %f", what, n, (double)a->coverage[n],
                     (double)b->coverage[n]);
}

static void begin(uint64_t seed)
{
    fake_cuda_reset(seed);
    fake_cuda_set_mode(seed % 2 == 0 ? FAKE_CUDA_SYNC : FAKE_CUDA_THREAD);
}

static void end(const char *what)
{
    char text[256];
    if (fake_cuda_leaks(text, sizeof(text)) != 0)
        fail_msg("%s: alive: %s", what, text);
}

static const scene all_outputs = {VRS_FORMAT_NV12,
                                  62,
                                  38,
                                  "",
                                  {{.kind = VRS_OUTPUT_MASK},
                                   {.kind = VRS_OUTPUT_COMPOSITE, .background = {0, 255, 0}},
                                   {.kind = VRS_OUTPUT_CUTOUT},
                                   {.kind = VRS_OUTPUT_CLASSES}},
                                  4};

static void both(const scene *s, const char *settings, uint64_t seed)
{
    char text[1024], what[1200];
    outcome cpu, gpu;
    snprintf(text, sizeof(text), "device=cpu %s", settings);
    assert_int_equal(run(s, text, &cpu), VRS_OK);
    begin(seed);
    snprintf(text, sizeof(text), "device=cuda:0 %s", settings);
    snprintf(what, sizeof(what), "%s, format %d, seed %llu", settings, (int)s->format,
             (unsigned long long)seed);
    if (run(s, text, &gpu) != VRS_OK)
        fail_msg("%s: %s", what, vrs_last_error());
    if (gpu.submit != VRS_OK || gpu.stats.failed > 0)
        fail_msg("%s: %s", what, gpu.detail);
    assert_int_equal(cpu.results, FRAMES);
    assert_int_equal(gpu.results, FRAMES);
    compare(&cpu, &gpu, s, what);
    /* Nothing is made on the way of a frame. */
    assert_int_equal(gpu.others[0], gpu.others[1]);
    assert_int_equal(gpu.ledger[0].used, gpu.ledger[1].used);
    assert_int_equal(gpu.ledger[0].high_water, gpu.ledger[1].high_water);
    assert_int_equal(gpu.ledger[0].allocations, gpu.ledger[1].allocations);
    assert_true(gpu.ledger[0].used > 0);
    end(what);
    drop(&cpu);
    drop(&gpu);
}

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

static void small_budgets(void **state)
{
    (void)state;
    outcome o;
    bool ran = false, refused = false;
    for (int32_t kb = 40; kb < 700; kb += 45) {
        char text[128];
        begin(1000 + 2 * (uint64_t)kb);
        snprintf(text, sizeof(text), "device=cuda:0 lanes=2 requests=2 gpu_memory=%d000B", kb);
        vrs_status status = run(&all_outputs, text, &o);
        if (status == VRS_OK && o.submit == VRS_OK) {
            assert_int_equal(o.results, FRAMES);
            assert_int_equal(o.stats.failed, 0);
            ran = true;
        } else {
            assert_false(ran);
            refused = true;
            assert_int_equal(status == VRS_OK ? o.submit : status, VRS_INVALID);
            assert_non_null(strstr(o.detail, "budget"));
        }
        end(text);
        drop(&o);
    }
    assert_true(ran && refused);
}

/* --- frames that lie on the GPU --- */

typedef struct device_frame {
    vrs_memory *memory;
    vrs_memory_block *block, *pinned;
    vrs_device_event *ready;
} device_frame;

static atomic_int device_frames;

static void release_device_frame(void *opaque)
{
    device_frame *f = opaque;
    vrs_device_event_destroy(f->ready);
    vrs_memory_free(f->memory, f->block);
    vrs_memory_free(f->memory, f->pinned);
    free(f);
    device_frames--;
}

/* The frame moves to the GPU; its bytes come there some time later, before its event. */
static void move(vrs_place *place, vrs_device_stream *stream, vrs_frame *frame)
{
    device_frame *f = calloc(1, sizeof(*f));
    vrs_image host = frame->image, *image = &frame->image;
    const vrs_format_info *info = vrs_format_get(host.format);
    size_t bytes = 0;
    f->memory = place->memory;
    for (int p = 0; p < info->planes; p++)
        bytes += (size_t)host.strides[p] * (size_t)vrs_plane_height(&host, p);
    assert_int_equal(
        vrs_memory_alloc(place->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TEST, bytes, &f->block),
        VRS_OK);
    assert_int_equal(vrs_memory_alloc(place->memory, VRS_MEMORY_PLACE_PINNED, VRS_MEMORY_TEST,
                                      bytes, &f->pinned),
                     VRS_OK);
    assert_int_equal(vrs_device_event_create(place->device, false, &f->ready), VRS_OK);
    memcpy(f->pinned->host, host.planes[0], bytes);
    assert_int_equal(vrs_device_upload(stream, f->block->address, f->pinned->host, bytes), VRS_OK);
    assert_int_equal(vrs_device_event_record(f->ready, stream), VRS_OK);
    for (int p = 0; p < info->planes; p++)
        image->planes[p] =
            (uint8_t *)(uintptr_t)(f->block->address + (size_t)(host.planes[p] - host.planes[0]));
    image->memory = VRS_MEMORY_CUDA;
    image->ready = vrs_device_event_handle(f->ready);
    image->release = release_device_frame;
    image->opaque = f;
    device_frames++;
    vrs_image_release(&host);
}

/* Submits a frame as soon as a ticket is free, fetching meanwhile. */
static void give(vrs_pipeline *pipeline, vrs_frame *frame, outcome *o)
{
    while ((o->submit = vrs_pipeline_submit(pipeline, frame, 0)) == VRS_TIMEOUT ||
           o->submit == VRS_FULL)
        drain(pipeline, o, 1000);
    if (o->submit != VRS_OK)
        fail_msg("%s", vrs_last_error());
}

static void frames_on_the_gpu(void **state)
{
    (void)state;
    outcome cpu, gpu = {0};
    vrs_config *config = NULL;
    vrs_place place;
    vrs_pipeline *pipeline = NULL;
    vrs_device_stream *stream = NULL;
    const char *settings = "tickets=6 max_queue_delay_us=300 layout=sbs lanes=3 requests=3";
    assert_int_equal(run(&all_outputs, "device=cpu layout=sbs", &cpu), VRS_OK);
    begin(1200);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0");
    configure(config, settings);
    vrs_model *model = load_model("");
    assert_int_equal(vrs_place_open(config, &place), VRS_OK);
    assert_int_equal(vrs_pipeline_create_at(config, model, &place, &fake_engine_ops, &pipeline),
                     VRS_OK);
    for (uint32_t i = 0; i < all_outputs.output_count; i++)
        assert_int_equal(vrs_pipeline_add_output(pipeline, &all_outputs.outputs[i]), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    assert_int_equal(vrs_device_stream_create(place.device, VRS_PRIORITY_NORMAL, &stream), VRS_OK);
    for (int64_t n = 0; n < FRAMES; n++) {
        vrs_frame frame = paint(&all_outputs, n);
        move(&place, stream, &frame);
        give(pipeline, &frame, &gpu);
    }
    vrs_frame elsewhere = paint(&all_outputs, FRAMES);
    assert_int_equal(vrs_pipeline_submit(pipeline, &elsewhere, 0), VRS_INVALID);
    vrs_image_release(&elsewhere.image);
    vrs_pipeline_finish(pipeline);
    drain(pipeline, &gpu, -1);
    assert_int_equal(gpu.results, FRAMES);
    assert_int_equal(device_frames, 0);
    compare(&cpu, &gpu, &all_outputs, "frames on the GPU");
    vrs_pipeline_destroy(pipeline);
    vrs_device_stream_destroy(stream);
    vrs_place_close(&place);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    end("frames on the GPU");
    drop(&cpu);
    drop(&gpu);
}

/* Another program takes memory in mid-run: tickets are given up, frames come out. */
static void pressure_of_others(void **state)
{
    (void)state;
    outcome o = {0};
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    begin(1300);
    fake_cuda_set_memory(64 << 20);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0 tickets=12 max_queue_delay_us=300 gpu_reserve=1MB");
    vrs_model *model = load_model("");
    assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline), VRS_OK);
    for (uint32_t i = 0; i < all_outputs.output_count; i++)
        assert_int_equal(vrs_pipeline_add_output(pipeline, &all_outputs.outputs[i]), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    vrs_frame first = paint(&all_outputs, 0);
    give(pipeline, &first, &o);
    drain(pipeline, &o, 100000);
    uint32_t tickets = vrs_pipeline_get_stats(pipeline).tickets;
    assert_int_equal(tickets, 12);
    fake_cuda_set_other_memory((64 << 20) - fake_cuda_used(0));
    assert_true(vrs_memory_poll(pipeline->place.memory));
    assert_true(vrs_pipeline_get_stats(pipeline).tickets < tickets);
    assert_true(vrs_pipeline_get_stats(pipeline).tickets >= 1);
    for (int64_t n = 1; n < FRAMES; n++) {
        vrs_frame frame = paint(&all_outputs, n);
        give(pipeline, &frame, &o);
    }
    vrs_pipeline_finish(pipeline);
    drain(pipeline, &o, -1);
    assert_int_equal(o.results, FRAMES);
    assert_int_equal(vrs_pipeline_get_stats(pipeline).failed, 0);
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    end("pressure");
    drop(&o);
}

/* Tickets that were given up come back when memory is there again and nothing was short for some
 * time. */
static void tickets_grow_back(void **state)
{
    (void)state;
    enum { TICKETS = 6 };
    outcome o = {0};
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    int64_t n = 0;
    begin(1350);
    fake_cuda_set_memory(64 << 20);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0 tickets=6 max_queue_delay_us=0 gpu_reserve=1MB");
    vrs_model *model = load_model("");
    assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    vrs_frame first = paint(&all_outputs, n++);
    give(pipeline, &first, &o);
    drain(pipeline, &o, 100000);
    fake_cuda_set_other_memory((64 << 20) - fake_cuda_used(0));
    assert_true(vrs_memory_poll(pipeline->place.memory));
    uint32_t left = vrs_pipeline_get_stats(pipeline).tickets;
    assert_in_range(left, 1, TICKETS - 1);
    fake_cuda_set_other_memory(0);
    fake_engine_hold(true);
    while (n < (int64_t)left + 1) { /* all that are left are in use */
        vrs_frame frame = paint(&all_outputs, n++);
        assert_int_equal(vrs_pipeline_submit(pipeline, &frame, 0), VRS_OK);
    }
    vrs_frame more = paint(&all_outputs, n);
    assert_int_equal(vrs_pipeline_submit(pipeline, &more, 0), VRS_TIMEOUT); /* too early */
    assert_int_equal(vrs_pipeline_get_stats(pipeline).tickets, left);
    vrs_clock_use_virtual(vrs_now_ns() + 6 * VRS_NS_PER_S);
    for (uint32_t tickets = left + 1; tickets <= TICKETS; tickets++) {
        vrs_clock_advance_ns(VRS_NS_PER_S);
        assert_int_equal(vrs_pipeline_submit(pipeline, &more, 0), VRS_OK);
        assert_int_equal(vrs_pipeline_get_stats(pipeline).tickets, tickets);
        more = paint(&all_outputs, ++n);
    }
    assert_int_equal(vrs_pipeline_submit(pipeline, &more, 0), VRS_TIMEOUT);
    vrs_image_release(&more.image);
    fake_engine_hold(false);
    vrs_pipeline_finish(pipeline);
    drain(pipeline, &o, -1);
    assert_int_equal(o.results, n);
    assert_int_equal(vrs_pipeline_get_stats(pipeline).failed, 0);
    vrs_pipeline_destroy(pipeline);
    vrs_clock_use_real();
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    end("grow back");
    drop(&o);
}

/* --- outputs that stay on the device --- */

/* Bytes of a plane on the device, row by row without gaps. */
static void fetch(vrs_device_stream *stream, const vrs_image *image, uint8_t *to)
{
    for (int32_t y = 0; y < image->height; y++)
        assert_int_equal(vrs_device_download(
                             stream, to + (size_t)y * (size_t)image->width,
                             (vrs_device_ptr)(uintptr_t)(image->planes[0] + y * image->strides[0]),
                             (size_t)image->width),
                         VRS_OK);
    vrs_device_event *done = NULL;
    assert_int_equal(vrs_device_event_create(vrs_device_stream_device(stream), false, &done),
                     VRS_OK);
    assert_int_equal(vrs_device_event_record(done, stream), VRS_OK);
    assert_int_equal(vrs_device_event_wait(done), VRS_OK);
    vrs_device_event_destroy(done);
}

/* The same mask twice, one of them left where it is: equal, with an event and the capture time, and
 * only the other one crosses the bus. A frame that failed has none. */
static void outputs_on_the_gpu(void **state)
{
    (void)state;
    vrs_config *config = NULL;
    vrs_place place;
    vrs_pipeline *pipeline = NULL;
    vrs_device_stream *stream = NULL;
    begin(1210);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0 tickets=6 max_queue_delay_us=0 lanes=2 requests=2");
    vrs_model *model = load_model("");
    assert_int_equal(vrs_place_open(config, &place), VRS_OK);
    assert_int_equal(vrs_pipeline_create_at(config, model, &place,
                                            on_device ? &fake_device_engine_ops : &fake_engine_ops,
                                            &pipeline),
                     VRS_OK);
    vrs_output_desc host = {.kind = VRS_OUTPUT_MASK}, device = host;
    device.memory = VRS_MEMORY_CUDA;
    vrs_output_desc wrong = {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_YUV420P};
    wrong.memory = VRS_MEMORY_CUDA;
    assert_int_equal(vrs_pipeline_add_output(pipeline, &wrong), VRS_INVALID);
    wrong.memory = (vrs_memory_kind)7;
    assert_int_equal(vrs_pipeline_add_output(pipeline, &wrong), VRS_INVALID);
    assert_int_equal(vrs_pipeline_add_output(pipeline, &host), VRS_OK);
    assert_int_equal(vrs_pipeline_add_output(pipeline, &device), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    assert_int_equal(vrs_device_stream_create(place.device, VRS_PRIORITY_NORMAL, &stream), VRS_OK);
    size_t bytes = (size_t)all_outputs.width * (size_t)all_outputs.height;
    uint8_t *pixels = malloc(bytes);
    for (int64_t n = 0; n < FRAMES; n++) {
        vrs_result *result = NULL;
        vrs_frame frame = paint(&all_outputs, n);
        bool fails = n == FRAMES - 1;
        frame.capture_ns = vrs_now_ns();
        fake_plan.fail_every = fails && !on_device ? 1 : 0;
        uint64_t before = fake_cuda_calls("cuMemcpyDtoHAsync_v2");
        assert_int_equal(vrs_pipeline_submit(pipeline, &frame, -1), VRS_OK);
        assert_int_equal(vrs_pipeline_get_result(pipeline, &result, -1), VRS_OK);
        assert_int_equal(result->capture_ns, frame.capture_ns);
        const vrs_image *kept = &result->outputs[1], *down = &result->outputs[0];
        assert_int_equal(kept->memory, VRS_MEMORY_CUDA);
        assert_int_equal(down->memory, VRS_MEMORY_HOST);
        if (fake_plan.fail_every == 1) {
            assert_int_equal(result->status, VRS_ENGINE);
            assert_null(kept->planes[0]);
            vrs_result_release(result);
            continue;
        }
        assert_int_equal(result->status, VRS_OK);
        /* The sums, one mask, and the tensors of an engine of the CPU. */
        assert_int_equal(fake_cuda_calls("cuMemcpyDtoHAsync_v2") - before, on_device ? 2 : 3);
        assert_non_null(kept->ready);
        assert_int_equal(kept->device, 0);
        fetch(stream, kept, pixels);
        for (int32_t y = 0; y < down->height; y++)
            assert_memory_equal(pixels + (size_t)y * (size_t)down->width,
                                down->planes[0] + y * down->strides[0], (size_t)down->width);
        vrs_result_release(result);
    }
    fake_plan.fail_every = 0;
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(pipeline);
    int64_t elapsed = vrs_now_ns() - stats.started_ns;
    assert_true(stats.on_gpu && stats.gpu_ns >= 0 && stats.gpu_ns <= elapsed);
    assert_true(stats.copy_ns >= 0 && stats.copy_ns <= elapsed);
    assert_true(stats.gpu_ns + stats.copy_ns > 0);
    free(pixels);
    vrs_pipeline_destroy(pipeline);
    vrs_device_stream_destroy(stream);
    vrs_place_close(&place);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    end("outputs on the GPU");
}

static void submit_in_vain(void *arg)
{
    vrs_frame frame = paint(&all_outputs, 99);
    assert_int_equal(vrs_pipeline_submit(arg, &frame, 1000000), VRS_TIMEOUT);
    vrs_image_release(&frame.image);
}

/* Another program takes memory, so tickets are given up, and those that are left are in use: a
 * second of submitting goes by, and memory is what is named. */
static void starved_of_memory(void **state)
{
    (void)state;
    outcome o = {0};
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    begin(1370);
    fake_cuda_set_memory(64 << 20);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0 tickets=6 max_queue_delay_us=0 gpu_reserve=1MB requests=6");
    vrs_model *model = load_model("");
    assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    vrs_frame first = paint(&all_outputs, 0);
    give(pipeline, &first, &o);
    drain(pipeline, &o, 100000);
    fake_cuda_set_other_memory((64 << 20) - fake_cuda_used(0));
    assert_true(vrs_memory_poll(pipeline->place.memory));
    int64_t left = vrs_pipeline_get_stats(pipeline).tickets;
    assert_in_range(left, 1, 5);
    fake_engine_hold(true);
    for (int64_t n = 1; n <= left; n++) {
        vrs_frame frame = paint(&all_outputs, n);
        assert_int_equal(vrs_pipeline_submit(pipeline, &frame, 0), VRS_OK);
    }
    vrs_clock_use_virtual(vrs_now_ns());
    vrs_thread thread = {0};
    assert_int_equal(vrs_thread_start(&thread, "submit", submit_in_vain, pipeline), VRS_OK);
    vrs_clock_await_waiters(1);
    vrs_clock_advance_ns(VRS_NS_PER_S);
    vrs_thread_join(&thread);
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(pipeline);
    assert_int_equal(stats.short_ns, VRS_NS_PER_S);
    assert_int_equal(stats.tickets_wanted, 6);
    vrs_bottleneck b;
    vrs_bottleneck_finding finding;
    stats.stages[VRS_STAGE_INFER].busy_ns = 0; /* held back, which is no work */
    vrs_bottleneck_of_stats(&stats, 1, &b);
    vrs_bottleneck_find(&b, &finding);
    assert_int_equal(finding.resource, VRS_RESOURCE_MEMORY);
    assert_non_null(strstr(finding.text, "of 6 frames in flight"));
    fake_engine_hold(false);
    vrs_pipeline_finish(pipeline);
    drain(pipeline, &o, -1);
    vrs_pipeline_destroy(pipeline);
    vrs_clock_use_real();
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    end("starved");
    drop(&o);
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

/* All of the above, with the network on the GPU too: no tensor and no score crosses the bus, and
 * the host waits once for a batch. */
static void with_engine(void (*test)(void **state), bool half)
{
    on_device = true;
    fake_device_half = half;
    test(NULL);
    on_device = fake_device_half = false;
}

static void engine_formats(void **state)
{
    (void)state;
    with_engine(formats, false);
    with_engine(formats, true);
}

static void engine_outputs(void **state)
{
    (void)state;
    with_engine(outputs_on_the_gpu, false);
}

static void engine_settings(void **state)
{
    (void)state;
    with_engine(settings, false);
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

static void engine_small_budgets(void **state)
{
    (void)state;
    with_engine(small_budgets, false);
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
    temp_make(folder, sizeof(folder));
    fake_device_engine_register();
    fake_plan.seed = 5;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(packed_outputs),
        cmocka_unit_test(settings),
        cmocka_unit_test(tiles),
        cmocka_unit_test(recurrent),
        cmocka_unit_test(smaller_input),
        cmocka_unit_test(lost_device),
        cmocka_unit_test(small_budgets),
        cmocka_unit_test(frames_on_the_gpu),
        cmocka_unit_test(pressure_of_others),
        cmocka_unit_test(tickets_grow_back),
        cmocka_unit_test(starved_of_memory),
        cmocka_unit_test(outputs_on_the_gpu),
        cmocka_unit_test(given_up),
        cmocka_unit_test(destroyed_at_work),
        cmocka_unit_test(failing_calls),
    };
    const struct CMUnitTest engine_tests[] = {
        cmocka_unit_test(engine_formats),          cmocka_unit_test(engine_settings),
        cmocka_unit_test(engine_outputs),          cmocka_unit_test(engine_recurrent),
        cmocka_unit_test(engine_smaller_input),    cmocka_unit_test(engine_lost_device),
        cmocka_unit_test(engine_small_budgets),    cmocka_unit_test(engine_refuses_runs),
        cmocka_unit_test(engine_stays_on_the_gpu), cmocka_unit_test(engine_failing_calls),
    };
    int failed = argc > 1 ? cmocka_run_group_tests(engine_tests, NULL, NULL)
                          : cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
