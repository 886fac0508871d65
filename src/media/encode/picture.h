/* Single pictures as PNG. */
#ifndef VRS_MEDIA_PICTURE_H
#define VRS_MEDIA_PICTURE_H

#include <libavcodec/packet.h>

#include "media/encode/encoder.h"
#include "vrseg/image.h"
#include "vrseg/status.h"

/* Writes one picture as PNG in place of `path` at once. GRAY8, RGB24; BGRA without its alpha, YUV
 * formats converted to RGB, YUVA ones with alpha. Borrows. Any thread. VRS_NO_SPACE, VRS_IO,
 * VRS_PERMISSION, VRS_NOT_FOUND, VRS_INVALID, VRS_NO_MEMORY. */
vrs_status vrs_picture_write(const char *path, const vrs_image *image) VRS_MUST_USE;

/* Encodes one picture with an open PNG encoder into `packet`. Takes the image always. */
vrs_status vrs_picture_encode(vrs_encoder *encoder, vrs_image *image, int64_t number,
                              AVPacket *packet) VRS_MUST_USE;

#endif
