/* Room and speed of a folder's file system. */
/* O_TMPFILE, O_DIRECT, mkostemp() */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/errno_text.h"
#include "base/file.h"

#define BLOCK (1 << 20)

static vrs_status disk_failed(const char *folder, const char *what)
{
    int error = errno;
    return vrs_fail(vrs_errno_status(error), "%s: cannot %s: %s", folder, what,
                    vrs_errno_text(error));
}

/* Cuts the last part of a path: "/a/b" to "/a", "a" to ".". False at the top. */
static bool go_up(char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
        return false;
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        memcpy(path, ".", 2);
    else
        slash[slash == path ? 1 : 0] = '\0';
    return true;
}

/* Numbers of linux/magic.h and of file systems that are not in it. */
static void name_filesystem(unsigned long type, char *text, size_t size)
{
    static const struct {
        unsigned long type;
        const char *name;
    } known[] = {
        {0xEF53, "ext4"},         {0x58465342, "xfs"}, {0x9123683E, "btrfs"},
        {0x01021994, "tmpfs"},    {0x6969, "nfs"},     {0xFF534D42, "cifs"},
        {0x794C7630, "overlay"},  {0x2FC12FC1, "zfs"}, {0x65735546, "fuse"},
        {0xF2F52010, "f2fs"},     {0x4D44, "vfat"},    {0x2011BAB0, "exfat"},
        {0x5346544E, "ntfs"},     {0x01021997, "9p"},  {0x0BD00BD0, "lustre"},
        {0x73717368, "squashfs"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].type == type) {
            (void)snprintf(text, size, "%s", known[i].name);
            return;
        }
    }
    (void)snprintf(text, size, "0x%lx", type);
}

static int64_t bytes_of(uint64_t blocks, uint64_t block)
{
    return block != 0 && blocks > (uint64_t)INT64_MAX / block ? INT64_MAX
                                                              : (int64_t)(blocks * block);
}

vrs_status vrs_disk_read(const char *folder, vrs_disk_info *info)
{
    struct statvfs room;
    struct statfs kind;
    *info = (vrs_disk_info){.total = -1, .available = -1};
    vrs_status status =
        vrs_path_format(info->folder, sizeof(info->folder), "%s", folder[0] != 0 ? folder : ".");
    if (status != VRS_OK)
        return status;
    while (statvfs(info->folder, &room) != 0)
        if ((errno != ENOENT && errno != ENOTDIR) || !go_up(info->folder))
            return disk_failed(info->folder, "ask for its file system");
    if (statfs(info->folder, &kind) == 0) {
        name_filesystem((unsigned long)kind.f_type & 0xFFFFFFFFUL, info->filesystem,
                        sizeof(info->filesystem));
    }
    info->total = bytes_of(room.f_blocks, room.f_frsize);
    info->available = bytes_of(room.f_bavail, room.f_frsize);
    info->writable = access(info->folder, W_OK | X_OK) == 0;
    return VRS_OK;
}

/* A file without a name; where the file system has no such, one whose name is gone at once. */
static vrs_status open_nameless(const char *folder, int *file)
{
    char path[VRS_PATH_MAX];
    *file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*file >= 0)
        return VRS_OK;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)
        return disk_failed(folder, "write a file there");
    vrs_status status = vrs_path_format(path, sizeof(path), "%s/vrseg-speed-XXXXXX", folder);
    if (status != VRS_OK)
        return status;
    *file = mkostemp(path, O_CLOEXEC);
    if (*file < 0)
        return disk_failed(folder, "write a file there");
    (void)unlink(path);
    return VRS_OK;
}

/* Bytes a second; a clock that stands still gives 0. */
static double rate_of(uint64_t bytes, int64_t start_ns)
{
    int64_t taken = vrs_now_ns() - start_ns;
    return taken > 0 ? (double)bytes * 1e9 / (double)taken : 0;
}

static vrs_status write_blocks(const char *folder, int file, uint8_t *block, uint64_t bytes,
                               int64_t deadline, uint64_t *written)
{
    for (*written = 0; *written < bytes && (*written == 0 || vrs_now_ns() < deadline);) {
        ssize_t put = write(file, block, BLOCK);
        if (put < 0 && errno != EINTR)
            return disk_failed(folder, "write a file there");
        *written += put > 0 ? (uint64_t)put : 0;
    }
    return fdatasync(file) == 0 ? VRS_OK : disk_failed(folder, "sync a file there");
}

/* Past the page cache; 0 where the file system has no such way. */
static double read_blocks(int file, uint8_t *block, uint64_t bytes, int64_t deadline)
{
    int flags = fcntl(file, F_GETFL);
    if (flags < 0 || fcntl(file, F_SETFL, flags | O_DIRECT) != 0 || lseek(file, 0, SEEK_SET) != 0)
        return 0;
    int64_t start = vrs_now_ns();
    uint64_t got = 0;
    while (got < bytes && (got == 0 || vrs_now_ns() < deadline)) {
        ssize_t part = read(file, block, BLOCK);
        if (part <= 0)
            break;
        got += (uint64_t)part;
    }
    return rate_of(got, start);
}

vrs_status vrs_disk_measure(const char *folder, uint64_t bytes, double seconds, double *write_rate,
                            double *read_rate)
{
    int file;
    uint64_t written;
    *write_rate = *read_rate = 0;
    if (bytes < BLOCK || !(seconds > 0)) {
        return vrs_fail(VRS_INVALID,
                        "the speed of %s: expected at least 1 MiB and some time, not %llu bytes "
                        "and %g s",
                        folder, (unsigned long long)bytes, seconds);
    }
    /* Aligned to pages, as direct reads want. */
    uint8_t *block = vrs_alloc_aligned(BLOCK + 4096);
    if (block == NULL)
        return VRS_NO_MEMORY;
    uint8_t *page = block + (4096 - (uintptr_t)block % 4096) % 4096;
    for (size_t i = 0; i < BLOCK; i++) /* what does not compress */
        page[i] = (uint8_t)((i * 2654435761U) >> 13);
    vrs_status status = open_nameless(folder[0] != 0 ? folder : ".", &file);
    if (status == VRS_OK) {
        const int64_t start = vrs_now_ns(), limit = (int64_t)(seconds * 1e9);
        status = write_blocks(folder, file, page, bytes, start + limit, &written);
        if (status == VRS_OK) {
            *write_rate = rate_of(written, start);
            *read_rate = read_blocks(file, page, written, vrs_now_ns() + limit);
        }
        (void)close(file);
    }
    vrs_free(block);
    return status;
}
