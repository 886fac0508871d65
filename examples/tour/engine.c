/* Part 2: the network alone, by precision and batch: frames of its own size, so that little else is
 * to be done. */
#include <stdio.h>

#include "tour.h"

#define FRAMES 96

static void take(vrs_pipeline *pipeline, int64_t timeout_us, int *taken)
{
    vrs_result *result = NULL;
    while (vrs_pipeline_get_result(pipeline, &result, timeout_us) == VRS_OK) {
        vrs_result_release(result);
        ++*taken;
    }
}

static void run(const vrs_model *model, const char *precision, const char *batch)
{
    char first[32], second[32];
    (void)snprintf(first, sizeof first, "precision=%s", precision);
    (void)snprintf(second, sizeof second, "max_batch_size=%s", batch);
    const char *const settings[] = {first, second, "refine=off", NULL};
    const vrs_model_info info = vrs_model_get_info(model);
    vrs_config *config = tour_config(settings);
    vrs_pipeline *pipeline = NULL;
    if (vrs_pipeline_create(config, model, &pipeline) != VRS_OK) {
        (void)printf("   %-5s batch %-2s  not here: %.100s\n", precision, batch, vrs_last_error());
        vrs_config_destroy(config);
        return;
    }
    tour_require(vrs_pipeline_start(pipeline));
    int taken = 0;
    int64_t begin = vrs_now_ns();
    for (vrs_frame frame = {0}; frame.id < FRAMES; frame.id++) {
        frame.image = tour_picture(VRS_FORMAT_RGB24, info.input_width, info.input_height, frame.id);
        tour_require(vrs_pipeline_submit(pipeline, &frame, -1));
        take(pipeline, 0, &taken);
    }
    vrs_pipeline_finish(pipeline);
    take(pipeline, -1, &taken);
    (void)printf("   %-5s batch %-2s  %7.1f pictures/s  %s\n", precision, batch,
                 taken / ((double)(vrs_now_ns() - begin) / 1e9), vrs_pipeline_get_engine(pipeline));
    vrs_pipeline_destroy(pipeline);
    vrs_config_destroy(config);
}

void tour_engine(const tour *t)
{
    static const char *const runs[][2] = {
        {"f32", "1"}, {"f32", "8"}, {"bf16", "1"}, {"f16", "1"}, {"f16", "8"}};
    vrs_model *model = NULL;
    tour_require(vrs_model_load(t->model, &model));
    const vrs_model_info info = vrs_model_get_info(model);
    (void)printf("   %s, %dx%d; a precision that this machine has not is refused, never replaced\n",
                 info.title, (int)info.input_width, (int)info.input_height);
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        run(model, runs[i][0], runs[i][1]);
    vrs_model_destroy(model);
}
