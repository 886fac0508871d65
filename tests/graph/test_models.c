/* The interpreter on real networks, after all passes, against what ONNX Runtime made of a
 * photograph with them. One program run for each model named on the command line. */
#define _XOPEN_SOURCE 700

#include <unistd.h>

#include "engine/person.h"
#include "graph/support.h"
#include "model/model.h"
#include "support/shared.h"
#include "support/temp.h"

#define GRID 8
#define TOLERANCE 1e-4

static const char *wanted;

typedef struct record {
    char file[128];
    int frames;
    double grid[GRID][GRID];
} record;

static void read_record(record *r)
{
    char name[64] = "";
    FILE *file = fopen(data_path("models.txt"), "r");
    assert_non_null(file);
    while (strcmp(name, wanted) != 0) {
        assert_int_equal(fscanf(file, "%63s %127s %d", name, r->file, &r->frames), 3);
        for (int i = 0; i < GRID * GRID; i++)
            assert_int_equal(fscanf(file, "%lf", &r->grid[i / GRID][i % GRID]), 1);
    }
    fclose(file);
}

/* The shipped descriptor with the shared weights beside it, in a folder of their own. */
static vrs_model *load_model(const record *r, const char *folder, char *onnx, size_t size)
{
    char yaml[600], shipped[600], name[256];
    vrs_model *model = NULL;
    snprintf(name, sizeof(name), "models/%s", r->file);
    snprintf(onnx, size, "%s/%s.onnx", folder, wanted);
    snprintf(yaml, sizeof(yaml), "%s/%s.yaml", folder, wanted);
    snprintf(shipped, sizeof(shipped), "%s/models/%s.yaml", getenv("VRSEG_SOURCE_DIR"), wanted);
    assert_int_equal(symlink(shared_path(name), onnx), 0);
    assert_int_equal(symlink(shipped, yaml), 0);
    must(vrs_model_load(onnx, &model));
    return model;
}

/* As engines load it: the descriptor's size and states, and no other outputs than its own. */
static vrs_graph *load_graph(const vrs_model_spec *spec, const char *onnx)
{
    vrs_graph *graph = NULL;
    vrs_graph_shape shapes[1 + VRS_MAX_STATES] = {
        {.input = spec->input, .rank = 4, .dims = {0, 3, spec->height, spec->width}}};
    const char *outputs[1 + VRS_MAX_STATES] = {spec->output};
    if (spec->nhwc_input) {
        shapes[0] = (vrs_graph_shape){
            .input = spec->input, .rank = 4, .dims = {0, spec->height, spec->width, 3}};
    }
    for (int32_t i = 0; i < spec->state_count; i++) {
        const vrs_model_state *s = &spec->states[i];
        shapes[1 + i] = (vrs_graph_shape){
            .input = s->input,
            .rank = 4,
            .dims = {0, s->channels, spec->height / s->divisor, spec->width / s->divisor}};
        outputs[1 + i] = s->output;
    }
    vrs_graph_options options = {.shapes = shapes,
                                 .shape_count = 1 + spec->state_count,
                                 .outputs = outputs,
                                 .output_count = spec->output[0] ? 1 + spec->state_count : 0,
                                 .free_batch = true};
    must(vrs_graph_load(onnx, &options, &graph));
    must(vrs_graph_optimise(graph, VRS_PASS_ALL));
    return graph;
}

/* Probability that place (x, y) is a person. */
static double person_at(const vrs_model_spec *spec, const vrs_value *value, const float *scores,
                        int64_t x, int64_t y)
{
    bool last = spec->nhwc_output != 0;
    int64_t classes = value->dims[last ? 3 : 1], width = value->dims[last ? 2 : 3];
    int64_t height = value->dims[last ? 1 : 2], place = y * width + x;
    double sum = 0, total = 0;
    for (int64_t c = 0; c < classes; c++) {
        double score = scores[last ? place * classes + c : c * height * width + place];
        if (spec->activation == VRS_ACTIVATION_SIGMOID)
            score = 1 / (1 + exp(-score));
        else if (spec->activation != VRS_ACTIVATION_NONE)
            score = exp(score);
        total += score;
        sum += spec->person_classes >> c & 1 ? score : 0;
    }
    bool over_classes =
        spec->activation != VRS_ACTIVATION_NONE && spec->activation != VRS_ACTIVATION_SIGMOID;
    return over_classes ? sum / total : sum;
}

static void draw(const vrs_model_spec *spec, const person *photo, int frame, float *to)
{
    size_t pixels = (size_t)spec->width * (size_t)spec->height;
    uint8_t *rgb = malloc(pixels * 3);
    assert_non_null(rgb);
    person_draw(photo, spec->width, spec->height, 4 * frame, rgb);
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = 0; c < 3; c++) {
            float code = rgb[p * 3 + (spec->bgr ? 2 - c : c)];
            to[spec->nhwc_input ? p * 3 + c : c * pixels + p] =
                (code - spec->mean[c]) * spec->scale[c];
        }
    }
    free(rgb);
}

/* Runs all frames; states go back to their inputs. Returns the scores of the last. */
static const float *run(const vrs_model_spec *spec, vrs_graph *graph, vrs_interpreter *interpreter,
                        int frames, void *inputs[MAX_INPUTS])
{
    person photo;
    assert_true(person_read(data_path("person.ppm"), &photo));
    for (int frame = 0; frame < frames; frame++) {
        draw(spec, &photo, frame, inputs[vrs_graph_input(graph, spec->input)]);
        must(vrs_interpreter_run(interpreter, 1, (const void *const *)inputs));
        for (int32_t i = 0; i < spec->state_count; i++) {
            int32_t in = vrs_graph_input(graph, spec->states[i].input);
            int32_t out = graph->outputs[vrs_graph_output(graph, spec->states[i].output)];
            memcpy(inputs[in], vrs_interpreter_data(interpreter, out),
                   vrs_value_bytes(&graph->values[out]));
        }
    }
    return vrs_interpreter_data(interpreter, graph->outputs[vrs_graph_output(graph, spec->output)]);
}

static void test_model(void **state)
{
    (void)state;
    record r;
    char folder[512], onnx[600];
    void *inputs[MAX_INPUTS];
    read_record(&r);
    temp_make(folder, sizeof(folder));
    vrs_model *model = load_model(&r, folder, onnx, sizeof(onnx));
    const vrs_model_spec *spec = vrs_model_get_spec(model);
    vrs_graph *graph = load_graph(spec, onnx);
    vrs_interpreter *interpreter = NULL;
    must(vrs_interpreter_create(graph, &interpreter));
    make_inputs(graph, inputs);
    for (int32_t i = 0; i < graph->input_count; i++)
        memset(inputs[i], 0, vrs_value_bytes(&graph->values[graph->inputs[i]]));
    const float *scores = run(spec, graph, interpreter, r.frames, inputs);
    const vrs_value *value = &graph->values[graph->outputs[vrs_graph_output(graph, spec->output)]];
    int64_t height = value->dims[spec->nhwc_output ? 1 : 2];
    int64_t width = value->dims[spec->nhwc_output ? 2 : 3];
    double worst = 0;
    for (int y = 0; y < GRID; y++) {
        for (int x = 0; x < GRID; x++) {
            double found = person_at(spec, value, scores, (2 * x + 1) * width / (2 * GRID),
                                     (2 * y + 1) * height / (2 * GRID));
            worst = fmax(worst, fabs(found - r.grid[y][x]));
        }
    }
    printf("%s: %d nodes, at most %.2g from ONNX Runtime\n", wanted, graph->node_count, worst);
    assert_true(worst <= TOLERANCE);
    free_inputs(graph, inputs);
    vrs_interpreter_destroy(interpreter);
    vrs_graph_destroy(graph);
    vrs_model_destroy(model);
    temp_remove(folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    if (argc != 2) {
        fprintf(stderr, "usage: %s MODEL\n", argv[0]);
        return 2;
    }
    wanted = argv[1];
    shared_path("models");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
