/* A node as a convolution: what it is for the providers, and its launch. */
#include <string.h>

#include "engine/cuda/choose.h"

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
    if (in->type == VRS_NET_I8 && in->fill > padded)
        padded = in->fill;
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
    if (in->s2d)
        describe_stem(a, in, &c);
    c.transposed = node->op == VRS_OP_CONV_TRANSPOSED;
    c.residual_scale = c.out_quantum = 1;
    if (has(node, 3)) {
        const vrs_net_form *residual = &net->forms[node->inputs[3]];
        c.residual_pitch = residual->pitch;
        c.residual_type = residual->type;
        c.residual_scale = (residual->type == VRS_NET_I8 ? residual->quantum : 1.0f) /
                           (out->type == VRS_NET_I8 ? out->quantum : 1.0f);
    }
    c.in_type = in->type;
    c.out_type = out->type;
    c.tf32 = net->precision == VRS_PRECISION_TF32;
    c.act = vrs_net_act_of(&node->act);
    c.scaled = in->type == VRS_NET_I8 || out->type == VRS_NET_I8;
    if (follow)
        describe_follow(net, index, &c);
    return c;
}

bool vrs_net_leave_out(vrs_conv *conv, bool runs)
{
    bool exact = conv->in_type == VRS_NET_F32 && !conv->tf32;
    bool acts = conv->act.kind != VRS_NET_ACT_NONE && !runs;
    if (!exact && !acts)
        return false;
    if (exact) {
        conv->bare = 1;
        conv->residual_pitch = conv->residual_type = 0;
    }
    conv->act = (vrs_net_act){.kind = VRS_NET_ACT_NONE};
    return true;
}

/* --- launching --- */

vrs_status vrs_net_conv_args_of(vrs_net *net, const vrs_net_program *program, int32_t index,
                                const vrs_conv *conv, const vrs_conv_plan *plan,
                                vrs_conv_args *args)
{
    const vrs_graph *g = net->graph;
    const vrs_node *node = &g->nodes[index];
    const vrs_memory_block *workspace = net->lane > 0 ? net->apart[net->lane] : net->workspace;
    *args = (vrs_conv_args){.x = program->at[node->inputs[0]],
                            .residual = has(node, 3) ? program->at[node->inputs[3]] : 0,
                            .y = program->at[node->outputs[0]],
                            .workspace = workspace ? workspace->address : 0};
    vrs_status status = vrs_net_weights(net, index, conv, plan, &args->weights);
    if (status == VRS_OK)
        status = vrs_net_table(net, index, plan, plan->joins ? program->batch : 0, &args->table);
    /* Results in steps are made by factors and a bias in steps: the activation keeps them so. */
    const vrs_net_form *out = &net->forms[node->outputs[0]];
    float quantum = out->type == VRS_NET_I8 ? out->quantum : 1.0f;
    if (status == VRS_OK)
        status = vrs_net_bias(net, index, conv->out_channels, quantum, &args->bias);
    if (status == VRS_OK && conv->scaled)
        status = vrs_net_factors(net, index, conv->out_channels, quantum, &args->scale);
    if (status == VRS_OK && conv->act.kind == VRS_NET_ACT_PRELU)
        status = vrs_net_floats(net, node->act.slope, conv->out_channels, &args->slope);
    if (conv->follow == VRS_CONV_FOLLOW_NONE || status != VRS_OK)
        return status;
    int32_t next = vrs_net_only_reader(net, node->outputs[0]);
    args->y = program->at[g->nodes[next].outputs[0]];
    if (conv->follow == VRS_CONV_FOLLOW_HEAD) {
        status = vrs_net_head_weights(net, next, conv, &args->head_weights);
        if (status == VRS_OK)
            status = vrs_net_bias(net, next, conv->head_channels, 1.0f, &args->head_bias);
    }
    return status;
}

/* What the plan's convolution leaves out of the node. */
vrs_status vrs_net_queue_conv_rest(vrs_net *net, const vrs_net_program *program, int32_t index,
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
    if (choice->joined)
        return vrs_net_queue_joined(net, program, index, stream);
    int32_t result = net->graph->nodes[index].outputs[0];
    vrs_conv_args args;
    vrs_status status =
        vrs_net_conv_args_of(net, program, index, &choice->conv, choice->plan, &args);
    if (status == VRS_OK && choice->conv.out_channels < net->forms[result].fill)
        status = vrs_device_fill(stream, program->at[result], 0, vrs_net_value_bytes(net, result));
    if (status == VRS_OK)
        status = choice->plan->provider->enqueue(choice->plan, &args, stream);
    return status == VRS_OK ? vrs_net_queue_conv_rest(net, program, index, &choice->conv, stream)
                            : status;
}
