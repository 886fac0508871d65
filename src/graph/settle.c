/* What is known without the picture: computed while loading, and again for other batch sizes. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/own.h"

/* Small results are computed however small their inputs are. */
#define SMALL_BYTES (1 << 20)

/* Operators that take time in proportion to what they read and write. */
static bool is_cheap(vrs_op op)
{
    switch (op) {
    case VRS_OP_CONV:
    case VRS_OP_CONV_TRANSPOSED:
    case VRS_OP_INSTANCE_NORM:
    case VRS_OP_POOL:
    case VRS_OP_RESIZE:
    case VRS_OP_MATMUL:
    case VRS_OP_GEMM:
        return false;
    default:
        return true;
    }
}

/* Whether all that the node reads is known; `follows` says whether any of it follows the batch, and
 * `bytes` how much it is. */
static bool all_known(const vrs_graph *graph, const vrs_node *node, bool *follows, size_t *bytes)
{
    *follows = node->op == VRS_OP_SHAPE;
    *bytes = 0;
    if (node->op == VRS_OP_SHAPE)
        return true;
    for (int32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == VRS_NO_VALUE)
            continue;
        const vrs_value *value = &graph->values[node->inputs[i]];
        if (!value->data)
            return false;
        *follows = *follows || value->follows_batch;
        *bytes += vrs_value_bytes(value);
    }
    for (size_t i = 0; i < sizeof(node->rule->params) / sizeof(*node->rule->params); i++) {
        int32_t param = node->rule->params[i];
        *follows = *follows || (param != VRS_NO_VALUE && graph->values[param].follows_batch);
    }
    return true;
}

static bool is_wanted(vrs_graph *graph, const vrs_node *node, size_t in)
{
    const vrs_value *x = &graph->values[node->inputs[0]];
    if (!is_cheap(node->op) || (node->op == VRS_OP_DEQUANTIZE && x->dtype != VRS_DTYPE_I32))
        return false;
    size_t out = 0;
    for (int32_t i = 0; i < node->output_count; i++)
        out += vrs_value_bytes(&graph->values[node->outputs[i]]);
    graph->own->folded_bytes += (int64_t)out;
    return (out <= SMALL_BYTES || out <= 4 * in) &&
           graph->own->folded_bytes <= VRS_GRAPH_MAX_FOLDED;
}

vrs_status vrs_node_fold(vrs_graph *graph, const vrs_node *node, bool *done)
{
    bool follows;
    size_t in;
    *done = all_known(graph, node, &follows, &in) && is_wanted(graph, node, in);
    if (!*done)
        return VRS_OK;
    const void *inputs[VRS_GRAPH_MAX_INPUTS] = {0};
    void *outputs[VRS_GRAPH_MAX_INPUTS];
    for (int32_t i = 0; i < node->input_count; i++) {
        int32_t value = node->inputs[i];
        inputs[i] = value != VRS_NO_VALUE ? graph->values[value].data : NULL;
    }
    for (int32_t i = 0; i < node->output_count; i++) {
        vrs_value *value = &graph->values[node->outputs[i]];
        vrs_free(value->data);
        value->data = vrs_alloc_aligned(vrs_value_bytes(value));
        value->follows_batch = follows;
        if (!value->data)
            return VRS_NO_MEMORY;
        outputs[i] = value->data;
    }
    vrs_status status = vrs_node_compute(graph, node, inputs, outputs);
    if (status == VRS_OK)
        return VRS_OK;
    return vrs_fail_at_node(graph, node, status == VRS_INVALID ? VRS_FORMAT : status);
}

/* Infers one node again; what it makes keeps its number of axes. */
static vrs_status infer_again(vrs_graph *graph, vrs_node *node)
{
    int32_t rank[VRS_GRAPH_MAX_INPUTS] = {0};
    for (int32_t i = 0; i < node->output_count; i++)
        rank[i] = graph->values[node->outputs[i]].rank;
    vrs_status status = vrs_node_infer(graph, node);
    bool known = node->output_count > 0 && graph->values[node->outputs[0]].data;
    if (status == VRS_OK && known) {
        bool done;
        status = vrs_node_fold(graph, node, &done);
    }
    for (int32_t i = 0; i < node->output_count && status == VRS_OK; i++) {
        if (graph->values[node->outputs[i]].rank != rank[i]) {
            status = vrs_fail_node(graph, node, VRS_UNSUPPORTED,
                                   "the number of axes of its result "
                                   "depends on the batch size");
        }
    }
    return status;
}

vrs_status vrs_graph_infer(vrs_graph *graph, int32_t batch)
{
    if (batch < 1 || batch > VRS_GRAPH_MAX_BATCH) {
        return vrs_fail(VRS_INVALID, "%s: a batch of %d is not 1 to %d", graph->name, batch,
                        VRS_GRAPH_MAX_BATCH);
    }
    if (batch != 1 && !graph->free_batch) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: takes one batch size only, its own, and one of %d was asked for; "
                        "export it with a dynamic first axis",
                        graph->name, batch);
    }
    graph->batch = batch;
    graph->own->folded_bytes = 0;
    for (int32_t i = 0; i < graph->input_count; i++) {
        vrs_value *input = &graph->values[graph->inputs[i]];
        if (input->batch_axis == 0)
            input->dims[0] = batch;
    }
    vrs_node *shapes = graph->own->shape_nodes;
    int32_t next = 0;
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i <= graph->node_count && status == VRS_OK; i++) {
        int32_t order = i < graph->node_count ? graph->nodes[i].rule->order : INT32_MAX;
        while (status == VRS_OK && next < graph->own->shape_node_count &&
               shapes[next].rule->order < order)
            status = infer_again(graph, &shapes[next++]);
        if (status == VRS_OK && i < graph->node_count)
            status = infer_again(graph, &graph->nodes[i]);
    }
    graph->batch = status == VRS_OK ? batch : 0;
    return status;
}

/* What values were for batch 1. */
typedef struct snapshot {
    int64_t dims[VRS_GRAPH_MAX_RANK];
    void *data; /* of what follows the batch */
} snapshot;

static void free_snapshots(snapshot *before, int32_t count)
{
    for (int32_t i = 0; before && i < count; i++)
        vrs_free(before[i].data);
    vrs_free(before);
}

static snapshot *take_snapshots(const vrs_graph *graph)
{
    snapshot *before = vrs_alloc_array((size_t)graph->value_count, sizeof(*before));
    for (int32_t i = 0; before && i < graph->value_count; i++) {
        const vrs_value *value = &graph->values[i];
        memcpy(before[i].dims, value->dims, sizeof(before[i].dims));
        if (!value->follows_batch)
            continue;
        before[i].data = vrs_alloc(vrs_value_bytes(value));
        if (!before[i].data) {
            free_snapshots(before, graph->value_count);
            return NULL;
        }
        memcpy(before[i].data, value->data, vrs_value_bytes(value));
    }
    return before;
}

/* Finds the axes that grow, and frees from the batch what is the same for 1 and 2. */
static void compare(vrs_graph *graph, const snapshot *before)
{
    for (int32_t i = 0; i < graph->value_count; i++) {
        vrs_value *value = &graph->values[i];
        bool same = true;
        for (int32_t k = value->rank - 1; k >= 0; k--) {
            if (value->dims[k] != before[i].dims[k]) {
                value->batch_axis = k;
                same = false;
            }
        }
        if (value->follows_batch && same &&
            memcmp(value->data, before[i].data, vrs_value_bytes(value)) == 0)
            value->follows_batch = false;
    }
}

/* Whether a node of a file that says batch 1 puts pictures of a larger batch together, as nothing
 * told it that its axis of 1 is one of pictures. Those lie along `axis` of its input. */
static bool mixes(const vrs_graph *graph, const vrs_node *node, int32_t axis)
{
    const vrs_value *x = &graph->values[node->inputs[0]], *y = &graph->values[node->outputs[0]];
    const vrs_value *b =
        node->input_count > 1 && node->inputs[1] >= 0 ? &graph->values[node->inputs[1]] : NULL;
    switch (node->op) {
    case VRS_OP_REDUCE:
        return (node->as.reduce.axes >> axis & 1) != 0;
    case VRS_OP_ARGMAX:
        return node->as.argmax.axis == axis;
    case VRS_OP_SOFTMAX:
        return node->as.softmax.to_end ? axis >= node->as.softmax.axis
                                       : axis == node->as.softmax.axis;
    case VRS_OP_CONCAT:
    case VRS_OP_SPLIT:
    case VRS_OP_GATHER:
        return node->as.axis.axis == axis;
    case VRS_OP_SLICE:
    case VRS_OP_PAD:
        return x->dims[axis] != y->dims[axis];
    case VRS_OP_MATMUL:
        return axis == x->rank - 1 || (axis == x->rank - 2 && b->batch_axis >= 0) ||
               (b->batch_axis >= 0 && b->batch_axis >= b->rank - 2);
    case VRS_OP_GEMM:
        return axis != (int32_t)node->as.gemm.transpose_a || b->batch_axis >= 0;
    case VRS_OP_RESHAPE:
        return axis != 0 || y->batch_axis != 0;
    case VRS_OP_CONV:
    case VRS_OP_CONV_TRANSPOSED:
    case VRS_OP_SCALE_SHIFT:
    case VRS_OP_INSTANCE_NORM:
    case VRS_OP_POOL:
    case VRS_OP_RESIZE:
    case VRS_OP_DEPTH_TO_SPACE:
    case VRS_OP_SPACE_TO_DEPTH:
        return axis != 0;
    default:
        return false;
    }
}

static vrs_status check_mixing(const vrs_graph *graph)
{
    for (int32_t i = 0; i < graph->node_count; i++) {
        const vrs_node *node = &graph->nodes[i];
        for (int32_t k = 0; k < node->input_count; k++) {
            const vrs_value *x = node->inputs[k] >= 0 ? &graph->values[node->inputs[k]] : NULL;
            bool wrong = x && x->batch_axis >= 0 && (k == 0 || node->op == VRS_OP_CONCAT) &&
                         mixes(graph, node, x->batch_axis);
            if (wrong) {
                return vrs_fail_node(
                    graph, node, VRS_UNSUPPORTED,
                    "it puts the pictures of a batch together, as the file is made "
                    "for a batch of 1 and cannot be run with more");
            }
        }
    }
    return VRS_OK;
}

static vrs_status try_batch_two(vrs_graph *graph)
{
    snapshot *before = take_snapshots(graph);
    if (!before)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_graph_infer(graph, 2);
    if (status == VRS_OK) {
        compare(graph, before);
        status = graph->own->rebatched ? check_mixing(graph) : VRS_OK;
        status = status == VRS_OK ? vrs_graph_infer(graph, 1) : status;
    } else if (graph->own->rebatched && status != VRS_NO_MEMORY) {
        status = vrs_fail(VRS_UNSUPPORTED,
                          "%s; the file is made for a batch of 1 and cannot be run with more",
                          vrs_last_error());
    }
    free_snapshots(before, graph->value_count);
    return status;
}

/* Whether all results of a node are known: it computes with shapes, or with nothing but constants.
 */
static bool is_known(const vrs_graph *graph, const vrs_node *node, bool *follows)
{
    *follows = false;
    for (int32_t i = 0; i < node->output_count; i++) {
        const vrs_value *value = &graph->values[node->outputs[i]];
        if (!value->data)
            return false;
        *follows = *follows || value->follows_batch;
    }
    return node->output_count > 0;
}

vrs_status vrs_graph_settle(vrs_graph *graph)
{
    struct vrs_graph_own *own = graph->own;
    vrs_status status = VRS_OK;
    if (graph->free_batch)
        status = try_batch_two(graph);
    own->shape_nodes = vrs_alloc_array((size_t)graph->node_count, sizeof(*own->shape_nodes));
    if (status != VRS_OK || !own->shape_nodes)
        return status != VRS_OK ? status : VRS_NO_MEMORY;
    int32_t kept = 0;
    for (int32_t i = 0; i < graph->node_count; i++) {
        vrs_node node = graph->nodes[i];
        bool follows;
        if (!is_known(graph, &node, &follows)) {
            graph->nodes[kept++] = node;
        } else if (follows && graph->free_batch) {
            own->shape_nodes[own->shape_node_count++] = node;
        } else {
            for (int32_t k = 0; k < node.output_count; k++)
                graph->values[node.outputs[k]].follows_batch = false;
            vrs_node_clear(&node);
        }
    }
    graph->node_count = kept;
    vrs_graph_link(graph);
    return VRS_OK;
}
