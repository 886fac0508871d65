/* The convolution kernels as fake_cuda runs them: by name, on parameters whose addresses this
 * process can read. */
#ifndef VRS_TESTS_FAKE_CUDA_KERNELS_CONV_H
#define VRS_TESTS_FAKE_CUDA_KERNELS_CONV_H

#include <stdint.h>

#define FAKE_CONV_POINT_KERNELS(X)     \
    X(vrs_conv_point_sm90)             \
    X(vrs_conv_point_add_sm90)         \
    X(vrs_conv_point_add8_sm90)        \
    X(vrs_conv_point_f16_i8_sm90)      \
    X(vrs_conv_point_f16_i8_add_sm90)  \
    X(vrs_conv_point_f16_i8_add8_sm90) \
    X(vrs_conv_point_i8_f16_sm90)      \
    X(vrs_conv_point_i8_f16_add_sm90)  \
    X(vrs_conv_point_i8_f16_add8_sm90) \
    X(vrs_conv_point_i8_i8_sm90)       \
    X(vrs_conv_point_i8_i8_add_sm90)   \
    X(vrs_conv_point_i8_i8_add8_sm90)

#define FAKE_CONV_DECLARE(name) \
    void fake_##name(const void *params, const uint32_t grid[3], const uint32_t block[3]);
FAKE_CONV_DECLARE(vrs_conv_mma)
FAKE_CONV_DECLARE(vrs_conv_f32)
FAKE_CONV_DECLARE(vrs_conv_point)
FAKE_CONV_DECLARE(vrs_conv_taps)
FAKE_CONV_DECLARE(vrs_conv_taps_sum)
FAKE_CONV_DECLARE(vrs_stem)
#undef FAKE_CONV_DECLARE

#endif
