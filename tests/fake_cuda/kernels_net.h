/* The kernels of a network on the stand-in driver. */
#ifndef FAKE_CUDA_KERNELS_NET_H
#define FAKE_CUDA_KERNELS_NET_H

#include <stdint.h>

#include "kernels/cuda/params_net.h"

#define FAKE_NET_DECLARE(name) \
    void fake_vrs_net_##name(const void *params, const uint32_t grid[3], const uint32_t block[3]);
VRS_NET_KERNELS(FAKE_NET_DECLARE)
#undef FAKE_NET_DECLARE

#endif
