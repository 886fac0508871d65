/* What this build of libav has, and whether it is enough. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/hwcontext.h>
#include <libswscale/swscale.h>

#include "doctor/check.h"
#include "vrseg/job.h"

/* A codec that is read or written, and what for. */
typedef struct known_codec {
    const char *name;
    const char *gives;
    const char *choice; /* value of the option codec that asks for this encoder */
} known_codec;

static const known_codec decoders[] = {
    {"h264", "reading H.264", NULL}, {"hevc", "reading HEVC", NULL},
    {"vp9", "reading VP9", NULL},    {"libdav1d", "reading AV1", NULL},
    {"ffv1", "reading FFV1", NULL},  {"prores", "reading ProRes", NULL},
    {"mjpeg", "reading JPEG", NULL}, {"png", "reading PNG", NULL},
};
#define DECODERS (sizeof(decoders) / sizeof(decoders[0]))

static const known_codec encoders[] = {
    {"libx264", "writing H.264, the default of .mp4", "h264"},
    {"libx265", "writing HEVC", "hevc"},
    {"libvpx-vp9", "writing VP9, with alpha too", "vp9"},
    {"prores_ks", "writing ProRes 4444, cut-outs with alpha", "prores"},
    {"ffv1", "writing FFV1 without loss", "ffv1"},
    {"png", "writing PNG and previews", "png"},
    {"h264_nvenc", "writing H.264 on an NVIDIA GPU", NULL},
    {"hevc_nvenc", "writing HEVC on an NVIDIA GPU", NULL},
};
#define ENCODERS (sizeof(encoders) / sizeof(encoders[0]))

static void write_version(char *text, size_t size, unsigned version)
{
    (void)snprintf(text, size, "%u.%u.%u", version >> 16, version >> 8 & 0xff, version & 0xff);
}

static void append(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);
    (void)snprintf(list + used, size - used, "%s%s", used > 0 ? " " : "", name);
}

void vrs_media_read(vrs_media_details *details)
{
    *details = (vrs_media_details){.codec = ""};
    write_version(details->codec, sizeof(details->codec), avcodec_version());
    write_version(details->format, sizeof(details->format), avformat_version());
    write_version(details->util, sizeof(details->util), avutil_version());
    write_version(details->scale, sizeof(details->scale), swscale_version());
    (void)snprintf(details->licence, sizeof(details->licence), "%s", avcodec_license());
    for (size_t i = 0; i < DECODERS; i++)
        if (avcodec_find_decoder_by_name(decoders[i].name) != NULL)
            append(details->decoders, sizeof(details->decoders), decoders[i].name);
    for (size_t i = 0; i < ENCODERS; i++)
        if (avcodec_find_encoder_by_name(encoders[i].name) != NULL)
            append(details->encoders, sizeof(details->encoders), encoders[i].name);
    enum AVHWDeviceType type = AV_HWDEVICE_TYPE_NONE;
    while ((type = av_hwdevice_iterate_types(type)) != AV_HWDEVICE_TYPE_NONE)
        append(details->hardware, sizeof(details->hardware), av_hwdevice_get_type_name(type));
}

static void check_versions(const vrs_checker *to)
{
    static const vrs_check_words words = {
        .name = "libav",
        .wanted = "libavcodec 59 to 62 (FFmpeg 5.1 to 8)",
        .gives = "reading and writing video",
        .remedy = "build vrseg against FFmpeg 5.1 to 8 (Debian: `apt-get install libavcodec-dev "
                  "libavformat-dev libavdevice-dev libswscale-dev`)"};
    unsigned major = avcodec_version() >> 16;
    bool known = major >= 59 && major <= 62;
    vrs_media_details details;
    vrs_media_read(&details);
    vrs_check_tell(to, &words, known ? VRS_CHECK_OK : VRS_CHECK_WARNING, false,
                   "libavcodec %s, libavformat %s, %s", details.codec, details.format,
                   details.licence);
}

/* One line for all that are there, and one for each that is missing. */
static void check_decoders(const vrs_checker *to)
{
    vrs_media_details details;
    vrs_media_read(&details);
    static const vrs_check_words all = {
        .name = "decoders", .wanted = "h264 hevc vp9 libdav1d", .gives = "reading the usual files"};
    vrs_check_tell(to, &all, VRS_CHECK_OK, false, "%s", details.decoders);
    for (size_t i = 0; i < DECODERS; i++) {
        const vrs_check_words words = {.name = decoders[i].name,
                                       .wanted = "a decoder of libavcodec",
                                       .gives = decoders[i].gives,
                                       .remedy = "install FFmpeg's libraries with this decoder "
                                                 "(Debian's libavcodec59 has it)"};
        if (avcodec_find_decoder_by_name(decoders[i].name) == NULL)
            vrs_check_tell(to, &words, VRS_CHECK_WARNING, false, "this libavcodec has none");
    }
}

static void check_encoders(const vrs_checker *to, const vrs_config *config)
{
    const char *codec = vrs_check_option(config, "codec", "auto");
    bool nvenc = strcmp(vrs_check_option(config, "encoder", "auto"), "nvenc") == 0;
    const char *wanted_nvenc = strcmp(codec, "hevc") == 0 ? "hevc_nvenc" : "h264_nvenc";
    vrs_media_details details;
    vrs_media_read(&details);
    static const vrs_check_words all = {.name = "encoders",
                                        .wanted = "libx264 libx265 libvpx-vp9 prores_ks ffv1 png",
                                        .gives = "writing the usual files"};
    vrs_check_tell(to, &all, VRS_CHECK_OK, false, "%s", details.encoders);
    for (size_t i = 0; i < ENCODERS; i++) {
        const known_codec *e = &encoders[i];
        bool required = nvenc ? strcmp(e->name, wanted_nvenc) == 0
                              : e->choice != NULL && strcmp(e->choice, codec) == 0;
        const vrs_check_words words = {.name = e->name,
                                       .wanted = "an encoder of libavcodec",
                                       .gives = e->gives,
                                       .remedy = "install FFmpeg's libraries with this encoder "
                                                 "(Debian: `apt-get install libavcodec59`)"};
        if (avcodec_find_encoder_by_name(e->name) == NULL)
            vrs_check_tell(to, &words,
                           required            ? VRS_CHECK_FAILED
                           : e->choice != NULL ? VRS_CHECK_WARNING
                                               : VRS_CHECK_SKIPPED,
                           required, "this libavcodec has none");
    }
}

static void check_hardware(const vrs_checker *to, const vrs_config *config)
{
    static const vrs_check_words words = {
        .name = "NVDEC in libav",
        .wanted = "a libavcodec that was built with CUDA",
        .gives = "decoding on an NVIDIA GPU",
        .remedy = "install FFmpeg's libraries built with --enable-nvdec (Debian's are)"};
    bool wanted = strcmp(vrs_check_option(config, "decoder", "auto"), "nvdec") == 0;
    bool there = false;
    enum AVHWDeviceType type = AV_HWDEVICE_TYPE_NONE;
    while ((type = av_hwdevice_iterate_types(type)) != AV_HWDEVICE_TYPE_NONE)
        there = there || type == AV_HWDEVICE_TYPE_CUDA;
    vrs_check_tell(to, &words,
                   there    ? VRS_CHECK_OK
                   : wanted ? VRS_CHECK_FAILED
                            : VRS_CHECK_SKIPPED,
                   wanted, "%s", there ? "built in" : "this libavcodec was built without CUDA");
}

vrs_status vrs_media_check(const vrs_config *config, vrs_check_fn visit, void *opaque)
{
    const vrs_checker to = {visit, opaque};
    check_versions(&to);
    check_decoders(&to);
    check_encoders(&to, config);
    check_hardware(&to, config);
    return VRS_OK;
}
