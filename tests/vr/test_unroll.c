/* The grid that makes a fisheye of an equirectangular picture: against the projections' own
 * formulas, and a picture there. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernels.h"
#include "vr/projection.h"
#include "vr/unroll.h"

static vrs_layout layout_of(const char *word)
{
    vrs_layout layout = vrs_layout_flat();
    assert_int_equal(vrs_layout_set_projection(&layout, word), VRS_OK);
    return layout;
}

/* Positions between nodes are where a pixel's direction lies in the source. */
static void check_positions(const char *word, int32_t width, int32_t height)
{
    const vrs_layout from = layout_of(word), to = layout_of("fisheye:180");
    const int32_t cell = vrs_unroll_cell(width, height);
    const vrs_unroll_size size = {width, height, cell, (width >> cell) + 2};
    int32_t *grid = malloc((size_t)vrs_unroll_nodes(width, height) * 2 * sizeof(*grid));
    double worst = 0;
    assert_non_null(grid);
    vrs_unroll_fill(&from, width, height, grid);
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++) {
            vrs_direction look;
            vrs_uv place;
            int32_t position[2];
            if (!vrs_unroll_inside(&size, x, y) ||
                !vrs_direction_of(&to, (double)width / height,
                                  (vrs_uv){(x + 0.5) / width, (y + 0.5) / height}, &look) ||
                fabs(look.y) > 0.95) /* near a pole all columns are one */
                continue;
            assert_true(vrs_place_of(&from, (double)width / height, look, &place));
            vrs_unroll_position(&size, grid, x, y, position);
            worst = fmax(worst, fabs(position[0] / 256.0 + 0.5 - place.u * width));
            worst = fmax(worst, fabs(position[1] / 256.0 + 0.5 - place.v * height));
        }
    if (!(worst < 0.1))
        fail_msg("%s, %dx%d: a position is off by %g pixels", word, width, height, worst);
    free(grid);
}

static void positions_are_the_projections(void **state)
{
    (void)state;
    check_positions("half-equirect", 64, 64);
    check_positions("half-equirect", 97, 80);
    check_positions("half-equirect", 1024, 1024);
    check_positions("equirect", 512, 256);
    check_positions("equirect", 1600, 800);
    check_positions("half-equirect", 3072, 3072);
}

static void what_can_be_unrolled(void **state)
{
    (void)state;
    static const char *const words[] = {"flat", "equirect", "half-equirect", "fisheye", "mesh"};
    static const bool wanted[] = {false, true, true, false, false};
    for (int i = 0; i < 5; i++) {
        const vrs_layout layout = layout_of(words[i]);
        assert_int_equal(vrs_can_unroll(&layout), wanted[i]);
    }
}

/* A picture whose samples say their latitude: the fisheye's middle column has them evenly. */
static void a_picture_is_unrolled(void **state)
{
    (void)state;
    enum { SIDE = 128 };
    static uint16_t src[SIDE][2 * SIDE], dst[SIDE][SIDE];
    const vrs_layout from = layout_of("half-equirect");
    int32_t *grid = malloc((size_t)vrs_unroll_nodes(SIDE, SIDE) * 2 * sizeof(*grid));
    assert_non_null(grid);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < 2 * SIDE; x++)
            src[y][x] = (uint16_t)((x % 2 == 0 ? 7 * y : 1000) << 6); /* pairs, as P010's chroma */
    vrs_unroll_fill(&from, SIDE, SIDE, grid);
    const vrs_unroll unroll = {.size = {SIDE, SIDE, 0, SIDE + 2},
                               .grid = grid,
                               .src = src,
                               .dst = dst,
                               .src_stride = sizeof(src[0]),
                               .dst_stride = sizeof(dst[0]),
                               .sample_bytes = 2,
                               .src_step = 2,
                               .src_shift = 6,
                               .outside = 512};
    vrs_kernels_get(VRS_ISA_REFERENCE)->unroll(&unroll, 0, SIDE / 2);
    vrs_kernels_get(VRS_ISA_REFERENCE)->unroll(&unroll, SIDE / 2, SIDE);
    assert_int_equal(dst[0][0], 512);
    assert_int_equal(dst[SIDE - 1][SIDE - 1], 512);
    for (int y = 2; y < SIDE - 2; y++)
        assert_true(abs((int)dst[y][SIDE / 2] - 7 * y) <= 2);
    free(grid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_are_the_projections),
        cmocka_unit_test(what_can_be_unrolled),
        cmocka_unit_test(a_picture_is_unrolled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
