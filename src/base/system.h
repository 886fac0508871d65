/* Parts of system.c that tests feed with other machines' texts. */
#ifndef VRS_BASE_SYSTEM_H
#define VRS_BASE_SYSTEM_H

#include <stddef.h>

#include "vrseg/status.h"

/* The model name in a text like /proc/cpuinfo, or "unknown processor"; cut to `size`. */
VRS_API void vrs_parse_cpu_name(const char *cpuinfo, char *name, size_t size);

#endif
