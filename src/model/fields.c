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

/* The node under `key`; 0 with VRS_OK where a key that is not required is missing. */
static vrs_status find(const vrs_fields *fields, const char *key, bool required,
                       vrs_yaml_node *node)
{
    char text[WHAT_SIZE];
    *node = vrs_yaml_get(fields->yaml, fields->map, key);
    if (!*node && required)
        return vrs_yaml_fail(fields->yaml, fields->map, "the key \"%s\" is missing",
                             what(fields, key, text));
    return VRS_OK;
}

vrs_status vrs_fields_open(const vrs_yaml *yaml, const char *key, const char *const *keys,
                           size_t key_count, vrs_fields *fields)
{
    *fields = (vrs_fields){yaml, vrs_yaml_root(yaml), key};
    if (*key) {
        vrs_fields root = {yaml, vrs_yaml_root(yaml), ""};
        vrs_status status = find(&root, key, true, &fields->map);
        if (status != VRS_OK)
            return status;
    }
    if (!vrs_yaml_is_map(yaml, fields->map))
        return vrs_yaml_fail(yaml, fields->map, "%s must be a map of keys and values",
                             *key ? key : "a descriptor");
    return vrs_yaml_check_keys(yaml, fields->map, keys, key_count);
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

vrs_status vrs_fields_text(const vrs_fields *fields, const char *key, bool required, char *value,
                           size_t size)
{
    char name[WHAT_SIZE];
    vrs_yaml_node node;
    vrs_status status = find(fields, key, required, &node);
    if (status != VRS_OK || !node)
        return status;
    return vrs_node_text(fields->yaml, node, what(fields, key, name), value, size);
}

vrs_status vrs_node_int(const vrs_yaml *yaml, vrs_yaml_node node, const char *name, int32_t min,
                        int32_t max, int32_t *value)
{
    int64_t number = 0;
    const char *text = vrs_yaml_text(yaml, node);
    if (!text || !vrs_parse_int(text, &number) || number < min || number > max)
        return vrs_yaml_fail(yaml, node,
                             "%s must be a whole number from %" PRId32 " to %" PRId32, name, min,
                             max);
    *value = (int32_t)number;
    return VRS_OK;
}

vrs_status vrs_fields_int(const vrs_fields *fields, const char *key, bool required, int32_t min,
                          int32_t max, int32_t *value)
{
    char name[WHAT_SIZE];
    vrs_yaml_node node;
    vrs_status status = find(fields, key, required, &node);
    if (status != VRS_OK || !node)
        return status;
    return vrs_node_int(fields->yaml, node, what(fields, key, name), min, max, value);
}

vrs_status vrs_fields_bool(const vrs_fields *fields, const char *key, bool *value)
{
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    char name[WHAT_SIZE];
    vrs_yaml_node node;
    vrs_status status = find(fields, key, false, &node);
    if (status != VRS_OK || !node)
        return status;
    const char *text = vrs_yaml_text(fields->yaml, node);
    for (size_t i = 0; text && i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return VRS_OK;
        }
    }
    return vrs_yaml_fail(fields->yaml, node, "%s must be on or off", what(fields, key, name));
}

vrs_status vrs_fields_choice(const vrs_fields *fields, const char *key, bool required,
                             const char *const *choices, size_t count, int *value)
{
    char name[WHAT_SIZE], list[128] = "";
    vrs_yaml_node node;
    vrs_status status = find(fields, key, required, &node);
    if (status != VRS_OK || !node)
        return status;
    const char *text = vrs_yaml_text(fields->yaml, node);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (text && strcmp(text, choices[i]) == 0) {
            *value = (int)i;
            return VRS_OK;
        }
        const char *joint = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", joint, choices[i]);
    }
    const char *nearest = text ? vrs_nearest_name(text, choices, count) : NULL;
    return vrs_yaml_fail(fields->yaml, node, "%s must be %s%s%s%s", what(fields, key, name), list,
                         nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                         nearest ? "\"?" : "");
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
    if (!(fabs(number) >= min && fabs(number) <= max))
        return vrs_yaml_fail(yaml, node, "%s must be between %g and %g by its magnitude", name,
                             min, max);
    *value = (float)number;
    return VRS_OK;
}

vrs_status vrs_fields_number(const vrs_fields *fields, const char *key, double min, double max,
                             float *value)
{
    char name[WHAT_SIZE];
    vrs_yaml_node node;
    vrs_status status = find(fields, key, false, &node);
    if (status != VRS_OK || !node)
        return status;
    return node_number(fields->yaml, node, what(fields, key, name), min, max, value);
}

vrs_status vrs_fields_three(const vrs_fields *fields, const char *key, double min, double max,
                            float value[3])
{
    char name[WHAT_SIZE];
    vrs_yaml_node node;
    vrs_status status = find(fields, key, false, &node);
    if (status != VRS_OK || !node)
        return status;
    what(fields, key, name);
    if (!vrs_yaml_is_list(fields->yaml, node)) {
        status = node_number(fields->yaml, node, name, min, max, value);
        value[1] = value[2] = value[0];
        return status;
    }
    if (vrs_yaml_count(fields->yaml, node) != 3)
        return vrs_yaml_fail(fields->yaml, node, "%s must be one number, or a list of three", name);
    for (size_t i = 0; status == VRS_OK && i < 3; i++)
        status = node_number(fields->yaml, vrs_yaml_item(fields->yaml, node, i), name, min, max,
                             &value[i]);
    return status;
}
