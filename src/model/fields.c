#include "model/fields.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/parse.h"

/* Longest name of a value in a message, e.g. "input.mean[2]". */
#define WHAT_SIZE 80

static const char *what(const vrs_fields *fields, const char *key, char text[WHAT_SIZE])
{
    snprintf(text, WHAT_SIZE, "%s%s%s", fields->name, *fields->name ? "." : "", key);
    return text;
}

/* The node under `key`, or 0: there is nothing to read. */
static vrs_yaml_node find(vrs_fields *fields, const char *key, bool required)
{
    char text[WHAT_SIZE];
    if (fields->status != VRS_OK)
        return 0;
    vrs_yaml_node node = vrs_yaml_get(fields->yaml, fields->map, key);
    if (!node && required) {
        fields->status = vrs_yaml_fail(fields->yaml, fields->map, "the key \"%s\" is missing",
                                       what(fields, key, text));
    }
    return node;
}

vrs_fields vrs_fields_of(const vrs_yaml *yaml, vrs_yaml_node map, const char *name,
                         const char *const *keys, size_t key_count)
{
    vrs_fields fields = {.yaml = yaml, .map = map, .name = name};
    if (!vrs_yaml_is_map(yaml, map)) {
        fields.status = vrs_yaml_fail(yaml, map, "%s must be a map of keys and values",
                                      *name ? name : "a descriptor");
    } else {
        fields.status = vrs_yaml_check_keys(yaml, map, keys, key_count);
    }
    return fields;
}

vrs_fields vrs_fields_open(const vrs_yaml *yaml, const char *key, const char *const *keys,
                           size_t key_count)
{
    vrs_fields root = {.yaml = yaml, .map = vrs_yaml_root(yaml), .name = ""};
    vrs_yaml_node map = find(&root, key, true);
    return map ? vrs_fields_of(yaml, map, key, keys, key_count) : root;
}

vrs_status vrs_node_text(const vrs_yaml *yaml, vrs_yaml_node node, const char *name, char *value,
                         size_t size)
{
    const char *text = vrs_yaml_text(yaml, node);
    if (!text || !*text)
        return vrs_yaml_fail(yaml, node, "%s must be a text", name);
    if (strlen(text) >= size)
        return vrs_yaml_fail(yaml, node, "%s is longer than %zu bytes", name, size - 1);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            return vrs_yaml_fail(yaml, node, "%s must be one line", name);
    snprintf(value, size, "%s", text);
    return VRS_OK;
}

void vrs_fields_text(vrs_fields *fields, const char *key, bool required, char *value, size_t size)
{
    char name[WHAT_SIZE];
    vrs_yaml_node node = find(fields, key, required);
    if (node)
        fields->status = vrs_node_text(fields->yaml, node, what(fields, key, name), value, size);
}

vrs_status vrs_node_int(const vrs_yaml *yaml, vrs_yaml_node node, const char *name, int32_t min,
                        int32_t max, int32_t *value)
{
    int64_t number = 0;
    const char *text = vrs_yaml_text(yaml, node);
    if (!text || !vrs_parse_int(text, &number) || number < min || number > max) {
        return vrs_yaml_fail(yaml, node, "%s must be a whole number from %" PRId32 " to %" PRId32,
                             name, min, max);
    }
    *value = (int32_t)number;
    return VRS_OK;
}

void vrs_fields_int(vrs_fields *fields, const char *key, bool required, int32_t min, int32_t max,
                    int32_t *value)
{
    char name[WHAT_SIZE];
    vrs_yaml_node node = find(fields, key, required);
    if (node)
        fields->status = vrs_node_int(fields->yaml, node, what(fields, key, name), min, max, value);
}

void vrs_fields_bool(vrs_fields *fields, const char *key, bool *value)
{
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    char name[WHAT_SIZE];
    vrs_yaml_node node = find(fields, key, false);
    const char *text = vrs_yaml_text(fields->yaml, node);
    for (size_t i = 0; text && i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return;
        }
    }
    if (node) {
        fields->status =
            vrs_yaml_fail(fields->yaml, node, "%s must be on or off", what(fields, key, name));
    }
}

static vrs_status fail_choice(const vrs_fields *fields, vrs_yaml_node node, const char *key,
                              const char *const *choices, size_t count)
{
    char name[WHAT_SIZE], list[128] = "";
    const char *text = vrs_yaml_text(fields->yaml, node);
    const char *nearest = text ? vrs_nearest_name(text, choices, count) : NULL;
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof list; i++) {
        const char *joint = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", joint, choices[i]);
    }
    return vrs_yaml_fail(fields->yaml, node, "%s must be %s%s%s%s", what(fields, key, name), list,
                         nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                         nearest ? "\"?" : "");
}

void vrs_fields_choice(vrs_fields *fields, const char *key, bool required,
                       const char *const *choices, size_t count, int32_t *value)
{
    vrs_yaml_node node = find(fields, key, required);
    const char *text = vrs_yaml_text(fields->yaml, node);
    for (size_t i = 0; text && i < count; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *value = (int32_t)i;
            return;
        }
    }
    if (node)
        fields->status = fail_choice(fields, node, key, choices, count);
}

/* "0.5" or "1/255". */
static bool parse_number(const char *text, double *value)
{
    char above[32];
    double divisor;
    const char *slash = strchr(text, '/');
    if (!slash)
        return vrs_parse_float(text, value);
    size_t length = (size_t)(slash - text);
    if (length >= sizeof above)
        return false;
    memcpy(above, text, length);
    above[length] = 0;
    if (!vrs_parse_float(above, value) || !vrs_parse_float(slash + 1, &divisor) || divisor == 0)
        return false;
    *value /= divisor;
    return true;
}

static vrs_status node_number(const vrs_yaml *yaml, vrs_yaml_node node, const char *name,
                              double min, double max, float *value)
{
    double number = 0;
    const char *text = vrs_yaml_text(yaml, node);
    if (!text || !parse_number(text, &number))
        return vrs_yaml_fail(yaml, node, "%s must be a number such as 127.5 or 1/255", name);
    if (!(fabs(number) >= min && fabs(number) <= max)) {
        return vrs_yaml_fail(yaml, node, "%s must be between %g and %g by its magnitude", name, min,
                             max);
    }
    *value = (float)number;
    return VRS_OK;
}

void vrs_fields_number(vrs_fields *fields, const char *key, double min, double max, float *value)
{
    char name[WHAT_SIZE];
    vrs_yaml_node node = find(fields, key, false);
    if (node)
        fields->status = node_number(fields->yaml, node, what(fields, key, name), min, max, value);
}

static vrs_status node_three(const vrs_yaml *yaml, vrs_yaml_node node, const char *name, double min,
                             double max, float value[3])
{
    vrs_status status = VRS_OK;
    if (!vrs_yaml_is_list(yaml, node)) {
        status = node_number(yaml, node, name, min, max, value);
        value[1] = value[2] = value[0];
        return status;
    }
    if (vrs_yaml_count(yaml, node) != 3)
        return vrs_yaml_fail(yaml, node, "%s must be one number, or a list of three", name);
    for (size_t i = 0; status == VRS_OK && i < 3; i++)
        status = node_number(yaml, vrs_yaml_item(yaml, node, i), name, min, max, &value[i]);
    return status;
}

void vrs_fields_three(vrs_fields *fields, const char *key, double min, double max, float value[3])
{
    char name[WHAT_SIZE];
    vrs_yaml_node node = find(fields, key, false);
    if (node)
        fields->status = node_three(fields->yaml, node, what(fields, key, name), min, max, value);
}
