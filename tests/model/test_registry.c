/* Where models are found, how they are listed, where their weights belong. */
#define _XOPEN_SOURCE 700

#include <unistd.h>

#include "model/support.h"

#include "model/registry.h"
#include "model/weights.h"
#include "support/inject.h"

static const char *const simple = "title: t\nlicence: l\nsource: s\n"
                                  "input: {width: 6, height: 4}\n"
                                  "output: {activation: none, classes: 1}\n";

/* descriptors/ and models/ in the test's folder. */
static int set_up(void **state)
{
    (void)state;
    mkdir(in_folder("descriptors"), 0700);
    mkdir(in_folder("models"), 0700);
    setenv("VRSEG_DESCRIPTORS_DIR", in_folder("descriptors"), 1);
    setenv("VRSEG_MODELS_DIR", in_folder("models"), 1);
    write_text(in_folder("descriptors/beta.yaml"), simple);
    write_text(in_folder("descriptors/alpha-model.yaml"), simple);
    write_text(in_folder("descriptors/.hidden.yaml"), simple);
    write_text(in_folder("descriptors/notes.txt"), "no model");
    write_text(in_folder("models/own.yaml"), simple);
    write_text(in_folder("models/beta.yaml"), "broken: but hidden by the other one\n");
    return 0;
}

static void test_load_by_name(void **state)
{
    (void)state;
    vrs_model *model;
    assert_int_equal(vrs_model_load("beta", &model), VRS_OK);
    vrs_model_info info = vrs_model_get_info(model);
    assert_string_equal(info.descriptor_path, in_folder("descriptors/beta.yaml"));
    assert_string_equal(info.weights_path, in_folder("models/beta.onnx"));
    assert_false(info.installed);
    vrs_model_destroy(model);
    write_text(in_folder("models/beta.onnx"), "weights");
    assert_int_equal(vrs_model_load("beta", &model), VRS_OK);
    assert_true(vrs_model_get_info(model).installed);
    vrs_model_destroy(model);
    assert_int_equal(vrs_model_load("own", &model), VRS_OK);
    assert_string_equal(vrs_model_get_info(model).weights_path, in_folder("models/own.onnx"));
    vrs_model_destroy(model);
    vrs_model_destroy(NULL);
}

static void test_load_by_path(void **state)
{
    (void)state;
    vrs_model *model;
    assert_int_equal(vrs_model_load(in_folder("descriptors/beta.yaml"), &model), VRS_OK);
    assert_string_equal(vrs_model_get_info(model).name, "beta");
    vrs_model_destroy(model);
    /* Weights beside the descriptor come before the models folder's. */
    write_text(in_folder("descriptors/beta.onnx"), "weights");
    assert_int_equal(vrs_model_load("beta", &model), VRS_OK);
    assert_string_equal(vrs_model_get_info(model).weights_path, in_folder("descriptors/beta.onnx"));
    vrs_model_destroy(model);
    assert_int_equal(vrs_model_load(in_folder("descriptors/beta.onnx"), &model), VRS_OK);
    assert_string_equal(vrs_model_get_info(model).weights_path, in_folder("descriptors/beta.onnx"));
    assert_string_equal(vrs_model_get_info(model).descriptor_path,
                        in_folder("descriptors/beta.yaml"));
    vrs_model_destroy(model);
    remove(in_folder("descriptors/beta.onnx"));
}

static void expect_not_found(const char *name, const char *part)
{
    vrs_model *model;
    assert_int_equal(vrs_model_load(name, &model), VRS_NOT_FOUND);
    assert_null(model);
    expect_detail(part);
}

static void test_not_found(void **state)
{
    (void)state;
    expect_not_found("bata", "did you mean \"beta\"?");
    expect_not_found("alpha_model", "did you mean \"alpha-model\"?");
    expect_not_found("nothing-like-it", "`vrseg models` lists them");
    expect_not_found("", "`vrseg models` lists them");
    expect_not_found(".hidden", "`vrseg models` lists them");
    expect_not_found(in_folder("none.yaml"), "none.yaml");
    expect_not_found(in_folder("none.onnx"), "none.onnx: does not exist");
    expect_not_found(in_folder("descriptors/notes.txt"), "a model is a name");
    expect_not_found("../descriptors/beta", "a model is a name");
    write_text(in_folder("lone.onnx"), "weights");
    expect_not_found(in_folder("lone.onnx"), "lone.yaml");
}

typedef struct seen {
    char names[512];
    int count, stop_after;
} seen;

static bool note(void *opaque, const vrs_model_info *info)
{
    seen *s = opaque;
    size_t used = strlen(s->names);
    snprintf(s->names + used, sizeof(s->names) - used, "%s ", info->name);
    return ++s->count != s->stop_after;
}

static char logged[2048];

static void keep_log(void *opaque, vrs_log_level level, const char *line)
{
    (void)opaque;
    assert_int_equal(level, VRS_LOG_WARNING);
    snprintf(logged, sizeof(logged), "%s", line);
}

static void test_list(void **state)
{
    (void)state;
    seen s = {.stop_after = -1};
    logged[0] = '\0';
    vrs_log_set(keep_log, NULL, VRS_LOG_WARNING);
    assert_int_equal(vrs_models_list(note, &s), VRS_OK);
    /* There may be more: those that are installed. */
    char *alpha = strstr(s.names, "alpha-model "), *beta = strstr(s.names, "beta "),
         *own = strstr(s.names, "own ");
    assert_true(alpha != NULL && beta != NULL && own != NULL && alpha < beta && beta < own);
    assert_null(strstr(s.names, "hidden"));
    assert_null(strstr(beta + 1, "beta"));
    assert_string_equal(logged, "");

    write_text(in_folder("descriptors/aaa-broken.yaml"), "title: only\n");
    seen first = {.stop_after = 1};
    assert_int_equal(vrs_models_list(note, &first), VRS_OK);
    assert_string_equal(first.names, "alpha-model ");
    assert_non_null(strstr(logged, "aaa-broken"));
    assert_non_null(strstr(logged, "aaa-broken.yaml:1:"));
    remove(in_folder("descriptors/aaa-broken.yaml"));
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
}

static void test_models_dir(void **state)
{
    (void)state;
    char path[512], tiny[4];
    setenv("XDG_DATA_HOME", "/data", 1);
    setenv("HOME", "/home/me", 1);
    assert_int_equal(vrs_models_dir(path, sizeof(path)), VRS_OK);
    assert_string_equal(path, in_folder("models"));
    assert_int_equal(vrs_models_dir(tiny, sizeof(tiny)), VRS_INVALID);
    unsetenv("VRSEG_MODELS_DIR");
    assert_int_equal(vrs_models_dir(path, sizeof(path)), VRS_OK);
    assert_string_equal(path, "/data/vrseg/models");
    setenv("XDG_DATA_HOME", "relative", 1);
    assert_int_equal(vrs_models_dir(path, sizeof(path)), VRS_OK);
    assert_string_equal(path, "/home/me/.local/share/vrseg/models");
    unsetenv("HOME");
    assert_int_equal(vrs_models_dir(path, sizeof(path)), VRS_INVALID);
    expect_detail("VRSEG_MODELS_DIR");
    setenv("VRSEG_MODELS_DIR", in_folder("models"), 1);
}

static void test_digest_warning(void **state)
{
    (void)state;
    char text[1024];
    static const unsigned char onnx[] = {0x08, 7, 0x3a, 2, 0, 0, 0x42, 2, 0x10, 13};
    FILE *file = fopen(in_folder("models/hashed.onnx"), "wb");
    assert_int_equal(fwrite(onnx, sizeof(onnx), 1, file), 1);
    fclose(file);
    vrs_log_set(keep_log, NULL, VRS_LOG_WARNING);
    for (int right = 0; right < 2; right++) {
        char digest[VRS_SHA256_TEXT];
        vrs_model *model;
        vrs_sha256_text(onnx, sizeof(onnx) - (right ? 0 : 1), digest);
        snprintf(text, sizeof(text), "%ssha256: %s\n", simple, digest);
        write_text(in_folder("descriptors/hashed.yaml"), text);
        logged[0] = '\0';
        assert_int_equal(vrs_model_load("hashed", &model), VRS_OK);
        assert_int_equal(vrs_model_check_weights(model, NULL), VRS_OK);
        assert_int_equal(strstr(logged, "is not the file") == NULL, right);
        vrs_weights weights;
        assert_int_equal(vrs_model_check_weights(model, &weights), VRS_OK);
        assert_int_equal(weights.size, sizeof(onnx));
        assert_memory_equal(weights.data, onnx, sizeof(onnx));
        vrs_weights_free(&weights);
        assert_null(weights.data);
        vrs_model_destroy(model);
    }
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    remove(in_folder("descriptors/hashed.yaml"));
}

/* FIPS 180-4's examples, and lengths around a block's border. */
/* A file of more than 64 MiB is taken as it is: its digest is not computed at each start. */
static void test_large_weights(void **state)
{
    (void)state;
    /* An operator set, and a graph of 65 MiB (in bytes of 7 bits: 0, 0, 64, 32) that is a hole. */
    static const char head[] = "\x42\x00\x3a\x80\x80\xc0\x20";
    const char *path = in_folder("models/large.onnx");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(head, 1, sizeof(head) - 1, file), sizeof(head) - 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(truncate(path, (off_t)(sizeof(head) - 1) + (65 << 20)), 0);
    char text[1024];
    snprintf(text, sizeof(text), "%ssha256: %064d\n", simple, 0);
    write_text(in_folder("models/large.yaml"), text);
    vrs_model *model;
    assert_int_equal(vrs_model_load("large", &model), VRS_OK);
    assert_int_equal(vrs_model_check_weights(model, NULL), VRS_OK);
    vrs_model_destroy(model);
    remove(in_folder("models/large.onnx"));
    remove(in_folder("models/large.yaml"));
}

static void test_sha256(void **state)
{
    (void)state;
    char text[VRS_SHA256_TEXT], as[120];
    vrs_sha256_text("", 0, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    vrs_sha256_text("abc", 3, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    vrs_sha256_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, text);
    assert_string_equal(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(as, 'a', sizeof(as));
    vrs_sha256_text(as, 55, text);
    assert_string_equal(text, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    vrs_sha256_text(as, 64, text);
    assert_string_equal(text, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    vrs_sha256_text(as, 119, text);
    assert_string_equal(text, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb");
}

/* The descriptors that the project ships are all right. */
static void test_shipped(void **state)
{
    (void)state;
    char shipped[512];
    seen s = {.stop_after = -1};
    snprintf(shipped, sizeof(shipped), "%s/models", getenv("VRSEG_SOURCE_DIR"));
    remove(in_folder("models/beta.yaml"));
    setenv("VRSEG_DESCRIPTORS_DIR", shipped, 1);
    logged[0] = '\0';
    vrs_log_set(keep_log, NULL, VRS_LOG_WARNING);
    assert_int_equal(vrs_models_list(note, &s), VRS_OK);
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    assert_string_equal(logged, "");
    assert_non_null(strstr(s.names, "selfie-landscape "));
    assert_in_range(s.count, 9, 100);
    setenv("VRSEG_DESCRIPTORS_DIR", in_folder("descriptors"), 1);
}

static bool ignore(void *opaque, const vrs_model_info *info)
{
    (void)opaque;
    (void)info;
    return true;
}

static vrs_status list_and_load(void *opaque)
{
    (void)opaque;
    vrs_model *model = NULL;
    vrs_status status = vrs_models_list(ignore, NULL);
    if (status == VRS_OK)
        status = vrs_model_load("beta", &model);
    vrs_model_destroy(model);
    return status;
}

static void test_inject(void **state)
{
    (void)state;
    assert_in_range(inject_all(list_and_load, NULL), 10, 1000);
}

int main(void)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_by_name), cmocka_unit_test(test_load_by_path),
        cmocka_unit_test(test_not_found),    cmocka_unit_test(test_list),
        cmocka_unit_test(test_models_dir),   cmocka_unit_test(test_digest_warning),
        cmocka_unit_test(test_sha256),       cmocka_unit_test(test_large_weights),
        cmocka_unit_test(test_shipped),      cmocka_unit_test(test_inject),
    };
    int failed = cmocka_run_group_tests_name("registry", tests, set_up, NULL);
    temp_remove(folder);
    return failed;
}
