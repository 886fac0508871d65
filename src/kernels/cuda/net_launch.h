/* Host side of the kernels that run a network: grids, and which twin of a kernel takes a launch.
 *
 * What they compute stands in params_net.h and, for one element, in net_ops.h, the plain C
 * reference. Tolerance to it: FP32 1e-5 of the largest addend (sums are in another order), FP16
 * that and a unit in the last place; moves, pools of the largest, nearest neighbours, integers:
 * exact.
 *
 * All functions queue on `stream` and return; parameters are copied, memory that they name must
 * stay. Any thread, each on its own stream. They return what vrs_device_launch() does; VRS_INVALID
 * too where there is more to do than a grid holds. */
#ifndef VRS_KERNELS_CUDA_NET_LAUNCH_H
#define VRS_KERNELS_CUDA_NET_LAUNCH_H

#include <stdbool.h>

#include "device/device.h"
#include "kernels/cuda/params_net.h"

/* Elements of axes whose last one counts `last`: most kernels have one for each. */
static inline int64_t vrs_net_elements(const int64_t *dims, int32_t rank, int64_t last)
{
    int64_t count = last;
    for (int32_t axis = 0; axis < rank - 1; axis++)
        count *= dims[axis];
    return count;
}

static inline int64_t vrs_net_pixels(const vrs_net_picture *picture, int32_t batch)
{
    return (int64_t)batch * picture->height * picture->width;
}

typedef struct vrs_net_kernels {
#define VRS_NET_MEMBER(name) vrs_kernel *name;
    VRS_NET_KERNELS(VRS_NET_MEMBER)
#undef VRS_NET_MEMBER
#define VRS_NET_MEMBER(name, params) vrs_kernel *name;
    VRS_NET_FAST_KERNELS(VRS_NET_MEMBER)
#undef VRS_NET_MEMBER
    bool plain; /* for tests: no faster twins */
} vrs_net_kernels;

/* Finds the kernels, borrowed from the device. What vrs_device_kernel() returns. */
vrs_status vrs_net_open(vrs_device *device, vrs_net_kernels *kernels) VRS_MUST_USE;

/* vrs_status vrs_net_map(kernels, stream, params), and so on. */
#define VRS_NET_DECLARE(name)                                                            \
    vrs_status vrs_net_##name(const vrs_net_kernels *kernels, vrs_device_stream *stream, \
                              const vrs_net_##name##_params *params) VRS_MUST_USE;
VRS_NET_KERNELS(VRS_NET_DECLARE)
#undef VRS_NET_DECLARE

#endif
