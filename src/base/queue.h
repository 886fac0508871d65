/* A lock-free queue of pointers between stages, for several producers and consumers (base/ring.h),
 * with a wait word so that an idle consumer sleeps.
 *
 * A queue holds at most as many items as there are tickets (or slots), so a push waits for no room:
 * bounded by construction. While no consumer sleeps, waiting costs the producer one atomic
 * operation. */
#ifndef VRS_BASE_QUEUE_H
#define VRS_BASE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/status.h"

typedef struct vrs_queue vrs_queue;

/* Returns owned. `capacity`: most items ever in it, 1..65536. VRS_NO_MEMORY, VRS_SYSTEM. */
VRS_API vrs_status vrs_queue_create(uint32_t capacity, vrs_queue **queue) VRS_MUST_USE;
/* As vrs_queue_create() with the ring's counters starting at `first`: tests cross their wrap. */
VRS_API vrs_status vrs_queue_create_from(uint32_t capacity, uint32_t first,
                                         vrs_queue **queue) VRS_MUST_USE;
VRS_API void vrs_queue_destroy(vrs_queue *queue);

/* Adds a non-NULL item. Pushing beyond the capacity is a programming error (assertion). */
VRS_API void vrs_queue_push(vrs_queue *queue, void *item);

/* Takes the oldest item, or returns NULL at once. */
VRS_API void *vrs_queue_try_pop(vrs_queue *queue);

/* Takes the oldest item. Sleeps until there is one, the deadline (VRS_TIMEOUT; INT64_MAX: none) or
 * the queue is closed and empty (VRS_CLOSED). */
VRS_API vrs_status vrs_queue_pop(vrs_queue *queue, void **item, int64_t deadline_ns) VRS_MUST_USE;

/* Wakes all sleepers, now and later; items already there can still be taken. */
VRS_API void vrs_queue_close(vrs_queue *queue);

/* Items in it at some moment during the call. */
VRS_API uint32_t vrs_queue_depth(const vrs_queue *queue);

/* How full it has been: what each push found in it. Costs a push two relaxed additions. */
typedef struct vrs_queue_stats {
    uint64_t pushes;
    uint64_t found; /* summed over the pushes: found / pushes is the mean */
    uint32_t most;  /* that were in it after a push */
} vrs_queue_stats;

/* Any thread, at any time. */
VRS_API vrs_queue_stats vrs_queue_get_stats(const vrs_queue *queue);

#endif
