/* Alpha in a frame's corners: found again by the players' formula, at every size to within a code
 * value; the same in every implementation; nothing else is touched. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/format.h"
#include "kernels/guarded.h"
#include "kernels/variants.h"
#include "vr/unroll.h"

typedef struct pack_case {
    int32_t width, height;
    vrs_pixel_format format;
    vrs_matrix matrix;
    vrs_range range;
    bool red;
} pack_case;

static vrs_image make_picture(const pack_case *c)
{
    vrs_image picture;
    assert_int_equal(vrs_image_alloc(&picture, c->format, c->width, c->height), VRS_OK);
    picture.color = (vrs_color){.matrix = c->matrix, .range = c->range};
    return picture;
}

static int32_t depth_of(const pack_case *c)
{
    return c->format == VRS_FORMAT_YUV420P10 ? 10 : 8;
}

static int32_t code_at(const vrs_image *p, int index, int32_t x, int32_t y)
{
    const uint8_t *row = p->planes[index] + y * p->strides[index];
    return p->format == VRS_FORMAT_YUV420P10 ? ((const uint16_t *)(const void *)row)[x] : row[x];
}

static void fill_picture(vrs_image *p, int32_t depth, random_state *random)
{
    for (int index = 0; index < 3; index++)
        for (int32_t y = 0; y < vrs_plane_height(p, index); y++) {
            uint8_t *row = p->planes[index] + y * p->strides[index];
            for (int32_t x = 0; x < vrs_plane_width(p, index); x++)
                if (depth == 10)
                    ((uint16_t *)(void *)row)[x] = (uint16_t)random_in(random, 0, 1023);
                else
                    row[x] = (uint8_t)random_in(random, 0, 255);
        }
}

static void run_pack(const vrs_kernels *k, const pack_case *c, const plane *mask,
                     vrs_image *picture, int32_t strip)
{
    void *scratch = aligned_alloc(64, (vrs_pack_scratch(c->width) + 63) / 64 * 64);
    assert_non_null(scratch);
    const vrs_pack pack = {
        .width = c->width,
        .height = c->height,
        .mask = mask->origin,
        .stride = mask->stride,
        .codes = vrs_pack_codes_of(vrs_color_resolve(picture), depth_of(c), c->red),
    };
    for (int32_t y = 0; y < c->height; y += strip)
        k->pack(&pack, y, y + strip < c->height ? y + strip : c->height, picture, scratch);
    free(scratch);
}

/* ---- the players' side ---- */

/* Red of a pixel, 0..255, from codes as a player has them. */
static double red_at(const vrs_image *p, int32_t depth, int32_t x, int32_t y)
{
    const vrs_color_matrix m = vrs_color_to_rgb(vrs_color_resolve(p), depth);
    const double value = (double)m.m[0][0] * code_at(p, 0, x, y) +
                         (double)m.m[0][1] * code_at(p, 1, x / 2, y / 2) +
                         (double)m.m[0][2] * code_at(p, 2, x / 2, y / 2) + (double)m.m[0][3];
    return 255 * value;
}

static double around(double value, double most)
{
    return value < 0 ? value + most : value >= most ? value - most : value;
}

/* The red of a place in the frame, between the centres of its pixels; edges join. */
static double red_between(const vrs_image *p, int32_t depth, double x, double y)
{
    const double u = x - 0.5, v = y - 0.5, i = floor(u), j = floor(v);
    double sum = 0;
    for (int b = 0; b < 2; b++)
        for (int a = 0; a < 2; a++) {
            const int32_t column = (int32_t)around(i + a, p->width);
            const int32_t row = (int32_t)around(j + b, p->height);
            sum += red_at(p, depth, column, row) * (a == 0 ? 1 - (u - i) : u - i) *
                   (b == 0 ? 1 - (v - j) : v - j);
        }
    return sum;
}

/* The alpha, 0..255, that a player finds for a point of the mask: the formula, word for word. */
static double unpacked(const vrs_image *p, int32_t depth, double x, double y)
{
    const double w = p->width, h = p->height;
    const double down = fmod(0.8 * h + 0.4 * y, h);
    const double across = x < w / 2 ? 0.4 * w + 0.4 * x : fmod(0.9 * w + 0.4 * (x - w / 2), w);
    return red_between(p, depth, across, down);
}

/* A mask that bends slowly, so that the mean of a pixel is its middle. */
static int16_t smooth_value(double x, double y, const pack_case *c)
{
    const double eye = c->width / 2.0, own = x < eye ? x : x - eye;
    const double value =
        0.5 + 0.3 * sin(own / eye * 2.2 + (x < eye ? 0 : 1)) + 0.2 * cos(y / c->height * 2.5);
    return (int16_t)lrint(VRS_Q15_ONE * (value < 0 ? 0 : value > 1 ? 1 : value));
}

/* Whether a point of the mask lies so deep in its eye's circle that all around it is packed. */
static bool is_inside(const pack_case *c, double x, double y)
{
    const double eye = c->width / 2.0;
    const double radius = (eye < c->height ? eye : c->height) / 2.0;
    const double own = x < eye ? x : x - eye;
    return hypot(own - eye / 2, y - c->height / 2.0) < radius - 6;
}

static void check_round_trip(const vrs_kernels *k, const pack_case *c)
{
    vrs_image picture = make_picture(c);
    plane mask = plane_make(c->width, c->height, c->width + 3, 2, true);
    random_state random = {7};
    int64_t points = 0;
    fill_picture(&picture, depth_of(c), &random);
    for (int32_t y = 0; y < c->height; y++)
        for (int32_t x = 0; x < c->width; x++)
            ((int16_t *)plane_row(&mask, y))[x] = smooth_value(x + 0.5, y + 0.5, c);
    run_pack(k, c, &mask, &picture, 16);
    for (int32_t y = 0; y < c->height; y++)
        for (int32_t x = 0; x < c->width; x++) {
            if (!is_inside(c, x + 0.5, y + 0.5))
                continue;
            const double wanted = ((const int16_t *)plane_row(&mask, y))[x] * 255.0 / VRS_Q15_ONE;
            const double found = unpacked(&picture, depth_of(c), x + 0.5, y + 0.5);
            if (fabs(found - wanted) > 1)
                fail_msg("%dx%d %s %s: mask %d,%d is %.2f and comes back as %.2f", c->width,
                         c->height, vrs_pixel_format_name(c->format), c->red ? "red" : "grey", x, y,
                         wanted, found);
            points++;
        }
    assert_true(points > 0 || c->width < 64);
    vrs_image_release(&picture);
    plane_free(&mask);
}

static const int32_t sizes[][2] = {{320, 160}, {640, 320}, {322, 162}, {334, 166}, {258, 130},
                                   {200, 202}, {514, 126}, {96, 48},   {98, 46},   {386, 194}};
#define SIZES ((int)(sizeof(sizes) / sizeof(sizes[0])))

static pack_case case_of(int i)
{
    static const vrs_matrix matrices[] = {VRS_MATRIX_BT709, VRS_MATRIX_BT601, VRS_MATRIX_BT2020};
    return (pack_case){
        .width = sizes[i % SIZES][0],
        .height = sizes[i % SIZES][1],
        .format = i / SIZES % 2 == 0 ? VRS_FORMAT_YUV420P : VRS_FORMAT_YUV420P10,
        .matrix = matrices[i % 3],
        .range = i % 5 == 0 ? VRS_RANGE_FULL : VRS_RANGE_LIMITED,
        .red = i / SIZES / 2 == 1,
    };
}

static void test_round_trip(void **state)
{
    (void)state;
    const variants v = variants_get();
    for (int t = 0; t < v.count; t++)
        for (int i = 0; i < 4 * SIZES; i++) {
            const pack_case c = case_of(i);
            check_round_trip(v.table[t], &c);
        }
}

/* The blocks lie where players' documents say, at a size that divides evenly. */
static void test_blocks(void **state)
{
    (void)state;
    const pack_case c = {320, 160, VRS_FORMAT_YUV420P, VRS_MATRIX_BT709, VRS_RANGE_FULL, false};
    plane mask = plane_make(c.width, c.height, c.width, 2, true);
    static const struct {
        int32_t x, y;          /* of the mask */
        int32_t across, below; /* where the pixel that covers it lies */
    } places[] = {
        {80, 40, 160, 144},  /* left eye, top half: x in [.4W,.6W), y in [.8H,H) */
        {80, 120, 160, 16},  /* left eye, bottom half: y in [0,.2H) */
        {200, 60, 304, 152}, /* right eye, top left: x in [.9W,W), bottom .2H */
        {280, 60, 16, 152},  /* right eye, top right: x in [0,.1W) */
        {200, 100, 304, 8},  /* right eye, bottom left: top .2H */
        {280, 100, 16, 8},   /* right eye, bottom right */
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        vrs_image picture = make_picture(&c);
        for (int32_t y = 0; y < c.height; y++)
            for (int32_t x = 0; x < c.width; x++)
                ((int16_t *)plane_row(&mask, y))[x] =
                    abs(x - places[i].x) <= 4 && abs(y - places[i].y) <= 4 ? VRS_Q15_ONE : 0;
        run_pack(vrs_kernels_get(VRS_ISA_REFERENCE), &c, &mask, &picture, c.height);
        assert_int_equal(code_at(&picture, 0, places[i].across, places[i].below), 255);
        assert_int_equal(code_at(&picture, 1, places[i].across / 2, places[i].below / 2), 128);
        int64_t bright = 0;
        for (int32_t y = 0; y < c.height; y++)
            for (int32_t x = 0; x < c.width; x++)
                bright += code_at(&picture, 0, x, y) > 0;
        assert_in_range(bright, 9, 25); /* there alone: 9 x 9 mask pixels */
        vrs_image_release(&picture);
    }
    plane_free(&mask);
}

/* Eyes' own circles stay as they are, and so does all else that is not packed. */
static void test_the_picture_stays(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        const pack_case c = case_of(i);
        vrs_image picture = make_picture(&c), before = make_picture(&c);
        plane mask = plane_make(c.width, c.height, c.width, 2, true);
        random_state random = {30 + (uint64_t)i}, again = random;
        fill_picture(&picture, 8, &random);
        fill_picture(&before, 8, &again);
        plane_fill_q15(&mask, PATTERN_RANDOM, &random);
        run_pack(vrs_kernels_get(VRS_ISA_REFERENCE), &c, &mask, &picture, 2);
        const double eye = c.width / 2.0, radius = (eye < c.height ? eye : c.height) / 2.0;
        int64_t changed = 0;
        for (int32_t y = 0; y < c.height; y++)
            for (int32_t x = 0; x < c.width; x++) {
                bool same = code_at(&picture, 0, x, y) == code_at(&before, 0, x, y);
                double own = x + 0.5 < eye ? x + 0.5 : x + 0.5 - eye;
                bool circle = hypot(own - eye / 2, y + 0.5 - c.height / 2.0) <= radius;
                changed += !same;
                if (!same && circle && c.width == 2 * c.height)
                    fail_msg("%dx%d: %d,%d of the picture was written over", c.width, c.height, x,
                             y);
            }
        assert_true(changed > 0);
        vrs_image_release(&picture);
        vrs_image_release(&before);
        plane_free(&mask);
    }
}

static void assert_same(const vrs_image *a, const vrs_image *b, const pack_case *c, int table)
{
    for (int index = 0; index < 3; index++)
        for (int32_t y = 0; y < vrs_plane_height(a, index); y++)
            for (int32_t x = 0; x < vrs_plane_width(a, index); x++)
                if (code_at(a, index, x, y) != code_at(b, index, x, y))
                    fail_msg("table %d, %dx%d, plane %d: %d,%d is %d in place of %d", table,
                             c->width, c->height, index, x, y, code_at(a, index, x, y),
                             code_at(b, index, x, y));
}

static void test_variants(void **state)
{
    (void)state;
    const variants v = variants_get();
    static const int32_t ugly[][2] = {{2, 2}, {4, 2}, {2, 8}, {6, 6}, {10, 4}, {34, 18}, {66, 130}};
    for (int t = 0; t < v.count; t++)
        for (int i = 0; i < 4 * SIZES + 28; i++) {
            pack_case c = case_of(i);
            random_state random = {(uint64_t)i + 3};
            if (i >= 4 * SIZES) {
                c.width = ugly[i % 7][0];
                c.height = ugly[i % 7][1];
            }
            vrs_image picture = make_picture(&c), other = make_picture(&c);
            plane mask = plane_make(c.width, c.height, c.width + i % 3, 2, i % 2 == 0);
            plane_fill_q15(&mask, (pattern)(i % PATTERN_COUNT), &random);
            run_pack(v.reference, &c, &mask, &picture, c.height);
            run_pack(v.table[t], &c, &mask, &other, 2 + i % 4 * 2);
            assert_same(&other, &picture, &c, t);
            vrs_image_release(&picture);
            vrs_image_release(&other);
            plane_free(&mask);
        }
}

/* ---- pictures of a sphere as a fisheye's ---- */

typedef struct unroll_case {
    int32_t width, height, bytes, step, shift;
} unroll_case;

/* Bytes of the planes are guarded, so that no sample is read from behind them. */
static void check_unroll(const variants *v, const unroll_case *c, random_state *random)
{
    vrs_layout layout = vrs_layout_flat();
    assert_int_equal(vrs_layout_set_projection(&layout, "half-equirect"), VRS_OK);
    const int32_t cell = vrs_unroll_cell(c->width, c->height);
    const size_t nodes = (size_t)vrs_unroll_nodes(c->width, c->height);
    guarded grid = guarded_make(nodes * 2 * sizeof(int32_t), true);
    vrs_unroll_fill(&layout, c->width, c->height, (int32_t *)(void *)grid.data);
    /* Of pairs the last one's other half belongs to nobody. */
    plane src = plane_make(c->width * c->step - (c->step - 1), c->height,
                           c->width * c->step + random_in(random, 0, 5), (size_t)c->bytes, true);
    plane_fill_bytes(&src, random);
    plane wanted = {0};
    for (int t = -1; t < v->count; t++) {
        plane dst = plane_make(c->width, c->height, c->width + 3, (size_t)c->bytes, true);
        const vrs_unroll unroll = {
            .size = {c->width, c->height, cell, (c->width >> cell) + 2},
            .grid = (const int32_t *)(const void *)grid.data,
            .src = src.origin,
            .dst = dst.origin,
            .src_stride = src.stride * c->bytes,
            .dst_stride = dst.stride * c->bytes,
            .sample_bytes = c->bytes,
            .src_step = c->step,
            .src_shift = c->shift,
            .outside = c->bytes == 1 ? 16 : 512,
        };
        const vrs_kernels *k = t < 0 ? v->reference : v->table[t];
        const int32_t half = c->height / 2;
        k->unroll(&unroll, 0, half);
        k->unroll(&unroll, half, c->height);
        if (t < 0) {
            wanted = dst;
            continue;
        }
        for (int32_t y = 0; y < c->height; y++)
            if (memcmp(plane_row(&dst, y), plane_row(&wanted, y),
                       (size_t)c->width * (size_t)c->bytes) != 0)
                fail_msg("%s, %dx%d of %d bytes, step %d: row %d differs", k->name, c->width,
                         c->height, c->bytes, c->step, y);
        plane_free(&dst);
    }
    plane_free(&wanted);
    plane_free(&src);
    guarded_free(&grid);
}

static void test_unroll_variants(void **state)
{
    (void)state;
    const variants v = variants_get();
    random_state random = {17};
    static const int32_t ugly[][2] = {{1, 1},   {2, 3},     {3, 2},    {4, 4},
                                      {5, 7},   {33, 81},   {160, 80}, {127, 129},
                                      {64, 64}, {801, 770}, {776, 900}};
    static const unroll_case kinds[] = {
        {0, 0, 1, 1, 0}, {0, 0, 1, 2, 0}, {0, 0, 2, 1, 0}, {0, 0, 2, 2, 6}};
    for (size_t i = 0; i < sizeof(ugly) / sizeof(ugly[0]); i++)
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            unroll_case c = kinds[k];
            c.width = ugly[i][0];
            c.height = ugly[i][1];
            check_unroll(&v, &c, &random);
        }
    /* Cells of eight. */
    check_unroll(&v, &(unroll_case){3079, 3073, 1, 1, 0}, &random);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_the_picture_stays), cmocka_unit_test(test_variants),
        cmocka_unit_test(test_unroll_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
