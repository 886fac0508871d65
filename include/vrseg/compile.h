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

/* How far the compiling is. Text borrows until the call returns. */
typedef struct vrs_compile_progress {
    int32_t batch;       /* the size that is being compiled */
    int32_t size, sizes; /* which one that is, from 1, of how many */
    const char *step;    /* "plans": libraries are asked; "nodes": the ways to run each are timed;
                          * "compared": each is run beside plain C */
    int32_t done, all;   /* of that step */
    const char *node;    /* the last one's name in the ONNX file; "": none yet */
} vrs_compile_progress;

typedef void (*vrs_compile_progress_fn)(void *opaque, const vrs_compile_progress *progress);

/* Who is told while pipelines compile a network for a GPU, by the thread that makes the pipeline;
 * process-wide. NULL, as it is at first: nobody. Shares `opaque` until the next call; not while a
 * pipeline is being made. */
VRS_API void vrs_compile_on_progress(vrs_compile_progress_fn fn, void *opaque);

/* What the compiling took, of all sizes. */
typedef struct vrs_compile_effort {
    int32_t nodes, equal, restored; /* chosen; as an equal node; from the cache */
    int32_t asked;                  /* convolutions that libraries were asked about */
    int32_t made, refused;          /* plans of libraries, and those that they could not make */
    int32_t timed, late; /* plans that were timed; left out, as their node had its time */
    double making_seconds, timing_seconds;
} vrs_compile_effort;

typedef struct vrs_compile_options {
    const int32_t *batches; /* sizes, each 1 to 16 */
    int32_t batch_count;    /* 1 to 16 */
    bool verify;            /* also compare node by node: minutes for a large network */
    /* Called by the calling thread; any may be NULL. */
    vrs_compile_progress_fn on_progress;
    void (*on_effort)(void *opaque, const vrs_compile_effort *effort); /* before the nodes */
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

/* What a network is, whatever runs it. */
typedef struct vrs_model_cost {
    double flops;   /* of one view: a multiplication with its addition is two */
    double weights; /* numbers that the file has */
    int32_t layers; /* convolutions and matrix products */
} vrs_model_cost;

/* Reads the model's ONNX file and counts. The errors of reading it: VRS_NOT_FOUND, VRS_PERMISSION,
 * VRS_IO, VRS_FORMAT, VRS_UNSUPPORTED, VRS_NO_MEMORY. Any thread. */
VRS_API vrs_status vrs_model_count(const vrs_model *model, vrs_model_cost *cost) VRS_MUST_USE;

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
