/* The part of OpenVINO's C API that vrseg uses, declared here so that building needs no OpenVINO.
 * The names, argument lists and numbers are those of version 2026.4.1 (library name suffix 2641);
 * another version may number its element types otherwise, so only this one is opened. */
#ifndef VRS_ENGINE_OPENVINO_API_H
#define VRS_ENGINE_OPENVINO_API_H

#include <stddef.h>
#include <stdint.h>

#define VRS_OV_VERSION "2026.4.1"
#define VRS_OV_LIBRARY "libopenvino_c.so.2641"

/* Zero is success, failures are negative. */
typedef int vrs_ov_code;

/* Element types by their numbers. */
enum { VRS_OV_F32 = 4, VRS_OV_U8 = 16 };

typedef struct vrs_ov_core vrs_ov_core;
typedef struct vrs_ov_model vrs_ov_model;
typedef struct vrs_ov_compiled vrs_ov_compiled;
typedef struct vrs_ov_infer vrs_ov_infer;
typedef struct vrs_ov_tensor vrs_ov_tensor;
typedef struct vrs_ov_port vrs_ov_port; /* a constant one */
typedef struct vrs_ov_layout vrs_ov_layout;
typedef struct vrs_ov_prepost vrs_ov_prepost;
typedef struct vrs_ov_input_info vrs_ov_input_info;
typedef struct vrs_ov_tensor_info vrs_ov_tensor_info;
typedef struct vrs_ov_model_info vrs_ov_model_info;
typedef struct vrs_ov_steps vrs_ov_steps;

typedef struct vrs_ov_version {
    const char *build, *description; /* owned by the library until ov_version_free() */
} vrs_ov_version;

typedef struct vrs_ov_shape {
    int64_t rank;
    int64_t *dims;
} vrs_ov_shape;

/* Both ends inclusive; a maximum of -1 is no limit. */
typedef struct vrs_ov_dimension {
    int64_t min, max;
} vrs_ov_dimension;

typedef struct vrs_ov_partial_shape {
    vrs_ov_dimension rank;
    vrs_ov_dimension *dims;
} vrs_ov_partial_shape;

typedef struct vrs_ov_property {
    const char *key;
    const void *value; /* text */
} vrs_ov_property;

/* The request keeps the pointer to this struct, not a copy. */
typedef struct vrs_ov_callback {
    void (*fn)(void *opaque);
    void *opaque;
} vrs_ov_callback;

/* X(result, name, arguments) */
#define VRS_OV_SYMBOLS(X)                                                                          \
    X(vrs_ov_code, ov_get_openvino_version, (vrs_ov_version *))                                    \
    X(void, ov_version_free, (vrs_ov_version *))                                                   \
    X(const char *, ov_get_last_err_msg, (void)) /* returns owned: ov_free() */                    \
    X(const char *, ov_get_error_info, (int))                                                      \
    X(void, ov_free, (const char *))                                                               \
    X(vrs_ov_code, ov_core_create, (vrs_ov_core **))                                               \
    X(void, ov_core_free, (vrs_ov_core *))                                                         \
    X(vrs_ov_code, ov_core_read_model,                                                             \
      (const vrs_ov_core *, const char *path, const char *weights, vrs_ov_model **))               \
    X(vrs_ov_code, ov_core_compile_model_props,                                                    \
      (const vrs_ov_core *, const vrs_ov_model *, const char *device, size_t,                      \
       const vrs_ov_property *, vrs_ov_compiled **))                                               \
    X(void, ov_model_free, (vrs_ov_model *))                                                       \
    X(vrs_ov_code, ov_model_inputs_size, (const vrs_ov_model *, size_t *))                         \
    X(vrs_ov_code, ov_model_outputs_size, (const vrs_ov_model *, size_t *))                        \
    X(vrs_ov_code, ov_model_const_input_by_index, (const vrs_ov_model *, size_t, vrs_ov_port **))  \
    X(vrs_ov_code, ov_model_const_output_by_index, (const vrs_ov_model *, size_t, vrs_ov_port **)) \
    X(vrs_ov_code, ov_model_const_input_by_name,                                                   \
      (const vrs_ov_model *, const char *, vrs_ov_port **))                                        \
    X(vrs_ov_code, ov_model_const_output_by_name,                                                  \
      (const vrs_ov_model *, const char *, vrs_ov_port **))                                        \
    X(vrs_ov_code, ov_model_reshape,                                                               \
      (const vrs_ov_model *, const char **names, const vrs_ov_partial_shape *, size_t))            \
    X(vrs_ov_code, ov_port_get_any_name, (const vrs_ov_port *, char **))                           \
    X(vrs_ov_code, ov_port_get_partial_shape, (const vrs_ov_port *, vrs_ov_partial_shape *))       \
    X(vrs_ov_code, ov_port_get_element_type, (const vrs_ov_port *, int *))                         \
    X(void, ov_output_const_port_free, (vrs_ov_port *))                                            \
    X(void, ov_partial_shape_free, (vrs_ov_partial_shape *))                                       \
    X(vrs_ov_code, ov_layout_create, (const char *, vrs_ov_layout **))                             \
    X(void, ov_layout_free, (vrs_ov_layout *))                                                     \
    X(vrs_ov_code, ov_preprocess_prepostprocessor_create,                                          \
      (const vrs_ov_model *, vrs_ov_prepost **))                                                   \
    X(void, ov_preprocess_prepostprocessor_free, (vrs_ov_prepost *))                               \
    X(vrs_ov_code, ov_preprocess_prepostprocessor_get_input_info_by_name,                          \
      (const vrs_ov_prepost *, const char *, vrs_ov_input_info **))                                \
    X(vrs_ov_code, ov_preprocess_prepostprocessor_build,                                           \
      (const vrs_ov_prepost *, vrs_ov_model **))                                                   \
    X(void, ov_preprocess_input_info_free, (vrs_ov_input_info *))                                  \
    X(vrs_ov_code, ov_preprocess_input_info_get_tensor_info,                                       \
      (const vrs_ov_input_info *, vrs_ov_tensor_info **))                                          \
    X(void, ov_preprocess_input_tensor_info_free, (vrs_ov_tensor_info *))                          \
    X(vrs_ov_code, ov_preprocess_input_tensor_info_set_element_type, (vrs_ov_tensor_info *, int))  \
    X(vrs_ov_code, ov_preprocess_input_tensor_info_set_layout,                                     \
      (vrs_ov_tensor_info *, vrs_ov_layout *))                                                     \
    X(vrs_ov_code, ov_preprocess_input_info_get_model_info,                                        \
      (const vrs_ov_input_info *, vrs_ov_model_info **))                                           \
    X(void, ov_preprocess_input_model_info_free, (vrs_ov_model_info *))                            \
    X(vrs_ov_code, ov_preprocess_input_model_info_set_layout,                                      \
      (vrs_ov_model_info *, vrs_ov_layout *))                                                      \
    X(vrs_ov_code, ov_preprocess_input_info_get_preprocess_steps,                                  \
      (const vrs_ov_input_info *, vrs_ov_steps **))                                                \
    X(void, ov_preprocess_preprocess_steps_free, (vrs_ov_steps *))                                 \
    X(vrs_ov_code, ov_preprocess_preprocess_steps_convert_element_type, (vrs_ov_steps *, int))     \
    X(vrs_ov_code, ov_preprocess_preprocess_steps_reverse_channels, (vrs_ov_steps *))              \
    X(vrs_ov_code, ov_preprocess_preprocess_steps_mean_multi_channels,                             \
      (vrs_ov_steps *, const float *, int32_t))                                                    \
    X(vrs_ov_code, ov_preprocess_preprocess_steps_scale_multi_channels,                            \
      (vrs_ov_steps *, const float *, int32_t))                                                    \
    X(void, ov_compiled_model_free, (vrs_ov_compiled *))                                           \
    X(vrs_ov_code, ov_compiled_model_get_property,                                                 \
      (const vrs_ov_compiled *, const char *key, char **))                                         \
    X(vrs_ov_code, ov_compiled_model_create_infer_request,                                         \
      (const vrs_ov_compiled *, vrs_ov_infer **))                                                  \
    X(vrs_ov_code, ov_tensor_create_from_host_ptr,                                                 \
      (int type, vrs_ov_shape, void *, vrs_ov_tensor **))                                          \
    X(void, ov_tensor_free, (vrs_ov_tensor *))                                                     \
    X(vrs_ov_code, ov_infer_request_set_tensor,                                                    \
      (vrs_ov_infer *, const char *name, const vrs_ov_tensor *))                                   \
    X(vrs_ov_code, ov_infer_request_set_callback, (vrs_ov_infer *, const vrs_ov_callback *))       \
    X(vrs_ov_code, ov_infer_request_start_async, (vrs_ov_infer *))                                 \
    X(vrs_ov_code, ov_infer_request_wait, (vrs_ov_infer *))                                        \
    X(void, ov_infer_request_free, (vrs_ov_infer *))

typedef struct vrs_ov_api {
#define VRS_OV_FIELD(result, name, arguments) result(*name) arguments;
    VRS_OV_SYMBOLS(VRS_OV_FIELD)
#undef VRS_OV_FIELD
} vrs_ov_api;

#endif
