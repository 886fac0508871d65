/* Up-sampling by the reference against zimg's bilinear resize, in float. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zimg.h>

#include "base/alloc.h"
#include "kernels/guarded.h"
#include "kernels/variants.h"

/* A float plane with rows of a multiple of 64 bytes, as zimg wants them. */
typedef struct floats {
    float *data;
    ptrdiff_t stride; /* in elements */
} floats;

static floats floats_make(int32_t width, int32_t height)
{
    floats f = {.stride = (width + 15) / 16 * 16};
    f.data = vrs_alloc_aligned((size_t)f.stride * (size_t)height * sizeof(float));
    assert_non_null(f.data);
    return f;
}

static zimg_image_format grey_floats(int32_t width, int32_t height)
{
    zimg_image_format format;
    zimg_image_format_default(&format, ZIMG_API_VERSION);
    format.width = (unsigned)width;
    format.height = (unsigned)height;
    format.pixel_type = ZIMG_PIXEL_FLOAT;
    format.color_family = ZIMG_COLOR_GREY;
    format.pixel_range = ZIMG_RANGE_FULL;
    return format;
}

static void zimg_bilinear(const int32_t *size, const floats *src, const floats *dst)
{
    const zimg_image_format from = grey_floats(size[0], size[1]),
                            to = grey_floats(size[2], size[3]);
    zimg_graph_builder_params params;
    zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
    params.resample_filter = ZIMG_RESIZE_BILINEAR;
    params.cpu_type = ZIMG_CPU_NONE;
    zimg_filter_graph *graph = zimg_filter_graph_build(&from, &to, &params);
    assert_non_null(graph);
    size_t temporary = 0;
    assert_int_equal(zimg_filter_graph_get_tmp_size(graph, &temporary), ZIMG_ERROR_SUCCESS);
    void *space = vrs_alloc_aligned(temporary + 64);
    assert_non_null(space);
    const zimg_image_buffer_const in = {
        ZIMG_API_VERSION, {{src->data, src->stride * (ptrdiff_t)sizeof(float), ZIMG_BUFFER_MAX}}};
    const zimg_image_buffer out = {
        ZIMG_API_VERSION, {{dst->data, dst->stride * (ptrdiff_t)sizeof(float), ZIMG_BUFFER_MAX}}};
    assert_int_equal(zimg_filter_graph_process(graph, &in, &out, space, NULL, NULL, NULL, NULL),
                     ZIMG_ERROR_SUCCESS);
    zimg_filter_graph_free(graph);
    vrs_free(space);
}

static void compare(const int32_t *size, random_state *random)
{
    vrs_upsample up;
    void *storage = vrs_alloc_aligned(vrs_upsample_storage(size[2], size[3]));
    int16_t *scratch = vrs_alloc_aligned(2 * ((size_t)size[2] + 64) * sizeof(int16_t));
    assert_non_null(storage);
    assert_non_null(scratch);
    vrs_upsample_init(&up, size[0], size[1], size[2], size[3], storage);
    plane src = plane_make(size[0], size[1], size[0], 2, true);
    plane dst = plane_make(size[2], size[3], size[2], 2, true);
    const floats from = floats_make(size[0], size[1]), to = floats_make(size[2], size[3]);
    plane_fill_q15(&src, PATTERN_RANDOM, random);
    for (int32_t y = 0; y < size[1]; y++)
        for (int32_t x = 0; x < size[0]; x++)
            from.data[y * from.stride + x] = ((int16_t *)plane_row(&src, y))[x];
    zimg_bilinear(size, &from, &to);
    vrs_kernels_get(VRS_ISA_REFERENCE)
        ->upsample(&up, src.origin, src.stride, 0, size[3], dst.origin, dst.stride, scratch);
    for (int32_t y = 0; y < size[3]; y++) {
        const int16_t *row = plane_row(&dst, y);
        for (int32_t x = 0; x < size[2]; x++) {
            const float theirs = to.data[y * to.stride + x];
            if (fabsf(theirs - row[x]) > 2.02f)
                fail_msg("%dx%d to %dx%d: %d, zimg %g at (%d, %d)", size[0], size[1], size[2],
                         size[3], row[x], (double)theirs, x, y);
        }
    }
    vrs_free(storage);
    vrs_free(scratch);
    vrs_free(from.data);
    vrs_free(to.data);
    plane_free(&src);
    plane_free(&dst);
}

static void test_zimg(void **state)
{
    (void)state;
    const int32_t sizes[][4] = {{256, 144, 1280, 720}, {256, 144, 641, 359}, {17, 9, 100, 77},
                                {8, 8, 8, 8},          {2, 2, 31, 5},        {33, 20, 34, 200}};
    random_state random = {41};
    for (int i = 0; i < 6; i++)
        compare(sizes[i], &random);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_zimg)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
