#include "pipeline/degrade.h"

#include <assert.h>

/* A level that was kept for so many times the quiet has lasted. */
#define LASTED 8

void vrs_degrade_init(vrs_degrade *degrade, int32_t levels, int64_t target_ns)
{
    assert(levels >= 1 && target_ns > 0);
    *degrade = (vrs_degrade){
        .target_ns = target_ns,
        .levels = levels,
        .skip = VRS_DEGRADE_WINDOW,
        .quiet_ns = VRS_DEGRADE_QUIET_NS,
        .raised_ns = -1,
    };
}

/* Of another level nothing is known yet, and the frames on their way are still of this one. */
static void change_level(vrs_degrade *d, int64_t now_ns, int32_t level)
{
    d->level = level;
    d->skip = VRS_DEGRADE_WINDOW;
    d->history = 0;
    d->seen = 0;
    d->calm_ns = now_ns;
}

static bool step_down(vrs_degrade *d, int64_t now_ns, int64_t latency_ns, int32_t late,
                      vrs_degrade_change *change)
{
    *change = (vrs_degrade_change){
        .time_ns = now_ns,
        .from = d->level,
        .to = d->level + 1,
        .late = late,
        .of = d->seen,
        .latency_ns = latency_ns,
    };
    if (d->raised_ns >= 0) { /* the last step up did not last */
        int64_t longer = 2 * d->quiet_ns;
        d->quiet_ns = longer < VRS_DEGRADE_MOST_QUIET_NS ? longer : VRS_DEGRADE_MOST_QUIET_NS;
        d->raised_ns = -1;
    }
    change_level(d, now_ns, d->level + 1);
    return true;
}

static bool step_up(vrs_degrade *d, int64_t now_ns, vrs_degrade_change *change)
{
    *change = (vrs_degrade_change){
        .time_ns = now_ns, .from = d->level, .to = d->level - 1, .quiet_ns = d->quiet_ns};
    change_level(d, now_ns, d->level - 1);
    d->raised_ns = now_ns;
    return true;
}

bool vrs_degrade_frame(vrs_degrade *d, int64_t now_ns, int64_t latency_ns,
                       vrs_degrade_change *change)
{
    bool is_late = latency_ns > d->target_ns;
    if (!d->started || is_late)
        d->calm_ns = now_ns;
    d->started = true;
    if (d->raised_ns >= 0 && now_ns - d->raised_ns >= LASTED * d->quiet_ns) {
        d->raised_ns = -1;
        d->quiet_ns = VRS_DEGRADE_QUIET_NS;
    }
    if (d->skip > 0) {
        d->skip--;
        return false;
    }
    d->history = (d->history << 1 | (is_late ? 1 : 0)) & ((1u << VRS_DEGRADE_WINDOW) - 1);
    d->seen = d->seen < VRS_DEGRADE_WINDOW ? d->seen + 1 : d->seen;
    int32_t late = __builtin_popcount(d->history);
    if (late >= VRS_DEGRADE_LATE && d->level + 1 < d->levels)
        return step_down(d, now_ns, latency_ns, late, change);
    if (d->level > 0 && now_ns - d->calm_ns >= d->quiet_ns)
        return step_up(d, now_ns, change);
    return false;
}
