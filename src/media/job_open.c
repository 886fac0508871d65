/* The start of a job: where it works, its source, its sinks, its pipeline. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "media/job_internal.h"

/* Images of the source beside those that tickets hold: one waits for a ticket, one is decoded. */
#define SLOTS_BESIDE 2

static vrs_decoder_place configured_decoder(const vrs_config *config)
{
    const char *name = vrs_config_get(config, "decoder");
    if (strcmp(name, "cpu") == 0)
        return VRS_DECODER_CPU;
    return strcmp(name, "nvdec") == 0 ? VRS_DECODER_NVDEC : VRS_DECODER_AUTO;
}

static bool makes_pictures(const vrs_job *job)
{
    for (int32_t i = 0; i < job->sink_count; i++)
        if (job->sinks[i].kind == VRS_JOB_GREEN || job->sinks[i].kind == VRS_JOB_CUTOUT)
            return true;
    return false;
}

/* Frames are wanted on the GPU where the lanes are there; what the user has the CPU decode, they
 * upload themselves, on several threads. */
static vrs_status open_source(vrs_job *job)
{
    const char *raw = vrs_config_get(job->config, "raw_format");
    vrs_source_gpu gpu = {.device = job->place.device, .memory = job->place.memory};
    vrs_source_params params = {
        .path = job->input,
        .raw_format = raw[0] != 0 ? raw : NULL,
        .decoder = configured_decoder(job->config),
        .threads = (int32_t)vrs_config_int(job->config, "decoder_threads", 0),
        .max_frames = vrs_config_int(job->config, "max_frames", 0),
        .need_yuv = makes_pictures(job),
        .stop = vrs_job_reading_ends,
        .stop_opaque = job,
    };
    vrs_status status = vrs_place_tickets(job->config, job->model, &job->place, &gpu.slots);
    if (status != VRS_OK)
        return status;
    gpu.slots += SLOTS_BESIDE;
    if (job->place.device != NULL && params.decoder != VRS_DECODER_CPU)
        params.gpu = &gpu;
    vrs_thread_name("vrs-decode");
    job->first_read_ns = vrs_now_ns();
    status = vrs_source_open(&params, &job->source);
    if (status == VRS_OK)
        atomic_store(&job->by_hardware, job->source->by_hardware);
    job->live = vrs_config_bool(job->config, "live");
    if (status == VRS_OK)
        vrs_pace_init(&job->pace, &job->source->info);
    if (status == VRS_OK && job->source->info.still) {
        job->names = vrs_alloc_array(VRS_JOB_HELD, VRS_JOB_NAME_SIZE);
        status = job->names == NULL ? VRS_NO_MEMORY : VRS_OK;
    }
    return status;
}

static vrs_status make_held(vrs_job *job)
{
    vrs_status status = vrs_queue_create(VRS_JOB_HELD, &job->free_held);
    for (int i = 0; i < VRS_JOB_HELD && status == VRS_OK; i++) {
        job->held[i].free_held = job->free_held;
        vrs_queue_push(job->free_held, &job->held[i]);
    }
    for (int32_t i = 0; i < job->sink_count && status == VRS_OK; i++)
        status = vrs_queue_create(VRS_JOB_HELD, &job->sinks[i].queue);
    return status;
}

/* Cheap things first. Threads that the libraries make here inherit the name that the calling thread
 * has at that moment. */
vrs_status vrs_job_open_all(vrs_job *job)
{
    if (job->sink_count == 0)
        return vrs_fail(VRS_INVALID, "%s: no output is given", job->input);
    vrs_status status = vrs_model_load(vrs_config_get(job->config, "model"), &job->model);
    vrs_thread_name("vrs-infer");
    if (status == VRS_OK)
        status = vrs_place_open(job->config, &job->place);
    if (status == VRS_OK) {
        vrs_job_gpu_open(job);
        status = open_source(job);
    }
    if (status == VRS_OK)
        status = vrs_job_make_preview(job);
    vrs_thread_name("vrs-encode");
    if (status == VRS_OK)
        status = vrs_job_open_sinks(job);
    vrs_thread_name("vrs-infer");
    if (status == VRS_OK)
        status = vrs_pipeline_create_at(job->config, job->model, &job->place, job->engine,
                                        &job->pipeline);
    if (status == VRS_OK)
        status = vrs_job_describe_outputs(job);
    if (status == VRS_OK)
        status = make_held(job);
    vrs_thread_name("vrseg");
    return status;
}
