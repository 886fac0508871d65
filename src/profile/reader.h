/* Reading a trace, line by line. Every line is checked: a trace may come from anywhere. */
#ifndef VRS_PROFILE_READER_H
#define VRS_PROFILE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/status.h"

typedef enum vrs_event_type {
    VRS_EVENT_NOTE,  /* name, text */
    VRS_EVENT_TRACK, /* track, name, gpu */
    VRS_EVENT_SPAN,  /* track, name (its kind), frame, time_ns, length_ns */
    VRS_EVENT_VALUE, /* time_ns, name, numbers[0]: one of a sample's */
    VRS_EVENT_LOST,  /* time_ns, counts[0] spans */
    VRS_EVENT_EXIT,  /* name: a place whose ledger was looked at when all was given back */
    VRS_EVENT_LEFT,  /* name: the place; text: the owner; counts: bytes, blocks */
    VRS_EVENT_NODE,  /* batch, name, text: what it does, plan, numbers: microseconds, flop, bytes */
    VRS_EVENT_COUNTED, /* batch, name: the node; numbers: bytes, percent of the tensor cores'
                        * cycles; -1: not known */
    VRS_EVENT_KERNEL,  /* batch (0: of no node), name: the node; text: the kernel; counts[0]: runs;
                        * numbers: microseconds in all, least, most */
    VRS_EVENT_KERNEL_ID,  /* counts[0]: its number, from 1 on; batch, name, text as above */
    VRS_EVENT_KERNEL_RUN, /* track, counts[0]: the kernel's number, time_ns, length_ns */
    VRS_EVENT_END,        /* time_ns, counts: spans, lost */
} vrs_event_type;

/* Text borrows until the call returns; it is UTF-8 and may hold anything. Times are within
 * +-10^18, lengths and counts not negative, numbers finite. */
typedef struct vrs_event {
    vrs_event_type type;
    uint32_t track; /* at least 1 */
    int32_t batch;
    bool gpu;
    int64_t frame, time_ns, length_ns;
    const char *name, *text, *plan;
    double numbers[3];
    uint64_t counts[2];
} vrs_event;

typedef vrs_status (*vrs_event_fn)(void *opaque, const vrs_event *event);

/* Calls `visit` for everything in a trace, until it fails. `cut_short` (may be NULL): the trace has
 * no end, and a line that is not whole at its end was left out. Lines of kinds that are not known
 * are left out. The errors of vrs_report_load() and of `visit`. */
VRS_API vrs_status vrs_trace_read(const char *path, vrs_event_fn visit, void *opaque,
                                  bool *cut_short) VRS_MUST_USE;

#endif
