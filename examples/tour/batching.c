/* Part 4: the batching queue, first with sixteen streams that send a frame at a time, then with an
 * urgent stream among patient ones. */
#include <stdio.h>

#include "tour.h"

#define STREAMS 16
#define ROUNDS 12

typedef struct latency {
    int64_t sum_ns;
    int frames;
} latency;

static void take(vrs_pipeline *pipeline, int64_t timeout_us, latency by_priority[3])
{
    vrs_result *result = NULL;
    while (vrs_pipeline_get_result(pipeline, &result, timeout_us) == VRS_OK) {
        latency *l = &by_priority[result->priority == 1 ? 1 : 2];
        l->sum_ns += result->done_ns - result->submitted_ns;
        l->frames++;
        vrs_result_release(result);
    }
}

/* Every stream sends a frame in each round; one of a hurry has priority 1. */
static void run(const tour *t, const char *const *settings, uint32_t urgent_streams)
{
    vrs_model *model = NULL;
    vrs_pipeline *pipeline = NULL;
    latency by_priority[3] = {0};
    vrs_config *config = tour_config(settings);
    tour_require(vrs_model_load(t->model, &model));
    tour_require(vrs_pipeline_create(config, model, &pipeline));
    tour_require(vrs_pipeline_start(pipeline));
    int64_t begin = vrs_now_ns();
    for (int64_t round = 0; round < ROUNDS; round++) {
        for (uint32_t s = 0; s < STREAMS; s++) {
            vrs_frame frame = {.stream = s, .id = round, .priority = s < urgent_streams ? 1 : 2};
            frame.image = tour_picture(VRS_FORMAT_RGB24, 256, 144, round);
            tour_require(vrs_pipeline_submit(pipeline, &frame, -1));
            take(pipeline, 0, by_priority);
        }
    }
    vrs_pipeline_finish(pipeline);
    take(pipeline, -1, by_priority);
    const double seconds = (double)(vrs_now_ns() - begin) / 1e9;
    const vrs_pipeline_stats stats = vrs_pipeline_get_stats(pipeline);
    (void)printf("   %s: %.0f frames/s, batches of", settings[0], STREAMS * ROUNDS / seconds);
    for (int size = 1; size <= 16; size++)
        if (stats.batches[size] > 0)
            (void)printf(" %d (%llu times)", size, (unsigned long long)stats.batches[size]);
    (void)printf("\n");
    for (int p = 1; urgent_streams > 0 && p <= 2; p++) {
        (void)printf("   priority %d: %.1f ms from submission to mask, mean of %d frames\n", p,
                     (double)by_priority[p].sum_ns / 1e6 / by_priority[p].frames,
                     by_priority[p].frames);
    }
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
}

void tour_batching(const tour *t)
{
    static const char *const singles[] = {"max_batch_size=1", "priority_levels=2", NULL};
    static const char *const batches[] = {"max_batch_size=8", "priority_levels=2",
                                          "max_queue_delay_us=4000", "preferred_batch_sizes=4,8",
                                          NULL};
    (void)printf("   %d streams, each a frame at a time\n", STREAMS);
    run(t, singles, 0);
    run(t, batches, 0);
    (void)printf("   the same with one urgent stream\n");
    run(t, batches, 1);
}
