/* When less is done for each frame because the machine cannot keep up, and when more again. A state
 * machine: no thread, no clock; it is told of every frame and says how far to go down. */
#ifndef VRS_PIPELINE_DEGRADE_H
#define VRS_PIPELINE_DEGRADE_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/status.h"

/* Frames that are looked at together, and so many of them late are one step down. */
#define VRS_DEGRADE_WINDOW 16
#define VRS_DEGRADE_LATE 4
/* So long no frame may be late before one step up is tried; it doubles, up to the most, each time
 * that a step up did not last, and is what it was after a level has lasted for eight times as
 * long. */
#define VRS_DEGRADE_QUIET_NS INT64_C(2000000000)
#define VRS_DEGRADE_MOST_QUIET_NS INT64_C(128000000000)

typedef struct vrs_degrade {
    int64_t target_ns; /* later than that is late; over 0 */
    int32_t levels;    /* 1..; level 0 does everything */
    int32_t level;
    int32_t skip;      /* frames that the start or the level before shape: not looked at */
    uint32_t history;  /* of the last ones, a bit each: late */
    int32_t seen;      /* bits of it that are known */
    int64_t quiet_ns;  /* asked for now */
    int64_t calm_ns;   /* since when nothing was late and the level is the same */
    int64_t raised_ns; /* when a step up was last taken; -1: never, or it lasted */
    bool started;
} vrs_degrade;

/* What happened, for the log. */
typedef struct vrs_degrade_change {
    int64_t time_ns;
    int32_t from, to;
    int32_t late, of;   /* down: so many of the last frames were late */
    int64_t latency_ns; /* down: of the last one; INT64_MAX: it was dropped */
    int64_t quiet_ns;   /* up: so long none was */
} vrs_degrade_change;

VRS_API void vrs_degrade_init(vrs_degrade *degrade, int32_t levels, int64_t target_ns);

/* A frame is done after `latency_ns`, or was dropped (INT64_MAX). Times never go back. True: the
 * level is another one now, and `change` says why. */
VRS_API bool vrs_degrade_frame(vrs_degrade *degrade, int64_t now_ns, int64_t latency_ns,
                               vrs_degrade_change *change) VRS_MUST_USE;

#endif
