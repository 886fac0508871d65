/* Which codec goes with which name, and what is refused. */
#include <string.h>

#include "media/sink_tools.h"

typedef struct pair {
    const char *path;
    vrs_output_kind kind;
    vrs_pixel_format source;
    vrs_codec asked, chosen; /* AUTO chosen: refused */
    vrs_pixel_format format;
} pair;

static void every_name_has_its_codec(void **state)
{
    (void)state;
    static const pair pairs[] = {
        {"a.mp4", VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, VRS_CODEC_AUTO, VRS_CODEC_H264,
         VRS_FORMAT_GRAY8},
        {"x/a.MOV", VRS_OUTPUT_MASK, VRS_FORMAT_P010, VRS_CODEC_AUTO, VRS_CODEC_H264,
         VRS_FORMAT_GRAY8},
        {"a.mkv", VRS_OUTPUT_MASK, VRS_FORMAT_NV12, VRS_CODEC_FFV1, VRS_CODEC_FFV1,
         VRS_FORMAT_GRAY8},
        {"a.mkv", VRS_OUTPUT_CLASSES, VRS_FORMAT_NV12, VRS_CODEC_AUTO, VRS_CODEC_FFV1,
         VRS_FORMAT_GRAY8},
        {"a.mp4", VRS_OUTPUT_CLASSES, VRS_FORMAT_NV12, VRS_CODEC_AUTO, VRS_CODEC_H264,
         VRS_FORMAT_GRAY8},
        {"a.mp4", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, VRS_CODEC_AUTO, VRS_CODEC_H264,
         VRS_FORMAT_YUV420P},
        {"a.mp4", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_P010, VRS_CODEC_AUTO, VRS_CODEC_HEVC,
         VRS_FORMAT_YUV420P10},
        {"a.mp4", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P10, VRS_CODEC_H264, VRS_CODEC_H264,
         VRS_FORMAT_YUV420P10},
        {"a.mov", VRS_OUTPUT_CUTOUT, VRS_FORMAT_YUV420P, VRS_CODEC_AUTO, VRS_CODEC_PRORES,
         VRS_FORMAT_YUVA420P},
        {"a.webm", VRS_OUTPUT_CUTOUT, VRS_FORMAT_YUV420P, VRS_CODEC_AUTO, VRS_CODEC_VP9,
         VRS_FORMAT_YUVA420P},
        {"a.mkv", VRS_OUTPUT_CUTOUT, VRS_FORMAT_P010, VRS_CODEC_AUTO, VRS_CODEC_FFV1,
         VRS_FORMAT_YUVA420P10},
        {"a.mkv", VRS_OUTPUT_CUTOUT, VRS_FORMAT_YUV420P, VRS_CODEC_VP9, VRS_CODEC_VP9,
         VRS_FORMAT_YUVA420P},
        {"a/", VRS_OUTPUT_CUTOUT, VRS_FORMAT_RGB24, VRS_CODEC_AUTO, VRS_CODEC_PNG,
         VRS_FORMAT_YUVA420P},
        {"a.png", VRS_OUTPUT_MASK, VRS_FORMAT_RGB24, VRS_CODEC_AUTO, VRS_CODEC_PNG,
         VRS_FORMAT_GRAY8},
        {"-", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_P010, VRS_CODEC_AUTO, VRS_CODEC_RAW,
         VRS_FORMAT_YUV420P10},
        {"a.y4m", VRS_OUTPUT_MASK, VRS_FORMAT_P010, VRS_CODEC_AUTO, VRS_CODEC_RAW,
         VRS_FORMAT_GRAY8},
        {"null", VRS_OUTPUT_CUTOUT, VRS_FORMAT_NV12, VRS_CODEC_AUTO, VRS_CODEC_NULL,
         VRS_FORMAT_YUVA420P},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        vrs_codec codec = pairs[i].asked;
        vrs_pixel_format format = VRS_FORMAT_NONE;
        assert_int_equal(
            vrs_sink_choose(pairs[i].path, pairs[i].kind, pairs[i].source, &codec, &format),
            VRS_OK);
        assert_int_equal(codec, pairs[i].chosen);
        assert_int_equal(format, pairs[i].format);
    }
}

static void what_does_not_go_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        vrs_output_kind kind;
        vrs_codec codec;
        const char *says;
    } pairs[] = {
        {"a.mp4", VRS_OUTPUT_CUTOUT, VRS_CODEC_AUTO, ".mov (prores)"},
        {"a.mp4", VRS_OUTPUT_MASK, VRS_CODEC_FFV1, ".mkv"},
        {"a.mp4", VRS_OUTPUT_COMPOSITE, VRS_CODEC_PRORES, "prores"},
        {"a.mov", VRS_OUTPUT_CUTOUT, VRS_CODEC_H264, "h264"},
        {"a.webm", VRS_OUTPUT_MASK, VRS_CODEC_H264, ".webm (vp9)"},
        {"a.avi", VRS_OUTPUT_MASK, VRS_CODEC_AUTO, ".mp4"},
        {"mask", VRS_OUTPUT_MASK, VRS_CODEC_H264, "folder/"},
        {"a.y4m", VRS_OUTPUT_CUTOUT, VRS_CODEC_AUTO, "cutout"},
        {"-", VRS_OUTPUT_MASK, VRS_CODEC_H264, "raw"},
        {"a/", VRS_OUTPUT_MASK, VRS_CODEC_H264, "folder/"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        vrs_codec codec = pairs[i].codec;
        vrs_pixel_format format = VRS_FORMAT_NONE;
        assert_int_equal(
            vrs_sink_choose(pairs[i].path, pairs[i].kind, VRS_FORMAT_YUV420P, &codec, &format),
            VRS_INVALID);
        assert_non_null(strstr(vrs_last_error(), pairs[i].path));
        assert_non_null(strstr(vrs_last_error(), pairs[i].says));
        assert_int_equal(codec, pairs[i].codec);
    }
}

static void codecs_have_their_option_names(void **state)
{
    (void)state;
    assert_string_equal(vrs_codec_name(VRS_CODEC_H264), "h264");
    assert_string_equal(vrs_codec_name(VRS_CODEC_RAW), "raw");
    assert_string_equal(vrs_codec_name((vrs_codec)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_has_its_codec),
        cmocka_unit_test(what_does_not_go_is_refused),
        cmocka_unit_test(codecs_have_their_option_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
