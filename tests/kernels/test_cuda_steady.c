/* The CUDA kernels of steady masks against the reference: on the device that is there, or on
 * fake_cuda, where it is the launches that are tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_cuda/kernels_steady.h"
#include "kernels/cuda/postprocess_launch_steady.h"
#include "kernels/cuda_cases.h"
#include "kernels/kernels.h"

static vrs_cuda_steady kernels;

typedef enum part {
    PICTURE,
    SMALL,
    PAST_PICTURE,
    PAST_SMALL,
    COARSE,
    MOTION,
    UNLIKE,
    MASK,
    PAST,
    RESULT,
    PAST_AGE,
    AGE,
    SUM,
    PARTS
} part;

typedef struct view_blocks {
    cuda_block block[PARTS];
} view_blocks;

typedef struct steady_case {
    vrs_steady_params device, host;
    view_blocks view[VRS_POST_VIEWS];
    int32_t count;
} steady_case;

static uint64_t *member(vrs_steady_view *v, part which)
{
    uint64_t *const all[PARTS] = {&v->picture, &v->small,  &v->past_picture, &v->past_small,
                                  &v->coarse,  &v->motion, &v->unlike,       &v->mask,
                                  &v->past,    &v->result, &v->past_age,     &v->age,
                                  &v->sum};
    return all[which];
}

static size_t bytes_of(int32_t width, int32_t height, part which)
{
    const size_t pixels = (size_t)width * (size_t)height;
    switch (which) {
    case SMALL:
    case PAST_SMALL:
        return (size_t)vrs_steady_small_bytes(width, height);
    case COARSE:
        return (size_t)vrs_coarse_cells(width) * (size_t)vrs_coarse_cells(height) * 4;
    case MOTION:
        return (size_t)vrs_cells(width) * (size_t)vrs_cells(height) * 4;
    case UNLIKE:
    case SUM:
        return 8;
    case MASK:
    case PAST:
    case RESULT:
        return pixels * 2;
    default:
        return pixels;
    }
}

/* Waves, moved by a few pixels, and noise; every third pair has nothing in common. */
static void fill_pictures(const view_blocks *b, int32_t width, int32_t height, int32_t v, rng *r)
{
    uint8_t *now = cuda_block_host(&b->block[PICTURE]);
    uint8_t *past = cuda_block_host(&b->block[PAST_PICTURE]);
    const int32_t right = in(r, -20, 20), down = in(r, -14, 14), loud = in(r, 0, 3);
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            const size_t i = (size_t)y * (size_t)width + (size_t)x;
            now[i] = (uint8_t)(x * x / 7 + y * 5 + x * y / 11 + in(r, 0, loud));
            const int32_t u = x + right, w = y + down;
            past[i] = (uint8_t)(v % 3 == 2 ? in(r, 0, 255) : u * u / 7 + w * 5 + u * w / 11);
        }
    }
}

static void make_view(steady_case *c, int32_t v, rng *r)
{
    view_blocks *b = &c->view[v];
    const int32_t width = c->host.width, height = c->host.height;
    const size_t pixels = (size_t)width * (size_t)height;
    for (int i = 0; i < PARTS; i++)
        b->block[i] = cuda_block_make(bytes_of(width, height, (part)i));
    fill_pictures(b, width, height, v, r);
    fill_q15(cuda_block_host(&b->block[MASK]), pixels, r);
    fill_q15(cuda_block_host(&b->block[PAST]), pixels, r);
    for (size_t i = 0; i < pixels; i++)
        ((uint8_t *)cuda_block_host(&b->block[PAST_AGE]))[i] = (uint8_t)in(r, 1, VRS_AGE_MOST);
    memset(cuda_block_host(&b->block[UNLIKE]), 0, 8);
    memset(cuda_block_host(&b->block[SUM]), 0, 8);
    const bool has[PARTS] = {[PAST_PICTURE] = v % 4 != 3,
                             [PAST_AGE] = in(r, 0, 2) > 0,
                             [AGE] = in(r, 0, 2) > 0,
                             [SUM] = in(r, 0, 1) > 0};
    for (int i = 0; i < PARTS; i++) {
        const bool optional = i == PAST_PICTURE || i == PAST_AGE || i == AGE || i == SUM;
        cuda_block_upload(&b->block[i]);
        if (optional && !has[i])
            continue;
        *member(&c->device.view[v], (part)i) = cuda_block_device(&b->block[i]);
        *member(&c->host.view[v], (part)i) = (uint64_t)(uintptr_t)cuda_block_host(&b->block[i]);
    }
    vrs_steady_view *const both[2] = {&c->device.view[v], &c->host.view[v]};
    const int32_t x = in(r, 0, width - 1), y = in(r, 0, height - 1);
    const int32_t w = in(r, 1, width - x), h = in(r, 1, height - y);
    for (int i = 0; i < 2; i++) {
        both[i]->x = x;
        both[i]->y = y;
        both[i]->width = w;
        both[i]->height = h;
    }
    if (in(r, 0, 3) == 0) { /* in place */
        c->device.view[v].result = c->device.view[v].mask;
        c->host.view[v].result = c->host.view[v].mask;
    }
}

static void set_common(vrs_steady_params *p, int32_t width, int32_t height, int which)
{
    p->width = width;
    p->height = height;
    p->unlike = VRS_FOLLOW_UNLIKE;
    p->disbelief = which % 3 * 100;
    if (which % 4 == 3)
        vrs_follow_halves(p->share);
    else
        vrs_follow_shares((int16_t)(which % 5 * 7000), p->share);
}

/* The levels of what came before are made by the kernel too, as they are in a run. */
static void halve_past(steady_case *c, const uint32_t grid[3])
{
    vrs_steady_params device = c->device, host = c->host;
    for (int32_t v = 0; v < c->count; v++) {
        view_blocks *b = &c->view[v];
        device.view[v].picture = cuda_block_device(&b->block[PAST_PICTURE]);
        host.view[v].picture = (uint64_t)(uintptr_t)cuda_block_host(&b->block[PAST_PICTURE]);
        device.view[v].small = device.view[v].past_small;
        host.view[v].small = host.view[v].past_small;
    }
    assert_int_equal(vrs_cuda_steady_halve(&kernels, cuda_fixture_stream(), &device, c->count),
                     VRS_OK);
    fake_vrs_steady_halve(&host, grid, grid);
}

static void run_case(int32_t width, int32_t height, int32_t count, int which, rng *r)
{
    static const char *const names[PARTS] = {
        "picture", "small", "past picture", "past small", "coarse", "motion", "unlike",
        "mask",    "past",  "result",       "past age",   "age",    "sum"};
    steady_case c = {.count = count};
    const uint32_t grid[3] = {1, 1, (uint32_t)count};
    set_common(&c.device, width, height, which);
    set_common(&c.host, width, height, which);
    for (int32_t v = 0; v < count; v++)
        make_view(&c, v, r);
    vrs_device_stream *stream = cuda_fixture_stream();
    halve_past(&c, grid);
    assert_int_equal(vrs_cuda_steady_halve(&kernels, stream, &c.device, count), VRS_OK);
    assert_int_equal(vrs_cuda_steady_match(&kernels, stream, &c.device, count), VRS_OK);
    assert_int_equal(vrs_cuda_steady_follow(&kernels, stream, &c.device, count), VRS_OK);
    c.host.cut = vrs_match_cut(width, height);
    assert_true(c.device.cut == c.host.cut);
    fake_vrs_steady_halve(&c.host, grid, grid);
    fake_vrs_steady_coarse(&c.host, grid, grid);
    fake_vrs_steady_fine(&c.host, grid, grid);
    fake_vrs_steady_follow(&c.host, grid, grid);
    for (int32_t v = 0; v < count; v++) {
        for (int i = 0; i < PARTS; i++) {
            char what[96];
            snprintf(what, sizeof(what), "%dx%d view %d of %d: %s", width, height, v, count,
                     names[i]);
            cuda_block_compare(&c.view[v].block[i], what);
            cuda_block_free(&c.view[v].block[i]);
        }
    }
}

static void test_steady(void **state)
{
    (void)state;
    static const int32_t batches[][3] = {{1, 1, 3},    {7, 3, 16},   {8, 8, 4},    {17, 9, 5},
                                         {31, 33, 8},  {33, 31, 2},  {64, 48, 4},  {65, 7, 3},
                                         {3, 130, 2},  {100, 75, 4}, {144, 97, 3}, {256, 144, 4},
                                         {398, 224, 2}};
    rng r = {77};
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
        for (int which = 0; which < (batches[i][0] < 64 ? 6 : 2); which++)
            run_case(batches[i][0], batches[i][1], batches[i][2], which + (int)i, &r);
}

static void test_wrong_parameters(void **state)
{
    (void)state;
    vrs_device_stream *stream = cuda_fixture_stream();
    vrs_steady_params p = {.width = 8, .height = 8};
    vrs_follow_halves(p.share);
    assert_int_equal(vrs_cuda_steady_halve(&kernels, stream, &p, 0), VRS_INVALID);
    assert_int_equal(vrs_cuda_steady_match(&kernels, stream, &p, 17), VRS_INVALID);
    p.width = 0;
    assert_int_equal(vrs_cuda_steady_match(&kernels, stream, &p, 1), VRS_INVALID);
    assert_int_equal(vrs_cuda_steady_follow(&kernels, stream, &p, 1), VRS_INVALID);
    p.width = 8;
    p.share[3] = 0;
    assert_int_equal(vrs_cuda_steady_follow(&kernels, stream, &p, 1), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "share"));
    p.share[3] = VRS_SHARE_ONE + 1;
    assert_int_equal(vrs_cuda_steady_follow(&kernels, stream, &p, 1), VRS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steady),
                                       cmocka_unit_test(test_wrong_parameters)};
    int skipped = cuda_fixture_open();
    if (skipped != 0)
        return skipped;
    if (vrs_cuda_steady_open(cuda_fixture_device(), &kernels) != VRS_OK) {
        fprintf(stderr, "%s\n", vrs_last_error());
        return EXIT_FAILURE;
    }
    int failed = cmocka_run_group_tests_name("cuda_steady", tests, NULL, NULL);
    cuda_fixture_close();
    return failed;
}
