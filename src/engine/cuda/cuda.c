/* The engine of our own: networks on an NVIDIA GPU, in cuDNN's and our own kernels, as CUDA graphs.
 *
 * A request has memory of its own for what goes in and comes out. Weights, activations and
 * workspace are one for all: runs of all requests follow each other on the device, by an event. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/cuda/cuda_engine.h"
#include "engine/cuda/cudnn.h"
#include "engine/network_graph.h"
#include "vrseg/system.h"

static vrs_cuda_engine *engine_of(const vrs_request *request)
{
    return (vrs_cuda_engine *)request->engine;
}

static const vrs_cuda_request *own(const vrs_request *request)
{
    return (const vrs_cuda_request *)request;
}

/* --- making --- */

static vrs_status load_graph(vrs_net *net, const char *path, const vrs_weights *file)
{
    vrs_network_options options;
    vrs_network_options_set(net->spec, &options);
    vrs_status status =
        vrs_graph_parse_file(path, file->data, file->size, &options.options, &net->graph);
    if (status == VRS_OK)
        status = vrs_graph_optimise(net->graph, VRS_PASS_ALL);
    if (status == VRS_OK)
        status = vrs_net_unquantise(net);
    /* In FP32 sums would be in another order for no good reason, and 8 bits are the faster way. */
    bool half = status == VRS_OK && net->precision == VRS_PRECISION_F16;
    return half ? vrs_graph_split_enlarged(net->graph) : status;
}

static vrs_status open_device(vrs_net *net)
{
    net->api = vrs_cuda_api(net->device);
    if (!net->api) {
        return vrs_fail(VRS_INVALID, "the engine cuda runs on a GPU, not on the device %s",
                        vrs_device_get_properties(net->device)->id);
    }
    vrs_status status = vrs_net_open(net->device, &net->kernels);
    if (status == VRS_OK)
        status = vrs_device_stream_create(net->device, VRS_PRIORITY_NORMAL, &net->stream);
    if (status == VRS_OK)
        status = vrs_device_event_create(net->device, true, &net->begin);
    return status == VRS_OK ? vrs_device_event_create(net->device, true, &net->end) : status;
}

static vrs_status build(vrs_cuda_engine *engine, const vrs_model *model)
{
    const vrs_engine_params *params = &engine->base.params;
    vrs_net *net = &engine->net;
    *net =
        (vrs_net){.device = params->device,
                  .memory = params->memory,
                  .spec = vrs_model_get_spec(model),
                  .precision = params->precision,
                  .enlarges = params->enlarges,
                  .branches = params->branches,
                  .progress = params->progress,
                  .progress_opaque = params->progress_opaque,
                  .float_input = params->float_input,
                  .workers = params->threads < VRS_NET_WORKERS ? params->threads : VRS_NET_WORKERS};
    vrs_status status = vrs_mutex_init(&engine->mutex);
    engine->has_mutex = status == VRS_OK;
    if (status == VRS_OK)
        status = open_device(net);
    if (status == VRS_OK)
        status = vrs_device_event_create(net->device, false, &engine->busy);
    const char *path = vrs_model_get_info(model).weights_path;
    if (status == VRS_OK)
        status = load_graph(net, path, params->weights);
    if (status == VRS_OK) {
        net->number = vrs_net_number_of(params->weights);
        vrs_weights_free(params->weights);
        status = vrs_net_form_values(net);
    }
    if (status != VRS_OK)
        return status;
    vrs_net_describe_io(net, &engine->base.io);
    status = vrs_cuda_make_requests(engine);
    return status == VRS_OK ? vrs_cuda_compile(engine) : status;
}

static void close_providers(vrs_net *net)
{
    for (int32_t i = 0; i < net->provider_count; i++) {
        for (int32_t w = 0; w < VRS_NET_WORKERS; w++)
            if (net->worker_states[i][w])
                net->providers[i]->close(net->worker_states[i][w]);
        if (net->states[i])
            net->providers[i]->close(net->states[i]);
    }
}

/* The memory manager frees after the work that uses it. A lost device has no more work. */
static void wait_for_all(vrs_cuda_engine *engine)
{
    vrs_net *net = &engine->net;
    vrs_status status =
        engine->busy ? vrs_net_await(net, engine->busy, "the last batches") : VRS_OK;
    if (status == VRS_OK && net->stream && net->end)
        status = vrs_net_settle(net);
    (void)status;
}

/* Plans and handles of libraries, whose memory is booked back as it was booked. */
static void close_libraries(vrs_net *net, int32_t requests)
{
    bool booked = net->provider_count > 0 &&
                  vrs_memory_measure_begin(net->memory, VRS_MEMORY_LIBRARIES, 0) == VRS_OK;
    vrs_net_free_programs(net, requests);
    vrs_net_abandon(net);
    close_providers(net);
    if (booked) {
        vrs_status status = vrs_memory_measure_end(net->memory, NULL);
        (void)status; /* still over the budget: by others */
    }
}

static void cuda_destroy(vrs_engine *base)
{
    vrs_cuda_engine *engine = (vrs_cuda_engine *)base;
    vrs_net *net = &engine->net;
    int32_t requests = base->params.requests;
    wait_for_all(engine);
    close_libraries(net, requests);
    vrs_net_free_constants(net);
    vrs_plans_destroy(net->cached);
    vrs_memory_free(net->memory, net->workspace);
    vrs_arena_destroy(net->arena);
    for (int32_t i = 0; engine->requests && i < requests; i++)
        vrs_memory_free(net->memory, engine->requests[i].block);
    vrs_free(engine->requests);
    vrs_free(engine->ports);
    vrs_graph_destroy(net->graph);
    for (int32_t i = 0; i < net->range_count; i++)
        vrs_free(net->ranges[i].name);
    vrs_free(net->ranges);
    vrs_free(net->forms);
    vrs_free(net->roles);
    vrs_device_event_destroy(engine->busy);
    vrs_device_event_destroy(net->begin);
    vrs_device_event_destroy(net->end);
    for (int32_t i = 0; i < VRS_NET_LANES; i++) {
        vrs_memory_free(net->memory, net->apart[i]);
        vrs_device_event_destroy(net->joined[i]);
        vrs_device_stream_destroy(net->beside[i]);
    }
    vrs_device_stream_destroy(net->stream);
    if (engine->has_mutex)
        vrs_mutex_destroy(&engine->mutex);
    vrs_free(engine);
}

static void name_engine(vrs_cuda_engine *engine)
{
    char library[48] = "no cuDNN", version[32];
    if (engine->net.has_cudnn && vrs_cudnn_info(version, sizeof version) == VRS_OK)
        snprintf(library, sizeof library, "cuDNN %s", version);
    snprintf(engine->base.description, sizeof engine->base.description, "cuda, %s, %s%s", library,
             vrs_precision_name(engine->base.params.precision),
             engine->net.cached && engine->net.chosen == 0 ? ", from cache" : "");
}

static vrs_status cuda_create(const vrs_model *model, const vrs_engine_params *params,
                              vrs_engine **result)
{
    vrs_cuda_engine *engine = vrs_alloc(sizeof *engine);
    if (!engine)
        return VRS_NO_MEMORY;
    engine->base.ops = &vrs_engine_cuda;
    engine->base.params = *params;
    vrs_status status = build(engine, model);
    engine->base.params.cache_dir = NULL; /* the caller's text */
    engine->base.params.weights = NULL;
    if (status != VRS_OK) {
        char detail[VRS_DETAIL_SIZE];
        snprintf(detail, sizeof detail, "%s", vrs_last_error());
        cuda_destroy(&engine->base);
        return vrs_fail(status, "%s", detail);
    }
    name_engine(engine);
    *result = &engine->base;
    return VRS_OK;
}

/* --- running --- */

static vrs_request *cuda_request_at(vrs_engine *engine, int32_t index)
{
    return &((vrs_cuda_engine *)engine)->requests[index].base;
}

static const vrs_net_ports *ports_of(const vrs_request *request)
{
    return &engine_of(request)->ports[own(request)->index];
}

static void *pointer(vrs_device_ptr base, int32_t position, size_t bytes)
{
    return (void *)(uintptr_t)(base + (uint64_t)position * bytes);
}

static void *cuda_input(vrs_request *request, int32_t position)
{
    return pointer(ports_of(request)->input, position, request->engine->io.input_bytes);
}

static const void *cuda_scores(const vrs_request *request, int32_t position)
{
    return pointer(ports_of(request)->scores, position,
                   request->engine->io.scores_elements * sizeof(float));
}

static float *cuda_state_in(vrs_request *request, int32_t state, int32_t position)
{
    return pointer(ports_of(request)->state_in[state], position,
                   request->engine->io.states[state].elements * sizeof(float));
}

static const float *cuda_state_out(const vrs_request *request, int32_t state, int32_t position)
{
    return pointer(ports_of(request)->state_out[state], position,
                   request->engine->io.states[state].elements * sizeof(float));
}

/* The smallest size that holds the batch; else the largest, which runs it in parts. With the
 * mutex. */
static const vrs_net_program *program_for(const vrs_cuda_engine *engine, int32_t batch)
{
    const vrs_net *net = &engine->net;
    const vrs_net_program *best = &net->programs[engine->largest];
    for (int32_t i = 0; i < net->program_count; i++) {
        const vrs_net_program *p = &net->programs[i];
        best = p->parts > 0 && p->batch >= batch && p->batch < best->batch ? p : best;
    }
    return best;
}

static vrs_status launch(vrs_net *net, vrs_cu_graph_exec exec, vrs_device_stream *stream)
{
    vrs_status status = vrs_device_enter(net->device);
    if (status != VRS_OK)
        return status;
    vrs_cu_result result = net->api->graph_launch(exec, vrs_device_stream_handle(stream));
    vrs_device_leave(net->device);
    return vrs_cuda_check(net->device, result, "cannot run the network");
}

/* Without this event the next run would share the activations of this one: tried twice, then the
 * device counts as lost. */
static vrs_status mark_busy(vrs_cuda_engine *engine, vrs_device_stream *stream)
{
    vrs_status status = vrs_device_event_record(engine->busy, stream);
    if (status != VRS_OK && status != VRS_DEVICE_LOST)
        status = vrs_device_event_record(engine->busy, stream);
    if (status != VRS_OK)
        vrs_device_set_lost(engine->net.device, vrs_last_error());
    return status;
}

/* All parts of a batch; `queued`: some are. With the mutex. */
static vrs_status launch_parts(vrs_cuda_engine *engine, int32_t request, int32_t batch,
                               vrs_device_stream *stream, bool *queued)
{
    const vrs_net_program *program = program_for(engine, batch);
    vrs_cu_graph_exec *parts = program->execs + (size_t)request * (size_t)program->parts;
    vrs_status status = VRS_OK;
    for (int32_t k = 0; k * program->batch < batch && status == VRS_OK; k++) {
        status = launch(&engine->net, parts[k], stream);
        *queued = *queued || status == VRS_OK;
    }
    return status;
}

static vrs_status cuda_enqueue(vrs_request *request, int32_t batch, vrs_device_stream *stream)
{
    vrs_cuda_engine *engine = engine_of(request);
    bool queued = false;
    vrs_mutex_lock(&engine->mutex);
    vrs_status status = vrs_device_stream_wait(stream, engine->busy);
    if (status == VRS_OK)
        status = launch_parts(engine, own(request)->index, batch, stream, &queued);
    if (queued) {
        vrs_status marked = mark_busy(engine, stream);
        status = status == VRS_OK ? marked : status;
    }
    vrs_mutex_unlock(&engine->mutex);
    snprintf(request->error, sizeof request->error, "%s", status == VRS_OK ? "" : vrs_last_error());
    return status;
}

static int32_t bits_of(const vrs_net_conv_choice *choice)
{
    return choice->plan ? 8 * (int32_t)vrs_net_type_bytes(choice->conv.in_type) : 0;
}

static void visit_program(vrs_net *net, const vrs_net_program *program, vrs_engine_node_fn visit,
                          void *opaque)
{
    const vrs_graph *g = net->graph;
    for (int32_t n = 0; n < g->node_count; n++) {
        const vrs_net_conv_choice *choice = &program->convs[n];
        if (!vrs_net_runs(net, program, n))
            continue;
        char does[160], plan[160];
        vrs_node_describe(g, n, does, sizeof does);
        const vrs_conv_plan *by = choice->joined ? choice->joined : choice->plan;
        snprintf(plan, sizeof plan, "%s%s%s", by ? by->provider->name : "own", by ? " " : "",
                 by ? by->name : "");
        vrs_cost cost = vrs_node_cost(g, n);
        for (int32_t i = 0; i < choice->other_count; i++) {
            vrs_cost other = vrs_node_cost(g, choice->others[i]);
            cost.flops += other.flops;
            cost.out += other.out;
            cost.constant += other.constant;
        }
        double size = (double)vrs_net_type_bytes(vrs_net_type_of(net, VRS_DTYPE_F32));
        const vrs_engine_node node = {.batch = program->batch,
                                      .name = g->nodes[n].name,
                                      .does = does,
                                      .plan = plan,
                                      .fused = g->nodes[n].source_count,
                                      .micros = program->micros[n],
                                      .flops = cost.flops,
                                      .bytes = (cost.in + cost.out + cost.constant) * size,
                                      .tensor_cores = choice->plan && choice->plan->tensor_cores,
                                      .bits = bits_of(choice)};
        visit(opaque, &node);
    }
}

static void cuda_visit_nodes(vrs_engine *base, vrs_engine_node_fn visit, void *opaque)
{
    vrs_net *net = &((vrs_cuda_engine *)base)->net;
    for (int32_t p = 0; p < net->program_count; p++)
        if (net->programs[p].parts > 0 && vrs_net_time_nodes(net, &net->programs[p]) == VRS_OK)
            visit_program(net, &net->programs[p], visit, opaque);
}

static void cuda_get_effort(const vrs_engine *base, vrs_engine_effort *effort)
{
    const vrs_net *net = &((const vrs_cuda_engine *)base)->net;
    *effort = net->effort;
    for (int32_t p = 0; p < net->program_count; p++)
        effort->beside += net->programs[p].beside ? 1 : 0;
}

static vrs_status cuda_verify(vrs_engine *base, int32_t batch, uint64_t seed,
                              vrs_engine_check_fn visit, void *opaque)
{
    vrs_cuda_engine *engine = (vrs_cuda_engine *)base;
    for (int32_t p = 0; p < engine->net.program_count; p++) {
        if (engine->net.programs[p].batch == batch && engine->net.programs[p].parts > 0) {
            return vrs_net_verify(&engine->net, &engine->net.programs[p], engine->ports, seed,
                                  visit, opaque);
        }
    }
    return vrs_fail(VRS_UNSUPPORTED, "the network is not compiled for %d views", batch);
}

const vrs_engine_ops vrs_engine_cuda = {
    .name = "cuda",
    .precisions = VRS_PRECISION_BIT(F32) | VRS_PRECISION_BIT(TF32) | VRS_PRECISION_BIT(F16) |
                  VRS_PRECISION_BIT(INT8),
    .on_device = true,
    .wants_weights = true,
    .create = cuda_create,
    .destroy = cuda_destroy,
    .request = cuda_request_at,
    .input = cuda_input,
    .scores = cuda_scores,
    .state_in = cuda_state_in,
    .state_out = cuda_state_out,
    .enqueue = cuda_enqueue,
    .limit_batch = vrs_cuda_limit_batch,
    .get_effort = cuda_get_effort,
    .visit_nodes = cuda_visit_nodes,
    .count_nodes = vrs_cuda_count_nodes,
    .verify = cuda_verify,
};
