/* The CUDA preprocess kernels against the C reference: on the device that is there, or on
 * fake_cuda, where it is the launches and tables that are tested. Ugly sizes, strides and views,
 * poisoned outputs between guard bands, batches of different pictures in one launch. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/format.h"
#include "kernels/cuda/preprocess_launch.h"
#include "kernels/cuda_fixture.h"
#include "kernels/pictures.h"
#include "kernels/preprocess_plan.h"

static vrs_cuda_preprocess kernels;
static char current[256];

static const vrs_pixel_format formats[] = {
    VRS_FORMAT_YUV420P, VRS_FORMAT_NV12, VRS_FORMAT_P010,  VRS_FORMAT_YUV420P10,
    VRS_FORMAT_RGB24,   VRS_FORMAT_BGRA, VRS_FORMAT_GRAY8,
};
#define FAST_FORMATS 6 /* that have kernels of their own */
#define CHAIN 8        /* launches after each other */
#define FORMATS ((int)(sizeof(formats) / sizeof(formats[0])))

/* One view: its picture on both sides, its plan and what comes out. */
typedef struct job {
    vrs_image image, there;
    cuda_block planes[VRS_MAX_PLANES];
    vrs_preprocess_plan *plan;
    vrs_preprocess_view view;
    cuda_block tables, tensor, luma;
    uint8_t *expected, *guide;
} job;

/* Copies a picture to the device with rows `align` bytes apart at least, or tight and odd (1). */
static void upload(job *j, int32_t align, bool negative)
{
    j->there = j->image;
    for (int plane = 0; plane < vrs_format_get(j->image.format)->planes; plane++) {
        const size_t bytes = (size_t)vrs_plane_row_bytes(&j->image, plane);
        const size_t rows = (size_t)vrs_plane_height(&j->image, plane);
        const size_t step = vrs_format_get(j->image.format)->sample_bytes == 2 && align == 1
                                ? bytes + 2
                                : (bytes + (size_t)align - 1) / (size_t)align * (size_t)align;
        cuda_block *block = &j->planes[plane];
        *block = cuda_block_make((rows - 1) * step + bytes);
        for (size_t y = 0; y < rows; y++) {
            const size_t to = negative ? rows - 1 - y : y;
            memcpy((uint8_t *)cuda_block_host(block) + to * step,
                   j->image.planes[plane] + j->image.strides[plane] * (ptrdiff_t)y, bytes);
        }
        cuda_block_upload(block);
        const uint64_t address = cuda_block_device(block) + (negative ? (rows - 1) * step : 0);
        j->there.planes[plane] = (uint8_t *)(uintptr_t)address;
        j->there.strides[plane] = negative ? -(ptrdiff_t)step : (ptrdiff_t)step;
    }
}

static void prepare(job *j, const vrs_preprocess_desc *desc)
{
    if (vrs_preprocess_plan_create(desc, &j->plan) != VRS_OK)
        fail_msg("%s: %s", current, vrs_last_error());
    j->tables = cuda_block_make(vrs_cuda_preprocess_bytes(j->plan));
    vrs_cuda_preprocess_fill(j->plan, cuda_block_host(&j->tables), &j->view);
    cuda_block_upload(&j->tables);
    j->tensor = cuda_block_make(vrs_preprocess_tensor_bytes(j->plan));
    j->luma = cuda_block_make((size_t)desc->width * (size_t)desc->height);
    j->expected = malloc(j->tensor.bytes);
    j->guide = malloc(j->luma.bytes);
    assert_non_null(j->expected);
    assert_non_null(j->guide);
    vrs_preprocess_reference(j->plan, &j->image, j->expected, j->guide, NULL);
}

static vrs_cuda_preprocess_item item_of(const job *j, bool luma)
{
    return (vrs_cuda_preprocess_item){.plan = j->plan,
                                      .view = &j->view,
                                      .image = &j->there,
                                      .tables = cuda_block_device(&j->tables),
                                      .tensor = cuda_block_device(&j->tensor),
                                      .luma = luma ? cuda_block_device(&j->luma) : 0};
}

static double half_value(uint16_t half)
{
    const int exponent = half >> 10 & 31, mantissa = half & 1023;
    const double size =
        exponent == 0 ? ldexp(mantissa, -24) : ldexp(mantissa + 1024, exponent - 25);
    return (half & 0x8000) != 0 ? -size : size;
}

/* Which of the three an element of a tensor is; -1: padding. */
static int channel_of(const vrs_preprocess_plan *plan, size_t index)
{
    if (plan->layout == VRS_TENSOR_NCHW)
        return (int)(index / ((size_t)plan->desc.width * (size_t)plan->desc.height));
    const size_t channel = index % (size_t)plan->channels;
    const size_t filled = plan->layout == VRS_TENSOR_S2D ? 12 : 3;
    return channel < filled ? (int)(channel % 3) : -1;
}

static void compare_element(const job *j, const uint8_t *got, size_t index)
{
    const vrs_preprocess_plan *plan = j->plan;
    const int channel = channel_of(plan, index);
    double a = 0.0, b = 0.0, limit = 1.0;
    if (plan->type == VRS_TENSOR_F32) {
        float x, y;
        memcpy(&x, got + 4 * index, 4);
        memcpy(&y, j->expected + 4 * index, 4);
        a = x, b = y, limit = 0.0;
    } else if (plan->type == VRS_TENSOR_F16) {
        uint16_t x, y;
        memcpy(&x, got + 2 * index, 2);
        memcpy(&y, j->expected + 2 * index, 2);
        a = half_value(x), b = half_value(y);
        int exponent = 0;
        (void)frexp(fmax(fabs(a), fabs(b)), &exponent);
        limit = ldexp(1.0, exponent < -13 ? -24 : exponent - 11);
    } else if (plan->type == VRS_TENSOR_I8) {
        a = (int8_t)got[index], b = (int8_t)j->expected[index];
    } else {
        a = got[index], b = j->expected[index];
    }
    if (channel < 0)
        limit = 0.0;
    else if (plan->type <= VRS_TENSOR_F16)
        limit += 1e-5 * 255.0 * fabs((double)plan->desc.scale[channel]);
    if (!(fabs(a - b) <= limit)) {
        fail_msg("%s: tensor %zu (channel %d): %.8g, the reference has %.8g", current, index,
                 channel, a, b);
    }
}

static void compare(const job *j, bool luma)
{
    const uint8_t *got = cuda_block_result(&j->tensor, current);
    const size_t size = vrs_tensor_element_bytes(j->plan->type);
    for (size_t i = 0; i < j->tensor.bytes / size; i++)
        compare_element(j, got, i);
    got = cuda_block_result(&j->luma, current);
    for (size_t i = 0; i < j->luma.bytes; i++)
        if (luma ? abs(got[i] - j->guide[i]) > 1 : got[i] != 0xa5)
            fail_msg("%s: guide %zu: %d, the reference has %d", current, i, got[i], j->guide[i]);
    for (int plane = 0; plane < VRS_MAX_PLANES; plane++)
        if (j->planes[plane].host != NULL)
            cuda_block_compare(&j->planes[plane], current);
}

static void job_free(job *j)
{
    for (int plane = 0; plane < VRS_MAX_PLANES; plane++)
        cuda_block_free(&j->planes[plane]);
    cuda_block_free(&j->tables);
    cuda_block_free(&j->tensor);
    cuda_block_free(&j->luma);
    vrs_preprocess_plan_destroy(j->plan);
    free(j->expected);
    free(j->guide);
    vrs_image_release(&j->image);
}

static void run_batch(job *jobs, int32_t count, bool luma)
{
    vrs_cuda_preprocess_item items[VRS_PREPROCESS_VIEWS];
    for (int32_t i = 0; i < count; i++)
        items[i] = item_of(&jobs[i], luma);
    if (vrs_cuda_preprocess_run(&kernels, cuda_fixture_stream(), items, count) != VRS_OK)
        fail_msg("%s: %s", current, vrs_last_error());
    for (int32_t i = 0; i < count; i++) {
        compare(&jobs[i], luma);
        job_free(&jobs[i]);
    }
}

/* The network's part: by `kind` every tensor format with and without padding. */
#define NETWORKS (VRS_TENSOR_FORMATS * 3)
static void set_network(vrs_preprocess_desc *desc, int kind, int32_t width, int32_t height)
{
    static const int32_t padded[][3] = {{0, 3, 0}, {0, 8, 16}, {12, 16, 13}};
    desc->tensor = (vrs_tensor_format)(kind % VRS_TENSOR_FORMATS);
    const vrs_tensor_layout layout = vrs_tensor_layout_of(desc->tensor);
    desc->channels = padded[layout][kind / VRS_TENSOR_FORMATS % 3];
    desc->width = layout == VRS_TENSOR_S2D ? (width + 1) / 2 * 2 : width;
    desc->height = layout == VRS_TENSOR_S2D ? (height + 1) / 2 * 2 : height;
    const float mean[3] = {123.675F, 0.0F, 103.5F}, scale[3] = {1 / 58.395F, 1 / 255.0F, -0.017F};
    memcpy(desc->mean, mean, sizeof(mean));
    memcpy(desc->scale, scale, sizeof(scale));
    desc->pad = 114.0F;
    desc->quantum = 0.02F;
    desc->bgr = kind & 1;
}

static void make_job(job *j, vrs_pixel_format format, int32_t width, int32_t height, int network,
                     const int32_t to[2], test_random *random)
{
    *j = (job){.image =
                   test_picture(format, width, height, TEST_STRIDE_TIGHT,
                                (test_pattern)test_range(random, 0, TEST_PATTERNS - 1), random)};
    vrs_preprocess_desc desc = test_preprocess_source(&j->image, random);
    set_network(&desc, network, to[0], to[1]);
    snprintf(current, sizeof(current),
             "%s %dx%d view %d,%d %dx%d to %dx%d resize %d fit %d tensor %d channels %d "
             "transfer %d",
             vrs_pixel_format_name(format), width, height, desc.view.x, desc.view.y,
             desc.view.width, desc.view.height, desc.width, desc.height, (int)desc.resize,
             (int)desc.fit, (int)desc.tensor, desc.channels, (int)desc.color.transfer);
    upload(j, test_range(random, 0, 2) == 0 ? 1 : 64, test_range(random, 0, 3) == 0);
    prepare(j, &desc);
}

/* Every format, each with every tensor, from sizes and to sizes in turn. */
static void test_sizes(void **state)
{
    (void)state;
    static const int32_t from[][2] = {{1, 1},   {17, 9},   {2, 2},     {64, 36}, {33, 64},
                                      {128, 6}, {300, 7},  {160, 120}, {7, 300}, {641, 59},
                                      {64, 48}, {1280, 8}, {192, 108}, {96, 54}};
    static const int32_t to[][2] = {{1, 1},   {3, 5},   {8, 16},  {33, 17},
                                    {32, 32}, {64, 18}, {51, 27}, {130, 4}};
    test_random random = {0x123456789ABCDEFU};
    int round = 0;
    for (int format = 0; format < FORMATS; format++) {
        for (int network = 0; network < NETWORKS; network++) {
            for (int i = 0; i < 4; i++, round++) {
                job j;
                const int32_t *size = from[round % 14], *target = to[round / 3 % 8];
                make_job(&j, formats[format], size[0], size[1], network, target, &random);
                run_batch(&j, 1, test_range(&random, 0, 3) != 0);
            }
        }
    }
}

/* The usual reductions, which take the fast kernels. */
static void test_fast(void **state)
{
    (void)state;
    static const int32_t sizes[][4] = {{240, 134, 64, 64}, {480, 270, 64, 64}, {160, 90, 64, 36},
                                       {256, 64, 64, 32},  {240, 136, 96, 50}, {512, 40, 64, 8}};
    test_random random = {4711};
    for (int format = 0; format < FAST_FORMATS; format++) {
        for (int i = 0; i < 6 * NETWORKS; i++) {
            const int32_t *size = sizes[i % 6];
            job j = {.image = test_picture(formats[format], size[0], size[1], TEST_STRIDE_TIGHT,
                                           TEST_PATTERN_RANDOM, &random)};
            vrs_preprocess_desc desc = test_preprocess_source(&j.image, &random);
            desc.view = (vrs_rect){0, 0, size[0], size[1]};
            desc.fit = i % 5 == 0 ? VRS_FIT_LETTERBOX : VRS_FIT_STRETCH;
            set_network(&desc, i / 6, size[2], size[3]);
            snprintf(current, sizeof(current), "fast %s %dx%d to %dx%d resize %d tensor %d",
                     vrs_pixel_format_name(desc.format), size[0], size[1], desc.width, desc.height,
                     (int)desc.resize, (int)desc.tensor);
            upload(&j, 64, false);
            prepare(&j, &desc);
            assert_int_not_equal(j.view.shape, VRS_PREPROCESS_ANY);
            run_batch(&j, 1, i % 2 == 0);
        }
    }
}

/* Different frames, sizes and places in one launch; of one format, and of all. */
static void test_batches(void **state)
{
    (void)state;
    test_random random = {815};
    for (int round = 0; round < 24; round++) {
        job jobs[VRS_PREPROCESS_VIEWS];
        const int32_t count = round == 0 ? 16 : test_range(&random, 2, 16);
        const int32_t to[2] = {32, 24};
        for (int32_t i = 0; i < count; i++) {
            const int format = round % 2 == 0 ? round / 2 % FORMATS : i % FORMATS;
            const int32_t width = 8 * test_range(&random, 1, 24);
            make_job(&jobs[i], formats[format], width, test_range(&random, 1, 150),
                     round % NETWORKS, to, &random);
        }
        run_batch(jobs, count, round % 3 != 0);
    }
}

/* As many blocks as let each make several strips of rows. */
static void test_strips(void **state)
{
    (void)state;
    test_random random = {1080};
    for (int format = 0; format < FAST_FORMATS; format++) {
        job jobs[VRS_PREPROCESS_VIEWS];
        for (int32_t i = 0; i < VRS_PREPROCESS_VIEWS; i++) {
            job *j = &jobs[i];
            *j = (job){.image = test_picture(formats[format], 48, 1080, TEST_STRIDE_TIGHT,
                                             TEST_PATTERN_RANDOM, &random)};
            vrs_preprocess_desc desc = test_preprocess_source(&j->image, &random);
            desc.view = (vrs_rect){0, 16 * i, 48, 1080 - 24 * i};
            set_network(&desc,
                        format % 2 == 0 ? VRS_TENSOR_F16_S2D + NETWORKS / 3
                                        : VRS_TENSOR_F16_NHWC + NETWORKS / 3,
                        16, 512);
            snprintf(current, sizeof(current), "strips of %s, view %d, resize %d, fit %d",
                     vrs_pixel_format_name(desc.format), i, (int)desc.resize, (int)desc.fit);
            upload(j, 64, false);
            prepare(j, &desc);
            assert_int_not_equal(j->view.shape, VRS_PREPROCESS_ANY);
        }
        run_batch(jobs, VRS_PREPROCESS_VIEWS, format < 3);
    }
}

/* A view that fills the network's picture, in one of the usual tensors. */
static void make_whole(job *j, vrs_pixel_format format, int i, const int32_t size[4],
                       test_random *random)
{
    static const struct {
        vrs_tensor_format tensor;
        int32_t channels;
    } tensors[] = {{VRS_TENSOR_F16_NHWC, 8},
                   {VRS_TENSOR_F16_S2D, 16},
                   {VRS_TENSOR_F16_NCHW, 0},
                   {VRS_TENSOR_I8_S2D, 16}};
    *j = (job){.image = test_picture(format, size[0], size[1], TEST_STRIDE_TIGHT,
                                     TEST_PATTERN_RANDOM, random)};
    vrs_preprocess_desc desc = test_preprocess_source(&j->image, random);
    set_network(&desc, (int)tensors[i % 4].tensor, size[2], size[3]);
    desc.channels = tensors[i % 4].channels;
    desc.fit = VRS_FIT_STRETCH;
    desc.resize = i / 4 % 2 == 0 ? VRS_RESIZE_AREA : VRS_RESIZE_BILINEAR;
    desc.color.transfer = VRS_TRANSFER_BT709;
    desc.view = (vrs_rect){0, 0, size[0], size[1]};
    if (i / 8 % 2 == 1) { /* an eye of two side by side, or of two above each other */
        desc.view = i % 2 == 0 ? (vrs_rect){size[0] / 2, 0, size[0] / 2, size[1]}
                               : (vrs_rect){0, size[1] / 2, size[0], size[1] / 2};
    }
    snprintf(current, sizeof(current), "whole %s %dx%d to %dx%d, number %d",
             vrs_pixel_format_name(format), size[0], size[1], desc.width, desc.height, i);
    upload(j, 64, i % 3 == 0);
    prepare(j, &desc);
}

static void test_whole(void **state)
{
    (void)state;
    static const int32_t sizes[][4] = {
        {240, 135, 64, 64}, {1280, 60, 384, 8}, {1920, 20, 512, 8}, {3840, 18, 1024, 2}};
    test_random random = {271828};
    for (int format = 0; format < FAST_FORMATS; format++) {
        int whole = 0;
        for (int i = 0; i < 16 * 4; i++) {
            job j;
            make_whole(&j, formats[format], i % 16, sizes[i / 16], &random);
            whole += j.view.pairs != 0;
            run_batch(&j, 1, i % 5 == 0);
        }
        assert_true(whole > 32); /* the others' windows lie otherwise in their words */
    }
}

static void test_whole_rows_of(int format, const int32_t size[4], test_random *random)
{
    job jobs[VRS_PREPROCESS_VIEWS];
    for (int v = 0; v < VRS_PREPROCESS_VIEWS; v++) {
        make_whole(&jobs[v], formats[format], format + (v % 2) * 4, size, random);
        assert_int_not_equal(jobs[v].view.pairs, 0);
    }
    run_batch(jobs, VRS_PREPROCESS_VIEWS, format % 2 == 0);
}

/* As many rows as let each block make several. */
static void test_whole_rows(void **state)
{
    (void)state;
    static const int32_t sizes[][4] = {{64, 2160, 16, 1030}, {48, 1080, 12, 514}};
    test_random random = {31415};
    for (int i = 0; i < FAST_FORMATS; i++)
        test_whole_rows_of(i, sizes[i % 2], &random);
}

/* Few launches of each kernel, with every way to store pixels and both shapes of windows, small:
 * for checkers that take thousands of times as long. */
static void test_small_any(void **state)
{
    (void)state;
    static const int32_t to[2] = {9, 5};
    test_random random = {161803};
    for (int i = 0; i < FORMATS; i++) {
        job j;
        make_job(&j, formats[i], 34, 18, 4 * i % NETWORKS, to, &random);
        j.view.shape = VRS_PREPROCESS_ANY;
        run_batch(&j, 1, i % 2 == 0);
    }
}

static void test_small_fast(void **state)
{
    (void)state;
    static const int32_t sizes[][4] = {{96, 29, 46, 12}, {160, 18, 32, 6}};
    test_random random = {14142};
    for (int format = 0; format < FAST_FORMATS; format++) {
        for (int i = 0; i < 10; i++) {
            job j;
            make_whole(&j, formats[format], i, sizes[i / 2 % 2], &random);
            j.view.pairs = 0;
            assert_int_not_equal(j.view.shape, VRS_PREPROCESS_ANY);
            run_batch(&j, 1, i % 3 == 0);
        }
    }
}

static void test_small_whole(void **state)
{
    (void)state;
    enum { NARROW = 1 << VRS_PREPROCESS_NARROW, WIDE = 1 << VRS_PREPROCESS_WIDE };
    static const int32_t sizes[][4] = {{128, 29, 64, 10}, {352, 30, 64, 6}};
    test_random random = {57721};
    for (int format = 0; format < FAST_FORMATS; format++) {
        const bool packed = vrs_format_get(formats[format])->planes == 1;
        int shapes = 0;
        for (int i = 0; i < (packed ? 8 : 12); i++) {
            job j;
            make_whole(&j, formats[format], i % 8, sizes[i / 8], &random);
            assert_int_not_equal(j.view.pairs, 0);
            shapes |= 1 << j.view.shape;
            run_batch(&j, 1, i % 3 == 0);
        }
        assert_int_equal(shapes, packed ? NARROW : NARROW | WIDE);
    }
}

static void test_small_whole_rows(void **state)
{
    (void)state;
    static const int32_t size[4] = {1024, 82, 512, 38};
    test_random random = {4669};
    for (int i = 0; i < FAST_FORMATS; i++)
        test_whole_rows_of(i, size, &random);
}

/* Two places with tensors, which are written in turn and read as pictures. */
typedef struct chain {
    job writers[2], reader;
    cuda_block outs[2 * CHAIN];
} chain;

static void chain_launch(vrs_cuda_preprocess_item item, const cuda_block *to, bool waits)
{
    item.tensor = cuda_block_device(to);
    assert_int_equal(vrs_cuda_preprocess_run(&kernels, cuda_fixture_stream(), &item, 1), VRS_OK);
    if (waits)
        (void)cuda_block_download(to);
}

/* Writes one place, then reads the other one, which the next step writes. */
static void chain_step(chain *c, int n, const cuda_block *to, bool waits)
{
    const uint64_t from = cuda_block_device(&c->writers[(n + 1) % 2].tensor);
    for (int plane = 0; plane < 2; plane++) {
        c->reader.there.planes[plane] = (uint8_t *)(uintptr_t)(from + (uint64_t)plane * 1024 * 256);
        c->reader.there.strides[plane] = 1024;
    }
    chain_launch(item_of(&c->writers[n / 2 % 2], false), &c->writers[n % 2].tensor, waits);
    chain_launch(item_of(&c->reader, false), to, waits);
}

/* Launches after each other may overlap, but for what they write. */
static void test_chain(void **state)
{
    (void)state;
    static const int32_t sizes[2][4] = {{1024, 128, 512, 64}, {1024, 256, 512, 64}};
    test_random random = {66260};
    chain c;
    make_whole(&c.writers[0], VRS_FORMAT_NV12, 0, sizes[0], &random);
    make_whole(&c.writers[1], VRS_FORMAT_NV12, 0, sizes[0], &random);
    make_whole(&c.reader, VRS_FORMAT_NV12, 1, sizes[1], &random);
    for (int n = 0; n < 2 * CHAIN; n++)
        c.outs[n] = cuda_block_make(c.reader.tensor.bytes);
    for (int n = 0; n < CHAIN; n++)
        chain_step(&c, n, &c.outs[n], true);
    cuda_block_upload(&c.writers[1].tensor); /* as it was at first */
    for (int n = 0; n < CHAIN; n++)
        chain_step(&c, n, &c.outs[CHAIN + n], false);
    for (int n = 0; n < CHAIN; n++) {
        memcpy(cuda_block_host(&c.outs[CHAIN + n]), cuda_block_result(&c.outs[n], "waited"),
               c.outs[n].bytes);
        cuda_block_compare(&c.outs[CHAIN + n], "at once");
    }
    for (int n = 0; n < 2 * CHAIN; n++)
        cuda_block_free(&c.outs[n]);
    job_free(&c.writers[0]);
    job_free(&c.writers[1]);
    job_free(&c.reader);
}

static void expect(vrs_status status, const char *part)
{
    assert_int_equal(status, VRS_INVALID);
    if (strstr(vrs_last_error(), part) == NULL)
        fail_msg("\"%s\" does not speak of \"%s\"", vrs_last_error(), part);
}

static void test_refusals(void **state)
{
    (void)state;
    test_random random = {3};
    const int32_t to[2] = {16, 8};
    job a, b;
    make_job(&a, VRS_FORMAT_NV12, 32, 16, 4, to, &random);
    make_job(&b, VRS_FORMAT_NV12, 32, 16, 5, to, &random);
    vrs_cuda_preprocess_item items[17] = {item_of(&a, true), item_of(&b, true)};
    vrs_device_stream *stream = cuda_fixture_stream();
    expect(vrs_cuda_preprocess_run(&kernels, stream, items, 0), "0 views");
    expect(vrs_cuda_preprocess_run(&kernels, stream, items, 17), "17 views");
    expect(vrs_cuda_preprocess_run(&kernels, stream, items, 2), "different networks");
    items[0].tensor += 8;
    expect(vrs_cuda_preprocess_run(&kernels, stream, items, 1), "multiple of 16");
    items[0] = item_of(&a, true);
    vrs_image other = a.there;
    other.width = 30;
    items[0].image = &other;
    expect(vrs_cuda_preprocess_run(&kernels, stream, items, 1), "the plan is for nv12 of 32x16");
    other = a.there;
    other.planes[1] = NULL;
    expect(vrs_cuda_preprocess_run(&kernels, stream, items, 1), "plane 1 has no address");
    job_free(&a);
    job_free(&b);
}

/* An argument names the tests that run; for slow checkers such as racecheck: 'test_small*'. */
int main(int count, char **args)
{
    if (count > 1)
        cmocka_set_test_filter(args[1]);
    const int opened = cuda_fixture_open();
    if (opened != 0)
        return opened;
    if (vrs_cuda_preprocess_open(cuda_fixture_device(), &kernels) != VRS_OK) {
        fprintf(stderr, "%s\n", vrs_last_error());
        return EXIT_FAILURE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),       cmocka_unit_test(test_fast),
        cmocka_unit_test(test_batches),     cmocka_unit_test(test_strips),
        cmocka_unit_test(test_whole),       cmocka_unit_test(test_whole_rows),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_chain),
        cmocka_unit_test(test_small_any),   cmocka_unit_test(test_small_fast),
        cmocka_unit_test(test_small_whole), cmocka_unit_test(test_small_whole_rows),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cuda_fixture_close();
    return failed;
}
