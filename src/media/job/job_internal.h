/* The parts of a job. The calling thread shows progress. Each slot has a thread that takes one
 * input after the other: it opens source and sinks, starts a reader thread that feeds the fleet and
 * a thread for each sink, and waits for their end. Results come from the fleet's threads, which
 * hand each to its slot's sinks.
 *
 * The first inputs are opened before there is an engine, so that what is wrong with them shows at
 * once; their slots then wait at the gate. `lock` guards states, failures and counts; nothing of
 * the fleet is called with it. */
#ifndef VRS_MEDIA_JOB_INTERNAL_H
#define VRS_MEDIA_JOB_INTERNAL_H

#include <stdatomic.h>

#include "base/queue.h"
#include "base/span.h"
#include "base/thread.h"
#include "media/job/job_load.h"
#include "media/job/preview.h"
#include "media/job/thread_times.h"
#include "media/sink/sink.h"
#include "media/source/pace.h"
#include "media/source/source.h"
#include "pipeline/fleet.h"
#include "vrseg/job.h"

#define VRS_JOB_NAME_SIZE 256
/* So often a waiting thread looks whether the job ends. */
#define VRS_TICK_US 250000

/* An output as the user gave it. */
typedef struct vrs_job_pattern {
    vrs_job_output kind;
    char *path;
} vrs_job_pattern;

/* An input and what became of it; guarded by the job's lock once the run has begun, but for what
 * never changes again. */
typedef struct vrs_job_input {
    char *path;
    char *outputs[VRS_MAX_OUTPUTS];
    vrs_job_state state;
    vrs_status status;
    char *detail, *note; /* NULL: "" */
    const char *decoder;
    int64_t frame_estimate;
    uint64_t read, written, failed, damaged;
    int64_t begin_ns, end_ns;
    int32_t tries; /* begun so often: again where its GPU was lost */
} vrs_job_input;

/* job_room.c: sums up what the outputs of all inputs take on their disks, for
 * vrs_job_get_expected(), and says whether there is room, if that is to be checked; those that are
 * not open yet count as the mean of those that are. Between the opening of the first inputs and the
 * gate. VRS_NO_SPACE; what may become too little is logged. VRS_NO_MEMORY. */
struct vrs_job;
vrs_status vrs_job_check_room(struct vrs_job *job) VRS_MUST_USE;

/* job_expect.c: what decoders, encoders and the program itself hold; once everything is open,
 * before the gate. Waits, behind it, until the memory for the frames of every slot is there, or
 * there will be none, for ten seconds at most; looks whether it has come since. The calling thread
 * of the run. */
void vrs_job_expect(struct vrs_job *job);
void vrs_job_wait_expected(struct vrs_job *job);
void vrs_job_look_expected(struct vrs_job *job);

/* A place in a video, as the user gave it. */
typedef struct vrs_job_place {
    bool given, by_frame;
    double seconds; /* after the first frame */
    int64_t frame;
} vrs_job_place;

/* The part of each input that is made. */
typedef struct vrs_job_range {
    bool any;
    vrs_job_place from, to;
    int32_t shard, shards; /* from 1; 0: all */
} vrs_job_range;

/* That part of one input. */
typedef struct vrs_slot_range {
    bool any;
    int64_t first, end; /* frames */
    int64_t origin;     /* time of the input's first frame */
    int64_t before_pts; /* of the frame before `first` */
} vrs_slot_range;

/* A result that sinks still use. */
typedef struct vrs_held {
    vrs_result *result;
    struct vrs_job_slot *slot;
    atomic_int users;
} vrs_held;

typedef struct vrs_job_sink {
    struct vrs_job_slot *slot;
    vrs_job_output kind;
    const char *path; /* the input's */
    int32_t output;   /* of the pipeline; -1: a preview */
    bool whole;       /* it was there when the input was begun, and stays */
    vrs_sink *sink;   /* NULL for previews, "null" and what is whole */
    vrs_queue *queue;
    vrs_thread thread;
    vrs_track *track;
} vrs_job_sink;

/* Where one input after the other is done; a stream of the fleet. */
typedef struct vrs_job_slot {
    struct vrs_job *job;
    uint32_t stream;
    vrs_thread thread;
    vrs_job_input *input; /* the present one; NULL: none */
    int32_t home;         /* device of its source */
    bool there;           /* which puts its pixels there */
    vrs_source *source;
    vrs_layout_reading layout; /* of the present input */
    vrs_preview *preview;
    vrs_job_sink sinks[VRS_MAX_OUTPUTS];

    bool finished;    /* all outputs of the present input were there before */
    int64_t begun_at; /* first frame of its first try; -1: that did not come so far */
    uint64_t kept;    /* frames that its tries before this one have finished */
    bool by_nvenc;    /* a try of it wrote by the GPU's encoder */
    vrs_slot_range range;
    int64_t first_frame; /* that is read of it: those before were finished, or are not wanted */
    int32_t warm_up;     /* frames before it that are read too, for what the past decides, and not
                            written */
    atomic_bool times_changed; /* a frame that was read has not the source's own time */
    atomic_bool failed;        /* the present input */
    atomic_bool by_hardware;   /* its last frame was decoded by the GPU */
    vrs_status failure;        /* the first one; under the job's lock */
    char failure_text[VRS_DETAIL_SIZE];
    char note[VRS_DETAIL_SIZE];

    vrs_held *held;
    vrs_queue *free_held;
    char (*names)[VRS_JOB_NAME_SIZE]; /* pictures: by frame number modulo job->in_flight */
    vrs_thread reader;
    vrs_track *read_track;
    vrs_pace pace;   /* in live mode */
    bool read_ended; /* under the job's lock, as are the next lines */
    bool submitted;  /* a frame of the present input, so that the memory for all is there */
    uint64_t frames_read, delivered, failures, dropped; /* of the present input */
    int32_t sinks_ended;
} vrs_job_slot;

struct vrs_job {
    const vrs_config *config; /* shared */
    vrs_job_pattern patterns[VRS_MAX_OUTPUTS];
    int32_t pattern_count;
    int32_t preview_output;
    vrs_job_input *inputs;
    int32_t input_count, input_room;

    const struct vrs_engine_ops *engine; /* of tests; NULL: the configured one */
    vrs_model *model;
    vrs_fleet *fleet;
    vrs_job_range range;
    int32_t in_flight; /* frames of a slot that are read and not yet in all files, at most */
    vrs_job_slot *slots;
    int32_t slot_count, slots_started;

    atomic_int stop;    /* 0, 1: finish what is in flight, 2: at once */
    atomic_bool failed; /* the whole job */
    vrs_mutex lock;
    vrs_cond changed;
    bool has_lock, has_changed;
    bool open;                        /* the gate */
    bool started;                     /* the fleet; the calling thread's alone */
    int32_t next_input;               /* that no slot has taken */
    int32_t slots_ready, slots_ended; /* at the gate or ended; ended */
    int32_t slots_closing;            /* their outputs are, and their input is to be */
    vrs_status failure;               /* of the whole job, the first one */
    char failure_text[VRS_DETAIL_SIZE];

    vrs_recorder *recorder;
    vrs_track *track;     /* of the calling thread */
    vrs_profile *profile; /* shared; NULL: none */
    vrs_thread_times times;
    /* Of the GPUs, where their use is a target; else NULL. */
    struct vrs_monitor *monitors[VRS_MAX_PLACES];
    double gpu_percent_sum;
    int32_t gpu_readings;

    int64_t run_ns, end_ns;
    double run_cpu_seconds, started_cpu_seconds, end_cpu_seconds;
    int64_t done_ns; /* when the outputs of the last input so far were closed; with the lock */
    double done_cpu_seconds;
    vrs_job_load load;
    vrs_queue **queues; /* of all slots' sinks, for the load */
    bool live;
    vrs_live_change changes[VRS_LIVE_CHANGES];
    char note[VRS_DETAIL_SIZE];
    /* For vrs_job_get_expected(); of the calling thread alone. */
    struct vrs_room_sum *room; /* of all outputs; owned; NULL: not known yet */
    bool length_known;         /* of the inputs that are in it */
    vrs_job_expected held;     /* the memory's part */
    bool said;                 /* there has been a progress call, or is one now */
};

/* job_names.c: the outputs of each input, from the patterns. VRS_INVALID: two are one file, one is
 * an input, or a pattern gives no name. VRS_NO_MEMORY. */
vrs_status vrs_job_name_outputs(vrs_job *job) VRS_MUST_USE;
/* Whether a pattern's words in braces are known. VRS_INVALID. */
vrs_status vrs_job_check_pattern(const char *pattern) VRS_MUST_USE;

/* job_open.c: what can fail before the first frame. A slot's input: its source and its sinks; what
 * was opened is closed by vrs_slot_close(), also after a failure. */
vrs_status vrs_slot_open(vrs_job_slot *slot) VRS_MUST_USE;
void vrs_slot_close(vrs_job_slot *slot);
/* Slots with their queues, and as many as are useful. */
vrs_status vrs_job_make_slots(vrs_job *job) VRS_MUST_USE;

/* job_outputs.c: whether the outputs can be what they are called, as far as no input is needed for
 * that; opens the sinks of a slot; describes the pipeline's outputs. */
vrs_status vrs_job_check_outputs(const vrs_job *job) VRS_MUST_USE;
vrs_status vrs_slot_open_sinks(vrs_job_slot *slot) VRS_MUST_USE;
vrs_status vrs_slot_make_preview(vrs_job_slot *slot) VRS_MUST_USE;
vrs_status vrs_job_describe_outputs(vrs_job *job) VRS_MUST_USE;

/* job_range.c: what the options from, to and shard say; and which frames of an input that is, by
 * one reading of its packets. VRS_INVALID: they are wrong, or there is no such frame;
 * VRS_UNSUPPORTED. */
vrs_status vrs_job_parse_range(vrs_job *job) VRS_MUST_USE;
vrs_status vrs_slot_find_range(vrs_job_slot *slot, const vrs_source_params *params) VRS_MUST_USE;

/* job_resume.c: going on with what a run that ended early has finished. Whether a sink of that
 * codec is to; what decides about an input's pixels, for its journals; whether an output is whole;
 * and, once the sinks are open, where they and the source go on. */
bool vrs_slot_resumes(const vrs_job_slot *slot, vrs_codec codec);
#define VRS_SETTINGS_SIZE 1024
void vrs_job_settings(const vrs_job *job, char *text);
vrs_status vrs_slot_look_at_outputs(vrs_job_slot *slot) VRS_MUST_USE;
vrs_status vrs_slot_go_on(vrs_job_slot *slot) VRS_MUST_USE;

/* job_again.c: an input that is begun once more where its GPU was lost. Whether its files allow
 * that; whether it can be, with a device to go on on (then the slot is ready for it); and whether a
 * device is left at all for the next input, which opens the fallback where none is. */
bool vrs_slot_may_begin_again(const vrs_job_slot *slot);
bool vrs_slot_begin_again(vrs_job_slot *slot, bool *passed);
bool vrs_job_has_device(vrs_job *job);

/* job_slot.c: the thread of a slot, and who takes the fleet's results; the slot as it is before
 * anything is read, with the job's lock; and waits until the fleet works, false: it will not. */
void vrs_slot_begin_anew(vrs_job_slot *slot);
bool vrs_slot_pass_gate(vrs_job_slot *slot, bool *passed);
void vrs_slot_main(void *slot);
void vrs_job_deliver(void *job, vrs_result *result);

/* job_live.c: live mode. Waits until a frame that was just read is due; then it counts as captured.
 * Returns at once where reading ends. */
void vrs_slot_pace(vrs_job_slot *slot, vrs_frame *frame);

/* Whether no more frames are to be read, and whether nothing is to be finished. Any thread. */
bool vrs_slot_reading_ends(void *slot);
bool vrs_slot_at_once(const vrs_job_slot *slot);

/* Of frames that were read or delivered, those that are written. */
uint64_t vrs_slot_wanted(const vrs_job_slot *slot, uint64_t frames);

/* Keep the first failure of an input, or of the job, with the calling thread's last error. Any
 * thread. */
void vrs_slot_fail(vrs_job_slot *slot, vrs_status status);
void vrs_job_fail(vrs_job *job, vrs_status status);

/* job_gpu.c: opens the monitors; reads them; fills what the stats say of the GPUs. The calling
 * thread of the run. */
void vrs_job_gpu_open(vrs_job *job);
void vrs_job_gpu_sample(vrs_job *job);
void vrs_job_gpu_stats(const vrs_job *job, vrs_job_stats *stats);
void vrs_job_gpu_close(vrs_job *job);

/* job_profile.c: has the profile, if there is one, follow the job, and its pipelines; notes what a
 * report shows beside the spans; leaves the pipelines, which end then, and tells what memory is
 * left. */
vrs_status vrs_job_profile_begin(vrs_job *job) VRS_MUST_USE;
vrs_status vrs_job_profile_attach(vrs_job *job) VRS_MUST_USE;
void vrs_job_profile_end(vrs_job *job);
void vrs_job_profile_leave(vrs_job *job);

/* job_stats.c: CPU time of the process. */
double vrs_job_cpu_seconds(void);

/* R, G, B of the option background. VRS_INVALID. */
vrs_status vrs_job_color(const vrs_config *config, uint8_t rgb[3]) VRS_MUST_USE;

#endif
