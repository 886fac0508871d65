/* The queue's inside, for queue.c and choose.c. */
#ifndef VRS_BATCH_INTERNAL_H
#define VRS_BATCH_INTERNAL_H

#include "batch/queue.h"

typedef struct vrs_batch_stream {
    vrs_batch_frame *first, *last; /* with views that have not gone */
    uint32_t busy;                 /* views in flight, a bit each; with one_in_flight */
    uint32_t place;                /* in `active` */
} vrs_batch_stream;

typedef struct vrs_batch_level {
    vrs_batch_frame *first, *last; /* of which no view has gone, in the order of their coming */
    vrs_batch_frame *fresh;        /* the first whose time-out has not passed */
    uint32_t count;
} vrs_batch_level;

struct vrs_batch_queue {
    vrs_batch_settings settings;
    int32_t limit;
    int64_t busy_until_ns;
    int32_t poor; /* batches up to this size are better full, until: */
    int64_t poor_until_ns;
    uint64_t next_number;
    vrs_batch_estimate estimate;
    vrs_batch_queue_stats stats;
    vrs_batch_level levels[VRS_BATCH_LEVELS];
    vrs_batch_stream streams[VRS_MAX_STREAMS];
    uint32_t active[VRS_MAX_STREAMS]; /* streams that have frames here, in any order */
    uint32_t active_count;
};

/* Views of a frame that have not gone. */
static inline uint32_t vrs_batch_left(const vrs_batch_frame *frame)
{
    return ((1u << frame->view_count) - 1) & ~frame->gone;
}

/* queue.c: a view has been chosen. */
void vrs_batch_take(vrs_batch_queue *queue, vrs_batch_frame *frame, uint32_t view);

#endif
