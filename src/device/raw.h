/* Memory straight from the back end: for device/memory.h, which keeps the budget and the ledger,
 * and for tests and benchmarks. Nobody else allocates. Any thread. All of these may wait for the
 * device inside the driver: never on the way of a frame. */
#ifndef VRS_DEVICE_RAW_H
#define VRS_DEVICE_RAW_H

#include "device/device.h"

/* Device memory, aligned to 256 bytes (the CPU: to VRS_ALIGNMENT), not zeroed. VRS_NO_MEMORY: says
 * how much was asked for and how much is free. `bytes` > 0. */
vrs_status vrs_device_raw_alloc(vrs_device *device, size_t bytes, vrs_device_ptr *ptr) VRS_MUST_USE;
void vrs_device_raw_free(vrs_device *device, vrs_device_ptr ptr); /* 0 is fine */

/* Pinned host memory, aligned to VRS_ALIGNMENT or more, not zeroed; usable with every GPU. */
vrs_status vrs_device_raw_host_alloc(vrs_device *device, size_t bytes, void **block) VRS_MUST_USE;
void vrs_device_raw_host_free(vrs_device *device, void *block); /* NULL is fine */

/* Pins host memory that somebody else allocated, until it is unregistered. Nothing to do for the
 * CPU. VRS_INVALID: it is pinned already. */
vrs_status vrs_device_raw_host_register(vrs_device *device, void *block, size_t bytes) VRS_MUST_USE;
void vrs_device_raw_host_unregister(vrs_device *device, void *block);

/* What the device has free and in all, over all programs. For the CPU: what the kernel calls
 * available. */
vrs_status vrs_device_raw_info(vrs_device *device, size_t *free_bytes,
                               size_t *total_bytes) VRS_MUST_USE;

/* A range of addresses without memory behind it. Sizes and offsets below are multiples of the
 * granularity. Where the properties say no virtual_memory: VRS_UNSUPPORTED. */
vrs_status vrs_device_raw_granularity(vrs_device *device, size_t *bytes) VRS_MUST_USE;
vrs_status vrs_device_raw_reserve(vrs_device *device, size_t bytes,
                                  vrs_device_ptr *range) VRS_MUST_USE;
void vrs_device_raw_unreserve(vrs_device *device, vrs_device_ptr range, size_t bytes);

/* Puts memory behind [at, at + bytes) of a reserved range, readable and writable by the device;
 * nothing of it may be mapped. Unmapped with the same two numbers, when no queued work uses it. */
vrs_status vrs_device_raw_map(vrs_device *device, vrs_device_ptr at, size_t bytes) VRS_MUST_USE;
void vrs_device_raw_unmap(vrs_device *device, vrs_device_ptr at, size_t bytes);

#endif
