#include "engine/shapes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static vrs_view_shape planes(bool nhwc, int64_t channels, int64_t height, int64_t width)
{
    vrs_view_shape nchw_shape = {{1, channels, height, width}, 0};
    vrs_view_shape nhwc_shape = {{1, height, width, channels}, 0};
    vrs_view_shape shape = nhwc ? nhwc_shape : nchw_shape;
    shape.elements = (size_t)channels * (size_t)height * (size_t)width;
    return shape;
}

void vrs_network_shapes_set(const vrs_model_spec *spec, vrs_network_shapes *shapes)
{
    *shapes = (vrs_network_shapes){.state_count = spec->state_count};
    shapes->input = planes(spec->nhwc_input, 3, spec->height, spec->width);
    shapes->output = planes(spec->nhwc_output, spec->classes,
                            spec->output_height ? spec->output_height : spec->height,
                            spec->output_width ? spec->output_width : spec->width);
    for (int32_t i = 0; i < spec->state_count; i++) {
        const vrs_model_state *state = &spec->states[i];
        int64_t height = (spec->height + state->divisor - 1) / state->divisor;
        int64_t width = (spec->width + state->divisor - 1) / state->divisor;
        shapes->states[i] = planes(false, state->channels, height, width);
    }
}

void vrs_network_io_set(const vrs_model_spec *spec, const vrs_network_shapes *shapes,
                        vrs_engine_io *io)
{
    const int64_t *dims = shapes->output.dims;
    bool last = spec->nhwc_output;
    *io = (vrs_engine_io){.state_count = shapes->state_count, .enlarge = 1};
    io->scores_type = VRS_TENSOR_F32;
    io->tensor = spec->nhwc_input ? VRS_TENSOR_F32_NHWC : VRS_TENSOR_F32_NCHW;
    io->input_bytes = shapes->input.elements * sizeof(float);
    io->scores_elements = shapes->output.elements;
    io->classes = (int32_t)(last ? dims[3] : dims[1]);
    io->scores_height = (int32_t)(last ? dims[1] : dims[2]);
    io->scores_width = (int32_t)(last ? dims[2] : dims[3]);
    io->column_stride = last ? io->classes : 1;
    io->row_stride = io->column_stride * io->scores_width;
    io->class_stride = last ? 1 : io->row_stride * io->scores_height;
    for (int32_t i = 0; i < shapes->state_count; i++)
        io->states[i].elements = shapes->states[i].elements;
}

void vrs_shape_text(const int64_t *dims, size_t count, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (size_t i = 0; i < count && used + 24 < size; i++) {
        const char *comma = i > 0 ? "," : "";
        if (dims[i] < 0)
            used += (size_t)snprintf(text + used, size - used, "%s?", comma);
        else
            used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, comma, dims[i]);
    }
    snprintf(text + used, size - used, "]");
}

vrs_status vrs_network_fail_name(const vrs_network_file *file, const char *kind, const char *wanted,
                                 size_t count, const char *names)
{
    if (*wanted) {
        return vrs_fail(VRS_INVALID,
                        "%s: has no %s \"%s\", which the descriptor %s names; it has "
                        "%s",
                        file->path, kind, wanted, file->descriptor, names);
    }
    return vrs_fail(VRS_INVALID, "%s: has %zu %ss (%s); the descriptor %s must say which is meant",
                    file->path, count, kind, names, file->descriptor);
}

vrs_status vrs_network_fail_inputs(const vrs_network_file *file, size_t count, const char *names,
                                   int32_t described)
{
    return vrs_fail(VRS_INVALID, "%s: has %zu inputs (%s), but the descriptor %s names %d",
                    file->path, count, names, file->descriptor, described);
}

vrs_status vrs_network_fail_type(const vrs_network_file *file, const char *kind, const char *name)
{
    return vrs_fail(VRS_INVALID,
                    "%s: the %s \"%s\" is not of 32-bit floats; vrseg runs "
                    "networks with float32 inputs and outputs",
                    file->path, kind, name);
}

vrs_status vrs_network_fail_shape(const vrs_network_file *file, const char *kind, const char *name,
                                  const char *found, const int64_t wanted[4])
{
    char text[128];
    vrs_shape_text(wanted, 4, text, sizeof text);
    return vrs_fail(VRS_INVALID,
                    "%s: the %s \"%s\" has the shape %s, but the descriptor %s "
                    "says %s",
                    file->path, kind, name, found, file->descriptor, text);
}
