/* Pictures in folders and alone, and Y4M. */
#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "media/encode/picture.h"
#include "media/sink_folder.h"
#include "media/sink_tools.h"

/* Reads a picture of one frame and checks its format and size. */
static void read_one(tools_clip *clip, const char *path, enum AVPixelFormat format, int width,
                     int height)
{
    tools_read(clip, path, NULL);
    assert_int_equal(clip->count, 1);
    assert_int_equal(clip->frames[0]->format, format);
    assert_int_equal(clip->frames[0]->width, width);
    assert_int_equal(clip->frames[0]->height, height);
}

static vrs_status write_named(vrs_sink *sink, const tools_setup *setup, int index, const char *name)
{
    vrs_image image = tools_image(setup->params.format, setup->params.width, setup->params.height,
                                  setup->pattern, index);
    return vrs_sink_write(sink, &image, index, 1, name);
}

static void open_sink(tools_setup *setup, const char *path, vrs_output_kind kind, vrs_sink **sink)
{
    tools_prepare(setup, path, kind, VRS_FORMAT_YUV420P, 17, 9);
    setup->params.stream = &setup->stream;
    assert_int_equal(vrs_sink_open(&setup->params, sink), VRS_OK);
}

static void masks_go_to_a_folder(void **state)
{
    (void)state;
    tools_setup setup;
    tools_clip clip;
    vrs_sink *sink = NULL;
    char path[512], file[1024];
    static const char *const files[] = {"000000.png", "one.png", "one-2.png", "000003.png"};
    path_of(path, "masks/");
    open_sink(&setup, path, VRS_OUTPUT_MASK, &sink);
    setup.pattern = TOOLS_NOISE;
    assert_int_equal(write_named(sink, &setup, 0, NULL), VRS_OK);
    assert_int_equal(write_named(sink, &setup, 1, "one"), VRS_OK);
    assert_int_equal(write_named(sink, &setup, 2, "one"), VRS_OK); /* one.jpg and one.png */
    assert_int_equal(write_named(sink, &setup, 3, "../out"), VRS_OK);
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    assert_int_equal(write_named(sink, &setup, 4, NULL), VRS_CLOSED);
    vrs_sink_close(sink);
    assert_int_equal(temp_count(folder), 1);
    assert_int_equal(temp_count(path), 4);
    for (int i = 0; i < 4; i++) {
        tools_join(file, sizeof file, path, files[i]);
        read_one(&clip, file, AV_PIX_FMT_GRAY8, 17, 9);
        assert_int_equal(tools_plane_error(clip.frames[0], 0, TOOLS_NOISE, i, 8), 0);
        tools_forget(&clip);
    }
}

static void classes_keep_their_index_under_a_palette(void **state)
{
    (void)state;
    uint8_t palette[256][3] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}};
    tools_setup setup;
    tools_clip clip;
    char path[512];
    path_of(path, "classes.png");
    tools_prepare(&setup, path, VRS_OUTPUT_CLASSES, VRS_FORMAT_RGB24, 33, 21);
    setup.params.palette = (const uint8_t(*)[3])palette;
    setup.pattern = TOOLS_CLASSES;
    assert_int_equal(tools_write(&setup, 1, tools_even), VRS_OK);
    read_one(&clip, path, AV_PIX_FMT_PAL8, 33, 21);
    assert_int_equal(tools_plane_error(clip.frames[0], 0, TOOLS_CLASSES, 0, 8), 0);
    const uint32_t *colours = (const uint32_t *)clip.frames[0]->data[1];
    assert_int_equal(colours[2], 0xff46505a);
    tools_forget(&clip);
}

static void composites_and_cutouts_become_rgb(void **state)
{
    (void)state;
    static const vrs_pixel_format sources[] = {VRS_FORMAT_YUV420P, VRS_FORMAT_P010};
    for (int s = 0; s < 2; s++) {
        tools_setup setup;
        tools_clip clip;
        char path[512];
        path_of(path, "c.png");
        tools_prepare(&setup, path, VRS_OUTPUT_COMPOSITE, sources[s], 64, 48);
        assert_int_equal(tools_write(&setup, 1, tools_even), VRS_OK);
        read_one(&clip, path, AV_PIX_FMT_RGB24, 64, 48);
        tools_forget(&clip);
        tools_prepare(&setup, path, VRS_OUTPUT_CUTOUT, sources[s], 64, 48);
        assert_int_equal(tools_write(&setup, 1, tools_even), VRS_OK);
        read_one(&clip, path, AV_PIX_FMT_RGBA, 64, 48);
        for (int x = 0; x < 64; x++) {
            int wanted = tools_sample(TOOLS_DISC, 3, 8, 0, x, 18);
            assert_in_range(tools_frame_sample(clip.frames[0], 3, x, 18), wanted - 1, wanted + 1);
        }
        /* A flat place: Y 20, Cb = Cr = 153. By H.273's matrix of BT.709 in limited range R is
         * 4.7 + 44.8, G 4.7 - 5.3 - 13.3, B 4.7 + 52.8. */
        assert_in_range(tools_frame_sample(clip.frames[0], 0, 56, 40), 48, 51);
        assert_in_range(tools_frame_sample(clip.frames[0], 1, 56, 40), 0, 1);
        assert_in_range(tools_frame_sample(clip.frames[0], 2, 56, 40), 56, 59);
        tools_forget(&clip);
    }
}

static void one_file_holds_one_picture(void **state)
{
    (void)state;
    tools_setup setup;
    vrs_sink *sink = NULL;
    char path[512];
    path_of(path, "one.png");
    open_sink(&setup, path, VRS_OUTPUT_MASK, &sink);
    assert_int_equal(write_named(sink, &setup, 0, NULL), VRS_OK);
    assert_int_equal(write_named(sink, &setup, 1, NULL), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "folder"));
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    vrs_sink_close(sink);
    assert_int_equal(temp_count(folder), 1);
}

static void the_input_is_never_written_over(void **state)
{
    (void)state;
    tools_setup setup;
    vrs_sink *sink = NULL;
    char input[512], path[600];
    path_of(input, "in.png");
    tools_prepare(&setup, input, VRS_OUTPUT_MASK, VRS_FORMAT_RGB24, 17, 9);
    assert_int_equal(tools_write(&setup, 1, tools_even), VRS_OK);
    tools_join(path, sizeof path, folder, "");
    /* The folder of the input as the output: its own name is refused, others are not. */
    tools_prepare(&setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_RGB24, 17, 9);
    setup.params.stream = &setup.stream;
    setup.params.source_path = input;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
    assert_int_equal(write_named(sink, &setup, 0, "in"), VRS_INVALID);
    assert_int_equal(write_named(sink, &setup, 0, "other"), VRS_OK);
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    vrs_sink_close(sink);
    setup.params.source_path = folder;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "the input itself"));
    setup.params.source_path = NULL;
    setup.params.overwrite = false;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "overwrite"));
    assert_int_equal(temp_count(folder), 2);
}

static void nothing_written_leaves_nothing(void **state)
{
    (void)state;
    tools_setup setup;
    vrs_sink *sink = NULL;
    char path[512];
    path_of(path, "masks/");
    open_sink(&setup, path, VRS_OUTPUT_MASK, &sink);
    vrs_sink_close(sink);
    path_of(path, "m.y4m");
    open_sink(&setup, path, VRS_OUTPUT_MASK, &sink);
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    vrs_sink_close(sink);
    assert_int_equal(temp_count(folder), 0);
}

static void a_picture_alone(void **state)
{
    (void)state;
    static const struct {
        vrs_pixel_format format;
        enum AVPixelFormat read;
    } formats[] = {{VRS_FORMAT_RGB24, AV_PIX_FMT_RGB24},
                   {VRS_FORMAT_GRAY8, AV_PIX_FMT_GRAY8},
                   {VRS_FORMAT_BGRA, AV_PIX_FMT_RGB24},
                   {VRS_FORMAT_YUV420P, AV_PIX_FMT_RGB24}};
    char path[512];
    path_of(path, "p.png");
    for (int f = 0; f < 4; f++) {
        tools_clip clip;
        vrs_image image = tools_image(formats[f].format, 19, 7, TOOLS_NOISE, f);
        assert_int_equal(vrs_picture_write(path, &image), VRS_OK);
        read_one(&clip, path, formats[f].read, 19, 7);
        for (int x = 0; x < 19 && f < 3; x++) {
            for (int c = 0; c < (f == 1 ? 1 : 3); c++) {
                static const int order[3][4] = {{0, 1, 2, 3}, {0, 0, 0, 1}, {2, 1, 0, 4}};
                int step = order[f][3];
                uint8_t wanted = image.planes[0][image.strides[0] * 3 + step * x + order[f][c]];
                assert_int_equal(tools_frame_sample(clip.frames[0], c, x, 3), wanted);
            }
        }
        tools_forget(&clip);
        assert_int_equal(tools_images_live(), 1); /* borrowed */
        vrs_image_release(&image);
    }
    vrs_image image = tools_image(VRS_FORMAT_GRAY10, 19, 7, TOOLS_NOISE, 0);
    assert_int_equal(vrs_picture_write(path, &image), VRS_INVALID);
    vrs_image_release(&image);
    image = tools_image(VRS_FORMAT_GRAY8, 19, 7, TOOLS_NOISE, 0);
    assert_int_equal(vrs_picture_write("/nowhere/at/all.png", &image), VRS_NOT_FOUND);
    vrs_image_release(&image);
    assert_int_equal(temp_count(folder), 1);
}

/* ---- Y4M ------------------------------------------------------------------------------------ */

static void check_y4m(const char *path, vrs_output_kind kind, vrs_pixel_format source, int planes,
                      int depth)
{
    tools_setup setup;
    tools_clip clip;
    tools_prepare(&setup, path, kind, source, 17, 9);
    setup.stream.rate_num = 30000;
    setup.stream.rate_den = 1001;
    setup.pattern = TOOLS_NOISE;
    assert_int_equal(tools_write(&setup, 5, tools_even), VRS_OK);
    tools_read(&clip, path, NULL);
    assert_int_equal(clip.count, 5);
    assert_int_equal(clip.video->avg_frame_rate.num, 30000);
    assert_int_equal(clip.frames[0]->width, 17);
    assert_int_equal(clip.frames[0]->color_range,
                     kind == VRS_OUTPUT_MASK ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG);
    for (int i = 0; i < 5; i++)
        for (int plane = 0; plane < planes; plane++)
            assert_int_equal(tools_plane_error(clip.frames[i], plane, TOOLS_NOISE, i, depth), 0);
    tools_forget(&clip);
    assert_int_equal(temp_count(folder), 1);
}

static void y4m_gives_back_every_bit(void **state)
{
    (void)state;
    char path[512];
    path_of(path, "v.y4m");
    check_y4m(path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 1, 8);
    check_y4m(path, VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, 3, 8);
    check_y4m(path, VRS_OUTPUT_COMPOSITE, VRS_FORMAT_P010, 3, 10);
}

/* A child writes to `path` while we read what comes. Returns the bytes. */
static size_t read_from_child(const char *path, int write_end, int read_end, char *head,
                              size_t head_size)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        tools_setup setup;
        if (strcmp(path, "-") == 0)
            (void)dup2(write_end, STDOUT_FILENO);
        (void)close(read_end); /* write_end stays: the reader must not see an end too early */
        tools_prepare(&setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 640, 360);
        _exit(tools_write(&setup, 3, tools_even) == VRS_OK ? 0 : 1);
    }
    (void)close(write_end);
    size_t total = 0;
    char block[4096];
    ssize_t count = 0;
    while ((count = read(read_end, block, sizeof block)) > 0) {
        if (total == 0)
            memcpy(head, block, head_size);
        total += (size_t)count;
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    (void)close(read_end);
    return total;
}

static void y4m_goes_down_a_pipe(void **state)
{
    (void)state;
    int ends[2];
    char head[64];
    static const char wanted[] = "YUV4MPEG2 W640 H360 F25:1 Ip A0:0 Cmono XCOLORRANGE=FULL\n";
    assert_int_equal(pipe(ends), 0);
    size_t total = read_from_child("-", ends[1], ends[0], head, sizeof head);
    assert_memory_equal(head, wanted, sizeof wanted - 1);
    assert_int_equal(total, sizeof wanted - 1 + 3 * (6 + 640 * 360));

    char path[512];
    path_of(path, "fifo.y4m");
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(fcntl(reader, F_SETFL, 0), 0);
    int writer = open(path, O_WRONLY);
    total = read_from_child(path, writer, reader, head, sizeof head);
    assert_int_equal(total, sizeof wanted - 1 + 3 * (6 + 640 * 360));
    assert_int_equal(temp_count(folder), 1);
}

static void a_reader_that_goes_away_is_an_error(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        tools_setup setup;
        (void)signal(SIGPIPE, SIG_IGN);
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        tools_prepare(&setup, "-", VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 640, 360);
        vrs_status status = tools_write(&setup, 3, tools_even);
        _exit(status == VRS_IO && tools_images_live() == 0 ? 0 : 1);
    }
    (void)close(ends[1]);
    (void)close(ends[0]);
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

static void null_takes_everything(void **state)
{
    (void)state;
    tools_setup setup;
    vrs_sink *sink = NULL;
    open_sink(&setup, "null", VRS_OUTPUT_CUTOUT, &sink);
    assert_int_equal(write_named(sink, &setup, 0, NULL), VRS_OK);
    assert_int_equal(sink->frames, 1);
    assert_string_equal(sink->description, "cutout, null, null");
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    vrs_sink_close(sink);
    vrs_sink_close(NULL);
}

int main(void)
{
#define ONE(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        ONE(masks_go_to_a_folder),
        ONE(classes_keep_their_index_under_a_palette),
        ONE(composites_and_cutouts_become_rgb),
        ONE(one_file_holds_one_picture),
        ONE(the_input_is_never_written_over),
        ONE(nothing_written_leaves_nothing),
        ONE(a_picture_alone),
        ONE(y4m_gives_back_every_bit),
        ONE(y4m_goes_down_a_pipe),
        ONE(a_reader_that_goes_away_is_an_error),
        ONE(null_takes_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
