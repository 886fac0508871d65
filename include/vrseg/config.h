/* Settings by name. Every option is declared once, in an options.def: this table is the YAML file,
 * the environment, the command line flags, --help, docs/options.md and the JSON Schema. */
#ifndef VRSEG_CONFIG_H
#define VRSEG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vrs_config vrs_config;

typedef enum vrs_option_type {
    VRS_OPTION_INT = 0,
    VRS_OPTION_FLOAT = 1,
    VRS_OPTION_BOOL = 2, /* on|off, also true|false, yes|no, 1|0 */
    VRS_OPTION_STRING = 3,
    VRS_OPTION_CHOICE = 4, /* one of `choices`, separated by '|' */
} vrs_option_type;

typedef struct vrs_option_info {
    const char *section; /* of the YAML file and the documents, e.g. "pipeline" */
    const char *name;    /* unique over all sections, e.g. "max_batch_size" */
    vrs_option_type type;
    const char *default_value; /* "auto" marks an option that may be left to vrseg */
    double min, max;           /* of numbers */
    const char *unit;          /* "" if none */
    const char *choices;
    const char *help; /* one sentence */
} vrs_option_info;

/* Where a value comes from. A value of a higher layer goes before one of a lower one, in whatever
 * order the layers are read; within a layer the later one does. */
typedef enum vrs_config_layer {
    VRS_LAYER_DEFAULT = 0,
    VRS_LAYER_FILE = 1,        /* vrs_config_load() */
    VRS_LAYER_ENVIRONMENT = 2, /* vrs_config_read_environment() */
    VRS_LAYER_SET = 3,         /* vrs_config_set(): flags, and what a program asks for */
} vrs_config_layer;

/* Returns owned: the library's options at their defaults. VRS_NO_MEMORY.
 * One thread at a time may use a config; objects made from one copy what they need. */
VRS_API vrs_status vrs_config_create(vrs_config **config) VRS_MUST_USE;
VRS_API void vrs_config_destroy(vrs_config *config);

/* Sets one option; `name` is "max_batch_size" or "batch.max_batch_size" ('-' counts as '_').
 * VRS_NOT_FOUND: no such option (the detail gives the nearest name). VRS_INVALID: wrong type or
 * outside the range (the detail gives it). Unchanged on failure. */
VRS_API vrs_status vrs_config_set(vrs_config *config, const char *name,
                                  const char *value) VRS_MUST_USE;

/* Reads a YAML file of sections. `file` is a path if it has a '/' or a '.', else the name of a
 * configuration, which is looked for in $VRSEG_CONFIGS_DIR, in vrseg/ of $XDG_CONFIG_HOME or
 * ~/.config, and among those installed with vrseg. A file may begin with "base: OTHER", a name or a
 * path from its own folder: it then changes what that one sets. Files with options of media
 * ("output:", "targets:"), as those installed have, need a config of vrs_job_config_create(). All
 * or nothing: unchanged on failure. VRS_NOT_FOUND: no such file or name (the detail gives the
 * nearest). VRS_INVALID: names file, line, what was expected and the nearest right name. */
VRS_API vrs_status vrs_config_load(vrs_config *config, const char *file) VRS_MUST_USE;

/* Reads the variables VRSEG_OPTION_NAME of the environment, an option's name in capitals:
 * VRSEG_OPTION_MAX_BATCH_SIZE. All or nothing: unchanged on failure. VRS_NOT_FOUND: a variable that
 * begins so and names no option of this config (the detail gives the nearest). VRS_INVALID: as
 * vrs_config_set(). No thread may change the environment meanwhile. */
VRS_API vrs_status vrs_config_read_environment(vrs_config *config) VRS_MUST_USE;

/* Writes the options that differ from their defaults as YAML, in place of `path` at once
 * (temporary file, fsync, rename). VRS_IO, VRS_NO_SPACE, VRS_PERMISSION. */
VRS_API vrs_status vrs_config_save(const vrs_config *config, const char *path) VRS_MUST_USE;

/* The value as text; borrows until the next set or load. NULL: no such option. */
VRS_API const char *vrs_config_get(const vrs_config *config, const char *name);

/* The layer that the value comes from, and its place there: "vr.yaml:12" in files, the variable in
 * the environment, else "". Borrows until the next set or load. For a wrong name the default's. */
VRS_API vrs_config_layer vrs_config_get_layer(const vrs_config *config, const char *name);
VRS_API const char *vrs_config_get_place(const vrs_config *config, const char *name);

/* Typed values; `name` must be an option of that type (assertion). For an option left at "auto"
 * they return `auto_value`. */
VRS_API int64_t vrs_config_int(const vrs_config *config, const char *name, int64_t auto_value);
VRS_API double vrs_config_float(const vrs_config *config, const char *name, double auto_value);
VRS_API bool vrs_config_bool(const vrs_config *config, const char *name);

/* Calls `visit` for each configuration that can be loaded by its name, sorted by name, until it
 * returns false. Its texts are borrowed; `title` is the file's first line of comment, "" without
 * one. VRS_NO_MEMORY. */
typedef bool (*vrs_config_visit_fn)(void *opaque, const char *name, const char *path,
                                    const char *title);
VRS_API vrs_status vrs_config_list(vrs_config_visit_fn visit, void *opaque) VRS_MUST_USE;

/* The table, in declaration order: index 0 .. vrs_config_count() - 1. */
VRS_API size_t vrs_config_count(const vrs_config *config);
VRS_API const vrs_option_info *vrs_config_option(const vrs_config *config, size_t index);

/* The nearest of `count` names to a wrong one, or NULL if none is near (more than a third of the
 * characters would have to change; two that are swapped count as one). For programs with names of
 * their own. */
VRS_API const char *vrs_nearest_name(const char *wrong, const char *const *names, size_t count);

#ifdef __cplusplus
}
#endif
#endif
