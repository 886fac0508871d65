/* Sources: where frames come from. One thread reads a source. */
#ifndef VRS_MEDIA_SOURCE_H
#define VRS_MEDIA_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "media/source/source_layout.h"
#include "vrseg/image.h"
#include "vrseg/status.h"

typedef struct vrs_source vrs_source;

/* What is known when a source is open. It stays as it is while the source is read. */
typedef struct vrs_stream_info {
    vrs_pixel_format format; /* YUV420P, NV12, P010, YUV420P10; RGB24 and BGRA where the stored
                              * pixels are R, G, B (pictures, screen recordings) */
    int32_t width, height;   /* as stored; see rotation */
    vrs_color color;
    int32_t time_base_num, time_base_den; /* of pts and duration */
    int32_t rate_num, rate_den;           /* average frame rate; 0/1: unknown */
    int32_t aspect_num, aspect_den;       /* of a pixel; 0/1: unknown */
    int32_t rotation;       /* clockwise degrees to show it upright: 0, 90, 180, 270 */
    int64_t frame_estimate; /* -1: unknown */
    bool still; /* pictures: no times of their own (pts 0, 1, 2... of 1/25 s), and each may have its
                 * own format, size and colour; format and size above are the first one's */
    char description[128]; /* "h264 1280x720 yuv420p 25 fps" */
} vrs_stream_info;

typedef enum vrs_decoder_place {
    VRS_DECODER_AUTO = 0,  /* the GPU where frames are wanted there and it can, else the CPU */
    VRS_DECODER_CPU = 1,   /* frames that are wanted on the GPU are uploaded */
    VRS_DECODER_NVDEC = 2, /* or not at all */
} vrs_decoder_place;

/* Where frames are wanted, if not in host memory. */
typedef struct vrs_source_gpu {
    struct vrs_device *device; /* CUDA; shared: outlives the source and its images */
    struct vrs_memory *memory; /* its manager; shared likewise */
    int32_t slots; /* images of this source in use at the same time, at most: reading waits until
                    * one is released. The tickets, and two beside: the frame that waits for a
                    * ticket and the one that is being decoded */
} vrs_source_gpu;

typedef struct vrs_source_params {
    const char *path;       /* file, folder, device, "-": standard input */
    const char *raw_format; /* of raw pixels: "WxH:yuv420p:30"; NULL or "": Y4M or a container */
    vrs_decoder_place decoder;
    const vrs_source_gpu *gpu; /* NULL: frames are wanted in host memory */
    int32_t threads;           /* of the CPU's decoder; 0: by the machine */
    int64_t max_frames;        /* stop after so many; 0: all */
    bool look;                 /* for its layout: source->layout is filled in */
    bool need_yuv;             /* deliver RGB24 and BGRA as YUV420P, for composites */
    /* Asked before every read of data, and ten times a second while a pipe has none; true ends the
     * call with VRS_CANCELLED. NULL: never. */
    bool (*stop)(void *opaque);
    void *stop_opaque;
} vrs_source_params;

#define VRS_SOURCE_MAX_BEFORE 64

/* Where in a source reading is to go on. */
typedef struct vrs_source_place {
    int64_t frame;    /* the number of the next frame */
    int64_t last_pts; /* time of the frame before it */
    bool known;       /* and that frame is to be found by its time; else frames are counted */
    int32_t before;   /* frames before it that are wanted too, at most `frame` and
                       * VRS_SOURCE_MAX_BEFORE */
} vrs_source_place;

/* A source's own table; `file`, `pictures`, `pipe`, `camera` and the tests' sources fill it. */
typedef struct vrs_source_ops {
    vrs_status (*read)(vrs_source *source, vrs_frame *frame);
    void (*destroy)(vrs_source *source);
    /* Goes to a place whose frame is known by its time; `found` is false, and the source at its
     * beginning, where that frame is not to be found. NULL: it cannot. */
    vrs_status (*go_to)(vrs_source *source, const vrs_source_place *place, bool *found);
    vrs_status (*jump)(vrs_source *source, double seconds); /* NULL: it cannot */
} vrs_source_ops;

struct vrs_source {
    const vrs_source_ops *ops;
    vrs_stream_info info;
    int64_t max_frames;           /* 0: all */
    bool need_yuv;                /* RGB is converted; set when it is opened */
    struct vrs_gpu_frames *gpu;   /* NULL: frames stay in host memory */
    bool by_hardware;             /* the last decoded frame was, by the GPU */
    int64_t waited_ns;            /* of the last read: for a slot, not for the decoder */
    int64_t starved_ns;           /* of the last read: for data that was not there */
    uint64_t held_bytes;          /* by its decoder, at most: source_held.h */
    uint64_t frames;              /* read so far, or passed over */
    bool times_changed;           /* a frame was given another time than its own */
    uint64_t damaged;             /* packets and frames that are damaged or missing */
    char damage[VRS_DETAIL_SIZE]; /* the first such complaint; "" if none */
    vrs_source_layout layout;     /* with params.look; else it says nothing */
    char note[256]; /* what the user should know: why the CPU decodes frames for the GPU; or "" */
    char frame_name[256]; /* pictures: base name of the last read frame's file without extension;
                           * "" for pictures from a pipe and for video */
};

/* Opens by what `path` is and decodes the first frame. Files are told by their content, not by
 * their name. Borrows `params`, but `stop` and `stop_opaque` must live as long as the source.
 * Returns owned. VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO, VRS_NO_MEMORY, VRS_CANCELLED; VRS_INVALID:
 * an empty file, a folder without pictures, a wrong raw_format; VRS_FORMAT: nothing that libav
 * reads; VRS_UNSUPPORTED: no video stream in it (says what there is), no decoder, NVDEC is asked
 * for and cannot, a side over VRS_MAX_SIDE; VRS_CORRUPT: not one frame can be decoded. */
vrs_status vrs_source_open(const vrs_source_params *params, vrs_source **source) VRS_MUST_USE;

/* Reads the next frame: image with release (any thread, also after the source is closed), pts
 * (strictly increasing), duration, id = running number from 0. The caller owns the image.
 *
 * With params.gpu the image lies on that GPU and says by its event when it is ready. While all
 * slots are in use, reading waits for one.
 *
 * Every frame of a video has the format, size and range of info: what differs in mid-stream is
 * converted, with one warning. Only when info.still is set may a frame differ from info in format,
 * size and colour, and frame_name is then that picture's.
 *
 * A damaged packet, a picture that cannot be read and the missing end of a file that was cut off
 * are counted and passed over; a frame that the decoder marks as damaged is counted and delivered.
 * VRS_END after the last frame, from then on always. VRS_IO, VRS_NO_MEMORY, VRS_CANCELLED;
 * VRS_DEVICE, VRS_DEVICE_LOST. */
vrs_status vrs_source_read(vrs_source *source, vrs_frame *frame) VRS_MUST_USE;

/* Before the first read: goes to a place, so that the next frame that is read is number
 * place.frame - place.before. By the nearest key frame where the time is known and the source can
 * seek; else every frame before is decoded and counted. VRS_CORRUPT: the source ends before it;
 * else as vrs_source_read(). */
vrs_status vrs_source_go_to(vrs_source *source, const vrs_source_place *place) VRS_MUST_USE;

/* Goes to the first frame from a time on, counted from the beginning; its own time is the stored
 * one. Decodes from the key frame before it. VRS_UNSUPPORTED: the source cannot seek; else as
 * vrs_source_read(). */
vrs_status vrs_source_jump(vrs_source *source, double seconds) VRS_MUST_USE;

/* Frees the source; NULL is fine. */
void vrs_source_close(vrs_source *source);

#endif
