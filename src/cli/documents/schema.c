/* The JSON Schema of a configuration file, for editors: what vrs_config_load() takes. Draft 7 is
 * what yaml-language-server knows best. */
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"

static void add_number(yajl_gen gen, const char *name, double value)
{
    char digits[64];
    int length = snprintf(digits, sizeof(digits), "%.15g", value);
    vrs_json_key(gen, name);
    (void)yajl_gen_number(gen, digits, (size_t)length);
}

/* Opens the list of values `name`. */
static void open_list(yajl_gen gen, const char *name)
{
    vrs_json_key(gen, name);
    (void)yajl_gen_array_open(gen);
}

/* One word of a list. Readers of YAML 1.1 see a truth value in "on" and its like. */
static void add_word(yajl_gen gen, const char *word, size_t length)
{
    (void)yajl_gen_string(gen, (const unsigned char *)word, length);
    bool on = length == 2 && strncmp(word, "on", length) == 0;
    bool off = length == 3 && strncmp(word, "off", length) == 0;
    if (on || off)
        (void)yajl_gen_bool(gen, on);
}

static void add_choices(yajl_gen gen, const vrs_option_info *o)
{
    const char *words = o->type == VRS_OPTION_BOOL ? "on|off|yes|no|true|false" : o->choices;
    open_list(gen, "enum");
    while (*words != 0) {
        size_t length = strcspn(words, "|");
        add_word(gen, words, length);
        words += length + (words[length] == '|' ? 1 : 0);
    }
    (void)yajl_gen_array_close(gen);
}

static void add_numbers(yajl_gen gen, const vrs_option_info *o)
{
    vrs_json_text(gen, "type", o->type == VRS_OPTION_INT ? "integer" : "number");
    if (o->min != 0 || o->max != 0) {
        add_number(gen, "minimum", o->min);
        add_number(gen, "maximum", o->max);
    }
}

/* What the option's own type takes. */
static void add_type(yajl_gen gen, const vrs_option_info *o)
{
    if (o->type == VRS_OPTION_CHOICE || o->type == VRS_OPTION_BOOL) {
        add_choices(gen, o);
    } else if (o->type == VRS_OPTION_STRING) {
        open_list(gen, "type"); /* text may look like a number */
        add_word(gen, "string", 6);
        add_word(gen, "number", 6);
        (void)yajl_gen_array_close(gen);
    } else {
        add_numbers(gen, o);
    }
}

static void add_default(yajl_gen gen, const vrs_option_info *o)
{
    bool number = o->type == VRS_OPTION_INT || o->type == VRS_OPTION_FLOAT;
    vrs_json_key(gen, "default");
    if (number && strcmp(o->default_value, "auto") != 0)
        (void)yajl_gen_number(gen, o->default_value, strlen(o->default_value));
    else
        (void)yajl_gen_string(gen, (const unsigned char *)o->default_value,
                              strlen(o->default_value));
}

static void add_option(yajl_gen gen, const vrs_option_info *o)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), "%s%s%s%s", o->help, o->unit[0] != 0 ? " Unit: " : "",
                   o->unit, o->unit[0] != 0 ? "." : "");
    bool number = o->type == VRS_OPTION_INT || o->type == VRS_OPTION_FLOAT;
    bool or_auto = number && strcmp(o->default_value, "auto") == 0;
    vrs_json_key(gen, o->name);
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "description", text);
    add_default(gen, o);
    if (or_auto) {
        open_list(gen, "anyOf");
        (void)yajl_gen_map_open(gen);
        vrs_json_text(gen, "const", "auto");
        (void)yajl_gen_map_close(gen);
        (void)yajl_gen_map_open(gen);
    }
    add_type(gen, o);
    if (or_auto) {
        (void)yajl_gen_map_close(gen);
        (void)yajl_gen_array_close(gen);
    }
    (void)yajl_gen_map_close(gen);
}

/* Whether an option before `index` is of the same section. */
static bool is_old_section(const vrs_config *config, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(vrs_config_option(config, i)->section,
                   vrs_config_option(config, index)->section) == 0)
            return true;
    return false;
}

static void add_section(yajl_gen gen, const vrs_config *config, size_t first)
{
    const char *section = vrs_config_option(config, first)->section;
    vrs_json_key(gen, section);
    (void)yajl_gen_map_open(gen);
    open_list(gen, "type"); /* a section may be empty */
    add_word(gen, "object", 6);
    add_word(gen, "null", 4);
    (void)yajl_gen_array_close(gen);
    vrs_json_key(gen, "additionalProperties");
    (void)yajl_gen_bool(gen, 0);
    vrs_json_key(gen, "properties");
    (void)yajl_gen_map_open(gen);
    for (size_t i = first; i < vrs_config_count(config); i++)
        if (strcmp(vrs_config_option(config, i)->section, section) == 0)
            add_option(gen, vrs_config_option(config, i));
    (void)yajl_gen_map_close(gen);
    (void)yajl_gen_map_close(gen);
}

static void generate(yajl_gen gen, const vrs_config *config)
{
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "$schema", "http://json-schema.org/draft-07/schema#");
    vrs_json_text(gen, "title", "vrseg configuration");
    open_list(gen, "type");
    add_word(gen, "object", 6);
    add_word(gen, "null", 4);
    (void)yajl_gen_array_close(gen);
    vrs_json_key(gen, "additionalProperties");
    (void)yajl_gen_bool(gen, 0);
    vrs_json_key(gen, "properties");
    (void)yajl_gen_map_open(gen);
    vrs_json_key(gen, "base");
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "description",
                  "The configuration that this one changes: a name, or a path from this file's "
                  "folder.");
    vrs_json_text(gen, "type", "string");
    vrs_json_key(gen, "minLength");
    (void)yajl_gen_integer(gen, 1);
    (void)yajl_gen_map_close(gen);
    for (size_t i = 0; i < vrs_config_count(config); i++)
        if (!is_old_section(config, i))
            add_section(gen, config, i);
    (void)yajl_gen_map_close(gen);
    (void)yajl_gen_map_close(gen);
}

vrs_status vrs_print_schema(const vrs_config *config)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return vrs_fail(VRS_NO_MEMORY, "no memory for the schema");
    (void)yajl_gen_config(gen, yajl_gen_beautify, 1);
    (void)yajl_gen_config(gen, yajl_gen_indent_string, "  ");
    generate(gen, config);
    const unsigned char *json;
    size_t length;
    bool good = yajl_gen_get_buf(gen, &json, &length) == yajl_gen_status_ok &&
                fwrite(json, 1, length, stdout) == length;
    yajl_gen_free(gen);
    return good ? VRS_OK : vrs_fail(VRS_IO, "the schema cannot be written");
}
