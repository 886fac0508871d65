/* Where descriptors are found. */
#ifndef VRS_MODEL_REGISTRY_H
#define VRS_MODEL_REGISTRY_H

#include "model/descriptor.h"

/* The folders that are searched, the first one first: $VRSEG_DESCRIPTORS_DIR, the models folder
 * (the user's own), ../models and ../share/vrseg/models from the program, the installed data
 * folder. */
#define VRS_REGISTRY_FOLDERS 5

/* Calls `visit` for each in turn until it returns anything but VRS_OK, which is then returned. */
typedef vrs_status (*vrs_registry_folder_fn)(void *opaque, const char *folder);
vrs_status vrs_registry_folders(vrs_registry_folder_fn visit, void *opaque) VRS_MUST_USE;

/* The names of all descriptors, sorted, each once. */
typedef struct vrs_registry_names {
    char **names;
    size_t count;
} vrs_registry_names;

/* Returns owned: vrs_registry_names_free(), also after a failure. VRS_NO_MEMORY, VRS_IO. */
vrs_status vrs_registry_list(vrs_registry_names *names) VRS_MUST_USE;
void vrs_registry_names_free(vrs_registry_names *names);

/* The descriptor of a name in the first folder that has it. VRS_NOT_FOUND: the nearest name, and
 * how to list them. */
vrs_status vrs_registry_find(const char *name, char *path, size_t size) VRS_MUST_USE;

#endif
