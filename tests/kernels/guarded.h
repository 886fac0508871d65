/* Memory for kernel tests: blocks that end (or begin) at a page without access, so that reading or
 * writing beyond them stops the test, and planes in them whose padding is looked at afterwards. */
#ifndef VRS_TESTS_GUARDED_H
#define VRS_TESTS_GUARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct guarded {
    uint8_t *map;
    size_t map_size;
    uint8_t *data; /* `size` bytes of 0xa5, as all that is left of their pages */
    size_t size;
} guarded;

/* At the end: the byte behind the block faults; else: the byte before it. Fails the test when there
 * is no memory. */
guarded guarded_make(size_t size, bool at_end);

/* Fails the test when a byte of the pages outside the block was changed; unmaps. */
void guarded_free(guarded *block);

/* Rows of `width` elements of `element` bytes, |stride| elements apart, bottom-up for negative
 * strides. Nothing lies behind the last row. */
typedef struct plane {
    guarded block;
    size_t element;
    int32_t width, height;
    ptrdiff_t stride; /* in elements */
    void *origin;     /* row 0 */
} plane;

plane plane_make(int32_t width, int32_t height, ptrdiff_t stride, size_t element, bool at_end);

/* Fails the test when padding was changed; unmaps. */
void plane_free(plane *p);

void *plane_row(const plane *p, int32_t y);
void plane_copy(plane *to, const plane *from);

/* Numbers from a fixed seed: xorshift64*. */
typedef struct random_state {
    uint64_t state;
} random_state;

uint32_t random_next(random_state *random);
int32_t random_in(random_state *random, int32_t low, int32_t high); /* both included */

/* Masks to fill a plane of Q15 with. */
typedef enum pattern {
    PATTERN_RANDOM,
    PATTERN_ZERO,
    PATTERN_ONE,
    PATTERN_CHECKER, /* 0 and VRS_Q15_ONE in turn: the largest differences */
    PATTERN_EDGE,    /* 0 in the left half, VRS_Q15_ONE in the right one */
    PATTERN_COUNT,
} pattern;

void plane_fill_q15(plane *p, pattern kind, random_state *random);
void plane_fill_bytes(plane *p, random_state *random);

#endif
