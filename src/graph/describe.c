/* Graphs in words and figures. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "graph/own.h"

const char *vrs_dtype_name(vrs_dtype dtype)
{
    static const char *const names[] = {
#define DTYPE_NAME(name, bytes, text) [VRS_DTYPE_##name] = (text),
        VRS_DTYPE_MAP(DTYPE_NAME)
#undef DTYPE_NAME
    };
    return names[dtype];
}

const char *vrs_op_name(vrs_op op)
{
    static const char *const names[] = {
#define OP_NAME(name, text) [VRS_OP_##name] = (text),
        VRS_OP_MAP(OP_NAME)
#undef OP_NAME
    };
    return names[op];
}

const char *vrs_act_name(vrs_act_kind kind)
{
    static const char *const names[] = {
#define ACT_NAME(name, text) [VRS_ACT_##name] = (text),
        VRS_ACT_MAP(ACT_NAME)
#undef ACT_NAME
    };
    return names[kind];
}

static const char *unary_name(vrs_unary kind)
{
    static const char *const names[] = {
#define UNARY_NAME(name, text) [VRS_UNARY_##name] = (text),
        VRS_UNARY_MAP(UNARY_NAME)
#undef UNARY_NAME
    };
    return names[kind];
}

static const char *binary_name(vrs_binary kind)
{
    static const char *const names[] = {
#define BINARY_NAME(name, text) [VRS_BINARY_##name] = (text),
        VRS_BINARY_MAP(BINARY_NAME)
#undef BINARY_NAME
    };
    return names[kind];
}

/* A text that grows in a buffer. */
typedef struct writer {
    char *text;
    size_t size, length;
} writer;

static void say(writer *w, const char *format, ...) VRS_PRINTF(2, 3);

static void say(writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vrs_text_vformat(w->text + w->length, w->size - w->length, format, args);
    va_end(args);
    w->length += strlen(w->text + w->length);
}

static void say_dims(writer *w, const vrs_value *value)
{
    for (int32_t i = 0; i < value->rank; i++)
        say(w, "%s%" PRId64, i > 0 ? "x" : "", value->dims[i]);
    if (value->rank == 0)
        say(w, "scalar");
}

void vrs_dims_text(const vrs_value *value, char *text, size_t size)
{
    writer w = {.text = text, .size = size};
    text[0] = '\0';
    say_dims(&w, value);
}

static void say_conv(writer *w, const vrs_node *node)
{
    const vrs_conv_attributes *conv = &node->as.conv;
    say(w, " %dx%d", conv->kernel[0], conv->kernel[1]);
    if (conv->stride[0] != 1 || conv->stride[1] != 1) {
        say(w, " /%d", conv->stride[0]);
        if (conv->stride[1] != conv->stride[0])
            say(w, "x%d", conv->stride[1]);
    }
    if (conv->dilation[0] != 1 || conv->dilation[1] != 1) {
        say(w, " dilated %d", conv->dilation[0]);
        if (conv->dilation[1] != conv->dilation[0])
            say(w, "x%d", conv->dilation[1]);
    }
    if (conv->groups > 1)
        say(w, " in %d groups", conv->groups);
    if (node->inputs[3] != VRS_NO_VALUE)
        say(w, " +residual");
}

static void say_reduce(writer *w, const vrs_node *node)
{
    static const char *const kinds[] = {"mean", "sum", "max", "min", "product", "L2"};
    say(w, " %s over", kinds[node->as.reduce.kind]);
    for (int32_t i = 0; i < VRS_GRAPH_MAX_RANK; i++)
        if ((node->as.reduce.axes >> i & 1) != 0)
            say(w, " %d", i);
}

static void say_resize(writer *w, const vrs_resize_attributes *resize)
{
    static const char *const coordinates[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
    say(w, " %s %s", resize->mode == VRS_RESIZE_NEAREST ? "nearest" : "linear",
        coordinates[resize->coordinate]);
    if (resize->taps > 0)
        say(w, " of %dx%d taps", resize->taps, resize->taps);
}

static void say_attributes(writer *w, const vrs_node *node)
{
    switch (node->op) {
    case VRS_OP_CONV:
    case VRS_OP_CONV_TRANSPOSED:
        say_conv(w, node);
        break;
    case VRS_OP_UNARY:
        say(w, " %s", unary_name(node->as.unary));
        break;
    case VRS_OP_BINARY:
        say(w, " %s", binary_name(node->as.binary.kind));
        break;
    case VRS_OP_POOL:
        say(w, " %s %dx%d /%d", node->as.pool.kind == VRS_POOL_MAX ? "max" : "average",
            node->as.pool.kernel[0], node->as.pool.kernel[1], node->as.pool.stride[0]);
        break;
    case VRS_OP_REDUCE:
        say_reduce(w, node);
        break;
    case VRS_OP_RESIZE:
        say_resize(w, &node->as.resize);
        break;
    case VRS_OP_CONCAT:
    case VRS_OP_SPLIT:
    case VRS_OP_GATHER:
        say(w, " along %d", node->as.axis.axis);
        break;
    default:
        break;
    }
    if (node->act.kind != VRS_ACT_NONE)
        say(w, " %s", vrs_act_name(node->act.kind));
    if (node->act.kind == VRS_ACT_CLIP)
        say(w, " %g to %g", (double)node->act.min, (double)node->act.max);
}

void vrs_node_describe(const vrs_graph *graph, int32_t node, char *text, size_t size)
{
    const vrs_node *n = &graph->nodes[node];
    writer w = {.text = text, .size = size};
    text[0] = '\0';
    say(&w, "%s", vrs_op_name(n->op));
    say_attributes(&w, n);
    say(&w, ": ");
    if (n->input_count > 0)
        say_dims(&w, &graph->values[n->inputs[0]]);
    say(&w, " -> ");
    for (int32_t i = 0; i < n->output_count; i++) {
        say(&w, "%s", i > 0 ? ", " : "");
        say_dims(&w, &graph->values[n->outputs[i]]);
    }
}

/* Operations that make one element of the result, activation left out. */
static double per_element(const vrs_graph *graph, const vrs_node *node)
{
    const vrs_value *x = &graph->values[node->inputs[0]];
    switch (node->op) {
    case VRS_OP_POOL:
        return (double)node->as.pool.kernel[0] * node->as.pool.kernel[1];
    case VRS_OP_RESIZE:
        return (node->as.resize.mode == VRS_RESIZE_LINEAR ? 8 : 0) *
               (node->as.resize.taps > 0 ? node->as.resize.taps * node->as.resize.taps : 1);
    case VRS_OP_MATMUL:
        return 2 * (double)x->dims[x->rank - 1];
    case VRS_OP_GEMM:
        return 2 * (double)x->dims[!node->as.gemm.transpose_a];
    case VRS_OP_SCALE_SHIFT:
    case VRS_OP_QUANTIZE:
    case VRS_OP_DEQUANTIZE:
        return 2;
    case VRS_OP_INSTANCE_NORM:
        return 7;
    case VRS_OP_SOFTMAX:
        return 4;
    case VRS_OP_UNARY:
    case VRS_OP_BINARY:
        return 1;
    default:
        return 0;
    }
}

static double flops(const vrs_graph *graph, const vrs_node *node, double in, double out)
{
    const vrs_value *x = &graph->values[node->inputs[0]];
    double act = node->act.kind != VRS_ACT_NONE ? out : 0;
    if (node->op == VRS_OP_CONV || node->op == VRS_OP_CONV_TRANSPOSED) {
        const vrs_value *weights = &graph->values[node->inputs[1]];
        double taps =
            (double)weights->dims[1] * (double)weights->dims[2] * (double)weights->dims[3];
        double sums = node->op == VRS_OP_CONV ? out : (double)vrs_value_elements(x);
        return 2 * taps * sums + act + (node->inputs[2] != VRS_NO_VALUE ? out : 0) +
               (node->inputs[3] != VRS_NO_VALUE ? out : 0);
    }
    if (node->op == VRS_OP_REDUCE || node->op == VRS_OP_ARGMAX)
        return in;
    return per_element(graph, node) * out + act;
}

vrs_cost vrs_node_cost(const vrs_graph *graph, int32_t node)
{
    const vrs_node *n = &graph->nodes[node];
    vrs_cost cost = {0};
    for (int32_t i = 0; i < n->input_count; i++) {
        if (n->inputs[i] != VRS_NO_VALUE) {
            const vrs_value *value = &graph->values[n->inputs[i]];
            *(value->data ? &cost.constant : &cost.in) += (double)vrs_value_elements(value);
        }
    }
    if (n->act.slope != VRS_NO_VALUE)
        cost.constant += (double)vrs_value_elements(&graph->values[n->act.slope]);
    for (int32_t i = 0; i < n->output_count; i++)
        cost.out += (double)vrs_value_elements(&graph->values[n->outputs[i]]);
    cost.flops = flops(graph, n, cost.in + cost.constant, cost.out);
    return cost;
}

bool vrs_graph_quantised(const vrs_graph *graph, int32_t node, vrs_quantised *quantised)
{
    const vrs_node *n = &graph->nodes[node];
    *quantised = (vrs_quantised){VRS_NO_VALUE, VRS_NO_VALUE, VRS_NO_VALUE,
                                 VRS_NO_VALUE, VRS_NO_VALUE, VRS_NO_VALUE};
    if (n->op != VRS_OP_CONV && n->op != VRS_OP_GEMM && n->op != VRS_OP_MATMUL)
        return false;
    int32_t x = graph->values[n->inputs[0]].producer;
    int32_t weights = graph->values[n->inputs[1]].producer;
    if (x == VRS_NO_VALUE || weights == VRS_NO_VALUE || graph->nodes[x].op != VRS_OP_DEQUANTIZE ||
        graph->nodes[weights].op != VRS_OP_DEQUANTIZE)
        return false;
    *quantised = (vrs_quantised){.x = graph->nodes[x].inputs[0],
                                 .weights = graph->nodes[weights].inputs[0],
                                 .x_node = x,
                                 .weights_node = weights,
                                 .y = VRS_NO_VALUE,
                                 .y_node = VRS_NO_VALUE};
    int32_t y = n->outputs[0];
    bool alone = vrs_graph_uses(graph, y) == 1;
    for (int32_t i = node + 1; i < graph->node_count && alone; i++) {
        if (graph->nodes[i].op == VRS_OP_QUANTIZE && graph->nodes[i].inputs[0] == y) {
            quantised->y = graph->nodes[i].outputs[0];
            quantised->y_node = i;
            break;
        }
    }
    return true;
}

vrs_status vrs_graph_write(const vrs_graph *graph, FILE *file)
{
    fprintf(file, "%s: operator set %" PRId64 ", batch %d%s, %d nodes\n", graph->name, graph->opset,
            graph->batch, graph->free_batch ? "" : " (fixed)", graph->node_count);
    char text[512];
    for (int32_t i = 0; i < graph->input_count; i++) {
        const vrs_value *value = &graph->values[graph->inputs[i]];
        vrs_dims_text(value, text, sizeof(text));
        fprintf(file, "input \"%s\": %s %s\n", value->name, text, vrs_dtype_name(value->dtype));
    }
    for (int32_t i = 0; i < graph->node_count; i++) {
        vrs_node_describe(graph, i, text, sizeof(text));
        vrs_cost cost = vrs_node_cost(graph, i);
        fprintf(file, "%4d %s; %.4g Mflop, %.4g MB;", i, text, cost.flops * 1e-6,
                (cost.in + cost.out + cost.constant) * 4e-6);
        for (int32_t k = 0; k < graph->nodes[i].source_count; k++)
            fprintf(file, " %s", graph->nodes[i].sources[k]);
        fputc('\n', file);
    }
    for (int32_t i = 0; i < graph->output_count; i++) {
        const vrs_value *value = &graph->values[graph->outputs[i]];
        vrs_dims_text(value, text, sizeof(text));
        fprintf(file, "output \"%s\": %s %s\n", graph->output_names[i], text,
                vrs_dtype_name(value->dtype));
    }
    return ferror(file) ? vrs_fail(VRS_IO, "%s: its description cannot be written", graph->name)
                        : VRS_OK;
}
