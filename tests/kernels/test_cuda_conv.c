/* The CUDA convolutions against the C reference: on the device that is there, or on fake_cuda,
 * where it is the launches and tables that are tested. Sizes are small and ugly. */
#include "kernels/cuda_conv_cases.h"

static void run_conv(const vrs_cuda_conv_desc *desc, vrs_cuda_conv_kernel kernel, rng *r)
{
    conv_case t = {.desc = *desc};
    char what[160];
    (void)snprintf(
        what, sizeof(what),
        "kernel %d, bits %d %d %d: %dx%d of %dx%dx%dx%d to %dx%dx%d, residual %d, stride "
        "%d,%d",
        (int)kernel, desc->in_i8, desc->out_i8, desc->residual_i8, desc->r, desc->s, desc->n,
        desc->h, desc->w, desc->c, desc->out_h, desc->out_w, desc->k, desc->residual,
        desc->stride[0], desc->stride[1]);
    assert_true(vrs_cuda_conv_supported(&conv, desc, kernel));
    conv_make(&t, r);
    const vrs_cuda_conv_buffers buffers = device_buffers(&t);
    if (vrs_cuda_conv_launch(&conv, cuda_fixture_stream(), desc, kernel, &buffers) != VRS_OK)
        fail_msg("%s: %s", what, vrs_last_error());
    conv_compare(&t, what);
    conv_free(&t);
}

static vrs_cuda_conv_desc random_desc(rng *r, bool point)
{
    vrs_cuda_conv_desc d = {.n = in(r, 1, 3),
                            .h = in(r, 1, 16),
                            .w = in(r, 1, 16),
                            .c = channels(r, point ? 320 : 80),
                            .k = channels(r, point ? 320 : 150),
                            .residual = in(r, 0, 1) == 0,
                            .relu = in(r, 0, 1) == 0};
    for (int axis = 0; axis < 2; axis++) {
        const int32_t filter = point ? 1 : in(r, 1, 4), size = axis == 0 ? d.h : d.w;
        d.stride[axis] = point ? 1 : in(r, 1, 2);
        d.pad[axis] = point ? 0 : in(r, 0, 5);
        d.dilation[axis] = point ? 1 : in(r, 1, 4);
        int32_t out =
            (size + 2 * d.pad[axis] - d.dilation[axis] * (filter - 1) - 1) / d.stride[axis] + 1;
        out = out > 0 ? out : 1;
        *(axis == 0 ? &d.r : &d.s) = filter;
        *(axis == 0 ? &d.out_h : &d.out_w) = out;
    }
    if (in(r, 0, 1) == 0) {
        d.input_pitch = d.c + 8 * in(r, 0, 2);
        d.output_pitch = d.k + 8 * in(r, 0, 2);
        d.residual_pitch = d.k + 8 * in(r, 0, 2);
    }
    return d;
}

static void test_mma(void **state)
{
    (void)state;
    rng r = {1};
    for (int32_t i = 0; i < 60; i++) {
        const vrs_cuda_conv_desc desc = random_desc(&r, i % 4 == 0);
        run_conv(&desc, VRS_CUDA_CONV_MMA, &r);
    }
}

static void test_f32(void **state)
{
    (void)state;
    rng r = {6};
    for (int32_t i = 0; i < 60; i++) {
        vrs_cuda_conv_desc d = random_desc(&r, i % 4 == 0);
        d.f32 = true;
        d.c = i % 3 == 0 ? d.c - 4 : d.c;
        d.k = i % 5 == 0 ? d.k - 4 : d.k;
        run_conv(&d, i % 2 == 0 ? VRS_CUDA_CONV_F32 : VRS_CUDA_CONV_F32_SMALL, &r);
    }
}

static void test_point(void **state)
{
    (void)state;
    rng r = {2};
    if (conv.point[0][0][0] == NULL)
        skip();
    for (int32_t i = 0; i < 40; i++) {
        const vrs_cuda_conv_desc desc = random_desc(&r, true);
        run_conv(&desc, VRS_CUDA_CONV_POINT, &r);
    }
    /* More tiles than multiprocessors, so that each takes several. */
    vrs_cuda_conv_desc many = {.n = 1,
                               .h = 300,
                               .w = 128,
                               .c = 24,
                               .out_h = 300,
                               .out_w = 128,
                               .k = 16,
                               .r = 1,
                               .s = 1,
                               .stride = {1, 1},
                               .dilation = {1, 1},
                               .residual = true,
                               .relu = true};
    for (int32_t i = 0; i < 2; i++) {
        many.residual = i == 0;
        run_conv(&many, VRS_CUDA_CONV_POINT, &r);
    }
}

/* From and to 8-bit integers, without a residual, with one of halves, with one of integers. */
static void test_point_integers(void **state)
{
    (void)state;
    rng r = {5};
    if (conv.point[1][1][0] == NULL)
        skip();
    for (int32_t i = 0; i < 96; i++) {
        vrs_cuda_conv_desc d = random_desc(&r, true);
        d.in_i8 = i % 4 % 2 != 0;
        d.out_i8 = i % 4 / 2 != 0;
        d.residual = i / 4 % 3 != 0;
        d.residual_i8 = i / 4 % 3 == 2;
        d.residual_scale = d.residual_i8 ? 0.75F : 7.5F;
        d.c = (d.c + 15) / 16 * 16;
        d.k = (d.k + 15) / 16 * 16;
        d.input_pitch = i % 2 == 0 ? 0 : d.c + 32;
        d.output_pitch = i % 2 == 0 ? 0 : d.k + 16;
        d.residual_pitch = i % 2 == 0 ? 0 : d.k + (d.residual_i8 ? 48 : 8);
        run_conv(&d, VRS_CUDA_CONV_POINT, &r);
    }
    /* Several tiles for each multiprocessor. */
    vrs_cuda_conv_desc many = {.n = 1,
                               .h = 300,
                               .w = 128,
                               .c = 32,
                               .out_h = 300,
                               .out_w = 128,
                               .k = 16,
                               .r = 1,
                               .s = 1,
                               .stride = {1, 1},
                               .dilation = {1, 1},
                               .residual = true,
                               .relu = true,
                               .in_i8 = true,
                               .residual_scale = 20};
    for (int32_t i = 0; i < 4; i++) {
        many.out_i8 = i % 2 == 0;
        many.residual_i8 = i / 2 != 0;
        many.residual_scale = many.residual_i8 ? 0.5F : 20;
        run_conv(&many, VRS_CUDA_CONV_POINT, &r);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    const vrs_cuda_conv_desc good = {.n = 1,
                                     .h = 4,
                                     .w = 4,
                                     .c = 8,
                                     .out_h = 4,
                                     .out_w = 4,
                                     .k = 8,
                                     .r = 1,
                                     .s = 1,
                                     .stride = {1, 1},
                                     .dilation = {1, 1}};
    vrs_cuda_conv_desc bad[12];
    for (int i = 0; i < 12; i++)
        bad[i] = good;
    bad[0].c = 9;
    bad[1].k = 4;
    bad[2].n = 0;
    bad[3].out_w = 0;
    bad[4].stride[1] = 0;
    bad[5].dilation[0] = 0;
    bad[6].pad[0] = -1;
    bad[7].input_pitch = 12;
    bad[8].output_pitch = 4;
    bad[9].r = 33;
    bad[10].h = 65536, bad[10].w = 65536, bad[10].n = 2;
    bad[11].residual = true, bad[11].residual_pitch = 9;
    const vrs_cuda_conv_buffers buffers = {4096, 4096, 4096, 4096, 4096, 0};
    vrs_device_stream *stream = cuda_fixture_stream();
    for (int i = 0; i < 12; i++) {
        assert_false(vrs_cuda_conv_supported(&conv, &bad[i], VRS_CUDA_CONV_MMA));
        assert_int_equal(vrs_cuda_conv_launch(&conv, stream, &bad[i], VRS_CUDA_CONV_MMA, &buffers),
                         VRS_INVALID);
    }
    vrs_cuda_conv_buffers odd = buffers;
    odd.output += 8;
    assert_int_equal(vrs_cuda_conv_launch(&conv, stream, &good, VRS_CUDA_CONV_MMA, &odd),
                     VRS_INVALID);
    /* Integers: wants factors, and channels by 16. */
    vrs_cuda_conv_desc bits = good;
    bits.in_i8 = bits.out_i8 = true;
    assert_false(vrs_cuda_conv_supported(&conv, &bits, VRS_CUDA_CONV_POINT));
    bits.c = bits.k = 16;
    assert_false(vrs_cuda_conv_supported(&conv, &bits, VRS_CUDA_CONV_MMA));
    bits.in_i8 = bits.out_i8 = false;
    bits.residual = bits.residual_i8 = true;
    assert_false(vrs_cuda_conv_supported(&conv, &bits, VRS_CUDA_CONV_MMA));
    bits.residual_pitch = 24;
    assert_false(vrs_cuda_conv_supported(&conv, &bits, VRS_CUDA_CONV_POINT));
    bits.residual = bits.residual_i8 = false;
    bits.in_i8 = bits.out_i8 = true;
    if (vrs_cuda_conv_supported(&conv, &bits, VRS_CUDA_CONV_POINT))
        assert_int_equal(vrs_cuda_conv_launch(&conv, stream, &bits, VRS_CUDA_CONV_POINT, &buffers),
                         VRS_INVALID);
    vrs_cuda_conv_desc wide = good;
    wide.r = 3;
    wide.pad[0] = 1;
    assert_int_equal(vrs_cuda_conv_launch(&conv, stream, &wide, VRS_CUDA_CONV_POINT, &buffers),
                     VRS_UNSUPPORTED);
    const vrs_stem_buffers stem = {4096, 4096, 4096, 4096}, odd_stem = {4096, 4096, 4096, 4100};
    assert_int_equal(vrs_stem_launch(&conv, stream, 1, 0, 4, &stem), VRS_INVALID);
    assert_int_equal(vrs_stem_launch(&conv, stream, 1, 4, 4, &odd_stem), VRS_INVALID);
    vrs_taps_plan plan;
    const vrs_taps_desc none = {.n = 1, .h = 4, .w = 4, .c = 8, .k = 8};
    assert_int_equal(vrs_taps_plan_create(&conv, &none, &plan), VRS_UNSUPPORTED);
    vrs_taps_plan_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mma),      cmocka_unit_test(test_f32),
        cmocka_unit_test(test_point),    cmocka_unit_test(test_point_integers),
        cmocka_unit_test(test_refusals),
    };
    int result = open_conv();
    if (result == 0) {
        result = cmocka_run_group_tests_name("cuda_conv", tests, NULL, NULL);
        cuda_fixture_close();
    }
    return result;
}
