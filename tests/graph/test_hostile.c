/* Files that are refused: each with its status and one sentence, nothing left behind. */
#define _XOPEN_SOURCE 700

#include <fcntl.h>
#include <unistd.h>

#include "graph/arena.h"
#include "graph/support.h"
#include "support/temp.h"

/* What every refusal must be: a status of this kind, a detail, no graph. */
static void check_refusal(const char *name, vrs_status status, const vrs_graph *graph)
{
    if (status != VRS_FORMAT && status != VRS_UNSUPPORTED && status != VRS_NOT_FOUND &&
        status != VRS_INVALID)
        fail_msg("%s: %s: %s", name, vrs_status_name(status), vrs_last_error());
    assert_null(graph);
    assert_true(strlen(vrs_last_error()) > 10);
    assert_null(strchr(vrs_last_error(), '\n'));
}

static void test_listed(void **state)
{
    (void)state;
    char line[512], file[256];
    FILE *list = fopen(data_path("hostile.txt"), "r");
    assert_non_null(list);
    int count = 0;
    for (; fgets(line, sizeof(line), list); count++) {
        char *part = NULL;
        const char *name = strtok_r(line, " ", &part), *wanted = strtok_r(NULL, " ", &part);
        part[strcspn(part, "\n")] = '\0';
        snprintf(file, sizeof(file), "hostile/%s.onnx", name);
        vrs_graph *graph = NULL;
        size_t live = vrs_resources_live();
        vrs_status status = vrs_graph_load(data_path(file), NULL, &graph);
        check_refusal(name, status, graph);
        if (strcmp(vrs_status_name(status) + strlen("VRS_"), wanted) != 0 ||
            !strstr(vrs_last_error(), part) || vrs_resources_live() != live) {
            fail_msg("%s: %s, \"%s\", where %s, \"%s\" was expected; %zu more resources", name,
                     vrs_status_name(status), vrs_last_error(), wanted, part,
                     vrs_resources_live() - live);
        }
    }
    assert_true(count > 50);
    fclose(list);
}

static char *read_all(const char *name, size_t *size)
{
    FILE *file = fopen(data_path(name), "rb");
    assert_non_null(file);
    char *data = malloc(1 << 20);
    assert_non_null(data);
    *size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return data;
}

/* A file that ends early never loads, wherever it ends. */
static void test_truncated(void **state)
{
    (void)state;
    static const char *const names[] = {"operators/conv.onnx", "operators/eight-bits.onnx",
                                        "operators/shape-reshape.onnx"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t size, live = vrs_resources_live();
        char *data = read_all(names[i], &size);
        for (size_t length = 0; length < size; length++) {
            /* In memory of its own, so that reading beyond it is found. */
            char *cut = malloc(length + 1);
            vrs_graph *graph = NULL;
            assert_non_null(cut);
            memcpy(cut, data, length);
            check_refusal(names[i], vrs_graph_parse(cut, length, "cut", NULL, NULL, &graph), graph);
            free(cut);
        }
        free(data);
        assert_int_equal(vrs_resources_live(), live);
    }
}

/* Loads, and where that goes well does everything else that engines do. */
static void use(const char *data, size_t size)
{
    vrs_graph *graph = NULL;
    vrs_status status = vrs_graph_parse(data, size, "flipped", NULL, NULL, &graph);
    if (status != VRS_OK) {
        check_refusal("flipped", status, graph);
        return;
    }
    must(vrs_graph_optimise(graph, VRS_PASS_ALL));
    double flops = 0, elements = 0;
    for (int32_t i = 0; i < graph->node_count; i++) {
        vrs_cost cost = vrs_node_cost(graph, i);
        flops += cost.flops;
        elements += cost.in + cost.out + cost.constant;
    }
    vrs_interpreter *interpreter = NULL;
    must(vrs_interpreter_create(graph, &interpreter));
    if (flops < 1e6 && elements < 1e6) {
        void *inputs[MAX_INPUTS];
        make_inputs(graph, inputs);
        status = vrs_interpreter_run(interpreter, 1, (const void *const *)inputs);
        assert_true(status == VRS_OK || status == VRS_INVALID);
        free_inputs(graph, inputs);
    }
    vrs_interpreter_destroy(interpreter);
    vrs_graph_destroy(graph);
}

/* Flipped bits: most make another network or none; nothing may break. */
static void test_flipped(void **state)
{
    (void)state;
    static const char *const names[] = {"operators/fuse-residual-two.onnx",
                                        "operators/shape-reshape.onnx", "operators/slice.onnx"};
    size_t live = vrs_resources_live();
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t size;
        char *data = read_all(names[i], &size);
        for (size_t place = 0; place < size; place++) {
            char flip = (char)(1 << place % 7);
            data[place] = (char)(data[place] ^ flip);
            use(data, size);
            data[place] = (char)(data[place] ^ flip);
        }
        free(data);
    }
    assert_int_equal(vrs_resources_live(), live);
}

static void test_two_gigabytes(void **state)
{
    (void)state;
    char folder[512], path[600];
    temp_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/large.onnx", folder);
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, (off_t)1 << 31), 0);
    close(file);
    vrs_graph *graph = NULL;
    assert_int_equal(vrs_graph_load(path, NULL, &graph), VRS_UNSUPPORTED);
    assert_non_null(strstr(vrs_last_error(), "2 GB or more"));
    assert_null(graph);
    temp_remove(folder);
}

static void test_files(void **state)
{
    (void)state;
    vrs_graph *graph = NULL;
    assert_int_equal(vrs_graph_load("/no/such/file.onnx", NULL, &graph), VRS_NOT_FOUND);
    assert_int_equal(vrs_graph_load(data_path("operators"), NULL, &graph), VRS_INVALID);
    assert_null(graph);
}

static void refuse_options(const vrs_graph_options *options, vrs_status wanted, const char *part)
{
    vrs_graph *graph = NULL;
    vrs_status status = vrs_graph_load(data_path("operators/conv.onnx"), options, &graph);
    if (status != wanted || !strstr(vrs_last_error(), part))
        fail_msg("%s: %s", vrs_status_name(status), vrs_last_error());
    assert_null(graph);
}

static void test_options(void **state)
{
    (void)state;
    const char *outputs[] = {"nothing"};
    vrs_graph_shape shape = {.input = "who", .rank = 4};
    vrs_graph_options options = {.shapes = &shape, .shape_count = 1};
    refuse_options(&options, VRS_INVALID, "has no input \"who\"");
    shape = (vrs_graph_shape){.input = "x", .rank = 3};
    refuse_options(&options, VRS_INVALID, "has 4 axes, and 3 were asked for");
    shape = (vrs_graph_shape){.input = "", .rank = 4, .dims = {0, 4, 6, 8}};
    refuse_options(&options, VRS_INVALID, "7 along axis 3, and 8 was asked for");
    shape = (vrs_graph_shape){.input = "x", .rank = 4, .dims = {2, 0, 0, 0}};
    refuse_options(&options, VRS_INVALID, "a size of 2 was asked for along axis 0");
    options = (vrs_graph_options){.outputs = outputs, .output_count = 1};
    refuse_options(&options, VRS_INVALID, "has no output \"nothing\"");
}

static void test_batches(void **state)
{
    (void)state;
    vrs_graph *graph = load_operator("conv", VRS_PASS_ALL);
    assert_int_equal(vrs_graph_infer(graph, 0), VRS_INVALID);
    assert_int_equal(vrs_graph_infer(graph, 17), VRS_INVALID);
    assert_int_equal(vrs_graph_infer(graph, 16), VRS_OK);
    vrs_graph_destroy(graph);
    graph = load_operator("resize-crop", 0); /* its batch is fixed, to 2 */
    assert_int_equal(vrs_graph_infer(graph, 3), VRS_UNSUPPORTED);
    assert_non_null(strstr(vrs_last_error(), "takes one batch size only"));
    vrs_graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listed),  cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped), cmocka_unit_test(test_two_gigabytes),
        cmocka_unit_test(test_files),   cmocka_unit_test(test_options),
        cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
