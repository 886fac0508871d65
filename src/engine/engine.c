/* The front: checks arguments once, finds the back end, hands over. */
#include "engine/engine.h"

#include <assert.h>
#include <string.h>

#include "engine/backend.h"
#include "model/weights.h"

#define MAX_REQUESTS 64
#define MAX_THREADS 256
#define MAX_BATCH 16

/* NULL: there is no such engine. */
static const vrs_engine_ops *find_ops(const char *name)
{
    bool openvino = !name || strcmp(name, "auto") == 0 || strcmp(name, "openvino") == 0;
    return openvino ? &vrs_engine_openvino : NULL;
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
    const vrs_engine_ops *ops = find_ops(engine_name);
    if (!ops) {
        return vrs_fail(VRS_INVALID, "there is no engine \"%s\"; there are auto and openvino",
                        engine_name);
    }
    vrs_status status = check_range("requests", params->requests, MAX_REQUESTS);
    if (status == VRS_OK) {
        status = check_range("threads", params->threads, MAX_THREADS);
    }
    if (status == VRS_OK) {
        status = check_range("views a batch", params->max_batch, MAX_BATCH);
    }
    if (status == VRS_OK) {
        status = vrs_model_check_weights(model);
    }
    if (status == VRS_OK) {
        status = ops->create(model, params, engine);
    }
    return status;
}

void vrs_engine_destroy(vrs_engine *engine)
{
    if (engine) {
        engine->ops->destroy(engine);
    }
}

const vrs_engine_io *vrs_engine_get_io(const vrs_engine *engine)
{
    return &engine->io;
}

const char *vrs_engine_describe(const vrs_engine *engine)
{
    return engine->description;
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

const float *vrs_request_scores(const vrs_request *request, int32_t position)
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
    return request->engine->ops->start(request, batch, done, opaque);
}

vrs_status vrs_request_wait(vrs_request *request)
{
    return request->engine->ops->wait(request);
}

const char *vrs_request_error(const vrs_request *request)
{
    return request->error;
}
