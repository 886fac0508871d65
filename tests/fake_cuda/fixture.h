/* What tests of the stand-in share: the driver's functions as src/device/cuda/api.h declares them,
 * looked up by name, and a context. */
#ifndef FAKE_CUDA_FIXTURE_H
#define FAKE_CUDA_FIXTURE_H

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/cuda/api.h"
#include "fake_cuda/fake_cuda.h"

static vrs_cu_api cu;

#define OK(call) assert_int_equal(call, VRS_CU_SUCCESS)

static inline void fixture_find(const char *symbol, void *to)
{
    void *address = dlsym(RTLD_DEFAULT, symbol);
    if (address == NULL)
        fail_msg("fake_cuda has no %s", symbol);
    memcpy(to, &address, sizeof(address));
}

static inline int fixture_load(void **state)
{
    (void)state;
    fake_cuda_reset(0);
    printf("seed %llu\n", (unsigned long long)fake_cuda_seed());
#define FIND(name, symbol, arguments) fixture_find(#symbol, &cu.name);
    VRS_CUDA_FUNCTIONS(FIND)
#undef FIND
    int count;
    assert_int_equal(cu.device_count(&count), VRS_CU_NOT_INITIALIZED);
    return 0;
}

/* A fresh library with a context on the calling thread. */
static inline void fixture_begin(uint64_t seed, fake_cuda_mode mode)
{
    vrs_cu_context context = NULL;
    fake_cuda_reset(seed);
    fake_cuda_set_mode(mode);
    OK(cu.init(0));
    OK(cu.context_retain(&context, 0));
    OK(cu.context_push(context));
}

/* Nothing may be left. */
static inline void fixture_end(void)
{
    char text[256];
    vrs_cu_context context = NULL;
    (void)cu.context_pop(&context);
    (void)cu.context_release(0);
    if (fake_cuda_leaks(text, sizeof(text)) != 0)
        fail_msg("alive: %s", text);
}

static inline vrs_cu_stream fixture_stream(void)
{
    vrs_cu_stream stream = NULL;
    OK(cu.stream_create(&stream, VRS_CU_STREAM_NON_BLOCKING, 0));
    return stream;
}

static inline vrs_cu_event fixture_event(void)
{
    vrs_cu_event event = NULL;
    OK(cu.event_create(&event, VRS_CU_EVENT_DISABLE_TIMING));
    return event;
}

static inline vrs_cu_ptr fixture_memory(size_t bytes)
{
    vrs_cu_ptr memory = 0;
    OK(cu.memory_alloc(&memory, bytes));
    return memory;
}

static inline void *fixture_pinned(size_t bytes)
{
    void *host = NULL;
    OK(cu.host_alloc(&host, bytes, 0));
    return host;
}

/* Waits for all that is on a stream so far. */
static inline vrs_cu_result fixture_wait(vrs_cu_stream stream)
{
    const vrs_cu_event event = fixture_event();
    vrs_cu_result result = cu.event_record(event, stream);
    if (result == VRS_CU_SUCCESS)
        result = cu.event_wait(event);
    (void)cu.event_destroy(event);
    return result;
}

static inline vrs_cu_result fixture_launch(vrs_cu_stream stream, const char *name,
                                           const void *params, size_t bytes)
{
    vrs_cu_module module = NULL;
    vrs_cu_function function = NULL;
    OK(cu.module_load(&module, "any image"));
    OK(cu.module_function(&function, module, name));
    void *extra[] = {VRS_CU_LAUNCH_PARAM_BUFFER_POINTER, (void *)(uintptr_t)params,
                     VRS_CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, VRS_CU_LAUNCH_PARAM_END};
    const vrs_cu_result result = cu.launch(function, 1, 1, 1, 32, 1, 1, 0, stream, NULL, extra);
    OK(cu.module_unload(module));
    return result;
}

static inline vrs_cu_result fixture_affine(vrs_cu_stream stream, vrs_cu_ptr dst, uint64_t count,
                                           uint32_t factor, uint32_t term)
{
    const fake_affine_params params = {dst, count, factor, term};
    return fixture_launch(stream, "fake_affine", &params, sizeof(params));
}

#endif
