#include "pipeline/place.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/internal.h"

static vrs_status open_memory(const vrs_config *config, int32_t sharers, vrs_place *place)
{
    vrs_memory_settings settings = {0};
    vrs_status status =
        vrs_memory_parse_size(vrs_config_get(config, "gpu_memory"), &settings.limit);
    if (status == VRS_OK)
        status = vrs_memory_parse_size(vrs_config_get(config, "gpu_reserve"), &settings.reserve);
    if (status == VRS_OK)
        status =
            vrs_memory_parse_size(vrs_config_get(config, "pinned_memory"), &settings.host_limit);
    if (sharers > 1 && settings.host_limit == 0)
        settings.host_limit = vrs_memory_host_budget();
    settings.host_limit /= (uint64_t)sharers;
    if (status == VRS_OK)
        status = vrs_memory_create(place->device, &settings, &place->memory);
    return status;
}

vrs_status vrs_place_open_on(const vrs_config *config, const char *name, int32_t sharers,
                             vrs_place *place)
{
    memset(place, 0, sizeof(*place));
    (void)snprintf(place->text, sizeof(place->text), "cpu");
    if (strcmp(name, "cpu") == 0)
        return VRS_OK;
    vrs_status status = vrs_device_open(name, &place->device);
    if (status != VRS_OK)
        return status;
    (void)snprintf(place->text, sizeof(place->text), "%s", vrs_device_choice(place->device));
    if (vrs_device_get_properties(place->device)->kind == VRS_DEVICE_CPU) {
        vrs_device_close(place->device);
        place->device = NULL;
        return VRS_OK;
    }
    return open_memory(config, sharers, place);
}

vrs_status vrs_place_open(const vrs_config *config, vrs_place *place)
{
    const char *name = vrs_config_get(config, "device");
    memset(place, 0, sizeof(*place));
    if (strchr(name, ',') != NULL || strcmp(name, "all") == 0)
        return vrs_fail(VRS_INVALID,
                        "device %.100s: a pipeline works on one device; make one for each, or a "
                        "job, which takes several",
                        name);
    return vrs_place_open_on(config, name, 1, place);
}

void vrs_place_close(vrs_place *place)
{
    vrs_memory_destroy(place->memory);
    vrs_device_close(place->device);
    memset(place, 0, sizeof(*place));
}

vrs_status vrs_place_tickets(const vrs_config *config, const vrs_model *model,
                             const vrs_place *place, int32_t *tickets)
{
    vrs_pipeline_settings settings = {0};
    bool gpu = place->device != NULL;
    vrs_status status =
        vrs_settings_read(config, vrs_model_get_spec(model), gpu,
                          vrs_settings_network_on_gpu(config, gpu), place->streams, &settings);
    *tickets = settings.tickets;
    return status;
}
