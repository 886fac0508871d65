/* Every operator against what ONNX Runtime made of it, as it was loaded and after all passes. */
#include "graph/support.h"

/* Of the largest number of a result; what is counted is exact. */
#define TOLERANCE 2e-6

typedef struct expected {
    char name[32], dtype[16];
    vrs_value shape;
    void *data;
} expected;

typedef struct test_case {
    char name[64];
    int batch, after, count;
    expected outputs[4];
} test_case;

/* Every difference is said before the test fails. */
static int wrong;

static vrs_dtype dtype_of(const char *name)
{
    static const struct {
        const char *name;
        vrs_dtype dtype;
    } known[] = {{"float32", VRS_DTYPE_F32}, {"int64", VRS_DTYPE_I64}, {"int32", VRS_DTYPE_I32},
                 {"uint8", VRS_DTYPE_U8},    {"int8", VRS_DTYPE_I8},   {"bool", VRS_DTYPE_BOOL}};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].dtype;
    fail_msg("type %s", name);
    return VRS_DTYPE_COUNT;
}

static void read_output(FILE *text, FILE *elements, expected *output)
{
    char line[256], *rest = NULL;
    assert_non_null(fgets(line, sizeof(line), text));
    line[strcspn(line, "\n")] = '\0';
    *output = (expected){0};
    snprintf(output->name, sizeof(output->name), "%s", strtok_r(line, " ", &rest));
    snprintf(output->dtype, sizeof(output->dtype), "%s", strtok_r(NULL, " ", &rest));
    output->shape.dtype = dtype_of(output->dtype);
    for (char *word = strtok_r(NULL, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        output->shape.dims[output->shape.rank++] = strtol(word, NULL, 10);
    size_t bytes = vrs_value_bytes(&output->shape);
    output->data = malloc(bytes);
    assert_non_null(output->data);
    assert_int_equal(fread(output->data, 1, bytes, elements), bytes);
}

static bool read_case(FILE *text, FILE *elements, test_case *c)
{
    char line[256];
    if (!fgets(line, sizeof(line), text))
        return false;
    assert_int_equal(sscanf(line, "%63s %d %d %d", c->name, &c->batch, &c->after, &c->count), 4);
    assert_true(c->count <= 4);
    for (int i = 0; i < c->count; i++)
        read_output(text, elements, &c->outputs[i]);
    return true;
}

static void compare(const test_case *c, const expected *output, const vrs_value *value,
                    const void *data, const char *how)
{
    assert_int_equal(value->dtype, output->shape.dtype);
    assert_int_equal(value->rank, output->shape.rank);
    assert_memory_equal(value->dims, output->shape.dims, sizeof(value->dims));
    size_t count = vrs_value_elements(value);
    double largest = 1;
    for (size_t i = 0; i < count; i++) {
        double wanted = fabs(vrs_element_at(value->dtype, output->data, i));
        largest = isfinite(wanted) && wanted > largest ? wanted : largest;
    }
    double tolerance = value->dtype == VRS_DTYPE_F32 ? TOLERANCE * largest : 0;
    for (size_t i = 0; i < count; i++) {
        double wanted = vrs_element_at(value->dtype, output->data, i);
        double found = vrs_element_at(value->dtype, data, i);
        bool equal =
            wanted == found || (isnan(wanted) && isnan(found)) || fabs(wanted - found) <= tolerance;
        if (!equal) {
            fprintf(stderr, "%s, %s, output %s: element %zu is %.9g, ONNX Runtime has %.9g\n",
                    c->name, how, output->name, i, found, wanted);
            wrong++;
            return;
        }
    }
}

/* Each picture of a batch alone gives the same bits as in the batch. */
static void check_alone(const test_case *c, vrs_graph *graph, void *const *inputs,
                        const void *const *whole)
{
    vrs_interpreter *interpreter = NULL;
    must(vrs_interpreter_create(graph, &interpreter));
    for (int picture = 0; picture < c->batch; picture++) {
        const void *alone[MAX_INPUTS];
        must(vrs_graph_infer(graph, 1));
        for (int32_t i = 0; i < graph->input_count; i++) {
            size_t bytes = vrs_value_bytes(&graph->values[graph->inputs[i]]);
            alone[i] = (const char *)inputs[i] + (size_t)picture * bytes;
        }
        must(vrs_interpreter_run(interpreter, 1, alone));
        for (int i = 0; i < c->count; i++) {
            const vrs_value *value = &graph->values[graph->outputs[i]];
            if (value->batch_axis != 0)
                continue; /* not one part for each picture */
            size_t bytes = vrs_value_bytes(value);
            const void *found = vrs_interpreter_data(interpreter, graph->outputs[i]);
            if (memcmp(found, (const char *)whole[i] + (size_t)picture * bytes, bytes) != 0) {
                fprintf(stderr, "%s: picture %d differs from itself in a batch\n", c->name,
                        picture);
                wrong++;
            }
        }
    }
    vrs_interpreter_destroy(interpreter);
}

/* Results that take the batch size or shapes as numbers are not each picture's own. */
static bool is_own(const char *name)
{
    return strcmp(name, "shape-data") != 0 && strcmp(name, "size") != 0;
}

static void run_case(const test_case *c, uint32_t passes, const char *how)
{
    vrs_graph *graph = load_operator(c->name, passes);
    vrs_interpreter *interpreter = NULL;
    void *inputs[MAX_INPUTS];
    const void *results[4];
    must(vrs_graph_infer(graph, c->batch));
    make_inputs(graph, inputs);
    must(vrs_interpreter_create(graph, &interpreter));
    must(vrs_interpreter_run(interpreter, c->batch, (const void *const *)inputs));
    assert_int_equal(graph->output_count, c->count);
    for (int i = 0; i < c->count; i++) {
        int32_t value = graph->outputs[i];
        assert_string_equal(graph->output_names[i], c->outputs[i].name);
        assert_int_equal(vrs_graph_output(graph, c->outputs[i].name), i);
        results[i] = vrs_interpreter_data(interpreter, value);
        compare(c, &c->outputs[i], &graph->values[value], results[i], how);
    }
    if (passes == VRS_PASS_ALL && c->after != 0) {
        if (graph->node_count != c->after) {
            fprintf(stderr, "%s: %d nodes are left, not %d\n", c->name, graph->node_count,
                    c->after);
            must(vrs_graph_write(graph, stderr));
            wrong++;
        }
    }
    if (c->batch > 1 && is_own(c->name))
        check_alone(c, graph, inputs, results);
    free_inputs(graph, inputs);
    vrs_interpreter_destroy(interpreter);
    vrs_graph_destroy(graph);
}

static void test_all(void **state)
{
    (void)state;
    FILE *text = fopen(data_path("operators.txt"), "r");
    FILE *elements = fopen(data_path("operators.bin"), "rb");
    assert_non_null(text);
    assert_non_null(elements);
    test_case c = {0};
    int count = 0;
    for (; read_case(text, elements, &c); count++) {
        run_case(&c, 0, "as loaded");
        run_case(&c, VRS_PASS_ALL, "after all passes");
        for (int i = 0; i < c.count; i++)
            free(c.outputs[i].data);
    }
    assert_true(count > 150);
    assert_int_equal(fgetc(elements), EOF);
    fclose(text);
    fclose(elements);
    printf("%d networks\n", count);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
