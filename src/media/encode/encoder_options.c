#include "media/encode/encoder_options.h"

#include <stdio.h>
#include <string.h>

#include <libavutil/mem.h>
#include <libavutil/opt.h>

#include "base/alloc.h"
#include "base/options.h"
#include "media/libav/av.h"

#define MAX_OPTION_NAMES 1024

/* x264's and x265's names, and the steps of NVENC's own scale (p1 the fastest, p7 the best) that
 * stand at about the same place. */
static const char *const presets[] = {"ultrafast", "superfast", "veryfast", "faster",   "fast",
                                      "medium",    "slow",      "slower",   "veryslow", "placebo"};
static const char *const nvenc_presets[] = {"p1", "p1", "p2", "p3", "p4",
                                            "p4", "p5", "p6", "p7", "p7"};

#define PRESETS (sizeof presets / sizeof presets[0])

const char *vrs_encoder_name(vrs_codec codec, vrs_encoder_place place)
{
    bool nvenc = place == VRS_ENCODER_NVENC;
    switch (codec) {
    case VRS_CODEC_H264:
        return nvenc ? "h264_nvenc" : "libx264";
    case VRS_CODEC_HEVC:
        return nvenc ? "hevc_nvenc" : "libx265";
    case VRS_CODEC_FFV1:
        return "ffv1";
    case VRS_CODEC_PRORES:
        return "prores_ks";
    case VRS_CODEC_VP9:
        return "libvpx-vp9";
    case VRS_CODEC_PNG:
        return "png";
    default:
        return "none";
    }
}

/* The name nearest to a wrong one among the options of the context and of its codec. */
static const char *nearest_option(AVCodecContext *context, const char *wrong)
{
    const char *names[MAX_OPTION_NAMES];
    size_t count = 0;
    void *objects[] = {context, context->priv_data};
    for (size_t i = 0; i < 2; i++) {
        const AVOption *option = NULL;
        while (objects[i] && (option = av_opt_next(objects[i], option))) {
            bool usable = option->type != AV_OPT_TYPE_CONST &&
                          (option->flags & AV_OPT_FLAG_ENCODING_PARAM) != 0;
            if (usable && count < MAX_OPTION_NAMES)
                names[count++] = option->name;
        }
    }
    return vrs_nearest_name(wrong, names, count);
}

static vrs_status set_option(AVCodecContext *context, const char *name, const char *value)
{
    const char *encoder = context->codec->name;
    int result = vrs_inject("libav") ? av_opt_set(context, name, value, AV_OPT_SEARCH_CHILDREN)
                                     : AVERROR(ENOMEM);
    if (result == AVERROR_OPTION_NOT_FOUND) {
        const char *nearest = nearest_option(context, name);
        return vrs_fail(VRS_INVALID, "encoder options: %s has no option \"%s\"%s%s%s", encoder,
                        name, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                        nearest ? "\"?" : "");
    }
    if (result == AVERROR(ENOMEM))
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for the option \"%s\"", encoder, name);
    if (result < 0) {
        return vrs_fail(VRS_INVALID, "encoder options: %s does not take \"%s\" for \"%s\" (%s)",
                        encoder, value, name, vrs_av_text(result));
    }
    return VRS_OK;
}

static vrs_status set_number(AVCodecContext *context, const char *name, double value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%g", value);
    return set_option(context, name, text);
}

static vrs_status set_preset(AVCodecContext *context, const char *preset,
                             const char *const values[PRESETS])
{
    const char *name = preset ? preset : "veryfast";
    for (size_t i = 0; i < PRESETS; i++)
        if (strcmp(presets[i], name) == 0)
            return set_option(context, "preset", values[i]);
    const char *nearest = vrs_nearest_name(name, presets, PRESETS);
    return vrs_fail(VRS_INVALID, "there is no preset \"%s\"%s%s%s (ultrafast to placebo)", name,
                    nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                    nearest ? "\"?" : "");
}

static vrs_status set_quality(AVCodecContext *context, const vrs_encoder_params *params,
                              double default_crf)
{
    if (params->bitrate > 0) {
        context->bit_rate = params->bitrate;
        return VRS_OK;
    }
    return set_number(context, "crf", params->crf < 0 ? default_crf : params->crf);
}

static vrs_status set_x264(AVCodecContext *context, const vrs_encoder_params *params)
{
    vrs_status status = set_preset(context, params->preset, presets);
    return status == VRS_OK ? set_quality(context, params, 20) : status;
}

/* x265 prints for itself and takes every processor that it finds, unless it is told otherwise. */
static vrs_status set_x265(AVCodecContext *context, const vrs_encoder_params *params)
{
    char text[64];
    (void)snprintf(text, sizeof text, "log-level=error:pools=%d", (int)params->threads);
    vrs_status status = set_option(context, "x265-params", text);
    if (status == VRS_OK)
        status = set_preset(context, params->preset, presets);
    return status == VRS_OK ? set_quality(context, params, 20) : status;
}

/* Constant quality is a mode of its own there, which a bit rate of libav's default would bound. */
static vrs_status set_nvenc(AVCodecContext *context, const vrs_encoder_params *params)
{
    vrs_status status = set_preset(context, params->preset, nvenc_presets);
    if (status == VRS_OK)
        status = set_option(context, "rc", "vbr");
    if (status != VRS_OK || params->bitrate > 0) {
        context->bit_rate = params->bitrate;
        return status;
    }
    context->bit_rate = 0;
    return set_number(context, "cq", params->crf < 0 ? 20 : params->crf);
}

/* libvpx drops alpha's frames out of step with its alternative references: they are switched off.
 * "good" at speed 5 is about as fast as x264's "medium". */
static vrs_status set_vp9(AVCodecContext *context, const vrs_encoder_params *params)
{
    static const struct {
        const char *name, *value;
    } settings[] = {
        {"auto-alt-ref", "0"}, {"deadline", "good"}, {"cpu-used", "5"}, {"row-mt", "1"}};
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && status == VRS_OK; i++)
        status = set_option(context, settings[i].name, settings[i].value);
    return status == VRS_OK ? set_quality(context, params, 20) : status;
}

static vrs_status set_prores(AVCodecContext *context)
{
    vrs_status status = set_option(context, "profile", "4444");
    return status == VRS_OK ? set_option(context, "alpha_bits", "16") : status;
}

/* Version 3 with a checksum in each slice; each frame a key frame, so that a cut costs nothing. */
static vrs_status set_ffv1(AVCodecContext *context)
{
    context->level = 3;
    context->gop_size = 1;
    if (context->width < 4)
        context->slices = 1; /* libav's own choice finds no division of a single column */
    return set_option(context, "slicecrc", "1");
}

static vrs_status set_defaults(AVCodecContext *context, const vrs_encoder_params *params)
{
    if (params->place == VRS_ENCODER_NVENC)
        return set_nvenc(context, params);
    switch (params->codec) {
    case VRS_CODEC_H264:
        return set_x264(context, params);
    case VRS_CODEC_HEVC:
        return set_x265(context, params);
    case VRS_CODEC_VP9:
        return set_vp9(context, params);
    case VRS_CODEC_PRORES:
        return set_prores(context);
    case VRS_CODEC_FFV1:
        return set_ffv1(context);
    case VRS_CODEC_PNG:
        context->compression_level = 1;
        return VRS_OK;
    default:
        return vrs_fail(VRS_INVALID, "codec %d has no encoder", (int)params->codec);
    }
}

/* Sets "key=value:key=value"; a colon inside a value is written "\:". */
static vrs_status set_user_options(AVCodecContext *context, const char *options)
{
    const char *rest = options;
    vrs_status status = VRS_OK;
    while (rest && *rest != '\0' && status == VRS_OK) {
        char *key = NULL;
        char *value = NULL;
        int result = vrs_inject("libav") ? av_opt_get_key_value(&rest, "=", ":", 0, &key, &value)
                                         : AVERROR(ENOMEM);
        if (result == AVERROR(ENOMEM))
            return vrs_fail(VRS_NO_MEMORY, "no memory for the encoder options");
        if (result < 0) {
            return vrs_fail(VRS_INVALID,
                            "encoder options: \"%s\" is not of the form key=value:key=value", rest);
        }
        status = set_option(context, key, value);
        av_free(key);
        av_free(value);
        rest += *rest == ':' ? 1 : 0;
    }
    return status;
}

vrs_status vrs_encoder_set_options(AVCodecContext *context, const vrs_encoder_params *params)
{
    vrs_status status = set_defaults(context, params);
    return status == VRS_OK ? set_user_options(context, params->options) : status;
}
