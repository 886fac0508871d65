#include "media/libav/av.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/error.h>
#include <libavutil/hwcontext.h>
#include <libavutil/pixdesc.h>

#include "base/alloc.h"
#include "image/format.h"

/* ---- errors ------------------------------------------------------------------------------- */

vrs_status vrs_av_status(int error)
{
    switch (error) {
    case AVERROR(ENOENT):
        return VRS_NOT_FOUND;
    case AVERROR(EACCES):
    case AVERROR(EPERM):
    case AVERROR(EROFS):
        return VRS_PERMISSION;
    case AVERROR(ENOSPC):
    case AVERROR(EDQUOT):
        return VRS_NO_SPACE;
    case AVERROR(ENOMEM):
        return VRS_NO_MEMORY;
    case AVERROR(EBUSY):
        return VRS_BUSY;
    case AVERROR(EINVAL):
    case AVERROR_OPTION_NOT_FOUND:
        return VRS_INVALID;
    case AVERROR_EOF:
        return VRS_END;
    case AVERROR_EXIT:
        return VRS_CANCELLED;
    case AVERROR_INVALIDDATA:
        return VRS_CORRUPT;
    case AVERROR(ENOSYS):
    case AVERROR_PATCHWELCOME:
    case AVERROR_EXPERIMENTAL:
    case AVERROR_DECODER_NOT_FOUND:
    case AVERROR_ENCODER_NOT_FOUND:
    case AVERROR_DEMUXER_NOT_FOUND:
    case AVERROR_MUXER_NOT_FOUND:
    case AVERROR_PROTOCOL_NOT_FOUND:
    case AVERROR_BSF_NOT_FOUND:
        return VRS_UNSUPPORTED;
    default:
        return VRS_IO;
    }
}

const char *vrs_av_text(int error)
{
    static _Thread_local char text[AV_ERROR_MAX_STRING_SIZE];
    (void)av_strerror(error, text, sizeof text);
    return text;
}

vrs_status vrs_av_fail(int error, const char *format, ...)
{
    char sentence[VRS_DETAIL_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return vrs_fail(vrs_av_status(error), "%s: %s", sentence, vrs_av_text(error));
}

/* ---- formats and colours -------------------------------------------------------------------- */

static const struct {
    enum AVPixelFormat av;
    vrs_pixel_format format;
} format_pairs[] = {
    {AV_PIX_FMT_YUV420P, VRS_FORMAT_YUV420P},   {AV_PIX_FMT_NV12, VRS_FORMAT_NV12},
    {AV_PIX_FMT_P010LE, VRS_FORMAT_P010},       {AV_PIX_FMT_YUV420P10LE, VRS_FORMAT_YUV420P10},
    {AV_PIX_FMT_RGB24, VRS_FORMAT_RGB24},       {AV_PIX_FMT_BGRA, VRS_FORMAT_BGRA},
    {AV_PIX_FMT_GRAY8, VRS_FORMAT_GRAY8},       {AV_PIX_FMT_GRAY10LE, VRS_FORMAT_GRAY10},
    {AV_PIX_FMT_YUVA420P, VRS_FORMAT_YUVA420P}, {AV_PIX_FMT_YUVA420P10LE, VRS_FORMAT_YUVA420P10},
    {AV_PIX_FMT_YUVJ420P, VRS_FORMAT_YUV420P}, /* after YUV420P: the first pair is the way back */
};

#define FORMAT_PAIRS (sizeof format_pairs / sizeof format_pairs[0])

vrs_pixel_format vrs_av_to_format(enum AVPixelFormat format)
{
    for (size_t i = 0; i < FORMAT_PAIRS; i++)
        if (format_pairs[i].av == format)
            return format_pairs[i].format;
    return VRS_FORMAT_NONE;
}

enum AVPixelFormat vrs_av_from_format(vrs_pixel_format format)
{
    for (size_t i = 0; i < FORMAT_PAIRS; i++)
        if (format_pairs[i].format == format)
            return format_pairs[i].av;
    return AV_PIX_FMT_NONE;
}

static vrs_matrix to_matrix(enum AVColorSpace matrix)
{
    switch (matrix) {
    case AVCOL_SPC_RGB:
        return VRS_MATRIX_RGB;
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_SMPTE240M:
        return VRS_MATRIX_BT709;
    case AVCOL_SPC_FCC:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
        return VRS_MATRIX_BT601;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        return VRS_MATRIX_BT2020;
    default:
        return VRS_MATRIX_UNKNOWN;
    }
}

static vrs_transfer to_transfer(enum AVColorTransferCharacteristic transfer)
{
    switch (transfer) {
    case AVCOL_TRC_BT709:
    case AVCOL_TRC_SMPTE170M: /* the same curve under other names */
    case AVCOL_TRC_BT2020_10:
    case AVCOL_TRC_BT2020_12:
        return VRS_TRANSFER_BT709;
    case AVCOL_TRC_SMPTE2084:
        return VRS_TRANSFER_PQ;
    case AVCOL_TRC_ARIB_STD_B67:
        return VRS_TRANSFER_HLG;
    default:
        return VRS_TRANSFER_UNKNOWN;
    }
}

static vrs_chroma_site to_site(enum AVChromaLocation site)
{
    switch (site) {
    case AVCHROMA_LOC_LEFT:
        return VRS_CHROMA_LEFT;
    case AVCHROMA_LOC_CENTER:
        return VRS_CHROMA_CENTER;
    case AVCHROMA_LOC_TOPLEFT:
        return VRS_CHROMA_TOP_LEFT;
    default:
        return VRS_CHROMA_UNKNOWN;
    }
}

static bool is_full_by_format(enum AVPixelFormat format)
{
    switch (format) {
    case AV_PIX_FMT_YUVJ411P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ444P:
        return true;
    default:
        return false;
    }
}

static bool is_rgb(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    return desc && (desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
}

static bool is_gray(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    return desc && desc->nb_components < 3 && !is_rgb(format);
}

vrs_color vrs_av_to_color(enum AVPixelFormat format, enum AVColorSpace matrix,
                          enum AVColorRange range, enum AVColorTransferCharacteristic transfer,
                          enum AVColorPrimaries primaries, enum AVChromaLocation site)
{
    vrs_color color = {
        .matrix = to_matrix(matrix),
        .range = range == AVCOL_RANGE_MPEG   ? VRS_RANGE_LIMITED
                 : range == AVCOL_RANGE_JPEG ? VRS_RANGE_FULL
                                             : VRS_RANGE_UNKNOWN,
        .transfer = to_transfer(transfer),
        .chroma_site = to_site(site),
        .primaries = (int32_t)primaries,
    };
    if (is_rgb(format)) {
        color.matrix = VRS_MATRIX_RGB;
        color.range = VRS_RANGE_FULL;
    } else if (color.matrix == VRS_MATRIX_RGB) {
        color.matrix = VRS_MATRIX_UNKNOWN; /* a tag that contradicts the pixels */
    }
    if (is_full_by_format(format) || (is_gray(format) && color.range == VRS_RANGE_UNKNOWN))
        color.range = VRS_RANGE_FULL;
    return color;
}

enum AVPixelFormat vrs_av_stored_format(const AVFrame *frame)
{
    if (!frame->hw_frames_ctx)
        return (enum AVPixelFormat)frame->format;
    return ((const AVHWFramesContext *)(const void *)frame->hw_frames_ctx->data)->sw_format;
}

vrs_color vrs_av_frame_color(const AVFrame *frame)
{
    return vrs_av_to_color(vrs_av_stored_format(frame), frame->colorspace, frame->color_range,
                           frame->color_trc, frame->color_primaries, frame->chroma_location);
}

enum AVColorSpace vrs_av_from_matrix(vrs_matrix matrix)
{
    return (enum AVColorSpace)matrix; /* both have H.273's numbers */
}

enum AVColorRange vrs_av_from_range(vrs_range range)
{
    return range == VRS_RANGE_LIMITED ? AVCOL_RANGE_MPEG
           : range == VRS_RANGE_FULL  ? AVCOL_RANGE_JPEG
                                      : AVCOL_RANGE_UNSPECIFIED;
}

enum AVColorTransferCharacteristic vrs_av_from_transfer(vrs_transfer transfer)
{
    return (enum AVColorTransferCharacteristic)transfer;
}

enum AVColorPrimaries vrs_av_from_primaries(int32_t primaries)
{
    return primaries > 0 && primaries < AVCOL_PRI_NB ? (enum AVColorPrimaries)primaries
                                                     : AVCOL_PRI_UNSPECIFIED;
}

enum AVChromaLocation vrs_av_from_site(vrs_chroma_site site)
{
    switch (site) {
    case VRS_CHROMA_LEFT:
        return AVCHROMA_LOC_LEFT;
    case VRS_CHROMA_CENTER:
        return AVCHROMA_LOC_CENTER;
    case VRS_CHROMA_TOP_LEFT:
        return AVCHROMA_LOC_TOPLEFT;
    default:
        return AVCHROMA_LOC_UNSPECIFIED;
    }
}

/* ---- frames and images ---------------------------------------------------------------------- */

static void free_frame(void *opaque)
{
    AVFrame *frame = opaque;
    av_frame_free(&frame);
}

void vrs_av_image_of_frame(AVFrame *frame, vrs_image *image)
{
    *image = (vrs_image){
        .format = vrs_av_to_format((enum AVPixelFormat)frame->format),
        .width = frame->width,
        .height = frame->height,
        .color = vrs_av_frame_color(frame),
        .memory = VRS_MEMORY_HOST,
        .release = free_frame,
        .opaque = frame,
    };
    int32_t planes = vrs_format_get(image->format)->planes;
    for (int32_t i = 0; i < planes; i++) {
        image->planes[i] = frame->data[i];
        image->strides[i] = frame->linesize[i];
    }
}

static void release_image(void *opaque, uint8_t *data)
{
    (void)data;
    vrs_image *image = opaque;
    vrs_image_release(image);
    vrs_free(image);
}

vrs_status vrs_av_frame_of_image(AVFrame *frame, vrs_image *image)
{
    enum AVPixelFormat format = vrs_av_from_format(image->format);
    if (format == AV_PIX_FMT_NONE) {
        vrs_image_release(image);
        return vrs_fail(VRS_INVALID, "an image of format %d cannot be written", (int)image->format);
    }
    vrs_image *copy = vrs_alloc(sizeof *copy);
    if (!copy) {
        vrs_image_release(image);
        return VRS_NO_MEMORY;
    }
    *copy = *image;
    size_t bytes = (size_t)vrs_plane_row_bytes(copy, 0);
    frame->buf[0] = vrs_inject("libav") ? av_buffer_create(copy->planes[0], bytes, release_image,
                                                           copy, AV_BUFFER_FLAG_READONLY)
                                        : NULL;
    if (!frame->buf[0]) {
        vrs_free(copy);
        vrs_image_release(image);
        return vrs_fail(VRS_NO_MEMORY, "no memory for a reference to a frame");
    }
    *image = (vrs_image){0};
    frame->format = format;
    frame->width = copy->width;
    frame->height = copy->height;
    frame->colorspace = vrs_av_from_matrix(copy->color.matrix);
    frame->color_range = vrs_av_from_range(copy->color.range);
    frame->color_trc = vrs_av_from_transfer(copy->color.transfer);
    frame->color_primaries = vrs_av_from_primaries(copy->color.primaries);
    frame->chroma_location = vrs_av_from_site(copy->color.chroma_site);
    int32_t planes = vrs_format_get(copy->format)->planes;
    for (int32_t i = 0; i < planes; i++) {
        frame->data[i] = copy->planes[i];
        frame->linesize[i] = (int)copy->strides[i];
    }
    return VRS_OK;
}

/* ---- containers ----------------------------------------------------------------------------- */

/* How much a stream is wanted: 0 for what is not video. */
static int64_t video_rank(const AVStream *stream)
{
    const AVCodecParameters *params = stream->codecpar;
    if (params->codec_type != AVMEDIA_TYPE_VIDEO)
        return 0;
    if (stream->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS))
        return 0;
    if (!avcodec_find_decoder(params->codec_id))
        return 1;
    int64_t width = params->width > 0 ? params->width : 0;
    int64_t height = params->height > 0 ? params->height : 0;
    return 2 + width * height;
}

int vrs_av_best_video(const AVFormatContext *container)
{
    int best = -1;
    int64_t best_rank = 0;
    for (unsigned i = 0; i < container->nb_streams; i++) {
        int64_t rank = video_rank(container->streams[i]);
        if (rank > best_rank) {
            best_rank = rank;
            best = (int)i;
        }
    }
    return best;
}

void vrs_av_list_streams(const AVFormatContext *container, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", container->nb_streams ? "" : "no streams");
    for (unsigned i = 0; i < container->nb_streams && used < size; i++) {
        const AVStream *stream = container->streams[i];
        const char *type = av_get_media_type_string(stream->codecpar->codec_type);
        bool attached = (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
        bool known = stream->codecpar->codec_id != AV_CODEC_ID_NONE;
        used += (size_t)snprintf(text + used, size - used, "%s%s %s", i ? ", " : "",
                                 attached ? "attached picture"
                                 : type   ? type
                                          : "unknown",
                                 known ? avcodec_get_name(stream->codecpar->codec_id)
                                       : "(unknown codec)");
    }
}
