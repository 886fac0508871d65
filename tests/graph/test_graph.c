/* What engines rely on beside results: names, fused nodes, costs, batches, 8-bit patterns; and
 * every allocation failing in turn. */
#define _XOPEN_SOURCE 700

#include "graph/arena.h"
#include "graph/support.h"

static const vrs_node *only_node(const vrs_graph *graph)
{
    assert_int_equal(graph->node_count, 1);
    return &graph->nodes[0];
}

static void test_fused_node(void **state)
{
    (void)state;
    vrs_graph *graph = load_operator("fuse-residual", VRS_PASS_ALL);
    assert_int_equal(graph->node_count, 2);
    const vrs_node *node = &graph->nodes[1];
    assert_int_equal(node->op, VRS_OP_CONV);
    assert_int_equal(node->inputs[3], graph->inputs[0]);
    assert_int_equal(node->act.kind, VRS_ACT_RELU);
    assert_string_equal(node->name, "Conv_1");
    assert_int_equal(node->source_count, 3);
    assert_string_equal(node->sources[0], "Conv_1");
    assert_string_equal(node->sources[1], "Add_2");
    assert_string_equal(node->sources[2], "Relu_3");
    assert_int_equal(graph->values[node->outputs[0]].producer, 1);
    assert_int_equal(vrs_graph_find(graph, "y"), graph->outputs[0]);
    assert_int_equal(vrs_graph_find(graph, "nowhere"), VRS_NO_VALUE);
    assert_int_equal(vrs_graph_uses(graph, graph->outputs[0]), 1);
    assert_int_equal(vrs_graph_uses(graph, graph->inputs[0]), 2);
    vrs_graph_destroy(graph);
}

static void test_sources_in_order(void **state)
{
    (void)state;
    static const char *const names[] = {"Conv_0", "Add_1", "Clip_2", "Mul_3", "Div_4"};
    vrs_graph *graph = load_operator("fuse-hard-swish", VRS_PASS_ALL);
    const vrs_node *node = only_node(graph);
    assert_int_equal(node->act.kind, VRS_ACT_HARD_SWISH);
    assert_int_equal(node->source_count, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(node->sources[i], names[i]);
    vrs_graph_destroy(graph);
}

/* Each pass alone. */
static void test_passes_alone(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t passes;
        int32_t nodes;
    } cases[] = {
        {"fuse-norm", 0, 3},
        {"fuse-norm", VRS_PASS_NORMS, 2},
        {"fuse-norm", VRS_PASS_ACTIVATIONS, 2},
        {"fuse-residual", VRS_PASS_RESIDUAL, 3},
        {"fuse-hard-swish", VRS_PASS_ACTIVATIONS, 1},
        {"identity", 0, 1},
        {"transpose-twice", 0, 4},
        {"transpose-twice", VRS_PASS_IDENTITY, 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        vrs_graph *graph = load_operator(cases[i].name, cases[i].passes);
        if (graph->node_count != cases[i].nodes) {
            fail_msg("%s: %d nodes after passes %u, not %d", cases[i].name, graph->node_count,
                     cases[i].passes, cases[i].nodes);
        }
        vrs_graph_destroy(graph);
    }
}

/* Results of a network for pictures of its own, at most 2 * 16 * 24 a picture. */
static void run_pictures(vrs_graph *graph, float scores[2 * 2 * 16 * 24])
{
    vrs_interpreter *interpreter = NULL;
    must(vrs_graph_infer(graph, 2));
    const vrs_value *x = &graph->values[graph->inputs[0]];
    float *picture = malloc(vrs_value_bytes(x));
    assert_non_null(picture);
    fill_pattern(x, 3, picture);
    const void *inputs[] = {picture};
    must(vrs_interpreter_create(graph, &interpreter));
    must(vrs_interpreter_run(interpreter, 2, inputs));
    memcpy(scores, vrs_interpreter_data(interpreter, graph->outputs[0]),
           vrs_value_bytes(&graph->values[graph->outputs[0]]));
    vrs_interpreter_destroy(interpreter);
    free(picture);
}

/* Convolutions of enlarged pictures on the small ones: the same results, fewer operations. */
static void test_enlarged(void **state)
{
    (void)state;
    static float before[2 * 2 * 16 * 24], after[2 * 2 * 16 * 24];
    vrs_graph *graph = NULL;
    must(vrs_graph_load(data_path("enlarged.onnx"), NULL, &graph));
    must(vrs_graph_optimise(graph, VRS_PASS_ALL));
    int32_t nodes = graph->node_count;
    run_pictures(graph, before);
    must(vrs_graph_split_enlarged(graph));
    assert_int_equal(graph->node_count, nodes); /* joining becomes a product, twice */
    int32_t taps = 0, residuals = 0;
    for (int32_t i = 0; i < graph->node_count; i++) {
        const vrs_node *node = &graph->nodes[i];
        assert_int_not_equal(node->op, VRS_OP_CONCAT);
        for (int32_t k = 0; k < node->input_count; k++)
            if (node->inputs[k] != VRS_NO_VALUE)
                assert_true(graph->values[node->inputs[k]].producer < i);
        taps += node->op == VRS_OP_RESIZE && node->as.resize.taps == 3;
        residuals += node->op == VRS_OP_CONV && node->inputs[3] != VRS_NO_VALUE;
    }
    assert_int_equal(taps, 2);
    assert_true(residuals >= 2);
    run_pictures(graph, after);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        assert_true(fabsf(before[i] - after[i]) <= 1e-4f * (1 + fabsf(before[i])));
    must(vrs_graph_split_enlarged(graph)); /* nothing is left to do */
    assert_int_equal(graph->node_count, nodes);
    vrs_graph_destroy(graph);
}

static vrs_status split_graph(void *opaque)
{
    (void)opaque;
    vrs_graph *graph = NULL;
    vrs_status status = vrs_graph_load(data_path("enlarged.onnx"), NULL, &graph);
    if (status == VRS_OK)
        status = vrs_graph_optimise(graph, VRS_PASS_ALL);
    if (status == VRS_OK)
        status = vrs_graph_split_enlarged(graph);
    vrs_graph_destroy(graph);
    return status;
}

static void test_enlarged_memory(void **state)
{
    (void)state;
    assert_true(inject_all(split_graph, NULL) > 10);
}

static void test_batches(void **state)
{
    (void)state;
    vrs_graph *graph = load_operator("shape-reshape", VRS_PASS_ALL);
    assert_true(graph->free_batch);
    const vrs_value *x = &graph->values[graph->inputs[0]], *y = &graph->values[graph->outputs[0]];
    assert_int_equal(x->batch_axis, 0);
    assert_int_equal(y->batch_axis, 0);
    for (int32_t batch = VRS_GRAPH_MAX_BATCH; batch >= 1; batch--) {
        must(vrs_graph_infer(graph, batch));
        assert_int_equal(graph->batch, batch);
        assert_int_equal(x->dims[0], batch);
        assert_int_equal(y->dims[0], batch);
        assert_int_equal(y->dims[1], 24);
        assert_int_equal(vrs_value_elements(y), batch * 24 * 7);
        assert_int_equal(vrs_value_bytes(y), batch * 24 * 7 * 4);
    }
    vrs_graph_destroy(graph);
    graph = load_operator("shape-data", VRS_PASS_ALL);
    const vrs_value *follows = &graph->values[graph->nodes[0].inputs[1]];
    assert_true(follows->follows_batch);
    must(vrs_graph_infer(graph, 5));
    assert_true(((const float *)follows->data)[0] == 5);
    vrs_graph_destroy(graph);
}

static vrs_graph *load_tiny(const char *name, const vrs_graph_options *options)
{
    vrs_graph *graph = NULL;
    must(vrs_graph_load(data_path(name), options, &graph));
    return graph;
}

/* A file that says batch 1, and leaves its size open. */
static void test_options(void **state)
{
    (void)state;
    vrs_graph_shape shapes[] = {{.input = "picture", .rank = 4, .dims = {0, 4, 6, 0}}};
    vrs_graph_options options = {.shapes = shapes, .shape_count = 1};
    vrs_graph *graph = load_tiny("tiny-nhwc.onnx", &options);
    assert_false(graph->free_batch);
    assert_int_equal(graph->values[graph->outputs[0]].dims[2], 6);
    vrs_graph_destroy(graph);
    options.free_batch = true;
    graph = load_tiny("tiny-nhwc.onnx", &options);
    must(vrs_graph_infer(graph, 7));
    assert_int_equal(graph->values[graph->outputs[0]].dims[0], 7);
    vrs_graph_destroy(graph);
    const char *outputs[] = {"features"};
    options = (vrs_graph_options){.outputs = outputs, .output_count = 1};
    graph = load_tiny("tiny-two-outputs.onnx", &options);
    assert_int_equal(graph->node_count, 1);
    assert_int_equal(graph->output_count, 1);
    assert_int_equal(vrs_graph_output(graph, ""), 0);
    assert_int_equal(vrs_graph_output(graph, "scores"), -1);
    assert_int_equal(vrs_graph_input(graph, "picture"), 0);
    vrs_graph_destroy(graph);
}

/* With a batch that the file does not have, pictures must not get into each other. */
static void test_mixing_is_refused(void **state)
{
    (void)state;
    vrs_graph_options options = {.free_batch = true};
    vrs_graph *graph = NULL;
    vrs_status status = vrs_graph_load(data_path("mixing.onnx"), &options, &graph);
    assert_int_equal(status, VRS_UNSUPPORTED);
    assert_non_null(strstr(vrs_last_error(), "puts the pictures of a batch together"));
    must(vrs_graph_load(data_path("mixing.onnx"), NULL, &graph));
    vrs_graph_destroy(graph);
}

static void test_quantised(void **state)
{
    (void)state;
    vrs_quantised quantised;
    vrs_graph *graph = load_operator("eight-bits", VRS_PASS_ALL);
    int32_t conv = -1;
    for (int32_t i = 0; i < graph->node_count; i++)
        conv = graph->nodes[i].op == VRS_OP_CONV ? i : conv;
    assert_true(conv >= 0);
    assert_true(vrs_graph_quantised(graph, conv, &quantised));
    assert_int_equal(graph->values[quantised.x].dtype, VRS_DTYPE_U8);
    assert_int_equal(graph->values[quantised.weights].dtype, VRS_DTYPE_I8);
    assert_non_null(graph->values[quantised.weights].data);
    assert_int_equal(graph->values[quantised.y].dtype, VRS_DTYPE_U8);
    assert_int_equal(graph->nodes[quantised.y_node].op, VRS_OP_QUANTIZE);
    assert_int_equal(graph->nodes[quantised.weights_node].as.quantize.axis, 0);
    /* The bias, which was of 32 bits, is a constant of floats: (50 - 0) * 0.0002. */
    assert_float_equal(((const float *)graph->values[graph->nodes[conv].inputs[2]].data)[0], 0.01,
                       1e-9);
    vrs_graph_destroy(graph);
    graph = load_operator("conv", VRS_PASS_ALL);
    assert_false(vrs_graph_quantised(graph, 0, &quantised));
    vrs_graph_destroy(graph);
}

static void test_cost_and_words(void **state)
{
    (void)state;
    vrs_graph *graph = load_operator("fuse-norm", VRS_PASS_ALL);
    must(vrs_graph_infer(graph, 2));
    vrs_cost cost = vrs_node_cost(graph, 0);
    double out = 2 * 4 * 6 * 7;
    assert_float_equal(cost.out, out, 0);
    assert_float_equal(cost.in, out, 0);
    assert_float_equal(cost.constant, 4 * 4 * 9 + 4, 0);
    assert_float_equal(cost.flops, out * (2 * 4 * 9 + 2), 0); /* with bias and activation */
    char text[128];
    vrs_node_describe(graph, 0, text, sizeof(text));
    assert_string_equal(text, "conv 3x3 relu: 2x4x6x7 -> 2x4x6x7");
    vrs_node_describe(graph, 0, text, 9);
    assert_string_equal(text, "conv 3x3");
    FILE *file = fopen("/dev/full", "w");
    assert_non_null(file);
    setbuf(file, NULL);
    assert_int_equal(vrs_graph_write(graph, file), VRS_IO);
    fclose(file);
    vrs_graph_destroy(graph);
}

static void test_node_alone(void **state)
{
    (void)state;
    vrs_graph *graph = load_operator("relu", 0);
    float x[4 * 6 * 7], y[4 * 6 * 7];
    void *data[2] = {NULL, NULL};
    assert_int_equal(graph->value_count, 2);
    fill_pattern(&graph->values[graph->inputs[0]], 0, x);
    data[graph->inputs[0]] = x;
    data[graph->outputs[0]] = y;
    must(vrs_node_run(graph, 0, data));
    for (int i = 0; i < 4 * 6 * 7; i++)
        assert_true(y[i] == (x[i] > 0 ? x[i] : 0));
    vrs_graph_destroy(graph);
}

/* All that engines do, with one network of few values. */
static vrs_status live_through(void *opaque)
{
    char path[4096];
    vrs_graph *graph = NULL;
    vrs_interpreter *interpreter = NULL;
    vrs_graph_arena *arena = NULL;
    static vrs_arena_request requests[64];
    static float inputs[2][3 * 4 * 6 * 7 * 2];
    const void *data[] = {inputs[0], inputs[1]};
    snprintf(path, sizeof(path), "%s", data_path(opaque));
    vrs_status status = vrs_graph_load(path, NULL, &graph);
    if (status == VRS_OK)
        status = vrs_graph_optimise(graph, VRS_PASS_ALL);
    if (status == VRS_OK)
        status = vrs_graph_infer(graph, 2);
    if (status == VRS_OK) {
        assert_true(graph->value_count <= 64);
        vrs_graph_arena_wish(graph, requests);
        status = vrs_graph_arena_plan(graph, requests, NULL, &arena);
    }
    if (status == VRS_OK)
        status = vrs_interpreter_create(graph, &interpreter);
    if (status == VRS_OK)
        status = vrs_interpreter_run(interpreter, 2, data);
    if (status == VRS_OK)
        status = vrs_interpreter_run(interpreter, 3, data);
    vrs_interpreter_destroy(interpreter);
    vrs_graph_arena_destroy(arena);
    vrs_graph_destroy(graph);
    return status;
}

static void test_allocations(void **state)
{
    (void)state;
    static const char *const names[] = {
        "operators/fuse-hard-swish.onnx", "operators/fuse-residual-two.onnx",
        "operators/fuse-norm-up.onnx",    "operators/eight-bits.onnx",
        "operators/shape-data.onnx",      "operators/shape-fill.onnx",
        "operators/resize-axes.onnx",     "operators/transpose-twice.onnx",
        "operators/external.onnx",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const vrs_status unreadable = VRS_IO; /* the file of external weights */
        assert_true(inject_all_allowing(live_through, (void *)names[i], &unreadable, 1) > 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fused_node),   cmocka_unit_test(test_sources_in_order),
        cmocka_unit_test(test_passes_alone), cmocka_unit_test(test_batches),
        cmocka_unit_test(test_enlarged),     cmocka_unit_test(test_enlarged_memory),
        cmocka_unit_test(test_options),      cmocka_unit_test(test_mixing_is_refused),
        cmocka_unit_test(test_quantised),    cmocka_unit_test(test_cost_and_words),
        cmocka_unit_test(test_node_alone),   cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
