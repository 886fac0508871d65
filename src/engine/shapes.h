/* The tensors of an ONNX file as its descriptor says they are: what the engines that run the file
 * as it stands check it against, what they say where it differs, and what they tell the pipeline.
 */
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

/* For the sentences of failures; borrowed. */
typedef struct vrs_network_file {
    const char *path, *descriptor;
} vrs_network_file;

/* VRS_INVALID with the sentence. `kind` is "input" or "output", of which the file has `count`,
 * their names listed in `names`. */

/* There is none of the name `wanted`; "": there is not just one. */
vrs_status vrs_network_fail_name(const vrs_network_file *file, const char *kind, const char *wanted,
                                 size_t count, const char *names) VRS_MUST_USE;

/* There are not as many inputs as the descriptor names. */
vrs_status vrs_network_fail_inputs(const vrs_network_file *file, size_t count, const char *names,
                                   int32_t described) VRS_MUST_USE;

/* The tensor `name` is not of floats. */
vrs_status vrs_network_fail_type(const vrs_network_file *file, const char *kind,
                                 const char *name) VRS_MUST_USE;

/* It has the shape `found`, not `wanted`. */
vrs_status vrs_network_fail_shape(const vrs_network_file *file, const char *kind, const char *name,
                                  const char *found, const int64_t wanted[4]) VRS_MUST_USE;

#endif
