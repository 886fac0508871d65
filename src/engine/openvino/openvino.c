/* The OpenVINO back end: requests.
 *
 * A batch runs as that many inferences of single views, each asynchronous and on its own fixed
 * memory. On CPUs that is the faster way (a network compiled for 8 views ran at 0.8 of the frame
 * rate of 8 single ones), it makes a view's scores bit for bit independent of its batch, and one
 * compiled network serves every batch size and every ONNX file, whether its batch axis is free or
 * not. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "engine/backend.h"
#include "engine/openvino/network.h"
#include "engine/shapes.h"

typedef struct ov_engine ov_engine;
typedef struct ov_request ov_request;

/* One view of a request: its inference and the memory bound to it. */
typedef struct ov_slot {
    vrs_ov_infer *infer;
    bool started; /* started and not waited for */
    void *input;
    float *scores;
    float *state_in[VRS_MAX_STATES], *state_out[VRS_MAX_STATES];
} ov_slot;

struct ov_request {
    vrs_request base;
    ov_slot *slots; /* max_batch */
    void *memory;
    vrs_ov_callback callback; /* of every slot; OpenVINO keeps its address */
    atomic_int pending;       /* inferences of the run that have not ended */
    atomic_bool ended;        /* the last of them has called `done` */
    vrs_request_done_fn done;
    void *opaque;
};

struct ov_engine {
    vrs_engine base;
    vrs_ov_network network;
    ov_request *requests;
};

static ov_engine *engine_of(const vrs_request *request)
{
    return (ov_engine *)request->engine;
}

static ov_request *own(const vrs_request *request)
{
    return (ov_request *)request;
}

/* In a thread of OpenVINO, at the end of each inference, successful or not. Its last access is the
 * atomic one that join_callbacks() reads. */
static void on_ended(void *opaque)
{
    ov_request *request = opaque;
    if (atomic_fetch_sub(&request->pending, 1) != 1)
        return;
    if (request->done)
        request->done(request->opaque, &request->base, VRS_OK);
    atomic_store(&request->ended, true);
}

/* After OpenVINO's own waiting, which ends when the callbacks have returned: orders what they did
 * before what follows in terms of C and of the thread sanitizer, which cannot see into OpenVINO. */
static void join_callbacks(ov_request *request)
{
    (void)atomic_load(&request->pending);
    (void)atomic_load(&request->ended);
}

/* --- making requests --- */

static size_t aligned(size_t bytes)
{
    return (bytes + VRS_ALIGNMENT - 1) / VRS_ALIGNMENT * VRS_ALIGNMENT;
}

static size_t slot_bytes(const vrs_ov_network *n)
{
    size_t bytes = aligned(n->input.bytes) + aligned(n->output.bytes);
    for (int32_t i = 0; i < n->state_count; i++)
        bytes += 2 * aligned(n->state_in[i].bytes);
    return bytes;
}

/* Binds `*next` as the slot's tensor of `desc` and moves on behind it. */
static vrs_status bind(const vrs_ov_network *n, ov_slot *slot, const vrs_ov_tensor_desc *desc,
                       unsigned char **next)
{
    const vrs_ov_api *api = &n->library->api;
    int64_t dims[4];
    memcpy(dims, desc->dims, sizeof dims);
    vrs_ov_tensor *tensor = NULL;
    vrs_ov_code code = VRS_OV_TRY(
        api->ov_tensor_create_from_host_ptr(desc->type, (vrs_ov_shape){4, dims}, *next, &tensor));
    if (code == 0)
        code = VRS_OV_TRY(api->ov_infer_request_set_tensor(slot->infer, desc->name, tensor));
    vrs_status status = vrs_ov_check(n->library, code, VRS_ENGINE, "cannot bind a tensor");
    if (tensor)
        api->ov_tensor_free(tensor); /* the inference shares it */
    *next += aligned(desc->bytes);
    return status;
}

static vrs_status make_slot(ov_engine *engine, ov_request *request, ov_slot *slot,
                            unsigned char *memory)
{
    const vrs_ov_network *n = &engine->network;
    const vrs_ov_api *api = &n->library->api;
    vrs_ov_code code =
        VRS_OV_TRY(api->ov_compiled_model_create_infer_request(n->compiled, &slot->infer));
    if (code == 0)
        code = VRS_OV_TRY(api->ov_infer_request_set_callback(slot->infer, &request->callback));
    vrs_status status = vrs_ov_check(n->library, code, VRS_ENGINE, "cannot make an inference");
    slot->input = memory;
    if (status == VRS_OK)
        status = bind(n, slot, &n->input, &memory);
    slot->scores = (float *)(void *)memory;
    if (status == VRS_OK)
        status = bind(n, slot, &n->output, &memory);
    for (int32_t i = 0; status == VRS_OK && i < n->state_count; i++) {
        slot->state_in[i] = (float *)(void *)memory;
        status = bind(n, slot, &n->state_in[i], &memory);
        slot->state_out[i] = (float *)(void *)memory;
        if (status == VRS_OK)
            status = bind(n, slot, &n->state_out[i], &memory);
    }
    return status;
}

static vrs_status make_request(ov_engine *engine, ov_request *request)
{
    size_t views = (size_t)engine->base.params.max_batch, bytes = slot_bytes(&engine->network);
    request->base.engine = &engine->base;
    request->callback = (vrs_ov_callback){on_ended, request};
    request->slots = vrs_alloc_array(views, sizeof *request->slots);
    if (!request->slots)
        return VRS_NO_MEMORY;
    unsigned char *memory = vrs_alloc_aligned(views * bytes);
    request->memory = memory;
    if (!memory)
        return VRS_NO_MEMORY;
    for (size_t i = 0; i < views; i++) {
        vrs_status status = make_slot(engine, request, &request->slots[i], memory + i * bytes);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

static void describe(ov_engine *engine, const vrs_model *model)
{
    const vrs_ov_network *n = &engine->network;
    const vrs_model_spec *spec = vrs_model_get_spec(model);
    vrs_engine *base = &engine->base;
    vrs_engine_io *io = &base->io;
    vrs_network_shapes shapes;
    vrs_network_shapes_set(spec, &shapes);
    vrs_network_io_set(spec, &shapes, io);
    if (n->input.type == VRS_OV_U8) {
        io->normalises = true;
        io->tensor = VRS_TENSOR_U8_NHWC;
        io->input_bytes = n->input.bytes;
    }
    snprintf(base->description, sizeof base->description, "openvino %s, %s%s", n->library->version,
             vrs_precision_name(base->params.precision), n->from_cache ? ", from cache" : "");
}

/* --- the table --- */

static void ov_destroy(vrs_engine *base);

/* What the creating thread does; see ov_create(). */
typedef struct creation {
    ov_engine *engine;
    const vrs_model *model;
    vrs_status status;
    char detail[VRS_DETAIL_SIZE];
} creation;

static vrs_status build(ov_engine *engine, const vrs_model *model)
{
    const vrs_ov_library *library;
    vrs_status status = vrs_ov_open(&library);
    if (status == VRS_OK)
        status = vrs_ov_network_open(&engine->network, library, model, &engine->base.params);
    for (int32_t i = 0; status == VRS_OK && i < engine->base.params.requests; i++)
        status = make_request(engine, &engine->requests[i]);
    if (status == VRS_OK)
        describe(engine, model);
    return status;
}

static void create_thread(void *arg)
{
    creation *c = arg;
    c->status = build(c->engine, c->model);
    snprintf(c->detail, sizeof c->detail, "%s", vrs_last_error());
}

/* OpenVINO's threads inherit the name of the one that makes them, so an engine is made in a thread
 * of the right name: tools and the CPU time of the stages go by names. */
static vrs_status ov_create(const vrs_model *model, const vrs_engine_params *params,
                            vrs_engine **result)
{
    ov_engine *engine = vrs_alloc(sizeof *engine);
    if (!engine)
        return VRS_NO_MEMORY;
    engine->base.ops = &vrs_engine_openvino;
    engine->base.params = *params;
    creation c = {.engine = engine, .model = model};
    vrs_thread thread = {0};
    vrs_status status = VRS_OK;
    engine->requests = vrs_alloc_array((size_t)params->requests, sizeof *engine->requests);
    if (!engine->requests)
        status = VRS_NO_MEMORY;
    if (status == VRS_OK)
        status = vrs_thread_start(&thread, "vrs-infer", create_thread, &c);
    if (status == VRS_OK) {
        vrs_thread_join(&thread);
        status = c.status == VRS_OK ? VRS_OK : vrs_fail(c.status, "%s", c.detail);
    }
    engine->base.params.cache_dir = NULL; /* the caller's text */
    if (status != VRS_OK) {
        ov_destroy(&engine->base);
        return status;
    }
    *result = &engine->base;
    return VRS_OK;
}

/* Waits for every started inference; the first failure counts. */
static vrs_ov_code wait_slots(ov_request *request)
{
    const ov_engine *engine = engine_of(&request->base);
    const vrs_ov_api *api = &engine->network.library->api;
    vrs_ov_code first = 0;
    for (int32_t i = 0; i < engine->base.params.max_batch; i++) {
        ov_slot *slot = &request->slots[i];
        if (!slot->started)
            continue;
        /* Waited for in any case: the inference writes into memory of ours. */
        vrs_ov_code code = api->ov_infer_request_wait(slot->infer);
        slot->started = false;
        if (!vrs_inject("openvino"))
            code = VRS_OV_INJECTED;
        if (first == 0)
            first = code;
    }
    join_callbacks(request);
    return first;
}

static vrs_status fail_run(ov_request *request, vrs_ov_code code, const char *what)
{
    vrs_status status =
        vrs_ov_check(engine_of(&request->base)->network.library, code, VRS_ENGINE, what);
    snprintf(request->base.error, sizeof request->base.error, "%s",
             status == VRS_OK ? "" : vrs_last_error());
    return status;
}

static vrs_status ov_wait(vrs_request *base)
{
    return fail_run(own(base), wait_slots(own(base)), "inference failed");
}

static vrs_status ov_start(vrs_request *base, int32_t batch, vrs_request_done_fn done, void *opaque)
{
    ov_request *request = own(base);
    const vrs_ov_api *api = &engine_of(base)->network.library->api;
    /* OpenVINO wants each inference waited for before it is started again. */
    vrs_ov_code code = wait_slots(request);
    if (code != 0)
        return fail_run(request, code, "the inference before this one failed");
    request->done = done;
    request->opaque = opaque;
    request->base.error[0] = 0;
    /* Noted first: the run may end and be waited for before the last call here returns. */
    for (int32_t i = 0; i < batch; i++)
        request->slots[i].started = true;
    atomic_store(&request->pending, batch);
    int32_t started = 0;
    while (started < batch && code == 0) {
        code = VRS_OV_TRY(api->ov_infer_request_start_async(request->slots[started].infer));
        started += code == 0 ? 1 : 0;
    }
    if (code == 0)
        return VRS_OK;
    for (int32_t i = started; i < batch; i++)
        request->slots[i].started = false;
    /* The inferences that never started keep `pending` above zero: `done` is not called. */
    vrs_status status = fail_run(request, code, "cannot start an inference");
    (void)wait_slots(request);
    return status == VRS_OK ? VRS_ENGINE : vrs_fail(status, "%s", request->base.error);
}

static void free_request(const ov_engine *engine, ov_request *request)
{
    const vrs_ov_api *api = &engine->network.library->api;
    if (request->slots && request->memory)
        (void)wait_slots(request);
    for (int32_t i = 0; request->slots && i < engine->base.params.max_batch; i++)
        if (request->slots[i].infer)
            api->ov_infer_request_free(request->slots[i].infer);
    vrs_free(request->slots);
    vrs_free(request->memory);
}

static void ov_destroy(vrs_engine *base)
{
    ov_engine *engine = (ov_engine *)base;
    for (int32_t i = 0; engine->requests && i < base->params.requests; i++)
        if (engine->requests[i].base.engine)
            free_request(engine, &engine->requests[i]);
    vrs_free(engine->requests);
    vrs_ov_network_close(&engine->network);
    vrs_free(engine);
}

static vrs_request *ov_request_at(vrs_engine *engine, int32_t index)
{
    return &((ov_engine *)engine)->requests[index].base;
}

static void *ov_input(vrs_request *request, int32_t position)
{
    return own(request)->slots[position].input;
}

static const void *ov_scores(const vrs_request *request, int32_t position)
{
    return own(request)->slots[position].scores;
}

static float *ov_state_in(vrs_request *request, int32_t state, int32_t position)
{
    return own(request)->slots[position].state_in[state];
}

static const float *ov_state_out(const vrs_request *request, int32_t state, int32_t position)
{
    return own(request)->slots[position].state_out[state];
}

const vrs_engine_ops vrs_engine_openvino = {
    .name = "openvino",
    .precisions = VRS_PRECISION_BIT(F32) | VRS_PRECISION_BIT(BF16) | VRS_PRECISION_BIT(INT8),
    .create = ov_create,
    .destroy = ov_destroy,
    .request = ov_request_at,
    .input = ov_input,
    .scores = ov_scores,
    .state_in = ov_state_in,
    .state_out = ov_state_out,
    .start = ov_start,
    .wait = ov_wait,
};
