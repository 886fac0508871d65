/* Tiles beside the eyes, on the fake engine, whose mask is the picture's red channel: what is small
 * in a sphere is sharper with tiles, and nothing else changes. */
#define _XOPEN_SOURCE 700

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/rig.h"
#include "vr/projection.h"
#include "vrseg/log.h"

#define PI 3.14159265358979323846

/* A bright disc of 9 degrees around a direction, in each eye of the layout. */
static uint8_t painted(const vrs_layout *layout, double aspect, vrs_uv place, double yaw)
{
    vrs_direction d;
    if (!vrs_direction_of(layout, aspect, place, &d))
        return 0;
    const double x = sin(yaw), z = cos(yaw);
    const double angle = acos(fmin(1.0, d.x * x * cos(0.2) - d.y * sin(0.2) + d.z * z * cos(0.2)));
    return angle < 9 * PI / 180 ? 235 : 20;
}

static vrs_frame paint_at(int64_t id, const vrs_layout *layout, int32_t width, int32_t height,
                          double yaw)
{
    vrs_frame frame = make_frame(id, 20, width, height);
    vrs_rect eyes[2];
    int count = 0;
    assert_int_equal(vrs_layout_eyes(layout, width, height, eyes, &count), VRS_OK);
    for (int e = 0; e < count; e++)
        for (int32_t y = 0; y < eyes[e].height; y++)
            for (int32_t x = 0; x < eyes[e].width; x++) {
                const vrs_uv place = {(x + 0.5) / eyes[e].width, (y + 0.5) / eyes[e].height};
                const double aspect = vrs_eye_aspect(layout, eyes[e]);
                frame.image.planes[0][(eyes[e].y + y) * frame.image.strides[0] + eyes[e].x + x] =
                    painted(layout, aspect, place, yaw + 0.02 * e);
            }
    return frame;
}

static vrs_frame paint(int64_t id, const vrs_layout *layout, int32_t width, int32_t height)
{
    return paint_at(id, layout, width, height, 0.3);
}

static vrs_layout layout_of(const char *stereo, const char *projection)
{
    vrs_layout layout = vrs_layout_flat();
    assert_int_equal(vrs_layout_set_stereo(&layout, stereo), VRS_OK);
    assert_int_equal(vrs_layout_set_projection(&layout, projection), VRS_OK);
    return layout;
}

/* Mean difference of the masks of three frames from the picture's luma. */
static double run(const char *settings, const vrs_layout *layout, bool told, int32_t width,
                  int32_t height)
{
    rig r = make_rig(settings);
    vrs_output_desc out = {.kind = VRS_OUTPUT_MASK};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &out), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    double sum = 0;
    for (int64_t id = 0; id < 3; id++) {
        vrs_frame frame = paint(id, layout, width, height);
        frame.layout = told ? layout : NULL;
        if (vrs_pipeline_submit(r.pipeline, &frame, -1) != VRS_OK)
            fail_msg("%s: %s", settings, vrs_last_error());
    }
    vrs_pipeline_finish(r.pipeline);
    for (int64_t id = 0; id < 3; id++) {
        vrs_result *result = NULL;
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
        assert_int_equal(result->status, VRS_OK);
        const vrs_image *mask = &result->outputs[0], *source = result->source;
        for (int32_t y = 0; y < height; y++)
            for (int32_t x = 0; x < width; x++)
                sum += abs(mask->planes[0][y * mask->strides[0] + x] -
                           source->planes[0][y * source->strides[0] + x]);
        assert_true(result->coverage > 0.05F && result->coverage < 0.2F);
        vrs_result_release(result);
    }
    drop_rig(&r);
    return sum / (3.0 * width * height);
}

static const struct {
    const char *stereo, *projection;
    int32_t width, height;
} cases[] = {
    {"sbs", "half-equirect", 254, 127}, {"mono", "half-equirect", 131, 129},
    {"sbs", "fisheye:190", 238, 119},   {"tb", "equirect", 258, 258},
    {"mono", "fisheye:220", 127, 141},
};

static void sharper(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const vrs_layout layout = layout_of(cases[i].stereo, cases[i].projection);
        char settings[256], tiles[300];
        snprintf(settings, sizeof(settings), "layout=%s projection=%s tile_fov=60", cases[i].stereo,
                 cases[i].projection);
        const double eyes = run(settings, &layout, false, cases[i].width, cases[i].height);
        snprintf(tiles, sizeof(tiles), "%s views=tiles", settings);
        const double better = run(tiles, &layout, false, cases[i].width, cases[i].height);
        if (!(better < 0.8 * eyes))
            fail_msg("%s: %.3f with tiles, %.3f without", settings, better, eyes);
        /* The frame's own layout says the same, and threads, batches and strips change nothing. */
        const double told = run("views=tiles tile_fov=60 postprocess_threads=3 max_batch_size=3",
                                &layout, true, cases[i].width, cases[i].height);
        assert_true(told == better);
        snprintf(tiles, sizeof(tiles), "%s views=tiles refine=on", settings);
        const double refined = run(tiles, &layout, false, cases[i].width, cases[i].height);
        assert_true(refined < better);
        snprintf(tiles, sizeof(tiles), "%s views=tiles kernels=reference", settings);
        assert_true(fabs(run(tiles, &layout, false, cases[i].width, cases[i].height) - better) <
                    0.5);
    }
}

/* ---- crops ---- */

#define CROP_FRAMES 40

/* The masks of a disc that walks half a degree a frame, one after the other; mean difference from
 * the picture in the last quarter. */
static double walk(const char *settings, const vrs_layout *layout, int32_t width, int32_t height,
                   uint8_t *masks)
{
    rig r = make_rig(settings);
    vrs_output_desc out = {.kind = VRS_OUTPUT_MASK};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &out), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    double sum = 0;
    int64_t taken = 0;
    for (int64_t id = 0; id < CROP_FRAMES || taken < CROP_FRAMES; id++) {
        if (id < CROP_FRAMES) {
            vrs_frame frame = paint_at(id, layout, width, height, 0.5 + 0.009 * (double)id);
            if (vrs_pipeline_submit(r.pipeline, &frame, -1) != VRS_OK)
                fail_msg("%s: %s", settings, vrs_last_error());
        }
        if (id == CROP_FRAMES - 1)
            vrs_pipeline_finish(r.pipeline);
        vrs_result *result = NULL;
        while (taken < CROP_FRAMES && (id >= CROP_FRAMES || taken + 3 <= id) &&
               vrs_pipeline_get_result(r.pipeline, &result, -1) == VRS_OK) {
            const vrs_image *mask = &result->outputs[0], *source = result->source;
            assert_int_equal(result->status, VRS_OK);
            for (int32_t y = 0; y < height; y++)
                for (int32_t x = 0; x < width; x++) {
                    const uint8_t got = mask->planes[0][y * mask->strides[0] + x];
                    masks[(taken * height + y) * width + x] = got;
                    if (taken >= CROP_FRAMES * 3 / 4)
                        sum += abs(got - source->planes[0][y * source->strides[0] + x]);
                }
            vrs_result_release(result);
            taken++;
        }
    }
    drop_rig(&r);
    return sum / (CROP_FRAMES / 4.0 * width * height);
}

static void crops_follow(void **state)
{
    (void)state;
    static uint8_t masks[2][CROP_FRAMES * 254 * 127];
    const vrs_layout layout = layout_of("sbs", "half-equirect");
    const size_t bytes = sizeof(masks[0]);
    const double eyes = walk("layout=sbs projection=half-equirect", &layout, 254, 127, masks[0]);
    const double crops = walk("layout=sbs projection=half-equirect views=crops crops=2", &layout,
                              254, 127, masks[0]);
    if (!(crops < 0.7 * eyes))
        fail_msg("%.3f with crops, %.3f without", crops, eyes);
    /* Whatever the threads, tickets and batches. */
    (void)walk("layout=sbs projection=half-equirect views=crops crops=2 tickets=4 "
               "max_batch_size=5 postprocess_threads=4 preprocess_threads=3",
               &layout, 254, 127, masks[1]);
    assert_memory_equal(masks[0], masks[1], bytes);
    /* Smoothing does not mix places; the flat picture has crops as well. */
    const double steady = walk("layout=sbs projection=half-equirect views=crops smooth=on", &layout,
                               254, 127, masks[1]);
    assert_true(steady < eyes);
    const double flat = walk("layout=sbs projection=flat views=crops", &layout, 254, 127, masks[1]);
    assert_true(flat < 0.9 * eyes);
}

/* A disc of people in the map's cells. */
static void see(vrs_crops_seen *seen, double u, double v)
{
    memset(seen, 0, sizeof(*seen));
    for (int i = 0; i < VRS_CROPS_MAP * VRS_CROPS_MAP; i++) {
        const double x = (i % VRS_CROPS_MAP + 0.5) / VRS_CROPS_MAP - u;
        const double y = ((double)(i / VRS_CROPS_MAP) + 0.5) / VRS_CROPS_MAP - v;
        seen->cells[i] = hypot(x, y) < 0.06 ? 0.9F : 0.0F;
    }
}

static bool shows(const vrs_eye *eye, const vrs_tile *tile, double u, double v)
{
    double s, t;
    return vrs_tile_find(eye, tile, (vrs_uv){u, v}, &s, &t) && s > 0.1 && s < 0.9 && t > 0.1 &&
           t < 0.9;
}

static void crops_stay_and_go(void **state)
{
    (void)state;
    const vrs_layout layout = layout_of("mono", "half-equirect");
    const vrs_eye eye = {layout, {0, 0, 512, 512}, 1.0};
    vrs_tile tiles[VRS_TILE_PLACES];
    const int32_t count = vrs_tiles_places(&eye, 50, tiles);
    assert_in_range(count, 12, VRS_TILE_PLACES);
    vrs_crops *crops = NULL, *other = NULL;
    assert_int_equal(vrs_crops_create(&eye, tiles, count, 2, &crops), VRS_OK);
    assert_int_equal(vrs_crops_create(&eye, tiles, count, 2, &other), VRS_OK);
    int32_t places[VRS_CROPS_MOST + 2], before[VRS_CROPS_MOST + 2], moves = 0;
    bool scouted[VRS_TILE_PLACES] = {false};
    for (uint64_t n = 0; n < 200; n++) {
        vrs_crops_places(crops, n, 0, places);
        scouted[places[2]] = scouted[places[3]] = true;
        /* Two people; from frame 100 on one of them elsewhere. The second tracker learns of pairs
         * of frames in the wrong order. */
        vrs_crops_seen seen, second;
        see(&seen, 0.3, 0.55);
        see(&second, n < 100 ? 0.72 : 0.5, 0.6);
        for (int i = 0; i < VRS_CROPS_MAP * VRS_CROPS_MAP; i++)
            seen.cells[i] = fmaxf(seen.cells[i], second.cells[i]);
        vrs_crops_ended(crops, n, &seen, n == 0);
        vrs_crops_ended(other, n ^ 1, (n ^ 1) / 100 == n / 100 ? &seen : NULL, (n ^ 1) == 0);
        if (n > 20 && n < 108)
            moves += memcmp(places, before, 2 * sizeof(places[0])) != 0;
        memcpy(before, places, sizeof(places));
        if ((n > 20 && n < 100) || n > 130) {
            const double u = n < 100 ? 0.72 : 0.5;
            assert_true(shows(&eye, &tiles[places[0]], 0.3, 0.55) ||
                        shows(&eye, &tiles[places[1]], 0.3, 0.55));
            assert_true(shows(&eye, &tiles[places[0]], u, 0.6) ||
                        shows(&eye, &tiles[places[1]], u, 0.6));
        }
        int32_t same[VRS_CROPS_MOST + 2];
        vrs_crops_places(other, n, 0, same);
        if (n % 2 == 1)
            assert_memory_equal(same, places, sizeof(same[0]) * 2);
    }
    assert_int_equal(moves, 0);
    for (int32_t p = 0; p < count; p++)
        assert_true(scouted[p]);
    /* A new past begins where nothing is known. */
    int32_t start[VRS_CROPS_MOST + 2];
    vrs_crops_places(crops, 0, 0, start);
    vrs_crops_places(crops, 203, 200, places);
    assert_memory_equal(start, places, 2 * sizeof(start[0]));
    vrs_crops_destroy(crops);
    vrs_crops_destroy(other);
    vrs_crops_destroy(NULL);
}

static void refuse_with(const vrs_model *model, const char *settings, vrs_output_kind kind,
                        int32_t width, int32_t height, vrs_status expected, const char *words)
{
    rig r = {0};
    assert_int_equal(vrs_config_create(&r.config), VRS_OK);
    configure(r.config, settings);
    assert_int_equal(vrs_pipeline_create_on(r.config, model, &fake_engine_ops, &r.pipeline),
                     VRS_OK);
    vrs_output_desc out = {.kind = kind};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &out), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    vrs_frame frame = make_frame(0, 9, width, height);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), expected);
    if (strstr(vrs_last_error(), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", vrs_last_error(), words);
    vrs_image_release(&frame.image);
    drop_rig(&r);
}

static void refuse(const char *settings, int32_t width, int32_t height, vrs_status expected,
                   const char *words)
{
    vrs_model *model = load_model("model", "");
    refuse_with(model, settings, VRS_OUTPUT_MASK, width, height, expected, words);
    vrs_model_destroy(model);
}

static vrs_model *load_classes(void)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/classes.yaml", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "title: t\nlicence: l\nsource: s\ninput: {name: in, width: 8, height: 8}\n"
                  "output: {name: out, activation: none, classes: [a, b, c], person: [a]}\n");
    fclose(file);
    vrs_model *model = NULL;
    if (vrs_model_load(path, &model) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return model;
}

static void refusals(void **state)
{
    (void)state;
    refuse("views=tiles", 64, 64, VRS_INVALID, "set projection to");
    refuse("views=tiles projection=half-equirect layout=sbs", 6, 64, VRS_INVALID, "too small");
    refuse("views=tiles projection=equirect", 63, 32, VRS_INVALID, "even width");
    vrs_model *classes = load_classes();
    refuse_with(classes, "views=tiles projection=half-equirect", VRS_OUTPUT_CLASSES, 64, 64,
                VRS_UNSUPPORTED, "class maps");
    vrs_model_destroy(classes);
    vrs_config *config = NULL;
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "projection=round");
    vrs_model *model = load_model("model", "");
    vrs_pipeline *pipeline = NULL;
    assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline),
                     VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "round"));
    vrs_model_destroy(model);
    vrs_config_destroy(config);
}

static void whole(void **state)
{
    (void)state;
    rig r = make_rig("layout=sbs views=whole");
    vrs_output_desc out = {.kind = VRS_OUTPUT_MASK};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &out), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    submit(&r, 1);
    take(&r, 1, -1);
    assert_int_equal(fake_engine_runs(), 1);
    drop_rig(&r);
}

static char said[512];

static void hear(void *opaque, vrs_log_level level, const char *line)
{
    (void)opaque;
    (void)level;
    if (strstr(line, "in flight") != NULL)
        snprintf(said, sizeof(said), "%s", line);
}

/* What a stream will take is said before its first frame is worked at. */
static void budget(void **state)
{
    (void)state;
    const vrs_layout layout = layout_of("sbs", "half-equirect");
    vrs_log_set(hear, NULL, VRS_LOG_INFO);
    (void)run("layout=sbs projection=half-equirect views=tiles tickets=3 tile_fov=60", &layout,
              false, 640, 320);
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    if (strstr(said, "640x320") == NULL || strstr(said, "10 views") == NULL ||
        strstr(said, "at most 3 frames of 0.3 MB in flight") == NULL)
        fail_msg("\"%s\"", said);
}

/* Each allocation on the way to the first result fails in turn. */
static void without_memory(void **state)
{
    (void)state;
    const vrs_layout layout = layout_of("sbs", "half-equirect");
    bool done = false;
    for (unsigned n = 0; !done; n++) {
        inject_plan plan = {.fails = n};
        rig r = make_rig("layout=sbs projection=half-equirect views=crops refine=on tickets=2");
        vrs_output_desc out = {.kind = VRS_OUTPUT_MASK};
        assert_int_equal(vrs_pipeline_add_output(r.pipeline, &out), VRS_OK);
        assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
        vrs_frame frame = paint(0, &layout, 66, 32);
        vrs_inject_set(inject_decide, &plan);
        const vrs_status status = vrs_pipeline_submit(r.pipeline, &frame, -1);
        vrs_inject_set(NULL, NULL);
        /* Or of a worker, after the stream was made. */
        done = status == VRS_OK;
        assert_true(done || status == VRS_NO_MEMORY);
        assert_true(!done || n > 30);
        if (status != VRS_OK)
            vrs_image_release(&frame.image);
        drop_rig(&r);
    }
}

int main(void)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sharper),
        cmocka_unit_test(crops_follow),
        cmocka_unit_test(crops_stay_and_go),
        cmocka_unit_test(refusals),
        cmocka_unit_test(whole),
        cmocka_unit_test(budget),
        cmocka_unit_test(without_memory),
    };
    const int failed = cmocka_run_group_tests_name("pipeline/views", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
