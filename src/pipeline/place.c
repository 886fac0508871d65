#include "pipeline/place.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/internal.h"

static vrs_status read_size(const vrs_config *config, const char *option, uint64_t *bytes)
{
    char why[VRS_DETAIL_SIZE];
    vrs_status status = vrs_memory_parse_size(vrs_config_get(config, option), bytes);
    if (status == VRS_OK)
        return VRS_OK;
    (void)snprintf(why, sizeof(why), "%s", vrs_last_error());
    return vrs_fail(status, "%s: %.300s", option, why);
}

static vrs_status read_settings(const vrs_config *config, vrs_memory_settings *settings)
{
    vrs_status status = read_size(config, "gpu_memory", &settings->limit);
    if (status == VRS_OK)
        status = read_size(config, "gpu_reserve", &settings->reserve);
    if (status == VRS_OK)
        status = read_size(config, "pinned_memory", &settings->host_limit);
    return status;
}

static vrs_status open_memory(vrs_memory_settings *settings, int32_t sharers, vrs_place *place)
{
    if (sharers > 1 && settings->host_limit == 0)
        settings->host_limit = vrs_memory_host_budget();
    settings->host_limit /= (uint64_t)sharers;
    return vrs_memory_create(place->device, settings, &place->memory);
}

vrs_status vrs_place_open_on(const vrs_config *config, const char *name, int32_t sharers,
                             vrs_place *place)
{
    memset(place, 0, sizeof(*place));
    (void)snprintf(place->text, sizeof(place->text), "cpu");
    vrs_memory_settings settings = {0};
    vrs_status status = read_settings(config, &settings); /* where they do not matter, too */
    if (status != VRS_OK || strcmp(name, "cpu") == 0)
        return status;
    status = vrs_device_open(name, &place->device);
    if (status != VRS_OK)
        return status;
    (void)snprintf(place->text, sizeof(place->text), "%s", vrs_device_choice(place->device));
    if (vrs_device_get_properties(place->device)->kind == VRS_DEVICE_CPU) {
        vrs_device_close(place->device);
        place->device = NULL;
        return VRS_OK;
    }
    return open_memory(&settings, sharers, place);
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
