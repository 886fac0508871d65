/* Where a sink works until its output is whole: the folder "<output>.vrseg" beside it, held by one
 * run at a time. */
#ifndef VRS_MEDIA_WORKPLACE_H
#define VRS_MEDIA_WORKPLACE_H

#include <stdbool.h>
#include <stdint.h>

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

/* The place where a shard of that output is made: others may be made beside it. VRS_INVALID: the
 * name is too long. */
vrs_status vrs_workplace_of_shard(vrs_workplace *place, int32_t shard, int32_t shards) VRS_MUST_USE;

typedef enum vrs_leftover {
    VRS_LEFTOVER_REFUSE, /* VRS_INVALID where finished segments lie there */
    VRS_LEFTOVER_REMOVE, /* with a warning where finished segments lay there */
    VRS_LEFTOVER_KEEP,   /* all of it */
} vrs_leftover;

/* Makes the folder and locks it. `leftover` says what becomes of what a run that ended early has
 * left there. VRS_BUSY: another run has it; VRS_INVALID, VRS_PERMISSION, VRS_NO_SPACE, VRS_IO.
 * Nothing is left behind on failure that was not there. */
vrs_status vrs_workplace_enter(vrs_workplace *place, vrs_leftover leftover) VRS_MUST_USE;

/* Removes what is ours in an entered folder, but for the journal, if there is one, and the segments
 * that it names. */
struct vrs_journal;
void vrs_workplace_tidy(const vrs_workplace *place, const struct vrs_journal *journal);

/* Gives the lock back and removes the folder and everything of ours in it, or leaves it as it is.
 * Do nothing for a place that was not entered. */
void vrs_workplace_clear(vrs_workplace *place);
void vrs_workplace_leave(vrs_workplace *place);

#endif
