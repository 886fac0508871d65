/* A GPU short of memory, with our own engine on the stand-in driver: batches become smaller before
 * tickets go or anything fails, and larger again after quiet. */
#define _XOPEN_SOURCE 700
#include <sched.h>

#include "engine/support.h"
#include "fake_cuda/fake_cuda.h"
#include "pipeline/internal.h"
#include "support/configure.h"

#define MEMORY ((uint64_t)256 << 20)
#define RESERVE ((uint64_t)1000000)
#define WIDTH 96
#define HEIGHT 64
#define MOMENT_NS 10000

typedef struct rig {
    vrs_config *config;
    vrs_model *model;
    vrs_pipeline *pipeline;
    int64_t next;
    bool virtual_clock; /* which stands while batches wait for it, but for pass() */
} rig;

static rig make_rig(const char *settings)
{
    rig r = {0};
    fake_cuda_reset(3);
    fake_cuda_set_mode(FAKE_CUDA_THREAD);
    fake_cuda_set_memory(MEMORY);
    assert_int_equal(vrs_config_create(&r.config), VRS_OK);
    configure(r.config, "device=cuda:0 engine=cuda precision=f32 model_cache=off tickets=12 "
                        "lanes=1 requests=1 max_queue_delay_us=0 gpu_reserve=1MB");
    configure(r.config, settings);
    r.model = load_model(HEAD "input: {width: 96, height: 64, layout: nhwc}\n"
                              "output: {activation: none, layout: nhwc, classes: 2, person: [1]}\n",
                         "tiny-nhwc.onnx");
    if (vrs_pipeline_create(r.config, r.model, &r.pipeline) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_non_null(strstr(vrs_pipeline_get_engine(r.pipeline), "cuda"));
    assert_int_equal(vrs_pipeline_start(r.pipeline), VRS_OK);
    return r;
}

static void drop_rig(rig *r)
{
    char text[256];
    vrs_pipeline_destroy(r->pipeline);
    vrs_model_destroy(r->model);
    vrs_config_destroy(r->config);
    if (fake_cuda_leaks(text, sizeof(text)) != 0)
        fail_msg("alive: %s", text);
}

/* So many frames go through, and none fails. */
static void pass(rig *r, int count)
{
    for (int taken = 0, given = 0; taken < count;) {
        vrs_frame frame = {.id = r->next};
        vrs_status status = VRS_TIMEOUT;
        if (given < count) {
            assert_int_equal(vrs_image_alloc(&frame.image, VRS_FORMAT_NV12, WIDTH, HEIGHT), VRS_OK);
            status = vrs_pipeline_submit(r->pipeline, &frame, 0);
        }
        if (status == VRS_OK) {
            given++;
            r->next++;
            continue;
        }
        vrs_image_release(&frame.image);
        vrs_result *result = NULL;
        while ((status = vrs_pipeline_get_result(r->pipeline, &result,
                                                 r->virtual_clock ? 0 : -1)) == VRS_TIMEOUT) {
            vrs_clock_advance_ns(MOMENT_NS);
            (void)sched_yield();
        }
        assert_int_equal(status, VRS_OK);
        if (result->status != VRS_OK)
            fail_msg("frame %lld: %s", (long long)result->id, result->detail);
        vrs_result_release(result);
        taken++;
    }
}

/* All memory but `left` bytes above the reserve is taken by others. */
static void leave(int64_t left)
{
    uint64_t mine = fake_cuda_used(0);
    fake_cuda_set_other_memory((uint64_t)((int64_t)(MEMORY - mine) - (int64_t)RESERVE - left));
}

static void test_batch_before_tickets(void **state)
{
    (void)state;
    static const char *const settings[] = {"max_batch_size=16", "max_batch_size=12"};
    for (int i = 0; i < 2; i++) {
        rig r = make_rig(settings[i]);
        int32_t most = i == 0 ? 16 : 12;
        pass(&r, 30);
        vrs_pipeline_stats before = vrs_pipeline_get_stats(r.pipeline);
        assert_int_equal(before.batch_limit, most);
        uint64_t used = fake_cuda_used(0);
        leave(-4096);
        assert_true(vrs_memory_poll(r.pipeline->place.memory));
        vrs_pipeline_stats after = vrs_pipeline_get_stats(r.pipeline);
        assert_in_range(after.batch_limit, 1, most / 2);
        assert_int_equal(after.tickets, before.tickets);
        assert_true(fake_cuda_used(0) < used);
        pass(&r, 30);
        /* Others give it back, and after quiet the batch has its size again. */
        fake_cuda_set_other_memory(0);
        vrs_clock_use_virtual(vrs_now_ns());
        r.virtual_clock = true;
        for (int n = 0; n < 8 && vrs_pipeline_get_stats(r.pipeline).batch_limit < most; n++) {
            vrs_clock_advance_ns(2 * VRS_BATCH_QUIET_NS);
            pass(&r, 30);
        }
        assert_int_equal(vrs_pipeline_get_stats(r.pipeline).batch_limit, most);
        assert_int_equal(vrs_pipeline_get_stats(r.pipeline).tickets, before.tickets);
        drop_rig(&r);
        vrs_clock_use_real();
    }
}

/* Nothing is left: everything is given up that can be, and frames go on one by one. */
static void test_nothing_left(void **state)
{
    (void)state;
    rig r = make_rig("max_batch_size=8");
    pass(&r, 20);
    uint32_t tickets = vrs_pipeline_get_stats(r.pipeline).tickets;
    leave(-(int64_t)MEMORY / 2);
    assert_true(vrs_memory_poll(r.pipeline->place.memory));
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(r.pipeline);
    assert_int_equal(stats.batch_limit, 1);
    assert_in_range(stats.tickets, 1, tickets - 1);
    pass(&r, 20);
    drop_rig(&r);
}

int main(void)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_before_tickets),
        cmocka_unit_test(test_nothing_left),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
