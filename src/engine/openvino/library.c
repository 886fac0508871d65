#include "engine/openvino/library.h"

#include <string.h>

#include "base/thread.h"
#include "device/library.h"
#include "engine/find_library.h"
#include "vrseg/system.h"

static struct {
    vrs_mutex mutex;
    bool open;
    vrs_ov_library library;
} shared = {.mutex = {PTHREAD_MUTEX_INITIALIZER}};

static vrs_status find_library(const char *folder, char path[VRS_PATH_MAX], bool *found)
{
    vrs_status status = vrs_path_format(path, VRS_PATH_MAX, "%s/" VRS_OV_LIBRARY, folder);
    *found = status == VRS_OK && vrs_file_exists(path);
    return status;
}

static const vrs_find_library looked_for = {.name = "OpenVINO " VRS_OV_VERSION,
                                            .file = VRS_OV_LIBRARY,
                                            .variable = "VRSEG_OPENVINO_DIR",
                                            .folders = {"openvino/lib"},
                                            .find = find_library};

static const vrs_library_symbol symbols[] = {
#define SYMBOL(result, name, arguments) VRS_LIBRARY_SYMBOL(vrs_ov_api, name, name)
    VRS_OV_SYMBOLS(SYMBOL)
#undef SYMBOL
};

static vrs_status read_version(vrs_ov_library *library, const char *path)
{
    vrs_ov_version version = {0};
    vrs_ov_code code = VRS_OV_TRY(library->api.ov_get_openvino_version(&version));
    vrs_status status = vrs_ov_check(library, code, VRS_ENGINE, "cannot ask OpenVINO's version");
    if (status != VRS_OK)
        return status;
    /* "2026.4.1-22982-e213a147257-...": the part before the build number. */
    size_t length = version.build ? strcspn(version.build, "-") : 0;
    if (length >= sizeof library->version)
        length = sizeof library->version - 1;
    if (length > 0)
        memcpy(library->version, version.build, length);
    library->version[length] = 0;
    library->api.ov_version_free(&version);
    if (strcmp(library->version, VRS_OV_VERSION) != 0) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: is OpenVINO %s, and vrseg needs " VRS_OV_VERSION "; run `make setup`",
                        path, library->version);
    }
    return VRS_OK;
}

static vrs_status open_path(const char *path, vrs_ov_library *library)
{
    const vrs_library_spec spec = {
        .file = path,
        .advice = "run `make setup` to get OpenVINO " VRS_OV_VERSION " again",
        .symbols = symbols,
        .symbol_count = sizeof symbols / sizeof symbols[0],
    };
    void *handle;
    vrs_status status = vrs_library_open(&spec, &library->api, &handle);
    if (status == VRS_OK)
        status = read_version(library, path);
    if (status != VRS_OK)
        vrs_library_close(handle);
    return status;
}

vrs_status vrs_ov_open(const vrs_ov_library **library)
{
    vrs_status status = VRS_OK;
    vrs_mutex_lock(&shared.mutex);
    if (!shared.open) {
        char path[VRS_PATH_MAX];
        status = vrs_find_library_in_folders(&looked_for, shared.library.folder, path);
        if (status == VRS_OK)
            status = open_path(path, &shared.library);
    }
    shared.open = status == VRS_OK;
    vrs_mutex_unlock(&shared.mutex);
    *library = status == VRS_OK ? &shared.library : NULL;
    return status;
}

/* Drops what only OpenVINO's developers need ("Exception from src/...:84:", "Check '...' failed at
 * ...:", "FrontEnd API failed with ...:") and joins the rest to one line. */
static void tidy_message(const char *message, char *line, size_t size)
{
    size_t used = 0;
    while (*message) {
        size_t length = strcspn(message, "\n");
        bool noise = strncmp(message, "Exception from ", 15) == 0 ||
                     strncmp(message, "Check '", 7) == 0 ||
                     strncmp(message, "FrontEnd API failed", 19) == 0;
        for (size_t i = 0; !noise && i < length && used + 2 < size; i++) {
            char c = message[i] == '\t' ? ' ' : message[i];
            if (c != ' ' || (used > 0 && line[used - 1] != ' '))
                line[used++] = c;
        }
        if (used > 0 && line[used - 1] != ' ' && used + 2 < size)
            line[used++] = ' ';
        message += length + (message[length] == '\n');
    }
    while (used > 0 && line[used - 1] == ' ')
        used--;
    line[used] = 0;
}

vrs_status vrs_ov_check(const vrs_ov_library *library, vrs_ov_code code, vrs_status status,
                        const char *what)
{
    if (code == 0)
        return VRS_OK;
    if (code == VRS_OV_INJECTED)
        return vrs_fail(status, "%s: refused by failure injection", what);
    char line[VRS_DETAIL_SIZE] = "";
    const char *message = library->api.ov_get_last_err_msg();
    if (message)
        tidy_message(message, line, sizeof line);
    library->api.ov_free(message);
    return vrs_fail(status, "%s: OpenVINO says: %s", what,
                    line[0] ? line : library->api.ov_get_error_info(code));
}

vrs_status vrs_openvino_info(char *version, size_t version_size, char *folder, size_t folder_size)
{
    const vrs_ov_library *library;
    vrs_status status = vrs_ov_open(&library);
    if (status == VRS_OK)
        status = vrs_path_format(version, version_size, "%s", library->version);
    if (status == VRS_OK)
        status = vrs_path_format(folder, folder_size, "%s", library->folder);
    return status;
}
