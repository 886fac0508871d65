/* The stand-in catches what it is there to catch. */
#include "fake_cuda/fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"

#define SEEDS 64

/* One stream writes 7s over 3s, another one reads; `wait`: after an event. True: 7 was read. */
static bool read_after_write(uint64_t seed, bool wait)
{
    fixture_begin(seed, FAKE_CUDA_SYNC);
    const vrs_cu_stream writer = fixture_stream(), reader = fixture_stream();
    const vrs_cu_event written = fixture_event();
    const vrs_cu_ptr memory = fixture_memory(4);
    uint32_t *host = fixture_pinned(4);
    OK(cu.fill_32(memory, 3, 1, writer));
    OK(fixture_wait(writer));
    OK(cu.fill_32(memory, 7, 1, writer));
    OK(cu.event_record(written, writer));
    if (wait)
        OK(cu.stream_wait(reader, written, 0));
    OK(cu.download(host, memory, 4, reader));
    OK(fixture_wait(reader));
    const uint32_t got = *host;
    assert_true(got == 3 || got == 7);
    OK(fixture_wait(writer));
    OK(cu.memory_free(memory));
    OK(cu.host_free(host));
    OK(cu.event_destroy(written));
    OK(cu.stream_destroy(writer));
    OK(cu.stream_destroy(reader));
    fixture_end();
    return got == 7;
}

static void test_missing_wait_shows(void **state)
{
    int stale = 0, fresh = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        *(read_after_write(seed, false) ? &fresh : &stale) += 1;
        assert_true(read_after_write(seed, true));
    }
    print_message("without the wait: %d of %d seeds read too early\n", stale, SEEDS);
    assert_in_range(stale, 4, SEEDS - 4);
    assert_in_range(fresh, 4, SEEDS - 4);
}

/* Copies from pinned memory and overwrites it, at once or when the copy is done. */
static bool upload_then_reuse(uint64_t seed, bool wait)
{
    fixture_begin(seed, FAKE_CUDA_SYNC);
    const vrs_cu_stream stream = fixture_stream();
    const vrs_cu_ptr memory = fixture_memory(64);
    uint8_t *host = fixture_pinned(64), pageable[64] = {0};
    memset(host, 1, 64);
    OK(cu.upload(memory, host, 64, stream));
    if (wait)
        OK(fixture_wait(stream));
    memset(host, 0xEE, 64);
    OK(fixture_wait(stream));
    OK(cu.download(pageable, memory, 64, stream));
    for (int i = 1; i < 64; i++)
        assert_int_equal(pageable[i], pageable[0]);
    OK(cu.memory_free(memory));
    OK(cu.host_free(host));
    OK(cu.stream_destroy(stream));
    fixture_end();
    return pageable[0] == 1;
}

static void test_early_reuse_of_pinned_memory_shows(void **state)
{
    int spoilt = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        spoilt += !upload_then_reuse(seed, false);
        assert_true(upload_then_reuse(seed, true));
    }
    print_message("%d of %d seeds copied what came later\n", spoilt, SEEDS);
    assert_in_range(spoilt, 4, SEEDS);
}

static void test_pageable_memory_is_read_at_the_call(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        fixture_begin(seed, FAKE_CUDA_SYNC);
        const vrs_cu_stream stream = fixture_stream();
        const vrs_cu_ptr memory = fixture_memory(4);
        uint32_t value = 5, got = 0;
        OK(cu.upload(memory, &value, 4, stream));
        value = 6;
        OK(cu.download(&got, memory, 4, stream));
        assert_int_equal(got, 5);
        OK(cu.memory_free(memory));
        OK(cu.stream_destroy(stream));
        fixture_end();
    }
}

/* Runs `fn` in a child process; returns the signal that ended it, 0: none. */
static int signal_of(void (*fn)(void *), void *arg)
{
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        fn(arg);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void read_byte(void *address)
{
    const volatile uint8_t *byte = address;
    (void)*byte;
}

static void call_forbidden(void *name)
{
    int (*fn)(void) = NULL;
    fixture_find(name, &fn);
    (void)fn();
}

static void test_host_cannot_follow_device_addresses(void **state)
{
    (void)state;
    fixture_begin(1, FAKE_CUDA_SYNC);
    const vrs_cu_ptr memory = fixture_memory(100);
    assert_int_equal(signal_of(read_byte, (void *)(uintptr_t)memory), SIGSEGV);
    assert_int_equal(signal_of(read_byte, fake_cuda_host(memory, 100)), 0);
    OK(cu.memory_free(memory));
    fixture_end();
}

static void test_forbidden_calls_abort(void **state)
{
    (void)state;
    assert_int_equal(signal_of(call_forbidden, "cuCtxSynchronize"), SIGABRT);
    assert_int_equal(signal_of(call_forbidden, "cuDevicePrimaryCtxReset_v2"), SIGABRT);
}

/* The device is lost by an illegal address, and all can still be given back. */
static void end_lost(vrs_cu_stream stream, vrs_cu_ptr memory)
{
    size_t bytes, total;
    assert_int_equal(fake_cuda_sticky(), VRS_CU_ILLEGAL_ADDRESS);
    assert_int_equal(cu.memory_info(&bytes, &total), VRS_CU_ILLEGAL_ADDRESS);
    if (memory != 0)
        assert_int_equal(cu.memory_free(memory), VRS_CU_ILLEGAL_ADDRESS);
    assert_int_equal(cu.stream_destroy(stream), VRS_CU_ILLEGAL_ADDRESS);
    fixture_end();
}

static void test_use_after_free_is_an_illegal_address(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        fixture_begin(1, FAKE_CUDA_SYNC);
        const vrs_cu_stream stream = fixture_stream();
        const vrs_cu_ptr memory = fixture_memory(64);
        uint8_t *host = fixture_pinned(64);
        OK(cu.memory_free(memory));
        const vrs_cu_ptr other = fixture_memory(64);
        assert_true(other != memory);
        if (kind == 0)
            OK(fixture_affine(stream, memory, 4, 1, 1));
        else if (kind == 1)
            OK(cu.download(host, memory, 64, stream));
        else
            OK(cu.fill_8(memory, 0, 64, stream));
        (void)fixture_wait(stream);
        assert_int_equal(cu.host_free(host), VRS_CU_ILLEGAL_ADDRESS);
        end_lost(stream, other);
    }
}

static void test_free_below_queued_work_shows(void **state)
{
    int lost = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        fixture_begin(seed, FAKE_CUDA_SYNC);
        const vrs_cu_stream stream = fixture_stream();
        const vrs_cu_ptr memory = fixture_memory(64);
        OK(cu.fill_8(memory, 1, 64, stream));
        OK(cu.memory_free(memory));
        const vrs_cu_event event = fixture_event();
        (void)cu.event_record(event, stream);
        (void)cu.event_wait(event);
        (void)cu.event_destroy(event);
        lost += fake_cuda_sticky() == VRS_CU_ILLEGAL_ADDRESS;
        (void)cu.stream_destroy(stream);
        fixture_end();
    }
    assert_in_range(lost, 4, SEEDS);
}

static void test_double_free_is_refused(void **state)
{
    (void)state;
    fixture_begin(1, FAKE_CUDA_THREAD);
    const vrs_cu_ptr memory = fixture_memory(64);
    const vrs_cu_stream stream = fixture_stream();
    const vrs_cu_event event = fixture_event();
    void *host = fixture_pinned(64);
    assert_int_equal(cu.memory_free(memory + 1), VRS_CU_INVALID_VALUE);
    OK(cu.memory_free(memory));
    assert_int_equal(cu.memory_free(memory), VRS_CU_INVALID_VALUE);
    OK(cu.host_free(host));
    assert_int_equal(cu.host_free(host), VRS_CU_INVALID_VALUE);
    OK(cu.stream_destroy(stream));
    assert_int_equal(cu.stream_destroy(stream), VRS_CU_INVALID_HANDLE);
    OK(cu.event_destroy(event));
    assert_int_equal(cu.event_destroy(event), VRS_CU_INVALID_HANDLE);
    fixture_end();
}

static void test_copies_out_of_bounds(void **state)
{
    uint8_t pageable[128] = {0};
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        fixture_begin(1, FAKE_CUDA_SYNC);
        const vrs_cu_stream stream = fixture_stream();
        const vrs_cu_ptr memory = fixture_memory(100);
        vrs_cu_copy_2d copy = {.src_type = VRS_CU_MEMORY_HOST,
                               .src_host = pageable,
                               .src_pitch = 10,
                               .dst_type = VRS_CU_MEMORY_DEVICE,
                               .dst_device = memory,
                               .dst_pitch = 10,
                               .width_bytes = 10,
                               .height = 10};
        OK(cu.copy_2d(&copy, stream));
        OK(fixture_wait(stream));
        copy.dst_x = 1;
        if (kind == 0)
            OK(cu.upload(memory, pageable, 101, stream));
        else if (kind == 1)
            OK(cu.copy_2d(&copy, stream));
        else
            OK(cu.fill_8(memory + 50, 0, 51, stream));
        assert_int_equal(fixture_wait(stream), VRS_CU_ILLEGAL_ADDRESS);
        end_lost(stream, memory);
    }
}

static void test_kernel_behind_the_end(void **state)
{
    (void)state;
    fixture_begin(1, FAKE_CUDA_SYNC);
    const vrs_cu_stream stream = fixture_stream();
    const vrs_cu_ptr memory = fixture_memory(100);
    OK(fixture_affine(stream, memory, 25, 2, 3));
    OK(fixture_wait(stream));
    OK(fixture_affine(stream, memory, 26, 2, 3));
    assert_int_equal(fixture_wait(stream), VRS_CU_ILLEGAL_ADDRESS);
    const fake_affine_params small = {memory, 1, 1, 1};
    fake_cuda_reset(1);
    fixture_begin(1, FAKE_CUDA_SYNC);
    assert_int_equal(fixture_launch(NULL, "fake_affine", &small, sizeof(small) - 1),
                     VRS_CU_INVALID_VALUE);
    fixture_end();
}

/* Two chunks of 2 MB in a row behind one reservation. */
static void test_virtual_memory(void **state)
{
    const vrs_cu_mem_prop prop = {.type = VRS_CU_ALLOCATION_PINNED,
                                  .location = {VRS_CU_LOCATION_DEVICE, 0}};
    const vrs_cu_access access = {{VRS_CU_LOCATION_DEVICE, 0}, VRS_CU_ACCESS_READ_WRITE};
    size_t step = 0;
    vrs_cu_mem chunks[2];
    vrs_cu_ptr range = 0;
    uint32_t pair[2] = {0, 0};
    (void)state;
    fixture_begin(1, FAKE_CUDA_THREAD);
    const vrs_cu_stream stream = fixture_stream();
    OK(cu.granularity(&step, &prop, VRS_CU_GRANULARITY_MINIMUM));
    OK(cu.range_reserve(&range, 4 * step, 0, 0, 0));
    for (size_t i = 0; i < 2; i++) {
        OK(cu.chunk_create(&chunks[i], step, &prop, 0));
        OK(cu.chunk_map(range + i * step, step, 0, chunks[i], 0));
    }
    assert_int_equal(cu.chunk_map(range, step, 0, chunks[1], 0), VRS_CU_INVALID_VALUE);
    assert_null(fake_cuda_host(range, 1));
    OK(cu.chunk_access(range, 2 * step, &access, 1));
    assert_int_equal(fake_cuda_used(0), 2 * step);
    OK(cu.fill_32(range, 9, 2 * step / 4, stream));
    OK(cu.download(pair, range + step - 4, 8, stream));
    assert_int_equal(pair[0], 9);
    assert_int_equal(pair[1], 9);
    assert_null(fake_cuda_host(range + step, step + 1));
    OK(cu.chunk_release(chunks[1]));
    assert_int_equal(fake_cuda_used(0), 2 * step);
    OK(cu.chunk_unmap(range + step, step));
    assert_int_equal(fake_cuda_used(0), step);
    assert_int_equal(cu.range_free(range, 4 * step), VRS_CU_INVALID_VALUE);
    OK(cu.fill_32(range, 9, step / 4 + 1, stream));
    assert_int_equal(fixture_wait(stream), VRS_CU_ILLEGAL_ADDRESS);
    (void)cu.chunk_unmap(range, step);
    (void)cu.chunk_release(chunks[0]);
    (void)cu.range_free(range, 4 * step);
    (void)cu.stream_destroy(stream);
    fixture_end();
}

static void test_memory_is_limited(void **state)
{
    vrs_cu_ptr a = 0, b = 0;
    size_t left = 0, total = 0;
    (void)state;
    fixture_begin(1, FAKE_CUDA_THREAD);
    fake_cuda_set_memory(1 << 20);
    OK(cu.memory_alloc(&a, 600 << 10));
    assert_int_equal(cu.memory_alloc(&b, 600 << 10), VRS_CU_OUT_OF_MEMORY);
    fake_cuda_set_other_memory(400 << 10);
    OK(cu.memory_info(&left, &total));
    assert_int_equal(left, 24 << 10);
    assert_int_equal(total, 1 << 20);
    assert_int_equal(cu.memory_alloc(&b, 25 << 10), VRS_CU_OUT_OF_MEMORY);
    OK(cu.memory_alloc(&b, 24 << 10));
    fake_cuda_set_other_memory(2 << 20);
    OK(cu.memory_info(&left, &total));
    assert_int_equal(left, 0);
    OK(cu.memory_free(a));
    OK(cu.memory_free(b));
    assert_int_equal(fake_cuda_used(0), 0);
    assert_int_equal(fake_cuda_peak(0), 624 << 10);
    fixture_end();
}

static void test_failures_to_order(void **state)
{
    vrs_cu_ptr memory = 0, other = 0;
    (void)state;
    fixture_begin(1, FAKE_CUDA_THREAD);
    fake_cuda_fail_at("cuMemAlloc_v2", 2, VRS_CU_UNKNOWN);
    OK(cu.memory_alloc(&memory, 8));
    assert_int_equal(cu.memory_alloc(&other, 8), VRS_CU_UNKNOWN);
    assert_string_equal(fake_cuda_failed_name(), "cuMemAlloc_v2");
    OK(cu.memory_alloc(&other, 8));
    assert_int_equal(fake_cuda_calls("cuMemAlloc_v2"), 3);
    fake_cuda_fail_at("*", 1, VRS_CU_OUT_OF_MEMORY);
    assert_int_equal(cu.memory_free(memory), VRS_CU_OUT_OF_MEMORY);
    assert_int_equal(fake_cuda_failures(), 2);
    fake_cuda_lose_at("cuEventCreate", 1, VRS_CU_LAUNCH_FAILED);
    vrs_cu_event event = NULL;
    assert_int_equal(cu.event_create(&event, 0), VRS_CU_LAUNCH_FAILED);
    assert_int_equal(cu.memory_alloc(&memory, 8), VRS_CU_LAUNCH_FAILED);
    assert_int_equal(cu.memory_free(other), VRS_CU_LAUNCH_FAILED);
    fixture_end();
}

/* A fork and a join, replayed: ((x + 1) * 2 and y * 3), then x = x * 5 + 1. */
static void record_branches(vrs_cu_stream a, vrs_cu_stream b, vrs_cu_ptr x, bool join)
{
    const vrs_cu_event forked = fixture_event(), joined = fixture_event();
    OK(fixture_affine(a, x, 1, 1, 1));
    OK(cu.event_record(forked, a));
    OK(cu.stream_wait(b, forked, 0));
    OK(fixture_affine(b, x + 4, 1, 3, 0));
    OK(fixture_affine(a, x, 1, 2, 0));
    OK(cu.event_record(joined, b));
    if (join)
        OK(cu.stream_wait(a, joined, 0));
    OK(fixture_affine(a, x, 2, 5, 1));
    OK(cu.event_destroy(forked));
    OK(cu.event_destroy(joined));
}

static void test_graph(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        vrs_cu_graph graph = NULL;
        vrs_cu_graph_exec exec = NULL;
        uint32_t got[2];
        fixture_begin(seed, seed % 2 ? FAKE_CUDA_SYNC : FAKE_CUDA_THREAD);
        const vrs_cu_stream a = fixture_stream(), b = fixture_stream();
        const vrs_cu_ptr x = fixture_memory(8);
        OK(cu.fill_32(x, 10, 2, a));
        OK(cu.capture_begin(a, VRS_CU_CAPTURE_THREAD_LOCAL));
        record_branches(a, b, x, false);
        assert_int_equal(cu.capture_end(a, &graph), 904);
        OK(cu.capture_begin(a, VRS_CU_CAPTURE_THREAD_LOCAL));
        record_branches(a, b, x, true);
        OK(cu.capture_end(a, &graph));
        OK(cu.graph_instantiate(&exec, graph, 0));
        OK(cu.graph_destroy(graph));
        OK(cu.graph_launch(exec, a));
        OK(cu.graph_launch(exec, a));
        OK(cu.download(got, x, 8, a));
        assert_int_equal(got[0], ((10 + 1) * 2 * 5 + 1 + 1) * 2 * 5 + 1);
        assert_int_equal(got[1], (10 * 3 * 5 + 1) * 3 * 5 + 1);
        OK(cu.graph_exec_destroy(exec));
        OK(cu.memory_free(x));
        OK(cu.stream_destroy(a));
        OK(cu.stream_destroy(b));
        fixture_end();
    }
}

/* Kernels in the order of their run. */
static struct {
    uint32_t order[32];
    size_t count;
} ran;

static void note(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)grid;
    (void)block;
    ran.order[ran.count++] = *(const uint32_t *)params;
}

/* Eight streams of four kernels each. */
static uint64_t order_of(uint64_t seed)
{
    vrs_cu_stream streams[8];
    uint32_t next[8] = {0};
    uint64_t hash = 0;
    fixture_begin(seed, FAKE_CUDA_SYNC);
    fake_cuda_kernel("note", note, sizeof(uint32_t));
    ran.count = 0;
    for (uint32_t s = 0; s < 8; s++)
        streams[s] = fixture_stream();
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t s = 0; s < 8; s++) {
            const uint32_t what = s * 4 + i;
            OK(fixture_launch(streams[s], "note", &what, sizeof(what)));
        }
    }
    for (uint32_t s = 0; s < 8; s++) {
        OK(fixture_wait(streams[s]));
        OK(cu.stream_destroy(streams[s]));
    }
    assert_int_equal(ran.count, 32);
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(ran.order[i] % 4, next[ran.order[i] / 4]++);
        hash = hash * 33 + ran.order[i];
    }
    fixture_end();
    return hash;
}

static void test_order_follows_the_seed(void **state)
{
    uint64_t hashes[SEEDS];
    size_t different = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        hashes[seed - 1] = order_of(seed);
        assert_true(order_of(seed) == hashes[seed - 1]);
        size_t i = 0;
        while (hashes[i] != hashes[seed - 1])
            i++;
        different += i == seed - 1;
    }
    print_message("%zu orders from %d seeds\n", different, SEEDS);
    assert_true(different > SEEDS / 2);
}

static void test_legacy_stream_waits_for_blocking_ones(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        vrs_cu_stream blocking = NULL;
        uint32_t got = 0;
        fixture_begin(seed, FAKE_CUDA_SYNC);
        OK(cu.stream_create(&blocking, 0, 0));
        const vrs_cu_ptr memory = fixture_memory(4);
        OK(cu.fill_32(memory, 1, 1, blocking));
        OK(fixture_affine(NULL, memory, 1, 10, 2));
        OK(fixture_affine(blocking, memory, 1, 10, 3));
        OK(cu.download(&got, memory, 4, NULL));
        assert_int_equal(got, 123);
        OK(cu.memory_free(memory));
        OK(cu.stream_destroy(blocking));
        fixture_end();
    }
}

struct seen {
    uint32_t *value, got;
    vrs_cu_result result;
};

static void look(void *data)
{
    struct seen *seen = data;
    size_t left, total;
    seen->got = *seen->value;
    seen->result = cu.memory_info(&left, &total);
}

static void test_host_functions(void **state)
{
    int (*host_function)(vrs_cu_stream, void (*)(void *), void *) = NULL;
    (void)state;
    fixture_find("cuLaunchHostFunc", &host_function);
    for (uint64_t seed = 1; seed <= 8; seed++) {
        fixture_begin(seed, seed % 2 ? FAKE_CUDA_SYNC : FAKE_CUDA_THREAD);
        const vrs_cu_stream stream = fixture_stream();
        const vrs_cu_ptr memory = fixture_memory(4);
        uint32_t *host = fixture_pinned(4);
        struct seen seen = {host, 0, 0};
        OK(cu.fill_32(memory, 42, 1, stream));
        OK(cu.download(host, memory, 4, stream));
        OK(host_function(stream, look, &seen));
        OK(fixture_wait(stream));
        assert_int_equal(seen.got, 42);
        assert_int_equal(seen.result, 800);
        OK(cu.memory_free(memory));
        OK(cu.host_free(host));
        OK(cu.stream_destroy(stream));
        fixture_end();
    }
}

static void test_memory_from_streams(void **state)
{
    vrs_cu_ptr memory = 0;
    (void)state;
    fixture_begin(3, FAKE_CUDA_SYNC);
    const vrs_cu_stream stream = fixture_stream();
    OK(cu.memory_alloc_async(&memory, 64, stream));
    OK(cu.fill_8(memory, 1, 64, stream));
    OK(cu.memory_free_async(memory, stream));
    OK(fixture_wait(stream));
    assert_int_equal(fake_cuda_used(0), 0);
    OK(cu.stream_destroy(stream));
    fixture_end();
}

static void without_context(void *result)
{
    vrs_cu_ptr memory;
    *(vrs_cu_result *)result = cu.memory_alloc(&memory, 8);
}

static void test_context_belongs_to_a_thread(void **state)
{
    vrs_cu_result result = VRS_CU_SUCCESS;
    vrs_thread thread = {0};
    (void)state;
    fixture_begin(1, FAKE_CUDA_THREAD);
    assert_int_equal(vrs_thread_start(&thread, "no-context", without_context, &result), VRS_OK);
    vrs_thread_join(&thread);
    assert_int_equal(result, VRS_CU_INVALID_CONTEXT);
    fixture_end();
}

static void test_leaks_are_named(void **state)
{
    char text[256];
    (void)state;
    fixture_begin(1, FAKE_CUDA_THREAD);
    (void)fixture_memory(8);
    (void)fixture_event();
    (void)fixture_event();
    assert_int_equal(fake_cuda_leaks(text, sizeof(text)), 4);
    assert_string_equal(text, "1 device allocations, 2 events, 1 retained contexts");
    fake_cuda_reset(0);
    assert_int_equal(fake_cuda_leaks(NULL, 0), 0);
}

static void test_device_is_what_was_set(void **state)
{
    int count = 0, major = 0, version = 0;
    char name[32];
    (void)state;
    fake_cuda_reset(0);
    fake_cuda_set_devices(0);
    assert_int_equal(cu.init(0), VRS_CU_NO_DEVICE);
    fake_cuda_set_devices(3);
    fake_cuda_set_name("Other");
    fake_cuda_set_capability(8, 6);
    fake_cuda_set_driver(11040);
    fake_cuda_set_image_error(VRS_CU_NO_BINARY_FOR_GPU);
    OK(cu.init(0));
    OK(cu.device_count(&count));
    assert_int_equal(count, 3);
    OK(cu.device_name(name, sizeof(name), 2));
    assert_string_equal(name, "Other 2");
    OK(cu.device_attribute(&major, VRS_CU_COMPUTE_CAPABILITY_MAJOR, 0));
    assert_int_equal(major, 8);
    OK(cu.driver_version(&version));
    assert_int_equal(version, 11040);
    vrs_cu_context context = NULL;
    vrs_cu_module module = NULL;
    OK(cu.context_retain(&context, 2));
    OK(cu.context_push(context));
    assert_int_equal(cu.module_load(&module, "image"), VRS_CU_NO_BINARY_FOR_GPU);
    OK(cu.context_pop(&context));
    OK(cu.context_release(2));
    assert_int_equal(fake_cuda_leaks(NULL, 0), 0);
}

/* A thread with a stream of its own; the sum of 1 to 100, ten times. */
static void work_alone(void *arg)
{
    vrs_cu_context context = NULL;
    uint32_t *wrong = arg;
    OK(cu.context_retain(&context, 0));
    OK(cu.context_push(context));
    const vrs_cu_stream stream = fixture_stream();
    const vrs_cu_ptr memory = fixture_memory(404);
    uint32_t *host = fixture_pinned(404);
    for (uint32_t turn = 0; turn < 10; turn++) {
        const fake_sum_params sum = {memory, memory + 400, 100};
        for (uint32_t i = 0; i < 100; i++)
            host[i] = i + 1;
        OK(cu.upload(memory, host, 400, stream));
        OK(fixture_launch(stream, "fake_sum", &sum, sizeof(sum)));
        OK(cu.download(host + 100, memory + 400, 4, stream));
        OK(fixture_wait(stream));
        *wrong += host[100] != 5050;
    }
    OK(cu.memory_free(memory));
    OK(cu.host_free(host));
    OK(cu.stream_destroy(stream));
    OK(cu.context_pop(&context));
    OK(cu.context_release(0));
}

static void test_threads(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        vrs_thread threads[4] = {0};
        uint32_t wrong[4] = {0};
        fixture_begin(seed, seed % 2 ? FAKE_CUDA_SYNC : FAKE_CUDA_THREAD);
        for (int i = 0; i < 4; i++)
            assert_int_equal(vrs_thread_start(&threads[i], "work", work_alone, &wrong[i]), VRS_OK);
        for (int i = 0; i < 4; i++) {
            vrs_thread_join(&threads[i]);
            assert_int_equal(wrong[i], 0);
        }
        assert_int_equal(fake_cuda_bytes_copied().to_device, 4 * 10 * 400);
        assert_int_equal(fake_cuda_bytes_copied().to_host, 4 * 10 * 4);
        fixture_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_wait_shows),
        cmocka_unit_test(test_early_reuse_of_pinned_memory_shows),
        cmocka_unit_test(test_pageable_memory_is_read_at_the_call),
        cmocka_unit_test(test_host_cannot_follow_device_addresses),
        cmocka_unit_test(test_forbidden_calls_abort),
        cmocka_unit_test(test_use_after_free_is_an_illegal_address),
        cmocka_unit_test(test_free_below_queued_work_shows),
        cmocka_unit_test(test_double_free_is_refused),
        cmocka_unit_test(test_copies_out_of_bounds),
        cmocka_unit_test(test_kernel_behind_the_end),
        cmocka_unit_test(test_virtual_memory),
        cmocka_unit_test(test_memory_is_limited),
        cmocka_unit_test(test_failures_to_order),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_order_follows_the_seed),
        cmocka_unit_test(test_legacy_stream_waits_for_blocking_ones),
        cmocka_unit_test(test_host_functions),
        cmocka_unit_test(test_memory_from_streams),
        cmocka_unit_test(test_context_belongs_to_a_thread),
        cmocka_unit_test(test_leaks_are_named),
        cmocka_unit_test(test_device_is_what_was_set),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, fixture_load, NULL);
}
