/* Parameters of the kernel "fake_affine": dst[i] = dst[i] * factor + term. In device code it is
 * affine.cu; the stand-in driver has it in C, with parameters laid out alike. */
#ifndef TESTS_DEVICE_AFFINE_H
#define TESTS_DEVICE_AFFINE_H

#include <stdint.h>

typedef struct fake_affine_params {
    uint64_t dst; /* uint32 */
    uint64_t count;
    uint32_t factor, term;
} fake_affine_params;

#endif
