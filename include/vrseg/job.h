/* A job: one or several inputs through the pipeline into files. Part of libvrseg-media.
 *
 * Several inputs share one engine and one pipeline for each device, a stream an input; some of them
 * (the option inputs_at_once) are read side by side. One that fails does not stop the others. */
#ifndef VRSEG_JOB_H
#define VRSEG_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
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
    VRS_JOB_ALPHA = 5, /* the picture with alpha packed into its corners, for DeoVR and HereSphere;
                        * the option "alpha" */
} vrs_job_output;

/* Makes a job of an input: a file, a folder of pictures, a camera ("/dev/video0") or "-"; NULL: of
 * none yet. Nothing is opened yet. Borrows; the configuration must live until destroy. Returns
 * owned. VRS_NO_MEMORY, VRS_INVALID. */
VRS_API vrs_status vrs_job_create(const vrs_config *config, const char *input,
                                  vrs_job **job) VRS_MUST_USE;

/* Adds an input, before the run; at most VRS_MAX_INPUTS. Borrows the path. VRS_INVALID: "-" a
 * second time; VRS_NO_MEMORY. */
#define VRS_MAX_INPUTS 65536
VRS_API vrs_status vrs_job_add_input(vrs_job *job, const char *input) VRS_MUST_USE;

/* Adds an output of every input; "-" is standard output, "null" measures without writing. At most
 * VRS_MAX_OUTPUTS. Of several inputs each has a file of its own by words in braces, which are
 * replaced:
 *
 *     {name}    the input's file name without folder and extension ("stdin" for "-")
 *     {ext}     its extension without the dot
 *     {folder}  the name of the folder that it lies in
 *     {number}  its place among the inputs from 1, with as many digits as the last one's
 *     {{ }}     a brace
 *
 * and where there are several a folder ("out/") without such a word stands for "out/{name}/".
 * Borrows the path. VRS_INVALID: another word in braces, two outputs of one name, or one that
 * cannot be a name; VRS_NO_MEMORY. */
VRS_API vrs_status vrs_job_add_output(vrs_job *job, vrs_job_output kind,
                                      const char *path) VRS_MUST_USE;

/* Has a profile follow the job and its pipelines. Shares the profile until the job is destroyed; it
 * is closed after that. VRS_INVALID: there is one already, or the job runs. Too many that are
 * followed are VRS_INVALID of the run. */
VRS_API vrs_status vrs_job_set_profile(vrs_job *job, vrs_profile *profile) VRS_MUST_USE;

/* How far an input is. */
typedef enum vrs_job_state {
    VRS_JOB_WAITING = 0, /* after the run: not begun, as it was stopped or no device was left */
    VRS_JOB_RUNNING = 1,
    VRS_JOB_DONE = 2,   /* all its frames are in its files; status VRS_CORRUPT: some are damaged */
    VRS_JOB_FAILED = 3, /* the status and the detail say why */
    VRS_JOB_STOPPED = 4 /* by vrs_job_stop(); what was finished is in its files */
} vrs_job_state;

/* What has become of an input. Texts are borrowed and live as long as the job. */
typedef struct vrs_job_input_stats {
    const char *path;
    int32_t output_count;
    const char *outputs[VRS_MAX_OUTPUTS]; /* once the run has begun */
    vrs_job_state state;
    vrs_status status;
    const char *detail;     /* of what is not VRS_OK; "" otherwise and before its end */
    const char *note;       /* e.g. dropped streams, the first damaged frame; "" likewise */
    const char *decoder;    /* "nvdec", "cpu"; "" before there is one */
    int64_t frame_estimate; /* -1: unknown */
    uint64_t read, written, failed, damaged; /* frames */
    double seconds;                          /* from its opening to its closed files */
} vrs_job_input_stats;

/* Inputs of the job; how many have which state. */
typedef struct vrs_job_inputs {
    int32_t all, running, done, failed, stopped, waiting;
} vrs_job_inputs;

typedef struct vrs_job_stats {
    vrs_pipeline_stats pipeline;
    vrs_job_inputs inputs;
    int64_t frame_estimate; /* of all inputs, those that are not open yet by the mean of those that
                             * are known; -1: unknown */
    uint64_t read, written, failed, damaged; /* frames; those that were dropped are not written */
    double start_seconds, start_cpu_seconds; /* opening: input, outputs, engine, model */
    double seconds;                          /* since then, to the closed files */
    double first_mask_seconds;               /* since vrs_job_run() was called */
    double fps;
    double cpu_seconds;                        /* of the process in that time */
    double stage_cpu_seconds[VRS_STAGE_COUNT]; /* by the threads' names */
    double cpu_share;                          /* of the processors that may be used, 0..1 */
    int64_t peak_rss_bytes;
    int64_t gpu_memory_bytes; /* most that was taken of a GPU's memory; 0 on the CPU */
    double gpu_percent; /* time in which the GPUs worked, as NVML counts; -1: not measured, which
                         * it is for the target min_gpu_percent */
    double overlap; /* busy time of the stages, summed, over `seconds`: 1 is one after another */
    const char *decoder;    /* who decodes: "nvdec", "cpu", "nvdec, cpu"; "" before there is a
                             * pipeline */
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
    int64_t started_ns;   /* by vrs_now_ns(): what the changes' times count from */
    const char *note;     /* of a single input as in its own figures; GPUs that were lost; "" if
                           * nothing */
    const char *fallback; /* the device of the option device_fallback, once it has taken over from
                           * lost GPUs; else "" */
} vrs_job_stats;

/* Runs to the end. Progress calls come from the calling thread: the first when everything is open
 * and the memory for the frames is there, or ten seconds later where an input's first frame does
 * not come; then about four times a second.
 * VRS_OK: all frames are written. VRS_CORRUPT: done, but some frames were damaged or failed (the
 * stats tell), or of several inputs some failed. VRS_CANCELLED: vrs_job_stop() was called; what was
 * finished is in the files. Others: failed; the last error says what and where. When no input of
 * several is done, it is the first one's failure. VRS_INVALID before anything is opened: two
 * outputs are one file, by whatever name, or an output is an input. */
typedef void (*vrs_job_progress_fn)(void *opaque, const vrs_job_stats *stats);
VRS_API vrs_status vrs_job_run(vrs_job *job, vrs_job_progress_fn progress,
                               void *opaque) VRS_MUST_USE;

/* A file system that outputs are written to. Bytes. */
typedef struct vrs_job_disk {
    char folder[256]; /* one that lies there */
    uint64_t free_bytes;
    /* Of the outputs there: hardly fewer, and mostly so many; of inputs of unknown length nothing
     * is counted. */
    uint64_t least_bytes, likely_bytes;
    int32_t outputs; /* that are counted */
} vrs_job_disk;

/* More are summed up for the check of room alone. */
#define VRS_JOB_DISKS 8

/* What a run will take, as far as that can be said before its first frame. */
typedef struct vrs_job_expected {
    vrs_job_disk disks[VRS_JOB_DISKS];
    int32_t disk_count; /* 0: nothing goes into files */
    bool length_known;  /* of every input, those that are not open yet by the mean of the others */
    /* Host memory at most, of the inputs that are open then; 0: not known yet, as not each of them
     * has had its first frame. By settings and levels, so that options of the encoder's own are not
     * in it. */
    uint64_t host_bytes;    /* the sum of these, and of pinned_bytes: */
    uint64_t program_bytes; /* of the process with network and files opened, and its threads */
    uint64_t frames_bytes;  /* vrs_pipeline_stats.host_bytes */
    /* That hold frames of their own; where the index of a long file is more, that counts. */
    uint64_t decoder_bytes, encoder_bytes;
    /* Of the GPUs: as in vrs_pipeline_stats, with the memory of all frames taken. */
    uint64_t gpu_budget_bytes, gpu_bytes, pinned_budget_bytes, pinned_bytes;
} vrs_job_expected;

/* All is zero before the first progress call. Does not wait. As vrs_job_get_stats(), the thread
 * that runs it. */
VRS_API void vrs_job_get_expected(vrs_job *job, vrs_job_expected *expected);

/* Asks a running job to end: finishes what is in flight and closes the files (now = false), or
 * stops at once and leaves journal and finished segments (now = true). Async-signal-safe. */
VRS_API void vrs_job_stop(vrs_job *job, bool now);

/* After or during a run, from the thread that runs it (in `progress`) or after it. */
VRS_API vrs_job_stats vrs_job_get_stats(vrs_job *job);
/* The same of an input by its place from 0, as they were added. */
VRS_API vrs_job_input_stats vrs_job_get_input(vrs_job *job, int32_t index);
/* "waiting", "running", "done", "failed", "stopped"; static text, "unknown" for others. */
VRS_API const char *vrs_job_state_name(vrs_job_state state);

VRS_API void vrs_job_destroy(vrs_job *job);

/* What a look at an input is to make. */
typedef struct vrs_look_params {
    const char *sheet; /* a PNG: places all over the film, of each the source, the mask and people
                        * over the option background; NULL: none */
    const char *clip;  /* a video of its middle, the same three side by side; NULL: none */
    int32_t places;    /* of the sheet, 1..64 */
    double seconds;    /* of the clip, above 0 */
    bool (*stop)(void *opaque); /* asked before each frame; true ends it. NULL: never */
    void *opaque;
} vrs_look_params;

/* What was seen. */
typedef struct vrs_look_result {
    vrs_layout_reading layout; /* its mesh is gone */
    int32_t places, with_people;
    int64_t clip_frames;
    double coverage;        /* mean share of the sheet's frames that is person, 0..1 */
    double clip_fps;        /* masks a second, with drawing and encoding */
    int64_t frame_estimate; /* of the whole input; -1: unknown */
    bool in_order;          /* the input cannot seek: its first frames were looked at */
} vrs_look_result;

/* Looks at an input before a long run, on the device and with the model and masks of the config.
 * Files are replaced at once. The errors of vrs_job_run() of that input; VRS_CANCELLED;
 * VRS_INVALID: numbers out of range. */
VRS_API vrs_status vrs_media_look(const vrs_config *config, const char *input,
                                  const vrs_look_params *params,
                                  vrs_look_result *result) VRS_MUST_USE;

/* Makes an output of its shards, which runs with the option shard have left beside it, and removes
 * them. `note` gets what a user should know, or "". VRS_NOT_FOUND: a shard is missing; VRS_INVALID:
 * one is not whole or not as it was written, or was made with other settings, or the output exists
 * and is not to be overwritten; VRS_CORRUPT: a folder's journal is none; VRS_NO_SPACE, VRS_IO,
 * VRS_PERMISSION, VRS_NO_MEMORY. On failure nothing is changed. */
VRS_API vrs_status vrs_job_join(const char *output, bool overwrite, char *note,
                                size_t note_size) VRS_MUST_USE;

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
