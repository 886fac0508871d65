/* Fused preprocessing: a view of a frame, resized, converted to RGB, normalised and laid out as the
 * network wants it, in one pass over the source.
 *
 * Definition (reference/preprocess.c): each source plane is resized to the network's size (chroma
 * by its own scale and siting), then converted to R'G'B' by the colour matrix, clipped to 0..1,
 * (optionally tone-mapped when the source is PQ or HLG), and written as
 * (rgb * 255 - mean) * scale for floats, round(rgb * 255) for bytes. Resizing is linear, so doing
 * it before the conversion gives the same result up to clipping, for a fraction of the work.
 * FP16 is the float rounded to the nearest binary16 (ties to even, too large becomes infinity);
 * INT8 is the float divided by `quantum`, rounded to the nearest integer and cut to -128..127. */
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

/* What the engine's input takes. S2D is 2x2 space-to-depth: a pixel of height / 2 by width / 2
 * holds the four pixels (dy, dx) below it, channel (dy * 2 + dx) * 3 + c, dense as NHWC; both sides
 * are even. NHWC and S2D pixels may be padded with channels of zeros: see `channels`. */
typedef enum vrs_tensor_format {
    VRS_TENSOR_F32_NCHW = 0,
    VRS_TENSOR_F32_NHWC = 1,
    VRS_TENSOR_U8_NHWC = 2, /* codes 0..255; the engine normalises */
    VRS_TENSOR_F16_NCHW = 3,
    VRS_TENSOR_F16_NHWC = 4,
    VRS_TENSOR_I8_NCHW = 5,
    VRS_TENSOR_I8_NHWC = 6,
    VRS_TENSOR_F32_S2D = 7,
    VRS_TENSOR_F16_S2D = 8,
    VRS_TENSOR_I8_S2D = 9,
    VRS_TENSOR_FORMATS = 10, /* how many there are */
} vrs_tensor_format;

typedef enum vrs_tensor_type {
    VRS_TENSOR_F32 = 0,
    VRS_TENSOR_F16 = 1,
    VRS_TENSOR_I8 = 2,
    VRS_TENSOR_U8 = 3,
} vrs_tensor_type;

typedef enum vrs_tensor_layout {
    VRS_TENSOR_NCHW = 0,
    VRS_TENSOR_NHWC = 1,
    VRS_TENSOR_S2D = 2,
} vrs_tensor_layout;

/* The two parts of a format that exists; bytes of an element. */
vrs_tensor_type vrs_tensor_type_of(vrs_tensor_format format);
vrs_tensor_layout vrs_tensor_layout_of(vrs_tensor_format format);
size_t vrs_tensor_element_bytes(vrs_tensor_type type);

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
    int32_t bgr;      /* 1: the network wants B G R */
    float mean[3];    /* in code values 0..255, in the network's channel order */
    float scale[3];   /* multiplied after the mean is taken off */
    float pad;        /* code value of letterbox bars */
    float quantum;    /* of INT8, above 0: what a step of the integer is worth; else not read */
    int32_t channels; /* that a pixel of NHWC or S2D takes, zeros behind the picture's: 3 to 16, or
                         12 to 16. 0: no padding. NCHW: 0 or 3 */
} vrs_preprocess_desc;

typedef struct vrs_preprocess_plan vrs_preprocess_plan;

/* Computes the taps and the matrix once for a stream's view. VRS_INVALID: format that cannot be a
 * source, view outside the image, sizes outside 1..VRS_MAX_SIDE,
 * odd sides with S2D, channels that the format cannot have, INT8 without quantum. VRS_NO_MEMORY.
 * Returns owned. */
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
 * before the scale, FP16 that plus one unit in the last place; bytes and luma: 1. */
typedef void (*vrs_preprocess_fn)(const vrs_preprocess_plan *plan, const vrs_image *image,
                                  void *tensor, uint8_t *luma, void *scratch);

#endif
