/* Pictures as PNG: a file for each in a folder, or one file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "media/encode/picture.h"
#include "media/file/out_file.h"
#include "media/file/workplace.h"
#include "media/file/write_times.h"
#include "media/libav/av.h"
#include "media/sink/sink_kinds.h"
#include "vrseg/system.h"

#define PARTIAL_NAME ".vrseg-partial"

typedef struct picture_sink {
    vrs_sink base;
    vrs_workplace place;
    vrs_encoder_params encoding; /* of the encoder; its size is the last picture's */
    vrs_encoder *encoder;
    char *options; /* of `encoding` */
    AVPacket *packet;
    char *source_path;
    char last_name[256];
    uint8_t palette[256][3];
    bool single;      /* one file, else a folder */
    bool made_folder; /* by us: removed again if nothing is put into it */
    bool closed;
} picture_sink;

/* ---- names ---------------------------------------------------------------------------------- */

/* The file for a picture. Two pictures of one name (a.jpg and a.png) that follow each other get
 * different files. */
static vrs_status picture_path(picture_sink *pictures, const char *name, char *path)
{
    char stem[sizeof pictures->last_name];
    bool named = name && name[0] != '\0' && !strchr(name, '/') && strlen(name) < sizeof stem;
    if (pictures->single)
        return vrs_path_format(path, VRS_PATH_MAX, "%s", pictures->place.output);
    if (named)
        (void)snprintf(stem, sizeof stem, "%s", name);
    else
        (void)snprintf(stem, sizeof stem, "%06llu", (unsigned long long)pictures->base.frames);
    if (strcmp(stem, pictures->last_name) == 0) {
        return vrs_path_format(path, VRS_PATH_MAX, "%s/%s-%llu.png", pictures->place.output, stem,
                               (unsigned long long)pictures->base.frames);
    }
    (void)snprintf(pictures->last_name, sizeof pictures->last_name, "%s", stem);
    return vrs_path_format(path, VRS_PATH_MAX, "%s/%s.png", pictures->place.output, stem);
}

static vrs_status check_not_source(const picture_sink *pictures, const char *path)
{
    struct stat target;
    struct stat source;
    bool same = pictures->source_path && stat(path, &target) == 0 &&
                stat(pictures->source_path, &source) == 0 && target.st_dev == source.st_dev &&
                target.st_ino == source.st_ino;
    return same ? vrs_fail(VRS_INVALID, "%s: is the input itself; choose another folder", path)
                : VRS_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int write_bytes(int fd, const uint8_t *data, size_t size)
{
    size_t done = 0;
    int64_t begin_ns = vrs_now_ns();
    while (done < size) {
        errno = EIO;
        ssize_t count = vrs_inject("write") ? write(fd, data + done, size - done) : -1;
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno;
        done += (size_t)count;
    }
    vrs_write_times_add(false, begin_ns);
    return 0;
}

/* Not synced one by one, which costs more than the encoding: a picture is whole in its place or
 * not there unless the machine itself goes down. */
static vrs_status put_in_folder(const picture_sink *pictures, const char *path)
{
    char partial[VRS_PATH_MAX];
    vrs_status status =
        vrs_path_format(partial, sizeof partial, "%s/%s", pictures->place.output, PARTIAL_NAME);
    if (status != VRS_OK)
        return status;
    errno = EIO;
    int fd =
        vrs_inject("open") ? open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    int error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        error = write_bytes(fd, pictures->packet->data, (size_t)pictures->packet->size);
        if (close(fd) != 0 && error == 0)
            error = errno;
        errno = EIO;
        if (error == 0 && (!vrs_inject("rename") || rename(partial, path) != 0))
            error = errno;
        if (error != 0)
            (void)unlink(partial);
    }
    return error == 0 ? VRS_OK
                      : vrs_fail(vrs_errno_status(error), "%s: cannot be written: %s", path,
                                 vrs_errno_text(error));
}

static vrs_status check_image(const picture_sink *pictures, const vrs_image *image)
{
    vrs_status status = vrs_image_check(image);
    if (status == VRS_OK && image->format != pictures->encoding.format) {
        status = vrs_fail(VRS_INVALID, "%s: takes %s, not %s", pictures->place.output,
                          vrs_pixel_format_name(pictures->encoding.format),
                          vrs_pixel_format_name(image->format));
    }
    if (status == VRS_OK && pictures->closed) {
        status =
            vrs_fail(VRS_CLOSED, "%s: is finished and takes nothing more", pictures->place.output);
    }
    if (status == VRS_OK && pictures->single && pictures->base.frames > 0) {
        status = vrs_fail(VRS_INVALID,
                          "%s: holds one picture and there are more; name a folder: \"masks/\"",
                          pictures->place.output);
    }
    return status;
}

/* Pictures of a folder may each have their own size; an encoder has one. */
static vrs_status fit_encoder(picture_sink *pictures, const vrs_image *image)
{
    vrs_encoder_params *encoding = &pictures->encoding;
    if (image->width == encoding->width && image->height == encoding->height && pictures->encoder)
        return VRS_OK;
    vrs_encoder_destroy(pictures->encoder);
    pictures->encoder = NULL;
    encoding->width = image->width;
    encoding->height = image->height;
    return vrs_encoder_open(encoding, &pictures->encoder);
}

static vrs_status pictures_write(vrs_sink *sink, vrs_image *image, int64_t pts, int64_t duration,
                                 const char *name)
{
    picture_sink *pictures = (picture_sink *)sink;
    char path[VRS_PATH_MAX];
    (void)pts;
    (void)duration;
    vrs_status status = check_image(pictures, image);
    if (status == VRS_OK)
        status = picture_path(pictures, name, path);
    if (status == VRS_OK)
        status = check_not_source(pictures, path);
    if (status == VRS_OK)
        status = fit_encoder(pictures, image);
    if (status != VRS_OK) {
        vrs_image_release(image);
        return status;
    }
    status = vrs_picture_encode(pictures->encoder, image, (int64_t)sink->frames, pictures->packet);
    if (status == VRS_OK) {
        status = pictures->single ? vrs_file_replace(path, pictures->packet->data,
                                                     (size_t)pictures->packet->size)
                                  : put_in_folder(pictures, path);
    }
    av_packet_unref(pictures->packet);
    sink->frames += status == VRS_OK;
    return status;
}

/* ---- opening and ending --------------------------------------------------------------------- */

static void stop(picture_sink *pictures)
{
    if (pictures->made_folder && pictures->base.frames == 0)
        (void)rmdir(pictures->place.output);
    pictures->made_folder = false;
    vrs_workplace_clear(&pictures->place);
    pictures->closed = true;
}

static vrs_status pictures_finish(vrs_sink *sink)
{
    picture_sink *pictures = (picture_sink *)sink;
    if (pictures->closed)
        return vrs_fail(VRS_CLOSED, "%s: is finished already", pictures->place.output);
    vrs_status status =
        sink->frames > 0 && !pictures->single ? vrs_sync_folder(pictures->place.output) : VRS_OK;
    stop(pictures);
    return status;
}

static void pictures_abort(vrs_sink *sink)
{
    picture_sink *pictures = (picture_sink *)sink;
    if (!pictures->closed)
        stop(pictures);
}

static void pictures_destroy(vrs_sink *sink)
{
    picture_sink *pictures = (picture_sink *)sink;
    vrs_encoder_destroy(pictures->encoder);
    av_packet_free(&pictures->packet);
    vrs_free(pictures->source_path);
    vrs_free(pictures->options);
    vrs_free(pictures);
}

static bool has_pictures(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *item = NULL;
    bool found = false;
    while (folder && !found && (item = readdir(folder))) {
        char extension[8];
        found = strcmp(vrs_path_extension(item->d_name, extension, sizeof extension), "png") == 0;
    }
    if (folder)
        (void)closedir(folder);
    return found;
}

static vrs_status open_encoder(picture_sink *pictures, const vrs_sink_params *params)
{
    const vrs_color *color = &params->stream->color;
    if (params->encoder_options) {
        pictures->options = vrs_strdup(params->encoder_options);
        if (!pictures->options)
            return VRS_NO_MEMORY;
    }
    pictures->encoding = (vrs_encoder_params){
        .codec = VRS_CODEC_PNG,
        .kind = params->kind,
        .format = params->format,
        .width = params->width,
        .height = params->height,
        .rate = {1, 1},
        .aspect = {params->stream->aspect_num, FFMAX(params->stream->aspect_den, 1)},
        .tags = {vrs_av_from_range(color->range), vrs_av_from_matrix(color->matrix),
                 vrs_av_from_transfer(color->transfer), vrs_av_from_primaries(color->primaries),
                 vrs_av_from_site(color->chroma_site)},
        .options = pictures->options,
        .threads = 1,
        .palette = (const uint8_t(*)[3])pictures->palette,
    };
    for (int i = 0; i < 256; i++)
        for (int c = 0; c < 3; c++)
            pictures->palette[i][c] = params->palette ? params->palette[i][c] : (uint8_t)i;
    vrs_status status = vrs_encoder_open(&pictures->encoding, &pictures->encoder);
    if (status != VRS_OK)
        return status;
    pictures->packet = vrs_inject("libav") ? av_packet_alloc() : NULL;
    return pictures->packet ? VRS_OK : vrs_fail(VRS_NO_MEMORY, "no memory for a picture");
}

static vrs_status make_folder(picture_sink *pictures)
{
    errno = EIO;
    pictures->made_folder = vrs_inject("mkdir") && mkdir(pictures->place.output, 0777) == 0;
    if (!pictures->made_folder && errno != EEXIST) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be made: %s", pictures->place.output,
                        vrs_errno_text(errno));
    }
    if (access(pictures->place.output, W_OK | X_OK) != 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: is not writable: %s", pictures->place.output,
                        vrs_errno_text(errno));
    }
    return VRS_OK;
}

/* Numbered pictures that a run which ended early has finished. They carry no times. */
static void count_resumed(picture_sink *pictures)
{
    char path[VRS_PATH_MAX];
    int64_t frames = 0;
    while (vrs_path_format(path, sizeof path, "%s/%06lld.png", pictures->place.output,
                           (long long)frames) == VRS_OK &&
           vrs_file_exists(path))
        frames++;
    pictures->base.resumed.frames = frames;
    pictures->base.frames = (uint64_t)frames;
}

/* What lies there is written once more. */
static vrs_status pictures_rewind(vrs_sink *sink, int64_t frames)
{
    sink->resumed.frames = frames;
    sink->frames = (uint64_t)frames;
    return VRS_OK;
}

static vrs_status open_all(picture_sink *pictures, const vrs_sink_params *params)
{
    size_t length = strlen(params->path);
    pictures->single = params->path[length - 1] != '/';
    if (params->source_path) {
        pictures->source_path = vrs_strdup(params->source_path);
        if (!pictures->source_path)
            return VRS_NO_MEMORY;
    }
    vrs_status status =
        vrs_workplace_find(&pictures->place, params->path, params->source_path,
                           pictures->single ? VRS_WORKPLACE_FILE : VRS_WORKPLACE_FOLDER,
                           params->overwrite || params->resume);
    if (status == VRS_OK && !pictures->single && !params->overwrite && !params->resume &&
        has_pictures(pictures->place.output)) {
        status = vrs_fail(VRS_INVALID,
                          "%s: has pictures in it; choose another folder or set "
                          "overwrite",
                          params->path);
    }
    if (status == VRS_OK)
        status = open_encoder(pictures, params);
    if (status == VRS_OK)
        status = vrs_workplace_enter(&pictures->place, vrs_sink_leftover(params));
    if (status == VRS_OK && !pictures->single) {
        status = make_folder(pictures);
        if (status == VRS_OK && params->resume && !params->stream->still)
            count_resumed(pictures);
    }
    return status;
}

vrs_status vrs_sink_open_pictures(const vrs_sink_params *params, vrs_sink **sink)
{
    static const vrs_sink_ops ops = {pictures_write, pictures_finish, pictures_abort,
                                     pictures_destroy, pictures_rewind};
    picture_sink *pictures = vrs_alloc(sizeof *pictures);
    if (!pictures)
        return VRS_NO_MEMORY;
    pictures->base.ops = &ops;
    pictures->place.lock = -1;
    vrs_status status = open_all(pictures, params);
    if (status != VRS_OK) {
        stop(pictures);
        pictures_destroy(&pictures->base);
        return status;
    }
    *sink = &pictures->base;
    return VRS_OK;
}
