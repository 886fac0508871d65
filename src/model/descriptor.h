/* Reading a model's descriptor: a YAML file, described in models/README.md. */
#ifndef VRS_MODEL_DESCRIPTOR_H
#define VRS_MODEL_DESCRIPTOR_H

#include "base/file.h"
#include "model/model.h"
#include "model/sha256.h"

/* Largest width and height of a network's picture. */
#define VRS_MAX_NETWORK_SIDE 4096

/* Longest text that is shown to people, with its closing zero. */
#define VRS_MODEL_TEXT 256

struct vrs_model {
    vrs_model_spec spec;
    char name[VRS_NAME_SIZE]; /* of the descriptor's file, without its extension */
    char title[VRS_MODEL_TEXT], licence[VRS_MODEL_TEXT], source[VRS_MODEL_TEXT];
    char sha256[VRS_SHA256_TEXT];     /* of the weights; "" if any file will do */
    char weights_key[VRS_MODEL_TEXT]; /* the descriptor's "weights"; "" if it has none */
    bool fetchable, test_only;
    char class_names[VRS_MAX_CLASSES][VRS_NAME_SIZE];
    char descriptor_path[VRS_PATH_MAX], weights_path[VRS_PATH_MAX];
};

/* Fills a zeroed model but for its weights_path. VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO,
 * VRS_NO_MEMORY; VRS_INVALID: file, line, what is wrong, what was expected, the nearest right
 * name. */
vrs_status vrs_descriptor_read(const char *path, vrs_model *model) VRS_MUST_USE;

#endif
