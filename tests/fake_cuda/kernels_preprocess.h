/* The preprocess kernels as fake_cuda runs them: by name, on parameters whose addresses this
 * process can read. */
#ifndef VRS_TESTS_FAKE_CUDA_KERNELS_PREPROCESS_H
#define VRS_TESTS_FAKE_CUDA_KERNELS_PREPROCESS_H

#include <stdint.h>

#include "kernels/cuda/preprocess_launch.h"

void fake_vrs_preprocess(const void *params, const uint32_t grid[3], const uint32_t block[3]);
void fake_vrs_preprocess_fast(const void *params, const uint32_t grid[3], const uint32_t block[3]);
void fake_vrs_preprocess_whole(const void *params, const uint32_t grid[3], const uint32_t block[3]);

#endif
