/* Pictures, folders of them, pipes, and every failure in turn. */
#define _XOPEN_SOURCE 700
#include "clips.h"

#include "base/clock.h"
#include "support/inject.h"

#define PICTURE "-f lavfi -i testsrc2=s=64x48:r=1 -frames:v 1 "

static void single_pictures(void **state)
{
    (void)state;
    const struct {
        const char *arguments, *path;
        vrs_pixel_format format;
    } cases[] = {
        {"-pix_fmt rgb24", "one.png", VRS_FORMAT_RGB24},
        {"-pix_fmt rgba", "alpha.png", VRS_FORMAT_BGRA},
        {"-pix_fmt pal8", "palette.png", VRS_FORMAT_BGRA},
        {"-pix_fmt gray", "gray.png", VRS_FORMAT_YUV420P},
        {"-pix_fmt gray16be", "gray16.png", VRS_FORMAT_YUV420P10},
        {"-pix_fmt yuvj420p", "one.jpg", VRS_FORMAT_YUV420P},
        {"-pix_fmt yuvj422p", "two.two.jpeg", VRS_FORMAT_YUV420P},
        {"", "one.bmp", VRS_FORMAT_RGB24},
        {"-c:v libwebp", "one.webp", VRS_FORMAT_YUV420P},
        {"-pix_fmt rgb24", "one.tiff", VRS_FORMAT_RGB24},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char arguments[256];
        char name[64];
        (void)snprintf(arguments, sizeof arguments, PICTURE "%s %s", cases[i].arguments,
                       cases[i].path);
        clip(arguments);
        (void)snprintf(name, sizeof name, "%s", cases[i].path);
        *strrchr(name, '.') = '\0';
        vrs_source *source = open_source(cases[i].path);
        assert_true(source->info.still);
        assert_int_equal(source->info.format, cases[i].format);
        assert_int_equal(source->info.frame_estimate, 1);
        vrs_frame frame = read_frame(source);
        assert_int_equal(frame.pts, 0);
        assert_int_equal(frame.image.width, 64);
        assert_int_equal(frame.image.height, 48);
        assert_string_equal(source->frame_name, name);
        vrs_image_release(&frame.image);
        assert_int_equal(read_all(source), 1);
        assert_int_equal(source->damaged, 0);
        vrs_source_close(source);
    }
    vrs_source *source = open_source("one.jpg");
    assert_int_equal(source->info.color.range, VRS_RANGE_FULL);
    assert_int_equal(source->info.color.matrix, VRS_MATRIX_BT601);
    assert_int_equal(source->info.color.chroma_site, VRS_CHROMA_CENTER);
    vrs_source_close(source);
}

/* A name is a name: libav's patterns and protocols in it mean nothing. */
static void names_are_taken_literally(void **state)
{
    (void)state;
    const char *names[] = {"a%03d.png", "b*[1-2]?.png", "file:c.png", "concat:d|e.png", "-f.png"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size = 0;
        uint8_t *data = read_file("one.png", &size);
        write_file(names[i], data, size);
        free(data);
        vrs_source *source = open_source(names[i]);
        assert_int_equal(read_all(source), 1);
        vrs_source_close(source);
    }
}

static void folder_of_pictures(void **state)
{
    (void)state;
    clip(PICTURE "-s 40x30 -pix_fmt rgb24 pictures/c.png");
    clip(PICTURE "-s 31x17 -pix_fmt yuvj420p pictures/B.jpg");
    clip(PICTURE "-s 20x50 pictures/a.1.bmp");
    clip(PICTURE "-pix_fmt rgb24 pictures/.hidden.png");
    write_file("pictures/broken.png", "not a picture", 13);
    write_file("pictures/notes.txt", "words", 5);
    vrs_source *source = open_source("pictures");
    assert_true(source->info.still);
    assert_int_equal(source->info.frame_estimate, 4);
    assert_int_equal(source->info.width, 31);
    const struct {
        const char *name;
        int width, height;
        vrs_pixel_format format;
    } expected[] = {{"B", 31, 17, VRS_FORMAT_YUV420P},
                    {"a.1", 20, 50, VRS_FORMAT_RGB24},
                    {"c", 40, 30, VRS_FORMAT_RGB24}};
    for (int i = 0; i < 3; i++) {
        vrs_frame frame = read_frame(source);
        assert_string_equal(source->frame_name, expected[i].name);
        assert_int_equal(frame.image.width, expected[i].width);
        assert_int_equal(frame.image.height, expected[i].height);
        assert_int_equal(frame.image.format, expected[i].format);
        assert_int_equal(frame.pts, i);
        vrs_image_release(&frame.image);
    }
    assert_int_equal(read_all(source), 3);
    assert_int_equal(source->damaged, 1);
    assert_non_null(strstr(source->damage, "pictures/broken.png"));
    vrs_source_close(source);
}

static void folders_without_a_picture(void **state)
{
    (void)state;
    assert_int_equal(mkdir("none", 0755), 0);
    expect_refused("none", VRS_INVALID, "none: a folder without pictures");
    write_file("none/x.png", "not a picture", 13);
    write_file("none/y.jpg", "neither", 7);
    expect_refused("none", VRS_CORRUPT, "none: not one of its 2 pictures can be decoded");
}

static void rgb_becomes_yuv_on_demand(void **state)
{
    (void)state;
    clip("-f lavfi -i color=0xc04020:s=64x48 -frames:v 1 -vf format=gbrp -pix_fmt rgb24 plain.png");
    vrs_source_params params = {.path = "plain.png", .need_yuv = true};
    vrs_source *source = NULL;
    assert_int_equal(vrs_source_open(&params, &source), VRS_OK);
    vrs_frame frame = read_frame(source);
    assert_int_equal(frame.image.format, VRS_FORMAT_YUV420P);
    assert_int_equal(frame.image.color.matrix, VRS_MATRIX_BT709);
    /* H.273 with BT.709's Kr and Kb, limited range, of (192, 64, 32) */
    assert_in_range(frame.image.planes[0][10], 92 - 2, 92 + 2);
    assert_in_range(frame.image.planes[1][10], 101 - 2, 101 + 2);
    assert_in_range(frame.image.planes[2][10], 185 - 2, 185 + 2);
    vrs_image_release(&frame.image);
    vrs_source_close(source);
}

/* ---- pipes ---------------------------------------------------------------------------------- */

/* Puts the output of a command in the place of standard input. */
static FILE *kept_pipe;
static int kept_input;

static void pipe_in(const char *command)
{
    kept_input = dup(STDIN_FILENO);
    kept_pipe = popen(command, "r");
    assert_non_null(kept_pipe);
    assert_true(dup2(fileno(kept_pipe), STDIN_FILENO) >= 0);
}

static void pipe_end(void)
{
    assert_true(dup2(kept_input, STDIN_FILENO) >= 0);
    (void)close(kept_input);
    (void)pclose(kept_pipe);
}

static void containers_and_pictures_from_a_pipe(void **state)
{
    (void)state;
    clip("-f lavfi -i testsrc2=s=64x48:r=10:d=1 -pix_fmt yuv420p film.y4m");
    clip("-i film.y4m -c:v libx264 film.mkv");
    clip("-i film.y4m -c:v libx264 -movflags +faststart film.mp4");
    const struct {
        const char *command;
        uint64_t frames;
        bool still;
    } cases[] = {{"cat film.y4m", 10, false},
                 {"cat film.mkv", 10, false},
                 {"cat film.mp4", 10, false},
                 {"cat one.png", 1, true},
                 {"cat one.png alpha.png one.png", 3, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pipe_in(cases[i].command);
        vrs_source *source = open_source("-");
        assert_int_equal(source->info.still, cases[i].still);
        assert_int_equal(source->info.frame_estimate, -1);
        assert_int_equal(read_all(source), cases[i].frames);
        if (source->damaged != 0)
            fail_msg("%s: %s", cases[i].command, source->damage);
        assert_string_equal(source->frame_name, "");
        vrs_source_close(source);
        pipe_end();
    }
    pipe_in("true");
    expect_refused("-", VRS_INVALID, "standard input: no data came");
    pipe_end();
}

static void raw_pixels(void **state)
{
    (void)state;
    const struct {
        const char *format;
        vrs_pixel_format as;
    } cases[] = {{"yuv420p", VRS_FORMAT_YUV420P}, {"nv12", VRS_FORMAT_NV12},
                 {"p010le", VRS_FORMAT_P010},     {"yuv420p10le", VRS_FORMAT_YUV420P10},
                 {"rgb24", VRS_FORMAT_RGB24},     {"bgra", VRS_FORMAT_BGRA}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "-i film.y4m -f rawvideo -pix_fmt %s film.raw",
                       cases[i].format);
        clip(text);
        (void)snprintf(text, sizeof text, "64x48:%s:30000/1001", cases[i].format);
        vrs_source_params params = {.path = "-", .raw_format = text};
        vrs_source *source = NULL;
        pipe_in("cat film.raw");
        assert_int_equal(vrs_source_open(&params, &source), VRS_OK);
        assert_int_equal(source->info.format, cases[i].as);
        assert_int_equal(source->info.rate_num, 30000);
        assert_int_equal(source->info.rate_den, 1001);
        assert_int_equal(read_all(source), 10);
        vrs_source_close(source);
        pipe_end();
    }
    size_t size = 0;
    uint8_t *data = read_file("film.raw", &size);
    write_file("part.raw", data, size - 100);
    free(data);
    vrs_source_params params = {.path = "part.raw", .raw_format = "64x48:bgra:10"};
    vrs_source *source = NULL;
    assert_int_equal(vrs_source_open(&params, &source), VRS_OK);
    assert_int_equal(read_all(source), 9);
    assert_int_equal(source->damaged, 1);
    vrs_source_close(source);
}

static void wrong_raw_formats(void **state)
{
    (void)state;
    const char *wrong[] = {"64x48",          "64:48:bgra:10",      "0x48:bgra:10",
                           "64x48:bgra:",    "64x48:bgra:fast",    "64x99999:bgra:10",
                           "64x48:purple:1", "64x48:bgra:10:more", "-4x48:bgra:10"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        vrs_source_params params = {.path = "film.raw", .raw_format = wrong[i]};
        vrs_source *source = NULL;
        assert_int_equal(vrs_source_open(&params, &source), VRS_INVALID);
        assert_non_null(strstr(vrs_last_error(), wrong[i]));
        assert_null(source);
    }
}

/* ---- stopping ------------------------------------------------------------------------------- */

static bool stop_soon(void *opaque)
{
    int *left = opaque;
    return (*left)-- <= 0;
}

static void idle_pipes_are_stopped(void **state)
{
    (void)state;
    int left = 2;
    vrs_source_params params = {.path = "-", .stop = stop_soon, .stop_opaque = &left};
    vrs_source *source = NULL;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int kept = dup(STDIN_FILENO);
    assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
    assert_int_equal(vrs_source_open(&params, &source), VRS_CANCELLED);
    assert_null(source);
    assert_true(dup2(kept, STDIN_FILENO) >= 0);
    (void)close(kept);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

#define SLOW_FRAME (64 * 48 * 3 / 2)
#define SLOW_TICK_NS (VRS_NS_PER_S / 10)

typedef struct slow_pipe {
    int end;
    int asked; /* since the pipe is empty */
    bool empty;
} slow_pipe;

/* Time goes by only while the pipe is waited for; the fifth time there is a frame. */
static bool feed_slowly(void *opaque)
{
    static const uint8_t frame[SLOW_FRAME];
    slow_pipe *slow = opaque;
    if (slow->empty) {
        vrs_clock_advance_ns(SLOW_TICK_NS);
        if (++slow->asked == 5)
            assert_int_equal(write(slow->end, frame, sizeof frame), sizeof frame);
    }
    return false;
}

/* What a read has waited for data is told, and nothing where the data was there. */
static void waiting_for_a_pipe_is_counted(void **state)
{
    (void)state;
    static const uint8_t frames[2 * SLOW_FRAME];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    slow_pipe slow = {.end = ends[1]};
    vrs_source_params params = {.path = "-",
                                .raw_format = "64x48:yuv420p:10",
                                .threads = 1,
                                .stop = feed_slowly,
                                .stop_opaque = &slow};
    vrs_source *source = NULL;
    int kept = dup(STDIN_FILENO);
    assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
    assert_int_equal(write(ends[1], frames, sizeof frames), sizeof frames);
    vrs_clock_use_virtual(VRS_NS_PER_S);
    assert_int_equal(vrs_source_open(&params, &source), VRS_OK);
    for (int i = 0; i < 3; i++) {
        vrs_frame frame;
        slow.empty = i == 2;
        assert_int_equal(vrs_source_read(source, &frame), VRS_OK);
        assert_in_range(source->starved_ns, i == 2 ? 3 * SLOW_TICK_NS : 0,
                        i == 2 ? 5 * SLOW_TICK_NS : 0);
        vrs_image_release(&frame.image);
        slow.empty = false;
    }
    vrs_source_close(source);
    vrs_clock_use_real();
    assert_true(dup2(kept, STDIN_FILENO) >= 0);
    (void)close(kept);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Whenever it is asked to stop, it says that it was. */
static void stops_at_every_read(void **state)
{
    (void)state;
    bool ended = false;
    for (int allowed = 0; !ended; allowed++) {
        int left = allowed;
        vrs_source_params params = {.path = "film.y4m", .stop = stop_soon, .stop_opaque = &left};
        vrs_source *source = NULL;
        vrs_status status = vrs_source_open(&params, &source);
        vrs_frame frame;
        while (status == VRS_OK) {
            status = vrs_source_read(source, &frame);
            if (status == VRS_OK)
                vrs_image_release(&frame.image);
        }
        ended = status == VRS_END;
        if (!ended && status != VRS_CANCELLED)
            fail_msg("stopped at %d: %s %s", allowed, vrs_status_name(status), vrs_last_error());
        vrs_source_close(source);
    }
}

/* ---- failures in turn ----------------------------------------------------------------------- */

static vrs_status open_and_read(void *opaque)
{
    vrs_source_params params = {.path = opaque, .threads = 1};
    vrs_source *source = NULL;
    vrs_status status = vrs_source_open(&params, &source);
    vrs_frame frame;
    while (status == VRS_OK) {
        status = vrs_source_read(source, &frame);
        if (status == VRS_OK)
            vrs_image_release(&frame.image);
    }
    vrs_source_close(source);
    return status == VRS_END ? VRS_OK : status;
}

static void every_failure_in_turn(void **state)
{
    (void)state;
    clip("-f lavfi -i testsrc2=s=32x32:r=10:d=0.4 -pix_fmt yuv420p -c:v libx264 short.mp4");
    clip("-f lavfi -i testsrc2=s=32x32:r=10:d=0.4 -pix_fmt yuv444p -c:v libx264 short444.mp4");
    const char *paths[] = {"short.mp4", "short444.mp4", "palette.png", "pictures", "film.y4m"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        unsigned failed = inject_all(open_and_read, (void *)(uintptr_t)paths[i]);
        assert_true(failed > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_pictures),
        cmocka_unit_test(names_are_taken_literally),
        cmocka_unit_test(folder_of_pictures),
        cmocka_unit_test(folders_without_a_picture),
        cmocka_unit_test(rgb_becomes_yuv_on_demand),
        cmocka_unit_test(containers_and_pictures_from_a_pipe),
        cmocka_unit_test(raw_pixels),
        cmocka_unit_test(wrong_raw_formats),
        cmocka_unit_test(idle_pipes_are_stopped),
        cmocka_unit_test(waiting_for_a_pipe_is_counted),
        cmocka_unit_test(stops_at_every_read),
        cmocka_unit_test(every_failure_in_turn),
    };
    clips_begin();
    if (mkdir("pictures", 0755) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clips_end();
    return failed;
}
