#include "media/file/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/crc.h>
#include <libavutil/error.h>
#include <libavutil/mem.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "media/file/write_times.h"
#include "media/libav/av.h"
#include "vrseg/system.h"

#define BUFFER_BYTES (1 << 16)

static int write_packet(void *opaque, uint8_t *data, int size)
{
    vrs_out_file *file = opaque;
    int done = 0;
    int64_t begin_ns = vrs_now_ns();
    while (done < size) {
        ssize_t count = -1;
        errno = EIO;
        if (vrs_inject("write"))
            count = write(file->fd, data + done, (size_t)(size - done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            if (file->error == 0)
                file->error = errno;
            return AVERROR(errno);
        }
        done += (int)count;
    }
    vrs_write_times_add(file->pipe, begin_ns);
    return size;
}

static int64_t seek_to(void *opaque, int64_t offset, int whence)
{
    vrs_out_file *file = opaque;
    if (whence == AVSEEK_SIZE)
        return AVERROR(ENOSYS);
    off_t place = lseek(file->fd, (off_t)offset, whence);
    return place < 0 ? AVERROR(errno) : (int64_t)place;
}

static void close_io(vrs_out_file *file)
{
    if (file->io) {
        av_freep(&file->io->buffer);
        avio_context_free(&file->io);
    }
}

static void close_descriptor(vrs_out_file *file, bool removed)
{
    if (file->fd >= 0 && file->fd != STDOUT_FILENO)
        (void)close(file->fd);
    if (removed && !file->adopted)
        (void)unlink(file->path);
    file->fd = -1;
}

static vrs_status make_io(vrs_out_file *file)
{
    uint8_t *buffer = vrs_inject("libav") ? av_malloc(BUFFER_BYTES) : NULL;
    if (buffer && vrs_inject("libav"))
        file->io = avio_alloc_context(buffer, BUFFER_BYTES, 1, file, NULL, write_packet, seek_to);
    if (!file->io) {
        av_free(buffer);
        close_descriptor(file, true);
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory to write it", file->path);
    }
    return VRS_OK;
}

vrs_status vrs_out_file_create(vrs_out_file *file, const char *path)
{
    *file = (vrs_out_file){.fd = -1};
    vrs_status status = vrs_path_format(file->path, sizeof file->path, "%s", path);
    if (status != VRS_OK)
        return status;
    errno = EIO;
    if (vrs_inject("open"))
        file->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file->fd < 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be made: %s", path,
                        vrs_errno_text(errno));
    }
    return make_io(file);
}

vrs_status vrs_out_file_adopt(vrs_out_file *file, int fd, const char *name)
{
    struct stat about;
    *file = (vrs_out_file){.fd = fd, .adopted = true};
    file->pipe = fstat(fd, &about) == 0 && !S_ISREG(about.st_mode);
    vrs_status status = vrs_path_format(file->path, sizeof file->path, "%s", name);
    return status == VRS_OK ? make_io(file) : status;
}

static vrs_status checksum(int fd, const char *path, int64_t *bytes, uint32_t *crc)
{
    const AVCRC *table = av_crc_get_table(AV_CRC_32_IEEE_LE);
    uint8_t block[BUFFER_BYTES];
    uint32_t sum = UINT32_MAX;
    int64_t place = 0;
    for (;;) {
        ssize_t count = pread(fd, block, sizeof block, (off_t)place);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            return vrs_fail(vrs_errno_status(errno), "%s: cannot be read back: %s", path,
                            vrs_errno_text(errno));
        }
        if (count == 0)
            break;
        sum = av_crc(table, sum, block, (size_t)count);
        place += count;
    }
    *bytes = place;
    *crc = ~sum;
    return VRS_OK;
}

static int sync_descriptor(int fd)
{
    int64_t begin_ns = vrs_now_ns();
    errno = EIO;
    int result = vrs_inject("fsync") ? fsync(fd) : -1;
    vrs_write_times_add(false, begin_ns);
    return result;
}

vrs_status vrs_out_file_finish(vrs_out_file *file, int64_t *bytes, uint32_t *crc)
{
    vrs_status status = VRS_OK;
    avio_flush(file->io);
    if (file->error != 0 || file->io->error < 0)
        status = vrs_out_file_fail(file, file->io->error);
    if (status == VRS_OK && !file->adopted && sync_descriptor(file->fd) != 0) {
        status = vrs_fail(vrs_errno_status(errno), "%s: cannot be brought to the disk: %s",
                          file->path, vrs_errno_text(errno));
    }
    int64_t size = 0;
    uint32_t sum = 0;
    if (status == VRS_OK && (bytes || crc))
        status = checksum(file->fd, file->path, &size, &sum);
    if (status != VRS_OK) {
        vrs_out_file_discard(file);
        return status;
    }
    if (bytes)
        *bytes = size;
    if (crc)
        *crc = sum;
    close_io(file);
    close_descriptor(file, false);
    return VRS_OK;
}

vrs_status vrs_file_checksum(const char *path, int64_t *bytes, uint32_t *crc)
{
    errno = EIO;
    int fd = vrs_inject("open") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be read back: %s", path,
                        vrs_errno_text(errno));
    }
    vrs_status status = checksum(fd, path, bytes, crc);
    (void)close(fd);
    return status;
}

void vrs_out_file_discard(vrs_out_file *file)
{
    close_io(file);
    if (file->path[0] != '\0' && file->fd >= 0)
        close_descriptor(file, true);
    file->fd = -1;
}

vrs_status vrs_out_file_fail(const vrs_out_file *file, int av_error)
{
    if (file->error != 0) {
        return vrs_fail(vrs_errno_status(file->error), "%s: cannot be written: %s", file->path,
                        vrs_errno_text(file->error));
    }
    return vrs_av_fail(av_error, "%s: cannot be written", file->path);
}

vrs_status vrs_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be opened: %s", path,
                        vrs_errno_text(errno));
    }
    vrs_status status = VRS_OK;
    /* Some file systems cannot sync a folder and say so; their names last by themselves. */
    if (sync_descriptor(fd) != 0 && errno != EINVAL) {
        status = vrs_fail(vrs_errno_status(errno), "%s: cannot be brought to the disk: %s", path,
                          vrs_errno_text(errno));
    }
    (void)close(fd);
    return status;
}
