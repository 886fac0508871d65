/* Where descriptors are found. */
#ifndef VRS_MODEL_REGISTRY_H
#define VRS_MODEL_REGISTRY_H

#include "base/named.h"
#include "model/descriptor.h"

/* The folders that are searched, the first one first: $VRSEG_DESCRIPTORS_DIR, the models folder
 * (the user's own), ../models and ../share/vrseg/models from the program, the installed data
 * folder. */

/* The names of all descriptors, sorted, each once. Returns owned: vrs_names_free(), also after a
 * failure. VRS_NO_MEMORY. */
vrs_status vrs_registry_list(vrs_names *names) VRS_MUST_USE;

/* The descriptor of a name in the first folder that has it. VRS_NOT_FOUND: the nearest name, and
 * how to list them. */
vrs_status vrs_registry_find(const char *name, char *path, size_t size) VRS_MUST_USE;

#endif
