/* The memory manager: all device and pinned memory of ours, on top of a device.
 *
 * Every byte is booked before it is taken, so a budget is never exceeded; every block is in a
 * ledger with owner, place in the source, size and age. Blocks and arenas come from the driver and
 * are for the start of a stream, a reopened decoder, a batch that grows back; on the way of a frame
 * there are slots of pools alone, which cost a short lock and never call the driver.
 *
 * The manager does not know the GPU's work: whoever frees, trims, shrinks or puts a slot back does
 * so after the work that uses the memory has finished (its event is done).
 *
 * Where memory is short, the pressure handler is asked to give something up, level by level, by the
 * thread that wants it and without any lock of the manager held. */
#ifndef VRS_DEVICE_MEMORY_H
#define VRS_DEVICE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/device.h"
#include "vrseg/memory.h"

typedef struct vrs_memory_settings {
    uint64_t limit;      /* device budget in bytes, other libraries' part included; 0: what is free
                          * now without `reserve`. On the CPU: the host's budget */
    uint64_t reserve;    /* bytes of the device's memory that are always left to other programs */
    uint64_t host_limit; /* budget of pinned memory; 0: vrs_memory_host_budget() */
    uint64_t context;    /* what the device's context and kernels took, booked as
                          * VRS_MEMORY_CONTEXT; 0: asked of NVML, nothing where that is silent */
} vrs_memory_settings;

/* Returns owned. Borrows the device, which outlives the manager. Any thread. VRS_INVALID: the
 * context alone is over the limit (says what is needed). VRS_NO_MEMORY, VRS_DEVICE. */
VRS_API vrs_status vrs_memory_create(vrs_device *device, const vrs_memory_settings *settings,
                                     vrs_memory **memory) VRS_MUST_USE;

/* All pools, arenas and blocks must be gone: those that are not are written to the log, an owner a
 * line with its oldest block's place, and given back. NULL is fine. */
VRS_API void vrs_memory_destroy(vrs_memory *memory);

/* Blocks in the ledger, and a text for people: a line an owner, the largest first, cut to `size`.
 */
VRS_API size_t vrs_memory_report(const vrs_memory *memory, char *text, size_t size);

/* Three quarters of what is least of the RAM and the limits of the control groups. */
VRS_API uint64_t vrs_memory_host_budget(void);

/* "48", "48GB" (10^9 bytes), "1.5GiB" (2^30), "500MB", "500MiB", "4096B", "auto" (0); a number
 * alone is GB. VRS_INVALID names what is wrong. */
VRS_API vrs_status vrs_memory_parse_size(const char *text, uint64_t *bytes) VRS_MUST_USE;

/* Of a start that failed: where a budget that the user chose has refused what was wanted,
 * VRS_NO_MEMORY becomes VRS_INVALID, as only the user can change that, with a sentence that says
 * what is needed at least. Other statuses stay, with their last error. NULL is fine. Any thread. */
VRS_API vrs_status vrs_memory_blame_budget(vrs_memory *memory, vrs_status status) VRS_MUST_USE;
/* What was refused so far does not count: the start goes on without it. NULL is fine. */
VRS_API void vrs_memory_forget_refusals(vrs_memory *memory);

/* ---- blocks ---- */

/* `address`: what kernels and copies use, aligned to 256 bytes (the CPU: to VRS_ALIGNMENT); `host`:
 * the same bytes for the CPU (NULL for a GPU's memory, which the host never follows). */
typedef struct vrs_memory_block {
    vrs_device_ptr address;
    void *host;
    size_t bytes; /* as asked for */
} vrs_memory_block;

/* Returns owned. The memory is not cleared. May call the pressure handler; VRS_NO_MEMORY after all
 * its levels, naming who holds what. Never in a pressure handler. Any thread. */
#define vrs_memory_alloc(memory, place, owner, bytes, block) \
    vrs_memory_alloc_at(memory, place, owner, bytes, __FILE__, __LINE__, block)
VRS_API vrs_status vrs_memory_alloc_at(vrs_memory *memory, vrs_memory_place place,
                                       vrs_memory_owner owner, size_t bytes, const char *file,
                                       int line, vrs_memory_block **block) VRS_MUST_USE;
/* Takes; NULL is fine. Any thread. */
VRS_API void vrs_memory_free(vrs_memory *memory, vrs_memory_block *block);

/* ---- pools: slots of one size ---- */

typedef struct vrs_pool vrs_pool;

typedef struct vrs_pool_settings {
    vrs_memory_place place;
    vrs_memory_owner owner;
    size_t slot_bytes;   /* slots lie at multiples of this, rounded up to 256 */
    uint32_t most_slots; /* 1..65536 */
    uint32_t keep_slots; /* taken at once and never given back before the pool is destroyed */
    uint32_t step_slots; /* grown and given back so many at a time; 0: chosen so that a step is
                          * about 32 MB */
} vrs_pool_settings;

typedef struct vrs_slot {
    vrs_device_ptr address;
    void *host;     /* as in a block */
    uint32_t index; /* 0..most_slots-1, stable while the slot is mapped; what is put back */
} vrs_slot;

/* Returns owned, with keep_slots slots (rounded up to whole steps). As vrs_memory_alloc(). */
#define vrs_pool_create(memory, settings, pool) \
    vrs_pool_create_at(memory, settings, __FILE__, __LINE__, pool)
VRS_API vrs_status vrs_pool_create_at(vrs_memory *memory, const vrs_pool_settings *settings,
                                      const char *file, int line, vrs_pool **pool) VRS_MUST_USE;
/* Every slot must have been put back (assertion). NULL is fine. */
VRS_API void vrs_pool_destroy(vrs_pool *pool);

/* A free slot, the last that was put back first. False: none is free; nothing waits and nothing
 * grows here. Any thread; never calls the driver. */
VRS_API bool vrs_pool_get(vrs_pool *pool, vrs_slot *slot) VRS_MUST_USE;
/* Any thread. A slot that is not out is a programming error (assertion). */
VRS_API void vrs_pool_put(vrs_pool *pool, uint32_t index);

/* At least `slots` slots, at most most_slots; already there: VRS_OK. As vrs_memory_alloc(); what
 * could be taken stays. One thread at a time for each pool. */
VRS_API vrs_status vrs_pool_grow(vrs_pool *pool, uint32_t slots) VRS_MUST_USE;
/* Gives steps back whose slots are all free, down to `slots` (and keep_slots). Bytes given back. */
VRS_API uint64_t vrs_pool_trim(vrs_pool *pool, uint32_t slots);

typedef struct vrs_pool_stats {
    uint32_t slots, in_use, most_in_use;
    size_t slot_bytes; /* with padding */
} vrs_pool_stats;
VRS_API void vrs_pool_get_stats(vrs_pool *pool, vrs_pool_stats *stats);

/* ---- arenas: a range of fixed addresses whose tail comes and goes ---- */

typedef struct vrs_arena vrs_arena;

/* Returns owned: `most_bytes` of device addresses, no memory behind them yet. VRS_UNSUPPORTED: the
 * device has no virtual memory management. Use by one thread at a time. */
#define vrs_arena_create(memory, owner, most_bytes, arena) \
    vrs_arena_create_at(memory, owner, most_bytes, __FILE__, __LINE__, arena)
VRS_API vrs_status vrs_arena_create_at(vrs_memory *memory, vrs_memory_owner owner,
                                       uint64_t most_bytes, const char *file, int line,
                                       vrs_arena **arena) VRS_MUST_USE;
VRS_API void vrs_arena_destroy(vrs_arena *arena);

/* Memory behind the first `bytes` (rounded up to the arena's step), none behind the rest. What
 * stays mapped keeps address and contents: graphs that use the front alone stay valid. Growing may
 * call the pressure handler and fails whole: VRS_NO_MEMORY leaves the arena as it was, or as the
 * handler has shrunk it, which may be this arena and ends its growth.
 * VRS_INVALID: more than was reserved. */
VRS_API vrs_status vrs_arena_resize(vrs_arena *arena, uint64_t bytes) VRS_MUST_USE;
VRS_API vrs_device_ptr vrs_arena_address(const vrs_arena *arena);
VRS_API uint64_t vrs_arena_bytes(const vrs_arena *arena);

/* ---- other libraries' memory ---- */

/* Around a call into a library that takes or gives back device memory by itself: what is free
 * before and after, less what the manager did in between, is booked for `owner` (a measured one).
 *
 *     vrs_status status = vrs_memory_measure_begin(memory, VRS_MEMORY_LIBRARIES, expected);
 *     ... open the library's session ...
 *     status = vrs_memory_measure_end(memory, &taken);
 *
 * `expected` bytes are booked meanwhile (0: unknown), so that they are asked of the budget, under
 * pressure if need be, before the library takes them: begin fails with VRS_NO_MEMORY where they are
 * not there, and then there must be no end. One bracket at a time: a second begin of another thread
 * waits, and both are called by the same thread. End books what was really taken (`taken` may be
 * NULL; negative: given back). VRS_NO_MEMORY from end: the budget is exceeded by what the library
 * took; it is booked all the same, and the caller closes the library inside another bracket. On the
 * CPU nothing is measured. */
VRS_API vrs_status vrs_memory_measure_begin(vrs_memory *memory, vrs_memory_owner owner,
                                            uint64_t expected) VRS_MUST_USE;
VRS_API vrs_status vrs_memory_measure_end(vrs_memory *memory, int64_t *taken) VRS_MUST_USE;

/* Books without measuring, for who knows the sizes (negative: given back). VRS_NO_MEMORY: over the
 * budget after all levels of pressure; nothing is booked then. */
VRS_API vrs_status vrs_memory_book(vrs_memory *memory, vrs_memory_place place,
                                   vrs_memory_owner owner, int64_t bytes) VRS_MUST_USE;

/* ---- pressure ---- */

typedef enum vrs_pressure_reason {
    VRS_PRESSURE_BUDGET = 0, /* the budget would be exceeded */
    VRS_PRESSURE_FAILED = 1, /* the driver has no more */
    VRS_PRESSURE_OTHERS = 2, /* less is free than the reserve: another program took it */
} vrs_pressure_reason;

/* In this order. The manager has trimmed its own pools before the first. */
typedef enum vrs_pressure_level {
    VRS_PRESSURE_TRIM = 1,    /* drop what is kept only to be quick */
    VRS_PRESSURE_BATCH = 2,   /* a smaller batch: destroy its graphs, shrink its arena */
    VRS_PRESSURE_TICKETS = 3, /* fewer frames in flight */
    VRS_PRESSURE_WAIT = 4,    /* wait until frames in flight have given memory back */
} vrs_pressure_level;

typedef struct vrs_pressure {
    vrs_pressure_reason reason;
    vrs_pressure_level level;
    vrs_memory_place place;
    vrs_memory_owner owner; /* who asks */
    uint64_t wanted;        /* bytes of the allocation; 0 for VRS_PRESSURE_OTHERS of a poll */
    uint64_t missing;       /* bytes that giving back would be enough */
} vrs_pressure;

/* True: something was given back, try again (and ask again at this level if it was not enough).
 * False: this level has nothing more. Called by any thread that allocates or polls, by several at
 * once; it may free, trim and shrink, it may wait for frames, it does not allocate (such a call
 * fails at once with VRS_NO_MEMORY). */
typedef bool (*vrs_pressure_fn)(void *opaque, const vrs_pressure *pressure);

/* Shares `opaque` until the next call or the end. NULL: no handler. */
VRS_API void vrs_memory_on_pressure(vrs_memory *memory, vrs_pressure_fn fn, void *opaque);

/* Looks whether other programs have taken memory: less free than the reserve calls the handler
 * (levels TRIM to TICKETS) until it is there again or nothing more is given. A call into the
 * driver: some tens of microseconds; a few times a second, from a thread of the pipeline. Returns
 * true when there was pressure. */
VRS_API bool vrs_memory_poll(vrs_memory *memory);

/* Gives back what the manager's own pools do not use. Bytes. */
VRS_API uint64_t vrs_memory_trim(vrs_memory *memory);

/* Bytes that could be taken now without pressure: of the budget, and of what the device has free
 * without the reserve. To decide what to grow back. */
VRS_API uint64_t vrs_memory_available(const vrs_memory *memory, vrs_memory_place place);
/* vrs_now_ns() of the last pressure; 0: none yet. Growth back waits for quiet. */
VRS_API int64_t vrs_memory_last_pressure_ns(const vrs_memory *memory);

#endif
