/* YAML documents: places in complaints, what is refused, files cut at every byte. */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml.h"
#include "support/inject.h"
#include "support/temp.h"

static char folder[256];
static char path[300];

/* Not by vrs_file_replace(), which waits for the disk each time. */
static vrs_status load_bytes(const void *data, size_t size, vrs_yaml **yaml)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return vrs_yaml_load(path, yaml);
}

static vrs_yaml *load(const char *text)
{
    vrs_yaml *yaml = NULL;
    if (load_bytes(text, strlen(text), &yaml) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return yaml;
}

/* The complaint must name `place` ("LINE" or "LINE:COLUMN") and contain `words`. */
static void assert_refused_bytes(const void *data, size_t size, const char *place,
                                 const char *words)
{
    vrs_yaml *yaml = NULL;
    assert_int_equal(load_bytes(data, size, &yaml), VRS_INVALID);
    assert_null(yaml);
    char start[400];
    snprintf(start, sizeof(start), "%s:%s: ", path, place);
    if (strncmp(vrs_last_error(), start, strlen(start)) != 0 ||
        strstr(vrs_last_error(), words) == NULL)
        fail_msg("\"%s\" is not \"%s...%s\"", vrs_last_error(), start, words);
}

static void assert_refused(const char *text, const char *place, const char *words)
{
    assert_refused_bytes(text, strlen(text), place, words);
}

static const char sample[] = "# a comment\n"
                             "name: selfie\n"
                             "sizes: [1, 'two', \"thr\\u00e9e\"]\n"
                             "input:\n"
                             "  width: 256\n"
                             "  mean: {r: 0.5, g: 0.25}\n"
                             "empty:\n"
                             "text: |\n"
                             "  line\n";

static void test_tree(void **state)
{
    (void)state;
    vrs_yaml *yaml = load(sample);
    vrs_yaml_node root = vrs_yaml_root(yaml);
    assert_string_equal(vrs_yaml_path(yaml), path);
    assert_true(vrs_yaml_is_map(yaml, root));
    assert_false(vrs_yaml_is_list(yaml, root));
    assert_null(vrs_yaml_text(yaml, root));
    assert_int_equal(vrs_yaml_count(yaml, root), 5);
    assert_int_equal(vrs_yaml_line(yaml, root), 2);
    assert_string_equal(vrs_yaml_text(yaml, vrs_yaml_key(yaml, root, 0)), "name");
    assert_string_equal(vrs_yaml_text(yaml, vrs_yaml_value(yaml, root, 0)), "selfie");
    vrs_yaml_node sizes = vrs_yaml_get(yaml, root, "sizes");
    assert_true(vrs_yaml_is_list(yaml, sizes));
    assert_int_equal(vrs_yaml_count(yaml, sizes), 3);
    assert_string_equal(vrs_yaml_text(yaml, vrs_yaml_item(yaml, sizes, 1)), "two");
    assert_string_equal(vrs_yaml_text(yaml, vrs_yaml_item(yaml, sizes, 2)), "thr\xc3\xa9"
                                                                            "e");
    vrs_yaml_node input = vrs_yaml_get(yaml, root, "input");
    vrs_yaml_node mean = vrs_yaml_get(yaml, input, "mean");
    assert_int_equal(vrs_yaml_line(yaml, mean), 6);
    assert_string_equal(vrs_yaml_text(yaml, vrs_yaml_get(yaml, mean, "g")), "0.25");
    assert_string_equal(vrs_yaml_text(yaml, vrs_yaml_get(yaml, root, "empty")), "");
    assert_string_equal(vrs_yaml_text(yaml, vrs_yaml_get(yaml, root, "text")), "line\n");
    vrs_yaml_destroy(yaml);
    vrs_yaml_destroy(NULL);
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    vrs_yaml *yaml = load(sample);
    vrs_yaml_node root = vrs_yaml_root(yaml);
    vrs_yaml_node name = vrs_yaml_get(yaml, root, "name");
    vrs_yaml_node sizes = vrs_yaml_get(yaml, root, "sizes");
    const vrs_yaml_node nothing[] = {0,
                                     -1,
                                     99999,
                                     vrs_yaml_get(yaml, root, "missing"),
                                     vrs_yaml_get(yaml, name, "x"),
                                     vrs_yaml_get(yaml, sizes, "1"),
                                     vrs_yaml_item(yaml, sizes, 3),
                                     vrs_yaml_item(yaml, root, 0),
                                     vrs_yaml_key(yaml, sizes, 0),
                                     vrs_yaml_key(yaml, root, 5),
                                     vrs_yaml_value(yaml, name, 0),
                                     vrs_yaml_value(yaml, root, SIZE_MAX)};
    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        assert_true(i < 3 || nothing[i] == 0);
        assert_false(vrs_yaml_is_map(yaml, nothing[i]));
        assert_false(vrs_yaml_is_list(yaml, nothing[i]));
        assert_null(vrs_yaml_text(yaml, nothing[i]));
        assert_int_equal(vrs_yaml_count(yaml, nothing[i]), 0);
        assert_int_equal(vrs_yaml_get(yaml, nothing[i], "x"), 0);
        assert_int_equal(vrs_yaml_line(yaml, nothing[i]), 1);
    }
    assert_int_equal(vrs_yaml_count(yaml, name), 0);
    vrs_yaml_destroy(yaml);
}

static void test_empty(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# only a comment\n"};
    for (size_t i = 0; i < 3; i++) {
        vrs_yaml *yaml = load(texts[i]);
        assert_int_equal(vrs_yaml_root(yaml), 0);
        vrs_yaml_destroy(yaml);
    }
    vrs_yaml *yaml = load("---\n");
    assert_string_equal(vrs_yaml_text(yaml, vrs_yaml_root(yaml)), "");
    vrs_yaml_destroy(yaml);
}

static void test_refused(void **state)
{
    (void)state;
    assert_refused("a: 1\nb: 2\na: 3\n", "3", "\"a\" is given twice, first in line 1");
    assert_refused("x:\n  a: 1\n  \"a\": 3\n", "3", "given twice, first in line 2");
    assert_refused("x: [{a: 1, a: 2}]\n", "1", "given twice");
    assert_refused("a: &name 1\nb: *name\n", "2:4", "aliases");
    assert_refused("a: &name [*name]\n", "1:11", "aliases");
    assert_refused("&a x: 1\n*a : 2\n", "2:1", "aliases");
    assert_refused("a: 1\n---\nb: 2\n", "2:1", "a second document");
    assert_refused("[1, 2]: 3\n", "1", "key must be plain text");
    assert_refused("a: \"\\0\"\n", "1:4", "zero byte");
    assert_refused("a: [1, 2\nb: 3\n", "2:2", "");
    assert_refused("a: b: c\n", "1:5", "");
    assert_refused("a:\n\t- b\n", "2:1", "");
    assert_refused("a: 'text\n", "2:1", "");
    assert_refused("a: 1\nb: \xff\n", "2:4", "");
    assert_refused("a: 1\nb: \xc3", "2:4", "");
    assert_refused_bytes("a: 1\nb: \0\n", 10, "2:4", "");
    assert_refused("!!int\x01: 3", "1:6", "");
}

static void test_unreadable(void **state)
{
    (void)state;
    vrs_yaml *yaml = NULL;
    assert_int_equal(vrs_yaml_load(folder, &yaml), VRS_INVALID);
    char missing[400];
    snprintf(missing, sizeof(missing), "%s/missing.yaml", folder);
    assert_int_equal(vrs_yaml_load(missing, &yaml), VRS_NOT_FOUND);
    assert_non_null(strstr(vrs_last_error(), "missing.yaml"));
    assert_null(yaml);
}

/* Files at and over the limit, and of shapes that cost a careless parser much. */
static void test_huge(void **state)
{
    (void)state;
    char *text = vrs_alloc(VRS_YAML_MAX_BYTES + 2);
    assert_non_null(text);
    vrs_yaml *yaml = NULL;
    memset(text, '#', VRS_YAML_MAX_BYTES + 1);
    assert_int_equal(load_bytes(text, VRS_YAML_MAX_BYTES, &yaml), VRS_OK);
    vrs_yaml_destroy(yaml);
    yaml = NULL;
    assert_int_equal(load_bytes(text, VRS_YAML_MAX_BYTES + 1, &yaml), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "larger than"));

    size_t used = 0;
    int keys = 0;
    while (used < 500000)
        used += (size_t)snprintf(text + used, 32, "k%d: 1\n", keys++);
    assert_int_equal(load_bytes(text, used, &yaml), VRS_OK);
    assert_int_equal(vrs_yaml_count(yaml, vrs_yaml_root(yaml)), keys);
    vrs_yaml_destroy(yaml);
    yaml = NULL;

    static const char *const openers[] = {"[", "{a: ", "- ", "? ", "{"};
    for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
        for (used = 0; used < VRS_YAML_MAX_BYTES - 10;)
            used += (size_t)snprintf(text + used, 8, "%s", openers[i]);
        assert_int_equal(load_bytes(text, used, &yaml), VRS_INVALID);
        assert_null(yaml);
    }
    vrs_free(text);
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * VRS_YAML_MAX_DEPTH + 3] = "";
    memset(text, '[', VRS_YAML_MAX_DEPTH);
    memset(text + VRS_YAML_MAX_DEPTH, ']', VRS_YAML_MAX_DEPTH);
    vrs_yaml_destroy(load(text));
    memset(text, '[', VRS_YAML_MAX_DEPTH + 1);
    memset(text + VRS_YAML_MAX_DEPTH + 1, ']', VRS_YAML_MAX_DEPTH + 1);
    assert_refused(text, "1:65", "nested too deeply");
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    int good = 0;
    for (size_t size = 0; size < sizeof(sample); size++) {
        vrs_yaml *yaml = NULL;
        vrs_status status = load_bytes(sample, size, &yaml);
        assert_true(status == VRS_OK || status == VRS_INVALID);
        good += status == VRS_OK;
        vrs_yaml_destroy(yaml);
    }
    assert_true(good > 10 && good < (int)sizeof(sample) - 10);
}

static void test_keys(void **state)
{
    (void)state;
    static const char *const names[] = {"width", "height", "mean"};
    vrs_yaml *yaml = load("width: 1\nmean: 2\n");
    assert_int_equal(vrs_yaml_check_keys(yaml, vrs_yaml_root(yaml), names, 3), VRS_OK);
    assert_int_equal(vrs_yaml_check_keys(yaml, 0, names, 3), VRS_OK);
    vrs_yaml_destroy(yaml);

    yaml = load("width: 1\n\nheigth: 2\n");
    assert_int_equal(vrs_yaml_check_keys(yaml, vrs_yaml_root(yaml), names, 3), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), ":3: unknown key \"heigth\"; did you mean "
                                             "\"height\"?"));
    vrs_yaml_destroy(yaml);

    yaml = load("quite_something_else: 1\n");
    assert_int_equal(vrs_yaml_check_keys(yaml, vrs_yaml_root(yaml), names, 3), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), ":1: unknown key \"quite_something_else\""));
    assert_null(strstr(vrs_last_error(), "did you mean"));
    assert_int_equal(vrs_yaml_fail(yaml, vrs_yaml_root(yaml), "no %d", 5), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), ":1: no 5"));
    vrs_yaml_destroy(yaml);
}

static vrs_status load_and_drop(void *opaque)
{
    (void)opaque;
    vrs_yaml *yaml = NULL;
    vrs_status status = vrs_yaml_load(path, &yaml);
    vrs_yaml_destroy(yaml);
    return status;
}

static void test_refused_memory(void **state)
{
    (void)state;
    vrs_yaml_destroy(load(sample));
    assert_true(inject_all(load_and_drop, NULL) >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),       cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_empty),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_huge),
        cmocka_unit_test(test_depth),      cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_refused_memory),
    };
    temp_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/file.yaml", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
