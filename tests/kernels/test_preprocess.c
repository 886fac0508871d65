/* Every implementation of preprocessing against the reference, on ugly sizes, strides and pictures,
 * with guard bands around all that is written. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/format.h"
#include "kernels/kernels.h"
#include "kernels/pictures.h"
#include "kernels/preprocess_plan.h"

#define GUARD 64
#define GUARD_BYTE 0xC3

static const vrs_pixel_format formats[] = {
    VRS_FORMAT_YUV420P, VRS_FORMAT_NV12, VRS_FORMAT_P010,  VRS_FORMAT_YUV420P10,
    VRS_FORMAT_RGB24,   VRS_FORMAT_BGRA, VRS_FORMAT_GRAY8,
};
#define FORMATS ((int)(sizeof(formats) / sizeof(formats[0])))

/* What is being compared, for the message of a failure. */
static char current[256] = "the usual job";

/* Memory of an exact size between two guards, filled with a byte that is no result. */
typedef struct guarded {
    uint8_t *block, *data;
    size_t size;
} guarded;

static guarded guarded_make(size_t size, int fill)
{
    const size_t total = (size + 2 * GUARD + GUARD - 1) / GUARD * GUARD;
    guarded made = {.block = aligned_alloc(GUARD, total), .size = size};
    assert_non_null(made.block);
    memset(made.block, GUARD_BYTE, total);
    made.data = made.block + GUARD;
    memset(made.data, fill, size);
    return made;
}

static void guarded_free(guarded *memory)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(memory->block[i], GUARD_BYTE);
        assert_int_equal(memory->data[memory->size + i], GUARD_BYTE);
    }
    free(memory->block);
}

/* What one run writes. */
typedef struct written {
    guarded tensor, luma, scratch;
} written;

static written run(const vrs_preprocess_plan *plan, const vrs_image *image, vrs_isa isa, int fill)
{
    const size_t pixels = (size_t)plan->desc.width * (size_t)plan->desc.height;
    written out = {guarded_make(vrs_preprocess_tensor_bytes(plan), fill),
                   guarded_make(pixels, fill), guarded_make(vrs_preprocess_scratch(plan), 0xFF)};
    vrs_kernels_get(isa)->preprocess(plan, image, out.tensor.data, out.luma.data, out.scratch.data);
    return out;
}

static void written_free(written *out)
{
    guarded_free(&out->tensor);
    guarded_free(&out->luma);
    guarded_free(&out->scratch);
}

static void compare_bytes(const char *what, const guarded *got, const guarded *expected)
{
    for (size_t i = 0; i < expected->size; i++) {
        if (abs(got->data[i] - expected->data[i]) > 1) {
            fail_msg("%s: %s %zu: %d, the reference has %d", current, what, i, got->data[i],
                     expected->data[i]);
        }
    }
}

static void compare_floats(const vrs_preprocess_plan *plan, const guarded *got,
                           const guarded *expected)
{
    const size_t area = (size_t)plan->desc.width * (size_t)plan->desc.height;
    for (size_t i = 0; i < 3 * area; i++) {
        float a = 0.0F, b = 0.0F;
        memcpy(&a, got->data + 4 * i, sizeof(a));
        memcpy(&b, expected->data + 4 * i, sizeof(b));
        const size_t channel = plan->desc.tensor == VRS_TENSOR_F32_NCHW ? i / area : i % 3;
        const double limit = 1e-5 * 255.0 * fabs((double)plan->desc.scale[channel]);
        if (!(fabs((double)a - b) <= limit)) {
            fail_msg("%s: tensor %zu: %.8g, the reference has %.8g, tolerance %.3g", current, i,
                     (double)a, (double)b, limit);
        }
    }
}

/* A plan of random settings for a picture. */
static vrs_preprocess_desc random_desc(const vrs_image *image, int32_t width, int32_t height,
                                       test_random *random)
{
    static const float mean[3] = {127.5F, 0.0F, 103.94F}, scale[3] = {1.0F / 127.5F, 1.0F, -0.017F};
    vrs_preprocess_desc desc = test_preprocess_source(image, random);
    desc.width = width;
    desc.height = height;
    desc.tensor = (vrs_tensor_format)test_range(random, 0, 2);
    desc.bgr = test_range(random, 0, 1);
    memcpy(desc.mean, mean, sizeof(mean));
    memcpy(desc.scale, scale, sizeof(scale));
    desc.pad = (float)test_range(random, 0, 255);
    return desc;
}

static void check_all(const vrs_image *image, const vrs_preprocess_desc *desc)
{
    vrs_preprocess_plan *plan = NULL;
    assert_int_equal(vrs_preprocess_plan_create(desc, &plan), VRS_OK);
    written expected = run(plan, image, VRS_ISA_REFERENCE, 0x5A);
    for (int isa = VRS_ISA_AVX2; isa <= (int)vrs_isa_detect(); isa++) {
        written got = run(plan, image, (vrs_isa)isa, 0xA5);
        if (desc->tensor == VRS_TENSOR_U8_NHWC)
            compare_bytes("tensor", &got.tensor, &expected.tensor);
        else
            compare_floats(plan, &got.tensor, &expected.tensor);
        compare_bytes("luma", &got.luma, &expected.luma);
        written_free(&got);
    }
    written_free(&expected);
    vrs_preprocess_plan_destroy(plan);
}

static void check_size(int32_t width, int32_t height, int32_t to_width, int32_t to_height,
                       test_random *random)
{
    for (int format = 0; format < FORMATS; format++) {
        for (int pattern = 0; pattern < TEST_PATTERNS; pattern++) {
            const uint64_t seed = random->state;
            vrs_image image = test_picture(formats[format], width, height,
                                           (test_strides)test_range(random, 0, TEST_STRIDES - 1),
                                           (test_pattern)pattern, random);
            const vrs_preprocess_desc desc = random_desc(&image, to_width, to_height, random);
            snprintf(current, sizeof(current),
                     "%s %dx%d view %d,%d %dx%d to %dx%d resize %d fit %d tensor %d transfer %d "
                     "pattern %d seed %llx",
                     vrs_pixel_format_name(image.format), width, height, desc.view.x, desc.view.y,
                     desc.view.width, desc.view.height, to_width, to_height, (int)desc.resize,
                     (int)desc.fit, (int)desc.tensor, (int)desc.color.transfer, pattern,
                     (unsigned long long)seed);
            check_all(&image, &desc);
            vrs_image_release(&image);
        }
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const int32_t from[][2] = {{1, 1},   {2, 2},    {3, 5},    {17, 9},  {33, 64},
                                      {65, 31}, {128, 96}, {300, 7},  {7, 300}, {641, 359},
                                      {95, 63}, {97, 33},  {1280, 50}};
    static const int32_t to[][2] = {{1, 1}, {3, 5}, {8, 16}, {33, 17}, {64, 37}, {256, 144}};
    test_random random = {0x123456789ABCDEFU};
    for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++)
        for (size_t j = 0; j < sizeof(to) / sizeof(to[0]); j++)
            check_size(from[i][0], from[i][1], to[j][0], to[j][1], &random);
}

/* White of `height` rows in one: the longest sums that 16 bits hold, and longer ones. */
static void check_white(vrs_pixel_format format, int32_t height, test_random *random)
{
    vrs_image image =
        test_picture(format, 70, height, TEST_STRIDE_PADDED, TEST_PATTERN_ONES, random);
    const vrs_preprocess_desc desc = {.format = format,
                                      .image_width = 70,
                                      .image_height = height,
                                      .color = {.range = VRS_RANGE_FULL},
                                      .view = {0, 0, 70, height},
                                      .width = 9,
                                      .height = 1,
                                      .tensor = VRS_TENSOR_U8_NHWC};
    snprintf(current, sizeof(current), "%s white, %d rows", vrs_pixel_format_name(format), height);
    check_all(&image, &desc);
    vrs_image_release(&image);
}

static void test_long_sums(void **state)
{
    (void)state;
    static const int32_t heights[] = {63, 64, 65, 70, 130, 256, 257, 258, 290, 514, 600};
    test_random random = {0xFEDCBA987654321U};
    for (size_t i = 0; i < sizeof(heights) / sizeof(heights[0]); i++) {
        check_white(VRS_FORMAT_YUV420P, heights[i], &random);
        check_white(VRS_FORMAT_YUV420P10, heights[i], &random);
        check_white(VRS_FORMAT_P010, heights[i], &random);
    }
    check_size(40, 1030, 4, 1, &random);
    check_size(4100, 6, 1, 2, &random);
    /* Sums along a row of one part, just two, and several. */
    static const int32_t widths[] = {127, 128, 129, 140, 255, 256, 257, 500, 1023, 1024, 1025};
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
        check_size(3 * widths[i], 4, 3, 2, &random);
    check_size(8960, 8, 64, 4, &random);
}

/* The usual jobs, at full size and whole. */
static void test_usual(void **state)
{
    (void)state;
    test_random random = {77};
    vrs_image image = test_picture(VRS_FORMAT_YUV420P, 1280, 720, TEST_STRIDE_TIGHT,
                                   TEST_PATTERN_RANDOM, &random);
    vrs_preprocess_desc desc = {.format = image.format,
                                .image_width = 1280,
                                .image_height = 720,
                                .view = {0, 0, 1280, 720},
                                .width = 256,
                                .height = 144,
                                .tensor = VRS_TENSOR_U8_NHWC};
    check_all(&image, &desc);
    desc.resize = VRS_RESIZE_BILINEAR;
    check_all(&image, &desc);
    desc.view = (vrs_rect){641, 1, 639, 719};
    desc.resize = VRS_RESIZE_AREA;
    check_all(&image, &desc);
    vrs_image_release(&image);
}

static void test_without_luma(void **state)
{
    (void)state;
    test_random random = {99};
    vrs_image image =
        test_picture(VRS_FORMAT_NV12, 97, 41, TEST_STRIDE_PADDED, TEST_PATTERN_RANDOM, &random);
    vrs_preprocess_desc desc = {.format = image.format,
                                .image_width = 97,
                                .image_height = 41,
                                .view = {3, 1, 90, 39},
                                .width = 31,
                                .height = 19,
                                .tensor = VRS_TENSOR_U8_NHWC};
    vrs_preprocess_plan *plan = NULL;
    assert_int_equal(vrs_preprocess_plan_create(&desc, &plan), VRS_OK);
    written with = run(plan, &image, vrs_isa_detect(), 0);
    guarded tensor = guarded_make(vrs_preprocess_tensor_bytes(plan), 0xA5);
    for (int isa = VRS_ISA_REFERENCE; isa <= (int)vrs_isa_detect(); isa++) {
        vrs_kernels_get((vrs_isa)isa)
            ->preprocess(plan, &image, tensor.data, NULL, with.scratch.data);
        compare_bytes("tensor", &tensor, &with.tensor);
    }
    guarded_free(&tensor);
    written_free(&with);
    vrs_preprocess_plan_destroy(plan);
    vrs_image_release(&image);
}

/* A table names the best set that this CPU has, up to the one asked for. */
static void test_dispatch(void **state)
{
    (void)state;
    static const char *const names[] = {"reference", "avx2", "avx512"};
    for (int isa = VRS_ISA_REFERENCE; isa <= VRS_ISA_AVX512; isa++) {
        const int best = (int)vrs_isa_detect();
        const vrs_kernels *table = vrs_kernels_get((vrs_isa)isa);
        assert_string_equal(table->name, names[isa < best ? isa : best]);
        assert_non_null(table->preprocess);
        assert_ptr_equal(table->preprocess,
                         vrs_kernels_get((vrs_isa)(isa < best ? isa : best))->preprocess);
    }
    assert_ptr_equal(vrs_kernels_get((vrs_isa)99), vrs_kernels_get(VRS_ISA_AVX512));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dispatch),     cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_long_sums),    cmocka_unit_test(test_usual),
        cmocka_unit_test(test_without_luma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
