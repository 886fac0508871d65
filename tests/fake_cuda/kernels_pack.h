/* The kernels that make frames for players, as fake_cuda runs them: by the C reference. */
#ifndef VRS_TESTS_FAKE_CUDA_KERNELS_PACK_H
#define VRS_TESTS_FAKE_CUDA_KERNELS_PACK_H

#include <stdint.h>

void fake_vrs_pack(const void *params, const uint32_t grid[3], const uint32_t block[3]);
void fake_vrs_unroll(const void *params, const uint32_t grid[3], const uint32_t block[3]);

#endif
