/* Preprocessing of 1080p frames to 512x512, random data, batches of 1 and 8, over sets of frames
 * and tensors in turn that are together several times the L2. The floor of each job is its source's
 * bytes and its tensor's once. Beside it the same work as a kernel for each step. */
#include "kernels_cuda.h"

#include <stdio.h>
#include <stdlib.h>

#include "device/raw.h"
#include "image/format.h"
#include "kernels/cuda/preprocess_launch.h"
#include "kernels_cuda_naive.h"

#define VIEWS 64 /* of a set of data; a batch takes its part of them in turn */
#define SIDE 512
#define MOST_TENSOR ((size_t)SIDE * SIDE * 8 * 2)
#define LARGEST_FRAME ((size_t)1920 * 1080 * 4)
#define LARGE_FLOATS ((size_t)1920 * 1080 * 3 * sizeof(float))
#define SMALL_FLOATS ((size_t)SIDE * SIDE * 3 * sizeof(float))
#define TABLES_BYTES ((size_t)1 << 20)

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
    {"rgb24 bilinear nchw f16", VRS_FORMAT_RGB24, VRS_TENSOR_F16_NCHW, 0, VRS_RESIZE_BILINEAR, 0},
};

typedef struct bench_state {
    vrs_cuda_preprocess kernels;
    vrs_device_stream *stream;
    vrs_device_ptr frames, tensors, lumas, tables;
    vrs_preprocess_plan *plan;
    vrs_preprocess_view view;
    vrs_pixel_format format;
    int32_t guide, count;
    /* as separate kernels */
    const bench_cuda *bench;
    vrs_cu_function steps[4];
    vrs_device_ptr large, small;
} bench_state;

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
    bench_require(vrs_cuda_preprocess_run(&state->kernels, state->stream, items, state->count));
}

static void run_steps(void *ctx, int rotation)
{
    const bench_state *s = ctx;
    const size_t slot = (size_t)(rotation * s->count) % VIEWS;
    const bench_naive_params params = {.frames = s->frames + slot * LARGEST_FRAME,
                                       .frame_step = LARGEST_FRAME,
                                       .large = s->large,
                                       .large_step = LARGE_FLOATS,
                                       .small = s->small,
                                       .small_step = SMALL_FLOATS,
                                       .tensors = s->tensors + slot * MOST_TENSOR,
                                       .tensor_step = MOST_TENSOR,
                                       .width = 1920,
                                       .height = 1080,
                                       .to_width = SIDE,
                                       .to_height = SIDE,
                                       .mean = {123.675F, 116.28F, 103.53F},
                                       .scale = {0.0171F, 0.0175F, 0.0174F}};
    const uint32_t views = (uint32_t)s->count;
    const uint32_t large[3] = {1920 / 128, 1080, views}, small[3] = {SIDE / 128, SIDE, views};
    for (int i = 0; i < 4; i++) {
        bench_cuda_launch(s->bench, s->steps[i], i == 0 ? large : small, 128, &params,
                          sizeof(params));
    }
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

/* The case's plan and tables. */
static void open_case(bench_cuda *bench, bench_state *state, const bench_case *what)
{
    const vrs_preprocess_desc desc = describe(what);
    bench_require(vrs_preprocess_plan_create(&desc, &state->plan));
    const size_t bytes = vrs_cuda_preprocess_bytes(state->plan);
    void *tables = malloc(bytes);
    if (tables == NULL || bytes > TABLES_BYTES)
        bench_require(VRS_NO_MEMORY);
    vrs_cuda_preprocess_fill(state->plan, tables, &state->view);
    bench_require(vrs_device_upload(state->stream, state->tables, tables, bytes));
    bench_cuda_finish(bench);
    free(tables);
    state->format = what->format;
    state->guide = what->luma;
}

static void measure(bench_cuda *bench, bench_state *state, const bench_case *what, const char *name)
{
    vrs_image image;
    open_case(bench, state, what);
    const double once = (double)frame_at(&image, what->format, 0) +
                        (double)vrs_preprocess_tensor_bytes(state->plan) +
                        (what->luma ? (double)SIDE * SIDE : 0.0);
    bench_cuda_measure(bench, &(bench_call){.name = name,
                                            .run = run,
                                            .ctx = state,
                                            .bytes = once * state->count,
                                            .times_floor = state->count == 8 ? 1.3 : 0.0,
                                            .most_us = state->count == 1 ? 8.0 : 0.0});
    vrs_preprocess_plan_destroy(state->plan);
    state->plan = NULL;
}

static void open_data(bench_cuda *bench, bench_state *state)
{
    vrs_device *device = bench_cuda_device(bench);
    bench_require(vrs_cuda_preprocess_open(device, &state->kernels));
    state->frames = bench_cuda_random(bench, VIEWS * LARGEST_FRAME, UINT64_MAX);
    bench_require(vrs_device_raw_alloc(device, VIEWS * MOST_TENSOR, &state->tensors));
    bench_require(vrs_device_raw_alloc(device, (size_t)VIEWS * SIDE * SIDE, &state->lumas));
    bench_require(vrs_device_raw_alloc(device, TABLES_BYTES, &state->tables));
}

/* NV12 -> 8 channels, FP16, by separate kernels: bytes of the job itself, as above. */
static void measure_steps(bench_cuda *bench, bench_state *state, const char *name)
{
    static const char *const names[4] = {"bench_to_float", "bench_resize", "bench_normalize",
                                         "bench_to_half"};
    vrs_image image;
    state->bench = bench;
    for (int i = 0; i < 4; i++)
        state->steps[i] = bench_cuda_function(bench, names[i]);
    if (state->large == 0) {
        vrs_device *device = bench_cuda_device(bench);
        bench_require(vrs_device_raw_alloc(device, 8 * LARGE_FLOATS, &state->large));
        bench_require(vrs_device_raw_alloc(device, 8 * SMALL_FLOATS, &state->small));
    }
    const double once = (double)frame_at(&image, VRS_FORMAT_NV12, 0) + (double)MOST_TENSOR;
    bench_cuda_measure(
        bench,
        &(bench_call){.name = name, .run = run_steps, .ctx = state, .bytes = once * state->count});
}

void bench_cuda_preprocess(bench_cuda *bench)
{
    static const size_t count = sizeof(cases) / sizeof(cases[0]);
    bench_state state = {.stream = bench_cuda_stream(bench)};
    for (size_t i = 0; i <= count; i++) {
        for (state.count = 1; state.count <= 8; state.count *= 8) {
            char name[96];
            snprintf(name, sizeof(name), "preprocess/1080p %s, B%d",
                     i < count ? cases[i].name : "nv12 area nhwc8 f16 as four kernels",
                     (int)state.count);
            if (!bench_cuda_wants(bench, name))
                continue;
            if (state.frames == 0)
                open_data(bench, &state);
            if (i < count)
                measure(bench, &state, &cases[i], name);
            else
                measure_steps(bench, &state, name);
        }
    }
}
