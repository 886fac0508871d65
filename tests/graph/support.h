/* What the graph's tests share: files of tests/data, input data, running. */
#ifndef TESTS_GRAPH_SUPPORT_H
#define TESTS_GRAPH_SUPPORT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/interpreter.h"
#include "support/inject.h"

static inline const char *data_path(const char *name)
{
    static char path[4096];
    const char *source = getenv("VRSEG_SOURCE_DIR");
    snprintf(path, sizeof(path), "%s/tests/data/%s", source ? source : ".", name);
    return path;
}

static inline void must(vrs_status status)
{
    if (status != VRS_OK)
        fail_msg("%s: %s", vrs_status_name(status), vrs_last_error());
}

/* The networks that make_operators.py made, by their names there. */
static inline vrs_graph *load_operator(const char *name, uint32_t passes)
{
    char file[256];
    vrs_graph *graph = NULL;
    snprintf(file, sizeof(file), "operators/%s.onnx", name);
    must(vrs_graph_load(data_path(file), NULL, &graph));
    must(vrs_graph_optimise(graph, passes));
    return graph;
}

/* The numbers of make_operators.py's pattern(). */
static inline void fill_pattern(const vrs_value *value, int32_t which, void *data)
{
    for (int64_t i = 0; i < (int64_t)vrs_value_elements(value); i++) {
        int64_t number = (i * 7919 + 131 * which) % 257;
        switch (value->dtype) {
        case VRS_DTYPE_F32:
            ((float *)data)[i] = (float)(number - 128) / 64;
            break;
        case VRS_DTYPE_U8:
            ((uint8_t *)data)[i] = (uint8_t)(number % 256);
            break;
        case VRS_DTYPE_I8:
            ((int8_t *)data)[i] = (int8_t)(number % 255 - 127);
            break;
        case VRS_DTYPE_BOOL:
            ((uint8_t *)data)[i] = number % 2 == 1;
            break;
        case VRS_DTYPE_I32:
            ((int32_t *)data)[i] = (int32_t)(number % 7 - 3);
            break;
        default:
            ((int64_t *)data)[i] = number % 7 - 3;
        }
    }
}

#define MAX_INPUTS 8

/* Data of all inputs for the batch of the last inference; freed by free_inputs(). */
static inline void make_inputs(const vrs_graph *graph, void *inputs[MAX_INPUTS])
{
    assert_true(graph->input_count <= MAX_INPUTS);
    for (int32_t i = 0; i < graph->input_count; i++) {
        const vrs_value *value = &graph->values[graph->inputs[i]];
        inputs[i] = malloc(vrs_value_bytes(value));
        assert_non_null(inputs[i]);
        fill_pattern(value, i, inputs[i]);
    }
}

static inline void free_inputs(const vrs_graph *graph, void *inputs[MAX_INPUTS])
{
    for (int32_t i = 0; i < graph->input_count; i++)
        free(inputs[i]);
}

#endif
