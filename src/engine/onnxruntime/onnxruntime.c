/* The ONNX Runtime back end on the CPU: requests and the threads that run them.
 *
 * Inputs and outputs are bound to memory of ours once, so nothing is copied. A batch runs as that
 * many inferences of single views, as in the other engine of the CPU: larger ones gain nothing
 * there, a view's scores cannot depend on its batch, and files with a fixed batch run, too. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/queue.h"
#include "base/thread.h"
#include "engine/backend.h"
#include "engine/onnxruntime/network.h"
#include "engine/onnxruntime/provider.h"
#include "engine/quantised.h"

typedef struct ort_engine ort_engine;

/* One view of a request: the memory bound to it. */
typedef struct ort_slot {
    OrtIoBinding *binding;
    float *input, *scores;
    float *state_in[VRS_MAX_STATES], *state_out[VRS_MAX_STATES];
} ort_slot;

typedef struct ort_request {
    vrs_request base;
    ort_slot *slots; /* max_batch */
    void *memory;
    int32_t batch;
    vrs_request_done_fn done;
    void *opaque;
    bool running;      /* started and not ended; under the engine's lock */
    vrs_status status; /* of the last run */
} ort_request;

struct ort_engine {
    vrs_engine base;
    vrs_ort_network network;
    OrtMemoryInfo *host; /* says where bound memory lies */
    ort_request *requests;
    vrs_queue *started; /* requests that wait for a worker */
    vrs_thread *workers;
    int32_t worker_count;
    vrs_mutex lock;
    vrs_cond ended;
    bool has_lock, has_cond;
};

static ort_engine *engine_of(const vrs_request *request)
{
    return (ort_engine *)request->engine;
}

static ort_request *own(const vrs_request *request)
{
    return (ort_request *)request;
}

/* --- running --- */

/* In any thread, while nobody else runs the request. */
static vrs_status run_views(ort_request *request, int32_t batch)
{
    const ort_engine *engine = engine_of(&request->base);
    const vrs_ort_network *n = &engine->network;
    vrs_status status = VRS_OK;
    for (int32_t i = 0; status == VRS_OK && i < batch; i++) {
        status = vrs_ort_check(n->library,
                               VRS_ORT_TRY(n->library->api->RunWithBinding(
                                   n->session, NULL, request->slots[i].binding)),
                               VRS_ENGINE, "inference failed");
    }
    return status;
}

static void work(void *arg)
{
    ort_engine *engine = arg;
    void *item = NULL;
    while (vrs_queue_pop(engine->started, &item, INT64_MAX) == VRS_OK) {
        ort_request *request = item;
        request->status = run_views(request, request->batch);
        if (request->status != VRS_OK)
            snprintf(request->base.error, sizeof request->base.error, "%s", vrs_last_error());
        if (request->done)
            request->done(request->opaque, &request->base, request->status);
        vrs_mutex_lock(&engine->lock);
        request->running = false;
        vrs_cond_broadcast(&engine->ended);
        vrs_mutex_unlock(&engine->lock);
    }
}

static void wait_ended(ort_request *request)
{
    ort_engine *engine = engine_of(&request->base);
    vrs_mutex_lock(&engine->lock);
    while (request->running)
        (void)vrs_cond_wait_until(&engine->ended, &engine->lock, INT64_MAX);
    vrs_mutex_unlock(&engine->lock);
}

static vrs_status ort_start(vrs_request *base, int32_t batch, vrs_request_done_fn done,
                            void *opaque)
{
    ort_request *request = own(base);
    ort_engine *engine = engine_of(base);
    wait_ended(request);
    request->batch = batch;
    request->done = done;
    request->opaque = opaque;
    request->status = VRS_OK;
    request->base.error[0] = 0;
    request->running = true; /* nobody else looks at it until it is in the queue */
    vrs_queue_push(engine->started, request);
    return VRS_OK;
}

static vrs_status ort_wait(vrs_request *base)
{
    ort_request *request = own(base);
    wait_ended(request);
    return request->status == VRS_OK ? VRS_OK : vrs_fail(request->status, "%s", base->error);
}

/* --- making requests --- */

static size_t floats_apart(const vrs_ort_tensor *tensor)
{
    const size_t step = VRS_ALIGNMENT / sizeof(float);
    return (tensor->shape.elements + step - 1) / step * step;
}

static size_t slot_floats(const vrs_ort_network *n)
{
    size_t floats = floats_apart(&n->input) + floats_apart(&n->output);
    for (int32_t i = 0; i < n->state_count; i++)
        floats += floats_apart(&n->state_in[i]) + floats_apart(&n->state_out[i]);
    return floats;
}

/* Binds `*next` as the slot's tensor, returns it and moves on behind it. */
static vrs_status bind(const ort_engine *engine, ort_slot *slot, vrs_ort_bind_fn bind_value,
                       const vrs_ort_tensor *tensor, float **next, float **memory)
{
    *memory = *next;
    *next += floats_apart(tensor);
    return vrs_ort_bind(engine->network.library, slot->binding, bind_value, tensor, 1, engine->host,
                        *memory);
}

static vrs_status make_slot(const ort_engine *engine, ort_slot *slot, float *memory)
{
    const vrs_ort_network *n = &engine->network;
    const OrtApi *api = n->library->api;
    vrs_status status =
        vrs_ort_check(n->library, VRS_ORT_TRY(api->CreateIoBinding(n->session, &slot->binding)),
                      VRS_ENGINE, "cannot make an inference");
    if (status == VRS_OK)
        status = bind(engine, slot, api->BindInput, &n->input, &memory, &slot->input);
    if (status == VRS_OK)
        status = bind(engine, slot, api->BindOutput, &n->output, &memory, &slot->scores);
    for (int32_t i = 0; status == VRS_OK && i < n->state_count; i++) {
        status = bind(engine, slot, api->BindInput, &n->state_in[i], &memory, &slot->state_in[i]);
        if (status == VRS_OK) {
            status =
                bind(engine, slot, api->BindOutput, &n->state_out[i], &memory, &slot->state_out[i]);
        }
    }
    return status;
}

static vrs_status make_request(ort_engine *engine, ort_request *request)
{
    size_t views = (size_t)engine->base.params.max_batch, floats = slot_floats(&engine->network);
    request->base.engine = &engine->base;
    request->slots = vrs_alloc_array(views, sizeof *request->slots);
    if (!request->slots)
        return VRS_NO_MEMORY;
    float *memory = vrs_alloc_aligned(views * floats * sizeof(float));
    request->memory = memory;
    if (!memory)
        return VRS_NO_MEMORY;
    for (size_t i = 0; i < views; i++) {
        vrs_status status = make_slot(engine, &request->slots[i], memory + i * floats);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

static void free_request(const ort_engine *engine, ort_request *request)
{
    for (int32_t i = 0; request->slots && i < engine->base.params.max_batch; i++)
        if (request->slots[i].binding)
            engine->network.library->api->ReleaseIoBinding(request->slots[i].binding);
    vrs_free(request->slots);
    vrs_free(request->memory);
}

/* --- the table --- */

static void ort_destroy(vrs_engine *base)
{
    ort_engine *engine = (ort_engine *)base;
    /* What was started still runs: its memory is ours, and `done` is promised. */
    if (engine->started)
        vrs_queue_close(engine->started);
    for (int32_t i = 0; i < engine->worker_count; i++)
        vrs_thread_join(&engine->workers[i]);
    for (int32_t i = 0; engine->requests && i < base->params.requests; i++)
        free_request(engine, &engine->requests[i]);
    if (engine->host)
        engine->network.library->api->ReleaseMemoryInfo(engine->host);
    if (engine->has_cond)
        vrs_cond_destroy(&engine->ended);
    if (engine->has_lock)
        vrs_mutex_destroy(&engine->lock);
    vrs_queue_destroy(engine->started);
    vrs_free(engine->workers);
    vrs_free(engine->requests);
    vrs_ort_network_close(&engine->network);
    vrs_free(engine);
}

static vrs_status make_workers(ort_engine *engine)
{
    int32_t count = vrs_ort_workers(&engine->base.params);
    vrs_status status = vrs_mutex_init(&engine->lock);
    engine->has_lock = status == VRS_OK;
    if (status == VRS_OK) {
        status = vrs_cond_init(&engine->ended);
        engine->has_cond = status == VRS_OK;
    }
    if (status == VRS_OK)
        status = vrs_queue_create((uint32_t)engine->base.params.requests, &engine->started);
    if (status == VRS_OK) {
        engine->workers = vrs_alloc_array((size_t)count, sizeof *engine->workers);
        status = engine->workers ? VRS_OK : VRS_NO_MEMORY;
    }
    while (status == VRS_OK && engine->worker_count < count) {
        status =
            vrs_thread_start(&engine->workers[engine->worker_count], "vrs-infer", work, engine);
        engine->worker_count += status == VRS_OK ? 1 : 0;
    }
    return status;
}

static vrs_status open_network(ort_engine *engine, const vrs_model *model)
{
    const vrs_ort_library *library;
    OrtSessionOptions *options = NULL;
    vrs_status status = vrs_ort_open(&library);
    if (status == VRS_OK)
        status = vrs_ort_cpu_options(library, &engine->base.params, &options);
    if (status == VRS_OK)
        status = vrs_ort_network_open(&engine->network, library, model, options);
    if (options)
        library->api->ReleaseSessionOptions(options);
    if (status == VRS_OK) {
        status = vrs_ort_check(library,
                               VRS_ORT_TRY(library->api->CreateCpuMemoryInfo(
                                   OrtDeviceAllocator, OrtMemTypeDefault, &engine->host)),
                               VRS_ENGINE, "cannot describe memory");
    }
    return status;
}

/* Where the file leaves shapes open, only a run shows whether the outputs are as described. */
static vrs_status try_run(ort_engine *engine, const vrs_model *model)
{
    if (engine->network.settled || run_views(&engine->requests[0], 1) == VRS_OK)
        return VRS_OK;
    char reason[VRS_DETAIL_SIZE];
    snprintf(reason, sizeof reason, "%s", vrs_last_error());
    vrs_model_info info = vrs_model_get_info(model);
    return vrs_fail(VRS_INVALID, "%s: does not run as the descriptor %s says: %s",
                    info.weights_path, info.descriptor_path, reason);
}

static vrs_status ort_create(const vrs_model *model, const vrs_engine_params *params,
                             vrs_engine **out)
{
    vrs_status status = vrs_check_int8(model, params->precision);
    if (status != VRS_OK)
        return status;
    ort_engine *engine = vrs_alloc(sizeof *engine);
    if (!engine)
        return VRS_NO_MEMORY;
    engine->base.ops = &vrs_engine_onnxruntime;
    engine->base.params = *params;
    status = open_network(engine, model);
    if (status == VRS_OK) {
        engine->requests = vrs_alloc_array((size_t)params->requests, sizeof *engine->requests);
        status = engine->requests ? VRS_OK : VRS_NO_MEMORY;
    }
    for (int32_t i = 0; status == VRS_OK && i < params->requests; i++)
        status = make_request(engine, &engine->requests[i]);
    if (status == VRS_OK)
        status = try_run(engine, model);
    if (status == VRS_OK)
        status = make_workers(engine);
    if (status != VRS_OK) {
        ort_destroy(&engine->base);
        return status;
    }
    vrs_network_io_set(vrs_model_get_spec(model), &engine->network.shapes, &engine->base.io);
    snprintf(engine->base.description, sizeof engine->base.description, "onnxruntime %s, cpu, %s",
             engine->network.library->version, vrs_precision_name(params->precision));
    *out = &engine->base;
    return VRS_OK;
}

static vrs_request *ort_request_at(vrs_engine *engine, int32_t index)
{
    return &((ort_engine *)engine)->requests[index].base;
}

static void *ort_input(vrs_request *request, int32_t position)
{
    return own(request)->slots[position].input;
}

static const void *ort_scores(const vrs_request *request, int32_t position)
{
    return own(request)->slots[position].scores;
}

static float *ort_state_in(vrs_request *request, int32_t state, int32_t position)
{
    return own(request)->slots[position].state_in[state];
}

static const float *ort_state_out(const vrs_request *request, int32_t state, int32_t position)
{
    return own(request)->slots[position].state_out[state];
}

const vrs_engine_ops vrs_engine_onnxruntime = {
    .name = "onnxruntime",
    .precisions = VRS_PRECISION_BIT(F32) | VRS_PRECISION_BIT(INT8),
    .create = ort_create,
    .destroy = ort_destroy,
    .request = ort_request_at,
    .input = ort_input,
    .scores = ort_scores,
    .state_in = ort_state_in,
    .state_out = ort_state_out,
    .start = ort_start,
    .wait = ort_wait,
};
