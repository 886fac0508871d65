#include "model/registry.h"

#include <stdlib.h>

#include "base/options.h"

vrs_status vrs_models_dir(char *path, size_t size)
{
    const char *own = getenv("VRSEG_MODELS_DIR");
    if (own && *own)
        return vrs_path_format(path, size, "%s", own);
    if (vrs_user_folder("XDG_DATA_HOME", ".local/share", "vrseg/models", path, size) == VRS_OK)
        return VRS_OK;
    return vrs_fail(VRS_INVALID, "no folder for models: set VRSEG_MODELS_DIR, XDG_DATA_HOME or "
                                 "HOME");
}

static const vrs_named_kind descriptors = {"VRSEG_DESCRIPTORS_DIR", vrs_models_dir, "models"};

vrs_status vrs_registry_list(vrs_names *names)
{
    return vrs_named_list(&descriptors, names);
}

static vrs_status fail_unknown(const char *name)
{
    vrs_names names;
    const char *nearest = NULL;
    if (vrs_registry_list(&names) == VRS_OK)
        nearest = vrs_nearest_name(name, (const char *const *)names.names, names.count);
    vrs_status status =
        vrs_fail(VRS_NOT_FOUND, "there is no model \"%s\"%s%s%s; `vrseg models` lists them", name,
                 nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    vrs_names_free(&names);
    return status;
}

vrs_status vrs_registry_find(const char *name, char *path, size_t size)
{
    return vrs_named_find(&descriptors, name, path, size) == VRS_OK ? VRS_OK : fail_unknown(name);
}
