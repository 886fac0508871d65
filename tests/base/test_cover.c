/* Unions of intervals beside a picture of them, a byte for each nanosecond. */
#include <string.h>

#include "base/cover.h"
#include "support/inject.h"

#define SPACE 4000

static uint32_t random_state = 7;

static int64_t next_random(int64_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (int64_t)(random_state >> 8) % below;
}

static int64_t count_painted(const char *painted)
{
    int64_t total = 0;
    for (int i = 0; i < SPACE; i++)
        total += painted[i];
    return total;
}

/* Intervals whose ends go up but for some disorder, as several streams make them. */
static void test_against_painting(void **state)
{
    (void)state;
    for (int run = 0; run < 300; run++) {
        static char painted[SPACE];
        vrs_cover cover = {0};
        memset(painted, 0, sizeof(painted));
        int64_t longest = 1 + next_random(60), step = 1 + next_random(40);
        for (int64_t end = 80; end + 20 < SPACE; end += next_random(step + 1)) {
            int64_t to = end + next_random(20), from = to - next_random(longest);
            vrs_cover_add(&cover, from, to);
            if (to > from)
                memset(painted + from, 1, (size_t)(to - from));
            if (step == 1 && next_random(3) == 0)
                end++;
        }
        assert_int_equal(vrs_cover_total(&cover), count_painted(painted));
    }
}

/* What is added for a time that is settled is not counted twice. */
static void test_settled(void **state)
{
    (void)state;
    vrs_cover cover = {0};
    for (int64_t i = 0; i < 100; i++)
        vrs_cover_add(&cover, 10 * i, 10 * i + 4);
    assert_int_equal(vrs_cover_total(&cover), 400);
    vrs_cover_add(&cover, 0, 4);
    assert_int_equal(vrs_cover_total(&cover), 400);
    vrs_cover_add(&cover, 0, 10000);
    int64_t total = vrs_cover_total(&cover);
    assert_true(total > 9000 && total < 10000);
    vrs_cover_add(&cover, 20000, 19000);
    assert_int_equal(vrs_cover_total(&cover), total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_painting),
                                       cmocka_unit_test(test_settled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
