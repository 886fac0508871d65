/* The batches that are on their way to a device that computes one after the other, and until when
 * another one would only wait there. One thread at a time. */
#ifndef VRS_BATCH_FLIGHT_H
#define VRS_BATCH_FLIGHT_H

#include <stdbool.h>

#include "batch/estimate.h"

/* What it takes, beside the preparation that is measured, until what was sent is computed: threads
 * that wake up, launches. */
#define VRS_BATCH_LEAD_NS INT64_C(300000)

/* All zero: nothing is on its way, and nothing is known. */
typedef struct vrs_batch_flight {
    vrs_batch_estimate alone; /* the time of batches by their size, without the wait for others */
    int32_t count;            /* on their way */
    int64_t sent_ns;          /* the last one */
    int32_t size;             /* its */
    int64_t ended_ns;         /* the last one that did */
    int64_t prepare_ns;       /* until a batch's network may begin: recent ones at most */
} vrs_batch_flight;

/* A batch of `size` (1..VRS_BATCH_MOST) goes. */
VRS_API void vrs_batch_flight_sent(vrs_batch_flight *flight, int32_t size, int64_t now_ns);

/* One that was sent at `sent_ns` has ended; of `good` ones the time is learnt, and that preparing
 * them (upload, preprocessing) took `prepare_ns`. */
VRS_API void vrs_batch_flight_ended(vrs_batch_flight *flight, int32_t size, int64_t sent_ns,
                                    int64_t prepare_ns, bool good, int64_t now_ns);

/* Until when a batch that is sent would only wait. 0: nothing is on its way, or how long that takes
 * is not known; INT64_MAX: until one of several ends. Else shortly before the one that is on its
 * way will have ended, so that the next one is there in time. */
VRS_API int64_t vrs_batch_flight_until(const vrs_batch_flight *flight);

/* The largest batch that wastes the device: one that takes nearly as long as one of `limit`, and is
 * much smaller. So it is where sizes between are not compiled. 0: none. */
VRS_API int32_t vrs_batch_flight_poor(const vrs_batch_flight *flight, int32_t limit);

/* How long it is worth waiting for more before such a batch goes: until shortly after the end of
 * those that are on their way, whose frames' successors come then. INT64_MAX: an end is not known
 * yet. */
VRS_API int64_t vrs_batch_flight_poor_until(const vrs_batch_flight *flight, int32_t limit);

#endif
