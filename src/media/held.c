#include "media/held.h"

#include <string.h>

#include <libavutil/imgutils.h>

#include "image/format.h"
#include "vrseg/system.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Most pictures that any stream of H.264 or H.265 keeps. */
#define MOST_PICTURES 16
/* Reference pictures of VP8, VP9 and AV1; of what is left two, and what is on its way. */
#define VPX_PICTURES 8
#define OTHER_PICTURES 3
/* Motion vectors and modes of a decoded picture, bytes a pixel. */
#define DECODER_NOTES 1

/* ---- decoders ------------------------------------------------------------------------------- */

/* The smallest limit of a table of levels that holds a level; 0: the level is not in it. */
typedef struct level_limit {
    int level;
    int64_t limit;
} level_limit;

static int64_t limit_of(const level_limit *limits, size_t count, int level)
{
    for (size_t i = 0; i < count; i++)
        if (level <= limits[i].level)
            return level > 0 ? limits[i].limit : 0;
    return 0;
}

/* ITU-T H.264, table A-1: MaxDpbMbs, and A.3.1 for the pictures. */
static int32_t h264_pictures(int level, int64_t width, int64_t height)
{
    static const level_limit limits[] = {
        {10, 396},   {11, 900},   {13, 2376},  {20, 2376},   {21, 4752},   {30, 8100},  {31, 18000},
        {32, 20480}, {41, 32768}, {42, 34816}, {50, 110400}, {52, 184320}, {62, 696320}};
    int64_t blocks = (width + 15) / 16 * ((height + 15) / 16);
    int64_t pictures = limit_of(limits, COUNT(limits), level) / (blocks > 0 ? blocks : 1);
    return pictures > 0 && pictures < MOST_PICTURES ? (int32_t)pictures : MOST_PICTURES;
}

/* ITU-T H.265, table A.8: MaxLumaPs, and A.4.2 for the pictures; the level is 30 times its number.
 */
static int32_t hevc_pictures(int level, int64_t width, int64_t height)
{
    static const level_limit limits[] = {{30, 36864},    {60, 122880},   {63, 245760},
                                         {90, 552960},   {93, 983040},   {123, 2228224},
                                         {156, 8912896}, {186, 35651584}};
    const int64_t most = limit_of(limits, COUNT(limits), level), pixels = width * height;
    if (most == 0 || pixels <= most / 4)
        return MOST_PICTURES;
    return pixels <= most / 2 ? 12 : pixels <= most / 4 * 3 ? 8 : 6;
}

static int32_t pictures_of(const AVCodecContext *decoder, int32_t width, int32_t height)
{
    switch (decoder->codec_id) {
    case AV_CODEC_ID_H264:
        return h264_pictures(decoder->level, width, height);
    case AV_CODEC_ID_HEVC:
        return hevc_pictures(decoder->level, width, height);
    case AV_CODEC_ID_VP8:
    case AV_CODEC_ID_VP9:
    case AV_CODEC_ID_AV1:
        return VPX_PICTURES;
    default:
        return OTHER_PICTURES;
    }
}

uint64_t vrs_held_by_decoder(const AVCodecContext *decoder, int32_t width, int32_t height,
                             enum AVPixelFormat format)
{
    int bytes = av_image_get_buffer_size(format, width, height, 1);
    if (bytes < 0 || decoder->hw_frames_ctx != NULL || decoder->hw_device_ctx != NULL)
        return 0;
    bool frames = (decoder->active_thread_type & FF_THREAD_FRAME) != 0;
    int32_t pictures = pictures_of(decoder, width, height) + 1 /* that is given out */;
    pictures += frames ? decoder->thread_count : 0;
    int64_t each = bytes + (int64_t)width * height * DECODER_NOTES;
    return (uint64_t)each * (uint64_t)pictures;
}

/* ---- encoders ------------------------------------------------------------------------------- */

/* By the presets' order of encoder_options.c: frames looked at ahead, B-frames, references. */
typedef struct ahead {
    const char *preset;
    int32_t x264_ahead, x264_b, x264_refs;
    int32_t x265_ahead, x265_b, x265_refs;
} ahead;

static const ahead presets[] = {
    {"ultrafast", 0, 0, 1, 5, 3, 1},   {"superfast", 0, 3, 1, 10, 3, 1},
    {"veryfast", 10, 3, 1, 15, 4, 2},  {"faster", 20, 3, 2, 15, 4, 2},
    {"fast", 30, 3, 2, 15, 4, 3},      {"medium", 40, 3, 3, 20, 4, 3},
    {"slow", 50, 3, 5, 25, 4, 4},      {"slower", 60, 3, 8, 40, 8, 5},
    {"veryslow", 60, 8, 16, 40, 8, 5}, {"placebo", 60, 16, 16, 60, 8, 5},
};

static const ahead *preset_of(const char *name)
{
    const ahead *found = &presets[2]; /* as encoder_options.c */
    for (size_t i = 0; i < COUNT(presets); i++)
        if (name != NULL && strcmp(presets[i].preset, name) == 0)
            found = &presets[i];
    return found;
}

/* Bytes a pixel of what waits and of what is referred to; `sample`: bytes of one. x264 keeps four
 * pictures of half the sides of each, and three more of full size of a reference. */
static double x264_bytes(const ahead *p, int32_t threads, double sample)
{
    double waiting = p->x264_ahead + p->x264_b + threads + 4;
    double kept = p->x264_refs + threads + 2;
    return waiting * (2.5 * sample + 1) + kept * (4.5 * sample + 1);
}

static double x265_bytes(const ahead *p, int32_t threads, double sample)
{
    double waiting = p->x265_ahead + p->x265_b + threads + 5;
    double kept = p->x265_refs + threads + 2;
    return waiting * (2.5 * sample + 3) + kept * (1.5 * sample + 5);
}

/* libvpx looks 25 frames ahead and has three references and two more; alpha is a video of its own.
 */
static double vp9_bytes(bool alpha)
{
    return (25 + 5) * 2.5 * (alpha ? 2 : 1);
}

uint64_t vrs_held_by_encoder(const vrs_sink_params *params)
{
    const vrs_format_info *info = vrs_format_get(params->format);
    const ahead *p = preset_of(params->preset);
    const double sample = info != NULL && info->depth > 8 ? 2 : 1;
    const int32_t threads = params->threads > 0 ? params->threads : vrs_cpu_count();
    const bool alpha =
        params->format == VRS_FORMAT_YUVA420P || params->format == VRS_FORMAT_YUVA420P10;
    double bytes = 0; /* a pixel */
    switch (params->codec) {
    case VRS_CODEC_H264:
        bytes = x264_bytes(p, threads, sample);
        break;
    case VRS_CODEC_HEVC:
        bytes = x265_bytes(p, threads, sample);
        break;
    case VRS_CODEC_VP9:
        bytes = vp9_bytes(alpha);
        break;
    case VRS_CODEC_FFV1: /* room for the largest packet, and what each slice has learnt */
        bytes = 140;
        break;
    case VRS_CODEC_PRORES: /* 4:4:4 and alpha, 16 bits each, and its largest packet */
        bytes = (threads + 2) * 16;
        break;
    case VRS_CODEC_PNG:
        bytes = 16;
        break;
    default:
        return 0;
    }
    if (params->encoder == VRS_ENCODER_NVENC)
        bytes = 4 * 1.5 * sample; /* what is copied to and from it */
    return (uint64_t)(bytes * (double)params->width * (double)params->height);
}
