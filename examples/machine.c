/* What this machine has for vrseg, and how it would be set: machine [CONFIGURATION [SAVED.yaml]] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <vrseg/job.h>
#include <vrseg/vrseg.h>

static void check(vrs_status status)
{
    if (status == VRS_OK)
        return;
    (void)fprintf(stderr, "machine: %s\n", vrs_last_error());
    exit(1);
}

/* A part that may be missing: what it is, or how to get it. */
static void show_part(const char *what, vrs_status status, const char *found)
{
    printf("%s: %s\n", what, status == VRS_OK ? found : vrs_last_error());
}

static void show_parts(void)
{
    char version[128] = "", folder[1024] = "";
    printf("vrseg %s on %s, %" PRId32 " cores, %s\n", vrs_version(), vrs_cpu_name(),
           vrs_cpu_count(), vrs_cpu_isa());
    show_part("OpenVINO", vrs_openvino_info(version, sizeof(version), folder, sizeof(folder)),
              version);
    show_part("ONNX Runtime",
              vrs_onnxruntime_info(version, sizeof(version), folder, sizeof(folder)), version);
    show_part("cuDNN", vrs_cudnn_info(version, sizeof(version)), version);
    vrs_media_info(version, sizeof(version));
    printf("libav: %s\n", version);
    show_part("kept plans", vrs_plans_folder(folder, sizeof(folder)), folder);
    show_part("kept settings", vrs_tuned_folder(folder, sizeof(folder)), folder);
}

static void show_gpus(void)
{
    int32_t count = 0;
    char text[256] = "";
    if (vrs_gpu_count(&count) != VRS_OK)
        printf("GPUs: %s\n", vrs_last_error());
    for (int32_t i = 0; i < count; i++)
        show_part("GPU", vrs_gpu_describe(i, text, sizeof(text)), text);
    if (vrs_monitor_count(&count) != VRS_OK)
        count = 0;
    for (int32_t i = 0; i < count; i++) {
        vrs_monitor *monitor;
        vrs_monitor_reading now;
        if (vrs_monitor_open(i, &monitor) != VRS_OK)
            continue;
        if (vrs_monitor_read(monitor, &now) == VRS_OK)
            printf("%s, driver %s: %.0f %% busy, %.1f GB free, %" PRId32 " degrees\n",
                   vrs_monitor_name(monitor), vrs_monitor_driver(monitor), now.gpu_percent,
                   (double)now.memory_free / 1e9, now.temperature_c);
        vrs_monitor_close(monitor);
    }
}

static bool show_model(void *opaque, const vrs_model_info *info)
{
    (void)opaque;
    printf("model %s: %s, %" PRId32 "x%" PRId32 "%s\n", info->name, info->licence,
           info->input_width, info->input_height, info->installed ? "" : ", not installed");
    return true;
}

static bool show_configuration(void *opaque, const char *name, const char *path, const char *title)
{
    (void)opaque;
    (void)path;
    printf("configuration %s: %s\n", name, title);
    return true;
}

/* Where each value that is no default comes from. */
static void show_settings(const char *name, const char *saved)
{
    static const char *const layers[] = {"default", "file", "environment", "set"};
    vrs_config *config;
    check(vrs_job_config_create(&config)); /* the options of files and outputs too */
    check(vrs_config_load(config, name));
    check(vrs_config_set(config, "tickets", "12"));
    for (size_t i = 0; i < vrs_config_count(config); i++) {
        const vrs_option_info *o = vrs_config_option(config, i);
        vrs_config_layer layer = vrs_config_get_layer(config, o->name);
        if (layer != VRS_LAYER_DEFAULT)
            printf("%s.%s = %s (%s%s%s)\n", o->section, o->name, vrs_config_get(config, o->name),
                   layers[layer], layer == VRS_LAYER_SET ? "" : " ",
                   vrs_config_get_place(config, o->name));
    }
    printf("tickets %" PRId64 ", smooth %s, threshold %.2f\n", vrs_config_int(config, "tickets", 0),
           vrs_config_bool(config, "smooth") ? "on" : "off",
           vrs_config_float(config, "threshold", 0.5));
    if (saved != NULL)
        check(vrs_config_save(config, saved));
    vrs_config_destroy(config);
}

static void say(void *opaque, vrs_log_level level, const char *line)
{
    (void)fprintf(opaque, "%s%s\n", level == VRS_LOG_ERROR ? "error: " : "", line);
}

int main(int argc, char **argv)
{
    char folder[1024];
    static const char *const parts[] = {"models", "configurations"};
    vrs_log_set(say, stderr, VRS_LOG_WARNING);
    show_parts();
    show_gpus();
    check(vrs_models_dir(folder, sizeof(folder)));
    printf("%s in %s\n", parts[0], folder);
    check(vrs_models_list(show_model, NULL));
    check(vrs_config_list(show_configuration, NULL));
    show_settings(argc > 1 ? argv[1] : "vr", argc > 2 ? argv[2] : NULL);
    printf("\"modles\" is near \"%s\"\n", vrs_nearest_name("modles", parts, 2));
    return 0;
}
