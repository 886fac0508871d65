/* Options: set, get, files; numbers from text; the nearest name; the real tables. */
#define _XOPEN_SOURCE 700

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/options.h"
#include "base/parse.h"
#include "support/inject.h"
#include "support/temp.h"
#include "vrseg/config.h"
#include "vrseg/job.h"

static char folder[256];
static char path[300];

static const vrs_option_info first_options[] = {
    {"one", "max_batch_size", VRS_OPTION_INT, "auto", 1, 16, "views", "", "Views together."},
    {"one", "offset", VRS_OPTION_INT, "0", -5, 5, "", "", "A signed number."},
    {"one", "any_number", VRS_OPTION_INT, "3", 0, 0, "", "", "A number without a range."},
    {"two", "crf", VRS_OPTION_FLOAT, "20", 0, 63, "", "", "Quality."},
    {"two", "epsilon", VRS_OPTION_FLOAT, "0.002", 0.000001, 1, "", "", "A small number."},
};
static const vrs_option_info second_options[] = {
    {"two", "refine", VRS_OPTION_BOOL, "on", 0, 0, "", "", "A switch."},
    {"three", "engine", VRS_OPTION_CHOICE, "auto", 0, 0, "", "auto|openvino|other", "A choice."},
    {"three", "layout", VRS_OPTION_CHOICE, "mono", 0, 0, "", "mono|sbs", "A choice."},
    {"three", "text", VRS_OPTION_STRING, "", 0, 0, "", "", "Some text."},
};
static const vrs_option_table tables[] = {{first_options, 5}, {second_options, 4}};

static vrs_config *make(void)
{
    vrs_config *config = NULL;
    if (vrs_config_create_from(tables, 2, &config) != VRS_OK) {
        fail_msg("%s", vrs_last_error());
    }
    return config;
}

static void assert_set(vrs_config *config, const char *name, const char *value, const char *text)
{
    if (vrs_config_set(config, name, value) != VRS_OK) {
        fail_msg("%s", vrs_last_error());
    }
    assert_string_equal(vrs_config_get(config, name), text);
}

/* The value stays as it was and the complaint contains `words`. */
static void assert_refused(vrs_config *config, const char *name, const char *value,
                           vrs_status status, const char *words)
{
    char before[100] = "";
    const char *old = vrs_config_get(config, name);
    snprintf(before, sizeof(before), "%s", old != NULL ? old : "");
    assert_int_equal(vrs_config_set(config, name, value), status);
    if (strstr(vrs_last_error(), words) == NULL) {
        fail_msg("\"%s\" is without \"%s\"", vrs_last_error(), words);
    }
    old = vrs_config_get(config, name);
    assert_string_equal(before, old != NULL ? old : "");
}

static void test_defaults(void **state)
{
    (void)state;
    vrs_config *config = make();
    assert_int_equal(vrs_config_count(config), 9);
    assert_string_equal(vrs_config_option(config, 0)->name, "max_batch_size");
    assert_string_equal(vrs_config_option(config, 8)->name, "text");
    assert_int_equal(vrs_config_int(config, "max_batch_size", 7), 7);
    assert_int_equal(vrs_config_int(config, "offset", 7), 0);
    assert_true(vrs_config_float(config, "epsilon", 7) == 0.002);
    assert_true(vrs_config_bool(config, "refine"));
    assert_string_equal(vrs_config_get(config, "engine"), "auto");
    assert_string_equal(vrs_config_get(config, "text"), "");
    assert_null(vrs_config_get(config, "missing"));
    vrs_config_destroy(config);
    vrs_config_destroy(NULL);
}

static void test_set(void **state)
{
    (void)state;
    vrs_config *config = make();
    assert_set(config, "max_batch_size", "4", "4");
    assert_int_equal(vrs_config_int(config, "one.max_batch_size", 7), 4);
    assert_set(config, "one.max-batch-size", "+016", "16");
    assert_set(config, "max-batch_size", "auto", "auto");
    assert_set(config, "offset", "-5", "-5");
    assert_int_equal(vrs_config_int(config, "offset", 0), -5);
    assert_set(config, "any_number", "-9223372036854775808", "-9223372036854775808");
    assert_true(vrs_config_int(config, "any_number", 0) == INT64_MIN);
    assert_set(config, "crf", "20.500", "20.5");
    assert_true(vrs_config_float(config, "crf", 0) == 20.5);
    assert_set(config, "crf", "-0", "0");
    assert_set(config, "epsilon", "1e-6", "0.000001");
    static const char *const on[] = {"on", "true", "yes", "1"};
    static const char *const off[] = {"off", "false", "no", "0"};
    for (int i = 0; i < 4; i++) {
        assert_set(config, "refine", off[i], "off");
        assert_false(vrs_config_bool(config, "refine"));
        assert_set(config, "refine", on[i], "on");
        assert_true(vrs_config_bool(config, "refine"));
    }
    assert_set(config, "engine", "openvino", "openvino");
    assert_set(config, "layout", "sbs", "sbs");
    assert_set(config, "text", "auto", "auto");
    vrs_config_destroy(config);
}

static void test_wrong_names(void **state)
{
    (void)state;
    vrs_config *config = make();
    assert_refused(config, "max_batchsize", "4", VRS_NOT_FOUND,
                   "no option \"max_batchsize\"; did you mean \"max_batch_size\"?");
    assert_refused(config, "MAX-BATCH-SIZE", "4", VRS_NOT_FOUND, "\"max_batch_size\"?");
    assert_refused(config, "two.max_batch_size", "4", VRS_NOT_FOUND, "\"max_batch_size\"?");
    assert_refused(config, "one.", "4", VRS_NOT_FOUND, "");
    assert_refused(config, "", "4", VRS_NOT_FOUND, "");
    assert_refused(config, ".", "4", VRS_NOT_FOUND, "");
    assert_refused(config, "max_batch_size_", "4", VRS_NOT_FOUND, "");
    assert_refused(config, "max_batch_siz", "4", VRS_NOT_FOUND, "");
    assert_int_equal(vrs_config_set(config, "something else", "4"), VRS_NOT_FOUND);
    assert_null(strstr(vrs_last_error(), "did you mean"));
    char name[3000];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_refused(config, name, "4", VRS_NOT_FOUND, "nnn");
    vrs_config_destroy(config);
}

static void test_wrong_values(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *words;
    } cases[] = {
        {"max_batch_size", "0", "\"0\" is not a whole number from 1 to 16 (views) or auto"},
        {"max_batch_size", "17", "from 1 to 16"},
        {"max_batch_size", "3.5", "whole number"},
        {"max_batch_size", "0x10", "whole number"},
        {"max_batch_size", " 3", "whole number"},
        {"max_batch_size", "3 ", "whole number"},
        {"max_batch_size", "", "whole number"},
        {"max_batch_size", "Auto", "or auto"},
        {"max_batch_size", "99999999999999999999", "whole number"},
        {"offset", "auto", "from -5 to 5"},
        {"offset", "--1", "whole number"},
        {"any_number", "x", "\"x\" is not a whole number"},
        {"crf", "63.01", "is not a number from 0 to 63"},
        {"crf", "-0.001", "from 0 to 63"},
        {"crf", "nan", "is not a number"},
        {"crf", "inf", "is not a number"},
        {"crf", "1e999", "is not a number"},
        {"crf", "0x1p3", "is not a number"},
        {"crf", "1,5", "is not a number"},
        {"epsilon", "0", "from 0.000001 to 1"},
        {"refine", "maybe", "neither on nor off"},
        {"refine", "auto", "neither on nor off"},
        {"refine", "", "neither on nor off"},
        {"engine", "openvin", "is none of auto|openvino|other"},
        {"engine", "auto|openvino", "is none of"},
        {"engine", "", "is none of"},
        {"layout", "auto", "is none of mono|sbs"},
    };
    vrs_config *config = make();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_refused(config, cases[i].name, cases[i].value, VRS_INVALID, cases[i].words);
    }
    char text[5000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_refused(config, "text", text, VRS_INVALID, "longer than 4096 bytes");
    assert_refused(config, "crf", text, VRS_INVALID, "is not a number from 0 to 63");
    vrs_config_destroy(config);
}

static void test_a_table_that_contradicts_itself(void **state)
{
    (void)state;
    static const vrs_option_info wrong[] = {
        {"one", "fine", VRS_OPTION_INT, "1", 1, 2, "", "", "Right."},
        {"one", "wrong", VRS_OPTION_INT, "3", 1, 2, "", "", "Its default is not in its range."},
    };
    vrs_option_table table = {wrong, 2};
    vrs_config *config = NULL;
    size_t live = vrs_resources_live();
    assert_int_equal(vrs_config_create_from(&table, 1, &config), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "wrong"));
    assert_int_equal(vrs_resources_live(), live);
}

static void write_file(const char *text)
{
    assert_int_equal(vrs_file_replace(path, text, strlen(text)), VRS_OK);
}

static void test_load(void **state)
{
    (void)state;
    vrs_config *config = make();
    write_file("# mine\n"
               "one:\n"
               "  max-batch-size: 8\n"
               "  offset: -1\n"
               "two:\n"
               "three: {engine: \"other\", text: 'a: b # c'}\n");
    assert_int_equal(vrs_config_load(config, path), VRS_OK);
    assert_int_equal(vrs_config_int(config, "max_batch_size", 0), 8);
    assert_int_equal(vrs_config_int(config, "offset", 0), -1);
    assert_string_equal(vrs_config_get(config, "engine"), "other");
    assert_string_equal(vrs_config_get(config, "text"), "a: b # c");
    assert_string_equal(vrs_config_get(config, "layout"), "mono");
    static const char *const empty[] = {"", "# nothing\n", "---\n", "one:\n", "{}\n", "one: {}\n"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        write_file(empty[i]);
        assert_int_equal(vrs_config_load(config, path), VRS_OK);
    }
    assert_int_equal(vrs_config_int(config, "max_batch_size", 0), 8);
    vrs_config_destroy(config);
}

static void test_load_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *words;
    } cases[] = {
        {"one:\n  offset: 1\n  max_batchsize: 4\n", ":3: ", "did you mean \"max_batch_size\"?"},
        {"one:\n  offset: 1\n  max_batch_size: 40\n", ":3: ", "from 1 to 16 (views) or auto"},
        {"one:\n  offset: 1\ntwo:\n  crf: high\n", ":4: ", "crf: \"high\" is not a number"},
        {"one:\n  offset: 1\n  refine: on\n", ":3: ", "\"refine\" belongs to the section \"two\""},
        {"onn:\n  offset: 1\n", ":1: ", "no section \"onn\"; did you mean \"one\"?"},
        {"one:\n  offset: 1\ncrf: 3\n", ":3: ", "\"crf\" belongs under \"two:\""},
        {"completely_else: 3\n", ":1: ", "no section \"completely_else\""},
        {"one:\n  one.offset: 1\n", ":2: ", "did you mean \"offset\"?"},
        {"one:\n  zzzzzzzz: 1\n", ":2: ", "no option \"zzzzzzzz\""},
        {"one:\n  offset: [1]\n", ":2: ", "one value was expected"},
        {"one:\n  offset:\n    x: 1\n", ":3: ", "one value was expected"},
        {"one:\n  offset:\n", ":2: ", "\"\" is not a whole number"},
        {"one: 3\n", ":1: ", "needs lines \"option: value\""},
        {"one: [offset]\n", ":1: ", "needs lines \"option: value\""},
        {"- one\n", ":1: ", "sections with options were expected, e.g. \"one:\""},
        {"just text\n", ":1: ", "sections with options were expected"},
        {"one:\n  offset: 1\n  offset: 2\n", ":3: ", "given twice, first in line 2"},
        {"one:\n  any_number: 1\n  any-number: 2\n", ":3: ", "given twice, first in line 2"},
        {"one:\n  offset: 1\none:\n  offset: 1\n", ":3: ", "given twice"},
        {"one:\n  offset: &a 1\n  any_number: *a\n", ":3:15: ", "aliases"},
        {"one:\n  offset: 1\n two: 3\n", ":3:2: ", ""},
    };
    vrs_config *config = make();
    assert_set(config, "offset", "5", "5");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_file(cases[i].text);
        assert_int_equal(vrs_config_load(config, path), VRS_INVALID);
        if (strncmp(vrs_last_error(), path, strlen(path)) != 0 ||
            strstr(vrs_last_error(), cases[i].place) == NULL ||
            strstr(vrs_last_error(), cases[i].words) == NULL) {
            fail_msg("case %zu: \"%s\"", i, vrs_last_error());
        }
        assert_string_equal(vrs_config_get(config, "offset"), "5"); /* nothing was taken */
    }
    assert_int_equal(vrs_config_load(config, folder), VRS_INVALID);
    char missing[400];
    snprintf(missing, sizeof(missing), "%s/missing", folder);
    assert_int_equal(vrs_config_load(config, missing), VRS_NOT_FOUND);
    vrs_config_destroy(config);
}

static void assert_same(const vrs_config *a, const vrs_config *b)
{
    for (size_t i = 0; i < vrs_config_count(a); i++) {
        const char *name = vrs_config_option(a, i)->name;
        assert_string_equal(vrs_config_get(a, name), vrs_config_get(b, name));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const texts[] = {"plain",
                                        " blank ",
                                        "a: b # \"c\" \\ 'd'",
                                        "\n\t\r\x01\x7f\x1b",
                                        "\xc2\x85\xc2\x80 \xe2\x80\xa8 \xef\xbb\xbf \xef\xbf\xbe",
                                        "\xf0\x9f\x98\x80 \xc3\xa4",
                                        "auto",
                                        "null",
                                        "~",
                                        "*alias",
                                        "%percent",
                                        "- x",
                                        "\\U00000041"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        vrs_config *config = make();
        vrs_config *back = make();
        assert_set(config, "text", texts[i], texts[i]);
        assert_set(config, "max_batch_size", "8", "8");
        assert_set(config, "crf", "0.1", "0.1");
        assert_set(config, "refine", "off", "off");
        assert_set(config, "engine", "other", "other");
        assert_int_equal(vrs_config_save(config, path), VRS_OK);
        if (vrs_config_load(back, path) != VRS_OK) {
            fail_msg("text %zu: %s", i, vrs_last_error());
        }
        assert_same(config, back);
        vrs_config_destroy(config);
        vrs_config_destroy(back);
    }
}

static void test_save_only_what_differs(void **state)
{
    (void)state;
    vrs_config *config = make();
    char *text = NULL;
    size_t size = 0;
    assert_set(config, "crf", "20.0", "20");
    assert_set(config, "refine", "yes", "on");
    assert_int_equal(vrs_config_save(config, path), VRS_OK);
    assert_int_equal(vrs_file_read(path, 1000, &text, &size), VRS_OK);
    assert_string_equal(text, "# vrseg: the options that differ from their defaults\n");
    vrs_free(text);
    assert_set(config, "refine", "off", "off");
    assert_set(config, "crf", "21", "21");
    assert_set(config, "text", "\"x\"", "\"x\"");
    assert_int_equal(vrs_config_save(config, path), VRS_OK);
    assert_int_equal(vrs_file_read(path, 1000, &text, &size), VRS_OK);
    assert_string_equal(text, "# vrseg: the options that differ from their defaults\n"
                              "two:\n  crf: 21\n  refine: off\n"
                              "three:\n  text: \"\\\"x\\\"\"\n");
    vrs_free(text);
    /* A failure leaves the old file. */
    assert_set(config, "text", "\xff", "\xff");
    assert_int_equal(vrs_config_save(config, path), VRS_INVALID);
    assert_non_null(strstr(vrs_last_error(), "text: "));
    assert_int_equal(vrs_file_read(path, 1000, &text, &size), VRS_OK);
    vrs_free(text);
    assert_set(config, "text", "", "");
    char nowhere[400];
    snprintf(nowhere, sizeof(nowhere), "%s/nowhere/file", folder);
    assert_int_equal(vrs_config_save(config, nowhere), VRS_NOT_FOUND);
    vrs_config_destroy(config);
}

/* Writes a file of this name into the test's folder; its path, until the next. */
static const char *write_named(const char *name, const char *text)
{
    static char file[400];
    snprintf(file, sizeof(file), "%s/%s", folder, name);
    assert_int_equal(vrs_file_replace(file, text, strlen(text)), VRS_OK);
    return file;
}

static void assert_origin(const vrs_config *config, const char *name, vrs_config_layer layer,
                          const char *place_end)
{
    assert_int_equal(vrs_config_get_layer(config, name), layer);
    const char *place = vrs_config_get_place(config, name);
    size_t length = strlen(place), end = strlen(place_end);
    if (length < end || strcmp(place + length - end, place_end) != 0 || (end == 0 && length != 0)) {
        fail_msg("%s: \"%s\" does not end in \"%s\"", name, place, place_end);
    }
}

/* Whatever the order in which they are read. */
static void test_layers(void **state)
{
    (void)state;
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    write_file("one:\n  offset: 1\n  any_number: 11\n\ntwo:\n  crf: 31\n");
    setenv("VRSEG_OPTION_OFFSET", "2", 1);
    setenv("VRSEG_OPTION_ANY_NUMBER", "12", 1);
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        vrs_config *config = make();
        for (size_t j = 0; j < 3; j++) {
            vrs_status status = orders[i][j] == 0   ? vrs_config_load(config, path)
                                : orders[i][j] == 1 ? vrs_config_read_environment(config)
                                                    : vrs_config_set(config, "offset", "3");
            assert_int_equal(status, VRS_OK);
        }
        assert_int_equal(vrs_config_int(config, "offset", 0), 3);
        assert_int_equal(vrs_config_int(config, "any_number", 0), 12);
        assert_string_equal(vrs_config_get(config, "crf"), "31");
        assert_string_equal(vrs_config_get(config, "refine"), "on");
        assert_origin(config, "offset", VRS_LAYER_SET, "");
        assert_origin(config, "any_number", VRS_LAYER_ENVIRONMENT, "VRSEG_OPTION_ANY_NUMBER");
        assert_origin(config, "crf", VRS_LAYER_FILE, "/vrseg.yaml:6");
        assert_origin(config, "refine", VRS_LAYER_DEFAULT, "");
        assert_origin(config, "missing", VRS_LAYER_DEFAULT, "");
        vrs_config_destroy(config);
    }
    unsetenv("VRSEG_OPTION_OFFSET");
    unsetenv("VRSEG_OPTION_ANY_NUMBER");
}

static void test_later_in_a_layer(void **state)
{
    (void)state;
    vrs_config *config = make();
    write_file("one:\n  offset: 1\n  any_number: 11\n");
    assert_int_equal(vrs_config_load(config, path), VRS_OK);
    write_file("one:\n\n  offset: 2\n");
    assert_int_equal(vrs_config_load(config, path), VRS_OK);
    assert_int_equal(vrs_config_int(config, "offset", 0), 2);
    assert_origin(config, "offset", VRS_LAYER_FILE, ":3");
    assert_origin(config, "any_number", VRS_LAYER_FILE, ":3");
    assert_set(config, "offset", "3", "3");
    assert_set(config, "offset", "4", "4");
    vrs_config_destroy(config);
}

static void test_wrong_environment(void **state)
{
    (void)state;
    static const struct {
        const char *variable, *value;
        vrs_status status;
        const char *words;
    } cases[] = {
        {"VRSEG_OPTION_CRFF", "1", VRS_NOT_FOUND,
         "VRSEG_OPTION_CRFF: there is no such option; did "
         "you mean VRSEG_OPTION_CRF?"},
        {"VRSEG_OPTION_crf", "1", VRS_NOT_FOUND, "did you mean VRSEG_OPTION_CRF?"},
        {"VRSEG_OPTION_", "1", VRS_NOT_FOUND, "VRSEG_OPTION_: there is no such option"},
        {"VRSEG_OPTION_MAX-BATCH-SIZE", "1", VRS_NOT_FOUND, "VRSEG_OPTION_MAX_BATCH_SIZE?"},
        {"VRSEG_OPTION_ZZZZZZ", "1", VRS_NOT_FOUND, "no such option"},
        {"VRSEG_OPTION_CRF", "high", VRS_INVALID,
         "VRSEG_OPTION_CRF: crf: \"high\" is not a number"},
        {"VRSEG_OPTION_CRF", "", VRS_INVALID, "VRSEG_OPTION_CRF: crf: \"\" is not a number"},
        {"VRSEG_OPTION_ENGINE", "openvin", VRS_INVALID, "did you mean \"openvino\"?"},
    };
    setenv("VRSEG_OPTION_OFFSET", "2", 1);
    setenv("VRSEG_OPTIONS_OF_OTHERS", "2", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vrs_config *config = make();
        setenv(cases[i].variable, cases[i].value, 1);
        assert_int_equal(vrs_config_read_environment(config), cases[i].status);
        if (strstr(vrs_last_error(), cases[i].words) == NULL) {
            fail_msg("case %zu: \"%s\"", i, vrs_last_error());
        }
        assert_string_equal(vrs_config_get(config, "offset"), "0"); /* nothing was taken */
        unsetenv(cases[i].variable);
        assert_int_equal(vrs_config_read_environment(config), VRS_OK);
        assert_string_equal(vrs_config_get(config, "offset"), "2");
        vrs_config_destroy(config);
    }
    char name[3000] = "VRSEG_OPTION_";
    memset(name + strlen(name), 'N', sizeof(name) - 1 - strlen(name));
    vrs_config *config = make();
    setenv(name, "1", 1);
    assert_int_equal(vrs_config_read_environment(config), VRS_NOT_FOUND);
    unsetenv(name);
    vrs_config_destroy(config);
    unsetenv("VRSEG_OPTION_OFFSET");
    unsetenv("VRSEG_OPTIONS_OF_OTHERS");
}

static void test_base(void **state)
{
    (void)state;
    write_named("root.yaml", "one:\n  offset: 1\n  any_number: 11\ntwo:\n  crf: 31\n");
    write_named("middle.yaml", "base: root.yaml\none:\n  offset: 2\n");
    const char *leaf = write_named("leaf.yaml", "one:\n  any_number: 13\nbase: ./middle.yaml\n");
    vrs_config *config = make();
    assert_int_equal(vrs_config_load(config, leaf), VRS_OK);
    assert_int_equal(vrs_config_int(config, "offset", 0), 2);
    assert_int_equal(vrs_config_int(config, "any_number", 0), 13);
    assert_string_equal(vrs_config_get(config, "crf"), "31");
    assert_origin(config, "offset", VRS_LAYER_FILE, "middle.yaml:3");
    assert_origin(config, "any_number", VRS_LAYER_FILE, "leaf.yaml:2");
    assert_origin(config, "crf", VRS_LAYER_FILE, "root.yaml:5");
    vrs_config_destroy(config);
}

/* By name: $VRSEG_CONFIGS_DIR is the first folder. */
static void test_names(void **state)
{
    (void)state;
    write_named("mine.yaml", "one:\n  offset: 4\n");
    write_named("other.yaml", "base: mine\none:\n  any_number: 5\n");
    setenv("VRSEG_CONFIGS_DIR", folder, 1);
    vrs_config *config = make();
    assert_int_equal(vrs_config_load(config, "other"), VRS_OK);
    assert_int_equal(vrs_config_int(config, "offset", 0), 4);
    assert_origin(config, "any_number", VRS_LAYER_FILE, "/other.yaml:3");
    assert_int_equal(vrs_config_load(config, "othr"), VRS_NOT_FOUND);
    assert_non_null(strstr(vrs_last_error(), "did you mean \"other\"?"));
    assert_int_equal(vrs_config_load(config, ""), VRS_NOT_FOUND);
    assert_int_equal(vrs_config_load(config, "other.yaml"), VRS_NOT_FOUND); /* a path */
    char name[3000];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(vrs_config_load(config, name), VRS_NOT_FOUND);
    vrs_config_destroy(config);
    unsetenv("VRSEG_CONFIGS_DIR");
}

/* The user's own folder, by the rules of XDG: a relative one is none. */
static void test_user_folder(void **state)
{
    (void)state;
    char inside[400];
    snprintf(inside, sizeof(inside), "%s/.config/vrseg", folder);
    assert_int_equal(vrs_make_folders(inside), VRS_OK);
    write_named(".config/vrseg/own.yaml", "one:\n  offset: 4\n");
    char *home = getenv("HOME");
    char old[1000];
    snprintf(old, sizeof(old), "%s", home != NULL ? home : "");
    unsetenv("VRSEG_CONFIGS_DIR");
    setenv("XDG_CONFIG_HOME", "relative", 1);
    setenv("HOME", folder, 1);
    vrs_config *config = make();
    assert_int_equal(vrs_config_load(config, "own"), VRS_OK);
    assert_origin(config, "offset", VRS_LAYER_FILE, "/.config/vrseg/own.yaml:2");
    snprintf(inside, sizeof(inside), "%s/.config", folder);
    setenv("XDG_CONFIG_HOME", inside, 1);
    unsetenv("HOME");
    assert_int_equal(vrs_config_load(config, "own"), VRS_OK);
    unsetenv("XDG_CONFIG_HOME");
    assert_int_equal(vrs_config_load(config, "own"), VRS_NOT_FOUND); /* there is none */
    vrs_config_destroy(config);
    setenv("HOME", old, 1);
}

typedef struct listed {
    int count;
    bool found;
} listed;

static bool see(void *opaque, const char *name, const char *file, const char *title)
{
    listed *l = opaque;
    l->count++;
    if (strcmp(name, "titled") == 0) {
        l->found = true;
        assert_string_equal(title, "Goal: a title");
        assert_non_null(strstr(file, "titled.yaml"));
        return false; /* ends the list */
    }
    assert_true(l->count < 100 && !l->found);
    return true;
}

static void test_list(void **state)
{
    (void)state;
    write_named("titled.yaml",
                "# yaml-language-server: $schema=x\n#\n#  Goal: a title\r\n# More.\n");
    write_named("untitled.yaml", "one:\n");
    write_named(".hidden.yaml", "one:\n");
    setenv("VRSEG_CONFIGS_DIR", folder, 1);
    listed l = {0};
    assert_int_equal(vrs_config_list(see, &l), VRS_OK);
    assert_true(l.found);
    unsetenv("VRSEG_CONFIGS_DIR");
}

static void test_wrong_bases(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"base: wrong.yaml\n", "wrong.yaml:1: base: \"wrong.yaml\" is this file itself"},
        {"\nbase: back.yaml\n", "back.yaml:1: base: \"wrong.yaml\" is based on this file"},
        {"base: ./none.yaml\n", "wrong.yaml:1: base: there is no file "},
        {"base: zzzzzzzzzz\n", "wrong.yaml:1: base: there is no configuration \"zzzzzzzzzz\""},
        {"base: mispeled\n", "did you mean \"mispelled\"?"},
        {"base:\n", "wrong.yaml:1: base: the name or the path of one file"},
        {"base: [a, b]\n", "wrong.yaml:1: base: the name or the path of one file"},
        {"base: bad.yaml\n", "bad.yaml:2: there is no option \"offst\"; did you mean \"offset\"?"},
        {"base: deep0.yaml\n", "more than 8 files are based on each other"},
        {"bse: root.yaml\n", "wrong.yaml:1: there is no section \"bse\"; did you mean \"base\"?"},
        {"one:\n  base: root.yaml\n", "wrong.yaml:2: there is no option \"base\""},
        {"base: .\n", "this is a folder"},
    };
    write_named("back.yaml", "base: wrong.yaml\n");
    write_named("mispelled.yaml", "one:\n");
    write_named("bad.yaml", "one:\n  offst: 1\n");
    for (int i = 0; i < 9; i++) {
        char name[32], text[32];
        snprintf(name, sizeof(name), "deep%d.yaml", i);
        snprintf(text, sizeof(text), "base: deep%d.yaml\n", i + 1);
        write_named(name, text);
    }
    write_named("deep9.yaml", "one:\n  offset: 1\n");
    setenv("VRSEG_CONFIGS_DIR", folder, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vrs_config *config = make();
        const char *file = write_named("wrong.yaml", cases[i].text);
        if (vrs_config_load(config, file) != VRS_INVALID ||
            strstr(vrs_last_error(), cases[i].words) == NULL) {
            fail_msg("case %zu: \"%s\"", i, vrs_last_error());
        }
        assert_string_equal(vrs_config_get(config, "offset"), "0");
        vrs_config_destroy(config);
    }
    unsetenv("VRSEG_CONFIGS_DIR");
}

static vrs_status load_all_layers(void *opaque)
{
    vrs_config *config = NULL;
    vrs_status status = vrs_config_create_from(tables, 2, &config);
    if (status == VRS_OK) {
        status = vrs_config_load(config, opaque);
    }
    if (status == VRS_OK) {
        status = vrs_config_read_environment(config);
    }
    if (status == VRS_OK) {
        listed l = {.count = 0};
        status = vrs_config_list(see, &l);
    }
    vrs_config_destroy(config);
    return status;
}

static void test_refused_memory_of_layers(void **state)
{
    (void)state;
    write_named("titled.yaml", "# Goal: a title\none:\n  offset: 1\n");
    char leaf[400];
    snprintf(leaf, sizeof(leaf), "%s",
             write_named("leaf.yaml", "base: titled\none:\n  offset: 2\n"));
    setenv("VRSEG_CONFIGS_DIR", folder, 1);
    setenv("VRSEG_OPTION_ANY_NUMBER", "12", 1);
    assert_true(inject_all_allowing(load_all_layers, leaf, (const vrs_status[]){VRS_OK}, 1) > 30);
    unsetenv("VRSEG_OPTION_ANY_NUMBER");
    unsetenv("VRSEG_CONFIGS_DIR");
}

static vrs_status create_set_save_load(void *opaque)
{
    (void)opaque;
    vrs_config *config = NULL;
    vrs_status status = vrs_config_create_from(tables, 2, &config);
    if (status == VRS_OK) {
        status = vrs_config_set(config, "max_batch_size", "5");
    }
    if (status == VRS_OK) {
        status = vrs_config_set(config, "text", "some text\n");
    }
    if (status == VRS_OK) {
        status = vrs_config_save(config, path);
    }
    if (status == VRS_OK) {
        status = vrs_config_load(config, path);
    }
    vrs_config_destroy(config);
    return status;
}

static void test_refused_memory(void **state)
{
    (void)state;
    assert_true(inject_all(create_set_save_load, NULL) > 25);
}

/* Loading is all or nothing also when memory runs out half-way. */
static void test_load_without_memory_changes_nothing(void **state)
{
    (void)state;
    vrs_config *config = make();
    write_file("one:\n  offset: 1\n  any_number: 9\n");
    for (unsigned n = 0;; n++) {
        inject_plan plan = {.fails = n};
        vrs_inject_set(inject_decide, &plan);
        vrs_status status = vrs_config_load(config, path);
        vrs_inject_set(NULL, NULL);
        if (status == VRS_OK) {
            assert_true(n > 5);
            break;
        }
        assert_int_equal(status, VRS_NO_MEMORY);
        assert_string_equal(vrs_config_get(config, "offset"), "0");
        assert_string_equal(vrs_config_get(config, "any_number"), "3");
    }
    assert_string_equal(vrs_config_get(config, "any_number"), "9");
    vrs_config_destroy(config);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"threshold", "feather", "smooth", "smooth_weight", "abc"};
    static const struct {
        const char *wrong, *right;
    } cases[] = {
        {"treshold", "threshold"},
        {"THRESHOLD", "threshold"},
        {"smoth", "smooth"},
        {"smooth-weight", "smooth_weight"},
        {"smoothweight", "smooth_weight"},
        {"father", "feather"},
        {"abd", "abc"},
        {"axd", NULL},
        {"", NULL},
        {"zzzzzzzzz", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *nearest = vrs_nearest_name(cases[i].wrong, names, 5);
        if (cases[i].right == NULL) {
            assert_null(nearest);
        } else {
            assert_string_equal(nearest, cases[i].right);
        }
    }
    assert_null(vrs_nearest_name("x", NULL, 0));
}

static void test_numbers(void **state)
{
    (void)state;
    static const double numbers[] = {0,    1,      -1,     0.1,   1.0 / 3, 1e-6, 1e-300, 1e300,
                                     1e15, 123456, 0.0075, -2e-9, 1e14,    0.5,  63};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char text[VRS_FLOAT_TEXT_SIZE];
        double back = -77;
        vrs_format_float(text, numbers[i]);
        assert_true(vrs_parse_float(text, &back));
        assert_true(back == numbers[i]);
    }
    int64_t number = 5;
    assert_false(vrs_parse_int("9223372036854775808", &number));
    assert_false(vrs_parse_int("-", &number));
    assert_int_equal(number, 5);
    assert_true(vrs_parse_int("9223372036854775807", &number));
    assert_true(number == INT64_MAX);
}

/* A program with a decimal comma reads and writes the same files. Skips where no such locale is
 * installed. */
static void test_decimal_comma(void **state)
{
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    bool set = false;
    for (size_t i = 0; i < 4 && !set; i++) {
        set = setlocale(LC_ALL, locales[i]) != NULL && localeconv()->decimal_point[0] == ',';
    }
    if (!set) {
        setlocale(LC_ALL, "C");
        skip();
    }
    vrs_config *config = make();
    assert_set(config, "crf", "20.5", "20.5");
    assert_true(vrs_config_float(config, "crf", 0) == 20.5);
    vrs_config_destroy(config);
    setlocale(LC_ALL, "C");
}

/* Of each option of the real tables: default, range and text make sense. */
static void check_table(const vrs_config *config)
{
    for (size_t i = 0; i < vrs_config_count(config); i++) {
        const vrs_option_info *option = vrs_config_option(config, i);
        assert_true(option->min <= option->max);
        size_t length = strlen(option->help);
        assert_true(length > 10 && option->help[length - 1] == '.');
        assert_true((option->type == VRS_OPTION_CHOICE) == (option->choices[0] != '\0'));
        assert_true(strspn(option->name, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
                    strlen(option->name));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(option->name, vrs_config_option(config, j)->name);
        }
    }
}

static void test_real_tables(void **state)
{
    (void)state;
    vrs_config *core = NULL;
    vrs_config *job = NULL;
    assert_int_equal(vrs_config_create(&core), VRS_OK);
    assert_int_equal(vrs_job_config_create(&job), VRS_OK);
    check_table(core);
    check_table(job);
    assert_true(vrs_config_count(job) > vrs_config_count(core));
    assert_non_null(vrs_config_get(core, "batch.max_batch_size"));
    assert_non_null(vrs_config_get(core, "engine.precision"));
    assert_null(vrs_config_get(core, "codec"));
    assert_non_null(vrs_config_get(job, "output.codec"));
    for (size_t i = 0; i < vrs_config_count(core); i++) {
        assert_ptr_equal(vrs_config_option(core, i), vrs_config_option(job, i));
    }
    vrs_config_destroy(core);
    vrs_config_destroy(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_a_table_that_contradicts_itself),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_load_refuses),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_save_only_what_differs),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_later_in_a_layer),
        cmocka_unit_test(test_wrong_environment),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_user_folder),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_wrong_bases),
        cmocka_unit_test(test_refused_memory),
        cmocka_unit_test(test_refused_memory_of_layers),
        cmocka_unit_test(test_load_without_memory_changes_nothing),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_decimal_comma),
        cmocka_unit_test(test_real_tables),
    };
    temp_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/vrseg.yaml", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
