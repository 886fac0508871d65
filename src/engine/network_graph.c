#include "engine/network_graph.h"

#include "vrseg/compile.h"

void vrs_network_options_set(const vrs_model_spec *s, vrs_network_options *o)
{
    *o = (vrs_network_options){.outputs = {s->output}};
    o->shapes[0] =
        (vrs_graph_shape){.input = s->input, .rank = 4, .dims = {0, 3, s->height, s->width}};
    if (s->nhwc_input) {
        o->shapes[0] =
            (vrs_graph_shape){.input = s->input, .rank = 4, .dims = {0, s->height, s->width, 3}};
    }
    for (int32_t i = 0; i < s->state_count; i++) {
        const vrs_model_state *state = &s->states[i];
        o->shapes[1 + i] = (vrs_graph_shape){
            .input = state->input,
            .rank = 4,
            .dims = {0, state->channels, (s->height + state->divisor - 1) / state->divisor,
                     (s->width + state->divisor - 1) / state->divisor}};
        o->outputs[1 + i] = state->output;
    }
    o->options = (vrs_graph_options){.shapes = o->shapes,
                                     .shape_count = 1 + s->state_count,
                                     .outputs = o->outputs,
                                     .output_count = *s->output ? 1 + s->state_count : 0,
                                     .free_batch = true};
}

/* ---- what a network is ---- */

static void count_node(const vrs_graph *graph, int32_t node, vrs_model_cost *cost)
{
    vrs_cost one = vrs_node_cost(graph, node);
    vrs_op op = graph->nodes[node].op;
    bool layer = op == VRS_OP_CONV || op == VRS_OP_CONV_TRANSPOSED || op == VRS_OP_GEMM ||
                 op == VRS_OP_MATMUL;
    cost->flops += one.flops;
    cost->weights += one.constant;
    cost->layers += layer ? 1 : 0;
}

vrs_status vrs_model_count(const vrs_model *model, vrs_model_cost *cost)
{
    vrs_network_options options;
    vrs_graph *graph;
    *cost = (vrs_model_cost){0};
    vrs_network_options_set(vrs_model_get_spec(model), &options);
    vrs_status status =
        vrs_graph_load(vrs_model_get_info(model).weights_path, &options.options, &graph);
    if (status != VRS_OK)
        return status;
    status = vrs_graph_optimise(graph, VRS_PASS_ALL);
    for (int32_t i = 0; status == VRS_OK && i < graph->node_count; i++)
        count_node(graph, i, cost);
    vrs_graph_destroy(graph);
    return status;
}
