/* What a budget that turned out too small must be at least. */
#include <stdio.h>

#include "device/memory_internal.h"

void vrs_memory_note_refusal(vrs_memory *memory, vrs_memory_place place, uint64_t needed)
{
    vrs_mutex_lock(&memory->lock);
    vrs_account *account = vrs_memory_account(memory, place);
    if (needed > account->refused)
        account->refused = needed;
    vrs_mutex_unlock(&memory->lock);
}

void vrs_memory_forget_refusals(vrs_memory *memory)
{
    if (memory == NULL)
        return;
    vrs_mutex_lock(&memory->lock);
    for (int place = 0; place < VRS_MEMORY_PLACES; place++)
        memory->accounts[place].refused = 0;
    vrs_mutex_unlock(&memory->lock);
}

vrs_status vrs_memory_blame_budget(vrs_memory *memory, vrs_status status)
{
    static const struct {
        const char *what, *option;
    } names[VRS_MEMORY_PLACES] = {[VRS_MEMORY_PLACE_DEVICE] = {"GPU memory", "gpu_memory"},
                                  [VRS_MEMORY_PLACE_PINNED] = {"pinned memory", "pinned_memory"}};
    if (status != VRS_NO_MEMORY || memory == NULL || !memory->cuda)
        return status;
    char why[VRS_DETAIL_SIZE];
    char text[2][VRS_BYTES_TEXT];
    (void)snprintf(why, sizeof why, "%s", vrs_last_error());
    for (int place = 0; place < VRS_MEMORY_PLACES; place++) {
        vrs_mutex_lock(&memory->lock);
        vrs_account account = memory->accounts[place];
        vrs_mutex_unlock(&memory->lock);
        if (names[place].what != NULL && account.chosen && account.refused > account.limit) {
            return vrs_fail(VRS_INVALID,
                            "the budget of %s is %s, and at least %s are needed: raise %s (%.350s)",
                            names[place].what, vrs_bytes_text(account.limit, text[0]),
                            vrs_bytes_text(account.refused, text[1]), names[place].option, why);
        }
    }
    return status;
}
