/* The CUDA back end's objects; private to cuda/. */
#ifndef VRS_DEVICE_CUDA_CUDA_DEVICE_H
#define VRS_DEVICE_CUDA_CUDA_DEVICE_H

#include "base/alloc.h"
#include "device/backend.h"
#include "device/cuda/cuda.h"

/* Modules of one device, at most: an image each. */
#define VRS_CUDA_MODULES 64

typedef struct vrs_cuda_device {
    vrs_device base;
    const vrs_cu_api *api;
    vrs_cu_device ordinal;
    vrs_cu_context context;
    int priority_high; /* the number that the driver gives the most urgent streams */
    size_t granularity;
    int32_t module_count;
    vrs_cu_module modules[VRS_CUDA_MODULES];
    char *file; /* VRSEG_CUDA_IMAGE's content, or NULL */
} vrs_cuda_device;

typedef struct vrs_cuda_stream {
    vrs_device_stream base;
    vrs_cu_stream handle;
} vrs_cuda_stream;

typedef struct vrs_cuda_event {
    vrs_device_event base;
    vrs_cu_event handle;
} vrs_cuda_event;

typedef struct vrs_cuda_kernel {
    vrs_kernel base;
    vrs_cu_function function;
    _Atomic size_t dynamic_bytes; /* shared memory that it may be launched with */
    size_t params_offset;         /* of its parameter in the launch's buffer */
} vrs_cuda_kernel;

/* The result of a call that a test's failure injection refused. */
#define VRS_CU_INJECTED (-1)

/* `call` (through the api), unless the test's failure injection refuses it; the second for calls
 * that take memory. */
#define VRS_CU_TRY(call) (vrs_inject("cuda") ? (call) : VRS_CU_INJECTED)
#define VRS_CU_TRY_MEMORY(call) (vrs_inject("cuda memory") ? (call) : VRS_CU_OUT_OF_MEMORY)

static inline vrs_cuda_device *vrs_cuda(vrs_device *device)
{
    return (vrs_cuda_device *)device;
}

/* cuda_device.c: around every call that wants a current context. */
vrs_status vrs_cuda_enter(vrs_device *device) VRS_MUST_USE;
void vrs_cuda_leave(vrs_device *device);

/* The same for what gives back: after a loss the driver refuses, and has taken everything back with
 * the context, so that false is no failure. */
bool vrs_cuda_enter_quietly(vrs_cuda_device *device);

/* driver.c: opens the driver at the first call, keeps it for the life of the process, starts it.
 * Any thread. VRS_MISSING, VRS_UNSUPPORTED: too old. VRS_DEVICE: it does not start; with no GPU
 * that it may use, VRS_MISSING. */
vrs_status vrs_cuda_driver(const vrs_cu_api **api, int *version) VRS_MUST_USE;

/* driver.c: "CUDA_ERROR_X (words)" of a result. Static or borrowed from the driver. */
const char *vrs_cuda_words(const vrs_cu_api *api, vrs_cu_result result, char text[256]);

/* memory.c */
vrs_status vrs_cuda_alloc(vrs_device *device, size_t bytes, vrs_device_ptr *ptr);
void vrs_cuda_free(vrs_device *device, vrs_device_ptr ptr);
vrs_status vrs_cuda_host_alloc(vrs_device *device, size_t bytes, void **block);
void vrs_cuda_host_free(vrs_device *device, void *block);
vrs_status vrs_cuda_host_register(vrs_device *device, void *block, size_t bytes);
void vrs_cuda_host_unregister(vrs_device *device, void *block);
vrs_status vrs_cuda_info(vrs_device *device, size_t *free_bytes, size_t *total_bytes);
vrs_status vrs_cuda_granularity(vrs_device *device, size_t *bytes);
vrs_status vrs_cuda_reserve(vrs_device *device, size_t bytes, vrs_device_ptr *range);
void vrs_cuda_unreserve(vrs_device *device, vrs_device_ptr range, size_t bytes);
vrs_status vrs_cuda_map(vrs_device *device, vrs_device_ptr at, size_t bytes);
void vrs_cuda_unmap(vrs_device *device, vrs_device_ptr at, size_t bytes);

/* stream.c */
vrs_status vrs_cuda_stream_create(vrs_device *device, vrs_device_priority priority,
                                  vrs_device_stream **stream);
void vrs_cuda_stream_destroy(vrs_device_stream *stream);
void *vrs_cuda_stream_handle(const vrs_device_stream *stream);
vrs_status vrs_cuda_stream_wait(vrs_device_stream *stream, vrs_device_event *event);
vrs_status vrs_cuda_event_create(vrs_device *device, bool timed, vrs_device_event **event);
void vrs_cuda_event_destroy(vrs_device_event *event);
void *vrs_cuda_event_handle(const vrs_device_event *event);
vrs_status vrs_cuda_event_record(vrs_device_event *event, vrs_device_stream *stream);
vrs_status vrs_cuda_event_wait(vrs_device_event *event);
vrs_status vrs_cuda_event_query(vrs_device_event *event, bool *done);
vrs_status vrs_cuda_event_elapsed(vrs_device_event *start, vrs_device_event *end, double *ms);
vrs_status vrs_cuda_copy(vrs_device_stream *stream, const vrs_copy *copy);
vrs_status vrs_cuda_fill(vrs_device_stream *stream, vrs_device_ptr to, uint8_t value, size_t bytes);

/* kernel.c */
vrs_status vrs_cuda_load_modules(vrs_cuda_device *device) VRS_MUST_USE;
void vrs_cuda_unload_modules(vrs_cuda_device *device);
vrs_status vrs_cuda_kernel_find(vrs_device *device, const char *name, vrs_kernel **kernel);
void vrs_cuda_kernel_destroy(vrs_kernel *kernel);
vrs_status vrs_cuda_occupancy(vrs_kernel *kernel, int32_t block_threads, size_t shared_bytes,
                              int32_t *blocks);
vrs_status vrs_cuda_launch(vrs_device_stream *stream, vrs_kernel *kernel, const vrs_launch *launch);

#endif
