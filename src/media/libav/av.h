/* What sources and sinks share: libav's log, errors, frames and colours in vrseg's words. */
#ifndef VRS_MEDIA_AV_H
#define VRS_MEDIA_AV_H

#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libavutil/pixfmt.h>

#include "vrseg/image.h"
#include "vrseg/status.h"

/* Sends libav's warnings and errors to vrs_log() as debug lines, once for the process; nothing of
 * libav is printed after it. Every source and sink calls it first. Any thread. */
void vrs_av_init(void);

/* Counts the errors that a codec or a container reports through the log alone: decoders conceal
 * damage and say so nowhere else. Between start and stop (which is fine without a start), a pointer
 * to the watch in AVCodecContext.opaque or AVFormatContext.opaque makes that one's errors count.
 * Any thread. */
typedef struct vrs_av_watch {
    uint64_t errors;
    struct vrs_av_watch *next;
} vrs_av_watch;

void vrs_av_watch_start(vrs_av_watch *watch);
uint64_t vrs_av_watch_errors(const vrs_av_watch *watch);
void vrs_av_watch_stop(vrs_av_watch *watch);

/* The status that a negative libav result stands for: ENOENT VRS_NOT_FOUND, EACCES and EPERM
 * VRS_PERMISSION, ENOSPC VRS_NO_SPACE, ENOMEM VRS_NO_MEMORY, AVERROR_EOF VRS_END, AVERROR_EXIT
 * VRS_CANCELLED, AVERROR_INVALIDDATA VRS_CORRUPT, what libav lacks VRS_UNSUPPORTED, EINVAL
 * VRS_INVALID, else VRS_IO. */
vrs_status vrs_av_status(int error);

/* libav's text of a result, in a buffer of this thread that the next call overwrites. */
const char *vrs_av_text(int error);

/* Fails with vrs_av_status(error) and the formatted sentence, ": " and libav's text. */
vrs_status vrs_av_fail(int error, const char *format, ...) VRS_PRINTF(2, 3);

/* The format that has the same bytes (the range is a tag, so yuvj420p is YUV420P), or
 * VRS_FORMAT_NONE. */
vrs_pixel_format vrs_av_to_format(enum AVPixelFormat format);

/* The other way; AV_PIX_FMT_NONE for VRS_FORMAT_NONE. */
enum AVPixelFormat vrs_av_from_format(vrs_pixel_format format);

/* Colour tags as vrseg has them. Matrices that differ from another one only in name (BT.470BG) are
 * that one; SMPTE 240M is taken as BT.709, FCC as BT.601 and BT.2020 with constant luminance as
 * BT.2020; other ones are VRS_MATRIX_UNKNOWN. Who wants the exact numbers takes them from the
 * stream's parameters. `format` decides what no tag can change: RGB has matrix RGB and full range,
 * yuvj* full range; gray without a tag is full range, as libswscale takes it. */
vrs_color vrs_av_to_color(enum AVPixelFormat format, enum AVColorSpace matrix,
                          enum AVColorRange range, enum AVColorTransferCharacteristic transfer,
                          enum AVColorPrimaries primaries, enum AVChromaLocation site);

/* The format of a frame's pixels: of a hardware frame that of its surface. */
enum AVPixelFormat vrs_av_stored_format(const AVFrame *frame);

/* vrs_av_to_color() of a frame's own tags. */
vrs_color vrs_av_frame_color(const AVFrame *frame);

/* libav's numbers for a colour, one at a time. */
enum AVColorSpace vrs_av_from_matrix(vrs_matrix matrix);
enum AVColorRange vrs_av_from_range(vrs_range range);
enum AVColorTransferCharacteristic vrs_av_from_transfer(vrs_transfer transfer);
enum AVColorPrimaries vrs_av_from_primaries(int32_t primaries);
enum AVChromaLocation vrs_av_from_site(vrs_chroma_site site);

/* Makes an image of a frame without a copy: its planes point into the frame, its release frees the
 * frame (any thread). Takes `frame`, whose format vrs_av_to_format() must know. Colour is the
 * frame's. */
void vrs_av_image_of_frame(AVFrame *frame, vrs_image *image);

/* Makes a frame of an image without a copy: the image is released when libav drops its last
 * reference to the frame (any thread). Takes `image`, also on failure (then it is released). Sets
 * format, size and colour tags, not times. `frame` is an empty frame of the caller's.
 * VRS_NO_MEMORY, VRS_INVALID: a format that libav has not. */
vrs_status vrs_av_frame_of_image(AVFrame *frame, vrs_image *image) VRS_MUST_USE;

/* Index of the video stream that a source reads: the one of most pixels, the first of equal ones;
 * attached pictures, thumbnails and streams without a decoder are left out if there is another.
 * -1: there is no video. */
int vrs_av_best_video(const AVFormatContext *container);

/* Writes what there is: "video h264, audio aac, data (unknown)"; "no streams" if nothing. */
void vrs_av_list_streams(const AVFormatContext *container, char *text, size_t size);

#endif
