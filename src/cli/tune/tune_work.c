/* What a trial does: a short run of a job, or frames in memory through a pipeline. */
#include <stdlib.h>
#include <string.h>

#include "cli/tune/tune.h"

/* Looked at only after this share of a trial's time. */
#define HOPELESS_FROM 0.4
/* Longest that a trial goes on beyond its time: where it has frames left, it is slower than the
 * first run was, and its rate is known well enough. */
#define LONGEST 1.5
/* Where fewer frames are done in that time, as on a machine that is very busy, a trial goes on, up
 * to so many seconds more. */
#define FEWEST 10
#define PATIENCE_SECONDS 20
/* Frames in memory: times that are kept, the first ones not. */
#define MOST_TIMES 200000
#define WARM_UP 0.2

static void fail(vrs_tune_report *report, vrs_status status)
{
    report->status = status;
    (void)snprintf(report->detail, sizeof(report->detail), "%s", vrs_last_error());
}

static void describe(vrs_tune_report *report, const vrs_pipeline_stats *stats, const char *device,
                     const char *engine)
{
    report->network_on_gpu = stats->network_on_gpu;
    report->requests = stats->stages[VRS_STAGE_INFER].threads;
    report->preprocess_threads = stats->stages[VRS_STAGE_PREPROCESS].threads;
    report->postprocess_threads = stats->stages[VRS_STAGE_POSTPROCESS].threads;
    report->tickets = (int32_t)stats->tickets;
    (void)snprintf(report->device, sizeof(report->device), "%s", device);
    (void)snprintf(report->engine, sizeof(report->engine), "%s", engine);
}

/* ---- a job ---- */

typedef struct job_trial {
    const vrs_tune_work *work;
    vrs_tune_report *report;
    vrs_job *job;
    bool over;
} job_trial;

static void watch(void *opaque, const vrs_job_stats *stats)
{
    job_trial *t = opaque;
    const vrs_tune_work *work = t->work;
    if (t->over)
        return;
    t->report->cut = stats->seconds > HOPELESS_FROM * work->seconds && stats->written >= FEWEST &&
                     stats->fps < work->hopeless;
    double most = work->frames > 0 ? LONGEST * work->seconds : work->seconds;
    most += stats->written < FEWEST ? PATIENCE_SECONDS : 0;
    t->over = t->report->cut || stats->seconds > most;
    if (t->over)
        vrs_job_stop(t->job, work->frames > 0); /* the first run closes its files, as others do */
}

static vrs_status run_job(vrs_config *config, job_trial *t)
{
    const vrs_tune_work *work = t->work;
    char frames[24];
    int64_t asked = vrs_config_int(config, "max_frames", 0);
    bool fewer = work->frames > 0 && (asked == 0 || work->frames < asked);
    (void)snprintf(frames, sizeof(frames), "%lld", (long long)(fewer ? work->frames : asked));
    vrs_status status = vrs_config_set(config, "max_frames", frames);
    if (status == VRS_OK) /* a rate of two devices is none's */
        status = vrs_config_set(config, "device_fallback", "none");
    if (status == VRS_OK)
        status = vrs_job_create(config, work->input, &t->job);
    for (int32_t i = 0; i < work->output_count && status == VRS_OK; i++)
        status = vrs_job_add_output(t->job, work->kinds[i], work->paths[i]);
    if (status != VRS_OK)
        return status;
    status = vrs_job_run(t->job, watch, t);
    if (status == VRS_CANCELLED && t->over)
        status = VRS_OK;
    vrs_job_stats stats = vrs_job_get_stats(t->job);
    if (status != VRS_OK && !(status == VRS_CORRUPT && stats.failed == 0 && stats.written > 0))
        return status; /* a damaged video is as good as another; the user sees it in the run */
    if (stats.written == 0)
        return vrs_fail(VRS_TIMEOUT, "%s: not one frame was done in %.1f s", work->input,
                        stats.seconds);
    t->report->frames = stats.written;
    t->report->seconds = stats.seconds;
    t->report->fps = stats.fps;
    t->report->latency_ms = (double)stats.pipeline.latency.p99_ns / 1e6;
    describe(t->report, &stats.pipeline, stats.device, stats.engine);
    return VRS_OK;
}

/* ---- frames in memory ---- */

typedef struct memory_trial {
    const vrs_tune_work *work;
    vrs_tune_report *report;
    vrs_pipeline *pipeline;
    vrs_image image;
    double *latencies; /* ms */
    int32_t count;
    int64_t begin_ns, warm_ns, last_ns;
} memory_trial;

/* The option mask_size, for an output of a pipeline. */
static void mask_of(const vrs_config *config, vrs_output_desc *mask)
{
    const char *size = vrs_config_get(config, "mask_size");
    mask->kind = VRS_OUTPUT_MASK;
    if (strcmp(size, "network") == 0) {
        mask->width = mask->height = -1;
        return;
    }
    char *end;
    long width = strtol(size, &end, 10);
    long height = *end == 'x' ? strtol(end + 1, NULL, 10) : 0;
    if (width > 0 && height > 0) {
        mask->width = (int32_t)width;
        mask->height = (int32_t)height;
    }
}

static vrs_status make_picture(memory_trial *t)
{
    int32_t width = t->work->width, height = t->work->height;
    unsigned char *texture = vrs_tune_texture_make(width, height);
    if (texture == NULL)
        return vrs_fail(VRS_NO_MEMORY, "no memory for a picture of %dx%d", width, height);
    vrs_status status = vrs_image_alloc(&t->image, VRS_FORMAT_YUV420P, width, height);
    if (status == VRS_OK) {
        for (int32_t y = 0; y < height; y++)
            memcpy(t->image.planes[0] + y * t->image.strides[0],
                   vrs_tune_texture_row(texture, width, 0, y), (size_t)width);
        for (int32_t y = 0; y < (height + 1) / 2; y++) {
            memset(t->image.planes[1] + y * t->image.strides[1], 110, (size_t)(width + 1) / 2);
            memset(t->image.planes[2] + y * t->image.strides[2], 140, (size_t)(width + 1) / 2);
        }
    }
    free(texture);
    return status;
}

/* Fetches what is done until `until_ns`; a result that failed ends the trial. */
static vrs_status fetch(memory_trial *t, int64_t until_ns)
{
    for (;;) {
        int64_t left_us = (until_ns - vrs_now_ns()) / 1000;
        vrs_result *r;
        vrs_status status = vrs_pipeline_get_result(t->pipeline, &r, left_us > 0 ? left_us : 0);
        if (status != VRS_OK)
            return status == VRS_TIMEOUT ? VRS_OK : status;
        if (r->status != VRS_OK)
            status = vrs_fail(r->status, "%s", r->detail);
        if (r->capture_ns >= t->warm_ns && t->count < MOST_TIMES) {
            t->latencies[t->count++] = (double)(r->done_ns - r->capture_ns) / 1e6;
            t->last_ns = r->done_ns;
        }
        vrs_result_release(r);
        if (status != VRS_OK)
            return status;
    }
}

/* Submits frame `id`; the picture stays the trial's. With a rate a frame was captured when it was
 * due, however late it is taken. */
static vrs_status submit(memory_trial *t, int64_t id, int64_t due_ns, int64_t end_ns)
{
    vrs_frame frame = {.image = t->image, .id = id, .pts = id};
    frame.image.release = NULL;
    vrs_status status;
    do {
        frame.capture_ns = t->work->rate > 0 ? due_ns : vrs_now_ns();
        status = vrs_pipeline_submit(t->pipeline, &frame, 0);
        if (status != VRS_TIMEOUT && status != VRS_FULL)
            return status;
        status = fetch(t, vrs_now_ns() + 500000);
    } while (status == VRS_OK && vrs_now_ns() < end_ns);
    return status == VRS_OK ? VRS_TIMEOUT : status;
}

static vrs_status feed(memory_trial *t)
{
    double seconds = t->work->seconds;
    t->begin_ns = vrs_now_ns();
    t->warm_ns = t->begin_ns + (int64_t)(WARM_UP * seconds * 1e9);
    int64_t end_ns = t->begin_ns + (int64_t)((1 + WARM_UP) * seconds * 1e9);
    int64_t last_ns = end_ns + PATIENCE_SECONDS * INT64_C(1000000000);
    vrs_status status = VRS_OK;
    for (int64_t id = 0; status == VRS_OK && vrs_now_ns() < last_ns; id++) {
        int64_t due_ns = t->begin_ns;
        if (t->work->rate > 0)
            due_ns += (int64_t)((double)id * 1e9 / t->work->rate);
        if (t->count >= FEWEST && (due_ns >= end_ns || vrs_now_ns() >= end_ns))
            break;
        status = fetch(t, due_ns);
        if (status == VRS_OK)
            status = submit(t, id, due_ns, last_ns);
    }
    status = status == VRS_TIMEOUT ? VRS_OK : status;
    vrs_pipeline_finish(t->pipeline);
    if (status == VRS_OK)
        status = fetch(t, last_ns);
    return status == VRS_END ? VRS_OK : status;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

static vrs_status run_pipeline(const vrs_config *config, memory_trial *t)
{
    vrs_output_desc mask = {0};
    vrs_model *model;
    mask_of(config, &mask);
    vrs_status status = vrs_model_load(vrs_config_get(config, "model"), &model);
    if (status == VRS_OK)
        status = vrs_pipeline_create(config, model, &t->pipeline);
    if (status == VRS_OK)
        status = vrs_pipeline_add_output(t->pipeline, &mask);
    if (status == VRS_OK)
        status = make_picture(t);
    if (status == VRS_OK)
        status = vrs_pipeline_start(t->pipeline);
    if (status == VRS_OK)
        status = feed(t);
    if (status != VRS_OK)
        return status;
    if (t->count < 2)
        return vrs_fail(VRS_TIMEOUT, "only %d frames were done in %.1f s", t->count,
                        t->work->seconds);
    qsort(t->latencies, (size_t)t->count, sizeof(double), by_size);
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(t->pipeline);
    t->report->frames = (uint64_t)t->count;
    t->report->seconds = (double)(t->last_ns - t->warm_ns) / 1e9;
    t->report->fps = t->count / t->report->seconds;
    t->report->latency_ms = t->latencies[(int32_t)((t->count - 1) * 0.99 + 0.5)];
    describe(t->report, &stats, vrs_pipeline_get_device(t->pipeline),
             vrs_pipeline_get_engine(t->pipeline));
    return VRS_OK;
}

void vrs_tune_work_do(vrs_config *config, const vrs_tune_work *work, vrs_tune_report *report)
{
    vrs_status status;
    if (work->input != NULL) {
        job_trial trial = {.work = work, .report = report};
        status = run_job(config, &trial);
    } else {
        memory_trial trial = {.work = work, .report = report};
        trial.latencies = calloc(MOST_TIMES, sizeof(double));
        status = trial.latencies != NULL ? run_pipeline(config, &trial)
                                         : vrs_fail(VRS_NO_MEMORY, "no memory for a trial's times");
        free(trial.latencies);
    }
    if (status != VRS_OK)
        fail(report, status);
}
