/* Going on with what a run that ended early has finished. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "media/file/journal.h"
#include "media/file/workplace.h"
#include "media/job/job_internal.h"
#include "media/sink/carry.h"
#include "vrseg/log.h"

#define WARM_UP_FRAMES 32

bool vrs_slot_resumes(const vrs_job_slot *slot, vrs_codec codec)
{
    bool again = slot->input->tries > 1 && codec != VRS_CODEC_RAW;
    return again || vrs_config_bool(slot->job->config, "resume");
}

/* What the sinks' own parameters do not say. Where a network runs is not among it: a run may go on
 * on another machine. */
void vrs_job_settings(const vrs_job *job, char *text)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < vrs_config_count(job->config); i++) {
        const vrs_option_info *option = vrs_config_option(job->config, i);
        static const char *const others[] = {"model",      "background", "mask_size",  "layout",
                                             "projection", "views",      "crops",      "crop_fov",
                                             "tile_fov",   "alpha",      "precision",  "raw_format",
                                             "from",       "to",         "max_frames", NULL};
        bool counts = strcmp(option->section, "mask") == 0;
        for (int k = 0; others[k] != NULL && !counts; k++)
            counts = strcmp(option->name, others[k]) == 0;
        if (!counts || used >= VRS_SETTINGS_SIZE)
            continue;
        int added = snprintf(text + used, VRS_SETTINGS_SIZE - used, "%s%s=%s", used > 0 ? "\n" : "",
                             option->name, vrs_config_get(job->config, option->name));
        used += added > 0 ? (size_t)added : 0;
    }
}

/* An output is whole when it is there and nothing of its making is. */
static vrs_status look_at(const vrs_job *job, vrs_job_sink *out, const char *source, bool *whole)
{
    vrs_workplace place;
    size_t length = strlen(out->path);
    *whole = false;
    if (strcmp(out->path, "null") == 0 || strcmp(out->path, "-") == 0 || length == 0 ||
        out->path[length - 1] == '/')
        return VRS_OK;
    vrs_status status = vrs_workplace_find(&place, out->path, source, VRS_WORKPLACE_FILE, true);
    if (status != VRS_OK)
        return status;
    if (job->range.shards > 0) {
        status = vrs_workplace_of_shard(&place, job->range.shard, job->range.shards);
        return status == VRS_OK ? vrs_journal_ended(place.folder, whole) : status;
    }
    *whole = vrs_file_exists(place.output) && !vrs_file_exists(place.folder);
    return VRS_OK;
}

vrs_status vrs_slot_look_at_outputs(vrs_job_slot *slot)
{
    vrs_job *job = slot->job;
    bool all = vrs_config_bool(job->config, "resume");
    slot->finished = false;
    if (slot->input->tries > 1)
        return VRS_OK; /* what was whole is */
    for (int32_t i = 0; i < job->pattern_count; i++)
        slot->sinks[i].whole = false;
    if (!all)
        return VRS_OK;
    for (int32_t i = 0; i < job->pattern_count; i++) {
        vrs_job_sink *out = &slot->sinks[i];
        vrs_status status = look_at(job, out, slot->input->path, &out->whole);
        if (status != VRS_OK)
            return status;
        all = all && out->whole;
    }
    slot->finished = all;
    if (all)
        vrs_note_add(slot->note, sizeof(slot->note), "was finished before");
    return VRS_OK;
}

/* The sinks go on together, at the beginning of a segment. */
static int64_t common_frame(const vrs_job_slot *slot, vrs_sink_resumed *of)
{
    const vrs_job *job = slot->job;
    int64_t step = vrs_config_int(job->config, "segment_frames", 1800);
    int64_t frame = INT64_MAX;
    for (int32_t i = 0; i < job->pattern_count; i++)
        if (slot->sinks[i].sink != NULL && slot->sinks[i].sink->resumed.frames < frame)
            frame = slot->sinks[i].sink->resumed.frames;
    frame = frame == INT64_MAX ? 0 : frame - frame % step;
    *of = (vrs_sink_resumed){0};
    for (int32_t i = 0; i < job->pattern_count; i++) {
        const vrs_sink *sink = slot->sinks[i].sink;
        if (sink != NULL && sink->resumed.frames == frame && sink->resumed.source_times)
            *of = sink->resumed;
    }
    return frame;
}

/* Smoothing and recurrent networks take after what they saw before. After so many frames they have
 * forgotten what was before those. */
static int32_t warm_up(const vrs_job_slot *slot)
{
    const vrs_job *job = slot->job;
    bool past = strcmp(vrs_config_get(job->config, "smooth"), "off") != 0 ||
                vrs_model_get_info(job->model).recurrent;
    if (!past || slot->source->info.still)
        return 0;
    return slot->first_frame < WARM_UP_FRAMES ? (int32_t)slot->first_frame : WARM_UP_FRAMES;
}

vrs_status vrs_slot_go_on(vrs_job_slot *slot)
{
    vrs_sink_resumed last;
    vrs_status status = VRS_OK;
    int64_t frame = common_frame(slot, &last);
    for (int32_t i = 0; i < slot->job->pattern_count && status == VRS_OK; i++)
        if (slot->sinks[i].sink != NULL)
            status = vrs_sink_rewind(slot->sinks[i].sink, frame);
    if (status != VRS_OK)
        return status;
    (void)common_frame(slot, &last); /* the rewound ones know the time of their last frame too */
    slot->first_frame = slot->range.first + frame;
    if (slot->begun_at < 0)
        slot->begun_at = slot->first_frame;
    bool on = slot->first_frame > slot->begun_at;
    vrs_mutex_lock(&slot->job->lock);
    slot->kept = on ? (uint64_t)(slot->first_frame - slot->begun_at) : 0;
    vrs_mutex_unlock(&slot->job->lock);
    if (frame > 0) {
        vrs_note_add(slot->note, sizeof(slot->note), "went on at frame %" PRId64,
                     slot->first_frame);
        vrs_log(VRS_LOG_INFO, "%s: goes on at frame %" PRId64, slot->input->path,
                slot->first_frame);
    }
    if (slot->first_frame == 0)
        return VRS_OK;
    vrs_source_place place = {
        .frame = slot->first_frame,
        .last_pts = frame > 0 ? last.last_pts : slot->range.before_pts,
        .known = frame > 0 ? last.source_times : true,
        .before = warm_up(slot),
    };
    slot->warm_up = place.before;
    return vrs_source_go_to(slot->source, &place);
}
