/* Changing a graph as a whole: who makes what, what is needed, what reads what. */
#include "base/alloc.h"
#include "graph/own.h"

#define PARAMS (sizeof(((vrs_node_rule *)0)->params) / sizeof(int32_t))

void vrs_graph_link(vrs_graph *graph)
{
    for (int32_t i = 0; i < graph->value_count; i++)
        graph->values[i].producer = VRS_NO_VALUE;
    for (int32_t i = 0; i < graph->node_count; i++)
        for (int32_t k = 0; k < graph->nodes[i].output_count; k++)
            graph->values[graph->nodes[i].outputs[k]].producer = i;
}

/* A node that a pass has cleared has no rule; it is passed over until the pass ends. */
static bool is_cleared(const vrs_node *node)
{
    return node->rule == NULL;
}

static void replace_in(vrs_node *node, int32_t from, int32_t to)
{
    if (is_cleared(node))
        return;
    for (int32_t i = 0; i < node->input_count; i++)
        node->inputs[i] = node->inputs[i] == from ? to : node->inputs[i];
    for (size_t i = 0; i < PARAMS; i++)
        node->rule->params[i] = node->rule->params[i] == from ? to : node->rule->params[i];
    node->act.slope = node->act.slope == from ? to : node->act.slope;
}

void vrs_graph_replace_shapes(vrs_graph *graph, int32_t from, int32_t to)
{
    for (int32_t i = 0; i < graph->own->shape_node_count; i++)
        replace_in(&graph->own->shape_nodes[i], from, to);
}

void vrs_graph_replace(vrs_graph *graph, int32_t from, int32_t to)
{
    for (int32_t i = 0; i < graph->node_count; i++)
        replace_in(&graph->nodes[i], from, to);
    for (int32_t i = 0; i < graph->output_count; i++)
        graph->outputs[i] = graph->outputs[i] == from ? to : graph->outputs[i];
    vrs_graph_replace_shapes(graph, from, to);
}

static void need(bool *needed, int32_t value)
{
    if (value != VRS_NO_VALUE)
        needed[value] = true;
}

/* Whether a node is needed; what it reads and makes then is, too. */
static bool mark_node(const vrs_node *node, bool *needed)
{
    bool wanted = false;
    for (int32_t i = 0; i < node->output_count; i++)
        wanted = wanted || needed[node->outputs[i]];
    for (int32_t i = 0; i < node->input_count && wanted; i++)
        need(needed, node->inputs[i]);
    for (int32_t i = 0; i < node->output_count && wanted; i++)
        need(needed, node->outputs[i]);
    for (size_t i = 0; i < PARAMS && wanted; i++)
        need(needed, node->rule->params[i]);
    if (wanted)
        need(needed, node->act.slope);
    return wanted;
}

/* Clears nodes that nothing needs, from the last to the first of both lists by their order. */
static void clear_nodes(vrs_graph *graph, bool *needed)
{
    vrs_node *shapes = graph->own->shape_nodes;
    int32_t i = graph->node_count - 1, k = graph->own->shape_node_count - 1;
    while (i >= 0 || k >= 0) {
        if (i >= 0 && is_cleared(&graph->nodes[i])) {
            i--;
            continue;
        }
        bool shape = i < 0 || (k >= 0 && shapes[k].rule->order > graph->nodes[i].rule->order);
        vrs_node *node = shape ? &shapes[k--] : &graph->nodes[i--];
        if (!mark_node(node, needed))
            vrs_node_clear(node);
    }
}

/* Closes the gaps that cleared nodes leave. */
static int32_t close_gaps(vrs_node *nodes, int32_t count)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++)
        if (!is_cleared(&nodes[i]))
            nodes[kept++] = nodes[i];
    for (int32_t i = kept; i < count; i++)
        nodes[i] = (vrs_node){0}; /* its parts were moved */
    return kept;
}

static void renumber(int32_t *values, int32_t count, const int32_t *numbers)
{
    for (int32_t i = 0; i < count; i++)
        values[i] = values[i] != VRS_NO_VALUE ? numbers[values[i]] : VRS_NO_VALUE;
}

static void renumber_nodes(vrs_node *nodes, int32_t count, const int32_t *numbers)
{
    for (int32_t i = 0; i < count; i++) {
        renumber(nodes[i].inputs, nodes[i].input_count, numbers);
        renumber(nodes[i].outputs, nodes[i].output_count, numbers);
        renumber(nodes[i].rule->params, (int32_t)PARAMS, numbers);
        renumber(&nodes[i].act.slope, 1, numbers);
    }
}

/* Frees values that nothing needs and gives the others new indices. */
static void compact_values(vrs_graph *graph, const bool *needed, int32_t *numbers)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < graph->value_count; i++) {
        numbers[i] = needed[i] ? kept : VRS_NO_VALUE;
        if (needed[i]) {
            graph->values[kept++] = graph->values[i];
        } else {
            vrs_free(graph->values[i].name);
            vrs_free(graph->values[i].data);
        }
    }
    graph->value_count = kept;
    renumber_nodes(graph->nodes, graph->node_count, numbers);
    renumber_nodes(graph->own->shape_nodes, graph->own->shape_node_count, numbers);
    renumber(graph->inputs, graph->input_count, numbers);
    renumber(graph->outputs, graph->output_count, numbers);
}

vrs_status vrs_graph_prune(vrs_graph *graph)
{
    bool *needed = vrs_alloc_array((size_t)graph->value_count, sizeof(*needed));
    int32_t *numbers = vrs_alloc_array((size_t)graph->value_count, sizeof(*numbers));
    if (!needed || !numbers) {
        vrs_free(needed);
        vrs_free(numbers);
        return VRS_NO_MEMORY;
    }
    for (int32_t i = 0; i < graph->input_count; i++)
        needed[graph->inputs[i]] = true;
    for (int32_t i = 0; i < graph->output_count; i++)
        needed[graph->outputs[i]] = true;
    clear_nodes(graph, needed);
    graph->node_count = close_gaps(graph->nodes, graph->node_count);
    graph->own->shape_node_count =
        close_gaps(graph->own->shape_nodes, graph->own->shape_node_count);
    compact_values(graph, needed, numbers);
    vrs_graph_link(graph);
    vrs_free(needed);
    vrs_free(numbers);
    return VRS_OK;
}
