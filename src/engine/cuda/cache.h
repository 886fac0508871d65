/* Files of chosen plans: what of a network's compiling takes long, kept from run to run.
 *
 * A file belongs to a key: everything that the choice depends on (the network, precision, GPU,
 * driver, libraries). It is untrusted input: one that is cut, changed or of another key is
 * VRS_FORMAT with what is wrong, and is compiled anew. Files are replaced whole; the folder holds
 * at most VRS_PLANS_BYTES, the ones that were not read for longest go first. Private to cuda/ and
 * the command that lists them. */
#ifndef VRS_ENGINE_CUDA_CACHE_H
#define VRS_ENGINE_CUDA_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "vrseg/status.h"

#define VRS_PLANS_BYTES ((size_t)1 << 30)
#define VRS_PLANS_FILE_BYTES ((size_t)128 << 20)
#define VRS_PLANS_KEY 1024
#define VRS_PLANS_SUFFIX ".plans"

/* The plan of one node at one batch size. */
typedef struct vrs_plan_entry {
    int32_t batch, node;
    int32_t kind;      /* whose meaning is the engine's */
    int32_t candidate; /* of the provider */
    char provider[32], name[96];
    const void *data; /* the provider's own; in the file's memory */
    size_t bytes;
} vrs_plan_entry;

typedef struct vrs_plans vrs_plans;

/* An empty set for a key (copied, at most VRS_PLANS_KEY - 1 bytes). Returns owned. */
vrs_status vrs_plans_create(const char *key, vrs_plans **plans) VRS_MUST_USE;
void vrs_plans_destroy(vrs_plans *plans);

/* Adds a copy. VRS_NO_MEMORY; VRS_INVALID: the file would be too large. */
vrs_status vrs_plans_add(vrs_plans *plans, const vrs_plan_entry *entry) VRS_MUST_USE;
/* The entry of a node at a batch size; NULL: none. Borrowed. */
const vrs_plan_entry *vrs_plans_find(const vrs_plans *plans, int32_t batch, int32_t node);
int32_t vrs_plans_count(const vrs_plans *plans);
const vrs_plan_entry *vrs_plans_at(const vrs_plans *plans, int32_t index);
const char *vrs_plans_key(const vrs_plans *plans);

/* The bytes of a file. Returns owned (vrs_free()). */
vrs_status vrs_plans_format(const vrs_plans *plans, void **data, size_t *bytes) VRS_MUST_USE;
/* `key` NULL: any. Borrows the bytes. Returns owned. VRS_FORMAT, VRS_NO_MEMORY. */
vrs_status vrs_plans_parse(const void *data, size_t bytes, const char *key,
                           vrs_plans **plans) VRS_MUST_USE;

/* Reads and writes the key's file in a folder, which is made where it is missing. Read:
 * VRS_NOT_FOUND: there is none; VRS_FORMAT. Write: VRS_IO, VRS_PERMISSION, VRS_NO_MEMORY. */
vrs_status vrs_plans_read(const char *folder, const char *key, vrs_plans **plans) VRS_MUST_USE;
vrs_status vrs_plans_write(const char *folder, const vrs_plans *plans) VRS_MUST_USE;

#endif
