/* Numbers from text and back; the nearest of some names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/options.h"
#include "base/parse.h"

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"threshold", "feather", "smooth", "smooth_weight", "abc"};
    static const struct {
        const char *wrong, *right;
    } cases[] = {
        {"treshold", "threshold"},
        {"THRESHOLD", "threshold"},
        {"smoth", "smooth"},
        {"smooth-weight", "smooth_weight"},
        {"smoothweight", "smooth_weight"},
        {"father", "feather"},
        {"abd", "abc"},
        {"axd", NULL},
        {"", NULL},
        {"zzzzzzzzz", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *nearest = vrs_nearest_name(cases[i].wrong, names, 5);
        if (cases[i].right == NULL)
            assert_null(nearest);
        else
            assert_string_equal(nearest, cases[i].right);
    }
    assert_null(vrs_nearest_name("x", NULL, 0));
}

static void test_numbers(void **state)
{
    (void)state;
    static const double numbers[] = {0,    1,      -1,     0.1,   1.0 / 3, 1e-6, 1e-300, 1e300,
                                     1e15, 123456, 0.0075, -2e-9, 1e14,    0.5,  63};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char text[VRS_FLOAT_TEXT_SIZE];
        double back = -77;
        vrs_format_float(text, numbers[i]);
        assert_true(vrs_parse_float(text, &back));
        assert_true(back == numbers[i]);
    }
    int64_t number = 5;
    assert_false(vrs_parse_int("9223372036854775808", &number));
    assert_false(vrs_parse_int("-", &number));
    assert_int_equal(number, 5);
    assert_true(vrs_parse_int("9223372036854775807", &number));
    assert_true(number == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
