/* The only way to host memory. Every allocation can be made to fail in tests. */
#ifndef VRS_BASE_ALLOC_H
#define VRS_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vrseg/status.h"

/* Alignment of vrs_alloc_aligned(): a cache line, and enough for AVX-512. */
#define VRS_ALIGNMENT 64

/* All return zeroed memory, or NULL after vrs_fail(VRS_NO_MEMORY, ...) with the size asked for.
 * count * size is checked for overflow. Any thread. Freed by vrs_free(). */
VRS_API void *vrs_alloc(size_t size) VRS_MUST_USE;
VRS_API void *vrs_alloc_array(size_t count, size_t size) VRS_MUST_USE;
VRS_API void *vrs_alloc_aligned(size_t size) VRS_MUST_USE;
VRS_API char *vrs_strdup(const char *text) VRS_MUST_USE;

/* Grows or shrinks; the old block stays valid on failure; new bytes are not zeroed. Not for
 * aligned blocks. */
VRS_API void *vrs_realloc(void *block, size_t size) VRS_MUST_USE;

/* NULL is fine. Keeps errno. */
VRS_API void vrs_free(void *block);

/* For tests: asked before every fallible resource ("memory", "thread", "mutex", "condition", and
 * calls into libraries marked with vrs_inject()); false makes it fail. NULL removes the hook.
 * It is called by the thread that wants the resource, so by several at once. */
typedef bool (*vrs_inject_fn)(void *opaque, const char *what);
VRS_API void vrs_inject_set(vrs_inject_fn fn, void *opaque);

/* True when the call named `what` is to go ahead. */
VRS_API bool vrs_inject(const char *what);

/* Blocks, threads, mutexes and conditions that are alive: back at its old value after whatever was
 * made has been destroyed. Other folders book resources of their own (library handles) by the
 * pair below. Any thread. */
VRS_API size_t vrs_resources_live(void);
/* Bytes of the blocks that are alive, with what the allocator rounds up to. Any thread. */
VRS_API size_t vrs_alloc_bytes_live(void);
VRS_API void vrs_resource_born(void);
VRS_API void vrs_resource_died(void);

#endif
