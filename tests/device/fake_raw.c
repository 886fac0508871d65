#include "device/fake_raw.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "device/raw.h"

#define GRANULARITY (UINT64_C(2) << 20)
#define MOST_PIECES 4096

typedef enum piece_kind { PIECE_NONE, PIECE_BLOCK, PIECE_RANGE, PIECE_MAPPED } piece_kind;

typedef struct piece {
    piece_kind kind;
    uint64_t at, bytes;
} piece;

static vrs_mutex lock = {PTHREAD_MUTEX_INITIALIZER};
static piece pieces[MOST_PIECES];
static uint64_t total, others, used, reserved, calls, next_address;
static const vrs_device_properties properties = {
    .kind = VRS_DEVICE_CUDA, .id = "cuda:0", .name = "bookkeeping", .virtual_memory = true};

void fake_raw_reset(uint64_t bytes)
{
    memset(pieces, 0, sizeof(pieces));
    total = bytes;
    others = used = reserved = calls = 0;
    next_address = UINT64_C(1) << 40;
}

vrs_device *fake_raw_device(void)
{
    return (vrs_device *)(uintptr_t)&properties; /* never looked into but here */
}

void fake_raw_set_others(uint64_t bytes)
{
    vrs_mutex_lock(&lock);
    others = bytes;
    vrs_mutex_unlock(&lock);
}

static uint64_t read_locked(const uint64_t *number)
{
    vrs_mutex_lock(&lock);
    uint64_t value = *number;
    vrs_mutex_unlock(&lock);
    return value;
}

uint64_t fake_raw_used(void)
{
    return read_locked(&used);
}

uint64_t fake_raw_reserved(void)
{
    return read_locked(&reserved);
}

uint64_t fake_raw_calls(void)
{
    return read_locked(&calls);
}

const vrs_device_properties *vrs_device_get_properties(const vrs_device *device)
{
    (void)device;
    return &properties;
}

/* Adds a piece; at 0 a fresh address is chosen. The lock is held. */
static uint64_t add_piece(piece_kind kind, uint64_t at, uint64_t bytes)
{
    for (int i = 0; i < MOST_PIECES; i++) {
        if (pieces[i].kind == PIECE_NONE) {
            uint64_t pages = (bytes + GRANULARITY - 1) / GRANULARITY * GRANULARITY;
            pieces[i] = (piece){.kind = kind, .at = at != 0 ? at : next_address, .bytes = pages};
            next_address += at != 0 ? 0 : pages + GRANULARITY;
            *(kind == PIECE_RANGE ? &reserved : &used) += pages;
            return pieces[i].at;
        }
    }
    abort();
}

/* Removes the piece that begins there; it must be there, of that kind and, unless 0, that size. */
static void remove_piece(piece_kind kind, uint64_t at, uint64_t bytes)
{
    vrs_mutex_lock(&lock);
    calls++;
    piece *found = NULL;
    for (int i = 0; i < MOST_PIECES && found == NULL; i++)
        found = pieces[i].kind == kind && pieces[i].at == at ? &pieces[i] : NULL;
    assert(found != NULL && (bytes == 0 || bytes == found->bytes));
    *(kind == PIECE_RANGE ? &reserved : &used) -= found->bytes;
    *found = (piece){0};
    vrs_mutex_unlock(&lock);
}

static vrs_status take_memory(piece_kind kind, uint64_t at, size_t bytes, uint64_t *address)
{
    *address = 0;
    if (!vrs_inject("raw"))
        return vrs_fail(VRS_NO_MEMORY, "refused by failure injection");
    vrs_mutex_lock(&lock);
    calls++;
    bool there = kind == PIECE_RANGE || used + others + bytes <= total;
    if (there)
        *address = add_piece(kind, at, bytes);
    vrs_mutex_unlock(&lock);
    return there ? VRS_OK : vrs_fail(VRS_NO_MEMORY, "%zu bytes are not there", bytes);
}

vrs_status vrs_device_raw_alloc(vrs_device *device, size_t bytes, vrs_device_ptr *ptr)
{
    (void)device;
    return take_memory(PIECE_BLOCK, 0, bytes, ptr);
}

void vrs_device_raw_free(vrs_device *device, vrs_device_ptr ptr)
{
    (void)device;
    remove_piece(PIECE_BLOCK, ptr, 0);
}

vrs_status vrs_device_raw_host_alloc(vrs_device *device, size_t bytes, void **block)
{
    (void)device;
    *block = vrs_alloc_aligned(bytes);
    return *block != NULL ? VRS_OK : VRS_NO_MEMORY;
}

void vrs_device_raw_host_free(vrs_device *device, void *block)
{
    (void)device;
    vrs_free(block);
}

vrs_status vrs_device_raw_info(vrs_device *device, size_t *free_bytes, size_t *total_bytes)
{
    (void)device;
    vrs_mutex_lock(&lock);
    *total_bytes = total;
    *free_bytes = used + others < total ? total - used - others : 0;
    vrs_mutex_unlock(&lock);
    return VRS_OK;
}

vrs_status vrs_device_raw_granularity(vrs_device *device, size_t *bytes)
{
    (void)device;
    *bytes = GRANULARITY;
    return VRS_OK;
}

vrs_status vrs_device_raw_reserve(vrs_device *device, size_t bytes, vrs_device_ptr *range)
{
    (void)device;
    assert(bytes % GRANULARITY == 0);
    return take_memory(PIECE_RANGE, 0, bytes, range);
}

void vrs_device_raw_unreserve(vrs_device *device, vrs_device_ptr range, size_t bytes)
{
    (void)device;
    remove_piece(PIECE_RANGE, range, bytes);
}

vrs_status vrs_device_raw_map(vrs_device *device, vrs_device_ptr at, size_t bytes)
{
    (void)device;
    assert(at % GRANULARITY == 0 && bytes % GRANULARITY == 0);
    uint64_t address = 0;
    return take_memory(PIECE_MAPPED, at, bytes, &address);
}

void vrs_device_raw_unmap(vrs_device *device, vrs_device_ptr at, size_t bytes)
{
    (void)device;
    remove_piece(PIECE_MAPPED, at, bytes);
}
