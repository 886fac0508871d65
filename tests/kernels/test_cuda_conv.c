/* The CUDA convolutions against the C reference: on the device that is there, or on fake_cuda,
 * where it is the launches and tables that are tested. Sizes are small and ugly, what lies between
 * and around the results is compared too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "kernels/cuda/conv_launch.h"
#include "kernels/cuda_fixture.h"
#include "kernels/half.h"
#include "kernels/reference/conv.h"
#include "support/inject.h"

static vrs_cuda_conv conv;

typedef struct rng {
    uint64_t state;
} rng;

static uint32_t next(rng *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return (uint32_t)((r->state * UINT64_C(2685821657736338717)) >> 32);
}

static int32_t in(rng *r, int32_t low, int32_t high)
{
    return low + (int32_t)(next(r) % (uint32_t)(high - low + 1));
}

/* Half of the values are 0, as behind a ReLU; the others in -1..1. */
static void fill(uint16_t *to, size_t count, rng *r)
{
    for (size_t i = 0; i < count; i++)
        to[i] = in(r, 0, 1) == 0 ? 0 : vrs_half_from_float((float)in(r, -1000, 1000) * 0.001F);
}

static cuda_block halves(size_t count, rng *r)
{
    cuda_block block = cuda_block_make(count * 2);
    fill(cuda_block_host(&block), count, r);
    cuda_block_upload(&block);
    return block;
}

/* As halves are, of 8-bit integers: half of them 0. */
static cuda_block integers(size_t count, rng *r)
{
    cuda_block block = cuda_block_make(count);
    for (size_t i = 0; i < count; i++)
        ((int8_t *)cuda_block_host(&block))[i] = (int8_t)(in(r, 0, 1) == 0 ? 0 : in(r, -128, 127));
    cuda_block_upload(&block);
    return block;
}

static cuda_block floats(size_t count, rng *r)
{
    cuda_block block = cuda_block_make(count * sizeof(float));
    for (size_t i = 0; i < count; i++)
        ((float *)cuda_block_host(&block))[i] = (float)in(r, -1000, 1000) * 0.002F;
    cuda_block_upload(&block);
    return block;
}

/* In the type of an operand; integers where it is one that has them. */
static cuda_block elements(size_t count, const vrs_cuda_conv_desc *d, bool i8, rng *r)
{
    return d->f32 ? floats(count, r) : i8 ? integers(count, r) : halves(count, r);
}

static uint64_t host_of(const cuda_block *block)
{
    return (uint64_t)(uintptr_t)cuda_block_host(block);
}

/* Within so many steps of binary16 (half a one where `expected` was not rounded, else a whole one)
 * and the error of sums in float over values of `size` together. */
static void compare_value(uint16_t got, double expected, double steps, double size,
                          const char *what, int64_t at)
{
    const double value = (double)vrs_half_to_float(got);
    int exponent;
    (void)frexp(fmax(fabs(expected), 0x1p-14), &exponent);
    const double within = ldexp(steps, exponent - 11) + size * 0x1p-20;
    if (!(fabs(value - expected) <= within))
        fail_msg("%s: %g instead of %g at %lld, further than %g", what, value, expected,
                 (long long)at, within);
}

/* The nearest step, or the one beside it where float has rounded to the middle between them. */
static void compare_steps(int8_t got, double expected, const char *what, int64_t at)
{
    const double value = fmin(fmax(expected, -128), 127);
    if (!(fabs((double)got - value) <= 0.5 + 1e-4))
        fail_msg("%s: %d instead of %g at %lld", what, (int)got, value, (long long)at);
}

/* --- vrs_conv ---------------------------------------------------------------------------------
 */

typedef struct conv_case {
    vrs_cuda_conv_desc desc;
    cuda_block input, weights, bias, residual, output, scale;
    bool biased;
} conv_case;

/* Results of some tens in steps of 1 where they are integers, of some units where they are not. */
static cuda_block factors(const vrs_cuda_conv_desc *d, rng *r)
{
    const float in8 = d->in_i8 ? 1e-4F : 1, out8 = d->out_i8 ? 30 : 1;
    cuda_block block = cuda_block_make((size_t)d->k * sizeof(float));
    for (int32_t k = 0; k < d->k; k++)
        ((float *)cuda_block_host(&block))[k] = (float)in(r, 500, 1500) * 0.001F * in8 * out8;
    cuda_block_upload(&block);
    return block;
}

static int32_t pitch(int32_t asked, int32_t channels)
{
    return asked != 0 ? asked : channels;
}

static size_t pixels_of(int32_t n, int32_t h, int32_t w)
{
    return (size_t)n * (size_t)h * (size_t)w;
}

static size_t result_bytes(const vrs_cuda_conv_desc *d)
{
    return d->f32 ? 4 : d->out_i8 ? 1 : 2;
}

static void conv_make(conv_case *t, rng *r)
{
    const vrs_cuda_conv_desc *d = &t->desc;
    const size_t out = pixels_of(d->n, d->out_h, d->out_w);
    t->input =
        elements(pixels_of(d->n, d->h, d->w) * (size_t)pitch(d->input_pitch, d->c), d, d->in_i8, r);
    t->weights = elements((size_t)(d->r * d->s) * (size_t)d->k * (size_t)d->c, d, d->in_i8, r);
    t->scale = factors(d, r);
    t->bias = floats((size_t)d->k, r);
    t->residual = elements(out * (size_t)pitch(d->residual_pitch, d->k), d, false, r);
    t->output = cuda_block_make(out * (size_t)pitch(d->output_pitch, d->k) * result_bytes(d));
    t->biased = in(r, 0, 3) != 0;
}

static void conv_free(conv_case *t)
{
    cuda_block_free(&t->input);
    cuda_block_free(&t->weights);
    cuda_block_free(&t->bias);
    cuda_block_free(&t->residual);
    cuda_block_free(&t->output);
    cuda_block_free(&t->scale);
}

static bool has_integers(const vrs_cuda_conv_desc *d)
{
    return d->in_i8 || d->out_i8;
}

static vrs_cuda_conv_buffers device_buffers(const conv_case *t)
{
    return (vrs_cuda_conv_buffers){.input = cuda_block_device(&t->input),
                                   .weights = cuda_block_device(&t->weights),
                                   .bias = t->biased ? cuda_block_device(&t->bias) : 0,
                                   .residual = cuda_block_device(&t->residual),
                                   .output = cuda_block_device(&t->output),
                                   .scale =
                                       has_integers(&t->desc) ? cuda_block_device(&t->scale) : 0};
}

static vrs_conv_params reference_params(const conv_case *t)
{
    const vrs_cuda_conv_desc *d = &t->desc;
    vrs_conv_params p = vrs_conv_reference_params(d);
    p.input = host_of(&t->input);
    p.weights = host_of(&t->weights);
    p.bias = t->biased ? host_of(&t->bias) : 0;
    p.residual = d->residual ? host_of(&t->residual) : 0;
    p.scale = has_integers(d) ? host_of(&t->scale) : 0;
    return p;
}

static void compare_at(const vrs_cuda_conv_desc *d, const void *result, double value, double size,
                       const char *what, int64_t at)
{
    if (d->f32) {
        const double got = (double)((const float *)result)[at];
        if (!(fabs(got - value) <= size * 0x1p-20))
            fail_msg("%s: %g instead of %g at %lld", what, got, value, (long long)at);
    } else if (d->out_i8) {
        compare_steps(((const int8_t *)result)[at], value, what, at);
    } else {
        compare_value(((const uint16_t *)result)[at], value, 0.51, size, what, at);
    }
}

static void conv_compare(const conv_case *t, const char *what)
{
    const vrs_cuda_conv_desc *d = &t->desc;
    const vrs_conv_params p = reference_params(t);
    const int32_t step = pitch(d->output_pitch, d->k);
    const size_t bytes = result_bytes(d);
    const unsigned char *result = cuda_block_result(&t->output, what);
    for (int64_t i = 0; i < (int64_t)pixels_of(d->n, d->out_h, d->out_w); i++) {
        const int32_t n = (int32_t)(i / d->out_w / d->out_h);
        const int32_t y = (int32_t)(i / d->out_w % d->out_h), x = (int32_t)(i % d->out_w);
        for (int32_t k = 0; k < d->k; k++) {
            double size;
            const double value = vrs_conv_reference_at(&p, n, y, x, k, &size);
            compare_at(d, result, value, size, what, i * step + k);
        }
        for (size_t at = (size_t)d->k * bytes; at < (size_t)step * bytes; at++)
            assert_int_equal(result[(size_t)(i * step) * bytes + at], 0xa5);
    }
}

static void run_conv(const vrs_cuda_conv_desc *desc, vrs_cuda_conv_kernel kernel, rng *r)
{
    conv_case t = {.desc = *desc};
    char what[160];
    (void)snprintf(what, sizeof(what),
                   "kernel %d, bits %d %d: %dx%d of %dx%dx%dx%d to %dx%dx%d, residual %d, stride "
                   "%d,%d",
                   (int)kernel, desc->in_i8, desc->out_i8, desc->r, desc->s, desc->n, desc->h,
                   desc->w, desc->c, desc->out_h, desc->out_w, desc->k, desc->residual,
                   desc->stride[0], desc->stride[1]);
    assert_true(vrs_cuda_conv_supported(&conv, desc, kernel));
    conv_make(&t, r);
    const vrs_cuda_conv_buffers buffers = device_buffers(&t);
    if (vrs_cuda_conv_launch(&conv, cuda_fixture_stream(), desc, kernel, &buffers) != VRS_OK)
        fail_msg("%s: %s", what, vrs_last_error());
    conv_compare(&t, what);
    conv_free(&t);
}

static int32_t channels(rng *r, int32_t most)
{
    return in(r, 0, 2) == 0 ? 64 * in(r, 1, (most + 63) / 64) : 8 * in(r, 1, most / 8);
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

/* From and to 8-bit integers, with and without a residual. */
static void test_point_integers(void **state)
{
    (void)state;
    rng r = {5};
    if (conv.point[1][1][0] == NULL)
        skip();
    for (int32_t i = 0; i < 60; i++) {
        vrs_cuda_conv_desc d = random_desc(&r, true);
        d.in_i8 = i % 3 != 0;
        d.out_i8 = i % 3 != 1;
        d.residual = i / 3 % 2 != 0;
        d.residual_scale = 7.5F;
        d.c = (d.c + 15) / 16 * 16;
        d.k = (d.k + 15) / 16 * 16;
        d.input_pitch = i % 2 == 0 ? 0 : d.c + 32;
        d.output_pitch = i % 2 == 0 ? 0 : d.k + 16;
        d.residual_pitch = i % 2 == 0 ? 0 : d.k + 8;
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
    for (int32_t i = 0; i < 2; i++) {
        many.out_i8 = i == 0;
        run_conv(&many, VRS_CUDA_CONV_POINT, &r);
    }
}

/* --- vrs_taps ---------------------------------------------------------------------------------
 */

/* Every step of every pair is in exactly one item, in a range. */
static void check_table(const vrs_taps_plan *plan)
{
    const char *table = plan->table;
    const int32_t *ranges = plan->table;
    const vrs_taps_item *items = (const vrs_taps_item *)(table + plan->items_at);
    int64_t steps = 0, longest = 0;
    assert_int_equal(ranges[0], 0);
    assert_int_equal(ranges[plan->clusters], plan->items);
    for (int32_t c = 0; c < plan->clusters; c++) {
        int64_t mine = 0;
        assert_true(ranges[c] <= ranges[c + 1]);
        for (int32_t i = ranges[c]; i < ranges[c + 1]; i++) {
            assert_true(items[i].count > 0 && items[i].slot < plan->slots);
            mine += items[i].count;
        }
        steps += mine;
        longest = mine > longest ? mine : longest;
    }
    assert_int_equal(steps, plan->steps);
    assert_true(longest <= plan->longest + 24);
}

typedef struct taps_case {
    vrs_taps_desc desc;
    vrs_taps_plan plan;
    cuda_block input, table, workspace;
    cuda_block weights[VRS_CONV_BRANCHES], bias[VRS_CONV_BRANCHES], output[VRS_CONV_BRANCHES];
    cuda_block scale[VRS_CONV_BRANCHES];
} taps_case;

static void taps_make(taps_case *t, rng *r)
{
    const vrs_taps_desc *d = &t->desc;
    const size_t pixels = pixels_of(d->n, d->h, d->w);
    if (vrs_taps_plan_create(&conv, d, &t->plan) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    check_table(&t->plan);
    const vrs_cuda_conv_desc one = {.k = d->k, .in_i8 = d->in_i8, .out_i8 = d->out_i8};
    t->input = elements(pixels * (size_t)pitch(d->input_pitch, d->c), &one, d->in_i8, r);
    t->table = cuda_block_make(t->plan.table_bytes);
    memcpy(cuda_block_host(&t->table), t->plan.table, t->plan.table_bytes);
    cuda_block_upload(&t->table);
    if (t->plan.workspace_bytes > 0)
        t->workspace = cuda_block_make(t->plan.workspace_bytes);
    for (int32_t i = 0; i < d->branches; i++) {
        t->scale[i] = factors(&one, r);
        t->weights[i] = elements((size_t)9 * (size_t)d->k * (size_t)d->c, &one, d->in_i8, r);
        t->bias[i] = floats((size_t)d->k, r);
        t->output[i] =
            cuda_block_make(pixels * (size_t)pitch(d->output_pitch, d->k) * (d->out_i8 ? 1 : 2));
    }
}

static void taps_launch(const taps_case *t)
{
    vrs_taps_buffers buffers = {
        .input = cuda_block_device(&t->input),
        .table = cuda_block_device(&t->table),
        .workspace = t->plan.workspace_bytes > 0 ? cuda_block_device(&t->workspace) : 0};
    for (int32_t i = 0; i < t->desc.branches; i++) {
        buffers.weights[i] = cuda_block_device(&t->weights[i]);
        buffers.bias[i] = i == 2 ? 0 : cuda_block_device(&t->bias[i]);
        buffers.output[i] = cuda_block_device(&t->output[i]);
        buffers.scale[i] = t->desc.in_i8 || t->desc.out_i8 ? cuda_block_device(&t->scale[i]) : 0;
    }
    if (vrs_taps_launch(&conv, cuda_fixture_stream(), &t->plan, &buffers) != VRS_OK)
        fail_msg("%s", vrs_last_error());
}

/* The branch as a convolution of its own. */
static void taps_compare(const taps_case *t, int32_t branch, const char *what)
{
    const vrs_taps_desc *d = &t->desc;
    const int32_t dilation = d->dilation[branch];
    const conv_case one = {.desc = {.n = d->n,
                                    .h = d->h,
                                    .w = d->w,
                                    .c = d->c,
                                    .out_h = d->h,
                                    .out_w = d->w,
                                    .k = d->k,
                                    .r = 3,
                                    .s = 3,
                                    .stride = {1, 1},
                                    .pad = {dilation, dilation},
                                    .dilation = {dilation, dilation},
                                    .input_pitch = d->input_pitch,
                                    .output_pitch = d->output_pitch,
                                    .relu = d->relu,
                                    .in_i8 = d->in_i8,
                                    .out_i8 = d->out_i8},
                           .scale = t->scale[branch],
                           .input = t->input,
                           .weights = t->weights[branch],
                           .bias = t->bias[branch],
                           .output = t->output[branch],
                           .biased = branch != 2};
    conv_compare(&one, what);
}

static void run_taps(const vrs_taps_desc *desc, rng *r)
{
    taps_case t = {.desc = *desc};
    char what[160];
    (void)snprintf(what, sizeof(what),
                   "taps, bits %d %d, of %dx%dx%dx%d to %d, %d branches from %d, spread %d",
                   desc->in_i8, desc->out_i8, desc->n, desc->h, desc->w, desc->c, desc->k,
                   desc->branches, desc->dilation[0], (int)desc->spread);
    taps_make(&t, r);
    taps_launch(&t);
    for (int32_t i = 0; i < desc->branches; i++)
        taps_compare(&t, i, what);
    cuda_block_free(&t.input);
    cuda_block_free(&t.table);
    cuda_block_free(&t.workspace);
    for (int32_t i = 0; i < desc->branches; i++) {
        cuda_block_free(&t.weights[i]);
        cuda_block_free(&t.bias[i]);
        cuda_block_free(&t.output[i]);
        cuda_block_free(&t.scale[i]);
    }
    vrs_taps_plan_destroy(&t.plan);
}

/* The same from or to 8-bit integers. */
static void make_integers(vrs_taps_desc *d, int32_t i)
{
    d->in_i8 = i % 4 != 3;
    d->out_i8 = i % 2 != 0;
    d->c = (d->c + 15) / 16 * 16;
    d->k = (d->k + 15) / 16 * 16;
    d->input_pitch = d->input_pitch != 0 ? d->c + 16 : 0;
    d->output_pitch = d->output_pitch != 0 ? d->k + 32 : 0;
}

static void test_taps(void **state)
{
    (void)state;
    rng r = {3};
    if (conv.taps[0] == NULL)
        skip();
    for (int32_t i = 0; i < 24; i++) {
        vrs_taps_desc d = {.n = in(&r, 1, 3),
                           .h = in(&r, 1, 18),
                           .w = in(&r, 1, 18),
                           .c = channels(&r, 128),
                           .k = i == 4 ? 264 : 8 * in(&r, 1, 4),
                           .branches = in(&r, 1, VRS_CONV_BRANCHES),
                           .relu = in(&r, 0, 1) == 0,
                           .spread = (vrs_taps_spread)(i % 3)};
        for (int32_t b = 0; b < d.branches; b++)
            d.dilation[b] = in(&r, 1, 14);
        if (in(&r, 0, 1) == 0) {
            d.input_pitch = d.c + 8;
            d.output_pitch = d.k + 16;
        }
        if (i >= 12)
            make_integers(&d, i);
        run_taps(&d, &r);
    }
}

/* The reference network's three branches: how much is left out, and how evenly it is spread. */
static void test_spread(void **state)
{
    (void)state;
    if (conv.taps[0] == NULL)
        skip();
    vrs_taps_desc d = {
        .n = 16, .h = 32, .w = 32, .c = 2048, .k = 256, .branches = 3, .dilation = {6, 12, 18}};
    for (int32_t i = 0; i < 6; i++) {
        vrs_taps_plan plan;
        d.n = i < 3 ? 16 : 1;
        d.spread = (vrs_taps_spread)(i % 3);
        assert_int_equal(vrs_taps_plan_create(&conv, &d, &plan), VRS_OK);
        check_table(&plan);
        /* 4 (1 + 2 * 1/2)^2, (1 + 2 * 5/8)^2, (1 + 2 * 7/8)^2 of 9 taps for 64 pairs */
        if (d.n == 16)
            assert_int_equal(plan.steps, (256 + 324 + 484) * 32);
        assert_int_equal(plan.sums > 0, plan.workspace_bytes > 0);
        vrs_taps_plan_destroy(&plan);
    }
}

static vrs_status make_plan(void *opaque)
{
    (void)opaque;
    const vrs_taps_desc d = {
        .n = 1, .h = 9, .w = 9, .c = 64, .k = 8, .branches = 1, .dilation = {2}};
    vrs_taps_plan plan;
    const vrs_status status = vrs_taps_plan_create(&conv, &d, &plan);
    vrs_taps_plan_destroy(&plan);
    return status;
}

static void test_plan_memory(void **state)
{
    (void)state;
    if (conv.taps[0] == NULL)
        skip();
    assert_int_equal(inject_all(make_plan, NULL), 4);
}

/* --- vrs_stem ---------------------------------------------------------------------------------
 */

static void run_stem(int32_t n, int32_t h, int32_t w, bool biased, rng *r)
{
    cuda_block input = halves(pixels_of(n, h, w) * 16, r), bias = floats(64, r);
    cuda_block weights = cuda_block_make((size_t)VRS_STEM_WEIGHTS * 2);
    uint16_t *plain = malloc((size_t)VRS_STEM_WEIGHTS * 2);
    assert_non_null(plain);
    fill(plain, VRS_STEM_WEIGHTS, r);
    vrs_stem_pack(plain, cuda_block_host(&weights));
    cuda_block_upload(&weights);
    const int32_t out_h = (h + 1) / 2, out_w = (w + 1) / 2;
    const size_t count = pixels_of(n, out_h, out_w) * 64;
    cuda_block output = cuda_block_make(count * 2);
    const vrs_stem_buffers buffers = {.input = cuda_block_device(&input),
                                      .weights = cuda_block_device(&weights),
                                      .bias = biased ? cuda_block_device(&bias) : 0,
                                      .output = cuda_block_device(&output)};
    if (vrs_stem_launch(&conv, cuda_fixture_stream(), n, h, w, &buffers) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    const vrs_stem_params p = {.input = host_of(&input),
                               .weights = host_of(&weights),
                               .bias = biased ? host_of(&bias) : 0,
                               .output = host_of(&output),
                               .n = n,
                               .h = h,
                               .w = w,
                               .out_h = out_h,
                               .out_w = out_w};
    vrs_stem_reference(&p);
    char what[64];
    (void)snprintf(what, sizeof(what), "stem of %dx%dx%d", n, h, w);
    const uint16_t *got = cuda_block_result(&output, what), *expected = cuda_block_host(&output);
    for (size_t i = 0; i < count; i++)
        compare_value(got[i], (double)vrs_half_to_float(expected[i]), 1.01, 200, what, (int64_t)i);
    cuda_block_free(&input);
    cuda_block_free(&bias);
    cuda_block_free(&weights);
    cuda_block_free(&output);
    free(plain);
}

static void test_stem(void **state)
{
    (void)state;
    static const int32_t sizes[][3] = {{1, 1, 1},   {2, 2, 3},   {1, 7, 5},   {3, 16, 16},
                                       {1, 3, 256}, {1, 2, 257}, {1, 4, 255}, {1, 1, 385},
                                       {1, 3, 511}, {2, 34, 8},  {1, 3, 520}, {1, 17, 33}};
    rng r = {4};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        run_stem(sizes[i][0], sizes[i][1], sizes[i][2], i % 3 != 0, &r);
    run_stem(16, 70, 6, true, &r); /* strips of several rows */
}

/* --- Refusals ---------------------------------------------------------------------
 */

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
        cmocka_unit_test(test_taps),     cmocka_unit_test(test_spread),
        cmocka_unit_test(test_stem),     cmocka_unit_test(test_plan_memory),

        cmocka_unit_test(test_refusals),
    };
    int result = cuda_fixture_open();
    if (result == 0) {
        if (vrs_cuda_conv_open(cuda_fixture_device(), &conv) != VRS_OK) {
            fprintf(stderr, "%s\n", vrs_last_error());
            return EXIT_FAILURE;
        }
        result = cmocka_run_group_tests_name("cuda_conv", tests, NULL, NULL);
        cuda_fixture_close();
    }
    return result;
}
