/* How much memory an encoder keeps frames in, by its settings: for the budget of a run, before its
 * first frame. Bytes at most, in round figures: what it holds of a frame beside its samples
 * (motion, half-sized pictures for looking ahead) was measured and is counted as bytes a pixel. */
#ifndef VRS_MEDIA_SINK_HELD_H
#define VRS_MEDIA_SINK_HELD_H

#include <stdint.h>

#include "media/sink/sink.h"

/* Of the encoder that a sink of these settings opens, codec and threads chosen: those that it looks
 * at ahead, by its preset, those that it refers to, and one a thread. Options of the user's that
 * change these are not known here. 0: none. */
uint64_t vrs_held_by_encoder(const vrs_sink_params *params);

#endif
