/* What a container and its first frame say about a source. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <libavutil/rational.h>

#include "base/file.h"
#include "image/format.h"
#include "media/libav/av.h"
#include "media/source/source_internal.h"
#include "vrseg/log.h"

/* Pictures are shown so many a second where somebody wants a video of them. */
#define STILL_RATE 25

vrs_convert_side vrs_source_side(const AVFrame *frame, bool need_yuv)
{
    vrs_convert_side side = {
        .format = vrs_convert_target(vrs_av_stored_format(frame)),
        .width = frame->width,
        .height = frame->height,
        .color = vrs_convert_color(frame),
    };
    if (need_yuv && (side.format == AV_PIX_FMT_RGB24 || side.format == AV_PIX_FMT_BGRA)) {
        side.format = AV_PIX_FMT_YUV420P;
        side.color.matrix = VRS_MATRIX_BT709;
        side.color.range = VRS_RANGE_LIMITED;
        side.color.chroma_site = VRS_CHROMA_LEFT;
    }
    return side;
}

vrs_status vrs_source_check_size(const char *name, const AVFrame *frame)
{
    if (frame->width < 1 || frame->height < 1 || frame->width > VRS_MAX_SIDE ||
        frame->height > VRS_MAX_SIDE) {
        return vrs_fail(VRS_UNSUPPORTED, "%s: %dx%d cannot be used; sides of 1 to %d are read",
                        name, frame->width, frame->height, VRS_MAX_SIDE);
    }
    return VRS_OK;
}

/* Limited or full, whatever the tags leave open. */
static vrs_range range_of(enum AVPixelFormat format, int width, int height, vrs_color color)
{
    vrs_image image = {.format = vrs_av_to_format(vrs_convert_target(format)),
                       .width = width,
                       .height = height,
                       .color = color};
    return vrs_color_resolve(&image).range;
}

bool vrs_source_matches(const AVFrame *frame, const vrs_convert_side *side)
{
    enum AVPixelFormat format = vrs_av_stored_format(frame);
    return vrs_convert_target(format) == format &&
           vrs_av_to_format(format) == vrs_av_to_format(side->format) &&
           frame->width == side->width && frame->height == side->height &&
           range_of(format, frame->width, frame->height, vrs_av_frame_color(frame)) ==
               range_of(side->format, side->width, side->height, side->color);
}

vrs_status vrs_source_image(vrs_converter *converter, const vrs_convert_side *side, AVFrame *frame,
                            vrs_image *image)
{
    if (!vrs_source_matches(frame, side)) {
        AVFrame *converted = NULL;
        vrs_status status = vrs_convert(converter, frame, side, &converted);
        av_frame_free(&frame);
        if (status != VRS_OK)
            return status;
        frame = converted;
    }
    vrs_av_image_of_frame(frame, image);
    return VRS_OK;
}

/* Clockwise quarter turns of a display matrix, in degrees. Source: its own definition in
 * libavutil/display.h, whose angle is counter-clockwise. */
static int32_t rotation_of(const vrs_reader *reader, const AVFrame *frame)
{
    const int32_t *matrix = (const int32_t *)(const void *)av_stream_get_side_data(
        reader->stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    if (!matrix && side)
        matrix = (const int32_t *)(const void *)side->data;
    double angle = matrix ? av_display_rotation_get(matrix) : 0;
    if (isnan(angle))
        return 0;
    int32_t turns = (int32_t)lround(-angle / 90);
    if (fabs(angle + 90.0 * turns) > 1) {
        vrs_log(VRS_LOG_WARNING, "%s: it is to be shown turned by %.0f degrees; %d are kept",
                reader->name, -angle, turns * 90);
    }
    return ((turns % 4 + 4) % 4) * 90;
}

static int64_t estimate_frames(const vrs_reader *reader, AVRational rate)
{
    const AVStream *stream = reader->stream;
    if (!reader->io.seekable) /* a pipe's container knows only what has come */
        return -1;
    if (reader->still)
        return 1;
    if (stream->nb_frames > 0)
        return stream->nb_frames;
    if (rate.num <= 0 || rate.den <= 0)
        return -1;
    double seconds = -1;
    if (stream->duration > 0)
        seconds = (double)stream->duration * av_q2d(stream->time_base);
    else if (reader->container->duration > 0)
        seconds = (double)reader->container->duration / AV_TIME_BASE;
    double frames = seconds * av_q2d(rate);
    return frames >= 0 && frames < 1e15 ? llround(frames) : -1;
}

static void describe(const vrs_reader *reader, const AVFrame *first, vrs_stream_info *info)
{
    const char *stored = av_get_pix_fmt_name(vrs_av_stored_format(first));
    const char *format = vrs_pixel_format_name(info->format);
    char as[48] = "";
    char rate[32] = "";
    if (!vrs_source_matches(first, &(vrs_convert_side){
                                       .format = vrs_av_from_format(info->format),
                                       .width = info->width,
                                       .height = info->height,
                                       .color = info->color,
                                   }))
        (void)snprintf(as, sizeof as, " (read as %s)", format);
    if (info->rate_num > 0 && !info->still)
        (void)snprintf(rate, sizeof rate, " %.4g fps", (double)info->rate_num / info->rate_den);
    (void)snprintf(info->description, sizeof info->description, "%s %dx%d %s%s%s",
                   avcodec_get_name(reader->stream->codecpar->codec_id), info->width, info->height,
                   stored ? stored : "unknown", as, rate);
}

void vrs_source_fill_info(const vrs_reader *reader, const AVFrame *first,
                          const vrs_convert_side *side, vrs_stream_info *info)
{
    AVFormatContext *container = reader->container;
    AVStream *stream = reader->stream;
    AVRational rate = reader->still ? (AVRational){STILL_RATE, 1} : stream->avg_frame_rate;
    if (rate.num <= 0 || rate.den <= 0)
        rate = av_guess_frame_rate(container, stream, NULL);
    if (rate.num <= 0 || rate.den <= 0)
        rate = (AVRational){0, 1};
    AVRational base = reader->still ? (AVRational){1, STILL_RATE} : stream->time_base;
    AVRational aspect = first->sample_aspect_ratio;
    if (aspect.num <= 0 || aspect.den <= 0 || stream->sample_aspect_ratio.num > 0)
        aspect = av_guess_sample_aspect_ratio(container, stream, NULL);
    if (aspect.num <= 0 || aspect.den <= 0)
        aspect = (AVRational){0, 1};
    (void)av_reduce(&aspect.num, &aspect.den, aspect.num, aspect.den, INT_MAX);
    *info = (vrs_stream_info){
        .format = vrs_av_to_format(side->format),
        .width = side->width,
        .height = side->height,
        .color = side->color,
        .time_base_num = base.num,
        .time_base_den = base.den,
        .rate_num = rate.num,
        .rate_den = rate.den,
        .aspect_num = aspect.num,
        .aspect_den = aspect.den,
        .rotation = rotation_of(reader, first),
        .frame_estimate = estimate_frames(reader, rate),
        .still = reader->still,
    };
    describe(reader, first, info);
}

void vrs_source_name_frame(vrs_source *source, const char *path)
{
    const char *base = vrs_path_base(path);
    const char *dot = strrchr(base, '.');
    size_t length = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    if (length >= sizeof source->frame_name)
        length = sizeof source->frame_name - 1;
    memcpy(source->frame_name, base, length);
    source->frame_name[length] = '\0';
}
