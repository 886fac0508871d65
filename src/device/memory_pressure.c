/* Where memory is short: the manager's own pools first, then the handler, level by level. */
#include "base/clock.h"
#include "device/memory_internal.h"

/* A handler that always says that it gave something back ends here, level by level. */
#define MOST_ANSWERS 256

/* True while this thread is inside a handler: an allocation there could not be answered. */
static _Thread_local bool inside_handler;

void vrs_memory_on_pressure(vrs_memory *memory, vrs_pressure_fn fn, void *opaque)
{
    vrs_mutex_lock(&memory->lock);
    memory->pressure_fn = fn;
    memory->pressure_opaque = opaque;
    vrs_mutex_unlock(&memory->lock);
}

static bool ask_handler(vrs_memory *memory, const vrs_pressure *pressure)
{
    vrs_mutex_lock(&memory->lock);
    vrs_pressure_fn fn = memory->pressure_fn;
    void *opaque = memory->pressure_opaque;
    vrs_mutex_unlock(&memory->lock);
    if (fn == NULL)
        return false;
    inside_handler = true;
    bool given = fn(opaque, pressure);
    inside_handler = false;
    return given;
}

/* One question at the relief's level. */
static bool ask(vrs_memory *memory, vrs_pressure *pressure, const vrs_relief *relief)
{
    if (relief->level == 0)
        return relief->answers == 0 && vrs_memory_trim(memory) != 0;
    pressure->level = (vrs_pressure_level)relief->level;
    return relief->answers < MOST_ANSWERS && ask_handler(memory, pressure);
}

bool vrs_memory_relieve(vrs_memory *memory, vrs_pressure *pressure, vrs_relief *relief,
                        vrs_pressure_level last)
{
    if (inside_handler)
        return false;
    vrs_mutex_lock(&memory->lock);
    vrs_memory_account(memory, pressure->place)->pressures++;
    memory->last_pressure_ns = vrs_now_ns();
    vrs_mutex_unlock(&memory->lock);
    for (; relief->level <= (int)last; relief->level++, relief->answers = 0) {
        if (ask(memory, pressure, relief)) {
            relief->answers++;
            return true;
        }
    }
    return false;
}

bool vrs_memory_poll(vrs_memory *memory)
{
    vrs_relief relief = {0};
    bool pressed = false;
    for (;;) {
        uint64_t free_bytes = 0;
        uint64_t total = 0;
        if (!memory->cuda || !vrs_memory_device_info(memory, &free_bytes, &total) ||
            free_bytes >= memory->reserve)
            return pressed;
        pressed = true;
        vrs_pressure pressure = {.reason = VRS_PRESSURE_OTHERS,
                                 .place = VRS_MEMORY_PLACE_DEVICE,
                                 .owner = VRS_MEMORY_OTHERS,
                                 .missing = memory->reserve - free_bytes};
        if (!vrs_memory_relieve(memory, &pressure, &relief, VRS_PRESSURE_TICKETS))
            return true;
    }
}

int64_t vrs_memory_last_pressure_ns(const vrs_memory *memory)
{
    vrs_memory *self = (vrs_memory *)memory;
    vrs_mutex_lock(&self->lock);
    int64_t last = self->last_pressure_ns;
    vrs_mutex_unlock(&self->lock);
    return last;
}
