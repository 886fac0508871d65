/* The times of all frames of a video, without decoding: what a range of frames is found by. */
#ifndef VRS_MEDIA_FRAME_TIMES_H
#define VRS_MEDIA_FRAME_TIMES_H

#include <stdint.h>

#include "media/source/source.h"

/* Zeroed: nothing. */
typedef struct vrs_frame_times {
    int64_t *times; /* ascending, in the source's time base */
    int64_t count;
    double unit; /* seconds of a tick */
} vrs_frame_times;

/* Reads the packets of a file's video once. VRS_UNSUPPORTED: it is no file that can be read twice,
 * or its frames have no times of their own; else as vrs_source_open(). */
vrs_status vrs_frame_times_read(const vrs_source_params *params,
                                vrs_frame_times *times) VRS_MUST_USE;
void vrs_frame_times_free(vrs_frame_times *times);

/* The first frame so many seconds or more after the first one; `count` where there is none. */
int64_t vrs_frame_times_find(const vrs_frame_times *times, double seconds);

#endif
