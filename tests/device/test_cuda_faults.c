/* A small workload on the stand-in driver, through the memory manager: with each call into the
 * driver failing in turn, with the device lost from each call on, and in 200 orders of what streams
 * and events leave open. A case of failure is a process of its own, as the driver is opened once in
 * a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "device/device.h"
#include "device/memory.h"
#include "fake_cuda/fake_cuda.h"

#define COUNT 256
#define LANES 3
#define TURNS 4

typedef struct lane {
    vrs_device_stream *copy, *compute;
    vrs_device_event *uploaded, *computed, *done;
    vrs_slot device, host;
    bool has_device, has_host;
} lane;

typedef struct work {
    vrs_device *device;
    vrs_memory *memory;
    vrs_pool *device_pool, *host_pool;
    vrs_arena *arena;
    vrs_kernel *kernel;
    lane lanes[LANES];
} work;

#define TRY(call)                     \
    do {                              \
        vrs_status try_status = call; \
        if (try_status != VRS_OK)     \
            return try_status;        \
    } while (0)

static vrs_status open_lane(work *w, lane *l)
{
    TRY(vrs_device_stream_create(w->device, VRS_PRIORITY_NORMAL, &l->copy));
    TRY(vrs_device_stream_create(w->device, VRS_PRIORITY_HIGH, &l->compute));
    TRY(vrs_device_event_create(w->device, false, &l->uploaded));
    TRY(vrs_device_event_create(w->device, false, &l->computed));
    TRY(vrs_device_event_create(w->device, false, &l->done));
    l->has_device = vrs_pool_get(w->device_pool, &l->device);
    l->has_host = vrs_pool_get(w->host_pool, &l->host);
    assert_true(l->has_device && l->has_host);
    return VRS_OK;
}

static vrs_status open_work(work *w)
{
    const vrs_memory_settings settings = {.limit = (uint64_t)64 << 20,
                                          .host_limit = (uint64_t)16 << 20};
    vrs_pool_settings pool = {.owner = VRS_MEMORY_TEST,
                              .place = VRS_MEMORY_PLACE_DEVICE,
                              .slot_bytes = COUNT * 4,
                              .most_slots = LANES,
                              .keep_slots = LANES};
    TRY(vrs_device_open("cuda", &w->device));
    TRY(vrs_memory_create(w->device, &settings, &w->memory));
    TRY(vrs_pool_create(w->memory, &pool, &w->device_pool));
    pool.place = VRS_MEMORY_PLACE_PINNED;
    TRY(vrs_pool_create(w->memory, &pool, &w->host_pool));
    TRY(vrs_arena_create(w->memory, VRS_MEMORY_TEST, (uint64_t)16 << 20, &w->arena));
    TRY(vrs_arena_resize(w->arena, LANES * COUNT * 4));
    TRY(vrs_device_kernel(w->device, "fake_affine", &w->kernel));
    for (int i = 0; i < LANES; i++)
        TRY(open_lane(w, &w->lanes[i]));
    return VRS_OK;
}

static void close_lane(work *w, lane *l)
{
    if (l->has_device)
        vrs_pool_put(w->device_pool, l->device.index);
    if (l->has_host)
        vrs_pool_put(w->host_pool, l->host.index);
    vrs_device_event_destroy(l->uploaded);
    vrs_device_event_destroy(l->computed);
    vrs_device_event_destroy(l->done);
    vrs_device_stream_destroy(l->copy);
    vrs_device_stream_destroy(l->compute);
}

static void close_work(work *w)
{
    for (int i = 0; i < LANES; i++)
        close_lane(w, &w->lanes[i]);
    vrs_arena_destroy(w->arena);
    vrs_pool_destroy(w->host_pool);
    vrs_pool_destroy(w->device_pool);
    vrs_memory_destroy(w->memory);
    vrs_device_close(w->device);
}

static vrs_status affine(work *w, vrs_device_stream *stream, vrs_device_ptr dst, uint32_t factor,
                         uint32_t term)
{
    const uint32_t grid[3] = {1, 1, 1}, block[3] = {COUNT, 1, 1};
    const fake_affine_params params = {dst, COUNT, factor, term};
    return vrs_device_launch(stream, w->kernel, grid, block, 0, &params, sizeof params);
}

/* Up, x * 3 + lane into the slot, a copy into the arena, there + 1, down again: on two streams with
 * an event at each change. `careless`: without the one between kernel and copy. */
static vrs_status queue(work *w, uint32_t i, uint32_t turn, bool careless)
{
    lane *l = &w->lanes[i];
    const vrs_device_ptr room = vrs_arena_address(w->arena) + (uint64_t)i * COUNT * 4;
    uint32_t *values = l->host.host;
    for (uint32_t k = 0; k < COUNT; k++)
        values[k] = k + turn;
    TRY(vrs_device_upload(l->copy, l->device.address, values, COUNT * 4));
    TRY(vrs_device_event_record(l->uploaded, l->copy));
    TRY(vrs_device_stream_wait(l->compute, l->uploaded));
    TRY(affine(w, l->compute, l->device.address, 3, i));
    TRY(vrs_device_copy(l->compute, room, l->device.address, COUNT * 4));
    TRY(affine(w, l->compute, room, 1, 1));
    TRY(vrs_device_event_record(l->computed, l->compute));
    if (!careless)
        TRY(vrs_device_stream_wait(l->copy, l->computed));
    TRY(vrs_device_download(l->copy, values, room, COUNT * 4));
    return vrs_device_event_record(l->done, l->copy);
}

/* What came back is right in every lane. */
static vrs_status finish(work *w, uint32_t turn, bool *right)
{
    for (uint32_t i = 0; i < LANES; i++) {
        const uint32_t *values = w->lanes[i].host.host;
        TRY(vrs_device_event_wait(w->lanes[i].done));
        for (uint32_t k = 0; k < COUNT; k++)
            *right = *right && values[k] == (k + turn) * 3 + i + 1;
    }
    return VRS_OK;
}

static vrs_status run(work *w, bool careless, bool *right)
{
    TRY(open_work(w));
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        for (uint32_t i = 0; i < LANES; i++)
            TRY(queue(w, i, turn, careless));
        TRY(finish(w, turn, right));
    }
    return VRS_OK;
}

/* Work that was queued has its memory until it is done: what fails in between waits for nothing, so
 * the streams are emptied before the slots go back. */
static void settle(work *w)
{
    for (int i = 0; i < LANES; i++) {
        lane *l = &w->lanes[i];
        if (l->done == NULL)
            continue;
        if (vrs_device_event_record(l->done, l->copy) == VRS_OK)
            (void)!vrs_device_event_wait(l->done);
        if (vrs_device_event_record(l->done, l->compute) == VRS_OK)
            (void)!vrs_device_event_wait(l->done);
    }
}

enum { RIGHT = 0, NOTHING_FAILED = 3, WRONG = 4 };

/* The n-th call fails, or loses the device. In a child: how it ended. */
static int one_failure(uint64_t n, bool lose)
{
    work w = {0};
    bool right = true;
    char text[256] = "";
    const size_t before = vrs_resources_live();
    fake_cuda_reset(n);
    (lose ? fake_cuda_lose_at : fake_cuda_fail_at)("*", n, lose ? 719 : 801);
    const vrs_status status = run(&w, false, &right);
    if (status != VRS_OK && strlen(vrs_last_error()) < 12) {
        fprintf(stderr, "call %d has no sentence: %s\n", (int)n, vrs_last_error());
        return WRONG;
    }
    settle(&w);
    close_work(&w);
    /* A context that cannot be made current any more gives nothing back. */
    const bool gone = strcmp(fake_cuda_failed_name(), "cuCtxPushCurrent_v2") == 0;
    if ((!gone && fake_cuda_leaks(text, sizeof text) > 0) || vrs_resources_live() != before ||
        (status == VRS_OK && !right)) {
        fprintf(stderr, "call %d, %s: status %d (%s), left: %s; %d of our own\n", (int)n,
                fake_cuda_failed_name(), (int)status, vrs_last_error(), text,
                (int)(vrs_resources_live() - before));
        return WRONG;
    }
    return fake_cuda_failures() > 0 ? RIGHT : NOTHING_FAILED;
}

/* Each call in turn until there is none left to fail. */
static void each_call(bool lose)
{
    int ended = RIGHT;
    uint64_t n = 0;
    for (n = 1; ended == RIGHT && n < 2000; n++) {
        int status = 0;
        fflush(NULL);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(one_failure(n, lose));
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status))
            fail_msg("call %d: signal %d", (int)n, WTERMSIG(status));
        ended = WEXITSTATUS(status);
    }
    print_message("%d calls failed in turn\n", (int)n - 2);
    assert_int_equal(ended, NOTHING_FAILED);
    assert_true(n > 100);
}

static void each_call_fails(void **state)
{
    (void)state;
    each_call(false);
}

static void the_device_is_lost_at_each_call(void **state)
{
    (void)state;
    each_call(true);
}

/* True where all values are right. */
static bool one_order(uint64_t seed, bool careless)
{
    work w = {0};
    bool right = true;
    char text[256];
    fake_cuda_reset(seed);
    fake_cuda_set_mode(seed % 4 == 0 ? FAKE_CUDA_THREAD : FAKE_CUDA_SYNC);
    if (run(&w, careless, &right) != VRS_OK)
        fail_msg("seed %d: %s", (int)seed, vrs_last_error());
    settle(&w);
    close_work(&w);
    if (fake_cuda_leaks(text, sizeof text) > 0)
        fail_msg("seed %d left: %s", (int)seed, text);
    return right;
}

static void every_order_is_right(void **state)
{
    int caught = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        if (!one_order(seed, false))
            fail_msg("seed %d: wrong values", (int)seed);
        caught += !one_order(seed, true);
    }
    print_message("a missing wait shows in %d of 200 orders\n", caught);
    assert_true(caught > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_fails),
        cmocka_unit_test(the_device_is_lost_at_each_call),
        cmocka_unit_test(every_order_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
