/* ONNX Runtime missing, too old, or no library at all: said well, and found once it is there. Needs
 * no ONNX Runtime. */
#define _XOPEN_SOURCE 700

#include "engine/support.h"

static char version[256], where[4096];

static vrs_status ask(void)
{
    return vrs_onnxruntime_info(version, sizeof(version), where, sizeof(where));
}

static void test_missing(void **state)
{
    (void)state;
    vrs_engine *engine;
    assert_int_equal(setenv("VRSEG_ONNXRUNTIME_DIR", folder, 1), 0);
    assert_int_equal(ask(), VRS_MISSING);
    expect_detail("make setup");
    expect_detail("VRSEG_ONNXRUNTIME_DIR");
    expect_detail("libonnxruntime.so.1");
    expect_detail(folder);
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    assert_int_equal(vrs_engine_create("onnxruntime", model, &plain, &engine), VRS_MISSING);
    assert_null(engine);
    expect_detail("make setup");
    vrs_model_destroy(model);
    assert_int_equal(setenv("VRSEG_ONNXRUNTIME_DIR", "/nowhere", 1), 0);
    assert_int_equal(ask(), VRS_MISSING);
    expect_detail("/nowhere");
    assert_int_equal(setenv("VRSEG_ONNXRUNTIME_DIR", folder, 1), 0);
}

static void test_not_a_library(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof(path), "%s/libonnxruntime.so.1", folder);
    write_file(path, "text", 4);
    assert_int_equal(ask(), VRS_MISSING);
    expect_detail("cannot be opened");
    expect_detail(path);
    remove(path);
}

/* Puts a library into the folder by one of its names. */
static void put(const char *variable, const char *name)
{
    char path[512];
    const char *library = getenv(variable);
    if (library == NULL) {
        fail_msg("%s is not set", variable);
        return;
    }
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    remove(path);
    assert_int_equal(symlink(library, path), 0);
}

static void test_other_libraries(void **state)
{
    (void)state;
    put("TEST_NOT_ONNXRUNTIME", "libonnxruntime.so.1");
    assert_int_equal(ask(), VRS_MISSING);
    expect_detail("has no function OrtGetApiBase");
    expect_detail("make setup");
    put("TEST_FAKE_ONNXRUNTIME", "libonnxruntime.so.1");
    static const char *const old[] = {"1.20.3", "1.9.1", "0.22.0", "2.0.0", "1.x", "1.", ""};
    for (size_t i = 0; i < sizeof(old) / sizeof(*old); i++) {
        assert_int_equal(setenv("FAKE_ORT_VERSION", old[i], 1), 0);
        assert_int_equal(ask(), VRS_UNSUPPORTED);
        expect_detail("vrseg needs 1.21 or later");
        expect_detail(old[i]);
    }
    assert_int_equal(setenv("FAKE_ORT_VERSION", "1.77.0", 1), 0);
    assert_int_equal(ask(), VRS_ENGINE);
    expect_detail("does not give its own API");
    char path[512];
    snprintf(path, sizeof(path), "%s/libonnxruntime.so.1", folder);
    remove(path);
}

/* The oldest that will do, by the name that the Python wheels give it. Once open, it stays. */
static void test_oldest(void **state)
{
    (void)state;
    put("TEST_FAKE_ONNXRUNTIME", "libonnxruntime.so.1.21.0");
    assert_int_equal(setenv("FAKE_ORT_VERSION", "1.21.0", 1), 0);
    if (ask() != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_string_equal(version, "1.21.0 (tensorrt, cuda, cpu)");
    assert_string_equal(where, folder);
    assert_int_equal(setenv("VRSEG_ONNXRUNTIME_DIR", "/nowhere", 1), 0);
    assert_int_equal(ask(), VRS_OK);
}

/* A vrseg that is built without the engine. */
static void test_absent(void **state)
{
    (void)state;
    vrs_engine *engine;
    assert_int_equal(ask(), VRS_MISSING);
    expect_detail("built without the engine onnxruntime");
    expect_detail("make setup");
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    assert_int_equal(vrs_engine_create("onnxruntime", model, &plain, &engine), VRS_MISSING);
    assert_null(engine);
    vrs_model_destroy(model);
}

int main(int argc, char **argv)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_not_a_library),
        cmocka_unit_test(test_other_libraries),
        cmocka_unit_test(test_oldest),
    };
    const struct CMUnitTest absent[] = {cmocka_unit_test(test_absent)};
    int failed = argc > 1 && strcmp(argv[1], "absent") == 0
                     ? cmocka_run_group_tests_name("absent", absent, NULL, NULL)
                     : cmocka_run_group_tests_name("missing", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
