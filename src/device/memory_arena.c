/* Arenas: a reserved range of device addresses with memory behind its front. */
#include <assert.h>

#include "base/alloc.h"
#include "device/memory_internal.h"
#include "device/raw.h"

/* Steps of an arena at most this large, and about this many of them. */
#define MOST_STEP_BYTES (UINT64_C(32) << 20)
#define WANTED_STEPS 64

struct vrs_arena {
    vrs_memory *memory;
    vrs_record record; /* its bytes are what is mapped */
    vrs_device_ptr base;
    uint64_t reserved;
    uint64_t step;
};

/* The step that is mapped next. */
static vrs_status map_step(void *opaque)
{
    vrs_arena *arena = opaque;
    return vrs_device_raw_map(arena->memory->device, arena->base + arena->record.bytes,
                              arena->step);
}

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static uint64_t choose_step(uint64_t most_bytes, uint64_t granularity)
{
    uint64_t step = round_up(most_bytes / WANTED_STEPS + 1, granularity);
    uint64_t most = round_up(MOST_STEP_BYTES, granularity);
    return step < most ? step : most;
}

vrs_status vrs_arena_create_at(vrs_memory *memory, vrs_memory_owner owner, uint64_t most_bytes,
                               const char *file, int line, vrs_arena **arena)
{
    *arena = NULL;
    if (most_bytes == 0 || most_bytes > UINT64_MAX / 4) {
        return vrs_fail(VRS_INVALID, "an arena of %llu bytes cannot be reserved",
                        (unsigned long long)most_bytes);
    }
    size_t granularity = 0;
    vrs_status status = vrs_device_raw_granularity(memory->device, &granularity);
    if (status != VRS_OK)
        return status;
    vrs_arena *self = vrs_alloc(sizeof(*self));
    if (self == NULL)
        return VRS_NO_MEMORY;
    self->memory = memory;
    self->step = choose_step(most_bytes, granularity);
    self->reserved = round_up(most_bytes, self->step);
    self->record = (vrs_record){.place = VRS_MEMORY_PLACE_DEVICE,
                                .owner = owner,
                                .file = file,
                                .line = line,
                                .arena = self};
    status = vrs_device_raw_reserve(memory->device, self->reserved, &self->base);
    if (status != VRS_OK) {
        vrs_free(self);
        return status;
    }
    *arena = self;
    return VRS_OK;
}

/* Unmaps from the end until at most `bytes` are left. */
static void shrink(vrs_arena *arena, uint64_t bytes)
{
    while (arena->record.bytes > bytes) {
        uint64_t last = arena->record.bytes - arena->step;
        vrs_device_raw_unmap(arena->memory->device, arena->base + last, arena->step);
        vrs_memory_give(arena->memory, &arena->record, arena->step);
    }
}

void vrs_arena_destroy(vrs_arena *arena)
{
    if (arena == NULL)
        return;
    shrink(arena, 0);
    vrs_device_raw_unreserve(arena->memory->device, arena->base, arena->reserved);
    vrs_free(arena);
}

/* Maps one step more. A pressure handler may answer by shrinking this very arena: then growing it
 * would take back what was just given, for ever, so it ends, and `before`, what stays of the arena,
 * is what the handler left. */
static vrs_status grow(vrs_arena *arena, uint64_t *before)
{
    uint64_t had = arena->record.bytes;
    vrs_status status =
        vrs_memory_take(arena->memory, &arena->record, arena->step, map_step, arena);
    uint64_t left = arena->record.bytes - (status == VRS_OK ? arena->step : 0);
    *before = left < *before ? left : *before;
    if (status == VRS_OK && left < had) {
        return vrs_fail(VRS_NO_MEMORY,
                        "an arena cannot grow: where memory was short for it, it was shrunk to "
                        "%llu bytes",
                        (unsigned long long)left);
    }
    return status;
}

vrs_status vrs_arena_resize(vrs_arena *arena, uint64_t bytes)
{
    if (bytes > arena->reserved) {
        return vrs_fail(VRS_INVALID, "an arena cannot grow to %llu bytes: it was made for %llu",
                        (unsigned long long)bytes, (unsigned long long)arena->reserved);
    }
    uint64_t wanted = round_up(bytes, arena->step);
    uint64_t before = arena->record.bytes;
    while (arena->record.bytes < wanted) {
        vrs_status status = grow(arena, &before);
        if (status != VRS_OK) {
            shrink(arena, before);
            return status;
        }
    }
    shrink(arena, wanted);
    return VRS_OK;
}

vrs_device_ptr vrs_arena_address(const vrs_arena *arena)
{
    return arena->base;
}

uint64_t vrs_arena_bytes(const vrs_arena *arena)
{
    return arena->record.bytes;
}
