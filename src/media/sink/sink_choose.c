/* Which codec and which image format go with a path and a kind of output. */
#include <stdio.h>
#include <string.h>

#include "media/file/container.h"
#include "media/sink/sink.h"
#include "media/sink/sink_kinds.h"

/* Where an output goes, by its name. */
typedef enum target {
    TARGET_NONE,
    TARGET_MP4,
    TARGET_MOV,
    TARGET_MKV,
    TARGET_WEBM,
    TARGET_PICTURES,
    TARGET_RAW,
    TARGET_NULL,
} target;

#define BIT(x) (1U << (unsigned)(x))

#define VIDEO_KINDS                                                               \
    (BIT(VRS_OUTPUT_MASK) | BIT(VRS_OUTPUT_CLASSES) | BIT(VRS_OUTPUT_COMPOSITE) | \
     BIT(VRS_OUTPUT_PACKED))
#define ALL_KINDS (VIDEO_KINDS | BIT(VRS_OUTPUT_CUTOUT))

/* What goes together. */
static const struct {
    vrs_codec codec;
    unsigned targets, kinds;
} pairs[] = {
    {VRS_CODEC_H264, BIT(TARGET_MP4) | BIT(TARGET_MOV) | BIT(TARGET_MKV), VIDEO_KINDS},
    {VRS_CODEC_HEVC, BIT(TARGET_MP4) | BIT(TARGET_MOV) | BIT(TARGET_MKV), VIDEO_KINDS},
    {VRS_CODEC_FFV1, BIT(TARGET_MKV), ALL_KINDS},
    {VRS_CODEC_PRORES, BIT(TARGET_MOV), BIT(VRS_OUTPUT_CUTOUT)},
    {VRS_CODEC_VP9, BIT(TARGET_WEBM) | BIT(TARGET_MKV), ALL_KINDS},
    {VRS_CODEC_PNG, BIT(TARGET_PICTURES), ALL_KINDS},
    {VRS_CODEC_RAW, BIT(TARGET_RAW), VIDEO_KINDS},
    {VRS_CODEC_NULL, BIT(TARGET_NULL), ALL_KINDS},
};

#define PAIRS (sizeof pairs / sizeof pairs[0])

const char *vrs_output_kind_name(vrs_output_kind kind)
{
    static const char *const names[] = {"mask", "classes", "composite", "cutout", "alpha"};
    size_t index = (size_t)kind;
    return index < sizeof names / sizeof names[0] ? names[index] : "unknown";
}

vrs_output_kind vrs_output_kind_of(const char *name)
{
    vrs_output_kind kind = VRS_OUTPUT_MASK;
    for (int i = 0; strcmp(vrs_output_kind_name((vrs_output_kind)i), "unknown") != 0; i++)
        if (strcmp(vrs_output_kind_name((vrs_output_kind)i), name) == 0)
            kind = (vrs_output_kind)i;
    return kind;
}

static target target_of(const char *path)
{
    char extension[16];
    size_t length = strlen(path);
    if (strcmp(path, "-") == 0)
        return TARGET_RAW;
    if (strcmp(path, "null") == 0)
        return TARGET_NULL;
    if (length > 0 && path[length - 1] == '/')
        return TARGET_PICTURES;
    (void)vrs_path_extension(path, extension, sizeof extension);
    if (strcmp(extension, "png") == 0)
        return TARGET_PICTURES;
    if (strcmp(extension, "y4m") == 0)
        return TARGET_RAW;
    const char *muxer = vrs_container_name(path);
    if (!muxer)
        return TARGET_NONE;
    return strcmp(muxer, "mp4") == 0        ? TARGET_MP4
           : strcmp(muxer, "mov") == 0      ? TARGET_MOV
           : strcmp(muxer, "matroska") == 0 ? TARGET_MKV
                                            : TARGET_WEBM;
}

static vrs_codec automatic(target where, vrs_output_kind kind, bool deep)
{
    bool cutout = kind == VRS_OUTPUT_CUTOUT;
    bool deep_composite = (kind == VRS_OUTPUT_COMPOSITE || kind == VRS_OUTPUT_PACKED) && deep;
    switch (where) {
    case TARGET_MP4:
        return deep_composite ? VRS_CODEC_HEVC : VRS_CODEC_H264;
    case TARGET_MOV:
        return cutout ? VRS_CODEC_PRORES : deep_composite ? VRS_CODEC_HEVC : VRS_CODEC_H264;
    case TARGET_MKV:
        /* Indices are to come back as they were, and alpha is to be cheap. */
        return cutout || kind == VRS_OUTPUT_CLASSES ? VRS_CODEC_FFV1
               : deep_composite                     ? VRS_CODEC_HEVC
                                                    : VRS_CODEC_H264;
    case TARGET_WEBM:
        return VRS_CODEC_VP9;
    case TARGET_PICTURES:
        return VRS_CODEC_PNG;
    case TARGET_RAW:
        return VRS_CODEC_RAW;
    default:
        return VRS_CODEC_NULL;
    }
}

static bool goes(vrs_codec codec, target where, vrs_output_kind kind)
{
    for (size_t i = 0; i < PAIRS; i++)
        if (pairs[i].codec == codec)
            return (pairs[i].targets & BIT(where)) != 0 && (pairs[i].kinds & BIT(kind)) != 0;
    return false;
}

/* Lists what a kind of output can be, for the sentence of a refusal. */
static const char *choices(vrs_output_kind kind)
{
    switch (kind) {
    case VRS_OUTPUT_CUTOUT:
        return "a cutout goes to .mov (prores), .webm (vp9), .mkv (ffv1, vp9), a folder/ or one "
               ".png";
    case VRS_OUTPUT_CLASSES:
        return "classes go to .mkv (ffv1, h264, hevc, vp9), .mp4 or .mov (h264, hevc), .webm "
               "(vp9), "
               ".y4m or - (raw), a folder/ or one .png";
    default:
        return "it goes to .mp4 or .mov (h264, hevc), .mkv (h264, hevc, ffv1, vp9), .webm (vp9), "
               ".y4m or - (raw), a folder/ or one .png";
    }
}

static vrs_pixel_format image_format(vrs_output_kind kind, bool deep)
{
    switch (kind) {
    case VRS_OUTPUT_COMPOSITE:
    case VRS_OUTPUT_PACKED:
        return deep ? VRS_FORMAT_YUV420P10 : VRS_FORMAT_YUV420P;
    case VRS_OUTPUT_CUTOUT:
        return deep ? VRS_FORMAT_YUVA420P10 : VRS_FORMAT_YUVA420P;
    default:
        return VRS_FORMAT_GRAY8;
    }
}

vrs_status vrs_sink_choose(const char *path, vrs_output_kind kind, vrs_pixel_format source_format,
                           vrs_codec *codec, vrs_pixel_format *format)
{
    target where = target_of(path);
    bool deep = source_format == VRS_FORMAT_P010 || source_format == VRS_FORMAT_YUV420P10;
    if (strcmp(path, "/dev/null") == 0)
        return vrs_fail(VRS_INVALID, "%s: the output null is for writing nothing", path);
    if (where == TARGET_NONE)
        return vrs_fail(VRS_INVALID, "%s: no output format has this name; %s", path, choices(kind));
    vrs_codec chosen = *codec == VRS_CODEC_AUTO ? automatic(where, kind, deep) : *codec;
    if (!goes(chosen, where, kind)) {
        return vrs_fail(VRS_INVALID, "%s: cannot hold a %s as %s; %s", path,
                        vrs_output_kind_name(kind), vrs_codec_name(chosen), choices(kind));
    }
    *codec = chosen;
    *format = image_format(kind, deep);
    return VRS_OK;
}
