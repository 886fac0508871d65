/* Where outputs may lie, who else writes them, and what dead runs left. */
#define _GNU_SOURCE /* setgroups() */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "media/file/journal.h"
#include "media/sink_folder.h"
#include "media/sink_tools.h"
#include "support/child.h"
#include "vrseg/log.h"

static char last_warning[512];

static int make_quiet_folder(void **state)
{
    last_warning[0] = '\0';
    return make_folder(state);
}

static void touch(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

static void keep_warning(void *opaque, vrs_log_level level, const char *line)
{
    (void)opaque;
    if (level == VRS_LOG_WARNING)
        (void)snprintf(last_warning, sizeof last_warning, "%s", line);
}

static vrs_status open_at(tools_setup *setup, const char *path, vrs_sink **sink)
{
    tools_prepare(setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
    setup->params.stream = &setup->stream;
    setup->params.segment_frames = 2;
    return vrs_sink_open(&setup->params, sink);
}

static void check_refused(const char *path, vrs_status status, const char *says)
{
    tools_setup setup;
    vrs_sink *sink = NULL;
    int before = temp_count(folder);
    assert_int_equal(open_at(&setup, path, &sink), status);
    if (!strstr(vrs_last_error(), says))
        fail_msg("\"%s\" does not say \"%s\"", vrs_last_error(), says);
    assert_int_equal(temp_count(folder), before);
}

static void places_that_cannot_be(void **state)
{
    (void)state;
    char path[512];
    path_of(path, "missing/out.mp4");
    check_refused(path, VRS_NOT_FOUND, "missing");
    path_of(path, "missing/out/");
    check_refused(path, VRS_NOT_FOUND, "missing");
    path_of(path, "folder.mp4");
    assert_int_equal(mkdir(path, 0755), 0);
    check_refused(path, VRS_INVALID, "folder");
    path_of(path, "fifo.mp4");
    assert_int_equal(mkfifo(path, 0644), 0);
    check_refused(path, VRS_INVALID, "plain file");
    path_of(path, "file");
    touch(path);
    path_of(path, "file/");
    check_refused(path, VRS_INVALID, "not a folder");
    path_of(path, "file/out.mp4");
    check_refused(path, VRS_NOT_FOUND, "file");
    check_refused("/", VRS_INVALID, "/");
}

static void an_output_that_exists(void **state)
{
    (void)state;
    tools_setup setup;
    vrs_sink *sink = NULL;
    char path[512];
    path_of(path, "out.mp4");
    touch(path);
    tools_prepare(&setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
    setup.params.stream = &setup.stream;
    setup.params.overwrite = false;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "overwrite"));
    assert_int_equal(temp_count(folder), 1);
    setup.params.overwrite = true;
    assert_int_equal(tools_write(&setup, 3, tools_even), VRS_OK);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size > 0);
}

static void a_link_is_followed(void **state)
{
    (void)state;
    tools_setup setup;
    char path[512], link[512];
    struct stat info;
    path_of(path, "deep");
    assert_int_equal(mkdir(path, 0755), 0);
    path_of(path, "deep/out.mp4");
    path_of(link, "link.mp4");
    touch(path);
    assert_int_equal(symlink(path, link), 0);
    tools_prepare(&setup, link, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
    assert_int_equal(tools_write(&setup, 3, tools_even), VRS_OK);
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size > 0);
}

static void the_output_is_not_the_input(void **state)
{
    (void)state;
    static const char *const names[] = {"in.mp4", "symbolic.mp4", "hard.mp4", "other/in.mp4",
                                        "./in.mp4"};
    char input[512], path[512];
    path_of(input, "in.mp4");
    touch(input);
    path_of(path, "symbolic.mp4");
    assert_int_equal(symlink(input, path), 0);
    path_of(path, "hard.mp4");
    assert_int_equal(link(input, path), 0);
    path_of(path, "other");
    assert_int_equal(symlink(folder, path), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tools_setup setup;
        vrs_sink *sink = NULL;
        path_of(path, names[i]);
        tools_prepare(&setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
        setup.params.stream = &setup.stream;
        setup.params.source_path = input;
        assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
        assert_non_null(strstr(vrs_last_error(), "the input itself"));
        assert_int_equal(temp_count(folder), 4);
    }
}

static int write_unprivileged(void)
{
    tools_setup setup;
    vrs_sink *sink = NULL;
    char path[512];
    if (!become_nobody())
        return 1;
    path_of(path, "out.mp4");
    if (open_at(&setup, path, &sink) != VRS_PERMISSION || !strstr(vrs_last_error(), folder))
        return 2;
    path_of(path, "out.y4m");
    if (open_at(&setup, path, &sink) != VRS_PERMISSION)
        return 3;
    path_of(path, "pictures/");
    if (open_at(&setup, path, &sink) != VRS_PERMISSION)
        return 4;
    return temp_count(folder) == 0 ? 0 : 5;
}

static void a_folder_that_is_not_ours(void **state)
{
    (void)state;
    if (geteuid() != 0) { /* root is not stopped, so it becomes nobody; others need not */
        assert_int_equal(chmod(folder, 0555), 0);
        char path[512];
        path_of(path, "out.mp4");
        check_refused(path, VRS_PERMISSION, folder);
        assert_int_equal(chmod(folder, 0755), 0);
        return;
    }
    assert_int_equal(in_child(write_unprivileged), 0);
}

static void two_runs_do_not_share_an_output(void **state)
{
    (void)state;
    static const char *const names[] = {"out.mp4", "out.y4m", "pictures/", "one.png"};
    for (size_t i = 0; i < 4; i++) {
        tools_setup first, second;
        vrs_sink *sink = NULL, *other = NULL;
        char path[512];
        path_of(path, names[i]);
        assert_int_equal(open_at(&first, path, &sink), VRS_OK);
        assert_int_equal(open_at(&second, path, &other), VRS_BUSY);
        assert_non_null(strstr(vrs_last_error(), "another run"));
        vrs_image image = tools_image(VRS_FORMAT_GRAY8, 64, 48, TOOLS_DISC, 0);
        assert_int_equal(vrs_sink_write(sink, &image, 0, 512, NULL), VRS_OK);
        assert_int_equal(vrs_sink_finish(sink), VRS_OK);
        assert_int_equal(open_at(&second, path, &other), VRS_OK); /* before the first is closed */
        vrs_sink_close(sink);
        vrs_sink_close(other);
        assert_int_equal(temp_count(folder), (int)i + 1);
    }
}

static int die_after_five_frames(void)
{
    tools_setup setup;
    vrs_sink *sink = NULL;
    char path[512];
    path_of(path, "out.mp4");
    if (open_at(&setup, path, &sink) != VRS_OK)
        return 1;
    for (int i = 0; i < 5; i++) {
        vrs_image image = tools_image(VRS_FORMAT_GRAY8, 64, 48, TOOLS_DISC, i);
        if (vrs_sink_write(sink, &image, tools_even(i), 512, NULL) != VRS_OK)
            return 2;
    }
    return 0;
}

static void what_a_dead_run_left(void **state)
{
    (void)state;
    tools_setup setup;
    vrs_sink *sink = NULL;
    char path[512], work[512];
    assert_int_equal(in_child(die_after_five_frames), 0);
    path_of(work, "out.mp4.vrseg");
    assert_int_equal(temp_count(work), 5); /* two segments, half a one, journal, lock */
    path_of(path, "out.mp4");
    tools_prepare(&setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
    setup.params.stream = &setup.stream;
    setup.params.overwrite = false;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "2 finished segments"));
    path_of(work, "out.mp4.vrseg");
    assert_int_equal(temp_count(work), 5);
    setup.params.overwrite = true;
    vrs_log_set(keep_warning, NULL, VRS_LOG_WARNING);
    assert_int_equal(tools_write(&setup, 3, tools_even), VRS_OK);
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    assert_non_null(strstr(last_warning, "2 finished segments"));
    assert_int_equal(temp_count(folder), 1);
}

/* The segments that a dead run leaves can be played, and the journal describes them. */
static void the_journal_says_what_is_finished(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "\"journal\":2,", "\"encoder\":\"libx264\"", "\"time_base\":\"1/12800\"",
        "\"segment\":0,\"file\":\"seg-00000.mp4\",\"first_frame\":0,\"frames\":2,\"first_pts\":0,"
        "\"end_pts\":1024,",
        "\"segment\":1,\"file\":\"seg-00001.mp4\",\"first_frame\":2,\"frames\":2,"
        "\"first_pts\":1024,\"end_pts\":2048,"};
    char path[512];
    char *text = NULL;
    size_t size = 0;
    tools_clip clip;
    assert_int_equal(in_child(die_after_five_frames), 0);
    path_of(path, "out.mp4.vrseg/" VRS_JOURNAL_NAME);
    assert_int_equal(vrs_file_read(path, 100000, &text, &size), VRS_OK);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!strstr(text, keys[i]))
            fail_msg("%s is not in %s", keys[i], text);
    assert_int_equal(text[size - 1], '\n');
    vrs_free(text);
    path_of(path, "out.mp4.vrseg/seg-00001.mp4");
    tools_read(&clip, path, NULL);
    assert_int_equal(clip.count, 2);
    assert_int_equal(clip.frames[0]->pts, 0);
    assert_int_equal(clip.frames[1]->pts, 512);
    tools_forget(&clip);
}

int main(void)
{
#define ONE(test) cmocka_unit_test_setup_teardown(test, make_quiet_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        ONE(places_that_cannot_be),     ONE(an_output_that_exists),
        ONE(a_link_is_followed),        ONE(the_output_is_not_the_input),
        ONE(a_folder_that_is_not_ours), ONE(two_runs_do_not_share_an_output),
        ONE(what_a_dead_run_left),      ONE(the_journal_says_what_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
