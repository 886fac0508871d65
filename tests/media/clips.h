/* Clips made by the ffmpeg program in a temporary folder, and the ways to read them. The including
 * file defines _XOPEN_SOURCE 700 first. */
#ifndef TESTS_MEDIA_CLIPS_H
#define TESTS_MEDIA_CLIPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "media/source/source.h"
#include "support/temp.h"
#include "vrseg/log.h"

static char clips_folder[256];
static unsigned clips_warnings;
static char clips_warning[1024];

static inline void clips_log(void *opaque, vrs_log_level level, const char *line)
{
    (void)opaque;
    if (level <= VRS_LOG_WARNING) {
        clips_warnings++;
        (void)snprintf(clips_warning, sizeof clips_warning, "%s", line);
    }
}

/* Goes into a new folder. Ends the program as skipped where there is no ffmpeg. */
static inline void clips_begin(void)
{
    if (system("ffmpeg -version >/dev/null 2>&1 && ffprobe -version >/dev/null 2>&1") != 0) {
        fprintf(stderr, "skipped: the programs ffmpeg and ffprobe are needed to make clips\n");
        exit(77);
    }
    temp_make(clips_folder, sizeof clips_folder);
    if (chdir(clips_folder) != 0) {
        perror("cannot go into the temporary folder");
        exit(1);
    }
    vrs_log_set(clips_log, NULL, VRS_LOG_WARNING);
}

static inline void clips_end(void)
{
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    if (chdir("/") == 0)
        temp_remove(clips_folder);
}

/* Runs ffmpeg with these arguments, in the folder. */
static inline void clip(const char *arguments)
{
    char command[1024];
    (void)snprintf(command, sizeof command, "ffmpeg -nostdin -v error -y %s", arguments);
    if (system(command) != 0)
        fail_msg("this failed: %s", command);
}

static inline void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Whole file; freed by free(). */
static inline uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long length = ftell(file);
    assert_true(length >= 0);
    rewind(file);
    uint8_t *data = malloc((size_t)length + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)length, file), (size_t)length);
    (void)fclose(file);
    *size = (size_t)length;
    return data;
}

static inline vrs_source *open_source(const char *path)
{
    vrs_source_params params = {.path = path, .threads = 2};
    vrs_source *source = NULL;
    if (vrs_source_open(&params, &source) != VRS_OK)
        fail_msg("%s: %s", path, vrs_last_error());
    return source;
}

/* Opens what cannot be opened; its sentence must contain `words`. */
static inline void expect_refused(const char *path, vrs_status expected, const char *words)
{
    vrs_source_params params = {.path = path};
    vrs_source *source = NULL;
    vrs_status status = vrs_source_open(&params, &source);
    if (status != expected || !strstr(vrs_last_error(), words)) {
        fail_msg("%s: %s, '%s'; expected %s, '...%s...'", path, vrs_status_name(status),
                 vrs_last_error(), vrs_status_name(expected), words);
    }
    assert_null(source);
}

/* Reads one frame that must be there, well formed and of the source's size. */
static inline vrs_frame read_frame(vrs_source *source)
{
    vrs_frame frame;
    vrs_status status = vrs_source_read(source, &frame);
    if (status != VRS_OK) {
        fail_msg("frame %llu: %s %s", (unsigned long long)source->frames, vrs_status_name(status),
                 vrs_last_error());
    }
    assert_int_equal(vrs_image_check(&frame.image), VRS_OK);
    assert_int_equal(frame.id, source->frames - 1);
    if (!source->info.still) {
        assert_int_equal(frame.image.format, source->info.format);
        assert_int_equal(frame.image.width, source->info.width);
        assert_int_equal(frame.image.height, source->info.height);
    }
    return frame;
}

/* Reads to the end and returns the number of frames; times must grow. */
static inline uint64_t read_all(vrs_source *source)
{
    vrs_frame frame;
    int64_t last = INT64_MIN;
    vrs_status status = VRS_OK;
    while ((status = vrs_source_read(source, &frame)) == VRS_OK) {
        assert_int_equal(vrs_image_check(&frame.image), VRS_OK);
        assert_true(frame.pts > last);
        last = frame.pts;
        vrs_image_release(&frame.image);
    }
    if (status != VRS_END)
        fail_msg("%s: %s", vrs_status_name(status), vrs_last_error());
    assert_int_equal(vrs_source_read(source, &frame), VRS_END);
    return source->frames;
}

/* What ffprobe says of the frames: their number, and up to `capacity` time stamps. */
static inline size_t probe_frames(const char *path, int64_t *pts, size_t capacity)
{
    char command[1024];
    char line[256];
    size_t count = 0;
    (void)snprintf(command, sizeof command,
                   "ffprobe -v quiet -select_streams V:0 -show_entries "
                   "frame=best_effort_timestamp -of csv=p=0 '%s' </dev/null",
                   path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while (fgets(line, sizeof line, pipe)) {
        char *end = NULL;
        long long value = strtoll(line, &end, 10);
        if (end == line)
            continue;
        if (count < capacity)
            pts[count] = value;
        count++;
    }
    (void)pclose(pipe);
    return count;
}

/* Number and time stamps of all frames must be ffprobe's. Returns the number. */
static inline size_t expect_as_probed(const char *path)
{
    static int64_t pts[4096];
    size_t count = probe_frames(path, pts, 4096);
    vrs_source *source = open_source(path);
    for (size_t i = 0; i < count; i++) {
        vrs_frame frame = read_frame(source);
        if (frame.pts != pts[i]) {
            fail_msg("%s: frame %zu is at %lld, ffprobe says %lld", path, i, (long long)frame.pts,
                     (long long)pts[i]);
        }
        vrs_image_release(&frame.image);
    }
    vrs_frame frame;
    assert_int_equal(vrs_source_read(source, &frame), VRS_END);
    if (source->damaged != 0)
        fail_msg("%s: %llu damaged: %s", path, (unsigned long long)source->damaged, source->damage);
    vrs_source_close(source);
    return count;
}

#endif
