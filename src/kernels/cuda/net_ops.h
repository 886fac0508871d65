/* What the kernels that run a network compute for one element, shared by C and CUDA: the C side is
 * the reference that the kernels are tested against, itself tested against the graph's interpreter.
 *
 * Every function takes the number of an element in the order in which the result lies in memory. */
#ifndef VRS_KERNELS_CUDA_NET_OPS_H
#define VRS_KERNELS_CUDA_NET_OPS_H

#include "net_map.h"
#include "net_picture.h"
#include "net_sum.h"

#endif
