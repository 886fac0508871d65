/* Controls of the stand-in libcuda. A test links with the library and opens the same file through
 * VRSEG_CUDA_LIBRARY: the loader gives both the same instance. README.md says what it does.
 *
 * The environment is read when the library is loaded and by fake_cuda_reset(); functions override
 * it until the next reset. All functions: any thread, unless something else is said. */
#ifndef FAKE_CUDA_H
#define FAKE_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_CUDA_API __attribute__((visibility("default")))

/* Back to the state after loading: drops what is pending, gives back what is alive (so ask
 * fake_cuda_leaks() before), clears errors, counters and failures to come, reads the environment
 * again. cuInit() stays called, as it is once in a process. `seed` 0: VRSEG_FAKE_CUDA_SEED. No
 * other thread may be in the library. */
FAKE_CUDA_API void fake_cuda_reset(uint64_t seed);

/* The seed in use: print it first. */
FAKE_CUDA_API uint64_t fake_cuda_seed(void);

/* When deferred work runs. */
typedef enum fake_cuda_mode {
    FAKE_CUDA_SYNC,   /* in calls into the library, in the order that the seed says */
    FAKE_CUDA_THREAD, /* in a thread of the library, whose timing adds to the seed's order */
} fake_cuda_mode;
FAKE_CUDA_API void fake_cuda_set_mode(fake_cuda_mode mode);

FAKE_CUDA_API void fake_cuda_set_devices(int count);     /* 0 to 8 */
FAKE_CUDA_API void fake_cuda_set_name(const char *name); /* "fake" before the number */
FAKE_CUDA_API void fake_cuda_set_capability(int major, int minor);
FAKE_CUDA_API void fake_cuda_set_driver(int version);          /* as 13000 */
FAKE_CUDA_API void fake_cuda_set_image_error(int error);       /* of loading a module; 0: none */
FAKE_CUDA_API void fake_cuda_set_memory(uint64_t bytes);       /* of each device */
FAKE_CUDA_API void fake_cuda_set_other_memory(uint64_t bytes); /* what other processes hold */

/* The n-th call from now (1: the next) of the function `name` ("*": of any; "name@1": in a context
 * of device 1) returns `error` once;
 * a call that gives something back still gives it back, as a real driver does when it reports an
 * earlier error there. Several may be set, up to 16. */
FAKE_CUDA_API void fake_cuda_fail_at(const char *name, uint64_t n, int error);
/* The same, and the device of the calling thread's context is lost from then on: every call there
 * returns `error`, its pending work is dropped, memory can still be given back; when all devices
 * are lost, what is not goes with the last context. */
FAKE_CUDA_API void fake_cuda_lose_at(const char *name, uint64_t n, int error);
/* How many of these have happened. */
FAKE_CUDA_API uint64_t fake_cuda_failures(void);
/* The function that failed last, "" if none. Valid until the next reset. */
FAKE_CUDA_API const char *fake_cuda_failed_name(void);
/* The error that the first of the lost devices is lost by, 0 while none is. */
FAKE_CUDA_API int fake_cuda_sticky(void);

/* Calls of a function since the last reset; "*": of all. */
FAKE_CUDA_API uint64_t fake_cuda_calls(const char *name);

typedef struct fake_cuda_bytes {
    uint64_t to_device, to_host, on_device; /* copied by work that ran */
} fake_cuda_bytes;
FAKE_CUDA_API fake_cuda_bytes fake_cuda_bytes_copied(void);

/* What is alive: allocations (device, pinned, registered), reservations, physical memory, streams,
 * events, modules, graphs and retained contexts. With `text`: their kinds and numbers. */
FAKE_CUDA_API size_t fake_cuda_leaks(char *text, size_t text_bytes);
/* Device memory in use on a device, and the most that was. */
FAKE_CUDA_API uint64_t fake_cuda_used(int device);
FAKE_CUDA_API uint64_t fake_cuda_peak(int device);
/* Operations that have not run yet. */
FAKE_CUDA_API size_t fake_cuda_pending(void);

/* Where the library keeps the bytes of a device address: NULL when they are not all of one live
 * allocation. For other stand-ins and for looking at results. */
FAKE_CUDA_API void *fake_cuda_host(uint64_t address, size_t bytes);

/* A kernel: C in place of device code. Addresses of device memory in `params` (8-byte words at
 * 8-byte offsets) are replaced by addresses that can be read here; one that is not (any more)
 * allocated ends in CUDA_ERROR_ILLEGAL_ADDRESS. Runs once for the whole grid. */
typedef void (*fake_cuda_kernel_fn)(const void *params, const uint32_t grid[3],
                                    const uint32_t block[3]);
/* Adds a kernel to the table that cuModuleGetFunction() finds names in. `name` is borrowed. */
FAKE_CUDA_API void fake_cuda_kernel(const char *name, fake_cuda_kernel_fn fn, size_t params_bytes);

/* For kernels: this launch ends in CUDA_ERROR_ILLEGAL_ADDRESS, as the kernel "fake_fault" does. */
FAKE_CUDA_API void fake_cuda_fault(void);

/* The kernel "fake_affine": dst[i] = dst[i] * factor + term, whose order shows. */
typedef struct fake_affine_params {
    uint64_t dst; /* uint32 */
    uint64_t count;
    uint32_t factor, term;
} fake_affine_params;

/* The kernel "fake_sum": *dst = sum of src. */
typedef struct fake_sum_params {
    uint64_t src, dst; /* uint32 */
    uint64_t count;
} fake_sum_params;

#endif
