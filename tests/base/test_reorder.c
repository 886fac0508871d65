/* The reorder buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/reorder.h"
#include "support/inject.h"

/* A number of 1.. from a seed (Knuth's MMIX constants). */
static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

/* Puts numbers into a window in random order and takes what is ready at random moments. */
static void shuffle(uint32_t capacity, uint64_t seed)
{
    vrs_reorder *reorder = NULL;
    assert_int_equal(vrs_reorder_create(capacity, &reorder), VRS_OK);
    assert_null(vrs_reorder_next(reorder));
    uint64_t next = 0;
    unsigned char there[64] = {0}; /* of the numbers next .. next + capacity - 1 */
    for (int step = 0; step < 5000; step++) {
        uint32_t offset = draw(&seed) % capacity;
        if (!there[(next + offset) % capacity]) {
            there[(next + offset) % capacity] = 1;
            vrs_reorder_put(reorder, next + offset, (void *)(uintptr_t)(next + offset + 1));
        }
        while (draw(&seed) % 4 != 0) {
            void *item = vrs_reorder_next(reorder);
            if (!there[next % capacity]) {
                assert_null(item);
                break;
            }
            assert_ptr_equal(item, (void *)(uintptr_t)(next + 1));
            there[next % capacity] = 0;
            next++;
        }
    }
    assert_true(next > 50);
    vrs_reorder_destroy(reorder);
}

static void test_any_order(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {1, 2, 3, 5, 8, 64};
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++)
        shuffle(capacities[i], i + 1);
    vrs_reorder_destroy(NULL);
}

static void test_largest(void **state)
{
    (void)state;
    vrs_reorder *reorder = NULL;
    int item = 0;
    assert_int_equal(vrs_reorder_create(65536, &reorder), VRS_OK);
    for (uint64_t i = 65536; i-- > 0;) {
        assert_null(vrs_reorder_next(reorder));
        vrs_reorder_put(reorder, i, &item);
    }
    for (int i = 0; i < 65536; i++)
        assert_ptr_equal(vrs_reorder_next(reorder), &item);
    assert_null(vrs_reorder_next(reorder));
    vrs_reorder_destroy(reorder);
}

static vrs_status make_reorder(void *opaque)
{
    (void)opaque;
    vrs_reorder *reorder = NULL;
    vrs_status status = vrs_reorder_create(16, &reorder);
    vrs_reorder_destroy(reorder);
    return status;
}

static void test_refused_memory(void **state)
{
    (void)state;
    assert_int_equal(inject_all(make_reorder, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_refused_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
