/* The device that takes over when all of a fleet's are lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/fleet_internal.h"
#include "pipeline/internal.h"
#include "vrseg/log.h"

/* ---- the option ----------------------------------------------------------------------------- */

static bool is_gpu(const char *name)
{
    return strncmp(name, "cuda", 4) == 0;
}

/* "cuda" or "cuda:N". */
static bool names_one_gpu(const char *name)
{
    const char *digits = name + 5;
    if (strcmp(name, "cuda") == 0)
        return true;
    return strncmp(name, "cuda:", 5) == 0 && digits[0] != 0 && strlen(digits) <= 4 &&
           strspn(digits, "0123456789") == strlen(digits);
}

/* A GPU is looked at before the run and not only when it is needed, hours later. */
static vrs_status look_at_gpu(const vrs_fleet *fleet, const char *name)
{
    vrs_device *device = NULL;
    vrs_status status = vrs_device_open(name, &device);
    if (status != VRS_OK) {
        char why[VRS_DETAIL_SIZE];
        (void)snprintf(why, sizeof(why), "%s", vrs_last_error());
        return vrs_fail(status, "device_fallback %s: %.400s", name, why);
    }
    const char *id = vrs_device_get_properties(device)->id;
    for (int32_t i = 0; i < fleet->count && status == VRS_OK; i++)
        if (strcmp(vrs_device_get_properties(fleet->members[i].place.device)->id, id) == 0)
            status = vrs_fail(VRS_INVALID,
                              "device_fallback %s: that GPU is among the run's own; name one that "
                              "is not, or cpu",
                              name);
    vrs_device_close(device);
    return status;
}

/* On the CPU nothing is lost. */
vrs_status vrs_fleet_read_fallback(vrs_fleet *fleet)
{
    const char *name = vrs_config_get(fleet->config, "device_fallback");
    bool gpu = fleet->members[0].place.device != NULL;
    if (strcmp(name, "auto") == 0) {
        bool chosen = strcmp(vrs_config_get(fleet->config, "device"), "auto") != 0;
        name = chosen ? "none" : "cpu";
    }
    bool known = strcmp(name, "none") == 0 || strcmp(name, "cpu") == 0 || names_one_gpu(name);
    if (!known)
        return vrs_fail(VRS_INVALID, "device_fallback %.100s: expected none, cpu, cuda:N or auto",
                        name);
    if (!gpu || strcmp(name, "none") == 0)
        return VRS_OK;
    vrs_status status = is_gpu(name) ? look_at_gpu(fleet, name) : VRS_OK;
    if (status == VRS_OK)
        (void)snprintf(fleet->fallback, sizeof(fleet->fallback), "%s", name);
    return status;
}

vrs_status vrs_fleet_fallback_tickets(const vrs_fleet *fleet, int32_t *tickets)
{
    *tickets = 0;
    if (fleet->fallback[0] == 0)
        return VRS_OK;
    vrs_place place = {.streams = fleet->shared_by};
    if (is_gpu(fleet->fallback))
        place.device = fleet->members[0].place.device; /* that it is one is all that counts */
    return vrs_place_tickets(fleet->config, fleet->model, &place, tickets);
}

/* ---- taking over ---------------------------------------------------------------------------- */

/* The memory that the lost ones have pinned is still theirs. */
static vrs_status make(vrs_fleet *fleet, vrs_member *member)
{
    member->fleet = fleet;
    member->index = fleet->count;
    vrs_status status =
        vrs_place_open_on(fleet->config, fleet->fallback, fleet->count + 1, &member->place);
    if (status != VRS_OK)
        return status;
    member->place.streams = fleet->shared_by;
    member->place.stands_in = true;
    status = vrs_mutex_init(&member->submitting);
    member->has_submitting = status == VRS_OK;
    if (status == VRS_OK)
        status = vrs_pipeline_create_at(fleet->config, fleet->model, &member->place, fleet->ops,
                                        &member->pipeline);
    return status;
}

static vrs_status start(vrs_fleet *fleet, vrs_member *member)
{
    vrs_status status = VRS_OK;
    for (uint32_t i = 0; i < fleet->output_count && status == VRS_OK; i++)
        status = vrs_pipeline_add_output(member->pipeline, &fleet->outputs[i]);
    if (status == VRS_OK)
        status = vrs_pipeline_start(member->pipeline);
    if (status == VRS_OK)
        status =
            vrs_thread_start(&member->collector, "vrs-collect", vrs_fleet_collect_main, member);
    return status;
}

static void drop(vrs_member *member)
{
    vrs_pipeline_destroy(member->pipeline);
    if (member->has_submitting)
        vrs_mutex_destroy(&member->submitting);
    vrs_place_close(&member->place);
    memset(member, 0, sizeof(*member));
}

/* From here on everybody sees the device. */
static void join_fleet(vrs_fleet *fleet, const vrs_member *member)
{
    vrs_mutex_lock(&fleet->lock);
    (void)snprintf(fleet->device_then, sizeof(fleet->device_then), "%.240s; then %.240s",
                   fleet->device, member->place.text);
    (void)snprintf(fleet->engine_then, sizeof(fleet->engine_then), "%.240s%s%.240s", fleet->engine,
                   fleet->engine[0] != 0 ? "; then " : "",
                   vrs_pipeline_get_engine(member->pipeline));
    fleet->count++;
    atomic_store(&fleet->fell_back, true);
    fleet->changes++;
    vrs_cond_broadcast(&fleet->changed);
    vrs_mutex_unlock(&fleet->lock);
}

vrs_status vrs_fleet_take_over(vrs_fleet *fleet)
{
    vrs_member *member = &fleet->members[fleet->count];
    fleet->tried = true;
    vrs_status status = make(fleet, member);
    if (status == VRS_OK && fleet->started)
        status = start(fleet, member);
    if (status == VRS_OK) {
        join_fleet(fleet, member);
        return VRS_OK;
    }
    char why[VRS_DETAIL_SIZE];
    (void)snprintf(why, sizeof(why), "%s", vrs_last_error());
    drop(member);
    return vrs_fail(status, "device_fallback %s: %.400s", fleet->fallback, why);
}

/* Who decodes may see first that a device is lost. */
static void look_for_lost(vrs_fleet *fleet)
{
    for (int32_t i = 0; i < fleet->count; i++) {
        vrs_member *member = &fleet->members[i];
        if (member->place.device == NULL || vrs_device_check(member->place.device) == VRS_OK)
            continue;
        vrs_mutex_lock(&fleet->lock);
        vrs_fleet_lose(member, vrs_last_error());
        vrs_mutex_unlock(&fleet->lock);
    }
}

static void note_failure(vrs_fleet *fleet)
{
    char why[VRS_DETAIL_SIZE];
    (void)snprintf(why, sizeof(why), "%s", vrs_last_error());
    vrs_log(VRS_LOG_WARNING, "%s", why);
    vrs_mutex_lock(&fleet->lock);
    (void)snprintf(fleet->no_fallback, sizeof(fleet->no_fallback), "%s", why);
    vrs_mutex_unlock(&fleet->lock);
}

bool vrs_fleet_fall_back(vrs_fleet *fleet)
{
    vrs_mutex_lock(&fleet->falling);
    look_for_lost(fleet);
    bool alive = vrs_fleet_alive(fleet);
    vrs_mutex_lock(&fleet->lock);
    bool wanted = !alive && fleet->started && !fleet->stopping && fleet->fallback[0] != 0;
    vrs_mutex_unlock(&fleet->lock);
    if (wanted && !fleet->tried) {
        alive = vrs_fleet_take_over(fleet) == VRS_OK;
        if (!alive)
            note_failure(fleet);
    }
    vrs_mutex_unlock(&fleet->falling);
    return alive;
}

const char *vrs_fleet_fallback(vrs_fleet *fleet)
{
    return atomic_load(&fleet->fell_back) ? fleet->members[fleet->count - 1].place.text : "";
}
