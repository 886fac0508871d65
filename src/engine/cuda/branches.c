/* Which nodes of a program may run beside each other, and their way into a graph on several
 * streams.
 *
 * The order of the nodes is one in which they may run one after the other. A node must wait for
 * every earlier one with which it shares memory that one of them writes: results, but also what the
 * arena gives to another value later. On a stream nodes keep their order, so of each other stream
 * it is enough to wait for the last such node, and a stream's nodes share a workspace. */
#include <string.h>

#include "base/alloc.h"
#include "engine/cuda/network.h"

/* Memory that a node touches: all of it, or of every `pitch` bytes the first `width`. */
typedef struct span {
    vrs_device_ptr begin;
    uint64_t bytes, pitch, width; /* pitch 0: all */
    bool writes;
} span;

typedef struct touched {
    span *spans; /* in one array of all nodes */
    int32_t count;
} touched;

static void touch(const vrs_net *net, const vrs_net_program *program, touched *t, int32_t value,
                  bool writes, bool whole)
{
    if (value == VRS_NO_VALUE || net->graph->values[value].data || program->at[value] == 0)
        return;
    const vrs_net_form *form = &net->forms[value];
    uint64_t size = vrs_net_type_bytes(form->type);
    span s = {
        .begin = program->at[value], .bytes = vrs_net_value_bytes(net, value), .writes = writes};
    if (form->picture && form->inside != VRS_NET_NOBODY && !whole) {
        s.pitch = (uint64_t)form->pitch * size;
        s.width = (uint64_t)form->fill * size;
    }
    t->spans[t->count++] = s;
}

/* Whether a node clears its result, with all that lies between its own channels, before it writes
 * these. */
static bool clears(const vrs_net *net, const vrs_net_program *program, int32_t node, int32_t value)
{
    const vrs_net_form *form = &net->forms[value];
    const vrs_net_conv_choice *choice = &program->convs[node];
    return choice->plan
               ? choice->conv.out_channels < form->fill
               : form->picture && form->fill != vrs_net_channels(&net->graph->values[value]);
}

static void touch_all(const vrs_net *net, const vrs_net_program *program, int32_t index, touched *t)
{
    const vrs_graph *g = net->graph;
    const vrs_node *node = &g->nodes[index];
    const vrs_net_conv_choice *choice = &program->convs[index];
    for (int32_t i = 0; i < node->input_count; i++)
        touch(net, program, t, node->inputs[i], false, false);
    const vrs_node *last =
        choice->follows ? &g->nodes[vrs_net_only_reader(net, node->outputs[0])] : node;
    for (int32_t i = 0; i < last->output_count; i++) {
        int32_t value = last->outputs[i];
        touch(net, program, t, value, true, clears(net, program, index, value));
    }
    for (int32_t i = 0; i < choice->other_count; i++)
        touch(net, program, t, g->nodes[choice->others[i]].outputs[0], true, false);
}

/* Parts of lines of the same length lie beside each other. */
static bool share_lines(const span *a, const span *b)
{
    if (a->pitch == 0 || a->pitch != b->pitch)
        return true;
    uint64_t from = (b->begin % a->pitch + a->pitch - a->begin % a->pitch) % a->pitch;
    return from < a->width || from + b->width > a->pitch;
}

static bool collide(const touched *a, const touched *b)
{
    bool found = false;
    for (int32_t i = 0; i < a->count && !found; i++) {
        for (int32_t k = 0; k < b->count && !found; k++) {
            const span *x = &a->spans[i], *y = &b->spans[k];
            found = (x->writes || y->writes) && x->begin < y->begin + y->bytes &&
                    y->begin < x->begin + x->bytes && share_lines(x, y);
        }
    }
    return found;
}

/* What is known of the lanes while nodes are dealt to them. */
typedef struct dealer {
    int32_t tail[VRS_NET_LANES]; /* the last node of each; -1: none */
    double micros[VRS_NET_LANES];
    int32_t used;
} dealer;

/* The lane whose end the node waits for anyway, the latest of them; else a new one; else the one
 * that has least to do. */
static int32_t choose_lane(const dealer *d, const vrs_net_step *step)
{
    int32_t best = -1, least = 0;
    for (int32_t l = 0; l < d->used; l++) {
        bool continues = d->tail[l] >= 0 && step->waits[l] == d->tail[l];
        best = continues && (best < 0 || d->tail[l] > d->tail[best]) ? l : best;
        least = d->micros[l] < d->micros[least] ? l : least;
    }
    return best >= 0 ? best : d->used < VRS_NET_LANES ? d->used : least;
}

static void deal(vrs_net *net, vrs_net_program *program, const touched *all)
{
    dealer d = {.used = 1};
    for (int32_t l = 0; l < VRS_NET_LANES; l++)
        d.tail[l] = -1;
    for (int32_t n = 0; n < net->graph->node_count; n++) {
        vrs_net_step *step = &program->steps[n];
        for (int32_t l = 0; l < VRS_NET_LANES; l++)
            step->waits[l] = -1;
        if (!vrs_net_runs(net, program, n)) {
            step->lane = -1;
            continue;
        }
        for (int32_t m = 0; m < n; m++)
            if (program->steps[m].lane >= 0 && collide(&all[m], &all[n]))
                step->waits[program->steps[m].lane] = m;
        step->lane = choose_lane(&d, step);
        step->waits[step->lane] = -1;
        d.used = step->lane == d.used ? d.used + 1 : d.used;
        d.tail[step->lane] = n;
        d.micros[step->lane] += program->micros[n];
    }
    program->lanes = d.used;
}

/* Streams and events of what was dealt. */
static vrs_status make_events(vrs_net *net, vrs_net_program *program)
{
    vrs_status status = VRS_OK;
    for (int32_t l = 1; l < program->lanes && status == VRS_OK; l++) {
        if (!net->beside[l])
            status = vrs_device_stream_create(net->device, VRS_PRIORITY_NORMAL, &net->beside[l]);
        if (status == VRS_OK && !net->joined[l])
            status = vrs_device_event_create(net->device, false, &net->joined[l]);
    }
    if (status == VRS_OK && program->lanes > 1 && !net->joined[0])
        status = vrs_device_event_create(net->device, false, &net->joined[0]);
    for (int32_t n = 0; n < net->graph->node_count; n++) {
        for (int32_t l = 0; l < program->lanes && status == VRS_OK; l++) {
            int32_t wait = program->steps[n].waits[l];
            if (wait >= 0 && !program->steps[wait].done)
                status = vrs_device_event_create(net->device, false, &program->steps[wait].done);
        }
    }
    return status;
}

/* Inputs and results of all nodes, and results that a convolution makes of the node behind it or of
 * those that are joined to it. */
static size_t count_spans(const vrs_graph *g)
{
    size_t count = 1;
    for (int32_t n = 0; n < g->node_count; n++) {
        count += (size_t)g->nodes[n].input_count + 2 * (size_t)g->nodes[n].output_count +
                 VRS_CONV_JOINED - 1;
    }
    return count;
}

static vrs_status deal_all(vrs_net *net, vrs_net_program *program, touched *all, span *spans)
{
    const vrs_graph *g = net->graph;
    if (!all || !spans || !program->steps)
        return VRS_NO_MEMORY;
    for (int32_t n = 0; n < g->node_count; n++) {
        all[n].spans = spans;
        touch_all(net, program, n, &all[n]);
        spans += all[n].count;
    }
    deal(net, program, all);
    return make_events(net, program);
}

vrs_status vrs_net_deal(vrs_net *net, vrs_net_program *program)
{
    size_t count = (size_t)net->graph->node_count + 1;
    program->lanes = 1;
    if (net->branches == VRS_BRANCHES_OFF)
        return VRS_OK;
    touched *all = vrs_alloc_array(count, sizeof *all);
    span *spans = vrs_alloc_array(count_spans(net->graph), sizeof *spans);
    program->steps = vrs_alloc_array(count, sizeof *program->steps);
    vrs_status status = deal_all(net, program, all, spans);
    vrs_free(all);
    vrs_free(spans);
    return status;
}

vrs_status vrs_net_take_apart(vrs_net *net)
{
    size_t bytes[VRS_NET_LANES] = {0};
    for (int32_t p = 0; p < net->program_count; p++) {
        const vrs_net_program *program = &net->programs[p];
        for (int32_t n = 0; program->lanes > 1 && n < net->graph->node_count; n++) {
            const vrs_net_conv_choice *choice = &program->convs[n];
            const vrs_conv_plan *plan = choice->joined ? choice->joined : choice->plan;
            int32_t lane = program->steps[n].lane;
            size_t wanted = lane > 0 && plan ? plan->workspace : 0;
            if (wanted > 0 && wanted > bytes[lane])
                bytes[lane] = wanted;
        }
    }
    vrs_status status = VRS_OK;
    for (int32_t l = 1; l < VRS_NET_LANES && status == VRS_OK; l++) {
        if (bytes[l] > 0) {
            status = vrs_memory_alloc(net->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_WORKSPACE,
                                      bytes[l], &net->apart[l]);
        }
    }
    return status;
}

void vrs_net_free_steps(const vrs_net *net, vrs_net_program *program)
{
    for (int32_t n = 0; program->steps && n < net->graph->node_count; n++)
        vrs_device_event_destroy(program->steps[n].done);
    vrs_free(program->steps);
    program->steps = NULL;
}

/* --- queueing --- */

static vrs_device_stream *stream_of(const vrs_net *net, int32_t lane, vrs_device_stream *first)
{
    return lane == 0 ? first : net->beside[lane];
}

/* All lanes begin behind what the first stream has. */
static vrs_status fork_lanes(vrs_net *net, const vrs_net_program *program, vrs_device_stream *first)
{
    vrs_status status = vrs_device_event_record(net->joined[0], first);
    for (int32_t l = 1; l < program->lanes && status == VRS_OK; l++)
        status = vrs_device_stream_wait(net->beside[l], net->joined[0]);
    return status;
}

/* And the first stream goes on behind all of them. Also after a failure: a recording must come back
 * to the stream that it began on. */
static vrs_status join_lanes(vrs_net *net, const vrs_net_program *program, vrs_device_stream *first)
{
    vrs_status all = VRS_OK;
    for (int32_t l = 1; l < program->lanes; l++) {
        vrs_status status = vrs_device_event_record(net->joined[l], net->beside[l]);
        if (status == VRS_OK)
            status = vrs_device_stream_wait(first, net->joined[l]);
        all = all == VRS_OK ? status : all;
    }
    return all;
}

static vrs_status queue_step(vrs_net *net, const vrs_net_program *program, int32_t node,
                             vrs_device_stream *first)
{
    const vrs_net_step *step = &program->steps[node];
    if (step->lane < 0)
        return VRS_OK;
    vrs_device_stream *stream = stream_of(net, step->lane, first);
    vrs_status status = VRS_OK;
    for (int32_t l = 0; l < program->lanes && status == VRS_OK; l++)
        if (step->waits[l] >= 0)
            status = vrs_device_stream_wait(stream, program->steps[step->waits[l]].done);
    if (status == VRS_OK) {
        net->lane = step->lane;
        status = vrs_net_queue_node(net, program, node, stream);
        net->lane = 0;
    }
    return status == VRS_OK && step->done ? vrs_device_event_record(step->done, stream) : status;
}

vrs_status vrs_net_queue_branches(vrs_net *net, const vrs_net_program *program,
                                  vrs_device_stream *first)
{
    vrs_status status = fork_lanes(net, program, first);
    for (int32_t n = 0; n < net->graph->node_count && status == VRS_OK; n++)
        status = queue_step(net, program, n, first);
    vrs_status joined = join_lanes(net, program, first);
    return status == VRS_OK ? joined : status;
}
