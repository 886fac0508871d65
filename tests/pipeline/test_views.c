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

static vrs_frame paint(int64_t id, const vrs_layout *layout, int32_t width, int32_t height)
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
                    painted(layout, aspect, place, 0.3 + 0.02 * e);
            }
    return frame;
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

/* Each allocation on the way to the first result fails in turn. */
static void without_memory(void **state)
{
    (void)state;
    const vrs_layout layout = layout_of("sbs", "half-equirect");
    bool done = false;
    for (unsigned n = 0; !done; n++) {
        inject_plan plan = {.fails = n};
        rig r = make_rig("layout=sbs projection=half-equirect views=tiles refine=on tickets=2");
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
        cmocka_unit_test(refusals),
        cmocka_unit_test(whole),
        cmocka_unit_test(without_memory),
    };
    const int failed = cmocka_run_group_tests_name("pipeline/views", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
