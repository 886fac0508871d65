/* The CUDA kernels of a network, plain and fast, against their C reference: on the device that is
 * there, or on fake_cuda, where it is the launches that are tested. Odd sizes, slices of wider
 * pictures, padding channels, both types; results lie between guard bands. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_cuda/kernels_net.h"
#include "kernels/cuda/net_launch.h"
#include "kernels/cuda/net_ops.h"
#include "kernels/cuda_fixture.h"

static vrs_net_kernels kernels;
static uint64_t seed = 1;

static float random_value(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(seed >> 40) * 0x1p-22f - 2.0f;
}

static size_t size_of(int32_t type)
{
    return type == VRS_NET_F32 ? 4 : type == VRS_NET_F16 ? 2 : type == VRS_NET_I64 ? 8 : 1;
}

static cuda_block make(size_t elements, int32_t type)
{
    cuda_block block = cuda_block_make(elements * size_of(type));
    uint64_t data = (uint64_t)(uintptr_t)cuda_block_host(&block);
    for (size_t i = 0; i < elements; i++)
        vrs_net_store(data, type, (int64_t)i,
                      type == VRS_NET_I8 ? rintf(random_value() * 60) : random_value());
    cuda_block_upload(&block);
    return block;
}

/* The device's result beside the host's, which the reference has just made. */
static void compare(const cuda_block *block, int32_t type, float tolerance, const char *what)
{
    uint64_t found = (uint64_t)(uintptr_t)cuda_block_result(block, what);
    uint64_t wanted = (uint64_t)(uintptr_t)cuda_block_host(block);
    for (size_t i = 0; i < block->bytes / size_of(type); i++) {
        float f = vrs_net_load(found, type, (int64_t)i), w = vrs_net_load(wanted, type, (int64_t)i);
        float unit = type == VRS_NET_F16 ? 1e-3f : type == VRS_NET_I8 ? 1.01f : 1e-6f;
        if (f != w && !(fabsf(f - w) <= tolerance + unit * (type == VRS_NET_I8 ? 1 : fabsf(w))))
            fail_msg("%s: element %zu is %g, not %g", what, i, (double)f, (double)w);
    }
}

static uint64_t host(const cuda_block *block)
{
    return (uint64_t)(uintptr_t)cuda_block_host(block);
}

static const uint32_t none[3] = {1, 1, 1};

/* Runs the kernel with device addresses and the reference with the host's, on both twins. */
#define RUN(name, params, on_host, result, type, tolerance, what)                            \
    do {                                                                                     \
        fake_vrs_net_##name(&(on_host), none, none);                                         \
        for (int plain = 0; plain < 2; plain++) {                                            \
            kernels.plain = plain != 0;                                                      \
            assert_int_equal(vrs_net_##name(&kernels, cuda_fixture_stream(), &(params)), 0); \
            compare(&(result), type, tolerance, what);                                       \
        }                                                                                    \
    } while (0)

static const int32_t types[] = {VRS_NET_F16, VRS_NET_F32};

/* A picture in a wider one: `pitch` elements a pixel, from channel `offset` on. */
static vrs_net_picture picture(uint64_t data, int32_t type, int32_t pitch, int32_t offset,
                               int32_t height, int32_t width)
{
    return (vrs_net_picture){.data = data + (uint64_t)offset * size_of(type),
                             .type = type,
                             .pitch = pitch,
                             .height = height,
                             .width = width};
}

static void test_pool(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        int32_t type = types[i & 1], kind = i >> 1 & 1, channels = i & 4 ? 13 : 24;
        cuda_block in = make(2 * 7 * 9 * 24, type), out = make(2 * 4 * 5 * 32, type);
        vrs_net_pool_params p = {.out = picture(cuda_block_device(&out), type, 32, 8, 4, 5),
                                 .in = picture(cuda_block_device(&in), type, 24, 0, 7, 9),
                                 .batch = 2,
                                 .channels = channels,
                                 .fill = i & 4 ? 16 : 24,
                                 .kind = kind,
                                 .kernel = {3, 3},
                                 .stride = {2, 2},
                                 .dilation = {1, 1},
                                 .pad_before = {1, 1},
                                 .pad_after = {1, 1},
                                 .include_pad = i & 4};
        vrs_net_pool_params h = p;
        h.out.data += host(&out) - cuda_block_device(&out);
        h.in.data += host(&in) - cuda_block_device(&in);
        RUN(pool, p, h, out, type, 1e-6f, "pool");
        cuda_block_free(&in);
        cuda_block_free(&out);
    }
}

static void test_resize(void **state)
{
    (void)state;
    for (int i = 0; i < 42; i++) {
        int32_t coordinate = i % 6, mode = i / 6 & 1;
        int32_t type = types[i / 12 & 1], result = i >= 36 ? VRS_NET_I8 : type;
        type = i >= 36 ? VRS_NET_F16 : type;
        cuda_block in = make(2 * 5 * 6 * 16, type), out = make(2 * 11 * 13 * 48, result);
        vrs_net_resize_params p = {.out = picture(cuda_block_device(&out), result, 48, 16, 11, 13),
                                   .in = picture(cuda_block_device(&in), type, 16, 0, 5, 6),
                                   .batch = 2,
                                   .channels = 11,
                                   .fill = 16,
                                   .mode = mode,
                                   .coordinate = coordinate,
                                   .nearest = i % 4,
                                   .scale = {11 / 5.0f, 13 / 6.0f},
                                   .steps = 50.0f};
        vrs_net_resize_params h = p;
        h.out.data += host(&out) - cuda_block_device(&out);
        h.in.data += host(&in) - cuda_block_device(&in);
        RUN(resize, p, h, out, result, mode ? 1e-4f : 0, "resize");
        cuda_block_free(&in);
        cuda_block_free(&out);
    }
}

/* What taps make, enlarged and added up: 3x3 by four in FP16, which has a kernel of its own, for
 * few and for many pixels, and others. */
static void test_resize_taps(void **state)
{
    (void)state;
    static const struct {
        int32_t batch, height, width, channels, taps, factor, type;
    } cases[] = {
        {2, 5, 7, 6, 3, 4, VRS_NET_F16},  {1, 1, 1, 2, 3, 4, VRS_NET_F16},
        {1, 1, 9, 8, 3, 4, VRS_NET_F16},  {2, 9, 1, 8, 3, 4, VRS_NET_F16},
        {1, 5, 7, 7, 3, 4, VRS_NET_F16},  {2, 3, 4, 6, 3, 4, VRS_NET_F32},
        {1, 4, 3, 6, 3, 5, VRS_NET_F16},  {1, 4, 3, 6, 5, 4, VRS_NET_F16},
        {1, 5, 19, 8, 3, 4, VRS_NET_F16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t batch = cases[i].batch, h = cases[i].height, w = cases[i].width;
        int32_t c = cases[i].channels, taps = cases[i].taps, f = cases[i].factor;
        int32_t type = cases[i].type, pitch = c + 2, from = taps * taps * c + 2;
        cuda_block in = make(batch * h * w * from, type);
        cuda_block out = make(batch * h * w * f * f * pitch, type);
        vrs_net_resize_params p = {
            .out = picture(cuda_block_device(&out), type, pitch, 0, h * f, w * f),
            .in = picture(cuda_block_device(&in), type, from, 0, h, w),
            .batch = batch,
            .channels = c,
            .fill = c,
            .mode = VRS_NET_RESIZE_LINEAR,
            .coordinate = VRS_NET_RESIZE_HALF_PIXEL,
            .scale = {(float)f, (float)f},
            .taps = taps,
            .steps = 1};
        vrs_net_resize_params host_p = p;
        host_p.out.data += host(&out) - cuda_block_device(&out);
        host_p.in.data += host(&in) - cuda_block_device(&in);
        RUN(resize, p, host_p, out, type, 1e-5f * (float)(taps * taps), "resize of taps");
        cuda_block_free(&in);
        cuda_block_free(&out);
    }
}

/* Depthwise, to few channels, and of every other kind; with all that may follow. */
static void test_conv(void **state)
{
    static const struct {
        int32_t in, out, groups, kernel, stride, dilation, transposed, in_type, out_type;
    } cases[] = {
        {24, 24, 24, 3, 1, 1, 0, VRS_NET_F16, VRS_NET_F16}, /* depthwise */
        {24, 24, 24, 5, 2, 1, 0, VRS_NET_F32, VRS_NET_F32},
        {72, 2, 1, 1, 1, 1, 0, VRS_NET_F16, VRS_NET_F32}, /* narrow */
        {136, 7, 1, 1, 1, 1, 0, VRS_NET_F32, VRS_NET_F32},
        {144, 2, 1, 1, 1, 1, 0, VRS_NET_I8, VRS_NET_F32},
        {16, 4, 1, 1, 1, 1, 0, VRS_NET_I8, VRS_NET_I8},
        {40, 1, 1, 1, 1, 1, 0, VRS_NET_F16, VRS_NET_F16},
        {24, 16, 1, 3, 1, 2, 0, VRS_NET_F16, VRS_NET_F16},
        {24, 16, 2, 3, 2, 1, 0, VRS_NET_F32, VRS_NET_F32},
        {16, 24, 1, 3, 2, 1, 1, VRS_NET_F16, VRS_NET_F16},
        {16, 16, 1, 3, 1, 1, 0, VRS_NET_I8, VRS_NET_F16},
        {16, 16, 1, 3, 1, 1, 0, VRS_NET_I8, VRS_NET_I8},
        {16, 16, 1, 3, 1, 1, 0, VRS_NET_F16, VRS_NET_I8},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int32_t in = cases[i].in, out = cases[i].out, k = cases[i].kernel, stride = cases[i].stride;
        int32_t pad = k / 2 * cases[i].dilation, side = 9, wide = 7;
        int32_t high = cases[i].transposed ? side * stride : (side - 1) / stride + 1;
        int32_t across = cases[i].transposed ? wide * stride : (wide - 1) / stride + 1;
        size_t taps = (size_t)(k * k);
        cuda_block x = make((size_t)(2 * side * wide * in), cases[i].in_type);
        cuda_block w = make((size_t)(out * in / cases[i].groups) * taps, cases[i].in_type);
        cuda_block y = make((size_t)(2 * high * across * out), cases[i].out_type);
        cuda_block r = make((size_t)(2 * high * across * out), cases[i].out_type);
        cuda_block f = make((size_t)out * 3, VRS_NET_F32);
        vrs_net_conv_params p = {
            .out = picture(cuda_block_device(&y), cases[i].out_type, out, 0, high, across),
            .in = picture(cuda_block_device(&x), cases[i].in_type, in, 0, side, wide),
            .weights = cuda_block_device(&w),
            .bias = cuda_block_device(&f),
            .batch = 2,
            .in_channels = in,
            .out_channels = out,
            .groups = cases[i].groups,
            .kernel = {k, k},
            .stride = {stride, stride},
            .dilation = {cases[i].dilation, cases[i].dilation},
            .pad_before = {pad, pad},
            .residual_pitch = out,
            .transposed = cases[i].transposed,
            .residual_type = cases[i].out_type,
            .residual_scale = 1,
            .out_quantum = cases[i].out_type == VRS_NET_I8 ? 2.5f : 1.0f,
            .act = {.kind = VRS_NET_ACT_PRELU}};
        p.scale = p.bias + (uint64_t)out * 4;
        p.slope = p.bias + (uint64_t)out * 8;
        p.residual = cases[i].out_type == VRS_NET_I8 ? 0 : cuda_block_device(&r);
        vrs_net_conv_params h = p;
        h.out.data = host(&y);
        h.in.data = host(&x);
        h.weights = host(&w);
        h.bias = host(&f);
        h.scale = h.bias + (uint64_t)out * 4;
        h.slope = h.bias + (uint64_t)out * 8;
        h.residual = p.residual ? host(&r) : 0;
        float sums = (float)taps * (float)in / (float)cases[i].groups;
        RUN(conv, p, h, y, cases[i].out_type, sums * 2e-5f, "conv");
        cuda_block_free(&x);
        cuda_block_free(&w);
        cuda_block_free(&y);
        cuda_block_free(&r);
        cuda_block_free(&f);
    }
}

/* Sums over many pixels: by blocks, by single threads, and, from 24 on, of four channels each. */
static void test_reduce(void **state)
{
    (void)state;
    for (int i = 0; i < 36; i++) {
        int32_t type = types[i & 1], kind = i < 24 ? i / 2 % 6 : i / 2 % 2;
        int32_t from = i >= 24 && i % 3 == 0 ? VRS_NET_I8 : type;
        int64_t pixels = i < 12 || i >= 24 ? 300 : 7;
        cuda_block in = make((size_t)(2 * pixels * 40), from), out = make(2 * 40, type);
        vrs_net_reduce_params p = {
            .out = {.data = cuda_block_device(&out), .type = type, .stride = {40, 1}},
            .in = {.data = cuda_block_device(&in), .type = from, .stride = {pixels * 40, 1}},
            .dims = {2, i < 24 ? 37 : 36},
            .over_dims = {pixels},
            .over_stride = {40},
            .fill = 40,
            .rank = 2,
            .over_rank = 1,
            .kind = kind,
            .factor = kind == VRS_NET_REDUCE_SUM ? 0.25f : 1.0f};
        if (kind == VRS_NET_REDUCE_PROD)
            p.over_dims[0] = 7; /* of many numbers it is nothing or everything */
        vrs_net_reduce_params h = p;
        h.out.data = host(&out);
        h.in.data = host(&in);
        RUN(reduce, p, h, out, type, kind == VRS_NET_REDUCE_SUM ? 2e-3f : 1e-4f, "reduce");
        cuda_block_free(&in);
        cuda_block_free(&out);
    }
}

/* A product, bias, and a slope for each column or row. */
static void test_matmul(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        int32_t type = types[i & 1], rows = 5, columns = 37, depth = 19;
        cuda_block a = make((size_t)(rows * depth), type),
                   b = make((size_t)(depth * columns), type);
        cuda_block out = make((size_t)(rows * columns), type), f = make(80, VRS_NET_F32);
        vrs_net_matmul_params p = {.a = cuda_block_device(&a),
                                   .b = cuda_block_device(&b),
                                   .bias = i & 2 ? cuda_block_device(&f) : 0,
                                   .out = cuda_block_device(&out),
                                   .slope = cuda_block_device(&f) + 160,
                                   .a_row = depth,
                                   .a_column = 1,
                                   .b_row = columns,
                                   .b_column = 1,
                                   .out_row = columns,
                                   .out_column = 1,
                                   .bias_column = 1,
                                   .slope_row = i & 4 ? 1 : 0,
                                   .slope_column = i & 4 ? 0 : 1,
                                   .dims = {1, 1, 1, 1},
                                   .a_type = type,
                                   .b_type = type,
                                   .bias_type = VRS_NET_F32,
                                   .out_type = type,
                                   .rows = rows,
                                   .columns = columns,
                                   .depth = depth,
                                   .alpha = 0.5f,
                                   .beta = 2.0f,
                                   .act = {.kind = VRS_NET_ACT_PRELU}};
        vrs_net_matmul_params h = p;
        h.a = host(&a);
        h.b = host(&b);
        h.bias = p.bias ? host(&f) : 0;
        h.out = host(&out);
        h.slope = host(&f) + 160;
        if (vrs_net_matmul(&kernels, cuda_fixture_stream(), &p) != VRS_OK)
            fail_msg("%s", vrs_last_error());
        for (int64_t at = 0; at < rows * columns; at++)
            vrs_net_matmul_element(&h, 0, at / columns, at % columns);
        compare(&out, type, 1e-4f, "matmul");
        cuda_block_free(&a);
        cuda_block_free(&b);
        cuda_block_free(&out);
        cuda_block_free(&f);
    }
}

/* Rows of channels: operands as rows, as one a channel, as one for all, and left out. */
static void test_map(void **state)
{
    static const int32_t ops[] = {VRS_NET_MOVE,
                                  VRS_NET_SCALE_SHIFT,
                                  VRS_NET_SUM,
                                  VRS_NET_BINARY + VRS_NET_BINARY_MUL,
                                  VRS_NET_BINARY + VRS_NET_BINARY_MAX,
                                  VRS_NET_UNARY + VRS_NET_UNARY_ABS};
    (void)state;
    for (int i = 0; i < 6 * VRS_NET_ACTS; i++) {
        int32_t type = types[i & 1];
        cuda_block a = make(19 * 24, type), b = make(24, VRS_NET_F32), c = make(19 * 24, type);
        cuda_block out = make(19 * 32, type);
        vrs_net_map_params p = {
            .out = {.data = cuda_block_device(&out), .type = type, .stride = {32, 1}},
            .in = {{.data = cuda_block_device(&a), .type = type, .stride = {24, 1}},
                   {.data = cuda_block_device(&b), .type = VRS_NET_F32, .stride = {0, i % 3 != 0}},
                   {.data = cuda_block_device(&c), .type = type, .stride = {24, 1}}},
            .slope = {.data = cuda_block_device(&b), .type = VRS_NET_F32, .stride = {0, 1}},
            .dims = {19, 21},
            .fill = 24,
            .rank = 2,
            .op = ops[i % 6],
            .act = {.kind = i / 6, .alpha = 0.3f, .beta = 0.4f, .min = -1, .max = 0.5f}};
        vrs_net_map_params h = p;
        h.out.data = host(&out);
        h.in[0].data = host(&a);
        h.in[1].data = h.slope.data = host(&b);
        h.in[2].data = host(&c);
        RUN(map, p, h, out, type, 1e-5f, "map");
        cuda_block_free(&a);
        cuda_block_free(&b);
        cuda_block_free(&c);
        cuda_block_free(&out);
    }
}

int main(void)
{
    int unusable = cuda_fixture_open();
    if (unusable != 0)
        return unusable;
    if (vrs_net_open(cuda_fixture_device(), &kernels) != VRS_OK) {
        fprintf(stderr, "%s\n", vrs_last_error());
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool),        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_resize_taps), cmocka_unit_test(test_conv),
        cmocka_unit_test(test_reduce),      cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_map),
    };
    int failed = cmocka_run_group_tests_name("kernels/cuda_net", tests, NULL, NULL);
    cuda_fixture_close();
    return failed;
}
