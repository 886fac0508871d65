/* Where the libraries lie that the set-up brings or a user has. */
#ifndef VRS_ENGINE_FIND_LIBRARY_H
#define VRS_ENGINE_FIND_LIBRARY_H

#include <stdbool.h>

#include "base/file.h"
#include "vrseg/status.h"

/* Folders of a library below the private folder, at most. */
#define VRS_FIND_FOLDERS 2

typedef struct vrs_find_library {
    const char *name;                      /* "OpenVINO 2026.4.1" */
    const char *file;                      /* what is looked for, in the sentence of a failure */
    const char *variable;                  /* environment variable: the only folder, where set */
    const char *folders[VRS_FIND_FOLDERS]; /* below the private folder, best first; NULL: none */
    /* Whether the library lies in the folder, and at which path. */
    vrs_status (*find)(const char *folder, char path[VRS_PATH_MAX], bool *found);
} vrs_find_library;

/* Looks in the variable's folder, else in the installed program's (../lib/vrseg) and then in the
 * private ones; tells the first folder that has the library, and the library's path. Any thread.
 * VRS_MISSING: none has; or what vrs_path_format(), vrs_program_folder() and `find` return. */
vrs_status vrs_find_library_in_folders(const vrs_find_library *library, char folder[VRS_PATH_MAX],
                                       char path[VRS_PATH_MAX]) VRS_MUST_USE;

#endif
