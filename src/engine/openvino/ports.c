/* The inputs and outputs of an ONNX file against its descriptor. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/openvino/opening.h"

/* Most inputs or outputs that a message lists. */
#define LISTED 8

void vrs_ov_set_dims(vrs_ov_tensor_desc *desc, int type, const int64_t dims[4])
{
    desc->type = type;
    desc->bytes = type == VRS_OV_F32 ? sizeof(float) : 1;
    for (int i = 0; i < 4; i++) {
        desc->dims[i] = dims[i];
        desc->bytes *= (size_t)dims[i];
    }
}

void vrs_ov_describe_tensors(const vrs_ov_opening *o)
{
    vrs_ov_network *n = o->network;
    vrs_network_shapes shapes;
    vrs_network_shapes_set(o->spec, &shapes);
    vrs_ov_set_dims(&n->input, VRS_OV_F32, shapes.input.dims);
    vrs_ov_set_dims(&n->output, VRS_OV_F32, shapes.output.dims);
    n->state_count = shapes.state_count;
    for (int32_t i = 0; i < shapes.state_count; i++) {
        vrs_ov_set_dims(&n->state_in[i], VRS_OV_F32, shapes.states[i].dims);
        vrs_ov_set_dims(&n->state_out[i], VRS_OV_F32, shapes.states[i].dims);
    }
}

/* "[1,3,?,256]" */
static void shape_text(const vrs_ov_partial_shape *shape, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    bool known = shape->rank.min == shape->rank.max;
    for (int64_t i = 0; known && i < shape->rank.max && used + 24 < size; i++) {
        const vrs_ov_dimension *d = &shape->dims[i];
        const char *comma = i > 0 ? "," : "";
        if (d->min == d->max)
            used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, comma, d->max);
        else
            used += (size_t)snprintf(text + used, size - used, "%s?", comma);
    }
    snprintf(text + used, size - used, known ? "]" : "any]");
}

/* Whether a tensor of these dims fits into the shape; `exact`: the shape has no other. */
static bool shape_holds(const vrs_ov_partial_shape *shape, const int64_t dims[4], bool exact)
{
    if (shape->rank.min != shape->rank.max)
        return !exact;
    if (shape->rank.max != 4)
        return false;
    for (int i = 0; i < 4; i++) {
        const vrs_ov_dimension *d = &shape->dims[i];
        bool inside = dims[i] >= d->min && (d->max < 0 || dims[i] <= d->max);
        if (!inside || (exact && d->min != d->max))
            return false;
    }
    return true;
}

/* Checks type and shape of a port against the descriptor's. */
static vrs_status check_port(const vrs_ov_opening *o, const vrs_ov_port *port, const char *kind,
                             const vrs_ov_tensor_desc *desc, bool exact)
{
    int type = 0;
    vrs_status status =
        vrs_ov_opening_check(o, VRS_OV_TRY(o->api->ov_port_get_element_type(port, &type)),
                             VRS_ENGINE, "cannot ask a tensor's type");
    if (status != VRS_OK)
        return status;
    if (type != VRS_OV_F32)
        return vrs_network_fail_type(&o->file, kind, desc->name);
    vrs_ov_partial_shape shape = {0};
    status = vrs_ov_opening_check(o, VRS_OV_TRY(o->api->ov_port_get_partial_shape(port, &shape)),
                                  VRS_ENGINE, "cannot ask a tensor's shape");
    if (status != VRS_OK)
        return status;
    if (!shape_holds(&shape, desc->dims, exact)) {
        char found[128];
        shape_text(&shape, found, sizeof found);
        status = vrs_network_fail_shape(&o->file, kind, desc->name, found, desc->dims);
    }
    o->api->ov_partial_shape_free(&shape);
    return status;
}

/* --- inputs and outputs of the file --- */

typedef struct port_kind {
    const char *name;
    vrs_ov_code (*size)(const vrs_ov_model *, size_t *);
    vrs_ov_code (*by_index)(const vrs_ov_model *, size_t, vrs_ov_port **);
    vrs_ov_code (*by_name)(const vrs_ov_model *, const char *, vrs_ov_port **);
} port_kind;

static port_kind inputs_of(const vrs_ov_opening *o)
{
    return (port_kind){"input", o->api->ov_model_inputs_size, o->api->ov_model_const_input_by_index,
                       o->api->ov_model_const_input_by_name};
}

static port_kind outputs_of(const vrs_ov_opening *o)
{
    return (port_kind){"output", o->api->ov_model_outputs_size,
                       o->api->ov_model_const_output_by_index,
                       o->api->ov_model_const_output_by_name};
}

/* "a, b, c" of the file's inputs or outputs. */
static void list_names(const vrs_ov_opening *o, const port_kind *kind, size_t count, char *text,
                       size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < count && i < LISTED; i++) {
        vrs_ov_port *port = NULL;
        char *name = NULL;
        if (VRS_OV_TRY(kind->by_index(o->model, i, &port)) == 0 &&
            VRS_OV_TRY(o->api->ov_port_get_any_name(port, &name)) == 0 && used + 1 < size)
            used += (size_t)snprintf(text + used, size - used, "%s\"%s\"", i ? ", " : "", name);
        o->api->ov_free(name);
        if (port)
            o->api->ov_output_const_port_free(port);
    }
}

static vrs_status fail_names(const vrs_ov_opening *o, const port_kind *kind, size_t count,
                             const char *wanted)
{
    char names[256];
    list_names(o, kind, count, names, sizeof names);
    return vrs_network_fail_name(&o->file, kind->name, wanted, count, names);
}

/* Finds `wanted` ("": the only one, `single` says whether there is only one), checks it and keeps
 * its name. */
static vrs_status find_port(const vrs_ov_opening *o, const port_kind *kind, const char *wanted,
                            bool single, bool exact, vrs_ov_tensor_desc *desc)
{
    size_t count = 0;
    vrs_status status = vrs_ov_opening_check(o, VRS_OV_TRY(kind->size(o->model, &count)),
                                             VRS_ENGINE, "cannot count the network's tensors");
    if (status != VRS_OK)
        return status;
    vrs_ov_port *port = NULL;
    vrs_ov_code code;
    if (*wanted)
        code = VRS_OV_TRY(kind->by_name(o->model, wanted, &port));
    else if (single && count == 1)
        code = VRS_OV_TRY(kind->by_index(o->model, 0, &port));
    else
        return fail_names(o, kind, count, wanted);
    if (code == VRS_OV_INJECTED)
        return vrs_ov_opening_check(o, code, VRS_ENGINE, "cannot look a tensor up");
    if (code != 0)
        return fail_names(o, kind, count, wanted);
    if (!desc->name) {
        status =
            vrs_ov_opening_check(o, VRS_OV_TRY(o->api->ov_port_get_any_name(port, &desc->name)),
                                 VRS_INVALID, "cannot ask a tensor's name");
    }
    if (status == VRS_OK)
        status = check_port(o, port, kind->name, desc, exact);
    o->api->ov_output_const_port_free(port);
    return status;
}

vrs_status vrs_ov_find_inputs(const vrs_ov_opening *o)
{
    vrs_ov_network *n = o->network;
    const vrs_model_spec *s = o->spec;
    port_kind kind = inputs_of(o);
    size_t count = 0;
    vrs_status status = vrs_ov_opening_check(o, VRS_OV_TRY(kind.size(o->model, &count)), VRS_ENGINE,
                                             "cannot count the network's inputs");
    if (status == VRS_OK)
        status = find_port(o, &kind, s->input, s->state_count == 0, false, &n->input);
    for (int32_t i = 0; status == VRS_OK && i < s->state_count; i++)
        status = find_port(o, &kind, s->states[i].input, false, false, &n->state_in[i]);
    if (status == VRS_OK && count != 1 + (size_t)s->state_count) {
        char names[256];
        list_names(o, &kind, count, names, sizeof names);
        status = vrs_network_fail_inputs(&o->file, count, names, 1 + s->state_count);
    }
    return status;
}

vrs_status vrs_ov_find_outputs(const vrs_ov_opening *o)
{
    vrs_ov_network *n = o->network;
    const vrs_model_spec *s = o->spec;
    port_kind kind = outputs_of(o);
    vrs_status status = find_port(o, &kind, s->output, s->state_count == 0, true, &n->output);
    for (int32_t i = 0; status == VRS_OK && i < s->state_count; i++)
        status = find_port(o, &kind, s->states[i].output, false, true, &n->state_out[i]);
    return status;
}

vrs_status vrs_ov_fix_shapes(const vrs_ov_opening *o)
{
    vrs_ov_network *n = o->network;
    const char *names[1 + VRS_MAX_STATES];
    vrs_ov_dimension dims[1 + VRS_MAX_STATES][4];
    vrs_ov_partial_shape shapes[1 + VRS_MAX_STATES];
    size_t count = 1 + (size_t)n->state_count;
    for (size_t i = 0; i < count; i++) {
        const vrs_ov_tensor_desc *desc = i == 0 ? &n->input : &n->state_in[i - 1];
        names[i] = desc->name;
        for (int d = 0; d < 4; d++)
            dims[i][d] = (vrs_ov_dimension){desc->dims[d], desc->dims[d]};
        shapes[i] = (vrs_ov_partial_shape){{4, 4}, dims[i]};
    }
    return vrs_ov_opening_check(
        o, VRS_OV_TRY(o->api->ov_model_reshape(o->model, names, shapes, count)), VRS_INVALID,
        "cannot be used at the descriptor's size");
}
