/* The plain C definitions of the kernels of steady masks; contracts in kernels/steady.h. */
#ifndef VRS_KERNELS_REFERENCE_STEADY_H
#define VRS_KERNELS_REFERENCE_STEADY_H

#include "kernels/steady.h"

void vrs_reference_pyramid(const vrs_pyramid *pyramid, const uint8_t *guide, ptrdiff_t stride);
void vrs_reference_match(const vrs_match *match);
void vrs_reference_follow(const vrs_follow *follow, void *scratch);

#endif
