/* Composition over a constant, and alpha at chroma's places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "kernels/guarded.h"
#include "kernels/variants.h"

static const int32_t lengths[] = {1,  2,  3,  7,  8,  15, 16,  17,  31,  32, 33,
                                  47, 63, 64, 65, 95, 97, 127, 129, 320, 641};
#define LENGTH_COUNT ((int)(sizeof(lengths) / sizeof(lengths[0])))

/* Random samples of `bits` bits, shifted up by `shift`; every fifth at an end of the range. */
static void fill_samples(plane *p, int32_t bits, int32_t shift, random_state *random)
{
    const int32_t peak = (1 << bits) - 1;
    for (int32_t x = 0; x < p->width; x++) {
        int32_t value = random_in(random, 0, peak);
        if (random_in(random, 0, 4) == 0)
            value = value % 2 == 0 ? 0 : peak;
        if (p->element == 1)
            ((uint8_t *)p->origin)[x] = (uint8_t)value;
        else
            ((uint16_t *)p->origin)[x] = (uint16_t)(value << shift);
    }
}

static int32_t sample(const plane *p, int32_t x)
{
    return p->element == 1 ? ((const uint8_t *)p->origin)[x] : ((const uint16_t *)p->origin)[x];
}

static int32_t blended(int32_t value, int32_t background, int32_t alpha)
{
    return background + ((((value - background) * alpha) + 16384) >> 15);
}

static void run_blend(const vrs_kernels *k, const plane *src, const plane *alpha, const plane *dst,
                      int32_t background, int32_t shift)
{
    if (src->element == 1)
        k->blend8(src->origin, alpha->origin, dst->origin, (size_t)src->width, (uint8_t)background);
    else
        k->blend10(src->origin, alpha->origin, dst->origin, (size_t)src->width,
                   (uint16_t)background, shift);
}

static void check_blend(const vrs_kernels *k, int32_t n, int32_t bits, int32_t shift, pattern kind,
                        bool at_end, random_state *random)
{
    const size_t element = bits == 8 ? 1 : 2;
    const int32_t peak = (1 << bits) - 1;
    const int32_t backgrounds[] = {0, peak, 16, random_in(random, 0, peak)};
    plane src = plane_make(n, 1, n, element, at_end), dst = plane_make(n, 1, n, element, at_end);
    plane alpha = plane_make(n, 1, n, 2, at_end);
    fill_samples(&src, bits, shift, random);
    plane_fill_q15(&alpha, kind, random);
    const int16_t *a = alpha.origin;
    for (int b = 0; b < 4; b++) {
        run_blend(k, &src, &alpha, &dst, backgrounds[b], shift);
        for (int32_t x = 0; x < n; x++) {
            const int32_t value = sample(&src, x) >> shift;
            assert_int_equal(sample(&dst, x), blended(value, backgrounds[b], a[x]));
            if (a[x] == VRS_Q15_ONE)
                assert_int_equal(sample(&dst, x), value);
            if (a[x] == 0)
                assert_int_equal(sample(&dst, x), backgrounds[b]);
        }
    }
    run_blend(k, &src, &alpha, &src, backgrounds[3], shift); /* in place */
    for (int32_t x = 0; x < n; x++)
        assert_int_equal(sample(&src, x), sample(&dst, x));
    plane_free(&src);
    plane_free(&dst);
    plane_free(&alpha);
}

static void test_blend(void **state)
{
    (void)state;
    const variants v = variants_get();
    random_state random = {21};
    for (int t = 0; t < v.count; t++) {
        for (int i = 0; i < LENGTH_COUNT * PATTERN_COUNT; i++) {
            const int32_t n = lengths[i % LENGTH_COUNT];
            const pattern kind = (pattern)(i / LENGTH_COUNT);
            check_blend(v.table[t], n, 8, 0, kind, i % 2 == 0, &random);
            check_blend(v.table[t], n, 10, 0, kind, i % 2 == 0, &random);
            check_blend(v.table[t], n, 10, 6, kind, i % 2 == 0, &random);
        }
    }
}

/* Every sample on every background: opaque gives the sample, transparent the background. */
static void test_blend_ends_exactly(void **state)
{
    (void)state;
    const variants v = variants_get();
    for (int t = 0; t < v.count; t++) {
        for (int32_t background = 0; background < 1024; background++) {
            uint16_t src[1024], dst[1024];
            int16_t alpha[1024];
            for (int opaque = 0; opaque < 2; opaque++) {
                for (int32_t x = 0; x < 1024; x++) {
                    src[x] = (uint16_t)x;
                    alpha[x] = opaque ? VRS_Q15_ONE : 0;
                }
                v.table[t]->blend10(src, alpha, dst, 1024, (uint16_t)background, 0);
                for (int32_t x = 0; x < 1024; x++)
                    assert_true(dst[x] == (opaque ? x : background));
            }
        }
    }
}

static void check_blend_uv(const vrs_kernels *k, int32_t n, int32_t bits, int32_t shift,
                           pattern kind, bool at_end, random_state *random)
{
    const size_t element = bits == 8 ? 1 : 2;
    const int32_t peak = (1 << bits) - 1, u0 = random_in(random, 0, peak);
    const int32_t v0 = random_in(random, 0, 3) == 0 ? peak : random_in(random, 0, peak);
    plane uv = plane_make(2 * n, 1, 2 * n, element, at_end), alpha = plane_make(n, 1, n, 2, at_end);
    plane u = plane_make(n, 1, n, element, at_end), v = plane_make(n, 1, n, element, at_end);
    fill_samples(&uv, bits, shift, random);
    plane_fill_q15(&alpha, kind, random);
    if (bits == 8)
        k->blend_uv8(uv.origin, alpha.origin, u.origin, v.origin, (size_t)n, (uint8_t)u0,
                     (uint8_t)v0);
    else
        k->blend_uv10(uv.origin, alpha.origin, u.origin, v.origin, (size_t)n, (uint16_t)u0,
                      (uint16_t)v0, shift);
    const int16_t *a = alpha.origin;
    for (int32_t x = 0; x < n; x++) {
        assert_int_equal(sample(&u, x), blended(sample(&uv, 2 * x) >> shift, u0, a[x]));
        assert_int_equal(sample(&v, x), blended(sample(&uv, 2 * x + 1) >> shift, v0, a[x]));
    }
    plane_free(&uv);
    plane_free(&alpha);
    plane_free(&u);
    plane_free(&v);
}

static void test_blend_uv(void **state)
{
    (void)state;
    const variants v = variants_get();
    random_state random = {22};
    for (int t = 0; t < v.count; t++) {
        for (int i = 0; i < LENGTH_COUNT * PATTERN_COUNT; i++) {
            const int32_t n = lengths[i % LENGTH_COUNT];
            const pattern kind = (pattern)(i / LENGTH_COUNT);
            check_blend_uv(v.table[t], n, 8, 0, kind, i % 2 == 0, &random);
            check_blend_uv(v.table[t], n, 10, 0, kind, i % 2 == 0, &random);
            check_blend_uv(v.table[t], n, 10, 6, kind, i % 2 == 0, &random);
        }
    }
}

static void check_chroma_alpha(const vrs_kernels *k, int32_t width, pattern kind, bool at_end,
                               bool same_row, random_state *random)
{
    const int32_t n = (width + 1) / 2;
    plane row0 = plane_make(width, 1, width, 2, at_end),
          row1 = plane_make(width, 1, width, 2, at_end);
    plane dst = plane_make(n, 1, n, 2, at_end);
    plane_fill_q15(&row0, kind, random);
    plane_fill_q15(&row1, kind == PATTERN_ZERO ? PATTERN_ONE : kind, random);
    const int16_t *a = row0.origin, *b = same_row ? row0.origin : row1.origin, *got = dst.origin;
    k->chroma_alpha(a, b, dst.origin, width);
    for (int32_t x = 0; x < n; x++) {
        const int32_t left = 2 * x, right = 2 * x + 1 < width ? 2 * x + 1 : width - 1;
        assert_int_equal(got[x], (a[left] + a[right] + b[left] + b[right] + 2) / 4);
    }
    plane_free(&row0);
    plane_free(&row1);
    plane_free(&dst);
}

static void test_chroma_alpha(void **state)
{
    (void)state;
    const variants v = variants_get();
    random_state random = {23};
    for (int t = 0; t < v.count; t++) {
        for (int i = 0; i < LENGTH_COUNT * PATTERN_COUNT; i++) {
            const pattern kind = (pattern)(i / LENGTH_COUNT);
            check_chroma_alpha(v.table[t], lengths[i % LENGTH_COUNT], kind, i % 2 == 0, false,
                               &random);
            check_chroma_alpha(v.table[t], lengths[i % LENGTH_COUNT], kind, i % 2 == 0, true,
                               &random);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blend),
        cmocka_unit_test(test_blend_ends_exactly),
        cmocka_unit_test(test_blend_uv),
        cmocka_unit_test(test_chroma_alpha),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
