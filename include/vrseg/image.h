/* Images and frames: pixels, where they lie, what colours they mean, and whose they are. */
#ifndef VRSEG_IMAGE_H
#define VRSEG_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VRS_MAX_PLANES 4
/* Largest width and height that are accepted anywhere. */
#define VRS_MAX_SIDE 32768
/* Most views of a frame. */
#define VRS_MAX_VIEWS 16

/* Numbers are never changed. 10-bit samples are 16-bit little-endian words: in the low bits for
 * *10, in the high bits for P010. Chroma of 4:2:0 images has (width + 1) / 2 by (height + 1) / 2.
 */
typedef enum vrs_pixel_format {
    VRS_FORMAT_NONE = 0,
    VRS_FORMAT_YUV420P = 1,    /* 8 bits, planes Y U V */
    VRS_FORMAT_NV12 = 2,       /* 8 bits, planes Y UV */
    VRS_FORMAT_P010 = 3,       /* 10 bits, planes Y UV */
    VRS_FORMAT_YUV420P10 = 4,  /* 10 bits, planes Y U V */
    VRS_FORMAT_RGB24 = 5,      /* 8 bits, R G B */
    VRS_FORMAT_BGRA = 6,       /* 8 bits, B G R A; alpha is ignored where it is read */
    VRS_FORMAT_GRAY8 = 7,      /* masks: 0 background, 255 person; or class indices */
    VRS_FORMAT_GRAY10 = 8,     /* masks: 0..1023 */
    VRS_FORMAT_YUVA420P = 9,   /* 8 bits, planes Y U V A */
    VRS_FORMAT_YUVA420P10 = 10 /* 10 bits, planes Y U V A */
} vrs_pixel_format;

/* Matrix coefficients by their ITU-T H.273 numbers. */
typedef enum vrs_matrix {
    VRS_MATRIX_RGB = 0,
    VRS_MATRIX_BT709 = 1,
    VRS_MATRIX_UNKNOWN = 2, /* BT.709 from 720 lines on, BT.601 below */
    VRS_MATRIX_BT601 = 6,
    VRS_MATRIX_BT2020 = 9,
} vrs_matrix;

typedef enum vrs_range {
    VRS_RANGE_UNKNOWN = 0, /* limited for YUV, full for RGB and masks */
    VRS_RANGE_LIMITED = 1,
    VRS_RANGE_FULL = 2,
} vrs_range;

/* Transfer characteristics by their H.273 numbers; only those that change what is done. */
typedef enum vrs_transfer {
    VRS_TRANSFER_UNKNOWN = 2, /* as SDR */
    VRS_TRANSFER_BT709 = 1,
    VRS_TRANSFER_PQ = 16,
    VRS_TRANSFER_HLG = 18,
} vrs_transfer;

/* Where the 4:2:0 chroma sample lies: left = between two lines, above the left luma pair's first
 * column (MPEG-2, the default); center = JPEG and MPEG-1; top left = BT.2020. */
typedef enum vrs_chroma_site {
    VRS_CHROMA_UNKNOWN = 0, /* as left */
    VRS_CHROMA_LEFT = 1,
    VRS_CHROMA_CENTER = 2,
    VRS_CHROMA_TOP_LEFT = 3,
} vrs_chroma_site;

typedef struct vrs_color {
    vrs_matrix matrix;
    vrs_range range;
    vrs_transfer transfer;
    vrs_chroma_site chroma_site;
    int32_t primaries; /* H.273 number, passed through */
} vrs_color;

/* Where the pixels lie. In host memory planes are pointers that the CPU follows. In CUDA memory
 * they are device addresses (CUdeviceptr) of the primary context of GPU `device`: the host never
 * follows them. */
typedef enum vrs_memory_kind {
    VRS_MEMORY_HOST = 0,
    VRS_MEMORY_CUDA = 1,
} vrs_memory_kind;

/* A rectangle in pixels, origin top left. */
typedef struct vrs_rect {
    int32_t x, y, width, height;
} vrs_rect;

/* Pixels and their meaning. Plane i starts at planes[i], row y of it strides[i] * y bytes further;
 * strides may be negative. `release(opaque)` is called once, from any thread, when vrseg is done
 * with an image that it took; NULL: nothing to do. For pixels on a GPU that is when all work that
 * reads them has finished, not when it was queued.
 *
 * Whoever reads pixels on a GPU waits for `ready`: it queues a wait for that event on the stream
 * that reads them (cuStreamWaitEvent), so that no thread waits. The one who made the image records
 * the event after the last write and keeps it until the release. */
typedef struct vrs_image {
    vrs_pixel_format format;
    int32_t width, height;
    uint8_t *planes[VRS_MAX_PLANES];
    ptrdiff_t strides[VRS_MAX_PLANES];
    vrs_color color;
    vrs_memory_kind memory;
    int32_t device; /* ordinal of the GPU; 0 in host memory */
    void *ready;    /* event (CUevent of `device`) that makes the pixels valid; NULL: valid now */
    void (*release)(void *opaque);
    void *opaque;
} vrs_image;

typedef struct vrs_layout vrs_layout; /* layout.h */

/* An image and who it is. */
typedef struct vrs_frame {
    vrs_image image;
    uint32_t stream;     /* below VRS_MAX_STREAMS */
    int32_t priority;    /* 1 (the highest) to the option priority_levels; 0: the default level */
    int64_t id;          /* the caller's number, carried to the result; never looked at */
    int64_t pts;         /* in the caller's time base, carried to the result */
    int64_t duration;    /* same unit; 0: unknown */
    int64_t capture_ns;  /* vrs_now_ns() at capture; 0: unknown */
    int64_t deadline_ns; /* when the result is wanted, by vrs_now_ns(); 0: capture (or submission)
                          * and the option latency_target_us; without that at no certain time */
    uint32_t view_count; /* 0: the whole image is one view */
    vrs_rect views[VRS_MAX_VIEWS];
    /* How eyes and directions lie in the image (layout.h), where the options layout and projection
     * do not say it; borrowed until a stream's first frame was submitted, later ones have the same.
     * NULL: as the options say. */
    const vrs_layout *layout;
} vrs_frame;

#define VRS_MAX_STREAMS 64

/* Checks that an image lies in host memory, its format, size (1..VRS_MAX_SIDE), plane pointers,
 * that |stride| holds a row and stride * rows fits an address, and that 16-bit samples lie at even
 * addresses. VRS_INVALID names what is wrong. Any thread. */
VRS_API vrs_status vrs_image_check(const vrs_image *image) VRS_MUST_USE;

/* The same of an image in memory of `kind`, on GPU `device` (ignored for host memory). VRS_INVALID
 * also when it lies elsewhere: nothing is copied for a caller who did not ask for it. Any thread.
 */
VRS_API vrs_status vrs_image_check_in(const vrs_image *image, vrs_memory_kind kind,
                                      int32_t device) VRS_MUST_USE;

/* Returns owned: a zeroed image with 64-byte aligned rows in host memory; its release frees it; an
 * image without planes on failure. VRS_INVALID: unknown format or a side outside 1..VRS_MAX_SIDE.
 * VRS_NO_MEMORY. */
VRS_API vrs_status vrs_image_alloc(vrs_image *image, vrs_pixel_format format, int32_t width,
                                   int32_t height) VRS_MUST_USE;

/* Calls and clears the release callback. NULL and released images are fine. */
VRS_API void vrs_image_release(vrs_image *image);

VRS_API const char *vrs_pixel_format_name(vrs_pixel_format format);

#ifdef __cplusplus
}
#endif
#endif
