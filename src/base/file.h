/* Small files: read whole, replaced at once, paths. */
#ifndef VRS_BASE_FILE_H
#define VRS_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "vrseg/status.h"

#define VRS_PATH_MAX 4096

/* Reads a regular file of at most `max_size` bytes; adds a zero byte after it. Returns owned
 * (vrs_free). VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO, VRS_INVALID (too large, a directory),
 * VRS_NO_MEMORY. */
VRS_API vrs_status vrs_file_read(const char *path, size_t max_size, char **data,
                                 size_t *size) VRS_MUST_USE;

/* The whole text of a file of the system (/proc, /sys, /etc) below `root`, which is "" but in
 * tests; NULL where it cannot be read. Returns owned (vrs_free). */
VRS_API char *vrs_file_of_system(const char *root, const char *path);

/* Puts a new file in place of `path` at once: temporary file beside it, fsync, rename, fsync of
 * the folder. On failure the old file stays and nothing is left behind. What exists and is no plain
 * file (a device, a pipe, /dev/stdout) is not replaced but written to. */
VRS_API vrs_status vrs_file_replace(const char *path, const void *data, size_t size) VRS_MUST_USE;

/* Something is there, and it is no plain file: it must be written to, never replaced. */
VRS_API bool vrs_file_is_special(const char *path);

/* Formats a path. VRS_INVALID when it does not fit. */
VRS_API vrs_status vrs_path_format(char *path, size_t size, const char *format, ...)
    VRS_PRINTF(3, 4) VRS_MUST_USE;

/* Creates a folder and those above it. */
VRS_API vrs_status vrs_make_folders(const char *path) VRS_MUST_USE;

VRS_API bool vrs_file_exists(const char *path);

/* The last component and the extension in lower case without its dot ("" if none), inside `path`
 * and `buffer`. */
VRS_API const char *vrs_path_base(const char *path);
VRS_API const char *vrs_path_extension(const char *path, char *buffer, size_t size);

/* Folder of the running program, for finding installed files beside it. */
VRS_API vrs_status vrs_program_folder(char *path, size_t size) VRS_MUST_USE;

#endif
