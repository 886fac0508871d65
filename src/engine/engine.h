/* Inference engines behind one table. The front (engine.c) validates once; back ends assume it.
 *
 * An engine is a compiled model. Its requests (lanes) each own input and output memory at fixed
 * addresses and run asynchronously. There are two kinds, told apart by vrs_engine_io.on_device:
 *
 *   host    memory of requests is the host's; vrs_request_start() runs in threads of the engine,
 *           which calls back, vrs_request_wait() has the last word
 *   device  memory of requests is a device's, and a pointer to it is an address that the host never
 *           follows; vrs_request_enqueue() queues all work on a stream of the caller, and an event
 *           of that stream says when it is done. Nothing of it waits on the host, calls back or
 *           allocates. */
#ifndef VRS_ENGINE_H
#define VRS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/device.h"
#include "device/memory.h"
#include "model/model.h"
#include "model/weights.h"
#include "vrseg/compile.h"
#include "vrseg/config.h"
#include "vrseg/status.h"

typedef struct vrs_engine vrs_engine;
typedef struct vrs_request vrs_request;

/* Arithmetic of the network. Always what was asked for: an engine that cannot refuses. F32 is true
 * float everywhere; TF32 rounds the factors of products to 10 bits; F16, BF16 and INT8 add up in
 * float or int32, and INT8 is used in the layers that the file has quantised. */
typedef enum vrs_precision {
    VRS_PRECISION_F32 = 0,
    VRS_PRECISION_TF32 = 1,
    VRS_PRECISION_F16 = 2,
    VRS_PRECISION_BF16 = 3,
    VRS_PRECISION_INT8 = 4,
} vrs_precision;

/* "f32", "tf32", "f16", "bf16", "int8": the values of the option "precision". */
const char *vrs_precision_name(vrs_precision precision);
/* VRS_INVALID names those that there are. */
vrs_status vrs_precision_parse(const char *name, vrs_precision *precision) VRS_MUST_USE;

/* Where the centre of pixel x of an enlarged picture lies in the small one, by the factor f. */
typedef enum vrs_enlarge_rule {
    VRS_ENLARGE_HALF_PIXEL = 0,    /* (x + 0.5) / f - 0.5 */
    VRS_ENLARGE_ALIGN_CORNERS = 1, /* x * (small - 1) / (large - 1) */
    VRS_ENLARGE_ASYMMETRIC = 2,    /* x / f */
} vrs_enlarge_rule;

/* Whether nodes of a network that do not depend on each other run beside each other on a GPU. */
typedef enum vrs_branches {
    VRS_BRANCHES_AUTO = 0, /* where that is faster, by timing, for each batch size */
    VRS_BRANCHES_OFF = 1,  /* convolutions in one launch are timed, and stay apart */
    VRS_BRANCHES_ON = 2,   /* wherever there are any */
} vrs_branches;

#define VRS_ENLARGE_BIT(name) (1u << VRS_ENLARGE_##name)
#define VRS_ENLARGE_ALL 7u

typedef struct vrs_engine_params {
    int32_t requests;    /* how many run at once, 1..64 */
    int32_t threads;     /* CPU threads of the engine, 1.. */
    int32_t max_batch;   /* 1..16 */
    int32_t batches[16]; /* a device engine compiles for these sizes, each up to max_batch, up to
                          * the first 0, and for max_batch; none: for max_batch and for 1, and
                          * takes the powers of two between them of which it has kept plans */
    vrs_precision precision;
    vrs_branches branches; /* of a device engine */
    bool float_input;      /* the network's own float input; false: what the engine likes best:
                            * bytes where it can normalise, FP16, channels padded, S2D */
    uint32_t enlarges; /* bit r: the caller does the network's last enlarging where that is by the
                        * vrs_enlarge_rule r (vrs_engine_io.enlarge); else the engine does */
    /* Called while a device engine compiles, by the creating thread. NULL: nobody asks. */
    vrs_compile_progress_fn progress;
    void *progress_opaque;
    const char *cache_dir; /* compiled models; NULL: none */
    vrs_weights *weights;  /* set by vrs_engine_create() for its back end: the bytes of the file,
                            * which it may free early */
    vrs_device *device;    /* where device engines run; NULL for engines of the CPU */
    vrs_memory *memory;    /* of that device; both outlive the engine */
    /* Of the engine onnxruntime alone. */
    const char *provider;         /* "cpu", "cuda", "tensorrt", "tensorrt-rtx"; NULL: cpu */
    const char *provider_options; /* further options of the provider, "key=value,key=value"; NULL */
    const char *plugin;           /* library of a plug-in provider; NULL: beside ONNX Runtime's */
    /* All text is borrowed until the engine is made. */
} vrs_engine_params;

typedef struct vrs_state_desc {
    size_t elements; /* floats of one view's state */
} vrs_state_desc;

/* What goes in and comes out for one view, and what of the network is left to the caller: first the
 * enlarging, then the descriptor's activation. */
typedef struct vrs_engine_io {
    bool on_device;           /* see above */
    vrs_tensor_format tensor; /* what preprocessing must write */
    int32_t channels;         /* of a pixel, as in vrs_preprocess_desc; 0: no padding */
    float quantum;            /* of an INT8 tensor, as in vrs_preprocess_desc */
    bool normalises;          /* true: bytes in; mean, scale and channel order are the engine's
                               * part, preprocessing writes R G B codes */
    size_t input_bytes;       /* one view */
    int32_t scores_width, scores_height, classes;
    vrs_tensor_type scores_type;                       /* F32; of a device engine F32 or F16 */
    ptrdiff_t class_stride, row_stride, column_stride; /* of one view's scores, in elements */
    size_t scores_elements;                            /* from the first to the last of a view */
    int32_t
        enlarge; /* the network goes on with a bilinear enlarging of the scores by this factor,
                  * edges repeated; 1: it does not. Above 1 only for a rule of params.enlarges */
    vrs_enlarge_rule enlarge_rule;
    int32_t state_count;
    vrs_state_desc states[VRS_MAX_STATES];
} vrs_engine_io;

/* Opens the engine (config option "engine") and compiles the model. VRS_NOT_FOUND: no weights (how
 * to get them). VRS_MISSING: no engine library. VRS_FORMAT: not an ONNX file, or cut short.
 * VRS_INVALID: the network's shape is not the descriptor's. VRS_UNSUPPORTED: a precision or a
 * device that the engine or this machine has not. VRS_ENGINE: anything else that the engine
 * refuses. VRS_NO_MEMORY. VRS_DEVICE, VRS_DEVICE_LOST. Borrows all; model, device and memory must
 * outlive the engine. Returns owned. */
vrs_status vrs_engine_create(const char *engine_name, const vrs_model *model,
                             const vrs_engine_params *params, vrs_engine **engine) VRS_MUST_USE;
void vrs_engine_destroy(vrs_engine *engine);

const vrs_engine_io *vrs_engine_get_io(const vrs_engine *engine);
/* "openvino 2026.4.1, f32, from cache" */
const char *vrs_engine_describe(const vrs_engine *engine);

/* Request `index` in 0..requests-1, made by vrs_engine_create(). */
vrs_request *vrs_engine_request(vrs_engine *engine, int32_t index);

/* Memory of view `position` (0..max_batch-1) of a request: the host's, or device addresses. Scores
 * are of the type scores_type; states are floats, zero before the first frame of a stream. */
void *vrs_request_input(vrs_request *request, int32_t position);
const void *vrs_request_scores(const vrs_request *request, int32_t position);
float *vrs_request_state_in(vrs_request *request, int32_t state, int32_t position);
const float *vrs_request_state_out(const vrs_request *request, int32_t state, int32_t position);

/* Called once when a started request has ended, from a thread of the engine: it must return
 * quickly and must not call the engine. `status` is VRS_OK or, where the engine knows already,
 * VRS_ENGINE; vrs_request_wait(), from another thread, has the last word (OpenVINO tells a failure
 * only to the one who waits) and returns at once after this call. */
typedef void (*vrs_request_done_fn)(void *opaque, vrs_request *request, vrs_status status);

/* Host engines. Runs views 0..batch-1 asynchronously. Any batch of 1..max_batch; a view's scores do
 * not depend on the batch. A failure to start is returned and `done` is not called. One run of a
 * request at a time. */
vrs_status vrs_request_start(vrs_request *request, int32_t batch, vrs_request_done_fn done,
                             void *opaque) VRS_MUST_USE;

/* Device engines. Queues the run of views 0..batch-1 on `stream`, which is of the engine's device
 * and has (or waits for) whatever writes the inputs and states. Any batch of 1..max_batch; a view's
 * scores do not depend on the batch. Any thread, one at a time for a request; the runs of a request
 * must follow each other in device order, so that one stream for each request is the rule.
 * VRS_DEVICE, VRS_DEVICE_LOST, VRS_ENGINE: nothing can be said of the outputs then. */
vrs_status vrs_request_enqueue(vrs_request *request, int32_t batch,
                               vrs_device_stream *stream) VRS_MUST_USE;

/* Which batches run at once: of the compiled sizes those up to `views` (1..max_batch; where none is
 * so small, the smallest). Larger sizes give their graphs and their part of the activations' memory
 * back; a later call that allows them brings them back, without compiling anew. Batches above the
 * limit stay right: they run in parts, one after the other. `limit` (NULL: nobody asks) becomes the
 * largest batch that runs at once now.
 *
 * Shrinking waits for the runs that are queued. Growing goes as far as twice the memory that it
 * takes is free, and asks nobody to give some up. An engine whose memory does not depend on the
 * batch has no limit but max_batch; there, and while another call is under way, nothing changes.
 * Any thread, a pressure handler too; not beside vrs_engine_verify() and vrs_engine_visit_nodes().
 * VRS_NO_MEMORY, VRS_DEVICE, VRS_DEVICE_LOST, VRS_TIMEOUT: the limit is what it was. */
vrs_status vrs_engine_limit_batch(vrs_engine *engine, int32_t views, int32_t *limit) VRS_MUST_USE;

/* Host engines. Waits until a started request has ended; returns its status with its detail. */
vrs_status vrs_request_wait(vrs_request *request) VRS_MUST_USE;
const char *vrs_request_error(const vrs_request *request);

#endif
