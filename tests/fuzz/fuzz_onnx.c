/* Any bytes as an ONNX file: refused, or good for everything that engines do with a graph. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "fuzz/target.h"
#include "graph/arena.h"
#include "graph/interpreter.h"

/* Larger networks are valid, but take too long here. */
#define MOST_WORK 1e6

static void stop(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, vrs_last_error());
    abort();
}

static void plan(const vrs_graph *graph)
{
    vrs_graph_arena *arena = NULL;
    vrs_arena_request *requests = vrs_alloc_array((size_t)graph->value_count, sizeof(*requests));
    if (!requests) {
        stop("memory");
    }
    vrs_graph_arena_wish(graph, requests);
    if (vrs_graph_arena_plan(graph, requests, NULL, &arena) != VRS_OK) {
        stop("no plan for the wishes");
    }
    vrs_graph_arena_destroy(arena);
    vrs_free(requests);
}

static double work(const vrs_graph *graph)
{
    double sum = 0;
    char text[128];
    for (int32_t i = 0; i < graph->node_count; i++) {
        vrs_cost cost = vrs_node_cost(graph, i);
        sum += cost.flops + cost.in + cost.out + cost.constant;
        vrs_node_describe(graph, i, text, sizeof(text));
    }
    for (int32_t i = 0; i < graph->input_count; i++) {
        sum += (double)vrs_value_elements(&graph->values[graph->inputs[i]]);
    }
    return sum;
}

static void run(vrs_graph *graph)
{
    vrs_interpreter *interpreter = NULL;
    const void **inputs = vrs_alloc_array((size_t)graph->input_count, sizeof(*inputs));
    if (!inputs || vrs_interpreter_create(graph, &interpreter) != VRS_OK) {
        stop("memory");
    }
    for (int32_t i = 0; i < graph->input_count; i++) {
        inputs[i] = vrs_alloc(vrs_value_bytes(&graph->values[graph->inputs[i]]));
    }
    vrs_status status = vrs_interpreter_run(interpreter, graph->batch, inputs);
    if (status != VRS_OK && status != VRS_INVALID) {
        stop("a graph that was inferred does not run");
    }
    for (int32_t i = 0; i < graph->input_count; i++) {
        vrs_free((void *)inputs[i]);
    }
    vrs_free(inputs);
    vrs_interpreter_destroy(interpreter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vrs_graph *graph = NULL;
    /* Both ways of loading, by what the fuzzer changes easily. */
    vrs_graph_options options = {.free_batch = size % 2 == 1};
    if (vrs_graph_parse(data, size, "fuzz", NULL, &options, &graph) != VRS_OK) {
        return 0;
    }
    if (work(graph) < MOST_WORK) {
        run(graph);
    }
    if (vrs_graph_optimise(graph, VRS_PASS_ALL) != VRS_OK) {
        stop("the passes fail");
    }
    plan(graph);
    if (graph->free_batch && vrs_graph_infer(graph, 3) != VRS_OK) {
        vrs_graph_destroy(graph);
        return 0; /* a reshape may fit batches of 1 and 2 alone */
    }
    plan(graph);
    if (work(graph) < MOST_WORK) {
        run(graph);
    }
    vrs_graph_destroy(graph);
    return 0;
}
