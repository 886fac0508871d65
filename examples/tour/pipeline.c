/* Part 5: decode, preprocess, infer, postprocess and encode side by side, on a video. */
#include <stdio.h>

#include "tour.h"
#include "vrseg/job.h"

void tour_pipeline(const tour *t)
{
    static const char *const settings[] = {NULL};
    char path[4096];
    vrs_job *job = NULL;
    vrs_config *config = tour_config(settings);
    (void)snprintf(path, sizeof path, "%s/tour-mask.mp4", t->folder);
    tour_require(vrs_config_set(config, "model", t->model));
    tour_require(vrs_job_create(config, t->video, &job));
    tour_require(vrs_job_add_output(job, VRS_JOB_MASK, path));
    tour_require(vrs_job_run(job, NULL, NULL));
    const vrs_job_stats stats = vrs_job_get_stats(job);
    (void)printf("   %s -> %s on %s\n", t->video, path, stats.device);
    (void)printf("   %llu frames, %.1f a second; first mask after %.2f s; stages overlap %.1f "
                 "times\n",
                 (unsigned long long)stats.written, stats.fps, stats.first_mask_seconds,
                 stats.overlap);
    for (int stage = 0; stage < VRS_STAGE_COUNT; stage++) {
        const vrs_stage_stats *s = &stats.pipeline.stages[stage];
        (void)printf("   %-12s %6.2f ms a frame, %2d at once\n", vrs_stage_name((vrs_stage)stage),
                     s->frames ? (double)s->busy_ns / 1e6 / (double)s->frames : 0.0,
                     (int)s->threads);
    }
    (void)printf("   limit: %s\n", stats.bottleneck);
    vrs_job_destroy(job);
    vrs_config_destroy(config);
}
