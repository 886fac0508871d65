/* The CUDA kernels that make frames for players beside the C reference: on the device that is
 * there, or on fake_cuda, where it is the launches that are tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/format.h"
#include "kernels/cuda/pack_launch.h"
#include "kernels/cuda_fixture.h"
#include "kernels/kernels.h"
#include "vr/unroll.h"

static vrs_cuda_packing kernels;

static uint64_t seed = 11;

static int32_t in(int32_t low, int32_t high)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return low + (int32_t)((seed >> 33) % (uint64_t)(high - low + 1));
}

static void fill(cuda_block *block, uint32_t mask)
{
    uint16_t *words = cuda_block_host(block);
    for (size_t i = 0; i + 1 < block->bytes; i += 2)
        words[i / 2] = (uint16_t)((uint32_t)in(0, 65535) & mask);
    cuda_block_upload(block);
}

static const int32_t sizes[][2] = {{320, 160}, {322, 162}, {514, 126}, {98, 200},
                                   {2, 2},     {6, 4},     {1030, 514}};
#define SIZES ((int)(sizeof(sizes) / sizeof(sizes[0])))

/* A frame and its mask, and what the reference makes of it. */
typedef struct frame {
    cuda_block mask, planes[3];
    vrs_pack_view view;
} frame;

static frame frame_make(int32_t width, int32_t height, bool deep, bool red)
{
    frame f = {.view = {.width = width, .height = height, .sample_bytes = deep ? 2 : 1}};
    vrs_pack_view *v = &f.view;
    const vrs_color color = {.matrix = VRS_MATRIX_BT709, .range = VRS_RANGE_LIMITED};
    v->codes = vrs_pack_codes_of(color, deep ? 10 : 8, red);
    v->mask_stride = 2 * (width + in(0, 5));
    f.mask = cuda_block_make((size_t)v->mask_stride * (size_t)height);
    fill(&f.mask, 0x7fff);
    v->mask = cuda_block_device(&f.mask);
    for (int k = 0; k < 3; k++) {
        const int32_t w = k == 0 ? width : width / 2, h = k == 0 ? height : height / 2;
        v->dst_stride[k] = (w + in(0, 9)) * v->sample_bytes;
        f.planes[k] = cuda_block_make((size_t)v->dst_stride[k] * (size_t)h);
        fill(&f.planes[k], 0x03ff);
        v->dst[k] = cuda_block_device(&f.planes[k]);
    }
    return f;
}

static void frame_check(frame *f)
{
    const vrs_pack_view *v = &f->view;
    const vrs_pack pack = {.width = v->width,
                           .height = v->height,
                           .mask = cuda_block_host(&f->mask),
                           .stride = v->mask_stride / 2,
                           .codes = v->codes};
    vrs_image picture = {.format = v->sample_bytes == 2 ? VRS_FORMAT_YUV420P10 : VRS_FORMAT_YUV420P,
                         .width = v->width,
                         .height = v->height};
    for (int k = 0; k < 3; k++) {
        picture.planes[k] = cuda_block_host(&f->planes[k]);
        picture.strides[k] = v->dst_stride[k];
    }
    vrs_kernels_get(VRS_ISA_REFERENCE)->pack(&pack, 0, v->height, &picture, NULL);
    for (int k = 0; k < 3; k++) {
        cuda_block_compare(&f->planes[k], k == 0 ? "packed luma" : "packed chroma");
        cuda_block_free(&f->planes[k]);
    }
    cuda_block_free(&f->mask);
}

static void test_pack(void **state)
{
    (void)state;
    for (int i = 0; i < 4 * SIZES; i++) {
        frame frames[3];
        vrs_pack_params params;
        const int32_t count = 1 + i % 3;
        memset(&params, 0, sizeof(params));
        for (int32_t k = 0; k < count; k++) {
            const int32_t *size = sizes[(i + k) % SIZES];
            frames[k] = frame_make(size[0], size[1], i / SIZES % 2 == 1, i / SIZES / 2 == 1);
            params.view[k] = frames[k].view;
        }
        assert_int_equal(vrs_cuda_pack(&kernels, cuda_fixture_stream(), &params, count), VRS_OK);
        for (int32_t k = 0; k < count; k++)
            frame_check(&frames[k]);
    }
}

/* A part of a plane on its way to a fisheye. */
typedef struct part {
    cuda_block grid, src, dst;
    vrs_unroll_view view;
    bool copies;
} part;

static part part_make(int32_t width, int32_t height, int32_t bytes, int32_t step)
{
    part p = {.view = {.sample_bytes = bytes, .src_step = step, .outside = 16}};
    vrs_unroll_view *v = &p.view;
    vrs_layout layout = vrs_layout_flat();
    assert_int_equal(vrs_layout_set_projection(&layout, "half-equirect"), VRS_OK);
    const int32_t cell = vrs_unroll_cell(width, height);
    v->size = (vrs_unroll_size){width, height, cell, (width >> cell) + 2};
    v->src_shift = bytes == 2 && step == 2 ? 6 : 0;
    p.grid = cuda_block_make((size_t)vrs_unroll_nodes(width, height) * 2 * sizeof(int32_t));
    vrs_unroll_fill(&layout, width, height, cuda_block_host(&p.grid));
    cuda_block_upload(&p.grid);
    v->src_stride = (width * step + in(0, 7)) * bytes;
    v->dst_stride = (width + in(0, 7)) * bytes;
    p.src = cuda_block_make((size_t)v->src_stride * (size_t)height);
    p.dst = cuda_block_make((size_t)v->dst_stride * (size_t)height);
    fill(&p.src, bytes == 2 && v->src_shift == 0 ? 0x7fff : 0xffff);
    p.copies = width == 33; /* no grid: a copy */
    v->grid = p.copies ? 0 : cuda_block_device(&p.grid);
    v->src = cuda_block_device(&p.src);
    v->dst = cuda_block_device(&p.dst);
    return p;
}

static void part_check(part *p)
{
    const vrs_unroll_view *v = &p->view;
    const vrs_unroll unroll = {.size = v->size,
                               .grid = p->copies ? NULL : cuda_block_host(&p->grid),
                               .src = cuda_block_host(&p->src),
                               .dst = cuda_block_host(&p->dst),
                               .src_stride = v->src_stride,
                               .dst_stride = v->dst_stride,
                               .sample_bytes = v->sample_bytes,
                               .src_step = v->src_step,
                               .src_shift = v->src_shift,
                               .outside = v->outside};
    vrs_kernels_get(VRS_ISA_REFERENCE)->unroll(&unroll, 0, v->size.height);
    cuda_block_compare(&p->dst, "unrolled");
    cuda_block_free(&p->grid);
    cuda_block_free(&p->src);
    cuda_block_free(&p->dst);
}

static void test_unroll(void **state)
{
    (void)state;
    static const int32_t eyes[][2] = {{160, 160}, {33, 81}, {1, 1}, {300, 150}, {800, 770}};
    for (int i = 0; i < 20; i++) {
        part parts[2];
        vrs_unroll_params params;
        memset(&params, 0, sizeof(params));
        for (int k = 0; k < 2; k++) {
            const int32_t *size = eyes[(i + k) % 5];
            parts[k] = part_make(size[0], size[1], 1 + i / 5 % 2, 1 + i / 10);
            params.view[k] = parts[k].view;
        }
        assert_int_equal(vrs_cuda_unroll(&kernels, cuda_fixture_stream(), &params, 2), VRS_OK);
        part_check(&parts[0]);
        part_check(&parts[1]);
    }
}

/* Cells of 8 samples a side. */
static void test_unroll_large(void **state)
{
    (void)state;
    for (int bytes = 1; bytes <= 2; bytes++) {
        vrs_unroll_params params;
        memset(&params, 0, sizeof(params));
        part large = part_make(3079, 3074, bytes, bytes);
        assert_int_equal(large.view.size.cell, 3);
        params.view[0] = large.view;
        assert_int_equal(vrs_cuda_unroll(&kernels, cuda_fixture_stream(), &params, 1), VRS_OK);
        part_check(&large);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static vrs_pack_params pack;
    static vrs_unroll_params unroll;
    vrs_device_stream *stream = cuda_fixture_stream();
    pack.view[0].width = 320;
    pack.view[0].height = 161;
    assert_int_equal(vrs_cuda_pack(&kernels, stream, &pack, 1), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "a frame of 320x161: sides are even"));
    pack.view[0].height = 0;
    assert_int_equal(vrs_cuda_pack(&kernels, stream, &pack, 1), VRS_INVALID);
    assert_int_equal(vrs_cuda_pack(&kernels, stream, &pack, 17), VRS_INVALID);
    unroll.view[0].size.width = VRS_MAX_SIDE + 1;
    unroll.view[0].size.height = 1;
    assert_int_equal(vrs_cuda_unroll(&kernels, stream, &unroll, 1), VRS_INVALID);
    assert_int_equal(vrs_cuda_unroll(&kernels, stream, &unroll, 0), VRS_INVALID);
    unroll.view[0].size = (vrs_unroll_size){4, 4, 0, 6};
    unroll.view[0].grid = 4;
    assert_int_equal(vrs_cuda_unroll(&kernels, stream, &unroll, 1), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "the grid lies at no multiple of 8"));
    unroll.view[0].grid = 0;
    for (int i = 0; i < 3; i++) {
        static const int64_t strides[3] = {0, -4, INT64_C(1) << 30};
        unroll.view[0].src_stride = strides[i];
        assert_int_equal(vrs_cuda_unroll(&kernels, stream, &unroll, 1), VRS_INVALID);
        assert_non_null(strstr(vrs_last_error(), "4 rows"));
    }
    unroll.view[0].src_stride = 16;
    unroll.view[0].src_step = 3;
    assert_int_equal(vrs_cuda_unroll(&kernels, stream, &unroll, 1), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "samples 3 apart"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_unroll),
        cmocka_unit_test(test_unroll_large),
        cmocka_unit_test(test_refusals),
    };
    const int skipped = cuda_fixture_open();
    if (skipped != 0)
        return skipped;
    if (vrs_cuda_packing_open(cuda_fixture_device(), &kernels) != VRS_OK) {
        fprintf(stderr, "%s\n", vrs_last_error());
        return EXIT_FAILURE;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cuda_fixture_close();
    return failed;
}
