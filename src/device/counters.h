/* What pieces of a GPU's work moved and used, by counters of the hardware, which NVIDIA's CUPTI
 * reads with its range profiler. All is counted in one pass: nothing runs twice. A GPU's counters
 * serve one program at a time, and an administrator may have kept them to himself. */
#ifndef VRS_DEVICE_COUNTERS_H
#define VRS_DEVICE_COUNTERS_H

#include <stdint.h>

#include "device/device.h"

/* Numbers that a GPU does not count are negative. */
typedef struct vrs_counted {
    double bytes; /* between the GPU's memory and its caches, both ways */
    /* Tensor cores at work, of the cycles in which their multiprocessor had work; a mean. What the
     * launches take is not in it. */
    double tensor_percent;
} vrs_counted;

typedef struct vrs_counters vrs_counters;

/* Begins to count on a CUDA device, which is borrowed, at most `most` pieces. Returns owned.
 * VRS_MISSING: no CUPTI, or one before 12.6. VRS_PERMISSION: counters are for administrators alone,
 * with what changes that. VRS_UNSUPPORTED: the GPU counts nothing of these, or not in one pass.
 * VRS_DEVICE: what CUPTI says. VRS_NO_MEMORY. One at a time in a process; not beside
 * vrs_kernel_times_start(), unless that is paused. Nothing may run on the device meanwhile but what
 * is counted. */
vrs_status vrs_counters_open(vrs_device *device, int32_t most,
                             vrs_counters **counters) VRS_MUST_USE;
/* What this thread queues between the two is the next piece. Both wait for the device. The thread
 * of vrs_counters_open(). VRS_DEVICE. */
vrs_status vrs_counters_enter(vrs_counters *counters) VRS_MUST_USE;
vrs_status vrs_counters_leave(vrs_counters *counters) VRS_MUST_USE;
/* Ends counting, once all work is done: the pieces in their order, all negative where the hardware
 * dropped one. `counted`: of the pieces that were entered. VRS_DEVICE. */
vrs_status vrs_counters_read(vrs_counters *counters, vrs_counted *counted) VRS_MUST_USE;
/* Gives the counters back. NULL is fine. */
void vrs_counters_close(vrs_counters *counters);

#endif
