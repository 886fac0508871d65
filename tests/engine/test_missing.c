/* OpenVINO missing, of another version, or no library at all: said well, and found once it is
 * there. Needs no OpenVINO. */
#define _XOPEN_SOURCE 700

#include "engine/support.h"

static void test_missing(void **state)
{
    (void)state;
    char version[32], where[4096];
    vrs_engine *engine;
    assert_int_equal(setenv("VRSEG_OPENVINO_DIR", folder, 1), 0);
    assert_int_equal(vrs_openvino_info(version, sizeof(version), where, sizeof(where)),
                     VRS_MISSING);
    expect_detail("make setup");
    expect_detail("VRSEG_OPENVINO_DIR");
    expect_detail("libopenvino_c.so.2641");
    expect_detail(folder);
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    assert_int_equal(vrs_engine_create("auto", model, &plain, &engine), VRS_MISSING);
    assert_null(engine);
    expect_detail("make setup");
    vrs_model_destroy(model);
}

static void test_not_a_library(void **state)
{
    (void)state;
    char path[512], version[32], where[4096];
    snprintf(path, sizeof(path), "%s/libopenvino_c.so.2641", folder);
    write_file(path, "text", 4);
    assert_int_equal(vrs_openvino_info(version, sizeof(version), where, sizeof(where)),
                     VRS_MISSING);
    expect_detail("cannot be opened");
    expect_detail(path);
}

/* Puts one of the libraries made for this test in OpenVINO's place. */
static void try_library(const char *variable, vrs_status wanted, const char *part)
{
    char path[512], version[32], where[4096];
    const char *library = getenv(variable);
    if (library == NULL) {
        fail_msg("%s is not set", variable);
        return;
    }
    snprintf(path, sizeof(path), "%s/libopenvino_c.so.2641", folder);
    remove(path);
    assert_int_equal(symlink(library, path), 0);
    assert_int_equal(vrs_openvino_info(version, sizeof(version), where, sizeof(where)), wanted);
    expect_detail(part);
    expect_detail("make setup");
}

static void test_other_libraries(void **state)
{
    (void)state;
    try_library("TEST_NOT_OPENVINO", VRS_MISSING, "has no function ov_");
    try_library("TEST_OLD_OPENVINO", VRS_UNSUPPORTED, "is OpenVINO 2024.1.0");
}

/* The weights come first: without them nobody asks for OpenVINO. */
static void test_no_weights(void **state)
{
    (void)state;
    vrs_engine *engine;
    vrs_model *model = load_model(HEAD INPUT OUTPUT "fetchable: on\n", "/nowhere/x.onnx");
    assert_int_equal(vrs_engine_create("auto", model, &plain, &engine), VRS_NOT_FOUND);
    expect_detail("vrseg models fetch model");
    vrs_model_destroy(model);
    model = load_model(HEAD INPUT OUTPUT, "/nowhere/x.onnx");
    assert_int_equal(vrs_engine_create("auto", model, &plain, &engine), VRS_NOT_FOUND);
    expect_detail("put it at /nowhere/x.onnx");
    vrs_model_destroy(model);
}

int main(void)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_not_a_library),
        cmocka_unit_test(test_other_libraries),
        cmocka_unit_test(test_no_weights),
    };
    int failed = cmocka_run_group_tests_name("missing", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
