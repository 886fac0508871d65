/* `vrseg bench --peers`: what peers print becomes lines of the table, and one that cannot run has a
 * line that says so. The peers are scripts of the test's own, in a folder like a checkout, where
 * the test runs a copy of itself. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "cli/bench/bench.h"
#include "support/temp.h"

static char folder[256];

/* ---- the copy: what a run of the peers makes of the table, one line each ---- */

static int be_copy(bool gpu, const char *video)
{
    static vrs_bench_peer peers[VRS_BENCH_MAX_PEERS];
    static vrs_bench_table table;
    static const volatile sig_atomic_t stop;
    char model[300];
    table.peers = peers;
    table.device.gpu = gpu;
    (void)snprintf(model, sizeof(model), "%s/network.onnx", getenv("TEST_FOLDER"));
    if (vrs_bench_peers_run(&table, model, video, 3, &stop) != VRS_OK)
        return 1;
    for (int32_t i = 0; i < table.peer_count; i++)
        printf("%s|%s|%.1f|%.1f\n", peers[i].name, peers[i].what, peers[i].fps,
               peers[i].latency_ms);
    printf("%s\n", table.peers_note);
    return 0;
}

/* ---- the test ---- */

static void put(const char *name, const char *text, mode_t mode)
{
    char path[400];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
    static const char *const folders[] = {"", "/build", "/bench", "/bench/peers"};
    char path[400], own[400], command[900];
    (void)state;
    temp_make(folder, sizeof(folder));
    for (size_t i = 1; i < sizeof(folders) / sizeof(folders[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", folder, folders[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    assert_true(length > 0);
    own[length] = 0;
    (void)snprintf(command, sizeof(command), "cp '%s' '%s/build/test'", own, folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): names of the test's own */
    /* In place of both Pythons: what the script would print, and how it ends. */
    put("python",
        "#!/bin/sh\n"
        "case $1 in\n"
        "*/torch_engine.py)\n"
        "echo '{\"versions\": {\"torch\": \"2\"}}'\n"
        "echo \"{\\\"peer\\\": \\\"torch on $3\\\", \\\"precision\\\": \\\"f32\\\", "
        "\\\"batch\\\": 2, \\\"rate_us\\\": 1000, \\\"latency_us\\\": 1500}\"\n"
        "exit ${TEST_TORCH_EXIT:-0};;\n"
        "*) echo 'no JSON'; echo '{\"peer\": \"other\", \"reason\": \"no compiler\"}'\n"
        "echo "
        "'{\"peer\": \"script\", \"fps\": 12.5}';;\n"
        "esac\n",
        0755);
    (void)snprintf(path, sizeof(path), "%s/python", folder);
    assert_int_equal(setenv("VRSEG_TORCH_PYTHON", path, 1), 0);
    assert_int_equal(setenv("VRSEG_PEERS_PYTHON", path, 1), 0);
    assert_int_equal(setenv("TEST_FOLDER", folder, 1), 0);
    assert_int_equal(unsetenv("TEST_TORCH_EXIT"), 0);
    put("network.onnx", "", 0644);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_remove(folder);
    return 0;
}

static void expect(const char *arguments, const char *expected)
{
    char command[800], out[300], *text = NULL;
    size_t size = 0;
    (void)snprintf(out, sizeof(out), "%s/out", folder);
    (void)snprintf(command, sizeof(command), "'%s/build/test' %s >'%s'", folder, arguments, out);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    assert_int_equal(vrs_file_read(out, 1 << 16, &text, &size), VRS_OK);
    if (strstr(text, expected) == NULL)
        fail_msg("\"%s\" is not in:\n%s", expected, text);
    vrs_free(text);
}

static void test_cpu(void **state)
{
    (void)state;
    expect("cpu video.mp4", "other|not run: no compiler|-1.0|-1.0\n"
                            "script|video to masks, f32 B1|12.5|-1.0\n"
                            "torch on cpu|the network alone, f32 B2|2000.0|1.5\n\n");
    expect("cpu", "OpenCV and ONNX Runtime|not run|-1.0|-1.0\n"
                  "torch on cpu|the network alone, f32 B2|2000.0|1.5\n"
                  "OpenCV and ONNX Runtime: not run: it takes a video: leave out --from memory.\n");
}

static void test_gpu(void **state)
{
    (void)state;
    expect("gpu", "torch on cuda|the network alone, f32 B2|2000.0|1.5\n\n");
}

static void test_not_installed(void **state)
{
    (void)state;
    setenv("TEST_TORCH_EXIT", "77", 1);
    expect("gpu", "PyTorch|not installed|-1.0|-1.0\nPyTorch: not run: ");
    setenv("TEST_TORCH_EXIT", "1", 1);
    expect("gpu", "PyTorch|not run|-1.0|-1.0\nPyTorch: not run: ");
    setenv("VRSEG_TORCH_PYTHON", "/nowhere/python", 1);
    setenv("VRSEG_PEERS_PYTHON", "/nowhere/python", 1);
    expect("cpu video.mp4", "OpenCV and ONNX Runtime|not installed|-1.0|-1.0\n"
                            "PyTorch|not installed|-1.0|-1.0\n"
                            "OpenCV and ONNX Runtime: not run: /nowhere/python is missing: run "
                            "`make peers`");
    expect("cpu video.mp4", " PyTorch: not run: /nowhere/python is missing: run `make torch`");
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return be_copy(strcmp(argv[1], "gpu") == 0, argc > 2 ? argv[2] : NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cpu, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gpu, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_installed, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("bench peers", tests, NULL, NULL);
}
