/* Typed values out of a YAML map, each complaint with file, line and what was expected. */
#ifndef VRS_MODEL_FIELDS_H
#define VRS_MODEL_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/yaml.h"

/* A map and what its complaints call it ("input"). */
typedef struct vrs_fields {
    const vrs_yaml *yaml;
    vrs_yaml_node map;
    const char *name;
} vrs_fields;

/* The map under `key` of the root, checked to hold no key but `keys`. VRS_INVALID where it is
 * missing or not a map. */
vrs_status vrs_fields_open(const vrs_yaml *yaml, const char *key, const char *const *keys,
                           size_t key_count, vrs_fields *fields) VRS_MUST_USE;

/* All getters leave `value` alone where the key is missing, unless `required`; VRS_INVALID for a
 * wrong type or value. */
vrs_status vrs_fields_text(const vrs_fields *fields, const char *key, bool required, char *value,
                           size_t size) VRS_MUST_USE;
vrs_status vrs_fields_int(const vrs_fields *fields, const char *key, bool required, int32_t min,
                          int32_t max, int32_t *value) VRS_MUST_USE;
vrs_status vrs_fields_bool(const vrs_fields *fields, const char *key, bool *value) VRS_MUST_USE;
/* Index of the text in `choices`. */
vrs_status vrs_fields_choice(const vrs_fields *fields, const char *key, bool required,
                             const char *const *choices, size_t count, int *value) VRS_MUST_USE;
/* One number for all three, or a list of three; a number is 0.5 or 1/255. Each lies in min..max by
 * its magnitude. */
vrs_status vrs_fields_three(const vrs_fields *fields, const char *key, double min, double max,
                            float value[3]) VRS_MUST_USE;
vrs_status vrs_fields_number(const vrs_fields *fields, const char *key, double min, double max,
                             float *value) VRS_MUST_USE;

/* A whole number out of a scalar node. */
vrs_status vrs_node_int(const vrs_yaml *yaml, vrs_yaml_node node, const char *what, int32_t min,
                        int32_t max, int32_t *value) VRS_MUST_USE;
/* The text of a scalar node, not empty and shorter than `size`. */
vrs_status vrs_node_text(const vrs_yaml *yaml, vrs_yaml_node node, const char *what, char *value,
                         size_t size) VRS_MUST_USE;

#endif
