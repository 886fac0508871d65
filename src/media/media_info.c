#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "vrseg/job.h"

void vrs_media_info(char *text, size_t size)
{
    unsigned codec = avcodec_version(), format = avformat_version();
    (void)snprintf(text, size, "libavcodec %u.%u.%u, libavformat %u.%u.%u", codec >> 16,
                   codec >> 8 & 0xff, codec & 0xff, format >> 16, format >> 8 & 0xff,
                   format & 0xff);
    static const char *const encoders[] = {"libx264",   "libx265", "libvpx-vp9",
                                           "prores_ks", "ffv1",    "png"};
    for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++) {
        size_t used = strlen(text);
        if (avcodec_find_encoder_by_name(encoders[i]) == NULL)
            (void)snprintf(text + used, size - used, ", no %s", encoders[i]);
    }
}
