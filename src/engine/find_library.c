#include "engine/find_library.h"

#include <stdlib.h>

/* Most folders that are searched: the program's and the private ones. */
#define FOLDERS (1 + VRS_FIND_FOLDERS)

/* The folders to look in, in order. */
static vrs_status list_folders(const vrs_find_library *library, char folders[FOLDERS][VRS_PATH_MAX],
                               int *count)
{
    *count = 0;
    const char *own = getenv(library->variable);
    if (own && *own) {
        *count = 1;
        return vrs_path_format(folders[0], VRS_PATH_MAX, "%s", own);
    }
    char program[VRS_PATH_MAX];
    vrs_status status = vrs_program_folder(program, sizeof program);
    if (status == VRS_OK)
        status = vrs_path_format(folders[(*count)++], VRS_PATH_MAX, "%s/../lib/vrseg", program);
    for (int i = 0; status == VRS_OK && i < VRS_FIND_FOLDERS && library->folders[i]; i++) {
        status = vrs_path_format(folders[(*count)++], VRS_PATH_MAX, "%s/%s", VRS_PRIVATE_FOLDER,
                                 library->folders[i]);
    }
    return status;
}

vrs_status vrs_find_library_in_folders(const vrs_find_library *library, char folder[VRS_PATH_MAX],
                                       char path[VRS_PATH_MAX])
{
    char folders[FOLDERS][VRS_PATH_MAX];
    int count;
    vrs_status status = list_folders(library, folders, &count);
    for (int i = 0; status == VRS_OK && i < count; i++) {
        bool found = false;
        status = library->find(folders[i], path, &found);
        if (status == VRS_OK && found)
            return vrs_path_format(folder, VRS_PATH_MAX, "%s", folders[i]);
    }
    if (status != VRS_OK)
        return status;
    return vrs_fail(VRS_MISSING,
                    "%s is not installed: run `make setup`, or set %s to its folder (there is no "
                    "%s in %s%s%s)",
                    library->name, library->variable, library->file, folders[0],
                    count > 1 ? " or " : "", count > 1 ? folders[count - 1] : "");
}
