/* The engine of our own, on the GPU that is there or on the stand-in driver: every node beside the
 * graph's interpreter, requests, batches, refusals, each failure of memory and of the driver. */
#define _XOPEN_SOURCE 700

#include <math.h>

#include "engine/cuda_rig.h"

#define OPS_DESCRIPTOR                                              \
    HEAD "input: {width: 24, height: 16, scale: 1/64, mean: 128}\n" \
         "output: {activation: softmax, classes: [a, person], person: [person]}\n"

/* Each node of each size in each precision. */
static void verify(const char *descriptor, const char *onnx, int32_t batch, int least)
{
    static const vrs_precision precisions[] = {VRS_PRECISION_F32, VRS_PRECISION_F16,
                                               VRS_PRECISION_TF32};
    vrs_model *model = load_model(descriptor, onnx);
    for (size_t i = 0; i < sizeof precisions / sizeof precisions[0]; i++) {
        for (int small = 0; small < 2; small++) {
            vrs_engine_params params = on_device(precisions[i], batch);
            params.enlarges = small ? VRS_ENLARGE_ALL : 0;
            params.float_input = !small;
            params.batches[0] = 1;
            params.batches[1] = 2;
            vrs_engine *engine = make(model, &params);
            for (int32_t n = batch; n >= 1; n = n > 2 ? 2 : n - 1) {
                int count = 0;
                if (vrs_engine_verify(engine, n, 7, expect_good, &count) != VRS_OK)
                    fail_msg("%s", vrs_last_error());
                assert_true(count >= least);
            }
            vrs_engine_destroy(engine);
        }
    }
    vrs_model_destroy(model);
}

static void test_nodes(void **state)
{
    (void)state;
    verify(OPS_DESCRIPTOR, "ops.onnx", 3, 40);
    verify(HEAD INPUT OUTPUT, "tiny.onnx", 2, 1);
    verify(OPS_DESCRIPTOR, "enlarged.onnx", 3, 8);
    verify(STATE_DESCRIPTOR, "tiny-state.onnx", 2, 4);
    verify(HEAD "input: {width: 6, height: 4, layout: nhwc}\n"
                "output: {activation: none, layout: nhwc, classes: 2, person: [1]}\n",
           "tiny-nhwc.onnx", 2, 1);
}

/* Layers that the file has quantised: in 8 bits where their input is made in steps for nothing,
 * else, and in other precisions, in floats. */
static void test_quantised(void **state)
{
    (void)state;
    verify(OPS_DESCRIPTOR, "quantised.onnx", 2, 8);
    vrs_model *model = load_model(OPS_DESCRIPTOR, "quantised.onnx");
    vrs_engine_params params = on_device(VRS_PRECISION_INT8, 2);
    params.enlarges = VRS_ENLARGE_ALL;
    vrs_engine *engine = make(model, &params);
    int count = 0;
    if (vrs_engine_verify(engine, 2, 7, expect_good, &count) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_true(count >= 8);
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

static void count_steps(void *opaque, const vrs_engine_node *node)
{
    *(int *)opaque += strncmp(node->does, "conv", 4) == 0 && node->bits == 8;
}

/* Blocks whose shortcuts add what the file has rounded: their results are stored in steps where
 * there are kernels for it, so that the block behind reads 8 bits from its first layer on. The last
 * block's shortcut adds the floats, which are kept then. */
static void test_blocks(void **state)
{
    (void)state;
    verify(OPS_DESCRIPTOR, "blocks.onnx", 2, 12);
    vrs_model *model = load_model(OPS_DESCRIPTOR, "blocks.onnx");
    vrs_engine_params params = on_device(VRS_PRECISION_INT8, 2);
    params.batches[0] = 2;
    vrs_engine *engine = make(model, &params);
    int count = 0, steps = 0;
    if (vrs_engine_verify(engine, 2, 7, expect_good, &count) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    vrs_engine_visit_nodes(engine, count_steps, &steps);
    /* Of the 14 layers the other reads what is added as it is. */
    assert_int_equal(steps, vrs_device_get_properties(device)->major == 9 ? 13 : 10);
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

static void count_joined(void *opaque, const vrs_engine_node *node)
{
    *(int *)opaque += strstr(node->plan, "in one") != NULL;
}

/* Those that were faster apart: groups that begin with another one were tried after the larger. */
static void test_pyramid_apart(void **state)
{
    (void)state;
    static const vrs_precision precisions[] = {VRS_PRECISION_F16, VRS_PRECISION_INT8};
    vrs_model *model = load_model(OPS_DESCRIPTOR, "pyramid.onnx");
    for (int i = 0; i < 2; i++) {
        vrs_engine_params params = on_device(precisions[i], 2);
        params.branches = VRS_BRANCHES_OFF;
        vrs_engine *engine = make(model, &params);
        int count = 0, joined = 0;
        if (vrs_engine_verify(engine, 2, 7, expect_good, &count) != VRS_OK)
            fail_msg("%s", vrs_last_error());
        vrs_engine_visit_nodes(engine, count_joined, &joined);
        assert_int_equal(joined, 0);
        vrs_engine_destroy(engine);
    }
    vrs_model_destroy(model);
}

/* Convolutions of one input that run in one launch, and a block's end that is stored in steps
 * though it has a residual: each node beside plain C, and the same from the cache. */
static void test_pyramid(void **state)
{
    (void)state;
    static const vrs_precision precisions[] = {VRS_PRECISION_F16, VRS_PRECISION_INT8};
    verify(OPS_DESCRIPTOR, "pyramid.onnx", 2, 10);
    char path[512];
    snprintf(path, sizeof path, "%s/pyramid", folder);
    vrs_model *model = load_model(OPS_DESCRIPTOR, "pyramid.onnx");
    for (int i = 0; i < 4; i++) {
        static int joined;
        vrs_engine_params params = on_device(precisions[i / 2], 2);
        params.cache_dir = path;
        vrs_engine *engine = make(model, &params);
        int count = 0, found = 0;
        if (vrs_engine_verify(engine, 2, 7, expect_good, &count) != VRS_OK)
            fail_msg("%s", vrs_last_error());
        assert_true(count >= 10);
        vrs_engine_visit_nodes(engine, count_joined, &found);
        assert_int_equal(strstr(vrs_engine_describe(engine), "from cache") != NULL, i % 2);
        assert_true(i % 2 == 0 || found == joined);
        joined = found;
        vrs_engine_destroy(engine);
    }
    vrs_model_destroy(model);
}

/* ---- requests ---- */

#define W 24
#define H 16

/* One view of bytes as the network's FP32 input of space-to-depth. */
static void put_input(vrs_request *request, int32_t position, int seed, float *host)
{
    for (int i = 0; i < W * H * 3; i++)
        host[i] = (float)((i * 37 + seed * 101) % 256) / 64.0f - 2.0f;
    vrs_device_ptr to = (vrs_device_ptr)(uintptr_t)vrs_request_input(request, position);
    assert_int_equal(vrs_device_upload(stream, to, host, W * H * 3 * sizeof(float)), VRS_OK);
    settle();
}

static void count_taps(void *opaque, const vrs_engine_node *node)
{
    *(int *)opaque += strstr(node->does, "taps") != NULL;
}

/* In FP16 convolutions of enlarged pictures are made on the small ones; scores stay what they are.
 */
static void test_enlarged(void **state)
{
    (void)state;
    static float host[W * H * 3], scores[2][2 * W * H];
    vrs_model *model = load_model(OPS_DESCRIPTOR, "enlarged.onnx");
    for (int i = 0; i < 2; i++) {
        vrs_engine_params params = on_device(i ? VRS_PRECISION_F16 : VRS_PRECISION_F32, 2);
        params.float_input = true;
        params.batches[0] = 2;
        vrs_engine *engine = make(model, &params);
        int taps = 0;
        vrs_engine_visit_nodes(engine, count_taps, &taps);
        assert_int_equal(taps, i ? 2 : 0);
        vrs_request *request = vrs_engine_request(engine, 0);
        for (int32_t n = 0; n < 2; n++)
            put_input(request, n, 7, host);
        assert_int_equal(vrs_request_enqueue(request, 2, stream), VRS_OK);
        get_scores(request, 1, scores[i], 2 * W * H);
        vrs_engine_destroy(engine);
    }
    double off = 0, all = 0;
    for (size_t i = 0; i < 2 * W * H; i++) {
        double d = (double)scores[1][i] - (double)scores[0][i];
        off += d * d;
        all += (double)scores[0][i] * (double)scores[0][i];
    }
    assert_true(all > 0 && sqrt(off) <= 2e-3 * sqrt(all));
    vrs_model_destroy(model);
}

typedef struct eights {
    int convs, steps; /* convolutions, and those that a plan of INT8 runs */
    double bytes;
} eights;

static void count_eights(void *opaque, const vrs_engine_node *node)
{
    eights *e = opaque;
    e->convs += strncmp(node->does, "conv", 4) == 0;
    e->steps += node->bits == 8;
    e->bytes += node->bytes;
}

/* A quantised file from its reading to its plans: layers in 8 bits where that costs nothing, the
 * same from the cache and with fewer views, near the floats. */
static void test_int8(void **state)
{
    (void)state;
    static float host[W * H * 3], scores[2][2 * W * H];
    char path[512];
    snprintf(path, sizeof path, "%s/cache8", folder);
    vrs_model *model = load_model(OPS_DESCRIPTOR, "quantised.onnx");
    for (int round = 0; round < 3; round++) {
        vrs_precision precision = round == 0 ? VRS_PRECISION_F32 : VRS_PRECISION_INT8;
        vrs_engine_params params = on_device(precision, 4);
        params.float_input = true;
        params.cache_dir = path;
        params.batches[0] = 1;
        params.batches[1] = 2;
        vrs_engine *engine = make(model, &params);
        assert_int_equal(strstr(vrs_engine_describe(engine), "from cache") != NULL, round == 2);
        eights e = {0};
        vrs_engine_visit_nodes(engine, count_eights, &e);
        assert_true(e.convs >= 3 * 7);
        assert_true(round == 0 ? e.steps == 0 : e.steps >= 3 * 3);
        int count = 0;
        for (int32_t n = 1; n <= 4; n *= 2)
            assert_int_equal(vrs_engine_verify(engine, n, 5, expect_good, &count), VRS_OK);
        vrs_request *request = vrs_engine_request(engine, 0);
        for (int32_t limit = 4; limit >= 1; limit /= 2) {
            assert_int_equal(vrs_engine_limit_batch(engine, limit, NULL), VRS_OK);
            for (int32_t i = 0; i < 4; i++)
                put_input(request, i, 5, host);
            assert_int_equal(vrs_request_enqueue(request, 4, stream), VRS_OK);
            get_scores(request, 3, scores[round > 0], 2 * W * H);
            double off = 0, all = 0;
            for (size_t i = 0; i < 2 * W * H && round > 0; i++) {
                double d = (double)scores[1][i] - (double)scores[0][i];
                off += d * d;
                all += (double)scores[0][i] * (double)scores[0][i];
            }
            assert_true(sqrt(off) <= 0.1 * sqrt(all));
        }
        vrs_engine_destroy(engine);
    }
    vrs_model_destroy(model);
}

/* A view's scores are the same in every batch and on every request: here, where each size runs the
 * same kernels, to the bit; in general as near as the plans of the sizes round alike. */
static void test_batches(void **state)
{
    (void)state;
    static float host[W * H * 3], first[2 * W * H], scores[2 * W * H];
    vrs_model *model = load_model(OPS_DESCRIPTOR, "ops.onnx");
    vrs_engine_params params = on_device(VRS_PRECISION_F32, 4);
    params.requests = 2;
    params.float_input = true;
    vrs_engine *engine = make(model, &params);
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    assert_true(io->on_device);
    assert_int_equal(io->tensor, VRS_TENSOR_F32_NCHW);
    assert_int_equal(io->scores_elements, 2 * W * H);
    for (int r = 0; r < 2; r++) {
        vrs_request *request = vrs_engine_request(engine, r);
        for (int32_t batch = 1; batch <= 4; batch++) {
            for (int32_t i = 0; i < batch; i++)
                put_input(request, i, i == batch - 1 ? 5 : i + batch, host);
            assert_int_equal(vrs_request_enqueue(request, batch, stream), VRS_OK);
            get_scores(request, batch - 1, scores, 2 * W * H);
            if (r == 0 && batch == 1) {
                memcpy(first, scores, sizeof first);
                assert_true(fabsf(first[0]) > 0 && isfinite(first[0]));
            }
            for (size_t i = 0; i < 2 * W * H; i++)
                assert_true(fabsf(scores[i] - first[i]) <= 1e-4f * (1 + fabsf(first[i])));
        }
    }
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* ---- branches beside each other ---- */

/* Scores of some inputs in batches of each size, run after run. */
static void run_branches(vrs_engine *engine, float (*scores)[2 * W * H])
{
    static float host[W * H * 3];
    vrs_request *request = vrs_engine_request(engine, 0);
    for (int32_t n = 0; n < 12; n++) {
        int32_t batch = n % 3 + 1;
        for (int32_t i = 0; i < batch; i++)
            put_input(request, i, n + i, host);
        assert_int_equal(vrs_request_enqueue(request, batch, stream), VRS_OK);
        get_scores(request, batch - 1, scores[n], 2 * W * H);
    }
}

/* In any order that streams and events allow the results are those of one node after the other, to
 * the bit. */
static void test_branches(void **state)
{
    (void)state;
    static const char *const networks[] = {"ops.onnx", "quantised.onnx"};
    static float expected[12][2 * W * H], scores[12][2 * W * H];
    for (int i = 0; i < 2; i++) {
        vrs_model *model = load_model(OPS_DESCRIPTOR, networks[i]);
        for (int mode = VRS_BRANCHES_OFF; mode <= VRS_BRANCHES_ON; mode++) {
            vrs_engine_effort effort;
            vrs_engine_params params = on_device(VRS_PRECISION_F32, 3);
            params.float_input = true;
            params.batches[0] = 1;
            params.batches[1] = 2;
            params.branches = (vrs_branches)mode;
            vrs_engine *engine = make(model, &params);
            vrs_engine_get_effort(engine, &effort);
            assert_int_equal(effort.beside, mode == VRS_BRANCHES_ON ? 3 : 0);
            bool on = mode == VRS_BRANCHES_ON;
            run_branches(engine, on ? scores : expected);
            if (on) { /* and in parts, captured anew */
                assert_memory_equal(scores, expected, sizeof scores);
                assert_int_equal(vrs_engine_limit_batch(engine, 2, NULL), VRS_OK);
                run_branches(engine, scores);
                assert_memory_equal(scores, expected, sizeof scores);
            }
            vrs_engine_destroy(engine);
        }
        vrs_model_destroy(model);
    }
}

/* What is left to the caller: the last enlarging, and the layout of input and scores. */
static void test_io(void **state)
{
    (void)state;
    vrs_model *model = load_model(OPS_DESCRIPTOR, "ops.onnx");
    vrs_engine_params params = on_device(VRS_PRECISION_F16, 1);
    params.enlarges = VRS_ENLARGE_ALL;
    vrs_engine *engine = make(model, &params);
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    assert_int_equal(io->tensor, VRS_TENSOR_F16_S2D);
    assert_int_equal(io->channels, 16);
    assert_int_equal(io->input_bytes, W / 2 * H / 2 * 16 * 2);
    assert_int_equal(io->enlarge, 2);
    assert_int_equal(io->enlarge_rule, VRS_ENLARGE_HALF_PIXEL);
    assert_int_equal(io->scores_width, W / 2);
    assert_int_equal(io->scores_height, H / 2);
    assert_int_equal(io->scores_type, VRS_TENSOR_F32);
    assert_int_equal(io->class_stride, 1);
    assert_int_equal(io->column_stride, 2);
    assert_int_equal(io->row_stride, W);
    assert_non_null(strstr(vrs_engine_describe(engine), "f16"));
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* Nothing is allocated and the host waits for nothing once an engine is made. */
static void test_quiet(void **state)
{
    (void)state;
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    vrs_engine_params params = on_device(VRS_PRECISION_F16, 4);
    vrs_engine *engine = make(model, &params);
    vrs_device_calls before, after;
    vrs_device_get_calls(device, &before);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(vrs_request_enqueue(vrs_engine_request(engine, 0), i % 4 + 1, stream),
                         VRS_OK);
    }
    vrs_device_get_calls(device, &after);
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.host_waits, before.host_waits);
    assert_int_equal(after.launches, before.launches); /* graphs alone */
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

static void count_node(void *opaque, const vrs_engine_node *node)
{
    int *count = opaque;
    assert_true(node->micros >= 0 && node->bytes > 0 && node->fused >= 1);
    (*count)++;
}

static void test_report(void **state)
{
    (void)state;
    vrs_model *model = load_model(OPS_DESCRIPTOR, "ops.onnx");
    vrs_engine_params params = on_device(VRS_PRECISION_F32, 2);
    params.batches[0] = 1;
    vrs_engine *engine = make(model, &params);
    int count = 0;
    vrs_engine_visit_nodes(engine, count_node, &count);
    assert_true(count >= 2 * 40);
    assert_int_equal(vrs_engine_verify(engine, 3, 1, expect_good, &count), VRS_UNSUPPORTED);
    expect_detail("3 views");
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

typedef struct counting {
    int count;
    double bytes;
} counting;

static void see_counted(void *opaque, const vrs_engine_counted *c)
{
    counting *seen = opaque;
    assert_true(c->name[0] != 0 && (c->batch == 1 || c->batch == 2));
    seen->bytes += c->counted.bytes;
    seen->count++;
}

/* Each node of each size once by the hardware's counters, and no score changes. */
static void test_counted(void **state)
{
    (void)state;
    static float host[W * H * 3], first[2 * W * H], scores[2 * W * H];
    vrs_model *model = load_model(OPS_DESCRIPTOR, "ops.onnx");
    vrs_engine_params params = on_device(VRS_PRECISION_F32, 2);
    params.batches[0] = 1;
    params.float_input = true;
    vrs_engine *engine = make(model, &params);
    vrs_request *request = vrs_engine_request(engine, 0);
    counting seen = {0};
    int nodes = 0;
    for (int round = 0; round < 2; round++) {
        put_input(request, 0, 5, host);
        assert_int_equal(vrs_request_enqueue(request, 1, stream), VRS_OK);
        get_scores(request, 0, round == 0 ? first : scores, 2 * W * H);
        vrs_status status =
            round == 0 ? vrs_engine_count_nodes(engine, see_counted, &seen) : VRS_OK;
        /* A GPU's counters may be somebody else's. */
        if (status != VRS_OK && (on_stand_in() || status == VRS_NO_MEMORY))
            fail_msg("%s", vrs_last_error());
        if (status != VRS_OK)
            printf("not counted: %s\n", vrs_last_error());
    }
    vrs_engine_visit_nodes(engine, count_node, &nodes);
    assert_true(seen.count == nodes || (!on_stand_in() && seen.count == 0));
    assert_true(seen.count == 0 || seen.bytes > 0);
    assert_memory_equal(first, scores, sizeof first);
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* The second engine takes the plans that the first one kept; damaged ones are made anew. */
static void test_cache(void **state)
{
    (void)state;
    char path[512], command[600];
    snprintf(path, sizeof path, "%s/cache", folder);
    vrs_model *model = load_model(OPS_DESCRIPTOR, "ops.onnx");
    vrs_engine_params params = on_device(VRS_PRECISION_F16, 2);
    params.cache_dir = path;
    for (int i = 0; i < 3; i++) {
        vrs_engine *engine = make(model, &params);
        bool cached = strstr(vrs_engine_describe(engine), "from cache") != NULL;
        assert_int_equal(cached, i == 1);
        int count = 0;
        assert_int_equal(vrs_engine_verify(engine, 2, 1, expect_good, &count), VRS_OK);
        vrs_engine_destroy(engine);
        if (i == 1) {
            snprintf(command, sizeof command, "for f in %s/plans/*; do echo x >> $f; done", path);
            assert_int_equal(system(command), 0);
        }
    }
    params.precision = VRS_PRECISION_F32; /* has its own */
    vrs_engine *engine = make(model, &params);
    assert_null(strstr(vrs_engine_describe(engine), "from cache"));
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* ---- refusals ---- */

static void refuse(const char *descriptor, const char *onnx, const vrs_engine_params *params,
                   vrs_status status, const char *part)
{
    vrs_model *model = load_model(descriptor, onnx);
    vrs_engine *engine = NULL;
    assert_int_equal(vrs_engine_create("cuda", model, params, &engine), status);
    assert_null(engine);
    expect_detail(part);
    vrs_model_destroy(model);
}

static void test_refusals(void **state)
{
    (void)state;
    vrs_engine_params params = on_device(VRS_PRECISION_F16, 1);
    refuse(HEAD "input: {width: 8, height: 4}\n" OUTPUT, "tiny.onnx", &params, VRS_INVALID, "");
    refuse(HEAD INPUT "output: {activation: none, classes: 3, person: [1]}\n", "tiny.onnx", &params,
           VRS_INVALID, "output");
    params.precision = VRS_PRECISION_INT8;
    refuse(HEAD INPUT OUTPUT, "tiny.onnx", &params, VRS_UNSUPPORTED, "vrseg-quantize");
    params.precision = VRS_PRECISION_BF16;
    refuse(HEAD INPUT OUTPUT, "tiny.onnx", &params, VRS_UNSUPPORTED, "no precision bf16");
    params = on_device(VRS_PRECISION_F16, 1);
    params.device = NULL;
    refuse(HEAD INPUT OUTPUT, "tiny.onnx", &params, VRS_INVALID, "--device");
}

/* ---- each failure in turn ---- */

/* Fails the n-th call of a kind until an engine is made without a failure: on the stand-in each,
 * where an engine takes its time some of them. */
static void fail_each(const char *what)
{
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    vrs_engine_params params = on_device(VRS_PRECISION_F16, 2);
    vrs_engine_destroy(make(model, &params)); /* libraries stay open from the first on */
    size_t live = vrs_resources_live();
    bool made = false;
    for (int n = 0; !made; n += on_stand_in() ? 1 : 1 + n / 4) {
        injection in = {.what = what, .fail_at = n};
        vrs_engine *engine = NULL;
        vrs_inject_set(inject, &in);
        vrs_status status = vrs_engine_create("cuda", model, &params, &engine);
        if (status == VRS_OK)
            status = vrs_request_enqueue(vrs_engine_request(engine, 0), 1, stream);
        vrs_inject_set(NULL, NULL);
        made = in.calls <= n;
        if (made && status != VRS_OK)
            fail_msg("%s", vrs_last_error());
        settle();
        vrs_engine_destroy(engine);
        assert_int_equal(vrs_resources_live(), live);
        assert_true(n < 5000);
    }
    vrs_model_destroy(model);
}

static void test_memory_failures(void **state)
{
    (void)state;
    fail_each("memory");
}

static void test_device_failures(void **state)
{
    (void)state;
    fail_each("cuda memory");
    fail_each("cuda");
    fail_each("cudnn");
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),         cmocka_unit_test(test_quantised),
        cmocka_unit_test(test_blocks),        cmocka_unit_test(test_enlarged),
        cmocka_unit_test(test_int8),          cmocka_unit_test(test_pyramid),
        cmocka_unit_test(test_pyramid_apart), cmocka_unit_test(test_branches),
        cmocka_unit_test(test_batches),       cmocka_unit_test(test_io),
        cmocka_unit_test(test_quiet),         cmocka_unit_test(test_cache),
        cmocka_unit_test(test_report),        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("engine/cuda", tests, NULL, NULL);
}

static int run_failures(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_failures),
        cmocka_unit_test(test_device_failures),
    };
    return cmocka_run_group_tests_name("engine/cuda-failures", tests, NULL, NULL);
}

/* With the argument "failures" those alone. */
int main(int argc, char **argv)
{
    return run_on_device(argc > 1 && strcmp(argv[1], "failures") == 0 ? run_failures : run_all);
}
