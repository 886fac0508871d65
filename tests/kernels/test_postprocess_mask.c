/* Smoothing, up-sampling, threshold, feathering and storing of masks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "kernels/guarded.h"
#include "kernels/variants.h"

static const size_t lengths[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 127, 128, 641};
static const int32_t sizes[][4] = {
    /* source, result */
    {1, 1, 1, 1},         {1, 1, 5, 7},         {17, 9, 1, 1},     {1, 9, 33, 1},
    {9, 1, 1, 33},        {2, 2, 3, 3},         {7, 5, 65, 33},    {8, 8, 64, 64},
    {9, 3, 31, 17},       {64, 64, 64, 64},     {100, 3, 90, 5},   {300, 2, 641, 5},
    {256, 144, 641, 359}, {256, 144, 1280, 99}, {513, 7, 480, 9},  {32, 2, 1000, 3},
    {33, 2, 1001, 3},     {31, 2, 257, 3},      {40, 3, 47, 4},    {63, 2, 129, 3},
    {65, 9, 66, 8},       {24, 4, 25, 5},       {641, 359, 17, 9}, {3, 300, 40, 299},
};
#define SIZE_COUNT ((int)(sizeof(sizes) / sizeof(sizes[0])))

typedef struct geometry {
    vrs_upsample up;
    void *storage;
    int16_t *scratch;
} geometry;

static geometry geometry_make(const int32_t size[4])
{
    geometry g = {.storage = vrs_alloc_aligned(vrs_upsample_storage(size[2], size[3])),
                  .scratch = vrs_alloc_aligned(2 * ((size_t)size[2] + 64) * sizeof(int16_t))};
    assert_non_null(g.storage);
    assert_non_null(g.scratch);
    vrs_upsample_init(&g.up, size[0], size[1], size[2], size[3], g.storage);
    return g;
}

static void geometry_free(geometry *g)
{
    vrs_free(g->storage);
    vrs_free(g->scratch);
}

static void assert_same(const plane *expected, const plane *got, const char *what)
{
    for (int32_t y = 0; y < expected->height; y++) {
        const int16_t *a = plane_row(expected, y), *b = plane_row(got, y);
        for (int32_t x = 0; x < expected->width; x++)
            if (a[x] != b[x])
                fail_msg("%s %dx%d: %d instead of %d at (%d, %d)", what, expected->width,
                         expected->height, b[x], a[x], x, y);
    }
}

static void test_upsample_tables(void **state)
{
    (void)state;
    for (int i = 0; i < SIZE_COUNT; i++) {
        geometry g = geometry_make(sizes[i]);
        for (int32_t x = 0; x < g.up.width; x++) {
            double place = (x + 0.5) * g.up.source_width / g.up.width - 0.5;
            place = place < 0 ? 0 : place;
            place = place > g.up.source_width - 1 ? g.up.source_width - 1 : place;
            const double table = g.up.column_index[x] + g.up.column_weight[x] / 32768.0;
            assert_true(table - place <= 0.5001 / 32768 && place - table <= 0.5001 / 32768);
            assert_in_range(g.up.column_index[x], 0, g.up.source_width - 1);
            assert_true(g.up.column_weight[x] >= 0);
            assert_true(g.up.column_index[x] < g.up.source_width - 1 || g.up.column_weight[x] == 0);
        }
        geometry_free(&g);
    }
}

/* The reference against bilinear interpolation in double: four products and weights are rounded. */
static void test_upsample_reference_is_bilinear(void **state)
{
    (void)state;
    const vrs_kernels *k = vrs_kernels_get(VRS_ISA_REFERENCE);
    random_state random = {1};
    for (int i = 0; i < SIZE_COUNT; i++) {
        const int32_t sw = sizes[i][0], sh = sizes[i][1], w = sizes[i][2], h = sizes[i][3];
        geometry g = geometry_make(sizes[i]);
        plane src = plane_make(sw, sh, sw, 2, true), dst = plane_make(w, h, w, 2, true);
        plane_fill_q15(&src, PATTERN_RANDOM, &random);
        k->upsample(&g.up, src.origin, sw, 0, h, dst.origin, w, g.scratch);
        for (int32_t y = 0; y < h; y++) {
            for (int32_t x = 0; x < w; x++) {
                double px = (x + 0.5) * sw / w - 0.5, py = (y + 0.5) * sh / h - 0.5;
                px = px < 0 ? 0 : px > sw - 1 ? sw - 1 : px;
                py = py < 0 ? 0 : py > sh - 1 ? sh - 1 : py;
                const int32_t x0 = (int32_t)px, y0 = (int32_t)py;
                const int32_t x1 = x0 + 1 < sw ? x0 + 1 : x0, y1 = y0 + 1 < sh ? y0 + 1 : y0;
                const int16_t *a = plane_row(&src, y0), *b = plane_row(&src, y1);
                const double upper = a[x0] + (a[x1] - a[x0]) * (px - x0);
                const double lower = b[x0] + (b[x1] - b[x0]) * (px - x0);
                const double exact = upper + (lower - upper) * (py - y0);
                const int16_t *row = plane_row(&dst, y);
                assert_true(row[x] - exact <= 2.001 && exact - row[x] <= 2.001);
            }
        }
        plane_free(&src);
        plane_free(&dst);
        geometry_free(&g);
    }
}

static void compare_upsample(const vrs_kernels *k, const vrs_kernels *reference,
                             const int32_t *size, pattern kind, bool at_end, random_state *random)
{
    geometry g = geometry_make(size);
    const ptrdiff_t src_stride = at_end ? size[0] + 3 : -(size[0] + 5);
    const ptrdiff_t dst_stride = at_end ? -(size[2] + 1) : size[2] + 7;
    plane src = plane_make(size[0], size[1], src_stride, 2, at_end);
    plane expected = plane_make(size[2], size[3], size[2], 2, true);
    plane got = plane_make(size[2], size[3], dst_stride, 2, at_end);
    plane_fill_q15(&src, kind, random);
    reference->upsample(&g.up, src.origin, src.stride, 0, size[3], expected.origin, size[2],
                        g.scratch);
    for (int32_t y = 0; y < size[3];) { /* strips of random height */
        const int32_t end = y + random_in(random, 1, size[3] - y < 20 ? size[3] - y : 20);
        k->upsample(&g.up, src.origin, src.stride, y, end, plane_row(&got, y), got.stride,
                    g.scratch);
        y = end;
    }
    assert_same(&expected, &got, "upsample");
    k->upsample(&g.up, src.origin, src.stride, 0, size[3], got.origin, got.stride, g.scratch);
    assert_same(&expected, &got, "upsample in one call");
    plane_free(&src);
    plane_free(&expected);
    plane_free(&got);
    geometry_free(&g);
}

static void test_upsample(void **state)
{
    (void)state;
    const variants v = variants_get();
    random_state random = {2};
    for (int t = 0; t < v.count; t++) {
        for (int i = 0; i < SIZE_COUNT; i++)
            for (int kind = 0; kind < PATTERN_COUNT; kind++)
                compare_upsample(v.table[t], v.reference, sizes[i], (pattern)kind,
                                 (i + kind) % 2 == 0, &random);
        for (int i = 0; i < 300; i++) {
            const int32_t size[4] = {random_in(&random, 1, 90), random_in(&random, 1, 9),
                                     random_in(&random, 1, 300), random_in(&random, 1, 30)};
            compare_upsample(v.table[t], v.reference, size, PATTERN_RANDOM, i % 2 == 0, &random);
        }
    }
}

static void test_smooth(void **state)
{
    (void)state;
    const variants v = variants_get();
    const int16_t weights[] = {0, 1, 9000, 16384, 32766, VRS_Q15_ONE};
    random_state random = {3};
    for (int t = 0; t < v.count * 6 * PATTERN_COUNT; t++) {
        const vrs_kernels *k = v.table[t % v.count];
        const int16_t weight = weights[t / v.count % 6];
        for (size_t i = 1; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            const int32_t n = (int32_t)lengths[i];
            plane p[4];
            for (int j = 0; j < 4; j++)
                p[j] = plane_make(n, 1, n, 2, t % 2 == 0);
            plane_fill_q15(&p[0], (pattern)(t / v.count / 6), &random);
            plane_fill_q15(&p[1], PATTERN_CHECKER, &random);
            plane_copy(&p[2], &p[0]);
            plane_copy(&p[3], &p[1]);
            v.reference->smooth(p[0].origin, p[1].origin, lengths[i], weight);
            k->smooth(p[2].origin, p[3].origin, lengths[i], weight);
            assert_same(&p[0], &p[2], "smoothed state");
            assert_same(&p[0], &p[3], "smoothed mask");
            assert_same(&p[0], &p[1], "smoothed mask of the reference");
            for (int j = 0; j < 4; j++)
                plane_free(&p[j]);
        }
    }
}

static void test_smooth_values(void **state)
{
    (void)state;
    const vrs_kernels *k = vrs_kernels_get(VRS_ISA_REFERENCE);
    int16_t before[3] = {0, 20000, 32767}, mask[3] = {32767, 10000, 32767};
    k->smooth(before, mask, 3, 16384);
    assert_int_equal(before[0], 16384); /* 32767 / 2 rounded up */
    assert_int_equal(before[1], 15000);
    assert_int_equal(before[2], 32767);
    assert_memory_equal(before, mask, sizeof(mask));
}

static void test_threshold(void **state)
{
    (void)state;
    const variants v = variants_get();
    const int16_t thresholds[] = {0, 1, 16384, 32766, VRS_Q15_ONE};
    random_state random = {4};
    for (int t = 0; t < v.count * 5; t++) {
        const int16_t threshold = thresholds[t / v.count];
        for (size_t i = 1; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            const int32_t n = (int32_t)lengths[i];
            plane p = plane_make(n, 1, n, 2, t % 2 == 0), was = plane_make(n, 1, n, 2, true);
            plane_fill_q15(&p, PATTERN_RANDOM, &random);
            int16_t *mask = p.origin, *old = was.origin;
            mask[n - 1] = threshold;
            if (n > 1)
                mask[0] = (int16_t)(threshold == 0 ? 0 : threshold - 1);
            plane_copy(&was, &p);
            v.table[t % v.count]->threshold(mask, lengths[i], threshold);
            for (int32_t x = 0; x < n; x++)
                assert_int_equal(mask[x], old[x] < threshold ? 0 : VRS_Q15_ONE);
            plane_free(&p);
            plane_free(&was);
        }
    }
}

static void test_store(void **state)
{
    (void)state;
    const variants v = variants_get();
    random_state random = {5};
    for (int t = 0; t < v.count; t++) {
        const vrs_kernels *k = v.table[t];
        for (size_t i = 1; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            const int32_t n = (int32_t)lengths[i];
            plane src = plane_make(n, 1, n, 2, i % 2 == 0);
            plane bytes = plane_make(n, 1, n, 1, i % 2 == 0);
            plane words = plane_make(n, 1, n, 2, i % 2 == 0);
            plane_fill_q15(&src, PATTERN_RANDOM, &random);
            int16_t *q15 = src.origin;
            q15[0] = VRS_Q15_ONE;
            q15[n - 1] = i % 3 == 0 ? 0 : VRS_Q15_ONE;
            k->store8(q15, bytes.origin, lengths[i]);
            k->store10(q15, words.origin, lengths[i]);
            for (int32_t x = 0; x < n; x++) {
                assert_int_equal(((uint8_t *)bytes.origin)[x], (q15[x] * 255 + 16384) >> 15);
                assert_int_equal(((uint16_t *)words.origin)[x], (q15[x] * 1023 + 16384) >> 15);
            }
            assert_true(n == 1 || i % 3 == 0 || ((uint8_t *)bytes.origin)[n - 1] == 255);
            assert_true(n == 1 || i % 3 == 0 || ((uint16_t *)words.origin)[n - 1] == 1023);
            plane_free(&src);
            plane_free(&bytes);
            plane_free(&words);
        }
    }
}

/* One box by its definition: the sum of the square in 64 bits, divided and rounded. */
static void naive_box(const int16_t *src, int16_t *dst, int32_t width, int32_t height,
                      int32_t radius)
{
    const int64_t area = (int64_t)(2 * radius + 1) * (2 * radius + 1);
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            int64_t sum = 0;
            for (int32_t j = y - radius; j <= y + radius; j++) {
                const int32_t row = j < 0 ? 0 : j >= height ? height - 1 : j;
                for (int32_t i = x - radius; i <= x + radius; i++)
                    sum += src[row * width + (i < 0 ? 0 : i >= width ? width - 1 : i)];
            }
            dst[y * width + x] = (int16_t)((2 * sum + area) / (2 * area));
        }
    }
}

static void test_feather_reference(void **state)
{
    (void)state;
    const vrs_kernels *k = vrs_kernels_get(VRS_ISA_REFERENCE);
    const int32_t cases[][3] = {{1, 1, 1},   {1, 1, 64},  {5, 1, 2},   {1, 7, 3},
                                {31, 17, 1}, {33, 20, 5}, {9, 40, 30}, {70, 12, 64}};
    random_state random = {6};
    for (int i = 0; i < 8; i++) {
        const int32_t w = cases[i][0], h = cases[i][1], radius = cases[i][2];
        plane p = plane_make(w, h, w, 2, true), once = plane_make(w, h, w, 2, true);
        plane twice = plane_make(w, h, w, 2, true);
        plane_fill_q15(&p, i % 2 == 0 ? PATTERN_RANDOM : PATTERN_CHECKER, &random);
        naive_box(p.origin, once.origin, w, h, radius);
        naive_box(once.origin, twice.origin, w, h, radius);
        void *scratch = vrs_alloc_aligned(vrs_feather_scratch(w, h));
        assert_non_null(scratch);
        k->feather(p.origin, w, w, h, radius, scratch);
        assert_same(&twice, &p, "feathered by the reference");
        vrs_free(scratch);
        plane_free(&p);
        plane_free(&once);
        plane_free(&twice);
    }
}

static void compare_feather(const variants *v, int t, int32_t w, int32_t h, int32_t radius,
                            pattern kind, random_state *random)
{
    const ptrdiff_t stride = t % 2 == 0 ? w + 5 : -(w + 3);
    plane p = plane_make(w, h, stride, 2, true), expected = plane_make(w, h, w, 2, true);
    plane_fill_q15(&p, kind, random);
    plane_copy(&expected, &p);
    guarded scratch = guarded_make((vrs_feather_scratch(w, h) + 63) / 64 * 64, true);
    v->reference->feather(expected.origin, w, w, h, radius, scratch.data);
    v->table[t]->feather(p.origin, p.stride, w, h, radius, scratch.data);
    assert_same(&expected, &p, "feathered");
    if (kind == PATTERN_ONE)
        assert_int_equal(*(int16_t *)p.origin, VRS_Q15_ONE);
    guarded_free(&scratch);
    plane_free(&p);
    plane_free(&expected);
}

static void test_feather(void **state)
{
    (void)state;
    const variants v = variants_get();
    random_state random = {7};
    for (int t = 0; t < v.count; t++) {
        for (int i = 0; i < 60; i++)
            compare_feather(&v, t, random_in(&random, 1, 150), random_in(&random, 1, 40),
                            i < 10 ? 64 : random_in(&random, 1, 64), (pattern)(i % PATTERN_COUNT),
                            &random);
        for (int32_t radius = 1; radius <= 64; radius++) /* all divisors, many sums */
            compare_feather(&v, t, 257, 12, radius, PATTERN_RANDOM, &random);
        compare_feather(&v, t, 3001, 3, 64, PATTERN_ONE, &random); /* running sums wrap around */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upsample_tables),
        cmocka_unit_test(test_upsample_reference_is_bilinear),
        cmocka_unit_test(test_upsample),
        cmocka_unit_test(test_smooth),
        cmocka_unit_test(test_smooth_values),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_feather_reference),
        cmocka_unit_test(test_feather),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
