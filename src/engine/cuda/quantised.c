/* Layers that a file has quantised (QDQ), and which of them run in 8 bits.
 *
 * The file says for a convolution's input and weights what a step is worth. Without QUANTIZE and
 * DEQUANTIZE the network is one of floats whose convolutions may read 8 bits. A value is stored in
 * 8 bits where that costs nothing: its maker is a convolution, an enlarging or a concatenation of
 * such, so that it can write steps itself, and all its readers are convolutions of that range,
 * means, or convolutions that add it where the file has them add what is rounded, too. There 8 bits
 * are faster in every layer that was measured (bench/conv_layers.c); a value that others read too
 * would have to be rounded by a pass of its own, which costs more than it gains.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/cuda/network.h"

/* --- taking the nodes out --- */

static bool is_zero(const vrs_graph *g, const vrs_node *node)
{
    if (node->input_count < 3 || node->inputs[2] == VRS_NO_VALUE)
        return true;
    const vrs_value *zero = &g->values[node->inputs[2]];
    size_t bytes = vrs_value_bytes(zero);
    bool all = zero->data != NULL;
    for (size_t i = 0; all && i < bytes; i++)
        all = ((const uint8_t *)zero->data)[i] == 0;
    return all;
}

/* One symmetric step for the whole value: 0 where it is otherwise. */
static float step_of(const vrs_graph *g, const vrs_node *node)
{
    const vrs_value *scale = &g->values[node->inputs[1]];
    bool one = scale->data && vrs_value_elements(scale) == 1 && is_zero(g, node) &&
               g->values[node->outputs[0]].dtype == VRS_DTYPE_I8;
    float step = one ? ((const float *)scale->data)[0] : 0.0f;
    return isfinite(step) && step > 0 ? step : 0.0f;
}

static vrs_status add_range(vrs_net *net, const char *name, float quantum)
{
    vrs_net_range *grown = vrs_realloc(net->ranges, (size_t)(net->range_count + 1) * sizeof *grown);
    if (!grown)
        return VRS_NO_MEMORY;
    net->ranges = grown;
    char *copy = vrs_strdup(name);
    if (!copy)
        return VRS_NO_MEMORY;
    net->ranges[net->range_count++] = (vrs_net_range){.name = copy, .quantum = quantum};
    return VRS_OK;
}

/* NULL: none. */
static vrs_net_range *find_range(const vrs_net *net, const char *name)
{
    for (int32_t i = 0; i < net->range_count; i++)
        if (strcmp(net->ranges[i].name, name) == 0)
            return &net->ranges[i];
    return NULL;
}

static float range_of(const vrs_net *net, const char *name)
{
    const vrs_net_range *range = find_range(net, name);
    return range ? range->quantum : 0.0f;
}

/* Before readers are given the floats. */
static void note_added(vrs_net *net)
{
    const vrs_graph *g = net->graph;
    for (int32_t n = 0; n < g->node_count; n++) {
        const vrs_node *node = &g->nodes[n];
        bool first = node->op == VRS_OP_CONV || node->op == VRS_OP_QUANTIZE;
        for (int32_t i = first ? 1 : 0; i < node->input_count; i++) {
            int32_t value = node->inputs[i];
            vrs_net_range *range =
                value != VRS_NO_VALUE ? find_range(net, g->values[value].name) : NULL;
            if (range)
                range->added = true;
        }
    }
}

/* What is rounded to steps and made of them again, as whoever reads it: the floats themselves. Else
 * each such reader, an addition above all, had two passes more. */
static int32_t unrounded(const vrs_graph *g, int32_t index)
{
    const vrs_value *v = &g->values[index];
    if (v->data || v->producer < 0 || g->nodes[v->producer].op != VRS_OP_DEQUANTIZE)
        return index;
    const vrs_value *steps = &g->values[g->nodes[v->producer].inputs[0]];
    bool rounded =
        !steps->data && steps->producer >= 0 && g->nodes[steps->producer].op == VRS_OP_QUANTIZE;
    return rounded ? g->nodes[steps->producer].inputs[0] : index;
}

static void unround_readers(vrs_graph *g)
{
    for (int32_t n = 0; n < g->node_count; n++) {
        for (int32_t i = 0; i < g->nodes[n].input_count; i++) {
            int32_t *input = &g->nodes[n].inputs[i];
            *input = *input == VRS_NO_VALUE ? *input : unrounded(g, *input);
        }
    }
}

vrs_status vrs_net_unquantise(vrs_net *net)
{
    vrs_graph *g = net->graph;
    vrs_status status = VRS_OK;
    for (int32_t n = 0; n < g->node_count && status == VRS_OK; n++) {
        vrs_quantised q;
        if (!vrs_graph_quantised(g, n, &q) || g->nodes[n].op != VRS_OP_CONV)
            continue;
        int32_t maker = g->values[q.x].producer;
        if (maker < 0 || g->nodes[maker].op != VRS_OP_QUANTIZE)
            continue;
        int32_t floats = g->nodes[maker].inputs[0];
        float step = step_of(g, &g->nodes[maker]);
        bool known = range_of(net, g->values[floats].name) > 0;
        if (step > 0 && !known && g->values[q.weights].dtype == VRS_DTYPE_I8 &&
            is_zero(g, &g->nodes[q.weights_node]))
            status = add_range(net, g->values[floats].name, step);
        g->nodes[n].inputs[0] = floats;
    }
    if (status == VRS_OK) {
        note_added(net);
        unround_readers(g);
    }
    if (status == VRS_OK && net->precision == VRS_PRECISION_INT8 && net->range_count == 0) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: has no quantised layers: make a file that has with vrseg-quantize, or "
                        "use precision f16",
                        g->name);
    }
    /* What nobody reads any more goes. */
    return status == VRS_OK ? vrs_graph_optimise(g, VRS_PASS_ALL) : status;
}

float vrs_net_weight_scale(const vrs_net *net, const vrs_node *node, int32_t o)
{
    const vrs_graph *g = net->graph;
    const vrs_value *w = &g->values[node->inputs[1]];
    if (w->data || w->producer < 0 || g->nodes[w->producer].op != VRS_OP_DEQUANTIZE)
        return 0.0f;
    const vrs_node *dequantize = &g->nodes[w->producer];
    const vrs_value *scale = &g->values[dequantize->inputs[1]];
    size_t count = vrs_value_elements(scale), at = count > 1 ? (size_t)o : 0;
    /* Padding channels have no scale of their own; their weights are zero. */
    return at < count ? ((const float *)scale->data)[at] : 1.0f;
}

/* --- what is stored in 8 bits --- */

/* A convolution whose weights are of 8 bits, by whole output channels. */
static bool reads_bits(const vrs_net *net, const vrs_node *node, int32_t value)
{
    const vrs_graph *g = net->graph;
    if (node->op != VRS_OP_CONV || node->inputs[0] != value || node->as.conv.groups != 1 ||
        net->forms[value].s2d)
        return false;
    const vrs_value *w = &g->values[node->inputs[1]];
    if (w->data || w->producer < 0 || g->nodes[w->producer].op != VRS_OP_DEQUANTIZE)
        return false;
    const vrs_node *dequantize = &g->nodes[w->producer];
    bool one = vrs_value_elements(&g->values[dequantize->inputs[1]]) == 1;
    bool residual = node->input_count > 3 && node->inputs[3] == value;
    return !residual && (one || dequantize->as.quantize.axis == 0) &&
           g->values[dequantize->inputs[0]].dtype == VRS_DTYPE_I8 && is_zero(g, dequantize);
}

/* A mean or sum takes what a step is worth along. */
static bool reads_sum(const vrs_node *node)
{
    return node->op == VRS_OP_REDUCE &&
           (node->as.reduce.kind == VRS_REDUCE_MEAN || node->as.reduce.kind == VRS_REDUCE_SUM);
}

static bool keeps_steps(const vrs_node *node)
{
    return node->act.kind == VRS_ACT_NONE || node->act.kind == VRS_ACT_RELU;
}

/* Whether a convolution can add a residual in 8 bits, or one of floats to steps: kernels of ours
 * for Hopper. */
static bool adds_steps(const vrs_net *net, const vrs_node *node)
{
    const vrs_conv_attributes *a = &node->as.conv;
    bool point = a->kernel[0] == 1 && a->kernel[1] == 1 && a->stride[0] == 1 && a->stride[1] == 1 &&
                 a->pad_before[0] == 0 && a->pad_before[1] == 0 && a->groups == 1;
    int32_t type = net->forms[node->inputs[3]].type;
    return node->op == VRS_OP_CONV && point && keeps_steps(node) &&
           vrs_device_get_properties(net->device)->major == 9 &&
           (type == VRS_NET_F16 || type == VRS_NET_I8);
}

/* A convolution that adds it. */
static bool reads_residual(const vrs_net *net, const vrs_node *node, int32_t value)
{
    return node->op == VRS_OP_CONV && node->inputs[0] != value && node->inputs[3] == value &&
           !find_range(net, net->graph->values[value].name)->added && adds_steps(net, node);
}

static bool is_output(const vrs_graph *g, int32_t value)
{
    bool found = false;
    for (int32_t i = 0; i < g->output_count; i++)
        found = found || g->outputs[i] == value;
    return found;
}

static bool all_read_bits(const vrs_net *net, int32_t value)
{
    const vrs_graph *g = net->graph;
    bool all = !is_output(g, value);
    for (int32_t n = 0; n < g->node_count && all; n++) {
        for (int32_t i = 0; i < g->nodes[n].input_count && all; i++) {
            const vrs_node *node = &g->nodes[n];
            all = node->inputs[i] != value ||
                  (i == 0 && (reads_bits(net, node, value) || reads_sum(node))) ||
                  (i == 3 && reads_residual(net, node, value));
        }
    }
    return all;
}

/* Whether the maker of a value can write it in steps. */
static bool writes_bits(const vrs_net *net, int32_t value)
{
    const vrs_graph *g = net->graph;
    const vrs_value *v = &g->values[value];
    const vrs_net_form *form = &net->forms[value];
    if (v->producer < 0 || !form->picture || form->port != VRS_NET_INNER ||
        net->roles[v->producer] != VRS_NET_RUN)
        return false;
    const vrs_node *node = &g->nodes[v->producer];
    if (node->op == VRS_OP_RESIZE)
        return true;
    if (node->op == VRS_OP_CONV) {
        bool residual = node->input_count > 3 && node->inputs[3] != VRS_NO_VALUE;
        return keeps_steps(node) && node->as.conv.groups == 1 &&
               (!residual || adds_steps(net, node));
    }
    bool all = node->op == VRS_OP_CONCAT && node->as.axis.axis == 1;
    int32_t at = 0;
    for (int32_t i = 0; all && i < node->input_count; i++) {
        all = vrs_graph_uses(g, node->inputs[i]) == 1 && at % vrs_net_vector(VRS_NET_I8) == 0 &&
              g->values[node->inputs[i]].producer >= 0 &&
              g->nodes[g->values[node->inputs[i]].producer].op != VRS_OP_CONCAT &&
              writes_bits(net, node->inputs[i]);
        at += vrs_net_channels(&g->values[node->inputs[i]]);
    }
    return all;
}

/* Tensor cores take 64 channels at a time as well as they can; a few more zeros are cheaper than a
 * rest. */
static int32_t pad_channels(int32_t channels)
{
    int32_t whole = vrs_net_round(channels, 64);
    return whole - channels <= channels / 8 ? whole
                                            : vrs_net_round(channels, vrs_net_vector(VRS_NET_I8));
}

static void store(vrs_net *net, int32_t value, float quantum)
{
    vrs_net_form *form = &net->forms[value];
    form->type = VRS_NET_I8;
    form->quantum = quantum;
    form->pitch = form->fill = pad_channels(vrs_net_channels(&net->graph->values[value]));
}

void vrs_net_store_quantised(vrs_net *net)
{
    const vrs_graph *g = net->graph;
    for (int32_t v = 0; v < g->value_count; v++) {
        float quantum = g->values[v].data ? 0.0f : range_of(net, g->values[v].name);
        if (quantum <= 0 || !all_read_bits(net, v) || !writes_bits(net, v))
            continue;
        const vrs_node *node = &g->nodes[g->values[v].producer];
        store(net, v, quantum);
        for (int32_t i = 0; node->op == VRS_OP_CONCAT && i < node->input_count; i++)
            store(net, node->inputs[i], quantum);
    }
}
