/* Decoded frames in fixed slots of GPU memory: a decoder's surface is copied once, on the
 * decoder's stream, and goes back to the decoder as soon as that copy is done, by a thread of its
 * own; a frame in host memory is uploaded from a pinned buffer the same way.
 *
 *     vrs_gpu_frames_wait()   a slot is free, and fewer than VRS_GPU_SURFACES copies run
 *     (decode a frame)        at most VRS_GPU_SURFACES surfaces are with us now
 *     vrs_gpu_frames_put()    the copy is queued; the image's event says when it is done
 *
 * So a consumer that keeps its images makes the next wait last, and never the decoder lack
 * surfaces: what it holds back are slots. Nothing waits for the GPU but the one thread that returns
 * surfaces. */
#ifndef VRS_MEDIA_GPU_FRAMES_H
#define VRS_MEDIA_GPU_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include <libavutil/frame.h>

#include "device/device.h"
#include "device/memory.h"
#include "media/source/source_hw.h"
#include "vrseg/image.h"
#include "vrseg/status.h"

/* Surfaces of the decoder that are with us at the same time, at most: those whose copies run, the
 * one that was decoded last among them. A copy takes microseconds, so that more would gain
 * nothing. */
#define VRS_GPU_SURFACES 4
#define VRS_GPU_MAX_SLOTS 1024

typedef struct vrs_gpu_frames vrs_gpu_frames;

typedef struct vrs_gpu_frames_params {
    vrs_device *device; /* CUDA; shared: outlives every image */
    vrs_memory *memory; /* its manager; shared likewise */
    int32_t slots;      /* images that are in use at the same time, at most; 1..VRS_GPU_MAX_SLOTS */
    /* Asked ten times a second while no slot is free; true ends the wait. NULL: never. */
    bool (*stop)(void *opaque);
    void *stop_opaque;
} vrs_gpu_frames_params;

/* Makes stream and thread; slots are made when the first frame shows their size. Borrows `params`.
 * Returns owned. VRS_INVALID: no CUDA device, or no slot; VRS_NO_MEMORY, VRS_SYSTEM, VRS_DEVICE. */
vrs_status vrs_gpu_frames_create(const vrs_gpu_frames_params *params,
                                 vrs_gpu_frames **frames) VRS_MUST_USE;

/* Waits for the copies that run and returns their surfaces. Images may live on. NULL is fine. */
void vrs_gpu_frames_destroy(vrs_gpu_frames *frames);

/* Where a decoder is to decode so that its surfaces can be put here. `frames` must outlive it. */
vrs_hw_place vrs_gpu_frames_place(vrs_gpu_frames *frames);

/* Waits until the next frame may be decoded. VRS_CANCELLED: `stop` said so; VRS_DEVICE_LOST, or the
 * failure of an earlier copy. One thread calls this and the two below. */
vrs_status vrs_gpu_frames_wait(vrs_gpu_frames *frames) VRS_MUST_USE;

/* Makes an image of a hardware frame: NV12 or P010 whose data are addresses of the device, valid on
 * the decoder's stream. Takes `frame`, also on failure; the surface goes back when its copy is
 * done. The image is owned: its release (any thread, also after destroy) makes its slot free.
 * vrs_gpu_frames_wait() must have been called since the last put or upload. VRS_INVALID: the
 * memory's budget does not hold one slot (says what is needed; where it does not hold all, there
 * are fewer); VRS_NO_MEMORY; VRS_DEVICE; VRS_UNSUPPORTED: another pixel format. */
vrs_status vrs_gpu_frames_put(vrs_gpu_frames *frames, AVFrame *frame,
                              vrs_image *image) VRS_MUST_USE;

/* Replaces an image in host memory by the same one on the GPU; the host's is released at once, also
 * on failure, as its bytes go into a pinned buffer first. Otherwise as vrs_gpu_frames_put(). */
vrs_status vrs_gpu_frames_upload(vrs_gpu_frames *frames, vrs_image *image) VRS_MUST_USE;

/* The most copies that were on their way at the same time; any thread. */
int32_t vrs_gpu_frames_most_running(vrs_gpu_frames *frames);

#endif
