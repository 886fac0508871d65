/* The memory manager: budget, ledger, pools, arenas, measuring and pressure, on a stand-in for the
 * raw calls of a device whose memory is bookkeeping, and which can refuse. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/thread.h"
#include "device/fake_raw.h"
#include "device/memory.h"
#include "support/inject.h"
#include "vrseg/log.h"

#define MB (UINT64_C(1) << 20)

static vrs_memory *open_memory(const vrs_memory_settings *settings)
{
    vrs_memory *memory = NULL;
    fake_raw_reset(1024 * MB);
    if (vrs_memory_create(fake_raw_device(), settings, &memory) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return memory;
}

static vrs_memory *with_limit(uint64_t limit)
{
    return open_memory(
        &(vrs_memory_settings){.limit = limit, .host_limit = 64 * MB, .context = MB});
}

/* Nothing may be left, in the ledger and on the device. */
static void close_memory(vrs_memory *memory)
{
    assert_int_equal(vrs_memory_report(memory, NULL, 0), 0);
    vrs_memory_destroy(memory);
    assert_int_equal(fake_raw_used(), 0);
    assert_int_equal(fake_raw_reserved(), 0);
}

static vrs_memory_stats stats_of(const vrs_memory *memory)
{
    vrs_memory_stats stats;
    vrs_memory_get_stats(memory, VRS_MEMORY_PLACE_DEVICE, &stats);
    return stats;
}

static vrs_status take(vrs_memory *memory, vrs_memory_owner owner, uint64_t bytes,
                       vrs_memory_block **block)
{
    return vrs_memory_alloc(memory, VRS_MEMORY_PLACE_DEVICE, owner, bytes, block);
}

static void expect_words(const char *words)
{
    if (strstr(vrs_last_error(), words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, vrs_last_error());
}

/* ---- budget and ledger ---- */

static void test_budget(void **state)
{
    (void)state;
    vrs_memory *memory = with_limit(101 * MB);
    vrs_memory_block *blocks[60] = {0};
    int count = 0;
    while (count < 60 && take(memory, VRS_MEMORY_FRAMES, 3 * MB, &blocks[count]) == VRS_OK)
        count++;
    assert_int_equal(count, 25); /* of 4 MB each with the driver's pages, beside a context of 1 */
    expect_words("4.19 MB of device memory for frames are not to be had");
    assert_null(blocks[count]);
    vrs_memory_stats stats = stats_of(memory);
    assert_int_equal(stats.used, 101 * MB);
    assert_int_equal(stats.measured, MB);
    assert_int_equal(stats.high_water, 101 * MB);
    assert_int_equal(stats.owners[VRS_MEMORY_FRAMES].blocks, 25);
    assert_int_equal(stats.allocations, 25);
    assert_int_equal(vrs_memory_available(memory, VRS_MEMORY_PLACE_DEVICE), 0);
    for (int i = 0; i < count; i++)
        vrs_memory_free(memory, blocks[i]);
    stats = stats_of(memory);
    assert_int_equal(stats.used, MB);
    assert_int_equal(stats.high_water, 101 * MB);
    assert_int_equal(stats.releases, 25);
    vrs_memory_free(memory, NULL);
    close_memory(memory);
}

static void test_pinned_has_its_own(void **state)
{
    (void)state;
    vrs_memory *memory = with_limit(16 * MB);
    vrs_memory_block *pinned = NULL, *more = NULL, *device = NULL;
    assert_int_equal(
        vrs_memory_alloc(memory, VRS_MEMORY_PLACE_PINNED, VRS_MEMORY_STAGING, 60 * MB, &pinned),
        VRS_OK);
    assert_non_null(pinned->host);
    assert_int_equal(
        vrs_memory_alloc(memory, VRS_MEMORY_PLACE_PINNED, VRS_MEMORY_STAGING, 8 * MB, &more),
        VRS_NO_MEMORY);
    expect_words("pinned memory for copies from and to the host");
    assert_int_equal(take(memory, VRS_MEMORY_WEIGHTS, 8 * MB, &device), VRS_OK);
    assert_null(device->host); /* a GPU's memory is not for the host */
    vrs_memory_free(memory, pinned);
    vrs_memory_free(memory, device);
    close_memory(memory);
}

static void test_auto_limit_and_reserve(void **state)
{
    (void)state;
    vrs_memory *memory = open_memory(
        &(vrs_memory_settings){.reserve = 24 * MB, .host_limit = MB, .context = 2 * MB});
    assert_int_equal(stats_of(memory).budget, (1024 - 24 + 2) * MB);
    vrs_memory_block *block = NULL;
    assert_int_equal(take(memory, VRS_MEMORY_TEST, 1002 * MB, &block), VRS_NO_MEMORY);
    assert_int_equal(take(memory, VRS_MEMORY_TEST, 1000 * MB, &block), VRS_OK);
    vrs_memory_free(memory, block);
    fake_raw_set_others(900 * MB); /* another program: the reserve is kept from it */
    assert_int_equal(vrs_memory_available(memory, VRS_MEMORY_PLACE_DEVICE), 100 * MB);
    assert_int_equal(take(memory, VRS_MEMORY_TEST, 102 * MB, &block), VRS_NO_MEMORY);
    expect_words("gpu_reserve");
    assert_int_equal(take(memory, VRS_MEMORY_TEST, 100 * MB, &block), VRS_OK);
    vrs_memory_free(memory, block);
    close_memory(memory);
}

static void test_too_small(void **state)
{
    (void)state;
    vrs_memory *memory = NULL;
    fake_raw_reset(1024 * MB);
    vrs_memory_settings settings = {.limit = 100 * MB, .host_limit = MB, .context = 200 * MB};
    assert_int_equal(vrs_memory_create(fake_raw_device(), &settings, &memory), VRS_INVALID);
    assert_null(memory);
    expect_words("context alone takes 209.72 MB");
    expect_words("raise gpu_memory");
    memory = with_limit(16 * MB);
    vrs_memory_block *block = NULL;
    assert_int_equal(take(memory, VRS_MEMORY_TEST, 0, &block), VRS_INVALID);
    assert_int_equal(take(memory, VRS_MEMORY_TEST, SIZE_MAX, &block), VRS_INVALID);
    close_memory(memory);
}

static char logged[4096];

static void keep_log(void *opaque, vrs_log_level level, const char *line)
{
    (void)opaque;
    (void)level;
    (void)snprintf(logged, sizeof(logged), "%s", line);
}

static void test_leaks_are_named(void **state)
{
    (void)state;
    size_t live = vrs_resources_live();
    vrs_memory *memory = with_limit(500 * MB);
    vrs_memory_block *block = NULL;
    vrs_arena *arena = NULL;
    vrs_pool *pool = NULL;
    vrs_slot slot;
    char text[1000];
    int line = 4711;
    vrs_status status = vrs_memory_alloc_at(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_STATES,
                                            4 * MB, "src/far/test_memory.c", line, &block);
    assert_int_equal(status, VRS_OK);
    vrs_pool_settings settings = {
        .owner = VRS_MEMORY_FRAMES, .slot_bytes = 10 * MB, .most_slots = 2, .keep_slots = 2};
    assert_int_equal(vrs_pool_create(memory, &settings, &pool), VRS_OK);
    assert_true(vrs_pool_get(pool, &slot));
    assert_int_equal(vrs_arena_create(memory, VRS_MEMORY_ARENA, 100 * MB, &arena), VRS_OK);
    assert_int_equal(vrs_arena_resize(arena, 30 * MB), VRS_OK);
    assert_int_equal(vrs_memory_report(memory, text, sizeof(text)), 3);
    (void)snprintf(logged, sizeof(logged),
                   "states over time: 4.19 MB in 1 block of device memory, "
                   "the oldest from test_memory.c:%d",
                   line);
    assert_non_null(strstr(text, logged));
    assert_true(strstr(text, "activations") < strstr(text, "states")); /* the largest first */
    logged[0] = '\0';
    vrs_log_set(keep_log, NULL, VRS_LOG_ERROR);
    vrs_memory_destroy(memory);
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    assert_non_null(strstr(logged, "3 blocks"));
    assert_non_null(strstr(logged, "frames: 20.97 MB"));
    assert_int_equal(fake_raw_used(), 0); /* given back all the same */
    assert_int_equal(fake_raw_reserved(), 0);
    assert_int_equal(vrs_resources_live(), live);
}

/* ---- pools ---- */

static void test_pool(void **state)
{
    (void)state;
    vrs_memory *memory = with_limit(500 * MB);
    vrs_pool *pool = NULL;
    vrs_pool_stats stats;
    vrs_slot slots[10], again;
    vrs_pool_settings settings = {.owner = VRS_MEMORY_FRAMES,
                                  .slot_bytes = 3 * MB + 1,
                                  .most_slots = 10,
                                  .keep_slots = 3,
                                  .step_slots = 4};
    assert_int_equal(vrs_pool_create(memory, &settings, &pool), VRS_OK);
    vrs_pool_get_stats(pool, &stats);
    assert_int_equal(stats.slots, 4);
    assert_int_equal(vrs_pool_grow(pool, 10), VRS_OK);
    assert_int_equal(vrs_pool_grow(pool, 11), VRS_INVALID);
    uint64_t calls = fake_raw_calls();
    for (int i = 0; i < 10; i++) {
        assert_true(vrs_pool_get(pool, &slots[i]));
        assert_int_equal(slots[i].address % 256, 0);
        for (int j = 0; j < i; j++) {
            uint64_t a = slots[i].address, b = slots[j].address;
            assert_true((a > b ? a - b : b - a) >= settings.slot_bytes);
        }
    }
    assert_false(vrs_pool_get(pool, &again));
    vrs_pool_put(pool, slots[6].index);
    assert_true(vrs_pool_get(pool, &again)); /* the same one, warm */
    assert_int_equal(again.address, slots[6].address);
    assert_int_equal(fake_raw_calls(), calls); /* the driver was not asked */
    vrs_pool_put(pool, slots[0].index);
    assert_int_equal(vrs_pool_trim(pool, 0), 0); /* no step is idle */
    for (int i = 1; i < 10; i++)
        vrs_pool_put(pool, slots[i].index);
    vrs_pool_get_stats(pool, &stats);
    assert_true(stats.in_use == 0 && stats.most_in_use == 10 && stats.slots == 10);
    assert_true(vrs_pool_trim(pool, 0) > 0);
    vrs_pool_get_stats(pool, &stats);
    assert_int_equal(stats.slots, 4); /* what is kept */
    assert_int_equal(vrs_pool_grow(pool, 9), VRS_OK);
    vrs_pool_get_stats(pool, &stats);
    assert_int_equal(stats.slots, 10);
    vrs_pool_destroy(pool);
    vrs_pool_destroy(NULL);
    settings.keep_slots = 11;
    assert_int_equal(vrs_pool_create(memory, &settings, &pool), VRS_INVALID);
    close_memory(memory);
}

typedef struct worker {
    vrs_pool *pool;
    vrs_memory *memory;
    vrs_thread thread;
    atomic_uint *owners; /* by slot: who holds it, 0: nobody */
    unsigned number, gets, shared, over;
} worker;

/* Until it had a slot at all: the others may hold them while this one's time runs. */
static void work(void *opaque)
{
    worker *w = opaque;
    for (int i = 0; i < 3000 || w->gets == 0; i++) {
        vrs_slot slot;
        if (vrs_pool_get(w->pool, &slot)) {
            w->shared += atomic_exchange(&w->owners[slot.index], w->number) != 0;
            w->shared += atomic_exchange(&w->owners[slot.index], 0) != w->number;
            w->gets++;
            vrs_pool_put(w->pool, slot.index);
        } else {
            (void)sched_yield();
        }
        if (i % 100 == 0) {
            vrs_memory_block *block = NULL;
            if (take(w->memory, VRS_MEMORY_TEST, 5 * MB, &block) == VRS_OK)
                vrs_memory_free(w->memory, block);
            w->over += stats_of(w->memory).used > 64 * MB;
            (void)vrs_memory_trim(w->memory);
        }
    }
}

static void test_threads(void **state)
{
    (void)state;
    vrs_memory *memory = with_limit(64 * MB);
    vrs_pool *pool = NULL;
    atomic_uint owners[8] = {0};
    worker workers[4] = {0};
    vrs_pool_settings settings = {.owner = VRS_MEMORY_FRAMES,
                                  .slot_bytes = 2 * MB,
                                  .most_slots = 8,
                                  .keep_slots = 2,
                                  .step_slots = 1};
    assert_int_equal(vrs_pool_create(memory, &settings, &pool), VRS_OK);
    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (worker){.pool = pool, .memory = memory, .owners = owners, .number = i + 1};
        assert_int_equal(vrs_thread_start(&workers[i].thread, "test", work, &workers[i]), VRS_OK);
    }
    for (int i = 0; i < 50; i++)
        assert_int_equal(vrs_pool_grow(pool, 8), VRS_OK);
    for (int i = 0; i < 4; i++) {
        vrs_thread_join(&workers[i].thread);
        assert_int_equal(workers[i].shared, 0);
        assert_int_equal(workers[i].over, 0);
    }
    assert_true(stats_of(memory).high_water <= 64 * MB);
    vrs_pool_destroy(pool);
    close_memory(memory);
}

/* ---- arenas ---- */

static void test_arena(void **state)
{
    (void)state;
    vrs_memory *memory = with_limit(129 * MB);
    vrs_arena *arena = NULL;
    assert_int_equal(vrs_arena_create(memory, VRS_MEMORY_ARENA, 500 * MB, &arena), VRS_OK);
    vrs_device_ptr base = vrs_arena_address(arena);
    assert_int_equal(stats_of(memory).used, MB); /* addresses alone */
    assert_int_equal(vrs_arena_resize(arena, 100 * MB - 5), VRS_OK);
    assert_true(vrs_arena_bytes(arena) >= 100 * MB - 5);
    uint64_t before = vrs_arena_bytes(arena);
    assert_int_equal(vrs_arena_resize(arena, 200 * MB), VRS_NO_MEMORY);
    assert_int_equal(vrs_arena_bytes(arena), before); /* as it was */
    assert_int_equal(fake_raw_used(), before);
    assert_int_equal(vrs_arena_resize(arena, 600 * MB), VRS_INVALID);
    assert_int_equal(vrs_arena_resize(arena, 20 * MB), VRS_OK); /* the tail goes */
    assert_true(fake_raw_used() < 32 * MB && fake_raw_used() >= 20 * MB);
    assert_int_equal(vrs_arena_resize(arena, 120 * MB), VRS_OK);
    assert_int_equal(vrs_arena_address(arena), base);
    assert_int_equal(stats_of(memory).owners[VRS_MEMORY_ARENA].blocks, 1);
    assert_int_equal(stats_of(memory).owners[VRS_MEMORY_ARENA].used, vrs_arena_bytes(arena));
    vrs_arena_destroy(arena);
    vrs_arena_destroy(NULL);
    assert_int_equal(vrs_arena_create(memory, VRS_MEMORY_ARENA, 0, &arena), VRS_INVALID);
    close_memory(memory);
}

/* ---- others' memory ---- */

static void test_measure(void **state)
{
    (void)state;
    vrs_memory *memory = with_limit(100 * MB);
    vrs_memory_block *block = NULL;
    int64_t taken = 0;
    assert_int_equal(vrs_memory_measure_begin(memory, VRS_MEMORY_LIBRARIES, 30 * MB), VRS_OK);
    assert_int_equal(stats_of(memory).used, 31 * MB); /* promised to the library */
    assert_int_equal(take(memory, VRS_MEMORY_TEST, 8 * MB, &block), VRS_OK); /* ours, beside it */
    fake_raw_set_others(20 * MB);
    assert_int_equal(vrs_memory_measure_end(memory, &taken), VRS_OK);
    assert_int_equal(taken, 20 * MB);
    assert_int_equal(stats_of(memory).owners[VRS_MEMORY_LIBRARIES].used, 20 * MB);
    assert_int_equal(vrs_memory_measure_begin(memory, VRS_MEMORY_LIBRARIES, 0), VRS_OK);
    fake_raw_set_others(5 * MB);
    assert_int_equal(vrs_memory_measure_end(memory, NULL), VRS_OK); /* gave some back */
    assert_int_equal(stats_of(memory).owners[VRS_MEMORY_LIBRARIES].used, 5 * MB);
    assert_int_equal(vrs_memory_measure_begin(memory, VRS_MEMORY_DECODER, 90 * MB), VRS_NO_MEMORY);
    assert_int_equal(vrs_memory_measure_begin(memory, VRS_MEMORY_DECODER, 0), VRS_OK);
    fake_raw_set_others(205 * MB); /* takes more than there is */
    assert_int_equal(vrs_memory_measure_end(memory, NULL), VRS_NO_MEMORY);
    expect_words("the decoder took");
    vrs_memory_free(memory, block);
    assert_int_equal(take(memory, VRS_MEMORY_TEST, MB, &block), VRS_NO_MEMORY);
    assert_int_equal(vrs_memory_measure_begin(memory, VRS_MEMORY_FRAMES, 0), VRS_INVALID);
    assert_int_equal(
        vrs_memory_book(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_DECODER, -(int64_t)(500 * MB)),
        VRS_OK);
    assert_int_equal(stats_of(memory).used, 6 * MB);
    assert_int_equal(
        vrs_memory_book(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_DECODER, (int64_t)(95 * MB)),
        VRS_NO_MEMORY);
    close_memory(memory);
}

/* ---- pressure ---- */

typedef struct handler {
    vrs_memory *memory;
    vrs_pool *pool;
    vrs_memory_block *blocks[8]; /* what is given up, a level each */
    vrs_pressure_level gives_at;
    vrs_pressure asked[32];
    int count;
} handler;

static bool answer(void *opaque, const vrs_pressure *pressure)
{
    handler *h = opaque;
    h->asked[h->count++ % 32] = *pressure;
    vrs_memory_block *block = NULL;
    /* Nothing can be taken here, and nothing hangs. */
    assert_int_equal(take(h->memory, VRS_MEMORY_TEST, 500 * MB, &block), VRS_NO_MEMORY);
    if (pressure->level != h->gives_at)
        return false;
    for (int i = 0; i < 8; i++) {
        if (h->blocks[i] != NULL) {
            vrs_memory_free(h->memory, h->blocks[i]);
            h->blocks[i] = NULL;
            return true;
        }
    }
    return false;
}

/* Gives up what is behind the front of the arena for which memory is wanted. */
static bool shrink_itself(void *opaque, const vrs_pressure *pressure)
{
    vrs_arena *arena = opaque;
    uint64_t bytes = vrs_arena_bytes(arena);
    if (pressure->level != VRS_PRESSURE_BATCH || bytes <= 32 * MB)
        return false;
    assert_int_equal(vrs_arena_resize(arena, bytes - 16 * MB), VRS_OK);
    return true;
}

static void test_arena_answers_itself(void **state)
{
    (void)state;
    vrs_memory *memory = with_limit(101 * MB);
    vrs_arena *arena = NULL;
    assert_int_equal(vrs_arena_create(memory, VRS_MEMORY_ARENA, 500 * MB, &arena), VRS_OK);
    assert_int_equal(vrs_arena_resize(arena, 64 * MB), VRS_OK);
    vrs_memory_on_pressure(memory, shrink_itself, arena);
    assert_int_equal(vrs_arena_resize(arena, 200 * MB), VRS_NO_MEMORY); /* and it ends */
    expect_words("it was shrunk");
    assert_in_range(vrs_arena_bytes(arena), 32 * MB, 64 * MB);
    assert_int_equal(vrs_arena_resize(arena, 90 * MB), VRS_OK); /* there is enough for this */
    vrs_arena_destroy(arena);
    close_memory(memory);
}

static void test_pressure_order(void **state)
{
    (void)state;
    vrs_memory *memory = with_limit(101 * MB);
    handler h = {.memory = memory, .gives_at = VRS_PRESSURE_TICKETS};
    vrs_memory_block *block = NULL;
    vrs_pool_settings settings = {
        .owner = VRS_MEMORY_FRAMES, .slot_bytes = 10 * MB, .most_slots = 4, .step_slots = 1};
    vrs_memory_on_pressure(memory, answer, &h);
    assert_int_equal(vrs_memory_last_pressure_ns(memory), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(take(memory, VRS_MEMORY_TENSORS, 10 * MB, &h.blocks[i]), VRS_OK);
    assert_int_equal(vrs_pool_create(memory, &settings, &h.pool), VRS_OK);
    assert_int_equal(vrs_pool_grow(h.pool, 4), VRS_OK);
    /* The pool's idle slots are enough: nobody is asked. */
    assert_int_equal(take(memory, VRS_MEMORY_WEIGHTS, 30 * MB, &block), VRS_OK);
    assert_int_equal(h.count, 0);
    vrs_memory_free(memory, block);
    /* Now three blocks are needed: levels in order, and the giving one again. */
    assert_int_equal(take(memory, VRS_MEMORY_WEIGHTS, 70 * MB, &block), VRS_OK);
    static const vrs_pressure_level expected[] = {VRS_PRESSURE_TRIM, VRS_PRESSURE_BATCH,
                                                  VRS_PRESSURE_TICKETS, VRS_PRESSURE_TICKETS,
                                                  VRS_PRESSURE_TICKETS};
    assert_int_equal(h.count, 5);
    for (int i = 0; i < h.count; i++) {
        assert_int_equal(h.asked[i].level, expected[i]);
        assert_int_equal(h.asked[i].reason, VRS_PRESSURE_BUDGET);
        assert_int_equal(h.asked[i].owner, VRS_MEMORY_WEIGHTS);
        assert_int_equal(h.asked[i].wanted, 70 * MB);
    }
    assert_int_equal(h.asked[0].missing, 30 * MB);
    assert_int_equal(h.asked[4].missing, 10 * MB);
    assert_true(stats_of(memory).pressures > 0);
    assert_true(vrs_memory_last_pressure_ns(memory) > 0);
    /* All is given and it is not enough: to the last level, then a sentence. */
    vrs_memory_block *more = NULL;
    h.count = 0;
    assert_int_equal(take(memory, VRS_MEMORY_WEIGHTS, 90 * MB, &more), VRS_NO_MEMORY);
    assert_int_equal(h.asked[h.count - 1].level, VRS_PRESSURE_WAIT);
    expect_words("for weights are not to be had: the budget is used up");
    vrs_memory_free(memory, block);
    vrs_pool_destroy(h.pool);
    vrs_memory_on_pressure(memory, NULL, NULL);
    close_memory(memory);
}

static void test_pressure_of_the_driver(void **state)
{
    (void)state;
    vrs_memory *memory = with_limit(2000 * MB); /* more than the device has */
    handler h = {.memory = memory, .gives_at = VRS_PRESSURE_TRIM};
    vrs_memory_block *block = NULL;
    vrs_memory_on_pressure(memory, answer, &h);
    assert_int_equal(take(memory, VRS_MEMORY_TENSORS, 600 * MB, &h.blocks[0]), VRS_OK);
    assert_int_equal(take(memory, VRS_MEMORY_TENSORS, 600 * MB, &block), VRS_OK);
    assert_int_equal(h.count, 1);
    assert_int_equal(h.asked[0].reason, VRS_PRESSURE_FAILED);
    vrs_memory_free(memory, block);
    close_memory(memory);
}

static void test_poll(void **state)
{
    (void)state;
    vrs_memory *memory = open_memory(&(vrs_memory_settings){
        .limit = 600 * MB, .reserve = 100 * MB, .host_limit = MB, .context = MB});
    handler h = {.memory = memory, .gives_at = VRS_PRESSURE_BATCH};
    vrs_memory_on_pressure(memory, answer, &h);
    for (int i = 0; i < 4; i++)
        assert_int_equal(take(memory, VRS_MEMORY_TENSORS, 50 * MB, &h.blocks[i]), VRS_OK);
    assert_false(vrs_memory_poll(memory));
    fake_raw_set_others(800 * MB); /* 24 free, 76 missing: two blocks */
    assert_true(vrs_memory_poll(memory));
    assert_int_equal(h.count, 3);
    assert_int_equal(h.asked[1].level, VRS_PRESSURE_BATCH);
    assert_int_equal(h.asked[1].reason, VRS_PRESSURE_OTHERS);
    assert_int_equal(h.asked[1].missing, 76 * MB);
    assert_int_equal(h.asked[2].missing, 26 * MB);
    assert_non_null(h.blocks[2]);
    assert_false(vrs_memory_poll(memory));
    fake_raw_set_others(1020 * MB); /* more than can be given: it ends */
    assert_true(vrs_memory_poll(memory));
    assert_int_equal(h.asked[(h.count - 1) % 32].level, VRS_PRESSURE_TICKETS);
    close_memory(memory);
}

static bool promise(void *opaque, const vrs_pressure *pressure)
{
    (void)pressure;
    (*(int *)opaque)++;
    return true;
}

static void test_empty_promises_end(void **state)
{
    (void)state;
    vrs_memory *memory = with_limit(10 * MB);
    int asked = 0;
    vrs_memory_block *block = NULL;
    vrs_memory_on_pressure(memory, promise, &asked);
    assert_int_equal(take(memory, VRS_MEMORY_TEST, 20 * MB, &block), VRS_NO_MEMORY);
    assert_true(asked > 4 && asked < 5000);
    close_memory(memory);
}

/* ---- each failure in turn ---- */

static vrs_status whole_life(void *opaque)
{
    (void)opaque;
    vrs_memory *memory = NULL;
    vrs_pool *pool = NULL;
    vrs_arena *arena = NULL;
    vrs_memory_block *block = NULL;
    vrs_pool_settings settings = {.owner = VRS_MEMORY_FRAMES,
                                  .slot_bytes = 2 * MB,
                                  .most_slots = 6,
                                  .keep_slots = 4,
                                  .step_slots = 2};
    vrs_memory_settings limits = {.limit = 200 * MB, .host_limit = MB, .context = MB};
    fake_raw_reset(1024 * MB);
    vrs_status status = vrs_memory_create(fake_raw_device(), &limits, &memory);
    if (status == VRS_OK)
        status = take(memory, VRS_MEMORY_TEST, MB, &block);
    if (status == VRS_OK)
        status = vrs_pool_create(memory, &settings, &pool);
    if (status == VRS_OK)
        status = vrs_pool_grow(pool, 6);
    if (status == VRS_OK)
        status = vrs_arena_create(memory, VRS_MEMORY_ARENA, 100 * MB, &arena);
    if (status == VRS_OK)
        status = vrs_arena_resize(arena, 64 * MB);
    if (memory != NULL) {
        vrs_arena_destroy(arena);
        vrs_pool_destroy(pool);
        vrs_memory_free(memory, block);
        close_memory(memory);
    }
    assert_int_equal(fake_raw_used(), 0);
    return status;
}

static void test_each_failure(void **state)
{
    (void)state;
    static const vrs_status also[] = {VRS_OK}; /* where an idle step of the pool is given back */
    assert_true(inject_all_allowing(whole_life, NULL, also, 1) > 20);
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } right[] = {{"48", 48000000000},
                 {"48GB", 48000000000},
                 {"1.5GiB", 1610612736},
                 {"500MB", 500000000},
                 {"2MiB", 2097152},
                 {"4096B", 4096},
                 {"7KB", 7000},
                 {"3KiB", 3072},
                 {"0.5", 500000000},
                 {"auto", 0},
                 {"0", 0}};
    static const char *const wrong[] = {"",    "GB",  "-1",         "1 GB", "1gb",  "48G",
                                        "nan", "inf", "9999999999", "1e30", "0x10", "1GBGB"};
    uint64_t bytes = 1;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(vrs_memory_parse_size(right[i].text, &bytes), VRS_OK);
        assert_int_equal(bytes, right[i].bytes);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (vrs_memory_parse_size(wrong[i], &bytes) != VRS_INVALID)
            fail_msg("\"%s\" is taken for a size", wrong[i]);
    assert_true(vrs_memory_host_budget() > 0);
    assert_string_equal(vrs_memory_owner_name(VRS_MEMORY_FRAMES), "frames");
    assert_string_equal(vrs_memory_owner_name((vrs_memory_owner)VRS_MEMORY_OWNERS), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_pinned_has_its_own),
        cmocka_unit_test(test_auto_limit_and_reserve),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_leaks_are_named),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_measure),
        cmocka_unit_test(test_arena_answers_itself),
        cmocka_unit_test(test_pressure_order),
        cmocka_unit_test(test_pressure_of_the_driver),
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_empty_promises_end),
        cmocka_unit_test(test_each_failure),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
