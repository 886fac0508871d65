/* Files that a command writes beside its work (figures, traces, reports): checked before the work
 * begins, so that none overwrites what the command reads or writes, and none turns out unwritable
 * at the end of a long run. */
#ifndef VRS_CLI_ASIDE_H
#define VRS_CLI_ASIDE_H

#include <stddef.h>

#include "vrseg/status.h"

/* Borrowed texts. `what` is as a message says it: "--json", "the input". A NULL path, "-" (a
 * stream) and what exists and is no regular file (a device, a pipe) are in nobody's way. */
typedef struct vrs_aside {
    const char *what, *path;
} vrs_aside;

/* Whether `path` is none of `others`, by whatever names. VRS_INVALID: it is. */
vrs_status vrs_aside_distinct(const char *what, const char *path, const vrs_aside *others,
                              size_t count) VRS_MUST_USE;
/* Whether a file can be written at `path`; touches nothing. VRS_NOT_FOUND, VRS_PERMISSION,
 * VRS_INVALID (a folder). */
vrs_status vrs_aside_writable(const char *what, const char *path) VRS_MUST_USE;

#endif
