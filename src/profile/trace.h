/* Writing a trace: JSON lines, docs/trace.md. After the first failure nothing more is written, and
 * closing says what failed. One thread at a time. */
#ifndef VRS_PROFILE_TRACE_H
#define VRS_PROFILE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "vrseg/memory.h"

typedef struct vrs_trace vrs_trace;

/* Counters at one moment. */
#define VRS_SAMPLE_VALUES 128
#define VRS_SAMPLE_NAME 56
typedef struct vrs_sample {
    int64_t time_ns;
    int32_t count;
    struct {
        char name[VRS_SAMPLE_NAME];
        double value;
    } values[VRS_SAMPLE_VALUES];
} vrs_sample;

/* What an owner still holds at the end. */
typedef struct vrs_left {
    const char *owner;
    uint64_t bytes, blocks;
} vrs_left;

/* Returns owned. `origin_ns` is the trace's time 0. VRS_NO_MEMORY, VRS_PERMISSION, VRS_NOT_FOUND,
 * VRS_IO. */
vrs_status vrs_trace_open(const char *path, int64_t origin_ns, vrs_trace **trace) VRS_MUST_USE;

void vrs_trace_note(vrs_trace *trace, const char *name, const char *value);
void vrs_trace_track(vrs_trace *trace, uint32_t id, const char *name, bool gpu);
void vrs_trace_span(vrs_trace *trace, uint32_t track, const vrs_span *span);
void vrs_trace_sample(vrs_trace *trace, const vrs_sample *sample);
void vrs_trace_lost(vrs_trace *trace, int64_t time_ns, uint64_t spans);
void vrs_trace_exit(vrs_trace *trace, const char *place, const vrs_left *left, int32_t count);

/* A node of the network: its time when it was timed alone. */
struct vrs_engine_node;
void vrs_trace_node(vrs_trace *trace, const struct vrs_engine_node *node);

/* What the GPU's counters say of a node that ran once. */
struct vrs_engine_counted;
void vrs_trace_counted(vrs_trace *trace, const struct vrs_engine_counted *counted);

/* What a kernel took in the run. */
struct vrs_kernel_time;
void vrs_trace_kernel(vrs_trace *trace, const struct vrs_kernel_time *time);

/* A run of a kernel on a track, after the kernel's own line where it is the first of its id. */
struct vrs_kernel_run;
void vrs_trace_kernel_run(vrs_trace *trace, uint32_t track, const struct vrs_kernel_run *run);

/* Notes with numbers: what the GPU could do a second. */
#define VRS_NOTE_COUNTERS "counters" /* why there are none */
#define VRS_NOTE_PEAK_BYTES "peak bytes a second"
#define VRS_NOTE_PEAK_OPERATIONS "peak operations a second"
/* Runs of kernels that are in the sums alone. */
#define VRS_NOTE_RUNS_COUNTED "runs of kernels that were only counted"

/* Hands what was written to the system. */
void vrs_trace_flush(vrs_trace *trace);

/* Takes; NULL is fine. Writes the end. VRS_NO_SPACE, VRS_IO: the first failure. */
vrs_status vrs_trace_close(vrs_trace *trace, int64_t time_ns, uint64_t spans,
                           uint64_t lost) VRS_MUST_USE;

#endif
