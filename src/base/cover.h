/* How long at least one of many things ran: the length of the union of intervals that come in
 * roughly by their ends, as several streams of a device end their work. Not locked. */
#ifndef VRS_BASE_COVER_H
#define VRS_BASE_COVER_H

#include <stdint.h>

#include "vrseg/status.h"

/* Stretches that a later interval may still reach back over. With more of them apart, the oldest is
 * settled: of what comes for the time before its end nothing is counted any more. */
#define VRS_COVER_KEPT 32

/* Zeroed: nothing covered; times are at least 0. */
typedef struct vrs_cover {
    int64_t begin[VRS_COVER_KEPT], end[VRS_COVER_KEPT]; /* ascending and apart */
    int32_t count;
    int64_t settled_ns, settled_end;
} vrs_cover;

/* Adds an interval; one that ends before it begins is none. */
VRS_API void vrs_cover_add(vrs_cover *cover, int64_t begin_ns, int64_t end_ns);

/* The length of the union so far. */
VRS_API int64_t vrs_cover_total(const vrs_cover *cover);

#endif
