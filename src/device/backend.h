/* What a back end of device.h and raw.h implements. The front has checked the arguments and that
 * the device is not lost; a back end assumes both. Functions without a status cannot fail in a way
 * that the caller could do anything about. */
#ifndef VRS_DEVICE_BACKEND_H
#define VRS_DEVICE_BACKEND_H

#include <stdatomic.h>

#include "base/thread.h"
#include "device/device.h"
#include "device/raw.h"

/* Which sides of a copy lie in the device's memory. */
typedef enum vrs_copy_kind { VRS_COPY_UPLOAD, VRS_COPY_DOWNLOAD, VRS_COPY_DEVICE } vrs_copy_kind;

/* `rows` rows of `row_bytes`; one row where the pitches do not count. A side that lies on the host
 * is its pointer's number. */
typedef struct vrs_copy {
    vrs_copy_kind kind;
    vrs_device_ptr to, from;
    size_t to_pitch, from_pitch;
    size_t row_bytes, rows;
} vrs_copy;

typedef struct vrs_launch {
    const uint32_t *grid, *block;
    uint32_t shared_bytes;
    const void *params;
    size_t params_bytes;
    bool waits; /* see vrs_device_launch_waiting() */
} vrs_launch;

typedef struct vrs_device_ops {
    void (*close)(vrs_device *device);
    vrs_status (*enter)(vrs_device *device);
    void (*leave)(vrs_device *device);
    vrs_status (*stream_create)(vrs_device *device, vrs_device_priority priority,
                                vrs_device_stream **stream);
    void (*stream_destroy)(vrs_device_stream *stream);
    void *(*stream_handle)(const vrs_device_stream *stream);
    vrs_status (*stream_wait)(vrs_device_stream *stream, vrs_device_event *event);
    vrs_status (*event_create)(vrs_device *device, bool timed, vrs_device_event **event);
    void (*event_destroy)(vrs_device_event *event);
    void *(*event_handle)(const vrs_device_event *event);
    vrs_status (*event_record)(vrs_device_event *event, vrs_device_stream *stream);
    vrs_status (*event_wait)(vrs_device_event *event);
    vrs_status (*event_query)(vrs_device_event *event, bool *done);
    vrs_status (*event_elapsed)(vrs_device_event *start, vrs_device_event *end, double *ms);
    vrs_status (*copy)(vrs_device_stream *stream, const vrs_copy *copy);
    vrs_status (*fill)(vrs_device_stream *stream, vrs_device_ptr to, uint8_t value, size_t bytes);
    vrs_status (*kernel)(vrs_device *device, const char *name, vrs_kernel **kernel);
    void (*kernel_destroy)(vrs_kernel *kernel);
    vrs_status (*occupancy)(vrs_kernel *kernel, int32_t block_threads, size_t shared_bytes,
                            int32_t *blocks);
    vrs_status (*launch)(vrs_device_stream *stream, vrs_kernel *kernel, const vrs_launch *launch);
    vrs_status (*alloc)(vrs_device *device, size_t bytes, vrs_device_ptr *ptr);
    void (*free)(vrs_device *device, vrs_device_ptr ptr);
    vrs_status (*host_alloc)(vrs_device *device, size_t bytes, void **block);
    void (*host_free)(vrs_device *device, void *block);
    vrs_status (*host_register)(vrs_device *device, void *block, size_t bytes);
    void (*host_unregister)(vrs_device *device, void *block);
    vrs_status (*info)(vrs_device *device, size_t *free_bytes, size_t *total_bytes);
    vrs_status (*granularity)(vrs_device *device, size_t *bytes);
    vrs_status (*reserve)(vrs_device *device, size_t bytes, vrs_device_ptr *range);
    void (*unreserve)(vrs_device *device, vrs_device_ptr range, size_t bytes);
    vrs_status (*map)(vrs_device *device, vrs_device_ptr at, size_t bytes);
    void (*unmap)(vrs_device *device, vrs_device_ptr at, size_t bytes);
} vrs_device_ops;

typedef enum vrs_device_counter {
    VRS_COUNT_ALLOCATIONS,
    VRS_COUNT_FREES,
    VRS_COUNT_UPLOADS, /* the three kinds of copies in the order of vrs_copy_kind */
    VRS_COUNT_DOWNLOADS,
    VRS_COUNT_COPIES,
    VRS_COUNT_UPLOADED_BYTES,
    VRS_COUNT_DOWNLOADED_BYTES,
    VRS_COUNT_COPIED_BYTES,
    VRS_COUNT_FILLS,
    VRS_COUNT_LAUNCHES,
    VRS_COUNT_EVENT_RECORDS,
    VRS_COUNT_STREAM_WAITS,
    VRS_COUNT_HOST_WAITS,
    VRS_COUNT_STREAMS,
    VRS_COUNT_EVENTS,
    VRS_COUNT_KERNELS,
    VRS_COUNTERS
} vrs_device_counter;

/* Every back end's objects begin with these. The front fills them after the back end has made one.
 */
struct vrs_device {
    const vrs_device_ops *ops;
    vrs_device_properties properties;
    char choice[VRS_DETAIL_SIZE];
    vrs_mutex mutex;     /* of `kernels` and `cause` */
    vrs_kernel *kernels; /* all that were looked up */
    char cause[VRS_DETAIL_SIZE];
    atomic_bool lost; /* set after `cause` */
    _Atomic uint64_t counts[VRS_COUNTERS];
    _Atomic int64_t live; /* streams and events */
    atomic_bool hung;     /* the driver is not called any more */
    _Atomic int32_t held; /* by whom a close is put off */
};

struct vrs_device_stream {
    vrs_device *device;
};

struct vrs_device_event {
    vrs_device *device;
    bool timed;
    atomic_bool recorded;
};

struct vrs_kernel {
    vrs_device *device;
    vrs_kernel *next;
    char name[64];
    vrs_kernel_properties properties;
};

/* Open a device of the kind: the number counts GPUs. The device's mutex and `ops` and `properties`
 * are set. */
vrs_status vrs_device_cpu_open(vrs_device **device) VRS_MUST_USE;
vrs_status vrs_device_cuda_open(int32_t number, vrs_device **device) VRS_MUST_USE;

/* GPUs that the driver shows. The errors of vrs_device_open(). */
vrs_status vrs_device_cuda_count(int32_t *count) VRS_MUST_USE;

#endif
