#include "media/encode/encoder.h"

#include <stdio.h>

#include <libavutil/pixdesc.h>

#include "base/alloc.h"
#include "image/format.h"
#include "media/encode/encoder_options.h"
#include "media/encode/to_frame.h"
#include "media/libav/av.h"

struct vrs_encoder {
    AVCodecContext *context;
    AVFrame *frame;
    vrs_to_frame maker;
};

/* x265's smallest picture. */
#define HEVC_MIN_SIDE 16

static enum AVPixelFormat lossy_format(vrs_codec codec, vrs_output_kind kind,
                                       vrs_pixel_format format)
{
    bool alpha = format == VRS_FORMAT_YUVA420P || format == VRS_FORMAT_YUVA420P10;
    if (alpha)
        return codec == VRS_CODEC_VP9 ? AV_PIX_FMT_YUVA420P : AV_PIX_FMT_NONE;
    if (format == VRS_FORMAT_YUV420P10)
        return AV_PIX_FMT_YUV420P10LE;
    bool grey =
        format == VRS_FORMAT_GRAY8 && (kind == VRS_OUTPUT_MASK || kind == VRS_OUTPUT_CLASSES);
    return grey || format == VRS_FORMAT_YUV420P ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_NONE;
}

static enum AVPixelFormat png_format(vrs_output_kind kind, vrs_pixel_format format)
{
    switch (format) {
    case VRS_FORMAT_GRAY8:
        return kind == VRS_OUTPUT_CLASSES ? AV_PIX_FMT_PAL8 : AV_PIX_FMT_GRAY8;
    case VRS_FORMAT_YUVA420P:
    case VRS_FORMAT_YUVA420P10:
        return AV_PIX_FMT_RGBA;
    case VRS_FORMAT_RGB24:
    case VRS_FORMAT_BGRA:
    case VRS_FORMAT_NV12:
    case VRS_FORMAT_P010:
    case VRS_FORMAT_YUV420P:
    case VRS_FORMAT_YUV420P10:
        return AV_PIX_FMT_RGB24;
    default:
        return AV_PIX_FMT_NONE;
    }
}

static enum AVPixelFormat ffv1_format(vrs_pixel_format format)
{
    switch (format) {
    case VRS_FORMAT_GRAY8:
    case VRS_FORMAT_GRAY10:
    case VRS_FORMAT_YUV420P:
    case VRS_FORMAT_YUV420P10:
    case VRS_FORMAT_YUVA420P:
    case VRS_FORMAT_YUVA420P10:
        return vrs_av_from_format(format);
    default:
        return AV_PIX_FMT_NONE;
    }
}

/* NVENC takes 10 bits as P010, and in HEVC alone. */
static enum AVPixelFormat nvenc_format(vrs_codec codec, enum AVPixelFormat format)
{
    if (format != AV_PIX_FMT_YUV420P10LE)
        return format;
    return codec == VRS_CODEC_HEVC ? AV_PIX_FMT_P010LE : AV_PIX_FMT_NONE;
}

enum AVPixelFormat vrs_encoder_pixel_format(vrs_codec codec, vrs_encoder_place place,
                                            vrs_output_kind kind, vrs_pixel_format format)
{
    enum AVPixelFormat lossy = AV_PIX_FMT_NONE;
    switch (codec) {
    case VRS_CODEC_H264:
    case VRS_CODEC_HEVC:
    case VRS_CODEC_VP9:
        lossy = lossy_format(codec, kind, format);
        return place == VRS_ENCODER_NVENC ? nvenc_format(codec, lossy) : lossy;
    case VRS_CODEC_FFV1:
        return ffv1_format(format);
    case VRS_CODEC_PNG:
        return png_format(kind, format);
    case VRS_CODEC_PRORES:
        return format == VRS_FORMAT_YUVA420P || format == VRS_FORMAT_YUVA420P10
                   ? AV_PIX_FMT_YUVA444P10LE
                   : AV_PIX_FMT_NONE;
    default:
        return AV_PIX_FMT_NONE;
    }
}

static vrs_to_frame_way choose_way(const vrs_encoder_params *params, const AVCodecContext *context)
{
    bool padded = context->width != params->width || context->height != params->height;
    if (context->pix_fmt == AV_PIX_FMT_PAL8)
        return VRS_TO_FRAME_PALETTE;
    if (params->format == VRS_FORMAT_GRAY8 && context->pix_fmt == AV_PIX_FMT_YUV420P) {
        return params->kind == VRS_OUTPUT_CLASSES ? VRS_TO_FRAME_COLOURS
               : padded                           ? VRS_TO_FRAME_PAD
                                                  : VRS_TO_FRAME_CHROMA;
    }
    if (context->pix_fmt != vrs_av_from_format(params->format))
        return VRS_TO_FRAME_CONVERT;
    return padded ? VRS_TO_FRAME_PAD : VRS_TO_FRAME_WRAP;
}

static vrs_status check_params(const vrs_encoder_params *params, enum AVPixelFormat format)
{
    if (format == AV_PIX_FMT_NONE) {
        return vrs_fail(VRS_INVALID, "%s does not take images of format %s for this output",
                        vrs_encoder_name(params->codec, params->place),
                        vrs_pixel_format_name(params->format));
    }
    if (params->codec == VRS_CODEC_HEVC && params->place == VRS_ENCODER_CPU &&
        (params->width < HEVC_MIN_SIDE || params->height < HEVC_MIN_SIDE)) {
        return vrs_fail(VRS_INVALID, "H.265 needs at least %dx%d pixels, not %dx%d: use h264",
                        HEVC_MIN_SIDE, HEVC_MIN_SIDE, (int)params->width, (int)params->height);
    }
    return VRS_OK;
}

static void fill_context(AVCodecContext *context, const vrs_encoder_params *params,
                         enum AVPixelFormat format)
{
    bool even = params->codec == VRS_CODEC_H264 || params->codec == VRS_CODEC_HEVC;
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    bool rgb = (desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
    context->width = even ? (params->width + 1) & ~1 : params->width;
    context->height = even ? (params->height + 1) & ~1 : params->height;
    context->pix_fmt = format;
    /* Frames are numbered, and the sink puts the true times in place of the numbers: so rate
     * control sees plain frames whatever the source's time base is. */
    context->framerate = params->rate;
    context->time_base = av_inv_q(params->rate);
    context->sample_aspect_ratio = params->aspect;
    context->thread_count = params->threads;
    context->color_range = rgb ? AVCOL_RANGE_UNSPECIFIED : params->tags.range;
    context->colorspace = rgb ? AVCOL_SPC_UNSPECIFIED : params->tags.matrix;
    context->color_trc = params->tags.transfer;
    context->color_primaries = params->tags.primaries;
    context->chroma_sample_location = rgb ? AVCHROMA_LOC_UNSPECIFIED : params->tags.site;
    context->strict_std_compliance = FF_COMPLIANCE_NORMAL;
    if (params->codec != VRS_CODEC_PNG)
        context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (params->codec == VRS_CODEC_PNG)
        context->thread_type = FF_THREAD_SLICE; /* a picture in, a picture out */
}

static vrs_status open_context(vrs_encoder *encoder, const vrs_encoder_params *params)
{
    const char *name = vrs_encoder_name(params->codec, params->place);
    const AVCodec *codec = vrs_inject("libav") ? avcodec_find_encoder_by_name(name) : NULL;
    if (!codec)
        return vrs_fail(VRS_UNSUPPORTED, "this libavcodec was built without the encoder %s", name);
    enum AVPixelFormat format =
        vrs_encoder_pixel_format(params->codec, params->place, params->kind, params->format);
    vrs_status status = check_params(params, format);
    if (status != VRS_OK)
        return status;
    encoder->context = vrs_inject("libav") ? avcodec_alloc_context3(codec) : NULL;
    encoder->frame = vrs_inject("libav") ? av_frame_alloc() : NULL;
    if (!encoder->context || !encoder->frame)
        return vrs_fail(VRS_NO_MEMORY, "no memory for the encoder %s", name);
    fill_context(encoder->context, params, format);
    status = vrs_encoder_set_options(encoder->context, params);
    if (status != VRS_OK)
        return status;
    int result =
        vrs_inject("libav") ? avcodec_open2(encoder->context, codec, NULL) : AVERROR(ENOMEM);
    if (result < 0) {
        return vrs_av_fail(result, "%s does not start with %dx%d %s and options \"%s\"", name,
                           encoder->context->width, encoder->context->height,
                           av_get_pix_fmt_name(format), params->options ? params->options : "");
    }
    return VRS_OK;
}

/* The colour that the pixels have, for what the sink converts itself. */
static vrs_color pixel_color(const vrs_encoder_params *params)
{
    enum AVPixelFormat format = vrs_av_from_format(params->format);
    bool indices = params->kind == VRS_OUTPUT_CLASSES;
    return vrs_av_to_color(indices ? AV_PIX_FMT_YUV420P : format, params->tags.matrix,
                           params->tags.range, params->tags.transfer, params->tags.primaries,
                           params->tags.site);
}

vrs_status vrs_encoder_open(const vrs_encoder_params *params, vrs_encoder **encoder)
{
    vrs_encoder *made = vrs_alloc(sizeof *made);
    if (!made)
        return VRS_NO_MEMORY;
    vrs_status status = open_context(made, params);
    if (status == VRS_OK) {
        made->maker = (vrs_to_frame){
            .way = choose_way(params, made->context),
            .from = params->format,
            .width = params->width,
            .height = params->height,
            .to = made->context->pix_fmt,
            .coded_width = made->context->width,
            .coded_height = made->context->height,
        };
        status = vrs_to_frame_init(&made->maker, pixel_color(params), params->palette);
    }
    if (status != VRS_OK) {
        vrs_encoder_destroy(made);
        return status;
    }
    *encoder = made;
    return VRS_OK;
}

/* Tries NVENC; VRS_UNSUPPORTED with a sentence where it does not start. */
static vrs_status try_nvenc(const vrs_encoder_params *params)
{
    vrs_encoder_params trial = *params;
    vrs_encoder *encoder = NULL;
    trial.place = VRS_ENCODER_NVENC;
    if (params->codec != VRS_CODEC_H264 && params->codec != VRS_CODEC_HEVC) {
        return vrs_fail(VRS_INVALID, "NVENC encodes h264 and hevc, not %s: use the encoder cpu",
                        vrs_codec_name(params->codec));
    }
    vrs_status status = vrs_encoder_open(&trial, &encoder);
    vrs_encoder_destroy(encoder);
    if (status == VRS_OK || status == VRS_NO_MEMORY || status == VRS_INVALID)
        return status;
    char why[VRS_DETAIL_SIZE];
    (void)snprintf(why, sizeof why, "%s", vrs_last_error());
    return vrs_fail(VRS_UNSUPPORTED,
                    "this GPU or its driver has no encoder for %s (NVENC), as H100 and H200 have "
                    "none: use the encoder cpu (%s)",
                    vrs_codec_name(params->codec), why);
}

vrs_status vrs_encoder_settle(vrs_encoder_params *params, char *why, size_t size)
{
    why[0] = '\0';
    if (params->place == VRS_ENCODER_CPU)
        return VRS_OK;
    bool coded = params->codec == VRS_CODEC_H264 || params->codec == VRS_CODEC_HEVC;
    bool must = params->place == VRS_ENCODER_NVENC;
    if (!coded && !must) {
        params->place = VRS_ENCODER_CPU;
        return VRS_OK;
    }
    vrs_status status = try_nvenc(params);
    if (status != VRS_OK && status != VRS_NO_MEMORY && !must) {
        (void)snprintf(why, size, "encoded on the CPU: NVENC does not start");
        params->place = VRS_ENCODER_CPU;
        return VRS_OK;
    }
    params->place = VRS_ENCODER_NVENC;
    return status;
}

void vrs_encoder_destroy(vrs_encoder *encoder)
{
    if (!encoder)
        return;
    avcodec_free_context(&encoder->context);
    av_frame_free(&encoder->frame);
    vrs_to_frame_clear(&encoder->maker);
    vrs_free(encoder);
}

const AVCodecContext *vrs_encoder_context(const vrs_encoder *encoder)
{
    return encoder->context;
}

static vrs_status send_frame(vrs_encoder *encoder, const AVFrame *frame)
{
    int result =
        vrs_inject("libav") ? avcodec_send_frame(encoder->context, frame) : AVERROR(ENOMEM);
    if (result < 0)
        return vrs_av_fail(result, "the encoder %s refuses a frame", encoder->context->codec->name);
    return VRS_OK;
}

vrs_status vrs_encoder_send(vrs_encoder *encoder, vrs_image *image, int64_t number)
{
    AVFrame *frame = encoder->frame;
    vrs_status status = vrs_to_frame_make(&encoder->maker, image, frame);
    if (status == VRS_OK) {
        frame->pts = number;
        frame->pkt_duration = 1;
        frame->pict_type = AV_PICTURE_TYPE_NONE;
        frame->color_range = encoder->context->color_range;
        frame->colorspace = encoder->context->colorspace;
        frame->color_trc = encoder->context->color_trc;
        frame->color_primaries = encoder->context->color_primaries;
        frame->chroma_location = encoder->context->chroma_sample_location;
        frame->sample_aspect_ratio = encoder->context->sample_aspect_ratio;
        status = send_frame(encoder, frame);
    }
    av_frame_unref(frame);
    return status;
}

vrs_status vrs_encoder_flush(vrs_encoder *encoder)
{
    return send_frame(encoder, NULL);
}

vrs_status vrs_encoder_receive(vrs_encoder *encoder, AVPacket *packet)
{
    int result =
        vrs_inject("libav") ? avcodec_receive_packet(encoder->context, packet) : AVERROR(ENOMEM);
    if (result == AVERROR(EAGAIN))
        return VRS_TIMEOUT;
    if (result == AVERROR_EOF)
        return VRS_END;
    if (result < 0)
        return vrs_av_fail(result, "the encoder %s fails", encoder->context->codec->name);
    return VRS_OK;
}
