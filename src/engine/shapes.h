/* The tensors of an ONNX file as its descriptor says they are: what the engines that run the file
 * as it stands check it against, and what they tell the pipeline. */
#ifndef VRS_ENGINE_SHAPES_H
#define VRS_ENGINE_SHAPES_H

#include "engine/engine.h"

/* Of one view; floats. */
typedef struct vrs_view_shape {
    int64_t dims[4]; /* the first is 1 */
    size_t elements;
} vrs_view_shape;

typedef struct vrs_network_shapes {
    vrs_view_shape input, output;
    int32_t state_count;
    vrs_view_shape states[VRS_MAX_STATES]; /* of their inputs and of their outputs */
} vrs_network_shapes;

void vrs_network_shapes_set(const vrs_model_spec *spec, vrs_network_shapes *shapes);

/* What goes in and comes out, where the engine takes the file's own floats. */
void vrs_network_io_set(const vrs_model_spec *spec, const vrs_network_shapes *shapes,
                        vrs_engine_io *io);

/* "[1,3,?,256]", cut where `size` ends; a dimension below 0 is unknown. */
void vrs_shape_text(const int64_t *dims, size_t count, char *text, size_t size);

#endif
