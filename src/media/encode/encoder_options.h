/* What encoders are told: quality, speed, and the user's own options. */
#ifndef VRS_MEDIA_ENCODER_OPTIONS_H
#define VRS_MEDIA_ENCODER_OPTIONS_H

#include "media/encode/encoder.h"

/* Name of libav's encoder, "libx264". `place` is CPU or NVENC. */
const char *vrs_encoder_name(vrs_codec codec, vrs_encoder_place place);

/* Sets preset, quality and the codec's own defaults, then the user's options, which win.
 * VRS_INVALID names the option and the nearest right one. */
vrs_status vrs_encoder_set_options(AVCodecContext *context,
                                   const vrs_encoder_params *params) VRS_MUST_USE;

#endif
