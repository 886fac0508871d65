/* Drivers that are not there, are no driver, are too old or show no GPU, each said in a sentence.
 * The argument is the stand-in driver's file; it reads its environment when it is loaded, so that
 * each case is a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/device.h"

static const char *fake;

typedef struct surroundings {
    const char *library;
    const char *variable, *value; /* one more variable, or NULL */
    vrs_status status;
    const char *words[2];
} surroundings;

static bool says(const surroundings *s)
{
    vrs_device *device;
    vrs_status status = vrs_device_open("cuda", &device);
    printf("%s: %s\n", vrs_status_name(status), vrs_last_error());
    bool right = status == s->status && strstr(vrs_last_error(), s->words[0]) &&
                 strstr(vrs_last_error(), s->words[1]);
    /* Left to choose, it is the CPU, and the reason is in the choice. */
    if (vrs_device_open("auto", &device) != VRS_OK)
        return false;
    right = right && strncmp(vrs_device_choice(device), "cpu (", 5) == 0 &&
            strstr(vrs_device_choice(device), s->words[0]) &&
            !strstr(vrs_device_choice(device), "install") &&
            strlen(vrs_device_choice(device)) < 100;
    vrs_device_close(device);
    return right;
}

static void said_in(const surroundings *s)
{
    (void)fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool set = setenv("VRSEG_CUDA_LIBRARY", s->library, 1) == 0;
        if (s->variable)
            set = set && setenv(s->variable, s->value, 1) == 0;
        bool right = set && says(s);
        (void)fflush(stdout);
        _exit(right ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void a_missing_driver_is_named(void **state)
{
    (void)state;
    said_in(&(surroundings){.library = "libcuda-that-is-not-there.so.1",
                            .status = VRS_MISSING,
                            .words = {"libcuda-that-is-not-there.so.1 cannot be opened",
                                      "install NVIDIA's driver, version 580 or newer"}});
}

static void a_missing_function_is_named(void **state)
{
    (void)state;
    said_in(&(surroundings){.library = "libc.so.6",
                            .status = VRS_MISSING,
                            .words = {"libc.so.6 has no function cuInit",
                                      "install NVIDIA's driver, version 580 or newer"}});
}

static void an_old_driver_is_named(void **state)
{
    (void)state;
    said_in(&(surroundings){.library = fake,
                            .variable = "VRSEG_FAKE_CUDA_DRIVER",
                            .value = "12080",
                            .status = VRS_UNSUPPORTED,
                            .words = {"it has CUDA 12.8, and vrseg needs 13.0",
                                      "install NVIDIA's driver, version 580 or newer"}});
}

static void no_gpu_is_said(void **state)
{
    (void)state;
    said_in(&(surroundings){.library = fake,
                            .variable = "VRSEG_FAKE_CUDA_DEVICES",
                            .value = "0",
                            .status = VRS_MISSING,
                            .words = {"shows no GPU", "that this process may use"}});
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        printf("usage: %s FAKE_CUDA\n", argv[0]);
        return 2;
    }
    fake = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_driver_is_named),
        cmocka_unit_test(a_missing_function_is_named),
        cmocka_unit_test(an_old_driver_is_named),
        cmocka_unit_test(no_gpu_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
