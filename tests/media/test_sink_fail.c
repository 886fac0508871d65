/* What goes wrong, and what is left then. */
#define _GNU_SOURCE /* unshare() */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "media/file/journal.h"
#include "media/sink_folder.h"
#include "media/sink_tools.h"
#include "support/child.h"
#include "support/inject.h"
#include "vrseg/log.h"

static void touch(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void prepare(tools_setup *setup, const char *path, vrs_codec codec)
{
    tools_prepare(setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
    setup->params.codec = codec;
    setup->params.stream = &setup->stream;
    setup->params.segment_frames = 4;
}

static vrs_status write_some(vrs_sink *sink, const tools_setup *setup, int first, int count)
{
    vrs_status status = VRS_OK;
    for (int i = first; i < first + count && status == VRS_OK; i++) {
        vrs_image image = tools_image(setup->params.format, setup->params.width,
                                      setup->params.height, setup->pattern, i);
        status = vrs_sink_write(sink, &image, tools_even(i), 512, NULL);
    }
    return status;
}

/* What lies in the folder after a run onto "out.mkv" that ended in `status`: the output alone, or
 * nothing under its name and either finished segments with a journal of as many, or nothing. */
static void check_leftover(vrs_status status, const char *extension)
{
    char path[512], name[64];
    int64_t segments = 0;
    (void)snprintf(name, sizeof name, "out.%s", extension);
    path_of(path, name);
    if (status == VRS_OK) {
        assert_true(tools_exists(path));
        assert_int_equal(temp_count(folder), 1);
        return;
    }
    assert_false(tools_exists(path));
    (void)snprintf(name, sizeof name, "out.%s.vrseg", extension);
    path_of(path, name);
    if (!tools_exists(path)) {
        assert_int_equal(temp_count(folder), 0);
        return;
    }
    assert_int_equal(temp_count(folder), 1);
    assert_int_equal(vrs_journal_count(path, &segments), VRS_OK);
    assert_true(segments > 0);
    assert_int_equal(temp_count(path), segments + 2); /* the journal and the lock */
}

static void empty_folder(void)
{
    temp_remove(folder);
    assert_int_equal(mkdir(folder, 0755), 0);
}

/* ---- every resource in turn ----------------------------------------------------------------- */

typedef struct life {
    const char *name;
    const char *source;
    vrs_codec codec;
    vrs_output_kind kind;
    int frames;
} life;

static vrs_status live_through(void *opaque)
{
    const life *what = opaque;
    tools_setup setup;
    char path[512];
    empty_folder();
    path_of(path, what->name);
    tools_prepare(&setup, what->codec == VRS_CODEC_NULL ? "null" : path, what->kind,
                  VRS_FORMAT_YUV420P, 33, 17);
    setup.params.codec = what->codec;
    setup.params.segment_frames = 2;
    setup.params.source_path = what->source;
    setup.params.keep_streams = true;
    setup.params.encoder_options = what->codec == VRS_CODEC_H264 ? "bf=1" : NULL;
    /* Images come from the test, not from the sink: they are made while nothing fails. */
    vrs_sink_params params = setup.params;
    vrs_sink *sink = NULL;
    params.stream = &setup.stream;
    vrs_status status = vrs_sink_open(&params, &sink);
    char detail[VRS_DETAIL_SIZE] = "";
    for (int i = 0; i < what->frames && status == VRS_OK; i++) {
        static uint8_t pixels[4][64 * 64];
        vrs_image image = {.format = params.format, .width = 33, .height = 17};
        for (int p = 0; p < VRS_MAX_PLANES; p++) {
            image.planes[p] = pixels[p];
            image.strides[p] = 64;
        }
        status = vrs_sink_write(sink, &image, tools_even(i), 512, NULL);
    }
    if (status == VRS_OK)
        status = vrs_sink_finish(sink);
    (void)snprintf(detail, sizeof detail, "%s", vrs_last_error());
    vrs_sink_close(sink);
    return status == VRS_OK ? status : vrs_fail(status, "%s", detail);
}

static vrs_status live_and_look(void *opaque)
{
    const life *what = opaque;
    char detail[VRS_DETAIL_SIZE];
    vrs_status status = live_through(opaque);
    (void)snprintf(detail, sizeof detail, "%s", vrs_last_error());
    const char *extension = strrchr(what->name, '.');
    if (extension) {
        vrs_inject_set(NULL, NULL);
        check_leftover(status, extension + 1);
    }
    return status == VRS_OK ? status : vrs_fail(status, "%s", detail);
}

static void every_resource_may_fail(void **state)
{
    (void)state;
    char outside[256], source[300];
    temp_make(outside, sizeof outside);
    tools_join(source, sizeof source, outside, "source.mp4");
    tools_make_source(source, 6, tools_even);
    const life lives[] = {
        {"out.mkv", NULL, VRS_CODEC_FFV1, VRS_OUTPUT_MASK, 5},
        {"out.mp4", source, VRS_CODEC_H264, VRS_OUTPUT_COMPOSITE, 5},
        {"out.mp4", NULL, VRS_CODEC_H264, VRS_OUTPUT_CLASSES, 2},
        {"out.mov", NULL, VRS_CODEC_PRORES, VRS_OUTPUT_CUTOUT, 3},
        {"out.y4m", NULL, VRS_CODEC_RAW, VRS_OUTPUT_MASK, 2},
        {"out.png", NULL, VRS_CODEC_PNG, VRS_OUTPUT_CLASSES, 1},
        {"out/", NULL, VRS_CODEC_PNG, VRS_OUTPUT_CUTOUT, 2},
        {"null", NULL, VRS_CODEC_NULL, VRS_OUTPUT_MASK, 2},
    };
    /* A source whose streams cannot be read is written without them; an encoder or demuxer that is
     * not there is VRS_UNSUPPORTED; a segment read back short is VRS_CORRUPT. */
    const vrs_status also[] = {VRS_OK, VRS_IO, VRS_UNSUPPORTED};
    vrs_log_set(NULL, NULL, VRS_LOG_ERROR);
    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        unsigned count = inject_all_allowing(live_and_look, (void *)&lives[i], also, 3);
        assert_true(count > (lives[i].codec == VRS_CODEC_NULL ? 0U : 5U));
    }
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    temp_remove(outside);
}

/* ---- disks ---------------------------------------------------------------------------------- */

static unsigned writes_until_failure;

static bool fail_a_write(void *opaque, const char *what)
{
    unsigned *asked = opaque;
    return strcmp(what, "write") != 0 || (*asked)++ != writes_until_failure;
}

static void every_write_may_fail(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        vrs_codec codec;
        const char *extension;
    } outputs[] = {{"out.mkv", VRS_CODEC_FFV1, "mkv"}, {"out.mp4", VRS_CODEC_H264, "mp4"}};
    for (size_t o = 0; o < 2; o++) {
        vrs_status status = VRS_IO;
        int kept = 0;
        for (writes_until_failure = 0; status != VRS_OK; writes_until_failure++) {
            tools_setup setup;
            char path[512];
            unsigned asked = 0;
            empty_folder();
            path_of(path, outputs[o].name);
            prepare(&setup, path, outputs[o].codec);
            setup.pattern = TOOLS_NOISE;
            vrs_inject_set(fail_a_write, &asked);
            status = tools_write(&setup, 10, tools_even);
            vrs_inject_set(NULL, NULL);
            assert_true(status == VRS_OK || status == VRS_IO);
            check_leftover(status, outputs[o].extension);
            if (status != VRS_OK && temp_count(folder) > 0) {
                assert_non_null(strstr(vrs_last_error(), ".vrseg"));
                kept++;
            }
        }
        assert_true(writes_until_failure > 8);
        assert_true(kept > 2);
    }
}

static int write_over_a_limit(void)
{
    tools_setup setup;
    char path[512];
    vrs_sink *sink = NULL;
    const struct rlimit limit = {60000, 60000};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    path_of(path, "out.mkv");
    prepare(&setup, path, VRS_CODEC_FFV1);
    setup.pattern = TOOLS_NOISE;
    if (vrs_sink_open(&setup.params, &sink) != VRS_OK)
        return 2;
    /* Segments of 4 frames of noise are some 13 kB: they fit, the joined file does not. */
    if (write_some(sink, &setup, 0, 40) != VRS_OK)
        return 3;
    if (vrs_sink_finish(sink) != VRS_IO || !strstr(vrs_last_error(), "out.mkv.vrseg"))
        return 4;
    if (write_some(sink, &setup, 0, 1) != VRS_IO || vrs_sink_finish(sink) != VRS_IO)
        return 5;
    vrs_sink_close(sink);
    return tools_images_live() == 0 ? 0 : 6;
}

static void a_file_too_large_to_join_leaves_its_segments(void **state)
{
    (void)state;
    char path[512];
    int64_t segments = 0;
    assert_int_equal(in_child(write_over_a_limit), 0);
    check_leftover(VRS_IO, "mkv");
    path_of(path, "out.mkv.vrseg");
    assert_int_equal(vrs_journal_count(path, &segments), VRS_OK);
    assert_int_equal(segments, 10);
}

#define NO_NAMESPACE 42

static bool write_line(const char *path, const char *line)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);
    if (fd >= 0)
        (void)close(fd);
    return done;
}

/* A mount of our own over the folder: as root, or as root of a user namespace. */
static bool mount_small_disk(void)
{
    char map[64];
    (void)snprintf(map, sizeof map, "0 %d 1", (int)geteuid());
    bool private = unshare(CLONE_NEWNS) == 0;
    if (!private) {
        private =
            unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_line("/proc/self/uid_map", map);
    }
    return private && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", folder, "tmpfs", 0, "size=256k") == 0;
}

static int fill_a_disk(void)
{
    tools_setup setup;
    char path[512];
    vrs_sink *sink = NULL;
    if (!mount_small_disk())
        return NO_NAMESPACE;
    path_of(path, "out.mkv");
    prepare(&setup, path, VRS_CODEC_FFV1);
    setup.pattern = TOOLS_NOISE;
    if (vrs_sink_open(&setup.params, &sink) != VRS_OK)
        return 1;
    vrs_status status = write_some(sink, &setup, 0, 1000);
    if (status != VRS_NO_SPACE || !strstr(vrs_last_error(), "out.mkv.vrseg") || sink->frames < 8)
        return 2;
    vrs_sink_close(sink);
    check_leftover(VRS_NO_SPACE, "mkv");
    path_of(path, "out.mkv");
    setup.params.segment_frames = 1000;
    if (vrs_sink_open(&setup.params, &sink) != VRS_OK)
        return 3;
    if (write_some(sink, &setup, 0, 1000) != VRS_NO_SPACE || temp_count(folder) != 0)
        return 4;
    vrs_sink_close(sink);
    return tools_images_live() == 0 ? 0 : 5;
}

static void a_full_disk_leaves_finished_segments_or_nothing(void **state)
{
    (void)state;
    int result = in_child(fill_a_disk);
    if (result == NO_NAMESPACE) {
        print_message("this system gives no private mounts: the full disk was not tried\n");
        skip();
    }
    assert_int_equal(result, 0);
}

static void flip_a_bit(const char *path)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -700, SEEK_END), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
    assert_int_not_equal(fputc(byte ^ 16, file), EOF);
    assert_int_equal(fclose(file), 0);
}

static void cut_off(const char *path)
{
    assert_int_equal(truncate(path, 900), 0);
}

static void expect_no_join(void (*damage)(const char *path))
{
    tools_setup setup;
    char path[512];
    vrs_sink *sink = NULL;
    path_of(path, "out.mkv");
    touch(path, "what was there before");
    prepare(&setup, path, VRS_CODEC_FFV1);
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
    assert_int_equal(write_some(sink, &setup, 0, 12), VRS_OK);
    path_of(path, "out.mkv.vrseg/seg-00001.mkv");
    damage(path);
    assert_int_equal(vrs_sink_finish(sink), VRS_CORRUPT);
    assert_non_null(strstr(vrs_last_error(), "seg-00001.mkv: is not what was written"));
    vrs_sink_close(sink);
    path_of(path, "out.mkv.vrseg/joined.matroska");
    assert_false(tools_exists(path));
    path_of(path, "out.mkv");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, strlen("what was there before"));
    assert_int_equal(temp_count(folder), 2);
}

static void a_damaged_segment_is_not_joined(void **state)
{
    (void)state;
    expect_no_join(cut_off);
    empty_folder();
    expect_no_join(flip_a_bit); /* which no demuxer would see */
}

/* ---- ending early --------------------------------------------------------------------------- */

static void abort_keeps_what_is_finished(void **state)
{
    (void)state;
    static const int frames[] = {0, 3, 4, 9};
    for (int i = 0; i < 4; i++) {
        tools_setup setup;
        char path[512];
        vrs_sink *sink = NULL;
        int64_t segments = 0;
        empty_folder();
        path_of(path, "out.mp4");
        prepare(&setup, path, VRS_CODEC_H264);
        assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
        assert_int_equal(write_some(sink, &setup, 0, frames[i]), VRS_OK);
        if (i % 2 == 0) {
            vrs_sink_abort(sink);
            assert_int_equal(write_some(sink, &setup, 0, 1), VRS_CLOSED);
            assert_int_equal(vrs_sink_finish(sink), VRS_CLOSED);
        }
        vrs_sink_close(sink);
        check_leftover(VRS_CANCELLED, "mp4");
        path_of(path, "out.mp4.vrseg");
        assert_int_equal(vrs_journal_count(path, &segments), VRS_OK);
        assert_int_equal(segments, frames[i] / 4);
    }
}

static void without_a_frame_nothing_is_written(void **state)
{
    (void)state;
    tools_setup setup;
    char path[512];
    path_of(path, "out.mp4");
    prepare(&setup, path, VRS_CODEC_H264);
    assert_int_equal(tools_write(&setup, 0, tools_even), VRS_OK);
    assert_int_equal(temp_count(folder), 0);
}

static void a_wrong_image_is_refused_and_released(void **state)
{
    (void)state;
    tools_setup setup;
    char path[512];
    vrs_sink *sink = NULL;
    path_of(path, "out.mp4");
    prepare(&setup, path, VRS_CODEC_H264);
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
    vrs_image image = tools_image(VRS_FORMAT_GRAY8, 62, 48, TOOLS_DISC, 0);
    assert_int_equal(vrs_sink_write(sink, &image, 0, 1, NULL), VRS_INVALID);
    image = tools_image(VRS_FORMAT_RGB24, 64, 48, TOOLS_DISC, 0);
    assert_int_equal(vrs_sink_write(sink, &image, 0, 1, NULL), VRS_INVALID);
    assert_int_equal(tools_images_live(), 0);
    assert_int_equal(write_some(sink, &setup, 0, 2), VRS_OK);
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    vrs_sink_close(sink);
    setup.params.width = 0;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
    setup.params.width = 64;
    setup.params.segment_frames = 0;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
    setup.params.segment_frames = 1;
    setup.params.format = VRS_FORMAT_RGB24;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_INVALID);
    assert_int_equal(temp_count(folder), 1);
}

int main(void)
{
#define ONE(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        ONE(every_resource_may_fail),
        ONE(every_write_may_fail),
        ONE(a_file_too_large_to_join_leaves_its_segments),
        ONE(a_full_disk_leaves_finished_segments_or_nothing),
        ONE(a_damaged_segment_is_not_joined),
        ONE(abort_keeps_what_is_finished),
        ONE(without_a_frame_nothing_is_written),
        ONE(a_wrong_image_is_refused_and_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
