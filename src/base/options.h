/* Option tables: each module declares its options in an options.def, one line each:
 *
 *     VRS_OPTION(section, name, TYPE, "default", min, max, "unit", "a|b|c", "Sentence.")
 *
 * TYPE is INT, FLOAT, BOOL, STRING or CHOICE; min and max are 0, 0 where they mean nothing. */
#ifndef VRS_BASE_OPTIONS_H
#define VRS_BASE_OPTIONS_H

#include <stddef.h>

#include "vrseg/config.h"

typedef struct vrs_option_table {
    const vrs_option_info *options;
    size_t count;
} vrs_option_table;

/* Turns a line of an options.def into an element of a vrs_option_info array. */
#define VRS_OPTION_INFO(section, name, type, default_value, min, max, unit, choices, help) \
    {#section, #name, VRS_OPTION_##type, default_value, min, max, unit, choices, help},

/* As vrs_config_create(), for the options of `tables` (their arrays must outlive the config). At
 * most VRS_MAX_OPTIONS together. */
#define VRS_MAX_OPTIONS 256
VRS_API vrs_status vrs_config_create_from(const vrs_option_table *tables, size_t table_count,
                                          vrs_config **config) VRS_MUST_USE;

#endif
