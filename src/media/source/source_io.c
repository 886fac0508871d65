#include "media/source/source_io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/error.h>
#include <libavutil/mem.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "media/libav/av.h"
#include "vrseg/system.h"

#define IO_BUFFER_BYTES (64 * 1024)
#define IO_POLL_MS 100

bool vrs_source_stopped(const vrs_source_io *io)
{
    return io->stop && io->stop(io->stop_opaque);
}

/* Waits for data in a pipe, looking at `stop` meanwhile. */
static int wait_for_data(const vrs_source_io *io)
{
    struct pollfd wait = {.fd = io->fd, .events = POLLIN};
    for (;;) {
        int ready = poll(&wait, 1, IO_POLL_MS);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return AVERROR(errno);
        if (vrs_source_stopped(io))
            return AVERROR_EXIT;
    }
}

static int read_bytes(void *opaque, uint8_t *buffer, int size)
{
    vrs_source_io *io = opaque;
    if (vrs_source_stopped(io))
        return AVERROR_EXIT;
    for (;;) {
        int64_t begin_ns = vrs_now_ns();
        int error = io->seekable ? 0 : wait_for_data(io);
        ssize_t count = error < 0 ? -1 : read(io->fd, buffer, (size_t)size);
        io->starved_ns += vrs_now_ns() - begin_ns;
        if (error < 0)
            return error;
        if (count > 0) {
            io->bytes += count;
            return (int)count;
        }
        if (count == 0)
            return AVERROR_EOF;
        if (errno != EINTR && errno != EAGAIN) {
            io->error = AVERROR(errno);
            return io->error;
        }
    }
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    vrs_source_io *io = opaque;
    if (whence & AVSEEK_SIZE)
        return io->size >= 0 ? io->size : AVERROR(ENOSYS);
    off_t place = lseek(io->fd, (off_t)offset, whence & ~AVSEEK_FORCE);
    return place >= 0 ? (int64_t)place : AVERROR(errno);
}

static vrs_status open_fd(const char *path, vrs_source_io *io)
{
    struct stat about;
    if (strcmp(path, "-") == 0) {
        io->fd = STDIN_FILENO;
    } else {
        io->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        io->owns_fd = io->fd >= 0;
    }
    if (io->fd < 0 || fstat(io->fd, &about) != 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be opened: %s", path,
                        vrs_errno_text(errno));
    }
    io->seekable = S_ISREG(about.st_mode);
    io->size = io->seekable ? (int64_t)about.st_size : -1;
    if (io->seekable && about.st_size == 0)
        return vrs_fail(VRS_INVALID, "%s: the file is empty", path);
    return VRS_OK;
}

vrs_status vrs_source_io_open(const vrs_source_params *params, vrs_source_io *io)
{
    *io = (vrs_source_io){
        .fd = -1, .size = -1, .stop = params->stop, .stop_opaque = params->stop_opaque};
    vrs_status status = open_fd(params->path, io);
    if (status != VRS_OK) {
        vrs_source_io_close(io);
        return status;
    }
    uint8_t *buffer = vrs_inject("libav") ? av_malloc(IO_BUFFER_BYTES) : NULL;
    if (buffer && vrs_inject("libav")) {
        io->context = avio_alloc_context(buffer, IO_BUFFER_BYTES, 0, io, read_bytes, NULL,
                                         io->seekable ? seek_bytes : NULL);
    }
    if (!io->context) {
        av_free(buffer);
        vrs_source_io_close(io);
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for a read buffer", params->path);
    }
    return VRS_OK;
}

void vrs_source_io_close(vrs_source_io *io)
{
    if (io->context) {
        av_freep(&io->context->buffer);
        avio_context_free(&io->context);
    }
    if (io->owns_fd)
        close(io->fd);
    *io = (vrs_source_io){.fd = -1};
}
