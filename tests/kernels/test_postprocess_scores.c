/* Person probabilities and classes out of a network's scores. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "kernels/guarded.h"
#include "kernels/variants.h"

typedef enum layout {
    LAYOUT_PLANAR,      /* NCHW */
    LAYOUT_PADDED,      /* NCHW, rows and planes apart */
    LAYOUT_LAST,        /* NHWC */
    LAYOUT_LAST_PADDED, /* NHWC with columns and rows apart */
    LAYOUT_BOTTOM_UP,   /* NCHW, rows upwards */
    LAYOUT_INTERLEAVED, /* rows of classes inside of columns: no stride is 1 */
    LAYOUT_MIRRORED,    /* columns leftwards */
    LAYOUT_COUNT,
} layout;

/* Scores in a block that holds nothing behind the last one. */
typedef struct tensor {
    guarded block;
    vrs_scores scores;
} tensor;

static void set_strides(vrs_scores *s, layout kind)
{
    const ptrdiff_t w = s->width, h = s->height, c = s->classes;
    s->column_stride = 1;
    s->row_stride = w;
    s->class_stride = w * h;
    if (kind == LAYOUT_PADDED) {
        s->row_stride = w + 3;
        s->class_stride = (w + 3) * h + 5;
    } else if (kind == LAYOUT_LAST || kind == LAYOUT_LAST_PADDED) {
        s->class_stride = 1;
        s->column_stride = c + (kind == LAYOUT_LAST ? 0 : 2);
        s->row_stride = s->column_stride * w + (kind == LAYOUT_LAST ? 0 : 7);
    } else if (kind == LAYOUT_BOTTOM_UP) {
        s->row_stride = -w;
    } else if (kind == LAYOUT_INTERLEAVED) {
        s->column_stride = 2;
        s->class_stride = 2 * w;
        s->row_stride = 2 * w * c;
    } else if (kind == LAYOUT_MIRRORED) {
        s->column_stride = -1;
    }
}

static tensor tensor_make(int32_t classes, int32_t width, int32_t height, layout kind, bool at_end)
{
    tensor t = {.scores = {.classes = classes, .width = width, .height = height}};
    set_strides(&t.scores, kind);
    const ptrdiff_t steps[3] = {t.scores.class_stride, t.scores.row_stride, t.scores.column_stride};
    const int32_t counts[3] = {classes, height, width};
    ptrdiff_t low = 0, high = 0;
    for (int i = 0; i < 3; i++) {
        const ptrdiff_t reach = steps[i] * (counts[i] - 1);
        low += reach < 0 ? reach : 0;
        high += reach > 0 ? reach : 0;
    }
    t.block = guarded_make((size_t)(high - low + 1) * sizeof(float), at_end);
    t.scores.data = (const float *)(const void *)t.block.data - low;
    return t;
}

static float *element(const tensor *t, int32_t c, int32_t x, int32_t y)
{
    const vrs_scores *s = &t->scores;
    float *origin = (float *)(void *)t->block.data + (s->data - (float *)(void *)t->block.data);
    return origin + c * s->class_stride + y * s->row_stride + x * s->column_stride;
}

/* Scores of a spread, now and then with something that breaks arithmetic. */
static float hostile_score(random_state *random, float spread, bool hostile)
{
    static const float traps[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 88.9f, -104, 0, 1e-40f};
    if (hostile && random_in(random, 0, 19) == 0)
        return traps[random_in(random, 0, 8)];
    return (float)random_in(random, -1000000, 1000000) * 1e-6f * spread;
}

static void tensor_fill(const tensor *t, float spread, bool hostile, random_state *random)
{
    for (int32_t c = 0; c < t->scores.classes; c++)
        for (int32_t y = 0; y < t->scores.height; y++)
            for (int32_t x = 0; x < t->scores.width; x++)
                *element(t, c, x, y) = hostile_score(random, spread, hostile);
}

static void tensor_round(const tensor *t)
{
    for (int32_t c = 0; c < t->scores.classes; c++)
        for (int32_t y = 0; y < t->scores.height; y++)
            for (int32_t x = 0; x < t->scores.width; x++)
                *element(t, c, x, y) = roundf(*element(t, c, x, y));
}

static int16_t person_of(vrs_activation activation, int32_t classes, uint32_t person,
                         const float *values)
{
    const vrs_scores s = {values, classes, 1, 1, 1, classes, classes, activation, person};
    int16_t q15 = -1;
    vrs_kernels_get(VRS_ISA_REFERENCE)->person(&s, &q15, 1);
    return q15;
}

static void test_person_values(void **state)
{
    (void)state;
    const vrs_activation none = VRS_ACTIVATION_NONE, sigmoid = VRS_ACTIVATION_SIGMOID,
                         softmax = VRS_ACTIVATION_SOFTMAX;
    assert_int_equal(person_of(none, 1, 1, (float[]){0.25f}), 8192); /* 8191.75 */
    assert_int_equal(person_of(none, 1, 1, (float[]){-3}), 0);
    assert_int_equal(person_of(none, 1, 1, (float[]){INFINITY}), VRS_Q15_ONE);
    assert_int_equal(person_of(none, 1, 1, (float[]){NAN}), 0);
    assert_int_equal(person_of(none, 3, 5, (float[]){0.5f, 0.25f, 0.5f}), VRS_Q15_ONE);
    assert_int_equal(person_of(none, 3, 2, (float[]){NAN, 0.5f, NAN}), 16384);
    assert_int_equal(person_of(sigmoid, 1, 1, (float[]){0}), 16384);
    assert_int_equal(person_of(sigmoid, 1, 1, (float[]){INFINITY}), VRS_Q15_ONE);
    assert_int_equal(person_of(sigmoid, 1, 1, (float[]){-INFINITY}), 0);
    assert_int_equal(person_of(sigmoid, 1, 1, (float[]){NAN}), 0);
    assert_int_equal(person_of(sigmoid, 2, 2, (float[]){9, 1.0986123f}), 24575); /* 3/4 */
    assert_int_equal(person_of(softmax, 2, 2, (float[]){0, 0}), 16384);
    assert_int_equal(person_of(softmax, 3, 3, (float[]){5000, 5000, 5000}), 21845);
    assert_int_equal(person_of(softmax, 2, 2, (float[]){-INFINITY, -900}), VRS_Q15_ONE);
    assert_int_equal(person_of(softmax, 2, 2, (float[]){-INFINITY, -INFINITY}), 0);
    assert_int_equal(person_of(softmax, 2, 2, (float[]){0, INFINITY}), 0);
    assert_int_equal(person_of(softmax, 2, 2, (float[]){NAN, 3}), 0);
    assert_int_equal(person_of(softmax, 1, 1, (float[]){7}), VRS_Q15_ONE);
}

static void compare_person(const vrs_kernels *k, const vrs_kernels *reference, const tensor *t,
                           ptrdiff_t stride, const char *what)
{
    const vrs_scores *s = &t->scores;
    plane expected = plane_make(s->width, s->height, s->width, 2, true);
    plane got = plane_make(s->width, s->height, stride, 2, true);
    reference->person(s, expected.origin, expected.stride);
    k->person(s, got.origin, got.stride);
    for (int32_t y = 0; y < s->height; y++) {
        const int16_t *a = plane_row(&expected, y), *b = plane_row(&got, y);
        for (int32_t x = 0; x < s->width; x++)
            if (abs(a[x] - b[x]) > 1)
                fail_msg("%s, activation %d, %d classes, %dx%d: %d instead of %d at (%d, %d)", what,
                         (int)s->activation, s->classes, s->width, s->height, b[x], a[x], x, y);
    }
    plane_free(&expected);
    plane_free(&got);
}

static void test_person(void **state)
{
    (void)state;
    const variants v = variants_get();
    const int32_t classes[] = {1, 2, 3, 6, 7, 8, 9, 16, 17, 21, 31, 32};
    const int32_t widths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 65};
    const float spreads[] = {0.7f, 6, 40, 2000};
    random_state random = {11};
    for (int i = 0; i < v.count * LAYOUT_COUNT * 12 * 11; i++) {
        const vrs_kernels *k = v.table[i % v.count];
        const int rest = i / v.count;
        const layout kind = (layout)(rest % LAYOUT_COUNT);
        const int32_t width = widths[rest / LAYOUT_COUNT % 11];
        tensor t = tensor_make(classes[rest / LAYOUT_COUNT / 11], width, random_in(&random, 1, 3),
                               kind, random_in(&random, 0, 1) == 0);
        t.scores.person_classes = random_next(&random);
        for (int a = VRS_ACTIVATION_NONE; a <= VRS_ACTIVATION_ARGMAX; a++) {
            t.scores.activation = (vrs_activation)a;
            tensor_fill(&t, spreads[random_in(&random, 0, 3)], a + i % 2 == 0, &random);
            compare_person(k, v.reference, &t, width + random_in(&random, 0, 3), k->name);
            tensor_fill(&t, spreads[random_in(&random, 0, 1)], true, &random);
            compare_person(k, v.reference, &t, -(width + random_in(&random, 0, 3)), k->name);
        }
        guarded_free(&t.block);
    }
}

/* Every logit of a fine grid: the sigmoid is within 1, and never falls. */
static void test_sigmoid_is_monotone(void **state)
{
    (void)state;
    const variants v = variants_get();
    const int32_t n = 40000;
    tensor t = tensor_make(1, n, 1, LAYOUT_PLANAR, true);
    t.scores.activation = VRS_ACTIVATION_SIGMOID;
    t.scores.person_classes = 1;
    for (int32_t x = 0; x < n; x++)
        *element(&t, 0, x, 0) = (float)(x - n / 2) * 5e-4f;
    for (int i = 0; i < v.count; i++) {
        compare_person(v.table[i], v.reference, &t, n, v.table[i]->name);
        plane got = plane_make(n, 1, n, 2, true);
        v.table[i]->person(&t.scores, got.origin, n);
        const int16_t *q15 = got.origin;
        for (int32_t x = 1; x < n; x++)
            assert_true(q15[x] >= q15[x - 1]);
        plane_free(&got);
    }
    guarded_free(&t.block);
}

static void test_classes_values(void **state)
{
    (void)state;
    const vrs_kernels *k = vrs_kernels_get(VRS_ISA_REFERENCE);
    /* planes: 0 falls from left to right, 1 rises, 2 is NaN and infinitely low */
    const float values[] = {3, 0, 0, 3, NAN, -INFINITY};
    const vrs_scores s = {.data = values,
                          .classes = 3,
                          .width = 2,
                          .height = 1,
                          .class_stride = 2,
                          .row_stride = 2,
                          .column_stride = 1};
    vrs_upsample up;
    void *storage = vrs_alloc_aligned(vrs_upsample_storage(4, 2));
    float *scratch = vrs_alloc_aligned(3 * 32 * (4 + 16) * sizeof(float));
    assert_non_null(storage);
    assert_non_null(scratch);
    vrs_upsample_init(&up, 2, 1, 4, 2, storage);
    uint8_t classes[8];
    k->classes(&up, &s, 0, 2, classes, 4, scratch);
    assert_memory_equal(classes, ((uint8_t[]){0, 0, 1, 1, 0, 0, 1, 1}), 8);
    const float same[] = {5, 5, 5, 5, 5, 5};
    vrs_scores tie = s;
    tie.data = same;
    k->classes(&up, &tie, 0, 2, classes, 4, scratch);
    assert_memory_equal(classes, ((uint8_t[8]){0}), 8);
    vrs_free(storage);
    vrs_free(scratch);
}

static void compare_classes(const vrs_kernels *k, const vrs_kernels *reference, const tensor *t,
                            int32_t width, int32_t height, random_state *random)
{
    vrs_upsample up;
    void *storage = vrs_alloc_aligned(vrs_upsample_storage(width, height));
    guarded scratch = guarded_make(3 * 32 * ((size_t)width + 16) * sizeof(float), true);
    assert_non_null(storage);
    vrs_upsample_init(&up, t->scores.width, t->scores.height, width, height, storage);
    plane expected = plane_make(width, height, width, 1, true);
    plane got = plane_make(width, height, width + 5, 1, true);
    float *rows = (float *)(void *)scratch.data;
    reference->classes(&up, &t->scores, 0, height, expected.origin, width, rows);
    for (int32_t y = 0; y < height;) {
        const int32_t end = y + random_in(random, 1, height - y);
        k->classes(&up, &t->scores, y, end, plane_row(&got, y), got.stride, rows);
        y = end;
    }
    for (int32_t y = 0; y < height; y++)
        assert_memory_equal(plane_row(&expected, y), plane_row(&got, y), (size_t)width);
    plane_free(&expected);
    plane_free(&got);
    guarded_free(&scratch);
    vrs_free(storage);
}

static void test_classes(void **state)
{
    (void)state;
    const variants v = variants_get();
    const int32_t sizes[][4] = {{1, 1, 1, 1},    {1, 1, 16, 3},  {17, 9, 1, 1},  {4, 3, 17, 9},
                                {8, 2, 33, 7},   {9, 5, 64, 11}, {40, 6, 31, 5}, {20, 20, 20, 20},
                                {33, 2, 47, 40}, {64, 7, 129, 9}};
    const int32_t classes[] = {1, 2, 6, 21, 32};
    random_state random = {12};
    for (int i = 0; i < v.count * LAYOUT_COUNT * 5 * 10; i++) {
        const int rest = i / v.count;
        const int32_t *size = sizes[rest / LAYOUT_COUNT / 5];
        tensor t = tensor_make(classes[rest / LAYOUT_COUNT % 5], size[0], size[1],
                               (layout)(rest % LAYOUT_COUNT), random_in(&random, 0, 1) == 0);
        tensor_fill(&t, 4, i % 3 == 0, &random);
        if (rest / LAYOUT_COUNT % 2 == 0)
            tensor_round(&t); /* ties: the first of equals wins */
        compare_classes(v.table[i % v.count], v.reference, &t, size[2], size[3], &random);
        guarded_free(&t.block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_person_values),
        cmocka_unit_test(test_person),
        cmocka_unit_test(test_sigmoid_is_monotone),
        cmocka_unit_test(test_classes_values),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
