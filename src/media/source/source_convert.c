#include "media/source/source_convert.h"

#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "base/alloc.h"
#include "image/format.h"
#include "media/libav/av.h"

/* libswscale's "as the format has it" for a chroma position. */
#define POSITION_DEFAULT (-513)
/* Vector code of libswscale writes whole vectors at the end of a row and of a plane. */
#define ROW_ALIGNMENT 64
#define TAIL_BYTES 64

enum AVPixelFormat vrs_convert_target(enum AVPixelFormat format)
{
    switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_NV12:
    case AV_PIX_FMT_P010LE:
    case AV_PIX_FMT_YUV420P10LE:
    case AV_PIX_FMT_RGB24:
    case AV_PIX_FMT_BGRA:
        return format;
    default:
        break;
    }
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    if (!desc)
        return AV_PIX_FMT_NONE;
    bool alpha = (desc->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
    if (desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER))
        return alpha ? AV_PIX_FMT_BGRA : AV_PIX_FMT_RGB24;
    return desc->comp[0].depth > 8 ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
}

vrs_color vrs_convert_color(const AVFrame *frame)
{
    vrs_color color = vrs_av_frame_color(frame);
    enum AVPixelFormat stored = vrs_av_stored_format(frame);
    if (vrs_convert_target(stored) != stored) {
        if (color.chroma_site == VRS_CHROMA_UNKNOWN)
            color.chroma_site = VRS_CHROMA_LEFT;
    }
    return color;
}

/* Unknown tags become what they stand for. */
static vrs_color resolve(const vrs_convert_side *side)
{
    enum AVPixelFormat target = vrs_convert_target(side->format);
    vrs_image image = {.format = vrs_av_to_format(target),
                       .width = side->width,
                       .height = side->height,
                       .color = side->color};
    return vrs_color_resolve(&image);
}

static int sws_table(vrs_matrix matrix)
{
    switch (matrix) {
    case VRS_MATRIX_BT709:
        return SWS_CS_ITU709;
    case VRS_MATRIX_BT2020:
        return SWS_CS_BT2020;
    default:
        return SWS_CS_ITU601;
    }
}

/* Sets where the chroma samples of a subsampled side lie, in 1/256 of a luma sample. */
static int set_positions(struct SwsContext *context, const vrs_convert_side *side,
                         const char *horizontal, const char *vertical)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(side->format);
    vrs_chroma_site site = side->color.chroma_site;
    int x = POSITION_DEFAULT;
    int y = POSITION_DEFAULT;
    if (desc && desc->nb_components >= 3 && desc->log2_chroma_w == 1)
        x = site == VRS_CHROMA_CENTER ? 128 : 0;
    if (desc && desc->nb_components >= 3 && desc->log2_chroma_h == 1)
        y = site == VRS_CHROMA_TOP_LEFT ? 0 : 128;
    int error = av_opt_set_int(context, horizontal, x, 0);
    return error < 0 ? error : av_opt_set_int(context, vertical, y, 0);
}

static int set_options(struct SwsContext *context, const vrs_convert_side *from,
                       const vrs_convert_side *to)
{
    const struct {
        const char *name;
        int64_t value;
    } options[] = {
        {"srcw", from->width},
        {"srch", from->height},
        {"src_format", from->format},
        {"dstw", to->width},
        {"dsth", to->height},
        {"dst_format", to->format},
        {"src_range", resolve(from).range == VRS_RANGE_FULL},
        {"dst_range", resolve(to).range == VRS_RANGE_FULL},
        {"sws_flags", SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_FULL_CHR_H_INT},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        int error = av_opt_set_int(context, options[i].name, options[i].value, 0);
        if (error < 0)
            return error;
    }
    int error = set_positions(context, from, "src_h_chr_pos", "src_v_chr_pos");
    return error < 0 ? error : set_positions(context, to, "dst_h_chr_pos", "dst_v_chr_pos");
}

static bool same_side(const vrs_convert_side *a, const vrs_convert_side *b)
{
    return a->format == b->format && a->width == b->width && a->height == b->height &&
           a->color.matrix == b->color.matrix && a->color.range == b->color.range &&
           a->color.chroma_site == b->color.chroma_site;
}

/* Makes the context for a pair of sides, unless it is there. */
static vrs_status set_up(vrs_converter *converter, const vrs_convert_side *from,
                         const vrs_convert_side *to)
{
    if (converter->context && same_side(&converter->from, from) && same_side(&converter->to, to))
        return VRS_OK;
    if (!sws_isSupportedInput(from->format)) {
        return vrs_fail(VRS_UNSUPPORTED, "the pixel format %s cannot be converted",
                        av_get_pix_fmt_name(from->format));
    }
    sws_freeContext(converter->context);
    converter->context = vrs_inject("libav") ? sws_alloc_context() : NULL;
    int error = AVERROR(ENOMEM);
    if (converter->context && vrs_inject("libav")) {
        error = set_options(converter->context, from, to);
        error = error < 0 ? error : sws_init_context(converter->context, NULL, NULL);
    }
    if (error < 0) {
        sws_freeContext(converter->context);
        converter->context = NULL;
        return vrs_av_fail(error, "no conversion from %s %dx%d to %s %dx%d",
                           av_get_pix_fmt_name(from->format), from->width, from->height,
                           av_get_pix_fmt_name(to->format), to->width, to->height);
    }
    vrs_color source = resolve(from);
    vrs_color target = resolve(to);
    /* It fails where neither side is YUV, and then it does not matter. */
    (void)sws_setColorspaceDetails(
        converter->context, sws_getCoefficients(sws_table(source.matrix)),
        source.range == VRS_RANGE_FULL, sws_getCoefficients(sws_table(target.matrix)),
        target.range == VRS_RANGE_FULL, 0, 1 << 16, 1 << 16);
    converter->from = *from;
    converter->to = *to;
    return VRS_OK;
}

/* A frame of the target's format and size out of the pool. */
static vrs_status new_frame(vrs_converter *converter, AVFrame **out)
{
    const vrs_convert_side *to = &converter->to;
    AVFrame *frame = vrs_inject("libav") ? av_frame_alloc() : NULL;
    ptrdiff_t strides[4] = {0};
    size_t sizes[4] = {0};
    if (!frame || av_image_fill_linesizes(frame->linesize, to->format, to->width) < 0) {
        av_frame_free(&frame);
        return vrs_fail(VRS_NO_MEMORY, "no memory for a frame");
    }
    size_t bytes = TAIL_BYTES;
    for (int i = 0; i < 4; i++) {
        frame->linesize[i] = FFALIGN(frame->linesize[i], ROW_ALIGNMENT);
        strides[i] = frame->linesize[i];
    }
    if (av_image_fill_plane_sizes(sizes, to->format, to->height, strides) >= 0)
        bytes += sizes[0] + sizes[1] + sizes[2] + sizes[3];
    if (bytes != converter->pool_bytes) {
        av_buffer_pool_uninit(&converter->pool);
        converter->pool = vrs_inject("libav") ? av_buffer_pool_init(bytes, NULL) : NULL;
        converter->pool_bytes = converter->pool ? bytes : 0;
    }
    if (converter->pool && vrs_inject("libav"))
        frame->buf[0] = av_buffer_pool_get(converter->pool);
    if (!frame->buf[0]) {
        av_frame_free(&frame);
        return vrs_fail(VRS_NO_MEMORY, "no memory for a frame of %dx%d", to->width, to->height);
    }
    uint8_t *place = frame->buf[0]->data;
    for (int i = 0; i < 4 && sizes[i]; i++) {
        frame->data[i] = place;
        place += sizes[i];
    }
    frame->format = to->format;
    frame->width = to->width;
    frame->height = to->height;
    *out = frame;
    return VRS_OK;
}

vrs_status vrs_convert(vrs_converter *converter, const AVFrame *in, const vrs_convert_side *to,
                       AVFrame **out)
{
    vrs_convert_side from = {
        .format = (enum AVPixelFormat)in->format,
        .width = in->width,
        .height = in->height,
        .color = vrs_convert_color(in),
    };
    AVFrame *frame = NULL;
    *out = NULL;
    vrs_status status = set_up(converter, &from, to);
    if (status == VRS_OK)
        status = new_frame(converter, &frame);
    if (status != VRS_OK)
        return status;
    int rows = AVERROR(ENOMEM);
    if (vrs_inject("libav")) {
        rows = sws_scale(converter->context, (const uint8_t *const *)in->data, in->linesize, 0,
                         in->height, frame->data, frame->linesize);
    }
    if (rows < 0) {
        av_frame_free(&frame);
        return vrs_av_fail(rows, "a frame of %s %dx%d cannot be converted",
                           av_get_pix_fmt_name(from.format), from.width, from.height);
    }
    frame->colorspace = vrs_av_from_matrix(to->color.matrix);
    frame->color_range = vrs_av_from_range(to->color.range);
    frame->color_trc = in->color_trc;
    frame->color_primaries = in->color_primaries;
    frame->chroma_location = vrs_av_from_site(to->color.chroma_site);
    frame->best_effort_timestamp = in->best_effort_timestamp;
    frame->pkt_duration = in->pkt_duration;
    *out = frame;
    return VRS_OK;
}

void vrs_converter_free(vrs_converter *converter)
{
    sws_freeContext(converter->context);
    av_buffer_pool_uninit(&converter->pool);
    *converter = (vrs_converter){0};
}
