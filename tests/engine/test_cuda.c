/* The engine of our own, on the GPU that is there or on the stand-in driver: every node beside the
 * graph's interpreter, requests, batches, refusals, each failure of memory and of the driver. */
#define _XOPEN_SOURCE 700

#include <math.h>

#include "base/alloc.h"
#include "device/memory.h"
#include "engine/report.h"
#include "engine/support.h"
#include "vrseg/model.h"
#include "vrseg/system.h"

#define OPS_DESCRIPTOR                                              \
    HEAD "input: {width: 24, height: 16, scale: 1/64, mean: 128}\n" \
         "output: {activation: softmax, classes: [a, person], person: [person]}\n"
#define STATE_DESCRIPTOR                                                                   \
    HEAD "input: {name: picture, width: 6, height: 4}\n"                                   \
         "output: {name: scores, activation: none, classes: [person], person: [person]}\n" \
         "states:\n  - {input: sum_in, output: sum_out, channels: 1, divisor: 1}\n"        \
         "  - {input: half_in, output: half_out, channels: 1, divisor: 2}\n"

static vrs_device *device;
static vrs_memory *memory;
static vrs_device_stream *stream;
static vrs_device_event *done;

static bool on_stand_in(void)
{
    return getenv("VRSEG_CUDA_LIBRARY") != NULL;
}

static int open_device(void)
{
    if (vrs_device_open("cuda", &device) != VRS_OK) {
        const char *needed = getenv("VRSEG_REQUIRE_CUDA");
        fprintf(stderr, "%s: %s\n", needed ? "no GPU" : "skipped", vrs_last_error());
        return needed && *needed == '1' ? 1 : SHARED_SKIP;
    }
    /* On a GPU what others take meanwhile looks like the libraries'. */
    vrs_memory_settings settings = {.limit = (uint64_t)(on_stand_in() ? 1 : 16) << 30};
    assert_int_equal(vrs_memory_create(device, &settings, &memory), VRS_OK);
    assert_int_equal(vrs_device_stream_create(device, VRS_PRIORITY_NORMAL, &stream), VRS_OK);
    assert_int_equal(vrs_device_event_create(device, false, &done), VRS_OK);
    return 0;
}

static void close_device(void)
{
    char text[1024];
    size_t blocks = vrs_memory_report(memory, text, sizeof text);
    vrs_device_event_destroy(done);
    vrs_device_stream_destroy(stream);
    vrs_memory_destroy(memory);
    vrs_device_close(device);
    if (blocks != 0) {
        fail_msg("blocks are left: %s", text);
    }
}

static void settle(void)
{
    assert_int_equal(vrs_device_event_record(done, stream), VRS_OK);
    assert_int_equal(vrs_device_event_wait(done), VRS_OK);
}

static vrs_engine_params on_device(vrs_precision precision, int32_t batch)
{
    return (vrs_engine_params){.requests = 1,
                               .threads = on_stand_in() ? 2 : vrs_cpu_count(),
                               .max_batch = batch,
                               .precision = precision,
                               .branches = VRS_BRANCHES_OFF,
                               .device = device,
                               .memory = memory};
}

static vrs_engine *make(const vrs_model *model, const vrs_engine_params *params)
{
    vrs_engine *engine = NULL;
    if (vrs_engine_create("cuda", model, params, &engine) != VRS_OK) {
        fail_msg("%s", vrs_last_error());
    }
    return engine;
}

static void expect_good(void *opaque, const vrs_engine_check *check)
{
    int *count = opaque;
    if (!check->good) {
        fail_msg("%s (%s) is off by %g, at most %g", check->name, check->does, check->off,
                 check->worst);
    }
    (*count)++;
}

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
                if (vrs_engine_verify(engine, n, 7, expect_good, &count) != VRS_OK) {
                    fail_msg("%s", vrs_last_error());
                }
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
    if (vrs_engine_verify(engine, 2, 7, expect_good, &count) != VRS_OK) {
        fail_msg("%s", vrs_last_error());
    }
    assert_true(count >= 8);
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

static void count_joined(void *opaque, const vrs_engine_node *node)
{
    *(int *)opaque += strstr(node->plan, "in one") != NULL;
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
        if (vrs_engine_verify(engine, 2, 7, expect_good, &count) != VRS_OK) {
            fail_msg("%s", vrs_last_error());
        }
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
    for (int i = 0; i < W * H * 3; i++) {
        host[i] = (float)((i * 37 + seed * 101) % 256) / 64.0f - 2.0f;
    }
    vrs_device_ptr to = (vrs_device_ptr)(uintptr_t)vrs_request_input(request, position);
    assert_int_equal(vrs_device_upload(stream, to, host, W * H * 3 * sizeof(float)), VRS_OK);
    settle();
}

static void get_scores(const vrs_request *request, int32_t position, float *scores, size_t count)
{
    vrs_device_ptr from = (vrs_device_ptr)(uintptr_t)vrs_request_scores(request, position);
    assert_int_equal(vrs_device_download(stream, scores, from, count * sizeof(float)), VRS_OK);
    settle();
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
        for (int32_t n = 1; n <= 4; n *= 2) {
            assert_int_equal(vrs_engine_verify(engine, n, 5, expect_good, &count), VRS_OK);
        }
        vrs_request *request = vrs_engine_request(engine, 0);
        for (int32_t limit = 4; limit >= 1; limit /= 2) {
            assert_int_equal(vrs_engine_limit_batch(engine, limit, NULL), VRS_OK);
            for (int32_t i = 0; i < 4; i++) {
                put_input(request, i, 5, host);
            }
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
            for (int32_t i = 0; i < batch; i++) {
                put_input(request, i, i == batch - 1 ? 5 : i + batch, host);
            }
            assert_int_equal(vrs_request_enqueue(request, batch, stream), VRS_OK);
            get_scores(request, batch - 1, scores, 2 * W * H);
            if (r == 0 && batch == 1) {
                memcpy(first, scores, sizeof first);
                assert_true(fabsf(first[0]) > 0 && isfinite(first[0]));
            }
            for (size_t i = 0; i < 2 * W * H; i++) {
                assert_true(fabsf(scores[i] - first[i]) <= 1e-4f * (1 + fabsf(first[i])));
            }
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
        for (int32_t i = 0; i < batch; i++) {
            put_input(request, i, n + i, host);
        }
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

/* ---- fewer views at once ---- */

#define MOST 16

/* A network of any size, and what its batch of MOST views gives. */
#define LIMIT_PIXELS (96 * 64)
static int32_t limit_pixels;
static float limit_expected[MOST][2 * LIMIT_PIXELS];

static void put_views(vrs_request *request)
{
    static float host[MOST][3 * LIMIT_PIXELS];
    for (int32_t v = 0; v < MOST; v++) {
        for (int32_t i = 0; i < 3 * limit_pixels; i++) {
            host[v][i] = (float)((i * 37 + v * 101) % 256) / 64.0f - 2.0f;
        }
        vrs_device_ptr to = (vrs_device_ptr)(uintptr_t)vrs_request_input(request, v);
        size_t bytes = (size_t)limit_pixels * 3 * sizeof(float);
        assert_int_equal(vrs_device_upload(stream, to, host[v], bytes), VRS_OK);
    }
    settle();
}

static void get_views(const vrs_request *request, int32_t batch, float (*scores)[2 * LIMIT_PIXELS])
{
    for (int32_t v = 0; v < batch; v++) {
        vrs_device_ptr from = (vrs_device_ptr)(uintptr_t)vrs_request_scores(request, v);
        size_t bytes = (size_t)limit_pixels * 2 * sizeof(float);
        assert_int_equal(vrs_device_download(stream, scores[v], from, bytes), VRS_OK);
    }
    settle();
}

/* The scores of a batch are those of the whole one, view by view. */
static void check_batch(vrs_request *request, int32_t batch)
{
    static float scores[MOST][2 * LIMIT_PIXELS];
    size_t bytes = (size_t)limit_pixels * 2 * sizeof(float);
    for (int32_t v = 0; v < MOST; v++) {
        vrs_device_ptr at = (vrs_device_ptr)(uintptr_t)vrs_request_scores(request, v);
        assert_int_equal(vrs_device_fill(stream, at, 0x7f, bytes), VRS_OK);
    }
    if (vrs_request_enqueue(request, batch, stream) != VRS_OK) {
        fail_msg("%s", vrs_last_error());
    }
    get_views(request, batch, scores);
    for (int32_t v = 0; v < batch; v++) {
        assert_memory_equal(scores[v], limit_expected[v], bytes);
    }
}

static uint64_t used_bytes(void)
{
    vrs_memory_stats stats;
    vrs_memory_get_stats(memory, VRS_MEMORY_PLACE_DEVICE, &stats);
    return stats.used;
}

static vrs_model *load_any(int32_t width, int32_t height)
{
    char text[512];
    limit_pixels = width * height;
    snprintf(text, sizeof text,
             HEAD "input: {width: %d, height: %d, layout: nhwc}\n"
                  "output: {activation: none, layout: nhwc, classes: 2, person: [1]}\n",
             width, height);
    return load_model(text, "tiny-nhwc.onnx");
}

static vrs_engine *make_limited(const vrs_model *model)
{
    vrs_engine_params params = on_device(VRS_PRECISION_F32, MOST);
    params.requests = 2;
    params.batches[0] = 1;
    params.batches[1] = 3; /* does not divide the largest */
    vrs_engine *engine = make(model, &params);
    for (int32_t r = 0; r < 2; r++) {
        put_views(vrs_engine_request(engine, r));
    }
    vrs_request *request = vrs_engine_request(engine, 0);
    assert_int_equal(vrs_request_enqueue(request, MOST, stream), VRS_OK);
    get_views(request, MOST, limit_expected);
    return engine;
}

/* Batches of every size are right whatever the limit, on every request; memory comes and goes. */
static void test_limit(void **state)
{
    (void)state;
    static const int32_t limits[] = {16, 5, 1, 2, 16, 3, 15, 16, 1};
    static const int32_t largest[] = {16, 3, 1, 1, 16, 3, 3, 16, 1};
    vrs_model *model = load_any(96, 64);
    vrs_engine *engine = make_limited(model);
    uint64_t all = used_bytes();
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        int32_t limit = 0;
        assert_int_equal(vrs_engine_limit_batch(engine, limits[i], &limit), VRS_OK);
        assert_int_equal(limit, largest[i]);
        assert_true(limit == MOST ? used_bytes() == all : used_bytes() < all);
        for (int32_t batch = 1; batch <= MOST; batch += i == 0 ? 5 : 3) {
            check_batch(vrs_engine_request(engine, batch % 2), batch);
        }
    }
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* Growing takes nothing that is not free twice, and asks nobody. */
static void test_limit_without_room(void **state)
{
    (void)state;
    vrs_model *model = load_any(96, 64);
    vrs_engine *engine = make_limited(model);
    uint64_t all = used_bytes();
    int32_t limit = 0;
    assert_int_equal(vrs_engine_limit_batch(engine, 1, &limit), VRS_OK);
    uint64_t given = all - used_bytes();
    assert_true(given > 0);
    vrs_memory_block *block = NULL;
    size_t rest = (size_t)(vrs_memory_available(memory, VRS_MEMORY_PLACE_DEVICE) - given);
    assert_int_equal(
        vrs_memory_alloc(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TENSORS, rest, &block),
        VRS_OK);
    assert_int_equal(vrs_engine_limit_batch(engine, MOST, &limit), VRS_OK);
    assert_int_not_equal(limit, MOST);
    check_batch(vrs_engine_request(engine, 1), MOST);
    vrs_memory_free(memory, block);
    assert_int_equal(vrs_engine_limit_batch(engine, MOST, &limit), VRS_OK);
    assert_int_equal(limit, MOST);
    check_batch(vrs_engine_request(engine, 0), MOST);
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

typedef struct pressed {
    vrs_engine *engine;
    int32_t limit, calls;
} pressed;

static bool shrink_engine(void *opaque, const vrs_pressure *pressure)
{
    pressed *p = opaque;
    int32_t before = p->limit;
    p->calls++;
    if (pressure->level != VRS_PRESSURE_BATCH || before == 1) {
        return false;
    }
    assert_int_equal(vrs_engine_limit_batch(p->engine, before - 1, &p->limit), VRS_OK);
    return p->limit < before;
}

/* Where somebody else is short of memory, smaller batches make room. */
static void test_limit_under_pressure(void **state)
{
    (void)state;
    vrs_model *model = load_any(96, 64);
    pressed p = {make_limited(model), MOST, 0};
    vrs_memory_on_pressure(memory, shrink_engine, &p);
    vrs_memory_block *block = NULL;
    size_t wanted = (size_t)vrs_memory_available(memory, VRS_MEMORY_PLACE_DEVICE) + 1;
    assert_int_equal(
        vrs_memory_alloc(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TENSORS, wanted, &block),
        VRS_OK);
    vrs_memory_on_pressure(memory, NULL, NULL);
    assert_true(p.limit < MOST);
    assert_true(p.calls > 0);
    check_batch(vrs_engine_request(p.engine, 0), MOST);
    vrs_memory_free(memory, block);
    vrs_engine_destroy(p.engine);
    vrs_model_destroy(model);
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

typedef struct injection {
    const char *what; /* NULL: all */
    int fail_at, calls;
} injection;

static bool inject(void *opaque, const char *what)
{
    injection *i = opaque;
    bool counts = strcmp(what, i->what) == 0;
    return !counts || i->calls++ != i->fail_at;
}

/* Fails the n-th call of a kind until an engine is made without a failure. */
static void fail_each(const char *what)
{
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    vrs_engine_params params = on_device(VRS_PRECISION_F16, 2);
    size_t live = vrs_resources_live();
    bool made = false;
    for (int n = 0; !made; n++) {
        injection in = {.what = what, .fail_at = n};
        vrs_engine *engine = NULL;
        vrs_inject_set(inject, &in);
        vrs_status status = vrs_engine_create("cuda", model, &params, &engine);
        if (status == VRS_OK) {
            status = vrs_request_enqueue(vrs_engine_request(engine, 0), 1, stream);
        }
        vrs_inject_set(NULL, NULL);
        made = in.calls <= n;
        if (made && status != VRS_OK) {
            fail_msg("%s", vrs_last_error());
        }
        settle();
        vrs_engine_destroy(engine);
        assert_int_equal(vrs_resources_live(), live);
        assert_true(n < 5000);
    }
    vrs_model_destroy(model);
}

/* A limit that fails on its way stays what it was, and every batch is right. */
static void fail_limits(const char *what)
{
    vrs_model *model = load_any(6, 4);
    vrs_engine *engine = make_limited(model);
    size_t live = vrs_resources_live();
    for (int32_t round = 0; round < 2; round++) { /* down, then up again */
        int32_t before = round == 0 ? MOST : 3, after = round == 0 ? 3 : MOST, limit = before;
        bool last = false;
        for (int n = 0; !last; n++) {
            injection in = {.what = what, .fail_at = n};
            vrs_inject_set(inject, &in);
            vrs_status status = vrs_engine_limit_batch(engine, after, &limit);
            vrs_inject_set(NULL, NULL);
            last = in.calls <= n;
            assert_int_equal(limit, status == VRS_OK ? after : before);
            if (last && status != VRS_OK) {
                fail_msg("%s", vrs_last_error());
            }
            check_batch(vrs_engine_request(engine, n % 2), MOST);
            if (!last && status == VRS_OK) {
                assert_int_equal(vrs_engine_limit_batch(engine, before, &limit), VRS_OK);
            }
            assert_true(n < 2000);
        }
    }
    assert_true(vrs_resources_live() >= live);
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

static void test_limit_failures(void **state)
{
    (void)state;
    fail_limits("memory");
    fail_limits("cuda memory");
    fail_limits("cuda");
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

/* ---- frames of a stream ---- */

#define THIRD 100
#define FRAMES (3 * THIRD)

/* An engine with what it has of one stream. */
typedef struct stream_run {
    vrs_engine *engine;
    vrs_request *request;
    const vrs_engine_io *io;
    float *scores;
} stream_run;

static vrs_device_ptr device_of(const void *address)
{
    return (vrs_device_ptr)(uintptr_t)address;
}

static size_t state_bytes(const stream_run *r, int32_t state)
{
    return r->io->states[state].elements * sizeof(float);
}

/* As before the first frame. */
static void reset_stream(const stream_run *r)
{
    for (int32_t i = 0; i < r->io->state_count; i++) {
        vrs_device_ptr to = device_of(vrs_request_state_in(r->request, i, 0));
        assert_int_equal(vrs_device_fill(stream, to, 0, state_bytes(r, i)), VRS_OK);
    }
}

static stream_run begin_stream(const vrs_model *model, vrs_precision precision)
{
    vrs_engine_params params = on_device(precision, 1);
    params.float_input = true;
    stream_run r = {.engine = make(model, &params)};
    r.request = vrs_engine_request(r.engine, 0);
    r.io = vrs_engine_get_io(r.engine);
    r.scores = malloc(r.io->scores_elements * sizeof(float));
    assert_non_null(r.scores);
    assert_true(r.io->state_count > 0);
    reset_stream(&r);
    return r;
}

static void end_stream(stream_run *r)
{
    free(r->scores);
    vrs_engine_destroy(r->engine);
}

/* A bright square that wanders over a moving texture. */
static void draw_frame(const vrs_model *model, int frame, float *picture)
{
    int32_t width = vrs_model_get_spec(model)->width, height = vrs_model_get_spec(model)->height;
    int32_t left = frame * 3 % width, top = frame * 2 % height;
    for (int32_t i = 0; i < 3 * width * height; i++) {
        int32_t x = i % width, y = i / width % height;
        bool inside = x >= left && x < left + width / 3 && y >= top && y < top + height / 2;
        picture[i] = inside ? 0.9f : (float)((x * 7 + y * 13 + frame * 5) % 64) / 128.0f;
    }
}

/* The next frame of the stream, whose states stay on the device. */
static void run_frame(const stream_run *r, const float *picture)
{
    vrs_device_ptr to = device_of(vrs_request_input(r->request, 0));
    assert_int_equal(vrs_device_upload(stream, to, picture, r->io->input_bytes), VRS_OK);
    assert_int_equal(vrs_request_enqueue(r->request, 1, stream), VRS_OK);
    for (int32_t i = 0; i < r->io->state_count; i++) {
        vrs_device_ptr in = device_of(vrs_request_state_in(r->request, i, 0));
        vrs_device_ptr out = device_of(vrs_request_state_out(r->request, i, 0));
        assert_int_equal(vrs_device_copy(stream, in, out, state_bytes(r, i)), VRS_OK);
    }
    get_scores(r->request, 0, r->scores, r->io->scores_elements);
}

/* How far one stream's scores are from the other's, of their size. */
static double apart(const stream_run *a, const stream_run *b)
{
    double off = 0, all = 0;
    for (size_t i = 0; i < a->io->scores_elements; i++) {
        double d = (double)a->scores[i] - (double)b->scores[i];
        off += d * d;
        all += (double)b->scores[i] * (double)b->scores[i];
    }
    return sqrt(off) / (sqrt(all) + 1e-3 * sqrt((double)a->io->scores_elements));
}

/* In FP16 what is remembered from frame to frame, in FP32, does not wander off: the last frames
 * are at most `times` as far from FP32 as the first ones. Forgetting it all gives the first frame
 * again. */
static void follow_stream(const vrs_model *model, double times)
{
    stream_run half = begin_stream(model, VRS_PRECISION_F16);
    stream_run full = begin_stream(model, VRS_PRECISION_F32);
    float *picture = malloc(half.io->input_bytes), *first = malloc(half.io->scores_elements * 4);
    double begin = 0, end = 0;
    assert_true(picture && first && half.io->input_bytes == full.io->input_bytes);
    for (int frame = 0; frame < FRAMES; frame++) {
        draw_frame(model, frame, picture);
        run_frame(&half, picture);
        run_frame(&full, picture);
        double off = apart(&half, &full);
        assert_true(isfinite(off));
        begin += frame < THIRD ? off : 0;
        end += frame >= FRAMES - THIRD ? off : 0;
        if (frame == 0) {
            memcpy(first, half.scores, half.io->scores_elements * sizeof(float));
        }
    }
    begin /= THIRD;
    end /= THIRD;
    print_message("FP16 is %.2g of the scores off FP32 in the first frames, %.2g in the last\n",
                  begin, end);
    assert_true(end <= times * begin + 1e-3 && end < 0.05);
    draw_frame(model, 0, picture);
    reset_stream(&half);
    run_frame(&half, picture);
    assert_memory_equal(first, half.scores, half.io->scores_elements * sizeof(float));
    free(picture);
    free(first);
    end_stream(&half);
    end_stream(&full);
}

static void test_stream(void **state)
{
    (void)state;
    vrs_model *model = load_model(STATE_DESCRIPTOR, "tiny-state.onnx");
    follow_stream(model, 20); /* it adds up all frames: halves of a growing sum are coarser */
    vrs_model_destroy(model);
}

/* ---- a real network ---- */

static const char *wanted; /* a shipped descriptor, whose weights are in the shared folder */

/* "NAME FILE ..." in tests/data/models.txt says which file. */
static void find_weights(char *onnx, size_t size)
{
    char line[256];
    FILE *file = fopen(data_path("models.txt"), "r");
    assert_non_null(file);
    onnx[0] = 0;
    while (onnx[0] == 0 && fgets(line, sizeof line, file)) {
        const char *name = strtok(line, " "), *weights = strtok(NULL, " ");
        if (name && weights && strcmp(name, wanted) == 0) {
            snprintf(onnx, size, "models/%s", weights);
        }
    }
    fclose(file);
    assert_true(onnx[0] != 0);
}

static void test_real(void **state)
{
    (void)state;
    char onnx[300], yaml[600], link[600], shipped[600];
    find_weights(onnx, sizeof onnx);
    snprintf(link, sizeof link, "%s/%s.onnx", folder, wanted);
    snprintf(yaml, sizeof yaml, "%s/%s.yaml", folder, wanted);
    snprintf(shipped, sizeof shipped, "%s/models/%s.yaml", getenv("VRSEG_SOURCE_DIR"), wanted);
    assert_int_equal(symlink(shared_path(onnx), link), 0);
    assert_int_equal(symlink(shipped, yaml), 0);
    vrs_model *model;
    assert_int_equal(vrs_model_load(yaml, &model), VRS_OK);
    vrs_engine_params params = on_device(VRS_PRECISION_F16, 1);
    vrs_engine *engine = make(model, &params);
    int count = 0;
    if (vrs_engine_verify(engine, 1, 3, expect_good, &count) != VRS_OK) {
        fail_msg("%s", vrs_last_error());
    }
    assert_true(count > 20);
    int32_t states = vrs_engine_get_io(engine)->state_count;
    vrs_engine_destroy(engine);
    if (states > 0) {
        follow_stream(model, 2);
    }
    vrs_model_destroy(model);
}

static int run_real(const char *name)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_real)};
    wanted = name;
    int failed = cmocka_run_group_tests_name("engine/cuda", tests, NULL, NULL);
    close_device();
    temp_remove(folder);
    return failed;
}

int main(int argc, char **argv)
{
    temp_make(folder, sizeof folder);
    int unusable = open_device();
    if (unusable) {
        temp_remove(folder);
        return unusable;
    }
    if (argc > 1) {
        return run_real(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_quantised),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_pyramid),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_io),
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory_failures),
        cmocka_unit_test(test_device_failures),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_without_room),
        cmocka_unit_test(test_limit_failures),
        cmocka_unit_test(test_limit_under_pressure),
    };
    int failed = cmocka_run_group_tests_name("engine/cuda", tests, NULL, NULL);
    close_device();
    temp_remove(folder);
    return failed;
}
