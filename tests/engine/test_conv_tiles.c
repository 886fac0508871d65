/* The provider of convolutions on tensor cores: what it takes, and that each of its candidates
 * computes it. On the device that is there, or on fake_cuda. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/cuda/conv.h"
#include "kernels/cuda_fixture.h"
#include "kernels/half.h"
#include "support/inject.h"

static void *provider;

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static cuda_block halves(size_t count, uint32_t *random)
{
    cuda_block block = cuda_block_make(count * 2);
    for (size_t i = 0; i < count; i++)
        ((uint16_t *)cuda_block_host(&block))[i] =
            vrs_half_from_float((float)(next(random) % 2001) * 0.001F - 1.0F);
    cuda_block_upload(&block);
    return block;
}

static cuda_block floats(size_t count, uint32_t *random)
{
    cuda_block block = cuda_block_make(count * sizeof(float));
    for (size_t i = 0; i < count; i++)
        ((float *)cuda_block_host(&block))[i] = (float)(next(random) % 2001) * 0.001F - 1.0F;
    cuda_block_upload(&block);
    return block;
}

static vrs_conv square(int32_t batch, int32_t side, int32_t in, int32_t out, int32_t kernel,
                       int32_t dilation)
{
    const int32_t pad = kernel / 2 * dilation;
    return (vrs_conv){.batch = batch,
                      .in_height = side,
                      .in_width = side,
                      .in_channels = in,
                      .in_pitch = in,
                      .out_height = side,
                      .out_width = side,
                      .out_channels = out,
                      .out_pitch = out,
                      .kernel = {kernel, kernel},
                      .stride = {1, 1},
                      .dilation = {dilation, dilation},
                      .pad_before = {pad, pad},
                      .groups = 1,
                      .in_type = VRS_NET_F16,
                      .out_type = VRS_NET_F16,
                      .act = {.kind = VRS_NET_ACT_RELU},
                      .residual_scale = 1,
                      .out_quantum = 1};
}

static vrs_conv stem(int32_t batch, int32_t side)
{
    vrs_conv c = square(batch, side, 16, 64, 4, 1);
    c.follow = VRS_CONV_FOLLOW_MAX_POOL;
    for (int i = 0; i < 2; i++) {
        c.pool_kernel[i] = 3;
        c.pool_stride[i] = 2;
        c.pool_pad[i] = 1;
    }
    c.pool_height = c.pool_width = (side + 1) / 2;
    return c;
}

typedef struct convolution {
    vrs_conv conv;
    cuda_block x, weights, bias, residual;
} convolution;

static convolution make(const vrs_conv *c, uint32_t *random)
{
    const size_t pixels = (size_t)(c->batch * c->in_height * c->in_width);
    convolution made = {.conv = *c};
    made.x = halves(pixels * (size_t)c->in_pitch, random);
    made.weights =
        halves((size_t)(c->kernel[0] * c->kernel[1] * c->in_channels * c->out_channels), random);
    made.bias = floats((size_t)c->out_channels, random);
    made.residual = halves(pixels * (size_t)c->out_pitch, random);
    return made;
}

static void drop(convolution *t)
{
    cuda_block_free(&t->x);
    cuda_block_free(&t->weights);
    cuda_block_free(&t->bias);
    cuda_block_free(&t->residual);
}

/* Value of the convolution itself, from weights [out][tap][in]. */
static double value_at(const convolution *t, int32_t n, int32_t oy, int32_t ox, int32_t k)
{
    const vrs_conv *c = &t->conv;
    const uint16_t *x = cuda_block_host(&t->x), *w = cuda_block_host(&t->weights);
    double sum = (double)((const float *)cuda_block_host(&t->bias))[k];
    for (int32_t tap = 0; tap < c->kernel[0] * c->kernel[1]; tap++) {
        const int32_t y = oy - c->pad_before[0] + tap / c->kernel[1] * c->dilation[0];
        const int32_t column = ox - c->pad_before[1] + tap % c->kernel[1] * c->dilation[1];
        if (y < 0 || y >= c->in_height || column < 0 || column >= c->in_width)
            continue;
        const uint16_t *pixel =
            x + ((size_t)(n * c->in_height + y) * (size_t)c->in_width + (size_t)column) *
                    (size_t)c->in_pitch;
        const uint16_t *row =
            w + (size_t)(k * c->kernel[0] * c->kernel[1] + tap) * (size_t)c->in_channels;
        for (int32_t i = 0; i < c->in_channels; i++)
            sum += (double)vrs_half_to_float(pixel[i]) * (double)vrs_half_to_float(row[i]);
    }
    if (c->residual_pitch != 0)
        sum += (double)vrs_half_to_float(((const uint16_t *)cuda_block_host(
            &t->residual))[(size_t)((n * c->out_height + oy) * c->out_width + ox) *
                               (size_t)c->residual_pitch +
                           (size_t)k]);
    return c->act.kind == VRS_NET_ACT_RELU && sum < 0 ? 0 : sum;
}

static double expected_at(const convolution *t, int32_t n, int32_t y, int32_t x, int32_t k)
{
    const vrs_conv *c = &t->conv;
    if (c->follow == VRS_CONV_FOLLOW_NONE)
        return value_at(t, n, y, x, k);
    double most = 0;
    for (int32_t i = 0; i < 9; i++) {
        const int32_t row = 2 * y - 1 + i / 3, column = 2 * x - 1 + i % 3;
        if (row >= 0 && row < c->out_height && column >= 0 && column < c->out_width)
            most = fmax(most, value_at(t, n, row, column, k));
    }
    return most;
}

static void compare(const convolution *t, const cuda_block *y, const char *what)
{
    const vrs_conv *c = &t->conv;
    const bool pooled = c->follow != VRS_CONV_FOLLOW_NONE;
    const int32_t height = pooled ? c->pool_height : c->out_height;
    const int32_t width = pooled ? c->pool_width : c->out_width;
    const uint16_t *got = cuda_block_result(y, what);
    for (int32_t i = 0; i < c->batch * height * width; i++) {
        for (int32_t k = 0; k < c->out_channels; k++) {
            const double value = (double)vrs_half_to_float(got[i * c->out_pitch + k]);
            const double expected =
                expected_at(t, i / width / height, i / width % height, i % width, k);
            if (!(fabs(value - expected) <= fabs(expected) * 0x1p-10 + 0.002))
                fail_msg("%s: %g instead of %g at %d, channel %d", what, value, expected, i, k);
        }
    }
}

static void run_candidate(const convolution *t, int32_t candidate)
{
    const vrs_conv *c = &t->conv;
    vrs_conv_plan *plan = NULL;
    if (vrs_conv_tiles.prepare(provider, c, candidate, &plan) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_true(plan->name[0] != '\0');
    const bool packs = plan->packing[0] != '\0';
    assert_int_equal(vrs_conv_tiles.packed_bytes(plan) > 0, packs);
    cuda_block packed = cuda_block_make(vrs_conv_tiles.packed_bytes(plan) + 16);
    if (packs)
        vrs_conv_tiles.pack(plan, cuda_block_host(&t->weights), cuda_block_host(&packed));
    cuda_block_upload(&packed);
    cuda_block table = cuda_block_make(vrs_conv_tiles.table_bytes(plan) + 16);
    vrs_conv_tiles.make_table(plan, cuda_block_host(&table));
    cuda_block_upload(&table);
    cuda_block workspace = cuda_block_make(plan->workspace + 256);
    cuda_block y = cuda_block_make((size_t)(c->batch * c->out_height * c->out_width) *
                                   (size_t)c->out_pitch * 2);
    const vrs_conv_args args = {.x = cuda_block_device(&t->x),
                                .weights = cuda_block_device(packs ? &packed : &t->weights),
                                .table = cuda_block_device(&table),
                                .bias = cuda_block_device(&t->bias),
                                .residual =
                                    c->residual_pitch != 0 ? cuda_block_device(&t->residual) : 0,
                                .y = cuda_block_device(&y),
                                .workspace = cuda_block_device(&workspace)};
    if (vrs_conv_tiles.enqueue(plan, &args, cuda_fixture_stream()) != VRS_OK)
        fail_msg("%s: %s", plan->name, vrs_last_error());
    compare(t, &y, plan->name);
    vrs_conv_tiles.destroy(plan);
    cuda_block_free(&packed);
    cuda_block_free(&table);
    cuda_block_free(&workspace);
    cuda_block_free(&y);
}

/* Runs all candidates; returns how many there are. */
static int32_t run(const vrs_conv *conv)
{
    uint32_t random = 7;
    convolution t = make(conv, &random);
    const int32_t count = vrs_conv_tiles.candidates(provider, conv);
    for (int32_t i = 0; i < count; i++)
        run_candidate(&t, i);
    drop(&t);
    return count;
}

/* Also a GPU of 9.0 has none where the driver compiles PTX for it. */
static bool has_hopper_kernels(void)
{
    vrs_kernel *kernel;
    return vrs_device_kernel(cuda_fixture_device(), "vrs_conv_point_sm90", &kernel) == VRS_OK;
}

static void test_plain(void **state)
{
    (void)state;
    vrs_conv c = square(2, 9, 24, 40, 1, 1);
    assert_int_equal(run(&c), has_hopper_kernels() ? 2 : 1);
    c.residual_pitch = c.out_pitch = 48;
    c.residual_type = VRS_NET_F16;
    assert_int_equal(run(&c), has_hopper_kernels() ? 2 : 1);
    c = square(1, 11, 16, 24, 3, 1);
    c.act.kind = VRS_NET_ACT_NONE;
    assert_int_equal(run(&c), 1);
    c = square(1, 10, 16, 24, 3, 1);
    c.stride[0] = c.stride[1] = 2;
    c.out_height = c.out_width = 5;
    assert_int_equal(vrs_conv_tiles.candidates(provider, &c), 1);
}

static void test_taps(void **state)
{
    (void)state;
    vrs_conv c = square(3, 13, 72, 24, 3, 6);
    assert_int_equal(run(&c), has_hopper_kernels() ? 3 : 1);
}

static void test_stem(void **state)
{
    (void)state;
    const vrs_conv c = stem(2, 17);
    assert_int_equal(run(&c), 1);
}

/* What differs from these in one point is not taken. */
static void test_refusals(void **state)
{
    (void)state;
    vrs_conv bad[13];
    for (int i = 0; i < 13; i++)
        bad[i] = i < 9 || i == 12 ? square(1, 8, 16, 16, 1, 1) : stem(1, 8);
    bad[0].in_type = VRS_NET_I8;
    bad[1].out_type = VRS_NET_F32;
    bad[2].groups = 2;
    bad[3].transposed = 1;
    bad[4].act.kind = VRS_NET_ACT_HARD_SWISH;
    bad[5].scaled = 1;
    bad[6].residual_pitch = 16;
    bad[6].residual_type = VRS_NET_F16;
    bad[6].residual_scale = 2;
    bad[7].in_channels = 12;
    bad[8].follow = VRS_CONV_FOLLOW_HEAD;
    bad[9].pool_pad[1] = 0;
    bad[10].act.kind = VRS_NET_ACT_NONE;
    bad[11].out_channels = 32;
    bad[12].bare = 1;
    for (int i = 0; i < 13; i++)
        assert_int_equal(vrs_conv_tiles.candidates(provider, &bad[i]), 0);
}

static vrs_status prepare_taps(void *opaque)
{
    (void)opaque;
    const vrs_conv c = square(2, 13, 64, 16, 3, 6);
    vrs_conv_plan *plan = NULL;
    const vrs_status status = vrs_conv_tiles.prepare(provider, &c, 0, &plan);
    if (status == VRS_OK)
        vrs_conv_tiles.destroy(plan);
    return status;
}

static vrs_status open_close(void *opaque)
{
    (void)opaque;
    void *other = NULL;
    const vrs_status status = vrs_conv_tiles.open(cuda_fixture_device(), &other);
    if (status == VRS_OK)
        vrs_conv_tiles.close(other);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    if (!has_hopper_kernels())
        skip(); /* what is counted is what these need */
    assert_true(inject_all(prepare_taps, NULL) > 1);
    assert_int_equal(inject_all(open_close, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),    cmocka_unit_test(test_taps),   cmocka_unit_test(test_stem),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_memory),
    };
    int result = cuda_fixture_open();
    if (result == 0) {
        if (vrs_conv_tiles.open(cuda_fixture_device(), &provider) != VRS_OK) {
            fprintf(stderr, "%s\n", vrs_last_error());
            return EXIT_FAILURE;
        }
        result = cmocka_run_group_tests_name("conv_tiles", tests, NULL, NULL);
        vrs_conv_tiles.close(provider);
        cuda_fixture_close();
    }
    return result;
}
