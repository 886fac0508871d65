/* Speed of the CUDA postprocess kernels, for bench/kernels_cuda.c. */
#ifndef VRS_BENCH_KERNELS_CUDA_POSTPROCESS_H
#define VRS_BENCH_KERNELS_CUDA_POSTPROCESS_H

#include "device/device.h"

/* Microseconds of one call, by the device's clock: `run` queues a call on the bench's stream, on
 * set `rotation` of its data. */
typedef double (*bench_timer)(void (*run)(void *ctx, int rotation), void *ctx);
/* Takes one figure: bytes that must move at least (in and out once), and what it took. */
typedef void (*bench_report)(const char *name, double bytes, double us);

/* Measures all; 0, or 1 after a message on standard error. */
int bench_cuda_postprocess(vrs_device *device, vrs_device_stream *stream, bench_timer timer,
                           bench_report report);

#endif
