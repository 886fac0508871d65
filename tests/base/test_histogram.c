/* Percentiles beside those of the sorted values, sums and maxima exact, and threads that add while
 * others read. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "base/thread.h"
#include "support/inject.h"

static uint64_t random_state = 1;

static uint64_t next_random(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 16;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

#define VALUES 20000

/* The definition: the value of that rank in the sorted list. */
static int64_t by_sorting(const int64_t *sorted, double share)
{
    int64_t rank = (int64_t)ceil(share * VALUES);
    return sorted[rank < 1 ? 0 : rank - 1];
}

static void check_against_sorting(int64_t *values)
{
    static const double shares[] = {0, 0.001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
    vrs_histogram *h = calloc(1, sizeof(*h));
    int64_t sum = 0;
    for (int i = 0; i < VALUES; i++) {
        vrs_histogram_add(h, values[i]);
        sum += values[i];
    }
    qsort(values, VALUES, sizeof(values[0]), ascending);
    assert_int_equal(vrs_histogram_count(h), VALUES);
    assert_int_equal(vrs_histogram_max(h), values[VALUES - 1]);
    assert_int_equal(vrs_histogram_mean(h), sum / VALUES);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        int64_t truth = by_sorting(values, shares[i]);
        int64_t told = vrs_histogram_percentile(h, shares[i]);
        if (fabs((double)(told - truth)) > 0.008 * (double)truth)
            fail_msg("share %g: %lld, expected %lld", shares[i], (long long)told, (long long)truth);
    }
    free(h);
}

/* Uniform, over ten decades, narrow, and all the same. */
static void test_percentiles(void **state)
{
    (void)state;
    static int64_t values[VALUES];
    for (int i = 0; i < VALUES; i++)
        values[i] = (int64_t)(next_random() % 50000000);
    check_against_sorting(values);
    for (int i = 0; i < VALUES; i++)
        values[i] = (int64_t)pow(10, (double)(next_random() % 1000000) / 1e5);
    check_against_sorting(values);
    for (int i = 0; i < VALUES; i++)
        values[i] = 5000000 + (int64_t)(next_random() % 1000);
    check_against_sorting(values);
    for (int i = 0; i < VALUES; i++)
        values[i] = 11111111;
    check_against_sorting(values);
}

/* Every value is in the bucket whose middle is nearest, over the whole range and at its ends. */
static void test_every_bucket(void **state)
{
    (void)state;
    for (int64_t value = 0; value < (INT64_C(1) << VRS_HISTOGRAM_BITS);
         value += value < 5000 ? 1 : value / 97) {
        vrs_histogram *h = calloc(1, sizeof(*h));
        vrs_histogram_add(h, value);
        vrs_histogram_add(h, INT64_C(1) << VRS_HISTOGRAM_BITS);
        int64_t told = vrs_histogram_percentile(h, 0.5);
        if (value < 128)
            assert_int_equal(told, value);
        else if (fabs((double)(told - value)) > 0.008 * (double)value)
            fail_msg("%lld became %lld", (long long)value, (long long)told);
        free(h);
    }
}

static void test_ends(void **state)
{
    (void)state;
    vrs_histogram *h = calloc(1, sizeof(*h));
    assert_int_equal(vrs_histogram_percentile(h, 0.99), 0);
    assert_int_equal(vrs_histogram_mean(h), 0);
    vrs_histogram_add(h, -5);
    assert_int_equal(vrs_histogram_percentile(h, 1), 0);
    vrs_histogram_add(h, INT64_MAX / 2);
    assert_int_equal(vrs_histogram_max(h), INT64_MAX / 2);
    assert_int_equal(vrs_histogram_count(h), 2);
    assert_true(vrs_histogram_percentile(h, 1) > INT64_C(1) << (VRS_HISTOGRAM_BITS - 1));
    free(h);
}

#define THREADS 4
#define EACH 20000

static vrs_histogram shared;

static void add_many(void *arg)
{
    for (int i = 0; i < EACH; i++)
        vrs_histogram_add(&shared, (intptr_t)arg * 1000 + i % 1000);
}

static void test_threads(void **state)
{
    (void)state;
    vrs_thread threads[THREADS] = {0};
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(vrs_thread_start(&threads[i], "add", add_many, (void *)i), VRS_OK);
    for (uint64_t seen = 0; seen < (uint64_t)THREADS * EACH;) {
        uint64_t now = vrs_histogram_count(&shared);
        assert_true(now >= seen);
        seen = now;
        assert_true(vrs_histogram_percentile(&shared, 0.5) <= vrs_histogram_max(&shared));
    }
    for (int i = 0; i < THREADS; i++)
        vrs_thread_join(&threads[i]);
    assert_int_equal(vrs_histogram_max(&shared), THREADS * 1000 - 1);
    assert_int_equal(vrs_histogram_mean(&shared), (THREADS * 1000 - 1) / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_percentiles),
                                       cmocka_unit_test(test_every_bucket),
                                       cmocka_unit_test(test_ends), cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
