/* Sources: where frames come from. One thread reads a source. */
#ifndef VRS_MEDIA_SOURCE_H
#define VRS_MEDIA_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/image.h"
#include "vrseg/status.h"

typedef struct vrs_source vrs_source;

typedef struct vrs_stream_info {
    vrs_pixel_format format; /* of every frame that is read: YUV420P, NV12, P010 or YUV420P10, RGB24
                              * or BGRA for pictures */
    int32_t width, height;   /* as stored; see rotation */
    vrs_color color;
    int32_t time_base_num, time_base_den; /* of pts and duration */
    int32_t rate_num, rate_den;           /* average frame rate; 0/1: unknown */
    int32_t aspect_num, aspect_den;       /* of a pixel; 0/1: unknown */
    int32_t rotation;                     /* clockwise degrees to show it upright: 0, 90, 180, 270 */
    int64_t frame_estimate;               /* -1: unknown */
    bool still;                           /* pictures: no times of their own */
    char description[128];                /* "h264 1280x720 yuv420p 25 fps" */
} vrs_stream_info;

typedef struct vrs_source_params {
    const char *path;       /* file, folder, device, "-" */
    const char *raw_format; /* of a raw pipe: "WxH:yuv420p:30"; NULL: Y4M or a container */
    int32_t threads;        /* of the decoder; 0: by the machine */
    int64_t max_frames;     /* stop after so many; 0: all */
} vrs_source_params;

/* A source's own table; `file`, `pictures`, `pipe`, `camera` and the tests' sources fill it. */
typedef struct vrs_source_ops {
    vrs_status (*read)(vrs_source *source, vrs_frame *frame);
    void (*destroy)(vrs_source *source);
} vrs_source_ops;

struct vrs_source {
    const vrs_source_ops *ops;
    vrs_stream_info info;
    uint64_t frames;          /* read so far */
    uint64_t damaged;         /* frames or packets that could not be decoded */
    char damage[VRS_DETAIL_SIZE]; /* the first such complaint */
    char frame_name[256];     /* pictures: base name of the last frame's file without extension */
};

/* Opens by what `path` is. VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO; VRS_INVALID: an empty file, a
 * folder without pictures; VRS_FORMAT: nothing that libav reads; VRS_UNSUPPORTED: no video stream
 * in it (says what there is), no decoder; VRS_CORRUPT: not one frame can be decoded.
 * Returns owned. */
vrs_status vrs_source_open(const vrs_source_params *params, vrs_source **source) VRS_MUST_USE;

/* Reads the next frame (image with release, pts, duration, id = running number). The caller owns
 * the image. Every frame has the format and size of info: what differs in mid-stream is converted,
 * with a warning. VRS_END after the last. A damaged packet is counted and passed over. VRS_IO. */
vrs_status vrs_source_read(vrs_source *source, vrs_frame *frame) VRS_MUST_USE;
void vrs_source_close(vrs_source *source);

#endif
