/* 1080p frames, masks of 512x512, batches of 1 and 8, as in a run: four sets of random data in
 * turn, of more bytes than the L2 holds. The floor of each job is its bytes in and out once. */
#include "kernels_cuda_postprocess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/raw.h"
#include "image/format.h"
#include "kernels/cuda/postprocess_launch.h"
#include "kernels/kernels.h"

#define SETS 4
#define BATCH 8
#define WIDTH 1920
#define HEIGHT 1080
#define SIDE 512
#define CLASSES 21
#define RANDOM_BYTES ((size_t)16 << 20)

static const double large = (double)WIDTH * HEIGHT;
static const double small = (double)SIDE * SIDE;

/* Device memory of one view in one set. */
typedef struct bench_view {
    vrs_device_ptr source, target, alpha, scores, mask, state, guide, once, coefficients;
} bench_view;

typedef struct bench_state {
    vrs_device *device;
    vrs_device_stream *stream;
    vrs_cuda_postprocess kernels;
    bench_view view[SETS][BATCH];
    int failed;
} bench_state;

/* What is timed: one kernel on `count` views. */
typedef struct bench_job {
    bench_state *state;
    int32_t count, rows;
    /* person, classes */
    int32_t classes, last; /* last: NHWC */
    vrs_activation activation;
    int32_t smooth, chain;
    /* guided, feather */
    int32_t radius;
    /* render */
    vrs_pixel_format from, to;
    int32_t output, mask_kind;
} bench_job;

static void check(bench_state *state, vrs_status status)
{
    if (status != VRS_OK && state->failed == 0)
        fprintf(stderr, "kernels_cuda: %s\n", vrs_last_error());
    state->failed |= status != VRS_OK;
}

static void run_person(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    vrs_person_params p = {.width = SIDE,
                           .height = SIDE,
                           .classes = j->classes,
                           .class_stride = j->last ? 1 : (int64_t)SIDE * SIDE,
                           .column_stride = j->last ? j->classes : 1,
                           .row_stride = j->last ? (int64_t)SIDE * j->classes : SIDE,
                           .person_classes = j->classes == 1 ? 1 : 1U << 15,
                           .activation = (int32_t)j->activation,
                           .half = 1,
                           .weight = 20000};
    for (int32_t v = 0; v < j->count; v++) {
        const bench_view *view = &s->view[rotation % SETS][v];
        p.view[v].scores = view->scores;
        p.view[v].mask = view->mask;
        p.view[v].smooth.next = j->chain && v + 1 < j->count ? v + 1 : -1;
        p.view[v].smooth.state_in = j->smooth ? view->state : 0;
        p.view[v].smooth.state_out = j->smooth ? view->state : 0;
    }
    check(s, vrs_cuda_person(&s->kernels, s->stream, &p, j->count));
}

static void run_guided(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    vrs_guided_params p = {
        .width = SIDE, .height = SIDE, .radius = j->radius, .epsilon = 5e-4f, .rows = j->rows};
    for (int32_t v = 0; v < j->count; v++) {
        const bench_view *view = &s->view[rotation % SETS][v];
        p.view[v] = (vrs_guided_view){view->mask, view->guide, view->once, view->coefficients};
    }
    check(s, vrs_cuda_guided(&s->kernels, s->stream, &p, j->count));
}

/* An image of rows without gaps at an address. */
static vrs_image image_at(vrs_pixel_format format, vrs_device_ptr at)
{
    vrs_image image = {.format = format, .width = WIDTH, .height = HEIGHT};
    for (int i = 0; i < vrs_format_get(format)->planes; i++) {
        image.planes[i] = (uint8_t *)(uintptr_t)at;
        image.strides[i] = (ptrdiff_t)vrs_plane_row_bytes(&image, i);
        at += (uint64_t)vrs_plane_row_bytes(&image, i) * (uint64_t)vrs_plane_height(&image, i);
    }
    return image;
}

static void run_render(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    vrs_render_params p = {.rows = j->rows};
    for (int32_t v = 0; v < j->count; v++) {
        const bench_view *view = &s->view[rotation % SETS][v];
        const vrs_image source = image_at(j->from, view->source);
        const vrs_image target =
            image_at(j->output == VRS_POST_ALPHA ? VRS_FORMAT_GRAY8 : j->to, view->target);
        vrs_post_part part = {.source = &source,
                              .target = &target,
                              .source_rect = {0, 0, WIDTH, HEIGHT},
                              .target_rect = {0, 0, WIDTH, HEIGHT},
                              .output = j->output,
                              .mask_kind = j->mask_kind,
                              .mask = view->mask,
                              .mask_stride = SIDE,
                              .mask_width = SIDE,
                              .mask_height = SIDE,
                              .background = {0, 177, 64}};
        if (j->mask_kind == VRS_POST_MASK_REFINE)
            part.mask = view->coefficients;
        if (j->mask_kind == VRS_POST_MASK_FULL) {
            part.mask = view->alpha;
            part.mask_stride = WIDTH;
        }
        if (j->output == VRS_POST_ALPHA)
            check(s, vrs_cuda_alpha_view(&part, view->alpha, WIDTH, &p.view[v]));
        else
            check(s, vrs_cuda_render_view(&part, &p.view[v]));
    }
    check(s, vrs_cuda_render(&s->kernels, s->stream, &p, j->count));
}

static void run_feather(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    vrs_box_params p = {.radius = j->radius, .rows = j->rows};
    for (int32_t v = 0; v < j->count; v++) {
        const bench_view *view = &s->view[rotation % SETS][v];
        p.view[v] = (vrs_box_view){view->alpha, view->target, WIDTH, WIDTH, WIDTH, HEIGHT};
    }
    check(s, vrs_cuda_feather(&s->kernels, s->stream, &p, j->count));
}

static void run_classes(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    vrs_classes_params p = {.classes = CLASSES, .half = 1};
    for (int32_t v = 0; v < j->count; v++) {
        const bench_view *view = &s->view[rotation % SETS][v];
        p.view[v] = (vrs_classes_view){.scores = view->scores,
                                       .dst = view->target,
                                       .class_stride = (int64_t)SIDE * SIDE,
                                       .row_stride = SIDE,
                                       .column_stride = 1,
                                       .region_width = SIDE,
                                       .region_height = SIDE,
                                       .width = WIDTH,
                                       .height = HEIGHT,
                                       .dst_stride = WIDTH};
    }
    check(s, vrs_cuda_classes(&s->kernels, s->stream, &p, j->count));
}

static size_t round_up(double bytes)
{
    return ((size_t)bytes + 4095) / 4096 * 4096;
}

/* All of a view from one allocation, filled with the random bytes. */
static void open_view(bench_state *s, bench_view *view, const void *random)
{
    const double bytes[] = {large * 3, large * 5, large * 2, small * 2 * CLASSES,
                            small * 2, small * 2, small,     small * 8,
                            small * 8};
    vrs_device_ptr *part = &view->source;
    size_t total = 0;
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
        total += round_up(bytes[i]);
    vrs_device_ptr at = 0;
    check(s, vrs_device_raw_alloc(s->device, total, &at));
    for (size_t done = 0; done < total && s->failed == 0; done += RANDOM_BYTES)
        check(s, vrs_device_upload(s->stream, at + done, random,
                                   total - done < RANDOM_BYTES ? total - done : RANDOM_BYTES));
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        part[i] = at;
        at += round_up(bytes[i]);
    }
}

/* Random bytes; then masks that are masks, and coefficients and alphas made of them. */
static void open_data(bench_state *s)
{
    uint64_t *random = malloc(RANDOM_BYTES), x = 0x9E3779B97F4A7C15U;
    if (random == NULL) {
        s->failed = 1;
        return;
    }
    for (size_t i = 0; i < RANDOM_BYTES / sizeof(*random); i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        random[i] = x & 0xbfffbfffbfffbfffU; /* no infinities among halves */
    }
    for (int set = 0; set < SETS; set++)
        for (int v = 0; v < BATCH && s->failed == 0; v++)
            open_view(s, &s->view[set][v], random);
    bench_job job = {.state = s,
                     .count = BATCH,
                     .classes = 1,
                     .radius = 1,
                     .smooth = 0,
                     .activation = VRS_ACTIVATION_SIGMOID,
                     .from = VRS_FORMAT_NV12,
                     .output = VRS_POST_ALPHA,
                     .mask_kind = VRS_POST_MASK_SMALL};
    for (int set = 0; set < SETS && s->failed == 0; set++) {
        run_person(&job, set);
        for (int v = 0; v < BATCH && s->failed == 0; v++)
            check(s, vrs_device_copy(s->stream, s->view[set][v].state, s->view[set][v].mask,
                                     (size_t)small * 2));
        run_guided(&job, set);
        run_render(&job, set);
    }
    free(random);
}

static void close_data(bench_state *s)
{
    for (int set = 0; set < SETS; set++)
        for (int v = 0; v < BATCH; v++)
            vrs_device_raw_free(s->device, s->view[set][v].source);
}

typedef struct bench_row {
    const char *name;
    void (*run)(void *ctx, int rotation);
    double bytes; /* of a view */
    bench_job job;
} bench_row;

#define PERSON(classes_, activation_, last_, smooth_, chain_)                             \
    run_person, small *(2 * (classes_) + 2 + 4 * (smooth_)),                              \
    {                                                                                     \
        .classes = classes_, .activation = activation_, .last = last_, .smooth = smooth_, \
        .chain = chain_                                                                   \
    }
#define RENDER(bytes_, from_, to_, output_, kind_)                                                \
    run_render, bytes_,                                                                           \
    {                                                                                             \
        .from = VRS_FORMAT_##from_, .to = VRS_FORMAT_##to_, .output = output_, .mask_kind = kind_ \
    }

static void run_rows(bench_state *s, bench_timer timer, bench_report report)
{
    const double coefficients = small * 8, mask = small * 2;
    const bench_row rows[] = {
        {"sigmoid 512x512 FP16", PERSON(1, VRS_ACTIVATION_SIGMOID, 0, 0, 0)},
        {"sigmoid 512x512 FP16, smoothed", PERSON(1, VRS_ACTIVATION_SIGMOID, 0, 1, 0)},
        {"softmax 512x512x21 FP16 NCHW", PERSON(21, VRS_ACTIVATION_SOFTMAX, 0, 0, 0)},
        {"softmax 512x512x21 FP16 NHWC", PERSON(21, VRS_ACTIVATION_SOFTMAX, 1, 0, 0)},
        {"argmax 512x512x21 FP16 NCHW", PERSON(21, VRS_ACTIVATION_ARGMAX, 0, 0, 0)},
        {"guided 512x512, radius 1", run_guided, small * 11, {.radius = 1}},
        {"guided 512x512, radius 4", run_guided, small * 27, {.radius = 4}},
        {"mask, gray8", RENDER(large + mask, NV12, GRAY8, VRS_POST_GRAY, VRS_POST_MASK_SMALL)},
        {"refined mask, gray8",
         RENDER(large * 2 + coefficients, NV12, GRAY8, VRS_POST_GRAY, VRS_POST_MASK_REFINE)},
        {"composite, nv12",
         RENDER(large * 3 + mask, NV12, NV12, VRS_POST_COMPOSITE, VRS_POST_MASK_SMALL)},
        {"refined composite, nv12",
         RENDER(large * 3 + coefficients, NV12, NV12, VRS_POST_COMPOSITE, VRS_POST_MASK_REFINE)},
        {"refined composite, nv12 to yuv420p",
         RENDER(large * 3 + coefficients, NV12, YUV420P, VRS_POST_COMPOSITE, VRS_POST_MASK_REFINE)},
        {"refined composite, p010",
         RENDER(large * 6 + coefficients, P010, P010, VRS_POST_COMPOSITE, VRS_POST_MASK_REFINE)},
        {"refined cut-out, nv12 to yuva420p",
         RENDER(large * 4 + coefficients, NV12, YUVA420P, VRS_POST_CUTOUT, VRS_POST_MASK_REFINE)},
        {"refined alpha, nv12",
         RENDER(large * 3 + coefficients, NV12, GRAY8, VRS_POST_ALPHA, VRS_POST_MASK_REFINE)},
        {"feathered composite, nv12",
         RENDER(large * 5, NV12, NV12, VRS_POST_COMPOSITE, VRS_POST_MASK_FULL)},
        {"feather, radius 4, two boxes", run_feather, large * 8, {.radius = 4}},
        {"feather, radius 64, two boxes", run_feather, large * 8, {.radius = 64}},
        {"classes 512x512x21 FP16", run_classes, large + small * 2 * CLASSES, {.radius = 0}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && s->failed == 0; i++) {
        for (int32_t count = 1; count <= BATCH && s->failed == 0; count += BATCH - 1) {
            bench_job job = rows[i].job;
            char name[128];
            job.state = s;
            job.count = count;
            (void)snprintf(name, sizeof(name), "%s, B%d", rows[i].name, count);
            const double us = timer(rows[i].run, &job);
            report(name, rows[i].bytes * count, us);
        }
    }
}

int bench_cuda_postprocess(vrs_device *device, vrs_device_stream *stream, bench_timer timer,
                           bench_report report)
{
    bench_state *state = calloc(1, sizeof(*state));
    if (state == NULL)
        return 1;
    state->device = device;
    state->stream = stream;
    check(state, vrs_cuda_postprocess_open(device, &state->kernels));
    if (state->failed == 0)
        open_data(state);
    if (state->failed == 0)
        run_rows(state, timer, report);
    close_data(state);
    const int failed = state->failed;
    free(state);
    return failed;
}
