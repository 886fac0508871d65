/* Configurations by name. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/config.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"

/* Longest title that is shown, with its closing zero. */
#define TITLE_SIZE 256
/* What editors read, not people. */
#define MODELINE "yaml-language-server:"

static vrs_status user_folder(char *path, size_t size)
{
    return vrs_user_folder("XDG_CONFIG_HOME", ".config", "vrseg", path, size);
}

const vrs_named_kind vrs_config_kind = {"VRSEG_CONFIGS_DIR", user_folder, "configs"};

static vrs_status fail_unknown(const char *what)
{
    vrs_names names;
    const char *nearest = NULL;
    if (vrs_named_list(&vrs_config_kind, &names) == VRS_OK)
        nearest = vrs_nearest_name(what, (const char *const *)names.names, names.count);
    int shown = (int)vrs_text_cut(what, strlen(what), 60);
    vrs_status status = vrs_fail(
        VRS_NOT_FOUND,
        "there is no configuration \"%.*s\"%s%s%s; `vrseg config --list` lists them, and a file is "
        "named by its path (./%.*s)",
        shown, what, nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
        nearest != NULL ? "\"?" : "", shown, what);
    vrs_names_free(&names);
    return status;
}

vrs_status vrs_config_find_file(const char *what, char *path, size_t size)
{
    if (strpbrk(what, "/.") != NULL)
        return vrs_path_format(path, size, "%s", what);
    return vrs_named_find(&vrs_config_kind, what, path, size) == VRS_OK ? VRS_OK
                                                                        : fail_unknown(what);
}

/* The first line of comment that is for people, without its '#'. VRS_NO_MEMORY; what else is wrong
 * with a file is said where it is loaded. */
static vrs_status read_title(const char *path, char title[TITLE_SIZE])
{
    char *text = NULL;
    size_t size = 0;
    title[0] = '\0';
    vrs_status status = vrs_file_read(path, VRS_YAML_MAX_BYTES, &text, &size);
    if (status != VRS_OK)
        return status == VRS_NO_MEMORY ? status : VRS_OK;
    for (const char *line = text; *line == '#';) {
        const char *words = line + 1 + strspn(line + 1, " ");
        size_t length = strcspn(words, "\r\n");
        if (length > 0 && strncmp(words, MODELINE, strlen(MODELINE)) != 0) {
            length = vrs_text_cut(words, length, TITLE_SIZE - 1);
            snprintf(title, TITLE_SIZE, "%.*s", (int)length, words);
            break;
        }
        line = words + length;
        line += strspn(line, "\r\n");
    }
    vrs_free(text);
    return VRS_OK;
}

vrs_status vrs_config_list(vrs_config_visit_fn visit, void *opaque)
{
    vrs_names names;
    vrs_status status = vrs_named_list(&vrs_config_kind, &names);
    bool more = true;
    for (size_t i = 0; status == VRS_OK && more && i < names.count; i++) {
        char path[VRS_PATH_MAX], title[TITLE_SIZE];
        if (vrs_named_find(&vrs_config_kind, names.names[i], path, sizeof(path)) == VRS_OK) {
            status = read_title(path, title);
            more = status == VRS_OK && visit(opaque, names.names[i], path, title);
        }
    }
    vrs_names_free(&names);
    return status;
}
