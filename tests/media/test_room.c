/* Room on disks: what outputs take, sums for each disk, and when a run is refused. */
#include <stdio.h>
#include <string.h>

#include "media/sink/room.h"
#include "support/inject.h"

static vrs_stream_info at_25_fps = {.rate_num = 25, .rate_den = 1};

static vrs_sink_params output(vrs_codec codec, vrs_output_kind kind, vrs_pixel_format format)
{
    return (vrs_sink_params){.path = "out/o.mkv",
                             .kind = kind,
                             .codec = codec,
                             .stream = &at_25_fps,
                             .format = format,
                             .width = 640,
                             .height = 360};
}

/* Known to the byte: raw pictures and a bit rate. */
static void test_known(void **state)
{
    (void)state;
    vrs_sink_params p = output(VRS_CODEC_RAW, VRS_OUTPUT_MASK, VRS_FORMAT_GRAY8);
    vrs_room room = vrs_room_of_frame(&p);
    assert_true(room.least == 640 * 360 + 6 && room.likely == room.least);
    p = output(VRS_CODEC_RAW, VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P10);
    p.width = 641;
    room = vrs_room_of_frame(&p);
    assert_true(room.least == 2 * (641 * 360 + 2 * 321 * 180) + 6);
    p = output(VRS_CODEC_H264, VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P);
    p.bitrate = 8000000;
    room = vrs_room_of_frame(&p);
    assert_true(room.least == 40000 && room.likely == 40000);
}

/* Every codec writes something, at most a raw picture; pictures take more than masks. */
static void test_habits(void **state)
{
    (void)state;
    static const vrs_codec codecs[] = {VRS_CODEC_H264,   VRS_CODEC_HEVC, VRS_CODEC_FFV1,
                                       VRS_CODEC_PRORES, VRS_CODEC_VP9,  VRS_CODEC_PNG};
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        vrs_sink_params mask = output(codecs[i], VRS_OUTPUT_MASK, VRS_FORMAT_GRAY8);
        vrs_sink_params green = output(codecs[i], VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P);
        vrs_room a = vrs_room_of_frame(&mask), b = vrs_room_of_frame(&green);
        assert_true(a.least > 0 && a.least < a.likely && a.likely < 640 * 360);
        assert_true(b.least > 0 && b.least < b.likely && b.likely < 640 * 360 * 3 / 2);
        assert_true(a.likely < b.likely);
        mask.path = "-";
        assert_true(vrs_room_of_frame(&mask).likely == 0);
    }
    vrs_sink_params nowhere = output(VRS_CODEC_NULL, VRS_OUTPUT_MASK, VRS_FORMAT_GRAY8);
    assert_true(vrs_room_of_frame(&nowhere).likely == 0);
}

static void test_times(void **state)
{
    (void)state;
    vrs_room room = vrs_room_times((vrs_room){3, UINT64_MAX / 2}, 3);
    assert_true(room.least == 9 && room.likely == UINT64_MAX);
    room = vrs_room_times((vrs_room){3, 5}, 0);
    assert_true(room.least == 0 && room.likely == 0);
}

/* Each alone would fit; together those on one disk do not. */
static void test_sums(void **state)
{
    (void)state;
    char warning[VRS_DETAIL_SIZE];
    vrs_room_sum sum = {.count = 0};
    assert_int_equal(vrs_room_judge(&sum, warning, sizeof(warning)), VRS_OK);
    vrs_room_add_to(&sum, 7, 100000000, "/a", (vrs_room){40000000, 60000000});
    vrs_room_add_to(&sum, 9, 100000000, "/b", (vrs_room){90000000, 99000000});
    assert_int_equal(vrs_room_judge(&sum, warning, sizeof(warning)), VRS_OK);
    assert_string_equal(warning, "");
    vrs_room_add_to(&sum, 7, 100000000, "/a", (vrs_room){40000000, 60000000});
    assert_int_equal(vrs_room_judge(&sum, warning, sizeof(warning)), VRS_OK);
    assert_string_equal(warning,
                        "/a: 100.0 MB are free there, and 2 outputs of the run may need 120.0 MB");
    vrs_room_add_to(&sum, 7, 100000000, "/a", (vrs_room){40000000, 60000000});
    assert_int_equal(vrs_room_judge(&sum, warning, sizeof(warning)), VRS_NO_SPACE);
    assert_non_null(strstr(vrs_last_error(),
                           "/a: 100.0 MB are free there, and 3 outputs of the run need "
                           "at least 120.0 MB (likely 180.0)"));
    vrs_room_add_to(&sum, 7, 100000000, "/a", (vrs_room){UINT64_MAX, UINT64_MAX});
    assert_true(sum.disks[0].need.least == UINT64_MAX && sum.count == 2);
}

/* Of more disks than there is place for the rest is left out. */
static void test_many(void **state)
{
    (void)state;
    char warning[VRS_DETAIL_SIZE];
    static vrs_room_sum sum;
    for (uint64_t i = 0; i < VRS_ROOM_DISKS; i++)
        vrs_room_add_to(&sum, i, 10, "/x", (vrs_room){1, 2});
    vrs_room_add_to(&sum, VRS_ROOM_DISKS, 10, "/y", (vrs_room){100, 200});
    assert_int_equal(sum.count, VRS_ROOM_DISKS);
    assert_int_equal(vrs_room_judge(&sum, warning, sizeof(warning)), VRS_OK);
    vrs_room_add_to(&sum, 3, 10, "/x", (vrs_room){10, 20});
    assert_int_equal(vrs_room_judge(&sum, warning, sizeof(warning)), VRS_NO_SPACE);
}

/* By path: folders that are not there yet lie where the one above them lies. */
static void test_paths(void **state)
{
    (void)state;
    static vrs_room_sum sum;
    vrs_room need = {1, 2};
    vrs_room_add(&sum, "o.mp4", need);
    vrs_room_add(&sum, "./none/yet/o.mp4", need);
    vrs_room_add(&sum, "o.mp4", (vrs_room){0, 0});
    assert_int_equal(sum.count, 1);
    assert_int_equal(sum.disks[0].outputs, 2);
    assert_true(sum.disks[0].need.likely == 4);
    vrs_room_add(&sum, "/o.mp4", need);
    assert_true(sum.count <= 2);
    static vrs_room_sum seen; /* a disk without a need */
    vrs_room_see(&seen, "none/yet/o.mp4");
    vrs_room_see(&seen, "o.mp4");
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.disks[0].outputs, 0);
    assert_true(seen.disks[0].need.likely == 0 && seen.disks[0].available > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known), cmocka_unit_test(test_habits), cmocka_unit_test(test_times),
        cmocka_unit_test(test_sums),  cmocka_unit_test(test_many),   cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
