/* The kernels of steady masks as fake_cuda runs them; as kernels_postprocess.h. */
#ifndef VRS_TESTS_FAKE_CUDA_KERNELS_STEADY_H
#define VRS_TESTS_FAKE_CUDA_KERNELS_STEADY_H

#include <stdint.h>

#define FAKE_STEADY_KERNELS(X) \
    X(vrs_steady_halve)        \
    X(vrs_steady_coarse)       \
    X(vrs_steady_fine)         \
    X(vrs_steady_follow)       \
    X(vrs_steady_follow_four)

#define FAKE_STEADY_DECLARE(name) \
    void fake_##name(const void *params, const uint32_t grid[3], const uint32_t block[3]);
FAKE_STEADY_KERNELS(FAKE_STEADY_DECLARE)
#undef FAKE_STEADY_DECLARE

#endif
