/* The self-test's network, made in memory by ONNX's own schema: no file to ship, none to lose. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "doctor/self_test.h"
#include "onnx.pb-c.h"

#define CHANNELS 8
#define FLOAT_TYPE 1 /* TensorProto.FLOAT */
#define MOST_WEIGHTS (3 * CHANNELS * 9)
#define NODES 10
#define TENSORS 9

/* Room for the whole message; it points into itself, so it stays where it is. */
typedef struct builder {
    Onnx__NodeProto nodes[NODES], *node_list[NODES];
    char *names[NODES][4]; /* up to three inputs, and the output */
    Onnx__AttributeProto attributes[NODES][6], *attribute_lists[NODES][6];
    int64_t numbers[NODES][6][4];
    Onnx__TensorProto tensors[TENSORS], *tensor_list[TENSORS];
    int64_t dims[TENSORS][4];
    float data[TENSORS][MOST_WEIGHTS];
    size_t node_count, tensor_count;
} builder;

/* Not const where protobuf-c's structs are not; nobody writes to it. */
static char *text(const char *literal)
{
    union {
        const char *from;
        char *to;
    } both = {.from = literal};
    return both.to;
}

/* Weights that differ from each other, small enough that nothing saturates. */
static void add_tensor(builder *b, const char *name, int rank, const int64_t *dims, float size)
{
    Onnx__TensorProto *t = &b->tensors[b->tensor_count];
    int64_t count = 1;
    onnx__tensor_proto__init(t);
    for (int i = 0; i < rank; i++) {
        b->dims[b->tensor_count][i] = dims[i];
        count *= dims[i];
    }
    for (int64_t i = 0; i < count; i++) {
        b->data[b->tensor_count][i] =
            ((float)((i * 37 + (int64_t)b->tensor_count * 11) % 19) - 9) / 9 * size;
    }
    t->name = text(name);
    t->n_dims = (size_t)rank;
    t->dims = b->dims[b->tensor_count];
    t->has_data_type = 1;
    t->data_type = FLOAT_TYPE;
    t->n_float_data = (size_t)count;
    t->float_data = b->data[b->tensor_count];
    b->tensor_list[b->tensor_count++] = t;
}

static Onnx__NodeProto *add_node(builder *b, const char *op, const char *first, const char *second,
                                 const char *third, const char *output)
{
    size_t n = b->node_count++;
    Onnx__NodeProto *node = &b->nodes[n];
    onnx__node_proto__init(node);
    const char *inputs[3] = {first, second, third};
    for (int i = 0; i < 3 && inputs[i] != NULL; i++) {
        b->names[n][i] = text(inputs[i]);
        node->n_input++;
    }
    b->names[n][3] = text(output);
    node->input = b->names[n];
    node->output = &b->names[n][3];
    node->n_output = 1;
    node->name = text(output);
    node->op_type = text(op);
    node->attribute = b->attribute_lists[n];
    b->node_list[n] = node;
    return node;
}

static Onnx__AttributeProto *add_attribute(builder *b, Onnx__NodeProto *node, const char *name)
{
    size_t n = b->node_count - 1, i = node->n_attribute++;
    Onnx__AttributeProto *a = &b->attributes[n][i];
    onnx__attribute_proto__init(a);
    a->name = text(name);
    a->has_type = 1;
    a->ints = b->numbers[n][i];
    b->attribute_lists[n][i] = a;
    return a;
}

static void add_numbers(builder *b, Onnx__NodeProto *node, const char *name, int64_t value,
                        size_t count)
{
    Onnx__AttributeProto *a = add_attribute(b, node, name);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    a->n_ints = count;
    for (size_t i = 0; i < count; i++)
        a->ints[i] = value;
}

static void add_window(builder *b, Onnx__NodeProto *node, int64_t kernel, int64_t stride)
{
    add_numbers(b, node, "kernel_shape", kernel, 2);
    add_numbers(b, node, "strides", stride, 2);
    add_numbers(b, node, "pads", kernel / 2, 4);
}

static void add_conv(builder *b, const char *input, const char *weights, const char *bias,
                     const char *output, const int64_t dims[4], int64_t stride, int64_t groups)
{
    add_tensor(b, weights, 4, dims, dims[1] * dims[2] > 8 ? 0.25F : 0.5F);
    add_tensor(b, bias, 1, dims, 0.1F);
    Onnx__NodeProto *node = add_node(b, "Conv", input, weights, bias, output);
    add_window(b, node, dims[2], stride);
    Onnx__AttributeProto *a = add_attribute(b, node, "group");
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    a->has_i = 1;
    a->i = groups;
}

static void add_resize(builder *b, const char *input, const char *output)
{
    add_tensor(b, "scales", 1, (const int64_t[]){4}, 0);
    float *scales = b->data[b->tensor_count - 1];
    scales[0] = scales[1] = 1;
    scales[2] = scales[3] = 2;
    Onnx__NodeProto *node = add_node(b, "Resize", input, "", "scales", output);
    Onnx__AttributeProto *a = add_attribute(b, node, "mode");
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    a->has_s = 1;
    a->s = (ProtobufCBinaryData){6, (uint8_t *)text("linear")};
}

static void add_network(builder *b)
{
    static const int64_t dense[] = {CHANNELS, 3, 3, 3}, deep[] = {CHANNELS, 1, 3, 3};
    static const int64_t point[] = {CHANNELS, CHANNELS, 1, 1}, head[] = {1, CHANNELS, 1, 1};
    add_conv(b, "image", "dense_w", "dense_b", "dense", dense, 2, 1);
    (void)add_node(b, "Relu", "dense", NULL, NULL, "dense_relu");
    add_conv(b, "dense_relu", "deep_w", "deep_b", "deep", deep, 1, CHANNELS);
    (void)add_node(b, "Relu", "deep", NULL, NULL, "deep_relu");
    add_conv(b, "deep_relu", "point_w", "point_b", "point", point, 1, 1);
    (void)add_node(b, "Add", "point", "dense_relu", NULL, "sum");
    add_window(b, add_node(b, "MaxPool", "sum", NULL, NULL, "pool"), 3, 1);
    add_conv(b, "pool", "head_w", "head_b", "head", head, 1, 1);
    add_resize(b, "head", "large");
    (void)add_node(b, "Sigmoid", "large", NULL, NULL, "person");
}

/* An input or output of N pictures. */
typedef struct picture {
    Onnx__ValueInfoProto info;
    Onnx__TypeProto type;
    Onnx__TypeProto__Tensor tensor;
    Onnx__TensorShapeProto shape;
    Onnx__TensorShapeProto__Dimension dims[4], *list[4];
} picture;

static void describe(picture *p, const char *name, int64_t channels)
{
    const int64_t sizes[] = {0, channels, VRS_TINY_HEIGHT, VRS_TINY_WIDTH};
    onnx__value_info_proto__init(&p->info);
    onnx__type_proto__init(&p->type);
    onnx__type_proto__tensor__init(&p->tensor);
    onnx__tensor_shape_proto__init(&p->shape);
    for (int i = 0; i < 4; i++) {
        Onnx__TensorShapeProto__Dimension *dim = &p->dims[i];
        onnx__tensor_shape_proto__dimension__init(dim);
        dim->value_case = i == 0 ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                 : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (i == 0)
            dim->dim_param = text("N");
        else
            dim->dim_value = sizes[i];
        p->list[i] = dim;
    }
    p->shape.n_dim = 4;
    p->shape.dim = p->list;
    p->tensor.has_elem_type = 1;
    p->tensor.elem_type = FLOAT_TYPE;
    p->tensor.shape = &p->shape;
    p->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    p->type.tensor_type = &p->tensor;
    p->info.name = text(name);
    p->info.type = &p->type;
}

static vrs_status pack(const Onnx__ModelProto *model, const char *folder)
{
    char path[VRS_PATH_MAX];
    size_t size = onnx__model_proto__get_packed_size(model);
    uint8_t *bytes = vrs_alloc(size);
    if (bytes == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_path_format(path, sizeof(path), "%s/tiny.onnx", folder);
    if (status == VRS_OK)
        status = vrs_file_replace(path, bytes, onnx__model_proto__pack(model, bytes));
    vrs_free(bytes);
    return status;
}

static vrs_status write_model(builder *b, const char *folder)
{
    picture input, output;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto set, *sets[] = {&set};
    Onnx__ModelProto model;
    Onnx__ValueInfoProto *inputs[] = {&input.info}, *outputs[] = {&output.info};
    describe(&input, "image", 3);
    describe(&output, "person", 1);
    add_network(b);
    onnx__graph_proto__init(&graph);
    graph.name = text("tiny");
    graph.n_node = b->node_count;
    graph.node = b->node_list;
    graph.n_initializer = b->tensor_count;
    graph.initializer = b->tensor_list;
    graph.n_input = graph.n_output = 1;
    graph.input = inputs;
    graph.output = outputs;
    onnx__operator_set_id_proto__init(&set);
    set.has_version = 1;
    set.version = 17;
    onnx__model_proto__init(&model);
    model.has_ir_version = 1;
    model.ir_version = 8;
    model.n_opset_import = 1;
    model.opset_import = sets;
    model.graph = &graph;
    return pack(&model, folder);
}

vrs_status vrs_tiny_network_write(const char *folder)
{
    char path[VRS_PATH_MAX], descriptor[512];
    builder *b = vrs_alloc(sizeof(*b));
    if (b == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = write_model(b, folder);
    vrs_free(b);
    if (status == VRS_OK)
        status = vrs_path_format(path, sizeof(path), "%s/tiny.yaml", folder);
    if (status != VRS_OK)
        return status;
    int length = snprintf(descriptor, sizeof(descriptor),
                          "title: the network of the self-test\nlicence: Apache-2.0\n"
                          "source: made by vrseg\nfetchable: off\nbatch: free\ninput:\n"
                          "  width: %d\n  height: %d\n  scale: 1/255\noutput:\n"
                          "  activation: none\n  classes: [person]\n",
                          VRS_TINY_WIDTH, VRS_TINY_HEIGHT);
    return vrs_file_replace(path, descriptor, (size_t)length);
}
