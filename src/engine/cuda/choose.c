/* Which plan of a convolution is the fastest. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/cuda/choose.h"

/* The least that a plan must be better by to be preferred to one that was found before. */
#define BETTER 0.99

/* A plan that is tried, with what the queueing wants to know. */
typedef struct trial {
    vrs_net *net;
    const vrs_net_program *program;
    int32_t index;
    vrs_conv_plan *plan;
    const vrs_conv *conv;
    vrs_conv_args args;
} trial;

static vrs_status queue_trial(void *opaque, vrs_device_stream *stream)
{
    const trial *t = opaque;
    vrs_status status = t->plan->provider->enqueue(t->plan, &t->args, stream);
    return status == VRS_OK ? vrs_net_queue_conv_rest(t->net, t->program, t->index, t->conv, stream)
                            : status;
}

vrs_status vrs_net_grow_workspace(vrs_net *net, size_t bytes)
{
    if (bytes <= net->workspace_bytes)
        return VRS_OK;
    vrs_memory_free(net->memory, net->workspace);
    net->workspace = NULL;
    net->workspace_bytes = 0;
    vrs_status status = vrs_memory_alloc(net->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_WORKSPACE,
                                         bytes, &net->workspace);
    net->workspace_bytes = status == VRS_OK ? bytes : 0;
    return status;
}

static int32_t count_candidates(const vrs_net_chooser *c, int32_t provider, const vrs_conv *conv)
{
    const vrs_conv_provider *by = c->net->providers[provider];
    return by->compiles ? vrs_net_prepared_count(c->prepared, provider, conv)
                        : by->candidates(c->net->states[provider], conv);
}

static vrs_status make_candidate(const vrs_net_chooser *c, int32_t provider, const vrs_conv *conv,
                                 int32_t candidate, vrs_conv_plan **plan)
{
    const vrs_conv_provider *by = c->net->providers[provider];
    *plan = NULL;
    if (by->compiles) {
        *plan = vrs_net_prepared_take(c->prepared, provider, conv, candidate);
        return VRS_OK;
    }
    return by->prepare(c->net->states[provider], conv, candidate, plan);
}

/* Whether it runs at all, where there is nothing to compare it with. */
static vrs_status try_once(vrs_net *net, trial *t)
{
    vrs_status status = queue_trial(t, net->stream);
    return status == VRS_OK ? vrs_net_settle(net) : status;
}

/* Times one candidate and keeps it where it is better. */
static vrs_status try_candidate(const vrs_net_chooser *c, const vrs_conv *conv, int32_t provider,
                                int32_t candidate, vrs_net_finding *best)
{
    vrs_net *net = c->net;
    trial t = {.net = net, .program = c->program, .index = c->index, .conv = conv};
    double micros = INFINITY;
    vrs_status status = make_candidate(c, provider, conv, candidate, &t.plan);
    if (status != VRS_OK || !t.plan)
        return vrs_net_is_serious(status) ? status : VRS_OK;
    if (t.plan->workspace <= VRS_NET_WORKSPACE_MAX) {
        status = vrs_net_grow_workspace(net, t.plan->workspace);
        if (status == VRS_OK)
            status = vrs_net_conv_args_of(net, c->program, c->index, conv, t.plan, &t.args);
        if (status == VRS_OK) {
            status = c->only ? try_once(net, &t)
                             : vrs_net_time(net, queue_trial, &t, VRS_NET_TIMED_RUNS, &micros);
            net->effort.timed++;
            micros = c->only && status == VRS_OK ? 0 : micros;
        }
    }
    if (status != VRS_OK) {
        vrs_conv_plan_free(t.plan);
        return vrs_net_is_serious(status) ? status : VRS_OK;
    }
    if (micros < best->micros * BETTER) {
        vrs_conv_plan_free(best->plan);
        memcpy(&best->conv, conv, sizeof *conv);
        best->plan = t.plan;
        best->candidate = candidate;
        best->kind = c->kind;
        best->micros = micros;
    } else {
        vrs_conv_plan_free(t.plan);
    }
    return VRS_OK;
}

/* Everybody's candidates but those of the last provider, whose kernels are plain. */
static vrs_status try_all(const vrs_net_chooser *c, const vrs_conv *conv, vrs_net_finding *best)
{
    vrs_status status = VRS_OK;
    for (int32_t p = 0; p < c->net->provider_count - 1 && status == VRS_OK; p++) {
        int32_t count = c->net->states[p] ? count_candidates(c, p, conv) : 0;
        for (int32_t i = 0; i < count && status == VRS_OK; i++) {
            if (best->plan && vrs_now_ns() >= c->end_ns) {
                c->net->effort.late += count - i;
                break;
            }
            status = try_candidate(c, conv, p, i, best);
        }
    }
    return status;
}

static bool is_depthwise(const vrs_conv *c)
{
    return c->groups > 1 && c->groups == c->in_channels && c->groups == c->out_channels;
}

/* The plain kernels have good twins for these, so they are tried beside the others. */
static bool suits_plain(const vrs_conv *c)
{
    return is_depthwise(c) ||
           (c->groups == 1 && c->kernel[0] == 1 && c->kernel[1] == 1 && c->out_channels <= 8) ||
           c->out_height * c->out_width == 1;
}

static vrs_status try_plain(const vrs_net_chooser *c, const vrs_conv *conv, bool only,
                            vrs_net_finding *best)
{
    int32_t last = c->net->provider_count - 1;
    vrs_net_chooser plain = *c;
    plain.only = only;
    return count_candidates(c, last, conv) > 0 ? try_candidate(&plain, conv, last, 0, best)
                                               : VRS_OK;
}

/* Whether anybody but the last provider has something for it. */
static bool others_have(const vrs_net_chooser *c, const vrs_conv *conv)
{
    int32_t count = 0;
    for (int32_t p = 0; p < c->net->provider_count - 1 && count == 0; p++)
        count = c->net->states[p] ? count_candidates(c, p, conv) : 0;
    return count > 0;
}

/* The best way to run the convolution alone. */
static vrs_status choose_alone(const vrs_net_chooser *c, vrs_net_finding *best)
{
    vrs_net *net = c->net;
    vrs_conv conv = vrs_net_describe_conv(net, c->index, false);
    bool compared = suits_plain(&conv) && others_have(c, &conv);
    vrs_status status = compared ? try_plain(c, &conv, false, best) : VRS_OK;
    if (status == VRS_OK)
        status = try_all(c, &conv, best);
    vrs_net_chooser less = *c;
    vrs_conv part = conv;
    less.kind = VRS_NET_LESS;
    if (status == VRS_OK && vrs_net_leave_out(&part, best->plan != NULL))
        status = try_all(&less, &part, best);
    if (status == VRS_OK && !best->plan)
        status = try_plain(c, &conv, true, best);
    if (status == VRS_OK && !best->plan) {
        status = vrs_fail(VRS_ENGINE, "%s: nothing runs the node %s on %s: %s", net->graph->name,
                          net->graph->nodes[c->index].name,
                          vrs_device_get_properties(net->device)->name, vrs_last_error());
    }
    return status;
}

/* With the node behind it, where that is faster than both. */
static vrs_status choose_follow(const vrs_net_chooser *c, double behind, vrs_net_finding *best)
{
    vrs_net_finding with = {.micros = best->micros + behind};
    vrs_conv conv = vrs_net_describe_conv(c->net, c->index, true);
    vrs_net_chooser more = *c;
    more.kind = VRS_NET_MORE;
    vrs_status status = try_all(&more, &conv, &with);
    if (with.plan) {
        vrs_conv_plan_free(best->plan);
        *best = with;
    }
    return status;
}

void vrs_net_keep_choice(const vrs_net *net, vrs_net_program *program, int32_t index,
                         const vrs_net_finding *best)
{
    vrs_net_conv_choice *choice = &program->convs[index];
    memcpy(&choice->conv, &best->conv, sizeof choice->conv);
    choice->plan = best->plan;
    choice->owned = true;
    choice->candidate = best->candidate;
    choice->kind = best->kind;
    choice->follows = best->conv.follow != VRS_CONV_FOLLOW_NONE;
    choice->wanted = vrs_net_describe_conv(net, index, choice->follows);
    program->micros[index] = best->micros;
}

/* An equal convolution that has a plan already. */
bool vrs_net_copy_choice(const vrs_net *net, vrs_net_program *program, int32_t index)
{
    int32_t next = vrs_net_only_reader(net, net->graph->nodes[index].outputs[0]);
    bool follow = next >= 0 && net->roles[next] == VRS_NET_FOLLOW;
    vrs_conv conv = vrs_net_describe_conv(net, index, false);
    for (int32_t n = 0; n < index && !follow; n++) {
        const vrs_net_conv_choice *other = &program->convs[n];
        if (other->plan && vrs_conv_same(&other->wanted, &conv)) {
            program->convs[index] = *other;
            program->convs[index].owned = false;
            program->micros[index] = program->micros[n];
            return true;
        }
    }
    return false;
}

/* The node behind the convolution has its own plan and time before they are compared. */
static vrs_status choose_behind(const vrs_net_chooser *c, int32_t next, double *micros)
{
    vrs_status status = VRS_OK;
    if (vrs_net_is_conv(&c->net->graph->nodes[next]) && !c->program->convs[next].plan) {
        vrs_net_chooser other = *c;
        vrs_net_finding alone = {.micros = INFINITY};
        other.index = next;
        status = choose_alone(&other, &alone);
        if (alone.plan)
            vrs_net_keep_choice(c->net, c->program, next, &alone);
    }
    return status == VRS_OK ? vrs_net_time_node(c->net, c->program, next, micros) : status;
}

static vrs_status choose_one(const vrs_net_chooser *c)
{
    const vrs_net *net = c->net;
    vrs_net_finding found = {.micros = INFINITY};
    int32_t next = vrs_net_only_reader(net, net->graph->nodes[c->index].outputs[0]);
    bool follow = next >= 0 && net->roles[next] == VRS_NET_FOLLOW;
    double behind = 0;
    vrs_status status = choose_alone(c, &found);
    if (follow && status == VRS_OK)
        status = choose_behind(c, next, &behind);
    if (follow && status == VRS_OK)
        status = choose_follow(c, behind, &found);
    if (found.plan)
        vrs_net_keep_choice(net, c->program, c->index, &found);
    return status;
}

/* --- all of a program --- */

void vrs_net_tell(const vrs_net *net, const char *step, int32_t done, int32_t all, const char *node)
{
    const vrs_compile_progress progress = {.batch = net->batch,
                                           .size = net->size,
                                           .sizes = net->sizes,
                                           .step = step,
                                           .done = done,
                                           .all = all,
                                           .node = node};
    if (net->progress)
        net->progress(net->progress_opaque, &progress);
}

/* The plan of one node, if it wants one. */
static vrs_status choose_next(vrs_net_chooser *c)
{
    vrs_net *net = c->net;
    const vrs_node *node = &net->graph->nodes[c->index];
    if (!vrs_net_is_conv(node) || net->roles[c->index] != VRS_NET_RUN ||
        c->program->convs[c->index].plan)
        return VRS_OK;
    if (vrs_net_copy_choice(net, c->program, c->index)) {
        net->effort.equal++;
        return VRS_OK;
    }
    (void)snprintf(net->doing, sizeof net->doing, "the node %.80s of a batch of %d", node->name,
                   c->program->batch);
    c->end_ns = vrs_now_ns() + VRS_NET_NODE_NS;
    vrs_status status = choose_one(c);
    net->doing[0] = 0;
    net->effort.nodes++;
    net->chosen++;
    return status;
}

vrs_status vrs_net_choose(vrs_net *net, vrs_net_program *program)
{
    const vrs_graph *g = net->graph;
    vrs_net_chooser c = {.net = net, .program = program};
    int64_t begin = vrs_now_ns();
    bool all;
    vrs_status status = vrs_net_restore_all(&c, &all);
    if (status == VRS_OK && !all)
        status = vrs_net_prepare(net, &c.prepared);
    int64_t prepared = vrs_now_ns();
    for (c.index = 0; c.index < g->node_count && status == VRS_OK; c.index++) {
        status = choose_next(&c);
        if (status == VRS_OK && !all)
            vrs_net_tell(net, "nodes", c.index + 1, g->node_count, g->nodes[c.index].name);
    }
    vrs_net_prepared_free(net, c.prepared);
    if (status == VRS_OK)
        status = vrs_net_join(net, program, all);
    net->effort.restored = net->restored;
    net->effort.making_s += (double)(prepared - begin) / (double)VRS_NS_PER_S;
    net->effort.timing_s += (double)(vrs_now_ns() - prepared) / (double)VRS_NS_PER_S;
    return status;
}
