/* Arena plans: nothing that is alive is overwritten, and memory is shared. */
#define _XOPEN_SOURCE 700

#include "graph/arena.h"
#include "graph/support.h"

/* Block of a value: what it lies inside at last, or itself. */
static int32_t root_of(const vrs_arena_request *requests, int32_t value)
{
    while (requests[value].inside != VRS_NO_VALUE)
        value = requests[value].inside;
    return value;
}

/* Two values of different blocks that are alive at the same time have no byte in common. */
static void check(const vrs_graph *graph, const vrs_arena_request *requests,
                  const vrs_graph_arena *arena)
{
    for (int32_t a = 0; a < graph->value_count; a++) {
        if (requests[a].bytes == 0) {
            assert_true(arena->offsets[a] == VRS_NO_PLACE);
            continue;
        }
        assert_true(arena->offsets[a] + requests[a].bytes <= arena->bytes);
        assert_true(requests[a].inside != VRS_NO_VALUE ||
                    arena->offsets[a] % VRS_ARENA_ALIGNMENT == 0);
        for (int32_t b = 0; b < a; b++) {
            bool together = arena->first[a] <= arena->last[b] && arena->first[b] <= arena->last[a];
            bool apart = requests[b].bytes == 0 ||
                         arena->offsets[a] + requests[a].bytes <= arena->offsets[b] ||
                         arena->offsets[b] + requests[b].bytes <= arena->offsets[a];
            if (together && !apart && root_of(requests, a) != root_of(requests, b)) {
                fail_msg("%s: \"%s\" and \"%s\" overlap", graph->name, graph->values[a].name,
                         graph->values[b].name);
            }
        }
    }
    assert_true(arena->live_bytes <= arena->bytes);
}

/* Runs the network in the arena alone; the result is the interpreter's own. */
static void run_in_place(vrs_graph *graph, const vrs_graph_arena *arena)
{
    void *inputs[MAX_INPUTS];
    char *memory = malloc(arena->bytes);
    void **data = calloc((size_t)graph->value_count, sizeof(*data));
    vrs_interpreter *interpreter = NULL;
    assert_true(memory != NULL && data != NULL);
    memset(memory, 0xff, arena->bytes);
    make_inputs(graph, inputs);
    must(vrs_interpreter_create(graph, &interpreter));
    must(vrs_interpreter_run(interpreter, graph->batch, (const void *const *)inputs));
    for (int32_t i = 0; i < graph->value_count; i++)
        data[i] = arena->offsets[i] != VRS_NO_PLACE ? memory + arena->offsets[i] : NULL;
    for (int32_t i = 0; i < graph->input_count; i++) {
        const vrs_value *value = &graph->values[graph->inputs[i]];
        memcpy(data[graph->inputs[i]], inputs[i], vrs_value_bytes(value));
    }
    for (int32_t i = 0; i < graph->node_count; i++) {
        const vrs_node *node = &graph->nodes[i];
        bool there = (node->op == VRS_OP_RESHAPE || node->op == VRS_OP_CONCAT) &&
                     data[node->inputs[0]] == data[node->outputs[0]];
        if (!there) /* else all inputs are in their places already */
            must(vrs_node_run(graph, i, data));
    }
    for (int32_t i = 0; i < graph->output_count; i++) {
        const vrs_value *value = &graph->values[graph->outputs[i]];
        assert_memory_equal(data[graph->outputs[i]],
                            vrs_interpreter_data(interpreter, graph->outputs[i]),
                            vrs_value_bytes(value));
    }
    free_inputs(graph, inputs);
    free(memory);
    free(data);
    vrs_interpreter_destroy(interpreter);
}

static vrs_arena_request *wishes(const vrs_graph *graph)
{
    vrs_arena_request *requests = calloc((size_t)graph->value_count, sizeof(*requests));
    assert_non_null(requests);
    vrs_graph_arena_wish(graph, requests);
    return requests;
}

static void test_networks(void **state)
{
    (void)state;
    static const char *const names[] = {"fuse-residual-two", "fuse-hard-swish", "fuse-gate",
                                        "squeeze",           "arena",           "split-sizes"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        for (int32_t batch = 1; batch <= 3; batch++) {
            vrs_graph *graph = load_operator(names[i], batch == 2 ? 0 : VRS_PASS_ALL);
            vrs_graph_arena *arena = NULL;
            must(vrs_graph_infer(graph, batch));
            vrs_arena_request *requests = wishes(graph);
            must(vrs_graph_arena_plan(graph, requests, NULL, &arena));
            check(graph, requests, arena);
            run_in_place(graph, arena);
            vrs_graph_arena_destroy(arena);
            free(requests);
            vrs_graph_destroy(graph);
        }
    }
}

/* A chain of six values of one size needs room for two, whatever its length. */
static void test_memory_is_shared(void **state)
{
    (void)state;
    vrs_graph *graph = load_operator("arena", 0);
    vrs_arena_request *requests = wishes(graph);
    vrs_graph_arena *arena = NULL;
    must(vrs_graph_arena_plan(graph, requests, NULL, &arena));
    size_t sum = 0;
    for (int32_t i = 0; i < graph->value_count; i++)
        sum += requests[i].bytes;
    assert_true(arena->bytes < sum / 2);
    vrs_graph_arena_destroy(arena);
    free(requests);
    vrs_graph_destroy(graph);
}

static void test_concat_in_place(void **state)
{
    (void)state;
    vrs_graph *graph = load_operator("arena", 0);
    vrs_arena_request *requests = wishes(graph);
    int32_t left = vrs_graph_find(graph, "left"), joined = vrs_graph_find(graph, "joined");
    int32_t right = vrs_graph_find(graph, "right");
    assert_int_equal(requests[left].inside, joined);
    assert_int_equal(requests[right].inside, joined);
    assert_int_equal(requests[right].offset, vrs_value_bytes(&graph->values[left]));
    free(requests);
    must(vrs_graph_infer(graph, 2)); /* pictures in between: not dense any more */
    requests = wishes(graph);
    assert_int_equal(requests[left].inside, VRS_NO_VALUE);
    free(requests);
    vrs_graph_destroy(graph);
}

static void test_workspace(void **state)
{
    (void)state;
    vrs_graph *graph = load_operator("fuse-residual-two", VRS_PASS_ALL);
    vrs_arena_request *requests = wishes(graph);
    vrs_graph_arena *arena = NULL;
    size_t workspace[2] = {100000, 0};
    assert_int_equal(graph->node_count, 2);
    must(vrs_graph_arena_plan(graph, requests, workspace, &arena));
    assert_true(arena->workspace[0] != VRS_NO_PLACE);
    assert_true(arena->workspace[1] == VRS_NO_PLACE);
    const vrs_node *node = &graph->nodes[0];
    size_t start = arena->workspace[0], end = start + workspace[0];
    for (int32_t i = 0; i < 4; i++) {
        int32_t value = i < 3 ? node->inputs[i] : node->outputs[0];
        size_t place = value != VRS_NO_VALUE ? arena->offsets[value] : VRS_NO_PLACE;
        assert_true(place == VRS_NO_PLACE || place >= end ||
                    place + requests[value].bytes <= start);
    }
    vrs_graph_arena_destroy(arena);
    free(requests);
    vrs_graph_destroy(graph);
}

static void refuse(const vrs_graph *graph, const vrs_arena_request *requests, const char *part)
{
    vrs_graph_arena *arena = NULL;
    assert_int_equal(vrs_graph_arena_plan(graph, requests, NULL, &arena), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), part));
    assert_null(arena);
}

static void test_refusals(void **state)
{
    (void)state;
    vrs_graph *graph = load_operator("arena", 0);
    vrs_arena_request *requests = wishes(graph);
    int32_t left = vrs_graph_find(graph, "left"), joined = vrs_graph_find(graph, "joined");
    requests[joined].inside = left;
    requests[joined].bytes = requests[left].bytes = 64;
    requests[left].offset = 0;
    refuse(graph, requests, "inside itself");
    requests[joined].inside = graph->value_count;
    refuse(graph, requests, "inside no value");
    requests[joined].inside = VRS_NO_VALUE;
    requests[joined].bytes = 63;
    refuse(graph, requests, "no room for it");
    free(requests);
    vrs_graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),        cmocka_unit_test(test_memory_is_shared),
        cmocka_unit_test(test_concat_in_place), cmocka_unit_test(test_workspace),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
