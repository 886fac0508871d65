/* What decoders and encoders hold: by levels, presets, threads, depth and size. */
#include <string.h>

#include "media/sink/sink_held.h"
#include "media/source/source_held.h"
#include "support/inject.h"

static uint64_t decoder(enum AVCodecID codec, int level, int threads, int32_t width, int32_t height)
{
    AVCodecContext *context = avcodec_alloc_context3(NULL);
    assert_non_null(context);
    context->codec_id = codec;
    context->level = level;
    context->thread_count = threads;
    context->active_thread_type = threads > 1 ? FF_THREAD_FRAME : 0;
    uint64_t bytes = vrs_held_by_decoder(context, width, height, AV_PIX_FMT_YUV420P);
    avcodec_free_context(&context);
    return bytes;
}

/* Pictures of 2.5 bytes a pixel, with what is known of each; one that is given out among them. */
static int64_t pictures(enum AVCodecID codec, int level, int threads, int32_t width, int32_t height)
{
    return (int64_t)(decoder(codec, level, threads, width, height) * 2 /
                     ((uint64_t)width * (uint64_t)height * 5)) -
           1;
}

/* The standards' own examples: 4 references at 1080p of level 4.1, 6 at the largest picture. */
static void test_levels(void **state)
{
    (void)state;
    assert_int_equal(pictures(AV_CODEC_ID_H264, 41, 1, 1920, 1088), 4);
    assert_int_equal(pictures(AV_CODEC_ID_H264, 52, 1, 1920, 1088), 16);
    assert_int_equal(pictures(AV_CODEC_ID_H264, 10, 1, 176, 144), 4);
    assert_int_equal(pictures(AV_CODEC_ID_HEVC, 123, 1, 1920, 1080), 6);
    assert_int_equal(pictures(AV_CODEC_ID_HEVC, 153, 1, 1920, 1080), 16);
    assert_int_equal(pictures(AV_CODEC_ID_HEVC, 180, 1, 8192, 4096), 6);
    assert_int_equal(pictures(AV_CODEC_ID_HEVC, 180, 1, 5760, 2880), 12);
    assert_int_equal(pictures(AV_CODEC_ID_HEVC, 180, 1, 7680, 3200), 8);
    assert_int_equal(pictures(AV_CODEC_ID_VP9, -99, 1, 640, 360), 8);
    assert_int_equal(pictures(AV_CODEC_ID_MJPEG, -99, 1, 640, 360), 3);
}

/* Where a stream does not say, or says what does not fit, it is the most that the codec has. */
static void test_unknown_levels(void **state)
{
    (void)state;
    static const int levels[] = {-99, 0, 255, 1000};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        assert_int_equal(pictures(AV_CODEC_ID_H264, levels[i], 1, 640, 360), 16);
        assert_int_equal(pictures(AV_CODEC_ID_HEVC, levels[i], 1, 640, 360), 16);
    }
    assert_int_equal(pictures(AV_CODEC_ID_H264, 10, 1, 4096, 2160), 16);
}

static void test_decoder_threads(void **state)
{
    (void)state;
    assert_int_equal(pictures(AV_CODEC_ID_HEVC, 123, 4, 1920, 1080), 10);
    assert_int_equal(decoder(AV_CODEC_ID_HEVC, 123, 1, 0, 1080), 0);
}

static vrs_sink_params output(vrs_codec codec, const char *preset, int32_t threads)
{
    return (vrs_sink_params){.codec = codec,
                             .preset = preset,
                             .threads = threads,
                             .format = VRS_FORMAT_YUV420P,
                             .width = 1920,
                             .height = 1080};
}

static uint64_t held(vrs_codec codec, const char *preset, int32_t threads)
{
    vrs_sink_params params = output(codec, preset, threads);
    return vrs_held_by_encoder(&params);
}

/* Slower presets look further ahead; more threads and bits take more; no preset is the default's.
 */
static void test_presets(void **state)
{
    (void)state;
    static const char *const order[] = {"ultrafast", "superfast", "veryfast", "faster",
                                        "fast",      "medium",    "slow",     "slower",
                                        "veryslow",  "placebo"};
    for (vrs_codec codec = VRS_CODEC_H264; codec <= VRS_CODEC_HEVC; codec++) {
        for (size_t i = 1; i < sizeof(order) / sizeof(order[0]); i++)
            assert_true(held(codec, order[i], 2) >= held(codec, order[i - 1], 2));
        assert_true(held(codec, "placebo", 2) > 2 * held(codec, "veryfast", 2));
        assert_true(held(codec, NULL, 2) == held(codec, "veryfast", 2));
        assert_true(held(codec, "fast", 8) > held(codec, "fast", 2));
        vrs_sink_params deep = output(codec, "fast", 2), nvenc = deep;
        deep.format = VRS_FORMAT_YUV420P10;
        assert_true(vrs_held_by_encoder(&deep) > held(codec, "fast", 2));
        nvenc.encoder = VRS_ENCODER_NVENC;
        assert_true(vrs_held_by_encoder(&nvenc) < held(codec, "ultrafast", 1));
    }
}

static void test_codecs(void **state)
{
    (void)state;
    static const vrs_codec codecs[] = {VRS_CODEC_FFV1, VRS_CODEC_PRORES, VRS_CODEC_VP9,
                                       VRS_CODEC_PNG};
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        vrs_sink_params small = output(codecs[i], NULL, 2), half = small;
        half.width /= 2;
        assert_true(vrs_held_by_encoder(&small) >= 1920 * 1080);
        assert_true(vrs_held_by_encoder(&small) == 2 * vrs_held_by_encoder(&half));
    }
    vrs_sink_params plain = output(VRS_CODEC_VP9, NULL, 2), alpha = plain;
    alpha.format = VRS_FORMAT_YUVA420P;
    assert_true(vrs_held_by_encoder(&alpha) == 2 * vrs_held_by_encoder(&plain));
    assert_true(held(VRS_CODEC_RAW, NULL, 2) == 0 && held(VRS_CODEC_NULL, NULL, 2) == 0);
    assert_true(held(VRS_CODEC_H264, NULL, 0) > 0); /* threads by the machine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),          cmocka_unit_test(test_unknown_levels),
        cmocka_unit_test(test_decoder_threads), cmocka_unit_test(test_presets),
        cmocka_unit_test(test_codecs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
