#include "model/descriptor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/parse.h"
#include "model/fields.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Bounds of what a file may ask for; they keep every size computed from them far from overflow. */
#define MAX_STATE_CHANNELS 1024
#define MAX_STATE_DIVISOR 64
#define MAX_MEAN 65536.0
#define MIN_SCALE 1e-9
#define MAX_SCALE 1e9

static const char *const layouts[] = {"nchw", "nhwc"};
static const char *const orders[] = {"rgb", "bgr"};
static const char *const resizes[] = {"area", "bilinear"};
static const char *const fits[] = {"stretch", "letterbox"};
static const char *const activations[] = {"none", "sigmoid", "softmax", "argmax"};
static const char *const batches[] = {"free", "fixed"};
static const char *const refinements[] = {"auto", "off"};

/* The file's name without its extension is the model's name. */
static vrs_status take_name(const char *path, vrs_model *model)
{
    const char *base = vrs_path_base(path);
    const char *dot = strrchr(base, '.');
    size_t length = dot ? (size_t)(dot - base) : strlen(base);
    if (length == 0 || length >= sizeof model->name) {
        return vrs_fail(VRS_INVALID, "%s: a descriptor's name has 1 to %zu bytes before .yaml",
                        path, sizeof model->name - 1);
    }
    memcpy(model->name, base, length);
    return vrs_path_format(model->descriptor_path, sizeof model->descriptor_path, "%s", path);
}

static void read_sha256(vrs_fields *root, vrs_model *model)
{
    vrs_fields_text(root, "sha256", false, model->sha256, sizeof model->sha256);
    if (root->status == VRS_OK && model->sha256[0] &&
        strspn(model->sha256, "0123456789abcdef") != VRS_SHA256_TEXT - 1) {
        root->status = vrs_yaml_fail(root->yaml, vrs_yaml_get(root->yaml, root->map, "sha256"),
                                     "sha256 must be 64 digits of 0-9 and a-f");
    }
}

static vrs_status read_root(const vrs_yaml *yaml, vrs_model *model)
{
    static const char *const keys[] = {"title",     "licence",   "source",  "sha256",
                                       "fetchable", "test_only", "weights", "batch",
                                       "input",     "output",    "states"};
    vrs_fields root = vrs_fields_of(yaml, vrs_yaml_root(yaml), "", keys, COUNT(keys));
    vrs_fields_text(&root, "title", true, model->title, sizeof model->title);
    vrs_fields_text(&root, "licence", true, model->licence, sizeof model->licence);
    vrs_fields_text(&root, "source", true, model->source, sizeof model->source);
    vrs_fields_text(&root, "weights", false, model->weights_key, sizeof model->weights_key);
    vrs_fields_bool(&root, "fetchable", &model->fetchable);
    vrs_fields_bool(&root, "test_only", &model->test_only);
    vrs_fields_choice(&root, "batch", false, batches, COUNT(batches), &model->spec.fixed_batch);
    read_sha256(&root, model);
    return root.status;
}

static vrs_status read_input(const vrs_yaml *yaml, vrs_model_spec *spec)
{
    static const char *const keys[] = {"name", "width", "height", "layout", "order",
                                       "mean", "scale", "resize", "fit",    "pad"};
    int32_t resize = VRS_RESIZE_AREA, fit = VRS_FIT_STRETCH;
    for (int c = 0; c < 3; c++)
        spec->scale[c] = 1;
    vrs_fields input = vrs_fields_open(yaml, "input", keys, COUNT(keys));
    vrs_fields_text(&input, "name", false, spec->input, sizeof spec->input);
    vrs_fields_int(&input, "width", true, 1, VRS_MAX_NETWORK_SIDE, &spec->width);
    vrs_fields_int(&input, "height", true, 1, VRS_MAX_NETWORK_SIDE, &spec->height);
    vrs_fields_choice(&input, "layout", false, layouts, COUNT(layouts), &spec->nhwc_input);
    vrs_fields_choice(&input, "order", false, orders, COUNT(orders), &spec->bgr);
    vrs_fields_three(&input, "mean", 0, MAX_MEAN, spec->mean);
    vrs_fields_three(&input, "scale", MIN_SCALE, MAX_SCALE, spec->scale);
    vrs_fields_choice(&input, "resize", false, resizes, COUNT(resizes), &resize);
    vrs_fields_choice(&input, "fit", false, fits, COUNT(fits), &fit);
    vrs_fields_number(&input, "pad", 0, 255, &spec->pad);
    if (input.status == VRS_OK && spec->pad < 0) {
        return vrs_yaml_fail(yaml, vrs_yaml_get(yaml, input.map, "pad"),
                             "input.pad must be a code value from 0 to 255");
    }
    spec->resize = (vrs_resize)resize;
    spec->fit = (vrs_fit)fit;
    return input.status;
}

/* "classes": how many, or their names in order. */
static vrs_status read_classes(const vrs_fields *output, vrs_model *model)
{
    const vrs_yaml *yaml = output->yaml;
    vrs_yaml_node node = vrs_yaml_get(yaml, output->map, "classes");
    if (!node)
        return vrs_yaml_fail(yaml, output->map, "the key \"output.classes\" is missing");
    if (!vrs_yaml_is_list(yaml, node))
        return vrs_node_int(yaml, node, "output.classes", 1, VRS_MAX_CLASSES, &model->spec.classes);
    size_t count = vrs_yaml_count(yaml, node);
    if (count < 1 || count > VRS_MAX_CLASSES)
        return vrs_yaml_fail(yaml, node, "output.classes must have 1 to %d names", VRS_MAX_CLASSES);
    model->spec.classes = (int32_t)count;
    vrs_status status = VRS_OK;
    for (size_t i = 0; status == VRS_OK && i < count; i++) {
        status = vrs_node_text(yaml, vrs_yaml_item(yaml, node, i), "a class name",
                               model->class_names[i], VRS_NAME_SIZE);
    }
    return status;
}

/* A class by its name or its number. */
static vrs_status read_class(const vrs_yaml *yaml, vrs_yaml_node node, const vrs_model *model,
                             int32_t *index)
{
    const char *names[VRS_MAX_CLASSES];
    const char *text = vrs_yaml_text(yaml, node);
    int64_t number;
    int32_t classes = model->spec.classes;
    if (text && vrs_parse_int(text, &number))
        return vrs_node_int(yaml, node, "a class of output.person", 0, classes - 1, index);
    for (int32_t i = 0; i < classes; i++) {
        names[i] = model->class_names[i];
        if (text && *names[i] && strcmp(text, names[i]) == 0) {
            *index = i;
            return VRS_OK;
        }
    }
    const char *nearest = text ? vrs_nearest_name(text, names, (size_t)classes) : NULL;
    return vrs_yaml_fail(yaml, node,
                         "output.person must list classes by a name of output.classes or a number "
                         "from 0 to %" PRId32 "%s%s%s",
                         classes - 1, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                         nearest ? "\"?" : "");
}

/* "person": the classes that count as person; may be left out where there is one class. */
static vrs_status read_person(const vrs_fields *output, vrs_model *model)
{
    const vrs_yaml *yaml = output->yaml;
    vrs_yaml_node node = vrs_yaml_get(yaml, output->map, "person");
    if (!node && model->spec.classes == 1) {
        model->spec.person_classes = 1;
        return VRS_OK;
    }
    if (!node)
        return vrs_yaml_fail(yaml, output->map, "the key \"output.person\" is missing");
    size_t count = vrs_yaml_count(yaml, node);
    if (!vrs_yaml_is_list(yaml, node) || count < 1 || count > (size_t)model->spec.classes) {
        return vrs_yaml_fail(yaml, node, "output.person must be a list of 1 to %" PRId32 " classes",
                             model->spec.classes);
    }
    for (size_t i = 0; i < count; i++) {
        int32_t index = 0;
        vrs_yaml_node item = vrs_yaml_item(yaml, node, i);
        vrs_status status = read_class(yaml, item, model, &index);
        if (status != VRS_OK)
            return status;
        if (model->spec.person_classes >> index & 1)
            return vrs_yaml_fail(yaml, item, "output.person lists this class twice");
        model->spec.person_classes |= UINT32_C(1) << index;
    }
    return VRS_OK;
}

static vrs_status read_output(const vrs_yaml *yaml, vrs_model *model)
{
    static const char *const keys[] = {"name",       "width",   "height", "layout",
                                       "activation", "classes", "person", "refine"};
    vrs_model_spec *spec = &model->spec;
    int32_t side = VRS_MAX_NETWORK_SIDE, activation = VRS_ACTIVATION_NONE;
    vrs_fields output = vrs_fields_open(yaml, "output", keys, COUNT(keys));
    vrs_fields_text(&output, "name", false, spec->output, sizeof spec->output);
    vrs_fields_int(&output, "width", false, 1, side, &spec->output_width);
    vrs_fields_int(&output, "height", false, 1, side, &spec->output_height);
    vrs_fields_choice(&output, "layout", false, layouts, COUNT(layouts), &spec->nhwc_output);
    vrs_fields_choice(&output, "activation", true, activations, COUNT(activations), &activation);
    vrs_fields_choice(&output, "refine", false, refinements, COUNT(refinements), &spec->unrefined);
    vrs_status status = output.status;
    if (status == VRS_OK)
        status = read_classes(&output, model);
    if (status == VRS_OK)
        status = read_person(&output, model);
    bool over_classes = activation == VRS_ACTIVATION_SOFTMAX || activation == VRS_ACTIVATION_ARGMAX;
    if (status == VRS_OK && over_classes && spec->classes == 1) {
        status = vrs_yaml_fail(yaml, vrs_yaml_get(yaml, output.map, "activation"),
                               "%s over one class is always 1; did you mean \"sigmoid\"?",
                               activations[activation]);
    }
    spec->activation = (vrs_activation)activation;
    return status;
}

static vrs_status read_state(const vrs_yaml *yaml, vrs_yaml_node node, vrs_model_state *state)
{
    static const char *const keys[] = {"input", "output", "channels", "divisor"};
    vrs_fields fields = vrs_fields_of(yaml, node, "states", keys, COUNT(keys));
    vrs_fields_text(&fields, "input", true, state->input, sizeof state->input);
    vrs_fields_text(&fields, "output", true, state->output, sizeof state->output);
    vrs_fields_int(&fields, "channels", true, 1, MAX_STATE_CHANNELS, &state->channels);
    vrs_fields_int(&fields, "divisor", true, 1, MAX_STATE_DIVISOR, &state->divisor);
    return fields.status;
}

static vrs_status read_states(const vrs_yaml *yaml, vrs_model_spec *spec)
{
    vrs_yaml_node list = vrs_yaml_get(yaml, vrs_yaml_root(yaml), "states");
    if (!list)
        return VRS_OK;
    size_t count = vrs_yaml_count(yaml, list);
    if (!vrs_yaml_is_list(yaml, list) || count < 1 || count > VRS_MAX_STATES)
        return vrs_yaml_fail(yaml, list, "states must be a list of 1 to %d states", VRS_MAX_STATES);
    if (!spec->input[0] || !spec->output[0])
        return vrs_yaml_fail(yaml, list, "a network with states needs input.name and output.name");
    vrs_status status = VRS_OK;
    for (size_t i = 0; status == VRS_OK && i < count; i++)
        status = read_state(yaml, vrs_yaml_item(yaml, list, i), &spec->states[i]);
    spec->state_count = (int32_t)count;
    return status;
}

vrs_status vrs_descriptor_read(const char *path, vrs_model *model)
{
    vrs_yaml *yaml;
    vrs_status status = take_name(path, model);
    if (status == VRS_OK)
        status = vrs_yaml_load(path, &yaml);
    if (status != VRS_OK)
        return status;
    status = read_root(yaml, model);
    if (status == VRS_OK)
        status = read_input(yaml, &model->spec);
    if (status == VRS_OK)
        status = read_output(yaml, model);
    if (status == VRS_OK)
        status = read_states(yaml, &model->spec);
    vrs_yaml_destroy(yaml);
    return status;
}
