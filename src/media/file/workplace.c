#define _XOPEN_SOURCE 700 /* realpath() */

#include "media/file/workplace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "media/file/journal.h"
#include "vrseg/log.h"

#define LOCK_TRIES 16

_Static_assert(VRS_PATH_MAX >= PATH_MAX, "realpath() writes PATH_MAX bytes");

/* ---- finding -------------------------------------------------------------------------------- */

/* Splits off the folder and name of a path without the slashes at its end. */
static vrs_status split(const char *path, char *parent, char *name)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    size_t start = length;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (start == length)
        return vrs_fail(VRS_INVALID, "\"%s\" is no name for an output", path);
    vrs_status status =
        vrs_path_format(name, VRS_PATH_MAX, "%.*s", (int)(length - start), path + start);
    if (status != VRS_OK)
        return status;
    if (start == 0)
        return vrs_path_format(parent, VRS_PATH_MAX, ".");
    return vrs_path_format(parent, VRS_PATH_MAX, "%.*s", start > 1 ? (int)start - 1 : 1, path);
}

static vrs_status resolve(vrs_workplace *place, const char *path)
{
    char name[VRS_PATH_MAX];
    char folder[VRS_PATH_MAX];
    vrs_status status = split(path, folder, name);
    if (status != VRS_OK)
        return status;
    if (realpath(path, place->output)) {
        status = split(place->output, place->parent, name);
    } else if (!realpath(folder, place->parent)) {
        return vrs_fail(vrs_errno_status(errno), "%s: the folder %s cannot be used: %s", path,
                        folder, vrs_errno_text(errno));
    } else {
        bool root = strcmp(place->parent, "/") == 0;
        status = vrs_path_format(place->output, sizeof place->output, "%s/%s",
                                 root ? "" : place->parent, name);
    }
    if (status != VRS_OK)
        return status;
    return vrs_path_format(place->folder, sizeof place->folder, "%s.vrseg", place->output);
}

static vrs_status check_existing(const char *path, const struct stat *info, vrs_workplace_kind kind,
                                 bool overwrite)
{
    if (kind == VRS_WORKPLACE_FOLDER) {
        return S_ISDIR(info->st_mode)
                   ? VRS_OK
                   : vrs_fail(VRS_INVALID, "%s: exists and is not a folder", path);
    }
    if (S_ISDIR(info->st_mode))
        return vrs_fail(VRS_INVALID, "%s: is a folder; name a file in it", path);
    if (!S_ISREG(info->st_mode))
        return vrs_fail(VRS_INVALID, "%s: is not a plain file; only Y4M goes there", path);
    if (!overwrite)
        return vrs_fail(VRS_INVALID, "%s: exists; choose another name or set overwrite", path);
    return VRS_OK;
}

vrs_status vrs_workplace_find(vrs_workplace *place, const char *path, const char *source_path,
                              vrs_workplace_kind kind, bool overwrite)
{
    place->lock = -1;
    vrs_status status = resolve(place, path);
    if (status != VRS_OK)
        return status;
    struct stat output;
    struct stat source;
    bool exists = stat(place->output, &output) == 0;
    if (exists && source_path && stat(source_path, &source) == 0 &&
        source.st_dev == output.st_dev && source.st_ino == output.st_ino)
        return vrs_fail(VRS_INVALID, "%s: is the input itself; choose another output", path);
    if (exists)
        status = check_existing(path, &output, kind, overwrite);
    struct stat parent;
    if (status == VRS_OK && stat(place->parent, &parent) == 0 && !S_ISDIR(parent.st_mode))
        return vrs_fail(VRS_NOT_FOUND, "%s: %s is not a folder", path, place->parent);
    if (status == VRS_OK && access(place->parent, W_OK | X_OK) != 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: the folder %s is not writable: %s", path,
                        place->parent, vrs_errno_text(errno));
    }
    return status;
}

vrs_status vrs_workplace_of_shard(vrs_workplace *place, int32_t shard, int32_t shards)
{
    return vrs_path_format(place->folder, sizeof place->folder, "%s.%dof%d.vrseg", place->output,
                           (int)shard, (int)shards);
}

/* ---- what lies in the folder ---------------------------------------------------------------- */

static bool is_ours(const char *name)
{
    return strncmp(name, "seg-", 4) == 0 || strncmp(name, "joined.", 7) == 0 ||
           strcmp(name, VRS_JOURNAL_NAME) == 0;
}

static bool is_named(const vrs_journal *journal, const char *name)
{
    bool named = journal && strcmp(name, VRS_JOURNAL_NAME) == 0;
    for (size_t i = 0; journal && i < journal->count && !named; i++)
        named = strcmp(journal->entries[i].file, name) == 0;
    return named;
}

void vrs_workplace_tidy(const vrs_workplace *place, const vrs_journal *journal)
{
    DIR *folder = opendir(place->folder);
    if (!folder)
        return;
    const struct dirent *item = NULL;
    while ((item = readdir(folder)))
        if (is_ours(item->d_name) && !is_named(journal, item->d_name))
            (void)unlinkat(dirfd(folder), item->d_name, 0);
    (void)closedir(folder);
}

static vrs_status lock_path(const vrs_workplace *place, char *path)
{
    return vrs_path_format(path, VRS_PATH_MAX, "%s/lock", place->folder);
}

/* Finished segments in the folder, by its journal. */
static vrs_status clear_leftover(const vrs_workplace *place, vrs_leftover leftover)
{
    int64_t segments = 0;
    if (leftover == VRS_LEFTOVER_KEEP)
        return VRS_OK;
    vrs_status status = vrs_journal_count(place->folder, &segments);
    if (status != VRS_OK)
        return status;
    if (segments > 0 && leftover == VRS_LEFTOVER_REFUSE) {
        return vrs_fail(VRS_INVALID,
                        "%s: holds %lld finished segments of a run that ended early; go on with it "
                        "by resume, remove it, or set overwrite",
                        place->folder, (long long)segments);
    }
    if (segments > 0) {
        vrs_log(VRS_LOG_WARNING,
                "%s: %lld finished segments of a run that ended early are replaced", place->folder,
                (long long)segments);
    }
    vrs_workplace_tidy(place, NULL);
    return VRS_OK;
}

/* ---- the lock ------------------------------------------------------------------------------- */

/* Whether the file of a descriptor is still the one of that name: who had the lock before may have
 * removed it between our opening and our locking. */
static bool is_still(int descriptor, const char *path)
{
    struct stat held;
    struct stat named;
    return fstat(descriptor, &held) == 0 && stat(path, &named) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* One try: sets place->lock, or leaves it at -1 with VRS_OK when the folder vanished meanwhile. */
static vrs_status try_lock(vrs_workplace *place, const char *path, bool *made)
{
    errno = EIO;
    *made = vrs_inject("mkdir") && mkdir(place->folder, 0777) == 0;
    if (!*made && errno != EEXIST) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be made: %s", place->folder,
                        vrs_errno_text(errno));
    }
    errno = EIO;
    int lock = vrs_inject("open") ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (lock < 0) {
        return errno == ENOENT ? VRS_OK
                               : vrs_fail(vrs_errno_status(errno), "%s: cannot be made: %s", path,
                                          vrs_errno_text(errno));
    }
    errno = EIO;
    if (!vrs_inject("flock") || flock(lock, LOCK_EX | LOCK_NB) != 0) {
        vrs_status status =
            errno == EWOULDBLOCK
                ? vrs_fail(VRS_BUSY, "%s: another run is writing it", place->output)
                : vrs_fail(VRS_IO, "%s: cannot be locked: %s", path, vrs_errno_text(errno));
        (void)close(lock);
        return status;
    }
    if (is_still(lock, path))
        place->lock = lock;
    else
        (void)close(lock);
    return VRS_OK;
}

vrs_status vrs_workplace_enter(vrs_workplace *place, vrs_leftover leftover)
{
    char path[VRS_PATH_MAX];
    bool made = false;
    vrs_status status = lock_path(place, path);
    for (int i = 0; i < LOCK_TRIES && status == VRS_OK && place->lock < 0; i++)
        status = try_lock(place, path, &made);
    if (status == VRS_OK && place->lock < 0)
        status = vrs_fail(VRS_BUSY, "%s: other runs keep writing it", place->output);
    if (status != VRS_OK) {
        if (made) {
            (void)unlink(path);
            (void)rmdir(place->folder);
        }
        return status;
    }
    status = made ? VRS_OK : clear_leftover(place, leftover);
    if (status != VRS_OK)
        vrs_workplace_leave(place);
    return status;
}

void vrs_workplace_clear(vrs_workplace *place)
{
    char path[VRS_PATH_MAX];
    if (place->lock < 0)
        return;
    vrs_workplace_tidy(place, NULL);
    if (lock_path(place, path) == VRS_OK)
        (void)unlink(path);
    (void)rmdir(place->folder);
    vrs_workplace_leave(place);
}

void vrs_workplace_leave(vrs_workplace *place)
{
    if (place->lock >= 0) {
        (void)close(place->lock);
        place->lock = -1;
    }
}
