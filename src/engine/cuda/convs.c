/* Convolutions: what they are for the providers, which plan is the fastest, and their launch. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/cuda/network.h"
#include "vrseg/log.h"

/* Workspace that a plan may have at most. */
#define WORKSPACE_MAX ((size_t)256 << 20)

/* The least that a plan must be better by to be preferred to one that was found before. */
#define BETTER 0.99

static bool has(const vrs_node *node, int32_t input)
{
    return node->input_count > input && node->inputs[input] != VRS_NO_VALUE;
}

/* A stem of stride 2 over 2x2 space-to-depth: rows 2 o + k - p are rows 2 (o + t - ceil(p / 2)) +
 * d.
 */
static void describe_stem(const vrs_conv_attributes *a, const vrs_net_form *form, vrs_conv *c)
{
    for (int i = 0; i < 2; i++) {
        int32_t pad = a->pad_before[i];
        c->pad_before[i] = (pad + 1) / 2;
        c->kernel[i] = (a->kernel[i] - 1 - pad + 2 * c->pad_before[i]) / 2 + 1;
        c->stride[i] = 1;
    }
    c->in_height /= 2;
    c->in_width /= 2;
    c->in_channels = form->pitch;
}

static void describe_channels(const vrs_net *net, const vrs_node *node, vrs_conv *c)
{
    const vrs_net_form *in = &net->forms[node->inputs[0]], *out = &net->forms[node->outputs[0]];
    int32_t channels = vrs_net_channels(&net->graph->values[node->inputs[0]]);
    int32_t results = vrs_net_channels(&net->graph->values[node->outputs[0]]);
    int32_t padded = vrs_net_round(channels, vrs_net_vector(in->type));
    c->in_channels = channels;
    c->out_channels = results;
    c->groups = node->as.conv.groups;
    if (c->groups == 1) {
        c->in_channels = padded <= in->pitch ? padded : channels;
        c->out_channels = out->fill;
    } else if (c->groups == channels && c->groups == results && out->fill >= padded) {
        c->groups = c->in_channels = c->out_channels = padded;
    }
}

/* The node behind it as the convolution's own. */
static void describe_follow(const vrs_net *net, int32_t index, vrs_conv *c)
{
    const vrs_graph *g = net->graph;
    const vrs_node *next = &g->nodes[vrs_net_only_reader(net, g->nodes[index].outputs[0])];
    const vrs_value *v = &g->values[next->outputs[0]];
    const vrs_net_form *form = &net->forms[next->outputs[0]];
    c->out_pitch = form->pitch;
    c->out_type = form->type;
    if (next->op == VRS_OP_CONV) {
        c->follow = VRS_CONV_FOLLOW_HEAD;
        c->head_channels = vrs_net_channels(v);
        return;
    }
    c->follow = VRS_CONV_FOLLOW_MAX_POOL;
    for (int i = 0; i < 2; i++) {
        c->pool_kernel[i] = next->as.pool.kernel[i];
        c->pool_stride[i] = next->as.pool.stride[i];
        c->pool_pad[i] = next->as.pool.pad_before[i];
    }
    c->pool_height = (int32_t)v->dims[2];
    c->pool_width = (int32_t)v->dims[3];
}

vrs_conv vrs_net_describe_conv(const vrs_net *net, int32_t index, bool follow)
{
    const vrs_graph *g = net->graph;
    const vrs_node *node = &g->nodes[index];
    const vrs_conv_attributes *a = &node->as.conv;
    const vrs_value *x = &g->values[node->inputs[0]], *y = &g->values[node->outputs[0]];
    const vrs_net_form *in = &net->forms[node->inputs[0]], *out = &net->forms[node->outputs[0]];
    vrs_conv c;
    memset(&c, 0, sizeof c); /* compared as bytes */
    c.batch = (int32_t)x->dims[0];
    c.in_height = (int32_t)x->dims[2];
    c.in_width = (int32_t)x->dims[3];
    c.in_pitch = in->pitch;
    c.out_height = (int32_t)y->dims[2];
    c.out_width = (int32_t)y->dims[3];
    c.out_pitch = out->pitch;
    for (int i = 0; i < 2; i++) {
        c.kernel[i] = a->kernel[i];
        c.stride[i] = a->stride[i];
        c.dilation[i] = a->dilation[i];
        c.pad_before[i] = a->pad_before[i];
    }
    describe_channels(net, node, &c);
    if (in->s2d) {
        describe_stem(a, in, &c);
    }
    c.transposed = node->op == VRS_OP_CONV_TRANSPOSED;
    c.residual_pitch = has(node, 3) ? net->forms[node->inputs[3]].pitch : 0;
    c.in_type = in->type;
    c.out_type = out->type;
    c.tf32 = net->precision == VRS_PRECISION_TF32;
    c.act = vrs_net_act_of(&node->act);
    c.residual_scale = c.out_quantum = 1;
    c.scaled = in->type == VRS_NET_I8 || out->type == VRS_NET_I8;
    if (follow) {
        describe_follow(net, index, &c);
    }
    return c;
}

bool vrs_net_leave_out(vrs_conv *conv, bool runs)
{
    bool exact = conv->in_type == VRS_NET_F32 && !conv->tf32;
    bool acts = conv->act.kind != VRS_NET_ACT_NONE && !runs;
    if (!exact && !acts) {
        return false;
    }
    if (exact) {
        conv->bare = 1;
        conv->residual_pitch = 0;
    }
    conv->act = (vrs_net_act){.kind = VRS_NET_ACT_NONE};
    return true;
}

/* --- launching --- */

static vrs_status args_of(vrs_net *net, const vrs_net_program *program, int32_t index,
                          const vrs_conv *conv, const vrs_conv_plan *plan, vrs_conv_args *args)
{
    const vrs_graph *g = net->graph;
    const vrs_node *node = &g->nodes[index];
    *args = (vrs_conv_args){.x = program->at[node->inputs[0]],
                            .residual = has(node, 3) ? program->at[node->inputs[3]] : 0,
                            .y = program->at[node->outputs[0]],
                            .workspace = net->workspace ? net->workspace->address : 0};
    vrs_status status = vrs_net_weights(net, index, conv, plan, &args->weights);
    /* Results in steps are made by factors and a bias in steps: the activation keeps them so. */
    const vrs_net_form *out = &net->forms[node->outputs[0]];
    float quantum = out->type == VRS_NET_I8 ? out->quantum : 1.0f;
    if (status == VRS_OK) {
        status = vrs_net_bias(net, index, conv->out_channels, quantum, &args->bias);
    }
    if (status == VRS_OK && conv->scaled) {
        status = vrs_net_factors(net, index, conv->out_channels, quantum, &args->scale);
    }
    if (status == VRS_OK && conv->act.kind == VRS_NET_ACT_PRELU) {
        status = vrs_net_floats(net, node->act.slope, conv->out_channels, &args->slope);
    }
    if (conv->follow == VRS_CONV_FOLLOW_NONE || status != VRS_OK) {
        return status;
    }
    int32_t next = vrs_net_only_reader(net, node->outputs[0]);
    args->y = program->at[g->nodes[next].outputs[0]];
    if (conv->follow == VRS_CONV_FOLLOW_HEAD) {
        status = vrs_net_head_weights(net, next, conv, &args->head_weights);
        if (status == VRS_OK) {
            status = vrs_net_bias(net, next, conv->head_channels, 1.0f, &args->head_bias);
        }
    }
    return status;
}

/* What the plan's convolution leaves out of the node. */
static vrs_status queue_rest(vrs_net *net, const vrs_net_program *program, int32_t index,
                             const vrs_conv *conv, vrs_device_stream *stream)
{
    const vrs_node *node = &net->graph->nodes[index];
    bool act = conv->act.kind == VRS_NET_ACT_NONE && node->act.kind != VRS_ACT_NONE;
    return conv->bare || act ? vrs_net_queue_rest(net, program, index, conv->bare != 0, stream)
                             : VRS_OK;
}

vrs_status vrs_net_queue_conv(vrs_net *net, const vrs_net_program *program, int32_t index,
                              vrs_device_stream *stream)
{
    const vrs_net_conv_choice *choice = &program->convs[index];
    int32_t result = net->graph->nodes[index].outputs[0];
    vrs_conv_args args;
    vrs_status status = args_of(net, program, index, &choice->conv, choice->plan, &args);
    if (status == VRS_OK && choice->conv.out_channels < net->forms[result].fill) {
        status = vrs_device_fill(stream, program->at[result], 0, vrs_net_value_bytes(net, result));
    }
    if (status == VRS_OK) {
        status = choice->plan->provider->enqueue(choice->plan, &args, stream);
    }
    return status == VRS_OK ? queue_rest(net, program, index, &choice->conv, stream) : status;
}

/* --- choosing --- */

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
    return status == VRS_OK ? queue_rest(t->net, t->program, t->index, t->conv, stream) : status;
}

static vrs_status grow_workspace(vrs_net *net, size_t bytes)
{
    if (bytes <= net->workspace_bytes) {
        return VRS_OK;
    }
    vrs_memory_free(net->memory, net->workspace);
    net->workspace = NULL;
    net->workspace_bytes = 0;
    vrs_status status = vrs_memory_alloc(net->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_WORKSPACE,
                                         bytes, &net->workspace);
    net->workspace_bytes = status == VRS_OK ? bytes : 0;
    return status;
}

/* What is kept of the best so far. */
typedef struct finding {
    vrs_conv conv;
    vrs_conv_plan *plan;
    int32_t candidate;
    vrs_net_kind kind;
    double micros;
} finding;

static void destroy_plan(vrs_conv_plan *plan)
{
    if (plan) {
        plan->provider->destroy(plan);
    }
}

/* What of a provider's refusals ends the compiling. */
static bool is_serious(vrs_status status)
{
    return status == VRS_DEVICE_LOST || status == VRS_NO_MEMORY;
}

/* What is being chosen for. */
typedef struct chooser {
    vrs_net *net;
    vrs_net_program *program;
    vrs_net_prepared *prepared;
    int32_t index; /* of the node */
    vrs_net_kind kind;
    bool only;      /* there is one candidate, so its time does not matter */
    int64_t end_ns; /* so long candidates are tried, once there is one */
} chooser;

static int32_t count_candidates(const chooser *c, int32_t provider, const vrs_conv *conv)
{
    const vrs_conv_provider *by = c->net->providers[provider];
    return by->compiles ? vrs_net_prepared_count(c->prepared, provider, conv)
                        : by->candidates(c->net->states[provider], conv);
}

static vrs_status make_candidate(const chooser *c, int32_t provider, const vrs_conv *conv,
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
static vrs_status try_candidate(const chooser *c, const vrs_conv *conv, int32_t provider,
                                int32_t candidate, finding *best)
{
    vrs_net *net = c->net;
    trial t = {.net = net, .program = c->program, .index = c->index, .conv = conv};
    double micros = INFINITY;
    vrs_status status = make_candidate(c, provider, conv, candidate, &t.plan);
    if (status != VRS_OK || !t.plan) {
        return is_serious(status) ? status : VRS_OK;
    }
    if (t.plan->workspace <= WORKSPACE_MAX) {
        status = grow_workspace(net, t.plan->workspace);
        if (status == VRS_OK) {
            status = args_of(net, c->program, c->index, conv, t.plan, &t.args);
        }
        if (status == VRS_OK) {
            status = c->only ? try_once(net, &t) : vrs_net_time(net, queue_trial, &t, &micros);
            net->effort.timed++;
            micros = c->only && status == VRS_OK ? 0 : micros;
        }
    }
    if (status != VRS_OK) {
        destroy_plan(t.plan);
        return is_serious(status) ? status : VRS_OK;
    }
    if (micros < best->micros * BETTER) {
        destroy_plan(best->plan);
        memcpy(&best->conv, conv, sizeof *conv);
        best->plan = t.plan;
        best->candidate = candidate;
        best->kind = c->kind;
        best->micros = micros;
    } else {
        destroy_plan(t.plan);
    }
    return VRS_OK;
}

/* Everybody's candidates but those of the last provider, whose kernels are plain. */
static vrs_status try_all(const chooser *c, const vrs_conv *conv, finding *best)
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

static vrs_status try_plain(const chooser *c, const vrs_conv *conv, bool only, finding *best)
{
    int32_t last = c->net->provider_count - 1;
    chooser plain = *c;
    plain.only = only;
    return count_candidates(c, last, conv) > 0 ? try_candidate(&plain, conv, last, 0, best)
                                               : VRS_OK;
}

/* Whether anybody but the last provider has something for it. */
static bool others_have(const chooser *c, const vrs_conv *conv)
{
    int32_t count = 0;
    for (int32_t p = 0; p < c->net->provider_count - 1 && count == 0; p++) {
        count = c->net->states[p] ? count_candidates(c, p, conv) : 0;
    }
    return count > 0;
}

/* The best way to run the convolution alone. */
static vrs_status choose_alone(const chooser *c, finding *best)
{
    vrs_net *net = c->net;
    vrs_conv conv = vrs_net_describe_conv(net, c->index, false);
    bool compared = suits_plain(&conv) && others_have(c, &conv);
    vrs_status status = compared ? try_plain(c, &conv, false, best) : VRS_OK;
    if (status == VRS_OK) {
        status = try_all(c, &conv, best);
    }
    chooser less = *c;
    vrs_conv part = conv;
    less.kind = VRS_NET_LESS;
    if (status == VRS_OK && vrs_net_leave_out(&part, best->plan != NULL)) {
        status = try_all(&less, &part, best);
    }
    if (status == VRS_OK && !best->plan) {
        status = try_plain(c, &conv, true, best);
    }
    if (status == VRS_OK && !best->plan) {
        status = vrs_fail(VRS_ENGINE, "%s: nothing runs the node %s on %s: %s", net->graph->name,
                          net->graph->nodes[c->index].name,
                          vrs_device_get_properties(net->device)->name, vrs_last_error());
    }
    return status;
}

/* With the node behind it, where that is faster than both. */
static vrs_status choose_follow(const chooser *c, double behind, finding *best)
{
    finding with = {.micros = best->micros + behind};
    vrs_conv conv = vrs_net_describe_conv(c->net, c->index, true);
    chooser more = *c;
    more.kind = VRS_NET_MORE;
    vrs_status status = try_all(&more, &conv, &with);
    if (with.plan) {
        destroy_plan(best->plan);
        *best = with;
    }
    return status;
}

static void keep(const vrs_net *net, vrs_net_program *program, int32_t index, const finding *best)
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
static bool copy_choice(const vrs_net *net, vrs_net_program *program, int32_t index)
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

static bool is_conv(const vrs_node *node)
{
    return node->op == VRS_OP_CONV || node->op == VRS_OP_CONV_TRANSPOSED;
}

/* The node behind the convolution has its own plan and time before they are compared. */
static vrs_status choose_behind(const chooser *c, int32_t next, double *micros)
{
    vrs_status status = VRS_OK;
    if (is_conv(&c->net->graph->nodes[next]) && !c->program->convs[next].plan) {
        chooser other = *c;
        finding alone = {.micros = INFINITY};
        other.index = next;
        status = choose_alone(&other, &alone);
        if (alone.plan) {
            keep(c->net, c->program, next, &alone);
        }
    }
    return status == VRS_OK ? vrs_net_time_node(c->net, c->program, next, micros) : status;
}

static vrs_status choose_one(const chooser *c)
{
    const vrs_net *net = c->net;
    finding found = {.micros = INFINITY};
    int32_t next = vrs_net_only_reader(net, net->graph->nodes[c->index].outputs[0]);
    bool follow = next >= 0 && net->roles[next] == VRS_NET_FOLLOW;
    double behind = 0;
    vrs_status status = choose_alone(c, &found);
    if (follow && status == VRS_OK) {
        status = choose_behind(c, next, &behind);
    }
    if (follow && status == VRS_OK) {
        status = choose_follow(c, behind, &found);
    }
    if (found.plan) {
        keep(net, c->program, c->index, &found);
    }
    return status;
}

/* --- plans that were kept --- */

static int32_t provider_of(const vrs_net *net, const char *name)
{
    for (int32_t p = 0; p < net->provider_count; p++) {
        if (net->states[p] && strcmp(net->providers[p]->name, name) == 0) {
            return p;
        }
    }
    return -1;
}

static vrs_status make_kept(const vrs_net *net, const vrs_plan_entry *entry, const vrs_conv *conv,
                            vrs_conv_plan **plan)
{
    int32_t p = provider_of(net, entry->provider);
    if (p < 0) {
        return VRS_UNSUPPORTED;
    }
    const vrs_conv_provider *by = net->providers[p];
    if (by->restore && entry->bytes > 0) {
        return by->restore(net->states[p], conv, entry->data, entry->bytes, plan);
    }
    bool known = entry->candidate >= 0 && entry->candidate < by->candidates(net->states[p], conv);
    return known ? by->prepare(net->states[p], conv, entry->candidate, plan) : VRS_UNSUPPORTED;
}

/* Takes the plan that was kept for a node, if there is one and it is still what it was. */
static vrs_status restore(const chooser *c, bool *done)
{
    vrs_net *net = c->net;
    const vrs_plan_entry *entry =
        net->cached ? vrs_plans_find(net->cached, c->program->batch, c->index) : NULL;
    *done = false;
    if (!entry || entry->kind < VRS_NET_WHOLE || entry->kind > VRS_NET_MORE) {
        return VRS_OK;
    }
    int32_t next = vrs_net_only_reader(net, net->graph->nodes[c->index].outputs[0]);
    bool follow = entry->kind == VRS_NET_MORE;
    if (follow && (next < 0 || net->roles[next] != VRS_NET_FOLLOW)) {
        return VRS_OK;
    }
    finding kept = {.candidate = entry->candidate, .kind = (vrs_net_kind)entry->kind};
    kept.conv = vrs_net_describe_conv(net, c->index, follow);
    if (entry->kind == VRS_NET_LESS && !vrs_net_leave_out(&kept.conv, false)) {
        return VRS_OK;
    }
    vrs_status status = make_kept(net, entry, &kept.conv, &kept.plan);
    if (status != VRS_OK || strcmp(kept.plan->name, entry->name) != 0 ||
        kept.plan->workspace > WORKSPACE_MAX) {
        destroy_plan(status == VRS_OK ? kept.plan : NULL);
        return is_serious(status) ? status : VRS_OK;
    }
    status = grow_workspace(net, kept.plan->workspace);
    keep(net, c->program, c->index, &kept);
    net->restored++;
    *done = status == VRS_OK;
    return status;
}

/* Plans that were kept, for all nodes that have one. `all`: nothing is left to choose. */
static vrs_status restore_all(chooser *c, bool *all)
{
    const vrs_net *net = c->net;
    vrs_status status = VRS_OK;
    *all = net->cached != NULL;
    for (c->index = 0; c->index < net->graph->node_count && status == VRS_OK && net->cached;
         c->index++) {
        if (is_conv(&net->graph->nodes[c->index]) && net->roles[c->index] != VRS_NET_GONE &&
            !copy_choice(net, c->program, c->index)) {
            bool done;
            status = restore(c, &done);
            *all = *all && done;
        }
    }
    return status;
}

static vrs_status collect_program(const vrs_net_program *program, int32_t nodes, vrs_plans *plans)
{
    vrs_status status = VRS_OK;
    for (int32_t n = 0; n < nodes && status == VRS_OK; n++) {
        const vrs_net_conv_choice *choice = &program->convs[n];
        if (!choice->plan || !choice->owned) {
            continue;
        }
        const vrs_conv_provider *by = choice->plan->provider;
        vrs_plan_entry entry = {.batch = program->batch,
                                .node = n,
                                .kind = (int32_t)choice->kind,
                                .candidate = choice->candidate};
        (void)snprintf(entry.provider, sizeof entry.provider, "%s", by->name);
        (void)snprintf(entry.name, sizeof entry.name, "%s", choice->plan->name);
        void *data = NULL;
        /* A plan that cannot be saved is made from its number again. */
        if (by->save && by->save(choice->plan, &data, &entry.bytes) != VRS_OK) {
            entry.bytes = 0;
            data = NULL;
        }
        entry.data = data;
        status = vrs_plans_add(plans, &entry);
        vrs_free(data);
    }
    return status;
}

/* Plans of sizes that were kept before and are not in use now stay. */
static vrs_status collect_kept(const vrs_net *net, vrs_plans *plans)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; net->cached && i < vrs_plans_count(net->cached) && status == VRS_OK; i++) {
        const vrs_plan_entry *entry = vrs_plans_at(net->cached, i);
        bool used = false;
        for (int32_t p = 0; p < net->program_count; p++) {
            used = used || net->programs[p].batch == entry->batch;
        }
        status = used ? VRS_OK : vrs_plans_add(plans, entry);
    }
    return status;
}

vrs_status vrs_net_collect(const vrs_net *net, const char *key, vrs_plans **result)
{
    vrs_plans *plans;
    vrs_status status = vrs_plans_create(key, &plans);
    if (status != VRS_OK) {
        return status;
    }
    for (int32_t p = 0; p < net->program_count && status == VRS_OK; p++) {
        status = collect_program(&net->programs[p], net->graph->node_count, plans);
    }
    if (status == VRS_OK) {
        status = collect_kept(net, plans);
    }
    if (status != VRS_OK) {
        vrs_plans_destroy(plans);
        return status;
    }
    *result = plans;
    return VRS_OK;
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
    if (net->progress) {
        net->progress(net->progress_opaque, &progress);
    }
}

/* The plan of one node, if it wants one. */
static vrs_status choose_next(chooser *c)
{
    vrs_net *net = c->net;
    const vrs_node *node = &net->graph->nodes[c->index];
    if (!is_conv(node) || net->roles[c->index] != VRS_NET_RUN || c->program->convs[c->index].plan) {
        return VRS_OK;
    }
    if (copy_choice(net, c->program, c->index)) {
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
    chooser c = {.net = net, .program = program};
    int64_t begin = vrs_now_ns();
    bool all;
    vrs_status status = restore_all(&c, &all);
    if (status == VRS_OK && !all) {
        status = vrs_net_prepare(net, &c.prepared);
    }
    int64_t prepared = vrs_now_ns();
    for (c.index = 0; c.index < g->node_count && status == VRS_OK; c.index++) {
        status = choose_next(&c);
        if (status == VRS_OK && !all) {
            vrs_net_tell(net, "nodes", c.index + 1, g->node_count, g->nodes[c.index].name);
        }
    }
    vrs_net_prepared_free(net, c.prepared);
    net->effort.restored = net->restored;
    net->effort.making_s += (double)(prepared - begin) / (double)VRS_NS_PER_S;
    net->effort.timing_s += (double)(vrs_now_ns() - prepared) / (double)VRS_NS_PER_S;
    return status;
}
