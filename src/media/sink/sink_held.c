#include "media/sink/sink_held.h"

#include <string.h>

#include "image/format.h"
#include "vrseg/system.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
