#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/json.h"

/* Seconds between lines where standard error is no terminal. */
#define PLAIN_SECONDS 5.0

void vrs_progress_start(vrs_progress *progress, vrs_progress_kind kind, vrs_job *job)
{
    memset(progress, 0, sizeof(*progress));
    progress->job = job;
    progress->kind = kind;
    progress->terminal = isatty(STDERR_FILENO);
    vrs_compiling_start(&progress->compiling, kind);
    vrs_compile_on_progress(vrs_compiling_show, &progress->compiling);
}

static const char *busiest(const vrs_job_stats *stats, double *share)
{
    int best = 0;
    double all = 0;
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        all += stats->stage_cpu_seconds[i];
        if (stats->stage_cpu_seconds[i] > stats->stage_cpu_seconds[best])
            best = i;
    }
    *share = all > 0 ? stats->stage_cpu_seconds[best] / all : 0;
    return vrs_stage_name((vrs_stage)best);
}

/* "limit: cores 97 % (encode)", "limit: preprocess 92 %"; where nothing limits, the busiest. */
static void format_limit(const vrs_job_stats *stats, char *text, size_t size)
{
    double share = stats->bottleneck_share;
    double percent = 100 * (share < 0 ? 0 : share > 1 ? 1 : share);
    if (strcmp(stats->bottleneck_stage, "none") == 0) {
        const char *stage = busiest(stats, &share);
        (void)snprintf(text, size, "busiest %s (%.0f %%)", stage, share * 100);
    } else if (strcmp(stats->bottleneck_resource, "none") == 0) {
        (void)snprintf(text, size, "limit: %s %.0f %%", stats->bottleneck_stage, percent);
    } else {
        (void)snprintf(text, size, "limit: %s %.0f %% (%s)", stats->bottleneck_resource, percent,
                       stats->bottleneck_stage);
    }
}

static void format_time(double seconds, char text[32])
{
    int64_t s = (int64_t)(seconds + 0.5);
    (void)snprintf(text, 32, "%lld:%02lld:%02lld", (long long)(s / 3600), (long long)(s / 60 % 60),
                   (long long)(s % 60));
}

static double seconds_left(const vrs_job_stats *stats)
{
    int64_t left = stats->frame_estimate - (int64_t)stats->written;
    return left > 0 && stats->fps > 0 ? (double)left / stats->fps : -1;
}

static void show_json(const vrs_progress *progress, const vrs_job_stats *stats)
{
    double share;
    vrs_job_expected expected;
    vrs_job_get_expected(progress->job, &expected);
    const char *stage = busiest(stats, &share);
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return; /* a line less */
    (void)yajl_gen_map_open(gen);
    vrs_json_integer(gen, "frames", (int64_t)stats->written);
    vrs_json_integer(gen, "of", stats->frame_estimate);
    vrs_json_integer(gen, "inputs", stats->inputs.all);
    vrs_json_integer(gen, "inputs_done", stats->inputs.done);
    vrs_json_integer(gen, "inputs_failed", stats->inputs.failed);
    vrs_json_integer(gen, "inputs_running", stats->inputs.running);
    vrs_json_reading(gen, "seconds", stats->seconds, 2);
    vrs_json_reading(gen, "fps", stats->fps, 2);
    vrs_json_reading(gen, "seconds_left", seconds_left(stats), 1);
    vrs_expect_json(gen, &expected, &progress->time);
    vrs_json_text(gen, "busiest", stage);
    vrs_json_reading(gen, "busiest_share", share, 3);
    vrs_json_reading(gen, "cpu_share", stats->cpu_share, 3);
    vrs_json_text(gen, "bottleneck", stats->bottleneck);
    vrs_json_text(gen, "bottleneck_resource", stats->bottleneck_resource);
    vrs_json_text(gen, "bottleneck_stage", stats->bottleneck_stage);
    vrs_json_integer(gen, "dropped", (int64_t)stats->pipeline.dropped);
    vrs_json_reading(gen, "latency_p99_ms", (double)stats->pipeline.latency.p99_ns / 1e6, 2);
    vrs_json_text(gen, "device", stats->device);
    vrs_json_text(gen, "decoder", stats->decoder);
    vrs_json_text(gen, "engine", stats->engine);
    (void)yajl_gen_map_close(gen);
    vrs_json_line(gen, stderr);
    yajl_gen_free(gen);
}

static void format_inputs(const vrs_job_inputs *inputs, char *text, size_t size)
{
    char failed[32] = "";
    if (inputs->failed > 0)
        (void)snprintf(failed, sizeof(failed), ", %d failed", inputs->failed);
    (void)snprintf(text, size, "%d of %d inputs done%s; ", inputs->done, inputs->all, failed);
}

static void clear_line(const vrs_progress *progress)
{
    if (progress->shown && progress->terminal)
        (void)fputs(VRS_LINE_CLEAR, stderr);
}

/* Where the work is done, and why there; and what it will take, of memory as soon as it is known.
 */
static void show_first(vrs_progress *progress, const vrs_job_stats *stats)
{
    vrs_job_expected expected;
    vrs_job_get_expected(progress->job, &expected);
    if (!progress->named) {
        (void)fprintf(stderr, "vrseg: device %s, decoded by %s, network by %s\n", stats->device,
                      stats->decoder, stats->engine);
        vrs_expect_print_disks(stderr, &expected);
    }
    if (expected.host_bytes > 0) {
        clear_line(progress);
        vrs_expect_print_memory(stderr, &expected);
        progress->memory_said = 1;
    }
}

static void show_line(vrs_progress *progress, const vrs_job_stats *stats)
{
    char limit[64];
    format_limit(stats, limit, sizeof(limit));
    char left[64] = "", total[32] = "";
    if (stats->frame_estimate > 0)
        (void)snprintf(total, sizeof(total), " of %lld", (long long)stats->frame_estimate);
    if (seconds_left(stats) > 0) {
        char time[32];
        format_time(seconds_left(stats), time);
        (void)snprintf(left, sizeof(left), ", %s left", time);
    }
    char inputs[96] = "";
    if (stats->inputs.all > 1)
        format_inputs(&stats->inputs, inputs, sizeof(inputs));
    (void)fprintf(stderr, "%s%s%llu%s frames, %.1f fps%s, %s%s",
                  progress->terminal ? VRS_LINE_BEGIN : "", inputs,
                  (unsigned long long)stats->written, total, stats->fps, left, limit,
                  progress->terminal ? VRS_LINE_END : "\n");
    (void)fflush(stderr);
    progress->shown = 1;
}

void vrs_progress_show(void *opaque, const vrs_job_stats *stats)
{
    vrs_progress *progress = opaque;
    bool found = vrs_expect_look(&progress->time, stats);
    if (progress->kind == VRS_PROGRESS_NONE)
        return;
    if (progress->kind == VRS_PROGRESS_JSON) {
        show_json(progress, stats);
        return;
    }
    const bool first = !progress->named;
    if (first || !progress->memory_said)
        show_first(progress, stats);
    progress->named = 1;
    if (first)
        return;
    if (found) {
        clear_line(progress);
        vrs_expect_print_time(stderr, &progress->time, stats);
    }
    if (!progress->terminal && stats->seconds - progress->last_seconds < PLAIN_SECONDS)
        return;
    progress->last_seconds = stats->seconds;
    show_line(progress, stats);
}

void vrs_progress_end(vrs_progress *progress)
{
    vrs_compile_on_progress(NULL, NULL);
    vrs_compiling_end(&progress->compiling);
    clear_line(progress);
}
