/* What a run is expected to take: when its time is known, and the lines and JSON of everything. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/run/expect.h"
#include "support/inject.h"

static vrs_job_stats at(double seconds, uint64_t written, int64_t of)
{
    return (vrs_job_stats){.seconds = seconds, .written = written, .frame_estimate = of};
}

static bool look(vrs_expect_time *time, double seconds, uint64_t written, int64_t of)
{
    vrs_job_stats stats = at(seconds, written, of);
    return vrs_expect_look(time, &stats);
}

/* By the frames after the first burst, once there are enough of them. */
static void test_time(void **state)
{
    (void)state;
    vrs_expect_time time = {0};
    assert_false(look(&time, 5.0, 0, 1000));
    assert_false(look(&time, 10.0, 14, 1000));  /* opening, and a burst: not counted */
    assert_false(look(&time, 11.9, 100, 1000)); /* too soon */
    assert_false(look(&time, 20.0, 21, 1000));  /* too few */
    assert_true(look(&time, 30.0, 54, 1000));   /* 40 frames in 20 s */
    assert_true(time.known && time.frames == 40);
    assert_float_equal(time.fps, 2.0, 1e-9);
    assert_float_equal(time.seconds, 30.0 + (1000 - 54) / 2.0, 1e-6);
    assert_false(look(&time, 40.0, 500, 1000)); /* said once, and it stays */
    assert_float_equal(time.fps, 2.0, 1e-9);
}

/* No figure is made up: not without a length, nor where the length was wrong or all is done. */
static void test_no_time(void **state)
{
    (void)state;
    vrs_expect_time unknown = {0}, over = {0};
    assert_false(look(&unknown, 1.0, 5, -1));
    assert_false(look(&unknown, 100.0, 5000, -1));
    assert_false(look(&over, 1.0, 5, 100));
    assert_false(look(&over, 9.0, 100, 100));
    assert_false(look(&over, 9.5, 120, 100));
    assert_false(unknown.known || over.known);
}

static char *text_of(const vrs_job_expected *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    vrs_expect_print_disks(out, expected);
    vrs_expect_print_memory(out, expected);
    fclose(out);
    return text;
}

static void expect_text(const vrs_job_expected *expected, const char *wanted)
{
    char *text = text_of(expected);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_disks(void **state)
{
    (void)state;
    vrs_job_expected e = {.length_known = true, .disk_count = 2};
    e.disks[0] = (vrs_job_disk){"/a", 95300000000, 40000000, 1200000000, 2};
    e.disks[1] = (vrs_job_disk){"/b", 500000, 3000, 3000, 1};
    expect_text(&e, "vrseg: output: about 1.2 GB (at least 40 MB); 95.3 GB are free in /a\n"
                    "vrseg: output: about 3 KB; 500 KB are free in /b\n");
    assert_int_equal(vrs_expect_output_bytes(&e), 1200003000);
    e.length_known = false;
    e.disks[1].likely_bytes = e.disks[1].least_bytes = 0;
    expect_text(&e, "vrseg: output: about 1.2 GB (at least 40 MB) of the inputs that say how long "
                    "they are; 95.3 GB are free in /a\n"
                    "vrseg: output: nobody knows how large, as the input does not say how long it "
                    "is; 500 KB are free in /b\n");
    assert_int_equal(vrs_expect_output_bytes(&e), -1);
    e.length_known = true;
    e.disks[0].likely_bytes = UINT64_MAX / 2 + 1;
    assert_int_equal(vrs_expect_output_bytes(&e), -1);
    expect_text(&(vrs_job_expected){.length_known = true}, "");
}

static void test_memory(void **state)
{
    (void)state;
    vrs_job_expected e = {.host_bytes = 2100000000,
                          .program_bytes = 300000000,
                          .frames_bytes = 900000000,
                          .decoder_bytes = 600000000,
                          .encoder_bytes = 300000000};
    expect_text(&e, "vrseg: memory: at most about 2.1 GB: program and network 300 MB, frames in "
                    "flight and their masks 900 MB, decoder 600 MB, encoder 300 MB\n");
    e.gpu_budget_bytes = 70000000000;
    e.gpu_bytes = 3200000000;
    e.pinned_bytes = 150000000;
    char *text = text_of(&e);
    assert_non_null(strstr(text, "encoder 300 MB, pinned for the GPU's copies 150 MB; of the "
                                 "GPU's 3.2 GB of at most 70.0 GB\n"));
    free(text);
}

static void test_lines_of_time(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    vrs_job_stats stats = at(10, 64, 432000);
    vrs_expect_print_time(
        out, &(vrs_expect_time){.known = true, .seconds = 7384.6, .fps = 58.5, .frames = 120},
        &stats);
    fclose(out);
    assert_string_equal(
        text, "vrseg: time: about 2:03:05 for 432000 frames, by 120 of them (58.5 fps)\n");
    free(text);
}

static char *json_of(const vrs_job_expected *expected, const vrs_expect_time *time)
{
    const unsigned char *json = NULL;
    size_t length = 0;
    yajl_gen gen = yajl_gen_alloc(NULL);
    assert_non_null(gen);
    yajl_gen_map_open(gen);
    vrs_expect_json(gen, expected, time);
    yajl_gen_map_close(gen);
    assert_int_equal(yajl_gen_get_buf(gen, &json, &length), yajl_gen_status_ok);
    char *text = strndup((const char *)json, length);
    yajl_gen_free(gen);
    return text;
}

static void test_json(void **state)
{
    (void)state;
    vrs_expect_time time = {0};
    vrs_job_expected e = {.length_known = true, .disk_count = 1, .host_bytes = 7};
    e.disks[0] = (vrs_job_disk){"/a", 95, 40, 60, 2};
    char *text = json_of(&e, &time);
    assert_non_null(strstr(text, "{\"expected\":{\"output_bytes\":60,\"disks\":[{\"folder\":\"/a\","
                                 "\"free_bytes\":95,\"least_bytes\":40,\"likely_bytes\":60,"
                                 "\"outputs\":2}],\"memory\":{\"host_bytes\":7,"));
    assert_non_null(strstr(text, "\"gpu_budget_bytes\":null"));
    assert_non_null(strstr(text, "\"seconds\":null,\"fps\":null"));
    free(text);
    e.length_known = false;
    time = (vrs_expect_time){.known = true, .seconds = 12.34, .fps = 5};
    text = json_of(&e, &time);
    assert_non_null(strstr(text, "\"output_bytes\":null"));
    assert_non_null(strstr(text, "\"seconds\":12.3,\"fps\":5.00"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),          cmocka_unit_test(test_no_time),
        cmocka_unit_test(test_disks),         cmocka_unit_test(test_memory),
        cmocka_unit_test(test_lines_of_time), cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
