/* When frames are due: time bases, a machine that is late, sources that are, jumps. */
#include "media/source/pace.h"

#include "base/clock.h"
#include "support/inject.h"

#define MS (VRS_NS_PER_S / 1000)

static vrs_pace make(int32_t num, int32_t den)
{
    vrs_pace pace;
    vrs_stream_info info = {.time_base_num = num, .time_base_den = den};
    vrs_pace_init(&pace, &info);
    return pace;
}

/* 90 frames a second in units of 1/90000: no drift over an hour, whenever they are read. */
static void test_rate(void **state)
{
    (void)state;
    vrs_pace pace = make(1, 90000);
    int64_t start = 7 * VRS_NS_PER_S;
    for (int64_t n = 0; n < 90 * 3600; n++) {
        int64_t due = vrs_pace_next(&pace, 500 + n * 1000, n == 0 ? start : start - MS, false);
        int64_t exact = start + n * VRS_NS_PER_S / 90;
        assert_true(due >= exact - 90 * 3600 && due <= exact + 90 * 3600);
    }
}

/* This machine is late: frames keep their times, so they count as late. */
static void test_late_here(void **state)
{
    (void)state;
    vrs_pace pace = make(1, 1000);
    assert_int_equal(vrs_pace_next(&pace, 0, 100 * MS, false), 100 * MS);
    assert_int_equal(vrs_pace_next(&pace, 10, 500 * MS, false), 110 * MS);
    assert_int_equal(vrs_pace_next(&pace, 20, 500 * MS, false), 120 * MS);
}

/* The source is late: the clock goes on from what it delivers; early data changes nothing. */
static void test_late_source(void **state)
{
    (void)state;
    vrs_pace pace = make(1, 1000);
    assert_int_equal(vrs_pace_next(&pace, 0, 100 * MS, true), 100 * MS);
    assert_int_equal(vrs_pace_next(&pace, 10, 150 * MS, true), 150 * MS);
    assert_int_equal(vrs_pace_next(&pace, 20, 151 * MS, false), 160 * MS);
    assert_int_equal(vrs_pace_next(&pace, 30, 155 * MS, true), 170 * MS);
}

static void test_jumps(void **state)
{
    (void)state;
    vrs_pace pace = make(1, 1000);
    assert_int_equal(vrs_pace_next(&pace, 0, 100 * MS, false), 100 * MS);
    assert_int_equal(vrs_pace_next(&pace, 3600000, 120 * MS, false), 120 * MS);
    assert_int_equal(vrs_pace_next(&pace, 3600010, 121 * MS, false), 130 * MS);
    assert_int_equal(vrs_pace_next(&pace, 5, 140 * MS, false), 140 * MS);
    assert_int_equal(vrs_pace_next(&pace, INT64_MAX, 150 * MS, false), 150 * MS);
    vrs_pace none = make(0, 0);
    assert_int_equal(vrs_pace_next(&none, 0, 5, false), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate), cmocka_unit_test(test_late_here),
        cmocka_unit_test(test_late_source), cmocka_unit_test(test_jumps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
