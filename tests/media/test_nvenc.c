/* Who encodes: NVENC where it is, the CPU elsewhere, and what is said about it. On a machine with
 * the encoder the first test sees it chosen, on others it sees the CPU take its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "media/encode/encoder.h"
#include "media/encode/encoder_options.h"
#include "media/libav/av.h"

static vrs_encoder_params params_for(vrs_codec codec, vrs_encoder_place place)
{
    return (vrs_encoder_params){
        .codec = codec,
        .place = place,
        .kind = VRS_OUTPUT_MASK,
        .format = VRS_FORMAT_GRAY8,
        .width = 320,
        .height = 240,
        .rate = {25, 1},
        .crf = 20,
        .threads = 1,
    };
}

static void auto_takes_what_is_there(void **state)
{
    (void)state;
    char why[128] = "?";
    vrs_encoder *encoder = NULL;
    vrs_encoder_params params = params_for(VRS_CODEC_H264, VRS_ENCODER_AUTO);
    assert_int_equal(vrs_encoder_settle(&params, why, sizeof why), VRS_OK);
    if (params.place == VRS_ENCODER_CPU) {
        assert_non_null(strstr(why, "encoded on the CPU"));
    } else {
        assert_int_equal(params.place, VRS_ENCODER_NVENC);
        assert_string_equal(why, "");
    }
    assert_int_equal(vrs_encoder_open(&params, &encoder), VRS_OK);
    assert_string_equal(vrs_encoder_context(encoder)->codec->name,
                        vrs_encoder_name(VRS_CODEC_H264, params.place));
    vrs_encoder_destroy(encoder);
}

static void asking_for_it_is_answered(void **state)
{
    (void)state;
    char why[128];
    vrs_encoder_params params = params_for(VRS_CODEC_HEVC, VRS_ENCODER_NVENC);
    vrs_status status = vrs_encoder_settle(&params, why, sizeof why);
    assert_int_equal(params.place, VRS_ENCODER_NVENC);
    if (status != VRS_OK) {
        assert_int_equal(status, VRS_UNSUPPORTED);
        assert_non_null(strstr(vrs_last_error(), "no encoder for hevc (NVENC)"));
        assert_non_null(strstr(vrs_last_error(), "use the encoder cpu"));
    }
}

static void other_codecs_are_the_cpus(void **state)
{
    (void)state;
    char why[128] = "?";
    vrs_encoder_params params = params_for(VRS_CODEC_FFV1, VRS_ENCODER_NVENC);
    assert_int_equal(vrs_encoder_settle(&params, why, sizeof why), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "NVENC encodes h264 and hevc, not ffv1"));
    params.place = VRS_ENCODER_AUTO;
    assert_int_equal(vrs_encoder_settle(&params, why, sizeof why), VRS_OK);
    assert_int_equal(params.place, VRS_ENCODER_CPU);
    assert_string_equal(why, "");
}

static void formats_are_what_it_takes(void **state)
{
    (void)state;
    const struct {
        vrs_codec codec;
        vrs_pixel_format format;
        enum AVPixelFormat expected;
    } cases[] = {
        {VRS_CODEC_H264, VRS_FORMAT_GRAY8, AV_PIX_FMT_YUV420P},
        {VRS_CODEC_H264, VRS_FORMAT_YUV420P10, AV_PIX_FMT_NONE},
        {VRS_CODEC_HEVC, VRS_FORMAT_YUV420P10, AV_PIX_FMT_P010LE},
        {VRS_CODEC_HEVC, VRS_FORMAT_YUVA420P, AV_PIX_FMT_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vrs_output_kind kind =
            cases[i].format == VRS_FORMAT_GRAY8 ? VRS_OUTPUT_MASK : VRS_OUTPUT_COMPOSITE;
        assert_int_equal(
            vrs_encoder_pixel_format(cases[i].codec, VRS_ENCODER_NVENC, kind, cases[i].format),
            cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_takes_what_is_there),
        cmocka_unit_test(asking_for_it_is_answered),
        cmocka_unit_test(other_codecs_are_the_cpus),
        cmocka_unit_test(formats_are_what_it_takes),
    };
    vrs_av_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
