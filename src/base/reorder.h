/* Puts what finishes out of order back in order. Not locked: the caller serialises its use. */
#ifndef VRS_BASE_REORDER_H
#define VRS_BASE_REORDER_H

#include <stdint.h>

#include "vrseg/status.h"

typedef struct vrs_reorder vrs_reorder;

/* Returns owned. Sequence numbers start at 0; at most `capacity` (1..65536) numbers lie between
 * the next one to leave and the highest one put in. VRS_NO_MEMORY. */
VRS_API vrs_status vrs_reorder_create(uint32_t capacity, vrs_reorder **reorder) VRS_MUST_USE;
VRS_API void vrs_reorder_destroy(vrs_reorder *reorder);

/* Stores a non-NULL item under a number that was not used before (assertion). */
VRS_API void vrs_reorder_put(vrs_reorder *reorder, uint64_t sequence, void *item);

/* Takes the item of the next number, or NULL while it is not there. */
VRS_API void *vrs_reorder_next(vrs_reorder *reorder);

#endif
