/* Y4M (YUV4MPEG2, plain frames behind a line of text) to a file or a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "image/format.h"
#include "media/file/out_file.h"
#include "media/file/workplace.h"
#include "media/sink/sink_kinds.h"
#include "vrseg/log.h"

#define UNKNOWN_RATE 25

typedef struct y4m_sink {
    vrs_sink base;
    vrs_workplace place; /* of a file; not entered for a pipe */
    vrs_out_file file;
    bool pipe;
    bool closed;
    vrs_pixel_format format;
    int32_t width, height;
    char name[VRS_PATH_MAX];
    vrs_status failed;
} y4m_sink;

static const char *colour_space(vrs_pixel_format format, vrs_chroma_site site)
{
    switch (format) {
    case VRS_FORMAT_GRAY8:
        return "mono";
    case VRS_FORMAT_GRAY10:
        return "mono10";
    case VRS_FORMAT_YUV420P:
        return site == VRS_CHROMA_CENTER ? "420jpeg" : "420mpeg2";
    case VRS_FORMAT_YUV420P10:
        return "420p10 XYSCSS=420P10";
    default:
        return NULL;
    }
}

static vrs_status write_header(y4m_sink *y4m, const vrs_sink_params *params)
{
    const vrs_stream_info *stream = params->stream;
    const char *space = colour_space(params->format, stream->color.chroma_site);
    char line[256];
    if (!space) {
        return vrs_fail(VRS_INVALID, "%s: Y4M does not take images of format %s", params->path,
                        vrs_pixel_format_name(params->format));
    }
    bool grey = params->format == VRS_FORMAT_GRAY8 || params->format == VRS_FORMAT_GRAY10;
    bool full = grey || stream->color.range == VRS_RANGE_FULL;
    bool rated = stream->rate_num > 0 && stream->rate_den > 0;
    bool shaped = stream->aspect_num > 0 && stream->aspect_den > 0;
    int length = snprintf(
        line, sizeof line, "YUV4MPEG2 W%d H%d F%d:%d Ip A%d:%d C%s XCOLORRANGE=%s\n",
        (int)params->width, (int)params->height, rated ? (int)stream->rate_num : UNKNOWN_RATE,
        rated ? (int)stream->rate_den : 1, shaped ? (int)stream->aspect_num : 0,
        shaped ? (int)stream->aspect_den : 0, space, full ? "FULL" : "LIMITED");
    avio_write(y4m->file.io, (const uint8_t *)line, length);
    return VRS_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* A pipe or device that is there already, or standard output. */
static vrs_status open_pipe(y4m_sink *y4m, const char *path)
{
    y4m->pipe = true;
    if (strcmp(path, "-") == 0)
        return vrs_out_file_adopt(&y4m->file, STDOUT_FILENO, "standard output");
    errno = EIO;
    int fd = vrs_inject("open") ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be opened: %s", path,
                        vrs_errno_text(errno));
    }
    return vrs_out_file_adopt(&y4m->file, fd, path);
}

static vrs_status open_file(y4m_sink *y4m, const vrs_sink_params *params)
{
    char path[VRS_PATH_MAX];
    vrs_status status = vrs_workplace_find(&y4m->place, params->path, params->source_path,
                                           VRS_WORKPLACE_FILE, params->overwrite);
    if (status == VRS_OK)
        status = vrs_workplace_enter(&y4m->place, vrs_sink_leftover(params));
    if (status == VRS_OK)
        status = vrs_path_format(path, sizeof path, "%s/joined.y4m", y4m->place.folder);
    return status == VRS_OK ? vrs_out_file_create(&y4m->file, path) : status;
}

static void stop(y4m_sink *y4m)
{
    vrs_out_file_discard(&y4m->file);
    vrs_workplace_clear(&y4m->place);
    y4m->closed = true;
}

/* ---- the sink ------------------------------------------------------------------------------- */

static void write_rows(const y4m_sink *y4m, const vrs_image *image)
{
    static const char mark[] = "FRAME\n";
    int32_t planes = vrs_format_get(image->format)->planes;
    avio_write(y4m->file.io, (const uint8_t *)mark, (int)sizeof mark - 1);
    for (int32_t plane = 0; plane < planes; plane++) {
        int64_t bytes = vrs_plane_row_bytes(image, plane);
        int32_t rows = vrs_plane_height(image, plane);
        for (int32_t y = 0; y < rows; y++)
            avio_write(y4m->file.io, image->planes[plane] + image->strides[plane] * y, (int)bytes);
    }
    if (y4m->pipe)
        avio_flush(y4m->file.io);
}

static vrs_status check_image(const y4m_sink *y4m, const vrs_image *image)
{
    if (y4m->closed) {
        return y4m->failed != VRS_OK
                   ? vrs_fail(y4m->failed, "%s: takes nothing more after a failure", y4m->name)
                   : vrs_fail(VRS_CLOSED, "%s: is finished and takes nothing more", y4m->name);
    }
    vrs_status status = vrs_image_check(image);
    bool same = status == VRS_OK && image->format == y4m->format && image->width == y4m->width &&
                image->height == y4m->height;
    if (status == VRS_OK && !same) {
        status =
            vrs_fail(VRS_INVALID, "%s: takes %s of %dx%d, not %s of %dx%d", y4m->name,
                     vrs_pixel_format_name(y4m->format), (int)y4m->width, (int)y4m->height,
                     vrs_pixel_format_name(image->format), (int)image->width, (int)image->height);
    }
    return status;
}

static vrs_status y4m_write(vrs_sink *sink, vrs_image *image, int64_t pts, int64_t duration,
                            const char *name)
{
    y4m_sink *y4m = (y4m_sink *)sink;
    (void)pts;
    (void)duration;
    (void)name;
    vrs_status status = check_image(y4m, image);
    if (status == VRS_OK) {
        write_rows(y4m, image);
        if (y4m->file.error != 0) {
            y4m->failed = status = vrs_out_file_fail(&y4m->file, 0);
            stop(y4m);
        }
    }
    vrs_image_release(image);
    sink->frames += status == VRS_OK;
    return status;
}

static vrs_status put_in_place(y4m_sink *y4m)
{
    char path[VRS_PATH_MAX];
    vrs_status status = vrs_path_format(path, sizeof path, "%s", y4m->file.path);
    if (status == VRS_OK)
        status = vrs_out_file_finish(&y4m->file, NULL, NULL);
    errno = EIO;
    if (status == VRS_OK && !y4m->pipe &&
        (!vrs_inject("rename") || rename(path, y4m->place.output) != 0)) {
        status = vrs_fail(vrs_errno_status(errno), "%s: cannot be put in place: %s", y4m->name,
                          vrs_errno_text(errno));
    }
    if (status == VRS_OK && !y4m->pipe && vrs_sync_folder(y4m->place.parent) != VRS_OK) {
        vrs_log(VRS_LOG_WARNING, "%s: is whole, but a power cut could still undo it: %s", y4m->name,
                vrs_last_error());
    }
    return status;
}

static vrs_status y4m_finish(vrs_sink *sink)
{
    y4m_sink *y4m = (y4m_sink *)sink;
    if (y4m->closed) {
        return y4m->failed != VRS_OK
                   ? vrs_fail(y4m->failed, "%s: takes nothing more after a failure", y4m->name)
                   : vrs_fail(VRS_CLOSED, "%s: is finished already", y4m->name);
    }
    vrs_status status = sink->frames > 0 || y4m->pipe ? put_in_place(y4m) : VRS_OK;
    y4m->failed = status;
    stop(y4m);
    return status;
}

static void y4m_abort(vrs_sink *sink)
{
    y4m_sink *y4m = (y4m_sink *)sink;
    if (!y4m->closed)
        stop(y4m);
}

static void y4m_destroy(vrs_sink *sink)
{
    vrs_free(sink);
}

static vrs_status open_all(y4m_sink *y4m, const vrs_sink_params *params)
{
    struct stat info;
    bool device =
        strcmp(params->path, "-") == 0 ||
        (stat(params->path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
    vrs_status status =
        vrs_path_format(y4m->name, sizeof y4m->name, "%s",
                        strcmp(params->path, "-") == 0 ? "standard output" : params->path);
    y4m->format = params->format;
    y4m->width = params->width;
    y4m->height = params->height;
    if (status == VRS_OK)
        status = device ? open_pipe(y4m, params->path) : open_file(y4m, params);
    return status == VRS_OK ? write_header(y4m, params) : status;
}

vrs_status vrs_sink_open_y4m(const vrs_sink_params *params, vrs_sink **sink)
{
    static const vrs_sink_ops ops = {y4m_write, y4m_finish, y4m_abort, y4m_destroy, NULL};
    y4m_sink *y4m = vrs_alloc(sizeof *y4m);
    if (!y4m)
        return VRS_NO_MEMORY;
    y4m->base.ops = &ops;
    y4m->place.lock = -1;
    y4m->file.fd = -1;
    vrs_status status = open_all(y4m, params);
    if (status != VRS_OK) {
        stop(y4m);
        vrs_free(y4m);
        return status;
    }
    *sink = &y4m->base;
    return VRS_OK;
}
