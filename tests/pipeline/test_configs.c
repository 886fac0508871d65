/* The configurations that are installed, alone and in pairs: a pipeline takes their settings, and
 * the reference machine's are what a pipeline then has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/memory.h"
#include "pipeline/internal.h"
#include "vrseg/job.h"

#define MAX_FILES 64

static struct {
    char path[1024];
    char title[64];
} files[MAX_FILES];
static int file_count;

static bool note_file(void *opaque, const char *name, const char *path, const char *title)
{
    (void)name;
    const char *folder = opaque;
    bool ours = strncmp(path, folder, strlen(folder)) == 0;
    if (ours && file_count < MAX_FILES) {
        snprintf(files[file_count].path, sizeof(files[0].path), "%s", path);
        snprintf(files[file_count].title, sizeof(files[0].title), "%.60s", title);
        file_count++;
    }
    return true;
}

static vrs_config *load(const char *first, const char *second)
{
    vrs_config *config = NULL;
    assert_int_equal(vrs_job_config_create(&config), VRS_OK);
    if (vrs_config_load(config, first) != VRS_OK ||
        (second != NULL && vrs_config_load(config, second) != VRS_OK))
        fail_msg("%s", vrs_last_error());
    return config;
}

/* As the pipeline does with a GPU and without one. */
static void read_settings(const vrs_config *config, bool gpu, vrs_pipeline_settings *settings,
                          const char *first, const char *second)
{
    const vrs_model_spec spec = {0};
    bool there = vrs_settings_network_on_gpu(config, gpu);
    if (vrs_settings_read(config, &spec, gpu, there, 0, settings) != VRS_OK)
        fail_msg("%s, %s: %s", first, second, vrs_last_error());
    static const char *const sizes[] = {"gpu_memory", "gpu_reserve", "pinned_memory"};
    for (int i = 0; i < 3; i++) {
        uint64_t bytes = 0;
        assert_int_equal(vrs_memory_parse_size(vrs_config_get(config, sizes[i]), &bytes), VRS_OK);
    }
}

static void test_each_and_each_pair(void **state)
{
    (void)state;
    assert_true(file_count > 8 && file_count < MAX_FILES);
    for (int i = 0; i < file_count; i++) {
        for (int j = -1; j < file_count; j++) {
            const char *second = j >= 0 ? files[j].path : NULL;
            vrs_config *config = load(files[i].path, second);
            for (int gpu = 0; gpu < 2; gpu++) {
                vrs_pipeline_settings settings;
                read_settings(config, gpu != 0, &settings, files[i].path, second);
                assert_int_equal(settings.lanes > 0, gpu);
            }
            vrs_config_destroy(config);
        }
    }
}

static void test_reference_machine(void **state)
{
    (void)state;
    vrs_config *config = load("rtx3090-threadripper-24gb", NULL);
    vrs_pipeline_settings settings;
    read_settings(config, true, &settings, "", "");
    assert_int_equal(settings.lanes, 4);
    assert_int_equal(settings.max_batch, 8);
    read_settings(config, false, &settings, "", "");
    assert_int_equal(settings.postprocess_threads, 16);
    assert_int_equal(vrs_config_int(config, "decoder_threads", 0), 8);
    assert_int_equal(vrs_config_int(config, "encoder_threads", 0), 8);
    uint64_t bytes = 0;
    assert_int_equal(vrs_memory_parse_size(vrs_config_get(config, "gpu_memory"), &bytes), VRS_OK);
    assert_true(bytes == 24000000000);
    vrs_config_destroy(config);
    config = load("rtx3090-threadripper-48gb", NULL);
    assert_int_equal(vrs_memory_parse_size(vrs_config_get(config, "gpu_memory"), &bytes), VRS_OK);
    assert_true(bytes == 48000000000);
    vrs_config_destroy(config);
}

static void test_vr(void **state)
{
    (void)state;
    vrs_config *config = load("vr", NULL);
    vrs_pipeline_settings settings;
    read_settings(config, false, &settings, "", "");
    assert_string_equal(settings.layout, "sbs");
    assert_int_equal(settings.max_batch, 2);
    assert_int_equal(settings.tickets, 4);
    assert_true(settings.smooth);
    assert_int_equal(settings.batch.latency_target_ns, 50000000);
    assert_int_equal(settings.batch.queue.max_queue_delay_ns, 500000);
    vrs_config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_and_each_pair),
        cmocka_unit_test(test_reference_machine),
        cmocka_unit_test(test_vr),
    };
    char *folder = getenv("VRSEG_CONFIGS_DIR");
    if (folder == NULL || vrs_config_list(note_file, folder) != VRS_OK) {
        fprintf(stderr, "VRSEG_CONFIGS_DIR must be the folder of the configurations\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
