#include "media/job/job_load.h"

#include <string.h>

#include "vrseg/system.h"

void vrs_job_load_wait(vrs_track *track, uint32_t kind, int64_t frame, int64_t ns)
{
    int64_t now = vrs_now_ns();
    if (ns > 0)
        vrs_track_record(track, kind, frame, now - ns, now);
}

static int64_t total(const vrs_recorder *recorder, uint32_t kind)
{
    return vrs_recorder_totals(recorder, kind).busy_ns;
}

static int64_t not_negative(int64_t value)
{
    return value > 0 ? value : 0;
}

static double share(int64_t ns, double whole_seconds)
{
    double value = whole_seconds > 0 ? (double)ns / 1e9 / whole_seconds : 0;
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

/* A writer's span holds its waits for disk and pipe, a reader's span does not. What a thread did
 * not work or wait for room it waited for work. */
void vrs_job_load_count(const vrs_job_load *load, const vrs_recorder *recorder,
                        vrs_queue *const *queues, int32_t queue_count, vrs_job_stats *stats)
{
    vrs_span_totals decode = vrs_recorder_totals(recorder, VRS_STAGE_DECODE);
    vrs_span_totals encode = vrs_recorder_totals(recorder, VRS_STAGE_ENCODE);
    int64_t blocked = total(recorder, VRS_SPAN_DISK) + total(recorder, VRS_SPAN_PIPE);
    int32_t writers = load->writers > 0 ? load->writers : 1;
    int64_t written = (int64_t)(stats->seconds * 1e9) * writers;
    vrs_stage_stats *stages = stats->pipeline.stages;
    stages[VRS_STAGE_DECODE] = (vrs_stage_stats){
        .frames = decode.count,
        .busy_ns = decode.busy_ns,
        .starved_ns = total(recorder, VRS_SPAN_SOURCE),
        .blocked_ns = total(recorder, VRS_SPAN_TICKET),
        .threads = load->readers,
    };
    stages[VRS_STAGE_ENCODE] = (vrs_stage_stats){
        .frames = encode.count,
        .busy_ns = not_negative(encode.busy_ns - blocked),
        .starved_ns = not_negative(written - encode.busy_ns),
        .blocked_ns = blocked,
        .threads = writers,
    };
    uint64_t pushes = 0, found = 0;
    for (int32_t i = 0; i < queue_count; i++) {
        vrs_queue_stats queue = vrs_queue_get_stats(queues[i]);
        vrs_stage_stats *stage = &stages[VRS_STAGE_ENCODE];
        pushes += queue.pushes;
        found += queue.found;
        stage->queue_most = queue.most > stage->queue_most ? queue.most : stage->queue_most;
        stage->queue_now += vrs_queue_depth(queues[i]);
    }
    stages[VRS_STAGE_ENCODE].queue = pushes > 0 ? (double)found / (double)pushes : 0;
}

/* At most one output is a pipe, so its wait is that of one thread. In a job the results that
 * nobody has released are those that wait for their writer, which is no consumer. */
static void measure(const vrs_job_load *load, const vrs_recorder *recorder,
                    const vrs_job_stats *stats, vrs_bottleneck *b)
{
    int32_t writers = load->writers > 0 ? load->writers : 1;
    vrs_bottleneck_of_stats(&stats->pipeline, stats->seconds, b);
    b->cores = vrs_cpu_count();
    b->live = load->live;
    b->gpu_decodes = strstr(stats->decoder, "nvdec") != NULL;
    b->gpu_encodes = load->gpu_encodes;
    for (int i = 0; i < VRS_STAGE_COUNT; i++)
        b->stages[i].cpu_seconds = stats->stage_cpu_seconds[i];
    double *used = b->resources;
    used[VRS_RESOURCE_CORES] = stats->cpu_share;
    used[VRS_RESOURCE_DECODER] = b->gpu_decodes ? b->stages[VRS_STAGE_DECODE].busy : -1;
    used[VRS_RESOURCE_ENCODER] = load->writers > 0 ? b->stages[VRS_STAGE_ENCODE].busy : -1;
    used[VRS_RESOURCE_DISK] =
        load->writers > 0 ? share(total(recorder, VRS_SPAN_DISK), stats->seconds * writers) : -1;
    used[VRS_RESOURCE_CONSUMER] = share(total(recorder, VRS_SPAN_PIPE), stats->seconds);
    used[VRS_RESOURCE_SOURCE] =
        share(total(recorder, VRS_SPAN_SOURCE), stats->seconds * load->readers);
}

void vrs_job_load_find(vrs_job_load *load, const vrs_recorder *recorder, bool last,
                       vrs_job_stats *stats)
{
    vrs_bottleneck b;
    measure(load, recorder, stats, &b);
    vrs_bottleneck_find(&b, &load->finding);
    memcpy(stats->resources, b.resources, sizeof(stats->resources));
    bool resource = load->finding.resource < VRS_RESOURCE_COUNT;
    stats->bottleneck = load->finding.text;
    stats->bottleneck_resource = vrs_resource_name(load->finding.resource);
    stats->bottleneck_stage = load->finding.found ? vrs_stage_name(load->finding.stage) : "none";
    stats->bottleneck_share =
        resource ? b.resources[load->finding.resource] : b.stages[load->finding.stage].busy;
    vrs_timeline_add(&load->timeline, &stats->pipeline, stats->seconds, stats->cpu_seconds, b.cores,
                     last);
    stats->timeline = load->timeline.samples;
    stats->timeline_count = load->timeline.count;
}
