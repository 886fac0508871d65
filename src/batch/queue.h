/* The batching queue: frames wait in it, and it says which of their views go next, together, and
 * when.
 *
 *     vrs_batch_queue_add()       a frame has come
 *     vrs_batch_queue_choose()    a slot is free: views for it, or the time to ask again
 *     vrs_batch_queue_view_done() a view of a recurrent network is done
 *     vrs_batch_queue_expire()    frames that waited for too long
 *
 * A state machine: no thread, no lock, no clock, and no allocation after its making; frames are the
 * caller's memory. Calls are told the time, which never goes back. One thread at a time.
 *
 * Order. A stream's frames go in the order in which they were added, and a frame's views in their
 * own. Among streams the lowest level goes first, and of one level what is due first: a frame at
 * its deadline (but at least when it came, at most `age` later), one without a deadline `age` after
 * it came. A frame moves up one level for each `age` that it has waited. What waits behind a frame
 * of its stream lends it its level and its due time.
 *
 * So nothing starves. A frame of level L (0 is the highest), `age` A and time-out T that came at q
 * is at level 0 and has come up with what is due from q + max(L * A, T + A) on (T: 0 where late
 * frames do not stay); before it can go only frames that were queued before q + T + A.
 *
 * When. A batch goes as soon as it is full, and an incomplete one
 *   - when it can have a preferred size: the largest that there is,
 *   - when its oldest view has waited for max_queue_delay, and not before
 *     vrs_batch_queue_set_busy() says that it would no longer only wait elsewhere,
 *   - when a deadline in it could not be met later, by the measured time of a batch of its size.
 * Where a deadline can be met by a smaller batch alone, the batch is made smaller, also a full one.
 * A deadline that cannot be met any more asks for its batch to go at once, and no more. */
#ifndef VRS_BATCH_QUEUE_H
#define VRS_BATCH_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "batch/estimate.h"
#include "vrseg/image.h"

#define VRS_BATCH_LEVELS 16

typedef struct vrs_batch_queue vrs_batch_queue;

/* What is done with a frame whose level is full. */
typedef enum vrs_batch_overflow {
    VRS_BATCH_BLOCK = 0,       /* it waits outside: vrs_batch_queue_has_room() says for how long */
    VRS_BATCH_REFUSE = 1,      /* it is refused */
    VRS_BATCH_DROP_OLDEST = 2, /* it is taken, and the oldest of its level leaves */
} vrs_batch_overflow;

typedef struct vrs_batch_settings {
    int32_t max_batch_size;                    /* 1..VRS_BATCH_MOST */
    int32_t preferred[VRS_BATCH_MOST];         /* ascending, of 1..max_batch_size */
    int32_t preferred_count;                   /* 0: none is preferred */
    int64_t max_queue_delay_ns;                /* 0..; of an incomplete batch's oldest view */
    int32_t levels;                            /* 1..VRS_BATCH_LEVELS */
    int32_t default_priority;                  /* 1..levels: of frames that have priority 0 */
    int64_t timeout_ns[VRS_BATCH_LEVELS];      /* of each level; 0: none */
    uint32_t max_queue_size[VRS_BATCH_LEVELS]; /* frames of a level that may wait; 0: any */
    bool keep_late; /* a frame whose time-out has passed stays, due `age` later; false: it leaves */
    vrs_batch_overflow overflow;
    int64_t age_ns;     /* at least 1 */
    bool one_in_flight; /* recurrent: of a (stream, view) one frame at a time */
} vrs_batch_settings;

/* A frame in the queue. The caller sets the first part and keeps it in place until the frame has
 * left: by its last view, or as a late, dropped or cancelled one. Of such a one `next` is the frame
 * of its stream that came after it, until the next call. */
typedef struct vrs_batch_frame {
    uint32_t stream;     /* below VRS_MAX_STREAMS */
    uint32_t view_count; /* 1..VRS_MAX_VIEWS; the same for all frames of a stream that are queued */
    int32_t priority;    /* 1 (highest)..levels; 0: the default */
    int64_t deadline_ns; /* when its result is wanted; 0: at no certain time */
    void *owner;         /* not looked at */
    /* The queue's. */
    uint64_t number;
    int64_t queued_ns, due_ns, expires_ns;
    uint32_t gone;                                     /* views that went, a bit each */
    int32_t level;                                     /* its own, 0.. */
    int32_t rank;                                      /* its own or a lent one */
    struct vrs_batch_frame *next, *before;             /* in its stream */
    struct vrs_batch_frame *level_next, *level_before; /* in its level, while no view has gone */
} vrs_batch_frame;

typedef struct vrs_batch_view {
    vrs_batch_frame *frame;
    uint32_t view;
} vrs_batch_view;

/* Since the making. */
typedef struct vrs_batch_queue_stats {
    uint64_t frames, views;               /* added; sent */
    uint64_t late, dropped, cancelled;    /* frames that left without going */
    uint64_t kept_late;                   /* that passed their time-out and stayed */
    uint64_t batches[VRS_BATCH_MOST + 1]; /* by size */
    uint32_t waiting, most_waiting;       /* frames of which no view has gone */
} vrs_batch_queue_stats;

/* Copies `settings`, which must be as said there (assertion; vrs_batch_settings_read() checks what
 * users write). Returns owned. VRS_NO_MEMORY. */
VRS_API vrs_status vrs_batch_queue_create(const vrs_batch_settings *settings,
                                          vrs_batch_queue **queue) VRS_MUST_USE;
/* What still waits is forgotten. NULL is fine. */
VRS_API void vrs_batch_queue_destroy(vrs_batch_queue *queue);

/* Whether a frame of this priority (0..levels) could be added now without another one leaving. */
VRS_API bool vrs_batch_queue_has_room(const vrs_batch_queue *queue, int32_t priority);

/* Adds a frame, whatever the overflow's policy, where its level has room. Where it has none: false,
 * and nothing is changed; with DROP_OLDEST true, and `*dropped` is the frame that left, which is
 * the caller's again. NULL otherwise. */
VRS_API bool vrs_batch_queue_add(vrs_batch_queue *queue, vrs_batch_frame *frame, int64_t now_ns,
                                 vrs_batch_frame **dropped) VRS_MUST_USE;

/* Chooses and takes out the views of the next batch, in their order; returns how many. 0: nothing
 * should go yet, and `*next_ns` says when to ask again if nothing happens until then (INT64_MAX:
 * never). `hurry`: nothing more will come that is worth waiting for. */
VRS_API int32_t vrs_batch_queue_choose(vrs_batch_queue *queue, int64_t now_ns, bool hurry,
                                       vrs_batch_view views[VRS_BATCH_MOST], int64_t *next_ns);

/* With one_in_flight: a view that went is done, and that of its stream's next frame may go. */
VRS_API void vrs_batch_queue_view_done(vrs_batch_queue *queue, uint32_t stream, uint32_t view);

/* A batch of `size` took so long, from being chosen to its results. */
VRS_API void vrs_batch_queue_took(vrs_batch_queue *queue, int32_t size, int64_t ns);

/* A frame whose time-out has passed and of which no view has gone; it has left the queue and is the
 * caller's again. NULL: none (more). Also where late frames stay this must be called, as soon as
 * vrs_batch_queue_next_expiry_ns() says. */
VRS_API vrs_batch_frame *vrs_batch_queue_expire(vrs_batch_queue *queue, int64_t now_ns);
/* INT64_MAX: nothing in the queue has a time-out to come. */
VRS_API int64_t vrs_batch_queue_next_expiry_ns(const vrs_batch_queue *queue);

/* The oldest frame of a stream of which no view has gone; it has left the queue and is the caller's
 * again. NULL: none (more). */
VRS_API vrs_batch_frame *vrs_batch_queue_cancel(vrs_batch_queue *queue, uint32_t stream);

/* The oldest frame of a stream that is still in the queue, views of it gone or not; NULL: none. */
VRS_API vrs_batch_frame *vrs_batch_queue_first(const vrs_batch_queue *queue, uint32_t stream);

/* What goes before this time would only wait behind batches that are on their way (0: none is;
 * INT64_MAX: at no certain time). Until then max_queue_delay is no reason to send an incomplete
 * batch, which may become fuller meanwhile. Deadlines and preferred sizes still are. */
VRS_API void vrs_batch_queue_set_busy(vrs_batch_queue *queue, int64_t until_ns);

/* Batches of up to `size` views (0: none) cost nearly as much as full ones: before this time they
 * do not go, in a hurry neither. Deadlines and preferred sizes are reasons still. */
VRS_API void vrs_batch_queue_set_poor(vrs_batch_queue *queue, int32_t size, int64_t until_ns);

/* The largest batch from now on, 1..max_batch_size; larger preferred sizes are left out. */
VRS_API void vrs_batch_queue_set_limit(vrs_batch_queue *queue, int32_t views);

VRS_API void vrs_batch_queue_get_stats(const vrs_batch_queue *queue, vrs_batch_queue_stats *stats);

#endif
