/* Where the time of a run went, for people and as JSON: latency, stages, resources, live mode. */
#include "cli/cli.h"
#include "cli/json.h"

static double in_ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static double of_stage(int64_t ns, const vrs_stage_stats *stage, double seconds)
{
    double whole = seconds * 1e9 * (stage->threads > 0 ? stage->threads : 1);
    return whole > 0 ? 100 * (double)ns / whole : 0;
}

static void print_stages(FILE *out, const vrs_job_stats *s)
{
    double frames = s->written > 0 ? (double)s->written : 1;
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        const vrs_stage_stats *stage = &s->pipeline.stages[i];
        (void)fprintf(out,
                      "  %-12s %7.2f ms a frame, %7.2f ms of CPU; busy %3.0f %%, starved %3.0f %%, "
                      "blocked %3.0f %%; queue %.1f\n",
                      vrs_stage_name((vrs_stage)i), in_ms(stage->busy_ns) / frames,
                      s->stage_cpu_seconds[i] * 1e3 / frames,
                      of_stage(stage->busy_ns, stage, s->seconds),
                      of_stage(stage->starved_ns, stage, s->seconds),
                      of_stage(stage->blocked_ns, stage, s->seconds), stage->queue);
    }
}

static void print_live(FILE *out, const vrs_job_stats *s)
{
    if (s->pipeline.dropped > 0)
        (void)fprintf(out, "%llu frames came too late and were dropped\n",
                      (unsigned long long)s->pipeline.dropped);
    if (s->pipeline.repeated > 0)
        (void)fprintf(out, "%llu frames have the mask of the frame before\n",
                      (unsigned long long)s->pipeline.repeated);
    for (int32_t i = 0; i < s->change_count; i++) {
        char from[64], to[64];
        vrs_live_steps_text(s->changes[i].from, from, sizeof(from));
        vrs_live_steps_text(s->changes[i].to, to, sizeof(to));
        (void)fprintf(out, "  after %.2f s: from %s to %s, as %s\n",
                      (double)(s->changes[i].time_ns - s->started_ns) / 1e9, from, to,
                      s->changes[i].reason);
    }
}

void vrs_load_print(FILE *out, const vrs_job_stats *s)
{
    const vrs_latency *l = &s->pipeline.latency;
    print_stages(out, s);
    if (l->frames > 0) {
        (void)fprintf(out,
                      "latency, capture to mask: p50 %.2f ms, p95 %.2f, p99 %.2f, most %.2f; "
                      "jitter %.2f",
                      in_ms(l->p50_ns), in_ms(l->p95_ns), in_ms(l->p99_ns), in_ms(l->max_ns),
                      in_ms(l->jitter_ns));
        if (s->pipeline.latency_target_ns > 0)
            (void)fprintf(out, "; %llu after the target of %.1f ms", (unsigned long long)l->missed,
                          in_ms(s->pipeline.latency_target_ns));
        (void)fputc('\n', out);
    }
    print_live(out, s);
}

/* ---- JSON ---- */

static void stages_json(yajl_gen gen, const vrs_job_stats *s)
{
    vrs_json_key(gen, "stages");
    (void)yajl_gen_map_open(gen);
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        const vrs_stage_stats *stage = &s->pipeline.stages[i];
        vrs_json_key(gen, vrs_stage_name((vrs_stage)i));
        (void)yajl_gen_map_open(gen);
        vrs_json_integer(gen, "frames", (int64_t)stage->frames);
        vrs_json_number(gen, "busy_seconds", (double)stage->busy_ns / 1e9);
        vrs_json_number(gen, "starved_seconds", (double)stage->starved_ns / 1e9);
        vrs_json_number(gen, "blocked_seconds", (double)stage->blocked_ns / 1e9);
        vrs_json_number(gen, "cpu_seconds", s->stage_cpu_seconds[i]);
        vrs_json_integer(gen, "threads", stage->threads);
        vrs_json_number(gen, "queue_mean", stage->queue);
        vrs_json_integer(gen, "queue_most", stage->queue_most);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_map_close(gen);
}

static void latency_json(yajl_gen gen, const vrs_pipeline_stats *s)
{
    const vrs_latency *l = &s->latency;
    vrs_json_key(gen, "latency");
    (void)yajl_gen_map_open(gen);
    vrs_json_integer(gen, "frames", (int64_t)l->frames);
    vrs_json_reading(gen, "target_ms", s->latency_target_ns > 0 ? in_ms(s->latency_target_ns) : -1,
                     3);
    vrs_json_integer(gen, "missed", (int64_t)l->missed);
    vrs_json_number(gen, "mean_ms", in_ms(l->mean_ns));
    vrs_json_number(gen, "p50_ms", in_ms(l->p50_ns));
    vrs_json_number(gen, "p95_ms", in_ms(l->p95_ns));
    vrs_json_number(gen, "p99_ms", in_ms(l->p99_ns));
    vrs_json_number(gen, "max_ms", in_ms(l->max_ns));
    vrs_json_number(gen, "jitter_ms", in_ms(l->jitter_ns));
    (void)yajl_gen_map_close(gen);
}

static void live_json(yajl_gen gen, const vrs_job_stats *s)
{
    char text[64];
    vrs_json_key(gen, "live");
    (void)yajl_gen_map_open(gen);
    vrs_json_integer(gen, "dropped", (int64_t)s->pipeline.dropped);
    vrs_json_integer(gen, "repeated", (int64_t)s->pipeline.repeated);
    vrs_live_steps_text(s->pipeline.live_steps, text, sizeof(text));
    vrs_json_text(gen, "now", text);
    vrs_json_integer(gen, "changes_all", s->pipeline.live_changes);
    vrs_json_key(gen, "changes");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < s->change_count; i++) {
        const vrs_live_change *change = &s->changes[i];
        (void)yajl_gen_map_open(gen);
        vrs_json_number(gen, "seconds", (double)(change->time_ns - s->started_ns) / 1e9);
        vrs_live_steps_text(change->from, text, sizeof(text));
        vrs_json_text(gen, "from", text);
        vrs_live_steps_text(change->to, text, sizeof(text));
        vrs_json_text(gen, "to", text);
        vrs_json_text(gen, "reason", change->reason);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_array_close(gen);
    (void)yajl_gen_map_close(gen);
}

static void shares_json(yajl_gen gen, const char *name, const double values[VRS_STAGE_COUNT])
{
    vrs_json_key(gen, name);
    (void)yajl_gen_map_open(gen);
    for (int i = 0; i < VRS_STAGE_COUNT; i++)
        vrs_json_reading(gen, vrs_stage_name((vrs_stage)i), values[i], 3);
    (void)yajl_gen_map_close(gen);
}

static void timeline_json(yajl_gen gen, const vrs_job_stats *s)
{
    vrs_json_key(gen, "timeline");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < s->timeline_count; i++) {
        const vrs_load_sample *sample = &s->timeline[i];
        (void)yajl_gen_map_open(gen);
        vrs_json_reading(gen, "begin", sample->begin_seconds, 3);
        vrs_json_reading(gen, "end", sample->end_seconds, 3);
        vrs_json_reading(gen, "fps", sample->fps, 2);
        vrs_json_reading(gen, "cpu_share", sample->cpu_share, 3);
        shares_json(gen, "busy", sample->busy);
        shares_json(gen, "starved", sample->starved);
        shares_json(gen, "blocked", sample->blocked);
        shares_json(gen, "queue", sample->queue);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_array_close(gen);
}

void vrs_load_json(yajl_gen gen, const vrs_job_stats *s)
{
    stages_json(gen, s);
    latency_json(gen, &s->pipeline);
    live_json(gen, s);
    vrs_json_key(gen, "resources");
    (void)yajl_gen_map_open(gen);
    for (int i = 0; i < VRS_RESOURCE_COUNT; i++)
        vrs_json_reading(gen, vrs_resource_name((vrs_resource)i), s->resources[i], 4);
    (void)yajl_gen_map_close(gen);
    vrs_json_text(gen, "bottleneck", s->bottleneck);
    vrs_json_text(gen, "bottleneck_resource", s->bottleneck_resource);
    vrs_json_text(gen, "bottleneck_stage", s->bottleneck_stage);
    timeline_json(gen, s);
}
