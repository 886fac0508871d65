/* Inside of a config, for config.c and what fills it: config_file.c, config_environment.c. */
#ifndef VRS_BASE_CONFIG_H
#define VRS_BASE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/named.h"
#include "base/options.h"
#include "vrseg/config.h"

/* Values and defaults are owned text in the form that vrs_option_check() gives: numbers as short
 * as they can be, "on" and "off". Equal values are therefore equal text. */
struct vrs_config {
    size_t count;
    const vrs_option_info *options[VRS_MAX_OPTIONS];
    char *values[VRS_MAX_OPTIONS];
    char *defaults[VRS_MAX_OPTIONS];
    vrs_config_layer layers[VRS_MAX_OPTIONS];
    char *places[VRS_MAX_OPTIONS]; /* owned; where in its layer the value stands; NULL: nowhere */
};

#define VRS_NO_OPTION SIZE_MAX

/* What one layer sets, kept apart until all of it is known to be right. Begins zeroed. */
typedef struct vrs_config_stage {
    char *values[VRS_MAX_OPTIONS]; /* owned; NULL: not set */
    char *places[VRS_MAX_OPTIONS]; /* owned */
    int lines[VRS_MAX_OPTIONS];    /* of a file */
} vrs_config_stage;

/* Moves what was staged into the config, but for values that a higher layer has set; empties the
 * stage. */
void vrs_config_take(vrs_config *config, vrs_config_stage *stage, vrs_config_layer layer);
/* Empties the stage. */
void vrs_config_drop(vrs_config_stage *stage);

/* Index of "name" or "section.name", or VRS_NO_OPTION. */
size_t vrs_config_find(const vrs_config *config, const char *name);

/* The option name nearest to a wrong one, or NULL. */
const char *vrs_config_nearest(const vrs_config *config, const char *name);

/* Whether `option` may have this value; `text` becomes it in its own form, owned. VRS_INVALID says
 * what was expected; VRS_NO_MEMORY. */
vrs_status vrs_option_check(const vrs_option_info *option, const char *value,
                            char **text) VRS_MUST_USE;

/* Where configurations with names lie (config_find.c). */
extern const vrs_named_kind vrs_config_kind;

/* The file of a configuration that `what` names: a path if it has a '/' or a '.', else a name.
 * VRS_NOT_FOUND: no such name; the nearest one. VRS_INVALID: too long. */
vrs_status vrs_config_find_file(const char *what, char *path, size_t size) VRS_MUST_USE;

#endif
