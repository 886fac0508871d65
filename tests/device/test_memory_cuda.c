/* The memory manager over the CUDA back end, on the stand-in driver: every allocation of ours and
 * every call that the driver may refuse fails in turn, and the limit holds as the driver counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "device/memory.h"
#include "fake_cuda/fake_cuda.h"
#include "support/inject.h"

#define MB (UINT64_C(1) << 20)
#define LIMIT (64 * MB)

static vrs_status use(vrs_memory *memory)
{
    vrs_pool *device_pool = NULL, *pinned_pool = NULL;
    vrs_arena *arena = NULL;
    vrs_memory_block *block = NULL, *refused = NULL;
    vrs_pool_settings settings = {.place = VRS_MEMORY_PLACE_DEVICE,
                                  .owner = VRS_MEMORY_FRAMES,
                                  .slot_bytes = 2 * MB,
                                  .most_slots = 6,
                                  .keep_slots = 4,
                                  .step_slots = 2};
    vrs_status status =
        vrs_memory_alloc(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TABLES, 5000, &block);
    if (status == VRS_OK)
        status = vrs_pool_create(memory, &settings, &device_pool);
    settings.place = VRS_MEMORY_PLACE_PINNED;
    if (status == VRS_OK)
        status = vrs_pool_create(memory, &settings, &pinned_pool);
    if (status == VRS_OK)
        status = vrs_pool_grow(device_pool, 6);
    if (status == VRS_OK)
        status = vrs_arena_create(memory, VRS_MEMORY_ARENA, 128 * MB, &arena);
    if (status == VRS_OK)
        status = vrs_arena_resize(arena, 40 * MB);
    if (status == VRS_OK) {
        assert_int_equal(
            vrs_memory_alloc(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TEST, LIMIT, &refused),
            VRS_NO_MEMORY);
        status = vrs_arena_resize(arena, 10 * MB);
    }
    assert_true(fake_cuda_peak(0) <= LIMIT);
    vrs_arena_destroy(arena);
    vrs_pool_destroy(pinned_pool);
    vrs_pool_destroy(device_pool);
    vrs_memory_free(memory, block);
    assert_int_equal(vrs_memory_report(memory, NULL, 0), 0);
    return status;
}

static vrs_status whole_life(void *opaque)
{
    vrs_memory *memory = NULL;
    vrs_memory_settings settings = {.limit = LIMIT, .host_limit = LIMIT, .context = 2 * MB};
    vrs_status status = vrs_memory_create(opaque, &settings, &memory);
    if (status == VRS_OK)
        status = use(memory);
    vrs_memory_destroy(memory);
    assert_int_equal(fake_cuda_used(0), 0);
    return status;
}

static void test_each_failure(void **state)
{
    (void)state;
    static const vrs_status also[] = {VRS_OK, VRS_DEVICE};
    vrs_device *device = NULL;
    if (vrs_device_open("cuda", &device) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_true(inject_all_allowing(whole_life, device, also, 2) > 20);
    vrs_device_close(device);
}

/* On a device of its own; the n-th call of `name` (NULL: none) says that memory is used up. */
static vrs_status live_failing(const char *name, uint64_t n)
{
    enum { OUT_OF_MEMORY = 2 };
    vrs_device *device = NULL;
    if (vrs_device_open("cuda", &device) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    if (name != NULL)
        fake_cuda_fail_at(name, n, OUT_OF_MEMORY);
    vrs_status status = whole_life(device);
    vrs_device_close(device);
    return status;
}

/* The same from the driver's side: its n-th call of each kind says that memory is used up. */
static void test_driver_refuses(void **state)
{
    (void)state;
    static const char *const names[] = {"cuMemAlloc_v2", "cuMemHostAlloc", "cuMemCreate",
                                        "cuMemMap",      "cuMemSetAccess", "cuMemAddressReserve"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint64_t before = fake_cuda_calls(names[i]);
        assert_int_equal(live_failing(NULL, 0), VRS_OK);
        uint64_t calls = fake_cuda_calls(names[i]) - before;
        assert_true(calls > 0);
        for (uint64_t n = 1; n <= calls; n++) {
            vrs_status status = live_failing(names[i], n);
            assert_true(status == VRS_OK || status == VRS_NO_MEMORY);
            assert_int_equal(fake_cuda_failures(), 1);
            fake_cuda_reset(0); /* with no device open */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_failure),
        cmocka_unit_test(test_driver_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
