/* Inference of shapes: the table, and what goes element by element or over matrices. */
#include "graph/infer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

vrs_status infer_set(vrs_graph *graph, const vrs_node *node, int32_t output, vrs_dtype dtype,
                     int32_t rank, const int64_t *dims)
{
    vrs_status status = vrs_value_shape(&graph->values[node->outputs[output]], dtype, rank, dims);
    return status == VRS_OK ? status : vrs_fail_at_node(graph, node, status);
}

static vrs_status set_like(vrs_graph *graph, const vrs_node *node, const vrs_value *like,
                           vrs_dtype dtype)
{
    /* A copy, as `like` may be the value that is set. */
    int64_t dims[VRS_GRAPH_MAX_RANK];
    memcpy(dims, like->dims, sizeof(dims));
    return infer_set(graph, node, 0, dtype, like->rank, dims);
}

vrs_status infer_list(const vrs_graph *graph, const vrs_node *node, int32_t param, int32_t room,
                      int64_t *list, int32_t *count)
{
    *count = 0;
    int32_t index = node->rule->params[param];
    if (index == VRS_NO_VALUE)
        return VRS_OK;
    const vrs_value *value = &graph->values[index];
    if (!value->data) {
        return vrs_fail_node(graph, node, VRS_UNSUPPORTED,
                             "\"%.100s\" depends on what is in the picture, and only what depends "
                             "on its size is supported there",
                             value->name);
    }
    size_t elements = vrs_value_elements(value);
    bool integers = value->dtype == VRS_DTYPE_I64 || value->dtype == VRS_DTYPE_I32;
    if (value->rank > 1 || !integers || elements > (size_t)room) {
        return vrs_fail_node(graph, node, VRS_FORMAT,
                             "\"%.100s\" is no list of at most %d integers", value->name, room);
    }
    for (size_t i = 0; i < elements; i++) {
        list[i] = value->dtype == VRS_DTYPE_I64 ? ((const int64_t *)value->data)[i]
                                                : ((const int32_t *)value->data)[i];
    }
    *count = (int32_t)elements;
    return VRS_OK;
}

vrs_status infer_axes(const vrs_graph *graph, const vrs_node *node, int32_t param, int32_t rank,
                      int32_t *axes, int32_t *count)
{
    int64_t list[VRS_GRAPH_MAX_RANK];
    vrs_status status = infer_list(graph, node, param, VRS_GRAPH_MAX_RANK, list, count);
    if (status != VRS_OK)
        return status;
    bool given = node->rule->params[param] != VRS_NO_VALUE;
    *count = given ? *count : rank;
    uint32_t seen = 0;
    for (int32_t i = 0; i < *count; i++) {
        int64_t axis = given ? list[i] : i;
        axis += axis < 0 ? rank : 0;
        if (axis < 0 || axis >= rank || (seen >> axis & 1) != 0) {
            return vrs_fail_node(graph, node, VRS_FORMAT,
                                 "axis %" PRId64 " is none of %d or is there twice", axis, rank);
        }
        seen |= 1U << axis;
        axes[i] = (int32_t)axis;
    }
    return VRS_OK;
}

vrs_status infer_broadcast(const vrs_graph *graph, const vrs_node *node, const vrs_value *a,
                           const vrs_value *b, int32_t *rank, int64_t *dims)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int32_t i = 1; i <= *rank; i++) {
        int64_t da = i <= a->rank ? a->dims[a->rank - i] : 1;
        int64_t db = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (da != db && da != 1 && db != 1) {
            char text_a[96], text_b[96];
            vrs_dims_text(a, text_a, sizeof(text_a));
            vrs_dims_text(b, text_b, sizeof(text_b));
            return vrs_fail_node(graph, node, VRS_FORMAT,
                                 "shapes disagree: \"%.80s\" is %s and \"%.80s\" is %s", a->name,
                                 text_a, b->name, text_b);
        }
        dims[*rank - i] = da == 1 ? db : da;
    }
    return VRS_OK;
}

static vrs_status fail_type(const vrs_graph *graph, const vrs_node *node, const vrs_value *value)
{
    return vrs_fail_node(graph, node, VRS_UNSUPPORTED,
                         "\"%.100s\" is of type %s, which is not supported there", value->name,
                         vrs_dtype_name(value->dtype));
}

static vrs_status needs_floats(const vrs_graph *graph, const vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    return x->dtype == VRS_DTYPE_F32 ? VRS_OK : fail_type(graph, node, x);
}

static vrs_status infer_same_floats(vrs_graph *graph, vrs_node *node)
{
    vrs_status status = needs_floats(graph, node);
    return status == VRS_OK ? set_like(graph, node, infer_in(graph, node, 0), VRS_DTYPE_F32)
                            : status;
}

/* Scale and shift of C along axis 1. */
static vrs_status infer_scale_shift(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    for (int32_t i = 1; i < 3; i++) {
        const vrs_value *vector = infer_in(graph, node, i);
        if (x->rank < 2 || vector->rank != 1 || vector->dims[0] != x->dims[1]) {
            return vrs_fail_node(graph, node, VRS_FORMAT,
                                 "\"%.100s\" has not one element for each channel of \"%.100s\"",
                                 vector->name, x->name);
        }
    }
    return infer_same_floats(graph, node);
}

static vrs_status infer_unary(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    vrs_unary kind = node->as.unary;
    bool integers = kind == VRS_UNARY_NEG || kind == VRS_UNARY_ABS || kind == VRS_UNARY_SIGN;
    bool right = kind == VRS_UNARY_NOT
                     ? x->dtype == VRS_DTYPE_BOOL
                     : x->dtype == VRS_DTYPE_F32 ||
                           (integers && (x->dtype == VRS_DTYPE_I64 || x->dtype == VRS_DTYPE_I32));
    return right ? set_like(graph, node, x, x->dtype) : fail_type(graph, node, x);
}

static vrs_status fail_types(const vrs_graph *graph, const vrs_node *node, const vrs_value *a,
                             const vrs_value *b)
{
    return vrs_fail_node(graph, node, VRS_FORMAT,
                         "types disagree: \"%.100s\" is of %s and \"%.100s\" of %s", a->name,
                         vrs_dtype_name(a->dtype), b->name, vrs_dtype_name(b->dtype));
}

static vrs_status infer_binary(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *a = infer_in(graph, node, 0), *b = infer_in(graph, node, 1);
    vrs_binary kind = node->as.binary.kind;
    bool logic = kind == VRS_BINARY_AND || kind == VRS_BINARY_OR || kind == VRS_BINARY_XOR;
    if (a->dtype != b->dtype)
        return fail_types(graph, node, a, b);
    if (logic != (a->dtype == VRS_DTYPE_BOOL) && kind != VRS_BINARY_EQUAL)
        return fail_type(graph, node, a);
    int32_t rank;
    int64_t dims[VRS_GRAPH_MAX_RANK];
    vrs_status status = infer_broadcast(graph, node, a, b, &rank, dims);
    if (status != VRS_OK)
        return status;
    return infer_set(graph, node, 0, kind >= VRS_BINARY_EQUAL ? VRS_DTYPE_BOOL : a->dtype, rank,
                     dims);
}

static vrs_status infer_where(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *condition = infer_in(graph, node, 0);
    const vrs_value *a = infer_in(graph, node, 1), *b = infer_in(graph, node, 2);
    if (condition->dtype != VRS_DTYPE_BOOL)
        return fail_type(graph, node, condition);
    if (a->dtype != b->dtype)
        return fail_types(graph, node, a, b);
    vrs_value both = {.name = a->name};
    vrs_status status = infer_broadcast(graph, node, a, b, &both.rank, both.dims);
    int32_t rank;
    int64_t dims[VRS_GRAPH_MAX_RANK];
    if (status == VRS_OK)
        status = infer_broadcast(graph, node, &both, condition, &rank, dims);
    return status == VRS_OK ? infer_set(graph, node, 0, a->dtype, rank, dims) : status;
}

static vrs_status infer_reduce(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    vrs_reduce_kind kind = node->as.reduce.kind;
    bool integers = (x->dtype == VRS_DTYPE_I64 || x->dtype == VRS_DTYPE_I32) &&
                    kind != VRS_REDUCE_MEAN && kind != VRS_REDUCE_L2;
    if (x->dtype != VRS_DTYPE_F32 && !integers)
        return fail_type(graph, node, x);
    if (node->as.reduce.axes >> x->rank != 0)
        return vrs_fail_node(graph, node, VRS_FORMAT, "it reduces over an axis that is not there");
    int32_t rank = 0;
    int64_t dims[VRS_GRAPH_MAX_RANK];
    for (int32_t i = 0; i < x->rank; i++) {
        bool reduced = (node->as.reduce.axes >> i & 1) != 0;
        if (!reduced || node->as.reduce.keep)
            dims[rank++] = reduced ? 1 : x->dims[i];
    }
    return infer_set(graph, node, 0, x->dtype, rank, dims);
}

static vrs_status infer_argmax(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    vrs_status status = needs_floats(graph, node);
    if (status != VRS_OK)
        return status;
    int32_t rank = 0;
    int64_t dims[VRS_GRAPH_MAX_RANK];
    for (int32_t i = 0; i < x->rank; i++)
        if (i != node->as.argmax.axis || node->as.argmax.keep)
            dims[rank++] = i == node->as.argmax.axis ? 1 : x->dims[i];
    return infer_set(graph, node, 0, VRS_DTYPE_I64, rank, dims);
}

static vrs_status infer_matmul(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *a = infer_in(graph, node, 0), *b = infer_in(graph, node, 1);
    if (a->dtype != VRS_DTYPE_F32 || b->dtype != VRS_DTYPE_F32)
        return fail_type(graph, node, a->dtype != VRS_DTYPE_F32 ? a : b);
    if (a->rank < 2 || b->rank < 2) {
        return vrs_fail_node(graph, node, VRS_UNSUPPORTED,
                             "a product with a vector is not supported, only one of matrices");
    }
    if (a->dims[a->rank - 1] != b->dims[b->rank - 2]) {
        return vrs_fail_node(graph, node, VRS_FORMAT,
                             "shapes disagree: rows of %" PRId64 " times columns of %" PRId64,
                             a->dims[a->rank - 1], b->dims[b->rank - 2]);
    }
    vrs_value outer_a = *a, outer_b = *b;
    outer_a.rank -= 2;
    outer_b.rank -= 2;
    int32_t rank;
    int64_t dims[VRS_GRAPH_MAX_RANK];
    vrs_status status = infer_broadcast(graph, node, &outer_a, &outer_b, &rank, dims);
    if (status != VRS_OK)
        return status;
    dims[rank] = a->dims[a->rank - 2];
    dims[rank + 1] = b->dims[b->rank - 1];
    return infer_set(graph, node, 0, VRS_DTYPE_F32, rank + 2, dims);
}

static vrs_status infer_gemm(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *a = infer_in(graph, node, 0), *b = infer_in(graph, node, 1);
    const vrs_gemm_attributes *gemm = &node->as.gemm;
    if (a->dtype != VRS_DTYPE_F32 || b->dtype != VRS_DTYPE_F32 || a->rank != 2 || b->rank != 2) {
        return vrs_fail_node(graph, node, VRS_UNSUPPORTED,
                             "only two matrices of floats are "
                             "supported");
    }
    int64_t dims[2] = {a->dims[gemm->transpose_a], b->dims[!gemm->transpose_b]};
    if (a->dims[!gemm->transpose_a] != b->dims[gemm->transpose_b]) {
        return vrs_fail_node(graph, node, VRS_FORMAT,
                             "shapes disagree: rows of %" PRId64 " times columns of %" PRId64,
                             a->dims[!gemm->transpose_a], b->dims[gemm->transpose_b]);
    }
    vrs_status status = infer_set(graph, node, 0, VRS_DTYPE_F32, 2, dims);
    if (status != VRS_OK || node->inputs[2] == VRS_NO_VALUE)
        return status;
    const vrs_value *c = infer_in(graph, node, 2), *y = &graph->values[node->outputs[0]];
    int32_t rank;
    int64_t wide[VRS_GRAPH_MAX_RANK] = {0};
    status = infer_broadcast(graph, node, y, c, &rank, wide);
    if (status == VRS_OK &&
        (c->dtype != VRS_DTYPE_F32 || rank != 2 || wide[0] != dims[0] || wide[1] != dims[1])) {
        status = vrs_fail_node(graph, node, VRS_FORMAT, "\"%.100s\" cannot be added to the product",
                               c->name);
    }
    return status;
}

static vrs_status infer_cast(vrs_graph *graph, vrs_node *node)
{
    return set_like(graph, node, infer_in(graph, node, 0), graph->values[node->outputs[0]].dtype);
}

static vrs_status infer_quantize(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0), *scale = infer_in(graph, node, 1);
    const vrs_value *zero = infer_in(graph, node, 2);
    bool dequantize = node->op == VRS_OP_DEQUANTIZE;
    vrs_dtype small = zero->dtype;
    bool types = dequantize ? x->dtype == small : x->dtype == VRS_DTYPE_F32;
    bool eight = small == VRS_DTYPE_U8 || small == VRS_DTYPE_I8;
    if (!types || scale->dtype != VRS_DTYPE_F32 ||
        !(eight || (dequantize && small == VRS_DTYPE_I32))) {
        return vrs_fail_node(graph, node, VRS_UNSUPPORTED,
                             "its types %s, %s and %s do not go together", vrs_dtype_name(x->dtype),
                             vrs_dtype_name(scale->dtype), vrs_dtype_name(small));
    }
    int32_t axis = node->as.quantize.axis;
    size_t scales = vrs_value_elements(scale), zeros = vrs_value_elements(zero);
    size_t along = axis < x->rank ? (size_t)x->dims[axis] : 1;
    if ((scales != 1 && scales != along) || (zeros != 1 && zeros != scales)) {
        return vrs_fail_node(graph, node, VRS_FORMAT,
                             "it has %zu scales and %zu zero points for %zu channels", scales,
                             zeros, along);
    }
    return set_like(graph, node, x, dequantize ? VRS_DTYPE_F32 : small);
}

static const infer_fn table[VRS_OP_COUNT] = {
    [VRS_OP_CONV] = infer_conv,
    [VRS_OP_CONV_TRANSPOSED] = infer_conv_transposed,
    [VRS_OP_SCALE_SHIFT] = infer_scale_shift,
    [VRS_OP_INSTANCE_NORM] = infer_scale_shift,
    [VRS_OP_ACTIVATION] = infer_same_floats,
    [VRS_OP_UNARY] = infer_unary,
    [VRS_OP_BINARY] = infer_binary,
    [VRS_OP_WHERE] = infer_where,
    [VRS_OP_POOL] = infer_pool,
    [VRS_OP_REDUCE] = infer_reduce,
    [VRS_OP_ARGMAX] = infer_argmax,
    [VRS_OP_SOFTMAX] = infer_same_floats,
    [VRS_OP_RESIZE] = infer_resize,
    [VRS_OP_CONCAT] = infer_concat,
    [VRS_OP_SPLIT] = infer_split,
    [VRS_OP_SLICE] = infer_slice,
    [VRS_OP_PAD] = infer_pad,
    [VRS_OP_RESHAPE] = infer_reshape,
    [VRS_OP_TRANSPOSE] = infer_transpose,
    [VRS_OP_EXPAND] = infer_expand,
    [VRS_OP_GATHER] = infer_gather,
    [VRS_OP_DEPTH_TO_SPACE] = infer_blocks,
    [VRS_OP_SPACE_TO_DEPTH] = infer_blocks,
    [VRS_OP_MATMUL] = infer_matmul,
    [VRS_OP_GEMM] = infer_gemm,
    [VRS_OP_CAST] = infer_cast,
    [VRS_OP_QUANTIZE] = infer_quantize,
    [VRS_OP_DEQUANTIZE] = infer_quantize,
    [VRS_OP_SHAPE] = infer_shape,
};

/* A slope was checked by the first inference; other batches may not bring other channels. */
static vrs_status check_slope(const vrs_graph *graph, const vrs_node *node)
{
    if (node->act.kind != VRS_ACT_PRELU)
        return VRS_OK;
    const vrs_value *y = &graph->values[node->outputs[0]];
    size_t slopes = vrs_value_elements(&graph->values[node->act.slope]);
    bool right = graph->values[node->act.slope].dtype == VRS_DTYPE_F32 &&
                 (slopes == 1 || (y->rank >= 2 && slopes == (size_t)y->dims[1]));
    return right ? VRS_OK
                 : vrs_fail_node(graph, node, VRS_FORMAT,
                                 "it has %zu slopes, which is not the "
                                 "number of its channels",
                                 slopes);
}

vrs_status vrs_node_infer(vrs_graph *graph, vrs_node *node)
{
    vrs_status status = table[node->op](graph, node);
    return status == VRS_OK ? check_slope(graph, node) : status;
}
