/* How a model's ONNX file is read as a graph: with the shapes that its descriptor fixes where the
 * file leaves them open, and without what only other outputs need. */
#ifndef VRS_ENGINE_NETWORK_GRAPH_H
#define VRS_ENGINE_NETWORK_GRAPH_H

#include "graph/graph.h"
#include "model/model.h"

/* Points into itself and into the spec: it stays where it was filled, and the spec outlives it. */
typedef struct vrs_network_options {
    vrs_graph_shape shapes[1 + VRS_MAX_STATES];
    const char *outputs[1 + VRS_MAX_STATES];
    vrs_graph_options options; /* for vrs_graph_load() and its neighbours */
} vrs_network_options;

void vrs_network_options_set(const vrs_model_spec *spec, vrs_network_options *options);

#endif
