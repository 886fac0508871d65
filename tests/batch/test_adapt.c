/* The largest batch under memory pressure, hours of it. */
#include "base/clock.h"
#include "batch/adapt.h"
#include "support/inject.h"

#define SECOND VRS_NS_PER_S
#define HOUR (3600 * SECOND)

static void test_stairs(void **state)
{
    (void)state;
    static const int32_t stairs[] = {12, 6, 3, 1};
    vrs_batch_adapt adapt;
    vrs_batch_adapt_init(&adapt, 12);
    assert_int_equal(adapt.limit, 12);
    assert_true(vrs_batch_adapt_next_ns(&adapt) == INT64_MAX);
    assert_false(vrs_batch_adapt_grow(&adapt, HOUR));
    int64_t now = 7;
    for (int i = 1; i < 4; i++) {
        assert_true(vrs_batch_adapt_press(&adapt, now));
        assert_int_equal(adapt.limit, stairs[i]);
    }
    assert_false(vrs_batch_adapt_press(&adapt, now));
    for (int i = 2; i >= 0; i--) {
        int64_t next = vrs_batch_adapt_next_ns(&adapt);
        assert_true(next == now + VRS_BATCH_QUIET_NS);
        assert_false(vrs_batch_adapt_grow(&adapt, next - 1));
        assert_true(vrs_batch_adapt_grow(&adapt, next));
        assert_int_equal(adapt.limit, stairs[i]);
        now = next;
    }
    assert_true(vrs_batch_adapt_next_ns(&adapt) == INT64_MAX);
}

typedef struct day {
    int lowered, raised;
    int64_t at_or_above_ns; /* time with a limit of at least `fits` */
} day;

/* `fits` views have room, but `fits_before` until `until_ns`. A batch that has none presses after
 * `lasts_ns` of use. */
static day live(int32_t fits_before, int64_t until_ns, int32_t fits, int64_t lasts_ns, int64_t end)
{
    day d = {0};
    vrs_batch_adapt adapt;
    vrs_batch_adapt_init(&adapt, 16);
    int64_t now = 0, since = 0;
    while (now < end) {
        int32_t room = now < until_ns ? fits_before : fits;
        int64_t pressed = adapt.limit > room ? since + lasts_ns : INT64_MAX;
        int64_t next = vrs_batch_adapt_next_ns(&adapt);
        int64_t to = pressed < next ? pressed : next;
        to = now < until_ns && until_ns < to ? until_ns : to;
        to = to < end ? to : end;
        if (adapt.limit >= fits)
            d.at_or_above_ns += to - now;
        now = to;
        if (now >= end)
            break;
        if (now == pressed) {
            d.lowered += vrs_batch_adapt_press(&adapt, now);
            since = now;
        } else if (vrs_batch_adapt_grow(&adapt, now)) {
            d.raised++;
            since = now;
        }
    }
    return d;
}

/* Memory is short for good: growth is tried ever more rarely, and after the first minutes the size
 * stands still but for that. */
static void test_no_oscillation(void **state)
{
    (void)state;
    for (int32_t fits = 1; fits < 16; fits *= 2)
        for (int64_t lasts = 0; lasts <= 40 * SECOND; lasts += 10 * SECOND) {
            day d = live(fits, 0, fits, lasts, 24 * HOUR);
            /* Seven doublings of the quiet, then one try each 1280 s; below 16 once more after each
             * try that lasts for longer than ten quiets, of which the first are. */
            int most = 9 + (int)(24 * HOUR / VRS_BATCH_MOST_QUIET_NS) + 1;
            assert_true(d.raised >= 3);
            assert_true(d.raised <= most);
            assert_true(d.lowered <= most + 4);
            assert_true(d.at_or_above_ns >= 23 * HOUR + 50 * 60 * SECOND);
        }
}

/* The memory comes back: so does the batch, at the latest one quiet later for each stair. */
static void test_recovery(void **state)
{
    (void)state;
    day d = live(1, 60 * SECOND, 16, 0, HOUR);
    assert_true(d.at_or_above_ns >= HOUR - 60 * SECOND - 6 * 60 * SECOND);
    assert_true(d.raised <= 16);
}

/* Another program takes memory for a moment each two minutes: that is no oscillation of ours, and
 * most of the time the batch is large. */
static void test_passing_pressure(void **state)
{
    (void)state;
    vrs_batch_adapt adapt;
    vrs_batch_adapt_init(&adapt, 16);
    int64_t full = 0;
    for (int64_t now = 0; now < HOUR; now += SECOND) {
        if (now % (120 * SECOND) == 60 * SECOND)
            (void)vrs_batch_adapt_press(&adapt, now);
        (void)vrs_batch_adapt_grow(&adapt, now);
        full += adapt.limit == 16 ? SECOND : 0;
    }
    assert_true(full > HOUR * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stairs),
        cmocka_unit_test(test_no_oscillation),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_passing_pressure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
