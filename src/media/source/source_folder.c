/* A folder of pictures as a source. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "base/file.h"
#include "media/libav/av.h"
#include "media/source/source_internal.h"

static const char *const picture_extensions[] = {"bmp", "jpeg", "jpg",  "pgm", "png",
                                                 "ppm", "tif",  "tiff", "webp"};

#define PICTURE_EXTENSIONS (sizeof picture_extensions / sizeof picture_extensions[0])

typedef struct vrs_folder_source {
    vrs_source source;        /* first */
    vrs_source_params params; /* path is `path` below */
    char *path;
    char **names;
    size_t count, capacity;
    size_t next;    /* of `names` */
    AVFrame *ahead; /* of names[next - 1] */
    vrs_converter converter;
} vrs_folder_source;

static bool is_picture_name(const char *name)
{
    char extension[16];
    const char *found = vrs_path_extension(name, extension, sizeof extension);
    if (name[0] == '.')
        return false;
    for (size_t i = 0; i < PICTURE_EXTENSIONS; i++)
        if (strcmp(found, picture_extensions[i]) == 0)
            return true;
    return false;
}

static vrs_status add_name(vrs_folder_source *folder, const char *name)
{
    if (folder->count == folder->capacity) {
        size_t capacity = folder->capacity ? folder->capacity * 2 : 64;
        char **names = vrs_realloc(folder->names, capacity * sizeof *names);
        if (!names)
            return VRS_NO_MEMORY;
        folder->names = names;
        folder->capacity = capacity;
    }
    char *copy = vrs_strdup(name);
    if (!copy)
        return VRS_NO_MEMORY;
    folder->names[folder->count++] = copy;
    return VRS_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static vrs_status list_pictures(vrs_folder_source *folder)
{
    DIR *stream = opendir(folder->path);
    if (!stream) {
        return vrs_fail(vrs_errno_status(errno), "%s: the folder cannot be listed: %s",
                        folder->path, vrs_errno_text(errno));
    }
    vrs_status status = VRS_OK;
    const struct dirent *entry = readdir(stream);
    for (; entry && status == VRS_OK; entry = readdir(stream))
        if (is_picture_name(entry->d_name))
            status = add_name(folder, entry->d_name);
    closedir(stream);
    if (status == VRS_OK && folder->count == 0) {
        return vrs_fail(VRS_INVALID,
                        "%s: a folder without pictures (png, jpg, bmp, webp, tiff, ppm, pgm)",
                        folder->path);
    }
    if (status == VRS_OK)
        qsort(folder->names, folder->count, sizeof *folder->names, by_name);
    return status;
}

static void count_damage(vrs_folder_source *folder, const char *complaint)
{
    if (folder->source.damaged++ == 0)
        (void)snprintf(folder->source.damage, sizeof folder->source.damage, "%s", complaint);
}

/* Opens names[next] and decodes its first frame; `info` may be NULL. */
static vrs_status decode_one(vrs_folder_source *folder, AVFrame *frame, vrs_stream_info *info)
{
    char path[VRS_PATH_MAX];
    vrs_reader *reader = NULL;
    vrs_status status =
        vrs_path_format(path, sizeof path, "%s/%s", folder->path, folder->names[folder->next]);
    if (status == VRS_OK) {
        vrs_source_params params = folder->params;
        params.path = path;
        params.threads = 1;
        status = vrs_reader_open(&params, NULL, &reader);
    }
    if (status == VRS_OK) {
        status = vrs_reader_next(reader, frame);
        if (status == VRS_END) {
            status = vrs_fail(VRS_CORRUPT, "%s",
                              reader->damage[0] ? reader->damage : "it holds no picture");
        }
    }
    if (status == VRS_OK)
        status = vrs_source_check_size(path, frame);
    if (status == VRS_OK && reader->damaged > 0) /* a part of it could be decoded */
        count_damage(folder, reader->damage);
    if (status == VRS_OK && info) {
        vrs_convert_side side = vrs_source_side(frame, folder->source.need_yuv);
        vrs_source_fill_info(reader, frame, &side, info);
    }
    vrs_reader_close(reader);
    return status;
}

/* Decodes the next picture that can be decoded; the others are counted. */
static vrs_status decode_next(vrs_folder_source *folder, AVFrame **out, vrs_stream_info *info)
{
    AVFrame *frame = vrs_inject("libav") ? av_frame_alloc() : NULL;
    *out = NULL;
    if (!frame)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for a picture", folder->path);
    while (folder->next < folder->count) {
        vrs_status status = decode_one(folder, frame, info);
        folder->next++;
        if (status == VRS_OK) {
            *out = frame;
            return VRS_OK;
        }
        av_frame_unref(frame);
        if (status == VRS_NO_MEMORY || status == VRS_CANCELLED) {
            av_frame_free(&frame);
            return status;
        }
        count_damage(folder, vrs_last_error());
    }
    av_frame_free(&frame);
    return VRS_END;
}

static vrs_status folder_read(vrs_source *source, vrs_frame *frame)
{
    vrs_folder_source *folder = (vrs_folder_source *)source;
    AVFrame *decoded = folder->ahead;
    folder->ahead = NULL;
    if (!decoded) {
        vrs_status status = decode_next(folder, &decoded, NULL);
        if (status != VRS_OK)
            return status;
    }
    vrs_convert_side side = vrs_source_side(decoded, source->need_yuv);
    vrs_source_name_frame(source, folder->names[folder->next - 1]);
    frame->pts = (int64_t)source->frames;
    frame->duration = 1;
    return vrs_source_image(&folder->converter, &side, decoded, &frame->image);
}

static void folder_destroy(vrs_source *source)
{
    vrs_folder_source *folder = (vrs_folder_source *)source;
    for (size_t i = 0; i < folder->count; i++)
        vrs_free(folder->names[i]);
    av_frame_free(&folder->ahead);
    vrs_converter_free(&folder->converter);
    vrs_free(folder->names);
    vrs_free(folder->path);
    vrs_free(folder);
}

static const vrs_source_ops folder_ops = {.read = folder_read, .destroy = folder_destroy};

static vrs_status look_at_first(vrs_folder_source *folder)
{
    vrs_stream_info *info = &folder->source.info;
    vrs_status status = decode_next(folder, &folder->ahead, info);
    if (status == VRS_END) {
        return vrs_fail(VRS_CORRUPT, "%s: not one of its %zu pictures can be decoded: %s",
                        folder->path, folder->count, folder->source.damage);
    }
    info->still = true;
    info->frame_estimate = (int64_t)folder->count;
    return status;
}

vrs_status vrs_folder_source_open(const vrs_source_params *params, vrs_source **source)
{
    *source = NULL;
    vrs_av_init();
    vrs_folder_source *folder = vrs_alloc(sizeof *folder);
    if (!folder)
        return VRS_NO_MEMORY;
    folder->source.ops = &folder_ops;
    folder->source.need_yuv = params->need_yuv;
    folder->params = *params;
    folder->params.raw_format = NULL;
    folder->path = vrs_strdup(params->path);
    folder->params.path = folder->path;
    vrs_status status = folder->path ? list_pictures(folder) : VRS_NO_MEMORY;
    if (status == VRS_OK)
        status = look_at_first(folder);
    if (status != VRS_OK) {
        folder_destroy(&folder->source);
        return status;
    }
    *source = &folder->source;
    return VRS_OK;
}
