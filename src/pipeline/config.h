/* The option tables of the core library, for whoever puts more to them. */
#ifndef VRS_PIPELINE_CONFIG_H
#define VRS_PIPELINE_CONFIG_H

#include <stddef.h>

#include "base/options.h"

#define VRS_CORE_TABLES 4

/* Static; VRS_CORE_TABLES of them. */
VRS_API const vrs_option_table *vrs_core_option_tables(void);

#endif
