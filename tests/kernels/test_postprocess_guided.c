/* The guided filter's coefficients and their use at full size. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "kernels/guarded.h"
#include "kernels/variants.h"

typedef struct filter {
    plane mask, guide, slope, offset;
    guarded scratch;
    vrs_guided guided;
} filter;

static filter filter_make(int32_t width, int32_t height, int32_t radius, float epsilon, bool padded)
{
    filter f = {
        .mask = plane_make(width, height, padded ? width + 3 : -width, 2, padded),
        .guide = plane_make(width, height, padded ? -(width + 9) : width, 1, padded),
        .slope = plane_make(width, height, width, sizeof(float), true),
        .offset = plane_make(width, height, width, sizeof(float), true),
        .scratch = guarded_make((vrs_guided_scratch(width, height) + 63) / 64 * 64, true),
    };
    f.guided = (vrs_guided){
        .width = width,
        .height = height,
        .mask = f.mask.origin,
        .mask_stride = f.mask.stride,
        .guide = f.guide.origin,
        .guide_stride = f.guide.stride,
        .radius = radius,
        .epsilon = epsilon,
        .slope = f.slope.origin,
        .offset = f.offset.origin,
    };
    return f;
}

static void filter_free(filter *f)
{
    plane_free(&f->mask);
    plane_free(&f->guide);
    plane_free(&f->slope);
    plane_free(&f->offset);
    guarded_free(&f->scratch);
}

/* Mask and guide: noise, or noise on an edge, or constant (all variances are 0 or 1/4). */
static void filter_fill(filter *f, int kind, random_state *random)
{
    plane_fill_q15(&f->mask, kind == 2 ? PATTERN_CHECKER : PATTERN_RANDOM, random);
    plane_fill_bytes(&f->guide, random);
    for (int32_t y = 0; y < f->guide.height && kind != 0; y++) {
        uint8_t *guide = plane_row(&f->guide, y);
        int16_t *mask = plane_row(&f->mask, y);
        for (int32_t x = 0; x < f->guide.width; x++) {
            const bool person = x > y;
            if (kind == 1) {
                guide[x] = (uint8_t)((person ? 180 : 40) + guide[x] / 16);
                mask[x] = (int16_t)((person ? 28000 : 0) + mask[x] / 8);
            } else {
                guide[x] = kind == 2 ? (uint8_t)(((x ^ y) & 1) * 255) : 77;
            }
        }
    }
}

typedef struct window {
    int32_t x0, x1, y0, y1;
} window;

static window window_at(const vrs_guided *g, int32_t x, int32_t y)
{
    window w = {x - g->radius, x + g->radius, y - g->radius, y + g->radius};
    w.x0 = w.x0 < 0 ? 0 : w.x0;
    w.y0 = w.y0 < 0 ? 0 : w.y0;
    w.x1 = w.x1 >= g->width ? g->width - 1 : w.x1;
    w.y1 = w.y1 >= g->height ? g->height - 1 : w.y1;
    return w;
}

/* Slope and offset of one window by the definition: means first, then sums of products of the
 * differences from them. */
static void naive_coefficients(const vrs_guided *g, int32_t x, int32_t y, double *slope,
                               double *offset)
{
    const window w = window_at(g, x, y);
    const double n = (double)(w.x1 - w.x0 + 1) * (w.y1 - w.y0 + 1);
    double mean_i = 0, mean_p = 0, var = 0, cov = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t j = w.y0; j <= w.y1; j++) {
            for (int32_t i = w.x0; i <= w.x1; i++) {
                const double in = g->guide[j * g->guide_stride + i] / 255.0;
                const double p = g->mask[j * g->mask_stride + i] / 32767.0;
                mean_i += pass == 0 ? in / n : 0;
                mean_p += pass == 0 ? p / n : 0;
                var += pass == 1 ? (in - mean_i) * (in - mean_i) / n : 0;
                cov += pass == 1 ? (in - mean_i) * (p - mean_p) / n : 0;
            }
        }
    }
    *slope = cov / (var + (double)g->epsilon);
    *offset = mean_p - *slope * mean_i;
}

static double tolerance(const vrs_guided *g)
{
    const double largest = 0.25 / sqrt((double)g->epsilon);
    return 1e-5 * (largest > 1 ? largest : 1);
}

static void assert_near(double expected, double got, double within, const char *what)
{
    if (!(fabs(expected - got) <= within))
        fail_msg("%s: %.9g instead of %.9g, further than %g", what, got, expected, within);
}

static void compare_with_naive(const filter *f)
{
    const vrs_guided *g = &f->guided;
    const size_t pixels = (size_t)g->width * (size_t)g->height;
    double *slope = vrs_alloc_array(pixels, sizeof(double));
    double *offset = vrs_alloc_array(pixels, sizeof(double));
    assert_non_null(slope);
    assert_non_null(offset);
    for (int32_t i = 0; i < (int32_t)pixels; i++)
        naive_coefficients(g, i % g->width, i / g->width, &slope[i], &offset[i]);
    for (int32_t k = 0; k < (int32_t)pixels; k++) {
        const window w = window_at(g, k % g->width, k / g->width);
        const double n = (double)(w.x1 - w.x0 + 1) * (w.y1 - w.y0 + 1);
        double a = 0, b = 0;
        for (int32_t j = w.y0; j <= w.y1; j++) {
            for (int32_t i = w.x0; i <= w.x1; i++) {
                a += slope[j * g->width + i] / n;
                b += offset[j * g->width + i] / n;
            }
        }
        assert_near(a, (double)g->slope[k], tolerance(g), "slope");
        assert_near(b, (double)g->offset[k], tolerance(g), "offset");
    }
    vrs_free(slope);
    vrs_free(offset);
}

/* All implementations against windows summed in double, the reference among them. */
static void test_guided(void **state)
{
    (void)state;
    const variants v = variants_get();
    const int32_t sizes[][3] = {{1, 1, 1},  {1, 1, 0},   {1, 9, 2},  {9, 1, 3},   {17, 9, 1},
                                {8, 8, 64}, {33, 20, 4}, {31, 7, 0}, {40, 13, 8}, {12, 30, 11}};
    const float epsilons[] = {1e-6f, 1e-4f, 1e-2f};
    random_state random = {31};
    for (int i = 0; i < v.count * 10 * 3 * 4; i++) {
        const int32_t *size = sizes[i / v.count % 10];
        filter f = filter_make(size[0], size[1], size[2], epsilons[i / v.count / 10 % 3],
                               random_in(&random, 0, 1) == 0);
        filter_fill(&f, i / v.count / 30, &random);
        v.table[i % v.count]->guided(&f.guided, f.scratch.data);
        compare_with_naive(&f);
        filter_free(&f);
    }
}

/* Sizes too large for the naive way, and sums near their limits. */
static void test_guided_large(void **state)
{
    (void)state;
    const variants v = variants_get();
    const int32_t sizes[][3] = {{256, 144, 4}, {641, 359, 64}, {150, 200, 30}};
    random_state random = {32};
    for (int i = 0; i < 3 * 4; i++) {
        const int32_t *size = sizes[i % 3];
        filter expected = filter_make(size[0], size[1], size[2], 1e-6f, true);
        filter_fill(&expected, i / 3, &random);
        if (i == 1)
            plane_fill_q15(&expected.mask, PATTERN_ONE, &random);
        v.reference->guided(&expected.guided, expected.scratch.data);
        for (int t = 1; t < v.count; t++) {
            filter got = filter_make(size[0], size[1], size[2], 1e-6f, false);
            plane_copy(&got.mask, &expected.mask);
            plane_copy(&got.guide, &expected.guide);
            v.table[t]->guided(&got.guided, got.scratch.data);
            for (int32_t k = 0; k < size[0] * size[1]; k++) {
                assert_near((double)expected.guided.slope[k], (double)got.guided.slope[k],
                            tolerance(&got.guided), "slope");
                assert_near((double)expected.guided.offset[k], (double)got.guided.offset[k],
                            tolerance(&got.guided), "offset");
            }
            filter_free(&got);
        }
        filter_free(&expected);
    }
}

/* A mask that is a linear function of the guide comes back from it; a constant one stays. */
static void test_guided_keeps_lines(void **state)
{
    (void)state;
    const variants v = variants_get();
    random_state random = {33};
    for (int t = 0; t < v.count; t++) {
        filter f = filter_make(40, 30, 3, 1e-6f, true);
        filter_fill(&f, 0, &random);
        for (int32_t y = 0; y < 30; y++)
            for (int32_t x = 0; x < 40; x++)
                ((int16_t *)plane_row(&f.mask, y))[x] =
                    (int16_t)(4000 + 100 * ((uint8_t *)plane_row(&f.guide, y))[x]);
        v.table[t]->guided(&f.guided, f.scratch.data);
        for (int32_t k = 0; k < 40 * 30; k++) {
            assert_near(100 * 255.0 / 32767, (double)f.guided.slope[k], 1e-4, "slope of a line");
            assert_near(4000.0 / 32767, (double)f.guided.offset[k], 1e-4, "offset of a line");
        }
        filter_free(&f);
    }
}

typedef struct refinement {
    vrs_upsample up;
    void *storage;
    guarded scratch;
    plane slope, offset, codes;
    vrs_luma luma;
} refinement;

static refinement refinement_make(const int32_t *size, int format, bool at_end)
{
    const int32_t bytes = format == 0 ? 1 : 2, peak = format == 0 ? 255 : 1023;
    const ptrdiff_t stride = at_end ? size[0] + 2 : -(size[0] + 1);
    refinement r = {
        .storage = vrs_alloc_aligned(vrs_upsample_storage(size[2], size[3])),
        .scratch = guarded_make(4 * ((size_t)size[2] + 64) * sizeof(float), true),
        .slope = plane_make(size[0], size[1], stride, sizeof(float), at_end),
        .offset = plane_make(size[0], size[1], stride, sizeof(float), at_end),
        .codes =
            plane_make(size[2], size[3], at_end ? -(size[2] + 7) : size[2], (size_t)bytes, at_end),
    };
    assert_non_null(r.storage);
    vrs_upsample_init(&r.up, size[0], size[1], size[2], size[3], r.storage);
    r.luma = (vrs_luma){.data = r.codes.origin,
                        .stride = r.codes.stride * bytes,
                        .sample_bytes = bytes,
                        .sample_shift = format == 2 ? 6 : 0,
                        .scale = 1.2f / (float)peak,
                        .offset = -0.07f};
    return r;
}

static void refinement_fill(refinement *r, int format, double spread, random_state *random)
{
    static const float traps[] = {NAN, INFINITY, -INFINITY, 3e38f};
    for (int32_t y = 0; y < r->slope.height; y++) {
        for (int32_t x = 0; x < r->slope.width; x++) {
            const double a = random_in(random, -1000000, 1000000) * 1e-6 * spread;
            ((float *)plane_row(&r->slope, y))[x] = (float)a;
            ((float *)plane_row(&r->offset, y))[x] =
                (float)(0.5 - 0.5 * a + random_in(random, -1000, 1000) * 1e-3);
            if (spread > 100 && random_in(random, 0, 99) == 0)
                ((float *)plane_row(&r->offset, y))[x] = traps[random_in(random, 0, 3)];
        }
    }
    plane_fill_bytes(&r->codes, random);
    for (int32_t y = 0; y < r->codes.height && format == 1; y++)
        for (int32_t x = 0; x < r->codes.width; x++)
            ((uint16_t *)plane_row(&r->codes, y))[x] &= 1023;
}

static void refinement_free(refinement *r)
{
    vrs_free(r->storage);
    guarded_free(&r->scratch);
    plane_free(&r->slope);
    plane_free(&r->offset);
    plane_free(&r->codes);
}

static void refine(const vrs_kernels *k, const refinement *r, int32_t begin, int32_t end,
                   const plane *dst)
{
    k->refine(&r->up, r->slope.origin, r->offset.origin, r->slope.stride, &r->luma, begin, end,
              plane_row(dst, begin), dst->stride, (float *)(void *)r->scratch.data);
}

static void compare_refine(const variants *v, int t, const refinement *r, random_state *random)
{
    const int32_t width = r->up.width, height = r->up.height;
    plane expected = plane_make(width, height, width, 2, true);
    plane whole = plane_make(width, height, -width, 2, true);
    plane strips = plane_make(width, height, width + 3, 2, true);
    refine(v->reference, r, 0, height, &expected);
    refine(v->table[t], r, 0, height, &whole);
    for (int32_t y = 0; y < height;) {
        const int32_t end = y + random_in(random, 1, height - y < 20 ? height - y : 20);
        refine(v->table[t], r, y, end, &strips);
        y = end;
    }
    for (int32_t y = 0; y < height; y++) {
        const int16_t *a = plane_row(&expected, y), *b = plane_row(&whole, y);
        assert_memory_equal(b, plane_row(&strips, y), (size_t)width * sizeof(*b));
        for (int32_t x = 0; x < width; x++)
            if (abs(a[x] - b[x]) > 2)
                fail_msg("%dx%d: %d instead of %d at (%d, %d)", width, height, b[x], a[x], x, y);
    }
    plane_free(&expected);
    plane_free(&whole);
    plane_free(&strips);
}

static void test_refine(void **state)
{
    (void)state;
    const variants v = variants_get();
    const int32_t sizes[][4] = {{1, 1, 1, 1},    {1, 1, 17, 3},       {17, 9, 1, 1},
                                {5, 4, 33, 21},  {8, 3, 64, 9},       {30, 5, 31, 6},
                                {40, 20, 15, 7}, {16, 9, 129, 65},    {7, 2, 641, 5},
                                {3, 9, 16, 40},  {256, 144, 641, 359}};
    random_state random = {34};
    for (int i = 0; i < v.count * 11 * 3 * 2; i++) {
        const int format = i / v.count / 11 % 3;
        refinement r = refinement_make(sizes[i / v.count % 11], format, i / v.count % 2 == 0);
        refinement_fill(&r, format, i / v.count / 33 == 0 ? 25 : 250, &random);
        compare_refine(&v, i % v.count, &r, &random);
        refinement_free(&r);
    }
}

/* Known coefficients: the reference gives clip(slope * Y + offset) in Q15. */
static void test_refine_values(void **state)
{
    (void)state;
    const int32_t size[4] = {1, 1, 4, 1};
    refinement r = refinement_make(size, 2, true);
    *(float *)r.slope.origin = 2;
    *(float *)r.offset.origin = -0.5f;
    r.luma.scale = 1.0f / 1000;
    r.luma.offset = 0;
    const int32_t codes[4] = {0, 250, 500, 1000};
    const int16_t expected[4] = {0, 0, 16384, VRS_Q15_ONE};
    for (int x = 0; x < 4; x++)
        ((uint16_t *)r.codes.origin)[x] = (uint16_t)(codes[x] << 6);
    plane dst = plane_make(4, 1, 4, 2, true);
    refine(vrs_kernels_get(VRS_ISA_REFERENCE), &r, 0, 1, &dst);
    assert_memory_equal(dst.origin, expected, sizeof(expected));
    plane_free(&dst);
    refinement_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guided),
        cmocka_unit_test(test_guided_large),
        cmocka_unit_test(test_guided_keeps_lines),
        cmocka_unit_test(test_refine),
        cmocka_unit_test(test_refine_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
