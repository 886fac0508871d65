/* Lowering of Resize and Upsample, of all versions, to one set of attributes. */
#include <string.h>

#include "graph/lower.h"

/* A word of the file and what it means here. */
typedef struct word {
    const char *text;
    int32_t meaning;
} word;

static const word coordinates[] = {
    {"half_pixel", VRS_RESIZE_HALF_PIXEL},
    {"half_pixel_symmetric", VRS_RESIZE_HALF_PIXEL_SYMMETRIC},
    {"pytorch_half_pixel", VRS_RESIZE_PYTORCH_HALF_PIXEL},
    {"align_corners", VRS_RESIZE_ALIGN_CORNERS},
    {"asymmetric", VRS_RESIZE_ASYMMETRIC},
    {"tf_half_pixel_for_nn", VRS_RESIZE_TF_HALF_PIXEL},
    {"tf_crop_and_resize", VRS_RESIZE_TF_CROP},
    {NULL, 0},
};

static const word nearests[] = {
    {"round_prefer_floor", VRS_RESIZE_ROUND_PREFER_FLOOR},
    {"round_prefer_ceil", VRS_RESIZE_ROUND_PREFER_CEIL},
    {"floor", VRS_RESIZE_FLOOR},
    {"ceil", VRS_RESIZE_CEIL},
    {NULL, 0},
};

static const word modes[] = {
    {"nearest", VRS_RESIZE_NEAREST},
    {"linear", VRS_RESIZE_LINEAR},
    {"bilinear", VRS_RESIZE_LINEAR}, /* of operator set 7 */
    {NULL, 0},
};

static vrs_status read_word(const lower *l, const char *name, const char *otherwise,
                            const word *words, int32_t *meaning)
{
    char text[32];
    lower_text(l, name, otherwise, text, sizeof(text));
    for (; words->text; words++) {
        if (strcmp(words->text, text) == 0) {
            *meaning = words->meaning;
            return VRS_OK;
        }
    }
    return lower_fail(l, VRS_UNSUPPORTED, "%s \"%s\" is not supported", name, text);
}

static vrs_status read_attributes(const lower *l, bool old, vrs_resize_attributes *resize)
{
    int32_t mode = 0, coordinate = VRS_RESIZE_ASYMMETRIC, nearest = VRS_RESIZE_FLOOR;
    vrs_status status = read_word(l, "mode", "nearest", modes, &mode);
    if (status == VRS_OK && !old) {
        status =
            read_word(l, "coordinate_transformation_mode", "half_pixel", coordinates, &coordinate);
    }
    if (status == VRS_OK && !old)
        status = read_word(l, "nearest_mode", "round_prefer_floor", nearests, &nearest);
    if (status == VRS_OK && (lower_int(l, "antialias", 0) != 0 ||
                             (lower_int(l, "exclude_outside", 0) != 0 && mode != 0))) {
        status = lower_fail(l, VRS_UNSUPPORTED,
                            "\"antialias\" and \"exclude_outside\" are not supported");
    }
    resize->mode = (vrs_resize_mode)mode;
    resize->coordinate = (vrs_resize_coordinate)coordinate;
    resize->nearest = (vrs_resize_nearest)nearest;
    resize->extrapolation = lower_float(l, "extrapolation_value", 0);
    return status;
}

/* Where scales or sizes, axes and the region are. */
static vrs_status find_params(lower *l, int32_t upsample, vrs_node_rule *rule)
{
    vrs_status status = VRS_OK;
    rule->kind = VRS_RULE_SCALES;
    if (upsample && l->opset < 9) {
        for (size_t i = 0; i < l->source->n_attribute; i++) {
            const Onnx__AttributeProto *list = l->source->attribute[i];
            if (strcmp(vrs_onnx_text(list->name), "scales") == 0 && list->n_floats > 0) {
                int64_t dims[1] = {(int64_t)list->n_floats};
                status = vrs_graph_add_constant(l->graph, l->name, VRS_DTYPE_F32, 1, dims,
                                                list->floats, &rule->params[0]);
            }
        }
    } else if (upsample || l->opset < 11) {
        rule->params[0] = lower_input(l, 1);
    } else {
        rule->params[0] = lower_input(l, 2);
        rule->params[2] = lower_input(l, 1);
        if (lower_input(l, 3) != VRS_NO_VALUE) {
            rule->kind = VRS_RULE_SIZES;
            rule->params[0] = lower_input(l, 3);
        }
    }
    if (status == VRS_OK && rule->params[0] == VRS_NO_VALUE)
        status = lower_fail(l, VRS_FORMAT, "it has neither scales nor sizes");
    const int64_t *axes;
    size_t count = lower_ints(l, "axes", &axes);
    if (status == VRS_OK && count > 0)
        status = lower_add_ints(l, axes, count, &rule->params[1]);
    return status;
}

vrs_status lower_resize_op(lower *l, int32_t upsample)
{
    vrs_resize_attributes resize = {0};
    vrs_node_rule rule = {.params = {VRS_NO_VALUE, VRS_NO_VALUE, VRS_NO_VALUE, VRS_NO_VALUE}};
    vrs_status status = lower_needs_picture(l);
    if (status == VRS_OK)
        status = read_attributes(l, upsample || l->opset < 11, &resize);
    if (status == VRS_OK)
        status = find_params(l, upsample, &rule);
    char policy[16];
    lower_text(l, "keep_aspect_ratio_policy", "stretch", policy, sizeof(policy));
    rule.not_larger = strcmp(policy, "not_larger") == 0;
    rule.not_smaller = strcmp(policy, "not_smaller") == 0;
    vrs_node *node;
    if (status == VRS_OK)
        status = lower_add(l, VRS_OP_RESIZE, l->in, 1, NULL, &node);
    if (status != VRS_OK)
        return status;
    rule.order = node->rule->order;
    node->as.resize = resize;
    *node->rule = rule;
    return lower_done(l);
}
