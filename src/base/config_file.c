/* Options from YAML files, and from those that they are based on. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/config.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"

/* The key of a file that names what it is based on. */
#define BASE_KEY "base"
/* Most files that are based on each other. */
#define MAX_BASES 8

static int shown(const char *text)
{
    return (int)vrs_text_cut(text, strlen(text), 60);
}

/* Puts the place in front of what vrs_option_check() said. */
static vrs_status fail_in_file(vrs_status status, const vrs_yaml *yaml, vrs_yaml_node node)
{
    if (status != VRS_INVALID)
        return status;
    char place[VRS_DETAIL_SIZE];
    snprintf(place, sizeof(place), "%s:%d", vrs_yaml_path(yaml), vrs_yaml_line(yaml, node));
    return vrs_fail_in(status, place);
}

static vrs_status fail_unknown(const vrs_config *config, const vrs_yaml *yaml, vrs_yaml_node key,
                               const char *section)
{
    const char *name = vrs_yaml_text(yaml, key);
    size_t elsewhere = vrs_config_find(config, name);
    if (elsewhere != VRS_NO_OPTION && strchr(name, '.') == NULL) {
        return vrs_yaml_fail(yaml, key, "\"%s\" belongs to the section \"%s\", not \"%s\"",
                             config->options[elsewhere]->name, config->options[elsewhere]->section,
                             section);
    }
    const char *nearest = vrs_config_nearest(config, name);
    if (nearest == NULL)
        return vrs_yaml_fail(yaml, key, "there is no option \"%.*s\"", shown(name), name);
    return vrs_yaml_fail(yaml, key, "there is no option \"%.*s\"; did you mean \"%s\"?",
                         shown(name), name, nearest);
}

/* The option that `key` names in `section`; the dot is no part of a key in a file. */
static size_t find_in_section(const vrs_config *config, const char *section, const char *name)
{
    size_t index = strchr(name, '.') == NULL ? vrs_config_find(config, name) : VRS_NO_OPTION;
    if (index != VRS_NO_OPTION && strcmp(config->options[index]->section, section) != 0)
        return VRS_NO_OPTION;
    return index;
}

/* "FILE:LINE", owned; NULL: memory is out. */
static char *make_place(const vrs_yaml *yaml, vrs_yaml_node node)
{
    char place[VRS_PATH_MAX + 16];
    snprintf(place, sizeof(place), "%s:%d", vrs_yaml_path(yaml), vrs_yaml_line(yaml, node));
    return vrs_strdup(place);
}

static vrs_status stage_option(const vrs_config *config, const vrs_yaml *yaml, const char *section,
                               vrs_yaml_node key, vrs_yaml_node value, vrs_config_stage *stage)
{
    size_t index = find_in_section(config, section, vrs_yaml_text(yaml, key));
    if (index == VRS_NO_OPTION)
        return fail_unknown(config, yaml, key, section);
    const vrs_option_info *option = config->options[index];
    if (stage->values[index] != NULL) {
        return vrs_yaml_fail(yaml, key, "\"%s\" is given twice, first in line %d; remove one",
                             option->name, stage->lines[index]);
    }
    const char *text = vrs_yaml_text(yaml, value);
    if (text == NULL) {
        return vrs_yaml_fail(yaml, value, "%s: one value was expected, not a list or a map",
                             option->name);
    }
    stage->lines[index] = vrs_yaml_line(yaml, key);
    stage->places[index] = make_place(yaml, key);
    if (stage->places[index] == NULL)
        return VRS_NO_MEMORY;
    return fail_in_file(vrs_option_check(option, text, &stage->values[index]), yaml, value);
}

static bool is_section(const vrs_config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->options[i]->section, name) == 0)
            return true;
    return false;
}

static vrs_status fail_no_section(const vrs_config *config, const vrs_yaml *yaml, vrs_yaml_node key)
{
    const char *name = vrs_yaml_text(yaml, key);
    size_t index = vrs_config_find(config, name);
    if (index != VRS_NO_OPTION) {
        return vrs_yaml_fail(yaml, key, "\"%s\" belongs under \"%s:\"",
                             config->options[index]->name, config->options[index]->section);
    }
    const char *names[VRS_MAX_OPTIONS + 1];
    for (size_t i = 0; i < config->count; i++)
        names[i] = config->options[i]->section;
    names[config->count] = BASE_KEY;
    const char *nearest = vrs_nearest_name(name, names, config->count + 1);
    if (nearest == NULL)
        return vrs_yaml_fail(yaml, key, "there is no section \"%.*s\"", shown(name), name);
    return vrs_yaml_fail(yaml, key, "there is no section \"%.*s\"; did you mean \"%s\"?",
                         shown(name), name, nearest);
}

/* "section:" with nothing after it. */
static bool is_empty(const vrs_yaml *yaml, vrs_yaml_node node)
{
    const char *text = vrs_yaml_text(yaml, node);
    return text != NULL && text[0] == '\0';
}

static vrs_status stage_section(const vrs_config *config, const vrs_yaml *yaml, vrs_yaml_node key,
                                vrs_yaml_node section, vrs_config_stage *stage)
{
    const char *name = vrs_yaml_text(yaml, key);
    if (!is_section(config, name))
        return fail_no_section(config, yaml, key);
    if (is_empty(yaml, section))
        return VRS_OK;
    if (!vrs_yaml_is_map(yaml, section)) {
        return vrs_yaml_fail(yaml, section, "the section \"%s\" needs lines \"option: value\"",
                             name);
    }
    size_t count = vrs_yaml_count(yaml, section);
    for (size_t i = 0; i < count; i++) {
        vrs_status status = stage_option(config, yaml, name, vrs_yaml_key(yaml, section, i),
                                         vrs_yaml_value(yaml, section, i), stage);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

static vrs_status stage_file(const vrs_config *config, const vrs_yaml *yaml,
                             vrs_config_stage *stage)
{
    vrs_yaml_node root = vrs_yaml_root(yaml);
    if (root == 0 || is_empty(yaml, root))
        return VRS_OK;
    if (!vrs_yaml_is_map(yaml, root)) {
        return vrs_yaml_fail(yaml, root, "sections with options were expected, e.g. \"%s:\"",
                             config->count > 0 ? config->options[0]->section : "section");
    }
    size_t count = vrs_yaml_count(yaml, root);
    for (size_t i = 0; i < count; i++) {
        vrs_yaml_node key = vrs_yaml_key(yaml, root, i);
        if (strcmp(vrs_yaml_text(yaml, key), BASE_KEY) == 0)
            continue;
        vrs_status status = stage_section(config, yaml, key, vrs_yaml_value(yaml, root, i), stage);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

/* --- files that are based on others --- */

/* One that is being read, below those that are based on it. */
typedef struct level {
    const struct level *above;
    int depth;
    char path[VRS_PATH_MAX];
} level;

static bool is_same_file(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* The path of a base: a name, or a path from the folder of the file that names it. */
static vrs_status find_base(const char *base, const char *from, char *path, size_t size)
{
    bool is_path = strpbrk(base, "/.") != NULL;
    if (!is_path || base[0] == '/')
        return vrs_config_find_file(base, path, size);
    int folder = (int)(vrs_path_base(from) - from);
    return vrs_path_format(path, size, "%.*s%s", folder, from, base);
}

/* Opens the level of the base that `file` names, if it names one. */
static vrs_status open_base(const vrs_yaml *yaml, vrs_yaml_node node, const level *file,
                            level *base)
{
    const char *text = vrs_yaml_text(yaml, node);
    if (text == NULL || text[0] == '\0')
        return vrs_yaml_fail(yaml, node, "base: the name or the path of one file was expected");
    base->above = file;
    base->depth = file->depth + 1;
    if (find_base(text, file->path, base->path, sizeof(base->path)) != VRS_OK)
        return vrs_yaml_fail(yaml, node, "base: %s", vrs_last_error());
    for (const level *l = file; l != NULL; l = l->above) {
        if (is_same_file(l->path, base->path)) {
            return vrs_yaml_fail(yaml, node, "base: \"%.*s\" is %s; remove one of the two",
                                 shown(text), text,
                                 l == file ? "this file itself" : "based on this file");
        }
    }
    if (base->depth > MAX_BASES) {
        return vrs_yaml_fail(yaml, node, "base: more than %d files are based on each other",
                             MAX_BASES);
    }
    if (!vrs_file_exists(base->path))
        return vrs_yaml_fail(yaml, node, "base: there is no file %s", base->path);
    return VRS_OK;
}

static vrs_status stage_level(const vrs_config *config, const level *file, vrs_config_stage *stage);

/* First what the file is based on, then, over it, the file. */
static vrs_status stage_document(const vrs_config *config, const vrs_yaml *yaml, const level *file,
                                 vrs_config_stage *stage)
{
    vrs_yaml_node node = vrs_yaml_get(yaml, vrs_yaml_root(yaml), BASE_KEY);
    if (node != 0) {
        level base;
        vrs_status status = open_base(yaml, node, file, &base);
        if (status == VRS_OK)
            status = stage_level(config, &base, stage);
        if (status != VRS_OK)
            return status;
    }
    vrs_config_stage own = {0};
    vrs_status status = stage_file(config, yaml, &own);
    for (size_t i = 0; i < config->count && status == VRS_OK; i++) {
        if (own.values[i] != NULL) {
            vrs_free(stage->values[i]);
            vrs_free(stage->places[i]);
            stage->values[i] = own.values[i];
            stage->places[i] = own.places[i];
            own.values[i] = NULL;
            own.places[i] = NULL;
        }
    }
    vrs_config_drop(&own);
    return status;
}

static vrs_status stage_level(const vrs_config *config, const level *file, vrs_config_stage *stage)
{
    vrs_yaml *yaml = NULL;
    vrs_status status = vrs_yaml_load(file->path, &yaml);
    if (status == VRS_OK)
        status = stage_document(config, yaml, file, stage);
    vrs_yaml_destroy(yaml);
    return status;
}

vrs_status vrs_config_load(vrs_config *config, const char *file)
{
    level first = {0};
    vrs_status status = vrs_config_find_file(file, first.path, sizeof(first.path));
    if (status != VRS_OK)
        return status;
    vrs_config_stage stage = {0};
    status = stage_level(config, &first, &stage);
    if (status == VRS_OK)
        vrs_config_take(config, &stage, VRS_LAYER_FILE);
    vrs_config_drop(&stage);
    return status;
}
