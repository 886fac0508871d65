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
 *   - too many: max_queue_size and queue_overflow. A frame waits outside (submit blocks), or is
 *     refused (VRS_REFUSED), or the oldest one leaves (its result is VRS_DROPPED).
 *   - too late: queue_timeout_us and timeout_action. Its result is VRS_TIMEOUT, or it stays.
 *   - in a hurry: vrs_frame.priority and deadline_ns. No other frame starves by that.
 *   - not wanted any more: vrs_pipeline_cancel_stream(). Its result is VRS_CANCELLED.
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
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "image.h"
#include "memory.h"
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
    /* The picture with its mask packed into the corners, where DeoVR and HereSphere look for alpha;
     * the source's depth; YUV420P or YUV420P10. Of side-by-side pictures of even sides: fisheyes as
     * they are, equirectangular ones made a fisheye of 180 degrees. */
    VRS_OUTPUT_PACKED = 4,
} vrs_output_kind;

/* What the pipeline makes of each frame. */
typedef struct vrs_output_desc {
    vrs_output_kind kind;
    vrs_pixel_format format; /* VRS_FORMAT_NONE: GRAY8 for masks, the source's depth for the rest */
    int32_t width, height;   /* 0: the source's size. Masks and classes only: -1: the network's
                              * size, else any size */
    uint8_t background[3];   /* composites: R, G, B, full range, BT.709 primaries */
    bool red;                /* packed: alpha as pure red; false: as grey, which is finer */
    /* Where results have it. VRS_MEMORY_CUDA: on the GPU that made it, without a copy: planes are
     * device addresses, and `ready` is an event that was recorded after the last write. It is the
     * caller's until the result is released: who reads it waits for those reads first. That of a
     * failed frame has no planes. */
    vrs_memory_kind memory;
} vrs_output_desc;

/* The answer to one frame. Times by vrs_now_ns(). */
typedef struct vrs_result {
    int64_t id, pts, duration;
    uint32_t stream;
    int32_t priority;
    /* VRS_OK, or why the outputs show nothing but background. VRS_TIMEOUT, VRS_DROPPED and
     * VRS_CANCELLED: the frame left the queue before any work was done for it. In the option
     * "live" a dropped one, which was too late, has no outputs. */
    vrs_status status;
    char detail[VRS_DETAIL_SIZE];
    int64_t capture_ns, submitted_ns, done_ns;
    int64_t deadline_ns; /* it is late if done_ns is above; 0: it had none */
    float coverage;      /* share of the frame's mask that is person, 0..1 */
    bool repeated;       /* the mask is that of the frame before: see vrs_live_step */
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
    int64_t busy_ns;    /* summed over the stage's threads (inference: over its requests) */
    int64_t starved_ns; /* summed likewise: waited for work */
    int64_t blocked_ns; /* waited for room for what is done, or to begin what is there */
    int32_t threads;    /* how many can be busy at once */
    double queue;       /* what waits before the stage: mean of what newcomers found */
    uint32_t queue_most, queue_now;
} vrs_stage_stats;

/* A stretch of a run. Shares of the stages' threads' time, 0..1; indices are stages. */
typedef struct vrs_load_sample {
    double begin_seconds, end_seconds; /* since the start */
    double fps;                        /* results */
    double cpu_share;                  /* of the processors that may be used */
    double busy[VRS_STAGE_COUNT], starved[VRS_STAGE_COUNT], blocked[VRS_STAGE_COUNT];
    double queue[VRS_STAGE_COUNT]; /* what waited before the stage, mean over samples */
} vrs_load_sample;

#define VRS_LOAD_SAMPLES 128

/* What can limit a run. */
typedef enum vrs_resource {
    VRS_RESOURCE_CORES = 0,    /* the CPU's */
    VRS_RESOURCE_DECODER = 1,  /* the GPU's */
    VRS_RESOURCE_SMS = 2,      /* the GPU's multiprocessors: the time in which some kernel runs */
    VRS_RESOURCE_COPY = 3,     /* the GPU's copy engine */
    VRS_RESOURCE_ENCODER = 4,  /* the GPU's, or the one thread that feeds the CPU's */
    VRS_RESOURCE_DISK = 5,     /* that outputs are written to */
    VRS_RESOURCE_CONSUMER = 6, /* a reader who does not fetch, or of a pipe that is full */
    VRS_RESOURCE_SOURCE = 7,   /* a pipe, camera or disk that does not deliver */
    VRS_RESOURCE_MEMORY = 8,   /* fewer frames in flight than wanted */
    VRS_RESOURCE_COUNT = 9,
} vrs_resource;

/* "cores", "decoder", "gpu", "copy", "encoder", "disk", "consumer", "source", "memory"; "none" for
 * others. Static text. */
VRS_API const char *vrs_resource_name(vrs_resource resource);

/* From a frame's capture (where that is not known, from its submission) until its mask could be
 * fetched, that is until it and all before it were finished. Percentiles are within 0.8 %
 * (a histogram of 64 buckets for each doubling), mean and maximum exact. */
typedef struct vrs_latency {
    uint64_t frames; /* fetched masks; those that failed or were dropped have none */
    uint64_t missed; /* of them later than the target; 0 without one */
    int64_t mean_ns, p50_ns, p95_ns, p99_ns, max_ns;
    int64_t jitter_ns; /* mean difference to the frame before it in its stream */
} vrs_latency;

/* What is left out of a frame's work, in the option "live", where the machine cannot keep up: the
 * first of these that the run has, then the next as well, and back again. Bits. */
typedef enum vrs_live_step {
    VRS_LIVE_NO_REFINEMENT = 1, /* masks are enlarged without the picture's edges */
    VRS_LIVE_EVERY_SECOND = 2,  /* every second frame has the mask of the one before */
    VRS_LIVE_SMALLER_INPUT = 4, /* the network of the option smaller_model takes over */
} vrs_live_step;

/* A change of them. */
typedef struct vrs_live_change {
    int64_t time_ns;   /* by vrs_now_ns() */
    uint32_t from, to; /* steps in force, vrs_live_step together */
    char reason[160];  /* "4 of the last 16 frames came after the target of 33.0 ms" */
} vrs_live_change;

/* "everything", "no refinement", "no refinement, every second mask": what is done. */
VRS_API void vrs_live_steps_text(uint32_t steps, char *text, size_t size);

/* Of these changes the last ones are kept. */
#define VRS_LIVE_CHANGES 64

/* Pipelines that may be alive at once. */
#define VRS_MAX_PIPELINES 64

typedef struct vrs_pipeline_stats {
    /* finished: with a result, of them timed_out, dropped, cancelled, failed otherwise; refused:
     * never taken, as the queue was full. */
    uint64_t submitted, finished, failed, timed_out, dropped, cancelled, refused;
    uint64_t batches[17];           /* sent, by their size 1..16 */
    uint32_t waiting, most_waiting; /* frames that wait for a batch, now and at most */
    int32_t batch_limit; /* largest batch now; lower than max_batch_size under pressure */
    uint64_t repeated;   /* of the finished ones: with the mask of the frame before */
    int64_t started_ns, first_result_ns, last_result_ns;
    vrs_stage_stats stages[VRS_STAGE_COUNT]; /* decode and encode are filled by whoever does them */
    uint32_t tickets, tickets_in_use;
    uint32_t tickets_wanted; /* more than tickets: memory is short */
    /* Host memory that its streams take at most, once they are made, which is before their first
     * frame is worked at: frames of the caller's in flight, masks, outputs, tables, scratch. */
    uint64_t host_bytes;
    /* On a GPU its budgets and what is taken of them; 0: there is none. */
    uint64_t device_budget, device_bytes, pinned_budget, pinned_bytes;
    int32_t network_width, network_height;
    bool on_gpu, network_on_gpu;
    int64_t gpu_ns, copy_ns;   /* in which some kernel, some copy of the lanes ran */
    int64_t wait_ns;           /* that submitting waited for a ticket */
    int64_t unread_ns;         /* of it, while all tickets held results that nobody had released */
    int64_t short_ns;          /* of it, while there were fewer tickets than wanted */
    vrs_latency latency;       /* of all streams */
    int64_t latency_target_ns; /* 0: none */
    uint32_t live_steps;       /* in force now */
    uint32_t live_changes;     /* so far */
} vrs_pipeline_stats;

/* Builds a pipeline: loads the engine and compiles the model. Borrows both arguments; the model
 * must live until destroy. VRS_INVALID, VRS_NOT_FOUND (no weights), VRS_MISSING (no engine),
 * VRS_FORMAT or VRS_ENGINE (the network cannot be used), VRS_NO_MEMORY, VRS_SYSTEM, VRS_UNSUPPORTED
 * (also: VRS_MAX_PIPELINES are alive). Returns owned. */
VRS_API vrs_status vrs_pipeline_create(const vrs_config *config, const vrs_model *model,
                                       vrs_pipeline **pipeline) VRS_MUST_USE;

/* Adds an output, before start; none: one mask, GRAY8, in the source's size. VRS_INVALID: a format
 * or size that the kind does not have, a mask as YUV420P in a GPU's memory, more than
 * VRS_MAX_OUTPUTS, or after start. VRS_UNSUPPORTED: classes of a network without any, or memory of
 * a GPU where frames are processed on the CPU. What a stream's frames cannot become is said when
 * the first of them is submitted. */
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
 * Of a stream's first frame: VRS_UNSUPPORTED, it cannot become the outputs (pictures with people
 * are made of YUV, in the source's depth; packed ones of some layouts), and VRS_NO_MEMORY. One
 * thread for each stream. */
VRS_API vrs_status vrs_pipeline_submit(vrs_pipeline *pipeline, vrs_frame *frame,
                                       int64_t timeout_us) VRS_MUST_USE;

/* Gives the next result once it is finished; it stays valid until vrs_result_release(), and at
 * most one fewer than the tickets may be held. Waits at most `timeout_us` (-1: no limit, 0: never),
 * but until there is a result where one thread submits, with waiting, and fetches, and all tickets
 * of its last frame's stream are in use: its next submit could do nothing else. While somebody
 * waits and nothing else is on its way, incomplete batches do not wait for more. VRS_TIMEOUT: none
 * yet. VRS_END: all results are fetched after vrs_pipeline_finish(). VRS_INVALID: nothing is in
 * flight and it is this thread that submits, and no other one ever did, so waiting without limit
 * could not end. One thread. */
VRS_API vrs_status vrs_pipeline_get_result(vrs_pipeline *pipeline, vrs_result **result,
                                           int64_t timeout_us) VRS_MUST_USE;

/* Gives a result, its images and its source back. Any thread; before vrs_pipeline_destroy(). */
VRS_API void vrs_result_release(vrs_result *result);

/* No more frames will be submitted; results can still be fetched. Any thread, any number of times.
 */
VRS_API void vrs_pipeline_finish(vrs_pipeline *pipeline);

/* Waits until every submitted frame has its result. VRS_TIMEOUT: not in that time. Any thread. */
VRS_API vrs_status vrs_pipeline_drain(vrs_pipeline *pipeline, int64_t timeout_us) VRS_MUST_USE;

/* Forgets the past of a stream (smoothing, recurrent states): its next submitted frame starts
 * afresh, as after a cut. That frame may also have another format and size: submitting it waits
 * until the results before it are released. The stream's submitting thread. */
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

/* The memory manager of the pipeline's GPU, for vrs_memory_get_stats(); NULL where frames are
 * processed on the CPU. Lives as long as the pipeline. Any thread. */
VRS_API const vrs_memory *vrs_pipeline_get_memory(const vrs_pipeline *pipeline);

/* The latency of one stream; all zero where it has no results yet. Any thread. */
VRS_API vrs_latency vrs_pipeline_get_latency(const vrs_pipeline *pipeline, uint32_t stream);

/* Copies the last changes of what is left out, at most `room`, oldest first; returns how many. Any
 * thread. */
VRS_API uint32_t vrs_pipeline_get_changes(const vrs_pipeline *pipeline, vrs_live_change *changes,
                                          uint32_t room);

#ifdef __cplusplus
}
#endif
#endif
