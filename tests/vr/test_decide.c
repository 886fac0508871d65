/* What pictures show, and who is believed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/inject.h"
#include "vr/content.h"
#include "vr/decide.h"
#include "vr/name.h"

#define MOST 512

static uint8_t picture[MOST * MOST];

/* ---- pictures ---- */

/* A scene without end: values at whole places are random, between them they are mixed. */
static double noise(uint32_t seed, int32_t x, int32_t y)
{
    uint32_t h = seed * 0x9e3779b9u ^ (uint32_t)x * 0x85ebca6bu ^ (uint32_t)y * 0xc2b2ae35u;
    h = (h ^ h >> 15) * 0x2c1b3c6du;
    h = (h ^ h >> 12) * 0x297a2d39u;
    return (h >> 8) / (double)(1 << 24);
}

static double scene(uint32_t seed, double x, double y)
{
    double value = 0, amplitude = 90;
    for (double size = 24; size >= 3; size /= 2, amplitude *= 0.6) {
        const double u = x / size, v = y / size;
        const int32_t i = (int32_t)floor(u), j = (int32_t)floor(v);
        const double a = u - i, b = v - j;
        value +=
            amplitude * ((noise(seed, i, j) * (1 - a) + noise(seed, i + 1, j) * a) * (1 - b) +
                         (noise(seed, i, j + 1) * (1 - a) + noise(seed, i + 1, j + 1) * a) * b);
    }
    return value < 16 ? 16 : value > 235 ? 235 : value;
}

typedef struct look {
    int32_t width, height;
    vrs_stereo stereo;
    double disparity; /* of the nearest things; those below are nearer */
    bool different;   /* the second eye shows another scene */
    bool circle, poles, round;
} look;

static void draw_eye(const look *l, vrs_rect eye, int which)
{
    const double radius = (eye.width < eye.height ? eye.width : eye.height) / 2.0;
    for (int32_t y = 0; y < eye.height; y++)
        for (int32_t x = 0; x < eye.width; x++) {
            const double shift = which * l->disparity * (0.2 + 0.8 * y / eye.height);
            const uint32_t seed = l->different && which == 1 ? 77 : 5;
            double place = x + shift;
            double value = scene(seed, place + 1000, y + 1000);
            if (l->poles) { /* towards the poles all columns are one */
                const double lat = ((y + 0.5) / eye.height - 0.5) * 3.14159265;
                value = scene(seed, (place - eye.width / 2.0) * cos(lat) + 1000, y + 1000);
            }
            if (l->round) /* mirrored in its middle: both edges show one place */
                value = scene(seed,
                              fabs(place - eye.width / 2.0) *
                                      cos(((y + 0.5) / eye.height - 0.5) * 3.14159265) +
                                  1000,
                              y + 1000);
            if (l->circle && hypot(x + 0.5 - eye.width / 2.0, y + 0.5 - eye.height / 2.0) > radius)
                value = 16;
            picture[(eye.y + y) * MOST + eye.x + x] = (uint8_t)value;
        }
}

static vrs_content look_at(const look *l)
{
    vrs_layout layout = {.stereo = l->stereo};
    vrs_rect eyes[2];
    int count = 0;
    vrs_content content;
    assert_int_equal(vrs_layout_eyes(&layout, l->width, l->height, eyes, &count), VRS_OK);
    for (int e = 0; e < count; e++)
        draw_eye(l, eyes[e], e);
    assert_int_equal(vrs_content_look(picture, MOST, l->width, l->height, &content), VRS_OK);
    return content;
}

static vrs_layout_claim claim_of(const look *l)
{
    vrs_content content = look_at(l);
    vrs_layout_claim claim;
    assert_true(content.seen);
    vrs_content_claim(&content, -1, l->width * 8, l->height * 8, &claim);
    return claim;
}

static void eyes_are_seen(void **state)
{
    (void)state;
    const look sbs = {512, 256, VRS_STEREO_SBS, 12, false, false, false, false};
    vrs_layout_claim claim = claim_of(&sbs);
    assert_true(claim.stereo > 0.5f && claim.layout.stereo == VRS_STEREO_SBS);
    assert_non_null(strstr(claim.why, "the left and right halves show one scene"));
    const look tb = {288, 512, VRS_STEREO_TB, 12, false, false, false, false};
    claim = claim_of(&tb);
    assert_true(claim.stereo > 0.5f && claim.layout.stereo == VRS_STEREO_TB);
    const look mono = {512, 288, VRS_STEREO_MONO, 0, false, false, false, false};
    claim = claim_of(&mono);
    assert_true(claim.stereo > 0 && claim.layout.stereo == VRS_STEREO_MONO);
    assert_true(claim.projection > 0 && claim.layout.projection == VRS_PROJECTION_FLAT);
    const look two = {512, 256, VRS_STEREO_SBS, 0, true, false, false, false};
    claim = claim_of(&two);
    assert_int_equal(claim.layout.stereo, VRS_STEREO_MONO);
}

/* A wall that is like itself everywhere is no stereo picture of a shape that none has. */
static void the_shape_of_eyes_counts(void **state)
{
    (void)state;
    const look plain = {384, 288, VRS_STEREO_SBS, 6, false, false, false, false};
    vrs_layout_claim claim = claim_of(&plain);
    assert_true(claim.stereo == 0);
    assert_non_null(strstr(claim.why, "which says nothing in a frame of this shape"));
    vrs_content content = {.seen = true, .alike = {0, 0.9f, 0.1f}};
    vrs_content_claim(&content, -1, 576, 288, &claim);
    assert_true(claim.stereo > 0);
    content.alike[VRS_STEREO_TB] = 0.95f;
    vrs_content_claim(&content, -1, 1000, 288, &claim);
    assert_true(claim.stereo == 0);
    assert_true(vrs_content_matters(4096, 2048) && vrs_content_matters(4096, 4096));
    assert_false(vrs_content_matters(1920, 1080) || vrs_content_matters(1440, 1080));
}

static void projections_are_seen(void **state)
{
    (void)state;
    const look fisheye = {512, 256, VRS_STEREO_SBS, 8, false, true, false, false};
    vrs_layout_claim claim = claim_of(&fisheye);
    assert_int_equal(claim.layout.projection, VRS_PROJECTION_FISHEYE);
    assert_non_null(strstr(claim.why, "black corners around a circle in each eye"));
    const look half = {512, 256, VRS_STEREO_SBS, 8, false, false, true, false};
    claim = claim_of(&half);
    assert_int_equal(claim.layout.projection, VRS_PROJECTION_HALF_EQUIRECT);
    const look whole = {512, 512, VRS_STEREO_TB, 0, false, false, true, true};
    claim = claim_of(&whole);
    assert_int_equal(claim.layout.stereo, VRS_STEREO_TB);
    assert_int_equal(claim.layout.projection, VRS_PROJECTION_EQUIRECT);
    const look unknown = {512, 256, VRS_STEREO_SBS, 8, false, false, false, false};
    claim = claim_of(&unknown);
    assert_true(claim.projection == 0);
}

static void even_pictures_say_nothing(void **state)
{
    (void)state;
    vrs_content content;
    vrs_layout_claim claim;
    memset(picture, 17, sizeof(picture));
    assert_int_equal(vrs_content_look(picture, MOST, 512, 256, &content), VRS_OK);
    assert_false(content.seen);
    vrs_content_claim(&content, -1, 4096, 2048, &claim);
    assert_true(claim.stereo == 0 && claim.projection == 0);
    assert_int_equal(vrs_content_look(picture, MOST, 63, 256, &content), VRS_OK); /* too small */
    assert_false(content.seen);
}

static vrs_status look_once(void *opaque)
{
    return vrs_content_look(picture, MOST, 128, 128, opaque);
}

static void a_look_without_memory_fails(void **state)
{
    (void)state;
    vrs_content content;
    (void)inject_all(look_once, &content);
}

/* ---- who is believed ---- */

typedef struct saying {
    const char *option, *container, *name; /* stereo; NULL: nothing */
    const char *option_p, *container_p, *name_p;
} saying;

static void put(vrs_layout_claim *claim, const char *stereo, const char *projection)
{
    *claim = (vrs_layout_claim){.layout = vrs_layout_flat()};
    if (stereo != NULL)
        assert_int_equal(vrs_layout_set_stereo(&claim->layout, stereo), VRS_OK);
    if (projection != NULL)
        assert_int_equal(vrs_layout_set_projection(&claim->layout, projection), VRS_OK);
    claim->stereo = stereo != NULL ? 1 : 0;
    claim->projection = projection != NULL ? 1 : 0;
}

static vrs_status decide(const saying *s, const vrs_content *content, vrs_layout_reading *r)
{
    memset(r, 0, sizeof(*r));
    put(&r->claims[VRS_VOICE_OPTION], s->option, s->option_p);
    put(&r->claims[VRS_VOICE_CONTAINER], s->container, s->container_p);
    put(&r->claims[VRS_VOICE_NAME], s->name, s->name_p);
    /* two eyes above each other in pictures of that sort alone */
    bool above = content != NULL && content->alike[VRS_STEREO_TB] > 0.5f;
    return vrs_layout_decide("a.mp4", content, 4096, above ? 4096 : 2048, r);
}

static void the_strongest_voice_wins(void **state)
{
    (void)state;
    vrs_layout_reading r;
    const saying all = {"mono", "tb", "sbs", "flat", "equirect", "rf52"};
    assert_int_equal(decide(&all, NULL, &r), VRS_OK);
    assert_int_equal(r.layout.stereo, VRS_STEREO_MONO);
    assert_int_equal(r.stereo_by, VRS_VOICE_OPTION);
    assert_int_equal(r.layout.projection, VRS_PROJECTION_FLAT);
    assert_int_equal(r.projection_by, VRS_VOICE_OPTION);
    const saying two = {NULL, NULL, "sbs", NULL, "half-equirect", NULL};
    assert_int_equal(decide(&two, NULL, &r), VRS_OK);
    assert_int_equal(r.stereo_by, VRS_VOICE_NAME);
    assert_int_equal(r.projection_by, VRS_VOICE_CONTAINER);
    assert_int_equal(r.layout.stereo, VRS_STEREO_SBS);
    assert_true(r.layout.cut_left == 0.25);
    assert_string_equal(r.conflict, "");
    assert_string_equal(r.doubt, "");
}

static void contradictions_are_told(void **state)
{
    (void)state;
    vrs_layout_reading r;
    const saying eyes = {NULL, "sbs", "tb", NULL, "half-equirect", "half-equirect"};
    assert_int_equal(decide(&eyes, NULL, &r), VRS_OK);
    assert_int_equal(r.layout.stereo, VRS_STEREO_SBS);
    assert_string_equal(r.conflict,
                        "the container says eyes side by side, the file name eyes one above the "
                        "other: the container wins, as players go by it; --layout says otherwise");
    const saying sphere = {NULL, "sbs", "sbs", NULL, "equirect", "mkx200"};
    assert_int_equal(decide(&sphere, NULL, &r), VRS_OK);
    assert_int_equal(r.layout.projection, VRS_PROJECTION_EQUIRECT);
    assert_non_null(strstr(r.conflict, "the file name fisheye 200 degrees (MKX200)"));
    assert_non_null(strstr(r.conflict, "--projection says otherwise"));
    const saying chosen = {"mono", "sbs", NULL, NULL, "equirect", NULL}; /* no option against one */
    assert_int_equal(decide(&chosen, NULL, &r), VRS_OK);
    assert_non_null(strstr(r.conflict, "an option always wins"));
    assert_null(strstr(r.conflict, "says otherwise"));
    const saying swapped = {NULL, "rl", "sbs", NULL, "flat", NULL};
    assert_int_equal(decide(&swapped, NULL, &r), VRS_OK);
    assert_true(r.layout.swapped);
    assert_non_null(strstr(r.conflict, "the right one first"));
}

static void pictures_contradict_too(void **state)
{
    (void)state;
    vrs_layout_reading r;
    const look tb = {288, 512, VRS_STEREO_TB, 12, false, false, false, false};
    vrs_content content = look_at(&tb);
    const saying sbs = {NULL, NULL, "sbs", NULL, NULL, "half-equirect"};
    assert_int_equal(decide(&sbs, &content, &r), VRS_OK);
    assert_int_equal(r.layout.stereo, VRS_STEREO_SBS);
    assert_non_null(strstr(r.conflict, "the picture eyes one above the other: the file name wins"));
    const saying nothing = {NULL, NULL, NULL, NULL, NULL, NULL};
    assert_int_equal(decide(&nothing, &content, &r), VRS_OK);
    assert_int_equal(r.stereo_by, VRS_VOICE_CONTENT);
    assert_int_equal(r.layout.stereo, VRS_STEREO_TB);
}

static void eyes_of_different_content_are_told(void **state)
{
    (void)state;
    vrs_layout_reading r;
    const look two = {512, 256, VRS_STEREO_SBS, 0, true, false, false, false};
    vrs_content content = look_at(&two);
    const saying sbs = {NULL, "sbs", NULL, NULL, "half-equirect", NULL};
    assert_int_equal(decide(&sbs, &content, &r), VRS_OK);
    assert_int_equal(r.layout.stereo, VRS_STEREO_SBS);
    assert_non_null(strstr(r.conflict, "the two eyes of the first picture show different things"));
    assert_non_null(strstr(r.conflict, "is it --layout mono?"));
}

static void what_cannot_be_told_names_the_options(void **state)
{
    (void)state;
    vrs_layout_reading r;
    const saying nothing = {NULL, NULL, NULL, NULL, NULL, NULL};
    assert_int_equal(decide(&nothing, NULL, &r), VRS_OK);
    assert_int_equal(r.stereo_by, VRS_VOICE_NONE);
    assert_int_equal(r.layout.stereo, VRS_STEREO_MONO);
    assert_string_equal(r.doubt,
                        "a.mp4: its layout and projection cannot be told and are taken as one flat "
                        "picture; say it with --layout sbs|tb|mono and --projection "
                        "equirect|half-equirect|fisheye[:FOV]|flat");
    const saying eyes = {NULL, NULL, "sbs", NULL, NULL, NULL};
    assert_int_equal(decide(&eyes, NULL, &r), VRS_OK);
    assert_string_equal(r.doubt,
                        "a.mp4: its projection cannot be told and is taken as flat; say it "
                        "with --projection equirect|half-equirect|fisheye[:FOV]|flat");
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    vrs_layout_reading r = {.stereo_by = VRS_VOICE_NONE};
    put(&r.claims[VRS_VOICE_OPTION], "sbs", NULL);
    assert_int_equal(vrs_layout_decide("a.mp4", NULL, 1921, 1080, &r), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "a.mp4: layout sbs: a frame of 1921x1080 has no two"));
    const saying mesh = {NULL, NULL, NULL, "mesh", NULL, NULL};
    assert_int_equal(decide(&mesh, NULL, &r), VRS_UNSUPPORTED);
    assert_non_null(strstr(vrs_last_error(), "--projection mesh, but the file holds no mesh"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eyes_are_seen),
        cmocka_unit_test(the_shape_of_eyes_counts),
        cmocka_unit_test(projections_are_seen),
        cmocka_unit_test(even_pictures_say_nothing),
        cmocka_unit_test(a_look_without_memory_fails),
        cmocka_unit_test(the_strongest_voice_wins),
        cmocka_unit_test(contradictions_are_told),
        cmocka_unit_test(pictures_contradict_too),
        cmocka_unit_test(eyes_of_different_content_are_told),
        cmocka_unit_test(what_cannot_be_told_names_the_options),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
