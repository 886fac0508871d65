/* Where the time of a job goes: the figures of its readers and writers, its resources, and the
 * sentence that names what limits it. */
#ifndef VRS_MEDIA_JOB_LOAD_H
#define VRS_MEDIA_JOB_LOAD_H

#include "base/queue.h"
#include "base/span.h"
#include "pipeline/bottleneck.h"
#include "pipeline/timeline.h"
#include "vrseg/job.h"
#include "vrseg/profile.h"

typedef struct vrs_job_load {
    int32_t readers, writers; /* threads; writers: with an encoder or a file, may be 0 */
    bool live;
    bool gpu_encodes;
    vrs_bottleneck_finding finding;
    vrs_timeline timeline;
} vrs_job_load;

/* Fills stats->pipeline's stages of decoding and encoding from the spans: `queues` are those before
 * the writers. */
void vrs_job_load_count(const vrs_job_load *load, const vrs_recorder *recorder,
                        vrs_queue *const *queues, int32_t queue_count, vrs_job_stats *stats);

/* Fills the resources, names the bottleneck, and adds to the timeline; after all other figures of
 * `stats`. Its texts live in `load` until the next call. `last`: the job has ended. */
void vrs_job_load_find(vrs_job_load *load, const vrs_recorder *recorder, bool last,
                       vrs_job_stats *stats);

/* Records a wait of `ns` that has just ended; nothing for 0. */
void vrs_job_load_wait(vrs_track *track, uint32_t kind, int64_t frame, int64_t ns);

#endif
