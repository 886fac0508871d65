/* Options to a YAML file. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/config.h"
#include "base/file.h"
#include "base/text.h"

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
        if (grown == NULL)
            return VRS_NO_MEMORY;
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
    if (code == 0x2028 || code == 0x2029)
        return false;
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
        if (code == '"' || code == '\\')
            status = append(text, "\\", 1);
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
    for (size_t i = 0; i < first; i++)
        if (is_changed(config, i) && strcmp(config->options[i]->section, section) == 0)
            return VRS_OK;
    vrs_status status = appendf(text, "%s:\n", section);
    for (size_t i = first; i < config->count && status == VRS_OK; i++)
        if (is_changed(config, i) && strcmp(config->options[i]->section, section) == 0)
            status = append_option(text, config, i);
    return status;
}

vrs_status vrs_config_save(const vrs_config *config, const char *path)
{
    builder text = {0};
    vrs_status status = appendf(&text, "# vrseg: the options that differ from their defaults\n");
    for (size_t i = 0; i < config->count && status == VRS_OK; i++)
        if (is_changed(config, i))
            status = append_section(&text, config, i);
    if (status == VRS_OK)
        status = vrs_file_replace(path, text.data, text.used);
    vrs_free(text.data);
    return status;
}
