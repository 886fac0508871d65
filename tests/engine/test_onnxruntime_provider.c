/* What the providers of GPUs are told and how their runs lie between the caller's work, on
 * stand-ins for ONNX Runtime and the CUDA driver; the stand-in network copies. With "old" as the
 * argument: a library older than plug-in providers. */
#define _XOPEN_SOURCE 700

#include "engine/support.h"
#include "support/inject.h"

#define IN_FLOATS 72
#define OUT_FLOATS 48
#define LOG_SIZE 65536

static vrs_device *device;
static vrs_memory *memory;
static vrs_device_stream *stream;
static char log_path[512];
static char log_text[LOG_SIZE];

static void ok(vrs_status status)
{
    if (status != VRS_OK)
        fail_msg("%s: %s", vrs_status_name(status), vrs_last_error());
}

static void set(const char *name, const char *value)
{
    assert_int_equal(value != NULL ? setenv(name, value, 1) : unsetenv(name), 0);
}

/* What was written since the log was cleared. */
static const char *read_log(void)
{
    FILE *file = fopen(log_path, "rb");
    assert_non_null(file);
    size_t size = fread(log_text, 1, sizeof(log_text) - 1, file);
    log_text[size] = '\0';
    fclose(file);
    return log_text;
}

static void clear_log(void)
{
    write_file(log_path, "", 0);
}

static void expect_line(const char *line)
{
    char wanted[1024];
    snprintf(wanted, sizeof(wanted), "%s\n", line);
    const char *text = read_log();
    const char *found = strstr(text, wanted);
    if (found == NULL || (found != text && found[-1] != '\n'))
        fail_msg("no line \"%s\" in:\n%s", line, text);
}

static int count_lines(const char *begin)
{
    int count = 0;
    for (const char *line = read_log(); *line != '\0'; line = strchr(line, '\n') + 1)
        count += strncmp(line, begin, strlen(begin)) == 0;
    return count;
}

static vrs_engine_params params_of(const char *provider, vrs_precision precision, int32_t batch)
{
    return (vrs_engine_params){.requests = 2,
                               .threads = 1,
                               .max_batch = batch,
                               .precision = precision,
                               .float_input = true,
                               .device = device,
                               .memory = memory,
                               .provider = provider};
}

static vrs_engine *make(vrs_engine_params params, const char *onnx)
{
    vrs_engine *engine = NULL;
    vrs_model *model = load_model(HEAD INPUT OUTPUT, onnx);
    clear_log();
    ok(vrs_engine_create("onnxruntime", model, &params, &engine));
    vrs_model_destroy(model); /* the engine is not asked for anything of it */
    return engine;
}

static void refuse(vrs_engine_params params, vrs_status wanted, const char *part)
{
    vrs_engine *engine = NULL;
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    clear_log();
    vrs_status status = vrs_engine_create("onnxruntime", model, &params, &engine);
    if (status != wanted) {
        fail_msg("%s and not %s: %s", vrs_status_name(status), vrs_status_name(wanted),
                 vrs_last_error());
    }
    assert_null(engine);
    expect_detail(part);
    vrs_model_destroy(model);
}

static vrs_device_ptr address(const void *pointer)
{
    return (vrs_device_ptr)(uintptr_t)pointer;
}

/* Uploads, runs and downloads a batch without a wait in between, and looks at it at the end. */
static void run_batch(vrs_engine *engine, int32_t batch, int seed)
{
    static float in[16][IN_FLOATS], out[16][OUT_FLOATS];
    vrs_request *request = vrs_engine_request(engine, seed % 2);
    vrs_device_event *event = NULL;
    ok(vrs_device_event_create(device, false, &event));
    for (int32_t i = 0; i < batch; i++) {
        for (int e = 0; e < IN_FLOATS; e++)
            in[i][e] = (float)(seed * 1000 + i * 100 + e);
        ok(vrs_device_upload(stream, address(vrs_request_input(request, i)), in[i], sizeof(in[i])));
    }
    ok(vrs_request_enqueue(request, batch, stream));
    for (int32_t i = 0; i < batch; i++) {
        ok(vrs_device_download(stream, out[i], address(vrs_request_scores(request, i)),
                               sizeof(out[i])));
    }
    ok(vrs_device_event_record(event, stream));
    ok(vrs_device_event_wait(event));
    vrs_device_event_destroy(event);
    for (int32_t i = 0; i < batch; i++)
        assert_memory_equal(out[i], in[i], sizeof(out[i]));
}

static void test_cuda(void **state)
{
    (void)state;
    vrs_engine *engine = make(params_of("cuda", VRS_PRECISION_F32, 5), "tiny.onnx");
    assert_string_equal(vrs_engine_describe(engine), "onnxruntime 1.24.0, cuda, f32");
    assert_true(vrs_engine_get_io(engine)->on_device);
    static const char *const lines[] = {
        "session.disable_cpu_ep_fallback=1",
        "device_id=0",
        "use_tf32=0",
        "enable_cuda_graph=1",
        "prefer_nhwc=1",
        "fuse_conv_bias=1",
        "user_compute_stream=given",
        "memory=Cuda",
        "run=1, gpu_graph_id 1",
        "run=2, gpu_graph_id 2",
        "run=4, gpu_graph_id 3",
        "run=5, gpu_graph_id 4",
        "run=1, gpu_graph_id 5",
        "run=5, gpu_graph_id 8",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        expect_line(lines[i]);
    assert_int_equal(count_lines("run="), 8);
    assert_int_equal(count_lines("gpu_mem_limit="), 1);
    static const char *const sizes[] = {"run=1,", "run=2,", "run=4,", "run=4,", "run=5,"};
    for (int round = 0; round < 4; round++) {
        for (int32_t batch = 1; batch <= 5; batch++) {
            clear_log();
            run_batch(engine, batch, round * 5 + batch);
            assert_int_equal(count_lines("run="), 1);
            assert_int_equal(count_lines(sizes[batch - 1]), 1);
        }
    }
    vrs_engine_destroy(engine);
    vrs_engine_destroy(make(params_of("cuda", VRS_PRECISION_TF32, 1), "tiny.onnx"));
    expect_line("use_tf32=1");
}

/* A network that cannot be fused is opened a second time; the user's own word is the last. */
static void test_biases_apart(void **state)
{
    (void)state;
    set("FAKE_ORT_FAIL", "fused");
    vrs_engine_params params = params_of("cuda", VRS_PRECISION_F32, 2);
    vrs_engine *engine = make(params, "tiny.onnx");
    expect_line("fuse_conv_bias=1");
    expect_line("fuse_conv_bias=0");
    run_batch(engine, 2, 1);
    vrs_engine_destroy(engine);
    params.provider_options = "cudnn_conv_algo_search=HEURISTIC,fuse_conv_bias=1,prefer_nhwc=0";
    refuse(params, VRS_ENGINE, "Failed to initialize CUDNN Frontend");
    assert_int_equal(count_lines("fuse_conv_bias="), 1);
    assert_int_equal(count_lines("prefer_nhwc="), 1);
    expect_line("prefer_nhwc=0");
    expect_line("cudnn_conv_algo_search=HEURISTIC");
    set("FAKE_ORT_FAIL", "append");
    refuse(params_of("cuda", VRS_PRECISION_F32, 1), VRS_ENGINE,
           "cannot use the provider cuda: ONNX Runtime says: the GPU is tired");
    set("FAKE_ORT_FAIL", NULL);
}

static void test_tensorrt(void **state)
{
    (void)state;
    static const struct {
        vrs_precision precision;
        const char *onnx, *fp16, *bf16, *int8;
    } cases[] = {
        {VRS_PRECISION_TF32, "tiny.onnx", "0", "0", "0"},
        {VRS_PRECISION_F16, "tiny.onnx", "1", "0", "0"},
        {VRS_PRECISION_BF16, "tiny.onnx", "0", "1", "0"},
        {VRS_PRECISION_INT8, "tiny-int8.onnx", "1", "0", "1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char line[1024];
        vrs_engine_params params = params_of("tensorrt", cases[i].precision, 16);
        params.cache_dir = folder;
        vrs_engine *engine = make(params, cases[i].onnx);
        snprintf(line, sizeof(line), "trt_fp16_enable=%s", cases[i].fp16);
        expect_line(line);
        snprintf(line, sizeof(line), "trt_bf16_enable=%s", cases[i].bf16);
        expect_line(line);
        snprintf(line, sizeof(line), "trt_int8_enable=%s", cases[i].int8);
        expect_line(line);
        expect_line("trt_profile_min_shapes=picture:1x3x4x6");
        expect_line("trt_profile_opt_shapes=picture:16x3x4x6");
        expect_line("trt_profile_max_shapes=picture:16x3x4x6");
        expect_line("trt_engine_cache_enable=1");
        snprintf(line, sizeof(line), "trt_engine_cache_path=%s/tensorrt", folder);
        expect_line(line);
        snprintf(line, sizeof(line), "trt_timing_cache_path=%s/tensorrt", folder);
        expect_line(line);
        expect_line("user_compute_stream=given");
        assert_int_equal(count_lines("run="), 10); /* of 2 requests: 1, 2, 4, 8, 16 */
        run_batch(engine, 11, (int)i);
        vrs_engine_destroy(engine);
    }
    vrs_engine_destroy(make(params_of("tensorrt", VRS_PRECISION_F16, 1), "tiny.onnx"));
    assert_int_equal(count_lines("trt_engine_cache_enable"), 0);
}

static void test_tensorrt_rtx(void **state)
{
    (void)state;
    vrs_engine_params params = params_of("tensorrt-rtx", VRS_PRECISION_TF32, 4);
    refuse(params, VRS_MISSING, "libonnxruntime_providers_nv_tensorrt_rtx.so is not there");
    expect_detail(folder);
    params.plugin = data_path("tiny.onnx");
    refuse(params, VRS_UNSUPPORTED, "offers 0 devices, and cuda:0 is none of them");
    set("FAKE_ORT_DEVICES", "2");
    params.cache_dir = folder;
    vrs_engine *engine = make(params, "tiny.onnx");
    expect_line("device=first");
    expect_line("has_user_compute_stream=1");
    expect_line("enable_cuda_graph=1");
    expect_line("nv_profile_min_shapes=picture:1x3x4x6");
    expect_line("nv_profile_max_shapes=picture:4x3x4x6");
    expect_line("run=4, cuda_graph_annotation_id 3");
    assert_int_equal(count_lines("nv_runtime_cache_path="), 1);
    assert_int_equal(count_lines("registered="), 0); /* the first time did */
    run_batch(engine, 3, 1);
    vrs_engine_destroy(engine);
    set("FAKE_ORT_DEVICES", NULL);
}

static void test_failing_run(void **state)
{
    (void)state;
    vrs_engine *engine = make(params_of("cuda", VRS_PRECISION_F32, 2), "tiny.onnx");
    vrs_request *request = vrs_engine_request(engine, 1);
    set("FAKE_ORT_FAIL", "run");
    assert_int_equal(vrs_request_enqueue(request, 1, stream), VRS_ENGINE);
    assert_non_null(strstr(vrs_request_error(request), "inference failed: ONNX Runtime says"));
    set("FAKE_ORT_FAIL", NULL);
    run_batch(engine, 2, 1);
    assert_string_equal(vrs_request_error(request), "");
    vrs_engine_destroy(engine);
}

typedef struct plan {
    const vrs_model *model;
    const char *provider;
} plan;

static vrs_status live(void *opaque)
{
    const plan *p = opaque;
    vrs_engine_params params = params_of(p->provider, VRS_PRECISION_TF32, 2);
    params.plugin = data_path("tiny.onnx");
    vrs_engine *engine = NULL;
    vrs_status status = vrs_engine_create("onnxruntime", p->model, &params, &engine);
    if (status == VRS_OK)
        status = vrs_request_enqueue(vrs_engine_request(engine, 0), 2, stream);
    vrs_engine_destroy(engine);
    return status;
}

static void test_each_failure(void **state)
{
    (void)state;
    static const vrs_status also[] = {VRS_OK,     VRS_ENGINE,      VRS_INVALID, VRS_DEVICE,
                                      VRS_FORMAT, VRS_DEVICE_LOST, VRS_MISSING};
    static const char *const providers[] = {"cuda", "tensorrt", "tensorrt-rtx"};
    plan p;
    p.model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    set("FAKE_ORT_LOG", "/dev/null");
    set("FAKE_ORT_DEVICES", "1");
    for (size_t i = 0; i < sizeof(providers) / sizeof(*providers); i++) {
        p.provider = providers[i];
        unsigned failed = inject_all_allowing(live, &p, also, sizeof(also) / sizeof(*also));
        printf("%s: %u resources failed in turn\n", p.provider, failed);
        assert_in_range(failed, 60, 1000);
    }
    set("FAKE_ORT_DEVICES", NULL);
    set("FAKE_ORT_LOG", log_path);
    vrs_model_destroy((vrs_model *)p.model);
}

static void test_older_than_plugins(void **state)
{
    (void)state;
    vrs_engine_params params = params_of("tensorrt-rtx", VRS_PRECISION_TF32, 4);
    params.plugin = data_path("tiny.onnx");
    refuse(params, VRS_UNSUPPORTED, "is older than plug-in providers; tensorrt-rtx needs 1.22");
    vrs_engine_destroy(make(params_of("cuda", VRS_PRECISION_F32, 1), "tiny.onnx"));
}

static bool set_up(const char *version)
{
    char path[512];
    vrs_memory_settings settings = {.limit = (uint64_t)1 << 30};
    const char *library = getenv("TEST_FAKE_ONNXRUNTIME");
    temp_make(folder, sizeof(folder));
    snprintf(log_path, sizeof(log_path), "%s/log", folder);
    snprintf(path, sizeof(path), "%s/libonnxruntime.so.1", folder);
    bool good = library != NULL && symlink(library, path) == 0 &&
                setenv("VRSEG_ONNXRUNTIME_DIR", folder, 1) == 0 &&
                setenv("FAKE_ORT_VERSION", version, 1) == 0 &&
                setenv("FAKE_ORT_LOG", log_path, 1) == 0;
    return good && vrs_device_open("cuda:0", &device) == VRS_OK &&
           vrs_memory_create(device, &settings, &memory) == VRS_OK &&
           vrs_device_stream_create(device, VRS_PRIORITY_NORMAL, &stream) == VRS_OK;
}

int main(int argc, char **argv)
{
    bool old = argc > 1 && strcmp(argv[1], "old") == 0;
    if (!set_up(old ? "1.21.3" : "1.24.0")) {
        fprintf(stderr, "the stand-ins do not work: %s\n", vrs_last_error());
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuda),        cmocka_unit_test(test_biases_apart),
        cmocka_unit_test(test_tensorrt),    cmocka_unit_test(test_tensorrt_rtx),
        cmocka_unit_test(test_failing_run), cmocka_unit_test(test_each_failure),
    };
    const struct CMUnitTest of_old[] = {cmocka_unit_test(test_older_than_plugins)};
    int failed = old ? cmocka_run_group_tests_name("old", of_old, NULL, NULL)
                     : cmocka_run_group_tests_name("provider", tests, NULL, NULL);
    vrs_device_stream_destroy(stream);
    vrs_memory_destroy(memory);
    vrs_device_close(device);
    temp_remove(folder);
    return failed;
}
