#include "media/source/pace.h"

#include <libavutil/mathematics.h>

#define NS_PER_S 1000000000

void vrs_pace_init(vrs_pace *pace, const vrs_stream_info *info)
{
    *pace = (vrs_pace){.num = info->time_base_num, .den = info->time_base_den};
    if (pace->num <= 0 || pace->den <= 0) {
        pace->num = 1;
        pace->den = NS_PER_S;
    }
}

int64_t vrs_pace_next(vrs_pace *pace, int64_t pts, int64_t now_ns, bool waited)
{
    int64_t step = 0;
    bool jumps = false;
    if (pace->started) {
        AVRational base = {pace->num, pace->den};
        int64_t ticks = 0;
        jumps = __builtin_sub_overflow(pts, pace->pts, &ticks) || ticks < 0;
        step = jumps ? 0 : av_rescale_q(ticks, base, (AVRational){1, NS_PER_S});
        jumps = jumps || step < 0 || step > VRS_PACE_JUMP_NS;
    }
    int64_t due = pace->due_ns + step;
    if (!pace->started || jumps || (waited && due < now_ns))
        due = now_ns;
    pace->started = true;
    pace->pts = pts;
    pace->due_ns = due;
    return due;
}
