/* What /proc and /sys say of the machine, below any root, so that tests bring other machines'. */
#ifndef VRS_BASE_MACHINE_H
#define VRS_BASE_MACHINE_H

#include "vrseg/system.h"

/* Fills all of vrs_system_read() but `version`, `cpu_isa` and the limits of this process from the
 * files below `root` ("" but in tests); `cpus_usable` and `kernel` are this process's own. */
VRS_API void vrs_machine_read(const char *root, vrs_system_info *info);

/* Numbers of a list like "0-3,8,10-11", each counted once for each time that it stands there; 0 for
 * text that is none. At most `most`. */
VRS_API int32_t vrs_machine_list_count(const char *list, int32_t most);

/* The NUMA node that a PCI device ("0000:3b:00.0") is nearest to; -1: the system does not say. */
VRS_API int32_t vrs_machine_pci_node(const char *root, const char *pci);

/* Driver of the first processor's clock ("intel_pstate"); "" if there is none. */
VRS_API void vrs_machine_clock_driver(const char *root, char *text, size_t size);

#endif
