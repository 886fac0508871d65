/* The reference of preprocessing against mathematics: exact integrals, known colours, known light.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "image/format.h"
#include "kernels/half.h"
#include "kernels/kernels.h"
#include "kernels/pictures.h"
#include "kernels/preprocess_plan.h"
#include "support/inject.h"

/* Plane-wise floats 0..255 of a picture by the reference. */
static float *run_reference(const vrs_preprocess_desc *desc, const vrs_image *image, uint8_t *luma)
{
    vrs_preprocess_plan *plan = NULL;
    assert_int_equal(vrs_preprocess_plan_create(desc, &plan), VRS_OK);
    float *tensor = malloc(vrs_preprocess_tensor_bytes(plan));
    assert_non_null(tensor);
    vrs_kernels_get(VRS_ISA_REFERENCE)->preprocess(plan, image, tensor, luma, NULL);
    vrs_preprocess_plan_destroy(plan);
    return tensor;
}

static vrs_preprocess_desc whole(const vrs_image *image, int32_t width, int32_t height)
{
    return (vrs_preprocess_desc){.format = image->format,
                                 .image_width = image->width,
                                 .image_height = image->height,
                                 .color = image->color,
                                 .view = {0, 0, image->width, image->height},
                                 .width = width,
                                 .height = height,
                                 .tensor = VRS_TENSOR_F32_NCHW,
                                 .scale = {1.0F, 1.0F, 1.0F}};
}

/* Integral of a gray picture, constant in each pixel, over 0..x times 0..y. */
static double integral(const vrs_image *image, double x, double y)
{
    double sum = 0.0;
    for (int32_t row = 0; row < image->height && row < y; row++) {
        for (int32_t column = 0; column < image->width && column < x; column++) {
            const uint8_t *line = image->planes[0] + image->strides[0] * row;
            sum += line[column] * fmin(x - column, 1.0) * fmin(y - row, 1.0);
        }
    }
    return sum;
}

static void test_area_is_the_integral(void **state)
{
    (void)state;
    static const int32_t sizes[][4] = {
        {40, 30, 13, 7}, {17, 9, 17, 9}, {33, 64, 5, 64}, {64, 36, 10, 9}, {31, 1, 2, 1}};
    test_random random = {5};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const int32_t *size = sizes[i];
        vrs_image image = test_picture(VRS_FORMAT_GRAY8, size[0], size[1], TEST_STRIDE_PADDED,
                                       TEST_PATTERN_RANDOM, &random);
        const vrs_preprocess_desc desc = whole(&image, size[2], size[3]);
        float *tensor = run_reference(&desc, &image, NULL);
        const double scale_x = (double)size[0] / size[2];
        const double scale_y = (double)size[1] / size[3];
        for (int32_t y = 0; y < size[3]; y++) {
            for (int32_t x = 0; x < size[2]; x++) {
                const double left = x * scale_x, right = left + scale_x;
                const double top = y * scale_y, bottom = top + scale_y;
                const double mean =
                    (integral(&image, right, bottom) - integral(&image, left, bottom) -
                     integral(&image, right, top) + integral(&image, left, top)) /
                    (scale_x * scale_y);
                assert_true(fabs(tensor[y * size[2] + x] - mean) < 255e-6);
            }
        }
        free(tensor);
        vrs_image_release(&image);
    }
}

/* What no sampling can change: one colour stays that colour, in every format, siting and fit. */
static void test_constant_stays(void **state)
{
    (void)state;
    static const vrs_pixel_format formats[] = {VRS_FORMAT_YUV420P, VRS_FORMAT_NV12,
                                               VRS_FORMAT_P010,    VRS_FORMAT_YUV420P10,
                                               VRS_FORMAT_RGB24,   VRS_FORMAT_BGRA};
    static const uint8_t rgb[3] = {200, 90, 40};
    test_random random = {6};
    for (int i = 0; i < 6 * 2 * 4; i++) {
        vrs_image image =
            test_picture(formats[i % 6], 37, 23, TEST_STRIDE_NEGATIVE, TEST_PATTERN_ZERO, &random);
        image.color.matrix = VRS_MATRIX_BT709;
        image.color.chroma_site = (vrs_chroma_site)(i / 12);
        const vrs_format_info *info = vrs_format_get(image.format);
        int32_t code[3];
        vrs_color_from_rgb8(vrs_color_resolve(&image), info->depth, rgb, code);
        for (int plane = 0; plane < info->planes; plane++) {
            const int32_t samples = info->plane_samples[plane];
            for (int32_t y = 0; y < vrs_plane_height(&image, plane); y++) {
                uint8_t *row = image.planes[plane] + image.strides[plane] * y;
                for (int32_t x = 0; x < vrs_plane_width(&image, plane) * samples; x++) {
                    const int32_t order = samples == 4 ? (x % 4 == 3 ? 0 : 2 - x % 4) : x % samples;
                    const int32_t value = code[plane + order];
                    if (info->sample_bytes == 1)
                        row[x] = (uint8_t)value;
                    else
                        ((uint16_t *)(void *)row)[x] = (uint16_t)(value << info->sample_shift);
                }
            }
        }
        vrs_preprocess_desc desc = whole(&image, 16, 29);
        desc.resize = (vrs_resize)(i / 6 % 2);
        float *tensor = run_reference(&desc, &image, NULL);
        for (int32_t pixel = 0; pixel < 3 * 16 * 29; pixel++) {
            /* Codes of 8 bits are rounded: about a code of RGB. */
            assert_true(fabsf(tensor[pixel] - (float)rgb[pixel / (16 * 29)]) < 1.6F);
        }
        free(tensor);
        vrs_image_release(&image);
    }
}

/* Chroma rises along a row as a straight line; where luma column x is, its value must stand. */
static void test_siting(void **state)
{
    (void)state;
    static const struct {
        vrs_chroma_site site;
        double x, y; /* luma place of chroma sample 0, in edge coordinates */
    } sites[] = {{VRS_CHROMA_LEFT, 0.5, 1.0},
                 {VRS_CHROMA_CENTER, 1.0, 1.0},
                 {VRS_CHROMA_TOP_LEFT, 0.5, 0.5}};
    test_random random = {7};
    for (size_t i = 0; i < 3; i++) {
        vrs_image image =
            test_picture(VRS_FORMAT_YUV420P, 32, 32, TEST_STRIDE_TIGHT, TEST_PATTERN_ZERO, &random);
        image.color =
            (vrs_color){VRS_MATRIX_BT601, VRS_RANGE_FULL, VRS_TRANSFER_BT709, sites[i].site, 1};
        memset(image.planes[0], 100, 32 * 32);
        for (int32_t k = 0; k < 16 * 16; k++) {
            image.planes[1][k] = (uint8_t)(100 + 2 * (k % 16) + k / 16);
            image.planes[2][k] = 128;
        }
        for (int32_t side = 32; side <= 96; side += 32) {
            vrs_preprocess_desc desc = whole(&image, side, side);
            desc.resize = VRS_RESIZE_BILINEAR;
            float *tensor = run_reference(&desc, &image, NULL);
            for (int32_t k = 0; k < side * side; k++) {
                const double luma_x = (k % side + 0.5) * 32.0 / side;
                const double luma_y = (double)(k / side) * 32.0 / side + 16.0 / side;
                const double across = (luma_x - sites[i].x) / 2.0;
                const double down = (luma_y - sites[i].y) / 2.0;
                const double cb = 100.0 + 2.0 * across + down - 128.0;
                const double blue = 100.0 + 2.0 * (1.0 - 0.114) * cb;
                const bool inside = fmin(across, down) > 0.0 && fmax(across, down) < 15.0;
                assert_true(!inside || fabs(tensor[2 * side * side + k] - blue) < 1e-3);
            }
            free(tensor);
        }
        vrs_image_release(&image);
    }
}

/* Resizing first and converting then, as here, against converting first: the same while nothing is
 * clipped. Chroma is straight lines, so that its own interpolation is exact inside. */
static void test_commutes(void **state)
{
    (void)state;
    test_random random = {8};
    vrs_image image =
        test_picture(VRS_FORMAT_YUV420P, 64, 48, TEST_STRIDE_TIGHT, TEST_PATTERN_ZERO, &random);
    image.color.chroma_site = VRS_CHROMA_CENTER;
    for (int32_t i = 0; i < 64 * 48; i++)
        image.planes[0][i] = (uint8_t)test_range(&random, 90, 160);
    for (int32_t i = 0; i < 32 * 24; i++) {
        image.planes[1][i] = (uint8_t)(112 + i % 32);
        image.planes[2][i] = (uint8_t)(140 - i / 32);
    }
    vrs_preprocess_desc same = whole(&image, 64, 48);
    same.resize = VRS_RESIZE_BILINEAR;
    float *converted = run_reference(&same, &image, NULL);
    const vrs_preprocess_desc desc = whole(&image, 16, 12);
    float *tensor = run_reference(&desc, &image, NULL);
    for (int32_t channel = 0; channel < 3; channel++) {
        for (int32_t y = 1; y < 11; y++) {
            for (int32_t x = 1; x < 15; x++) {
                double sum = 0.0;
                for (int32_t i = 0; i < 16; i++)
                    sum += converted[(channel * 48 + 4 * y + i / 4) * 64 + 4 * x + i % 4];
                assert_true(fabs(tensor[(channel * 12 + y) * 16 + x] - sum / 16.0) < 1e-3);
            }
        }
    }
    free(tensor);
    free(converted);
    vrs_image_release(&image);
}

static void test_layouts(void **state)
{
    (void)state;
    test_random random = {9};
    vrs_image image =
        test_picture(VRS_FORMAT_BGRA, 50, 20, TEST_STRIDE_PADDED, TEST_PATTERN_RANDOM, &random);
    vrs_preprocess_desc desc = whole(&image, 12, 12);
    desc.fit = VRS_FIT_LETTERBOX;
    desc.pad = 114.0F;
    float *planes = run_reference(&desc, &image, NULL);
    desc.tensor = VRS_TENSOR_F32_NHWC;
    desc.bgr = 1;
    const float mean[3] = {10.0F, 20.0F, 30.0F}, scale[3] = {0.5F, 2.0F, -1.0F};
    memcpy(desc.mean, mean, sizeof(mean));
    memcpy(desc.scale, scale, sizeof(scale));
    float *pixels = run_reference(&desc, &image, NULL);
    desc.tensor = VRS_TENSOR_U8_NHWC;
    uint8_t luma[144];
    uint8_t *bytes = (uint8_t *)run_reference(&desc, &image, luma);
    for (int32_t i = 0; i < 3 * 144; i++) {
        const int32_t channel = i % 3;
        const float value = planes[(2 - channel) * 144 + i / 3];
        assert_true(fabsf(pixels[i] - (value - mean[channel]) * scale[channel]) < 1e-4F);
        assert_int_equal(bytes[i], (int)(value + 0.5F));
        /* 50 x 20 in 12 x 12: 12 x 5, from row 3 on. */
        const int32_t row = i / 36;
        assert_true((row >= 3 && row < 8) || value == 114.0F);
    }
    for (int32_t i = 0; i < 144; i++) {
        const float y = 0.2126F * planes[i] + 0.7152F * planes[144 + i] + 0.0722F * planes[288 + i];
        assert_true(fabsf((float)luma[i] - y) <= 0.51F);
    }
    free(planes);
    free(pixels);
    free(bytes);
    vrs_image_release(&image);
}

/* Known numbers and their binary16: exact ones, ties to even, subnormals, overflow. */
static void test_half(void **state)
{
    (void)state;
    static const struct {
        double value;
        uint16_t half;
    } known[] = {{0.0, 0},
                 {1.0, 0x3C00},
                 {-2.0, 0xC000},
                 {65504.0, 0x7BFF},
                 {65519.9, 0x7BFF},
                 {65520.0, 0x7C00},
                 {0x1p-24, 1},
                 {0x1p-25, 0},
                 {0x3p-25, 2},
                 {0x1p-14, 0x0400},
                 {0x1.ff8p-15, 0x03FF},
                 {-1e9, 0xFC00},
                 {1.0 + 0x1p-11, 0x3C00},
                 {1.0 + 0x3p-11, 0x3C02},
                 {0x1.ffep-1, 0x3C00}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(vrs_half_from_double(known[i].value), known[i].half);
        assert_int_equal(vrs_half_from_float((float)known[i].value), known[i].half);
    }
    assert_true((vrs_half_from_double((double)NAN) & 0x7FFF) > 0x7C00);
}

/* Every tensor format and padding, element by element, from the floats of NCHW. */
static void check_format(vrs_preprocess_desc desc, const float *planes, const vrs_image *image)
{
    const int32_t width = desc.width, height = desc.height;
    const vrs_tensor_type type = vrs_tensor_type_of(desc.tensor);
    const vrs_tensor_layout layout = vrs_tensor_layout_of(desc.tensor);
    const int32_t channels = desc.channels != 0 ? desc.channels : layout == VRS_TENSOR_S2D ? 12 : 3;
    uint8_t *tensor = (uint8_t *)run_reference(&desc, image, NULL);
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            for (int32_t c = 0; c < 3 + (layout == VRS_TENSOR_NCHW ? 0 : channels - 3); c++) {
                const bool pad = layout == VRS_TENSOR_S2D ? c >= 12 : c >= 3;
                int32_t index = (y * width + x) * channels + c, source_x = x, source_y = y;
                int32_t channel = c;
                if (layout == VRS_TENSOR_NCHW) {
                    index = (c * height + y) * width + x;
                } else if (layout == VRS_TENSOR_S2D) {
                    /* x, y run over the places of the small picture here. */
                    if (x >= width / 2 || y >= height / 2)
                        continue;
                    index = (y * (width / 2) + x) * channels + c;
                    source_y = 2 * y + c / 6 % 2;
                    source_x = 2 * x + c / 3 % 2;
                    channel = c % 3;
                }
                const float number =
                    pad ? 0.0F : planes[(channel * height + source_y) * width + source_x];
                if (type == VRS_TENSOR_F32) {
                    assert_true(((float *)(void *)tensor)[index] == number);
                } else if (type == VRS_TENSOR_F16) {
                    const int32_t want = vrs_half_from_double(number);
                    assert_true(abs(((uint16_t *)(void *)tensor)[index] - want) <= 1);
                } else if (type == VRS_TENSOR_I8) {
                    const double want = fmin(fmax(rint(number / desc.quantum), -128.0), 127.0);
                    assert_true(fabs(((int8_t *)tensor)[index] - want) <= (pad ? 0.0 : 1.0));
                } else if (pad) {
                    assert_int_equal(tensor[index], 0);
                }
            }
        }
    }
    free(tensor);
}

static void test_formats(void **state)
{
    (void)state;
    test_random random = {12};
    vrs_image image =
        test_picture(VRS_FORMAT_NV12, 50, 20, TEST_STRIDE_PADDED, TEST_PATTERN_RANDOM, &random);
    vrs_preprocess_desc desc = whole(&image, 14, 10);
    desc.fit = VRS_FIT_LETTERBOX;
    desc.pad = 114.0F;
    desc.quantum = 0.03F;
    for (int c = 0; c < 3; c++) {
        desc.mean[c] = 100.0F + 10.0F * (float)c;
        desc.scale[c] = 0.02F + 0.01F * (float)c;
    }
    float *planes = run_reference(&desc, &image, NULL);
    for (int format = 0; format < VRS_TENSOR_FORMATS; format++) {
        static const int32_t channels[][4] = {{0, 3, 3, 0}, {0, 3, 8, 16}, {0, 12, 13, 16}};
        desc.tensor = (vrs_tensor_format)format;
        for (int i = 0; i < 4; i++) {
            desc.channels = channels[vrs_tensor_layout_of(desc.tensor)][i];
            check_format(desc, planes, &image);
        }
    }
    free(planes);
    vrs_image_release(&image);
}

static void test_content(void **state)
{
    (void)state;
    static const int32_t cases[][8] = {
        /* view, network, content */
        {1280, 720, 256, 256, 0, 56, 256, 144}, {720, 1280, 256, 256, 56, 0, 144, 256},
        {256, 144, 256, 144, 0, 0, 256, 144},   {32768, 1, 100, 100, 0, 49, 100, 1},
        {1, 32768, 100, 3, 49, 0, 1, 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int32_t *c = cases[i];
        const vrs_image image = {.format = VRS_FORMAT_NV12, .width = c[0], .height = c[1]};
        vrs_preprocess_desc desc = whole(&image, c[2], c[3]);
        desc.fit = VRS_FIT_LETTERBOX;
        vrs_preprocess_plan *plan = NULL;
        assert_int_equal(vrs_preprocess_plan_create(&desc, &plan), VRS_OK);
        const vrs_rect content = vrs_preprocess_content(plan);
        assert_memory_equal(&content, &c[4], sizeof(content));
        assert_int_equal(vrs_preprocess_tensor_bytes(plan), 12 * c[2] * c[3]);
        vrs_preprocess_plan_destroy(plan);
    }
}

/* Luma guide: limited range is stretched to full, 8 and 10 bits alike. */
static void test_guide(void **state)
{
    (void)state;
    static const uint16_t codes[][2] = {{64, 0}, {940, 255}, {0, 0}, {1023, 255}, {503, 128}};
    test_random random = {10};
    vrs_image image =
        test_picture(VRS_FORMAT_P010, 5, 1, TEST_STRIDE_TIGHT, TEST_PATTERN_ZERO, &random);
    for (int i = 0; i < 5; i++) {
        const uint16_t word = (uint16_t)(codes[i][0] << 6);
        memcpy(image.planes[0] + 2 * i, &word, sizeof(word));
    }
    const vrs_preprocess_desc desc = whole(&image, 5, 1);
    uint8_t luma[5];
    free(run_reference(&desc, &image, luma));
    for (int i = 0; i < 5; i++)
        assert_int_equal(luma[i], codes[i][1]);
    vrs_image_release(&image);
}

static void test_tone(void **state)
{
    (void)state;
    const vrs_transfer transfers[] = {VRS_TRANSFER_PQ, VRS_TRANSFER_HLG};
    /* Codes of diffuse white: 203 cd/m2 (BT.2408, table 1: 58 % PQ, 75 % HLG). */
    const double white[] = {0.5807, 0.75};
    for (int i = 0; i < 2; i++) {
        assert_true(fabs(vrs_tone_map(transfers[i], 0.0)) < 1e-4);
        assert_true(fabs(vrs_tone_map(transfers[i], white[i]) - pow(0.875, 1 / 2.4)) < 2e-3);
        float table[VRS_TONE_STEPS + 1];
        vrs_tone_table(transfers[i], table);
        for (int k = 1; k <= VRS_TONE_STEPS; k++) {
            assert_true(table[k] > table[k - 1] && table[k] <= 1.0F);
            const double between = vrs_tone_map(transfers[i], (k - 0.5) / VRS_TONE_STEPS);
            assert_true(fabs((table[k] + table[k - 1]) / 2.0 - between) < (k > 8 ? 1e-4 : 5e-3));
        }
    }
    /* 100 cd/m2 is 0.5081 in PQ (ST 2084): below the shoulder, gamma alone. */
    assert_true(fabs(vrs_tone_map(VRS_TRANSFER_PQ, 0.5081) - pow(100.0 / 203.0, 1 / 2.4)) < 1e-3);
}

static void test_hdr_source(void **state)
{
    (void)state;
    test_random random = {11};
    vrs_image image =
        test_picture(VRS_FORMAT_YUV420P10, 8, 8, TEST_STRIDE_TIGHT, TEST_PATTERN_ZERO, &random);
    image.color = (vrs_color){.matrix = VRS_MATRIX_BT2020, .transfer = VRS_TRANSFER_PQ};
    for (int i = 0; i < 64; i++)
        ((uint16_t *)(void *)image.planes[0])[i] = 573; /* (573 - 64) / 876 = 0.5811 */
    for (int i = 0; i < 16; i++) {
        ((uint16_t *)(void *)image.planes[1])[i] = 512;
        ((uint16_t *)(void *)image.planes[2])[i] = 512;
    }
    const vrs_preprocess_desc desc = whole(&image, 4, 4);
    float *tensor = run_reference(&desc, &image, NULL);
    for (int i = 0; i < 48; i++)
        assert_true(fabs(tensor[i] - 255.0 * pow(0.875, 1 / 2.4)) < 0.5);
    free(tensor);
    vrs_image_release(&image);
}

static void expect_refused(const vrs_preprocess_desc *desc, const char *part)
{
    vrs_preprocess_plan *plan = (vrs_preprocess_plan *)(uintptr_t)1;
    assert_int_equal(vrs_preprocess_plan_create(desc, &plan), VRS_INVALID);
    assert_null(plan);
    if (strstr(vrs_last_error(), part) == NULL)
        fail_msg("\"%s\" does not speak of \"%s\"", vrs_last_error(), part);
}

static void test_refusals(void **state)
{
    (void)state;
    const vrs_image image = {.format = VRS_FORMAT_NV12, .width = 64, .height = 48};
    const vrs_preprocess_desc good = whole(&image, 16, 16);
    vrs_preprocess_desc desc = good;
    desc.format = VRS_FORMAT_GRAY10;
    expect_refused(&desc, "gray10 cannot be a source");
    desc.format = (vrs_pixel_format)99;
    expect_refused(&desc, "unknown cannot be a source");
    desc = good;
    desc.image_width = VRS_MAX_SIDE + 1;
    expect_refused(&desc, "image of 32769x48");
    static const vrs_rect views[] = {{0, 0, 65, 48},       {1, 0, 64, 48},        {0, 1, 64, 48},
                                     {-1, 0, 10, 10},      {0, -1, 10, 10},       {0, 0, 0, 10},
                                     {0, 0, 10, 0},        {0, 0, 10, INT32_MAX}, {64, 0, 1, 1},
                                     {INT32_MAX, 0, 1, 1}, {1, 1, INT32_MAX, 1},  {0, 0, -5, -5}};
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        desc = good;
        desc.view = views[i];
        expect_refused(&desc, "does not lie in the image of 64x48");
    }
    desc = good;
    desc.height = 0;
    expect_refused(&desc, "network input of 16x0");
    desc = good;
    desc.resize = (vrs_resize)2;
    expect_refused(&desc, "resize 2");
    desc = good;
    desc.scale[1] = (float)NAN;
    expect_refused(&desc, "finite");
    desc = good;
    desc.pad = (float)INFINITY;
    expect_refused(&desc, "finite");
    desc = good;
    desc.channels = 8;
    expect_refused(&desc, "8 channels");
    desc.tensor = VRS_TENSOR_F16_S2D;
    expect_refused(&desc, "can have 12 to 16");
    desc.channels = 16;
    desc.height = 15;
    expect_refused(&desc, "needs even sides");
    desc.height = 16;
    desc.tensor = VRS_TENSOR_I8_S2D;
    expect_refused(&desc, "quantum above 0");
    desc.tensor = VRS_TENSOR_FORMATS;
    expect_refused(&desc, "tensor format 10");
}

static vrs_status create_and_destroy(void *opaque)
{
    vrs_preprocess_plan *plan = NULL;
    const vrs_status status = vrs_preprocess_plan_create(opaque, &plan);
    vrs_preprocess_plan_destroy(plan);
    return status;
}

static void test_memory_fails(void **state)
{
    (void)state;
    const vrs_image image = {.format = VRS_FORMAT_NV12, .width = 64, .height = 48};
    vrs_preprocess_desc desc = whole(&image, 16, 16);
    assert_true(inject_all(create_and_destroy, &desc) > 10);
    vrs_preprocess_plan_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_area_is_the_integral),
        cmocka_unit_test(test_constant_stays),
        cmocka_unit_test(test_siting),
        cmocka_unit_test(test_commutes),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_half),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_guide),
        cmocka_unit_test(test_tone),
        cmocka_unit_test(test_hdr_source),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
