/* Fused preprocessing: a view of a frame, resized, converted to RGB, normalised and laid out as the
 * network wants it, in one pass over the source.
 *
 * Definition (reference/preprocess.c): each source plane is resized to the network's size (chroma
 * by its own scale and siting), then converted to R'G'B' by the colour matrix, clipped to 0..1,
 * (optionally tone-mapped when the source is PQ or HLG), and written as
 * (rgb * 255 - mean) * scale for floats, round(rgb * 255) for bytes. Resizing is linear, so doing
 * it before the conversion gives the same result up to clipping, for a fraction of the work. */
#ifndef VRS_KERNELS_PREPROCESS_H
#define VRS_KERNELS_PREPROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "vrseg/image.h"
#include "vrseg/status.h"

typedef enum vrs_resize {
    VRS_RESIZE_AREA = 0,     /* mean over the output pixel's exact box; bilinear where enlarging */
    VRS_RESIZE_BILINEAR = 1, /* two taps an axis, half-pixel centres, not antialiased */
} vrs_resize;

typedef enum vrs_fit {
    VRS_FIT_STRETCH = 0,
    VRS_FIT_LETTERBOX = 1, /* aspect kept, centred, the rest filled with `pad` */
} vrs_fit;

/* What the engine's input takes. */
typedef enum vrs_tensor_format {
    VRS_TENSOR_F32_NCHW = 0,
    VRS_TENSOR_F32_NHWC = 1,
    VRS_TENSOR_U8_NHWC = 2, /* codes 0..255; the engine normalises */
} vrs_tensor_format;

typedef struct vrs_preprocess_desc {
    /* source */
    vrs_pixel_format format;
    int32_t image_width, image_height;
    vrs_color color;
    vrs_rect view; /* inside the image */
    /* network */
    int32_t width, height;
    vrs_resize resize;
    vrs_fit fit;
    vrs_tensor_format tensor;
    int32_t bgr;    /* 1: the network wants B G R */
    float mean[3];  /* in code values 0..255, in the network's channel order */
    float scale[3]; /* multiplied after the mean is taken off */
    float pad;      /* code value of letterbox bars */
} vrs_preprocess_desc;

typedef struct vrs_preprocess_plan vrs_preprocess_plan;

/* Computes the taps and the matrix once for a stream's view. VRS_INVALID: format that cannot be a
 * source, view outside the image, sizes outside 1..VRS_MAX_SIDE. VRS_NO_MEMORY. Returns owned. */
vrs_status vrs_preprocess_plan_create(const vrs_preprocess_desc *desc,
                                      vrs_preprocess_plan **plan) VRS_MUST_USE;
void vrs_preprocess_plan_destroy(vrs_preprocess_plan *plan);

/* Bytes of scratch memory (64-byte aligned) that a call needs. */
size_t vrs_preprocess_scratch(const vrs_preprocess_plan *plan);

/* The rectangle of the network's picture that holds the view (all of it, or inside the bars). */
vrs_rect vrs_preprocess_content(const vrs_preprocess_plan *plan);

/* Bytes of the tensor that one view fills. */
size_t vrs_preprocess_tensor_bytes(const vrs_preprocess_plan *plan);

/* Fills `tensor` (one view) from `image`, which has the plan's format and size; any strides. Where
 * `luma` is not NULL it gets the full-range 8-bit luma of the resized view, width x height, stride
 * = width: the guide of the refinement. Float tolerance to the reference: 1e-5 of full range
 * before the scale; bytes and luma: 1. */
typedef void (*vrs_preprocess_fn)(const vrs_preprocess_plan *plan, const vrs_image *image,
                                  void *tensor, uint8_t *luma, void *scratch);

#endif
