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

#include "base/alloc.h"
#include "pipeline/rig.h"
#include "vr/mesh.h"
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

/* ---- class maps ---- */

static vrs_model *load_classes(void)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/classes.yaml", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "title: t\nlicence: l\nsource: s\nbatch: free\ninput: {name: in, width: 16, height: "
            "16, scale: 1/255}\n"
            "output: {name: out, activation: none, classes: [red, green, blue], person: [red]}\n");
    fclose(file);
    vrs_model *model = NULL;
    if (vrs_model_load(path, &model) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return model;
}

/* paint()'s frame, but grey, with the disc red (class 0) and all else blue (class 2). */
static vrs_frame paint_classes(int64_t id, const vrs_layout *layout, int32_t width, int32_t height)
{
    vrs_frame frame = paint(id, layout, width, height);
    const vrs_image *p = &frame.image;
    for (int32_t y = 0; y < vrs_plane_height(p, 1); y++)
        for (int32_t x = 0; x < vrs_plane_width(p, 1); x++) {
            const int32_t column = 2 * x < width ? 2 * x : width - 1;
            const int32_t row = 2 * y < height ? 2 * y : height - 1;
            const bool disc = p->planes[0][row * p->strides[0] + column] > 128;
            p->planes[1][y * p->strides[1] + x] = disc ? 90 : 200;
            p->planes[2][y * p->strides[2] + x] = disc ? 200 : 90;
        }
    for (int32_t y = 0; y < height; y++)
        memset(p->planes[0] + y * p->strides[0], 110, (size_t)width);
    return frame;
}

#define CLASS_FRAMES 10

/* Class maps of frames of the disc; mean share of pixels of the last one whose class is wrong.
 * `kept`: of the source's size, for the last frame; `small`: of another size. */
static double run_classes(const char *settings, const vrs_layout *layout, int32_t width,
                          int32_t height, uint8_t *kept, uint8_t *small)
{
    rig r = {.model = load_classes()};
    const vrs_output_desc outs[] = {{.kind = VRS_OUTPUT_CLASSES},
                                    {.kind = VRS_OUTPUT_MASK},
                                    {.kind = VRS_OUTPUT_CLASSES, .width = 60, .height = 31}};
    int64_t wrong = 0;
    assert_int_equal(vrs_config_create(&r.config), VRS_OK);
    configure(r.config, settings);
    if (vrs_pipeline_create_on(r.config, r.model, &fake_engine_ops, &r.pipeline) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    for (int i = 0; i < 3; i++)
        assert_int_equal(vrs_pipeline_add_output(r.pipeline, &outs[i]), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    for (int64_t id = 0; id < CLASS_FRAMES; id++) {
        vrs_frame frame = paint_classes(id, layout, width, height);
        vrs_result *result = NULL;
        if (vrs_pipeline_submit(r.pipeline, &frame, -1) != VRS_OK)
            fail_msg("%s: %s", settings, vrs_last_error());
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
        assert_int_equal(result->status, VRS_OK);
        const vrs_image *map = &result->outputs[0], *source = result->source;
        wrong = 0;
        for (int32_t y = 0; y < height; y++) {
            memcpy(kept + (size_t)y * (size_t)width, map->planes[0] + y * map->strides[0],
                   (size_t)width);
            for (int32_t x = 0; x < width; x++) {
                const int32_t red = source->planes[2][y / 2 * source->strides[2] + x / 2];
                wrong += map->planes[0][y * map->strides[0] + x] != (red > 128 ? 0 : 2);
            }
        }
        for (int32_t y = 0; y < 31; y++)
            memcpy(small + 60 * y, result->outputs[2].planes[0] + y * result->outputs[2].strides[0],
                   60);
        vrs_result_release(result);
    }
    drop_rig(&r);
    return (double)wrong / (width * height);
}

static void class_maps_are_sharper_too(void **state)
{
    (void)state;
    static uint8_t kept[3][300 * 300], small[3][60 * 31];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const vrs_layout layout = layout_of(cases[i].stereo, cases[i].projection);
        const int32_t width = cases[i].width, height = cases[i].height;
        const size_t bytes = (size_t)width * (size_t)height;
        char settings[256], tiles[400];
        snprintf(settings, sizeof(settings), "layout=%s projection=%s", cases[i].stereo,
                 cases[i].projection);
        const double eyes = run_classes(settings, &layout, width, height, kept[0], small[0]);
        snprintf(tiles, sizeof(tiles), "%s views=tiles tile_fov=60", settings);
        const double better = run_classes(tiles, &layout, width, height, kept[1], small[1]);
        if (!(better < 0.8 * eyes))
            fail_msg("%s: %.4f wrong with tiles, %.4f without", settings, better, eyes);
        assert_memory_not_equal(small[0], small[1], sizeof(small[0]));
        /* To the bit, however it is computed. */
        snprintf(tiles, sizeof(tiles),
                 "%s views=tiles tile_fov=60 kernels=reference postprocess_threads=3 "
                 "max_batch_size=3",
                 settings);
        (void)run_classes(tiles, &layout, width, height, kept[2], small[2]);
        assert_memory_equal(kept[2], kept[1], bytes);
        assert_memory_equal(small[2], small[1], sizeof(small[0]));
        snprintf(tiles, sizeof(tiles), "%s views=crops crop_fov=50", settings);
        const double crops = run_classes(tiles, &layout, width, height, kept[1], small[1]);
        if (!(crops < 0.9 * eyes))
            fail_msg("%s: %.4f wrong with crops, %.4f without", settings, crops, eyes);
    }
}

/* A frame that fails leaves an empty map, and the next one is whole. */
static void class_maps_of_failed_frames(void **state)
{
    (void)state;
    const vrs_layout layout = layout_of("sbs", "half-equirect");
    rig r = {.model = load_classes()};
    const vrs_output_desc out = {.kind = VRS_OUTPUT_CLASSES};
    assert_int_equal(vrs_config_create(&r.config), VRS_OK);
    configure(r.config, "layout=sbs projection=half-equirect views=tiles requests=1");
    assert_int_equal(vrs_pipeline_create_on(r.config, r.model, &fake_engine_ops, &r.pipeline),
                     VRS_OK);
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &out), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    for (int64_t id = 0; id < 3; id++) {
        vrs_frame frame = paint_classes(id, &layout, 254, 127);
        vrs_result *result = NULL;
        int64_t blue = 0;
        fake_plan.fail_every = id == 1 ? 1 : 0;
        assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), VRS_OK);
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
        assert_int_equal(result->status, id == 1 ? VRS_ENGINE : VRS_OK);
        for (int32_t y = 0; y < 127; y++)
            for (int32_t x = 0; x < 254; x++)
                blue += result->outputs[0].planes[0][y * result->outputs[0].strides[0] + x] == 2;
        assert_true(id == 1 ? blue == 0 : blue > 20000);
        vrs_result_release(result);
    }
    drop_rig(&r);
}

/* ---- meshes ---- */

/* An eye's mesh of squares that says what half-equirect says; its owner frees it. */
static vrs_mesh *half_mesh(void)
{
    enum { SIDE = 40 };
    vrs_mesh *mesh = vrs_alloc(sizeof(*mesh));
    assert_non_null(mesh);
    vrs_mesh_eye *eye = &mesh->eyes[0];
    mesh->eye_count = 1;
    eye->vertex_count = (SIDE + 1) * (SIDE + 1);
    eye->triangle_count = 2 * SIDE * SIDE;
    eye->vertices = vrs_alloc_array((size_t)eye->vertex_count, sizeof(*eye->vertices));
    eye->triangles = vrs_alloc_array((size_t)eye->triangle_count, sizeof(*eye->triangles));
    assert_true(eye->vertices != NULL && eye->triangles != NULL);
    for (int i = 0; i < eye->vertex_count; i++) {
        const double u = (double)(i % (SIDE + 1)) / SIDE, v = (double)(i / (SIDE + 1)) / SIDE;
        const double lon = PI * (u - 0.5), lat = PI * (0.5 - v);
        eye->vertices[i] = (vrs_mesh_vertex){(float)(cos(lat) * sin(lon)), (float)sin(lat),
                                             (float)(cos(lat) * cos(lon)), (float)u, (float)v};
    }
    for (int i = 0; i < SIDE * SIDE; i++) {
        const int32_t at = i / SIDE * (SIDE + 1) + i % SIDE, below = at + SIDE + 1;
        const int32_t corners[2][3] = {{at, at + 1, below}, {below, at + 1, below + 1}};
        memcpy(eye->triangles[2 * i], corners, sizeof(corners));
    }
    return mesh;
}

/* The masks of a disc in eyes of half-equirect, whose layout is said so or by a mesh. */
static void mesh_masks(const char *settings, const vrs_layout *layout, uint8_t *masks)
{
    const vrs_layout painted_by = layout_of("sbs", "half-equirect");
    rig r = make_rig(settings);
    vrs_output_desc out = {.kind = VRS_OUTPUT_MASK};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &out), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    for (int64_t id = 0; id < 12; id++) {
        vrs_frame frame = paint(id, &painted_by, 254, 127);
        vrs_result *result = NULL;
        frame.layout = layout;
        if (vrs_pipeline_submit(r.pipeline, &frame, -1) != VRS_OK)
            fail_msg("%s: %s", settings, vrs_last_error());
        assert_int_equal(vrs_pipeline_get_result(r.pipeline, &result, -1), VRS_OK);
        assert_int_equal(result->status, VRS_OK);
        for (int32_t y = 0; y < 127; y++)
            memcpy(masks + (size_t)254 * (size_t)y,
                   result->outputs[0].planes[0] + y * result->outputs[0].strides[0], 254);
        vrs_result_release(result);
    }
    drop_rig(&r);
}

static void a_mesh_has_tiles_and_crops(void **state)
{
    (void)state;
    static uint8_t by_formula[254 * 127], by_mesh[254 * 127];
    vrs_layout formula = layout_of("sbs", "half-equirect"), mesh = formula;
    vrs_mesh *owned = half_mesh();
    mesh.projection = VRS_PROJECTION_MESH;
    mesh.mesh = owned;
    static const char *const ways[] = {"views=tiles tile_fov=60", "views=crops crops=2"};
    for (int i = 0; i < 2; i++) {
        double sum = 0, bright = 0;
        mesh_masks(ways[i], &formula, by_formula);
        mesh_masks(ways[i], &mesh, by_mesh);
        for (size_t k = 0; k < sizeof(by_mesh); k++) {
            sum += abs(by_mesh[k] - by_formula[k]);
            bright += by_mesh[k] > 128;
        }
        assert_true(bright > 150);
        if (!(sum / sizeof(by_mesh) < 1))
            fail_msg("%s: masks by the mesh are off by %.3f", ways[i], sum / sizeof(by_mesh));
    }
    vrs_mesh_destroy(owned);
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
    const vrs_eye eye = {layout, {0, 0, 512, 512}, 1.0, NULL};
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

static void refuse(const char *settings, int32_t width, int32_t height, vrs_status expected,
                   const char *words)
{
    rig r = {.model = load_model("model", "")};
    assert_int_equal(vrs_config_create(&r.config), VRS_OK);
    configure(r.config, settings);
    assert_int_equal(vrs_pipeline_create_on(r.config, r.model, &fake_engine_ops, &r.pipeline),
                     VRS_OK);
    vrs_output_desc out = {.kind = VRS_OUTPUT_MASK};
    assert_int_equal(vrs_pipeline_add_output(r.pipeline, &out), VRS_OK);
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    vrs_frame frame = make_frame(0, 9, width, height);
    assert_int_equal(vrs_pipeline_submit(r.pipeline, &frame, -1), expected);
    if (strstr(vrs_last_error(), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", vrs_last_error(), words);
    vrs_image_release(&frame.image);
    drop_rig(&r);
}

static void refusals(void **state)
{
    (void)state;
    refuse("views=tiles", 64, 64, VRS_INVALID, "set projection to");
    refuse("views=tiles projection=mesh", 64, 64, VRS_INVALID,
           "the picture is of a mesh that is not there or cannot be read");
    refuse("views=tiles projection=half-equirect layout=sbs", 6, 64, VRS_INVALID, "too small");
    refuse("views=tiles projection=equirect", 63, 32, VRS_INVALID, "even width");
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
        cmocka_unit_test(class_maps_are_sharper_too),
        cmocka_unit_test(class_maps_of_failed_frames),
        cmocka_unit_test(a_mesh_has_tiles_and_crops),
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
