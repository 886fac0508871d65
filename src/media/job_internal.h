/* The parts of a job. The calling thread fetches results and hands each to the sinks' threads; a
 * reader thread feeds the pipeline. */
#ifndef VRS_MEDIA_JOB_INTERNAL_H
#define VRS_MEDIA_JOB_INTERNAL_H

#include <stdatomic.h>

#include "base/queue.h"
#include "base/span.h"
#include "base/thread.h"
#include "media/job_load.h"
#include "media/pace.h"
#include "media/preview.h"
#include "media/sink.h"
#include "media/source.h"
#include "media/thread_times.h"
#include "pipeline/place.h"
#include "vrseg/job.h"

/* More results than can be in flight. */
#define VRS_JOB_HELD 512
#define VRS_JOB_NAME_SIZE 256

/* A result that sinks still use. */
typedef struct vrs_held {
    vrs_result *result;
    vrs_queue *free_held; /* where it goes when the last sink is done */
    atomic_int users;
} vrs_held;

typedef struct vrs_job_sink {
    struct vrs_job *job;
    vrs_job_output kind;
    char *path;
    int32_t output; /* of the pipeline; -1: a preview */
    vrs_pixel_format format;
    vrs_sink *sink; /* NULL for previews and "null" */
    vrs_queue *queue;
    vrs_thread thread;
    vrs_track *track;
    uint64_t written;
} vrs_job_sink;

struct vrs_job {
    const vrs_config *config; /* shared */
    char *input;
    vrs_job_sink sinks[VRS_MAX_OUTPUTS];
    int32_t sink_count;

    vrs_place place;
    const struct vrs_engine_ops *engine; /* of tests; NULL: the configured one */
    vrs_model *model;
    vrs_source *source;
    vrs_pipeline *pipeline;
    vrs_preview *preview;
    int32_t preview_output;
    uint32_t pipeline_outputs;

    atomic_int stop; /* 0, 1: finish what is in flight, 2: at once */
    atomic_bool failed;
    atomic_bool by_hardware;  /* the last frame was decoded by the GPU */
    vrs_mutex lock;           /* of the failure and of sinks_ended */
    vrs_cond sink_ended, due; /* due: nobody signals it, a wait for a time */
    int32_t sinks_ended;
    bool has_lock, has_sink_ended, has_due;
    vrs_status failure;
    char failure_text[VRS_DETAIL_SIZE];

    vrs_held held[VRS_JOB_HELD];
    vrs_queue *free_held;
    char (*names)[VRS_JOB_NAME_SIZE]; /* pictures: by frame number modulo VRS_JOB_HELD */
    vrs_thread reader;
    vrs_recorder *recorder;
    vrs_track *read_track;
    vrs_thread_times times;
    vrs_profile *profile; /* shared; NULL: none */

    struct vrs_monitor *monitor; /* of the GPU, where its use is a target; else NULL */
    double gpu_percent_sum;
    int32_t gpu_readings;

    int64_t run_ns, first_read_ns, end_ns;
    double run_cpu_seconds, started_cpu_seconds, end_cpu_seconds;
    atomic_ullong frames_read;
    vrs_job_load load;
    vrs_pace pace; /* in live mode */
    bool live;
    vrs_live_change changes[VRS_LIVE_CHANGES];
    char note[VRS_DETAIL_SIZE];
};

/* job_open.c: everything that can fail before the first frame. */
vrs_status vrs_job_open_all(vrs_job *job) VRS_MUST_USE;

/* job_live.c: live mode. Waits until a frame that was just read is due; then it counts as captured.
 * Returns at once where the job ends. */
void vrs_job_pace(vrs_job *job, vrs_frame *frame);

/* Whether no more frames are to be read. */
bool vrs_job_reading_ends(void *job);

/* job_outputs.c: opens the sinks and describes the pipeline's outputs. */
vrs_status vrs_job_open_sinks(vrs_job *job) VRS_MUST_USE;
vrs_status vrs_job_describe_outputs(vrs_job *job) VRS_MUST_USE;

vrs_status vrs_job_make_preview(vrs_job *job) VRS_MUST_USE;

/* job_gpu.c: opens the monitor; reads it; fills what the stats say of the GPU. The calling thread
 * of the run. */
void vrs_job_gpu_open(vrs_job *job);
void vrs_job_gpu_sample(vrs_job *job);
void vrs_job_gpu_stats(const vrs_job *job, vrs_job_stats *stats);

/* Keeps the first failure of a run, with the calling thread's last error. Any thread. */
void vrs_job_fail(vrs_job *job, vrs_status status);

#endif
