/* What a descriptor says, for the engine and the pipeline. */
#ifndef VRS_MODEL_MODEL_H
#define VRS_MODEL_MODEL_H

#include "kernels/kernels.h"
#include "vrseg/model.h"

#define VRS_MAX_STATES 8
#define VRS_NAME_SIZE 64

/* A recurrent state: fed back from `output` to `input`; zero at the start of a stream. Its shape is
 * channels x (height / divisor) x (width / divisor), rounded up. */
typedef struct vrs_model_state {
    char input[VRS_NAME_SIZE], output[VRS_NAME_SIZE];
    int32_t channels, divisor;
} vrs_model_state;

typedef struct vrs_model_spec {
    char input[VRS_NAME_SIZE]; /* tensor names; "" = the only one */
    char output[VRS_NAME_SIZE];
    int32_t width, height; /* of the network's picture */
    int32_t nhwc_input;    /* the ONNX input itself is NHWC */
    int32_t nhwc_output;   /* the class axis of the output is last */
    int32_t bgr;
    float mean[3], scale[3]; /* (code - mean) * scale, code in 0..255 */
    vrs_resize resize;
    vrs_fit fit;
    float pad;
    vrs_activation activation;
    int32_t classes;
    uint32_t person_classes;
    int32_t output_width, output_height; /* 0: as the input */
    int32_t fixed_batch;                 /* 1: the ONNX takes batch 1 only */
    int32_t unrefined;                   /* 1: `refine` auto leaves its masks as they are */
    int32_t state_count;
    vrs_model_state states[VRS_MAX_STATES];
} vrs_model_spec;

const vrs_model_spec *vrs_model_get_spec(const vrs_model *model);

#endif
