/* Typed values out of a YAML map, each complaint with file, line and what was expected. */
#ifndef VRS_MODEL_FIELDS_H
#define VRS_MODEL_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/yaml.h"

/* A map, what its complaints call it ("input"), and the first complaint: once `status` is not
 * VRS_OK the getters do nothing, so that a reader lists its keys and looks at the status in the
 * end. */
typedef struct vrs_fields {
    const vrs_yaml *yaml;
    vrs_yaml_node map;
    const char *name;
    vrs_status status;
} vrs_fields;

/* A map that has no key but `keys`; `name` "" for the root. VRS_INVALID: it is no map, or another
 * key. */
vrs_fields vrs_fields_of(const vrs_yaml *yaml, vrs_yaml_node map, const char *name,
                         const char *const *keys, size_t key_count);
/* The map under `key` of the root. VRS_INVALID also where it is missing. */
vrs_fields vrs_fields_open(const vrs_yaml *yaml, const char *key, const char *const *keys,
                           size_t key_count);

/* All getters leave `value` alone where the key is missing, which is a complaint if `required`. A
 * wrong type or value is VRS_INVALID. */
void vrs_fields_text(vrs_fields *fields, const char *key, bool required, char *value, size_t size);
void vrs_fields_int(vrs_fields *fields, const char *key, bool required, int32_t min, int32_t max,
                    int32_t *value);
void vrs_fields_bool(vrs_fields *fields, const char *key, bool *value);
/* Index of the text in `choices`. */
void vrs_fields_choice(vrs_fields *fields, const char *key, bool required,
                       const char *const *choices, size_t count, int32_t *value);
/* One number for all three, or a list of three; a number is 0.5 or 1/255. The magnitude of each
 * lies in min..max. */
void vrs_fields_three(vrs_fields *fields, const char *key, double min, double max, float value[3]);
void vrs_fields_number(vrs_fields *fields, const char *key, double min, double max, float *value);

/* A whole number out of a scalar node. */
vrs_status vrs_node_int(const vrs_yaml *yaml, vrs_yaml_node node, const char *what, int32_t min,
                        int32_t max, int32_t *value) VRS_MUST_USE;
/* The text of a scalar node, not empty and shorter than `size`. */
vrs_status vrs_node_text(const vrs_yaml *yaml, vrs_yaml_node node, const char *what, char *value,
                         size_t size) VRS_MUST_USE;

#endif
