/* Inside of `vrseg tune`: what it is asked for, its trials, its space. */
#ifndef VRS_CLI_TUNE_H
#define VRS_CLI_TUNE_H

#include <signal.h>

#include "cli/cli.h"

#define VRS_TUNE_PATH 4096

/* What one trial does. */
typedef struct vrs_tune_work {
    const char *input; /* NULL: frames in memory, of `width` x `height` */
    int32_t width, height;
    const vrs_job_output *kinds;
    char (*paths)[VRS_TUNE_PATH]; /* of the outputs */
    int32_t output_count;
    double rate;         /* frames in memory come so often a second; 0: as fast as they are taken */
    double seconds;      /* about so long */
    int64_t frames;      /* at most; 0: by time alone */
    double hopeless;     /* end early where it is at so many frames a second; 0: never */
    double most_seconds; /* of the process, from its start; then it is killed */
} vrs_tune_work;

/* What it came to; passed from one process to another. */
typedef struct vrs_tune_report {
    vrs_status status;
    char detail[VRS_DETAIL_SIZE];
    uint64_t frames;
    double seconds, fps;
    double latency_ms; /* from capture to mask, 99th percentile */
    bool cut;          /* ended early as hopeless */
    bool network_on_gpu;
    int32_t requests, preprocess_threads, postprocess_threads, tickets;
    char device[VRS_DETAIL_SIZE], engine[VRS_DETAIL_SIZE];
} vrs_tune_report;

/* tune_trial.c: runs `work` in a process of its own, so that a crash, a hang, or a machine without
 * memory ends the trial and not the search. `stop` is looked at meanwhile: the process is then
 * killed and the trial VRS_CANCELLED. The report's status, with its detail as the last error;
 * VRS_SYSTEM, VRS_NO_MEMORY. One thread, before the process has others. */
vrs_status vrs_tune_trial_run(vrs_config *config, const vrs_tune_work *work,
                              const volatile sig_atomic_t *stop,
                              vrs_tune_report *report) VRS_MUST_USE;

/* The same for writing a clip of moving texture of the work's size to its first path, by a run that
 * puts it over a colour for about so many seconds: that is how a video can be made here. */
vrs_status vrs_tune_clip_make(vrs_config *config, const vrs_tune_work *work,
                              const volatile sig_atomic_t *stop,
                              vrs_tune_report *report) VRS_MUST_USE;

/* tune_work.c: in the trial's own process: fills the report. */
void vrs_tune_work_do(vrs_config *config, const vrs_tune_work *work, vrs_tune_report *report);
/* tune_clip.c: likewise. */
void vrs_tune_clip_do(vrs_config *config, const vrs_tune_work *work, vrs_tune_report *report);

/* A picture of moving texture: 8 bits, 4:2:0. `texture` is of vrs_tune_texture_make(). */
#define VRS_TUNE_DRIFT 128
unsigned char *vrs_tune_texture_make(int32_t width,
                                     int32_t height); /* owned (free); NULL: memory */
const unsigned char *vrs_tune_texture_row(const unsigned char *texture, int32_t width,
                                          int64_t frame, int32_t row);

/* tune_space.c: the options to search over, with their values. */
typedef struct vrs_tune_choices {
    vrs_tune_parameter parameters[VRS_TUNE_MAX_PARAMETERS];
    int32_t count;
    /* What they point to. */
    const char *values[VRS_TUNE_MAX_PARAMETERS][VRS_TUNE_MAX_VALUES];
    double positions[VRS_TUNE_MAX_PARAMETERS][VRS_TUNE_MAX_VALUES];
    char texts[VRS_TUNE_MAX_PARAMETERS][VRS_TUNE_MAX_VALUES][24];
} vrs_tune_choices;

/* Those of speed that `config` leaves at their defaults and that matter here, by what a first run
 * reported. `decodes` and `encodes`: there is something to. */
void vrs_tune_choices_make(vrs_tune_choices *choices, const vrs_config *config,
                           const vrs_tune_report *first, bool decodes, bool encodes);
/* Adds one as the user gives it: "max_batch_size=1,2,4". VRS_INVALID, VRS_NOT_FOUND. */
vrs_status vrs_tune_choices_add(vrs_tune_choices *choices, vrs_config *config,
                                const char *text) VRS_MUST_USE;
/* Sets the options of a point. VRS_NO_MEMORY. */
vrs_status vrs_tune_choices_set(const vrs_tune_choices *choices, const int32_t *choice,
                                vrs_config *config) VRS_MUST_USE;
/* "max_batch_size 4, tickets 32": what differs from the start; "all as it is". */
void vrs_tune_choices_text(const vrs_tune_choices *choices, const int32_t *choice, char *text,
                           size_t size);

/* tune_report.c: what is shown of the trials and of the end. */
typedef struct vrs_tune_show {
    vrs_progress_kind progress;
    vrs_tune_goal goal;
    const vrs_tune_choices *choices;
    int64_t most; /* trials */
    FILE *table;  /* a line for each trial; NULL: none */
    bool table_failed;
} vrs_tune_show;

/* Opens the table and writes its first line. VRS_IO, VRS_PERMISSION, VRS_NOT_FOUND. */
vrs_status vrs_tune_show_table(vrs_tune_show *show, const char *path) VRS_MUST_USE;
void vrs_tune_show_trial(vrs_tune_show *show, const vrs_tune_trial *trial, vrs_status status,
                         const vrs_tune_report *report);
void vrs_tune_show_result(const vrs_tune_show *show, const vrs_tune_result *result);
vrs_status vrs_tune_show_json(const vrs_tune_show *show, const vrs_tune_result *result,
                              const char *path) VRS_MUST_USE;

#endif
