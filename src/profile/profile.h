/* A profile and what it follows. Everything is under `lock`, but what is said otherwise. */
#ifndef VRS_PROFILE_PROFILE_H
#define VRS_PROFILE_PROFILE_H

#include "base/span.h"
#include "base/thread.h"
#include "device/memory.h"
#include "profile/trace.h"
#include "vrseg/monitor.h"
#include "vrseg/profile.h"

#define VRS_PROFILE_RECORDERS 128
#define VRS_PROFILE_PIPELINES 64
#define VRS_PROFILE_TRACKS 256       /* of a recorder */
#define VRS_PROFILE_KERNEL_TRACKS 32 /* streams of GPUs; what is beyond goes to the last */
/* Upper ends of the latencies that the metrics count, in milliseconds. */
#define VRS_LATENCY_STEPS 14
extern const int32_t vrs_latency_steps_ms[VRS_LATENCY_STEPS];

/* A recorder that is followed. */
typedef struct vrs_followed_recorder {
    vrs_recorder *recorder;
    uint32_t ids[VRS_PROFILE_TRACKS]; /* of its tracks in the trace; 0: not yet named there */
} vrs_followed_recorder;

typedef struct vrs_followed_pipeline {
    vrs_pipeline *pipeline;
    vrs_monitor *monitor; /* of its GPU; NULL: none, or another one looks at that already */
    int32_t gpu;          /* its number; -1: none */
} vrs_followed_pipeline;

/* What pipelines have done that are gone, or all together. */
typedef struct vrs_frame_counts {
    uint64_t submitted, finished, failed;
} vrs_frame_counts;

struct vrs_profile {
    vrs_mutex lock;
    vrs_cond wake;
    bool has_lock, has_wake, closing;
    vrs_thread thread;
    vrs_trace *trace; /* NULL: none is written */
    bool kernels;     /* they are followed, and with kernels_run since there is a pipeline */
    bool kernels_run;
    struct {
        uint32_t device, stream, id;
    } kernel_tracks[VRS_PROFILE_KERNEL_TRACKS];
    int32_t kernel_track_count;
    uint64_t kernel_runs_counted; /* that are not in the trace each */

    vrs_followed_recorder *recorders;
    int32_t recorder_count;
    vrs_followed_pipeline pipelines[VRS_PROFILE_PIPELINES];
    int32_t pipeline_count;
    uint32_t last_track;
    vrs_frame_counts gone;

    uint64_t spans, lost, lost_told;
    vrs_span_totals kinds[VRS_SPAN_COUNT];
    uint64_t latencies[VRS_LATENCY_STEPS + 1]; /* the last: longer than all steps */
    int64_t sampled_ns;
    double sampled_cpu;
    vrs_sample sample;

    /* Host memory of the library before the profile was made, and of the profile itself. */
    size_t live_before, bytes_before, own_live, own_bytes;
};

/* Follows a recorder from its first span on that is still kept, until it is left, which comes
 * before its end. VRS_INVALID: too many. Any thread, without the lock. */
VRS_API vrs_status vrs_profile_follow(vrs_profile *profile, vrs_recorder *recorder) VRS_MUST_USE;
VRS_API void vrs_profile_leave(vrs_profile *profile, const vrs_recorder *recorder);

/* Writes what a memory manager still holds, when all its users are gone. Without the lock. */
VRS_API void vrs_profile_exit(vrs_profile *profile, const vrs_memory *memory);

/* Takes the spans of all recorders, and with `sample` the counters, now: what the thread does again
 * and again. Without the lock. */
VRS_API void vrs_profile_poll(vrs_profile *profile, bool sample);

/* sample.c: fills profile->sample. */
void vrs_profile_take_sample(vrs_profile *profile);
/* Frames of all pipelines, those that are gone too. */
vrs_frame_counts vrs_profile_frames(const vrs_profile *profile);
/* Adds to a value of a sample, or makes it; what does not fit any more is left out. */
void vrs_sample_add(vrs_sample *sample, double value, const char *name, ...) VRS_PRINTF(3, 4);

#endif
