#include "media/source/source_held.h"

#include <stdbool.h>

#include <libavutil/imgutils.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Most pictures that any stream of H.264 or H.265 keeps. */
#define MOST_PICTURES 16
/* Reference pictures of VP8, VP9 and AV1; of what is left two, and what is on its way. */
#define VPX_PICTURES 8
#define OTHER_PICTURES 3
/* Motion vectors and modes of a decoded picture, bytes a pixel. */
#define DECODER_NOTES 1

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
