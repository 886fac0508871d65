/* Videos as sources: formats, times, tags, changes in mid-stream. */
#define _XOPEN_SOURCE 700
#include "clips.h"

/* A moving picture with B-frames and a key frame every twelve. */
#define PATTERN "-f lavfi -i testsrc2=s=96x64:r=25:d=1.2 "

static void codecs_as_probed(void **state)
{
    (void)state;
    const struct {
        const char *arguments, *path;
        vrs_pixel_format format;
    } cases[] = {
        {"-c:v libx264 -g 12", "h264.mp4", VRS_FORMAT_YUV420P},
        {"-c:v libx264 -g 12", "h264.mkv", VRS_FORMAT_YUV420P},
        {"-c:v libx264 -g 12", "h264.ts", VRS_FORMAT_YUV420P},
        {"-c:v libx264 -slices 4 -g 12", "slices.mp4", VRS_FORMAT_YUV420P},
        {"-c:v libx265 -x265-params log-level=none", "hevc.mp4", VRS_FORMAT_YUV420P},
        {"-c:v libx265 -x265-params log-level=none -pix_fmt yuv420p10le", "hevc10.mkv",
         VRS_FORMAT_YUV420P10},
        {"-c:v libvpx-vp9 -deadline realtime -cpu-used 8", "vp9.webm", VRS_FORMAT_YUV420P},
        {"-c:v libsvtav1 -preset 12 -loglevel quiet", "av1.mp4", VRS_FORMAT_YUV420P},
        {"-c:v ffv1 -pix_fmt yuv420p", "ffv1.mkv", VRS_FORMAT_YUV420P},
        {"-c:v rawvideo -pix_fmt nv12", "nv12.nut", VRS_FORMAT_NV12},
        {"-c:v rawvideo -pix_fmt rgb24", "rgb.nut", VRS_FORMAT_RGB24},
        {"-c:v rawvideo -pix_fmt bgra", "bgra.nut", VRS_FORMAT_BGRA},
        {"-pix_fmt yuv420p", "raw.y4m", VRS_FORMAT_YUV420P},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char arguments[512];
        (void)snprintf(arguments, sizeof arguments, PATTERN "-pix_fmt yuv420p %s %s",
                       cases[i].arguments, cases[i].path);
        setenv("SVT_LOG", "0", 1);
        clip(arguments);
        assert_int_equal(expect_as_probed(cases[i].path), 30);
        vrs_source *source = open_source(cases[i].path);
        assert_int_equal(source->info.format, cases[i].format);
        assert_int_equal(source->info.width, 96);
        assert_int_equal(source->info.height, 64);
        assert_int_equal(source->info.rate_num, 25 * source->info.rate_den);
        assert_false(source->info.still);
        vrs_source_close(source);
    }
    assert_int_equal(clips_warnings, 0);
}

static void frames_live_on(void **state)
{
    (void)state;
    enum { KEPT = 12 };
    vrs_frame frames[KEPT];
    uint64_t sums[KEPT] = {0};
    vrs_source *source = open_source("h264.mp4");
    for (int i = 0; i < KEPT; i++) {
        frames[i] = read_frame(source);
        for (int y = 0; y < frames[i].image.height; y++) {
            const uint8_t *row = frames[i].image.planes[0] + frames[i].image.strides[0] * y;
            for (int x = 0; x < frames[i].image.width; x++)
                sums[i] = sums[i] * 31 + row[x];
        }
    }
    (void)read_all(source);
    vrs_source_close(source);
    for (int i = 0; i < KEPT; i++) { /* after the decoder is gone */
        uint64_t sum = 0;
        for (int y = 0; y < frames[i].image.height; y++) {
            const uint8_t *row = frames[i].image.planes[0] + frames[i].image.strides[0] * y;
            for (int x = 0; x < frames[i].image.width; x++)
                sum = sum * 31 + row[x];
        }
        assert_true(sum == sums[i]);
        assert_true(i == 0 || sums[i] != sums[i - 1]);
        vrs_image_release(&frames[i].image);
        assert_null(frames[i].image.release);
        vrs_image_release(&frames[i].image); /* a second time does nothing */
    }
}

static void thread_counts_agree(void **state)
{
    (void)state;
    uint64_t sums[2] = {0};
    for (int i = 0; i < 2; i++) {
        vrs_source_params params = {.path = "slices.mp4", .threads = i ? 4 : 1};
        vrs_source *source = NULL;
        assert_int_equal(vrs_source_open(&params, &source), VRS_OK);
        vrs_frame frame;
        while (vrs_source_read(source, &frame) == VRS_OK) {
            for (int x = 0; x < frame.image.width; x++)
                sums[i] = sums[i] * 31 + frame.image.planes[0][x];
            vrs_image_release(&frame.image);
        }
        vrs_source_close(source);
    }
    assert_true(sums[0] == sums[1]);
}

static void max_frames_ends(void **state)
{
    (void)state;
    vrs_source_params params = {.path = "h264.mp4", .max_frames = 7};
    vrs_source *source = NULL;
    assert_int_equal(vrs_source_open(&params, &source), VRS_OK);
    assert_int_equal(source->info.frame_estimate, 7);
    assert_int_equal(read_all(source), 7);
    vrs_source_close(source);
}

/* ---- times and tags ------------------------------------------------------------------------- */

static void variable_rate_is_kept(void **state)
{
    (void)state;
    clip("-i h264.mp4 -vf settb=1/1000,setpts='N*40+mod(N\\,3)*12' -vsync passthrough "
         "-enc_time_base 1:1000 -c:v libx264 vfr.mkv");
    assert_int_equal(expect_as_probed("vfr.mkv"), 30);
    vrs_source *source = open_source("vfr.mkv");
    int64_t steps[3];
    vrs_frame frame = read_frame(source);
    int64_t last = frame.pts;
    vrs_image_release(&frame.image);
    for (int i = 0; i < 3; i++) {
        frame = read_frame(source);
        steps[i] = frame.pts - last;
        last = frame.pts;
        vrs_image_release(&frame.image);
    }
    assert_int_equal(steps[0], 52); /* ms: 40 + 12, 40 + 12, 40 - 24 */
    assert_int_equal(steps[1], 52);
    assert_int_equal(steps[2], 16);
    vrs_source_close(source);
}

static void missing_times_are_made(void **state)
{
    (void)state;
    clip("-i h264.mp4 -c copy bare.h264");
    vrs_source *source = open_source("bare.h264");
    const vrs_stream_info *info = &source->info;
    int64_t step = (int64_t)info->time_base_den * info->rate_den / info->rate_num;
    for (int i = 0; i < 30; i++) {
        vrs_frame frame = read_frame(source);
        assert_int_equal(frame.pts * info->time_base_num, i * step);
        assert_int_equal(frame.duration * info->time_base_num, step);
        vrs_image_release(&frame.image);
    }
    assert_int_equal(read_all(source), 30);
    vrs_source_close(source);
}

/* Recordings one after another: the second one's clock starts again. */
static void times_that_go_back_go_on(void **state)
{
    (void)state;
    assert_int_equal(system("cat h264.ts h264.ts > twice.ts"), 0);
    clips_warnings = 0;
    vrs_source *source = open_source("twice.ts");
    int64_t last = 0;
    for (int i = 0; i < 60; i++) {
        vrs_frame frame = read_frame(source);
        if (i > 0)
            assert_int_equal(frame.pts - last, 3600);
        last = frame.pts;
        vrs_image_release(&frame.image);
    }
    assert_int_equal(clips_warnings, 1);
    assert_non_null(strstr(clips_warning, "time stamps go back at frame 30"));
    vrs_source_close(source);
}

static void durations_and_estimates(void **state)
{
    (void)state;
    const char *paths[] = {"h264.mp4", "h264.mkv", "vp9.webm", "hevc10.mkv"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        vrs_source *source = open_source(paths[i]);
        assert_int_equal(source->info.frame_estimate, 30);
        vrs_frame frame = read_frame(source);
        double seconds =
            (double)frame.duration * source->info.time_base_num / source->info.time_base_den;
        assert_true(seconds > 0.039 && seconds < 0.041);
        vrs_image_release(&frame.image);
        vrs_source_close(source);
    }
}

static void rotation_and_aspect(void **state)
{
    (void)state;
    /* This ffmpeg writes a matrix that turns counter-clockwise for "rotate", and turns so when it
     * plays it. */
    const struct {
        const char *tag;
        int32_t clockwise;
    } cases[] = {{"rotate=0", 0}, {"rotate=90", 270}, {"rotate=180", 180}, {"rotate=270", 90}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char arguments[256];
        (void)snprintf(arguments, sizeof arguments,
                       "-i h264.mp4 -metadata:s:v %s -aspect 16:9 -c copy turned.mp4",
                       cases[i].tag);
        clip(arguments);
        vrs_source *source = open_source("turned.mp4");
        assert_int_equal(source->info.rotation, cases[i].clockwise);
        assert_int_equal(source->info.width, 96); /* pixels as stored */
        assert_int_equal(source->info.height, 64);
        assert_int_equal(source->info.aspect_num, 32);
        assert_int_equal(source->info.aspect_den, 27);
        vrs_source_close(source);
    }
}

static void colour_tags(void **state)
{
    (void)state;
    const struct {
        const char *arguments;
        vrs_color color;
    } cases[] = {
        {"-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv",
         {VRS_MATRIX_BT709, VRS_RANGE_LIMITED, VRS_TRANSFER_BT709, VRS_CHROMA_LEFT, 1}},
        {"-colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m -color_range tv",
         {VRS_MATRIX_BT601, VRS_RANGE_LIMITED, VRS_TRANSFER_BT709, VRS_CHROMA_LEFT, 6}},
        {"-colorspace bt470bg -color_range pc -chroma_sample_location center",
         {VRS_MATRIX_BT601, VRS_RANGE_FULL, VRS_TRANSFER_UNKNOWN, VRS_CHROMA_CENTER, 2}},
        {"-colorspace bt2020nc -color_primaries bt2020 -color_trc smpte2084 -color_range tv "
         "-chroma_sample_location topleft",
         {VRS_MATRIX_BT2020, VRS_RANGE_LIMITED, VRS_TRANSFER_PQ, VRS_CHROMA_TOP_LEFT, 9}},
        {"-colorspace bt2020nc -color_primaries bt2020 -color_trc arib-std-b67 -color_range tv",
         {VRS_MATRIX_BT2020, VRS_RANGE_LIMITED, VRS_TRANSFER_HLG, VRS_CHROMA_LEFT, 9}},
        {"", {VRS_MATRIX_UNKNOWN, VRS_RANGE_UNKNOWN, VRS_TRANSFER_UNKNOWN, VRS_CHROMA_LEFT, 2}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char arguments[512];
        (void)snprintf(arguments, sizeof arguments,
                       "-f lavfi -i color=gray:s=32x32:r=5:d=0.4 -pix_fmt yuv420p %s -c:v libx264 "
                       "tags.mp4",
                       cases[i].arguments);
        clip(arguments);
        vrs_source *source = open_source("tags.mp4");
        vrs_frame frame = read_frame(source);
        assert_memory_equal(&source->info.color, &cases[i].color, sizeof(vrs_color));
        assert_memory_equal(&frame.image.color, &cases[i].color, sizeof(vrs_color));
        vrs_image_release(&frame.image);
        vrs_source_close(source);
    }
}

/* The picture that a file's cover is made of is no video. */
static void attached_pictures_are_ignored(void **state)
{
    (void)state;
    clip("-i h264.mp4 -frames:v 1 -vf scale=640:480 cover.png");
    clip("-i h264.mp4 -i cover.png -map 1 -map 0 -c copy -disposition:v:0 attached_pic cover.mp4");
    assert_int_equal(expect_as_probed("cover.mp4"), 30);
    vrs_source *source = open_source("cover.mp4");
    assert_int_equal(source->info.width, 96);
    vrs_source_close(source);
    clip("-f lavfi -i sine=d=0.2 -i cover.png -map 0 -map 1 -c:v copy -c:a aac "
         "-disposition:v:0 attached_pic song.m4a");
    expect_refused("song.m4a", VRS_UNSUPPORTED, "no video stream; it has: ");
    assert_non_null(strstr(vrs_last_error(), "attached picture png"));
}

static void largest_video_is_read(void **state)
{
    (void)state;
    clip("-i h264.mp4 -map 0 -map 0 -s:v:0 48x32 -c:v libx264 -f matroska two.mkv");
    vrs_source *source = open_source("two.mkv");
    assert_int_equal(source->info.width, 96);
    assert_int_equal(read_all(source), 30);
    assert_int_equal(source->damaged, 0);
    vrs_source_close(source);
}

static void description_tells_the_input(void **state)
{
    (void)state;
    vrs_source *source = open_source("h264.mp4");
    assert_string_equal(source->info.description, "h264 96x64 yuv420p 25 fps");
    vrs_source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codecs_as_probed),
        cmocka_unit_test(frames_live_on),
        cmocka_unit_test(thread_counts_agree),
        cmocka_unit_test(max_frames_ends),
        cmocka_unit_test(variable_rate_is_kept),
        cmocka_unit_test(missing_times_are_made),
        cmocka_unit_test(times_that_go_back_go_on),
        cmocka_unit_test(durations_and_estimates),
        cmocka_unit_test(rotation_and_aspect),
        cmocka_unit_test(colour_tags),
        cmocka_unit_test(attached_pictures_are_ignored),
        cmocka_unit_test(largest_video_is_read),
        cmocka_unit_test(description_tells_the_input),
    };
    clips_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clips_end();
    return failed;
}
