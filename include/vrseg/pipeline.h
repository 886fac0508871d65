/* The pipeline: frames in, masks out, asynchronously and in order.
 *
 *     vrs_pipeline_create(config, model, &pipeline);
 *     vrs_pipeline_start(pipeline);
 *     for each frame:
 *         vrs_pipeline_submit(pipeline, &frame, -1);
 *         while (vrs_pipeline_get_result(pipeline, &result, 0) == VRS_OK) {
 *             ... result->outputs[0] is the mask ...
 *             vrs_result_release(result);
 *         }
 *     vrs_pipeline_finish(pipeline);
 *     while (vrs_pipeline_get_result(pipeline, &result, -1) == VRS_OK) { ... }
 *     vrs_pipeline_destroy(pipeline);
 *
 * One frame in, exactly one result out: a frame that vrs_pipeline_submit() took has one, whatever
 * became of it, and one that it refused has its status. Within a stream results come in the order
 * of submission; among streams too, unless the option result_order is "ready". Each stream may be
 * submitted by a thread of its own, and results fetched by any one thread.
 *
 * How frames wait for each other is said by the options of the section `batch`, in the words of
 * Triton's dynamic batcher (docs/options.md, src/batch/queue.h):
 *
 *   a frame too many     max_queue_size, queue_overflow: it waits outside (submit blocks), or is
 *                        refused (VRS_REFUSED), or the oldest one leaves (its result is
 * VRS_DROPPED) a frame too late     queue_timeout_us, timeout_action: a result VRS_TIMEOUT, or it
 * stays a frame in a hurry   vrs_frame.priority and deadline_ns; no other one starves by that a
 * frame not wanted   vrs_pipeline_cancel_stream(): its result is VRS_CANCELLED
 *
 * Ids may repeat and come in any order. A stream may stop at any frame and go on at any time, and
 * one that never sends anything costs nothing. What nobody fetches holds its ticket: with the
 * tickets used up, submitting waits, and says so where that could not end.
 *
 * A pipeline that was destroyed, or NULL: calls that return a status refuse it with VRS_INVALID,
 * the others do nothing, as long as no later pipeline lies at its address. */
#ifndef VRSEG_PIPELINE_H
#define VRSEG_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "image.h"
#include "model.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vrs_pipeline vrs_pipeline;

#define VRS_MAX_OUTPUTS 4

typedef enum vrs_output_kind {
    VRS_OUTPUT_MASK = 0,      /* GRAY8, GRAY10 or YUV420P (constant chroma, for encoders) */
    VRS_OUTPUT_CLASSES = 1,   /* GRAY8: the class of each pixel */
    VRS_OUTPUT_COMPOSITE = 2, /* people over a colour; the source's depth; YUV420P or YUV420P10 */
    VRS_OUTPUT_CUTOUT = 3,    /* people with alpha; YUVA420P or YUVA420P10 */
} vrs_output_kind;

/* What the pipeline makes of each frame. */
typedef struct vrs_output_desc {
    vrs_output_kind kind;
    vrs_pixel_format format; /* VRS_FORMAT_NONE: GRAY8 for masks, the source's depth for the rest */
    int32_t width, height;   /* 0: the source's size. Masks and classes only: -1: the network's
                              * size, else any size */
    uint8_t background[3];   /* composites: R, G, B, full range, BT.709 primaries */
} vrs_output_desc;

/* The answer to one frame. Times by vrs_now_ns(). */
typedef struct vrs_result {
    int64_t id, pts, duration;
    uint32_t stream;
    int32_t priority;
    /* VRS_OK, or why the outputs show nothing but background. VRS_TIMEOUT, VRS_DROPPED and
     * VRS_CANCELLED: the frame left the queue before any work was done for it. */
    vrs_status status;
    char detail[VRS_DETAIL_SIZE];
    int64_t capture_ns, submitted_ns, done_ns;
    int64_t deadline_ns; /* it is late if done_ns is above; 0: it had none */
    float coverage;      /* share of the frame's mask that is person, 0..1 */
    uint32_t output_count;
    vrs_image outputs[VRS_MAX_OUTPUTS]; /* in the order of vrs_pipeline_add_output() */
    const vrs_image *source;            /* the submitted image */
} vrs_result;

/* Time and work of a stage. */
typedef enum vrs_stage {
    VRS_STAGE_DECODE = 0,
    VRS_STAGE_PREPROCESS = 1,
    VRS_STAGE_INFER = 2,
    VRS_STAGE_POSTPROCESS = 3,
    VRS_STAGE_ENCODE = 4,
    VRS_STAGE_COUNT = 5,
} vrs_stage;

/* "decode", "preprocess", "infer", "postprocess", "encode"; static text, "unknown" for others. */
VRS_API const char *vrs_stage_name(vrs_stage stage);

typedef struct vrs_stage_stats {
    uint64_t frames;
    int64_t busy_ns; /* summed over the stage's threads (inference: over its requests) */
    int32_t threads; /* how many can be busy at once */
} vrs_stage_stats;

/* Pipelines that may be alive at once. */
#define VRS_MAX_PIPELINES 64

typedef struct vrs_pipeline_stats {
    /* finished: with a result, of them timed_out, dropped, cancelled, failed otherwise; refused:
     * never taken, as the queue was full. */
    uint64_t submitted, finished, failed, timed_out, dropped, cancelled, refused;
    uint64_t batches[17];           /* sent, by their size 1..16 */
    uint32_t waiting, most_waiting; /* frames that wait for a batch, now and at most */
    int32_t batch_limit; /* largest batch now; lower than max_batch_size under pressure */
    int64_t started_ns, first_result_ns, last_result_ns;
    vrs_stage_stats stages[VRS_STAGE_COUNT]; /* decode and encode are filled by whoever does them */
    uint32_t tickets, tickets_in_use;
    int32_t network_width, network_height;
    bool network_on_gpu;
} vrs_pipeline_stats;

/* Builds a pipeline: loads the engine and compiles the model. Borrows both arguments; the model
 * must live until destroy. VRS_INVALID, VRS_NOT_FOUND (no weights), VRS_MISSING (no engine),
 * VRS_FORMAT or VRS_ENGINE (the network cannot be used), VRS_NO_MEMORY, VRS_SYSTEM, VRS_UNSUPPORTED
 * (also: VRS_MAX_PIPELINES are alive). Returns owned. */
VRS_API vrs_status vrs_pipeline_create(const vrs_config *config, const vrs_model *model,
                                       vrs_pipeline **pipeline) VRS_MUST_USE;

/* Adds an output, before start; none: one mask, GRAY8, in the source's size. VRS_INVALID: a format
 * or size that the kind does not have, more than VRS_MAX_OUTPUTS, or after start. */
VRS_API vrs_status vrs_pipeline_add_output(vrs_pipeline *pipeline,
                                           const vrs_output_desc *desc) VRS_MUST_USE;

/* Starts the threads. VRS_INVALID: already started. VRS_NO_MEMORY, VRS_SYSTEM. */
VRS_API vrs_status vrs_pipeline_start(vrs_pipeline *pipeline) VRS_MUST_USE;

/* Queues one frame. Takes `frame->image` on success and leaves it with the caller on failure.
 * Blocks while all tickets of its stream are in use, and with queue_overflow=block while its level
 * is full, for at most `timeout_us` (-1: no limit, 0: never); while somebody does and nothing is on
 * its way, incomplete batches do not wait for more. VRS_TIMEOUT: still full. VRS_FULL: waiting
 * could not end, since all tickets hold finished results and it is this thread that fetches them,
 * or for two seconds no thread at all: fetch results between submits, or from another thread.
 * VRS_REFUSED: its level is full, with queue_overflow=refuse. VRS_CLOSED: after
 * vrs_pipeline_finish(). VRS_INVALID: the image is malformed, or not of its stream's format and
 * size, or a view is outside the image, or there is no such stream or priority, or a negative time.
 * VRS_NO_MEMORY: a stream's first frame. One thread for each stream. */
VRS_API vrs_status vrs_pipeline_submit(vrs_pipeline *pipeline, vrs_frame *frame,
                                       int64_t timeout_us) VRS_MUST_USE;

/* Gives the next result once it is finished; it stays valid until vrs_result_release(), and at
 * most one fewer than the tickets may be held. Waits at most `timeout_us` (-1: no limit, 0: never);
 * while somebody waits and nothing else is on its way, incomplete batches do not wait for more.
 * VRS_TIMEOUT: none yet. VRS_END: all results are fetched after vrs_pipeline_finish().
 * VRS_INVALID: nothing is in flight and it is this thread that submits, and no other one ever did,
 * so waiting without limit could not end. One thread. */
VRS_API vrs_status vrs_pipeline_get_result(vrs_pipeline *pipeline, vrs_result **result,
                                           int64_t timeout_us) VRS_MUST_USE;

/* Gives a result, its images and its source back. Any thread; before vrs_pipeline_destroy(). */
VRS_API void vrs_result_release(vrs_result *result);

/* No more frames will be submitted; results can still be fetched. Any thread, any number of times.
 */
VRS_API void vrs_pipeline_finish(vrs_pipeline *pipeline);

/* Waits until every submitted frame has its result. VRS_TIMEOUT. Any thread. */
VRS_API vrs_status vrs_pipeline_drain(vrs_pipeline *pipeline, int64_t timeout_us) VRS_MUST_USE;

/* Forgets the past of a stream (smoothing, recurrent states): its next submitted frame starts
 * afresh, as after a cut. That frame may also have another format and size:
 * submitting it waits until the results before it are released. The stream's submitting thread. */
VRS_API void vrs_pipeline_reset_stream(vrs_pipeline *pipeline, uint32_t stream);

/* Gives up the frames of a stream that wait for a batch: their results come, in their order, with
 * the status VRS_CANCELLED. What is being processed ends as it would, and the stream's next
 * submitted frame starts afresh, as after a reset. Returns how many frames were given up; 0 also
 * for a stream that there is not. Any thread, at any time from create to destroy. */
VRS_API uint32_t vrs_pipeline_cancel_stream(vrs_pipeline *pipeline, uint32_t stream);

/* Stops and frees everything, in flight or not, within a second plus the inference that is
 * running. NULL is fine. No other call may be running or follow. */
VRS_API void vrs_pipeline_destroy(vrs_pipeline *pipeline);

/* Where frames are processed, and where that was chosen by itself why: "cpu", "cuda:0 (NVIDIA
 * H200)". Lives as long as the pipeline. Any thread. */
VRS_API const char *vrs_pipeline_get_device(const vrs_pipeline *pipeline);

/* What runs the network: "openvino 2026.4.1, f32", and where a GPU's engine was to be tried first
 * why it is not that. Lives as long as the pipeline. Any thread. */
VRS_API const char *vrs_pipeline_get_engine(const vrs_pipeline *pipeline);

/* Any thread. */
VRS_API vrs_pipeline_stats vrs_pipeline_get_stats(const vrs_pipeline *pipeline);

#ifdef __cplusplus
}
#endif
#endif
