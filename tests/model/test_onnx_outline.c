/* What is found in ONNX files without reading them, and that no file breaks the looking. */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/onnx_outline.h"
#include "support/temp.h"

static char folder[256];

static void data_path(const char *name, char path[4096])
{
    const char *source = getenv("VRSEG_SOURCE_DIR");
    snprintf(path, 4096, "%s/tests/data/%s", source != NULL ? source : ".", name);
}

static vrs_status find_in(const void *data, size_t size, bool *quantised)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/file.onnx", folder);
    remove(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return vrs_onnx_find_quantised(path, quantised);
}

static void test_found(void **state)
{
    (void)state;
    char path[4096];
    bool quantised;
    data_path("tiny-int8.onnx", path);
    assert_int_equal(vrs_onnx_find_quantised(path, &quantised), VRS_OK);
    assert_true(quantised);
    data_path("tiny-state.onnx", path);
    assert_int_equal(vrs_onnx_find_quantised(path, &quantised), VRS_OK);
    assert_false(quantised);
    assert_int_equal(vrs_onnx_find_quantised("/absent.onnx", &quantised), VRS_NOT_FOUND);
}

/* Fields: operator set 8 (empty), then graph 7. In it a node (1), in that an operator (4). */
static void test_by_hand(void **state)
{
    (void)state;
    bool quantised;
    static const char tail[] = "\x42\x00\x3a\x12\x0a\x10\x22\x0eQuantizeLinear";
    assert_int_equal(find_in(tail, sizeof(tail) - 1, &quantised), VRS_OK);
    assert_true(quantised);
    static const char other[] = "\x42\x00\x3a\x12\x0a\x10\x22\x0equantizeLinear";
    assert_int_equal(find_in(other, sizeof(other) - 1, &quantised), VRS_OK);
    assert_false(quantised);
    /* A name (3) of a node, and a graph's name (2), are no operators. */
    static const char named[] = "\x42\x00\x3a\x12\x0a\x10\x1a\x0eQuantizeLinear";
    assert_int_equal(find_in(named, sizeof(named) - 1, &quantised), VRS_OK);
    assert_false(quantised);
    static const char graph_name[] = "\x42\x00\x3a\x10\x12\x0eQuantizeLinear";
    assert_int_equal(find_in(graph_name, sizeof(graph_name) - 1, &quantised), VRS_OK);
    assert_false(quantised);
    /* A node that is longer than its graph, an operator longer than its node, a number. */
    static const char long_node[] = "\x42\x00\x3a\x12\x0a\x11\x22\x0eQuantizeLinear";
    assert_int_equal(find_in(long_node, sizeof(long_node) - 1, &quantised), VRS_FORMAT);
    static const char long_operator[] = "\x42\x00\x3a\x12\x0a\x10\x22\x0fQuantizeLinear";
    assert_int_equal(find_in(long_operator, sizeof(long_operator) - 1, &quantised), VRS_FORMAT);
    static const char number[] = "\x42\x00\x3a\x12\x08\x10\x22\x0eQuantizeLinear";
    assert_int_equal(find_in(number, sizeof(number) - 1, &quantised), VRS_FORMAT);
}

static void test_cut(void **state)
{
    (void)state;
    char path[4096], data[4096];
    data_path("tiny-int8.onnx", path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    assert_in_range(size, 100, sizeof(data) - 1);
    bool quantised;
    for (size_t length = 0; length < size; length++)
        assert_int_equal(find_in(data, length, &quantised), VRS_FORMAT);
    /* Each byte changed: whatever comes of it, it comes to an end. */
    for (size_t i = 0; i < size; i++) {
        char before = data[i];
        data[i] = (char)(before ^ 0x55);
        vrs_status status = find_in(data, size, &quantised);
        assert_true(status == VRS_OK || status == VRS_FORMAT);
        data[i] = before;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found), cmocka_unit_test(test_by_hand),
                                       cmocka_unit_test(test_cut)};
    temp_make(folder, sizeof(folder));
    int failed = cmocka_run_group_tests_name("onnx_outline", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
