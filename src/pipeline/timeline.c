#include "pipeline/timeline.h"

/* The mean of two stretches by their lengths. */
static double mix(double a, double a_seconds, double b, double b_seconds)
{
    return (a * a_seconds + b * b_seconds) / (a_seconds + b_seconds);
}

static vrs_load_sample join(const vrs_load_sample *a, const vrs_load_sample *b)
{
    double la = a->end_seconds - a->begin_seconds, lb = b->end_seconds - b->begin_seconds;
    vrs_load_sample sum = {
        .begin_seconds = a->begin_seconds,
        .end_seconds = b->end_seconds,
        .fps = mix(a->fps, la, b->fps, lb),
        .cpu_share = mix(a->cpu_share, la, b->cpu_share, lb),
    };
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        sum.busy[i] = mix(a->busy[i], la, b->busy[i], lb);
        sum.starved[i] = mix(a->starved[i], la, b->starved[i], lb);
        sum.blocked[i] = mix(a->blocked[i], la, b->blocked[i], lb);
        sum.queue[i] = mix(a->queue[i], la, b->queue[i], lb);
    }
    return sum;
}

static void merge(vrs_timeline *t)
{
    for (int32_t i = 0; i < t->count / 2; i++)
        t->samples[i] = join(&t->samples[2 * i], &t->samples[2 * i + 1]);
    t->count /= 2;
    t->merged++;
}

/* Of `whole` seconds of a stage's threads; a share that was corrected downwards since is 0. */
static double share(int64_t now_ns, int64_t then_ns, double whole)
{
    double value = (double)(now_ns - then_ns) / 1e9 / whole;
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

void vrs_timeline_add(vrs_timeline *t, const vrs_pipeline_stats *stats, double seconds,
                      double cpu_seconds, int32_t cores, bool last)
{
    double length = seconds - t->seconds;
    double least = VRS_TIMELINE_SECONDS * (double)(INT64_C(1) << (t->merged < 40 ? t->merged : 40));
    if (length <= 0 || (length < least && !last))
        return;
    if (t->count == VRS_LOAD_SAMPLES)
        merge(t);
    vrs_load_sample *s = &t->samples[t->count++];
    *s = (vrs_load_sample){
        .begin_seconds = t->seconds,
        .end_seconds = seconds,
        .fps = (double)(stats->finished - t->frames) / length,
        .cpu_share = (cpu_seconds - t->cpu_seconds) / (length * (cores > 0 ? cores : 1)),
    };
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        const vrs_stage_stats *now = &stats->stages[i], *then = &t->stages[i];
        double whole = length * (now->threads > 0 ? now->threads : 1);
        s->busy[i] = share(now->busy_ns, then->busy_ns, whole);
        s->starved[i] = share(now->starved_ns, then->starved_ns, whole);
        s->blocked[i] = share(now->blocked_ns, then->blocked_ns, whole);
        s->queue[i] = now->queue_now;
        t->stages[i] = *now;
    }
    t->seconds = seconds;
    t->frames = stats->finished;
    t->cpu_seconds = cpu_seconds;
}
