/* Every allocation, thread and call into OpenVINO fails in turn. */
#define _XOPEN_SOURCE 700

#include <sys/wait.h>

#include "engine/cpu.h"
#include "engine/support.h"
#include "support/inject.h"

typedef struct plan {
    const vrs_model *model;
    vrs_precision precision;
    char cache[512];
} plan;

static vrs_status live(void *opaque)
{
    const plan *p = opaque;
    vrs_engine_params params = {.requests = 2, .threads = 1, .max_batch = 2};
    params.cache_dir = p->cache;
    params.precision = p->precision;
    vrs_engine *engine = NULL;
    vrs_status status = vrs_engine_create("auto", p->model, &params, &engine);
    for (int i = 0; status == VRS_OK && i < 2; i++) {
        vrs_request *request = vrs_engine_request(engine, i);
        status = vrs_request_start(request, 2, NULL, NULL);
        if (status == VRS_OK)
            status = vrs_request_wait(request);
        if (status != VRS_OK)
            assert_string_not_equal(vrs_request_error(request), "");
    }
    vrs_engine_destroy(engine);
    return status;
}

static void test_each_failure(void **state)
{
    (void)state;
    /* VRS_OK: the cache and the question whether it was used can fail without harm. */
    static const vrs_status also[] = {VRS_OK,      VRS_ENGINE,  VRS_FORMAT,
                                      VRS_INVALID, VRS_MISSING, VRS_IO};
    plan p = {.precision = VRS_PRECISION_F32};
    p.model = load_model(
        HEAD "input: {width: 6, height: 4, order: bgr, mean: 2, scale: 2}\n" OUTPUT, "tiny.onnx");
    snprintf(p.cache, sizeof(p.cache), "%s/cache", folder);
    unsigned failed = inject_all_allowing(live, &p, also, sizeof(also) / sizeof(*also));
    printf("%u resources failed in turn\n", failed);
    assert_in_range(failed, 40, 1000);
    vrs_model_destroy((vrs_model *)p.model);
    if (vrs_cpu_has_int8()) {
        p.precision = VRS_PRECISION_INT8;
        p.model = load_model(HEAD INPUT OUTPUT, "tiny-int8.onnx");
        failed = inject_all_allowing(live, &p, also, sizeof(also) / sizeof(*also));
        assert_in_range(failed, 40, 1000);
        vrs_model_destroy((vrs_model *)p.model);
    }
}

int main(int argc, char **argv)
{
    /* Asked in a child: here, opening the library is to fail, too. */
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        need_engine(argc > 1 ? argv[1] : "openvino");
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return 1;
    if (WEXITSTATUS(status) != 0)
        return WEXITSTATUS(status);
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_failure)};
    int failed = cmocka_run_group_tests_name("inject", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
