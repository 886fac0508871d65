/* When the next batch goes to a device that has others. */
#include "batch/flight.h"
#include "support/inject.h"

#define MS INT64_C(1000000)

/* Sends a batch at a time and ends it at another. */
static void run(vrs_batch_flight *flight, int32_t size, int64_t sent_ns, int64_t ended_ns)
{
    vrs_batch_flight_sent(flight, size, sent_ns);
    vrs_batch_flight_ended(flight, size, sent_ns, 0, true, ended_ns);
}

static void test_nothing(void **state)
{
    (void)state;
    vrs_batch_flight flight = {0};
    assert_true(vrs_batch_flight_until(&flight) == 0);
    vrs_batch_flight_sent(&flight, 4, MS);
    assert_true(vrs_batch_flight_until(&flight) == 0); /* nothing is known of its time */
    vrs_batch_flight_sent(&flight, 4, MS);
    assert_true(vrs_batch_flight_until(&flight) == INT64_MAX);
}

/* Shortly before the end, by the time that is known of its size. */
static void test_one(void **state)
{
    (void)state;
    vrs_batch_flight flight = {0};
    run(&flight, 16, 100 * MS, 105 * MS);
    run(&flight, 1, 200 * MS, 200 * MS + VRS_BATCH_LEAD_NS);
    assert_true(vrs_batch_flight_until(&flight) == 0);
    vrs_batch_flight_sent(&flight, 16, 300 * MS);
    assert_true(vrs_batch_flight_until(&flight) == 305 * MS - VRS_BATCH_LEAD_NS);
    vrs_batch_flight_ended(&flight, 16, 300 * MS, 0, true, 305 * MS);
    vrs_batch_flight_sent(&flight, 1, 400 * MS); /* it is over as soon as another one is there */
    assert_true(vrs_batch_flight_until(&flight) == 0);
}

/* A batch that waited for the one before it took only what came after that one's end, and one that
 * still does begins then. */
static void test_behind_another(void **state)
{
    (void)state;
    vrs_batch_flight flight = {0};
    vrs_batch_flight_sent(&flight, 8, 100 * MS);
    vrs_batch_flight_sent(&flight, 8, 101 * MS);
    vrs_batch_flight_ended(&flight, 8, 100 * MS, 0, true, 103 * MS);
    assert_true(vrs_batch_flight_until(&flight) == 106 * MS - VRS_BATCH_LEAD_NS);
    vrs_batch_flight_ended(&flight, 8, 101 * MS, 0, true, 106 * MS);
    assert_true(vrs_batch_estimate_get(&flight.alone, 8) == 3 * MS);
}

/* What is slow to prepare goes earlier; after a while that is forgotten. Failures teach nothing. */
static void test_preparing(void **state)
{
    (void)state;
    vrs_batch_flight flight = {0};
    vrs_batch_flight_sent(&flight, 2, 0);
    vrs_batch_flight_ended(&flight, 2, 0, 2 * MS, true, 10 * MS);
    vrs_batch_flight_sent(&flight, 2, 20 * MS);
    assert_true(vrs_batch_flight_until(&flight) == 28 * MS - VRS_BATCH_LEAD_NS);
    vrs_batch_flight_ended(&flight, 2, 20 * MS, 5 * MS, false, 60 * MS);
    assert_true(vrs_batch_estimate_get(&flight.alone, 2) == 10 * MS);
    assert_true(flight.prepare_ns == 2 * MS);
    for (int64_t i = 4; i < 64; i++)
        run(&flight, 2, 20 * i * MS, (20 * i + 10) * MS);
    assert_true(flight.prepare_ns < MS / 100);
}

static void test_far_times(void **state)
{
    (void)state;
    vrs_batch_flight flight = {0};
    run(&flight, 1, 0, INT64_MAX / 2);
    vrs_batch_flight_sent(&flight, 1, INT64_MAX - MS);
    assert_true(vrs_batch_flight_until(&flight) == INT64_MAX);
}

/* Where only batches of one and of 16 were compiled, seven views take as long as sixteen. */
static void test_poor(void **state)
{
    (void)state;
    vrs_batch_flight flight = {0};
    assert_int_equal(vrs_batch_flight_poor(&flight, 16), 0);
    run(&flight, 1, 0, MS);
    run(&flight, 7, 100 * MS, 108 * MS);
    assert_int_equal(vrs_batch_flight_poor(&flight, 16), 0); /* nobody knows how long 16 take */
    run(&flight, 16, 200 * MS, 208 * MS);
    assert_int_equal(vrs_batch_flight_poor(&flight, 16), 12);
    assert_true(vrs_batch_flight_poor_until(&flight, 16) == 210 * MS);
    vrs_batch_flight_sent(&flight, 16, 209 * MS);
    assert_true(vrs_batch_flight_poor_until(&flight, 16) == INT64_MAX);
    /* With sizes between there are no poor ones. */
    flight = (vrs_batch_flight){0};
    for (int32_t size = 1; size <= 16; size *= 2)
        run(&flight, size, 1000 * MS * size, 1000 * MS * size + size * MS);
    assert_int_equal(vrs_batch_flight_poor(&flight, 16), 0);
    assert_int_equal(vrs_batch_flight_poor(&flight, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),        cmocka_unit_test(test_one),
        cmocka_unit_test(test_behind_another), cmocka_unit_test(test_preparing),
        cmocka_unit_test(test_far_times),      cmocka_unit_test(test_poor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
