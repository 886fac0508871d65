/* Options from and to YAML files. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/config.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"

/* What a file sets, kept apart until all of it is known to be right. */
typedef struct staged {
    char *values[VRS_MAX_OPTIONS]; /* owned; NULL: not in the file */
    int lines[VRS_MAX_OPTIONS];
} staged;

static int shown(const char *text)
{
    return (int)vrs_text_cut(text, strlen(text), 60);
}

/* Puts the place in front of what vrs_option_check() said. */
static vrs_status fail_in_file(vrs_status status, const vrs_yaml *yaml, vrs_yaml_node node)
{
    if (status != VRS_INVALID) {
        return status;
    }
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
    if (nearest == NULL) {
        return vrs_yaml_fail(yaml, key, "there is no option \"%.*s\"", shown(name), name);
    }
    return vrs_yaml_fail(yaml, key, "there is no option \"%.*s\"; did you mean \"%s\"?",
                         shown(name), name, nearest);
}

/* The option that `key` names in `section`; the dot is no part of a key in a file. */
static size_t find_in_section(const vrs_config *config, const char *section, const char *name)
{
    size_t index = strchr(name, '.') == NULL ? vrs_config_find(config, name) : VRS_NO_OPTION;
    if (index != VRS_NO_OPTION && strcmp(config->options[index]->section, section) != 0) {
        return VRS_NO_OPTION;
    }
    return index;
}

static vrs_status stage_option(const vrs_config *config, const vrs_yaml *yaml, const char *section,
                               vrs_yaml_node key, vrs_yaml_node value, staged *stage)
{
    size_t index = find_in_section(config, section, vrs_yaml_text(yaml, key));
    if (index == VRS_NO_OPTION) {
        return fail_unknown(config, yaml, key, section);
    }
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
    return fail_in_file(vrs_option_check(option, text, &stage->values[index]), yaml, value);
}

static bool is_section(const vrs_config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->options[i]->section, name) == 0) {
            return true;
        }
    }
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
    const char *names[VRS_MAX_OPTIONS];
    for (size_t i = 0; i < config->count; i++) {
        names[i] = config->options[i]->section;
    }
    const char *nearest = vrs_nearest_name(name, names, config->count);
    if (nearest == NULL) {
        return vrs_yaml_fail(yaml, key, "there is no section \"%.*s\"", shown(name), name);
    }
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
                                vrs_yaml_node section, staged *stage)
{
    const char *name = vrs_yaml_text(yaml, key);
    if (!is_section(config, name)) {
        return fail_no_section(config, yaml, key);
    }
    if (is_empty(yaml, section)) {
        return VRS_OK;
    }
    if (!vrs_yaml_is_map(yaml, section)) {
        return vrs_yaml_fail(yaml, section, "the section \"%s\" needs lines \"option: value\"",
                             name);
    }
    size_t count = vrs_yaml_count(yaml, section);
    for (size_t i = 0; i < count; i++) {
        vrs_status status = stage_option(config, yaml, name, vrs_yaml_key(yaml, section, i),
                                         vrs_yaml_value(yaml, section, i), stage);
        if (status != VRS_OK) {
            return status;
        }
    }
    return VRS_OK;
}

static vrs_status stage_file(const vrs_config *config, const vrs_yaml *yaml, staged *stage)
{
    vrs_yaml_node root = vrs_yaml_root(yaml);
    if (root == 0 || is_empty(yaml, root)) {
        return VRS_OK;
    }
    if (!vrs_yaml_is_map(yaml, root)) {
        return vrs_yaml_fail(yaml, root, "sections with options were expected, e.g. \"%s:\"",
                             config->count > 0 ? config->options[0]->section : "section");
    }
    size_t count = vrs_yaml_count(yaml, root);
    for (size_t i = 0; i < count; i++) {
        vrs_status status = stage_section(config, yaml, vrs_yaml_key(yaml, root, i),
                                          vrs_yaml_value(yaml, root, i), stage);
        if (status != VRS_OK) {
            return status;
        }
    }
    return VRS_OK;
}

/* Takes the staged values or, after a failure, drops them. */
static void end_staging(vrs_config *config, staged *stage, bool take)
{
    for (size_t i = 0; i < config->count; i++) {
        if (take && stage->values[i] != NULL) {
            vrs_free(config->values[i]);
            config->values[i] = stage->values[i];
        } else {
            vrs_free(stage->values[i]);
        }
    }
}

vrs_status vrs_config_load(vrs_config *config, const char *path)
{
    vrs_yaml *yaml = NULL;
    vrs_status status = vrs_yaml_load(path, &yaml);
    if (status != VRS_OK) {
        return status;
    }
    staged stage = {0};
    status = stage_file(config, yaml, &stage);
    end_staging(config, &stage, status == VRS_OK);
    vrs_yaml_destroy(yaml);
    return status;
}

/* Text that grows. */
typedef struct builder {
    char *data;
    size_t used, room;
} builder;

static vrs_status append(builder *text, const char *data, size_t size)
{
    if (text->room - text->used < size) {
        size_t room = (text->room + size) * 2;
        char *grown = vrs_realloc(text->data, room);
        if (grown == NULL) {
            return VRS_NO_MEMORY;
        }
        text->data = grown;
        text->room = room;
    }
    memcpy(text->data + text->used, data, size);
    text->used += size;
    return VRS_OK;
}

static vrs_status appendf(builder *text, const char *format, ...) VRS_PRINTF(2, 3);

/* For pieces shorter than the buffer. */
static vrs_status appendf(builder *text, const char *format, ...)
{
    char piece[512];
    va_list args;
    va_start(args, format);
    vrs_text_vformat(piece, sizeof(piece), format, args);
    va_end(args);
    return append(text, piece, strlen(piece));
}

/* What a YAML file may hold as it is and is no line end (U+2028 and U+2029 are). */
static bool is_plain(uint32_t code)
{
    if (code == 0x2028 || code == 0x2029) {
        return false;
    }
    return (code >= 0x20 && code <= 0x7e) || (code >= 0xa0 && code <= 0xd7ff) ||
           (code >= 0xe000 && code <= 0xfffd && code != 0xfeff) || code >= 0x10000;
}

static vrs_status append_quoted(builder *text, const vrs_option_info *option, const char *value)
{
    vrs_status status = append(text, "\"", 1);
    size_t length = strlen(value);
    for (size_t i = 0; i < length && status == VRS_OK;) {
        uint32_t code = 0;
        size_t bytes = vrs_text_decode(value + i, length - i, &code);
        if (bytes == 0) {
            return vrs_fail(VRS_INVALID, "%s: the text is not UTF-8, which a YAML file must be",
                            option->name);
        }
        if (code == '"' || code == '\\') {
            status = append(text, "\\", 1);
        }
        if (status == VRS_OK) {
            status = is_plain(code) ? append(text, value + i, bytes)
                                    : appendf(text, "\\U%08X", (unsigned)code);
        }
        i += bytes;
    }
    return status == VRS_OK ? append(text, "\"", 1) : status;
}

static vrs_status append_option(builder *text, const vrs_config *config, size_t index)
{
    const vrs_option_info *option = config->options[index];
    vrs_status status = appendf(text, "  %s: ", option->name);
    if (status == VRS_OK) {
        const char *value = config->values[index];
        status = option->type == VRS_OPTION_STRING ? append_quoted(text, option, value)
                                                   : append(text, value, strlen(value));
    }
    return status == VRS_OK ? append(text, "\n", 1) : status;
}

static bool is_changed(const vrs_config *config, size_t index)
{
    return strcmp(config->values[index], config->defaults[index]) != 0;
}

/* The section of option `first` with all of its options that are changed, unless an option before
 * has written it already. */
static vrs_status append_section(builder *text, const vrs_config *config, size_t first)
{
    const char *section = config->options[first]->section;
    for (size_t i = 0; i < first; i++) {
        if (is_changed(config, i) && strcmp(config->options[i]->section, section) == 0) {
            return VRS_OK;
        }
    }
    vrs_status status = appendf(text, "%s:\n", section);
    for (size_t i = first; i < config->count && status == VRS_OK; i++) {
        if (is_changed(config, i) && strcmp(config->options[i]->section, section) == 0) {
            status = append_option(text, config, i);
        }
    }
    return status;
}

vrs_status vrs_config_save(const vrs_config *config, const char *path)
{
    builder text = {0};
    vrs_status status = appendf(&text, "# vrseg: the options that differ from their defaults\n");
    for (size_t i = 0; i < config->count && status == VRS_OK; i++) {
        if (is_changed(config, i)) {
            status = append_section(&text, config, i);
        }
    }
    if (status == VRS_OK) {
        status = vrs_file_replace(path, text.data, text.used);
    }
    vrs_free(text.data);
    return status;
}
