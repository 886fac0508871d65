/* Part 1: the fused preprocessing kernel, by instruction set and on a GPU, beside memcpy of the
 * same frame. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "device/raw.h"
#include "image/format.h"
#include "kernels/cuda/preprocess_launch.h"
#include "kernels/kernels.h"
#include "tour.h"

#define SIDE 512
#define TURNS 24 /* the fastest counts: what the machine can do */

static const vrs_preprocess_desc what = {
    .format = VRS_FORMAT_NV12,
    .image_width = 1920,
    .image_height = 1080,
    .view = {0, 0, 1920, 1080},
    .width = SIDE,
    .height = SIDE,
    .resize = VRS_RESIZE_AREA,
    .tensor = VRS_TENSOR_F32_NCHW,
    .mean = {123.675F, 116.28F, 103.53F},
    .scale = {1 / 58.395F, 1 / 57.12F, 1 / 57.375F},
};
#define FRAME_BYTES (1920.0 * 1080 * 3 / 2)

static void say(const char *who, int64_t ns, double worst)
{
    (void)printf("   %-28s %8.3f ms  %7.1f GB/s of frame", who, (double)ns / 1e6,
                 FRAME_BYTES / (double)ns);
    if (worst >= 0)
        (void)printf("  at most %.1e from plain C", worst);
    (void)printf("\n");
}

static double distance(const float *a, const float *b)
{
    double worst = 0;
    for (size_t i = 0; i < (size_t)3 * SIDE * SIDE; i++)
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void on_cpu(const vrs_preprocess_plan *plan, const vrs_image *image, float *expected)
{
    size_t bytes = vrs_preprocess_tensor_bytes(plan);
    float *tensor = vrs_alloc_aligned(bytes);
    void *scratch = vrs_alloc_aligned(vrs_preprocess_scratch(plan) + 1);
    uint8_t *copy = vrs_alloc((size_t)FRAME_BYTES);
    tour_require(tensor && scratch && copy ? VRS_OK : VRS_NO_MEMORY);
    int64_t best = INT64_MAX;
    for (int turn = 0; turn < TURNS; turn++) {
        int64_t begin = vrs_now_ns();
        memcpy(copy, image->planes[0], (size_t)1920 * 1080);
        memcpy(copy + (size_t)1920 * 1080, image->planes[1], (size_t)1920 * 540);
        best = least(best, vrs_now_ns() - begin);
    }
    say("memcpy of the frame", best, -1);
    for (int isa = VRS_ISA_REFERENCE; isa <= (int)vrs_isa_detect(); isa++) {
        const vrs_kernels *kernels = vrs_kernels_get((vrs_isa)isa);
        int turns = isa == VRS_ISA_REFERENCE ? 2 : TURNS;
        best = INT64_MAX;
        for (int turn = 0; turn < turns; turn++) {
            int64_t begin = vrs_now_ns();
            kernels->preprocess(plan, image, isa == VRS_ISA_REFERENCE ? expected : tensor, NULL,
                                scratch);
            best = least(best, vrs_now_ns() - begin);
        }
        say(kernels->name, best, isa == VRS_ISA_REFERENCE ? -1 : distance(tensor, expected));
    }
    vrs_free(tensor);
    vrs_free(scratch);
    vrs_free(copy);
}

typedef struct gpu {
    vrs_device *device;
    vrs_device_stream *stream;
    vrs_device_event *begin, *end;
    vrs_device_ptr frame, tensor, tables;
    vrs_cuda_preprocess kernels;
    vrs_preprocess_view view;
} gpu;

static void open_gpu(gpu *g, const vrs_preprocess_plan *plan, const vrs_image *image)
{
    size_t bytes = vrs_cuda_preprocess_bytes(plan), luma = (size_t)1920 * 1080;
    void *tables = vrs_alloc(bytes);
    tour_require(tables ? VRS_OK : VRS_NO_MEMORY);
    tour_require(vrs_cuda_preprocess_open(g->device, &g->kernels));
    tour_require(vrs_device_stream_create(g->device, VRS_PRIORITY_NORMAL, &g->stream));
    tour_require(vrs_device_event_create(g->device, true, &g->begin));
    tour_require(vrs_device_event_create(g->device, true, &g->end));
    tour_require(vrs_device_raw_alloc(g->device, (size_t)FRAME_BYTES, &g->frame));
    tour_require(vrs_device_raw_alloc(g->device, vrs_preprocess_tensor_bytes(plan), &g->tensor));
    tour_require(vrs_device_raw_alloc(g->device, bytes, &g->tables));
    vrs_cuda_preprocess_fill(plan, tables, &g->view);
    tour_require(vrs_device_upload(g->stream, g->tables, tables, bytes));
    tour_require(vrs_device_upload(g->stream, g->frame, image->planes[0], luma));
    tour_require(vrs_device_upload(g->stream, g->frame + luma, image->planes[1], luma / 2));
    tour_require(vrs_device_event_record(g->end, g->stream));
    tour_require(vrs_device_event_wait(g->end));
    vrs_free(tables);
}

static void close_gpu(gpu *g)
{
    vrs_device_raw_free(g->device, g->tables);
    vrs_device_raw_free(g->device, g->tensor);
    vrs_device_raw_free(g->device, g->frame);
    vrs_device_event_destroy(g->end);
    vrs_device_event_destroy(g->begin);
    vrs_device_stream_destroy(g->stream);
}

static void on_gpu(vrs_device *device, const vrs_preprocess_plan *plan, const vrs_image *image,
                   const float *expected)
{
    gpu g = {.device = device};
    size_t bytes = vrs_preprocess_tensor_bytes(plan);
    float *tensor = vrs_alloc(bytes);
    int64_t best = INT64_MAX;
    tour_require(tensor ? VRS_OK : VRS_NO_MEMORY);
    open_gpu(&g, plan, image);
    vrs_image there = *image;
    there.memory = VRS_MEMORY_CUDA;
    there.planes[0] = (uint8_t *)(uintptr_t)g.frame;
    there.planes[1] = (uint8_t *)(uintptr_t)(g.frame + (size_t)1920 * 1080);
    there.strides[0] = there.strides[1] = 1920;
    const vrs_cuda_preprocess_item item = {
        .plan = plan, .view = &g.view, .image = &there, .tables = g.tables, .tensor = g.tensor};
    for (int turn = 0; turn < TURNS; turn++) {
        double ms = 0;
        tour_require(vrs_device_event_record(g.begin, g.stream));
        tour_require(vrs_cuda_preprocess_run(&g.kernels, g.stream, &item, 1));
        tour_require(vrs_device_event_record(g.end, g.stream));
        tour_require(vrs_device_event_wait(g.end));
        tour_require(vrs_device_event_elapsed(g.begin, g.end, &ms));
        best = least(best, (int64_t)(ms * 1e6) + 1);
    }
    tour_require(vrs_device_download(g.stream, tensor, g.tensor, bytes));
    tour_require(vrs_device_event_record(g.end, g.stream));
    tour_require(vrs_device_event_wait(g.end));
    say(vrs_device_get_properties(device)->name, best, distance(tensor, expected));
    close_gpu(&g);
    vrs_free(tensor);
}

void tour_kernels(const tour *t)
{
    (void)t;
    vrs_preprocess_plan *plan = NULL;
    vrs_device *device = NULL;
    vrs_image image = tour_picture(VRS_FORMAT_NV12, 1920, 1080, 0);
    tour_require(vrs_preprocess_plan_create(&what, &plan));
    float *expected = vrs_alloc_aligned(vrs_preprocess_tensor_bytes(plan));
    tour_require(expected ? VRS_OK : VRS_NO_MEMORY);
    (void)printf("   NV12 1920x1080 -> RGB 512x512 in floats: resized, converted, normalised\n");
    on_cpu(plan, &image, expected);
    tour_require(vrs_device_open("auto", &device));
    if (vrs_device_get_properties(device)->kind == VRS_DEVICE_CUDA)
        on_gpu(device, plan, &image, expected);
    vrs_device_close(device);
    vrs_free(expected);
    vrs_preprocess_plan_destroy(plan);
    vrs_image_release(&image);
}
