/* The weights file of a model. */
#ifndef VRS_MODEL_WEIGHTS_H
#define VRS_MODEL_WEIGHTS_H

#include "model/model.h"

/* Sets the path: the descriptor's key "weights" from its own folder; else NAME.onnx beside the
 * descriptor where that exists; else NAME.onnx in the models folder. */
vrs_status vrs_model_find_weights(vrs_model *model) VRS_MUST_USE;

/* The bytes of a weights file, so that who needs all of them reads it once. */
typedef struct vrs_weights {
    char *data; /* owned; NULL: not read */
    size_t size;
} vrs_weights;

/* The whole file. Returns owned; vrs_weights_free() takes a zeroed one, too. VRS_UNSUPPORTED: 2 GB
 * and more, which no ONNX file has; else vrs_file_read()'s. */
vrs_status vrs_weights_read(const char *path, vrs_weights *weights) VRS_MUST_USE;
void vrs_weights_free(vrs_weights *weights);

/* VRS_OK when the file can be read, is a whole ONNX file by its outermost structure and is the one
 * that the descriptor means; another one than the descriptor's sha256 is reported through the log
 * and used. VRS_NOT_FOUND: how to get it. VRS_FORMAT: not ONNX, or cut short (where).
 * VRS_PERMISSION, VRS_IO, VRS_NO_MEMORY. `weights` (NULL: nobody wants them) becomes the bytes that
 * were checked, returned owned after VRS_OK; then vrs_weights_read()'s errors, too. */
vrs_status vrs_model_check_weights(const vrs_model *model, vrs_weights *weights) VRS_MUST_USE;

#endif
