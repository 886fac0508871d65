/* What a back end implements: the functions of engine.h with the same types. */
#ifndef VRS_ENGINE_BACKEND_H
#define VRS_ENGINE_BACKEND_H

#include "engine/engine.h"
#include "engine/report.h"

typedef struct vrs_engine_ops {
    const char *name;
    uint32_t precisions; /* bit p: vrs_precision p may be asked for */
    bool on_device;      /* needs params.device and params.memory; fills io.on_device likewise */
    bool wants_weights;  /* create() is given params.weights */
    vrs_status (*create)(const vrs_model *model, const vrs_engine_params *params,
                         vrs_engine **engine);
    void (*destroy)(vrs_engine *engine);
    vrs_request *(*request)(vrs_engine *engine, int32_t index);
    void *(*input)(vrs_request *request, int32_t position);
    const void *(*scores)(const vrs_request *request, int32_t position);
    float *(*state_in)(vrs_request *request, int32_t state, int32_t position);
    const float *(*state_out)(const vrs_request *request, int32_t state, int32_t position);
    /* Host engines; NULL in a device engine. */
    vrs_status (*start)(vrs_request *request, int32_t batch, vrs_request_done_fn done,
                        void *opaque);
    vrs_status (*wait)(vrs_request *request);
    /* Device engines; NULL in a host engine. */
    vrs_status (*enqueue)(vrs_request *request, int32_t batch, vrs_device_stream *stream);
    /* May be NULL. */
    void (*get_effort)(const vrs_engine *engine, vrs_engine_effort *effort);
    vrs_status (*limit_batch)(vrs_engine *engine, int32_t views, int32_t *limit);
    void (*visit_nodes)(vrs_engine *engine, vrs_engine_node_fn visit, void *opaque);
    vrs_status (*count_nodes)(vrs_engine *engine, vrs_engine_counted_fn visit, void *opaque);
    vrs_status (*verify)(vrs_engine *engine, int32_t batch, uint64_t seed,
                         vrs_engine_check_fn visit, void *opaque);
} vrs_engine_ops;

#define VRS_PRECISION_BIT(name) (1u << VRS_PRECISION_##name)

/* Every back end's engine and request begin with these. */
struct vrs_engine {
    const vrs_engine_ops *ops;
    vrs_engine_params params;
    vrs_engine_io io;
    char description[128];
};

struct vrs_request {
    vrs_engine *engine;
    char error[VRS_DETAIL_SIZE];
};

extern const vrs_engine_ops vrs_engine_openvino;
extern const vrs_engine_ops vrs_engine_cuda;
/* Built without its header: two that refuse. The second is for the providers of GPUs. */
extern const vrs_engine_ops vrs_engine_onnxruntime, vrs_engine_onnxruntime_device;

#endif
