/* Inside of a config, for config.c and config_file.c. */
#ifndef VRS_BASE_CONFIG_H
#define VRS_BASE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/options.h"
#include "vrseg/config.h"

/* Values and defaults are owned text in the form that vrs_option_check() gives: numbers as short
 * as they can be, "on" and "off". Equal values are therefore equal text. */
struct vrs_config {
    size_t count;
    const vrs_option_info *options[VRS_MAX_OPTIONS];
    char *values[VRS_MAX_OPTIONS];
    char *defaults[VRS_MAX_OPTIONS];
};

#define VRS_NO_OPTION SIZE_MAX

/* Index of "name" or "section.name", or VRS_NO_OPTION. */
size_t vrs_config_find(const vrs_config *config, const char *name);

/* The option name nearest to a wrong one, or NULL. */
const char *vrs_config_nearest(const vrs_config *config, const char *name);

/* Whether `option` may have this value; `text` becomes it in its own form, owned. VRS_INVALID says
 * what was expected; VRS_NO_MEMORY. */
vrs_status vrs_option_check(const vrs_option_info *option, const char *value,
                            char **text) VRS_MUST_USE;

#endif
