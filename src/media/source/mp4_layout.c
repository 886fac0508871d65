#include "media/source/mp4_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/errno_text.h"

static bool read_at(void *opaque, uint64_t place, uint8_t *bytes, size_t count)
{
    const int *fd = opaque;
    if (place > INT64_MAX - count)
        return false;
    ssize_t got;
    do {
        got = pread(*fd, bytes, count, (off_t)place);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)count;
}

static vrs_mesh *read_mesh(const vrs_bytes *file, vrs_boxes *boxes)
{
    vrs_mesh *mesh = NULL;
    vrs_status status = VRS_NO_MEMORY;
    uint8_t *bytes = vrs_alloc(boxes->mesh_size + 1);
    if (bytes != NULL && !file->read(file->opaque, boxes->mesh_place, bytes, boxes->mesh_size))
        status = vrs_fail(VRS_IO, "mesh of the projection (mshp): it cannot be read");
    else if (bytes != NULL)
        status = vrs_mesh_read(bytes, boxes->mesh_size, boxes->stereo == VRS_ST3D_CUSTOM, &mesh);
    if (status != VRS_OK && boxes->trouble[0] == '\0')
        (void)snprintf(boxes->trouble, sizeof(boxes->trouble), "%s", vrs_last_error());
    vrs_free(bytes);
    return mesh;
}

vrs_boxes vrs_mp4_layout_read(const char *path, vrs_mesh **mesh)
{
    vrs_boxes boxes = {.stereo = -1};
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (mesh != NULL)
        *mesh = NULL;
    if (fd < 0)
        return boxes;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
        const vrs_bytes file = {read_at, &fd, (uint64_t)info.st_size};
        boxes = vrs_boxes_read(&file);
        if (mesh != NULL && boxes.mesh_size > 0)
            *mesh = read_mesh(&file, &boxes);
    }
    (void)close(fd);
    return boxes;
}

vrs_status vrs_mp4_mesh_bytes(const char *path, const vrs_boxes *boxes, uint8_t **bytes)
{
    uint8_t *read = vrs_alloc(boxes->mesh_size + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool whole = read != NULL && fd >= 0 && read_at(&fd, boxes->mesh_place, read, boxes->mesh_size);
    if (fd >= 0)
        (void)close(fd);
    if (read != NULL && !whole) {
        vrs_free(read);
        return vrs_fail(VRS_IO, "%s: the mesh of its projection cannot be read", path);
    }
    *bytes = read;
    return read != NULL ? VRS_OK : VRS_NO_MEMORY;
}

/* ---- writing -------------------------------------------------------------------------------- */

static uint64_t word_at(const uint8_t *bytes)
{
    return (uint64_t)bytes[0] << 24 | (uint64_t)bytes[1] << 16 | (uint64_t)bytes[2] << 8 | bytes[3];
}

/* Where the moov box begins, if it is the last one. */
static vrs_status find_moov(const char *path, int fd, uint64_t *place, uint64_t *size)
{
    struct stat info;
    uint8_t head[16];
    uint64_t at = 0;
    if (fstat(fd, &info) != 0 || info.st_size < 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be looked at: %s", path,
                        vrs_errno_text(errno));
    }
    const uint64_t end = (uint64_t)info.st_size;
    while (end - at >= sizeof head && read_at(&fd, at, head, sizeof head)) {
        uint64_t length = word_at(head);
        length = length == 1 ? word_at(head + 8) << 32 | word_at(head + 12) : length;
        if (length < 8 || length > end - at)
            break;
        if (memcmp(head + 4, "moov", 4) == 0 && at + length == end) {
            *place = at;
            *size = length;
            return VRS_OK;
        }
        at += length;
    }
    return vrs_fail(VRS_UNSUPPORTED, "%s: tags of the layout go into files that end with moov",
                    path);
}

static vrs_status write_at(const char *path, int fd, uint64_t place, const uint8_t *bytes,
                           size_t size)
{
    size_t done = 0;
    while (done < size) {
        errno = ENOSPC;
        ssize_t wrote =
            vrs_inject("write") ? pwrite(fd, bytes + done, size - done, (off_t)(place + done)) : -1;
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            return vrs_fail(vrs_errno_status(errno), "%s: cannot be written: %s", path,
                            vrs_errno_text(errno));
        }
        done += (size_t)wrote;
    }
    errno = EIO;
    if (ftruncate(fd, (off_t)(place + size)) != 0 || (vrs_inject("fsync") ? fsync(fd) : -1) != 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be brought to the disk: %s", path,
                        vrs_errno_text(errno));
    }
    return VRS_OK;
}

static vrs_status rewrite(const char *path, int fd, const vrs_boxes *say, const uint8_t *mesh)
{
    uint64_t place = 0, size = 0;
    uint8_t *put = NULL;
    size_t put_size = 0;
    vrs_status status = find_moov(path, fd, &place, &size);
    if (status != VRS_OK)
        return status;
    uint8_t *moov = vrs_alloc(size);
    if (moov == NULL)
        return VRS_NO_MEMORY;
    if (read_at(&fd, place, moov, size))
        status = vrs_boxes_put(moov, size, say, mesh, &put, &put_size);
    else
        status = vrs_fail(VRS_IO, "%s: cannot be read back", path);
    if (status == VRS_OK)
        status = write_at(path, fd, place, put, put_size);
    vrs_free(put);
    vrs_free(moov);
    return status;
}

vrs_status vrs_mp4_layout_write(const char *path, const vrs_boxes *say, const uint8_t *mesh)
{
    errno = EIO;
    int fd = vrs_inject("open") ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be opened: %s", path,
                        vrs_errno_text(errno));
    }
    vrs_status status = rewrite(path, fd, say, mesh);
    (void)close(fd);
    return status;
}
