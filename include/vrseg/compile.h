/* Compiling a network for a GPU ahead of its use, and the folder of compiled plans. */
#ifndef VRSEG_COMPILE_H
#define VRSEG_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "model.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A node of a compiled network. Text borrows until the call returns. */
typedef struct vrs_compiled_node {
    int32_t batch;
    const char *name;  /* in the ONNX file */
    const char *does;  /* "conv 3x3 /2 +residual relu: 64x128x128 -> 128x64x64" */
    const char *plan;  /* who runs it: "cudnn engine 4 (2)" */
    int32_t fused;     /* nodes of the file that are in it */
    double micros;     /* when it was timed alone */
    double flops;      /* a multiplication with its addition is two */
    double bytes;      /* read and written, each once */
    bool tensor_cores; /* it runs on them */
} vrs_compiled_node;

/* A node's result beside plain C's, from the same random input. */
typedef struct vrs_checked_node {
    int32_t batch;
    const char *name, *does;
    double off;   /* root mean square of the difference over that of the result */
    double worst; /* largest difference */
    bool good;    /* within what the precision's roundings may add up to */
} vrs_checked_node;

typedef struct vrs_compile_options {
    const int32_t *batches; /* sizes, each 1 to 16 */
    int32_t batch_count;    /* 1 to 16 */
    bool verify;            /* also compare node by node: minutes for a large network */
    /* Called by the calling thread; any may be NULL. */
    void (*on_progress)(void *opaque, int32_t batch, int32_t done, int32_t all);
    void (*on_node)(void *opaque, const vrs_compiled_node *node);
    void (*on_check)(void *opaque, const vrs_checked_node *node);
    void *opaque;
} vrs_compile_options;

/* Compiles the model with the config's device and precision by the engine of our own, keeps the
 * plans in the cache (unless model_cache is off) and says what they are. `summary`: one line, cut
 * to `size`. VRS_INVALID: no GPU is chosen, or a size is outside its range. VRS_ENGINE: a node that
 * --verify found wrong, the first by name. Else what making a pipeline returns. */
VRS_API vrs_status vrs_compile(const vrs_config *config, const vrs_model *model,
                               const vrs_compile_options *options, char *summary,
                               size_t size) VRS_MUST_USE;

/* A file of compiled plans. */
typedef struct vrs_cached_plans {
    const char *path;
    const char *key; /* what it is of, for people; NULL: a file that cannot be read */
    uint64_t bytes;
    int64_t used_s; /* when it was read last, in seconds since 1970 */
} vrs_cached_plans;

typedef void (*vrs_cached_plans_fn)(void *opaque, const vrs_cached_plans *plans);

/* $XDG_CACHE_HOME/vrseg/plans, else ~/.cache/vrseg/plans. VRS_INVALID: neither is set, or the path
 * does not fit. */
VRS_API vrs_status vrs_plans_folder(char *path, size_t size) VRS_MUST_USE;
/* Calls `visit` for each file; none where there is no folder. VRS_IO, VRS_PERMISSION,
 * VRS_NO_MEMORY. */
VRS_API vrs_status vrs_plans_list(vrs_cached_plans_fn visit, void *opaque) VRS_MUST_USE;
/* Removes all files; how many, and their bytes. VRS_IO, VRS_PERMISSION: after removing what could
 * be. */
VRS_API vrs_status vrs_plans_clear(uint64_t *files, uint64_t *bytes) VRS_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
