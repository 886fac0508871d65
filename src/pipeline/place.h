/* Where a pipeline works: a GPU with its memory manager, or the CPU. Made from the configuration by
 * the pipeline itself, or before it by somebody who has more to do there (a decoder). */
#ifndef VRS_PIPELINE_PLACE_H
#define VRS_PIPELINE_PLACE_H

#include "device/device.h"
#include "device/memory.h"
#include "vrseg/config.h"
#include "vrseg/pipeline.h"

typedef struct vrs_place {
    vrs_device *device; /* NULL: the CPU */
    vrs_memory *memory;
    int32_t streams;            /* that will share a pipeline here, where that is known; else 0 */
    bool stands_in;             /* for a lost GPU: what of the engine's options needs one does not
                                 * count on the CPU */
    char text[VRS_DETAIL_SIZE]; /* one line for the user: "cuda:0 (NVIDIA H200)" */
} vrs_place;

/* By the options device, gpu_memory, gpu_reserve and pinned_memory. Close it also after a failure.
 * The errors of vrs_device_open() and vrs_memory_create(); VRS_INVALID: the option names several
 * devices, which are a fleet's (fleet.h). */
VRS_API vrs_status vrs_place_open(const vrs_config *config, vrs_place *place) VRS_MUST_USE;
/* The same on the device `name`, one of `sharers` that share what is the host's. */
VRS_API vrs_status vrs_place_open_on(const vrs_config *config, const char *name, int32_t sharers,
                                     vrs_place *place) VRS_MUST_USE;
/* The user's folder for caches. compile.c. VRS_INVALID: there is none. */
VRS_API vrs_status vrs_cache_folder(char *path, size_t size) VRS_MUST_USE;

/* When no pipeline, image or decoder uses it any more; a zeroed one is fine. */
VRS_API void vrs_place_close(vrs_place *place);

/* Frames of a stream that a pipeline of this configuration has in flight at this place, at most:
 * for who must know before there is one. The errors of the options. */
VRS_API vrs_status vrs_place_tickets(const vrs_config *config, const vrs_model *model,
                                     const vrs_place *place, int32_t *tickets) VRS_MUST_USE;

struct vrs_engine_ops;
/* As vrs_pipeline_create(), at a place that outlives the pipeline (NULL: by the configuration), on
 * a back end of the caller's (tests; NULL: the configured one). */
VRS_API vrs_status vrs_pipeline_create_at(const vrs_config *config, const vrs_model *model,
                                          const vrs_place *place, const struct vrs_engine_ops *ops,
                                          vrs_pipeline **pipeline) VRS_MUST_USE;

#endif
