/* What images are encoded as, and where. */
#ifndef VRS_MEDIA_CODEC_H
#define VRS_MEDIA_CODEC_H

typedef enum vrs_codec {
    VRS_CODEC_AUTO = 0, /* by the path's extension and the output's kind */
    VRS_CODEC_H264 = 1,
    VRS_CODEC_HEVC = 2,
    VRS_CODEC_FFV1 = 3,
    VRS_CODEC_PRORES = 4, /* 4444 with alpha */
    VRS_CODEC_VP9 = 5,    /* with alpha for cut-outs */
    VRS_CODEC_PNG = 6,    /* a file each frame; the path is a folder ("out/") or one .png */
    VRS_CODEC_RAW = 7,    /* Y4M to a pipe or file */
    VRS_CODEC_NULL = 8,
} vrs_codec;

/* Where H.264 and HEVC are encoded. */
typedef enum vrs_encoder_place {
    VRS_ENCODER_CPU = 0,
    VRS_ENCODER_AUTO = 1,  /* NVENC where it starts, else the CPU */
    VRS_ENCODER_NVENC = 2, /* or not at all */
} vrs_encoder_place;

/* Names as in the option "codec": "h264". */
const char *vrs_codec_name(vrs_codec codec);

#endif
