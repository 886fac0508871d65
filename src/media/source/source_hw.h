/* Decoding on the GPU: libav's hardware frames (NVDEC) on a context and a stream of ours.
 *
 * libav asks choose_format() before the first frame and wherever the video changes its size or
 * profile. Where the hardware cannot go on, the answer there is no format at all: that packet
 * fails, and the reader drains this decoder, opens one for the CPU and gives it the same packet. So
 * no frame is lost or out of order, and the CPU's decoder has its own number of threads. */
#ifndef VRS_MEDIA_SOURCE_HW_H
#define VRS_MEDIA_SOURCE_HW_H

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/avcodec.h>

#include "vrseg/status.h"

/* Where to decode. The handles are the driver's and are borrowed. */
typedef struct vrs_hw_place {
    void *context; /* CUcontext; NULL: the CPU decodes */
    void *stream;  /* CUstream that frames come out on and are copied on */
    int32_t
        surfaces; /* that the caller holds at the same time, at most. libav is told to have so
                   * many beyond its own: it fails when its surfaces run out, it does not wait */
    bool (*lost)(void *opaque); /* whether the GPU itself is lost; then the last error says so */
    /* Around the making of a decoder, by the thread that reads: `expected` bytes of the GPU's
     * memory are about to be taken (VRS_NO_MEMORY: they are not to be had, and there is no end);
     * they are taken (VRS_INVALID: more than there may be); all are given back. NULL: nobody keeps
     * books. */
    vrs_status (*taking)(void *opaque, uint64_t expected);
    vrs_status (*taken)(void *opaque);
    void (*given)(void *opaque);
    void *opaque;
} vrs_hw_place;

/* Zeroed: the CPU decodes. */
typedef struct vrs_hw {
    AVBufferRef *device; /* libav's; NULL: the CPU decodes */
    vrs_hw_place place;
    bool refused;  /* set by choose_format(): the hardware cannot go on */
    bool taking;   /* between place.taking() and place.taken() */
    bool took;     /* place.given() is owed */
    char why[256]; /* if it does not decode: what it lacks; "" otherwise */
} vrs_hw;

/* The decoder of `id` that can use the hardware, or NULL. */
const AVCodec *vrs_hw_find_decoder(enum AVCodecID id);

/* Makes libav's device of the place. Nothing is decoded yet. VRS_NO_MEMORY; VRS_UNSUPPORTED: this
 * libav has no CUDA or finds no driver (hw->why says it). */
vrs_status vrs_hw_open(vrs_hw *hw, const vrs_hw_place *place) VRS_MUST_USE;
/* After the decoder, whose memory counts as given back then. */
void vrs_hw_close(vrs_hw *hw);

/* Prepares a context, before it is opened: one thread, our device, our surfaces. `hw` must live as
 * long as the context. VRS_NO_MEMORY. */
vrs_status vrs_hw_set_up(vrs_hw *hw, AVCodecContext *decoder) VRS_MUST_USE;

/* To be called after each call that may have made a decoder: it is booked. VRS_INVALID: it took
 * more memory than the budget has. */
vrs_status vrs_hw_settle(vrs_hw *hw) VRS_MUST_USE;

/* Applies what libav leaves to the reader for hardware frames: cropping at the left and the top. */
void vrs_hw_crop(AVFrame *frame);

/* Copies a hardware frame into host memory, with its times and colours: for the rare frames that
 * must be converted. The decoder's stream is waited for. Takes nothing; `out` is owned.
 * VRS_NO_MEMORY, VRS_DEVICE. */
vrs_status vrs_hw_download(const AVFrame *frame, AVFrame **out) VRS_MUST_USE;

#endif
