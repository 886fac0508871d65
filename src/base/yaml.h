/* YAML documents with places: libyaml's document tree, with file and line in every complaint. */
#ifndef VRS_BASE_YAML_H
#define VRS_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "vrseg/status.h"

typedef struct vrs_yaml vrs_yaml;
/* A node of a document: 0 is "not there", on which every accessor answers as on nothing. */
typedef int vrs_yaml_node;

/* Largest file that is read. */
#define VRS_YAML_MAX_BYTES (1 << 20)
/* Most lists and maps inside each other; libyaml's time grows with the square of it. */
#define VRS_YAML_MAX_DEPTH 64

/* Reads and parses a file. VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO, VRS_NO_MEMORY; VRS_INVALID:
 * syntax (file, line, column), aliases, a second document, a key given twice or that is no text, a
 * file over the limits.
 * Returns owned. */
VRS_API vrs_status vrs_yaml_load(const char *path, vrs_yaml **yaml) VRS_MUST_USE;
VRS_API void vrs_yaml_destroy(vrs_yaml *yaml);

VRS_API vrs_yaml_node vrs_yaml_root(const vrs_yaml *yaml);
VRS_API const char *vrs_yaml_path(const vrs_yaml *yaml);
/* First line of a node, from 1. */
VRS_API int vrs_yaml_line(const vrs_yaml *yaml, vrs_yaml_node node);

VRS_API bool vrs_yaml_is_map(const vrs_yaml *yaml, vrs_yaml_node node);
VRS_API bool vrs_yaml_is_list(const vrs_yaml *yaml, vrs_yaml_node node);
/* Text of a scalar, else NULL; borrows from the document. */
VRS_API const char *vrs_yaml_text(const vrs_yaml *yaml, vrs_yaml_node node);

/* Number of items of a list or pairs of a map. */
VRS_API size_t vrs_yaml_count(const vrs_yaml *yaml, vrs_yaml_node node);
VRS_API vrs_yaml_node vrs_yaml_item(const vrs_yaml *yaml, vrs_yaml_node list, size_t index);
VRS_API vrs_yaml_node vrs_yaml_key(const vrs_yaml *yaml, vrs_yaml_node map, size_t index);
VRS_API vrs_yaml_node vrs_yaml_value(const vrs_yaml *yaml, vrs_yaml_node map, size_t index);
/* The value under `key`, or 0. */
VRS_API vrs_yaml_node vrs_yaml_get(const vrs_yaml *yaml, vrs_yaml_node map, const char *key);

/* VRS_INVALID naming file, line, the unknown key and the nearest of `names`, if a key of `map` is
 * not among them. */
VRS_API vrs_status vrs_yaml_check_keys(const vrs_yaml *yaml, vrs_yaml_node map,
                                       const char *const *names, size_t count) VRS_MUST_USE;

/* vrs_fail(VRS_INVALID) with "file:line: " in front. */
VRS_API vrs_status vrs_yaml_fail(const vrs_yaml *yaml, vrs_yaml_node node, const char *format, ...)
    VRS_PRINTF(3, 4);

#endif
