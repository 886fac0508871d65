/* The front: checks arguments once, finds the back end, hands over. */
#include "engine/engine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "engine/backend.h"
#include "model/weights.h"

#define MAX_REQUESTS 64
#define MAX_THREADS 256
#define MAX_BATCH 16

/* The first is "auto". */
static const vrs_engine_ops *const engines[] = {&vrs_engine_openvino, &vrs_engine_onnxruntime,
                                                &vrs_engine_cuda};

#define ENGINES (sizeof engines / sizeof engines[0])

static const char *const precisions[] = {
    [VRS_PRECISION_F32] = "f32",   [VRS_PRECISION_TF32] = "tf32", [VRS_PRECISION_F16] = "f16",
    [VRS_PRECISION_BF16] = "bf16", [VRS_PRECISION_INT8] = "int8",
};

#define PRECISIONS (sizeof precisions / sizeof precisions[0])

const char *vrs_precision_name(vrs_precision precision)
{
    assert((size_t)precision < PRECISIONS);
    return precisions[precision];
}

/* "f32, bf16" of those in the set. */
static void list_precisions(uint32_t set, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < PRECISIONS; i++) {
        if (set >> i & 1 && used < size) {
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", precisions[i]);
        }
    }
}

vrs_status vrs_precision_parse(const char *name, vrs_precision *precision)
{
    for (size_t i = 0; i < PRECISIONS; i++) {
        if (strcmp(name, precisions[i]) == 0) {
            *precision = (vrs_precision)i;
            return VRS_OK;
        }
    }
    char text[64];
    list_precisions(UINT32_MAX, text, sizeof text);
    return vrs_fail(VRS_INVALID, "there is no precision \"%s\"; there are %s", name, text);
}

static vrs_status find_ops(const char *name, const vrs_engine_ops **ops)
{
    char text[256] = "auto";
    size_t used = strlen(text);
    *ops = engines[0];
    if (!name || strcmp(name, "auto") == 0)
        return VRS_OK;
    for (size_t i = 0; i < ENGINES; i++) {
        *ops = engines[i];
        if (strcmp(name, engines[i]->name) == 0)
            return VRS_OK;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                 i + 1 < ENGINES ? ", " : " and ", engines[i]->name);
    }
    return vrs_fail(VRS_INVALID, "there is no engine \"%s\"; there are %s", name, text);
}

/* ONNX Runtime is two engines, by its provider: one of the host, one of a device. */
static const vrs_engine_ops *ops_of_provider(const vrs_engine_ops *ops, const char *provider)
{
    bool other = provider && strcmp(provider, "cpu") != 0;
    return ops == &vrs_engine_onnxruntime && other ? &vrs_engine_onnxruntime_device : ops;
}

/* What the params ask for and the engine's kind has. */
static vrs_status check_kind(const vrs_engine_ops *ops, const vrs_engine_params *params)
{
    if (!(ops->precisions >> params->precision & 1)) {
        char text[64];
        list_precisions(ops->precisions, text, sizeof text);
        return vrs_fail(VRS_UNSUPPORTED, "the engine %s has no precision %s; it has %s", ops->name,
                        vrs_precision_name(params->precision), text);
    }
    if (ops->on_device && !(params->device && params->memory)) {
        return vrs_fail(VRS_INVALID,
                        "the engine %s runs on a GPU: choose one with --device, or another engine",
                        ops->name);
    }
    return VRS_OK;
}

static vrs_status check_range(const char *what, int32_t value, int32_t max)
{
    if (value < 1 || value > max) {
        return vrs_fail(VRS_INVALID, "an engine of %d %s cannot be made; 1 to %d can", value, what,
                        max);
    }
    return VRS_OK;
}

vrs_status vrs_engine_create(const char *engine_name, const vrs_model *model,
                             const vrs_engine_params *params, vrs_engine **engine)
{
    *engine = NULL;
    const vrs_engine_ops *ops;
    vrs_status status = find_ops(engine_name, &ops);
    if (status == VRS_OK) {
        ops = ops_of_provider(ops, params->provider);
        status = check_range("requests", params->requests, MAX_REQUESTS);
    }
    if (status == VRS_OK)
        status = check_range("threads", params->threads, MAX_THREADS);
    if (status == VRS_OK)
        status = check_range("views a batch", params->max_batch, MAX_BATCH);
    if (status == VRS_OK)
        status = check_kind(ops, params);
    vrs_weights weights = {0};
    if (status == VRS_OK)
        status = vrs_model_check_weights(model, ops->wants_weights ? &weights : NULL);
    if (status == VRS_OK) {
        vrs_engine_params all = *params;
        all.weights = ops->wants_weights ? &weights : NULL;
        status = ops->create(model, &all, engine);
    }
    vrs_weights_free(&weights);
    return status;
}

void vrs_engine_destroy(vrs_engine *engine)
{
    if (engine)
        engine->ops->destroy(engine);
}

const vrs_engine_io *vrs_engine_get_io(const vrs_engine *engine)
{
    return &engine->io;
}

const char *vrs_engine_describe(const vrs_engine *engine)
{
    return engine->description;
}

void vrs_engine_visit_nodes(vrs_engine *engine, vrs_engine_node_fn visit, void *opaque)
{
    if (engine->ops->visit_nodes)
        engine->ops->visit_nodes(engine, visit, opaque);
}

vrs_status vrs_engine_count_nodes(vrs_engine *engine, vrs_engine_counted_fn visit, void *opaque)
{
    if (!engine->ops->count_nodes) {
        return vrs_fail(VRS_UNSUPPORTED, "the engine %s cannot be counted node by node",
                        engine->ops->name);
    }
    return engine->ops->count_nodes(engine, visit, opaque);
}

void vrs_engine_get_effort(const vrs_engine *engine, vrs_engine_effort *effort)
{
    *effort = (vrs_engine_effort){0};
    if (engine->ops->get_effort)
        engine->ops->get_effort(engine, effort);
}

vrs_status vrs_engine_verify(vrs_engine *engine, int32_t batch, uint64_t seed,
                             vrs_engine_check_fn visit, void *opaque)
{
    if (!engine->ops->verify) {
        return vrs_fail(VRS_UNSUPPORTED, "the engine %s cannot be compared node by node",
                        engine->ops->name);
    }
    return engine->ops->verify(engine, batch, seed, visit, opaque);
}

vrs_request *vrs_engine_request(vrs_engine *engine, int32_t index)
{
    assert(index >= 0 && index < engine->params.requests);
    return engine->ops->request(engine, index);
}

static void assert_position(const vrs_request *request, int32_t position)
{
    assert(position >= 0 && position < request->engine->params.max_batch);
    (void)request, (void)position;
}

void *vrs_request_input(vrs_request *request, int32_t position)
{
    assert_position(request, position);
    return request->engine->ops->input(request, position);
}

const void *vrs_request_scores(const vrs_request *request, int32_t position)
{
    assert_position(request, position);
    return request->engine->ops->scores(request, position);
}

float *vrs_request_state_in(vrs_request *request, int32_t state, int32_t position)
{
    assert_position(request, position);
    assert(state >= 0 && state < request->engine->io.state_count);
    return request->engine->ops->state_in(request, state, position);
}

const float *vrs_request_state_out(const vrs_request *request, int32_t state, int32_t position)
{
    assert_position(request, position);
    assert(state >= 0 && state < request->engine->io.state_count);
    return request->engine->ops->state_out(request, state, position);
}

vrs_status vrs_request_start(vrs_request *request, int32_t batch, vrs_request_done_fn done,
                             void *opaque)
{
    assert(batch >= 1 && batch <= request->engine->params.max_batch);
    assert(!request->engine->io.on_device);
    return request->engine->ops->start(request, batch, done, opaque);
}

vrs_status vrs_request_enqueue(vrs_request *request, int32_t batch, vrs_device_stream *stream)
{
    assert(batch >= 1 && batch <= request->engine->params.max_batch);
    assert(request->engine->io.on_device);
    assert(vrs_device_stream_device(stream) == request->engine->params.device);
    return request->engine->ops->enqueue(request, batch, stream);
}

vrs_status vrs_engine_limit_batch(vrs_engine *engine, int32_t views, int32_t *limit)
{
    int32_t most = engine->params.max_batch;
    assert(views >= 1 && views <= most);
    vrs_status status =
        engine->ops->limit_batch ? engine->ops->limit_batch(engine, views, &most) : VRS_OK;
    if (limit)
        *limit = most;
    return status;
}

vrs_status vrs_request_wait(vrs_request *request)
{
    assert(!request->engine->io.on_device);
    return request->engine->ops->wait(request);
}

const char *vrs_request_error(const vrs_request *request)
{
    return request->error;
}
