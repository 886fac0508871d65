/* Room for all outputs of a job. */
#include <string.h>

#include "base/alloc.h"
#include "media/job/job_internal.h"
#include "media/sink/room.h"
#include "vrseg/log.h"

/* Of the first inputs, by output; how many of them are known. */
typedef struct known_room {
    vrs_room sum[VRS_MAX_OUTPUTS];
    uint64_t inputs;
} known_room;

/* Where an input's length is not known, neither is the size of what is made of it. */
static void add_unknown(vrs_job *job, const vrs_job_slot *slot)
{
    job->length_known = false;
    for (int32_t k = 0; k < job->pattern_count; k++)
        if (slot->sinks[k].sink != NULL && slot->sinks[k].sink->likely_bytes > 0)
            vrs_room_see(job->room, slot->sinks[k].path);
}

static void add_known(vrs_job *job, const vrs_job_slot *slot, known_room *known)
{
    uint64_t end = (uint64_t)slot->source->info.frame_estimate;
    uint64_t begin = (uint64_t)slot->first_frame; /* of a part, and of a resumed run */
    uint64_t frames = begin < end ? end - begin : 0;
    known->inputs++;
    for (int32_t k = 0; k < job->pattern_count; k++) {
        const vrs_sink *sink = slot->sinks[k].sink;
        if (sink == NULL)
            continue;
        vrs_room frame = {sink->least_bytes, sink->likely_bytes};
        vrs_room room = vrs_room_times(frame, frames);
        known->sum[k].least += room.least;
        known->sum[k].likely += room.likely;
        vrs_room_add(job->room, slot->sinks[k].path, room);
    }
}

static void add_open(vrs_job *job, known_room *known)
{
    for (int32_t i = 0; i < job->slot_count; i++) {
        const vrs_job_slot *slot = &job->slots[i];
        if (slot->source == NULL)
            continue;
        if (slot->source->info.frame_estimate < 0)
            add_unknown(job, slot);
        else
            add_known(job, slot, known);
    }
}

static void add_waiting(const vrs_job *job, const known_room *known)
{
    for (int32_t i = 0; i < job->input_count && known->inputs > 0; i++) {
        const vrs_job_input *input = &job->inputs[i];
        for (int32_t k = 0; k < job->pattern_count && input->state == VRS_JOB_WAITING; k++) {
            vrs_room mean = {known->sum[k].least / known->inputs,
                             known->sum[k].likely / known->inputs};
            if (input->outputs[k] != NULL)
                vrs_room_add(job->room, input->outputs[k], mean);
        }
    }
}

vrs_status vrs_job_check_room(vrs_job *job)
{
    known_room known = {.inputs = 0};
    char warning[VRS_DETAIL_SIZE];
    job->room = vrs_alloc(sizeof(*job->room));
    if (job->room == NULL)
        return VRS_NO_MEMORY;
    vrs_mutex_lock(&job->lock);
    job->length_known = true;
    add_open(job, &known);
    add_waiting(job, &known);
    vrs_mutex_unlock(&job->lock);
    if (!vrs_config_bool(job->config, "disk_check"))
        return VRS_OK;
    vrs_status status = vrs_room_judge(job->room, warning, sizeof(warning));
    if (status == VRS_OK && warning[0] != 0)
        vrs_log(VRS_LOG_WARNING, "%s", warning);
    return status;
}
