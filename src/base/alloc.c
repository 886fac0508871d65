#include "base/alloc.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic(vrs_inject_fn) inject_fn;
static _Atomic(void *) inject_opaque;
static atomic_size_t live_resources;
static atomic_size_t live_bytes;

void vrs_inject_set(vrs_inject_fn fn, void *opaque)
{
    atomic_store_explicit(&inject_opaque, opaque, memory_order_relaxed);
    atomic_store_explicit(&inject_fn, fn, memory_order_release);
}

bool vrs_inject(const char *what)
{
    vrs_inject_fn fn = atomic_load_explicit(&inject_fn, memory_order_acquire);
    return fn == NULL || fn(atomic_load_explicit(&inject_opaque, memory_order_relaxed), what);
}

void vrs_resource_born(void)
{
    atomic_fetch_add_explicit(&live_resources, 1, memory_order_relaxed);
}

void vrs_resource_died(void)
{
    atomic_fetch_sub_explicit(&live_resources, 1, memory_order_relaxed);
}

size_t vrs_resources_live(void)
{
    return atomic_load(&live_resources);
}

size_t vrs_alloc_bytes_live(void)
{
    return atomic_load(&live_bytes);
}

static void *count_block(void *block, size_t size)
{
    if (block == NULL) {
        (void)vrs_fail(VRS_NO_MEMORY, "cannot allocate %zu bytes of memory", size);
        return NULL;
    }
    vrs_resource_born();
    atomic_fetch_add_explicit(&live_bytes, malloc_usable_size(block), memory_order_relaxed);
    return block;
}

/* A size of 0 gets a block too, so that NULL always means failure. */
static size_t at_least_one(size_t size)
{
    return size == 0 ? 1 : size;
}

void *vrs_alloc(size_t size)
{
    return count_block(vrs_inject("memory") ? calloc(1, at_least_one(size)) : NULL, size);
}

void *vrs_alloc_array(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        (void)vrs_fail(VRS_NO_MEMORY, "cannot allocate %zu elements of %zu bytes: too large", count,
                       size);
        return NULL;
    }
    return vrs_alloc(count * size);
}

void *vrs_alloc_aligned(size_t size)
{
    void *block = NULL;
    if (!vrs_inject("memory") || posix_memalign(&block, VRS_ALIGNMENT, at_least_one(size)) != 0)
        block = NULL; /* its value after a failure is not defined */
    if (block != NULL)
        memset(block, 0, at_least_one(size));
    return count_block(block, size);
}

char *vrs_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = vrs_alloc(size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

void *vrs_realloc(void *block, size_t size)
{
    if (block == NULL)
        return vrs_alloc(size);
    size_t before = malloc_usable_size(block);
    void *grown = vrs_inject("memory") ? realloc(block, at_least_one(size)) : NULL;
    if (grown == NULL) {
        (void)vrs_fail(VRS_NO_MEMORY, "cannot allocate %zu bytes of memory", size);
        return NULL;
    }
    /* Wraps where it became smaller. */
    atomic_fetch_add_explicit(&live_bytes, malloc_usable_size(grown) - before,
                              memory_order_relaxed);
    return grown;
}

void vrs_free(void *block)
{
    if (block == NULL)
        return;
    int saved = errno;
    atomic_fetch_sub_explicit(&live_bytes, malloc_usable_size(block), memory_order_relaxed);
    free(block);
    errno = saved;
    vrs_resource_died();
}
