/* The network that `vrseg bench` writes: it is the one that the table is about, it can be computed,
 * and quantised it is quantised in every layer. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/bench/bench.h"
#include "graph/interpreter.h"
#include "support/temp.h"

static char folder[256];

static int make_folder(void **state)
{
    (void)state;
    temp_make(folder, sizeof(folder));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    temp_remove(folder);
    return 0;
}

static void must(vrs_status status)
{
    if (status != VRS_OK)
        fail_msg("%s: %s", vrs_status_name(status), vrs_last_error());
}

static vrs_model *write_and_load(vrs_bench_network params, const char *name)
{
    char path[512];
    vrs_model *model = NULL;
    must(vrs_bench_network_write(&params, folder, name));
    snprintf(path, sizeof(path), "%s/%s.yaml", folder, name);
    must(vrs_model_load(path, &model));
    return model;
}

/* Figures of the table: 138.4 thousand million operations, 40 million weights. */
static void test_full_size(void **state)
{
    (void)state;
    vrs_model_cost cost;
    vrs_model *model = write_and_load((vrs_bench_network){.side = 512, .width = 1}, "full");
    vrs_model_info info = vrs_model_get_info(model);
    assert_int_equal(info.input_width, 512);
    assert_int_equal(info.class_count, 2);
    must(vrs_model_count(model, &cost));
    assert_true(cost.flops > 138.0e9 && cost.flops < 139.0e9);
    assert_true(cost.weights > 40.0e6 && cost.weights < 40.8e6);
    assert_int_equal(cost.layers, 63);
    vrs_model_destroy(model);
}

/* How many convolutions there are, and how many of them read 8-bit values. */
static void count(const vrs_graph *graph, int32_t *convolutions, int32_t *quantised)
{
    vrs_quantised q;
    *convolutions = *quantised = 0;
    for (int32_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].op == VRS_OP_CONV) {
            *convolutions += 1;
            *quantised += vrs_graph_quantised(graph, i, &q) ? 1 : 0;
        }
}

/* Runs a small one on a pattern; the scores are `scores`, of 2 x 64 x 64. */
static void run(const char *name, bool quantised, float *scores)
{
    static float picture[3 * 64 * 64];
    const void *inputs[] = {picture};
    char path[512];
    vrs_graph *graph;
    vrs_interpreter *interpreter;
    int32_t convolutions, bits;
    vrs_model_destroy(write_and_load(
        (vrs_bench_network){.side = 64, .width = 1.0 / 16, .quantised = quantised}, name));
    for (int32_t i = 0; i < 3 * 64 * 64; i++)
        picture[i] = (float)(i * 7919 % 257 - 128) / 64;
    snprintf(path, sizeof(path), "%s/%s.onnx", folder, name);
    must(vrs_graph_load(path, NULL, &graph));
    count(graph, &convolutions, &bits);
    assert_int_equal(convolutions, 63);
    assert_int_equal(bits, quantised ? 63 : 0);
    must(vrs_graph_optimise(graph, VRS_PASS_ALL));
    must(vrs_interpreter_create(graph, &interpreter));
    must(vrs_interpreter_run(interpreter, 1, inputs));
    memcpy(scores, vrs_interpreter_data(interpreter, graph->outputs[0]),
           2 * 64 * 64 * sizeof(float));
    vrs_interpreter_destroy(interpreter);
    vrs_graph_destroy(graph);
}

/* Values stay of a size that half precision has, and differ from pixel to pixel. */
static void test_small(void **state)
{
    (void)state;
    static float scores[2 * 64 * 64];
    for (int quantised = 0; quantised < 2; quantised++) {
        float least = 1e30f, most = -1e30f;
        run(quantised ? "small-int8" : "small", quantised != 0, scores);
        for (size_t i = 0; i < 2 * 64 * 64; i++) {
            assert_true(scores[i] > -1000 && scores[i] < 1000); /* no NaN either */
            least = scores[i] < least ? scores[i] : least;
            most = scores[i] > most ? scores[i] : most;
        }
        assert_true(most - least > 0.05f);
    }
}

/* The compiled forms of a network are kept by its bytes. */
static void test_same_bytes(void **state)
{
    (void)state;
    static char data[2][1 << 22];
    size_t sizes[2];
    for (int i = 0; i < 2; i++) {
        char path[512];
        const vrs_bench_network params = {.side = 64, .width = 1.0 / 16, .quantised = true};
        must(vrs_bench_network_write(&params, folder, "same"));
        snprintf(path, sizeof(path), "%s/same.onnx", folder);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        sizes[i] = fread(data[i], 1, sizeof(data[i]), file);
        fclose(file);
    }
    assert_true(sizes[0] > 10000 && sizes[0] < sizeof(data[0]));
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(data[0], data[1], sizes[0]);
}

static void test_refused(void **state)
{
    (void)state;
    static char name[VRS_BENCH_PATH];
    const vrs_bench_network params = {.side = 64, .width = 1.0 / 16};
    assert_int_equal(vrs_bench_network_write(&params, "/nowhere", "x"), VRS_PERMISSION);
    assert_non_null(strstr(vrs_last_error(), "/nowhere/x.onnx: cannot be made"));
    memset(name, 'n', sizeof(name) - 1);
    assert_int_equal(vrs_bench_network_write(&params, folder, name), VRS_INVALID);
}

/* What the share of the peak is counted with. */
static void test_peak(void **state)
{
    (void)state;
    double f32 = 0, int8 = 0;
    char how[160];
    must(vrs_peak_read("cpu", "f32", &f32, how, sizeof(how)));
    assert_true(f32 > 1e9);
    assert_non_null(strstr(how, "operations a clock"));
    if (vrs_peak_read("cpu", "int8", &int8, how, sizeof(how)) == VRS_OK)
        assert_true(int8 >= 2 * f32);
    assert_int_equal(vrs_peak_read("cpu", "f16", &f32, how, sizeof(how)), VRS_UNSUPPORTED);
    assert_string_equal(how, "");
    assert_int_equal(vrs_peak_read("cpu", "f17", &f32, how, sizeof(how)), VRS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_size),  cmocka_unit_test(test_small),
        cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_peak),
    };
    return cmocka_run_group_tests_name("bench_network", tests, make_folder, remove_folder);
}
