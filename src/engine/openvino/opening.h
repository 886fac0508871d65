/* A network on its way from the file to the compiled form; private to network.c, ports.c and
 * normalise.c. */
#ifndef VRS_ENGINE_OPENVINO_OPENING_H
#define VRS_ENGINE_OPENVINO_OPENING_H

#include "engine/openvino/network.h"
#include "engine/shapes.h"

typedef struct vrs_ov_opening {
    vrs_ov_network *network;
    const vrs_ov_api *api;
    const vrs_model_spec *spec;
    const vrs_engine_params *params;
    vrs_network_file file;
    vrs_ov_model *model;
} vrs_ov_opening;

/* vrs_ov_check() with the weights' path in front. */
vrs_status vrs_ov_opening_check(const vrs_ov_opening *o, vrs_ov_code code, vrs_status status,
                                const char *what) VRS_MUST_USE;

/* Sets type, shape and size of a tensor. */
void vrs_ov_set_dims(vrs_ov_tensor_desc *desc, int type, const int64_t dims[4]);

/* Fills the network's tensors with what the descriptor says of the ONNX file's own. */
void vrs_ov_describe_tensors(const vrs_ov_opening *o);

/* Finds the described inputs and outputs in the model, checks type and shape and keeps their names.
 * VRS_INVALID: what the file has and what the descriptor says. */
vrs_status vrs_ov_find_inputs(const vrs_ov_opening *o) VRS_MUST_USE;
vrs_status vrs_ov_find_outputs(const vrs_ov_opening *o) VRS_MUST_USE;

/* Gives every input its static shape. */
vrs_status vrs_ov_fix_shapes(const vrs_ov_opening *o) VRS_MUST_USE;

/* Puts the normalisation into the graph: the input becomes bytes, R G B, NHWC. */
vrs_status vrs_ov_take_bytes(vrs_ov_opening *o) VRS_MUST_USE;

#endif
