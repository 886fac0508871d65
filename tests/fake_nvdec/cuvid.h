/* The part of NVIDIA's decoder interface that fake_nvdec looks at, as the public headers of the
 * Video Codec SDK (cuviddec.h, 11.1) lay it out. Fields that are only stepped over are arrays. */
#ifndef FAKE_NVDEC_CUVID_H
#define FAKE_NVDEC_CUVID_H

#include <stddef.h>
#include <stdint.h>

#define CODEC_H264 4
#define CODEC_HEVC 8
#define CHROMA_420 1
#define SURFACE_NV12 0
#define SURFACE_P016 1

typedef struct cuvid_caps {
    int codec, chroma; /* asked */
    unsigned depth_minus8;
    unsigned reserved1[3];
    uint8_t supported, engines; /* answered */
    uint16_t output_formats;    /* bits by SURFACE_ */
    unsigned max_width, max_height, max_macroblocks;
    uint16_t min_width, min_height;
    uint8_t histogram, counter_bits;
    uint16_t histogram_bins;
    unsigned reserved3[10];
} cuvid_caps;

typedef struct cuvid_create {
    unsigned long width, height, decode_surfaces;
    int codec, chroma;
    unsigned long flags, depth_minus8, intra_only, max_width, max_height, reserved1;
    short display_area[4];
    int surface, deinterlace;
    unsigned long target_width, target_height, output_surfaces;
    void *lock;
    short target_rect[4];
    unsigned long histogram, reserved2[4];
} cuvid_create;

typedef struct cuvid_picture {
    int width_in_macroblocks, height_in_macroblocks;
    int index; /* of the decode surface */
    int fields[3];
    unsigned bytes;
    const uint8_t *data;
    unsigned slices;
    const unsigned *offsets;
    int is_reference, is_intra;
    unsigned reserved[30];
    uint8_t codec_specific[4096];
} cuvid_picture;

/* Where the order of display stands in codec_specific: CurrFieldOrderCnt[0] of H.264,
 * CurrPicOrderCntVal of HEVC. */
#define H264_ORDER_OFFSET 96
#define HEVC_ORDER_OFFSET 248

typedef struct cuvid_map {
    int fields[4];
    unsigned reserved1[2];
    uint64_t raw_input;
    unsigned raw_input_about[2];
    uint64_t raw_output;
    unsigned raw_output_about[2];
    void *stream; /* that the mapped picture is made on */
    unsigned reserved2[46];
    uint64_t *histogram;
    void *reserved3[1];
} cuvid_map;

_Static_assert(sizeof(cuvid_caps) == 88, "as NVIDIA's");
_Static_assert(sizeof(cuvid_create) == 176, "as NVIDIA's");
_Static_assert(offsetof(cuvid_picture, codec_specific) == 184, "as NVIDIA's");
_Static_assert(sizeof(cuvid_map) == 264, "as NVIDIA's");

#endif
