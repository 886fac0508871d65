/* Options: set and get, wrong names and values, refused memory; the real tables. */
#define _XOPEN_SOURCE 700

#include <locale.h>

#include "base/options_rig.h"
#include "vrseg/job.h"

/* The value stays as it was and the complaint contains `words`. */
static void assert_refused(vrs_config *config, const char *name, const char *value,
                           vrs_status status, const char *words)
{
    char before[100] = "";
    const char *old = vrs_config_get(config, name);
    snprintf(before, sizeof(before), "%s", old != NULL ? old : "");
    assert_int_equal(vrs_config_set(config, name, value), status);
    if (strstr(vrs_last_error(), words) == NULL)
        fail_msg("\"%s\" is without \"%s\"", vrs_last_error(), words);
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
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(config, cases[i].name, cases[i].value, VRS_INVALID, cases[i].words);
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

static vrs_status create_set_save_load(void *opaque)
{
    (void)opaque;
    vrs_config *config = NULL;
    vrs_status status = vrs_config_create_from(tables, 2, &config);
    if (status == VRS_OK)
        status = vrs_config_set(config, "max_batch_size", "5");
    if (status == VRS_OK)
        status = vrs_config_set(config, "text", "some text\n");
    if (status == VRS_OK)
        status = vrs_config_save(config, path);
    if (status == VRS_OK)
        status = vrs_config_load(config, path);
    vrs_config_destroy(config);
    return status;
}

static void test_refused_memory(void **state)
{
    (void)state;
    assert_true(inject_all(create_set_save_load, NULL) > 25);
}

/* A program with a decimal comma reads and writes the same files. Skips where no such locale is
 * installed. */
static void test_decimal_comma(void **state)
{
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    bool set = false;
    for (size_t i = 0; i < 4 && !set; i++)
        set = setlocale(LC_ALL, locales[i]) != NULL && localeconv()->decimal_point[0] == ',';
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
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(option->name, vrs_config_option(config, j)->name);
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
    for (size_t i = 0; i < vrs_config_count(core); i++)
        assert_ptr_equal(vrs_config_option(core, i), vrs_config_option(job, i));
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
        cmocka_unit_test(test_refused_memory),
        cmocka_unit_test(test_decimal_comma),
        cmocka_unit_test(test_real_tables),
    };
    temp_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/vrseg.yaml", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
