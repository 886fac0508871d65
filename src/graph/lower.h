/* Lowering: from a node of an ONNX file to nodes of a graph. One function for each kind of
 * operator; lower.c has their table. */
#ifndef VRS_GRAPH_LOWER_H
#define VRS_GRAPH_LOWER_H

#include "graph/onnx_reader.h"

/* The node that is being lowered. A function adds nodes by lower_add() and lower_done() in pairs.
 */
typedef struct lower {
    vrs_reader *reader;
    vrs_graph *graph;
    const Onnx__NodeProto *source;
    char name[128];
    int64_t opset;
    int32_t in[VRS_GRAPH_MAX_INPUTS]; /* values; VRS_NO_VALUE: left out */
    int32_t in_count;
    int32_t out_count; /* up to the last one that is not left out */
} lower;

typedef vrs_status (*lower_fn)(lower *l, int32_t variant);

/* A failure that names the file's node and operator. */
vrs_status lower_fail(const lower *l, vrs_status status, const char *format, ...) VRS_PRINTF(3, 4);

/* Attributes: the file's value, or `otherwise`. */
int64_t lower_int(const lower *l, const char *name, int64_t otherwise);
float lower_float(const lower *l, const char *name, float otherwise);
/* A text of at most `size` - 1 bytes. */
void lower_text(const lower *l, const char *name, const char *otherwise, char *text, size_t size);
bool lower_has(const lower *l, const char *name);
/* Pointers into the file; 0 elements where it is missing. */
size_t lower_ints(const lower *l, const char *name, const int64_t **list);
const Onnx__TensorProto *lower_tensor(const lower *l, const char *name);
/* `count` numbers of 0 or more as 32 bits, all `otherwise` where they are missing. VRS_FORMAT:
 * another count; VRS_UNSUPPORTED: out of range. */
vrs_status lower_sizes(const lower *l, const char *name, size_t count, int32_t least,
                       int32_t otherwise, int32_t *list) VRS_MUST_USE;

/* Input `i`, VRS_NO_VALUE where there is none. */
int32_t lower_input(const lower *l, int32_t i);
/* That input's value; the node must have it. */
const vrs_value *lower_value(const lower *l, int32_t i);
/* Whether input `i` is there and is a constant for every batch. */
bool lower_is_constant(const lower *l, int32_t i);
/* VRS_FORMAT: fewer than `least` inputs are there, counted from the first. */
vrs_status lower_needs(const lower *l, int32_t least) VRS_MUST_USE;
/* VRS_UNSUPPORTED: input `i` is there and is not a constant. */
vrs_status lower_needs_constant(const lower *l, int32_t i, const char *what) VRS_MUST_USE;
/* VRS_UNSUPPORTED unless x (input 0) is a picture: of rank 4, F32. */
vrs_status lower_needs_picture(const lower *l) VRS_MUST_USE;

/* An axis of the file, which may count from the end. VRS_FORMAT: out of range. */
vrs_status lower_axis(const lower *l, int64_t axis, int32_t rank, int32_t *result) VRS_MUST_USE;

/* Adds an integer constant of one axis. */
vrs_status lower_add_ints(lower *l, const int64_t *list, size_t count, int32_t *index) VRS_MUST_USE;
vrs_status lower_add_float(lower *l, float value, int32_t *index) VRS_MUST_USE;

/* Adds a node with a result that is no output of the file's node, or with its output `output`
 * (where `result` is NULL). The node is to be filled in, then lower_done(). */
vrs_status lower_add(lower *l, vrs_op op, const int32_t *inputs, int32_t count, int32_t *result,
                     vrs_node **node) VRS_MUST_USE;
/* With several outputs of the file's node. */
vrs_status lower_add_many(lower *l, vrs_op op, const int32_t *inputs, int32_t count,
                          vrs_node **node) VRS_MUST_USE;
/* Infers the last node; where all that it reads is known it is computed and gone. */
vrs_status lower_done(lower *l) VRS_MUST_USE;
/* lower_add() and lower_done() for a node without attributes. */
vrs_status lower_plain(lower *l, vrs_op op, const int32_t *inputs, int32_t count,
                       int32_t *result) VRS_MUST_USE;
vrs_status lower_binary(lower *l, vrs_binary kind, int32_t a, int32_t b,
                        int32_t *result) VRS_MUST_USE;
vrs_status lower_unary(lower *l, vrs_unary kind, int32_t x, int32_t *result) VRS_MUST_USE;
vrs_status lower_act(lower *l, vrs_act act, int32_t x, int32_t *result) VRS_MUST_USE;
/* A RESHAPE by a rule without parameters that lower_rule() made. */
vrs_node_rule lower_rule(vrs_rule_kind kind);
vrs_status lower_reshape(lower *l, const vrs_node_rule *rule, int32_t x,
                         int32_t *result) VRS_MUST_USE;
/* A reduction over the axes of the bits, which stay as 1. */
vrs_status lower_reduce(lower *l, vrs_reduce_kind kind, uint32_t axes, int32_t x,
                        int32_t *result) VRS_MUST_USE;
/* Output 0 of the file's node is this value. */
vrs_status lower_alias(lower *l, int32_t value) VRS_MUST_USE;

vrs_status lower_binary_op(lower *l, int32_t kind);
vrs_status lower_nary_op(lower *l, int32_t kind);
vrs_status lower_mean_op(lower *l, int32_t variant);
vrs_status lower_unary_op(lower *l, int32_t kind);
vrs_status lower_act_op(lower *l, int32_t kind);
vrs_status lower_clip_op(lower *l, int32_t variant);
vrs_status lower_prelu_op(lower *l, int32_t variant);
vrs_status lower_mish_op(lower *l, int32_t variant);
vrs_status lower_identity_op(lower *l, int32_t variant);
vrs_status lower_constant_op(lower *l, int32_t variant);
vrs_status lower_cast_op(lower *l, int32_t variant);
vrs_status lower_where_op(lower *l, int32_t variant);
vrs_status lower_conv_op(lower *l, int32_t transposed);
vrs_status lower_batch_norm_op(lower *l, int32_t variant);
vrs_status lower_instance_norm_op(lower *l, int32_t variant);
vrs_status lower_layer_norm_op(lower *l, int32_t variant);
vrs_status lower_pool_op(lower *l, int32_t kind);
vrs_status lower_global_pool_op(lower *l, int32_t kind);
vrs_status lower_reduce_op(lower *l, int32_t kind);
vrs_status lower_argmax_op(lower *l, int32_t min);
vrs_status lower_softmax_op(lower *l, int32_t log);
vrs_status lower_matmul_op(lower *l, int32_t variant);
vrs_status lower_gemm_op(lower *l, int32_t variant);
vrs_status lower_quantize_op(lower *l, int32_t dequantize);
vrs_status lower_resize_op(lower *l, int32_t upsample);
vrs_status lower_concat_op(lower *l, int32_t variant);
vrs_status lower_split_op(lower *l, int32_t variant);
vrs_status lower_slice_op(lower *l, int32_t variant);
vrs_status lower_pad_op(lower *l, int32_t variant);
vrs_status lower_reshape_op(lower *l, int32_t variant);
vrs_status lower_flatten_op(lower *l, int32_t variant);
vrs_status lower_squeeze_op(lower *l, int32_t un);
vrs_status lower_transpose_op(lower *l, int32_t variant);
vrs_status lower_expand_op(lower *l, int32_t fill);
vrs_status lower_tile_op(lower *l, int32_t variant);
vrs_status lower_gather_op(lower *l, int32_t variant);
vrs_status lower_block_op(lower *l, int32_t op);
vrs_status lower_shape_op(lower *l, int32_t size);

#endif
