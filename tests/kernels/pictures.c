#include "kernels/pictures.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/format.h"

uint64_t test_next(test_random *random)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state;
}

int32_t test_range(test_random *random, int32_t low, int32_t high)
{
    const uint64_t span = (uint64_t)((int64_t)high - low + 1);
    return low + (int32_t)((test_next(random) >> 16) % span);
}

/* The mappings of a picture. */
typedef struct pages {
    void *start[VRS_MAX_PLANES];
    size_t size[VRS_MAX_PLANES];
} pages;

static void release_pages(void *opaque)
{
    pages *all = opaque;
    for (int plane = 0; plane < VRS_MAX_PLANES; plane++)
        if (all->start[plane] != NULL)
            munmap(all->start[plane], all->size[plane]);
    free(all);
}

/* `size` bytes that end (or start) where access ends. */
static uint8_t *map_fenced(size_t size, bool at_end, pages *all, int plane)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t inner = (size + page - 1) / page * page;
    const int zero = open("/dev/zero", O_RDWR);
    assert_true(zero >= 0);
    uint8_t *start = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE, zero, 0);
    close(zero);
    assert_true((void *)start != MAP_FAILED);
    assert_int_equal(mprotect(start + page, inner, PROT_READ | PROT_WRITE), 0);
    all->start[plane] = start;
    all->size[plane] = inner + 2 * page;
    return start + page + (at_end ? inner - size : 0);
}

static uint8_t pattern_byte(test_pattern pattern, int32_t row, int32_t column, test_random *random)
{
    switch (pattern) {
    case TEST_PATTERN_ZERO:
        return 0;
    case TEST_PATTERN_ONES:
        return 0xFF;
    case TEST_PATTERN_CHECKER:
        return (row + column) % 2 != 0 ? 0xFF : 0;
    case TEST_PATTERN_RANDOM:
    case TEST_PATTERNS:
        break;
    }
    return (uint8_t)(test_next(random) >> 32);
}

vrs_image test_picture(vrs_pixel_format format, int32_t width, int32_t height, test_strides strides,
                       test_pattern pattern, test_random *random)
{
    vrs_image image = {.format = format, .width = width, .height = height};
    const vrs_format_info *info = vrs_format_get(format);
    pages *all = calloc(1, sizeof(*all));
    assert_non_null(all);
    for (int plane = 0; plane < info->planes; plane++) {
        const ptrdiff_t row = (ptrdiff_t)vrs_plane_row_bytes(&image, plane);
        const int32_t rows = vrs_plane_height(&image, plane);
        const ptrdiff_t pad =
            strides == TEST_STRIDE_TIGHT ? 0 : 2 * (ptrdiff_t)test_range(random, 1, 40);
        const ptrdiff_t stride = row + pad;
        uint8_t *data = map_fenced((size_t)(stride * (rows - 1) + row),
                                   test_range(random, 0, 2) > 0, all, plane);
        for (int32_t y = 0; y < rows; y++)
            for (int32_t x = 0; x < row; x++)
                data[stride * y + x] = pattern_byte(pattern, y, x / info->sample_bytes, random);
        const bool negative = strides == TEST_STRIDE_NEGATIVE;
        image.planes[plane] = negative ? data + stride * (rows - 1) : data;
        image.strides[plane] = negative ? -stride : stride;
    }
    image.release = release_pages;
    image.opaque = all;
    assert_int_equal(vrs_image_check(&image), VRS_OK);
    return image;
}

vrs_preprocess_desc test_preprocess_source(const vrs_image *image, test_random *random)
{
    static const vrs_matrix matrices[] = {VRS_MATRIX_BT601, VRS_MATRIX_BT709, VRS_MATRIX_BT2020,
                                          VRS_MATRIX_UNKNOWN};
    static const vrs_transfer transfers[] = {VRS_TRANSFER_UNKNOWN, VRS_TRANSFER_BT709,
                                             VRS_TRANSFER_PQ, VRS_TRANSFER_HLG};
    vrs_preprocess_desc desc = {
        .format = image->format,
        .image_width = image->width,
        .image_height = image->height,
        .color = {matrices[test_range(random, 0, 3)], (vrs_range)test_range(random, 0, 2),
                  transfers[test_range(random, 0, 3)], (vrs_chroma_site)test_range(random, 0, 3),
                  1},
        .view = {0, 0, image->width, image->height},
        .resize = (vrs_resize)test_range(random, 0, 1),
        .fit = (vrs_fit)test_range(random, 0, 1),
    };
    if (test_range(random, 0, 1) == 1) {
        vrs_rect *view = &desc.view;
        view->x = test_range(random, 0, image->width - 1);
        view->y = test_range(random, 0, image->height - 1);
        view->width = test_range(random, 1, image->width - view->x);
        view->height = test_range(random, 1, image->height - view->y);
    }
    return desc;
}
