/* Convolutions by cuDNN: the engines that its heuristics offer for the whole fused node. */
#include <stdio.h>
#include <string.h>

#include "engine/cuda/cudnn_graph.h"

/* Graphs that are kept: one for each convolution that was asked for. */
typedef struct dnn_entry {
    struct dnn_entry *next;
    vrs_dnn_graph graph;
    vrs_status status;
} dnn_entry;

typedef struct dnn_state {
    vrs_dnn dnn;
    dnn_entry *entries;
} dnn_state;

typedef struct dnn_plan {
    vrs_conv_plan base;
    dnn_state *state;
    vrs_dnn_descriptor plan;
    bool bias, residual, scaled;
} dnn_plan;

static vrs_status dnn_open(vrs_device *device, void **result)
{
    dnn_state *state = vrs_alloc(sizeof *state);
    if (!state) {
        return VRS_NO_MEMORY;
    }
    vrs_status status = vrs_dnn_open(device, &state->dnn);
    if (status != VRS_OK) {
        vrs_free(state);
        return status;
    }
    *result = state;
    return VRS_OK;
}

static void dnn_close(void *opaque)
{
    dnn_state *state = opaque;
    if (!state) {
        return;
    }
    bool entered = vrs_device_enter(state->dnn.device) == VRS_OK;
    for (dnn_entry *entry = state->entries, *next; entry; entry = next) {
        next = entry->next;
        vrs_dnn_graph_free(&state->dnn, &entry->graph);
        vrs_free(entry);
    }
    if (entered) {
        vrs_device_leave(state->dnn.device);
    }
    vrs_dnn_close(&state->dnn);
    vrs_free(state);
}

/* With the mutex held: the graph of a convolution, made at the first call. NULL: no memory. */
static dnn_entry *find(dnn_state *state, const vrs_conv *conv)
{
    for (dnn_entry *entry = state->entries; entry; entry = entry->next) {
        if (memcmp(&entry->graph.conv, conv, sizeof *conv) == 0) {
            return entry;
        }
    }
    dnn_entry *entry = vrs_alloc(sizeof *entry);
    if (!entry) {
        return NULL;
    }
    entry->status = vrs_dnn_graph_build(&state->dnn, conv, &entry->graph);
    if (entry->status != VRS_OK) {
        vrs_dnn_graph_free(&state->dnn, &entry->graph);
        entry->graph.conv = *conv;
    }
    entry->next = state->entries;
    state->entries = entry;
    return entry;
}

static int32_t dnn_candidates(void *opaque, const vrs_conv *conv)
{
    dnn_state *state = opaque;
    int32_t count = 0;
    if (!vrs_dnn_says(conv) || vrs_device_enter(state->dnn.device) != VRS_OK) {
        return 0;
    }
    vrs_mutex_lock(&state->dnn.mutex);
    const dnn_entry *entry = find(state, conv);
    count = entry && entry->status == VRS_OK ? entry->graph.config_count : 0;
    vrs_mutex_unlock(&state->dnn.mutex);
    vrs_device_leave(state->dnn.device);
    return count;
}

/* What is to be known of the engine behind a configuration. */
typedef struct dnn_engine {
    int64_t index;
    bool tensor_cores, wanted;
} dnn_engine;

/* Engines that round more than the precision says, or differently from run to run, are not for us.
 */
static bool fits(const vrs_conv *conv, const int *notes, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        bool rounds = notes[i] == VRS_DNN_NOTE_DOWN_CONVERT || notes[i] == VRS_DNN_NOTE_TENSOR_CORE;
        bool other =
            notes[i] == VRS_DNN_NOTE_REDUCED || notes[i] == VRS_DNN_NOTE_NONDETERMINISTIC ||
            (notes[i] >= VRS_DNN_NOTE_WINOGRAD && notes[i] <= VRS_DNN_NOTE_WINOGRAD_LAST) ||
            notes[i] == VRS_DNN_NOTE_FFT;
        if (other || (rounds && conv->in_type == VRS_NET_F32 && !conv->tf32)) {
            return false;
        }
    }
    return true;
}

static vrs_dnn_status inspect(const vrs_dnn_api *api, const vrs_conv *conv,
                              vrs_dnn_descriptor config, dnn_engine *engine)
{
    vrs_dnn_descriptor d = NULL;
    int notes[VRS_DNN_NOTES];
    int64_t count = 0;
    vrs_dnn_status status = VRS_DNN_TRY(api->make(VRS_DNN_ENGINE, &d));
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(
            api->get(config, VRS_DNN_CFG_ENGINE, VRS_DNN_TYPE_DESCRIPTOR, 1, &count, &d));
    }
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(
            api->get(d, VRS_DNN_ENGINE_INDEX, VRS_DNN_TYPE_INT64, 1, &count, &engine->index));
    }
    count = 0;
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(api->get(d, VRS_DNN_ENGINE_NUMERICAL_NOTE, VRS_DNN_TYPE_NUMERICAL_NOTE,
                                      VRS_DNN_NOTES, &count, notes));
    }
    if (status == VRS_DNN_SUCCESS) {
        count = count < VRS_DNN_NOTES ? count : VRS_DNN_NOTES;
        engine->wanted = fits(conv, notes, count);
        for (int64_t i = 0; i < count; i++) {
            engine->tensor_cores = engine->tensor_cores || notes[i] == VRS_DNN_NOTE_TENSOR_CORE;
        }
    }
    if (d) {
        (void)api->unmake(d);
    }
    return status;
}

static vrs_dnn_status make_plan(const vrs_dnn *dnn, vrs_dnn_descriptor config, dnn_plan *plan)
{
    const vrs_dnn_api *api = dnn->api;
    int64_t bytes = 0, count = 0;
    vrs_dnn_status status = VRS_DNN_TRY(api->make(VRS_DNN_EXECUTION_PLAN, &plan->plan));
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(
            api->set(plan->plan, VRS_DNN_PLAN_HANDLE, VRS_DNN_TYPE_HANDLE, 1, &dnn->handle));
    }
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(
            api->set(plan->plan, VRS_DNN_PLAN_CONFIG, VRS_DNN_TYPE_DESCRIPTOR, 1, &config));
    }
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(api->finalize(plan->plan));
    }
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(
            api->get(plan->plan, VRS_DNN_PLAN_WORKSPACE, VRS_DNN_TYPE_INT64, 1, &count, &bytes));
    }
    plan->base.workspace = bytes > 0 ? (size_t)bytes : 0;
    return status;
}

static void dnn_destroy(vrs_conv_plan *base)
{
    dnn_plan *plan = (dnn_plan *)base;
    if (plan && plan->plan && vrs_device_enter(plan->state->dnn.device) == VRS_OK) {
        (void)plan->state->dnn.api->unmake(plan->plan);
        vrs_device_leave(plan->state->dnn.device);
    }
    vrs_free(plan);
}

/* With the context entered. cuDNN makes plans of one handle one after the other. */
static vrs_status prepare(dnn_state *state, const vrs_conv *conv, int32_t candidate, dnn_plan *plan)
{
    const vrs_dnn_api *api = state->dnn.api;
    dnn_engine engine = {0};
    vrs_mutex_lock(&state->dnn.mutex);
    const dnn_entry *entry = find(state, conv);
    vrs_status status = entry ? entry->status : VRS_NO_MEMORY;
    if (status == VRS_OK) {
        vrs_dnn_descriptor config = entry->graph.configs[candidate];
        vrs_dnn_status result = inspect(api, conv, config, &engine);
        if (result == VRS_DNN_SUCCESS && engine.wanted) {
            result = make_plan(&state->dnn, config, plan);
        }
        status = vrs_dnn_check(api, result, "cannot make a plan");
    }
    vrs_mutex_unlock(&state->dnn.mutex);
    if (status == VRS_OK && !engine.wanted) {
        status = vrs_fail(VRS_UNSUPPORTED, "cuDNN: engine %d rounds otherwise than asked for",
                          (int)engine.index);
    }
    plan->base.tensor_cores = engine.tensor_cores;
    snprintf(plan->base.name, sizeof plan->base.name, "engine %d (%d)", (int)engine.index,
             candidate);
    return status;
}

static vrs_status dnn_prepare(void *opaque, const vrs_conv *conv, int32_t candidate,
                              vrs_conv_plan **result)
{
    dnn_state *state = opaque;
    dnn_plan *plan = vrs_alloc(sizeof *plan);
    if (!plan) {
        return VRS_NO_MEMORY;
    }
    plan->base.provider = &vrs_conv_cudnn;
    plan->state = state;
    plan->bias = !conv->bare;
    plan->residual = conv->residual_pitch != 0;
    plan->scaled = conv->scaled != 0;
    vrs_status status = vrs_device_enter(state->dnn.device);
    if (status == VRS_OK) {
        status = prepare(state, conv, candidate, plan);
        vrs_device_leave(state->dnn.device);
    }
    if (status != VRS_OK) {
        dnn_destroy(&plan->base);
        return status;
    }
    *result = &plan->base;
    return VRS_OK;
}

/* With the mutex held. */
static vrs_dnn_status execute(const dnn_plan *plan, const vrs_conv_args *args, void *stream)
{
    const vrs_dnn *dnn = &plan->state->dnn;
    const vrs_dnn_api *api = dnn->api;
    int64_t ids[6], count = 0;
    vrs_device_ptr at[6];
    const struct {
        bool used;
        int64_t id;
        vrs_device_ptr at;
    } all[] = {
        {true, VRS_DNN_ID_X, args->x},
        {true, VRS_DNN_ID_W, args->weights},
        {true, VRS_DNN_ID_Y, args->y},
        {plan->bias, VRS_DNN_ID_BIAS, args->bias},
        {plan->residual, VRS_DNN_ID_RESIDUAL, args->residual},
        {plan->scaled, VRS_DNN_ID_SCALE, args->scale},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ids[count] = all[i].id;
        at[count] = all[i].at;
        count += all[i].used ? 1 : 0;
    }
    vrs_dnn_descriptor pack = NULL;
    vrs_dnn_status status = VRS_DNN_TRY(api->make(VRS_DNN_VARIANT_PACK, &pack));
    if (status == VRS_DNN_SUCCESS) {
        status =
            VRS_DNN_TRY(api->set(pack, VRS_DNN_PACK_POINTERS, VRS_DNN_TYPE_VOID_PTR, count, at));
    }
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(api->set(pack, VRS_DNN_PACK_IDS, VRS_DNN_TYPE_INT64, count, ids));
    }
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(
            api->set(pack, VRS_DNN_PACK_WORKSPACE, VRS_DNN_TYPE_VOID_PTR, 1, &args->workspace));
    }
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(api->finalize(pack));
    }
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(api->set_stream(dnn->handle, stream));
    }
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(api->execute(dnn->handle, plan->plan, pack));
    }
    if (pack) {
        (void)api->unmake(pack);
    }
    return status;
}

static vrs_status dnn_enqueue(const vrs_conv_plan *base, const vrs_conv_args *args,
                              vrs_device_stream *stream)
{
    const dnn_plan *plan = (const dnn_plan *)base;
    vrs_dnn *dnn = &plan->state->dnn;
    vrs_status status = vrs_device_enter(dnn->device);
    if (status != VRS_OK) {
        return status;
    }
    vrs_mutex_lock(&dnn->mutex);
    vrs_dnn_status result = execute(plan, args, vrs_device_stream_handle(stream));
    vrs_mutex_unlock(&dnn->mutex);
    vrs_device_leave(dnn->device);
    return vrs_dnn_check(dnn->api, result, plan->base.name);
}

const vrs_conv_provider vrs_conv_cudnn = {
    .name = "cudnn",
    .compiles = true,
    .open = dnn_open,
    .close = dnn_close,
    .candidates = dnn_candidates,
    .prepare = dnn_prepare,
    .destroy = dnn_destroy,
    .enqueue = dnn_enqueue,
};
