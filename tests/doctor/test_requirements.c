/* What a configuration requires, and what is said of what is missing. With the argument "gpu" on
 * the stand-in driver. */
#define _XOPEN_SOURCE 700

#include <stdlib.h>

#include "doctor/checks.h"
#include "support/inject.h"
#include "vrseg/vrseg.h"

static vrs_config *make_config(const char *device, const char *engine)
{
    vrs_config *config;
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    assert_int_equal(vrs_config_set(config, "device", device), VRS_OK);
    assert_int_equal(vrs_config_set(config, "engine", engine), VRS_OK);
    return config;
}

static void check(const char *device, const char *engine)
{
    vrs_config *config = make_config(device, engine);
    gathered.count = 0;
    assert_int_equal(vrs_requirements_check(config, gather, NULL), VRS_OK);
    vrs_config_destroy(config);
}

static void test_wishes(void **state)
{
    (void)state;
    static const struct {
        const char *device, *engine;
        bool here, gpu, openvino, onnxruntime, own;
        int32_t number;
    } cases[] = {
        {"auto", "auto", false, false, true, false, false, 0},
        {"auto", "auto", true, false, false, false, false, 0},
        {"cpu", "auto", true, false, true, false, false, 0},
        {"cpu", "onnxruntime", false, false, false, true, false, 0},
        {"cuda", "auto", false, true, true, false, false, 0},
        {"cuda:3", "openvino", true, true, true, false, false, 3},
        {"auto", "cuda", false, true, false, false, true, 0},
        {"cuda:x", "cuda", true, true, false, false, true, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vrs_config *config = make_config(cases[i].device, cases[i].engine);
        vrs_check_wishes w = vrs_check_read_wishes(config, cases[i].here);
        assert_int_equal(w.gpu, cases[i].gpu);
        assert_int_equal(w.openvino, cases[i].openvino);
        assert_int_equal(w.onnxruntime, cases[i].onnxruntime);
        assert_int_equal(w.own_engine, cases[i].own);
        assert_int_equal(w.number, cases[i].number);
        vrs_config_destroy(config);
    }
}

/* Without a driver: a GPU that is named is missing, one that may be taken is not. */
static void test_no_gpu(void **state)
{
    (void)state;
    assert_int_equal(setenv("VRSEG_CUDA_LIBRARY", "/nowhere/libcuda.so.1", 1), 0);
    assert_int_equal(setenv("VRSEG_CUDNN_LIBRARY", "/nowhere/libcudnn.so.9", 1), 0);
    assert_int_equal(setenv("VRSEG_NVML_LIBRARY", "/nowhere/libnvidia-ml.so.1", 1), 0);
    check("auto", "auto");
    const vrs_check *driver = find_check("NVIDIA driver");
    assert_int_equal(driver->state, VRS_CHECK_SKIPPED);
    assert_false(driver->required);
    assert_non_null(strstr(driver->found, "/nowhere/libcuda.so.1"));
    check("cuda", "auto");
    driver = find_check("NVIDIA driver");
    assert_int_equal(driver->state, VRS_CHECK_FAILED);
    assert_true(driver->required);
    assert_non_null(strstr(driver->wanted, "580"));
    assert_non_null(strstr(driver->remedy, "nvidia-driver"));
    check("auto", "cuda");
    assert_int_equal(find_check("NVIDIA driver")->state, VRS_CHECK_FAILED);
    assert_int_equal(find_check("cuDNN")->state, VRS_CHECK_FAILED);
    assert_true(find_check("cuDNN")->required);
    assert_int_equal(find_check("NVML")->state, VRS_CHECK_WARNING);
}

static void test_no_engine(void **state)
{
    (void)state;
    assert_int_equal(setenv("VRSEG_OPENVINO_DIR", "/nowhere", 1), 0);
    assert_int_equal(setenv("VRSEG_ONNXRUNTIME_DIR", "/nowhere", 1), 0);
    check("cpu", "auto");
    const vrs_check *openvino = find_check("OpenVINO");
    assert_int_equal(openvino->state, VRS_CHECK_FAILED);
    assert_true(openvino->required);
    assert_non_null(strstr(openvino->remedy, "make setup"));
    assert_int_equal(find_check("ONNX Runtime")->state, VRS_CHECK_WARNING);
    check("cpu", "onnxruntime");
    assert_false(find_check("OpenVINO")->required);
    assert_int_equal(find_check("ONNX Runtime")->state, VRS_CHECK_FAILED);
    assert_true(find_check("ONNX Runtime")->required);
}

static void test_no_model(void **state)
{
    (void)state;
    assert_int_equal(setenv("VRSEG_MODELS_DIR", "/nowhere", 1), 0);
    check("cpu", "auto");
    const vrs_check *model = find_check("model");
    assert_int_equal(model->state, VRS_CHECK_FAILED);
    assert_true(model->required);
    assert_non_null(strstr(model->remedy, "vrseg models fetch selfie-landscape"));
    assert_int_equal(setenv("VRSEG_DESCRIPTORS_DIR", "/nowhere", 1), 0);
    check("cpu", "auto");
    assert_int_equal(find_check("model")->state, VRS_CHECK_FAILED);
}

static void ignore_check(void *opaque, const vrs_check *check)
{
    (void)opaque;
    (void)check;
}

static vrs_status check_quietly(void *opaque)
{
    return vrs_requirements_check(opaque, ignore_check, NULL);
}

/* What fails for want of memory is told as missing; nothing stays behind. */
static void test_refused_memory(void **state)
{
    (void)state;
    static const vrs_status told = VRS_OK;
    vrs_config *config = make_config("cpu", "auto");
    assert_true(inject_all_allowing(check_quietly, config, &told, 1) > 5);
    vrs_config_destroy(config);
}

/* Long texts are cut at a character's border. */
static void test_long_texts(void **state)
{
    (void)state;
    char text[2000] = "";
    for (int i = 0; i < 600; i++)
        memcpy(text + 3 * i, "\xE2\x82\xAC", 4); /* the sign of the euro */
    const vrs_check_words words = {.name = text, .wanted = text, .gives = text, .remedy = text};
    gathered.count = 0;
    vrs_check_tell(&to_gather, &words, VRS_CHECK_FAILED, false, "%s", text);
    const vrs_check *c = &gathered.list[0];
    assert_int_equal(strlen(c->name), 63);
    assert_int_equal(strlen(c->found) % 3, 0);
    assert_int_equal(strlen(c->wanted) % 3, 0);
    assert_int_equal(strlen(c->gives) % 3, 0);
    assert_int_equal(strlen(c->remedy) % 3, 0);
    const vrs_check_words few = {.name = "x", .remedy = "y"};
    vrs_check_tell(&to_gather, &few, VRS_CHECK_OK, false, "z");
    assert_string_equal(gathered.list[1].wanted, "");
}

static void test_bytes(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(vrs_check_bytes(-1, text), "unknown");
    assert_string_equal(vrs_check_bytes(12000000, text), "12 MB");
    assert_string_equal(vrs_check_bytes(1500000000, text), "1.5 GB");
    assert_string_equal(vrs_check_bytes(INT64_C(250000000000), text), "250 GB");
}

/* ---- on the stand-in driver, with NVML's ---- */

static void test_gpu(void **state)
{
    (void)state;
    vrs_gpu_info gpu;
    check("cuda:0", "cuda");
    const vrs_check *found = find_check("GPU cuda:0");
    assert_int_equal(found->state, VRS_CHECK_OK);
    assert_true(found->required);
    assert_non_null(strstr(found->found, "Fake GPU"));
    assert_int_equal(find_check("NVML")->state, VRS_CHECK_OK);
    assert_int_equal(find_check("cuDNN")->state, VRS_CHECK_FAILED);
    check("auto", "auto");
    assert_false(find_check("GPU cuda:0")->required);
    assert_false(find_check("OpenVINO")->required);
    check("cuda:99", "auto");
    assert_int_equal(find_check("NVIDIA driver")->state, VRS_CHECK_FAILED);
    assert_non_null(strstr(find_check("NVIDIA driver")->found, "no cuda:99"));

    assert_int_equal(vrs_gpu_read(0, &gpu), VRS_OK);
    assert_true(gpu.usable);
    assert_string_equal(gpu.reason, "");
    assert_string_equal(gpu.driver, "580.1.2"); /* NVML finds it by its address */
    assert_int_equal(gpu.memory_free, INT64_C(5000000000));
    assert_true(gpu.memory_total > 0 && gpu.multiprocessors > 0 && gpu.cuda_version >= 13000);
    assert_int_equal(gpu.numa_node, -1);
    assert_int_equal(vrs_gpu_read(1, &gpu), VRS_OK); /* the driver has one, NVML two */
    assert_false(gpu.usable);
    assert_string_equal(gpu.driver, "580.1.2");
    assert_string_equal(gpu.name, "Fake GPU 1");
    assert_int_equal(gpu.memory_free, INT64_C(5000000000));
    assert_int_equal(vrs_gpu_read(99, &gpu), VRS_OK);
    assert_false(gpu.usable);
    assert_true(gpu.reason[0] != '\0');
    assert_int_equal(vrs_gpu_read(-1, &gpu), VRS_INVALID);
}

int main(int argc, char **argv)
{
    (void)argv;
    const struct CMUnitTest without[] = {
        cmocka_unit_test(test_no_engine), /* first: an engine that was opened stays so */
        cmocka_unit_test(test_wishes),         cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_long_texts),     cmocka_unit_test(test_no_gpu),
        cmocka_unit_test(test_refused_memory), cmocka_unit_test(test_no_model),
    };
    const struct CMUnitTest with[] = {cmocka_unit_test(test_gpu)};
    return argc < 2 ? cmocka_run_group_tests(without, NULL, NULL)
                    : cmocka_run_group_tests(with, NULL, NULL);
}
