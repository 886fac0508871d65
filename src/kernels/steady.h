/* Masks that stay steady: where each part of a picture was in another one (the frame before it, or
 * the other eye's), and the mask from there.
 *
 *   guide ─ pyramid ─> now ──┐
 *   past or other eye ──> before ─ match ─> motion ─ follow ─> mask, age
 *
 * Everything is exact integer arithmetic: all implementations give the same bits. Functions keep
 * nothing between calls, and may be called by several threads on different outputs and scratch. */
#ifndef VRS_KERNELS_STEADY_H
#define VRS_KERNELS_STEADY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- a picture in three sizes ---- */

#define VRS_PYRAMID_LEVELS 3
/* Around each level so many pixels repeat its edges: as far as matching and following look. */
#define VRS_PYRAMID_BORDER 48

/* 8-bit luma: level 0 is the guide, each further one the mean of 2x2 of the one before it,
 * (a + b + c + d + 2) >> 2; sides are rounded up, an odd last row or column is repeated. */
typedef struct vrs_pyramid {
    int32_t width[VRS_PYRAMID_LEVELS], height[VRS_PYRAMID_LEVELS];
    ptrdiff_t stride[VRS_PYRAMID_LEVELS];
    uint8_t *level[VRS_PYRAMID_LEVELS]; /* pixel (0, 0) */
} vrs_pyramid;

/* Lays a pyramid out in `storage` of vrs_pyramid_storage() bytes, which must outlive it. Sides of
 * level 0: 1..VRS_MAX_SIDE. */
size_t vrs_pyramid_storage(int32_t width, int32_t height);
void vrs_pyramid_init(vrs_pyramid *pyramid, int32_t width, int32_t height, void *storage);

/* Fills all levels and their borders from a guide of level 0's size. */
typedef void (*vrs_pyramid_fn)(const vrs_pyramid *pyramid, const uint8_t *guide, ptrdiff_t stride);

/* ---- where things were ---- */

#define VRS_CELL 8         /* a vector is that of a square of so many pixels of level 0 */
#define VRS_COARSE_CELL 16 /* and of so many in the first step */

/* What lies at x was at x + (x, y) / 4 in the other picture. */
typedef struct vrs_motion {
    int16_t x, y;
} vrs_motion;

static inline int32_t vrs_cells(int32_t pixels)
{
    return (pixels + VRS_CELL - 1) / VRS_CELL;
}

static inline int32_t vrs_coarse_cells(int32_t pixels)
{
    return (pixels + VRS_COARSE_CELL - 1) / VRS_COARSE_CELL;
}

/* A vector is that of the least cost: the sum of absolute differences of 8x8 pixels, and a penalty
 * for each pixel of its length (of x and y, added), so that what has no texture rests. Of equals
 * the one that is named first stays.
 *
 * 1. Level 2, coarse cell (i, j), pixels from (4 i - 2, 4 j - 2) on: rest, then all vectors within
 *    VRS_MATCH_ACROSS and VRS_MATCH_DOWN, row by row, each from the left.
 * 2. Level 0, cell (i, j), pixels from (8 i, 8 j) on: where rest costs at most VRS_MATCH_STILL, the
 *    cell rests.
 * 3. Level 1, pixels from (4 i - 2, 4 j - 2) on: rest; twice the coarse vector of here, of above,
 *    below, left, right; then the nine within one pixel of the best, in the order of 1.
 * 4. Level 0: rest; twice that vector; then the nine within one pixel of the best.
 * 5. Quarters: vrs_match_between() of the differences left and right of it, above and below. */
#define VRS_MATCH_ACROSS 6 /* pixels of level 2: 27 of level 0 with what follows */
#define VRS_MATCH_DOWN 4
#define VRS_MATCH_COARSE_PENALTY 4
#define VRS_MATCH_PENALTY 2
#define VRS_MATCH_STILL 96

typedef struct vrs_match {
    const vrs_pyramid *now, *before; /* of one size */
    vrs_motion *coarse;              /* scratch: one for each coarse cell */
    vrs_motion *motion; /* out: one for each cell, rows of vrs_cells(width), of `now` in `before` */
    uint64_t *unlike;   /* out: sum of the coarse cells' least costs */
} vrs_match;

typedef void (*vrs_match_fn)(const vrs_match *match);

/* The lowest point between three differences a pixel apart, in quarters of a pixel, -2..2. A
 * difference grows about as the distance, so the two sides are lines of one slope. */
static inline int32_t vrs_match_between(int32_t before, int32_t here, int32_t after)
{
    int32_t rise = 2 * ((before > after ? before : after) - here);
    int32_t lean = before - after;
    if (rise <= 0)
        return 0;
    int32_t quarters = (4 * (lean < 0 ? -lean : lean) + rise / 2) / rise;
    quarters = quarters > 2 ? 2 : quarters;
    return lean < 0 ? -quarters : quarters;
}

/* From this sum of costs on two pictures show something else, as after a cut, or in halves of a
 * frame that are no stereo pair: the mean difference of pixels at their best place is 20 codes. Of
 * the clips in bench/steady.py motion leaves 7 at most, the cut 49. */
static inline uint64_t vrs_match_cut(int32_t width, int32_t height)
{
    return (uint64_t)vrs_coarse_cells(width) * (uint64_t)vrs_coarse_cells(height) * (20 * 64);
}

/* ---- the mask from there ---- */

#define VRS_AGE_MOST 15
#define VRS_SHARE_ONE 128

/* Each pixel has an age: for how many frames its past has been followed, 1 in the first one.
 *
 *   places:     bilinear at x + motion / 4 of its cell, (sum of weights in 16ths + 8) >> 4, edges
 *               repeated; past_age at the nearest pixel, halves to the right and down
 *   difference: of the pictures along the motion, 8-bit codes, summed over 3x3 pixels (each with
 *               its own cell's motion, edges repeated)
 *   doubt:      difference + ((|mask - past| >> 7) * disbelief >> 8)
 *   trust:      unlike - doubt, held within 0..128
 *   a:          (past_age * trust + 64) >> 7
 *   result:     share[a] is VRS_SHARE_ONE: mask, else past + mul_q15(mask - past, share[a] * 256)
 *   age:        min(a + 1, VRS_AGE_MOST)
 *
 * So a pixel is the mean over the frames in which it was seen alike, until `share` stops falling;
 * what was hidden, or moves in another way than was found, begins anew. */
typedef struct vrs_follow {
    const vrs_pyramid *now, *before;
    const vrs_motion *motion;
    const int16_t *mask, *past; /* Q15, dense rows of level 0's width */
    const uint8_t *past_age;    /* 1..VRS_AGE_MOST, likewise; NULL: 1 everywhere */
    int16_t *result;            /* likewise; may be mask, not past */
    uint8_t *age;               /* likewise, not past_age; NULL: not wanted */
    const uint8_t *share;       /* [VRS_AGE_MOST + 1]: of the new mask, 1..VRS_SHARE_ONE */
    int32_t unlike, disbelief;  /* 0..2048; 0..255 */
} vrs_follow;

/* `scratch`: vrs_follow_scratch(width) bytes, aligned as uint16_t. */
size_t vrs_follow_scratch(int32_t width);
typedef void (*vrs_follow_fn)(const vrs_follow *follow, void *scratch);

/* What is used: over time, where large differences of the masks are believed less than small ones,
 * as it is the network that sees what has changed; and of one eye by the other. */
#define VRS_FOLLOW_UNLIKE 200
#define VRS_FOLLOW_DISBELIEF 150

/* 1 / (a + 1), at least `weight`, a Q15 number. */
void vrs_follow_shares(int16_t weight, uint8_t share[VRS_AGE_MOST + 1]);
/* Half of each eye. */
void vrs_follow_halves(uint8_t share[VRS_AGE_MOST + 1]);

#endif
