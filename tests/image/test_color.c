/* Colours: what stands for "unknown", matrices against known colours, and there and back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "image/format.h"

static vrs_color resolve(vrs_pixel_format format, int32_t height, vrs_color color)
{
    const vrs_image image = {.format = format, .width = 640, .height = height, .color = color};
    return vrs_color_resolve(&image);
}

static void test_resolve_unknown(void **state)
{
    (void)state;
    const vrs_color unknown = {VRS_MATRIX_UNKNOWN, VRS_RANGE_UNKNOWN, VRS_TRANSFER_UNKNOWN,
                               VRS_CHROMA_UNKNOWN, 2};
    vrs_color color = resolve(VRS_FORMAT_NV12, 719, unknown);
    assert_int_equal(color.matrix, VRS_MATRIX_BT601);
    assert_int_equal(color.range, VRS_RANGE_LIMITED);
    assert_int_equal(color.transfer, VRS_TRANSFER_BT709);
    assert_int_equal(color.chroma_site, VRS_CHROMA_LEFT);
    assert_int_equal(color.primaries, 2);
    color = resolve(VRS_FORMAT_P010, 720, unknown);
    assert_int_equal(color.matrix, VRS_MATRIX_BT709);
    color = resolve(VRS_FORMAT_RGB24, 720, unknown);
    assert_int_equal(color.matrix, VRS_MATRIX_RGB);
    assert_int_equal(color.range, VRS_RANGE_FULL);
    color = resolve(VRS_FORMAT_GRAY8, 720, unknown);
    assert_int_equal(color.range, VRS_RANGE_FULL);
}

static void test_resolve_known(void **state)
{
    (void)state;
    const vrs_color known = {VRS_MATRIX_BT2020, VRS_RANGE_FULL, VRS_TRANSFER_HLG,
                             VRS_CHROMA_TOP_LEFT, 9};
    vrs_color color = resolve(VRS_FORMAT_YUV420P10, 100, known);
    assert_memory_equal(&color, &known, sizeof(known));
    /* RGB cannot be meant where there is Y'CbCr, nor the other way round. */
    color = resolve(VRS_FORMAT_YUV420P, 100, (vrs_color){.matrix = VRS_MATRIX_RGB});
    assert_int_equal(color.matrix, VRS_MATRIX_BT601);
    color = resolve(VRS_FORMAT_BGRA, 100, known);
    assert_int_equal(color.matrix, VRS_MATRIX_RGB);
    /* Numbers of H.273 that have no name here. */
    const vrs_color strange = {(vrs_matrix)5, (vrs_range)77, (vrs_transfer)-1, (vrs_chroma_site)6,
                               1};
    color = resolve(VRS_FORMAT_YUV420P, 2160, strange);
    assert_int_equal(color.matrix, VRS_MATRIX_BT601);
    assert_int_equal(color.range, VRS_RANGE_LIMITED);
    assert_int_equal(color.transfer, VRS_TRANSFER_BT709);
    assert_int_equal(color.chroma_site, VRS_CHROMA_LEFT);
}

static void expect_rgb(vrs_color color, int32_t depth, const int32_t ycc[3], const double rgb[3])
{
    const vrs_color_matrix matrix = vrs_color_to_rgb(color, depth);
    for (int row = 0; row < 3; row++) {
        const float *m = matrix.m[row];
        const double value =
            (double)m[0] * ycc[0] + (double)m[1] * ycc[1] + (double)m[2] * ycc[2] + (double)m[3];
        if (fabs(value - rgb[row]) > 0.006) {
            fail_msg("matrix %d range %d depth %d row %d: %f, expected %f", (int)color.matrix,
                     (int)color.range, depth, row, value, rgb[row]);
        }
    }
}

/* Codes of the pure colours, rounded: half a code of Y and of C make up to 0.006 of 1. */
static void test_known_colors(void **state)
{
    (void)state;
    const vrs_color bt601 = {.matrix = VRS_MATRIX_BT601, .range = VRS_RANGE_LIMITED};
    const vrs_color bt709 = {.matrix = VRS_MATRIX_BT709, .range = VRS_RANGE_LIMITED};
    const vrs_color bt2020 = {.matrix = VRS_MATRIX_BT2020, .range = VRS_RANGE_LIMITED};
    const vrs_color full = {.matrix = VRS_MATRIX_BT601, .range = VRS_RANGE_FULL};
    const double black[3] = {0, 0, 0}, white[3] = {1, 1, 1}, red[3] = {1, 0, 0};
    const double green[3] = {0, 1, 0}, blue[3] = {0, 0, 1};
    expect_rgb(bt601, 8, (const int32_t[]){16, 128, 128}, black);
    expect_rgb(bt601, 8, (const int32_t[]){235, 128, 128}, white);
    expect_rgb(bt601, 10, (const int32_t[]){940, 512, 512}, white);
    expect_rgb(bt601, 8, (const int32_t[]){81, 90, 240}, red);
    expect_rgb(bt601, 8, (const int32_t[]){145, 54, 34}, green);
    expect_rgb(bt601, 8, (const int32_t[]){41, 240, 110}, blue);
    expect_rgb(bt709, 8, (const int32_t[]){63, 102, 240}, red);
    expect_rgb(bt709, 8, (const int32_t[]){173, 42, 26}, green);
    expect_rgb(bt709, 8, (const int32_t[]){32, 240, 118}, blue);
    expect_rgb(bt2020, 10, (const int32_t[]){294, 387, 960}, red);
    expect_rgb(full, 8, (const int32_t[]){255, 128, 128}, white);
    expect_rgb(full, 8, (const int32_t[]){76, 85, 255}, red);
}

static void test_there_and_back(void **state)
{
    (void)state;
    static const vrs_matrix matrices[] = {VRS_MATRIX_BT601, VRS_MATRIX_BT709, VRS_MATRIX_BT2020,
                                          VRS_MATRIX_RGB};
    for (int i = 0; i < 4 * 2 * 2; i++) {
        const vrs_color color = {.matrix = matrices[i % 4],
                                 .range = i / 4 % 2 == 0 ? VRS_RANGE_LIMITED : VRS_RANGE_FULL};
        const int32_t depth = i / 8 == 0 ? 8 : 10;
        const vrs_color_matrix back = vrs_color_to_rgb(color, depth);
        for (int c = 0; c < 1000; c++) {
            const uint8_t rgb[3] = {(uint8_t)(c * 7), (uint8_t)(c * 31), (uint8_t)(c * 113 / 3)};
            int32_t ycc[3];
            vrs_color_from_rgb8(color, depth, rgb, ycc);
            for (int row = 0; row < 3; row++) {
                const float *m = back.m[row];
                const double value = 255.0 * ((double)m[0] * ycc[0] + (double)m[1] * ycc[1] +
                                              (double)m[2] * ycc[2] + (double)m[3]);
                /* Half a code of rounding in each, through the largest weights of the matrix. */
                assert_true(fabs(value - rgb[row]) < 2.1);
                assert_true(ycc[row] >= 0 && ycc[row] < 1 << depth);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve_unknown),
        cmocka_unit_test(test_resolve_known),
        cmocka_unit_test(test_known_colors),
        cmocka_unit_test(test_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
