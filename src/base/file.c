/* realpath() */
#define _XOPEN_SOURCE 700

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/errno_text.h"

static vrs_status fail_errno(const char *path, const char *what)
{
    int error = errno;
    return vrs_fail(vrs_errno_status(error), "%s: cannot %s: %s", path, what,
                    vrs_errno_text(error));
}

static vrs_status fail_too_large(const char *path, size_t max_size)
{
    return vrs_fail(VRS_INVALID, "%s: the file is larger than %zu bytes, the most that is read",
                    path, max_size);
}

/* Makes room for one byte more than `needed`, the closing zero. */
static vrs_status reserve(char **data, size_t *room, size_t needed)
{
    if (needed < *room)
        return VRS_OK;
    size_t larger = needed + 1 > SIZE_MAX / 2 ? SIZE_MAX : (needed + 1) * 2;
    char *grown = vrs_realloc(*data, larger);
    if (grown == NULL)
        return VRS_NO_MEMORY;
    *data = grown;
    *room = larger;
    return VRS_OK;
}

/* Reads to the end of `file`. Its size is only a hint: files of /proc have none, others may grow
 * meanwhile. The block is the caller's, also on failure. */
static vrs_status read_all(int file, const char *path, size_t hint, size_t max_size, char **data,
                           size_t *size)
{
    size_t room = 0;
    size_t used = 0;
    vrs_status status = reserve(data, &room, hint);
    while (status == VRS_OK) {
        ssize_t got = read(file, *data + used, room - 1 - used);
        if (got < 0 && errno != EINTR)
            return fail_errno(path, "read it");
        if (got == 0)
            break;
        used += got > 0 ? (size_t)got : 0;
        if (used > max_size)
            return fail_too_large(path, max_size);
        status = reserve(data, &room, used + 1);
    }
    if (status == VRS_OK) {
        (*data)[used] = '\0';
        *size = used;
    }
    return status;
}

static vrs_status read_regular(int file, const char *path, size_t max_size, char **data,
                               size_t *size)
{
    struct stat info;
    if (fstat(file, &info) != 0)
        return fail_errno(path, "look at it");
    if (S_ISDIR(info.st_mode))
        return vrs_fail(VRS_INVALID, "%s: this is a folder; a file is needed", path);
    if (!S_ISREG(info.st_mode))
        return vrs_fail(VRS_INVALID, "%s: this is not a regular file", path);
    if (info.st_size < 0 || (uintmax_t)info.st_size > max_size)
        return fail_too_large(path, max_size);
    return read_all(file, path, (size_t)info.st_size, max_size, data, size);
}

vrs_status vrs_file_read(const char *path, size_t max_size, char **data, size_t *size)
{
    /* Without O_NONBLOCK, opening a pipe that nobody writes to never returns. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return fail_errno(path, "open it");
    char *block = NULL;
    vrs_status status = read_regular(file, path, max_size, &block, size);
    close(file);
    if (status != VRS_OK) {
        vrs_free(block);
        return status;
    }
    *data = block;
    return VRS_OK;
}

#define MAX_SYSTEM_FILE (16 << 20) /* /proc/cpuinfo of the largest machines */

char *vrs_file_of_system(const char *root, const char *path)
{
    char whole[VRS_PATH_MAX];
    char *data = NULL;
    size_t size = 0;
    if (vrs_path_format(whole, sizeof(whole), "%s%s", root, path) != VRS_OK ||
        vrs_file_read(whole, MAX_SYSTEM_FILE, &data, &size) != VRS_OK)
        return NULL;
    return data;
}

static vrs_status write_all(int file, const char *path, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, data, size);
        if (written < 0 && errno != EINTR)
            return fail_errno(path, "write it");
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    /* A device or a pipe has nothing to sync. */
    if (fsync(file) != 0 && errno != EINVAL && errno != ENOTSUP)
        return fail_errno(path, "bring it to the disk");
    return VRS_OK;
}

/* Opens a file beside `path` under a name that no other has. It gets the permissions of the file
 * that it replaces. */
static vrs_status open_temporary(const char *path, char *temporary, size_t size, int *file)
{
    static atomic_uint counter;
    for (int attempt = 0; attempt < 100; attempt++) {
        vrs_status status =
            vrs_path_format(temporary, size, "%s.%ld-%u.tmp", path, (long)getpid(),
                            atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed));
        if (status != VRS_OK)
            return status;
        *file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*file >= 0) {
            struct stat old;
            if (stat(path, &old) == 0 && S_ISREG(old.st_mode)) {
                /* Failure leaves the usual permissions, which is no reason to fail. */
                (void)!fchmod(*file, old.st_mode & 07777);
            }
            return VRS_OK;
        }
        if (errno != EEXIST)
            return fail_errno(path, "create a temporary file beside it");
    }
    return fail_errno(path, "create a temporary file beside it");
}

/* The rename lasts once the folder is on the disk. Some file systems cannot sync a folder. */
static vrs_status sync_folder(const char *path)
{
    char folder[VRS_PATH_MAX];
    size_t length = (size_t)(vrs_path_base(path) - path);
    vrs_status status = length == 0
                            ? vrs_path_format(folder, sizeof(folder), ".")
                            : vrs_path_format(folder, sizeof(folder), "%.*s", (int)length, path);
    if (status != VRS_OK)
        return status;
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return errno == EACCES ? VRS_OK : fail_errno(folder, "open it");
    int error = fsync(file) == 0 ? 0 : errno;
    close(file);
    if (error != 0 && error != EINVAL && error != EROFS) {
        errno = error;
        return fail_errno(folder, "bring it to the disk");
    }
    return VRS_OK;
}

static vrs_status replace(const char *path, const void *data, size_t size)
{
    char temporary[VRS_PATH_MAX];
    int file = -1;
    vrs_status status = open_temporary(path, temporary, sizeof(temporary), &file);
    if (status != VRS_OK)
        return status;
    status = write_all(file, path, data, size);
    if (close(file) != 0 && status == VRS_OK)
        status = fail_errno(path, "write it");
    if (status == VRS_OK && rename(temporary, path) != 0)
        status = fail_errno(path, "put a new file in its place");
    if (status != VRS_OK) {
        unlink(temporary);
        return status;
    }
    return sync_folder(path);
}

/* What is no plain file stays: a file in place of /dev/null takes it from everybody. */
static vrs_status write_into(const char *path, const void *data, size_t size)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return fail_errno(path, "open it for writing");
    vrs_status status = write_all(file, path, data, size);
    if (close(file) != 0 && status == VRS_OK)
        status = fail_errno(path, "write it");
    return status;
}

bool vrs_file_is_special(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

vrs_status vrs_file_replace(const char *path, const void *data, size_t size)
{
    if (vrs_file_is_special(path))
        return write_into(path, data, size);
    /* A symbolic link keeps pointing where it points: its target is what is replaced. */
    char target[VRS_PATH_MAX];
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode) && realpath(path, target) != NULL)
        return replace(target, data, size);
    return replace(path, data, size);
}
