/* Every codec there and back. */
#define _XOPEN_SOURCE 700
#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/sink_folder.h"
#include "media/sink_tools.h"

static const char *place_of(const char *name)
{
    static char path[512];
    tools_join(path, sizeof path, folder, name);
    return path;
}

/* Writes `count` frames and reads them back; checks their number, size and times. */
static void round_trip(const tools_setup *setup, int count, const char *decoder, tools_clip *clip)
{
    vrs_status status = tools_write(setup, count, tools_even);
    if (status != VRS_OK)
        fail_msg("%s: %s", setup->params.path, vrs_last_error());
    tools_read(clip, setup->params.path, decoder);
    assert_int_equal(clip->count, count);
    for (int i = 0; i < count; i++) {
        int64_t wanted =
            av_rescale_q(tools_even(i), (AVRational){1, 12800}, clip->video->time_base);
        assert_int_equal(clip->frames[i]->pts, wanted);
        assert_int_equal(clip->frames[i]->width, setup->params.width);
        assert_int_equal(clip->frames[i]->height, setup->params.height);
    }
}

static void lossless(const char *name, vrs_output_kind kind, vrs_pixel_format source,
                     vrs_codec codec, int planes, int depth)
{
    tools_setup setup;
    tools_clip clip;
    tools_prepare(&setup, place_of(name), kind, source, 61, 35);
    setup.params.codec = codec;
    setup.params.segment_frames = 4;
    setup.pattern = TOOLS_NOISE;
    round_trip(&setup, 9, NULL, &clip);
    for (int i = 0; i < clip.count; i++)
        for (int plane = 0; plane < planes; plane++)
            assert_int_equal(tools_plane_error(clip.frames[i], plane, TOOLS_NOISE, i, depth), 0);
    tools_forget(&clip);
}

static void ffv1_gives_back_every_bit(void **state)
{
    (void)state;
    lossless("mask.mkv", VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, VRS_CODEC_FFV1, 1, 8);
    lossless("classes.mkv", VRS_OUTPUT_CLASSES, VRS_FORMAT_YUV420P, VRS_CODEC_FFV1, 1, 8);
    lossless("composite.mkv", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, VRS_CODEC_FFV1, 3, 8);
    lossless("deep.mkv", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_P010, VRS_CODEC_FFV1, 3, 10);
    lossless("cutout.mkv", VRS_OUTPUT_CUTOUT, VRS_FORMAT_YUV420P, VRS_CODEC_FFV1, 4, 8);
    lossless("deepcut.mkv", VRS_OUTPUT_CUTOUT, VRS_FORMAT_P010, VRS_CODEC_FFV1, 4, 10);
}

static void a_mask_in_h264_is_grey_and_full_range(void **state)
{
    (void)state;
    static const vrs_pixel_format formats[] = {VRS_FORMAT_GRAY8, VRS_FORMAT_YUV420P};
    for (int f = 0; f < 2; f++) {
        tools_setup setup;
        tools_clip clip;
        tools_prepare(&setup, place_of("mask.mp4"), VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
        setup.params.format = formats[f];
        setup.params.crf = 1;
        round_trip(&setup, 12, NULL, &clip);
        assert_int_equal(clip.video->codecpar->codec_id, AV_CODEC_ID_H264);
        for (int i = 0; i < clip.count; i++) {
            const AVFrame *frame = clip.frames[i];
            assert_int_equal(frame->color_range, AVCOL_RANGE_JPEG);
            assert_in_range(tools_plane_error(frame, 0, TOOLS_DISC, i, 8), 0, 8);
            for (int x = 0; x < 32 && f == 0; x++) {
                assert_int_equal(tools_frame_sample(frame, 1, x, 10), 128);
                assert_int_equal(tools_frame_sample(frame, 2, x, 10), 128);
            }
        }
        tools_forget(&clip);
    }
}

static void check_lossy(const char *name, vrs_output_kind kind, vrs_pixel_format source,
                        vrs_codec codec, enum AVCodecID id, int depth)
{
    tools_setup setup;
    tools_clip clip;
    tools_prepare(&setup, place_of(name), kind, source, 64, 48);
    setup.params.codec = codec;
    setup.params.crf = 4;
    setup.params.segment_frames = 5;
    round_trip(&setup, 12, NULL, &clip);
    assert_int_equal(clip.video->codecpar->codec_id, id);
    for (int i = 0; i < clip.count; i++) {
        const AVFrame *frame = clip.frames[i];
        assert_int_equal(frame->color_range, AVCOL_RANGE_MPEG);
        assert_int_equal(frame->colorspace, AVCOL_SPC_BT709);
        assert_int_equal(frame->color_primaries, AVCOL_PRI_BT709);
        for (int plane = 0; plane < 3; plane++) {
            assert_in_range(tools_plane_error(frame, plane, TOOLS_DISC, i, depth), 0,
                            12 << (depth - 8));
        }
    }
    tools_forget(&clip);
}

static void composites_come_back_near(void **state)
{
    (void)state;
    check_lossy("c.mp4", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, VRS_CODEC_H264, AV_CODEC_ID_H264,
                8);
    check_lossy("c.mov", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, VRS_CODEC_HEVC, AV_CODEC_ID_HEVC,
                8);
    check_lossy("d.mp4", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_P010, VRS_CODEC_HEVC, AV_CODEC_ID_HEVC,
                10);
    check_lossy("d.mkv", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P10, VRS_CODEC_H264,
                AV_CODEC_ID_H264, 10);
    check_lossy("v.webm", VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, VRS_CODEC_VP9, AV_CODEC_ID_VP9,
                8);
}

static void alpha(const char *name, const char *decoder, vrs_codec codec, int tolerance)
{
    tools_setup setup;
    tools_clip clip;
    tools_prepare(&setup, place_of(name), VRS_OUTPUT_CUTOUT, VRS_FORMAT_YUV420P, 64, 48);
    setup.params.codec = codec;
    setup.params.crf = 4;
    setup.params.segment_frames = 5;
    round_trip(&setup, 8, decoder, &clip);
    const AVPixFmtDescriptor *desc =
        av_pix_fmt_desc_get((enum AVPixelFormat)clip.frames[0]->format);
    int depth = desc->comp[desc->nb_components - 1].depth;
    assert_int_equal(desc->nb_components, 4);
    for (int i = 0; i < clip.count; i++) {
        for (int y = 0; y < 48; y++) {
            for (int x = 0; x < 64; x++) {
                int wanted = tools_sample(TOOLS_DISC, 3, 8, i, x, y);
                int got = tools_frame_sample(clip.frames[i], 3, x, y) >> (depth - 8);
                assert_in_range(got, wanted < tolerance ? 0 : wanted - tolerance,
                                wanted + tolerance);
            }
        }
    }
    tools_forget(&clip);
}

static void alpha_comes_back(void **state)
{
    (void)state;
    alpha("cut.mov", NULL, VRS_CODEC_PRORES, 1);
    alpha("cut.webm", "libvpx-vp9", VRS_CODEC_VP9, 12);
    alpha("cut.mkv", "libvpx-vp9", VRS_CODEC_VP9, 12);
}

static void classes_in_h264_have_the_palettes_colours(void **state)
{
    (void)state;
    uint8_t palette[256][3] = {{0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};
    tools_setup setup;
    tools_clip clip;
    tools_prepare(&setup, place_of("classes.mp4"), VRS_OUTPUT_CLASSES, VRS_FORMAT_YUV420P, 64, 48);
    setup.params.palette = (const uint8_t(*)[3])palette;
    setup.params.crf = 4;
    setup.pattern = TOOLS_CLASSES;
    round_trip(&setup, 3, NULL, &clip);
    /* BT.709, limited: red is 63, 102, 240; white 235, 128, 128 (H.273, by hand). */
    const AVFrame *frame = clip.frames[0];
    assert_in_range(tools_frame_sample(frame, 0, 12, 4), 63 - 6, 63 + 6);
    assert_in_range(tools_frame_sample(frame, 1, 6, 2), 102 - 6, 102 + 6);
    assert_in_range(tools_frame_sample(frame, 2, 6, 2), 240 - 6, 240 + 6);
    assert_in_range(tools_frame_sample(frame, 0, 36, 4), 235 - 6, 235 + 6);
    assert_in_range(tools_frame_sample(frame, 1, 18, 2), 128 - 6, 128 + 6);
    tools_forget(&clip);
}

static void odd_and_tiny_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        vrs_output_kind kind;
        vrs_codec codec;
    } outputs[] = {
        {"o.mp4", VRS_OUTPUT_MASK, VRS_CODEC_H264},
        {"o.mkv", VRS_OUTPUT_MASK, VRS_CODEC_FFV1},
        {"o.mp4", VRS_OUTPUT_COMPOSITE, VRS_CODEC_H264},
        {"o.mp4", VRS_OUTPUT_CLASSES, VRS_CODEC_H264},
        {"o.mkv", VRS_OUTPUT_CUTOUT, VRS_CODEC_FFV1},
        {"o.mov", VRS_OUTPUT_CUTOUT, VRS_CODEC_PRORES},
        {"o.webm", VRS_OUTPUT_CUTOUT, VRS_CODEC_VP9},
        {"o.webm", VRS_OUTPUT_MASK, VRS_CODEC_VP9},
    };
    static const int sizes[][2] = {{17, 9}, {1, 1}, {16, 9}, {3, 2}};
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            tools_setup setup;
            tools_clip clip;
            bool padded = outputs[i].codec == VRS_CODEC_H264;
            int width = padded ? (sizes[s][0] + 1) / 2 * 2 : sizes[s][0];
            int height = padded ? (sizes[s][1] + 1) / 2 * 2 : sizes[s][1];
            tools_prepare(&setup, place_of(outputs[i].name), outputs[i].kind, VRS_FORMAT_YUV420P,
                          sizes[s][0], sizes[s][1]);
            setup.params.codec = outputs[i].codec;
            assert_int_equal(tools_write(&setup, 3, tools_even), VRS_OK);
            tools_read(&clip, setup.params.path, NULL);
            assert_int_equal(clip.count, 3);
            assert_int_equal(clip.frames[0]->width, width);
            assert_int_equal(clip.frames[0]->height, height);
            tools_forget(&clip);
        }
    }
}

static void an_odd_size_is_said_and_its_edge_repeated(void **state)
{
    (void)state;
    tools_setup setup;
    tools_clip clip;
    vrs_sink *sink = NULL;
    tools_prepare(&setup, place_of("o.mp4"), VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 17, 9);
    setup.params.crf = 1;
    setup.params.stream = &setup.stream;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
    assert_non_null(strstr(sink->note, "18x10"));
    vrs_image image = tools_image(VRS_FORMAT_GRAY8, 17, 9, TOOLS_DISC, 0);
    assert_int_equal(vrs_sink_write(sink, &image, 0, 512, NULL), VRS_OK);
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    vrs_sink_close(sink);
    tools_read(&clip, setup.params.path, NULL);
    int edge = tools_sample(TOOLS_DISC, 0, 8, 0, 16, 4);
    assert_in_range(tools_frame_sample(clip.frames[0], 0, 17, 4), edge - 6, edge + 6);
    tools_forget(&clip);
}

static void a_picture_too_small_for_hevc_is_refused(void **state)
{
    (void)state;
    tools_setup setup;
    tools_prepare(&setup, place_of("o.mp4"), VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 17, 9);
    setup.params.codec = VRS_CODEC_HEVC;
    assert_int_equal(tools_write(&setup, 1, tools_even), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "17x9"));
    assert_int_equal(temp_count(folder), 0);
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *preset, *options, *says;
    } wrong[] = {
        {NULL, "rc-lookahed=5", "rc-lookahead"},
        {NULL, "bf=2:zzqqxx=1", "zzqqxx"},
        {NULL, "bf=many", "many"},
        {NULL, "bf", "key=value"},
        {"veryfst", NULL, "veryfast"},
        {"quick please", NULL, "quick please"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        tools_setup setup;
        tools_prepare(&setup, place_of("w.mp4"), VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
        setup.params.preset = wrong[i].preset;
        setup.params.encoder_options = wrong[i].options;
        assert_int_equal(tools_write(&setup, 1, tools_even), VRS_INVALID);
        if (!strstr(vrs_last_error(), wrong[i].says))
            fail_msg("\"%s\" does not say \"%s\"", vrs_last_error(), wrong[i].says);
        assert_int_equal(temp_count(folder), 0);
    }
}

static int64_t bytes_of(const tools_setup *setup)
{
    struct stat info;
    assert_int_equal(tools_write(setup, 50, tools_even), VRS_OK);
    assert_int_equal(stat(setup->params.path, &info), 0);
    return info.st_size;
}

static void settings_reach_the_encoder(void **state)
{
    (void)state;
    tools_setup setup;
    tools_prepare(&setup, place_of("s.mp4"), VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 160, 120);
    setup.pattern = TOOLS_NOISE;
    setup.params.crf = 20;
    int64_t fine = bytes_of(&setup);
    setup.params.crf = 40;
    int64_t coarse = bytes_of(&setup);
    assert_true(coarse * 2 < fine);
    setup.params.encoder_options = "crf=20";
    assert_int_equal(bytes_of(&setup), fine);
    setup.params.encoder_options = NULL;
    setup.params.crf = 20;
    setup.params.preset = "ultrafast";
    assert_int_not_equal(bytes_of(&setup), fine);
    setup.params.bitrate = 400000; /* 2 s of it are 100 kB */
    int64_t rated = bytes_of(&setup);
    assert_in_range(rated, 50000, 200000);
}

int main(void)
{
#define ONE(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        ONE(ffv1_gives_back_every_bit),
        ONE(a_mask_in_h264_is_grey_and_full_range),
        ONE(composites_come_back_near),
        ONE(alpha_comes_back),
        ONE(classes_in_h264_have_the_palettes_colours),
        ONE(odd_and_tiny_sizes),
        ONE(an_odd_size_is_said_and_its_edge_repeated),
        ONE(a_picture_too_small_for_hevc_is_refused),
        ONE(wrong_options_are_named),
        ONE(settings_reach_the_encoder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
