/* The table of operators, and what lowering functions share. */
#include "graph/lower.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

typedef struct known_op {
    const char *name;
    lower_fn fn;
    int32_t variant;
} known_op;

static const known_op known_ops[] = {
    {"Abs", lower_unary_op, VRS_UNARY_ABS},
    {"Add", lower_binary_op, VRS_BINARY_ADD},
    {"And", lower_binary_op, VRS_BINARY_AND},
    {"ArgMax", lower_argmax_op, 0},
    {"ArgMin", lower_argmax_op, 1},
    {"AveragePool", lower_pool_op, VRS_POOL_AVERAGE},
    {"BatchNormalization", lower_batch_norm_op, 0},
    {"Cast", lower_cast_op, 0},
    {"Ceil", lower_unary_op, VRS_UNARY_CEIL},
    {"Clip", lower_clip_op, 0},
    {"Concat", lower_concat_op, 0},
    {"Constant", lower_constant_op, 0},
    {"ConstantOfShape", lower_expand_op, 1},
    {"Conv", lower_conv_op, 0},
    {"ConvTranspose", lower_conv_op, 1},
    {"Cos", lower_unary_op, VRS_UNARY_COS},
    {"DepthToSpace", lower_block_op, VRS_OP_DEPTH_TO_SPACE},
    {"DequantizeLinear", lower_quantize_op, 1},
    {"Div", lower_binary_op, VRS_BINARY_DIV},
    {"Dropout", lower_identity_op, 0},
    {"Elu", lower_act_op, VRS_ACT_ELU},
    {"Equal", lower_binary_op, VRS_BINARY_EQUAL},
    {"Erf", lower_unary_op, VRS_UNARY_ERF},
    {"Exp", lower_unary_op, VRS_UNARY_EXP},
    {"Expand", lower_expand_op, 0},
    {"Flatten", lower_flatten_op, 0},
    {"Floor", lower_unary_op, VRS_UNARY_FLOOR},
    {"Gather", lower_gather_op, 0},
    {"Gelu", lower_act_op, VRS_ACT_GELU},
    {"Gemm", lower_gemm_op, 0},
    {"GlobalAveragePool", lower_global_pool_op, VRS_REDUCE_MEAN},
    {"GlobalMaxPool", lower_global_pool_op, VRS_REDUCE_MAX},
    {"Greater", lower_binary_op, VRS_BINARY_GREATER},
    {"GreaterOrEqual", lower_binary_op, VRS_BINARY_GREATER_EQUAL},
    {"HardSigmoid", lower_act_op, VRS_ACT_HARD_SIGMOID},
    {"HardSwish", lower_act_op, VRS_ACT_HARD_SWISH},
    {"Identity", lower_identity_op, 0},
    {"InstanceNormalization", lower_instance_norm_op, 0},
    {"LayerNormalization", lower_layer_norm_op, 0},
    {"LeakyRelu", lower_act_op, VRS_ACT_LEAKY_RELU},
    {"Less", lower_binary_op, VRS_BINARY_LESS},
    {"LessOrEqual", lower_binary_op, VRS_BINARY_LESS_EQUAL},
    {"Log", lower_unary_op, VRS_UNARY_LOG},
    {"LogSoftmax", lower_softmax_op, 1},
    {"MatMul", lower_matmul_op, 0},
    {"Max", lower_nary_op, VRS_BINARY_MAX},
    {"MaxPool", lower_pool_op, VRS_POOL_MAX},
    {"Mean", lower_mean_op, 0},
    {"Min", lower_nary_op, VRS_BINARY_MIN},
    {"Mish", lower_mish_op, 0},
    {"Mod", lower_binary_op, VRS_BINARY_MOD},
    {"Mul", lower_binary_op, VRS_BINARY_MUL},
    {"Neg", lower_unary_op, VRS_UNARY_NEG},
    {"Not", lower_unary_op, VRS_UNARY_NOT},
    {"Or", lower_binary_op, VRS_BINARY_OR},
    {"PRelu", lower_prelu_op, 0},
    {"Pad", lower_pad_op, 0},
    {"Pow", lower_binary_op, VRS_BINARY_POW},
    {"QuantizeLinear", lower_quantize_op, 0},
    {"Reciprocal", lower_unary_op, VRS_UNARY_RECIPROCAL},
    {"ReduceL2", lower_reduce_op, VRS_REDUCE_L2},
    {"ReduceMax", lower_reduce_op, VRS_REDUCE_MAX},
    {"ReduceMean", lower_reduce_op, VRS_REDUCE_MEAN},
    {"ReduceMin", lower_reduce_op, VRS_REDUCE_MIN},
    {"ReduceProd", lower_reduce_op, VRS_REDUCE_PROD},
    {"ReduceSum", lower_reduce_op, VRS_REDUCE_SUM},
    {"Relu", lower_act_op, VRS_ACT_RELU},
    {"Reshape", lower_reshape_op, 0},
    {"Resize", lower_resize_op, 0},
    {"Round", lower_unary_op, VRS_UNARY_ROUND},
    {"Shape", lower_shape_op, 0},
    {"Sigmoid", lower_act_op, VRS_ACT_SIGMOID},
    {"Sign", lower_unary_op, VRS_UNARY_SIGN},
    {"Sin", lower_unary_op, VRS_UNARY_SIN},
    {"Size", lower_shape_op, 1},
    {"Slice", lower_slice_op, 0},
    {"Softmax", lower_softmax_op, 0},
    {"Softplus", lower_act_op, VRS_ACT_SOFTPLUS},
    {"SpaceToDepth", lower_block_op, VRS_OP_SPACE_TO_DEPTH},
    {"Split", lower_split_op, 0},
    {"Sqrt", lower_unary_op, VRS_UNARY_SQRT},
    {"Squeeze", lower_squeeze_op, 0},
    {"Sub", lower_binary_op, VRS_BINARY_SUB},
    {"Sum", lower_nary_op, VRS_BINARY_ADD},
    {"Tanh", lower_act_op, VRS_ACT_TANH},
    {"Tile", lower_tile_op, 0},
    {"Transpose", lower_transpose_op, 0},
    {"Unsqueeze", lower_squeeze_op, 1},
    {"Upsample", lower_resize_op, 1},
    {"Where", lower_where_op, 0},
    {"Xor", lower_binary_op, VRS_BINARY_XOR},
};

static const known_op *find_op(const Onnx__NodeProto *node)
{
    const char *domain = vrs_onnx_text(node->domain);
    for (size_t i = 0; i < sizeof(known_ops) / sizeof(*known_ops); i++)
        if (strcmp(known_ops[i].name, vrs_onnx_text(node->op_type)) == 0)
            return domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0 ? &known_ops[i] : NULL;
    return NULL;
}

bool vrs_onnx_knows(const Onnx__NodeProto *node)
{
    return find_op(node) != NULL;
}

vrs_status lower_fail(const lower *l, vrs_status status, const char *format, ...)
{
    char text[VRS_DETAIL_SIZE];
    va_list args;
    va_start(args, format);
    vrs_text_vformat(text, sizeof(text), format, args);
    va_end(args);
    return vrs_fail(status, "%s: node \"%s\" (%s): %s", l->graph->name, l->name,
                    vrs_onnx_text(l->source->op_type), text);
}

static const Onnx__AttributeProto *find_attribute(const lower *l, const char *name)
{
    for (size_t i = 0; i < l->source->n_attribute; i++)
        if (strcmp(vrs_onnx_text(l->source->attribute[i]->name), name) == 0)
            return l->source->attribute[i];
    return NULL;
}

int64_t lower_int(const lower *l, const char *name, int64_t otherwise)
{
    const Onnx__AttributeProto *found = find_attribute(l, name);
    return found && found->has_i ? found->i : otherwise;
}

float lower_float(const lower *l, const char *name, float otherwise)
{
    const Onnx__AttributeProto *found = find_attribute(l, name);
    return found && found->has_f ? found->f : otherwise;
}

void lower_text(const lower *l, const char *name, const char *otherwise, char *text, size_t size)
{
    const Onnx__AttributeProto *found = find_attribute(l, name);
    size_t length = found && found->has_s ? found->s.len : strlen(otherwise);
    length = length < size ? length : size - 1;
    memset(text, 0, size);
    if (length > 0)
        memcpy(text, found && found->has_s ? (const char *)found->s.data : otherwise, length);
}

bool lower_has(const lower *l, const char *name)
{
    return find_attribute(l, name) != NULL;
}

size_t lower_ints(const lower *l, const char *name, const int64_t **list)
{
    const Onnx__AttributeProto *found = find_attribute(l, name);
    *list = found ? found->ints : NULL;
    return found ? found->n_ints : 0;
}

const Onnx__TensorProto *lower_tensor(const lower *l, const char *name)
{
    const Onnx__AttributeProto *found = find_attribute(l, name);
    return found ? found->t : NULL;
}

vrs_status lower_sizes(const lower *l, const char *name, size_t count, int32_t least,
                       int32_t otherwise, int32_t *list)
{
    const int64_t *given;
    size_t found = lower_ints(l, name, &given);
    if (found != 0 && found != count) {
        return lower_fail(l, VRS_FORMAT, "\"%s\" has %zu numbers where %zu were expected", name,
                          found, count);
    }
    for (size_t i = 0; i < count; i++) {
        int64_t number = found != 0 ? given[i] : otherwise;
        if (number < least || number > VRS_GRAPH_MAX_SIDE) {
            return lower_fail(l, VRS_UNSUPPORTED, "\"%s\" has %lld, and %d to %d are supported",
                              name, (long long)number, least, VRS_GRAPH_MAX_SIDE);
        }
        list[i] = (int32_t)number;
    }
    return VRS_OK;
}

int32_t lower_input(const lower *l, int32_t i)
{
    return i < l->in_count ? l->in[i] : VRS_NO_VALUE;
}

const vrs_value *lower_value(const lower *l, int32_t i)
{
    return &l->graph->values[l->in[i]];
}

bool lower_is_constant(const lower *l, int32_t i)
{
    int32_t value = lower_input(l, i);
    return value != VRS_NO_VALUE && l->graph->values[value].data &&
           !l->graph->values[value].follows_batch;
}

vrs_status lower_needs(const lower *l, int32_t least)
{
    for (int32_t i = 0; i < least; i++)
        if (lower_input(l, i) == VRS_NO_VALUE)
            return lower_fail(l, VRS_FORMAT, "input %d is missing or has no elements", i + 1);
    return VRS_OK;
}

vrs_status lower_needs_constant(const lower *l, int32_t i, const char *what)
{
    if (lower_input(l, i) == VRS_NO_VALUE || lower_is_constant(l, i))
        return VRS_OK;
    return lower_fail(l, VRS_UNSUPPORTED,
                      "%s \"%.100s\" is computed, and only a constant is supported", what,
                      lower_value(l, i)->name);
}

vrs_status lower_needs_picture(const lower *l)
{
    vrs_status status = lower_needs(l, 1);
    if (status != VRS_OK)
        return status;
    const vrs_value *x = lower_value(l, 0);
    if (x->rank != 4 || x->dtype != VRS_DTYPE_F32) {
        return lower_fail(l, VRS_UNSUPPORTED,
                          "its input has %d axes of type %s, and only four of floats (NCHW) are "
                          "supported",
                          x->rank, vrs_dtype_name(x->dtype));
    }
    return VRS_OK;
}

vrs_status lower_axis(const lower *l, int64_t axis, int32_t rank, int32_t *result)
{
    if (axis < -rank || axis >= rank) {
        return lower_fail(l, VRS_FORMAT, "axis %lld is none of the %d that there are",
                          (long long)axis, rank);
    }
    *result = (int32_t)(axis < 0 ? axis + rank : axis);
    return VRS_OK;
}

vrs_status lower_add_ints(lower *l, const int64_t *list, size_t count, int32_t *index)
{
    int64_t dims[1] = {(int64_t)count};
    return vrs_graph_add_constant(l->graph, l->name, VRS_DTYPE_I64, 1, dims, list, index);
}

vrs_status lower_add_float(lower *l, float value, int32_t *index)
{
    return vrs_graph_add_constant(l->graph, l->name, VRS_DTYPE_F32, 0, NULL, &value, index);
}

/* Adds the value of output `i`. */
static vrs_status add_output(lower *l, int32_t i, int32_t *index)
{
    const char *name = (size_t)i < l->source->n_output ? vrs_onnx_text(l->source->output[i]) : "";
    vrs_status status = vrs_graph_add_value(l->graph, name[0] != '\0' ? name : l->name, index);
    if (status == VRS_OK && name[0] != '\0')
        vrs_onnx_find(l->reader, name)->value = *index;
    return status;
}

static vrs_status add_node(lower *l, vrs_op op, const int32_t *inputs, int32_t count,
                           const int32_t *outputs, int32_t output_count, vrs_node **node)
{
    vrs_status status = vrs_graph_room(l->graph);
    if (status != VRS_OK)
        return status;
    *node = &l->graph->nodes[l->graph->node_count++];
    **node = (vrs_node){0};
    status = vrs_node_make(*node, op, l->name, inputs, count, outputs, output_count);
    if (status == VRS_OK)
        (*node)->rule->order = l->graph->node_count - 1;
    return status;
}

vrs_status lower_add(lower *l, vrs_op op, const int32_t *inputs, int32_t count, int32_t *result,
                     vrs_node **node)
{
    int32_t output;
    vrs_status status =
        result ? vrs_graph_add_value(l->graph, l->name, &output) : add_output(l, 0, &output);
    if (status != VRS_OK)
        return status;
    status = add_node(l, op, inputs, count, &output, 1, node);
    if (result)
        *result = output; /* last, as it may be where the input was read from */
    return status;
}

vrs_status lower_add_many(lower *l, vrs_op op, const int32_t *inputs, int32_t count,
                          vrs_node **node)
{
    int32_t outputs[VRS_GRAPH_MAX_INPUTS];
    for (int32_t i = 0; i < l->out_count; i++) {
        vrs_status status = add_output(l, i, &outputs[i]);
        if (status != VRS_OK)
            return status;
    }
    return add_node(l, op, inputs, count, outputs, l->out_count, node);
}

vrs_status lower_done(lower *l)
{
    vrs_graph *graph = l->graph;
    vrs_node *node = &graph->nodes[graph->node_count - 1];
    for (int32_t i = 0; i < node->output_count; i++)
        graph->values[node->outputs[i]].producer = graph->node_count - 1;
    vrs_status status = vrs_node_infer(graph, node);
    bool folded = false;
    if (status == VRS_OK)
        status = vrs_node_fold(graph, node, &folded);
    bool constant = folded;
    for (int32_t i = 0; folded && i < node->output_count; i++) {
        vrs_value *value = &graph->values[node->outputs[i]];
        constant = constant && !value->follows_batch;
    }
    if (status == VRS_OK && constant) {
        for (int32_t i = 0; i < node->output_count; i++)
            graph->values[node->outputs[i]].producer = VRS_NO_VALUE;
        vrs_node_clear(node);
        graph->node_count--;
    }
    return status;
}

vrs_status lower_plain(lower *l, vrs_op op, const int32_t *inputs, int32_t count, int32_t *result)
{
    vrs_node *node;
    vrs_status status = lower_add(l, op, inputs, count, result, &node);
    return status == VRS_OK ? lower_done(l) : status;
}

vrs_status lower_binary(lower *l, vrs_binary kind, int32_t a, int32_t b, int32_t *result)
{
    vrs_node *node;
    int32_t inputs[2] = {a, b};
    vrs_status status = lower_add(l, VRS_OP_BINARY, inputs, 2, result, &node);
    if (status != VRS_OK)
        return status;
    node->as.binary.kind = kind;
    node->as.binary.fmod = kind == VRS_BINARY_MOD && lower_int(l, "fmod", 0) != 0;
    return lower_done(l);
}

vrs_status lower_unary(lower *l, vrs_unary kind, int32_t x, int32_t *result)
{
    vrs_node *node;
    vrs_status status = lower_add(l, VRS_OP_UNARY, &x, 1, result, &node);
    if (status != VRS_OK)
        return status;
    node->as.unary = kind;
    return lower_done(l);
}

vrs_status lower_act(lower *l, vrs_act act, int32_t x, int32_t *result)
{
    vrs_node *node;
    vrs_status status = lower_add(l, VRS_OP_ACTIVATION, &x, 1, result, &node);
    if (status != VRS_OK)
        return status;
    node->act = act;
    return lower_done(l);
}

vrs_status lower_alias(lower *l, int32_t value)
{
    const char *name = l->source->n_output > 0 ? vrs_onnx_text(l->source->output[0]) : "";
    if (name[0] != '\0')
        vrs_onnx_find(l->reader, name)->value = value;
    return VRS_OK;
}

/* Finds the values that the node reads; they are there, as nodes come in order, unless the node
 * that makes one does not make that output. */
static vrs_status find_inputs(lower *l)
{
    for (size_t i = 0; i < l->source->n_input; i++) {
        const char *name = vrs_onnx_text(l->source->input[i]);
        const vrs_onnx_name *found = name[0] != '\0' ? vrs_onnx_find(l->reader, name) : NULL;
        if (found && found->value == VRS_NO_VALUE && !found->empty) {
            return lower_fail(l, VRS_UNSUPPORTED,
                              "it reads \"%.100s\", a second result that is not supported", name);
        }
        l->in[l->in_count++] = found ? found->value : VRS_NO_VALUE;
    }
    while (l->in_count > 0 && l->in[l->in_count - 1] == VRS_NO_VALUE)
        l->in_count--;
    return VRS_OK;
}

vrs_status vrs_onnx_lower(vrs_reader *reader, const Onnx__NodeProto *source)
{
    const known_op *op = find_op(source);
    lower l = {
        .reader = reader, .graph = reader->graph, .source = source, .opset = reader->graph->opset};
    const char *name = vrs_onnx_text(source->name);
    for (size_t i = 0; i < source->n_output && name[0] == '\0'; i++)
        name = vrs_onnx_text(source->output[i]);
    snprintf(l.name, sizeof(l.name), "%.*s", (int)vrs_text_cut(name, strlen(name), 127), name);
    if (source->n_input > VRS_GRAPH_MAX_INPUTS || source->n_output > VRS_GRAPH_MAX_INPUTS) {
        return lower_fail(&l, VRS_UNSUPPORTED, "it has more than %d inputs or outputs",
                          VRS_GRAPH_MAX_INPUTS);
    }
    for (size_t i = 0; i < source->n_output; i++)
        l.out_count = vrs_onnx_text(source->output[i])[0] != '\0' ? (int32_t)i + 1 : l.out_count;
    vrs_status status = find_inputs(&l);
    return status == VRS_OK ? op->fn(&l, op->variant) : status;
}
