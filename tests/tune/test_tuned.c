/* Settings that are remembered: there and back, what a file may not do, and where it cannot be
 * written. */
#define _XOPEN_SOURCE 700
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/inject.h"
#include "support/temp.h"
#include "vrseg/tune.h"

static char folder[256], cache[300];
static const vrs_tuned_key key = {"a \"model\" \\ of 3 \xc3\xa4", "f16", "NVIDIA H200, 16 cores"};
static const char *const names[] = {"max_batch_size", "lanes", "tickets", "max_queue_delay_us"};

static vrs_config *make(void)
{
    vrs_config *config;
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    return config;
}

static void set(vrs_config *config, const char *name, const char *value)
{
    if (vrs_config_set(config, name, value) != VRS_OK)
        fail_msg("%s", vrs_last_error());
}

static void store(void)
{
    vrs_config *config = make();
    set(config, "max_batch_size", "8");
    set(config, "lanes", "2");
    if (vrs_tuned_store(&key, config, names, 4, "throughput: 12 to 15 fps") != VRS_OK)
        fail_msg("%s", vrs_last_error());
    vrs_config_destroy(config);
}

/* The only file in the folder. */
static void find_file(char *path, size_t size)
{
    glob_t found;
    char pattern[400];
    assert_int_equal(vrs_tuned_folder(cache, sizeof(cache)), VRS_OK);
    (void)snprintf(pattern, sizeof(pattern), "%s/*", cache);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    (void)snprintf(path, size, "%s", found.gl_pathv[0]);
    globfree(&found);
}

static int begin(void **state)
{
    (void)state;
    temp_make(folder, sizeof(folder));
    return setenv("XDG_CACHE_HOME", folder, 1);
}

static int end(void **state)
{
    (void)state;
    temp_remove(folder);
    return 0;
}

static void test_there_and_back(void **state)
{
    (void)state;
    char note[VRS_TUNED_NOTE_SIZE] = "";
    vrs_config *config = make();
    assert_int_equal(vrs_tuned_load(&key, config, note), VRS_NOT_FOUND);
    assert_non_null(strstr(vrs_last_error(), "`vrseg tune` finds them"));
    store();
    set(config, "lanes", "5"); /* the user's own */
    assert_int_equal(vrs_tuned_load(&key, config, note), VRS_OK);
    assert_string_equal(note, "throughput: 12 to 15 fps");
    assert_string_equal(vrs_config_get(config, "max_batch_size"), "8");
    assert_string_equal(vrs_config_get(config, "lanes"), "5");
    assert_string_equal(vrs_config_get(config, "tickets"), "auto");
    assert_string_equal(vrs_config_get(config, "max_queue_delay_us"), "2000");
    vrs_config_destroy(config);
}

static void test_keys_apart(void **state)
{
    (void)state;
    char note[VRS_TUNED_NOTE_SIZE];
    vrs_tuned_key others[3] = {key, key, key};
    others[0].model = "another";
    others[1].precision = "f32";
    others[2].device = "cpu";
    store();
    vrs_config *config = make();
    for (int i = 0; i < 3; i++)
        assert_int_equal(vrs_tuned_load(&others[i], config, note), VRS_NOT_FOUND);
    set(config, "max_batch_size", "4");
    assert_int_equal(vrs_tuned_store(&others[1], config, names, 1, "note"), VRS_OK);
    vrs_config_destroy(config);
    config = make();
    assert_int_equal(vrs_tuned_load(&key, config, note), VRS_OK);
    assert_string_equal(vrs_config_get(config, "max_batch_size"), "8");
    vrs_config_destroy(config);
    assert_int_equal(vrs_tuned_folder(cache, sizeof(cache)), VRS_OK);
    assert_int_equal(temp_count(cache), 2);
    store(); /* in place of what is there */
    assert_int_equal(temp_count(cache), 2);
}

/* `text` as the file of the key: VRS_CORRUPT with `words`, and nothing is set. */
static void assert_corrupt(const char *path, const char *text, const char *words)
{
    char note[VRS_TUNED_NOTE_SIZE] = "as it was";
    vrs_config *config = make();
    assert_int_equal(vrs_file_replace(path, text, strlen(text)), VRS_OK);
    assert_int_equal(vrs_tuned_load(&key, config, note), VRS_CORRUPT);
    if (strstr(vrs_last_error(), words) == NULL || strstr(vrs_last_error(), path) == NULL ||
        strstr(vrs_last_error(), "remove the file") == NULL)
        fail_msg("\"%s\" is without \"%s\"", vrs_last_error(), words);
    for (size_t i = 0; i < vrs_config_count(config); i++) {
        const vrs_option_info *o = vrs_config_option(config, i);
        assert_string_equal(vrs_config_get(config, o->name), o->default_value);
    }
    assert_string_equal(note, "as it was");
    vrs_config_destroy(config);
}

#define HEAD                                                                                    \
    "format: 1\nmodel: \"a \\\"model\\\" \\\\ of 3 \xc3\xa4\"\nprecision: f16\ndevice: NVIDIA " \
    "H200, 16 cores\nnote: n\n"

static void test_hostile(void **state)
{
    (void)state;
    char path[600], note[VRS_TUNED_NOTE_SIZE];
    store();
    find_file(path, sizeof(path));
    assert_corrupt(path, "", "what `vrseg tune` has remembered was expected");
    assert_corrupt(path, "[1, 2]\n", "what `vrseg tune` has remembered");
    assert_corrupt(path, "format: {\n", "");
    assert_corrupt(path, HEAD "settings:\n  lanes: 2\nmore: 1\n", "more");
    assert_corrupt(path, HEAD, "settings: lines");
    assert_corrupt(path, HEAD "settings: 3\n", "settings: lines");
    assert_corrupt(path, "format: 2\nsettings: {}\n", "format: 1 was expected");
    assert_corrupt(path, "format: 1\nmodel: b\nsettings: {}\n", "another model");
    assert_corrupt(path, HEAD "settings:\n  lanes: 2\n  max_batch_size: 17\n", "max_batch_size");
    assert_corrupt(path, HEAD "settings:\n  lanes: 2\n  tickets: [3]\n", "one value");
    assert_corrupt(path, HEAD "settings:\n  lanes: 2\n  lanes: 3\n", "lanes");
    assert_corrupt(path, HEAD "settings:\n  lanes: x; rm -rf\n", "lanes");
    /* Nothing that loads a library, names a file or changes what comes out. */
    assert_corrupt(path, HEAD "settings:\n  ort_plugin: /tmp/evil.so\n", "no option of speed");
    assert_corrupt(path, HEAD "settings:\n  model: /tmp/evil.onnx\n", "no option of speed");
    assert_corrupt(path, HEAD "settings:\n  threshold: 1\n", "no option of speed");
    assert_corrupt(path, HEAD "settings:\n  pipeline.lanes: 1\n", "no option of speed");
    char large[2000];
    (void)snprintf(large, sizeof(large), "format: 1\nnote: %01500d\n", 0);
    assert_corrupt(path, large, "another model");
    /* An option of media, which the core's config does not have, is left out. */
    static const char more[] = HEAD "settings:\n  lanes: 2\n  encoder_threads: 3\n";
    assert_int_equal(vrs_file_replace(path, more, strlen(more)), VRS_OK);
    vrs_config *config = make();
    assert_int_equal(vrs_tuned_load(&key, config, note), VRS_OK);
    assert_string_equal(vrs_config_get(config, "lanes"), "2");
    vrs_config_destroy(config);
    /* A folder in its place. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0777), 0);
    config = make();
    assert_int_not_equal(vrs_tuned_load(&key, config, note), VRS_OK);
    vrs_config_destroy(config);
}

static void assert_not_stored(const vrs_tuned_key *k, const char *const *options, int32_t count,
                              const char *note, const char *words)
{
    vrs_config *config = make();
    assert_int_equal(vrs_tuned_store(k, config, options, count, note), VRS_INVALID);
    if (strstr(vrs_last_error(), words) == NULL)
        fail_msg("\"%s\" is without \"%s\"", vrs_last_error(), words);
    vrs_config_destroy(config);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const wrong[] = {"lanes", "ort_plugin"}, *const twice[] = {"lanes", "lanes"};
    static const char *const other[] = {"encoder_threads"}; /* not of the core's config */
    char long_text[300];
    memset(long_text, 'x', sizeof(long_text));
    long_text[299] = 0;
    vrs_tuned_key bad = key;
    assert_not_stored(&key, wrong, 2, "n", "ort_plugin: is no option of speed");
    assert_not_stored(&key, twice, 2, "n", "lanes: named twice");
    assert_not_stored(&key, other, 1, "n", "encoder_threads");
    assert_not_stored(&key, names, 0, "n", "0 settings");
    assert_not_stored(&key, names, 100, "n", "100 settings");
    assert_not_stored(&key, names, 1, "", "note");
    assert_not_stored(&key, names, 1, "two\nlines", "note: byte 3");
    assert_not_stored(&key, names, 1, long_text, "note");
    bad.model = "";
    assert_not_stored(&bad, names, 1, "n", "model");
    bad.model = NULL;
    assert_not_stored(&bad, names, 1, "n", "model");
    bad = key;
    bad.device = long_text;
    assert_not_stored(&bad, names, 1, "n", "device");
    bad.device = "caf\xe9";
    assert_not_stored(&bad, names, 1, "n", "device: byte 3");
    assert_int_equal(vrs_tuned_folder(cache, sizeof(cache)), VRS_OK);
    assert_int_not_equal(access(cache, F_OK), 0); /* nothing was written */
}

static void test_no_place(void **state)
{
    (void)state;
    char path[600], note[VRS_TUNED_NOTE_SIZE];
    vrs_config *config = make();
    (void)snprintf(path, sizeof(path), "%s/vrseg", folder); /* a file where a folder is to be */
    assert_int_equal(vrs_file_replace(path, "x", 1), VRS_OK);
    assert_int_not_equal(vrs_tuned_store(&key, config, names, 1, "n"), VRS_OK);
    assert_non_null(strstr(vrs_last_error(), path));
    char *home = strdup(getenv("HOME") != NULL ? getenv("HOME") : "/");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_int_equal(vrs_tuned_store(&key, config, names, 1, "n"), VRS_INVALID);
    assert_int_equal(vrs_tuned_load(&key, config, note), VRS_INVALID);
    setenv("HOME", home, 1);
    free(home);
    vrs_config_destroy(config);
}

/* More models than are remembered: the oldest go. */
static void test_bounded(void **state)
{
    (void)state;
    char model[32], note[VRS_TUNED_NOTE_SIZE];
    vrs_config *config = make();
    assert_int_equal(vrs_tuned_folder(cache, sizeof(cache)), VRS_OK);
    for (int i = 0; i < 70; i++) {
        vrs_tuned_key k = key;
        (void)snprintf(model, sizeof(model), "model %d", i);
        k.model = model;
        assert_int_equal(vrs_tuned_store(&k, config, names, 1, "n"), VRS_OK);
        assert_in_range(temp_count(cache), i < 64 ? i + 1 : 64, 64);
    }
    vrs_tuned_key last = key;
    last.model = model;
    assert_int_equal(vrs_tuned_load(&last, config, note), VRS_OK);
    vrs_config_destroy(config);
}

static vrs_status store_and_load(void *opaque)
{
    (void)opaque;
    char note[VRS_TUNED_NOTE_SIZE];
    vrs_config *config;
    vrs_status status = vrs_config_create(&config);
    if (status != VRS_OK)
        return status;
    status = vrs_tuned_store(&key, config, names, 4, "n");
    if (status == VRS_OK)
        status = vrs_tuned_load(&key, config, note);
    vrs_config_destroy(config);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(inject_all(store_and_load, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, begin, end),
        cmocka_unit_test_setup_teardown(test_keys_apart, begin, end),
        cmocka_unit_test_setup_teardown(test_hostile, begin, end),
        cmocka_unit_test_setup_teardown(test_refusals, begin, end),
        cmocka_unit_test_setup_teardown(test_no_place, begin, end),
        cmocka_unit_test_setup_teardown(test_bounded, begin, end),
        cmocka_unit_test_setup_teardown(test_memory, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
