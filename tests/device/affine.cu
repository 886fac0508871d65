#include "affine.h"

extern "C" __global__ void fake_affine(fake_affine_params p)
{
    const uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < p.count) {
        uint32_t *dst = (uint32_t *)p.dst + i;
        *dst = *dst * p.factor + p.term;
    }
}

/* Writes where nothing is mapped: loses the device. */
extern "C" __global__ void fake_fault(fake_affine_params p)
{
    *(volatile uint32_t *)(p.dst + 0x10) = p.term;
}
