#include "engine/openvino/network.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/errno_text.h"
#include "engine/openvino/cpu.h"
#include "vrseg/log.h"

/* Most inputs or outputs that a message lists. */
#define LISTED 8

typedef struct opening {
    vrs_ov_network *network;
    const vrs_ov_api *api;
    const vrs_model_spec *spec;
    const vrs_engine_params *params;
    const char *path; /* of the weights */
    const char *descriptor;
    vrs_ov_model *model;
} opening;

static vrs_status check(const opening *o, vrs_ov_code code, vrs_status status, const char *what)
{
    char text[VRS_DETAIL_SIZE];
    snprintf(text, sizeof text, "%s: %s", o->path, what);
    return vrs_ov_check(o->network->library, code, status, text);
}

/* --- names and shapes --- */

static void set_dims(vrs_ov_tensor_desc *desc, int type, int64_t a, int64_t b, int64_t c, int64_t d)
{
    desc->type = type;
    desc->dims[0] = a;
    desc->dims[1] = b;
    desc->dims[2] = c;
    desc->dims[3] = d;
    desc->bytes = (size_t)(a * b * c * d) * (type == VRS_OV_F32 ? sizeof(float) : 1);
}

/* What the descriptor says, for one view, of the ONNX file's own tensors. */
static void describe_tensors(opening *o)
{
    vrs_ov_network *n = o->network;
    const vrs_model_spec *s = o->spec;
    int64_t width = s->output_width ? s->output_width : s->width;
    int64_t height = s->output_height ? s->output_height : s->height;
    if (s->nhwc_input)
        set_dims(&n->input, VRS_OV_F32, 1, s->height, s->width, 3);
    else
        set_dims(&n->input, VRS_OV_F32, 1, 3, s->height, s->width);
    if (s->nhwc_output)
        set_dims(&n->output, VRS_OV_F32, 1, height, width, s->classes);
    else
        set_dims(&n->output, VRS_OV_F32, 1, s->classes, height, width);
    n->state_count = s->state_count;
    for (int32_t i = 0; i < s->state_count; i++) {
        const vrs_model_state *state = &s->states[i];
        int64_t rows = (s->height + state->divisor - 1) / state->divisor;
        int64_t columns = (s->width + state->divisor - 1) / state->divisor;
        set_dims(&n->state_in[i], VRS_OV_F32, 1, state->channels, rows, columns);
        set_dims(&n->state_out[i], VRS_OV_F32, 1, state->channels, rows, columns);
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

static void dims_text(const int64_t dims[4], char *text, size_t size)
{
    snprintf(text, size, "[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]", dims[0], dims[1],
             dims[2], dims[3]);
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
static vrs_status check_port(const opening *o, const vrs_ov_port *port, const char *kind,
                             const vrs_ov_tensor_desc *desc, bool exact)
{
    int type = 0;
    vrs_status status = check(o, VRS_OV_TRY(o->api->ov_port_get_element_type(port, &type)),
                              VRS_ENGINE, "cannot ask a tensor's type");
    if (status != VRS_OK)
        return status;
    if (type != VRS_OV_F32)
        return vrs_fail(VRS_INVALID, "%s: the %s \"%s\" is not of 32-bit floats; vrseg runs "
                        "networks with float32 inputs and outputs", o->path, kind, desc->name);
    vrs_ov_partial_shape shape = {0};
    status = check(o, VRS_OV_TRY(o->api->ov_port_get_partial_shape(port, &shape)), VRS_ENGINE,
                   "cannot ask a tensor's shape");
    if (status != VRS_OK)
        return status;
    if (!shape_holds(&shape, desc->dims, exact)) {
        char found[128], wanted[128];
        shape_text(&shape, found, sizeof found);
        dims_text(desc->dims, wanted, sizeof wanted);
        status = vrs_fail(VRS_INVALID, "%s: the %s \"%s\" has the shape %s, but the descriptor %s "
                          "says %s", o->path, kind, desc->name, found, o->descriptor, wanted);
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

static port_kind inputs_of(const opening *o)
{
    return (port_kind){"input", o->api->ov_model_inputs_size,
                       o->api->ov_model_const_input_by_index, o->api->ov_model_const_input_by_name};
}

static port_kind outputs_of(const opening *o)
{
    return (port_kind){"output", o->api->ov_model_outputs_size,
                       o->api->ov_model_const_output_by_index,
                       o->api->ov_model_const_output_by_name};
}

/* "a, b, c" of the file's inputs or outputs. */
static void list_names(const opening *o, const port_kind *kind, size_t count, char *text,
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

static vrs_status fail_names(const opening *o, const port_kind *kind, size_t count,
                             const char *wanted)
{
    char names[256];
    list_names(o, kind, count, names, sizeof names);
    if (*wanted)
        return vrs_fail(VRS_INVALID, "%s: has no %s \"%s\", which the descriptor %s names; it has "
                        "%s", o->path, kind->name, wanted, o->descriptor, names);
    return vrs_fail(VRS_INVALID, "%s: has %zu %ss (%s); the descriptor %s must say which is meant",
                    o->path, count, kind->name, names, o->descriptor);
}

/* Finds `wanted` ("": the only one, `single` says whether there is only one), checks it and keeps
 * its name. */
static vrs_status find_port(const opening *o, const port_kind *kind, const char *wanted,
                            bool single, bool exact, vrs_ov_tensor_desc *desc)
{
    size_t count = 0;
    vrs_status status = check(o, VRS_OV_TRY(kind->size(o->model, &count)), VRS_ENGINE,
                              "cannot count the network's tensors");
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
        return check(o, code, VRS_ENGINE, "cannot look a tensor up");
    if (code != 0)
        return fail_names(o, kind, count, wanted);
    if (!desc->name)
        status = check(o, VRS_OV_TRY(o->api->ov_port_get_any_name(port, &desc->name)), VRS_INVALID,
                       "cannot ask a tensor's name");
    if (status == VRS_OK)
        status = check_port(o, port, kind->name, desc, exact);
    o->api->ov_output_const_port_free(port);
    return status;
}

static vrs_status find_inputs(const opening *o)
{
    vrs_ov_network *n = o->network;
    const vrs_model_spec *s = o->spec;
    port_kind kind = inputs_of(o);
    size_t count = 0;
    vrs_status status = check(o, VRS_OV_TRY(kind.size(o->model, &count)), VRS_ENGINE,
                              "cannot count the network's inputs");
    if (status == VRS_OK)
        status = find_port(o, &kind, s->input, s->state_count == 0, false, &n->input);
    for (int32_t i = 0; status == VRS_OK && i < s->state_count; i++)
        status = find_port(o, &kind, s->states[i].input, false, false, &n->state_in[i]);
    if (status == VRS_OK && count != 1 + (size_t)s->state_count) {
        char names[256];
        list_names(o, &kind, count, names, sizeof names);
        status = vrs_fail(VRS_INVALID, "%s: has %zu inputs (%s), but the descriptor %s names %d",
                          o->path, count, names, o->descriptor, 1 + s->state_count);
    }
    return status;
}

static vrs_status find_outputs(const opening *o)
{
    vrs_ov_network *n = o->network;
    const vrs_model_spec *s = o->spec;
    port_kind kind = outputs_of(o);
    vrs_status status = find_port(o, &kind, s->output, s->state_count == 0, true, &n->output);
    for (int32_t i = 0; status == VRS_OK && i < s->state_count; i++)
        status = find_port(o, &kind, s->states[i].output, false, true, &n->state_out[i]);
    return status;
}

/* --- building --- */

/* Gives every input its static shape. */
static vrs_status fix_shapes(const opening *o)
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
    return check(o, VRS_OV_TRY(o->api->ov_model_reshape(o->model, names, shapes, count)),
                 VRS_INVALID, "cannot be used at the descriptor's size");
}

/* Codes R G B in, the network's own input out: floats, channel order, (x - mean) * scale. OpenVINO
 * divides, so it is given the reciprocal of the scale. */
static vrs_ov_code add_steps(const opening *o, vrs_ov_steps *steps)
{
    const vrs_model_spec *s = o->spec;
    const vrs_ov_api *api = o->api;
    float divisor[3];
    bool has_mean = false, has_scale = false;
    for (int c = 0; c < 3; c++) {
        divisor[c] = (float)(1.0 / (double)s->scale[c]);
        has_mean = has_mean || s->mean[c] != 0;
        has_scale = has_scale || s->scale[c] != 1;
    }
    vrs_ov_code code =
        VRS_OV_TRY(api->ov_preprocess_preprocess_steps_convert_element_type(steps, VRS_OV_F32));
    if (code == 0 && s->bgr)
        code = VRS_OV_TRY(api->ov_preprocess_preprocess_steps_reverse_channels(steps));
    if (code == 0 && has_mean)
        code = VRS_OV_TRY(
            api->ov_preprocess_preprocess_steps_mean_multi_channels(steps, s->mean, 3));
    if (code == 0 && has_scale)
        code = VRS_OV_TRY(
            api->ov_preprocess_preprocess_steps_scale_multi_channels(steps, divisor, 3));
    return code;
}

static vrs_ov_code set_tensor_info(const opening *o, const vrs_ov_input_info *input,
                                   vrs_ov_layout *layout)
{
    const vrs_ov_api *api = o->api;
    vrs_ov_tensor_info *info = NULL;
    vrs_ov_code code = VRS_OV_TRY(api->ov_preprocess_input_info_get_tensor_info(input, &info));
    if (code == 0)
        code = VRS_OV_TRY(api->ov_preprocess_input_tensor_info_set_element_type(info, VRS_OV_U8));
    if (code == 0)
        code = VRS_OV_TRY(api->ov_preprocess_input_tensor_info_set_layout(info, layout));
    if (info)
        api->ov_preprocess_input_tensor_info_free(info);
    return code;
}

static vrs_ov_code set_model_info(const opening *o, const vrs_ov_input_info *input,
                                  vrs_ov_layout *layout)
{
    const vrs_ov_api *api = o->api;
    vrs_ov_model_info *info = NULL;
    vrs_ov_code code = VRS_OV_TRY(api->ov_preprocess_input_info_get_model_info(input, &info));
    if (code == 0)
        code = VRS_OV_TRY(api->ov_preprocess_input_model_info_set_layout(info, layout));
    if (info)
        api->ov_preprocess_input_model_info_free(info);
    return code;
}

static vrs_ov_code describe_input(const opening *o, const vrs_ov_input_info *input)
{
    const vrs_ov_api *api = o->api;
    vrs_ov_layout *bytes = NULL, *own = NULL;
    vrs_ov_steps *steps = NULL;
    vrs_ov_code code = VRS_OV_TRY(api->ov_layout_create("NHWC", &bytes));
    if (code == 0)
        code = VRS_OV_TRY(api->ov_layout_create(o->spec->nhwc_input ? "NHWC" : "NCHW", &own));
    if (code == 0)
        code = set_tensor_info(o, input, bytes);
    if (code == 0)
        code = set_model_info(o, input, own);
    if (code == 0)
        code = VRS_OV_TRY(api->ov_preprocess_input_info_get_preprocess_steps(input, &steps));
    if (code == 0)
        code = add_steps(o, steps);
    if (steps)
        api->ov_preprocess_preprocess_steps_free(steps);
    if (own)
        api->ov_layout_free(own);
    if (bytes)
        api->ov_layout_free(bytes);
    return code;
}

/* Puts the normalisation into the graph: the input becomes bytes, R G B, NHWC. */
static vrs_status take_bytes(opening *o)
{
    const vrs_ov_api *api = o->api;
    vrs_ov_network *n = o->network;
    vrs_ov_prepost *prepost = NULL;
    vrs_ov_input_info *input = NULL;
    vrs_ov_model *built = NULL;
    vrs_ov_code code =
        VRS_OV_TRY(api->ov_preprocess_prepostprocessor_create(o->model, &prepost));
    if (code == 0)
        code = VRS_OV_TRY(api->ov_preprocess_prepostprocessor_get_input_info_by_name(
            prepost, n->input.name, &input));
    if (code == 0)
        code = describe_input(o, input);
    if (code == 0)
        code = VRS_OV_TRY(api->ov_preprocess_prepostprocessor_build(prepost, &built));
    vrs_status status = check(o, code, VRS_ENGINE, "cannot add the normalisation");
    if (input)
        api->ov_preprocess_input_info_free(input);
    if (prepost)
        api->ov_preprocess_prepostprocessor_free(prepost);
    if (built) {
        api->ov_model_free(o->model);
        o->model = built;
        set_dims(&n->input, VRS_OV_U8, 1, o->spec->height, o->spec->width, 3);
    }
    return status;
}

/* --- compiling --- */

/* True when the folder is there and can be written; says so where it cannot. */
static bool cache_usable(const char *folder)
{
    if (!folder || !*folder)
        return false;
    if (vrs_make_folders(folder) != VRS_OK) {
        vrs_log(VRS_LOG_WARNING, "compiled networks are not kept: %s", vrs_last_error());
        return false;
    }
    if (access(folder, W_OK | X_OK) != 0) {
        vrs_log(VRS_LOG_WARNING, "compiled networks are not kept: %s cannot be written", folder);
        return false;
    }
    return true;
}

static vrs_ov_code compile(const opening *o, const char *cache_dir)
{
    const vrs_engine_params *p = o->params;
    char streams[16], threads[16];
    snprintf(streams, sizeof streams, "%d", p->requests < p->threads ? p->requests : p->threads);
    snprintf(threads, sizeof threads, "%d", p->threads);
    vrs_ov_property properties[] = {
        {"INFERENCE_PRECISION_HINT", p->bf16 ? "bf16" : "f32"},
        {"NUM_STREAMS", streams},
        {"INFERENCE_NUM_THREADS", threads},
        {"ENABLE_CPU_PINNING", "NO"},
        {"CACHE_DIR", cache_dir},
    };
    size_t count = sizeof properties / sizeof *properties - (cache_dir ? 0 : 1);
    return VRS_OV_TRY(o->api->ov_core_compile_model_props(
        o->network->core, o->model, "CPU", count, properties, &o->network->compiled));
}

/* Compiles with the cache; where that fails (a damaged cache), without. */
static vrs_status compile_cached(const opening *o)
{
    const char *cache_dir = cache_usable(o->params->cache_dir) ? o->params->cache_dir : NULL;
    vrs_ov_code code = compile(o, cache_dir);
    if (code != 0 && cache_dir) {
        if (check(o, code, VRS_ENGINE, "cannot be compiled with the cache") != VRS_OK)
            vrs_log(VRS_LOG_WARNING, "%s", vrs_last_error());
        code = compile(o, NULL);
        cache_dir = NULL;
    }
    vrs_status status = check(o, code, VRS_ENGINE, "cannot be compiled");
    char *answer = NULL;
    if (status == VRS_OK && cache_dir &&
        VRS_OV_TRY(o->api->ov_compiled_model_get_property(o->network->compiled,
                                                          "LOADED_FROM_CACHE", &answer)) == 0)
        o->network->from_cache = strcmp(answer, "YES") == 0;
    o->api->ov_free(answer);
    return status;
}

static vrs_status open_model(opening *o)
{
    vrs_status status =
        check(o, VRS_OV_TRY(o->api->ov_core_create(&o->network->core)), VRS_ENGINE,
              "cannot start OpenVINO");
    if (status == VRS_OK)
        status = check(o, VRS_OV_TRY(o->api->ov_core_read_model(o->network->core, o->path, NULL,
                                                                &o->model)),
                       VRS_FORMAT, "cannot be read as an ONNX network");
    if (status == VRS_OK)
        status = find_inputs(o);
    if (status == VRS_OK)
        status = fix_shapes(o);
    if (status == VRS_OK)
        status = find_outputs(o);
    if (status == VRS_OK && !o->params->float_input)
        status = take_bytes(o);
    if (status == VRS_OK)
        status = compile_cached(o);
    return status;
}

vrs_status vrs_ov_network_open(vrs_ov_network *network, const vrs_ov_library *library,
                               const vrs_model *model, const vrs_engine_params *params)
{
    vrs_model_info info = vrs_model_get_info(model);
    *network = (vrs_ov_network){.library = library};
    opening o = {.network = network,
                 .api = &library->api,
                 .spec = vrs_model_get_spec(model),
                 .params = params,
                 .path = info.weights_path,
                 .descriptor = info.descriptor_path};
    if (params->bf16 && !vrs_cpu_has_bf16())
        return vrs_fail(VRS_UNSUPPORTED, "this CPU has no bfloat16 arithmetic (AVX-512 BF16 or "
                        "AMX); use precision f32");
    describe_tensors(&o);
    vrs_status status = open_model(&o);
    if (o.model)
        o.api->ov_model_free(o.model);
    return status;
}

static void free_name(const vrs_ov_api *api, vrs_ov_tensor_desc *desc)
{
    api->ov_free(desc->name);
    desc->name = NULL;
}

void vrs_ov_network_close(vrs_ov_network *network)
{
    if (!network->library)
        return;
    const vrs_ov_api *api = &network->library->api;
    free_name(api, &network->input);
    free_name(api, &network->output);
    for (int32_t i = 0; i < VRS_MAX_STATES; i++) {
        free_name(api, &network->state_in[i]);
        free_name(api, &network->state_out[i]);
    }
    if (network->compiled)
        api->ov_compiled_model_free(network->compiled);
    if (network->core)
        api->ov_core_free(network->core);
    *network = (vrs_ov_network){0};
}
