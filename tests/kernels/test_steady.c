/* Steady masks: the definitions against what they promise, and the implementations against them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/guarded.h"
#include "kernels/variants.h"

static const int32_t sizes[][2] = {{1, 1},   {7, 3},   {8, 8},    {9, 17},  {16, 16},   {31, 33},
                                   {40, 25}, {64, 48}, {127, 65}, {144, 9}, {256, 144}, {398, 224}};
#define SIZE_COUNT ((int)(sizeof(sizes) / sizeof(sizes[0])))

/* What a view has between two frames, in guarded memory. */
typedef struct scene {
    int32_t width, height;
    guarded storage[2], coarse, motion, scratch;
    vrs_pyramid pyramid[2];
    plane guide[2], mask, past, past_age, result, age;
    uint64_t unlike;
    uint8_t share[VRS_AGE_MOST + 1];
} scene;

static scene make_scene(int32_t width, int32_t height)
{
    const size_t cells = (size_t)vrs_cells(width) * (size_t)vrs_cells(height);
    const size_t coarse = (size_t)vrs_coarse_cells(width) * (size_t)vrs_coarse_cells(height);
    scene s = {.width = width, .height = height};
    for (int i = 0; i < 2; i++) {
        s.storage[i] = guarded_make(vrs_pyramid_storage(width, height), true);
        vrs_pyramid_init(&s.pyramid[i], width, height, s.storage[i].data);
        s.guide[i] = plane_make(width, height, width + 3, 1, true);
    }
    s.coarse = guarded_make(coarse * sizeof(vrs_motion), true);
    s.motion = guarded_make(cells * sizeof(vrs_motion), true);
    s.scratch = guarded_make(vrs_follow_scratch(width), true);
    s.mask = plane_make(width, height, width, 2, true);
    s.past = plane_make(width, height, width, 2, true);
    s.result = plane_make(width, height, width, 2, true);
    s.past_age = plane_make(width, height, width, 1, true);
    s.age = plane_make(width, height, width, 1, true);
    vrs_follow_shares(5000, s.share);
    return s;
}

static void free_scene(scene *s)
{
    guarded *const blocks[] = {&s->storage[0], &s->storage[1], &s->coarse, &s->motion, &s->scratch};
    plane *const planes[] = {&s->guide[0], &s->guide[1], &s->mask, &s->past,
                             &s->past_age, &s->result,   &s->age};
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
        guarded_free(blocks[i]);
    for (size_t i = 0; i < sizeof(planes) / sizeof(planes[0]); i++)
        plane_free(planes[i]);
}

static int32_t noise(int32_t x, int32_t y)
{
    uint32_t h = (uint32_t)x * 2654435761U ^ (uint32_t)y * 2246822519U;
    h ^= h >> 15;
    h *= 2654435761U;
    return (int32_t)(h >> 24);
}

/* Random values six pixels apart, straight lines between them: no two places look alike, also in a
 * quarter of the size. */
static int32_t texture(int32_t x, int32_t y)
{
    const int32_t i = (x + 600) / 6, j = (y + 600) / 6, u = (x + 600) % 6, v = (y + 600) % 6;
    const int32_t upper = (6 - u) * noise(i, j) + u * noise(i + 1, j);
    const int32_t lower = (6 - u) * noise(i, j + 1) + u * noise(i + 1, j + 1);
    return 40 + ((6 - v) * upper + v * lower) / 60; /* 40..210 */
}

/* The second picture is the first one moved, a few pixels of noise in both. */
static void draw(scene *s, int32_t right, int32_t down, random_state *random)
{
    for (int i = 0; i < 2; i++) {
        for (int32_t y = 0; y < s->height; y++) {
            uint8_t *row = plane_row(&s->guide[i], y);
            for (int32_t x = 0; x < s->width; x++)
                row[x] = (uint8_t)texture(x + i * right, y + i * down);
            if (random != NULL)
                row[random_in(random, 0, s->width - 1)] = (uint8_t)random_in(random, 0, 255);
        }
    }
}

static void run_pyramid(const vrs_kernels *k, scene *s)
{
    for (int i = 0; i < 2; i++)
        k->pyramid(&s->pyramid[i], s->guide[i].origin, s->guide[i].stride);
}

/* Where picture 1 shows what is in picture 0. */
static void run_match(const vrs_kernels *k, scene *s)
{
    const vrs_match m = {&s->pyramid[0], &s->pyramid[1], (vrs_motion *)(void *)s->coarse.data,
                         (vrs_motion *)(void *)s->motion.data, &s->unlike};
    k->match(&m);
}

static void run_follow(const vrs_kernels *k, scene *s, bool ages, int32_t disbelief)
{
    const vrs_follow f = {
        .now = &s->pyramid[0],
        .before = &s->pyramid[1],
        .motion = (const vrs_motion *)(const void *)s->motion.data,
        .mask = s->mask.origin,
        .past = s->past.origin,
        .past_age = ages ? s->past_age.origin : NULL,
        .result = s->result.origin,
        .age = ages ? s->age.origin : NULL,
        .share = s->share,
        .unlike = VRS_FOLLOW_UNLIKE,
        .disbelief = disbelief,
    };
    k->follow(&f, s->scratch.data);
}

static const vrs_motion *motion_at(const scene *s, int32_t column, int32_t row)
{
    return (const vrs_motion *)(const void *)s->motion.data + row * vrs_cells(s->width) + column;
}

/* ---- the definitions ---- */

static void test_pyramid(void **state)
{
    (void)state;
    const vrs_kernels *k = vrs_kernels_get(VRS_ISA_REFERENCE);
    scene s = make_scene(3, 3);
    static const uint8_t guide[3][3] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 93}};
    for (int32_t y = 0; y < 3; y++)
        memcpy(plane_row(&s.guide[0], y), guide[y], 3);
    k->pyramid(&s.pyramid[0], s.guide[0].origin, s.guide[0].stride);
    const vrs_pyramid *p = &s.pyramid[0];
    assert_int_equal(p->width[1], 2);
    assert_int_equal(p->level[1][0], 30);
    assert_int_equal(p->level[1][1], 45);                /* 30 30 60 60 */
    assert_int_equal(p->level[1][p->stride[1] + 1], 93); /* 93 four times */
    assert_int_equal(p->level[2][0], (30 + 45 + 75 + 93 + 2) / 4);
    for (int l = 0; l < VRS_PYRAMID_LEVELS; l++) {
        const int32_t b = VRS_PYRAMID_BORDER;
        const uint8_t *last = p->level[l] + (p->height[l] - 1) * p->stride[l] + p->width[l] - 1;
        assert_int_equal(p->level[l][-b * p->stride[l] - b], p->level[l][0]);
        assert_int_equal(last[b * p->stride[l] + b], last[0]);
    }
    free_scene(&s);
}

/* What is moved is found, wherever there is texture and both pictures show it. */
static void test_match_finds_moves(void **state)
{
    (void)state;
    static const int32_t moves[][2] = {{0, 0}, {1, 0}, {0, -1}, {5, 3}, {-11, 7}, {22, -14}};
    const vrs_kernels *k = vrs_kernels_get(VRS_ISA_REFERENCE);
    for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        scene s = make_scene(160, 144);
        draw(&s, moves[i][0], moves[i][1], NULL);
        run_pyramid(k, &s);
        run_match(k, &s);
        int32_t right = 0, seen = 0;
        for (int32_t row = 4; row < vrs_cells(s.height) - 4; row++) {
            for (int32_t column = 4; column < vrs_cells(s.width) - 4; column++) {
                const vrs_motion v = *motion_at(&s, column, row);
                right += v.x == -4 * moves[i][0] && v.y == -4 * moves[i][1] ? 1 : 0;
                seen++;
            }
        }
        if (right * 100 < seen * 90)
            fail_msg("(%d, %d): %d of %d cells", moves[i][0], moves[i][1], right, seen);
        assert_true(i > 0 || s.unlike == 0);
        free_scene(&s);
    }
}

static void test_match_between(void **state)
{
    (void)state;
    assert_int_equal(vrs_match_between(100, 0, 100), 0);
    assert_int_equal(vrs_match_between(50, 0, 100), -1); /* a quarter nearer to the left one */
    assert_int_equal(vrs_match_between(100, 0, 50), 1);
    assert_int_equal(vrs_match_between(0, 0, 100), -2);
    assert_int_equal(vrs_match_between(7, 7, 7), 0);
    assert_int_equal(vrs_match_between(100, 100, 100000), -2);
}

/* Another picture is a cut, the same one brighter by a little is none. */
static void test_cut(void **state)
{
    (void)state;
    const vrs_kernels *k = vrs_kernels_get(VRS_ISA_REFERENCE);
    scene s = make_scene(128, 96);
    draw(&s, 0, 0, NULL);
    for (int32_t y = 0; y < s.height; y++)
        for (int32_t x = 0; x < s.width; x++)
            ((uint8_t *)plane_row(&s.guide[1], y))[x] = (uint8_t)(255 - x);
    run_pyramid(k, &s);
    run_match(k, &s);
    assert_true(s.unlike >= vrs_match_cut(s.width, s.height));
    draw(&s, 0, 0, NULL);
    for (int32_t y = 0; y < s.height; y++)
        for (int32_t x = 0; x < s.width; x++)
            ((uint8_t *)plane_row(&s.guide[1], y))[x] += 9;
    run_pyramid(k, &s);
    run_match(k, &s);
    assert_true(s.unlike < vrs_match_cut(s.width, s.height));
    free_scene(&s);
}

static void test_shares(void **state)
{
    (void)state;
    uint8_t share[VRS_AGE_MOST + 1];
    vrs_follow_shares(VRS_Q15_ONE, share);
    for (int a = 0; a <= VRS_AGE_MOST; a++)
        assert_int_equal(share[a], VRS_SHARE_ONE);
    vrs_follow_shares(VRS_Q15_ONE / 4, share);
    assert_int_equal(share[0], VRS_SHARE_ONE);
    assert_int_equal(share[1], 64);
    assert_int_equal(share[3], 32);
    assert_int_equal(share[VRS_AGE_MOST], 32);
    vrs_follow_shares(0, share);
    assert_int_equal(share[VRS_AGE_MOST], 8);
    vrs_follow_halves(share);
    assert_int_equal(share[0], VRS_SHARE_ONE);
    assert_int_equal(share[1], 64);
}

static void fill_age(plane *p, int32_t age)
{
    for (int32_t y = 0; y < p->height; y++)
        memset(plane_row(p, y), age, (size_t)p->width);
}

/* A mask that moves with its picture is followed: what was there comes along, in its new place. */
static void test_follow_moves(void **state)
{
    (void)state;
    const vrs_kernels *k = vrs_kernels_get(VRS_ISA_REFERENCE);
    scene s = make_scene(160, 144);
    draw(&s, 6, -5, NULL);
    fill_age(&s.past_age, 3);
    for (int32_t y = 0; y < s.height; y++) {
        for (int32_t x = 0; x < s.width; x++) {
            ((int16_t *)plane_row(&s.past, y))[x] = x >= 60 && x < 90 ? 20000 : 0;
            ((int16_t *)plane_row(&s.mask, y))[x] = x >= 66 && x < 96 ? 24000 : 0;
        }
    }
    run_pyramid(k, &s);
    run_match(k, &s);
    run_follow(k, &s, true, 0);
    /* Age 3: a quarter of the new mask, all of the past's place. */
    const int16_t *row = plane_row(&s.result, 72);
    assert_int_equal(row[80], 21000);
    assert_int_equal(row[64], 0);
    assert_int_equal(row[67], 21000);
    assert_int_equal(row[94], 21000);
    assert_int_equal(((uint8_t *)plane_row(&s.age, 72))[80], 4);
    free_scene(&s);
}

/* Where the picture is another one the mask is the new one, and the pixel is young again. */
static void test_follow_forgets(void **state)
{
    (void)state;
    const vrs_kernels *k = vrs_kernels_get(VRS_ISA_REFERENCE);
    scene s = make_scene(96, 96);
    draw(&s, 0, 0, NULL);
    for (int32_t y = 40; y < 56; y++)
        memset((uint8_t *)plane_row(&s.guide[1], y) + 40, 255, 16);
    fill_age(&s.past_age, VRS_AGE_MOST);
    plane_fill_q15(&s.past, PATTERN_ZERO, NULL);
    plane_fill_q15(&s.mask, PATTERN_ONE, NULL);
    run_pyramid(k, &s);
    run_match(k, &s);
    memset(s.motion.data, 0, s.motion.size); /* at rest, so that nothing like it is found nearby */
    run_follow(k, &s, true, 0);
    assert_int_equal(((int16_t *)plane_row(&s.result, 48))[48], VRS_Q15_ONE);
    assert_int_equal(((uint8_t *)plane_row(&s.age, 48))[48], 1);
    assert_true(((int16_t *)plane_row(&s.result, 10))[10] < VRS_Q15_ONE / 4);
    assert_int_equal(((uint8_t *)plane_row(&s.age, 10))[10], VRS_AGE_MOST);
    /* Large changes of the mask are believed more, the more so with disbelief in the past. */
    run_follow(k, &s, true, 255);
    assert_int_equal(((int16_t *)plane_row(&s.result, 10))[10], VRS_Q15_ONE);
    free_scene(&s);
}

/* A still picture with a still mask: no bit changes, ever. */
static void test_still_stays_still(void **state)
{
    (void)state;
    const vrs_kernels *k = vrs_kernels_get(VRS_ISA_REFERENCE);
    random_state random = {5};
    scene s = make_scene(64, 48);
    draw(&s, 0, 0, NULL);
    plane_fill_q15(&s.mask, PATTERN_RANDOM, &random);
    plane_copy(&s.past, &s.mask);
    fill_age(&s.past_age, 1);
    run_pyramid(k, &s);
    for (int frame = 0; frame < 20; frame++) {
        run_match(k, &s);
        run_follow(k, &s, true, VRS_FOLLOW_DISBELIEF);
        for (int32_t y = 0; y < s.height; y++)
            assert_memory_equal(plane_row(&s.result, y), plane_row(&s.mask, y),
                                (size_t)s.width * 2);
        plane_copy(&s.past, &s.result);
        plane_copy(&s.past_age, &s.age);
    }
    free_scene(&s);
}

/* ---- the implementations ---- */

static void expect_equal(const scene *a, const scene *b, const char *name)
{
    for (int i = 0; i < 2; i++)
        if (memcmp(a->storage[i].data, b->storage[i].data, a->storage[i].size) != 0)
            fail_msg("%s: pyramid of %dx%d", name, a->width, a->height);
    assert_int_equal(a->unlike, b->unlike);
    if (memcmp(a->coarse.data, b->coarse.data, a->coarse.size) != 0)
        fail_msg("%s: coarse vectors of %dx%d", name, a->width, a->height);
    if (memcmp(a->motion.data, b->motion.data, a->motion.size) != 0)
        fail_msg("%s: motion of %dx%d", name, a->width, a->height);
    for (int32_t y = 0; y < a->height; y++) {
        if (memcmp(plane_row(&a->result, y), plane_row(&b->result, y), (size_t)a->width * 2) != 0)
            fail_msg("%s: row %d of masks of %dx%d", name, y, a->width, a->height);
        if (memcmp(plane_row(&a->age, y), plane_row(&b->age, y), (size_t)a->width) != 0)
            fail_msg("%s: row %d of ages of %dx%d", name, y, a->width, a->height);
    }
}

static void run_all(const vrs_kernels *k, scene *s, random_state random, int which)
{
    if (which % 5 == 4)
        for (int i = 0; i < 2; i++)
            plane_fill_bytes(&s->guide[i], &random);
    else
        draw(s, which % 5 == 3 ? 0 : random_in(&random, -14, 14),
             which % 5 == 3 ? 0 : random_in(&random, -9, 9), &random);
    const pattern kind = which % 3 == 0   ? PATTERN_RANDOM
                         : which % 3 == 1 ? PATTERN_CHECKER
                                          : PATTERN_EDGE;
    plane_fill_q15(&s->mask, kind, &random);
    plane_fill_q15(&s->past, which % 2 == 0 ? PATTERN_RANDOM : kind, &random);
    for (int32_t y = 0; y < s->height; y++)
        for (int32_t x = 0; x < s->width; x++)
            ((uint8_t *)plane_row(&s->past_age, y))[x] =
                (uint8_t)random_in(&random, 1, VRS_AGE_MOST);
    run_pyramid(k, s);
    run_match(k, s);
    if (which % 4 == 3) { /* vectors of all lengths, in all directions, beyond the edges */
        vrs_motion *v = (vrs_motion *)(void *)s->motion.data;
        for (size_t i = 0; i < s->motion.size / sizeof(*v); i++) {
            v[i].x = (int16_t)random_in(&random, -27 * 4 - 2, 27 * 4 + 2);
            v[i].y = (int16_t)random_in(&random, -19 * 4 - 2, 19 * 4 + 2);
        }
    }
    run_follow(k, s, which % 2 == 0, which % 3 * 100);
}

static void test_implementations(void **state)
{
    (void)state;
    const variants v = variants_get();
    for (int i = 0; i < SIZE_COUNT; i++) {
        for (int which = 0; which < 12; which++) {
            const random_state random = {(uint64_t)(i * 100 + which + 1)};
            if (sizes[i][0] * sizes[i][1] > 20000 && which % 3 != 0)
                continue; /* the definition takes its time */
            scene expected = make_scene(sizes[i][0], sizes[i][1]);
            run_all(v.reference, &expected, random, which);
            for (int n = 0; n < v.count; n++) {
                scene got = make_scene(sizes[i][0], sizes[i][1]);
                run_all(v.table[n], &got, random, which);
                expect_equal(&expected, &got, v.table[n]->name);
                free_scene(&got);
            }
            free_scene(&expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pyramid),         cmocka_unit_test(test_match_finds_moves),
        cmocka_unit_test(test_match_between),   cmocka_unit_test(test_cut),
        cmocka_unit_test(test_shares),          cmocka_unit_test(test_follow_moves),
        cmocka_unit_test(test_follow_forgets),  cmocka_unit_test(test_still_stays_still),
        cmocka_unit_test(test_implementations),
    };
    return cmocka_run_group_tests_name("steady", tests, NULL, NULL);
}
