/* Convolutions that follow each other over one input, run in one launch where that is faster: the
 * dilated ones of a pyramid, each too small for the GPU by itself.
 *
 * Nothing runs between them, so their results' memory is free when the first one begins. */
#include <stdio.h>
#include <string.h>

#include "engine/cuda/choose.h"

/* The least that one launch must be faster by than one after the other. */
#define BETTER 0.99

/* Convolutions that may be joined. */
typedef struct group {
    vrs_net *net;
    const vrs_net_program *program;
    int32_t nodes[VRS_CONV_JOINED], count;
    vrs_conv_plan *joined;
    vrs_conv_args args[VRS_CONV_JOINED];
} group;

/* Whether a node's plan does all of it and could be one of several. */
static bool may_join(const vrs_net *net, const vrs_net_program *program, int32_t index)
{
    const vrs_net_conv_choice *choice = &program->convs[index];
    int32_t result = net->graph->nodes[index].outputs[0];
    return net->roles[index] == VRS_NET_RUN && choice->plan && choice->plan->provider->join &&
           choice->conv.out_channels >= net->forms[result].fill && !choice->joined &&
           (choice->kind == VRS_NET_WHOLE || choice->kind == VRS_NET_JOINED) && !choice->along;
}

/* The convolution at `first` and those behind it over the same input. */
static void gather(group *g, int32_t first)
{
    const vrs_graph *graph = g->net->graph;
    g->count = 0;
    for (int32_t n = first; n < graph->node_count && g->count < VRS_CONV_JOINED; n++) {
        if (!vrs_net_runs(g->net, g->program, n))
            continue;
        if (!may_join(g->net, g->program, n) ||
            graph->nodes[n].inputs[0] != graph->nodes[first].inputs[0])
            return;
        g->nodes[g->count++] = n;
    }
}

/* As many of them as the provider joins. */
static vrs_status make(group *g)
{
    const vrs_conv_plan *plans[VRS_CONV_JOINED];
    vrs_status status = VRS_UNSUPPORTED;
    for (int32_t i = 0; i < g->count; i++)
        plans[i] = g->program->convs[g->nodes[i]].plan;
    for (; g->count > 1 && status == VRS_UNSUPPORTED; g->count--) {
        status = plans[0]->provider->join(plans, g->count, &g->joined);
        if (status == VRS_OK)
            return VRS_OK;
    }
    return status;
}

static vrs_status find_args(group *g)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < g->count && status == VRS_OK; i++) {
        int32_t n = g->nodes[i];
        /* The others' own plans: a table of the joined one is kept by its first node, and one kept
         * by another would be taken for that of the group that begins there. */
        status = vrs_net_conv_args_of(g->net, g->program, n, &g->program->convs[n].conv,
                                      i == 0 ? g->joined : g->program->convs[n].plan, &g->args[i]);
    }
    return status;
}

static vrs_status queue(void *opaque, vrs_device_stream *stream)
{
    const group *g = opaque;
    return g->joined->provider->enqueue_joined(g->joined, g->args, stream);
}

static void keep(const group *g, vrs_net_program *program, double micros)
{
    vrs_net_conv_choice *first = &program->convs[g->nodes[0]];
    first->joined = g->joined;
    first->other_count = g->count - 1;
    program->micros[g->nodes[0]] = micros;
    for (int32_t i = 1; i < g->count; i++) {
        first->others[i - 1] = g->nodes[i];
        program->convs[g->nodes[i]].along = true;
        program->micros[g->nodes[i]] = 0;
    }
}

/* Joins those from `first` on if it was so before, or if it is faster. */
static vrs_status join_from(vrs_net *net, vrs_net_program *program, int32_t first, bool restored)
{
    group g = {.net = net, .program = program};
    bool before = program->convs[first].kind == VRS_NET_JOINED;
    gather(&g, first);
    if (g.count < 2 || (restored && !before))
        return VRS_OK;
    vrs_status status = make(&g);
    if (status == VRS_OK)
        status = vrs_net_grow_workspace(net, g.joined->workspace);
    if (status == VRS_OK)
        status = find_args(&g);
    double apart = 0, micros = 0;
    for (int32_t i = 0; i < g.count; i++)
        apart += program->micros[g.nodes[i]];
    if (status == VRS_OK && !before) {
        status = vrs_net_time(net, queue, &g, VRS_NET_TIMED_RUNS, &micros);
        net->effort.timed++;
    }
    bool better = micros < apart * BETTER && net->branches != VRS_BRANCHES_OFF;
    if (status == VRS_OK && (before || better)) {
        keep(&g, program, micros);
        return VRS_OK;
    }
    vrs_conv_plan_free(g.joined);
    return vrs_net_is_serious(status) ? status : VRS_OK;
}

vrs_status vrs_net_join(vrs_net *net, vrs_net_program *program, bool restored)
{
    vrs_status status = VRS_OK;
    (void)snprintf(net->doing, sizeof net->doing, "several convolutions of a batch of %d",
                   program->batch);
    for (int32_t n = 0; n < net->graph->node_count && status == VRS_OK; n++)
        if (may_join(net, program, n))
            status = join_from(net, program, n, restored);
    net->doing[0] = 0;
    return status;
}

vrs_status vrs_net_queue_joined(vrs_net *net, const vrs_net_program *program, int32_t index,
                                vrs_device_stream *stream)
{
    const vrs_net_conv_choice *choice = &program->convs[index];
    group g = {.net = net,
               .program = program,
               .nodes = {index},
               .count = 1 + choice->other_count,
               .joined = choice->joined};
    memcpy(g.nodes + 1, choice->others, (size_t)choice->other_count * sizeof *choice->others);
    vrs_status status = find_args(&g);
    return status == VRS_OK ? queue(&g, stream) : status;
}
