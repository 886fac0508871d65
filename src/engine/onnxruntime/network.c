#include "engine/onnxruntime/network.h"

#include <stdio.h>
#include <string.h>

/* Most inputs or outputs that a message lists, and most dimensions of a tensor. */
#define LISTED 8
#define MAX_RANK 8

/* A network on its way; `found` and `settled` gather what the tensors say. */
typedef struct opening {
    vrs_ort_network *network;
    const OrtApi *api;
    const vrs_model_spec *spec;
    vrs_network_file file;
} opening;

/* Inputs or outputs of a session. */
typedef struct port_kind {
    const char *name;
    OrtStatus *(*count)(const OrtSession *, size_t *);
    OrtStatus *(*get_name)(const OrtSession *, size_t, OrtAllocator *, char **);
    OrtStatus *(*get_type)(const OrtSession *, size_t, OrtTypeInfo **);
} port_kind;

static port_kind inputs_of(const opening *o)
{
    return (port_kind){"input", o->api->SessionGetInputCount, o->api->SessionGetInputName,
                       o->api->SessionGetInputTypeInfo};
}

static port_kind outputs_of(const opening *o)
{
    return (port_kind){"output", o->api->SessionGetOutputCount, o->api->SessionGetOutputName,
                       o->api->SessionGetOutputTypeInfo};
}

static vrs_status check(const opening *o, OrtStatus *result, vrs_status status, const char *what)
{
    char text[VRS_DETAIL_SIZE];
    snprintf(text, sizeof text, "%s: %s", o->file.path, what);
    return vrs_ort_check(o->network->library, result, status, text);
}

static void free_name(const vrs_ort_library *library, char *name)
{
    if (name)
        vrs_ort_ignore(library, library->api->AllocatorFree(library->allocator, name));
}

/* --- names --- */

static vrs_status get_name(const opening *o, const port_kind *kind, size_t index, char **name)
{
    const vrs_ort_network *n = o->network;
    *name = NULL;
    return check(o, VRS_ORT_TRY(kind->get_name(n->session, index, n->library->allocator, name)),
                 VRS_ENGINE, "cannot ask a tensor's name");
}

/* "a, b, c" of the file's inputs or outputs. */
static void list_names(const opening *o, const port_kind *kind, size_t count, char *text,
                       size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < count && i < LISTED; i++) {
        char *name = NULL;
        if (get_name(o, kind, i, &name) == VRS_OK && used + 1 < size)
            used += (size_t)snprintf(text + used, size - used, "%s\"%s\"", i ? ", " : "", name);
        free_name(o->network->library, name);
    }
}

static vrs_status fail_names(const opening *o, const port_kind *kind, size_t count,
                             const char *wanted)
{
    char names[256];
    list_names(o, kind, count, names, sizeof names);
    return vrs_network_fail_name(&o->file, kind->name, wanted, count, names);
}

/* Finds the tensor of that name; `*index` is `count` where there is none. */
static vrs_status find_name(const opening *o, const port_kind *kind, size_t count,
                            const char *wanted, size_t *index)
{
    for (*index = 0; *index < count; (*index)++) {
        char *name = NULL;
        vrs_status status = get_name(o, kind, *index, &name);
        bool same = status == VRS_OK && strcmp(name, wanted) == 0;
        free_name(o->network->library, name);
        if (status != VRS_OK || same)
            return status;
    }
    return VRS_OK;
}

/* --- shapes --- */

typedef struct port_shape {
    ONNXTensorElementDataType type;
    size_t rank; /* 0: the file says nothing of it */
    int64_t dims[MAX_RANK];
} port_shape;

static OrtStatus *read_shape(const OrtApi *api, const OrtTypeInfo *info, port_shape *shape)
{
    const OrtTensorTypeAndShapeInfo *tensor = NULL;
    OrtStatus *result = VRS_ORT_TRY(api->CastTypeInfoToTensorInfo(info, &tensor));
    if (result || !tensor) /* a sequence or a map */
        return result;
    result = VRS_ORT_TRY(api->GetTensorElementType(tensor, &shape->type));
    if (!result)
        result = VRS_ORT_TRY(api->GetDimensionsCount(tensor, &shape->rank));
    if (!result && shape->rank > 0 && shape->rank <= MAX_RANK)
        result = VRS_ORT_TRY(api->GetDimensions(tensor, shape->dims, shape->rank));
    return result;
}

static vrs_status get_shape(const opening *o, const port_kind *kind, size_t index,
                            port_shape *shape)
{
    OrtTypeInfo *info = NULL;
    *shape = (port_shape){.type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED};
    OrtStatus *result = VRS_ORT_TRY(kind->get_type(o->network->session, index, &info));
    if (!result)
        result = read_shape(o->api, info, shape);
    if (info)
        o->api->ReleaseTypeInfo(info);
    return check(o, result, VRS_ENGINE, "cannot ask a tensor's type and shape");
}

/* Checks type and shape of a tensor against the descriptor's, and notes what is left open. */
static vrs_status check_port(const opening *o, const port_kind *kind, size_t index,
                             const vrs_ort_tensor *tensor)
{
    port_shape shape;
    vrs_status status = get_shape(o, kind, index, &shape);
    if (status != VRS_OK)
        return status;
    if (shape.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT)
        return vrs_network_fail_type(&o->file, kind->name, tensor->name);
    bool fits = shape.rank == 4 || shape.rank == 0;
    for (size_t i = 0; i < 4 && shape.rank == 4; i++) {
        fits = fits && (shape.dims[i] < 0 || shape.dims[i] == tensor->shape.dims[i]);
        o->network->settled = o->network->settled && (i == 0 || shape.dims[i] >= 0);
    }
    if (!fits) {
        char found[128];
        vrs_shape_text(shape.dims, shape.rank < MAX_RANK ? shape.rank : MAX_RANK, found,
                       sizeof found);
        return vrs_network_fail_shape(&o->file, kind->name, tensor->name, found,
                                      tensor->shape.dims);
    }
    o->network->settled = o->network->settled && shape.rank == 4;
    o->network->free_batch = o->network->free_batch && shape.rank == 4 && shape.dims[0] < 0;
    return VRS_OK;
}

/* Finds `wanted` ("": the only one, `single` says whether there is only one), keeps its name and
 * checks it. */
static vrs_status find_port(const opening *o, const port_kind *kind, size_t count,
                            const char *wanted, bool single, const vrs_view_shape *shape,
                            vrs_ort_tensor *tensor)
{
    size_t index = 0;
    vrs_status status = VRS_OK;
    tensor->shape = *shape;
    tensor->name = wanted;
    if (*wanted) {
        status = find_name(o, kind, count, wanted, &index);
    } else if (single && count == 1) {
        status = get_name(o, kind, 0, &tensor->own_name);
        tensor->name = tensor->own_name;
    } else {
        index = count;
    }
    if (status == VRS_OK && index == count)
        status = fail_names(o, kind, count, wanted);
    return status == VRS_OK ? check_port(o, kind, index, tensor) : status;
}

static vrs_status count_ports(const opening *o, const port_kind *kind, size_t *count)
{
    return check(o, VRS_ORT_TRY(kind->count(o->network->session, count)), VRS_ENGINE,
                 "cannot count the network's tensors");
}

static vrs_status find_inputs(const opening *o)
{
    vrs_ort_network *n = o->network;
    const vrs_model_spec *s = o->spec;
    port_kind kind = inputs_of(o);
    size_t count = 0;
    vrs_status status = count_ports(o, &kind, &count);
    if (status == VRS_OK) {
        status =
            find_port(o, &kind, count, s->input, s->state_count == 0, &n->shapes.input, &n->input);
    }
    for (int32_t i = 0; status == VRS_OK && i < s->state_count; i++) {
        status = find_port(o, &kind, count, s->states[i].input, false, &n->shapes.states[i],
                           &n->state_in[i]);
    }
    if (status == VRS_OK && count != 1 + (size_t)s->state_count) {
        char names[256];
        list_names(o, &kind, count, names, sizeof names);
        status = vrs_network_fail_inputs(&o->file, count, names, 1 + s->state_count);
    }
    return status;
}

static vrs_status find_outputs(const opening *o)
{
    vrs_ort_network *n = o->network;
    const vrs_model_spec *s = o->spec;
    port_kind kind = outputs_of(o);
    size_t count = 0;
    vrs_status status = count_ports(o, &kind, &count);
    if (status == VRS_OK) {
        status = find_port(o, &kind, count, s->output, s->state_count == 0, &n->shapes.output,
                           &n->output);
    }
    for (int32_t i = 0; status == VRS_OK && i < s->state_count; i++) {
        status = find_port(o, &kind, count, s->states[i].output, false, &n->shapes.states[i],
                           &n->state_out[i]);
    }
    return status;
}

vrs_status vrs_ort_network_open(vrs_ort_network *network, const vrs_ort_library *library,
                                const vrs_model *model, const OrtSessionOptions *options)
{
    vrs_model_info info = vrs_model_get_info(model);
    *network = (vrs_ort_network){.library = library, .free_batch = true, .settled = true};
    opening o = {.network = network,
                 .api = library->api,
                 .spec = vrs_model_get_spec(model),
                 .file = {info.weights_path, info.descriptor_path}};
    vrs_network_shapes_set(o.spec, &network->shapes);
    network->state_count = network->shapes.state_count;
    network->free_batch = o.spec->fixed_batch != 1;
    vrs_status status = check(
        &o,
        VRS_ORT_TRY(o.api->CreateSession(library->env, o.file.path, options, &network->session)),
        VRS_ENGINE, "cannot be opened as a network");
    if (status == VRS_OK)
        status = find_inputs(&o);
    if (status == VRS_OK)
        status = find_outputs(&o);
    return status;
}

void vrs_ort_network_close(vrs_ort_network *network)
{
    if (!network->library)
        return;
    free_name(network->library, network->input.own_name);
    free_name(network->library, network->output.own_name);
    if (network->session)
        network->library->api->ReleaseSession(network->session);
    *network = (vrs_ort_network){0};
}

vrs_status vrs_ort_bind(const vrs_ort_library *library, OrtIoBinding *binding, vrs_ort_bind_fn bind,
                        const vrs_ort_tensor *tensor, int32_t views, const OrtMemoryInfo *where,
                        void *at)
{
    const int64_t *d = tensor->shape.dims;
    const int64_t dims[4] = {views, d[1], d[2], d[3]};
    size_t bytes = (size_t)views * tensor->shape.elements * sizeof(float);
    OrtValue *value = NULL;
    OrtStatus *result = VRS_ORT_TRY(library->api->CreateTensorWithDataAsOrtValue(
        where, at, bytes, dims, 4, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));
    if (!result)
        result = VRS_ORT_TRY(bind(binding, tensor->name, value));
    if (value)
        library->api->ReleaseValue(value); /* the binding shares it */
    return vrs_ort_check(library, result, VRS_ENGINE, "cannot bind a tensor");
}
