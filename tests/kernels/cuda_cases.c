#include "kernels/cuda_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernels/kernels.h"

uint32_t next(rng *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return (uint32_t)((r->state * UINT64_C(2685821657736338717)) >> 32);
}

int32_t in(rng *r, int32_t low, int32_t high)
{
    return low + (int32_t)(next(r) % (uint32_t)(high - low + 1));
}

const int32_t sizes[SIZES][2] = {{1, 1},   {17, 9},  {2, 2},   {3, 5},   {64, 8},   {60, 33},
                                 {61, 34}, {130, 3}, {257, 5}, {8, 130}, {120, 64}, {31, 70}};

void fill_q15(int16_t *q15, size_t n, rng *r)
{
    const int kind = in(r, 0, 3);
    for (size_t i = 0; i < n; i++)
        q15[i] = (int16_t)(kind == 0   ? (next(r) & 1) * VRS_Q15_ONE
                           : kind == 1 ? (i % 7 < 3) * VRS_Q15_ONE
                                       : (int32_t)(next(r) & 0x7fff));
}

void compare_q15(const cuda_block *block, int32_t within, const char *what)
{
    const int16_t *got = cuda_block_result(block, what), *expected = cuda_block_host(block);
    for (size_t i = 0; i < block->bytes / 2; i++)
        if (abs(got[i] - expected[i]) > within)
            fail_msg("%s: %d instead of %d at %zu", what, got[i], expected[i], i);
}
