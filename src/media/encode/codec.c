#include "media/encode/codec.h"

#include <stddef.h>

const char *vrs_codec_name(vrs_codec codec)
{
    static const char *const names[] = {"auto", "h264", "hevc", "ffv1", "prores",
                                        "vp9",  "png",  "raw",  "null"};
    size_t index = (size_t)codec;
    return index < sizeof names / sizeof names[0] ? names[index] : "unknown";
}
