/* Finished segments and the source's other streams become the output. */
#ifndef VRS_MEDIA_JOIN_H
#define VRS_MEDIA_JOIN_H

#include "media/file/journal.h"
#include "media/file/workplace.h"
#include "media/sink/carry.h"

typedef struct vrs_join_params {
    const vrs_workplace *place;
    const vrs_journal *journal; /* at least one segment */
    const char *const *folders; /* by the entries' parts; NULL: all lie in the place's folder */
    const char *muxer;
    const AVCodecParameters *video; /* the encoder's */
    AVRational time_base, rate;     /* of the video */
    int64_t shift;                  /* that the segments' times have in them */
    const vrs_carry_params *carry;
} vrs_join_params;

/* Copies the segments' packets one after the other into a file in the working folder, the other
 * streams between them, syncs it and renames it over the output. On failure the output is as it was
 * and the segments stay. VRS_NO_SPACE, VRS_IO, VRS_CORRUPT (a segment is not as it was written),
 * VRS_NO_MEMORY. */
vrs_status vrs_join(const vrs_join_params *params, char *note, size_t note_size) VRS_MUST_USE;

#endif
