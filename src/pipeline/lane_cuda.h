/* Lanes on a GPU.
 *
 * A lane has a stream of the driver, a thread that queues work on it and a thread that waits for
 * events; a batch belongs to one lane. With an engine of the GPU all its work is on that stream:
 *
 *   frames up ─> preprocess ─> network ─> person, smoothing, guided filter ─> render ─> outputs
 *   down ─> event ─> results
 *
 * Preprocessing writes into the engine's input, and scores are read where the engine has them. With
 * an engine of the CPU a batch passes the lane twice:
 *
 *   in:  frames up ─> preprocess ─> tensors down ─> event ─> the engine
 *   out: scores up ─> person, smoothing, guided filter ─> ... as above
 *
 * The waits for these events are the only ones of a host thread for the GPU. What streams share
 * (a frame whose views are in several batches, the state of smoothing) is ordered by events between
 * the streams. All memory of a batch, a stream and a ticket is taken when it is made. */
#ifndef VRS_PIPELINE_LANE_CUDA_H
#define VRS_PIPELINE_LANE_CUDA_H

#include "device/device.h"
#include "device/memory.h"
#include "kernels/cuda/pack_launch.h"
#include "kernels/cuda/postprocess_launch.h"
#include "kernels/cuda/postprocess_launch_steady.h"
#include "kernels/cuda/preprocess_launch.h"
#include "kernels/cuda/warp_launch.h"
#include "pipeline/internal.h"

typedef struct vrs_cuda vrs_cuda;

typedef struct vrs_cuda_lane {
    vrs_cuda *cuda;
    vrs_device_stream *stream;
    vrs_queue *submit, *complete; /* of vrs_cuda_slot */
    vrs_thread submitter, completer;
    int64_t polled_ns; /* when the completer last looked for other programs' needs */
} vrs_cuda_lane;

/* Which way a batch is on; an index of its events. */
typedef enum vrs_cuda_phase { VRS_CUDA_IN = 0, VRS_CUDA_OUT = 1 } vrs_cuda_phase;

/* What a batch has on the GPU, at fixed addresses; views lie `*_stride` bytes apart. */
typedef struct vrs_cuda_slot {
    vrs_work_kind kind; /* VRS_WORK_TICKET: a rider, of a frame that repeats the masks before it and
                         * is in no batch; it has the events of the way out alone */
    vrs_batch *batch;
    vrs_cuda_lane *lane;
    vrs_memory_block *device, *pinned; /* NULL: nothing is needed */
    /* By network (1: the smaller one) and view: of the engine where it is on the GPU, else of
     * `device`. */
    vrs_device_ptr tensors[2][VRS_MAX_BATCH], scores[2][VRS_MAX_BATCH];
    vrs_device_ptr small, once; /* small: masks of the size that scores make, not the network's */
    vrs_device_ptr coarse, motion, unlike; /* of smoothing along the motion, at least two places */
    vrs_memory_block *large;               /* dense scores, for class maps; NULL: not wanted */
    uint8_t *tensors_host, *scores_host;   /* of an engine of the CPU */
    vrs_device_event *begin[2], *end[2];
    vrs_device_event *ran; /* the network has; of an engine of the GPU */
    /* For the times of copies alone: the frames are up; their outputs' way down begins. */
    vrs_device_event *copied[2];
    bool copies[2]; /* recorded for this batch */
    vrs_cuda_phase phase;
    char detail[VRS_DETAIL_SIZE]; /* of batch->status, where a call of this lane failed */
    vrs_ticket *finished[VRS_MAX_BATCH];
    int32_t finished_count;
} vrs_cuda_slot;

/* Of the masks that a network's scores make: their own size, enlarged. */
typedef struct vrs_cuda_mask {
    int32_t width, height;
} vrs_cuda_mask;

struct vrs_cuda {
    vrs_pipeline *pipeline;
    vrs_device *device;
    vrs_memory *memory;
    vrs_cuda_preprocess preprocess;
    vrs_cuda_postprocess postprocess;
    vrs_cuda_warp warp;
    vrs_cuda_steady steady;
    vrs_cuda_packing packing;
    vrs_cuda_mask mask[2];                                          /* by network */
    size_t tensor_stride, scores_stride, small_stride, once_stride; /* for any network */
    size_t coarse_stride, motion_stride;
    size_t large_stride; /* of enlarged scores, dense planes of floats */
    vrs_cuda_lane lanes[VRS_MAX_LANES];
    vrs_cuda_slot *slots; /* one for each of the pipeline's */
    /* For the start of streams, by the submitting thread. */
    vrs_device_stream *setup;
    vrs_device_event *setup_done;
    bool repeats;    /* masks may be, in live mode */
    bool ordered;    /* batches queue their masks in turn: of smoothing, and so that masks repeat */
    bool turn_taken; /* a batch has the turn; under the pipeline's order_lock */
    vrs_mutex repeat_lock; /* lane_cuda_repeat.c */
    bool has_repeat_lock;
};

/* What a frame of a view leaves to the next one when smoothing along the motion: its picture in
 * three sizes, ages, mask; one behind the other. */
typedef struct vrs_cuda_past {
    vrs_device_ptr guide, small, age, mask;
    size_t bytes;
} vrs_cuda_past;

/* Of a vrs_stream. */
typedef struct vrs_cuda_stream {
    vrs_memory_block *block;
    /* By network: of the views' plans, and what of the launch never changes. */
    vrs_device_ptr tables[2][VRS_MAX_VIEWS];
    vrs_preprocess_view constants[2][VRS_MAX_VIEWS];
    vrs_device_ptr states[VRS_MAX_VIEWS]; /* the last masks; where the motion is followed: */
    vrs_cuda_past past[VRS_MAX_VIEWS];
    bool state_valid[VRS_MAX_VIEWS];  /* whoever has the turn */
    vrs_device_event *state_ready;    /* recorded after each use of the states */
    bool direct[VRS_MAX_OUTPUTS + 1]; /* views of a target are rendered straight into outputs */
    vrs_device_ptr alpha[VRS_MAX_LANES][2]; /* where not: masks of the target's size */
    vrs_device_ptr unroll_grids[2];         /* of packed outputs */
    bool on_device;                         /* its frames lie on the GPU */
    /* Grids of the pool's tiles: for the network and the smaller one; by target. */
    vrs_memory_block *grids;
    vrs_device_ptr warps[2][VRS_MAX_POOL], patches[VRS_MAX_OUTPUTS + 1][VRS_MAX_POOL];
    vrs_device_ptr eye_grids[VRS_MAX_OUTPUTS + 1][2]; /* of class maps */
    uint8_t state_tile[VRS_MAX_VIEWS];                /* of the last mask; whoever has the turn */
    /* What frames that repeat have from the one before: its masks, as the eyes agreed on them. */
    vrs_device_ptr last[VRS_MAX_VIEWS], last_sums;
    vrs_device_event *last_ready; /* recorded after each use */
    bool last_valid;
    uint8_t last_tile[VRS_MAX_VIEWS];
    /* States over time of a recurrent network on the GPU, and when they are there. */
    vrs_device_ptr net_states[VRS_MAX_VIEWS][VRS_MAX_STATES];
    vrs_device_event *net_ready[VRS_MAX_VIEWS];
    size_t ticket_device, ticket_pinned; /* bytes of a ticket */
    int64_t look_ns;                     /* when it is next looked for room for one */
} vrs_cuda_stream;

/* Of a ticket. */
typedef struct vrs_cuda_ticket {
    vrs_memory_block *device, *pinned;
    vrs_image source;  /* where kernels read the frame; planes are device addresses */
    vrs_image staging; /* the same bytes in pinned memory; no planes when frames lie on the GPU */
    size_t source_bytes;
    vrs_device_ptr masks[VRS_MAX_VIEWS], guides[VRS_MAX_VIEWS], coefficients[VRS_MAX_VIEWS];
    vrs_cuda_past kept[VRS_MAX_VIEWS]; /* masks and guides lie in them where motion is followed */
    vrs_device_ptr agreed[2];          /* masks of eyes that were brought together */
    bool seen[VRS_MAX_VIEWS];          /* there is a picture in `kept` */
    vrs_device_ptr scores[VRS_MAX_VIEWS]; /* vrs_views_keep_scores(): dense planes of floats */
    vrs_device_ptr sums;
    uint64_t *sums_host;
    int16_t *masks_host[VRS_MAX_VIEWS]; /* where the stream has crops */
    vrs_image outputs[VRS_MAX_OUTPUTS]; /* on the device; vrs_ticket has the pinned ones */
    size_t output_bytes[VRS_MAX_OUTPUTS];
    /* More than one view: batches on other lanes wait for these. */
    vrs_mutex lock; /* of `uploaded` */
    bool has_lock, uploaded;
    vrs_device_event *frame_ready, *mask_ready[VRS_MAX_VIEWS];
    vrs_device_event *made; /* the outputs are; NULL: none stays on the device */
    bool agreed_upon;       /* `agreed` is queued */
    /* Where masks may be repeated; under repeat_lock. */
    vrs_cuda_slot *rider;
    vrs_device_event *masked; /* it has the masks that it repeats */
    bool waits, sent;         /* for these; to a lane */
} vrs_cuda_ticket;

/* Which network a batch is for, as an index. */
static inline int vrs_cuda_network_of(const vrs_cuda_slot *slot)
{
    return slot->batch->smaller ? 1 : 0;
}

static inline vrs_cuda *vrs_cuda_of(const vrs_pipeline *pipeline)
{
    return pipeline->lane;
}

/* Rows of a mask of a target's size, in elements. */
static inline int32_t vrs_cuda_alpha_stride(int32_t width)
{
    return (width + 31) / 32 * 32;
}

/* lane_cuda_memory.c */
vrs_status vrs_cuda_make_slot(vrs_cuda *cuda, vrs_cuda_slot *slot) VRS_MUST_USE;
/* What class maps need, if they are wanted; when the outputs are known. */
vrs_status vrs_cuda_make_large(vrs_cuda *cuda, vrs_cuda_slot *slot) VRS_MUST_USE;
void vrs_cuda_free_slot(vrs_cuda *cuda, vrs_cuda_slot *slot);
vrs_status vrs_cuda_make_stream(vrs_stream *stream) VRS_MUST_USE;
void vrs_cuda_free_stream(vrs_stream *stream);
vrs_status vrs_cuda_make_ticket(vrs_ticket *ticket) VRS_MUST_USE;
void vrs_cuda_free_ticket(vrs_ticket *ticket);

/* lane_cuda_input.c: brings a ticket's frame where the lane's kernels read it, once for all of its
 * views; queues the way in of a batch. */
vrs_status vrs_cuda_bring(vrs_cuda_lane *lane, vrs_ticket *ticket) VRS_MUST_USE;
vrs_status vrs_cuda_queue_inputs(vrs_cuda_slot *slot) VRS_MUST_USE;

/* lane_cuda_views.c: grids of a stream's tiles; of a batch's items those at `places`, which are
 * tiles; and the tiles of a ticket laid over its mask of a target, after which its threshold is
 * applied. */
vrs_status vrs_cuda_make_grids(vrs_cuda *cuda, const vrs_stream *stream) VRS_MUST_USE;
vrs_status vrs_cuda_queue_tiles(vrs_cuda_slot *slot, const vrs_cuda_preprocess_item *items,
                                const int32_t *places, int32_t count) VRS_MUST_USE;
vrs_status vrs_cuda_queue_patches(const vrs_cuda_lane *lane, const vrs_ticket *ticket,
                                  int32_t target, vrs_device_ptr alpha,
                                  int32_t stride) VRS_MUST_USE;

/* The tiles of a ticket in the class map of an output, which those of the eyes have made. */
vrs_status vrs_cuda_queue_class_patches(const vrs_cuda_lane *lane, const vrs_ticket *ticket,
                                        uint32_t output) VRS_MUST_USE;

/* lane_cuda_network.c: queues the network of a batch whose inputs are queued, with its states. */
vrs_status vrs_cuda_queue_network(vrs_cuda_slot *slot) VRS_MUST_USE;

/* lane_cuda_masks.c: masks. `live`: places of the views whose tickets have not failed. */
vrs_status vrs_cuda_queue_scores(vrs_cuda_slot *slot, const int32_t *live,
                                 int32_t count) VRS_MUST_USE;
/* Waits for the views that other lanes have made of a ticket, and brings the eyes together, once.
 */
vrs_status vrs_cuda_complete_masks(const vrs_cuda_slot *slot, vrs_ticket *ticket) VRS_MUST_USE;
/* Whether an output of `stream` shows masks of a target. */
bool vrs_cuda_is_wanted(const vrs_pipeline *pipeline, const vrs_stream *stream, int32_t target);

/* lane_cuda_output.c: outputs of a ticket whose masks are all queued; fails the ticket where that
 * fails. */
void vrs_cuda_queue_tickets(vrs_cuda_slot *slot);
/* Makes the outputs of a ticket that failed background, on the host. */
void vrs_cuda_fill_background(vrs_ticket *ticket);

/* lane_cuda_repeat.c: whether masks may be repeated, once the outputs are known; what a ticket has
 * for that. Settles the finished tickets of a slot, with its turn. Takes a ticket that is in no
 * batch: true where it repeats, and a lane will finish it. Queues the outputs of such a one, on its
 * lane's thread. */
bool vrs_cuda_may_repeat(const vrs_pipeline *pipeline);
vrs_status vrs_cuda_make_rider(vrs_cuda *cuda, vrs_ticket *ticket) VRS_MUST_USE;
void vrs_cuda_free_rider(const vrs_cuda *cuda, vrs_cuda_ticket *ticket);
void vrs_cuda_settle_masks(vrs_cuda_slot *slot);
bool vrs_cuda_take_repeat(vrs_ticket *ticket);
void vrs_cuda_send_repeat(vrs_cuda_slot *rider);

/* lane_cuda_steady.c: smooths the masks of the live views of a batch that the first network made,
 * with the smoothing's turn. */
vrs_status vrs_cuda_queue_steady(const vrs_cuda_slot *slot, const int32_t *live,
                                 int32_t count) VRS_MUST_USE;
/* Whether a view is an eye whose mask is brought together with the other one's, into `agreed`. */
bool vrs_cuda_agrees(const vrs_ticket *ticket, uint32_t view);
/* Does that for both eyes of a ticket, behind their masks. */
vrs_status vrs_cuda_queue_agreement(const vrs_cuda_slot *slot,
                                    const vrs_ticket *ticket) VRS_MUST_USE;

/* lane_cuda_pressure.c: fewer tickets where memory is short. */
bool vrs_cuda_pressure(void *cuda, const vrs_pressure *pressure);
bool vrs_cuda_has_room(vrs_stream *stream);

/* Marks the border between copies and kernels. Where that fails the time is not known, no more. */
void vrs_cuda_mark_copies(vrs_cuda_slot *slot, vrs_cuda_phase phase);

/* A call whose failure would leave others without order: tried twice, then the device counts as
 * lost, so that nothing that was queued is waited for or read. */
vrs_status vrs_cuda_record(vrs_device_event *event, vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_cuda_wait(vrs_device_stream *stream, vrs_device_event *event) VRS_MUST_USE;
vrs_status vrs_cuda_await(vrs_device *device, vrs_device_event *event) VRS_MUST_USE;
/* Waits for what `setup` has queued, at the start of a stream. */
vrs_status vrs_cuda_settle(vrs_cuda *cuda) VRS_MUST_USE;

#endif
