/* Lowering of what goes element by element, and of constants. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/lower.h"

vrs_status lower_binary_op(lower *l, int32_t kind)
{
    vrs_status status = lower_needs(l, 2);
    if (status != VRS_OK)
        return status;
    int32_t a = l->in[0], b = l->in[1];
    vrs_dtype want = lower_value(l, 0)->dtype;
    if (kind == VRS_BINARY_POW && lower_value(l, 1)->dtype != want) {
        vrs_node *node;
        status = lower_add(l, VRS_OP_CAST, &b, 1, &b, &node);
        if (status == VRS_OK) {
            l->graph->values[b].dtype = want;
            status = lower_done(l);
        }
    }
    return status == VRS_OK ? lower_binary(l, (vrs_binary)kind, a, b, NULL) : status;
}

/* Adds a chain over all inputs, its end the file's output where `result` is NULL. */
static vrs_status chain(lower *l, vrs_binary kind, int32_t *result)
{
    vrs_status status = lower_needs(l, l->in_count > 0 ? l->in_count : 1);
    int32_t sum = status == VRS_OK ? l->in[0] : VRS_NO_VALUE;
    for (int32_t i = 1; i < l->in_count && status == VRS_OK; i++) {
        bool last = i + 1 == l->in_count;
        status = lower_binary(l, kind, sum, l->in[i], last && !result ? NULL : &sum);
    }
    if (result)
        *result = sum;
    return status;
}

vrs_status lower_nary_op(lower *l, int32_t kind)
{
    vrs_status status = chain(l, (vrs_binary)kind, NULL);
    return status == VRS_OK && l->in_count == 1 ? lower_alias(l, l->in[0]) : status;
}

vrs_status lower_mean_op(lower *l, int32_t variant)
{
    (void)variant;
    int32_t sum, share;
    vrs_status status = chain(l, VRS_BINARY_ADD, &sum);
    if (status == VRS_OK)
        status = lower_add_float(l, 1.0F / (float)l->in_count, &share);
    return status == VRS_OK ? lower_binary(l, VRS_BINARY_MUL, sum, share, NULL) : status;
}

vrs_status lower_unary_op(lower *l, int32_t kind)
{
    vrs_status status = lower_needs(l, 1);
    return status == VRS_OK ? lower_unary(l, (vrs_unary)kind, l->in[0], NULL) : status;
}

vrs_status lower_act_op(lower *l, int32_t kind)
{
    vrs_status status = lower_needs(l, 1);
    if (status != VRS_OK)
        return status;
    char approximate[8];
    lower_text(l, "approximate", "none", approximate, sizeof(approximate));
    if (strcmp(approximate, "none") != 0) {
        return lower_fail(l, VRS_UNSUPPORTED, "its approximation \"%s\" is not supported",
                          approximate);
    }
    float alpha = kind == VRS_ACT_LEAKY_RELU ? 0.01F : kind == VRS_ACT_HARD_SIGMOID ? 0.2F : 1.0F;
    vrs_act act = {.kind = (vrs_act_kind)kind,
                   .alpha = lower_float(l, "alpha", alpha),
                   .beta = lower_float(l, "beta", 0.5F),
                   .slope = VRS_NO_VALUE};
    return lower_act(l, act, l->in[0], NULL);
}

/* The bound of Clip in input `i`, if it is a constant float, or the attribute of old files. */
static float bound(const lower *l, int32_t i, const char *name, float otherwise)
{
    if (lower_is_constant(l, i))
        return *(const float *)lower_value(l, i)->data;
    return l->opset < 11 ? lower_float(l, name, otherwise) : otherwise;
}

/* Bounds that are computed, or integers. */
static vrs_status clip_by_binaries(lower *l)
{
    int32_t x = l->in[0], least = lower_input(l, 1), most = lower_input(l, 2);
    vrs_status status = VRS_OK;
    if (least != VRS_NO_VALUE)
        status = lower_binary(l, VRS_BINARY_MAX, x, least, most != VRS_NO_VALUE ? &x : NULL);
    if (status == VRS_OK && most != VRS_NO_VALUE)
        status = lower_binary(l, VRS_BINARY_MIN, x, most, NULL);
    return status == VRS_OK && least == VRS_NO_VALUE && most == VRS_NO_VALUE ? lower_alias(l, x)
                                                                             : status;
}

vrs_status lower_clip_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 1);
    if (status != VRS_OK)
        return status;
    bool simple = lower_value(l, 0)->dtype == VRS_DTYPE_F32;
    for (int32_t i = 1; i < 3 && i < l->in_count; i++) {
        simple = simple && (l->in[i] == VRS_NO_VALUE ||
                            (lower_is_constant(l, i) && lower_value(l, i)->dtype == VRS_DTYPE_F32 &&
                             vrs_value_elements(lower_value(l, i)) == 1));
    }
    if (!simple)
        return clip_by_binaries(l);
    vrs_act act = {.kind = VRS_ACT_CLIP,
                   .min = bound(l, 1, "min", -INFINITY),
                   .max = bound(l, 2, "max", INFINITY),
                   .slope = VRS_NO_VALUE};
    if (act.min == 0 && isinf(act.max))
        act = (vrs_act){.kind = VRS_ACT_RELU, .slope = VRS_NO_VALUE};
    return lower_act(l, act, l->in[0], NULL);
}

/* Whether a slope goes along axis 1 of `rank` axes: C, followed by axes of 1. */
static bool is_per_channel(const vrs_value *slope, const vrs_value *x)
{
    if (vrs_value_elements(slope) == 1)
        return true;
    int32_t channel = slope->rank - (x->rank - 1);
    return x->rank >= 2 && channel >= 0 && slope->dims[channel] == x->dims[1] &&
           vrs_value_elements(slope) == (size_t)x->dims[1];
}

vrs_status lower_prelu_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 2);
    if (status != VRS_OK)
        return status;
    int32_t x = l->in[0], slope = l->in[1];
    if (lower_is_constant(l, 1) && is_per_channel(lower_value(l, 1), lower_value(l, 0))) {
        vrs_act act = {.kind = VRS_ACT_PRELU, .slope = slope};
        return lower_act(l, act, x, NULL);
    }
    /* max(x, 0) + slope * min(x, 0) */
    int32_t zero, above, below;
    status = lower_add_float(l, 0, &zero);
    if (status == VRS_OK)
        status = lower_binary(l, VRS_BINARY_MAX, x, zero, &above);
    if (status == VRS_OK)
        status = lower_binary(l, VRS_BINARY_MIN, x, zero, &below);
    if (status == VRS_OK)
        status = lower_binary(l, VRS_BINARY_MUL, slope, below, &below);
    return status == VRS_OK ? lower_binary(l, VRS_BINARY_ADD, above, below, NULL) : status;
}

vrs_status lower_mish_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 1);
    int32_t y;
    if (status == VRS_OK) {
        y = l->in[0];
        status = lower_act(l, (vrs_act){.kind = VRS_ACT_SOFTPLUS, .slope = VRS_NO_VALUE}, y, &y);
    }
    if (status == VRS_OK)
        status = lower_act(l, (vrs_act){.kind = VRS_ACT_TANH, .slope = VRS_NO_VALUE}, y, &y);
    return status == VRS_OK ? lower_binary(l, VRS_BINARY_MUL, l->in[0], y, NULL) : status;
}

vrs_status lower_identity_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 1);
    bool training = lower_input(l, 2) != VRS_NO_VALUE &&
                    !(lower_is_constant(l, 2) && *(const uint8_t *)lower_value(l, 2)->data == 0);
    if (status == VRS_OK && training) {
        return lower_fail(l, VRS_UNSUPPORTED,
                          "it is exported for training, which is not supported");
    }
    return status == VRS_OK ? lower_alias(l, l->in[0]) : status;
}

/* The constants that are written as numbers instead of a tensor. */
static vrs_status constant_numbers(lower *l, int32_t *value)
{
    const int64_t *ints;
    size_t count = lower_ints(l, "value_ints", &ints);
    if (count > 0)
        return lower_add_ints(l, ints, count, value);
    if (lower_has(l, "value_int")) {
        int64_t number = lower_int(l, "value_int", 0);
        return vrs_graph_add_constant(l->graph, l->name, VRS_DTYPE_I64, 0, NULL, &number, value);
    }
    if (lower_has(l, "value_float"))
        return lower_add_float(l, lower_float(l, "value_float", 0), value);
    for (size_t i = 0; i < l->source->n_attribute; i++) {
        const Onnx__AttributeProto *list = l->source->attribute[i];
        if (strcmp(vrs_onnx_text(list->name), "value_floats") == 0 && list->n_floats > 0) {
            int64_t dims[1] = {(int64_t)list->n_floats};
            return vrs_graph_add_constant(l->graph, l->name, VRS_DTYPE_F32, 1, dims, list->floats,
                                          value);
        }
    }
    return lower_fail(l, VRS_UNSUPPORTED, "its value is no tensor and no numbers");
}

vrs_status lower_constant_op(lower *l, int32_t variant)
{
    (void)variant;
    int32_t value = VRS_NO_VALUE;
    const Onnx__TensorProto *tensor = lower_tensor(l, "value");
    vrs_status status =
        tensor ? vrs_onnx_tensor(l->reader, tensor, l->name, &value) : constant_numbers(l, &value);
    if (status == VRS_OK && value == VRS_NO_VALUE && l->out_count > 0)
        vrs_onnx_find(l->reader, vrs_onnx_text(l->source->output[0]))->empty = true;
    return status == VRS_OK ? lower_alias(l, value) : status;
}

vrs_status lower_cast_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 1);
    if (status != VRS_OK)
        return status;
    int64_t to = lower_int(l, "to", 0);
    vrs_dtype dtype = vrs_onnx_dtype(to);
    if (dtype == VRS_DTYPE_COUNT) {
        return lower_fail(l, VRS_UNSUPPORTED, "ONNX's type number %lld is not supported",
                          (long long)to);
    }
    if (dtype == lower_value(l, 0)->dtype)
        return lower_alias(l, l->in[0]);
    vrs_node *node;
    status = lower_add(l, VRS_OP_CAST, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    l->graph->values[node->outputs[0]].dtype = dtype;
    return lower_done(l);
}

vrs_status lower_where_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 3);
    return status == VRS_OK ? lower_plain(l, VRS_OP_WHERE, l->in, 3, NULL) : status;
}
