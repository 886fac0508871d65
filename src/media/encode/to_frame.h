/* Images as the encoders want them: wrapped without a copy where the format allows it, else padded,
 * coloured or converted into a new frame. */
#ifndef VRS_MEDIA_TO_FRAME_H
#define VRS_MEDIA_TO_FRAME_H

#include <stdint.h>

#include <libavutil/frame.h>
#include <libswscale/swscale.h>

#include "vrseg/image.h"

typedef enum vrs_to_frame_way {
    VRS_TO_FRAME_WRAP,    /* the same bytes */
    VRS_TO_FRAME_CHROMA,  /* GRAY8 with grey chroma planes shared by all frames */
    VRS_TO_FRAME_PALETTE, /* GRAY8 indices under a palette */
    VRS_TO_FRAME_COLOURS, /* GRAY8 indices to the palette's colours in YUV420P */
    VRS_TO_FRAME_PAD,     /* last column and row once more; grey chroma for GRAY8 */
    VRS_TO_FRAME_CONVERT, /* by libswscale */
} vrs_to_frame_way;

typedef struct vrs_to_frame {
    vrs_to_frame_way way;
    vrs_pixel_format from;
    int32_t width, height; /* of the images */
    enum AVPixelFormat to;
    int32_t coded_width, coded_height;
    AVBufferRef *chroma; /* CHROMA: one plane of 128, its stride chroma_stride */
    int32_t chroma_stride;
    AVBufferRef *palette; /* PALETTE: 256 native-endian ARGB words */
    uint8_t ycc[256][3];  /* COLOURS */
    struct SwsContext *scaler;
} vrs_to_frame;

/* Prepares. `color` is what the pixels mean (of the result for COLOURS). Borrows `palette`, 256 R,
 * G, B; NULL: black to white. VRS_NO_MEMORY, VRS_UNSUPPORTED. */
vrs_status vrs_to_frame_init(vrs_to_frame *maker, vrs_color color,
                             const uint8_t (*palette)[3]) VRS_MUST_USE;

/* Makes the frame (an empty one of the caller's) of an image of the prepared format and size. Takes
 * the image always: it is released at once when it was copied, else when libav drops its last
 * reference. VRS_NO_MEMORY. */
vrs_status vrs_to_frame_make(vrs_to_frame *maker, vrs_image *image, AVFrame *frame) VRS_MUST_USE;

void vrs_to_frame_clear(vrs_to_frame *maker);

#endif
