/* Inference of shapes: what moves elements. */
#include <inttypes.h>
#include <string.h>

#include "graph/infer.h"

/* Starts, ends, steps and pads beyond this reach over every axis. */
#define FAR ((int64_t)1 << 40)

static int64_t clamp(int64_t x, int64_t least, int64_t most)
{
    return x < least ? least : x > most ? most : x;
}

vrs_status infer_concat(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *first = infer_in(graph, node, 0);
    int32_t axis = node->as.axis.axis;
    int64_t dims[VRS_GRAPH_MAX_RANK];
    memcpy(dims, first->dims, sizeof(dims));
    for (int32_t i = 1; i < node->input_count; i++) {
        const vrs_value *x = infer_in(graph, node, i);
        bool same = x->rank == first->rank && x->dtype == first->dtype && axis < x->rank;
        for (int32_t k = 0; k < first->rank && same; k++)
            same = k == axis || x->dims[k] == first->dims[k];
        if (!same) {
            char text_a[96], text_b[96];
            vrs_dims_text(first, text_a, sizeof(text_a));
            vrs_dims_text(x, text_b, sizeof(text_b));
            return vrs_fail_node(graph, node, VRS_FORMAT,
                                 "shapes disagree: \"%.60s\" is %s of %s and \"%.60s\" is %s of %s",
                                 first->name, text_a, vrs_dtype_name(first->dtype), x->name, text_b,
                                 vrs_dtype_name(x->dtype));
        }
        dims[axis] += x->dims[axis];
    }
    return infer_set(graph, node, 0, first->dtype, first->rank, dims);
}

vrs_status infer_split(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    int32_t axis = node->as.axis.axis, parts = node->output_count, count;
    int64_t sizes[VRS_GRAPH_MAX_INPUTS], sum = 0;
    vrs_status status = infer_list(graph, node, 0, VRS_GRAPH_MAX_INPUTS, sizes, &count);
    if (status != VRS_OK)
        return status;
    int64_t share = (x->dims[axis] + parts - 1) / parts;
    for (int32_t i = 0; i < parts && count == 0; i++)
        sizes[i] = clamp(x->dims[axis] - i * share, 0, share);
    count = count == 0 ? parts : count;
    for (int32_t i = 0; i < count; i++)
        sum += clamp(sizes[i], 0, FAR);
    if (count != parts || sum != x->dims[axis]) {
        return vrs_fail_node(graph, node, VRS_FORMAT,
                             "shapes disagree: %d parts of together %" PRId64 " for %d results of "
                             "an axis of %" PRId64,
                             count, sum, parts, x->dims[axis]);
    }
    vrs_dtype dtype = x->dtype;
    int32_t rank = x->rank;
    int64_t dims[VRS_GRAPH_MAX_RANK];
    memcpy(dims, x->dims, sizeof(dims));
    for (int32_t i = 0; i < parts && status == VRS_OK; i++) {
        dims[axis] = sizes[i];
        status = infer_set(graph, node, i, dtype, rank, dims);
    }
    return status;
}

/* First element, step and count along one axis. */
static int64_t slice_axis(int64_t size, int64_t start, int64_t end, int64_t step, int64_t *first)
{
    start = clamp(start, -FAR, FAR);
    end = clamp(end, -FAR, FAR);
    start += start < 0 ? size : 0;
    end += end < 0 ? size : 0;
    int64_t count = 0;
    if (step > 0) {
        *first = clamp(start, 0, size);
        count = (clamp(end, 0, size) - *first + step - 1) / step;
    } else if (step < 0) {
        *first = clamp(start, 0, size - 1);
        count = (*first - clamp(end, -1, size - 1) - step - 1) / -step;
    }
    return count > 0 ? count : 0;
}

vrs_status infer_slice(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    int64_t starts[VRS_GRAPH_MAX_RANK], ends[VRS_GRAPH_MAX_RANK], steps[VRS_GRAPH_MAX_RANK];
    int32_t axes[VRS_GRAPH_MAX_RANK], starts_count, ends_count, steps_count, axes_count;
    const int32_t room = VRS_GRAPH_MAX_RANK;
    vrs_status status = infer_list(graph, node, 0, room, starts, &starts_count);
    if (status == VRS_OK)
        status = infer_list(graph, node, 1, room, ends, &ends_count);
    if (status == VRS_OK)
        status = infer_list(graph, node, 3, room, steps, &steps_count);
    if (status == VRS_OK)
        status = infer_axes(graph, node, 2, x->rank, axes, &axes_count);
    if (status != VRS_OK)
        return status;
    if (starts_count != ends_count || starts_count > axes_count ||
        (steps_count != 0 && steps_count != starts_count)) {
        return vrs_fail_node(graph, node, VRS_FORMAT, "it has %d starts, %d ends and %d steps",
                             starts_count, ends_count, steps_count);
    }
    vrs_slice_attributes *slice = &node->as.slice;
    int64_t dims[VRS_GRAPH_MAX_RANK];
    for (int32_t i = 0; i < x->rank; i++) {
        slice->start[i] = 0;
        slice->step[i] = 1;
        dims[i] = x->dims[i];
    }
    for (int32_t i = 0; i < starts_count; i++) {
        int32_t axis = axes[i];
        int64_t step = steps_count != 0 ? clamp(steps[i], -FAR, FAR) : 1;
        if (step == 0)
            return vrs_fail_node(graph, node, VRS_FORMAT, "its step is 0");
        slice->step[axis] = step;
        dims[axis] = slice_axis(x->dims[axis], starts[i], ends[i], step, &slice->start[axis]);
    }
    return infer_set(graph, node, 0, x->dtype, x->rank, dims);
}

vrs_status infer_pad(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    int64_t pads[2 * VRS_GRAPH_MAX_RANK], dims[VRS_GRAPH_MAX_RANK];
    int32_t axes[VRS_GRAPH_MAX_RANK], count, axes_count;
    vrs_status status = infer_list(graph, node, 0, 2 * VRS_GRAPH_MAX_RANK, pads, &count);
    if (status == VRS_OK)
        status = infer_axes(graph, node, 1, x->rank, axes, &axes_count);
    if (status == VRS_OK && count != 2 * axes_count) {
        status =
            vrs_fail_node(graph, node, VRS_FORMAT, "it has %d pads for %d axes", count, axes_count);
    }
    if (status != VRS_OK)
        return status;
    vrs_pad_attributes *pad = &node->as.pad;
    memcpy(dims, x->dims, sizeof(dims));
    memset(pad->before, 0, sizeof(pad->before));
    memset(pad->after, 0, sizeof(pad->after));
    for (int32_t i = 0; i < axes_count; i++) {
        int32_t axis = axes[i];
        int64_t before = clamp(pads[i], -FAR, FAR), after = clamp(pads[axes_count + i], -FAR, FAR);
        int64_t size = x->dims[axis],
                kept = size + (before < 0 ? before : 0) + (after < 0 ? after : 0);
        if (kept < 1 || (pad->mode == VRS_PAD_REFLECT && (before >= kept || after >= kept) &&
                         (before > 0 || after > 0))) {
            return vrs_fail_node(graph, node, VRS_FORMAT,
                                 "pads of %" PRId64 " and %" PRId64 " do not go with an axis of "
                                 "%" PRId64,
                                 before, after, size);
        }
        pad->before[axis] = before;
        pad->after[axis] = after;
        dims[axis] = size + before + after;
    }
    return infer_set(graph, node, 0, x->dtype, x->rank, dims);
}

/* A product of dims, or -1 where it is more than any value may have. */
static int64_t product(const int64_t *dims, int32_t count)
{
    int64_t result = 1;
    for (int32_t i = 0; i < count; i++)
        if (dims[i] < 0 || __builtin_mul_overflow(result, dims[i], &result) ||
            result > VRS_GRAPH_MAX_BYTES)
            return -1;
    return result;
}

/* Dims of a target that may have one -1, and zeros that copy. */
static vrs_status resolve_target(const vrs_graph *graph, const vrs_node *node, const vrs_value *x,
                                 int64_t *dims, int32_t rank)
{
    int64_t elements = (int64_t)vrs_value_elements(x), known;
    int32_t open = -1;
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] == 0 && !node->rule->flag)
            dims[i] = i < x->rank ? x->dims[i] : -2;
        if (dims[i] == -1 && open < 0) {
            open = i;
            dims[i] = 1;
        }
    }
    known = product(dims, rank);
    /* The file says batch 1 and is run with more: the first axis, which holds the pictures, grows.
     */
    int64_t batch = graph->own->rebatched && rank > 0 && open != 0 ? graph->batch : 1;
    if (batch > 1 && known > 0 && known != elements && known <= elements / batch &&
        (open >= 0 ? elements % (known * batch) == 0 : known * batch == elements)) {
        dims[0] *= batch;
        known *= batch;
    }
    if (open >= 0 && known > 0) {
        dims[open] = elements / known;
        known *= dims[open];
    }
    if (known != elements) {
        char text[96];
        vrs_dims_text(x, text, sizeof(text));
        return vrs_fail_node(
            graph, node, VRS_FORMAT,
            "shapes disagree: \"%.100s\", which is %s, cannot become what \"%.100s\" "
            "says",
            x->name, text, graph->values[node->rule->params[0]].name);
    }
    return VRS_OK;
}

static vrs_status reshape_to_target(vrs_graph *graph, const vrs_node *node, const vrs_value *x,
                                    int64_t *dims, int32_t *rank)
{
    vrs_status status = infer_list(graph, node, 0, VRS_GRAPH_MAX_RANK, dims, rank);
    return status == VRS_OK ? resolve_target(graph, node, x, dims, *rank) : status;
}

static vrs_status squeeze(const vrs_graph *graph, const vrs_node *node, const vrs_value *x,
                          int64_t *dims, int32_t *rank)
{
    uint32_t axes = node->rule->axes;
    *rank = 0;
    for (int32_t i = 0; i < x->rank; i++) {
        bool out = axes != 0 ? (axes >> i & 1) != 0 : x->dims[i] == 1;
        if (!out) {
            dims[(*rank)++] = x->dims[i];
        } else if (x->dims[i] != 1) {
            return vrs_fail_node(graph, node, VRS_FORMAT,
                                 "shapes disagree: axis %d is to go and has %" PRId64 " elements",
                                 i, x->dims[i]);
        }
    }
    return VRS_OK;
}

vrs_status infer_reshape(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    const vrs_node_rule *rule = node->rule;
    int64_t dims[VRS_GRAPH_MAX_RANK] = {0};
    int32_t rank = 0;
    vrs_status status = VRS_OK;
    if (rule->kind == VRS_RULE_TARGET) {
        status = reshape_to_target(graph, node, x, dims, &rank);
    } else if (rule->kind == VRS_RULE_FLATTEN) {
        rank = 2;
        dims[0] = product(x->dims, rule->axis);
        dims[1] = product(x->dims + rule->axis, x->rank - rule->axis);
    } else if (rule->kind == VRS_RULE_SQUEEZE) {
        status = squeeze(graph, node, x, dims, &rank);
    } else {
        int32_t k = 0;
        for (; rank < VRS_GRAPH_MAX_RANK && (k < x->rank || (rule->axes >> rank & 1) != 0); rank++)
            dims[rank] = (rule->axes >> rank & 1) != 0 ? 1 : x->dims[k++];
    }
    return status == VRS_OK ? infer_set(graph, node, 0, x->dtype, rank, dims) : status;
}

vrs_status infer_transpose(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    int64_t dims[VRS_GRAPH_MAX_RANK] = {0};
    for (int32_t i = 0; i < x->rank; i++)
        dims[i] = x->dims[node->as.transpose.perm[i]];
    return infer_set(graph, node, 0, x->dtype, x->rank, dims);
}

vrs_status infer_expand(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    vrs_value target = {.name = graph->values[node->rule->params[0]].name};
    vrs_status status = infer_list(graph, node, 0, VRS_GRAPH_MAX_RANK, target.dims, &target.rank);
    if (status != VRS_OK)
        return status;
    if (node->rule->kind == VRS_RULE_FILL)
        return infer_set(graph, node, 0, x->dtype, target.rank, target.dims);
    int32_t rank;
    int64_t dims[VRS_GRAPH_MAX_RANK];
    status = infer_broadcast(graph, node, x, &target, &rank, dims);
    return status == VRS_OK ? infer_set(graph, node, 0, x->dtype, rank, dims) : status;
}

vrs_status infer_gather(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0), *indices = infer_in(graph, node, 1);
    int32_t axis = node->as.axis.axis, rank = x->rank - 1 + indices->rank;
    bool integers = indices->dtype == VRS_DTYPE_I64 || indices->dtype == VRS_DTYPE_I32;
    if (!integers || axis >= x->rank || rank > VRS_GRAPH_MAX_RANK) {
        return vrs_fail_node(graph, node, integers ? VRS_UNSUPPORTED : VRS_FORMAT,
                             "its indices \"%.100s\" are of %s, and its result has %d axes",
                             indices->name, vrs_dtype_name(indices->dtype), rank);
    }
    int64_t dims[VRS_GRAPH_MAX_RANK];
    int32_t place = 0;
    for (int32_t i = 0; i < x->rank; i++) {
        for (int32_t k = 0; k < indices->rank && i == axis; k++)
            dims[place++] = indices->dims[k];
        if (i != axis)
            dims[place++] = x->dims[i];
    }
    return infer_set(graph, node, 0, x->dtype, rank, dims);
}

vrs_status infer_blocks(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    int64_t size = node->as.block.size;
    bool deep = node->op == VRS_OP_SPACE_TO_DEPTH;
    bool right = x->rank == 4 && (deep ? x->dims[2] % size == 0 && x->dims[3] % size == 0
                                       : x->dims[1] % (size * size) == 0);
    if (!right) {
        return vrs_fail_node(graph, node, VRS_FORMAT,
                             "shapes disagree: \"%.100s\" cannot be cut into blocks of %" PRId64,
                             x->name, size);
    }
    int64_t dims[4] = {x->dims[0], deep ? x->dims[1] * size * size : x->dims[1] / (size * size),
                       deep ? x->dims[2] / size : x->dims[2] * size,
                       deep ? x->dims[3] / size : x->dims[3] * size};
    return infer_set(graph, node, 0, x->dtype, 4, dims);
}

vrs_status infer_shape(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    int32_t end = node->rule->end < x->rank ? node->rule->end : x->rank;
    int64_t dims[1] = {end - node->rule->axis};
    return infer_set(graph, node, 0, VRS_DTYPE_I64, 1, dims);
}
