/* Figures of the manager, for programs and for people. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "device/memory_internal.h"

const char *vrs_memory_owner_name(vrs_memory_owner owner)
{
    static const char *const names[VRS_MEMORY_OWNERS] = {
#define OWNER_TEXT(number, name, text) [number] = text,
        VRS_MEMORY_OWNER_MAP(OWNER_TEXT)
#undef OWNER_TEXT
    };
    return (unsigned)owner < VRS_MEMORY_OWNERS ? names[owner] : "unknown";
}

const char *vrs_bytes_text(uint64_t bytes, char text[VRS_BYTES_TEXT])
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(text, VRS_BYTES_TEXT, unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
    return text;
}

/* Ages of the oldest blocks of a place. `lock` is held. */
static void find_oldest(const vrs_memory *memory, vrs_memory_place place,
                        const vrs_record *oldest[VRS_MEMORY_OWNERS])
{
    for (int owner = 0; owner < VRS_MEMORY_OWNERS; owner++)
        oldest[owner] = NULL;
    for (const vrs_record *r = memory->records; r != NULL; r = r->next) {
        bool here = !memory->cuda || r->place == place;
        if (here && (oldest[r->owner] == NULL || r->born_ns < oldest[r->owner]->born_ns))
            oldest[r->owner] = r;
    }
}

void vrs_memory_get_stats(const vrs_memory *memory, vrs_memory_place place, vrs_memory_stats *stats)
{
    vrs_memory *self = (vrs_memory *)memory; /* only its lock is changed */
    *stats = (vrs_memory_stats){0};
    bool device = place == VRS_MEMORY_PLACE_DEVICE;
    if (device && !vrs_memory_device_info(memory, &stats->device_free, &stats->device_total))
        stats->device_free = stats->device_total = 0;
    const vrs_record *oldest[VRS_MEMORY_OWNERS];
    vrs_mutex_lock(&self->lock);
    int64_t now = vrs_now_ns();
    const vrs_account *account = vrs_memory_account(self, place);
    stats->budget = account->limit;
    stats->used = account->used;
    stats->high_water = account->high_water;
    stats->measured = account->measured;
    stats->reserve = device ? memory->reserve : 0;
    stats->allocations = account->allocations;
    stats->releases = account->releases;
    stats->pressures = account->pressures;
    find_oldest(memory, place, oldest);
    for (int i = 0; i < VRS_MEMORY_OWNERS; i++) {
        stats->owners[i] = (vrs_memory_owner_stats){
            .used = account->owners[i].used,
            .high_water = account->owners[i].high_water,
            .blocks = account->owners[i].blocks,
            .oldest_ns = oldest[i] != NULL ? now - oldest[i]->born_ns : 0,
        };
    }
    vrs_mutex_unlock(&self->lock);
}

uint64_t vrs_memory_available(const vrs_memory *memory, vrs_memory_place place)
{
    vrs_memory_stats stats;
    vrs_memory_get_stats(memory, place, &stats);
    uint64_t available = stats.budget > stats.used ? stats.budget - stats.used : 0;
    if (memory->cuda && place == VRS_MEMORY_PLACE_DEVICE) {
        uint64_t left = stats.device_free > stats.reserve ? stats.device_free - stats.reserve : 0;
        available = left < available ? left : available;
    }
    return available;
}

/* ---- the report ---- */

typedef struct line {
    uint64_t bytes;
    uint32_t blocks;
    vrs_memory_place place;
    vrs_memory_owner owner;
    const vrs_record *oldest;
} line;

/* The largest that is left; its line is emptied by the caller. */
static line *largest(line *lines, size_t count)
{
    line *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (lines[i].blocks != 0 && (best == NULL || lines[i].bytes > best->bytes))
            best = &lines[i];
    return best;
}

/* Adds up the ledger; returns its blocks. `lock` is held. */
static size_t add_up(const vrs_memory *memory, line lines[VRS_MEMORY_PLACES * VRS_MEMORY_OWNERS])
{
    size_t count = 0;
    for (const vrs_record *r = memory->records; r != NULL; r = r->next, count++) {
        line *l = &lines[(int)r->place * VRS_MEMORY_OWNERS + (int)r->owner];
        l->place = r->place;
        l->owner = r->owner;
        l->bytes += r->bytes;
        l->blocks++;
        if (l->oldest == NULL || r->born_ns < l->oldest->born_ns)
            l->oldest = r;
    }
    return count;
}

static size_t print_line(const line *l, int64_t now, char *text, size_t size)
{
    char bytes[VRS_BYTES_TEXT];
    const char *file = strrchr(l->oldest->file, '/');
    int length = snprintf(text, size,
                          "%s: %s in %u block%s of %s memory, the oldest from %s:%d, "
                          "%.1f s ago\n",
                          vrs_memory_owner_name(l->owner), vrs_bytes_text(l->bytes, bytes),
                          l->blocks, l->blocks == 1 ? "" : "s",
                          l->place == VRS_MEMORY_PLACE_PINNED ? "pinned" : "device",
                          file != NULL ? file + 1 : l->oldest->file, l->oldest->line,
                          (double)(now - l->oldest->born_ns) / 1e9);
    return length > 0 ? (size_t)length : 0;
}

size_t vrs_memory_report(const vrs_memory *memory, char *text, size_t size)
{
    vrs_memory *self = (vrs_memory *)memory; /* only its lock is changed */
    line lines[VRS_MEMORY_PLACES * VRS_MEMORY_OWNERS] = {0};
    size_t at = 0;
    if (size != 0)
        text[0] = '\0';
    vrs_mutex_lock(&self->lock);
    size_t count = add_up(memory, lines);
    int64_t now = vrs_now_ns();
    for (line *l = largest(lines, VRS_MEMORY_PLACES * VRS_MEMORY_OWNERS); l != NULL && at < size;
         l = largest(lines, VRS_MEMORY_PLACES * VRS_MEMORY_OWNERS)) {
        at += print_line(l, now, text + at, size - at);
        l->blocks = 0;
    }
    vrs_mutex_unlock(&self->lock);
    return count;
}
