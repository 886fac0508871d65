/* What a video output takes over from its source beside the pictures: how they are to be shown
 * (rotation, stereo, projection, mastering), and the other streams. */
#ifndef VRS_MEDIA_CARRY_H
#define VRS_MEDIA_CARRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavformat/avformat.h>

#include "media/file/container.h"
#include "media/sink/sink.h"
#include "vr/boxes.h"

typedef struct vrs_carry {
    AVFormatContext *source; /* NULL: there is nothing to take */
    AVStream *video;         /* the source's, NULL: it has none */
    int *outputs;            /* for each of its streams: the index in the output, or -1 */
    int kept;                /* how many are not -1 */
    AVPacket *packet;        /* the next one to write, if `pending` */
    bool pending, ended;
    int64_t first, end, shift; /* of the video, in the video's time base */
    vrs_boxes said;            /* by the source's file of its pictures' layout */
    vrs_boxes layout;          /* what an MP4 or MOV is to say, if `put_layout` */
    bool put_layout;           /* libav's muxer does not say it */
} vrs_carry;

typedef struct vrs_carry_params {
    const char *path; /* NULL: nothing is taken */
    bool keep_streams;
    vrs_output_kind kind;
    vrs_layout_tags tags; /* all false: as the source; their mesh is not looked at: */
    bool mesh;            /* the tags' projection is that of the source's mesh */
    int32_t rotation;     /* clockwise, as in vrs_stream_info */
    bool same_size;       /* the output's pictures have the source's size */
    bool colors;          /* the source's colour tags are looked at */
} vrs_carry_params;

/* Opens the source and looks at its streams. What cannot be opened is taken as having nothing (the
 * note says so). VRS_NO_MEMORY. */
vrs_status vrs_carry_open(vrs_carry *carry, const vrs_carry_params *params, char *note,
                          size_t note_size) VRS_MUST_USE;
void vrs_carry_close(vrs_carry *carry);

/* Says in the note what of the layout (stereo, projection) the output will not say, as its
 * container has no word for it. */
void vrs_carry_note_layout(const vrs_carry *carry, const vrs_carry_params *params,
                           const char *muxer, char *note, size_t note_size);

/* Chooses the streams that `muxer` takes beside video of `video` and names the others in the note.
 * VRS_NO_MEMORY. */
vrs_status vrs_carry_choose(vrs_carry *carry, const char *muxer, const AVCodecParameters *video,
                            AVRational time_base, AVRational rate, char *note,
                            size_t note_size) VRS_MUST_USE;

/* Adds to a container what was chosen: side data, streams, chapters, titles. VRS_NO_MEMORY. */
vrs_status vrs_carry_add(vrs_carry *carry, const vrs_carry_params *params,
                         vrs_container *container) VRS_MUST_USE;

/* The tags and the mesh of parameters as a line for a journal, and read from it again; what is no
 * such line sets nothing. */
void vrs_carry_layout_text(const vrs_carry_params *params, char *text, size_t size);
void vrs_carry_layout_parse(const char *text, vrs_carry_params *params);

/* Finds out what of the layout the container's muxer does not write of what it was told, for
 * vrs_carry_put_layout(); by vrs_carry_add(). */
void vrs_carry_find_layout(vrs_carry *carry, const vrs_carry_params *params,
                           const vrs_container *container);

/* Puts what libav's muxer does not write into the finished file: of MP4 and MOV the mesh of VR180,
 * stereo modes 3 and 4, and in MOV all of the layout. What vrs_mp4_layout_write() returns. */
vrs_status vrs_carry_put_layout(const vrs_carry *carry, const vrs_carry_params *params,
                                const char *path) VRS_MUST_USE;

/* Sets the range that is written: from the first frame's time to the last one's end, before `shift`
 * is added, in the source's video time base. */
void vrs_carry_set_range(vrs_carry *carry, int64_t first, int64_t end, int64_t shift);

/* Copies the packets that belong before `dts` (of the output's video, in `time_base`; INT64_MAX:
 * all that is left). A source that cannot be read on is left there, with a note. VRS_NO_SPACE,
 * VRS_IO, VRS_NO_MEMORY. */
vrs_status vrs_carry_until(vrs_carry *carry, vrs_container *container, int64_t dts,
                           AVRational time_base, char *note, size_t note_size) VRS_MUST_USE;

/* Adds a sentence to a note, after "; " if there is one; what does not fit is left out. */
void vrs_note_add(char *note, size_t size, const char *format, ...) VRS_PRINTF(3, 4);

#endif
