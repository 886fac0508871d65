/* The best settings for work of one's own, found by measuring and remembered: tune [TRIALS]
 *
 * `vrseg tune` does it for videos; here frames from memory are what is measured, so that the search
 * knows what this program really does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <vrseg/tune.h>
#include <vrseg/vrseg.h>

#define FRAMES 24

static const char *const sizes[] = {"1", "2", "4"}, *const threads[] = {"1", "2"};
static const double size_places[] = {0, 1, 2}, thread_places[] = {0, 1}; /* logarithms */
static const vrs_tune_parameter parameters[] = {
    {"max_batch_size", sizes, 3, 0, size_places},
    {"postprocess_threads", threads, 2, 0, thread_places}};

static void check(vrs_status status)
{
    if (status == VRS_OK)
        return;
    (void)fprintf(stderr, "tune: %s\n", vrs_last_error());
    exit(1);
}

/* FRAMES pictures, all in flight together as far as they may. */
static vrs_status run(vrs_pipeline *pipeline)
{
    vrs_result *result = NULL;
    vrs_status status = vrs_pipeline_start(pipeline);
    for (vrs_frame frame = {0}; frame.id < FRAMES && status == VRS_OK; frame.id++) {
        status = vrs_image_alloc(&frame.image, VRS_FORMAT_RGB24, 640, 480);
        if (status == VRS_OK)
            status = vrs_pipeline_submit(pipeline, &frame, -1);
        while (status == VRS_OK &&
               (status = vrs_pipeline_get_result(pipeline, &result, 0)) == VRS_OK)
            vrs_result_release(result);
        status = status == VRS_TIMEOUT ? VRS_OK : status;
    }
    if (status == VRS_OK)
        status = vrs_pipeline_drain(pipeline, -1);
    vrs_pipeline_finish(pipeline);
    while (status == VRS_OK && (status = vrs_pipeline_get_result(pipeline, &result, -1)) == VRS_OK)
        vrs_result_release(result);
    return status == VRS_END ? VRS_OK : status;
}

/* One trial. Settings that cannot be used are no failure of the search. */
static vrs_status measure(void *opaque, const vrs_tune_trial *trial, vrs_tune_measurement *m)
{
    const vrs_model *model = opaque;
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    vrs_status status = vrs_config_create(&config);
    for (int i = 0; i < 2 && status == VRS_OK; i++)
        status = vrs_config_set(config, parameters[i].name, parameters[i].values[trial->choice[i]]);
    if (status == VRS_OK)
        status = vrs_pipeline_create(config, model, &pipeline);
    int64_t begin_ns = vrs_now_ns();
    if (status == VRS_OK)
        status = run(pipeline);
    m->fps = FRAMES / ((double)(vrs_now_ns() - begin_ns) / 1e9);
    m->latency_ms = 1;
    vrs_pipeline_destroy(pipeline);
    vrs_config_destroy(config);
    return status;
}

/* Where this program starts the next time, on a machine of the same kind. */
static void remember(const vrs_tune_result *found, const vrs_tuned_key *key)
{
    const char *names[2] = {parameters[0].name, parameters[1].name};
    char note[VRS_TUNED_NOTE_SIZE];
    vrs_config *config;
    check(vrs_config_create(&config));
    for (int i = 0; i < 2; i++)
        if (vrs_tuned_option(names[i])) /* speed alone is remembered, never what comes out */
            check(vrs_config_set(config, names[i], parameters[i].values[found->choice[i]]));
    check(vrs_tuned_store(key, config, names, 2, "most frames a second from memory"));
    vrs_config_destroy(config);

    check(vrs_config_create(&config));
    check(vrs_tuned_load(key, config, note));
    printf("remembered for \"%s\": max_batch_size %s, postprocess_threads %s\n", note,
           vrs_config_get(config, names[0]), vrs_config_get(config, names[1]));
    vrs_config_destroy(config);
}

int main(int argc, char **argv)
{
    vrs_model *model;
    vrs_tune_result found;
    const vrs_tune_params params = {.parameters = parameters,
                                    .count = 2,
                                    .goal = VRS_TUNE_THROUGHPUT,
                                    .trials = argc > 1 ? atoi(argv[1]) : 4,
                                    .seed = 1};
    const vrs_tuned_key key = {"selfie-landscape", "f32", vrs_cpu_name()};
    check(vrs_model_load(key.model, &model));
    printf("%" PRId64 " combinations, at most %" PRId64 " trials\n",
           vrs_tune_combinations(parameters, 2), vrs_tune_most_trials(&params));
    check(vrs_tune_search(&params, measure, model, &found));
    printf("%.1f frames a second, at the start %.1f; noise %.0f %%\n", found.best.fps,
           found.start.fps, 100 * found.noise);
    remember(&found, &key);
    vrs_model_destroy(model);
    return 0;
}
