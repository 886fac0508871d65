/* Who does the work of a batch: the CPU's workers, or lanes on a GPU. Tickets, batches and results
 * are the same for both, and never ask which.
 *
 * A batch comes in by dispatch() with its views set. Its lanes fill the inputs, call
 * vrs_batch_start(), get it back by inferred(), read the scores, free it (vrs_slot_free()),
 * and finish each ticket whose last view they have read (internal.h has the steps). */
#ifndef VRS_PIPELINE_LANE_H
#define VRS_PIPELINE_LANE_H

#include "vrseg/image.h"
#include "vrseg/pipeline.h"
#include "vrseg/status.h"

typedef struct vrs_stream vrs_stream;
typedef struct vrs_ticket vrs_ticket;
typedef struct vrs_batch vrs_batch;

typedef struct vrs_lane_ops {
    const char *name;
    /* A stream may have fewer tickets than wanted where memory is short, but one. */
    bool fewer_tickets;
    /* Whether there is memory again for one of those that are missing, after some quiet. The
     * submitting thread, with the pipeline's lock; NULL: none is ever missing. */
    bool (*has_room)(vrs_stream *stream);
    /* Makes pipeline->lane, after engine and slots. VRS_NO_MEMORY, VRS_SYSTEM, VRS_DEVICE,
     * VRS_NOT_FOUND. What was made is freed by destroy(). */
    vrs_status (*create)(vrs_pipeline *pipeline);
    /* Starts the threads, once the outputs are known. VRS_NO_MEMORY, VRS_SYSTEM. */
    vrs_status (*start)(vrs_pipeline *pipeline);
    /* Joins the threads and waits for work that was queued, after the queues of the pipeline are
     * closed; also after a start that failed, or none. Within a second. */
    void (*stop)(vrs_pipeline *pipeline);
    /* Frees what create() made, after the streams. */
    void (*destroy)(vrs_pipeline *pipeline);
    /* Takes a batch. The batcher's thread; must not wait. */
    void (*dispatch)(vrs_batch *batch);
    /* Finishes a ticket that failed before it was in any batch: its outputs show background. Any
     * thread; must not wait. */
    void (*give_up)(vrs_ticket *ticket);
    /* Where that also takes a ticket that has not failed and repeats the mask before it. */
    bool repeats;
    /* Takes a batch back from the engine. A thread of the engine; must not wait. */
    void (*inferred)(vrs_batch *batch);
    /* Whether frames in this memory can be read. VRS_INVALID. */
    vrs_status (*check)(const vrs_pipeline *pipeline, const vrs_image *image);
    /* Memory of a stream whose views, plans and targets are made, and of each of its tickets, their
     * outputs included. On failure what was made is freed by the free function. VRS_NO_MEMORY. */
    vrs_status (*make_stream)(vrs_stream *stream);
    void (*free_stream)(vrs_stream *stream);
    vrs_status (*make_ticket)(vrs_ticket *ticket);
    void (*free_ticket)(vrs_ticket *ticket);
} vrs_lane_ops;

extern const vrs_lane_ops vrs_lanes_cpu;
extern const vrs_lane_ops vrs_lanes_cuda;

#endif
