/* The interpreter's table of operators, and walking through dims. */
#include "graph/compute.h"

#include <string.h>

#include "graph/interpreter.h"

odometer odometer_over(const vrs_value *value)
{
    odometer o = {.rank = value->rank};
    memcpy(o.dims, value->dims, sizeof(o.dims));
    return o;
}

void dense_steps(const vrs_value *value, int64_t *steps)
{
    int64_t step = 1;
    for (int32_t i = value->rank - 1; i >= 0; i--) {
        steps[i] = step;
        step *= value->dims[i];
    }
}

void odometer_broadcast(odometer *o, int32_t which, const vrs_value *value)
{
    int64_t steps[VRS_GRAPH_MAX_RANK];
    dense_steps(value, steps);
    for (int32_t i = 1; i <= o->rank; i++) {
        bool there = i <= value->rank && value->dims[value->rank - i] != 1;
        o->steps[which][o->rank - i] = there ? steps[value->rank - i] : 0;
    }
}

int64_t dims_product(const vrs_value *value, int32_t first, int32_t end)
{
    int64_t result = 1;
    for (int32_t i = first; i < end; i++)
        result *= value->dims[i];
    return result;
}

void copy_element(void *to, int64_t to_index, const void *from, int64_t from_index, size_t bytes)
{
    if (bytes == 4)
        ((uint32_t *)to)[to_index] = ((const uint32_t *)from)[from_index];
    else if (bytes == 8)
        ((uint64_t *)to)[to_index] = ((const uint64_t *)from)[from_index];
    else
        ((uint8_t *)to)[to_index] = ((const uint8_t *)from)[from_index];
}

int64_t load_integer(vrs_dtype dtype, const void *data, int64_t index)
{
    switch (dtype) {
    case VRS_DTYPE_I64:
        return ((const int64_t *)data)[index];
    case VRS_DTYPE_I32:
        return ((const int32_t *)data)[index];
    case VRS_DTYPE_I8:
        return ((const int8_t *)data)[index];
    default:
        return ((const uint8_t *)data)[index];
    }
}

double vrs_element_at(vrs_dtype dtype, const void *data, size_t i)
{
    return dtype == VRS_DTYPE_F32 ? (double)((const float *)data)[i]
                                  : (double)load_integer(dtype, data, (int64_t)i);
}

void store_integer(vrs_dtype dtype, void *data, int64_t index, int64_t number)
{
    switch (dtype) {
    case VRS_DTYPE_I64:
        ((int64_t *)data)[index] = number;
        break;
    case VRS_DTYPE_I32:
        ((uint32_t *)data)[index] = (uint32_t)number;
        break;
    case VRS_DTYPE_BOOL:
        ((uint8_t *)data)[index] = number != 0;
        break;
    default:
        ((uint8_t *)data)[index] = (uint8_t)number;
        break;
    }
}

static const compute_fn table[VRS_OP_COUNT] = {
    [VRS_OP_CONV] = compute_conv,
    [VRS_OP_CONV_TRANSPOSED] = compute_conv_transposed,
    [VRS_OP_SCALE_SHIFT] = compute_scale_shift,
    [VRS_OP_INSTANCE_NORM] = compute_instance_norm,
    [VRS_OP_ACTIVATION] = compute_activation,
    [VRS_OP_UNARY] = compute_unary,
    [VRS_OP_BINARY] = compute_binary,
    [VRS_OP_WHERE] = compute_where,
    [VRS_OP_POOL] = compute_pool,
    [VRS_OP_REDUCE] = compute_reduce,
    [VRS_OP_ARGMAX] = compute_argmax,
    [VRS_OP_SOFTMAX] = compute_softmax,
    [VRS_OP_RESIZE] = compute_resize,
    [VRS_OP_CONCAT] = compute_concat,
    [VRS_OP_SPLIT] = compute_split,
    [VRS_OP_SLICE] = compute_slice,
    [VRS_OP_PAD] = compute_pad,
    [VRS_OP_RESHAPE] = compute_reshape,
    [VRS_OP_TRANSPOSE] = compute_transpose,
    [VRS_OP_EXPAND] = compute_expand,
    [VRS_OP_GATHER] = compute_gather,
    [VRS_OP_DEPTH_TO_SPACE] = compute_depth_to_space,
    [VRS_OP_SPACE_TO_DEPTH] = compute_space_to_depth,
    [VRS_OP_MATMUL] = compute_matmul,
    [VRS_OP_GEMM] = compute_gemm,
    [VRS_OP_CAST] = compute_cast,
    [VRS_OP_QUANTIZE] = compute_quantize,
    [VRS_OP_DEQUANTIZE] = compute_dequantize,
    [VRS_OP_SHAPE] = compute_shape,
};

vrs_status vrs_node_compute(const vrs_graph *graph, const vrs_node *node, const void *const *inputs,
                            void *const *outputs)
{
    compute c = {.graph = graph, .node = node, .in = inputs, .out = outputs};
    vrs_status status = table[node->op](&c);
    if (status == VRS_OK && node->act.kind != VRS_ACT_NONE)
        apply_activation(&c, outputs[0]);
    return status;
}
