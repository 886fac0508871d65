#define _XOPEN_SOURCE 700
#include "cli/work_folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

vrs_status vrs_work_folder_make(char *path, size_t size)
{
    const char *folder = getenv("TMPDIR");
    folder = folder != NULL && folder[0] == '/' ? folder : "/tmp";
    int length = snprintf(path, size, "%s/vrseg-XXXXXX", folder);
    if (length < 0 || (size_t)length >= size || mkdtemp(path) == NULL) {
        path[0] = 0;
        return vrs_fail(errno == ENOSPC ? VRS_NO_SPACE : VRS_PERMISSION,
                        "%.300s: no folder for the trials can be made there; set TMPDIR to one "
                        "that can be written",
                        folder);
    }
    return VRS_OK;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    if (walk->level > 0)
        (void)remove(path); /* what stays is of no harm */
    return 0;
}

void vrs_work_folder_empty(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void vrs_work_folder_remove(const char *path)
{
    if (path[0] == 0)
        return;
    vrs_work_folder_empty(path);
    (void)remove(path);
}
