#include "graph/interpreter.h"

#include <string.h>

#include "base/alloc.h"
#include "graph/own.h"

struct vrs_interpreter {
    vrs_graph *graph;
    int32_t value_count;
    void **own;        /* memory of each value that a node makes */
    size_t *own_bytes; /* its size */
    const void **data; /* of every value in the last run */
    bool ran;
};

vrs_status vrs_interpreter_create(vrs_graph *graph, vrs_interpreter **interpreter)
{
    vrs_interpreter *made = vrs_alloc(sizeof(*made));
    *interpreter = NULL;
    if (!made)
        return VRS_NO_MEMORY;
    size_t count = (size_t)graph->value_count;
    made->graph = graph;
    made->value_count = graph->value_count;
    made->own = vrs_alloc_array(count, sizeof(*made->own));
    made->own_bytes = vrs_alloc_array(count, sizeof(*made->own_bytes));
    made->data = vrs_alloc_array(count, sizeof(*made->data));
    if (!made->own || !made->own_bytes || !made->data) {
        vrs_interpreter_destroy(made);
        return VRS_NO_MEMORY;
    }
    *interpreter = made;
    return VRS_OK;
}

void vrs_interpreter_destroy(vrs_interpreter *interpreter)
{
    if (!interpreter)
        return;
    for (int32_t i = 0; interpreter->own && i < interpreter->value_count; i++)
        vrs_free(interpreter->own[i]);
    vrs_free(interpreter->own);
    vrs_free(interpreter->own_bytes);
    vrs_free(interpreter->data);
    vrs_free(interpreter);
}

/* Memory for a value that a node makes; kept for later runs where it is large enough. */
static vrs_status take_room(vrs_interpreter *interpreter, int32_t value)
{
    size_t bytes = vrs_value_bytes(&interpreter->graph->values[value]);
    if (interpreter->own_bytes[value] < bytes) {
        vrs_free(interpreter->own[value]);
        interpreter->own_bytes[value] = 0;
        interpreter->own[value] = vrs_alloc_aligned(bytes);
        if (!interpreter->own[value])
            return VRS_NO_MEMORY;
        interpreter->own_bytes[value] = bytes;
    }
    interpreter->data[value] = interpreter->own[value];
    return VRS_OK;
}

static vrs_status run_node(const vrs_graph *graph, int32_t node, const void *const *data,
                           void *const *results)
{
    const vrs_node *n = &graph->nodes[node];
    const void *inputs[VRS_GRAPH_MAX_INPUTS] = {0};
    void *outputs[VRS_GRAPH_MAX_INPUTS] = {0};
    for (int32_t i = 0; i < n->input_count; i++) {
        int32_t value = n->inputs[i];
        if (value != VRS_NO_VALUE)
            inputs[i] = data[value] ? data[value] : graph->values[value].data;
    }
    for (int32_t i = 0; i < n->output_count; i++)
        outputs[i] = results[n->outputs[i]];
    vrs_status status = vrs_node_compute(graph, n, inputs, outputs);
    return status == VRS_OK ? status : vrs_fail_at_node(graph, n, status);
}

vrs_status vrs_interpreter_begin(vrs_interpreter *interpreter, int32_t batch,
                                 const void *const *inputs)
{
    vrs_graph *graph = interpreter->graph;
    vrs_status status = graph->batch == batch ? VRS_OK : vrs_graph_infer(graph, batch);
    for (int32_t i = 0; i < graph->value_count; i++)
        interpreter->data[i] = graph->values[i].data;
    for (int32_t i = 0; i < graph->input_count; i++)
        interpreter->data[graph->inputs[i]] = inputs[i];
    interpreter->ran = status == VRS_OK;
    return status;
}

vrs_status vrs_interpreter_node(vrs_interpreter *interpreter, int32_t node)
{
    const vrs_graph *graph = interpreter->graph;
    const vrs_node *n = &graph->nodes[node];
    vrs_status status = VRS_OK;
    for (int32_t k = 0; k < n->output_count && status == VRS_OK; k++)
        status = take_room(interpreter, n->outputs[k]);
    if (status == VRS_OK)
        status = run_node(graph, node, interpreter->data, interpreter->own);
    interpreter->ran = interpreter->ran && status == VRS_OK;
    return status;
}

vrs_status vrs_interpreter_run(vrs_interpreter *interpreter, int32_t batch,
                               const void *const *inputs)
{
    vrs_status status = vrs_interpreter_begin(interpreter, batch, inputs);
    for (int32_t i = 0; i < interpreter->graph->node_count && status == VRS_OK; i++)
        status = vrs_interpreter_node(interpreter, i);
    return status;
}

const void *vrs_interpreter_data(const vrs_interpreter *interpreter, int32_t value)
{
    return interpreter->ran ? interpreter->data[value] : NULL;
}

vrs_status vrs_node_run(const vrs_graph *graph, int32_t node, void *const *data)
{
    return run_node(graph, node, (const void *const *)data, data);
}
