/* Frames in formats that vrseg does not compute with, made into ones it does, by libswscale. */
#ifndef VRS_MEDIA_SOURCE_CONVERT_H
#define VRS_MEDIA_SOURCE_CONVERT_H

#include <libavutil/buffer.h>
#include <libavutil/frame.h>

#include "vrseg/image.h"
#include "vrseg/status.h"

struct SwsContext;

/* What a conversion depends on. */
typedef struct vrs_convert_side {
    enum AVPixelFormat format;
    int32_t width, height;
    vrs_color color;
} vrs_convert_side;

/* Zeroed: nothing set up yet. */
typedef struct vrs_converter {
    struct SwsContext *context;
    vrs_convert_side from, to; /* of `context` */
    AVBufferPool *pool;        /* of frames of `to` */
    size_t pool_bytes;
} vrs_converter;

/* The format in which frames of `format` are delivered: itself if vrseg reads it, else the nearest:
 * RGB24 or (with alpha) BGRA for R, G, B and palettes; YUV420P of up to 8 bits and YUV420P10 of
 * more for the rest. */
enum AVPixelFormat vrs_convert_target(enum AVPixelFormat format);

/* The colour of a frame after its conversion to vrs_convert_target(): matrix, range and transfer
 * stay; chroma of 4:2:2 and 4:4:4 goes to where its own tag says, else to the left. */
vrs_color vrs_convert_color(const AVFrame *frame);

/* Converts size, format, matrix and range. Takes nothing; `out` becomes a new frame with the times
 * of `in`. VRS_NO_MEMORY; VRS_UNSUPPORTED: libswscale does not read the format. */
vrs_status vrs_convert(vrs_converter *converter, const AVFrame *in, const vrs_convert_side *to,
                       AVFrame **out) VRS_MUST_USE;

/* Frames that came out of it may live on. */
void vrs_converter_free(vrs_converter *converter);

#endif
