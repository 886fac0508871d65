/* vrseg config: every setting with its origin, the configurations that are installed, the schema.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"

enum { KEY_JSON = 1, KEY_SCHEMA, KEY_LIST, KEY_CHANGED };

static const struct argp_option own_options[] = {
    {"json", KEY_JSON, NULL, 0, "As JSON", 1},
    {"changed", KEY_CHANGED, NULL, 0, "Only what is not left at its default", 1},
    {"list", KEY_LIST, NULL, 0, "List the configurations that --config finds by name", 1},
    {"schema", KEY_SCHEMA, NULL, 0, "The JSON Schema of a configuration file, for editors", 1},
    {0},
};

typedef struct arguments {
    vrs_config *config;
    bool json, changed;
    int what; /* a key: --list or --schema; 0: the settings */
} arguments;

static error_t parse(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = a->config;
        return 0;
    case KEY_JSON:
        a->json = true;
        return 0;
    case KEY_CHANGED:
        a->changed = true;
        return 0;
    case KEY_LIST:
    case KEY_SCHEMA:
        if (a->what != 0 && a->what != key)
            argp_error(state, "--list and --schema: one at a time");
        a->what = key;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: no argument is expected; --config %s reads a configuration", value,
                   value);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp *vrs_config_argp(void)
{
    static struct argp_child children[2];
    static const struct argp argp = {
        .options = own_options,
        .parser = parse,
        .doc = "Shows every setting that a run with the same flags has, and where it comes from: a "
               "flag, a variable VRSEG_OPTION_NAME, a line of a configuration, or the default. "
               "What it prints is itself a configuration.",
        .children = children,
    };
    children[0].argp = vrs_flags_argp();
    return &argp;
}

/* ---- the settings ---- */

/* "--max-batch-size", "VRSEG_OPTION_CRF", "vr.yaml:12", "default". */
static void write_origin(const vrs_config *config, const vrs_option_info *o, char *text,
                         size_t size)
{
    vrs_config_layer layer = vrs_config_get_layer(config, o->name);
    if (layer == VRS_LAYER_SET) {
        (void)snprintf(text, size, "--%s", o->name);
        for (char *c = text; *c != 0; c++)
            *c = *c == '_' ? '-' : *c;
    } else {
        (void)snprintf(text, size, "%s",
                       layer == VRS_LAYER_DEFAULT ? "default"
                                                  : vrs_config_get_place(config, o->name));
    }
}

static const char *layer_name(vrs_config_layer layer)
{
    static const char *const names[] = {"default", "file", "environment", "flag"};
    return names[layer];
}

/* Text in double quotes, as YAML reads it. */
static void print_quoted(const char *text)
{
    (void)putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++)
        if (*c == '"' || *c == '\\')
            (void)printf("\\%c", *c);
        else if (*c < ' ' || *c == 0x7f)
            (void)printf("\\x%02X", *c);
        else
            (void)putchar(*c);
    (void)putchar('"');
}

static bool is_shown(const arguments *a, const vrs_option_info *o)
{
    return !a->changed || vrs_config_get_layer(a->config, o->name) != VRS_LAYER_DEFAULT;
}

/* A section's name, before its first option. */
static void print_section(const char **section, const char *next)
{
    if (strcmp(*section, next) != 0)
        (void)printf("%s%s:\n", **section != 0 ? "\n" : "", next);
    *section = next;
}

/* All options of the section of option `first`. */
static void print_options(const arguments *a, size_t first, const char **section)
{
    const char *wanted = vrs_config_option(a->config, first)->section;
    for (size_t i = first; i < vrs_config_count(a->config); i++) {
        const vrs_option_info *o = vrs_config_option(a->config, i);
        if (strcmp(o->section, wanted) != 0 || !is_shown(a, o))
            continue;
        char origin[4200];
        write_origin(a->config, o, origin, sizeof(origin));
        print_section(section, o->section);
        (void)printf("  %s: ", o->name);
        if (o->type == VRS_OPTION_STRING)
            print_quoted(vrs_config_get(a->config, o->name));
        else
            (void)fputs(vrs_config_get(a->config, o->name), stdout);
        (void)printf("  # %s\n", origin);
    }
}

/* A section's options need not stand together in the table, in a YAML file they do. */
static bool is_first(const vrs_config *config, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(vrs_config_option(config, i)->section,
                   vrs_config_option(config, index)->section) == 0)
            return false;
    return true;
}

static void print_yaml(const arguments *a)
{
    const char *section = "";
    for (size_t i = 0; i < vrs_config_count(a->config); i++)
        if (is_first(a->config, i))
            print_options(a, i, &section);
    if (*section == 0)
        (void)puts("# every option has its default");
}

static void add_value(yajl_gen gen, const vrs_option_info *o, const char *value)
{
    bool number = o->type == VRS_OPTION_INT || o->type == VRS_OPTION_FLOAT;
    vrs_json_key(gen, "value");
    if (number && strcmp(value, "auto") != 0)
        (void)yajl_gen_number(gen, value, strlen(value));
    else if (o->type == VRS_OPTION_BOOL)
        (void)yajl_gen_bool(gen, strcmp(value, "on") == 0);
    else if (yajl_gen_string(gen, (const unsigned char *)value, strlen(value)) !=
             yajl_gen_status_ok)
        (void)yajl_gen_null(gen); /* not UTF-8 */
}

static void add_option(yajl_gen gen, const vrs_config *config, const vrs_option_info *o)
{
    char origin[4200];
    write_origin(config, o, origin, sizeof(origin));
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "section", o->section);
    vrs_json_text(gen, "name", o->name);
    add_value(gen, o, vrs_config_get(config, o->name));
    vrs_json_text(gen, "layer", layer_name(vrs_config_get_layer(config, o->name)));
    vrs_json_text(gen, "origin", origin);
    (void)yajl_gen_map_close(gen);
}

static vrs_status print_json(const arguments *a)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return vrs_fail(VRS_NO_MEMORY, "no memory for the settings");
    (void)yajl_gen_config(gen, yajl_gen_beautify, 1);
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "version", vrs_version());
    vrs_json_key(gen, "options");
    (void)yajl_gen_array_open(gen);
    for (size_t i = 0; i < vrs_config_count(a->config); i++)
        if (is_shown(a, vrs_config_option(a->config, i)))
            add_option(gen, a->config, vrs_config_option(a->config, i));
    (void)yajl_gen_array_close(gen);
    (void)yajl_gen_map_close(gen);
    const unsigned char *json;
    size_t length;
    if (yajl_gen_get_buf(gen, &json, &length) == yajl_gen_status_ok)
        (void)fwrite(json, 1, length, stdout);
    yajl_gen_free(gen);
    return VRS_OK;
}

/* ---- the configurations that are installed ---- */

static bool print_name(void *opaque, const char *name, const char *path, const char *title)
{
    (void)opaque;
    (void)path;
    (void)printf("%-32s %s\n", name, title);
    return true;
}

static bool add_name(void *opaque, const char *name, const char *path, const char *title)
{
    yajl_gen gen = opaque;
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "name", name);
    vrs_json_text(gen, "path", path);
    vrs_json_text(gen, "title", title);
    (void)yajl_gen_map_close(gen);
    return true;
}

static vrs_status list(bool as_json)
{
    if (!as_json)
        return vrs_config_list(print_name, NULL);
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return vrs_fail(VRS_NO_MEMORY, "no memory for the list");
    (void)yajl_gen_array_open(gen);
    vrs_status status = vrs_config_list(add_name, gen);
    (void)yajl_gen_array_close(gen);
    if (status == VRS_OK)
        vrs_json_line(gen, stdout);
    yajl_gen_free(gen);
    return status;
}

static vrs_status show(const arguments *a)
{
    if (a->what == KEY_LIST)
        return list(a->json);
    if (a->what == KEY_SCHEMA)
        return vrs_print_schema(a->config);
    if (a->json)
        return print_json(a);
    print_yaml(a);
    return VRS_OK;
}

int vrs_command_config(int argc, char **argv)
{
    arguments a = {0};
    vrs_status status = vrs_flags_config(&a.config);
    if (status != VRS_OK)
        return vrs_report(status);
    (void)argp_parse(vrs_config_argp(), argc, argv, 0, NULL, &a);
    status = show(&a);
    if (status == VRS_OK && fflush(stdout) != 0)
        status = vrs_fail(VRS_IO, "the settings cannot be written");
    vrs_config_destroy(a.config);
    return status == VRS_OK ? VRS_EXIT_DONE : vrs_report(status);
}
