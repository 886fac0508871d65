/* What this process may use of the machine. */
#ifndef VRS_BASE_ALLOWANCE_H
#define VRS_BASE_ALLOWANCE_H

#include <stdint.h>

#include "vrseg/status.h"

typedef struct vrs_allowance {
    int32_t processors; /* as the system counts them, that the affinity mask allows; at least 1 */
    int32_t cores;      /* that they are: fewer where a core runs several threads; at least 1 */
    int32_t sockets;    /* that these lie on; at least 1 */
    int32_t quota;      /* processors' worth of time that the cgroup leaves; 0: no limit */
    uint64_t memory;    /* bytes: the RAM, or what the cgroup leaves of it; 0: not known */
} vrs_allowance;

/* What cannot be read is as on the simplest machine: a core for each processor, one socket, no
 * limit. Reads below the folder `root`, which is "" but in tests. */
VRS_API void vrs_allowance_read(const char *root, vrs_allowance *allowance);

/* Processors that can be busy at the same time, by mask and quota; at least 1. */
VRS_API int32_t vrs_allowance_usable(const vrs_allowance *allowance);

#endif
