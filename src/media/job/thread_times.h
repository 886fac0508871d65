/* CPU time of each stage, libraries' threads included: threads inherit the name of the thread that
 * makes them, so a thread's name tells whose work it does. */
#ifndef VRS_MEDIA_THREAD_TIMES_H
#define VRS_MEDIA_THREAD_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/pipeline.h"

#define VRS_THREADS_SEEN 512

typedef struct vrs_thread_times {
    struct {
        int32_t id;
        int32_t stage; /* VRS_STAGE_COUNT: none */
        bool alive;    /* at the last sample */
        int64_t first_ns, last_ns;
    } threads[VRS_THREADS_SEEN];
    int32_t count;
    bool sampled;
    int64_t ended_ns[VRS_STAGE_COUNT + 1]; /* of threads that are not in the list any more */
} vrs_thread_times;

/* Reads the CPU time of every thread of the process. Called now and then: what a thread did after
 * the last call before its end is not seen. The first call is the zero of those that run then. */
void vrs_thread_times_sample(vrs_thread_times *times);

void vrs_thread_times_sum(const vrs_thread_times *times, double seconds[VRS_STAGE_COUNT]);

#endif
