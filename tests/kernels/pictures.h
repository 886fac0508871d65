/* Pictures that are hard on kernels: odd sizes, any strides, rows that end at a page without
 * access, worst-case patterns. */
#ifndef TESTS_KERNELS_PICTURES_H
#define TESTS_KERNELS_PICTURES_H

#include <stdint.h>

#include "kernels/preprocess.h"
#include "vrseg/image.h"

/* A small generator (xorshift64), so that a seed gives the same pictures everywhere. */
typedef struct test_random {
    uint64_t state;
} test_random;

uint64_t test_next(test_random *random);

/* A number in low..high. */
int32_t test_range(test_random *random, int32_t low, int32_t high);

typedef enum test_pattern {
    TEST_PATTERN_RANDOM = 0,
    TEST_PATTERN_ZERO = 1,
    TEST_PATTERN_ONES = 2, /* all bits: above the peak of 10-bit formats */
    TEST_PATTERN_CHECKER = 3,
    TEST_PATTERNS = 4,
} test_pattern;

typedef enum test_strides {
    TEST_STRIDE_TIGHT = 0,
    TEST_STRIDE_PADDED = 1,
    TEST_STRIDE_NEGATIVE = 2,
    TEST_STRIDES = 3,
} test_strides;

/* An image whose planes lie at the very end (or, by `random`, the very start) of pages with no
 * access beyond: a read outside crashes. Freed by vrs_image_release(). */
vrs_image test_picture(vrs_pixel_format format, int32_t width, int32_t height, test_strides strides,
                       test_pattern pattern, test_random *random);

/* What preprocessing may be told of a picture: any colours, resize and fit; the view is part of the
 * picture half of the time. The network's part stays empty. */
vrs_preprocess_desc test_preprocess_source(const vrs_image *image, test_random *random);

#endif
