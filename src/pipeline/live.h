/* Frames that are wanted in time: too late ones are dropped, and where the machine cannot keep up
 * less is done for each, by the steps of vrs_live_step. */
#ifndef VRS_PIPELINE_LIVE_H
#define VRS_PIPELINE_LIVE_H

#include <stdatomic.h>

#include "pipeline/degrade.h"
#include "pipeline/lane.h"
#include "vrseg/pipeline.h"

typedef struct vrs_live {
    bool on, degrades;       /* as the pipeline was made */
    int64_t target_ns;       /* from capture to mask; 0: none */
    _Atomic uint32_t active; /* steps in force */
    /* Under the pipeline's lock. */
    uint32_t possible; /* steps that change something */
    vrs_degrade degrade;
    vrs_live_change changes[VRS_LIVE_CHANGES]; /* a ring */
    uint32_t change_count;
} vrs_live;

/* When the pipeline is made. */
void vrs_live_init(vrs_live *live, const vrs_pipeline *pipeline);

/* A stream has these steps; what comes after the first frame of all is not heard. With the lock. */
void vrs_live_add_steps(vrs_live *live, uint32_t steps);

typedef enum vrs_live_verdict {
    VRS_LIVE_NOTHING = 0,
    VRS_LIVE_QUEUES = 1,  /* it is to wait for a batch */
    VRS_LIVE_LATE = 2,    /* it is too late for one */
    VRS_LIVE_REPEATS = 3, /* it has the mask of the frame before it */
} vrs_live_verdict;

/* What is done for a frame that was just submitted; sets what its rendering asks. With the lock, in
 * the stream's order. */
vrs_live_verdict vrs_live_look(vrs_pipeline *pipeline, vrs_ticket *ticket);

/* Whether its mask cannot come in time any more; never for the first frame of a past. */
bool vrs_live_is_late(const vrs_ticket *ticket, int64_t now_ns);
#define VRS_LIVE_LATE_TEXT \
    "when its turn came it was later than latency_target_us allows in live mode"

#define VRS_NOTHING_TO_REPEAT_TEXT \
    "it was to repeat the mask of the frame before it, which has none"

/* Whether a finished ticket has no outputs, as it was too late for anybody. */
bool vrs_live_left_out(const vrs_ticket *ticket);

/* A ticket is finished; with the pipeline's lock. */
void vrs_live_finished(vrs_pipeline *pipeline, const vrs_ticket *ticket);

#endif
