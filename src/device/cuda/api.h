/* The part of the CUDA driver's API that vrseg uses, declared here so that building needs no
 * toolkit. Names, argument lists and numbers are those of cuda.h 13.0, which the driver keeps
 * compatible within a version of a symbol (the _v2 suffixes are part of the names).
 *
 * Nothing here waits for a device or a context: the host waits for events alone. */
#ifndef VRS_DEVICE_CUDA_API_H
#define VRS_DEVICE_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

/* Name that dlopen() is given; VRSEG_CUDA_LIBRARY in the environment replaces it. */
#define VRS_CUDA_LIBRARY "libcuda.so.1"

/* Lowest result of cuDriverGetVersion(), and the driver that first has it. PTX and code of the
 * toolkit that builds the kernels load on no older one. */
#define VRS_CUDA_VERSION_MIN 13000
#define VRS_CUDA_DRIVER_MIN "580"

/* CUresult: zero is success, the others are positive. */
typedef int vrs_cu_result;

/* CUresult values that are told apart. */
enum {
    VRS_CU_SUCCESS = 0,
    VRS_CU_INVALID_VALUE = 1,
    VRS_CU_OUT_OF_MEMORY = 2,
    VRS_CU_NOT_INITIALIZED = 3,
    VRS_CU_DEINITIALIZED = 4,
    VRS_CU_NO_DEVICE = 100,
    VRS_CU_INVALID_DEVICE = 101,
    VRS_CU_INVALID_IMAGE = 200,
    VRS_CU_INVALID_CONTEXT = 201,
    VRS_CU_NO_BINARY_FOR_GPU = 209,
    VRS_CU_ECC_UNCORRECTABLE = 214,
    VRS_CU_INVALID_PTX = 218,
    VRS_CU_NVLINK_UNCORRECTABLE = 220,
    VRS_CU_JIT_COMPILER_NOT_FOUND = 221,
    VRS_CU_UNSUPPORTED_PTX_VERSION = 222,
    VRS_CU_CONTAINED = 226,
    VRS_CU_INVALID_HANDLE = 400,
    VRS_CU_NOT_FOUND = 500,
    VRS_CU_NOT_READY = 600,
    VRS_CU_ILLEGAL_ADDRESS = 700,
    VRS_CU_LAUNCH_TIMEOUT = 702,
    VRS_CU_CONTEXT_IS_DESTROYED = 709,
    VRS_CU_ASSERT = 710,
    VRS_CU_HOST_MEMORY_ALREADY_REGISTERED = 712,
    VRS_CU_HARDWARE_STACK_ERROR = 714,
    VRS_CU_ILLEGAL_INSTRUCTION = 715,
    VRS_CU_MISALIGNED_ADDRESS = 716,
    VRS_CU_INVALID_ADDRESS_SPACE = 717,
    VRS_CU_INVALID_PC = 718,
    VRS_CU_LAUNCH_FAILED = 719,
    VRS_CU_TENSOR_MEMORY_LEAK = 721,
    VRS_CU_SYSTEM_NOT_READY = 802,
    VRS_CU_SYSTEM_DRIVER_MISMATCH = 803,
    VRS_CU_EXTERNAL_DEVICE = 911,
    VRS_CU_UNKNOWN = 999,
};

typedef int vrs_cu_device;
typedef uint64_t vrs_cu_ptr; /* CUdeviceptr */
typedef uint64_t vrs_cu_mem; /* CUmemGenericAllocationHandle */

/* The tags of cuda.h, so that handles may be handed to others who include it. */
typedef struct CUctx_st *vrs_cu_context;
typedef struct CUstream_st *vrs_cu_stream;
typedef struct CUevent_st *vrs_cu_event;
typedef struct CUmod_st *vrs_cu_module;
typedef struct CUlib_st *vrs_cu_library;
typedef struct CUfunc_st *vrs_cu_function;
typedef struct CUkern_st *vrs_cu_kernel;
typedef struct CUgraph_st *vrs_cu_graph;
typedef struct CUgraphExec_st *vrs_cu_graph_exec;
typedef struct CUgraphNode_st *vrs_cu_graph_node;
typedef struct CUmemPoolHandle_st *vrs_cu_pool;

/* CUdevice_attribute */
enum {
    VRS_CU_MAX_THREADS_PER_BLOCK = 1,
    VRS_CU_CLOCK_RATE = 13, /* kHz */
    VRS_CU_MULTIPROCESSOR_COUNT = 16,
    VRS_CU_INTEGRATED = 18,
    VRS_CU_CAN_MAP_HOST_MEMORY = 19,
    VRS_CU_COMPUTE_MODE = 20,
    VRS_CU_PCI_BUS_ID = 33,
    VRS_CU_PCI_DEVICE_ID = 34,
    VRS_CU_MEMORY_CLOCK_RATE = 36, /* kHz */
    VRS_CU_MEMORY_BUS_WIDTH = 37,  /* bits */
    VRS_CU_L2_CACHE_SIZE = 38,
    VRS_CU_ASYNC_ENGINE_COUNT = 40,
    VRS_CU_UNIFIED_ADDRESSING = 41,
    VRS_CU_PCI_DOMAIN_ID = 50,
    VRS_CU_COMPUTE_CAPABILITY_MAJOR = 75,
    VRS_CU_COMPUTE_CAPABILITY_MINOR = 76,
    VRS_CU_MAX_SHARED_PER_SM = 81,
    VRS_CU_MAX_SHARED_PER_BLOCK_OPTIN = 97,
    VRS_CU_VIRTUAL_MEMORY_SUPPORTED = 102,
    VRS_CU_MEMORY_POOLS_SUPPORTED = 115,
};

/* CUcomputemode: nobody may make a context. */
enum { VRS_CU_COMPUTEMODE_PROHIBITED = 2 };

/* Flags */
enum {
    VRS_CU_STREAM_NON_BLOCKING = 1,
    VRS_CU_EVENT_BLOCKING_SYNC = 1, /* who waits for it sleeps */
    VRS_CU_EVENT_DISABLE_TIMING = 2,
    VRS_CU_HOST_ALLOC_PORTABLE = 1,
    VRS_CU_HOST_REGISTER_PORTABLE = 1,
    VRS_CU_CTX_SCHED_BLOCKING_SYNC = 4,
    VRS_CU_CAPTURE_THREAD_LOCAL = 1, /* CUstreamCaptureMode */
};

/* CUfunction_attribute */
enum {
    VRS_CU_FUNC_MAX_THREADS_PER_BLOCK = 0,
    VRS_CU_FUNC_SHARED_BYTES = 1,
    VRS_CU_FUNC_LOCAL_BYTES = 3, /* a thread */
    VRS_CU_FUNC_NUM_REGS = 4,
    VRS_CU_FUNC_PTX_VERSION = 5,
    VRS_CU_FUNC_BINARY_VERSION = 6, /* 86 for sm_86; from PTX too, once compiled */
    VRS_CU_FUNC_MAX_DYNAMIC_SHARED_BYTES = 8,
    VRS_CU_FUNC_SHARED_CARVEOUT = 9, /* percent of what could be shared memory */
};

/* CUpointer_attribute: CUmemorytype and the base of a range */
enum { VRS_CU_POINTER_MEMORY_TYPE = 2, VRS_CU_POINTER_RANGE_START = 11 };

/* cuLaunchKernel()'s `extra`: {POINTER, params, SIZE, &bytes, END}. The driver copies the bytes
 * during the call; a parameter lies where cuFuncGetParamInfo() says, which is not at 0 where its
 * alignment is stricter than that of all parameters' place. vrseg launches in this way alone, so
 * that a stand-in knows how many there are.
 */
#define VRS_CU_LAUNCH_PARAM_END ((void *)0)
#define VRS_CU_LAUNCH_PARAM_BUFFER_POINTER ((void *)1)
#define VRS_CU_LAUNCH_PARAM_BUFFER_SIZE ((void *)2)

/* CUlaunchConfig and the one CUlaunchAttribute that is used: the kernel waits by itself. */
enum { VRS_CU_LAUNCH_SERIALIZATION = 6 };
typedef struct vrs_cu_launch_attribute {
    int id, padding;
    int allowed, rest[15];
} vrs_cu_launch_attribute;
_Static_assert(sizeof(vrs_cu_launch_attribute) == 72, "CUlaunchAttribute");

typedef struct vrs_cu_launch_config {
    unsigned grid[3], block[3], shared_bytes;
    vrs_cu_stream stream;
    vrs_cu_launch_attribute *attributes;
    unsigned attribute_count;
} vrs_cu_launch_config;
_Static_assert(sizeof(vrs_cu_launch_config) == 56, "CUlaunchConfig");

/* CUmemorytype */
enum { VRS_CU_MEMORY_HOST = 1, VRS_CU_MEMORY_DEVICE = 2 };

/* CUDA_MEMCPY2D: the address of a side counts by its memory type; x in bytes. */
typedef struct vrs_cu_copy_2d {
    size_t src_x, src_y;
    int src_type;
    const void *src_host;
    vrs_cu_ptr src_device;
    void *src_array;
    size_t src_pitch;
    size_t dst_x, dst_y;
    int dst_type;
    void *dst_host;
    vrs_cu_ptr dst_device;
    void *dst_array;
    size_t dst_pitch;
    size_t width_bytes, height;
} vrs_cu_copy_2d;

_Static_assert(sizeof(vrs_cu_copy_2d) == 128, "CUDA_MEMCPY2D");

/* CUmemLocation; type 1 is a device. */
typedef struct vrs_cu_location {
    int type;
    int id;
} vrs_cu_location;

enum { VRS_CU_LOCATION_DEVICE = 1 };
enum { VRS_CU_ALLOCATION_PINNED = 1 };                        /* CUmemAllocationType */
enum { VRS_CU_ACCESS_READ_WRITE = 3 };                        /* CUmemAccess_flags */
enum { VRS_CU_GRANULARITY_MINIMUM, VRS_CU_GRANULARITY_BEST }; /* CUmemAllocationGranularity_flags */

/* CUmemAllocationProp */
typedef struct vrs_cu_mem_prop {
    int type;
    int requested_handle_types;
    vrs_cu_location location;
    void *win32_meta_data;
    uint8_t compression_type, gpu_direct_rdma;
    uint16_t usage;
    uint8_t reserved[4];
} vrs_cu_mem_prop;

_Static_assert(sizeof(vrs_cu_mem_prop) == 32, "CUmemAllocationProp");

/* CUmemAccessDesc */
typedef struct vrs_cu_access {
    vrs_cu_location location;
    int flags;
} vrs_cu_access;

_Static_assert(sizeof(vrs_cu_access) == 12, "CUmemAccessDesc");

/* X(name, symbol, arguments): all return vrs_cu_result. `name` is the member of vrs_cu_api. */
#define VRS_CUDA_FUNCTIONS(X)                                                                      \
    X(init, cuInit, (unsigned flags))                                                              \
    X(driver_version, cuDriverGetVersion, (int *version))                                          \
    X(error_name, cuGetErrorName, (vrs_cu_result, const char **text))                              \
    X(error_text, cuGetErrorString, (vrs_cu_result, const char **text))                            \
    X(device_count, cuDeviceGetCount, (int *count))                                                \
    X(device_get, cuDeviceGet, (vrs_cu_device *, int number))                                      \
    X(device_name, cuDeviceGetName, (char *name, int size, vrs_cu_device))                         \
    X(device_uuid, cuDeviceGetUuid_v2, (uint8_t uuid[16], vrs_cu_device))                          \
    X(device_attribute, cuDeviceGetAttribute, (int *value, int attribute, vrs_cu_device))          \
    X(device_memory, cuDeviceTotalMem_v2, (size_t * bytes, vrs_cu_device))                         \
    X(context_retain, cuDevicePrimaryCtxRetain, (vrs_cu_context *, vrs_cu_device))                 \
    X(context_release, cuDevicePrimaryCtxRelease_v2, (vrs_cu_device))                              \
    X(context_push, cuCtxPushCurrent_v2, (vrs_cu_context))                                         \
    X(context_pop, cuCtxPopCurrent_v2, (vrs_cu_context *))                                         \
    X(context_current, cuCtxGetCurrent, (vrs_cu_context *))                                        \
    X(stream_priorities, cuCtxGetStreamPriorityRange, (int *least, int *greatest))                 \
    X(memory_info, cuMemGetInfo_v2, (size_t * free, size_t * total))                               \
    X(memory_alloc, cuMemAlloc_v2, (vrs_cu_ptr *, size_t bytes))                                   \
    X(memory_free, cuMemFree_v2, (vrs_cu_ptr))                                                     \
    X(memory_alloc_async, cuMemAllocAsync, (vrs_cu_ptr *, size_t bytes, vrs_cu_stream))            \
    X(memory_free_async, cuMemFreeAsync, (vrs_cu_ptr, vrs_cu_stream))                              \
    X(pool_default, cuDeviceGetDefaultMemPool, (vrs_cu_pool *, vrs_cu_device))                     \
    X(pool_trim, cuMemPoolTrimTo, (vrs_cu_pool, size_t bytes_kept))                                \
    X(pool_set, cuMemPoolSetAttribute, (vrs_cu_pool, int attribute, void *value))                  \
    X(granularity, cuMemGetAllocationGranularity,                                                  \
      (size_t * bytes, const vrs_cu_mem_prop *, int which))                                        \
    X(range_reserve, cuMemAddressReserve,                                                          \
      (vrs_cu_ptr *, size_t bytes, size_t alignment, vrs_cu_ptr wanted, unsigned long long flags)) \
    X(range_free, cuMemAddressFree, (vrs_cu_ptr, size_t bytes))                                    \
    X(chunk_create, cuMemCreate,                                                                   \
      (vrs_cu_mem *, size_t bytes, const vrs_cu_mem_prop *, unsigned long long flags))             \
    X(chunk_release, cuMemRelease, (vrs_cu_mem))                                                   \
    X(chunk_map, cuMemMap,                                                                         \
      (vrs_cu_ptr, size_t bytes, size_t offset, vrs_cu_mem, unsigned long long flags))             \
    X(chunk_unmap, cuMemUnmap, (vrs_cu_ptr, size_t bytes))                                         \
    X(chunk_access, cuMemSetAccess,                                                                \
      (vrs_cu_ptr, size_t bytes, const vrs_cu_access *, size_t count))                             \
    X(host_alloc, cuMemHostAlloc, (void **, size_t bytes, unsigned flags))                         \
    X(host_free, cuMemFreeHost, (void *))                                                          \
    X(host_register, cuMemHostRegister_v2, (void *, size_t bytes, unsigned flags))                 \
    X(host_unregister, cuMemHostUnregister, (void *))                                              \
    X(pointer_attribute, cuPointerGetAttribute, (void *value, int attribute, vrs_cu_ptr))          \
    X(upload, cuMemcpyHtoDAsync_v2, (vrs_cu_ptr, const void *, size_t bytes, vrs_cu_stream))       \
    X(download, cuMemcpyDtoHAsync_v2, (void *, vrs_cu_ptr, size_t bytes, vrs_cu_stream))           \
    X(copy, cuMemcpyDtoDAsync_v2, (vrs_cu_ptr, vrs_cu_ptr, size_t bytes, vrs_cu_stream))           \
    X(copy_2d, cuMemcpy2DAsync_v2, (const vrs_cu_copy_2d *, vrs_cu_stream))                        \
    X(fill_8, cuMemsetD8Async, (vrs_cu_ptr, unsigned char value, size_t count, vrs_cu_stream))     \
    X(fill_32, cuMemsetD32Async, (vrs_cu_ptr, unsigned value, size_t count, vrs_cu_stream))        \
    X(stream_create, cuStreamCreateWithPriority, (vrs_cu_stream *, unsigned flags, int priority))  \
    X(stream_destroy, cuStreamDestroy_v2, (vrs_cu_stream))                                         \
    X(stream_query, cuStreamQuery, (vrs_cu_stream))                                                \
    X(stream_wait, cuStreamWaitEvent, (vrs_cu_stream, vrs_cu_event, unsigned flags))               \
    X(event_create, cuEventCreate, (vrs_cu_event *, unsigned flags))                               \
    X(event_destroy, cuEventDestroy_v2, (vrs_cu_event))                                            \
    X(event_record, cuEventRecord, (vrs_cu_event, vrs_cu_stream))                                  \
    X(event_query, cuEventQuery, (vrs_cu_event))                                                   \
    X(event_wait, cuEventSynchronize, (vrs_cu_event)) /* the host waits for one event */           \
    X(event_elapsed, cuEventElapsedTime, (float *ms, vrs_cu_event start, vrs_cu_event end))        \
    X(module_load, cuModuleLoadData, (vrs_cu_module *, const void *image))                         \
    X(module_unload, cuModuleUnload, (vrs_cu_module))                                              \
    X(module_function, cuModuleGetFunction, (vrs_cu_function *, vrs_cu_module, const char *name))  \
    X(library_load, cuLibraryLoadData,                                                             \
      (vrs_cu_library *, const void *image, int *jit_options, void **jit_values,                   \
       unsigned jit_count, int *options, void **values, unsigned count))                           \
    X(library_unload, cuLibraryUnload, (vrs_cu_library))                                           \
    X(library_kernel, cuLibraryGetKernel, (vrs_cu_kernel *, vrs_cu_library, const char *name))     \
    X(kernel_function, cuKernelGetFunction, (vrs_cu_function *, vrs_cu_kernel))                    \
    X(function_load, cuFuncLoad, (vrs_cu_function)) /* at once instead of at the first launch */   \
    X(function_attribute, cuFuncGetAttribute, (int *value, int attribute, vrs_cu_function))        \
    X(function_set, cuFuncSetAttribute, (vrs_cu_function, int attribute, int value))               \
    X(param_info, cuFuncGetParamInfo,                                                              \
      (vrs_cu_function, size_t index, size_t * offset, size_t * bytes))                            \
    X(occupancy, cuOccupancyMaxActiveBlocksPerMultiprocessor,                                      \
      (int *blocks, vrs_cu_function, int block_threads, size_t shared_bytes))                      \
    X(launch, cuLaunchKernel,                                                                      \
      (vrs_cu_function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,       \
       unsigned block_y, unsigned block_z, unsigned shared_bytes, vrs_cu_stream, void **params,    \
       void **extra))                                                                              \
    X(launch_config, cuLaunchKernelEx,                                                             \
      (const vrs_cu_launch_config *, vrs_cu_function, void **params, void **extra))                \
    X(tensor_map, cuTensorMapEncodeTiled,                                                          \
      (void *map, int type, uint32_t rank, vrs_cu_ptr address, const uint64_t *sizes,              \
       const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,        \
       int swizzle, int promotion, int fill))                                                      \
    X(capture_begin, cuStreamBeginCapture_v2, (vrs_cu_stream, int mode))                           \
    X(capture_end, cuStreamEndCapture, (vrs_cu_stream, vrs_cu_graph *))                            \
    X(graph_instantiate, cuGraphInstantiateWithFlags,                                              \
      (vrs_cu_graph_exec *, vrs_cu_graph, unsigned long long flags))                               \
    X(graph_launch, cuGraphLaunch, (vrs_cu_graph_exec, vrs_cu_stream))                             \
    X(graph_upload, cuGraphUpload, (vrs_cu_graph_exec, vrs_cu_stream))                             \
    X(graph_exec_destroy, cuGraphExecDestroy, (vrs_cu_graph_exec))                                 \
    X(graph_destroy, cuGraphDestroy, (vrs_cu_graph))

typedef struct vrs_cu_api {
#define VRS_CU_FIELD(name, symbol, arguments) vrs_cu_result(*name) arguments;
    VRS_CUDA_FUNCTIONS(VRS_CU_FIELD)
#undef VRS_CU_FIELD
} vrs_cu_api;

#endif
