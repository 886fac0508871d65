/* Convolutions over a picture that was enlarged, and joined with another one before.
 *
 * A tap of a convolution mixes channels at one place, and enlarging mixes places of one channel: so
 * what a tap makes of the enlarged picture is what it makes of the small one, enlarged. All taps of
 * the small picture are one product of matrices, and for a factor of f they take an f*f-th of the
 * operations; what is left is to add them up where they belong (vrs_resize_attributes.taps), and
 * the taps of the other picture. */
#include <string.h>

#include "base/alloc.h"
#include "graph/own.h"

/* From this factor on: the taps of the small picture then are fewer bytes than the large one is. */
#define FACTOR_MIN 4
#define TAPS 3 /* rows and columns */

/* A convolution, and what it reads. */
typedef struct enlarged {
    vrs_graph *graph;
    int32_t conv, concat, resize; /* nodes */
    int32_t small, other;         /* values */
    int32_t at, other_at;         /* their first channels in what is joined */
    int64_t outs, channels, other_channels;
} enlarged;

static const vrs_value *value_of(const enlarged *e, int32_t value)
{
    return &e->graph->values[value];
}

/* The node that makes a value for one reader, if it does that. */
static int32_t made_by(const vrs_graph *g, int32_t value, vrs_op op)
{
    int32_t maker = g->values[value].producer;
    bool fits = maker != VRS_NO_VALUE && g->nodes[maker].op == op && vrs_graph_uses(g, value) == 1;
    return fits ? maker : VRS_NO_VALUE;
}

/* Whether inference computes with the dims of a value. */
static bool is_measured(const vrs_graph *g, int32_t value)
{
    for (int32_t i = 0; i < g->own->shape_node_count; i++)
        for (int32_t k = 0; k < g->own->shape_nodes[i].input_count; k++)
            if (g->own->shape_nodes[i].inputs[k] == value)
                return true;
    return false;
}

static bool is_pair(const int32_t pair[2], int32_t value)
{
    return pair[0] == value && pair[1] == value;
}

static bool fits_conv(const vrs_graph *g, const vrs_node *node)
{
    const vrs_conv_attributes *a = &node->as.conv;
    const vrs_value *w = node->op == VRS_OP_CONV ? &g->values[node->inputs[1]] : NULL;
    return w && w->data && w->dtype == VRS_DTYPE_F32 && node->inputs[3] == VRS_NO_VALUE &&
           a->groups == 1 && is_pair(a->kernel, TAPS) && is_pair(a->stride, 1) &&
           is_pair(a->dilation, 1) && is_pair(a->pad_before, TAPS / 2) &&
           is_pair(a->pad_after, TAPS / 2);
}

static bool fits_resize(const vrs_node *node)
{
    const vrs_resize_attributes *a = &node->as.resize;
    return a->mode == VRS_RESIZE_LINEAR && a->coordinate == VRS_RESIZE_HALF_PIXEL && a->taps == 0 &&
           node->act.kind == VRS_ACT_NONE && node->rule->kind == VRS_RULE_SCALES &&
           a->scale[0] >= FACTOR_MIN && a->scale[1] >= FACTOR_MIN;
}

static bool find(vrs_graph *g, int32_t index, enlarged *e)
{
    const vrs_node *conv = &g->nodes[index];
    *e = (enlarged){.graph = g, .conv = index};
    if (!fits_conv(g, conv))
        return false;
    e->concat = made_by(g, conv->inputs[0], VRS_OP_CONCAT);
    if (e->concat == VRS_NO_VALUE)
        return false;
    const vrs_node *concat = &g->nodes[e->concat];
    if (concat->as.axis.axis != 1 || concat->input_count != 2 || concat->act.kind != VRS_ACT_NONE ||
        is_measured(g, concat->outputs[0]))
        return false;
    for (int32_t i = 0; i < 2; i++) {
        e->resize = made_by(g, concat->inputs[i], VRS_OP_RESIZE);
        if (e->resize == VRS_NO_VALUE || !fits_resize(&g->nodes[e->resize]) ||
            is_measured(g, concat->inputs[i]))
            continue;
        e->small = g->nodes[e->resize].inputs[0];
        e->other = concat->inputs[1 - i];
        e->outs = value_of(e, conv->inputs[1])->dims[0];
        e->channels = value_of(e, e->small)->dims[1];
        e->other_channels = value_of(e, e->other)->dims[1];
        e->at = i == 0 ? 0 : (int32_t)e->other_channels;
        e->other_at = i == 0 ? (int32_t)e->channels : 0;
        return !value_of(e, e->small)->data;
    }
    return false;
}

/* Weights of the small picture: a row of channels for each tap and output channel, in this order;
 * or those of the other picture, as they are. */
static vrs_status take_weights(const enlarged *e, bool small, int32_t *index)
{
    const vrs_value *w = value_of(e, e->graph->nodes[e->conv].inputs[1]);
    int64_t taps = TAPS * TAPS, count = small ? e->channels : e->other_channels;
    int64_t at = small ? e->at : e->other_at, all = w->dims[1];
    const int64_t dims[2][4] = {{e->outs, count, TAPS, TAPS}, {taps * e->outs, count, 1, 1}};
    float *data = vrs_alloc_array((size_t)(taps * e->outs * count), sizeof *data);
    if (!data)
        return VRS_NO_MEMORY;
    for (int64_t o = 0; o < e->outs; o++) {
        for (int64_t c = 0; c < count; c++) {
            const float *from = (const float *)w->data + (o * all + at + c) * taps;
            for (int64_t t = 0; t < taps; t++)
                data[small ? (t * e->outs + o) * count + c : (o * count + c) * taps + t] = from[t];
        }
    }
    vrs_status status =
        vrs_graph_add_constant(e->graph, w->name, VRS_DTYPE_F32, 4, dims[small], data, index);
    vrs_free(data);
    return status;
}

/* The product for all taps, where the enlarging stood. */
static vrs_status make_product(const enlarged *e, int32_t weights, int32_t result, vrs_node *node)
{
    const int32_t inputs[4] = {e->small, weights, VRS_NO_VALUE, VRS_NO_VALUE};
    *node = (vrs_node){0};
    vrs_status status =
        vrs_node_make(node, VRS_OP_CONV, e->graph->nodes[e->conv].name, inputs, 4, &result, 1);
    for (int i = 0; i < 2; i++)
        node->as.conv.kernel[i] = node->as.conv.stride[i] = node->as.conv.dilation[i] = 1;
    node->as.conv.groups = 1;
    return status;
}

static vrs_status split(const enlarged *e)
{
    vrs_graph *g = e->graph;
    int32_t products, rest, result;
    vrs_node product;
    vrs_status status = take_weights(e, true, &products);
    if (status == VRS_OK)
        status = take_weights(e, false, &rest);
    if (status == VRS_OK)
        status = vrs_graph_add_value(g, value_of(e, e->small)->name, &result);
    if (status != VRS_OK)
        return status;
    const vrs_value *small = value_of(e, e->small);
    const int64_t dims[4] = {small->dims[0], TAPS * TAPS * e->outs, small->dims[2], small->dims[3]};
    g->values[result].batch_axis = small->batch_axis;
    status = vrs_value_shape(&g->values[result], VRS_DTYPE_F32, 4, dims);
    if (status != VRS_OK)
        return status;
    vrs_node *resize = &g->nodes[e->resize], *concat = &g->nodes[e->concat];
    vrs_node *conv = &g->nodes[e->conv];
    status = make_product(e, products, result, &product);
    if (status == VRS_OK)
        status = vrs_node_add_sources(conv, concat, true);
    if (status != VRS_OK) {
        vrs_node_clear(&product);
        return status;
    }
    conv->inputs[0] = e->other;
    conv->inputs[1] = rest;
    conv->inputs[3] = resize->outputs[0];
    product.rule->order = resize->rule->order;
    resize->rule->order = concat->rule->order;
    resize->inputs[0] = result;
    resize->as.resize.taps = TAPS;
    vrs_node_clear(concat);
    *concat = *resize;
    *resize = product;
    vrs_graph_link(g);
    return VRS_OK;
}

vrs_status vrs_graph_split_enlarged(vrs_graph *graph)
{
    vrs_status status = VRS_OK;
    bool found = false;
    for (int32_t i = 0; i < graph->node_count && status == VRS_OK; i++) {
        enlarged e;
        if (find(graph, i, &e)) {
            found = true;
            status = split(&e);
        }
    }
    if (found && status == VRS_OK)
        status = vrs_graph_prune(graph);
    return found && status == VRS_OK ? vrs_graph_infer(graph, graph->batch) : status;
}
