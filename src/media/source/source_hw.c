#include "media/source/source_hw.h"

#include <errno.h>
#include <stdio.h>

#include <libavutil/hwcontext.h>
#include <libavutil/hwcontext_cuda.h>
#include <libavutil/pixdesc.h>

#include "base/alloc.h"
#include "media/libav/av.h"

/* libav's own NVDEC decoders of this name ("h264_cuvid") hide their surfaces behind a parser of
 * theirs; wanted is the native decoder whose slices the hardware decodes. */
static bool uses_hardware(const AVCodec *codec)
{
    const AVCodecHWConfig *config = NULL;
    for (int i = 0; (config = avcodec_get_hw_config(codec, i)) != NULL; i++)
        if (config->device_type == AV_HWDEVICE_TYPE_CUDA &&
            (config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX) &&
            !(config->methods & AV_CODEC_HW_CONFIG_METHOD_INTERNAL))
            return true;
    return false;
}

const AVCodec *vrs_hw_find_decoder(enum AVCodecID id)
{
    void *place = NULL;
    const AVCodec *codec = NULL;
    while ((codec = av_codec_iterate(&place)) != NULL)
        if (codec->id == id && av_codec_is_decoder(codec) && uses_hardware(codec))
            return codec;
    return NULL;
}

vrs_status vrs_hw_open(vrs_hw *hw, const vrs_hw_place *place)
{
    AVBufferRef *device = vrs_inject("libav") ? av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA) : NULL;
    *hw = (vrs_hw){0};
    if (!device) {
        (void)snprintf(hw->why, sizeof hw->why, "this libav was built without CUDA");
        return vrs_fail(VRS_UNSUPPORTED, "%s", hw->why);
    }
    AVHWDeviceContext *base = (AVHWDeviceContext *)(void *)device->data;
    AVCUDADeviceContext *cuda = base->hwctx;
    cuda->cuda_ctx = place->context;
    cuda->stream = place->stream;
    int error = vrs_inject("libav") ? av_hwdevice_ctx_init(device) : AVERROR(ENOMEM);
    if (error < 0) {
        av_buffer_unref(&device);
        (void)snprintf(hw->why, sizeof hw->why, "libav cannot use the CUDA driver: %s",
                       vrs_av_text(error));
        return vrs_fail(error == AVERROR(ENOMEM) ? VRS_NO_MEMORY : VRS_UNSUPPORTED, "%s", hw->why);
    }
    hw->device = device;
    hw->place = *place;
    return VRS_OK;
}

vrs_status vrs_hw_settle(vrs_hw *hw)
{
    if (!hw->taking)
        return VRS_OK;
    hw->taking = false;
    hw->took = true;
    return hw->place.taken(hw->place.opaque);
}

void vrs_hw_close(vrs_hw *hw)
{
    vrs_status status = vrs_hw_settle(hw);
    (void)status; /* it is gone */
    if (hw->took) {
        hw->took = false;
        hw->place.given(hw->place.opaque);
    }
    av_buffer_unref(&hw->device);
}

/* Beside a decoder's surfaces there must be room for frames, in surfaces. */
#define ROOM_FOR_FRAMES 8

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Bytes that must be free for a decoder of what `decoder` is about to decode: as many surfaces to
 * decode into as to give out (libavcodec/nvdec.c), three more than these parameters say
 * (libavcodec/decode.c), each with rows of whole 512 bytes. 0: not known. */
static uint64_t expect_bytes(AVCodecContext *decoder)
{
    AVBufferRef *buffer = NULL;
    uint64_t bytes = 0;
    if (avcodec_get_hw_frames_parameters(decoder, decoder->hw_device_ctx, AV_PIX_FMT_CUDA,
                                         &buffer) >= 0) {
        const AVHWFramesContext *frames = (AVHWFramesContext *)(void *)buffer->data;
        uint64_t row = (uint64_t)frames->width * (frames->sw_format == AV_PIX_FMT_NV12 ? 1 : 2);
        uint64_t rows = round_up((uint64_t)frames->height, 32) * 3 / 2;
        uint64_t count = 2 * ((uint64_t)frames->initial_pool_size + 3) + ROOM_FOR_FRAMES;
        bytes = round_up(row, 512) * rows * count;
    }
    av_buffer_unref(&buffer);
    return bytes;
}

/* Whether there is memory for a decoder of its surfaces; if not, hw->why says it. */
static bool take(vrs_hw *hw, AVCodecContext *decoder)
{
    if (!hw->place.taking)
        return true;
    vrs_status status = vrs_hw_settle(hw); /* of a decoder that libav could not make */
    if (status == VRS_OK)
        status = hw->place.taking(hw->place.opaque, expect_bytes(decoder));
    hw->taking = status == VRS_OK;
    if (status != VRS_OK) {
        (void)snprintf(hw->why, sizeof hw->why, "NVDEC's surfaces for %dx%d find no room: %.180s",
                       decoder->width, decoder->height, vrs_last_error());
        hw->refused = true;
    }
    return status == VRS_OK;
}

/* What the software decoder would deliver is the last of what is offered: it tells depth and
 * chroma. NV12 and P010 hold these three exactly. */
static bool fits(enum AVPixelFormat software)
{
    return software == AV_PIX_FMT_YUV420P || software == AV_PIX_FMT_YUVJ420P ||
           software == AV_PIX_FMT_YUV420P10LE;
}

/* Called by libav within avcodec_send_packet() and avcodec_receive_frame(). A format that was
 * chosen and then found impossible is not offered again. */
static enum AVPixelFormat choose_format(AVCodecContext *decoder, const enum AVPixelFormat *offered)
{
    vrs_hw *hw = decoder->hwaccel_context;
    bool cuda = false;
    enum AVPixelFormat software = AV_PIX_FMT_NONE;
    for (; *offered != AV_PIX_FMT_NONE; offered++) {
        const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(*offered);
        cuda = cuda || *offered == AV_PIX_FMT_CUDA;
        if (desc && !(desc->flags & AV_PIX_FMT_FLAG_HWACCEL))
            software = *offered;
    }
    if (cuda && (software == AV_PIX_FMT_NONE || fits(software)))
        return take(hw, decoder) ? AV_PIX_FMT_CUDA : AV_PIX_FMT_NONE;
    const char *profile = avcodec_profile_name(decoder->codec_id, decoder->profile);
    const char *pixels = av_get_pix_fmt_name(software);
    (void)snprintf(hw->why, sizeof hw->why, "NVDEC does not decode %s%s%s %dx%d%s%s here",
                   avcodec_get_name(decoder->codec_id), profile ? " " : "", profile ? profile : "",
                   decoder->width, decoder->height, pixels ? " " : "", pixels ? pixels : "");
    hw->refused = true;
    return AV_PIX_FMT_NONE;
}

vrs_status vrs_hw_set_up(vrs_hw *hw, AVCodecContext *decoder)
{
    decoder->hw_device_ctx = vrs_inject("libav") ? av_buffer_ref(hw->device) : NULL;
    if (!decoder->hw_device_ctx)
        return vrs_fail(VRS_NO_MEMORY, "no memory for a reference to the GPU");
    decoder->thread_count = 1; /* the hardware decodes; a thread more is a surface more */
    decoder->extra_hw_frames = hw->place.surfaces;
    decoder->get_format = choose_format;
    decoder->hwaccel_context = hw; /* unused by NVDEC; `opaque` belongs to the log */
    return VRS_OK;
}

void vrs_hw_crop(AVFrame *frame)
{
    AVHWFramesContext *surfaces = (AVHWFramesContext *)(void *)frame->hw_frames_ctx->data;
    size_t left = frame->crop_left;
    size_t top = frame->crop_top;
    if ((left == 0 && top == 0) || left >= (size_t)frame->width || top >= (size_t)frame->height)
        return;
    size_t bytes = surfaces->sw_format == AV_PIX_FMT_NV12 ? 1 : 2;
    frame->data[0] += top * (size_t)frame->linesize[0] + left * bytes;
    frame->data[1] += top / 2 * (size_t)frame->linesize[1] + left / 2 * 2 * bytes;
    frame->width -= (int)left;
    frame->height -= (int)top;
    frame->crop_left = 0;
    frame->crop_top = 0;
}

vrs_status vrs_hw_download(const AVFrame *frame, AVFrame **out)
{
    AVFrame *host = vrs_inject("libav") ? av_frame_alloc() : NULL;
    *out = NULL;
    if (!host)
        return vrs_fail(VRS_NO_MEMORY, "no memory for a frame");
    host->format = vrs_av_stored_format(frame);
    host->width = frame->width;
    host->height = frame->height;
    /* Rows without a gap: libav copies as many bytes of a row as the shorter one has, and those of
     * a cropped frame must not reach beyond its surface. */
    int error = vrs_inject("libav") ? av_frame_get_buffer(host, 1) : AVERROR(ENOMEM);
    if (error >= 0)
        error = vrs_inject("libav") ? av_hwframe_transfer_data(host, frame, 0) : AVERROR(ENOMEM);
    if (error >= 0)
        error = vrs_inject("libav") ? av_frame_copy_props(host, frame) : AVERROR(ENOMEM);
    if (error < 0) {
        av_frame_free(&host);
        if (error == AVERROR(ENOMEM)) {
            return vrs_fail(VRS_NO_MEMORY, "no memory for a frame of %dx%d", frame->width,
                            frame->height);
        }
        return vrs_fail(VRS_DEVICE, "a frame could not be copied from the GPU: %s",
                        vrs_av_text(error));
    }
    *out = host;
    return VRS_OK;
}
