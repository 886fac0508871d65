/* Threads, requests and tickets of machines that are described here. */
#include "pipeline/threads.h"

#include "support/inject.h"

#define GB (UINT64_C(1) << 30)

static void check(const char *what, vrs_allowance machine, vrs_thread_wish wish,
                  vrs_thread_plan expected)
{
    vrs_thread_plan got = vrs_threads_choose(&machine, &wish);
    const int32_t a[] = {got.requests,   got.lanes,       got.engine_threads,
                         got.preprocess, got.postprocess, got.tickets};
    const int32_t b[] = {expected.requests,   expected.lanes,       expected.engine_threads,
                         expected.preprocess, expected.postprocess, expected.tickets};
    for (int i = 0; i < 6; i++)
        if (a[i] != b[i])
            fail_msg("%s: figure %d is %d, expected %d", what, i, a[i], b[i]);
}

static const vrs_thread_wish cpu = {.max_batch = 1};

static void test_machines(void **state)
{
    (void)state;
    check("two cores", (vrs_allowance){2, 2, 1, 0, 8 * GB}, cpu,
          (vrs_thread_plan){2, 0, 2, 1, 1, 8});
    check("laptop", (vrs_allowance){8, 4, 1, 0, 16 * GB}, cpu,
          (vrs_thread_plan){8, 0, 8, 2, 4, 24});
    /* 162 tickets are wanted; a quarter of 48 GB holds 97. */
    check("64 cores, 128 threads, 48 GB", (vrs_allowance){128, 64, 1, 0, 48 * GB}, cpu,
          (vrs_thread_plan){64, 0, 128, 16, 16, 97});
    check("the same with plenty", (vrs_allowance){128, 64, 1, 0, 512 * GB}, cpu,
          (vrs_thread_plan){64, 0, 128, 16, 16, 162});
    check("two sockets", (vrs_allowance){48, 24, 2, 0, 256 * GB}, cpu,
          (vrs_thread_plan){48, 0, 48, 12, 16, 126});
    check("two sockets, an odd mask", (vrs_allowance){9, 9, 2, 0, 256 * GB}, cpu,
          (vrs_thread_plan){8, 0, 9, 2, 4, 24});
    check("container: 3 processors' worth of 64, 2 GB", (vrs_allowance){64, 32, 2, 3, 2 * GB}, cpu,
          (vrs_thread_plan){3, 0, 3, 1, 1, 4});
    check("one processor, memory not known", (vrs_allowance){1, 1, 1, 0, 0}, cpu,
          (vrs_thread_plan){1, 0, 1, 1, 1, 6});
}

static void test_gpu(void **state)
{
    (void)state;
    vrs_allowance machine = {16, 16, 1, 0, 2 * GB};
    check("network on the GPU", machine, (vrs_thread_wish){true, true, 8, 0, 0, 0, 0, 0},
          (vrs_thread_plan){4, 4, 16, 4, 4, 74});
    check("network on the CPU", machine, (vrs_thread_wish){true, false, 1, 0, 0, 0, 0, 0},
          (vrs_thread_plan){16, 4, 16, 4, 4, 42});
    check("one lane", machine, (vrs_thread_wish){true, true, 1, 0, 1, 0, 0, 0},
          (vrs_thread_plan){1, 1, 16, 1, 1, 6});
}

/* Streams that share a pipeline have twice their part of its tickets. */
static void test_streams(void **state)
{
    (void)state;
    vrs_allowance machine = {16, 16, 1, 0, 64 * GB};
    static const int32_t streams[][2] = {{0, 138}, {1, 138}, {2, 138}, {3, 92},
                                         {8, 35},  {16, 18}, {64, 5}};
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
        check("streams", machine,
              (vrs_thread_wish){
                  .gpu = true, .network_on_gpu = true, .max_batch = 16, .streams = streams[i][0]},
              (vrs_thread_plan){4, 4, 16, 4, 4, streams[i][1]});
    check("at least four", (vrs_allowance){2, 2, 1, 0, 8 * GB},
          (vrs_thread_wish){.max_batch = 1, .streams = 8}, (vrs_thread_plan){2, 0, 2, 1, 1, 4});
}

/* What is set stays; the rest follows it. */
static void test_wishes(void **state)
{
    (void)state;
    vrs_allowance machine = {8, 8, 1, 0, 64 * GB};
    check("requests", machine, (vrs_thread_wish){.max_batch = 4, .requests = 3},
          (vrs_thread_plan){3, 0, 8, 2, 4, 32});
    check("workers", machine, (vrs_thread_wish){.max_batch = 1, .preprocess = 7, .postprocess = 9},
          (vrs_thread_plan){8, 0, 8, 7, 9, 34});
    check("batches of 16 in 1 GB: no more requests than tickets fill",
          (vrs_allowance){32, 32, 1, 0, 8 * GB}, (vrs_thread_wish){.max_batch = 16},
          (vrs_thread_plan){1, 0, 32, 8, 16, 16});
}

/* Whatever the machine, every figure is in its range, and more of it is never less. */
static void test_all(void **state)
{
    (void)state;
    for (int32_t processors = 1; processors <= 300; processors++)
        for (int32_t quota = 0; quota <= 40; quota += 5)
            for (uint64_t memory = 0; memory <= 64 * GB; memory += 8 * GB) {
                vrs_allowance m = {processors, processors, 1 + processors % 3, quota, memory};
                vrs_thread_plan p = vrs_threads_choose(&m, &cpu);
                assert_in_range(p.requests, 1, 64);
                assert_in_range(p.engine_threads, 1, 256);
                assert_in_range(p.preprocess, 1, 16);
                assert_in_range(p.postprocess, 1, 16);
                assert_in_range(p.tickets, 4, 256);
                assert_true(p.requests <= p.tickets);
                m.memory = memory + GB;
                assert_true(memory == 0 || vrs_threads_choose(&m, &cpu).tickets >= p.tickets);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_machines), cmocka_unit_test(test_gpu),
                                       cmocka_unit_test(test_streams),
                                       cmocka_unit_test(test_wishes), cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
