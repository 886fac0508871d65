/* What kernels of GPUs take in a run, by NVIDIA's CUPTI: each with the node of the network that it
 * came from, also where a CUDA graph launched it. For the process, which CUPTI serves once.
 *
 * Kernels of a graph are told apart by the numbers that CUPTI gives to its nodes: while a thread
 * records a graph it says which node of the network it is at, and what the driver then makes of a
 * recorded node when the graph is instantiated is followed. */
#ifndef VRS_DEVICE_KERNEL_TIMES_H
#define VRS_DEVICE_KERNEL_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/status.h"

/* A kernel of a node, over all its runs since the last reset. Text borrows until the call returns.
 */
typedef struct vrs_kernel_time {
    int32_t batch;      /* size that the network was recorded for; 0: of no network's node */
    const char *node;   /* its name in the file, "" likewise */
    const char *kernel; /* as the driver calls it, mangled */
    uint64_t runs;
    double total_us, least_us, most_us;
} vrs_kernel_time;

typedef void (*vrs_kernel_time_fn)(void *opaque, const vrs_kernel_time *time);

/* One run of a kernel, on the clock of vrs_now_ns(): CUPTI's clock is read beside that one again
 * and again, and what lies between two readings is interpolated, so that neither an offset nor a
 * drift shows. Text borrows until the call returns. */
typedef struct vrs_kernel_run {
    uint32_t id;             /* of this kernel of this node, never of another */
    bool first;              /* the first of its id */
    uint32_t device, stream; /* CUPTI's numbers */
    int64_t begin_ns, end_ns;
    int32_t batch; /* these three as above */
    const char *node, *kernel;
} vrs_kernel_run;

typedef void (*vrs_kernel_run_fn)(void *opaque, const vrs_kernel_run *run);

/* Runs that are kept between two drains; further ones are only counted. */
#define VRS_KERNEL_RUNS 2048

/* Begins, before the networks are made that are to be told apart. VRS_MISSING: no CUPTI, with how
 * to get it. VRS_DEVICE: what CUPTI says, e.g. that another profiler has it. VRS_INVALID: it was
 * begun. VRS_SYSTEM. Once at a time; any thread. */
VRS_API vrs_status vrs_kernel_times_start(void) VRS_MUST_USE;
/* Whether it was begun. Cheap; any thread. */
VRS_API bool vrs_kernel_times_on(void);
/* What this thread records from now on, until it leaves, is of that node. Nothing where it was not
 * begun. Copies. */
VRS_API void vrs_kernel_times_enter(int32_t batch, const char *node);
VRS_API void vrs_kernel_times_leave(void);
/* Forgets the times so far. Any thread. */
VRS_API void vrs_kernel_times_reset(void);
/* Calls `visit` for each kernel of each node that ran, the longest in all first. What still runs
 * counts later. VRS_NO_MEMORY: some were left out for want of memory, here or while it was counted.
 * VRS_DEVICE. Any thread. */
VRS_API vrs_status vrs_kernel_times_visit(vrs_kernel_time_fn visit, void *opaque) VRS_MUST_USE;
/* Calls `visit` for the runs since the last drain or reset, by their begins: the first
 * VRS_KERNEL_RUNS that CUPTI handed over. Returns how many more there were. Often, as the clocks
 * are compared here. One thread at a time. */
VRS_API uint64_t vrs_kernel_times_drain(vrs_kernel_run_fn visit, void *opaque);
/* What runs until it goes on is not followed. Nothing where it was not begun. VRS_DEVICE. */
VRS_API vrs_status vrs_kernel_times_pause(bool pause) VRS_MUST_USE;
/* Ends; nothing where it was not begun. */
VRS_API void vrs_kernel_times_stop(void);

#endif
