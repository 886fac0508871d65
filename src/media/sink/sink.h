/* Sinks: where images go. One thread writes a sink; different sinks may have different threads. */
#ifndef VRS_MEDIA_SINK_H
#define VRS_MEDIA_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "media/encode/codec.h"
#include "media/source/source.h"
#include "vrseg/image.h"
#include "vrseg/layout.h"
#include "vrseg/pipeline.h"
#include "vrseg/status.h"

typedef struct vrs_sink vrs_sink;

/* What a video's container says of how its pictures lie. */
typedef struct vrs_layout_tags {
    bool stereo, sphere; /* say so; false: what the source's container says, if anything */
    bool plain;          /* and of a sphere nothing, whatever the source's says */
    vrs_layout layout;
} vrs_layout_tags;

typedef struct vrs_sink_params {
    const char *path; /* "-": standard output */
    vrs_output_kind kind;
    vrs_codec codec;
    vrs_encoder_place encoder;     /* of videos; the note says when AUTO became the CPU */
    const vrs_stream_info *stream; /* of the source: time base, rate, aspect, rotation, colour */
    vrs_pixel_format format;       /* of the images to come */
    int32_t width, height;
    const char *source_path;     /* the input, never overwritten; NULL: no file */
    bool keep_streams;           /* copy the source's other streams */
    const vrs_layout_tags *tags; /* of the images; borrowed until it is opened; NULL: as the
                                  * source's container says */
    const char *preset;          /* encoder's; NULL: its default for vrseg */
    double crf;                  /* < 0: default */
    int64_t bitrate;             /* bit/s; 0: by crf */
    const char *encoder_options; /* "key=value:key=value"; NULL: none */
    int32_t threads;             /* 0: by the machine */
    int32_t segment_frames;      /* 1 .. */
    bool overwrite;
    bool resume; /* go on with what a run that ended early has finished, if it did the same */
    const char *settings;  /* what decides about the images to come, "name=value" by line feeds, in
                            * the journal to be compared; NULL: nothing */
    int32_t shard, shards; /* of a video file: this part of so many, left for vrs_job_join(); 0:
                            * all of it */
    bool partial;          /* the images begin later than the source, whose first time is
                            * origin_pts: but for a shard's, times count from them */
    int64_t origin_pts;
    const uint8_t (*palette)[3]; /* classes: 256 R, G, B; NULL: black to white */
} vrs_sink_params;

#define VRS_NOTE_SIZE 1024

/* What is finished of an output that is gone on with. */
typedef struct vrs_sink_resumed {
    int64_t frames;    /* 0: nothing */
    int64_t last_pts;  /* of the last of them, in the source's times */
    bool source_times; /* and that is its own time, by which it can be found */
} vrs_sink_resumed;

typedef struct vrs_sink_ops {
    /* Takes the image. */
    vrs_status (*write)(vrs_sink *sink, vrs_image *image, int64_t pts, int64_t duration,
                        const char *name);
    vrs_status (*finish)(vrs_sink *sink);
    void (*abort)(vrs_sink *sink);
    void (*destroy)(vrs_sink *sink);
    vrs_status (*rewind)(vrs_sink *sink, int64_t frames); /* NULL: nothing is ever finished */
} vrs_sink_ops;

struct vrs_sink {
    const vrs_sink_ops *ops;
    uint64_t frames;                    /* that the file has, with the resumed ones */
    uint64_t least_bytes, likely_bytes; /* of a frame in its file: room.h */
    uint64_t held_bytes;                /* by its encoder, at most: sink_held.h */
    vrs_sink_resumed resumed;           /* set when it is opened, and by vrs_sink_rewind() */
    bool times_changed;    /* set by the writer from the first frame on that was read with
                            * another time than the source's own */
    bool by_nvenc;         /* the GPU's encoder writes it */
    char description[160]; /* "mask, h264 veryfast crf 20, out.mp4" */
    char note[256];        /* what the user should know, e.g. which streams were dropped; "" */
};

/* The codec that VRS_CODEC_AUTO stands for, and the image format that the sink wants for `kind`
 * from a source of `source_format`: what the caller tells the pipeline to make. VRS_INVALID: no
 * container or codec goes with this path and kind (says which do). */
vrs_status vrs_sink_choose(const char *path, vrs_output_kind kind, vrs_pixel_format source_format,
                           vrs_codec *codec, vrs_pixel_format *format) VRS_MUST_USE;

/* Checks everything that can be checked before the first frame: folder writable, the output is not
 * the input, nothing overwritten that must not be, nobody else writes it (a lock file with a live
 * owner: VRS_BUSY), the encoder opens. VRS_NOT_FOUND (no such folder), VRS_PERMISSION, VRS_INVALID,
 * VRS_UNSUPPORTED, VRS_NO_MEMORY. Nothing is left behind on failure. Returns owned.
 *
 * Video files are written as segments of `segment_frames` frames with a journal, in a folder
 * "<path>.vrseg", each by a fresh encoder, and joined at the end. What a run that ended early left
 * there is gone on with if `resume` is set (VRS_INVALID where that run was another one), replaced
 * with a logged warning if `overwrite` is set, else it is VRS_INVALID. Pictures go to their names
 * one by one, each whole or not at all; with `resume` those that are there count, from the first to
 * the last before a gap. Y4M cannot be gone on with: VRS_UNSUPPORTED. */
vrs_status vrs_sink_open(const vrs_sink_params *params, vrs_sink **sink) VRS_MUST_USE;

/* Forgets what is finished after the first `frames`, which is at least a multiple of
 * segment_frames: another output of the same run has less. Before the first write. VRS_IO. */
vrs_status vrs_sink_rewind(vrs_sink *sink, int64_t frames) VRS_MUST_USE;

/* Writes one image; takes it always, also on failure, and releases it when the encoder is done with
 * it. Times are in the source's time base and ascend; one that does not is moved behind the one
 * before it, and counted in the note. `name`: of a file of pictures, without folder and extension;
 * else ignored (NULL: a running number). VRS_INVALID: not of the sink's format and size (pictures
 * may have any size), or one picture too many for a single file. VRS_NO_SPACE, VRS_IO: the sink
 * takes nothing more; finished segments stay and the detail says where. VRS_CLOSED: after finish
 * or abort. */
vrs_status vrs_sink_write(vrs_sink *sink, vrs_image *image, int64_t pts, int64_t duration,
                          const char *name) VRS_MUST_USE;

/* Ends the file: flushes, joins the segments, copies the other streams, renames into place.
 * Without a frame nothing is written. VRS_NO_SPACE, VRS_IO: finished segments and the journal
 * stay, the detail says where; nothing half-written stays under the output's own name. */
vrs_status vrs_sink_finish(vrs_sink *sink) VRS_MUST_USE;

/* Stops without finishing: finished segments and the journal stay if there is at least one, else
 * everything is removed. */
void vrs_sink_abort(vrs_sink *sink);

/* Frees; aborts what was neither finished nor aborted. NULL is fine. */
void vrs_sink_close(vrs_sink *sink);

#endif
