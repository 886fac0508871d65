#include "engine/quantised.h"

#include "engine/cpu.h"
#include "engine/shapes.h"
#include "graph/graph.h"

static void set_shape(vrs_graph_shape *shape, const char *input, const vrs_view_shape *view)
{
    *shape = (vrs_graph_shape){.input = input, .rank = 4};
    for (int i = 0; i < 4; i++) {
        shape->dims[i] = view->dims[i];
    }
}

/* The file at the descriptor's size. */
static vrs_status load(const vrs_model *model, vrs_graph **graph)
{
    const vrs_model_spec *spec = vrs_model_get_spec(model);
    vrs_network_shapes shapes;
    vrs_graph_shape inputs[1 + VRS_MAX_STATES];
    vrs_network_shapes_set(spec, &shapes);
    set_shape(&inputs[0], spec->input, &shapes.input);
    for (int32_t i = 0; i < spec->state_count; i++) {
        set_shape(&inputs[1 + i], spec->states[i].input, &shapes.states[i]);
    }
    const vrs_graph_options options = {.shapes = inputs, .shape_count = 1 + spec->state_count};
    return vrs_graph_load(vrs_model_get_info(model).weights_path, &options, graph);
}

vrs_status vrs_check_int8(const vrs_model *model, vrs_precision precision)
{
    if (precision == VRS_PRECISION_INT8 && !vrs_cpu_has_int8()) {
        return vrs_fail(VRS_UNSUPPORTED, "this CPU has no INT8 arithmetic (AVX-512 VNNI, AVX-VNNI "
                                         "or AMX); use precision f32");
    }
    return vrs_check_quantised(model, precision);
}

vrs_status vrs_check_quantised(const vrs_model *model, vrs_precision precision)
{
    if (precision != VRS_PRECISION_INT8) {
        return VRS_OK;
    }
    vrs_graph *graph = NULL;
    vrs_status status = load(model, &graph);
    if (status != VRS_OK) {
        return status;
    }
    bool found = false;
    for (int32_t i = 0; i < graph->node_count; i++) {
        found = found || graph->nodes[i].op == VRS_OP_QUANTIZE;
    }
    vrs_graph_destroy(graph);
    return found ? VRS_OK
                 : vrs_fail(VRS_INVALID,
                            "%s: has no quantised layer, so nothing of it can run in INT8; make "
                            "such a file with vrseg-quantize, or use another precision",
                            vrs_model_get_info(model).weights_path);
}
