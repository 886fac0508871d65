/* The CPU quota of the control groups that this process is in. */
#ifndef VRS_BASE_CGROUP_H
#define VRS_BASE_CGROUP_H

#include <stdint.h>

#include "vrseg/status.h"

/* Processors that the quotas of all groups from the process's own up to the top leave, rounded up;
 * 0: no quota, or none that can be read. Understands version 2 (cpu.max) and 1 (cpu.cfs_quota_us).
 * Reads below the folder `root`, which is "" but in tests. */
VRS_API int32_t vrs_cgroup_cpu_limit(const char *root);

#endif
