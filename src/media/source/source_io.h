/* Bytes for a demuxer from a file descriptor, so that a path is never taken for a URL and that a
 * pipe without data can be interrupted. */
#ifndef VRS_MEDIA_SOURCE_IO_H
#define VRS_MEDIA_SOURCE_IO_H

#include <stdbool.h>
#include <stdint.h>

#include <libavformat/avio.h>

#include "media/source/source.h"

typedef struct vrs_source_io {
    AVIOContext *context; /* what the demuxer reads from */
    int fd;
    bool owns_fd;
    bool seekable;
    int64_t size;       /* of a regular file; -1: unknown */
    int64_t bytes;      /* read so far */
    int64_t starved_ns; /* that reading has taken: waiting for a pipe or a disk */
    int error;          /* libav's number of the last real failure; 0: none */
    bool (*stop)(void *opaque);
    void *stop_opaque;
} vrs_source_io;

/* Opens `path`, or standard input for "-". Must not move afterwards. VRS_NOT_FOUND, VRS_PERMISSION,
 * VRS_IO, VRS_NO_MEMORY; VRS_INVALID: an empty file. */
vrs_status vrs_source_io_open(const vrs_source_params *params, vrs_source_io *io) VRS_MUST_USE;

/* Closes what vrs_source_io_open() opened; a zeroed one is fine. */
void vrs_source_io_close(vrs_source_io *io);

/* True when the caller wants the source to stop. */
bool vrs_source_stopped(const vrs_source_io *io);

#endif
