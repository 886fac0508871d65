/* Formats, the check of images that come from outside, allocation and release. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "image/format.h"

#define FORMATS 10

static void test_names(void **state)
{
    (void)state;
    static const char *const names[FORMATS + 1] = {"none",      "yuv420p",  "nv12",      "p010",
                                                   "yuv420p10", "rgb24",    "bgra",      "gray8",
                                                   "gray10",    "yuva420p", "yuva420p10"};
    for (int format = 0; format <= FORMATS; format++)
        assert_string_equal(vrs_pixel_format_name((vrs_pixel_format)format), names[format]);
    assert_string_equal(vrs_pixel_format_name((vrs_pixel_format)11), "unknown");
    assert_string_equal(vrs_pixel_format_name((vrs_pixel_format)-1), "unknown");
    assert_null(vrs_format_get(VRS_FORMAT_NONE));
    assert_null(vrs_format_get((vrs_pixel_format)11));
    assert_null(vrs_format_get((vrs_pixel_format)-1));
}

static void test_planes(void **state)
{
    (void)state;
    const vrs_image odd = {.format = VRS_FORMAT_YUVA420P10, .width = 17, .height = 9};
    static const int32_t widths[] = {17, 9, 9, 17};
    static const int32_t heights[] = {9, 5, 5, 9};
    for (int plane = 0; plane < 4; plane++) {
        assert_int_equal(vrs_plane_width(&odd, plane), widths[plane]);
        assert_int_equal(vrs_plane_height(&odd, plane), heights[plane]);
        assert_int_equal(vrs_plane_row_bytes(&odd, plane), 2 * widths[plane]);
    }
    const vrs_image p010 = {.format = VRS_FORMAT_P010, .width = 5, .height = 1};
    assert_int_equal(vrs_plane_row_bytes(&p010, 0), 10);
    assert_int_equal(vrs_plane_row_bytes(&p010, 1), 12);
    assert_int_equal(vrs_plane_height(&p010, 1), 1);
    assert_int_equal(vrs_plane_row_bytes(&p010, 2), 0);
    assert_int_equal(vrs_plane_width(&p010, -1), 0);
    const vrs_image rgb = {.format = VRS_FORMAT_RGB24, .width = 32768, .height = 1};
    assert_int_equal(vrs_plane_row_bytes(&rgb, 0), 98304);
    const vrs_image none = {.format = VRS_FORMAT_NONE, .width = 5, .height = 5};
    assert_int_equal(vrs_plane_width(&none, 0), 0);
}

static void test_alloc(void **state)
{
    (void)state;
    for (int format = 1; format <= FORMATS; format++) {
        vrs_image image;
        memset(&image, 0xEE, sizeof(image));
        assert_int_equal(vrs_image_alloc(&image, (vrs_pixel_format)format, 17, 9), VRS_OK);
        assert_int_equal(vrs_image_check(&image), VRS_OK);
        const vrs_format_info *info = vrs_format_get((vrs_pixel_format)format);
        for (int plane = 0; plane < info->planes; plane++) {
            assert_int_equal((uintptr_t)image.planes[plane] % 64, 0);
            assert_int_equal(image.strides[plane] % 64, 0);
            for (int32_t row = 0; row < vrs_plane_height(&image, plane); row++) {
                memset(image.planes[plane] + image.strides[plane] * row, 0xFF,
                       (size_t)vrs_plane_row_bytes(&image, plane));
            }
        }
        vrs_image_release(&image);
        assert_null(image.release);
        vrs_image_release(&image);
    }
    vrs_image_release(NULL);
}

static void expect_alloc(vrs_pixel_format format, int32_t width, int32_t height)
{
    vrs_image image;
    assert_int_equal(vrs_image_alloc(&image, format, width, height), VRS_INVALID);
    assert_null(image.planes[0]);
    assert_null(image.release);
}

static void test_alloc_refuses(void **state)
{
    (void)state;
    expect_alloc(VRS_FORMAT_NONE, 5, 5);
    expect_alloc((vrs_pixel_format)1000, 5, 5);
    expect_alloc(VRS_FORMAT_NV12, 0, 5);
    expect_alloc(VRS_FORMAT_NV12, 5, -1);
    expect_alloc(VRS_FORMAT_NV12, VRS_MAX_SIDE + 1, 5);
    expect_alloc(VRS_FORMAT_NV12, 5, INT32_MAX);
    expect_alloc(VRS_FORMAT_NV12, INT32_MIN, 5);
}

static bool refuse(void *opaque, const char *what)
{
    (void)opaque;
    (void)what;
    return false;
}

static void test_alloc_fails(void **state)
{
    (void)state;
    vrs_image image;
    vrs_inject_set(refuse, NULL);
    const vrs_status status = vrs_image_alloc(&image, VRS_FORMAT_BGRA, 64, 64);
    vrs_inject_set(NULL, NULL);
    assert_int_equal(status, VRS_NO_MEMORY);
    assert_null(image.planes[0]);
    vrs_image_release(&image);
}

static int releases;

static void count_release(void *opaque)
{
    assert_ptr_equal(opaque, &releases);
    releases++;
}

static void test_release_once(void **state)
{
    (void)state;
    vrs_image image = {.release = count_release, .opaque = &releases};
    releases = 0;
    vrs_image_release(&image);
    vrs_image_release(&image);
    assert_int_equal(releases, 1);
}

/* An image of 6 x 4 NV12 in `pixels`, fit to be spoiled. */
static uint8_t pixels[256];

static vrs_image good_image(void)
{
    return (vrs_image){.format = VRS_FORMAT_NV12,
                       .width = 6,
                       .height = 4,
                       .planes = {pixels, pixels + 128},
                       .strides = {6, 6}};
}

/* `part` is in the sentence. */
static void expect_invalid(const vrs_image *image, const char *part)
{
    assert_int_equal(vrs_image_check(image), VRS_INVALID);
    if (strstr(vrs_last_error(), part) == NULL)
        fail_msg("\"%s\" does not speak of \"%s\"", vrs_last_error(), part);
}

static void test_check(void **state)
{
    (void)state;
    vrs_image image = good_image();
    assert_int_equal(vrs_image_check(&image), VRS_OK);
    image.strides[0] = -6;
    image.strides[1] = 8;
    assert_int_equal(vrs_image_check(&image), VRS_OK);
    assert_int_equal(vrs_image_check(NULL), VRS_INVALID);
    image = good_image();
    image.format = VRS_FORMAT_NONE;
    expect_invalid(&image, "pixel format 0");
    image = good_image();
    image.format = (vrs_pixel_format)-7;
    expect_invalid(&image, "pixel format -7");
    image = good_image();
    image.memory = (vrs_memory_kind)3;
    expect_invalid(&image, "memory kind 3");
    image = good_image();
    image.planes[1] = NULL;
    expect_invalid(&image, "plane 1 of nv12 is NULL");
}

static void test_check_places(void **state)
{
    (void)state;
    vrs_image image = good_image();
    assert_int_equal(vrs_image_check_in(&image, VRS_MEMORY_HOST, 5), VRS_OK);
    assert_int_equal(vrs_image_check_in(&image, VRS_MEMORY_CUDA, 0), VRS_INVALID);
    image.memory = VRS_MEMORY_CUDA;
    image.device = 1;
    assert_int_equal(vrs_image_check_in(&image, VRS_MEMORY_CUDA, 1), VRS_OK);
    assert_int_equal(vrs_image_check_in(&image, VRS_MEMORY_CUDA, 0), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "lies on device 1 and is needed on device 0"));
    expect_invalid(&image, "lies in CUDA memory and is needed in host memory");
    image.strides[1] = 1;
    assert_int_equal(vrs_image_check_in(&image, VRS_MEMORY_CUDA, 1), VRS_INVALID);
}

static void test_check_sizes(void **state)
{
    (void)state;
    static const int32_t sides[] = {0, -1, VRS_MAX_SIDE + 1, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        vrs_image image = good_image();
        image.width = sides[i];
        expect_invalid(&image, "each side must lie in 1 to 32768");
        image = good_image();
        image.height = sides[i];
        expect_invalid(&image, "each side must lie in 1 to 32768");
    }
}

static void test_check_strides(void **state)
{
    (void)state;
    static const ptrdiff_t narrow[] = {0, 5, -5, 1};
    for (size_t i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++) {
        vrs_image image = good_image();
        image.strides[1] = narrow[i];
        expect_invalid(&image, "too short");
    }
    static const ptrdiff_t wild[] = {PTRDIFF_MAX, PTRDIFF_MIN, PTRDIFF_MAX / 3, PTRDIFF_MIN / 4};
    for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        vrs_image image = good_image();
        image.strides[0] = wild[i];
        expect_invalid(&image, "overflows");
    }
    vrs_image image = good_image();
    image.format = VRS_FORMAT_P010;
    image.strides[0] = image.strides[1] = 12;
    assert_int_equal(vrs_image_check(&image), VRS_OK);
    image.strides[0] = 13;
    expect_invalid(&image, "even addresses");
    image.strides[0] = 12;
    image.planes[1]++;
    expect_invalid(&image, "even addresses");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_planes),
        cmocka_unit_test(test_alloc),       cmocka_unit_test(test_alloc_refuses),
        cmocka_unit_test(test_alloc_fails), cmocka_unit_test(test_release_once),
        cmocka_unit_test(test_check),       cmocka_unit_test(test_check_places),
        cmocka_unit_test(test_check_sizes), cmocka_unit_test(test_check_strides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
