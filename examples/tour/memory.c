/* Part 3: the memory manager on whatever device there is: slots against allocations, the budget's
 * refusal, and the ledger. */
#include <stdio.h>

#include "device/memory.h"
#include "tour.h"

#define MB (UINT64_C(1) << 20)
#define TURNS 2000
#define SLOT ((size_t)8 * MB)

static void race(vrs_memory *memory)
{
    const vrs_pool_settings settings = {.place = VRS_MEMORY_PLACE_DEVICE,
                                        .owner = VRS_MEMORY_FRAMES,
                                        .slot_bytes = SLOT,
                                        .most_slots = 4,
                                        .keep_slots = 4};
    vrs_pool *pool = NULL;
    tour_require(vrs_pool_create(memory, &settings, &pool));
    int64_t begin = vrs_now_ns();
    for (int turn = 0; turn < TURNS; turn++) {
        vrs_slot slot;
        if (vrs_pool_get(pool, &slot))
            vrs_pool_put(pool, slot.index);
    }
    int64_t pooled = (vrs_now_ns() - begin) / TURNS;
    begin = vrs_now_ns();
    for (int turn = 0; turn < TURNS / 20; turn++) {
        vrs_memory_block *block = NULL;
        tour_require(
            vrs_memory_alloc(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_FRAMES, SLOT, &block));
        vrs_memory_free(memory, block);
    }
    int64_t allocated = (vrs_now_ns() - begin) / (TURNS / 20);
    (void)printf("   8 MB: a pool's slot in %lld ns, an allocation in %lld ns\n", (long long)pooled,
                 (long long)allocated);
    vrs_pool_destroy(pool);
}

void tour_memory(const tour *t)
{
    (void)t;
    vrs_device *device = NULL;
    vrs_memory *memory = NULL;
    vrs_memory_block *block = NULL, *more = NULL;
    char ledger[1024];
    tour_require(vrs_device_open("auto", &device));
    bool gpu = vrs_device_get_properties(device)->kind == VRS_DEVICE_CUDA;
    /* A GPU's context is in the budget too. */
    const vrs_memory_settings settings = {.limit = gpu ? 2048 * MB : 256 * MB};
    tour_require(vrs_memory_create(device, &settings, &memory));
    (void)printf("   %s, a budget of %llu MiB\n", vrs_device_get_properties(device)->name,
                 (unsigned long long)(settings.limit / MB));
    race(memory);
    tour_require(
        vrs_memory_alloc(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_WEIGHTS, 100 * MB, &block));
    vrs_status status =
        vrs_memory_alloc(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_ARENA, settings.limit, &more);
    (void)printf("   asked for all of it beside 100 MiB: %s (%s)\n", vrs_status_text(status),
                 vrs_last_error());
    (void)vrs_memory_report(memory, ledger, sizeof ledger);
    (void)printf("   the ledger meanwhile:\n");
    tour_print(ledger);
    vrs_memory_free(memory, more);
    vrs_memory_free(memory, block);
    size_t left = vrs_memory_report(memory, NULL, 0);
    (void)printf("   at the end %zu blocks are left in it\n", left);
    vrs_memory_destroy(memory);
    vrs_device_close(device);
}
