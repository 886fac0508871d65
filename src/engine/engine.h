/* Inference engines behind one table. The front (engine.c) validates once; back ends assume it.
 *
 * An engine is a compiled model. Its requests (lanes of the CPU) each own input and output memory
 * at fixed addresses and run asynchronously. */
#ifndef VRS_ENGINE_H
#define VRS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"
#include "vrseg/config.h"
#include "vrseg/status.h"

typedef struct vrs_engine vrs_engine;
typedef struct vrs_request vrs_request;

typedef struct vrs_engine_params {
    int32_t requests;      /* how many run at once, 1..64 */
    int32_t threads;       /* CPU threads of the engine, 1.. */
    int32_t max_batch;     /* 1..16 */
    bool bf16;             /* else f32, always set explicitly */
    bool float_input;      /* the network's own float input; false: bytes where the engine can
                            * normalise, which is as fast and spares the conversion */
    const char *cache_dir; /* compiled models; NULL: none */
} vrs_engine_params;

typedef struct vrs_state_desc {
    size_t elements; /* floats of one view's state */
} vrs_state_desc;

/* What goes in and comes out for one view. */
typedef struct vrs_engine_io {
    vrs_tensor_format tensor; /* what preprocessing must write */
    bool normalises;          /* true: bytes in; mean, scale and channel order are the engine's
                               * part, preprocessing writes R G B codes */
    size_t input_bytes;       /* one view */
    int32_t scores_width, scores_height, classes;
    ptrdiff_t class_stride, row_stride, column_stride; /* of one view's scores, in elements */
    size_t scores_elements;
    int32_t state_count;
    vrs_state_desc states[VRS_MAX_STATES];
} vrs_engine_io;

/* Opens the engine (config option "engine") and compiles the model. VRS_NOT_FOUND: no weights (how
 * to get them). VRS_MISSING: no engine library. VRS_FORMAT: not an ONNX file, or cut short.
 * VRS_INVALID: the network's shape is not the descriptor's. VRS_ENGINE: anything else that the
 * engine refuses. VRS_NO_MEMORY. Borrows all; the model must outlive the engine. Returns owned. */
vrs_status vrs_engine_create(const char *engine_name, const vrs_model *model,
                             const vrs_engine_params *params, vrs_engine **engine) VRS_MUST_USE;
void vrs_engine_destroy(vrs_engine *engine);

const vrs_engine_io *vrs_engine_get_io(const vrs_engine *engine);
/* "openvino 2026.4.1, f32, from cache" */
const char *vrs_engine_describe(const vrs_engine *engine);

/* Request `index` in 0..requests-1, made by vrs_engine_create(). */
vrs_request *vrs_engine_request(vrs_engine *engine, int32_t index);

/* Memory of view `position` (0..max_batch-1) of a request. */
void *vrs_request_input(vrs_request *request, int32_t position);
const float *vrs_request_scores(const vrs_request *request, int32_t position);
float *vrs_request_state_in(vrs_request *request, int32_t state, int32_t position);
const float *vrs_request_state_out(const vrs_request *request, int32_t state, int32_t position);

/* Called once when a started request has ended, from a thread of the engine: it must return
 * quickly and must not call the engine. `status` is VRS_OK or, where the engine knows already,
 * VRS_ENGINE; vrs_request_wait(), from another thread, has the last word (OpenVINO tells a failure
 * only to the one who waits) and returns at once after this call. */
typedef void (*vrs_request_done_fn)(void *opaque, vrs_request *request, vrs_status status);

/* Runs views 0..batch-1 asynchronously. Any batch of 1..max_batch; a view's scores do not depend on
 * the batch. A failure to start is returned and `done` is not called. One run of a request at a
 * time. */
vrs_status vrs_request_start(vrs_request *request, int32_t batch, vrs_request_done_fn done,
                             void *opaque) VRS_MUST_USE;

/* Waits until a started request has ended; returns its status with its detail. */
vrs_status vrs_request_wait(vrs_request *request) VRS_MUST_USE;
const char *vrs_request_error(const vrs_request *request);

#endif
