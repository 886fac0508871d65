/* Settings that `vrseg tune` has found: which of them are those of a run. */
#include <string.h>

#include "cli/cli.h"

/* The GPU of a run with this configuration, -1: the CPU. */
static int32_t gpu_of(const vrs_config *config)
{
    const char *device = vrs_config_get(config, "device");
    int32_t number = 0, count = 0;
    if (strcmp(device, "cpu") == 0)
        return -1;
    if (sscanf(device, "cuda:%d", &number) == 1)
        return number;
    return vrs_gpu_count(&count) == VRS_OK ? 0 : -1;
}

vrs_status vrs_tuned_texts_make(const vrs_config *config, vrs_tuned_texts *t)
{
    vrs_model *model;
    vrs_status status = vrs_model_load(vrs_config_get(config, "model"), &model);
    if (status != VRS_OK)
        return status;
    vrs_model_info info = vrs_model_get_info(model);
    (void)snprintf(t->model, sizeof(t->model), "%.150s %dx%d", info.name, info.input_width,
                   info.input_height);
    vrs_model_destroy(model);
    (void)snprintf(t->precision, sizeof(t->precision), "%s", vrs_config_get(config, "precision"));
    char gpu[256];
    int32_t number = gpu_of(config);
    if (number >= 0 && vrs_gpu_describe(number, gpu, sizeof(gpu)) == VRS_OK) {
        char *driver = strstr(gpu, ", CUDA"); /* an update changes little */
        if (driver != NULL)
            *driver = 0;
        (void)snprintf(t->device, sizeof(t->device), "%.150s, %d cores", gpu, vrs_cpu_count());
    } else {
        (void)snprintf(t->device, sizeof(t->device), "%.150s, %d cores", vrs_cpu_name(),
                       vrs_cpu_count());
    }
    t->key = (vrs_tuned_key){t->model, t->precision, t->device};
    return VRS_OK;
}

vrs_status vrs_tuned_use(vrs_config *config, char *note)
{
    vrs_tuned_texts texts;
    vrs_status status = vrs_tuned_texts_make(config, &texts);
    return status == VRS_OK ? vrs_tuned_load(&texts.key, config, note) : status;
}
