/* The CUDA convolutions of several dilations at once and those of the first layer, against the C
 * reference: on the device that is there, or on fake_cuda. */
#include "kernels/cuda_conv_cases.h"
#include "support/inject.h"

/* --- vrs_taps --- */

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

/* --- vrs_stem --- */

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
    static const int32_t stems[][3] = {{1, 1, 1},   {2, 2, 3},   {1, 7, 5},   {3, 16, 16},
                                       {1, 3, 256}, {1, 2, 257}, {1, 4, 255}, {1, 1, 385},
                                       {1, 3, 511}, {2, 34, 8},  {1, 3, 520}, {1, 17, 33}};
    rng r = {4};
    for (size_t i = 0; i < sizeof(stems) / sizeof(stems[0]); i++)
        run_stem(stems[i][0], stems[i][1], stems[i][2], i % 3 != 0, &r);
    run_stem(16, 70, 6, true, &r); /* strips of several rows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taps),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_plan_memory),
        cmocka_unit_test(test_stem),
    };
    int result = open_conv();
    if (result == 0) {
        result = cmocka_run_group_tests_name("cuda_conv_taps", tests, NULL, NULL);
        cuda_fixture_close();
    }
    return result;
}
