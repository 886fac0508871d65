/* The names of an ONNX file, and an order in which its nodes can be computed. */
#include <string.h>

#include "base/alloc.h"
#include "graph/onnx_reader.h"

static size_t hash(const char *name)
{
    uint64_t h = 1469598103934665603U; /* FNV-1a */
    for (; *name != '\0'; name++)
        h = (h ^ (uint8_t)*name) * 1099511628211U;
    return (size_t)(h ^ h >> 29);
}

/* The entry of a name, or the free one where it belongs. */
static vrs_onnx_name *entry(const vrs_reader *reader, const char *name)
{
    size_t place = hash(name) & (reader->name_room - 1);
    while (reader->names[place].name && strcmp(reader->names[place].name, name) != 0)
        place = (place + 1) & (reader->name_room - 1);
    return &reader->names[place];
}

vrs_onnx_name *vrs_onnx_find(const vrs_reader *reader, const char *name)
{
    vrs_onnx_name *found = entry(reader, name);
    return found->name ? found : NULL;
}

static vrs_status add(vrs_reader *reader, const char *name, int32_t node)
{
    vrs_onnx_name *place = entry(reader, name);
    if (place->name) {
        return vrs_fail(VRS_FORMAT, "%s: \"%.150s\" is made twice, which no ONNX file may do",
                        reader->graph->name, name);
    }
    *place = (vrs_onnx_name){.name = name, .node = node, .value = VRS_NO_VALUE};
    return VRS_OK;
}

/* All that makes a value: constants, inputs (which may be constants, too), nodes. */
static vrs_status add_names(vrs_reader *reader)
{
    const Onnx__GraphProto *source = reader->source;
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < source->n_initializer && status == VRS_OK; i++) {
        const char *name = vrs_onnx_text(source->initializer[i]->name);
        status = add(reader, name, -1);
        entry(reader, name)->constant = status == VRS_OK;
    }
    for (size_t i = 0; i < source->n_input && status == VRS_OK; i++) {
        const char *name = vrs_onnx_text(source->input[i]->name);
        const vrs_onnx_name *found = vrs_onnx_find(reader, name);
        status = found && found->constant ? VRS_OK : add(reader, name, -1);
    }
    for (size_t i = 0; i < source->n_node; i++) {
        for (size_t k = 0; k < source->node[i]->n_output && status == VRS_OK; k++) {
            const char *name = vrs_onnx_text(source->node[i]->output[k]);
            status = name[0] == '\0' ? VRS_OK : add(reader, name, (int32_t)i);
        }
    }
    return status;
}

static vrs_status make_table(vrs_reader *reader)
{
    const Onnx__GraphProto *source = reader->source;
    size_t count = source->n_initializer + source->n_input;
    for (size_t i = 0; i < source->n_node; i++)
        count += source->node[i]->n_output;
    reader->name_room = 16;
    while (reader->name_room < 2 * count)
        reader->name_room *= 2;
    reader->names = vrs_alloc_array(reader->name_room, sizeof(*reader->names));
    return reader->names ? add_names(reader) : VRS_NO_MEMORY;
}

/* A walk from results to what they need. */
typedef struct walk {
    vrs_reader *reader;
    enum { NEW, OPEN, DONE } * state; /* of each node */
    int32_t *stack;                   /* nodes that are open */
    size_t *next;                     /* the next input of each to look at */
    int32_t depth;
} walk;

/* Opens the node that makes `name`. Fails where nothing makes it, or where it is open already. */
static vrs_status open_maker(walk *w, const Onnx__NodeProto *reader_node, const char *name)
{
    const char *file = w->reader->graph->name;
    if (name[0] == '\0')
        return VRS_OK; /* left out */
    vrs_onnx_name *found = vrs_onnx_find(w->reader, name);
    if (!found) {
        return vrs_fail(
            VRS_FORMAT, "%s: node \"%.100s\" (%.40s) reads \"%.100s\", which nothing makes", file,
            vrs_onnx_text(reader_node->name), vrs_onnx_text(reader_node->op_type), name);
    }
    found->needed = true;
    if (found->node < 0 || w->state[found->node] == DONE)
        return VRS_OK;
    if (w->state[found->node] == OPEN) {
        return vrs_fail(
            VRS_FORMAT, "%s: has a loop: node \"%.100s\" (%.40s) needs \"%.100s\", which needs it",
            file, vrs_onnx_text(reader_node->name), vrs_onnx_text(reader_node->op_type), name);
    }
    w->state[found->node] = OPEN;
    w->stack[w->depth] = found->node;
    w->next[w->depth++] = 0;
    return VRS_OK;
}

/* Puts everything that is open, and what it needs, into the order. */
static vrs_status close_all(walk *w)
{
    while (w->depth > 0) {
        int32_t top = w->stack[w->depth - 1];
        const Onnx__NodeProto *node = w->reader->source->node[top];
        if (w->next[w->depth - 1] >= node->n_input) {
            w->state[top] = DONE;
            w->reader->order[w->reader->order_count++] = top;
            w->depth--;
            continue;
        }
        size_t input = w->next[w->depth - 1]++;
        vrs_status status = open_maker(w, node, vrs_onnx_text(node->input[input]));
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

/* The outputs that are wanted, by name. */
static vrs_status open_output(walk *w, const char *name)
{
    vrs_onnx_name *found = vrs_onnx_find(w->reader, name);
    if (!found) {
        bool asked = w->reader->options && w->reader->options->output_count > 0;
        return vrs_fail(asked ? VRS_INVALID : VRS_FORMAT,
                        "%s: has no output \"%.150s\": nothing makes it", w->reader->graph->name,
                        name);
    }
    found->needed = true;
    if (found->node < 0 || w->state[found->node] == DONE)
        return VRS_OK;
    w->state[found->node] = OPEN;
    w->stack[w->depth] = found->node;
    w->next[w->depth++] = 0;
    return close_all(w);
}

/* Marks what the outputs need as DONE. */
static vrs_status mark_needed(walk *w)
{
    const vrs_graph_options *options = w->reader->options;
    const Onnx__GraphProto *source = w->reader->source;
    bool chosen = options && options->output_count > 0;
    size_t count = chosen ? (size_t)options->output_count : source->n_output;
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < count && status == VRS_OK; i++) {
        status =
            open_output(w, chosen ? options->outputs[i] : vrs_onnx_text(source->output[i]->name));
    }
    return status;
}

/* The nodes are in an order that can be computed; the file's own, which ONNX asks to be one too, is
 * taken instead where that is true. */
static void prefer_own_order(walk *w)
{
    vrs_reader *reader = w->reader;
    for (int32_t i = 0; i < reader->order_count; i++) {
        const Onnx__NodeProto *node = reader->source->node[reader->order[i]];
        for (size_t k = 0; k < node->n_input; k++) {
            const vrs_onnx_name *found = vrs_onnx_find(reader, vrs_onnx_text(node->input[k]));
            if (found && found->node >= reader->order[i])
                return;
        }
    }
    reader->order_count = 0;
    for (size_t i = 0; i < reader->source->n_node; i++)
        if (w->state[i] == DONE)
            reader->order[reader->order_count++] = (int32_t)i;
}

vrs_status vrs_onnx_index(vrs_reader *reader)
{
    size_t count = reader->source->n_node;
    if (count > VRS_GRAPH_MAX_NODES) {
        return vrs_fail(VRS_UNSUPPORTED, "%s: has %zu nodes, and at most %d are supported",
                        reader->graph->name, count, VRS_GRAPH_MAX_NODES);
    }
    vrs_status status = make_table(reader);
    if (status != VRS_OK)
        return status;
    walk w = {.reader = reader};
    w.state = vrs_alloc_array(count, sizeof(*w.state));
    w.stack = vrs_alloc_array(count, sizeof(*w.stack));
    w.next = vrs_alloc_array(count, sizeof(*w.next));
    reader->order = vrs_alloc_array(count, sizeof(*reader->order));
    status = w.state && w.stack && w.next && reader->order ? mark_needed(&w) : VRS_NO_MEMORY;
    if (status == VRS_OK)
        prefer_own_order(&w);
    vrs_free(w.state);
    vrs_free(w.stack);
    vrs_free(w.next);
    return status;
}
