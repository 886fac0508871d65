/* The measured time of batches. */
#include "batch/estimate.h"
#include "support/inject.h"

static void add(vrs_batch_estimate *e, int32_t size, int64_t ns, int times)
{
    for (int i = 0; i < times; i++)
        vrs_batch_estimate_add(e, size, ns);
}

static void test_unknown(void **state)
{
    (void)state;
    vrs_batch_estimate e = {0};
    for (int32_t size = 1; size <= VRS_BATCH_MOST; size++)
        assert_int_equal(vrs_batch_estimate_get(&e, size), 0);
    add(&e, 4, -5, 1);
    assert_int_equal(vrs_batch_estimate_get(&e, 4), 1);
}

/* Sizes that were not run have the bounds that the others give. */
static void test_other_sizes(void **state)
{
    (void)state;
    vrs_batch_estimate e = {0};
    add(&e, 4, 1000, 1);
    assert_int_equal(vrs_batch_estimate_get(&e, 1), 1000);
    assert_int_equal(vrs_batch_estimate_get(&e, 4), 1000);
    assert_int_equal(vrs_batch_estimate_get(&e, 5), 2000);
    assert_int_equal(vrs_batch_estimate_get(&e, 16), 4000);
    add(&e, 1, 300, 1);
    assert_int_equal(vrs_batch_estimate_get(&e, 1), 300);
    assert_int_equal(vrs_batch_estimate_get(&e, 2), 600);
    assert_int_equal(vrs_batch_estimate_get(&e, 3), 900);
    assert_int_equal(vrs_batch_estimate_get(&e, 4), 1000);
    assert_int_equal(vrs_batch_estimate_get(&e, 8), 2000);
    vrs_batch_estimate far = {0};
    add(&far, 1, INT64_MAX / 2, 1);
    assert_true(vrs_batch_estimate_get(&far, 16) == INT64_MAX);
}

static void test_hiccups(void **state)
{
    (void)state;
    vrs_batch_estimate e = {0};
    add(&e, 2, 90000, 1); /* the first run is slow */
    add(&e, 2, 100, 2);
    assert_int_equal(vrs_batch_estimate_get(&e, 2), 100);
    for (int i = 0; i < 1000; i++)
        add(&e, 2, i % 8 == 3 ? 5000 : 100 + i % 5, 1);
    assert_in_range(vrs_batch_estimate_get(&e, 2), 100, 104);
}

/* A change for good is followed within the runs that are remembered, upwards within three. */
static void test_change(void **state)
{
    (void)state;
    vrs_batch_estimate e = {0};
    add(&e, 8, 100, 100);
    add(&e, 8, 400, 3);
    assert_int_equal(vrs_batch_estimate_get(&e, 8), 400);
    add(&e, 8, 50, VRS_BATCH_SAMPLES - 2);
    assert_int_equal(vrs_batch_estimate_get(&e, 8), 50);
    e.count[8] = UINT32_MAX - 2;
    add(&e, 8, 70, 3 * VRS_BATCH_SAMPLES);
    assert_int_equal(vrs_batch_estimate_get(&e, 8), 70);
}

/* What a size took long ago is no bound any more: neither a slow time that made it avoided, nor a
 * fast one of before everything became slower. */
static void test_long_ago(void **state)
{
    (void)state;
    vrs_batch_estimate e = {0};
    add(&e, 8, 9000, 1);
    add(&e, 4, 500, VRS_BATCH_FRESH - 1);
    assert_int_equal(vrs_batch_estimate_get(&e, 8), 9000);
    add(&e, 4, 500, 1);
    assert_int_equal(vrs_batch_estimate_get(&e, 8), 1000);
    add(&e, 4, 10000, VRS_BATCH_FRESH);
    assert_int_equal(vrs_batch_estimate_get(&e, 8), 10000);
    assert_int_equal(vrs_batch_estimate_get(&e, 9), 30000);
    assert_int_equal(vrs_batch_estimate_get(&e, 3), 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown),  cmocka_unit_test(test_other_sizes),
        cmocka_unit_test(test_hiccups),  cmocka_unit_test(test_change),
        cmocka_unit_test(test_long_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
