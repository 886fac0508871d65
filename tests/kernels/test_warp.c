/* Views through grids and their masks laid back: the reference against what it means, the other
 * implementations against the reference, on ugly sizes, strides, grids and pictures. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/format.h"
#include "kernels/guarded.h"
#include "kernels/kernels.h"
#include "kernels/pictures.h"
#include "kernels/preprocess_plan.h"
#include "kernels/variants.h"

#define PI 3.14159265358979323846

static char current[256];

static const vrs_pixel_format formats[] = {
    VRS_FORMAT_YUV420P, VRS_FORMAT_NV12, VRS_FORMAT_P010,  VRS_FORMAT_YUV420P10,
    VRS_FORMAT_RGB24,   VRS_FORMAT_BGRA, VRS_FORMAT_GRAY8,
};

/* What an implementation writes of a view. */
typedef struct written {
    guarded tensor, luma;
} written;

static written run(const vrs_kernels *table, const vrs_preprocess_plan *plan, const vrs_warp *warp,
                   const vrs_image *image)
{
    const size_t pixels = (size_t)plan->desc.width * (size_t)plan->desc.height;
    written out = {guarded_make(vrs_preprocess_tensor_bytes(plan), true),
                   guarded_make(pixels, true)};
    table->preprocess_warp(plan, warp, image, out.tensor.data, out.luma.data);
    return out;
}

static void written_free(written *out)
{
    guarded_free(&out->tensor);
    guarded_free(&out->luma);
}

static void compare(const char *name, const vrs_preprocess_plan *plan, const written *got,
                    const written *expected)
{
    const size_t area = (size_t)plan->desc.width * (size_t)plan->desc.height;
    for (size_t i = 0; i < 3 * area; i++) {
        const size_t channel = plan->desc.tensor == VRS_TENSOR_F32_NCHW ? i / area : i % 3;
        double a, b, limit = 1.0;
        if (plan->type == VRS_TENSOR_U8) {
            a = got->tensor.data[i];
            b = expected->tensor.data[i];
        } else {
            a = ((const float *)(const void *)got->tensor.data)[i];
            b = ((const float *)(const void *)expected->tensor.data)[i];
            limit = 1e-5 * 255.0 * fabs((double)plan->desc.scale[channel]);
        }
        if (!(fabs(a - b) <= limit))
            fail_msg("%s: %s: tensor %zu: %.8g, expected %.8g", current, name, i, a, b);
    }
    for (size_t i = 0; i < area; i++)
        if (abs(got->luma.data[i] - expected->luma.data[i]) > 1)
            fail_msg("%s: %s: luma %zu: %d, expected %d", current, name, i, got->luma.data[i],
                     expected->luma.data[i]);
}

static vrs_preprocess_desc random_desc(const vrs_image *image, int32_t width, int32_t height,
                                       test_random *random)
{
    static const float mean[3] = {127.5F, 0.0F, 103.94F}, scale[3] = {1.0F / 127.5F, 1.0F, -0.017F};
    vrs_preprocess_desc desc = test_preprocess_source(image, random);
    desc.fit = VRS_FIT_STRETCH;
    desc.width = width;
    desc.height = height;
    desc.tensor = (vrs_tensor_format)test_range(random, 0, 2);
    desc.bgr = test_range(random, 0, 1);
    memcpy(desc.mean, mean, sizeof(mean));
    memcpy(desc.scale, scale, sizeof(scale));
    return desc;
}

static void check_view(const vrs_image *image, const vrs_preprocess_desc *desc,
                       const vrs_warp *warp)
{
    const variants all = variants_get();
    vrs_preprocess_plan *plan = NULL;
    assert_int_equal(vrs_preprocess_plan_create(desc, &plan), VRS_OK);
    assert_int_equal(vrs_warp_check(warp), VRS_OK);
    written expected = run(all.reference, plan, warp, image);
    for (int i = 0; i < all.count; i++) {
        written got = run(all.table[i], plan, warp, image);
        compare(all.table[i]->name, plan, &got, &expected);
        written_free(&got);
    }
    written_free(&expected);
    vrs_preprocess_plan_destroy(plan);
}

/* An eye of a random layout, with a tile in it. */
static vrs_eye random_eye(vrs_rect rect, vrs_tile *tile, test_random *random)
{
    vrs_layout layout = vrs_layout_flat();
    layout.projection = (vrs_projection)test_range(random, 0, 3);
    layout.fov = test_range(random, 90, 270);
    if (layout.projection == VRS_PROJECTION_HALF_EQUIRECT)
        layout.cut_left = layout.cut_right = 0.25;
    const double half = tan(test_range(random, 10, 55) * PI / 180);
    *tile = (vrs_tile){.yaw = test_range(random, -180, 180) * PI / 180,
                       .pitch = test_range(random, -90, 90) * PI / 180,
                       .tan_x = half,
                       .tan_y = half * test_range(random, 50, 150) / 100,
                       .left = test_range(random, -20, 90) / 100.0,
                       .top = test_range(random, -20, 90) / 100.0,
                       .width = test_range(random, 1, 100) / 100.0,
                       .height = test_range(random, 1, 100) / 100.0};
    return (vrs_eye){layout, rect, vrs_eye_aspect(&layout, rect), NULL};
}

static vrs_rect random_rect(const vrs_image *image, bool even, test_random *random)
{
    vrs_rect r = {test_range(random, 0, image->width - 4), test_range(random, 0, image->height - 4),
                  0, 0};
    r.x -= even ? r.x % 2 : 0;
    r.width = test_range(random, 4, image->width - r.x);
    r.width -= even ? r.width % 2 : 0;
    r.height = test_range(random, 4, image->height - r.y);
    return r;
}

static void implementations_agree(void **state)
{
    (void)state;
    static const int32_t sides[] = {1, 7, 8, 9, 23, 40};
    test_random random = {.state = 0x1234567};
    for (int round = 0; round < 140; round++) {
        const vrs_pixel_format format = formats[round % 7];
        vrs_image image =
            test_picture(format, test_range(&random, 4, 90), test_range(&random, 4, 70),
                         (test_strides)test_range(&random, 0, 2),
                         (test_pattern)test_range(&random, 0, 3), &random);
        const int32_t width = sides[test_range(&random, 0, 5)];
        const int32_t height = sides[test_range(&random, 0, 5)];
        int32_t *grid = calloc(2 * (size_t)(width + 1) * (size_t)(height + 1), sizeof(*grid));
        assert_non_null(grid);
        const bool around = test_range(&random, 0, 2) == 0;
        const vrs_rect rect = random_rect(&image, around, &random);
        vrs_tile tile;
        vrs_eye eye = random_eye(rect, &tile, &random);
        if (around)
            eye.layout = (vrs_layout){.projection = VRS_PROJECTION_EQUIRECT};
        vrs_warp_fill(&eye, &tile, width, height, grid);
        const vrs_warp warp = {grid, rect, around ? 1 : 0, test_range(&random, 0, 3)};
        (void)snprintf(current, sizeof(current), "round %d: %s %dx%d, %dx%d, projection %d, 2^%d",
                       round, vrs_pixel_format_name(format), image.width, image.height, width,
                       height, (int)eye.layout.projection, warp.samples);
        const vrs_preprocess_desc desc = random_desc(&image, width, height, &random);
        check_view(&image, &desc, &warp);
        free(grid);
        vrs_image_release(&image);
    }
}

/* Positions that no projection makes: whatever they are, nothing outside is read. */
static void wild_grids(void **state)
{
    (void)state;
    test_random random = {.state = 0x777};
    for (int round = 0; round < 42; round++) {
        const vrs_pixel_format format = formats[round % 7];
        vrs_image image =
            test_picture(format, 38, 21, (test_strides)(round % 3), TEST_PATTERN_RANDOM, &random);
        int32_t grid[2 * 18 * 10];
        const vrs_rect rect = {4, 3, 30, 17};
        for (int i = 0; i < 2 * 18 * 10; i++) {
            const vrs_rect *r = &rect;
            const int32_t low = i % 2 == 0 ? r->x - r->width : r->y - r->height;
            const int32_t high = i % 2 == 0 ? r->x + 2 * r->width : r->y + 2 * r->height;
            grid[i] = test_range(&random, low * 4096, high * 4096);
        }
        const vrs_warp warp = {grid, rect, 0, round % 4};
        (void)snprintf(current, sizeof(current), "wild, round %d", round);
        const vrs_preprocess_desc desc = random_desc(&image, 17, 9, &random);
        check_view(&image, &desc, &warp);
        vrs_image_release(&image);
    }
}

/* A picture through a grid of itself is what preprocessing of its own size makes. */
static void itself(void **state)
{
    (void)state;
    test_random random = {.state = 99};
    for (int f = 0; f < 7; f++) {
        vrs_image image =
            test_picture(formats[f], 46, 34, TEST_STRIDE_PADDED, TEST_PATTERN_RANDOM, &random);
        vrs_preprocess_desc desc = random_desc(&image, 46, 34, &random);
        desc.view = (vrs_rect){0, 0, 46, 34};
        desc.resize = VRS_RESIZE_BILINEAR;
        const vrs_eye eye = {vrs_layout_flat(), desc.view, 46.0 / 34, NULL};
        const vrs_tile whole = {.width = 1, .height = 1};
        int32_t grid[2 * 47 * 35];
        vrs_warp_fill(&eye, &whole, 46, 34, grid);
        const vrs_warp warp = {grid, desc.view, 0, 0};
        vrs_preprocess_plan *plan = NULL;
        assert_int_equal(vrs_preprocess_plan_create(&desc, &plan), VRS_OK);
        const vrs_kernels *table = vrs_kernels_get(VRS_ISA_REFERENCE);
        written got = run(table, plan, &warp, &image);
        written expected = {guarded_make(vrs_preprocess_tensor_bytes(plan), true),
                            guarded_make(46 * 34, true)};
        table->preprocess(plan, &image, expected.tensor.data, expected.luma.data, NULL);
        (void)snprintf(current, sizeof(current), "%s through itself",
                       vrs_pixel_format_name(formats[f]));
        compare("reference", plan, &got, &expected);
        written_free(&got);
        written_free(&expected);
        vrs_preprocess_plan_destroy(plan);
        vrs_image_release(&image);
    }
}

/* A step of brightness to the right of the seam is seen across it. */
static void joins_edges(void **state)
{
    (void)state;
    uint8_t pixels[8 * 4];
    for (int i = 0; i < 32; i++)
        pixels[i] = i % 8 == 0 ? 200 : (i % 8 == 7 ? 100 : 0);
    const vrs_image image = {.format = VRS_FORMAT_GRAY8,
                             .width = 8,
                             .height = 4,
                             .planes = {pixels},
                             .strides = {8},
                             .color = {.range = VRS_RANGE_FULL}};
    vrs_preprocess_desc desc = {.format = VRS_FORMAT_GRAY8,
                                .image_width = 8,
                                .image_height = 4,
                                .color = image.color,
                                .view = {0, 0, 8, 4},
                                .width = 1,
                                .height = 1,
                                .tensor = VRS_TENSOR_U8_NHWC,
                                .scale = {1, 1, 1}};
    vrs_preprocess_plan *plan = NULL;
    assert_int_equal(vrs_preprocess_plan_create(&desc, &plan), VRS_OK);
    /* A pixel from half a column before the seam to half a one behind: both columns' mean. */
    const int32_t grid[8] = {8 * 4096 - 2048, 4096, 2048, 4096, 8 * 4096 - 2048, 8192, 2048, 8192};
    const vrs_warp warp = {grid, {0, 0, 8, 4}, 1, 0};
    for (int isa = VRS_ISA_REFERENCE; isa <= VRS_ISA_AVX512; isa++) {
        uint8_t tensor[3], luma;
        vrs_kernels_get((vrs_isa)isa)->preprocess_warp(plan, &warp, &image, tensor, &luma);
        assert_int_equal(luma, 150);
        assert_int_equal(tensor[1], 150);
    }
    vrs_preprocess_plan_destroy(plan);
    assert_int_equal(vrs_warp_check(&(vrs_warp){NULL, {0, 0, 3, 9}, 0, 0}), VRS_INVALID);
    assert_int_equal(vrs_warp_check(&(vrs_warp){NULL, {0, 0, 9, 9}, 1, 0}), VRS_INVALID);
    assert_int_equal(vrs_warp_check(&(vrs_warp){NULL, {1, 0, 8, 9}, 1, 0}), VRS_INVALID);
}

/* ---- and back ---- */

typedef struct patch_case {
    vrs_patch patch;
    plane mask, slope, offset;
    int32_t *grid;
} patch_case;

static void fill_floats(plane *p, float low, float high, random_state *random)
{
    for (int32_t y = 0; y < p->height; y++)
        for (int32_t x = 0; x < p->width; x++) {
            const float part = (float)random_in(random, 0, 10000) / 10000;
            ((float *)plane_row(p, y))[x] = low + part * (high - low);
        }
}

static patch_case make_patch(int32_t target_w, int32_t target_h, bool refined, test_random *random,
                             random_state *noise)
{
    vrs_tile tile;
    patch_case made;
    memset(&made, 0, sizeof(made));
    const vrs_image target = {.width = target_w, .height = target_h};
    const vrs_eye eye = random_eye(random_rect(&target, false, random), &tile, random);
    const int32_t width = random_in(noise, 2, 60), height = random_in(noise, 2, 60);
    vrs_patch *p = &made.patch;
    p->rect = vrs_patch_rect(&eye, &tile, target_w, target_h, target_w, target_h);
    made.grid = calloc(2 * vrs_patch_pairs(p->rect), sizeof(int32_t));
    assert_non_null(made.grid);
    vrs_patch_fill(&eye, &tile, p->rect, target_w, target_h, target_w, target_h, width, height,
                   made.grid);
    const ptrdiff_t stride = width + random_in(noise, 0, 9);
    p->positions = made.grid;
    p->width = width;
    p->height = height;
    p->stride = stride;
    p->ramp_x = random_in(noise, 1, 20000);
    p->ramp_y = random_in(noise, 1, 20000);
    made.mask = plane_make(width, height, stride, sizeof(int16_t), true);
    plane_fill_q15(&made.mask, (pattern)random_in(noise, 0, PATTERN_COUNT - 1), noise);
    made.slope = plane_make(width, height, stride, sizeof(float), true);
    made.offset = plane_make(width, height, stride, sizeof(float), true);
    fill_floats(&made.slope, -10, 10, noise);
    fill_floats(&made.offset, -1, 1, noise);
    p->mask = made.mask.origin;
    p->slope = refined ? made.slope.origin : NULL;
    p->offset = refined ? made.offset.origin : NULL;
    return made;
}

static void patch_free(patch_case *c)
{
    plane_free(&c->mask);
    plane_free(&c->slope);
    plane_free(&c->offset);
    free(c->grid);
}

static void check_patches(const vrs_patch *patches, int32_t count, const vrs_luma *luma,
                          int32_t width, int32_t height, random_state *noise)
{
    const variants all = variants_get();
    plane was = plane_make(width, height, width + 3, sizeof(int16_t), true);
    plane expected = plane_make(width, height, width + 3, sizeof(int16_t), true);
    plane_fill_q15(&was, (pattern)random_in(noise, 0, PATTERN_COUNT - 1), noise);
    plane_copy(&expected, &was);
    guarded scratch = guarded_make(2 * ((size_t)width + 16) * sizeof(float), false);
    all.reference->patches(patches, count, luma, 0, height, width, expected.origin, width + 3,
                           (float *)(void *)scratch.data);
    for (int i = 0; i < all.count; i++) {
        plane got = plane_make(width, height, width + 3, sizeof(int16_t), true);
        plane_copy(&got, &was);
        for (int32_t y = 0, end; y < height; y = end) {
            end = y + random_in(noise, 1, 20);
            end = end < height ? end : height;
            all.table[i]->patches(patches, count, luma, y, end, width, plane_row(&got, y),
                                  width + 3, (float *)(void *)scratch.data);
        }
        for (int32_t y = 0; y < height; y++)
            for (int32_t x = 0; x < width; x++) {
                const int a = ((int16_t *)plane_row(&got, y))[x];
                const int b = ((int16_t *)plane_row(&expected, y))[x];
                if (abs(a - b) > (luma != NULL ? 2 : 1))
                    fail_msg("%s: (%d, %d) is %d, expected %d", all.table[i]->name, x, y, a, b);
            }
        plane_free(&got);
    }
    guarded_free(&scratch);
    plane_free(&was);
    plane_free(&expected);
}

static void patches_agree(void **state)
{
    (void)state;
    test_random random = {.state = 0x9999};
    random_state noise = {.state = 0x4242};
    for (int round = 0; round < 120; round++) {
        const int32_t width = random_in(&noise, 4, 100), height = random_in(&noise, 4, 60);
        const int32_t count = random_in(&noise, 1, 4);
        const bool refined = round % 2 == 1;
        const int32_t bytes = random_in(&noise, 1, 2);
        plane luma = plane_make(width, height, width + 1, (size_t)bytes, true);
        plane_fill_bytes(&luma, &noise);
        const vrs_luma codes = {luma.origin,
                                (width + 1) * bytes,
                                bytes,
                                bytes == 2 ? 6 : 0,
                                1.0F / (bytes == 2 ? 1023 : 255),
                                0.0F};
        patch_case cases[4];
        vrs_patch patches[4];
        for (int32_t i = 0; i < count; i++) {
            cases[i] = make_patch(width, height, refined, &random, &noise);
            patches[i] = cases[i].patch;
        }
        check_patches(patches, count, refined ? &codes : NULL, width, height, &noise);
        for (int32_t i = 0; i < count; i++)
            patch_free(&cases[i]);
        plane_free(&luma);
    }
}

/* One patch over the whole picture, with hardly a ramp, is the mask enlarged; and what it does not
 * cover stays. */
static void a_patch_enlarges(void **state)
{
    (void)state;
    enum { W = 96, H = 64, NW = 24, NH = 16 };
    int16_t mask[NW * NH], dst[W * H], enlarged[W * H];
    static int16_t pair[2 * (W + 64)] __attribute__((aligned(64)));
    static float scratch[2 * (W + 16)] __attribute__((aligned(64)));
    for (int i = 0; i < NW * NH; i++)
        mask[i] = (int16_t)((i * 7919) % 32768);
    void *tables = aligned_alloc(64, (vrs_upsample_storage(W, H) + 63) / 64 * 64);
    vrs_upsample up;
    vrs_upsample_init(&up, NW, NH, W, H, tables);
    const vrs_kernels *table = vrs_kernels_get(VRS_ISA_REFERENCE);
    table->upsample(&up, mask, NW, 0, H, enlarged, W, pair);
    const vrs_eye eye = {vrs_layout_flat(), {0, 0, W, H}, 1.5, NULL};
    const vrs_tile whole = {.width = 1, .height = 1}, half = {.width = 0.5, .height = 1};
    for (int part = 0; part < 2; part++) {
        const vrs_tile *tile = part == 0 ? &whole : &half;
        vrs_patch p = {.rect = vrs_patch_rect(&eye, tile, W, H, W, H),
                       .width = NW,
                       .height = NH,
                       .mask = mask,
                       .stride = NW,
                       .ramp_x = 1,
                       .ramp_y = 1};
        int32_t *grid = calloc(2 * vrs_patch_pairs(p.rect), sizeof(*grid));
        vrs_patch_fill(&eye, tile, p.rect, W, H, W, H, NW, NH, grid);
        p.positions = grid;
        for (int i = 0; i < W * H; i++)
            dst[i] = 4321;
        table->patches(&p, 1, NULL, 0, H, W, dst, W, scratch);
        for (int i = 0; i < W * H && part == 0; i++)
            assert_in_range(abs(dst[i] - enlarged[i]), 0, 2);
        for (int i = 0; i < W * H && part == 1; i++)
            if (i % W >= W / 2)
                assert_int_equal(dst[i], 4321);
        if (part == 1)
            assert_in_range(abs(dst[20 * W + 10] - enlarged[20 * W + 20]), 0, 4000);
        free(grid);
    }
    free(tables);
}

/* Weights: two patches of one value share what both show; at a ramp what was there shows through.
 */
static void weights_add_up(void **state)
{
    (void)state;
    enum { W = 64, H = 16 };
    static float scratch[2 * (W + 16)] __attribute__((aligned(64)));
    int16_t low[64], high[64], dst[W * H];
    for (int i = 0; i < 64; i++) {
        low[i] = 10000;
        high[i] = 30000;
    }
    const vrs_eye eye = {vrs_layout_flat(), {0, 0, W, H}, 4.0, NULL};
    const vrs_tile whole = {.width = 1, .height = 1};
    const vrs_rect rect = vrs_patch_rect(&eye, &whole, W, H, W, H);
    int32_t grid[2 * 9 * 3];
    assert_int_equal(vrs_patch_pairs(rect), 27);
    vrs_patch_fill(&eye, &whole, rect, W, H, W, H, 8, 8, grid);
    /* Two of the network's eight columns are 16 of 64. */
    vrs_patch p[2] = {{rect, grid, 8, 8, low, NULL, NULL, 8, 2048, 1},
                      {rect, grid, 8, 8, high, NULL, NULL, 8, 2048, 1}};
    for (int isa = VRS_ISA_REFERENCE; isa <= VRS_ISA_AVX512; isa++) {
        memset(dst, 0, sizeof(dst));
        vrs_kernels_get((vrs_isa)isa)->patches(p, 2, NULL, 0, H, W, dst, W, scratch);
        assert_int_equal(dst[8 * W + 32], 20000);
        /* Column 3 is 3.5 of 16 up the ramp: both weigh 7/32, and 18/32 are 0. */
        assert_int_equal(dst[8 * W + 3], 8750);
        vrs_kernels_get((vrs_isa)isa)->patches(p, 1, NULL, 0, H, W, dst, W, scratch);
        assert_int_equal(dst[8 * W + 32], 10000);
        assert_int_equal(dst[8 * W + 3], (int)(8750 + 7 / 32.0 * (10000 - 8750) + 0.5));
    }
}

/* ---- classes ---- */

enum { MAP_W = 64, MAP_H = 16, SCORES = 8, CLASSES = 3 };

/* Scores that are the same everywhere, class by class. */
static void even_scores(float *scores, float a, float b, float c)
{
    for (int i = 0; i < SCORES * SCORES; i++) {
        scores[i] = a;
        scores[SCORES * SCORES + i] = b;
        scores[2 * SCORES * SCORES + i] = c;
    }
}

static vrs_class_patch class_patch(vrs_rect rect, const int32_t *grid, const float *scores,
                                   int32_t ramp)
{
    return (vrs_class_patch){.rect = rect,
                             .positions = grid,
                             .width = 8,
                             .height = 8,
                             .scores = scores,
                             .columns = SCORES,
                             .rows = SCORES,
                             .class_stride = SCORES * SCORES,
                             .row_stride = SCORES,
                             .ramp_x = ramp,
                             .ramp_y = ramp > 0 ? 1 : 0};
}

/* At a tile's edge the eye's scores count, further in its own; what no tile shows stays; of equal
 * scores the first class is taken. */
static void classes_by_blended_scores(void **state)
{
    (void)state;
    static float eye_scores[CLASSES * SCORES * SCORES], first[CLASSES * SCORES * SCORES],
        second[CLASSES * SCORES * SCORES];
    uint8_t map[MAP_W * MAP_H];
    int32_t whole_grid[2 * 9 * 3], half_grid[2 * 9 * 3];
    const vrs_eye eye = {vrs_layout_flat(), {0, 0, MAP_W, MAP_H}, 4.0, NULL};
    const vrs_tile whole = {.width = 1, .height = 1}, half = {.width = 0.5, .height = 1};
    const vrs_rect all = {0, 0, MAP_W, MAP_H};
    const vrs_rect left = vrs_patch_rect(&eye, &half, MAP_W, MAP_H, MAP_W, MAP_H);
    assert_true(vrs_patch_pairs(left) <= 27);
    vrs_patch_fill(&eye, &whole, all, MAP_W, MAP_H, MAP_W, MAP_H, 8, 8, whole_grid);
    vrs_patch_fill(&eye, &half, left, MAP_W, MAP_H, MAP_W, MAP_H, 8, 8, half_grid);
    even_scores(eye_scores, 0, 0, 1);
    even_scores(first, 0.1F, 0.9F, 0);
    even_scores(second, 0.9F, 0.1F, 0);
    /* Two of eight columns are 8 of the tile's 32 pixels: 0.9 a half, at 4.2 of 8. */
    vrs_class_patch p[3] = {class_patch(left, half_grid, first, 2048),
                            class_patch(all, whole_grid, eye_scores, 0),
                            class_patch(left, half_grid, second, 2048)};
    const variants v = variants_get();
    for (int t = 0; t < v.count; t++) {
        memset(map, 7, sizeof(map));
        v.table[t]->class_patches(p, 2, CLASSES, 0, MAP_H / 2, MAP_W, map, MAP_W);
        v.table[t]->class_patches(p, 2, CLASSES, MAP_H / 2, MAP_H, MAP_W, map + MAP_W * MAP_H / 2,
                                  MAP_W);
        for (int y = 0; y < MAP_H; y++) {
            assert_int_equal(map[y * MAP_W + 3], 2); /* 7/16 of 0.9 and 9/16 of 1 */
            assert_int_equal(map[y * MAP_W + 4], 1); /* 9/16 of 0.9 and 7/16 of 1 */
            assert_int_equal(map[y * MAP_W + 16], 1);
            assert_int_equal(map[y * MAP_W + 32], 7);
            assert_int_equal(map[y * MAP_W + 63], 7);
        }
        /* Both tiles together have 0.5 of either: the first of the two. */
        v.table[t]->class_patches(p, 3, CLASSES, 0, MAP_H, MAP_W, map, MAP_W);
        assert_int_equal(map[8 * MAP_W + 16], 0);
        /* NaN is never the largest, and where there is nothing else 0 stands. */
        even_scores(second, 0, NAN, -INFINITY);
        v.table[t]->class_patches(p + 2, 1, CLASSES, 0, MAP_H, MAP_W, map, MAP_W);
        assert_int_equal(map[8 * MAP_W + 16], 0);
        even_scores(second, NAN, NAN, 3);
        v.table[t]->class_patches(p + 2, 1, CLASSES, 0, MAP_H, MAP_W, map, MAP_W);
        assert_int_equal(map[8 * MAP_W + 16], 2);
        even_scores(second, 0.9F, 0.1F, 0);
    }
}

/* A tile that is the whole eye has the classes of the eye, also where scores have another size than
 * the positions' picture. */
static void a_whole_tile_has_the_eyes_classes(void **state)
{
    (void)state;
    enum { COLUMNS = 24, ROWS = 12 };
    static float scores[CLASSES * COLUMNS * ROWS],
        scratch[3 * 32 * (MAP_W + 16)] __attribute__((aligned(64)));
    uint8_t map[MAP_W * MAP_H] = {0}, expected[MAP_W * MAP_H];
    int32_t grid[2 * 9 * 3], differ = 0;
    random_state random = {5};
    const vrs_eye eye = {vrs_layout_flat(), {0, 0, MAP_W, MAP_H}, 4.0, NULL};
    const vrs_tile whole = {.width = 1, .height = 1};
    const vrs_rect all = {0, 0, MAP_W, MAP_H};
    vrs_patch_fill(&eye, &whole, all, MAP_W, MAP_H, MAP_W, MAP_H, 48, 24, grid);
    for (int i = 0; i < CLASSES * COLUMNS * ROWS; i++)
        scores[i] = (float)random_in(&random, 0, 1000) / 1000;
    const vrs_class_patch p = {.rect = all,
                               .positions = grid,
                               .width = 48,
                               .height = 24,
                               .scores = scores,
                               .columns = COLUMNS,
                               .rows = ROWS,
                               .class_stride = COLUMNS * ROWS,
                               .row_stride = COLUMNS,
                               .ramp_x = 1,
                               .ramp_y = 1};
    const vrs_kernels *table = vrs_kernels_get(VRS_ISA_REFERENCE);
    table->class_patches(&p, 1, CLASSES, 0, MAP_H, MAP_W, map, MAP_W);
    void *tables = aligned_alloc(64, (vrs_upsample_storage(MAP_W, MAP_H) + 63) / 64 * 64);
    assert_non_null(tables);
    vrs_upsample up;
    vrs_upsample_init(&up, COLUMNS, ROWS, MAP_W, MAP_H, tables);
    const vrs_scores from = {.data = scores,
                             .classes = CLASSES,
                             .width = COLUMNS,
                             .height = ROWS,
                             .class_stride = COLUMNS * ROWS,
                             .row_stride = COLUMNS,
                             .column_stride = 1};
    table->classes(&up, &from, 0, MAP_H, expected, MAP_W, scratch);
    for (int i = 0; i < MAP_W * MAP_H; i++)
        differ += map[i] != expected[i];
    assert_in_range(differ, 0, MAP_W * MAP_H / 100); /* where two are almost equal */
    free(tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_by_blended_scores),
        cmocka_unit_test(a_whole_tile_has_the_eyes_classes),
        cmocka_unit_test(implementations_agree),
        cmocka_unit_test(wild_grids),
        cmocka_unit_test(itself),
        cmocka_unit_test(joins_edges),
        cmocka_unit_test(patches_agree),
        cmocka_unit_test(a_patch_enlarges),
        cmocka_unit_test(weights_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
