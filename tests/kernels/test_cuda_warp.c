/* The CUDA kernels of views through grids against the C reference: on the device that is there, or
 * on fake_cuda, where it is the launches that are tested. */
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
#include "kernels/cuda/warp_launch.h"
#include "kernels/cuda_fixture.h"
#include "kernels/kernels.h"
#include "kernels/pictures.h"
#include "kernels/preprocess_plan.h"

#define PI 3.14159265358979323846

static vrs_cuda_warp kernels;
static char current[256];

static const vrs_pixel_format formats[] = {
    VRS_FORMAT_YUV420P, VRS_FORMAT_NV12, VRS_FORMAT_P010,  VRS_FORMAT_YUV420P10,
    VRS_FORMAT_RGB24,   VRS_FORMAT_BGRA, VRS_FORMAT_GRAY8,
};

/* One view: its picture on both sides, its plan and grid, and what comes out. */
typedef struct job {
    vrs_image image, there;
    cuda_block planes[VRS_MAX_PLANES];
    vrs_preprocess_plan *plan;
    vrs_warp warp;
    cuda_block grid, tone, tensor, luma;
    uint8_t *expected, *guide;
} job;

static cuda_block upload(const void *from, size_t bytes)
{
    cuda_block block = cuda_block_make(bytes);
    memcpy(cuda_block_host(&block), from, bytes);
    cuda_block_upload(&block);
    return block;
}

static void upload_image(job *j)
{
    j->there = j->image;
    for (int plane = 0; plane < vrs_format_get(j->image.format)->planes; plane++) {
        const size_t bytes = (size_t)vrs_plane_row_bytes(&j->image, plane);
        const size_t rows = (size_t)vrs_plane_height(&j->image, plane);
        cuda_block *block = &j->planes[plane];
        *block = cuda_block_make(rows * bytes);
        for (size_t y = 0; y < rows; y++)
            memcpy((uint8_t *)cuda_block_host(block) + y * bytes,
                   j->image.planes[plane] + j->image.strides[plane] * (ptrdiff_t)y, bytes);
        cuda_block_upload(block);
        j->there.planes[plane] = (uint8_t *)(uintptr_t)cuda_block_device(block);
        j->there.strides[plane] = (ptrdiff_t)bytes;
    }
}

static vrs_eye random_eye(vrs_rect rect, vrs_tile *tile, test_random *random)
{
    vrs_layout layout = vrs_layout_flat();
    layout.projection = (vrs_projection)test_range(random, 0, 3);
    layout.fov = test_range(random, 90, 270);
    if (layout.projection == VRS_PROJECTION_HALF_EQUIRECT)
        layout.cut_left = layout.cut_right = 0.25;
    const double half = tan(test_range(random, 10, 55) * PI / 180);
    *tile = (vrs_tile){.yaw = test_range(random, -180, 180) * PI / 180,
                       .pitch = test_range(random, -80, 80) * PI / 180,
                       .tan_x = half,
                       .tan_y = half,
                       .left = test_range(random, -20, 90) / 100.0,
                       .top = test_range(random, -20, 90) / 100.0,
                       .width = test_range(random, 1, 100) / 100.0,
                       .height = test_range(random, 1, 100) / 100.0};
    return (vrs_eye){layout, rect, vrs_eye_aspect(&layout, rect), NULL};
}

static job make_job(vrs_pixel_format format, const vrs_preprocess_desc *network,
                    test_random *random)
{
    job j;
    memset(&j, 0, sizeof(j));
    j.image = test_picture(format, test_range(random, 8, 200), test_range(random, 8, 160),
                           (test_strides)test_range(random, 0, 2),
                           (test_pattern)test_range(random, 0, 3), random);
    vrs_preprocess_desc desc = test_preprocess_source(&j.image, random);
    desc.fit = VRS_FIT_STRETCH;
    desc.width = network->width;
    desc.height = network->height;
    desc.tensor = network->tensor;
    desc.channels = network->channels;
    desc.bgr = network->bgr;
    desc.quantum = network->quantum;
    memcpy(desc.mean, network->mean, sizeof(desc.mean));
    memcpy(desc.scale, network->scale, sizeof(desc.scale));
    if (vrs_preprocess_plan_create(&desc, &j.plan) != VRS_OK)
        fail_msg("%s: %s", current, vrs_last_error());
    const bool around = test_range(random, 0, 2) == 0;
    vrs_rect rect = {0, 0, j.image.width, j.image.height};
    rect.width -= around ? rect.width % 2 : 0;
    vrs_tile tile;
    vrs_eye eye = random_eye(rect, &tile, random);
    if (around)
        eye.layout = (vrs_layout){.projection = VRS_PROJECTION_EQUIRECT};
    const size_t corners = ((size_t)desc.width + 1) * ((size_t)desc.height + 1);
    j.grid = cuda_block_make(corners * 8);
    vrs_warp_fill(&eye, &tile, desc.width, desc.height, cuda_block_host(&j.grid));
    cuda_block_upload(&j.grid);
    j.warp = (vrs_warp){cuda_block_host(&j.grid), rect, around ? 1 : 0, test_range(random, 0, 3)};
    j.tone = upload(j.plan->tone_table, sizeof(j.plan->tone_table));
    j.tensor = cuda_block_make(vrs_preprocess_tensor_bytes(j.plan));
    j.luma = cuda_block_make((size_t)desc.width * (size_t)desc.height);
    j.expected = malloc(j.tensor.bytes);
    j.guide = malloc(j.luma.bytes);
    upload_image(&j);
    vrs_kernels_get(VRS_ISA_REFERENCE)
        ->preprocess_warp(j.plan, &j.warp, &j.image, j.expected, j.guide);
    return j;
}

static void drop_job(job *j)
{
    for (int p = 0; p < VRS_MAX_PLANES; p++)
        if (j->planes[p].host != NULL)
            cuda_block_free(&j->planes[p]);
    cuda_block_free(&j->grid);
    cuda_block_free(&j->tone);
    cuda_block_free(&j->tensor);
    cuda_block_free(&j->luma);
    free(j->expected);
    free(j->guide);
    vrs_preprocess_plan_destroy(j->plan);
    vrs_image_release(&j->image);
}

static double half(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const double size =
        exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, exponent - 25);
    return (bits & 0x8000) != 0 ? -size : size;
}

/* An element as a number, and by how much it may differ. */
static double element(const job *j, const void *tensor, size_t i, double *limit)
{
    const float *scale = j->plan->desc.scale;
    const double most =
        fmax(fmax(fabs((double)scale[0]), fabs((double)scale[1])), fabs((double)scale[2]));
    *limit = 1e-5 * 255 * most;
    switch (j->plan->type) {
    case VRS_TENSOR_F32:
        return (double)((const float *)tensor)[i];
    case VRS_TENSOR_F16: {
        const double value = half(((const uint16_t *)tensor)[i]);
        *limit += fmax(ldexp(1, -24), fabs(value) / 1024);
        return value;
    }
    case VRS_TENSOR_I8:
        *limit = 1;
        return ((const int8_t *)tensor)[i];
    case VRS_TENSOR_U8:
        break;
    }
    *limit = 1;
    return ((const uint8_t *)tensor)[i];
}

static void check_job(const job *j, int number)
{
    const uint8_t *got = cuda_block_result(&j->tensor, current);
    const size_t count = j->tensor.bytes / vrs_tensor_element_bytes(j->plan->type);
    for (size_t i = 0; i < count; i++) {
        double limit;
        const double a = element(j, got, i, &limit), b = element(j, j->expected, i, &limit);
        if (!(fabs(a - b) <= limit))
            fail_msg("%s: view %d: element %zu: %.8g, expected %.8g", current, number, i, a, b);
    }
    got = cuda_block_result(&j->luma, current);
    for (size_t i = 0; i < j->luma.bytes; i++)
        if (abs(got[i] - j->guide[i]) > 1)
            fail_msg("%s: view %d: luma %zu: %d, expected %d", current, number, i, got[i],
                     j->guide[i]);
}

static void views(void **state)
{
    (void)state;
    static const int32_t channels[] = {0, 0, 0, 0, 8, 0, 4, 12, 16, 0};
    test_random random = {.state = 0x51ab};
    for (int round = 0; round < 60; round++) {
        vrs_preprocess_desc network = {
            .width = 2 * test_range(&random, 1, 40),
            .height = 2 * test_range(&random, 1, 30),
            .tensor = (vrs_tensor_format)(round % VRS_TENSOR_FORMATS),
            .bgr = round % 2,
            .mean = {127.5F, 0.0F, 103.9F},
            .scale = {1 / 127.5F, 0.5F, -0.017F},
            .quantum = 0.02F,
            .channels = channels[round % VRS_TENSOR_FORMATS],
        };
        const int count = test_range(&random, 1, round % 5 == 0 ? 16 : 3);
        job jobs[16];
        vrs_cuda_warp_item items[16];
        (void)snprintf(current, sizeof(current), "round %d: tensor %d, %dx%d, %d views", round,
                       (int)network.tensor, network.width, network.height, count);
        for (int i = 0; i < count; i++) {
            jobs[i] = make_job(formats[test_range(&random, 0, 6)], &network, &random);
            items[i] = (vrs_cuda_warp_item){
                .plan = jobs[i].plan,
                .warp = &jobs[i].warp,
                .image = &jobs[i].there,
                .positions = cuda_block_device(&jobs[i].grid),
                .tone = cuda_block_device(&jobs[i].tone),
                .tensor = cuda_block_device(&jobs[i].tensor),
                .luma = cuda_block_device(&jobs[i].luma),
            };
        }
        if (vrs_cuda_preprocess_warp(&kernels, cuda_fixture_stream(), items, count) != VRS_OK)
            fail_msg("%s: %s", current, vrs_last_error());
        for (int i = 0; i < count; i++) {
            check_job(&jobs[i], i);
            drop_job(&jobs[i]);
        }
    }
}

/* A patch on both sides: pairs of coefficients on the device, planes here. */
typedef struct patch_job {
    vrs_patch patch;
    cuda_block grid, mask;
    float *slope, *offset;
    int16_t *q15;
} patch_job;

static patch_job make_patch(int32_t width, int32_t height, bool refined, test_random *random)
{
    patch_job p;
    memset(&p, 0, sizeof(p));
    vrs_tile tile;
    vrs_rect rect = {test_range(random, 0, width / 2), test_range(random, 0, height / 2), 0, 0};
    rect.width = test_range(random, 4, width - rect.x);
    rect.height = test_range(random, 4, height - rect.y);
    do {
        const vrs_eye eye = random_eye(rect, &tile, random);
        p.patch.rect = vrs_patch_rect(&eye, &tile, width, height, width, height);
        if (p.patch.rect.width == 0)
            continue;
        p.patch.width = test_range(random, 2, 50);
        p.patch.height = test_range(random, 2, 50);
        p.grid = cuda_block_make(8 * vrs_patch_pairs(p.patch.rect));
        vrs_patch_fill(&eye, &tile, p.patch.rect, width, height, width, height, p.patch.width,
                       p.patch.height, cuda_block_host(&p.grid));
    } while (p.patch.rect.width == 0);
    cuda_block_upload(&p.grid);
    p.patch.positions = cuda_block_host(&p.grid);
    p.patch.stride = p.patch.width + test_range(random, 0, 5);
    p.patch.ramp_x = test_range(random, 1, 9000);
    p.patch.ramp_y = test_range(random, 1, 9000);
    const size_t count = (size_t)p.patch.stride * (size_t)p.patch.height;
    p.mask = cuda_block_make(count * (refined ? 8 : 2));
    p.slope = calloc(count, sizeof(float));
    p.offset = calloc(count, sizeof(float));
    p.q15 = calloc(count, sizeof(int16_t));
    for (size_t i = 0; i < count; i++) {
        p.q15[i] = (int16_t)test_range(random, 0, VRS_Q15_ONE);
        p.slope[i] = (float)test_range(random, -10000, 10000) / 1000;
        p.offset[i] = (float)test_range(random, -1000, 1000) / 1000;
        if (refined) {
            ((float *)cuda_block_host(&p.mask))[2 * i] = p.slope[i];
            ((float *)cuda_block_host(&p.mask))[2 * i + 1] = p.offset[i];
        } else {
            ((int16_t *)cuda_block_host(&p.mask))[i] = p.q15[i];
        }
    }
    cuda_block_upload(&p.mask);
    p.patch.mask = p.q15;
    p.patch.slope = refined ? p.slope : NULL;
    p.patch.offset = refined ? p.offset : NULL;
    return p;
}

static void drop_patch(patch_job *p)
{
    cuda_block_free(&p->grid);
    cuda_block_free(&p->mask);
    free(p->slope);
    free(p->offset);
    free(p->q15);
}

/* Codes of the frame's luma as the reference reads them. */
static vrs_luma luma_of(const vrs_image *image)
{
    const vrs_format_info *info = vrs_format_get(image->format);
    const float peak = (float)(1 << (info->depth - 8));
    return (vrs_luma){image->planes[0],   image->strides[0], info->sample_bytes,
                      info->sample_shift, 1 / (219 * peak),  -16 / 219.0F};
}

static void check_patches(int round, test_random *random)
{
    static const vrs_pixel_format yuv[] = {VRS_FORMAT_NV12, VRS_FORMAT_P010, VRS_FORMAT_YUV420P10};
    const int32_t width = test_range(random, 8, 150), height = test_range(random, 8, 90);
    const bool refined = round % 2 == 1;
    const int32_t threshold = round % 3 == 2 ? 12000 : 0, stride = width + 5;
    const int count = test_range(random, 1, 5);
    job frame = {.image = test_picture(yuv[round % 3], width, height, TEST_STRIDE_TIGHT,
                                       TEST_PATTERN_RANDOM, random)};
    frame.image.color.range = VRS_RANGE_LIMITED;
    upload_image(&frame);
    patch_job jobs[5];
    vrs_patch patches[5];
    vrs_device_ptr positions[5], masks[5];
    for (int i = 0; i < count; i++) {
        jobs[i] = make_patch(width, height, refined, random);
        patches[i] = jobs[i].patch;
        positions[i] = cuda_block_device(&jobs[i].grid);
        masks[i] = cuda_block_device(&jobs[i].mask);
    }
    cuda_block dst = cuda_block_make((size_t)stride * (size_t)height * 2);
    int16_t *expected = cuda_block_host(&dst);
    for (int32_t i = 0; i < stride * height; i++)
        expected[i] = (int16_t)test_range(random, 0, VRS_Q15_ONE);
    cuda_block_upload(&dst);
    const vrs_luma luma = luma_of(&frame.image);
    vrs_kernels_get(VRS_ISA_REFERENCE)
        ->patches(patches, count, refined ? &luma : NULL, 0, height, width, expected, stride, NULL);
    const vrs_cuda_patches all = {.patches = patches,
                                  .positions = positions,
                                  .masks = masks,
                                  .count = count,
                                  .luma_of = refined ? &frame.there : NULL,
                                  .dst = cuda_block_device(&dst),
                                  .dst_stride = stride,
                                  .width = width,
                                  .height = height,
                                  .threshold = threshold};
    if (vrs_cuda_patches_run(&kernels, cuda_fixture_stream(), &all) != VRS_OK)
        fail_msg("round %d: %s", round, vrs_last_error());
    const int16_t *got = cuda_block_result(&dst, "patches");
    for (int32_t i = 0; i < stride * height; i++) {
        int32_t want = expected[i], most = refined ? 2 : 1;
        if (threshold > 0 && i % stride < width) {
            most = abs(want - threshold) <= most ? VRS_Q15_ONE : 0;
            want = want < threshold ? 0 : VRS_Q15_ONE;
        }
        if (abs(got[i] - want) > most)
            fail_msg("round %d: (%d, %d) is %d, expected %d", round, i % stride, i / stride, got[i],
                     want);
    }
    for (int i = 0; i < count; i++)
        drop_patch(&jobs[i]);
    cuda_block_free(&dst);
    for (int p = 0; p < VRS_MAX_PLANES; p++)
        if (frame.planes[p].host != NULL)
            cuda_block_free(&frame.planes[p]);
    vrs_image_release(&frame.image);
}

static void patches_back(void **state)
{
    (void)state;
    test_random random = {.state = 0xfeed};
    for (int round = 0; round < 60; round++)
        check_patches(round, &random);
}

/* A patch's grid with scores of a size of their own; the last one of a map is an eye. */
static vrs_class_patch class_patch(const patch_job *from, bool eye, int32_t classes,
                                   cuda_block *scores, test_random *random)
{
    const int32_t columns = test_range(random, 2, 40), rows = test_range(random, 2, 40);
    const int32_t stride = columns + test_range(random, 0, 3);
    const size_t plane = (size_t)stride * (size_t)rows;
    *scores = cuda_block_make(plane * (size_t)classes * sizeof(float));
    float *values = cuda_block_host(scores);
    for (size_t i = 0; i < plane * (size_t)classes; i++)
        values[i] = (float)test_range(random, -100, 100) / 16; /* equal ones happen */
    cuda_block_upload(scores);
    return (vrs_class_patch){.rect = from->patch.rect,
                             .positions = from->patch.positions,
                             .width = from->patch.width,
                             .height = from->patch.height,
                             .scores = values,
                             .columns = columns,
                             .rows = rows,
                             .class_stride = (ptrdiff_t)plane,
                             .row_stride = stride,
                             .ramp_x = eye ? 0 : from->patch.ramp_x,
                             .ramp_y = eye ? 0 : from->patch.ramp_y};
}

/* To the bit: all is rounded as the reference does. */
static void class_maps(void **state)
{
    (void)state;
    test_random random = {.state = 0xc1a55};
    for (int round = 0; round < 40; round++) {
        const int32_t width = test_range(&random, 8, 150), height = test_range(&random, 8, 90);
        const int32_t classes = test_range(&random, 1, 32), stride = width + 3;
        const int count = test_range(&random, 1, 5);
        patch_job jobs[5];
        cuda_block scores[5];
        vrs_class_patch patches[5];
        vrs_device_ptr positions[5], places[5];
        for (int i = 0; i < count; i++) {
            jobs[i] = make_patch(width, height, false, &random);
            patches[i] =
                class_patch(&jobs[i], i > 0 && i == count - 1, classes, &scores[i], &random);
            positions[i] = cuda_block_device(&jobs[i].grid);
            places[i] = cuda_block_device(&scores[i]);
        }
        cuda_block dst = cuda_block_make((size_t)stride * (size_t)height);
        memset(cuda_block_host(&dst), 77, dst.bytes);
        cuda_block_upload(&dst);
        vrs_kernels_get(VRS_ISA_REFERENCE)
            ->class_patches(patches, count, classes, 0, height, width, cuda_block_host(&dst),
                            stride);
        const vrs_cuda_class_patches all = {.patches = patches,
                                            .positions = positions,
                                            .scores = places,
                                            .count = count,
                                            .classes = classes,
                                            .dst = cuda_block_device(&dst),
                                            .dst_stride = stride,
                                            .width = width,
                                            .height = height};
        if (vrs_cuda_class_patches_run(&kernels, cuda_fixture_stream(), &all) != VRS_OK)
            fail_msg("round %d: %s", round, vrs_last_error());
        cuda_block_compare(&dst, "classes");
        for (int i = 0; i < count; i++) {
            drop_patch(&jobs[i]);
            cuda_block_free(&scores[i]);
        }
        cuda_block_free(&dst);
    }
}

static void class_refusals(void **state)
{
    (void)state;
    vrs_device_stream *stream = cuda_fixture_stream();
    cuda_block some = cuda_block_make(64);
    const vrs_device_ptr place = cuda_block_device(&some);
    const vrs_class_patch good = {.rect = {0, 0, 8, 8},
                                  .width = 8,
                                  .height = 8,
                                  .columns = 2,
                                  .rows = 2,
                                  .row_stride = 2,
                                  .ramp_x = 1,
                                  .ramp_y = 1};
    vrs_class_patch patch = good;
    vrs_cuda_class_patches all = {.patches = &patch,
                                  .positions = &place,
                                  .scores = &place,
                                  .count = 0,
                                  .classes = 3,
                                  .dst = place,
                                  .dst_stride = 8,
                                  .width = 8,
                                  .height = 8};
    assert_int_equal(vrs_cuda_class_patches_run(&kernels, stream, &all), VRS_INVALID);
    all.count = 1;
    all.classes = 33;
    assert_int_equal(vrs_cuda_class_patches_run(&kernels, stream, &all), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "1 to 16 of 1 to 32 classes are possible"));
    all.classes = 3;
    patch.rect.width = 9;
    assert_int_equal(vrs_cuda_class_patches_run(&kernels, stream, &all), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "class patch 0: 9x8 at (0, 0) of a map of 8x8"));
    patch = good;
    patch.columns = 1;
    assert_int_equal(vrs_cuda_class_patches_run(&kernels, stream, &all), VRS_INVALID);
    patch = good;
    patch.ramp_y = 0; /* neither a tile nor an eye */
    assert_int_equal(vrs_cuda_class_patches_run(&kernels, stream, &all), VRS_INVALID);
    cuda_block_free(&some);
}

static void refusals(void **state)
{
    (void)state;
    vrs_cuda_warp_item item = {0};
    vrs_device_stream *stream = cuda_fixture_stream();
    assert_int_equal(vrs_cuda_preprocess_warp(&kernels, stream, &item, 0), VRS_INVALID);
    assert_int_equal(vrs_cuda_preprocess_warp(&kernels, stream, &item, 17), VRS_INVALID);
    test_random random = {.state = 3};
    const vrs_preprocess_desc network = {.width = 8, .height = 8, .scale = {1, 1, 1}};
    job j = make_job(VRS_FORMAT_NV12, &network, &random);
    item = (vrs_cuda_warp_item){.plan = j.plan,
                                .warp = &j.warp,
                                .image = &j.there,
                                .positions = cuda_block_device(&j.grid),
                                .tone = cuda_block_device(&j.tone),
                                .tensor = cuda_block_device(&j.tensor) + 4};
    assert_int_equal(vrs_cuda_preprocess_warp(&kernels, stream, &item, 1), VRS_INVALID);
    item.tensor -= 4;
    item.positions += 4;
    assert_int_equal(vrs_cuda_preprocess_warp(&kernels, stream, &item, 1), VRS_INVALID);
    item.positions -= 4;
    vrs_image other = j.there;
    other.width--;
    item.image = &other;
    assert_int_equal(vrs_cuda_preprocess_warp(&kernels, stream, &item, 1), VRS_INVALID);
    vrs_cuda_patches none = {.width = 8, .height = 8, .dst_stride = 8, .dst = item.tensor};
    assert_int_equal(vrs_cuda_patches_run(&kernels, stream, &none), VRS_INVALID);
    vrs_patch outside = {
        .rect = {0, 0, 9, 8}, .width = 8, .height = 8, .stride = 8, .ramp_x = 1, .ramp_y = 1};
    none.count = 1;
    none.patches = &outside;
    none.positions = none.masks = &item.tensor;
    assert_int_equal(vrs_cuda_patches_run(&kernels, stream, &none), VRS_INVALID);
    drop_job(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views),      cmocka_unit_test(patches_back),
        cmocka_unit_test(class_maps), cmocka_unit_test(class_refusals),
        cmocka_unit_test(refusals),
    };
    const int opened = cuda_fixture_open();
    if (opened != 0)
        return opened;
    if (vrs_cuda_warp_open(cuda_fixture_device(), &kernels) != VRS_OK) {
        fprintf(stderr, "%s\n", vrs_last_error());
        return 1;
    }
    const int failed = cmocka_run_group_tests_name("cuda_warp", tests, NULL, NULL);
    cuda_fixture_close();
    return failed;
}
