/* The fused preprocess of bench/decode_gpu.c: 512x512, FP16, as the reference network wants it. */
#ifndef VRS_BENCH_DECODE_GPU_PREPROCESS_H
#define VRS_BENCH_DECODE_GPU_PREPROCESS_H

#include "device/device.h"
#include "device/memory.h"
#include "vrseg/image.h"

typedef struct bench_preprocess bench_preprocess;

/* Returns owned, for images like `image`. */
vrs_status bench_preprocess_create(vrs_device *device, vrs_memory *memory, const vrs_image *image,
                                   bench_preprocess **preprocess);
void bench_preprocess_destroy(bench_preprocess *preprocess);

/* Lets the stream wait for the image and queues its preprocess. */
vrs_status bench_preprocess_queue(bench_preprocess *preprocess, vrs_device_stream *stream,
                                  const vrs_image *image);

#endif
