/* The weights file of a model. */
#ifndef VRS_MODEL_WEIGHTS_H
#define VRS_MODEL_WEIGHTS_H

#include "model/model.h"

/* Sets the path: the descriptor's key "weights" from its own folder; else NAME.onnx beside the
 * descriptor where that exists; else NAME.onnx in the models folder. */
vrs_status vrs_model_find_weights(vrs_model *model) VRS_MUST_USE;

/* VRS_OK when the file can be read, is a whole ONNX file by its outermost structure and is the one
 * that the descriptor means; another one than the descriptor's sha256 is reported through the log
 * and used. VRS_NOT_FOUND: how to get it. VRS_FORMAT: not ONNX, or cut short (where).
 * VRS_PERMISSION, VRS_IO, VRS_NO_MEMORY. */
vrs_status vrs_model_check_weights(const vrs_model *model) VRS_MUST_USE;

#endif
