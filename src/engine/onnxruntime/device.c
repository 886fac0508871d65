/* The ONNX Runtime back end on a device: CUDA, TensorRT, TensorRT-RTX.
 *
 * A session queues all of its work on one stream, which it is told when it is made; so that is a
 * stream of the engine's own, and events put a run between what the caller's stream has queued
 * before and what it queues after. Nothing waits on the host.
 *
 * Inputs and outputs are bound to device memory of ours once. A run is bound for each batch size
 * that is compiled (1, 2, 4, 8, ..., the largest), and other batches run in the next larger one;
 * for a file with a fixed batch, a run for each view. Providers record a run as a CUDA graph when
 * it is made the first time, which happens here, before the first frame: then all memory has been
 * taken, too. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "engine/backend.h"
#include "engine/onnxruntime/network.h"
#include "engine/onnxruntime/provider.h"
#include "engine/quantised.h"
#include "vrseg/log.h"

#define MAX_RUNS 16

typedef struct dev_engine dev_engine;

/* One way of running a request: bound memory of `views` views from `first` on. */
typedef struct dev_run {
    OrtIoBinding *binding;
    OrtRunOptions *options;
    int32_t first, views;
} dev_run;

/* A tensor of all views, one behind the other. */
typedef struct dev_tensor {
    vrs_memory_block *block;
    size_t view_bytes;
} dev_tensor;

typedef struct dev_request {
    vrs_request base;
    dev_tensor input, scores, state_in[VRS_MAX_STATES], state_out[VRS_MAX_STATES];
    dev_run runs[MAX_RUNS];
    vrs_device_event *before, *after;
} dev_request;

struct dev_engine {
    vrs_engine base;
    vrs_ort_kind kind;
    bool fused; /* see vrs_ort_session_desc */
    vrs_ort_network network;
    OrtMemoryInfo *where; /* bound memory lies */
    vrs_device_stream *stream;
    vrs_device_event *idle; /* on the stream; made before anything is queued there */
    vrs_mutex lock;         /* one thread at a time queues on the stream */
    bool has_lock;
    dev_request *requests;
    int32_t run_count;
};

static dev_engine *engine_of(const vrs_request *request)
{
    return (dev_engine *)request->engine;
}

static dev_request *own(const vrs_request *request)
{
    return (dev_request *)request;
}

/* --- running --- */

/* Queues one run on the engine's stream. */
static vrs_status queue_run(dev_engine *engine, const dev_run *run)
{
    const vrs_ort_network *n = &engine->network;
    return vrs_ort_check(
        n->library,
        VRS_ORT_TRY(n->library->api->RunWithBinding(n->session, run->options, run->binding)),
        VRS_ENGINE, "inference failed");
}

/* The runs that cover a batch: the smallest that holds it, or one for each view. */
static vrs_status queue_batch(dev_engine *engine, const dev_request *request, int32_t batch)
{
    vrs_status status = VRS_OK;
    int32_t done = 0;
    for (int32_t i = 0; status == VRS_OK && done < batch; i++) {
        const dev_run *run = &request->runs[i];
        if (!engine->network.free_batch || run->views >= batch) {
            status = queue_run(engine, run);
            done = run->first + run->views;
        }
    }
    return status;
}

/* A failure of the device is the device's, not the engine's. */
static vrs_status blame(const dev_engine *engine, dev_request *request, vrs_status status)
{
    if (status == VRS_OK)
        return VRS_OK;
    char words[VRS_DETAIL_SIZE];
    snprintf(words, sizeof words, "%s", vrs_last_error());
    if (status == VRS_ENGINE && vrs_device_check(engine->base.params.device) != VRS_OK) {
        status = VRS_DEVICE_LOST;
        snprintf(words, sizeof words, "%s", vrs_last_error());
    }
    snprintf(request->base.error, sizeof request->base.error, "%s", words);
    return vrs_fail(status, "%s", words);
}

static vrs_status dev_enqueue(vrs_request *base, int32_t batch, vrs_device_stream *stream)
{
    dev_request *request = own(base);
    dev_engine *engine = engine_of(base);
    request->base.error[0] = 0;
    vrs_status status = vrs_device_enter(engine->base.params.device);
    if (status != VRS_OK)
        return blame(engine, request, status);
    vrs_mutex_lock(&engine->lock);
    status = vrs_device_event_record(request->before, stream);
    if (status == VRS_OK)
        status = vrs_device_stream_wait(engine->stream, request->before);
    if (status == VRS_OK)
        status = queue_batch(engine, request, batch);
    if (status == VRS_OK)
        status = vrs_device_event_record(request->after, engine->stream);
    vrs_mutex_unlock(&engine->lock);
    if (status == VRS_OK)
        status = vrs_device_stream_wait(stream, request->after);
    vrs_device_leave(engine->base.params.device);
    return blame(engine, request, status);
}

/* --- making requests --- */

static vrs_status make_tensor(dev_engine *engine, const vrs_ort_tensor *tensor,
                              vrs_memory_owner owner, dev_tensor *made)
{
    const vrs_engine_params *p = &engine->base.params;
    made->view_bytes = tensor->shape.elements * sizeof(float);
    size_t bytes = made->view_bytes * (size_t)p->max_batch;
    vrs_status status =
        vrs_memory_alloc(p->memory, VRS_MEMORY_PLACE_DEVICE, owner, bytes, &made->block);
    /* Runs in the next larger size compute with what lies behind the last view. */
    return status == VRS_OK ? vrs_device_fill(engine->stream, made->block->address, 0, bytes)
                            : status;
}

static vrs_status make_tensors(dev_engine *engine, dev_request *request)
{
    const vrs_ort_network *n = &engine->network;
    vrs_status status = make_tensor(engine, &n->input, VRS_MEMORY_TENSORS, &request->input);
    if (status == VRS_OK)
        status = make_tensor(engine, &n->output, VRS_MEMORY_TENSORS, &request->scores);
    for (int32_t i = 0; status == VRS_OK && i < n->state_count; i++) {
        status = make_tensor(engine, &n->state_in[i], VRS_MEMORY_STATES, &request->state_in[i]);
        if (status == VRS_OK) {
            status =
                make_tensor(engine, &n->state_out[i], VRS_MEMORY_STATES, &request->state_out[i]);
        }
    }
    return status;
}

static void *view_at(const dev_tensor *tensor, int32_t position)
{
    vrs_device_ptr at = tensor->block->address + (size_t)position * tensor->view_bytes;
    return (void *)(uintptr_t)at;
}

static vrs_status bind(const dev_engine *engine, const dev_run *run, vrs_ort_bind_fn bind_value,
                       const vrs_ort_tensor *tensor, const dev_tensor *made)
{
    return vrs_ort_bind(engine->network.library, run->binding, bind_value, tensor, run->views,
                        engine->where, view_at(made, run->first));
}

/* Each run is a CUDA graph of its own, by its number; waiting for it is the caller's part. */
static vrs_status make_run_options(const dev_engine *engine, dev_run *run, int32_t number)
{
    const vrs_ort_library *library = engine->network.library;
    const OrtApi *api = library->api;
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    OrtStatus *result = VRS_ORT_TRY(api->CreateRunOptions(&run->options));
    if (!result) {
        result = VRS_ORT_TRY(
            api->AddRunConfigEntry(run->options, "disable_synchronize_execution_providers", "1"));
    }
    if (!result && engine->kind != VRS_ORT_CPU) {
        const char *key =
            engine->kind == VRS_ORT_TENSORRT_RTX ? "cuda_graph_annotation_id" : "gpu_graph_id";
        result = VRS_ORT_TRY(api->AddRunConfigEntry(run->options, key, text));
    }
    return vrs_ort_check(library, result, VRS_ENGINE, "cannot set a run's options");
}

static vrs_status make_run(const dev_engine *engine, const dev_request *request, dev_run *run,
                           int32_t number)
{
    const vrs_ort_network *n = &engine->network;
    const OrtApi *api = n->library->api;
    vrs_status status =
        vrs_ort_check(n->library, VRS_ORT_TRY(api->CreateIoBinding(n->session, &run->binding)),
                      VRS_ENGINE, "cannot make an inference");
    if (status == VRS_OK)
        status = make_run_options(engine, run, number);
    if (status == VRS_OK)
        status = bind(engine, run, api->BindInput, &n->input, &request->input);
    if (status == VRS_OK)
        status = bind(engine, run, api->BindOutput, &n->output, &request->scores);
    for (int32_t i = 0; status == VRS_OK && i < n->state_count; i++) {
        status = bind(engine, run, api->BindInput, &n->state_in[i], &request->state_in[i]);
        if (status == VRS_OK)
            status = bind(engine, run, api->BindOutput, &n->state_out[i], &request->state_out[i]);
    }
    return status;
}

static vrs_status make_request(dev_engine *engine, int32_t index)
{
    dev_request *request = &engine->requests[index];
    vrs_device *device = engine->base.params.device;
    request->base.engine = &engine->base;
    vrs_status status = make_tensors(engine, request);
    if (status == VRS_OK)
        status = vrs_device_event_create(device, false, &request->before);
    if (status == VRS_OK)
        status = vrs_device_event_create(device, false, &request->after);
    int32_t largest = engine->base.params.max_batch;
    for (int32_t i = 0; status == VRS_OK && i < engine->run_count; i++) {
        dev_run *run = &request->runs[i];
        run->first = engine->network.free_batch ? 0 : i;
        run->views = !engine->network.free_batch ? 1 : 1 << i < largest ? 1 << i : largest;
        status = make_run(engine, request, run, index * engine->run_count + i + 1);
    }
    return status;
}

static void free_request(const dev_engine *engine, dev_request *request)
{
    const OrtApi *api = engine->network.library->api;
    vrs_memory *memory = engine->base.params.memory;
    for (int32_t i = 0; i < MAX_RUNS; i++) {
        if (request->runs[i].binding)
            api->ReleaseIoBinding(request->runs[i].binding);
        if (request->runs[i].options)
            api->ReleaseRunOptions(request->runs[i].options);
    }
    vrs_memory_free(memory, request->input.block);
    vrs_memory_free(memory, request->scores.block);
    for (int32_t i = 0; i < VRS_MAX_STATES; i++) {
        vrs_memory_free(memory, request->state_in[i].block);
        vrs_memory_free(memory, request->state_out[i].block);
    }
    vrs_device_event_destroy(request->before);
    vrs_device_event_destroy(request->after);
}

/* Makes every run once, so that kernels are chosen, graphs recorded and memory taken, and waits:
 * the one time that the host does. */
static vrs_status warm_up(dev_engine *engine)
{
    vrs_status status = VRS_OK;
    for (int32_t r = 0; status == VRS_OK && r < engine->base.params.requests; r++)
        for (int32_t i = 0; status == VRS_OK && i < engine->run_count; i++)
            status = queue_run(engine, &engine->requests[r].runs[i]);
    if (status == VRS_OK)
        status = vrs_device_event_record(engine->idle, engine->stream);
    return status == VRS_OK ? vrs_device_event_wait(engine->idle) : status;
}

/* --- the network --- */

/* TensorRT's profiles name the inputs: the file is looked at on the CPU first. */
static vrs_status look_at_file(const vrs_ort_library *library, const vrs_model *model,
                               const vrs_engine_params *params, vrs_ort_network *network)
{
    OrtSessionOptions *options = NULL;
    vrs_status status = vrs_ort_cpu_options(library, params, &options);
    if (status == VRS_OK)
        status = vrs_ort_network_open(network, library, model, options);
    if (options)
        library->api->ReleaseSessionOptions(options);
    return status;
}

static vrs_status open_network(dev_engine *engine, const vrs_model *model)
{
    const vrs_engine_params *p = &engine->base.params;
    const vrs_ort_library *library;
    vrs_ort_network file = {0};
    OrtSessionOptions *options = NULL;
    vrs_ort_session_desc desc = {
        .kind = engine->kind, .params = p, .network = &file, .fused = engine->fused};
    desc.stream = vrs_device_stream_handle(engine->stream);
    desc.memory_limit = vrs_memory_available(p->memory, VRS_MEMORY_PLACE_DEVICE);
    vrs_status status = vrs_ort_open(&library);
    if (status == VRS_OK && engine->kind >= VRS_ORT_TENSORRT)
        status = look_at_file(library, model, p, &file);
    if (status == VRS_OK)
        status = vrs_ort_device_options(library, &desc, &options);
    vrs_ort_network_close(&file);
    if (status == VRS_OK)
        status = vrs_ort_network_open(&engine->network, library, model, options);
    if (options)
        library->api->ReleaseSessionOptions(options);
    if (status != VRS_OK)
        return status;
    bool cpu = engine->kind == VRS_ORT_CPU;
    int number = cpu ? 0 : vrs_device_get_properties(p->device)->number;
    return vrs_ort_check(
        library,
        VRS_ORT_TRY(library->api->CreateMemoryInfo(cpu ? "Cpu" : "Cuda", OrtDeviceAllocator, number,
                                                   OrtMemTypeDefault, &engine->where)),
        VRS_ENGINE, "cannot describe memory");
}

static vrs_status fill_engine(dev_engine *engine, const vrs_model *model)
{
    const vrs_engine_params *p = &engine->base.params;
    vrs_status status = vrs_mutex_init(&engine->lock);
    engine->has_lock = status == VRS_OK;
    if (status == VRS_OK)
        status = vrs_device_stream_create(p->device, VRS_PRIORITY_NORMAL, &engine->stream);
    if (status == VRS_OK)
        status = vrs_device_event_create(p->device, false, &engine->idle);
    if (status == VRS_OK)
        status = open_network(engine, model);
    if (status == VRS_OK) {
        engine->requests = vrs_alloc_array((size_t)p->requests, sizeof *engine->requests);
        status = engine->requests ? VRS_OK : VRS_NO_MEMORY;
    }
    engine->run_count = p->max_batch;
    if (engine->network.free_batch) {
        engine->run_count = 1;
        while (1 << (engine->run_count - 1) < p->max_batch)
            engine->run_count++;
    }
    for (int32_t i = 0; status == VRS_OK && i < p->requests; i++)
        status = make_request(engine, i);
    return status == VRS_OK ? warm_up(engine) : status;
}

/* Until nothing runs that uses the engine's memory; a lost device runs nothing. Tried twice, for
 * what is freed under running work loses the device. */
static void wait_idle(dev_engine *engine)
{
    vrs_status status = VRS_ENGINE;
    for (int i = 0; engine->idle && status != VRS_OK && i < 2; i++) {
        status = vrs_device_event_record(engine->idle, engine->stream);
        if (status == VRS_OK)
            status = vrs_device_event_wait(engine->idle);
    }
    if (engine->idle && status != VRS_OK)
        vrs_log(VRS_LOG_WARNING, "closing the engine: %s", vrs_last_error());
}

static void empty_engine(dev_engine *engine)
{
    const vrs_ort_library *library = engine->network.library;
    wait_idle(engine);
    for (int32_t i = 0; engine->requests && i < engine->base.params.requests; i++)
        free_request(engine, &engine->requests[i]);
    vrs_free(engine->requests);
    if (engine->where)
        library->api->ReleaseMemoryInfo(engine->where);
    vrs_ort_network_close(&engine->network);
    vrs_device_event_destroy(engine->idle);
    vrs_device_stream_destroy(engine->stream);
    if (engine->has_lock)
        vrs_mutex_destroy(&engine->lock);
}

/* --- the table --- */

static void dev_destroy(vrs_engine *base)
{
    dev_engine *engine = (dev_engine *)base;
    vrs_memory *memory = base->params.memory;
    vrs_device *device = base->params.device;
    /* What the library gives back is booked; closing it goes on where it cannot be. */
    bool entered = vrs_device_enter(device) == VRS_OK;
    bool measured = vrs_memory_measure_begin(memory, VRS_MEMORY_LIBRARIES, 0) == VRS_OK;
    empty_engine(engine);
    if (measured && vrs_memory_measure_end(memory, NULL) != VRS_OK)
        vrs_log(VRS_LOG_WARNING, "closing the engine: %s", vrs_last_error());
    if (entered)
        vrs_device_leave(device);
    vrs_free(engine);
}

/* Inside a bracket: what the library takes is booked as its own. */
static vrs_status measured_fill(dev_engine *engine, const vrs_model *model)
{
    vrs_memory *memory = engine->base.params.memory;
    vrs_status status = vrs_memory_measure_begin(memory, VRS_MEMORY_LIBRARIES, 0);
    if (status != VRS_OK)
        return status;
    status = fill_engine(engine, model);
    char words[VRS_DETAIL_SIZE];
    snprintf(words, sizeof words, "%s", vrs_last_error());
    vrs_status end = vrs_memory_measure_end(memory, NULL);
    return status == VRS_OK ? end : vrs_fail(status, "%s", words);
}

/* Makes an engine and opens it; nothing is left where that fails. */
static vrs_status make_engine(const vrs_model *model, const vrs_engine_params *params,
                              vrs_ort_kind kind, bool fused, dev_engine **made)
{
    dev_engine *engine = vrs_alloc(sizeof *engine);
    if (!engine)
        return VRS_NO_MEMORY;
    engine->base.ops = &vrs_engine_onnxruntime_device;
    engine->base.params = *params;
    engine->kind = kind;
    engine->fused = fused;
    vrs_status status = vrs_device_enter(params->device);
    if (status == VRS_OK) {
        status = measured_fill(engine, model);
        vrs_device_leave(params->device);
    }
    if (status != VRS_OK) {
        char words[VRS_DETAIL_SIZE];
        snprintf(words, sizeof words, "%s", vrs_last_error());
        dev_destroy(&engine->base);
        return vrs_fail(status, "%s", words);
    }
    *made = engine;
    return VRS_OK;
}

static vrs_status dev_create(const vrs_model *model, const vrs_engine_params *params,
                             vrs_engine **out)
{
    vrs_ort_kind kind;
    dev_engine *engine = NULL;
    vrs_status status = vrs_ort_kind_parse(params->provider, &kind);
    if (status == VRS_OK)
        status = vrs_ort_check_precision(kind, params->precision);
    if (status == VRS_OK)
        status = vrs_check_quantised(model, params->precision);
    if (status == VRS_OK)
        status = make_engine(model, params, kind, true, &engine);
    /* Transposed convolutions are not there with their bias. */
    const char *further = params->provider_options ? params->provider_options : "";
    if (status == VRS_ENGINE && kind == VRS_ORT_CUDA && !strstr(further, "fuse_conv_bias")) {
        vrs_log(VRS_LOG_DEBUG, "biases apart, as together: %s", vrs_last_error());
        status = make_engine(model, params, kind, false, &engine);
    }
    if (status != VRS_OK)
        return status;
    vrs_network_io_set(vrs_model_get_spec(model), &engine->network.shapes, &engine->base.io);
    engine->base.io.on_device = true;
    snprintf(engine->base.description, sizeof engine->base.description, "onnxruntime %s, %s, %s",
             engine->network.library->version, vrs_ort_kind_name(kind),
             vrs_precision_name(params->precision));
    *out = &engine->base;
    return VRS_OK;
}

static vrs_request *dev_request_at(vrs_engine *engine, int32_t index)
{
    return &((dev_engine *)engine)->requests[index].base;
}

static void *dev_input(vrs_request *request, int32_t position)
{
    return view_at(&own(request)->input, position);
}

static const void *dev_scores(const vrs_request *request, int32_t position)
{
    return view_at(&own(request)->scores, position);
}

static float *dev_state_in(vrs_request *request, int32_t state, int32_t position)
{
    return view_at(&own(request)->state_in[state], position);
}

static const float *dev_state_out(const vrs_request *request, int32_t state, int32_t position)
{
    return view_at(&own(request)->state_out[state], position);
}

const vrs_engine_ops vrs_engine_onnxruntime_device = {
    .name = "onnxruntime",
    .precisions = VRS_PRECISION_BIT(F32) | VRS_PRECISION_BIT(TF32) | VRS_PRECISION_BIT(F16) |
                  VRS_PRECISION_BIT(BF16) | VRS_PRECISION_BIT(INT8),
    .on_device = true,
    .create = dev_create,
    .destroy = dev_destroy,
    .request = dev_request_at,
    .input = dev_input,
    .scores = dev_scores,
    .state_in = dev_state_in,
    .state_out = dev_state_out,
    .enqueue = dev_enqueue,
};
