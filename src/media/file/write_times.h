/* How long the calling thread has waited in writes: for a disk, or for the reader of a pipe. */
#ifndef VRS_MEDIA_WRITE_TIMES_H
#define VRS_MEDIA_WRITE_TIMES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct vrs_write_times {
    int64_t disk_ns, pipe_ns; /* since the thread began */
} vrs_write_times;

/* Of the calling thread. */
vrs_write_times vrs_write_times_get(void);

/* Counts a write that began then and has just ended. */
void vrs_write_times_add(bool pipe, int64_t begin_ns);

#endif
