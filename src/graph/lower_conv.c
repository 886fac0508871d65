/* Lowering of convolutions, normalisations and pools. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/lower.h"

/* What convolutions and pools have alike. */
typedef struct window {
    int32_t kernel[2], stride[2], dilation[2], before[2], after[2];
    vrs_auto_pad auto_pad;
} window;

static vrs_status read_auto_pad(const lower *l, vrs_auto_pad *auto_pad)
{
    char text[16];
    lower_text(l, "auto_pad", "NOTSET", text, sizeof(text));
    if (strcmp(text, "NOTSET") == 0 || strcmp(text, "VALID") == 0)
        *auto_pad = VRS_AUTO_PAD_NONE;
    else if (strcmp(text, "SAME_UPPER") == 0)
        *auto_pad = VRS_AUTO_PAD_UPPER;
    else if (strcmp(text, "SAME_LOWER") == 0)
        *auto_pad = VRS_AUTO_PAD_LOWER;
    else
        return lower_fail(l, VRS_FORMAT, "\"auto_pad\" is \"%s\"", text);
    return VRS_OK;
}

/* Reads all but the kernel. */
static vrs_status read_window(const lower *l, window *w)
{
    int32_t pads[4];
    vrs_status status = read_auto_pad(l, &w->auto_pad);
    if (status == VRS_OK)
        status = lower_sizes(l, "strides", 2, 1, 1, w->stride);
    if (status == VRS_OK)
        status = lower_sizes(l, "dilations", 2, 1, 1, w->dilation);
    if (status == VRS_OK)
        status = lower_sizes(l, "pads", 4, 0, 0, pads);
    for (int32_t i = 0; i < 2 && status == VRS_OK; i++) {
        w->before[i] = pads[i];
        w->after[i] = pads[2 + i];
    }
    return status;
}

/* Weights are a constant, or a dequantised one. */
static vrs_status check_weights(const lower *l)
{
    const vrs_value *weights = lower_value(l, 1);
    const vrs_node *maker =
        weights->producer != VRS_NO_VALUE ? &l->graph->nodes[weights->producer] : NULL;
    bool dequantised =
        maker && maker->op == VRS_OP_DEQUANTIZE && l->graph->values[maker->inputs[0]].data;
    vrs_status status = dequantised ? VRS_OK : lower_needs_constant(l, 1, "its weights");
    if (status != VRS_OK)
        return status;
    if (weights->rank != 4 || weights->dtype != VRS_DTYPE_F32) {
        return lower_fail(l, VRS_FORMAT,
                          "its weights \"%.100s\" have %d axes of type %s, where "
                          "four of floats were expected",
                          weights->name, weights->rank, vrs_dtype_name(weights->dtype));
    }
    int64_t given[2] = {weights->dims[2], weights->dims[3]};
    const int64_t *kernel = given;
    size_t count = lower_ints(l, "kernel_shape", &kernel);
    if (count != 0 && (count != 2 || kernel[0] != given[0] || kernel[1] != given[1]))
        return lower_fail(l, VRS_FORMAT, "\"kernel_shape\" is not the size of its weights");
    if (given[0] > VRS_GRAPH_MAX_SIDE || given[1] > VRS_GRAPH_MAX_SIDE) {
        return lower_fail(l, VRS_UNSUPPORTED, "its kernel has a side of more than %d",
                          VRS_GRAPH_MAX_SIDE);
    }
    return VRS_OK;
}

/* Checks that input `i` is a constant of C floats. */
static vrs_status check_vector(const lower *l, int32_t i, const char *what, int64_t channels)
{
    vrs_status status = lower_needs_constant(l, i, what);
    if (status != VRS_OK || lower_input(l, i) == VRS_NO_VALUE)
        return status;
    const vrs_value *value = lower_value(l, i);
    if (value->rank != 1 || value->dims[0] != channels || value->dtype != VRS_DTYPE_F32) {
        char dims[64];
        vrs_dims_text(value, dims, sizeof(dims));
        return lower_fail(
            l, VRS_FORMAT, "%s \"%.100s\" has %s elements of %s where %lld floats were expected",
            what, value->name, dims, vrs_dtype_name(value->dtype), (long long)channels);
    }
    return VRS_OK;
}

static vrs_status check_conv(const lower *l, int32_t transposed, int32_t *groups)
{
    vrs_status status = lower_needs(l, 2);
    if (status == VRS_OK)
        status = lower_needs_picture(l);
    if (status == VRS_OK)
        status = check_weights(l);
    if (status != VRS_OK)
        return status;
    const int64_t *weights = lower_value(l, 1)->dims, channels = lower_value(l, 0)->dims[1];
    int64_t number = lower_int(l, "group", 1);
    bool right = number >= 1 && number <= channels && channels % number == 0 &&
                 (transposed ? weights[0] == channels
                             : weights[1] == channels / number && weights[0] % number == 0);
    if (!right) {
        return lower_fail(l, VRS_FORMAT,
                          "its weights are %lldx%lld channels, which do not go with %lld channels "
                          "in %lld groups",
                          (long long)weights[0], (long long)weights[1], (long long)channels,
                          (long long)number);
    }
    *groups = (int32_t)number;
    return check_vector(l, 2, "its bias", transposed ? weights[1] * number : weights[0]);
}

/* The output's size may be given instead of the pads; they then follow from it. */
static vrs_status read_transposed(const lower *l, window *w, int32_t *output_pad)
{
    vrs_status status = lower_sizes(l, "output_padding", 2, 0, 0, output_pad);
    const int64_t *shape;
    size_t count = lower_ints(l, "output_shape", &shape);
    if (status != VRS_OK || count == 0)
        return status;
    const int64_t *in = lower_value(l, 0)->dims + 2, *kernel = lower_value(l, 1)->dims + 2;
    for (size_t i = 0; i < 2; i++) {
        int64_t full =
            (in[i] - 1) * w->stride[i] + output_pad[i] + (kernel[i] - 1) * w->dilation[i];
        int64_t total = full + 1 - (count >= 2 ? shape[count - 2 + i] : 0);
        if (count < 2 || count > 4 || total < 0 || total > VRS_GRAPH_MAX_SIDE)
            return lower_fail(l, VRS_UNSUPPORTED, "its \"output_shape\" cannot be reached by pads");
        int32_t half = (int32_t)(total / 2), rest = (int32_t)(total - total / 2);
        bool upper = w->auto_pad == VRS_AUTO_PAD_UPPER;
        w->before[i] = upper ? half : rest;
        w->after[i] = upper ? rest : half;
    }
    w->auto_pad = VRS_AUTO_PAD_NONE;
    return VRS_OK;
}

vrs_status lower_conv_op(lower *l, int32_t transposed)
{
    int32_t groups = 1;
    window w = {0};
    int32_t output_pad[2] = {0, 0};
    vrs_status status = check_conv(l, transposed, &groups);
    if (status == VRS_OK)
        status = read_window(l, &w);
    if (status == VRS_OK && transposed)
        status = read_transposed(l, &w, output_pad);
    if (status != VRS_OK)
        return status;
    vrs_node *node;
    int32_t inputs[4] = {l->in[0], l->in[1], lower_input(l, 2), VRS_NO_VALUE};
    status =
        lower_add(l, transposed ? VRS_OP_CONV_TRANSPOSED : VRS_OP_CONV, inputs, 4, NULL, &node);
    if (status != VRS_OK)
        return status;
    vrs_conv_attributes *conv = &node->as.conv;
    conv->groups = groups;
    for (int32_t i = 0; i < 2; i++) {
        conv->kernel[i] = (int32_t)lower_value(l, 1)->dims[2 + i];
        conv->stride[i] = w.stride[i];
        conv->dilation[i] = w.dilation[i];
        conv->pad_before[i] = w.before[i];
        conv->pad_after[i] = w.after[i];
        conv->output_pad[i] = output_pad[i];
    }
    node->rule->auto_pad = w.auto_pad;
    return lower_done(l);
}

vrs_status lower_batch_norm_op(lower *l, int32_t variant)
{
    (void)variant;
    static const char *const what[] = {"its scale", "its bias", "its mean", "its variance"};
    vrs_status status = lower_needs(l, 5);
    if (status != VRS_OK)
        return status;
    const vrs_value *x = lower_value(l, 0);
    if (x->rank < 2 || x->dtype != VRS_DTYPE_F32 || lower_int(l, "training_mode", 0) != 0 ||
        lower_int(l, "spatial", 1) != 1) {
        return lower_fail(l, VRS_UNSUPPORTED,
                          "only inference with a scale for each channel of "
                          "floats is supported");
    }
    int64_t channels = x->dims[1];
    for (int32_t i = 0; i < 4 && status == VRS_OK; i++)
        status = check_vector(l, i + 1, what[i], channels);
    if (status != VRS_OK)
        return status;
    float *pairs = vrs_alloc_array((size_t)channels * 2, sizeof(*pairs));
    if (!pairs)
        return VRS_NO_MEMORY;
    const float *given[4];
    for (int32_t i = 0; i < 4; i++)
        given[i] = lower_value(l, i + 1)->data;
    double epsilon = lower_float(l, "epsilon", 1e-5F);
    for (int64_t c = 0; c < channels; c++) {
        double scale = given[0][c] / sqrt(given[3][c] + epsilon);
        pairs[c] = (float)scale;
        pairs[channels + c] = (float)(given[1][c] - given[2][c] * scale);
    }
    int32_t inputs[3] = {l->in[0]};
    for (int32_t i = 0; i < 2 && status == VRS_OK; i++) {
        status = vrs_graph_add_constant(l->graph, l->name, VRS_DTYPE_F32, 1, &channels,
                                        pairs + i * channels, &inputs[1 + i]);
    }
    vrs_free(pairs);
    return status == VRS_OK ? lower_plain(l, VRS_OP_SCALE_SHIFT, inputs, 3, NULL) : status;
}

/* Adds the node itself, on a picture. */
static vrs_status add_instance_norm(lower *l, int32_t x, int32_t *result)
{
    vrs_node *node;
    int32_t inputs[3] = {x, l->in[1], l->in[2]};
    vrs_status status = lower_add(l, VRS_OP_INSTANCE_NORM, inputs, 3, result, &node);
    if (status != VRS_OK)
        return status;
    node->as.norm.epsilon = lower_float(l, "epsilon", 1e-5F);
    return lower_done(l);
}

/* Three axes, which group normalisation is exported with, become a picture of one column. */
static vrs_status norm_of_rows(lower *l)
{
    vrs_node_rule open = lower_rule(VRS_RULE_UNSQUEEZE), close = lower_rule(VRS_RULE_SQUEEZE);
    open.axes = close.axes = 1U << 3;
    int32_t x = l->in[0];
    vrs_status status = lower_reshape(l, &open, x, &x);
    if (status == VRS_OK)
        status = add_instance_norm(l, x, &x);
    return status == VRS_OK ? lower_reshape(l, &close, x, NULL) : status;
}

vrs_status lower_instance_norm_op(lower *l, int32_t variant)
{
    (void)variant;
    vrs_status status = lower_needs(l, 3);
    bool rows = status == VRS_OK && lower_value(l, 0)->rank == 3 &&
                lower_value(l, 0)->dtype == VRS_DTYPE_F32;
    if (status == VRS_OK && !rows)
        status = lower_needs_picture(l);
    if (status == VRS_OK)
        status = check_vector(l, 1, "its scale", lower_value(l, 0)->dims[1]);
    if (status == VRS_OK)
        status = check_vector(l, 2, "its bias", lower_value(l, 0)->dims[1]);
    if (status != VRS_OK)
        return status;
    return rows ? norm_of_rows(l) : add_instance_norm(l, l->in[0], NULL);
}

/* (x - mean) / sqrt(mean of squares + epsilon) * scale + bias, over the axes from one on. */
vrs_status lower_layer_norm_op(lower *l, int32_t variant)
{
    (void)variant;
    int32_t axis = 0, mean, rest, spread, epsilon;
    vrs_status status = lower_needs(l, 2);
    if (status == VRS_OK)
        status = lower_axis(l, lower_int(l, "axis", -1), lower_value(l, 0)->rank, &axis);
    if (status == VRS_OK && l->out_count > 1)
        status = lower_fail(l, VRS_UNSUPPORTED, "its mean and spread as results are not supported");
    if (status != VRS_OK)
        return status;
    uint32_t axes = (1U << lower_value(l, 0)->rank) - (1U << axis);
    bool biased = lower_input(l, 2) != VRS_NO_VALUE;
    status = lower_reduce(l, VRS_REDUCE_MEAN, axes, l->in[0], &mean);
    if (status == VRS_OK)
        status = lower_binary(l, VRS_BINARY_SUB, l->in[0], mean, &rest);
    if (status == VRS_OK)
        status = lower_binary(l, VRS_BINARY_MUL, rest, rest, &spread);
    if (status == VRS_OK)
        status = lower_reduce(l, VRS_REDUCE_MEAN, axes, spread, &spread);
    if (status == VRS_OK)
        status = lower_add_float(l, lower_float(l, "epsilon", 1e-5F), &epsilon);
    if (status == VRS_OK)
        status = lower_binary(l, VRS_BINARY_ADD, spread, epsilon, &spread);
    if (status == VRS_OK)
        status = lower_unary(l, VRS_UNARY_SQRT, spread, &spread);
    if (status == VRS_OK)
        status = lower_binary(l, VRS_BINARY_DIV, rest, spread, &rest);
    if (status == VRS_OK)
        status = lower_binary(l, VRS_BINARY_MUL, rest, l->in[1], biased ? &rest : NULL);
    return status == VRS_OK && biased ? lower_binary(l, VRS_BINARY_ADD, rest, l->in[2], NULL)
                                      : status;
}

vrs_status lower_pool_op(lower *l, int32_t kind)
{
    window w = {0};
    vrs_status status = lower_needs_picture(l);
    if (status == VRS_OK && !lower_has(l, "kernel_shape"))
        status = lower_fail(l, VRS_FORMAT, "\"kernel_shape\" is missing");
    if (status == VRS_OK)
        status = lower_sizes(l, "kernel_shape", 2, 1, 1, w.kernel);
    if (status == VRS_OK)
        status = read_window(l, &w);
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_POOL, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    vrs_pool_attributes *pool = &node->as.pool;
    *pool = (vrs_pool_attributes){.kind = (vrs_pool_kind)kind,
                                  .ceil_mode = lower_int(l, "ceil_mode", 0) != 0,
                                  .count_include_pad = lower_int(l, "count_include_pad", 0) != 0};
    for (int32_t i = 0; i < 2; i++) {
        pool->kernel[i] = w.kernel[i];
        pool->stride[i] = w.stride[i];
        pool->dilation[i] = w.dilation[i];
        pool->pad_before[i] = w.before[i];
        pool->pad_after[i] = w.after[i];
    }
    node->rule->auto_pad = w.auto_pad;
    return lower_done(l);
}

vrs_status lower_global_pool_op(lower *l, int32_t kind)
{
    vrs_status status = lower_needs_picture(l);
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_REDUCE, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    node->as.reduce = (vrs_reduce_attributes){
        .kind = (vrs_reduce_kind)kind, .axes = 1U << 2 | 1U << 3, .keep = true};
    return lower_done(l);
}
