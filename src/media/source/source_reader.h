/* A container's video stream as decoded frames: what videos, pictures, pipes and cameras share. */
#ifndef VRS_MEDIA_SOURCE_READER_H
#define VRS_MEDIA_SOURCE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "media/libav/av.h"
#include "media/source/source.h"
#include "media/source/source_hw.h"
#include "media/source/source_io.h"

typedef struct vrs_reader {
    const char *name; /* for sentences */
    vrs_source_io io;
    AVFormatContext *container;
    AVStream *stream;
    AVCodecContext *decoder;
    AVPacket *packet;
    int32_t threads;     /* that were asked for; 0: by the machine */
    vrs_hw hw;           /* the GPU's part */
    AVPacket *last;      /* what the GPU's decoder was given last, for the CPU's if it refuses */
    bool replacing;      /* the GPU's decoder gives its last frames */
    bool still;          /* a picture's demuxer */
    bool low_score;      /* the container's format was only guessed */
    bool draining;       /* the decoder has had its last packet */
    bool ended;          /* no more frames */
    bool sought;         /* not all packets pass by */
    bool sees_all;       /* packets of all streams pass by, for finding a cut-off end */
    uint64_t errors;     /* in a row */
    bool reading_fails;  /* the last read failed */
    int64_t starved_ns;  /* that a camera was waited for; what has `io` counts it there */
    int64_t packets;     /* of the stream */
    int64_t read_errors; /* that were counted: one for each run of them */
    int64_t place;       /* after the last packet, bytes */
    double last_end;     /* latest end of a packet, seconds */
    bool corrupt_packet; /* one marked by the demuxer waits for its frame */
    int64_t corrupt_pts;
    vrs_av_watch watch; /* of decoder and container */
    uint64_t watched;   /* errors of it that were looked at */
    uint64_t suspected; /* counted by the log alone; what the decoder says later is the same */
    uint64_t suspected_frame; /* the last such one */
    uint64_t damaged;
    uint64_t frames;
    char damage[VRS_DETAIL_SIZE];
} vrs_reader;

/* Opens the input and its decoder; nothing is decoded yet. Borrows `params`, but its path must
 * live as long as the reader. `place` (borrowed; NULL: nowhere) is where the hardware decodes: then
 * frames are AV_PIX_FMT_CUDA, of NV12 or P010, as long as it can, and the CPU's from there on.
 * Errors as vrs_source_open(). Returns owned. */
vrs_status vrs_reader_open(const vrs_source_params *params, const vrs_hw_place *place,
                           vrs_reader **reader) VRS_MUST_USE;

/* Why the GPU does not decode, though a place was given; "" while it does. Known for sure from the
 * first frame on. */
const char *vrs_reader_refusal(const vrs_reader *reader);

/* The demuxer's half of it, in source_demux.c: container, stream and what is known of them; nothing
 * can be decoded. Returns owned. */
vrs_status vrs_reader_open_container(const vrs_source_params *params,
                                     vrs_reader **reader) VRS_MUST_USE;

/* Decodes the next frame into an empty `frame`. Damage is counted in the reader. VRS_END, VRS_IO,
 * VRS_NO_MEMORY, VRS_CANCELLED, VRS_DEVICE: the GPU is lost; VRS_UNSUPPORTED: the GPU's decoder
 * cannot go on and there is none for the CPU. */
vrs_status vrs_reader_next(vrs_reader *reader, AVFrame *frame) VRS_MUST_USE;

/* Goes to a key frame at or before a time of the stream, as far as its index tells; frames before
 * that time may come next, or after it. VRS_UNSUPPORTED: the input cannot seek. */
vrs_status vrs_reader_seek(vrs_reader *reader, int64_t pts) VRS_MUST_USE;

void vrs_reader_close(vrs_reader *reader);

#endif
