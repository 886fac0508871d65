/* A network in ONNX Runtime: a session, its tensors checked against the descriptor. */
#ifndef VRS_ENGINE_ONNXRUNTIME_NETWORK_H
#define VRS_ENGINE_ONNXRUNTIME_NETWORK_H

#include <stdbool.h>

#include "engine/onnxruntime/library.h"
#include "engine/shapes.h"

typedef struct vrs_ort_tensor {
    const char *name; /* the descriptor's text or own_name */
    char *own_name;   /* ONNX Runtime's; NULL: the descriptor names it */
    vrs_view_shape shape;
} vrs_ort_tensor;

typedef struct vrs_ort_network {
    const vrs_ort_library *library;
    OrtSession *session;
    vrs_network_shapes shapes;
    vrs_ort_tensor input, output;
    int32_t state_count;
    vrs_ort_tensor state_in[VRS_MAX_STATES], state_out[VRS_MAX_STATES];
    bool free_batch; /* every tensor's batch axis is open: several views may go in at once */
    bool settled;    /* the file says all else of the shapes; false: only a run shows whether the
                      * outputs are as described */
} vrs_ort_network;

/* Fills `network`, which is to be closed on success and on failure. Borrows all but the library;
 * the model must outlive the network. Errors of vrs_engine_create(). */
vrs_status vrs_ort_network_open(vrs_ort_network *network, const vrs_ort_library *library,
                                const vrs_model *model,
                                const OrtSessionOptions *options) VRS_MUST_USE;
void vrs_ort_network_close(vrs_ort_network *network);

typedef OrtStatus *(*vrs_ort_bind_fn)(OrtIoBinding *, const char *, const OrtValue *);

/* Binds memory at `at`, which lies where `where` says, as `views` views of a tensor by `bind` (the
 * api's BindInput or BindOutput). Shares the memory until the binding is released. */
vrs_status vrs_ort_bind(const vrs_ort_library *library, OrtIoBinding *binding, vrs_ort_bind_fn bind,
                        const vrs_ort_tensor *tensor, int32_t views, const OrtMemoryInfo *where,
                        void *at) VRS_MUST_USE;

#endif
