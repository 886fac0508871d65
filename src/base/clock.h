/* The clock. Every time stamp, time-out and timed wait goes through it, so that a test can put a
 * clock of its own in place. The public reading is vrs_now_ns() in vrseg/system.h. */
#ifndef VRS_BASE_CLOCK_H
#define VRS_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "vrseg/system.h"

#define VRS_NS_PER_US INT64_C(1000)
#define VRS_NS_PER_S INT64_C(1000000000)

/* Deadline for "wait at most timeout_us" as used all over the API: INT64_MAX for a negative
 * time-out (no limit), saturating. */
VRS_API int64_t vrs_deadline_ns(int64_t timeout_us);

/* Gives the core away in a loop that looks again and again for what nobody signals: at once for the
 * first of its `tries`, then for longer and longer, up to a millisecond. Real time, also where the
 * clock is virtual: for what is looked at is no part of the test. */
VRS_API void vrs_clock_pause(uint32_t tries);

/* A virtual clock that stands still until it is told to go on, for tests; process-wide. `start_ns`
 * is at least 0. While it is in place, timed waits end when vrs_clock_advance_ns() passes their
 * deadline. Whoever changes the clock holds no mutex that a timed wait uses. */
VRS_API void vrs_clock_use_virtual(int64_t start_ns);
VRS_API void vrs_clock_advance_ns(int64_t delta_ns);
VRS_API void vrs_clock_use_real(void);

/* Returns once at least `count` threads are in timed waits on the virtual clock: before an advance,
 * so that what it ends has begun. */
VRS_API void vrs_clock_await_waiters(uint32_t count);

/* For thread.c: whether the virtual clock is in place, and vrs_cond_wait_until() on it. */
bool vrs_clock_is_virtual(void);
bool vrs_clock_virtual_wait(vrs_cond *cond, vrs_mutex *mutex, int64_t deadline_ns);

#endif
