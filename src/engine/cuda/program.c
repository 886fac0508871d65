/* Batch sizes of a network: the plan of its memory, its convolutions' plans, its graphs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/cuda/network.h"

#define TIMED_REPLAYS 4

/* Batches of more views fill a GPU node by node. */
#define BESIDE_MOST 2

/* The least that branches beside each other must gain. */
#define FASTER 0.98

/* --- graphs --- */

/* Captures what `queue` queues `runs` times. */
static vrs_status capture(vrs_net *net, vrs_net_queue_fn queue, void *opaque, int32_t runs,
                          vrs_cu_graph_exec *exec)
{
    vrs_cu_stream stream = vrs_device_stream_handle(net->stream);
    vrs_cu_graph graph = NULL;
    vrs_status status = vrs_device_enter(net->device);
    if (status != VRS_OK)
        return status;
    status =
        vrs_cuda_check(net->device, net->api->capture_begin(stream, VRS_CU_CAPTURE_THREAD_LOCAL),
                       "cannot record a network");
    if (status == VRS_OK) {
        for (int32_t i = 0; i < runs && status == VRS_OK; i++)
            status = queue(opaque, net->stream);
        vrs_cu_result result = net->api->capture_end(stream, &graph);
        if (status == VRS_OK)
            status = vrs_cuda_check(net->device, result, "cannot record a network");
    }
    if (status == VRS_OK) {
        status = vrs_cuda_check(net->device, net->api->graph_instantiate(exec, graph, 0),
                                "cannot make a graph of a network");
    }
    if (graph)
        (void)net->api->graph_destroy(graph);
    vrs_device_leave(net->device);
    return status;
}

static vrs_status launch(vrs_net *net, vrs_cu_graph_exec exec)
{
    vrs_status status = vrs_device_enter(net->device);
    if (status != VRS_OK)
        return status;
    vrs_cu_result result = net->api->graph_launch(exec, vrs_device_stream_handle(net->stream));
    vrs_device_leave(net->device);
    return vrs_cuda_check(net->device, result, "cannot launch a network");
}

static void destroy_exec(vrs_net *net, vrs_cu_graph_exec exec)
{
    if (exec && vrs_conv_enter_again(net->device)) {
        (void)net->api->graph_exec_destroy(exec);
        vrs_device_leave(net->device);
    }
}

/* Of what takes so long a run by itself says enough. */
#define LONG_MICROS 2000.0

static vrs_status time_once(vrs_net *net, vrs_net_queue_fn queue, void *opaque, double *micros)
{
    double ms = 0;
    vrs_status status = vrs_device_event_record(net->begin, net->stream);
    if (status == VRS_OK)
        status = queue(opaque, net->stream);
    if (status == VRS_OK)
        status = vrs_net_settle(net);
    if (status == VRS_OK)
        status = vrs_device_event_elapsed(net->begin, net->end, &ms);
    *micros = ms * 1000;
    return status;
}

vrs_status vrs_net_time(vrs_net *net, vrs_net_queue_fn queue, void *opaque, int32_t runs,
                        double *micros)
{
    vrs_cu_graph_exec exec = NULL;
    double least = INFINITY, once = 0;
    /* Outside of a recording first: libraries load what they need. */
    vrs_status status = queue(opaque, net->stream);
    if (status == VRS_OK)
        status = vrs_net_settle(net);
    if (status == VRS_OK && runs > 1)
        status = time_once(net, queue, opaque, &once);
    if (status != VRS_OK || once >= LONG_MICROS) {
        *micros = once;
        return status;
    }
    status = capture(net, queue, opaque, runs, &exec);
    for (int i = 0; i < TIMED_REPLAYS && status == VRS_OK; i++) {
        double ms = 0;
        status = vrs_device_event_record(net->begin, net->stream);
        if (status == VRS_OK)
            status = launch(net, exec);
        if (status == VRS_OK)
            status = vrs_net_settle(net);
        if (status == VRS_OK)
            status = vrs_device_event_elapsed(net->begin, net->end, &ms);
        least = ms < least ? ms : least;
    }
    destroy_exec(net, exec);
    *micros = least * 1000 / runs;
    return status;
}

/* --- memory --- */

static vrs_status plan_memory(vrs_net *net, vrs_net_program *program)
{
    const vrs_graph *g = net->graph;
    vrs_arena_request *requests = vrs_alloc_array((size_t)g->value_count, sizeof *requests);
    if (!requests)
        return VRS_NO_MEMORY;
    for (int32_t v = 0; v < g->value_count; v++) {
        const vrs_net_form *form = &net->forms[v];
        bool place = !g->values[v].data && !form->unused && form->port != VRS_NET_DIRECT;
        bool inside = form->inside != VRS_NET_NOBODY;
        requests[v] = (vrs_arena_request){
            .bytes = place ? vrs_net_value_bytes(net, v) : 0,
            .inside = inside ? form->inside : VRS_NO_VALUE,
            .offset = inside ? (size_t)form->offset * vrs_net_type_bytes(form->type) : 0,
        };
    }
    vrs_status status = vrs_graph_arena_plan(g, requests, NULL, &program->arena);
    vrs_free(requests);
    return status;
}

size_t vrs_net_arena_bytes(const vrs_net_program *program)
{
    return program->arena->bytes + VRS_NET_ALIGN;
}

/* Memory for the program, which is the largest where it is the first; addresses of its values. */
static vrs_status place_values(vrs_net *net, vrs_net_program *program)
{
    const vrs_graph *g = net->graph;
    size_t bytes = vrs_net_arena_bytes(program);
    vrs_status status = VRS_OK;
    if (!net->arena)
        status = vrs_arena_create(net->memory, VRS_MEMORY_ARENA, bytes, &net->arena);
    if (status == VRS_OK && vrs_arena_bytes(net->arena) < bytes) {
        status = vrs_arena_resize(net->arena, bytes);
        if (status == VRS_OK) { /* for what is timed */
            status =
                vrs_device_fill(net->stream, vrs_arena_address(net->arena), VRS_NET_SMALL, bytes);
        }
    }
    for (int32_t v = 0; v < g->value_count && status == VRS_OK; v++) {
        size_t offset = program->arena->offsets[v];
        program->at[v] = offset == VRS_NO_PLACE ? 0 : vrs_arena_address(net->arena) + offset;
    }
    return status;
}

void vrs_net_connect(const vrs_net *net, vrs_net_program *program, const vrs_net_ports *ports)
{
    if (net->forms[net->input].port == VRS_NET_DIRECT)
        program->at[net->input] = ports->input;
    if (net->forms[net->scores].port == VRS_NET_DIRECT)
        program->at[net->scores] = ports->scores;
}

/* --- programs --- */

vrs_status vrs_net_queue_all(vrs_net *net, const vrs_net_program *program,
                             const vrs_net_ports *ports, vrs_device_stream *stream)
{
    vrs_status status = vrs_net_queue_ports(net, program, ports, true, stream);
    if (program->beside && status == VRS_OK)
        status = vrs_net_queue_branches(net, program, stream);
    for (int32_t n = 0; n < net->graph->node_count && status == VRS_OK && !program->beside; n++)
        status = vrs_net_queue_node(net, program, n, stream);
    return status == VRS_OK ? vrs_net_queue_ports(net, program, ports, false, stream) : status;
}

typedef struct run {
    vrs_net *net;
    vrs_net_program *program;
    const vrs_net_ports *ports;
} run;

static vrs_status queue_run(void *opaque, vrs_device_stream *stream)
{
    const run *r = opaque;
    return vrs_net_queue_all(r->net, r->program, r->ports, stream);
}

typedef struct node_run {
    vrs_net *net;
    const vrs_net_program *program;
    int32_t node;
} node_run;

static vrs_status queue_one(void *opaque, vrs_device_stream *stream)
{
    const node_run *r = opaque;
    return vrs_net_queue_node(r->net, r->program, r->node, stream);
}

vrs_status vrs_net_time_node(vrs_net *net, const vrs_net_program *program, int32_t node,
                             double *micros)
{
    node_run r = {net, program, node};
    return vrs_net_time(net, queue_one, &r, VRS_NET_TIMED_RUNS, micros);
}

vrs_status vrs_net_time_nodes(vrs_net *net, vrs_net_program *program)
{
    vrs_status status = vrs_graph_infer(net->graph, program->batch);
    for (int32_t n = 0; n < net->graph->node_count && status == VRS_OK; n++)
        if (program->micros[n] <= 0 && vrs_net_runs(net, program, n))
            status = vrs_net_time_node(net, program, n, &program->micros[n]);
    return status;
}

static vrs_status make_program(vrs_net *net, int32_t batch, const vrs_net_ports *ports)
{
    const vrs_graph *g = net->graph;
    vrs_net_program *program = &net->programs[net->program_count++];
    program->batch = batch;
    program->at = vrs_alloc_array((size_t)g->value_count, sizeof *program->at);
    program->convs = vrs_alloc_array((size_t)g->node_count + 1, sizeof *program->convs);
    program->micros = vrs_alloc_array((size_t)g->node_count + 1, sizeof *program->micros);
    if (!program->at || !program->convs || !program->micros)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_graph_infer(net->graph, batch);
    if (status == VRS_OK)
        status = plan_memory(net, program);
    if (status == VRS_OK)
        status = place_values(net, program);
    if (status != VRS_OK)
        return status;
    vrs_net_connect(net, program, ports);
    return vrs_net_choose(net, program);
}

/* --- graphs of a program --- */

int32_t vrs_net_parts(const vrs_net *net, const vrs_net_program *program)
{
    int32_t most = net->programs[0].batch; /* the largest comes first */
    return (most + program->batch - 1) / program->batch;
}

int32_t vrs_net_part_begins(const vrs_net *net, const vrs_net_program *program, int32_t part)
{
    int32_t last = net->programs[0].batch - program->batch, begin = part * program->batch;
    return begin < last ? begin : last;
}

void vrs_net_destroy_execs(vrs_net *net, vrs_cu_graph_exec *execs, int32_t count)
{
    for (int32_t i = 0; execs && i < count; i++)
        destroy_exec(net, execs[i]);
    vrs_free(execs);
}

/* One part of one request. */
static vrs_status capture_part(vrs_net *net, vrs_net_program *program, const vrs_net_ports *ports,
                               vrs_cu_graph_exec *exec)
{
    run r = {.net = net, .program = program, .ports = ports};
    vrs_net_connect(net, program, ports);
    return capture(net, queue_run, &r, 1, exec);
}

vrs_status vrs_net_capture(vrs_net *net, vrs_net_program *program, const vrs_net_owner *owner,
                           int32_t parts, vrs_cu_graph_exec **result)
{
    int32_t count = owner->requests * parts;
    vrs_cu_graph_exec *execs = vrs_alloc_array((size_t)count, sizeof(void *));
    *result = NULL;
    if (!execs)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_graph_infer(net->graph, program->batch);
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        const vrs_net_ports ports =
            owner->ports(owner->opaque, i / parts, vrs_net_part_begins(net, program, i % parts));
        status = capture_part(net, program, &ports, &execs[i]);
    }
    if (status != VRS_OK) {
        vrs_net_destroy_execs(net, execs, count);
        return status;
    }
    *result = execs;
    return VRS_OK;
}

/* Whether branches beside each other are worth their events: timed with all that is queued. */
static vrs_status choose_branches(vrs_net *net, vrs_net_program *program,
                                  const vrs_net_ports *ports)
{
    run r = {.net = net, .program = program, .ports = ports};
    double micros[2] = {0, 0};
    program->beside = program->lanes > 1;
    if (!program->beside || net->branches == VRS_BRANCHES_ON)
        return VRS_OK;
    (void)snprintf(net->doing, sizeof net->doing, "all nodes of a batch of %d", program->batch);
    vrs_status status = vrs_graph_infer(net->graph, program->batch);
    vrs_net_connect(net, program, ports);
    for (int i = 0; i < 2 && status == VRS_OK; i++) {
        program->beside = i == 1;
        status = vrs_net_time(net, queue_run, &r, 1, &micros[i]);
    }
    net->doing[0] = 0;
    program->beside = status == VRS_OK && micros[1] < micros[0] * FASTER;
    return status;
}

/* Once outside of a recording: the last constants are uploaded, and what fails says so. */
static vrs_status run_once(vrs_net *net, vrs_net_program *program, const vrs_net_ports *ports)
{
    run r = {.net = net, .program = program, .ports = ports};
    vrs_status status = vrs_graph_infer(net->graph, program->batch);
    vrs_net_connect(net, program, ports);
    if (status == VRS_OK)
        status = queue_run(&r, net->stream);
    return status == VRS_OK ? vrs_net_settle(net) : status;
}

vrs_status vrs_net_compile(vrs_net *net, int32_t batch, const vrs_net_owner *owner)
{
    const vrs_net_ports ports = owner->ports(owner->opaque, 0, 0);
    net->batch = batch;
    return make_program(net, batch, &ports);
}

/* Deals the nodes of the programs for which branches may pay. Short of memory there are none. */
static vrs_status deal_programs(vrs_net *net)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < net->program_count && status == VRS_OK; i++) {
        vrs_net_program *program = &net->programs[i];
        program->lanes = 1;
        if (net->branches == VRS_BRANCHES_AUTO && program->batch > BESIDE_MOST)
            continue;
        status = vrs_graph_infer(net->graph, program->batch);
        if (status == VRS_OK)
            status = vrs_net_deal(net, program);
    }
    if (status == VRS_OK)
        status = vrs_net_take_apart(net);
    for (int32_t i = 0; i < net->program_count && status == VRS_NO_MEMORY; i++)
        net->programs[i].lanes = 1;
    return status == VRS_NO_MEMORY ? VRS_OK : status;
}

vrs_status vrs_net_capture_all(vrs_net *net, const vrs_net_owner *owner)
{
    const vrs_net_ports ports = owner->ports(owner->opaque, 0, 0);
    vrs_status status = VRS_OK;
    vrs_net_forget_constants(net, false);
    for (int32_t i = 0; i < net->program_count && status == VRS_OK; i++)
        status = run_once(net, &net->programs[i], &ports);
    if (status == VRS_OK) {
        vrs_net_forget_constants(net, true);
        status = vrs_net_move_constants(net);
    }
    if (status == VRS_OK)
        status = deal_programs(net);
    for (int32_t i = 0; i < net->program_count && status == VRS_OK; i++) {
        vrs_net_program *program = &net->programs[i];
        status = choose_branches(net, program, &ports);
        if (status == VRS_OK) {
            status = vrs_net_capture(net, program, owner, 1, &program->execs);
            program->parts = status == VRS_OK ? 1 : 0;
        }
    }
    return status;
}

static void free_plans(const vrs_net *net, const vrs_net_program *program)
{
    for (int32_t n = 0; program->convs && n < net->graph->node_count; n++) {
        vrs_conv_plan *plan = program->convs[n].plan;
        if (program->convs[n].joined)
            plan->provider->destroy(program->convs[n].joined);
        if (plan && program->convs[n].owned)
            plan->provider->destroy(plan);
    }
}

void vrs_net_free_programs(vrs_net *net, int32_t requests)
{
    for (int32_t p = 0; p < net->program_count; p++) {
        vrs_net_program *program = &net->programs[p];
        vrs_net_destroy_execs(net, program->execs, requests * program->parts);
        vrs_net_free_steps(net, program);
        free_plans(net, program);
        vrs_graph_arena_destroy(program->arena);
        vrs_free(program->at);
        vrs_free(program->convs);
        vrs_free(program->micros);
    }
    net->program_count = 0;
}
