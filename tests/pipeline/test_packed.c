/* Pictures with alpha in their corners, on the fake engine, whose mask is the picture's red
 * channel: the alpha is the mask's, eyes stay as they are or become a fisheye's, and what players
 * do not take is refused with a sentence. */
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
#include "vr/pack.h"

#define FRAMES 3

/* Slow waves, so that a mask's mean is its middle. */
static uint8_t wave(double x, double y, int64_t id)
{
    return (uint8_t)(128 + 90 * sin(4 * x + (double)id) * cos(3 * y));
}

static vrs_frame paint(int64_t id, int32_t width, int32_t height)
{
    vrs_frame frame = make_frame(id, 0, width, height);
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++)
            frame.image.planes[0][y * frame.image.strides[0] + x] =
                wave((x + 0.5) / width, (y + 0.5) / height, id);
    return frame;
}

static int at(const vrs_image *image, int plane, int32_t x, int32_t y)
{
    return image->planes[plane][y * image->strides[plane] + x];
}

/* The alpha of a packed pixel by the mask that is beside it; -1: it has none. */
static double alpha_of(const vrs_image *mask, int32_t x, int32_t y)
{
    int32_t across = 0, down = 0;
    const int32_t eye = vrs_pack_column(mask->width, x, &across);
    if (eye < 0 || !vrs_pack_row(mask->height, y, &down) ||
        !vrs_pack_in_circle(mask->width, mask->height, across, down))
        return -1;
    double sum = 0;
    for (int j = 0; j < 3; j++)
        for (int i = 0; i < 3; i++)
            sum += vrs_pack_weight(across, i) * vrs_pack_weight(down, j) *
                   at(mask, 0,
                      eye * mask->width / 2 +
                          vrs_pack_held(vrs_pack_floor_half(across) + i, mask->width / 2 - 1),
                      vrs_pack_held(vrs_pack_floor_half(down) + j, mask->height - 1));
    return sum / VRS_PACK_WEIGHT;
}

/* Full range: a grey's luma is its alpha. */
static void check_fisheye(const vrs_result *result)
{
    const vrs_image *mask = &result->outputs[0], *out = &result->outputs[1];
    int64_t packed = 0;
    assert_int_equal(out->format, VRS_FORMAT_YUV420P);
    for (int32_t y = 0; y < out->height; y++)
        for (int32_t x = 0; x < out->width; x++) {
            const double alpha = alpha_of(mask, x, y);
            packed += alpha >= 0;
            if (alpha < 0)
                assert_int_equal(at(out, 0, x, y), at(result->source, 0, x, y));
            else if (fabs(at(out, 0, x, y) - alpha) > 1.01)
                fail_msg("%d,%d: %d in place of %.2f", x, y, at(out, 0, x, y), alpha);
        }
    assert_true(packed > out->width * out->height / 12);
}

static void check_unrolled(const vrs_result *result)
{
    const vrs_image *out = &result->outputs[1], *source = result->source;
    const int32_t w = out->width, h = out->height;
    /* The eyes' middles stay, their corners are black or alpha's. */
    for (int eye = 0; eye < 2; eye++) {
        const int32_t x = w / 4 + eye * w / 2;
        assert_true(abs(at(out, 0, x, h / 2) - at(source, 0, x, h / 2)) <= 3);
    }
    assert_int_equal(at(out, 0, w / 4 - h / 2 + 6, 6 + h / 5), 0);
    assert_int_equal(at(out, 1, (w / 4 - h / 2 + 6) / 2, (6 + h / 5) / 2), 128);
    /* Down the middle of a fisheye latitudes lie as in the source, and so does the alpha there; not
     * near the poles, where a pixel shows many columns. */
    for (int32_t y = h * 9 / 10; y < h - 1; y++) {
        int32_t down = 0;
        (void)vrs_pack_row(h, y, &down);
        const double mask = at(&result->outputs[0], 0, w / 4, (down + 2) / 2);
        assert_true(fabs(at(out, 0, w / 2, y) - mask) <= 4);
    }
}

static void run(const char *settings, const vrs_layout *layout, int32_t width, int32_t height,
                void (*check)(const vrs_result *))
{
    rig r = make_rig(settings);
    const vrs_output_desc outs[] = {{.kind = VRS_OUTPUT_MASK}, {.kind = VRS_OUTPUT_PACKED}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(vrs_pipeline_add_output(r.pipeline, &outs[i]), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    for (int64_t id = 0; id < FRAMES; id++) {
        vrs_frame frame = paint(id, width, height);
        frame.layout = layout;
        if (vrs_pipeline_submit(r.pipeline, &frame, -1) != VRS_OK)
            fail_msg("%s: %s", settings, vrs_last_error());
    }
    vrs_pipeline_finish(r.pipeline);
    for (int64_t id = 0; id < FRAMES; id++) {
        vrs_result *result = NULL;
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
        assert_int_equal(result->status, VRS_OK);
        check(result);
        vrs_result_release(result);
    }
    drop_rig(&r);
}

static void fisheyes_stay(void **state)
{
    (void)state;
    run("layout=sbs projection=fisheye:190", NULL, 320, 160, check_fisheye);
    run("layout=sbs projection=mkx200 kernels=reference", NULL, 322, 162, check_fisheye);
    run("layout=sbs projection=fisheye feather=2 postprocess_threads=3", NULL, 254, 126,
        check_fisheye);
}

static void spheres_become_fisheyes(void **state)
{
    (void)state;
    vrs_layout layout = vrs_layout_flat();
    run("layout=sbs projection=half-equirect", NULL, 320, 160, check_unrolled);
    assert_int_equal(vrs_layout_set_stereo(&layout, "sbs"), VRS_OK);
    assert_int_equal(vrs_layout_set_projection(&layout, "half-equirect"), VRS_OK);
    run("kernels=reference", &layout, 256, 128, check_unrolled); /* the frame says it */
}

static void refuse(const char *settings, int32_t width, int32_t height, const char *words)
{
    rig r = make_rig(settings);
    const vrs_output_desc out = {.kind = VRS_OUTPUT_PACKED};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &out), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    vrs_frame frame = paint(0, width, height);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_UNSUPPORTED);
    if (strstr(vrs_last_error(), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", vrs_last_error(), words);
    vrs_image_release(&frame.image);
    drop_rig(&r);
}

static void what_players_do_not_take_is_refused(void **state)
{
    (void)state;
    refuse("layout=tb projection=fisheye", 160, 320,
           "players take it side by side, this layout is "
           "tb");
    refuse("projection=fisheye", 320, 160, "this layout is mono");
    refuse("layout=sbs projection=flat", 320, 160,
           "this projection is flat; say --projection "
           "half-equirect");
    refuse("layout=sbs projection=mesh", 320, 160, "this projection is mesh");
    refuse("layout=sbs projection=fisheye", 320, 161, "a frame of 320x161; its sides must be even");
    refuse("layout=sbs projection=equirect", 322, 160, "the width a multiple of 4");
}

/* A stream's grids and scratch memory, each missing in turn. */
static void without_memory(void **state)
{
    (void)state;
    bool done = false;
    for (unsigned n = 0; !done; n++) {
        inject_plan plan = {.fails = n};
        rig r = make_rig("layout=sbs projection=half-equirect");
        const vrs_output_desc out = {.kind = VRS_OUTPUT_PACKED, .red = true};
        assert_int_equal(vrs_pipeline_add_output(r.pipeline, &out), VRS_OK);
        assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
        vrs_frame frame = paint(0, 64, 32);
        vrs_inject_set(inject_decide, &plan);
        const vrs_status status = vrs_pipeline_submit(r.pipeline, &frame, -1);
        vrs_inject_set(NULL, NULL);
        done = status == VRS_OK; /* or of a worker, after the stream was made */
        assert_true(done || status == VRS_NO_MEMORY);
        assert_true(!done || n > 30);
        if (status != VRS_OK)
            vrs_image_release(&frame.image);
        drop_rig(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fisheyes_stay),
        cmocka_unit_test(spheres_become_fisheyes),
        cmocka_unit_test(what_players_do_not_take_is_refused),
        cmocka_unit_test(without_memory),
    };
    temp_make(folder, sizeof(folder));
    const int failed = cmocka_run_group_tests_name("pipeline/packed", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
