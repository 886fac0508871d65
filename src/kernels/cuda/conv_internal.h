/* What the files of conv_launch.h share. */
#ifndef VRS_KERNELS_CUDA_CONV_INTERNAL_H
#define VRS_KERNELS_CUDA_CONV_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/cuda/conv_launch.h"

/* Bytes of the sums of a pair of tiles: 256 pixels, 256 channels. */
#define VRS_TAPS_SLOT_BYTES ((size_t)256 * 256 * sizeof(float))

/* Largest tensor, in elements: indices and the copy engine's coordinates stay below 2^31. */
#define VRS_CONV_ELEMENTS_MAX INT64_C(0x40000000)

/* Dynamic shared memory of vrs_conv_mma: three stages of 128 rows of 32 halves of both operands. */
#define VRS_CONV_MMA_SHARED (3 * 2 * 128 * 64)

static inline int32_t vrs_conv_parts(int32_t count, int32_t size)
{
    return (count + size - 1) / size;
}

/* Channels of 8-bit integers as halves: as such they are copied, and steps of 64 halves counted. */
static inline int32_t vrs_conv_halves(int32_t channels, bool i8)
{
    return i8 ? channels / 2 : channels;
}

/* Describes halves for the copy engine: `rank` sizes, the innermost first, `strides` in bytes of
 * all but the innermost, and the box that one copy takes, whose innermost 64 elements are put into
 * rows of 128 bytes with exchanged 16-byte parts. Outside are zeros. */
vrs_status vrs_conv_map_encode(vrs_device *device, vrs_conv_map *map, vrs_device_ptr address,
                               uint32_t rank, const uint64_t *sizes, const uint64_t *strides,
                               const uint32_t *box) VRS_MUST_USE;

#endif
