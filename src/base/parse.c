#include "base/parse.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The program may have set a locale in which numbers have a comma. Made once, kept for good. */
static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* Returns what uselocale() is to be given afterwards. Without a C locale (memory was out), the
 * program's own is used: right in all that have a decimal point. */
static locale_t enter_c_locale(void)
{
    pthread_once(&c_locale_once, make_c_locale);
    return uselocale(c_locale);
}

bool vrs_parse_int(const char *text, int64_t *value)
{
    if (strspn(text, "+-0123456789") != strlen(text))
        return false;
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return false;
    *value = number;
    return true;
}

bool vrs_parse_float(const char *text, double *value)
{
    if (strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    locale_t old = enter_c_locale();
    char *end = NULL;
    double number = strtod(text, &end);
    uselocale(old);
    if (end == text || *end != '\0' || !isfinite(number))
        return false;
    *value = number;
    return true;
}

void vrs_format_float(char text[VRS_FLOAT_TEXT_SIZE], double value)
{
    double number = value + 0.0; /* no "-0" */
    locale_t old = enter_c_locale();
    bool same = false;
    for (int decimals = 0; decimals <= 12 && !same && fabs(number) < 1e15; decimals++) {
        snprintf(text, VRS_FLOAT_TEXT_SIZE, "%.*f", decimals, number);
        same = strtod(text, NULL) == number;
    }
    for (int digits = 1; digits <= 17 && !same; digits++) {
        snprintf(text, VRS_FLOAT_TEXT_SIZE, "%.*g", digits, number);
        same = strtod(text, NULL) == number;
    }
    uselocale(old);
}
