/* The definition of the convolution kernels: the parameters of kernels/cuda/params_conv.h with
 * addresses of this process, on the calling thread. Products and sums are made in double, rounded
 * once to binary16, or to an 8-bit integer. Kernels sum halves in float: they may differ by a unit
 * in the last place and by 2^-20 of the sum of the products' sizes. */
#ifndef VRS_KERNELS_REFERENCE_CONV_H
#define VRS_KERNELS_REFERENCE_CONV_H

#include "kernels/cuda/conv_launch.h"

/* The parameters of a described convolution, pitches of 0 filled in; addresses are left 0. Not what
 * vrs_cuda_conv_launch() makes of the description, but what that is tested against. */
vrs_conv_params vrs_conv_reference_params(const vrs_cuda_conv_desc *desc);

void vrs_conv_reference(const vrs_conv_params *params);

/* Rounds a result into its place: one of 8-bit integers, or of halves. */
void vrs_conv_reference_store(uint64_t address, bool i8, ptrdiff_t at, double value);

/* One value of its result before rounding, and the sum of the sizes of all that was added. */
double vrs_conv_reference_at(const vrs_conv_params *params, int32_t n, int32_t y, int32_t x,
                             int32_t k, double *size);

/* Sums of taps [0, 9) whose bit is set in `taps`, over input channels [first, end), of a 3x3
 * convolution: what is added to a result's value. */
double vrs_taps_reference_at(const vrs_taps_params *params, int32_t branch, uint32_t tap,
                             int32_t first, int32_t end, const int32_t pixel[3], int32_t k);

void vrs_stem_reference(const vrs_stem_params *params);

#endif
