/* A slot: one input after the other, its reader, its sinks, and the results between them. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "media/file/write_times.h"
#include "media/job/job_internal.h"
#include "media/sink/carry.h"
#include "vrseg/log.h"
#include "vrseg/profile.h"

bool vrs_slot_at_once(const vrs_job_slot *slot)
{
    return atomic_load(&slot->job->stop) == 2 || atomic_load(&slot->failed) ||
           atomic_load(&slot->job->failed);
}

bool vrs_slot_reading_ends(void *opaque)
{
    const vrs_job_slot *slot = opaque;
    return atomic_load(&slot->job->stop) != 0 || vrs_slot_at_once(slot);
}

uint64_t vrs_slot_wanted(const vrs_job_slot *slot, uint64_t frames)
{
    return frames > (uint64_t)slot->warm_up ? frames - (uint64_t)slot->warm_up : 0;
}

void vrs_slot_fail(vrs_job_slot *slot, vrs_status status)
{
    vrs_mutex_lock(&slot->job->lock);
    if (slot->failure == VRS_OK) {
        slot->failure = status;
        (void)snprintf(slot->failure_text, sizeof(slot->failure_text), "%s", vrs_last_error());
    }
    vrs_mutex_unlock(&slot->job->lock);
    atomic_store(&slot->failed, true);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Submits one frame; while the pipeline is full, looks now and then whether the input ends. */
static vrs_status submit(vrs_job_slot *slot, vrs_frame *frame)
{
    int64_t id = frame->id, begin_ns = vrs_now_ns();
    vrs_status status;
    do {
        status = vrs_fleet_submit(slot->job->fleet, frame, VRS_TICK_US);
    } while (status == VRS_TIMEOUT && !vrs_slot_at_once(slot));
    vrs_job_load_wait(slot->read_track, VRS_SPAN_TICKET, id, vrs_now_ns() - begin_ns);
    return status;
}

static void record(vrs_track *track, uint32_t kind, int64_t frame, int64_t begin_ns, int64_t end_ns)
{
    if (end_ns > begin_ns)
        vrs_track_record(track, kind, frame, begin_ns, end_ns);
}

/* What was waited for comes first in a read: a slot, then data. */
static void record_read(vrs_job_slot *slot, const vrs_frame *frame, int64_t begin_ns)
{
    int64_t now = vrs_now_ns();
    int64_t got_slot = begin_ns + slot->source->waited_ns;
    int64_t got_data = got_slot + slot->source->starved_ns;
    got_data = got_data < now ? got_data : now;
    got_slot = got_slot < got_data ? got_slot : got_data;
    record(slot->read_track, VRS_SPAN_TICKET, frame->id, begin_ns, got_slot);
    record(slot->read_track, VRS_SPAN_SOURCE, frame->id, got_slot, got_data);
    vrs_track_record(slot->read_track, VRS_STAGE_DECODE, frame->id, got_data, now);
}

/* Each eye is a view, and the pipeline may add tiles of it. Of pictures that cannot be halved, each
 * is one. */
static void set_layout(const vrs_job_slot *slot, vrs_frame *frame)
{
    int count = 0;
    vrs_rect eyes[2];
    const vrs_layout *layout = &slot->layout.layout;
    if (vrs_layout_eyes(layout, frame->image.width, frame->image.height, eyes, &count) == VRS_OK)
        frame->layout = layout;
}

/* Whoever waits for the first one is told. */
static void note_submitted(vrs_job_slot *slot)
{
    if (slot->submitted) /* changed by this thread alone while it runs */
        return;
    vrs_mutex_lock(&slot->job->lock);
    slot->submitted = true;
    vrs_cond_broadcast(&slot->job->changed);
    vrs_mutex_unlock(&slot->job->lock);
}

static vrs_status read_frame(vrs_job_slot *slot, vrs_image *shape)
{
    vrs_job *job = slot->job;
    vrs_frame frame = {0};
    int64_t begin_ns = vrs_now_ns();
    vrs_status status = vrs_source_read(slot->source, &frame);
    if (status != VRS_OK)
        return status;
    frame.id -= slot->first_frame - slot->warm_up; /* the fleet counts what it is given */
    record_read(slot, &frame, begin_ns);
    atomic_store(&slot->by_hardware, slot->source->by_hardware);
    if (slot->source->times_changed)
        atomic_store(&slot->times_changed, true);
    frame.stream = slot->stream;
    set_layout(slot, &frame);
    if (job->live)
        vrs_slot_pace(slot, &frame);
    else
        frame.capture_ns = begin_ns;
    if (slot->source->info.still) {
        char *name = slot->names[frame.id % job->in_flight];
        (void)snprintf(name, VRS_JOB_NAME_SIZE, "%s", slot->source->frame_name);
    }
    bool changed = frame.image.format != shape->format || frame.image.width != shape->width ||
                   frame.image.height != shape->height;
    if (slot->source->info.still && changed && shape->width > 0)
        vrs_fleet_reset_stream(job->fleet, frame.stream);
    *shape = frame.image;
    vrs_mutex_lock(&job->lock); /* before its result can come */
    slot->frames_read++;
    vrs_mutex_unlock(&job->lock);
    status = submit(slot, &frame);
    if (status == VRS_OK) {
        note_submitted(slot);
        return VRS_OK;
    }
    vrs_image_release(&frame.image);
    vrs_mutex_lock(&job->lock);
    slot->frames_read--;
    vrs_mutex_unlock(&job->lock);
    return status;
}

static void reader_main(void *arg)
{
    vrs_job_slot *slot = arg;
    vrs_image shape = {0};
    vrs_status status = VRS_OK;
    vrs_thread_step_back(VRS_STEPS_INFER);
    while (status == VRS_OK && !vrs_slot_reading_ends(slot))
        status = read_frame(slot, &shape);
    bool ended = status == VRS_OK || status == VRS_END || status == VRS_CANCELLED ||
                 status == VRS_CLOSED || status == VRS_TIMEOUT;
    if (!ended)
        vrs_slot_fail(slot, status);
    vrs_mutex_lock(&slot->job->lock);
    slot->read_ended = true;
    vrs_cond_broadcast(&slot->job->changed);
    vrs_mutex_unlock(&slot->job->lock);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void release_held(void *opaque)
{
    vrs_held *held = opaque;
    if (atomic_fetch_sub(&held->users, 1) != 1)
        return;
    /* The slot is found before the result goes: then this one may be used again at once. */
    vrs_job_slot *slot = held->slot;
    vrs_result *result = held->result;
    vrs_queue_push(slot->free_held, held);
    vrs_fleet_release(slot->job->fleet, result);
}

/* Read for the past of those after it alone. */
static bool is_warm_up(const vrs_job_slot *slot, const vrs_result *result)
{
    return result->id < slot->warm_up;
}

/* In live mode a frame that came too late has no outputs. */
static bool is_late(const vrs_job *job, const vrs_result *result)
{
    return job->live && result->status == VRS_DROPPED;
}

/* Its waits lie within it, at its end. */
static void record_write(vrs_track *track, int64_t id, int64_t begin_ns,
                         const vrs_write_times *before)
{
    vrs_write_times after = vrs_write_times_get();
    int64_t now = vrs_now_ns(), disk_ns = after.disk_ns - before->disk_ns;
    vrs_track_record(track, VRS_STAGE_ENCODE, id, begin_ns, now);
    record(track, VRS_SPAN_DISK, id, now - disk_ns, now);
    record(track, VRS_SPAN_PIPE, id, now - disk_ns - (after.pipe_ns - before->pipe_ns),
           now - disk_ns);
}

static void write_result(vrs_job_sink *sink, vrs_held *held)
{
    vrs_job_slot *slot = sink->slot;
    const vrs_job *job = slot->job;
    const vrs_result *result = held->result;
    vrs_status status = VRS_OK;
    int64_t begin_ns = vrs_now_ns();
    if (sink->kind == VRS_JOB_PREVIEW) {
        if (!vrs_slot_at_once(slot) && !is_late(job, result) && !is_warm_up(slot, result))
            status =
                vrs_preview_offer(slot->preview, result, &result->outputs[job->preview_output]);
        release_held(held);
    } else if (sink->sink == NULL || vrs_slot_at_once(slot) || is_late(job, result) ||
               is_warm_up(slot, result)) {
        release_held(held); /* too late for anybody; files have times */
    } else {
        int64_t id = result->id;
        vrs_image image = result->outputs[sink->output];
        image.release = release_held;
        image.opaque = held;
        const char *name = slot->source->info.still ? slot->names[id % job->in_flight] : NULL;
        vrs_write_times before = vrs_write_times_get();
        sink->sink->times_changed = atomic_load(&slot->times_changed);
        status = vrs_sink_write(sink->sink, &image, result->pts, result->duration, name);
        record_write(sink->track, id, begin_ns, &before);
    }
    if (status != VRS_OK)
        vrs_slot_fail(slot, status);
}

static bool is_suspended(const vrs_job *job)
{
    return atomic_load(&job->stop) != 0 && vrs_config_bool(job->config, "resume");
}

static void sink_main(void *arg)
{
    vrs_job_sink *sink = arg;
    vrs_job_slot *slot = sink->slot;
    void *item;
    while (vrs_queue_pop(sink->queue, &item, INT64_MAX) == VRS_OK && item != sink)
        write_result(sink, item);
    /* Joining belongs to the encoding of this file and goes on beside that of the others. A run
     * that is to be gone on with leaves its segments. */
    if (sink->sink != NULL && !vrs_slot_at_once(slot) && !is_suspended(slot->job)) {
        int64_t begin_ns = vrs_now_ns();
        vrs_status status = vrs_sink_finish(sink->sink);
        vrs_track_record(sink->track, VRS_SPAN_FINISH, -1, begin_ns, vrs_now_ns());
        if (status != VRS_OK)
            vrs_slot_fail(slot, status);
    }
}

/* ---- results -------------------------------------------------------------------------------- */

/* Notes the first frame that failed: it is in the files as background. Without its GPU an input
 * ends, and what is finished stays in the files and the journal. */
static void note_failure(vrs_job_slot *slot, const vrs_result *result)
{
    if (result->status == VRS_DEVICE_LOST)
        vrs_slot_fail(slot, vrs_fail(VRS_DEVICE_LOST, "%s: frame %lld: %.300s", slot->input->path,
                                     (long long)(result->id + slot->first_frame - slot->warm_up),
                                     result->detail));
    if (result->status == VRS_OK || slot->note[0] != 0)
        return;
    (void)snprintf(slot->note, sizeof(slot->note), "frame %lld: %.400s",
                   (long long)(result->id + slot->first_frame - slot->warm_up), result->detail);
}

void vrs_job_deliver(void *opaque, vrs_result *result)
{
    vrs_job *job = opaque;
    vrs_job_slot *slot = &job->slots[result->stream];
    bool late = is_late(job, result), failed = result->status != VRS_OK && !late;
    if (failed)
        note_failure(slot, result);
    vrs_held *held = vrs_queue_try_pop(slot->free_held); /* more of them than tickets */
    held->result = result;
    atomic_store(&held->users, job->pattern_count);
    for (int32_t i = 0; i < job->pattern_count; i++)
        vrs_queue_push(slot->sinks[i].queue, held);
    vrs_mutex_lock(&job->lock);
    slot->delivered++;
    slot->failures += failed ? 1 : 0;
    slot->dropped += late ? 1 : 0;
    if (slot->read_ended && slot->delivered == slot->frames_read)
        vrs_cond_broadcast(&job->changed);
    vrs_mutex_unlock(&job->lock);
}

/* ---- one input ------------------------------------------------------------------------------ */

static vrs_status start_threads(vrs_job_slot *slot)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < slot->job->pattern_count && status == VRS_OK; i++)
        status = vrs_thread_start(&slot->sinks[i].thread, "vrs-encode", sink_main, &slot->sinks[i]);
    if (status == VRS_OK)
        status = vrs_thread_start(&slot->reader, "vrs-decode", reader_main, slot);
    return status;
}

/* Until every frame that was read has its result; then until the sinks have written all. */
static void join_threads(vrs_job_slot *slot)
{
    vrs_job *job = slot->job;
    vrs_mutex_lock(&job->lock);
    while (slot->reader.running && (!slot->read_ended || slot->delivered < slot->frames_read))
        (void)vrs_cond_wait_until(&job->changed, &job->lock, INT64_MAX);
    vrs_mutex_unlock(&job->lock);
    vrs_thread_join(&slot->reader);
    for (int32_t i = 0; i < job->pattern_count; i++)
        if (slot->sinks[i].thread.running)
            vrs_queue_push(slot->sinks[i].queue, &slot->sinks[i]); /* the end */
    for (int32_t i = 0; i < job->pattern_count; i++)
        vrs_thread_join(&slot->sinks[i].thread);
}

static vrs_status write_previews(vrs_job_slot *slot)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < slot->job->pattern_count && status == VRS_OK; i++)
        if (slot->sinks[i].kind == VRS_JOB_PREVIEW)
            status = slot->sinks[i].whole ? VRS_OK
                                          : vrs_preview_write(slot->preview, slot->sinks[i].path);
    return status;
}

static void run_input(vrs_job_slot *slot)
{
    vrs_status status = start_threads(slot);
    if (status != VRS_OK)
        vrs_slot_fail(slot, status);
    join_threads(slot);
    if (!vrs_slot_at_once(slot)) {
        status = write_previews(slot);
        if (status != VRS_OK)
            vrs_slot_fail(slot, status);
    }
}

/* ---- its end -------------------------------------------------------------------------------- */

/* What the user should know, each part once. */
static void add_note(vrs_job_slot *slot, const char *text)
{
    if (text[0] != 0 && strstr(slot->note, text) == NULL)
        vrs_note_add(slot->note, sizeof(slot->note), "%s", text);
}

static void add_notes(vrs_job_slot *slot)
{
    if (slot->source == NULL)
        return;
    if (slot->note[0] == 0 && slot->source->damaged > 0)
        add_note(slot, slot->source->damage);
    for (int32_t i = 0; i < slot->job->pattern_count; i++)
        if (slot->sinks[i].sink != NULL)
            add_note(slot, slot->sinks[i].sink->note);
    add_note(slot, slot->source->note);
}

/* The last error says what the status means. */
static vrs_status outcome(vrs_job_slot *slot, vrs_job_state *state)
{
    const vrs_job_input *input = slot->input;
    uint64_t damaged = slot->source != NULL ? slot->source->damaged : 0;
    *state = VRS_JOB_FAILED;
    if (slot->failure == VRS_CANCELLED || (slot->failure == VRS_OK && slot->job->failure != VRS_OK))
        *state = VRS_JOB_STOPPED;
    if (slot->failure != VRS_OK)
        return vrs_fail(slot->failure, "%s", slot->failure_text);
    if (slot->job->failure != VRS_OK)
        return vrs_fail(VRS_CANCELLED, "%s: ended with the others", input->path);
    if (atomic_load(&slot->job->stop) != 0) {
        *state = VRS_JOB_STOPPED;
        return vrs_fail(VRS_CANCELLED, "%s: stopped after %llu frames%s", input->path,
                        (unsigned long long)vrs_slot_wanted(slot, slot->frames_read),
                        is_suspended(slot->job) ? "; resume goes on where the last segment ended"
                                                : "");
    }
    if (slot->frames_read == 0 && slot->first_frame == 0 && !slot->finished)
        return vrs_fail(VRS_CORRUPT, "%s: not one frame could be read", input->path);
    *state = VRS_JOB_DONE;
    if (slot->failures > 0 || damaged > 0)
        return vrs_fail(VRS_CORRUPT, "%s: done, but %llu frames are damaged and %llu failed: %s",
                        input->path, (unsigned long long)damaged,
                        (unsigned long long)slot->failures, slot->note);
    return VRS_OK;
}

/* To close a decoder of a GPU, the whole driver waits: while other slots are about to end, too,
 * each would hold up their last frames. So the last inputs are closed together, where that is soon.
 */
#define CLOSE_TOGETHER_US 1000000

static void wait_for_the_others(vrs_job_slot *slot)
{
    vrs_job *job = slot->job;
    int64_t deadline_ns = vrs_deadline_ns(CLOSE_TOGETHER_US);
    bool in_time = true;
    vrs_mutex_lock(&job->lock);
    job->slots_closing++;
    vrs_cond_broadcast(&job->changed);
    while (atomic_load(&slot->by_hardware) && job->next_input == job->input_count && in_time &&
           job->slots_closing + job->slots_ended < job->slot_count)
        in_time = vrs_cond_wait_until(&job->changed, &job->lock, deadline_ns);
    vrs_mutex_unlock(&job->lock);
}

/* Keeps what became of the input, and closes it. Its outputs are closed already; to close a decoder
 * of a GPU, and to free its frames, takes a tenth of a second that is no part of the work. */
static void end_input(vrs_job_slot *slot)
{
    vrs_job *job = slot->job;
    vrs_job_input *input = slot->input;
    vrs_job_state state;
    add_notes(slot);
    uint64_t damaged = slot->source != NULL ? slot->source->damaged : 0;
    vrs_mutex_lock(&job->lock);
    job->done_ns = input->end_ns = vrs_now_ns();
    job->done_cpu_seconds = vrs_job_cpu_seconds();
    vrs_status status = outcome(slot, &state);
    input->detail = status != VRS_OK ? vrs_strdup(vrs_last_error()) : NULL;
    input->note = slot->note[0] != 0 ? vrs_strdup(slot->note) : NULL;
    input->status = status;
    if (input->decoder[0] != 0)
        input->decoder = atomic_load(&slot->by_hardware) ? "nvdec" : "cpu";
    input->read = slot->kept + vrs_slot_wanted(slot, slot->frames_read);
    input->written = slot->kept + vrs_slot_wanted(slot, slot->delivered) - slot->dropped;
    input->failed = slot->failures;
    input->damaged = damaged;
    vrs_mutex_unlock(&job->lock);
    wait_for_the_others(slot);
    vrs_slot_close(slot); /* aborts what is not finished */
    vrs_mutex_lock(&job->lock);
    job->slots_closing--;
    slot->input = NULL;
    slot->read_ended = false;
    input->state = state;
    vrs_mutex_unlock(&job->lock);
    if (job->input_count > 1 && state == VRS_JOB_FAILED)
        vrs_log(VRS_LOG_WARNING, "%s", input->detail != NULL ? input->detail : input->path);
}

/* ---- the slot ------------------------------------------------------------------------------- */

void vrs_slot_begin_anew(vrs_job_slot *slot)
{
    slot->failure = VRS_OK;
    slot->read_ended = slot->submitted = false;
    slot->frames_read = slot->delivered = slot->failures = slot->dropped = 0;
    slot->first_frame = slot->warm_up = 0;
    slot->kept = 0;
    atomic_store(&slot->failed, false);
    atomic_store(&slot->times_changed, false);
}

static bool is_more(vrs_job *job)
{
    vrs_mutex_lock(&job->lock);
    bool more = job->next_input < job->input_count;
    vrs_mutex_unlock(&job->lock);
    return more;
}

/* The next input, or NULL. None is begun any more once the job ends or no device is left. */
static vrs_job_input *take_input(vrs_job_slot *slot)
{
    vrs_job *job = slot->job;
    bool possible = is_more(job) && vrs_job_has_device(job);
    vrs_mutex_lock(&job->lock);
    bool more = possible && job->next_input < job->input_count && atomic_load(&job->stop) == 0 &&
                !atomic_load(&job->failed);
    vrs_job_input *input = more ? &job->inputs[job->next_input++] : NULL;
    slot->input = input;
    slot->note[0] = 0;
    slot->by_nvenc = false;
    slot->begun_at = -1;
    vrs_slot_begin_anew(slot);
    if (input != NULL) {
        input->state = VRS_JOB_RUNNING;
        input->begin_ns = vrs_now_ns();
        for (int32_t i = 0; i < job->pattern_count; i++) {
            vrs_job_sink *sink = &slot->sinks[i];
            sink->slot = slot;
            sink->kind = job->patterns[i].kind;
            sink->path = input->outputs[i];
        }
    }
    vrs_mutex_unlock(&job->lock);
    return input;
}

bool vrs_slot_pass_gate(vrs_job_slot *slot, bool *passed)
{
    vrs_job *job = slot->job;
    vrs_mutex_lock(&job->lock);
    if (!*passed) {
        *passed = true;
        job->slots_ready++;
        vrs_cond_broadcast(&job->changed);
    }
    while (!job->open)
        (void)vrs_cond_wait_until(&job->changed, &job->lock, INT64_MAX);
    vrs_mutex_unlock(&job->lock);
    return !atomic_load(&job->failed);
}

void vrs_slot_main(void *arg)
{
    vrs_job_slot *slot = arg;
    vrs_job *job = slot->job;
    bool passed = false;
    while (take_input(slot) != NULL) {
        do {
            slot->input->tries++;
            vrs_status status = vrs_slot_open(slot);
            if (status != VRS_OK)
                vrs_slot_fail(slot, status);
            else if (!slot->finished && vrs_slot_pass_gate(slot, &passed))
                run_input(slot);
        } while (vrs_slot_begin_again(slot, &passed));
        end_input(slot);
    }
    vrs_mutex_lock(&job->lock);
    job->slots_ready += passed ? 0 : 1;
    job->slots_ended++;
    vrs_cond_broadcast(&job->changed);
    vrs_mutex_unlock(&job->lock);
}
