/* Whole runs of a pipeline on the CPU and on fake_cuda, and what they gave, compared. Each program
 * has one folder, made by begin_tests(), removed by main(). */
#ifndef TESTS_PIPELINE_CUDA_RIG_H
#define TESTS_PIPELINE_CUDA_RIG_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_cuda/fake_cuda.h"
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

static inline void write_model(const char *path, int width, int height, const char *person,
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

static inline vrs_model *load_model(const char *extra)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/model.yaml", folder);
    write_model(path, 32, 20, "red", extra);
    vrs_model *model = NULL;
    if (vrs_model_load(path, &model) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return model;
}

static inline vrs_frame paint(const scene *s, int64_t number)
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

static inline void keep(outcome *o, vrs_result *result)
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
static inline uint64_t other_calls(void)
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

static inline void look(const vrs_pipeline *pipeline, outcome *o, int when)
{
    if (pipeline->place.memory == NULL)
        return;
    o->others[when] = other_calls();
    vrs_memory_get_stats(pipeline->place.memory, VRS_MEMORY_PLACE_DEVICE, &o->ledger[when]);
}

static inline void drain(vrs_pipeline *pipeline, outcome *o, int64_t timeout_us)
{
    vrs_result *result;
    while (vrs_pipeline_get_result(pipeline, &result, timeout_us) == VRS_OK) {
        keep(o, result);
        if (o->results == 1)
            look(pipeline, o, 0);
    }
}

/* A whole run; VRS_OK or why there is no pipeline. */
static inline vrs_status run(const scene *s, const char *settings, outcome *o)
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

static inline void drop(outcome *o)
{
    outputs_drop(o->images, FRAMES);
}

static inline void compare(const outcome *a, const outcome *b, const scene *s, const char *what)
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

static inline void begin(uint64_t seed)
{
    fake_cuda_reset(seed);
    fake_cuda_set_mode(seed % 2 == 0 ? FAKE_CUDA_SYNC : FAKE_CUDA_THREAD);
}

static inline void end(const char *what)
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

/* A run on each of the two: all frames come, they agree, and on the GPU nothing was made on the way
 * of a frame. */
static inline void both(const scene *s, const char *settings, uint64_t seed)
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

/* A test again, with the network on the GPU too: no tensor and no score crosses the bus, and the
 * host waits once for a batch. `half`: its scores are of half precision. */
static inline void with_engine(void (*test)(void **state), bool half)
{
    on_device = true;
    fake_device_half = half;
    test(NULL);
    on_device = fake_device_half = false;
}

static inline void begin_tests(void)
{
    temp_make(folder, sizeof(folder));
    fake_device_engine_register();
    fake_plan.seed = 5;
}

#endif
