/* Parameters of the bench's own kernels (kernels_cuda_naive.cu), valid in C and CUDA. */
#ifndef VRS_BENCH_KERNELS_CUDA_NAIVE_H
#define VRS_BENCH_KERNELS_CUDA_NAIVE_H

#include <stdint.h>

/* bench_copy: blocks of 256 threads. */
typedef struct bench_copy_params {
    uint64_t from, to; /* 16-byte aligned */
    uint64_t words;    /* of 16 bytes */
} bench_copy_params;

/* bench_to_float, bench_resize, bench_normalize, bench_to_half: preprocessing as one kernel for
 * each step. x: blocks of 128 columns, y: rows, z: views, which lie `*_step` bytes apart. */
typedef struct bench_naive_params {
    uint64_t frames, frame_step;   /* NV12, dense */
    uint64_t large, large_step;    /* float R, G, B planes of the frame's size */
    uint64_t small, small_step;    /* likewise of the network's size */
    uint64_t tensors, tensor_step; /* FP16, 8 channels */
    int32_t width, height, to_width, to_height;
    float mean[3], scale[3];
} bench_naive_params;

#endif
