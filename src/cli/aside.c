#define _XOPEN_SOURCE 700 /* realpath() */

#include "cli/aside.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_file(const char *path)
{
    struct stat info;
    if (path == NULL || strcmp(path, "-") == 0)
        return false;
    return stat(path, &info) != 0 || S_ISREG(info.st_mode);
}

/* The folder that `path` names a file in. False: too long. */
static bool folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    int written = snprintf(folder, PATH_MAX, "%.*s", length, slash == NULL ? "." : path);
    return written > 0 && written < PATH_MAX;
}

/* The path of a file without links, dots and folders' other names, whether it exists or not. */
static bool canonical(const char *path, char name[PATH_MAX * 2])
{
    char folder[PATH_MAX], real[PATH_MAX];
    if (realpath(path, name) != NULL)
        return true;
    if (!folder_of(path, folder) || realpath(folder, real) == NULL)
        return false;
    const char *slash = strrchr(path, '/');
    int written = snprintf(name, PATH_MAX * 2, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
                           slash == NULL ? path : slash + 1);
    return written > 0 && written < PATH_MAX * 2;
}

static bool same_file(const char *a, const char *b)
{
    char first[PATH_MAX * 2], second[PATH_MAX * 2];
    struct stat one, other;
    if (stat(a, &one) == 0 && stat(b, &other) == 0)
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
    return canonical(a, first) && canonical(b, second) && strcmp(first, second) == 0;
}

vrs_status vrs_aside_distinct(const char *what, const char *path, const vrs_aside *others,
                              size_t count)
{
    if (!is_file(path))
        return VRS_OK;
    for (size_t i = 0; i < count; i++)
        if (is_file(others[i].path) && same_file(path, others[i].path))
            return vrs_fail(VRS_INVALID, "%s %s: is %s itself; choose another file", what, path,
                            others[i].what);
    return VRS_OK;
}

static vrs_status fail(const char *what, const char *path, int error)
{
    const char *reason = error == ENOENT || error == ENOTDIR ? "its folder does not exist"
                         : error == EROFS                    ? "the file system is read-only"
                         : error == EACCES || error == EPERM ? "permission denied"
                                                             : "it cannot be reached";
    vrs_status status = error == ENOENT || error == ENOTDIR ? VRS_NOT_FOUND : VRS_PERMISSION;
    return vrs_fail(status, "%s %s: cannot be written there: %s", what, path, reason);
}

vrs_status vrs_aside_writable(const char *what, const char *path)
{
    char folder[PATH_MAX];
    struct stat info;
    if (path == NULL || strcmp(path, "-") == 0)
        return VRS_OK;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return vrs_fail(VRS_INVALID, "%s %s: is a folder; name a file in it", what, path);
    if (path[0] == 0 || !folder_of(path, folder))
        return vrs_fail(VRS_INVALID, "%s: the name is empty or too long", what);
    bool exists = access(path, F_OK) == 0;
    if (access(exists ? path : folder, exists ? W_OK : W_OK | X_OK) != 0)
        return fail(what, path, errno);
    if (!exists && (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)))
        return fail(what, path, ENOTDIR);
    return VRS_OK;
}
