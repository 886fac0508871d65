/* Room for all outputs of a job. */
#include <string.h>

#include "base/alloc.h"
#include "media/job_internal.h"
#include "media/room.h"
#include "vrseg/log.h"

/* Of the first inputs, by output; how many of them are known. */
typedef struct known_room {
    vrs_room sum[VRS_MAX_OUTPUTS];
    uint64_t inputs;
} known_room;

static void add_open(const vrs_job *job, vrs_room_sum *sum, known_room *known)
{
    for (int32_t i = 0; i < job->slot_count; i++) {
        const vrs_job_slot *slot = &job->slots[i];
        if (slot->source == NULL || slot->source->info.frame_estimate < 0)
            continue;
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
            vrs_room_add(sum, slot->sinks[k].path, room);
        }
    }
}

static void add_waiting(const vrs_job *job, vrs_room_sum *sum, const known_room *known)
{
    for (int32_t i = 0; i < job->input_count && known->inputs > 0; i++) {
        const vrs_job_input *input = &job->inputs[i];
        for (int32_t k = 0; k < job->pattern_count && input->state == VRS_JOB_WAITING; k++) {
            vrs_room mean = {known->sum[k].least / known->inputs,
                             known->sum[k].likely / known->inputs};
            if (input->outputs[k] != NULL)
                vrs_room_add(sum, input->outputs[k], mean);
        }
    }
}

vrs_status vrs_job_check_room(vrs_job *job)
{
    known_room known = {.inputs = 0};
    char warning[VRS_DETAIL_SIZE];
    if (!vrs_config_bool(job->config, "disk_check"))
        return VRS_OK;
    vrs_room_sum *sum = vrs_alloc(sizeof(*sum));
    if (sum == NULL)
        return VRS_NO_MEMORY;
    vrs_mutex_lock(&job->lock);
    add_open(job, sum, &known);
    add_waiting(job, sum, &known);
    vrs_mutex_unlock(&job->lock);
    vrs_status status = vrs_room_judge(sum, warning, sizeof(warning));
    if (status == VRS_OK && warning[0] != 0)
        vrs_log(VRS_LOG_WARNING, "%s", warning);
    vrs_free(sum);
    return status;
}
