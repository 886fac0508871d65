#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "kernels/guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/kernels.h"

#define FILL 0xa5

guarded guarded_make(size_t size, bool at_end)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t inner = (size + page - 1) / page * page;
    guarded block = {.map_size = inner + 2 * page, .size = size};
    void *map =
        mmap(NULL, block.map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    block.map = map;
    memset(block.map + page, FILL, inner);
    assert_int_equal(mprotect(block.map, page, PROT_NONE), 0);
    assert_int_equal(mprotect(block.map + page + inner, page, PROT_NONE), 0);
    block.data = block.map + page + (at_end ? inner - size : 0);
    return block;
}

static void check_fill(const uint8_t *begin, const uint8_t *end, const char *where)
{
    for (const uint8_t *p = begin; p < end; p++)
        if (*p != FILL)
            fail_msg("%s was written to, %td bytes in", where, p - begin);
}

void guarded_free(guarded *block)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    check_fill(block->map + page, block->data, "the memory before a block");
    check_fill(block->data + block->size, block->map + block->map_size - page,
               "the memory behind a block");
    assert_int_equal(munmap(block->map, block->map_size), 0);
    *block = (guarded){0};
}

plane plane_make(int32_t width, int32_t height, ptrdiff_t stride, size_t element, bool at_end)
{
    const ptrdiff_t apart = stride < 0 ? -stride : stride;
    const size_t elements = (size_t)(apart * (height - 1) + width);
    plane p = {.block = guarded_make(elements * element, at_end),
               .element = element,
               .width = width,
               .height = height,
               .stride = stride};
    p.origin = p.block.data;
    if (stride < 0)
        p.origin = p.block.data + (size_t)(apart * (height - 1)) * element;
    return p;
}

void *plane_row(const plane *p, int32_t y)
{
    return (uint8_t *)p->origin + y * p->stride * (ptrdiff_t)p->element;
}

void plane_free(plane *p)
{
    const size_t apart = (size_t)(p->stride < 0 ? -p->stride : p->stride);
    for (int32_t y = 0; y + 1 < p->height; y++) {
        const uint8_t *row = p->block.data + (size_t)y * apart * p->element;
        check_fill(row + (size_t)p->width * p->element, row + apart * p->element,
                   "a row's padding");
    }
    guarded_free(&p->block);
}

void plane_copy(plane *to, const plane *from)
{
    for (int32_t y = 0; y < to->height; y++)
        memcpy(plane_row(to, y), plane_row(from, y), (size_t)to->width * to->element);
}

uint32_t random_next(random_state *random)
{
    uint64_t x = random->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random->state = x;
    return (uint32_t)(x * 0x2545f4914f6cdd1dULL >> 32);
}

int32_t random_in(random_state *random, int32_t low, int32_t high)
{
    const uint64_t span = (uint64_t)((int64_t)high - low) + 1;
    return (int32_t)(low + (int64_t)(random_next(random) * span >> 32));
}

static int16_t pattern_at(const plane *p, pattern kind, int32_t x, int32_t y, random_state *random)
{
    switch (kind) {
    case PATTERN_RANDOM:
        return (int16_t)random_in(random, 0, VRS_Q15_ONE);
    case PATTERN_ONE:
        return VRS_Q15_ONE;
    case PATTERN_CHECKER:
        return ((x ^ y) & 1) != 0 ? VRS_Q15_ONE : 0;
    case PATTERN_EDGE:
        return x >= p->width / 2 ? VRS_Q15_ONE : 0;
    case PATTERN_ZERO:
    case PATTERN_COUNT:
        break;
    }
    return 0;
}

void plane_fill_q15(plane *p, pattern kind, random_state *random)
{
    for (int32_t y = 0; y < p->height; y++) {
        int16_t *row = plane_row(p, y);
        for (int32_t x = 0; x < p->width; x++)
            row[x] = pattern_at(p, kind, x, y, random);
    }
}

void plane_fill_bytes(plane *p, random_state *random)
{
    for (int32_t y = 0; y < p->height; y++) {
        uint8_t *row = plane_row(p, y);
        for (size_t x = 0; x < (size_t)p->width * p->element; x++)
            row[x] = (uint8_t)random_next(random);
    }
}
