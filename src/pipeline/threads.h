/* How many threads, requests and tickets a machine gets where nobody says. */
#ifndef VRS_PIPELINE_THREADS_H
#define VRS_PIPELINE_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/allowance.h"

/* Lanes of a GPU where nobody says how many. */
#define VRS_THREADS_LANES 4

/* What is known before the first frame, and what the user has set (0: nothing). */
typedef struct vrs_thread_wish {
    bool gpu;            /* frames are processed on one */
    bool network_on_gpu; /* and so is the network */
    int32_t max_batch;   /* views that go through the network together, at least 1 */
    int32_t requests, lanes, preprocess, postprocess;
    int32_t streams; /* that will share the pipeline; 0 or 1: one */
} vrs_thread_wish;

typedef struct vrs_thread_plan {
    int32_t requests, lanes, engine_threads, preprocess, postprocess, tickets;
} vrs_thread_plan;

/* A function of its arguments alone. What the user has set stays as it is.
 *
 * On the CPU: an inference at a time for each processor that can be busy (64 at most, the same
 * number for each socket), a quarter as many threads for preprocessing and half as many for
 * postprocessing (16 at most). Tickets: twice the views of all requests and one for each worker, as
 * far as a quarter of the memory holds them at 8K stereo's size, and 4 at least; nor are there more
 * requests than tickets could fill. On a GPU its own memory limits the tickets, when they are
 * made. Those are the tickets of one stream; where several share the pipeline each has twice its
 * part of them, and 4 at least, so that one makes up for another and their first frames do not take
 * memory that nobody needs. */
VRS_API vrs_thread_plan vrs_threads_choose(const vrs_allowance *machine,
                                           const vrs_thread_wish *wish);

#endif
