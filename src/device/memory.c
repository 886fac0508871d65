/* The manager itself: its life, blocks, the ledger. */
#include "device/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "device/memory_internal.h"
#include "device/monitor.h"
#include "device/raw.h"
#include "vrseg/log.h"

/* Every address is a multiple of it, and every small block is rounded up to it. */
#define BLOCK_ALIGNMENT 512

typedef struct block {
    vrs_memory_block shown; /* first: what callers hold */
    vrs_record record;
    vrs_memory *memory;
} block;

/* ---- life ---- */

static vrs_status init_locks(vrs_memory *memory)
{
    vrs_status status = vrs_mutex_init(&memory->lock);
    if (status != VRS_OK)
        return status;
    status = vrs_mutex_init(&memory->pools_lock);
    if (status == VRS_OK) {
        status = vrs_mutex_init(&memory->measure_lock);
        if (status == VRS_OK)
            return VRS_OK;
        vrs_mutex_destroy(&memory->pools_lock);
    }
    vrs_mutex_destroy(&memory->lock);
    return status;
}

static void destroy_locks(vrs_memory *memory)
{
    vrs_mutex_destroy(&memory->measure_lock);
    vrs_mutex_destroy(&memory->pools_lock);
    vrs_mutex_destroy(&memory->lock);
}

/* What this process holds on the device before anything was taken by the manager: its context and
 * kernels. 0: nobody can say. */
static uint64_t measure_context(vrs_device *device)
{
    vrs_monitor *monitor = NULL;
    uint64_t bytes = 0;
    if (vrs_monitor_open_pci(vrs_device_get_properties(device)->pci, &monitor) == VRS_OK &&
        vrs_monitor_process_memory(monitor, &bytes) != VRS_OK)
        bytes = 0;
    vrs_monitor_close(monitor);
    return bytes;
}

static vrs_status set_device_budget(vrs_memory *memory, const vrs_memory_settings *settings)
{
    vrs_account *account = &memory->accounts[VRS_MEMORY_PLACE_DEVICE];
    uint64_t context = settings->context != 0 ? settings->context : measure_context(memory->device);
    if (settings->limit != 0) {
        account->limit = settings->limit;
        account->chosen = true;
    } else {
        uint64_t free_bytes = 0;
        uint64_t total = 0;
        if (!vrs_memory_device_info(memory, &free_bytes, &total))
            return vrs_fail_in(VRS_DEVICE, "the device's free memory cannot be read");
        uint64_t left = free_bytes > settings->reserve ? free_bytes - settings->reserve : 0;
        account->limit = context + left;
    }
    vrs_mutex_lock(&memory->lock);
    vrs_memory_adjust(memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_CONTEXT, (int64_t)context);
    vrs_mutex_unlock(&memory->lock);
    if (account->used > account->limit) {
        char limit[VRS_BYTES_TEXT];
        char needed[VRS_BYTES_TEXT];
        return vrs_fail(VRS_INVALID,
                        "the budget of device memory is %s, but the driver's context alone takes "
                        "%s: raise gpu_memory",
                        vrs_bytes_text(account->limit, limit),
                        vrs_bytes_text(account->used, needed));
    }
    return VRS_OK;
}

static vrs_status set_budgets(vrs_memory *memory, const vrs_memory_settings *settings)
{
    uint64_t host = settings->host_limit != 0 ? settings->host_limit : vrs_memory_host_budget();
    if (!memory->cuda) {
        uint64_t limit = settings->limit != 0 ? settings->limit : host;
        memory->accounts[VRS_MEMORY_PLACE_DEVICE].limit = limit;
        return VRS_OK;
    }
    memory->accounts[VRS_MEMORY_PLACE_PINNED].limit = host;
    memory->accounts[VRS_MEMORY_PLACE_PINNED].chosen = settings->host_limit != 0;
    return set_device_budget(memory, settings);
}

static void find_granularity(vrs_memory *memory)
{
    memory->granularity = BLOCK_ALIGNMENT;
    size_t bytes = 0;
    if (vrs_device_get_properties(memory->device)->virtual_memory &&
        vrs_device_raw_granularity(memory->device, &bytes) == VRS_OK && bytes > BLOCK_ALIGNMENT)
        memory->granularity = bytes;
}

vrs_status vrs_memory_create(vrs_device *device, const vrs_memory_settings *settings,
                             vrs_memory **memory)
{
    *memory = NULL;
    vrs_memory *self = vrs_alloc(sizeof(*self));
    if (self == NULL)
        return VRS_NO_MEMORY;
    self->device = device;
    self->cuda = vrs_device_get_properties(device)->kind == VRS_DEVICE_CUDA;
    self->reserve = self->cuda ? settings->reserve : 0;
    vrs_status status = init_locks(self);
    if (status != VRS_OK) {
        vrs_free(self);
        return status;
    }
    find_granularity(self);
    status = set_budgets(self, settings);
    if (status != VRS_OK) {
        vrs_memory_destroy(self);
        return status;
    }
    *memory = self;
    return VRS_OK;
}

/* Leaks are a programming error of vrseg; the device gets its memory back all the same. */
static void drop_leaks(vrs_memory *memory)
{
    char text[2048];
    size_t count = vrs_memory_report(memory, text, sizeof(text));
    if (count != 0) {
        vrs_log(VRS_LOG_ERROR, "%zu blocks of device or pinned memory were never given back: %s",
                count, text);
    }
    while (memory->pools != NULL)
        vrs_pool_drop(memory->pools);
    while (memory->records != NULL) {
        vrs_record *record = memory->records;
        if (record->arena != NULL) {
            vrs_arena_destroy(record->arena);
        } else {
            block *leaked = (block *)((char *)record - offsetof(block, record));
            vrs_memory_free(memory, &leaked->shown);
        }
    }
}

void vrs_memory_destroy(vrs_memory *memory)
{
    if (memory == NULL)
        return;
    drop_leaks(memory);
    destroy_locks(memory);
    vrs_free(memory);
}

vrs_account *vrs_memory_account(vrs_memory *memory, vrs_memory_place place)
{
    assert(place == VRS_MEMORY_PLACE_DEVICE || place == VRS_MEMORY_PLACE_PINNED);
    return &memory->accounts[memory->cuda ? place : VRS_MEMORY_PLACE_DEVICE];
}

bool vrs_memory_device_info(const vrs_memory *memory, uint64_t *free_bytes, uint64_t *total_bytes)
{
    size_t free_size = 0;
    size_t total_size = 0;
    bool known = vrs_device_raw_info(memory->device, &free_size, &total_size) == VRS_OK;
    *free_bytes = free_size;
    *total_bytes = total_size;
    return known;
}

/* ---- blocks ---- */

/* What the driver really takes: larger blocks have pages of their own, small ones share them. */
static uint64_t booked_bytes(const vrs_memory *memory, size_t bytes)
{
    uint64_t unit = bytes >= memory->granularity / 2 ? memory->granularity : BLOCK_ALIGNMENT;
    return (bytes + unit - 1) / unit * unit;
}

static vrs_status take_block(void *opaque)
{
    block *self = opaque;
    vrs_device *device = self->memory->device;
    if (self->record.place == VRS_MEMORY_PLACE_PINNED) {
        vrs_status status = vrs_device_raw_host_alloc(device, self->shown.bytes, &self->shown.host);
        self->shown.address = (vrs_device_ptr)(uintptr_t)self->shown.host;
        return status;
    }
    vrs_status status = vrs_device_raw_alloc(device, self->shown.bytes, &self->shown.address);
    if (status == VRS_OK && !self->memory->cuda)
        self->shown.host = (void *)(uintptr_t)self->shown.address;
    return status;
}

vrs_status vrs_memory_alloc_at(vrs_memory *memory, vrs_memory_place place, vrs_memory_owner owner,
                               size_t bytes, const char *file, int line, vrs_memory_block **shown)
{
    *shown = NULL;
    if (bytes == 0 || bytes > SIZE_MAX / 2)
        return vrs_fail(VRS_INVALID, "a block of %zu bytes cannot be allocated", bytes);
    block *self = vrs_alloc(sizeof(*self));
    if (self == NULL)
        return VRS_NO_MEMORY;
    self->memory = memory;
    self->shown.bytes = bytes;
    self->record = (vrs_record){.place = place, .owner = owner, .file = file, .line = line};
    vrs_status status =
        vrs_memory_take(memory, &self->record, booked_bytes(memory, bytes), take_block, self);
    if (status != VRS_OK) {
        vrs_free(self);
        return status;
    }
    *shown = &self->shown;
    return VRS_OK;
}

void vrs_memory_free(vrs_memory *memory, vrs_memory_block *shown)
{
    if (shown == NULL)
        return;
    block *self = (block *)shown;
    assert(self->memory == memory);
    if (self->record.place == VRS_MEMORY_PLACE_PINNED)
        vrs_device_raw_host_free(memory->device, shown->host);
    else
        vrs_device_raw_free(memory->device, shown->address);
    vrs_memory_give(memory, &self->record, self->record.bytes);
    vrs_free(self);
}

/* ---- the ledger ---- */

uint64_t vrs_memory_add(vrs_memory *memory, vrs_memory_place place, vrs_memory_owner owner,
                        uint64_t bytes)
{
    vrs_account *account = vrs_memory_account(memory, place);
    uint64_t left = account->limit > account->used ? account->limit - account->used : 0;
    if (bytes > left)
        return bytes - left;
    vrs_memory_adjust(memory, place, owner, (int64_t)bytes);
    return 0;
}

int64_t vrs_memory_adjust(vrs_memory *memory, vrs_memory_place place, vrs_memory_owner owner,
                          int64_t bytes)
{
    vrs_account *account = vrs_memory_account(memory, place);
    uint64_t held = account->owners[owner].used;
    if (bytes < 0 && (uint64_t)-bytes > held)
        bytes = -(int64_t)held;
    account->owners[owner].used = held + (uint64_t)bytes;
    account->used += (uint64_t)bytes;
    if (owner >= VRS_MEMORY_FIRST_MEASURED)
        account->measured += (uint64_t)bytes;
    if (account->owners[owner].used > account->owners[owner].high_water)
        account->owners[owner].high_water = account->owners[owner].used;
    if (account->used > account->high_water)
        account->high_water = account->used;
    return bytes;
}

static void list_record(vrs_memory *memory, vrs_record *record)
{
    record->born_ns = vrs_now_ns();
    record->previous = NULL;
    record->next = memory->records;
    if (record->next != NULL)
        record->next->previous = record;
    memory->records = record;
    vrs_memory_account(memory, record->place)->owners[record->owner].blocks++;
}

static void unlist_record(vrs_memory *memory, vrs_record *record)
{
    if (record->previous != NULL)
        record->previous->next = record->next;
    else
        memory->records = record->next;
    if (record->next != NULL)
        record->next->previous = record->previous;
    vrs_memory_account(memory, record->place)->owners[record->owner].blocks--;
}

/* Booked by the caller, taken from the driver: into the ledger. */
static void write_record(vrs_memory *memory, vrs_record *record, uint64_t bytes)
{
    vrs_mutex_lock(&memory->lock);
    if (record->bytes == 0)
        list_record(memory, record);
    record->bytes += bytes;
    vrs_memory_account(memory, record->place)->allocations++;
    vrs_mutex_unlock(&memory->lock);
}

void vrs_memory_give(vrs_memory *memory, vrs_record *record, uint64_t bytes)
{
    assert(bytes <= record->bytes);
    vrs_mutex_lock(&memory->lock);
    vrs_memory_adjust(memory, record->place, record->owner, -(int64_t)bytes);
    vrs_memory_account(memory, record->place)->releases++;
    record->bytes -= bytes;
    if (record->bytes == 0)
        unlist_record(memory, record);
    vrs_mutex_unlock(&memory->lock);
}

/* ---- taking memory ---- */

/* How much less than the reserve would be free; 0: enough, or not known. */
static uint64_t missing_for_others(vrs_memory *memory, vrs_memory_place place, uint64_t bytes)
{
    uint64_t free_bytes = 0;
    uint64_t total = 0;
    if (!memory->cuda || place != VRS_MEMORY_PLACE_DEVICE || memory->reserve == 0 ||
        !vrs_memory_device_info(memory, &free_bytes, &total))
        return 0;
    uint64_t wanted = bytes + memory->reserve;
    return wanted > free_bytes ? wanted - free_bytes : 0;
}

/* Books, without the driver. VRS_NO_MEMORY says in `pressure` what is missing and why. */
static vrs_status admit(vrs_memory *memory, vrs_pressure *pressure)
{
    vrs_mutex_lock(&memory->lock);
    pressure->missing = vrs_memory_add(memory, pressure->place, pressure->owner, pressure->wanted);
    vrs_mutex_unlock(&memory->lock);
    if (pressure->missing != 0) {
        pressure->reason = VRS_PRESSURE_BUDGET;
        return VRS_NO_MEMORY;
    }
    pressure->missing = missing_for_others(memory, pressure->place, pressure->wanted);
    if (pressure->missing != 0) {
        pressure->reason = VRS_PRESSURE_OTHERS;
        return VRS_NO_MEMORY;
    }
    return VRS_OK;
}

/* Takes back what admit() booked. */
static void dismiss(vrs_memory *memory, const vrs_pressure *pressure)
{
    vrs_mutex_lock(&memory->lock);
    vrs_memory_adjust(memory, pressure->place, pressure->owner, -(int64_t)pressure->wanted);
    vrs_mutex_unlock(&memory->lock);
}

/* One try: what failed is not booked. */
static vrs_status try_take(vrs_memory *memory, vrs_pressure *pressure, vrs_memory_take_fn take,
                           void *opaque)
{
    vrs_status status = admit(memory, pressure);
    if (status != VRS_OK) {
        if (pressure->reason == VRS_PRESSURE_OTHERS)
            dismiss(memory, pressure);
        return status;
    }
    status = take != NULL ? take(opaque) : VRS_OK;
    if (status != VRS_OK) {
        dismiss(memory, pressure);
        pressure->reason = VRS_PRESSURE_FAILED;
        pressure->missing = pressure->wanted;
    }
    return status;
}

static vrs_status explain(vrs_memory *memory, const vrs_pressure *pressure)
{
    static const char *const reasons[] = {
        [VRS_PRESSURE_BUDGET] = "the budget is used up",
        [VRS_PRESSURE_FAILED] = "the driver has no more",
        [VRS_PRESSURE_OTHERS] = "other programs and the reserve for them (gpu_reserve) need it",
    };
    char wanted[VRS_BYTES_TEXT];
    char used[VRS_BYTES_TEXT];
    char limit[VRS_BYTES_TEXT];
    vrs_memory_stats stats;
    vrs_memory_get_stats(memory, pressure->place, &stats);
    if (pressure->reason == VRS_PRESSURE_BUDGET)
        vrs_memory_note_refusal(memory, pressure->place, stats.used + pressure->wanted);
    const char *pinned = pressure->place == VRS_MEMORY_PLACE_PINNED ? "pinned" : "device";
    return vrs_fail(VRS_NO_MEMORY, "%s of %s memory for %s are not to be had: %s; %s of %s in use",
                    vrs_bytes_text(pressure->wanted, wanted), pinned,
                    vrs_memory_owner_name(pressure->owner), reasons[pressure->reason],
                    vrs_bytes_text(stats.used, used), vrs_bytes_text(stats.budget, limit));
}

static vrs_status take_under_pressure(vrs_memory *memory, vrs_pressure *pressure,
                                      vrs_memory_take_fn take, void *opaque)
{
    vrs_relief relief = {0};
    for (;;) {
        vrs_status status = try_take(memory, pressure, take, opaque);
        if (status != VRS_NO_MEMORY)
            return status;
        if (!vrs_memory_relieve(memory, pressure, &relief, VRS_PRESSURE_WAIT))
            return explain(memory, pressure);
    }
}

vrs_status vrs_memory_take(vrs_memory *memory, vrs_record *record, uint64_t bytes,
                           vrs_memory_take_fn take, void *opaque)
{
    vrs_pressure pressure = {.place = record->place, .owner = record->owner, .wanted = bytes};
    vrs_status status = take_under_pressure(memory, &pressure, take, opaque);
    if (status == VRS_OK)
        write_record(memory, record, bytes);
    return status;
}

vrs_status vrs_memory_claim(vrs_memory *memory, vrs_memory_place place, vrs_memory_owner owner,
                            uint64_t bytes)
{
    vrs_pressure pressure = {.place = place, .owner = owner, .wanted = bytes};
    return take_under_pressure(memory, &pressure, NULL, NULL);
}
