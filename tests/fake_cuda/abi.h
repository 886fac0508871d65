/* What the stand-in needs of NVIDIA's driver interface: types, numbers and layouts as the public
 * documentation of the CUDA driver API (13.0) has them. Written down a second time on purpose: a
 * mistake in src/device/cuda/api.h shows as a failing test instead of being shared. */
#ifndef FAKE_CUDA_ABI_H
#define FAKE_CUDA_ABI_H

#include <stddef.h>
#include <stdint.h>

typedef int cu_result;
typedef uint64_t cu_ptr;
typedef struct fake_context *cu_context;
typedef struct fake_stream *cu_stream;
typedef struct fake_event *cu_event;
typedef struct fake_module *cu_module;
typedef struct fake_function *cu_function;
typedef struct fake_graph *cu_graph;
typedef struct fake_exec *cu_exec;

enum {
    CU_SUCCESS = 0,
    CU_INVALID_VALUE = 1,
    CU_OUT_OF_MEMORY = 2,
    CU_NOT_INITIALIZED = 3,
    CU_NO_DEVICE = 100,
    CU_INVALID_DEVICE = 101,
    CU_INVALID_CONTEXT = 201,
    CU_NO_BINARY_FOR_GPU = 209,
    CU_INVALID_HANDLE = 400,
    CU_NOT_FOUND = 500,
    CU_NOT_READY = 600,
    CU_ILLEGAL_ADDRESS = 700,
    CU_ALREADY_REGISTERED = 712,
    CU_NOT_REGISTERED = 713,
    CU_LAUNCH_FAILED = 719,
    CU_NOT_PERMITTED = 800,
    CU_NOT_SUPPORTED = 801,
    CU_CAPTURE_UNSUPPORTED = 900,
    CU_CAPTURE_INVALIDATED = 901,
    CU_CAPTURE_UNMATCHED = 903,
    CU_CAPTURE_UNJOINED = 904,
    CU_CAPTURE_ISOLATION = 905,
    CU_CAPTURED_EVENT = 907,
    CU_UNKNOWN = 999,
};

enum { CU_STREAM_NON_BLOCKING = 1, CU_EVENT_DISABLE_TIMING = 2 };
enum { CU_MEMORY_HOST = 1, CU_MEMORY_DEVICE = 2, CU_MEMORY_ARRAY = 3, CU_MEMORY_UNIFIED = 4 };

/* CUtensorMapDataType, CUtensorMapSwizzle */
enum { CU_TENSOR_MAP_FLOAT16 = 6, CU_TENSOR_MAP_SWIZZLE_128 = 3 };

typedef struct cu_copy_2d {
    size_t src_x, src_y;
    int src_type;
    const void *src_host;
    cu_ptr src_device;
    void *src_array;
    size_t src_pitch;
    size_t dst_x, dst_y;
    int dst_type;
    void *dst_host;
    cu_ptr dst_device;
    void *dst_array;
    size_t dst_pitch;
    size_t width, height;
} cu_copy_2d;
_Static_assert(sizeof(cu_copy_2d) == 128, "CUDA_MEMCPY2D_v2");

typedef struct cu_location {
    int type, id; /* type 1: a device */
} cu_location;

typedef struct cu_allocation_prop {
    int type; /* 1: pinned, the only one there is */
    int handle_types;
    cu_location location;
    void *win32;
    uint8_t flags[8];
} cu_allocation_prop;
_Static_assert(sizeof(cu_allocation_prop) == 32, "CUmemAllocationProp");

typedef struct cu_access {
    cu_location location;
    int flags; /* 3: read and write */
} cu_access;

typedef struct cu_launch_config {
    unsigned grid[3], block[3], shared_bytes;
    cu_stream stream;
    void *attributes;
    unsigned attribute_count;
} cu_launch_config;
_Static_assert(sizeof(cu_launch_config) == 56, "CUlaunchConfig");

/* Words of cuLaunchKernel's last argument. */
#define CU_EXTRA_END ((void *)0)
#define CU_EXTRA_POINTER ((void *)1)
#define CU_EXTRA_SIZE ((void *)2)

typedef void (*cu_host_fn)(void *data);

#endif
