#include "kernels/cuda_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/raw.h"

#define SKIPPED 77

static vrs_device *device;
static vrs_device_stream *stream;
static vrs_device_event *event;
static uint8_t *downloaded;

int cuda_fixture_open(void)
{
    const char *required = getenv("VRSEG_REQUIRE_CUDA");
    if (vrs_device_open("cuda", &device) != VRS_OK) {
        fprintf(stderr, "skipped: %s\n", vrs_last_error());
        return required != NULL && strcmp(required, "1") == 0 ? EXIT_FAILURE : SKIPPED;
    }
    if (vrs_device_stream_create(device, VRS_PRIORITY_NORMAL, &stream) != VRS_OK ||
        vrs_device_event_create(device, false, &event) != VRS_OK) {
        fprintf(stderr, "%s\n", vrs_last_error());
        return EXIT_FAILURE;
    }
    return 0;
}

void cuda_fixture_close(void)
{
    vrs_device_event_destroy(event);
    vrs_device_stream_destroy(stream);
    vrs_device_close(device);
    free(downloaded);
}

vrs_device *cuda_fixture_device(void)
{
    return device;
}

vrs_device_stream *cuda_fixture_stream(void)
{
    return stream;
}

/* Fails the running test with the library's last error. */
static void require(vrs_status status)
{
    if (status != VRS_OK)
        fail_msg("%s", vrs_last_error());
}

static size_t whole(const cuda_block *block)
{
    return block->bytes + 2 * (size_t)CUDA_BLOCK_BAND;
}

cuda_block cuda_block_make(size_t bytes)
{
    cuda_block block = {.bytes = bytes};
    block.host = malloc(whole(&block));
    assert_non_null(block.host);
    memset(block.host, 0xa5, whole(&block));
    require(vrs_device_raw_alloc(device, whole(&block), &block.device));
    cuda_block_upload(&block);
    return block;
}

void cuda_block_free(cuda_block *block)
{
    if (block->host != NULL)
        vrs_device_raw_free(device, block->device);
    free(block->host);
    *block = (cuda_block){0};
}

void *cuda_block_host(const cuda_block *block)
{
    return block->host + CUDA_BLOCK_BAND;
}

uint64_t cuda_block_device(const cuda_block *block)
{
    return block->device + CUDA_BLOCK_BAND;
}

static void finish(void)
{
    require(vrs_device_event_record(event, stream));
    require(vrs_device_event_wait(event));
}

void cuda_block_upload(const cuda_block *block)
{
    require(vrs_device_upload(stream, block->device, block->host, whole(block)));
    finish(); /* the host's copy may change now */
}

const uint8_t *cuda_block_download(const cuda_block *block)
{
    free(downloaded);
    downloaded = malloc(whole(block));
    assert_non_null(downloaded);
    require(vrs_device_download(stream, downloaded, block->device, whole(block)));
    finish();
    return downloaded;
}

void cuda_block_compare(const cuda_block *block, const char *what)
{
    const uint8_t *got = cuda_block_download(block);
    for (size_t i = 0; i < whole(block); i++)
        if (got[i] != block->host[i])
            fail_msg("%s: %d instead of %d at byte %lld of %zu", what, got[i], block->host[i],
                     (long long)i - CUDA_BLOCK_BAND, block->bytes);
}

const void *cuda_block_result(const cuda_block *block, const char *what)
{
    const uint8_t *got = cuda_block_download(block);
    for (size_t i = 0; i < CUDA_BLOCK_BAND; i++)
        if (got[i] != 0xa5 || got[whole(block) - 1 - i] != 0xa5)
            fail_msg("%s: something was written outside of %zu bytes", what, block->bytes);
    return got + CUDA_BLOCK_BAND;
}
