#include "media/file/container.h"

#include <limits.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>

#include "base/alloc.h"
#include "media/libav/av.h"

/* MP4's clock is at least this fine, as movenc makes it. */
#define MIN_TIMESCALE 10000

const char *vrs_container_name(const char *path)
{
    static const struct {
        const char *extension, *muxer;
    } containers[] = {
        {"mp4", "mp4"}, {"m4v", "mp4"}, {"mov", "mov"}, {"mkv", "matroska"}, {"webm", "webm"}};
    char extension[16];
    (void)vrs_path_extension(path, extension, sizeof extension);
    for (size_t i = 0; i < sizeof containers / sizeof containers[0]; i++)
        if (strcmp(containers[i].extension, extension) == 0)
            return containers[i].muxer;
    return NULL;
}

vrs_segment_kind vrs_segment_kind_of(enum AVCodecID codec)
{
    switch (codec) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
        return (vrs_segment_kind){.muxer = "mp4", .extension = "mp4", .from_zero = true};
    case AV_CODEC_ID_PRORES:
        return (vrs_segment_kind){.muxer = "mov", .extension = "mov", .from_zero = true};
    default:
        return (vrs_segment_kind){.muxer = "matroska", .extension = "mkv", .from_zero = false};
    }
}

static bool is_mov(const AVFormatContext *format)
{
    return strcmp(format->oformat->name, "mp4") == 0 || strcmp(format->oformat->name, "mov") == 0;
}

/* Edit lists (where a late start is kept) count in the movie's clock, milliseconds by default: it
 * is made as fine as the video's. */
static vrs_status set_clock(AVFormatContext *format, AVRational time_base)
{
    int64_t scale = time_base.den;
    while (scale < MIN_TIMESCALE)
        scale *= 2;
    int result = vrs_inject("libav")
                     ? av_opt_set_int(format->priv_data, "video_track_timescale", scale, 0)
                     : AVERROR(ENOMEM);
    if (result >= 0)
        result = av_opt_set_int(format->priv_data, "movie_timescale", scale, 0);
    return result < 0 ? vrs_av_fail(result, "a time base of %d/%d cannot be written", time_base.num,
                                    time_base.den)
                      : VRS_OK;
}

static vrs_status add_video(vrs_container *container, const AVCodecParameters *params,
                            AVRational time_base, AVRational rate)
{
    AVFormatContext *format = container->format;
    AVStream *stream = vrs_inject("libav") ? avformat_new_stream(format, NULL) : NULL;
    int result = AVERROR(ENOMEM);
    if (stream && vrs_inject("libav"))
        result = avcodec_parameters_copy(stream->codecpar, params);
    if (result < 0)
        return vrs_av_fail(result, "no memory for a video stream");
    /* Players of the other sort know only this name for it. */
    stream->codecpar->codec_tag =
        params->codec_id == AV_CODEC_ID_HEVC && is_mov(format) ? MKTAG('h', 'v', 'c', '1') : 0;
    stream->time_base = time_base;
    stream->avg_frame_rate = rate;
    stream->sample_aspect_ratio = params->sample_aspect_ratio;
    container->video = stream;
    return is_mov(format) ? set_clock(format, time_base) : VRS_OK;
}

vrs_status vrs_container_make(vrs_container *container, const char *muxer,
                              const AVCodecParameters *params, AVRational time_base,
                              AVRational rate)
{
    *container = (vrs_container){.file = {.fd = -1}};
    int result = vrs_inject("libav")
                     ? avformat_alloc_output_context2(&container->format, NULL, muxer, NULL)
                     : AVERROR(ENOMEM);
    if (result < 0)
        return vrs_av_fail(result, "no container %s", muxer);
    /* Stereo and spherical boxes are written to MP4 only so. */
    container->format->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
    container->format->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    vrs_status status = add_video(container, params, time_base, rate);
    if (status != VRS_OK)
        vrs_container_discard(container);
    return status;
}

static vrs_status try_header(vrs_container *container)
{
    AVFormatContext *format = container->format;
    int result = vrs_inject("libav") ? avio_open_dyn_buf(&format->pb) : AVERROR(ENOMEM);
    if (result < 0)
        return vrs_av_fail(result, "no memory for a header");
    result = vrs_inject("libav") ? avformat_write_header(format, NULL) : AVERROR(ENOMEM);
    uint8_t *bytes = NULL;
    (void)avio_close_dyn_buf(format->pb, &bytes);
    format->pb = NULL;
    av_free(bytes);
    return result < 0 ? vrs_av_fail(result, "%s does not take these streams", format->oformat->name)
                      : VRS_OK;
}

vrs_status vrs_container_begin(vrs_container *container, const char *path)
{
    if (!path)
        return try_header(container);
    vrs_status status = vrs_out_file_create(&container->file, path);
    if (status != VRS_OK)
        return status;
    container->format->pb = container->file.io;
    int result =
        vrs_inject("libav") ? avformat_write_header(container->format, NULL) : AVERROR(ENOMEM);
    return result < 0 ? vrs_out_file_fail(&container->file, result) : VRS_OK;
}

vrs_status vrs_container_write(vrs_container *container, AVPacket *packet, AVStream *stream,
                               AVRational time_base, bool interleaved)
{
    packet->stream_index = stream->index;
    packet->pos = -1;
    av_packet_rescale_ts(packet, time_base, stream->time_base);
    int result = AVERROR(ENOMEM);
    if (vrs_inject("libav")) {
        result = interleaved ? av_interleaved_write_frame(container->format, packet)
                             : av_write_frame(container->format, packet);
    }
    av_packet_unref(packet);
    bool failed = result < 0 || container->file.error != 0;
    return failed ? vrs_out_file_fail(&container->file, result) : VRS_OK;
}

vrs_status vrs_container_end(vrs_container *container, int64_t *bytes, uint32_t *crc)
{
    int result = vrs_inject("libav") ? av_write_trailer(container->format) : AVERROR(ENOMEM);
    vrs_status status = VRS_OK;
    if (result < 0 || container->file.error != 0)
        status = vrs_out_file_fail(&container->file, result);
    else
        status = vrs_out_file_finish(&container->file, bytes, crc);
    vrs_container_discard(container);
    return status;
}

void vrs_container_discard(vrs_container *container)
{
    if (container->format) {
        container->format->pb = NULL; /* the file's */
        avformat_free_context(container->format);
        container->format = NULL;
    }
    container->video = NULL;
    vrs_out_file_discard(&container->file);
}
