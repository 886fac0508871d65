/* Models as the public header has them. */
#include "vrseg/model.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "model/descriptor.h"
#include "model/registry.h"
#include "model/weights.h"
#include "vrseg/log.h"

/* "NAME.yaml" for "NAME.onnx". */
static vrs_status descriptor_beside(const char *onnx, char *path, size_t size)
{
    int stem = (int)(strrchr(onnx, '.') - onnx);
    vrs_status status = vrs_path_format(path, size, "%.*s.yaml", stem, onnx);
    if (status != VRS_OK)
        return status;
    if (!vrs_file_exists(onnx))
        return vrs_fail(VRS_NOT_FOUND, "%s: does not exist", onnx);
    if (!vrs_file_exists(path)) {
        return vrs_fail(VRS_NOT_FOUND,
                        "%s: needs a descriptor that says how it is fed and read: write %s", onnx,
                        path);
    }
    return VRS_OK;
}

static vrs_status load_into(const char *what, vrs_model *model)
{
    char extension[8], path[VRS_PATH_MAX];
    vrs_path_extension(what, extension, sizeof extension);
    bool onnx = strcmp(extension, "onnx") == 0;
    bool yaml = strcmp(extension, "yaml") == 0 || strcmp(extension, "yml") == 0;
    vrs_status status;
    if (onnx) {
        status = descriptor_beside(what, path, sizeof path);
    } else if (yaml) {
        status = vrs_path_format(path, sizeof path, "%s", what);
    } else if (strchr(what, '/')) {
        return vrs_fail(VRS_NOT_FOUND,
                        "%s: a model is a name, a descriptor (.yaml) or an ONNX "
                        "file (.onnx) with a descriptor beside it",
                        what);
    } else {
        status = vrs_registry_find(what, path, sizeof path);
    }
    if (status == VRS_OK)
        status = vrs_descriptor_read(path, model);
    if (status == VRS_OK && onnx)
        return vrs_path_format(model->weights_path, sizeof model->weights_path, "%s", what);
    return status == VRS_OK ? vrs_model_find_weights(model) : status;
}

/* Names for the classes that the descriptor only counts. */
static void name_classes(vrs_model *model)
{
    int32_t count = model->spec.classes;
    for (int32_t i = 0; i < count; i++) {
        char *name = model->class_names[i];
        if (!*name && count == 1)
            snprintf(name, VRS_NAME_SIZE, "person");
        else if (!*name)
            snprintf(name, VRS_NAME_SIZE, "class %d", i);
    }
}

vrs_status vrs_model_load(const char *name_or_path, vrs_model **model)
{
    *model = NULL;
    vrs_model *fresh = vrs_alloc(sizeof *fresh);
    if (!fresh)
        return VRS_NO_MEMORY;
    vrs_status status = load_into(name_or_path, fresh);
    if (status != VRS_OK) {
        vrs_free(fresh);
        return status;
    }
    name_classes(fresh);
    *model = fresh;
    return VRS_OK;
}

void vrs_model_destroy(vrs_model *model)
{
    vrs_free(model);
}

vrs_model_info vrs_model_get_info(const vrs_model *model)
{
    return (vrs_model_info){
        .name = model->name,
        .title = model->title,
        .licence = model->licence,
        .source = model->source,
        .fetchable = model->fetchable,
        .test_only = model->test_only,
        .recurrent = model->spec.state_count > 0,
        .input_width = model->spec.width,
        .input_height = model->spec.height,
        .class_count = model->spec.classes,
        .descriptor_path = model->descriptor_path,
        .weights_path = model->weights_path,
        .installed = access(model->weights_path, R_OK) == 0,
    };
}

const vrs_model_spec *vrs_model_get_spec(const vrs_model *model)
{
    return &model->spec;
}

const char *vrs_model_class_name(const vrs_model *model, int32_t index)
{
    assert(index >= 0 && index < model->spec.classes);
    return model->class_names[index];
}

vrs_status vrs_models_list(vrs_model_visit_fn visit, void *opaque)
{
    vrs_names names;
    vrs_status status = vrs_registry_list(&names);
    bool more = true;
    for (size_t i = 0; status == VRS_OK && more && i < names.count; i++) {
        vrs_model *model;
        status = vrs_model_load(names.names[i], &model);
        if (status == VRS_NO_MEMORY)
            break;
        if (status != VRS_OK) {
            vrs_log(VRS_LOG_WARNING, "the model \"%s\" is left out: %s", names.names[i],
                    vrs_last_error());
            status = VRS_OK;
            continue;
        }
        vrs_model_info info = vrs_model_get_info(model);
        more = visit(opaque, &info);
        vrs_model_destroy(model);
    }
    vrs_names_free(&names);
    return status;
}
