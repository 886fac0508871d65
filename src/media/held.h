/* How much memory decoders and encoders keep frames in beside those of the pipeline, by their
 * settings: for the budget of a run, before its first frame. Bytes at most, in round figures: what
 * they hold of a frame beside its samples (motion, half-sized pictures for looking ahead) was
 * measured and is counted as bytes a pixel. */
#ifndef VRS_MEDIA_HELD_H
#define VRS_MEDIA_HELD_H

#include <stdint.h>

#include <libavcodec/avcodec.h>

#include "media/sink.h"

/* Of an open decoder of the CPU, for pictures of so many pixels of `format`: those that others may
 * refer to, by the codec's level, and one a frame thread. 0 where hardware decodes. */
uint64_t vrs_held_by_decoder(const AVCodecContext *decoder, int32_t width, int32_t height,
                             enum AVPixelFormat format);

/* Of the encoder that a sink of these settings opens, codec and threads chosen: those that it looks
 * at ahead, by its preset, those that it refers to, and one a thread. Options of the user's that
 * change these are not known here. 0: none. */
uint64_t vrs_held_by_encoder(const vrs_sink_params *params);

#endif
