#include "model/weights.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "model/descriptor.h"
#include "model/onnx_outline.h"
#include "vrseg/log.h"

/* Largest weights file whose digest is checked at each start: 64 MiB take 0.2 s. */
#define DIGEST_LIMIT (64 << 20)

/* Bytes of the path up to its last slash. */
static int folder_length(const char *path)
{
    return (int)(vrs_path_base(path) - path);
}

vrs_status vrs_model_find_weights(vrs_model *model)
{
    char *path = model->weights_path;
    const char *descriptor = model->descriptor_path;
    int folder = folder_length(descriptor);
    if (model->weights_key[0] == '/') {
        return vrs_path_format(path, VRS_PATH_MAX, "%s", model->weights_key);
    }
    if (model->weights_key[0]) {
        return vrs_path_format(path, VRS_PATH_MAX, "%.*s%s", folder, descriptor,
                               model->weights_key);
    }
    vrs_status status =
        vrs_path_format(path, VRS_PATH_MAX, "%.*s%s.onnx", folder, descriptor, model->name);
    if (status != VRS_OK || vrs_file_exists(path)) {
        return status;
    }
    char models[VRS_PATH_MAX];
    status = vrs_models_dir(models, sizeof models);
    if (status == VRS_OK) {
        status = vrs_path_format(path, VRS_PATH_MAX, "%s/%s.onnx", models, model->name);
    }
    return status;
}

static vrs_status fail_absent(const vrs_model *model)
{
    if (model->fetchable) {
        return vrs_fail(VRS_NOT_FOUND,
                        "the weights of the model \"%s\" are not here yet: get them by "
                        "`vrseg models fetch %s` (they belong at %s)",
                        model->name, model->name, model->weights_path);
    }
    return vrs_fail(VRS_NOT_FOUND,
                    "the model \"%s\" needs an ONNX file that vrseg does not bring (%s): put it "
                    "at %s",
                    model->name, model->source, model->weights_path);
}

static vrs_status check_digest(const vrs_model *model)
{
    char *data, text[VRS_SHA256_TEXT];
    size_t size;
    struct stat info;
    if (stat(model->weights_path, &info) == 0 && info.st_size > DIGEST_LIMIT) {
        return VRS_OK;
    }
    vrs_status status = vrs_file_read(model->weights_path, DIGEST_LIMIT, &data, &size);
    if (status != VRS_OK) {
        return status;
    }
    vrs_sha256_text(data, size, text);
    vrs_free(data);
    if (strcmp(text, model->sha256) != 0) {
        vrs_log(VRS_LOG_WARNING,
                "%s: is not the file that the descriptor %s means (SHA-256 %s); it is used all "
                "the same",
                model->weights_path, model->descriptor_path, text);
    }
    return VRS_OK;
}

vrs_status vrs_model_check_weights(const vrs_model *model)
{
    if (access(model->weights_path, F_OK) != 0) {
        return fail_absent(model);
    }
    vrs_status status = vrs_onnx_outline_check(model->weights_path);
    if (status == VRS_OK && model->sha256[0]) {
        status = check_digest(model);
    }
    return status;
}
