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
    if (!state)
        return VRS_NO_MEMORY;
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
    if (!state)
        return;
    bool entered = vrs_conv_enter_again(state->dnn.device);
    for (dnn_entry *entry = state->entries, *next; entry; entry = next) {
        next = entry->next;
        vrs_dnn_graph_free(&state->dnn, &entry->graph);
        vrs_free(entry);
    }
    if (entered)
        vrs_device_leave(state->dnn.device);
    vrs_dnn_close(&state->dnn);
    vrs_free(state);
}

/* With the mutex held: the graph of a convolution, made at the first call. NULL: no memory. */
static dnn_entry *find(dnn_state *state, const vrs_conv *conv)
{
    for (dnn_entry *entry = state->entries; entry; entry = entry->next)
        if (vrs_conv_same(&entry->graph.conv, conv))
            return entry;
    dnn_entry *entry = vrs_alloc(sizeof *entry);
    if (!entry)
        return NULL;
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
    if (!vrs_dnn_says(conv) || vrs_device_enter(state->dnn.device) != VRS_OK)
        return 0;
    vrs_mutex_lock(&state->dnn.mutex);
    const dnn_entry *entry = find(state, conv);
    count = entry && entry->status == VRS_OK ? entry->graph.config_count : 0;
    vrs_mutex_unlock(&state->dnn.mutex);
    vrs_device_leave(state->dnn.device);
    return count;
}

/* Makes a plan of a configuration, or of the text that one was saved as. */
static vrs_dnn_status make_plan(const vrs_dnn *dnn, int attribute, int type, int64_t count,
                                const void *from, dnn_plan *plan)
{
    const vrs_dnn_api *api = dnn->api;
    int64_t bytes = 0, found = 0;
    vrs_dnn_status status = VRS_DNN_TRY(api->make(VRS_DNN_EXECUTION_PLAN, &plan->plan));
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(
            api->set(plan->plan, VRS_DNN_PLAN_HANDLE, VRS_DNN_TYPE_HANDLE, 1, &dnn->handle));
    }
    if (status == VRS_DNN_SUCCESS)
        status = VRS_DNN_TRY(api->set(plan->plan, attribute, type, count, from));
    if (status == VRS_DNN_SUCCESS)
        status = VRS_DNN_TRY(api->finalize(plan->plan));
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(
            api->get(plan->plan, VRS_DNN_PLAN_WORKSPACE, VRS_DNN_TYPE_INT64, 1, &found, &bytes));
    }
    plan->base.workspace = bytes > 0 ? (size_t)bytes : 0;
    return status;
}

static void dnn_destroy(vrs_conv_plan *base)
{
    dnn_plan *plan = (dnn_plan *)base;
    if (plan && plan->plan && vrs_conv_enter_again(plan->state->dnn.device)) {
        (void)plan->state->dnn.api->unmake(plan->plan);
        vrs_device_leave(plan->state->dnn.device);
    }
    vrs_free(plan);
}

/* With the context entered. cuDNN makes plans of one handle one after the other. */
static vrs_status prepare(dnn_state *state, const vrs_conv *conv, int32_t candidate, dnn_plan *plan)
{
    vrs_mutex_lock(&state->dnn.mutex);
    const dnn_entry *entry = find(state, conv);
    vrs_status status = entry ? entry->status : VRS_NO_MEMORY;
    if (status == VRS_OK) {
        const vrs_dnn_config *config = &entry->graph.configs[candidate];
        vrs_dnn_status result = make_plan(&state->dnn, VRS_DNN_PLAN_CONFIG, VRS_DNN_TYPE_DESCRIPTOR,
                                          1, &config->descriptor, plan);
        status = vrs_dnn_check(state->dnn.api, result, "cannot make a plan");
        plan->base.tensor_cores = config->tensor_cores;
        snprintf(plan->base.name, sizeof plan->base.name, "engine %d (%d)", (int)config->engine,
                 candidate);
    }
    vrs_mutex_unlock(&state->dnn.mutex);
    return status;
}

static dnn_plan *begin_plan(dnn_state *state, const vrs_conv *conv)
{
    dnn_plan *plan = vrs_alloc(sizeof *plan);
    if (plan) {
        plan->base.provider = &vrs_conv_cudnn;
        plan->state = state;
        plan->bias = !conv->bare;
        plan->residual = conv->residual_pitch != 0;
        plan->scaled = conv->scaled != 0;
    }
    return plan;
}

static vrs_status dnn_prepare(void *opaque, const vrs_conv *conv, int32_t candidate,
                              vrs_conv_plan **result)
{
    dnn_state *state = opaque;
    dnn_plan *plan = begin_plan(state, conv);
    if (!plan)
        return VRS_NO_MEMORY;
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

/* ---- plans as text ---- */

/* What stands before cuDNN's own text. */
typedef struct dnn_saved {
    char name[96];
    int64_t tensor_cores;
} dnn_saved;

static vrs_status dnn_save(const vrs_conv_plan *base, void **data, size_t *bytes)
{
    const dnn_plan *plan = (const dnn_plan *)base;
    const vrs_dnn *dnn = &plan->state->dnn;
    int64_t count = 0;
    vrs_dnn_status result = VRS_DNN_TRY(
        dnn->api->get(plan->plan, VRS_DNN_PLAN_JSON, VRS_DNN_TYPE_CHAR, 0, &count, NULL));
    if (result != VRS_DNN_SUCCESS || count <= 0)
        return vrs_fail(VRS_UNSUPPORTED, "cuDNN: a plan that cannot be saved");
    *bytes = sizeof(dnn_saved) + (size_t)count;
    char *saved = vrs_alloc(*bytes);
    if (!saved)
        return VRS_NO_MEMORY;
    dnn_saved *head = (dnn_saved *)(void *)saved;
    memcpy(head->name, base->name, sizeof head->name);
    head->tensor_cores = base->tensor_cores;
    result = VRS_DNN_TRY(dnn->api->get(plan->plan, VRS_DNN_PLAN_JSON, VRS_DNN_TYPE_CHAR, count,
                                       &count, saved + sizeof(dnn_saved)));
    if (result != VRS_DNN_SUCCESS) {
        vrs_free(saved);
        return vrs_dnn_check(dnn->api, result, "cannot save a plan");
    }
    *data = saved;
    return VRS_OK;
}

static vrs_status dnn_restore(void *opaque, const vrs_conv *conv, const void *data, size_t bytes,
                              vrs_conv_plan **result)
{
    dnn_state *state = opaque;
    dnn_saved head;
    if (bytes <= sizeof head)
        return vrs_fail(VRS_UNSUPPORTED, "cuDNN: a saved plan without a plan");
    memcpy(&head, data, sizeof head);
    dnn_plan *plan = begin_plan(state, conv);
    if (!plan)
        return VRS_NO_MEMORY;
    head.name[sizeof head.name - 1] = 0;
    memcpy(plan->base.name, head.name, sizeof head.name);
    plan->base.tensor_cores = head.tensor_cores != 0;
    vrs_status status = vrs_device_enter(state->dnn.device);
    if (status == VRS_OK) {
        vrs_mutex_lock(&state->dnn.mutex);
        vrs_dnn_status made =
            make_plan(&state->dnn, VRS_DNN_PLAN_JSON, VRS_DNN_TYPE_CHAR,
                      (int64_t)(bytes - sizeof head), (const char *)data + sizeof head, plan);
        vrs_mutex_unlock(&state->dnn.mutex);
        status = vrs_dnn_check(state->dnn.api, made, "cannot take a saved plan");
        vrs_device_leave(state->dnn.device);
    }
    if (status != VRS_OK) {
        dnn_destroy(&plan->base);
        return status;
    }
    *result = &plan->base;
    return VRS_OK;
}

/* ---- running ---- */

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
    if (status == VRS_DNN_SUCCESS)
        status = VRS_DNN_TRY(api->set(pack, VRS_DNN_PACK_IDS, VRS_DNN_TYPE_INT64, count, ids));
    if (status == VRS_DNN_SUCCESS) {
        status = VRS_DNN_TRY(
            api->set(pack, VRS_DNN_PACK_WORKSPACE, VRS_DNN_TYPE_VOID_PTR, 1, &args->workspace));
    }
    if (status == VRS_DNN_SUCCESS)
        status = VRS_DNN_TRY(api->finalize(pack));
    if (status == VRS_DNN_SUCCESS)
        status = VRS_DNN_TRY(api->set_stream(dnn->handle, stream));
    if (status == VRS_DNN_SUCCESS)
        status = VRS_DNN_TRY(api->execute(dnn->handle, plan->plan, pack));
    if (pack)
        (void)api->unmake(pack);
    return status;
}

static vrs_status dnn_enqueue(const vrs_conv_plan *base, const vrs_conv_args *args,
                              vrs_device_stream *stream)
{
    const dnn_plan *plan = (const dnn_plan *)base;
    vrs_dnn *dnn = &plan->state->dnn;
    vrs_status status = vrs_device_enter(dnn->device);
    if (status != VRS_OK)
        return status;
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
    .save = dnn_save,
    .restore = dnn_restore,
};
