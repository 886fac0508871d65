/* Layouts by their words, the eyes' rectangles, and what is said of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vrseg/layout.h"

static void names_are_known(void **state)
{
    (void)state;
    assert_string_equal(vrs_stereo_name(VRS_STEREO_MONO), "mono");
    assert_string_equal(vrs_stereo_name(VRS_STEREO_TB), "tb");
    assert_string_equal(vrs_stereo_name((vrs_stereo)3), "unknown");
    assert_string_equal(vrs_stereo_name((vrs_stereo)-1), "unknown");
    assert_string_equal(vrs_projection_name(VRS_PROJECTION_HALF_EQUIRECT), "half-equirect");
    assert_string_equal(vrs_projection_name(VRS_PROJECTION_CUBEMAP), "cubemap");
    assert_string_equal(vrs_projection_name((vrs_projection)6), "unknown");
    assert_string_equal(vrs_lens_name(VRS_LENS_NONE), "");
    assert_string_equal(vrs_lens_name(VRS_LENS_RF52), "RF52");
    assert_string_equal(vrs_lens_name((vrs_lens)5), "unknown");
    assert_string_equal(vrs_layout_voice_name(VRS_VOICE_CONTAINER), "container");
    assert_string_equal(vrs_layout_voice_name(VRS_VOICE_NONE), "nobody");
}

static void stereo_by_words(void **state)
{
    (void)state;
    vrs_layout layout = vrs_layout_flat();
    assert_int_equal(vrs_layout_set_stereo(&layout, "SBS"), VRS_OK);
    assert_int_equal(layout.stereo, VRS_STEREO_SBS);
    assert_false(layout.swapped);
    assert_int_equal(vrs_layout_set_stereo(&layout, "bt"), VRS_OK);
    assert_int_equal(layout.stereo, VRS_STEREO_TB);
    assert_true(layout.swapped);
    assert_int_equal(vrs_layout_set_stereo(&layout, "ou"), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "ou is none of mono, sbs, tb"));
    assert_int_equal(layout.stereo, VRS_STEREO_TB); /* untouched */
    assert_int_equal(vrs_layout_set_stereo(&layout, "mono"), VRS_OK);
    assert_int_equal(layout.stereo, VRS_STEREO_MONO);
    assert_false(layout.swapped);
}

static void projections_by_words(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        vrs_projection projection;
        double fov, cut;
        vrs_lens lens;
    } cases[] = {
        {"flat", VRS_PROJECTION_FLAT, 0, 0, VRS_LENS_NONE},
        {"equirect", VRS_PROJECTION_EQUIRECT, 0, 0, VRS_LENS_NONE},
        {"half-equirect", VRS_PROJECTION_HALF_EQUIRECT, 0, 0.25, VRS_LENS_NONE},
        {"fisheye", VRS_PROJECTION_FISHEYE, 180, 0, VRS_LENS_NONE},
        {"fisheye:200.5", VRS_PROJECTION_FISHEYE, 200.5, 0, VRS_LENS_NONE},
        {"FISHEYE:90", VRS_PROJECTION_FISHEYE, 90, 0, VRS_LENS_NONE},
        {"fisheye:270", VRS_PROJECTION_FISHEYE, 270, 0, VRS_LENS_NONE},
        {"mesh", VRS_PROJECTION_MESH, 0, 0, VRS_LENS_NONE},
        {"MKX200", VRS_PROJECTION_FISHEYE, 200, 0, VRS_LENS_MKX200},
        {"mkx220", VRS_PROJECTION_FISHEYE, 220, 0, VRS_LENS_MKX220},
        {"vrca220", VRS_PROJECTION_FISHEYE, 220, 0, VRS_LENS_VRCA220},
        {"rf52", VRS_PROJECTION_FISHEYE, 190, 0, VRS_LENS_RF52},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vrs_layout layout = {.fov = 7, .cut_left = 1, .cut_top = 1, .lens = VRS_LENS_RF52};
        assert_int_equal(vrs_layout_set_projection(&layout, cases[i].word), VRS_OK);
        assert_int_equal(layout.projection, cases[i].projection);
        assert_true(layout.fov == cases[i].fov);
        assert_true(layout.cut_left == cases[i].cut && layout.cut_right == cases[i].cut);
        assert_true(layout.cut_top == 0 && layout.cut_bottom == 0);
        assert_int_equal(layout.lens, cases[i].lens);
    }
}

static void wrong_projections_are_refused(void **state)
{
    (void)state;
    static const char *const fovs[] = {"fisheye:89.9", "fisheye:271", "fisheye:", "fisheye:nan",
                                       "fisheye:180x"};
    vrs_layout layout = vrs_layout_flat();
    for (size_t i = 0; i < sizeof(fovs) / sizeof(fovs[0]); i++) {
        assert_int_equal(vrs_layout_set_projection(&layout, fovs[i]), VRS_INVALID);
        assert_non_null(strstr(vrs_last_error(), "the angle across its circle is 90 to 270"));
    }
    assert_int_equal(vrs_layout_set_projection(&layout, "equirec"), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "did you mean \"equirect\"?"));
    assert_int_equal(layout.projection, VRS_PROJECTION_FLAT);
}

static void assert_rect(vrs_rect r, int32_t x, int32_t y, int32_t width, int32_t height)
{
    assert_int_equal(r.x, x);
    assert_int_equal(r.y, y);
    assert_int_equal(r.width, width);
    assert_int_equal(r.height, height);
}

static void eyes_are_halves(void **state)
{
    (void)state;
    vrs_layout layout = vrs_layout_flat();
    vrs_rect eyes[2];
    int count = 0;
    assert_int_equal(vrs_layout_eyes(&layout, 7, 5, eyes, &count), VRS_OK);
    assert_int_equal(count, 1);
    assert_rect(eyes[0], 0, 0, 7, 5);
    layout.stereo = VRS_STEREO_SBS;
    assert_int_equal(vrs_layout_eyes(&layout, 10, 5, eyes, &count), VRS_OK);
    assert_int_equal(count, 2);
    assert_rect(eyes[0], 0, 0, 5, 5);
    assert_rect(eyes[1], 5, 0, 5, 5);
    layout.swapped = true;
    assert_int_equal(vrs_layout_eyes(&layout, 10, 5, eyes, &count), VRS_OK);
    assert_rect(eyes[0], 5, 0, 5, 5);
    layout.stereo = VRS_STEREO_TB;
    assert_int_equal(vrs_layout_eyes(&layout, 9, 6, eyes, &count), VRS_OK);
    assert_rect(eyes[0], 0, 3, 9, 3);
    assert_rect(eyes[1], 0, 0, 9, 3);
}

static void sizes_that_do_not_halve_are_refused(void **state)
{
    (void)state;
    vrs_layout layout = {.stereo = VRS_STEREO_SBS};
    vrs_rect eyes[2];
    int count = 0;
    assert_int_equal(vrs_layout_eyes(&layout, 1921, 1080, eyes, &count), VRS_INVALID);
    assert_string_equal(vrs_last_error(),
                        "layout sbs: a frame of 1921x1080 has no two halves of one size, its width "
                        "is odd; is it --layout mono?");
    layout.stereo = VRS_STEREO_TB;
    assert_int_equal(vrs_layout_eyes(&layout, 1920, 1081, eyes, &count), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "its height is odd"));
}

static void text_of(const char *stereo, const char *projection, char *text, size_t size)
{
    vrs_layout layout = vrs_layout_flat();
    assert_int_equal(vrs_layout_set_stereo(&layout, stereo), VRS_OK);
    assert_int_equal(vrs_layout_set_projection(&layout, projection), VRS_OK);
    vrs_layout_text(&layout, text, size);
}

static void layouts_are_told_in_words(void **state)
{
    (void)state;
    char text[128];
    text_of("mono", "flat", text, sizeof(text));
    assert_string_equal(text, "flat");
    text_of("sbs", "half-equirect", text, sizeof(text));
    assert_string_equal(text, "side by side, half-equirect 180 degrees");
    text_of("bt", "equirect", text, sizeof(text));
    assert_string_equal(text, "top-bottom, right eye first, equirect 360 degrees");
    text_of("sbs", "rf52", text, sizeof(text));
    assert_string_equal(text, "side by side, fisheye 190 degrees (RF52)");
    text_of("tb", "mesh", text, sizeof(text));
    assert_string_equal(text, "top-bottom, mesh");
    text_of("sbs", "half-equirect", text, 8);
    assert_string_equal(text, "side by");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known),
        cmocka_unit_test(stereo_by_words),
        cmocka_unit_test(projections_by_words),
        cmocka_unit_test(wrong_projections_are_refused),
        cmocka_unit_test(eyes_are_halves),
        cmocka_unit_test(sizes_that_do_not_halve_are_refused),
        cmocka_unit_test(layouts_are_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
