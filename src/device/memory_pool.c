/* Pools: slots of one size in steps, each step one block of the manager. */
#include <assert.h>

#include "base/alloc.h"
#include "device/memory_internal.h"

#define SLOT_ALIGNMENT 256
#define MOST_SLOTS 65536
#define STEP_BYTES (UINT64_C(32) << 20)

enum slot_state { SLOT_ABSENT = 0, SLOT_FREE = 1, SLOT_OUT = 2 };

struct vrs_pool {
    vrs_memory *memory;
    vrs_pool_settings settings;
    size_t stride;
    uint32_t steps;
    const char *file;
    int line;
    vrs_pool *previous, *next; /* under memory->pools_lock */

    vrs_mutex lock; /* what follows */
    bool growing;   /* its new steps are not for the manager's own trim */
    uint32_t slots, in_use, most_in_use;
    uint32_t free_count;
    uint32_t *free_slots;      /* a stack */
    uint8_t *states;           /* enum slot_state by slot */
    vrs_memory_block **blocks; /* by step; NULL: not there */
    uint32_t *step_free;       /* free slots by step */
};

static uint32_t step_size(const vrs_pool *pool, uint32_t step)
{
    uint32_t first = step * pool->settings.step_slots;
    uint32_t left = pool->settings.most_slots - first;
    return left < pool->settings.step_slots ? left : pool->settings.step_slots;
}

static void free_pool(vrs_pool *pool)
{
    vrs_free(pool->free_slots);
    vrs_free(pool->states);
    vrs_free(pool->blocks);
    vrs_free(pool->step_free);
    vrs_mutex_destroy(&pool->lock);
    vrs_free(pool);
}

static vrs_status check_settings(const vrs_pool_settings *settings)
{
    if (settings->slot_bytes == 0 || settings->slot_bytes > SIZE_MAX / MOST_SLOTS / 2 ||
        settings->most_slots == 0 || settings->most_slots > MOST_SLOTS ||
        settings->keep_slots > settings->most_slots) {
        return vrs_fail(VRS_INVALID,
                        "a pool of %u slots of %zu bytes, %u of them kept: expected "
                        "1 to %d slots, and no more kept",
                        settings->most_slots, settings->slot_bytes, settings->keep_slots,
                        MOST_SLOTS);
    }
    return VRS_OK;
}

static uint32_t choose_step(const vrs_pool_settings *settings, size_t stride)
{
    uint64_t slots = settings->step_slots;
    if (slots == 0 && stride > 0)
        slots = STEP_BYTES / stride;
    slots = slots < settings->most_slots ? slots : settings->most_slots;
    return slots == 0 ? 1 : (uint32_t)slots;
}

static vrs_status make_pool(vrs_memory *memory, const vrs_pool_settings *settings, vrs_pool **made)
{
    vrs_pool *pool = vrs_alloc(sizeof(*pool));
    if (pool == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_mutex_init(&pool->lock);
    if (status != VRS_OK) {
        vrs_free(pool);
        return status;
    }
    pool->memory = memory;
    pool->settings = *settings;
    pool->stride = (settings->slot_bytes + SLOT_ALIGNMENT - 1) / SLOT_ALIGNMENT * SLOT_ALIGNMENT;
    pool->settings.step_slots = choose_step(settings, pool->stride);
    pool->steps =
        (settings->most_slots + pool->settings.step_slots - 1) / pool->settings.step_slots;
    pool->free_slots = vrs_alloc_array(settings->most_slots, sizeof(*pool->free_slots));
    pool->states = vrs_alloc_array(settings->most_slots, sizeof(*pool->states));
    pool->blocks = vrs_alloc_array(pool->steps, sizeof(void *));
    pool->step_free = vrs_alloc_array(pool->steps, sizeof(*pool->step_free));
    if (pool->free_slots == NULL || pool->states == NULL || pool->blocks == NULL ||
        pool->step_free == NULL) {
        free_pool(pool);
        return VRS_NO_MEMORY;
    }
    *made = pool;
    return VRS_OK;
}

vrs_status vrs_pool_create_at(vrs_memory *memory, const vrs_pool_settings *settings,
                              const char *file, int line, vrs_pool **pool)
{
    *pool = NULL;
    vrs_status status = check_settings(settings);
    if (status != VRS_OK)
        return status;
    vrs_pool *self = NULL;
    status = make_pool(memory, settings, &self);
    if (status != VRS_OK)
        return status;
    self->file = file;
    self->line = line;
    vrs_mutex_lock(&memory->pools_lock);
    self->next = memory->pools;
    if (self->next != NULL)
        self->next->previous = self;
    memory->pools = self;
    vrs_mutex_unlock(&memory->pools_lock);
    status = vrs_pool_grow(self, settings->keep_slots);
    if (status != VRS_OK) {
        vrs_pool_destroy(self);
        return status;
    }
    *pool = self;
    return VRS_OK;
}

void vrs_pool_drop(vrs_pool *pool)
{
    vrs_memory *memory = pool->memory;
    vrs_mutex_lock(&memory->pools_lock);
    if (pool->previous != NULL)
        pool->previous->next = pool->next;
    else
        memory->pools = pool->next;
    if (pool->next != NULL)
        pool->next->previous = pool->previous;
    vrs_mutex_unlock(&memory->pools_lock);
    for (uint32_t step = 0; step < pool->steps; step++)
        vrs_memory_free(memory, pool->blocks[step]);
    free_pool(pool);
}

void vrs_pool_destroy(vrs_pool *pool)
{
    if (pool != NULL) {
        assert(pool->in_use == 0);
        vrs_pool_drop(pool);
    }
}

/* ---- the way of a frame ---- */

bool vrs_pool_get(vrs_pool *pool, vrs_slot *slot)
{
    vrs_mutex_lock(&pool->lock);
    if (pool->free_count == 0) {
        vrs_mutex_unlock(&pool->lock);
        return false;
    }
    uint32_t index = pool->free_slots[--pool->free_count];
    uint32_t step = index / pool->settings.step_slots;
    const vrs_memory_block *block = pool->blocks[step];
    pool->states[index] = SLOT_OUT;
    pool->step_free[step]--;
    pool->in_use++;
    if (pool->in_use > pool->most_in_use)
        pool->most_in_use = pool->in_use;
    vrs_mutex_unlock(&pool->lock);
    /* The block stays while one of its slots is out. */
    size_t offset = (index - step * pool->settings.step_slots) * pool->stride;
    slot->address = block->address + offset;
    slot->host = block->host != NULL ? (char *)block->host + offset : NULL;
    slot->index = index;
    return true;
}

void vrs_pool_put(vrs_pool *pool, uint32_t index)
{
    assert(index < pool->settings.most_slots);
    vrs_mutex_lock(&pool->lock);
    assert(pool->states[index] == SLOT_OUT);
    pool->states[index] = SLOT_FREE;
    pool->free_slots[pool->free_count++] = index;
    pool->step_free[index / pool->settings.step_slots]++;
    pool->in_use--;
    vrs_mutex_unlock(&pool->lock);
}

/* ---- growing and giving back ---- */

/* The first step that is not there; `steps` where all are. The lock is held. */
static uint32_t absent_step(const vrs_pool *pool)
{
    uint32_t step = 0;
    while (step < pool->steps && pool->blocks[step] != NULL)
        step++;
    return step;
}

static void add_step(vrs_pool *pool, uint32_t step, vrs_memory_block *block)
{
    uint32_t size = step_size(pool, step);
    uint32_t first = step * pool->settings.step_slots;
    vrs_mutex_lock(&pool->lock);
    pool->blocks[step] = block;
    pool->step_free[step] = size;
    pool->slots += size;
    for (uint32_t i = size; i-- > 0;) {
        pool->states[first + i] = SLOT_FREE;
        pool->free_slots[pool->free_count++] = first + i;
    }
    vrs_mutex_unlock(&pool->lock);
}

static vrs_status grow_step(vrs_pool *pool, uint32_t step)
{
    const vrs_pool_settings *s = &pool->settings;
    vrs_memory_block *block = NULL;
    vrs_status status =
        vrs_memory_alloc_at(pool->memory, s->place, s->owner, step_size(pool, step) * pool->stride,
                            pool->file, pool->line, &block);
    if (status == VRS_OK)
        add_step(pool, step, block);
    return status;
}

static void set_growing(vrs_pool *pool, bool growing)
{
    vrs_mutex_lock(&pool->lock);
    pool->growing = growing;
    vrs_mutex_unlock(&pool->lock);
}

vrs_status vrs_pool_grow(vrs_pool *pool, uint32_t slots)
{
    if (slots > pool->settings.most_slots) {
        return vrs_fail(VRS_INVALID, "a pool cannot grow to %u slots: it was made for %u", slots,
                        pool->settings.most_slots);
    }
    set_growing(pool, true);
    vrs_status status = VRS_OK;
    while (status == VRS_OK) {
        vrs_mutex_lock(&pool->lock);
        uint32_t step = absent_step(pool);
        bool enough = pool->slots >= slots;
        vrs_mutex_unlock(&pool->lock);
        if (enough)
            break;
        status = grow_step(pool, step);
    }
    set_growing(pool, false);
    return status;
}

/* Takes the last step out whose slots are all free; NULL: none, or `slots` would not be left. */
static vrs_memory_block *take_idle_step(vrs_pool *pool, uint32_t slots)
{
    for (uint32_t step = pool->steps; step-- > 0;) {
        uint32_t size = step_size(pool, step);
        vrs_memory_block *block = pool->blocks[step];
        if (block == NULL || pool->step_free[step] != size || pool->slots - size < slots)
            continue;
        uint32_t first = step * pool->settings.step_slots;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < pool->free_count; i++) {
            uint32_t index = pool->free_slots[i];
            if (index - first >= size)
                pool->free_slots[kept++] = index;
            else
                pool->states[index] = SLOT_ABSENT;
        }
        pool->free_count = kept;
        pool->blocks[step] = NULL;
        pool->step_free[step] = 0;
        pool->slots -= size;
        return block;
    }
    return NULL;
}

uint64_t vrs_pool_trim(vrs_pool *pool, uint32_t slots)
{
    uint32_t least = slots > pool->settings.keep_slots ? slots : pool->settings.keep_slots;
    uint64_t given = 0;
    for (;;) {
        vrs_mutex_lock(&pool->lock);
        vrs_memory_block *block = take_idle_step(pool, least);
        vrs_mutex_unlock(&pool->lock);
        if (block == NULL)
            return given;
        given += block->bytes;
        vrs_memory_free(pool->memory, block);
    }
}

uint64_t vrs_memory_trim(vrs_memory *memory)
{
    uint64_t given = 0;
    vrs_mutex_lock(&memory->pools_lock);
    for (vrs_pool *pool = memory->pools; pool != NULL; pool = pool->next) {
        vrs_mutex_lock(&pool->lock);
        bool growing = pool->growing;
        vrs_mutex_unlock(&pool->lock);
        given += growing ? 0 : vrs_pool_trim(pool, 0);
    }
    vrs_mutex_unlock(&memory->pools_lock);
    return given;
}

void vrs_pool_get_stats(vrs_pool *pool, vrs_pool_stats *stats)
{
    vrs_mutex_lock(&pool->lock);
    *stats = (vrs_pool_stats){.slots = pool->slots,
                              .in_use = pool->in_use,
                              .most_in_use = pool->most_in_use,
                              .slot_bytes = pool->stride};
    vrs_mutex_unlock(&pool->lock);
}
