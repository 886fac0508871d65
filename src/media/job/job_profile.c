/* What a profile is told of a job. */
#include "profile/profile.h"

#include <stdio.h>

#include "media/job/job_internal.h"

vrs_status vrs_job_set_profile(vrs_job *job, vrs_profile *profile)
{
    if (job->profile != NULL || job->run_ns != 0)
        return vrs_fail(VRS_INVALID, "a job is given its profile once, before it runs");
    job->profile = profile;
    return VRS_OK;
}

vrs_status vrs_job_profile_begin(vrs_job *job)
{
    if (job->profile == NULL)
        return VRS_OK;
    char input[VRS_DETAIL_SIZE];
    (void)snprintf(input, sizeof(input), "%.400s", job->inputs[0].path);
    if (job->input_count > 1)
        (void)snprintf(input, sizeof(input), "%.400s and %d more", job->inputs[0].path,
                       job->input_count - 1);
    vrs_profile_note(job->profile, "input", input);
    return vrs_profile_follow(job->profile, job->recorder);
}

vrs_status vrs_job_profile_attach(vrs_job *job)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < vrs_fleet_count(job->fleet) && job->profile != NULL; i++)
        if (status == VRS_OK && vrs_fleet_pipeline(job->fleet, i) != NULL)
            status = vrs_profile_attach(job->profile, vrs_fleet_pipeline(job->fleet, i));
    return status;
}

void vrs_job_profile_end(vrs_job *job)
{
    if (job->profile == NULL || !job->started)
        return;
    vrs_job_stats stats = vrs_job_get_stats(job);
    vrs_profile_note(job->profile, "bottleneck", stats.bottleneck);
    vrs_profile_note(job->profile, "decoder", stats.decoder);
    char writers[16];
    (void)snprintf(writers, sizeof(writers), "%d", stats.pipeline.stages[VRS_STAGE_ENCODE].threads);
    vrs_profile_note(job->profile, "threads of encode", writers);
}

void vrs_job_profile_leave(vrs_job *job)
{
    if (job->profile == NULL || job->fleet == NULL)
        return;
    for (int32_t i = 0; i < vrs_fleet_count(job->fleet); i++)
        if (vrs_fleet_pipeline(job->fleet, i) != NULL)
            vrs_profile_detach(job->profile, vrs_fleet_pipeline(job->fleet, i));
    vrs_fleet_end(job->fleet);
    for (int32_t i = 0; i < vrs_fleet_count(job->fleet); i++)
        if (vrs_fleet_place(job->fleet, i)->memory != NULL)
            vrs_profile_exit(job->profile, vrs_fleet_place(job->fleet, i)->memory);
    if (job->recorder != NULL)
        vrs_profile_leave(job->profile, job->recorder);
}
