/* The CUDA renderers against the C reference: on the device that is there, or on fake_cuda, where
 * it is the launches that are tested. Batches of one kind whose rows come in whole vectors take the
 * fast kernels, the others vrs_render. Outputs poisoned, padding and guard bands compared too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_cuda/kernels_postprocess.h"
#include "image/format.h"
#include "kernels/cuda/postprocess_launch.h"
#include "kernels/cuda_cases.h"
#include "kernels/kernels.h"

static vrs_cuda_postprocess kernels;

/* Widths of whole vectors: a lane's, a part of a warp's, more than a block's. */
static const int32_t whole_sizes[][2] = {{8, 130}, {64, 8}, {120, 64}, {264, 37}, {520, 70}};
#define WHOLE_SIZES 5

/* Planes of a picture in one block, any strides; the offset of each plane's row 0. */
typedef struct picture {
    cuda_block block;
    vrs_image image; /* without addresses */
    size_t at[VRS_MAX_PLANES];
} picture;

static picture picture_make(vrs_pixel_format format, int32_t width, int32_t height, bool aligned,
                            bool padded, rng *r)
{
    picture p = {.image = {.format = format, .width = width, .height = height}};
    const vrs_format_info *info = vrs_format_get(format);
    size_t bytes = aligned ? 0 : (size_t)info->sample_bytes * (size_t)in(r, 0, 3);
    for (int i = 0; i < info->planes; i++) {
        int64_t stride = vrs_plane_row_bytes(&p.image, i);
        stride += padded ? info->sample_bytes * in(r, 0, 9) : 0;
        stride = aligned ? (stride + 15) / 16 * 16 : stride;
        bytes = aligned ? (bytes + 15) / 16 * 16 : bytes;
        p.image.strides[i] = (ptrdiff_t)stride;
        p.at[i] = bytes;
        if (padded && !aligned && in(r, 0, 3) == 0) { /* upside down */
            p.at[i] += (size_t)stride * (size_t)(vrs_plane_height(&p.image, i) - 1);
            p.image.strides[i] = -(ptrdiff_t)stride;
        }
        bytes += (size_t)stride * (size_t)vrs_plane_height(&p.image, i);
    }
    p.block = cuda_block_make(bytes);
    return p;
}

static void picture_fill(picture *p, rng *r)
{
    const vrs_format_info *info = vrs_format_get(p->image.format);
    uint8_t *bytes = cuda_block_host(&p->block);
    for (size_t i = 0; i < p->block.bytes; i++)
        bytes[i] = (uint8_t)next(r);
    const int high = info->sample_shift == 0 && info->sample_bytes == 2;
    for (size_t i = 1; i < p->block.bytes && high; i += 2)
        bytes[i] &= 3;
    cuda_block_upload(&p->block);
}

static vrs_image picture_image(const picture *p, bool host)
{
    vrs_image image = p->image;
    const uint64_t base =
        host ? (uint64_t)(uintptr_t)cuda_block_host(&p->block) : cuda_block_device(&p->block);
    for (int i = 0; i < vrs_format_get(image.format)->planes; i++)
        image.planes[i] = (uint8_t *)(uintptr_t)(base + p->at[i]);
    return image;
}

/* A small mask, or coefficients, or a full-size mask; all with room at the rows' ends. */
typedef struct mask_source {
    cuda_block block;
    int32_t kind, stride, width, height;
} mask_source;

static mask_source mask_make(int32_t kind, int32_t width, int32_t height, bool aligned, rng *r)
{
    mask_source m = {.kind = kind};
    const int32_t *size = sizes[in(r, 0, SIZES - 1)];
    m.width = kind == VRS_POST_MASK_FULL ? width : size[0];
    m.height = kind == VRS_POST_MASK_FULL ? height : size[1];
    m.stride = m.width + in(r, 0, 5);
    m.stride = aligned && kind == VRS_POST_MASK_FULL ? (m.width + 7) / 8 * 8 : m.stride;
    const size_t count = (size_t)m.stride * (size_t)m.height;
    m.block = cuda_block_make(count * 8);
    if (kind == VRS_POST_MASK_REFINE) {
        const float spread = in(r, 0, 5) == 0 ? 255 : 3;
        float *values = cuda_block_host(&m.block);
        for (size_t i = 0; i < 2 * count; i++)
            values[i] = in(r, 0, 199) == 0 && spread == 3
                            ? NAN
                            : spread * (float)in(r, -1000000, 1000000) * 1e-6f;
    } else {
        fill_q15(cuda_block_host(&m.block), count, r);
    }
    cuda_block_upload(&m.block);
    return m;
}

static const vrs_pixel_format yuv_formats[] = {VRS_FORMAT_NV12, VRS_FORMAT_YUV420P, VRS_FORMAT_P010,
                                               VRS_FORMAT_YUV420P10};

/* A pair of formats that go together. */
static void choose_formats(int32_t output, int32_t kind, rng *r, vrs_pixel_format *source,
                           vrs_pixel_format *target)
{
    const int source_index = in(r, 0, 3);
    const bool deep = source_index >= 2;
    *source = yuv_formats[source_index];
    if (output == VRS_POST_GRAY) {
        *target = in(r, 0, 1) == 0 ? VRS_FORMAT_GRAY8 : VRS_FORMAT_GRAY10;
        if (kind == VRS_POST_MASK_REFINE && in(r, 0, 3) == 0)
            *source = in(r, 0, 1) == 0 ? VRS_FORMAT_RGB24 : VRS_FORMAT_BGRA;
    } else if (output == VRS_POST_COMPOSITE) {
        *target = yuv_formats[in(r, 0, 1) + (deep ? 2 : 0)];
    } else {
        *target = deep ? VRS_FORMAT_YUVA420P10 : VRS_FORMAT_YUVA420P;
    }
}

/* Luma and alpha are within `within` alpha steps; exact where that is 0. */
static void compare_picture(const picture *p, int32_t within, const char *what)
{
    if (within == 0) {
        cuda_block_compare(&p->block, what);
        return;
    }
    const bool deep = vrs_format_get(p->image.format)->sample_bytes == 2;
    const uint8_t *got = cuda_block_result(&p->block, what), *expected = cuda_block_host(&p->block);
    const int step = vrs_format_get(p->image.format)->sample_shift != 0 ? 64 : 1;
    for (size_t i = 0; i + (deep ? 1 : 0) < p->block.bytes; i += deep ? 2 : 1) {
        uint16_t a = got[i], b = expected[i];
        if (deep) {
            memcpy(&a, got + i, 2);
            memcpy(&b, expected + i, 2);
        }
        if (abs(a - b) > within * step)
            fail_msg("%s: %d instead of %d at byte %zu", what, a, b, i);
    }
}

typedef struct render_case {
    picture source, target;
    mask_source mask;
    vrs_post_part part;
} render_case;

static void render_make(render_case *t, const int32_t *size, bool aligned, int32_t output,
                        int32_t kind, rng *r)
{
    const int32_t width = size[0], height = size[1];
    const bool padded = in(r, 0, 1) == 0;
    vrs_pixel_format source, target;
    choose_formats(output, kind, r, &source, &target);
    t->source = picture_make(source, width, height, aligned, padded, r);
    t->target = picture_make(target, width, height, aligned, padded, r);
    picture_fill(&t->source, r);
    cuda_block_upload(&t->target.block);
    t->mask = mask_make(kind, width, height, aligned, r);
    t->part = (vrs_post_part){.source_rect = {0, 0, width, height},
                              .target_rect = {0, 0, width, height},
                              .output = output,
                              .mask_kind = kind,
                              .mask_stride = t->mask.stride,
                              .mask_width = t->mask.width,
                              .mask_height = t->mask.height,
                              .background = {(uint8_t)next(r), (uint8_t)next(r), (uint8_t)next(r)}};
}

static void render_view(const render_case *t, bool host, vrs_render_view *view)
{
    const vrs_image source = picture_image(&t->source, host);
    const vrs_image target = picture_image(&t->target, host);
    vrs_post_part part = t->part;
    part.source = &source;
    part.target = &target;
    part.mask = host ? (uint64_t)(uintptr_t)cuda_block_host(&t->mask.block)
                     : cuda_block_device(&t->mask.block);
    assert_int_equal(vrs_cuda_render_view(&part, view), VRS_OK);
}

/* A batch; `whole`: of one kind, with rows of whole vectors. */
static void run_render(int32_t index, bool whole, rng *r)
{
    render_case t[VRS_POST_VIEWS];
    vrs_render_params device = {.threshold = in(r, 0, 2) == 0 ? in(r, 1, VRS_Q15_ONE) : 0,
                                .rows = in(r, 0, 1) * in(r, 1, 40)};
    vrs_render_params host = device;
    const int32_t count = index % 10 == 0 ? 16 : in(r, 1, 3), all = index / 2 % 3;
    const bool composed = index % 2 == 0;
    bool refined[VRS_POST_VIEWS];
    for (int32_t v = 0; v < count; v++) {
        const int32_t kind = whole ? all : in(r, 0, 3);
        const int32_t output = !whole     ? in(r, VRS_POST_GRAY, VRS_POST_CUTOUT)
                               : composed ? in(r, VRS_POST_COMPOSITE, VRS_POST_CUTOUT)
                                          : VRS_POST_GRAY;
        const int32_t *size =
            whole ? whole_sizes[(index + v) % WHOLE_SIZES] : sizes[(index + v) % SIZES];
        refined[v] = kind == VRS_POST_MASK_REFINE;
        render_make(&t[v], size, whole || in(r, 0, 1) == 0, output, kind, r);
        render_view(&t[v], false, &device.view[v]);
        render_view(&t[v], true, &host.view[v]);
        if (refined[v] && device.threshold > 0)
            host.threshold = device.threshold = 0; /* a step of 1 would become the whole range */
        if (refined[v] && t[v].part.output == VRS_POST_CUTOUT)
            host.view[v].output = device.view[v].output = VRS_POST_COMPOSITE; /* likewise */
    }
    assert_int_equal(vrs_cuda_render(&kernels, cuda_fixture_stream(), &device, count), VRS_OK);
    fake_vrs_render(&host, (uint32_t[3]){1, 1, (uint32_t)count}, (uint32_t[3]){1, 1, 1});
    for (int32_t v = 0; v < count; v++) {
        char what[128];
        (void)snprintf(what, sizeof(what), "render %d: %dx%d, %s to %s, output %d, mask %d", index,
                       host.view[v].width, host.view[v].height,
                       vrs_pixel_format_name(t[v].source.image.format),
                       vrs_pixel_format_name(t[v].target.image.format), host.view[v].output,
                       host.view[v].mask_kind);
        compare_picture(&t[v].target, refined[v] ? 1 : 0, what);
        cuda_block_free(&t[v].source.block);
        cuda_block_free(&t[v].target.block);
        cuda_block_free(&t[v].mask.block);
    }
}

static void test_render(void **state)
{
    (void)state;
    rng r = {4};
    for (int32_t i = 0; i < 300; i++)
        run_render(i, false, &r);
}

static void test_whole(void **state)
{
    (void)state;
    rng r = {8};
    for (int32_t i = 0; i < 120; i++)
        run_render(i, true, &r);
}

/* Q15 at full size: the refinement's own tolerance, and exact up-sampling. */
static void run_alpha(int32_t index, rng *r)
{
    render_case t;
    const int32_t kind = in(r, 0, 3);
    const bool whole = in(r, 0, 1) == 0;
    const int32_t *size = whole ? whole_sizes[index % WHOLE_SIZES] : sizes[index % SIZES];
    render_make(&t, size, whole || in(r, 0, 1) == 0, VRS_POST_GRAY, kind, r);
    const int32_t width = size[0], height = size[1];
    const int32_t stride = (width + 7) / 8 * 8;
    cuda_block alpha = cuda_block_make((size_t)stride * (size_t)height * 2);
    vrs_render_params device = {0}, host = {0};
    for (int side = 0; side < 2; side++) {
        const vrs_image source = picture_image(&t.source, side == 1);
        vrs_post_part part = t.part;
        part.source = &source;
        part.mask = side == 1 ? (uint64_t)(uintptr_t)cuda_block_host(&t.mask.block)
                              : cuda_block_device(&t.mask.block);
        const uint64_t to =
            side == 1 ? (uint64_t)(uintptr_t)cuda_block_host(&alpha) : cuda_block_device(&alpha);
        vrs_render_view *view = side == 1 ? &host.view[0] : &device.view[0];
        assert_int_equal(vrs_cuda_alpha_view(&part, to, stride, view), VRS_OK);
    }
    cuda_block_upload(&alpha);
    assert_int_equal(vrs_cuda_render(&kernels, cuda_fixture_stream(), &device, 1), VRS_OK);
    fake_vrs_render(&host, (uint32_t[3]){1, 1, 1}, (uint32_t[3]){1, 1, 1});
    if (kind == VRS_POST_MASK_REFINE)
        compare_q15(&alpha, 2, "refined alpha");
    else
        cuda_block_compare(&alpha, "alpha");
    cuda_block_free(&alpha);
    cuda_block_free(&t.source.block);
    cuda_block_free(&t.target.block);
    cuda_block_free(&t.mask.block);
}

static void test_alpha(void **state)
{
    (void)state;
    rng r = {5};
    for (int32_t i = 0; i < 150; i++)
        run_alpha(i, &r);
}

/* What must not be launched. */
static void test_refusals(void **state)
{
    (void)state;
    vrs_render_params render = {.view = {{.width = 0, .height = 4}}};
    assert_int_equal(vrs_cuda_render(&kernels, cuda_fixture_stream(), &render, 1), VRS_INVALID);
    render.view[0].width = 4;
    assert_int_equal(vrs_cuda_render(&kernels, cuda_fixture_stream(), &render, 0), VRS_INVALID);
    assert_int_equal(vrs_cuda_render(&kernels, cuda_fixture_stream(), &render, 17), VRS_INVALID);
}

/* Parts whose chroma belongs to two of them, formats that do not go together, parts outside. */
static void test_view_refusals(void **state)
{
    (void)state;
    vrs_image nv12 = {.format = VRS_FORMAT_NV12, .width = 17, .height = 9, .strides = {32, 32}};
    vrs_image p010 = {.format = VRS_FORMAT_P010, .width = 17, .height = 9, .strides = {64, 64}};
    vrs_post_part part = {.source = &nv12,
                          .target = &nv12,
                          .output = VRS_POST_COMPOSITE,
                          .source_rect = {8, 0, 9, 9},
                          .target_rect = {8, 0, 9, 9}};
    vrs_render_view view;
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_OK);
    part.source_rect = part.target_rect = (vrs_rect){0, 0, 9, 9};
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_UNSUPPORTED);
    part.source_rect = part.target_rect = (vrs_rect){9, 0, 8, 9};
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_UNSUPPORTED);
    part.source_rect = part.target_rect = (vrs_rect){8, 0, 10, 9};
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_INVALID);
    part.source_rect = part.target_rect = (vrs_rect){0, 0, 17, 9};
    part.target = &p010;
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_UNSUPPORTED);
    part.target = &nv12;
    part.source = NULL;
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render),        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_alpha),         cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_view_refusals),
    };
    const int skipped = cuda_fixture_open();
    if (skipped != 0)
        return skipped;
    if (vrs_cuda_postprocess_open(cuda_fixture_device(), &kernels) != VRS_OK) {
        fprintf(stderr, "%s\n", vrs_last_error());
        return EXIT_FAILURE;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cuda_fixture_close();
    return failed;
}
