/* Lowering of reductions, products of matrices and quantisation. */
#include <string.h>

#include "graph/lower.h"

/* The axes of a reduction: an attribute, or a constant input of newer files. None: all of them. */
static vrs_status read_axes(const lower *l, uint32_t *axes, bool *given)
{
    const int64_t *list;
    size_t count = lower_ints(l, "axes", &list);
    if (lower_input(l, 1) != VRS_NO_VALUE) {
        vrs_status status = lower_needs_constant(l, 1, "its list of axes");
        if (status != VRS_OK)
            return status;
        const vrs_value *value = lower_value(l, 1);
        if (value->dtype != VRS_DTYPE_I64 || value->rank > 1)
            return lower_fail(l, VRS_FORMAT, "its axes are no list of integers");
        count = vrs_value_elements(value);
        list = value->data;
    }
    *axes = 0;
    *given = count > 0;
    for (size_t i = 0; i < count; i++) {
        int32_t axis;
        vrs_status status = lower_axis(l, list[i], lower_value(l, 0)->rank, &axis);
        if (status != VRS_OK)
            return status;
        *axes |= 1U << axis;
    }
    return VRS_OK;
}

vrs_status lower_reduce_op(lower *l, int32_t kind)
{
    uint32_t axes = 0;
    bool given = false;
    vrs_status status = lower_needs(l, 1);
    if (status == VRS_OK)
        status = read_axes(l, &axes, &given);
    if (status != VRS_OK)
        return status;
    if (!given && lower_int(l, "noop_with_empty_axes", 0) != 0)
        return lower_alias(l, l->in[0]);
    vrs_node *node;
    status = lower_add(l, VRS_OP_REDUCE, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->as.reduce.kind = (vrs_reduce_kind)kind;
    node->as.reduce.axes = given ? axes : (1U << lower_value(l, 0)->rank) - 1;
    node->as.reduce.keep = lower_int(l, "keepdims", 1) != 0;
    return lower_done(l);
}

vrs_status lower_reduce(lower *l, vrs_reduce_kind kind, uint32_t axes, int32_t x, int32_t *result)
{
    vrs_node *node;
    vrs_status status = lower_add(l, VRS_OP_REDUCE, &x, 1, result, &node);
    if (status != VRS_OK)
        return status;
    node->as.reduce = (vrs_reduce_attributes){.kind = kind, .axes = axes, .keep = true};
    return lower_done(l);
}

vrs_status lower_argmax_op(lower *l, int32_t min)
{
    int32_t axis;
    vrs_status status = lower_needs(l, 1);
    if (status == VRS_OK)
        status = lower_axis(l, lower_int(l, "axis", 0), lower_value(l, 0)->rank, &axis);
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_ARGMAX, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->as.argmax = (vrs_argmax_attributes){.axis = axis,
                                              .keep = lower_int(l, "keepdims", 1) != 0,
                                              .last = lower_int(l, "select_last_index", 0) != 0,
                                              .min = min != 0};
    return lower_done(l);
}

vrs_status lower_softmax_op(lower *l, int32_t log)
{
    int32_t axis;
    bool old = l->opset < 13;
    vrs_status status = lower_needs(l, 1);
    if (status == VRS_OK)
        status = lower_axis(l, lower_int(l, "axis", old ? 1 : -1), lower_value(l, 0)->rank, &axis);
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_SOFTMAX, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->as.softmax = (vrs_softmax_attributes){
        .axis = axis, .to_end = old && axis + 1 < lower_value(l, 0)->rank, .log = log != 0};
    return lower_done(l);
}

vrs_status lower_matmul_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 2);
    return status == VRS_OK ? lower_plain(l, VRS_OP_MATMUL, l->in, 2, NULL) : status;
}

vrs_status lower_gemm_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 2);
    int32_t inputs[3] = {lower_input(l, 0), lower_input(l, 1), lower_input(l, 2)};
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_GEMM, inputs, 3, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->as.gemm = (vrs_gemm_attributes){.transpose_a = lower_int(l, "transA", 0) != 0,
                                          .transpose_b = lower_int(l, "transB", 0) != 0,
                                          .alpha = lower_float(l, "alpha", 1),
                                          .beta = lower_float(l, "beta", 1)};
    return lower_done(l);
}

/* The zero point, of which files may leave out one of 0. */
static vrs_status find_zero(lower *l, int32_t dequantize, int32_t *zero)
{
    *zero = lower_input(l, 2);
    if (*zero != VRS_NO_VALUE)
        return lower_needs_constant(l, 2, "its zero point");
    vrs_dtype dtype = lower_value(l, 0)->dtype;
    if (!dequantize) {
        int64_t type = lower_int(l, "output_dtype", 0);
        dtype = type != 0 ? vrs_onnx_dtype(type) : VRS_DTYPE_U8;
    }
    if (dtype != VRS_DTYPE_U8 && dtype != VRS_DTYPE_I8 && dtype != VRS_DTYPE_I32) {
        return lower_fail(l, VRS_UNSUPPORTED,
                          "it quantises to a type that is not supported; 8-bit "
                          "integers are");
    }
    const int32_t nothing = 0;
    return vrs_graph_add_constant(l->graph, l->name, dtype, 0, NULL, &nothing, zero);
}

vrs_status lower_quantize_op(lower *l, int32_t dequantize)
{
    vrs_status status = lower_needs(l, 2);
    int32_t axis = 0, zero = VRS_NO_VALUE;
    if (status == VRS_OK)
        status = lower_needs_constant(l, 1, "its scale");
    if (status == VRS_OK && lower_int(l, "block_size", 0) != 0)
        status = lower_fail(l, VRS_UNSUPPORTED, "scales for blocks are not supported");
    if (status == VRS_OK)
        status = find_zero(l, dequantize, &zero);
    if (status == VRS_OK && vrs_value_elements(lower_value(l, 1)) > 1)
        status = lower_axis(l, lower_int(l, "axis", 1), lower_value(l, 0)->rank, &axis);
    int32_t inputs[3] = {lower_input(l, 0), lower_input(l, 1), zero};
    vrs_node *node;
    if (status == VRS_OK) {
        status =
            lower_add(l, dequantize ? VRS_OP_DEQUANTIZE : VRS_OP_QUANTIZE, inputs, 3, NULL, &node);
    }
    if (status != VRS_OK)
        return status;
    node->as.quantize.axis = axis;
    return lower_done(l);
}
