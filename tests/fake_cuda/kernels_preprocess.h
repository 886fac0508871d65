/* The preprocess kernels as fake_cuda runs them: by name, on parameters whose addresses this
 * process can read. */
#ifndef VRS_TESTS_FAKE_CUDA_KERNELS_PREPROCESS_H
#define VRS_TESTS_FAKE_CUDA_KERNELS_PREPROCESS_H

#include <stdint.h>

#include "kernels/cuda/preprocess_launch.h"

#define FAKE_PREPROCESS_DECLARE(name) \
    void fake_##name(const void *params, const uint32_t grid[3], const uint32_t block[3]);
VRS_PREPROCESS_KERNELS(FAKE_PREPROCESS_DECLARE)
#undef FAKE_PREPROCESS_DECLARE

#endif
