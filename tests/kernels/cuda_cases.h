/* What the tests of the CUDA postprocess kernels draw their cases from. */
#ifndef VRS_TESTS_CUDA_CASES_H
#define VRS_TESTS_CUDA_CASES_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/cuda_fixture.h"

typedef struct rng {
    uint64_t state;
} rng;

uint32_t next(rng *r);

/* From `low` to `high`, both included. */
int32_t in(rng *r, int32_t low, int32_t high);

/* Small and ugly. */
#define SIZES 12
extern const int32_t sizes[SIZES][2];

/* A mask of zeros and ones, of stripes, or noise. */
void fill_q15(int16_t *q15, size_t n, rng *r);
/* Fails with `what` where a value is further than `within` from the host's copy. */
void compare_q15(const cuda_block *block, int32_t within, const char *what);

#endif
