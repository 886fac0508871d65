/* What the engine refuses, and in which words. */
#define _XOPEN_SOURCE 700

#include "engine/cpu.h"
#include "engine/support.h"

static void refuse(const char *descriptor, const char *onnx, vrs_engine_params params,
                   vrs_status wanted, const char *part)
{
    vrs_model *model = load_model(descriptor, onnx);
    vrs_engine *engine = NULL;
    vrs_status status = vrs_engine_create(engine_name, model, &params, &engine);
    if (status != wanted) {
        fail_msg("%s and not %s: %s", vrs_status_name(status), vrs_status_name(wanted),
                 vrs_last_error());
    }
    assert_null(engine);
    expect_detail(part);
    vrs_model_destroy(model);
}

static void test_params(void **state)
{
    (void)state;
    vrs_engine *engine;
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    assert_int_equal(vrs_engine_create("tensorflow", model, &plain, &engine), VRS_INVALID);
    expect_detail("auto, openvino, onnxruntime and cuda");
    vrs_model_destroy(model);
    vrs_engine_params params = plain;
    params.requests = 65;
    refuse(HEAD INPUT OUTPUT, "tiny.onnx", params, VRS_INVALID, "65 requests");
    params = plain;
    params.threads = 0;
    refuse(HEAD INPUT OUTPUT, "tiny.onnx", params, VRS_INVALID, "0 threads");
    params = plain;
    params.max_batch = 17;
    refuse(HEAD INPUT OUTPUT, "tiny.onnx", params, VRS_INVALID, "17 views");
    params = plain;
    params.precision = VRS_PRECISION_TF32;
    refuse(HEAD INPUT OUTPUT, "tiny.onnx", params, VRS_UNSUPPORTED,
           with_openvino() ? "no precision tf32; it has f32, bf16, int8"
                           : "no precision tf32; it has f32, int8");
}

/* Names are what the option takes, and the other way round. */
static void test_precisions(void **state)
{
    (void)state;
    for (int p = VRS_PRECISION_F32; p <= VRS_PRECISION_INT8; p++) {
        vrs_precision found;
        assert_int_equal(vrs_precision_parse(vrs_precision_name((vrs_precision)p), &found), VRS_OK);
        assert_int_equal(found, p);
    }
    vrs_precision found;
    assert_int_equal(vrs_precision_parse("f8", &found), VRS_INVALID);
    expect_detail("f32, tf32, f16, bf16, int8");
}

/* bf16 runs where the CPU has it and is refused elsewhere: never quietly something else. */
static void test_bf16(void **state)
{
    (void)state;
    vrs_engine_params params = plain;
    params.precision = VRS_PRECISION_BF16;
    if (!with_openvino()) {
        refuse(HEAD INPUT OUTPUT, "tiny.onnx", params, VRS_UNSUPPORTED, "no precision bf16");
        return;
    }
    if (!vrs_cpu_has_bf16()) {
        refuse(HEAD INPUT OUTPUT, "tiny.onnx", params, VRS_UNSUPPORTED, "use precision f32");
        return;
    }
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    vrs_engine *engine = make_engine(model, params);
    assert_string_equal(vrs_engine_describe(engine), "openvino 2026.4.1, bf16");
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* INT8 wants a quantised file and a CPU for it. */
static void test_int8(void **state)
{
    (void)state;
    vrs_engine_params params = plain;
    params.precision = VRS_PRECISION_INT8;
    if (!vrs_cpu_has_int8()) {
        refuse(HEAD INPUT OUTPUT, "tiny-int8.onnx", params, VRS_UNSUPPORTED, "use precision f32");
        return;
    }
    refuse(HEAD INPUT OUTPUT, "tiny.onnx", params, VRS_INVALID, "has no quantised layer");
    expect_detail("vrseg-quantize");
    refuse(HEAD INPUT OUTPUT, "tiny-other.onnx", params, VRS_INVALID, "has no quantised layer");
    refuse(HEAD "input: {width: 8, height: 4}\n" OUTPUT, "tiny-int8.onnx", params, VRS_INVALID,
           "tiny-int8.onnx");
}

static void test_shapes(void **state)
{
    (void)state;
    refuse(HEAD "input: {width: 8, height: 4}\n" OUTPUT, "tiny.onnx", plain, VRS_INVALID,
           "the input \"picture\" has the shape [?,3,4,6], but the descriptor");
    refuse(HEAD "input: {width: 8, height: 4}\n" OUTPUT, "tiny.onnx", plain, VRS_INVALID,
           "model.yaml says [1,3,4,8]");
    refuse(HEAD "input: {width: 6, height: 4, layout: nhwc}\n" OUTPUT, "tiny.onnx", plain,
           VRS_INVALID, "says [1,4,6,3]");
    refuse(HEAD INPUT "output: {activation: none, classes: 3, person: [1]}\n", "tiny.onnx", plain,
           VRS_INVALID,
           with_openvino() ? "the output \"scores\" has the shape [1,2,4,6]"
                           : "the output \"scores\" has the shape [?,2,4,6]");
    refuse(HEAD INPUT "output: {activation: none, classes: 2, person: [1], width: 3}\n",
           "tiny.onnx", plain, VRS_INVALID, "says [1,2,4,3]");
    refuse(HEAD INPUT OUTPUT, "tiny-integer.onnx", plain, VRS_INVALID, "32-bit floats");
    /* A file that leaves its sizes open: the one engine computes them, the other tries a run. */
    refuse(HEAD "input: {width: 6, height: 4, layout: nhwc}\noutput: {activation: none, "
                "layout: nhwc, classes: 2, person: [1], width: 3}\n",
           "tiny-nhwc.onnx", plain, VRS_INVALID,
           with_openvino() ? "has the shape [1,4,6,2]" : "does not run as the descriptor");
}

static void test_names(void **state)
{
    (void)state;
    refuse(HEAD "input: {name: image, width: 6, height: 4}\n" OUTPUT, "tiny.onnx", plain,
           VRS_INVALID, "has no input \"image\"");
    refuse(HEAD "input: {name: image, width: 6, height: 4}\n" OUTPUT, "tiny.onnx", plain,
           VRS_INVALID, "it has \"picture\"");
    refuse(HEAD INPUT "output: {name: mask, activation: none, classes: 2, person: [1]}\n",
           "tiny.onnx", plain, VRS_INVALID, "has no output \"mask\"");
    refuse(HEAD INPUT OUTPUT, "tiny-two-outputs.onnx", plain, VRS_INVALID, "has 2 outputs");
    refuse(HEAD "input: {name: picture, width: 6, height: 4}\n" OUTPUT, "tiny-state.onnx", plain,
           VRS_INVALID, "has 3 inputs");
    refuse(HEAD "input: {name: picture, width: 6, height: 4}\n"
                "output: {name: scores, activation: none, classes: 1}\n"
                "states: [{input: sum_in, output: sum_out, channels: 1, divisor: 1}]\n",
           "tiny-state.onnx", plain, VRS_INVALID, "names 2");
}

/* An ONNX file cut at every byte is VRS_FORMAT, not a crash. */
static void test_cut_files(void **state)
{
    (void)state;
    char path[512], data[4096];
    FILE *file = fopen(data_path("tiny.onnx"), "rb");
    assert_non_null(file);
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    assert_in_range(size, 100, sizeof(data) - 1);
    snprintf(path, sizeof(path), "%s/cut.onnx", folder);
    for (size_t length = 0; length < size; length++) {
        write_file(path, data, length);
        vrs_model *model = load_model(HEAD INPUT OUTPUT, path);
        vrs_engine *engine = NULL;
        vrs_status status = vrs_engine_create(engine_name, model, &plain, &engine);
        if (status != VRS_FORMAT) {
            fail_msg("%zu of %zu bytes: %s: %s", length, size, vrs_status_name(status),
                     vrs_last_error());
        }
        vrs_model_destroy(model);
    }
    write_file(path, "An honest text file.\n", 21);
    refuse(HEAD INPUT OUTPUT, path, plain, VRS_FORMAT, "not an ONNX file");
    refuse(HEAD INPUT OUTPUT, folder, plain, VRS_FORMAT, "a folder");
}

/* Damage inside the graph reaches OpenVINO: any status, never a crash. */
static void test_damaged_files(void **state)
{
    (void)state;
    char path[512];
    unsigned char data[4096], bad[4096];
    FILE *file = fopen(data_path("tiny-nhwc.onnx"), "rb");
    assert_non_null(file);
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    snprintf(path, sizeof(path), "%s/bad.onnx", folder);
    for (size_t i = 16; i < size; i += 5) {
        memcpy(bad, data, size);
        bad[i] ^= (unsigned char)(1 + i % 255);
        write_file(path, bad, size);
        vrs_model *model = load_model(HEAD "input: {width: 6, height: 4, layout: nhwc}\noutput: "
                                           "{activation: none, layout: nhwc, classes: 2, person: "
                                           "[1]}\n",
                                      path);
        vrs_engine *engine = NULL;
        vrs_status status = vrs_engine_create(engine_name, model, &plain, &engine);
        assert_true(status == VRS_OK || vrs_last_error()[0] != '\0');
        vrs_engine_destroy(engine);
        vrs_model_destroy(model);
    }
}

int main(int argc, char **argv)
{
    need_engine(argc > 1 ? argv[1] : "openvino");
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params),    cmocka_unit_test(test_precisions),
        cmocka_unit_test(test_bf16),      cmocka_unit_test(test_int8),
        cmocka_unit_test(test_shapes),    cmocka_unit_test(test_names),
        cmocka_unit_test(test_cut_files), cmocka_unit_test(test_damaged_files),
    };
    int failed = cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
