/* Files of the containers that video goes into. */
#ifndef VRS_MEDIA_CONTAINER_H
#define VRS_MEDIA_CONTAINER_H

#include <libavformat/avformat.h>

#include "media/file/out_file.h"

/* The muxer of a path by its extension, "mp4", "mov", "matroska" or "webm"; NULL: none of these. */
const char *vrs_container_name(const char *path);

/* The muxer and file extension of a segment of this codec. MP4 and MOV keep times in ticks of the
 * source and decoding times too; what they cannot hold (FFV1, VP9's alpha) goes into Matroska,
 * whose milliseconds the finished file has anyhow. Times are counted from the segment's first frame
 * in the first two and are absolute in Matroska, so that rounding happens once. */
typedef struct vrs_segment_kind {
    const char *muxer, *extension;
    bool from_zero;
} vrs_segment_kind;

vrs_segment_kind vrs_segment_kind_of(enum AVCodecID codec);

/* A container being written. */
typedef struct vrs_container {
    AVFormatContext *format;
    AVStream *video;
    vrs_out_file file;
} vrs_container;

/* Makes the container with its video stream, of an encoder's parameters; more streams may be added
 * before vrs_container_begin(). VRS_NO_MEMORY, VRS_UNSUPPORTED. */
vrs_status vrs_container_make(vrs_container *container, const char *muxer,
                              const AVCodecParameters *params, AVRational time_base,
                              AVRational rate) VRS_MUST_USE;

/* Creates the file and writes the header. Cheap to call with `path` NULL: the header goes nowhere,
 * which shows whether the muxer takes the streams. VRS_INVALID or VRS_UNSUPPORTED: it does not. */
vrs_status vrs_container_begin(vrs_container *container, const char *path) VRS_MUST_USE;

/* Writes a packet of a stream; its times are in `time_base`. Takes the packet's contents.
 * `interleaved`: among several streams. */
vrs_status vrs_container_write(vrs_container *container, AVPacket *packet, AVStream *stream,
                               AVRational time_base, bool interleaved) VRS_MUST_USE;

/* Ends and syncs the file. On failure it is removed. */
vrs_status vrs_container_end(vrs_container *container, int64_t *bytes, uint32_t *crc) VRS_MUST_USE;

/* Frees; removes an unfinished file. Does nothing for a zeroed one. */
void vrs_container_discard(vrs_container *container);

#endif
