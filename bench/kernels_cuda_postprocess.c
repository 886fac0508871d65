/* 1080p frames, masks of 512x512, batches of 1 and 8, as in a run: 64 views of random data in turn,
 * of more bytes than the L2 holds. The floor of each job is its bytes in and out once. */
#include "kernels_cuda.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "image/format.h"
#include "kernels/cuda/postprocess_launch.h"
#include "kernels/kernels.h"

#define VIEWS 64
#define BATCH 8
#define WIDTH 1920
#define HEIGHT 1080
#define SIDE 512
#define CLASSES 21

static const double large = (double)WIDTH * HEIGHT;
static const double small = (double)SIDE * SIDE;

/* Device memory of one view in one set. */
typedef struct bench_view {
    vrs_device_ptr source, target, alpha, scores, areas, mask, state, guide, once, coefficients;
} bench_view;

typedef struct bench_state {
    bench_cuda *bench;
    vrs_device_stream *stream;
    vrs_cuda_postprocess kernels;
    bench_view view[VIEWS];
} bench_state;

/* What is timed: one kernel on `count` views. */
typedef struct bench_job {
    bench_state *state;
    int32_t count, rows;
    /* person, classes */
    int32_t classes, last, areas; /* last: NHWC; areas: scores as networks give them */
    int32_t side;                 /* of scores or masks that are enlarged; 0: SIDE, as they are */
    vrs_activation activation;
    int32_t smooth, chain;
    /* guided, feather */
    int32_t radius;
    /* render */
    vrs_pixel_format from, to;
    int32_t output, mask_kind;
} bench_job;

/* View `v` of a call: views come in turn. */
static const bench_view *view_of(const bench_job *j, int rotation, int32_t v)
{
    return &j->state->view[(rotation * j->count + v) % VIEWS];
}

static void run_person(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    const int32_t side = j->side > 0 ? j->side : SIDE;
    vrs_person_enlarge_params enlarging = {.source_width = side, .source_height = side};
    vrs_person_params *p = &enlarging.person;
    *p = (vrs_person_params){.width = SIDE,
                             .height = SIDE,
                             .classes = j->classes,
                             .class_stride = j->last ? 1 : (int64_t)side * side,
                             .column_stride = j->last ? j->classes : 1,
                             .row_stride = j->last ? (int64_t)side * j->classes : side,
                             .person_classes = j->classes == 1 ? 1 : 1U << (j->classes * 3 / 4),
                             .activation = (int32_t)j->activation,
                             .half = 1,
                             .weight = 20000};
    for (int32_t v = 0; v < j->count; v++) {
        const bench_view *view = view_of(j, rotation, v);
        p->view[v].scores = view->scores;
        p->view[v].mask = view->mask;
        p->view[v].smooth.next = j->chain && v + 1 < j->count ? v + 1 : -1;
        p->view[v].smooth.state_in = j->smooth ? view->state : 0;
        p->view[v].smooth.state_out = j->smooth ? view->state : 0;
    }
    if (j->side > 0)
        bench_require(vrs_cuda_person_enlarge(&s->kernels, s->stream, &enlarging, j->count));
    else
        bench_require(vrs_cuda_person(&s->kernels, s->stream, p, j->count));
}

static void run_resize(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    vrs_mask_resize_params p = {.source_stride = j->side,
                                .source_width = j->side,
                                .source_height = j->side,
                                .width = SIDE,
                                .height = SIDE};
    for (int32_t v = 0; v < j->count; v++) {
        const bench_view *view = view_of(j, rotation, v);
        p.view[v] = (vrs_mask_resize_view){view->state, view->mask, {.next = -1}};
    }
    bench_require(vrs_cuda_mask_resize(&s->kernels, s->stream, &p, j->count));
}

static void run_guided(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    vrs_guided_params p = {
        .width = SIDE, .height = SIDE, .radius = j->radius, .epsilon = 5e-4f, .rows = j->rows};
    for (int32_t v = 0; v < j->count; v++) {
        const bench_view *view = view_of(j, rotation, v);
        p.view[v] = (vrs_guided_view){view->mask, view->guide, view->once, view->coefficients};
    }
    bench_require(vrs_cuda_guided(&s->kernels, s->stream, &p, j->count));
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
        const bench_view *view = view_of(j, rotation, v);
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
            bench_require(vrs_cuda_alpha_view(&part, view->alpha, WIDTH, &p.view[v]));
        else
            bench_require(vrs_cuda_render_view(&part, &p.view[v]));
    }
    bench_require(vrs_cuda_render(&s->kernels, s->stream, &p, j->count));
}

static void run_feather(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    vrs_box_params p = {.radius = j->radius, .rows = j->rows};
    for (int32_t v = 0; v < j->count; v++) {
        const bench_view *view = view_of(j, rotation, v);
        p.view[v] = (vrs_box_view){view->alpha, view->target, WIDTH, WIDTH, WIDTH, HEIGHT};
    }
    bench_require(vrs_cuda_feather(&s->kernels, s->stream, &p, j->count));
}

static void run_classes(void *ctx, int rotation)
{
    const bench_job *j = ctx;
    bench_state *s = j->state;
    vrs_classes_params p = {.classes = CLASSES, .half = 1};
    for (int32_t v = 0; v < j->count; v++) {
        const bench_view *view = view_of(j, rotation, v);
        p.view[v] = (vrs_classes_view){.scores = j->areas ? view->areas : view->scores,
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
    bench_require(vrs_cuda_classes(&s->kernels, s->stream, &p, j->count));
}

static size_t round_up(double bytes)
{
    return ((size_t)bytes + 4095) / 4096 * 4096;
}

/* All of a view from one allocation of random bytes. */
static void open_view(bench_state *s, bench_view *view)
{
    const double bytes[] = {large * 3,           large * 5, large * 2, small * 2 * CLASSES,
                            small * 2 * CLASSES, small * 2, small * 2, small,
                            small * 8,           small * 8};
    vrs_device_ptr *part = &view->source;
    size_t total = 0;
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
        total += round_up(bytes[i]);
    /* No infinities among halves. */
    vrs_device_ptr at = bench_cuda_random(s->bench, total, 0xbfffbfffbfffbfffU);
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        part[i] = at;
        at += round_up(bytes[i]);
    }
}

/* Scores as networks give them, between -4 and 6: a background, and 20 shapes of fifty pixels whose
 * edges are some ten pixels wide; binary16 by their formula (no rounding, nothing tiny). */
static uint16_t area_score(int c, int x, int y)
{
    const double dx = (x - (c * 193 + 60) % SIDE) / 22.0, dy = (y - (c * 331 + 90) % SIDE) / 30.0;
    const double value = (c == 0 ? 1 : 10 / (1 + pow(dx * dx + dy * dy, 4)) - 4) +
                         0.01 * ((x * 7 + y * 13 + c * 5) % 11);
    int exponent;
    const double mantissa = frexp(fabs(value) + 1e-3, &exponent);
    return (uint16_t)((value < 0 ? 0x8000 : 0) |
                      (((exponent + 13) << 10) + (int)(mantissa * 2048)));
}

static void open_areas(bench_state *s)
{
    const size_t bytes = (size_t)SIDE * SIDE * CLASSES * sizeof(uint16_t);
    uint16_t *scores = malloc(bytes), *p = scores;
    bench_require(scores == NULL ? VRS_NO_MEMORY : VRS_OK);
    for (int c = 0; c < CLASSES; c++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                *p++ = area_score(c, x, y);
    for (int v = 0; v < VIEWS; v++)
        bench_require(vrs_device_upload(s->stream, s->view[v].areas, scores, bytes));
    bench_cuda_finish(s->bench);
    free(scores);
}

/* Random bytes; then masks that are masks, and coefficients and alphas made of them. */
static void open_data(bench_state *s)
{
    bench_require(vrs_cuda_postprocess_open(bench_cuda_device(s->bench), &s->kernels));
    for (int v = 0; v < VIEWS; v++)
        open_view(s, &s->view[v]);
    open_areas(s);
    bench_job job = {.state = s,
                     .count = BATCH,
                     .classes = 1,
                     .radius = 1,
                     .smooth = 0,
                     .activation = VRS_ACTIVATION_SIGMOID,
                     .from = VRS_FORMAT_NV12,
                     .output = VRS_POST_ALPHA,
                     .mask_kind = VRS_POST_MASK_SMALL};
    for (int set = 0; set < VIEWS / BATCH; set++) {
        run_person(&job, set);
        for (int32_t v = 0; v < BATCH; v++) {
            const bench_view *view = view_of(&job, set, v);
            bench_require(vrs_device_copy(s->stream, view->state, view->mask, (size_t)small * 2));
        }
        run_guided(&job, set);
        run_render(&job, set);
    }
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
#define ENLARGE(classes_, activation_, last_)                                           \
    run_person, small *(2 * (classes_) / 16.0 + 2),                                     \
    {                                                                                   \
        .classes = classes_, .activation = activation_, .last = last_, .side = SIDE / 4 \
    }
#define RENDER(bytes_, from_, to_, output_, kind_)                                                \
    run_render, bytes_,                                                                           \
    {                                                                                             \
        .from = VRS_FORMAT_##from_, .to = VRS_FORMAT_##to_, .output = output_, .mask_kind = kind_ \
    }

static void run_rows(bench_state *s)
{
    const double coefficients = small * 8, mask = small * 2;
    const bench_row rows[] = {
        {"sigmoid 512x512 FP16", PERSON(1, VRS_ACTIVATION_SIGMOID, 0, 0, 0)},
        {"sigmoid 512x512 FP16, smoothed", PERSON(1, VRS_ACTIVATION_SIGMOID, 0, 1, 0)},
        {"softmax 512x512x21 FP16 NCHW", PERSON(21, VRS_ACTIVATION_SOFTMAX, 0, 0, 0)},
        {"softmax 512x512x21 FP16 NHWC", PERSON(21, VRS_ACTIVATION_SOFTMAX, 1, 0, 0)},
        {"argmax 512x512x21 FP16 NCHW", PERSON(21, VRS_ACTIVATION_ARGMAX, 0, 0, 0)},
        {"softmax 128x128x2 FP16 to 512x512", ENLARGE(2, VRS_ACTIVATION_SOFTMAX, 0)},
        {"softmax 128x128x2 FP16 NHWC to 512x512", ENLARGE(2, VRS_ACTIVATION_SOFTMAX, 1)},
        {"argmax 128x128x21 FP16 to 512x512", ENLARGE(21, VRS_ACTIVATION_ARGMAX, 0)},
        {"softmax 128x128x21 FP16 to 512x512", ENLARGE(21, VRS_ACTIVATION_SOFTMAX, 0)},
        {"mask 256x256 to 512x512", run_resize, small * 2 * 5 / 4, {.side = SIDE / 2}},
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
        {"classes 512x512x21 FP16, areas", run_classes, large + small * 2 * CLASSES, {.areas = 1}},
        {"classes 512x512x21 FP16, noise", run_classes, large + small * 2 * CLASSES, {.areas = 0}},
    };
    bool opened = false;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int32_t count = 1; count <= BATCH; count += BATCH - 1) {
            bench_job job = rows[i].job;
            char name[128];
            job.state = s;
            job.count = count;
            (void)snprintf(name, sizeof(name), "postprocess/%s, B%d", rows[i].name, count);
            if (!opened && bench_cuda_wants(s->bench, name)) {
                open_data(s);
                opened = true;
            }
            bench_cuda_measure(s->bench, &(bench_call){.name = name,
                                                       .run = rows[i].run,
                                                       .ctx = &job,
                                                       .bytes = rows[i].bytes * count,
                                                       .times_floor = 1.5});
        }
    }
}

void bench_cuda_postprocess(bench_cuda *bench)
{
    bench_state state = {.bench = bench, .stream = bench_cuda_stream(bench)};
    run_rows(&state);
}
