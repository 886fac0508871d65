#include "decode_gpu_preprocess.h"

#include <stdlib.h>

#include "device/cuda/cuda.h"
#include "kernels/cuda/preprocess_launch.h"

#define SIDE 512

struct bench_preprocess {
    vrs_device *device;
    vrs_memory *memory;
    vrs_cuda_preprocess kernels;
    vrs_preprocess_plan *plan;
    vrs_preprocess_view view;
    vrs_memory_block *tables, *tensor, *staging;
};

/* Copies the plan's tables to the device; once, before the time is taken. */
static vrs_status upload_tables(bench_preprocess *made)
{
    size_t bytes = vrs_cuda_preprocess_bytes(made->plan);
    vrs_device_stream *stream = NULL;
    vrs_device_event *done = NULL;
    vrs_status status = vrs_memory_alloc(made->memory, VRS_MEMORY_PLACE_PINNED, VRS_MEMORY_TEST,
                                         bytes, &made->staging);
    if (status == VRS_OK) {
        vrs_cuda_preprocess_fill(made->plan, made->staging->host, &made->view);
        status = vrs_device_stream_create(made->device, VRS_PRIORITY_NORMAL, &stream);
    }
    if (status == VRS_OK)
        status = vrs_device_event_create(made->device, false, &done);
    if (status == VRS_OK)
        status = vrs_device_upload(stream, made->tables->address, made->staging->host, bytes);
    if (status == VRS_OK)
        status = vrs_device_event_record(done, stream);
    if (status == VRS_OK)
        status = vrs_device_event_wait(done);
    vrs_device_event_destroy(done);
    vrs_device_stream_destroy(stream);
    return status;
}

static vrs_status prepare(bench_preprocess *made, const vrs_image *image)
{
    const vrs_preprocess_desc desc = {
        .format = image->format,
        .image_width = image->width,
        .image_height = image->height,
        .color = image->color,
        .view = {0, 0, image->width, image->height},
        .width = SIDE,
        .height = SIDE,
        .tensor = VRS_TENSOR_F16_S2D,
        .channels = 16,
        .mean = {123.7F, 116.3F, 103.5F},
        .scale = {0.0171F, 0.0175F, 0.0174F},
    };
    vrs_status status = vrs_cuda_preprocess_open(made->device, &made->kernels);
    if (status == VRS_OK)
        status = vrs_preprocess_plan_create(&desc, &made->plan);
    if (status == VRS_OK) {
        status = vrs_memory_alloc(made->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TEST,
                                  vrs_cuda_preprocess_bytes(made->plan), &made->tables);
    }
    if (status == VRS_OK) {
        status = vrs_memory_alloc(made->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TEST,
                                  vrs_preprocess_tensor_bytes(made->plan), &made->tensor);
    }
    return status == VRS_OK ? upload_tables(made) : status;
}

vrs_status bench_preprocess_create(vrs_device *device, vrs_memory *memory, const vrs_image *image,
                                   bench_preprocess **preprocess)
{
    bench_preprocess *made = calloc(1, sizeof *made);
    if (!made)
        return vrs_fail(VRS_NO_MEMORY, "no memory for a bench");
    made->device = device;
    made->memory = memory;
    *preprocess = made;
    return prepare(made, image);
}

void bench_preprocess_destroy(bench_preprocess *preprocess)
{
    if (preprocess) {
        vrs_memory_free(preprocess->memory, preprocess->staging);
        vrs_memory_free(preprocess->memory, preprocess->tables);
        vrs_memory_free(preprocess->memory, preprocess->tensor);
        vrs_preprocess_plan_destroy(preprocess->plan);
        free(preprocess);
    }
}

vrs_status bench_preprocess_queue(bench_preprocess *preprocess, vrs_device_stream *stream,
                                  const vrs_image *image)
{
    const vrs_cuda_preprocess_item item = {
        .plan = preprocess->plan,
        .view = &preprocess->view,
        .image = image,
        .tables = preprocess->tables->address,
        .tensor = preprocess->tensor->address,
    };
    const vrs_cu_api *driver = vrs_cuda_api(preprocess->device);
    vrs_status status = vrs_device_enter(preprocess->device);
    if (status == VRS_OK) {
        status =
            vrs_cuda_check(preprocess->device,
                           driver->stream_wait(vrs_device_stream_handle(stream), image->ready, 0),
                           "cannot wait for a frame");
        vrs_device_leave(preprocess->device);
    }
    return status == VRS_OK ? vrs_cuda_preprocess_run(&preprocess->kernels, stream, &item, 1)
                            : status;
}
