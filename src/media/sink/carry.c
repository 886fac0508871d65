#include "media/sink/carry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <libavcodec/avcodec.h>
#include <libavutil/display.h>
#include <libavutil/spherical.h>
#include <libavutil/stereo3d.h>

#include "base/alloc.h"
#include "media/libav/av.h"
#include "media/source/mp4_layout.h"

/* A video that ends less than this (in AV_TIME_BASE) before its source's end is whole: then the
 * other streams keep their last moments too. */
#define END_SLACK (AV_TIME_BASE / 2)

void vrs_note_add(char *note, size_t size, const char *format, ...)
{
    char sentence[VRS_DETAIL_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    size_t used = strlen(note);
    const char *joint = used > 0 ? "; " : "";
    if (used + strlen(joint) + strlen(sentence) < size)
        (void)snprintf(note + used, size - used, "%s%s", joint, sentence);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Whether frames must be decoded to know the streams. MP4 and Matroska say in their headers what
 * copying needs; only colours may stand in the video alone. Saves 10 to 90 ms a sink at 720p. */
static bool needs_probe(const vrs_carry *carry, const vrs_carry_params *params)
{
    const char *name = carry->source->iformat->name;
    return params->colors || !(strstr(name, "mp4") || strstr(name, "matroska"));
}

static int open_source(vrs_carry *carry, const vrs_carry_params *params)
{
    char url[VRS_PATH_MAX + 8];
    (void)snprintf(url, sizeof url, "file:%s", params->path);
    int result = vrs_inject("libav") ? avformat_open_input(&carry->source, url, NULL, NULL)
                                     : AVERROR(ENOMEM);
    if (result >= 0 && needs_probe(carry, params)) {
        result =
            vrs_inject("libav") ? avformat_find_stream_info(carry->source, NULL) : AVERROR(ENOMEM);
    }
    if (result >= 0) {
        carry->packet = vrs_inject("libav") ? av_packet_alloc() : NULL;
        carry->outputs = vrs_alloc_array(carry->source->nb_streams + 1, sizeof *carry->outputs);
        result = carry->packet && carry->outputs ? 0 : AVERROR(ENOMEM);
    }
    return result;
}

vrs_status vrs_carry_open(vrs_carry *carry, const vrs_carry_params *params, char *note,
                          size_t note_size)
{
    struct stat info;
    *carry = (vrs_carry){.said = {.stereo = -1}};
    /* Pipes, cameras and folders have nothing to take. */
    if (!params->path || stat(params->path, &info) != 0 || !S_ISREG(info.st_mode))
        return VRS_OK;
    int result = open_source(carry, params);
    if (result == AVERROR(ENOMEM)) {
        vrs_carry_close(carry);
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory to look at its streams", params->path);
    }
    if (result < 0) {
        vrs_carry_close(carry);
        vrs_note_add(note, note_size, "other streams of %s cannot be read (%s)", params->path,
                     vrs_av_text(result));
        return VRS_OK;
    }
    for (unsigned i = 0; i < carry->source->nb_streams; i++)
        carry->outputs[i] = -1;
    int video = vrs_av_best_video(carry->source);
    carry->video = video >= 0 ? carry->source->streams[video] : NULL;
    if (carry->video)
        carry->said = vrs_mp4_layout_read(params->path, NULL);
    return VRS_OK;
}

void vrs_carry_close(vrs_carry *carry)
{
    avformat_close_input(&carry->source);
    av_packet_free(&carry->packet);
    vrs_free(carry->outputs);
    *carry = (vrs_carry){0};
}

/* ---- choosing ------------------------------------------------------------------------------- */

static vrs_status add_stream(const AVStream *from, vrs_container *container, int *index)
{
    AVStream *to = vrs_inject("libav") ? avformat_new_stream(container->format, NULL) : NULL;
    int result = AVERROR(ENOMEM);
    if (to && vrs_inject("libav"))
        result = avcodec_parameters_copy(to->codecpar, from->codecpar);
    if (result >= 0) {
        result =
            vrs_inject("libav") ? av_dict_copy(&to->metadata, from->metadata, 0) : AVERROR(ENOMEM);
    }
    if (result < 0)
        return vrs_fail(VRS_NO_MEMORY, "no memory for stream %d", from->index);
    to->codecpar->codec_tag = 0;
    to->time_base = from->time_base;
    to->disposition = from->disposition;
    *index = to->index;
    return VRS_OK;
}

/* Whether the muxer takes the stream, found out by writing a header that goes nowhere. */
static vrs_status try_stream(const AVStream *stream, const char *muxer,
                             const AVCodecParameters *video, AVRational time_base, AVRational rate)
{
    vrs_container container;
    int index = 0;
    vrs_status status = vrs_container_make(&container, muxer, video, time_base, rate);
    if (status != VRS_OK)
        return status;
    int known = avformat_query_codec(container.format->oformat, stream->codecpar->codec_id,
                                     FF_COMPLIANCE_NORMAL);
    status = known == 1 ? add_stream(stream, &container, &index)
                        : vrs_fail(VRS_UNSUPPORTED, "%s cannot hold it", muxer);
    if (status == VRS_OK)
        status = vrs_container_begin(&container, NULL);
    vrs_container_discard(&container);
    return status;
}

static bool is_kind_kept(const AVStream *stream)
{
    enum AVMediaType type = stream->codecpar->codec_type;
    return type == AVMEDIA_TYPE_AUDIO || type == AVMEDIA_TYPE_SUBTITLE || type == AVMEDIA_TYPE_DATA;
}

static const char *stream_name(const AVStream *stream, char *text, size_t size)
{
    const char *type = av_get_media_type_string(stream->codecpar->codec_type);
    bool known = stream->codecpar->codec_id != AV_CODEC_ID_NONE;
    (void)snprintf(text, size, "stream %d (%s, %s)", stream->index, type ? type : "unknown kind",
                   known ? avcodec_get_name(stream->codecpar->codec_id) : "unknown codec");
    return text;
}

vrs_status vrs_carry_choose(vrs_carry *carry, const char *muxer, const AVCodecParameters *video,
                            AVRational time_base, AVRational rate, char *note, size_t note_size)
{
    for (unsigned i = 0; carry->source && i < carry->source->nb_streams; i++) {
        AVStream *stream = carry->source->streams[i];
        char name[96];
        /* A demuxer discards what it read by itself: the track of MP4's chapters. */
        bool read_already = stream->discard == AVDISCARD_ALL;
        stream->discard = AVDISCARD_ALL;
        if (stream == carry->video || read_already)
            continue;
        if (!is_kind_kept(stream)) {
            vrs_note_add(note, note_size, "%s is not kept", stream_name(stream, name, sizeof name));
            continue;
        }
        vrs_status status = try_stream(stream, muxer, video, time_base, rate);
        if (status == VRS_NO_MEMORY)
            return status;
        if (status != VRS_OK) {
            vrs_note_add(note, note_size, "%s is not kept: %s cannot hold it",
                         stream_name(stream, name, sizeof name), muxer);
            continue;
        }
        stream->discard = AVDISCARD_DEFAULT;
        carry->outputs[i] = 0; /* its number comes with vrs_carry_add() */
        carry->kept++;
    }
    return VRS_OK;
}

/* ---- adding --------------------------------------------------------------------------------- */

static vrs_status add_side_data(AVStream *to, enum AVPacketSideDataType type, const void *data,
                                size_t size)
{
    uint8_t *place = vrs_inject("libav") ? av_stream_new_side_data(to, type, size) : NULL;
    if (!place)
        return vrs_fail(VRS_NO_MEMORY, "no memory for side data of %zu bytes", size);
    memcpy(place, data, size);
    return VRS_OK;
}

/* The translation of a display matrix belongs to the source's size; only its rotation is for all.
 */
static vrs_status add_rotation(const vrs_carry *carry, const vrs_carry_params *params, AVStream *to)
{
    int32_t matrix[9];
    size_t size = 0;
    const uint8_t *data = NULL;
    if (carry->video)
        data = av_stream_get_side_data(carry->video, AV_PKT_DATA_DISPLAYMATRIX, &size);
    if (data && size >= sizeof matrix) {
        memcpy(matrix, data, sizeof matrix);
        if (!params->same_size)
            matrix[6] = matrix[7] = 0;
    } else if (params->rotation != 0) {
        av_display_rotation_set(matrix, params->rotation);
    } else {
        return VRS_OK;
    }
    return add_side_data(to, AV_PKT_DATA_DISPLAYMATRIX, matrix, sizeof matrix);
}

/* Whether the tags say what a kind of the source's side data says. */
static bool is_told(const vrs_layout_tags *tags, enum AVPacketSideDataType type)
{
    return (type == AV_PKT_DATA_STEREO3D && tags->stereo) ||
           (type == AV_PKT_DATA_SPHERICAL && (tags->sphere || tags->plain));
}

static vrs_status add_stereo(const vrs_layout *layout, AVStream *to)
{
    const AVStereo3D stereo = {
        .type = layout->stereo == VRS_STEREO_SBS  ? AV_STEREO3D_SIDEBYSIDE
                : layout->stereo == VRS_STEREO_TB ? AV_STEREO3D_TOPBOTTOM
                                                  : AV_STEREO3D_2D,
        .flags = layout->swapped ? AV_STEREO3D_FLAG_INVERT : 0,
    };
    return add_side_data(to, AV_PKT_DATA_STEREO3D, &stereo, sizeof stereo);
}

static uint32_t fixed_32(double share)
{
    const double value = share * 4294967296.0;
    return value <= 0 ? 0 : value >= 4294967295.0 ? UINT32_MAX : (uint32_t)value;
}

/* Equirectangular pictures alone: containers have no word for a fisheye. */
static vrs_status add_sphere(const vrs_layout *layout, AVStream *to)
{
    if (layout->projection != VRS_PROJECTION_EQUIRECT &&
        layout->projection != VRS_PROJECTION_HALF_EQUIRECT)
        return VRS_OK;
    AVSphericalMapping sphere = {
        .projection = AV_SPHERICAL_EQUIRECTANGULAR,
        .yaw = (int32_t)(layout->yaw * 65536),
        .pitch = (int32_t)(layout->pitch * 65536),
        .roll = (int32_t)(layout->roll * 65536),
        .bound_left = fixed_32(layout->cut_left),
        .bound_right = fixed_32(layout->cut_right),
        .bound_top = fixed_32(layout->cut_top),
        .bound_bottom = fixed_32(layout->cut_bottom),
    };
    if (sphere.bound_left || sphere.bound_right || sphere.bound_top || sphere.bound_bottom)
        sphere.projection = AV_SPHERICAL_EQUIRECTANGULAR_TILE;
    return add_side_data(to, AV_PKT_DATA_SPHERICAL, &sphere, sizeof sphere);
}

static vrs_status add_tags(const vrs_layout_tags *tags, AVStream *to)
{
    vrs_status status = tags->stereo ? add_stereo(&tags->layout, to) : VRS_OK;
    return status == VRS_OK && tags->sphere && !tags->plain ? add_sphere(&tags->layout, to)
                                                            : status;
}

static vrs_status copy_side_data(const AVStream *from, AVStream *to, const vrs_layout_tags *tags,
                                 bool pictures)
{
    static const struct {
        enum AVPacketSideDataType type;
        bool of_pictures; /* says how the source's colours look: nothing for masks */
    } kinds[] = {{AV_PKT_DATA_STEREO3D, false},
                 {AV_PKT_DATA_SPHERICAL, false},
                 {AV_PKT_DATA_MASTERING_DISPLAY_METADATA, true},
                 {AV_PKT_DATA_CONTENT_LIGHT_LEVEL, true}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t size = 0;
        const uint8_t *data = av_stream_get_side_data(from, kinds[i].type, &size);
        if (!data || (kinds[i].of_pictures && !pictures) || is_told(tags, kinds[i].type))
            continue;
        vrs_status status = add_side_data(to, kinds[i].type, data, size);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

/* Titles and the like; not what describes the source's own file. */
static vrs_status copy_titles(const AVDictionary *from, AVDictionary **to)
{
    static const char *const own[] = {"major_brand",   "minor_version", "compatible_brands",
                                      "creation_time", "encoder",       "duration"};
    const AVDictionaryEntry *entry = NULL;
    while ((entry = av_dict_get(from, "", entry, AV_DICT_IGNORE_SUFFIX))) {
        bool skipped = false;
        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
            skipped = skipped || strcmp(own[i], entry->key) == 0;
        int result = 0;
        if (!skipped) {
            result = vrs_inject("libav") ? av_dict_set(to, entry->key, entry->value, 0)
                                         : AVERROR(ENOMEM);
        }
        if (result < 0)
            return vrs_fail(VRS_NO_MEMORY, "no memory for the source's titles");
    }
    return VRS_OK;
}

static vrs_status copy_chapter(const AVChapter *from, int64_t shift, AVFormatContext *to)
{
    AVChapter *chapter = vrs_inject("libav") ? av_mallocz(sizeof *chapter) : NULL;
    if (!chapter)
        return vrs_fail(VRS_NO_MEMORY, "no memory for a chapter");
    chapter->id = from->id;
    chapter->time_base = from->time_base;
    chapter->start = from->start + shift;
    chapter->end = from->end + shift;
    int result = vrs_inject("libav")
                     ? av_dynarray_add_nofree(&to->chapters, (int *)&to->nb_chapters, chapter)
                     : AVERROR(ENOMEM);
    if (result < 0) {
        av_free(chapter);
        return vrs_fail(VRS_NO_MEMORY, "no memory for a chapter");
    }
    return copy_titles(from->metadata, &chapter->metadata);
}

/* Chapters that begin while there is video. */
static vrs_status copy_chapters(const vrs_carry *carry, AVFormatContext *to)
{
    const AVFormatContext *from = carry->source;
    for (unsigned i = 0; carry->video && i < from->nb_chapters; i++) {
        const AVChapter *chapter = from->chapters[i];
        AVRational clock = carry->video->time_base;
        bool outside = carry->end > 0 &&
                       (av_compare_ts(chapter->start, chapter->time_base, carry->end, clock) >= 0 ||
                        av_compare_ts(chapter->end, chapter->time_base, carry->first, clock) <= 0);
        if (outside)
            continue;
        int64_t shift = av_rescale_q(carry->shift, clock, chapter->time_base);
        vrs_status status = copy_chapter(chapter, shift, to);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

vrs_status vrs_carry_add(vrs_carry *carry, const vrs_carry_params *params, vrs_container *container)
{
    vrs_status status = add_rotation(carry, params, container->video);
    if (status == VRS_OK && carry->video) {
        bool pictures = params->kind == VRS_OUTPUT_COMPOSITE || params->kind == VRS_OUTPUT_CUTOUT ||
                        params->kind == VRS_OUTPUT_PACKED;
        status = copy_side_data(carry->video, container->video, &params->tags, pictures);
    }
    if (status == VRS_OK)
        status = add_tags(&params->tags, container->video);
    if (status == VRS_OK)
        vrs_carry_find_layout(carry, params, container);
    if (!params->keep_streams || !carry->source)
        return status;
    for (unsigned i = 0; i < carry->source->nb_streams && status == VRS_OK; i++)
        if (carry->outputs[i] >= 0)
            status = add_stream(carry->source->streams[i], container, &carry->outputs[i]);
    if (status == VRS_OK)
        status = copy_titles(carry->source->metadata, &container->format->metadata);
    return status == VRS_OK ? copy_chapters(carry, container->format) : status;
}

/* ---- copying packets ------------------------------------------------------------------------ */

void vrs_carry_set_range(vrs_carry *carry, int64_t first, int64_t end, int64_t shift)
{
    if (!carry->video)
        return;
    const AVStream *video = carry->video;
    int64_t start = video->start_time;
    carry->first = start == AV_NOPTS_VALUE || first <= start ? INT64_MIN : first;
    carry->end = end;
    carry->shift = shift;
    int64_t source_end = AV_NOPTS_VALUE;
    if (video->duration != AV_NOPTS_VALUE) {
        int64_t length = video->duration + (start == AV_NOPTS_VALUE ? 0 : start);
        source_end = av_rescale_q(length, video->time_base, AV_TIME_BASE_Q);
    } else if (carry->source->duration != AV_NOPTS_VALUE) {
        int64_t begin = carry->source->start_time;
        source_end = carry->source->duration + (begin == AV_NOPTS_VALUE ? 0 : begin);
    }
    int64_t written = av_rescale_q(end, video->time_base, AV_TIME_BASE_Q);
    if (source_end != AV_NOPTS_VALUE && written + END_SLACK >= source_end)
        carry->end = INT64_MAX;
}

/* Whether a packet of a kept stream lies in the range; one after the end ends its stream. */
static bool is_wanted(vrs_carry *carry, AVStream *stream, int64_t time, bool from_zero)
{
    AVRational clock = carry->video->time_base;
    const AVPacket *packet = carry->packet;
    if (carry->end != INT64_MAX && av_compare_ts(time, stream->time_base, carry->end, clock) >= 0) {
        stream->discard = AVDISCARD_ALL;
        carry->ended = --carry->kept == 0;
        return false;
    }
    if (carry->first != INT64_MIN &&
        av_compare_ts(time + packet->duration, stream->time_base, carry->first, clock) <= 0)
        return false;
    int64_t shift = av_rescale_q(carry->shift, clock, stream->time_base);
    return !from_zero || time + shift >= 0;
}

/* Brings the next wanted packet, its times shifted. */
static vrs_status next_packet(vrs_carry *carry, const vrs_container *container, char *note,
                              size_t note_size)
{
    /* Matroska knows no time before 0; what MP4 has there is the lead-in of an audio codec. */
    bool from_zero = strcmp(container->format->oformat->name, "mp4") != 0 &&
                     strcmp(container->format->oformat->name, "mov") != 0;
    AVPacket *packet = carry->packet;
    while (!carry->pending && !carry->ended) {
        int result = vrs_inject("libav") ? av_read_frame(carry->source, packet) : AVERROR(ENOMEM);
        if (result == AVERROR(ENOMEM))
            return vrs_fail(VRS_NO_MEMORY, "no memory for a packet of the source");
        if (result < 0) {
            carry->ended = true;
            if (result != AVERROR_EOF) {
                vrs_note_add(note, note_size,
                             "other streams end early: the source cannot be read "
                             "on (%s)",
                             vrs_av_text(result));
            }
            break;
        }
        AVStream *stream = carry->source->streams[packet->stream_index];
        int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
        bool usable = stream->discard != AVDISCARD_ALL && time != AV_NOPTS_VALUE;
        if (!usable || !is_wanted(carry, stream, time, from_zero)) {
            av_packet_unref(packet);
            continue;
        }
        int64_t shift = av_rescale_q(carry->shift, carry->video->time_base, stream->time_base);
        packet->pts += packet->pts != AV_NOPTS_VALUE ? shift : 0;
        packet->dts = packet->dts != AV_NOPTS_VALUE ? packet->dts + shift : packet->pts;
        carry->pending = true;
    }
    return VRS_OK;
}

vrs_status vrs_carry_until(vrs_carry *carry, vrs_container *container, int64_t dts,
                           AVRational time_base, char *note, size_t note_size)
{
    if (!carry->source || !carry->video || carry->kept == 0)
        return VRS_OK;
    while (!carry->ended || carry->pending) {
        vrs_status status = next_packet(carry, container, note, note_size);
        if (status != VRS_OK || !carry->pending)
            return status;
        AVPacket *packet = carry->packet;
        const AVStream *from = carry->source->streams[packet->stream_index];
        if (dts != INT64_MAX && av_compare_ts(packet->dts, from->time_base, dts, time_base) > 0)
            return VRS_OK;
        AVStream *to = container->format->streams[carry->outputs[packet->stream_index]];
        carry->pending = false;
        status = vrs_container_write(container, packet, to, from->time_base, true);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}
