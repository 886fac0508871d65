/* The clock. Every time stamp, time-out and timed wait goes through it, so that a test can put a
 * clock of its own in place. The public reading is vrs_now_ns() in vrseg/system.h. */
#ifndef VRS_BASE_CLOCK_H
#define VRS_BASE_CLOCK_H

#include <stdint.h>

#include "base/thread.h"
#include "vrseg/system.h"

#define VRS_NS_PER_US INT64_C(1000)
#define VRS_NS_PER_S INT64_C(1000000000)

/* Deadline for "wait at most timeout_us" as used all over the API: INT64_MAX for a negative
 * time-out (no limit), saturating. */
VRS_API int64_t vrs_deadline_ns(int64_t timeout_us);

/* A virtual clock that stands still until it is told to go on, for tests; process-wide.
 * While it is in place, timed waits end when vrs_clock_advance_ns() passes their deadline. */
VRS_API void vrs_clock_use_virtual(int64_t start_ns);
VRS_API void vrs_clock_advance_ns(int64_t delta_ns);
VRS_API void vrs_clock_use_real(void);

#endif
