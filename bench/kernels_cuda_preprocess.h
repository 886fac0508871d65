/* Speed of the CUDA preprocess kernels, for bench/kernels_cuda.c. */
#ifndef VRS_BENCH_KERNELS_CUDA_PREPROCESS_H
#define VRS_BENCH_KERNELS_CUDA_PREPROCESS_H

#include "kernels_cuda_postprocess.h"

/* Measures all; 0, or 1 after a message on standard error. */
int bench_cuda_preprocess(vrs_device *device, vrs_device_stream *stream, bench_timer timer,
                          bench_report report);

#endif
