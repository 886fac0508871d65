/* A pipeline on the fake engine for tests: its making and ending, frames of one value, checks of
 * masks. Each program has one folder, made and removed by its main(). */
#ifndef TESTS_PIPELINE_RIG_H
#define TESTS_PIPELINE_RIG_H

#include <stdio.h>

#include "base/clock.h"
#include "pipeline/internal.h"
#include "support/configure.h"
#include "support/fake_engine.h"
#include "support/inject.h"
#include "support/temp.h"

#define WIDTH 34
#define HEIGHT 18
#define NET_WIDTH 16
#define NET_HEIGHT 8

static char folder[256];
static atomic_int images_out; /* submitted images that were not released yet */

static inline vrs_model *load_model(const char *name, const char *extra)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s.yaml", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "title: test\nlicence: Apache-2.0\nsource: none\nbatch: free\n"
            "input: {name: in, width: %d, height: %d, scale: 1/255}\n"
            "output: {name: out, activation: none, classes: [person]}\n%s",
            NET_WIDTH, NET_HEIGHT, extra);
    fclose(file);
    vrs_model *model = NULL;
    if (vrs_model_load(path, &model) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return model;
}

typedef struct rig {
    vrs_config *config;
    vrs_model *model;
    vrs_pipeline *pipeline;
} rig;

static inline rig make_rig_with(const char *settings, const char *extra)
{
    rig r = {0};
    fake_plan.seed += 7;
    assert_int_equal(vrs_config_create(&r.config), VRS_OK);
    configure(r.config, "refine=off");
    configure(r.config, settings);
    r.model = load_model("model", extra);
    if (vrs_pipeline_create_on(r.config, r.model, &fake_engine_ops, &r.pipeline) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return r;
}

static inline rig make_rig(const char *settings)
{
    return make_rig_with(settings, "");
}

static inline void drop_rig(rig *r)
{
    vrs_pipeline_destroy(r->pipeline);
    vrs_model_destroy(r->model);
    vrs_config_destroy(r->config);
    assert_int_equal(images_out, 0);
}

typedef struct counted_image {
    vrs_image image;
} counted_image;

static inline void release_counted(void *opaque)
{
    counted_image *counted = opaque;
    vrs_image_release(&counted->image);
    free(counted);
    images_out--;
}

/* A gray picture whose red channel is `value` everywhere. */
static inline vrs_frame make_frame(int64_t id, uint8_t value, int32_t width, int32_t height)
{
    counted_image *counted = calloc(1, sizeof(*counted));
    assert_int_equal(vrs_image_alloc(&counted->image, VRS_FORMAT_YUV420P, width, height), VRS_OK);
    vrs_image image = counted->image;
    image.color = (vrs_color){.matrix = VRS_MATRIX_BT709, .range = VRS_RANGE_FULL};
    for (int p = 0; p < 3; p++)
        for (int32_t y = 0; y < vrs_plane_height(&image, p); y++)
            memset(image.planes[p] + y * image.strides[p], p == 0 ? value : 128,
                   (size_t)vrs_plane_width(&image, p));
    image.release = release_counted;
    image.opaque = counted;
    images_out++;
    return (vrs_frame){.image = image, .id = id, .pts = id * 10};
}

static inline uint8_t frame_value(int64_t id)
{
    return (uint8_t)(id * 37 % 256);
}

static inline void submit(rig *r, int64_t id)
{
    vrs_frame frame = make_frame(id, frame_value(id), WIDTH, HEIGHT);
    if (vrs_pipeline_submit(r->pipeline, &frame, -1) != VRS_OK)
        fail_msg("%s", vrs_last_error());
}

/* Every pixel of the mask is the frame's value. */
static inline void check_mask(const vrs_result *result, int value)
{
    const vrs_image *mask = &result->outputs[0];
    for (int32_t y = 0; y < mask->height; y++)
        for (int32_t x = 0; x < mask->width; x++)
            if (abs(mask->planes[0][y * mask->strides[0] + x] - value) > 1)
                fail_msg("frame %lld: mask is %d at (%d, %d), expected %d", (long long)result->id,
                         mask->planes[0][y * mask->strides[0] + x], x, y, value);
}

static inline void take(rig *r, int64_t id, int64_t timeout_us)
{
    vrs_result *result = NULL;
    if (vrs_pipeline_get_result(r->pipeline, &result, timeout_us) != VRS_OK)
        fail_msg("frame %lld: %s", (long long)id, vrs_last_error());
    assert_int_equal(result->id, id);
    assert_int_equal(result->pts, id * 10);
    assert_int_equal(result->status, VRS_OK);
    assert_int_equal(result->outputs[0].width, WIDTH);
    check_mask(result, frame_value(id));
    vrs_result_release(result);
}

#endif
