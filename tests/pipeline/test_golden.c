/* Real weights on a drawn person, end to end: the mask is the one that the weights' own framework
 * gives. The picture and the expected means are those of tools/models/known_output.py and
 * known.json; skipped where the weights or the engine are missing. */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <yajl/yajl_tree.h>

#include "base/file.h"
#include "pipeline/internal.h"
#include "support/inject.h"

#define GRID 8
/* A thousandth as known_output.py allows, and a mask code's half. */
#define TOLERANCE (1e-3 + 0.5 / 255)

static int square(int a)
{
    return a * a;
}

static void draw_pixel(int u, int v, uint8_t rgb[3])
{
    int c[3] = {90 + u / 4, 110 + v / 4, 130 + (u + v) / 8};
    int shade = abs(u - 128) / 2;
    if (square(u - 128) + square(v - 256) < square(110)) {
        c[0] = 40 + v / 8;
        c[1] = 60 + v / 8;
        c[2] = 120 + v / 8;
    }
    if (9 * square(u - 128) + 5 * square(v - 90) < 14400) {
        c[0] = 215 - shade;
        c[1] = 170 - shade;
        c[2] = 140 - shade;
    }
    bool eye = square(abs(u - 128) - 16) + square(v - 82) < 25;
    for (int i = 0; i < 3; i++)
        rgb[i] = (uint8_t)(eye ? 30 : c[i]);
}

static vrs_frame draw(int32_t width, int32_t height)
{
    vrs_frame frame = {0};
    assert_int_equal(vrs_image_alloc(&frame.image, VRS_FORMAT_RGB24, width, height), VRS_OK);
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++)
            draw_pixel(x * 256 / width, y * 256 / height,
                       frame.image.planes[0] + y * frame.image.strides[0] + 3 * (ptrdiff_t)x);
    return frame;
}

static double cell_mean(const vrs_image *mask, int row, int column)
{
    int32_t w = mask->width / GRID, h = mask->height / GRID;
    double sum = 0;
    for (int32_t y = row * h; y < (row + 1) * h; y++)
        for (int32_t x = column * w; x < (column + 1) * w; x++)
            sum += mask->planes[0][y * mask->strides[0] + x];
    return sum / 255 / w / h;
}

static void check_grid(const char *name, const vrs_image *mask)
{
    char path[VRS_PATH_MAX], *text;
    size_t size;
    assert_int_equal(vrs_path_format(path, sizeof(path), "%s/tools/models/known.json",
                                     getenv("VRSEG_SOURCE_DIR")),
                     VRS_OK);
    assert_int_equal(vrs_file_read(path, 1 << 20, &text, &size), VRS_OK);
    yajl_val root = yajl_tree_parse(text, NULL, 0);
    const char *keys[] = {name, "drawn_person", NULL};
    yajl_val grid = yajl_tree_get(root, keys, yajl_t_array);
    assert_non_null(grid);
    for (int row = 0; row < GRID; row++)
        for (int column = 0; column < GRID; column++) {
            double known =
                YAJL_GET_DOUBLE(YAJL_GET_ARRAY(YAJL_GET_ARRAY(grid)->values[row])->values[column]);
            double found = cell_mean(mask, row, column);
            if (fabs(found - known) > TOLERANCE)
                fail_msg("%s: cell (%d, %d) is %.4f, expected %.4f", name, row, column, found,
                         known);
        }
    yajl_tree_free(root);
    vrs_free(text);
}

static void run_model(const char *name)
{
    vrs_config *config;
    vrs_model *model;
    vrs_pipeline *pipeline;
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    assert_int_equal(vrs_config_set(config, "refine", "off"), VRS_OK);
    assert_int_equal(vrs_config_set(config, "max_batch_size", "4"), VRS_OK);
    assert_int_equal(vrs_model_load(name, &model), VRS_OK);
    if (vrs_pipeline_create(config, model, &pipeline) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    vrs_output_desc desc = {.kind = VRS_OUTPUT_MASK, .width = -1, .height = -1};
    assert_int_equal(vrs_pipeline_add_output(pipeline, &desc), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    vrs_model_info info = vrs_model_get_info(model);
    for (int i = 0; i < 3; i++) {
        vrs_frame frame = draw(info.input_width, info.input_height);
        assert_int_equal(vrs_pipeline_submit(pipeline, &frame, -1), VRS_OK);
    }
    for (int i = 0; i < 3; i++) {
        vrs_result *result;
        assert_int_equal(vrs_pipeline_get_result(pipeline, &result, -1), VRS_OK);
        assert_int_equal(result->status, VRS_OK);
        check_grid(name, &result->outputs[0]);
        vrs_result_release(result);
    }
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
}

static void test_selfie(void **state)
{
    (void)state;
    run_model("selfie");
}

static void test_selfie_landscape(void **state)
{
    (void)state;
    run_model("selfie-landscape");
}

static const char *what_is_missing(void)
{
    char version[64], where[VRS_PATH_MAX];
    if (vrs_openvino_info(version, sizeof(version), where, sizeof(where)) != VRS_OK)
        return "OpenVINO is missing";
    vrs_model *model;
    if (vrs_model_load("selfie", &model) != VRS_OK)
        return "the descriptors are missing";
    bool installed = vrs_model_get_info(model).installed;
    vrs_model_destroy(model);
    return installed ? NULL : "the weights are missing";
}

int main(void)
{
    const char *missing = what_is_missing();
    if (missing != NULL) {
        printf("skipped: %s (make setup models)\n", missing);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selfie),
        cmocka_unit_test(test_selfie_landscape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
