/* What a run will take, before its first frame. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "media/job/job_internal.h"
#include "media/sink/room.h"

/* Where a first frame does not come, a run is not kept from showing what it does. */
#define MOST_WAIT_NS (10 * VRS_NS_PER_S)

/* Stacks and heaps of the threads that start now, files' buffers, what libraries take at their
 * first use: as measured, rounded up. */
#define THREADS_BYTES (UINT64_C(64) << 20)

/* A frame's place in the index that libav's muxer has in memory while the segments are joined; by
 * then the encoder is closed. Measured: 163. */
#define INDEX_BYTES 192

/* Of an output, at most. */
static uint64_t held_by_sink(const vrs_job_slot *slot, const vrs_sink *sink)
{
    const int64_t estimate = slot->source->info.frame_estimate;
    const uint64_t frames = estimate > 0 ? (uint64_t)estimate : 0;
    const uint64_t index = sink->held_bytes > 0 ? frames * INDEX_BYTES : 0;
    return index > sink->held_bytes ? index : sink->held_bytes;
}

void vrs_job_expect(vrs_job *job)
{
    struct rusage usage;
    vrs_mutex_lock(&job->lock);
    for (int32_t i = 0; i < job->slot_count; i++) {
        const vrs_job_slot *slot = &job->slots[i];
        if (slot->source == NULL)
            continue;
        job->held.decoder_bytes += slot->source->held_bytes;
        for (int32_t k = 0; k < job->pattern_count; k++)
            if (slot->sinks[k].sink != NULL)
                job->held.encoder_bytes += held_by_sink(slot, slot->sinks[k].sink);
    }
    vrs_mutex_unlock(&job->lock);
    (void)getrusage(RUSAGE_SELF, &usage);
    job->held.program_bytes = (uint64_t)usage.ru_maxrss * 1024 + THREADS_BYTES;
}

/* With the lock: a slot whose first frame is not submitted yet, and will be. */
static bool is_coming(const vrs_job *job)
{
    for (int32_t i = 0; i < job->slot_count; i++) {
        const vrs_job_slot *slot = &job->slots[i];
        if (slot->input != NULL && !slot->submitted && !slot->read_ended)
            return true;
    }
    return false;
}

void vrs_job_look_expected(vrs_job *job)
{
    vrs_job_expected *held = &job->held;
    if (held->frames_bytes > 0)
        return;
    vrs_mutex_lock(&job->lock);
    const bool coming = is_coming(job);
    vrs_mutex_unlock(&job->lock);
    if (coming)
        return;
    const vrs_pipeline_stats stats = vrs_fleet_get_stats(job->fleet);
    held->gpu_budget_bytes = stats.device_budget;
    held->gpu_bytes = stats.device_bytes;
    held->pinned_budget_bytes = stats.pinned_budget;
    held->pinned_bytes = stats.pinned_bytes;
    held->frames_bytes = stats.host_bytes;
    if (held->frames_bytes > 0)
        held->host_bytes = held->program_bytes + held->frames_bytes + held->decoder_bytes +
                           held->encoder_bytes + held->pinned_bytes;
}

void vrs_job_wait_expected(vrs_job *job)
{
    const int64_t until_ns = vrs_now_ns() + MOST_WAIT_NS;
    vrs_mutex_lock(&job->lock);
    while (job->slots_ended < job->slot_count && is_coming(job) && vrs_now_ns() < until_ns)
        (void)vrs_cond_wait_until(&job->changed, &job->lock, until_ns);
    vrs_mutex_unlock(&job->lock);
    vrs_job_look_expected(job);
    job->said = true;
}

static void copy_disks(const vrs_room_sum *sum, vrs_job_expected *expected)
{
    for (int32_t i = 0; i < sum->count && i < VRS_JOB_DISKS; i++) {
        const vrs_room_disk *from = &sum->disks[i];
        vrs_job_disk *to = &expected->disks[expected->disk_count++];
        (void)snprintf(to->folder, sizeof(to->folder), "%s", from->folder);
        to->free_bytes = from->available;
        to->least_bytes = from->need.least;
        to->likely_bytes = from->need.likely;
        to->outputs = from->outputs;
    }
}

void vrs_job_get_expected(vrs_job *job, vrs_job_expected *expected)
{
    memset(expected, 0, sizeof(*expected));
    if (!job->said)
        return;
    *expected = job->held;
    expected->length_known = job->length_known;
    copy_disks(job->room, expected);
}
