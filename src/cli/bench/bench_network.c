/* The network that is measured where the user brings none: DeepLabV3+ on ResNet-50 with random
 * weights, written as ONNX (onnx.proto of ONNX 1.14, IR version 8, operator set 13).
 *
 * Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation",
 * 2018, with plain convolutions; He et al., "Deep Residual Learning for Image Recognition", 2015;
 * norms folded into the convolutions, as exporters leave them. It is the network deeplabv3plus-r50
 * of vrseg-export, which wants PyTorch for it; how fast a network is does not depend on its
 * weights. Quantised, each layer has the form that vrseg-quantize gives it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

/* ---- protobuf's wire format ---- */

typedef struct bytes {
    uint8_t *data;
    size_t size, room;
    bool failed; /* memory ran out: the rest is left out */
} bytes;

static uint8_t *extend(bytes *b, size_t count)
{
    if (b->size + count > b->room) {
        size_t room = (b->room + count) * 2;
        uint8_t *data = b->failed ? NULL : realloc(b->data, room);
        if (data == NULL) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->room = room;
    }
    b->size += count;
    return b->data + b->size - count;
}

static void put(bytes *b, const void *data, size_t size)
{
    uint8_t *to = extend(b, size);
    if (to != NULL && size > 0)
        memcpy(to, data, size);
}

static void put_varint(bytes *b, uint64_t value)
{
    do {
        uint8_t low = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));
        put(b, &low, 1);
        value >>= 7;
    } while (value > 0);
}

static void put_number(bytes *b, uint32_t field, int64_t value)
{
    put_varint(b, field << 3);
    put_varint(b, (uint64_t)value);
}

static void put_data(bytes *b, uint32_t field, const void *data, size_t size)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, size);
    put(b, data, size);
}

static void put_text(bytes *b, uint32_t field, const char *text)
{
    put_data(b, field, text, strlen(text));
}

/* Appends a message and empties it. */
static void put_message(bytes *b, uint32_t field, bytes *message)
{
    put_data(b, field, message->data, message->size);
    b->failed = b->failed || message->failed;
    message->size = 0;
}

/* ---- nodes ---- */

/* Fields and numbers of onnx.proto. */
enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { OPSET_VERSION = 2, GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5 };
enum { GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_INT = 3, ATTRIBUTE_TEXT = 4, ATTRIBUTE_INTS = 8 };
enum { ATTRIBUTE_TYPE = 20, KIND_INT = 2, KIND_TEXT = 3, KIND_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { TYPE_FLOAT = 1, TYPE_INT8 = 3, TYPE_FLOAT16 = 10 };
#define IR_VERSION 8
#define OPSET 13

typedef struct network {
    const vrs_bench_network *params;
    bytes graph, node, attribute, tensor; /* the last three are made over and over */
    uint64_t random;
    int32_t names;
    bool last; /* the next node is the network's output */
} network;

/* What a node gives. */
typedef struct value {
    int32_t id, quantised; /* of its name; 0: none */
    int32_t channels;
    double power; /* about the mean of its squares */
} value;

#define NAME_SIZE 24
#define OUTPUT "scores"

static const char *name_of(int32_t id, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, id == 0 ? "input" : "v%d", id);
    return name;
}

/* -1..1 (xorshift64*, Vigna 2016). */
static double draw(network *n)
{
    n->random ^= n->random >> 12;
    n->random ^= n->random << 25;
    n->random ^= n->random >> 27;
    return (double)(int32_t)((n->random * UINT64_C(2685821657736338717)) >> 32) / 2147483648.0;
}

static void begin(network *n, const char *op)
{
    n->node.size = 0;
    put_text(&n->node, NODE_OP, op);
}

static void input(network *n, int32_t id)
{
    char name[NAME_SIZE];
    put_text(&n->node, NODE_INPUT, name_of(id, name));
}

static void ints(network *n, const char *name, int count, const int64_t *values)
{
    put_text(&n->attribute, ATTRIBUTE_NAME, name);
    for (int i = 0; i < count; i++)
        put_number(&n->attribute, ATTRIBUTE_INTS, values[i]);
    put_number(&n->attribute, ATTRIBUTE_TYPE, KIND_INTS);
    put_message(&n->node, NODE_ATTRIBUTE, &n->attribute);
}

static void integer(network *n, const char *name, int64_t of)
{
    put_text(&n->attribute, ATTRIBUTE_NAME, name);
    put_number(&n->attribute, ATTRIBUTE_INT, of);
    put_number(&n->attribute, ATTRIBUTE_TYPE, KIND_INT);
    put_message(&n->node, NODE_ATTRIBUTE, &n->attribute);
}

static void word(network *n, const char *name, const char *of)
{
    put_text(&n->attribute, ATTRIBUTE_NAME, name);
    put_text(&n->attribute, ATTRIBUTE_TEXT, of);
    put_number(&n->attribute, ATTRIBUTE_TYPE, KIND_TEXT);
    put_message(&n->node, NODE_ATTRIBUTE, &n->attribute);
}

/* Ends the node; returns the name of what it gives. */
static int32_t end(network *n)
{
    char name[NAME_SIZE];
    int32_t id = ++n->names;
    const char *text = n->last ? OUTPUT : name_of(id, name);
    put_text(&n->node, NODE_OUTPUT, text);
    put_text(&n->node, NODE_NAME, text);
    put_message(&n->graph, GRAPH_NODE, &n->node);
    return id;
}

/* ---- constants ---- */

static int32_t constant(network *n, int type, int rank, const int64_t *dims, const void *data,
                        size_t size)
{
    char name[NAME_SIZE];
    int32_t id = ++n->names;
    bytes *t = &n->tensor;
    for (int i = 0; i < rank; i++)
        put_number(t, TENSOR_DIMS, dims[i]);
    put_number(t, TENSOR_TYPE, type);
    put_text(t, TENSOR_NAME, name_of(id, name));
    put_data(t, TENSOR_RAW, data, size);
    put_message(&n->graph, GRAPH_INITIALIZER, t);
    return id;
}

/* Of a normal number whose half is normal too; smaller ones are zero. */
static uint16_t half_of(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof(bits));
    int32_t exponent = (int32_t)(bits >> 23 & 255) - 112;
    uint32_t sign = bits >> 16 & 0x8000;
    return (uint16_t)(exponent <= 0 ? sign : sign | (uint32_t)exponent << 10 | (bits >> 13 & 1023));
}

/* Weights in 16 bits behind a Cast, which halves the file. */
static int32_t half_weights(network *n, const int64_t dims[4], size_t count, double most)
{
    uint16_t *data = malloc(count * sizeof(*data));
    if (data == NULL) {
        n->graph.failed = true;
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        data[i] = half_of((float)(most * draw(n)));
    int32_t stored = constant(n, TYPE_FLOAT16, 4, dims, data, count * sizeof(*data));
    free(data);
    begin(n, "Cast");
    input(n, stored);
    integer(n, "to", TYPE_FLOAT);
    return end(n);
}

/* Weights of a channel in steps of its own, behind a DequantizeLinear. */
static int32_t byte_weights(network *n, const int64_t dims[4], size_t count, double most)
{
    int8_t *data = malloc(count), *zeros = calloc((size_t)dims[0], 1);
    float *steps = malloc((size_t)dims[0] * sizeof(*steps));
    n->graph.failed = n->graph.failed || data == NULL || zeros == NULL || steps == NULL;
    int32_t id = 0;
    if (!n->graph.failed) {
        for (size_t i = 0; i < count; i++)
            data[i] = (int8_t)lrint(127 * draw(n));
        for (int64_t i = 0; i < dims[0]; i++)
            steps[i] = (float)(most / 127);
        int32_t stored = constant(n, TYPE_INT8, 4, dims, data, count);
        int32_t scale = constant(n, TYPE_FLOAT, 1, dims, steps, (size_t)dims[0] * sizeof(*steps));
        int32_t zero = constant(n, TYPE_INT8, 1, dims, zeros, (size_t)dims[0]);
        begin(n, "DequantizeLinear");
        input(n, stored);
        input(n, scale);
        input(n, zero);
        integer(n, "axis", 0);
        id = end(n);
    }
    free(data);
    free(zeros);
    free(steps);
    return id;
}

/* The value in steps of 8 bits, made once: six times its size is where it is cut. */
static int32_t quantised(network *n, value *x)
{
    if (x->quantised == 0) {
        static const int8_t nothing = 0;
        float step = (float)(6 * sqrt(x->power) / 127);
        int32_t scale = constant(n, TYPE_FLOAT, 0, NULL, &step, sizeof(step));
        int32_t zero = constant(n, TYPE_INT8, 0, NULL, &nothing, 1);
        begin(n, "QuantizeLinear");
        input(n, x->id);
        input(n, scale);
        input(n, zero);
        int32_t stored = end(n);
        begin(n, "DequantizeLinear");
        input(n, stored);
        input(n, scale);
        input(n, zero);
        x->quantised = end(n);
    }
    return x->quantised;
}

/* ---- layers ---- */

static value relu(network *n, value x)
{
    begin(n, "Relu");
    input(n, x.id);
    return (value){.id = end(n), .channels = x.channels, .power = x.power / 2};
}

typedef struct shape {
    int32_t kernel, stride, dilation;
    double gain; /* of the weights, beside He's */
} shape;

/* A convolution with bias. Its weights are even in a range, with the deviation that He et al.
 * (2015) give, so that what comes out is about as large as what went in. */
static value conv(network *n, value *x, int32_t outs, shape s)
{
    const int64_t dims[] = {outs, x->channels, s.kernel, s.kernel};
    const int64_t strides[] = {s.stride, s.stride}, dilations[] = {s.dilation, s.dilation};
    int64_t pad = s.dilation * (s.kernel / 2);
    const int64_t pads[] = {pad, pad, pad, pad};
    size_t fan = (size_t)x->channels * (size_t)(s.kernel * s.kernel), count = (size_t)outs * fan;
    double most = s.gain * sqrt(3 * 2 / (double)fan);
    bool bits = n->params->quantised;
    int32_t from = bits ? quantised(n, x) : x->id;
    int32_t weights =
        bits ? byte_weights(n, dims, count, most) : half_weights(n, dims, count, most);
    float bias[2048] = {0};
    for (int32_t i = 0; i < outs; i++)
        bias[i] = (float)(0.05 * draw(n));
    int32_t biases = constant(n, TYPE_FLOAT, 1, dims, bias, (size_t)outs * sizeof(*bias));
    begin(n, "Conv");
    input(n, from);
    input(n, weights);
    input(n, biases);
    ints(n, "kernel_shape", 2, dims + 2);
    ints(n, "strides", 2, strides);
    ints(n, "dilations", 2, dilations);
    ints(n, "pads", 4, pads);
    return (value){.id = end(n), .channels = outs, .power = 2 * s.gain * s.gain * x->power};
}

static value conv_relu(network *n, value *x, int32_t outs, shape s)
{
    return relu(n, conv(n, x, outs, s));
}

static value resize(network *n, value x, int64_t factor, bool linear)
{
    const float scales[] = {1, 1, (float)factor, (float)factor};
    const int64_t four = 4;
    int32_t id = constant(n, TYPE_FLOAT, 1, &four, scales, sizeof(scales));
    begin(n, "Resize");
    input(n, x.id);
    put_text(&n->node, NODE_INPUT, "");
    input(n, id);
    word(n, "mode", linear ? "linear" : "nearest");
    word(n, "nearest_mode", "floor");
    word(n, "coordinate_transformation_mode", linear ? "half_pixel" : "asymmetric");
    return (value){.id = end(n), .channels = x.channels, .power = x.power};
}

static value concat(network *n, const value *parts, int count)
{
    value all = {0};
    begin(n, "Concat");
    for (int i = 0; i < count; i++) {
        input(n, parts[i].id);
        all.channels += parts[i].channels;
        all.power = fmax(all.power, parts[i].power);
    }
    integer(n, "axis", 1);
    all.id = end(n);
    return all;
}

/* So many channels of the full network: a multiple of 8. */
static int32_t channels(const network *n, int32_t full)
{
    int32_t some = (int32_t)(full * n->params->width) / 8 * 8;
    return some > 8 ? some : 8;
}

static const shape point = {1, 1, 1, 1}, spatial = {3, 1, 1, 1};

/* Bottlenecks; the first has the stride, the others the dilation. */
static value stage(network *n, value x, int32_t width, int32_t blocks, int32_t stride,
                   int32_t dilation)
{
    for (int32_t i = 0; i < blocks; i++) {
        bool first = i == 0;
        value y = conv_relu(n, &x, width, point);
        y = conv_relu(n, &y, width, (shape){3, first ? stride : 1, first ? 1 : dilation, 1});
        y = conv(n, &y, 4 * width, (shape){1, 1, 1, 0.4});
        value beside = first ? conv(n, &x, 4 * width, (shape){1, stride, 1, 0.7}) : x;
        begin(n, "Add");
        input(n, y.id);
        input(n, beside.id);
        x = relu(n, (value){.id = end(n),
                            .channels = 4 * width,
                            .power = y.power + (first ? 1 : 2) * beside.power});
    }
    return x;
}

/* Atrous spatial pyramid pooling. */
static value pyramid(network *n, value x)
{
    int32_t outs = channels(n, 256);
    value parts[5];
    begin(n, "GlobalAveragePool");
    input(n, x.id);
    value mean = {.id = end(n), .channels = x.channels, .power = x.power / 2};
    mean = conv_relu(n, &mean, outs, point);
    parts[0] = conv_relu(n, &x, outs, point);
    for (int i = 1; i < 4; i++)
        parts[i] = conv_relu(n, &x, outs, (shape){3, 1, 6 * i, 1});
    parts[4] = resize(n, mean, n->params->side / 16, false);
    value all = concat(n, parts, 5);
    return conv_relu(n, &all, outs, point);
}

/* Everything from "input" to the scores. */
static void body(network *n)
{
    const int64_t kernel[] = {3, 3}, strides[] = {2, 2}, pads[] = {1, 1, 1, 1};
    int32_t c = channels(n, 64), outs = channels(n, 256);
    value x = {.channels = 3, .power = 1};
    x = conv_relu(n, &x, c, (shape){7, 2, 1, 1});
    begin(n, "MaxPool");
    input(n, x.id);
    ints(n, "kernel_shape", 2, kernel);
    ints(n, "strides", 2, strides);
    ints(n, "pads", 4, pads);
    x = (value){.id = end(n), .channels = c, .power = 3 * x.power};
    value low = stage(n, x, c, 3, 1, 1);
    x = stage(n, low, channels(n, 128), 4, 2, 1);
    x = stage(n, x, channels(n, 256), 6, 2, 1);
    x = stage(n, x, channels(n, 512), 3, 1, 2);
    value high = resize(n, pyramid(n, x), 4, true);
    value both[] = {conv_relu(n, &low, channels(n, 48), point), high};
    x = concat(n, both, 2);
    x = conv_relu(n, &x, outs, spatial);
    x = conv_relu(n, &x, outs, spatial);
    x = conv(n, &x, 2, point);
    n->last = true;
    (void)resize(n, x, 4, true);
}

/* ---- the file ---- */

/* A graph's input or output: batch x channels x side x side floats. */
static void port(network *n, uint32_t field, const char *name, int64_t depth)
{
    bytes dim = {0}, dims = {0}, tensor = {0}, type = {0}, info = {0};
    const int64_t sides[] = {depth, n->params->side, n->params->side};
    put_text(&dim, 2, "batch"); /* Dimension.dim_param */
    put_message(&dims, 1, &dim);
    for (int i = 0; i < 3; i++) {
        put_number(&dim, 1, sides[i]); /* dim_value */
        put_message(&dims, 1, &dim);
    }
    put_number(&tensor, 1, TYPE_FLOAT); /* TypeProto.Tensor */
    put_message(&tensor, 2, &dims);
    put_message(&type, 1, &tensor);
    put_text(&info, 1, name); /* ValueInfoProto */
    put_message(&info, 2, &type);
    put_message(&n->graph, field, &info);
    free(dim.data);
    free(dims.data);
    free(tensor.data);
    free(type.data);
    free(info.data);
}

static vrs_status write_file(const char *path, const bytes *first, const bytes *second)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return vrs_fail(VRS_PERMISSION, "%s: cannot be made", path);
    bool good = fwrite(first->data, 1, first->size, file) == first->size;
    good = fwrite(second->data, 1, second->size, file) == second->size && good;
    good = fclose(file) == 0 && good;
    return good ? VRS_OK
                : vrs_fail(VRS_NO_SPACE, "%s: cannot be written: %zu MB are wanted", path,
                           (first->size + second->size) / 1000000);
}

static vrs_status write_descriptor(const vrs_bench_network *params, const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return vrs_fail(VRS_PERMISSION, "%s: cannot be made", path);
    int written = fprintf(
        file,
        "title: DeepLabV3+ on ResNet-50, random weights, %dx%d%s\n"
        "licence: none needed\nsource: \"bring your own: made by vrseg bench\"\ntest_only: on\n"
        "batch: free\n"
        "input:\n  name: input\n  width: %d\n  height: %d\n"
        "  mean: [123.675, 116.28, 103.53]\n  scale: [1/58.395, 1/57.12, 1/57.375]\n"
        "output:\n  name: scores\n  activation: softmax\n  classes: [background, person]\n"
        "  person: [person]\n",
        params->side, params->side, params->quantised ? ", INT8" : "", params->side, params->side);
    bool good = fclose(file) == 0 && written > 0;
    return good ? VRS_OK : vrs_fail(VRS_NO_SPACE, "%s: cannot be written", path);
}

static void make(network *n)
{
    put_text(&n->graph, GRAPH_NAME, "deeplabv3plus");
    body(n);
    port(n, GRAPH_INPUT, "input", 3);
    port(n, GRAPH_OUTPUT, OUTPUT, 2);
}

/* What stands before the graph. */
static void put_head(bytes *head, size_t graph_size)
{
    bytes opset = {0};
    put_number(head, MODEL_IR_VERSION, IR_VERSION);
    put_text(head, MODEL_PRODUCER, "vrseg-bench");
    put_number(&opset, OPSET_VERSION, OPSET);
    put_message(head, MODEL_OPSET, &opset);
    put_varint(head, MODEL_GRAPH << 3 | 2);
    put_varint(head, graph_size);
    free(opset.data);
}

vrs_status vrs_bench_network_write(const vrs_bench_network *params, const char *folder,
                                   const char *name)
{
    network n = {.params = params, .random = UINT64_C(0x9E3779B97F4A7C15)};
    bytes head = {0};
    char path[VRS_BENCH_PATH], descriptor[VRS_BENCH_PATH];
    int length = snprintf(path, sizeof(path), "%s/%s.onnx", folder, name);
    (void)snprintf(descriptor, sizeof(descriptor), "%s/%s.yaml", folder, name);
    if (length < 0 || length >= (int)sizeof(path))
        return vrs_fail(VRS_INVALID, "%.100s...: the name is too long", folder);
    make(&n);
    put_head(&head, n.graph.size);
    bool failed = n.graph.failed || n.node.failed || n.attribute.failed || n.tensor.failed;
    vrs_status status = failed || head.failed ? vrs_fail(VRS_NO_MEMORY, "no memory for a network")
                                              : write_file(path, &head, &n.graph);
    if (status == VRS_OK)
        status = write_descriptor(params, descriptor);
    free(n.graph.data);
    free(n.node.data);
    free(n.attribute.data);
    free(n.tensor.data);
    free(head.data);
    return status;
}
