/* Lowering of what moves elements without computing with them. */
#include <string.h>

#include "base/alloc.h"
#include "graph/lower.h"

vrs_status lower_concat_op(lower *l, int32_t variant)
{
    (void)variant;
    int32_t axis;
    vrs_status status = lower_needs(l, l->in_count > 0 ? l->in_count : 1);
    if (status == VRS_OK)
        status = lower_axis(l, lower_int(l, "axis", 0), lower_value(l, 0)->rank, &axis);
    if (status == VRS_OK && l->in_count == 1)
        return lower_alias(l, l->in[0]);
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_CONCAT, l->in, l->in_count, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->as.axis.axis = axis;
    return lower_done(l);
}

/* Input `i`, or, in files before operator set `since`, the attribute as a constant. */
static vrs_status find_list(lower *l, int32_t i, const char *attribute, int64_t since,
                            int32_t *value)
{
    const int64_t *list;
    size_t count = lower_ints(l, attribute, &list);
    if (l->opset < since) {
        *value = VRS_NO_VALUE;
        return count > 0 ? lower_add_ints(l, list, count, value) : VRS_OK;
    }
    *value = lower_input(l, i);
    return VRS_OK;
}

vrs_status lower_split_op(lower *l, int32_t variant)
{
    (void)variant;
    int32_t axis, sizes;
    vrs_status status = lower_needs(l, 1);
    if (status == VRS_OK)
        status = lower_axis(l, lower_int(l, "axis", 0), lower_value(l, 0)->rank, &axis);
    if (status == VRS_OK)
        status = find_list(l, 1, "split", 13, &sizes);
    /* Results at the end that nobody wants have a part, too. */
    l->out_count = (int32_t)l->source->n_output;
    if (status == VRS_OK && l->out_count == 0)
        status = lower_fail(l, VRS_FORMAT, "it has no outputs");
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add_many(l, VRS_OP_SPLIT, l->in, 1, &node);
    if (status != VRS_OK)
        return status;
    node->as.axis.axis = axis;
    node->rule->params[0] = sizes;
    return lower_done(l);
}

vrs_status lower_slice_op(lower *l, int32_t variant)
{
    (void)variant;
    static const char *const names[] = {"starts", "ends", "axes", "steps"};
    int32_t params[4];
    vrs_status status = lower_needs(l, l->opset < 10 ? 1 : 3);
    for (int32_t i = 0; i < 4 && status == VRS_OK; i++)
        status = find_list(l, i + 1, names[i], 10, &params[i]);
    if (status == VRS_OK && (params[0] == VRS_NO_VALUE || params[1] == VRS_NO_VALUE))
        status = lower_fail(l, VRS_FORMAT, "\"starts\" or \"ends\" are missing");
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_SLICE, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    memcpy(node->rule->params, params, sizeof(params));
    return lower_done(l);
}

static vrs_status read_pad_mode(const lower *l, vrs_pad_mode *mode)
{
    char text[16];
    lower_text(l, "mode", "constant", text, sizeof(text));
    if (strcmp(text, "constant") == 0) {
        *mode = VRS_PAD_CONSTANT;
    } else if (strcmp(text, "reflect") == 0) {
        *mode = VRS_PAD_REFLECT;
    } else if (strcmp(text, "edge") == 0) {
        *mode = VRS_PAD_EDGE;
    } else {
        return lower_fail(l, VRS_UNSUPPORTED,
                          "mode \"%s\" is not supported; constant, reflect and "
                          "edge are",
                          text);
    }
    return VRS_OK;
}

/* The number that is put around. */
static vrs_status read_pad_value(const lower *l, double *number)
{
    *number = l->opset < 11 ? lower_float(l, "value", 0) : 0;
    if (lower_input(l, 2) == VRS_NO_VALUE || l->opset < 11)
        return VRS_OK;
    vrs_status status = lower_needs_constant(l, 2, "the number to pad with");
    if (status != VRS_OK)
        return status;
    const vrs_value *value = lower_value(l, 2);
    if (value->dtype == VRS_DTYPE_F32) {
        *number = *(const float *)value->data;
    } else if (value->dtype == VRS_DTYPE_I64) {
        *number = (double)*(const int64_t *)value->data;
    } else {
        return lower_fail(l, VRS_UNSUPPORTED,
                          "it pads with a number of type %s; floats and 64-bit "
                          "integers are supported",
                          vrs_dtype_name(value->dtype));
    }
    return VRS_OK;
}

vrs_status lower_pad_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_pad_attributes pad = {0};
    int32_t pads = VRS_NO_VALUE;
    vrs_status status = lower_needs(l, 1);
    if (status == VRS_OK)
        status = read_pad_mode(l, &pad.mode);
    if (status == VRS_OK)
        status = read_pad_value(l, &pad.value);
    if (status == VRS_OK)
        status = find_list(l, 1, "pads", 11, &pads);
    if (status == VRS_OK && pads == VRS_NO_VALUE)
        status = lower_fail(l, VRS_FORMAT, "\"pads\" are missing");
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_PAD, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->as.pad = pad;
    node->rule->params[0] = pads;
    node->rule->params[1] = l->opset >= 18 ? lower_input(l, 3) : VRS_NO_VALUE;
    return lower_done(l);
}

vrs_status lower_reshape(lower *l, const vrs_node_rule *rule, int32_t x, int32_t *result)
{
    vrs_node *node;
    vrs_status status = lower_add(l, VRS_OP_RESHAPE, &x, 1, result, &node);
    if (status != VRS_OK)
        return status;
    int32_t order = node->rule->order;
    *node->rule = *rule;
    node->rule->order = order;
    return lower_done(l);
}

vrs_node_rule lower_rule(vrs_rule_kind kind)
{
    return (vrs_node_rule){.kind = kind,
                           .params = {VRS_NO_VALUE, VRS_NO_VALUE, VRS_NO_VALUE, VRS_NO_VALUE}};
}

vrs_status lower_reshape_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 2);
    if (status != VRS_OK)
        return status;
    vrs_node_rule rule = lower_rule(VRS_RULE_TARGET);
    rule.params[0] = l->in[1];
    rule.flag = lower_int(l, "allowzero", 0) != 0;
    return lower_reshape(l, &rule, l->in[0], NULL);
}

vrs_status lower_flatten_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 1);
    if (status != VRS_OK)
        return status;
    vrs_node_rule rule = lower_rule(VRS_RULE_FLATTEN);
    int64_t axis = lower_int(l, "axis", 1);
    int32_t rank = lower_value(l, 0)->rank;
    /* One more than other axes: all before, nothing after. */
    if (axis == rank)
        rule.axis = rank;
    else
        status = lower_axis(l, axis, rank, &rule.axis);
    return status == VRS_OK ? lower_reshape(l, &rule, l->in[0], NULL) : status;
}

vrs_status lower_squeeze_op(lower *l, int32_t un)
{
    int32_t list = VRS_NO_VALUE;
    vrs_status status = lower_needs(l, 1);
    if (status == VRS_OK)
        status = find_list(l, 1, "axes", 13, &list);
    const vrs_value *axes = list != VRS_NO_VALUE ? &l->graph->values[list] : NULL;
    if (status == VRS_OK && axes &&
        (!axes->data || axes->follows_batch || axes->dtype != VRS_DTYPE_I64 || axes->rank > 1))
        status = lower_fail(l, VRS_UNSUPPORTED, "its axes are no constant list of integers");
    if (status == VRS_OK && un && !axes)
        status = lower_fail(l, VRS_FORMAT, "\"axes\" are missing");
    if (status != VRS_OK)
        return status;
    vrs_node_rule rule = lower_rule(un ? VRS_RULE_UNSQUEEZE : VRS_RULE_SQUEEZE);
    size_t count = axes ? vrs_value_elements(axes) : 0;
    int32_t rank = lower_value(l, 0)->rank + (un ? (int32_t)(count < 32 ? count : 32) : 0);
    if (rank > VRS_GRAPH_MAX_RANK) {
        return lower_fail(l, VRS_UNSUPPORTED, "its result has more than %d axes",
                          VRS_GRAPH_MAX_RANK);
    }
    for (size_t i = 0; i < count; i++) {
        int32_t axis;
        status = lower_axis(l, ((const int64_t *)axes->data)[i], rank, &axis);
        if (status == VRS_OK && (rule.axes >> axis & 1) != 0)
            status = lower_fail(l, VRS_FORMAT, "axis %d is there twice", axis);
        if (status != VRS_OK)
            return status;
        rule.axes |= 1U << axis;
    }
    return lower_reshape(l, &rule, l->in[0], NULL);
}

vrs_status lower_transpose_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 1);
    if (status != VRS_OK)
        return status;
    const int64_t *list;
    size_t count = lower_ints(l, "perm", &list);
    int32_t rank = lower_value(l, 0)->rank, perm[VRS_GRAPH_MAX_RANK] = {0};
    uint32_t seen = 0;
    for (int32_t i = 0; i < rank; i++) {
        int64_t axis = count == (size_t)rank ? list[i] : rank - 1 - i;
        bool right = (count == 0 || count == (size_t)rank) && axis >= 0 && axis < rank &&
                     (seen >> axis & 1) == 0;
        if (!right)
            return lower_fail(l, VRS_FORMAT, "\"perm\" is no order of %d axes", rank);
        seen |= 1U << axis;
        perm[i] = (int32_t)axis;
    }
    vrs_node *node;
    status = lower_add(l, VRS_OP_TRANSPOSE, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    memcpy(node->as.transpose.perm, perm, sizeof(perm));
    return lower_done(l);
}

vrs_status lower_expand_op(lower *l, int32_t fill)
{
    vrs_status status = lower_needs(l, fill ? 1 : 2);
    int32_t x = VRS_NO_VALUE;
    if (status == VRS_OK && fill) {
        const Onnx__TensorProto *tensor = lower_tensor(l, "value");
        status =
            tensor ? vrs_onnx_tensor(l->reader, tensor, l->name, &x) : lower_add_float(l, 0, &x);
        if (status == VRS_OK &&
            (x == VRS_NO_VALUE || vrs_value_elements(&l->graph->values[x]) != 1))
            status = lower_fail(l, VRS_FORMAT, "its value has not one element");
    } else if (status == VRS_OK) {
        x = l->in[0];
    }
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_EXPAND, &x, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->rule->kind = fill ? VRS_RULE_FILL : VRS_RULE_TARGET;
    node->rule->params[0] = l->in[fill ? 0 : 1];
    return lower_done(l);
}

/* Concatenations of x with itself, an axis at a time. */
vrs_status lower_tile_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 2);
    if (status == VRS_OK)
        status = lower_needs_constant(l, 1, "its list of repeats");
    if (status != VRS_OK)
        return status;
    const vrs_value *list = lower_value(l, 1);
    int32_t rank = lower_value(l, 0)->rank, left = 0;
    int64_t repeats[VRS_GRAPH_MAX_RANK] = {0};
    if (list->dtype != VRS_DTYPE_I64 || list->rank != 1 || list->dims[0] != rank)
        return lower_fail(l, VRS_FORMAT, "its repeats are no list of %d integers", rank);
    for (int32_t i = 0; i < rank; i++) {
        repeats[i] = ((const int64_t *)list->data)[i];
        left += repeats[i] != 1;
        if (repeats[i] < 1 || repeats[i] > VRS_GRAPH_MAX_INPUTS) {
            return lower_fail(l, VRS_UNSUPPORTED,
                              "it repeats %lld times, and 1 to %d are supported",
                              (long long)repeats[i], VRS_GRAPH_MAX_INPUTS);
        }
    }
    int32_t x = l->in[0], inputs[VRS_GRAPH_MAX_INPUTS];
    if (left == 0)
        return lower_alias(l, x);
    for (int32_t axis = 0; axis < rank && status == VRS_OK; axis++) {
        if (repeats[axis] == 1)
            continue;
        for (int64_t i = 0; i < repeats[axis]; i++)
            inputs[i] = x;
        vrs_node *node;
        left--;
        status = lower_add(l, VRS_OP_CONCAT, inputs, (int32_t)repeats[axis], left > 0 ? &x : NULL,
                           &node);
        if (status == VRS_OK) {
            node->as.axis.axis = axis;
            status = lower_done(l);
        }
    }
    return status;
}

vrs_status lower_gather_op(lower *l, int32_t variant)
{
    (void)variant;
    int32_t axis;
    vrs_status status = lower_needs(l, 2);
    if (status == VRS_OK)
        status = lower_axis(l, lower_int(l, "axis", 0), lower_value(l, 0)->rank, &axis);
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_GATHER, l->in, 2, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->as.axis.axis = axis;
    return lower_done(l);
}

vrs_status lower_block_op(lower *l, int32_t op)
{
    char mode[8];
    lower_text(l, "mode", "DCR", mode, sizeof(mode));
    int64_t size = lower_int(l, "blocksize", 0);
    vrs_status status = lower_needs_picture(l);
    if (status == VRS_OK && (size < 1 || size > VRS_GRAPH_MAX_SIDE))
        status = lower_fail(l, VRS_FORMAT, "its block has a side of %lld", (long long)size);
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, (vrs_op)op, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->as.block.size = (int32_t)size;
    node->as.block.crd = strcmp(mode, "CRD") == 0;
    return lower_done(l);
}

/* Clamps an end of Shape's range, which may count from the end. */
static int32_t clamp_axis(int64_t axis, int32_t rank)
{
    axis = axis < 0 ? axis + rank : axis;
    return (int32_t)(axis < 0 ? 0 : axis > rank ? rank : axis);
}

vrs_status lower_shape_op(lower *l, int32_t size)
{
    vrs_status status = lower_needs(l, 1);
    int32_t dims = VRS_NO_VALUE;
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_SHAPE, l->in, 1, size ? &dims : NULL, &node);
    if (status != VRS_OK)
        return status;
    int32_t rank = lower_value(l, 0)->rank;
    node->rule->axis = clamp_axis(lower_int(l, "start", 0), rank);
    node->rule->end = clamp_axis(lower_int(l, "end", rank), rank);
    status = lower_done(l);
    if (status != VRS_OK || !size)
        return status;
    status = lower_add(l, VRS_OP_REDUCE, &dims, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->as.reduce = (vrs_reduce_attributes){.kind = VRS_REDUCE_PROD, .axes = 1};
    return lower_done(l);
}
