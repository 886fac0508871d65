/* Any bytes as an ONNX file: refused, or good for everything that engines do with a graph. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    if (!requests)
        stop("memory");
    vrs_graph_arena_wish(graph, requests);
    if (vrs_graph_arena_plan(graph, requests, NULL, &arena) != VRS_OK)
        stop("no plan for the wishes");
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
    for (int32_t i = 0; i < graph->input_count; i++)
        sum += (double)vrs_value_elements(&graph->values[graph->inputs[i]]);
    return sum;
}

static void run(vrs_graph *graph)
{
    vrs_interpreter *interpreter = NULL;
    const void **inputs = vrs_alloc_array((size_t)graph->input_count, sizeof(*inputs));
    if (!inputs || vrs_interpreter_create(graph, &interpreter) != VRS_OK)
        stop("memory");
    for (int32_t i = 0; i < graph->input_count; i++)
        inputs[i] = vrs_alloc(vrs_value_bytes(&graph->values[graph->inputs[i]]));
    vrs_status status = vrs_interpreter_run(interpreter, graph->batch, inputs);
    if (status != VRS_OK && status != VRS_INVALID)
        stop("a graph that was inferred does not run");
    for (int32_t i = 0; i < graph->input_count; i++)
        vrs_free((void *)inputs[i]);
    vrs_free(inputs);
    vrs_interpreter_destroy(interpreter);
}

/* What the passes leave has the same outputs, of the same dims, for another batch size too. */
static void compare(const vrs_graph *plain, const vrs_graph *fused)
{
    for (int32_t i = 0; i < plain->output_count; i++) {
        const vrs_value *a = &plain->values[plain->outputs[i]];
        const vrs_value *b = &fused->values[fused->outputs[i]];
        if (a->dtype != b->dtype || a->rank != b->rank ||
            memcmp(a->dims, b->dims, sizeof(a->dims)) != 0)
            stop("the passes change an output's shape");
    }
}

static void use(vrs_graph *plain, vrs_graph *fused)
{
    if (work(plain) < MOST_WORK)
        run(plain);
    if (vrs_graph_optimise(fused, VRS_PASS_ALL) != VRS_OK)
        stop("the passes fail");
    plan(fused);
    compare(plain, fused);
    /* A reshape may fit batches of 1 and 2 alone. */
    if (!plain->free_batch || vrs_graph_infer(plain, 3) != VRS_OK)
        return;
    if (vrs_graph_infer(fused, 3) != VRS_OK)
        stop("a batch of 3 fails after the passes");
    compare(plain, fused);
    plan(fused);
    if (work(fused) < MOST_WORK)
        run(fused);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vrs_graph *plain = NULL, *fused = NULL;
    /* Both ways of loading, by what the fuzzer changes easily. */
    vrs_graph_options options = {.free_batch = size % 2 == 1};
    if (vrs_graph_parse(data, size, "fuzz", NULL, &options, &plain) != VRS_OK)
        return 0;
    if (vrs_graph_parse(data, size, "fuzz", NULL, &options, &fused) != VRS_OK)
        stop("the second time it does not load");
    use(plain, fused);
    vrs_graph_destroy(plain);
    vrs_graph_destroy(fused);
    return 0;
}
