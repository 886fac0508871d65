/* Going on with what a run that ended early has finished. */
#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "media/file/journal.h"
#include "media/sink_folder.h"
#include "media/sink_tools.h"
#include "support/inject.h"
#include "vrseg/log.h"

#define FRAMES 22
#define SEGMENT 4
#define WRITTEN 14 /* before the run ends early: three segments and two frames */

static int make_quiet_folder(void **state)
{
    vrs_log_set(NULL, NULL, VRS_LOG_ERROR);
    return make_folder(state);
}

static int remove_quiet_folder(void **state)
{
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    return remove_folder(state);
}

static void prepare(tools_setup *setup, const char *path)
{
    tools_prepare(setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
    setup->params.codec = strstr(path, ".mkv") ? VRS_CODEC_FFV1 : VRS_CODEC_H264;
    setup->params.stream = &setup->stream;
    setup->params.segment_frames = SEGMENT;
    setup->params.threads = 1;
    /* x264 reads memory that it never wrote where a picture is as small as this and has B-frames.
     */
    setup->params.encoder_options = setup->params.codec == VRS_CODEC_H264 ? "bf=0" : NULL;
    setup->params.settings = "threshold=0\nsmooth=off";
}

static void write_from(vrs_sink *sink, const tools_setup *setup, int first, int end)
{
    for (int i = first; i < end; i++) {
        vrs_image image = tools_image(setup->params.format, setup->params.width,
                                      setup->params.height, setup->pattern, i);
        assert_int_equal(vrs_sink_write(sink, &image, tools_uneven(i), 512, NULL), VRS_OK);
    }
}

/* A run that ends early. */
static void end_early(const char *name)
{
    tools_setup setup;
    char path[512];
    vrs_sink *sink = NULL;
    path_of(path, name);
    prepare(&setup, path);
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
    write_from(sink, &setup, 0, WRITTEN);
    vrs_sink_abort(sink);
    vrs_sink_close(sink);
}

static vrs_status resume(const char *name, tools_setup *setup, char *path, vrs_sink **sink)
{
    path_of(path, name);
    prepare(setup, path);
    setup->params.resume = true;
    return vrs_sink_open(&setup->params, sink);
}

/* Goes on to the end. */
static void finish(const char *name, int64_t expected)
{
    tools_setup setup;
    char path[512];
    vrs_sink *sink = NULL;
    assert_int_equal(resume(name, &setup, path, &sink), VRS_OK);
    assert_int_equal(sink->resumed.frames, expected);
    assert_int_equal(sink->frames, expected);
    if (expected > 0) {
        assert_int_equal(sink->resumed.last_pts, tools_uneven((int)expected - 1));
        assert_true(sink->resumed.source_times);
    }
    write_from(sink, &setup, (int)expected, FRAMES);
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    vrs_sink_close(sink);
    char left[80];
    (void)snprintf(left, sizeof left, "%.64s.vrseg", name);
    path_of(path, left);
    assert_false(tools_exists(path));
}

/* The same pictures at the same times. */
static void assert_same(const char *a, const char *b)
{
    static tools_clip first, second;
    char path[512];
    path_of(path, a);
    tools_read(&first, path, NULL);
    path_of(path, b);
    tools_read(&second, path, NULL);
    assert_int_equal(first.count, FRAMES);
    assert_int_equal(second.count, FRAMES);
    for (int i = 0; i < FRAMES; i++) {
        const AVFrame *x = first.frames[i], *y = second.frames[i];
        assert_int_equal(x->pts, y->pts);
        for (int row = 0; row < 48; row++) {
            assert_memory_equal(x->data[0] + row * x->linesize[0],
                                y->data[0] + row * y->linesize[0], 64);
        }
    }
    tools_forget(&first);
    tools_forget(&second);
}

static void make_whole(const char *name)
{
    tools_setup setup;
    char path[512];
    path_of(path, name);
    prepare(&setup, path);
    assert_int_equal(tools_write(&setup, FRAMES, tools_uneven), VRS_OK);
}

static char *read_file(const char *path, size_t *size)
{
    char *data = NULL;
    assert_int_equal(vrs_file_read(path, 1 << 20, &data, size), VRS_OK);
    return data;
}

static void write_file(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void goes_on_as_if_nothing_had_been(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"whole.mkv", "cut.mkv"}, {"whole.mp4", "cut.mp4"}};
    for (size_t i = 0; i < 2; i++) {
        make_whole(names[i][0]);
        end_early(names[i][1]);
        finish(names[i][1], WRITTEN - WRITTEN % SEGMENT);
        assert_same(names[i][0], names[i][1]);
    }
}

static void a_power_cut_at_each_byte_of_the_journal(void **state)
{
    (void)state;
    char journal[512], saved[900];
    size_t size;
    make_whole("whole.mkv");
    end_early("cut.mkv");
    path_of(journal, "cut.mkv.vrseg/" VRS_JOURNAL_NAME);
    (void)snprintf(saved, sizeof saved,
                   "rm -rf %.200s/saved && cp -r %.200s/cut.mkv.vrseg "
                   "%.200s/saved",
                   folder, folder, folder);
    assert_int_equal(system(saved), 0);
    char *text = read_file(journal, &size);
    size_t step = size / 60 + 1;
    for (size_t length = 0; length <= size; length += step) {
        char back[900];
        int64_t lines = 0;
        for (size_t i = 0; i < length; i++)
            lines += text[i] == '\n';
        (void)snprintf(back, sizeof back,
                       "rm -rf %.200s/cut.mkv* && cp -r %.200s/saved "
                       "%.200s/cut.mkv.vrseg",
                       folder, folder, folder);
        assert_int_equal(system(back), 0);
        write_file(journal, text, length);
        finish("cut.mkv", lines > 1 ? (lines - 1) * SEGMENT : 0);
        assert_same("whole.mkv", "cut.mkv");
    }
    vrs_free(text);
}

static void a_segment_that_was_changed_is_made_again(void **state)
{
    (void)state;
    make_whole("whole.mkv");
    for (int damaged = 0; damaged < 3; damaged++) {
        char path[512], name[64];
        size_t size;
        end_early("cut.mkv");
        (void)snprintf(name, sizeof name, "cut.mkv.vrseg/seg-%05d.mkv", damaged);
        path_of(path, name);
        char *data = read_file(path, &size);
        data[size / 2] ^= 1;
        write_file(path, data, damaged == 2 ? size - 1 : size);
        vrs_free(data);
        finish("cut.mkv", damaged * SEGMENT);
        assert_same("whole.mkv", "cut.mkv");
        path_of(path, "cut.mkv");
        assert_int_equal(unlink(path), 0);
    }
}

static void another_run_is_refused_and_nothing_is_lost(void **state)
{
    (void)state;
    tools_setup setup;
    char path[512];
    vrs_sink *sink = NULL;
    end_early("cut.mkv");
    path_of(path, "cut.mkv");
    prepare(&setup, path);
    setup.params.resume = true;
    setup.params.settings = "threshold=0\nsmooth=adaptive";
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "smooth=off"));
    assert_non_null(strstr(vrs_last_error(), "smooth=adaptive"));
    prepare(&setup, path);
    setup.params.resume = true;
    setup.params.segment_frames = 5;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "segment_frames 4"));
    prepare(&setup, path);
    setup.params.resume = true;
    setup.params.source_path = "/proc/self/exe";
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "source_bytes -1"));
    finish("cut.mkv", 12);
}

static void y4m_is_refused(void **state)
{
    (void)state;
    tools_setup setup;
    char path[512];
    vrs_sink *sink = NULL;
    path_of(path, "out.y4m");
    prepare(&setup, path);
    setup.params.codec = VRS_CODEC_RAW;
    setup.params.resume = true;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_UNSUPPORTED);
    assert_int_equal(temp_count(folder), 0);
}

static void a_sink_goes_back_to_where_another_is(void **state)
{
    (void)state;
    tools_setup setup;
    char path[512];
    vrs_sink *sink = NULL;
    make_whole("whole.mkv");
    end_early("cut.mkv");
    assert_int_equal(resume("cut.mkv", &setup, path, &sink), VRS_OK);
    assert_int_equal(vrs_sink_rewind(sink, 8), VRS_OK);
    assert_int_equal(sink->resumed.frames, 8);
    assert_int_equal(sink->resumed.last_pts, tools_uneven(7));
    vrs_sink_close(sink);
    finish("cut.mkv", 8);
    assert_same("whole.mkv", "cut.mkv");
}

/* Lines that a journal of ours never has end it. */
static void hostile_entries_end_the_journal(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\"segment\":3,\"file\":\"../../etc/passwd\",\"first_frame\":12,\"frames\":4}",
        "{\"segment\":3,\"file\":\"seg-00000.mkv\",\"first_frame\":12,\"frames\":-4,\"first_pts\":"
        "99999,\"end_pts\":199999,\"last_pts\":100000,\"last_dts\":0,\"shift\":0,\"source_times\":"
        "true,\"bytes\":1,\"crc32\":\"00000000\"}",
        "{\"segment\":3,\"file\":\"seg-00000.mkv\",\"first_frame\":9223372036854775807,\"frames\":"
        "4,"
        "\"first_pts\":99999,\"end_pts\":199999,\"last_pts\":100000,\"last_dts\":0,\"shift\":0,"
        "\"source_times\":true,\"bytes\":1,\"crc32\":\"zz\"}",
        "[1, 2]",
        "{\"segment\":3}",
        "not JSON",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char journal[512];
        end_early("cut.mkv");
        path_of(journal, "cut.mkv.vrseg/" VRS_JOURNAL_NAME);
        FILE *file = fopen(journal, "a");
        assert_non_null(file);
        assert_true(fprintf(file, "%s\n", lines[i]) > 0);
        assert_int_equal(fclose(file), 0);
        finish("cut.mkv", 12);
        path_of(journal, "cut.mkv");
        assert_int_equal(unlink(journal), 0);
    }
}

static vrs_status open_resumed(void *opaque)
{
    (void)opaque;
    tools_setup setup;
    char path[512], detail[VRS_DETAIL_SIZE];
    vrs_sink *sink = NULL;
    vrs_status status = resume("cut.mkv", &setup, path, &sink);
    (void)snprintf(detail, sizeof detail, "%s", vrs_last_error());
    vrs_sink_close(sink);
    return status == VRS_OK ? status : vrs_fail(status, "%s", detail);
}

/* Whatever fails while a run is taken up again, what was finished is not lost by it. */
static void every_resource_may_fail(void **state)
{
    (void)state;
    const vrs_status also[] = {VRS_OK, VRS_IO, VRS_UNSUPPORTED};
    end_early("cut.mkv");
    unsigned count = inject_all_allowing(open_resumed, NULL, also, 3);
    assert_true(count > 20);
    finish("cut.mkv", 12);
}

static void pictures_go_on_after_the_last_before_a_gap(void **state)
{
    (void)state;
    tools_setup setup;
    char path[512];
    vrs_sink *sink = NULL;
    for (int round = 0; round < 2; round++) {
        path_of(path, "pictures/");
        prepare(&setup, path);
        setup.params.codec = VRS_CODEC_PNG;
        setup.params.resume = round > 0;
        assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
        assert_int_equal(sink->resumed.frames, round > 0 ? 5 : 0);
        write_from(sink, &setup, (int)sink->frames, round > 0 ? 9 : 6);
        assert_int_equal(vrs_sink_finish(sink), VRS_OK);
        vrs_sink_close(sink);
        path_of(path, "pictures");
        assert_int_equal(temp_count(path), round > 0 ? 9 : 6);
        path_of(path, "pictures/000005.png");
        assert_int_equal(unlink(path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(goes_on_as_if_nothing_had_been, make_quiet_folder,
                                        remove_quiet_folder),
        cmocka_unit_test_setup_teardown(a_power_cut_at_each_byte_of_the_journal, make_quiet_folder,
                                        remove_quiet_folder),
        cmocka_unit_test_setup_teardown(a_segment_that_was_changed_is_made_again, make_quiet_folder,
                                        remove_quiet_folder),
        cmocka_unit_test_setup_teardown(another_run_is_refused_and_nothing_is_lost,
                                        make_quiet_folder, remove_quiet_folder),
        cmocka_unit_test_setup_teardown(y4m_is_refused, make_quiet_folder, remove_quiet_folder),
        cmocka_unit_test_setup_teardown(a_sink_goes_back_to_where_another_is, make_quiet_folder,
                                        remove_quiet_folder),
        cmocka_unit_test_setup_teardown(hostile_entries_end_the_journal, make_quiet_folder,
                                        remove_quiet_folder),
        cmocka_unit_test_setup_teardown(every_resource_may_fail, make_quiet_folder,
                                        remove_quiet_folder),
        cmocka_unit_test_setup_teardown(pictures_go_on_after_the_last_before_a_gap,
                                        make_quiet_folder, remove_quiet_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
