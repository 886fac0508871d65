/* Options: their table, their values, and setting them by name. Files are in config_file.c, the
 * environment is in config_environment.c. */
#include "base/config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/options.h"
#include "base/parse.h"
#include "base/text.h"

/* Longest value; with it a message about one still says everything. */
#define MAX_VALUE 4096

static int shown(const char *text)
{
    return (int)vrs_text_cut(text, strlen(text), 60);
}

static bool is_auto(const vrs_option_info *option, const char *value)
{
    return strcmp(option->default_value, "auto") == 0 && strcmp(value, "auto") == 0;
}

static const char *or_auto(const vrs_option_info *option)
{
    return strcmp(option->default_value, "auto") == 0 ? " or auto" : "";
}

static bool has_range(const vrs_option_info *option)
{
    return option->min != 0 || option->max != 0;
}

static vrs_status fail_number(const vrs_option_info *option, const char *value, const char *kind)
{
    char range[2 * VRS_FLOAT_TEXT_SIZE + 16] = "";
    if (has_range(option)) {
        char min[VRS_FLOAT_TEXT_SIZE];
        char max[VRS_FLOAT_TEXT_SIZE];
        vrs_format_float(min, option->min);
        vrs_format_float(max, option->max);
        snprintf(range, sizeof(range), " from %s to %s", min, max);
    }
    bool unit = option->unit[0] != '\0';
    return vrs_fail(VRS_INVALID, "%s: \"%.*s\" is not %s%s%s%s%s%s", option->name, shown(value),
                    value, kind, range, unit ? " (" : "", option->unit, unit ? ")" : "",
                    or_auto(option));
}

static bool in_range(const vrs_option_info *option, double value)
{
    return !has_range(option) || (value >= option->min && value <= option->max);
}

static vrs_status check_int(const vrs_option_info *option, const char *value, char **text)
{
    int64_t number = 0;
    if (!vrs_parse_int(value, &number) || !in_range(option, (double)number))
        return fail_number(option, value, "a whole number");
    char plain[VRS_FLOAT_TEXT_SIZE];
    snprintf(plain, sizeof(plain), "%lld", (long long)number);
    *text = vrs_strdup(plain);
    return *text != NULL ? VRS_OK : VRS_NO_MEMORY;
}

static vrs_status check_float(const vrs_option_info *option, const char *value, char **text)
{
    double number = 0;
    if (!vrs_parse_float(value, &number) || !in_range(option, number))
        return fail_number(option, value, "a number");
    char plain[VRS_FLOAT_TEXT_SIZE];
    vrs_format_float(plain, number);
    *text = vrs_strdup(plain);
    return *text != NULL ? VRS_OK : VRS_NO_MEMORY;
}

static vrs_status check_bool(const vrs_option_info *option, const char *value, char **text)
{
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            *text = vrs_strdup(words[i % 2]);
            return *text != NULL ? VRS_OK : VRS_NO_MEMORY;
        }
    }
    return vrs_fail(VRS_INVALID, "%s: \"%.*s\" is neither on nor off", option->name, shown(value),
                    value);
}

/* Most choices of an option, and the longest of them together. */
#define MAX_CHOICES 32
#define MAX_CHOICES_TEXT 256

/* The words that '|' separates, in a copy of theirs. */
typedef struct words {
    char text[MAX_CHOICES_TEXT];
    const char *word[MAX_CHOICES];
    size_t count;
} words;

static void split_choices(const char *choices, words *split)
{
    assert(strlen(choices) < sizeof(split->text));
    memcpy(split->text, choices, strlen(choices) + 1);
    split->count = 0;
    for (char *word = split->text; word != NULL;) {
        assert(split->count < MAX_CHOICES);
        split->word[split->count++] = word;
        word = strchr(word, '|');
        if (word != NULL)
            *word++ = '\0';
    }
}

static vrs_status check_choice(const vrs_option_info *option, const char *value, char **text)
{
    words choices;
    split_choices(option->choices, &choices);
    for (size_t i = 0; i < choices.count; i++) {
        if (strcmp(choices.word[i], value) == 0) {
            *text = vrs_strdup(value);
            return *text != NULL ? VRS_OK : VRS_NO_MEMORY;
        }
    }
    const char *nearest = vrs_nearest_name(value, choices.word, choices.count);
    return vrs_fail(VRS_INVALID, "%s: \"%.*s\" is none of %s%s%s%s", option->name, shown(value),
                    value, option->choices, nearest != NULL ? "; did you mean \"" : "",
                    nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

static vrs_status check_string(const vrs_option_info *option, const char *value, char **text)
{
    if (strlen(value) > MAX_VALUE) {
        return vrs_fail(VRS_INVALID, "%s: the text is longer than %d bytes", option->name,
                        MAX_VALUE);
    }
    *text = vrs_strdup(value);
    return *text != NULL ? VRS_OK : VRS_NO_MEMORY;
}

vrs_status vrs_option_check(const vrs_option_info *option, const char *value, char **text)
{
    typedef vrs_status (*check_fn)(const vrs_option_info *, const char *, char **);
    static const check_fn checks[] = {
        [VRS_OPTION_INT] = check_int,       [VRS_OPTION_FLOAT] = check_float,
        [VRS_OPTION_BOOL] = check_bool,     [VRS_OPTION_STRING] = check_string,
        [VRS_OPTION_CHOICE] = check_choice,
    };
    assert((size_t)option->type < sizeof(checks) / sizeof(checks[0]));
    return is_auto(option, value) ? check_string(option, value, text)
                                  : checks[option->type](option, value, text);
}

/* Fills the defaults in the form that set values get, so that both can be compared as text. */
static vrs_status add_options(vrs_config *config, const vrs_option_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        assert(config->count < VRS_MAX_OPTIONS);
        const vrs_option_info *option = &table->options[i];
        assert(vrs_config_find(config, option->name) == VRS_NO_OPTION);
        assert(strcmp(option->section, "base") != 0); /* a file's own key, see vrs_config_load() */
        size_t index = config->count;
        vrs_status status =
            vrs_option_check(option, option->default_value, &config->defaults[index]);
        if (status != VRS_OK)
            return status;
        config->options[index] = option;
        config->count++;
        config->values[index] = vrs_strdup(config->defaults[index]);
        if (config->values[index] == NULL)
            return VRS_NO_MEMORY;
    }
    return VRS_OK;
}

vrs_status vrs_config_create_from(const vrs_option_table *tables, size_t table_count,
                                  vrs_config **config)
{
    vrs_config *made = vrs_alloc(sizeof(*made));
    if (made == NULL)
        return VRS_NO_MEMORY;
    for (size_t i = 0; i < table_count; i++) {
        vrs_status status = add_options(made, &tables[i]);
        if (status != VRS_OK) {
            vrs_config_destroy(made);
            return status;
        }
    }
    *config = made;
    return VRS_OK;
}

void vrs_config_destroy(vrs_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->count; i++) {
        vrs_free(config->values[i]);
        vrs_free(config->defaults[i]);
        vrs_free(config->places[i]);
    }
    vrs_free(config);
}

/* '-' counts as '_'. */
static bool same_name(const char *a, const char *b, size_t b_length)
{
    for (size_t i = 0; i < b_length; i++)
        if (a[i] == '\0' || a[i] != (b[i] == '-' ? '_' : b[i]))
            return false;
    return a[b_length] == '\0';
}

size_t vrs_config_find(const vrs_config *config, const char *name)
{
    const char *dot = strchr(name, '.');
    const char *plain = dot != NULL ? dot + 1 : name;
    for (size_t i = 0; i < config->count; i++) {
        const vrs_option_info *option = config->options[i];
        if (same_name(option->name, plain, strlen(plain)) &&
            (dot == NULL || same_name(option->section, name, (size_t)(dot - name))))
            return i;
    }
    return VRS_NO_OPTION;
}

const char *vrs_config_nearest(const vrs_config *config, const char *name)
{
    const char *names[VRS_MAX_OPTIONS];
    for (size_t i = 0; i < config->count; i++)
        names[i] = config->options[i]->name;
    const char *dot = strchr(name, '.');
    return vrs_nearest_name(dot != NULL ? dot + 1 : name, names, config->count);
}

/* Takes both texts. */
static void put(vrs_config *config, size_t index, vrs_config_layer layer, char *value, char *place)
{
    vrs_free(config->values[index]);
    vrs_free(config->places[index]);
    config->values[index] = value;
    config->places[index] = place;
    config->layers[index] = layer;
}

vrs_status vrs_config_set(vrs_config *config, const char *name, const char *value)
{
    size_t index = vrs_config_find(config, name);
    if (index == VRS_NO_OPTION) {
        const char *nearest = vrs_config_nearest(config, name);
        if (nearest == NULL)
            return vrs_fail(VRS_NOT_FOUND, "there is no option \"%.*s\"", shown(name), name);
        return vrs_fail(VRS_NOT_FOUND, "there is no option \"%.*s\"; did you mean \"%s\"?",
                        shown(name), name, nearest);
    }
    char *text = NULL;
    vrs_status status = vrs_option_check(config->options[index], value, &text);
    if (status == VRS_OK)
        put(config, index, VRS_LAYER_SET, text, NULL);
    return status;
}

void vrs_config_drop(vrs_config_stage *stage)
{
    for (size_t i = 0; i < VRS_MAX_OPTIONS; i++) {
        vrs_free(stage->values[i]);
        vrs_free(stage->places[i]);
    }
    *stage = (vrs_config_stage){0};
}

void vrs_config_take(vrs_config *config, vrs_config_stage *stage, vrs_config_layer layer)
{
    for (size_t i = 0; i < config->count; i++) {
        if (stage->values[i] != NULL && config->layers[i] <= layer) {
            put(config, i, layer, stage->values[i], stage->places[i]);
            stage->values[i] = NULL;
            stage->places[i] = NULL;
        }
    }
    vrs_config_drop(stage);
}

vrs_config_layer vrs_config_get_layer(const vrs_config *config, const char *name)
{
    size_t index = vrs_config_find(config, name);
    return index != VRS_NO_OPTION ? config->layers[index] : VRS_LAYER_DEFAULT;
}

const char *vrs_config_get_place(const vrs_config *config, const char *name)
{
    size_t index = vrs_config_find(config, name);
    return index != VRS_NO_OPTION && config->places[index] != NULL ? config->places[index] : "";
}

const char *vrs_config_get(const vrs_config *config, const char *name)
{
    size_t index = vrs_config_find(config, name);
    return index != VRS_NO_OPTION ? config->values[index] : NULL;
}

/* A getter with a wrong name or type is a mistake in the program. */
static const char *get_typed(const vrs_config *config, const char *name, vrs_option_type type)
{
    size_t index = vrs_config_find(config, name);
    assert(index != VRS_NO_OPTION && config->options[index]->type == type);
    (void)type;
    return config->values[index];
}

int64_t vrs_config_int(const vrs_config *config, const char *name, int64_t auto_value)
{
    int64_t number = auto_value;
    bool set = vrs_parse_int(get_typed(config, name, VRS_OPTION_INT), &number);
    return set ? number : auto_value;
}

double vrs_config_float(const vrs_config *config, const char *name, double auto_value)
{
    double number = auto_value;
    bool set = vrs_parse_float(get_typed(config, name, VRS_OPTION_FLOAT), &number);
    return set ? number : auto_value;
}

bool vrs_config_bool(const vrs_config *config, const char *name)
{
    return strcmp(get_typed(config, name, VRS_OPTION_BOOL), "on") == 0;
}

size_t vrs_config_count(const vrs_config *config)
{
    return config->count;
}

const vrs_option_info *vrs_config_option(const vrs_config *config, size_t index)
{
    assert(index < config->count);
    return config->options[index];
}
