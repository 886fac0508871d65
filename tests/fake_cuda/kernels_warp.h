/* The kernels of views through grids as fake_cuda runs them: by name, on parameters whose addresses
 * this process can read. */
#ifndef VRS_TESTS_FAKE_CUDA_KERNELS_WARP_H
#define VRS_TESTS_FAKE_CUDA_KERNELS_WARP_H

#include <stdint.h>

#include "kernels/cuda/params_warp.h"

void fake_vrs_preprocess_warp(const void *params, const uint32_t grid[3], const uint32_t block[3]);
void fake_vrs_patches(const void *params, const uint32_t grid[3], const uint32_t block[3]);
void fake_vrs_class_patches(const void *params, const uint32_t grid[3], const uint32_t block[3]);

#endif
