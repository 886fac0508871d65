/* The parts of a pipeline and who may touch them.
 *
 *   submit ─> queue ─> batcher thread ─> to_preprocess ─> workers ─> engine requests
 *          ─> to_postprocess ─> workers: the run's end, scores to mask ─> in order: smoothing
 *          ─> to_postprocess ─> workers: outputs ─> in order: results
 *
 * A ticket belongs to one thread at a time; queues hand it on. `lock` guards the tickets' lists,
 * the batching queue, the results and the counters; `order_lock` the step that must see frames in
 * order; `setup_lock` the making of streams and tickets, before `lock` where both are held. */
#ifndef VRS_PIPELINE_INTERNAL_H
#define VRS_PIPELINE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/cover.h"
#include "base/queue.h"
#include "base/reorder.h"
#include "base/span.h"
#include "base/thread.h"
#include "batch/adapt.h"
#include "batch/flight.h"
#include "batch/queue.h"
#include "batch/settings.h"
#include "engine/engine.h"
#include "image/format.h"
#include "kernels/kernels.h"
#include "pipeline/crops.h"
#include "pipeline/lane.h"
#include "pipeline/latency.h"
#include "pipeline/live.h"
#include "pipeline/packed.h"
#include "pipeline/place.h"
#include "pipeline/steady.h"
#include "pipeline/views.h"
#include "vrseg/pipeline.h"
#include "vrseg/profile.h"

#define VRS_MAX_BATCH VRS_BATCH_MOST
#define VRS_MAX_WORKERS 64
#define VRS_MAX_LANES 16
/* Rows of a strip: the mask of a strip stays in the first cache levels between kernels. Even, so
 * that strips begin on chroma rows. */
#define VRS_STRIP_ROWS 16

/* What a worker finds in a queue: the first member of what is queued. */
typedef enum vrs_work_kind {
    VRS_WORK_TICKET = 1, /* a frame to be rendered */
    VRS_WORK_VIEW = 2,   /* a view in a slot */
    VRS_WORK_SLOT = 3,   /* a slot whose run has ended */
} vrs_work_kind;

/* One view of a ticket on its way through a slot. */
typedef struct vrs_view_work {
    vrs_work_kind kind;
    vrs_ticket *ticket;
    uint32_t view;
    vrs_batch *slot;
    int32_t position;
} vrs_view_work;

/* The network that takes over in the last step of live mode. Its picture has the proportions of the
 * first one's, and its scores become masks of that one's size. */
typedef struct vrs_smaller {
    vrs_model *model;
    const vrs_model_spec *spec;
    vrs_engine *engine; /* NULL: there is none, and the rest is not set */
    const vrs_engine_io *io;
    vrs_upsample from_scores;
    void *from_scores_tables;
} vrs_smaller;

/* An engine request and the views that are in it. */
struct vrs_batch {
    vrs_work_kind kind;
    int32_t index;   /* of the request */
    uint64_t number; /* counts the batches as they are sent off */
    vrs_pipeline *pipeline;
    vrs_request *request;     /* of the network that this batch is for: */
    vrs_request *requests[2]; /* the first one's, and the smaller one's */
    bool smaller;             /* the second */
    vrs_view_work views[VRS_MAX_BATCH];
    int32_t count;
    atomic_int to_fill, to_read; /* views not yet preprocessed, not yet read */
    atomic_bool running;
    int64_t sent_ns;    /* by the batcher */
    int64_t prepare_ns; /* from then on a GPU needed until its network could begin; 0: not known */
    int64_t begin_ns, end_ns;
    vrs_status status;
};

/* A size in which masks are wanted, and how each view gets there. */
typedef struct vrs_target {
    int32_t width, height;
    vrs_rect rects[VRS_MAX_VIEWS];
    vrs_upsample upsample[VRS_MAX_VIEWS];
    void *tables[VRS_MAX_VIEWS];
    vrs_upsample class_upsample[VRS_MAX_VIEWS]; /* from the scores' own size */
    void *class_tables[VRS_MAX_VIEWS];
} vrs_target;

/* Memory between two frames of a view. */
typedef struct vrs_view_state {
    int16_t *smooth; /* the last mask; NULL when neither smoothing nor live mode needs it */
    float *states[VRS_MAX_STATES];
    bool smooth_valid, states_valid;
    uint8_t tile, net_tile; /* of the last mask; of the last states */
} vrs_view_state;

/* Scratch memory of one worker for one stream. */
typedef struct vrs_scratch {
    void *preprocess;
    int16_t *alpha, *chroma_alpha, *hard; /* strips */
    int16_t *fish;                        /* the whole mask, of a picture that is unrolled */
    void *pack;
    int16_t *upsample;
    float *refine;
    float *slope[VRS_MAX_VIEWS], *offset[VRS_MAX_VIEWS];
    void *guided, *feather;
    int16_t *scores, *upsample_scores; /* only where the scores' size is not the network's */
    float *classes, *patches;
    uint8_t *luma; /* of RGB images, a strip */
} vrs_scratch;

/* Made of the source's pixels. */
static inline bool vrs_is_picture(vrs_output_kind kind)
{
    return kind == VRS_OUTPUT_COMPOSITE || kind == VRS_OUTPUT_CUTOUT || kind == VRS_OUTPUT_PACKED;
}

/* Everything that depends on a stream's format and size. Made by its first frame. */
struct vrs_stream {
    uint32_t number;
    vrs_image shape;                /* format, size and colour; no pixels */
    uint32_t view_count, eye_count; /* the first eye_count are rectangles that cover the frame */
    vrs_rect views[VRS_MAX_VIEWS];  /* of a tile: its eye's */
    vrs_view_tile *tiles[VRS_MAX_POOL]; /* of those behind, by vrs_ticket.tile */
    uint32_t tile_count;
    vrs_mesh_map *maps[2];                      /* of eyes whose projection is a mesh */
    int32_t *eye_grids[VRS_MAX_OUTPUTS + 1][2]; /* of eyes, by class maps' targets */
    vrs_crops *crops;                           /* NULL: tiles stay; under `lock` */
    int32_t crop_count, place_count; /* of an eye: crops beside the scout, places of the pool */
    uint64_t past_begin;             /* sequence of its last frame without a past */
    vrs_packed packed;
    vrs_preprocess_plan *plans[VRS_MAX_VIEWS];
    vrs_preprocess_plan *smaller_plans[VRS_MAX_VIEWS]; /* where there is a smaller network */
    vrs_view_state state[VRS_MAX_VIEWS];
    vrs_target targets[VRS_MAX_OUTPUTS + 1]; /* [0]: the source's size */
    int32_t target_count;
    int32_t output_target[VRS_MAX_OUTPUTS];
    vrs_output_desc outputs[VRS_MAX_OUTPUTS]; /* with every "as the source" replaced */
    vrs_scratch scratch[VRS_MAX_WORKERS];
    vrs_pipeline *pipeline;
    void *lane; /* what the lanes keep for it */
    vrs_ticket *tickets;
    uint32_t ticket_count, free_count;
    uint32_t retired; /* of ticket_count: without memory, as that was short; under `lock` */
    vrs_ticket *free_list, *retired_list;
    bool restart; /* the next submitted frame has no past */
    uint64_t next_sequence;
    vrs_reorder *order;   /* where masks are smoothed on the CPU; under `order_lock` */
    bool ordering;        /* a thread takes tickets out of it, one after the other; likewise */
    vrs_steady *steady;   /* of whoever does that; NULL: masks do not follow the motion */
    vrs_reorder *results; /* where results come as they are ready; under `lock` */
    bool refine;          /* masks of the source's size follow its edges */
    bool inferred;        /* live mode: its last frame went to the network; under `lock` */
    uint64_t host_bytes;  /* as vrs_pipeline_stats has them */
};

struct vrs_ticket {
    vrs_work_kind kind;
    vrs_ticket *next_free;
    vrs_stream *stream;
    vrs_pipeline *pipeline;
    vrs_frame frame;
    uint64_t sequence, stream_sequence; /* of all frames, of the stream's */
    vrs_batch_frame queued;             /* its place in the batching queue; under `lock` */
    int64_t sent_ns;                    /* when its last view went; under `lock` */
    int32_t sent_with;                  /* size of that batch, if its time is measured by this one;
                                         * else 0 */
    vrs_ticket *next_ready;             /* results as they are ready, or tickets given up */
    bool restart;
    bool finished; /* the result is ready or fetched; under `lock` */
    bool settled;  /* live mode on a GPU: its masks are queued, or will not come; under `lock` */
    bool plain;    /* live mode: without refinement */
    bool smaller;  /* live mode: the smaller network is good enough */
    atomic_int views_to_read;
    int64_t queued_ns;
    uint8_t tile[VRS_MAX_VIEWS];  /* of the views behind the eyes */
    uint32_t moved;               /* views whose crop is not where it was, a bit each */
    vrs_crops_seen *seen;         /* where the stream has crops */
    bool looked;                  /* it is of this frame */
    int16_t *mask[VRS_MAX_VIEWS]; /* at the network's size */
    uint8_t *guide[VRS_MAX_VIEWS];
    float *scores[VRS_MAX_VIEWS]; /* vrs_views_keep_scores(), on the host */
    vrs_image outputs[VRS_MAX_OUTPUTS];
    void *lane; /* what the lanes keep for it */
    vrs_result result;
};

typedef struct vrs_pipeline_settings {
    int32_t tickets, preprocess_threads, postprocess_threads, requests, engine_threads, max_batch;
    int32_t lanes; /* on a GPU; 0 on the CPU */
    vrs_batch_options batch;
    bool live, live_degrade;
    char layout[16], projection[32]; /* the options' words */
    bool layout_chosen;              /* somebody said so; else a frame's own one counts */
    vrs_views_kind views;
    double tile_fov; /* degrees */
    double crop_fov;
    int32_t crops;      /* an eye */
    bool refine;        /* streams may be refined: vrs_stream.refine */
    bool refine_always; /* also where the mask is hardly enlarged */
    bool smooth;
    bool steady;     /* ... along the motion; only with `smooth` */
    bool match_eyes; /* only with `steady`; of streams that have two */
    int32_t refine_radius;
    float refine_epsilon;
    int16_t smooth_weight, threshold; /* Q15; threshold 0: soft */
    int32_t feather;
    vrs_isa isa;
} vrs_pipeline_settings;

/* Where time went by, in nanoseconds. */
typedef struct vrs_load {
    _Atomic int64_t slot_ns; /* frames were there and no slot was free for them */
    _Atomic int64_t read_ns; /* of runs that were done and waited for postprocessing, summed */
    /* Under `lock`. */
    int64_t ticket_ns, unread_ns, short_ns; /* as vrs_pipeline_stats has them */
    uint64_t added, found;     /* to the batching queue; and waiting there already, summed */
    vrs_cover kernels, copies; /* on the GPU, all lanes */
} vrs_load;

struct vrs_pipeline {
    vrs_pipeline_settings settings;
    const vrs_model *model;
    const vrs_model_spec *spec;
    vrs_engine *engine;
    char engine_text[VRS_DETAIL_SIZE]; /* one line for the user */
    char engine_name[16];              /* of the back end */
    vrs_precision precision;           /* of the network */
    const vrs_engine_io *io;
    const vrs_kernels *kernels;
    const vrs_lane_ops *lanes;
    void *lane;                 /* what the lanes keep */
    vrs_place place, own_place; /* own: to be closed */
    vrs_upsample from_scores;   /* scores' size to the network's, where they differ */
    void *from_scores_tables;
    vrs_smaller smaller;
    vrs_output_desc outputs[VRS_MAX_OUTPUTS];
    uint32_t output_count;
    bool want_classes;

    vrs_batch *slots;
    vrs_queue *free_slots, *to_preprocess, *to_postprocess;
    atomic_int waiting; /* callers that only a result or a free ticket lets go on */
    atomic_int views_in_slots;
    atomic_bool finishing, stopping;

    vrs_mutex lock;
    vrs_cond changed; /* ticket free, room in the queue, result ready, or stopping */
    vrs_cond work;    /* what the batcher alone waits on */
    vrs_batch_queue *queue;
    vrs_batch_adapt adapt;
    vrs_batch_flight flight;
    int32_t engine_limit; /* the largest batch that the engine runs at once */
    bool limiting;        /* a thread is changing it */
    vrs_reorder *results; /* in the order of submission; else: */
    vrs_ticket *ready_first, *ready_last;
    vrs_stream *streams[VRS_MAX_STREAMS];
    uint64_t submitted, finished, fetched, failed, timed_out, dropped, cancelled, refused;
    int64_t started_ns, first_result_ns, last_result_ns;
    uint64_t repeated; /* of the finished ones */
    int64_t ready_ns;  /* when the last fetched result and all before it were finished */
    vrs_latency_meter latency,
        *stream_latency[VRS_MAX_STREAMS]; /* made by a stream's first frame */
    vrs_live live;
    vrs_load load;
    pthread_t submitter, reader;
    bool has_submitter, has_reader, several_submitters;
    uint32_t last_stream; /* of the last frame that was taken */
    bool submit_waits;    /* ... and whether its submitter was ready to wait */

    vrs_mutex setup_lock;
    vrs_mutex order_lock;
    vrs_reorder *order; /* a GPU's: of batches */

    vrs_recorder *recorder;
    vrs_track *submit_track; /* of those who submit; under `lock` */
    vrs_track *result_track; /* of the one who fetches */
    vrs_thread batcher;
    vrs_thread preprocess[VRS_MAX_WORKERS], postprocess[VRS_MAX_WORKERS];
    atomic_int next_preprocess, next_postprocess; /* worker numbers */
    bool started;
    bool has_lock, has_changed, has_work, has_order_lock, has_setup_lock;
};

/* As vrs_pipeline_create_at(), at the place of the configuration. */
struct vrs_engine_ops;
vrs_status vrs_pipeline_create_on(const vrs_config *config, const vrs_model *model,
                                  const struct vrs_engine_ops *ops,
                                  vrs_pipeline **pipeline) VRS_MUST_USE;

/* pipeline.c: whether it was made and not destroyed; and the refusal of one that is not. */
bool vrs_pipeline_alive(const vrs_pipeline *pipeline);
vrs_status vrs_pipeline_gone(void) VRS_MUST_USE;

/* settings.c; `gpu`: the frames are processed on one; and the network is. `streams`: how many will
 * share the pipeline, where that is known; else 0. */
vrs_status vrs_settings_read(const vrs_config *config, const vrs_model_spec *spec, bool gpu,
                             bool network_on_gpu, int32_t streams,
                             vrs_pipeline_settings *settings) VRS_MUST_USE;
/* Whether the network is to run on the GPU, if there is one; "auto": if it can. */
bool vrs_settings_network_on_gpu(const vrs_config *config, bool gpu);

/* smaller.c: opens the network of the option smaller_model, where live mode may come to it; `ops`:
 * of tests, else NULL. Behind the pipeline's own engine. VRS_INVALID: other proportions, or one of
 * the two is recurrent; what loading a model and making an engine give. */
vrs_status vrs_smaller_open(vrs_pipeline *pipeline, const vrs_config *config,
                            const struct vrs_engine_ops *ops) VRS_MUST_USE;
void vrs_smaller_close(vrs_smaller *smaller);
/* The network of a batch: what it wants and gives, and how a view of a stream becomes its input. */
const vrs_engine_io *vrs_batch_io(const vrs_batch *batch);
const vrs_preprocess_plan *vrs_batch_plan(const vrs_view_work *work);
/* pipeline.c: an engine by the configuration, at the pipeline's place. */
vrs_status vrs_pipeline_open_engine(const vrs_pipeline *pipeline, const vrs_config *config,
                                    const vrs_model *model, const char *name,
                                    const struct vrs_engine_ops *ops,
                                    vrs_engine **engine) VRS_MUST_USE;

/* compile.c: an engine's progress goes to whoever asked for it. */
void vrs_compile_watch(vrs_engine_params *params);

/* stream.c: makes a stream from its first frame. VRS_INVALID, VRS_UNSUPPORTED, VRS_NO_MEMORY. */
vrs_status vrs_stream_create(vrs_pipeline *pipeline, const vrs_frame *frame,
                             vrs_stream **stream) VRS_MUST_USE;
void vrs_stream_destroy(vrs_stream *stream);
/* A ticket that is in no list any more has given its memory back. With `lock` held. */
void vrs_stream_retire(vrs_ticket *ticket);
/* Gives a retired ticket its memory again where there is room. The submitting thread of the stream,
 * with `lock` held, which is let go meanwhile. */
void vrs_stream_grow_back(vrs_stream *stream);

/* Colour of an output whose planes are made, and the chroma of a mask that is a YUV picture. */
void vrs_output_prepare(const vrs_stream *stream, uint32_t index, vrs_image *image);

/* batcher.c: the thread that fills slots. */
void vrs_batcher_main(void *pipeline);
/* Makes the batcher look again. Any thread, with `lock` held. */
void vrs_batcher_wake(vrs_pipeline *pipeline);
/* A slot is free. Any thread, without `lock`. */
void vrs_slot_free(vrs_batch *slot);
/* Queues a filled ticket; `*dropped` is another one that had to leave, to be given up, or NULL.
 * False: its level is full. With `lock` held. */
bool vrs_batcher_add(vrs_ticket *ticket, vrs_ticket **dropped) VRS_MUST_USE;
/* Takes the waiting tickets of a stream out of the queue; a chain by next_ready. With `lock` held.
 */
vrs_ticket *vrs_batcher_cancel(vrs_pipeline *pipeline, uint32_t stream);
/* Finishes a chain of tickets that left the queue, with this status and detail. Without `lock`. */
void vrs_tickets_give_up(vrs_ticket *chain, vrs_status status, const char *detail);
/* The device's memory is short: smaller batches, if that gives some back. Any thread, without
 * `lock`. */
bool vrs_batcher_press(vrs_pipeline *pipeline);

/* stages.c: the worker threads of the CPU. */
void vrs_preprocess_main(void *pipeline);
void vrs_postprocess_main(void *pipeline);
/* All masks of a ticket are there, or it has none: smoothing in the stream's order, rendering. */
void vrs_masks_done(vrs_ticket *ticket);

/* lane.c: steps that are the same wherever the work is done. */

/* Marks a ticket failed with the calling thread's last error; the first failure stays. */
void vrs_ticket_fail(vrs_ticket *ticket, vrs_status status, const char *detail);
/* Starts the inference of a batch whose inputs are filled; where it does not start, its tickets
 * fail and it is handed on as done. */
void vrs_batch_start(vrs_batch *batch);
/* The engine's last word on a batch that was handed on; into batch->status. */
void vrs_batch_settle(vrs_batch *batch);
/* States over time, from the stream into the request and back; `good`: the run was. */
void vrs_load_states(vrs_view_work *work);
void vrs_commit_states(vrs_view_work *work, bool good);
/* The flags of the two alone: whether there is a past (a restart ends it), and that the next frame
 * of the view may run. */
bool vrs_has_states(vrs_view_work *work);
void vrs_end_states(vrs_view_work *work, bool good);
/* A view of a batch needs its slot no longer. */
void vrs_view_read(vrs_pipeline *pipeline);
/* The share of a frame that is person, from the sum over each view's content in its mask. */
float vrs_coverage(const vrs_ticket *ticket, const uint64_t sums[VRS_MAX_VIEWS]);
/* Hands the result out. The ticket is the caller's no longer. */
void vrs_finish_ticket(vrs_ticket *ticket);

/* Person scores of a view (`data`, as the io of its batch's network says) become the ticket's mask
 * at the first network's size, and its class maps where they are wanted. */
void vrs_read_scores(const vrs_view_work *work, const float *data, vrs_scratch *scratch);

/* render.c: class maps from the scores of a view, and outputs from a ticket's masks. */
void vrs_render_classes(vrs_ticket *ticket, uint32_t view, const vrs_scores *scores,
                        vrs_scratch *scratch);
void vrs_render_outputs(vrs_ticket *ticket, vrs_scratch *scratch);
/* Makes the masks and class maps of a failed frame empty, so that its outputs show background. */
void vrs_clear_masks(vrs_ticket *ticket);

/* The part of the network's picture that holds a view, in a picture of other size. */
vrs_rect vrs_content_in(const vrs_preprocess_plan *plan, const vrs_model_spec *spec, int32_t width,
                        int32_t height);

#endif
