/* One body for every device: what device.h and raw.h promise. The device's name is the argument; a
 * GPU that is not there skips the test, unless VRSEG_REQUIRE_CUDA is set. On GPUs the kernel of
 * affine.cu is loaded through VRSEG_CUDA_IMAGE; the stand-in driver has it in C. */
#include "device/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "device/affine.h"
#include "device/raw.h"

#define SKIP 77

static const char *device_name;

typedef struct fixture {
    vrs_device *device;
    vrs_device_stream *stream;
    vrs_device_event *event;
    bool cuda;
} fixture;

#define OK(call)                                                              \
    do {                                                                      \
        vrs_status ok_status = (call);                                        \
        if (ok_status != VRS_OK)                                              \
            fail_msg("%s: %s", vrs_status_name(ok_status), vrs_last_error()); \
    } while (0)

static int setup(void **state)
{
    static fixture f;
    f = (fixture){0};
    OK(vrs_device_open(device_name, &f.device));
    OK(vrs_device_stream_create(f.device, VRS_PRIORITY_NORMAL, &f.stream));
    OK(vrs_device_event_create(f.device, false, &f.event));
    f.cuda = vrs_device_get_properties(f.device)->kind == VRS_DEVICE_CUDA;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    vrs_device_event_destroy(f->event);
    vrs_device_stream_destroy(f->stream);
    vrs_device_close(f->device);
    return 0;
}

static void finish(fixture *f)
{
    OK(vrs_device_event_record(f->event, f->stream));
    OK(vrs_device_event_wait(f->event));
}

static void properties_are_read(void **state)
{
    const fixture *f = *state;
    const vrs_device_properties *p = vrs_device_get_properties(f->device);
    printf("%s: %s, compute capability %d.%d, %d multiprocessors, %zu MB, CUDA %d\n", p->id,
           p->name, p->major, p->minor, p->multiprocessors, p->memory_bytes >> 20,
           p->driver_version);
    assert_string_equal(p->id, f->cuda ? "cuda:0" : "cpu");
    assert_true(p->memory_bytes > 0);
    assert_non_null(strstr(vrs_device_choice(f->device), p->id));
    if (f->cuda) {
        assert_true(p->major >= 7 && p->multiprocessors > 0 && p->driver_version >= 13000);
        assert_true(p->block_shared_bytes >= (size_t)48 << 10);
        assert_int_equal(strlen(p->pci), 12);
    }
}

static void bytes_come_back(void **state)
{
    fixture *f = *state;
    enum { BYTES = 100003 };
    vrs_device_ptr a, b;
    void *from, *to;
    OK(vrs_device_raw_alloc(f->device, BYTES, &a));
    OK(vrs_device_raw_alloc(f->device, BYTES, &b));
    OK(vrs_device_raw_host_alloc(f->device, BYTES, &from));
    OK(vrs_device_raw_host_alloc(f->device, BYTES, &to));
    for (int i = 0; i < BYTES; i++)
        ((uint8_t *)from)[i] = (uint8_t)(i * 7 + i / 251);
    OK(vrs_device_upload(f->stream, a, from, BYTES));
    OK(vrs_device_fill(f->stream, b, 0xa5, BYTES));
    OK(vrs_device_copy(f->stream, b + 1, a + 1, BYTES - 3));
    OK(vrs_device_download(f->stream, to, b, BYTES));
    finish(f);
    const uint8_t *bytes = to;
    assert_memory_equal(bytes + 1, (uint8_t *)from + 1, BYTES - 3);
    assert_int_equal(bytes[0], 0xa5);
    assert_int_equal(bytes[BYTES - 2], 0xa5);
    assert_int_equal(bytes[BYTES - 1], 0xa5);
    vrs_device_raw_host_free(f->device, to);
    vrs_device_raw_host_free(f->device, from);
    vrs_device_raw_free(f->device, b);
    vrs_device_raw_free(f->device, a);
}

/* Rows of 61 bytes at three different pitches; what lies between rows stays as it is. */
static void rows_come_back(void **state)
{
    fixture *f = *state;
    enum { ROW = 61, ROWS = 17, A = 64, B = 80, C = 77 };
    uint8_t from[A * ROWS], to[C * ROWS];
    vrs_device_ptr a, b;
    OK(vrs_device_raw_alloc(f->device, B * ROWS, &a));
    OK(vrs_device_raw_alloc(f->device, B * ROWS, &b));
    for (int i = 0; i < A * ROWS; i++)
        from[i] = (uint8_t)(i * 13 + 1);
    memset(to, 0xee, sizeof to);
    OK(vrs_device_fill(f->stream, b, 0x11, B * ROWS));
    OK(vrs_device_upload_2d(f->stream, a, ROW, from, A, ROW, ROWS));
    OK(vrs_device_copy_2d(f->stream, b, B, a, ROW, ROW, ROWS));
    OK(vrs_device_download_2d(f->stream, to, C, b, B, ROW, ROWS));
    finish(f);
    for (int y = 0; y < ROWS; y++) {
        assert_memory_equal(to + y * C, from + y * A, ROW);
        for (int x = ROW; x < C; x++)
            assert_int_equal(to[y * C + x], 0xee);
    }
    uint8_t gap[B];
    OK(vrs_device_download(f->stream, gap, b, B));
    finish(f);
    assert_int_equal(gap[ROW], 0x11);
    vrs_device_raw_free(f->device, b);
    vrs_device_raw_free(f->device, a);
}

static void wrong_copies_are_refused(void **state)
{
    fixture *f = *state;
    uint8_t bytes[64] = {0};
    assert_int_equal(vrs_device_upload(f->stream, 0, bytes, 4), VRS_INVALID);
    assert_int_equal(vrs_device_download_2d(f->stream, bytes, 3, 4096, 8, 4, 2), VRS_INVALID);
    assert_int_equal(vrs_device_fill(f->stream, 0, 1, 4), VRS_INVALID);
    OK(vrs_device_upload(f->stream, 0, NULL, 0));
    vrs_device_ptr none;
    assert_int_equal(vrs_device_raw_alloc(f->device, 0, &none), VRS_INVALID);
    assert_int_equal(vrs_device_raw_alloc(f->device, SIZE_MAX / 4, &none), VRS_NO_MEMORY);
    assert_int_equal(none, 0);
    OK(vrs_device_check(f->device));
}

static void events_order_streams(void **state)
{
    fixture *f = *state;
    enum { BYTES = 1 << 20 };
    vrs_device_stream *other;
    vrs_device_event *ready, *start, *end;
    OK(vrs_device_stream_create(f->device, VRS_PRIORITY_HIGH, &other));
    OK(vrs_device_event_create(f->device, false, &ready));
    OK(vrs_device_event_create(f->device, true, &start));
    OK(vrs_device_event_create(f->device, true, &end));
    bool done;
    double ms;
    OK(vrs_device_event_query(ready, &done));
    assert_true(done);
    OK(vrs_device_event_wait(ready));
    OK(vrs_device_stream_wait(other, ready));
    assert_int_equal(vrs_device_event_elapsed(start, end, &ms), VRS_INVALID);
    vrs_device_ptr memory;
    void *result;
    OK(vrs_device_raw_alloc(f->device, BYTES, &memory));
    OK(vrs_device_raw_host_alloc(f->device, BYTES, &result));
    OK(vrs_device_event_record(start, f->stream));
    for (int i = 0; i < 20; i++) {
        OK(vrs_device_fill(f->stream, memory, (uint8_t)i, BYTES));
        OK(vrs_device_event_record(ready, f->stream));
        OK(vrs_device_stream_wait(other, ready));
        OK(vrs_device_download(other, result, memory, BYTES));
        OK(vrs_device_event_record(ready, other));
        OK(vrs_device_stream_wait(f->stream, ready));
    }
    OK(vrs_device_event_record(end, f->stream));
    OK(vrs_device_event_wait(end));
    OK(vrs_device_event_query(end, &done));
    assert_true(done);
    assert_int_equal(((uint8_t *)result)[BYTES - 1], 19);
    OK(vrs_device_event_elapsed(start, end, &ms));
    assert_true(ms >= 0);
    assert_int_equal(vrs_device_event_elapsed(start, ready, &ms), VRS_INVALID);
    vrs_device_raw_host_free(f->device, result);
    vrs_device_raw_free(f->device, memory);
    vrs_device_event_destroy(end);
    vrs_device_event_destroy(start);
    vrs_device_event_destroy(ready);
    vrs_device_stream_destroy(other);
}

/* Memory grows behind a reserved range whose addresses stay, and shrinks again. */
static void ranges_grow(void **state)
{
    fixture *f = *state;
    size_t step;
    OK(vrs_device_raw_granularity(f->device, &step));
    assert_true(step > 0 && (step & (step - 1)) == 0);
    vrs_device_ptr range;
    OK(vrs_device_raw_reserve(f->device, 16 * step, &range));
    OK(vrs_device_raw_map(f->device, range, 2 * step));
    OK(vrs_device_fill(f->stream, range, 1, 2 * step));
    OK(vrs_device_raw_map(f->device, range + 2 * step, step));
    OK(vrs_device_fill(f->stream, range + 2 * step - 1, 2, step));
    uint8_t bytes[3];
    OK(vrs_device_download(f->stream, bytes, range + 2 * step - 2, 3));
    finish(f);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(bytes[1], 2);
    assert_int_equal(bytes[2], 2);
    vrs_device_raw_unmap(f->device, range + 2 * step, step);
    OK(vrs_device_download(f->stream, bytes, range, 1));
    finish(f);
    assert_int_equal(bytes[0], 1);
    vrs_device_raw_unmap(f->device, range, 2 * step);
    vrs_device_raw_unreserve(f->device, range, 16 * step);
}

static void memory_is_told(void **state)
{
    fixture *f = *state;
    size_t left, total;
    OK(vrs_device_raw_info(f->device, &left, &total));
    assert_true(left > 0 && left <= total);
}

static void host_memory_is_pinned(void **state)
{
    fixture *f = *state;
    enum { BYTES = 1 << 16 };
    uint8_t *block = aligned_alloc(4096, BYTES);
    assert_non_null(block);
    memset(block, 3, BYTES);
    OK(vrs_device_raw_host_register(f->device, block, BYTES));
    if (f->cuda)
        assert_int_equal(vrs_device_raw_host_register(f->device, block, BYTES), VRS_INVALID);
    vrs_device_ptr memory;
    OK(vrs_device_raw_alloc(f->device, BYTES, &memory));
    OK(vrs_device_upload(f->stream, memory, block, BYTES));
    finish(f);
    memset(block, 0, BYTES);
    OK(vrs_device_download(f->stream, block, memory, BYTES));
    finish(f);
    assert_int_equal(block[BYTES - 1], 3);
    vrs_device_raw_free(f->device, memory);
    vrs_device_raw_host_unregister(f->device, block);
    free(block);
}

static void launch_affine(fixture *f, vrs_kernel *kernel)
{
    enum { COUNT = 10007 };
    static uint32_t values[COUNT];
    vrs_device_ptr memory;
    OK(vrs_device_raw_alloc(f->device, sizeof values, &memory));
    for (uint32_t i = 0; i < COUNT; i++)
        values[i] = i;
    OK(vrs_device_upload(f->stream, memory, values, sizeof values));
    fake_affine_params first = {memory, COUNT, 3, 1}, second = {memory, COUNT - 7, 5, 2};
    const uint32_t grid[3] = {(COUNT + 255) / 256, 1, 1}, block[3] = {256, 1, 1};
    OK(vrs_device_launch(f->stream, kernel, grid, block, 0, &first, sizeof first));
    /* More shared memory than a kernel has without asking. */
    OK(vrs_device_launch(f->stream, kernel, grid, block, 64 << 10, &second, sizeof second));
    OK(vrs_device_download(f->stream, values, memory, sizeof values));
    finish(f);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t once = i * 3 + 1;
        assert_int_equal(values[i], i < COUNT - 7 ? once * 5 + 2 : once);
    }
    vrs_device_raw_free(f->device, memory);
}

static void wrong_launches_are_refused(fixture *f, vrs_kernel *kernel)
{
    fake_affine_params params = {4096, 1, 1, 1};
    const uint32_t one[3] = {1, 1, 1}, none[3] = {1, 0, 1}, many[3] = {1024, 2, 1};
    const size_t bytes = sizeof params;
    assert_int_equal(vrs_device_launch(f->stream, kernel, none, one, 0, &params, bytes),
                     VRS_INVALID);
    assert_int_equal(vrs_device_launch(f->stream, kernel, one, many, 0, &params, bytes),
                     VRS_INVALID);
    assert_int_equal(vrs_device_launch(f->stream, kernel, one, one, 1 << 20, &params, bytes),
                     VRS_INVALID);
    OK(vrs_device_check(f->device));
}

static void kernels_run(void **state)
{
    fixture *f = *state;
    vrs_kernel *kernel, *again;
    assert_int_equal(vrs_device_kernel(f->device, "vrs_no_such_kernel", &kernel), VRS_NOT_FOUND);
    assert_non_null(strstr(vrs_last_error(), "vrs_no_such_kernel"));
    if (!f->cuda)
        return;
    OK(vrs_device_kernel(f->device, "fake_affine", &kernel));
    OK(vrs_device_kernel(f->device, "fake_affine", &again));
    assert_ptr_equal(kernel, again);
    const vrs_kernel_properties *p = vrs_kernel_get_properties(kernel);
    printf("kernel: %d registers, %zu bytes local, code for %d, PTX %d\n", p->registers,
           p->local_bytes, p->binary_version, p->ptx_version);
    assert_true(p->block_threads >= 256 && p->local_bytes == 0);
    int32_t blocks;
    OK(vrs_kernel_occupancy(kernel, 256, 0, &blocks));
    assert_true(blocks >= 1);
    assert_int_equal(vrs_kernel_occupancy(kernel, 100000, 0, &blocks), VRS_INVALID);
    launch_affine(f, kernel);
    wrong_launches_are_refused(f, kernel);
}

static void calls_are_counted(void **state)
{
    fixture *f = *state;
    vrs_device_calls before, after;
    vrs_device_ptr memory;
    uint8_t bytes[32] = {0};
    vrs_device_get_calls(f->device, &before);
    OK(vrs_device_raw_alloc(f->device, 32, &memory));
    OK(vrs_device_upload_2d(f->stream, memory, 8, bytes, 8, 4, 3));
    OK(vrs_device_download(f->stream, bytes, memory, 12));
    finish(f);
    vrs_device_raw_free(f->device, memory);
    vrs_device_get_calls(f->device, &after);
    assert_int_equal(after.allocations - before.allocations, 1);
    assert_int_equal(after.frees - before.frees, 1);
    assert_int_equal(after.uploads - before.uploads, 1);
    assert_int_equal(after.uploaded_bytes - before.uploaded_bytes, 12);
    assert_int_equal(after.downloaded_bytes - before.downloaded_bytes, 12);
    assert_int_equal(after.host_waits - before.host_waits, 1);
    assert_int_equal(after.event_records - before.event_records, 1);
    assert_int_equal(after.copies + after.fills + after.launches, 0);
}

static void a_loss_is_kept(void **state)
{
    fixture *f = *state;
    vrs_device_set_lost(f->device, "the decoder met an illegal address");
    vrs_device_set_lost(f->device, "something later");
    vrs_device_ptr memory;
    assert_int_equal(vrs_device_raw_alloc(f->device, 16, &memory), VRS_DEVICE_LOST);
    assert_non_null(strstr(vrs_last_error(), "illegal address"));
    assert_int_equal(vrs_device_event_wait(f->event), VRS_DEVICE_LOST);
    assert_int_equal(vrs_device_enter(f->device), VRS_DEVICE_LOST);
}

/* Ends the program as skipped where the GPU is not there and need not be. */
static void skip_without_device(void)
{
    vrs_device *device;
    if (vrs_device_open(device_name, &device) == VRS_OK) {
        vrs_device_close(device);
        return;
    }
    printf("%s: %s\n", device_name, vrs_last_error());
    exit(getenv("VRSEG_REQUIRE_CUDA") ? 1 : SKIP);
}

int main(int argc, char **argv)
{
    device_name = argc > 1 ? argv[1] : "cpu";
    skip_without_device();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(properties_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_copies_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(events_order_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges_grow, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(host_memory_is_pinned, setup, teardown),
        cmocka_unit_test_setup_teardown(kernels_run, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_loss_is_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
