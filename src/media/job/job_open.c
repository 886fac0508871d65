/* The start of an input: its source and its sinks; and the slots that inputs are done in. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "media/job/job_internal.h"
#include "media/sink/carry.h"
#include "vrseg/log.h"
#include "vrseg/system.h"

/* Images of the source beside those that tickets hold: one waits for a ticket, one is decoded. */
#define SLOTS_BESIDE 2
/* Inputs side by side where nobody says how many. A GPU's decoder is at its best with seven. */
#define CORES_AN_INPUT 4
#define MIN_INPUTS 2
#define MAX_INPUTS 8
#define INPUTS_A_GPU 8
/* Spans kept of each thread, for the profile. */
#define SPANS_KEPT 1024

static vrs_decoder_place configured_decoder(const vrs_config *config)
{
    const char *name = vrs_config_get(config, "decoder");
    if (strcmp(name, "cpu") == 0)
        return VRS_DECODER_CPU;
    return strcmp(name, "nvdec") == 0 ? VRS_DECODER_NVDEC : VRS_DECODER_AUTO;
}

static bool makes_pictures(const vrs_job *job)
{
    for (int32_t i = 0; i < job->pattern_count; i++)
        if (job->patterns[i].kind == VRS_JOB_GREEN || job->patterns[i].kind == VRS_JOB_CUTOUT ||
            job->patterns[i].kind == VRS_JOB_ALPHA)
            return true;
    return false;
}

/* Where a run goes on on the CPU, the GPU's decoder and encoder are gone too. */
static bool lacks_its_gpu(const vrs_job_slot *slot)
{
    const vrs_fleet *fleet = slot->job->fleet;
    return vrs_fleet_place(fleet, slot->home)->device == NULL &&
           vrs_fleet_place(fleet, 0)->device != NULL;
}

/* Frames are wanted on the GPU where the lanes are there; what the user has the CPU decode, they
 * upload themselves, on several threads, and on any GPU. */
static vrs_status open_source(vrs_job_slot *slot)
{
    const vrs_job *job = slot->job;
    const vrs_place *place = vrs_fleet_place(job->fleet, slot->home);
    const char *raw = vrs_config_get(job->config, "raw_format");
    vrs_source_gpu gpu = {.device = place->device, .memory = place->memory};
    vrs_source_params params = {
        .path = slot->input->path,
        .raw_format = raw[0] != 0 ? raw : NULL,
        .decoder = lacks_its_gpu(slot) ? VRS_DECODER_CPU : configured_decoder(job->config),
        .threads = (int32_t)vrs_config_int(job->config, "decoder_threads", 0),
        .max_frames = vrs_config_int(job->config, "max_frames", 0),
        .look = true,
        .need_yuv = makes_pictures(job),
        .gpu = slot->there ? &gpu : NULL,
        .stop = vrs_slot_reading_ends,
        .stop_opaque = slot,
    };
    int32_t all;
    vrs_status status = vrs_fleet_tickets(job->fleet, &gpu.slots, &all);
    if (status != VRS_OK)
        return status;
    gpu.slots += SLOTS_BESIDE;
    status = vrs_slot_find_range(slot, &params);
    if (status != VRS_OK)
        return status;
    if (slot->range.any &&
        (params.max_frames == 0 || params.max_frames > slot->range.end - slot->range.first))
        params.max_frames = slot->range.end;
    else if (slot->range.any)
        params.max_frames += slot->range.first;
    vrs_thread_name("vrs-decode");
    status = vrs_source_open(&params, &slot->source);
    if (status == VRS_OK)
        atomic_store(&slot->by_hardware, slot->source->by_hardware);
    if (status == VRS_OK)
        vrs_pace_init(&slot->pace, &slot->source->info);
    if (status == VRS_OK && slot->source->info.still && slot->names == NULL) {
        slot->names = vrs_alloc_array((size_t)job->in_flight, VRS_JOB_NAME_SIZE);
        status = slot->names == NULL ? VRS_NO_MEMORY : VRS_OK;
    }
    return status;
}

/* What was read of the layout is said where somebody contradicts it: as a warning, and beside the
 * figures. */
static vrs_status read_layout(vrs_job_slot *slot)
{
    const vrs_source *source = slot->source;
    vrs_status status =
        vrs_source_layout_decide(&source->layout, slot->job->config, slot->input->path,
                                 source->info.width, source->info.height, &slot->layout);
    if (status != VRS_OK)
        return status;
    char text[128];
    vrs_layout_text(&slot->layout.layout, text, sizeof(text));
    vrs_log(VRS_LOG_INFO, "%s: %s", slot->input->path, text);
    if (slot->layout.doubt[0] != 0)
        vrs_log(VRS_LOG_INFO, "%s", slot->layout.doubt);
    if (slot->layout.conflict[0] == 0)
        return VRS_OK;
    vrs_log(VRS_LOG_WARNING, "%s: %s", slot->input->path, slot->layout.conflict);
    vrs_note_add(slot->note, sizeof(slot->note), "%s", slot->layout.conflict);
    return VRS_OK;
}

/* Cheap things first. Threads that the libraries make here inherit the name that the calling thread
 * has at that moment. */
vrs_status vrs_slot_open(vrs_job_slot *slot)
{
    vrs_job *job = slot->job;
    const vrs_place *first = vrs_fleet_place(job->fleet, 0);
    slot->there = first->device != NULL && configured_decoder(job->config) != VRS_DECODER_CPU;
    vrs_status status = vrs_slot_look_at_outputs(slot);
    if (status != VRS_OK || slot->finished)
        return status;
    status = vrs_fleet_open_stream(job->fleet, slot->stream, slot->there, &slot->home);
    if (status != VRS_OK)
        return status;
    if (vrs_slot_may_begin_again(slot))
        vrs_fleet_repeats_past(job->fleet, slot->stream);
    slot->there = slot->there && vrs_fleet_place(job->fleet, slot->home)->device != NULL;
    status = open_source(slot);
    status = vrs_memory_blame_budget(vrs_fleet_place(job->fleet, slot->home)->memory, status);
    if (status == VRS_OK)
        status = read_layout(slot);
    if (status == VRS_OK)
        status = vrs_slot_make_preview(slot);
    vrs_thread_name("vrs-encode");
    if (status == VRS_OK)
        status = vrs_slot_open_sinks(slot);
    vrs_thread_name("vrseg");
    if (status == VRS_OK)
        status = vrs_slot_go_on(slot);
    if (status != VRS_OK)
        return status;
    int64_t estimate = slot->source->info.frame_estimate;
    vrs_mutex_lock(&job->lock);
    slot->input->frame_estimate = estimate > slot->first_frame
                                      ? estimate - slot->first_frame + (int64_t)slot->kept
                                      : estimate;
    slot->input->decoder = slot->source->by_hardware ? "nvdec" : "cpu";
    vrs_mutex_unlock(&job->lock);
    return VRS_OK;
}

/* All results are released. */
void vrs_slot_close(vrs_job_slot *slot)
{
    for (int32_t i = 0; i < slot->job->pattern_count; i++) {
        vrs_sink_close(slot->sinks[i].sink);
        slot->sinks[i].sink = NULL;
    }
    int64_t begin_ns = vrs_now_ns();
    vrs_source_close(slot->source);
    slot->source = NULL;
    vrs_track_record(slot->read_track, VRS_SPAN_CLOSE, -1, begin_ns, vrs_now_ns());
    vrs_preview_destroy(slot->preview);
    slot->preview = NULL;
    vrs_fleet_close_stream(slot->job->fleet, slot->stream);
}

/* ---- slots ---------------------------------------------------------------------------------- */

static int32_t useful_slots(const vrs_job *job)
{
    int32_t count = vrs_cpu_count() / CORES_AN_INPUT;
    count = count < MIN_INPUTS ? MIN_INPUTS : count > MAX_INPUTS ? MAX_INPUTS : count;
    if (vrs_fleet_place(job->fleet, 0)->device != NULL)
        count = INPUTS_A_GPU * vrs_fleet_count(job->fleet);
    count = count > VRS_FLEET_STREAMS ? VRS_FLEET_STREAMS : count;
    count = (int32_t)vrs_config_int(job->config, "inputs_at_once", count);
    return count > job->input_count ? job->input_count : count;
}

static vrs_status make_held(vrs_job_slot *slot)
{
    const vrs_job *job = slot->job;
    uint32_t count = (uint32_t)job->in_flight;
    vrs_status status = vrs_queue_create(count, &slot->free_held);
    for (int32_t i = 0; i < job->pattern_count && status == VRS_OK; i++)
        status = vrs_queue_create(count, &slot->sinks[i].queue);
    if (status != VRS_OK)
        return status;
    slot->held = vrs_alloc_array(count, sizeof(*slot->held));
    if (slot->held == NULL)
        return VRS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        slot->held[i].slot = slot;
        vrs_queue_push(slot->free_held, &slot->held[i]);
    }
    return VRS_OK;
}

/* A slot's tracks are written by one thread at a time, those of its present input. */
static void make_tracks(vrs_job_slot *slot)
{
    slot->read_track = vrs_recorder_track(slot->job->recorder, "decode");
    for (int32_t i = 0; i < slot->job->pattern_count; i++)
        slot->sinks[i].track = vrs_recorder_track(slot->job->recorder, "encode");
}

vrs_status vrs_job_make_slots(vrs_job *job)
{
    int32_t one, count = useful_slots(job);
    vrs_status status = vrs_fleet_share(job->fleet, count);
    if (status == VRS_OK)
        status = vrs_fleet_tickets(job->fleet, &one, &job->in_flight);
    job->in_flight += SLOTS_BESIDE;
    if (status == VRS_OK)
        status = vrs_recorder_create((uint32_t)(count * (job->pattern_count + 1) + 1), SPANS_KEPT,
                                     &job->recorder);
    if (status != VRS_OK)
        return status;
    job->track = vrs_recorder_track(job->recorder, "job");
    job->live = vrs_config_bool(job->config, "live");
    job->queues = vrs_alloc_array((size_t)(count * job->pattern_count), sizeof(vrs_queue *));
    if (job->queues == NULL)
        return VRS_NO_MEMORY;
    job->slots = vrs_alloc_array((size_t)count, sizeof(*job->slots));
    if (job->slots == NULL)
        return VRS_NO_MEMORY;
    job->slot_count = count;
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        vrs_job_slot *slot = &job->slots[i];
        slot->job = job;
        slot->stream = (uint32_t)i;
        make_tracks(slot);
        status = make_held(slot);
    }
    return status;
}
