/* The network's last enlarging, done by the lanes on the way to masks, beside the same network that
 * enlarges by itself: our own engine on the stand-in driver, in its orders. */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "engine/backend.h"
#include "fake_cuda/fake_cuda.h"
#include "model/weights.h"
#include "pipeline/internal.h"
#include "pipeline/outputs.h"
#include "support/configure.h"
#include "support/inject.h"
#include "support/temp.h"

#define FRAMES 5

static char folder[256];
static bool plain;

/* Our engine, as the pipeline asks for it or with its own enlarging. */
static vrs_status create(const vrs_model *model, const vrs_engine_params *params,
                         vrs_engine **engine)
{
    vrs_weights weights;
    vrs_engine_params own = *params;
    own.enlarges = plain ? 0 : params->enlarges;
    own.weights = &weights;
    vrs_status status = vrs_weights_read(vrs_model_get_info(model).weights_path, &weights);
    if (status == VRS_OK) {
        status = vrs_engine_cuda.create(model, &own, engine);
        vrs_weights_free(&weights);
    }
    if (status == VRS_OK)
        assert_int_equal(vrs_engine_get_io(*engine)->enlarge, plain ? 1 : 2);
    return status;
}

static vrs_model *load(void)
{
    char path[512];
    const char *source = getenv("VRSEG_SOURCE_DIR");
    snprintf(path, sizeof(path), "%s/model.yaml", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "title: t\nlicence: l\nsource: s\nweights: %s/tests/data/ops.onnx\n"
            "input: {width: 24, height: 16, scale: 1/64, mean: 128, fit: letterbox}\n"
            "output: {activation: softmax, classes: [a, person], person: [person]}\n",
            source != NULL ? source : ".");
    fclose(file);
    vrs_model *model = NULL;
    if (vrs_model_load(path, &model) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return model;
}

static vrs_frame paint(int64_t number)
{
    vrs_frame frame = {.id = number};
    assert_int_equal(vrs_image_alloc(&frame.image, VRS_FORMAT_YUV420P, 62, 38), VRS_OK);
    for (int p = 0; p < 3; p++)
        for (int32_t y = 0; y < vrs_plane_height(&frame.image, p); y++)
            for (int32_t x = 0; x < vrs_plane_width(&frame.image, p); x++)
                frame.image.planes[p][y * frame.image.strides[p] + x] =
                    (uint8_t)(40 + (x * x * 3 + y * 5 * x + (int32_t)number * 11 + p * 50) % 170);
    return frame;
}

static void fetch(vrs_pipeline *pipeline, vrs_image (*images)[VRS_MAX_OUTPUTS])
{
    vrs_result *result;
    if (vrs_pipeline_get_result(pipeline, &result, -1) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    if (result->status != VRS_OK)
        fail_msg("%s", result->detail);
    for (uint32_t i = 0; i < result->output_count; i++)
        images[result->id][i] = outputs_copy(&result->outputs[i]);
    vrs_result_release(result);
}

static void run(const char *settings, bool classes, vrs_image (*images)[VRS_MAX_OUTPUTS])
{
    static vrs_engine_ops ops;
    ops = vrs_engine_cuda;
    ops.create = create;
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0 model_cache=off");
    configure(config, settings);
    vrs_model *model = load();
    if (vrs_pipeline_create_on(config, model, &ops, &pipeline) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    const vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_GRAY10};
    const vrs_output_desc map = {.kind = VRS_OUTPUT_CLASSES};
    assert_int_equal(vrs_pipeline_add_output(pipeline, &mask), VRS_OK);
    if (classes)
        assert_int_equal(vrs_pipeline_add_output(pipeline, &map), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    for (int64_t n = 0; n < FRAMES; n++) {
        vrs_frame frame = paint(n);
        if (vrs_pipeline_submit(pipeline, &frame, -1) != VRS_OK)
            fail_msg("%s", vrs_last_error());
    }
    vrs_pipeline_finish(pipeline);
    for (int n = 0; n < FRAMES; n++)
        fetch(pipeline, images);
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
}

/* Masks of 10 bits within one; the same classes but where two score the same. */
static void compare(const char *settings, bool classes)
{
    vrs_image small[FRAMES][VRS_MAX_OUTPUTS] = {0}, large[FRAMES][VRS_MAX_OUTPUTS] = {0};
    plain = false;
    run(settings, classes, small);
    plain = true;
    run(settings, classes, large);
    for (int n = 0; n < FRAMES; n++) {
        outputs_difference d = outputs_compare(&small[n][0], &large[n][0], 1);
        if (d.beyond > 0)
            fail_msg("%s: frame %d: %lld of %lld samples differ, by up to %d", settings, n,
                     (long long)d.beyond, (long long)d.samples, d.largest);
        if (!classes)
            continue;
        d = outputs_compare(&small[n][1], &large[n][1], 0);
        if (d.beyond > d.samples / 500)
            fail_msg("%s: frame %d: %lld of %lld classes differ", settings, n, (long long)d.beyond,
                     (long long)d.samples);
    }
    outputs_drop(small, FRAMES);
    outputs_drop(large, FRAMES);
}

static void test_masks(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "max_batch_size=1 refine=off", "max_batch_size=3 refine=off lanes=2",
        "max_batch_size=2 refine=on lanes=2", "max_batch_size=4 smooth=on layout=sbs refine=off"};
    for (uint64_t seed = 1; seed <= 4; seed++) {
        fake_cuda_reset(seed);
        fake_cuda_set_mode(seed % 2 == 0 ? FAKE_CUDA_SYNC : FAKE_CUDA_THREAD);
        compare(settings[seed - 1], seed % 2 == 0);
        char text[256];
        if (fake_cuda_leaks(text, sizeof(text)) != 0)
            fail_msg("alive: %s", text);
    }
}

int main(void)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_masks)};
    int failed = cmocka_run_group_tests_name("pipeline/small_scores", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
