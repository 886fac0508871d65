/* A job: one input through the pipeline into files. Part of libvrseg-media. */
#ifndef VRSEG_JOB_H
#define VRSEG_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline.h"
#include "profile.h"
#include "system.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vrs_job vrs_job;

/* As vrs_config_create(), with the options of media and jobs too. */
VRS_API vrs_status vrs_job_config_create(vrs_config **config) VRS_MUST_USE;

typedef enum vrs_job_output {
    VRS_JOB_MASK = 0,
    VRS_JOB_CLASSES = 1,
    VRS_JOB_GREEN = 2,   /* people over the option "background" */
    VRS_JOB_CUTOUT = 3,  /* people with alpha */
    VRS_JOB_PREVIEW = 4, /* one PNG: source, mask and composite side by side */
} vrs_job_output;

/* Makes a job of an input: a file, a folder of pictures, a camera ("/dev/video0") or "-". Nothing
 * is opened yet. Borrows. Returns owned. VRS_NO_MEMORY, VRS_INVALID. */
VRS_API vrs_status vrs_job_create(const vrs_config *config, const char *input,
                                  vrs_job **job) VRS_MUST_USE;

/* Adds an output; "-" is standard output, "null" measures without writing. At most VRS_MAX_OUTPUTS.
 * VRS_INVALID. */
VRS_API vrs_status vrs_job_add_output(vrs_job *job, vrs_job_output kind,
                                      const char *path) VRS_MUST_USE;

/* Has a profile follow the job and its pipeline. Shares the profile until the job is destroyed; it
 * is closed after that. VRS_INVALID: there is one already, or the job runs; too many are followed.
 */
VRS_API vrs_status vrs_job_set_profile(vrs_job *job, vrs_profile *profile) VRS_MUST_USE;

typedef struct vrs_job_stats {
    vrs_pipeline_stats pipeline;
    int64_t frame_estimate;                  /* -1: unknown */
    uint64_t read, written, failed, damaged; /* written: those that were dropped are not */
    double start_seconds, start_cpu_seconds; /* opening: input, outputs, engine, model */
    double seconds;                          /* since then, to the closed files */
    double first_mask_seconds;               /* since vrs_job_run() was called */
    double fps;
    double cpu_seconds;                        /* of the process in that time */
    double stage_cpu_seconds[VRS_STAGE_COUNT]; /* by the threads' names */
    double cpu_share;                          /* of the processors that may be used, 0..1 */
    int64_t peak_rss_bytes;
    int64_t gpu_memory_bytes; /* most that was taken of the GPU's memory; 0 on the CPU */
    double gpu_percent; /* time in which the GPU worked, as NVML counts; -1: not measured, which
                         * it is for the target min_gpu_percent */
    double overlap; /* busy time of the stages, summed, over `seconds`: 1 is one after another */
    const char *decoder;    /* who has decoded: "nvdec", "cpu"; "" before there is a pipeline */
    const char *engine;     /* vrs_pipeline_get_engine(); "" likewise */
    const char *device;     /* vrs_pipeline_get_device(); "" before there is a pipeline */
    const char *bottleneck; /* a sentence with its evidence; borrows until the next call */
    /* The same in parts: "none" where nothing limits for long; a stage without a resource is the
     * limit itself. */
    const char *bottleneck_resource, *bottleneck_stage;
    double bottleneck_share;              /* 0..1, of the resource's time or the stage's threads */
    double resources[VRS_RESOURCE_COUNT]; /* in use, or waited for: 0..1; negative: there is none */
    const vrs_load_sample *timeline;      /* the run so far, oldest first; borrows as above */
    int32_t timeline_count;
    const vrs_live_change *changes; /* of live mode, the last ones, oldest first; likewise */
    int32_t change_count;
    int64_t started_ns; /* by vrs_now_ns(): what the changes' times count from */
    const char *note;   /* e.g. dropped streams, the first damaged frame; "" if nothing */
} vrs_job_stats;

/* Runs to the end. Progress calls come from the calling thread: the first when everything is open,
 * then about four times a second.
 * VRS_OK: all frames are written. VRS_CORRUPT: done, but some frames were damaged or failed (the
 * stats tell). VRS_CANCELLED: vrs_job_stop() was called; what was finished is in the files.
 * Others: failed; the last error says what and where. */
typedef void (*vrs_job_progress_fn)(void *opaque, const vrs_job_stats *stats);
VRS_API vrs_status vrs_job_run(vrs_job *job, vrs_job_progress_fn progress,
                               void *opaque) VRS_MUST_USE;

/* Asks a running job to end: finishes what is in flight and closes the files (now = false), or
 * stops at once and leaves journal and finished segments (now = true). Async-signal-safe. */
VRS_API void vrs_job_stop(vrs_job *job, bool now);

/* After or during a run, from the thread that runs it (in `progress`) or after it. */
VRS_API vrs_job_stats vrs_job_get_stats(vrs_job *job);

VRS_API void vrs_job_destroy(vrs_job *job);

/* Writes the versions of libav's libraries that are running and the encoders that are missing. */
VRS_API void vrs_media_info(char *text, size_t size);

/* libav as it is running. Lists are names with a blank between them. */
typedef struct vrs_media_details {
    char codec[32], format[32], util[32], scale[32]; /* versions of its libraries */
    char licence[64];                                /* of this build: "GPL version 2 or later" */
    char decoders[256]; /* of the codecs that vrseg is tried with, those that are there */
    char encoders[256]; /* that vrseg writes with, those that are there */
    char hardware[256]; /* kinds of hardware that this build decodes with: "cuda vaapi" */
} vrs_media_details;

/* Any thread. */
VRS_API void vrs_media_read(vrs_media_details *details);

/* As vrs_requirements_check(), of what libav has: decoders, encoders, hardware. Which are required
 * follows from the config's codec, decoder and encoder. Any thread. */
VRS_API vrs_status vrs_media_check(const vrs_config *config, vrs_check_fn visit,
                                   void *opaque) VRS_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
