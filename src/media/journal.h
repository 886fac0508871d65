/* The journal of a run: what is finished, one JSON object a line, each line synced before the next
 * segment begins. The first line says how the run encodes. */
#ifndef VRS_MEDIA_JOURNAL_H
#define VRS_MEDIA_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "vrseg/status.h"

#define VRS_JOURNAL_NAME "journal.jsonl"

typedef struct vrs_journal_header {
    const char *kind;    /* "mask" */
    const char *encoder; /* "libx264" */
    const char *preset, *options;
    double crf;
    int64_t bitrate;
    int32_t threads, width, height, segment_frames;
    int32_t time_base_num, time_base_den, rate_num, rate_den;
} vrs_journal_header;

typedef struct vrs_journal_entry {
    char file[32]; /* in the journal's folder */
    int64_t first_frame, frames;
    int64_t first_pts, end_pts; /* of the first frame; after the last one */
    int64_t bytes;
    uint32_t crc;
} vrs_journal_entry;

typedef struct vrs_journal {
    int fd; /* -1: closed */
    int64_t size;
    vrs_journal_entry *entries;
    size_t count, capacity;
    char path[VRS_PATH_MAX];
} vrs_journal;

/* Makes the journal of a run. VRS_NO_SPACE, VRS_IO, VRS_PERMISSION; nothing stays on failure. */
vrs_status vrs_journal_create(vrs_journal *journal, const char *folder,
                              const vrs_journal_header *header) VRS_MUST_USE;

/* Adds a finished segment, on the disk when it returns. On failure the journal is as before.
 * VRS_NO_SPACE, VRS_IO, VRS_NO_MEMORY. */
vrs_status vrs_journal_add(vrs_journal *journal, const vrs_journal_entry *entry) VRS_MUST_USE;

/* Closes; the file stays. */
void vrs_journal_close(vrs_journal *journal);

/* Number of finished segments that the journal of a folder names, 0 without one. VRS_IO,
 * VRS_PERMISSION, VRS_NO_MEMORY, VRS_INVALID. */
vrs_status vrs_journal_count(const char *folder, int64_t *segments) VRS_MUST_USE;

#endif
