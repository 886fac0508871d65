/* The figures of a fleet: sums over its devices. */
#include "pipeline/fleet.h"

#include <string.h>

#include "pipeline/fleet_internal.h"

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Percentiles of all together are not known from those of each: they are the worst one's. */
static void add_latency(vrs_latency *sum, const vrs_latency *one)
{
    uint64_t frames = sum->frames + one->frames;
    if (frames > 0) {
        double share = (double)one->frames / (double)frames;
        sum->mean_ns += (int64_t)((double)(one->mean_ns - sum->mean_ns) * share);
        sum->jitter_ns += (int64_t)((double)(one->jitter_ns - sum->jitter_ns) * share);
    }
    sum->frames = frames;
    sum->missed += one->missed;
    sum->p50_ns = larger(sum->p50_ns, one->p50_ns);
    sum->p95_ns = larger(sum->p95_ns, one->p95_ns);
    sum->p99_ns = larger(sum->p99_ns, one->p99_ns);
    sum->max_ns = larger(sum->max_ns, one->max_ns);
}

static void add_stage(vrs_stage_stats *sum, const vrs_stage_stats *one)
{
    uint64_t frames = sum->frames + one->frames;
    if (frames > 0)
        sum->queue += (one->queue - sum->queue) * (double)one->frames / (double)frames;
    sum->frames = frames;
    sum->busy_ns += one->busy_ns;
    sum->starved_ns += one->starved_ns;
    sum->blocked_ns += one->blocked_ns;
    sum->threads += one->threads;
    sum->queue_most = one->queue_most > sum->queue_most ? one->queue_most : sum->queue_most;
    sum->queue_now += one->queue_now;
}

static void add_frames(vrs_pipeline_stats *sum, const vrs_pipeline_stats *one)
{
    sum->submitted += one->submitted;
    sum->finished += one->finished;
    sum->failed += one->failed;
    sum->timed_out += one->timed_out;
    sum->dropped += one->dropped;
    sum->cancelled += one->cancelled;
    sum->refused += one->refused;
    sum->repeated += one->repeated;
    for (size_t i = 0; i < sizeof(sum->batches) / sizeof(sum->batches[0]); i++)
        sum->batches[i] += one->batches[i];
    sum->waiting += one->waiting;
    sum->most_waiting += one->most_waiting;
    if (sum->batch_limit == 0 || one->batch_limit < sum->batch_limit)
        sum->batch_limit = one->batch_limit;
}

/* Of the devices' own time the busiest one's counts: it is what may limit. */
static void add_stats(vrs_pipeline_stats *sum, const vrs_pipeline_stats *one)
{
    add_frames(sum, one);
    if (sum->started_ns == 0 || one->started_ns < sum->started_ns)
        sum->started_ns = one->started_ns;
    bool first = one->first_result_ns > 0 &&
                 (sum->first_result_ns == 0 || one->first_result_ns < sum->first_result_ns);
    if (first)
        sum->first_result_ns = one->first_result_ns;
    sum->last_result_ns = larger(sum->last_result_ns, one->last_result_ns);
    for (int i = 0; i < VRS_STAGE_COUNT; i++)
        add_stage(&sum->stages[i], &one->stages[i]);
    sum->tickets += one->tickets;
    sum->tickets_in_use += one->tickets_in_use;
    sum->tickets_wanted += one->tickets_wanted;
    sum->host_bytes += one->host_bytes;
    sum->device_budget += one->device_budget;
    sum->device_bytes += one->device_bytes;
    sum->pinned_budget += one->pinned_budget;
    sum->pinned_bytes += one->pinned_bytes;
    sum->network_width = one->network_width;
    sum->network_height = one->network_height;
    sum->on_gpu = sum->on_gpu || one->on_gpu;
    sum->network_on_gpu = sum->network_on_gpu || one->network_on_gpu;
    sum->gpu_ns = larger(sum->gpu_ns, one->gpu_ns);
    sum->copy_ns = larger(sum->copy_ns, one->copy_ns);
    sum->wait_ns = larger(sum->wait_ns, one->wait_ns);
    sum->unread_ns = larger(sum->unread_ns, one->unread_ns);
    sum->short_ns = larger(sum->short_ns, one->short_ns);
    add_latency(&sum->latency, &one->latency);
    sum->latency_target_ns = one->latency_target_ns;
    sum->live_steps |= one->live_steps;
    sum->live_changes += one->live_changes;
}

vrs_pipeline_stats vrs_fleet_get_stats(vrs_fleet *fleet)
{
    if (fleet->count == 1) /* whole, whatever a pipeline tells */
        return vrs_pipeline_get_stats(fleet->members[0].pipeline);
    vrs_pipeline_stats sum = {0};
    for (int32_t i = 0; i < fleet->count; i++) {
        if (fleet->members[i].pipeline == NULL)
            continue;
        vrs_pipeline_stats one = vrs_pipeline_get_stats(fleet->members[i].pipeline);
        vrs_mutex_lock(&fleet->lock);
        uint64_t moved = fleet->members[i].moved;
        vrs_mutex_unlock(&fleet->lock);
        one.submitted -= moved;
        one.finished -= moved;
        one.failed -= moved;
        add_stats(&sum, &one);
    }
    return sum;
}

/* Both lists are oldest first; the last `room` of them stay. */
static uint32_t merge(vrs_live_change *into, uint32_t count, const vrs_live_change *more,
                      uint32_t more_count, uint32_t room)
{
    vrs_live_change old[VRS_LIVE_CHANGES] = {0};
    memcpy(old, into, count * sizeof(*old));
    uint32_t all = count + more_count, skipped = all > room ? all - room : 0;
    uint32_t a = 0, b = 0;
    for (uint32_t i = 0; i < all; i++) {
        bool take_old = a < count && (b == more_count || old[a].time_ns <= more[b].time_ns);
        const vrs_live_change *next = take_old ? &old[a++] : &more[b++];
        if (i >= skipped)
            into[i - skipped] = *next;
    }
    return all - skipped;
}

uint32_t vrs_fleet_get_changes(vrs_fleet *fleet, vrs_live_change *changes, uint32_t room)
{
    uint32_t count = 0;
    for (int32_t i = 0; i < fleet->count; i++) {
        vrs_live_change more[VRS_LIVE_CHANGES];
        uint32_t got = vrs_pipeline_get_changes(fleet->members[i].pipeline, more, room);
        count = merge(changes, count, more, got, room);
    }
    return count;
}
