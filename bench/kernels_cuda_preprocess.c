/* 1080p and 4K frames to 512x512, random data, batches of 1 and 8, over sets of frames and tensors
 * in turn that are together several times the L2. The floor of each job is its source's bytes and
 * its tensor's once. */
#include "kernels_cuda_preprocess.h"

#include <stdio.h>
#include <stdlib.h>

#include "device/raw.h"
#include "image/format.h"
#include "kernels/cuda/preprocess_launch.h"

#define VIEWS 64 /* of a set of data; a batch takes its part of them in turn */
#define SIDE 512
#define MOST_TENSOR ((size_t)SIDE * SIDE * 8 * 2)
#define LARGEST_FRAME ((size_t)1920 * 1080 * 4)
#define RANDOM_BYTES ((size_t)16 << 20)

typedef struct bench_case {
    const char *name;
    vrs_pixel_format format;
    vrs_tensor_format tensor;
    int32_t channels;
    vrs_resize resize;
    int32_t luma;
} bench_case;

static const bench_case cases[] = {
    {"nv12 area nhwc8 f16", VRS_FORMAT_NV12, VRS_TENSOR_F16_NHWC, 8, VRS_RESIZE_AREA, 0},
    {"nv12 area s2d16 f16", VRS_FORMAT_NV12, VRS_TENSOR_F16_S2D, 16, VRS_RESIZE_AREA, 0},
    {"nv12 bilinear nhwc8 f16", VRS_FORMAT_NV12, VRS_TENSOR_F16_NHWC, 8, VRS_RESIZE_BILINEAR, 0},
    {"nv12 bilinear s2d16 f16", VRS_FORMAT_NV12, VRS_TENSOR_F16_S2D, 16, VRS_RESIZE_BILINEAR, 0},
    {"nv12 area s2d16 f16 guide", VRS_FORMAT_NV12, VRS_TENSOR_F16_S2D, 16, VRS_RESIZE_AREA, 1},
    {"nv12 area nchw f16", VRS_FORMAT_NV12, VRS_TENSOR_F16_NCHW, 0, VRS_RESIZE_AREA, 0},
    {"nv12 area s2d16 i8", VRS_FORMAT_NV12, VRS_TENSOR_I8_S2D, 16, VRS_RESIZE_AREA, 0},
    {"yuv420p area nhwc8 f16", VRS_FORMAT_YUV420P, VRS_TENSOR_F16_NHWC, 8, VRS_RESIZE_AREA, 0},
    {"p010 area s2d16 f16", VRS_FORMAT_P010, VRS_TENSOR_F16_S2D, 16, VRS_RESIZE_AREA, 0},
    {"rgb24 area nhwc8 f16", VRS_FORMAT_RGB24, VRS_TENSOR_F16_NHWC, 8, VRS_RESIZE_AREA, 0},
};

typedef struct bench_state {
    vrs_cuda_preprocess kernels;
    vrs_device_stream *stream;
    vrs_device_ptr frames, tensors, lumas, tables;
    vrs_preprocess_plan *plan;
    vrs_preprocess_view view;
    vrs_pixel_format format;
    int32_t guide, count;
    int failed;
} bench_state;

static void check(bench_state *state, vrs_status status)
{
    if (status != VRS_OK && state->failed == 0) {
        fprintf(stderr, "kernels_cuda: %s\n", vrs_last_error());
    }
    state->failed |= status != VRS_OK;
}

/* Planes of a frame of 1080p at an address; bytes in all. */
static size_t frame_at(vrs_image *image, vrs_pixel_format format, vrs_device_ptr address)
{
    const vrs_format_info *info = vrs_format_get(format);
    size_t used = 0;
    *image = (vrs_image){.format = format, .width = 1920, .height = 1080};
    image->memory = VRS_MEMORY_CUDA;
    for (int plane = 0; plane < info->planes; plane++) {
        image->planes[plane] = (uint8_t *)(uintptr_t)(address + used);
        image->strides[plane] = (ptrdiff_t)vrs_plane_row_bytes(image, plane);
        used += (size_t)image->strides[plane] * (size_t)vrs_plane_height(image, plane);
    }
    return used;
}

static void run(void *ctx, int rotation)
{
    bench_state *state = ctx;
    vrs_cuda_preprocess_item items[VRS_PREPROCESS_VIEWS];
    vrs_image images[VRS_PREPROCESS_VIEWS];
    for (int32_t i = 0; i < state->count; i++) {
        const size_t slot = (size_t)(rotation * state->count + i) % VIEWS;
        (void)frame_at(&images[i], state->format, state->frames + slot * LARGEST_FRAME);
        items[i] = (vrs_cuda_preprocess_item){
            .plan = state->plan,
            .view = &state->view,
            .image = &images[i],
            .tables = state->tables,
            .tensor = state->tensors + slot * MOST_TENSOR,
            .luma = state->guide ? state->lumas + slot * SIDE * SIDE : 0};
    }
    check(state, vrs_cuda_preprocess_run(&state->kernels, state->stream, items, state->count));
}

static vrs_preprocess_desc describe(const bench_case *what)
{
    return (vrs_preprocess_desc){.format = what->format,
                                 .image_width = 1920,
                                 .image_height = 1080,
                                 .view = {0, 0, 1920, 1080},
                                 .width = SIDE,
                                 .height = SIDE,
                                 .resize = what->resize,
                                 .tensor = what->tensor,
                                 .channels = what->channels,
                                 .mean = {123.675F, 116.28F, 103.53F},
                                 .scale = {0.0171F, 0.0175F, 0.0174F},
                                 .quantum = 0.02F};
}

static void finish(bench_state *state, vrs_device_event *event)
{
    check(state, vrs_device_event_record(event, state->stream));
    check(state, vrs_device_event_wait(event));
}

static void measure(bench_state *state, const bench_case *what, vrs_device_event *event,
                    bench_timer timer, bench_report report)
{
    const vrs_preprocess_desc desc = describe(what);
    check(state, vrs_preprocess_plan_create(&desc, &state->plan));
    if (state->failed) {
        return;
    }
    const size_t bytes = vrs_cuda_preprocess_bytes(state->plan);
    void *tables = malloc(bytes);
    if (tables == NULL) {
        state->failed = 1;
        return;
    }
    vrs_cuda_preprocess_fill(state->plan, tables, &state->view);
    check(state, vrs_device_upload(state->stream, state->tables, tables, bytes));
    finish(state, event);
    free(tables);
    state->format = what->format;
    state->guide = what->luma;
    for (state->count = 1; state->count <= 8 && !state->failed; state->count *= 8) {
        vrs_image image;
        const double once = (double)frame_at(&image, what->format, 0) +
                            (double)vrs_preprocess_tensor_bytes(state->plan) +
                            (what->luma ? (double)SIDE * SIDE : 0.0);
        char name[96];
        snprintf(name, sizeof(name), "preprocess 1080p %s, B%d", what->name, (int)state->count);
        report(name, once * state->count, timer(run, state));
    }
    vrs_preprocess_plan_destroy(state->plan);
    state->plan = NULL;
}

static void fill_random(bench_state *state, vrs_device_event *event)
{
    uint64_t *random = malloc(RANDOM_BYTES), x = 88172645463325252U;
    if (random == NULL) {
        state->failed = 1;
        return;
    }
    for (size_t i = 0; i < RANDOM_BYTES / 8; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        random[i] = x;
    }
    const size_t all = VIEWS * LARGEST_FRAME;
    for (size_t at = 0; at < all; at += RANDOM_BYTES) {
        const size_t part = all - at < RANDOM_BYTES ? all - at : RANDOM_BYTES;
        check(state, vrs_device_upload(state->stream, state->frames + at, random, part));
    }
    finish(state, event);
    free(random);
}

int bench_cuda_preprocess(vrs_device *device, vrs_device_stream *stream, bench_timer timer,
                          bench_report report)
{
    bench_state state = {.stream = stream};
    vrs_device_event *event = NULL;
    check(&state, vrs_cuda_preprocess_open(device, &state.kernels));
    check(&state, vrs_device_event_create(device, false, &event));
    check(&state, vrs_device_raw_alloc(device, VIEWS * LARGEST_FRAME, &state.frames));
    check(&state, vrs_device_raw_alloc(device, VIEWS * MOST_TENSOR, &state.tensors));
    check(&state, vrs_device_raw_alloc(device, (size_t)VIEWS * SIDE * SIDE, &state.lumas));
    check(&state, vrs_device_raw_alloc(device, 1 << 20, &state.tables));
    if (!state.failed) {
        fill_random(&state, event);
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && !state.failed; i++) {
        measure(&state, &cases[i], event, timer, report);
    }
    vrs_device_raw_free(device, state.frames);
    vrs_device_raw_free(device, state.tensors);
    vrs_device_raw_free(device, state.lumas);
    vrs_device_raw_free(device, state.tables);
    vrs_device_event_destroy(event);
    return state.failed;
}
