/* A CUDA device for kernel tests: blocks of device memory between guard bands, each with a copy on
 * the host that the reference works on. */
#ifndef VRS_TESTS_CUDA_FIXTURE_H
#define VRS_TESTS_CUDA_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "device/device.h"

/* Opens the device; 77 where there is none (the test is skipped), 0 else. */
int cuda_fixture_open(void);
void cuda_fixture_close(void);
vrs_device *cuda_fixture_device(void);
vrs_device_stream *cuda_fixture_stream(void);

typedef struct cuda_block {
    uint8_t *host;   /* with the guard bands */
    uint64_t device; /* likewise */
    size_t bytes;    /* of the inner part */
} cuda_block;

/* A block whose `bytes` (and guard bands) are 0xa5 on both sides. */
cuda_block cuda_block_make(size_t bytes);
void cuda_block_free(cuda_block *block);
/* The inner part, on the host and on the device. */
void *cuda_block_host(const cuda_block *block);
uint64_t cuda_block_device(const cuda_block *block);
/* Copies host to device. */
void cuda_block_upload(const cuda_block *block);
/* Waits for the stream; the device's bytes with the guard bands, valid until the next call. */
const uint8_t *cuda_block_download(const cuda_block *block);
/* Where a band or a byte differs from the host's copy the test fails with `what`. */
void cuda_block_compare(const cuda_block *block, const char *what);
/* Fails where a guard band was written; returns the inner part. */
const void *cuda_block_result(const cuda_block *block, const char *what);

#define CUDA_BLOCK_BAND 4096

#endif
