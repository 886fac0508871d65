/* The limits of the control groups that this process is in. */
#ifndef VRS_BASE_CGROUP_H
#define VRS_BASE_CGROUP_H

#include <stdint.h>

#include "vrseg/status.h"

/* Processors that the quotas of all groups from the process's own up to the top leave, rounded up;
 * 0: no quota, or none that can be read. Understands version 2 (cpu.max) and 1 (cpu.cfs_quota_us).
 * Reads below the folder `root`, which is "" but in tests. */
VRS_API int32_t vrs_cgroup_cpu_limit(const char *root);

/* Bytes that the least limit of those groups leaves; 0: none. Understands version 2 (memory.max)
 * and 1 (memory.limit_in_bytes). */
VRS_API uint64_t vrs_cgroup_memory_limit(const char *root);

#endif
