/* Memory that other libraries take by themselves: measured around their calls, or told. */
#include "device/memory_internal.h"

/* What is booked for the manager's own blocks. `lock` is held. */
static uint64_t own_bytes(const vrs_memory *memory)
{
    const vrs_account *account = &memory->accounts[VRS_MEMORY_PLACE_DEVICE];
    return account->used - account->measured;
}

vrs_status vrs_memory_measure_begin(vrs_memory *memory, vrs_memory_owner owner, uint64_t expected)
{
    if (owner < VRS_MEMORY_FIRST_MEASURED || owner >= VRS_MEMORY_OWNERS) {
        return vrs_fail(VRS_INVALID, "%s are the manager's own: their memory is not measured",
                        vrs_memory_owner_name(owner));
    }
    expected = memory->cuda ? expected : 0;
    vrs_mutex_lock(&memory->measure_lock);
    vrs_status status = VRS_OK;
    if (expected != 0) {
        status = vrs_memory_claim(memory, VRS_MEMORY_PLACE_DEVICE, owner, expected);
        if (status != VRS_OK) {
            vrs_mutex_unlock(&memory->measure_lock);
            return status;
        }
    }
    uint64_t total = 0;
    memory->measure = (vrs_measure){.owner = owner, .expected = expected};
    if (memory->cuda && !vrs_memory_device_info(memory, &memory->measure.free_before, &total))
        memory->measure.free_before = UINT64_MAX;
    vrs_mutex_lock(&memory->lock);
    memory->measure.ours_before = own_bytes(memory);
    vrs_mutex_unlock(&memory->lock);
    return VRS_OK;
}

/* What the library took, or gave back: 0 where the device cannot say. */
static int64_t difference(vrs_memory *memory, const vrs_measure *measure, uint64_t ours_now)
{
    uint64_t free_now = 0;
    uint64_t total = 0;
    if (!memory->cuda || measure->free_before == UINT64_MAX ||
        !vrs_memory_device_info(memory, &free_now, &total))
        return 0;
    return (int64_t)(measure->free_before - free_now) - (int64_t)(ours_now - measure->ours_before);
}

vrs_status vrs_memory_measure_end(vrs_memory *memory, int64_t *taken)
{
    vrs_measure measure = memory->measure;
    vrs_mutex_lock(&memory->lock);
    uint64_t ours_now = own_bytes(memory);
    vrs_mutex_unlock(&memory->lock);
    int64_t bytes = difference(memory, &measure, ours_now);
    vrs_mutex_lock(&memory->lock);
    vrs_memory_adjust(memory, VRS_MEMORY_PLACE_DEVICE, measure.owner, -(int64_t)measure.expected);
    vrs_memory_adjust(memory, VRS_MEMORY_PLACE_DEVICE, measure.owner, bytes);
    vrs_account *account = &memory->accounts[VRS_MEMORY_PLACE_DEVICE];
    uint64_t used = account->used;
    uint64_t limit = account->limit;
    vrs_mutex_unlock(&memory->lock);
    vrs_mutex_unlock(&memory->measure_lock);
    if (taken != NULL)
        *taken = bytes;
    if (bytes > 0 && used > limit) {
        vrs_memory_note_refusal(memory, VRS_MEMORY_PLACE_DEVICE, used);
        char text[3][VRS_BYTES_TEXT];
        return vrs_fail(VRS_NO_MEMORY,
                        "the %s took %s of device memory, which makes %s of a "
                        "budget of %s: raise gpu_memory",
                        vrs_memory_owner_name(measure.owner),
                        vrs_bytes_text((uint64_t)bytes, text[0]), vrs_bytes_text(used, text[1]),
                        vrs_bytes_text(limit, text[2]));
    }
    return VRS_OK;
}

vrs_status vrs_memory_book(vrs_memory *memory, vrs_memory_place place, vrs_memory_owner owner,
                           int64_t bytes)
{
    if (bytes > 0)
        return vrs_memory_claim(memory, place, owner, (uint64_t)bytes);
    vrs_mutex_lock(&memory->lock);
    vrs_memory_adjust(memory, place, owner, bytes);
    vrs_mutex_unlock(&memory->lock);
    return VRS_OK;
}
