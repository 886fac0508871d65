/* What a GPU is doing, as NVML says: opened at run time, read at any time, no CUDA context made.
 *
 * NVML is part of NVIDIA's driver. Readings that a GPU or a driver does not have are marked absent,
 * never made up. One thread at a time for each monitor. */
#ifndef VRS_DEVICE_MONITOR_H
#define VRS_DEVICE_MONITOR_H

#include "vrseg/monitor.h"

/* Device memory that this process holds, as the driver counts it: contexts, kernels, everything.
 * VRS_NOT_FOUND: the driver does not list this process (in a container it may not know our number;
 * where it lists exactly one process, that is taken to be this one). VRS_DEVICE. */
VRS_API vrs_status vrs_monitor_process_memory(vrs_monitor *monitor, uint64_t *bytes) VRS_MUST_USE;

#endif
