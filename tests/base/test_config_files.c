/* Options from files, from files that are based on others, and from the environment; saving them.
 */
#define _XOPEN_SOURCE 700

#include "base/file.h"
#include "base/options_rig.h"

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
            strstr(vrs_last_error(), cases[i].words) == NULL)
            fail_msg("case %zu: \"%s\"", i, vrs_last_error());
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
        if (vrs_config_load(back, path) != VRS_OK)
            fail_msg("text %zu: %s", i, vrs_last_error());
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
    if (length < end || strcmp(place + length - end, place_end) != 0 || (end == 0 && length != 0))
        fail_msg("%s: \"%s\" does not end in \"%s\"", name, place, place_end);
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
        if (strstr(vrs_last_error(), cases[i].words) == NULL)
            fail_msg("case %zu: \"%s\"", i, vrs_last_error());
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
            strstr(vrs_last_error(), cases[i].words) == NULL)
            fail_msg("case %zu: \"%s\"", i, vrs_last_error());
        assert_string_equal(vrs_config_get(config, "offset"), "0");
        vrs_config_destroy(config);
    }
    unsetenv("VRSEG_CONFIGS_DIR");
}

static vrs_status load_all_layers(void *opaque)
{
    vrs_config *config = NULL;
    vrs_status status = vrs_config_create_from(tables, 2, &config);
    if (status == VRS_OK)
        status = vrs_config_load(config, opaque);
    if (status == VRS_OK)
        status = vrs_config_read_environment(config);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        cmocka_unit_test(test_refused_memory_of_layers),
        cmocka_unit_test(test_load_without_memory_changes_nothing),
    };
    temp_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/vrseg.yaml", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
