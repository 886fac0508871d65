/* How a graph is made of values and nodes, and taken apart. */
#include "graph/graph.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "graph/own.h"

size_t vrs_dtype_bytes(vrs_dtype dtype)
{
    static const size_t bytes[] = {
#define DTYPE_BYTES(name, count, text) [VRS_DTYPE_##name] = (count),
        VRS_DTYPE_MAP(DTYPE_BYTES)
#undef DTYPE_BYTES
    };
    return bytes[dtype];
}

size_t vrs_value_elements(const vrs_value *value)
{
    size_t count = 1;
    for (int32_t i = 0; i < value->rank; i++)
        count *= (size_t)value->dims[i];
    return count;
}

size_t vrs_value_bytes(const vrs_value *value)
{
    return vrs_value_elements(value) * vrs_dtype_bytes(value->dtype);
}

vrs_status vrs_value_shape(vrs_value *value, vrs_dtype dtype, int32_t rank, const int64_t *dims)
{
    if (rank < 0 || rank > VRS_GRAPH_MAX_RANK) {
        return vrs_fail(VRS_UNSUPPORTED, "\"%s\" has %d axes, and at most %d are supported",
                        value->name, rank, VRS_GRAPH_MAX_RANK);
    }
    const int64_t limit = VRS_GRAPH_MAX_BYTES / (int64_t)vrs_dtype_bytes(dtype);
    int64_t count = 1;
    bool empty = false;
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < 0) {
            return vrs_fail(VRS_FORMAT, "\"%s\" has a size of %lld along axis %d", value->name,
                            (long long)dims[i], i);
        }
        empty = empty || dims[i] == 0;
        if (dims[i] > limit || (dims[i] > 0 && count > limit / dims[i])) {
            return vrs_fail(VRS_UNSUPPORTED,
                            "\"%s\" has more bytes than any memory that this is made for: a size "
                            "of %lld along axis %d",
                            value->name, (long long)dims[i], i);
        }
        count *= dims[i] > 0 ? dims[i] : 1;
    }
    if (empty) {
        return vrs_fail(VRS_UNSUPPORTED, "\"%s\" has no elements, as an axis is of size 0",
                        value->name);
    }
    value->dtype = dtype;
    value->rank = rank;
    memset(value->dims, 0, sizeof(value->dims));
    if (rank > 0)
        memcpy(value->dims, dims, (size_t)rank * sizeof(*dims));
    return VRS_OK;
}

/* Room for one element more in an array that doubles; new room is zeroed. */
static vrs_status grow(void **items, int32_t count, int32_t *room, size_t size)
{
    if (count < *room)
        return VRS_OK;
    int32_t wanted = *room > 0 ? 2 * *room : 64;
    void *larger = vrs_realloc(*items, (size_t)wanted * size);
    if (!larger)
        return VRS_NO_MEMORY;
    memset((char *)larger + (size_t)count * size, 0, (size_t)(wanted - count) * size);
    *items = larger;
    *room = wanted;
    return VRS_OK;
}

char *vrs_copy_name(const char *name)
{
    char *copy = vrs_strdup(name);
    for (char *c = copy; c && *c != '\0'; c++)
        *c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
    return copy;
}

vrs_status vrs_graph_add_value(vrs_graph *graph, const char *name, int32_t *index)
{
    void *values = graph->values;
    vrs_status status =
        grow(&values, graph->value_count, &graph->own->value_room, sizeof(vrs_value));
    graph->values = values;
    if (status != VRS_OK)
        return status;
    vrs_value *value = &graph->values[graph->value_count];
    *value = (vrs_value){.name = vrs_copy_name(name), .batch_axis = -1, .producer = VRS_NO_VALUE};
    if (!value->name)
        return VRS_NO_MEMORY;
    *index = graph->value_count++;
    return VRS_OK;
}

vrs_status vrs_graph_add_constant(vrs_graph *graph, const char *name, vrs_dtype dtype, int32_t rank,
                                  const int64_t *dims, const void *data, int32_t *index)
{
    vrs_status status = vrs_graph_add_value(graph, name, index);
    vrs_value *value = status == VRS_OK ? &graph->values[*index] : NULL;
    status = value ? vrs_value_shape(value, dtype, rank, dims) : status;
    if (status != VRS_OK)
        return status;
    value->data = vrs_alloc_aligned(vrs_value_bytes(value));
    if (!value->data)
        return VRS_NO_MEMORY;
    memcpy(value->data, data, vrs_value_bytes(value));
    return VRS_OK;
}

vrs_status vrs_graph_room(vrs_graph *graph)
{
    if (graph->node_count >= VRS_GRAPH_MAX_NODES) {
        return vrs_fail(VRS_UNSUPPORTED, "%s: has more than %d nodes", graph->name,
                        VRS_GRAPH_MAX_NODES);
    }
    void *nodes = graph->nodes;
    vrs_status status = grow(&nodes, graph->node_count, &graph->own->node_room, sizeof(vrs_node));
    graph->nodes = nodes;
    return status;
}

vrs_status vrs_node_make(vrs_node *node, vrs_op op, const char *name, const int32_t *inputs,
                         int32_t input_count, const int32_t *outputs, int32_t output_count)
{
    node->op = op;
    node->act.slope = VRS_NO_VALUE;
    node->name = vrs_copy_name(name);
    node->rule = vrs_alloc(sizeof(*node->rule));
    node->sources = vrs_alloc(sizeof(*node->sources));
    node->inputs = vrs_alloc_array((size_t)input_count + 1, sizeof(*inputs));
    node->outputs = vrs_alloc_array((size_t)output_count + 1, sizeof(*outputs));
    if (!node->name || !node->rule || !node->sources || !node->inputs || !node->outputs)
        return VRS_NO_MEMORY;
    node->sources[0] = vrs_copy_name(name);
    if (!node->sources[0])
        return VRS_NO_MEMORY;
    node->source_count = 1;
    for (size_t i = 0; i < sizeof(node->rule->params) / sizeof(*node->rule->params); i++)
        node->rule->params[i] = VRS_NO_VALUE;
    if (input_count > 0)
        memcpy(node->inputs, inputs, (size_t)input_count * sizeof(*inputs));
    if (output_count > 0)
        memcpy(node->outputs, outputs, (size_t)output_count * sizeof(*outputs));
    node->input_count = input_count;
    node->output_count = output_count;
    return VRS_OK;
}

void vrs_node_clear(vrs_node *node)
{
    for (int32_t i = 0; i < node->source_count; i++)
        vrs_free(node->sources[i]);
    vrs_free(node->sources);
    vrs_free(node->name);
    vrs_free(node->rule);
    vrs_free(node->inputs);
    vrs_free(node->outputs);
    *node = (vrs_node){0};
}

vrs_status vrs_node_add_sources(vrs_node *to, const vrs_node *from, bool before)
{
    int32_t count = to->source_count;
    char **sources =
        vrs_realloc(to->sources, (size_t)(count + from->source_count) * sizeof(*sources));
    if (!sources)
        return VRS_NO_MEMORY;
    to->sources = sources;
    for (int32_t i = 0; i < from->source_count; i++) {
        char *name = vrs_strdup(from->sources[i]);
        if (!name)
            return VRS_NO_MEMORY;
        int32_t place = before ? i : to->source_count;
        memmove(&sources[place + 1], &sources[place],
                (size_t)(to->source_count - place) * sizeof(*sources));
        sources[place] = name;
        to->source_count++;
    }
    return VRS_OK;
}

void vrs_graph_destroy(vrs_graph *graph)
{
    if (!graph)
        return;
    for (int32_t i = 0; i < graph->node_count; i++)
        vrs_node_clear(&graph->nodes[i]);
    for (int32_t i = 0; graph->own && i < graph->own->shape_node_count; i++)
        vrs_node_clear(&graph->own->shape_nodes[i]);
    for (int32_t i = 0; i < graph->value_count; i++) {
        vrs_free(graph->values[i].name);
        vrs_free(graph->values[i].data);
    }
    for (int32_t i = 0; graph->output_names && i < graph->output_count; i++)
        vrs_free(graph->output_names[i]);
    if (graph->own)
        vrs_free(graph->own->shape_nodes);
    vrs_free(graph->output_names);
    vrs_free(graph->own);
    vrs_free(graph->nodes);
    vrs_free(graph->values);
    vrs_free(graph->inputs);
    vrs_free(graph->outputs);
    vrs_free(graph->name);
    vrs_free(graph);
}

int32_t vrs_graph_find(const vrs_graph *graph, const char *name)
{
    for (int32_t i = 0; i < graph->value_count; i++)
        if (strcmp(graph->values[i].name, name) == 0)
            return i;
    int32_t output = name[0] != '\0' ? vrs_graph_output(graph, name) : -1;
    return output >= 0 ? graph->outputs[output] : VRS_NO_VALUE;
}

int32_t vrs_graph_input(const vrs_graph *graph, const char *name)
{
    if (name[0] == '\0')
        return graph->input_count == 1 ? 0 : -1;
    for (int32_t i = 0; i < graph->input_count; i++)
        if (strcmp(graph->values[graph->inputs[i]].name, name) == 0)
            return i;
    return -1;
}

int32_t vrs_graph_output(const vrs_graph *graph, const char *name)
{
    if (name[0] == '\0')
        return graph->output_count == 1 ? 0 : -1;
    for (int32_t i = 0; i < graph->output_count; i++)
        if (strcmp(graph->output_names[i], name) == 0)
            return i;
    return -1;
}

int32_t vrs_graph_uses(const vrs_graph *graph, int32_t value)
{
    int32_t uses = 0;
    for (int32_t i = 0; i < graph->node_count; i++) {
        const vrs_node *node = &graph->nodes[i];
        for (int32_t k = 0; k < node->input_count; k++)
            uses += node->inputs[k] == value;
        uses += value != VRS_NO_VALUE && node->act.slope == value;
    }
    for (int32_t i = 0; i < graph->output_count; i++)
        uses += graph->outputs[i] == value;
    return uses;
}

vrs_status vrs_fail_node(const vrs_graph *graph, const vrs_node *node, vrs_status status,
                         const char *format, ...)
{
    char text[VRS_DETAIL_SIZE];
    va_list args;
    va_start(args, format);
    vrs_text_vformat(text, sizeof(text), format, args);
    va_end(args);
    return vrs_fail(status, "%s: node \"%.120s\" (%s): %s", graph->name, node->name,
                    vrs_op_name(node->op), text);
}

vrs_status vrs_fail_at_node(const vrs_graph *graph, const vrs_node *node, vrs_status status)
{
    char text[VRS_DETAIL_SIZE];
    memcpy(text, vrs_last_error(), sizeof(text));
    return vrs_fail_node(graph, node, status, "%s", text);
}
