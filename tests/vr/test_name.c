/* What names of files say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vr/name.h"

typedef struct name_case {
    const char *name;
    const char *stereo; /* as vrs_layout_set_stereo() takes it; NULL: it says nothing */
    const char *projection;
} name_case;

static void assert_claim(const name_case *c)
{
    vrs_layout_claim claim;
    vrs_layout wanted = vrs_layout_flat();
    vrs_name_claim(c->name, &claim);
    if ((claim.stereo > 0) != (c->stereo != NULL))
        fail_msg("%s: stereo %g", c->name, (double)claim.stereo);
    if ((claim.projection > 0) != (c->projection != NULL))
        fail_msg("%s: projection %g", c->name, (double)claim.projection);
    if (c->stereo != NULL)
        assert_int_equal(vrs_layout_set_stereo(&wanted, c->stereo), VRS_OK);
    if (c->projection != NULL && strcmp(c->projection, "cubemap") == 0)
        wanted.projection = VRS_PROJECTION_CUBEMAP;
    else if (c->projection != NULL)
        assert_int_equal(vrs_layout_set_projection(&wanted, c->projection), VRS_OK);
    if (claim.layout.stereo != wanted.stereo || claim.layout.swapped != wanted.swapped ||
        claim.layout.projection != wanted.projection || claim.layout.fov != wanted.fov ||
        claim.layout.lens != wanted.lens || claim.layout.cut_left != wanted.cut_left)
        fail_msg("%s is read wrongly: %s", c->name, claim.why);
}

static void players_names_are_read(void **state)
{
    (void)state;
    static const name_case cases[] = {
        {"holiday.mp4", NULL, NULL},
        {"/films_360/holiday.mp4", NULL, NULL}, /* a folder's name says nothing */
        {"a_LR_180_SBS_passthrough.mp4", "sbs", "half-equirect"},
        {"a_180_LR.mp4", "sbs", "half-equirect"},
        {"a-3dh-180x180.mkv", "sbs", "half-equirect"},
        {"a_360_TB.mp4", "tb", "equirect"},
        {"a_3dv_360.mp4", "tb", "equirect"},
        {"a_360_mono.mp4", "mono", "equirect"},
        {"a_360.mp4", NULL, "equirect"},
        {"A_FISHEYE190_ALPHA.MP4", NULL, "fisheye:190"},
        {"a_LR_180_FISHEYE_F180_alpha.mp4", "sbs", "fisheye:180"},
        {"a_F180_TB.mp4", "tb", "fisheye:180"},
        {"a_180F_sbs.mp4", "sbs", "fisheye:180"},
        {"a_vr180_lr.mp4", "sbs", "fisheye"},
        {"a_MKX200_LR.mp4", "sbs", "mkx200"},
        {"a_mkx220.mp4", NULL, "mkx220"},
        {"a_VRCA220_tb.mp4", "tb", "vrca220"},
        {"a_lr_180_fisheye190_rf52.mp4", "sbs", "rf52"},
        {"a_RL_180.mp4", "rl", "half-equirect"},
        {"a_bt_360.mp4", "bt", "equirect"},
        {"a_eac360_ou.mp4", "tb", "cubemap"},
        {"a_dome_2d.mp4", "mono", "half-equirect"},
        {"a_flat_SBS.mp4", "sbs", "flat"},
        {"a_LR.mp4", "sbs", "half-equirect"}, /* players take it so */
        {"a_tb.mp4", "tb", "half-equirect"},
        {"a_SBS.mp4", "sbs", NULL},
        {"a (SBS) [180].mp4", "sbs", "half-equirect"},
        {"F90_LR.mp4", "sbs", "fisheye:90"},
        {"F89.mp4", NULL, NULL},
        {"lr180.mp4", NULL, NULL}, /* not a word of its own */
        {"scalar_bluray.mp4", NULL, NULL},
        {".LR", "sbs", "half-equirect"},
        {"_-_", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_claim(&cases[i]);
}

static void half_sizes_are_squeezed(void **state)
{
    (void)state;
    static const char *const names[] = {"a_hsbs.mp4", "a_HOU.mp4", "a-htab.mp4", "a_HSBS_SBS.mp4",
                                        "a_sbs_hsbs.mp4"};
    vrs_layout_claim claim;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        vrs_name_claim(names[i], &claim);
        assert_true(claim.layout.squeezed && claim.stereo > 0);
    }
    vrs_name_claim("a_fsbs.mp4", &claim);
    assert_false(claim.layout.squeezed);
}

static void names_that_contradict_themselves_say_nothing(void **state)
{
    (void)state;
    vrs_layout_claim claim;
    vrs_name_claim("a_LR_TB_180.mp4", &claim);
    assert_true(claim.stereo == 0 && claim.projection > 0);
    assert_non_null(strstr(claim.why, "the word \"lr\" and another one contradict each other"));
    vrs_name_claim("a_180_360.mp4", &claim);
    assert_true(claim.projection == 0);
    assert_non_null(strstr(claim.why, "contradict each other"));
    vrs_name_claim("a_180_360_F190.mp4", &claim); /* an angle counts more than both */
    assert_true(claim.projection > 0 && claim.layout.fov == 190);
    vrs_name_claim("a_LR_RL.mp4", &claim);
    assert_true(claim.stereo == 0);
}

static void what_was_read_is_told(void **state)
{
    (void)state;
    vrs_layout_claim claim;
    vrs_name_claim("a_LR_180.mp4", &claim);
    assert_string_equal(claim.why, "the word \"lr\"; the word \"180\"");
    assert_true(claim.stereo == VRS_NAME_SURE && claim.projection == VRS_NAME_SURE);
    vrs_name_claim("a_TB.mp4", &claim);
    assert_string_equal(claim.why, "the word \"tb\"; players take 180 degrees for \"tb\" alone");
    assert_true(claim.projection == VRS_NAME_HALF);
    vrs_name_claim("a_vr180.mp4", &claim);
    assert_string_equal(claim.why, "the word \"vr180\", a fisheye to some players alone");
    assert_true(claim.projection == VRS_NAME_HALF);
    vrs_name_claim("a_fisheye300.mp4", &claim);
    assert_string_equal(claim.why, "no fisheye has the angle \"fisheye300\" (90 to 270)");
    vrs_name_claim("a.mp4", &claim);
    assert_string_equal(claim.why, "");
}

static void words_are_found(void **state)
{
    (void)state;
    assert_true(vrs_name_has_word("a_LR_180_FISHEYE_F180_Alpha.mp4", "alpha"));
    assert_false(vrs_name_has_word("alphabet_LR.mp4", "alpha"));
    assert_false(vrs_name_has_word("/alpha/a.mp4", "alpha"));
}

/* What is proposed is read as what it is. */
static void names_for_players_are_read_again(void **state)
{
    (void)state;
    static const struct {
        const char *projection;
        const char *alpha, *green;
        double fov;
    } cases[] = {
        {"half-equirect", "_LR_180_FISHEYE_F180_alpha", "_LR_180_SBS_passthrough", 180},
        {"equirect", "_LR_180_FISHEYE_F180_alpha", "_LR_360_SBS_passthrough", 180},
        {"fisheye:180", "_LR_180_FISHEYE_F180_alpha", "_LR_180_SBS_passthrough", 180},
        {"fisheye:190", "_LR_180_FISHEYE190_alpha", "_LR_180_SBS_passthrough", 190},
        {"rf52", "_LR_180_FISHEYE190_alpha", "_LR_180_SBS_passthrough", 190},
        {"mkx200", "_LR_180_MKX200_alpha", "_LR_180_SBS_passthrough", 200},
        {"fisheye:215", "_LR_180_FISHEYE_F215_alpha", "_LR_180_SBS_passthrough", 215},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vrs_layout layout = {.stereo = VRS_STEREO_SBS};
        char words[VRS_NAME_WORDS_SIZE], name[80];
        vrs_layout_claim claim;
        assert_int_equal(vrs_layout_set_projection(&layout, cases[i].projection), VRS_OK);
        vrs_name_words(&layout, false, words);
        assert_string_equal(words, cases[i].green);
        vrs_name_words(&layout, true, words);
        assert_string_equal(words, cases[i].alpha);
        (void)snprintf(name, sizeof(name), "a%s.mp4", words);
        vrs_name_claim(name, &claim);
        assert_true(claim.stereo > 0 && claim.layout.stereo == VRS_STEREO_SBS);
        assert_true(claim.layout.projection == VRS_PROJECTION_FISHEYE);
        assert_true(claim.layout.fov == cases[i].fov);
        assert_true(vrs_name_has_word(name, "alpha"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(players_names_are_read),
        cmocka_unit_test(half_sizes_are_squeezed),
        cmocka_unit_test(names_that_contradict_themselves_say_nothing),
        cmocka_unit_test(what_was_read_is_told),
        cmocka_unit_test(words_are_found),
        cmocka_unit_test(names_for_players_are_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
