/* Speed of preprocessing, each instruction set beside memcpy of the same frame, as JSON.
 *
 * Frames are random and rotated through 24 MB, more than a second-level cache, as in a run where
 * each ticket has a frame of its own. Rounds are interleaved; values are medians. "gb_s" counts the
 * source's bytes alone, for memcpy too. Usage: kernels_preprocess [ROUNDS] */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "image/format.h"
#include "kernels/kernels.h"
#include "vrseg/system.h"

#define ROTATED_BYTES 24000000
#define MOST_FRAMES 64
#define MOST_ROUNDS 1000
#define DEFAULT_ROUNDS 31

typedef struct bench_case {
    const char *name;
    vrs_pixel_format format;
    int32_t width, height;
    int32_t network_width, network_height;
    vrs_resize resize;
    vrs_tensor_format tensor;
    double target_ms[3]; /* by vrs_isa; 0: none is set */
} bench_case;

static const bench_case cases[] = {
    {"720p yuv420p area u8",
     VRS_FORMAT_YUV420P,
     1280,
     720,
     256,
     144,
     VRS_RESIZE_AREA,
     VRS_TENSOR_U8_NHWC,
     {0, 0.35, 0.25}},
    {"720p yuv420p bilinear u8",
     VRS_FORMAT_YUV420P,
     1280,
     720,
     256,
     144,
     VRS_RESIZE_BILINEAR,
     VRS_TENSOR_U8_NHWC,
     {0}},
    {"720p yuv420p area f32 nchw",
     VRS_FORMAT_YUV420P,
     1280,
     720,
     256,
     144,
     VRS_RESIZE_AREA,
     VRS_TENSOR_F32_NCHW,
     {0}},
    {"720p nv12 area u8",
     VRS_FORMAT_NV12,
     1280,
     720,
     256,
     144,
     VRS_RESIZE_AREA,
     VRS_TENSOR_U8_NHWC,
     {0}},
    {"720p rgb24 area u8",
     VRS_FORMAT_RGB24,
     1280,
     720,
     256,
     144,
     VRS_RESIZE_AREA,
     VRS_TENSOR_U8_NHWC,
     {0}},
    {"768x432 yuv420p area u8",
     VRS_FORMAT_YUV420P,
     768,
     432,
     256,
     144,
     VRS_RESIZE_AREA,
     VRS_TENSOR_U8_NHWC,
     {0}},
    {"1080p yuv420p area u8",
     VRS_FORMAT_YUV420P,
     1920,
     1080,
     256,
     144,
     VRS_RESIZE_AREA,
     VRS_TENSOR_U8_NHWC,
     {0}},
    {"2160p p010 area u8",
     VRS_FORMAT_P010,
     3840,
     2160,
     256,
     144,
     VRS_RESIZE_AREA,
     VRS_TENSOR_U8_NHWC,
     {0}},
};

/* What a case works on. */
typedef struct bench_data {
    vrs_image frames[MOST_FRAMES];
    int count;
    size_t frame_bytes;
    vrs_preprocess_plan *plan;
    uint8_t *tensor, *luma, *copy;
    void *scratch;
} bench_data;

static void require(bool good)
{
    if (!good) {
        fprintf(stderr, "kernels_preprocess: %s\n", vrs_last_error());
        exit(EXIT_FAILURE);
    }
}

static void fill_random(vrs_image *image)
{
    static uint64_t state = 0x9E3779B97F4A7C15U;
    const vrs_format_info *info = vrs_format_get(image->format);
    for (int plane = 0; plane < info->planes; plane++) {
        const size_t size = (size_t)image->strides[plane] * (size_t)vrs_plane_height(image, plane);
        for (size_t i = 0; i + sizeof(state) <= size; i += sizeof(state)) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            memcpy(image->planes[plane] + i, &state, sizeof(state));
        }
    }
}

static void open_case(const bench_case *what, bench_data *data)
{
    memset(data, 0, sizeof(*data));
    data->count = 1;
    for (int i = 0; i < data->count; i++) {
        vrs_image *frame = &data->frames[i];
        require(vrs_image_alloc(frame, what->format, what->width, what->height) == VRS_OK);
        fill_random(frame);
        data->frame_bytes = 0;
        for (int plane = 0; plane < vrs_format_get(what->format)->planes; plane++) {
            data->frame_bytes +=
                (size_t)vrs_plane_row_bytes(frame, plane) * (size_t)vrs_plane_height(frame, plane);
        }
        const size_t wanted = ROTATED_BYTES / data->frame_bytes + 2;
        data->count = wanted > MOST_FRAMES ? MOST_FRAMES : (int)wanted;
    }
    const vrs_preprocess_desc desc = {.format = what->format,
                                      .image_width = what->width,
                                      .image_height = what->height,
                                      .view = {0, 0, what->width, what->height},
                                      .width = what->network_width,
                                      .height = what->network_height,
                                      .resize = what->resize,
                                      .tensor = what->tensor,
                                      .scale = {1 / 255.0F, 1 / 255.0F, 1 / 255.0F}};
    require(vrs_preprocess_plan_create(&desc, &data->plan) == VRS_OK);
    data->tensor = vrs_alloc_aligned(vrs_preprocess_tensor_bytes(data->plan));
    data->luma = vrs_alloc_aligned((size_t)what->network_width * (size_t)what->network_height);
    data->scratch = vrs_alloc_aligned(vrs_preprocess_scratch(data->plan));
    data->copy = vrs_alloc_aligned(data->frame_bytes);
    require(data->tensor != NULL && data->luma != NULL && data->scratch != NULL &&
            data->copy != NULL);
}

static void close_case(bench_data *data)
{
    for (int i = 0; i < data->count; i++)
        vrs_image_release(&data->frames[i]);
    vrs_preprocess_plan_destroy(data->plan);
    vrs_free(data->tensor);
    vrs_free(data->luma);
    vrs_free(data->scratch);
    vrs_free(data->copy);
}

/* Images of vrs_image_alloc() whose rows need no padding lie in one piece. */
static void copy_frame(const bench_data *data, const vrs_image *frame)
{
    memcpy(data->copy, frame->planes[0], data->frame_bytes);
    __asm__ volatile("" : : "r"(data->copy) : "memory");
}

/* Nanoseconds a frame over all frames once; `isa` below 0: memcpy. */
static double time_round(const bench_data *data, int isa)
{
    const int count = isa == VRS_ISA_REFERENCE ? 1 : data->count;
    const vrs_preprocess_fn fn = vrs_kernels_get((vrs_isa)(isa < 0 ? 0 : isa))->preprocess;
    const int64_t begin = vrs_now_ns();
    for (int i = 0; i < count; i++)
        if (isa < 0)
            copy_frame(data, &data->frames[i]);
        else
            fn(data->plan, &data->frames[i], data->tensor, data->luma, data->scratch);
    return (double)(vrs_now_ns() - begin) / count;
}

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

static void print_case(const bench_case *what, int rounds, bool last)
{
    static double times[VRS_ISA_AVX512 + 2][MOST_ROUNDS];
    const int best = (int)vrs_isa_detect();
    bench_data data;
    open_case(what, &data);
    for (int isa = -1; isa <= best; isa++)
        (void)time_round(&data, isa); /* touches every page once */
    for (int round = 0; round < rounds; round++)
        for (int isa = -1; isa <= best; isa++)
            times[isa + 1][round] = time_round(&data, isa);
    for (int i = 0; i <= best + 1; i++)
        qsort(times[i], (size_t)rounds, sizeof(double), compare);
    const double bytes = (double)data.frame_bytes;
    const double copy = times[0][rounds / 2];
    for (int isa = 0; isa <= best; isa++) {
        const double ns = times[isa + 1][rounds / 2];
        printf("    {\"name\": \"preprocess %s %s\", \"value\": %.4f, \"unit\": \"ms\", "
               "\"better\": \"lower\", \"peer\": \"memcpy of the frame\", \"peer_value\": %.4f, ",
               what->name, vrs_kernels_get((vrs_isa)isa)->name, ns / 1e6, copy / 1e6);
        if (what->target_ms[isa] > 0)
            printf("\"target\": %.2f, ", what->target_ms[isa]);
        printf("\"best\": %.4f, \"ns_per_pixel\": %.4f, \"gb_s\": %.2f, \"memcpy_gb_s\": %.2f, "
               "\"runs\": %d}%s\n",
               times[isa + 1][0] / 1e6, ns / (what->width * (double)what->height), bytes / ns,
               bytes / copy, rounds, last && isa == best ? "" : ",");
    }
    close_case(&data);
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : DEFAULT_ROUNDS;
    if (argc > 2 || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: kernels_preprocess [ROUNDS: 1 to %d]\n", MOST_ROUNDS);
        return 2;
    }
    printf("{\n  \"device\": \"%s\",\n  \"rows\": [\n", vrs_cpu_isa());
    const size_t count = sizeof(cases) / sizeof(cases[0]);
    for (size_t i = 0; i < count; i++)
        print_case(&cases[i], rounds, i + 1 == count);
    printf("  ]\n}\n");
    return 0;
}
