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
    if (model->weights_key[0] == '/')
        return vrs_path_format(path, VRS_PATH_MAX, "%s", model->weights_key);
    if (model->weights_key[0]) {
        return vrs_path_format(path, VRS_PATH_MAX, "%.*s%s", folder, descriptor,
                               model->weights_key);
    }
    vrs_status status =
        vrs_path_format(path, VRS_PATH_MAX, "%.*s%s.onnx", folder, descriptor, model->name);
    if (status != VRS_OK || vrs_file_exists(path))
        return status;
    char models[VRS_PATH_MAX];
    status = vrs_models_dir(models, sizeof models);
    if (status == VRS_OK)
        status = vrs_path_format(path, VRS_PATH_MAX, "%s/%s.onnx", models, model->name);
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

vrs_status vrs_weights_read(const char *path, vrs_weights *weights)
{
    struct stat info;
    *weights = (vrs_weights){0};
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size > INT32_MAX) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: has 2 GB or more, which no ONNX file may: export its weights into an "
                        "external file",
                        path);
    }
    return vrs_file_read(path, INT32_MAX, &weights->data, &weights->size);
}

void vrs_weights_free(vrs_weights *weights)
{
    vrs_free(weights->data);
    *weights = (vrs_weights){0};
}

static void check_digest(const vrs_model *model, const vrs_weights *weights)
{
    char text[VRS_SHA256_TEXT];
    if (weights->size > DIGEST_LIMIT)
        return;
    vrs_sha256_text(weights->data, weights->size, text);
    if (strcmp(text, model->sha256) != 0) {
        vrs_log(VRS_LOG_WARNING,
                "%s: is not the file that the descriptor %s means (SHA-256 %s); it is used all "
                "the same",
                model->weights_path, model->descriptor_path, text);
    }
}

static bool is_small(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && info.st_size <= DIGEST_LIMIT;
}

vrs_status vrs_model_check_weights(const vrs_model *model, vrs_weights *weights)
{
    const char *path = model->weights_path;
    vrs_weights own = {0};
    if (access(path, F_OK) != 0)
        return fail_absent(model);
    bool digest = model->sha256[0] != 0;
    vrs_status status = vrs_onnx_outline_check(path);
    if (status == VRS_OK && (weights || (digest && is_small(path))))
        status = vrs_weights_read(path, &own);
    if (status == VRS_OK && digest && own.data)
        check_digest(model, &own);
    if (status == VRS_OK && weights)
        *weights = own;
    else
        vrs_weights_free(&own);
    return status;
}
