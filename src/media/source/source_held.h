/* How much memory a decoder keeps frames in beside those of the pipeline: for the budget of a run,
 * before its first frame. Bytes at most, in round figures: what it holds of a frame beside its
 * samples (motion) was measured and is counted as bytes a pixel. */
#ifndef VRS_MEDIA_SOURCE_HELD_H
#define VRS_MEDIA_SOURCE_HELD_H

#include <stdint.h>

#include <libavcodec/avcodec.h>

/* Of an open decoder of the CPU, for pictures of so many pixels of `format`: those that others may
 * refer to, by the codec's level, and one a frame thread. 0 where hardware decodes. */
uint64_t vrs_held_by_decoder(const AVCodecContext *decoder, int32_t width, int32_t height,
                             enum AVPixelFormat format);

#endif
