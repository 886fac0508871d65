/* Going to a place in a source: what is read from there is what is read there from the start. */
#define _XOPEN_SOURCE 700
#include "clips.h"

#define MOST 150

typedef struct seen {
    int64_t id, pts;
    uint64_t sum;
} seen;

static seen look(vrs_frame *frame)
{
    seen one = {.id = frame->id, .pts = frame->pts};
    for (int y = 0; y < frame->image.height; y++) {
        const uint8_t *row = frame->image.planes[0] + frame->image.strides[0] * y;
        for (int x = 0; x < frame->image.width; x++)
            one.sum = one.sum * 31 + row[x];
    }
    vrs_image_release(&frame->image);
    return one;
}

static int see_all(vrs_source *source, seen *frames)
{
    int count = 0;
    vrs_frame frame;
    while (vrs_source_read(source, &frame) == VRS_OK) {
        assert_true(count < MOST);
        frames[count++] = look(&frame);
    }
    return count;
}

/* Every fifth place, with none and with some frames before it. */
static void check_places(const char *path, bool known)
{
    static seen whole[MOST], part[MOST];
    vrs_source *source = open_source(path);
    int count = see_all(source, whole);
    uint64_t damaged = source->damaged;
    vrs_source_close(source);
    assert_true(count > 20);
    for (int32_t before = 0; before <= 7; before += 7) {
        for (int frame = before > 0 ? before : 1; frame <= count; frame += 5) {
            source = open_source(path);
            const vrs_source_place place = {
                .frame = frame, .last_pts = whole[frame - 1].pts, .known = known, .before = before};
            assert_int_equal(vrs_source_go_to(source, &place), VRS_OK);
            int rest = see_all(source, part);
            assert_int_equal(rest, count - frame + before);
            for (int i = 0; i < rest; i++) {
                const seen *expected = &whole[frame - before + i];
                assert_int_equal(part[i].id, expected->id);
                assert_int_equal(part[i].pts, expected->pts);
                assert_int_equal(part[i].sum, expected->sum);
            }
            assert_true(source->damaged <= damaged);
            vrs_source_close(source);
        }
    }
}

static void in_every_kind_of_file(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *path;
    } clips[] = {
        {"-c:v libx264 -g 12", "gop12.mp4"},
        {"-c:v libx264 -g 12 -x264-params open-gop=1", "open.mkv"},
        {"-c:v libx264 -g 250", "long.mp4"},
        {"-c:v libx264 -g 12", "gop12.ts"},
        {"-c:v libx265 -g 20 -x265-params log-level=none:open-gop=1", "hevc.mp4"},
        {"-c:v libvpx-vp9 -deadline realtime -cpu-used 8", "vp9.webm"},
        {"-c:v ffv1", "ffv1.mkv"},
        {"-c:v mjpeg", "mjpeg.avi"},
        {"-vf 'setpts=N*(10+N)/(500*TB)' -fps_mode vfr -c:v libx264 -g 12", "vfr.mp4"},
        {"-output_ts_offset 1000 -c:v libx264 -g 12", "late.mp4"},
    };
    for (size_t i = 0; i < sizeof clips / sizeof clips[0]; i++) {
        char arguments[512];
        (void)snprintf(arguments, sizeof arguments,
                       "-f lavfi -i testsrc2=s=64x48:r=25:d=2 -pix_fmt yuv420p %s %s",
                       clips[i].arguments, clips[i].path);
        clip(arguments);
        check_places(clips[i].path, true);
    }
    check_places("gop12.mp4", false);
}

/* A clip after another in one stream, with times that begin anew: the frame that is sought is not
 * to be found by its time, and frames are counted. */
static void where_times_are_not_the_files_own(void **state)
{
    (void)state;
    assert_int_equal(system("cat gop12.ts gop12.ts > twice.ts"), 0);
    check_places("twice.ts", false);
    vrs_source *source = open_source("twice.ts");
    const vrs_source_place place = {.frame = 80, .last_pts = INT64_C(77777777), .known = true};
    assert_int_equal(vrs_source_go_to(source, &place), VRS_OK);
    vrs_frame frame;
    assert_int_equal(vrs_source_read(source, &frame), VRS_OK);
    assert_int_equal(frame.id, 80);
    vrs_image_release(&frame.image);
    vrs_source_close(source);
}

static void behind_the_end(void **state)
{
    (void)state;
    vrs_source *source = open_source("gop12.mp4");
    const vrs_source_place place = {.frame = 51, .last_pts = INT64_C(77777777), .known = true};
    assert_int_equal(vrs_source_go_to(source, &place), VRS_CORRUPT);
    assert_non_null(strstr(vrs_last_error(), "ends after 50 frames"));
    vrs_source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_every_kind_of_file),
        cmocka_unit_test(where_times_are_not_the_files_own),
        cmocka_unit_test(behind_the_end),
    };
    clips_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clips_end();
    return failed;
}
