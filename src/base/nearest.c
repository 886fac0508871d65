/* The name that a wrong one was probably meant to be. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/options.h"

#define MAX_NAME 64

/* Names differ neither by case nor by '-' for '_'. */
static char fold(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c == '-' ? '_' : c;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* How many letters were left out, added, changed, or swapped with the next one (the distance of
 * Damerau and Levenshtein, without changes between two swapped letters), row by row. Both names are
 * at most MAX_NAME long. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][MAX_NAME + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            char from = fold(a[i - 1]), to = fold(b[j - 1]);
            row[j] = min3(last[j - 1] + (from != to), last[j] + 1, row[j - 1] + 1);
            bool swapped = i > 1 && j > 1 && from == fold(b[j - 2]) && to == fold(a[i - 2]);
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
    }
    return row[b_length];
}

const char *vrs_nearest_name(const char *wrong, const char *const *names, size_t count)
{
    size_t wrong_length = strlen(wrong);
    if (wrong_length > MAX_NAME)
        return NULL;
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        if (length > MAX_NAME)
            continue;
        size_t distance = edit_distance(wrong, wrong_length, names[i], length);
        size_t longer = length > wrong_length ? length : wrong_length;
        if (distance < least && distance * 3 <= longer) {
            least = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
