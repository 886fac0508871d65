/* A file that libav writes through a descriptor of ours: the first error keeps its errno, and the
 * file can be synced and checked before anybody relies on it. */
#ifndef VRS_MEDIA_OUT_FILE_H
#define VRS_MEDIA_OUT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <libavformat/avio.h>

#include "base/file.h"
#include "vrseg/status.h"

typedef struct vrs_out_file {
    int fd;          /* -1: closed */
    bool adopted;    /* a descriptor of somebody else's: neither removed nor synced */
    bool pipe;       /* no regular file: writing waits for a reader */
    int error;       /* errno of the first write that failed, 0: none */
    AVIOContext *io; /* what a muxer writes to */
    char path[VRS_PATH_MAX];
} vrs_out_file;

/* Makes the file, or empties it. VRS_PERMISSION, VRS_NO_SPACE, VRS_IO, VRS_NO_MEMORY: nothing is
 * left behind. */
vrs_status vrs_out_file_create(vrs_out_file *file, const char *path) VRS_MUST_USE;

/* Writes to an open descriptor, e.g. a pipe, under a name for sentences. Takes `fd` and closes it,
 * unless it is standard output. VRS_NO_MEMORY. */
vrs_status vrs_out_file_adopt(vrs_out_file *file, int fd, const char *name) VRS_MUST_USE;

/* Flushes, syncs to the disk and closes. `bytes` and `crc` (CRC-32 of IEEE 802.3, of the whole
 * file) may be NULL. On failure the file is removed. VRS_NO_SPACE, VRS_IO. */
vrs_status vrs_out_file_finish(vrs_out_file *file, int64_t *bytes, uint32_t *crc) VRS_MUST_USE;

/* Size and CRC-32 of a file as it lies there. VRS_IO, VRS_NOT_FOUND, VRS_PERMISSION. */
vrs_status vrs_file_checksum(const char *path, int64_t *bytes, uint32_t *crc) VRS_MUST_USE;

/* Closes and removes. Does nothing for a closed or zeroed one whose `io` is NULL. */
void vrs_out_file_discard(vrs_out_file *file);

/* Fails with what went wrong: the error of the first failing write if there was one, else
 * `av_error`. */
vrs_status vrs_out_file_fail(const vrs_out_file *file, int av_error);

/* Syncs a folder, so that names made or removed in it last. VRS_IO. */
vrs_status vrs_sync_folder(const char *path) VRS_MUST_USE;

#endif
