/* Where a sink works until its output is whole: the folder "<output>.vrseg" beside it, held by one
 * run at a time. */
#ifndef VRS_MEDIA_WORKPLACE_H
#define VRS_MEDIA_WORKPLACE_H

#include <stdbool.h>

#include "base/file.h"
#include "vrseg/status.h"

typedef struct vrs_workplace {
    char output[VRS_PATH_MAX]; /* where the finished file goes, links followed */
    char parent[VRS_PATH_MAX]; /* its folder */
    char folder[VRS_PATH_MAX]; /* the working folder */
    int lock;                  /* descriptor of the lock file; -1: not entered */
} vrs_workplace;

typedef enum vrs_workplace_kind {
    VRS_WORKPLACE_FILE,   /* the output is one file */
    VRS_WORKPLACE_FOLDER, /* the output is a folder of files */
} vrs_workplace_kind;

/* Finds the place for an output and makes nothing. `source_path` may be NULL. VRS_NOT_FOUND: the
 * folder that it is to lie in does not exist; VRS_PERMISSION: it is not writable; VRS_INVALID: the
 * output is the source itself, by whatever name, or exists and is not to be overwritten, or is no
 * file (no folder). */
vrs_status vrs_workplace_find(vrs_workplace *place, const char *path, const char *source_path,
                              vrs_workplace_kind kind, bool overwrite) VRS_MUST_USE;

/* Makes the folder and locks it. What a run that ended early left there is removed, with a warning
 * if there were finished segments and `overwrite` is set. VRS_BUSY: another run has it;
 * VRS_INVALID: finished segments lie there and `overwrite` is not set; VRS_PERMISSION,
 * VRS_NO_SPACE, VRS_IO. Nothing is left behind on failure. */
vrs_status vrs_workplace_enter(vrs_workplace *place, bool overwrite) VRS_MUST_USE;

/* Gives the lock back and removes the folder and everything of ours in it, or leaves it as it is.
 * Do nothing for a place that was not entered. */
void vrs_workplace_clear(vrs_workplace *place);
void vrs_workplace_leave(vrs_workplace *place);

#endif
