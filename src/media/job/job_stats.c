/* The figures of a job and of its inputs. */
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "media/job/job_internal.h"
#include "media/sink/carry.h"
#include "vrseg/system.h"

double vrs_job_cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

const char *vrs_job_state_name(vrs_job_state state)
{
    static const char *const names[] = {"waiting", "running", "done", "failed", "stopped"};
    return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

/* The slot of an input that is running; NULL: none. With the job's lock. */
static const vrs_job_slot *slot_of(const vrs_job *job, const vrs_job_input *input)
{
    for (int32_t i = 0; i < job->slot_count && input->state == VRS_JOB_RUNNING; i++)
        if (job->slots[i].input == input)
            return &job->slots[i];
    return NULL;
}

/* With the job's lock. */
static vrs_job_input_stats look(const vrs_job *job, const vrs_job_input *input)
{
    bool ended = input->state != VRS_JOB_WAITING && input->state != VRS_JOB_RUNNING;
    vrs_job_input_stats stats = {
        .path = input->path,
        .output_count = job->pattern_count,
        .state = input->state,
        .status = input->status,
        .detail = ended && input->detail != NULL ? input->detail : "",
        .note = ended && input->note != NULL ? input->note : "",
        .decoder = input->decoder,
        .frame_estimate = input->frame_estimate,
        .read = input->read,
        .written = input->written,
        .failed = input->failed,
        .damaged = input->damaged,
    };
    for (int32_t i = 0; i < job->pattern_count; i++)
        stats.outputs[i] = input->outputs[i] != NULL ? input->outputs[i] : "";
    const vrs_job_slot *slot = slot_of(job, input);
    if (slot != NULL) {
        stats.read = slot->kept + vrs_slot_wanted(slot, slot->frames_read);
        stats.written = slot->kept + vrs_slot_wanted(slot, slot->delivered) - slot->dropped;
        stats.failed = slot->failures;
        if (stats.decoder[0] != 0)
            stats.decoder = atomic_load(&slot->by_hardware) ? "nvdec" : "cpu";
    }
    if (input->begin_ns > 0)
        stats.seconds = (double)((ended ? input->end_ns : vrs_now_ns()) - input->begin_ns) / 1e9;
    return stats;
}

vrs_job_input_stats vrs_job_get_input(vrs_job *job, int32_t index)
{
    vrs_mutex_lock(&job->lock);
    vrs_job_input_stats stats = look(job, &job->inputs[index]);
    vrs_mutex_unlock(&job->lock);
    return stats;
}

static void count_state(vrs_job_inputs *inputs, vrs_job_state state)
{
    inputs->all++;
    inputs->waiting += state == VRS_JOB_WAITING ? 1 : 0;
    inputs->running += state == VRS_JOB_RUNNING ? 1 : 0;
    inputs->done += state == VRS_JOB_DONE ? 1 : 0;
    inputs->failed += state == VRS_JOB_FAILED ? 1 : 0;
    inputs->stopped += state == VRS_JOB_STOPPED ? 1 : 0;
}

/* Sums over the inputs. An input that is not open yet counts as the mean of those that are known;
 * one that ended by what it had. */
static void sum_inputs(vrs_job *job, vrs_job_stats *stats)
{
    int64_t known = 0, frames = 0;
    bool unknown = false, nvdec = false, cpu = false;
    vrs_mutex_lock(&job->lock);
    for (int32_t i = 0; i < job->input_count; i++) {
        vrs_job_input_stats one = look(job, &job->inputs[i]);
        count_state(&stats->inputs, one.state);
        stats->read += one.read;
        stats->written += one.written;
        stats->failed += one.failed;
        stats->damaged += one.damaged;
        nvdec = nvdec || strcmp(one.decoder, "nvdec") == 0;
        cpu = cpu || strcmp(one.decoder, "cpu") == 0;
        if (one.state == VRS_JOB_WAITING || one.state == VRS_JOB_FAILED)
            continue;
        bool ended = one.state != VRS_JOB_RUNNING && job->input_count > 1;
        unknown = unknown || (!ended && one.frame_estimate < 0);
        frames += ended ? (int64_t)one.written : one.frame_estimate;
        known++;
    }
    vrs_mutex_unlock(&job->lock);
    if (!unknown && known > 0)
        stats->frame_estimate = frames + frames / known * stats->inputs.waiting;
    stats->decoder = nvdec && cpu ? "nvdec, cpu" : nvdec ? "nvdec" : cpu ? "cpu" : "";
}

static bool writes(const vrs_job_pattern *pattern)
{
    return pattern->kind != VRS_JOB_PREVIEW && strcmp(pattern->path, "null") != 0;
}

static void measure_stages(vrs_job *job, vrs_job_stats *stats)
{
    int32_t writers = 0;
    for (int32_t i = 0; i < job->slot_count; i++)
        for (int32_t k = 0; k < job->pattern_count; k++)
            if (writes(&job->patterns[k]))
                job->queues[writers++] = job->slots[i].sinks[k].queue;
    job->load.readers = job->slot_count;
    job->load.writers = writers;
    job->load.live = job->live;
    vrs_job_load_count(&job->load, job->recorder, job->queues, writers, stats);
    for (int i = 0; i < VRS_STAGE_COUNT && stats->seconds > 0; i++)
        stats->overlap += (double)stats->pipeline.stages[i].busy_ns / 1e9 / stats->seconds;
    vrs_thread_times_sum(&job->times, stats->stage_cpu_seconds);
}

/* Of the whole job: of a single input its own, and what the devices tell. */
static void add_notes(vrs_job *job, vrs_job_stats *stats)
{
    char text[VRS_DETAIL_SIZE];
    job->note[0] = 0;
    if (job->input_count == 1 && job->inputs[0].note != NULL)
        vrs_note_add(job->note, sizeof(job->note), "%s", job->inputs[0].note);
    vrs_fleet_note(job->fleet, text, sizeof(text));
    if (text[0] != 0)
        vrs_note_add(job->note, sizeof(job->note), "%s", text);
    stats->note = job->note;
}

vrs_job_stats vrs_job_get_stats(vrs_job *job)
{
    vrs_job_stats stats = {.frame_estimate = -1,
                           .gpu_percent = -1,
                           .device = "",
                           .decoder = "",
                           .engine = "",
                           .bottleneck = "",
                           .bottleneck_resource = "none",
                           .bottleneck_stage = "none",
                           .note = "",
                           .fallback = ""};
    bool ended = job->end_ns != 0;
    int64_t now = ended ? job->end_ns : vrs_now_ns();
    sum_inputs(job, &stats);
    if (!job->started) {
        if (ended && job->fleet != NULL)
            add_notes(job, &stats);
        return stats;
    }
    stats.pipeline = vrs_fleet_get_stats(job->fleet);
    stats.device = vrs_fleet_device(job->fleet);
    stats.engine = vrs_fleet_engine(job->fleet);
    stats.fallback = vrs_fleet_fallback(job->fleet);
    int64_t first = stats.pipeline.first_result_ns;
    stats.first_mask_seconds = first > 0 ? (double)(first - job->run_ns) / 1e9 : 0;
    stats.seconds = (double)(now - stats.pipeline.started_ns) / 1e9;
    stats.fps = stats.seconds > 0 ? (double)stats.written / stats.seconds : 0;
    stats.start_seconds = (double)(stats.pipeline.started_ns - job->run_ns) / 1e9;
    stats.start_cpu_seconds = job->started_cpu_seconds - job->run_cpu_seconds;
    stats.cpu_seconds =
        (ended ? job->end_cpu_seconds : vrs_job_cpu_seconds()) - job->started_cpu_seconds;
    double wall = stats.seconds * vrs_cpu_count();
    stats.cpu_share = wall > 0 ? stats.cpu_seconds / wall : 0;
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    stats.peak_rss_bytes = (int64_t)usage.ru_maxrss * 1024;
    vrs_job_gpu_stats(job, &stats);
    stats.started_ns = stats.pipeline.started_ns;
    stats.changes = job->changes;
    stats.change_count = (int32_t)vrs_fleet_get_changes(job->fleet, job->changes, VRS_LIVE_CHANGES);
    measure_stages(job, &stats);
    vrs_job_load_find(&job->load, job->recorder, ended, &stats);
    if (ended)
        add_notes(job, &stats);
    return stats;
}
