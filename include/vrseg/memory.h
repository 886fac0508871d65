/* What vrseg's device and pinned memory is used for: read-only figures of a running pipeline. */
#ifndef VRSEG_MEMORY_H
#define VRSEG_MEMORY_H

#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The two places that have a budget each. On the CPU there is one budget for both. */
typedef enum vrs_memory_place {
    VRS_MEMORY_PLACE_DEVICE = 0, /* the GPU's memory; on the CPU the host's */
    VRS_MEMORY_PLACE_PINNED = 1, /* host memory that the GPU copies from and to directly */
} vrs_memory_place;
#define VRS_MEMORY_PLACES 2

/* Who holds memory: X(number, NAME, "text"). Those from CONTEXT on are other libraries', booked by
 * what was measured around their calls. New ones go before COUNT. */
#define VRS_MEMORY_OWNER_MAP(X)                      \
    X(0, FRAMES, "frames")                           \
    X(1, TENSORS, "network inputs and outputs")      \
    X(2, WEIGHTS, "weights")                         \
    X(3, ARENA, "activations")                       \
    X(4, WORKSPACE, "workspace")                     \
    X(5, STATES, "states over time")                 \
    X(6, MASKS, "masks and outputs")                 \
    X(7, STAGING, "copies from and to the host")     \
    X(8, TABLES, "tables and parameters")            \
    X(9, TEST, "tests and benchmarks")               \
    X(10, CONTEXT, "driver's context and kernels")   \
    X(11, DECODER, "decoder")                        \
    X(12, LIBRARIES, "inference engine's libraries") \
    X(13, OTHERS, "other libraries")

typedef enum vrs_memory_owner {
#define VRS_MEMORY_OWNER_ENUM(number, name, text) VRS_MEMORY_##name = (number),
    VRS_MEMORY_OWNER_MAP(VRS_MEMORY_OWNER_ENUM)
#undef VRS_MEMORY_OWNER_ENUM
} vrs_memory_owner;
#define VRS_MEMORY_OWNERS 14
/* The first whose memory is measured, not allocated by vrseg. */
#define VRS_MEMORY_FIRST_MEASURED VRS_MEMORY_CONTEXT

typedef struct vrs_memory_owner_stats {
    uint64_t used;       /* bytes */
    uint64_t high_water; /* most bytes at any time */
    uint32_t blocks;     /* in the ledger; 0 for measured owners */
    int64_t oldest_ns;   /* age of the oldest of them; 0: none */
} vrs_memory_owner_stats;

/* Bytes, of one place. */
typedef struct vrs_memory_stats {
    uint64_t budget;       /* `used` never exceeds it */
    uint64_t used;         /* vrseg's and what was measured of others */
    uint64_t high_water;   /* most of `used` at any time */
    uint64_t measured;     /* the others' part of `used` */
    uint64_t reserve;      /* left free for other programs */
    uint64_t device_free;  /* as the device says now, all programs together; 0: unknown */
    uint64_t device_total; /* 0: unknown */
    uint64_t allocations;  /* calls into the driver that took memory, since the start: stands still
                            * while a pipeline runs */
    uint64_t releases;     /* the same of those that gave some back */
    uint64_t pressures;    /* times that memory was short and something was asked to give some up */
    vrs_memory_owner_stats owners[VRS_MEMORY_OWNERS];
} vrs_memory_stats;

/* The memory manager of a pipeline's device. */
typedef struct vrs_memory vrs_memory;

/* Figures at one moment. Any thread. */
VRS_API void vrs_memory_get_stats(const vrs_memory *memory, vrs_memory_place place,
                                  vrs_memory_stats *stats);

/* "frames", "weights", ...; static text, "unknown" for a number that is none. */
VRS_API const char *vrs_memory_owner_name(vrs_memory_owner owner);

#ifdef __cplusplus
}
#endif
#endif
