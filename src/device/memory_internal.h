/* What the files of the memory manager share. */
#ifndef VRS_DEVICE_MEMORY_INTERNAL_H
#define VRS_DEVICE_MEMORY_INTERNAL_H

#include "base/thread.h"
#include "device/memory.h"

/* A line of the ledger. Lives in what it books; in the list while `bytes` are booked. */
typedef struct vrs_record {
    struct vrs_record *previous, *next;
    vrs_memory_place place;
    vrs_memory_owner owner;
    uint64_t bytes; /* as booked, with the driver's rounding */
    const char *file;
    int line;
    int64_t born_ns;
    vrs_arena *arena; /* whose record it is; NULL: a block's */
} vrs_record;

/* One budget. */
typedef struct vrs_account {
    uint64_t limit, used, high_water, measured;
    uint64_t allocations, releases, pressures;
    uint64_t refused; /* what would have been used, had the limit allowed it; the most of all */
    bool chosen;      /* by the user, who can choose a larger one */
    struct {
        uint64_t used, high_water;
        uint32_t blocks;
    } owners[VRS_MEMORY_OWNERS];
} vrs_account;

/* An open bracket around a library's call. */
typedef struct vrs_measure {
    vrs_memory_owner owner;
    uint64_t expected, free_before, ours_before;
} vrs_measure;

struct vrs_memory {
    vrs_device *device;
    bool cuda;
    uint64_t reserve;
    size_t granularity; /* of the driver's larger blocks */

    vrs_mutex lock; /* what follows */
    vrs_account accounts[VRS_MEMORY_PLACES];
    vrs_record *records;
    vrs_pressure_fn pressure_fn;
    void *pressure_opaque;
    int64_t last_pressure_ns;

    vrs_mutex pools_lock; /* taken before a pool's own lock and before `lock` */
    vrs_pool *pools;

    vrs_mutex measure_lock; /* held from begin to end of a bracket */
    vrs_measure measure;
};

/* The account of a place: on the CPU there is one. */
vrs_account *vrs_memory_account(vrs_memory *memory, vrs_memory_place place);

/* A step that takes memory from the driver; VRS_NO_MEMORY is answered by pressure. */
typedef vrs_status (*vrs_memory_take_fn)(void *opaque);

/* Books `bytes` more for the record, then calls `take`, under pressure where it must be. What
 * failed is not booked; what succeeded is in the ledger. */
vrs_status vrs_memory_take(vrs_memory *memory, vrs_record *record, uint64_t bytes,
                           vrs_memory_take_fn take, void *opaque) VRS_MUST_USE;

/* After memory was given back to the driver: `bytes` of the record are free again; a record with
 * nothing left leaves the ledger. */
void vrs_memory_give(vrs_memory *memory, vrs_record *record, uint64_t bytes);

/* Without a record and without a look at the budget: others' memory that is there anyway. Lower
 * than zero is zero. Returns what was added. `lock` is held. */
int64_t vrs_memory_adjust(vrs_memory *memory, vrs_memory_place place, vrs_memory_owner owner,
                          int64_t bytes);

/* As vrs_memory_take(), for others' memory, which has no record and nothing to call. */
vrs_status vrs_memory_claim(vrs_memory *memory, vrs_memory_place place, vrs_memory_owner owner,
                            uint64_t bytes) VRS_MUST_USE;

/* Adds to `used` where the budget has it: 0, or the bytes that are missing. `lock` is held. */
uint64_t vrs_memory_add(vrs_memory *memory, vrs_memory_place place, vrs_memory_owner owner,
                        uint64_t bytes);

/* How far the asking of one allocation has come; zeroed at its start. */
typedef struct vrs_relief {
    int level;   /* 0: the manager's own pools; then vrs_pressure_level */
    int answers; /* at this level */
} vrs_relief;

/* Asks for `pressure->missing` bytes at the level where the relief has come to, and then at the
 * next ones up to `last`. True: somebody gave something. False: nobody gives any more. */
bool vrs_memory_relieve(vrs_memory *memory, vrs_pressure *pressure, vrs_relief *relief,
                        vrs_pressure_level last);

/* The device's free and total bytes; false where they are not known. */
bool vrs_memory_device_info(const vrs_memory *memory, uint64_t *free_bytes, uint64_t *total_bytes);

/* Destroys also with slots that are out: for the end of the manager. */
void vrs_pool_drop(vrs_pool *pool);

/* memory_refusal.c: with so many bytes in use the allocation had succeeded. */
void vrs_memory_note_refusal(vrs_memory *memory, vrs_memory_place place, uint64_t needed);

/* "1.50 GB" */
#define VRS_BYTES_TEXT 24
const char *vrs_bytes_text(uint64_t bytes, char text[VRS_BYTES_TEXT]);

#endif
