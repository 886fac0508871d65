/* The interpreter's operators: what their files share. */
#ifndef VRS_GRAPH_COMPUTE_H
#define VRS_GRAPH_COMPUTE_H

#include "graph/own.h"

/* A node with its data. Inputs that are left out are NULL. */
typedef struct compute {
    const vrs_graph *graph;
    const vrs_node *node;
    const void *const *in;
    void *const *out;
} compute;

static inline const vrs_value *compute_in(const compute *c, int32_t i)
{
    return &c->graph->values[c->node->inputs[i]];
}

static inline const vrs_value *compute_out(const compute *c, int32_t i)
{
    return &c->graph->values[c->node->outputs[i]];
}

/* Counts through all elements of some dims in their order, and keeps up to three offsets that go on
 * by steps of their own along each axis. */
typedef struct odometer {
    int32_t rank;
    int64_t dims[VRS_GRAPH_MAX_RANK], index[VRS_GRAPH_MAX_RANK];
    int64_t steps[3][VRS_GRAPH_MAX_RANK];
    int64_t offset[3];
} odometer;

/* Over the dims of `value`, all steps 0. */
odometer odometer_over(const vrs_value *value);
/* Steps of a dense value that is broadcast to the odometer's dims. */
void odometer_broadcast(odometer *o, int32_t which, const vrs_value *value);
static inline void odometer_next(odometer *o)
{
    for (int32_t i = o->rank - 1; i >= 0; i--) {
        bool carry = ++o->index[i] == o->dims[i];
        for (int32_t k = 0; k < 3; k++)
            o->offset[k] += o->steps[k][i] * (carry ? 1 - o->dims[i] : 1);
        if (!carry)
            return;
        o->index[i] = 0;
    }
}

/* Distance of neighbours along each axis of a dense value. */
void dense_steps(const vrs_value *value, int64_t *steps);

/* Product of the dims from `first` up to before `end`. */
int64_t dims_product(const vrs_value *value, int32_t first, int32_t end);

/* Copies one element of 1, 4 or 8 bytes. */
void copy_element(void *to, int64_t to_index, const void *from, int64_t from_index, size_t bytes);

/* An element of an integer or boolean type as a number, and back, with wrap-around. */
int64_t load_integer(vrs_dtype dtype, const void *data, int64_t index);
void store_integer(vrs_dtype dtype, void *data, int64_t index, int64_t number);

/* Applies the node's activation to its result, in place: F32, with C along axis 1. */
void apply_activation(const compute *c, float *y);

typedef vrs_status (*compute_fn)(const compute *c);
vrs_status compute_conv(const compute *c);
vrs_status compute_conv_transposed(const compute *c);
vrs_status compute_scale_shift(const compute *c);
vrs_status compute_instance_norm(const compute *c);
vrs_status compute_activation(const compute *c);
vrs_status compute_unary(const compute *c);
vrs_status compute_binary(const compute *c);
vrs_status compute_where(const compute *c);
vrs_status compute_pool(const compute *c);
vrs_status compute_reduce(const compute *c);
vrs_status compute_argmax(const compute *c);
vrs_status compute_softmax(const compute *c);
vrs_status compute_resize(const compute *c);
vrs_status compute_concat(const compute *c);
vrs_status compute_split(const compute *c);
vrs_status compute_slice(const compute *c);
vrs_status compute_pad(const compute *c);
vrs_status compute_reshape(const compute *c);
vrs_status compute_transpose(const compute *c);
vrs_status compute_expand(const compute *c);
vrs_status compute_gather(const compute *c);
vrs_status compute_depth_to_space(const compute *c);
vrs_status compute_space_to_depth(const compute *c);
vrs_status compute_matmul(const compute *c);
vrs_status compute_gemm(const compute *c);
vrs_status compute_cast(const compute *c);
vrs_status compute_quantize(const compute *c);
vrs_status compute_dequantize(const compute *c);
vrs_status compute_shape(const compute *c);

#endif
