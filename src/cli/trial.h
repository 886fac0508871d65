/* A measurement in a process of its own, so that a crash, a hang, or a machine without memory ends
 * it and not the program, and each begins as a run does. */
#ifndef VRS_CLI_TRIAL_H
#define VRS_CLI_TRIAL_H

#include <signal.h>
#include <stddef.h>

#include "vrseg/status.h"

/* What every report begins with: `fn` leaves VRS_OK, or why it failed. */
typedef struct vrs_trial_end {
    vrs_status status;
    char detail[VRS_DETAIL_SIZE];
} vrs_trial_end;

/* Fills the report, which is zeroed. */
typedef void (*vrs_trial_fn)(void *opaque, void *report);

/* The largest report: what a pipe takes at once. */
#define VRS_TRIAL_REPORT_MAX 32768

/* Runs `fn` in a process that nothing is written by but what `fn` writes; it is killed after
 * `most_seconds`, and when `stop` is set, which is looked at ten times a second. `report` is of
 * `size` bytes, at most VRS_TRIAL_REPORT_MAX. Returns the report's status with its detail as the
 * last error. VRS_CANCELLED: stopped. VRS_TIMEOUT: killed. VRS_NO_MEMORY: the system killed it, as
 * it does where memory runs out. VRS_SYSTEM: it crashed, or cannot be started. One thread, before
 * the process has others or has opened a GPU. */
vrs_status vrs_trial_run(vrs_trial_fn fn, void *opaque, void *report, size_t size,
                         double most_seconds, const volatile sig_atomic_t *stop) VRS_MUST_USE;

#endif
