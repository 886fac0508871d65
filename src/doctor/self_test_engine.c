/* The tiny network on the engines of the CPU, beside the interpreter. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "doctor/self_test.h"
#include "engine/engine.h"
#include "graph/graph.h"
#include "graph/interpreter.h"
#include "model/model.h"

#define BATCH 2
#define PIXELS (VRS_TINY_WIDTH * VRS_TINY_HEIGHT)

/* Pictures in, and what plain C makes of them. */
typedef struct expectation {
    float input[BATCH][3][PIXELS];
    float scores[BATCH][PIXELS];
} expectation;

static void fill_input(expectation *e)
{
    uint32_t state = 12345;
    for (size_t i = 0; i < sizeof(e->input) / sizeof(float); i++) {
        state = state * 1664525U + 1013904223U;
        (&e->input[0][0][0])[i] = (float)(state >> 16) / 65535.0F;
    }
}

static vrs_status interpret(const char *path, expectation *e)
{
    vrs_graph *graph = NULL;
    vrs_interpreter *interpreter = NULL;
    const void *inputs[] = {e->input};
    vrs_status status = vrs_graph_load(path, NULL, &graph);
    if (status == VRS_OK)
        status = vrs_interpreter_create(graph, &interpreter);
    if (status == VRS_OK)
        status = vrs_interpreter_run(interpreter, BATCH, inputs);
    if (status == VRS_OK)
        memcpy(e->scores, vrs_interpreter_data(interpreter, graph->outputs[0]), sizeof(e->scores));
    vrs_interpreter_destroy(interpreter);
    vrs_graph_destroy(graph);
    return status;
}

/* Floats in the layout that the engine asks for. */
static vrs_status feed(const vrs_engine_io *io, vrs_request *request, const expectation *e)
{
    bool planes = io->tensor == VRS_TENSOR_F32_NCHW;
    if (!planes && io->tensor != VRS_TENSOR_F32_NHWC) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "the engine asks for a tensor of kind %d where floats "
                        "were wanted",
                        (int)io->tensor);
    }
    int32_t channels = io->channels > 3 ? io->channels : 3;
    for (int32_t v = 0; v < BATCH; v++) {
        float *input = vrs_request_input(request, v);
        for (int32_t p = 0; p < PIXELS; p++)
            for (int32_t c = 0; c < 3; c++)
                input[planes ? c * PIXELS + p : p * channels + c] = e->input[v][c][p];
    }
    return VRS_OK;
}

static vrs_status compare(const vrs_engine_io *io, const vrs_request *request, const expectation *e)
{
    for (int32_t v = 0; v < BATCH; v++) {
        const float *scores = vrs_request_scores(request, v);
        for (int32_t p = 0; p < PIXELS; p++) {
            float got = scores[p / VRS_TINY_WIDTH * io->row_stride +
                               p % VRS_TINY_WIDTH * io->column_stride];
            if (!(fabsf(got - e->scores[v][p]) <= 1e-4F)) {
                return vrs_fail(VRS_ENGINE, "picture %d, pixel %d: %.7g, plain C has %.7g", v, p,
                                (double)got, (double)e->scores[v][p]);
            }
        }
    }
    return VRS_OK;
}

static vrs_status run_engine(const char *name, const vrs_model *model, const expectation *e,
                             char *description, size_t size)
{
    static const vrs_engine_params params = {.requests = 1,
                                             .threads = 1,
                                             .max_batch = BATCH,
                                             .precision = VRS_PRECISION_F32,
                                             .float_input = true};
    vrs_engine *engine;
    vrs_status status = vrs_engine_create(name, model, &params, &engine);
    if (status != VRS_OK)
        return status;
    (void)snprintf(description, size, "%s", vrs_engine_describe(engine));
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    vrs_request *request = vrs_engine_request(engine, 0);
    status = feed(io, request, e);
    if (status == VRS_OK)
        status = vrs_request_start(request, BATCH, NULL, NULL);
    if (status == VRS_OK)
        status = vrs_request_wait(request);
    if (status == VRS_OK)
        status = compare(io, request, e);
    vrs_engine_destroy(engine);
    return status;
}

/* An engine that is not installed is skipped; one that computes something else has failed. */
static void test_engine(const vrs_checker *to, const char *engine, const vrs_model *model,
                        const expectation *e)
{
    char name[64], description[256] = "";
    (void)snprintf(name, sizeof(name), "%s network", engine);
    const vrs_check_words words = {
        .name = name,
        .wanted = "the results of plain C",
        .gives = "right masks",
        .remedy = "run `make setup` in vrseg's source folder to get the engine again; meanwhile "
                  "choose another one by --engine"};
    vrs_status status = run_engine(engine, model, e, description, sizeof(description));
    if (status == VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_OK, true, "%s: a tiny network agrees", description);
    } else {
        bool absent = status == VRS_MISSING;
        vrs_check_tell(to, &words, absent ? VRS_CHECK_SKIPPED : VRS_CHECK_FAILED, !absent, "%s",
                       vrs_last_error());
    }
}

vrs_status vrs_self_test_engines(const vrs_checker *to, const char *descriptor)
{
    static const vrs_check_words words = {.name = "plain C network",
                                          .wanted = "a network that can be computed",
                                          .gives = "what engines are compared with",
                                          .remedy = "report it with `vrseg doctor --json`"};
    vrs_model *model = NULL;
    expectation *e = vrs_alloc(sizeof(*e));
    if (e == NULL)
        return VRS_NO_MEMORY;
    fill_input(e);
    vrs_status status = vrs_model_load(descriptor, &model);
    if (status == VRS_OK)
        status = interpret(vrs_model_get_info(model).weights_path, e);
    if (status == VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_OK, true, "a tiny network of 10 nodes runs");
        test_engine(to, "openvino", model, e);
        test_engine(to, "onnxruntime", model, e);
    } else if (status != VRS_NO_MEMORY) {
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s", vrs_last_error());
        status = VRS_OK;
    }
    vrs_model_destroy(model);
    vrs_free(e);
    return status;
}
