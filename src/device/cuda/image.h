/* The device code that the build embedded: a fat binary for each .cu file. */
#ifndef VRS_DEVICE_CUDA_IMAGE_H
#define VRS_DEVICE_CUDA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

typedef struct vrs_cuda_image {
    const void *data; /* a zero byte follows, as PTX wants */
    uint64_t size;
} vrs_cuda_image;

/* Without nvcc at the build there are none. */
extern const vrs_cuda_image vrs_cuda_images[];
extern const uint64_t vrs_cuda_image_count;

/* The architectures as words: "sm_90a, and newer than 7.5 by PTX". Empty without images. */
extern const char vrs_cuda_image_archs[];

#endif
