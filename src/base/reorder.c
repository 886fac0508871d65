#include "base/reorder.h"

#include <assert.h>
#include <stddef.h>

#include "base/alloc.h"

struct vrs_reorder {
    uint64_t next; /* number that leaves next */
    uint32_t capacity;
    void *items[]; /* number n at n % capacity; NULL: not there */
};

vrs_status vrs_reorder_create(uint32_t capacity, vrs_reorder **reorder)
{
    assert(capacity >= 1 && capacity <= 65536);
    vrs_reorder *made = vrs_alloc(sizeof(*made) + capacity * sizeof(made->items[0]));
    if (made == NULL)
        return VRS_NO_MEMORY;
    made->capacity = capacity;
    *reorder = made;
    return VRS_OK;
}

void vrs_reorder_destroy(vrs_reorder *reorder)
{
    vrs_free(reorder);
}

void vrs_reorder_put(vrs_reorder *reorder, uint64_t sequence, void *item)
{
    assert(item != NULL);
    assert(sequence >= reorder->next && sequence - reorder->next < reorder->capacity);
    void **slot = &reorder->items[sequence % reorder->capacity];
    assert(*slot == NULL);
    *slot = item;
}

void *vrs_reorder_next(vrs_reorder *reorder)
{
    void **slot = &reorder->items[reorder->next % reorder->capacity];
    void *item = *slot;
    if (item != NULL) {
        *slot = NULL;
        reorder->next++;
    }
    return item;
}
