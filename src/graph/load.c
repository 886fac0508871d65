/* Loading: from an ONNX file to a graph with shapes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "graph/onnx_reader.h"
#include "model/weights.h"

/* The operator set of the standard operators. */
static vrs_status find_opset(const Onnx__ModelProto *model, const char *name, int64_t *opset)
{
    *opset = 0;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = vrs_onnx_text(model->opset_import[i]->domain);
        if (domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0)
            *opset = model->opset_import[i]->version;
    }
    if (!model->graph || *opset == 0) {
        return vrs_fail(VRS_FORMAT, "%s: is not an ONNX file, or is cut short: it holds no %s",
                        name, model->graph ? "operator set" : "graph");
    }
    if (*opset < VRS_ONNX_MIN_OPSET || *opset > VRS_ONNX_MAX_OPSET) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: is of ONNX's operator set %" PRId64 ", and %d to %d are supported: "
                        "export it again with one of these",
                        name, *opset, VRS_ONNX_MIN_OPSET, VRS_ONNX_MAX_OPSET);
    }
    return VRS_OK;
}

/* Says all nodes whose operators are not known, as far as a detail goes. */
static vrs_status check_operators(const vrs_reader *reader)
{
    char list[VRS_DETAIL_SIZE - 160];
    size_t length = 0;
    int32_t unknown = 0, said = 0;
    for (int32_t i = 0; i < reader->order_count; i++) {
        const Onnx__NodeProto *node = reader->source->node[reader->order[i]];
        if (vrs_onnx_knows(node))
            continue;
        const char *name = vrs_onnx_text(node->name), *domain = vrs_onnx_text(node->domain);
        if (name[0] == '\0' && node->n_output > 0)
            name = vrs_onnx_text(node->output[0]);
        unknown++;
        int written = snprintf(list + length, sizeof(list) - length, "%s\"%.60s\" (%.24s%s%.40s)",
                               said > 0 ? ", " : "", name, domain, domain[0] != '\0' ? "." : "",
                               vrs_onnx_text(node->op_type));
        if (written > 0 && length + (size_t)written < sizeof(list)) {
            length += (size_t)written;
            said++;
        } else {
            list[length] = '\0';
        }
    }
    if (unknown == 0)
        return VRS_OK;
    char more[48] = "";
    if (said < unknown)
        snprintf(more, sizeof(more), " and %d more", unknown - said);
    return vrs_fail(VRS_UNSUPPORTED, "%.100s: operators of these nodes are not supported: %s%s",
                    reader->graph->name, list, more);
}

static vrs_status add_constants(vrs_reader *reader)
{
    for (size_t i = 0; i < reader->source->n_initializer; i++) {
        const Onnx__TensorProto *tensor = reader->source->initializer[i];
        const char *name = vrs_onnx_text(tensor->name);
        vrs_onnx_name *entry = vrs_onnx_find(reader, name);
        if (!entry->needed)
            continue;
        int32_t value;
        vrs_status status = vrs_onnx_tensor(reader, tensor, name, &value);
        if (status != VRS_OK)
            return status;
        entry->value = value;
        entry->empty = value == VRS_NO_VALUE;
    }
    return VRS_OK;
}

/* The shape that the options ask for, or NULL. */
static const vrs_graph_shape *wanted_shape(const vrs_reader *reader, const char *name, bool only)
{
    const vrs_graph_options *options = reader->options;
    for (int32_t i = 0; options && i < options->shape_count; i++) {
        const char *input = options->shapes[i].input;
        if (strcmp(input, name) == 0 || (input[0] == '\0' && only))
            return &options->shapes[i];
    }
    return NULL;
}

/* The size of one axis of an input: the file's, or the options'. */
static vrs_status choose_dim(const vrs_reader *reader, const char *name, int32_t axis,
                             const Onnx__TensorShapeProto__Dimension *dim,
                             const vrs_graph_shape *shape, int64_t *size)
{
    const char *file = reader->graph->name;
    bool fixed = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
                 dim->dim_value > 0;
    int64_t wanted = shape ? shape->dims[axis] : 0;
    *size = fixed ? dim->dim_value : 0;
    if (fixed && wanted > 0 && wanted != *size) {
        return vrs_fail(VRS_INVALID,
                        "%s: input \"%.80s\" has a size of %" PRId64 " along axis %d, and %" PRId64
                        " was asked for",
                        file, name, *size, axis, wanted);
    }
    if (wanted < 0 || (axis == 0 && wanted > 1)) {
        return vrs_fail(VRS_INVALID,
                        "%s: a size of %" PRId64 " was asked for along axis %d of "
                        "input \"%.80s\"",
                        file, wanted, axis, name);
    }
    *size = fixed ? *size : wanted;
    if (*size == 0 && axis > 0) {
        bool named = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: input \"%.80s\" leaves the size of axis %d (\"%.40s\") open: say it",
                        file, name, axis, named ? vrs_onnx_text(dim->dim_param) : "");
    }
    return VRS_OK;
}

static vrs_status add_input(vrs_reader *reader, const Onnx__ValueInfoProto *info, bool only)
{
    vrs_graph *graph = reader->graph;
    const char *name = vrs_onnx_text(info->name);
    const Onnx__TypeProto *type = info->type;
    const Onnx__TypeProto__Tensor *tensor =
        type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type : NULL;
    vrs_dtype dtype = tensor ? vrs_onnx_dtype(tensor->elem_type) : VRS_DTYPE_COUNT;
    if (!tensor || !tensor->shape || dtype == VRS_DTYPE_COUNT ||
        tensor->shape->n_dim > VRS_GRAPH_MAX_RANK) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: input \"%.80s\" is no tensor of a known type with at most %d axes",
                        graph->name, name, VRS_GRAPH_MAX_RANK);
    }
    int32_t rank = (int32_t)tensor->shape->n_dim, index;
    const vrs_graph_shape *shape = wanted_shape(reader, name, only);
    if (shape && shape->rank != rank) {
        return vrs_fail(VRS_INVALID, "%s: input \"%.80s\" has %d axes, and %d were asked for",
                        graph->name, name, rank, shape->rank);
    }
    int64_t dims[VRS_GRAPH_MAX_RANK] = {0};
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < rank && status == VRS_OK; i++)
        status = choose_dim(reader, name, i, tensor->shape->dim[i], shape, &dims[i]);
    bool rebatch = reader->options && reader->options->free_batch && rank > 1 && dims[0] == 1;
    bool grows = rank > 0 && (dims[0] == 0 || rebatch);
    graph->own->rebatched = graph->own->rebatched || (grows && dims[0] == 1);
    dims[0] = grows ? 1 : dims[0];
    if (status == VRS_OK)
        status = vrs_graph_add_value(graph, name, &index);
    if (status != VRS_OK)
        return status;
    graph->values[index].batch_axis = grows ? 0 : -1;
    graph->free_batch = graph->free_batch || grows;
    graph->inputs[graph->input_count++] = index;
    vrs_onnx_find(reader, name)->value = index;
    status = vrs_value_shape(&graph->values[index], dtype, rank, dims);
    return status == VRS_OK ? status : vrs_fail_in(status, graph->name);
}

static vrs_status add_inputs(vrs_reader *reader)
{
    vrs_graph *graph = reader->graph;
    const Onnx__GraphProto *source = reader->source;
    graph->inputs = vrs_alloc_array(source->n_input, sizeof(*graph->inputs));
    if (!graph->inputs)
        return VRS_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < source->n_input; i++)
        count += !vrs_onnx_find(reader, vrs_onnx_text(source->input[i]->name))->constant;
    for (size_t i = 0; i < source->n_input; i++) {
        if (!vrs_onnx_find(reader, vrs_onnx_text(source->input[i]->name))->constant) {
            vrs_status status = add_input(reader, source->input[i], count == 1);
            if (status != VRS_OK)
                return status;
        }
    }
    for (int32_t i = 0; reader->options && i < reader->options->shape_count; i++) {
        const char *input = reader->options->shapes[i].input;
        if (vrs_graph_input(graph, input) < 0) {
            return vrs_fail(VRS_INVALID, "%s: has no input \"%.80s\"%s", graph->name, input,
                            input[0] == '\0' ? " (there are several, say which)" : "");
        }
    }
    return VRS_OK;
}

static vrs_status add_output(vrs_reader *reader, const char *name)
{
    vrs_graph *graph = reader->graph;
    const vrs_onnx_name *found = vrs_onnx_find(reader, name);
    if (found->value == VRS_NO_VALUE) {
        return vrs_fail(VRS_UNSUPPORTED, "%s: output \"%.100s\" is of a kind that is not supported",
                        graph->name, name);
    }
    graph->output_names[graph->output_count] = vrs_copy_name(name);
    if (!graph->output_names[graph->output_count])
        return VRS_NO_MEMORY;
    graph->outputs[graph->output_count++] = found->value;
    return VRS_OK;
}

static vrs_status add_outputs(vrs_reader *reader)
{
    vrs_graph *graph = reader->graph;
    const vrs_graph_options *options = reader->options;
    bool chosen = options && options->output_count > 0;
    size_t count = chosen ? (size_t)options->output_count : reader->source->n_output;
    graph->outputs = vrs_alloc_array(count, sizeof(*graph->outputs));
    graph->output_names = vrs_alloc_array(count, sizeof(*graph->output_names));
    vrs_status status = graph->outputs && graph->output_names ? VRS_OK : VRS_NO_MEMORY;
    for (size_t i = 0; i < count && status == VRS_OK; i++) {
        status = add_output(reader, chosen ? options->outputs[i]
                                           : vrs_onnx_text(reader->source->output[i]->name));
    }
    if (status == VRS_OK && count == 0)
        status = vrs_fail(VRS_FORMAT, "%s: has no outputs", graph->name);
    return status;
}

static vrs_status read_graph(vrs_reader *reader)
{
    vrs_status status = vrs_onnx_index(reader);
    if (status == VRS_OK)
        status = check_operators(reader);
    if (status == VRS_OK)
        status = add_constants(reader);
    if (status == VRS_OK)
        status = add_inputs(reader);
    for (int32_t i = 0; i < reader->order_count && status == VRS_OK; i++)
        status = vrs_onnx_lower(reader, reader->source->node[reader->order[i]]);
    if (status == VRS_OK)
        status = add_outputs(reader);
    return status;
}

static vrs_status new_graph(const char *name, vrs_graph **graph)
{
    *graph = vrs_alloc(sizeof(**graph));
    if (!*graph)
        return VRS_NO_MEMORY;
    (*graph)->own = vrs_alloc(sizeof(*(*graph)->own));
    (*graph)->name = vrs_strdup(name);
    (*graph)->batch = 1;
    return (*graph)->own && (*graph)->name ? VRS_OK : VRS_NO_MEMORY;
}

static vrs_status build(const Onnx__ModelProto *model, const char *name, const char *folder,
                        const vrs_graph_options *options, vrs_graph **graph)
{
    int64_t opset;
    vrs_status status = find_opset(model, name, &opset);
    if (status == VRS_OK)
        status = new_graph(name, graph);
    if (status != VRS_OK)
        return status;
    (*graph)->opset = opset;
    vrs_reader reader = {
        .graph = *graph, .folder = folder, .options = options, .source = model->graph};
    status = read_graph(&reader);
    vrs_free(reader.names);
    vrs_free(reader.order);
    if (status == VRS_OK)
        status = vrs_graph_settle(*graph);
    return status == VRS_OK ? vrs_graph_prune(*graph) : status;
}

/* The detail without control characters, which names of the file may have brought into it. */
static vrs_status fail_cleanly(vrs_status status)
{
    char text[VRS_DETAIL_SIZE];
    memcpy(text, vrs_last_error(), sizeof(text));
    for (size_t i = 0; i < sizeof(text) && text[i] != '\0'; i++)
        text[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    return vrs_fail(status, "%s", text);
}

vrs_status vrs_graph_parse(const void *data, size_t size, const char *name, const char *folder,
                           const vrs_graph_options *options, vrs_graph **graph)
{
    *graph = NULL;
    Onnx__ModelProto *model = NULL;
    vrs_status status = vrs_onnx_unpack(data, size, name, &model);
    if (status == VRS_OK)
        status = build(model, name, folder, options, graph);
    vrs_onnx_free(model);
    if (status != VRS_OK) {
        vrs_graph_destroy(*graph);
        *graph = NULL;
        status = fail_cleanly(status);
    }
    return status;
}

vrs_status vrs_graph_parse_file(const char *path, const void *data, size_t size,
                                const vrs_graph_options *options, vrs_graph **graph)
{
    char folder[VRS_PATH_MAX];
    size_t length = (size_t)(vrs_path_base(path) - path);
    *graph = NULL;
    vrs_status status =
        vrs_path_format(folder, sizeof(folder), "%.*s", (int)length, length > 0 ? path : "");
    if (status == VRS_OK && length == 0)
        status = vrs_path_format(folder, sizeof(folder), ".");
    return status == VRS_OK
               ? vrs_graph_parse(data, size, vrs_path_base(path), folder, options, graph)
               : status;
}

vrs_status vrs_graph_load(const char *path, const vrs_graph_options *options, vrs_graph **graph)
{
    vrs_weights file;
    *graph = NULL;
    vrs_status status = vrs_weights_read(path, &file);
    if (status == VRS_OK) {
        status = vrs_graph_parse_file(path, file.data, file.size, options, graph);
        vrs_weights_free(&file);
    }
    return status;
}
