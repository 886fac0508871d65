/* Encoders: images in, packets out. One thread uses an encoder. */
#ifndef VRS_MEDIA_ENCODER_H
#define VRS_MEDIA_ENCODER_H

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/avcodec.h>

#include "media/encode/codec.h"
#include "vrseg/image.h"
#include "vrseg/pipeline.h"
#include "vrseg/status.h"

typedef struct vrs_encoder vrs_encoder;

/* Most frames that an encoder may hold back. x264 looks at most 250 frames ahead (rc-lookahead),
 * and holds one more for each of at most 128 threads and 16 B-frames; the others hold fewer. */
#define VRS_ENCODER_MAX_DELAY 512

/* Colour tags as they go into the stream, by libav's numbers. */
typedef struct vrs_color_tags {
    enum AVColorRange range;
    enum AVColorSpace matrix;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorPrimaries primaries;
    enum AVChromaLocation site;
} vrs_color_tags;

typedef struct vrs_encoder_params {
    vrs_codec codec; /* H264, HEVC, FFV1, PRORES, VP9 or PNG */
    vrs_encoder_place place;
    vrs_output_kind kind;
    vrs_pixel_format format; /* of the images to come */
    int32_t width, height;
    AVRational rate;   /* frames a second, for rate control; above 0 */
    AVRational aspect; /* of a pixel; 0/1: unknown */
    vrs_color_tags tags;
    const char *preset; /* NULL: the codec's default here */
    double crf;         /* < 0: the codec's default here */
    int64_t bitrate;
    const char *options;
    int32_t threads; /* above 0 */
    const uint8_t (*palette)[3];
} vrs_encoder_params;

/* The encoder's pixel format for images of `format`, or AV_PIX_FMT_NONE: this codec and kind do not
 * take them. `place` is CPU or NVENC. */
enum AVPixelFormat vrs_encoder_pixel_format(vrs_codec codec, vrs_encoder_place place,
                                            vrs_output_kind kind, vrs_pixel_format format);

/* Makes params->place CPU or NVENC, by opening NVENC where it is wanted: whether a GPU has it shows
 * only then (H100 and H200 have none). Where AUTO becomes the CPU, `why` says it in one sentence;
 * else it is "". VRS_UNSUPPORTED: NVENC is asked for and is not there; VRS_INVALID: it does not
 * encode this codec, or an option; VRS_NO_MEMORY. */
vrs_status vrs_encoder_settle(vrs_encoder_params *params, char *why, size_t size) VRS_MUST_USE;

/* Opens an encoder in a place that is settled. Borrows; `palette` and `options` must live until
 * destroy. H.264 and HEVC have no odd sizes in 4:2:0: such a picture gets its last column or row
 * once more (vrs_encoder_context() has the coded size). VRS_INVALID: an option, preset or size that
 * the codec does not take (names it); VRS_UNSUPPORTED: this libav lacks the encoder; VRS_NO_MEMORY.
 * Returns owned. */
vrs_status vrs_encoder_open(const vrs_encoder_params *params, vrs_encoder **encoder) VRS_MUST_USE;
void vrs_encoder_destroy(vrs_encoder *encoder);

/* The libav context (time base 1 / rate, coded size, headers); borrows. */
const AVCodecContext *vrs_encoder_context(const vrs_encoder *encoder);

/* Gives the encoder an image under a running number, its time stamp inside the encoder. Takes the
 * image always; it is released when the encoder has read it, at the latest by destroy. Afterwards
 * receive until there is nothing more. VRS_INVALID, VRS_NO_MEMORY, VRS_IO. */
vrs_status vrs_encoder_send(vrs_encoder *encoder, vrs_image *image, int64_t number) VRS_MUST_USE;

/* Nothing more will be sent. */
vrs_status vrs_encoder_flush(vrs_encoder *encoder) VRS_MUST_USE;

/* Takes the next packet, its pts and dts counted in frames. VRS_TIMEOUT: it wants more images
 * first. VRS_END: all are out after the flush. VRS_IO, VRS_NO_MEMORY. */
vrs_status vrs_encoder_receive(vrs_encoder *encoder, AVPacket *packet) VRS_MUST_USE;

#endif
