/* From the numbers that encoders count frames by to the frames' true times. */
#ifndef VRS_MEDIA_TIMES_H
#define VRS_MEDIA_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/packet.h>

#include "media/encode/encoder.h"

/* Frames whose times are remembered; more than any encoder holds back. */
#define VRS_TIMES_KEPT (2 * VRS_ENCODER_MAX_DELAY)

struct vrs_journal_entry;

typedef struct vrs_times {
    int64_t nominal;          /* ticks of a frame at the average rate, at least 1 */
    int64_t count;            /* frames so far */
    int64_t first, last, end; /* of the first and the last frame, and after it */
    bool from_zero;           /* the first frame is at 0, wherever it was; set after init */
    bool has_origin; /* the shift goes by `origin`, the time of an earlier frame; likewise */
    int64_t origin;
    int64_t shift;    /* added to every time: a file cannot begin before 0 */
    int64_t repaired; /* frames whose time was not after the one before */
    int64_t last_dts;
    int64_t pts[VRS_TIMES_KEPT], duration[VRS_TIMES_KEPT];
} vrs_times;

/* `time_base` is the source's, `rate` its frames a second. */
void vrs_times_init(vrs_times *times, AVRational time_base, AVRational rate);

/* Goes on behind the frames of a run that ended early, by its first and its last segment: frames
 * before are taken to have come at the average rate. */
void vrs_times_resume(vrs_times *times, const struct vrs_journal_entry *first,
                      const struct vrs_journal_entry *last);

/* Adds the next frame, whose number is the count before. A time that does not lie after the one
 * before, or is unknown (AV_NOPTS_VALUE), is moved there and counted. */
void vrs_times_add(vrs_times *times, int64_t pts, int64_t duration);

/* Puts true times in place of a packet's numbers. Decoding times keep ascending over segments: a
 * packet that an encoder wants decoded "n frames before" a frame gets the time of the frame n
 * before it; one without a sane number is decoded when it is shown. VRS_IO: the encoder's numbers
 * make no sense. */
vrs_status vrs_times_apply(vrs_times *times, AVPacket *packet) VRS_MUST_USE;

#endif
