/* Finding out what an input is, and its video stream. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libavdevice/avdevice.h>
#include <libavutil/dict.h>
#include <libavutil/opt.h>
#include <libavutil/parseutils.h>
#include <libavutil/pixdesc.h>

#include "base/alloc.h"
#include "media/libav/av.h"
#include "media/source/source_reader.h"

static int stop_asked(void *opaque)
{
    return vrs_source_stopped(opaque);
}

/* ---- raw pixels ----------------------------------------------------------------------------- */

static vrs_status raw_format_error(const char *text)
{
    return vrs_fail(VRS_INVALID,
                    "raw_format '%s': expected WIDTHxHEIGHT:PIXELFORMAT:RATE, for example "
                    "1280x720:yuv420p:30 (sides of 1 to %d)",
                    text, VRS_MAX_SIDE);
}

/* Turns "WxH:format:rate" into options of libav's rawvideo demuxer. */
static vrs_status raw_options(const char *text, AVDictionary **options)
{
    int width = 0;
    int height = 0;
    char format[32];
    char rate[32];
    char size[32];
    int used = 0;
    AVRational parsed;
    if (sscanf(text, "%6dx%6d:%31[^:]:%31[^:]%n", &width, &height, format, rate, &used) != 4 ||
        text[used] != '\0' || width < 1 || height < 1 || width > VRS_MAX_SIDE ||
        height > VRS_MAX_SIDE || av_parse_video_rate(&parsed, rate) < 0)
        return raw_format_error(text);
    if (av_get_pix_fmt(format) == AV_PIX_FMT_NONE) {
        return vrs_fail(VRS_INVALID,
                        "raw_format '%s': no pixel format '%s'; common ones are yuv420p, nv12, "
                        "p010le, yuv420p10le, rgb24 and bgra",
                        text, format);
    }
    (void)snprintf(size, sizeof size, "%dx%d", width, height);
    if (!vrs_inject("libav") || av_dict_set(options, "video_size", size, 0) < 0 ||
        av_dict_set(options, "pixel_format", format, 0) < 0 ||
        av_dict_set(options, "framerate", rate, 0) < 0)
        return vrs_fail(VRS_NO_MEMORY, "no memory for the demuxer's options");
    return VRS_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

static bool is_raw(const vrs_source_params *params)
{
    return params->raw_format && params->raw_format[0];
}

static bool is_camera(const char *path)
{
    return strncmp(path, "/dev/video", strlen("/dev/video")) == 0;
}

static vrs_status not_media(const vrs_reader *reader)
{
    return vrs_fail(VRS_FORMAT,
                    "%s: this is no video or picture that can be read (its content is in no known "
                    "format)",
                    reader->name);
}

/* Tells the container by its content alone. */
static vrs_status probe(vrs_reader *reader, const AVInputFormat **format)
{
    int score = vrs_inject("libav")
                    ? av_probe_input_buffer2(reader->io.context, format, NULL, NULL, 0, 0)
                    : AVERROR(ENOMEM);
    if (score >= 0) {
        reader->low_score = score <= AVPROBE_SCORE_RETRY;
        /* Text is "read" by the demuxer of teletype art. */
        return strcmp((*format)->name, "tty") == 0 ? not_media(reader) : VRS_OK;
    }
    if (reader->io.bytes == 0 && (score == AVERROR_EOF || score == AVERROR_INVALIDDATA))
        return vrs_fail(VRS_INVALID, "%s: no data came", reader->name);
    if (score == AVERROR_INVALIDDATA || score == AVERROR_EOF)
        return not_media(reader);
    return vrs_av_fail(score, "%s: cannot be read", reader->name);
}

/* A context that reads our bytes and opens nothing else: no other file and no network. */
static vrs_status new_container(vrs_reader *reader)
{
    reader->container = vrs_inject("libav") ? avformat_alloc_context() : NULL;
    if (!reader->container)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for a demuxer", reader->name);
    reader->container->pb = reader->io.context;
    reader->container->flags |= AVFMT_FLAG_CUSTOM_IO; /* libav leaves our bytes open */
    reader->container->interrupt_callback =
        (AVIOInterruptCB){.callback = stop_asked, .opaque = &reader->io};
    int error = vrs_inject("libav") ? av_opt_set(reader->container, "protocol_whitelist", "none", 0)
                                    : AVERROR(ENOMEM);
    if (error < 0)
        return vrs_av_fail(error, "%s: the demuxer cannot be set up", reader->name);
    return VRS_OK;
}

static const char *format_name(const AVInputFormat *format)
{
    return format->long_name ? format->long_name : format->name;
}

static vrs_status open_error(const vrs_reader *reader, const AVInputFormat *format, int error)
{
    if (vrs_source_stopped(&reader->io))
        return vrs_fail(VRS_CANCELLED, "%s: stopped while it was being opened", reader->name);
    bool cut = error == AVERROR_INVALIDDATA || error == AVERROR_EOF || error == AVERROR(EIO);
    if (cut && !reader->io.error && !is_camera(reader->name)) {
        if (reader->low_score)
            return not_media(reader);
        return vrs_fail(VRS_CORRUPT,
                        "%s: begins like %s, but its header is damaged or the file was cut off",
                        reader->name, format_name(format));
    }
    return vrs_av_fail(error, "%s: cannot be opened as %s", reader->name, format->name);
}

static vrs_status open_with(vrs_reader *reader, const AVInputFormat *format, AVDictionary **options)
{
    vrs_status status = new_container(reader);
    if (status != VRS_OK)
        return status;
    /* On failure libav frees the context, but not our bytes. */
    int error = AVERROR(ENOMEM);
    if (vrs_inject("libav")) {
        error = avformat_open_input(&reader->container, is_camera(reader->name) ? reader->name : "",
                                    format, options);
    }
    if (error < 0)
        return open_error(reader, format, error);
    return VRS_OK;
}

static vrs_status open_raw(vrs_reader *reader, const char *raw_format)
{
    AVDictionary *options = NULL;
    const AVInputFormat *format = av_find_input_format("rawvideo");
    vrs_status status = format ? raw_options(raw_format, &options)
                               : vrs_fail(VRS_UNSUPPORTED, "this libav reads no raw video");
    if (status == VRS_OK)
        status = open_with(reader, format, &options);
    av_dict_free(&options);
    return status;
}

static vrs_status open_camera(vrs_reader *reader)
{
    avdevice_register_all();
    const AVInputFormat *format = av_find_input_format("v4l2");
    if (!format)
        return vrs_fail(VRS_UNSUPPORTED, "%s: this libav reads no cameras", reader->name);
    return open_with(reader, format, NULL);
}

/* ---- streams -------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static vrs_status no_video(const vrs_reader *reader)
{
    char list[256];
    vrs_av_list_streams(reader->container, list, sizeof list);
    if (reader->low_score)
        return not_media(reader);
    if (reader->container->nb_streams == 0) {
        return vrs_fail(VRS_CORRUPT, "%s: a header of %s without a stream; it was cut off",
                        reader->name, format_name(reader->container->iformat));
    }
    return vrs_fail(VRS_UNSUPPORTED, "%s: no video stream; it has: %s", reader->name, list);
}

/* Chooses the stream and lets the demuxer leave the others out. */
static vrs_status choose_stream(vrs_reader *reader)
{
    AVFormatContext *container = reader->container;
    int index = vrs_av_best_video(container);
    if (index < 0)
        return no_video(reader);
    reader->stream = container->streams[index];
    /* These say how long they are, but not of how many packets: a cut-off end shows only when the
     * packets of all streams are seen. Their demuxers read them anyway. */
    const char *name = container->iformat->name;
    reader->sees_all = strstr(name, "matroska") || strcmp(name, "avi") == 0;
    for (unsigned i = 0; i < container->nb_streams && !reader->sees_all; i++)
        if ((int)i != index)
            container->streams[i]->discard = AVDISCARD_ALL;
    const AVCodecParameters *params = reader->stream->codecpar;
    if (params->width > VRS_MAX_SIDE || params->height > VRS_MAX_SIDE) {
        return vrs_fail(VRS_UNSUPPORTED, "%s: %dx%d is too large; sides of up to %d are read",
                        reader->name, params->width, params->height, VRS_MAX_SIDE);
    }
    return VRS_OK;
}

static vrs_status open_input(vrs_reader *reader, const vrs_source_params *params)
{
    vrs_status status = VRS_OK;
    const AVInputFormat *format = NULL;
    if (is_camera(params->path)) {
        status = open_camera(reader);
    } else {
        status = vrs_source_io_open(params, &reader->io);
        if (status == VRS_OK && is_raw(params)) {
            status = open_raw(reader, params->raw_format);
        } else if (status == VRS_OK) {
            status = probe(reader, &format);
            status = status == VRS_OK ? open_with(reader, format, NULL) : status;
        }
    }
    if (status != VRS_OK)
        return status;
    /* Everything that is wanted of a picture is in its first frame. From a pipe it comes in pieces,
     * which libav puts together only after it has looked for streams. */
    reader->still = ends_with(reader->container->iformat->name, "_pipe");
    if (!reader->still || !reader->io.seekable) {
        int error = vrs_inject("libav") ? avformat_find_stream_info(reader->container, NULL)
                                        : AVERROR(ENOMEM);
        if (error < 0)
            return open_error(reader, reader->container->iformat, error);
    }
    return choose_stream(reader);
}

vrs_status vrs_reader_open_container(const vrs_source_params *params, vrs_reader **out)
{
    vrs_av_init();
    *out = NULL;
    vrs_reader *reader = vrs_alloc(sizeof *reader);
    if (!reader)
        return VRS_NO_MEMORY;
    reader->io.fd = -1;
    reader->name = strcmp(params->path, "-") == 0 ? "standard input" : params->path;
    vrs_status status = open_input(reader, params);
    if (status != VRS_OK) {
        vrs_reader_close(reader);
        return status;
    }
    *out = reader;
    return VRS_OK;
}
