/* What is measured of a configuration, in a process of its own: frames in memory through a
 * pipeline, or a video through a job. Each run is a measurement; they follow each other in the same
 * process, so that the network is compiled once. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/bench/bench.h"
#include "cli/tune/tune.h"

/* Latencies that are kept of a run; of more, the last ones. */
#define MOST_TIMES 100000
/* Share of a run's time that a pipeline is warmed before the first one. */
#define WARM_UP 0.3
/* A run has so many batches at least, if they take at most so long in all. */
#define FEWEST_BATCHES 3
#define PATIENCE_SECONDS 60.0
/* Where there is nothing to fetch. */
#define FETCH_US 1000

typedef struct measuring {
    vrs_config *config;
    const vrs_bench_work *work;
    vrs_bench_result *result;
    vrs_bench_watch watch;
    /* frames in memory */
    vrs_pipeline *pipeline;
    vrs_image image;
    int64_t submitted, fetched;
    double *times; /* ms, of MOST_TIMES */
    int64_t count; /* of times since the last start */
    int64_t last_ns;
    /* a video */
    vrs_job *job;
    bool over;
} measuring;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* Nearest ranks; sorts what is kept. */
static vrs_bench_latency summarise(measuring *m)
{
    int64_t kept = m->count < MOST_TIMES ? m->count : MOST_TIMES;
    vrs_bench_latency l = {
        .frames = m->count, .p50_ms = -1, .p95_ms = -1, .p99_ms = -1, .most_ms = -1};
    if (kept == 0)
        return l;
    qsort(m->times, (size_t)kept, sizeof(double), by_size);
    l.p50_ms = m->times[(int64_t)((double)(kept - 1) * 0.50 + 0.5)];
    l.p95_ms = m->times[(int64_t)((double)(kept - 1) * 0.95 + 0.5)];
    l.p99_ms = m->times[(int64_t)((double)(kept - 1) * 0.99 + 0.5)];
    l.most_ms = m->times[kept - 1];
    return l;
}

static double seconds_since(int64_t ns)
{
    return (double)(vrs_now_ns() - ns) / 1e9;
}

/* Whether a run is over that began at `begin_ns` and has seen `frames`. */
static bool is_over(const vrs_bench_work *w, int64_t begin_ns, int64_t frames)
{
    double seconds = seconds_since(begin_ns);
    bool few = frames < FEWEST_BATCHES * w->batch && seconds < PATIENCE_SECONDS;
    return (w->frames > 0 && frames >= w->frames) || (seconds >= w->seconds && !few);
}

/* ---- frames in memory ---- */

static vrs_status make_picture(measuring *m)
{
    int32_t width = m->work->width, height = m->work->height;
    unsigned char *texture = vrs_tune_texture_make(width, height);
    if (texture == NULL)
        return vrs_fail(VRS_NO_MEMORY, "no memory for a picture of %dx%d", width, height);
    vrs_status status = vrs_image_alloc(&m->image, VRS_FORMAT_YUV420P, width, height);
    for (int32_t y = 0; status == VRS_OK && y < height; y++)
        memcpy(m->image.planes[0] + y * m->image.strides[0],
               vrs_tune_texture_row(texture, width, 0, y), (size_t)width);
    for (int32_t y = 0; status == VRS_OK && y < (height + 1) / 2; y++) {
        memset(m->image.planes[1] + y * m->image.strides[1], 110, (size_t)(width + 1) / 2);
        memset(m->image.planes[2] + y * m->image.strides[2], 140, (size_t)(width + 1) / 2);
    }
    free(texture);
    return status;
}

/* Fetches one result, if one comes in that time (VRS_TIMEOUT: none). */
static vrs_status fetch(measuring *m, int64_t timeout_us)
{
    vrs_result *r;
    vrs_status status = vrs_pipeline_get_result(m->pipeline, &r, timeout_us);
    if (status != VRS_OK)
        return status;
    if (r->status != VRS_OK)
        status = vrs_fail(r->status, "%s", r->detail);
    m->times[m->count++ % MOST_TIMES] = (double)(r->done_ns - r->capture_ns) / 1e6;
    m->last_ns = r->done_ns;
    m->fetched++;
    vrs_result_release(r);
    return status;
}

/* VRS_TIMEOUT, VRS_FULL: not now. */
static vrs_status submit(measuring *m)
{
    vrs_frame frame = {.image = m->image, .id = m->submitted, .pts = m->submitted};
    frame.image.release = NULL; /* the picture stays ours */
    frame.capture_ns = vrs_now_ns();
    vrs_status status = vrs_pipeline_submit(m->pipeline, &frame, 0);
    m->submitted += status == VRS_OK ? 1 : 0;
    return status;
}

/* Keeps as much in flight as the pipeline takes, until `over`. */
static vrs_status feed(measuring *m, int64_t begin_ns, bool (*over)(measuring *, int64_t))
{
    vrs_status status = VRS_OK;
    while (status == VRS_OK && !over(m, begin_ns)) {
        status = submit(m);
        bool full = status == VRS_TIMEOUT || status == VRS_FULL;
        if (status != VRS_OK && !full)
            return status;
        status = fetch(m, full ? FETCH_US : 0);
        status = status == VRS_TIMEOUT ? VRS_OK : status;
        vrs_bench_watch_look(&m->watch);
    }
    return status;
}

static vrs_status empty(measuring *m)
{
    vrs_status status = VRS_OK;
    while (status == VRS_OK && m->fetched < m->submitted)
        status = fetch(m, -1);
    return status;
}

static bool warm(measuring *m, int64_t begin_ns)
{
    return m->fetched >= m->work->batch && seconds_since(begin_ns) > WARM_UP * m->work->seconds;
}

static bool measured(measuring *m, int64_t begin_ns)
{
    return is_over(m->work, begin_ns, m->count);
}

/* A batch at a time: what a frame takes where nothing else is on its way. */
static vrs_status measure_alone(measuring *m)
{
    vrs_status status = VRS_OK;
    int64_t begin_ns = vrs_now_ns();
    m->count = 0;
    while (status == VRS_OK && !is_over(m->work, begin_ns, m->count)) {
        for (int32_t i = 0; i < m->work->batch && status == VRS_OK; i++)
            status = submit(m);
        if (status == VRS_TIMEOUT || status == VRS_FULL)
            status = vrs_fail(VRS_INVALID,
                              "a batch of %d frames does not fit into the pipeline: "
                              "give it more --tickets",
                              m->work->batch);
        if (status == VRS_OK)
            status = empty(m);
    }
    m->result->alone = summarise(m);
    return status;
}

/* The rate is counted from one result to another, while the pipeline stays full. */
static vrs_status measure_run(measuring *m, vrs_bench_run *run)
{
    vrs_bench_watch_begin(&m->watch);
    int64_t begin_ns = m->last_ns;
    m->count = 0;
    vrs_status status = feed(m, vrs_now_ns(), measured);
    if (status != VRS_OK)
        return status;
    vrs_bench_watch_end(&m->watch, &run->use);
    run->frames = m->count;
    run->seconds = (double)(m->last_ns - begin_ns) / 1e9;
    run->fps = run->seconds > 0 ? (double)run->frames / run->seconds : 0;
    run->loaded = summarise(m);
    return VRS_OK;
}

static vrs_status open_pipeline(measuring *m)
{
    const vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK, .width = -1, .height = -1};
    vrs_model *model;
    int64_t begin_ns = vrs_now_ns();
    vrs_status status = vrs_model_load(vrs_config_get(m->config, "model"), &model);
    if (status == VRS_OK)
        status = vrs_pipeline_create(m->config, model, &m->pipeline);
    if (status == VRS_OK)
        status = vrs_pipeline_add_output(m->pipeline, &mask);
    if (status == VRS_OK)
        status = make_picture(m);
    if (status == VRS_OK)
        status = vrs_pipeline_start(m->pipeline);
    m->result->start_seconds = seconds_since(begin_ns);
    return status;
}

static vrs_status measure_memory(measuring *m)
{
    vrs_bench_result *r = m->result;
    vrs_status status = open_pipeline(m);
    if (status != VRS_OK)
        return status;
    status = feed(m, vrs_now_ns(), warm);
    if (status == VRS_OK)
        status = empty(m);
    if (status == VRS_OK)
        status = measure_alone(m);
    while (status == VRS_OK && r->runs < m->work->runs) {
        m->count = 0;
        status = feed(m, vrs_now_ns(), warm); /* it is full again */
        if (status == VRS_OK)
            status = measure_run(m, &r->run[r->runs]);
        r->runs += status == VRS_OK ? 1 : 0;
    }
    if (status != VRS_OK)
        return status;
    (void)snprintf(r->device, sizeof(r->device), "%s", vrs_pipeline_get_device(m->pipeline));
    (void)snprintf(r->engine, sizeof(r->engine), "%s", vrs_pipeline_get_engine(m->pipeline));
    return VRS_OK;
}

/* ---- a video ---- */

static void watch_job(void *opaque, const vrs_job_stats *stats)
{
    measuring *m = opaque;
    const vrs_bench_work *w = m->work;
    if (stats->written == 0 && m->watch.begin_ns < stats->started_ns)
        vrs_bench_watch_begin(&m->watch);
    vrs_bench_watch_look(&m->watch);
    bool few =
        (int64_t)stats->written < FEWEST_BATCHES * w->batch && stats->seconds < PATIENCE_SECONDS;
    if (!m->over && stats->seconds > w->seconds && !few) {
        m->over = true;
        vrs_job_stop(m->job, false);
    }
}

static vrs_status take_job(measuring *m, const vrs_job_stats *s, vrs_bench_run *run)
{
    vrs_bench_result *r = m->result;
    const vrs_latency *l = &s->pipeline.latency;
    if (s->written == 0)
        return vrs_fail(VRS_TIMEOUT, "%s: not one frame was done in %.1f s", m->work->input,
                        s->seconds);
    vrs_bench_watch_end(&m->watch, &run->use);
    run->frames = (int64_t)s->written;
    run->seconds = s->seconds;
    run->fps = s->fps;
    run->loaded =
        (vrs_bench_latency){(int64_t)l->frames, (double)l->p50_ns / 1e6, (double)l->p95_ns / 1e6,
                            (double)l->p99_ns / 1e6, (double)l->max_ns / 1e6};
    run->use.cpu_percent = 100 * s->cpu_share;
    if (s->gpu_memory_bytes > 0)
        run->use.gpu_memory = (double)s->gpu_memory_bytes;
    if (r->runs == 0)
        r->start_seconds = s->start_seconds;
    (void)snprintf(r->device, sizeof(r->device), "%s", s->device);
    (void)snprintf(r->engine, sizeof(r->engine), "%s", s->engine);
    (void)snprintf(r->decoder, sizeof(r->decoder), "%s", s->decoder);
    (void)snprintf(r->bottleneck, sizeof(r->bottleneck), "%s", s->bottleneck);
    return VRS_OK;
}

static vrs_status run_video(measuring *m, vrs_bench_run *run)
{
    const vrs_bench_work *w = m->work;
    char frames[24];
    m->over = false;
    (void)snprintf(frames, sizeof(frames), "%lld", (long long)w->frames);
    vrs_status status = vrs_config_set(m->config, "max_frames", frames);
    if (status == VRS_OK) /* a rate of two devices is none's */
        status = vrs_config_set(m->config, "device_fallback", "none");
    if (status == VRS_OK)
        status = vrs_job_create(m->config, w->input, &m->job);
    if (status == VRS_OK)
        status = vrs_job_add_output(m->job, w->kind, w->output);
    if (status == VRS_OK) {
        vrs_bench_watch_begin(&m->watch);
        status = vrs_job_run(m->job, watch_job, m);
        vrs_job_stats stats = vrs_job_get_stats(m->job);
        bool stopped = status == VRS_CANCELLED && m->over;
        bool damaged = status == VRS_CORRUPT && stats.failed == 0 && stats.written > 0;
        if (status == VRS_OK || stopped || damaged)
            status = take_job(m, &stats, run);
    }
    vrs_job_destroy(m->job);
    m->job = NULL;
    return status;
}

static vrs_status measure_video(measuring *m)
{
    vrs_bench_result *r = m->result;
    vrs_status status = VRS_OK;
    while (status == VRS_OK && r->runs < m->work->runs) {
        status = run_video(m, &r->run[r->runs]);
        r->runs += status == VRS_OK ? 1 : 0;
    }
    return status;
}

/* ---- the process ---- */

typedef struct trial {
    vrs_config *config;
    const vrs_bench_work *work;
} trial;

static void measure(void *opaque, void *report)
{
    const trial *t = opaque;
    vrs_bench_result *r = report;
    measuring m = {.config = t->config, .work = t->work, .result = r};
    struct rusage usage;
    vrs_bench_watch_open(&m.watch, t->work->pci);
    m.times = calloc(MOST_TIMES, sizeof(double));
    r->end.status = m.times == NULL      ? vrs_fail(VRS_NO_MEMORY, "no memory for a trial's times")
                    : t->work->open_only ? open_pipeline(&m)
                    : t->work->source == VRS_BENCH_MEMORY ? measure_memory(&m)
                                                          : measure_video(&m);
    if (r->end.status != VRS_OK)
        (void)snprintf(r->end.detail, sizeof(r->end.detail), "%s", vrs_last_error());
    (void)getrusage(RUSAGE_SELF, &usage);
    r->rss = (double)usage.ru_maxrss * 1024;
    vrs_bench_watch_close(&m.watch);
    free(m.times);
}

vrs_status vrs_bench_measure(vrs_config *config, const vrs_bench_work *work,
                             const volatile sig_atomic_t *stop, vrs_bench_result *result)
{
    trial t = {config, work};
    _Static_assert(sizeof(*result) <= VRS_TRIAL_REPORT_MAX, "a report fits a pipe");
    return vrs_trial_run(measure, &t, result, sizeof(*result), work->most_seconds, stop);
}
