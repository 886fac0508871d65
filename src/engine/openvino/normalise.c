/* Normalisation as part of the network, by OpenVINO's preprocessing. */
#include "engine/openvino/opening.h"

/* Codes R G B in, the network's own input out: floats, channel order, (x - mean) * scale. OpenVINO
 * divides, so it is given the reciprocal of the scale. */
static vrs_ov_code add_steps(const vrs_ov_opening *o, vrs_ov_steps *steps)
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
    if (code == 0 && has_mean) {
        code =
            VRS_OV_TRY(api->ov_preprocess_preprocess_steps_mean_multi_channels(steps, s->mean, 3));
    }
    if (code == 0 && has_scale) {
        code =
            VRS_OV_TRY(api->ov_preprocess_preprocess_steps_scale_multi_channels(steps, divisor, 3));
    }
    return code;
}

static vrs_ov_code set_tensor_info(const vrs_ov_opening *o, const vrs_ov_input_info *input,
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

static vrs_ov_code set_model_info(const vrs_ov_opening *o, const vrs_ov_input_info *input,
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

static vrs_ov_code describe_input(const vrs_ov_opening *o, const vrs_ov_input_info *input)
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

vrs_status vrs_ov_take_bytes(vrs_ov_opening *o)
{
    const vrs_ov_api *api = o->api;
    vrs_ov_network *n = o->network;
    vrs_ov_prepost *prepost = NULL;
    vrs_ov_input_info *input = NULL;
    vrs_ov_model *built = NULL;
    vrs_ov_code code = VRS_OV_TRY(api->ov_preprocess_prepostprocessor_create(o->model, &prepost));
    if (code == 0) {
        code = VRS_OV_TRY(api->ov_preprocess_prepostprocessor_get_input_info_by_name(
            prepost, n->input.name, &input));
    }
    if (code == 0)
        code = describe_input(o, input);
    if (code == 0)
        code = VRS_OV_TRY(api->ov_preprocess_prepostprocessor_build(prepost, &built));
    vrs_status status = vrs_ov_opening_check(o, code, VRS_ENGINE, "cannot add the normalisation");
    if (input)
        api->ov_preprocess_input_info_free(input);
    if (prepost)
        api->ov_preprocess_prepostprocessor_free(prepost);
    if (built) {
        api->ov_model_free(o->model);
        o->model = built;
        const int64_t dims[4] = {1, o->spec->height, o->spec->width, 3};
        vrs_ov_set_dims(&n->input, VRS_OV_U8, dims);
    }
    return status;
}
