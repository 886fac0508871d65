/* A folder for what measurements write, in $TMPDIR or /tmp. */
#ifndef VRS_CLI_WORK_FOLDER_H
#define VRS_CLI_WORK_FOLDER_H

#include <stddef.h>

#include "vrseg/status.h"

/* Of its path: in 4096 bytes there is room for names behind it. */
#define VRS_WORK_FOLDER_SIZE 3796

/* Makes one under a name of its own; `path` is "" on failure. VRS_PERMISSION, VRS_NO_SPACE. */
vrs_status vrs_work_folder_make(char *path, size_t size) VRS_MUST_USE;
/* Removes all that is in it, and the folder itself too. Nothing for "". */
void vrs_work_folder_empty(const char *path);
void vrs_work_folder_remove(const char *path);

#endif
