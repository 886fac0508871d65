/* Bad input: what cannot be read is refused with one sentence, what is damaged is read as far as it
 * goes and counted. */
#define _GNU_SOURCE /* setgroups() */
#include "clips.h"
#include "support/child.h"

static void make_clips(void)
{
    clip("-f lavfi -i testsrc2=s=160x96:r=25:d=2 -c:v libx264 -g 12 -movflags +faststart "
         "whole.mp4");
    clip("-i whole.mp4 -c copy whole.mkv");
    clip("-i whole.mp4 -c copy -movflags frag_keyframe+empty_moov fragments.mp4");
    clip("-i whole.mp4 -pix_fmt yuv420p whole.y4m");
}

static void refused_with_a_sentence(void **state)
{
    (void)state;
    static char text[200000];
    memset(text, 'x', sizeof text - 1);
    for (size_t i = 9; i < sizeof text; i += 10)
        text[i] = i % 50 == 49 ? '\n' : ' ';
    write_file("empty.mp4", "", 0);
    write_file("text.mp4", "These are words, not a film.\n", 29);
    write_file("long.mp4", text, sizeof text);
    write_file("byte.mp4", "x", 1);
    clip("-f lavfi -i sine=d=0.5 -c:a aac sound.m4a");
    expect_refused("missing.mp4", VRS_NOT_FOUND, "missing.mp4: cannot be opened: No such file");
    expect_refused("", VRS_INVALID, "no input");
    expect_refused("empty.mp4", VRS_INVALID, "empty.mp4: the file is empty");
    expect_refused("text.mp4", VRS_FORMAT, "text.mp4: this is no video or picture");
    expect_refused("long.mp4", VRS_FORMAT, "long.mp4: this is no video or picture");
    expect_refused("byte.mp4", VRS_FORMAT, "byte.mp4: this is no video or picture");
    expect_refused("sound.m4a", VRS_UNSUPPORTED, "no video stream; it has: audio aac");
    expect_refused("http://127.0.0.1/film.mp4", VRS_NOT_FOUND, "No such file");
    expect_refused("/dev/null", VRS_INVALID, "no data came");
    if (access("/dev/video0", F_OK) != 0)
        expect_refused("/dev/video0", VRS_NOT_FOUND, "/dev/video0: cannot be opened");
    write_file("subtitles.srt", "1\n00:00:00,000 --> 00:00:01,000\nwords\n\n", 40);
    clip("-i subtitles.srt -c:s srt words.mkv");
    expect_refused("words.mkv", VRS_UNSUPPORTED, "no video stream; it has: subtitle subrip");
}

/* A playlist names other files: nothing but the named file is opened. */
static void playlists_open_nothing(void **state)
{
    (void)state;
    const char *list = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nwhole.mp4\n#EXT-X-ENDLIST\n";
    write_file("list.m3u8", list, strlen(list));
    const char *concat = "ffconcat version 1.0\nfile whole.mp4\n";
    write_file("list.ffconcat", concat, strlen(concat));
    vrs_source *source = NULL;
    const char *paths[] = {"list.m3u8", "list.ffconcat"};
    for (int i = 0; i < 2; i++) {
        vrs_source_params params = {.path = paths[i]};
        assert_int_not_equal(vrs_source_open(&params, &source), VRS_OK);
        assert_true(strlen(vrs_last_error()) > 0);
        assert_null(source);
    }
}

/* Sizes in headers are hostile until checked. */
static void sizes_over_the_limit(void **state)
{
    (void)state;
    const char *wide = "YUV4MPEG2 W40000 H16 F25:1 C420\nFRAME\n";
    write_file("wide.y4m", wide, strlen(wide));
    expect_refused("wide.y4m", VRS_UNSUPPORTED, "40000x16 is too large");
    const uint8_t png[] = {0x89, 'P', 'N', 'G',  13,   10,   26, 10,   0,    0,    0, 13, 'I',
                           'H',  'D', 'R', 0x7f, 0xff, 0xff, 0,  0x7f, 0xff, 0xff, 0, 8,  2,
                           0,    0,   0,   0,    0,    0,    0,  0,    0,    0,    0};
    write_file("huge.png", png, sizeof png);
    expect_refused("huge.png", VRS_CORRUPT, "huge.png: not one frame can be decoded");
    clip("-f lavfi -i color=red:s=40000x2 -frames:v 1 -pix_fmt rgb24 long.png");
    expect_refused("long.png", VRS_UNSUPPORTED, "40000x2");
}

/* As nobody: root may read everything. */
static int open_secret(void)
{
    vrs_source_params params = {.path = "secret.mp4"};
    vrs_source *source = NULL;
    if (!become_nobody())
        return 2;
    bool refused = vrs_source_open(&params, &source) == VRS_PERMISSION;
    return refused && strstr(vrs_last_error(), "secret.mp4: cannot be opened") ? 0 : 1;
}

static void unreadable_without_right(void **state)
{
    (void)state;
    write_file("secret.mp4", "x", 1);
    assert_int_equal(chmod("secret.mp4", 0), 0);
    assert_int_equal(chmod(".", 0755), 0);
    assert_int_equal(in_child(open_secret), 0);
}

/* ---- cut off -------------------------------------------------------------------------------- */

static size_t frames_of_ffprobe(const char *path)
{
    int64_t none;
    return probe_frames(path, &none, 0);
}

/* Reads a damaged file to its end. Returns frames; 0 where it was refused. */
static size_t read_damaged(const char *path, size_t place, uint64_t *damaged)
{
    vrs_source_params params = {.path = path, .threads = 2};
    vrs_source *source = NULL;
    vrs_status status = vrs_source_open(&params, &source);
    *damaged = 0;
    if (status != VRS_OK) {
        /* a header cut within a track may show a track of unknown kind */
        if (status != VRS_CORRUPT && status != VRS_FORMAT && status != VRS_UNSUPPORTED)
            fail_msg("at %zu: %s %s", place, vrs_status_name(status), vrs_last_error());
        assert_non_null(strstr(vrs_last_error(), path));
        return 0;
    }
    size_t frames = read_all(source);
    *damaged = source->damaged;
    assert_true((source->damaged == 0) == (source->damage[0] == '\0'));
    vrs_source_close(source);
    return frames;
}

static void cut_at_64_places(const char *path, bool end_is_known)
{
    size_t size = 0;
    uint8_t *data = read_file(path, &size);
    size_t whole = frames_of_ffprobe(path);
    size_t last = 0;
    for (size_t i = 1; i <= 64; i++) {
        uint64_t damaged = 0;
        size_t place = size * i / 65;
        write_file("cut", data, place);
        size_t frames = read_damaged("cut", place, &damaged);
        size_t expected = i % 8 ? frames : frames_of_ffprobe("cut");
        if (frames != expected || frames < last || frames > whole) {
            fail_msg("%s cut at %zu: %zu frames, %zu before; ffprobe reads %zu", path, place,
                     frames, last, expected);
        }
        if (end_is_known && frames > 0 && frames < whole && damaged == 0)
            fail_msg("%s cut at %zu: %zu of %zu frames, nothing said", path, place, frames, whole);
        last = frames;
    }
    assert_true(last > whole / 2);
    free(data);
}

static void cut_mp4(void **state)
{
    (void)state;
    cut_at_64_places("whole.mp4", true);
}

static void cut_mkv(void **state)
{
    (void)state;
    cut_at_64_places("whole.mkv", true);
}

static void cut_fragments(void **state)
{
    (void)state;
    cut_at_64_places("fragments.mp4", false); /* a fragment's end may be the file's */
}

static void cut_y4m(void **state)
{
    (void)state;
    cut_at_64_places("whole.y4m", true);
}

/* Every byte of the header: each is a way to break a parser. */
static void cut_header(void **state)
{
    (void)state;
    size_t size = 0;
    uint8_t *data = read_file("whole.mp4", &size);
    for (size_t place = 1; place < 1500; place += 23) {
        uint64_t damaged = 0;
        write_file("cut", data, place);
        assert_int_equal(read_damaged("cut", place, &damaged), 0);
    }
    free(data);
}

/* ---- damaged in the middle ------------------------------------------------------------------ */

static void damaged_packets_are_passed_over(void **state)
{
    (void)state;
    size_t size = 0;
    uint8_t *data = read_file("whole.mp4", &size);
    uint32_t seed = 1;
    unsigned noticed = 0;
    for (size_t run = 0; run < 12; run++) {
        uint8_t *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, data, size);
        size_t start = size * (20 + 5 * run) / 100;
        for (size_t i = 0; i < 150; i++) {
            seed = seed * 1664525 + 1013904223;
            copy[start + i] = (uint8_t)(seed >> 24);
        }
        write_file("damaged.mp4", copy, size);
        free(copy);
        uint64_t damaged = 0;
        size_t frames = read_damaged("damaged.mp4", start, &damaged);
        assert_int_equal(frames, frames_of_ffprobe("damaged.mp4"));
        assert_true(frames >= 40);
        noticed += damaged > 0;
    }
    assert_true(noticed >= 10); /* rarely damage is another valid picture */
    free(data);
}

static void zeroed_packets_are_counted(void **state)
{
    (void)state;
    size_t size = 0;
    uint8_t *data = read_file("whole.mkv", &size);
    memset(data + size / 2, 0, 3000);
    write_file("damaged.mkv", data, size);
    uint64_t damaged = 0;
    size_t frames = read_damaged("damaged.mkv", size / 2, &damaged);
    assert_int_equal(frames, frames_of_ffprobe("damaged.mkv"));
    assert_true(damaged > 0);
    free(data);
}

static void index_at_the_end_of_a_pipe(void **state)
{
    (void)state;
    clip("-f lavfi -i testsrc2=s=320x240:r=25:d=2 -c:v libx264 -qp 1 late.mp4");
    int kept = dup(STDIN_FILENO);
    FILE *pipe = popen("cat late.mp4", "r");
    assert_non_null(pipe);
    assert_true(dup2(fileno(pipe), STDIN_FILENO) >= 0);
    expect_refused("-", VRS_CORRUPT, "faststart");
    (void)pclose(pipe);
    assert_true(dup2(kept, STDIN_FILENO) >= 0);
    close(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_with_a_sentence),
        cmocka_unit_test(playlists_open_nothing),
        cmocka_unit_test(sizes_over_the_limit),
        cmocka_unit_test(unreadable_without_right),
        cmocka_unit_test(cut_mp4),
        cmocka_unit_test(cut_mkv),
        cmocka_unit_test(cut_fragments),
        cmocka_unit_test(cut_y4m),
        cmocka_unit_test(cut_header),
        cmocka_unit_test(damaged_packets_are_passed_over),
        cmocka_unit_test(zeroed_packets_are_counted),
        cmocka_unit_test(index_at_the_end_of_a_pipe),
    };
    clips_begin();
    make_clips();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clips_end();
    return failed;
}
