/* The memory manager on a real GPU: budgets that hold as the driver counts too, the least that
 * works, arenas that come and go under a budget, and a second process that takes the memory away.
 *
 *     gpu_memory_pressure [DEVICE]         the tests; DEVICE: cuda (default)
 *     gpu_memory_pressure --grab DEVICE LEFT   the second process: takes all but LEFT bytes, prints
 *                                          a line, holds them until its standard input ends
 *
 * Skipped (77) without a GPU, unless VRSEG_REQUIRE_CUDA is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/device.h"
#include "device/memory.h"
#include "device/raw.h"

#define GB UINT64_C(1000000000)
#define BLOCK (UINT64_C(256) << 20)
#define MOST_BLOCKS 1024

static const char *device_name = "cuda";
static const char *program;

static uint64_t free_now(vrs_device *device)
{
    size_t free_bytes = 0;
    size_t total = 0;
    assert_int_equal(vrs_device_raw_info(device, &free_bytes, &total), VRS_OK);
    return free_bytes;
}

static vrs_device *open_device(void)
{
    vrs_device *device = NULL;
    if (vrs_device_open(device_name, &device) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return device;
}

static vrs_memory *open_memory(vrs_device *device, uint64_t limit, uint64_t reserve)
{
    vrs_memory *memory = NULL;
    vrs_memory_settings settings = {.limit = limit, .reserve = reserve};
    if (vrs_memory_create(device, &settings, &memory) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return memory;
}

/* Fills a budget to the brim; the driver counts no more than the ledger plus its own pages. */
static void fill(uint64_t budget)
{
    static vrs_memory_block *blocks[MOST_BLOCKS];
    vrs_device *device = open_device();
    vrs_memory *memory = open_memory(device, budget, 0);
    vrs_memory_stats stats;
    vrs_memory_get_stats(memory, VRS_MEMORY_PLACE_DEVICE, &stats);
    uint64_t context = stats.measured;
    uint64_t before = free_now(device);
    size_t count = 0;
    vrs_status status = VRS_OK;
    uint64_t size = BLOCK;
    while (count < MOST_BLOCKS && size >= 4096) {
        status = vrs_memory_alloc(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TEST, size,
                                  &blocks[count]);
        if (status != VRS_OK) {
            assert_int_equal(status, VRS_NO_MEMORY);
            size /= 4; /* smaller ones fill what is left */
        }
        count += status == VRS_OK;
    }
    vrs_memory_get_stats(memory, VRS_MEMORY_PLACE_DEVICE, &stats);
    uint64_t taken = before - free_now(device);
    printf(
        "budget %.1f GB: context %.3f, booked %.3f, the driver counts %.3f + context, %zu blocks\n",
        (double)budget / 1e9, (double)context / 1e9, (double)stats.used / 1e9, (double)taken / 1e9,
        count);
    assert_true(stats.used <= budget);
    assert_true(stats.high_water <= budget);
    assert_true(stats.used + (UINT64_C(1) << 20) > budget); /* nothing is wasted either */
    assert_true(taken + context <= budget + (UINT64_C(4) << 20));
    for (size_t i = 0; i < count; i++)
        vrs_memory_free(memory, blocks[i]);
    assert_int_equal(vrs_memory_report(memory, NULL, 0), 0);
    vrs_memory_destroy(memory);
    vrs_device_close(device);
}

static void test_budgets(void **state)
{
    (void)state;
    fill(24 * GB);
    fill(8 * GB);
    fill(4 * GB);
}

/* A budget for one slot works; one that the context alone exceeds says how much it takes. */
static void test_least(void **state)
{
    (void)state;
    vrs_device *device = open_device();
    vrs_memory *memory = open_memory(device, 0, 0);
    vrs_memory_stats stats;
    vrs_memory_get_stats(memory, VRS_MEMORY_PLACE_DEVICE, &stats);
    uint64_t context = stats.measured;
    vrs_memory_destroy(memory);
    memory = open_memory(device, context + (UINT64_C(8) << 20), 0);
    vrs_pool *pool = NULL;
    vrs_pool_settings settings = {.place = VRS_MEMORY_PLACE_DEVICE,
                                  .owner = VRS_MEMORY_TEST,
                                  .slot_bytes = (size_t)8 << 20,
                                  .most_slots = 2,
                                  .keep_slots = 1,
                                  .step_slots = 1};
    assert_int_equal(vrs_pool_create(memory, &settings, &pool), VRS_OK);
    assert_int_equal(vrs_pool_grow(pool, 2), VRS_NO_MEMORY);
    vrs_pool_destroy(pool);
    vrs_memory_destroy(memory);
    printf("context: %.1f MB\n", (double)context / 1e6);
    if (context != 0) {
        vrs_memory_settings tight = {.limit = context - 1};
        assert_int_equal(vrs_memory_create(device, &tight, &memory), VRS_INVALID);
        printf("%s\n", vrs_last_error());
    }
    vrs_device_close(device);
}

/* Shrinking gives memory back to the device and keeps what is in the front. */
static void test_arena(void **state)
{
    (void)state;
    vrs_device *device = open_device();
    vrs_memory *memory = open_memory(device, 8 * GB, 0);
    vrs_device_stream *stream = NULL;
    vrs_device_event *event = NULL;
    vrs_arena *arena = NULL;
    uint8_t back[4096];
    assert_int_equal(vrs_device_stream_create(device, VRS_PRIORITY_NORMAL, &stream), VRS_OK);
    assert_int_equal(vrs_device_event_create(device, false, &event), VRS_OK);
    assert_int_equal(vrs_arena_create(memory, VRS_MEMORY_ARENA, 4 * GB, &arena), VRS_OK);
    uint64_t before = free_now(device);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(vrs_arena_resize(arena, 3 * GB), VRS_OK);
        assert_true(before - free_now(device) >= 3 * GB);
        vrs_device_ptr front = vrs_arena_address(arena);
        assert_int_equal(vrs_device_fill(stream, front, (uint8_t)(round + 1), sizeof(back)),
                         VRS_OK);
        assert_int_equal(vrs_device_event_record(event, stream), VRS_OK);
        assert_int_equal(vrs_device_event_wait(event), VRS_OK);
        assert_int_equal(vrs_arena_resize(arena, GB), VRS_OK);
        assert_true(before - free_now(device) < GB + (UINT64_C(128) << 20));
        assert_int_equal(vrs_device_download(stream, back, front, sizeof(back)), VRS_OK);
        assert_int_equal(vrs_device_event_record(event, stream), VRS_OK);
        assert_int_equal(vrs_device_event_wait(event), VRS_OK);
        for (size_t i = 0; i < sizeof(back); i++)
            assert_int_equal(back[i], round + 1);
    }
    vrs_arena_destroy(arena);
    vrs_device_event_destroy(event);
    vrs_device_stream_destroy(stream);
    vrs_memory_destroy(memory);
    vrs_device_close(device);
}

/* ---- a second process ---- */

static int grab(const char *left_text)
{
    vrs_device *device = NULL;
    size_t free_bytes = 0;
    size_t total = 0;
    uint64_t left = strtoull(left_text, NULL, 10);
    if (vrs_device_open(device_name, &device) != VRS_OK)
        return EXIT_FAILURE;
    for (uint64_t size = UINT64_C(1) << 30; size >= UINT64_C(2) << 20;) {
        vrs_device_ptr taken = 0;
        if (vrs_device_raw_info(device, &free_bytes, &total) != VRS_OK)
            return EXIT_FAILURE;
        if (free_bytes < left + size || vrs_device_raw_alloc(device, size, &taken) != VRS_OK)
            size /= 2;
    }
    (void)printf("held\n");
    (void)fflush(stdout);
    (void)getchar();     /* until the parent closes its end */
    return EXIT_SUCCESS; /* the driver takes back what a process held */
}

typedef struct second {
    pid_t pid;
    int input, output;
} second;

static second start_second(uint64_t left)
{
    int in[2];
    int out[2];
    char left_text[32];
    char line[8];
    (void)snprintf(left_text, sizeof(left_text), "%llu", (unsigned long long)left);
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)close(in[1]);
        (void)close(out[0]);
        (void)execl(program, program, "--grab", device_name, left_text, (char *)NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    assert_true(read(out[0], line, sizeof(line)) > 0); /* it holds the memory now */
    return (second){.pid = pid, .input = in[1], .output = out[0]};
}

static void end_second(const second *s)
{
    int status = 0;
    (void)close(s->input);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    (void)close(s->output);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

typedef struct answer {
    vrs_arena *arena;
    unsigned asked[5];
    uint64_t left;
} answer;

/* As a pipeline answers: nothing to trim, then a smaller batch. */
static bool shrink_on_pressure(void *opaque, const vrs_pressure *pressure)
{
    answer *a = opaque;
    a->asked[pressure->level]++;
    if (pressure->level != VRS_PRESSURE_BATCH || vrs_arena_bytes(a->arena) <= a->left)
        return false;
    uint64_t bytes = vrs_arena_bytes(a->arena);
    uint64_t less = bytes > a->left + GB ? bytes - GB : a->left;
    assert_int_equal(vrs_arena_resize(a->arena, less), VRS_OK);
    return vrs_arena_bytes(a->arena) < bytes;
}

static void test_second_process(void **state)
{
    (void)state;
    vrs_device *device = open_device();
    vrs_memory *memory = open_memory(device, 24 * GB, 2 * GB);
    answer a = {.left = 2 * GB};
    assert_int_equal(vrs_arena_create(memory, VRS_MEMORY_ARENA, 20 * GB, &a.arena), VRS_OK);
    assert_int_equal(vrs_arena_resize(a.arena, 12 * GB), VRS_OK);
    vrs_memory_on_pressure(memory, shrink_on_pressure, &a);
    assert_false(vrs_memory_poll(memory));
    second other = start_second(GB / 2);
    uint64_t left = free_now(device);
    assert_true(left < 2 * GB);
    assert_true(vrs_memory_poll(memory));
    printf("another process left %.2f GB: the arena shrank from 12 to %.2f GB, %.2f GB are free\n",
           (double)left / 1e9, (double)vrs_arena_bytes(a.arena) / 1e9,
           (double)free_now(device) / 1e9);
    assert_true(free_now(device) >= 2 * GB);
    assert_true(a.asked[VRS_PRESSURE_TRIM] >= 1 && a.asked[VRS_PRESSURE_BATCH] >= 1);
    assert_int_equal(vrs_arena_resize(a.arena, 18 * GB), VRS_NO_MEMORY); /* it is still there */
    end_second(&other);
    assert_int_equal(vrs_arena_resize(a.arena, 12 * GB), VRS_OK); /* and grows back */
    assert_false(vrs_memory_poll(memory));
    vrs_arena_destroy(a.arena);
    vrs_memory_destroy(memory);
    vrs_device_close(device);
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc == 4 && strcmp(argv[1], "--grab") == 0) {
        device_name = argv[2];
        return grab(argv[3]);
    }
    device_name = argc > 1 ? argv[1] : "cuda";
    vrs_device *device = NULL;
    if (vrs_device_open(device_name, &device) != VRS_OK) {
        (void)fprintf(stderr, "skipped: %s\n", vrs_last_error());
        return getenv("VRSEG_REQUIRE_CUDA") != NULL ? EXIT_FAILURE : 77;
    }
    vrs_device_close(device);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_second_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
