/* The memory of kernels in C: addresses of work are those of this process, and the process ends
 * where there is no memory. */
#ifndef FAKE_CUDA_KERNELS_MEMORY_H
#define FAKE_CUDA_KERNELS_MEMORY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline void *at(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

/* Zeroed; freed with free(). */
static inline void *take(size_t bytes)
{
    void *block = calloc(1, bytes);
    if (block == NULL) {
        fprintf(stderr, "fake_cuda: no memory for a kernel\n");
        abort();
    }
    return block;
}

#endif
