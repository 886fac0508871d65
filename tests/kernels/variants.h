/* The implementations that this CPU runs, for tests that compare them with the reference. */
#ifndef VRS_TESTS_VARIANTS_H
#define VRS_TESTS_VARIANTS_H

#include "kernels/kernels.h"

typedef struct variants {
    const vrs_kernels *reference;
    const vrs_kernels *table[3]; /* the reference too: strips and edges are checked on all */
    int count;
} variants;

static inline variants variants_get(void)
{
    variants v = {.reference = vrs_kernels_get(VRS_ISA_REFERENCE)};
    const vrs_isa best = vrs_isa_detect();
    for (int isa = VRS_ISA_REFERENCE; isa <= (int)best; isa++)
        v.table[v.count++] = vrs_kernels_get((vrs_isa)isa);
    return v;
}

#endif
