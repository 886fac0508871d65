/* Where memory lives and work is queued: the CPU, or an NVIDIA GPU behind its driver, which is
 * opened at run time.
 *
 * This front checks its arguments and the state of the device; the back ends (backend.h) assume.
 * Memory is handed out by device/memory.h on top of the raw calls of device/raw.h.
 *
 * Order: what is queued on one stream happens in order. Between streams only events order. The host
 * waits for events alone; nothing ever waits for a whole device, context or stream.
 *
 * The CPU device does each thing during the call, so its events are always done.
 *
 * A lost device: after the driver has reported an error that it cannot recover from (an illegal
 * address, a failed launch, a GPU that fell off the bus, ...), every call on this device returns
 * VRS_DEVICE_LOST with the first cause. Destroying is still right, and quick.
 *
 * Threads: a device may be used by any number of threads. A stream is used by one thread at a time.
 * An event is recorded by one thread at a time and may be waited for by any. */
#ifndef VRS_DEVICE_DEVICE_H
#define VRS_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vrseg/status.h"

/* An address in the device's memory, in bytes; 0 is none. On the CPU device it is a pointer's
 * number. */
typedef uint64_t vrs_device_ptr;

typedef struct vrs_device vrs_device;
typedef struct vrs_device_stream vrs_device_stream;
typedef struct vrs_device_event vrs_device_event;
typedef struct vrs_kernel vrs_kernel;

typedef enum vrs_device_kind { VRS_DEVICE_CPU, VRS_DEVICE_CUDA } vrs_device_kind;

/* What a device is. Numbers that a CPU has not are 0. */
typedef struct vrs_device_properties {
    vrs_device_kind kind;
    int32_t number;       /* of the GPU, as the driver counts; -1 for the CPU */
    char id[16];          /* "cpu", "cuda:0": what vrs_device_open() takes */
    char name[96];        /* "NVIDIA H200" */
    char pci[24];         /* "0000:3b:00.0"; empty for the CPU; NVML finds the GPU by it */
    int32_t major, minor; /* compute capability */
    int32_t multiprocessors;
    int32_t driver_version; /* of the CUDA API that the driver has: 13000 is 13.0 */
    size_t memory_bytes;    /* in all: the GPU's, or RAM */
    size_t l2_bytes;
    size_t block_shared_bytes; /* shared memory that a block may have, at most */
    int32_t copy_engines;
    int32_t clock_khz;  /* of the multiprocessors, at most */
    double memory_rate; /* bytes a second that its memory could move, by clock and width */
    bool integrated;    /* shares the RAM */
    bool virtual_memory;
} vrs_device_properties;

/* Opens "cpu", "cuda" (the first GPU), "cuda:N", or "auto": the first GPU that can be used, else
 * the CPU. Returns owned. A GPU's primary context is retained, never made or reset, and the
 * embedded kernels are loaded into it; for "cpu" nothing is opened.
 * VRS_INVALID: no such name, or a number that does not exist (says which do). VRS_MISSING: no
 * driver, a driver without a function that is needed, or a build without GPU kernels.
 * VRS_UNSUPPORTED: the driver is too old, or no code for this GPU's architecture. VRS_NO_MEMORY,
 * VRS_DEVICE: what the driver says. "auto" fails with VRS_NO_MEMORY of the host alone. */
vrs_status vrs_device_open(const char *name, vrs_device **device) VRS_MUST_USE;

/* Everything made of the device must be gone before. NULL is fine. */
void vrs_device_close(vrs_device *device);

/* For a thread that may come back from a library's call after the device was closed: until the
 * matching release a close is put off. Any thread. */
void vrs_device_hold(vrs_device *device);
void vrs_device_release(vrs_device *device);

/* Borrowed; live as long as the device. The choice is one line for the user: "cuda:0 (NVIDIA
 * H200)", "cpu (libcuda.so.1 cannot be opened)": why not a GPU, in a clause. */
const vrs_device_properties *vrs_device_get_properties(const vrs_device *device);
const char *vrs_device_choice(const vrs_device *device);

/* VRS_OK, or VRS_DEVICE_LOST with the first cause. */
vrs_status vrs_device_check(vrs_device *device) VRS_MUST_USE;

/* Books an error that was met outside these calls (by a decoder on the same context) as the loss of
 * the device: from now on every call fails. The first cause is kept. Any thread. */
void vrs_device_set_lost(vrs_device *device, const char *cause);

/* The same of a device that does not answer: its driver is not called any more, not even to give
 * something back, for such a call would not return either. */
void vrs_device_set_hung(vrs_device *device, const char *cause);

/* For others who work on the same GPU (a decoder, an inference library): makes the device's context
 * current on the calling thread until the matching leave. Pairs nest. The other functions of this
 * header do so by themselves. Nothing to do for the CPU. */
vrs_status vrs_device_enter(vrs_device *device) VRS_MUST_USE;
void vrs_device_leave(vrs_device *device);

/* --- Streams ----------------------------------------------------------------------------------
 */

/* Which of two streams goes first where both have work that is ready. */
typedef enum vrs_device_priority { VRS_PRIORITY_NORMAL, VRS_PRIORITY_HIGH } vrs_device_priority;

/* Returns owned. VRS_NO_MEMORY, VRS_DEVICE, VRS_DEVICE_LOST. */
vrs_status vrs_device_stream_create(vrs_device *device, vrs_device_priority priority,
                                    vrs_device_stream **stream) VRS_MUST_USE;

/* What was queued is still done; the memory it uses must stay until then. NULL is fine. */
void vrs_device_stream_destroy(vrs_device_stream *stream);

vrs_device *vrs_device_stream_device(const vrs_device_stream *stream);

/* The driver's CUstream, for others who queue on it; NULL for the CPU. */
void *vrs_device_stream_handle(const vrs_device_stream *stream);

/* What is queued from now on waits for the event, that is for its last record; nothing where it
 * was never recorded. The host does not wait. */
vrs_status vrs_device_stream_wait(vrs_device_stream *stream, vrs_device_event *event) VRS_MUST_USE;

/* --- Events -----------------------------------------------------------------------------------
 */

/* Returns owned. `timed`: vrs_device_event_elapsed() may be asked. VRS_NO_MEMORY, VRS_DEVICE. */
vrs_status vrs_device_event_create(vrs_device *device, bool timed,
                                   vrs_device_event **event) VRS_MUST_USE;
void vrs_device_event_destroy(vrs_device_event *event);

/* The event is done when all that the stream has queued so far is done. */
vrs_status vrs_device_event_record(vrs_device_event *event, vrs_device_stream *stream) VRS_MUST_USE;

/* Sleeps until the event is done; at once where it was never recorded. */
vrs_status vrs_device_event_wait(vrs_device_event *event) VRS_MUST_USE;

/* Whether the event is done, without waiting; true where it was never recorded. */
vrs_status vrs_device_event_query(vrs_device_event *event, bool *done) VRS_MUST_USE;

/* Milliseconds between two timed events, both done. VRS_INVALID: not timed or not recorded. */
vrs_status vrs_device_event_elapsed(vrs_device_event *start, vrs_device_event *end,
                                    double *milliseconds) VRS_MUST_USE;

void *vrs_device_event_handle(const vrs_device_event *event); /* CUevent; NULL for the CPU */

/* --- Copies -----------------------------------------------------------------------------------
 * All are queued and return at once where the host memory is pinned (device/memory.h); with other
 * host memory they are right and slow. Host memory must stay as it is until an event says that the
 * copy is done. Sizes of 0 do nothing. Pitches are bytes between rows, at least row_bytes. */

vrs_status vrs_device_upload(vrs_device_stream *stream, vrs_device_ptr to, const void *from,
                             size_t bytes) VRS_MUST_USE;
vrs_status vrs_device_download(vrs_device_stream *stream, void *to, vrs_device_ptr from,
                               size_t bytes) VRS_MUST_USE;
vrs_status vrs_device_copy(vrs_device_stream *stream, vrs_device_ptr to, vrs_device_ptr from,
                           size_t bytes) VRS_MUST_USE;
vrs_status vrs_device_upload_2d(vrs_device_stream *stream, vrs_device_ptr to, size_t to_pitch,
                                const void *from, size_t from_pitch, size_t row_bytes,
                                size_t rows) VRS_MUST_USE;
vrs_status vrs_device_download_2d(vrs_device_stream *stream, void *to, size_t to_pitch,
                                  vrs_device_ptr from, size_t from_pitch, size_t row_bytes,
                                  size_t rows) VRS_MUST_USE;
vrs_status vrs_device_copy_2d(vrs_device_stream *stream, vrs_device_ptr to, size_t to_pitch,
                              vrs_device_ptr from, size_t from_pitch, size_t row_bytes,
                              size_t rows) VRS_MUST_USE;

/* Sets `bytes` bytes to `value`. */
vrs_status vrs_device_fill(vrs_device_stream *stream, vrs_device_ptr to, uint8_t value,
                           size_t bytes) VRS_MUST_USE;

/* --- Kernels ----------------------------------------------------------------------------------
 */

/* What the compiler made of a kernel for this GPU. */
typedef struct vrs_kernel_properties {
    int32_t block_threads;  /* at most */
    int32_t registers;      /* a thread */
    size_t shared_bytes;    /* fixed, a block */
    size_t local_bytes;     /* a thread: 0, or registers were spilled */
    int32_t binary_version; /* 86: code for compute capability 8.6 */
    int32_t ptx_version;
} vrs_kernel_properties;

/* Finds an embedded kernel by its name ("vrs_preprocess") and loads it; later calls give the same
 * one. Borrowed, lives as long as the device. VRS_NOT_FOUND: no such kernel; the CPU has none. */
vrs_status vrs_device_kernel(vrs_device *device, const char *name,
                             vrs_kernel **kernel) VRS_MUST_USE;
const vrs_kernel_properties *vrs_kernel_get_properties(const vrs_kernel *kernel);

/* Blocks of this kernel that one multiprocessor runs at the same time. */
vrs_status vrs_kernel_occupancy(vrs_kernel *kernel, int32_t block_threads, size_t shared_bytes,
                                int32_t *blocks) VRS_MUST_USE;

/* Queues one launch. `params` is the kernel's only parameter, copied during the call;
 * `shared_bytes` is dynamic shared memory, up to the properties' block_shared_bytes.
 * VRS_INVALID: an empty grid or block, or more than the kernel or the device can have. */
vrs_status vrs_device_launch(vrs_device_stream *stream, vrs_kernel *kernel, const uint32_t grid[3],
                             const uint32_t block[3], uint32_t shared_bytes, const void *params,
                             size_t params_bytes) VRS_MUST_USE;

/* The same for a kernel that waits by itself (PTX: griddepcontrol.wait): where its code is for
 * compute capability 9.0 or later it may begin while launches before it, which let it, end. Until
 * it has waited it writes nothing and reads only what the launch right before it on the stream does
 * not write; what the stream was given before that launch is done. Elsewhere, and behind all that
 * is no launch, it begins as any other does. */
vrs_status vrs_device_launch_waiting(vrs_device_stream *stream, vrs_kernel *kernel,
                                     const uint32_t grid[3], const uint32_t block[3],
                                     uint32_t shared_bytes, const void *params,
                                     size_t params_bytes) VRS_MUST_USE;

/* --- Figures ----------------------------------------------------------------------------------
 */

/* What was asked of the device since it was opened. Any thread. */
typedef struct vrs_device_calls {
    uint64_t allocations, frees; /* raw.h: device and pinned memory, ranges, chunks */
    uint64_t uploads, downloads, copies, fills;
    uint64_t uploaded_bytes, downloaded_bytes, copied_bytes;
    uint64_t launches;
    uint64_t event_records, stream_waits;
    uint64_t host_waits; /* vrs_device_event_wait() */
    uint64_t streams_made, events_made, kernels_loaded;
} vrs_device_calls;

void vrs_device_get_calls(const vrs_device *device, vrs_device_calls *calls);

#endif
