/* When the frames of a source are due in live mode. No thread and no clock: calls are told the
 * time.
 *
 * The first frame is due when it comes, each later one as much after it as its time stamp says. A
 * frame that had to be waited for is due when it comes, and those after it count from it: a camera
 * or a pipe has a clock of its own, and what it delivers late is not late here. After a jump of the
 * time stamps the clock begins anew, too. */
#ifndef VRS_MEDIA_PACE_H
#define VRS_MEDIA_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "media/source/source.h"

/* Time stamps further apart than that are a jump. */
#define VRS_PACE_JUMP_NS INT64_C(5000000000)

typedef struct vrs_pace {
    int32_t num, den; /* of the time base */
    bool started;
    int64_t pts, due_ns; /* of the frame before */
} vrs_pace;

void vrs_pace_init(vrs_pace *pace, const vrs_stream_info *info);

/* When the next frame, which has come at `now_ns`, is due: before that it is not to be shown to
 * anybody, and it counts as captured then. `waited`: its data was not there when it was asked for.
 */
int64_t vrs_pace_next(vrs_pace *pace, int64_t pts, int64_t now_ns, bool waited);

#endif
