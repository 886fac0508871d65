#include "media/mp4_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static bool read_at(void *opaque, uint64_t place, uint8_t *bytes, size_t count)
{
    const int *fd = opaque;
    if (place > INT64_MAX - count) {
        return false;
    }
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
    if (bytes != NULL && !file->read(file->opaque, boxes->mesh_place, bytes, boxes->mesh_size)) {
        status = vrs_fail(VRS_IO, "mesh of the projection (mshp): it cannot be read");
    } else if (bytes != NULL) {
        status = vrs_mesh_read(bytes, boxes->mesh_size, boxes->stereo == VRS_ST3D_CUSTOM, &mesh);
    }
    if (status != VRS_OK && boxes->trouble[0] == '\0') {
        (void)snprintf(boxes->trouble, sizeof(boxes->trouble), "%s", vrs_last_error());
    }
    vrs_free(bytes);
    return mesh;
}

vrs_boxes vrs_mp4_layout_read(const char *path, vrs_mesh **mesh)
{
    vrs_boxes boxes = {.stereo = -1};
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (mesh != NULL) {
        *mesh = NULL;
    }
    if (fd < 0) {
        return boxes;
    }
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
        const vrs_bytes file = {read_at, &fd, (uint64_t)info.st_size};
        boxes = vrs_boxes_read(&file);
        if (mesh != NULL && boxes.mesh_size > 0) {
            *mesh = read_mesh(&file, &boxes);
        }
    }
    (void)close(fd);
    return boxes;
}
