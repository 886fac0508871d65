/* Models: an ONNX file and the descriptor (YAML) that says how it is to be fed and read. */
#ifndef VRSEG_MODEL_H
#define VRSEG_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vrs_model vrs_model;

#define VRS_MAX_CLASSES 32

/* Everything a program shows about a model. Text borrows from the model. */
typedef struct vrs_model_info {
    const char *name;
    const char *title;
    const char *licence;
    const char *source; /* where the weights come from, or "bring your own" */
    bool fetchable;     /* `vrseg models fetch NAME` can bring it */
    bool test_only;     /* licence forbids shipping: used by tests alone */
    bool recurrent;     /* carries state from frame to frame */
    int32_t input_width, input_height;
    int32_t class_count; /* 1 for a plain person probability */
    const char *descriptor_path;
    const char *weights_path; /* where the ONNX file is or belongs */
    bool installed;           /* weights_path can be read */
} vrs_model_info;

/* Loads a model by registry name ("selfie"), by descriptor (*.yaml), or by an ONNX file with a
 * descriptor of the same name beside it. The weights are read later, by the engine.
 * VRS_NOT_FOUND: unknown name (the detail gives the nearest and how to list them) or no file.
 * VRS_INVALID: the descriptor is wrong (file, line, nearest right name). VRS_NO_MEMORY.
 * Returns owned. */
VRS_API vrs_status vrs_model_load(const char *name_or_path, vrs_model **model) VRS_MUST_USE;
VRS_API void vrs_model_destroy(vrs_model *model);

VRS_API vrs_model_info vrs_model_get_info(const vrs_model *model);

/* Name of a class, "person" or "class 7" where the descriptor gives none; borrows. */
VRS_API const char *vrs_model_class_name(const vrs_model *model, int32_t index);

/* Calls `visit` for each descriptor of the registry in the order of their names; a broken one is
 * reported through the log and left out. Stops early when `visit` returns false. */
typedef bool (*vrs_model_visit_fn)(void *opaque, const vrs_model_info *info);
VRS_API vrs_status vrs_models_list(vrs_model_visit_fn visit, void *opaque) VRS_MUST_USE;

/* The folder where fetched weights lie: $VRSEG_MODELS_DIR, else $XDG_DATA_HOME/vrseg/models, else
 * ~/.local/share/vrseg/models. VRS_INVALID: none of these is set or it does not fit `size`. */
VRS_API vrs_status vrs_models_dir(char *path, size_t size) VRS_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
