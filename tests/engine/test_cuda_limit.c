/* The engine of our own with fewer views at once: batches of every size are right whatever the
 * limit, memory comes and goes, and a limit that fails stays what it was. */
#define _XOPEN_SOURCE 700

#include "engine/cuda_rig.h"

#define MOST 16

/* A network of any size, and what its batch of MOST views gives. */
#define LIMIT_PIXELS (96 * 64)
static int32_t limit_pixels;
static float limit_expected[MOST][2 * LIMIT_PIXELS];

static void put_views(vrs_request *request)
{
    static float host[MOST][3 * LIMIT_PIXELS];
    for (int32_t v = 0; v < MOST; v++) {
        for (int32_t i = 0; i < 3 * limit_pixels; i++)
            host[v][i] = (float)((i * 37 + v * 101) % 256) / 64.0f - 2.0f;
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
    if (vrs_request_enqueue(request, batch, stream) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    get_views(request, batch, scores);
    for (int32_t v = 0; v < batch; v++)
        assert_memory_equal(scores[v], limit_expected[v], bytes);
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
    for (int32_t r = 0; r < 2; r++)
        put_views(vrs_engine_request(engine, r));
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
        for (int32_t batch = 1; batch <= MOST; batch += i == 0 ? 5 : 3)
            check_batch(vrs_engine_request(engine, batch % 2), batch);
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
    if (pressure->level != VRS_PRESSURE_BATCH || before == 1)
        return false;
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
            if (last && status != VRS_OK)
                fail_msg("%s", vrs_last_error());
            check_batch(vrs_engine_request(engine, n % 2), MOST);
            if (!last && status == VRS_OK)
                assert_int_equal(vrs_engine_limit_batch(engine, before, &limit), VRS_OK);
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

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_without_room),
        cmocka_unit_test(test_limit_failures),
        cmocka_unit_test(test_limit_under_pressure),
    };
    return cmocka_run_group_tests_name("engine/cuda-limit", tests, NULL, NULL);
}

int main(void)
{
    return run_on_device(run_all);
}
