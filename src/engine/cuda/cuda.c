/* The engine of our own: networks on an NVIDIA GPU, in cuDNN's and our own kernels, as CUDA graphs.
 *
 * A request has memory of its own for what goes in and comes out. Weights, activations and
 * workspace are one for all: runs of all requests follow each other on the device, by an event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/thread.h"
#include "engine/backend.h"
#include "engine/cuda/cudnn.h"
#include "engine/cuda/network.h"
#include "vrseg/log.h"
#include "vrseg/system.h"

/* Raised when the same candidates mean something else, or nodes are counted otherwise. */
#define PLANS_VERSION 1

typedef struct cuda_request {
    vrs_request base;
    int32_t index;
    vrs_memory_block *block;
} cuda_request;

typedef struct cuda_engine {
    vrs_engine base;
    vrs_net net;
    cuda_request *requests;
    vrs_net_ports *ports; /* of each request */
    vrs_mutex mutex;      /* of `busy` */
    bool has_mutex;
    vrs_device_event *busy; /* the last run that was queued */
} cuda_engine;

static cuda_engine *engine_of(const vrs_request *request)
{
    return (cuda_engine *)request->engine;
}

static const cuda_request *own(const vrs_request *request)
{
    return (const cuda_request *)request;
}

/* --- what goes in and comes out --- */

static void describe_input(const vrs_net *net, vrs_engine_io *io)
{
    const vrs_net_form *form = &net->forms[net->input];
    bool half = form->type == VRS_NET_F16;
    size_t pixels = (size_t)net->spec->width * (size_t)net->spec->height;
    if (form->port == VRS_NET_COPIED) {
        io->tensor = net->spec->nhwc_input ? VRS_TENSOR_F32_NHWC : VRS_TENSOR_F32_NCHW;
        io->input_bytes = pixels * 3 * sizeof(float);
        return;
    }
    io->tensor = form->s2d ? half ? VRS_TENSOR_F16_S2D : VRS_TENSOR_F32_S2D
                 : half    ? VRS_TENSOR_F16_NHWC
                           : VRS_TENSOR_F32_NHWC;
    io->channels = form->pitch;
    io->input_bytes = vrs_net_value_bytes(net, net->input) / (size_t)net->graph->batch;
}

static void describe_scores(const vrs_net *net, vrs_engine_io *io)
{
    const vrs_value *v = &net->graph->values[net->scores];
    bool picture = net->forms[net->scores].picture, last = net->spec->nhwc_output != 0;
    int32_t channel = last ? 3 : 1, row = last ? 1 : 2, column = last ? 2 : 3;
    ptrdiff_t strides[4];
    strides[3] = picture ? (ptrdiff_t)v->dims[1] : 1;
    strides[2] = strides[3] * (ptrdiff_t)v->dims[3];
    strides[1] = picture ? 1 : strides[2] * (ptrdiff_t)v->dims[2];
    io->classes = (int32_t)v->dims[channel];
    io->scores_height = (int32_t)v->dims[row];
    io->scores_width = (int32_t)v->dims[column];
    io->class_stride = strides[channel];
    io->row_stride = strides[row];
    io->column_stride = strides[column];
    io->scores_type = VRS_TENSOR_F32;
    io->scores_elements = (size_t)(v->dims[1] * v->dims[2] * v->dims[3]);
    io->enlarge = net->enlarge;
    io->enlarge_rule = net->enlarge_rule;
}

static void describe_io(const vrs_net *net, vrs_engine_io *io)
{
    io->on_device = true;
    describe_input(net, io);
    describe_scores(net, io);
    io->state_count = net->spec->state_count;
    for (int32_t i = 0; i < io->state_count; i++) {
        const vrs_value *v = &net->graph->values[net->state_in[i]];
        io->states[i].elements = (size_t)(v->dims[1] * v->dims[2] * v->dims[3]);
    }
}

static size_t aligned(size_t bytes)
{
    return (bytes + VRS_NET_ALIGN - 1) / VRS_NET_ALIGN * VRS_NET_ALIGN;
}

static vrs_device_ptr cut(vrs_device_ptr *next, size_t bytes)
{
    vrs_device_ptr at = *next;
    *next += aligned(bytes);
    return at;
}

/* Lays the ports of a request out from `base` on; returns the bytes. */
static size_t lay_ports(const cuda_engine *engine, vrs_device_ptr base, vrs_net_ports *ports)
{
    const vrs_engine_io *io = &engine->base.io;
    size_t views = (size_t)engine->base.params.max_batch;
    vrs_device_ptr next = base;
    ports->input = cut(&next, views * io->input_bytes);
    ports->scores = cut(&next, views * io->scores_elements * sizeof(float));
    for (int32_t i = 0; i < io->state_count; i++) {
        ports->state_in[i] = cut(&next, views * io->states[i].elements * sizeof(float));
        ports->state_out[i] = cut(&next, views * io->states[i].elements * sizeof(float));
    }
    return (size_t)(next - base);
}

static vrs_status make_requests(cuda_engine *engine)
{
    size_t count = (size_t)engine->base.params.requests;
    engine->requests = vrs_alloc_array(count, sizeof *engine->requests);
    engine->ports = vrs_alloc_array(count, sizeof *engine->ports);
    if (!engine->requests || !engine->ports) {
        return VRS_NO_MEMORY;
    }
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < count && status == VRS_OK; i++) {
        cuda_request *request = &engine->requests[i];
        request->base.engine = &engine->base;
        request->index = (int32_t)i;
        size_t bytes = lay_ports(engine, 0, &engine->ports[i]);
        status = vrs_memory_alloc(engine->net.memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TENSORS,
                                  bytes, &request->block);
        if (status == VRS_OK) {
            (void)lay_ports(engine, request->block->address, &engine->ports[i]);
            /* Views behind a batch are computed too: of something that is a number. */
            status = vrs_device_fill(engine->net.stream, request->block->address, 0, bytes);
        }
    }
    return status == VRS_OK ? vrs_net_settle(&engine->net) : status;
}

/* --- making --- */

/* The shapes that the descriptor fixes where the file leaves them open. */
static vrs_status load_graph(vrs_net *net, const char *path)
{
    const vrs_model_spec *s = net->spec;
    vrs_graph_shape shapes[1 + VRS_MAX_STATES] = {0};
    const char *outputs[1 + VRS_MAX_STATES] = {s->output};
    shapes[0] =
        (vrs_graph_shape){.input = s->input, .rank = 4, .dims = {0, 3, s->height, s->width}};
    if (s->nhwc_input) {
        shapes[0] =
            (vrs_graph_shape){.input = s->input, .rank = 4, .dims = {0, s->height, s->width, 3}};
    }
    for (int32_t i = 0; i < s->state_count; i++) {
        const vrs_model_state *state = &s->states[i];
        shapes[1 + i] = (vrs_graph_shape){
            .input = state->input,
            .rank = 4,
            .dims = {0, state->channels, (s->height + state->divisor - 1) / state->divisor,
                     (s->width + state->divisor - 1) / state->divisor}};
        outputs[1 + i] = state->output;
    }
    const vrs_graph_options options = {.shapes = shapes,
                                       .shape_count = 1 + s->state_count,
                                       .outputs = outputs,
                                       .output_count = *s->output ? 1 + s->state_count : 0,
                                       .free_batch = true};
    vrs_status status = vrs_graph_load(path, &options, &net->graph);
    if (status == VRS_OK) {
        status = vrs_graph_optimise(net->graph, VRS_PASS_ALL);
    }
    return status == VRS_OK ? vrs_net_unquantise(net) : status;
}

/* Who runs convolutions here. A GPU without cuDNN is refused, for it would be slow beyond use;
 * tests say that they want none. */
static vrs_status open_providers(vrs_net *net)
{
    static const vrs_conv_provider *const all[] = {&vrs_conv_tiles, &vrs_conv_cudnn,
                                                   &vrs_conv_direct};
    const char *named = getenv("VRSEG_CUDNN_LIBRARY");
    bool none = named && strcmp(named, "none") == 0;
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && status == VRS_OK; i++) {
        net->providers[net->provider_count++] = all[i];
        if (!(none && all[i] == &vrs_conv_cudnn)) {
            status = all[i]->open(net->device, &net->states[i]);
            net->has_cudnn = net->has_cudnn || (status == VRS_OK && all[i] == &vrs_conv_cudnn);
        }
        bool extra = all[i] != &vrs_conv_cudnn && all[i] != &vrs_conv_direct;
        if (extra && (status == VRS_UNSUPPORTED || status == VRS_MISSING)) {
            vrs_log(VRS_LOG_DEBUG, "no convolutions by %s: %s", all[i]->name, vrs_last_error());
            status = VRS_OK;
        }
    }
    return status;
}

static vrs_status open_device(vrs_net *net)
{
    net->api = vrs_cuda_api(net->device);
    if (!net->api) {
        return vrs_fail(VRS_INVALID, "the engine cuda runs on a GPU, not on the device %s",
                        vrs_device_get_properties(net->device)->id);
    }
    vrs_status status = vrs_net_open(net->device, &net->kernels);
    if (status == VRS_OK) {
        status = vrs_device_stream_create(net->device, VRS_PRIORITY_NORMAL, &net->stream);
    }
    if (status == VRS_OK) {
        status = vrs_device_event_create(net->device, true, &net->begin);
    }
    return status == VRS_OK ? vrs_device_event_create(net->device, true, &net->end) : status;
}

static void add_batch(int32_t batch, int32_t *batches, int32_t *count)
{
    for (int32_t i = 0; i < *count; i++) {
        if (batches[i] == batch) {
            return;
        }
    }
    batches[(*count)++] = batch;
}

/* The largest comes first; then those that are asked for, or powers of two. */
static int32_t list_batches(const vrs_engine_params *params, int32_t batches[VRS_NET_SIZES])
{
    int32_t count = 0;
    add_batch(params->max_batch, batches, &count);
    for (int32_t i = 0; i < 16 && params->batches[i] > 0 && count < VRS_NET_SIZES; i++) {
        add_batch(params->batches[i], batches, &count);
    }
    for (int32_t n = 8; n >= 1 && params->batches[0] == 0; n /= 2) {
        if (n < params->max_batch) {
            add_batch(n, batches, &count);
        }
    }
    return count;
}

/* A number of the file's bytes, so that another network has other plans. Not against malice:
 * whoever may change the network need not change the plans. */
static vrs_status number_file(const char *path, uint64_t number[2], size_t *bytes)
{
    char *data;
    vrs_status status = vrs_file_read(path, SIZE_MAX / 2, &data, bytes);
    if (status != VRS_OK) {
        return status;
    }
    number[0] = 0x9e3779b97f4a7c15u;
    number[1] = *bytes;
    for (size_t i = 0; i < *bytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, data + i, *bytes - i < 8 ? *bytes - i : 8);
        number[0] = (number[0] ^ word) * 0xff51afd7ed558ccdu;
        number[1] = (number[1] + word + (number[0] >> 29)) * 0xc4ceb9fe1a85ec53u;
    }
    vrs_free(data);
    return VRS_OK;
}

/* Everything that the choice of plans depends on. */
static vrs_status make_key(const cuda_engine *engine, const char *path, char key[VRS_PLANS_KEY])
{
    const vrs_net *net = &engine->net;
    const vrs_device_properties *p = vrs_device_get_properties(net->device);
    uint64_t number[2] = {0};
    size_t bytes;
    const vrs_dnn_api *api;
    int64_t library = 0;
    vrs_status status = number_file(path, number, &bytes);
    if (net->has_cudnn && status == VRS_OK) {
        status = vrs_dnn_library(&api, &library);
    }
    (void)snprintf(key, VRS_PLANS_KEY,
                   "%s, %s, %s, compute capability %d.%d, CUDA %d, cuDNN %d, vrseg %s.%d, "
                   "network %016llx%016llx of %zu bytes, scores %d, input %d",
                   net->graph->name, vrs_precision_name(net->precision), p->name, p->major,
                   p->minor, (int)p->driver_version, (int)library, vrs_version(), PLANS_VERSION,
                   (unsigned long long)number[0], (unsigned long long)number[1], bytes,
                   net->small_scores, net->float_input);
    return status;
}

static void read_plans(vrs_net *net, const char *folder, const char *key)
{
    vrs_status status = vrs_plans_read(folder, key, &net->cached);
    if (status != VRS_OK && status != VRS_NOT_FOUND) {
        vrs_log(VRS_LOG_WARNING, "%s: %s; it is compiled anew", net->graph->name, vrs_last_error());
    }
}

/* A cache that cannot be written costs time alone. */
static void write_plans(const vrs_net *net, const char *folder, const char *key)
{
    vrs_plans *plans;
    vrs_status status = vrs_net_collect(net, key, &plans);
    if (status == VRS_OK) {
        status = vrs_plans_write(folder, plans);
        vrs_plans_destroy(plans);
    }
    if (status != VRS_OK) {
        vrs_log(VRS_LOG_WARNING, "%s: its plans are not kept: %s", net->graph->name,
                vrs_last_error());
    }
}

static vrs_status compile_cached(cuda_engine *engine, const char *path, const int32_t *batches,
                                 int32_t count)
{
    vrs_net *net = &engine->net;
    char folder[VRS_PATH_MAX], key[VRS_PLANS_KEY];
    const char *cache = engine->base.params.cache_dir;
    vrs_status status = VRS_OK;
    if (cache) {
        status = vrs_path_format(folder, sizeof folder, "%s/plans", cache);
        status = status == VRS_OK ? make_key(engine, path, key) : status;
    }
    if (cache && status == VRS_OK) {
        read_plans(net, folder, key);
    }
    if (status == VRS_OK) {
        status = vrs_net_compile(net, batches, count, engine->ports, engine->base.params.requests);
    }
    if (cache && status == VRS_OK && (!net->cached || net->chosen > 0)) {
        write_plans(net, folder, key);
    }
    return status;
}

static vrs_status compile(cuda_engine *engine, const char *path)
{
    vrs_net *net = &engine->net;
    int32_t batches[VRS_NET_SIZES];
    int32_t count = list_batches(&engine->base.params, batches);
    vrs_status status = vrs_memory_measure_begin(net->memory, VRS_MEMORY_LIBRARIES, 0);
    if (status != VRS_OK) {
        return status;
    }
    status = open_providers(net);
    if (status == VRS_OK) {
        status = compile_cached(engine, path, batches, count);
    }
    vrs_status booked = vrs_memory_measure_end(net->memory, NULL);
    return status == VRS_OK ? booked : status;
}

static vrs_status build(cuda_engine *engine, const vrs_model *model)
{
    const vrs_engine_params *params = &engine->base.params;
    vrs_net *net = &engine->net;
    *net =
        (vrs_net){.device = params->device,
                  .memory = params->memory,
                  .spec = vrs_model_get_spec(model),
                  .precision = params->precision,
                  .small_scores = params->small_scores,
                  .progress = params->progress,
                  .progress_opaque = params->progress_opaque,
                  .float_input = params->float_input,
                  .workers = params->threads < VRS_NET_WORKERS ? params->threads : VRS_NET_WORKERS};
    vrs_status status = vrs_mutex_init(&engine->mutex);
    engine->has_mutex = status == VRS_OK;
    if (status == VRS_OK) {
        status = open_device(net);
    }
    if (status == VRS_OK) {
        status = vrs_device_event_create(net->device, false, &engine->busy);
    }
    const char *path = vrs_model_get_info(model).weights_path;
    if (status == VRS_OK) {
        status = load_graph(net, path);
    }
    if (status == VRS_OK) {
        status = vrs_net_form_values(net);
    }
    if (status != VRS_OK) {
        return status;
    }
    describe_io(net, &engine->base.io);
    status = make_requests(engine);
    return status == VRS_OK ? compile(engine, path) : status;
}

static void close_providers(vrs_net *net)
{
    for (int32_t i = 0; i < net->provider_count; i++) {
        for (int32_t w = 0; w < VRS_NET_WORKERS; w++) {
            if (net->worker_states[i][w]) {
                net->providers[i]->close(net->worker_states[i][w]);
            }
        }
        if (net->states[i]) {
            net->providers[i]->close(net->states[i]);
        }
    }
}

/* The memory manager frees after the work that uses it. A lost device has no more work. */
static void wait_for_all(cuda_engine *engine)
{
    vrs_net *net = &engine->net;
    vrs_status status = engine->busy ? vrs_device_event_wait(engine->busy) : VRS_OK;
    if (status == VRS_OK && net->stream && net->end) {
        status = vrs_net_settle(net);
    }
    (void)status;
}

/* Plans and handles of libraries, whose memory is booked back as it was booked. */
static void close_libraries(vrs_net *net, int32_t requests)
{
    bool booked = net->provider_count > 0 &&
                  vrs_memory_measure_begin(net->memory, VRS_MEMORY_LIBRARIES, 0) == VRS_OK;
    vrs_net_free_programs(net, requests);
    close_providers(net);
    if (booked) {
        vrs_status status = vrs_memory_measure_end(net->memory, NULL);
        (void)status; /* still over the budget: by others */
    }
}

static void cuda_destroy(vrs_engine *base)
{
    cuda_engine *engine = (cuda_engine *)base;
    vrs_net *net = &engine->net;
    int32_t requests = base->params.requests;
    wait_for_all(engine);
    close_libraries(net, requests);
    vrs_net_free_constants(net);
    vrs_plans_destroy(net->cached);
    vrs_memory_free(net->memory, net->workspace);
    vrs_arena_destroy(net->arena);
    for (int32_t i = 0; engine->requests && i < requests; i++) {
        vrs_memory_free(net->memory, engine->requests[i].block);
    }
    vrs_free(engine->requests);
    vrs_free(engine->ports);
    vrs_graph_destroy(net->graph);
    for (int32_t i = 0; i < net->range_count; i++) {
        vrs_free(net->ranges[i].name);
    }
    vrs_free(net->ranges);
    vrs_free(net->forms);
    vrs_free(net->roles);
    vrs_device_event_destroy(engine->busy);
    vrs_device_event_destroy(net->begin);
    vrs_device_event_destroy(net->end);
    vrs_device_stream_destroy(net->stream);
    if (engine->has_mutex) {
        vrs_mutex_destroy(&engine->mutex);
    }
    vrs_free(engine);
}

static void name_engine(cuda_engine *engine)
{
    char library[48] = "no cuDNN", version[32];
    if (engine->net.has_cudnn && vrs_cudnn_info(version, sizeof version) == VRS_OK) {
        snprintf(library, sizeof library, "cuDNN %s", version);
    }
    snprintf(engine->base.description, sizeof engine->base.description, "cuda, %s, %s%s", library,
             vrs_precision_name(engine->base.params.precision),
             engine->net.cached && engine->net.chosen == 0 ? ", from cache" : "");
}

static vrs_status cuda_create(const vrs_model *model, const vrs_engine_params *params,
                              vrs_engine **result)
{
    cuda_engine *engine = vrs_alloc(sizeof *engine);
    if (!engine) {
        return VRS_NO_MEMORY;
    }
    engine->base.ops = &vrs_engine_cuda;
    engine->base.params = *params;
    vrs_status status = build(engine, model);
    engine->base.params.cache_dir = NULL; /* the caller's text */
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
    return &((cuda_engine *)engine)->requests[index].base;
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

/* The smallest compiled size that holds the batch: the largest always does. */
static const vrs_net_program *program_for(const vrs_net *net, int32_t batch)
{
    const vrs_net_program *best = &net->programs[0];
    for (int32_t i = 1; i < net->program_count; i++) {
        bool holds = net->programs[i].batch >= batch;
        best = holds && net->programs[i].batch < best->batch ? &net->programs[i] : best;
    }
    return best;
}

static vrs_status launch(vrs_net *net, vrs_cu_graph_exec exec, vrs_device_stream *stream)
{
    vrs_status status = vrs_device_enter(net->device);
    if (status != VRS_OK) {
        return status;
    }
    vrs_cu_result result = net->api->graph_launch(exec, vrs_device_stream_handle(stream));
    vrs_device_leave(net->device);
    return vrs_cuda_check(net->device, result, "cannot run the network");
}

/* Without this event the next run would share the activations of this one: tried twice, then the
 * device counts as lost. */
static vrs_status mark_busy(cuda_engine *engine, vrs_device_stream *stream)
{
    vrs_status status = vrs_device_event_record(engine->busy, stream);
    if (status != VRS_OK && status != VRS_DEVICE_LOST) {
        status = vrs_device_event_record(engine->busy, stream);
    }
    if (status != VRS_OK) {
        vrs_device_set_lost(engine->net.device, vrs_last_error());
    }
    return status;
}

static vrs_status cuda_enqueue(vrs_request *request, int32_t batch, vrs_device_stream *stream)
{
    cuda_engine *engine = engine_of(request);
    const vrs_net_program *program = program_for(&engine->net, batch);
    vrs_mutex_lock(&engine->mutex);
    vrs_status status = vrs_device_stream_wait(stream, engine->busy);
    if (status == VRS_OK) {
        status = launch(&engine->net, program->execs[own(request)->index], stream);
    }
    if (status == VRS_OK) {
        status = mark_busy(engine, stream);
    }
    vrs_mutex_unlock(&engine->mutex);
    snprintf(request->error, sizeof request->error, "%s", status == VRS_OK ? "" : vrs_last_error());
    return status;
}

static void visit_program(vrs_net *net, const vrs_net_program *program, vrs_engine_node_fn visit,
                          void *opaque)
{
    const vrs_graph *g = net->graph;
    for (int32_t n = 0; n < g->node_count; n++) {
        const vrs_net_conv_choice *choice = &program->convs[n];
        if (!vrs_net_runs(net, program, n)) {
            continue;
        }
        char does[160], plan[160];
        vrs_node_describe(g, n, does, sizeof does);
        snprintf(plan, sizeof plan, "%s%s%s", choice->plan ? choice->plan->provider->name : "own",
                 choice->plan ? " " : "", choice->plan ? choice->plan->name : "");
        vrs_cost cost = vrs_node_cost(g, n);
        double size = (double)vrs_net_type_bytes(vrs_net_type_of(net, VRS_DTYPE_F32));
        const vrs_engine_node node = {.batch = program->batch,
                                      .name = g->nodes[n].name,
                                      .does = does,
                                      .plan = plan,
                                      .fused = g->nodes[n].source_count,
                                      .micros = program->micros[n],
                                      .flops = cost.flops,
                                      .bytes = (cost.in + cost.out + cost.constant) * size,
                                      .tensor_cores = choice->plan && choice->plan->tensor_cores};
        visit(opaque, &node);
    }
}

static void cuda_visit_nodes(vrs_engine *base, vrs_engine_node_fn visit, void *opaque)
{
    vrs_net *net = &((cuda_engine *)base)->net;
    for (int32_t p = 0; p < net->program_count; p++) {
        if (vrs_net_time_nodes(net, &net->programs[p]) == VRS_OK) {
            visit_program(net, &net->programs[p], visit, opaque);
        }
    }
}

static vrs_status cuda_verify(vrs_engine *base, int32_t batch, uint64_t seed,
                              vrs_engine_check_fn visit, void *opaque)
{
    cuda_engine *engine = (cuda_engine *)base;
    for (int32_t p = 0; p < engine->net.program_count; p++) {
        if (engine->net.programs[p].batch == batch) {
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
    .create = cuda_create,
    .destroy = cuda_destroy,
    .request = cuda_request_at,
    .input = cuda_input,
    .scores = cuda_scores,
    .state_in = cuda_state_in,
    .state_out = cuda_state_out,
    .enqueue = cuda_enqueue,
    .visit_nodes = cuda_visit_nodes,
    .verify = cuda_verify,
};
