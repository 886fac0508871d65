/* The reference of preprocessing against zimg: chroma siting and colour matrices of random pictures
 * at their own size, and bilinear resizing of luma (where enlarging: zimg widens its filter where
 * reducing). Enlarged pictures have one chroma, for zimg enlarges 4:2:0 chroma down the columns in
 * more than one step, which is another result than one bilinear step. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zimg.h>

#include "base/alloc.h"
#include "image/format.h"
#include "kernels/kernels.h"
#include "kernels/pictures.h"

#define WIDTH 40
#define HEIGHT 28

/* Of full range; zimg keeps floats of 24 bits, but its weights are rounded as it resizes integers.
 */
#define TOLERANCE 1e-4

typedef struct zimg_case {
    vrs_pixel_format format;
    vrs_matrix matrix;
    vrs_range range;
    vrs_chroma_site site;
    int32_t width, height; /* of the result */
} zimg_case;

static zimg_image_format source_format(const zimg_case *what, int depth)
{
    zimg_image_format format;
    zimg_image_format_default(&format, ZIMG_API_VERSION);
    format.width = WIDTH;
    format.height = HEIGHT;
    format.pixel_type = depth > 8 ? ZIMG_PIXEL_WORD : ZIMG_PIXEL_BYTE;
    format.depth = (unsigned)depth;
    format.subsample_w = 1;
    format.subsample_h = 1;
    format.color_family = ZIMG_COLOR_YUV;
    format.matrix_coefficients = what->matrix == VRS_MATRIX_BT601   ? ZIMG_MATRIX_ST170_M
                                 : what->matrix == VRS_MATRIX_BT709 ? ZIMG_MATRIX_BT709
                                                                    : ZIMG_MATRIX_BT2020_NCL;
    format.pixel_range = what->range == VRS_RANGE_FULL ? ZIMG_RANGE_FULL : ZIMG_RANGE_LIMITED;
    format.chroma_location = what->site == VRS_CHROMA_LEFT     ? ZIMG_CHROMA_LEFT
                             : what->site == VRS_CHROMA_CENTER ? ZIMG_CHROMA_CENTER
                                                               : ZIMG_CHROMA_TOP_LEFT;
    return format;
}

/* Planes of R, G, B in 0..1. */
static float *run_zimg(const zimg_case *what, const vrs_image *image)
{
    const zimg_image_format from = source_format(what, vrs_format_get(what->format)->depth);
    zimg_image_format to;
    zimg_image_format_default(&to, ZIMG_API_VERSION);
    to.width = (unsigned)what->width;
    to.height = (unsigned)what->height;
    to.pixel_type = ZIMG_PIXEL_FLOAT;
    to.color_family = ZIMG_COLOR_RGB;
    to.matrix_coefficients = ZIMG_MATRIX_RGB;
    to.pixel_range = ZIMG_RANGE_FULL;
    zimg_graph_builder_params params;
    zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
    params.resample_filter = ZIMG_RESIZE_BILINEAR;
    params.resample_filter_uv = ZIMG_RESIZE_BILINEAR;
    params.cpu_type = ZIMG_CPU_NONE;
    zimg_filter_graph *graph = zimg_filter_graph_build(&from, &to, &params);
    assert_non_null(graph);
    size_t size = 0;
    assert_int_equal(zimg_filter_graph_get_tmp_size(graph, &size), 0);
    void *tmp = aligned_alloc(64, (size + 63) / 64 * 64 + 64);
    const size_t row_bytes = (size_t)what->width * sizeof(float);
    const size_t rows = 3 * (size_t)what->height;
    const size_t stride = (row_bytes + 63) / 64 * 64;
    float *padded = aligned_alloc(64, rows * stride);
    float *rgb = malloc(rows * row_bytes);
    assert_true(tmp != NULL && padded != NULL && rgb != NULL);
    zimg_image_buffer_const in = {.version = ZIMG_API_VERSION};
    zimg_image_buffer out = {.version = ZIMG_API_VERSION};
    for (int plane = 0; plane < 3; plane++) {
        in.plane[plane].data = image->planes[plane];
        in.plane[plane].stride = image->strides[plane];
        in.plane[plane].mask = ZIMG_BUFFER_MAX;
        out.plane[plane].data = (char *)padded + (size_t)plane * rows / 3 * stride;
        out.plane[plane].stride = (ptrdiff_t)stride;
        out.plane[plane].mask = ZIMG_BUFFER_MAX;
    }
    assert_int_equal(zimg_filter_graph_process(graph, &in, &out, tmp, NULL, NULL, NULL, NULL), 0);
    for (size_t row = 0; row < rows; row++)
        memcpy((char *)rgb + row * row_bytes, (char *)padded + row * stride, row_bytes);
    zimg_filter_graph_free(graph);
    free(tmp);
    free(padded);
    return rgb;
}

/* Random codes from which no colour is clipped: zimg's floats are not. */
static void fill_in_gamut(vrs_image *image, bool one_chroma, test_random *random)
{
    const vrs_format_info *info = vrs_format_get(image->format);
    const int32_t unit = info->depth == 10 ? 4 : 1;
    for (int plane = 0; plane < 3; plane++) {
        const int32_t low = plane == 0 ? 90 : 108;
        const int32_t high = plane == 0 ? 160 : (one_chroma ? low : 148);
        for (int32_t y = 0; y < vrs_plane_height(image, plane); y++) {
            uint8_t *row = image->planes[plane] + image->strides[plane] * y;
            for (int32_t x = 0; x < vrs_plane_width(image, plane); x++) {
                const int32_t code = test_range(random, low * unit, high * unit);
                if (info->sample_bytes == 1)
                    row[x] = (uint8_t)code;
                else
                    ((uint16_t *)(void *)row)[x] = (uint16_t)code;
            }
        }
    }
}

static void check(const zimg_case *what, test_random *random)
{
    vrs_image image;
    assert_int_equal(vrs_image_alloc(&image, what->format, WIDTH, HEIGHT), VRS_OK);
    fill_in_gamut(&image, what->width != WIDTH, random);
    const vrs_preprocess_desc desc = {
        .format = what->format,
        .image_width = WIDTH,
        .image_height = HEIGHT,
        .color = {what->matrix, what->range, VRS_TRANSFER_BT709, what->site, 1},
        .view = {0, 0, WIDTH, HEIGHT},
        .width = what->width,
        .height = what->height,
        .resize = VRS_RESIZE_BILINEAR,
        .tensor = VRS_TENSOR_F32_NCHW,
        .scale = {1 / 255.0F, 1 / 255.0F, 1 / 255.0F}};
    vrs_preprocess_plan *plan = NULL;
    assert_int_equal(vrs_preprocess_plan_create(&desc, &plan), VRS_OK);
    float *tensor = malloc(vrs_preprocess_tensor_bytes(plan));
    assert_non_null(tensor);
    vrs_kernels_get(VRS_ISA_REFERENCE)->preprocess(plan, &image, tensor, NULL, NULL);
    float *expected = run_zimg(what, &image);
    double worst = 0.0;
    for (int i = 0; i < 3 * what->width * what->height; i++)
        worst = fmax(worst, fabs((double)tensor[i] - (double)expected[i]));
    if (!(worst < TOLERANCE)) {
        fail_msg("%s matrix %d range %d site %d to %dx%d: differs by %g",
                 vrs_pixel_format_name(what->format), (int)what->matrix, (int)what->range,
                 (int)what->site, what->width, what->height, worst);
    }
    free(tensor);
    free(expected);
    vrs_preprocess_plan_destroy(plan);
    vrs_image_release(&image);
}

static void test_against_zimg(void **state)
{
    (void)state;
    static const vrs_matrix matrices[] = {VRS_MATRIX_BT601, VRS_MATRIX_BT709, VRS_MATRIX_BT2020};
    test_random random = {0xABCDEF};
    for (int i = 0; i < 2 * 3 * 2 * 3 * 2; i++) {
        const zimg_case what = {i % 2 == 0 ? VRS_FORMAT_YUV420P : VRS_FORMAT_YUV420P10,
                                matrices[i / 2 % 3],
                                i / 6 % 2 == 0 ? VRS_RANGE_LIMITED : VRS_RANGE_FULL,
                                (vrs_chroma_site)(VRS_CHROMA_LEFT + i / 12 % 3),
                                i < 36 ? WIDTH : 100,
                                i < 36 ? HEIGHT : 71};
        check(&what, &random);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_zimg)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
