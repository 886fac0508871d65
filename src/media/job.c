/* A job: reader thread, pipeline, a thread for each sink, and the calling thread between them. */
#include "vrseg/job.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "media/carry.h"
#include "media/job_internal.h"
#include "media/write_times.h"
#include "profile/profile.h"
#include "vrseg/monitor.h"

#define VRS_TICK_US 250000
#define VRS_END_TICK_US 50000
/* Spans kept of each thread, for the profile. */
#define SPANS_KEPT 1024

vrs_status vrs_job_create(const vrs_config *config, const char *input, vrs_job **out)
{
    vrs_job *job = vrs_alloc(sizeof(*job));
    if (job == NULL)
        return VRS_NO_MEMORY;
    job->config = config;
    job->input = vrs_strdup(input);
    vrs_status status = job->input == NULL ? VRS_NO_MEMORY : vrs_mutex_init(&job->lock);
    job->has_lock = status == VRS_OK;
    if (status == VRS_OK) {
        status = vrs_cond_init(&job->sink_ended);
        job->has_sink_ended = status == VRS_OK;
    }
    if (status == VRS_OK) {
        status = vrs_cond_init(&job->due);
        job->has_due = status == VRS_OK;
    }
    if (status == VRS_OK)
        status = vrs_recorder_create(VRS_MAX_OUTPUTS + 2, SPANS_KEPT, &job->recorder);
    if (status != VRS_OK) {
        vrs_job_destroy(job);
        return status;
    }
    *out = job;
    return VRS_OK;
}

vrs_status vrs_job_add_output(vrs_job *job, vrs_job_output kind, const char *path)
{
    if (job->sink_count == VRS_MAX_OUTPUTS)
        return vrs_fail(VRS_INVALID, "%s: a job has at most %d outputs", path, VRS_MAX_OUTPUTS);
    for (int32_t i = 0; i < job->sink_count; i++)
        if (strcmp(job->sinks[i].path, path) == 0 && strcmp(path, "null") != 0)
            return vrs_fail(VRS_INVALID, "%s: two outputs cannot have the same name", path);
    vrs_job_sink *sink = &job->sinks[job->sink_count];
    sink->path = vrs_strdup(path);
    if (sink->path == NULL)
        return VRS_NO_MEMORY;
    sink->job = job;
    sink->kind = kind;
    sink->output = -1;
    job->sink_count++;
    return VRS_OK;
}

void vrs_job_stop(vrs_job *job, bool now)
{
    if (now)
        atomic_store(&job->stop, 2);
    else if (atomic_load(&job->stop) == 0)
        atomic_store(&job->stop, 1);
}

static bool at_once(const vrs_job *job)
{
    return atomic_load(&job->stop) == 2 || atomic_load(&job->failed);
}

bool vrs_job_reading_ends(void *opaque)
{
    const vrs_job *job = opaque;
    return atomic_load(&job->stop) != 0 || atomic_load(&job->failed);
}

void vrs_job_fail(vrs_job *job, vrs_status status)
{
    vrs_mutex_lock(&job->lock);
    if (job->failure == VRS_OK) {
        job->failure = status;
        (void)snprintf(job->failure_text, sizeof(job->failure_text), "%s", vrs_last_error());
    }
    vrs_mutex_unlock(&job->lock);
    atomic_store(&job->failed, true);
}

/* Submits one frame; while the pipeline is full, looks now and then whether the job ends. */
static vrs_status submit(vrs_job *job, vrs_frame *frame)
{
    int64_t id = frame->id, begin_ns = vrs_now_ns();
    vrs_status status;
    do {
        status = vrs_pipeline_submit(job->pipeline, frame, VRS_TICK_US);
    } while (status == VRS_TIMEOUT && !at_once(job));
    vrs_job_load_wait(job->read_track, VRS_SPAN_TICKET, id, vrs_now_ns() - begin_ns);
    return status;
}

/* What was waited for comes first in a read: a slot, then data. */
static void record_read(vrs_job *job, const vrs_frame *frame, int64_t begin_ns)
{
    int64_t now = vrs_now_ns();
    int64_t worked_ns = now - begin_ns - job->source->waited_ns - job->source->starved_ns;
    vrs_track_record(job->read_track, VRS_STAGE_DECODE, frame->id,
                     worked_ns > 0 ? now - worked_ns : now, now);
    vrs_job_load_wait(job->read_track, VRS_SPAN_TICKET, frame->id, job->source->waited_ns);
    vrs_job_load_wait(job->read_track, VRS_SPAN_SOURCE, frame->id, job->source->starved_ns);
}

static vrs_status read_frame(vrs_job *job, vrs_image *shape)
{
    vrs_frame frame = {0};
    int64_t begin_ns = vrs_now_ns();
    vrs_status status = vrs_source_read(job->source, &frame);
    if (status != VRS_OK)
        return status;
    record_read(job, &frame, begin_ns);
    atomic_store(&job->by_hardware, job->source->by_hardware);
    if (job->live)
        vrs_job_pace(job, &frame);
    else
        frame.capture_ns = begin_ns;
    if (job->names != NULL) {
        char *name = job->names[frame.id % VRS_JOB_HELD];
        (void)snprintf(name, VRS_JOB_NAME_SIZE, "%s", job->source->frame_name);
    }
    bool changed = frame.image.format != shape->format || frame.image.width != shape->width ||
                   frame.image.height != shape->height;
    if (job->source->info.still && changed && shape->width > 0)
        vrs_pipeline_reset_stream(job->pipeline, frame.stream);
    *shape = frame.image;
    status = submit(job, &frame);
    if (status != VRS_OK)
        vrs_image_release(&frame.image);
    else
        atomic_fetch_add(&job->frames_read, 1);
    return status;
}

static void reader_main(void *arg)
{
    vrs_job *job = arg;
    vrs_image shape = {0};
    vrs_status status = VRS_OK;
    vrs_thread_step_back(VRS_STEPS_INFER);
    while (status == VRS_OK && !vrs_job_reading_ends(job))
        status = read_frame(job, &shape);
    bool ended = status == VRS_OK || status == VRS_END || status == VRS_CANCELLED ||
                 status == VRS_CLOSED || status == VRS_TIMEOUT;
    if (!ended)
        vrs_job_fail(job, status);
    vrs_pipeline_finish(job->pipeline);
}

static void release_held(void *opaque)
{
    vrs_held *held = opaque;
    if (atomic_fetch_sub(&held->users, 1) != 1)
        return;
    /* The job is found before the result goes: then the slot may be used again at once. */
    vrs_queue *free_held = held->free_held;
    vrs_result_release(held->result);
    vrs_queue_push(free_held, held);
}

static void write_result(vrs_job_sink *sink, vrs_held *held)
{
    vrs_job *job = sink->job;
    const vrs_result *result = held->result;
    vrs_status status = VRS_OK;
    int64_t begin_ns = vrs_now_ns();
    if (sink->kind == VRS_JOB_PREVIEW) {
        if (!at_once(job))
            status = vrs_preview_offer(job->preview, result, &result->outputs[job->preview_output]);
        release_held(held);
    } else if (sink->sink == NULL || at_once(job)) {
        release_held(held);
    } else {
        int64_t id = result->id;
        vrs_image image = result->outputs[sink->output];
        image.release = release_held;
        image.opaque = held;
        const char *name = job->names != NULL ? job->names[id % VRS_JOB_HELD] : NULL;
        vrs_write_times before = vrs_write_times_get();
        status = vrs_sink_write(sink->sink, &image, result->pts, result->duration, name);
        vrs_track_record(sink->track, VRS_STAGE_ENCODE, id, begin_ns, vrs_now_ns());
        vrs_write_times after = vrs_write_times_get();
        vrs_job_load_wait(sink->track, VRS_SPAN_DISK, id, after.disk_ns - before.disk_ns);
        vrs_job_load_wait(sink->track, VRS_SPAN_PIPE, id, after.pipe_ns - before.pipe_ns);
    }
    if (status == VRS_OK)
        sink->written++;
    else
        vrs_job_fail(job, status);
}

static void sink_main(void *arg)
{
    vrs_job_sink *sink = arg;
    sink->track = vrs_recorder_track(sink->job->recorder, "encode");
    void *item;
    while (vrs_queue_pop(sink->queue, &item, INT64_MAX) == VRS_OK)
        write_result(sink, item);
    /* Joining belongs to the encoding of this file and goes on beside that of the others. */
    if (sink->sink != NULL && !at_once(sink->job)) {
        int64_t begin_ns = vrs_now_ns();
        vrs_status status = vrs_sink_finish(sink->sink);
        vrs_track_record(sink->track, VRS_SPAN_FINISH, -1, begin_ns, vrs_now_ns());
        if (status != VRS_OK)
            vrs_job_fail(sink->job, status);
    }
    vrs_mutex_lock(&sink->job->lock);
    sink->job->sinks_ended++;
    vrs_cond_broadcast(&sink->job->sink_ended);
    vrs_mutex_unlock(&sink->job->lock);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static vrs_status start_threads(vrs_job *job)
{
    job->read_track = vrs_recorder_track(job->recorder, "decode");
    job->started_cpu_seconds = cpu_seconds();
    vrs_status status = vrs_pipeline_start(job->pipeline);
    for (int32_t i = 0; i < job->sink_count && status == VRS_OK; i++)
        status = vrs_thread_start(&job->sinks[i].thread, "vrs-encode", sink_main, &job->sinks[i]);
    if (status == VRS_OK)
        status = vrs_thread_start(&job->reader, "vrs-decode", reader_main, job);
    return status;
}

static void hand_out(vrs_job *job, vrs_result *result)
{
    void *item = vrs_queue_try_pop(job->free_held); /* more of them than tickets */
    vrs_held *held = item;
    held->result = result;
    atomic_store(&held->users, job->sink_count);
    for (int32_t i = 0; i < job->sink_count; i++)
        vrs_queue_push(job->sinks[i].queue, held);
}

/* Notes the first frame that failed: it is in the files as background. Without its GPU a run ends,
 * and what is finished stays in the files and the journal. */
static void note_failure(vrs_job *job, const vrs_result *result)
{
    if (result->status == VRS_DEVICE_LOST)
        vrs_job_fail(job, vrs_fail(VRS_DEVICE_LOST, "%s: frame %lld: %.300s", job->input,
                                   (long long)result->id, result->detail));
    if (result->status == VRS_OK || job->note[0] != 0)
        return;
    (void)snprintf(job->note, sizeof(job->note), "frame %lld: %.400s", (long long)result->id,
                   result->detail);
}

static void pump(vrs_job *job, vrs_job_progress_fn progress, void *opaque)
{
    int64_t tick_ns = vrs_now_ns();
    vrs_status status = VRS_OK;
    if (progress != NULL) { /* who it is that works */
        vrs_job_stats stats = vrs_job_get_stats(job);
        progress(opaque, &stats);
    }
    vrs_job_gpu_sample(job); /* a first reading counts what was before */
    job->gpu_percent_sum = job->gpu_readings = 0;
    while (status == VRS_OK || status == VRS_TIMEOUT) {
        vrs_result *result;
        status = vrs_pipeline_get_result(job->pipeline, &result, VRS_TICK_US);
        if (status == VRS_OK && job->live && result->status == VRS_DROPPED) {
            vrs_result_release(result); /* too late for anybody; files have times */
        } else if (status == VRS_OK) {
            note_failure(job, result);
            hand_out(job, result);
        }
        int64_t now = vrs_now_ns();
        if (now - tick_ns < VRS_TICK_US * VRS_NS_PER_US)
            continue;
        tick_ns = now;
        vrs_thread_times_sample(&job->times);
        vrs_job_gpu_sample(job);
        if (progress != NULL) {
            vrs_job_stats stats = vrs_job_get_stats(job);
            progress(opaque, &stats);
        }
    }
    if (job->gpu_readings == 0)
        vrs_job_gpu_sample(job);
    if (status != VRS_END)
        vrs_job_fail(job, status);
}

/* Waits for the sinks' threads; encoders work off what they hold back, so their times are sampled
 * until they end. */
static void join_sinks(vrs_job *job)
{
    int32_t running = 0;
    for (int32_t i = 0; i < job->sink_count; i++) {
        running += job->sinks[i].thread.running ? 1 : 0;
        if (job->sinks[i].queue != NULL)
            vrs_queue_close(job->sinks[i].queue);
    }
    vrs_mutex_lock(&job->lock);
    while (job->sinks_ended < running) {
        vrs_thread_times_sample(&job->times);
        (void)vrs_cond_wait_until(&job->sink_ended, &job->lock, vrs_deadline_ns(VRS_END_TICK_US));
    }
    vrs_mutex_unlock(&job->lock);
    for (int32_t i = 0; i < job->sink_count; i++)
        vrs_thread_join(&job->sinks[i].thread);
}

static vrs_status write_previews(vrs_job *job)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < job->sink_count && status == VRS_OK; i++)
        if (job->sinks[i].kind == VRS_JOB_PREVIEW)
            status = vrs_preview_write(job->preview, job->sinks[i].path);
    return status;
}

static vrs_status outcome(vrs_job *job)
{
    if (job->failure != VRS_OK)
        return vrs_fail(job->failure, "%s", job->failure_text);
    if (atomic_load(&job->stop) != 0)
        return vrs_fail(VRS_CANCELLED, "%s: stopped after %llu frames", job->input,
                        (unsigned long long)atomic_load(&job->frames_read));
    if (atomic_load(&job->frames_read) == 0)
        return vrs_fail(VRS_CORRUPT, "%s: not one frame could be read", job->input);
    vrs_job_stats stats = vrs_job_get_stats(job);
    if (stats.failed > 0 || stats.damaged > 0)
        return vrs_fail(VRS_CORRUPT, "%s: done, but %llu frames are damaged and %llu failed: %s",
                        job->input, (unsigned long long)stats.damaged,
                        (unsigned long long)stats.failed, stats.note);
    return VRS_OK;
}

/* What a report shows beside the spans. */
static void note_end(vrs_job *job)
{
    if (job->profile == NULL || job->pipeline == NULL)
        return;
    vrs_job_stats stats = vrs_job_get_stats(job);
    vrs_profile_note(job->profile, "bottleneck", stats.bottleneck);
    vrs_profile_note(job->profile, "decoder", stats.decoder);
    char writers[16];
    (void)snprintf(writers, sizeof(writers), "%d", stats.pipeline.stages[VRS_STAGE_ENCODE].threads);
    vrs_profile_note(job->profile, "threads of encode", writers);
}

vrs_status vrs_job_set_profile(vrs_job *job, vrs_profile *profile)
{
    if (job->profile != NULL || job->run_ns != 0)
        return vrs_fail(VRS_INVALID, "%s: a job is given its profile once, before it runs",
                        job->input);
    vrs_status status = vrs_profile_follow(profile, job->recorder);
    if (status != VRS_OK)
        return status;
    job->profile = profile;
    vrs_profile_note(profile, "input", job->input);
    return VRS_OK;
}

vrs_status vrs_job_run(vrs_job *job, vrs_job_progress_fn progress, void *opaque)
{
    job->run_ns = vrs_now_ns();
    job->run_cpu_seconds = cpu_seconds();
    vrs_track *track = vrs_recorder_track(job->recorder, "job");
    vrs_status status = vrs_job_open_all(job);
    vrs_track_record(track, VRS_SPAN_OPEN, -1, job->run_ns, vrs_now_ns());
    if (status == VRS_OK && job->profile != NULL)
        status = vrs_profile_attach(job->profile, job->pipeline);
    vrs_thread_times_sample(&job->times);
    if (status == VRS_OK)
        status = start_threads(job);
    if (status != VRS_OK) {
        vrs_job_fail(job, status);
        if (job->pipeline != NULL)
            vrs_pipeline_finish(job->pipeline);
    } else {
        pump(job, progress, opaque);
    }
    vrs_thread_join(&job->reader);
    join_sinks(job);
    if (job->failure == VRS_OK && atomic_load(&job->stop) != 2) {
        status = write_previews(job);
        if (status != VRS_OK)
            vrs_job_fail(job, status);
    }
    job->end_ns = vrs_now_ns();
    job->end_cpu_seconds = cpu_seconds();
    note_end(job);
    return outcome(job);
}

static void measure_stages(vrs_job *job, vrs_job_stats *stats)
{
    vrs_queue *queues[VRS_MAX_OUTPUTS];
    int32_t writers = 0;
    for (int32_t i = 0; i < job->sink_count; i++)
        if (job->sinks[i].sink != NULL)
            queues[writers++] = job->sinks[i].queue;
    job->load.readers = 1;
    job->load.writers = writers;
    job->load.live = job->live;
    vrs_job_load_count(&job->load, job->recorder, queues, writers, stats);
    for (int i = 0; i < VRS_STAGE_COUNT && stats->seconds > 0; i++)
        stats->overlap += (double)stats->pipeline.stages[i].busy_ns / 1e9 / stats->seconds;
    vrs_thread_times_sum(&job->times, stats->stage_cpu_seconds);
}

/* What the user should know, each part once. */
static void add_note(vrs_job *job, const char *text)
{
    if (text[0] != 0 && strstr(job->note, text) == NULL)
        vrs_note_add(job->note, sizeof(job->note), "%s", text);
}

static void add_notes(vrs_job *job, vrs_job_stats *stats)
{
    if (job->note[0] == 0 && job->source->damaged > 0)
        add_note(job, job->source->damage);
    for (int32_t i = 0; i < job->sink_count; i++)
        if (job->sinks[i].sink != NULL)
            add_note(job, job->sinks[i].sink->note);
    add_note(job, job->source->note);
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
                           .note = ""};
    bool ended = job->end_ns != 0;
    int64_t now = ended ? job->end_ns : vrs_now_ns();
    if (job->source != NULL)
        stats.frame_estimate = job->source->info.frame_estimate;
    if (job->pipeline == NULL)
        return stats;
    stats.pipeline = vrs_pipeline_get_stats(job->pipeline);
    stats.device = vrs_pipeline_get_device(job->pipeline);
    stats.engine = vrs_pipeline_get_engine(job->pipeline);
    stats.decoder = atomic_load(&job->by_hardware) ? "nvdec" : "cpu";
    stats.read = atomic_load(&job->frames_read);
    stats.failed = stats.pipeline.failed;
    stats.written = stats.pipeline.finished - (job->live ? stats.pipeline.dropped : 0);
    int64_t first = stats.pipeline.first_result_ns;
    stats.first_mask_seconds = first > 0 ? (double)(first - job->run_ns) / 1e9 : 0;
    stats.seconds = (double)(now - stats.pipeline.started_ns) / 1e9;
    stats.fps = stats.seconds > 0 ? (double)stats.written / stats.seconds : 0;
    stats.start_seconds = (double)(stats.pipeline.started_ns - job->run_ns) / 1e9;
    stats.start_cpu_seconds = job->started_cpu_seconds - job->run_cpu_seconds;
    stats.cpu_seconds = (ended ? job->end_cpu_seconds : cpu_seconds()) - job->started_cpu_seconds;
    double wall = stats.seconds * vrs_cpu_count();
    stats.cpu_share = wall > 0 ? stats.cpu_seconds / wall : 0;
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    stats.peak_rss_bytes = (int64_t)usage.ru_maxrss * 1024;
    vrs_job_gpu_stats(job, &stats);
    stats.started_ns = stats.pipeline.started_ns;
    stats.changes = job->changes;
    stats.change_count =
        (int32_t)vrs_pipeline_get_changes(job->pipeline, job->changes, VRS_LIVE_CHANGES);
    measure_stages(job, &stats);
    vrs_job_load_find(&job->load, job->recorder, ended, &stats);
    if (ended) {
        stats.damaged = job->source->damaged;
        add_notes(job, &stats);
    }
    return stats;
}

void vrs_job_destroy(vrs_job *job)
{
    if (job == NULL)
        return;
    for (int32_t i = 0; i < job->sink_count; i++) {
        vrs_sink_close(job->sinks[i].sink);
        vrs_queue_destroy(job->sinks[i].queue);
        vrs_free(job->sinks[i].path);
    }
    if (job->profile != NULL && job->pipeline != NULL)
        vrs_profile_detach(job->profile, job->pipeline);
    vrs_pipeline_destroy(job->pipeline);
    vrs_queue_destroy(job->free_held);
    vrs_source_close(job->source);
    vrs_preview_destroy(job->preview);
    vrs_model_destroy(job->model);
    vrs_monitor_close(job->monitor);
    if (job->profile != NULL && job->place.memory != NULL)
        vrs_profile_exit(job->profile, job->place.memory);
    vrs_place_close(&job->place);
    if (job->profile != NULL)
        vrs_profile_leave(job->profile, job->recorder);
    vrs_recorder_destroy(job->recorder);
    vrs_free(job->names);
    vrs_free(job->input);
    if (job->has_sink_ended)
        vrs_cond_destroy(&job->sink_ended);
    if (job->has_due)
        vrs_cond_destroy(&job->due);
    if (job->has_lock)
        vrs_mutex_destroy(&job->lock);
    vrs_free(job);
}
