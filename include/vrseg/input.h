/* Frames out of files, decoded and made ready for a network: for training and for tools. Part of
 * libvrseg-media. */
#ifndef VRSEG_INPUT_H
#define VRSEG_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "image.h"
#include "layout.h"
#include "model.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An open input. One thread at a time. */
typedef struct vrs_input vrs_input;

typedef struct vrs_input_info {
    vrs_pixel_format format;
    int32_t width, height;                /* as stored; see rotation */
    int32_t rotation;                     /* clockwise degrees to show it upright */
    int32_t time_base_num, time_base_den; /* of pts and duration */
    int32_t rate_num, rate_den;           /* average frame rate; 0/1: unknown */
    int64_t frame_estimate;               /* -1: unknown */
    bool still; /* pictures: each may have its own format and size; those above are the first's */
    char description[128]; /* "h264 1280x720 yuv420p 25 fps" */
} vrs_input_info;

/* Opens a file, a folder of pictures, a camera or "-", as a job does, and decodes the first frame
 * on the CPU. Of the config (vrs_job_config_create()) decoder_threads, raw_format and max_frames
 * count. Borrows both. Returns owned. VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO, VRS_NO_MEMORY;
 * VRS_INVALID: an empty file, a folder without pictures, a wrong raw_format; VRS_FORMAT: nothing
 * that libav reads; VRS_UNSUPPORTED: no video in it, or no decoder; VRS_CORRUPT: not one frame can
 * be decoded. */
VRS_API vrs_status vrs_input_open(const vrs_config *config, const char *path,
                                  vrs_input **input) VRS_MUST_USE;
/* NULL is fine. Images that were read stay. */
VRS_API void vrs_input_close(vrs_input *input);

VRS_API void vrs_input_get_info(const vrs_input *input, vrs_input_info *info);

/* How the frames lie: by the options layout and projection of the config (which may be another one
 * than it was opened with), the container, the file's name and the first picture, each with its
 * reason (layout.h). Of folders of pictures only options and name say anything. The layout's mesh
 * lives as long as the input. VRS_INVALID: an option is wrong, or the frame cannot be divided as it
 * says; VRS_UNSUPPORTED: projection=mesh, and there is none. */
VRS_API vrs_status vrs_input_get_layout(const vrs_input *input, const vrs_config *config,
                                        vrs_layout_reading *layout) VRS_MUST_USE;

/* Reads the next frame; its image is the caller's (vrs_image_release()), in host memory; `id`
 * counts from 0. What is damaged is passed over and counted. VRS_END: after the last one, from then
 * on always. VRS_IO, VRS_NO_MEMORY: the image is without planes. */
VRS_API vrs_status vrs_input_read(vrs_input *input, vrs_frame *frame) VRS_MUST_USE;

/* Frames and packets so far that are damaged or missing. */
VRS_API uint64_t vrs_input_damaged(const vrs_input *input);

/* A network's picture: (code - mean) * scale of codes 0..255, in its order of colours. */
typedef struct vrs_input_tensor {
    int32_t width, height;   /* each 1..VRS_MAX_SIDE */
    bool bilinear;           /* two taps an axis; false: the mean over each pixel's box */
    bool letterbox;          /* aspect kept, the rest filled with `pad`; false: stretched */
    bool bgr;                /* B G R */
    bool bytes;              /* codes as height x width x 3 bytes, without mean and scale; false:
                              * floats as 3 x height x width */
    float mean[3], scale[3]; /* in the order of colours */
    float pad;               /* code value */
} vrs_input_tensor;

/* As a model's descriptor says; floats. */
VRS_API void vrs_input_tensor_of(const vrs_model *model, vrs_input_tensor *tensor);

/* Reads the next frame and writes it as a tensor of width x height x 3 floats or bytes, in one pass
 * over its pixels, by the kernels that the pipeline uses. `frame` gets all but the image; NULL:
 * nobody asks. Errors of vrs_input_read(); VRS_INVALID: sides or scale that there are not. After
 * an error the content of `data` is undefined. */
VRS_API vrs_status vrs_input_read_tensor(vrs_input *input, const vrs_input_tensor *tensor,
                                         void *data, vrs_frame *frame) VRS_MUST_USE;

/* Writes one picture in host memory as PNG, in place of `path` at once: GRAY8, RGB24; BGRA without
 * its alpha, YUV formats converted to RGB, YUVA ones with alpha. Borrows. VRS_NO_SPACE, VRS_IO,
 * VRS_PERMISSION, VRS_NOT_FOUND, VRS_INVALID, VRS_NO_MEMORY. Any thread. */
VRS_API vrs_status vrs_image_write_png(const vrs_image *image, const char *path) VRS_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
