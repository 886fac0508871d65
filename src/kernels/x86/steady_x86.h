/* Kernels of steady masks for x86; contracts in kernels/steady.h. */
#ifndef VRS_KERNELS_X86_STEADY_X86_H
#define VRS_KERNELS_X86_STEADY_X86_H

#include "kernels/steady.h"

void vrs_avx2_pyramid(const vrs_pyramid *pyramid, const uint8_t *guide, ptrdiff_t stride);
void vrs_avx2_match(const vrs_match *match);
void vrs_avx2_follow(const vrs_follow *follow, void *scratch);

#endif
