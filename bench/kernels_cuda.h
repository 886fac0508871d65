/* What the parts of bench_kernels_cuda share: timing by the device's clock, rows of figures. */
#ifndef VRS_BENCH_KERNELS_CUDA_H
#define VRS_BENCH_KERNELS_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/cuda/api.h"
#include "device/device.h"
#include "support.h"

/* Calls of a round; each works on a set of data of its own, or sets come in turn. The bytes that a
 * round's calls move must be more than BENCH_COLD_BYTES, or the second-level cache is measured. */
#define BENCH_CALLS 64
#define BENCH_COLD_BYTES ((size_t)120 << 20)

typedef struct bench_cuda bench_cuda;

/* One figure: what is called, beside a copy kernel that moves as many bytes in and out. */
typedef struct bench_call {
    const char *name;                     /* "group/what it is, B8" */
    void (*run)(void *ctx, int rotation); /* queues a call on the stream, on the rotation's data */
    void *ctx;
    double bytes;       /* that must move at least: in and out once */
    double times_floor; /* target: at most so many times as long as those bytes take; 0: none */
    double most_us;     /* or in microseconds; 0: none */
} bench_call;

vrs_device *bench_cuda_device(const bench_cuda *bench);
vrs_device_stream *bench_cuda_stream(const bench_cuda *bench);

/* Device memory, filled with random bytes, each of which is `mask`ed as 64-bit words. It lives as
 * long as the program. */
vrs_device_ptr bench_cuda_random(const bench_cuda *bench, size_t bytes, uint64_t mask);

/* One of the bench's own kernels (kernels_cuda_naive.cu), and a launch of it on the stream; its
 * only parameter is a struct. */
vrs_cu_function bench_cuda_function(const bench_cuda *bench, const char *name);
void bench_cuda_launch(const bench_cuda *bench, vrs_cu_function function, const uint32_t grid[3],
                       uint32_t threads, const void *params, size_t bytes);

/* Waits for all that the stream was given. */
void bench_cuda_finish(const bench_cuda *bench);

/* Whether rows of this name are wanted (--only). */
bool bench_cuda_wants(const bench_cuda *bench, const char *name);

/* Measures a call and prints its row, where it is wanted. */
void bench_cuda_measure(bench_cuda *bench, const bench_call *call);

/* The parts. */
void bench_cuda_preprocess(bench_cuda *bench);
void bench_cuda_postprocess(bench_cuda *bench);
void bench_cuda_pack(bench_cuda *bench);
void bench_cuda_steady(bench_cuda *bench);

#endif
