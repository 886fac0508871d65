/* A network in OpenVINO: read, checked against its descriptor, given its static shape and its
 * normalisation, compiled. Inferences are made of single views; see openvino.c for why. */
#ifndef VRS_ENGINE_OPENVINO_NETWORK_H
#define VRS_ENGINE_OPENVINO_NETWORK_H

#include <stdbool.h>

#include "engine/engine.h"
#include "engine/openvino/library.h"

/* A tensor of one view. */
typedef struct vrs_ov_tensor_desc {
    char *name; /* OpenVINO's text */
    int type;   /* VRS_OV_F32 or VRS_OV_U8 */
    int64_t dims[4];
    size_t bytes;
} vrs_ov_tensor_desc;

typedef struct vrs_ov_network {
    const vrs_ov_library *library;
    vrs_ov_core *core;
    vrs_ov_compiled *compiled;
    vrs_ov_tensor_desc input, output;
    int32_t state_count;
    vrs_ov_tensor_desc state_in[VRS_MAX_STATES], state_out[VRS_MAX_STATES];
    bool from_cache;
} vrs_ov_network;

/* Fills `network`, which is to be closed on success and on failure. Errors of vrs_engine_create().
 */
vrs_status vrs_ov_network_open(vrs_ov_network *network, const vrs_ov_library *library,
                               const vrs_model *model,
                               const vrs_engine_params *params) VRS_MUST_USE;
void vrs_ov_network_close(vrs_ov_network *network);

#endif
