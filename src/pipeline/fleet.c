/* A fleet's devices: opening, making, ending, and what is told of them. */
#include "pipeline/fleet.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "pipeline/fleet_internal.h"
#include "pipeline/internal.h"
#include "vrseg/log.h"

#define NAME_SIZE 32

/* ---- opening -------------------------------------------------------------------------------- */

void vrs_fleet_add_text(char *text, size_t size, const char *separator, const char *more)
{
    size_t length = strlen(text);
    (void)snprintf(text + length, size - length, "%s%s", length > 0 ? separator : "", more);
}

static vrs_status take_place(vrs_fleet *fleet, const vrs_place *place)
{
    vrs_member *member = &fleet->members[fleet->count];
    member->fleet = fleet;
    member->index = fleet->count;
    member->place = *place;
    fleet->count++;
    vrs_fleet_add_text(fleet->device, sizeof(fleet->device), ", ", place->text);
    vrs_status status = vrs_mutex_init(&member->submitting);
    member->has_submitting = status == VRS_OK;
    return status;
}

static vrs_status open_one(vrs_fleet *fleet, const char *name, int32_t sharers)
{
    vrs_place place;
    vrs_status status = vrs_place_open_on(fleet->config, name, sharers, &place);
    if (status == VRS_OK)
        return take_place(fleet, &place);
    vrs_place_close(&place);
    return status;
}

/* Every GPU that can be used. How many share the host's memory is not known before all are open, so
 * they are looked at first. */
static vrs_status open_all(vrs_fleet *fleet)
{
    char names[VRS_MAX_PLACES][NAME_SIZE];
    char first[VRS_DETAIL_SIZE] = "";
    vrs_status refusal = VRS_OK;
    int32_t count = 0;
    for (int32_t i = 0; i < VRS_MAX_PLACES; i++) {
        vrs_device *device = NULL;
        (void)snprintf(names[count], NAME_SIZE, "cuda:%d", i);
        vrs_status status = vrs_device_open(names[count], &device);
        vrs_device_close(device);
        if (status == VRS_OK) {
            count++;
            continue;
        }
        if (refusal == VRS_OK) {
            refusal = status;
            (void)snprintf(first, sizeof(first), "%s", vrs_last_error());
        }
        if (status != VRS_UNSUPPORTED && status != VRS_NO_MEMORY && status != VRS_DEVICE)
            break; /* there is no GPU of this number, or no driver */
        vrs_fleet_add_text(fleet->skipped, sizeof(fleet->skipped), "; ", vrs_last_error());
    }
    if (count == 0)
        return vrs_fail(refusal, "device all: %.400s", first);
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < count && status == VRS_OK; i++)
        status = open_one(fleet, names[i], count);
    return status;
}

/* Splits a list of GPUs with commas between. */
static vrs_status split(const char *list, char names[VRS_MAX_PLACES][NAME_SIZE], int32_t *count)
{
    const char *rest = list;
    *count = 0;
    while (rest != NULL) {
        size_t length = strcspn(rest, ",");
        if (*count == VRS_MAX_PLACES)
            return vrs_fail(VRS_INVALID, "device %.100s: at most %d devices", list, VRS_MAX_PLACES);
        if (length < 4 || length >= NAME_SIZE || strncmp(rest, "cuda", 4) != 0)
            return vrs_fail(VRS_INVALID,
                            "device %.100s: \"%.*s\" is no GPU; several devices are GPUs, as in "
                            "cuda:0,cuda:1, or all",
                            list, (int)(length < NAME_SIZE ? length : NAME_SIZE), rest);
        (void)snprintf(names[*count], NAME_SIZE, "%.*s", (int)length, rest);
        (*count)++;
        rest = rest[length] == ',' ? rest + length + 1 : NULL;
    }
    return VRS_OK;
}

/* "cuda" and "cuda:0" are the same one: compared are the devices that were opened. */
static vrs_status refuse_twice(const vrs_fleet *fleet, const char *list)
{
    const vrs_member *last = &fleet->members[fleet->count - 1];
    const char *id = vrs_device_get_properties(last->place.device)->id;
    for (int32_t i = 0; i + 1 < fleet->count; i++)
        if (strcmp(vrs_device_get_properties(fleet->members[i].place.device)->id, id) == 0)
            return vrs_fail(VRS_INVALID, "device %.100s: %s is in it twice", list, id);
    return VRS_OK;
}

static vrs_status open_places(vrs_fleet *fleet)
{
    const char *name = vrs_config_get(fleet->config, "device");
    if (strcmp(name, "all") == 0)
        return open_all(fleet);
    if (strchr(name, ',') == NULL)
        return open_one(fleet, name, 1);
    char names[VRS_MAX_PLACES][NAME_SIZE];
    int32_t count;
    vrs_status status = split(name, names, &count);
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        status = open_one(fleet, names[i], count);
        if (status == VRS_OK)
            status = refuse_twice(fleet, name);
    }
    return status;
}

/* Whether frames follow from each other, and how many a device has in flight. */
static vrs_status read_settings(vrs_fleet *fleet)
{
    vrs_pipeline_settings settings = {0};
    const vrs_model_spec *spec = vrs_model_get_spec(fleet->model);
    bool gpu = fleet->members[0].place.device != NULL;
    vrs_status status =
        vrs_settings_read(fleet->config, spec, gpu, vrs_settings_network_on_gpu(fleet->config, gpu),
                          fleet->members[0].place.streams, &settings);
    int32_t others = 0;
    if (status == VRS_OK)
        status = vrs_fleet_fallback_tickets(fleet, &others);
    fleet->temporal = settings.smooth || spec->state_count > 0;
    fleet->tickets = settings.tickets > others ? settings.tickets : others;
    return status;
}

static vrs_status fill_fleet(vrs_fleet *fleet)
{
    vrs_status status = vrs_mutex_init(&fleet->lock);
    fleet->has_lock = status == VRS_OK;
    if (status == VRS_OK) {
        status = vrs_cond_init(&fleet->changed);
        fleet->has_changed = status == VRS_OK;
    }
    if (status == VRS_OK) {
        status = vrs_mutex_init(&fleet->falling);
        fleet->has_falling = status == VRS_OK;
    }
    if (status == VRS_OK)
        status = open_places(fleet);
    if (status == VRS_OK)
        status = vrs_fleet_read_fallback(fleet);
    return status == VRS_OK ? read_settings(fleet) : status;
}

vrs_status vrs_fleet_create(const vrs_config *config, const vrs_model *model, vrs_fleet **out)
{
    vrs_fleet *fleet = vrs_alloc(sizeof(*fleet));
    if (fleet == NULL)
        return VRS_NO_MEMORY;
    fleet->config = config;
    fleet->model = model;
    vrs_status status = fill_fleet(fleet);
    if (status != VRS_OK) {
        vrs_fleet_destroy(fleet);
        return status;
    }
    *out = fleet;
    return VRS_OK;
}

vrs_status vrs_fleet_share(vrs_fleet *fleet, int32_t streams)
{
    fleet->shared_by = streams;
    for (int32_t i = 0; i < fleet->count; i++)
        fleet->members[i].place.streams = (streams + fleet->count - 1) / fleet->count;
    return read_settings(fleet);
}

/* ---- making --------------------------------------------------------------------------------- */

/* Devices that frames may go to in the course of a run. */
static int32_t places_of(const vrs_fleet *fleet)
{
    return fleet->count + (fleet->fallback[0] != 0 ? 1 : 0);
}

vrs_status vrs_fleet_tickets(const vrs_fleet *fleet, int32_t *one, int32_t *all)
{
    vrs_status status =
        vrs_place_tickets(fleet->config, fleet->model, &fleet->members[0].place, one);
    /* With others to go to, as many again for frames of lost devices. */
    int32_t devices = places_of(fleet);
    *all = devices > 1 ? 2 * fleet->tickets * devices : *one;
    return status;
}

/* Where the devices are lost while their networks are opened. */
static vrs_status replace_lost(vrs_fleet *fleet)
{
    if (vrs_fleet_alive(fleet))
        return VRS_OK;
    if (fleet->fallback[0] != 0)
        return vrs_fleet_take_over(fleet);
    return vrs_fail(VRS_DEVICE_LOST, "%s", fleet->loss);
}

static void lose(vrs_member *member)
{
    vrs_mutex_lock(&member->fleet->lock);
    vrs_fleet_lose(member, vrs_last_error());
    vrs_mutex_unlock(&member->fleet->lock);
}

vrs_status vrs_fleet_build(vrs_fleet *fleet, const struct vrs_engine_ops *ops)
{
    vrs_status status = VRS_OK;
    fleet->ops = ops;
    for (int32_t i = 0; i < fleet->count && status == VRS_OK; i++) {
        vrs_member *member = &fleet->members[i];
        status = vrs_pipeline_create_at(fleet->config, fleet->model, &member->place, ops,
                                        &member->pipeline);
        if (status == VRS_DEVICE_LOST) {
            lose(member);
            status = VRS_OK;
            continue;
        }
        if (status != VRS_OK)
            break;
        const char *text = vrs_pipeline_get_engine(member->pipeline);
        if (strstr(fleet->engine, text) == NULL)
            vrs_fleet_add_text(fleet->engine, sizeof(fleet->engine), "; ", text);
    }
    return status == VRS_OK ? replace_lost(fleet) : status;
}

vrs_status vrs_fleet_add_output(vrs_fleet *fleet, const vrs_output_desc *desc)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < fleet->count && status == VRS_OK; i++)
        if (fleet->members[i].pipeline != NULL)
            status = vrs_pipeline_add_output(fleet->members[i].pipeline, desc);
    if (status == VRS_OK && fleet->output_count < VRS_MAX_OUTPUTS)
        fleet->outputs[fleet->output_count++] = *desc;
    return status;
}

vrs_status vrs_fleet_start(vrs_fleet *fleet, vrs_fleet_deliver_fn deliver, void *opaque)
{
    fleet->deliver = deliver;
    fleet->opaque = opaque;
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < fleet->count && status == VRS_OK; i++)
        if (fleet->members[i].pipeline != NULL)
            status = vrs_pipeline_start(fleet->members[i].pipeline);
    for (int32_t i = 0; i < fleet->count && status == VRS_OK; i++)
        if (fleet->members[i].pipeline != NULL)
            status = vrs_thread_start(&fleet->members[i].collector, "vrs-collect",
                                      vrs_fleet_collect_main, &fleet->members[i]);
    vrs_mutex_lock(&fleet->lock);
    fleet->started = status == VRS_OK;
    vrs_mutex_unlock(&fleet->lock);
    return status;
}

/* ---- ending --------------------------------------------------------------------------------- */

/* With the lock. */
static bool in_flight(const vrs_fleet *fleet)
{
    for (int32_t i = 0; i < fleet->count; i++)
        if (fleet->members[i].in_flight > 0)
            return true;
    return false;
}

/* No pipeline is finished while a lost device's frames may go there. */
void vrs_fleet_finish(vrs_fleet *fleet)
{
    vrs_mutex_lock(&fleet->lock);
    while (in_flight(fleet))
        (void)vrs_cond_wait_until(&fleet->changed, &fleet->lock, INT64_MAX);
    vrs_mutex_unlock(&fleet->lock);
    for (int32_t i = 0; i < fleet->count; i++)
        if (fleet->members[i].pipeline != NULL)
            vrs_pipeline_finish(fleet->members[i].pipeline);
    for (int32_t i = 0; i < fleet->count; i++)
        vrs_thread_join(&fleet->members[i].collector);
}

/* A frame that was done again holds the ticket of its lost device: nothing may be in flight any
 * more when the first pipeline goes. */
void vrs_fleet_end(vrs_fleet *fleet)
{
    if (fleet->has_changed) {
        vrs_mutex_lock(&fleet->lock);
        fleet->stopping = true;
        vrs_mutex_unlock(&fleet->lock);
        vrs_fleet_finish(fleet);
    }
    for (int32_t i = 0; i < fleet->count; i++) {
        if (fleet->members[i].pipeline != NULL)
            vrs_pipeline_destroy(fleet->members[i].pipeline);
        fleet->members[i].pipeline = NULL;
    }
}

void vrs_fleet_destroy(vrs_fleet *fleet)
{
    if (fleet == NULL)
        return;
    vrs_fleet_end(fleet);
    for (int32_t i = 0; i < fleet->count; i++) {
        if (fleet->members[i].has_submitting)
            vrs_mutex_destroy(&fleet->members[i].submitting);
        vrs_place_close(&fleet->members[i].place);
    }
    for (int32_t i = 0; i < VRS_FLEET_STREAMS; i++)
        vrs_reorder_destroy(fleet->streams[i].order);
    if (fleet->has_falling)
        vrs_mutex_destroy(&fleet->falling);
    if (fleet->has_changed)
        vrs_cond_destroy(&fleet->changed);
    if (fleet->has_lock)
        vrs_mutex_destroy(&fleet->lock);
    vrs_free(fleet);
}

/* ---- what is told --------------------------------------------------------------------------- */

int32_t vrs_fleet_count(const vrs_fleet *fleet)
{
    return fleet->count;
}

const vrs_place *vrs_fleet_place(const vrs_fleet *fleet, int32_t index)
{
    return &fleet->members[index].place;
}

vrs_pipeline *vrs_fleet_pipeline(const vrs_fleet *fleet, int32_t index)
{
    return fleet->members[index].pipeline;
}

const char *vrs_fleet_device(const vrs_fleet *fleet)
{
    return atomic_load(&fleet->fell_back) ? fleet->device_then : fleet->device;
}

const char *vrs_fleet_engine(const vrs_fleet *fleet)
{
    return atomic_load(&fleet->fell_back) ? fleet->engine_then : fleet->engine;
}

bool vrs_fleet_alive(vrs_fleet *fleet)
{
    bool alive = false;
    vrs_mutex_lock(&fleet->lock);
    for (int32_t i = 0; i < fleet->count; i++)
        alive = alive || !fleet->members[i].lost;
    vrs_mutex_unlock(&fleet->lock);
    return alive;
}

void vrs_fleet_note(vrs_fleet *fleet, char *text, size_t size)
{
    char more[VRS_DETAIL_SIZE];
    text[0] = 0;
    vrs_mutex_lock(&fleet->lock);
    if (fleet->skipped[0] != 0) {
        (void)snprintf(more, sizeof(more), "not used: %.400s", fleet->skipped);
        vrs_fleet_add_text(text, size, "; ", more);
    }
    uint64_t moved = 0;
    for (int32_t i = 0; i < fleet->count; i++)
        moved += fleet->members[i].moved;
    if (fleet->loss[0] != 0 && (fleet->restarted > 0 || moved > 0)) {
        (void)snprintf(more, sizeof(more),
                       "%.300s; %llu frames were done again on another device, %llu streams whose "
                       "frames follow from each other began anew there",
                       fleet->loss, (unsigned long long)moved,
                       (unsigned long long)fleet->restarted);
        vrs_fleet_add_text(text, size, "; ", more);
    } else if (fleet->loss[0] != 0) {
        vrs_fleet_add_text(text, size, "; ", fleet->loss);
    }
    if (fleet->fell_back) {
        (void)snprintf(more, sizeof(more), "the run went on on %.300s", vrs_fleet_fallback(fleet));
        vrs_fleet_add_text(text, size, "; ", more);
    }
    if (fleet->no_fallback[0] != 0)
        vrs_fleet_add_text(text, size, "; ", fleet->no_fallback);
    vrs_mutex_unlock(&fleet->lock);
}

uint64_t vrs_fleet_delivered_by(vrs_fleet *fleet, int32_t index)
{
    vrs_mutex_lock(&fleet->lock);
    uint64_t delivered = fleet->members[index].delivered;
    vrs_mutex_unlock(&fleet->lock);
    return delivered;
}
